"""Common parts of all topics: expectations, blocks of a dataset, and measurements that merge.

Every measured number has a known distribution under the specification: values are transformed by their expected
distribution function, so that they become uniform or standard normal.
"""

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cache, cached_property, lru_cache
from typing import Annotated, Any, Self

import numpy as np

from yeastxr._validate import to_python
from yeastxr.checks.table import Check
from yeastxr.errors import InputError
from yeastxr.schema import BINDING, FEATURE_BY_NAME, LABEL, MAGNITUDE, MEASURES, PERTURBATION, STATUSES
from yeastxr.simulation import draws, extended
from yeastxr.simulation.adjustment import MeanModel
from yeastxr.simulation.parameters import BindingParameters, ResponseParameters
from yeastxr.simulation.simulate import SimulationSpec
from yeastxr.theory.distributions import Lattice
from yeastxr.theory.pairs import make_binding_distributions, tabulate_hops

BINS = 100  # bins of histograms, as in the kernels
PVALUES = {name: name.removesuffix("pvalue") + "effect" for name in MEASURES if name.endswith("pvalue")}
SIGN = "sign"
DRAWS = (SIGN, MAGNITUDE, *PVALUES, BINDING)  # the types of random numbers of a pair
DRAW_NAMES = {
    SIGN: "signs",
    MAGNITUDE: "|perturbation effect|",
    **{name: FEATURE_BY_NAME[name].long_name for name in (*PVALUES, BINDING)},
}
LOW_BITS = 13  # as in the kernels; the bits that rounding to float16 sets to 0
COUNTS = ("bound", "active", "holding", "valid", "runs", "positive", "positive_bound", *(f"large_{p}" for p in PVALUES))
RESPONSIVE, ADJUSTED = "responsive", "adjusted"
_SLAB_PAIRS = 1 << 17
_MANY_VALUES = 1 << 16  # number of possible binding effects above which tables are denser
_MOST_CHANCES = 2 * 10**7  # probabilities of binding effects by level: 160 MB per table
_MOST_UNFAIR = 0.1
_FLOAT32_STEPS = 10.0  # the possible increase of a chi-square statistic by rounding to float32


