"""The layout of a dataset in a store: blocks, codecs, digests, and the records that identify it.

All features and extra variables have the same blocks. The group ``yeastxr`` of the store contains a digest of each
written block, and the identity of the dataset. An attribute of the root, written last, marks the store as complete.
"""

import json
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from typing import Any

import numpy as np
import xarray as xr

from yeastxr._blocks import CHUNK_CELLS
from yeastxr.errors import (
    InputError,
    InputTypeError,
    StoreError,
    StoreNotFoundError,
    describe_error,
    format_value,
    suggest,
)
from yeastxr.schema import CORE_DIMS, GENE, TF, VARIABLE_BY_NAME, list_dims, list_variables
from yeastxr.simulation.simulate import SPECIFICATION, has_values_of, matches_spec
from yeastxr.simulation.sweeps import Sweep, read_sweep, spec_of
from yeastxr.storage.location import COMPLETE, RECORDS, Location, wait
from yeastxr.storage.metadata import (
    Document,
    compare,
    list_files,
    merge_user_attrs,
    read_documents,
    read_files,
    write_document,
    write_file,
)

_ENCODINGS = ("chunks", "shards", "compressors", "filters", "serializer", "fill_value")
_SAFE_CODECS = {"bytes", "transpose", "blosc", "zstd", "gzip", "crc32c", "sharding_indexed", "vlen-utf8", "vlen-bytes"}
_NAME_BYTES = 150  # file systems allow 255, and partial files of zarr add a suffix
_GROUP = {"zarr_format": 3, "node_type": "group"}
Block = tuple[int, ...]


def index_block(block: Block) -> tuple[Any, ...]:
    """Return the index of a block in tables with one row for each variable."""
    return (slice(None), *block)


def digest(values: np.ndarray) -> int:
    """Return the 64-bit XXH3 of an array's values, TF by TF; never 0, which marks a missing block."""
    import xxhash

    swapped = values.swapaxes(-1, -2) if values.ndim > 1 else values
    if values.dtype.kind not in "biuf":
        return xxhash.xxh3_64_intdigest("\0".join(map(str, values.reshape(-1))).encode("utf-8", "surrogatepass")) or 1
    return xxhash.xxh3_64_intdigest(np.ascontiguousarray(swapped).reshape(-1).view(np.uint8).data) or 1


def digest_bytes(data: Any) -> int:
    """Return the 64-bit XXH3 of the bytes of a file; never 0."""
    import xxhash

    return xxhash.xxh3_64_intdigest(data) or 1


def digest_file(buffer: Any) -> int:
    """Return the digest of a file in one of zarr's buffers."""
    return digest_bytes(np.ascontiguousarray(buffer.as_numpy_array()).data)


