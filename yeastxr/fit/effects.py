"""Maximum likelihood of perturbation effects: means and standard deviations by group, slope, and response shares.

The likelihood is that of :mod:`yeastxr.theory`: the magnitude of an effect follows a folded normal distribution whose
mean :class:`yeastxr.simulation.adjustment.MeanModel` gives, or a mixture of two where pairs respond by chance. Signs
are independent of it. Standard errors come from the observed information.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from yeastxr.fit.cells import Cells

NAMES = (
    "unbound_mean",
    "unbound_std",
    "bound_mean",
    "bound_std",
    "slope",
    "responsive_fraction",
    "indirect_fraction",
)
STDS, FRACTIONS = ("unbound_std", "bound_std"), ("responsive_fraction", "indirect_fraction")
EVIDENCE = 12.0  # twice the gain in log likelihood that frees a parameter (p-value 3e-4)
_NEAR_ZERO = 16.0  # the same for a mean, whose estimate is not normal near 0
_LOG_ROOT = 0.5 * np.log(2 * np.pi)
_MOST_STEPS, _MOST_DAMPING = 60, 1e12
_CLOSE = 1e-7  # tolerance of the log likelihood at a maximum


@dataclass(frozen=True)
class Maximum:
    """The parameters with the largest likelihood, and the covariance of the free ones."""

    values: dict[str, float]
    free: tuple[str, ...]
    covariance: np.ndarray
    log_likelihood: float

    def find_error(self, name: str) -> float:
        """Return the standard error of a parameter; NaN if it is not free or not determined by the data."""
        if name not in self.free:
            return np.nan
        variance = float(self.covariance[self.free.index(name), self.free.index(name)])
        return float(np.sqrt(variance)) if variance > 0 else np.nan


class Folded(NamedTuple):
    """The log density of cells under a folded normal distribution, and its derivatives with respect to mean and s.d."""

    value: np.ndarray
    by_mean: np.ndarray
    by_std: np.ndarray
    by_mean_mean: np.ndarray
    by_mean_std: np.ndarray
    by_std_std: np.ndarray


def evaluate_folded(cells: Cells, mean: np.ndarray | float, std: float) -> Folded:
    """Return the mean log density of the pairs of each cell, and its derivatives.

    ``log f(y) = -log(std sqrt(2 pi)) - (y^2 + mean^2) / (2 std^2) + log(2 cosh(y mean / std^2))``
    """
    y, variance = cells.magnitude, std**2
    ratio = y * mean / variance
    tilt = np.tanh(ratio)
    bend = 1 - tilt**2
    spread = (cells.square + np.square(mean)) / variance
    return Folded(
        -np.log(std) - _LOG_ROOT - spread / 2 + np.logaddexp(ratio, -ratio),
        (y * tilt - mean) / variance,
        (spread - 1 - 2 * ratio * tilt) / std,
        (y**2 * bend / variance - 1) / variance,
        -2 * (y * tilt - mean + ratio * y * bend) / std**3,
        (1 - 3 * spread + 6 * ratio * tilt + 4 * ratio**2 * bend) / variance,
    )


class Likelihood(NamedTuple):
    """A log likelihood, its gradient ``(k,)`` and its second derivatives ``(k, k)``."""

    value: float
    gradient: np.ndarray
    curvature: np.ndarray


class _Part(NamedTuple):
    """A part of a mixture: its density and share, the share's derivative, and the columns of mean, slope and s.d."""

    folded: Folded
    share: float
    sign: float
    columns: tuple[str, str | None, str]


def evaluate_effects(values: Mapping[str, float], groups: Sequence[Cells]) -> Likelihood:
    """Return the log likelihood of cells by group, with derivatives with respect to :data:`NAMES`.

    Groups are unbound pairs whose TF's conditions hold or fail, and bound pairs whose conditions hold or fail. Pairs
    that respond have the means of active or inactive pairs; all others have the effects of unbound pairs.
    """
    k = len(NAMES)
    total, gradient, curvature = 0.0, np.zeros(k), np.zeros((k, k))
    for code, cells in enumerate(groups):
        if not cells.count.size:
            continue
        share_name = FRACTIONS[0] if code >= 2 else FRACTIONS[1]
        parts = _list_parts(cells, values, values[share_name], holds=code % 2 == 0)
        logs = [np.log(part.share) + part.folded.value for part in parts]
        mixed = logs[0] if len(logs) == 1 else np.logaddexp(*logs)
        total += float(cells.count @ mixed)
        scores = np.zeros((k, cells.count.size))  # the gradient of a cell's log density
        for log, part in zip(logs, parts, strict=True):
            weights = np.exp(log - mixed)
            own, second = _differentiate(part, cells.effect)
            for (row, column), values_of_cells in second.items():
                number = float((cells.count * weights) @ values_of_cells)
                curvature[row, column] += number
                curvature[column, row] += number if row != column else 0.0
            if len(parts) > 1:  # the scores of parts spread about those of the mixture
                at = NAMES.index(share_name)
                own[at] = np.full(cells.count.size, part.sign / part.share)
                curvature[at, at] -= float(cells.count @ weights) / part.share**2
                rows, stacked = list(own), np.stack(list(own.values()))
                curvature[np.ix_(rows, rows)] += (stacked * (cells.count * weights)) @ stacked.T
            for row, score in own.items():
                scores[row] += weights * score
        gradient += scores @ cells.count
        if len(parts) > 1:
            curvature -= (scores * cells.count) @ scores.T
    return Likelihood(total, gradient, curvature)


