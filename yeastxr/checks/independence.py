"""What the evidence of a dataset says: one row a check, with its statistic and p-value."""

import math
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from yeastxr.checks import significance as tails
from yeastxr.checks.features import BINS, DRAWS, GROUPS, KINDS, LOW_BITS, PAIRED, Asked, Evidence
from yeastxr.checks.table import Check
from yeastxr.schema import FEATURES
from yeastxr.simulation.simulate import SimulationSpec
from yeastxr.theory import pairs as pairkinds

_ENOUGH = 30  # uniform numbers whose sum is as good as normal, its tails being lighter
_COARSE = 10.0  # of a chi-square statistic, what rounding to float32 may add


@dataclass(frozen=True)
class Here:
    """What is looked at: a specification, and how much of its simulation a dataset holds.

    Parameters
    ----------
    spec, asked
        The specification, and its numbers.
    genes, tfs
        How many genes the dataset has, and its TFs' labels.
    subset
        Why sums over genes can't be checked, if the dataset holds but a part of the genes.
    fractions
        The bound fraction of each TF.
    """

    spec: SimulationSpec
    asked: Asked
    genes: int
    tfs: list[Hashable]
    subset: str | None
    fractions: dict[Hashable, float]

    @property
    def related(self) -> bool:
        """Whether there are conditions."""
        return self.spec.tf_relationships is not None


def of_ranges(found: Evidence) -> list[Check]:
    """Say whether all values are finite and in range."""
    rows = []
    for feature in FEATURES[1:]:
        wrong = int(found[f"outside {feature.name}"])
        limits = f"finite, {feature.least:g} to {feature.most:g}"
        if not math.isfinite(feature.most):
            limits = f"finite, at least {feature.least:g}" if math.isfinite(feature.least) else "finite"
        rows.append(Check(f"{feature.long_name}: range", limits, f"{wrong:,} outside" if wrong else "all", wrong == 0))
    return rows


def description(found: Evidence, cells: int) -> list[Check]:
    """Describe a dataset that has no specification to be checked against."""
    bound = int(found["bound"])
    return [
        Check("bound pairs", "", f"{bound:,} of {cells:,} ({bound / cells:.1%})", None),
        Check("theory", "", "no specification: not one simulation's dataset", None),
    ]


def of_simulation(found: Evidence, by_tf: Evidence, here: Here) -> list[Check]:
    """Return all checks against a specification."""
    return [
        *_populations(found, by_tf, here),
        *_conditions(by_tf, here),
        *_bindings(found, by_tf, here),
        *_responses(found, by_tf, here),
        *_signs(found, by_tf, here),
        *_pvalues(found, by_tf, here),
        *_draws(found, here),
    ]


def _test(name: str, expected: str, text: str, statistic: float, pvalue: float) -> Check:
    return Check(name, expected, text, True, float(statistic), float(pvalue))


def _populations(found: Evidence, by_tf: Evidence, here: Here) -> list[Check]:
    name, expected = "bound genes of each TF", "exactly as asked for"
    if here.subset is not None:
        rows = [Check(name, expected, here.subset, None)]
    else:
        asked = np.array([round(here.spec.n_genes * here.fractions[tf]) for tf in here.tfs])
        right = by_tf["tf bound"] == asked
        rows = [Check(name, expected, f"{np.count_nonzero(right):,} of {right.size:,} exact", bool(right.all()))]
    chances = [round(here.spec.n_genes * here.fractions[tf]) / here.spec.n_genes for tf in here.tfs]
    counts = found["gene bound"]
    p = tails.smallest(tails.of_counts(counts, np.tile(chances, len(by_tf["tf bound"]))))
    mean = sum(chances) * len(by_tf["tf bound"])
    text = f"{counts.min():,} to {counts.max():,}"
    rows.append(_test("bound TFs of each gene", f"{mean:.4g} on average", text, counts.max() - mean, p))
    pairs = int(found["overlaps"])
    if pairs:
        p = min(1.0, float(found["least overlap"]) * pairs)
        rows.append(_test("labels of TFs: independent", "overlaps by chance", _many(pairs, "pair"), math.nan, p))
    return rows


def _conditions(by_tf: Evidence, here: Here) -> list[Check]:
    """Compare how many bound pairs' conditions hold with the chance that they do."""
    if not here.related:
        return []
    name = "bound pairs whose conditions hold"
    if "tf hold" not in by_tf:
        return [Check(name, "as the relations say", "a subset: TFs they name are not here", None)]
    kinds = pairkinds.classify_tfs(here.spec)
    bound, adjusted = by_tf["tf bound"], by_tf["tf adjusted"]
    expected = sum(float(kinds[tf].adjusted) * bound[:, i].sum() for i, tf in enumerate(here.tfs)) / max(bound.sum(), 1)
    # Given where a TF's conditions hold, which its own label has no part in, the overlap is hypergeometric.
    p = tails.smallest(tails.overlap(adjusted, here.genes, by_tf["tf hold"], bound))
    share = adjusted.sum() / max(bound.sum(), 1)
    return [_test(name, f"{expected:.4f}", f"{share:.4f}", share - expected, p)]


