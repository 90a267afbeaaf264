"""The steps as functions of labelled arrays, which keep dask arrays lazy.

Dimensions are addressed by name. Each block of an array is a function of its positions; see
:mod:`yeastxr.simulation.draws`. Public steps validate their arguments, and then call a function with validated
parameters, which :func:`yeastxr.simulate` calls directly.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import xarray as xr

from yeastxr._blocks import Chunks, chunk_like, chunk_sizes, get_positions, map_blocks
from yeastxr._validate import check_number, check_seed
from yeastxr.errors import InputError, InputTypeError, SchemaError, format_value
from yeastxr.schema import (
    ADJUSTED,
    BACKGROUND_HOPS,
    BINDING,
    BOUND_FRACTION,
    EXPERIMENT_HOPS,
    GENE,
    LABEL,
    MEASUREMENT,
    PARAMETERS,
    PERTURBATION,
    REPLICATE,
    RESPONSIVE,
    TF,
    VARIABLE_BY_NAME,
    check_array,
    get_feature,
    match_to,
    order_dims,
    to_text_array,
)
from yeastxr.simulation import draws, extended
from yeastxr.simulation.adjustment import (
    AdjustmentFunction,
    MeanModel,
    compute_custom_mean,
    evaluate_relationships,
    find_largest_effect,
    mark_adjusted,
)
from yeastxr.simulation.parameters import (
    KEPT,
    BindingParameters,
    MissingParameters,
    Parameters,
    PerturbationParameters,
    PopulationParameters,
    PvalueParameters,
    ResponseParameters,
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
    bound_concentration: float | None = None,
    measurements: int | None = None,
    seed: int | None = None,
    chunks: Chunks = None,
) -> xr.DataArray:
    """Step 1: draw the genes that each TF binds.

    Each TF binds exactly ``round(genes * bound)`` genes. All sets of this size are equally likely.

    Parameters
    ----------
    genes
        The number of genes, or their names, or ``"yeast"`` for all ORFs of :func:`yeastxr.names.genes`.
    bound
        Bound fractions, each in [0, 1]: a number, a list, or a dict from names of TFs. A Series or a DataArray with
        string labels is equivalent to a dict; integer labels are ignored.
    n_sample
        The number of TFs for each bound fraction: an integer or a list. The default is 1, or, for a single fraction,
        the number of names in ``tfs``.
    tfs
        The ``sum(n_sample)`` names of the TFs, or ``"yeast"`` for all of :func:`yeastxr.names.tfs`. The default is
        integers from 0.
    replicates
        The number of independent replicates. By default, there is no such dimension.
    bound_concentration
        Draws the bound fraction of each TF from a beta distribution with mean ``bound`` and this concentration (the sum
        of its two parameters), from 0.01 to 1e6. The fraction is one of 256 levels: the means of equally probable parts
        of the distribution.
    measurements
        The number of measurements, which share the labels. By default, there is no such dimension.
    seed
        An integer in [0, 2**64). By default it is random, and stored in the attributes.
    chunks
        None for NumPy arrays; ``"auto"`` or a dict from dimensions to sizes for dask arrays.

    Returns
    -------
    xarray.DataArray
        ``label``, bool, dims ``([replicate,] [measurement,] gene, tf)``, with the coordinate ``bound_fraction(tf)``.

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
    params = PopulationParameters(
        genes=genes,
        bound=bound,
        n_sample=n_sample,
        tfs=tfs,
        replicates=replicates,
        bound_concentration=bound_concentration,
        measurements=measurements,
    )
    return make_labels(params, check_seed(seed), chunks)


def make_labels(params: PopulationParameters, seed: int, chunks: Chunks) -> xr.DataArray:
    """Draw the labels of a population."""
    template = make_template(params, chunks, seed)
    replicate, gene, tf, *measurement = get_positions(template)
    bound_counts = [round(params.n_genes * fraction) for fraction in template[BOUND_FRACTION].values.tolist()]
    counts = chunk_like(TF, np.array(bound_counts, np.int64), template)
    dims = template.dims
    if template.chunks and len(template.variable.chunksizes[GENE]) > 1:
        limits = map_blocks(
            draws.find_label_limits,
            dims,
            [counts, replicate, tf, *measurement],
            dtype=np.uint64,
            seed=seed,
            genes=params.n_genes,
        )
        positions = [limits, replicate, gene, tf, *measurement]
        labels = map_blocks(draws.draw_labels, dims, positions, dtype=np.bool_, seed=seed)
    else:
        positions = [counts, replicate, gene, tf, *measurement]
        labels = map_blocks(draws.draw_label_columns, dims, positions, dtype=np.bool_, seed=seed)
    return _wrap(labels, template, LABEL, describe_population(params, params.write_values()), seed)


