"""Data without a label: a mixture of two groups, which both effects of a pair distinguish.

In each group, both effects are independent except for the slope. Perturbation effects are folded normal, and binding
effects have any distribution over narrow bins, so that the share of bound pairs in each bin is a parameter. The bound
fraction of each TF follows from its pairs. Parameters of groups are estimated from all pairs together: a mixture of the
same groups with the mean fraction.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

import numpy as np
import xarray as xr

from yeastxr._blocks import Region, align_features, for_each_block
from yeastxr.errors import InputError
from yeastxr.fit.cells import Cells, Data, Moments, find_cell_start
from yeastxr.fit.effects import Folded, Likelihood, Maximum, climb, evaluate_folded, fit_effects, invert, orient
from yeastxr.fit.hops import Estimate
from yeastxr.schema import BINDING, PERTURBATION

NAMES = ("unbound_std", "bound_mean", "bound_std", "slope")
_K = len(NAMES)
_BIN_PAIRS, _MOST_BINS = 400, 400  # mean number of pairs in a bin of binding effects, and largest number of bins
_PRIOR = 0.01  # pseudocount of pairs of each group in each bin, which keeps shares inside (0, 1)
_STARTS = (0.05, 0.15, 0.4)  # shares of the largest |perturbation effects| that form the initial bound group
_EM_STEPS = 12
_UNLIKELY = 1e-6  # p-value of a likelihood ratio that shows a second group
_LEAST_PAIRS = 100
_REACH, _RATIO_BINS = 40.0, 8000  # limit of logarithms of likelihood ratios
_BISECTIONS = 60
_ADVICE = "expected labels, for example from from_tables(label_from=...), or more genes"


@dataclass(frozen=True)
class MixtureFit:
    """Parameters of both groups, reasons for held ones, bound fractions by TF, moments of binding effects by group."""

    effects: Maximum
    reasons: dict[str, str]
    bound: list[Estimate]
    moments: Moments


@dataclass(frozen=True)
class _Binned:
    """Cells by bins of binding effects: edges of bins, float32, the bin of each cell, and means and shares of bins."""

    cells: Cells
    edges: np.ndarray
    bins: np.ndarray
    effects: np.ndarray
    shares: np.ndarray

    @classmethod
    def make(cls, cells: Cells) -> "_Binned":
        edges = _find_edges(cells)
        bins = np.searchsorted(edges, cells.effect.astype(np.float32), side="right")
        count = np.bincount(bins, cells.count)
        effects = np.bincount(bins, cells.count * cells.effect) / count
        return cls(cells, edges, bins, effects, count / count.sum())

    @property
    def size(self) -> int:
        """The number of bins."""
        return self.edges.size + 1


@dataclass(frozen=True)
class _Model:
    """The parameters of a mixture: of :data:`NAMES`, the unbound mean, and the logit of bound pairs of each bin."""

    numbers: np.ndarray
    unbound_mean: float
    logits: np.ndarray

    def evaluate(self, cells: Cells, bins: np.ndarray) -> "_Parts":
        """Return the log density of perturbation effects in both groups, with derivatives."""
        unbound_std, bound_mean, bound_std, slope = self.numbers
        unbound = evaluate_folded(cells, self.unbound_mean, unbound_std)
        bound = evaluate_folded(cells, bound_mean + slope * cells.effect, bound_std)
        return _Parts(unbound, bound, bound.value - unbound.value + self.logits[bins], cells.effect)


@dataclass(frozen=True)
class _Parts:
    """Densities of both groups with derivatives, and the log ratio of bound to unbound."""

    unbound: Folded
    bound: Folded
    ratio: np.ndarray
    effect: np.ndarray

    @property
    def ratio_by_numbers(self) -> np.ndarray:
        """The derivatives of the log ratio by the parameters in :data:`NAMES`, ``(4, n)``."""
        return np.stack([-self.unbound.by_std, self.bound.by_mean, self.bound.by_std, self.bound.by_mean * self.effect])


def fit_mixture(ds: xr.Dataset, data: Data, held: Mapping[str, float]) -> MixtureFit:
    """Fit two groups to pairs without labels, or raise if there is no second group."""
    cells = data.cells[0]
    n = float(cells.count.sum())
    if n < _LEAST_PAIRS:
        raise InputError(f"the dataset has no 'label', and only {n:.0f} pairs with both effects; {_ADVICE}")
    binned = _Binned.make(cells)
    unbound_mean = held.get("unbound_mean", 0.0)
    model = _choose_start(binned, held, unbound_mean)
    start = np.concatenate([model.numbers, model.logits])
    std, varies = model.numbers[0], binned.size > 1
    free = [i for i, name in enumerate(NAMES) if name not in held and (name != "slope" or varies)]
    free += list(range(_K, start.size))

    def evaluate(part: np.ndarray) -> Likelihood:
        point = start.copy()
        point[free] = part
        found = _compute_likelihood(_Model(point[:_K], unbound_mean, point[_K:]), binned)
        return Likelihood(found.value, found.gradient[free], found.curvature[np.ix_(free, free)])

    mean_effect = float(binned.shares @ np.abs(binned.effects))
    scale = np.concatenate([[std] * 3, [std / mean_effect if mean_effect else std], np.ones(binned.size)])[free]
    least, most = np.full(start.size, -np.inf), np.full(start.size, np.inf)
    least[[0, 2]] = 1e-3 * std
    least[_K:], most[_K:] = -30.0, 30.0
    part, best = climb(evaluate, start[free], scale, least[free], most[free])
    point = start.copy()
    point[free] = part
    model = _Model(point[:_K], unbound_mean, point[_K:])
    covariance = invert(-best.curvature)
    _check_groups(model, best.value, _fit_one_group(binned.cells, held), n, covariance, binned)
    own = [NAMES[i] for i in free if i < _K]
    values = dict(zip(NAMES, model.numbers.tolist(), strict=True))
    values |= {"unbound_mean": unbound_mean, "responsive_fraction": 1.0, "indirect_fraction": 0.0}
    effects = orient(Maximum(values, tuple(own), covariance[: len(own), : len(own)], best.value))
    full = np.zeros((start.size, start.size))
    full[np.ix_(free, free)] = covariance
    bound = _fit_fractions(ds, data, model, binned, full)
    bins = np.searchsorted(binned.edges, cells.effect.astype(np.float32), side="right")
    posterior = _find_posterior(model.evaluate(cells, bins).ratio)
    reasons = {} if varies else {"slope": "all pairs have the same binding effect"}
    return MixtureFit(effects, reasons, bound, _weigh_moments(cells, posterior, data.moments.least))


def _find_edges(cells: Cells) -> np.ndarray:
    """Return edges of bins of binding effects, float32, in ascending order.

    They are distinct quantiles, half of them evenly spaced, and half increasingly close to the largest.
    """
    n = float(cells.count.sum())
    half = int(np.clip(n / _BIN_PAIRS, 8, _MOST_BINS)) // 2
    wanted = np.concatenate([np.arange(1, half) / half, 1 - np.geomspace(0.3, min(_BIN_PAIRS / n, 0.1), half)])
    order = np.argsort(cells.effect)
    upto = np.cumsum(cells.count[order]) / n
    edges = cells.effect[order][np.minimum(np.searchsorted(upto, wanted, side="right"), order.size - 1)]
    edges = np.unique(find_cell_start(edges.astype(np.float32)))
    return edges[edges > np.float32(cells.effect.min())]


def _find_posterior(ratio: np.ndarray, fraction: float | np.ndarray = 0.5) -> np.ndarray:
    """Return the probability that a pair is bound, from the log ratio of its densities."""
    from scipy.special import expit

    with np.errstate(divide="ignore"):
        return np.asarray(expit(ratio + np.log(fraction) - np.log1p(-fraction)))


def _compute_likelihood(model: _Model, binned: _Binned) -> Likelihood:
    """Return the log likelihood of perturbation effects given bins, with derivatives by numbers and logits."""
    cells, bins, n = binned.cells, binned.bins, binned.cells.count
    parts = model.evaluate(cells, bins)
    share = _find_posterior(model.logits)
    # log(share f1 + (1 - share) f0) = log f0 + log(1 - share) + log(1 + exp(ratio))
    rest = -np.logaddexp(0, model.logits)
    value = float(n @ (parts.unbound.value + rest[bins] + np.logaddexp(0, parts.ratio)))
    value += _PRIOR * float((rest + rest + model.logits).sum())
    posterior = _find_posterior(parts.ratio)
    bound, unbound = n * posterior, n * (1 - posterior)
    total = np.bincount(bins, n, binned.size)
    gradient = np.concatenate(
        [
            [unbound @ parts.unbound.by_std, bound @ parts.bound.by_mean, bound @ parts.bound.by_std],
            [bound @ (parts.bound.by_mean * cells.effect)],
            np.bincount(bins, bound, binned.size) - total * share + _PRIOR * (1 - 2 * share),
        ]
    )
    curvature = np.zeros((gradient.size, gradient.size))
    ratio, weights = parts.ratio_by_numbers, n * posterior * (1 - posterior)
    curvature[:_K, :_K] = (ratio * weights) @ ratio.T
    for row in range(_K):
        curvature[row, _K:] = curvature[_K:, row] = np.bincount(bins, weights * ratio[row], binned.size)
    spread = np.bincount(bins, weights, binned.size) - (total + 2 * _PRIOR) * share * (1 - share)
    curvature[_K:, _K:] = np.diag(spread)
    x, of_bound = cells.effect, parts.bound
    own = {
        (0, 0): unbound @ parts.unbound.by_std_std,
        (1, 1): bound @ of_bound.by_mean_mean,
        (1, 2): bound @ of_bound.by_mean_std,
        (2, 2): bound @ of_bound.by_std_std,
        (1, 3): bound @ (of_bound.by_mean_mean * x),
        (2, 3): bound @ (of_bound.by_mean_std * x),
        (3, 3): bound @ (of_bound.by_mean_mean * x**2),
    }
    for (row, column), number in own.items():
        curvature[row, column] += number
        if row != column:
            curvature[column, row] += number
    return Likelihood(value, gradient, curvature)


def _choose_start(binned: _Binned, held: Mapping[str, float], unbound_mean: float) -> _Model:
    """Return the most likely result of a few expectation-maximization steps from several starts."""
    cells = binned.cells
    order = np.argsort(-cells.magnitude)
    upto = np.cumsum(cells.count[order]) / cells.count.sum()
    best, most = None, -np.inf
    for share in _STARTS:
        posterior = np.full(cells.count.size, 0.02)
        posterior[order[upto <= share]] = 0.9
        model = None
        for _ in range(_EM_STEPS):
            model = _update(binned, posterior, held, unbound_mean, model)
            posterior = _find_posterior(model.evaluate(cells, binned.bins).ratio)
        assert model is not None
        value = _compute_likelihood(model, binned).value
        if value > most:
            best, most = model, value
    assert best is not None
    return best


def _update(
    binned: _Binned, posterior: np.ndarray, held: Mapping[str, float], unbound_mean: float, last: _Model | None
) -> _Model:
    """Return the model of the next step: weighted moments, and a line through effects with their likely sign."""
    cells = binned.cells
    bound, unbound = cells.count * posterior, cells.count * (1 - posterior)
    counts = [np.bincount(binned.bins, weights, binned.size) + _PRIOR for weights in (unbound, bound)]
    logits = np.log(counts[1] / counts[0])
    square = float(unbound @ cells.square / unbound.sum()) - unbound_mean**2
    unbound_std = held.get("unbound_std", np.sqrt(max(square, 1e-12 * float(cells.square.max()))))
    signed = cells.magnitude
    if last is not None:
        _, mean, std, slope = last.numbers
        signed = signed * np.tanh(signed * (mean + slope * cells.effect) / std**2)
    x, y = (float(bound @ values / bound.sum()) for values in (cells.effect, signed))
    spread = float(bound @ (cells.effect - x) ** 2)
    slope = float(bound @ ((cells.effect - x) * (signed - y))) / spread if spread > 0 else 0.0
    slope = held.get("slope", slope)
    mean = held.get("bound_mean", y - slope * x)
    line = mean + slope * cells.effect
    rest = float(bound @ (cells.square - 2 * signed * line + line**2) / bound.sum())
    std = held.get("bound_std", np.sqrt(max(rest, 1e-4 * float(unbound_std) ** 2)))
    return _Model(np.array([unbound_std, mean, std, slope], np.float64), unbound_mean, logits)


def _fit_one_group(cells: Cells, held: Mapping[str, float]) -> float:
    """Return the log likelihood of perturbation effects of one group, unbound or bound."""
    n = cells.count
    std = np.sqrt(max(float(n @ cells.square / n.sum()) - held.get("unbound_mean", 0.0) ** 2, 1e-300))
    as_unbound = float(n @ evaluate_folded(cells, held.get("unbound_mean", 0.0), std).value)
    nothing = cells.take(slice(0, 0))
    as_bound, _ = fit_effects([nothing, nothing, cells, nothing], held)
    return max(as_unbound, as_bound.log_likelihood)


def _check_groups(
    model: _Model, value: float, value_of_one: float, n: float, covariance: np.ndarray, binned: _Binned
) -> None:
    """Raise if the data do not determine the mixture."""
    from scipy.stats import chi2

    unbound_std, bound_mean, bound_std, slope = model.numbers
    share = _find_posterior(model.logits)
    fraction = float(binned.shares @ share)
    unlikely = 2 * (value - value_of_one) < chi2.isf(_UNLIKELY, _K + binned.size)
    mean = bound_mean + slope * float(binned.shares @ (share * binned.effects)) / fraction
    smaller = mean**2 + bound_std**2 <= model.unbound_mean**2 + unbound_std**2
    few = min(fraction, 1 - fraction) * n < 10
    if unlikely or smaller or few or not np.isfinite(np.diag(covariance)[:_K]).all():
        raise InputError(f"the dataset has no 'label', and its effects do not show a second group of pairs; {_ADVICE}")


def _weigh_moments(cells: Cells, posterior: np.ndarray, least: float) -> Moments:
    """Return moments of binding effects by group, weighting pairs by the probability that they belong to it."""
    weights = np.stack([cells.count * (1 - posterior), cells.count * posterior])
    return Moments(weights.sum(axis=1), weights @ cells.effect, weights @ cells.effect**2, least)


def _fit_fractions(
    ds: xr.Dataset, data: Data, model: _Model, binned: _Binned, covariance: np.ndarray
) -> list[Estimate]:
    """Return the bound fraction of each TF by maximum likelihood, given the groups.

    The variance comes from the information and the uncertainty of the groups, minus that of labels, because the number
    of bound genes is fixed.
    """
    arrays = align_features(ds[[BINDING, PERTURBATION]], [BINDING, PERTURBATION])
    histogram = np.zeros((data.tfs, _RATIO_BINS))
    n_bins, lock = binned.size, Lock()
    share = _find_posterior(model.logits)
    pooled = float(binned.shares @ share)
    pooled_logit = float(np.log(pooled / (1 - pooled)))
    by_logits = binned.shares * share * (1 - share) / (pooled * (1 - pooled))  # derivatives of the pooled logit

    def take(blocks: list[np.ndarray]) -> tuple[Cells, np.ndarray, np.ndarray]:
        """Return pairs of a block as cells of one pair each, their bins, and their TFs."""
        effect, response = blocks
        known = np.isfinite(effect) & np.isfinite(response)
        tf = np.broadcast_to(np.arange(effect.shape[-1]), effect.shape)[known]
        x, y = effect[known], np.abs(response[known].astype(np.float64))
        bins = np.searchsorted(binned.edges, x, side="right")
        return Cells(x.astype(np.float64), y, y**2, np.ones(x.size)), bins, tf

    def count(region: Region, blocks: list[np.ndarray]) -> None:
        cells, bins, tf = take(blocks)
        ratio = model.evaluate(cells, bins).ratio - pooled_logit
        place = np.clip((ratio + _REACH) * (_RATIO_BINS / (2 * _REACH)), 0, _RATIO_BINS - 1).astype(int)
        n = region[-1].stop - region[-1].start
        counts = np.bincount(tf * _RATIO_BINS + place, minlength=n * _RATIO_BINS).reshape(n, -1)
        with lock:
            histogram[region[-1]] += counts

    for_each_block(arrays, count)
    centres = (np.arange(_RATIO_BINS) + 0.5) * (2 * _REACH / _RATIO_BINS) - _REACH
    fractions = _solve_fractions(histogram, np.exp(centres))
    inner = np.clip(fractions, 1e-6, 1 - 1e-6)
    by_bins, by_numbers = np.zeros((data.tfs, n_bins)), np.zeros((data.tfs, _K))

    def differentiate(region: Region, blocks: list[np.ndarray]) -> None:
        cells, bins, tf = take(blocks)
        parts = model.evaluate(cells, bins)
        own = inner[region[-1]][tf]
        posterior = _find_posterior(parts.ratio - pooled_logit, own)
        weights = posterior * (1 - posterior) / (own * (1 - own))
        n = region[-1].stop - region[-1].start
        counts = np.bincount(tf * n_bins + bins, weights, n * n_bins).reshape(n, -1)
        numbers = np.stack([np.bincount(tf, weights * row, n) for row in parts.ratio_by_numbers], axis=1)
        with lock:
            by_bins[region[-1]] += counts
            by_numbers[region[-1]] += numbers

    for_each_block(arrays, differentiate)
    gain = np.expm1(centres)
    estimates = []
    for tf, own in enumerate(inner):
        n = histogram[tf].sum()
        information = float(histogram[tf] @ (gain / (1 + own * gain)) ** 2)
        if not n or not information:
            estimates.append(Estimate(float(fractions[tf]), np.nan))
            continue
        sensitivity = np.concatenate([by_numbers[tf], by_bins[tf] - by_bins[tf].sum() * by_logits])
        sensitivity /= information
        variance = max(1 / information - own * (1 - own) / n, 0.0) + sensitivity @ covariance @ sensitivity
        estimates.append(Estimate(float(fractions[tf]), float(np.sqrt(variance + 1 / (12 * data.genes**2)))))
    return estimates


def _solve_fractions(histogram: np.ndarray, ratios: np.ndarray) -> np.ndarray:
    """Return the fraction in [0, 1] with the largest likelihood for the ratios of each row, by bisection."""
    gain = ratios - 1
    low, high = np.zeros(len(histogram)), np.ones(len(histogram))
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        rises = (histogram * (gain / (1 + middle[:, None] * gain))).sum(axis=1) > 0
        low, high = np.where(rises, middle, low), np.where(rises, high, middle)
    return (low + high) / 2