def _bindings(found: Evidence, by_tf: Evidence, here: Here) -> list[Check]:
    rows = []
    for name, lattice in zip(("unbound", "bound"), pairkinds.make_binding_distributions(here.spec), strict=True):
        counts, wrong = found[f"lattice {name}"], int(found[f"off lattice {name}"])
        called = f"binding effect, {name}"
        if not counts.sum():
            rows.append(Check(called, "", "no such pairs", None))
            continue
        values = f"{lattice.values.size:,} values"
        text = f"{wrong:,} others" if wrong else "only these"
        rows.append(Check(f"{called}: possible values", values, text, wrong == 0))
        mean = float(counts @ lattice.values / counts.sum())
        rows.append(
            _fit(
                f"{called}: distribution", f"mean {lattice.mean:.4g}", f"mean {mean:.4g}", counts, lattice.probabilities
            )
        )
    variance = by_tf["tf binding score variance"]
    some = variance > 0
    if some.any():
        z = by_tf["tf binding score"][some] / np.sqrt(variance[some])
        rows.append(_each_tf("binding effect of each TF", z, enough=here.genes >= _ENOUGH))
    return rows


def _responses(found: Evidence, by_tf: Evidence, here: Here) -> list[Check]:
    called = {
        "bound": "bound_active" if here.related else "bound",
        "failed": "bound_inactive",
        "unbound": "unbound",
    }
    name = "|perturbation effect|"
    if "tf hold" not in by_tf:
        return [Check(name, "as the relations say", "a subset: TFs they name are not here", None)]
    if "sizes" not in found:
        wrong = int(found["not as without noise"])
        return [Check(f"{name}: without noise", "the mean itself", f"{wrong:,} others" if wrong else "all", wrong == 0)]
    unbound, hold, fail = pairkinds.make_magnitude_distributions(here.spec)
    means = {"bound": hold.mean, "failed": fail.mean, "unbound": unbound.mean}
    total = sum(int(found[f"n {group}"]) for group in GROUPS)
    if _float32_shows(here, total):
        return [Check(name, "", "the noise is too near the resolution of float32", None)]
    rows: list[Check] = []
    for i, group in enumerate(GROUPS):
        n = int(found[f"n {group}"])
        if n == 0:
            if group != "failed" or here.related:
                rows.append(Check(f"{name}, {called[group]}", f"mean {means[group]:.4g}", "no such pairs", None))
            continue
        mean, z = float(found[f"size {group}"]) / n, float(found[f"score {group}"]) / math.sqrt(n)
        told = f"{name}, {called[group]}"
        rows.append(_test(f"{told}: mean", f"{means[group]:.4f}", f"{mean:.4f}", z, tails.normal(z)))
        squares = float(found[f"score squares {group}"])
        spread = math.sqrt(squares / n)
        rows.append(_test(f"{told}: s.d. / theory", "1", f"{spread:.4f}", squares, tails.chi_square(squares, n)))
        rows.append(_fit(f"{told}: distribution", "as theory says", _many(n, "pair"), found["sizes"][i], _EVEN))
    rows.append(_slope(found, int(found["n bound"])))
    n = by_tf["tf valid"]
    z = by_tf["tf score"] / np.sqrt(np.maximum(n, 1))
    rows.append(_each_tf(f"{name} of each TF: mean", z, enough=True))
    p = tails.smallest(tails.chi_square(by_tf["tf score squares"], np.maximum(n, 1)))
    rows.append(_test(f"{name} of each TF: s.d. / theory", "1", _many(z.size, "column"), math.nan, p))
    return rows


def _float32_shows(here: Here, pairs: int) -> bool:
    """Tell whether the steps of float32 are so wide, beside the noise, that a histogram of so many pairs shows them."""
    most = max(
        abs(here.asked.means[0]), abs(here.asked.means[1]), abs(here.asked.means[1] + here.spec.max_mean_adjustment)
    )
    step = float(np.spacing(np.float32(most))) / min(here.asked.stds)
    return pairs * (step * BINS / 4) ** 2 > _COARSE


def _slope(found: Evidence, n: int) -> Check:
    """Test whether |effect| depends on the binding effect in another way than it should."""
    name = "|perturbation effect| over binding effect: slope"
    spread = float(found["binding squares"]) - float(found["binding"]) ** 2 / max(n, 1)
    if n < 2 or spread <= 1e-6 * float(found["binding squares"]):
        return Check(name, "as the method says", "binding effects do not vary", None)
    z = (float(found["binding x score"]) - float(found["binding"]) * float(found["score bound"]) / n) / math.sqrt(
        spread
    )
    # A sum of standard normal scores with centred weights: its variance is the sum of their squares.
    return _test(name, "as the method says", f"off by {z / math.sqrt(spread):.2g} s.d. a unit", z, tails.normal(z))


