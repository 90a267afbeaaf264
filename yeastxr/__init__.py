"""yeastxr: simulated transcription-factor binding and perturbation data of yeast, as labelled xarray datasets."""

from yeastxr import plot, theory
from yeastxr._version import __version__
from yeastxr.accessor import YeastAccessor
from yeastxr.adjust import adjusted_pairs
from yeastxr.arguments import InputError
from yeastxr.batches import Batches, SimulatedBatches
from yeastxr.checks import check
from yeastxr.checktable import CheckTable
from yeastxr.exporting import export
from yeastxr.generate import (
    generate_binding_effects,
    generate_gene_population,
    generate_perturbation_effects,
    generate_pvalues,
)
from yeastxr.growing import extend
from yeastxr.relations import And, Not, Or
from yeastxr.report import report
from yeastxr.schema import FEATURES, SchemaError, validate
from yeastxr.simulate import SimulationSpec, assemble, simulate, spec_of
from yeastxr.splitting import split
from yeastxr.store import open, save
from yeastxr.sweeping import sweep
from yeastxr.tensors import Pair, from_torch, to_dataarray, to_torch, xy
from yeastxr.verify import Verification, verify

__all__ = [
    "FEATURES",
    "And",
    "Batches",
    "CheckTable",
    "InputError",
    "Not",
    "Or",
    "Pair",
    "SchemaError",
    "SimulatedBatches",
    "SimulationSpec",
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
    "report",
    "save",
    "simulate",
    "spec_of",
    "split",
    "sweep",
    "theory",
    "to_dataarray",
    "to_torch",
    "validate",
    "verify",
    "xy",
]
