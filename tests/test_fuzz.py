"""Whatever the public functions and the command are given, only the package's own errors come out, in one sentence."""

import contextlib
import inspect
import math
import os
import signal
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import yeastxr as yx
from yeastxr import And, Not, Or
from yeastxr.cli import main

DS = yx.simulate(
    genes=[f"g{i}" for i in range(12)], bound=[0.25, 0.5], n_sample=[2, 1], tfs=["GAL4", "MIG1", "ABF1"], replicates=2,
    max_mean_adjustment=2.0, tf_relationships={"GAL4": ["MIG1"]}, seed=1,
)  # fmt: skip
PLAIN = DS.isel(replicate=0, drop=True)
SUMMARY = yx.qc.summarize(PLAIN)
TENSOR = yx.to_torch(PLAIN)


class Odd:
    """An object whose text has two lines."""

    def __repr__(self) -> str:
        return "first line\nsecond line"


# Sizes are small, or so large that they are refused: those between are slow, not wrong.
INTEGERS = st.one_of(st.integers(-3, 14), st.sampled_from([2**32, 2**63, 2**64, -(2**63), 10**400]))
FLOATS = st.one_of(
    st.floats(-2, 12), st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 1e-320, 1e300, -1e300, 0.5])
)
NAMES = st.sampled_from(
    [
        *("GAL4", "MIG1", "g1", "gene", "tf", "feature", "label", "binding_effect", "replicate", "train", "bound", ""),
        *(
            "a\nb",
            "\x00",
            "\u202ex",
            "\ud800",
            "日本",
            "=1+1",
            "x" * 300,
            "%s",
            "{x}",
            "0",
            "1.5",
            "nan",
            "cpu",
            "cuda",
        ),
    ]
)
SCALARS = st.one_of(
    st.none(), st.booleans(), INTEGERS, FLOATS, NAMES, st.binary(max_size=4),
    st.sampled_from([np.int64(3), np.float32(0.5), np.bool_(True), np.str_("GAL4"), np.datetime64("2020-01-01")]),
    st.sampled_from([1j, Odd(), object(), int, len, Ellipsis, slice(1, 3), slice("GAL4", None), range(3)]),
    st.sampled_from([And("GAL4", "MIG1"), Or(0, Not(1)), Not("GAL4")]),
)  # fmt: skip
ARRAYS = st.sampled_from(
    [
        *(np.array(3), np.arange(3), np.zeros((2, 2)), np.array([]), np.array(["a", "b"]), np.array([None, "a"])),
        *(np.full(3, np.nan), pd.Index(["GAL4", "MIG1"]), pd.Series([0.2, 0.3]), pd.Series(["a", "b"])),
        *(pd.DataFrame({"x": [1, 2]}), DS["label"], DS["tf"], DS["bound_fraction"], PLAIN["label"], xr.DataArray(3)),
        *(PLAIN["binding_effect"], PLAIN["binding_effect"].astype("float64"), PLAIN["label"].rename(tf="other")),
        *(DS, PLAIN, SUMMARY, TENSOR, TENSOR[..., 0]),
    ]
)
ANYTHING = st.recursive(
    st.one_of(SCALARS, SCALARS, ARRAYS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.one_of(NAMES, st.integers(0, 4)), inner, max_size=3),
        st.sets(st.one_of(NAMES, st.integers(0, 3)), max_size=3),
        st.lists(inner, min_size=1, max_size=3).map(iter),
    ),
    max_leaves=6,
)


