"""Sweeps: simulations over grids of parameters in one dataset, and specifications in attributes."""

import json
import math
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache
from numbers import Real
from typing import Any, Self

import numpy as np
import xarray as xr

from yeastxr._blocks import Chunks, chunk_sizes
from yeastxr._validate import check_sequence, to_python, unwrap
from yeastxr.errors import InputError, InputTypeError, SchemaError, format_value, suggest
from yeastxr.schema import (
    BINDING,
    BOUND_FRACTION,
    CORE_DIMS,
    FEATURE,
    FEATURE_NAMES,
    LABEL,
    MAGNITUDE,
    MEASUREMENT,
    PARAMETERS,
    PERTURBATION,
    REPLICATE,
    RESPONSIVE,
    SPLIT,
    VARIABLE_BY_NAME,
    make_feature_coordinate,
    to_text_array,
)
from yeastxr.simulation.operators import Not, iterate_tfs
from yeastxr.simulation.parameters import FIXED, SOURCES
from yeastxr.simulation.relations import from_json, to_json
from yeastxr.simulation.simulate import PRESET, SPECIFICATION, SimulationSpec, check_parameter_names
from yeastxr.simulation.steps import get_sizes

SWEEP = "sweep"  # the attribute with a sweep as JSON: common parameters, labels, and the parameters of labels
METHOD = "method"  # the swept dimension whose labels are methods
METHODS = ("none", "binding", "related", "boolean")

_HOPS = "hop_distribution"
_MOST_POINTS = 100_000
_MOST_LETTERS = 60  # characters of a label formatted from a value
_EXPECTED_PRESET = "pass it to SimulationSpec.from_preset instead"
_RESERVED = {*CORE_DIMS, FEATURE, REPLICATE, MEASUREMENT, BOUND_FRACTION, SPLIT, *VARIABLE_BY_NAME}
Values = Collection[float] | list[Any] | tuple[Any, ...] | Mapping[Any, Any]


