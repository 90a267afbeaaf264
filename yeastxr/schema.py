"""The data model: dimensions, features in tensor order, quantities, statuses of pairs, and validation.

:data:`FEATURES` defines validation, attributes, the table in the docs and the last axis of tensors.
"""

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
import xarray as xr

from yeastxr.errors import SchemaError, format_value, suggest

GENE, TF, FEATURE, REPLICATE, MEASUREMENT = "gene", "tf", "feature", "replicate", "measurement"
CORE_DIMS = (GENE, TF)
BOUND_FRACTION = "bound_fraction"
SPLIT = "split"
PARAMETERS = "parameters"  # the attribute of an array that holds its parameters as JSON


@dataclass(frozen=True)
class Feature:
    """One variable of a dataset, and its column in a tensor.

    Parameters
    ----------
    name
        The variable's name.
    dtype
        The stored dtype; tensors use float32.
    long_name, units, description
        Attributes of the variable. The first two label the axes of plots.
    least, most
        The closed range of allowed values.
    limits
        The default limits of its histogram; None if they depend on the specification or the data.

    Examples
    --------
    >>> import yeastxr as yx
    >>> feature = yx.FEATURES[3]
    >>> feature.name, feature.units, feature.dtype
    ('perturbation_effect', 'noise s.d.', dtype('float32'))
    """

    name: str
    dtype: np.dtype
    long_name: str
    units: str
    description: str
    least: float
    most: float
    limits: tuple[float, float] | None = None

    @property
    def attrs(self) -> dict[str, str]:
        """The attributes of every variable of this name."""
        return {"long_name": self.long_name, "units": self.units, "description": self.description}


FEATURES: tuple[Feature, ...] = (
    Feature(
        "label",
        np.dtype(bool),
        "bound",
        "1",
        "True where the gene is in the TF's bound group (bound and responsive)",
        0,
        1,
    ),
    Feature(
        "binding_effect",
        np.dtype("float32"),
        "binding effect",
        "1",
        "Enrichment of experiment hops over background hops",
        0,
        math.inf,
        (0.0, 5.0),
    ),
    Feature(
        "binding_pvalue",
        np.dtype("float32"),
        "binding p-value",
        "1",
        "p-value of the binding effect",
        0,
        1,
        (0.0, 1.0),
    ),
    Feature(
        "perturbation_effect",
        np.dtype("float32"),
        "perturbation effect",
        "noise s.d.",
        "Signed effect of perturbing the TF on the gene, in units of its noise standard deviation",
        -math.inf,
        math.inf,
    ),
    Feature(
        "perturbation_pvalue",
        np.dtype("float32"),
        "perturbation p-value",
        "1",
        "p-value of the perturbation effect",
        0,
        1,
        (0.0, 1.0),
    ),
)
"""The features in the order of a tensor's last axis."""

EXTRAS: tuple[Feature, ...] = (
    Feature(
        "experiment_hops",
        np.dtype("int32"),
        "experiment hops",
        "1",
        "Hops at the gene's promoter in the TF's experiment",
        0,
        math.inf,
    ),
    Feature(
        "background_hops",
        np.dtype("int32"),
        "background hops",
        "1",
        "Hops at the gene's promoter without the TF",
        0,
        math.inf,
    ),
    Feature(
        "responsive",
        np.dtype(bool),
        "responsive",
        "1",
        "True where the gene responds to the TF if the TF's conditions hold, directly (bound) or not",
        0,
        1,
    ),
    Feature(
        "adjusted",
        np.dtype(bool),
        "adjusted",
        "1",
        "True where the gene responds to the TF and the TF's conditions hold",
        0,
        1,
    ),
)
"""Extra variables that a dataset may have. They are not features: tensors do not contain them."""

FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
FEATURE_BY_NAME: dict[str, Feature] = {feature.name: feature for feature in FEATURES}
EXTRA_NAMES: tuple[str, ...] = tuple(extra.name for extra in EXTRAS)
VARIABLE_BY_NAME: dict[str, Feature] = FEATURE_BY_NAME | {extra.name: extra for extra in EXTRAS}
PAIR_BYTES = sum(feature.dtype.itemsize for feature in FEATURES)

