"""What tests share: the tutorial's parameters and datasets of them, kinds of chunks, and the files of a folder."""

from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import settings

import yeastxr as yx
from yeastxr.demo import POPULATION

settings.register_profile("yeastxr", deadline=None, derandomize=True, max_examples=15, print_blob=True)
settings.load_profile("yeastxr")

TUTORIAL: dict[str, Any] = {**POPULATION, "max_mean_adjustment": 10.0, "seed": 42}
"""The tutorial's parameters: 1,000 genes, 10 TFs, method 2; the relations of methods 3 and 4 are in yeastxr.demo."""

CHUNKS: dict[str, dict[str, int] | None] = {"numpy": None, "dask": {"tf": 3}, "dask-genes": {"gene": 400, "tf": 4}}


def simulate_tutorial(**changes: Any) -> xr.Dataset:
    """Simulate the tutorial's dataset, with some parameters changed."""
    return yx.simulate(**{**TUTORIAL, **changes})


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the bytes of each file of a folder, by relative path."""
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


_SAVED: dict[str, dict[str, bytes]] = {}


def save_simulation(path: Path, **parameters: object) -> Path:
    """Save a simulation, or write the files of an earlier call with these parameters, in a fraction of the time."""
    key = repr(sorted(parameters.items()))
    if key not in _SAVED:
        yx.save(yx.simulate(**parameters), path)
        _SAVED[key] = read_files(path)
        return path
    for name, data in _SAVED[key].items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return path


@pytest.fixture(params=CHUNKS.values(), ids=CHUNKS.keys())
def chunks(request: pytest.FixtureRequest) -> dict[str, int] | None:
    """Run a test on NumPy arrays, on chunks along TFs, and on chunks along both dimensions."""
    return request.param


@pytest.fixture
def simulated(chunks: dict[str, int] | None) -> xr.Dataset:
    """The tutorial's dataset, once for each kind of chunks."""
    return simulate_tutorial(chunks=chunks)


@pytest.fixture
def no_compute() -> Iterator[None]:
    """Make any computation of a dask graph fail."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a lazy path computed")

    with dask.config.set(scheduler=refuse):
        yield


def leave_pictures_out(patch: pytest.MonkeyPatch) -> None:
    """Put one blank picture in pages of reports, as drawing takes most of the time."""
    patch.setattr(yx.plot, "qc", lambda ds, summary: [])
    leave_figures_out(patch)


def leave_figures_out(patch: pytest.MonkeyPatch) -> None:
    """Put one blank picture in pages of reports instead of those that are made for it."""
    from bokeh.plotting import figure

    patch.setattr(import_module("yeastxr.report.report"), "_render_figures", lambda pictures: [figure()])


def count_reads(ds: xr.Dataset) -> tuple[xr.Dataset, Counter[tuple[str, tuple[int, ...]]]]:
    """Return a dask-backed dataset that counts how often each block of its variables is read, and the counts."""
    reads: Counter[tuple[str, tuple[int, ...]]] = Counter()

    def count(values: np.ndarray, name: str, block_id: tuple[int, ...]) -> np.ndarray:
        reads[name, block_id] += 1
        return values

    counted = {
        name: array.copy(data=array.data.map_blocks(count, name, dtype=array.dtype, meta=array.data._meta))
        for name, array in ds.data_vars.items()
    }
    return ds.assign(counted), reads