@dataclass(frozen=True)
class Sweep:
    """A grid of specifications: common parameters, and the parameters that each label of each dimension changes."""

    spec: SimulationSpec
    labels: Mapping[str, Sequence[Any]]
    changes: Mapping[str, Sequence[Mapping[str, Any]]]

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of labels of each swept dimension."""
        return tuple(map(len, self.labels.values()))

    @property
    def sizes(self) -> dict[str, int]:
        """The dimensions of the dataset, in order, and their sizes."""
        first = self.make_point(dict.fromkeys(self.labels, 0))  # the TFs of `spec` and of points may differ
        return dict(zip(self.labels, self.shape, strict=True)) | get_sizes(first)

    def list_positions(self) -> Iterator[dict[str, int]]:
        """Yield the positions of each point along the swept dimensions; the last one varies fastest."""
        for index in np.ndindex(*self.shape):
            yield dict(zip(self.labels, index, strict=True))

    def make_point(self, positions: Mapping[str, int]) -> SimulationSpec:
        """Return the specification at these positions; other dimensions use the common parameters."""
        values: dict[str, Any] = {}
        for dim, position in positions.items():
            values |= self.changes[dim][position]
        return replace(self.spec, **values)

    def make_points(self) -> list[SimulationSpec]:
        """Return the specification of each point."""
        return [self.make_point(positions) for positions in self.list_positions()]

    def locate(self, ds: xr.Dataset) -> dict[str, int] | None:
        """Return the positions of the point that scalar coordinates of a dataset select, or None."""
        positions = {}
        for dim, labels in self.labels.items():
            if dim in ds.dims:
                return None
            value = to_python(ds.coords[dim].values[()]) if dim in ds.coords and ds.coords[dim].ndim == 0 else None
            if value is None and len(labels) == 1:
                value = labels[0]
            if value not in labels:
                return None
            positions[dim] = list(labels).index(value)
        return positions

    def narrow(self, ds: xr.Dataset) -> Self:
        """Return the sweep restricted to the labels of a dataset."""
        kept: dict[str, list[int]] = {}
        for dim, labels in self.labels.items():
            own = map(to_python, ds.coords[dim].values.reshape(-1)) if dim in ds.coords else ()
            kept[dim] = [list(labels).index(label) for label in own if label in labels] or list(range(len(labels)))
        labels_of = {dim: [self.labels[dim][i] for i in positions] for dim, positions in kept.items()}
        changes = {dim: [self.changes[dim][i] for i in positions] for dim, positions in kept.items()}
        return replace(self, labels=labels_of, changes=changes)

    @property
    def parameters(self) -> set[str]:
        """The names of all swept parameters."""
        return {name for changes in self.changes.values() for change in changes for name in change}

    def write_values(self) -> dict[str, Any]:
        """Return the values of each swept dimension as plain values, in the form of files for the command line."""
        values: dict[str, Any] = {}
        for dim, labels in self.labels.items():
            changes: list[Any] = [_to_plain(change) for change in self.changes[dim]]
            is_list = all(change == {dim: label} for change, label in zip(changes, labels, strict=True))
            if all(list(change) == [dim] for change in changes):
                changes = [change[dim] for change in changes]
            values[dim] = changes if is_list else dict(zip(labels, changes, strict=True))
        return values

    def find_dims(self, name: str) -> tuple[str, ...]:
        """Return the swept dimensions of a variable: those with a parameter that it depends on."""
        reached, waiting = set[str](), [name]
        while waiting:
            source = waiting.pop()
            if source not in reached:
                reached.add(source)
                waiting += self._list_sources(source)
        return tuple(dim for dim, changes in self.changes.items() if any(reached & set(change) for change in changes))

    def _list_sources(self, name: str) -> tuple[str, ...]:
        """Return the parameters that a variable depends on, omitting those that no point uses."""
        unused = set[str]()
        if name == BOUND_FRACTION and self._list_field("bound_concentration") == {None}:
            unused = {"seed"}
        elif name == MAGNITUDE and self._list_field("max_mean_adjustment") == {0}:
            unused = {BINDING}
        elif name == "perturbation_pvalue" and self._list_field("batch_std") == {0}:
            unused = {PERTURBATION}  # signs matter only with an offset
        elif name == "binding_pvalue" and self._list_field("pvalues") == {"test"}:
            unused = {BINDING}  # p-values come from hops
        return tuple(source for source in SOURCES.get(name, ()) if source not in unused)

    def _list_field(self, name: str) -> set[Any]:
        """Return the values of a field in all points."""
        for changes in self.changes.values():
            if any(name in change for change in changes):
                return {change.get(name, getattr(self.spec, name)) for change in changes}
        return {getattr(self.spec, name)}

    @cached_property
    def extras(self) -> list[str]:
        """The names of the extra variables of any point, in order."""
        first = self.make_point(dict.fromkeys(self.labels, 0)).extras
        has_responses = RESPONSIVE in self.spec.extras or any(
            RESPONSIVE in self.make_point({dim: i}).extras
            for dim, changes in self.changes.items()
            for i, change in enumerate(changes)
            if {"responsive_fraction", "indirect_fraction"} & set(change)
        )
        return [name for name in VARIABLE_BY_NAME if name in first or (name == RESPONSIVE and has_responses)]

    def simulate(self, chunks: Chunks = "auto") -> xr.Dataset:
        """Simulate the dataset, with each variable along the swept dimensions that it depends on."""
        own: dict[str, Any] = {}
        if isinstance(chunks, Mapping):
            lengths = chunk_sizes(self.sizes, chunks) or {}
            own = {dim: lengths[dim] for dim in self.labels if chunks.get(dim, "auto") not in (None, "auto")}
            chunks = {dim: length for dim, length in chunks.items() if dim not in self.labels}
        names = [*FEATURE_NAMES, *self.extras, BOUND_FRACTION]
        dims = {name: self.find_dims(name) for name in names}
        pieces: dict[str, list[xr.Variable]] = {name: [] for name in names}
        first: xr.Dataset | None = None
        for positions in self.list_positions():
            changed = {dim for dim, position in positions.items() if position}
            wanted = [name for name in names if changed <= set(dims[name])]
            if not wanted:
                continue
            point = self.make_point(positions).simulate(chunks)
            first = point if first is None else first
            for name in wanted:
                pieces[name].append(_take_variable(point, name))
        assert first is not None  # the first point has all variables
        variables = {name: self._stack(pieces[name], dims[name]) for name in names}
        for name in {*variables} - {BOUND_FRACTION} if own else ():
            variables[name] = variables[name].chunk({dim: own[dim] for dim in own if dim in dims[name]})
        coords: dict[Hashable, Any] = {dim: (dim, _make_index(labels)) for dim, labels in self.labels.items()}
        coords |= {name: first.variables[name] for name in first.coords if name != FEATURE}
        coords[BOUND_FRACTION] = variables.pop(BOUND_FRACTION)
        attrs = {name: value for name, value in first.attrs.items() if name not in {SPECIFICATION, *self.parameters}}
        coordinates = xr.Coordinates(coords) | make_feature_coordinate()
        return xr.Dataset(variables, coordinates, attrs | {SWEEP: self.to_json()})

    def _stack(self, variables: list[xr.Variable], dims: Sequence[str]) -> xr.Variable:
        """Stack the variables of points, in order, along swept dimensions."""
        for dim in reversed(dims):
            n = len(self.labels[dim])
            variables = [xr.Variable.concat(variables[i : i + n], dim) for i in range(0, len(variables), n)]
        variable = variables[0].copy(deep=False)
        variable.attrs = {name: value for name, value in variable.attrs.items() if name != PARAMETERS}  # of one point
        return variable

    def to_json(self) -> str:
        """Return the sweep as JSON: the specification, labels, and fields of labels that are not values."""
        named = {
            dim: [_to_plain(change) for change in changes]
            for dim, changes in self.changes.items()
            if any(change != {dim: label} for change, label in zip(changes, self.labels[dim], strict=True))
        }
        values = {dim: list(labels) for dim, labels in self.labels.items()}
        return json.dumps({SPECIFICATION: self.spec.to_dict(), "values": values} | ({"fields": named} if named else {}))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Create a sweep from JSON; the inverse of :meth:`to_json`."""
        description = json.loads(text)
        spec, labels = SimulationSpec.from_dict(description[SPECIFICATION]), dict(description["values"])
        named = description.get("fields", {})
        changes: dict[str, list[dict[str, Any]]] = {}
        for dim, values in labels.items():
            given = named.get(dim) or [{dim: value} for value in values]
            changes[dim] = [_from_plain(change, spec) for change in given]
            if len(changes[dim]) != len(values):
                raise InputError(f"{dim} has {len(values)} labels and {len(changes[dim])} changes")
        sweep = cls(spec, labels, changes)
        _check_number(sweep)
        return sweep


