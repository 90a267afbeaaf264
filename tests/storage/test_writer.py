"""Runs that end early: killed, interrupted, out of space, or two at once. Nothing is lost, and nothing is mixed."""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.storage import MemoryStore, WrapperStore

import yeastxr as yx
from tests.conftest import save_simulation
from tests.storage.hooked import HookedStore, hook
from yeastxr.storage.layout import Records
from yeastxr.storage.location import locate

ROOT = Path(__file__).parents[2]
SPEC = {"genes": 300, "bound": [0.2], "n_sample": [120], "max_mean_adjustment": 10.0, "seed": 7}
CHUNKS = {"tf": 3}  # 40 blocks
WRITER = """
import os, signal, sys
import dask.array, filelock, xarray.backends.zarr, xxhash, zarr.codecs  # once for all writers
import yeastxr as yx
from tests.storage.hooked import HookedStore, hook
yx.simulate(**{spec})
left = 0
def count(key):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
for n in sys.argv[2:]:
    writer = os.fork()
    if writer == 0:
        left = int(n)
        with hook(before=count):
            yx.save(yx.simulate(**{spec}, chunks={chunks}), HookedStore(f"{sys.argv[1]}/{n}.zarr"))
        os._exit(0)
    assert os.waitpid(writer, 0)[1] == signal.SIGKILL, n
""".replace("{spec}", repr(SPEC)).replace("{chunks}", repr(CHUNKS))


def made(**extra: object) -> xr.Dataset:
    return yx.simulate(**{**SPEC, **extra}, chunks=CHUNKS)


