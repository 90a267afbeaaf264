"""From reduced data to pictures with theory drawn over them: what :mod:`yeastxr.plot` shows is put together here."""

from typing import Any

import numpy as np
import xarray as xr

from yeastxr import expectations, histograms, scatters
from yeastxr import qc as summaries
from yeastxr.arguments import check_integer
from yeastxr.elements import BINDING, NAMES, PERTURBATION, SIZE
from yeastxr.tallies import STATUS
from yeastxr.theory import GROUPS

_MOST_QUANTILES = 60


def few(ds: xr.Dataset, max_points: int) -> bool:
    """Tell whether the pairs of a dataset, once checked, are few enough to be drawn one by one."""
    most = check_integer("max_points", max_points, least=0)
    return summaries.number_of_cells(ds, BINDING, PERTURBATION) <= most


def histogram_of(ds: xr.Dataset, of: str, summary: xr.Dataset, feature: str, bins: int = summaries.BINS) -> Any:
    """Draw a histogram of a summary; one of perturbation effects is as wide as what it holds."""
    counts = summaries.histogram_of(summary, feature)
    if feature == PERTURBATION:
        counts = _trimmed(counts)
    n = counts.sizes["bin"]
    joined = max(1, round(n / bins))
    joined = next(j for j in range(joined, 0, -1) if n % j == 0)
    cells = counts["cells"].drop_vars(["left", "right", "bin"]).coarsen(bin=joined).sum()
    left, right = counts["left"].values[::joined], counts["right"].values[joined - 1 :: joined]
    merged = counts.drop_vars(["cells", "bin", "left", "right"]).assign(cells=cells)
    merged = merged.assign_coords(bin=("bin", (left + right) / 2), left=("bin", left), right=("bin", right))
    return with_theory(ds, of, merged.assign_attrs(counts.attrs))


def _trimmed(counts: xr.Dataset) -> xr.Dataset:
    """Leave out empty bins at both ends alike, but for a number of bins that many numbers divide."""
    held = np.flatnonzero(counts["cells"].sum("label").values)
    n = counts.sizes["bin"]
    if not held.size or int((counts["below"] + counts["above"]).sum()):
        return counts
    empty = int(min(held[0], n - 1 - held[-1]))
    wanted = n - 2 * empty
    while wanted < n and not (wanted % 60 == 0 or (wanted < 60 and wanted % 2 == 0)):
        wanted += 1
    cut = (n - wanted) // 2
    return counts.isel(bin=slice(cut, n - cut))


def points_of(ds: xr.Dataset, of: str, pairs: xr.Dataset) -> Any:
    """Draw every pair as a point, with the expected means."""
    most = float(pairs[BINDING].max())
    return scatters.points(pairs, of, _expected_lines(ds, most))


def bins_of(ds: xr.Dataset, of: str, counts: xr.Dataset) -> Any:
    """Draw counts of pairs as markers, with the expected means."""
    held = counts["cells"].sum(["label", "y_bin"]).values > 0
    most = float(counts["x_right"].values[held].max()) if held.any() else 1.0
    return scatters.binned_points(counts, of, _expected_lines(ds, most))


def quantiles_of(ds: xr.Dataset, of: str, summary: xr.Dataset) -> Any:
    """Draw quantiles of sizes of perturbation effects of a summary against those of theory."""
    counts = summaries.histogram_of(summary, SIZE)
    edges = counts["right"].values
    drawn = {}
    for bound in NAMES:
        mixed = expectations.parts(ds, SIZE, label=bound)
        cells = counts["cells"].sel(label=bound).values
        total = int(cells.sum() + counts["above"].sel(label=bound))
        if not mixed or not total:
            continue
        below = np.cumsum(cells) / total
        some = np.flatnonzero((cells > 0) & (below < 1))
        if some.size > _MOST_QUANTILES:
            some = some[np.unique(np.linspace(0, some.size - 1, _MOST_QUANTILES).round().astype(int))]
        spread = 3 * np.sqrt(below[some] * (1 - below[some]) / total)
        shares = [np.clip(below[some] + sign * spread, 0, 1 - 0.01 / total) for sign in (0, -1, 1)]
        middle, lower, upper = (expectations.quantiles(mixed, share, 2 * edges[-1]) for share in shares)
        drawn[bound] = (middle, edges[some], lower, upper)
    return histograms.quantile_quantile(drawn, SIZE, of)


def statuses_of(ds: xr.Dataset, of: str, summary: xr.Dataset) -> Any:
    """Draw the size of perturbation effects by status of a summary that has it."""
    counts = summaries.histogram_of(summary, SIZE, bins=120)
    edges = np.append(counts["left"].values, counts["right"].values[-1])
    shares, lines = {}, {}
    for status in STATUS:
        cells = summary["status_histogram"].sel(status=status).values.reshape(120, -1).sum(axis=1)
        total = int(summary["status_cells"].sel(status=status).sum())
        if not total:
            continue
        name = status.removeprefix("bound, ")
        shares[name] = cells / total
        mixed = expectations.parts(ds, SIZE, **GROUPS[status])
        if mixed:
            lines[name] = expectations.shares_of_bins(mixed, edges)
    return histograms.densities(counts, of, shares, lines, "|Perturbation effects| by relation status")


def with_theory(ds: xr.Dataset, of: str, counts: xr.Dataset) -> Any:
    """Draw a histogram with the counts that theory expects."""
    edges = np.append(counts["left"].values, counts["right"].values[-1])
    expected = {}
    for bound in NAMES:
        mixed = expectations.parts(ds, counts.attrs["feature"], label=bound)
        total = int(sum(counts[name].sel(label=bound).sum() for name in ("cells", "below", "above")))
        if mixed and total:
            expected[bound] = total * expectations.shares_of_bins(mixed, edges)
    return histograms.histogram(counts, of, expected)


def _expected_lines(ds: xr.Dataset, most: float) -> dict[str, tuple[np.ndarray, np.ndarray]] | None:
    spec = expectations.specification(ds)
    if spec is None:
        return None
    binding = np.linspace(0, max(most, 1e-6), 65)
    lines = expectations.expected_sizes(spec, binding)
    reach = {"bound": binding, "unbound": binding[binding <= max(most / 5, 1e-6)]}
    return {name: (reach.get(name, binding), sizes[: reach.get(name, binding).size]) for name, sizes in lines.items()}