def _list_parts(cells: Cells, values: Mapping[str, float], share: float, *, holds: bool) -> list[_Part]:
    """Return the parts of a group: pairs that do not respond and, if the share is above 0, pairs that do."""
    parts = []
    if share < 1:
        folded = evaluate_folded(cells, values["unbound_mean"], values["unbound_std"])
        parts.append(_Part(folded, 1 - share, -1.0, ("unbound_mean", None, "unbound_std")))
    if share > 0:
        mean = values["bound_mean"] + values["slope"] * cells.effect if holds else values["unbound_mean"]
        columns = ("bound_mean", "slope", "bound_std") if holds else ("unbound_mean", None, "bound_std")
        parts.append(_Part(evaluate_folded(cells, mean, values["bound_std"]), share, 1.0, columns))
    return parts


def _differentiate(part: _Part, effect: np.ndarray) -> tuple[dict[int, np.ndarray], dict[tuple[int, int], np.ndarray]]:
    """Return first and second derivatives of the log density of a part, by positions in :data:`NAMES`."""
    folded, (mean_name, slope_name, std_name) = part.folded, part.columns
    m, s = NAMES.index(mean_name), NAMES.index(std_name)
    first = {m: folded.by_mean, s: folded.by_std}
    second = {(m, m): folded.by_mean_mean, (m, s): folded.by_mean_std, (s, s): folded.by_std_std}
    if slope_name:
        b = NAMES.index(slope_name)
        first[b] = folded.by_mean * effect
        second |= {
            (m, b): folded.by_mean_mean * effect,
            (b, b): folded.by_mean_mean * effect**2,
            (b, s): folded.by_mean_std * effect,
        }
    return first, second


def maximize(
    free: Sequence[str], start: Mapping[str, float], groups: Sequence[Cells], scale: Mapping[str, float]
) -> Maximum:
    """Maximize the likelihood over the free parameters, with all others held at the start."""
    # Without indirect responses, unbound pairs need no binding effects, so few cells are enough.
    if "indirect_fraction" not in free and not start["indirect_fraction"]:
        groups = [cells.join_effects() if code < 2 else cells for code, cells in enumerate(groups)]
    places = [NAMES.index(name) for name in free]

    def evaluate(point: np.ndarray) -> Likelihood:
        found = evaluate_effects({**start, **dict(zip(free, point.tolist(), strict=True))}, groups)
        return Likelihood(found.value, found.gradient[places], found.curvature[np.ix_(places, places)])

    least = [1e-6 * scale[name] if name in STDS else 1e-6 if name in FRACTIONS else -np.inf for name in free]
    most = [1 - 1e-6 if name in FRACTIONS else np.inf for name in free]
    point, best = climb(
        evaluate,
        np.array([start[name] for name in free]),
        np.array([scale[name] for name in free]),
        np.array(least),
        np.array(most),
    )
    values = {**start, **dict(zip(free, point.tolist(), strict=True))}
    return Maximum(values, tuple(free), invert(-best.curvature), best.value)