# Datasets that are not what they must be, or not what they were.
CHANGES: dict[str, Callable[[xr.Dataset], xr.Dataset]] = {
    "without a variable": lambda ds: ds.drop_vars("binding_pvalue"),
    "without labels": lambda ds: ds.drop_vars("label"),
    "without a coordinate": lambda ds: ds.drop_vars("tf"),
    "without feature": lambda ds: ds.drop_vars("feature"),
    "other dims": lambda ds: ds.rename(tf="factor"),
    "one TF": lambda ds: ds.sel(tf="GAL4"),
    "one gene": lambda ds: ds.isel(gene=0),
    "one value": lambda ds: ds.isel(gene=0, tf=0),
    "no TFs": lambda ds: ds.isel(tf=[]),
    "no genes": lambda ds: ds.isel(gene=slice(0)),
    "no features": lambda ds: ds.isel(feature=[]),
    "one feature": lambda ds: ds.sel(feature="binding_effect"),
    "features twice": lambda ds: ds.isel(feature=[0, 0]),
    "repeated TFs": lambda ds: ds.isel(tf=[0, 0, 1]),
    "reversed": lambda ds: ds.isel(tf=slice(None, None, -1)),
    "transposed": lambda ds: ds.transpose("tf", "gene", ...),
    "float64": lambda ds: ds.astype("float64"),
    "integers": lambda ds: ds.assign(label=ds["label"].astype(int)),
    "complex": lambda ds: ds.assign(binding_effect=ds["binding_effect"] * 1j),
    "text": lambda ds: ds.assign(binding_effect=ds["binding_effect"].astype(str)),
    "nan": lambda ds: ds.assign(binding_effect=ds["binding_effect"] * np.float32("nan")),
    "infinite": lambda ds: ds.assign(perturbation_effect=ds["perturbation_effect"] * np.float32("inf")),
    "negative": lambda ds: ds.assign(binding_pvalue=-ds["binding_pvalue"]),
    "other values": lambda ds: ds.assign(binding_effect=ds["binding_effect"] + 1),
    "renamed": lambda ds: ds.assign_coords(tf=["A", "B", "C"]),
    "dates": lambda ds: ds.assign_coords(gene=pd.date_range("2020", periods=12)),
    "levels": lambda ds: ds.stack(pair=["gene", "tf"]),
    "levels of genes": lambda ds: ds.assign_coords(
        xr.Coordinates.from_pandas_multiindex(pd.MultiIndex.from_product([["a", "b"], range(6)]), "gene")
    ),
    "mixed labels": lambda ds: ds.assign_coords(tf=np.array(["GAL4", 1, None], dtype=object)),
    "fractional labels": lambda ds: ds.assign_coords(tf=[0.5, 1.5, math.nan]),
    "fixed text": lambda ds: ds.assign_coords(tf=np.array(["GAL4", "MIG1", "ABF1"])),
    "more dims": lambda ds: ds.expand_dims(run=3).assign_coords(run=[1, 2, 3]),
    "dims without labels": lambda ds: ds.expand_dims(run=2),
    "bad specification": lambda ds: ds.assign_attrs(parameters="{"),
    "odd specification": lambda ds: ds.assign_attrs(parameters="[1, 2]", seed="x", specification="{}"),
    "other specification": lambda ds: ds.assign_attrs(specification='{"genes": 5, "bound": [0.1], "seed": 1}'),
    "no attributes": lambda ds: ds.drop_attrs(),
    "odd attributes": lambda ds: ds.assign_attrs(note=Odd(), when=np.datetime64("2020-01-01")),
    "split": lambda ds: ds.yeast.split(seed=1, train=0.5, val=0.25, test=0.25),
    "bad split": lambda ds: ds.assign_coords(split=("gene", np.arange(12))),
    "scalar split": lambda ds: ds.assign_coords(split=3),
    "dask": lambda ds: ds.chunk({"tf": 2, "gene": 5}),
    "partly dask": lambda ds: ds.assign(label=ds["label"].chunk({"tf": 2})),
    "more variables": lambda ds: ds.assign(extra=("gene", [Odd()] * 12)),
    "empty": lambda ds: xr.Dataset(),
}
DATASETS = st.one_of(
    st.just(PLAIN), st.just(DS), st.sampled_from(sorted(CHANGES)).map(lambda change: CHANGES[change](PLAIN)), ANYTHING
)

