"""Conversion between standard and systematic names, in the data and in their specification."""

import json
import warnings
from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import xarray as xr

from yeastxr._validate import check_choice
from yeastxr.errors import InputError, SchemaError, format_value
from yeastxr.names.catalog import Names, map_names
from yeastxr.schema import CORE_DIMS, PARAMETERS, TF, to_text_array
from yeastxr.simulation.relations import from_json, rename_tfs, to_json
from yeastxr.simulation.simulate import SPECIFICATION, SimulationSpec
from yeastxr.simulation.sweeps import SWEEP, read_sweep, spec_of

_Data = TypeVar("_Data", xr.Dataset, xr.DataArray)


def rename(ds: _Data, *, to: Names) -> _Data:
    """Rename genes and TFs to standard names, such as GAL4, or systematic names, such as YPL248C.

    An ORF without a standard name keeps its systematic name. Names that are not in the catalog
    (:func:`yeastxr.names.genes`) are kept, with a warning that counts them. The specification in the attributes is
    renamed, too, so :func:`~yeastxr.simulate` with the new names returns the same dataset.

    Parameters
    ----------
    ds
        A dataset or an array with names along ``gene``, ``tf`` or both. Standard and systematic names may be mixed;
        integer labels are kept.
    to
        ``"standard"`` or ``"systematic"``.

    Returns
    -------
    xarray.Dataset or xarray.DataArray
        The same data with new labels.

    Raises
    ------
    InputError
        If there are no names, or if two names would become equal.

    Warns
    -----
    UserWarning
        If names are not in the catalog.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=["YAL001C", "YAL003W"], bound={"GAL4": 0.5, "YBR182C": 0.5}, seed=42)
    >>> yx.rename(ds, to="standard").gene.values.tolist()
    ['TFC3', 'EFB1']
    >>> yx.rename(ds, to="systematic").tf.values.tolist()
    ['YPL248C', 'YBR182C']
    """
    if not isinstance(ds, xr.Dataset | xr.DataArray):
        raise SchemaError(f"ds is of type {type(ds).__name__}; expected an xarray.Dataset or DataArray")
    check_choice("to", to, ("standard", "systematic"))
    mapping = map_names(to)
    named = {dim: names for dim in CORE_DIMS if (names := _get_names(ds, dim))}
    if not named:
        raise InputError("ds has no names along gene or tf; expected names such as GAL4 or YPL248C")
    coords = {}
    for dim, names in named.items():
        new = _rename_unique(dim, names, mapping)
        coords[dim] = (ds[dim].dims, to_text_array(new).reshape(ds[dim].shape), ds[dim].attrs)
    specs = _rename_specs(ds.attrs, mapping)
    for dim, names in named.items():
        unknown = [name for name in names if name not in mapping]
        if unknown:
            warnings.warn(
                f"{len(unknown):,} of {len(names):,} names along {dim} are not in the catalog and are kept, "
                f"such as {format_value(unknown[0])}",
                stacklevel=2,
            )
    renamed = ds.assign_coords(coords).assign_attrs(specs)
    if TF in named:
        arrays = renamed.data_vars.values() if isinstance(renamed, xr.Dataset) else [renamed]
        for array in arrays:  # of the new object, so the caller's attributes do not change
            array.attrs.update(_rename_parameters(array.attrs, mapping))
    return renamed


def _get_names(ds: xr.Dataset | xr.DataArray, dim: str) -> list[str]:
    """Return the names along a dimension, or the name that a scalar selects; empty if labels are not strings."""
    if dim not in ds.coords or ds.coords[dim].dims not in ((dim,), ()):
        return []
    labels = ds.coords[dim].values.ravel().tolist()
    return labels if all(isinstance(label, str) for label in labels) else []


def _rename_unique(dim: str, names: list[str], mapping: Mapping[str, str]) -> list[str]:
    """Map names, or raise if two different names become equal."""
    new = [mapping.get(name, name) for name in names]
    old: dict[str, str] = {}
    for name, other in zip(names, new, strict=True):
        if old.setdefault(other, name) != name:
            raise InputError(
                f"{dim} has both {format_value(old[other])} and {format_value(name)}, which are names of the ORF "
                f"{format_value(other)}; expected each ORF once"
            )
    return new


def _rename_specs(attrs: Mapping[Hashable, Any], mapping: Mapping[str, str]) -> dict[str, str]:
    """Return the attributes that hold the specification of a simulation or a sweep, with new names."""
    renamed = {}
    ds = xr.Dataset(attrs=attrs)
    spec = spec_of(ds) if SPECIFICATION in attrs else None
    if spec is not None:
        renamed[SPECIFICATION] = _rename_spec(spec, mapping).to_json()
    sweep = read_sweep(ds)
    if sweep is not None:
        named = sweep.spec.tfs is not None
        changes = {
            dim: [_rename_change(change, mapping) if named else change for change in own]
            for dim, own in sweep.changes.items()
        }
        renamed[SWEEP] = replace(sweep, spec=_rename_spec(sweep.spec, mapping), changes=changes).to_json()
    return renamed


def _rename_change(change: Mapping[str, Any], mapping: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the parameters that a label of a swept dimension changes, with new names in relations."""
    relations = change.get("tf_relationships")
    return change if relations is None else {**change, "tf_relationships": rename_tfs(relations, mapping)}


def _rename_spec(spec: SimulationSpec, mapping: Mapping[str, str]) -> SimulationSpec:
    """Return a specification with new names of genes and TFs."""
    changes: dict[str, Any] = {}
    if not isinstance(spec.genes, int):
        changes["genes"] = _rename_unique("the specification's genes", list(spec.genes), mapping)
    if spec.tfs is not None:
        changes["tfs"] = _rename_unique("the specification's tfs", list(spec.tfs), mapping)
        if spec.tf_relationships is not None:
            changes["tf_relationships"] = rename_tfs(spec.tf_relationships, mapping)
    return replace(spec, **changes)


def _rename_parameters(attrs: Mapping[Hashable, Any], mapping: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters in a variable's attributes with new names, if they name TFs."""
    try:
        parameters = json.loads(attrs[PARAMETERS])
        relationships = rename_tfs(from_json(parameters["tf_relationships"], named=True), mapping)
    except (KeyError, TypeError, ValueError):
        return {}
    return {PARAMETERS: json.dumps(parameters | {"tf_relationships": to_json(relationships)})}
