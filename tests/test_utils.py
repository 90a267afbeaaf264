"""Progress bars without a terminal, threads, files written completely or not at all, and texts that are shown."""

import io
import os
import sys
from pathlib import Path
from typing import Any

import pytest

import yeastxr as yx
from tests.conftest import leave_pictures_out
from yeastxr._utils import count_threads, replace_file, show_progress
from yeastxr._validate import check_path
from yeastxr.errors import describe_error, escape_controls, shorten


class Plain:
    """What some programs put in the place of standard error: it can write, and nothing else."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass


def make_closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("show", [None, False])
@pytest.mark.parametrize("stream", [None, make_closed(), Plain(), io.StringIO()], ids=["none", "closed", "plain", "io"])
def test_progress__without_a_terminal(stream: Any, show: bool | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    with show_progress("writing", 10, pair_bytes=17, show=show) as report_done:
        report_done(10)
    assert not getattr(stream, "text", "")


@pytest.mark.parametrize("stream", [None, Plain(), io.StringIO()], ids=["none", "plain", "text"])
def test_progress__shown_where_there_is_no_terminal(stream: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    with show_progress("writing", 10, pair_bytes=17, show=True) as report_done:
        report_done(10)
    if stream is not None:
        assert "writing" in (stream.text if isinstance(stream, Plain) else stream.getvalue())


def test_progress__functions_run_without_standard_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_pictures_out(monkeypatch)
    monkeypatch.setattr(sys, "stderr", None)
    ds = yx.simulate(genes=50, bound=[0.2], seed=1)
    path = yx.save(ds, tmp_path / "x.zarr")
    assert yx.check(ds).passed
    assert yx.report(ds, tmp_path / "x.html").exists()
    assert yx.verify(path).whole


def test_progress__no_other_values() -> None:
    with pytest.raises(yx.InputError, match="progress is 'yes'"), show_progress("x", 1, pair_bytes=17, show="yes"):
        pass


@pytest.mark.parametrize("value", ["0", "-1", "two", "", "1.5", "9" * 400, "1\n2"])
def test_threads__only_positive_integers(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YEASTXR_THREADS", value)
    with pytest.raises(yx.InputError, match="expected a positive integer") as error:
        count_threads()
    assert "\n" not in str(error.value)


def test_threads__are_those_of_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YEASTXR_THREADS", " 3 ")
    assert count_threads() == 3
    monkeypatch.delenv("YEASTXR_THREADS")
    assert 1 <= count_threads() <= (os.cpu_count() or 1)


def test_replace_file__nothing_changes_after_an_error(tmp_path: Path) -> None:
    path = tmp_path / "table.csv.gz"
    path.write_text("before")

    def fail() -> None:
        with replace_file(path) as partial:
            assert partial.name.endswith(".csv.gz")
            partial.write_text("after")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert path.read_text() == "before"
    with replace_file(path) as partial:
        partial.write_text("after")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "after"


@pytest.mark.parametrize("value", [None, 3, b"x", ["x"], object()])
def test_check_path__other_types(value: object) -> None:
    with pytest.raises(yx.InputError, match="expected"):
        check_path("path", value)


@pytest.mark.parametrize("value", ["", "a\0b"])
def test_check_path__no_paths(value: str) -> None:
    with pytest.raises(yx.InputError, match="expected the path of a file"):
        check_path("path", value)


def test_texts__are_shown_on_one_line() -> None:
    assert escape_controls("a\u202eb\x1bc\nd\ud800") == "a\\u202eb\\x1bc\\nd\\ud800"
    assert escape_controls("日本 naïve 🙂 \\") == "日本 naïve 🙂 \\"
    assert shorten("abcdef", 4) == "abc…"
    assert describe_error(KeyError()) == "KeyError"
    assert len(describe_error(ValueError("x" * 10_000))) == 300
