"""Sweeps: labels, methods and variants, which variables get a swept dim, and points that equal their simulations."""

import json
from dataclasses import fields, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import yeastxr as yx
from yeastxr import qc
from yeastxr.schema import BOUND_FRACTION, EXTRA_NAMES, FEATURE_NAMES
from yeastxr.simulation.parameters import FIXED, SOURCES
from yeastxr.simulation.sweeps import METHODS, read_sweep

RELATIONS = {0: [yx.And(1, yx.Or(2, 3))], 2: [1]}
TUTORIAL = yx.SimulationSpec(
    genes=60, bound=[0.2, 0.5], n_sample=[2, 2], max_mean_adjustment=9.0, tf_relationships=RELATIONS, seed=7
)
YEAST = replace(
    TUTORIAL,
    hop_distribution="negative_binomial",
    background_hops_mean=5.0,
    unbound_experiment_hops_mean=1.0,
    bound_experiment_hops_mean=6.0,
    promoter_dispersion=0.4,
    hops=True,
    adjusted=True,
    measurements=2,
    replicates=2,
    responsive_fraction=0.6,
    indirect_fraction=0.2,
)
TESTS = replace(YEAST, pvalues="test")
UNIFORM = replace(TUTORIAL, hops=True, adjusted=True, pvalues="test")
SCALED = {"total_background_hops", "total_experiment_hops"}  # p-values and means may differ by rounding alone

# Two values of each parameter, and the specification in which it is swept.
CASES: dict[str, tuple[yx.SimulationSpec, Any]] = {
    "bound": (YEAST, [[0.2, 0.5], [0.3, 0.4]]),
    "n_sample": (YEAST, [[2, 2], [1, 3]]),
    "bound_concentration": (YEAST, [None, 5.0]),
    "background_hops_range": (UNIFORM, [(1, 100), (2, 50)]),
    "unbound_experiment_hops_range": (UNIFORM, [(0, 1), (0, 9)]),
    "bound_experiment_hops_range": (UNIFORM, [(1, 6), (2, 9)]),
    "total_background_hops": (UNIFORM, [1000, 900]),
    "total_experiment_hops": (UNIFORM, [76, 100]),
    "pseudocount": (UNIFORM, [1e-10, 0.1]),
    "hop_distribution": (UNIFORM, {name: name for name in ("uniform", "negative_binomial")}),
    "background_hops_mean": (TESTS, [5.0, 7.0]),
    "unbound_experiment_hops_mean": (TESTS, [1.0, 2.0]),
    "bound_experiment_hops_mean": (TESTS, [6.0, 8.0]),
    "background_hops_dispersion": (TESTS, [0.0, 0.5]),
    "experiment_hops_dispersion": (TESTS, [0.0, 0.5]),
    "promoter_dispersion": (TESTS, [0.4, 0.0]),
    "large_effect_percentile": (YEAST, [0.9, 0.5]),
    "large_effect_upper_pval": (YEAST, [0.2, 0.1]),
    "pvalues": (YEAST, ["tutorial", "test"]),
    "poisson_pseudocount": (TESTS, [0.1, 0.5]),
    "responsive_fraction": (TESTS, [0.6, 0.9]),
    "indirect_fraction": (TESTS, [0.2, 0.4]),
    "gene_responsiveness": (TESTS, [0.0, 0.5]),
    "unbound_mean": (TESTS, [0.0, 1.0]),
    "unbound_std": (TESTS, [1.0, 2.0]),
    "bound_mean": (TESTS, [3.0, 5.0]),
    "bound_std": (TESTS, [1.0, 2.0]),
    "max_mean_adjustment": (TESTS, [0.0, 5.0]),
    "tf_relationships": (TESTS, {"one": {0: [1]}, "boolean": RELATIONS}),
    "positive_fraction": (YEAST, [0.5, 0.9]),
    "batch_std": (TESTS, [0.0, 0.5]),
    "missing_gene_fraction": (TESTS, [0.0, 0.3]),
    "missing_pair_fraction": (TESTS, [0.0, 0.3]),
    "seed": (YEAST, [1, 2]),
}
MEANS = {
    "hop_distribution": "negative_binomial",
    "background_hops_mean": 5.0,
    "unbound_experiment_hops_mean": 1.0,
    "bound_experiment_hops_mean": 6.0,
}


