"""yeastxr: simulated transcription-factor binding and perturbation data of yeast, as labelled xarray datasets."""

from yeastxr import plot, qc, theory
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
)
from yeastxr.export import export, to_dataframe
from yeastxr.report import report
from yeastxr.schema import FEATURES, Feature, validate
from yeastxr.simulation import (
    And,
    Not,
    Or,
    SimulationSpec,
    adjusted_pairs,
    assemble,
    generate_binding_effects,
    generate_gene_population,
    generate_perturbation_effects,
    generate_pvalues,
    simulate,
    spec_of,
    sweep,
)
from yeastxr.storage import Verification, extend, open, save, verify
from yeastxr.training import Batches, Pair, SimulatedBatches, from_torch, split, to_dataarray, to_torch, xy

__all__ = [
    "FEATURES",
    "And",
    "Batches",
    "Check",
    "CheckTable",
    "Feature",
    "InputError",
    "InputTypeError",
    "Not",
    "Or",
    "Pair",
    "SchemaError",
    "SimulatedBatches",
    "SimulationSpec",
    "StoreError",
    "StoreExistsError",
    "StoreNotFoundError",
    "Verification",
    "YeastAccessor",
    "__version__",
    "adjusted_pairs",
    "assemble",
    "check",
    "export",
    "extend",
    "from_torch",
    "generate_binding_effects",
    "generate_gene_population",
    "generate_perturbation_effects",
    "generate_pvalues",
    "open",
    "plot",
    "qc",
    "report",
    "save",
    "simulate",
    "spec_of",
    "split",
    "sweep",
    "theory",
    "to_dataarray",
    "to_dataframe",
    "to_torch",
    "validate",
    "verify",
    "xy",
]
