"""A whole simulation: its specification, and the dataset it makes."""

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
PRESET = "preset"  # a name in place of parameters that are not given
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
    """Everything that a simulated dataset depends on; checked when it is made, and immutable.

    :meth:`from_preset` makes one of a preset and the parameters that differ from it.

    Parameters
    ----------
    genes
        How many genes, or their names, or ``"yeast"``: all ORFs of :func:`yeastxr.names.genes`.
    bound
        Bound fractions, each in [0, 1]: one, a list, or a dict from names of TFs. A Series or a DataArray with texts
        along it is such a dict; integers along it are no names.
    n_sample
        How many TFs to draw for each bound fraction: a number for all, or a list. By default one each, or for one
        fraction as many as ``tfs`` has names.
    tfs
        The names of the TFs, ``sum(n_sample)`` of them, or ``"yeast"``: all of :func:`yeastxr.names.tfs`. Integers from
        0 by default.
    replicates
        How many independent replicates; none (no such dim) by default.
    bound_concentration
        Draws each TF's bound fraction from a beta distribution, whose mean is its ``bound`` and whose two parameters
        add up to this, from 0.01 to 1e6. By default the fractions are ``bound`` itself.
    measurements
        How many measurements of each replicate, which share its truth: labels, background hops, responses and signs.
        Each has experiment hops and noise of its own. None (no such dim) by default.
    background_hops_range
        First and last number of background hops, at least 0; with 0 a pseudocount is needed.
    unbound_experiment_hops_range, bound_experiment_hops_range
        First and last number of experiment hops of unbound and of bound pairs, at least 0.
    total_background_hops, total_experiment_hops
        The totals that the hops are fractions of, at least 1.
    pseudocount
        Keeps the ratio of hops finite, at least 0.
    hop_distribution
        ``"uniform"`` draws hops from the ranges above, ``"negative_binomial"`` from distributions with the means below.
    background_hops_mean, unbound_experiment_hops_mean, bound_experiment_hops_mean
        Means of negative binomial hops, from 0 to 10,000.
    background_hops_dispersion, experiment_hops_dispersion
        Dispersions d: counts of mean m have the variance ``m + d m^2`` given their gene's factor; 0 is Poisson.
    promoter_dispersion
        Variance of a gamma factor of mean 1, by which the means of all hops of a gene are multiplied: background and
        experiment, of all TFs.
    hops
        Whether to keep the variables ``experiment_hops`` and ``background_hops``.
    large_effect_percentile
        The quantile of ``|effect|``, over the genes of a TF, from which on a p-value is small, in [0, 1].
    large_effect_upper_pval
        The upper end of small p-values, in [0, 1].
    pvalues
        ``"tutorial"`` draws p-values by the rule above. ``"test"`` tests: binding p-values are the probability of at
        least as many experiment hops by a Poisson distribution whose mean the background hops give, perturbation
        p-values that of at least as large an effect by the distribution of unbound pairs.
    poisson_pseudocount
        What is added to the background hops, of which that mean is a multiple, at least 0.
    responsive_fraction, indirect_fraction
        Fractions of bound and of unbound pairs that respond, in [0, 1]. Unless they are 1 and 0, the variable
        ``responsive`` is kept, and decides the perturbation effect in place of the label.
    gene_responsiveness
        The correlation of a gene's responses to different TFs, from 0 to 0.99.
    unbound_mean, bound_mean
        Means of perturbation effects of unbound and of bound pairs, in units of the noise's standard deviation.
    unbound_std, bound_std
        Standard deviations of perturbation effects of unbound and of bound pairs, at least 0.
    max_mean_adjustment
        The increase of the mean of a bound pair that has the largest possible binding effect.
    tf_relationships
        From a TF to a condition, or a list of conditions that must all hold: TFs, ``And``, ``Or``, ``Not``.
    positive_fraction
        The fraction of perturbation effects that are positive, in [0, 1]: one for all TFs, or a list of one for each.
    batch_std
        Standard deviation of an offset that is added to all effects of a TF in a measurement, at least 0.
    adjusted
        Whether to keep the variable ``adjusted``: where a pair responds and its conditions hold.
    missing_gene_fraction, missing_pair_fraction
        Chances that a gene has no perturbation effects, and that another pair has none, in [0, 1]: effect and p-value
        are NaN.
    seed
        An integer in [0, 2**64); drawn by default.

    Raises
    ------
    InputError
        If a parameter is invalid; the message names it, its value and what is allowed.

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
        default=None, metadata=make_help("An integer from 0 to 2**64 - 1; drawn and shown by default.", int)
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_tfs(self.tf_labels)
        if self.tests_effects and self.unbound_std == 0:
            raise InputError(
                "unbound_std is 0 and pvalues is 'test'; expected one above 0, as effects are tested against that noise"
            )
        if self.batch_std and self.measurements is None:
            raise InputError(
                f"batch_std is {self.batch_std:g} without measurements; expected measurements, which have batches"
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
        return hash((self.genes, self.bound, self.n_sample, self.seed))  # enough to tell most apart, and quick

    def to_json(self) -> str:
        """Return the specification as JSON, from which :meth:`from_json` makes an equal one.

        Returns
        -------
        str
            One JSON object: every parameter by its name.
        """
        return join_json(self.write_values())

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make a specification of the values that JSON or YAML hold.

        Parameters
        ----------
        values
            Parameters by name; ``tf_relationships`` as :func:`yeastxr.simulation.relations.to_json` writes it. A
            ``preset`` may stand for those that are left out.

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
        """Make a specification of a preset, and of parameters that take precedence.

        Parameters
        ----------
        preset
            A name in :func:`yeastxr.presets`.
        **values
            Parameters by name, which replace the preset's. ``bound`` and ``tfs`` come with their own number of TFs,
            see :meth:`yeastxr.Preset.fill`.

        Returns
        -------
        SimulationSpec
            The specification, which holds values alone: it is the same after a preset has changed.

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
        """Make a specification of JSON; the inverse of :meth:`to_json`.

        Parameters
        ----------
        text
            One JSON object of parameters by name.

        Returns
        -------
        SimulationSpec
            The specification.

        Raises
        ------
        InputError
            If it is not JSON, a name is unknown, or a value is invalid.
        """
        try:
            values = json.loads(text)
        except (TypeError, ValueError, RecursionError):
            raise InputError(f"the specification is {format_value(text)}; expected JSON") from None
        return cls.from_dict(values)

    def simulate(self, chunks: Chunks = None) -> xr.Dataset:
        """Make the dataset; see :func:`yeastxr.simulate`.

        Parameters
        ----------
        chunks
            None for NumPy; ``"auto"`` or a dict from dims to sizes for dask.

        Returns
        -------
        xarray.Dataset
            The five features, and the extra variables of the specification, with dims
            ``([replicate,] [measurement,] gene, tf)``.
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
        """The names of the extra variables that a dataset of this specification has, in order."""
        wanted = {"responsive": self.has_responses, "adjusted": self.adjusted}
        return [name for name in EXTRA_NAMES if wanted.get(name, self.hops)]

    def _describe_steps(self, values: Mapping[str, str]) -> dict[str, dict[str, str]]:
        """Return the parameters of the step that makes each variable, out of the JSON of each."""
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
        """Return the parameters of the draws of a block: those of the tutorial, or of what extends it."""
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
        """Make the same dataset step by step, with the graph that steps by hand have."""
        seed = check_seed(self.seed)
        binding = replace(BindingParameters.extract(self), hops=False)  # steps by hand don't say what is kept
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
    """Refuse a name that is neither a parameter of a simulation nor ``preset``, naming the nearest."""
    known = [*(field.name for field in fields(SimulationSpec)), PRESET]
    for name in values:
        if name not in known:
            raise InputTypeError(f"{format_value(name)} is not a parameter of a simulation; {suggest(name, known)}")


def fill_parameters(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters by name, where a ``preset`` gives those that are left out; refuse unknown and missing names."""
    check_parameter_names(values)
    filled = {name: value for name, value in values.items() if name != PRESET}
    if values.get(PRESET) is not None:
        filled = get_preset(values[PRESET]).fill(filled)
    for name, expected in (("genes", "a count or names"), ("bound", "fractions from 0 to 1")):
        if name not in filled:
            raise InputTypeError(f"{name} is missing; expected {expected}, or a preset")
    return filled