def sweep_case(name: str) -> tuple[xr.Dataset, list[yx.SimulationSpec]]:
    """Return the sweep of a parameter, in memory, and the specifications of its points."""
    spec, values = CASES[name]
    if name == "hop_distribution":  # with what it needs
        ds = yx.sweep(spec, hops_of={"uniform": {"hop_distribution": "uniform"}, "counts": MEANS}, chunks=None)
        return ds, [spec, replace(spec, **MEANS)]
    listed = values.values() if isinstance(values, dict) else values
    return yx.sweep(spec, **{name: values}, chunks=None), [replace(spec, **{name: value}) for value in listed]


def assert_equal_points(ds: xr.Dataset, points: list[yx.SimulationSpec]) -> None:
    """Assert that the slices of a dataset along its one swept dim equal the simulations of specifications."""
    (dim,) = read_sweep(ds).labels
    for i, spec in enumerate(points):
        point, alone = ds.isel({dim: i}), spec.simulate()
        assert yx.spec_of(point) == spec
        for name in [*alone.data_vars, BOUND_FRACTION]:
            xr.testing.assert_equal(point[name].drop_vars(dim, errors="ignore").compute(), alone[name])


@pytest.mark.parametrize("name", [field.name for field in fields(yx.SimulationSpec)])
def test_sweep__a_variable_has_the_dims_of_what_changes_it(name: str) -> None:
    assert (name in CASES) != (name in FIXED), "a new parameter is swept here, or the same in all points"
    if name in FIXED:
        with pytest.raises(yx.InputError, match=f"a sweep over '{name}' is not possible, because all points"):
            yx.sweep(TUTORIAL, way={"one": {name: 1}, "two": {name: 2}})
        return
    assert any(name in sources for sources in SOURCES.values())
    ds, points = sweep_case(name)
    assert_equal_points(ds, points)
    (dim,) = read_sweep(ds).labels
    one, other = (point.simulate() for point in points)
    arrays = [array for array in (*FEATURE_NAMES, *EXTRA_NAMES, BOUND_FRACTION) if array in one.variables]
    changed = {array for array in arrays if not one[array].variable.equals(other[array].variable)}
    swept = {array for array in arrays if dim in ds[array].dims}
    assert changed <= swept
    assert changed == swept or name in SCALED


def test_sweep__what_no_point_uses_is_no_dependency() -> None:
    spec = replace(UNIFORM, max_mean_adjustment=0.0)
    ds = yx.sweep(spec, bound_experiment_hops_range=[(1, 6), (2, 9)])
    assert "bound_experiment_hops_range" not in ds["perturbation_effect"].dims
    assert ds["bound_experiment_hops_range"].values.tolist() == ["1-6", "2-9"]
    assert yx.sweep(UNIFORM, max_mean_adjustment=[0.0], pseudocount=[1e-10, 1e-3])["perturbation_effect"].dims[:-2] == (
        "max_mean_adjustment",
    )


def test_sweep__each_point_equals_its_simulation() -> None:
    ds = yx.sweep(
        TUTORIAL, bound_mean=[3, 5.0], pseudocount=[1e-10, 1.0], large_effect_percentile=[0.9, 0.5], replicates=2
    )
    assert ds["label"].dims == ("replicate", "gene", "tf")
    assert ds["binding_pvalue"].dims == ("pseudocount", "large_effect_percentile", "replicate", "gene", "tf")
    assert ds["perturbation_pvalue"].dims[:3] == ("bound_mean", "pseudocount", "large_effect_percentile")
    assert all(array.chunks for array in ds.data_vars.values())
    assert yx.spec_of(ds) is None
    assert yx.spec_of(ds.sel(bound_mean=3)) is None
    loaded = ds.compute()
    for mean, pseudocount, percentile in np.ndindex(2, 2, 2):
        point = loaded.isel(bound_mean=mean, pseudocount=pseudocount, large_effect_percentile=percentile)
        spec = yx.spec_of(point)
        assert (spec.bound_mean, spec.pseudocount) == ([3.0, 5.0][mean], [1e-10, 1.0][pseudocount])
        alone = spec.simulate()
        for name in FEATURE_NAMES:
            np.testing.assert_array_equal(point[name].values, alone[name].values)
    assert yx.spec_of(point.assign_coords(bound_mean=4.0)) is None
    assert yx.spec_of(point.drop_vars("bound_mean")) is None
    xr.testing.assert_identical(
        yx.sweep(
            TUTORIAL,
            bound_mean=[3, 5.0],
            pseudocount=[1e-10, 1.0],
            large_effect_percentile=[0.9, 0.5],
            replicates=2,
            chunks={"gene": 20, "bound_mean": 2},
        ).compute(),
        loaded,
    )


