"""Where the bins of a summary begin and end: as asked, as a specification tells, or as the data do."""

from collections.abc import Mapping
from typing import Any

import xarray as xr

from yeastxr.arguments import InputError, check_sequence, shown, suggestion
from yeastxr.binning import Axis, axis, neat
from yeastxr.counting import largest_effects
from yeastxr.parameters import PerturbationParameters
from yeastxr.sweeping import specifications
from yeastxr.tallies import QUANTITIES

PAIRS = "pairs"

_FIXED = {"binding_effect": (0.0, 5.0), "binding_pvalue": (0.0, 1.0), "perturbation_pvalue": (0.0, 1.0)}


def summary_axes(ds: xr.Dataset, limits: Mapping[str, Any] | None, bins: int, bins_2d: int) -> dict[str, Axis]:
    """Return the axis of each quantity and, named x and y, those of pairs."""
    if limits is not None and not isinstance(limits, Mapping):
        raise InputError(f"limits is {shown(limits)}; expected a dict from quantities to (lower, upper)")
    asked: dict[str, Any] = {**_FIXED, **(limits or {})}
    known = [*QUANTITIES, PAIRS]
    for name in asked:
        if name not in known:
            raise InputError(f"limits names {shown(name)}, which is not known; {suggestion(name, known)}")
    if any(name not in asked for name in ("perturbation_effect", "perturbation_size", PAIRS)):
        largest = _largest(ds)
        asked.setdefault("perturbation_effect", (-largest[1], largest[1]))
        asked.setdefault("perturbation_size", (0.0, largest[1]))
        asked.setdefault(PAIRS, ((0.0, largest[0]), (0.0, largest[1])))
    pair = check_sequence(f"limits[{PAIRS!r}]", asked[PAIRS], "a pair of (lower, upper), for x and for y")
    if len(pair) != 2:
        raise InputError(f"limits[{PAIRS!r}] is {shown(pair)}; expected a pair of (lower, upper), for x and for y")
    return {
        **{name: axis(f"limits[{name!r}]", asked[name], bins) for name in QUANTITIES},
        "x": axis("the limits of pairs along x", pair[0], bins_2d, root=True),
        "y": axis("the limits of pairs along y", pair[1], bins_2d),
    }


def _largest(ds: xr.Dataset) -> tuple[float, float]:
    """Return limits for the sizes of binding and perturbation effects."""
    specs = specifications(ds)
    if specs:
        binding = max(spec.largest_effect for spec in specs) * (1 + 1e-6)  # float32 may round up
        return neat(binding), neat(max(_largest_perturbation(spec) for spec in specs))
    observed = largest_effects(ds, "binding_effect", "perturbation_effect")
    return neat(observed["binding_effect"]), neat(observed["perturbation_effect"])


def _largest_perturbation(spec: PerturbationParameters) -> float:
    """Return what a perturbation effect will hardly exceed: 6 standard deviations beyond the largest mean."""
    bound = max(abs(spec.bound_mean), abs(spec.bound_mean + spec.max_mean_adjustment), abs(spec.unbound_mean))
    return max(abs(spec.unbound_mean) + 6 * spec.unbound_std, bound + 6 * spec.bound_std)
