"""Tallies of blocks of a dataset: counts and tables that add up to those of the dataset, in any order.

Counts are added; a table describes the genes of each TF, and tables are put side by side by their positions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from yeastxr._blocks import cut_slabs
from yeastxr._utils import run_in_threads
from yeastxr.qc.bins import Axis, pack_axes
from yeastxr.schema import MEASURES, STATUSES

INTEGERS, NUMBERS = ("count", "positive"), ("mean", "variance", "least", "most")
_SLAB_CELLS = 1 << 19
_LEAST_ROW = 256  # shorter rows are not worth their overhead
_LABELS = 2
Place = tuple[int, ...]


class Table(NamedTuple):
    """Statistics of each TF's genes; the last axes are the leading ones and ``tf``."""

    cells: np.ndarray  # [group, ...]
    integers: np.ndarray  # [statistic, quantity, label, ...]
    numbers: np.ndarray
    status_integers: np.ndarray  # [statistic, group, ...], of the magnitude of the perturbation effect
    status_numbers: np.ndarray


class Counts(NamedTuple):
    """Counts of cells, views of one vector."""

    slots: np.ndarray  # [group, quantity, slot]: below, bins, above
    beside: np.ndarray  # [group, quantity, (infinite, NaN)]
    pairs: np.ndarray  # [group, x slot, y slot]
    pairs_missing: np.ndarray  # [group]