def _to_plain(change: Mapping[str, Any]) -> dict[str, Any]:
    """Convert fields of a specification to JSON values."""
    return {
        name: to_json(value)
        if name == "tf_relationships" and value is not None
        else list(value)
        if isinstance(value, tuple)
        else value
        for name, value in change.items()
    }


def _from_plain(change: Mapping[str, Any], spec: SimulationSpec) -> dict[str, Any]:
    """Convert JSON values to fields of a specification."""
    check_parameter_names(change)
    if PRESET in change:
        raise InputError(f"points of a sweep can't have a preset; {_EXPECTED_PRESET}")
    relations = change.get("tf_relationships")
    if relations is None:
        return dict(change)
    return {**change, "tf_relationships": from_json(relations, named=spec.tfs is not None)}


def _take_variable(point: xr.Dataset, name: str) -> xr.Variable:
    """Return a variable of a point; ``responsive`` equals the label if exactly the bound pairs respond."""
    if name in point.variables:
        return point.variables[name]
    variable = point.variables[LABEL].copy(deep=False)
    variable.attrs = dict(VARIABLE_BY_NAME[name].attrs)
    return variable


def _make_index(labels: Sequence[Any]) -> np.ndarray:
    """Return labels as an array of numbers or strings for an index."""
    if isinstance(labels[0], str):
        return to_text_array(list(labels))
    if not all(isinstance(label, int) for label in labels):
        return np.asarray(labels, np.float64)
    return np.asarray(labels, np.uint64 if max(labels) >= 2**63 else np.int64)