LABEL, BINDING, PERTURBATION = "label", "binding_effect", "perturbation_effect"
EXPERIMENT_HOPS, BACKGROUND_HOPS, RESPONSIVE, ADJUSTED = EXTRA_NAMES
MAGNITUDE = "perturbation_magnitude"  # the absolute value of the perturbation effect
MEASURES = tuple(feature.name for feature in FEATURES if feature.name != LABEL)
QUANTITIES = (*MEASURES, MAGNITUDE)
STATUSES = ("unbound", "bound_active", "bound_inactive")
"""The status of a pair by its code: unbound; bound, with no condition that fails; bound, with conditions that fail."""


def to_text_array(texts: tuple[str, ...] | list[str]) -> np.ndarray:
    """Return strings as an array of str objects, which xarray, pandas and NumPy convert to any string dtype."""
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array


def convert_text(ds: xr.Dataset, dtype: np.dtype | type = object) -> xr.Dataset:
    """Convert string variables, fixed-width or StringDType, to one dtype.

    In memory this is ``object``, which converts to and from all string dtypes. In zarr it is StringDType, as the
    specification of zarr has no fixed-width strings.
    """
    texts = {name: array.astype(dtype) for name, array in ds.variables.items() if array.dtype.kind in "TU"}
    coords = {name: array for name, array in texts.items() if name in ds.coords}
    return ds.assign({name: array for name, array in texts.items() if name not in coords}).assign_coords(coords)


@cache
def make_feature_coordinate() -> xr.Coordinates:
    """Return the index coordinate ``feature``: the names of all features in tensor order."""
    return xr.Coordinates({FEATURE: (FEATURE, to_text_array(FEATURE_NAMES))})


def order_dims(array: xr.DataArray) -> xr.DataArray:
    """Return an array with ``gene`` and ``tf`` as its last dimensions."""
    return array if array.dims[-2:] == CORE_DIMS else array.transpose(..., *CORE_DIMS)


def list_dims(ds: xr.Dataset, names: Iterable[Hashable] | None = None) -> tuple[str, ...]:
    """Return the dimensions of variables (default: all features and extra variables), ``gene`` and ``tf`` last.

    A variable may lack leading dimensions that others have: its values are constant along them.
    """
    present = [ds[name] for name in (VARIABLE_BY_NAME if names is None else names) if name in ds.data_vars]
    arrays = sorted(present, key=lambda array: -array.ndim)
    lead = dict.fromkeys(str(dim) for array in arrays for dim in array.dims if dim not in CORE_DIMS)
    return (*lead, *CORE_DIMS)


def get_feature_names(ds: xr.Dataset) -> list[str]:
    """Return the names of the features that a dataset selects, in its order.

    Parameters
    ----------
    ds
        A yeastxr dataset; ``ds.sel(feature=[...])`` selects and orders its features.

    Returns
    -------
    list of str
        The values of the coordinate ``feature``; one name if it is a scalar.

    Raises
    ------
    SchemaError
        If the coordinate is missing or contains an unknown name.
    """
    if FEATURE not in ds.coords:
        raise SchemaError(f"the dataset has no coordinate 'feature'; expected names among {', '.join(FEATURE_NAMES)}")
    names = [str(name) for name in np.atleast_1d(ds.coords[FEATURE].values)]
    if not names:
        raise SchemaError("the dataset selects no feature; expected at least one in its coordinate 'feature'")
    for name in names:
        check_feature(name)
        if name not in ds.data_vars:
            rest = [feature for feature in names if feature in ds.data_vars]
            raise SchemaError(
                f"the dataset has no variable {name!r}, which its coordinate 'feature' lists"
                + (f"; select existing variables with ds.sel(feature={rest})" if rest else "")
            )
    return names


def list_variables(ds: xr.Dataset) -> list[str]:
    """Return the names of the features and of the extra variables that a dataset has, in order."""
    return [name for name in VARIABLE_BY_NAME if name in ds.data_vars]


def list_extras(ds: xr.Dataset) -> list[str]:
    """Return the names of the extra variables that a dataset has, in the order of :data:`EXTRAS`."""
    return [name for name in EXTRA_NAMES if name in ds.data_vars]


