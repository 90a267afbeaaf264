"""Fitting of a specification: parameters that are estimated, held, given, or read from attributes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import groupby
from typing import Any

import numpy as np
import xarray as xr

from yeastxr._validate import check_seed
from yeastxr.errors import InputError, InputTypeError, format_value, suggest
from yeastxr.fit.cells import Data, Moments, collect
from yeastxr.fit.effects import NAMES as EFFECT_NAMES
from yeastxr.fit.effects import Maximum, fit_effects
from yeastxr.fit.hops import (
    DISPERSIONS,
    MEANS,
    RANGES,
    Estimate,
    HopFit,
    fit_lattice,
    fit_negative_binomial,
    fit_uniform_hops,
    match_moments,
)
from yeastxr.fit.mixture import fit_mixture
from yeastxr.fit.result import Row, SpecFit, make_table
from yeastxr.fit.shares import differ_in_signs, estimate_missing, estimate_responses, estimate_share
from yeastxr.schema import (
    BINDING,
    CORE_DIMS,
    GENE,
    LABEL,
    MEASUREMENT,
    PARAMETERS,
    PERTURBATION,
    REPLICATE,
    RESPONSIVE,
    TF,
    check_array,
    check_dims,
    get_feature,
    list_dims,
    list_extras,
    match_to,
    restore_dims,
)
from yeastxr.simulation.adjustment import adjusted_pairs
from yeastxr.simulation.parameters import (
    BindingParameters,
    MissingParameters,
    PerturbationParameters,
    PvalueParameters,
    ResponseParameters,
)
from yeastxr.simulation.simulate import SimulationSpec
from yeastxr.simulation.sweeps import read_sweep, spec_of

TOTALS = ("total_background_hops", "total_experiment_hops")
_OF_DATASET = ("genes", "bound", "n_sample", "tfs", "replicates", "measurements", "bound_concentration", "seed")
# Parameters that a fit reads from attributes: the structure of a simulation, not its numbers.
_STRUCTURE = (
    *TOTALS,
    "pseudocount",
    "hop_distribution",
    "hops",
    "pvalues",
    "poisson_pseudocount",
    "large_effect_percentile",
    "large_effect_upper_pval",
    "tf_relationships",
    "adjusted",
)
_NUMBERS = (
    *RANGES,
    *TOTALS,
    "pseudocount",
    *MEANS,
    *DISPERSIONS,
    "large_effect_percentile",
    "large_effect_upper_pval",
    "responsive_fraction",
    "indirect_fraction",
    "gene_responsiveness",
    "unbound_mean",
    "unbound_std",
    "bound_mean",
    "bound_std",
    "max_mean_adjustment",
    "positive_fraction",
    "missing_gene_fraction",
    "missing_pair_fraction",
)
_SCALE = 10**6  # the total of background hops if only the ratio of totals is known


@dataclass
class _Fit:
    """The parameters determined so far, with standard errors, sources and notes."""

    given: dict[str, Any]
    structure: dict[str, Any]
    values: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, tuple[float, ...]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for source, values in (("dataset", self.structure), ("given", self.given)):
            self.values |= values
            self.sources |= dict.fromkeys(values, source)

    def set(self, name: str, value: Any, *errors: float, source: str = "estimated") -> None:
        """Set a parameter, unless the caller gave it."""
        if name not in self.given:
            self.values[name], self.errors[name], self.sources[name] = value, errors, source

    def note(self, text: str) -> None:
        self.notes.append(text)


def fit_spec(ds: xr.Dataset, *, seed: int | None = None, **known: Any) -> SpecFit:
    """Fit a specification to a simulated or measured dataset, with standard errors.

    Parameters are estimated individually, or in groups that depend on each other, by maximum likelihood or from
    moments; see :doc:`/explanation/theory`. Replicates are pooled, and pairs without both effects are omitted.

    - Bound fractions come from labels. Without ``label``, both effects distinguish two groups; see below.
    - Perturbation effects: s.d. of both groups, the mean of bound pairs, and its increase with binding. The unbound
      mean, ``responsive_fraction`` and ``indirect_fraction`` differ from 0, 1 and 0 only if the likelihood requires it.
    - Hops, if the dataset contains them: ranges, or means and dispersions, whichever is more likely. Otherwise ranges
      from binding effects, if they match uniform hops; or ranges that reproduce their means and mean squares.
    - Shares: positive effects, missing genes and pairs, and responses (with the variable ``responsive``).

    The rule of p-values, relations of TFs, totals, the pseudocount, ``bound_concentration``, ``measurements`` and
    ``batch_std`` are not estimated. They come from the attributes of the dataset, the caller or the defaults.

    Parameters
    ----------
    ds
        A dataset with ``binding_effect`` and ``perturbation_effect``, dimensions ``([replicate,] gene, tf)``, NumPy or
        dask. It is read once (without a label, three times). ``label``, ``responsive`` and hops are used if they exist.
    seed
        The seed of the specification. By default it is random.
    **known
        Known parameters of :class:`yeastxr.SimulationSpec`, which are held while all others are fitted.

    Returns
    -------
    SpecFit
        The specification, estimates with standard errors, and notes.

    Raises
    ------
    InputError
        If the dataset lacks an effect, has other leading dimensions, or relations name TFs that it does not have; if a
        known parameter does not exist or is invalid; or, without a label, if effects do not show a second group.

    Notes
    -----
    Without a label, pairs are a mixture of two groups in which both effects are independent except for the slope:
    perturbation effects are folded normal, and binding effects have any distribution, in bins. The bound group has
    larger perturbation effects.

    Known parameters are not tested: one that contradicts the data biases the estimates of others.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=2000, bound=[0.1, 0.2], n_sample=[5, 5], max_mean_adjustment=10.0, seed=42)
    >>> fit = yx.fit_spec(ds, seed=1)
    >>> fit.spec.bound, fit.spec.n_sample, fit.spec.bound_experiment_hops_range
    ((0.1, 0.2), (5, 5), (1, 6))
    >>> row = fit.estimates.sel(parameter="max_mean_adjustment")
    >>> round(row.value.item(), 1), round(row.standard_error.item(), 1)
    (9.3, 0.3)
    """
    ds = _check_dataset(ds)
    fit = _Fit(_check_known(known), _read_structure(ds))
    holds = _find_holds(ds, fit)
    data = collect(ds, holds)
    if not sum(cells.count.sum() for cells in data.cells):
        raise InputError("no pair of the dataset has both effects; expected binding and perturbation effects")
    for words, cells in (("unbound", data.cells[:2]), ("bound", data.cells[2:])):
        sizes = np.concatenate([own.magnitude for own in cells])
        if sizes.size and sum(own.count.sum() for own in cells) > 1 and not np.ptp(sizes) > 0:
            raise InputError(
                f"perturbation effects of {words} pairs have the magnitude {sizes[0]:g}; expected effects with noise"
            )
    held = {name: fit.given[name] for name in EFFECT_NAMES if name in fit.given}
    adjustment = fit.given.get("max_mean_adjustment")
    if LABEL in ds:
        largest = _fit_hops(data, data.moments, fit, labelled=True).largest_effect
        if adjustment is not None:
            held["slope"] = adjustment / largest if largest else 0.0
        bound = _estimate_bound(data)
        if (data.measured < data.units).any():
            fit.note("bound fractions refer to pairs with a binding effect")
        if RESPONSIVE in ds:
            _set_responses(data, fit)
            held |= {"responsive_fraction": 1.0, "indirect_fraction": 0.0}
        best, reasons = fit_effects(data.cells, held)
    else:
        if adjustment:
            raise InputError(
                f"max_mean_adjustment is {format_value(adjustment)}, but the dataset has no 'label', so the "
                "largest binding effect is unknown; expected 0, or a label"
            )
        mixture = fit_mixture(ds, data, held if adjustment is None else {**held, "slope": 0.0})
        best, reasons, bound = mixture.effects, mixture.reasons, mixture.bound
        largest = _fit_hops(data, mixture.moments, fit, labelled=False).largest_effect
        for name in ("unbound_mean", "responsive_fraction", "indirect_fraction"):
            fit.set(name, best.values[name], np.nan, source="held")
        fit.note(
            "there is no label: bound fractions come from a mixture of two groups, and unbound_mean, "
            "responsive_fraction and indirect_fraction are held"
        )
    _set_effects(best, reasons, largest, fit, known_responses=RESPONSIVE in ds)
    _set_shares(data, fit)
    return _make_result(ds, fit, bound, data, seed, best)


def _check_dataset(ds: xr.Dataset) -> xr.Dataset:
    """Return a dataset with ordered dimensions, or raise."""
    ds = restore_dims(ds)
    check_dims(ds, "the dataset")
    names = [BINDING, PERTURBATION, *([LABEL] if LABEL in ds.data_vars else []), *list_extras(ds)]
    others = [dim for dim in list_dims(ds) if dim not in (REPLICATE, *CORE_DIMS)]
    if others:
        dim = others[0]
        why = "share their truth" if dim == MEASUREMENT else "differ in a parameter"
        one = f"{dim}=0" if dim.isidentifier() else f"{{{dim!r}: 0}}"
        raise InputError(
            f"the dataset has the dimension {dim!r}, along which data {why}; select one label, such as ds.isel({one})"
        )
    effect = get_feature(ds, BINDING).transpose(..., *CORE_DIMS)
    arrays = {name: match_to(check_array(ds[name], name), name, effect, BINDING) for name in names}
    return xr.Dataset(arrays, attrs=ds.attrs)


def _check_known(known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the normalized known parameters, or raise."""
    allowed = [f.name for f in fields(SimulationSpec) if f.name not in _OF_DATASET]
    for name in known:
        if name in _OF_DATASET:
            raise InputTypeError(f"{name} comes from the dataset; expected other parameters of a specification")
        if name not in allowed:
            raise InputTypeError(f"{format_value(name)} is not a parameter of a simulation; {suggest(name, allowed)}")
    checked = dict(known)
    for group in (PerturbationParameters, ResponseParameters, PvalueParameters, MissingParameters):
        own = group.pick(known)
        checked |= {name: getattr(group(**own), name) for name in own}
    for name in ("unbound_std", "bound_std"):
        if checked.get(name) == 0:
            raise InputError(f"{name} is 0, so effects have no likelihood; expected a number above 0")
    return checked


