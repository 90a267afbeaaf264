"""yeastxr: simulated transcription-factor binding and perturbation data of yeast, as labelled xarray datasets."""

from yeastxr._version import __version__
from yeastxr.adjust import adjusted_pairs
from yeastxr.arguments import InputError
from yeastxr.generate import (
    generate_binding_effects,
    generate_gene_population,
    generate_perturbation_effects,
    generate_pvalues,
)
from yeastxr.relations import And, Not, Or
from yeastxr.schema import FEATURES, SchemaError, validate
from yeastxr.simulate import SimulationSpec, assemble, simulate, spec_of, sweep

__all__ = [
    "FEATURES",
    "And",
    "InputError",
    "Not",
    "Or",
    "SchemaError",
    "SimulationSpec",
    "__version__",
    "adjusted_pairs",
    "assemble",
    "generate_binding_effects",
    "generate_gene_population",
    "generate_perturbation_effects",
    "generate_pvalues",
    "simulate",
    "spec_of",
    "sweep",
    "validate",
]
