"""Topics about independence: labels of TFs, draws of TFs and of one pair, repeated stretches, and rounding."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar, Self

import numpy as np

from yeastxr.checks import significance
from yeastxr.checks.significance import combine_pvalues
from yeastxr.checks.table import Check, count_noun, make_test
from yeastxr.checks.topic import LOW_BITS, PVALUES, Block, Expectation, Joined, Least, Slab, Topic, Total, pack_bits
from yeastxr.schema import PERTURBATION

_CANDIDATES = 32  # pairs of TFs whose exact p-value is computed
_PATTERN = 6  # bits, so that words begin at one of 64 coins
_KEPT_WORDS = 1 << 19  # at most about this number of each kind and direction, 4 MB
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
        n, pvalues, pairs = block.n_genes, [1.0], 0
        for name, tolerance in _get_tolerances(block).items():
            agree = n - _count_in_pairs(block.packed_coins[name], np.bitwise_xor)
            if agree.size:
                ends = np.array([agree.min(), agree.max()])
                pvalues.append(significance.test_binomial(ends, n, 0.5, tolerance).min())
            pairs += agree.size
        return cls(min(pvalues), pairs)

    def make_rows(self, expected: Expectation) -> Iterator[Check]:
        if self.pairs:
            pvalue, pairs = min(1.0, float(self.pvalue * self.pairs)), count_noun(int(self.pairs), "pair")
            yield make_test("draws of different TFs: independent", "agree by chance", pairs, math.nan, pvalue)


@dataclass(frozen=True)
class _PairDraws(Topic):
    """How often two kinds of coins of one pair agree."""

    agree: Total  # by pair of kinds; one of two is fair
    of_block: ClassVar[bool] = True

    @classmethod
    def measure(cls, block: Block) -> Self:
        words = [block.packed_coins[name] for name in _get_tolerances(block)]
        n = block.n_tfs * block.n_genes
        return cls(np.array([n - np.bitwise_count(a ^ b).sum(dtype=np.int64) for a, b in combinations(words, 2)], int))

    def make_rows(self, expected: Expectation) -> Iterator[Check]:
        if self.agree.size:
            pvalue = combine_pvalues(significance.test_binomial(self.agree, expected.n_pairs, 0.5))
            observed = f"{self.agree.size} pairs of kinds"
            yield make_test("draws of one pair: independent", "agree by chance", observed, math.nan, pvalue)


@dataclass(frozen=True)
class _Repeats(Topic):
    """Words of 64 coins along genes and along TFs, of all kinds together, which never repeat by chance.

    Words begin behind a pattern in the coins, wherever that is, so stretches that are moved or inverted are found, too.
    Of many words, those with a rare hash are kept.
    """

    along_genes: Joined
    along_tfs: Joined
    of_block: ClassVar[bool] = True

    @classmethod
    def measure(cls, block: Block) -> Self:
        assert block.expected is not None
        zeros = max(0, math.ceil(math.log2(block.expected.n_pairs / 64 / _KEPT_WORDS)))
        words = [[np.zeros(0, np.uint64)], [np.zeros(0, np.uint64)]]
        for name in _get_tolerances(block):
            words[0].append(_cut_words(block.packed_coins[name], block.n_genes))
            if block.n_tfs > 64:
                words[1].append(_cut_words(pack_bits(block.coins[name], axis=0), block.n_tfs))
        joined = [np.concatenate(parts) for parts in words]
        return cls(*(part[part * _HASH >> np.uint64(64 - zeros) == 0] if zeros else part for part in joined))

    def make_rows(self, expected: Expectation) -> Iterator[Check]:
        if self.along_genes.size + self.along_tfs.size:
            words = map(np.sort, (self.along_genes, self.along_tfs))
            again = int(sum(np.count_nonzero(ordered[1:] == ordered[:-1]) for ordered in words))
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


def _get_tolerances(block: Block) -> dict[str, float]:
    assert block.expected is not None
    return block.expected.coin_tolerances


def _cut_words(packed: np.ndarray, n_bits: int) -> np.ndarray:
    """Return the 64 bits behind each pattern in rows of packed bits, such that the first of them is 0.

    The pattern is a bit that differs from the next, which is followed by five equal ones, so inverted bits match, too.
    """
    changes = packed ^ _shift(packed, 1)
    starts = changes & ~np.bitwise_or.reduce([_shift(changes, bits) for bits in range(1, _PATTERN)])
    bits = np.flatnonzero(np.unpackbits(starts.view(np.uint8), bitorder="little").view(bool))
    rows, start = np.divmod(bits, 64 * packed.shape[1])
    inside = start + _PATTERN + 64 <= n_bits
    word, bit = np.divmod(start[inside] + _PATTERN, 64)
    position, bit = rows[inside] * packed.shape[1] + word, bit.astype(np.uint64)
    flat = np.append(packed.ravel(), np.uint64(0))
    words = flat[position] >> bit | flat[position + 1] << np.uint64(1) << (np.uint64(63) - bit)
    return np.where(words & np.uint64(1), ~words, words)


def _shift(packed: np.ndarray, bits: int) -> np.ndarray:
    """Return rows of packed bits without their first bits."""
    following = np.zeros_like(packed)
    following[:, :-1] = packed[:, 1:]
    return packed >> np.uint64(bits) | following << np.uint64(64 - bits)


def _count_in_pairs(words: np.ndarray, operation: np.ufunc) -> np.ndarray:
    """Return how many bits of an operation on two rows are set, for each pair of rows, in order."""
    rows = [
        np.bitwise_count(operation(row, words[i + 1 :])).sum(axis=1, dtype=np.int64) for i, row in enumerate(words[:-1])
    ]
    return np.concatenate(rows) if rows else np.zeros(0, np.int64)


TOPICS: tuple[type[Topic], ...] = (_LabelOverlaps, _TFDraws, _PairDraws, _Repeats, _Rounding)
