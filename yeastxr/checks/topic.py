"""What all topics of checks share: expectations, blocks of a dataset, and measurements that merge.

Every number that a topic measures has a known distribution under the specification: values are put through the
distribution function that they should have, which makes them uniform or standard normal.
"""

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cache, cached_property
from typing import Annotated, Any, Self

import numpy as np

from yeastxr._validate import to_python
from yeastxr.checks.table import Check
from yeastxr.schema import BINDING, FEATURE_BY_NAME, LABEL, MAGNITUDE, MEASURES, STATUSES
from yeastxr.simulation import draws
from yeastxr.simulation.adjustment import MeanModel
from yeastxr.simulation.simulate import SimulationSpec
from yeastxr.theory.distributions import Lattice
from yeastxr.theory.pairs import make_binding_distributions

BINS = 100  # of histograms, as the kernels have it
PVALUES = {name: name.removesuffix("pvalue") + "effect" for name in MEASURES if name.endswith("pvalue")}
SIGN = "sign"
DRAWS = (SIGN, MAGNITUDE, *PVALUES, BINDING)  # the kinds of random numbers that a pair has
DRAW_NAMES = {
    SIGN: "signs",
    MAGNITUDE: "|perturbation effect|",
    **{name: FEATURE_BY_NAME[name].long_name for name in (*PVALUES, BINDING)},
}
LOW_BITS = 13  # as the kernels have it; what rounding to float16 sets to 0
COUNTS = ("bound", "active", "holding", "valid", "runs", "positive", "positive_bound", *(f"large_{p}" for p in PVALUES))
_SLAB_PAIRS = 1 << 17
_MANY_VALUES = 1 << 16  # possible binding effects, whose table is to be less sparse
_MOST_UNFAIR = 0.1
_FLOAT32_STEPS = 10.0  # what rounding to float32 may add to a chi-square statistic


@dataclass(frozen=True, eq=False)
class Expectation:
    """What a specification expects of a dataset, which may hold a part of its genes and TFs."""

    spec: SimulationSpec
    n_genes: int
    tfs: tuple[Hashable, ...]
    n_pairs: int
    knows_conditions: bool  # whether all TFs are there that relations name

    @property
    def complete(self) -> bool:
        """Whether all genes are there, so that counts and quantiles over genes are known."""
        return self.n_genes == self.spec.n_genes

    @property
    def subset(self) -> str:
        """Why sums over genes can't be checked where the dataset holds a part of them."""
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
        """How many of the specification's genes each TF binds."""
        fractions = dict(zip(map(to_python, self.spec.tf_labels), self.spec.bound_fractions, strict=True))
        return np.array([round(self.spec.n_genes * fractions[tf]) for tf in self.tfs])

    @cached_property
    def lattices(self) -> tuple[Lattice, ...]:
        """The distributions of binding effects of unbound and of bound pairs."""
        return make_binding_distributions(self.spec)

    @cached_property
    def lattice_scores(self) -> tuple[np.ndarray, ...]:
        """For each possible binding effect the middle of its step in the distribution function, less 1/2: mean 0."""
        chances = [lattice.probabilities for lattice in self.lattices]
        return tuple(np.cumsum(p) - p / 2 - 0.5 for p in chances)

    @cached_property
    def lattice_distances(self) -> tuple[np.ndarray, ...]:
        """For each possible binding effect the mean of |2 u - 1| over its step, less 1/2: mean 0."""
        distances = []
        for lattice in self.lattices:
            edges = np.concatenate([[0.0], np.cumsum(lattice.probabilities)])
            integral = (2 * edges - 1) * np.abs(2 * edges - 1) / 4
            distances.append(np.diff(integral) / lattice.probabilities - 0.5)
        return tuple(distances)

    @cached_property
    def lattice_tables(self) -> tuple[Any, ...]:
        """The possible binding effects, of unbound and then of bound pairs, with their scores and distances.

        A hash table says where they are: for each slot ``2 * bits + label`` and the place of that value, or -1; then
        the shift of hashes, and where the values of each label begin and end.
        """
        from yeastxr.checks import kernels

        values = [lattice.values.astype(np.float32) for lattice in self.lattices]
        keys = np.concatenate([2 * array.view(np.int32).astype(np.int64) + i for i, array in enumerate(values)])
        n_bits = ((16 if keys.size < _MANY_VALUES else 2) * keys.size).bit_length()
        slots, places = np.zeros(1 << n_bits, np.int64), np.full(1 << n_bits, -1, np.int32)
        shift = np.uint64(64 - n_bits)
        kernels.fill_slots(keys, shift, slots, places)
        ends = np.cumsum([0, *(array.size for array in values)]).astype(np.int32)
        scores = (np.concatenate(tables) * math.sqrt(12) for tables in (self.lattice_scores, self.lattice_distances))
        return slots, places, shift, ends, np.concatenate(values), *(table.astype(np.float32) for table in scores)

    @property
    def lattice_centre(self) -> float:
        """The middle of the possible binding effects of bound pairs, from which they are measured."""
        return float(self.lattices[1].values.mean())

    @cached_property
    def scored_draws(self) -> set[str]:
        """The kinds of draws that have scores."""
        magnitudes = self.noisy and self.knows_conditions and not self.shows_float32(self.n_pairs)
        return {SIGN, BINDING, *([MAGNITUDE] if magnitudes else []), *(PVALUES if self.complete else [])}

    @cached_property
    def coin_tolerances(self) -> dict[str, float]:
        """How far from 1/2 the chance may be that two coins agree, for each kind of draws with (nearly) fair coins.

        A coin tells on which side of its median a draw lies, which is not exact where a draw has few values.
        """
        pairs = zip(self.lattices, self.lattice_scores, strict=True)
        deviation = max(abs(float(lattice.probabilities[scores > 0].sum()) - 0.5) for lattice, scores in pairs)
        tolerances = dict.fromkeys(DRAWS, 0.0) | {BINDING: 2 * deviation**2}
        unfair = {BINDING} if deviation > _MOST_UNFAIR else set()
        if self.spec.large_effect_upper_pval == 0:
            unfair |= set(PVALUES)
        return {name: tolerances[name] for name in DRAWS if name in self.scored_draws - unfair}

    def shows_float32(self, n_pairs: int) -> bool:
        """Tell whether the steps of float32 are so wide, beside the noise, that a histogram of the pairs shows them."""
        step = float(np.spacing(np.float32(self.model.largest_abs_mean))) / min(self.model.stds)
        return n_pairs * (step * BINS / 4) ** 2 > _FLOAT32_STEPS


