"""Inputs in the forms that a notebook has: one number, NumPy, pandas, xarray, dicts; and what is too large."""

import json
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import reduce

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import yeastxr as yx
from yeastxr import And, Not, Or
from yeastxr.errors import format_value
from yeastxr.simulation.sweeps import read_specs

FORMS: dict[str, Callable[[list], object]] = {
    "tuple": tuple,
    "dict view": lambda values: dict.fromkeys(values).keys() if len(set(values)) == len(values) else tuple(values),
    "array": np.array,
    "object array": lambda values: np.array(values, object),
    "Index": pd.Index,
    "Series": pd.Series,
    "Series with an index": lambda values: pd.Series(values, index=[f"row {i}" for i in range(len(values))]),
    "DataArray": lambda values: xr.DataArray(values, dims="x"),
}
TEXT_FORMS = FORMS | {
    "variable-width text": lambda values: np.array(values, np.dtypes.StringDType()),
    "pandas text": lambda values: pd.Series(values, dtype="string"),
    "Categorical": pd.Categorical,
}


@pytest.mark.parametrize("form", TEXT_FORMS.values(), ids=TEXT_FORMS.keys())
def test_names__from_any_list(form: Callable[[list], Collection]) -> None:
    genes, tfs = ["YAL001C", "YBR020W", "ü"], ["GAL4", "MIG1"]
    expected = yx.SimulationSpec(genes=genes, tfs=tfs, bound=[0.5, 0.5], seed=1)
    assert yx.SimulationSpec(genes=form(genes), tfs=form(tfs), bound=[0.5, 0.5], seed=1) == expected
    assert yx.SimulationSpec.from_json(expected.to_json()) == expected


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_numbers__from_any_list(form: Callable[[list], Collection]) -> None:
    bound = (
        [0.25, 0.5] if form is FORMS["Series with an index"] else form([0.25, 0.5])
    )  # names along it are those of TFs
    expected = yx.SimulationSpec(
        genes=5, bound=[0.25, 0.5], n_sample=[1, 2], bound_experiment_hops_range=(2, 5), seed=1
    )
    found = yx.SimulationSpec(
        genes=5, bound=bound, n_sample=form([1, 2]), bound_experiment_hops_range=form([2, 5]), seed=1
    )
    assert found == expected
    assert found.to_json() == expected.to_json()
    swept = yx.sweep(expected, bound_mean=form([3.0, 5.0]))
    xr.testing.assert_identical(swept, yx.sweep(expected, bound_mean=[3.0, 5.0]))


def test_names__from_a_dataset_and_a_table() -> None:
    ds = yx.simulate(genes=["a", "b"], tfs=["x", "y"], bound=[0.5, 1.0], seed=1)
    again = yx.simulate(genes=ds.gene, tfs=ds.indexes["tf"], bound=ds.bound_fraction, seed=1)
    xr.testing.assert_identical(again, ds)


@pytest.mark.parametrize(
    "number",
    [np.float64, np.float32, np.array, xr.DataArray, lambda value: np.array([value])[0]],
    ids=["float64", "float32", "array", "DataArray", "item of an array"],
)
def test_scalars__of_numpy_and_xarray(number: Callable[[float], object]) -> None:
    expected = yx.SimulationSpec(genes=4, bound=[0.5], bound_mean=2.0, seed=3)
    found = yx.SimulationSpec(
        genes=number(4) if number is np.array else 4, bound=number(0.5), bound_mean=number(2.0), seed=3
    )
    assert found == expected
    json.loads(found.to_json())


def test_bound__one_number_or_a_dict() -> None:
    assert yx.SimulationSpec(genes=9, bound=0.1, seed=1) == yx.SimulationSpec(genes=9, bound=[0.1], seed=1)
    assert yx.SimulationSpec(genes=9, bound=1, n_sample=3, seed=1).n_sample == (3,)
    assert yx.SimulationSpec(genes=9, bound=[0.1, 0.2], n_sample=3, seed=1).n_sample == (3, 3)
    named = yx.SimulationSpec(genes=9, bound={"GAL4": 0.1, "MIG1": 0.3}, tf_relationships={"GAL4": "MIG1"}, seed=1)
    expected = yx.SimulationSpec(
        genes=9, bound=[0.1, 0.3], tfs=["GAL4", "MIG1"], tf_relationships={"GAL4": ["MIG1"]}, seed=1
    )
    assert named == expected
    assert yx.SimulationSpec.from_json(named.to_json()) == expected
    as_dict = {"genes": 9, "bound": {"GAL4": 0.1, "MIG1": 0.3}, "tf_relationships": {"GAL4": "MIG1"}, "seed": 1}
    assert yx.SimulationSpec.from_dict(as_dict) == expected
    assert replace(named, bound_mean=4.0).tf_labels == ("GAL4", "MIG1")
    labels = yx.generate_gene_population(9, bound={"GAL4": 0.1, "MIG1": 0.3}, seed=1)
    assert list(labels.indexes["tf"]) == ["GAL4", "MIG1"]


