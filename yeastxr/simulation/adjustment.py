"""The mean of each pair: methods 1 to 4 (:class:`MeanModel`), active pairs, and user-defined rules."""

import json
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import xarray as xr

from yeastxr._blocks import get_positions, map_blocks
from yeastxr._validate import check_number, to_python
from yeastxr.errors import InputError, InputTypeError, SchemaError, format_value
from yeastxr.schema import (
    ADJUSTED,
    PARAMETERS,
    RESPONSIVE,
    STATUSES,
    TF,
    VARIABLE_BY_NAME,
    check_array,
    match_to,
    order_dims,
)
from yeastxr.simulation.operators import iterate_tfs
from yeastxr.simulation.parameters import BindingParameters, PerturbationParameters, fits_float32
from yeastxr.simulation.relations import Programs, check_relationships, compile_conditions, to_json

if TYPE_CHECKING:
    from yeastxr.simulation.simulate import SimulationSpec

AdjustmentFunction = Callable[[xr.DataArray, xr.DataArray], xr.DataArray]
_NAMED = "named_tf"  # the dimension of the label columns that relationships name


@dataclass(frozen=True)
class MeanModel:
    """The mean and standard deviation of a pair's perturbation effect, for methods 1 to 4.

    By status (see :data:`yeastxr.schema.STATUSES`): unbound pairs have the unbound mean and s.d., active pairs the
    bound s.d. and a mean that rises with the binding effect, inactive pairs the unbound mean and the bound s.d.
    """

    unbound_mean: float
    unbound_std: float
    bound_mean: float
    bound_std: float
    max_mean_adjustment: float = 0.0
    largest_binding_effect: float = 0.0

    @classmethod
    def from_parameters(cls, perturbation: PerturbationParameters, largest_binding_effect: float) -> Self:
        """Create the model from the parameters of step 3 and the binding effect with the largest adjustment."""
        return cls(
            perturbation.unbound_mean,
            perturbation.unbound_std,
            perturbation.bound_mean,
            perturbation.bound_std,
            perturbation.max_mean_adjustment,
            largest_binding_effect,
        )

    @classmethod
    def from_spec(cls, spec: "SimulationSpec") -> Self:
        """Create the model of a complete simulation."""
        return cls.from_parameters(spec, spec.largest_effect)

    @property
    def slope(self) -> float:
        """The increase of an active pair's mean per unit of its binding effect."""
        return self.max_mean_adjustment / self.largest_binding_effect if self.largest_binding_effect > 0 else 0.0

    @property
    def means(self) -> tuple[float, ...]:
        """The means by status, at a binding effect of 0."""
        return self.unbound_mean, self.bound_mean, self.unbound_mean

    @property
    def stds(self) -> tuple[float, ...]:
        """The standard deviations by status."""
        return self.unbound_std, self.bound_std, self.bound_std

    @property
    def largest_abs_mean(self) -> float:
        """The largest absolute value of a mean, over statuses and binding effects."""
        return max(abs(self.unbound_mean), abs(self.bound_mean), abs(self.bound_mean + self.max_mean_adjustment))

    @property
    def numbers(self) -> tuple[float, ...]:
        """The arguments of the kernel of perturbation effects, in order."""
        return self.unbound_mean, self.unbound_std, self.bound_mean, self.bound_std, self.slope

    def mean(self, status: str | np.ndarray, binding_effect: Any = 0.0) -> np.ndarray:
        """Return means, float64: ``status`` is a name or an array of codes, binding effects broadcast against it."""
        code = np.asarray(STATUSES.index(status) if isinstance(status, str) else status)
        means = np.array(self.means)[code]
        if self.slope:
            effect = np.asarray(binding_effect, np.float64)
            means = means + self.slope * np.where(code == STATUSES.index("bound_active"), effect, 0.0)
        return np.asarray(np.broadcast_to(means, np.broadcast_shapes(means.shape, np.shape(binding_effect))))

    def std(self, status: str | np.ndarray) -> np.ndarray:
        """Return standard deviations, float64: ``status`` is a name or an array of codes."""
        return np.asarray(np.array(self.stds)[STATUSES.index(status) if isinstance(status, str) else status])