def climb(
    evaluate: Callable[[np.ndarray], Likelihood],
    start: np.ndarray,
    scale: np.ndarray,
    least: np.ndarray,
    most: np.ndarray,
) -> tuple[np.ndarray, Likelihood]:
    """Maximize a likelihood from a start by damped Newton steps (Levenberg and Marquardt).

    ``scale`` is the order of magnitude of each parameter; ``least`` and ``most`` are bounds.
    """
    point, best = start.copy(), evaluate(start)
    damping = 1e-3
    for _ in range(_MOST_STEPS):
        if not point.size:
            break
        information = -best.curvature * np.outer(scale, scale)
        at_bound = ((point <= least) & (best.gradient < 0)) | ((point >= most) & (best.gradient > 0))
        moving = np.flatnonzero(~at_bound)
        gradient, information = (best.gradient * scale)[moving], information[np.ix_(moving, moving)]
        unit = np.abs(np.diag(information)) + 1e-300
        while damping < _MOST_DAMPING:
            step = _solve_positive(information + damping * np.diag(unit), gradient)
            if step is not None:
                moved = point.copy()
                moved[moving] += step * scale[moving]
                moved = np.clip(moved, least, most)
                trial = evaluate(moved)
                if trial.value > best.value or np.array_equal(moved, point):
                    break
                if gradient @ step < _CLOSE:
                    return point, best
            damping *= 8
        else:
            break
        gain = trial.value - best.value
        point, best, damping = moved, trial, damping / 20
        if gain < _CLOSE and damping < 1e-3:
            break
    return point, best


