"""Stores: the round trip, what is refused, and that nothing is lost."""

import hashlib
import json
import shutil
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

import yeastxr as yx
from tests.conftest import leave_pictures_out
from yeastxr import qc
from yeastxr.demo import POPULATION
from yeastxr.schema import FEATURES

NAMES = ["GAL4", "", "ä\n\t", "<script>alert(1)</script>", "a/b", "\x00nul", "酵母", "🍞"]


def made(**extra: object) -> xr.Dataset:
    return yx.simulate(**{**POPULATION, "genes": 60, "max_mean_adjustment": 10.0, "seed": 42, **extra})


def files(path: Path) -> dict[str, bytes]:
    return {str(f.relative_to(path)): f.read_bytes() for f in sorted(path.rglob("*")) if f.is_file()}


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"chunks": {"tf": 3}},
        {"chunks": {"gene": 7, "tf": (1, 9)}},
        {"replicates": 3},
        {"replicates": 3, "chunks": {"replicate": 2, "tf": 4}},
        {"tfs": [*NAMES, "x", "y"], "genes": [f"{name}{i}" for i in range(5) for name in NAMES]},
        {"tf_relationships": {0: [1, yx.Or(2, yx.Not(3))]}},
    ],
    ids=str,
)
def test_save__round_trip(tmp_path: Path, extra: dict[str, object]) -> None:
    ds = made(**extra)
    back = yx.open(yx.save(ds, tmp_path / "sim.zarr"))
    assert all(back[feature.name].chunks for feature in FEATURES)
    loaded, whole = back.compute(), ds.compute()
    xr.testing.assert_identical(loaded, whole)
    assert list(loaded.data_vars) == list(whole.data_vars)
    for name in whole.variables:
        assert loaded[name].dtype == whole[name].dtype, name
        assert loaded[name].dims == whole[name].dims, name
    assert yx.spec_of(back) == yx.spec_of(ds)
    xr.testing.assert_identical(yx.spec_of(back).simulate(), whole)


def test_open__several_chunks_go_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_pictures_out(monkeypatch)
    ds = made(genes=300, tf_relationships={0: [1, yx.Or(2, yx.Not(3))]}).assign_coords(
        level=("gene", np.arange(300.0)), weight=(("gene", "tf"), np.ones((300, 10)))
    )
    back = yx.open(yx.save(ds.chunk({"tf": 3}), tmp_path / "sim.zarr"))
    assert back["label"].chunks == ((300,), (3, 3, 3, 1))
    assert back["level"].chunks is None
    assert back.drop_vars("weight").chunksizes["tf"] == (3, 3, 3, 1)
    assert yx.check(back).passed
    xr.testing.assert_identical(qc.summarize(back).compute(), qc.summarize(ds))
    xr.testing.assert_identical(
        yx.adjusted_pairs(back.label, ds.yeast.spec.tf_relationships).compute(),
        yx.adjusted_pairs(ds.label, ds.yeast.spec.tf_relationships),
    )
    xr.testing.assert_identical(yx.open(yx.save(back, tmp_path / "again.zarr")).load(), ds)
    back.yeast.report(tmp_path / "qc.html")


@pytest.mark.parametrize("extra", [{}, {"replicates": 2}], ids=["plain", "replicates"])
def test_open__a_chunk_that_is_missing_is_not_read_as_zeros(tmp_path: Path, extra: dict[str, int]) -> None:
    path = yx.save(made(**extra), tmp_path / "sim.zarr")
    chunk = "/".join("0" * (2 + len(extra)))
    (path / "label" / "c" / chunk).unlink()
    message = f"which is missing the chunk label/c/{chunk}; verify lists missing"
    for chunks in ("stored", None):
        with pytest.raises(yx.StoreError, match=message):
            yx.open(path, chunks=chunks).load()
    with pytest.raises(yx.StoreError, match=message):
        next(iter(yx.Batches(path, 10, x="label", y="label")))
    assert not yx.open(path, incomplete=True).label.values.reshape(-1, 60, 10)[0].any()
    assert yx.open(path).binding_effect.load().sizes == made(**extra).binding_effect.sizes
    assert yx.verify(path, repair=True).whole
    xr.testing.assert_identical(yx.open(path).load(), made(**extra))


UNICODE = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)  # half a surrogate pair is no text