# Functions with valid arguments, of which some are replaced. What is called in the folder of a test may write there.
ARRAYS_OF_ASSEMBLE = list(inspect.signature(yx.assemble).parameters)
SMALL = {"genes": 12, "bound": [0.25, 0.5], "n_sample": [1, 2], "seed": 1}
TARGETS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "simulate": (yx.simulate, SMALL),
    "SimulationSpec": (yx.SimulationSpec, SMALL),
    "from_dict": (yx.SimulationSpec.from_dict, {"values": SMALL}),
    "sweep": (yx.sweep, {"spec": yx.SimulationSpec(**SMALL), "bound_mean": [1.0, 2.0]}),
    "generate_gene_population": (yx.generate_gene_population, SMALL),
    "generate_hops": (yx.generate_hops, {"labels": PLAIN["label"], "seed": 1}),
    "generate_responses": (yx.generate_responses, {"labels": PLAIN["label"], "indirect_fraction": 0.5, "seed": 1}),
    "mask_missing": (yx.mask_missing, {"array": PLAIN["perturbation_effect"], "missing_pair_fraction": 0.5, "seed": 1}),
    "generate_binding_effects": (yx.generate_binding_effects, {"labels": PLAIN["label"], "seed": 1}),
    "generate_pvalues": (yx.generate_pvalues, {"effect": PLAIN["binding_effect"], "seed": 1}),
    "generate_pvalues, tested": (
        yx.generate_pvalues,
        {
            "effect": PLAIN["binding_effect"],
            "pvalues": "test",
            "hops": yx.generate_hops(PLAIN["label"], seed=1),
            "seed": 1,
        },
    ),
    "generate_perturbation_effects": (
        yx.generate_perturbation_effects,
        {"labels": PLAIN["label"], "binding_effect": PLAIN["binding_effect"], "seed": 1},
    ),
    "assemble": (
        yx.assemble,
        {
            **dict(zip(ARRAYS_OF_ASSEMBLE, PLAIN.data_vars.values(), strict=False)),
            "responsive": PLAIN["label"].rename(None),
        },
    ),
    "adjusted_pairs": (yx.adjusted_pairs, {"labels": PLAIN["label"], "tf_relationships": {"GAL4": ["MIG1"]}}),
    "from_torch": (yx.from_torch, {"tensor": TENSOR}),
    "open": (yx.open, {"store": "sim.zarr"}),
    "verify": (yx.verify, {"store": "sim.zarr"}),
    "extend": (yx.extend, {"store": "sim.zarr", "bound": [0.5]}),
    "qc.merge": (lambda first, second: yx.qc.merge(first, second), {"first": SUMMARY, "second": SUMMARY}),
    "qc.pool": (yx.qc.pool, {"summary": SUMMARY}),
    "qc.histogram_of": (yx.qc.histogram_of, {"summary": SUMMARY, "quantity": "binding_effect"}),
    "theory.distribution": (yx.theory.distribution, {"spec": PLAIN, "feature": "binding_effect"}),
    "theory.expected": (yx.theory.expected, {"spec": PLAIN}),
    "theory.large_fraction": (yx.theory.large_fraction, {"spec": PLAIN, "feature": "binding_effect"}),
    "theory.adjusted_probability": (yx.theory.adjusted_probability, {"spec": PLAIN}),
    "And": (lambda first, second: And(first, second), {"first": "GAL4", "second": "MIG1"}),
    "Or": (lambda first, second: Or(first, second), {"first": "GAL4", "second": "MIG1"}),
    "Not": (lambda term: Not(term), {"term": "GAL4"}),
    "parse_relation": (yx.parse_relation, {"text": "GAL4 & !MIG1", "tfs": ["GAL4", "MIG1"]}),
    "read_relations": (yx.read_relations, {"path": "relations.yaml", "tfs": ["GAL4", "MIG1"]}),
    "from_json": (yx.simulation.relations.from_json, {"value": {"GAL4": ["MIG1"]}, "named": True}),
    "SimulatedBatches": (yx.SimulatedBatches, {"spec": yx.SimulationSpec(**SMALL), "batch_size": 4}),
}
OF_DATASETS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "validate": (yx.validate, {}),
    "rename": (yx.rename, {"to": "standard"}),
    "spec_of": (yx.spec_of, {}),
    "check": (yx.check, {}),
    "to_dataarray": (yx.to_dataarray, {}),
    "to_anndata": (yx.to_anndata, {}),
    "to_dataframe": (yx.to_dataframe, {}),
    "to_torch": (yx.to_torch, {}),
    "xy": (yx.xy, {}),
    "split": (yx.split, {"seed": 1}),
    "Batches": (yx.Batches, {"batch_size": 3}),
    "SampleDataset": (yx.training.SampleDataset, {}),
    "save": (yx.save, {"store": "new.zarr"}),
    "export": (yx.export, {"path": "out.csv"}),
    "qc.summarize": (yx.qc.summarize, {}),
    "qc.histogram": (yx.qc.histogram, {"feature": "binding_effect"}),
    "qc.histogram_2d": (yx.qc.histogram_2d, {}),
    "qc.largest_effects": (lambda ds, feature: yx.qc.largest_effects(ds, feature), {"feature": "binding_effect"}),
    "plot.binding_histogram": (yx.plot.binding_histogram, {}),
    "plot.pvalue_histogram": (yx.plot.pvalue_histogram, {}),
    "plot.binding_vs_perturbation": (yx.plot.binding_vs_perturbation, {}),
    "plot.quantile_quantile": (yx.plot.quantile_quantile, {}),
    "plot.relation_status": (yx.plot.relation_status, {}),
    "plot.relations": (yx.plot.relations, {}),
    "plot.bound_fraction": (yx.plot.bound_fraction, {}),
    "plot.label_map": (yx.plot.label_map, {}),
    "plot.cobinding": (yx.plot.cobinding, {}),
    "plot.compare": (yx.plot.compare, {}),
}