def find_largest_effect(
    max_mean_adjustment: float, effect: xr.DataArray, largest: float | None
) -> tuple[xr.DataArray, float]:
    """Return the binding effect with the largest adjustment, as a 0-dimensional float64, and a limit of all effects.

    The binding effect is the given one, or the largest that the parameters in the attributes allow (also the limit), or
    the largest observed one (lazy for dask). Without an adjustment it is 0.
    """
    if largest is not None:
        largest = check_number("largest_binding_effect", largest, least=0)
        if largest == 0:
            raise InputError("largest_binding_effect is 0; expected a number above 0")
    if max_mean_adjustment == 0:
        return xr.DataArray(np.float64(0)), np.inf
    possible = _find_largest_possible(effect)
    if largest is None and possible is not None:
        return xr.DataArray(np.float64(possible)), possible * (1 + 1e-6)  # float32 may round up
    if largest is None:
        return xr.DataArray(_find_largest_observed(effect)), np.inf
    if not fits_float32(abs(max_mean_adjustment) * max(1.0, (possible or 1.0) / largest)):
        raise InputError(
            f"largest_binding_effect is {largest:g}; expected a smaller number, so that effects fit into float32"
        )
    return xr.DataArray(np.float64(largest)), np.inf


def _find_largest_observed(effect: xr.DataArray) -> Any:
    """Return the largest effect as a 0-dimensional float64; for dask, a separate pass computes it on demand.

    A reduction in the same graph would keep every chunk in memory until it finishes.
    """
    if not effect.chunks:
        return np.float64(effect.values.max())
    import dask
    import dask.array as da

    most = effect.data.max()

    def read() -> np.float64:
        return np.float64(most.compute(scheduler="synchronous"))

    return da.from_delayed(dask.delayed(read, pure=False)(), shape=(), dtype=np.float64)


def _find_largest_possible(effect: xr.DataArray) -> float | None:
    """Return the largest binding effect that the parameters in an array's attributes allow, or None."""
    try:
        return BindingParameters.extract(json.loads(effect.attrs[PARAMETERS])).largest_effect
    except (KeyError, TypeError, ValueError):
        return None


def adjusted_pairs(
    labels: xr.DataArray,
    tf_relationships: Mapping[Any, Iterable[Any]] | None,
    *,
    responsive: xr.DataArray | None = None,
) -> xr.DataArray:
    """Return the active pairs, which respond, and for whose gene the conditions of the TF hold.

    Parameters
    ----------
    labels
        Bool, dims ``(..., gene, tf)``; NumPy or dask.
    tf_relationships
        A dict from TFs to lists of conditions, all of which must hold: TFs, ``And``, ``Or``, ``Not``. None, an empty
        list or a missing TF means no condition.
    responsive
        The pairs that respond, bool, like the labels; by default the bound pairs. Conditions refer to labels.

    Returns
    -------
    xarray.DataArray
        ``adjusted``, bool, like the labels; dask-backed if they are.

    Raises
    ------
    InputError
        If a relationship names an unknown TF or is of the wrong type.

    Examples
    --------
    >>> import yeastxr as yx
    >>> labels = yx.generate_gene_population(100, bound=[0.5, 0.5], seed=1)
    >>> both = yx.adjusted_pairs(labels, {0: [1]})
    >>> bool((both.sel(tf=0) == labels.all("tf")).all()), bool((both.sel(tf=1) == labels.sel(tf=1)).all())
    (True, True)
    """
    labels = order_dims(check_array(labels, "label", argument="labels"))
    if responsive is not None:
        responsive = match_to(check_array(responsive, RESPONSIVE), RESPONSIVE, labels, "labels")
    relationships = check_relationships(tf_relationships or {}, labels.indexes[TF])
    return mark_adjusted(labels, relationships, responsive)


def mark_adjusted(
    labels: xr.DataArray, relationships: Mapping[Any, Iterable[Any]], responsive: xr.DataArray | None
) -> xr.DataArray:
    """Return the variable ``adjusted`` for validated relationships."""
    active = evaluate_relationships(labels, relationships, responsive=responsive).copy(deep=False)
    active.name = ADJUSTED
    described = to_json(relationships) if relationships else None
    active.attrs = {**VARIABLE_BY_NAME[ADJUSTED].attrs, PARAMETERS: json.dumps({"tf_relationships": described})}
    return active