def _read_structure(ds: xr.Dataset) -> dict[str, Any]:
    """Return structural parameters from the attributes of a dataset or its variables."""
    sweep = read_sweep(ds)
    spec = spec_of(ds) or (None if sweep is None else sweep.spec)
    if spec is not None:
        return {name: getattr(spec, name) for name in _STRUCTURE}
    found: dict[str, Any] = {}
    for name in (BINDING, "binding_pvalue"):
        try:
            values = json.loads(ds[name].attrs[PARAMETERS])
            found |= {key: values[key] for key in _STRUCTURE if key in values and key != "tf_relationships"}
        except (KeyError, TypeError, ValueError):
            continue
    return found


def _find_holds(ds: xr.Dataset, fit: _Fit) -> xr.DataArray | None:
    """Return whether the conditions of each TF hold, if there are relations."""
    relationships = fit.values.get("tf_relationships")
    if not relationships:
        if LABEL in ds:
            fit.note("no relations of TFs are given: the conditions of all bound pairs are assumed to hold")
        return None
    if LABEL not in ds:
        raise InputError(
            "relations of TFs need labels, but the dataset has no 'label'; add labels, or pass tf_relationships={}"
        )
    labels = ds[LABEL]
    everywhere = xr.ones_like(labels)
    try:
        return adjusted_pairs(labels, relationships, responsive=everywhere)
    except InputError as error:
        if "tf_relationships" in fit.given:
            raise
        raise InputError(
            f"the attributes have relations of TFs that the dataset does not have: {error}; pass tf_relationships="
        ) from None


