"""Simulated transcription-factor binding and perturbation data of yeast, as labelled xarray datasets."""

from yeastxr import analysis, names, plot, qc, simulation, theory
from yeastxr._version import __version__
from yeastxr.accessor import YeastAccessor
from yeastxr.checks import Check, CheckTable, check
from yeastxr.errors import (
    InputError,
    InputTypeError,
    SchemaError,
    StoreError,
    StoreExistsError,
    StoreNotFoundError,
    TableWarning,
)
from yeastxr.export import export, to_anndata, to_dataframe
from yeastxr.fit import SpecFit, fit_spec
from yeastxr.rename import rename
from yeastxr.report import report
from yeastxr.schema import FEATURES, Feature, validate
from yeastxr.simulation import *  # noqa: F403  (the subpackage lists its public names)
from yeastxr.storage import Verification, extend, open, save, verify
from yeastxr.tables import from_tables
from yeastxr.training import Batches, MaskedPair, Pair, SimulatedBatches, from_torch, split, to_dataarray, to_torch, xy

__all__ = [
    "FEATURES",
    "Batches",
    "Check",
    "CheckTable",
    "Feature",
    "InputError",
    "InputTypeError",
    "MaskedPair",
    "Pair",
    "SchemaError",
    "SimulatedBatches",
    "SpecFit",
    "StoreError",
    "StoreExistsError",
    "StoreNotFoundError",
    "TableWarning",
    "Verification",
    "YeastAccessor",
    "__version__",
    "analysis",
    "check",
    "export",
    "extend",
    "fit_spec",
    "from_tables",
    "from_torch",
    "names",
    "open",
    "plot",
    "qc",
    "rename",
    "report",
    "save",
    "split",
    "theory",
    "to_anndata",
    "to_dataarray",
    "to_dataframe",
    "to_torch",
    "validate",
    "verify",
    "xy",
]
__all__ += simulation.__all__
