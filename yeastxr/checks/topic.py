"""What all topics of checks share: expectations, blocks of a dataset, and measurements that merge.

Every number that a topic measures has a known distribution under the specification: values are put through the
distribution function that they should have, which makes them uniform or standard normal.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Annotated, Any, ClassVar, Self

import numpy as np

from yeastxr._validate import to_python
from yeastxr.checks.table import Check
from yeastxr.schema import BINDING, FEATURE_BY_NAME, LABEL, MAGNITUDE, MEASURES
from yeastxr.simulation import draws
from yeastxr.simulation.adjustment import MeanModel
from yeastxr.simulation.simulate import SimulationSpec
from yeastxr.theory.distributions import Lattice
from yeastxr.theory.pairs import make_binding_distributions

BINS = 100
PVALUES = {name: name.removesuffix("pvalue") + "effect" for name in MEASURES if name.endswith("pvalue")}
SIGN = "sign"
DRAWS = (SIGN, MAGNITUDE, *PVALUES, BINDING)  # the kinds of random numbers that a pair has
DRAW_NAMES = {
    SIGN: "signs",
    MAGNITUDE: "|perturbation effect|",
    **{name: FEATURE_BY_NAME[name].long_name for name in (*PVALUES, BINDING)},
}
LOW_BITS = 13  # what rounding to float16 sets to 0
_SLAB_PAIRS = 1 << 17
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


@dataclass(frozen=True)
class Slab:
    """Some TFs of a block, arrays ``(TFs, genes)``; NaN and infinities are 0, and not ``valid``.

    ``holds`` tells where the conditions of each TF hold, whether it binds or not; None where that can't be computed.
    ``cutoffs`` are the quantiles of the rule for p-values; none where genes are missing. Topics fill in ``coins``,
    ``scores``, numbers of mean 0 and variance 1 by kind of draws, and ``distances``, scores of the distance from the
    median.
    """

    expected: Expectation
    label: np.ndarray
    holds: np.ndarray | None
    valid: np.ndarray
    features: Mapping[str, np.ndarray]
    cutoffs: Mapping[str, np.ndarray]
    coins: Mapping[str, np.ndarray]
    scores: dict[str, np.ndarray] = field(default_factory=dict)
    distances: dict[str, np.ndarray] = field(default_factory=dict)


class Block:
    """Some TFs of one plane, with all of the dataset's genes; ``planes`` are ``(genes, TFs)``, as they are stored."""

    def __init__(self, planes: dict[str, np.ndarray], holds: np.ndarray | None, expected: Expectation | None) -> None:
        self.planes, self.holds, self.expected = planes, holds, expected
        self.n_genes, self.n_tfs = planes[LABEL].shape

    @cached_property
    def label(self) -> np.ndarray:
        """Which pairs are bound, ``(TFs, genes)``."""
        return np.ascontiguousarray(self.planes[LABEL].T)

    @cached_property
    def coins(self) -> dict[str, np.ndarray]:
        """On which side of its median each draw lies, by kind, ``(TFs, genes)``; slabs fill it in."""
        return {name: np.zeros((self.n_tfs, self.n_genes), bool) for name in DRAWS}

    @cached_property
    def packed_label(self) -> np.ndarray:
        """Labels in words of 64 genes."""
        return pack_bits(self.label)

    @cached_property
    def packed_coins(self) -> dict[str, np.ndarray]:
        """Coins in words of 64 genes."""
        return {name: pack_bits(coins) for name, coins in self.coins.items()}

    def cut(self) -> Iterator[Slab]:
        """Yield slabs that fit into a cache."""
        assert self.expected is not None
        columns = {name: np.ascontiguousarray(self.planes[name].T) for name in MEASURES}
        valid = np.logical_and.reduce([np.isfinite(columns[effect]) for effect in PVALUES.values()])
        columns = {name: np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0) for name, values in columns.items()}
        holds = None if self.holds is None else np.ascontiguousarray(self.holds.T)
        cutoffs = {}
        if self.expected.complete:
            percentile = self.expected.spec.large_effect_percentile
            cutoffs = {
                name: draws.compute_abs_quantiles(columns[effect].T, fraction=percentile)[0]
                for name, effect in PVALUES.items()
            }
        width = max(1, _SLAB_PAIRS // self.n_genes)
        for first in range(0, self.n_tfs, width):
            tfs = slice(first, min(first + width, self.n_tfs))
            yield Slab(
                self.expected,
                self.label[tfs],
                None if holds is None else holds[tfs],
                valid[tfs],
                *({name: values[tfs] for name, values in group.items()} for group in (columns, cutoffs, self.coins)),
            )


def pack_bits(bits: np.ndarray, axis: int = 1) -> np.ndarray:
    """Pack booleans along an axis to rows of words of 64, the first in the lowest bit, filled up with 0."""
    packed = np.packbits(bits, axis=axis, bitorder="little")
    packed = packed if axis == 1 else packed.T
    padded = np.zeros((len(packed), -(-packed.shape[1] // 8) * 8), np.uint8)
    padded[:, : packed.shape[1]] = packed
    return padded.view(np.uint64)


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

    of_block: ClassVar[bool] = False  # whether it measures a complete block, after its slabs

    @classmethod
    def measure(cls, block: Any) -> Self | None:
        """Measure a :class:`Slab`, or a :class:`Block`; None where the topic does not apply to the dataset."""
        raise NotImplementedError

    @classmethod
    def merge(cls, parts: Sequence[Self], *, planes: bool = False) -> Self:
        """Merge the measurements of blocks of TFs, or of planes, in their order."""
        functions: dict[Any, Any] = {Total: np.add.reduce, Least: np.minimum.reduce, Joined: np.concatenate}
        functions[ByTF] = np.stack if planes else np.concatenate
        return cls(*(functions[f.type]([getattr(part, f.name) for part in parts]) for f in fields(cls)))

    def make_rows(self, expected: Any) -> Iterator[Check]:
        """Yield the rows of a measured dataset; of an :class:`Expectation`, or None where there is no specification."""
        raise NotImplementedError

    @classmethod
    def explain_absence(cls, expected: Expectation) -> Iterator[Check]:
        """Yield rows that say why nothing was measured; by default none."""
        yield from ()
