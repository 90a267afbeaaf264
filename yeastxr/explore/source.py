"""What the explorer reads of a dataset: the pairs of some TFs or of one gene, in memory, at a point of leading dims."""

from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from threading import Lock

import xarray as xr

from yeastxr._blocks import is_in_memory
from yeastxr._validate import to_python
from yeastxr.errors import InputError, format_value, suggest
from yeastxr.plot.style import DIM_TITLES
from yeastxr.schema import (
    BINDING,
    CORE_DIMS,
    FEATURE,
    FEATURE_NAMES,
    GENE,
    LABEL,
    TF,
    list_dims,
    list_variables,
    to_text_array,
    validate,
)

MOST_READ_AT_ONCE = 10**7  # pairs that are read while the page waits: about 0.5 s
_MOST_KEPT = 16  # parts of a dataset in memory
Point = Mapping[str, int]
"""Positions along leading dims, by dim."""


class Source:
    """A dataset, and the parts of it that were read last.

    Parameters
    ----------
    ds
        The dataset, dims ``(..., gene, tf)``; NumPy, dask, or a store.
    code
        The Python lines that make it, with ``ds`` as its name.
    """

    def __init__(self, ds: xr.Dataset, code: str) -> None:
        ds = validate(ds)
        others = [name for name in ds.data_vars if name not in list_variables(ds)]
        features = [name for name in FEATURE_NAMES if name in ds.data_vars]  # all are shown, whatever is selected
        self.ds = ds.drop_vars(others).assign_coords({FEATURE: to_text_array(features)})
        self.code = code
        self.dims = tuple(dim for dim in list_dims(ds) if dim not in CORE_DIMS)
        self._positions: dict[str, dict[str, int]] = {}
        self._parts: OrderedDict[tuple[object, ...], xr.Dataset] = OrderedDict()
        self._lock = Lock()

    @property
    def has_label(self) -> bool:
        """Whether the dataset says which pairs are bound."""
        return LABEL in self.ds.data_vars

    @property
    def n_pairs(self) -> int:
        """The number of gene–TF pairs of the dataset, with those of leading dims."""
        n = 1
        for dim in (*self.dims, *CORE_DIMS):
            n *= self.ds.sizes[dim]
        return n

    def count_read(self, dim: str) -> int:
        """Return how many pairs are read to get those of one gene or TF: those of the chunks that have it."""
        array = self.ds[BINDING]
        if is_in_memory(array):
            return 0
        other = GENE if dim == TF else TF
        chunk = max(array.chunksizes[dim]) if array.chunks else 1
        return self.ds.sizes[other] * chunk

    def list_labels(self, dim: str) -> list[str]:
        """Return the labels along a dim as text, in order."""
        return list(self._index(dim))

    def get_label(self, dim: str, position: int) -> Hashable:
        """Return the label at a position along a dim."""
        if dim not in self.ds.indexes:
            return position
        return to_python(self.ds.indexes[dim][position])

    def find(self, dim: str, text: str) -> int:
        """Return the position of a label along a dim, or refuse a text that is none.

        Letters' case and spaces around may differ.
        """
        known = self._index(dim)
        if text in known:
            return known[text]
        words = text.strip().casefold()
        same = [position for label, position in known.items() if label.strip().casefold() == words]
        if len(same) == 1:
            return same[0]
        title = DIM_TITLES.get(dim, dim)
        labels = [self.get_label(dim, position) for position in known.values()]
        raise InputError(f"{title} {format_value(text)} is not in the dataset; {suggest(text, labels)}")

    def _index(self, dim: str) -> dict[str, int]:
        if dim not in self._positions:
            labels = self.ds.indexes[dim] if dim in self.ds.indexes else range(self.ds.sizes[dim])
            self._positions[dim] = {str(label): position for position, label in enumerate(labels)}
        return self._positions[dim]

    def select(self, point: Point) -> xr.Dataset:
        """Return the dataset at a point of its leading dims, dims ``(gene, tf)``; lazy for dask."""
        return self.ds.isel({dim: point.get(dim, 0) for dim in self.dims})

    def make_point_code(self, point: Point) -> str:
        """Return the Python line that selects a point of the leading dims."""
        labels = {dim: self.get_label(dim, point.get(dim, 0)) for dim in self.dims}
        return f"point = ds.sel({labels!r})" if labels else "point = ds"

    def take_tfs(self, tfs: Sequence[int], point: Point) -> xr.Dataset:
        """Return all genes of some TFs, in memory, dims ``(gene, tf)``."""
        return self._take(TF, tfs, point)

    def take_gene(self, gene: int, point: Point) -> xr.Dataset:
        """Return all TFs of one gene, in memory, dims ``(gene, tf)``."""
        return self._take(GENE, [gene], point)

    def _take(self, dim: str, positions: Sequence[int], point: Point) -> xr.Dataset:
        key = (dim, *positions, *sorted(point.items()))
        with self._lock:
            if key in self._parts:
                self._parts.move_to_end(key)
                return self._parts[key]
        part = self.select(point).isel({dim: list(positions)}).compute()
        with self._lock:
            self._parts[key] = part
            while len(self._parts) > _MOST_KEPT:
                self._parts.popitem(last=False)
        return part
