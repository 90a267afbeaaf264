"""What all commands share: how they end, and what their output is safe from."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import yeastxr as yx
from tests.cli.common import SIMULATE, run
from yeastxr.errors import escape_controls


@pytest.mark.parametrize("command", ["info", "check", "export"])
def test_commands__no_such_store(tmp_path: Path, command: str) -> None:
    result = run(command, tmp_path / "missing.zarr", *([tmp_path / "out.pt"] if command == "export" else []))
    assert result.exit_code == 2
    assert "missing.zarr" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("command", ["info", "check", "report", "verify", "export"])
def test_commands__take_urls(command: str, store: Path, tmp_path: Path) -> None:
    out = {"report": [tmp_path / "qc.html"], "export": [tmp_path / "out.npz"]}.get(command, [])
    result = run(command, f"file://{store}", *out)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("command", ["check", "report", "export"])
def test_commands__missing_and_damaged_chunks_in_one_sentence(command: str, store: Path, tmp_path: Path) -> None:
    out = {"report": [tmp_path / "qc.html"], "export": [tmp_path / "out.npz"]}.get(command, [])
    chunk = store / "binding_effect" / "c" / "0" / "0"
    whole = chunk.read_bytes()
    chunk.write_bytes(whole[:100])
    result = run(command, store, *out)
    assert result.exit_code == 2
    assert "has a damaged chunk binding_effect/c/0/0" in result.output
    chunk.unlink()
    result = run(command, store, *out)
    assert result.exit_code == 2
    assert "which lacks the chunk binding_effect/c/0/0; expected what was saved" in result.output
    assert all(not path.exists() for path in out)


def test_commands__other_errors_are_not_hidden(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("yeastxr.checks.check", wrong)
    with pytest.raises(RuntimeError, match="a bug"):
        run("check", store)


def test_commands__too_large_for_memory_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 61 GiB")

    monkeypatch.setattr(yx.SimulationSpec, "simulate", full)
    result = run("simulate", tmp_path / "sim.zarr", *SIMULATE)
    assert result.exit_code == 1
    assert "not enough memory: Unable to allocate 61 GiB" in result.output


def pipe(*args: object, **settings: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "yeastxr.cli", *map(str, args)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **settings)


@pytest.mark.parametrize("command", [["info"], ["check"], ["simulate", "--help"]], ids=str)
def test_commands__end_quietly_with_their_reader(command: list[str], store: Path) -> None:
    process = pipe(*command, *([] if "--help" in command else [store]))
    process.stdout.close()  # a reader that ends before anything is written
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() == 128 + signal.SIGPIPE


def test_commands__end_quietly_where_both_outputs_lose_their_reader(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "yeastxr.cli", "info", str(tmp_path / "missing.zarr")],
        stdout=write, stderr=write, check=False,
    )  # fmt: skip
    os.close(write)
    assert done.returncode == 128 + signal.SIGPIPE


@pytest.mark.parametrize("closed", ["1", "2"])
def test_commands__without_an_output(closed: str, store: Path, tmp_path: Path) -> None:
    """A process may be started with its output closed, as daemons are."""
    for arguments in (["verify", "--repair"], ["check"]):
        line = f'exec "$0" "$@" {closed}>&-'
        command = ["sh", "-c", line, sys.executable, "-m", "yeastxr.cli", *arguments, str(store)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["a\u202eb", "a\x1b[2Jb", "a\x00b", "a\u2066b"])
def test_commands__names_do_not_control_the_terminal(name: str, tmp_path: Path) -> None:
    store = yx.save(yx.simulate(genes=["a", "b"], bound=[0.5], tfs=[name], seed=1), tmp_path / "sim.zarr")
    missing = tmp_path / name.replace("\x00", "")
    for arguments in (["info", store], ["check", store], ["verify", store], ["info", missing]):
        output = run(*arguments).output
        assert not re.search("[\x00-\x09\x0b-\x1f\u202e\u2066]", output), output
    assert escape_controls(name) in run("info", store).output
