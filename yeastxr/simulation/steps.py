"""The four steps on labelled arrays: NumPy in, NumPy out; dask in, dask out, nothing computed.

Dims are handled by name. A block of any array is made from the positions it covers, see
:mod:`yeastxr.simulation.draws`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr

from yeastxr._blocks import Chunks, chunk_like, chunk_sizes, get_positions, map_blocks
from yeastxr._validate import check_seed
from yeastxr.errors import InputError, SchemaError
from yeastxr.schema import (
    BOUND_FRACTION,
    FEATURE_BY_NAME,
    GENE,
    PARAMETERS,
    REPLICATE,
    TF,
    check_array,
    order_dims,
    to_text_array,
)
from yeastxr.simulation import draws
from yeastxr.simulation.adjustment import (
    AdjustmentFunction,
    check_matching,
    custom_mean,
    slope_of_mean,
    evaluate_relationships,
)
from yeastxr.simulation.parameters import (
    BindingParameters,
    PerturbationParameters,
    PopulationParameters,
    PvalueParameters,
)


def generate_gene_population(
    genes: int | Sequence[str],
    *,
    bound: Sequence[float],
    n_sample: Sequence[int] | None = None,
    tfs: Sequence[str] | None = None,
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
        Bound fractions, each in [0, 1].
    n_sample
        How many TFs to draw for each bound fraction; one each by default.
    tfs
        The names of the TFs, ``sum(n_sample)`` of them; integers from 0 by default.
    replicates
        How many independent replicates to draw; none (no such dim) by default.
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
        If an argument is not what it must be.

    Examples
    --------
    >>> import yeastxr as yx
    >>> labels = yx.generate_gene_population(1000, bound=[0.1, 0.25], n_sample=[1, 2], seed=42)
    >>> labels.sum("gene").values
    array([100, 250, 250])
    """
    asked = PopulationParameters(genes=genes, bound=bound, n_sample=n_sample, tfs=tfs, replicates=replicates)
    seed = check_seed(seed)
    like = make_template(asked, chunks)
    replicate, gene, tf = get_positions(like)
    bound_counts = [round(asked.n_genes * fraction) for fraction in asked.bound_fractions]
    counts = chunk_like(TF, np.array(bound_counts, np.int64), like)
    if like.chunks and len(like.variable.chunksizes[GENE]) > 1:
        limits = map_blocks(
            draws.find_label_limits,
            like.dims,
            [counts, replicate, tf],
            dtype=np.uint64,
            seed=seed,
            genes=asked.n_genes,
        )
        labels = map_blocks(draws.draw_labels, like.dims, [limits, replicate, gene, tf], dtype=np.bool_, seed=seed)
    else:
        labels = map_blocks(
            draws.draw_label_columns, like.dims, [counts, replicate, gene, tf], dtype=np.bool_, seed=seed
        )
    made_by = {**asked.to_dict(), "genes": asked.n_genes, "tfs": None}  # names are the coordinates' business
    return _finished(labels, like, "label", made_by, seed)


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
        Step 1's labels, bool, dims ``(..., gene, tf)``; NumPy or dask.
    background_hops_range
        First and last number of background hops, at least 1.
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
        If an argument is not what it must be.

    Examples
    --------
    >>> import yeastxr as yx
    >>> labels = yx.generate_gene_population(1000, bound=[0.1], seed=42)
    >>> effect = yx.generate_binding_effects(labels, seed=42)
    >>> bool(effect.where(labels).mean() > effect.where(~labels).mean())
    True
    """
    asked = BindingParameters(
        background_hops_range=background_hops_range,
        unbound_experiment_hops_range=unbound_experiment_hops_range,
        bound_experiment_hops_range=bound_experiment_hops_range,
        total_background_hops=total_background_hops,
        total_experiment_hops=total_experiment_hops,
        pseudocount=pseudocount,
    )
    seed = check_seed(seed)
    labels = order_dims(check_array(labels, "label", argument="labels"))
    ranges = (asked.background_hops_range, asked.unbound_experiment_hops_range, asked.bound_experiment_hops_range)
    effect = map_blocks(
        draws.draw_binding_effects,
        labels.dims,
        [labels, *get_positions(labels)],
        dtype=np.float32,
        hops=tuple(number for first, last in ranges for number in (first, last - first + 1)),
        totals=asked.totals,
        seed=seed,
    )
    return _finished(effect, labels, "binding_effect", asked.to_dict(), seed)


def generate_pvalues(
    effect: xr.DataArray,
    *,
    large_effect_percentile: float = PvalueParameters.large_effect_percentile,
    large_effect_upper_pval: float = PvalueParameters.large_effect_upper_pval,
    seed: int | None = None,
    feature: Literal["binding_pvalue", "perturbation_pvalue"] | None = None,
) -> xr.DataArray:
    """Step 3: draw a p-value for every effect.

    Uniform on [0, 1]; where ``|effect|`` is at least the TF's quantile over genes (linear between order statistics),
    uniform on ``[0, large_effect_upper_pval]``.

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
        Which p-values to draw, as each has a stream of its own; told from the effect's name by default.

    Returns
    -------
    xarray.DataArray
        ``binding_pvalue`` or ``perturbation_pvalue``, float32, in [0, 1], dims ``(..., gene, tf)``.

    Raises
    ------
    InputError
        If an argument is not what it must be; if an effect is NaN (for dask, when it is computed).

    Examples
    --------
    >>> import yeastxr as yx
    >>> labels = yx.generate_gene_population(1000, bound=[0.1], seed=42)
    >>> pvalue = yx.generate_pvalues(yx.generate_binding_effects(labels, seed=42), seed=42)
    >>> pvalue.name, bool((pvalue <= 1).all())
    ('binding_pvalue', True)
    """
    asked = PvalueParameters(
        large_effect_percentile=large_effect_percentile, large_effect_upper_pval=large_effect_upper_pval
    )
    seed = check_seed(seed)
    name, of = _pvalues_of(effect, feature)
    effect = order_dims(check_array(effect, of, argument="effect"))
    whole = effect.chunk({GENE: -1}) if effect.chunks else effect  # a quantile is over all genes of a TF
    cutoffs = map_blocks(
        draws.compute_abs_quantiles,
        effect.dims,
        [whole],
        dtype=np.float64,
        reduces=GENE,
        fraction=asked.large_effect_percentile,
    )
    pvalues = map_blocks(
        draws.draw_pvalues,
        effect.dims,
        [effect, cutoffs, *get_positions(effect)],
        dtype=np.float32,
        stream=draws.Stream[name.upper()],
        upper=asked.large_effect_upper_pval,
        seed=seed,
    )
    return _finished(pvalues, effect, name, asked.to_dict(), seed)


def generate_perturbation_effects(
    labels: xr.DataArray,
    binding_effect: xr.DataArray,
    *,
    unbound_mean: float = PerturbationParameters.unbound_mean,
    unbound_std: float = PerturbationParameters.unbound_std,
    bound_mean: float = PerturbationParameters.bound_mean,
    bound_std: float = PerturbationParameters.bound_std,
    max_mean_adjustment: float = PerturbationParameters.max_mean_adjustment,
    tf_relationships: Mapping[Any, Iterable[Any]] | None = None,
    adjustment_function: AdjustmentFunction | None = None,
    largest_binding_effect: float | None = None,
    seed: int | None = None,
) -> xr.DataArray:
    """Step 4: draw how a gene responds when a TF is perturbed.

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
        Step 1's labels, bool, dims ``(..., gene, tf)``; NumPy or dask.
    binding_effect
        Step 2's effects, float32, the same dims and coordinates. Where one is NaN and matters, the outcome is NaN, too.
    unbound_mean, bound_mean
        Means of unbound and bound pairs, in units of the noise's standard deviation.
    unbound_std, bound_std
        Standard deviations of unbound and bound pairs, at least 0.
    max_mean_adjustment
        What the mean of a bound pair of the largest possible binding effect is raised by.
    tf_relationships
        From a TF to a list of conditions, all of which must hold: TFs, ``And``, ``Or``, ``Not``.
    adjustment_function
        Any other rule: called with labels and binding effects, it returns the mean of each pair, a finite number. It
        stands in place of the means, ``max_mean_adjustment`` and ``tf_relationships``.
    largest_binding_effect
        What the largest adjustment belongs to; by default what the effect's ranges of hops allow, or, for effects of
        unknown origin, the largest observed.
    seed
        An integer in [0, 2**64); drawn, and kept in the attributes, by default.

    Returns
    -------
    xarray.DataArray
        ``perturbation_effect``, float32, in units of the noise's s.d., dims ``(..., gene, tf)``.

    Raises
    ------
    InputError
        If an argument is not what it must be, labels and effects don't match, or a relationship names an unknown TF.

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
    asked = PerturbationParameters(
        unbound_mean=unbound_mean,
        unbound_std=unbound_std,
        bound_mean=bound_mean,
        bound_std=bound_std,
        max_mean_adjustment=max_mean_adjustment,
        tf_relationships=tf_relationships,
    )
    seed = check_seed(seed)
    labels = order_dims(check_array(labels, "label", argument="labels"))
    asked.with_known_tfs(labels.indexes[TF])
    binding_effect = check_matching(binding_effect, labels)
    where = get_positions(labels)
    if adjustment_function is not None:
        response = map_blocks(
            draws.draw_perturbation_effects_from_means,
            labels.dims,
            [labels, custom_mean(adjustment_function, labels, binding_effect, asked), *where],
            dtype=np.float32,
            stds=(asked.unbound_std, asked.bound_std),
            seed=seed,
        )
        name = getattr(adjustment_function, "__qualname__", "a callable")
        return _finished(
            response, labels, "perturbation_effect", {**asked.to_dict(), "adjustment_function": name}, seed
        )
    response = map_blocks(
        _perturbation_block,
        labels.dims,
        [
            labels,
            evaluate_relationships(labels, asked.tf_relationships or {}),
            binding_effect,
            slope_of_mean(asked.max_mean_adjustment, binding_effect, largest_binding_effect),
            *where,
        ],
        dtype=np.float32,
        numbers=(asked.unbound_mean, asked.unbound_std, asked.bound_mean, asked.bound_std),
        seed=seed,
    )
    return _finished(response, labels, "perturbation_effect", asked.to_dict(), seed)


