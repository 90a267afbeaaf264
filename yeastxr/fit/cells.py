"""The data for a fit, read in one pass over blocks: counts by TF and by gene, moments, and cells of effects.

A cell contains the pairs of one group whose binding and perturbation effects agree in their leading bits. It stores
their number, and the means of both effects and of the square, so that memory does not depend on the number of pairs.
"""

from dataclasses import dataclass, field
from threading import Lock

import numpy as np
import xarray as xr

from yeastxr._blocks import Region, align_features, for_each_block
from yeastxr.errors import InputError
from yeastxr.schema import BACKGROUND_HOPS, BINDING, EXPERIMENT_HOPS, LABEL, PERTURBATION, RESPONSIVE

HOLDS = "holds"  # whether the conditions of a TF hold, if it is bound
GROUPS = 4  # by label (or response) and by conditions: unbound, unbound and failing, bound, bound and failing
MOST_VALUES = 50_000  # largest number of distinct binding effects of a lattice
_MAGNITUDE_SHIFT, _EFFECT_SHIFT = np.uint32(16), np.uint32(17)  # trailing bits of float32 that cells ignore
_MAGNITUDE_BITS, _EFFECT_BITS = 16, 15
_MOST_PENDING = 4_000_000  # cells to collect before merging


@dataclass
class Cells:
    """Cells of pairs, all arrays of shape ``(n,)`` and float64.

    ``effect`` is the mean binding effect of a cell, ``magnitude`` the mean of |perturbation effect|, ``square`` that of
    its square, and ``count`` the number of pairs.
    """

    effect: np.ndarray
    magnitude: np.ndarray
    square: np.ndarray
    count: np.ndarray

    def take(self, part: slice) -> "Cells":
        """Return selected cells."""
        return Cells(self.effect[part], self.magnitude[part], self.square[part], self.count[part])

    def join_effects(self) -> "Cells":
        """Merge cells that differ only in their binding effects."""
        keys = _truncate(self.magnitude.astype(np.float32), _MAGNITUDE_SHIFT)
        _, groups = np.unique(keys, return_inverse=True)
        count = np.bincount(groups, self.count)
        effect, magnitude, square = (
            np.bincount(groups, self.count * values) / count for values in (self.effect, self.magnitude, self.square)
        )
        return Cells(effect, magnitude, square, count)


@dataclass
class Moments:
    """Sums of the binding effects of unbound and of bound pairs, float64 ``(2,)``."""

    count: np.ndarray = field(default_factory=lambda: np.zeros(2))
    total: np.ndarray = field(default_factory=lambda: np.zeros(2))
    square: np.ndarray = field(default_factory=lambda: np.zeros(2))
    least: float = np.inf

    @property
    def mean(self) -> np.ndarray:
        """The mean of each group; NaN if it is empty."""
        with np.errstate(invalid="ignore"):
            return self.total / self.count

    @property
    def mean_square(self) -> np.ndarray:
        """The mean square of each group; NaN if it is empty."""
        with np.errstate(invalid="ignore"):
            return self.square / self.count


@dataclass
class HopCounts:
    """Sums of hops: frequencies of counts, and sums by gene.

    ``background``, ``unbound`` and ``bound`` are int64, by the count of hops. Sums are float64 ``(3, units)``, of
    background hops and of experiment hops of unbound and of bound pairs; a unit is a gene of a replicate.
    """

    background: np.ndarray
    unbound: np.ndarray
    bound: np.ndarray
    number: np.ndarray
    total: np.ndarray
    square: np.ndarray
    ratio: float = 0.0  # the sum of binding effect * background / experiment, over pairs without zeros
    ratio_count: int = 0


@dataclass
class Data:
    """The data for a fit."""

    lead: tuple[int, ...]
    genes: int
    tfs: int
    measured: np.ndarray  # (tfs,) pairs with a binding effect, over replicates
    bound: np.ndarray  # (tfs,) and those of them that are bound
    positive: np.ndarray  # (tfs,) perturbation effects above 0
    negative: np.ndarray  # (tfs,) and below
    known: np.ndarray  # (units,) perturbation effects of each gene that are not missing
    responses: np.ndarray  # (4, units): unbound pairs of a gene, those that respond, bound ones, those that respond
    cells: list[Cells] = field(default_factory=list)  # by group
    values: np.ndarray | None = None  # distinct binding effects, float32, in rising order; None where there are many
    value_counts: np.ndarray | None = None  # (2, values)
    moments: Moments = field(default_factory=Moments)
    hops: HopCounts | None = None

    @property
    def units(self) -> int:
        """The number of genes, over replicates."""
        return self.genes * int(np.prod(self.lead))


