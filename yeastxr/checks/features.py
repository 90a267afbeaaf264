"""Topics about features: ranges, labels, conditions, binding effects, perturbation effects, signs and p-values."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from yeastxr.checks import significance
from yeastxr.checks.significance import combine_pvalues
from yeastxr.checks.table import Check, count_noun, make_count, make_fit, make_sequence_test, make_test
from yeastxr.checks.topic import BINS, DRAWS, PVALUES, SIGN, Block, ByTF, Expectation, Least, Topic, Total
from yeastxr.schema import BINDING, FEATURE_BY_NAME, LABEL, MAGNITUDE, MEASURES, STATUSES
from yeastxr.theory.pairs import classify_tfs, make_magnitude_distributions

_NO_CONDITIONS = "a subset: TFs that relations name are missing"
_NO_RESPONSES = "the dataset has no variable 'responsive'"
_FAR = 3.5  # scores beyond it are counted individually, as in the kernels
_PARTS = 50  # parts of distributions of binding effects with many values
_RESOLUTION = 2.0**-23  # resolution of a uniform number


@dataclass(frozen=True)
class _Ranges(Topic):
    """Finite values in the range of their feature; without a specification, the number of missing values."""

    outside: Total  # by measure
    unknown: Total
    pairs: Total
    least: Least

    @classmethod
    def measure(cls, block: Block) -> Self:
        return cls(block.outside, block.unknown, block.n_tfs * block.n_genes, block.limits[:, 0])

    def make_rows(self, expected: Any) -> Iterator[Check]:
        for name, outside, unknown, least in zip(MEASURES, self.outside, self.unknown, self.least, strict=True):
            feature = FEATURE_BY_NAME[name]
            limits = "finite or missing" if unknown else "finite"
            if math.isfinite(feature.most):
                limits += f", {least:g} to {feature.most:g}"
            elif math.isfinite(least):
                limits += f", at least {least:g}"
            yield make_count(f"{feature.long_name}: range", limits, int(outside), "outside", "all")
            if unknown:
                share = f"{unknown:,} of {self.pairs:,} ({unknown / self.pairs:.1%})"
                yield Check(f"{feature.long_name}: missing", "", share, None)


@dataclass(frozen=True)
class _Description(Topic):
    """The share of bound pairs of a dataset without a specification."""

    bound: Total
    pairs: Total

    @classmethod
    def measure(cls, block: Block) -> Self | None:
        return cls(block.n_bound, block.n_tfs * block.n_genes) if LABEL in block.values else None

    def make_rows(self, expected: Any) -> Iterator[Check]:
        share = f"{self.bound:,} of {self.pairs:,} ({self.bound / self.pairs:.1%})"
        yield Check("bound pairs", "", share, None)


@dataclass(frozen=True)
class _Labels(Topic):
    """The number of bound genes of each TF, and of bound TFs of each gene."""

    by_tf: ByTF
    by_gene: Total

    @classmethod
    def measure(cls, block: Block) -> Self:
        return cls(block.counts["bound"], block.bound_by_gene.sum(axis=0))

    def make_rows(self, expected: Expectation) -> Iterator[Check]:
        name, text = "bound genes of each TF", "exact counts"
        if expected.complete:
            exact = self.by_tf == expected.bound_counts
            observed = f"{np.count_nonzero(exact):,} of {exact.size:,} exact"
            yield Check(name, text, observed, bool(exact.all()))
        else:
            yield Check(name, text, expected.subset, None)
        chances = np.tile(expected.bound_counts / expected.spec.n_genes, len(self.by_tf))
        pvalue = combine_pvalues(significance.test_counts(self.by_gene, chances))
        observed, mean = f"{self.by_gene.min():,} to {self.by_gene.max():,}", chances.sum()
        name = "bound TFs of each gene"
        yield make_test(name, f"{mean:.4g} on average", observed, self.by_gene.max() - mean, pvalue)


@dataclass(frozen=True)
class _Conditions(Topic):
    """The number of active bound pairs."""

    bound: ByTF
    active: ByTF
    holds: ByTF

    @classmethod
    def measure(cls, block: Block) -> Self | None:
        if not block.has_conditions or block.expected.spec.tf_relationships is None:
            return None
        return cls(*(block.counts[name] for name in ("bound", "active", "holding")))

    def make_rows(self, expected: Expectation) -> Iterator[Check]:
        kinds = classify_tfs(expected.spec)
        n_bound = max(self.bound.sum(), 1)
        mean = sum(float(kinds[tf].adjusted) * self.bound[:, i].sum() for i, tf in enumerate(expected.tfs)) / n_bound
        least = significance.test_overlaps(
            self.active.ravel(), expected.n_genes, self.holds.ravel(), self.bound.ravel()
        )
        share = self.active.sum() / n_bound
        name = "bound pairs whose conditions hold"
        yield make_test(name, f"{mean:.4f}", f"{share:.4f}", share - mean, min(1.0, least * self.active.size))

    @classmethod
    def explain_absence(cls, expected: Expectation) -> Iterator[Check]:
        if expected.spec.tf_relationships is not None:
            yield Check("bound pairs whose conditions hold", "according to relations", _NO_CONDITIONS, None)


@dataclass(frozen=True)
class _BindingEffects(Topic):
    """Binding effects on and off the lattice of values that their label allows."""

    counts_unbound: Total
    counts_bound: Total
    others: Total  # unbound, bound
    levels: Total  # (unbound or bound, levels of the promoter's factor)
    tf_score: ByTF

    @classmethod
    def measure(cls, block: Block) -> Self:
        unbound, bound = np.split(block.lattice_counts, [block.expected.lattices[0].values.size])
        tf_score = block.tf_sums[DRAWS.index(BINDING), :, 0]
        return cls(unbound, bound, block.others, block.level_counts, tf_score)

    def make_rows(self, expected: Expectation) -> Iterator[Check]:
        groups = zip(("unbound", "bound"), expected.lattices, (self.counts_unbound, self.counts_bound), strict=True)
        for label, ((status, lattice, counts), others) in enumerate(zip(groups, self.others, strict=True)):
            name = f"binding effect, {status}"
            if not counts.sum():
                yield Check(name, "", "no such pairs", None)
                continue
            values = f"{lattice.values.size:,} values"
            yield make_count(f"{name}: possible values", values, int(others), "others", "no others")
            mean = float(counts @ lattice.values / counts.sum())
            name = f"{name}: distribution"
            # Given the levels, counts vary less than multinomial ones with their mean probabilities.
            chances = self.levels[label] @ expected.steps.chances[label] / self.levels[label].sum()
            yield make_fit(name, f"mean {chances @ lattice.values:.4g}", f"mean {mean:.4g}", counts, chances)
            if expected.binding.is_tabulated:  # in few parts, because many values could hide a difference
                parts = np.minimum(_PARTS * np.cumsum(chances), _PARTS - 1).astype(int)
                pooled = (np.bincount(parts, weights) for weights in (counts, chances))
                yield make_fit(f"{name} in {_PARTS} parts", "", f"mean {mean:.4g}", *pooled)
        z = self.tf_score / math.sqrt(expected.n_genes)
        yield make_sequence_test("binding effect of each TF", z, "column", normal=False)


@dataclass(frozen=True)
class _Magnitudes(Topic):
    """|perturbation effects| with noise, converted to standard normal scores."""

    n: Total  # by status
    magnitude: Total
    score: Total
    squares: Total
    counts: Total  # (statuses, bins)
    tf_n: ByTF
    tf_score: ByTF
    tf_squares: ByTF
    binding: Total  # sums over active pairs
    binding_squares: Total
    binding_score: Total
    far: Total  # (statuses, lower or upper end)
    nearest: Least  # the tail probability of the most extreme score beyond _FAR

    @classmethod
    def measure(cls, block: Block) -> Self | None:
        if not block.has_conditions or not block.expected.noisy:
            return None
        magnitude, score, squares, *of_active = block.status_sums.T
        binding, binding_squares, binding_score = (sums[STATUSES.index("bound_active")] for sums in of_active)
        return cls(
            n=block.histogram.sum(axis=1),
            magnitude=magnitude,
            score=score,
            squares=squares,
            counts=block.histogram,
            tf_n=block.counts["valid"],
            tf_score=block.tf_sums[DRAWS.index(MAGNITUDE), :, 0],
            tf_squares=block.tf_sums[DRAWS.index(MAGNITUDE), :, 1],
            binding=binding,
            binding_squares=binding_squares,
            binding_score=binding_score,
            far=block.far,
            nearest=block.nearest,
        )

    def make_rows(self, expected: Expectation) -> Iterator[Check]:
        name, related = "|perturbation effect|", expected.spec.tf_relationships is not None
        if expected.shows_float32(int(self.n.sum())):
            yield Check(name, "", "the noise is too close to the resolution of float32", None)
            return
        theory = make_magnitude_distributions(expected.spec)
        names: tuple[str, ...] = STATUSES if related else ("unbound", "bound", "bound_inactive")
        if expected.spec.has_responses:
            names = ("not responsive", "adjusted", "responsive, not adjusted")
        for code, status in enumerate(STATUSES):
            group, n = f"{name}, {names[code]}", int(self.n[code])
            if n == 0:
                if status != "bound_inactive" or related:
                    yield Check(group, f"mean {theory[code].mean:.4g}", "no such pairs", None)
                continue
            mean, z = float(self.magnitude[code]) / n, float(self.score[code]) / math.sqrt(n)
            pvalue = significance.test_normal(z)
            yield make_test(f"{group}: mean", f"{theory[code].mean:.4f}", f"{mean:.4f}", z, pvalue, "z")
            total = float(self.squares[code])
            pvalue = significance.test_chi_square(total, n)
            yield make_test(f"{group}: s.d. / theory", "1", f"{math.sqrt(total / n):.4f}", total, pvalue, "chi2")
            yield make_fit(f"{group}: distribution", "as in theory", count_noun(n, "pair"), self.counts[code])
        yield self._test_extremes(name)
        yield self._test_slope()
        with np.errstate(invalid="ignore"):
            means = self.tf_score / np.sqrt(self.tf_n)
        yield make_sequence_test(f"{name} of each TF: mean", means, "column", normal=True)
        squares = significance.make_normal(self.tf_squares, self.tf_n)
        yield make_sequence_test(f"{name} of each TF: s.d. / theory", squares, "column", normal=True)

    def _test_extremes(self, name: str) -> Check:
        from scipy.special import ndtr, ndtri

        n = np.broadcast_to(self.n[:, None], self.far.shape)
        counts = significance.test_binomial(self.far, n, ndtr(-_FAR))
        extremes = significance.test_extreme(self.nearest[self.far > 0], n[self.far > 0], _RESOLUTION)
        pvalue = combine_pvalues([combine_pvalues(counts), combine_pvalues(extremes)])
        observed = f"{self.far.sum():,} beyond {_FAR:g} s.d., to {-ndtri(max(self.nearest.min(), 1e-300)):.3g}"
        expected = f"{2 * self.n.sum() * ndtr(-_FAR):,.1f} beyond"
        return make_test(f"{name}: extremes", expected, observed if self.far.any() else "none", math.nan, pvalue)

    def _test_slope(self) -> Check:
        name = "|perturbation effect| over binding effect: slope"
        code = STATUSES.index("bound_active")
        n, binding, squares = int(self.n[code]), float(self.binding), float(self.binding_squares)
        spread = squares - binding**2 / max(n, 1)
        if n < 2 or spread <= 1e-6 * squares:
            return Check(name, "according to the method", "binding effects do not vary", None)
        # A sum of standard normal scores with centred weights: its variance is the sum of their squares.
        z = (float(self.binding_score) - binding * float(self.score[code]) / n) / math.sqrt(spread)
        observed = f"off by {z / math.sqrt(spread):.2g} s.d. per unit"
        return make_test(name, "according to the method", observed, z, significance.test_normal(z), "z")

    @classmethod
    def explain_absence(cls, expected: Expectation) -> Iterator[Check]:
        if not expected.knows_conditions:
            yield Check("|perturbation effect|", "according to relations", _NO_CONDITIONS, None)
        elif not expected.knows_statuses:
            yield Check("|perturbation effect|", "according to responses", _NO_RESPONSES, None)


@dataclass(frozen=True)
class _NoiselessMagnitudes(Topic):
    """|perturbation effects| without noise, which equal their means."""

    others: Total

    @classmethod
    def measure(cls, block: Block) -> Self | None:
        return cls(block.inexact.sum()) if block.has_conditions and not block.expected.noisy else None

    def make_rows(self, expected: Expectation) -> Iterator[Check]:
        name = "|perturbation effect|: without noise"
        if expected.spec.batch_std:
            yield Check(name, "the mean", "not tested: offsets of batches are added", None)
        else:
            yield make_count(name, "the mean", int(self.others), "others", "all")


@dataclass(frozen=True)
class _Signs(Topic):
    """Signs of perturbation effects: coin flips, independent of labels."""

    positive: ByTF
    bound: ByTF
    positive_bound: ByTF
    by_gene: Total

    @classmethod
    def measure(cls, block: Block) -> Self:
        by_gene = np.rint((block.n_tfs + block.gene_sums[DRAWS.index(SIGN)]) / 2).astype(np.int64)
        counts = block.counts
        return cls(counts["positive"], counts["bound"], counts["positive_bound"], by_gene)

    def make_rows(self, expected: Expectation) -> Iterator[Check]:
        yield from self._test_fair_coins(expected) if expected.has_fair_signs else self._test_coins(expected)

    def _test_coins(self, expected: Expectation) -> Iterator[Check]:
        # Exact tests by TF and by gene, with the probability of each TF.
        chances = np.broadcast_to(expected.positive_fractions, self.positive.shape)
        n = np.full(self.positive.shape, expected.n_genes)
        share, mean = self.positive.sum() / n.sum(), float(chances.mean())
        pvalue = combine_pvalues(significance.test_binomial(self.positive, n, chances))
        name = "signs of each TF: share positive"
        yield make_test(name, f"{mean:.4f} on average", f"{share:.4f} on average", share - mean, pvalue)
        n_bound, positive_bound = self.bound, self.positive_bound
        by_tf = [significance.test_binomial(positive_bound, n_bound, chances)]
        by_tf += [significance.test_binomial(self.positive - positive_bound, n - n_bound, chances)]
        deviation = (positive_bound - n_bound * chances).sum()
        variance = (n_bound * chances * (1 - chances)).sum()
        pooled = significance.test_bounded(deviation, variance, 1.0)
        pvalue = combine_pvalues([combine_pvalues(by_tf), float(pooled)])
        observed = f"{positive_bound.sum() / max(n_bound.sum(), 1):.4f} of bound pairs positive"
        yield make_test("signs and labels: independent", "the same share", observed, deviation, pvalue)
        total = (self.positive - n * chances).sum()
        pooled = significance.test_bounded(total, (n * chances * (1 - chances)).sum(), 1.0)
        yield make_test("signs: share positive", f"{mean:.4f}", f"{share:.4f}", share - mean, float(pooled))
        pvalue = combine_pvalues(significance.test_counts(self.by_gene, chances.ravel()))
        observed = f"{self.by_gene.min():,} to {self.by_gene.max():,}"
        largest = self.by_gene.max() - chances.sum()
        yield make_test("signs of each gene: positive", f"{chances.sum():.4g} on average", observed, largest, pvalue)

    def _test_fair_coins(self, expected: Expectation) -> Iterator[Check]:
        n, n_bound, n_genes = self.positive.size * expected.n_genes, int(self.bound.sum()), expected.n_genes
        share = self.positive.sum() / n
        pvalue = significance.test_binomial(self.positive.sum(), n, 0.5)
        yield make_test("signs: share positive", "0.5", f"{share:.4f}", share - 0.5, pvalue)
        z = (2 * self.positive - n_genes) / math.sqrt(n_genes)
        yield make_sequence_test("signs of each TF: share positive", z, "column", normal=False)
        if 0 < n_bound < n:
            pvalue = significance.test_binomial(int(self.positive_bound.sum()), n_bound, 0.5)
            share = self.positive_bound.sum() / n_bound
            observed = f"{share:.4f} of bound pairs positive"
            yield make_test("signs and labels: independent", "0.5", observed, share - 0.5, pvalue)


@dataclass(frozen=True)
class _Pvalues(Topic):
    """p-values compared with their rule, and with uniform numbers; the axis after TFs is for types of p-values."""

    large: Total
    broken: Total
    counts: Total  # (kinds, other or large effects, bins)
    tf_score: ByTF
    tf_n: ByTF
    extremes: Least  # (kinds, lower or upper end)

    @classmethod
    def measure(cls, block: Block) -> Self | None:
        if not block.expected.draws_pvalues:
            return None
        large = np.array([block.counts[f"large_{name}"] for name in PVALUES])
        n = block.n_genes - large * (block.expected.spec.large_effect_upper_pval == 0)
        scores = block.tf_sums[[DRAWS.index(name) for name in PVALUES], :, 0]
        counts = block.pvalue_histogram.reshape(len(PVALUES), 2, BINS)
        return cls(large.sum(axis=1), block.broken, counts, scores.T, n.T, block.extremes)

    def make_rows(self, expected: Expectation) -> Iterator[Check]:
        upper = expected.spec.large_effect_upper_pval
        for kind, feature in enumerate(PVALUES):
            label, large, broken = FEATURE_BY_NAME[feature].long_name, int(self.large[kind]), int(self.broken[kind])
            if feature not in expected.scored_pvalues:
                reason = "not tested: the quantile needs all effects, and some are missing"
                yield Check(f"{label}, large effects", _describe_rule(expected), reason, None)
                continue
            yield make_count(f"{label}, large effects", _describe_rule(expected), broken, "above", f"all {large:,}")
            for counts, group, end in zip(self.counts[kind], ("other", "large"), (1.0, upper), strict=True):
                n = int(counts.sum())
                if n and end:
                    mean = float(counts @ (np.arange(BINS) + 0.5)) / BINS / n * end
                    name = f"{label}, {group} effects: distribution"
                    yield make_fit(name, f"uniform, mean {end / 2:.4g}", f"mean {mean:.4g}", counts)
            n_random = int(self.tf_n[..., kind].sum())
            if n_random:
                pvalue = combine_pvalues(significance.test_extreme(self.extremes[kind], n_random, _RESOLUTION))
                observed = f"{self.extremes[kind, 0]:.2g} from 0, {self.extremes[kind, 1]:.2g} from the upper end"
                yield make_test(f"{label}: extremes", f"about {1 / n_random:.2g}", observed, math.nan, pvalue)
                z = self.tf_score[..., kind] / np.sqrt(np.maximum(self.tf_n[..., kind], 1))
                yield make_sequence_test(f"{label} of each TF", z, "column", normal=False)

    @classmethod
    def explain_absence(cls, expected: Expectation) -> Iterator[Check]:
        for feature in () if expected.spec.tests_effects else PVALUES:
            name = f"{FEATURE_BY_NAME[feature].long_name}, large effects"
            yield Check(name, _describe_rule(expected), expected.subset, None)


def _describe_rule(expected: Expectation) -> str:
    spec = expected.spec
    return f"at most {spec.large_effect_upper_pval:g} above quantile {spec.large_effect_percentile:g}"


TOPICS: tuple[type[Topic], ...] = (
    _Ranges,
    _Labels,
    _Conditions,
    _BindingEffects,
    _Magnitudes,
    _NoiselessMagnitudes,
    _Signs,
    _Pvalues,
)
TOPICS_WITHOUT_SPEC: tuple[type[Topic], ...] = (_Ranges, _Description)
