"""What a store has before any block: metadata, coordinates, and the mark of whether it is whole."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from yeastxr.arguments import shown
from yeastxr.layout import COMPLETE, RECORDS, Layout, codecs
from yeastxr.location import Location, StoreError, StoreNotFoundError
from yeastxr.schema import FEATURE_BY_NAME, FEATURE_NAMES, TF


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
                    raise StoreError(f"{name} holds {shown(item)}; expected numbers or text")
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
        raise StoreError(f"the attributes {shown(attrs)} are not of a kind that JSON holds") from None
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
