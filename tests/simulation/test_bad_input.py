"""Bad input is refused before any work, in one sentence that names the argument, the value and what is allowed."""

import datetime
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import yeastxr as yx
from yeastxr import And, Not, Or
from yeastxr.errors import format_value

NAN = float("nan")
INF = float("inf")


@pytest.mark.parametrize(
    ("change", "name", "value", "allowed"),
    [
        ({"genes": 0}, "genes", "0", "an integer from 1"),
        ({"genes": -1}, "genes", "-1", "an integer from 1"),
        ({"genes": 1.5}, "genes", "1.5", "an integer from 1"),
        ({"genes": True}, "genes", "True", "an integer from 1"),
        ({"genes": "5"}, "genes", "'5'", "an integer from 1"),
        ({"genes": NAN}, "genes", "nan", "an integer from 1"),
        ({"genes": 2**32}, "genes", "4294967296", "an integer from 1"),
        ({"genes": []}, "genes", "empty", "at least one name"),
        ({"genes": ["a", "b", "a"]}, "genes", "'a' more than once", "unique names"),
        ({"genes": ["a", 3]}, "genes", "3", "expected strings"),
        ({"genes": ["\ud800"]}, "genes", "'\\ud800'", "Unicode"),
        ({"bound": [0.1, 1.01]}, "bound[1]", "1.01", "from 0 to 1"),
        ({"bound": [-0.1, 0.1]}, "bound[0]", "-0.1", "from 0 to 1"),
        ({"bound": [NAN, 0.1]}, "bound[0]", "nan", "from 0 to 1"),
        ({"bound": ["0.1", 0.1]}, "bound[0]", "'0.1'", "from 0 to 1"),
        ({"bound": 1.1}, "bound[0]", "1.1", "from 0 to 1"),
        ({"bound": "0.1"}, "bound", "'0.1'", "a list of"),
        ({"bound": [[0.1], [0.2]]}, "bound[0]", "[0.1]", "from 0 to 1"),
        ({"bound": np.ones((2, 2))}, "bound", "[[1., 1.], [1., 1.]]", "a list of"),
        ({"bound": 10**400}, "bound[0]", "1000", "from 0 to 1"),
        ({"bound": {}}, "bound", "empty", "at least one name"),
        ({"bound": {"GAL4": 2}}, "bound[0]", "2", "from 0 to 1"),
        ({"bound": {0: 0.5}}, "bound", "0", "expected strings"),
        ({"bound": {"GAL4": 0.5}, "tfs": ["MIG1"]}, "tfs", "both name TFs", "only one"),
        ({"bound": {"GAL4": 0.5}, "n_sample": 2}, "bound", "names 1 TFs", "expected 2"),
        ({"genes": 10**5000}, "genes", "an integer of about 5,000 digits", "an integer from 1"),
        ({"genes": pd.Series([1, 2])}, "genes", "1", "expected strings"),
        ({"genes": pd.DataFrame({"a": ["x"]})}, "genes", "x", "a list of unique names"),
        ({"genes": datetime.date(2020, 1, 1)}, "genes", "2020", "an integer from 1"),
        ({"tfs": [datetime.date(2020, 1, 1), "b"]}, "tfs", "2020", "expected strings"),
        ({"bound": []}, "bound", "empty", "at least one fraction"),
        ({"n_sample": [1]}, "n_sample", "1 entries and bound has 2", "one count for each"),
        ({"n_sample": [1, 0]}, "n_sample[1]", "0", "an integer from 1"),
        ({"n_sample": [-3, 1]}, "n_sample[0]", "-3", "an integer from 1"),
        ({"n_sample": [1.5, 1]}, "n_sample[0]", "1.5", "an integer from 1"),
        ({"n_sample": {1, 2}}, "n_sample", "a set", "a list of"),
        ({"tfs": ["a", "a"]}, "tfs", "'a' more than once", "unique"),
        ({"tfs": ["a", "b", "c"]}, "tfs", "3 names", "expected 2"),
        ({"tfs": "ab"}, "tfs", "'ab'", "a list of unique names"),
        ({"tfs": range(10**30)}, "tfs", "range(0, 1000", "a list of unique names, of at most 10,000,000"),
        ({"bound": range(10**9)}, "bound", "range(0, 1000000000)", "of at most 10,000,000"),
        ({"replicates": 0}, "replicates", "0", "an integer from 1"),
        ({"replicates": 1.0}, "replicates", "1.0", "an integer from 1"),
        ({"background_hops_range": (5, 1)}, "background_hops_range", "(5, 1)", "0 <= first <= last"),
        ({"background_hops_range": (0, 5), "pseudocount": 0}, "pseudocount", "0", "one of them above 0"),
        ({"background_hops_range": 5}, "background_hops_range", "5", "two integers"),
        ({"background_hops_range": (1, 2, 3)}, "background_hops_range", "(1, 2, 3)", "two integers"),
        ({"unbound_experiment_hops_range": (-1, 2)}, "unbound_experiment_hops_range", "(-1, 2)", "0 <= first"),
        ({"bound_experiment_hops_range": (1.0, 2)}, "bound_experiment_hops_range", "(1.0, 2)", "two integers"),
        ({"bound_experiment_hops_range": (1, 2**31)}, "bound_experiment_hops_range", "2147483648", "2**31"),
        ({"total_background_hops": 0}, "total_background_hops", "0", "an integer from 1"),
        ({"total_experiment_hops": 1.5}, "total_experiment_hops", "1.5", "an integer from 1"),
        ({"pseudocount": -1e-9}, "pseudocount", "-1e-09", "at least 0"),
        ({"large_effect_percentile": 1.1}, "large_effect_percentile", "1.1", "from 0 to 1"),
        ({"large_effect_percentile": -0.1}, "large_effect_percentile", "-0.1", "from 0 to 1"),
        ({"large_effect_upper_pval": NAN}, "large_effect_upper_pval", "nan", "from 0 to 1"),
        ({"unbound_std": -1}, "unbound_std", "-1", "at least 0"),
        ({"bound_std": NAN}, "bound_std", "nan", "at least 0"),
        ({"bound_std": INF}, "bound_std", "inf", "at least 0"),
        ({"bound_mean": NAN}, "bound_mean", "nan", "a finite number"),
        ({"unbound_mean": "3"}, "unbound_mean", "'3'", "a finite number"),
        ({"max_mean_adjustment": INF}, "max_mean_adjustment", "inf", "a finite number"),
        ({"tf_relationships": {0: [7]}}, "tf_relationships[0]", "7", "expected one of 0, 1"),
        ({"tf_relationships": {7: [0]}}, "tf_relationships", "7", "expected one of 0, 1"),
        ({"tf_relationships": {0: [And(1, Or(1, 9))]}}, "tf_relationships[0]", "9", "expected one of 0, 1"),
        ({"tf_relationships": {0: True}}, "tf_relationships[0]", "True", "a TF, And, Or, Not"),
        ({"tf_relationships": {0: {"or": [0, 1]}}}, "tf_relationships[0]", "{'or': [0, 1]}", "or a list of them"),
        ({"tf_relationships": {0: b"1"}}, "tf_relationships[0]", "b'1'", "a TF, And, Or, Not"),
        ({"tf_relationships": {0: 7}}, "tf_relationships[0]", "7", "expected one of 0, 1"),
        ({"tf_relationships": {0: range(10**12)}}, "tf_relationships[0]", "1,000,000,000,000 terms", "100,000"),
        ({"tf_relationships": {0: [1.5]}}, "tf_relationships[0]", "1.5", "the label of a TF"),
        ({"tf_relationships": {0: [True]}}, "tf_relationships[0]", "True", "the label of a TF"),
        ({"tf_relationships": [0]}, "tf_relationships", "[0]", "a dict"),
        (
            {"tfs": ["GAL4", "MIG1"], "tf_relationships": {"GAL4": ["MGI1"]}},
            "tf_relationships['GAL4']",
            "'MGI1'",
            "did you mean 'MIG1'",
        ),
        ({"pseudocount": 10**400}, "pseudocount", "1000", "a finite number"),
        ({"background_hops_range": (0, 5), "pseudocount": 1e-60}, "pseudocount", "1e-60", "float32"),
        ({"background_hops_range": (0, 5), "pseudocount": 5e-324}, "pseudocount", "inf", "float32"),
        ({"total_background_hops": 10**400}, "total_background_hops", "1000", "an integer from 1"),
        ({"bound_mean": 1e39}, "bound_mean", "1e+39", "float32"),
        ({"unbound_mean": -1e308, "bound_mean": 1e308}, "unbound_mean", "-1e+308", "float32"),
        ({"bound_std": 1e38}, "bound_std", "1e+38", "float32"),
        ({"max_mean_adjustment": -1e39}, "max_mean_adjustment", "-1e+39", "float32"),
        ({"seed": -1}, "seed", "-1", "from 0 to 2**64 - 1"),
        ({"seed": 2**64}, "seed", "18446744073709551616", "from 0 to 2**64 - 1"),
        ({"seed": 1.0}, "seed", "1.0", "from 0 to 2**64 - 1"),
        ({"seed": True}, "seed", "True", "from 0 to 2**64 - 1"),
        ({"chunks": 5}, "chunks", "5", "'auto' or a dict"),
        ({"chunks": {"genes": 5}}, "chunks", "'genes'", "did you mean 'gene'"),
        ({"chunks": {"gene": 0}}, "chunks['gene']", "0", "from 1"),
        ({"chunks": {"gene": (3, 4)}}, "chunks['gene']", "(3, 4)", "add up to 50"),
        ({"chunks": {"tf": 1.5}}, "chunks['tf']", "1.5", "from 1"),
        ({"bound_meen": 3.0}, "'bound_meen'", "", "did you mean 'bound_mean'"),
    ],
    ids=format_value,
)
def test_simulate__refused(change: dict[str, object], name: str, value: str, allowed: str) -> None:
    with pytest.raises(yx.InputError) as caught:
        yx.simulate(**{"genes": 50, "bound": [0.1, 0.2], **change})
    message = str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert name in message
    assert value in message
    assert allowed in message
    assert "\n" not in message


