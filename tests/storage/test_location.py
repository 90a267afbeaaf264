"""Where a store can lie, and who can compute it: memory, zip files, S3, icechunk; threads, processes, a cluster."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.storage import LocalStore, MemoryStore

import yeastxr as yx
from tests.storage.test_writer import files

ASKED = {"genes": 200, "bound": [0.2], "n_sample": [30], "max_mean_adjustment": 10.0, "seed": 3}


def made(**extra: object) -> xr.Dataset:
    return yx.simulate(**{**ASKED, "chunks": {"tf": 4}, **extra})


@pytest.mark.parametrize("kind", ["memory URL", "memory store", "local store", "file URL"])
def test_places__save_open_verify_extend(kind: str, tmp_path: Path) -> None:
    places = {
        "memory URL": f"memory://{tmp_path.name}/sim.zarr",
        "memory store": MemoryStore(),
        "local store": LocalStore(tmp_path / "a.zarr"),
        "file URL": (tmp_path / "b.zarr").as_uri(),
    }
    place = places[kind]
    yx.save(made(), place)
    yx.save(made(), place)  # the same simulation is there
    with pytest.raises(FileExistsError, match="already exists"):
        yx.save(made(seed=4), place)
    xr.testing.assert_identical(yx.open(place).compute(), made().compute())
    yx.save(made(seed=4), place, overwrite=True)
    assert yx.verify(place, against="spec").whole
    yx.extend(place, bound=[0.5])
    assert yx.open(place).sizes["tf"] == 31


def test_zip__is_read(tmp_path: Path) -> None:
    path = yx.save(made(), tmp_path / "sim.zarr")
    packed = shutil.make_archive(str(tmp_path / "sim.zarr"), "zip", path)
    xr.testing.assert_identical(yx.open(packed).compute(), made().compute())
    assert yx.verify(packed).whole
    with pytest.raises(yx.InputError, match="zip files are read-only"):
        yx.save(made(), packed)
    (tmp_path / "bad.zip").write_bytes(b"not a zip file")
    for name, message in [("bad.zip", "not a zarr store"), ("none.zip", "does not exist")]:
        with pytest.raises(yx.InputError, match=message):
            yx.open(tmp_path / name)


def test_icechunk__a_session(tmp_path: Path) -> None:
    icechunk = pytest.importorskip("icechunk", reason="icechunk is not installed")
    repository = icechunk.Repository.create(icechunk.local_filesystem_storage(str(tmp_path / "repo")))
    session = repository.writable_session("main")
    yx.save(made(), session.store)
    session.commit("a simulation")
    store = repository.readonly_session("main").store
    xr.testing.assert_identical(yx.open(store).compute(), made().compute())
    assert yx.verify(store, against="spec").whole


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, object]]:
    """Start an S3 server on this machine and make a bucket."""
    moto_server = pytest.importorskip("moto.server", reason="moto is not installed")
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed")
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=f"http://{host}:{port}", **keys).create_bucket(Bucket="bucket")
    yield {
        "endpoint": f"http://{host}:{port}",
        "access_key_id": "x",
        "secret_access_key": "x",
        "region": "us-east-1",
        "client_options": {"allow_http": True},
    }
    server.stop()


S3_WRITER = """
import asyncio, json, sys
import obstore, zarr
import yeastxr as yx
count = []
class Counting(zarr.storage.WrapperStore):
    async def set(self, key, *args, **options):
        if key.startswith("label/c/"):
            count.append(key)
        if len(count) == 4:
            print("half-way", flush=True)
            await asyncio.sleep(1000)
        await super().set(key, *args, **options)
place = obstore.store.from_url("s3://bucket/sim.zarr", **json.loads(sys.argv[2]))
yx.save(yx.simulate(**json.loads(sys.argv[1])), Counting(zarr.storage.ObjectStore(place)))
"""


def test_s3__save_kill_resume_open_verify(s3: dict[str, object]) -> None:
    asked = json.dumps({**ASKED, "chunks": {"tf": 4}})
    process = subprocess.Popen(
        [sys.executable, "-c", S3_WRITER, asked, json.dumps(s3)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "YEASTXR_RECORD_SECONDS": "0"},
    )
    assert process.stdout.readline() == "half-way\n"
    time.sleep(0.5)  # the other thread's block is written in the meantime
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    url = "s3://bucket/sim.zarr"
    with pytest.raises(yx.InputError, match="incomplete"):
        yx.open(url, storage_options=s3)
    written = yx.verify(url, storage_options=s3).blocks["label"][1]
    assert 0 < written < 8
    yx.save(made(), url, storage_options=s3)
    xr.testing.assert_identical(yx.open(url, storage_options=s3).compute(), made().compute())
    assert yx.verify(url, against="spec", storage_options=s3).whole


@pytest.mark.parametrize("url", ["s3://", "gopher://x/y", "s3"], ids=str)
def test_urls__refused_in_one_sentence(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(yx.InputError) as caught:
        yx.open(url)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that can't be written to, /proc")
def test_save__where_nothing_can_be_written() -> None:
    with pytest.raises(yx.InputError, match="not writable"):
        yx.save(made(), "/proc/sim.zarr")


def test_cloud__not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(yx.InputError, match=r"pip install 'yeastxr\[cloud\]'"):
        yx.open("s3://bucket/sim.zarr")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Start a cluster of two workers of one thread each."""
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        yield cluster


@pytest.fixture
def client(cluster: Any) -> Iterator[Any]:
    with cluster.get_client() as client:
        yield client


def test_cluster__another_folder_own_memory_and_nested_tasks(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path.cwd()  # that of the workers
    before = sorted(folder.iterdir())
    monkeypatch.chdir(tmp_path)
    assert yx.verify(yx.save(made(), "sim.zarr"))
    assert [path.name for path in tmp_path.iterdir()] == ["sim.zarr"]
    assert sorted(folder.iterdir()) == before
    for store in (MemoryStore(), "memory://sim.zarr"):
        with pytest.raises(yx.StoreError, match="other processes"):
            yx.save(made(), store)

    def nested(name: str) -> bool:
        ds = yx.simulate(genes=100, bound=[0.1], n_sample=[3], seed=1, chunks={"tf": 1})
        return yx.verify(yx.save(ds, f"{tmp_path}/{name}.zarr"), against="spec").whole

    assert client.gather(client.map(nested, ["a", "b"])) == [True, True]  # of as many tasks as there are threads


def test_cluster__a_worker_killed_half_way_costs_only_its_blocks(client: Any, tmp_path: Path) -> None:
    with dask.config.set(scheduler="threads"):
        whole = files(yx.save(made(n_sample=[120]), tmp_path / "threads.zarr"))
    path = tmp_path / "cluster.zarr"
    victim = min(client.run(os.getpid).values())

    def kill_when_some_are_there() -> None:
        while len(list(path.glob("perturbation_pvalue/c/0/*"))) < 5:
            time.sleep(0.005)
        os.kill(victim, signal.SIGKILL)

    killer = threading.Thread(target=kill_when_some_are_there)
    killer.start()
    yx.save(made(n_sample=[120]), path)
    killer.join()
    assert files(path) == whole


def test_plain_zarr__reads_the_documented_schema(tmp_path: Path) -> None:
    path = yx.save(made(), tmp_path / "sim.zarr")
    group = zarr.open_group(path, mode="r")
    expected = made().compute()
    for name in expected.data_vars:
        np.testing.assert_array_equal(group[name][...], expected[name].values)
    assert group["yeastxr/digests"].shape == (10, 1, 8)
    xr.testing.assert_equal(xr.open_zarr(path, consolidated=False).compute(), expected)