def sweep(
    spec: SimulationSpec, *, replicates: int | None = None, chunks: Chunks = "auto", **values: Values
) -> xr.Dataset:
    """Simulate over a grid of parameters; each swept parameter becomes a leading dimension.

    All points share the seed, so they differ only by the parameter (common random numbers). A variable has only the
    swept dimensions of parameters that it depends on: for example, labels do not depend on ``bound_mean``. Each point
    is bit-identical to the simulation of its specification, with one exception: if any point of a sweep over
    ``responsive_fraction`` or ``indirect_fraction`` has the variable ``responsive``, all points have it. In points
    where exactly the bound pairs respond, it is a copy of ``label``.

    Parameters
    ----------
    spec
        The specification with the common parameters.
    replicates
        The number of replicates of each point; by default that of the specification.
    chunks
        As for :func:`yeastxr.simulate`, with sizes along swept dimensions, too. By default arrays are dask-backed, with
        one label of each swept dimension per chunk. ``None`` for NumPy arrays.
    **values
        For the name of a parameter, the values to sweep over: a list, or a dict from labels to values. The labels of a
        list are its values, if they are numbers or strings; the label of a range ``(1, 6)`` is ``"1-6"``. Relations
        need a dict. Numbers become int64, uint64 or float64, the first that represents all of them exactly.

        For any other name without slashes, a dict from labels to dicts of parameters: variants that differ in several
        parameters.

        ``method`` takes a list of ``"none"`` (no adjustment), ``"binding"`` (by ``max_mean_adjustment``, without
        relations), ``"related"`` (relations in which all TFs that the conditions name must bind) and ``"boolean"`` (the
        unmodified relations), with the parameters of the specification; or a dict with parameters that replace those,
        such as ``{"binding": {}, "related": {"tf_relationships": {0: [1]}}}``.

    Returns
    -------
    xarray.Dataset
        A dataset with a dimension for each swept parameter before ``([replicate,] [measurement,] gene, tf)``. It has no
        single specification; select a point, ``ds.sel(bound_mean=3.0)``, and call :func:`yeastxr.spec_of`. ``method``
        is a parameter of xarray's ``sel``, so write ``ds.sel({"method": "related"})``.

    Raises
    ------
    InputError
        If a parameter is unknown, changes labels or lengths of the data, or is swept twice, or a value is invalid.

    Examples
    --------
    >>> import yeastxr as yx
    >>> spec = yx.SimulationSpec(genes=100, bound=[0.2], seed=42)
    >>> ds = yx.sweep(spec, bound_mean=[3.0, 5.0, 10.0], replicates=2)
    >>> dict(ds.perturbation_effect.sizes)
    {'bound_mean': 3, 'replicate': 2, 'gene': 100, 'tf': 1}
    >>> ds.label.dims
    ('replicate', 'gene', 'tf')
    >>> spec = yx.SimulationSpec(genes=100, bound=[0.2], n_sample=[3], max_mean_adjustment=10.0,
    ...                          tf_relationships={0: [yx.Or(1, 2)]}, seed=42)
    >>> ds = yx.sweep(spec, method=["none", "binding", "related", "boolean"])
    >>> yx.spec_of(ds.sel({"method": "related"})).tf_relationships
    {0: (1, 2)}
    """
    if not isinstance(spec, SimulationSpec):
        raise InputTypeError(f"spec is of type {type(spec).__name__}; expected a SimulationSpec, such as ds.yeast.spec")
    if replicates is not None:
        spec = replace(spec, replicates=replicates)
    return make_sweep(spec, values).simulate(chunks)