@dataclass(frozen=True)
class Layout:
    """The dimensions of the variables in order, their sizes, and the length of a block along each."""

    sizes: dict[str, int]
    lengths: dict[str, int]

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of blocks along each dimension."""
        return tuple(-(-self.sizes[dim] // self.lengths[dim]) for dim in self.sizes)

    def list_blocks(self) -> Iterator[Block]:
        """Yield every block."""
        return product(*map(range, self.shape))

    def get_region(self, block: Block) -> tuple[slice, ...]:
        """Return the slices that a block covers."""
        starts = [i * self.lengths[dim] for i, dim in zip(block, self.sizes, strict=True)]
        return tuple(
            slice(start, min(start + self.lengths[dim], n))
            for start, (dim, n) in zip(starts, self.sizes.items(), strict=True)
        )

    def describe(self, block: Block) -> str:
        """Describe what a block covers."""
        region = zip(self.sizes, self.get_region(block), strict=True)
        return ", ".join(f"{dim} {part.start}:{part.stop}" for dim, part in region)

    def count_pairs(self, block: Block) -> int:
        """Return the number of pairs in a block."""
        return prod(part.stop - part.start for part in self.get_region(block))

    def select(self, dims: Iterable[str]) -> "Layout":
        """Return the blocks of a variable that has only a part of the dimensions."""
        given = set(dims)
        own = [dim for dim in self.sizes if dim in given]
        return Layout({dim: self.sizes[dim] for dim in own}, {dim: self.lengths[dim] for dim in own})


@dataclass(frozen=True)
class Group:
    """Variables with the same dimensions, and their blocks.

    Along dimensions that they lack, they have only the first blocks of the layout.
    """

    names: tuple[str, ...]
    numbers: tuple[int, ...]  # of the variables, among all
    axes: tuple[int, ...]  # of their dimensions, among those of the complete layout
    layout: Layout
    ndim: int  # of the complete layout

    def expand(self, block: Block) -> Block:
        """Convert a block of these variables to a block of the complete layout."""
        whole = [0] * self.ndim
        for axis, place in zip(self.axes, block, strict=True):
            whole[axis] = place
        return tuple(whole)

    def index(self, block: Block) -> tuple[Any, ...]:
        """Return the index of a block of these variables in tables with one row for each variable."""
        return (list(self.numbers), *self.expand(block))

    def list_blocks(self, wanted: np.ndarray) -> list[Block]:
        """Return the blocks in which any of these variables is needed, given a table of all variables and blocks."""
        return [block for block in self.layout.list_blocks() if wanted[self.index(block)].any()]


def group_variables(dims: Mapping[str, Iterable[str]], layout: Layout) -> list[Group]:
    """Group variables by their dimensions."""
    groups: dict[tuple[str, ...], list[tuple[int, str]]] = {}
    for number, (name, given) in enumerate(dims.items()):
        groups.setdefault(tuple(layout.select(given).sizes), []).append((number, name))
    whole = list(layout.sizes)
    return [
        Group(
            tuple(name for _, name in members),
            tuple(number for number, _ in members),
            tuple(whole.index(dim) for dim in own),
            layout.select(own),
            len(whole),
        )
        for own, members in groups.items()
    ]


def choose_layout(ds: xr.Dataset, encoding: Mapping[str, Mapping[str, Any]]) -> Layout:
    """Choose the blocks of a store: from the encoding, the chunks of the dataset if they are even, or the default."""
    sizes = {dim: ds.sizes[dim] for dim in list_dims(ds)}
    chunks_of: dict[str, tuple[int, ...]] = {}
    for name in list_variables(ds):
        for dim, cuts in ds[name].variable.chunksizes.items():
            chunks_of.setdefault(str(dim), cuts)
    lengths = {dim: 1 for dim in sizes if dim not in CORE_DIMS}
    lengths[GENE] = sizes[GENE]
    lengths[TF] = min(sizes[TF], max(1, CHUNK_CELLS // sizes[GENE]))
    for dim, cuts in chunks_of.items():
        even = all(size == cuts[0] for size in cuts[:-1]) and cuts[-1] <= cuts[0]
        lengths[dim] = cuts[0] if even else min(lengths[dim], max(cuts))
    layout = Layout(sizes, lengths)
    given = [name for name in VARIABLE_BY_NAME if name in ds.data_vars and name in encoding]
    for name in given:
        chunks = encoding[name].get("shards") or encoding[name].get("chunks")
        if chunks is not None:
            own = layout.select(map(str, ds[name].dims)).sizes
            layout = Layout(sizes, lengths | dict(zip(own, _check_lengths(name, chunks, own), strict=True)))
            break
    for name in given:
        own_layout = layout.select(map(str, ds[name].dims))
        for key in ("chunks", "shards"):
            chunks = encoding[name].get(key)
            if chunks is None:
                continue
            divisors = _check_lengths(name, chunks, own_layout.sizes)
            if any(n % c for n, c in zip(own_layout.lengths.values(), divisors, strict=True)):
                raise StoreError(
                    f"encoding[{name!r}] has {key} {format_value(chunks)}; "
                    f"expected lengths that divide the blocks of {own_layout.lengths}"
                )
    return layout


def _check_lengths(name: str, chunks: Any, sizes: Mapping[str, int]) -> list[int]:
    """Return the lengths of chunks in an encoding as integers, one for each dimension."""
    try:
        lengths = [int(n) for n in chunks]
    except (TypeError, ValueError):
        lengths = []
    if len(lengths) != len(sizes) or min(lengths) < 1:
        raise StoreError(
            f"encoding[{name!r}] has chunks {format_value(chunks)}; expected one length for each of {tuple(sizes)}"
        )
    return lengths


def check_encoding(ds: xr.Dataset, encoding: Any) -> dict[str, Mapping[str, Any]]:
    """Return the encodings, or raise if they are invalid."""
    if encoding is None:
        return {}
    if not isinstance(encoding, Mapping):
        raise InputTypeError(f"encoding is {format_value(encoding)}; expected a dict from variables to dicts")
    for name, values in encoding.items():
        if name not in ds.variables:
            raise StoreError(f"encoding has the unknown variable {format_value(name)}; {suggest(name, ds.variables)}")
        if not isinstance(values, Mapping):
            raise InputTypeError(f"encoding[{name!r}] is {format_value(values)}; expected a dict")
        for key in values if name in VARIABLE_BY_NAME else ():
            if key not in _ENCODINGS:
                raise StoreError(
                    f"encoding[{name!r}] has the unknown key {format_value(key)}; {suggest(key, _ENCODINGS)}"
                )
    return dict(encoding)


def choose_codecs(name: str, layout: Layout, encoding: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given or default codecs; see docs/design.md."""
    from zarr.codecs import BloscCodec, TransposeCodec

    is_real = VARIABLE_BY_NAME[name].dtype.kind == "f"
    packing = {"cname": "lz4", "clevel": 5} if is_real else {"cname": "zstd", "clevel": 1}
    axes = len(layout.sizes)
    defaults = {
        "chunks": tuple(layout.lengths.values()),
        "filters": (TransposeCodec(order=(*range(axes - 2), axes - 1, axes - 2)),),  # TF by TF, like blocks
        "compressors": (BloscCodec(**packing, shuffle="bitshuffle"),),  # type: ignore[arg-type]
        "fill_value": 0,
    }
    return defaults | dict(encoding)


