"""Fit specifications to simulated or measured data."""

from yeastxr.fit.result import SpecFit
from yeastxr.fit.spec import fit_spec

__all__ = ["SpecFit", "fit_spec"]