def files(path: Path) -> dict[str, bytes]:
    return {str(f.relative_to(path)): f.read_bytes() for f in sorted(path.rglob("*")) if f.is_file()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return files(yx.save(made(), tmp_path_factory.mktemp("whole") / "sim.zarr"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed__resumes_to_the_same_files(tmp_path: Path, whole: dict[str, bytes]) -> None:
    check_kills([1, 12, 80, 265], tmp_path, whole)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed__resumes_wherever_it_was(tmp_path: Path, whole: dict[str, bytes]) -> None:
    check_kills(range(1, 265, 3), tmp_path, whole)


def check_kills(numbers: Iterable[int], tmp_path: Path, whole: dict[str, bytes]) -> None:
    """Kill a writer before it writes the N-th of 265 keys, with another thread at work, and save the same again."""
    command = [sys.executable, "-c", WRITER, str(tmp_path), *map(str, numbers)]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "YEASTXR_RECORD_SECONDS": "0"}, check=True)
    for n in numbers:
        path = tmp_path / f"{n}.zarr"
        with pytest.raises(yx.InputError, match=r"incomplete|not a zarr store|of another program|does not exist"):
            yx.open(path)
        kept = blocks_on_record(path)
        assert kept or n < 80
        yx.save(made(), path)
        assert files(path) == whole
        for name, when in kept.items():
            assert (path / name).stat().st_mtime_ns == when, f"{name} was finished, and written again"


def blocks_on_record(path: Path) -> dict[str, int]:
    """Return the files of blocks that the store's records have, and when they were written."""
    try:
        digests = Records.read(locate(path)).digests
    except yx.InputError:
        return {}
    found = {}
    for i, name in enumerate(yx.simulate(genes=2, bound=[0.5], seed=1).data_vars):
        for _, t in np.argwhere(digests[i] > 0):
            found[f"{name}/c/0/{t}"] = (path / f"{name}/c/0/{t}").stat().st_mtime_ns
    return found


def interrupted(path: Path, **extra: object) -> None:
    """Leave an unfinished store: as if its last blocks had never been written."""
    save_simulation(path, **{**SPEC, **extra}, chunks=CHUNKS)
    location = locate(path)
    records = Records.read(location)
    records.digests[:, :, 20:] = 0
    records.update(location)
    zarr.open_group(path, mode="r+").attrs["yeastxr_complete"] = False
    for name in made().data_vars:
        for t in range(20, 40):
            (path / f"{name}/c/0/{t}").unlink()


def test_resume__another_specification_is_refused(tmp_path: Path, whole: dict[str, bytes]) -> None:
    path = tmp_path / "sim.zarr"
    interrupted(path)
    before = files(path)
    with pytest.raises(
        yx.InputError, match=r"incomplete save of another dataset \(seed: 7 in the store, 8 now"
    ) as caught:
        yx.save(made(seed=8), path)
    assert "\n" not in str(caught.value)
    with pytest.raises(yx.InputError, match=r"bound_mean: 3\.0 in the store, 4\.0 now"):
        yx.save(made(bound_mean=4.0), path)
    with pytest.raises(yx.InputError, match="blocks"):
        yx.save(made().chunk(tf=5), path)
    assert files(path) == before
    yx.save(made(seed=8), path, overwrite=True)
    assert yx.open(path).attrs["seed"] == 8
    interrupted(tmp_path / "other.zarr")
    yx.save(made(), tmp_path / "other.zarr", overwrite=True)
    assert files(tmp_path / "other.zarr") == whole


def test_resume__leftovers_are_swept(tmp_path: Path, whole: dict[str, bytes]) -> None:
    path = tmp_path / "sim.zarr"
    interrupted(path)
    (path / f"label/c/0/30.{'0123' * 8}.partial").write_bytes(b"half")
    assert "incomplete" in repr(yx.verify(path))
    yx.save(made(), path)
    assert files(path) == whole


def test_verify__repair_finishes(tmp_path: Path, whole: dict[str, bytes]) -> None:
    path = tmp_path / "sim.zarr"
    interrupted(path)
    found = yx.verify(path)
    assert not found.whole
    assert found.blocks["label"] == (40, 20, 20, 0)
    assert yx.verify(path, repair=True).whole
    assert files(path) == whole


def test_two_writers__the_second_is_refused(tmp_path: Path) -> None:
    path, refused = tmp_path / "sim.zarr", []

    def second() -> Exception | None:
        try:
            yx.save(made(), path)
        except FileExistsError as error:
            return error
        return None

    def meet(key: str) -> None:
        if key.startswith("label/c/") and not refused:
            refused.append(None)
            refused[0] = second()

    with hook(before=meet):
        yx.save(made(), HookedStore(path))
    assert "another process is writing" in str(refused[0])
    assert yx.verify(path).whole


class FullStore(WrapperStore):
    """A store that has room for so many bytes."""

    room = 0

    async def set(self, key: str, value: object, *args: object) -> None:
        self.room -= len(value)
        if self.room < 0:
            raise OSError(28, "No space left on device")
        await super().set(key, value, *args)


def test_full_disk__resumes_when_there_is_room(whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YEASTXR_RECORD_SECONDS", "0")
    memory = MemoryStore()
    full = FullStore(memory)
    full.room = 200_000
    with pytest.raises(OSError, match="No space left"):
        yx.save(made(), full)
    with pytest.raises(yx.InputError, match="incomplete"):
        yx.open(memory)
    found = yx.verify(memory)
    assert 0 < found.blocks["label"][1] < 40
    yx.save(made(), memory)
    assert yx.verify(memory, against="spec").whole
    stored = {key: value.to_bytes() for key, value in memory._store_dict.items()}
    assert stored == whole


def test_save__memory_is_bounded_by_blocks(tmp_path: Path) -> None:
    alive, most = [], []

    def watched(block: np.ndarray) -> np.ndarray:
        alive.append(1)
        most.append(len(alive))
        return block

    import dask.array as da

    def leave(key: str) -> None:
        if key.startswith("label/c/"):
            alive.pop()

    ds = made()
    label = da.map_blocks(watched, ds["label"].data, dtype=bool, meta=np.empty((0, 0), bool))
    with hook(after=leave):
        yx.save(ds.assign(label=ds["label"].copy(data=label)), HookedStore(tmp_path / "sim.zarr"))
    assert len(most) == 40
    assert max(most) <= (os.cpu_count() or 1) + 1


STAGES = ["create_group", "to_zarr", "create_array", "write records"]


@pytest.mark.parametrize("stage", STAGES)
def test_ended_before_the_first_block__starts_anew(
    stage: str, tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "sim.zarr"
    places = {
        "create_group": (zarr, "create_group"),
        "to_zarr": (xr.Dataset, "to_zarr"),
        "create_array": (zarr.Group, "create_array"),
        "write records": (Records, "write"),
    }

    def ends(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(*places[stage], ends)
        with pytest.raises(KeyboardInterrupt):
            yx.save(made(), path)
    yx.save(made(), path)
    assert files(path) == whole


@pytest.mark.parametrize("again", [False, True], ids=["repair", "the same call"])
@pytest.mark.parametrize("stage", ["records", "metadata", "coordinates", "first block", "mark"])
def test_extend__ended_at_any_stage_is_finished(
    stage: str, again: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_simulation(tmp_path / "sim.zarr", **SPEC, chunks={"tf": 40})
    places = {
        "records": "yeastxr.storage.layout.Records.write",
        "metadata": "yeastxr.storage.store.restore_documents",
        "coordinates": "yeastxr.storage.store.restore_files",
        "first block": "yeastxr.storage.store.write_missing",
        "mark": "yeastxr.storage.store.finish",
    }

    def ends(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(places[stage], ends)
        with pytest.raises(KeyboardInterrupt):
            yx.extend(path, bound=[0.5], n_sample=[7])
    with pytest.raises(yx.InputError, match="incomplete"):
        yx.open(path)
    if stage not in ("records", "mark"):
        with pytest.raises(yx.InputError, match="incomplete; complete it with verify"):
            yx.extend(path, bound=[0.5])
    if again:
        yx.extend(path, bound=[0.5], n_sample=[7])
    assert yx.verify(path, repair=not again).whole
    larger = yx.simulate(**{**SPEC, "bound": [0.2, 0.5], "n_sample": [120, 7]})
    is_larger = again or stage != "records"
    xr.testing.assert_identical(yx.open(path).compute(), larger if is_larger else made().compute())
    if again:  # TFs without names are added again
        yx.extend(path, bound=[0.5], n_sample=[7])
        assert yx.open(path).sizes["tf"] == 134