def describe_population(params: PopulationParameters, values: Mapping[str, str]) -> dict[str, str]:
    """Return the JSON of the parameters of step 1, without names, which are coordinates."""
    return {**PopulationParameters.pick(values), "genes": str(params.n_genes), "tfs": "null"}


def describe_step(group: type[Parameters], values: Mapping[str, str]) -> dict[str, str]:
    """Return the JSON of the parameters of a step, without those that select extra variables."""
    return {name: value for name, value in group.pick(values).items() if name not in KEPT}


def generate_hops(
    labels: xr.DataArray,
    *,
    background_hops_range: tuple[int, int] = BindingParameters.background_hops_range,
    unbound_experiment_hops_range: tuple[int, int] = BindingParameters.unbound_experiment_hops_range,
    bound_experiment_hops_range: tuple[int, int] = BindingParameters.bound_experiment_hops_range,
    total_background_hops: int = BindingParameters.total_background_hops,
    total_experiment_hops: int = BindingParameters.total_experiment_hops,
    pseudocount: float = BindingParameters.pseudocount,
    hop_distribution: str = BindingParameters.hop_distribution,
    background_hops_mean: float | None = None,
    unbound_experiment_hops_mean: float | None = None,
    bound_experiment_hops_mean: float | None = None,
    background_hops_dispersion: float = BindingParameters.background_hops_dispersion,
    experiment_hops_dispersion: float = BindingParameters.experiment_hops_dispersion,
    promoter_dispersion: float = BindingParameters.promoter_dispersion,
    seed: int | None = None,
) -> xr.Dataset:
    """Step 2, first half: draw the hops of every pair.

    ``"uniform"`` draws them from inclusive ranges. ``"negative_binomial"`` draws counts with mean ``m f`` and variance
    ``m f + d (m f)^2``, by inverting their distribution function: m is the mean of background hops, or of experiment
    hops of unbound or bound pairs, d is the dispersion, and f is the factor of the gene's promoter. The background and
    experiment hops of all TFs share this factor, so hot promoters are hot in every experiment. It is one of 64 levels:
    the means of equally probable parts of a gamma distribution with mean 1 and variance ``promoter_dispersion``.

    Parameters
    ----------
    labels
        Labels from step 1, bool, dims ``(..., gene, tf)``; NumPy or dask.
    background_hops_range
        First and last number of background hops, at least 0; a range from 0 needs a pseudocount.
    unbound_experiment_hops_range, bound_experiment_hops_range
        First and last number of experiment hops of unbound and of bound pairs, at least 0.
    total_background_hops, total_experiment_hops
        Total numbers of hops, at least 1, stored in the attributes for enrichment and p-values.
    pseudocount
        Stored in the attributes for enrichment.
    hop_distribution
        ``"uniform"`` draws hops from the ranges, ``"negative_binomial"`` from distributions with the means below.
    background_hops_mean, unbound_experiment_hops_mean, bound_experiment_hops_mean
        Means of negative binomial hops, from 0 to 10,000.
    background_hops_dispersion, experiment_hops_dispersion
        Dispersions, from 0 (Poisson) to 100.
    promoter_dispersion
        Variance of the promoter's factor, from 0 to 100.
    seed
        An integer in [0, 2**64). By default it is random, and stored in the attributes.

    Returns
    -------
    xarray.Dataset
        ``experiment_hops`` and ``background_hops``, int32, at least 0, dims ``(..., gene, tf)``; dask-backed if labels
        are. :func:`generate_binding_effects` with the same parameters and seed returns the effects of these hops.

    Raises
    ------
    InputError
        If an argument is invalid.

    Examples
    --------
    >>> import yeastxr as yx
    >>> labels = yx.generate_gene_population(1000, bound=[0.1], seed=42)
    >>> hops = yx.generate_hops(labels, seed=42)
    >>> int(hops.experiment_hops.max()), int(hops.background_hops.min())
    (6, 1)
    """
    params = BindingParameters(
        background_hops_range=background_hops_range,
        unbound_experiment_hops_range=unbound_experiment_hops_range,
        bound_experiment_hops_range=bound_experiment_hops_range,
        total_background_hops=total_background_hops,
        total_experiment_hops=total_experiment_hops,
        pseudocount=pseudocount,
        hop_distribution=hop_distribution,
        background_hops_mean=background_hops_mean,
        unbound_experiment_hops_mean=unbound_experiment_hops_mean,
        bound_experiment_hops_mean=bound_experiment_hops_mean,
        background_hops_dispersion=background_hops_dispersion,
        experiment_hops_dispersion=experiment_hops_dispersion,
        promoter_dispersion=promoter_dispersion,
    )
    labels = order_dims(check_array(labels, LABEL, argument="labels"))
    return xr.Dataset(make_hops(labels, params, check_seed(seed)))