def _fit_hops(data: Data, moments: Moments, fit: _Fit, *, labelled: bool) -> BindingParameters:
    """Fit hops, and return the updated parameters of binding."""
    base = {name: fit.values[name] for name in (*TOTALS, "pseudocount") if name in fit.values}
    distribution = fit.values.get("hop_distribution")
    found: HopFit | None = None
    source = "estimated"
    if data.hops is not None and labelled:
        choices = {"uniform": fit_uniform_hops(data.hops), "negative_binomial": fit_negative_binomial(data.hops)}
        chosen = distribution or max(choices, key=lambda name: choices[name].log_likelihood)
        found = choices[chosen]
        fit.set("hop_distribution", chosen)
        fit.set("hops", True)
        if not any(name in fit.values for name in TOTALS) and data.hops.ratio_count:
            ratio = data.hops.ratio / data.hops.ratio_count
            totals = (_SCALE, max(1, round(_SCALE / ratio))) if ratio > 0 else (_SCALE, _SCALE)
            for name, total in zip(TOTALS, totals, strict=True):
                fit.set(name, total, np.nan, source="chosen")
                base[name] = total
            fit.note("totals of hops are chosen: hops and binding effects determine only their ratio")
        if chosen == "negative_binomial" and "pseudocount" not in base:
            base["pseudocount"] = BindingParameters.pseudocount
    else:
        if fit.given.get("hop_distribution") == "negative_binomial":
            return _keep_given_hops(base, fit, labelled=labelled)
        start = BindingParameters(**base)
        if distribution == "negative_binomial":
            fit.note(
                "the dataset has no hops: ranges replace negative binomial distributions, whose means need hops=True"
            )
        elif data.values is not None and data.value_counts is not None:
            found = fit_lattice(data.values, data.value_counts, start)
        fit.set("hop_distribution", "uniform", source="default")
        if found is not None and not labelled:
            _split_hops(found, moments, start, fit)
            found = None
        elif found is None:
            matched = match_moments(moments, start)
            if matched is None:
                fit.note("ranges of hops are defaults: binding effects are negative or all 0, so no hops match them")
            else:
                found, total = matched
                source = "chosen"
                fit.set(TOTALS[1], total, np.nan, source="chosen")
                base[TOTALS[1]] = fit.values[TOTALS[1]]
                fit.note(
                    "ranges and the total of experiment hops approximate the mean and mean square of "
                    "binding effects, which do not match uniform hops with the totals and pseudocount"
                )
    if found is not None:
        for name, estimates in found.estimates.items():
            ends = tuple(int(e.value) for e in estimates) if name in RANGES else estimates[0].value
            fit.set(name, ends, *(e.error for e in estimates), source=source)
        for text in found.notes:
            fit.note(text)
    if fit.values.get("hop_distribution") == "negative_binomial":
        known = next((fit.values[name] for name in MEANS[1:] if name in fit.values), None)
        for name in MEANS:
            if name not in fit.values:
                fit.set(name, known, np.nan, source="chosen")
                fit.note(f"{name} is that of the other pairs, because its group is empty")
    of_binding = [f.name for f in fields(BindingParameters)]
    return BindingParameters(**{name: fit.values[name] for name in of_binding if name in fit.values})