def check_feature(name: object) -> Feature:
    """Return the feature with a name, or raise with a hint."""
    if not isinstance(name, str) or name not in FEATURE_BY_NAME:
        raise SchemaError(f"unknown feature {format_value(name)}; {suggest(name, FEATURE_NAMES)}")
    return FEATURE_BY_NAME[name]


def get_feature(ds: xr.Dataset, name: str) -> xr.DataArray:
    """Return a feature of a dataset, or raise if it is missing."""
    if name not in ds.data_vars:
        names = ", ".join(map(str, ds.data_vars)) or "none"
        raise SchemaError(f"the dataset has no variable {name!r}; its variables are {names}")
    return check_array(ds[name], name)


def get_label(ds: xr.Dataset, function: str, instead: str = "") -> xr.DataArray:
    """Return the label of a dataset, or raise an error that names the function or option that needs it.

    ``instead`` names an alternative to a label.
    """
    if LABEL not in ds.data_vars:
        raise SchemaError(
            f"{function} needs the variable {LABEL!r}, which the dataset does not have; add labels of bound pairs "
            "with ds.assign(label=...) or yx.from_tables(..., label_from=...)" + (f", or {instead}" if instead else "")
        )
    return get_feature(ds, LABEL)


def get_selected(ds: xr.Dataset, name: str, function: str) -> xr.DataArray:
    """Return the feature that a function's argument selects, or raise if it is missing."""
    return get_label(ds, f"{function} with {LABEL!r}") if name == LABEL else get_feature(ds, name)


def get_units(ds: xr.Dataset, name: str) -> str:
    """Return the units of a variable: "1" if it is dimensionless, and "" if unknown.

    A magnitude has the units of its variable.
    """
    name = PERTURBATION if name == MAGNITUDE else name
    stated = ds[name].attrs.get("units") if name in ds.variables else None
    default = VARIABLE_BY_NAME[name].units
    return str(stated) if stated else default if default == "1" else ""


def has_sign(array: xr.DataArray, name: str) -> bool:
    """Return whether a variable may be negative: perturbation effects, and binding effects in logarithmic units."""
    return VARIABLE_BY_NAME[name].least < 0 or (name == BINDING and "log" in str(array.attrs.get("units", "")).lower())


def check_array(array: object, name: str, *, argument: str | None = None) -> xr.DataArray:
    """Return an array that follows the data model for one feature or extra variable, or raise.

    This checks dimensions (in any order), dtype and the indexes of ``gene`` and ``tf``, but not values. Messages use
    the name ``argument``, by default the feature's name.
    """
    called = argument or name
    feature = VARIABLE_BY_NAME[name] if name in EXTRA_NAMES else check_feature(name)
    if not isinstance(array, xr.DataArray):
        raise SchemaError(f"{called} is of type {type(array).__name__}; expected an xarray.DataArray of {name}")
    check_dims(array, called)
    if array.dtype != feature.dtype:
        raise SchemaError(f"{called} has dtype {array.dtype}; expected {feature.dtype}")
    return array


def check_dims(array: xr.DataArray | xr.Dataset, called: str) -> None:
    """Raise if an array or dataset lacks ``gene`` or ``tf``, or has duplicate labels along them."""
    for dim in CORE_DIMS:
        if dim not in array.dims:
            if dim in array.coords and array.coords[dim].ndim == 0:
                label = format_value(array.coords[dim].item())
                raise SchemaError(f"{called} has a scalar {dim} and no such dimension; select it with {dim}=[{label}]")
            dims = ", ".join(repr(str(d)) for d in array.dims) or "none"
            raise SchemaError(f"{called} has no dimension {dim!r}; expected 'gene' and 'tf', its dimensions are {dims}")
        if array.sizes[dim] == 0:
            raise SchemaError(f"{called} has length 0 along {dim!r}; expected at least 1")
        if dim not in array.indexes:
            raise SchemaError(f"{called} has no index coordinate {dim!r}; expected unique integers or names")
        index = array.indexes[dim]
        if index.nlevels > 1:
            raise SchemaError(
                f"{called} has a MultiIndex with {index.nlevels} levels along {dim!r}; expected one level"
            )
        if not index.is_unique:
            repeated = index[index.duplicated()][0]
            raise SchemaError(f"{called} has the {dim} {format_value(repeated)} more than once; expected unique labels")