def make_sweep(spec: SimulationSpec, values: Mapping[str, Any]) -> Sweep:
    """Return the validated sweep of a specification; see :func:`sweep`."""
    known = {field.name for field in fields(spec)}
    labels: dict[str, list[Any]] = {}
    changes: dict[str, list[dict[str, Any]]] = {}
    for dim, given in values.items():
        if dim in known:
            labels[dim], changes[dim] = _list_values(dim, given)
        elif dim == METHOD:
            labels[dim], changes[dim] = _list_methods(spec, given)
        else:
            labels[dim], changes[dim] = _list_variants(dim, given, known)
    grid = Sweep(spec, labels, changes)
    _check_number(grid)
    _check_overlaps(changes)
    return _normalize(grid)


def _check_number(grid: Sweep) -> None:
    """Raise for too many points."""
    n_points = math.prod(grid.shape)
    if n_points > _MOST_POINTS:
        raise InputError(f"the sweep has {n_points:,} points; expected at most {_MOST_POINTS:,}")


def _check_overlaps(changes: Mapping[str, Iterable[Mapping[str, Any]]]) -> None:
    """Raise if two dimensions change the same parameter."""
    owners: dict[str, str] = {}
    for dim, listed in changes.items():
        for name in {name: None for change in listed for name in change}:
            if owners.setdefault(name, dim) != dim:
                raise InputError(f"both {owners[name]} and {dim} change {name}; expected it in one of them")


def _refuse(name: Hashable) -> None:
    """Raise for a parameter that must be the same in all points."""
    if name in FIXED:
        raise InputError(
            f"a sweep over {name!r} is not possible, because all points must have the same labels, lengths "
            "and variables; set it in the specification"
        )


def _list_values(name: str, given: Any) -> tuple[list[Any], list[dict[str, Any]]]:
    """Return the labels, if any, and the values of a parameter."""
    _refuse(name)
    if isinstance(given, Mapping):
        return _check_labels(name, given), [{name: value} for value in given.values()]
    items = [unwrap(value) for value in check_sequence(name, given, "a list of values to sweep over")]
    if not items:
        raise InputError(f"{name} is empty; expected at least one value to sweep over")
    return items, [{name: value} for value in items]


def _list_variants(dim: str, given: Any, known: Collection[str]) -> tuple[list[Any], list[dict[str, Any]]]:
    """Return the labels of variants, and the parameters of each."""
    if not isinstance(given, Mapping):
        names = [name for name in (*sorted(known), METHOD) if name not in FIXED]
        raise InputError(f"a sweep over {format_value(dim)} is not possible; {suggest(dim, [*names, 'replicates'])}")
    if dim in _RESERVED:
        raise InputError(f"a sweep over {dim!r} is not possible, because datasets use this name; choose another name")
    if not dim or dim != dim.strip() or not dim.isprintable() or set(dim) & set("/\\"):
        raise InputError(
            f"a sweep over {format_value(dim)} is not possible; expected a name of printable "
            "characters, without slashes and without spaces at either end"
        )
    labels = _check_labels(dim, given)
    for label, change in given.items():
        if not isinstance(change, Mapping):
            raise InputTypeError(
                f"{dim}[{format_value(label)}] is {format_value(change)}; expected a dict from parameters to values"
            )
        check_parameter_names(change)
        if PRESET in change:
            raise InputError(f"{dim}[{format_value(label)}] can't have a preset; {_EXPECTED_PRESET}")
        for name in change:
            _refuse(name)
    return labels, [dict(change) for change in given.values()]


def _list_methods(spec: SimulationSpec, given: Any) -> tuple[list[Any], list[dict[str, Any]]]:
    """Return the labels of methods, and the parameters of each; other labels of a dict are variants."""
    if not isinstance(given, Mapping):
        methods = [unwrap(name) for name in check_sequence(METHOD, given, "a list of methods, or a dict")]
        for name in methods:
            if not isinstance(name, str) or name not in METHODS:
                raise InputError(f"unknown method {format_value(name)}; {suggest(name, METHODS)}")
        given = {name: {} for name in methods}
    labels, changes = _list_variants(METHOD, given, ())
    named = zip(labels, changes, strict=True)
    return labels, [_make_method(spec, label, change) if label in METHODS else change for label, change in named]