def _keep_given_hops(base: Mapping[str, Any], fit: _Fit, *, labelled: bool) -> BindingParameters:
    """Return negative binomial distributions given by the caller, which can't be fitted; raise for missing means."""
    missing = [name for name in MEANS if name not in fit.given]
    if missing:
        why = "no 'label'" if not labelled else "no counts of hops"
        raise InputError(
            f"hop_distribution is 'negative_binomial' without {', '.join(missing)}, but the dataset has {why} to "
            "estimate means; expected all means, or hop_distribution='uniform'"
        )
    fit.note("hops are not fitted: their means are given, and omitted dispersions have their defaults")
    return BindingParameters(
        **base, **{name: fit.given[name] for name in ("hop_distribution", *MEANS, *DISPERSIONS) if name in fit.given}
    )


def _split_hops(found: HopFit, moments: Moments, start: BindingParameters, fit: _Fit) -> None:
    """Set ranges of hops without a label: that of background hops is estimated, and those of both groups are chosen."""
    background, most = found.estimates[RANGES[0]], int(found.estimates[RANGES[1]][1].value)
    ends = int(background[0].value), int(background[1].value)
    fit.set(RANGES[0], ends, *(end.error for end in background))
    matched = match_moments(moments, replace(start, background_hops_range=ends), most=most, fix_totals=True)
    if matched is not None:
        for name in RANGES[1:]:
            low, high = matched[0].estimates[name]
            fit.set(name, (int(low.value), int(high.value)), np.nan, np.nan, source="chosen")
        fit.note("ranges of experiment hops approximate the mean and mean square of both groups")


