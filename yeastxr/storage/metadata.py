"""The metadata of a store (a document ``zarr.json`` for each group and array), and changes to it.

The records contain a copy of each document. Attributes written by yeastxr, and those that affect decoding, must not
change; users may edit all others in the store.
"""

import asyncio
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import xarray as xr

from yeastxr.errors import format_value
from yeastxr.schema import PARAMETERS, VARIABLE_BY_NAME
from yeastxr.simulation.simulate import SPECIFICATION
from yeastxr.simulation.sweeps import SWEEP
from yeastxr.storage.location import COMPLETE, Location, wait

Document = dict[str, Any]
_ROOT = {SPECIFICATION, SWEEP, "seed", "law_version", "yeastxr_version", "coordinates"}
_DECODING = {
    "_FillValue",
    "_Unsigned",
    "add_offset",
    "calendar",
    "coordinates",
    "dtype",
    "missing_value",
    "scale_factor",
}


def get_key(path: str) -> str:
    """Return the key of the document of a group or array."""
    return f"{path}/zarr.json" if path else "zarr.json"


def read_files(location: Location, keys: Iterable[str]) -> dict[str, Any]:
    """Return the bytes of keys as zarr buffers; None for missing keys."""
    from zarr.core.buffer import default_buffer_prototype

    keys = list(keys)

    async def read() -> list[Any]:
        return await asyncio.gather(*(location.store.get(key, default_buffer_prototype()) for key in keys))

    return dict(zip(keys, wait(read()), strict=True))


def write_file(location: Location, key: str, data: bytes) -> None:
    """Write a file of a store."""
    from zarr.core.buffer import default_buffer_prototype

    wait(location.store.set(key, default_buffer_prototype().buffer.from_bytes(data)))


def list_files(location: Location, path: str) -> list[str]:
    """Return the keys of the chunks of an array."""

    async def list_keys() -> list[str]:
        return [key async for key in location.store.list_prefix(f"{path}/")]

    return sorted(key for key in wait(list_keys()) if re.match(rf"{re.escape(path)}/c(/[0-9]+)*$", key))


def read_documents(location: Location, paths: Iterable[str]) -> dict[str, Document | None]:
    """Return documents by path; None if a document is missing or not a JSON object."""
    paths = list(paths)
    files = read_files(location, map(get_key, paths))
    documents: dict[str, Document | None] = {}
    for path in paths:
        data = files[get_key(path)]
        try:
            value = None if data is None else json.loads(data.to_bytes())
        except (ValueError, RecursionError):
            value = None
        documents[path] = value if isinstance(value, dict) else None
    return documents


def write_document(location: Location, path: str, document: Mapping[str, Any]) -> None:
    """Write a document."""
    write_file(location, get_key(path), json.dumps(document, indent=2).encode())


def list_user_attrs(ds: xr.Dataset) -> dict[str, list[str]]:
    """Return the names of the user's attributes of a dataset and its variables."""
    attrs = {"": ds.attrs, **{str(name): variable.attrs for name, variable in ds.variables.items()}}
    names = {path: sorted(name for name in values if not _is_own(path, str(name))) for path, values in attrs.items()}
    return {path: listed for path, listed in names.items() if listed}


def _is_own(path: str, name: str) -> bool:
    """Return whether yeastxr writes an attribute."""
    if not path:
        return name in _ROOT
    return name == PARAMETERS or (path in VARIABLE_BY_NAME and name in VARIABLE_BY_NAME[path].attrs)


def compare(path: str, saved: Document, document: Document | None, user: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return differences from the saved document, and separately those in the user's attributes."""
    called = path or "the root"
    if document is None or not isinstance(document.get("attributes", {}), dict):
        return [f"the metadata of {called} is missing or damaged"], []
    ours, theirs = list[str](), list[str]()
    ours += [
        f"the metadata of {called} has a different {format_value(key)} than was saved"
        for key in {**saved, **document}
        if key not in ("attributes", "consolidated_metadata") and not _is_equal(saved, document, key)
    ]
    before, now, user = saved.get("attributes", {}), document.get("attributes", {}), set(user)
    for key in {**before, **now}:
        if key == COMPLETE or _is_equal(before, now, key):
            continue
        is_user = key in user if key in before else not _is_decoding(key, now[key])
        change = "new" if key not in before else "missing" if key not in now else "another one"
        text = f"the attribute {format_value(key)} of {called} is {change} since it was saved"
        (theirs if is_user else ours).append(text)
    return ours, theirs


def _is_equal(one: Mapping[str, Any], other: Mapping[str, Any], key: str) -> bool:
    """Return whether two objects have the same JSON for a key."""
    if key not in one or key not in other:
        return False
    first, second = (json.dumps(values[key], sort_keys=True) for values in (one, other))
    return first == second


def _is_decoding(name: str, value: Any) -> bool:
    """Return whether an attribute would change how xarray decodes values."""
    return name in _DECODING or (name == "units" and " since " in str(value))


def merge_user_attrs(saved: Document, document: Document | None, user: Iterable[str]) -> Document:
    """Return the saved document with the current attributes of the user, if they are readable."""
    now = document.get("attributes") if document is not None else None
    if not isinstance(now, dict):
        return saved
    before, user = saved.get("attributes", {}), set(user)
    attrs = {key: value for key, value in before.items() if key not in user}
    attrs |= {key: value for key, value in now.items() if key not in attrs and not _is_decoding(key, value)}
    return {**saved, "attributes": attrs}
