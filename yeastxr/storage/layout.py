"""How a dataset lies in a store: its blocks, codecs, digests, and the record of what it is made of.

Every feature is cut into the same blocks. A group ``yeastxr`` inside the store holds a digest for each block that has
been written, and what the store is made of; the root's attribute says, last of all, that nothing is missing.
"""

import json
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np
import xarray as xr

from yeastxr._blocks import CHUNK_CELLS
from yeastxr.errors import InputTypeError, StoreError, StoreNotFoundError, describe_error, format_value, suggest
from yeastxr.schema import CORE_DIMS, FEATURE_BY_NAME, FEATURE_NAMES, GENE, TF
from yeastxr.storage.location import Location

COMPLETE = "yeastxr_complete"  # the root attribute: False until everything is there
RECORDS = "yeastxr"  # the group of the store's own records
_CODECS = ("chunks", "shards", "compressors", "filters", "serializer", "fill_value")
Block = tuple[int, ...]


def everywhere(block: Block) -> tuple[Any, ...]:
    """Return the index of a block in tables that have the features in front."""
    return (slice(None), *block)


def digest(values: np.ndarray) -> int:
    """Return the 64-bit XXH3 of an array's values, TF by TF; never 0, which stands for nothing written."""
    import xxhash

    lies = values.swapaxes(-1, -2) if values.ndim > 1 else values
    if values.dtype.kind not in "biuf":
        return xxhash.xxh3_64_intdigest("\0".join(map(str, values.reshape(-1))).encode("utf-8", "surrogatepass")) or 1
    return xxhash.xxh3_64_intdigest(np.ascontiguousarray(lies).reshape(-1).view(np.uint8).data) or 1