def make_hops(labels: xr.DataArray, params: BindingParameters, seed: int) -> dict[str, xr.DataArray]:
    """Draw hops for labels with ordered dimensions."""
    hops = {}
    for name, which in ((EXPERIMENT_HOPS, "experiment"), (BACKGROUND_HOPS, "background")):
        values = map_blocks(
            extended.draw_hops,
            labels.dims,
            [labels, *get_positions(labels)],
            dtype=np.int32,
            which=which,
            params=params,
            seed=seed,
        )
        hops[name] = _wrap(values, labels, name, describe_step(BindingParameters, params.write_values()), seed)
    return hops


def generate_binding_effects(
    labels: xr.DataArray,
    *,
    background_hops_range: tuple[int, int] = BindingParameters.background_hops_range,
    unbound_experiment_hops_range: tuple[int, int] = BindingParameters.unbound_experiment_hops_range,
    bound_experiment_hops_range: tuple[int, int] = BindingParameters.bound_experiment_hops_range,
    total_background_hops: int = BindingParameters.total_background_hops,
    total_experiment_hops: int = BindingParameters.total_experiment_hops,
    pseudocount: float = BindingParameters.pseudocount,
    hop_distribution: str = BindingParameters.hop_distribution,
    background_hops_mean: float | None = None,
    unbound_experiment_hops_mean: float | None = None,
    bound_experiment_hops_mean: float | None = None,
    background_hops_dispersion: float = BindingParameters.background_hops_dispersion,
    experiment_hops_dispersion: float = BindingParameters.experiment_hops_dispersion,
    promoter_dispersion: float = BindingParameters.promoter_dispersion,
    seed: int | None = None,
) -> xr.DataArray:
    """Step 2: draw the hops of every pair, and return their enrichment.

    ``effect = (experiment / (total_experiment + pc)) / (background / (total_background + pc) + pc)``, the enrichment of
    calling cards data. The hops are those of :func:`generate_hops`. The effect is computed in float64 and rounded once.

    Parameters
    ----------
    labels
        Labels from step 1, bool, dims ``(..., gene, tf)``; NumPy or dask.
    background_hops_range
        First and last number of background hops, at least 0; a range from 0 needs a pseudocount.
    unbound_experiment_hops_range, bound_experiment_hops_range
        First and last number of experiment hops of unbound and of bound pairs, at least 0.
    total_background_hops, total_experiment_hops
        Total numbers of hops, at least 1.
    pseudocount
        A number, at least 0, that keeps the enrichment finite.
    hop_distribution
        ``"uniform"`` draws hops from the ranges, ``"negative_binomial"`` from distributions with the means below.
    background_hops_mean, unbound_experiment_hops_mean, bound_experiment_hops_mean
        Means of negative binomial hops, from 0 to 10,000.
    background_hops_dispersion, experiment_hops_dispersion
        Dispersions, from 0 (Poisson) to 100.
    promoter_dispersion
        Variance of the promoter's factor, from 0 to 100.
    seed
        An integer in [0, 2**64). By default it is random, and stored in the attributes.

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
        hop_distribution=hop_distribution,
        background_hops_mean=background_hops_mean,
        unbound_experiment_hops_mean=unbound_experiment_hops_mean,
        bound_experiment_hops_mean=bound_experiment_hops_mean,
        background_hops_dispersion=background_hops_dispersion,
        experiment_hops_dispersion=experiment_hops_dispersion,
        promoter_dispersion=promoter_dispersion,
    )
    labels = order_dims(check_array(labels, LABEL, argument="labels"))
    return make_binding_effects(labels, params, check_seed(seed))


def make_binding_effects(labels: xr.DataArray, params: BindingParameters, seed: int) -> xr.DataArray:
    """Draw binding effects for labels with ordered dimensions."""
    inputs = [labels, *get_positions(labels)]
    if params.is_tabulated or MEASUREMENT in labels.dims:
        options: dict[str, Any] = {"dtype": np.float32, "params": params, "seed": seed}
        effect = map_blocks(extended.draw_enrichment, labels.dims, inputs, **options)
    else:
        effect = map_blocks(
            draws.draw_binding_effects,
            labels.dims,
            inputs,
            dtype=np.float32,
            hops=params.hop_ranges,
            factors=params.factors,
            seed=seed,
        )
    return _wrap(effect, labels, BINDING, describe_step(BindingParameters, params.write_values()), seed)


def generate_pvalues(
    effect: xr.DataArray,
    *,
    large_effect_percentile: float = PvalueParameters.large_effect_percentile,
    large_effect_upper_pval: float = PvalueParameters.large_effect_upper_pval,
    pvalues: str = PvalueParameters.pvalues,
    poisson_pseudocount: float = PvalueParameters.poisson_pseudocount,
    hops: xr.Dataset | None = None,
    unbound_mean: float | None = None,
    unbound_std: float | None = None,
    seed: int | None = None,
    feature: Literal["binding_pvalue", "perturbation_pvalue"] | None = None,
) -> xr.DataArray:
    """Step 2 or 3: draw or compute a p-value for every effect.

    With ``pvalues="tutorial"``: uniform on [0, 1]; where ``|effect|`` is at least the TF's quantile over genes (linear
    between order statistics), uniform on ``[0, large_effect_upper_pval]``. Within each of these two groups, p-values do
    not depend on the effect, as in the tutorial of yeastdnnexplorer: they come from a rule, not from a test.

    With ``pvalues="test"``, nothing is random. The p-value of binding is ``P(N >= experiment_hops)`` for a Poisson
    variable N with the mean ``(background_hops + poisson_pseudocount) * total_experiment_hops /
    total_background_hops``, the test of calling cards (Wang et al., Genome Research 21, 2011) with the pseudocount of
    ``callingcardstools``, as in :func:`yeastxr.analysis.enrichment`. It comes from a table computed in 50-digit
    arithmetic. The p-value of a perturbation effect is two-sided, ``P(|X| >= |effect|)`` for a normal variable X with
    the mean and standard deviation of unbound pairs: ``Q((|effect| - mean) / std) + Q((|effect| + mean) / std)``, with
    a relative error below 1e-9. Both are rounded to float32.

    Parameters
    ----------
    effect
        ``binding_effect`` or ``perturbation_effect``, float32, dims ``(..., gene, tf)``; NumPy or dask.
    large_effect_percentile
        The quantile of ``|effect|`` above which p-values are small, in [0, 1].
    large_effect_upper_pval
        The upper end of small p-values, in [0, 1].
    pvalues
        ``"tutorial"`` or ``"test"``.
    poisson_pseudocount
        A pseudocount, at least 0, added to the background hops of a binding test.
    hops
        The result of :func:`generate_hops`, required by a binding test.
    unbound_mean, unbound_std
        The null distribution of a perturbation test. The default comes from the attributes of the effect.
    seed
        An integer in [0, 2**64). By default it is random, and stored in the attributes.
    feature
        The p-values to draw, as each has its own stream. By default they follow from the name of the effect.

    Returns
    -------
    xarray.DataArray
        ``binding_pvalue`` or ``perturbation_pvalue``, float32, in [0, 1], dims ``(..., gene, tf)``.

    Raises
    ------
    InputError
        If an argument is invalid, or an effect is NaN (for dask, on computation).

    Examples
    --------
    >>> import yeastxr as yx
    >>> labels = yx.generate_gene_population(1000, bound=[0.1], seed=42)
    >>> pvalue = yx.generate_pvalues(yx.generate_binding_effects(labels, seed=42), seed=42)
    >>> pvalue.name, bool((pvalue <= 1).all())
    ('binding_pvalue', True)
    """
    params = PvalueParameters(
        large_effect_percentile=large_effect_percentile,
        large_effect_upper_pval=large_effect_upper_pval,
        pvalues=pvalues,
        poisson_pseudocount=poisson_pseudocount,
    )
    seed = check_seed(seed)
    name = _choose_pvalues(effect, feature)
    effect = order_dims(check_array(effect, _EFFECT_OF[name], argument="effect"))
    given = {"hops": hops, "unbound_mean": unbound_mean, "unbound_std": unbound_std}
    useless = [key for key, value in given.items() if value is not None]
    if params.tests_effects:
        useless = [key for key in useless if (key == "hops") != (name == "binding_pvalue")]
    if useless:
        raise InputError(f"{', '.join(useless)} can't be used with pvalues={pvalues!r} of {name}; omit it")
    if not params.tests_effects:
        return make_pvalues(effect, name, params, seed)
    if name == "perturbation_pvalue":
        return make_perturbation_tests(effect, _find_unbound(effect, unbound_mean, unbound_std), params, seed)
    if not isinstance(hops, xr.Dataset):
        raise InputTypeError(
            f"hops is {format_value(hops)}; expected the result of generate_hops, which binding tests need"
        )
    arrays = {n: match_to(get_feature(hops, n), n, effect, "effect") for n in (EXPERIMENT_HOPS, BACKGROUND_HOPS)}
    return make_binding_tests(arrays, _find_binding_parameters(arrays[EXPERIMENT_HOPS]), params, seed)


def _find_binding_parameters(hops: xr.DataArray) -> BindingParameters:
    """Return the parameters in the attributes of hops, or raise if there are none."""
    try:
        return BindingParameters.extract(json.loads(hops.attrs[PARAMETERS]))
    except (KeyError, TypeError, ValueError):
        raise InputError(
            "hops has no parameters in its attributes; expected the unmodified result of generate_hops"
        ) from None


def _find_unbound(effect: xr.DataArray, mean: float | None, std: float | None) -> tuple[float, float]:
    """Return the mean and the standard deviation of the null distribution of a perturbation test."""
    try:
        known = PerturbationParameters.pick(json.loads(effect.attrs[PARAMETERS]))
    except (KeyError, TypeError, ValueError, AttributeError):
        known = {}
    mean, std = known.get("unbound_mean") if mean is None else mean, known.get("unbound_std") if std is None else std
    if mean is None or std is None:
        raise InputError("effect has no parameters in its attributes; pass unbound_mean and unbound_std")
    std = check_number("unbound_std", std, least=0)
    if std == 0:
        raise InputError("unbound_std is 0 and pvalues is 'test'; expected a number above 0")
    return check_number("unbound_mean", mean), std


def make_binding_tests(
    hops: Mapping[str, xr.DataArray], binding: BindingParameters, params: PvalueParameters, seed: int
) -> xr.DataArray:
    """Test the binding of all pairs for hops with ordered dimensions."""
    experiment, background = hops[EXPERIMENT_HOPS], hops[BACKGROUND_HOPS]
    extended.make_tails(binding, params.poisson_pseudocount)  # raises early for too many combinations
    pvalues = map_blocks(
        extended.find_binding_pvalues,
        experiment.dims,
        [experiment, background],
        dtype=np.float32,
        params=binding,
        pseudocount=params.poisson_pseudocount,
    )
    return _wrap(pvalues, experiment, "binding_pvalue", params.write_values(), seed)


def make_perturbation_tests(
    effect: xr.DataArray, normal: tuple[float, float], params: PvalueParameters, seed: int
) -> xr.DataArray:
    """Test perturbation effects, with ordered dimensions, against a normal distribution."""
    pvalues = map_blocks(extended.find_tail_pvalues, effect.dims, [effect], dtype=np.float32, normal=normal)
    return _wrap(pvalues, effect, "perturbation_pvalue", params.write_values(), seed)


def generate_responses(
    labels: xr.DataArray,
    *,
    responsive_fraction: float = ResponseParameters.responsive_fraction,
    indirect_fraction: float = ResponseParameters.indirect_fraction,
    gene_responsiveness: float = ResponseParameters.gene_responsiveness,
    seed: int | None = None,
) -> xr.DataArray:
    """Step 3, first half: draw the pairs that respond.

    Bound pairs respond with probability ``responsive_fraction``, and unbound pairs with probability
    ``indirect_fraction``. With ``gene_responsiveness``, each gene has its own probabilities, which are the same for all
    TFs. They come from 64 levels: the means of equally probable parts of a beta distribution with that probability as
    its mean. The responses of a gene to two TFs then have (up to the rounding to levels) this correlation, the
    intra-class correlation of a beta-binomial distribution.

    Parameters
    ----------
    labels
        Labels from step 1, bool, dims ``(..., gene, tf)``; NumPy or dask.
    responsive_fraction, indirect_fraction
        Fractions of bound and of unbound pairs that respond, in [0, 1]. With 1 and 0, exactly the bound pairs respond.
    gene_responsiveness
        The correlation of the responses of a gene to different TFs, from 0 to 0.99.
    seed
        An integer in [0, 2**64). By default it is random, and stored in the attributes.

    Returns
    -------
    xarray.DataArray
        ``responsive``, bool, dims ``(..., gene, tf)``; dask-backed if labels are.

    Raises
    ------
    InputError
        If an argument is invalid.

    Examples
    --------
    >>> import yeastxr as yx
    >>> labels = yx.generate_gene_population(1000, bound=[0.1], seed=42)
    >>> responsive = yx.generate_responses(labels, responsive_fraction=0.5, seed=42)
    >>> bool((responsive <= labels).all()), responsive.sum().item() < 80
    (True, True)
    """
    params = ResponseParameters(
        responsive_fraction=responsive_fraction,
        indirect_fraction=indirect_fraction,
        gene_responsiveness=gene_responsiveness,
    )
    return make_responses(order_dims(check_array(labels, LABEL, argument="labels")), params, check_seed(seed))


def make_responses(labels: xr.DataArray, params: ResponseParameters, seed: int) -> xr.DataArray:
    """Draw the pairs that respond for labels with ordered dimensions."""
    responsive = map_blocks(
        extended.draw_responses,
        labels.dims,
        [labels, *get_positions(labels)],
        dtype=np.bool_,
        params=params,
        seed=seed,
    )
    return _wrap(responsive, labels, RESPONSIVE, params.write_values(), seed)


def make_adjusted(
    labels: xr.DataArray, responsive: xr.DataArray | None, params: PerturbationParameters
) -> xr.DataArray:
    """Return the pairs that respond and whose conditions hold."""
    return mark_adjusted(labels, params.tf_relationships or {}, responsive)


def mask_missing(
    array: xr.DataArray,
    *,
    missing_gene_fraction: float = MissingParameters.missing_gene_fraction,
    missing_pair_fraction: float = MissingParameters.missing_pair_fraction,
    seed: int | None = None,
) -> xr.DataArray:
    """Step 3, last part: set missing perturbation effects or p-values to NaN.

    Arrays with the same seed and fractions miss the same pairs. Generate p-values first, from complete effects.

    Parameters
    ----------
    array
        ``perturbation_effect`` or ``perturbation_pvalue``, float32, dims ``(..., gene, tf)``; NumPy or dask.
    missing_gene_fraction
        The probability that a gene is missing, for all TFs and measurements of a replicate, in [0, 1].
    missing_pair_fraction
        The probability that a pair of any other gene is missing, in [0, 1].
    seed
        An integer in [0, 2**64). By default it is random, and stored in the attributes.

    Returns
    -------
    xarray.DataArray
        The array with NaN where values are missing; dask-backed if it is.

    Raises
    ------
    InputError
        If an argument is invalid.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=1000, bound=[0.1], seed=42)
    >>> masked = yx.mask_missing(ds.perturbation_effect, missing_gene_fraction=0.5, seed=42)
    >>> 400 < int(masked.isnull().sum()) < 600
    True
    """
    params = MissingParameters(missing_gene_fraction=missing_gene_fraction, missing_pair_fraction=missing_pair_fraction)
    name = getattr(array, "name", None)
    if name not in (PERTURBATION, "perturbation_pvalue"):
        raise SchemaError(
            f"array is named {format_value(name)}; expected 'perturbation_effect' or 'perturbation_pvalue'"
        )
    return mask_array(order_dims(check_array(array, str(name), argument="array")), params, check_seed(seed))


def mask_array(array: xr.DataArray, params: MissingParameters, seed: int) -> xr.DataArray:
    """Set missing values to NaN in an array with ordered dimensions."""
    masked = map_blocks(
        extended.mask_block,
        array.dims,
        [array, *get_positions(array)],
        dtype=np.float32,
        fractions=(params.missing_gene_fraction, params.missing_pair_fraction),
        seed=seed,
    )
    result = array.copy(deep=False, data=masked.data)
    try:
        made_by = dict(json.loads(array.attrs[PARAMETERS]))
    except (KeyError, TypeError, ValueError):
        return result
    made_by.pop("seed", None)
    described = {name: json.dumps(value) for name, value in made_by.items()} | params.write_values()
    return result.assign_attrs({PARAMETERS: join_json({**described, "seed": str(seed)})})


def make_pvalues(effect: xr.DataArray, name: str, params: PvalueParameters, seed: int) -> xr.DataArray:
    """Draw the p-values of a feature for effects with ordered dimensions."""
    all_genes = effect.chunk({GENE: -1}) if effect.chunks else effect  # quantiles are over all genes of a TF
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
    positive_fraction: float | Collection[float] = PerturbationParameters.positive_fraction,
    batch_std: float = PerturbationParameters.batch_std,
    responsive: xr.DataArray | None = None,
    adjustment_function: AdjustmentFunction | None = None,
    largest_binding_effect: float | None = None,
    seed: int | None = None,
) -> xr.DataArray:
    """Step 3: draw the response of genes to the perturbation of TFs.

    ``effect = sign * |normal(mean, std)|``. The sign is +1 with probability ``positive_fraction`` and otherwise -1,
    independently for each pair. If ``responsive`` is given, it replaces the labels: read "responsive" for "bound"
    below. The mean is ``unbound_mean`` or, for bound pairs, ``bound_mean``, and then:

    1. no adjustment: ``max_mean_adjustment`` is 0 and there are no relationships;
    2. by binding: ``max_mean_adjustment * binding_effect / largest_binding_effect`` is added for bound pairs;
    3. by related TFs: as 2, but only where all TFs that ``tf_relationships`` lists for the TF also bind the gene; all
       other bound pairs have the unbound mean (and the bound standard deviation);
    4. by boolean relations: as 3, with ``And``, ``Or`` and ``Not`` in the lists.

    Parameters
    ----------
    labels
        Labels from step 1, bool, dims ``(..., gene, tf)``; NumPy or dask.
    binding_effect
        Effects from step 2, float32, with the same dimensions and coordinates. NaN propagates if the mean depends on
        it.
    unbound_mean, bound_mean
        Means of unbound and bound pairs, in units of the noise's standard deviation.
    unbound_std, bound_std
        Standard deviations of unbound and bound pairs, at least 0.
    max_mean_adjustment
        The increase of the mean of a bound pair that has the largest possible binding effect.
    tf_relationships
        A dict from TFs to conditions, or lists of conditions that must all hold: TFs, ``And``, ``Or``, ``Not``.
        Conditions refer to the TFs that bind the gene.
    positive_fraction
        The fraction of positive effects, in [0, 1]: one value for all TFs, or a list with one for each.
    batch_std
        Standard deviation, at least 0, of an offset added to all effects of a TF in a measurement.
    responsive
        The result of :func:`generate_responses`. By default the bound pairs respond.
    adjustment_function
        Any other rule: a function of labels and binding effects that returns the mean of each pair, a finite number. It
        replaces the means, ``max_mean_adjustment`` and ``tf_relationships``.
    largest_binding_effect
        The binding effect with the largest adjustment. The default is the largest that the parameters in the attributes
        allow or, without these, the largest observed.
    seed
        An integer in [0, 2**64). By default it is random, and stored in the attributes.

    Returns
    -------
    xarray.DataArray
        ``perturbation_effect``, float32, in units of the noise's s.d., dims ``(..., gene, tf)``.

    Raises
    ------
    InputError
        If an argument is invalid, labels and effects do not match, or a relationship names an unknown TF.

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
        positive_fraction=positive_fraction,
        batch_std=batch_std,
    )
    seed = check_seed(seed)
    labels = order_dims(check_array(labels, LABEL, argument="labels"))
    params.check_tfs(labels.indexes[TF])
    effect = match_to(check_array(binding_effect, BINDING), BINDING, labels, "labels")
    if responsive is not None:
        responsive = match_to(check_array(responsive, RESPONSIVE), RESPONSIVE, labels, "labels")
    if params.batch_std and MEASUREMENT not in labels.dims:
        raise InputError(
            f"batch_std is {params.batch_std:g} but labels have no dimension 'measurement'; "
            "expected labels with measurements"
        )
    if adjustment_function is None:
        return make_perturbation_effects(labels, effect, params, seed, largest_binding_effect, responsive=responsive)
    mean = compute_custom_mean(adjustment_function, labels, effect, params)
    options: dict[str, Any] = {
        "dtype": np.float32,
        "stds": (params.unbound_std, params.bound_std),
        "seed": seed,
    }
    positions = get_positions(labels)
    if responsive is None and not _is_extended(labels, params):
        inputs = [labels, mean, *positions]
        response = map_blocks(draws.draw_perturbation_effects_from_means, labels.dims, inputs, **options)
    else:
        inputs = [labels if responsive is None else responsive, mean, _list_signs(labels, params), *positions]
        options["batch_std"] = params.batch_std
        response = map_blocks(_draw_custom_block, labels.dims, inputs, **options)
    name = json.dumps(getattr(adjustment_function, "__qualname__", "a callable"))
    described = {**describe_step(PerturbationParameters, params.write_values()), "adjustment_function": name}
    return _wrap(response, labels, PERTURBATION, described, seed)


