"""What all commands share: how they end, and what their output is safe from."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import yeastxr as yx
from tests.cli.common import SIMULATE, run
from tests.conftest import leave_pictures_out, read_files
from yeastxr.cli import main
from yeastxr.errors import escape_controls


@pytest.mark.parametrize("command", ["info", "check", "export"])
def test_commands__no_such_store(tmp_path: Path, command: str) -> None:
    result = run(command, tmp_path / "missing.zarr", *([tmp_path / "out.pt"] if command == "export" else []))
    assert result.exit_code == 2
    assert "missing.zarr" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("command", ["info", "check", "report", "verify", "export"])
def test_commands__take_urls(command: str, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_pictures_out(monkeypatch)
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
    assert "which is missing the chunk binding_effect/c/0/0; verify lists missing" in result.output
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


@pytest.mark.parametrize("command", [["info"], ["simulate", "--help"]], ids=str)
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


@pytest.mark.parametrize(("closed", "arguments"), [("1", ["info"]), ("2", ["verify", "--repair"])])
def test_commands__without_an_output(closed: str, arguments: list[str], store: Path) -> None:
    """A process may be started with its output closed, as daemons are."""
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


VALID: dict[str, list[str]] = {
    "simulate": ["new.zarr", "--genes", "20", "--bound", "0.5"],
    "sweep": ["new.zarr", "--genes", "20", "--bound", "0.5", "--over", "bound_mean=3,5"],
    "extend": ["sim.zarr", "--bound", "0.5"],
    "import": ["new.zarr", "--binding", "binding.csv", "--perturbation", "perturbation.csv"],
    "info": ["sim.zarr"],
    "verify": ["sim.zarr"],
    "check": ["sim.zarr"],
    "report": ["sim.zarr", "new.html"],
    "explore": ["sim.zarr", "--no-browser"],
    "plot": ["sim.zarr", "bound_fraction", "-o", "new.svg"],
    "export": ["sim.zarr", "new.npz"],
    "split": ["sim.zarr", "new.csv"],
    "analyze": ["sim.zarr", "--method", "curves", "-o", "new.csv"],
    "demo": ["new"],
    "doctor": [],
}
"""Arguments with which each command works."""

OUTS = {
    "report": "1",
    "plot": "3",
    "export": "1",
    "split": "1",
    "analyze": "4",
    "demo": "0",
    "simulate": "0",
    "import": "0",
}
"""Where among them the place of the result is."""


@pytest.fixture(autouse=True)
def tables(tmp_path: Path) -> None:
    """Tables of measured data, which import reads."""
    (tmp_path / "binding.csv").write_text("gene,tf,callingcards_enrichment,poisson_pval\nYAL001C,GAL4,2.5,0.01\n")
    (tmp_path / "perturbation.csv").write_text("gene,tf,log2fc,pvalue\nYAL001C,GAL4,-1.5,0.001\n")


def test_commands__each_is_tried() -> None:
    assert set(VALID) == set(main.commands)


def test_commands__quiet(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for command in sorted(set(VALID) - {"demo", "report", "plot", "explore"}):
        result = run(command, *VALID[command], "--quiet" if command < "e" else "-q")
        assert (result.exit_code, result.output) == (0, ""), (command, result.output)
        for new in tmp_path.glob("new*"):
            shutil.rmtree(new) if new.is_dir() else new.unlink()
    assert yx.open(store).sizes["tf"] == 6


def test_commands__quiet_leaves_errors_and_the_exit_status(store: Path) -> None:
    (store / "label" / "c" / "0" / "0").unlink()
    result = run("verify", store, "--quiet")
    assert (result.exit_code, result.output) == (1, "")
    result = run("check", store, "--quiet", "--progress")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: store is ")


@pytest.mark.parametrize("command", VALID)
def test_commands__help_shows_defaults(command: str) -> None:
    shown = " ".join(run(command, "--help").output.split())
    for option in main.commands[command].params:
        default = option.to_info_dict()["default"]
        if isinstance(option, click.Option) and default not in (None, False, ()):
            assert option.show_default, option.name
            assert f"[default: {default}" in shown, option.name
    for name in ("--quiet", "--help"):
        assert name in shown
    takes_long = {"simulate", "sweep", "extend", "import", "verify", "check", "report", "export", "split"}
    assert ("--progress / --no-progress" in shown) == (command in takes_long)


def list_wrong_words(command: str) -> Iterator[tuple[list[str], int]]:
    """Yield words that a command must refuse, with its exit status."""
    valid = VALID[command]
    yield [*valid, "--no-such-option"], 2
    yield [*valid, "one", "two", "three"], 2
    if command not in ("demo", "doctor"):
        yield [], 2
    for option in main.commands[command].params:
        if not isinstance(option, click.Option) or option.is_flag:
            continue
        [*_, name] = option.opts
        yield [*valid, name], 2
        if option.type in (click.INT, click.FLOAT) or isinstance(option.type, click.IntRange | click.Choice):
            yield [*valid, name, "x"], 2
        elif isinstance(option.type, click.Path) and name != "--out":
            yield [*valid, name, "missing"], 2
            yield [*valid, name, "folder"], 2
        elif option.type.name.endswith(",...") and "name" not in option.type.name:
            yield [*valid, name, "1,x"], 2
        elif option.type.name.endswith("@file"):
            yield [*valid, name, "@missing"], 2
    if "sim.zarr" in valid:
        for store in ("missing.zarr", "folder", "file.txt", "other.zarr", "", "http://127.0.0.1:1/x.zarr", "s3://"):
            yield [store, *valid[1:]], 2
        if command not in ("info", "verify"):
            yield ["unfinished.zarr", *valid[1:]], 2
    if command in OUTS:
        at = int(OUTS[command])
        for out in ("file.txt", *([] if command == "demo" else ["folder", "file.csv", ""])):
            yield [*valid[:at], out, *valid[at + 1 :]], 2


@pytest.mark.parametrize("command", VALID)
def test_commands__wrong_input_in_one_sentence(
    command: str, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bad input is refused before anything is written, whatever the command and whichever input is bad."""
    import zarr

    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine").write_text("mine")
    (tmp_path / "file.txt").write_text("mine")
    (tmp_path / "file.csv").write_text("mine")
    shutil.copytree(store, tmp_path / "unfinished.zarr")
    zarr.open_group(tmp_path / "unfinished.zarr", mode="r+").attrs["yeastxr_complete"] = False
    (tmp_path / "unfinished.zarr" / "label" / "c" / "0" / "0").unlink()
    zarr.create_group(tmp_path / "other.zarr")
    before = read_files(tmp_path)
    for words, status in list_wrong_words(command):
        result = run(command, *words)
        assert result.exit_code == status, (words, result.output)
        assert result.stdout == "", words
        [error] = result.stderr.partition("Error: ")[2].splitlines()
        assert len(error) > 10, words
        assert read_files(tmp_path) == before, words