def evaluate_relationships(
    labels: xr.DataArray,
    relationships: Mapping[Any, Iterable[Any]],
    *,
    responsive: xr.DataArray | None = None,
    bound_only: bool = True,
    read_now: bool = False,
) -> xr.DataArray:
    """Return the active pairs for labels and validated relationships.

    ``responsive`` marks the pairs that respond, by default the bound pairs. With ``bound_only=False``, return where the
    conditions of each TF would hold if it were bound. With ``read_now=True``, compute the columns that conditions name
    immediately, so that no other array stays in memory until then.
    """
    conditions = {tf: tuple(entries) for tf, entries in relationships.items() if entries}
    if not conditions:
        responses = labels if responsive is None else responsive
        return responses if bound_only else xr.ones_like(labels)
    tf_positions = {to_python(tf): position for position, tf in enumerate(labels.indexes[TF])}
    named = {tf: tf_positions[tf] for entries in conditions.values() for tf in iterate_tfs(entries)}
    columns = labels.variable.transpose(TF, ...)
    if labels.chunks:  # every block takes the named columns, and no others
        columns = columns[list(named.values())].chunk({TF: -1})
        columns = columns.compute() if read_now else columns
        named = {tf: position for position, tf in enumerate(named)}
    result = map_blocks(
        _evaluate_block,
        labels.dims,
        [
            labels,
            get_positions(labels)[2],
            xr.Variable((_NAMED, *columns.dims[1:]), columns.data),
            *(() if responsive is None else (responsive,)),
        ],
        dtype=np.bool_,
        conditions={tf_positions[tf]: (tf, entries) for tf, entries in conditions.items()},
        named=named,
        bound_only=bound_only,
    )
    return labels.copy(deep=False, data=result.data)


def _evaluate_block(
    label: np.ndarray,
    tf: np.ndarray,
    columns: np.ndarray,
    responsive: np.ndarray | None = None,
    *,
    conditions: Mapping[int, tuple[Hashable, Iterable[Any]]],
    named: Mapping[Hashable, int],
    bound_only: bool,
    threads: int,
) -> np.ndarray:
    """Evaluate the conditions of a block's TFs on label columns ``(..., gene, 1, named)``."""
    own = [conditions.get(int(position), (None, ())) for position in tf.reshape(-1)]
    needed = dict.fromkeys(name for _, entries in own for name in iterate_tfs(entries))
    places = {name: place for place, name in enumerate(needed)}
    programs = compile_conditions(own, places, assume_bound=not bound_only)
    taken = np.moveaxis(columns[..., 0, [named[name] for name in needed]], -1, -2)
    responses = label if responsive is None else responsive
    out = np.empty((*label.shape[:-2], *label.shape[:-3:-1]), np.uint8)
    for lead in np.ndindex(label.shape[:-2]):
        plane = responses[lead].T if bound_only else np.broadcast_to(True, out[lead].shape)
        evaluate_programs(programs, taken[lead], plane, out[lead])
    return out.swapaxes(-1, -2).view(bool)


def evaluate_programs(
    programs: Programs, columns: np.ndarray, label: np.ndarray, out: np.ndarray, others: np.ndarray | None = None
) -> None:
    """Fill ``out`` [TF, gene] with where conditions hold and ``label`` is True, given the columns that they name.

    Columns are rows of ``columns`` and then of ``others``, as :meth:`compile_conditions` got them.
    """
    from yeastxr.simulation import kernels

    def view(rows: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(rows).view(np.uint8)

    columns = view(columns)
    others = columns[:0] if others is None else view(others)
    stack = np.empty((programs.n_waiting, out.shape[1]), np.uint8)
    kernels.evaluate_conditions(programs.code, programs.starts, columns, others, view(label), stack, out)


def compute_custom_mean(
    function: AdjustmentFunction, labels: xr.DataArray, effect: xr.DataArray, params: PerturbationParameters
) -> xr.DataArray:
    """Return the mean of each pair from a user-defined rule, float64 with the dimensions of the labels."""
    if not callable(function):
        raise InputTypeError(
            f"adjustment_function is {format_value(function)}; expected a callable that takes labels and effects"
        )
    if params.tf_relationships is not None or params.max_mean_adjustment:
        raise InputError("adjustment_function excludes tf_relationships and max_mean_adjustment; expected one rule")
    mean = function(labels, effect)
    if not isinstance(mean, xr.DataArray) or not set(mean.dims) <= set(labels.dims):
        raise SchemaError(
            f"adjustment_function returned {format_value(mean)}; "
            f"expected a DataArray of means with dimensions among {labels.dims}"
        )
    mean = xr.align(mean, labels, join="exact", copy=False)[0].astype(np.float64)
    return mean.broadcast_like(labels).transpose(*labels.dims)
