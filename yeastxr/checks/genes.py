"""Topics about genes: differences of genes, ranges of genes or neighbouring genes from all others.

Each type of random number has a score for each pair, with mean 0 and variance 1 (at most 1 for discrete values). Scores
are standard normal for magnitudes; all others are bounded and symmetric, with tails as light as those of a sum of
random signs.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from yeastxr.checks import significance
from yeastxr.checks.significance import combine_pvalues
from yeastxr.checks.table import Check, count_noun, make_sequence_test, make_test
from yeastxr.checks.topic import DRAW_NAMES, DRAWS, SIGN, Block, ByTF, Expectation, Topic, Total
from yeastxr.schema import MAGNITUDE


@dataclass(frozen=True)
class _GeneLabels(Topic):
    """Labels along genes: given the number of bound genes of a TF, all sets of genes are equally likely."""

    counts: Total  # (even or odd TFs, genes)
    draws: Total  # their number of random numbers, for even and odd TFs
    bound: ByTF
    runs: ByTF

    @classmethod
    def measure(cls, block: Block) -> Self:
        bound = block.counts["bound"]
        draws = np.minimum(bound, block.n_genes - bound)
        halves = np.array([draws[::2].sum(), draws[1::2].sum()])
        return cls(block.bound_by_gene, halves, bound, block.counts["runs"])

    def make_rows(self, expected: Expectation) -> Iterator[Check]:
        n = expected.n_genes
        # Sums over genes drawn without replacement have lighter tails than with replacement.
        first, second = self.counts - self.counts.mean(axis=1, keepdims=True)
        shared = significance.test_bounded(first @ second, self.draws[1] * (first @ first) / n, np.abs(first).max())
        waves = significance.make_waves(n)
        drift = significance.test_bounded(waves @ (first + second), self.draws.sum() / n, np.abs(waves).max(initial=0))
        # Numbers of runs of bound genes are hypergeometric, so they are sums of independent events.
        varied = (self.bound > 0) & (self.bound < n)
        bound, runs = self.bound[varied], self.runs[varied]
        mean = bound * (n - bound + 1) / n
        variance = mean * (bound - 1) / n * (n - bound) / max(n - 1, 1)
        by_tf = significance.test_overlaps(runs, n, bound, n - bound + 1)
        pooled = significance.test_bounded((runs - mean).sum(), variance.sum(), 1.0)
        pvalue = combine_pvalues([shared, combine_pvalues(drift), by_tf * max(1, bound.size), pooled])
        yield make_test("labels along genes", "independent", count_noun(n, "gene"), math.nan, pvalue)


@dataclass(frozen=True)
class _GeneScores(Topic):
    """Scores by gene, and products of neighbouring scores, for each type of random number."""

    n: Total  # (genes,)
    sums: Total  # (kinds, genes)
    spreads: Total  # (kinds, genes): squares of magnitudes, distances from the median of others
    n_products: Total  # (along genes or TFs,)
    products: Total  # (kinds, along genes or TFs), of two neighbours
    weights: Total  # the squares of the first of them

    @classmethod
    def measure(cls, block: Block) -> Self:
        n_products = np.array([block.n_tfs * (block.n_genes - 1), (block.n_tfs - 1) * block.n_genes])
        sums = (block.gene_sums, block.gene_spreads, n_products, block.products, block.weights)
        return cls(block.valid_by_gene, *sums)

    def make_rows(self, expected: Expectation) -> Iterator[Check]:
        kinds = [kind for kind, name in enumerate(DRAWS) if name in expected.scored_draws]
        for kind in kinds:
            normal = DRAWS[kind] == MAGNITUDE
            name, n = (
                f"{DRAW_NAMES[DRAWS[kind]]} of each gene",
                self.n if normal else expected.n_pairs / expected.n_genes,
            )
            with np.errstate(invalid="ignore"):
                yield make_sequence_test(f"{name}: mean", self.sums[kind] / np.sqrt(n), "gene", normal=normal)
            if DRAWS[kind] != SIGN:
                spreads = self.spreads[kind]
                z = significance.make_normal(spreads, n) if normal else spreads / np.sqrt(n)
                yield make_sequence_test(f"{name}: s.d.", z, "gene", normal=normal)
        pvalues = significance.test_products(self.products, self.weights, self.n_products)
        for axis, noun in enumerate(("genes", "TFs")):
            if self.n_products[axis]:
                pvalue, observed = combine_pvalues(pvalues[kinds, axis]), count_noun(len(kinds), "kind")
                name = f"draws of neighbouring {noun}: independent"
                yield make_test(name, "uncorrelated", observed, math.nan, pvalue)


TOPICS: tuple[type[Topic], ...] = (_GeneLabels, _GeneScores)
