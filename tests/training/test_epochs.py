"""Epochs: one order each, in whatever process batches are read, and after a run is resumed."""

import copy
import itertools
import multiprocessing
import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from torch.utils.data import DataLoader

import yeastxr as yx
from yeastxr.training.epochs import SharedEpochs
from yeastxr.training.loaders import BatchStream

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),
]

WORKERS = {
    "main": {"num_workers": 0},
    "fork": {"num_workers": 2, "multiprocessing_context": "fork"},
    "fork-persistent": {"num_workers": 2, "multiprocessing_context": "fork", "persistent_workers": True},
    "fork-3": {"num_workers": 3, "multiprocessing_context": "fork", "persistent_workers": True, "prefetch_factor": 1},
    "spawn": {"num_workers": 2, "multiprocessing_context": "spawn"},
    # One, as it loads torch anew; how several share an epoch does not depend on how they are started.
    "spawn-persistent": {"num_workers": 1, "multiprocessing_context": "spawn", "persistent_workers": True},
}
LAZY = {"main", "spawn", "spawn-persistent"}  # a forked process can't compute
KINDS = [
    pytest.param(name, source, id=f"{name}-{source}", marks=[pytest.mark.slow] if name in slow else [])
    for source, names, slow in [("numpy", WORKERS, {"spawn", "spawn-persistent"}), ("dask", LAZY, {"spawn"})]
    for name in sorted(names)
]

Epoch = list[tuple[float, ...]]


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    return yx.simulate(genes=64, bound=[0.1, 0.2], n_sample=[3, 2], seed=42)


def make_batches(ds: xr.Dataset, **options: object) -> yx.Batches:
    return yx.Batches(ds, **{"batch_size": 10, "shuffle": True, "seed": 1, **options})


def read_epoch(loader: object) -> Epoch:
    """Return the batches of one iteration, each as a tuple of numbers that tell samples apart."""
    return [tuple(x.sum(-1).tolist()) for x, _ in loader]


def read_epochs(batches: yx.Batches, epochs: int) -> list[Epoch]:
    return [read_epoch(batches) for _ in range(epochs)]


@pytest.mark.parametrize(("workers", "source"), KINDS)
def test_workers__give_the_epochs_that_batches_give(ds: xr.Dataset, workers: str, source: str) -> None:
    """Every iteration is the next epoch, with each batch once; ``set_epoch`` holds for all workers."""
    stream = BatchStream(make_batches(ds if source == "numpy" else ds.chunk({"gene": 64, "tf": 2})))
    loader = DataLoader(stream, batch_size=None, **WORKERS[workers])
    expected = read_epochs(make_batches(ds), 6)
    assert len({tuple(epoch) for epoch in expected}) == 6
    epochs = 2 if workers == "spawn" else 3
    for epoch in range(epochs):
        observed = read_epoch(loader)
        assert Counter(observed) == Counter(expected[epoch])
        assert len(loader) == len(observed)
    stream.set_epoch(5)
    assert Counter(read_epoch(loader)) == Counter(expected[5])
    if workers != "spawn":
        stream.batches.set_epoch(1)
        assert Counter(read_epoch(loader)) == Counter(expected[1])
        assert Counter(read_epoch(loader)) == Counter(expected[2])


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("num_workers", [1, 2, 3, 9])
def test_workers__drop_no_more_than_batches(ds: xr.Dataset, num_workers: int, drop_last: bool) -> None:
    options = {"batch_size": 20, "drop_last": drop_last}
    loader = DataLoader(BatchStream(make_batches(ds, **options)), batch_size=None, num_workers=num_workers)
    observed = read_epoch(loader)
    assert Counter(observed) == Counter(read_epoch(make_batches(ds, **options)))
    assert sum(map(len, observed)) == (60 if drop_last else 64)