class ChunkRows:
    """The rows of digests of chunk files: after those of values, one row for each chunk of a block."""

    def __init__(self, chunk_shapes: Mapping[str, Sequence[int]], groups: Iterable[Group]) -> None:
        self._grids: dict[str, tuple[int, tuple[int, ...], Group]] = {}
        self.variables = list(range(len(chunk_shapes)))  # the number of the variable of each row
        group_of = {name: group for group in groups for name in group.names}
        for i, (name, shape) in enumerate(chunk_shapes.items()):
            group = group_of[name]
            grid = tuple(n // c for n, c in zip(group.layout.lengths.values(), shape, strict=True))
            self._grids[name] = len(self.variables), grid, group
            self.variables += [i] * prod(grid)

    def find(self, key: str) -> tuple[int, Block] | None:
        """Return the row and the block of a chunk of a variable; None for any other key."""
        name, *parts = key.split("/")
        if name not in self._grids or parts[:1] != ["c"]:
            return None
        row, grid, group = self._grids[name]
        parts = [int(part) for part in parts[1:]]  # type: ignore[misc]
        block, place = zip(*map(divmod, parts, grid), strict=True)  # type: ignore[arg-type]
        return row + int(np.ravel_multi_index(place, grid)), group.expand(block)


@dataclass
class Records:
    """The records of a store: the identity of its dataset, its layout, its metadata, and digests of its files."""

    identity: dict[str, Any]
    layout: Layout
    metadata: dict[str, Document]  # a copy of each document, by path
    user_attrs: dict[str, list[str]]  # the names of attributes set by the user
    files: dict[str, str]  # digests of the chunk files of all other arrays
    digests: np.ndarray  # uint64, (rows, *blocks), see ChunkRows; 0 for missing blocks
    readable: bool = True  # whether the digests could be read
    extends: str | None = None  # the specification before the last extension, as JSON

    @classmethod
    def create(
        cls,
        identity: dict[str, Any],
        layout: Layout,
        metadata: dict[str, Document],
        user_attrs: dict[str, list[str]],
        files: dict[str, str],
    ) -> "Records":
        """Return the records of a store without any block."""
        records = cls(identity, layout, metadata, user_attrs, files, np.zeros(0, np.uint64))
        records.digests = np.zeros((len(records.rows.variables), *layout.shape), np.uint64)
        return records

    @cached_property
    def names(self) -> list[str]:
        """The variables written block by block: features and extra variables, in order."""
        return [name for name in VARIABLE_BY_NAME if name in self.metadata]

    @cached_property
    def groups(self) -> list[Group]:
        """These variables in groups of the same dimensions."""
        return group_variables({name: self.metadata[name]["dimension_names"] for name in self.names}, self.layout)

    @cached_property
    def existing(self) -> np.ndarray:
        """The existing blocks of each variable; variables that lack a dimension have only the first blocks along it."""
        existing = np.zeros((len(self.names), *self.layout.shape), bool)
        for group in self.groups:
            for block in group.layout.list_blocks():
                existing[group.index(block)] = True
        return existing

    @property
    def pair_bytes(self) -> int:
        """The number of bytes of a pair in all variables."""
        return sum(VARIABLE_BY_NAME[name].dtype.itemsize for name in self.names)

    @cached_property
    def rows(self) -> ChunkRows:
        """The rows of digests of chunk files."""
        documents = {name: self.metadata[name] for name in self.names}
        shapes = {name: d["chunk_grid"]["configuration"]["chunk_shape"] for name, d in documents.items()}
        return ChunkRows(shapes, self.groups)

    def get_file_digest(self, key: str) -> int | None:
        """Return the digest of a chunk file; 0 if it is unknown, None for a file that does not belong to the store."""
        try:
            place = self.rows.find(key)
            if place is not None:
                return int(self.digests[(place[0], *place[1])])
        except (ValueError, IndexError):
            return None
        digest = self.files.get(key)
        return None if digest is None else int(digest, 16)

    @classmethod
    def read(cls, location: Location, *, without_digests: bool = False) -> "Records":
        """Return the records of a store; raise StoreError if they are missing or unreadable.

        ``without_digests`` accepts unreadable digests, which are then 0.
        """
        document = read_documents(location, [RECORDS])[RECORDS]
        try:
            if document is None:
                raise ValueError("not a JSON object")
            attrs = dict(document["attributes"])
            if attrs.pop("checksum") != _digest_json(attrs):
                raise ValueError("they have changed since they were written")
            if {key: value for key, value in document.items() if key != "attributes"} != _GROUP:
                raise ValueError("not a zarr group")
            layout = Layout(attrs["sizes"], attrs["blocks"])
            records = cls.create(attrs["made_of"], layout, attrs["metadata"], attrs["user_attrs"], attrs["files"])
            records.extends = attrs.get("extends")
            try:
                records.digests = _read_digests(location, attrs["digests"], attrs["digests_metadata"], records.digests)
            except Exception:
                if not without_digests:
                    raise
                records.readable = False
        except Exception as error:  # zarr raises many types of errors for invalid metadata
            raise StoreError(
                f"store is {location.name}, whose records can't be read: {describe_error(error)}; repair the store, "
                "or open it unchecked with incomplete=True"
            ) from None
        return records

    def write(self, location: Location) -> None:
        """Write all records atomically: a killed writer leaves either the old or the new ones.

        The new digests are written to a new file, and replacing one other file activates them.
        """
        import zarr

        current = read_documents(location, [RECORDS])[RECORDS] or {}
        before = current.get("attributes", {}).get("digests")
        name = "digests-next" if before == "digests" else "digests"
        if current.get("node_type") != "group":
            write_document(location, RECORDS, {"attributes": {}, **_GROUP})
        group = zarr.open_group(location.store, path=RECORDS, mode="r+", use_consolidated=False)
        dims = ("row", *self.layout.sizes)
        options: dict[str, Any] = {"dimension_names": dims, "compressors": (zarr.codecs.Crc32cCodec(),)}
        options["config"] = {"write_empty_chunks": True}
        group.create_array(name, data=self.digests, chunks=self.digests.shape, overwrite=True, **options)
        path = f"{RECORDS}/{name}"
        attrs = {
            "made_of": self.identity,
            "sizes": self.layout.sizes,
            "blocks": self.layout.lengths,
            "metadata": self.metadata,
            "user_attrs": self.user_attrs,
            "files": self.files,
            "digests": name,
            "digests_metadata": read_documents(location, [path])[path],
        } | ({} if self.extends is None else {"extends": self.extends})
        write_document(location, RECORDS, {"attributes": {**attrs, "checksum": _digest_json(attrs)}, **_GROUP})
        if before in ("digests", "digests-next"):
            del group[before]

    def update(self, location: Location) -> None:
        """Write only the digests."""
        import zarr

        name = (read_documents(location, [RECORDS])[RECORDS] or {})["attributes"]["digests"]
        array = zarr.open_array(location.store, path=f"{RECORDS}/{name}", mode="r+")
        array.with_config({"write_empty_chunks": True})[...] = self.digests

    def find_missing(self) -> np.ndarray:
        """Return the missing blocks of each variable."""
        return (self.digests[: len(self.names)] == 0) & self.existing


def _digest_json(value: Any) -> str:
    """Return a digest of the JSON of a value."""
    import xxhash

    return str(xxhash.xxh3_64_hexdigest(json.dumps(value, sort_keys=True).encode()))


def _read_digests(location: Location, name: str, document: Document, expected: np.ndarray) -> np.ndarray:
    """Return the digests of a store, or raise."""
    import zarr

    path = f"{RECORDS}/{name}"
    if read_documents(location, [path])[path] != document:
        raise ValueError("the metadata of the digests has changed since it was written")
    if not wait(location.store.exists(f"{path}/c/{'/'.join('0' * expected.ndim)}")):
        raise ValueError("the digests are missing")
    values = np.asarray(zarr.open_array(location.store, path=path, mode="r")[...])
    if values.shape != expected.shape or values.dtype != expected.dtype:
        raise ValueError(f"the digests have the shape {values.shape}")
    return values


def digest_others(location: Location, names: Iterable[str]) -> dict[str, str]:
    """Return the digests of the chunk files of some arrays."""
    keys = [key for name in names for key in list_files(location, name)]
    return {key: f"{digest_file(data):016x}" for key, data in read_files(location, keys).items() if data is not None}


def identify(ds: xr.Dataset, layout: Layout, encoding: Mapping[str, Any]) -> dict[str, Any]:
    """Return the identity of a dataset: its specification, values, coordinates and layout.

    The values are None only if labels and values equal the simulation of the specification, which the attribute alone
    does not prove. Otherwise they are a token.
    """
    own = list_variables(ds)
    names = [str(name) for name in ds.data_vars if name not in own]
    is_simulation = is_simulated(ds)
    if names or not is_simulation:
        from dask.base import tokenize
    specification, sweep = ds.attrs.get(SPECIFICATION), None
    if specification is None and (grid := read_sweep(ds)) is not None:
        point = spec_of(ds)
        specification, sweep = (None, grid.to_json()) if point is None else (point.to_json(), None)
    identity = {
        "specification": specification,
        "values": None if is_simulation else tokenize(*(ds[name].data for name in own)),
        "sizes": layout.sizes,
        "blocks": layout.lengths,
        "encoding": {name: {key: str(value) for key, value in values.items()} for name, values in encoding.items()},
        "coordinates": {str(name): f"{digest(coord.values):016x}" for name, coord in ds.coords.items()},
    }
    if sweep is not None:
        identity["sweep"] = sweep
    if names:
        identity["others"] = {name: tokenize(ds[name].dims, ds[name].data) for name in names}
    return identity


def is_simulated(ds: xr.Dataset) -> bool:
    """Return whether a dataset equals the simulation of the specification in its attributes."""
    try:
        spec = spec_of(ds)
    except InputError:
        return False
    if spec is not None:
        return matches_spec(ds, spec) and has_values_of(ds, spec)
    sweep = read_sweep(ds)
    return sweep is not None and _has_graph_of(ds, sweep)


def _has_graph_of(ds: xr.Dataset, sweep: Sweep) -> bool:
    """Return whether a dataset has exactly the labels and the dask graph of a sweep."""
    chunks: dict[str, Any] = {}
    for name in list_variables(ds):
        if not ds[name].chunks:
            return False
        chunks |= {str(dim): cuts for dim, cuts in ds[name].variable.chunksizes.items()}
    if {dim: ds.sizes[dim] for dim in chunks} != sweep.sizes:
        return False
    expected = sweep.simulate(chunks)
    return all(
        name in ds.coords and ds.coords[name].variable.equals(coord.variable) for name, coord in expected.coords.items()
    ) and {name: array.data.name for name, array in expected.data_vars.items()} == {
        name: ds[name].data.name for name in list_variables(ds)
    }


def describe_differences(stored: Mapping[str, Any], identity: Mapping[str, Any]) -> list[str]:
    """Describe the fields in which the identity in a store differs from that of a dataset."""
    pairs: dict[Hashable, tuple[Any, Any]] = {}
    for key in {**identity, **stored}:
        in_store, value = stored.get(key), identity.get(key)
        if in_store == value:
            continue
        try:
            new, old = json.loads(value), json.loads(in_store)  # type: ignore[arg-type]
            pairs |= {k: (old.get(k), v) for k, v in new.items() if old.get(k) != v}
        except (TypeError, ValueError, AttributeError):
            pairs[key] = (in_store, value)
    if "values" in pairs:
        known = "those of the specification"
        pairs["values"] = tuple(known if token is None else token for token in pairs["values"])  # type: ignore[assignment]
    return [
        f"{key}: {format_value(in_store, 40)} in the store, {format_value(value, 40)} now"
        for key, (in_store, value) in pairs.items()
    ]


def read_root_attrs(location: Location) -> dict[str, Any]:
    """Return the attributes of a yeastxr store, complete or not, or raise if there is none."""
    if not location.exists():
        raise StoreNotFoundError(f"store is {location.name}, which does not exist; expected a yeastxr store")
    attrs = location.read_attrs()
    if attrs is None:
        raise StoreError(f"store is {location.name}, which is not a zarr store; expected a yeastxr store")
    if COMPLETE not in attrs:
        raise StoreError(f"store is {location.name}, a zarr group of another program; expected a yeastxr store")
    return attrs


def check_storable(ds: xr.Dataset, layout: Layout, encoding: Mapping[str, Mapping[str, Any]]) -> Location:
    """Raise for data that can't be stored, or would change: all data outside blocks are first written to memory.

    Return that store in memory, with all metadata, and with coordinates and variables that are in memory.
    """
    for name, variable in ds.variables.items():
        if variable.dtype.kind == "S":
            raise StoreError(f"{name} contains bytes; expected numbers or strings, such as {name}.astype(str)")
        if variable.dtype.kind in "OT":
            if not isinstance(variable.dtype, np.dtype):
                raise StoreError(f"{name} has the dtype {variable.dtype}; expected numbers or strings")
            for item in np.asarray(variable.values).reshape(-1):
                if not isinstance(item, str):
                    raise StoreError(f"{name} contains {format_value(item)}; expected numbers or strings")
        to_plain_attrs(variable.attrs, f"the attributes of {name}")
    if COMPLETE in ds.attrs:
        raise StoreError(f"the dataset has the attribute {COMPLETE!r}, which is reserved; remove it")
    to_plain_attrs(ds.attrs, "the attributes of the dataset")
    from zarr.storage import MemoryStore

    memory = Location(MemoryStore(), "memory")
    others = ds.drop_vars(list_variables(ds))
    try:
        write_template(ds, memory, layout, encoding, compute=False)
        stored = xr.open_zarr(memory.store, consolidated=False, chunks=None)
        check_codecs(memory)
        lost = [name for name, variable in others.variables.items() if not _is_same(stored, name, variable)]
        if _write_json({**others.attrs, COMPLETE: False}) != _write_json(stored.attrs):
            lost.append("an attribute of the dataset")
    except StoreError:
        raise
    except Exception as error:  # xarray and zarr raise many types of errors for data that they can't store
        raise StoreError(f"the dataset can't be stored: {describe_error(error)}") from None
    if lost:
        raise StoreError(
            f"{lost[0]} would change when it is saved; expected numbers, strings or dates that zarr supports"
        )
    return memory


def check_name(name: object) -> None:
    """Raise for the name of a variable or dimension that zarr or a file system can't store."""
    if not isinstance(name, str):
        raise StoreError(f"the dataset has a variable or dimension {format_value(name)}; expected strings as names")
    if name.lower() == RECORDS:
        raise StoreError(f"the dataset has a variable {name!r}, whose name is reserved; rename it")
    reserved = name.lower() == "zarr.json" or name.startswith("__") or not name.strip(".")
    size = len(name.encode("utf-8", "surrogatepass"))
    if reserved or size > _NAME_BYTES or any(c in "/\\" or ord(c) < 32 or "\ud800" <= c <= "\udfff" for c in name):
        raise StoreError(
            f"the dataset has a variable {format_value(name)}, whose name zarr can't store; expected a name "
            f"without slashes and control characters, of at most {_NAME_BYTES} bytes"
        )


def _is_same(stored: xr.Dataset, name: Hashable, variable: xr.Variable) -> bool:
    """Return whether a variable was stored unchanged; only values in memory are compared."""
    if name not in stored.variables:
        return False
    copy = stored.variables[name]
    text = variable.dtype.kind in "OTU"
    if copy.dims != variable.dims or copy.shape != variable.shape:
        return False
    if copy.dtype.kind != variable.dtype.kind and not (text and copy.dtype.kind in "OTU"):
        return False
    if variable.dtype.kind in "biufc" and copy.dtype.newbyteorder("=") != variable.dtype.newbyteorder("="):
        return False
    if _write_json(variable.attrs) != _write_json(copy.attrs):
        return False
    return variable.chunks is not None or copy.equals(variable)


def _write_json(attrs: Mapping[Any, Any]) -> str:
    """Return attributes as JSON for comparison."""
    return json.dumps(to_plain_attrs(attrs, "the attributes"), sort_keys=True)


def to_plain_attrs(attrs: Mapping[Any, Any], called: str) -> dict[str, Any]:
    """Convert attributes to JSON values, or raise."""
    plain = {}
    for key, value in attrs.items():
        if not isinstance(key, str):
            raise StoreError(f"{called} have the name {format_value(key)}; expected a string")
        plain[key] = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        try:
            json.dumps(plain[key]).encode()
        except (TypeError, ValueError, RecursionError):
            raise StoreError(
                f"{called} have {key!r}: {format_value(value)}; expected a value that JSON can represent"
            ) from None
    return plain


def write_template(
    ds: xr.Dataset,
    location: Location,
    layout: Layout,
    encoding: Mapping[str, Mapping[str, Any]],
    *,
    compute: bool = True,
) -> None:
    """Write metadata, coordinates and other variables of a new store."""
    import zarr

    zarr.create_group(
        location.store, attributes={COMPLETE: False}, overwrite=False
    )  # marked as incomplete from the start
    write_others(ds, location, encoding, compute=compute)
    group = zarr.open_group(location.store, mode="r+", use_consolidated=False)
    for name in list_variables(ds):
        own = layout.select(map(str, ds[name].dims))
        group.create_array(
            name,
            shape=tuple(own.sizes.values()),
            dtype=VARIABLE_BY_NAME[name].dtype,
            dimension_names=tuple(own.sizes),
            attributes=to_plain_attrs(ds[name].attrs, f"the attributes of {name}"),
            **choose_codecs(name, own, encoding.get(name, {})),
        )


def list_paths(ds: xr.Dataset) -> list[str]:
    """Return the paths of the root and of all arrays of a dataset in a store."""
    return ["", *map(str, ds.variables)]


def list_others(ds: xr.Dataset) -> list[str]:
    """Return the names of coordinates, and of variables outside the data model."""
    own = list_variables(ds)
    return [name for name in map(str, ds.variables) if name not in own]


def write_others(
    ds: xr.Dataset, location: Location, encoding: Mapping[str, Mapping[str, Any]], *, compute: bool = True
) -> None:
    """Write attributes, coordinates and variables outside the data model."""
    rest = ds.drop_vars(list_variables(ds)).assign_attrs({COMPLETE: False})
    own = {name: dict(values) for name, values in encoding.items() if name in rest.variables}
    options: dict[str, Any] = {"encoding": own, "compute": compute}
    rest.to_zarr(location.store, mode="a", zarr_format=3, consolidated=False, **options)


def find_damaged_files(location: Location, records: Records) -> list[str]:
    """Return the keys of chunks of coordinates and other variables that are missing, damaged or unexpected."""
    names = [path for path in records.metadata if path and path not in records.names]
    files = digest_others(location, names)
    return sorted(key for key in {**files, **records.files} if files.get(key) != records.files.get(key))


def restore_files(location: Location, records: Records, template: Mapping[str, bytes]) -> None:
    """Write damaged chunks of coordinates and other variables from a template, or raise before writing anything."""
    damaged = find_damaged_files(location, records)
    for key in damaged:
        if key in records.files and key not in template:
            raise StoreError(
                f"store is {location.name}, whose {key} is damaged and not part of a simulation; save the dataset "
                "again, because it can't be repaired"
            )
    for key in damaged:
        if key not in records.files:
            wait(location.store.delete(key))
            continue
        write_file(location, key, template[key])
    records.files |= {key: f"{digest_bytes(template[key]):016x}" for key in damaged if key in records.files}


def restore_documents(location: Location, records: Records) -> None:
    """Restore changed metadata from the records, with the user's attributes; the store is then incomplete."""
    documents = read_documents(location, records.metadata)
    for path, saved in records.metadata.items():
        user = records.user_attrs.get(path, [])
        if not path or compare(path, saved, documents[path], user)[0]:
            write_document(location, path, merge_user_attrs(saved, documents[path], user))


def read_template(memory: Location, names: Iterable[str]) -> dict[str, bytes]:
    """Return the chunk files of arrays in an in-memory store."""
    files = read_files(memory, [key for name in names for key in list_files(memory, name)])
    return {key: data.to_bytes() for key, data in files.items()}


def mark(location: Location, *, complete: bool) -> None:
    """Set the attribute of the root that marks the store as complete or incomplete."""
    import zarr

    zarr.open_group(location.store, mode="r+", use_consolidated=False).attrs[COMPLETE] = complete


def check_codecs(location: Location) -> None:
    """Raise, before decoding anything, for codecs that could run code, such as pickles."""
    import zarr

    for name, array in zarr.open_group(location.store, mode="r", use_consolidated=False).arrays():
        for codec in array.metadata.codecs:  # type: ignore[union-attr]
            codec_name = str(codec.to_dict()["name"])
            if codec_name not in _SAFE_CODECS and not (
                codec_name.startswith("numcodecs.") and "pickle" not in codec_name
            ):
                raise StoreError(
                    f"store is {location.name}, whose {name} uses the forbidden codec {format_value(codec_name)}"
                )