def _estimate_bound(data: Data) -> list[Estimate]:
    """Return the bound fraction of each TF among its measured pairs, or that of all TFs if there are none.

    Labels of all pairs determine the fraction up to rounding. Labels of some pairs are a sample.
    """
    rounding = float(1 / (np.sqrt(12) * data.genes))
    pooled = estimate_share(float(data.bound.sum()), float(data.measured.sum()))
    estimates = []
    for number, total in zip(data.bound.tolist(), data.measured.tolist(), strict=True):
        share = estimate_share(number, total) if total else Estimate(pooled.value, np.nan)
        estimates.append(Estimate(share.value, rounding) if total == data.units else share)
    return estimates


def _set_responses(data: Data, fit: _Fit) -> None:
    """Set the shares of pairs that respond from the variable ``responsive``."""
    for name, estimate in estimate_responses(data.responses).items():
        if not np.isnan(estimate.value):
            fit.set(name, estimate.value, estimate.error)
    responds = fit.values.get("responsive_fraction", 1.0) < 1 or fit.values.get("indirect_fraction", 0.0) > 0
    if not responds and fit.values.get("gene_responsiveness"):
        fit.set("gene_responsiveness", 0.0, source="held")


def _set_effects(
    best: Maximum, reasons: Mapping[str, str], largest: float, fit: _Fit, *, known_responses: bool
) -> None:
    """Set means, standard deviations, the adjustment and response shares."""
    of_hops = MEANS if fit.values.get("hop_distribution") == "negative_binomial" else RANGES
    is_chosen = any(fit.sources.get(name, "default") in ("chosen", "default") for name in of_hops)
    for name in EFFECT_NAMES:
        if known_responses and name in ("responsive_fraction", "indirect_fraction"):
            continue
        value, error = best.values[name], best.find_error(name)
        target = "max_mean_adjustment" if name == "slope" else name
        factor = largest if name == "slope" else 1.0
        if name == "slope" and name in best.free and is_chosen:
            fit.set(target, value * factor, np.nan, source="chosen")
            fit.note(
                f"only the slope is estimated: {target} is the slope times the largest effect of the chosen ranges"
            )
        elif name in best.free:
            fit.set(target, value * factor, error * factor)
            if np.isnan(error):
                fit.note(f"{target} has no standard error, because the data hardly determine it")
        elif name in reasons and target not in fit.given:
            if reasons[name].startswith("there "):
                fit.note(f"{target} is the default: {reasons[name]}")
            else:
                fit.set(target, value * factor, np.nan, source="held")
                fit.note(f"{target} is held at {value:g}: {reasons[name]}")