@pytest.mark.parametrize("kind", [And, Or, Not])
def test_relations__empty_or_of_the_wrong_type(kind: type) -> None:
    with pytest.raises(yx.InputError, match=rf"{kind.__name__}\(\) is empty; expected at least one TF"):
        kind()
    with pytest.raises(yx.InputError, match=rf"{kind.__name__}\(\) contains \[1\]; expected the label of a TF"):
        kind([1])


def test_relations__not_takes_one() -> None:
    with pytest.raises(yx.InputError, match=r"Not\(\) has 2 entries; expected one"):
        Not(1, 2)


def test_relations__nested_too_deep() -> None:
    entry: object = 0
    for _ in range(100):
        entry = Not(entry)
    with pytest.raises(yx.InputError, match="more than 100 levels"):
        Not(entry)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"genes": 5}', '{"genes": 5, "bound": [0.1], "x": 1}', None])
def test_spec__not_json_of_one(text: str) -> None:
    with pytest.raises(yx.InputError):
        yx.SimulationSpec.from_json(text)


def test_steps__arrays_of_the_wrong_kind() -> None:
    labels = yx.generate_gene_population(20, bound=[0.5], n_sample=[2], seed=1)
    effect = yx.generate_binding_effects(labels, seed=1)
    for bad, message in [
        (labels.values, "labels is of type ndarray; expected an xarray.DataArray"),
        (labels.astype(int), "labels has dtype int64; expected bool"),
        (labels.rename(tf="tfs"), "labels has no dimension 'tf'"),
        (labels.drop_vars("gene"), "labels has no index coordinate 'gene'"),
        (labels.assign_coords(tf=[1, 1]), "labels has the tf 1 more than once"),
        (labels.isel(gene=[]), "labels has length 0 along 'gene'"),
    ]:
        with pytest.raises(yx.SchemaError, match=message):
            yx.generate_binding_effects(bad)
    for bad, message in [
        (effect.astype("float64"), "binding_effect has dtype float64; expected float32"),
        (effect.isel(gene=slice(5)), "has length 5 along 'gene'; expected 20"),
        (effect.assign_coords(tf=[5, 6]), "different labels along 'tf'"),
    ]:
        with pytest.raises(yx.SchemaError, match=message):
            yx.generate_perturbation_effects(labels, bad)
    for largest in (0, -1, NAN):
        with pytest.raises(yx.InputError, match="largest_binding_effect is"):
            yx.generate_perturbation_effects(labels, effect, largest_binding_effect=largest)


