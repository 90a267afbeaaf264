"""What saves never do: delete what is not theirs, mix datasets, or call complete what others can't see."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from zarr.storage import LocalStore, MemoryStore

import yeastxr as yx
from tests.conftest import read_files, save_simulation
from tests.storage.hooked import HookedStore, hook

SPEC = {"genes": 60, "bound": [0.1, 0.2], "n_sample": [4, 4], "seed": 42}
PARTIAL = "zarr.0123456789abcdef0123456789abcdef.partial"


def simulate(**changes: object) -> xr.Dataset:
    return yx.simulate(**{**SPEC, **changes})


def save(path: Path, **changes: object) -> Path:
    """Save what simulate returns, or copy it from where it was saved before."""
    return save_simulation(path, **{**SPEC, **changes})


def stop_at(path: Path, ds: xr.Dataset, key: str, **options: object) -> None:
    """Save a dataset, and fail before a key is written."""

    def stop(name: str) -> None:
        if name == key:
            raise InterruptedError

    with hook(before=stop), pytest.raises(InterruptedError):
        yx.save(ds, HookedStore(path), **options)


# Files of others


@pytest.mark.filterwarnings("ignore:Object at .* is not recognized:zarr.errors.ZarrUserWarning")
@pytest.mark.parametrize("name", ["notes.txt", "label/notes.txt", "label/c/0/0.partial", "sub/x.partial", "a.partial"])
@pytest.mark.parametrize("state", ["complete", "unfinished"])
def test_overwrite__files_of_others_are_refused(name: str, state: str, tmp_path: Path) -> None:
    path = save(tmp_path / "sim.zarr")
    if state == "unfinished":
        zarr.open_group(path, mode="r+").attrs["yeastxr_complete"] = False
    (path / name).parent.mkdir(exist_ok=True)
    (path / name).write_text("mine")
    before = read_files(path)
    with pytest.raises(FileExistsError, match=f"files that do not belong to it.*{name}"):
        yx.save(simulate(seed=1), path, overwrite=True)
    assert read_files(path) == before
    yx.verify(path, repair=True)
    yx.extend(path, bound=[0.3])
    assert (path / name).read_text() == "mine"


@pytest.mark.parametrize("names", [["a.partial"], ["x.partial", "y.partial"], [PARTIAL, "mine.partial"]])
def test_save__a_folder_of_partial_files_of_others(names: list[str], tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match="not a yeastxr store"):
            yx.save(simulate(), tmp_path, overwrite=overwrite)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(names)


def test_save__partial_files_of_zarr_are_swept(tmp_path: Path) -> None:
    path = tmp_path / "sim.zarr"
    path.mkdir()
    (path / PARTIAL).write_bytes(b"half")
    yx.save(simulate(), path)
    assert not list(path.rglob("*.partial"))


@pytest.mark.parametrize("name", [".sim.zarr.new", ".sim.zarr.old", ".sim.zarr.lock", "sim.zarr.lock"])
def test_overwrite__neighbours_are_left(name: str, tmp_path: Path) -> None:
    path = save(tmp_path / "sim.zarr")
    (tmp_path / name).write_text("mine")
    yx.save(simulate(seed=1), path, overwrite=True)
    yx.extend(path, bound=[0.3])
    assert (tmp_path / name).read_text() == "mine"
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(["sim.zarr", name])


@pytest.mark.parametrize("role", ["new", "old"])
def test_overwrite__what_is_in_the_way_is_left(role: str, tmp_path: Path) -> None:
    path = save(tmp_path / "sim.zarr")
    sibling = tmp_path / f".sim.zarr.yeastxr-{role}"
    sibling.mkdir()
    (sibling / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError):
        yx.save(simulate(seed=1), path, overwrite=True)
    assert (sibling / "notes.txt").read_text() == "mine"
    assert yx.open(path).load().identical(simulate())


def test_overwrite__a_file_that_comes_while_it_writes(tmp_path: Path) -> None:
    path = save(tmp_path / "sim.zarr")
    ds = simulate(seed=1, chunks={"tf": 4})

    def drop_file(block: np.ndarray) -> np.ndarray:
        (path / "notes.txt").write_text("mine")
        return block

    late = ds.label.copy(data=ds.label.data.map_blocks(drop_file, dtype=bool, meta=np.empty((0, 0), bool)))
    with pytest.raises(FileExistsError, match=r"notes\.txt"):
        yx.save(ds.assign(label=late), path, overwrite=True)
    assert (path / "notes.txt").read_text() == "mine"
    (path / "notes.txt").unlink()
    assert yx.open(path).load().identical(simulate())


@pytest.mark.filterwarnings("ignore:Object at .* is not recognized:zarr.errors.ZarrUserWarning")
def test_store_objects__keys_of_others_are_refused() -> None:
    store = MemoryStore()
    yx.save(simulate(), store)
    store._store_dict["notes.txt"] = zarr.core.buffer.cpu.Buffer.from_bytes(b"mine")
    with pytest.raises(FileExistsError, match=r"notes\.txt"):
        yx.save(simulate(seed=1), store, overwrite=True)
    assert yx.open(store).load().identical(simulate())


# Records


@pytest.mark.parametrize("damage", ["gone", "zarr.json", "digests/c/0/0/0", "digests/zarr.json"])
@pytest.mark.parametrize("state", ["complete", "unfinished"])
def test_save__blocks_without_records_are_not_cleared(damage: str, state: str, tmp_path: Path) -> None:
    path = save(tmp_path / "sim.zarr")
    if state == "unfinished":
        zarr.open_group(path, mode="r+").attrs["yeastxr_complete"] = False
    if damage == "gone":
        shutil.rmtree(path / "yeastxr")
    else:
        (path / "yeastxr" / damage).write_bytes(b"")
    before = read_files(path)
    for seed in (42, 1):
        with pytest.raises(FileExistsError):
            yx.save(simulate(seed=seed), path)
    assert read_files(path) == before
    yx.save(simulate(seed=1), path, overwrite=True)
    assert yx.open(path).load().identical(simulate(seed=1))


# What can't be stored

UNSTORABLE = {
    "a date in attributes": lambda ds: ds.assign_attrs(created=pd.Timestamp("2026-01-01")),
    "a set in attributes of a coordinate": lambda ds: ds.assign_coords(gene=ds.gene.assign_attrs(source={1, 2})),
    "bytes in attributes of a feature": lambda ds: ds.assign(label=ds.label.assign_attrs(source=b"x")),
    "an attribute without a name": lambda ds: ds.assign_attrs({5: "x"}),
    "an attribute that xarray uses": lambda ds: ds.assign_attrs(coordinates="x"),
    "categories": lambda ds: ds.assign_coords(chromosome=("gene", pd.Categorical(["I", "II"] * 30))),
    "objects": lambda ds: ds.assign_coords(odd=("gene", np.array([object()] * 60))),
    "numbers with units of dates": lambda ds: ds.assign(t=("gene", np.arange(60), {"units": "days since 2000-01-01"})),
    **{
        f"a variable {name!r}": lambda ds, name=name: ds.assign({name: ("gene", np.arange(60.0))})
        for name in ("a/b", "..", ".", "", "zarr.json", "ZARR.JSON", "__x", "yeastxr", "x\0", "x" * 300, 5, "a\\b")
    },
    "a dimension 'a/b'": lambda ds: ds.assign(x=("a/b", np.arange(3))),
}


@pytest.mark.parametrize("name", UNSTORABLE)
def test_save__what_cannot_be_stored_changes_nothing(name: str, tmp_path: Path) -> None:
    path = save(tmp_path / "sim.zarr")
    before = read_files(tmp_path)
    values = {key: zarr.core.buffer.cpu.Buffer.from_bytes(data) for key, data in read_files(path).items()}
    memory = MemoryStore(dict(values))
    for store in (tmp_path / "new.zarr", path, memory):
        with pytest.raises(yx.InputError) as caught:
            yx.save(UNSTORABLE[name](simulate()), store, overwrite=True)
        assert "\n" not in str(caught.value)
    assert [place.name for place in tmp_path.iterdir()] == ["sim.zarr"]
    assert read_files(tmp_path) == before
    assert memory._store_dict == values


@pytest.mark.parametrize(
    "encoding",
    [{"label": {"compressors": "nonsense"}}, {"gene": {"dtype": "nonsense"}}, {"label": {"chunks": "x"}}],
    ids=str,
)
def test_save__encodings_are_tried_first(encoding: dict, tmp_path: Path) -> None:
    path = save(tmp_path / "sim.zarr")
    with pytest.raises(yx.InputError):
        yx.save(simulate(seed=1), path, encoding=encoding, overwrite=True)
    assert yx.open(path).load().identical(simulate())


@pytest.mark.parametrize("flag", ["overwrite", "sync", "progress"])
def test_save__flags_are_flags(flag: str, tmp_path: Path) -> None:
    with pytest.raises(yx.InputError, match=f"{flag} is 'no'"):
        yx.save(simulate(), tmp_path / "sim.zarr", **{flag: "no"})
    assert not list(tmp_path.iterdir())


def test_save__uneven_chunks_of_other_variables(tmp_path: Path) -> None:
    ds = simulate().assign(weight=(("gene", "tf"), np.random.default_rng(1).random((60, 8)))).chunk({"tf": (1, 3, 4)})
    assert yx.open(yx.save(ds, tmp_path / "sim.zarr")).load().identical(ds.compute())


@pytest.mark.parametrize(
    "values", [pd.to_datetime(["2026-01-01"] * 8), pd.to_timedelta(range(8), "D"), np.arange(8) > 3]
)
def test_save__other_coordinates_come_back(values: object, tmp_path: Path) -> None:
    ds = simulate().assign_coords(when=("tf", values))
    back = yx.open(yx.save(ds, tmp_path / "sim.zarr")).load()
    np.testing.assert_array_equal(back.when.values, ds.when.values)


# Identity


def change_by_graph(ds: xr.Dataset, factor: float) -> xr.Dataset:
    return ds.assign(binding_effect=(ds.binding_effect * np.float32(factor)).assign_attrs(ds.binding_effect.attrs))


CHANGES = {
    "another factor": (lambda ds: change_by_graph(ds, 2), lambda ds: change_by_graph(ds, 10)),
    "changed, then not": (lambda ds: change_by_graph(ds, 2), lambda ds: ds),
    "not changed, then changed": (lambda ds: ds, lambda ds: change_by_graph(ds, 2)),
    "reversed": (lambda ds: ds, lambda ds: ds.isel(tf=slice(None, None, -1)).assign_coords(tf=ds.tf)),
    "labels": (lambda ds: ds, lambda ds: ds.assign_coords(tf=ds.tf + 1)),
    "another variable": (lambda ds: ds.assign(w=("gene", np.zeros(60))), lambda ds: ds.assign(w=("gene", np.ones(60)))),
}


@pytest.mark.parametrize(
    ("name", "backing"),
    [
        *itertools.product(CHANGES, ["dask", "numpy, then dask"]),
        *((name, "numpy") for name in ("another factor", "another variable")),
    ],
)
def test_resume__never_mixes_datasets(name: str, backing: str, tmp_path: Path) -> None:
    path, overwrite = tmp_path / "sim.zarr", backing == "dask"
    if overwrite:
        save(path, seed=9)
    lazy = simulate(chunks={"tf": 1})
    encoding = {"label": {"chunks": (60, 1)}}
    first, second = CHANGES[name]
    place = tmp_path / ".sim.zarr.yeastxr-new" if overwrite else path
    stop_at(place, first(lazy.compute() if "numpy" in backing else lazy), "label/c/0/6", encoding=encoding)
    ds = second(lazy if "dask" in backing else lazy.compute())
    if not overwrite:
        with pytest.raises(FileExistsError, match="incomplete save of another dataset"):
            yx.save(ds, path, encoding=encoding)
    yx.save(ds, path, encoding=encoding, overwrite=True)
    assert yx.open(path).load().identical(ds.compute())


def test_resume__numpy_and_dask_of_one_simulation(tmp_path: Path) -> None:
    path, encoding = tmp_path / "sim.zarr", {"label": {"chunks": (60, 1)}}
    stop_at(path, simulate(), "label/c/0/6", encoding=encoding)
    yx.save(simulate(chunks={"tf": 1}).assign_attrs(note="later"), path, encoding=encoding)
    assert yx.open(path).load().identical(simulate().assign_attrs(note="later"))


FOREIGN = {
    "TFs reversed": lambda ds: ds.isel(tf=slice(None, None, -1)),
    "genes reversed": lambda ds: ds.isel(gene=slice(None, None, -1)),
    "TFs named": lambda ds: ds.assign_coords(tf=[f"T{i}" for i in range(8)]),
    "genes named": lambda ds: ds.assign_coords(gene=[f"G{i}" for i in range(60)]),
    "bound fractions": lambda ds: ds.assign_coords(bound_fraction=ds.bound_fraction * 2),
    "values": lambda ds: change_by_graph(ds, 2),
    "one value": lambda ds: ds.assign(label=ds.label.copy(data=flip(ds.label.values))),
    "part": lambda ds: ds.isel(tf=slice(3)),
    "seed in attributes": lambda ds: ds.assign_attrs(simulate(seed=1).attrs),
    "another variable": lambda ds: ds.assign(w=(("gene", "tf"), np.zeros((60, 8)))),
    "another scheme": lambda ds: ds.assign_attrs(law_version=0),
}


def flip(values: np.ndarray) -> np.ndarray:
    values = values.copy()
    values[59, 7] ^= True
    return values


@pytest.mark.parametrize(
    ("name", "chunks"), [*((name, None) for name in FOREIGN), ("values", {"tf": 3}), ("one value", {"tf": 3})]
)
def test_extend__only_what_its_specification_simulates(name: str, chunks: dict | None, tmp_path: Path) -> None:
    ds = FOREIGN[name](simulate().chunk(chunks) if chunks else simulate())
    path = yx.save(ds, tmp_path / "sim.zarr")
    before = read_files(path)
    with pytest.raises(yx.InputError):
        yx.extend(path, bound=[0.3], n_sample=[2])
    assert read_files(path) == before
    assert yx.open(path).load().identical(ds.compute())


@pytest.mark.parametrize("name", [name for name in FOREIGN if name not in ("another variable", "part")])
def test_repair__only_what_its_specification_simulates(name: str, tmp_path: Path) -> None:
    ds = FOREIGN[name](simulate())
    path = yx.save(ds, tmp_path / "sim.zarr")
    (path / "binding_effect/c/0/0").unlink()
    (path / "label/c/0/0").unlink()
    before = read_files(path)
    with pytest.raises(yx.InputError):
        yx.verify(path, repair=True)
    assert read_files(path) == before


def test_extend__a_copy_is_compared_by_digests(tmp_path: Path) -> None:
    copy = yx.save(yx.open(yx.save(simulate(), tmp_path / "first.zarr")), tmp_path / "copy.zarr")
    yx.extend(copy, bound=[0.3])
    expected = simulate(bound=[0.1, 0.2, 0.3], n_sample=[4, 4, 1])
    assert yx.open(copy).load().identical(expected)
    (copy / "label/c/0/0").unlink()
    assert yx.verify(copy, repair=True).whole


def test_extend__attributes_of_the_users_stay(tmp_path: Path) -> None:
    ds = simulate().assign_attrs(note="mine")
    ds = ds.assign_coords(tf=ds.tf.assign_attrs(source="a list"), gene=ds.gene.assign_attrs(source="SGD"))
    back = yx.open(yx.extend(yx.save(ds, tmp_path / "sim.zarr"), bound=[0.3]))
    assert (back.attrs["note"], back.tf.attrs, back.gene.attrs) == ("mine", ds.tf.attrs, ds.gene.attrs)


# Places


def test_paths__home_links_and_changes_of_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    for given, expected in [("~/sim.zarr", "home/sim.zarr"), ("rel.zarr", "rel.zarr"), ("a/../b.zarr", "b.zarr")]:
        assert yx.save(simulate(), given) == tmp_path / expected
        ds = yx.open(given)
        with monkeypatch.context() as patch:
            patch.chdir("/")
            assert ds.load().identical(simulate())
    assert yx.save(simulate(seed=1), LocalStore("store.zarr")) == tmp_path / "store.zarr"
    with pytest.raises(yx.InputError, match="another host"):
        yx.save(simulate(), "file://server/sim.zarr")


@pytest.mark.parametrize("state", ["complete", "unfinished"])
def test_links__to_a_store(state: str, tmp_path: Path) -> None:
    path = save(tmp_path / "scratch.zarr")
    link = tmp_path / "link.zarr"
    link.symlink_to(path)
    if state == "unfinished":
        zarr.open_group(path, mode="r+").attrs["yeastxr_complete"] = False
        yx.save(simulate(), link)
    yx.extend(link, bound=[0.3])
    assert yx.save(simulate(seed=1), link, overwrite=True) == link
    assert link.is_symlink()
    assert yx.open(path).load().identical(simulate(seed=1))
    (path / "label/c/0/0").unlink()
    assert yx.verify(link, repair=True).repaired
    assert sorted(file.name for file in tmp_path.iterdir()) == ["link.zarr", "scratch.zarr"]


@pytest.mark.parametrize("part", ["label", "label/c/0/0", "yeastxr", "zarr.json"])
def test_links__out_of_a_store_are_not_written_through(part: str, tmp_path: Path) -> None:
    path = save(tmp_path / "sim.zarr")
    outside = tmp_path / "outside"
    (path / part).rename(outside)
    (path / part).symlink_to(outside)
    before = read_files(tmp_path)
    for write in (
        lambda: yx.save(simulate(seed=1), path, overwrite=True),
        lambda: yx.extend(path, bound=[0.3]),
        lambda: yx.verify(path, repair=True),
    ):
        with pytest.raises(yx.InputError, match=r"link to the outside|do not belong to it"):
            write()
    assert read_files(tmp_path) == before


def test_processes__memory_is_refused() -> None:
    store = MemoryStore()
    yx.save(simulate(), store)
    for write in (
        lambda: yx.save(simulate(chunks={"tf": 2}), MemoryStore()),
        lambda: yx.save(simulate(seed=1, chunks={"tf": 2}), store, overwrite=True),
        lambda: yx.extend(store, bound=[0.3]),
        lambda: yx.verify(store, repair=True),
        lambda: yx.verify(store, against="spec"),
    ):
        with dask.config.set(scheduler="processes"), pytest.raises(yx.StoreError, match="other processes can't access"):
            write()
    assert yx.open(store).load().identical(simulate())


def test_save__blocks_that_nobody_sees_are_not_complete(tmp_path: Path) -> None:
    path = tmp_path / "sim.zarr"

    def lose(key: str) -> None:
        if key == "binding_effect/c/0/0":
            (path / "binding_effect/c/0/0").unlink()

    with hook(after=lose), pytest.raises(yx.StoreError, match="is missing 1 blocks"):
        yx.save(simulate(chunks={"tf": 4}), HookedStore(path))
    with pytest.raises(yx.StoreError, match="incomplete"):
        yx.open(path)
    yx.save(simulate(chunks={"tf": 4}), path)
    assert yx.open(path).load().identical(simulate())


# Kills


@pytest.mark.parametrize(("role", "content"), [("new", "new"), ("old", "old"), ("both", "new")])
def test_recover__between_two_renames(role: str, content: str, tmp_path: Path) -> None:
    old, new = simulate(), simulate(seed=1)
    commands = {
        "open": lambda path: yx.open(path),
        "verify": lambda path: yx.verify(path),
        "repair": lambda path: yx.verify(path, repair=True),
        "overwrite": lambda path: yx.save(simulate(seed=2), path, overwrite=True),
        "extend": lambda path: yx.extend(path, bound=[0.3]),
    }
    for name, command in commands.items():
        path = tmp_path / name / "sim.zarr"
        for seed, sibling in ((1, "new"), (42, "old")):
            if role in (sibling, "both"):
                save(path.with_name(f".sim.zarr.yeastxr-{sibling}"), seed=seed)
        assert command(path)
        assert [file.name for file in path.parent.iterdir()] == ["sim.zarr"]
        if name not in ("overwrite", "extend"):
            assert yx.open(path).load().identical(new if content == "new" else old)


KILLED = ["save", "resume", "overwrite", "overwrite an unfinished store", "extend", "repair"]


def check_kills(scenario: str, first: int, step: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        result = subprocess.run(
            [sys.executable, "-m", "tests.storage.kills", scenario, str(first), str(step), folder],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parents[2],
        )
    lines = result.stdout.splitlines()
    assert lines, result.stderr
    assert all(line.startswith("kills: ") for line in lines), result.stdout + result.stderr
    assert len(lines) == (len(KILLED) if scenario == "all" else 1), result.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed__at_some_system_calls() -> None:
    check_kills("all", 11, 160)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("scenario", KILLED)
def test_killed__at_every_system_call(scenario: str) -> None:
    check_kills(scenario, 1, 1)


# Done already


@pytest.mark.parametrize("chunks", [None, {"tf": 3}, "auto"])
def test_save__a_complete_simulation_is_left(chunks: object, tmp_path: Path) -> None:
    path = save(tmp_path / "sim.zarr")
    times = {file: file.stat().st_mtime_ns for file in path.rglob("*")}
    assert yx.save(simulate(chunks=chunks), path) == path
    assert {file: file.stat().st_mtime_ns for file in path.rglob("*")} == times
    for other in (
        simulate().assign_attrs(note="new"),
        simulate(seed=1),
        simulate().assign_coords(tf=simulate().tf + 1),
        change_by_graph(simulate(), 2),
        simulate().assign(w=("gene", np.zeros(60))),
        simulate().isel(tf=slice(4)),
    ):
        with pytest.raises(FileExistsError, match="already exists"):
            yx.save(other, path)
    (path / "label/c/0/0").unlink()
    with pytest.raises(FileExistsError, match="already exists"):
        yx.save(simulate(), path)


# Synced to the disk


@pytest.mark.parametrize("sync", [True, False])
def test_sync__all_files_before_the_mark(sync: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced, plain = [], os.fsync

    def record(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        complete = json.loads((path / "zarr.json").read_text())["attributes"]["yeastxr_complete"]
        states.append(complete)
        plain(descriptor)

    states: list[bool] = []
    path = tmp_path / "sim.zarr"
    monkeypatch.setattr(os, "fsync", record)
    yx.save(simulate(), path, sync=sync)
    if not sync:
        assert not synced
        return
    assert states == sorted(states)
    before = {name for name, complete in zip(synced, states, strict=True) if not complete}
    assert before == {str(file) for file in [path, *path.rglob("*")]}
    assert set(synced[-3:]) == {str(path / "zarr.json"), str(path), str(tmp_path)}


# Text and chunks


@pytest.mark.parametrize("chunks", ["auto", {"tf": 3}, {"gene": 7}, {}])
@pytest.mark.parametrize("size", ["128MiB", "1kiB"])
def test_open__any_chunks_with_a_split_and_names(chunks: object, size: str, tmp_path: Path) -> None:
    names = {"tfs": [f"T{i}" for i in range(8)], "genes": [f"G{i}" for i in range(60)]}
    ds = simulate(**names).yeast.split(seed=1)
    path = yx.save(ds, tmp_path / "sim.zarr")
    with dask.config.set({"array.chunk-size": size}):
        assert yx.open(path, chunks=chunks).load().identical(ds)


def test_save__fixed_width_text(tmp_path: Path) -> None:
    ds = simulate().assign_coords(tf=np.array([f"T{i}" for i in range(8)]), note=("gene", np.array(["a", "b"] * 30)))
    path = yx.save(ds, tmp_path / "sim.zarr")
    for name in ("tf", "note"):
        assert json.loads((path / name / "zarr.json").read_text())["data_type"] == "string"
