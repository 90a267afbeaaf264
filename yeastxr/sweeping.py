"""Simulations over a grid of parameters: one dataset, and what it says of how it was made."""

import json
from dataclasses import fields, replace
from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from yeastxr.arguments import InputError, InputTypeError, check_sequence, shown, suggestion
from yeastxr.schema import FEATURE_NAMES, PARAMETERS
from yeastxr.simulate import SPECIFICATION, SimulationSpec, spec_of

SWEEP = "sweep"


def sweep(spec: SimulationSpec, **values: Any) -> xr.Dataset:
    """Simulate over a grid of parameters, each swept one a new dim in front.

    All points share the seed, so they differ by the parameter alone (common random numbers).

    Parameters
    ----------
    spec
        The specification that the points have in common.
    **values
        For each swept parameter a list of numbers; ``replicate=n`` asks for n replicates.

    Returns
    -------
    xarray.Dataset
        With one dim for each swept parameter in front of ``([replicate,] gene, tf)``, dask-backed.

    Raises
    ------
    InputError
        If a parameter is unknown, changes the shape of the data, or a value is not what it must be.

    Examples
    --------
    >>> import yeastxr as yx
    >>> spec = yx.SimulationSpec(genes=100, bound=[0.2], seed=42)
    >>> ds = yx.sweep(spec, bound_mean=[3.0, 5.0, 10.0], replicate=2)
    >>> dict(ds.perturbation_effect.sizes)
    {'bound_mean': 3, 'replicate': 2, 'gene': 100, 'tf': 1}
    """
    if not isinstance(spec, SimulationSpec):
        raise InputTypeError(f"spec is of type {type(spec).__name__}; expected a SimulationSpec, such as ds.yeast.spec")
    values = dict(values)
    if "replicate" in values:
        spec = replace(spec, replicates=values.pop("replicate"))
    sweepable = [f.name for f in fields(spec) if isinstance(f.default, int | float) and not isinstance(f.default, bool)]
    for name, grid in values.items():
        if name not in sweepable:
            raise InputError(f"a sweep over {shown(name)} is not possible; {suggestion(name, sweepable)}")
        if not check_sequence(name, grid, "a list of numbers to sweep over"):
            raise InputError(f"{name} is empty; expected at least one number to sweep over")
    points = [dict(zip(values, point, strict=True)) for point in product(*values.values())]
    datasets = [replace(spec, **point).simulate(chunks="auto") for point in points]
    attrs = {name: value for name, value in datasets[0].attrs.items() if name != SPECIFICATION}  # none makes it all
    for dim, grid in reversed(values.items()):
        n = len(grid)
        index = xr.DataArray(np.asarray(grid), dims=dim, name=dim)
        datasets = [
            xr.concat(
                datasets[i : i + n], dim=index, data_vars="all", coords="minimal", compat="override", join="override"
            )
            for i in range(0, len(datasets), n)
        ]
    ds = datasets[0].drop_attrs(deep=False)
    for name in FEATURE_NAMES:
        ds[name].attrs.pop(PARAMETERS, None)  # no one set of parameters made the array
    made = {SPECIFICATION: spec.to_dict(), "values": {dim: list(grid) for dim, grid in values.items()}}
    return ds.assign_attrs({**attrs, SWEEP: json.dumps(made)})


def swept(ds: xr.Dataset) -> tuple[SimulationSpec, dict[str, list[Any]]] | None:
    """Return what the points of a sweep have in common, and the values swept over; None for any other dataset.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.sweep(yx.SimulationSpec(genes=9, bound=[0.5], seed=1), bound_mean=[3.0, 5.0])
    >>> swept(ds)
    (SimulationSpec(genes=9, bound=(0.5,), n_sample=(1,), seed=1), {'bound_mean': [3.0, 5.0]})
    """
    try:
        made = json.loads(ds.attrs[SWEEP])
        return SimulationSpec.from_dict(made[SPECIFICATION]), dict(made["values"])
    except (KeyError, TypeError, ValueError):
        return None


def specifications(ds: xr.Dataset) -> list[SimulationSpec]:
    """Return every specification that data may come from: one, those of a sweep, or none.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.sweep(yx.SimulationSpec(genes=9, bound=[0.5], seed=1), bound_mean=[3.0, 5.0])
    >>> [spec.bound_mean for spec in specifications(ds)]
    [3.0, 5.0]
    """
    try:
        spec = spec_of(ds)
        if spec is not None:
            return [spec]
        common, values = swept(ds) or (None, {})
        if common is None:
            return []
        return [replace(common, **dict(zip(values, point, strict=True))) for point in product(*values.values())]
    except (TypeError, ValueError):  # one that can't be read: then data tell
        return []
