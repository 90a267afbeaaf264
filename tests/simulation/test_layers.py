"""A block is one task for all its features that are wanted, and makes no others; any features give the same bits."""

import pickle
from typing import Any

import numpy as np
import pytest
import xarray as xr

import yeastxr as yx
from tests.conftest import simulate_tutorial
from yeastxr.demo import BOOLEAN_RELATIONS
from yeastxr.schema import FEATURE_NAMES
from yeastxr.simulation import draws, layers
from yeastxr.simulation.blocks import Block, simulate_block

SELECTIONS = [*([name] for name in FEATURE_NAMES), ["label", "perturbation_pvalue"], ["binding_pvalue", "label"]]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bool, ...]]:
    """Which features were wanted of each block that was made."""
    wanted_features = []

    def record(block: Block, wanted: tuple[bool, ...]) -> list[np.ndarray]:
        wanted_features.append(wanted)
        return simulate_block(block, wanted)

    monkeypatch.setattr(layers, "simulate_block", record)
    return wanted_features


def test_compute__one_task_a_block(made: list[tuple[bool, ...]]) -> None:
    simulate_tutorial(chunks={"tf": 3}, replicates=2).compute()
    assert made == [(True,) * 5] * 8


@pytest.mark.parametrize("number", range(5))
def test_compute__a_feature_alone_makes_no_other(number: int, made: list[tuple[bool, ...]]) -> None:
    array = simulate_tutorial(chunks={"tf": 3})[FEATURE_NAMES[number]]
    array.isel(tf=slice(4, 6)).compute()
    array.compute()
    assert made == [tuple(i == number for i in range(5))] * 5


def test_compute__consumers_share_blocks(made: list[tuple[bool, ...]]) -> None:
    ds = simulate_tutorial(chunks={"tf": 3})
    (ds.binding_effect * ds.label).sum("gene").compute()
    assert made == [(True, True, False, False, False)] * 4


@pytest.mark.parametrize("relations", [None, BOOLEAN_RELATIONS], ids=["method 2", "method 4"])
@pytest.mark.parametrize("names", SELECTIONS, ids=" ".join)
def test_compute__any_features_have_the_same_bits(names: list[str], relations: dict | None) -> None:
    options = {"tf_relationships": relations, "replicates": 2}
    lazy = simulate_tutorial(**options, chunks={"tf": (4, 1, 5)})[names]
    xr.testing.assert_identical(lazy.compute(), simulate_tutorial(**options)[names])
    xr.testing.assert_identical(
        lazy.compute(optimize_graph=False, scheduler="sync"), simulate_tutorial(**options)[names]
    )


def list_tasks(ds: xr.Dataset) -> list[Any]:
    """Return the tasks that make blocks."""
    tasks = dict(ds.label.data.__dask_graph__()).values()
    return [task for task in tasks if getattr(task, "func", None) is simulate_block]


def test_blocks__make_nothing_that_is_not_needed() -> None:
    (task,) = list_tasks(simulate_tutorial(chunks={"tf": 10}))
    shapes = [[array.shape[-1] for array in simulate_block(task.args[0], np.arange(5) == i)] for i in range(5)]
    # Labels and effects are what others follow from.
    assert shapes == [[10, 0, 0, 0, 0], [10, 10, 0, 0, 0], [10, 10, 10, 0, 0], [10, 10, 0, 10, 0], [10, 10, 0, 10, 10]]


def test_blocks__hold_the_conditions_of_their_tfs_alone() -> None:
    relations = {tf: [(tf + 1) % 1000, yx.Not((tf + 500) % 1000)] for tf in range(1000)}
    ds = yx.simulate(100, bound=[0.5], n_sample=[1000], tf_relationships=relations, seed=1, chunks={"tf": 10})
    tasks = list_tasks(ds)
    assert len(tasks) == 100
    assert all(len(task.args[0].conditions) == 10 and len(task.args[0].others) == 11 for task in tasks)
    assert max(len(pickle.dumps(task.args[0])) for task in tasks) < 5000


def test_names__say_what_is_computed() -> None:
    def get_names(**changes: Any) -> set[str]:
        ds = simulate_tutorial(**{"chunks": {"tf": 3}, **changes})
        return {array.data.name for array in ds.data_vars.values()}

    assert get_names() == get_names()
    for changes in ({"seed": 1}, {"chunks": {"tf": 4}}, {"bound_mean": 2.0}, {"genes": 999}):
        assert not get_names() & get_names(**changes)


@pytest.mark.parametrize("threads", ["1", "2", "7"])
@pytest.mark.parametrize("relations", [None, BOOLEAN_RELATIONS], ids=["method 2", "method 4"])
def test_simulate__slabs_and_threads_change_no_bit(
    threads: str, relations: dict | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = simulate_tutorial(tf_relationships=relations, replicates=2)
    monkeypatch.setenv("YEASTXR_THREADS", threads)
    monkeypatch.setattr(draws, "_SLAB_CELLS", 3000)  # three TFs at a time
    xr.testing.assert_identical(simulate_tutorial(tf_relationships=relations, replicates=2), expected)