@dataclass(frozen=True, eq=False)
class BindingSteps:
    """The steps of the distributions of binding effects: values, their probabilities and their scores."""

    binding: BindingParameters

    @cached_property
    def n_levels(self) -> int:
        """The number of levels of the promoter's factor, which all pairs of a gene share."""
        return len(extended.list_factors(self.binding))

    @cached_property
    def lattices(self) -> tuple[Lattice, ...]:
        """The distributions of binding effects of unbound and of bound pairs, over levels."""
        return make_binding_distributions(self.binding)

    @cached_property
    def chances(self) -> tuple[np.ndarray, ...]:
        """The probabilities of possible binding effects, of unbound and of bound pairs, by level, ``(levels, n)``."""
        if self.n_levels == 1:
            return tuple(lattice.probabilities[None] for lattice in self.lattices)
        n_chances = self.n_levels * max(lattice.values.size for lattice in self.lattices)
        if n_chances > _MOST_CHANCES:
            raise InputError(
                f"the hops have {n_chances:,} binding effects at {self.n_levels} levels of the promoter's factor; "
                f"expected at most {_MOST_CHANCES:,}"
            )
        chances = []
        for lattice, bound in zip(self.lattices, (False, True), strict=True):
            background, experiment, _ = tabulate_hops(self.binding, bound=bound)
            effects = self.binding.effect(experiment.astype(float)[None, :], background.astype(float)[:, None])
            places = np.searchsorted(lattice.values, np.asarray(effects).astype(np.float32).ravel())
            places = places.clip(max=lattice.values.size - 1)
            by_level = np.empty((self.n_levels, lattice.values.size))
            for level, row in enumerate(by_level):
                probabilities = tabulate_hops(self.binding, bound=bound, level=level)[-1]
                row[:] = np.bincount(places, probabilities.ravel(), lattice.values.size)
            chances.append(by_level)
        return tuple(chances)

    @cached_property
    def scores(self) -> tuple[np.ndarray, ...]:
        """The middle of the step of each possible binding effect in the distribution function, minus 1/2 (mean 0).

        There is an array ``(levels, n)`` for each label.
        """
        return tuple(np.cumsum(p, axis=1) - p / 2 - 0.5 for p in self.chances)

    @property
    def distances(self) -> tuple[np.ndarray, ...]:
        """The mean of |2 u - 1| over the step of each possible binding effect, minus 1/2 (mean 0), like scores."""
        distances = []
        for chances in self.chances:
            distances.append(np.empty_like(chances))
            for p, row in zip(chances, distances[-1], strict=True):  # level by level, to save memory
                edges = 2 * np.cumsum(p) - 1
                steps = np.diff(edges * np.abs(edges), prepend=-1.0)
                row[:] = np.divide(steps, 4 * p, out=np.full_like(p, 0.5), where=p > 0) - 0.5
        return tuple(distances)

    @cached_property
    def tables(self) -> tuple[Any, ...]:
        """The possible binding effects, of unbound and then of bound pairs, with their scores and distances by level.

        A hash table contains their positions: for each slot ``2 * bits + label`` and the position of the value, or -1;
        then the shift of hashes, and the range of values of each label.
        """
        from yeastxr.checks import kernels

        values = [lattice.values.astype(np.float32) for lattice in self.lattices]
        keys = np.concatenate([2 * array.view(np.int32).astype(np.int64) + i for i, array in enumerate(values)])
        n_bits = ((16 if keys.size < _MANY_VALUES else 2) * keys.size).bit_length()
        slots, places = np.zeros(1 << n_bits, np.int64), np.full(1 << n_bits, -1, np.int32)
        shift = np.uint64(64 - n_bits)
        kernels.fill_slots(keys, shift, slots, places)
        ends = np.cumsum([0, *(array.size for array in values)]).astype(np.int32)
        numbers = (self._scale_tables(self.scores), self._scale_tables(self.distances))
        return slots, places, shift, ends, np.concatenate(values), *numbers

    @staticmethod
    def _scale_tables(tables: tuple[np.ndarray, ...]) -> np.ndarray:
        """Join tables of both labels, scaled to variance 1, in float32 without copies in float64."""
        joined = np.empty((len(tables[0]), sum(table.shape[1] for table in tables)), np.float32)
        first = 0
        for table in tables:
            np.multiply(table, math.sqrt(12), out=joined[:, first : first + table.shape[1]], casting="same_kind")
            first += table.shape[1]
        return joined


@lru_cache(maxsize=4)
def make_steps(binding: BindingParameters) -> BindingSteps:
    """Return the steps of the distributions for parameters of hops; the cache is small because they are large."""
    return BindingSteps(binding)