@settings(max_examples=8)
@given(names=st.lists(UNICODE, min_size=1, max_size=4, unique=True))
def test_save__any_text_as_a_name(names: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("names")
    ds = yx.simulate(genes=4, bound=[0.5], n_sample=[len(names)], tfs=names, seed=1)
    back = yx.open(yx.save(ds, folder / "sim.zarr"))
    assert list(back["tf"].values) == names
    xr.testing.assert_identical(back.compute(), ds)


@settings(max_examples=6)
@given(
    gene=st.integers(20, 60),
    tf=st.integers(3, 10),
    again_gene=st.integers(20, 60),
    again_tf=st.integers(3, 10),
    part=st.slices(10),
)
def test_save__subset_rechunk_save(
    gene: int, tf: int, again_gene: int, again_tf: int, part: slice, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("again")
    ds = made()
    first = yx.open(yx.save(ds.chunk(gene=gene, tf=tf), folder / "first.zarr"))
    subset = first.isel(tf=part)
    if subset.sizes["tf"] == 0:
        with pytest.raises(yx.SchemaError, match="length 0 along 'tf'"):
            yx.save(subset, folder / "second.zarr")
        assert not (folder / "second.zarr").exists()
        return
    second = yx.open(yx.save(subset.chunk(gene=again_gene, tf=again_tf), folder / "second.zarr"))
    xr.testing.assert_identical(second.compute(), ds.isel(tf=part))
    third = yx.open(yx.save(second.isel(gene=slice(3, None, 2)), folder / "third.zarr"))
    xr.testing.assert_identical(third.compute(), ds.isel(tf=part, gene=slice(3, None, 2)))


def test_save__caller_unchanged(tmp_path: Path) -> None:
    for ds in (made(), made(chunks={"tf": 3}), yx.open(yx.save(made(), tmp_path / "a.zarr"))):
        attrs, encoding = json.dumps(ds.attrs), {name: str(v.encoding) for name, v in ds.variables.items()}
        before = ds.copy(deep=True)
        yx.save(ds, tmp_path / "b.zarr", overwrite=True)
        xr.testing.assert_identical(ds, before)
        assert json.dumps(ds.attrs) == attrs
        assert {name: str(v.encoding) for name, v in ds.variables.items()} == encoding


def test_save__dims_in_any_order_and_features_selected(tmp_path: Path) -> None:
    ds = made(replicates=2).transpose("feature", "tf", "gene", "replicate")
    back = yx.open(yx.save(ds.sel(feature=["label", "binding_effect"]), tmp_path / "sim.zarr"))
    assert back["label"].dims == ("replicate", "gene", "tf")
    assert list(back["feature"].values) == ["label", "binding_effect"]
    scalar = yx.open(yx.save(made().sel(feature="label"), tmp_path / "scalar.zarr"))
    assert scalar.yeast.to_torch().shape == (60, 10)


def test_save__coordinates_of_the_users(tmp_path: Path) -> None:
    ds = made().assign_coords(split=("gene", np.array(["train", "test"] * 30, dtype=np.dtypes.StringDType())))
    xr.testing.assert_identical(yx.open(yx.save(ds, tmp_path / "sim.zarr")).compute(), ds)


def test_save__plain_readers_see_the_schema(tmp_path: Path) -> None:
    path = yx.save(made(), tmp_path / "sim.zarr")
    plain = xr.open_zarr(path, consolidated=False)
    group = zarr.open_group(path, mode="r")
    for feature in FEATURES:
        assert plain[feature.name].dtype == group[feature.name].dtype == feature.dtype
        assert plain[feature.name].dims == ("gene", "tf")
        assert group[feature.name].metadata.zarr_format == 3


def test_save__no_chunk_is_left_out(tmp_path: Path) -> None:
    path = yx.save(made(bound=[0.0], n_sample=[10], chunks={"tf": 5}), tmp_path / "sim.zarr")
    assert len(list((path / "label" / "c").rglob("*"))) == 3  # one row of two chunks, all False


def test_save__default_chunks(tmp_path: Path) -> None:
    path = yx.save(made(genes=6600, n_sample=[1, 1, 1, 1, 596]), tmp_path / "sim.zarr")
    assert zarr.open_group(path, mode="r")["binding_effect"].chunks == (6600, 500)


def test_save__encoding(tmp_path: Path) -> None:
    path = yx.save(made(), tmp_path / "sim.zarr", encoding={"binding_effect": {"compressors": None}})
    assert zarr.open_group(path, mode="r")["binding_effect"].compressors == ()
    for encoding, message in [({"bindng_effect": {}}, "did you mean 'binding_effect'"), ("zstd", "expected a dict")]:
        with pytest.raises(yx.InputError, match=message):
            yx.save(made(), tmp_path / "other.zarr", encoding=encoding)
    assert not (tmp_path / "other.zarr").exists()


def test_save__existing_store_is_kept(tmp_path: Path) -> None:
    path = yx.save(made(), tmp_path / "sim.zarr")
    before = files(path)
    with pytest.raises(FileExistsError, match=r"sim\.zarr.*already exists.*overwrite"):
        yx.save(made(seed=1), path)
    assert files(path) == before
    yx.save(made(seed=1), path, overwrite=True)
    assert yx.spec_of(yx.open(path)).seed == 1
    assert [path.name for path in tmp_path.iterdir()] == ["sim.zarr"]


@pytest.mark.parametrize("kind", ["file", "folder", "zarr group", "link"])
def test_save__never_replaces_what_is_not_its_own(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "mine"
    match kind:
        case "file":
            path.write_text("mine")
        case "folder":
            path.mkdir()
            (path / "precious").write_text("mine")
        case "zarr group":
            zarr.create_group(path)
        case "link":
            path.symlink_to(tmp_path / "nowhere")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(yx.InputError, match="not a yeastxr store"):
        yx.save(made(), path, overwrite=True)
    assert sorted(tmp_path.rglob("*")) == before


def test_save__into_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "sim.zarr").mkdir()
    assert yx.verify(yx.save(made(), tmp_path / "sim.zarr")).whole


def test_save__onto_the_store_that_it_reads(tmp_path: Path) -> None:
    ds = made()
    path = yx.save(ds, tmp_path / "sim.zarr")
    yx.save(yx.open(path).isel(tf=[3, 1]), path, overwrite=True)
    xr.testing.assert_identical(yx.open(path).compute(), ds.isel(tf=[3, 1]))


@pytest.mark.parametrize("overwrite", [False, True], ids=["fresh", "overwrite"])
def test_save__failure_keeps_what_was_there_and_what_was_made(tmp_path: Path, overwrite: bool) -> None:
    path = tmp_path / "sim.zarr"
    ds = made(seed=1, chunks={"tf": 2}).drop_attrs(deep=False)
    whole = files(yx.save(ds, tmp_path / "whole.zarr"))
    if overwrite:
        yx.save(made(), path)
    before = files(path)
    interrupted = {"ends": True}

    def broken(block: np.ndarray, block_id: tuple[int, ...]) -> np.ndarray:
        if interrupted["ends"] and block_id[1] >= 2:
            raise KeyboardInterrupt
        return block

    bad = da.map_blocks(broken, ds["label"].data, dtype=bool, meta=np.empty((0, 0), bool))
    lazy = ds.assign(label=ds["label"].copy(data=bad))
    with pytest.raises(KeyboardInterrupt):
        yx.save(lazy, path, overwrite=overwrite)
    if overwrite:
        assert files(path) == before
    else:
        with pytest.raises(yx.InputError, match="incomplete"):
            yx.open(path)
        assert yx.open(path, incomplete=True).sizes["tf"] == 10
    interrupted["ends"] = False
    yx.save(lazy, path, overwrite=overwrite)
    xr.testing.assert_identical(yx.open(path).compute(), ds.compute())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["sim.zarr", "whole.zarr"]
    assert set(files(path)) == set(whole)


def test_save__bad_dataset_writes_nothing(tmp_path: Path) -> None:
    for bad, message in [
        (made().drop_vars("label"), "has no variable 'label'"),
        (made().assign(label=made()["label"].astype("int8")), "label has dtype int8; expected bool"),
        (made().rename(gene="genes"), "no dimension 'gene'"),
        (made().assign_coords(odd=("gene", np.array([object()] * 60))), "odd contains"),
    ]:
        with pytest.raises(yx.InputError, match=message):
            yx.save(bad, tmp_path / "deep" / "sim.zarr")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("store", [3, None, "", "gopher://bucket/sim.zarr", b"sim.zarr"], ids=repr)
def test_save__no_path(store: object) -> None:
    with pytest.raises(yx.InputError, match="expected a path, a URL such as"):
        yx.save(made(), store)


def test_save__file_url_and_missing_folders(tmp_path: Path) -> None:
    path = tmp_path / "some folder" / "deeper" / "sim.zarr"
    assert yx.save(made(), path.as_uri()) == path
    assert yx.open(path.as_uri()).sizes["gene"] == 60


def test_open__chunks(tmp_path: Path) -> None:
    path = yx.save(made(), tmp_path / "sim.zarr")
    assert yx.open(path, chunks=None)["label"].chunks is None
    assert yx.open(path, chunks={"tf": 4})["label"].chunks == ((60,), (4, 4, 2))


def test_open__is_lazy(tmp_path: Path, no_compute: None) -> None:
    with dask.config.set(scheduler="threads"):
        path = yx.save(made(), tmp_path / "sim.zarr")
    yx.open(path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ("nothing there", "does not exist"),
        ("a file", "not a zarr store"),
        ("a folder", "not a zarr store"),
        ("zarr of another kind", "of another program"),
        ("no mark", "of another program"),
        ("unfinished", "incomplete; save the same dataset again"),
        ("a variable gone", "the metadata of binding_effect is missing or damaged"),
        ("metadata broken", "not a zarr store"),
        ("metadata of an array broken", "can't be read"),
    ],
)
def test_open__refused(tmp_path: Path, spoil: str, message: str) -> None:
    path = tmp_path / "sim.zarr"
    if spoil not in ("nothing there", "a file", "a folder", "zarr of another kind"):
        yx.save(made(), path)
    meta = path / "zarr.json"
    match spoil:
        case "a file":
            path.write_text("x")
        case "a folder":
            path.mkdir()
        case "zarr of another kind":
            zarr.create_group(path)
        case "no mark":
            text = json.loads(meta.read_text())
            del text["attributes"]["yeastxr_complete"]
            meta.write_text(json.dumps(text))
        case "unfinished":
            meta.write_text(meta.read_text().replace('"yeastxr_complete": true', '"yeastxr_complete": false'))
        case "a variable gone":
            shutil.rmtree(path / "binding_effect")
        case "metadata broken":
            meta.write_text("{")
        case "metadata of an array broken":
            (path / "label" / "zarr.json").write_text("{")
    with pytest.raises(yx.InputError, match=message) as caught:
        yx.open(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names__escaped_in_html() -> None:
    ds = made(tfs=[*NAMES, "x", "y"])
    assert "<script>" not in ds._repr_html_()
    assert "<script>" not in ds["label"]._repr_html_()


STORE_HASHES = {
    "plain": "37bfef9fc0d5f1fe",
    "replicates": "b161a9faedb52e01",
}


@pytest.mark.parametrize("name", STORE_HASHES)
def test_save__bytes_of_a_store_stay_the_same(name: str, tmp_path: Path) -> None:
    extra = {"replicates": 2} if name == "replicates" else {}
    ds = made(**extra, chunks={"tf": 4, "gene": 25})  # with blocks that the end cuts short
    path = yx.save(ds.assign_attrs(yeastxr_version="1"), tmp_path / "sim.zarr")
    sha = hashlib.sha256()
    for key, data in files(path).items():
        sha.update(f"{key} {len(data)} ".encode() + data)
    assert sha.hexdigest()[:16] == STORE_HASHES[name]


@pytest.mark.parametrize(
    "encoding",
    [
        {"compressors": None},
        {"filters": None},
        {"chunks": (30, 2)},
        {"chunks": (15, 1), "shards": (30, 2)},
        {"serializer": zarr.codecs.BytesCodec(endian="big")},
        {"compressors": (zarr.codecs.BloscCodec(cname="zstd"), zarr.codecs.Crc32cCodec())},
        {"fill_value": 7},
    ],
    ids=lambda encoding: ", ".join(encoding),
)
def test_save__any_codecs(encoding: dict, tmp_path: Path) -> None:
    path = yx.save(made(chunks={"tf": 2, "gene": 30}), tmp_path / "sim.zarr", encoding={"binding_effect": encoding})
    xr.testing.assert_identical(yx.open(path).compute(), made())
    assert yx.verify(path, against="spec").whole
    chunk = next(file for file in (path / "binding_effect").rglob("c/*/*") if file.is_file())
    chunk.write_bytes(chunk.read_bytes()[:-1] + b"\x55")
    assert not yx.verify(path).whole
    chunk.unlink()
    assert any("missing" in problem for problem in yx.verify(path).problems)
    assert yx.verify(path, repair=True).whole


@pytest.mark.parametrize(
    ("encoding", "message"),
    [({"chunks": (7, 2)}, None), ({"dtype": "f8"}, "'dtype'"), ({"chunks": (60,)}, "one length for each of")],
    ids=str,
)
def test_save__encodings_that_do_not_fit(encoding: dict, message: str | None, tmp_path: Path) -> None:
    if message is None:  # two features of different chunks
        with pytest.raises(yx.InputError, match="divide the blocks"):
            yx.save(made(), tmp_path / "x.zarr", encoding={"label": {"chunks": (60, 3)}, "binding_effect": encoding})
    else:
        with pytest.raises(yx.InputError, match=message):
            yx.save(made(), tmp_path / "x.zarr", encoding={"binding_effect": encoding})
    assert not (tmp_path / "x.zarr").exists()


def test_progress__bar_where_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    yx.save(made(), tmp_path / "quiet.zarr")
    assert capsys.readouterr().err == ""
    yx.save(made(chunks={"tf": 1}), tmp_path / "loud.zarr", progress=True)
    assert "writing" in (err := capsys.readouterr().err)
    assert "pairs/s" in err
    with pytest.raises(yx.InputError, match="progress is 'yes'"):
        yx.save(made(), tmp_path / "x.zarr", progress="yes")
