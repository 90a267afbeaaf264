"""Topics about the extensions of the tutorial: responses, hops, p-values of tests, and missing values.

Some tests compare counts of a block with binomial distributions. A block stores the smallest p-value and the number of
tests, because gene levels differ between planes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np

from yeastxr.checks import significance
from yeastxr.checks.significance import combine_pvalues
from yeastxr.checks.table import Check, count_noun, make_count, make_fit, make_sequence_test, make_test
from yeastxr.checks.topic import ADJUSTED, RESPONSIVE, Block, ByTF, Expectation, Least, Topic, Total
from yeastxr.schema import BINDING, LABEL, PERTURBATION
from yeastxr.simulation import extended
from yeastxr.simulation.parameters import BindingParameters
from yeastxr.theory.pairs import tabulate_hops

EXPERIMENT, BACKGROUND = "experiment_hops", "background_hops"
_RARE = 1e-9  # a negligible probability


def _test_all(counts: Any, n: Any, chances: Any) -> tuple[float, int]:
    """Return the smallest p-value of binomial counts, and their number."""
    counts, n, chances = np.broadcast_arrays(counts, n, chances)
    if not counts.size:
        return 1.0, 0
    return float(significance.test_binomial(counts, n, chances).min()), counts.size


def _bound(least: float, tests: int) -> float:
    return min(1.0, float(least) * max(int(tests), 1))


@dataclass(frozen=True)
class _Missing(Topic):
    """Missing perturbation effects: of genes, and of pairs of the other genes."""

    genes: Total  # genes without any effect in a block, and all genes
    pairs: Total  # missing pairs, and all pairs
    least_genes: Least
    least_tfs: Least
    least_others: Least
    tests: Total  # of each kind

    @classmethod
    def measure(cls, block: Block) -> Self | None:
        spec = block.expected.spec
        if not spec.has_missing:
            return None
        of_gene, of_pair = spec.missing_gene_fraction, spec.missing_pair_fraction
        width, by_gene = block.n_tfs, block.missing_by_gene
        empty = by_gene == width
        n_empty, all_of_pairs = int(empty.sum()), of_pair**width
        genes = _test_all(n_empty, block.n_genes, of_gene + (1 - of_gene) * all_of_pairs)
        tfs = _test_all(block.missing, block.n_genes, of_gene + (1 - of_gene) * of_pair)
        others = (1.0, 0)
        if all_of_pairs < _RARE:  # enough TFs, so that genes without effects are missing genes
            rest = by_gene[~empty]
            pooled, by_rest = _test_all(rest.sum(), rest.size * width, of_pair), _test_all(rest, width, of_pair)
            others = min(2 * pooled[0], 2 * by_rest[0] * max(1, by_rest[1])), 1
        return cls(
            np.array([n_empty, block.n_genes]),
            np.array([block.missing.sum(), block.n_genes * width]),
            genes[0],
            tfs[0],
            others[0],
            np.array([genes[1], tfs[1], others[1]]),
        )

    def make_rows(self, expected: Expectation) -> Iterator[Check]:
        spec = expected.spec
        of_gene, of_pair = spec.missing_gene_fraction, spec.missing_pair_fraction
        share = self.genes[0] / self.genes[1]
        pvalue = _bound(self.least_genes, self.tests[0])
        yield make_test("missing genes", f"{of_gene:.4g}", f"{share:.4g}", share - of_gene, pvalue)
        mean, share = of_gene + (1 - of_gene) * of_pair, self.pairs[0] / self.pairs[1]
        pvalue = _bound(self.least_tfs, self.tests[1])
        yield make_test("missing pairs of each TF", f"{mean:.4g}", f"{share:.4g}", share - mean, pvalue)
        pvalue = _bound(self.least_others, self.tests[2])
        observed = "as in theory" if self.tests[2] else "not tested: too few TFs"
        name = "missing pairs of other genes"
        if self.tests[2]:
            yield make_test(name, f"{of_pair:.4g}", observed, np.nan, pvalue)
        else:
            yield Check(name, f"{of_pair:.4g}", observed, None)


@dataclass(frozen=True)
class _Responses(Topic):
    """Responses by label and level of the gene, by TF, by gene, and of neighbouring TFs."""

    responsive: Total  # (labels, levels)
    pairs: Total
    least_tfs: Least  # of labels
    least_genes: Least
    tests: Total  # (TFs or genes, labels)
    product: Total  # over neighbouring TFs
    variance: Total

    @classmethod
    def measure(cls, block: Block) -> Self | None:
        expected = block.expected
        if not expected.spec.has_responses or RESPONSIVE not in block.values:
            return None
        label, responsive = block.values[LABEL], block.values[RESPONSIVE]
        chances, levels = expected.response_chances, block.response_levels
        n_levels = chances.shape[1]
        groups = (~label, label)
        counts = [group & responsive for group in groups]
        by_gene = [(k.sum(axis=1), n.sum(axis=1)) for k, n in zip(counts, groups, strict=True)]
        by_tf = [(k.sum(axis=0), n.sum(axis=0)) for k, n in zip(counts, groups, strict=True)]
        tfs = [_test_all(k, n, p.mean()) for (k, n), p in zip(by_tf, chances, strict=True)]
        genes = [_test_all(k, n, p[levels]) for (k, n), p in zip(by_gene, chances, strict=True)]
        product, variance = 0.0, 0.0
        for t in range(1, block.n_tfs):
            one, other = (np.where(label[:, i], chances[1][levels], chances[0][levels]) for i in (t - 1, t))
            product += float((responsive[:, t - 1] - one) @ (responsive[:, t] - other))
            variance += float((one * (1 - one)) @ (other * (1 - other)))
        by_level = np.array([[np.bincount(levels, part[i], n_levels) for part in by_gene] for i in (0, 1)])
        return cls(
            by_level[0],
            by_level[1],
            np.array([least for least, _ in tfs]),
            np.array([least for least, _ in genes]),
            np.array([[n for _, n in tfs], [n for _, n in genes]]),
            product,
            variance,
        )

    def make_rows(self, expected: Expectation) -> Iterator[Check]:
        for label, name in enumerate(("unbound", "bound")):
            k, n, p = self.responsive[label], self.pairs[label], expected.response_chances[label]
            if not n.sum():
                continue
            share, mean = k.sum() / n.sum(), float(n @ p / n.sum())
            given = " given their genes' levels" if p.size > 1 else ""
            pvalue = combine_pvalues(significance.test_binomial(k, n, p))
            pooled = significance.test_bounded((k - n * p).sum(), (n * p * (1 - p)).sum(), 1.0)
            pvalue = combine_pvalues([pvalue, float(pooled)]) if p.size > 1 else pvalue
            name = f"responsive pairs, {name}"
            yield make_test(name, f"{mean:.4f}{given}", f"{share:.4f}", share - mean, pvalue)
            for axis, (noun, least) in enumerate((("TF", self.least_tfs), ("gene", self.least_genes))):
                pvalue = _bound(least[label], self.tests[axis, label])
                observed = count_noun(int(self.tests[axis, label]), "count")
                yield make_test(f"{name}: of each {noun}", "random variation", observed, np.nan, pvalue)
        if self.variance > 0:
            pvalue = float(significance.test_bounded(self.product, self.variance, 1.0))
            name = "responses of neighbouring TFs: independent"
            yield make_test(name, "uncorrelated", f"{self.product:.3g}", self.product, pvalue, "sum")

    @classmethod
    def explain_absence(cls, expected: Expectation) -> Iterator[Check]:
        if expected.spec.has_responses:
            observed = f"not tested: the dataset has no variable {RESPONSIVE!r}"
            yield Check("responsive pairs", "the fraction for each label", observed, None)


@dataclass(frozen=True)
class _Adjusted(Topic):
    """The variable of pairs that respond and whose conditions hold."""

    wrong: Total

    @classmethod
    def measure(cls, block: Block) -> Self | None:
        if ADJUSTED not in block.values or not block.has_conditions or block.applies is None:
            return None
        active = block.values.get(RESPONSIVE, block.values[LABEL]) & block.applies
        return cls(np.count_nonzero(block.values[ADJUSTED] != active))

    def make_rows(self, expected: Expectation) -> Iterator[Check]:
        text = "responsive, and conditions hold"
        yield make_count("adjusted pairs", text, int(self.wrong), "differ", "all")

    @classmethod
    def explain_absence(cls, expected: Expectation) -> Iterator[Check]:
        if ADJUSTED in expected.extras:
            observed = "not tested: responses or conditions are unknown"
            yield Check("adjusted pairs", "responsive, and conditions hold", observed, None)


@dataclass(frozen=True)
class _Hops(Topic):
    """Stored hops, which must give the binding effects, and follow the distribution of the levels of genes."""

    wrong: Total  # possible counts, effects
    background: Total
    unbound: Total
    bound: Total
    levels: Total  # (labels, levels)

    @classmethod
    def measure(cls, block: Block) -> Self | None:
        if not {EXPERIMENT, BACKGROUND} <= block.values.keys():
            return None
        params, label = block.expected.binding, block.values[LABEL]
        experiment, background = block.values[EXPERIMENT], block.values[BACKGROUND]
        effect = np.asarray(params.effect(experiment.astype(float), background.astype(float))).astype(np.float32)
        wrong_effects = np.count_nonzero(effect != block.values[BINDING])
        (first, last), (first_experiment, last_experiment) = extended.find_hop_ends(params)
        outside = (background < first) | (background > last)
        outside |= (experiment < first_experiment) | (experiment > last_experiment)
        experiment, background = experiment.clip(0, last_experiment), background.clip(0, last)
        return cls(
            np.array([np.count_nonzero(outside), wrong_effects]),
            np.bincount(background.ravel(), minlength=last + 1),
            np.bincount(experiment[~label], minlength=last_experiment + 1),
            np.bincount(experiment[label], minlength=last_experiment + 1),
            block.level_counts,
        )

    def make_rows(self, expected: Expectation) -> Iterator[Check]:
        yield make_count("hops: possible counts", "no others", int(self.wrong[0]), "others", "all")
        yield make_count("hops: binding effect", "computed from hops", int(self.wrong[1]), "differ", "all")
        chances = _list_hop_chances(expected.binding, expected.steps.n_levels)
        counts = {"background hops": self.background, "unbound": self.unbound, "bound": self.bound}
        levels = [self.levels.sum(axis=0), *self.levels]
        for (name, observed), n, by_level in zip(counts.items(), levels, chances, strict=True):
            name = name if name == "background hops" else f"experiment hops, {name}"
            if n.sum():
                p = np.zeros(observed.size)
                p[: by_level.shape[1]] = n @ by_level / n.sum()
                mean, found = p @ np.arange(p.size), observed @ np.arange(p.size) / n.sum()
                yield make_fit(f"{name}: distribution", f"mean {mean:.4g}", f"mean {found:.4g}", observed, p)

    @classmethod
    def explain_absence(cls, expected: Expectation) -> Iterator[Check]:
        if expected.spec.hops:
            yield Check("hops", "consistent with binding effects", "not tested: the dataset has no hops", None)


def _list_hop_chances(params: BindingParameters, n_levels: int) -> list[np.ndarray]:
    """Return the probabilities of counts from 0, of background, unbound and bound hops, by level."""
    chances: list[list[np.ndarray]] = [[], [], []]
    for level in range(n_levels):
        for i, bound in enumerate((False, True), start=1):
            background, experiment, both = tabulate_hops(params, bound=bound, level=level)
            if i == 1:
                chances[0].append(_spread(background, both.sum(axis=1)))
            chances[i].append(_spread(experiment, both.sum(axis=0)))
    return [np.array(rows) for rows in chances]


def _spread(counts: np.ndarray, chances: np.ndarray) -> np.ndarray:
    p = np.zeros(counts[-1] + 1)
    p[counts] = chances
    return p


@dataclass(frozen=True)
class _TestedPvalues(Topic):
    """P-values of tests, which are bit-exact functions of effects and hops."""

    binding: Total
    perturbation: Total

    @classmethod
    def measure(cls, block: Block) -> Self | None:
        spec = block.expected.spec
        if not spec.tests_effects:
            return None
        response, pvalue = block.values[PERTURBATION], block.values["perturbation_pvalue"]
        normal = (float(spec.unbound_mean), float(spec.unbound_std))
        exact = extended.find_tail_pvalues(np.asarray(response), normal=normal)
        wrong = np.count_nonzero((exact != pvalue) & ~(np.isnan(exact) & np.isnan(pvalue)))
        return cls(_count_impossible(block), wrong)

    def make_rows(self, expected: Expectation) -> Iterator[Check]:
        of_hops = {EXPERIMENT, BACKGROUND} <= expected.extras
        text = "the Poisson tail of the hops" if of_hops else "possible with the effect"
        yield make_count("binding p-value: function of hops", text, int(self.binding), "differ", "all")
        text = "the tail of the unbound distribution"
        yield make_count("perturbation p-value: function of effect", text, int(self.perturbation), "differ", "all")


def _count_impossible(block: Block) -> int:
    """Return how many binding p-values differ from the test of hops or, without hops, are impossible."""
    spec, values = block.expected.spec, block.values
    pvalue = values["binding_pvalue"]
    params = block.expected.binding
    if {EXPERIMENT, BACKGROUND} <= values.keys():
        table, first_background, first_experiment = extended.make_tails(params, spec.poisson_pseudocount)
        background, experiment = values[BACKGROUND] - first_background, values[EXPERIMENT] - first_experiment
        known = (background >= 0) & (background < table.shape[0]) & (experiment >= 0) & (experiment < table.shape[1])
        exact = table[np.where(known, background, 0), np.where(known, experiment, 0)]
        return int(np.count_nonzero((exact != pvalue) | ~known))
    wrong = 0
    for bound, group in enumerate((~values[LABEL], values[LABEL])):
        keys = _join_bits(values[BINDING][group], pvalue[group])
        possible = _list_possible(params, spec.poisson_pseudocount, bool(bound))
        places = np.searchsorted(possible, keys).clip(max=possible.size - 1)
        wrong += int(np.count_nonzero(possible[places] != keys))
    return wrong


@lru_cache(maxsize=16)
def _list_possible(params: BindingParameters, pseudocount: float, bound: bool) -> np.ndarray:
    """Return the possible pairs of binding effect and p-value, as sorted integers of their bits."""
    table, first_background, first_experiment = extended.make_tails(params, pseudocount)
    background, experiment, chances = tabulate_hops(params, bound=bound)
    effect = params.effect(experiment.astype(float)[None, :], background.astype(float)[:, None])
    tails = table[(background - first_background)[:, None], (experiment - first_experiment)[None, :]]
    possible = chances > 0
    return np.unique(_join_bits(np.asarray(effect).astype(np.float32)[possible], tails[possible]))


def _join_bits(effect: np.ndarray, pvalue: np.ndarray) -> np.ndarray:
    parts: Sequence[np.ndarray] = [np.ascontiguousarray(part, np.float32).view(np.uint32) for part in (effect, pvalue)]
    return parts[0].astype(np.uint64) << np.uint64(32) | parts[1]


@dataclass(frozen=True)
class _Offsets(Topic):
    """Residual of the offset shared by all effects of a TF in a measurement, tested by random signs.

    Given magnitudes, a sum of effects is a sum of magnitudes with random signs.
    """

    total: ByTF
    magnitude: ByTF
    square: ByTF
    largest: ByTF

    @classmethod
    def measure(cls, block: Block) -> Self | None:
        if not block.expected.spec.batch_std:
            return None
        offsets = block.expected.find_offsets(block.plane, slice(block.first, block.first + block.n_tfs))
        effect = block.values[PERTURBATION].astype(np.float64, order="C") - offsets  # sums in one order
        effect[~np.isfinite(effect)] = 0.0
        magnitude = np.abs(effect)
        return cls(effect.sum(axis=0), magnitude.sum(axis=0), (effect**2).sum(axis=0), magnitude.max(axis=0))

    def make_rows(self, expected: Expectation) -> Iterator[Check]:
        name = "offset of each TF, minus its random number"
        if expected.has_fair_signs:
            yield make_sequence_test(
                name, self.total / np.sqrt(np.maximum(self.square, 1e-300)), "column", normal=False
            )
            return
        tilt = 2 * np.broadcast_to(expected.positive_fractions, self.total.shape) - 1
        deviation, variance = self.total - tilt * self.magnitude, (1 - tilt**2) * self.square
        pvalues = [
            significance.test_bounded(d, v, 2 * m)
            for d, v, m in zip(deviation.ravel(), variance.ravel(), self.largest.ravel(), strict=True)
        ]
        observed = count_noun(deviation.size, "column")
        yield make_test(name, "random variation", observed, float(np.abs(deviation).max()), combine_pvalues(pvalues))


TOPICS: tuple[type[Topic], ...] = (_Missing, _Responses, _Offsets, _Adjusted, _Hops, _TestedPvalues)