def list_parameters(function: Callable[..., Any], arguments: dict[str, Any]) -> list[str]:
    """Return the names of parameters to replace."""
    listed = inspect.signature(function).parameters.values()
    names = [p.name for p in listed if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return [name for name in {**dict.fromkeys(names), **arguments} if name not in ("progress", "threads")]


@contextlib.contextmanager
def in_folder(folder: Path) -> Iterator[None]:
    """Work in a folder that has a store, and end what takes longer than a minute."""

    def give_up(*_: object) -> None:
        raise AssertionError("it takes longer than a minute")

    before = Path.cwd()
    os.chdir(folder)
    handler = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(60)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)
        os.chdir(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fuzz")
    yx.save(PLAIN, path / "sim.zarr")
    (path / "relations.yaml").write_text("GAL4: GAL4 & !MIG1")
    return path


def try_out(function: Callable[..., Any], arguments: dict[str, Any], folder: Path) -> None:
    """Call a function and use what it returns: it works, or refuses its input in one sentence."""
    with in_folder(folder), warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", module=r"(xarray|pandas|numpy|dask)\.")  # of datasets that are odd themselves
        warnings.filterwarnings("ignore", message=".* names along .* are not in the catalog")
        text = "refused"
        try:
            result = function(**arguments)
            if isinstance(result, xr.Dataset | xr.DataArray):
                result.compute()
            elif isinstance(result, yx.Batches | yx.SimulatedBatches):
                next(iter(result))
            else:
                repr(result)
        except yx.InputError as error:
            text = str(error)
    assert len(text.splitlines()) == 1, text
    assert len(text) < 1000, text


def run_function(data: st.DataObject, folder: Path) -> None:
    """Replace some arguments of some function, and try it out."""
    name = data.draw(st.sampled_from([*TARGETS, *OF_DATASETS]), label="function")
    function, valid = TARGETS[name] if name in TARGETS else OF_DATASETS[name]
    arguments = dict(valid)
    if name in OF_DATASETS:
        arguments["ds"] = data.draw(DATASETS, label="ds")
    names = list_parameters(function, arguments)
    changed = data.draw(st.lists(st.sampled_from(names), unique=True, max_size=2), label="changed") if names else []
    for parameter in changed:
        arguments[parameter] = data.draw(DATASETS if parameter == "ds" else ANYTHING, label=parameter)
    first = (
        "data"
        if name in ("Batches", "SampleDataset", "plot.relations")
        else "datasets"
        if name == "plot.compare"
        else "ds"
    )
    if "ds" in arguments and first != "ds":
        arguments[first] = arguments.pop("ds")
    try_out(function, arguments, folder)


WORDS = st.one_of(
    NAMES.filter(lambda name: name.isprintable() or name == "a\nb"),  # no process is given a NUL
    st.sampled_from(
        [
            *(
                "sim.zarr",
                "new.zarr",
                "missing",
                "-1",
                "0",
                "3",
                "0.5",
                "1e400",
                "1,2",
                "0.1,0.2",
                ",",
                "a,b",
                "@",
                "@x",
            ),
            *("file://", "memory://x", "http://x", "--", "-", "..", "out.csv", "out.npz", "out.html", "spec.yaml"),
        ]
    ),
)


def run_command(data: st.DataObject, folder: Path, commands: list[str]) -> None:
    """Run a command with some arguments and options."""
    name = data.draw(st.sampled_from(commands), label="command")
    parameters = main.commands[name].params
    options = [option for parameter in parameters for option in (*parameter.opts, *parameter.secondary_opts)]
    options = [option for option in options if option.startswith("-") and option not in ("--workers", "--scheduler")]
    new = ["new.zarr", "--genes", "12", "--bound", "0.25"]
    start = {"simulate": new, "sweep": [*new, "--over", "bound_mean=3,5"], "export": ["sim.zarr", "out.npz"]}
    start |= {"extend": ["sim.zarr", "--bound", "0.25"], "plot": ["sim.zarr", "bound_fraction", "-o", "out.svg"]}
    words = data.draw(st.one_of(st.just(start.get(name, ["sim.zarr"])), st.lists(WORDS, max_size=2)), label="arguments")
    for _ in range(data.draw(st.integers(0, 3))):
        words = [*words, data.draw(st.sampled_from(options), label="option"), *data.draw(st.lists(WORDS, max_size=1))]
    if name == "demo":
        words = ["--method", *words[:1]]
    with in_folder(folder), warnings.catch_warnings():
        result = CliRunner().invoke(main, [name, *words])
    assert result.exception is None or isinstance(result.exception, SystemExit), words
    assert result.exit_code in (0, 1, 2), (words, result.output)
    assert "Traceback" not in result.output, words
    errors = result.output.partition("Error: ")[2]
    assert len(errors.strip().splitlines()) <= 1, (words, result.output)


FAST = settings(max_examples=100, suppress_health_check=list(HealthCheck))
SLOW = settings(max_examples=4000, suppress_health_check=list(HealthCheck), derandomize=False)


@FAST
@given(data=st.data())
def test_fuzz__functions(data: st.DataObject, folder: Path) -> None:
    run_function(data, folder)


@FAST
@given(data=st.data())
def test_fuzz__commands(data: st.DataObject, folder: Path) -> None:
    run_command(data, folder, ["check", "export", "extend", "info", "simulate", "split", "sweep", "verify"])


@pytest.mark.slow
@SLOW
@given(data=st.data())
def test_fuzz__functions_at_length(data: st.DataObject, folder: Path) -> None:
    run_function(data, folder)


@pytest.mark.slow
@SLOW
@given(data=st.data())
def test_fuzz__commands_at_length(data: st.DataObject, folder: Path) -> None:
    run_command(data, folder, sorted(main.commands))
