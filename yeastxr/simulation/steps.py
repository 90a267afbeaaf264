"""The steps on labelled arrays: NumPy in, NumPy out; dask in, dask out, nothing computed.

Dimensions are handled by name. A block of any array is a function of the positions it covers, see
:mod:`yeastxr.simulation.draws`. Each public step checks its arguments and calls the function that does the work on
parameters that are checked; :func:`yeastxr.simulate` calls those functions.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import xarray as xr

from yeastxr._blocks import Chunks, chunk_like, chunk_sizes, get_positions, map_blocks
from yeastxr._validate import check_seed
from yeastxr.errors import InputError, SchemaError, format_value
from yeastxr.schema import (
    BINDING,
    BOUND_FRACTION,
    FEATURE_BY_NAME,
    GENE,
    LABEL,
    PARAMETERS,
    PERTURBATION,
    REPLICATE,
    TF,
    check_array,
    match_to,
    order_dims,
    to_text_array,
)
from yeastxr.simulation import draws
from yeastxr.simulation.adjustment import (
    AdjustmentFunction,
    MeanModel,
    compute_custom_mean,
    evaluate_relationships,
    find_largest_effect,
)
from yeastxr.simulation.parameters import (
    BindingParameters,
    PerturbationParameters,
    PopulationParameters,
    PvalueParameters,
    join_json,
)

_EFFECT_OF = {"binding_pvalue": BINDING, "perturbation_pvalue": PERTURBATION}


def generate_gene_population(
    genes: int | Collection[str],
    *,
    bound: float | Collection[float] | Mapping[str, float],
    n_sample: int | Collection[int] | None = None,
    tfs: Collection[str] | None = None,
    replicates: int | None = None,
    seed: int | None = None,
    chunks: Chunks = None,
) -> xr.DataArray:
    """Step 1: draw which genes each TF binds.

    Each TF binds exactly ``round(genes * bound)`` genes, every such set of genes being equally likely.

    Parameters
    ----------
    genes
        How many genes, or their names.
    bound
        Bound fractions, each in [0, 1]: one, a list, or a dict from names of TFs.
    n_sample
        How many TFs to draw for each bound fraction: a number for all, or a list; one each by default.
    tfs
        The names of the TFs, ``sum(n_sample)`` of them; integers from 0 by default.
    replicates
        How many independent replicates to draw; none (no such dimension) by default.
    seed
        An integer in [0, 2**64); drawn, and kept in the attributes, by default.
    chunks
        None for NumPy; ``"auto"`` or a dict from dims to sizes for dask.

    Returns
    -------
    xarray.DataArray
        ``label``, bool, dims ``([replicate,] gene, tf)``, with the coordinate ``bound_fraction(tf)``.

    Raises
    ------
    InputError
        If an argument is invalid.

    Examples
    --------
    >>> import yeastxr as yx
    >>> labels = yx.generate_gene_population(1000, bound=[0.1, 0.25], n_sample=[1, 2], seed=42)
    >>> labels.sum("gene").values
    array([100, 250, 250])
    """
    params = PopulationParameters(genes=genes, bound=bound, n_sample=n_sample, tfs=tfs, replicates=replicates)
    return make_labels(params, check_seed(seed), chunks)


def make_labels(params: PopulationParameters, seed: int, chunks: Chunks) -> xr.DataArray:
    """Draw the labels of a population."""
    template = make_template(params, chunks)
    replicate, gene, tf = get_positions(template)
    bound_counts = [round(params.n_genes * fraction) for fraction in params.bound_fractions]
    counts = chunk_like(TF, np.array(bound_counts, np.int64), template)
    dims = template.dims
    if template.chunks and len(template.variable.chunksizes[GENE]) > 1:
        limits = map_blocks(
            draws.find_label_limits, dims, [counts, replicate, tf], dtype=np.uint64, seed=seed, genes=params.n_genes
        )
        labels = map_blocks(draws.draw_labels, dims, [limits, replicate, gene, tf], dtype=np.bool_, seed=seed)
    else:
        labels = map_blocks(draws.draw_label_columns, dims, [counts, replicate, gene, tf], dtype=np.bool_, seed=seed)
    return _wrap(labels, template, LABEL, describe_population(params, params.write_values()), seed)


def describe_population(params: PopulationParameters, values: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters of step 1, out of the JSON of each, without names, which are in the coordinates."""
    return {**PopulationParameters.pick(values), "genes": str(params.n_genes), "tfs": "null"}