def match_to(array: xr.DataArray, name: str, like: xr.DataArray, like_name: str = "label") -> xr.DataArray:
    """Transpose an array to match another one, or raise if dimensions, sizes or labels differ."""
    if set(array.dims) != set(like.dims):
        raise SchemaError(f"{name} has the dimensions {array.dims}; expected those of {like_name}, {like.dims}")
    for dim in like.dims:
        if array.sizes[dim] != like.sizes[dim]:
            raise SchemaError(
                f"{name} has length {array.sizes[dim]} along {dim!r}; expected {like.sizes[dim]}, as in {like_name}"
            )
        if dim in array.indexes and dim in like.indexes and not array.indexes[dim].equals(like.indexes[dim]):
            raise SchemaError(
                f"{name} and {like_name} have different labels along {dim!r}; expected the same labels and order"
            )
    return array if array.dims == like.dims else array.transpose(*like.dims)


def restore_dims(ds: xr.Dataset) -> xr.Dataset:
    """Restore the dimension of a gene or TF selected as a scalar, such as ``ds.sel(tf="GAL4")``, with length 1."""
    if not isinstance(ds, xr.Dataset):
        raise SchemaError(f"ds is of type {type(ds).__name__}; expected an xarray.Dataset")
    for dim in CORE_DIMS:
        if dim in ds.dims or dim not in ds.coords or ds.coords[dim].ndim:
            continue
        coords = [dim]  # coordinates along the dimension became scalars, too
        if dim == TF:
            coords.append(BOUND_FRACTION)
        if SPLIT in ds.coords and f'"by": "{dim}"' in str(ds.coords[SPLIT].attrs.get(PARAMETERS)):
            coords.append(SPLIT)
        names = [name for name in (*coords, *VARIABLE_BY_NAME) if name in ds.variables and dim not in ds[name].dims]
        arrays = {name: ds[name].variable.set_dims((dim, *ds[name].dims)) for name in names}
        coords = [name for name in coords if name in names]
        ds = ds.drop_vars(coords).assign({name: arrays[name] for name in names if name not in coords})
        ds = ds.assign_coords({name: arrays[name] for name in coords})
    return ds


def validate(ds: xr.Dataset) -> xr.Dataset:
    """Check that a dataset follows the data model, without computing anything.

    The variables ``binding_effect``, ``binding_pvalue``, ``perturbation_effect`` and ``perturbation_pvalue`` are
    required; missing values are NaN. The variable ``label`` is optional, because the truth of measured data is unknown.
    Every variable has the dimensions ``gene`` and ``tf``. It may lack leading dimensions that others have, if its
    values do not depend on them; for example, a swept parameter need not change all variables.

    Parameters
    ----------
    ds
        The dataset, backed by NumPy or dask.

    Returns
    -------
    xarray.Dataset
        The same dataset. If a gene or TF was selected as a scalar, such as ``ds.sel(tf="GAL4")``, its dimension is
        restored with length 1.

    Raises
    ------
    SchemaError
        If a dimension, variable or coordinate is missing, or has the wrong dimensions or dtype. The message names the
        variable, and states the expected and the actual value.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=20, bound=[0.25], n_sample=[2], seed=1)
    >>> yx.validate(ds) is ds
    True
    >>> yx.validate(ds.drop_vars("binding_effect"))
    Traceback (most recent call last):
    ...
    yeastxr.errors.SchemaError: the dataset has no variable 'binding_effect'; its variables are label, binding_pvalue, \
perturbation_effect, perturbation_pvalue
    """
    ds = restore_dims(ds)
    check_dims(ds, "the dataset")
    for name in (*MEASURES, *list_variables(ds)):
        if name in EXTRA_NAMES:
            check_array(ds[name], name)
        else:
            get_feature(ds, name)
    get_feature_names(ds)
    if BOUND_FRACTION in ds.coords:
        dims = ds.coords[BOUND_FRACTION].dims
        if TF not in dims or not {*dims} <= {*list_dims(ds)} - {GENE}:
            raise SchemaError(
                f"the coordinate {BOUND_FRACTION!r} has the dimensions {dims}; expected 'tf' and leading ones"
            )
    return ds
