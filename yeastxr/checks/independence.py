"""Topics about independence: labels of TFs, random numbers of TFs and pairs, repeated stretches, and rounding."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Self

import numpy as np

from yeastxr._utils import count_threads, run_in_threads
from yeastxr.checks import significance
from yeastxr.checks.significance import combine_pvalues
from yeastxr.checks.table import Check, count_noun, make_test
from yeastxr.checks.topic import DRAWS, LOW_BITS, PVALUES, Block, Expectation, Joined, Least, Topic, Total
from yeastxr.schema import MEASURES, PERTURBATION

_MOST_APART = 32  # genes, for coins that are compared
_LEAST_SYMMETRIC, _MOST_SYMMETRIC = 24, 1000  # bits of a word; words that are looked at, as chance makes few
_LEAST_PATTERN, _ALL_WORDS = 6, 1 << 22  # bits before a word; pairs up to which these are enough


@dataclass(frozen=True)
class _LabelOverlaps(Topic):
    """The number of genes that two TFs share, for pairs of TFs in a block."""

    both: Joined  # of the pairs with the largest deviations in s.d.
    first: Joined
    second: Joined
    pairs: Total

    @classmethod
    def measure(cls, block: Block) -> Self:
        from yeastxr.checks import kernels

        bound, (first, second) = block.counts["bound"], np.triu_indices(block.n_tfs, 1)
        both = np.empty(first.size)
        kernels.count_both(block.labels, both)
        most, pairs = significance.find_most_unlikely(both, block.n_genes, bound[first], bound[second])
        return cls(both[most], bound[first[most]], bound[second[most]], pairs)

    def make_rows(self, expected: Expectation) -> Iterator[Check]:
        if self.pairs:
            least = significance.test_overlaps(self.both, expected.n_genes, self.first, self.second)
            pvalue, pairs = min(1.0, least * int(self.pairs)), count_noun(int(self.pairs), "pair")
            yield make_test("labels of TFs: independent", "random overlaps", pairs, math.nan, pvalue)


@dataclass(frozen=True)
class _TFDraws(Topic):
    """How often the coin flips of two TFs agree, for pairs of TFs in a block."""

    ends: Least  # (kinds, 2): in how many genes the two differ that differ, or agree, in the fewest
    pairs: Total

    @classmethod
    def measure(cls, block: Block) -> Self:
        from yeastxr.checks import kernels

        kinds = [DRAWS.index(name) for name in block.expected.coin_tolerances]
        ends = np.array([kernels.find_differences(block.coins[kind]) for kind in kinds]).reshape(-1, 2)
        ends[:, 1] = block.n_genes - ends[:, 1]
        return cls(ends, len(kinds) * (block.n_tfs * (block.n_tfs - 1) // 2))

    def make_rows(self, expected: Expectation) -> Iterator[Check]:
        if self.pairs:
            tolerances = np.array([*expected.coin_tolerances.values()])[:, None]
            pvalues = significance.test_binomial(self.ends, expected.n_genes, 0.5, tolerances)
            pvalue, pairs = min(1.0, float(pvalues.min() * self.pairs)), count_noun(int(self.pairs), "pair")
            yield make_test("draws of different TFs: independent", "random agreement", pairs, math.nan, pvalue)


@dataclass(frozen=True)
class _PairDraws(Topic):
    """How often two types of coin flips of a pair agree."""

    agree: Total  # by pair of kinds; one of two is fair

    @classmethod
    def measure(cls, block: Block) -> Self:
        from yeastxr.checks import kernels

        words = [block.coins[DRAWS.index(name)] for name in block.expected.coin_tolerances]
        n = block.n_tfs * block.n_genes
        return cls(np.array([n - kernels.count_differences(a, b) for a, b in combinations(words, 2)], int))

    def make_rows(self, expected: Expectation) -> Iterator[Check]:
        if self.agree.size:
            pvalue = combine_pvalues(significance.test_binomial(self.agree, expected.n_pairs, 0.5))
            observed = f"{self.agree.size} pairs of kinds"
            yield make_test("draws of one pair: independent", "random agreement", observed, math.nan, pvalue)


@dataclass(frozen=True)
class _DistantDraws(Topic):
    """How often the coin flips of two genes of a TF agree, by distance of the genes.

    The agreement of fair coin flips at a given distance is again an independent fair coin flip.
    """

    differ: Total  # (kinds, genes apart)

    @classmethod
    def measure(cls, block: Block) -> Self:
        from yeastxr.checks import kernels

        kinds = _list_fair_kinds(block.expected)
        differ = np.zeros((len(kinds), _MOST_APART + 1), np.int64)
        for kind, counts in zip(kinds, differ, strict=True):
            kernels.count_lagged(block.coins[kind], block.n_genes, counts)
        return cls(differ)

    def make_rows(self, expected: Expectation) -> Iterator[Check]:
        apart = np.arange(2, min(_MOST_APART, expected.n_genes - 1) + 1)
        if apart.size and len(self.differ):
            n_pairs = expected.n_pairs // expected.n_genes * (expected.n_genes - apart)
            pvalue = combine_pvalues(significance.test_binomial(self.differ[:, apart], n_pairs, 0.5).ravel())
            observed = count_noun(len(self.differ), "kind")
            name = f"draws of genes 2 to {_MOST_APART} apart: independent"
            yield make_test(name, "random agreement", observed, math.nan, pvalue)


def _list_fair_kinds(expected: Expectation) -> list[int]:
    """Return the positions of the types of random numbers with fair coin flips."""
    return [DRAWS.index(name) for name, tolerance in expected.coin_tolerances.items() if tolerance == 0]


@dataclass(frozen=True)
class _Repeats(Topic):
    """Words of 64 coin flips along genes and TFs, of all types, which do not repeat by chance.

    Words begin after each occurrence of a pattern, and are read in both directions, so that moved, inverted and
    reversed stretches are found, too. Large datasets use a longer pattern to limit the number of words.
    """

    along_genes: Joined
    along_tfs: Joined

    @classmethod
    def measure(cls, block: Block) -> Self:
        from yeastxr.checks import kernels

        excess = max(0.0, math.log2(block.expected.n_pairs / _ALL_WORDS))
        pattern = _LEAST_PATTERN + math.ceil(excess / 1.5)
        along_genes: list[np.ndarray] = []
        along_tfs: list[np.ndarray] = []
        by_gene = np.zeros((block.n_genes, -(-block.n_tfs // 64)), np.uint64)
        for name in block.expected.coin_tolerances:
            coins = block.coins[DRAWS.index(name)]
            along_genes.extend(_cut_words(coins, block.n_genes, pattern))
            if block.n_tfs > 64:
                kernels.transpose_bits(coins, by_gene)
                along_tfs.extend(_cut_words(by_gene, block.n_tfs, pattern))
        return cls(*(np.concatenate([np.zeros(0, np.uint64), *parts]) for parts in (along_genes, along_tfs)))

    def make_rows(self, expected: Expectation) -> Iterator[Check]:
        if self.along_genes.size + self.along_tfs.size:
            arrays = [self.along_genes.copy(), self.along_tfs.copy()]
            run_in_threads(np.ndarray.sort, arrays, count_threads())
            repeated = np.concatenate([ordered[1:][ordered[1:] == ordered[:-1]] for ordered in arrays])
            again = repeated.size - int(np.count_nonzero(find_symmetric(repeated[:_MOST_SYMMETRIC])))
            observed = f"{count_noun(again, 'stretch', 'es')} of 64" if again else "none"
            yield Check("draws that are repeated", "none", observed, again == 0)


@dataclass(frozen=True)
class _Rounding(Topic):
    """Values whose last binary digits are 0, like those of float16."""

    coarse: Total  # by measure

    @classmethod
    def measure(cls, block: Block) -> Self:
        return cls(block.coarse)

    def make_rows(self, expected: Expectation) -> Iterator[Check]:
        drawn = expected.spec.large_effect_upper_pval > 0 and not expected.spec.tests_effects
        random = dict.fromkeys(PVALUES, drawn)
        random[PERTURBATION] = expected.noisy and not expected.shows_float32(1 << 30)
        counts = self.coarse[[random.get(name, False) for name in MEASURES]]
        if counts.size:
            chance, n = 2.0**-LOW_BITS, expected.n_pairs
            pvalue = combine_pvalues([significance.test_binomial_above(count, n, chance) for count in counts])
            observed = f"{counts.max() / n:.2g}"
            yield make_test("rounding to float16", f"{chance:.2g} end in zeros", observed, math.nan, pvalue)


def find_symmetric(words: np.ndarray) -> np.ndarray:
    """Return which words begin or end with at least 24 bits that are equal or inverted when read backward.

    Such stretches equal their reverse by chance, with as few as 32 bits.
    """
    bits = np.unpackbits(words.view(np.uint8), bitorder="little").reshape(-1, 64)
    symmetric = np.zeros(len(bits), bool)
    for row in (bits, bits[:, ::-1]):
        for n in range(_LEAST_SYMMETRIC, 65):
            differ = np.count_nonzero(row[:, : n // 2] ^ row[:, n - 1 : n - 1 - n // 2 : -1], axis=1)
            symmetric |= (differ == 0) | (differ == n // 2)
    return symmetric


def _cut_words(rows: np.ndarray, n_bits: int, pattern: int) -> Iterator[np.ndarray]:
    """Yield the 64 bits after each occurrence of a pattern in rows of packed bits, read in both directions."""
    from yeastxr.checks import kernels

    backward = np.empty_like(rows)
    kernels.reverse_bits(rows, n_bits, backward)
    for direction in (rows, backward):
        words = np.empty(round(len(rows) * n_bits / 2**pattern * 1.1) + 64, np.uint64)
        while (n := kernels.cut_words(direction, n_bits, pattern, words)) > words.size:
            words = np.empty(n, np.uint64)
        yield words[:n]


TOPICS: tuple[type[Topic], ...] = (_LabelOverlaps, _TFDraws, _PairDraws, _DistantDraws, _Repeats, _Rounding)
