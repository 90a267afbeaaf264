"""Simulate labelled datasets: relations of TFs, parameters, the four steps, and whole simulations."""

from yeastxr.simulation.adjustment import adjusted_pairs
from yeastxr.simulation.operators import And, Not, Or
from yeastxr.simulation.presets import Preset, presets
from yeastxr.simulation.relation_files import read_relations
from yeastxr.simulation.relation_text import parse_relation
from yeastxr.simulation.simulate import SimulationSpec, assemble, simulate
from yeastxr.simulation.steps import (
    generate_binding_effects,
    generate_gene_population,
    generate_hops,
    generate_perturbation_effects,
    generate_pvalues,
    generate_responses,
    mask_missing,
)
from yeastxr.simulation.sweeps import spec_of, sweep

__all__ = [
    "And",
    "Not",
    "Or",
    "Preset",
    "SimulationSpec",
    "adjusted_pairs",
    "assemble",
    "generate_binding_effects",
    "generate_gene_population",
    "generate_hops",
    "generate_perturbation_effects",
    "generate_pvalues",
    "generate_responses",
    "mask_missing",
    "parse_relation",
    "presets",
    "read_relations",
    "simulate",
    "spec_of",
    "sweep",
]