def generate_binding_effects(
    labels: xr.DataArray,
    *,
    background_hops_range: tuple[int, int] = BindingParameters.background_hops_range,
    unbound_experiment_hops_range: tuple[int, int] = BindingParameters.unbound_experiment_hops_range,
    bound_experiment_hops_range: tuple[int, int] = BindingParameters.bound_experiment_hops_range,
    total_background_hops: int = BindingParameters.total_background_hops,
    total_experiment_hops: int = BindingParameters.total_experiment_hops,
    pseudocount: float = BindingParameters.pseudocount,
    seed: int | None = None,
) -> xr.DataArray:
    """Step 2: draw the hops of every pair and return their enrichment.

    ``effect = (experiment / (total_experiment + pc)) / (background / (total_background + pc) + pc)``, the enrichment of
    calling cards data, with hops drawn uniformly from inclusive ranges. Computed in float64 and rounded once.

    Parameters
    ----------
    labels
        Labels from step 1, bool, dims ``(..., gene, tf)``; NumPy or dask.
    background_hops_range
        First and last number of background hops, at least 0; with 0 a pseudocount is needed.
    unbound_experiment_hops_range, bound_experiment_hops_range
        First and last number of experiment hops of unbound and of bound pairs, at least 0.
    total_background_hops, total_experiment_hops
        The totals that the hops are fractions of, at least 1.
    pseudocount
        Keeps the ratio finite, at least 0.
    seed
        An integer in [0, 2**64); drawn, and kept in the attributes, by default.

    Returns
    -------
    xarray.DataArray
        ``binding_effect``, float32, dimensionless, at least 0, dims ``(..., gene, tf)``; dask-backed if labels are.

    Raises
    ------
    InputError
        If an argument is invalid.

    Examples
    --------
    >>> import yeastxr as yx
    >>> labels = yx.generate_gene_population(1000, bound=[0.1], seed=42)
    >>> effect = yx.generate_binding_effects(labels, seed=42)
    >>> bool(effect.where(labels).mean() > effect.where(~labels).mean())
    True
    """
    params = BindingParameters(
        background_hops_range=background_hops_range,
        unbound_experiment_hops_range=unbound_experiment_hops_range,
        bound_experiment_hops_range=bound_experiment_hops_range,
        total_background_hops=total_background_hops,
        total_experiment_hops=total_experiment_hops,
        pseudocount=pseudocount,
    )
    labels = order_dims(check_array(labels, LABEL, argument="labels"))
    return make_binding_effects(labels, params, check_seed(seed))


def make_binding_effects(labels: xr.DataArray, params: BindingParameters, seed: int) -> xr.DataArray:
    """Draw binding effects; the labels' dimensions are in order."""
    effect = map_blocks(
        draws.draw_binding_effects,
        labels.dims,
        [labels, *get_positions(labels)],
        dtype=np.float32,
        hops=params.hops,
        factors=params.factors,
        seed=seed,
    )
    return _wrap(effect, labels, BINDING, params.write_values(), seed)