def _solve_positive(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray | None:
    """Solve a linear equation, or return None if the matrix is not positive definite."""
    try:
        np.linalg.cholesky(matrix)
        return np.asarray(np.linalg.solve(matrix, vector))
    except np.linalg.LinAlgError:
        return None


def invert(information: np.ndarray) -> np.ndarray:
    """Return the inverse of an information matrix; NaN if it is not positive definite."""
    unit = np.sqrt(np.abs(np.diag(information)))
    if not (np.isfinite(information).all() and (unit > 0).all()):
        return np.full(information.shape, np.nan)
    scaled = information / np.outer(unit, unit)
    inverse = _solve_positive(scaled, np.eye(unit.size))
    return np.full(information.shape, np.nan) if inverse is None else inverse / np.outer(unit, unit)


def choose_start(groups: Sequence[Cells], held: Mapping[str, float]) -> dict[str, float]:
    """Return moments as a start: root mean squares, and a line through |perturbation effect| by binding effect."""
    start = {"unbound_mean": 0.0, "slope": 0.0, "responsive_fraction": 1.0, "indirect_fraction": 0.0}
    unbound = sum(float(cells.count.sum()) for cells in groups[:2])
    square = sum(float(cells.count @ cells.square) for cells in groups[:2])
    start["unbound_std"] = float(np.sqrt(square / unbound)) if unbound and square else 1.0
    start |= {"bound_mean": 0.0, "bound_std": start["unbound_std"]}
    active = groups[2]
    if active.count.size:
        n = active.count.sum()
        x, y = (float(active.count @ values) / n for values in (active.effect, active.magnitude))
        spread = float(active.count @ (active.effect - x) ** 2)
        if "slope" not in held and spread > 0:
            start["slope"] = float(active.count @ ((active.effect - x) * (active.magnitude - y))) / spread
        start["slope"] = held.get("slope", start["slope"])
        start["bound_mean"] = max(y - start["slope"] * x, 0.1 * y)
        mean = start["bound_mean"] + start["slope"] * active.effect
        rest = float(active.count @ (active.square - 2 * active.magnitude * mean + mean**2)) / n
        start["bound_std"] = float(np.sqrt(max(rest, 1e-4 * y**2, 1e-300)))
    return {**start, **held}


def list_scales(start: Mapping[str, float], groups: Sequence[Cells]) -> dict[str, float]:
    """Return the order of magnitude of each parameter."""
    std = max(start["unbound_std"], start["bound_std"], 1e-300)
    n = sum(float(cells.count.sum()) for cells in groups)
    effect = sum(float(cells.count @ np.abs(cells.effect)) for cells in groups) / max(n, 1.0)
    scales = dict.fromkeys(NAMES, std) | dict.fromkeys(FRACTIONS, 0.1)
    return scales | {"slope": std / effect if effect > 0 else std}


def _say_number(n: float, noun: str) -> str:
    """Describe a number of pairs."""
    return f"there is 1 {noun}" if n == 1 else f"there are {n:.0f} {noun}s"


def fit_effects(groups: Sequence[Cells], held: Mapping[str, float]) -> tuple[Maximum, dict[str, str]]:
    """Fit the effects of pairs by group, and give reasons for parameters at their defaults.

    The s.d. of both groups, and the mean and slope of bound pairs, are free. The unbound mean and the response shares
    are free only if the data show that they differ from 0, 1 and 0: at these values, their estimates are not normal,
    and their standard errors would be meaningless.
    """
    reasons: dict[str, str] = {}
    n_unbound, n_active, n_failing = (
        sum(float(cells.count.sum()) for cells in part) for part in (groups[:2], groups[2:3], groups[3:])
    )
    start = choose_start(groups, held)
    scale = list_scales(start, groups)
    free = []
    if n_unbound >= 2:
        free.append("unbound_std")
    if n_active + n_failing >= 2:
        free.append("bound_std")
    if n_active >= 3:
        free.append("bound_mean")
        active = groups[2]
        varies = active.effect.size > 1 and np.ptp(active.effect) > 0 and n_active >= 4
        if varies:
            free.append("slope")
        else:
            reasons["slope"] = "all bound pairs have the same binding effect"
    for name, n, words in (("unbound_std", n_unbound, "unbound"), ("bound_std", n_active + n_failing, "bound")):
        if n < 2:
            reasons[name] = _say_number(n, f"{words} pair") + " with effects"
    if n_active < 3:
        few = _say_number(n_active, "bound pair") + " with effects whose conditions hold"
        reasons |= {"bound_mean": few, "slope": few}
    free = [name for name in free if name not in held]
    best = maximize(free, start, groups, scale)
    candidates = [("unbound_mean", 0.5), ("responsive_fraction", 0.7), ("indirect_fraction", 0.05)]
    wanted = [(name, value) for name, value in candidates if name not in held]
    if n_active < 3 or n_unbound < 2:
        wanted = [(name, value) for name, value in wanted if name == "unbound_mean" and n_unbound >= 2]
    if "bound_mean" in best.free and not _differs_from_zero(best, groups, scale):
        reasons["bound_mean"] = "the mean of bound pairs does not differ significantly from 0"
        free = [name for name in free if name not in ("bound_mean", "slope")]
        best = maximize(free, {**best.values, "bound_mean": 0.0, "slope": 0.0}, groups, scale)
        wanted = [(name, value) for name, value in wanted if name == "unbound_mean"]
    joined = [cells.join_effects() if code < 2 else cells for code, cells in enumerate(groups)]
    while wanted:  # free the parameter with the largest gain first
        trials = {}
        for name, value in wanted:
            first = {**best.values, name: value}
            if name == "unbound_mean":  # held at first, because the likelihood is flat near 0
                total = float(np.hypot(best.values["unbound_std"], best.values["unbound_mean"]))
                first |= {name: value * total, "unbound_std": np.sqrt(1 - value**2) * total}
                tried = maximize(best.free, first, groups, scale)
                if tried.log_likelihood < best.log_likelihood:
                    continue
                first = tried.values
            elif name == "indirect_fraction":  # first with mean binding effects, which is ten times faster
                tried = maximize([*best.free, name], first, joined, scale)
                if 2 * (tried.log_likelihood - best.log_likelihood) < EVIDENCE / 2:
                    continue
                first = tried.values
            trials[name] = maximize([*best.free, name], first, groups, scale)
        if not trials:
            break
        name = max(trials, key=lambda name: trials[name].log_likelihood)
        gain = 2 * (trials[name].log_likelihood - best.log_likelihood)
        if gain < (_NEAR_ZERO if name == "unbound_mean" else EVIDENCE):
            break
        best = trials[name]
        wanted = [(other, value) for other, value in wanted if other != name]
    defaults = {"unbound_mean": 0, "responsive_fraction": 1, "indirect_fraction": 0}
    for name, _ in wanted:
        reasons[name] = f"it does not differ significantly from {defaults[name]}"
    return orient(best), reasons


def _differs_from_zero(best: Maximum, groups: Sequence[Cells], scale: Mapping[str, float]) -> bool:
    """Return whether the mean of bound pairs differs from 0, by the likelihood in unclear cases."""
    mean = abs(best.values["bound_mean"])
    if mean > 8 * best.find_error("bound_mean") and mean > best.values["bound_std"]:
        return True
    free = [name for name in best.free if name not in ("bound_mean", "slope")]
    start = {**best.values, "bound_mean": 0.0, "slope": 0.0}
    start["bound_std"] = float(np.hypot(best.values["bound_mean"], best.values["bound_std"]))
    return 2 * (best.log_likelihood - maximize(free, start, groups, scale).log_likelihood) > _NEAR_ZERO


def orient(best: Maximum) -> Maximum:
    """Return the maximum with positive means, because folding removes the signs of means and slopes."""
    values, signs = dict(best.values), np.ones(len(best.free))
    for name, others in (("bound_mean", ("bound_mean", "slope")), ("unbound_mean", ("unbound_mean",))):
        if values[name] < 0 and name in best.free:
            for other in others:
                values[other] = -values[other]
                if other in best.free:
                    signs[best.free.index(other)] = -1
    return Maximum(values, best.free, best.covariance * np.outer(signs, signs), best.log_likelihood)
