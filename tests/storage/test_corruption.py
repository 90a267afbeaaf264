"""Corruption of every kind of file: refused or mended, never read as other values, never called complete."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from click.testing import CliRunner

import yeastxr as yx
from tests.conftest import read_files, save_simulation
from yeastxr.cli import main
from yeastxr.schema import FEATURE_NAMES

SPEC = {"genes": 30, "bound": [0.2], "n_sample": [4], "tfs": [f"T{i}" for i in range(4)], "seed": 5}
OTHER_WORDS = [None, [], {}, 0, -1, "x", True, 1e99, "float64", "nonsense", ["gene"], {"name": "unknown"}, 3.5]
COMMANDS = [("info",), ("verify",), ("check", "--no-progress"), ("report", "OUT.html"), ("export", "OUT.npz")]


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    """A simulation, with attributes and coordinates of a user's."""
    ds = yx.simulate(**SPEC)
    days = np.arange(30).astype("timedelta64[D]").astype("timedelta64[ns]")
    ds = ds.assign_coords(
        gene=ds.gene.assign_attrs(source="SGD"), seen=("gene", np.datetime64("2026-01-01", "ns") + days)
    )
    return ds.assign_attrs(note="mine").assign_coords(age=("gene", days, {"by": "me"}), level=("gene", np.arange(30.0)))