@pytest.mark.parametrize("alone", ["b", Or("b", Not("a")), Not("b"), And("a", "b")], ids=str)
def test_relationships__one_condition_alone(alone: object) -> None:
    kwargs = {"genes": 50, "bound": {"a": 0.5, "b": 0.5}, "max_mean_adjustment": 5.0, "seed": 1}
    found = yx.simulate(**kwargs, tf_relationships={"a": alone})
    xr.testing.assert_identical(found, yx.simulate(**kwargs, tf_relationships={"a": [alone]}))
    assert yx.adjusted_pairs(found.label, {"a": alone}).equals(yx.adjusted_pairs(found.label, {"a": [alone]}))


def test_relationships__integers_alone() -> None:
    for one in (1, np.int64(1), np.array(1)):
        assert yx.SimulationSpec(genes=3, bound=[0.5, 0.5], tf_relationships={0: one}).tf_relationships == {0: (1,)}


def test_relationships__a_set_has_one_order() -> None:
    names = ["c", "a", "d", "b"]
    spec = yx.SimulationSpec(genes=3, bound=dict.fromkeys(names, 0.5), tf_relationships={"a": set(names)}, seed=1)
    assert spec.tf_relationships["a"] == ("a", "b", "c", "d")


def test_background_hops__from_0() -> None:
    ds = yx.simulate(genes=500, bound=0.5, background_hops_range=(0, 3), pseudocount=0.1, seed=1)
    assert float(ds.binding_effect.max()) > (6 / 76.1) / (1 / 1000.1 + 0.1)
    assert yx.check(ds).passed


def test_largest_parameters__give_finite_values() -> None:
    largest = yx.simulate(
        genes=2000,
        bound=0.5,
        bound_mean=1e37,
        unbound_mean=-5e36,
        max_mean_adjustment=1e37,
        bound_std=5e36,
        unbound_std=5e36,
        background_hops_range=(0, 3),
        pseudocount=1e-36,
        seed=1,
    )
    for name in yx.FEATURES:
        assert np.isfinite(largest[name.name].values).all(), name.name
    with pytest.raises(yx.InputError, match="too large for float32"):
        yx.generate_perturbation_effects(
            largest.label, largest.binding_effect, adjustment_function=lambda labels, _: labels * 4e38, seed=1
        )
    with pytest.raises(yx.InputError, match="float32"):
        yx.generate_perturbation_effects(
            largest.label, largest.binding_effect, max_mean_adjustment=1e37, largest_binding_effect=1e-3, seed=1
        )


def bomb(levels: int, width: int) -> dict:
    """A relation whose parts are shared, as aliases in YAML are: small in memory, and huge when written."""
    value: object = 0
    for level in range(levels):
        value = {"and" if level % 2 else "or": [value] * width}
    return value


@pytest.mark.parametrize(("levels", "width"), [(6, 10), (9, 10), (90, 2), (20, 50)])
def test_relations__with_too_many_terms(levels: int, width: int) -> None:
    start = time.perf_counter()
    values = {"genes": 9, "bound": [0.5, 0.5], "tf_relationships": {"0": [bomb(levels, width)] * 100}}
    with pytest.raises(yx.InputError, match=r"has .* terms; expected at most 100,000") as caught:
        yx.SimulationSpec.from_dict(values)
    assert len(str(caught.value)) < 300
    assert time.perf_counter() - start < 2
    with pytest.raises(yx.InputError, match="terms; expected at most 100,000"):
        reduce(lambda relation, _: And(*[relation] * width), range(levels), 0)


def test_relations__with_too_many_terms_together() -> None:
    part = And(*range(2))
    for _ in range(15):
        part = Or(part, part)  # 65,536 terms
    with pytest.raises(yx.InputError, match=r"tf_relationships\[0\] has 131,072 terms; expected at most 100,000"):
        yx.SimulationSpec(genes=9, bound=[0.5, 0.5], tf_relationships={0: [part, part]})
    many = {tf: [part] for tf in range(40)}
    with pytest.raises(yx.InputError, match="tf_relationships has more than 2,000,000 terms"):
        yx.SimulationSpec(genes=9, bound=0.5, n_sample=40, tf_relationships=many)
    spec = yx.SimulationSpec(genes=9, bound=[0.5, 0.5], tf_relationships={0: [part]}, seed=1)
    assert yx.SimulationSpec.from_json(spec.to_json()) == spec