def _is_extended(labels: xr.DataArray, params: PerturbationParameters) -> bool:
    """Return whether signs, batches or measurements differ from the tutorial."""
    return params.extends_tutorial or MEASUREMENT in labels.dims


def _list_signs(labels: xr.DataArray, params: PerturbationParameters) -> xr.Variable:
    """Return for each TF the smallest number of random bits that makes an effect negative."""
    return chunk_like(TF, np.array(params.list_negative_from(labels.sizes[TF]), np.uint32), labels)


def _draw_custom_block(responsive: np.ndarray, mean: np.ndarray, *others: np.ndarray, **options: Any) -> np.ndarray:
    """Draw a block from the means of a user-defined rule."""
    draws.check_means(mean, *options["stds"], options["batch_std"])
    return extended.draw_effects_from_means(responsive, mean, *others, **options)


def make_perturbation_effects(
    labels: xr.DataArray,
    effect: xr.DataArray,
    params: PerturbationParameters,
    seed: int,
    largest: float | None = None,
    *,
    responsive: xr.DataArray | None = None,
) -> xr.DataArray:
    """Draw perturbation effects for arrays with ordered dimensions and validated relationships."""
    active = evaluate_relationships(labels, params.tf_relationships or {}, responsive=responsive)
    largest_effect, limit = find_largest_effect(params.max_mean_adjustment, effect, largest)
    responses = labels if responsive is None else responsive
    is_extended = responsive is not None or _is_extended(labels, params)
    extra: dict[str, Any] = {"batch_std": params.batch_std} if is_extended else {}
    response = map_blocks(
        _draw_extended_block if is_extended else _draw_perturbation_block,
        labels.dims,
        [
            responses,
            active,
            effect,
            largest_effect,
            *([_list_signs(labels, params)] if is_extended else []),
            *get_positions(labels),
        ],
        dtype=np.float32,
        limit=limit,
        model=MeanModel.from_parameters(params, 0.0),
        seed=seed,
        **extra,
    )
    return _wrap(response, labels, PERTURBATION, describe_step(PerturbationParameters, params.write_values()), seed)


