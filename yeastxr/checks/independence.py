"""Topics about independence: labels of TFs, draws of TFs and of one pair, repeated stretches, and rounding."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar, Self

import numpy as np

from yeastxr.checks import significance
from yeastxr.checks.significance import combine_pvalues
from yeastxr.checks.table import Check, count_noun, make_test
from yeastxr.checks.topic import DRAWS, LOW_BITS, PAIRED, PVALUES, Block, Expectation, Least, Slab, Topic, Total
from yeastxr.schema import PERTURBATION

_CANDIDATES = 32  # pairs of TFs whose exact p-value is computed
_HASH = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class _LabelOverlaps(Topic):
    """How many genes two TFs share; pairs of TFs are those of a block."""

    pvalue: Least
    pairs: Total
    of_block: ClassVar[bool] = True

    @classmethod
    def measure(cls, block: Block) -> Self:
        n_genes = block.n_genes
        first, second = np.triu_indices(block.n_tfs, 1)
        counts = np.bitwise_count(block.packed_label).sum(axis=1, dtype=np.int64).astype(np.float64)
        both = _count_in_pairs(block.packed_label, np.bitwise_and).astype(np.float64)
        a, b = counts[first], counts[second]
        std = np.sqrt(a * (n_genes - a) * b * (n_genes - b) / max(n_genes - 1, 1)) / n_genes
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(std > 0, np.abs(both - a * b / n_genes) / std, -1)
        extreme = np.argsort(-z)[:_CANDIDATES]
        extreme = extreme[z[extreme] >= 0]
        pvalues = significance.test_overlap(both[extreme], n_genes, a[extreme], b[extreme])
        return cls(np.min(pvalues, initial=1.0), np.count_nonzero(z >= 0))

    def make_rows(self, expected: Expectation) -> Iterator[Check]:
        if self.pairs:
            pvalue, pairs = min(1.0, float(self.pvalue * self.pairs)), count_noun(int(self.pairs), "pair")
            yield make_test("labels of TFs: independent", "overlaps by chance", pairs, math.nan, pvalue)


@dataclass(frozen=True)
class _TFDraws(Topic):
    """How often the coins of two TFs agree; pairs of TFs are those of a block."""

    pvalue: Least
    pairs: Total
    of_block: ClassVar[bool] = True

    @classmethod
    def measure(cls, block: Block) -> Self:
        n = block.n_genes
        differ = [_count_in_pairs(block.packed_coins[name], np.bitwise_xor) for name in _select_draws(block, PAIRED)]
        extreme = max((int(np.abs(2 * pairs - n).max(initial=0)) for pairs in differ), default=0)
        pvalue = significance.test_binomial((n + extreme) / 2, n, 0.5)
        return cls(np.float64(pvalue), sum(pairs.size for pairs in differ))

    def make_rows(self, expected: Expectation) -> Iterator[Check]:
        if self.pairs:
            pvalue, pairs = min(1.0, float(self.pvalue * self.pairs)), count_noun(int(self.pairs), "pair")
            yield make_test("draws of different TFs: independent", "agree by chance", pairs, math.nan, pvalue)


@dataclass(frozen=True)
class _PairDraws(Topic):
    """How often two kinds of coins of one pair agree."""

    agree: Total  # by pair of kinds
    of_block: ClassVar[bool] = True

    @classmethod
    def measure(cls, block: Block) -> Self:
        words = [block.packed_coins[name] for name in _select_draws(block, PAIRED)]
        n = block.n_tfs * block.n_genes
        return cls(np.array([n - np.bitwise_count(a ^ b).sum(dtype=np.int64) for a, b in combinations(words, 2)], int))

    def make_rows(self, expected: Expectation) -> Iterator[Check]:
        if self.agree.size:
            pvalue = combine_pvalues(significance.test_binomial(self.agree, expected.n_pairs, 0.5))
            observed = f"{self.agree.size} kinds"
            yield make_test("draws of one pair: independent", "agree by chance", observed, math.nan, pvalue)


@dataclass(frozen=True)
class _Repeats(Topic):
    """Words of the coins of 64 neighbouring genes, which never repeat by chance; of many, those with a rare hash."""

    words: tuple[np.ndarray, ...]
    of_block: ClassVar[bool] = True

    @classmethod
    def measure(cls, block: Block) -> Self:
        assert block.expected is not None
        zeros, kept = block.expected.hash_zeros, []
        for name in _select_draws(block, DRAWS):
            words = block.packed_coins[name][:, : block.n_genes // 64].ravel()
            kept.append(words[words * _HASH >> np.uint64(64 - zeros) == 0] if zeros else words)
        return cls(tuple(kept))

    @classmethod
    def merge(cls, parts: Sequence[Self], *, planes: bool = False) -> Self:
        return cls(tuple(map(np.concatenate, zip(*(part.words for part in parts), strict=True))))

    def make_rows(self, expected: Expectation) -> Iterator[Check]:
        if any(words.size for words in self.words):
            again = sum(words.size - np.unique(words).size for words in self.words)
            observed = f"{count_noun(again, 'stretch', 'es')} of 64" if again else "none"
            yield Check("draws that are repeated", "none", observed, again == 0)


@dataclass(frozen=True)
class _Rounding(Topic):
    """Values whose last binary digits are 0, as those of float16 are."""

    coarse: Total  # by measure
    measures: ClassVar[tuple[str, ...]] = (*PVALUES, PERTURBATION)

    @classmethod
    def measure(cls, slab: Slab) -> Self:
        zeros = (slab.features[name].view(np.uint32) & ((1 << LOW_BITS) - 1) == 0 for name in cls.measures)
        return cls(np.array([np.count_nonzero(mask) for mask in zeros]))

    def make_rows(self, expected: Expectation) -> Iterator[Check]:
        random = dict.fromkeys(PVALUES, expected.spec.large_effect_upper_pval > 0)
        random[PERTURBATION] = expected.noisy and not expected.shows_float32(1 << 30)
        counts = self.coarse[[random[name] for name in self.measures]]
        if counts.size:
            chance, n = 2.0**-LOW_BITS, expected.n_pairs
            pvalue = combine_pvalues([significance.test_binomial_above(count, n, chance) for count in counts])
            observed = f"{counts.max() / n:.2g}"
            yield make_test("rounding to float16", f"{chance:.2g} end in zeros", observed, math.nan, pvalue)


def _select_draws(block: Block, names: tuple[str, ...]) -> list[str]:
    """Return the kinds of draws that can be compared."""
    assert block.expected is not None
    return [name for name in names if block.expected.known_draws[name]]


def _count_in_pairs(words: np.ndarray, operation: np.ufunc) -> np.ndarray:
    """Return how many bits of an operation on two rows are set, for each pair of rows, in order."""
    rows = [
        np.bitwise_count(operation(row, words[i + 1 :])).sum(axis=1, dtype=np.int64) for i, row in enumerate(words[:-1])
    ]
    return np.concatenate(rows) if rows else np.zeros(0, np.int64)


TOPICS: tuple[type[Topic], ...] = (_LabelOverlaps, _TFDraws, _PairDraws, _Repeats, _Rounding)
