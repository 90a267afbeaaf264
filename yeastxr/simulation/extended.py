"""Draws for the extensions of the tutorial: hops from tables, responses, tests, measurements, missing values.

As in :mod:`yeastxr.simulation.draws`, functions take and return plain arrays, and every value is a pure function of
(seed, stream, gene position, TF position, replicate) and, where measurements differ, of the number of the measurement.
Hops and probabilities that depend on a gene come from tables of :mod:`yeastxr.simulation.tables`, so that no value
depends on the mathematical functions of the platform.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from yeastxr._utils import run_in_threads
from yeastxr.errors import InputError
from yeastxr.simulation.draws import (
    FindPlane,
    Part,
    Stream,
    compute_philox_words,
    fill_block,
    limit_pvalues,
    plan_block,
)
from yeastxr.simulation.parameters import BindingParameters, ResponseParameters, scale_chance
from yeastxr.simulation.tables import (
    FACTOR_LEVELS,
    FRACTION_LEVELS,
    HopTable,
    find_beta_level,
    make_beta_levels,
    make_gamma_levels,
    make_hop_table,
    make_poisson_tails,
)

_KERNELS = "extended_kernels"


class Hops(NamedTuple):
    """The parameters of hops for kernels: ranges, or tables by level of the promoter's factor.

    A table is a tuple of thresholds, guides of 257 numbers per level, and the number of thresholds per level. The table
    of experiment hops has the levels of unbound pairs, followed by those of bound pairs.
    """

    tabulated: bool
    levels: int
    ranges: tuple[int, ...]
    background: tuple[np.ndarray, np.ndarray, int]
    experiment: tuple[np.ndarray, np.ndarray, int]


@dataclass(frozen=True)
class ExtendedModel:
    """The parameters of a block of an extended simulation, small enough to be part of each task."""

    binding: BindingParameters
    responses: ResponseParameters
    tests_effects: bool
    poisson_pseudocount: float
    fraction: float
    upper: float
    numbers: tuple[float, ...]
    batch_std: float
    missing: tuple[float, float]

    def make_tables(self) -> None:
        """Compute and cache tables, or raise if they would be too large."""
        make_hops(self.binding)
        make_chances(self.responses)
        if self.tests_effects:
            make_tails(self.binding, self.poisson_pseudocount)


def list_factors(params: BindingParameters) -> tuple[float, ...]:
    """Return the promoter's factor at each level; without ``promoter_dispersion``, there is one level with factor 1."""
    if not params.promoter_dispersion:
        return (1.0,)
    return tuple(make_gamma_levels(params.promoter_dispersion, FACTOR_LEVELS).tolist())


def make_hop_tables(params: BindingParameters) -> tuple[HopTable, HopTable, HopTable]:
    """Return the tables of negative binomial hops: background, unbound and bound."""
    factors = list_factors(params)
    background, unbound, bound = (
        params.background_hops_mean,
        params.unbound_experiment_hops_mean,
        params.bound_experiment_hops_mean,
    )
    assert background is not None  # parameters are already validated
    assert unbound is not None
    assert bound is not None
    return (
        make_hop_table(background, params.background_hops_dispersion, factors),
        make_hop_table(unbound, params.experiment_hops_dispersion, factors),
        make_hop_table(bound, params.experiment_hops_dispersion, factors),
    )