def _draw_extended_block(
    responsive: np.ndarray,
    active: np.ndarray,
    effect: np.ndarray,
    largest: np.ndarray,
    negative_from: np.ndarray,
    *positions: np.ndarray,
    limit: float,
    model: MeanModel,
    batch_std: float,
    seed: int,
    threads: int,
) -> np.ndarray:
    """Draw a block with signs, batches and measurements; the largest binding effect is an array."""
    _check_largest(effect, limit)
    unbound_mean, unbound_std, bound_mean, bound_std, slope = replace(
        model, largest_binding_effect=float(largest.item())
    ).numbers
    mean = np.where(active, bound_mean + slope * effect.astype(np.float64), unbound_mean)
    options: dict[str, Any] = {"stds": (unbound_std, bound_std), "batch_std": batch_std}
    return extended.draw_effects_from_means(
        responsive, mean, negative_from, *positions, **options, seed=seed, threads=threads
    )


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
    _check_largest(effect, limit)
    numbers = replace(model, largest_binding_effect=float(largest.item())).numbers
    return draws.draw_perturbation_effects(
        label, active, effect, *positions, numbers=numbers, seed=seed, threads=threads
    )


def _check_largest(effect: np.ndarray, limit: float) -> None:
    """Raise for binding effects above the limit of the parameters in their attributes."""
    if np.isfinite(limit) and effect.max() > limit:
        raise InputError(
            f"binding_effect reaches {effect.max():g}, but the parameters in its attributes allow only {limit:g}; "
            "pass largest_binding_effect, or effects without these attributes"
        )