def collect(ds: xr.Dataset, holds: xr.DataArray | None) -> Data:
    """Read a dataset once; cells do not include pairs with missing effects.

    Without a label, all pairs are unbound. With the variable ``responsive``, groups of cells are by response.
    """
    names = [BINDING, PERTURBATION]
    names += [name for name in (LABEL, RESPONSIVE, EXPERIMENT_HOPS, BACKGROUND_HOPS) if name in ds.data_vars]
    if holds is not None:
        ds = ds.assign({HOLDS: holds.variable})
        names.append(HOLDS)
    if (EXPERIMENT_HOPS in names) != (BACKGROUND_HOPS in names):
        names = [name for name in names if name not in (EXPERIMENT_HOPS, BACKGROUND_HOPS)]
    arrays = align_features(ds[names], names)
    *lead, genes, tfs = arrays[0].shape
    units = genes * int(np.prod(lead))
    data = Data(
        tuple(lead),
        genes,
        tfs,
        measured=np.zeros(tfs, int),
        bound=np.zeros(tfs, int),
        positive=np.zeros(tfs, int),
        negative=np.zeros(tfs, int),
        known=np.zeros(units),
        responses=np.zeros((4, units)),
    )
    reader = _Reader(data, names)
    for_each_block(arrays, reader.read)
    reader.finish()
    return data


class _Reader:
    """Collects blocks, possibly from several threads."""

    def __init__(self, data: Data, names: list[str]) -> None:
        self._data, self._names, self._lock = data, names, Lock()
        self._pending: list[tuple[np.ndarray, ...]] = []
        self._values: tuple[np.ndarray, np.ndarray] | None = (np.zeros(0, np.float32), np.zeros((2, 0)))
        if EXPERIMENT_HOPS in names:
            empty = np.zeros(0, np.int64)
            data.hops = HopCounts(
                empty, empty, empty, np.zeros((3, data.units)), np.zeros((3, data.units)), np.zeros((3, data.units))
            )

    def read(self, region: Region, blocks: list[np.ndarray]) -> None:
        planes = dict(zip(self._names, blocks, strict=True))
        effect, response = planes[BINDING], planes[PERTURBATION]
        label = planes.get(LABEL, np.zeros(effect.shape, bool))
        known = np.isfinite(effect) & np.isfinite(response)
        responds = planes.get(RESPONSIVE, label)
        group = responds * np.uint64(2) + ~planes.get(HOLDS, np.ones(effect.shape, bool))
        cells = _make_cells(effect[known], np.abs(response[known]), group[known])
        with self._lock:
            self._add_counts(region, planes, label)
            self._add_effects(effect, label)
            self._pending.append(cells)
            if sum(keys.size for keys, *_ in self._pending) > _MOST_PENDING:
                self._pending = [_merge_cells(self._pending)]
            if self._data.hops is not None:
                self._add_hops(region, planes, label)

    def _add_counts(self, region: Region, planes: dict[str, np.ndarray], label: np.ndarray) -> None:
        data, tfs, response = self._data, region[-1], planes[PERTURBATION]
        measured = np.isfinite(
            planes[BINDING]
        )  # the label of a pair without a row is False, which carries no information
        counted = (data.measured, data.bound, data.positive, data.negative)
        for total, plane in zip(counted, (measured, measured & label, response > 0, response < 0), strict=True):
            total[tfs] += plane.sum(axis=tuple(range(plane.ndim - 1)))
        self._get_units(data.known, region)[...] += np.isfinite(response).sum(axis=-1)
        if RESPONSIVE in planes:
            responds = planes[RESPONSIVE]
            for row, plane in zip(data.responses, (~label, ~label & responds, label, label & responds), strict=True):
                self._get_units(row, region)[...] += plane.sum(axis=-1)

    def _get_units(self, row: np.ndarray, region: Region) -> np.ndarray:
        """Return a view of the row of units that a block covers, with the dimensions of the block except TFs."""
        return row.reshape(*self._data.lead, self._data.genes)[region[:-1]]

    def _add_effects(self, effect: np.ndarray, label: np.ndarray) -> None:
        moments = self._data.moments
        finite = np.isfinite(effect)
        for code, own in enumerate((finite & ~label, finite & label)):
            values = effect[own].astype(np.float64)
            moments.count[code] += values.size
            moments.total[code] += values.sum()
            moments.square[code] += (values**2).sum()
        if finite.any():
            moments.least = min(moments.least, float(effect[finite].min()))
        if self._values is None:
            return
        values, counts = self._values
        for code, own in enumerate((finite & ~label, finite & label)):
            distinct, number = np.unique(effect[own], return_counts=True)
            if distinct.size > MOST_VALUES:
                self._values = None
                return
            joined, places = np.unique(np.concatenate([values, distinct]), return_inverse=True)
            table = np.zeros((2, joined.size))
            table[:, places[: values.size]] = counts
            table[code, places[values.size :]] += number
            values, counts = joined, table
        self._values = (values, counts) if values.size <= MOST_VALUES else None

    def _add_hops(self, region: Region, planes: dict[str, np.ndarray], label: np.ndarray) -> None:
        hops = self._data.hops
        assert hops is not None
        measured = np.isfinite(planes[BINDING])  # hops of a pair without a row are 0, which are not counts
        parts = {
            "background": (planes[BACKGROUND_HOPS], measured),
            "unbound": (planes[EXPERIMENT_HOPS], measured & ~label),
            "bound": (planes[EXPERIMENT_HOPS], measured & label),
        }
        for row, (name, (counts, own)) in enumerate(parts.items()):
            if counts.min() < 0:
                raise InputError(f"hops contain {counts.min()}; expected counts of at least 0")
            setattr(hops, name, _add_histograms(getattr(hops, name), np.bincount(counts[own])))
            chosen = np.where(own, counts, 0).astype(np.float64)
            for total, plane in ((hops.number, own), (hops.total, chosen), (hops.square, chosen**2)):
                self._get_units(total[row], region)[...] += plane.sum(axis=-1)
        effect, experiment, background = (planes[name] for name in (BINDING, EXPERIMENT_HOPS, BACKGROUND_HOPS))
        own = (experiment > 0) & (background > 0) & np.isfinite(effect)
        hops.ratio += float((effect[own].astype(np.float64) * background[own] / experiment[own]).sum())
        hops.ratio_count += int(own.sum())

    def finish(self) -> None:
        """Return cells by group, and distinct binding effects."""
        keys, count, effect, magnitude, square = _merge_cells(self._pending)
        for code in range(GROUPS):
            own = keys >> np.uint64(_MAGNITUDE_BITS + _EFFECT_BITS) == code
            means = [total[own] / count[own] for total in (effect, magnitude, square)]
            self._data.cells.append(Cells(means[0], means[1], means[2], count[own]))
        if self._values is not None:
            self._data.values, self._data.value_counts = self._values