def _set_shares(data: Data, fit: _Fit) -> None:
    """Set the shares of positive and of missing effects."""
    positive, negative = float(data.positive.sum()), float(data.negative.sum())
    share = estimate_share(positive, positive + negative)
    if not np.isnan(share.value):
        fit.set("positive_fraction", share.value, share.error)
    if differ_in_signs(data.positive, data.negative) and "positive_fraction" not in fit.given:
        shares = [estimate_share(p, p + n).value for p, n in zip(data.positive, data.negative, strict=True)]
        by_tf = tuple(share.value if np.isnan(own) else float(own) for own in shares)
        fit.values["positive_fraction"] = by_tf
        fit.note("TFs differ in their share of positive effects: the specification has one share for each TF")
    if (data.known < data.tfs).any():
        of_genes, of_pairs = estimate_missing(data.known, data.tfs)
        fit.set("missing_gene_fraction", of_genes.value, of_genes.error)
        fit.set("missing_pair_fraction", of_pairs.value, of_pairs.error)


def _make_result(
    ds: xr.Dataset, fit: _Fit, bound: list[Estimate], data: Data, seed: int | None, best: Maximum
) -> SpecFit:
    """Return the specification and the table of estimates."""
    population = _describe_population(ds, fit, [estimate.value for estimate in bound])
    spec = SimulationSpec(**population, **fit.values, seed=check_seed(seed))
    rows = []
    for name in _NUMBERS:
        value = getattr(spec, name)
        if name == "positive_fraction" and isinstance(value, tuple):
            total = float((data.positive + data.negative).sum())
            value = float(data.positive.sum()) / total if total else np.nan
        other = RANGES if spec.is_tabulated else DISPERSIONS
        if value is None or name in other:
            continue
        ends = value if isinstance(value, tuple) else (value,)
        errors = fit.errors.get(name) or (np.nan,) * len(ends)
        labels = [f"{name}[{i}]" for i in range(2)] if len(ends) == 2 else [name]
        source = fit.sources.get(name, "default")
        rows += [Row(*row, source) for row in zip(labels, map(float, ends), errors, strict=True)]
        if name == "max_mean_adjustment":
            own = "estimated" if "slope" in best.free else source
            rows.append(Row("slope", best.values["slope"], best.find_error("slope"), own))
    signs = [estimate_share(p, p + n) for p, n in zip(data.positive, data.negative, strict=True)]
    by_tf = {}
    for name, estimates in (("bound", bound), ("positive_fraction", signs)):
        by_tf[name] = (TF, np.array([e.value for e in estimates]))
        by_tf[f"{name}_standard_error"] = (TF, np.array([e.error for e in estimates]))
    return SpecFit(spec, make_table(rows, by_tf, {TF: ds.coords[TF].variable}), tuple(fit.notes))


def _describe_population(ds: xr.Dataset, fit: _Fit, bound: list[float]) -> dict[str, Any]:
    """Return the parameters of a population: names, bound fractions of runs of TFs, and replicates."""
    runs = [(value, len(list(own))) for value, own in groupby(min(max(value, 0.0), 1.0) for value in bound)]
    population: dict[str, Any] = {
        "genes": ds.sizes[GENE],
        "bound": [value for value, _ in runs],
        "n_sample": [n for _, n in runs],
    }
    if REPLICATE in ds[BINDING].dims:
        population["replicates"] = ds.sizes[REPLICATE]
    for dim, name in ((GENE, "genes"), (TF, "tfs")):
        index = ds.indexes[dim]
        if index.inferred_type == "string":
            population[name] = [str(label) for label in index]
        elif not np.array_equal(index, np.arange(index.size)):
            fit.note(f"labels of {dim}s are not 0 to {index.size - 1}, the integers that the specification uses")
            if dim == TF and fit.values.get("tf_relationships"):
                fit.values["tf_relationships"] = None
                fit.note("the specification has no relations, because they use other integers for TFs")
    return population