def _choose_pvalues(effect: xr.DataArray, feature: str | None) -> str:
    """Return the name of the p-values of an effect."""
    if feature is None:
        name = getattr(effect, "name", None)
        feature = next((pvalue for pvalue, own in _EFFECT_OF.items() if own == name), None)
        if feature is None and isinstance(effect, xr.DataArray):
            raise InputError(
                f"effect is named {format_value(name)}, which does not determine its p-values; "
                "expected 'binding_effect' or 'perturbation_effect', or pass feature='binding_pvalue' "
                "or feature='perturbation_pvalue'"
            )
        feature = feature or "binding_pvalue"
    if not isinstance(feature, str) or feature not in _EFFECT_OF:
        raise SchemaError(f"feature is {format_value(feature)}; expected 'binding_pvalue' or 'perturbation_pvalue'")
    return feature


def _wrap(result: xr.Variable, like: xr.DataArray, name: str, made_by: Mapping[str, str], seed: int) -> xr.DataArray:
    """Return a labelled array with attributes that describe it and its parameters."""
    array = like.copy(deep=False, data=result.data)
    array.name = name
    array.attrs = make_attrs(name, made_by, seed)
    return array


def make_attrs(name: str, made_by: Mapping[str, str], seed: int) -> dict[str, Any]:
    """Return the attributes of a variable, with the JSON of its parameters; adjusted pairs have no seed."""
    own = {} if name == ADJUSTED else {"seed": str(seed)}
    return {**VARIABLE_BY_NAME[name].attrs, PARAMETERS: join_json({**made_by, **own})}