@pytest.mark.parametrize("command", VALID)
def test_commands__interrupted(command: str, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends in one sentence, and leaves no part of a file."""
    work = {
        **dict.fromkeys(["simulate", "sweep"], "yeastxr.storage.store.save"),
        **dict.fromkeys(["info", "explore"], "yeastxr.storage.store.open"),
        "extend": "yeastxr.storage.store.extend",
        "import": "yeastxr.tables.from_tables",
        "verify": "yeastxr.storage.location.Location.recover_to_read",
        "check": "yeastxr.checks.check",
        "report": "yeastxr.checks.check",
        "plot": "yeastxr.storage.store.open",
        "export": "numpy.savez_compressed",
        "split": "pandas.DataFrame.to_csv",
        "analyze": "pandas.DataFrame.to_csv",
        "demo": "yeastxr.demo.save",
        "doctor": "importlib.metadata.requires",
    }
    monkeypatch.chdir(tmp_path)
    before = read_files(tmp_path)

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(work[command], stop)
    result = run(command, *VALID[command])
    assert result.exit_code == 1
    assert re.fullmatch(r"Error: interrupted; .*\n", result.stderr), result.stderr
    assert read_files(tmp_path) == before


def complete(words: str) -> list[str]:
    """Return what a shell completes the last of some words to."""
    env = {"_YEASTXR_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    result = CliRunner().invoke(main, [], env=env, prog_name="yeastxr")
    return result.output.splitlines()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion__script(shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("click.shell_completion.BashComplete._check_version", lambda *_: None)
    result = CliRunner().invoke(main, [], env={"_YEASTXR_COMPLETE": f"{shell}_source"}, prog_name="yeastxr")
    assert result.exit_code == 0
    assert f"_YEASTXR_COMPLETE={shell}_complete" in result.output


def test_completion__commands_options_and_choices() -> None:
    assert complete("yeastxr si") == ["plain,simulate"]
    assert complete("yeastxr s") == ["plain,simulate", "plain,split", "plain,sweep"]
    assert complete("yeastxr simulate --bound-m") == ["plain,--bound-mean"]
    assert complete("yeastxr info sim") == ["dir,sim"]
    assert complete("yeastxr plot sim.zarr rank") == ["plain,rank_response"]
    assert complete("yeastxr plot sim.zarr label_map --order cl") == ["plain,clustered"]
    assert complete("yeastxr analyze sim.zarr --method d") == ["plain,dual-threshold"]
    assert complete("yeastxr check sim.zarr --chunks s") == ["plain,stored"]
    assert complete("yeastxr sweep out.zarr --over bound_m") == ["plain,bound_mean="]