def _fill_keywords(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Fill in what a preset says and the call does not; refuse unknown and missing parameters, naming the nearest."""
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
    """Simulate binding and perturbation data: the four steps in one call.

    :class:`yeastxr.SimulationSpec` describes each parameter in full.

    Parameters
    ----------
    genes
        How many genes, or their names, or ``"yeast"``: all ORFs of :func:`yeastxr.names.genes`; required without a
        preset.
    bound, n_sample, tfs, replicates
        Bound fractions (required without a preset), how many TFs for each, names of the TFs, and how many replicates.
    bound_concentration, measurements
        Concentration of a beta distribution of bound fractions, and how many measurements of each replicate.
    background_hops_range, unbound_experiment_hops_range, bound_experiment_hops_range
        First and last number of hops.
    total_background_hops, total_experiment_hops, pseudocount
        The totals that the hops are fractions of, and what keeps the ratio of hops finite.
    hop_distribution
        ``"uniform"`` or ``"negative_binomial"``.
    background_hops_mean, unbound_experiment_hops_mean, bound_experiment_hops_mean
        Means of negative binomial hops.
    background_hops_dispersion, experiment_hops_dispersion, promoter_dispersion
        Dispersions of hops, and the variance of a factor that all hops of a gene share.
    hops
        Whether to keep ``experiment_hops`` and ``background_hops``.
    large_effect_percentile, large_effect_upper_pval
        The quantile of ``|effect|`` from which on a p-value is small, and the upper end of small p-values.
    pvalues, poisson_pseudocount
        ``"tutorial"`` (drawn) or ``"test"``, and what is added to the background hops of a binding test.
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
        An integer in [0, 2**64); drawn by default.
    preset
        A name in :func:`presets`, whose parameters hold where none are given here: ``"tutorial"`` or ``"yeast"``.
    chunks
        None for NumPy; ``"auto"`` or a dict from dims to sizes for dask, when nothing is computed yet. The values are
        the same, bit for bit.

    Returns
    -------
    xarray.Dataset
        ``label`` (bool), ``binding_effect``, ``binding_pvalue``, ``perturbation_effect`` and ``perturbation_pvalue``
        (float32) with dims ``([replicate,] [measurement,] gene, tf)``, and extra variables where parameters say so:
        ``experiment_hops`` and ``background_hops`` (int32), ``responsive`` and ``adjusted`` (bool). The attributes hold
        the specification, the seed and versions.

    Raises
    ------
    InputError
        If a parameter is invalid; the message names it, its value and what is allowed.

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
        raise MemoryError(f"{error}; expected a smaller simulation, or chunks='auto' and to save it") from None


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
    """Step 4: put the five features, and extra variables, together into one dataset.

    If the attributes of the arrays describe one simulation with one seed, and simulating that gives these values (for
    dask: this graph), the dataset gets its specification: then it is identical to what :func:`simulate` returns.

    Parameters
    ----------
    labels, binding_effect, binding_pvalue, perturbation_effect, perturbation_pvalue
        The outcomes of the steps, dims ``(..., gene, tf)``, with the same coordinates; NumPy or dask.
    hops
        The outcome of :func:`generate_hops`, to keep ``experiment_hops`` and ``background_hops``.
    responsive
        The outcome of :func:`generate_responses`, which the perturbation effects were drawn with.
    adjusted
        Which pairs respond and have conditions that hold, the outcome of :func:`adjusted_pairs`, to keep it.

    Returns
    -------
    xarray.Dataset
        The features and extra variables with dims ``(..., gene, tf)``, and the coordinate ``feature``.

    Raises
    ------
    InputError
        If an array has the wrong dtype or dims, or coordinates that differ from the labels'.

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
        raise SchemaError(f"hops is of type {type(hops).__name__}; expected the xarray.Dataset of generate_hops")
    features = [labels, binding_effect, binding_pvalue, perturbation_effect, perturbation_pvalue]
    extras = {} if hops is None else {name: get_feature(hops, name) for name in EXTRA_NAMES[:2]}
    given = [*extras.items(), ("responsive", responsive), ("adjusted", adjusted)]
    arrays = dict(zip(FEATURE_NAMES, features, strict=True)) | {
        name: array for name, array in given if array is not None
    }
    arrays = {name: check_array(array, name).transpose(..., *CORE_DIMS) for name, array in arrays.items()}
    for name, array in arrays.items():
        if array.name in VARIABLE_BY_NAME and array.name != name:
            raise SchemaError(f"{name} is an array called {array.name!r}; expected that one in its own place")
    arrays = {name: match_to(array, name, arrays[LABEL], "labels") for name, array in arrays.items()}
    ds = _combine(arrays)
    others = {name: coord for array in arrays.values() for name, coord in array.coords.items() if name not in ds.coords}
    return validate(ds.assign_coords(others).assign_attrs(_find_provenance(ds)))


def _combine(arrays: Mapping[str, xr.DataArray]) -> xr.Dataset:
    """Put features and extra variables together, in order, as variables over the coordinates of the labels."""
    variables = {name: array.variable for name, array in arrays.items()}
    return xr.Dataset(variables, coords=arrays[LABEL].coords | make_feature_coordinate())


def matches_spec(ds: xr.Dataset, spec: SimulationSpec) -> bool:
    """Return whether a dataset has exactly the genes, TFs and replicates of a specification, in order; not the values.

    False for a selection, another order, other names, other bound fractions, or further dimensions.
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
    """Return the attributes of the one simulation that made all arrays of a dataset, or none."""
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
    """Return whether a specification that matches a dataset gives its values, or its dask graph."""
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
    """Return the names along a dim, or None where it has integers."""
    index = ds.indexes[dim]
    return [str(name) for name in index] if index.inferred_type == "string" else None