def _signs(found: Evidence, by_tf: Evidence, here: Here) -> list[Check]:
    if "tf positive" not in by_tf:
        return []
    if not here.asked.fair[0]:
        return [Check("signs: share positive", "0.5", "effects are 0", None)]
    positive, bound = by_tf["tf positive"], by_tf["tf bound"]
    n = positive.size * here.genes
    p = tails.binomial(float(positive.sum()), n)
    rows = [_test("signs: share positive", "0.5", f"{positive.sum() / n:.4f}", positive.sum() / n - 0.5, p)]
    p = tails.smallest(tails.binomial(positive, here.genes))
    text = f"{positive.min() / here.genes:.3f} to {positive.max() / here.genes:.3f}"
    rows.append(_test("signs of each TF: share positive", "0.5", text, math.nan, p))
    both, total = int(found["positive bound"]), int(bound.sum())
    if 0 < total < n:
        p = tails.binomial(both, total)
        text = f"{both / total:.4f} of bound pairs positive"
        rows.append(_test("signs and labels: independent", "0.5", text, both / total - 0.5, p))
    return rows


def _pvalues(found: Evidence, by_tf: Evidence, here: Here) -> list[Check]:
    rows: list[Check] = []
    upper, percentile = here.spec.large_effect_upper_pval, here.spec.large_effect_percentile
    for kind in KINDS:
        rule = f"at most {upper:g} from quantile {percentile:g} on"
        name = f"{kind} p-value, large effects"
        if here.subset is not None:
            rows.append(Check(name, rule, here.subset, None))
            continue
        broken, large = int(found[f"{kind} broken"]), int(found[f"{kind} large"])
        rows.append(Check(name, rule, f"{broken:,} above" if broken else f"all {large:,}", broken == 0))
        for counts, size, end in zip(found[f"{kind} pvalues"], ("other", "large"), (1.0, upper), strict=True):
            n = int(counts.sum())
            if n and end:
                mean = float(counts @ (np.arange(BINS) + 0.5)) / BINS / n * end
                told = f"{kind} p-value, {size} effects: distribution"
                rows.append(_fit(told, f"uniform, mean {end / 2:.4g}", f"mean {mean:.4g}", counts, _EVEN))
        n_told = by_tf[f"tf {kind} pvalues told"]
        some = n_told >= _ENOUGH
        if some.any():
            z = by_tf[f"tf {kind} pvalue"][some] * np.sqrt(12 / n_told[some])
            rows.append(_each_tf(f"{kind} p-value of each TF", z, enough=True))
    return rows


def _draws(found: Evidence, here: Here) -> list[Check]:
    """Look for draws that are shared, repeated, or rounded."""
    rows = []
    pairs = int(found["agreements"])
    if pairs:
        p = min(1.0, float(found["least agreement"]) * pairs)
        rows.append(_test("draws of different TFs: independent", "agree by chance", _many(pairs, "pair"), math.nan, p))
    agree = {
        name: int(found[name])
        for name in (f"agree {b} and {a}" for i, a in enumerate(PAIRED) for b in PAIRED[:i])
        if int(found.get(name, -1)) >= 0
    }
    cells = int(found["cells"])
    if agree:
        p = tails.smallest(tails.binomial(np.array(list(agree.values())), cells))
        rows.append(_test("draws of one pair: independent", "agree by chance", f"{len(agree)} kinds", math.nan, p))
    words = {name: found[f"words {name}"] for name in DRAWS if f"words {name}" in found}
    if any(kept.size for kept in words.values()):
        again = sum(kept.size - np.unique(kept).size for kept in words.values())
        text = f"{_many(again, 'stretch', 'es')} of 64" if again else "none"
        rows.append(Check("draws that are repeated", "none", text, again == 0))
    coarse = [name for name in ("binding_pvalue", "perturbation_effect", "perturbation_pvalue") if _fine(name, here)]
    if coarse:
        counts = [int(found[f"coarse {name}"]) for name in coarse]
        above = np.array([tails.binomial_above(count, cells, 2.0**-LOW_BITS) for count in counts])
        name, share = "rounding to float16", max(counts) / cells
        rows.append(_test(name, f"{2.0**-LOW_BITS:.2g} end in zeros", f"{share:.2g}", math.nan, tails.smallest(above)))
    return rows


def _fine(name: str, here: Here) -> bool:
    """Tell whether a feature's last binary digits are random."""
    if name == "perturbation_effect":
        return here.asked.fair[1] and not _float32_shows(here, 1 << 30)
    return here.asked.upper > 0


_EVEN = np.full(BINS, 1 / BINS)


def _fit(name: str, expected: str, text: str, counts: np.ndarray, chances: np.ndarray) -> Check:
    fit = tails.goodness_of_fit(counts, chances)
    if fit is None:
        return Check(name, expected, f"{text}; too few pairs or values", None)
    statistic, pvalue, cells = fit
    return _test(name, expected, f"{text}, {_many(cells, 'bin')}", statistic, pvalue)


def _each_tf(name: str, z: np.ndarray, *, enough: bool) -> Check:
    if not enough:
        return Check(name, "", "too few genes", None)
    most = float(np.abs(z).max())
    return _test(name, "within chance", _many(z.size, "column"), most, tails.smallest(tails.normal(z)))


def _many(number: int, word: str, ending: str = "s") -> str:
    return f"{number:,} {word}{'' if number == 1 else ending}"