def _perturbation_block(
    label: np.ndarray,
    adjusted: np.ndarray,
    effect: np.ndarray,
    slope: np.ndarray,
    *where: np.ndarray,
    numbers: tuple[float, float, float, float],
    seed: int,
    threads: int,
) -> np.ndarray:
    """Draw a block of perturbation effects; the slope comes as an array, as it may depend on the data."""
    return draws.draw_perturbation_effects(
        label, adjusted, effect, *where, numbers=(*numbers, float(slope.item())), seed=seed, threads=threads
    )


def _pvalues_of(effect: xr.DataArray, feature: str | None) -> tuple[str, str]:
    """Tell which p-values belong to an effect, and the effect's own name."""
    effects = {"binding_pvalue": "binding_effect", "perturbation_pvalue": "perturbation_effect"}
    if feature is None:
        named = getattr(effect, "name", None)
        feature = next((pvalue for pvalue, of in effects.items() if of == named), None)
        if feature is None and isinstance(effect, xr.DataArray):
            raise InputError(
                f"effect is named {named!r}, which does not say whose p-values to draw; "
                "expected 'binding_effect' or 'perturbation_effect', or pass feature='binding_pvalue' "
                "or feature='perturbation_pvalue'"
            )
        feature = feature or "binding_pvalue"
    if feature not in effects:
        raise SchemaError(f"feature is {feature!r}; expected 'binding_pvalue' or 'perturbation_pvalue'")
    return feature, effects[feature]