def test_relations__that_contain_themselves() -> None:
    loop: dict = {"or": [1]}
    loop["or"].append(loop)
    with pytest.raises(yx.InputError, match="more than 100 levels"):
        yx.SimulationSpec.from_dict({"genes": 9, "bound": [0.5, 0.5], "tf_relationships": {"0": [loop, loop]}})
    with pytest.raises(yx.InputError, match="names the TF 1 twice"):
        yx.SimulationSpec.from_dict({"genes": 9, "bound": [0.5, 0.5], "tf_relationships": {"1": [], "01": [0]}})


def test_format_value__is_short_and_quick() -> None:
    nested: list = [1]
    for _ in range(60):
        nested = [nested] * 10
    loop: list = []
    loop.append(loop)
    for value in (nested, loop, {"a": nested}, 10**5000, [10**5000], pd.DataFrame({"a": range(9)}), list(range(10**6))):
        text = format_value(value)
        assert len(text) <= 80
        assert "\n" not in text
    assert format_value({"a": [1, (2,), {}], "b": [np.float64(3)]}) == "{'a': [1, (2,), {}], 'b': [3.0]}"


@pytest.mark.parametrize("value", [None, 3, "text", [], {}, np.ones(3)], ids=str)
def test_spec_of__no_dataset(value: object) -> None:
    with pytest.raises(yx.SchemaError, match=r"ds is of type \w+; expected an xarray.Dataset"):
        yx.spec_of(value)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, 2**63, 2**32, 0])
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=3)
    | st.dates()
    | st.datetimes()
    | st.decimals()
    | st.fractions()
    | st.complex_numbers()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3) | st.integers(0, 3), inner, max_size=3)
        | st.sets(st.integers(), max_size=3)
        | st.lists(inner, min_size=1, max_size=2).map(lambda items: np.array([*items, None], object)[:-1])
    ),
    max_leaves=6,
)
NAMES = [*yx.SimulationSpec.__dataclass_fields__, "chunks", "genez", ""]


@given(changes=st.dictionaries(st.sampled_from(NAMES), VALUES, min_size=1, max_size=3))
def test_simulate__anything_is_made_or_refused_in_one_sentence(changes: dict[str, object]) -> None:
    try:
        yx.simulate(**{"genes": 6, "bound": [0.5, 0.25], **changes} | small(changes))
    except yx.InputError as error:
        assert_one_sentence(error)


@given(changes=st.dictionaries(st.sampled_from(NAMES), VALUES, min_size=1, max_size=3) | VALUES)
def test_specification__anything_is_read_or_refused_in_one_sentence(changes: object) -> None:
    values = {"genes": 6, "bound": [0.5, 0.25], **changes} if isinstance(changes, dict) else changes
    try:
        yx.SimulationSpec.from_dict(values)
    except yx.InputError as error:
        assert_one_sentence(error)
    try:
        yx.spec_of(xr.Dataset(attrs={"specification": json.dumps(values, default=str)}))
    except (yx.InputError, TypeError, ValueError) as error:
        if isinstance(error, yx.InputError):
            assert_one_sentence(error)


def small(changes: dict[str, object]) -> dict[str, object]:
    """Keep what is valid small enough to simulate."""
    limits = {"genes": 10, "replicates": 3, "n_sample": 3}
    return {
        name: limit
        for name, limit in limits.items()
        if isinstance(changes.get(name), int) and 0 < changes[name] < 2**32 and not isinstance(changes[name], bool)
    }


def assert_one_sentence(error: Exception) -> None:
    message = str(error)
    assert "\n" not in message
    assert 10 < len(message) < 500


def test_sweep__with_too_many_points() -> None:
    spec = yx.SimulationSpec(genes=5, bound=0.5, seed=1)
    with pytest.raises(yx.InputError, match="the sweep has 1,000,000,000 points; expected at most 100,000"):
        yx.sweep(spec, bound_mean=range(1000), bound_std=range(1000), unbound_mean=range(1000))
    values = {"specification": spec.to_dict(), "values": {name: [1.0] * 10_000 for name in ("bound_mean", "bound_std")}}
    assert read_specs(xr.Dataset(attrs={"sweep": json.dumps(values)})) == []