def test_sweep__methods_by_name() -> None:
    ds = yx.sweep(TUTORIAL, method=list(METHODS), chunks=None)
    assert ds["perturbation_effect"].dims == ("method", "gene", "tf")
    assert ds["binding_pvalue"].dims == ("gene", "tf")
    plain = {0: (1, 2, 3), 2: (1,)}
    expected = [
        replace(TUTORIAL, max_mean_adjustment=0.0, tf_relationships=None),
        replace(TUTORIAL, tf_relationships=None),
        replace(TUTORIAL, tf_relationships=plain),
        TUTORIAL,
    ]
    assert_equal_points(ds, expected)
    given = {
        "binding": {"max_mean_adjustment": 2.0},
        "related": {"tf_relationships": {0: [3]}},
        "wide": {"bound_std": 2},
    }
    ds = yx.sweep(TUTORIAL, method=given)
    assert_equal_points(
        ds,
        [
            replace(TUTORIAL, max_mean_adjustment=2.0, tf_relationships=None),
            replace(TUTORIAL, tf_relationships={0: [3]}),
            replace(TUTORIAL, bound_std=2.0),
        ],
    )


def test_sweep__labels() -> None:
    spec = replace(TUTORIAL, tf_relationships=None)
    both = {"weak": {"bound_mean": 1.0}, "strong": {"bound_mean": 5, "bound_std": 2}}
    ds = yx.sweep(spec, response=both, bound={"low": [0.1, 0.2], "high": [0.5, 0.6]})
    assert ds["response"].values.tolist() == ["weak", "strong"]
    assert ds["bound_fraction"].dims == ("bound", "tf")
    point = yx.spec_of(ds.sel(response="strong", bound="low"))
    assert (point.bound_mean, point.bound_std, point.bound) == (5.0, 2.0, (0.1, 0.2))
    again = yx.sweep(spec, bound_concentration=[None, 10], positive_fraction=[0.5, (0.1, 0.2, 0.3, 0.4)])
    assert again["bound_concentration"].values.tolist() == ["none", "10"]
    assert again["positive_fraction"].values.tolist() == ["0.5", "0.1, 0.2, 0.3, 0.4"]
    assert "seed" not in yx.sweep(spec, seed=[1, 2]).attrs
    sweep = read_sweep(ds)
    assert type(sweep).from_json(json.dumps(json.loads(ds.attrs["sweep"]))) == sweep


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"bound_meen": [1.0]}, "a sweep over 'bound_meen' is not possible; did you mean 'bound_mean'"),
        ({"methods": ["none"]}, "did you mean 'method'"),
        ({"bound_mean": 3.0}, "bound_mean is 3.0; expected a list of values to sweep over"),
        ({"bound_mean": []}, "bound_mean is empty; expected at least one value"),
        ({"bound_mean": [3, 3.0]}, "bound_mean has 3.0 more than once"),
        ({"n_sample": [[2, 2], [2, 3]]}, "n_sample has points with 4 and with 5 TFs"),
        ({"tf_relationships": [{0: [1]}, None]}, "tf_relationships has a value without a short label"),
        ({"tf_relationships": {}}, "tf_relationships is empty; expected at least one label"),
        ({"bound_mean": {"a": 1, 2: 2}}, "bound_mean has the labels .*; expected only strings or only numbers"),
        ({"method": ["linear"]}, "unknown method 'linear'; expected one of 'none', 'binding'"),
        ({"method": {"none": {"max_mean_adjustment": 1}}}, "max_mean_adjustment of method 'none' is 1; expected 0"),
        ({"method": {"binding": {"tf_relationships": {0: [1]}}}}, "method 'binding' does not use tf_relationships"),
        ({"way": {"a": {"bound_meen": 1}}}, "'bound_meen' is not a parameter of a simulation"),
        ({"way": {"a": 1}}, r"way\['a'\] is 1; expected a dict from parameters to values"),
        ({"way": {"a": {"genes": 5}}}, "a sweep over 'genes' is not possible"),
        ({"way": {"a": {"bound_mean": 1}}, "bound_mean": [2]}, "both way and bound_mean change bound_mean"),
        ({"label": {"a": {"bound_mean": 1}}}, "a sweep over 'label' is not possible, because datasets use this name"),
        ({"way": {"a": {"preset": "yeast"}}}, r"way\['a'\] can't have a preset; pass it to SimulationSpec.from"),
        ({"": {"a": {"bound_mean": 1}}}, "a sweep over '' is not possible; expected a name of printable"),
        ({"a/b": {"a": {"bound_mean": 1}}}, "a sweep over 'a/b' is not possible; expected a name of printable"),
        ({" a": {"a": {"bound_mean": 1}}}, "a sweep over ' a' is not possible; expected a name of printable"),
        ({"bound_mean": {-1: 1, 2**63: 2}}, "which neither int64, uint64 nor float64 represents"),
        ({"bound_mean": {0.5: 1, 2**53 + 1: 2}}, "which neither int64, uint64 nor float64 represents"),
        (
            {"bound_mean": [3], "chunks": {"bound_mean": 0}},
            r"chunks\['bound_mean'\] is 0; expected a chunk size from 1",
        ),
        ({"bound_mean": [3], "chunks": {"bound_mean": "x"}}, r"chunks\['bound_mean'\] is 'x'; expected a chunk size"),
        (
            {"bound_mean": [3], "chunks": {"way": 1}},
            "dimension 'way'; expected one of 'bound_mean', 'gene",
        ),
    ],
)
def test_sweep__refuses(values: dict[str, Any], message: str) -> None:
    with pytest.raises(yx.InputError, match=message):
        yx.sweep(TUTORIAL, **values)


