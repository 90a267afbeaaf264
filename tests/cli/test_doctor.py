"""The command doctor."""

import json
from importlib import metadata
from pathlib import Path

import pytest

import yeastxr as yx
from tests.cli.common import run
from yeastxr.cli.doctor import list_packages


def test_doctor__shows_versions_threads_cache_and_gpu() -> None:
    result = run("doctor")
    assert result.exit_code == 0
    assert result.output.endswith("All required packages are installed.\n")
    for name in ("xarray", "zarr", "numba", "torch"):
        assert f"{name} " in result.output
        assert metadata.version(name) in result.output
    assert not {package["name"] for package in list_packages()} & {"pytest", "ruff", "sphinx", "yeastxr"}
    facts = json.loads(run("doctor", "--json").output)["facts"]
    assert set(facts) == {"yeastxr", "Python", "platform", "threads", "kernel cache", "GPU"}
    assert facts["yeastxr"] == yx.__version__


def test_doctor__says_what_is_missing_or_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    known = metadata.version

    def report(name: str) -> str:
        if name == "anndata":
            raise metadata.PackageNotFoundError(name)
        return "3.0.1" if name == "zarr" else known(name)

    monkeypatch.setattr(metadata, "version", report)
    result = run("doctor")
    assert result.exit_code == 1
    assert "3.0.1; needs >=3.1: pip install 'yeastxr'" in result.output
    assert "missing: pip install 'yeastxr[anndata]'" in result.output
    assert result.output.endswith("1 required packages are missing or old.\n")
    outcome = json.loads(run("doctor", "--json").output)
    assert not outcome["ok"]
    assert [p["name"] for p in outcome["packages"] if p["problem"]] == ["zarr", "anndata"]


def test_doctor__explains_threads_and_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("YEASTXR_THREADS", "many")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "cache"))
    (tmp_path / "file").write_text("")
    result = run("doctor")
    assert "YEASTXR_THREADS is 'many'" in result.output
    assert "NUMBA_CACHE_DIR is not writable" in result.output
    monkeypatch.setenv("YEASTXR_THREADS", "3")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    result = run("doctor")
    assert "3 (YEASTXR_THREADS=3)" in result.output
    assert str(tmp_path / "cache") in result.output