def generate_pvalues(
    effect: xr.DataArray,
    *,
    large_effect_percentile: float = PvalueParameters.large_effect_percentile,
    large_effect_upper_pval: float = PvalueParameters.large_effect_upper_pval,
    seed: int | None = None,
    feature: Literal["binding_pvalue", "perturbation_pvalue"] | None = None,
) -> xr.DataArray:
    """Step 2 or 3: draw a p-value for every effect.

    Uniform on [0, 1]; where ``|effect|`` is at least the TF's quantile over genes (linear between order statistics),
    uniform on ``[0, large_effect_upper_pval]``. Within each of the two groups p-values do not depend on the effect, as
    in the tutorial of yeastdnnexplorer: they are the outcome of a rule, not of a test.

    Parameters
    ----------
    effect
        ``binding_effect`` or ``perturbation_effect``, float32, dims ``(..., gene, tf)``; NumPy or dask.
    large_effect_percentile
        Which quantile, in [0, 1].
    large_effect_upper_pval
        The upper end for large effects, in [0, 1].
    seed
        An integer in [0, 2**64); drawn, and kept in the attributes, by default.
    feature
        Which p-values to draw, as each has its own stream; derived from the effect's name by default.

    Returns
    -------
    xarray.DataArray
        ``binding_pvalue`` or ``perturbation_pvalue``, float32, in [0, 1], dims ``(..., gene, tf)``.

    Raises
    ------
    InputError
        If an argument is invalid; if an effect is NaN (for dask, when it is computed).

    Examples
    --------
    >>> import yeastxr as yx
    >>> labels = yx.generate_gene_population(1000, bound=[0.1], seed=42)
    >>> pvalue = yx.generate_pvalues(yx.generate_binding_effects(labels, seed=42), seed=42)
    >>> pvalue.name, bool((pvalue <= 1).all())
    ('binding_pvalue', True)
    """
    params = PvalueParameters(
        large_effect_percentile=large_effect_percentile, large_effect_upper_pval=large_effect_upper_pval
    )
    seed = check_seed(seed)
    name = _choose_pvalues(effect, feature)
    return make_pvalues(order_dims(check_array(effect, _EFFECT_OF[name], argument="effect")), name, params, seed)


def make_pvalues(effect: xr.DataArray, name: str, params: PvalueParameters, seed: int) -> xr.DataArray:
    """Draw the p-values of that name; the effects' dimensions are in order."""
    all_genes = effect.chunk({GENE: -1}) if effect.chunks else effect  # a quantile is over all genes of a TF
    cutoffs = map_blocks(
        draws.compute_abs_quantiles,
        effect.dims,
        [all_genes],
        dtype=np.float64,
        reduces=GENE,
        fraction=params.large_effect_percentile,
    )
    pvalues = map_blocks(
        draws.draw_pvalues,
        effect.dims,
        [effect, cutoffs, *get_positions(effect)],
        dtype=np.float32,
        stream=draws.Stream.BINDING if name == "binding_pvalue" else draws.Stream.PERTURBATION,
        upper=params.large_effect_upper_pval,
        seed=seed,
    )
    return _wrap(pvalues, effect, name, params.write_values(), seed)


