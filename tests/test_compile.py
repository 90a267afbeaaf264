"""Kernels run with a cache that is damaged, read-only or missing, and then only take longer."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import yeastxr as yx

SOURCE = """
from yeastxr._utils import compile_kernel, inline_kernel

@inline_kernel
def double(x):
    return 2 * x

@compile_kernel
def fill(values, out):
    for i in range(values.size):
        out[i] = double(values[i]) + 1
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A module with a kernel, and numba's cache beside it."""
    folder = tmp_path_factory.mktemp("cache")
    (folder / "kernel_of_a_test.py").write_text(SOURCE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numba.config, "CACHE_DIR", str(folder / "cache"))
        yield folder


def run_kernel(folder: Path) -> tuple[ModuleType, np.ndarray]:
    """Import the module anew, as a new process does, and run its kernel."""
    spec = importlib.util.spec_from_file_location("kernel_of_a_test", folder / "kernel_of_a_test.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    out = np.zeros(3)
    module.fill(np.arange(3.0), out)
    np.testing.assert_array_equal(out, [1, 3, 5])
    return module


def files(folder: Path, ending: str) -> list[Path]:
    return sorted((folder / "cache").rglob(f"*.{ending}"))


def test_cache__is_used(cache: Path) -> None:
    run_kernel(cache)
    assert len(files(cache, "nbi")) == len(files(cache, "nbc")) == 1
    stats = run_kernel(cache).fill.stats
    assert (len(stats.cache_hits), len(stats.cache_misses)) == (1, 0)


@given(ending=st.sampled_from(["nbi", "nbc"]), start=st.floats(0, 1), stop=st.floats(0, 1), data=st.binary(max_size=20))
@settings(max_examples=25)
def test_cache__damaged_files_are_written_anew(
    cache: Path, ending: str, start: float, stop: float, data: bytes
) -> None:
    run_kernel(cache)
    for path in files(cache, ending):
        content = path.read_bytes()
        path.write_bytes(content[: int(start * len(content))] + data + content[int(stop * len(content)) :])
    run_kernel(cache)
    assert len(run_kernel(cache).fill.stats.cache_hits) == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: shutil.rmtree(folder / "cache"),
        lambda folder: [path.unlink() for path in files(folder, "nbc")],
        lambda folder: [path.unlink() for path in files(folder, "nbi")],
        lambda folder: [path.write_bytes(b"") for path in files(folder, "nb?")],
    ],
    ids=["folder deleted", "data deleted", "index deleted", "emptied"],
)
def test_cache__missing_files_are_written_anew(cache: Path, damage: Callable[[Path], object]) -> None:
    run_kernel(cache)
    damage(cache)
    run_kernel(cache)
    assert len(run_kernel(cache).fill.stats.cache_hits) == 1


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_cache__what_cannot_be_written_is_not_needed(cache: Path, ending: str) -> None:
    run_kernel(cache)
    for path in files(cache, ending):
        path.unlink()
        path.mkdir()
    run_kernel(cache)
    shutil.rmtree(cache / "cache")


def test_cache__files_of_two_signatures_exchanged(cache: Path) -> None:
    module = run_kernel(cache)
    out = np.zeros(3, np.float32)
    module.fill(np.arange(3, dtype=np.float32), out)
    one, other = files(cache, "nbc")
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    module = run_kernel(cache)
    module.fill(np.arange(3, dtype=np.float32), out)
    np.testing.assert_array_equal(out, [1, 3, 5])


@pytest.mark.parametrize("setting", ["NUMBA_CACHE_DIR", "NUMBA_CACHE_LOCATOR_CLASSES"])
def test_simulate__without_a_place_for_the_cache(tmp_path: Path, setting: str) -> None:
    """Files in the place of folders do what missing permissions do, for the superuser, too."""
    package = tmp_path / "yeastxr"
    shutil.copytree(Path(yx.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in [package, *(path for path in package.iterdir() if path.is_dir())]:
        (folder / "__pycache__").write_text("")
    (tmp_path / "file").write_text("")
    blocked = str(tmp_path / "file")
    env = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA")}
    env |= {"PYTHONPATH": str(tmp_path), "HOME": blocked, "XDG_CACHE_HOME": blocked, setting: blocked}
    code = "import yeastxr.simulation.draws as d; print(d.__file__, d.compute_philox_words([[1, 2, 3, 4]], 5))"
    run = subprocess.run([sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith(str(package))
    assert run.stderr == ""