def _finished(
    result: xr.Variable, like: xr.DataArray, name: str, made_by: Mapping[str, Any], seed: int
) -> xr.DataArray:
    """Give an array its coordinates, its name, and attributes that say what it is and what made it."""
    array = like.copy(deep=False, data=result.data)
    array.name = name
    array.attrs = {**FEATURE_BY_NAME[name].attrs, PARAMETERS: json.dumps({**made_by, "seed": seed})}
    return array


def make_template(asked: PopulationParameters, chunks: Chunks) -> xr.DataArray:
    """Return an array with the dims, coordinates and chunks that a population asks for; its values mean nothing."""
    sizes: dict[str, int] = {} if asked.replicates is None else {REPLICATE: asked.replicates}
    sizes |= {GENE: asked.n_genes, TF: len(asked.tf_labels)}
    coords: dict[str, Any] = {
        name: (name, np.arange(n) if labels is None else to_text_array(labels))
        for name, n, labels in [
            (GENE, sizes[GENE], None if isinstance(asked.genes, int) else tuple(asked.genes)),
            (TF, sizes[TF], None if asked.tfs is None else tuple(asked.tfs)),
        ]
    }
    if asked.replicates is not None:
        coords[REPLICATE] = (REPLICATE, np.arange(asked.replicates))
    coords[BOUND_FRACTION] = (TF, np.array(asked.bound_fractions))
    shape, blocks = tuple(sizes.values()), chunk_sizes(sizes, chunks)
    if blocks is None:
        data: Any = np.broadcast_to(np.uint8(0), shape)
    else:
        import dask.array as da

        data = da.empty(shape, chunks=tuple(blocks.values()), dtype=np.uint8)
    return xr.DataArray(data, dims=list(sizes), coords=coords)
