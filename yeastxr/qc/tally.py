"""Tallies of blocks of a dataset: what a summary is made of, to be added up in any order.

A tally holds counts, which add, and a table of each slab of TFs, which are put side by side by their positions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from yeastxr._utils import run_in_threads
from yeastxr.qc.bins import Axis, pack_axes
from yeastxr.schema import MAGNITUDE, QUANTITIES

_SIZE_AT = QUANTITIES.index(MAGNITUDE)
INTEGERS, NUMBERS = ("count", "positive"), ("mean", "variance", "least", "most")
_SLAB_CELLS = 1 << 19
_GROUPS, _LABELS = 3, 2
Place = tuple[int, ...]


class Table(NamedTuple):
    """What there is to say of each TF of a slab; the last axis is ``tf``."""

    cells: np.ndarray  # [group, tf]
    integers: np.ndarray  # [statistic, quantity, label, tf]
    numbers: np.ndarray
    status_integers: np.ndarray  # [statistic, group, tf], of the size of the perturbation effect
    status_numbers: np.ndarray


class Counts(NamedTuple):
    """Counts of cells, views of one vector."""

    slots: np.ndarray  # [group, quantity, slot]: below, bins, above
    beside: np.ndarray  # [group, quantity, (infinite, NaN)]
    pairs: np.ndarray  # [group, x slot, y slot]
    pairs_missing: np.ndarray  # [group]


@dataclass(frozen=True, eq=False)
class Plan:
    """What to count: an axis for each quantity, two for pairs, and which of the leading axes counts are kept along."""

    axes: tuple[Axis, ...]
    kept: tuple[bool, ...]

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of :class:`Counts`."""
        n = len(QUANTITIES)
        x, y = (one.bins + 2 for one in self.axes[n:])
        return (_GROUPS, n, self.axes[0].bins + 2), (_GROUPS, n, 2), (_GROUPS, x, y), (_GROUPS,)

    def counts(self, vector: np.ndarray | None = None) -> tuple[np.ndarray, Counts]:
        """Return a vector, zeros if there is none yet, and the counts that are in it."""
        sizes = [int(np.prod(shape)) for shape in self.shapes]
        if vector is None:
            vector = np.zeros(sum(sizes), np.int64)
        parts = np.split(vector, np.cumsum(sizes)[:-1])
        return vector, Counts(*(part.reshape(shape) for part, shape in zip(parts, self.shapes, strict=True)))

    def place(self, lead: Place) -> Place:
        """Return where counts of a position along the leading axes are kept."""
        return tuple(position for position, kept in zip(lead, self.kept, strict=True) if kept)


@dataclass
class Tally:
    """Vectors of counts by their place along the axes that are kept, tables by place and first TF."""

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