def generate_perturbation_effects(
    labels: xr.DataArray,
    binding_effect: xr.DataArray,
    *,
    unbound_mean: float = PerturbationParameters.unbound_mean,
    unbound_std: float = PerturbationParameters.unbound_std,
    bound_mean: float = PerturbationParameters.bound_mean,
    bound_std: float = PerturbationParameters.bound_std,
    max_mean_adjustment: float = PerturbationParameters.max_mean_adjustment,
    tf_relationships: Mapping[Any, Any] | None = None,
    adjustment_function: AdjustmentFunction | None = None,
    largest_binding_effect: float | None = None,
    seed: int | None = None,
) -> xr.DataArray:
    """Step 3: draw how a gene responds when a TF is perturbed.

    ``effect = sign * |normal(mean, std)|``, the sign being +1 or -1 with equal chance, independently for each pair.
    The mean is ``unbound_mean`` or, for bound pairs, ``bound_mean``, and then:

    1. no adjustment: ``max_mean_adjustment`` is 0 and there are no relationships;
    2. by binding: ``max_mean_adjustment * binding_effect / largest_binding_effect`` is added for bound pairs;
    3. by related TFs: as 2, but only where all TFs that ``tf_relationships`` lists for the TF bind the gene too;
       bound pairs for which they do not take the unbound mean (and keep the bound standard deviation);
    4. by boolean relations: as 3, with ``And``, ``Or`` and ``Not`` in the lists.

    Parameters
    ----------
    labels
        Labels from step 1, bool, dims ``(..., gene, tf)``; NumPy or dask.
    binding_effect
        Effects from step 2, float32, the same dims and coordinates. NaN gives NaN where the mean depends on it.
    unbound_mean, bound_mean
        Means of unbound and bound pairs, in units of the noise's standard deviation.
    unbound_std, bound_std
        Standard deviations of unbound and bound pairs, at least 0.
    max_mean_adjustment
        The increase of the mean of a bound pair that has the largest possible binding effect.
    tf_relationships
        From a TF to a condition, or a list of conditions that must all hold: TFs, ``And``, ``Or``, ``Not``.
    adjustment_function
        Any other rule: called with labels and binding effects, it returns the mean of each pair, a finite number. It
        replaces the means, ``max_mean_adjustment`` and ``tf_relationships``.
    largest_binding_effect
        The binding effect of the largest adjustment; by default the largest that the effect's ranges of hops allow, or,
        for effects of unknown origin, the largest observed.
    seed
        An integer in [0, 2**64); drawn, and kept in the attributes, by default.

    Returns
    -------
    xarray.DataArray
        ``perturbation_effect``, float32, in units of the noise's s.d., dims ``(..., gene, tf)``.

    Raises
    ------
    InputError
        If an argument is invalid, labels and effects don't match, or a relationship names an unknown TF.

    Examples
    --------
    >>> import yeastxr as yx
    >>> labels = yx.generate_gene_population(1000, bound=[0.1, 0.2, 0.3], seed=42)
    >>> effect = yx.generate_binding_effects(labels, seed=42)
    >>> related = {0: [1], 2: [yx.Or(0, yx.Not(1))]}
    >>> response = yx.generate_perturbation_effects(
    ...     labels, effect, max_mean_adjustment=10.0, tf_relationships=related, seed=42
    ... )
    >>> dict(response.sizes), response.dtype
    ({'gene': 1000, 'tf': 3}, dtype('float32'))
    """
    params = PerturbationParameters(
        unbound_mean=unbound_mean,
        unbound_std=unbound_std,
        bound_mean=bound_mean,
        bound_std=bound_std,
        max_mean_adjustment=max_mean_adjustment,
        tf_relationships=tf_relationships,
    )
    seed = check_seed(seed)
    labels = order_dims(check_array(labels, LABEL, argument="labels"))
    params.check_tfs(labels.indexes[TF])
    effect = match_to(check_array(binding_effect, BINDING), BINDING, labels, "labels")
    if adjustment_function is None:
        return make_perturbation_effects(labels, effect, params, seed, largest_binding_effect)
    response = map_blocks(
        draws.draw_perturbation_effects_from_means,
        labels.dims,
        [labels, compute_custom_mean(adjustment_function, labels, effect, params), *get_positions(labels)],
        dtype=np.float32,
        stds=(params.unbound_std, params.bound_std),
        seed=seed,
    )
    name = json.dumps(getattr(adjustment_function, "__qualname__", "a callable"))
    return _wrap(response, labels, PERTURBATION, {**params.write_values(), "adjustment_function": name}, seed)


def make_perturbation_effects(
    labels: xr.DataArray, effect: xr.DataArray, params: PerturbationParameters, seed: int, largest: float | None = None
) -> xr.DataArray:
    """Draw perturbation effects; the dimensions are in order, and relationships name TFs of the labels."""
    active = evaluate_relationships(labels, params.tf_relationships or {})
    largest_effect, limit = find_largest_effect(params.max_mean_adjustment, effect, largest)
    response = map_blocks(
        _draw_perturbation_block,
        labels.dims,
        [labels, active, effect, largest_effect, *get_positions(labels)],
        dtype=np.float32,
        limit=limit,
        model=MeanModel.from_parameters(params, 0.0),
        seed=seed,
    )
    return _wrap(response, labels, PERTURBATION, params.write_values(), seed)