def _make_method(spec: SimulationSpec, method: str, change: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a method, updated with the given ones."""
    relations = None
    if method in ("related", "boolean"):
        relations = change.get("tf_relationships", spec.tf_relationships)
        if relations is None:
            raise InputError(
                f"method {method!r} needs tf_relationships, which the specification does not have; "
                f"set them there, or pass method={{{method!r}: {{'tf_relationships': ...}}, ...}}"
            )
        if method == "related":
            relations = replace(spec, tf_relationships=relations).tf_relationships
            relations = {tf: _list_related(tf, entries) for tf, entries in relations.items()}  # type: ignore[union-attr]
    most = 0.0 if method == "none" else spec.max_mean_adjustment
    made = {"max_mean_adjustment": most, **change, "tf_relationships": relations}
    if change.get("tf_relationships") is not None and relations is None:
        raise InputError(f"method {method!r} does not use tf_relationships; omit them")
    if method in ("none", "binding") and bool(unwrap(made["max_mean_adjustment"])) != (method == "binding"):
        expected = "0" if method == "none" else "a number other than 0, in the specification or for this method"
        raise InputError(
            f"max_mean_adjustment of method {method!r} is {format_value(made['max_mean_adjustment'])}; "
            f"expected {expected}"
        )
    return made


def _list_related(tf: Hashable, entries: Sequence[Any]) -> tuple[Hashable, ...]:
    """Return the TFs that conditions name, all of which must bind in the method "related"."""
    waiting = list(entries)
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, Not):
            raise InputError(
                f"method 'related' can't use the conditions of TF {format_value(tf)}, which contain Not; "
                "pass other relations with method={'related': {'tf_relationships': ...}, ...}"
            )
        waiting += getattr(entry, "entries", ())
    return tuple(dict.fromkeys(iterate_tfs(entries)))


def _check_labels(dim: str, given: Mapping[Any, Any]) -> list[Any]:
    """Return the labels of a dict, strings or numbers, or raise."""
    if not given:
        raise InputError(f"{dim} is empty; expected at least one label with a value")
    labels = [to_python(label) for label in given]
    if not (all(isinstance(label, str) for label in labels) or all(map(_is_number, labels))):
        raise InputTypeError(f"{dim} has the labels {format_value(labels)}; expected only strings or only numbers")
    return labels


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def _normalize(grid: Sweep) -> Sweep:
    """Return a sweep with normalized values and unique labels."""
    labels: dict[str, list[Any]] = {}
    changes: dict[str, list[dict[str, Any]]] = {}
    first = dict.fromkeys(grid.labels, 0)
    tfs = _make_checked_point(grid, first).tf_labels
    for dim, listed in grid.changes.items():
        points = [_make_checked_point(grid, {**first, dim: i}) for i in range(len(listed))]
        for point in points:
            if point.tf_labels != tfs:
                raise InputError(
                    f"{dim} has points with {len(tfs)} and with {len(point.tf_labels)} TFs, or with different names; "
                    "expected the same TFs in all points"
                )
        changes[dim] = [
            {name: getattr(point, name) for name in change} for point, change in zip(points, listed, strict=True)
        ]
        labels[dim] = _make_labels(dim, grid.labels[dim], changes[dim])
    return Sweep(grid.spec, labels, changes)


def _make_checked_point(grid: Sweep, positions: Mapping[str, int]) -> SimulationSpec:
    """Return the specification of a point; errors explain how to sweep over distributions of hops."""
    try:
        return grid.make_point(positions)
    except InputError as error:
        if _HOPS not in grid.changes or _HOPS not in str(error):
            raise
        raise InputError(
            f"{error}, or variants with all parameters, such as hops_of={{'uniform': {{'{_HOPS}': 'uniform', "
            "'background_hops_mean': None, ...}, ...}"
        ) from None


def _make_labels(dim: str, given: Sequence[Any], changes: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Return the given labels, or labels formatted from the values."""
    labels = list(given)
    if not (all(map(_is_number, labels)) or all(isinstance(label, str) for label in labels)):
        values = (label if _is_number(label) else change[dim] for label, change in zip(labels, changes, strict=True))
        labels = [_write_value(dim, value) for value in values]
    else:
        labels = list(map(to_python, labels))
    seen = set[Any]()
    for label in labels:
        if label in seen:
            raise InputError(f"{dim} has {format_value(label)} more than once; expected unique labels")
        seen.add(label)
    if not isinstance(labels[0], str):
        _check_numbers(dim, labels)
    return labels


def _check_numbers(dim: str, labels: Sequence[Any]) -> None:
    """Raise for numbers that no single dtype represents exactly, because selection would fail."""
    try:
        exact = _make_index(labels).tolist() == list(labels) and all(isinstance(label, int | float) for label in labels)
    except (OverflowError, TypeError, ValueError):
        exact = False
    if not exact:
        raise InputError(
            f"{dim} has the labels {format_value(labels)}, which neither int64, uint64 nor float64 represents; "
            "expected other values, or a dict from strings to values"
        )


def _write_value(name: str, value: Any) -> str:
    """Format a value of a parameter as a label."""
    if isinstance(value, tuple):
        text = ("-" if name.endswith("_range") else ", ").join(map(str, value))
    elif value is None or _is_number(value):
        text = str(value).lower()
    else:
        text = ""
    if not text or len(text) > _MOST_LETTERS:
        raise InputError(
            f"{name} has a value without a short label, {format_value(value)}; expected a dict from labels to values"
        )
    return text


def read_sweep(ds: xr.Dataset) -> Sweep | None:
    """Return the sweep in the attributes of a dataset, or None."""
    try:
        return _parse_sweep(ds.attrs[SWEEP])
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


@lru_cache(maxsize=8)
def _parse_sweep(text: str) -> Sweep:
    return Sweep.from_json(text)


@lru_cache(maxsize=8)  # plots read it repeatedly, and parsing the relations of 20,000 TFs takes a second
def _parse_spec(text: str) -> SimulationSpec:
    return SimulationSpec.from_json(text)


@lru_cache(maxsize=8)
def _parse_point(text: str, positions: tuple[tuple[str, int], ...]) -> SimulationSpec:
    return _parse_sweep(text).make_point(dict(positions))


def spec_of(ds: xr.Dataset) -> SimulationSpec | None:
    """Return the specification in the attributes of a dataset, or None.

    Parameters
    ----------
    ds
        The dataset. Only its attributes are used and, for a point of a sweep, its coordinates along swept dimensions.

    Returns
    -------
    SimulationSpec or None
        The specification of the dataset or, for a point of a sweep such as ``ds.sel(bound_mean=3.0)``, of the point.
        None if there is no specification, or if a sweep has several.

    Raises
    ------
    SchemaError
        If ``ds`` is not a dataset, or the attribute is not a specification.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=100, bound=[0.2], seed=42)
    >>> yx.spec_of(ds).simulate().identical(ds)
    True
    """
    if not isinstance(ds, xr.Dataset | xr.DataArray):
        raise SchemaError(f"ds is of type {type(ds).__name__}; expected an xarray.Dataset")
    text = ds.attrs.get(SPECIFICATION)
    if text is None:
        grid = read_sweep(ds)
        positions = None if grid is None else grid.locate(ds)
        return None if positions is None else _parse_point(ds.attrs[SWEEP], tuple(positions.items()))
    try:
        return _parse_spec(text) if isinstance(text, str) else SimulationSpec.from_json(text)
    except ValueError as error:
        raise SchemaError(f"the attribute {SPECIFICATION!r} is not a specification: {error}") from None


def read_specs(ds: xr.Dataset) -> list[SimulationSpec]:
    """Return the specification, or all specifications of a sweep; empty if there is none."""
    try:
        spec = spec_of(ds)
        if spec is not None:
            return [spec]
        grid = read_sweep(ds)
        return [] if grid is None else grid.make_points()
    except (TypeError, ValueError):
        return []
