"""Complete simulations: the specification, and its dataset."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import wraps
from inspect import signature
from typing import Any, ParamSpec, Self, TypeVar

import numpy as np
import xarray as xr

from yeastxr._blocks import CHUNK_CELLS, Chunks, Region, chunk_sizes, for_each_block
from yeastxr._validate import check_seed
from yeastxr._version import __version__
from yeastxr.errors import InputError, InputTypeError, SchemaError, format_value, suggest
from yeastxr.schema import (
    BINDING,
    BOUND_FRACTION,
    CORE_DIMS,
    EXTRA_NAMES,
    FEATURE_NAMES,
    GENE,
    LABEL,
    PARAMETERS,
    PERTURBATION,
    VARIABLE_BY_NAME,
    check_array,
    get_feature,
    list_dims,
    list_extras,
    list_variables,
    make_feature_coordinate,
    match_to,
    validate,
)
from yeastxr.simulation.adjustment import MeanModel
from yeastxr.simulation.blocks import simulate_arrays
from yeastxr.simulation.draws import SCHEME_VERSION
from yeastxr.simulation.extended import ExtendedModel
from yeastxr.simulation.parameters import (
    BindingParameters,
    MissingParameters,
    PerturbationParameters,
    PopulationParameters,
    PvalueParameters,
    ResponseParameters,
    join_json,
    make_help,
)
from yeastxr.simulation.presets import get_preset
from yeastxr.simulation.relations import from_json
from yeastxr.simulation.steps import (
    describe_population,
    describe_step,
    get_sizes,
    make_adjusted,
    make_attrs,
    make_binding_effects,
    make_binding_tests,
    make_coordinates,
    make_hops,
    make_labels,
    make_perturbation_effects,
    make_perturbation_tests,
    make_pvalues,
    make_responses,
    make_template,
    mask_array,
)

SPECIFICATION = "specification"  # the attribute that holds the complete specification as JSON
PRESET = "preset"  # a preset supplies omitted parameters
_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True, repr=False)
class SimulationSpec(
    MissingParameters,
    PerturbationParameters,
    ResponseParameters,
    PvalueParameters,
    BindingParameters,
    PopulationParameters,
):
    """All parameters of a simulated dataset, validated and immutable.

    :meth:`from_preset` combines a preset with other parameters.

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
        of its two parameters), from 0.01 to 1e6. By default the fractions equal ``bound``.
    measurements
        The number of measurements of each replicate. They share labels, background hops, responses and signs, but not
        experiment hops and noise. By default, there is no such dimension.
    background_hops_range
        First and last number of background hops, at least 0; a range from 0 needs a pseudocount.
    unbound_experiment_hops_range, bound_experiment_hops_range
        First and last number of experiment hops of unbound and of bound pairs, at least 0.
    total_background_hops, total_experiment_hops
        The total numbers of hops, at least 1.
    pseudocount
        A number, at least 0, that keeps the enrichment finite.
    hop_distribution
        ``"uniform"`` draws hops from the ranges above, ``"negative_binomial"`` from distributions with the means below.
    background_hops_mean, unbound_experiment_hops_mean, bound_experiment_hops_mean
        Means of negative binomial hops, from 0 to 10,000.
    background_hops_dispersion, experiment_hops_dispersion
        Dispersions d: given the factor of their gene, counts with mean m have the variance ``m + d m^2``; 0 is Poisson.
    promoter_dispersion
        Variance of a gamma factor with mean 1 that multiplies the means of all hops of a gene: background and
        experiment hops of all TFs.
    hops
        Whether to keep the variables ``experiment_hops`` and ``background_hops``.
    large_effect_percentile
        The quantile of ``|effect|``, over the genes of a TF, above which p-values are small, in [0, 1].
    large_effect_upper_pval
        The upper end of small p-values, in [0, 1].
    pvalues
        ``"tutorial"`` draws p-values by the rule above. ``"test"`` computes them: binding p-values are the probability
        of at least as many experiment hops under a Poisson distribution with a mean proportional to the background
        hops; perturbation p-values are the probability of an effect at least as large under the distribution of unbound
        pairs.
    poisson_pseudocount
        A pseudocount, at least 0, added to the background hops of that test.
    responsive_fraction, indirect_fraction
        Fractions of bound and of unbound pairs that respond, in [0, 1]. Unless they are 1 and 0, the dataset has the
        variable ``responsive``, which determines the perturbation effect instead of the label.
    gene_responsiveness
        The correlation of a gene's responses to different TFs, from 0 to 0.99.
    unbound_mean, bound_mean
        Means of perturbation effects of unbound and of bound pairs, in units of the noise's standard deviation.
    unbound_std, bound_std
        Standard deviations of perturbation effects of unbound and of bound pairs, at least 0.
    max_mean_adjustment
        The increase of the mean of a bound pair that has the largest possible binding effect.
    tf_relationships
        A dict from TFs to conditions, or lists of conditions that must all hold: TFs, ``And``, ``Or``, ``Not``.
    positive_fraction
        The fraction of positive perturbation effects, in [0, 1]: one value for all TFs, or a list with one for each.
    batch_std
        Standard deviation, at least 0, of an offset added to all effects of a TF in a measurement.
    adjusted
        Whether to keep the variable ``adjusted``: whether a pair responds and its conditions hold.
    missing_gene_fraction, missing_pair_fraction
        Probabilities that a gene has no perturbation effects, and that any other pair has none, in [0, 1]. Missing
        effects and p-values are NaN.
    seed
        An integer in [0, 2**64). By default it is random.

    Raises
    ------
    InputError
        If a parameter is invalid. The message states its name, its value and the allowed values.

    Examples
    --------
    >>> import yeastxr as yx
    >>> spec = yx.SimulationSpec(genes=100, bound=[0.1, 0.2], tf_relationships={0: [yx.Not(1)]}, seed=42)
    >>> yx.SimulationSpec.from_json(spec.to_json()) == spec
    True
    >>> spec
    SimulationSpec(genes=100, bound=(0.1, 0.2), n_sample=(1, 1), tf_relationships={0: (Not(1),)}, seed=42)
    """

    seed: int | None = field(
        default=None, metadata=make_help("Integer from 0 to 2**64 - 1 (default: random, and printed).", int)
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_tfs(self.tf_labels)
        if self.tests_effects and self.unbound_std == 0:
            raise InputError("unbound_std is 0 and pvalues is 'test'; expected a number above 0, the noise of the test")
        if self.batch_std and self.measurements is None:
            raise InputError(
                f"batch_std is {self.batch_std:g} but there are no measurements; expected measurements with it"
            )
        self._set(seed=check_seed(self.seed))

    def __repr__(self) -> str:
        values = {f.name: (getattr(self, f.name), f.default) for f in fields(self)}
        shown = [
            f"{name}={format_value(value)}"
            for name, (value, default) in values.items()
            if name in ("genes", "bound", "n_sample") or value != default
        ]
        return f"SimulationSpec({', '.join(shown)})"

    def __hash__(self) -> int:
        return hash((self.genes, self.bound, self.n_sample, self.seed))  # a cheap hash of some parameters

    def to_json(self) -> str:
        """Return the specification as JSON; the inverse of :meth:`from_json`.

        Returns
        -------
        str
            A JSON object with all parameters.
        """
        return join_json(self.write_values())

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Create a specification from values read from JSON or YAML.

        Parameters
        ----------
        values
            Parameters by name, with ``tf_relationships`` in the form of :func:`yeastxr.simulation.relations.to_json`. A
            ``preset`` may supply omitted parameters.

        Returns
        -------
        SimulationSpec
            The specification.

        Raises
        ------
        InputError
            If a name is unknown or a value is invalid.
        """
        if not isinstance(values, Mapping):
            raise InputTypeError(f"the specification is {format_value(values)}; expected an object of parameters")
        values = fill_parameters(values)
        if values.get("tf_relationships") is not None:
            named = values.get("tfs") is not None or isinstance(values["bound"], Mapping)
            values["tf_relationships"] = from_json(values["tf_relationships"], named=named)
        return cls(**values)

    @classmethod
    def from_preset(cls, preset: str, **values: Any) -> Self:
        """Create a specification from a preset and parameters that override it.

        Parameters
        ----------
        preset
            A name in :func:`yeastxr.presets`.
        **values
            Parameters that override the preset. ``bound`` and ``tfs`` also change the number of TFs; see
            :meth:`yeastxr.Preset.fill`.

        Returns
        -------
        SimulationSpec
            The specification. It contains all values, so later changes of the preset do not affect it.

        Raises
        ------
        InputError
            If a name is unknown or a value is invalid.

        Examples
        --------
        >>> import yeastxr as yx
        >>> spec = yx.SimulationSpec.from_preset("yeast", n_sample=20, hops=True, seed=42)
        >>> spec.genes, spec.n_sample, spec.pvalues
        (6600, (20,), 'test')
        """
        return cls(**fill_parameters({**values, PRESET: preset}))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Create a specification from JSON; the inverse of :meth:`to_json`.

        Parameters
        ----------
        text
            A JSON object of parameters.

        Returns
        -------
        SimulationSpec
            The specification.

        Raises
        ------
        InputError
            If the text is not JSON, a name is unknown, or a value is invalid.
        """
        try:
            values = json.loads(text)
        except (TypeError, ValueError, RecursionError):
            raise InputError(f"the specification is {format_value(text)}; expected JSON") from None
        return cls.from_dict(values)

    def simulate(self, chunks: Chunks = None) -> xr.Dataset:
        """Simulate the dataset; see :func:`yeastxr.simulate`.

        Parameters
        ----------
        chunks
            None for NumPy arrays; ``"auto"`` or a dict from dimensions to sizes for dask arrays.

        Returns
        -------
        xarray.Dataset
            The five features and the extra variables of the specification, with dimensions ``([replicate,]
            [measurement,] gene, tf)``.
        """
        sizes = get_sizes(self)
        lengths = chunk_sizes(sizes, chunks)
        if lengths is not None and len(lengths[GENE]) > 1:
            return self._simulate_by_steps(chunks)
        seed, values = check_seed(self.seed), self.write_values()
        attrs = _make_attrs(self, join_json(values))
        made_by = self._describe_steps(values)
        names = [*FEATURE_NAMES, *self.extras]
        arrays = simulate_arrays(self, names, self._make_draw_parameters(), lengths, attrs[SPECIFICATION])
        variables = {
            name: xr.Variable(tuple(sizes), array, make_attrs(name, made_by[name], seed))
            for name, array in zip(names, arrays, strict=True)
        }
        return xr.Dataset(variables, xr.Coordinates(make_coordinates(self)) | make_feature_coordinate(), attrs)

    @property
    def extras(self) -> list[str]:
        """The names of the extra variables of the dataset, in order."""
        wanted = {"responsive": self.has_responses, "adjusted": self.adjusted}
        return [name for name in EXTRA_NAMES if wanted.get(name, self.hops)]

    def _describe_steps(self, values: Mapping[str, str]) -> dict[str, dict[str, str]]:
        """Return the JSON of the parameters of each variable's step."""
        binding, perturbation = describe_step(BindingParameters, values), describe_step(PerturbationParameters, values)
        pvalues, missing = PvalueParameters.pick(values), MissingParameters.pick(values)
        return {
            LABEL: describe_population(self, values),
            BINDING: binding,
            "binding_pvalue": pvalues,
            PERTURBATION: perturbation | missing,
            "perturbation_pvalue": pvalues | missing,
            "experiment_hops": binding,
            "background_hops": binding,
            "responsive": ResponseParameters.pick(values),
            "adjusted": {"tf_relationships": perturbation["tf_relationships"]},
        }

    def _make_draw_parameters(self) -> dict[str, Any]:
        """Return the parameters for drawing a block, of the tutorial's or the extended model."""
        numbers = MeanModel.from_spec(self).numbers
        if not self.extends_tutorial:
            return {
                "hops": self.hop_ranges,
                "factors": self.factors,
                "fraction": self.large_effect_percentile,
                "upper": self.large_effect_upper_pval,
                "numbers": numbers,
                "seed": self.seed,
            }
        model = ExtendedModel(
            binding=BindingParameters.extract(self),
            responses=ResponseParameters.extract(self),
            tests_effects=self.tests_effects,
            poisson_pseudocount=self.poisson_pseudocount,
            fraction=self.large_effect_percentile,
            upper=self.large_effect_upper_pval,
            numbers=numbers,
            batch_std=self.batch_std,
            missing=(self.missing_gene_fraction, self.missing_pair_fraction),
        )
        model.make_tables()
        return {"model": model, "seed": self.seed}

    def _simulate_by_steps(self, chunks: Chunks) -> xr.Dataset:
        """Simulate the same dataset step by step, with the dask graph of separate steps."""
        seed = check_seed(self.seed)
        binding = replace(BindingParameters.extract(self), hops=False)  # separate steps do not select extra variables
        perturbation = PerturbationParameters.extract(self)
        of_pvalues, missing = PvalueParameters.extract(self), MissingParameters.extract(self)
        labels = make_labels(PopulationParameters.extract(self), seed, chunks)
        responsive = make_responses(labels, ResponseParameters.extract(self), seed) if self.has_responses else None
        hops = make_hops(labels, binding, seed)
        effect = make_binding_effects(labels, binding, seed)
        response = make_perturbation_effects(labels, effect, perturbation, seed, responsive=responsive)
        if self.tests_effects:
            pvalue = make_binding_tests(hops, binding, of_pvalues, seed)
            response_pvalue = make_perturbation_tests(response, (self.unbound_mean, self.unbound_std), of_pvalues, seed)
        else:
            pvalue = make_pvalues(effect, "binding_pvalue", of_pvalues, seed)
            response_pvalue = make_pvalues(response, "perturbation_pvalue", of_pvalues, seed)
        if self.has_missing:
            response, response_pvalue = (mask_array(array, missing, seed) for array in (response, response_pvalue))
        extras = dict(hops)
        if responsive is not None:
            extras["responsive"] = responsive
        if self.adjusted:
            extras["adjusted"] = make_adjusted(labels, responsive, perturbation)
        arrays = dict(zip(FEATURE_NAMES, [labels, effect, pvalue, response, response_pvalue], strict=True))
        return _combine(arrays | {name: extras[name] for name in self.extras}).assign_attrs(_make_attrs(self))