@dataclass(frozen=True, eq=False)
class Expectation:
    """The expectation of a specification for a dataset, which may contain only some of its genes and TFs."""

    spec: SimulationSpec
    n_genes: int
    tfs: tuple[Hashable, ...]
    n_pairs: int
    knows_conditions: bool  # whether the dataset has all TFs that relations name
    genes: tuple[int, ...] = ()  # positions among those of the specification
    replicates: tuple[int, ...] = (0,)  # of planes, in order
    measurement: int = 0
    extras: frozenset[str] = frozenset()  # names of the dataset's extra variables

    @property
    def complete(self) -> bool:
        """Whether the dataset has all genes, so that counts and quantiles over genes are known."""
        return self.n_genes == self.spec.n_genes

    @property
    def subset(self) -> str:
        """The reason why sums over genes can't be checked in a subset."""
        return f"a subset: {self.n_genes} of {self.spec.n_genes} genes"

    @cached_property
    def model(self) -> MeanModel:
        """The means and s.d. of perturbation effects."""
        return MeanModel.from_spec(self.spec)

    @property
    def noisy(self) -> bool:
        """Whether all perturbation effects have noise."""
        return min(self.model.stds) > 0

    @cached_property
    def bound_counts(self) -> np.ndarray:
        """The number of genes that each TF binds in the complete simulation."""
        fractions = dict(zip(map(to_python, self.spec.tf_labels), self.spec.bound_fractions, strict=True))
        return np.array([round(self.spec.n_genes * fractions[tf]) for tf in self.tfs])

    @cached_property
    def lattices(self) -> tuple[Lattice, ...]:
        """The distributions of binding effects of unbound and of bound pairs."""
        return self.steps.lattices

    @property
    def knows_statuses(self) -> bool:
        """Whether responses and conditions are known."""
        return self.knows_conditions and (not self.spec.has_responses or RESPONSIVE in self.extras)

    @property
    def draws_pvalues(self) -> bool:
        """Whether p-values follow the rule of large effects, with known quantiles."""
        return self.complete and not self.spec.tests_effects

    @cached_property
    def binding(self) -> BindingParameters:
        """The parameters of hops."""
        return BindingParameters.extract(self.spec)

    @cached_property
    def tf_positions(self) -> np.ndarray:
        """The positions of the TFs among those of the specification."""
        positions = {tf: position for position, tf in enumerate(map(to_python, self.spec.tf_labels))}
        return np.array([positions[tf] for tf in self.tfs])

    @cached_property
    def positive_fractions(self) -> np.ndarray:
        """The probability of a positive sign for each TF."""
        return np.array(self.spec.list_positive_fractions(len(self.spec.tf_labels)))[self.tf_positions]

    @property
    def has_fair_signs(self) -> bool:
        """Whether signs are fair coins."""
        return bool((self.positive_fractions == 0.5).all())

    @cached_property
    def response_chances(self) -> np.ndarray:
        """The probability of a response for unbound and bound pairs, by level of the gene, ``(labels, levels)``."""
        params = ResponseParameters.extract(self.spec)
        chances = (params.indirect_fraction, params.responsive_fraction)
        return np.array([extended.list_chances(chance, params) for chance in chances])

    def find_levels(self, plane: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the levels of a plane's genes, uint8: of the promoter's factor, and of responsiveness."""
        none = np.zeros(self.n_genes, np.uint8)
        several = self.response_chances.shape[1] > 1
        if self.steps.n_levels == 1 and not several:
            return none, none
        counters = np.zeros((self.n_genes, 4), np.uint32)
        counters[:, 0] = self.genes
        counters[:, 2], counters[:, 3] = draws.Stream.GENE_FACTOR, self.replicates[plane]
        words = draws.compute_philox_words(counters, self._seed)
        factor, response = ((words[:, i] >> np.uint32(26)).astype(np.uint8) for i in (0, 1))
        return factor if self.steps.n_levels > 1 else none, response if several else none

    def find_offsets(self, plane: int, tfs: slice) -> np.ndarray:
        """Return the offset shared by all perturbation effects of a TF in this measurement, float64 ``(TFs,)``."""
        from scipy.special import ndtri

        positions = self.tf_positions[tfs]
        counters = np.zeros((positions.size, 4), np.uint32)
        counters[:, 1], counters[:, 3] = positions, self.replicates[plane]
        counters[:, 2] = draws.Stream.MEASUREMENT | self.measurement << 8
        high, low, signs, _ = draws.compute_philox_words(counters, self._seed).T.astype(np.float64)
        upper = -ndtri((high * 2.0**32 + low + 0.5) * 2.0**-65)
        return self.spec.batch_std * np.where(signs >= 2.0**31, -upper, upper)

    @property
    def _seed(self) -> int:
        seed = self.spec.seed
        assert seed is not None  # always set in the specification of a dataset
        return seed

    @cached_property
    def steps(self) -> "BindingSteps":
        """The distributions of binding effects by label and level, shared by datasets with the same hops."""
        return make_steps(self.binding)

    @property
    def lattice_centre(self) -> float:
        """The middle of the possible binding effects of bound pairs, used as origin."""
        return float(self.lattices[1].values.mean())

    @cached_property
    def scored_draws(self) -> set[str]:
        """The kinds of draws that have scores."""
        magnitudes = self.noisy and self.knows_statuses and not self.shows_float32(self.n_pairs)
        names = {BINDING, *([MAGNITUDE] if magnitudes else []), *(self.scored_pvalues)}
        return names | ({SIGN} if self.has_fair_signs else set())

    @property
    def scored_pvalues(self) -> list[str]:
        """The types of p-values with scores; with missing effects, the quantile is unknown."""
        names = list(PVALUES) if self.draws_pvalues else []
        return [name for name in names if not (self.spec.has_missing and PVALUES[name] == PERTURBATION)]

    @cached_property
    def coin_tolerances(self) -> dict[str, float]:
        """The largest deviation from 1/2 of the probability that two (nearly) fair coin flips agree, by type.

        A coin flip is the side of the median of a random number, which is not exactly fair for discrete values.
        """
        tables = zip(self.steps.chances, self.steps.scores, strict=True)
        pairs = [(p, score) for chances, scores in tables for p, score in zip(chances, scores, strict=True)]
        deviation = max(abs(float(p[score > 0].sum()) - 0.5) for p, score in pairs)
        tolerances = dict.fromkeys(DRAWS, 0.0) | {BINDING: 2 * deviation**2}
        unfair = {BINDING} if deviation > _MOST_UNFAIR else set()
        if self.spec.large_effect_upper_pval == 0:
            unfair |= set(PVALUES)
        return {name: tolerances[name] for name in DRAWS if name in self.scored_draws - unfair}

    def shows_float32(self, n_pairs: int) -> bool:
        """Return whether the resolution of float32, relative to the noise, is visible in a histogram of the pairs."""
        step = float(np.spacing(np.float32(self.model.largest_abs_mean))) / min(self.model.stds)
        return n_pairs * (step * BINS / 4) ** 2 > _FLOAT32_STEPS


class Block:
    """TFs of one plane with all genes of the dataset, and their measurements, computed slab by slab.

    ``planes`` are ``(genes, TFs)``; ``holds`` tells where the conditions of each TF hold, whether it binds or not, and
    is None where that can't be computed. NaN and infinities are 0, and pairs with such an effect not valid. Scores are
    numbers of mean 0 and variance 1, by kind of draws; coins tell on which side of its median a draw lies.

    It has ``outside`` and ``coarse`` by measure; ``counts`` by TF, see :data:`COUNTS`; ``tf_sums`` (kinds, TFs, sum and
    sum of squares) of scores; ``coins`` (kinds, TFs, words) and ``labels`` (TFs, words), packed; ``lattice_counts`` and
    ``others`` of binding effects; of |effects| how many are ``inexact``, and by status ``histogram``, ``far``,
    ``nearest`` and ``status_sums``; by kind of p-values ``pvalue_histogram``, ``broken`` and ``extremes``;
    ``bound_by_gene`` (even or odd TFs, genes), ``valid_by_gene``, ``gene_sums`` and ``gene_spreads`` (kinds, genes);
    ``products`` and ``weights`` (kinds, along genes or TFs). ``level_counts`` are pairs by label and level of the
    promoter's factor.

    Where values are missing, ones that are drawn from their distribution take their place, so that whatever is true of
    correct datasets without missing values is true of those with them; ``missing`` counts them by TF, and
    ``missing_by_gene``. Without a specification missing values are only counted, by measure: ``unknown``. ``values``
    are the planes themselves, with extra variables, and ``applies`` where conditions hold for the pairs that respond.
    """

    expected: Any  # None without a specification

    def __init__(
        self,
        planes: dict[str, np.ndarray],
        holds: np.ndarray | None,
        expected: Expectation | None,
        *,
        applies: np.ndarray | None = None,
        plane: int = 0,
        first: int = 0,
        limits: np.ndarray | None = None,
    ) -> None:
        self.limits = get_limits() if limits is None else limits
        self.expected, self.values, self.plane, self.first = expected, planes, plane, first
        self.has_conditions = holds is not None and (expected is None or expected.knows_statuses)
        self.applies = holds if applies is None else applies
        self.n_genes, self.n_tfs = planes[BINDING].shape
        self.n_bound = int(np.count_nonzero(planes[LABEL])) if LABEL in planes else 0
        self.outside, self.coarse, self.unknown = np.zeros((3, len(MEASURES)), np.int64)
        self.missing, self.missing_by_gene = np.zeros(self.n_tfs, np.int64), np.zeros(self.n_genes, np.int64)
        if expected is not None:
            self.levels, self.response_levels = expected.find_levels(plane)
        measured = None if expected is None else self._allocate(expected)
        width = max(1, _SLAB_PAIRS // self.n_genes)
        for first in range(0, self.n_tfs, width):
            tfs = slice(first, min(first + width, self.n_tfs))
            self._measure({name: plane[:, tfs] for name, plane in planes.items()}, holds, tfs, measured)
        if expected is not None:
            bound = self.bound_by_gene.sum(axis=0)
            self.level_counts = np.array(
                [np.bincount(self.levels, n, expected.steps.n_levels) for n in (self.n_tfs - bound, bound)]
            )

    @property
    def histogram(self) -> np.ndarray:
        """The histogram of scores of |effects| by status."""
        return self._histogram[:-1].reshape(len(STATUSES), BINS)

    @property
    def lattice_counts(self) -> np.ndarray:
        """The number of pairs with each possible binding effect, of unbound and then of bound pairs."""
        return np.asarray(self._lattice_counts.sum(axis=0))

    def _allocate(self, expected: Expectation) -> tuple[tuple[np.ndarray, ...], ...]:
        """Allocate the measurements, and return them in groups for the kernel."""
        genes, tfs, kinds, statuses, words = self.n_genes, self.n_tfs, len(DRAWS), len(STATUSES), -(-self.n_genes // 64)
        counts = np.zeros((tfs, len(COUNTS)), np.int64)
        self.counts = dict(zip(COUNTS, counts.T, strict=True))
        self.tf_sums = np.zeros((kinds, tfs, 2))
        self.coins, self.labels = np.zeros((kinds, tfs, words), np.uint64), np.zeros((tfs, words), np.uint64)
        self._lattice_counts = np.zeros((4, sum(lattice.values.size for lattice in expected.lattices)), np.int64)
        self.others, self.inexact, self.broken = np.zeros(2, np.int64), np.zeros(1, np.int64), np.zeros(2, np.int64)
        self._histogram, self.far = np.zeros(statuses * BINS + 1, np.int64), np.zeros((statuses, 2), np.int64)
        self.nearest, self.status_sums = np.ones((statuses, 2)), np.zeros((statuses, 6))
        self.pvalue_histogram, self.extremes = np.zeros((2, 2 * BINS), np.int64), np.ones((2, 2))
        self.bound_by_gene, self.valid_by_gene = np.zeros((2, genes), np.int64), np.zeros(genes, np.int64)
        self.gene_sums, self.gene_spreads = np.zeros((2, kinds, genes))
        self.products, self.weights = np.zeros((2, kinds, 2))
        return (
            (counts, self.tf_sums, self.coins, self.labels),
            (self._lattice_counts, self.others),
            (self.inexact, self._histogram, self.far, self.nearest, self.status_sums),
            (self.pvalue_histogram, self.broken, self.extremes),
            (
                self.bound_by_gene,
                self.valid_by_gene,
                self.gene_sums,
                self.gene_spreads,
                self.products,
                self.weights,
                np.zeros((kinds, 2)),
                np.zeros((2, kinds, genes), np.float32),
            ),
        )

    def _measure(
        self, planes: dict[str, np.ndarray], holds: np.ndarray | None, tfs: slice, measured: tuple[Any, ...] | None
    ) -> None:
        """Measure a slab of TFs; without a specification, only ranges."""
        from yeastxr.checks import kernels

        shape = planes[BINDING].shape[::-1]
        columns, valid = np.empty((len(MEASURES), *shape), np.float32), np.empty(shape, np.uint8)
        for column, name in zip(columns, MEASURES, strict=True):
            _copy(planes[name], column)
        expected = self.expected
        labels = np.zeros((4, *shape), np.uint8)  # labels, holds, responsive, applies
        if measured is not None:
            _copy(planes[LABEL].view(np.uint8), labels[0])
            if self.has_conditions and holds is not None and self.applies is not None:
                _copy(holds[:, tfs].view(np.uint8), labels[1])
                _copy(planes.get(RESPONSIVE, planes[LABEL]).view(np.uint8), labels[2])
                _copy(self.applies[:, tfs].view(np.uint8), labels[3])
            elif holds is not None:
                _copy(holds[:, tfs].view(np.uint8), labels[1])
            if expected.spec.has_missing:
                self._impute(columns, labels, tfs)
        if measured is None:
            unknown = np.count_nonzero(np.isnan(columns), axis=(1, 2))
            self.unknown += unknown
            self.outside -= unknown  # added by the kernel
        kernels.clean(columns, self.limits, valid, self.outside, self.coarse)
        if measured is None:
            return
        spec, model = expected.spec, expected.model
        responses = columns[MEASURES.index(PERTURBATION)]
        if spec.batch_std:
            offsets = expected.find_offsets(self.plane, slice(self.first + tfs.start, self.first + tfs.stop))
            responses = (responses - offsets[:, None]).astype(np.float32)
        cutoffs = np.zeros((len(PVALUES), shape[0]))
        if expected.draws_pvalues:
            for cutoff, name in zip(cutoffs, PVALUES.values(), strict=True):
                effect = columns[MEASURES.index(name)]
                cutoff[:] = draws.compute_abs_quantiles(effect.T, fraction=spec.large_effect_percentile)[0]
        has_noise, has_means = expected.noisy, not expected.noisy and not spec.batch_std
        kernels.measure(
            tfs.start,
            (*labels, valid, columns, responses),
            cutoffs,
            (*expected.steps.tables, self.levels),
            tuple(map(float, model.numbers)),
            float(spec.large_effect_upper_pval),
            expected.lattice_centre,
            (self.has_conditions and has_noise, self.has_conditions and has_means, expected.draws_pvalues),
            *measured,
        )

    def _impute(self, columns: np.ndarray, labels: np.ndarray, tfs: slice) -> None:
        """Replace perturbation effects and p-values that are both missing, ``[measure, TF, gene]``, and count them."""
        effect, pvalue = (columns[MEASURES.index(name)] for name in (PERTURBATION, "perturbation_pvalue"))
        missing = np.isnan(effect) & np.isnan(pvalue)
        self.missing[tfs] = np.count_nonzero(missing, axis=1)
        self.missing_by_gene += np.count_nonzero(missing, axis=0)
        t, g = np.nonzero(missing)
        expected, at = self.expected, slice(self.first + tfs.start, self.first + tfs.stop)
        rng = np.random.Generator(np.random.Philox(key=[self.plane, at.start]))  # independent of chunks
        responsive, applies = labels[2, t, g], labels[3, t, g]
        binding = columns[MEASURES.index(BINDING), t, g].astype(np.float64)
        status = responsive * (2 - applies)
        mean = expected.model.mean(status, np.where(np.isfinite(binding), binding, 0.0))
        magnitude = np.abs(mean + expected.model.std(status) * rng.standard_normal(t.size))
        positive = rng.random(t.size) < expected.positive_fractions[at][t]
        drawn = np.where(positive, magnitude, -magnitude)
        if expected.spec.batch_std:
            drawn += expected.find_offsets(self.plane, at)[t]
        effect[t, g], pvalue[t, g] = drawn, rng.random(t.size)


def _copy(plane: np.ndarray, columns: np.ndarray) -> None:
    """Copy a plane ``(genes, TFs)`` to columns."""
    from yeastxr.checks import kernels

    if plane.flags.f_contiguous:
        columns[...] = plane.T
    else:
        kernels.transpose(plane, columns)


@cache
def get_limits(*, signed: bool = False) -> np.ndarray:
    """Return the smallest and largest allowed value of each measure; signed binding effects have no limits."""
    limits = [(FEATURE_BY_NAME[name].least, FEATURE_BY_NAME[name].most) for name in MEASURES]
    if signed:
        limits[MEASURES.index(BINDING)] = (-math.inf, math.inf)
    return np.array(limits, np.float32)


Total = Annotated[Any, "total"]
Least = Annotated[Any, "least"]
Joined = Annotated[np.ndarray, "joined"]
ByTF = Annotated[np.ndarray, "by TF"]


@dataclass(frozen=True)
class Topic:
    """A measurement of blocks, how it merges, and its rows of checks.

    The size of a measurement does not depend on the size of the block. The types of its fields define how they merge:
    ``Total`` is a sum, ``Least`` a minimum, ``Joined`` a list, and ``ByTF`` has shape (planes, TFs, ...).
    """

    @classmethod
    def measure(cls, block: Any) -> Self | None:
        """Return the measurement of a block; None if the topic does not apply to the dataset."""
        raise NotImplementedError

    @classmethod
    def merge(cls, parts: Sequence[Self], *, join: Callable[..., np.ndarray] = np.concatenate) -> Self:
        """Merge the measurements of blocks of TFs, or of planes, in order; ``join`` joins values by TF."""
        functions: dict[Any, Any] = {Total: np.add.reduce, Least: np.minimum.reduce, Joined: np.concatenate, ByTF: join}
        return cls(*(functions[f.type]([getattr(part, f.name) for part in parts]) for f in fields(cls)))

    def make_rows(self, expected: Any) -> Iterator[Check]:
        """Yield the rows of a measured dataset, given an :class:`Expectation`, or None without a specification."""
        raise NotImplementedError

    @classmethod
    def explain_absence(cls, expected: Expectation) -> Iterator[Check]:
        """Yield rows with reasons for missing measurements (default: none)."""
        yield from ()
