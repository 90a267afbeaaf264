"""What the README and the examples say is what happens."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from yeastxr.cli import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_readme__python_blocks_run_and_print_what_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), names)
    assert capsys.readouterr().out == "".join(blocks("text"))


def test_storage_page__python_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "storage.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for block in blocks("python", page):
        exec(compile(block.replace("[300, 300]", "[30, 30]"), "storage.md", "exec"), names)
    assert names["found"]
    assert names["yx"].open("large.zarr").sizes["tf"] == 160


def test_training_page__python_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks("python", (ROOT / "docs" / "training.md").read_text(encoding="utf-8")):
        exec(compile(block, "training.md", "exec"), names)
    assert names["tensor"].shape == (8, 1000, 10, 5)
    assert names["held_out"].sizes["gene"] == 100
    assert names["x"].shape == names["y"].shape == (256, 10)


def test_readme__commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    commands = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("yeastxr ")]
    assert len(commands) == 6
    for command in commands:
        result = CliRunner().invoke(main, shlex.split(command)[1:], catch_exceptions=False)
        assert result.exit_code == 0, result.output


def test_readme__links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    local = [link for link in links if "://" not in link]
    assert local
    for link in local:
        assert (ROOT / link).exists(), link


QUICK = {"train_models.py": ("--quick",)}


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.name)
def test_examples__run(example: Path, tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-W", "error", str(example), str(tmp_path), *QUICK.get(example.name, ())],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    if example.name == "train_models.py":
        assert (tmp_path / "train_models.png").stat().st_size > 10_000
    if example.name == "tutorial.py":
        assert "torch.Size([1000, 10, 5])" in result.stdout
        assert "bound/unbound ratio is correct: True" in result.stdout