def check_parameter_names(values: Iterable[str]) -> None:
    """Raise for a name that is neither a parameter of a simulation nor ``preset``."""
    known = [*(field.name for field in fields(SimulationSpec)), PRESET]
    for name in values:
        if name not in known:
            raise InputTypeError(f"{format_value(name)} is not a parameter of a simulation; {suggest(name, known)}")


def fill_parameters(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters completed by a ``preset``, or raise for unknown and missing names."""
    check_parameter_names(values)
    filled = {name: value for name, value in values.items() if name != PRESET}
    if values.get(PRESET) is not None:
        filled = get_preset(values[PRESET]).fill(filled)
    for name, expected in (("genes", "a number or names"), ("bound", "fractions from 0 to 1")):
        if name not in filled:
            raise InputTypeError(f"{name} is missing; expected {expected}, or a preset")
    return filled


def _fill_keywords(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Complete the parameters of a call with a preset, or raise for unknown and missing parameters."""
    bind = signature(function).bind

    @wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        check_parameter_names([name for name in kwargs if name != "chunks"])
        given = bind(*args, **kwargs).arguments
        chunks = given.pop("chunks", None)
        values: dict[str, Any] = {**fill_parameters(given), "chunks": chunks}
        return function(**values)  # type: ignore[call-arg]

    return call


@_fill_keywords
def simulate(
    genes: int | Collection[str] | None = None,
    *,
    bound: float | Collection[float] | Mapping[str, float] | None = None,
    n_sample: int | Collection[int] | None = None,
    tfs: Collection[str] | None = None,
    replicates: int | None = None,
    bound_concentration: float | None = None,
    measurements: int | None = None,
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
    hops: bool = BindingParameters.hops,
    large_effect_percentile: float = PvalueParameters.large_effect_percentile,
    large_effect_upper_pval: float = PvalueParameters.large_effect_upper_pval,
    pvalues: str = PvalueParameters.pvalues,
    poisson_pseudocount: float = PvalueParameters.poisson_pseudocount,
    responsive_fraction: float = ResponseParameters.responsive_fraction,
    indirect_fraction: float = ResponseParameters.indirect_fraction,
    gene_responsiveness: float = ResponseParameters.gene_responsiveness,
    unbound_mean: float = PerturbationParameters.unbound_mean,
    unbound_std: float = PerturbationParameters.unbound_std,
    bound_mean: float = PerturbationParameters.bound_mean,
    bound_std: float = PerturbationParameters.bound_std,
    max_mean_adjustment: float = PerturbationParameters.max_mean_adjustment,
    tf_relationships: Mapping[Any, Any] | None = None,
    positive_fraction: float | Collection[float] = PerturbationParameters.positive_fraction,
    batch_std: float = PerturbationParameters.batch_std,
    adjusted: bool = PerturbationParameters.adjusted,
    missing_gene_fraction: float = MissingParameters.missing_gene_fraction,
    missing_pair_fraction: float = MissingParameters.missing_pair_fraction,
    seed: int | None = None,
    preset: str | None = None,
    chunks: Chunks = None,
) -> xr.Dataset:
    """Simulate binding and perturbation data, with all four steps in one call.

    :class:`yeastxr.SimulationSpec` describes each parameter in full.

    Parameters
    ----------
    genes
        The number of genes, or their names, or ``"yeast"`` for all ORFs of :func:`yeastxr.names.genes`. Required
        without a preset.
    bound, n_sample, tfs, replicates
        Bound fractions (required without a preset), the number of TFs for each, names of the TFs, and the number of
        replicates.
    bound_concentration, measurements
        Concentration of a beta distribution of bound fractions, and the number of measurements of each replicate.
    background_hops_range, unbound_experiment_hops_range, bound_experiment_hops_range
        First and last number of hops.
    total_background_hops, total_experiment_hops, pseudocount
        Total numbers of hops, and a number that keeps the enrichment finite.
    hop_distribution
        ``"uniform"`` or ``"negative_binomial"``.
    background_hops_mean, unbound_experiment_hops_mean, bound_experiment_hops_mean
        Means of negative binomial hops.
    background_hops_dispersion, experiment_hops_dispersion, promoter_dispersion
        Dispersions of hops, and the variance of a factor shared by all hops of a gene.
    hops
        Whether to keep ``experiment_hops`` and ``background_hops``.
    large_effect_percentile, large_effect_upper_pval
        The quantile of ``|effect|`` above which p-values are small, and the upper end of small p-values.
    pvalues, poisson_pseudocount
        ``"tutorial"`` (random) or ``"test"``, and a pseudocount of background hops in binding tests.
    responsive_fraction, indirect_fraction, gene_responsiveness
        Fractions of bound and of unbound pairs that respond, and the correlation of a gene's responses.
    unbound_mean, unbound_std, bound_mean, bound_std
        Means and standard deviations of perturbation effects.
    max_mean_adjustment, tf_relationships
        The largest increase of a bound pair's mean by binding, and the conditions of each TF.
    positive_fraction, batch_std, adjusted
        The fraction of positive effects, the standard deviation of a TF's offset in a measurement, and whether to keep
        ``adjusted``.
    missing_gene_fraction, missing_pair_fraction
        Fractions of genes, and of other pairs, without perturbation effects.
    seed
        An integer in [0, 2**64). By default it is random.
    preset
        A name in :func:`presets`, which supplies omitted parameters: ``"tutorial"`` or ``"yeast"``.
    chunks
        None for NumPy arrays; ``"auto"`` or a dict from dimensions to sizes for lazy dask arrays. The values are
        bit-identical.

    Returns
    -------
    xarray.Dataset
        ``label`` (bool), ``binding_effect``, ``binding_pvalue``, ``perturbation_effect`` and ``perturbation_pvalue``
        (float32) with dims ``([replicate,] [measurement,] gene, tf)``, and optional extra variables:
        ``experiment_hops`` and ``background_hops`` (int32), ``responsive`` and ``adjusted`` (bool). The attributes
        contain the specification, the seed and versions.

    Raises
    ------
    InputError
        If a parameter is invalid. The message states its name, its value and the allowed values.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], n_sample=[1, 2], max_mean_adjustment=10.0, seed=42)
    >>> dict(ds.sizes), int(ds.label.sum())
    ({'gene': 1000, 'tf': 3, 'feature': 5}, 700)
    >>> lazy = yx.simulate(genes=1000, bound=[0.1, 0.3], n_sample=[1, 2], max_mean_adjustment=10.0, seed=42,
    ...                    chunks={"tf": 1})
    >>> lazy.compute().identical(ds)
    True
    >>> yeast = yx.simulate(preset="yeast", genes=1000, tfs=["GAL4", "MIG1"], seed=42)
    >>> yeast.label.sum("gene").values
    array([25, 33])
    """
    spec = SimulationSpec(**{name: value for name, value in locals().items() if name not in (PRESET, "chunks")})
    try:
        return spec.simulate(chunks)
    except MemoryError as error:
        raise MemoryError(f"{error}; simulate with chunks='auto' and save the dataset, or simulate less") from None


def assemble(
    labels: xr.DataArray,
    binding_effect: xr.DataArray,
    binding_pvalue: xr.DataArray,
    perturbation_effect: xr.DataArray,
    perturbation_pvalue: xr.DataArray,
    *,
    hops: xr.Dataset | None = None,
    responsive: xr.DataArray | None = None,
    adjusted: xr.DataArray | None = None,
) -> xr.Dataset:
    """Step 4: combine the five features, and extra variables, in one dataset.

    If the attributes of the arrays describe one simulation with one seed, and it has the same values (for dask: the
    same graph), the dataset gets its specification. It is then identical to the result of :func:`simulate`.

    Parameters
    ----------
    labels, binding_effect, binding_pvalue, perturbation_effect, perturbation_pvalue
        The results of the steps, with dimensions ``(..., gene, tf)`` and the same coordinates; NumPy or dask.
    hops
        The result of :func:`generate_hops`, to keep ``experiment_hops`` and ``background_hops``.
    responsive
        The result of :func:`generate_responses` that the perturbation effects were drawn with.
    adjusted
        The result of :func:`adjusted_pairs`, to keep it.

    Returns
    -------
    xarray.Dataset
        The features and extra variables with dims ``(..., gene, tf)``, and the coordinate ``feature``.

    Raises
    ------
    InputError
        If an array has the wrong dtype or dimensions, or coordinates that differ from those of the labels.

    Examples
    --------
    >>> import yeastxr as yx
    >>> labels = yx.generate_gene_population(100, bound=[0.1, 0.2], seed=42)
    >>> effect = yx.generate_binding_effects(labels, seed=42)
    >>> pvalue = yx.generate_pvalues(effect, seed=42)
    >>> response = yx.generate_perturbation_effects(labels, effect, seed=42)
    >>> ds = yx.assemble(labels, effect, pvalue, response, yx.generate_pvalues(response, seed=42))
    >>> ds.identical(yx.simulate(genes=100, bound=[0.1, 0.2], seed=42))
    True
    """
    if hops is not None and not isinstance(hops, xr.Dataset):
        raise SchemaError(
            f"hops is of type {type(hops).__name__}; expected the xarray.Dataset that generate_hops returns"
        )
    features = [labels, binding_effect, binding_pvalue, perturbation_effect, perturbation_pvalue]
    extras = {} if hops is None else {name: get_feature(hops, name) for name in EXTRA_NAMES[:2]}
    given = [*extras.items(), ("responsive", responsive), ("adjusted", adjusted)]
    arrays = dict(zip(FEATURE_NAMES, features, strict=True)) | {
        name: array for name, array in given if array is not None
    }
    arrays = {name: check_array(array, name).transpose(..., *CORE_DIMS) for name, array in arrays.items()}
    for name, array in arrays.items():
        if array.name in VARIABLE_BY_NAME and array.name != name:
            raise SchemaError(f"{name} is an array with the name {array.name!r}; expected the array of {name}")
    arrays = {name: match_to(array, name, arrays[LABEL], "labels") for name, array in arrays.items()}
    ds = _combine(arrays)
    others = {name: coord for array in arrays.values() for name, coord in array.coords.items() if name not in ds.coords}
    return validate(ds.assign_coords(others).assign_attrs(_find_provenance(ds)))


def _combine(arrays: Mapping[str, xr.DataArray]) -> xr.Dataset:
    """Combine features and extra variables, in order, with the coordinates of the labels."""
    variables = {name: array.variable for name, array in arrays.items()}
    return xr.Dataset(variables, coords=arrays[LABEL].coords | make_feature_coordinate())


def matches_spec(ds: xr.Dataset, spec: SimulationSpec) -> bool:
    """Return whether a dataset has exactly the genes, TFs and replicates of a specification, in order, ignoring values.

    False for a selection, a different order, names, bound fractions or additional dimensions.
    """
    expected = make_template(spec, None)
    if set(list_dims(ds)) != set(expected.dims):
        return False
    for name, coord in expected.coords.items():
        if name not in ds.coords and name == BOUND_FRACTION:
            continue
        if name not in ds.coords or ds.coords[name].dims != coord.dims:
            return False
        if not np.array_equal(np.asarray(ds.coords[name].values), np.asarray(coord.values)):
            return False
    return True


def _make_attrs(spec: SimulationSpec, text: str | None = None) -> dict[str, Any]:
    return {
        SPECIFICATION: text or spec.to_json(),
        "seed": spec.seed,
        "law_version": SCHEME_VERSION,
        "yeastxr_version": __version__,
    }


def _find_provenance(ds: xr.Dataset) -> dict[str, Any]:
    """Return the attributes of the single simulation of all arrays, or an empty dict."""
    made_by: dict[str, Any] = {}
    extras = list_extras(ds)
    kept = {"hops": "experiment_hops" in extras, "adjusted": "adjusted" in extras}
    try:
        for name in (*FEATURE_NAMES, *extras):
            step = dict(json.loads(ds[name].attrs[PARAMETERS]))
            if any(key in made_by and made_by[key] != value for key, value in step.items()):
                return {}
            made_by |= step
        names = {dim + "s": _get_names(ds, dim) for dim in CORE_DIMS}
        made_by |= {key: value for key, value in {**names, **kept}.items() if value}
        spec = SimulationSpec.from_dict(made_by)
    except (KeyError, TypeError, ValueError):
        return {}
    return _make_attrs(spec) if matches_spec(ds, spec) and has_values_of(ds, spec) else {}


def has_values_of(ds: xr.Dataset, spec: SimulationSpec) -> bool:
    """Return whether the simulation of a matching specification has the values, or the dask graph, of a dataset."""
    names = list_variables(ds)
    if names != [*FEATURE_NAMES, *spec.extras]:
        return False
    arrays = [ds[name].variable for name in names]
    if any(array.chunks for array in arrays):
        chunks: Any = ds[LABEL].variable.chunksizes
        tokens = [array.data.name if array.chunks else None for array in arrays]
        return any(
            tokens == [array.data.name for array in make(chunks or "auto").data_vars.values()]
            for make in (spec.simulate, spec._simulate_by_steps)
        )
    equal: list[bool] = []

    def compare(region: Region, planes: list[np.ndarray]) -> None:
        equal.extend(
            np.array_equal(array.values[region], plane, equal_nan=plane.dtype.kind == "f")
            for array, plane in zip(arrays, planes, strict=True)
        )

    expected = spec.simulate(None if ds[LABEL].size <= CHUNK_CELLS else "auto")
    for_each_block([expected[name] for name in names], compare)
    return all(equal)


def _get_names(ds: xr.Dataset, dim: str) -> list[str] | None:
    """Return the names along a dimension, or None if labels are integers."""
    index = ds.indexes[dim]
    return [str(name) for name in index] if index.inferred_type == "string" else None