@pytest.mark.parametrize("by", ["gene", "tf", "replicate"])
def test_workers__share_batches_of_ranks(by: str) -> None:
    ds = yx.simulate(genes=30, bound=[0.1, 0.2], n_sample=[6, 6], replicates=8, seed=1)
    for rank in range(2):
        options = {"by": by, "batch_size": 3, "rank": rank, "world_size": 2, "buffer": 7, "block": 4}
        loader = DataLoader(BatchStream(make_batches(ds, **options)), batch_size=None, num_workers=2)
        batches = make_batches(ds, **options)
        for _ in range(2):
            observed = [x.flatten().tolist() for x, _ in loader]
            assert sorted(observed) == sorted(x.flatten().tolist() for x, _ in batches)


@pytest.mark.parametrize("persistent", [False, True])
def test_workers__agree_after_an_iteration_left_early(ds: xr.Dataset, persistent: bool) -> None:
    stream = BatchStream(make_batches(ds, batch_size=4))
    loader = DataLoader(stream, batch_size=None, num_workers=3, persistent_workers=persistent)
    expected = read_epochs(make_batches(ds, batch_size=4), 7)
    next(iter(loader))
    iter(loader)
    for _ in range(2):
        observed = Counter(read_epoch(loader))
        assert observed in [Counter(epoch) for epoch in expected]


def test_workers__agree_where_iterations_overlap(ds: xr.Dataset) -> None:
    loader = DataLoader(BatchStream(make_batches(ds)), batch_size=None, num_workers=2)
    pairs = [(tuple(a.x.sum(-1).tolist()), tuple(b.x.sum(-1).tolist())) for a, b in zip(loader, loader, strict=True)]
    observed = [Counter(side) for side in zip(*pairs, strict=True)]
    expected = [Counter(epoch) for epoch in read_epochs(make_batches(ds), 2)]
    assert observed in (expected, expected[::-1])


def test_workers__orders_differ_though_the_random_seed_is_set_before_each_epoch(ds: xr.Dataset) -> None:
    """Workers recognize an iteration by torch's seed, which then is the same for all."""
    loader = DataLoader(BatchStream(make_batches(ds)), batch_size=None, num_workers=2)
    for expected in read_epochs(make_batches(ds), 3):
        torch.manual_seed(0)
        assert Counter(read_epoch(loader)) == Counter(expected)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_workers__give_the_rest_of_an_epoch(ds: xr.Dataset, num_workers: int) -> None:
    stopped = make_batches(ds)
    whole = read_epochs(make_batches(ds), 3)
    read_epoch(stopped)
    for _ in zip(range(3), stopped, strict=False):
        pass
    state = stopped.state_dict()
    assert (state["epoch"], state["batch"]) == (1, 3)
    stream = BatchStream(make_batches(ds))
    loader = DataLoader(stream, batch_size=None, num_workers=num_workers)
    stream.batches.load_state_dict(state)
    assert Counter(read_epoch(loader)) == Counter(whole[1][3:])
    state = stream.batches.state_dict()
    assert (state["epoch"], state["batch"]) == (2, 0)
    assert Counter(read_epoch(loader)) == Counter(whole[2])


def test_workers__one_count_for_workers_and_the_main_process(ds: xr.Dataset) -> None:
    batches = make_batches(ds)
    expected = read_epochs(make_batches(ds), 4)
    assert read_epoch(batches) == expected[0]
    loader = DataLoader(BatchStream(batches), batch_size=None, num_workers=2)
    assert Counter(read_epoch(loader)) == Counter(expected[1])
    assert read_epoch(batches) == expected[2]
    assert Counter(read_epoch(loader)) == Counter(expected[3])


@pytest.mark.parametrize("make_copy", [copy.deepcopy, lambda stream: pickle.loads(pickle.dumps(stream))])
def test_stream__a_copy_counts_for_itself(ds: xr.Dataset, make_copy: Callable[[BatchStream], BatchStream]) -> None:
    stream = BatchStream(make_batches(ds))
    expected = read_epochs(make_batches(ds), 2)
    assert read_epoch(stream) == expected[0]
    other = make_copy(stream)
    for loader in (other, stream):
        assert read_epoch(loader) == expected[1]
    del stream, loader
    assert len(read_epoch(other)) == 7