def tally(
    label: np.ndarray,
    adjusted: np.ndarray | None,
    planes: Sequence[np.ndarray],
    places: Sequence[np.ndarray],
    plan: Plan,
    threads: int,
) -> Tally:
    """Tally a block.

    Parameters
    ----------
    label, adjusted
        Which pairs are bound, and which of them have conditions that hold (None: all); bool, ``(..., gene, tf)``.
    planes
        The four features, float32, ``(..., gene, tf)``.
    places
        The block's positions along each leading axis and along ``tf``.
    plan
        What to count.
    threads
        How many threads may work on it.
    """
    from yeastxr.qc import kernels as summarykernels

    genes, tfs = label.shape[-2:]
    each = max(1, _SLAB_CELLS // genes)
    axes = pack_axes(plan.axes)

    def slab(part: tuple[Place, int]) -> Tally:
        index, first = part
        some: tuple[Any, ...] = (*index, slice(None), slice(first, first + each))
        code = _transpose(label[some].view(np.uint8))
        if adjusted is not None:
            code = 2 * code - _transpose(adjusted[some].view(np.uint8))
        n = len(code)
        table = Table(
            np.empty((_GROUPS, n), np.int64),
            np.empty((len(INTEGERS), len(QUANTITIES), _LABELS, n), np.int64),
            np.empty((len(NUMBERS), len(QUANTITIES), _LABELS, n)),
            np.zeros((len(INTEGERS), _GROUPS, n), np.int64),
            np.full((len(NUMBERS), _GROUPS, n), np.nan),
        )
        vector, counts = plan.counts()
        cells, integers, numbers, *by_group = table
        slabs = tuple(_transpose(plane[some]) for plane in planes)
        summarykernels.summarize(code, slabs, axes, *counts, cells, integers, numbers, tuple(by_group))
        lead = tuple(int(along[i]) for along, i in zip(places, index, strict=False))
        return Tally({plan.place(lead): vector}, {(*lead, int(places[-1][first])): table})

    total, lock = Tally(), Lock()

    def work(part: tuple[Place, int]) -> None:
        one = slab(part)
        with lock:
            total.add(one)

    run_in_threads(work, list(product(np.ndindex(label.shape[:-2]), range(0, tfs, each))), threads)
    return total


def add_tallies(nested: Any) -> Tally:
    """Add up the tallies in nested lists, as dask hands them over."""
    total = Tally()
    for one in _flatten(nested):
        total.add(one)
    return total


def arrays(total: Tally, plan: Plan, lead: tuple[int, ...], tfs: int, *, status: bool) -> dict[str, np.ndarray]:
    """Return the arrays of a summary: counts with the axes that are kept in front, tables with all leading ones."""
    kept = plan.place(lead)
    counts = Counts(*(np.zeros((*kept, *shape), np.int64) for shape in plan.shapes))
    for place, vector in total.vectors.items():
        for whole, part in zip(counts, plan.counts(vector)[1], strict=True):
            whole[place] = part
    table: Table | None = None
    for (*where, first), slab in total.tables.items():
        if table is None:
            table = Table(*(np.zeros((*lead, *some.shape[:-1], tfs), some.dtype) for some in slab))
        for array, some in zip(table, slab, strict=True):
            index: tuple[Any, ...] = (*where, ..., slice(first, first + some.shape[-1]))
            array[index] = some
    assert table is not None  # no dim has length 0

    axis = len(kept)
    slots = np.swapaxes(_by_label(counts.slots, axis), axis, axis + 1)
    beside = np.swapaxes(_by_label(counts.beside, axis), axis, axis + 1)
    result = {
        "cells": _by_label(table.cells, len(lead)),
        "histogram": slots[..., 1:-1],
        "below": slots[..., 0],
        "above": slots[..., -1],
        "infinite": beside[..., 0],
        "missing": beside[..., 1],
        **_pairs("pairs", _by_label(counts.pairs, axis)),
        "pairs_missing": _by_label(counts.pairs_missing, axis),
    }
    result |= _statistics("", table.integers, table.numbers, len(lead))
    if status:
        sizes = counts.slots[..., _SIZE_AT, :]
        result |= {
            "status_cells": table.cells,
            "status_histogram": sizes[..., 1:-1],
            "status_below": sizes[..., 0],
            "status_above": sizes[..., -1],
            "status_infinite": counts.beside[..., _SIZE_AT, 0],
            "status_missing": counts.beside[..., _SIZE_AT, 1],
            **_pairs("status_pairs", counts.pairs),
            "status_pairs_missing": counts.pairs_missing,
        }
        result |= _statistics("status_", table.status_integers, table.status_numbers, len(lead))
    return result


def _transpose(plane: np.ndarray) -> np.ndarray:
    """Return a plane ``(gene, tf)`` as ``[tf, gene]`` that a kernel takes as it is: in rows, aligned, writeable."""
    return np.require(plane.T, None, ("C", "A", "W"))


def _by_label(groups: np.ndarray, axis: int) -> np.ndarray:
    """Return counts by label of counts by group."""
    unbound, bound, failed = np.moveaxis(groups, axis, 0)
    return np.stack([unbound, bound + failed], axis)


def _pairs(name: str, slots: np.ndarray) -> dict[str, np.ndarray]:
    inside = slots[..., 1:-1, 1:-1]
    return {name: inside, f"{name}_outside": slots.sum((-2, -1)) - inside.sum((-2, -1))}


def _statistics(prefix: str, integers: np.ndarray, numbers: np.ndarray, axis: int) -> dict[str, np.ndarray]:
    names = zip((*INTEGERS, *NUMBERS), (*np.moveaxis(integers, axis, 0), *np.moveaxis(numbers, axis, 0)), strict=True)
    return {prefix + name: values for name, values in names}


def _flatten(nested: Any) -> Iterator[Tally]:
    if isinstance(nested, list):
        for one in nested:
            yield from _flatten(one)
    else:
        yield nested
