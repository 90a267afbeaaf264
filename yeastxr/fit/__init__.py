"""Fit specifications to data, simulated or measured."""

from yeastxr.fit.result import SpecFit
from yeastxr.fit.spec import fit_spec

__all__ = ["SpecFit", "fit_spec"]