def test_stream__leaves_no_files(ds: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    stream = BatchStream(make_batches(ds))
    assert len(list(tmp_path.iterdir())) == 1
    read_epoch(DataLoader(stream, batch_size=None, num_workers=1))
    assert len(list(tmp_path.iterdir())) == 1
    del stream
    assert not list(tmp_path.iterdir())


def _begin(epochs: SharedEpochs, results: "multiprocessing.Queue[list]") -> None:
    results.put([epochs.begin() for _ in range(2)])


@pytest.mark.parametrize("context", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_shared_epochs__processes_that_are_no_workers_count_for_themselves(context: str) -> None:
    """Ranks that are forked or spawned from one process each have their own epochs."""
    processes = multiprocessing.get_context(context)
    epochs, results = SharedEpochs((4, 1)), processes.Queue()
    ranks = [processes.Process(target=_begin, args=(epochs, results)) for _ in range(2)]
    for rank in ranks:
        rank.start()
    assert [results.get() for _ in ranks] == [[(4, 1), (5, 0)]] * 2
    for rank in ranks:
        rank.join()
    assert [epochs.begin(), epochs.get_next()] == [(4, 1), (5, 0)]


def test_batches__an_iterator_begins_its_epoch_with_its_first_batch(ds: xr.Dataset) -> None:
    batches = make_batches(ds)
    early = iter(batches)
    batches.set_epoch(2)
    assert tuple(next(early).x.sum(-1).tolist()) == read_epochs(make_batches(ds), 3)[2][0]


def test_sampler__sets_the_epoch_and_keeps_a_position_in_it(ds: xr.Dataset) -> None:
    batches, expected = make_batches(ds), read_epochs(make_batches(ds), 4)
    batches.sampler.set_epoch(3)
    assert read_epoch(batches) == expected[3]
    batches.sampler.set_epoch(3)
    assert read_epoch(batches) == expected[3]
    batches.load_state_dict({**batches.state_dict(), "epoch": 1, "batch": 2})
    batches.sampler.set_epoch(1)
    assert read_epoch(batches) == expected[1][2:]


def test_batches__positions_of_other_samples_are_another_order(ds: xr.Dataset) -> None:
    """Parts of equal sizes are not the same samples, and states hold on every rank."""
    state = make_batches(ds.yeast.split(0.5, 0.25, 0.25, seed=1), split="train").state_dict()
    with pytest.raises(yx.InputError, match="positions"):
        make_batches(ds.yeast.split(0.5, 0.25, 0.25, seed=2), split="train").load_state_dict(state)
    first, second = (make_batches(ds, rank=rank, world_size=2) for rank in range(2))
    second.load_state_dict(first.state_dict())


def test_batches__ranks_must_share_a_seed(ds: xr.Dataset) -> None:
    with pytest.raises(yx.InputError, match="expected the same seed on all ranks"):
        yx.Batches(ds, 10, shuffle=True, rank=0, world_size=2)
    assert len(yx.Batches(ds, 10, rank=0, world_size=2)) == 4
    with pytest.raises(yx.InputError, match="epoch is 4294967296; expected an integer from 0 to 4294967295"):
        make_batches(ds).set_epoch(2**32)


def test_shuffle__dims_have_orders_of_their_own() -> None:
    """One seed gives no permutation twice: not to genes and TFs, and not to a split and a shuffle."""
    ds = yx.simulate(genes=40, bound=[0.2], n_sample=[40], replicates=40, seed=1)
    orders = [
        np.argsort(make_batches(ds, by=by, buffer=1600, block=1600).order(epoch).isel(sample=slice(40)).position.values)
        for by in ("gene", "tf", "replicate")
        for epoch in range(2)
    ]
    for order, other in itertools.combinations(orders, 2):
        assert (order != other).any()