def make_template(params: PopulationParameters, chunks: Chunks, seed: int | None = None) -> xr.DataArray:
    """Return an array with the dimensions, coordinates and chunks of a population, and arbitrary values."""
    sizes = get_sizes(params)
    shape, blocks = tuple(sizes.values()), chunk_sizes(sizes, chunks)
    if blocks is None:
        data: Any = np.broadcast_to(np.uint8(0), shape)
    else:
        import dask.array as da

        data = da.empty(shape, chunks=tuple(blocks.values()), dtype=np.uint8)
    return xr.DataArray(data, dims=list(sizes), coords=make_coordinates(params, seed))


def get_sizes(params: PopulationParameters) -> dict[str, int]:
    """Return the dimensions of a population, in order, and their sizes."""
    leading = {REPLICATE: params.replicates, MEASUREMENT: params.measurements}
    sizes = {dim: n for dim, n in leading.items() if n is not None}
    return sizes | {GENE: params.n_genes, TF: len(params.tf_labels)}


def make_coordinates(params: PopulationParameters, seed: int | None = None) -> dict[str, Any]:
    """Return the coordinates of a population; random bound fractions depend on the seed."""
    coords: dict[str, Any] = {
        name: (name, np.arange(n) if labels is None else to_text_array(labels))
        for name, n, labels in [
            (GENE, params.n_genes, None if isinstance(params.genes, int) else tuple(params.genes)),
            (TF, len(params.tf_labels), None if params.tfs is None else tuple(params.tfs)),
        ]
    }
    if params.replicates is not None:
        coords[REPLICATE] = (REPLICATE, np.arange(params.replicates))
    if params.measurements is not None:
        coords[MEASUREMENT] = (MEASUREMENT, np.arange(params.measurements))
    fractions = params.bound_fractions if seed is None else params.find_bound_fractions(seed)
    coords[BOUND_FRACTION] = (TF, np.array(fractions))
    return coords