class Block:
    """Some TFs of one plane, with all of the dataset's genes, and what kernels measure of them, slab by slab.

    ``planes`` are ``(genes, TFs)``; ``holds`` tells where the conditions of each TF hold, whether it binds or not, and
    is None where that can't be computed. NaN and infinities are 0, and pairs with such an effect not valid. Scores are
    numbers of mean 0 and variance 1, by kind of draws; coins tell on which side of its median a draw lies.

    It has ``outside`` and ``coarse`` by measure; ``counts`` by TF, see :data:`COUNTS`; ``tf_sums`` (kinds, TFs, sum and
    sum of squares) of scores; ``coins`` (kinds, TFs, words) and ``labels`` (TFs, words), packed; ``lattice_counts`` and
    ``others`` of binding effects; of |effects| how many are ``inexact``, and by status ``histogram``, ``far``,
    ``nearest`` and ``status_sums``; by kind of p-values ``pvalue_histogram``, ``broken`` and ``extremes``;
    ``bound_by_gene`` (even or odd TFs, genes), ``valid_by_gene``, ``gene_sums`` and ``gene_spreads`` (kinds, genes);
    ``products`` and ``weights`` (kinds, along genes or TFs).
    """

    expected: Any  # an Expectation, or None where there is no specification

    def __init__(self, planes: dict[str, np.ndarray], holds: np.ndarray | None, expected: Expectation | None) -> None:
        self.expected, self.has_conditions = expected, holds is not None
        self.n_genes, self.n_tfs = planes[LABEL].shape
        self.n_bound = int(np.count_nonzero(planes[LABEL]))
        self.outside, self.coarse = np.zeros((2, len(MEASURES)), np.int64)
        measured = None if expected is None else self._allocate(expected)
        width = max(1, _SLAB_PAIRS // self.n_genes)
        for first in range(0, self.n_tfs, width):
            tfs = slice(first, min(first + width, self.n_tfs))
            self._measure({name: plane[:, tfs] for name, plane in planes.items()}, holds, tfs, measured)

    @property
    def histogram(self) -> np.ndarray:
        """How many scores of |effects| lie in each bin, by status."""
        return self._histogram[:-1].reshape(len(STATUSES), BINS)

    @property
    def lattice_counts(self) -> np.ndarray:
        """How many pairs have each possible binding effect, of unbound and then of bound pairs."""
        return np.asarray(self._lattice_counts.sum(axis=0))

    def _allocate(self, expected: Expectation) -> tuple[tuple[np.ndarray, ...], ...]:
        """Make room for what is measured, and return it in the groups that the kernel takes."""
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
        """Measure a slab of TFs: only ranges, where there is no specification."""
        from yeastxr.checks import kernels

        shape = planes[LABEL].shape[::-1]
        columns, valid = np.empty((len(MEASURES), *shape), np.float32), np.empty(shape, np.uint8)
        for column, name in zip(columns, MEASURES, strict=True):
            _copy(planes[name], column)
        kernels.clean(columns, _get_limits(), valid, self.outside, self.coarse)
        if measured is None:
            return
        labels, spec, model = np.empty((2, *shape), np.uint8), self.expected.spec, self.expected.model
        _copy(planes[LABEL].view(np.uint8), labels[0])
        if holds is not None:
            _copy(holds[:, tfs].view(np.uint8), labels[1])
        cutoffs = np.zeros((len(PVALUES), shape[0]))
        if self.expected.complete:
            for cutoff, name in zip(cutoffs, PVALUES.values(), strict=True):
                effect = columns[MEASURES.index(name)]
                cutoff[:] = draws.compute_abs_quantiles(effect.T, fraction=spec.large_effect_percentile)[0]
        parts = (self.has_conditions and self.expected.noisy, self.has_conditions and not self.expected.noisy)
        kernels.measure(
            tfs.start,
            (*labels, valid, columns),
            cutoffs,
            self.expected.lattice_tables,
            tuple(map(float, model.numbers)),
            float(spec.large_effect_upper_pval),
            self.expected.lattice_centre,
            (*parts, self.expected.complete),
            *measured,
        )


def _copy(plane: np.ndarray, columns: np.ndarray) -> None:
    """Copy a plane ``(genes, TFs)`` to columns."""
    from yeastxr.checks import kernels

    if plane.flags.f_contiguous:
        columns[...] = plane.T
    else:
        kernels.transpose(plane, columns)


@cache
def _get_limits() -> np.ndarray:
    """Return the least and the most allowed value of each measure."""
    return np.array([(FEATURE_BY_NAME[name].least, FEATURE_BY_NAME[name].most) for name in MEASURES], np.float32)


Total = Annotated[Any, "total"]
Least = Annotated[Any, "least"]
Joined = Annotated[np.ndarray, "joined"]
ByTF = Annotated[np.ndarray, "by TF"]


@dataclass(frozen=True)
class Topic:
    """What is measured of blocks for some checks, how it merges, and the rows of these checks.

    A measurement is small, whatever the size of the block. The types of its fields say how they merge: ``Total`` adds
    up, of ``Least`` the least counts, ``Joined`` is a list, and ``ByTF`` has shape (planes, TFs, ...).
    """

    @classmethod
    def measure(cls, block: Any) -> Self | None:
        """Return what the topic takes from a block, or computes; None where it does not apply to the dataset."""
        raise NotImplementedError

    @classmethod
    def merge(cls, parts: Sequence[Self], *, join: Callable[..., np.ndarray] = np.concatenate) -> Self:
        """Merge the measurements of blocks of TFs, or of planes, in their order; ``join`` joins values by TF."""
        functions: dict[Any, Any] = {Total: np.add.reduce, Least: np.minimum.reduce, Joined: np.concatenate, ByTF: join}
        return cls(*(functions[f.type]([getattr(part, f.name) for part in parts]) for f in fields(cls)))

    def make_rows(self, expected: Any) -> Iterator[Check]:
        """Yield the rows of a measured dataset; of an :class:`Expectation`, or None where there is no specification."""
        raise NotImplementedError

    @classmethod
    def explain_absence(cls, expected: Expectation) -> Iterator[Check]:
        """Yield rows that say why nothing was measured; by default none."""
        yield from ()
