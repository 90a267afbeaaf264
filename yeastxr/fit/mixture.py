"""Data without a label: a mixture of two groups, told apart by both effects of a pair.

In each group effects are independent, but for the slope: perturbation effects are folded normal, and binding effects have
any distribution over bins. The bound fraction of each TF then follows from its own pairs. The parameters of groups are those of
all pairs pooled: a mixture of the same groups, in which the fraction is the mean one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

import numpy as np
import xarray as xr

from yeastxr._blocks import Region, align_features, for_each_block
from yeastxr.errors import InputError
from yeastxr.fit.cells import Cells, Data, Moments
from yeastxr.fit.effects import Likelihood, Maximum, climb, evaluate_folded, fit_effects, invert, orient
from yeastxr.fit.hops import Estimate
from yeastxr.schema import BINDING, PERTURBATION

NAMES = ("unbound_std", "bound_mean", "bound_std", "slope")
_K = len(NAMES)
_QUANTILES = (0.1, 0.25, 0.4, 0.55, 0.7, 0.8, 0.9, 0.95, 0.98)  # of binding effects, the edges of bins
_STARTS = (0.05, 0.15, 0.4)  # shares of the largest |perturbation effects| that are the bound group at first
_EM_STEPS = 25
_UNLIKELY = 1e-6  # chance below which a likelihood ratio shows a second group
_LEAST_PAIRS = 100
_REACH, _RATIO_BINS = 40.0, 8000  # of logarithms of likelihood ratios
_BISECTIONS = 60
_ADVICE = "expected a label, such as that of from_tables(label_from=...), or more genes"


@dataclass(frozen=True)
class MixtureFit:
    """Parameters of both groups, why others are held, bound fractions by TF, and moments of binding effects by group."""

    effects: Maximum
    reasons: dict[str, str]
    bound: list[Estimate]
    moments: Moments


@dataclass(frozen=True)
class _Model:
    """The parameters of a mixture: of :data:`NAMES`, the unbound mean, the fraction, and log shares of bins by group."""

    numbers: np.ndarray
    unbound_mean: float
    fraction: float
    log_shares: np.ndarray  # (2, bins)

    @classmethod
    def unpack(cls, point: np.ndarray, unbound_mean: float, bins: int) -> "_Model":
        logits = np.concatenate([point[_K + 1 :].reshape(2, bins - 1), np.zeros((2, 1))], axis=1)
        logits = logits - logits.max(axis=1, keepdims=True)
        shares = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return cls(point[:_K], unbound_mean, float(1 / (1 + np.exp(-point[_K]))), shares)

    def pack(self) -> np.ndarray:
        logits = self.log_shares[:, :-1] - self.log_shares[:, -1:]
        return np.concatenate([self.numbers, [np.log(self.fraction / (1 - self.fraction))], logits.ravel()])

    def evaluate(self, cells: Cells, bins: np.ndarray) -> "_Parts":
        """Return the log density of cells in both groups, with derivatives."""
        unbound_std, bound_mean, bound_std, slope = self.numbers
        unbound = evaluate_folded(cells, self.unbound_mean, unbound_std)
        bound = evaluate_folded(cells, bound_mean + slope * cells.effect, bound_std)
        ratio = bound.value - unbound.value + self.log_shares[1, bins] - self.log_shares[0, bins]
        return _Parts(unbound, bound, ratio, cells.effect)


@dataclass(frozen=True)
class _Parts:
    """Densities of both groups with derivatives, and the log ratio of bound to unbound."""

    unbound: "tuple[np.ndarray, ...]"
    bound: "tuple[np.ndarray, ...]"
    ratio: np.ndarray
    effect: np.ndarray

    @property
    def ratio_by_numbers(self) -> np.ndarray:
        """The derivatives of the log ratio by the parameters in :data:`NAMES`, ``(4, n)``."""
        return np.stack([-self.unbound[2], self.bound[1], self.bound[2], self.bound[1] * self.effect])


def fit_mixture(ds: xr.Dataset, data: Data, held: Mapping[str, float]) -> MixtureFit:
    """Fit two groups to pairs without labels; refuse data that show no second group."""
    cells = data.cells[0]
    n = float(cells.count.sum())
    if n < _LEAST_PAIRS:
        raise InputError(f"the dataset has no 'label', and {n:.0f} pairs with both effects; {_ADVICE}")
    edges = _find_edges(cells)
    bins = np.searchsorted(edges, cells.effect.astype(np.float32), side="right")
    n_bins = edges.size + 1
    unbound_mean = held.get("unbound_mean", 0.0)
    model = _choose_start(cells, bins, n_bins, held, unbound_mean)
    start = model.pack()
    std = model.numbers[0]
    varies = float(np.ptp(cells.effect)) > 0
    free = [i for i, name in enumerate(NAMES) if name not in held and (name != "slope" or varies)]
    free += list(range(_K, start.size))

    def evaluate(part: np.ndarray) -> Likelihood:
        point = start.copy()
        point[free] = part
        found = _compute_likelihood(_Model.unpack(point, unbound_mean, n_bins), cells, bins)
        return Likelihood(found.value, found.gradient[free], found.curvature[np.ix_(free, free)])

    mean_effect = float(cells.count @ np.abs(cells.effect)) / n
    scale = np.concatenate([[std] * 3, [std / mean_effect if mean_effect else std], np.ones(start.size - _K)])[free]
    least = np.full(start.size, -np.inf)
    least[[0, 2]] = 1e-3 * std
    least[_K + 1 :], most = -30.0, np.where(np.arange(start.size) > _K, 30.0, np.inf)
    part, best = climb(evaluate, start[free], scale, least[free], most[free])
    point = start.copy()
    point[free] = part
    model = _Model.unpack(point, unbound_mean, n_bins)
    covariance = invert(-best.curvature)
    _check_groups(model, best.value, _fit_one_group(cells, bins, n_bins, held), n, covariance, cells)
    own = [NAMES[i] for i in free if i < _K]
    values = dict(zip(NAMES, model.numbers.tolist(), strict=True))
    values |= {"unbound_mean": unbound_mean, "responsive_fraction": 1.0, "indirect_fraction": 0.0}
    effects = orient(Maximum(values, tuple(own), covariance[: len(own), : len(own)], best.value))
    full = np.zeros((start.size, start.size))
    full[np.ix_(free, free)] = covariance
    bound = _fit_fractions(ds, data, model, edges, full)
    posterior = _find_posterior(model.evaluate(cells, bins).ratio, model.fraction)
    reasons = {} if varies else {"slope": "pairs have one binding effect"}
    return MixtureFit(effects, reasons, bound, _weigh_moments(cells, posterior, data.moments.least))


def _find_edges(cells: Cells) -> np.ndarray:
    """Return edges of bins of binding effects, float32, in rising order: quantiles, without those that coincide."""
    order = np.argsort(cells.effect)
    upto = np.cumsum(cells.count[order]) / cells.count.sum()
    edges = cells.effect[order][np.minimum(np.searchsorted(upto, _QUANTILES, side="right"), order.size - 1)]
    edges = np.unique(edges.astype(np.float32))
    return edges[edges > np.float32(cells.effect.min())]


def _find_posterior(ratio: np.ndarray, fraction: float | np.ndarray) -> np.ndarray:
    """Return the probability that a pair is bound, from the log ratio of its densities."""
    from scipy.special import expit

    with np.errstate(divide="ignore"):
        return np.asarray(expit(ratio + np.log(fraction) - np.log1p(-fraction)))


def _compute_likelihood(model: _Model, cells: Cells, bins: np.ndarray) -> Likelihood:
    """Return the log likelihood of cells, with derivatives by what :meth:`_Model.pack` returns."""
    from scipy.special import logsumexp

    parts, n = model.evaluate(cells, bins), cells.count
    logs = np.stack(
        [
            np.log1p(-model.fraction) + model.log_shares[0, bins] + parts.unbound[0],
            np.log(model.fraction) + model.log_shares[1, bins] + parts.bound[0],
        ]
    )
    value = float(n @ logsumexp(logs, axis=0))
    posterior = _find_posterior(parts.ratio, model.fraction)
    bound, unbound = n * posterior, n * (1 - posterior)
    n_bins = model.log_shares.shape[1]
    is_bin = np.zeros((n_bins - 1, n.size))
    inner = bins < n_bins - 1
    is_bin[bins[inner], np.flatnonzero(inner)] = 1
    shares = np.exp(model.log_shares[:, :-1])
    scores = [is_bin - shares[code][:, None] for code in (0, 1)]
    # What the log ratio gains by each parameter.
    ratio = np.concatenate([parts.ratio_by_numbers, np.ones((1, n.size)), -scores[0], scores[1]])
    gradient = np.concatenate(
        [
            [unbound @ parts.unbound[2], bound @ parts.bound[1], bound @ parts.bound[2]],
            [bound @ (parts.bound[1] * cells.effect), bound.sum() - n.sum() * model.fraction],
            scores[0] @ unbound,
            scores[1] @ bound,
        ]
    )
    curvature = (ratio * (n * posterior * (1 - posterior))) @ ratio.T
    x, by_mean_mean, by_mean_std, by_std_std = cells.effect, *parts.bound[3:]
    own = {
        (0, 0): unbound @ parts.unbound[5],
        (1, 1): bound @ by_mean_mean,
        (1, 2): bound @ by_mean_std,
        (2, 2): bound @ by_std_std,
        (1, 3): bound @ (by_mean_mean * x),
        (2, 3): bound @ (by_mean_std * x),
        (3, 3): bound @ (by_mean_mean * x**2),
        (_K, _K): -n.sum() * model.fraction * (1 - model.fraction),
    }
    for (row, column), number in own.items():
        curvature[row, column] += number
        if row != column:
            curvature[column, row] += number
    for code, total in enumerate((unbound.sum(), bound.sum())):
        at = slice(_K + 1 + code * (n_bins - 1), _K + 1 + (code + 1) * (n_bins - 1))
        curvature[at, at] -= total * (np.diag(shares[code]) - np.outer(shares[code], shares[code]))
    return Likelihood(value, gradient, curvature)


def _choose_start(
    cells: Cells, bins: np.ndarray, n_bins: int, held: Mapping[str, float], unbound_mean: float
) -> _Model:
    """Return the likeliest outcome of a few expectation-maximization steps from some starts."""
    order = np.argsort(-cells.magnitude)
    upto = np.cumsum(cells.count[order]) / cells.count.sum()
    best, most = None, -np.inf
    for share in _STARTS:
        posterior = np.full(cells.count.size, 0.02)
        posterior[order[upto <= share]] = 0.9
        model = None
        for _ in range(_EM_STEPS):
            model = _update(cells, bins, n_bins, posterior, held, unbound_mean, model)
            posterior = _find_posterior(model.evaluate(cells, bins).ratio, model.fraction)
        assert model is not None
        value = _compute_likelihood(model, cells, bins).value
        if value > most:
            best, most = model, value
    assert best is not None
    return best


def _update(
    cells: Cells,
    bins: np.ndarray,
    n_bins: int,
    posterior: np.ndarray,
    held: Mapping[str, float],
    unbound_mean: float,
    last: _Model | None,
) -> _Model:
    """Return the model of the next step: weighted moments, and a line through effects with their likely sign."""
    bound, unbound = cells.count * posterior, cells.count * (1 - posterior)
    fraction = float(np.clip(bound.sum() / cells.count.sum(), 1e-6, 1 - 1e-6))
    counts = np.stack([np.bincount(bins, weights, n_bins) for weights in (unbound, bound)]) + 0.5
    log_shares = np.log(counts / counts.sum(axis=1, keepdims=True))
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
    return _Model(np.array([unbound_std, mean, std, slope], np.float64), unbound_mean, fraction, log_shares)


def _fit_one_group(cells: Cells, bins: np.ndarray, n_bins: int, held: Mapping[str, float]) -> float:
    """Return the log likelihood of one group, unbound or bound."""
    n = cells.count
    std = np.sqrt(max(float(n @ cells.square / n.sum()) - held.get("unbound_mean", 0.0) ** 2, 1e-300))
    as_unbound = float(n @ evaluate_folded(cells, held.get("unbound_mean", 0.0), std).value)
    groups = [cells.take(slice(0, 0))] * 2 + [cells, cells.take(slice(0, 0))]
    as_bound, _ = fit_effects(groups, held)
    counts = np.bincount(bins, n, n_bins)
    own = counts[counts > 0]
    return float(max(as_unbound, as_bound.log_likelihood) + own @ np.log(own / n.sum()))


def _check_groups(
    model: _Model, value: float, value_of_one: float, n: float, covariance: np.ndarray, cells: Cells
) -> None:
    """Refuse a mixture that the data do not determine."""
    from scipy.stats import chi2

    unbound_std, bound_mean, bound_std, slope = model.numbers
    unlikely = 2 * (value - value_of_one) < chi2.isf(_UNLIKELY, _K + model.log_shares.shape[1])
    mean = bound_mean + slope * float(cells.count @ cells.effect / n)
    smaller = mean**2 + bound_std**2 <= model.unbound_mean**2 + unbound_std**2
    few = min(model.fraction, 1 - model.fraction) * n < 10
    if unlikely or smaller or few or not np.isfinite(np.diag(covariance)[:_K]).all():
        raise InputError(f"the dataset has no 'label', and its effects show no second group of pairs; {_ADVICE}")


def _weigh_moments(cells: Cells, posterior: np.ndarray, least: float) -> Moments:
    """Return moments of binding effects by group, each pair with the probability that it is of that group."""
    weights = np.stack([cells.count * (1 - posterior), cells.count * posterior])
    return Moments(weights.sum(axis=1), weights @ cells.effect, weights @ cells.effect**2, least)


def _fit_fractions(
    ds: xr.Dataset, data: Data, model: _Model, edges: np.ndarray, covariance: np.ndarray
) -> list[Estimate]:
    """Return the bound fraction of each TF, by maximum likelihood given the groups.

    The variance is that of the information, with the uncertainty of the groups, less that of labels: a specification binds a
    fixed number of genes.
    """
    arrays = align_features(ds[[BINDING, PERTURBATION]], [BINDING, PERTURBATION])
    histogram = np.zeros((data.tfs, _RATIO_BINS))
    n_bins, lock = edges.size + 1, Lock()
    size = covariance.shape[0]

    def take(blocks: list[np.ndarray]) -> tuple[Cells, np.ndarray, np.ndarray]:
        """Return pairs of a block as cells of one pair each, their bins, and their TFs."""
        effect, response = blocks
        known = np.isfinite(effect) & np.isfinite(response)
        tf = np.broadcast_to(np.arange(effect.shape[-1]), effect.shape)[known]
        x, y = effect[known], np.abs(response[known].astype(np.float64))
        cells = Cells(x.astype(np.float64), y, y**2, np.ones(x.size))
        return cells, np.searchsorted(edges, x, side="right"), tf

    def count(region: Region, blocks: list[np.ndarray]) -> None:
        cells, bins, tf = take(blocks)
        ratio = model.evaluate(cells, bins).ratio
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
        posterior = _find_posterior(parts.ratio, own)
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
    for tf, share in enumerate(inner):
        n = histogram[tf].sum()
        information = float(histogram[tf] @ (gain / (1 + share * gain)) ** 2)
        if not n or not information:
            estimates.append(Estimate(float(fractions[tf]), np.nan))
            continue
        sensitivity = np.zeros(size)
        sensitivity[:_K] = by_numbers[tf]
        for code, sign in ((0, -1), (1, 1)):
            at = slice(_K + 1 + code * (n_bins - 1), _K + 1 + (code + 1) * (n_bins - 1))
            shares = np.exp(model.log_shares[code, :-1])
            sensitivity[at] = sign * (by_bins[tf, :-1] - by_bins[tf].sum() * shares)
        sensitivity /= information
        variance = max(1 / information - share * (1 - share) / n, 0.0) + sensitivity @ covariance @ sensitivity
        estimates.append(Estimate(float(fractions[tf]), float(np.sqrt(variance + 1 / (12 * data.genes**2)))))
    return estimates


def _solve_fractions(histogram: np.ndarray, ratios: np.ndarray) -> np.ndarray:
    """Return the fraction of each row at which the likelihood of ratios is largest, in [0, 1], by bisection."""
    gain = ratios - 1
    low, high = np.zeros(len(histogram)), np.ones(len(histogram))
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        rises = (histogram * (gain / (1 + middle[:, None] * gain))).sum(axis=1) > 0
        low, high = np.where(rises, middle, low), np.where(rises, high, middle)
    return (low + high) / 2