def _draw_perturbation_block(
    label: np.ndarray,
    active: np.ndarray,
    effect: np.ndarray,
    largest: np.ndarray,
    *positions: np.ndarray,
    limit: float,
    model: MeanModel,
    seed: int,
    threads: int,
) -> np.ndarray:
    """Draw a block; the largest binding effect is an array, as it may depend on the data."""
    if np.isfinite(limit) and effect.max() > limit:
        raise InputError(
            f"binding_effect reaches {effect.max():g}, and the parameters in its attributes allow {limit:g}; "
            "expected largest_binding_effect=, or effects without these attributes"
        )
    numbers = replace(model, largest_binding_effect=float(largest.item())).numbers
    return draws.draw_perturbation_effects(
        label, active, effect, *positions, numbers=numbers, seed=seed, threads=threads
    )


def _choose_pvalues(effect: xr.DataArray, feature: str | None) -> str:
    """Return which p-values belong to an effect."""
    if feature is None:
        name = getattr(effect, "name", None)
        feature = next((pvalue for pvalue, own in _EFFECT_OF.items() if own == name), None)
        if feature is None and isinstance(effect, xr.DataArray):
            raise InputError(
                f"effect is named {format_value(name)}, which does not say whose p-values to draw; "
                "expected 'binding_effect' or 'perturbation_effect', or pass feature='binding_pvalue' "
                "or feature='perturbation_pvalue'"
            )
        feature = feature or "binding_pvalue"
    if not isinstance(feature, str) or feature not in _EFFECT_OF:
        raise SchemaError(f"feature is {format_value(feature)}; expected 'binding_pvalue' or 'perturbation_pvalue'")
    return feature


def _wrap(result: xr.Variable, like: xr.DataArray, name: str, made_by: Mapping[str, str], seed: int) -> xr.DataArray:
    """Return a labelled array, with attributes that say what it is and what made it."""
    array = like.copy(deep=False, data=result.data)
    array.name = name
    array.attrs = make_feature_attrs(name, made_by, seed)
    return array


def make_feature_attrs(name: str, made_by: Mapping[str, str], seed: int) -> dict[str, Any]:
    """Return the attributes of a feature, with the JSON of each parameter of its step."""
    return {**FEATURE_BY_NAME[name].attrs, PARAMETERS: join_json({**made_by, "seed": str(seed)})}


def make_template(params: PopulationParameters, chunks: Chunks) -> xr.DataArray:
    """Return an array with the dimensions, coordinates and chunks of a population; its values mean nothing."""
    sizes = get_sizes(params)
    shape, blocks = tuple(sizes.values()), chunk_sizes(sizes, chunks)
    if blocks is None:
        data: Any = np.broadcast_to(np.uint8(0), shape)
    else:
        import dask.array as da

        data = da.empty(shape, chunks=tuple(blocks.values()), dtype=np.uint8)
    return xr.DataArray(data, dims=list(sizes), coords=make_coordinates(params))


def get_sizes(params: PopulationParameters) -> dict[str, int]:
    """Return the dimensions of a population, in order, and their sizes."""
    replicates = {} if params.replicates is None else {REPLICATE: params.replicates}
    return replicates | {GENE: params.n_genes, TF: len(params.tf_labels)}


def make_coordinates(params: PopulationParameters) -> dict[str, Any]:
    """Return the coordinates of a population."""
    coords: dict[str, Any] = {
        name: (name, np.arange(n) if labels is None else to_text_array(labels))
        for name, n, labels in [
            (GENE, params.n_genes, None if isinstance(params.genes, int) else tuple(params.genes)),
            (TF, len(params.tf_labels), None if params.tfs is None else tuple(params.tfs)),
        ]
    }
    if params.replicates is not None:
        coords[REPLICATE] = (REPLICATE, np.arange(params.replicates))
    coords[BOUND_FRACTION] = (TF, np.array(params.bound_fractions))
    return coords