def find_hop_ends(params: BindingParameters) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the first and last possible number of background hops, and of experiment hops."""
    if not params.is_tabulated:
        unbound, bound = params.unbound_experiment_hops_range, params.bound_experiment_hops_range
        return params.background_hops_range, (min(unbound[0], bound[0]), max(unbound[1], bound[1]))
    background, unbound_table, bound_table = make_hop_tables(params)
    last = max(int(unbound_table.guide[:, 256].max()), int(bound_table.guide[:, 256].max()))
    least = np.flatnonzero(background.probabilities.any(axis=0))[0]
    return (int(least), int(background.guide[:, 256].max())), (0, last)


@lru_cache(maxsize=16)
def make_hops(params: BindingParameters) -> Hops:
    """Return the parameters of hops for kernels."""
    if not params.is_tabulated:
        nothing = (np.zeros(0, np.uint32), np.zeros(0, np.int32), 0)
        return Hops(False, 1, params.hop_ranges, nothing, nothing)
    background, unbound, bound = make_hop_tables(params)
    return Hops(
        True, len(background.guide), params.hop_ranges, _join_tables([background]), _join_tables([unbound, bound])
    )


def _join_tables(tables: Sequence[HopTable]) -> tuple[np.ndarray, np.ndarray, int]:
    """Concatenate the levels of tables."""
    width = max(table.thresholds.shape[1] for table in tables)
    thresholds = np.zeros((sum(len(table.thresholds) for table in tables), width), np.uint32)
    first = 0
    for table in tables:
        levels, n = table.thresholds.shape
        thresholds[first : first + levels, :n] = table.thresholds
        first += levels
    return thresholds.reshape(-1), np.concatenate([table.guide.reshape(-1) for table in tables]), width


@lru_cache(maxsize=16)
def make_tails(params: BindingParameters, pseudocount: float) -> tuple[np.ndarray, int, int]:
    """Return the p-values of all combinations of hops, float32, and the first numbers of both kinds of hops."""
    background, experiment = find_hop_ends(params)
    totals = params.total_background_hops, params.total_experiment_hops
    return np.array(make_poisson_tails(background, experiment, *totals, pseudocount)), background[0], experiment[0]


@lru_cache(maxsize=16)
def make_chances(params: ResponseParameters) -> tuple[np.ndarray, bool]:
    """Return the thresholds of responses, uint64, of unbound and then bound pairs, and whether genes have levels."""
    chances = (params.indirect_fraction, params.responsive_fraction)
    return np.array([scale_chance(p) for chance in chances for p in list_chances(chance, params)], np.uint64), bool(
        params.gene_responsiveness
    )


def list_chances(chance: float, params: ResponseParameters) -> list[float]:
    """Return the probability of a response at each level of a gene (one level without ``gene_responsiveness``)."""
    if not params.gene_responsiveness:
        return [chance]
    concentration = 1 / params.gene_responsiveness - 1
    return [float(level) for level in make_beta_levels(chance, concentration, FACTOR_LEVELS)]


def draw_bound_fractions(means: Sequence[float], concentration: float, seed: int) -> list[float]:
    """Return the bound fraction of each TF: a level, selected by its random word, of a beta distribution."""
    counters = np.zeros((len(means), 4), np.uint32)
    counters[:, 1], counters[:, 2] = np.arange(len(means)), Stream.TF_FACTOR
    levels = compute_philox_words(counters, seed)[:, 0] >> 24
    n_tfs = Counter(means)

    def find_level(mean: float, level: int) -> float:
        """Return a level, from the table of all levels if that is faster."""
        if n_tfs[mean] > FRACTION_LEVELS // 2:
            return float(make_beta_levels(mean, concentration, FRACTION_LEVELS)[level])
        return find_beta_level(mean, concentration, level, FRACTION_LEVELS)

    return [find_level(mean, int(level)) for mean, level in zip(means, levels, strict=True)]


def draw_hops(
    label: np.ndarray, *positions: np.ndarray, which: str, params: BindingParameters, seed: int, threads: int = 1
) -> np.ndarray:
    """Return ``"experiment"`` or ``"background"`` hops, int32 ``(..., G, T)``."""
    experiment, background = _draw_hops(label, *positions, which=which, params=params, seed=seed, threads=threads)
    return experiment if which == "experiment" else background


def _draw_hops(
    label: np.ndarray, *positions: np.ndarray, which: str, params: BindingParameters, seed: int, threads: int
) -> list[np.ndarray]:
    """Return experiment and background hops; hops that are not requested have no TFs."""
    fill, slabs, hops = plan_block(
        "hops",
        positions,
        module=_KERNELS,
        stream=Stream.BINDING,
        planes=[label],
        numbers=[make_hops(params)],
        dtypes=[np.int32 if which in (name, "both") else None for name in ("experiment", "background")],
        empty_dtypes=[np.int32] * 2,
        seed=seed,
    )
    run_in_threads(fill, slabs, threads)
    return hops


def draw_enrichment(
    label: np.ndarray, *positions: np.ndarray, params: BindingParameters, seed: int, threads: int = 1
) -> np.ndarray:
    """Return the binding effects of random hops, float32 ``(..., G, T)``."""
    experiment, background = _draw_hops(label, *positions, which="both", params=params, seed=seed, threads=threads)
    return np.asarray(params.effect(experiment.astype(np.float64), background.astype(np.float64)).astype(np.float32))


def find_binding_pvalues(
    experiment: np.ndarray, background: np.ndarray, *, params: BindingParameters, pseudocount: float, threads: int = 1
) -> np.ndarray:
    """Return the p-values of hops, float32, in the shape of hops, or raise for impossible hops."""
    table, *firsts = make_tails(params, pseudocount)
    index = []
    for name, hops, first, n in zip(
        ("background", "experiment"), (background, experiment), firsts, table.shape, strict=True
    ):
        if hops.min() < first or hops.max() >= first + n:
            raise InputError(
                f"{name}_hops range from {hops.min()} to {hops.max()}, but the parameters in their attributes allow "
                f"{first} to {first + n - 1}; expected the unmodified result of generate_hops"
            )
        index.append(hops - first)
    return table[index[0], index[1]]


def draw_responses(
    label: np.ndarray, *positions: np.ndarray, params: ResponseParameters, seed: int, threads: int = 1
) -> np.ndarray:
    """Return the pairs that respond, bool ``(..., G, T)``."""
    return fill_block(
        "responses",
        positions,
        module=_KERNELS,
        stream=Stream.BINDING,
        planes=[label],
        numbers=[make_chances(params)],
        dtypes=[np.bool_],
        seed=seed,
        threads=threads,
    )


def draw_effects_from_means(
    responsive: np.ndarray,
    mean: np.ndarray,
    negative_from: np.ndarray,
    *positions: np.ndarray,
    stds: tuple[float, float],
    batch_std: float,
    seed: int,
    threads: int = 1,
) -> np.ndarray:
    """Return perturbation effects from means, float32 ``(..., G, T)``; signs are ``negative_from``, ``(..., 1, T)``."""
    return fill_block(
        "effects_from_means",
        positions,
        module=_KERNELS,
        stream=Stream.BINDING,
        planes=[responsive, mean],
        per_tf=[negative_from],
        numbers=[stds, batch_std],
        seed=seed,
        threads=threads,
    )


def find_tail_pvalues(effect: np.ndarray, *, normal: tuple[float, float], threads: int = 1) -> np.ndarray:
    """Return the two-sided p-values of effects under a normal distribution, float32 ``(..., G, T)``."""
    *lead, genes, tfs = effect.shape
    positions = np.zeros((*lead, 1, 1), np.int64), np.arange(genes)[:, None], np.arange(tfs)
    return fill_block(
        "tail_pvalues",
        positions,
        module=_KERNELS,
        stream=Stream.BINDING,
        planes=[effect],
        numbers=[normal],
        seed=0,
        threads=threads,
    )


def mask_block(
    values: np.ndarray, *positions: np.ndarray, fractions: tuple[float, float], seed: int, threads: int = 1
) -> np.ndarray:
    """Return float32 values ``(..., G, T)`` with NaN for missing ones; fractions are those of genes and pairs."""
    is_missing = fill_block(
        "missing",
        positions,
        module=_KERNELS,
        stream=Stream.BINDING,
        numbers=[_scale_chances(fractions)],
        dtypes=[np.bool_],
        seed=seed,
        threads=threads,
    )
    return np.where(is_missing, np.float32(np.nan), values)


def _scale_chances(chances: Sequence[float]) -> tuple[np.uint64, ...]:
    return tuple(np.uint64(scale_chance(chance)) for chance in chances)


def draw_variables(
    bound_counts: np.ndarray,
    negative_from: np.ndarray,
    *positions: np.ndarray,
    wanted: Collection[str],
    find_active: Callable[[np.ndarray, np.ndarray], FindPlane] | None,
    model: ExtendedModel,
    seed: int,
    threads: int = 1,
) -> dict[str, np.ndarray]:
    """Return the requested features and extra variables of a block with all genes, ``(..., G, T)``, by name.

    With conditions, ``find_active`` takes labels and responses, and returns a function that returns the active pairs of
    a slab.
    """
    has_responses = model.responses.has_responses
    adjusted = "adjusted" in wanted
    pvalue, response_pvalue = "binding_pvalue" in wanted, "perturbation_pvalue" in wanted
    response = response_pvalue or "perturbation_effect" in wanted
    effect = "binding_effect" in wanted or response or (pvalue and not model.tests_effects)
    tails = (
        make_tails(model.binding, model.poisson_pseudocount)
        if pvalue and model.tests_effects
        else (np.zeros((0, 0), np.float32), 0, 0)
    )
    limits = limit_pvalues(model.upper)
    dtypes = {
        "label": np.bool_,
        "binding_effect": np.float32 if effect else None,
        "binding_pvalue": np.float32 if pvalue else None,
        "experiment_hops": np.int32 if "experiment_hops" in wanted else None,
        "background_hops": np.int32 if "background_hops" in wanted else None,
        "responsive": np.bool_ if has_responses and ("responsive" in wanted or adjusted or response) else None,
    }
    fill_binding, slabs, outs = plan_block(
        "extended_binding",
        positions,
        module=_KERNELS,
        stream=Stream.BINDING,
        per_tf=[bound_counts.astype(np.int64)],
        numbers=[
            make_hops(model.binding),
            model.binding.factors,
            tails,
            model.fraction,
            limits,
            make_chances(model.responses),
        ],
        dtypes=list(dtypes.values()),
        empty_dtypes=[np.bool_, np.float32, np.float32, np.int32, np.int32, np.bool_],
        seed=seed,
    )
    made = dict(zip(dtypes, outs, strict=True))
    if not (response or adjusted):
        run_in_threads(fill_binding, slabs, threads)
        return made
    responsive = made["responsive"] if has_responses else made["label"]
    if find_active is not None:  # conditions need the labels of other TFs
        run_in_threads(fill_binding, slabs, threads)
    fill_perturbation, slabs, outs = plan_block(
        "extended_perturbation",
        positions,
        module=_KERNELS,
        stream=Stream.BINDING,
        planes=[
            responsive,
            responsive if find_active is None else find_active(made["label"], responsive),
            made["binding_effect"] if effect else made["label"],
        ],
        per_tf=[negative_from],
        numbers=[
            model.numbers,
            model.batch_std,
            model.tests_effects,
            model.fraction,
            limits,
            _scale_chances(model.missing),
        ],
        dtypes=[
            np.bool_ if adjusted else None,
            np.float32 if response else None,
            np.float32 if response_pvalue else None,
        ],
        empty_dtypes=[np.bool_, np.float32, np.float32],
        seed=seed,
    )
    made |= zip(("adjusted", "perturbation_effect", "perturbation_pvalue"), outs, strict=True)

    def fill_both(part: Part) -> None:
        fill_binding(part)
        fill_perturbation(part)

    run_in_threads(fill_both if find_active is None else fill_perturbation, slabs, threads)
    return made