def test_sweep__integer_labels_are_exact(tmp_path: Path) -> None:
    seeds = [1, 2**63 - 1, 2**63, 2**64 - 1]
    spec = yx.SimulationSpec(genes=5, bound=[0.5], seed=1)
    ds = yx.open(yx.save(yx.sweep(spec, seed=seeds), tmp_path / "sweep.zarr"))
    assert ds["seed"].dtype == np.uint64
    assert ds["seed"].values.tolist() == seeds
    assert [yx.spec_of(ds.sel(seed=seed)).seed for seed in seeds] == seeds
    assert yx.sweep(spec, seed=seeds[:2])["seed"].dtype == np.int64


def test_sweep__chunks_of_its_dims() -> None:
    grid = {"bound_mean": [3.0, 4.0, 5.0], "bound_std": [1.0, 2.0]}
    chunks = {"bound_mean": 2, "bound_std": "auto", "gene": 20}
    ds = yx.sweep(TUTORIAL, **grid, chunks=chunks)
    assert ds["perturbation_effect"].chunks == ((2, 1), (1, 1), (20, 20, 20), (4,))
    more = {"a": {"bound": [0.5] * 6, "n_sample": [1] * 6}}  # more TFs than the specification has
    larger = yx.sweep(TUTORIAL, population=more, chunks={"tf": (2, 4)})
    assert larger["label"].chunks[-1] == (2, 4)


