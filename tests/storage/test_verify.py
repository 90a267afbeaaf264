"""Verification and repair: each kind of damage is found, named, mended, and nothing else is touched."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import example, given, settings
from hypothesis import strategies as st

import yeastxr as yx
from tests.conftest import save_simulation
from tests.storage.hooked import HookedStore, hook
from tests.storage.test_writer import files
from yeastxr.demo import BOOLEAN_RELATIONS, POPULATION
from yeastxr.schema import FEATURE_NAMES

SPEC = {**POPULATION, "genes": 90, "max_mean_adjustment": 10.0, "tf_relationships": BOOLEAN_RELATIONS, "seed": 42}
CHUNKS = {"tf": 2, "gene": 40}


def made(**extra: object) -> xr.Dataset:
    return yx.simulate(**{**SPEC, "chunks": CHUNKS, **extra})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return save_simulation(tmp_path / "sim.zarr", **SPEC, chunks=CHUNKS)


def flip(file: Path, at: int = -3) -> None:
    data = bytearray(file.read_bytes())
    data[at] ^= 0x10
    file.write_bytes(data)


def swap(one: Path, other: Path) -> None:
    a, b = one.read_bytes(), other.read_bytes()
    one.write_bytes(b)
    other.write_bytes(a)


FAULTS = {
    "one byte flipped": (lambda c: flip(c / "0/1"), {"0.1": "damaged"}),
    "the first byte flipped": (lambda c: flip(c / "0/1", 0), {"0.1": "damaged"}),
    "cut short": (lambda c: (c / "1/3").write_bytes((c / "1/3").read_bytes()[:-20]), {"1.3": "damaged"}),
    "empty": (lambda c: (c / "1/3").write_bytes(b""), {"1.3": "damaged"}),
    "deleted": (lambda c: (c / "2/4").unlink(), {"2.4": "missing"}),
    "swapped": (lambda c: swap(c / "0/0", c / "0/1"), {"0.0": "damaged", "0.1": "damaged"}),
    "another's": (lambda c: (c / "0/0").write_bytes((c / "1/0").read_bytes()), {"0.0": "damaged"}),
}


@pytest.mark.parametrize(
    ("fault", "feature"),
    [("one byte flipped", "perturbation_pvalue"), *zip(FAULTS, itertools.cycle(["label", "perturbation_pvalue"]))],
)
def test_verify__finds_names_and_mends(fault: str, feature: str, path: Path) -> None:
    before = files(path)
    spoil, expected = FAULTS[fault]
    spoil(path / feature / "c")
    for against in ("digests", "spec"):
        found = yx.verify(path, against=against)
        assert not found.whole
        assert len(found.problems) == len(expected)
        for block, kind in expected.items():
            assert any(p.startswith(f"{feature}, block {block} (gene ") and p.endswith(kind) for p in found.problems)
    against = "spec" if feature == "label" else "digests"
    others = {name: f.stat().st_mtime_ns for name in before if (f := path / name).exists()}
    assert yx.verify(path, against=against, repair=True).repaired
    assert files(path) == before
    assert yx.verify(path, against=against).whole
    touched = {name for name, when in others.items() if (path / name).stat().st_mtime_ns != when}
    assert {name.split("/")[0] for name in touched} <= {feature, "yeastxr", "zarr.json"}


def test_verify__against_the_spec_finds_what_was_altered_on_purpose(path: Path) -> None:
    import yeastxr.storage.layout as layout
    from yeastxr.storage.location import locate

    array = zarr.open_array(path, path="binding_effect", mode="r+")
    values = array[:40, :2]
    values[3, 1] += 1
    array[:40, :2] = values
    records = layout.Records.read(locate(path))
    records.digests[1, 0, 0] = layout.digest(values)
    place = records.rows.find("binding_effect/c/0/0")
    records.digests[(place[0], *place[1])] = layout.digest_bytes((path / "binding_effect/c/0/0").read_bytes())
    records.update(locate(path))
    assert yx.verify(path).whole  # the digest was altered with the values
    found = yx.verify(path, against="spec")
    assert [p.split(" (")[0] for p in found.problems] == ["binding_effect, block 0.0"]
    assert yx.verify(path, against="spec", repair=True).repaired
    xr.testing.assert_identical(yx.open(path).compute(), made().compute())


def test_verify__coordinates(path: Path) -> None:
    zarr.open_array(path, path="tf", mode="r+")[3] = 77
    found = yx.verify(path)
    assert found.problems == ("tf/c/0: missing, damaged or unexpected",)
    assert yx.verify(path, repair=True).whole
    xr.testing.assert_identical(yx.open(path).compute(), made().compute())


def test_verify__no_simulation(tmp_path: Path) -> None:
    path = yx.save(made().isel(tf=slice(4)), tmp_path / "part.zarr")
    assert yx.verify(path).whole
    for options in ({"against": "spec"}, {"repair": True}):
        with pytest.raises(yx.InputError, match=r"has length 4 along 'tf'.*expected a complete simulation"):
            yx.verify(path, **options)
    path = yx.save(made().drop_attrs(deep=False), tmp_path / "bare.zarr")
    flip(path / "label/c/0/0")
    assert not yx.verify(path)
    with pytest.raises(yx.InputError, match="no specification"):
        yx.verify(path, repair=True)


@pytest.mark.parametrize(
    ("attrs", "message"),
    [
        ({"made_of": 3}, "records can't be read"),
        ({"blocks": {"gene": "x"}}, "records can't be read"),
        ({"blocks": {"gene": 1, "tf": 1}}, "records can't be read"),
    ],
)
def test_verify__records_of_the_wrong_kind(attrs: dict, message: str, path: Path) -> None:
    zarr.open_group(path, path="yeastxr", mode="r+").attrs.update(attrs)
    with pytest.raises(yx.InputError, match=message):
        yx.verify(path)


@pytest.mark.parametrize(
    "bad",
    [3, "x", "[]", "{", '{"genes": -1}', "[" * 100_000, '{"genes": 1e99, "bound": [0.1]}', {"a": 1}, "x" * 10**6],
    ids=lambda bad: str(bad)[:20],
)
def test_open__attrs_of_the_wrong_kind(bad: object, path: Path) -> None:
    ds = yx.open(path).assign_attrs(specification=bad)
    zarr.open_group(path, mode="r+").attrs["specification"] = bad
    for read in (lambda: yx.open(path), lambda: yx.spec_of(ds)):
        with pytest.raises(yx.InputError) as caught:
            read()
        assert len(str(caught.value)) < 500
    assert [problem for problem in yx.verify(path).problems if "'specification' of the root" in problem]
    yx.verify(path, repair=True)
    xr.testing.assert_identical(yx.open(path).load(), made().load())


def test_open__runs_no_code_of_a_store(path: Path) -> None:
    file = path / "label" / "zarr.json"
    metadata = json.loads(file.read_text())
    metadata["codecs"].insert(0, {"name": "numcodecs.pickle", "configuration": {}})
    file.write_text(json.dumps(metadata))
    with pytest.raises(yx.InputError, match=r"can't be read|is refused"):
        yx.open(path)


@example(gene=90, tf=1, replicate=1)
@example(gene=6, tf=10, replicate=2)
@settings(max_examples=4)
@given(gene=st.integers(30, 90), tf=st.integers(3, 10), replicate=st.integers(1, 2))
def test_save__any_blocks_give_the_same_values(
    gene: int, tf: int, replicate: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ds = made(replicates=2, chunks={"gene": gene, "tf": tf, "replicate": replicate})
    path = yx.save(ds, tmp_path_factory.mktemp("any") / "sim.zarr")
    xr.testing.assert_identical(yx.open(path).compute(), made(replicates=2, chunks=None))
    assert yx.verify(path).whole


@pytest.mark.parametrize("extra", [{}, {"replicates": 2}], ids=["plain", "replicates"])
@pytest.mark.parametrize("cut", [5, 3], ids=["even blocks", "a last block cut short"])
def test_extend__equals_the_larger_simulation(cut: int, extra: dict, tmp_path: Path) -> None:
    path = yx.save(made(**extra, chunks={"tf": cut}), tmp_path / "sim.zarr")
    old = {name: f.stat().st_mtime_ns for name in files(path) if "/c/" in name and (f := path / name)}
    yx.extend(path, bound=[0.5, 0.9], n_sample=[3, 1], tf_relationships={10: [0, yx.Not(11)]})
    relations = {**BOOLEAN_RELATIONS, 10: [0, yx.Not(11)]}
    larger = {"bound": [*POPULATION["bound"], 0.5, 0.9], "n_sample": [*POPULATION["n_sample"], 3, 1]}
    expected = made(**extra, **larger, tf_relationships=relations, chunks=None)
    xr.testing.assert_identical(yx.open(path).compute(), expected)
    assert yx.verify(path, against="spec").whole
    for name, when in old.items():
        feature, last = name.split("/")[0], int(name.split("/")[-1])
        if feature in FEATURE_NAMES and (last + 1) * cut <= 10:
            assert (path / name).stat().st_mtime_ns == when, name
    if extra:
        yx.extend(path, replicates=3)
        expected = made(replicates=3, **larger, tf_relationships=relations, chunks=None)
        xr.testing.assert_identical(yx.open(path).compute(), expected)


def test_extend__coordinates_of_the_users_are_not_lost(tmp_path: Path) -> None:
    path = yx.save(made().assign_coords(split=("tf", np.arange(10))), tmp_path / "sim.zarr")
    before = files(path)
    with pytest.raises(yx.InputError, match=r"additional coordinates \(split\)"):
        yx.extend(path, bound=[0.5])
    assert files(path) == before
    assert yx.verify(path).whole


def test_extend__the_same_call_again_changes_nothing(tmp_path: Path) -> None:
    spec = yx.SimulationSpec(genes=20, tfs=["a"], bound=[0.5], replicates=1, seed=1)
    for name, ds in {"sim": spec.simulate(chunks="auto"), "sweep": yx.sweep(spec, bound_mean=[3, 5])}.items():
        path = yx.save(ds, tmp_path / f"{name}.zarr")
        for more in ({"bound": [0.2, 0.5], "tfs": ["b", "c"]}, {"replicates": 3}):
            yx.extend(path, **more)
            before = files(path)
            yx.extend(path, **more)
            assert files(path) == before
        for refused in ({"bound": [0.3], "tfs": ["b"]}, {"bound": [0.2, 0.5], "tfs": ["b", "c"]}):
            with pytest.raises(yx.InputError, match="'b' more than once"):
                yx.extend(path, **refused)
        assert yx.open(path).sizes["tf"] == 3


def test_extend__interrupted(path: Path) -> None:
    def stop(key: str) -> None:
        if key == "label/c/2/6":
            raise InterruptedError

    with hook(before=stop), pytest.raises(InterruptedError):
        yx.extend(HookedStore(path), bound=[0.5], n_sample=[4])
    with pytest.raises(yx.InputError, match="incomplete"):
        yx.open(path)
    assert yx.verify(path, repair=True).whole
    larger = {"bound": [*POPULATION["bound"], 0.5], "n_sample": [*POPULATION["n_sample"], 4]}
    xr.testing.assert_identical(yx.open(path).compute(), made(**larger, chunks=None))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "nothing to add"),
        ({"bound": [2.0]}, r"bound\[0\] is 2.0"),
        ({"bound": [0.5], "tfs": ["GAL4"]}, "expected no names"),
        ({"n_sample": [3]}, "bound is missing"),
        ({"replicates": 2}, "no such dimension"),
        ({"bound": 0.5}, "bound is 0.5"),
        ({"bound": [0.5], "n_sample": 3}, "n_sample is 3"),
        ({"bound": [0.5], "n_sample": [3, 4]}, "expected the same number"),
        ({"bound": [0.5], "tf_relationships": [10]}, "expected a dict"),
        ({"bound": [0.5], "tf_relationships": {0: [10]}}, "already exists"),
        ({"bound": [0.5], "tf_relationships": {10: [11]}}, "unknown"),
    ],
    ids=str,
)
def test_extend__refused(asked: dict, message: str, path: Path) -> None:
    before = files(path)
    with pytest.raises(yx.InputError, match=message):
        yx.extend(path, **asked)
    assert files(path) == before


@pytest.mark.parametrize("chunks", [None, {"tf": 2}], ids=["numpy", "dask"])
def test_sweep__variables_without_its_dims_are_verified_repaired_and_extended(chunks: object, tmp_path: Path) -> None:
    spec = yx.SimulationSpec(genes=40, bound=[0.4], n_sample=[4], max_mean_adjustment=9.0, replicates=2, seed=1)
    grid = {"method": {"none": {}, "binding": {}, "related": {"tf_relationships": {0: [1]}}}, "bound_std": [1.0, 2.0]}
    ds = yx.sweep(spec, **grid, chunks=chunks)
    path = yx.save(ds, tmp_path / "sweep.zarr")
    assert len([file for file in (path / "label" / "c").rglob("*") if file.is_file()]) == (4 if chunks else 2)
    opened = yx.open(path)
    xr.testing.assert_identical(opened.compute(), ds.compute())
    assert opened["label"].dims == ("replicate", "gene", "tf")
    assert yx.verify(path, against="spec").whole
    assert yx.verify(path).blocks["label"] == ((4, 4, 0, 0) if chunks else (2, 2, 0, 0))
    for name, change in (("label", Path.unlink), ("perturbation_effect", flip)):
        change(sorted(file for file in (path / name / "c").rglob("*") if file.is_file())[-1])
    problems = yx.verify(path).problems
    assert [problem.partition(",")[0] for problem in problems] == ["label", "perturbation_effect"]
    assert "method" not in problems[0]
    assert "method 2:3" in problems[1]
    assert yx.verify(path, repair=True).repaired
    assert yx.verify(path, against="spec").whole
    if chunks is None:
        return
    assert yx.save(ds, path) == path  # there already
    yx.extend(path, bound=[0.2], replicates=3)
    larger = replace(spec, bound=[0.4, 0.2], n_sample=[4, 1], replicates=3)
    xr.testing.assert_identical(yx.open(path).compute(), yx.sweep(larger, **grid).compute())
    point = yx.save(yx.open(path).sel({"method": "related", "bound_std": 2.0}), tmp_path / "point.zarr")
    assert yx.verify(point, against="spec").whole
    swept = yx.save(yx.sweep(spec, bound=[[0.3], [0.4]], chunks=chunks), tmp_path / "bound.zarr")
    assert not yx.open(swept)["bound_fraction"].chunks
    with pytest.raises(yx.InputError, match="bound can't be used with a sweep over bound"):
        yx.extend(swept, bound=[0.2])
    before = files(path)
    with pytest.raises(yx.InputError, match=r"tf_relationships can't be used, .* along method; expected new TFs"):
        yx.extend(path, bound=[0.2], tf_relationships={5: [0]})
    assert files(path) == before