def test_threads__environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YEASTXR_THREADS", "many")
    with pytest.raises(yx.InputError, match="YEASTXR_THREADS is 'many'; expected a positive integer"):
        yx.simulate(genes=5, bound=[0.5])


def test_import__loads_nothing_heavy() -> None:
    heavy = ["torch", "holoviews", "bokeh", "numba", "matplotlib", "distributed", "panel", "scipy", "dask.array"]
    code = (
        "import sys, yeastxr as yx\n"
        "try: yx.simulate(genes=0, bound=[0.1])\n"
        "except yx.InputError: pass\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_numpy_scalars__are_as_good_as_pythons() -> None:
    spec = yx.SimulationSpec(
        genes=np.int64(5),
        bound=np.array([0.2, 0.4]),
        n_sample=np.array([1, 2]),
        seed=np.uint64(2**64 - 1),
        tf_relationships={np.int64(0): [np.int64(1), And(np.int32(2))]},
    )
    assert yx.SimulationSpec.from_json(spec.to_json()) == spec
    assert spec.tf_relationships == {0: (1, And(2))}


def test_sweep__refuses_what_is_no_specification() -> None:
    ds = yx.simulate(genes=10, bound=[0.5], seed=1)
    with pytest.raises(
        yx.InputError, match=r"spec is of type Dataset; expected a SimulationSpec, such as ds\.yeast\.spec"
    ):
        yx.sweep(ds, bound_mean=[1.0, 2.0])