@dataclass(frozen=True, eq=False)
class Plan:
    """What to count: quantities (plane, whether its magnitude), two planes as pairs, moments of each TF.

    ``axes`` are those of quantities and the two of pairs; ``along`` says which leading axes counts have, too.
    """

    axes: tuple[Axis, ...]
    quantities: tuple[tuple[int, bool], ...] = ()
    pair: tuple[int, int] | None = None
    signed: bool = False  # whether the first plane of pairs keeps its sign
    moments: bool = False
    along: tuple[bool, ...] = ()

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of :class:`Counts`."""
        groups, n = len(STATUSES), len(self.quantities)
        x, y = (axis.bins + 2 for axis in self.axes[n:]) if self.pair else (0, 0)
        return (groups, n, self.axes[0].bins + 2), (groups, n, 2), (groups, x, y), (groups,)

    def make_counts(self, vector: np.ndarray | None = None) -> tuple[np.ndarray, Counts]:
        """Return a vector, zeros if there is none yet, and the counts that are in it."""
        sizes = [int(np.prod(shape)) for shape in self.shapes]
        if vector is None:
            vector = np.zeros(sum(sizes), np.int64)
        parts = np.split(vector, np.cumsum(sizes)[:-1])
        return vector, Counts(*(part.reshape(shape) for part, shape in zip(parts, self.shapes, strict=True)))

    def make_table(self, shape: tuple[int, ...]) -> Table:
        """Return an empty table, with the leading axes and ``tf`` of that shape; of length 0 without moments."""
        n, groups = len(self.quantities), len(STATUSES)
        shape = shape if self.moments else (0,) * len(shape)
        return Table(
            np.empty((groups, *shape), np.int64),
            np.empty((len(INTEGERS), n, _LABELS, *shape), np.int64),
            np.empty((len(NUMBERS), n, _LABELS, *shape)),
            np.empty((len(INTEGERS), groups, *shape), np.int64),
            np.empty((len(NUMBERS), groups, *shape)),
        )


@dataclass
class Tally:
    """Vectors of counts by their place along leading axes, and tables by their first positions."""

    vectors: dict[Place, np.ndarray] = field(default_factory=dict)
    tables: dict[Place, Table] = field(default_factory=dict)

    def add(self, other: "Tally") -> None:
        """Add a tally of other cells, which stays as it is."""
        for place, vector in other.vectors.items():
            if place in self.vectors:
                self.vectors[place] += vector
            else:
                self.vectors[place] = vector.copy()
        self.tables |= other.tables


def tally_block(
    label: np.ndarray,
    active: np.ndarray | None,
    planes: Sequence[np.ndarray],
    starts: Place,
    plan: Plan,
    threads: int,
    slab_cells: int = _SLAB_CELLS,
) -> Tally:
    """Tally a block ``(..., gene, tf)`` that begins at these positions along the leading axes and ``tf``.

    ``active`` says which bound pairs have conditions that hold; None: all.
    """
    from yeastxr.qc import kernels

    arrays = [label.view(np.uint8), *planes, *([] if active is None else [active.view(np.uint8)])]
    if plan.moments or label.strides[-1] > label.strides[-2] or label.shape[-1] < _LEAST_ROW:
        arrays = [array.swapaxes(-1, -2) for array in arrays]  # else counts are the same with genes as rows
    shape = arrays[0].shape
    axes = pack_axes(plan.axes)
    quantities = np.array(plan.quantities, np.int64).reshape(-1, 2)
    total, lock = Tally(), Lock()
    table = plan.make_table(shape[:-1])
    if plan.moments:
        total.tables[starts] = table

    def work(region: tuple[Any, ...]) -> None:
        code, *slabs = (_make_rows(array[region]) for array in arrays)
        if active is not None:
            code = 2 * code - slabs.pop()
        n = len(slabs)
        vector, counts = plan.make_counts()
        rows = plan.make_table((len(code),))
        # One number of planes, so that numba compiles once.
        padded = tuple((slabs * len(MEASURES))[: len(MEASURES)])
        pair = (*(plan.pair or (-1, -1)), int(plan.signed))
        kernels.tally(code, padded, n, quantities, pair, axes, *counts, tuple(rows))
        if plan.moments:
            for values, part in zip(table, rows, strict=True):
                target = values[(..., *region)]
                target[...] = part.reshape(target.shape)
        place = tuple(starts[axis] + region[axis] for axis, has_counts in enumerate(plan.along) if has_counts)
        with lock:
            total.add(Tally({place: vector}))

    run_in_threads(work, list(_cut_rows(shape, plan.along, slab_cells)), threads)
    return total


def add_tallies(nested: Any) -> Tally:
    """Add up the tallies in nested lists, as dask passes them."""
    total = Tally()
    for part in _flatten(nested):
        total.add(part)
    return total


def make_arrays(total: Tally, plan: Plan, lead: tuple[int, ...], tfs: int) -> dict[str, np.ndarray]:
    """Return all arrays of a summary: counts begin with the leading axes that they have, tables with all."""
    sizes = tuple(n for n, has_counts in zip(lead, plan.along, strict=True) if has_counts)
    counts = Counts(*(np.zeros((*sizes, *shape), np.int64) for shape in plan.shapes))
    for place, vector in total.vectors.items():
        for array, part in zip(counts, plan.make_counts(vector)[1], strict=True):
            array[place] = part
    axis = len(sizes)
    slots, beside, pairs, pairs_missing = (_sum_bound(array, axis) for array in counts)
    result = _name_counts("", slots.swapaxes(axis, axis + 1), beside.swapaxes(axis, axis + 1), pairs, pairs_missing)
    if not plan.moments:
        return result
    result |= _name_counts("status_", counts.slots[..., -1, :], counts.beside[..., -1, :], *counts[2:])
    table = plan.make_table((*lead, tfs))
    for starts, block in total.tables.items():
        ends = np.add(starts, block.cells.shape[1:])
        region: Any = (..., *map(slice, starts, ends))
        for array, values in zip(table, block, strict=True):
            array[region] = values
    own = {"cells": _sum_bound(table.cells, 0), "status_cells": table.cells}
    for prefix, integers, numbers in (("", *table[1:3]), ("status_", *table[3:])):
        own |= zip((prefix + name for name in (*INTEGERS, *NUMBERS)), (*integers, *numbers), strict=True)
    n = len(lead)
    moved = {name: np.moveaxis(array, range(-n - 1, -1), range(n)) for name, array in own.items()}
    return result | {name: np.ascontiguousarray(array) for name, array in moved.items()}  # sums have one order, too


def _make_rows(slab: np.ndarray) -> np.ndarray:
    """Return a slab as ``[row, cell]`` that a kernel takes as it is: in rows, aligned, writeable."""
    return np.require(slab, None, ("C", "A", "W")).reshape(-1, slab.shape[-1])


def _cut_rows(shape: tuple[int, ...], along: tuple[bool, ...], cells: int) -> Iterator[tuple[Any, ...]]:
    """Cut an array of rows into slabs of about that many cells; small planes of the last leading axis go together."""
    *lead, rows, width = shape
    several = cells // (rows * width)
    if lead and not along[-1] and several > 1:
        for index in np.ndindex(*lead[:-1]):
            for first in range(0, lead[-1], several):
                yield *index, slice(first, first + several), slice(None)
    else:
        for index, part in cut_slabs(lead, width, rows, cells):
            yield *index, part


def _sum_bound(groups: np.ndarray, axis: int) -> np.ndarray:
    """Return counts by label of counts by status."""
    unbound, active, inactive = np.moveaxis(groups, axis, 0)
    return np.stack([unbound, active + inactive], axis)


def _name_counts(
    prefix: str, slots: np.ndarray, beside: np.ndarray, pairs: np.ndarray, pairs_missing: np.ndarray
) -> dict[str, np.ndarray]:
    inside = pairs[..., 1:-1, 1:-1]
    counts = {
        "histogram": slots[..., 1:-1],
        "below": slots[..., 0],
        "above": slots[..., -1],
        "infinite": beside[..., 0],
        "missing": beside[..., 1],
        "pairs": inside,
        "pairs_outside": pairs.sum((-2, -1)) - inside.sum((-2, -1)),
        "pairs_missing": pairs_missing,
    }
    return {prefix + name: array for name, array in counts.items()}


def _flatten(nested: Any) -> Iterator[Tally]:
    if isinstance(nested, list):
        for part in nested:
            yield from _flatten(part)
    else:
        yield nested