def test_sweep__distributions_of_hops_as_variants() -> None:
    spec = yx.SimulationSpec.from_preset("yeast", genes=20, n_sample=1, seed=1)
    means = [f"{kind}_hops_mean" for kind in ("background", "unbound_experiment", "bound_experiment")]
    others = [f"{kind}_dispersion" for kind in ("background_hops", "experiment_hops", "promoter")]
    uniform = {"hop_distribution": "uniform", **dict.fromkeys(means), **dict.fromkeys(others, 0.0)}
    ds = yx.sweep(spec, hops_of={"uniform": uniform, "preset": {}})
    assert [yx.spec_of(ds.isel(hops_of=i)) for i in range(2)] == [replace(spec, **uniform), spec]
    with pytest.raises(yx.InputError, match="or variants with all parameters"):
        yx.sweep(spec, hop_distribution=["uniform", "negative_binomial"])


def test_sweep__refuses_methods_that_the_specification_lacks() -> None:
    plain = yx.SimulationSpec(genes=9, bound=[0.5, 0.5], seed=1)
    with pytest.raises(
        yx.InputError, match="method 'boolean' needs tf_relationships, which the specification does not have"
    ):
        yx.sweep(plain, method=["none", "boolean"])
    with pytest.raises(
        yx.InputError, match=r"max_mean_adjustment of method 'binding' is 0\.0; expected a number other than 0"
    ):
        yx.sweep(plain, method=["binding"])
    with pytest.raises(yx.InputError, match="method 'related' can't use the conditions of TF 0, which contain Not"):
        yx.sweep(replace(plain, tf_relationships={0: [yx.And(1, yx.Not(1))]}), method=["related"])


def test_sweep__the_last_section_of_the_tutorial() -> None:
    population = {"genes": 1000, "bound": [0.1, 0.15, 0.2, 0.25, 0.3], "n_sample": [1, 1, 2, 2, 4], "seed": 42}
    adjustments, means = [0.1, 3.0, 10.0], [3.0, 5.0, 10.0]
    swept = yx.sweep(yx.SimulationSpec(**population), max_mean_adjustment=adjustments, bound_mean=means).compute()
    assert [name for name in swept.data_vars if swept[name].ndim == 2] == list(FEATURE_NAMES[:3])
    for adjustment, mean in product(adjustments, means):
        point = swept.sel(max_mean_adjustment=adjustment, bound_mean=mean)
        alone = yx.simulate(**population, max_mean_adjustment=adjustment, bound_mean=mean)
        assert point.yeast.spec == alone.yeast.spec
        for name in FEATURE_NAMES:
            np.testing.assert_array_equal(point[name].values, alone[name].values)


@pytest.mark.parametrize("chunks", [None, "auto"], ids=["numpy", "dask"])
def test_sweep__what_reads_it_repeats_variables_along_the_dims_that_they_lack(chunks: Any) -> None:
    ds = yx.sweep(TUTORIAL, method=list(METHODS), pseudocount=[1e-10, 1.0], chunks=chunks)
    arrays = xr.broadcast(*(ds[name] for name in FEATURE_NAMES))
    full = xr.Dataset(dict(zip(FEATURE_NAMES, arrays, strict=True)), ds.coords, ds.attrs)
    full = full.transpose("method", "pseudocount", "gene", "tf", "feature").compute()
    assert yx.validate(ds) is ds
    assert ds.yeast.to_torch().shape == (4, 2, 60, 4, 5)
    assert (ds.yeast.to_torch() == full.yeast.to_torch()).all()
    xr.testing.assert_equal(ds.yeast.to_dataarray().compute(), full.yeast.to_dataarray())
    assert ds.yeast.to_dataframe().equals(full.yeast.to_dataframe())
    xr.testing.assert_equal(qc.summarize(ds).compute(), qc.summarize(full))
    assert "status_mean" not in qc.summarize(ds)  # each point has relations of its own
    areas = [data.yeast.analysis.curves() for data in (ds, full)]
    xr.testing.assert_allclose(areas[0].compute(), areas[1].compute())
    assert (yx.split(ds, by="method", test=0.25, val=0.25, seed=1).split == "train").sum() == 2
    batches = [list(data.yeast.batches(100, x=["label", "perturbation_effect"])) for data in (ds, full)]
    assert all((one == other).all() for pairs in zip(*batches, strict=True) for one, other in zip(*pairs, strict=True))
    assert yx.check(ds).passed
    assert not yx.check(ds.assign(label=~ds.label)).passed
