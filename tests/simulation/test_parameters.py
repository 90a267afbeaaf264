"""Parameters: declared once, checked once, and visible to editors."""

import inspect
from dataclasses import MISSING, fields

import numpy as np
import pytest

import yeastxr as yx
from tests.conftest import simulate_tutorial
from yeastxr.demo import BOOLEAN_RELATIONS
from yeastxr.schema import STATUSES
from yeastxr.simulation import parameters, relations
from yeastxr.simulation.adjustment import MeanModel
from yeastxr.simulation.parameters import BindingParameters, PerturbationParameters, PopulationParameters
from yeastxr.simulation.sweeps import read_specs, read_sweep


def test_simulate__has_the_parameters_of_a_specification() -> None:
    signature = inspect.signature(yx.simulate).parameters
    declared = {field.name: field for field in fields(yx.SimulationSpec)}
    assert list(signature) == [*declared, "preset", "chunks"]
    for name, field in declared.items():
        required = field.default is MISSING  # unless a preset has it
        assert signature[name].annotation == (field.type | None if required else field.type), name
        assert signature[name].default == (None if required else field.default), name
        assert field.metadata["help"].endswith("."), name


@pytest.mark.parametrize(
    ("step", "group"),
    [
        (yx.generate_gene_population, PopulationParameters),
        (yx.generate_binding_effects, BindingParameters),
        (yx.generate_hops, BindingParameters),
        (yx.generate_responses, parameters.ResponseParameters),
        (yx.mask_missing, parameters.MissingParameters),
        (yx.generate_pvalues, parameters.PvalueParameters),
        (yx.generate_perturbation_effects, PerturbationParameters),
    ],
)
def test_step__has_the_parameters_of_its_group(step: object, group: type[parameters.Parameters]) -> None:
    signature = inspect.signature(step).parameters
    for field in fields(group):
        if field.name in parameters.KEPT:  # what a dataset keeps is no matter of a step
            continue
        default = inspect.Parameter.empty if field.default is MISSING else field.default
        assert (signature[field.name].annotation, signature[field.name].default) == (field.type, default), field.name


def test_simulate__checks_each_parameter_once(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []
    check_number, check_names = parameters.check_number, parameters.check_names
    monkeypatch.setattr(
        parameters, "check_number", lambda name, *a, **k: checked.append(name) or check_number(name, *a, **k)
    )
    monkeypatch.setattr(parameters, "check_names", lambda name, value: checked.append(name) or check_names(name, value))
    yx.simulate(genes=["a", "b"], tfs=["c"], bound=[0.5], seed=1)
    assert len(checked) == len(set(checked))
    assert {"genes", "tfs", "bound[0]", "pseudocount", "bound_mean", "large_effect_percentile"} <= set(checked)


def test_extract__from_a_specification_or_a_dict() -> None:
    spec = yx.SimulationSpec(genes=10, bound=[0.5], background_hops_range=[2, 5], seed=1)
    group = BindingParameters.extract(spec)
    assert type(group) is BindingParameters
    assert group == BindingParameters(background_hops_range=(2, 5)) == BindingParameters.extract(spec.to_dict())
    assert PopulationParameters.extract(spec).n_genes == 10
    with pytest.raises(yx.InputError, match="total_background_hops"):
        BindingParameters.extract({"total_background_hops": 0, "seed": 3})


@pytest.mark.parametrize("slope", [0.0, 10.0, -3.0])
def test_mean_model__is_the_mean_that_kernels_use(slope: float) -> None:
    ds = simulate_tutorial(
        max_mean_adjustment=slope,
        tf_relationships=BOOLEAN_RELATIONS,
        unbound_mean=0.25,
        bound_std=0.0,
        unbound_std=0.0,
    )
    model = MeanModel.from_spec(ds.yeast.spec)
    label, effect = ds["label"].values, ds["binding_effect"].values
    active = yx.adjusted_pairs(ds["label"], BOOLEAN_RELATIONS).values
    status = np.where(active, 1, np.where(label, 2, 0))
    expected = model.mean(status, effect)
    np.testing.assert_array_equal(abs(ds["perturbation_effect"].values), abs(expected.astype(np.float32)))
    for code, name in enumerate(STATUSES):
        np.testing.assert_array_equal(model.mean(name, effect)[status == code], expected[status == code])
        assert model.std(name) == model.stds[code] == model.std(np.array([code]))[0]
    assert abs(expected).max() <= model.largest_abs_mean
    assert model.slope == slope / BindingParameters().largest_effect


def test_mean_model__ignores_binding_effects_of_other_pairs() -> None:
    model = MeanModel(0.5, 1.0, 3.0, 2.0, max_mean_adjustment=10.0, largest_binding_effect=5.0)
    found = model.mean(np.array([0, 1, 2, 1]), np.array([np.nan, 1.0, np.inf, np.nan], np.float32))
    np.testing.assert_array_equal(found, [0.5, 5.0, 0.5, np.nan])
    assert MeanModel(0.5, 1.0, 3.0, 2.0, max_mean_adjustment=10.0).slope == 0.0


def test_specs__read_from_datasets_and_sweeps() -> None:
    spec = yx.SimulationSpec(genes=9, bound=[0.5], seed=1)
    ds = yx.sweep(spec, bound_mean=[3.0, 5.0])
    assert (read_sweep(ds).spec, read_sweep(ds).labels) == (spec, {"bound_mean": [3.0, 5.0]})
    assert [point.bound_mean for point in read_specs(ds)] == [3.0, 5.0]
    assert read_specs(spec.simulate()) == [spec]
    assert read_sweep(spec.simulate()) is None
    assert read_specs(spec.simulate().drop_attrs(deep=False)) == []
    assert read_specs(spec.simulate().assign_attrs(specification="{}")) == []


def test_iterate_tfs__in_order_with_repeats() -> None:
    assert list(relations.iterate_tfs([yx.And(5, yx.Or(7, 8)), 5])) == [5, 7, 8, 5]


def test_compile_conditions__postfix() -> None:
    entries = (2, yx.Not(1), yx.Or(2, yx.And(1, 1), 1))
    programs = relations.compile_conditions([(5, ()), (2, entries)], {1: 10, 2: 20})
    and_, or_, not_ = relations.AND, relations.OR, relations.NOT
    assert programs.code.tolist() == [20, 10, not_, and_, 20, 10, 10, and_, or_, 10, or_, and_]
    assert programs.starts.tolist() == [0, 0, 12]
    assert programs.n_waiting == 4
    assumed = relations.compile_conditions([(2, entries)], {1: 10, 2: 20}, assume_bound=True)
    assert assumed.code.tolist() == [relations.TRUE if step == 20 else step for step in programs.code]