def _truncate(values: np.ndarray, shift: np.uint32) -> np.ndarray:
    """Return the leading bits of float32 values as uint64."""
    return (values.view(np.uint32) >> shift).astype(np.uint64)


def find_cell_start(effect: np.ndarray) -> np.ndarray:
    """Return the binding effect nearest to 0 in the cells of effects, float32."""
    return ((effect.view(np.uint32) >> _EFFECT_SHIFT) << _EFFECT_SHIFT).view(np.float32)


def _make_cells(effect: np.ndarray, magnitude: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the keys of cells, in ascending order, their counts, and sums of effects, magnitudes and squares."""
    keys = (group.astype(np.uint64) << np.uint64(_EFFECT_BITS)) | _truncate(effect + np.float32(0), _EFFECT_SHIFT)
    keys = (keys << np.uint64(_MAGNITUDE_BITS)) | _truncate(magnitude, _MAGNITUDE_SHIFT)
    distinct, places = np.unique(keys, return_inverse=True)
    effect, magnitude = effect.astype(np.float64), magnitude.astype(np.float64)
    sums = [np.bincount(places, values, distinct.size) for values in (effect, magnitude, magnitude**2)]
    return distinct, np.bincount(places, minlength=distinct.size).astype(np.float64), *sums


def _merge_cells(parts: list[tuple[np.ndarray, ...]]) -> tuple[np.ndarray, ...]:
    """Add cells of blocks with equal keys."""
    keys, *sums = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    distinct, places = np.unique(keys, return_inverse=True)
    return distinct, *(np.bincount(places, values, distinct.size) for values in sums)


def _add_histograms(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    total = np.zeros(max(first.size, second.size), np.int64)
    total[: first.size] += first
    total[: second.size] += second
    return total