@pytest.fixture(scope="module")
def original(ds: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    chunks = {name: {"chunks": (30, 2)} for name in ("label",)}
    return yx.save(ds, tmp_path_factory.mktemp("corruption") / "sim.zarr", encoding=chunks, sync=False)


def pick(rng: np.random.Generator, values: list) -> object:
    return values[rng.integers(len(values))]


def change_json(value: object, rng: np.random.Generator) -> object:
    """Replace, remove, rename or add one thing somewhere in a JSON document."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        key = pick(rng, list(value))
        match int(rng.integers(8)):
            case 0:
                return {k: v for k, v in value.items() if k != key}
            case 1:
                return {
                    **value,
                    str(pick(rng, ["alien", "scale_factor", "units", "_FillValue"])): pick(rng, OTHER_WORDS),
                }
            case 2:
                return {k + "x" if k == key else k: v for k, v in value.items()}
        return {**value, key: change_json(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        i = int(rng.integers(len(value)))
        return [*value[:i], change_json(value[i], rng), *value[i + 1 :]]
    if isinstance(value, int) and rng.random() < 0.5:
        return value + 1
    return pick(rng, OTHER_WORDS)


def mutate(path: Path, rng: np.random.Generator) -> str:
    """Damage one file of a store, and say how."""
    keys = sorted(read_files(path))
    key = str(pick(rng, [key for key in keys if key.endswith("json")] if rng.random() < 0.5 else keys))
    file = path / key
    data = file.read_bytes()
    other = path / str(pick(rng, [name for name in keys if name != key]))
    kind = str(
        pick(rng, ["flip", "flip", "json", "json", "cut", "grow", "swap", "copy", "delete", "empty", "alien", "zeros"])
    )
    match kind:
        case "flip":
            at = int(rng.integers(len(data)))
            file.write_bytes(data[:at] + bytes([data[at] ^ 1 << int(rng.integers(8))]) + data[at + 1 :])
        case "json" if key.endswith("json"):
            file.write_text(json.dumps(change_json(json.loads(data), rng)))
        case "json" | "zeros":
            file.write_bytes(bytes(len(data)))
        case "cut":
            file.write_bytes(data[: int(rng.integers(len(data)))])
        case "grow":
            file.write_bytes(data + rng.bytes(int(rng.integers(1, 9))))
        case "swap":
            file.write_bytes(other.read_bytes())
            other.write_bytes(data)
        case "copy":
            other.write_bytes(data)
        case "delete":
            file.unlink()
        case "empty":
            file.write_bytes(b"")
        case "alien":
            place = file.parent / str(pick(rng, ["notes.txt", "c", "7", "x/zarr.json", "zarr.json.bak"]))
            if not place.exists():
                place.parent.mkdir(exist_ok=True)
                place.write_bytes(rng.bytes(20) if rng.random() < 0.5 else b"{}")
    return f"{kind} {key} {other.relative_to(path)}"


def attempt(function: Callable[[], object]) -> object:
    """Call a function; an error has to be one of ours, with one sentence."""
    try:
        return function()
    except yx.InputError as error:
        refusal = error
    assert "\n" not in str(refusal)
    return refusal


def is_equal(loaded: xr.Dataset, ds: xr.Dataset) -> bool:
    """Return whether values, labels and all but a user's attributes are those that were saved."""
    own = ("specification", "seed", "law_version", "yeastxr_version")
    attrs = all(loaded.attrs.get(name) == ds.attrs.get(name) for name in own)
    features = all(loaded[name].attrs.items() >= ds[name].attrs.items() for name in FEATURE_NAMES) if attrs else False
    return features and set(ds.variables) <= set(loaded.variables) and loaded[list(ds.variables)].equals(ds)


def check_mutation(seed: int, original: Path, ds: xr.Dataset, folder: Path, *, some: bool) -> None:
    """Check what every reader makes of a damaged store; with ``some``, the slower ones see a part of the stores."""
    rng = np.random.default_rng([15, seed])
    path = folder / f"{seed}.zarr"
    shutil.copytree(original, path)
    before = read_files(path)
    how = mutate(path, rng)
    after = read_files(path)
    loaded = attempt(lambda: yx.open(path, chunks=None if rng.random() < 0.5 else "stored").load())
    assert isinstance(loaded, yx.StoreError) or (isinstance(loaded, xr.Dataset) and is_equal(loaded, ds)), (
        f"{how}: {loaded}"
    )
    found = attempt(lambda: yx.verify(path, against="spec" if rng.random() < (0.15 if some else 0.5) else "digests"))
    if found and not isinstance(found, Exception):  # whole: what differs is not ours
        assert isinstance(loaded, xr.Dataset) or "alien" in how, f"{how}: whole, and {loaded}"
        for key in before:
            same = after.get(key) == before[key] or (
                key.endswith("zarr.json") and only_user_attrs(before[key], after.get(key))
            )
            assert same, f"{how}: {key} differs, and the store is called complete"
    if seed % (40 if some else 10) == 0:
        for command in COMMANDS:
            arguments = [
                command[0],
                str(path),
                *(str(folder / f"{seed}{a}") if a.startswith("OUT") else a for a in command[1:]),
            ]
            result = CliRunner().invoke(main, arguments)
            assert result.exception is None or isinstance(result.exception, SystemExit), f"{how}: {command}"
            assert result.exit_code in (0, 1, 2)
        attempt(lambda: yx.save(ds, path))
        attempt(lambda: yx.save(ds.isel(tf=slice(2)), path))
        assert read_files(path) == after, how
    if some and seed % 3:
        shutil.rmtree(path)
        return
    repaired = attempt(lambda: yx.verify(path, repair=True, progress=False))
    if not isinstance(repaired, Exception):
        assert repaired.whole
        assert some or yx.verify(path).whole
        mended = attempt(lambda: yx.open(path).load())
        assert "alien" in how or is_equal(mended, ds), f"{how}: repaired to something else: {mended}"
    shutil.rmtree(path)


def only_user_attrs(before: bytes, after: bytes | None) -> bool:
    """Return whether metadata differs in nothing but attributes of a user's, its format, or whether it is complete."""
    try:
        one, other = json.loads(before), json.loads(after or b"")
        old, new = one.pop("attributes"), other.pop("attributes")
    except (ValueError, KeyError):
        return False
    mine = {"note", "source", "by"}
    return one == other and {k: v for k, v in old.items() if k not in mine}.items() <= new.items()


@pytest.mark.filterwarnings("ignore::zarr.errors.ZarrUserWarning")
def test_corruption__some(original: Path, ds: xr.Dataset, tmp_path: Path) -> None:
    for seed in range(40):
        check_mutation(seed, original, ds, tmp_path, some=True)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::zarr.errors.ZarrUserWarning")
@pytest.mark.parametrize("part", range(10))
def test_corruption__many(part: int, original: Path, ds: xr.Dataset, tmp_path: Path) -> None:
    for seed in range(40 + part, 2040, 10):
        check_mutation(seed, original, ds, tmp_path, some=False)


READERS: dict[str, Callable[[Path], object]] = {
    "values": lambda path: yx.open(path).binding_effect.values,
    "NumPy": lambda path: yx.open(path, chunks=None).binding_effect[:3].values,
    "a part": lambda path: yx.open(path).binding_effect[0, 0].values,
    "dask": lambda path: yx.open(path).binding_effect.data.sum().compute(),
    "sync": lambda path: yx.open(path).binding_effect.compute(scheduler="sync"),
    "tensor": lambda path: yx.open(path).yeast.to_torch(),
    "batches": lambda path: next(iter(yx.Batches(path, 10))),
    "summary": lambda path: yx.qc.summarize(yx.open(path)).load(),
    "check": lambda path: yx.check(yx.open(path)),
    "table": lambda path: yx.open(path).yeast.to_dataframe(),
}
DAMAGE: dict[str, Callable[[Path], object]] = {
    "a flipped bit": lambda file: file.write_bytes(file.read_bytes()[:-5] + b"x" + file.read_bytes()[-4:]),
    "the header": lambda file: file.write_bytes(b"\xff" * 16 + file.read_bytes()[16:]),
    "cut short": lambda file: file.write_bytes(file.read_bytes()[:-9]),
    "another's": lambda file: shutil.copy(file.with_name("1"), file),
    "empty": lambda file: file.write_bytes(b""),
}


@pytest.mark.parametrize("name", READERS)
def test_read__damaged_chunks_are_named(name: str, tmp_path: Path) -> None:
    path = save_simulation(tmp_path / "sim.zarr", **SPEC, chunks={"tf": 2})
    good = (path / "binding_effect/c/0/0").read_bytes()
    for spoil in DAMAGE.values():
        spoil(path / "binding_effect/c/0/0")
        with pytest.raises(
            yx.StoreError, match=r"chunk binding_effect/c/0/0.*yx.verify\(path, repair=True\)"
        ) as caught:
            READERS[name](path)
        assert "\n" not in str(caught.value)
        (path / "binding_effect/c/0/0").write_bytes(good)
    READERS[name](path)


def test_read__damaged_chunks_on_a_cluster(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    path = yx.save(yx.simulate(**SPEC, chunks={"tf": 2}), tmp_path / "sim.zarr", sync=False)
    DAMAGE["another's"](path / "label/c/0/0")
    client = distributed.Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None)
    with client, pytest.raises(yx.StoreError, match="label/c/0/0"):
        yx.open(path).load()


def test_verify__attributes_of_the_users_are_reported_and_stay(original: Path, ds: xr.Dataset, tmp_path: Path) -> None:
    path = tmp_path / "sim.zarr"
    shutil.copytree(original, path)
    root = zarr.open_group(path, mode="r+")
    root.attrs["note"] = "edited"
    root.attrs["project"] = "new"
    del root["gene"].attrs["source"]
    found = yx.verify(path)
    assert found.whole
    assert len(found.changes) == 3
    assert "kept: the attribute 'note' of the root is another one" in repr(found)
    (path / "label/zarr.json").write_text("null")
    root.attrs["seed"] = 6
    assert len(yx.verify(path).problems) == 2
    assert yx.verify(path, repair=True).repaired
    expected = ds.assign_attrs(note="edited", project="new")
    expected.gene.attrs.pop("source")
    assert yx.open(path).load().identical(expected)


@pytest.mark.parametrize("stage", ["restore_documents", "restore_files", "write_missing"])
def test_extend__a_kill_keeps_attributes_of_the_users(
    stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ds = yx.simulate(genes=30, bound=[0.2], n_sample=[4], seed=5)
    path = yx.save(ds.assign_coords(tf=ds.tf.assign_attrs(source="mine")), tmp_path / "sim.zarr", sync=False)
    zarr.open_group(path, mode="r+")["tf"].attrs["later"] = "mine, too"

    def end(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"yeastxr.storage.store.{stage}", end)
        with pytest.raises(KeyboardInterrupt):
            yx.extend(path, bound=[0.3])
    (path / "tf/zarr.json").unlink()  # at the worst moment
    assert yx.verify(path, repair=True).whole
    assert yx.open(path).tf.attrs == {"source": "mine", "later": "mine, too"}


def test_save__names_as_bytes_are_refused(tmp_path: Path) -> None:
    ds = yx.simulate(genes=30, bound=[0.2], n_sample=[4], seed=5)
    for name in ("tf", "note"):
        with pytest.raises(yx.StoreError, match=f"{name} contains bytes; expected numbers or strings"):
            yx.save(ds.assign_coords({name: ("tf", np.array([b"a", b"b", b"c", b"d"]))}), tmp_path / "sim.zarr")
    assert not list(tmp_path.iterdir())