@dataclass(frozen=True)
class Layout:
    """The dims of the features in order, their sizes, and the length of a block along each."""

    sizes: dict[str, int]
    lengths: dict[str, int]

    @property
    def shape(self) -> tuple[int, ...]:
        """How many blocks there are along each dim."""
        return tuple(-(-self.sizes[dim] // self.lengths[dim]) for dim in self.sizes)

    def blocks(self) -> Iterator[Block]:
        """Yield every block."""
        return product(*map(range, self.shape))

    def region(self, block: Block) -> tuple[slice, ...]:
        """Return what a block covers."""
        starts = [i * self.lengths[dim] for i, dim in zip(block, self.sizes, strict=True)]
        return tuple(
            slice(start, min(start + self.lengths[dim], n))
            for start, (dim, n) in zip(starts, self.sizes.items(), strict=True)
        )

    def named(self, block: Block) -> str:
        """Say what a block covers."""
        region = zip(self.sizes, self.region(block), strict=True)
        return ", ".join(f"{dim} {part.start}:{part.stop}" for dim, part in region)

    def cells(self, block: Block) -> int:
        """Return how many cells a block has."""
        return prod(part.stop - part.start for part in self.region(block))


def layout_of(ds: xr.Dataset, encoding: Mapping[str, Mapping[str, Any]]) -> Layout:
    """Return the blocks a dataset is stored in: as encoded, or its own chunks where they are even, else the default."""
    label = ds["label"]
    sizes = {str(dim): n for dim, n in label.sizes.items()}
    lengths = {dim: 1 for dim in sizes if dim not in CORE_DIMS}
    lengths[GENE] = sizes[GENE]
    lengths[TF] = min(sizes[TF], max(1, CHUNK_CELLS // sizes[GENE]))
    for dim, cuts in label.variable.chunksizes.items():
        even = all(size == cuts[0] for size in cuts[:-1]) and cuts[-1] <= cuts[0]
        lengths[str(dim)] = cuts[0] if even else min(lengths[str(dim)], max(cuts))
    for name in FEATURE_NAMES:
        asked = encoding.get(name, {}).get("shards") or encoding.get(name, {}).get("chunks")
        if asked is not None:
            if len(asked) != len(sizes):
                raise StoreError(
                    f"encoding[{name!r}] has chunks {format_value(asked)}; expected one for each of {label.dims}"
                )
            lengths = dict(zip(sizes, map(int, asked), strict=True))
            break
    for name in FEATURE_NAMES:
        for key in ("chunks", "shards"):
            cut = encoding.get(name, {}).get(key)
            if cut is not None and any(n % int(c) for n, c in zip(lengths.values(), cut, strict=True)):
                raise StoreError(
                    f"encoding[{name!r}] has {key} {format_value(cut)}; "
                    f"expected lengths that divide blocks of {lengths}"
                )
    return Layout(sizes, lengths)


def check_encoding(ds: xr.Dataset, encoding: Any) -> dict[str, Mapping[str, Any]]:
    """Return the encodings that were asked for, or refuse them."""
    if encoding is None:
        return {}
    if not isinstance(encoding, Mapping):
        raise InputTypeError(f"encoding is {format_value(encoding)}; expected a dict from variables to dicts")
    for name, values in encoding.items():
        if name not in ds.variables:
            raise StoreError(
                f"encoding names {format_value(name)}, which is no variable; {suggest(name, ds.variables)}"
            )
        if not isinstance(values, Mapping):
            raise InputTypeError(f"encoding[{name!r}] is {format_value(values)}; expected a dict")
        for key in values if name in FEATURE_NAMES else ():
            if key not in _CODECS:
                raise StoreError(f"encoding[{name!r}] has {format_value(key)}; {suggest(key, _CODECS)}")
    return dict(encoding)


def codecs(name: str, layout: Layout, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the codecs that packed and wrote best, see docs/design.md, unless others are given."""
    from zarr.codecs import BloscCodec, TransposeCodec

    packed = {"cname": "zstd", "clevel": 1} if FEATURE_BY_NAME[name].dtype == bool else {"cname": "lz4", "clevel": 5}
    axes = len(layout.sizes)
    own = {
        "chunks": tuple(layout.lengths.values()),
        "filters": (TransposeCodec(order=(*range(axes - 2), axes - 1, axes - 2)),),  # TF by TF, as blocks are made
        "compressors": (BloscCodec(**packed, shuffle="bitshuffle"),),  # type: ignore[arg-type]
        "fill_value": 0,
    }
    return own | dict(given)


@dataclass
class Records:
    """What the store knows of itself: what it is made of, and the digests of its blocks and coordinates."""

    made_of: dict[str, Any]
    layout: Layout
    digests: np.ndarray  # uint64, (features, *blocks); 0 where nothing has been written

    @classmethod
    def new(cls, made_of: dict[str, Any], layout: Layout) -> "Records":
        """Return the records of a store that has nothing yet."""
        return cls(made_of, layout, np.zeros((len(FEATURE_NAMES), *layout.shape), np.uint64))

    @classmethod
    def read(cls, location: Location) -> "Records":
        """Return the records of a store.

        Raises
        ------
        StoreError
            If they are missing or can't be read.
        """
        import zarr

        try:
            group = zarr.open_group(location.store, path=RECORDS, mode="r", use_consolidated=False)
            attrs: dict[str, Any] = dict(group.attrs)
            made_of = dict(attrs["made_of"])
            layout = Layout(
                {str(d): int(n) for d, n in attrs["sizes"].items()},
                {str(d): int(n) for d, n in attrs["blocks"].items()},
            )
            digests = np.asarray(group["digests"][...])  # type: ignore[index]
            if digests.shape != (len(FEATURE_NAMES), *layout.shape):
                raise ValueError(f"digests of the shape {digests.shape}")
        except Exception as error:
            raise StoreError(
                f"store is {location.name}, whose records can't be read: {describe_error(error)}"
            ) from None
        return cls(made_of, layout, digests)

    def write(self, location: Location) -> None:
        """Write everything that the records say."""
        import zarr

        group = zarr.open_group(location.store, path=RECORDS, mode="a", use_consolidated=False)
        group.update_attributes({"made_of": self.made_of, "sizes": self.layout.sizes, "blocks": self.layout.lengths})
        group.create_array(
            "digests",
            data=self.digests,
            chunks=self.digests.shape,
            dimension_names=("feature", *self.layout.sizes),
            overwrite=True,
        )

    def update(self, location: Location) -> None:
        """Write the digests alone."""
        import zarr

        array = zarr.open_array(location.store, path=f"{RECORDS}/digests", mode="r+")
        array[...] = self.digests

    def todo(self) -> np.ndarray:
        """Tell which blocks of which features have not been written."""
        return self.digests == 0


def made_of(ds: xr.Dataset, layout: Layout, encoding: Mapping[str, Any]) -> dict[str, Any]:
    """Return what tells one dataset from another: its specification, or its values; its coordinates and its layout."""
    specification = ds.attrs.get("specification")
    values = None
    if specification is None:
        from dask.base import tokenize

        values = tokenize(*(ds[name].data for name in FEATURE_NAMES))
    return {
        "specification": specification,
        "values": values,
        "sizes": layout.sizes,
        "blocks": layout.lengths,
        "encoding": {name: {key: str(value) for key, value in asked.items()} for name, asked in encoding.items()},
        "coordinates": {str(name): f"{digest(coord.values):016x}" for name, coord in ds.coords.items()},
    }


def differences(stored: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """Say in which fields two records of what a store is made of differ."""
    pairs: dict[Hashable, tuple[Any, Any]] = {}
    for key, value in asked.items():
        found = stored.get(key)
        if found == value:
            continue
        try:
            ours, theirs = json.loads(value), json.loads(found)  # type: ignore[arg-type]
            pairs |= {k: (theirs.get(k), v) for k, v in ours.items() if theirs.get(k) != v}
        except (TypeError, ValueError, AttributeError):
            pairs[key] = (found, value)
    return [
        f"{key}: {format_value(found, 40)} in the store, {format_value(value, 40)} now"
        for key, (found, value) in pairs.items()
    ]


def root_attrs(location: Location) -> dict[str, Any]:
    """Return the attributes of a yeastxr store, whole or unfinished, or refuse what is no such store."""
    if not location.exists():
        raise StoreNotFoundError(f"store is {location.name}, which does not exist; expected a yeastxr store")
    attrs = location.attrs()
    if attrs is None:
        raise StoreError(f"store is {location.name}, which is not a zarr store; expected one that yeastxr saved")
    if COMPLETE not in attrs:
        raise StoreError(f"store is {location.name}, a zarr group that is not yeastxr's; expected one that it saved")
    return attrs


def check_storable(ds: xr.Dataset) -> None:
    """Refuse what would not come back as it went in."""
    for name, variable in ds.variables.items():
        if variable.dtype.kind in "OT":
            for item in np.asarray(variable.values).reshape(-1):
                if not isinstance(item, str):
                    raise StoreError(f"{name} holds {format_value(item)}; expected numbers or text")
    if RECORDS in ds.variables:
        raise StoreError(f"the dataset has a variable {RECORDS!r}, which is the store's own; expected it not there")
    if COMPLETE in ds.attrs:
        raise StoreError(f"the dataset has the attribute {COMPLETE!r}, which is the store's own; expected it not there")
    for name in FEATURE_NAMES:
        plain_attrs(ds[name].attrs)


def plain_attrs(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Return attributes as JSON holds them, or refuse them."""
    plain = {
        str(key): value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        for key, value in attrs.items()
    }
    try:
        json.dumps(plain)
    except (TypeError, ValueError, RecursionError):
        raise StoreError(f"the attributes {format_value(attrs)} are not of a kind that JSON holds") from None
    return plain


def write_template(
    ds: xr.Dataset, location: Location, layout: Layout, encoding: Mapping[str, Mapping[str, Any]]
) -> None:
    """Write metadata, coordinates and whatever is no feature; what an earlier run left of them goes."""
    import zarr

    location.clear()
    zarr.create_group(location.store, attributes={COMPLETE: False})  # the mark is there from the first file on
    rest = ds.drop_vars(FEATURE_NAMES).assign_attrs({COMPLETE: False})
    others = {name: dict(values) for name, values in encoding.items() if name not in FEATURE_NAMES}
    rest.to_zarr(location.store, mode="a", zarr_format=3, consolidated=False, encoding=others)
    group = zarr.open_group(location.store, mode="r+", use_consolidated=False)
    for name in FEATURE_NAMES:
        group.create_array(
            name,
            shape=tuple(layout.sizes.values()),
            dtype=FEATURE_BY_NAME[name].dtype,
            dimension_names=tuple(layout.sizes),
            attributes=plain_attrs(ds[name].attrs),
            **codecs(name, layout, encoding.get(name, {})),
        )


def resize(location: Location, layout: Layout, ds: xr.Dataset) -> None:
    """Bring arrays, coordinates and attributes to the shape of a larger simulation; again, where a run ended in it."""
    import zarr

    group = zarr.open_group(location.store, mode="r+", use_consolidated=False)
    for name in FEATURE_NAMES:
        array = group[name]
        array.resize(tuple(layout.sizes.values()))  # type: ignore[union-attr]
        array.update_attributes(plain_attrs(ds[name].attrs))
    rest = ds.drop_vars(FEATURE_NAMES)
    for key, coord in rest.coords.items():
        if set(coord.dims) & {TF, "replicate"} and str(key) in group:
            del group[str(key)]
    new = rest.assign_attrs({COMPLETE: False})
    new.to_zarr(location.store, mode="a", zarr_format=3, consolidated=False)


def mark(location: Location, *, complete: bool) -> None:
    """Say in the root's attribute whether everything is there."""
    import zarr

    zarr.open_group(location.store, mode="r+", use_consolidated=False).attrs[COMPLETE] = complete
