"""What README, the pages and the examples say is what happens."""

import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import xarray as xr
from click.testing import CliRunner

import yeastxr as yx
from tests.conftest import leave_figures_out, leave_pictures_out
from tests.pages import DOCS, ROOT, blocks, cells, commands, links, name_of, pages
from yeastxr.cli import main
from yeastxr.plot.style import load_holoviews

sys.path.insert(0, str(DOCS / "_ext"))

import formulas
import links as checker
import prose

hv = load_holoviews()
README = ROOT / "README.md"
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

RUN = [page for page in pages() if blocks(page, "python") or cells(page)]
HERE = {"README.md", "docs/guide/cli.md"}  # pages whose commands run anywhere; others need a cluster, a cloud or a disk
SMALLER = {
    "[300, 300]": "[30, 30]",
    "[76, 76]": "[40, 40]",
    "--n-sample 100,100": "--n-sample 10,10",
    "permutations=200": "permutations=20",
}
"""Numbers of TFs and of permutations, and those that tests take instead."""


def shrink(code: str) -> str:
    """Return code or a command with fewer TFs and permutations."""
    for large, small in SMALLER.items():
        code = code.replace(large, small)
    return code


@pytest.fixture
def one_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw the first picture of layouts alone, and none in pages of reports: tests of plots and reports draw all."""

    def save_first(element: Any, path: Any, **options: Any) -> Path:
        return save(next(iter(element)) if isinstance(element, hv.Layout) else element, path, **options)

    save = yx.plot.save
    monkeypatch.setattr(yx.plot, "save", save_first)
    leave_figures_out(monkeypatch)


@pytest.fixture(autouse=True)
def _closed_figures() -> Iterator[None]:
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


def _storage_is_as_it_says(names: dict[str, Any]) -> None:
    assert names["result"]
    assert yx.open("large.zarr").sizes["tf"] == 160


def _training_is_as_it_says(names: dict[str, Any]) -> None:
    assert names["tensor"].shape == (8, 1000, 10, 5)
    assert names["held_out"].sizes["gene"] == 100
    assert names["x"].shape == names["y"].shape == (256, 10)


def _ported_code_gives_what_the_tutorial_does(names: dict[str, Any]) -> None:
    """Compare shapes, and moments within 6 standard errors of the closed forms."""
    labels, tensor = names["labels"], names["final_data_tensor"]
    assert tensor.shape == (1000, 10, 5)
    assert tensor.stride() == (50, 5, 1)
    assert tensor.dtype == names["torch"].float32
    assert names["counts"].tolist() == [100, 150, 200, 200, 250, 250, 300, 300, 300, 300]
    assert names["bound_binding"].shape == (2350,)
    assert names["again"].gene.values[999] == "gene 999"
    assert names["ds"].identical(yx.simulate(1000, bound=names["bound"], n_sample=names["n_sample"], seed=42))

    def check_mean(values: xr.DataArray, mask: xr.DataArray, mean: float, std: float) -> None:
        chosen = values.values[mask.values].astype(float)
        assert chosen.size > 50
        assert abs(chosen.mean() - mean) < 6 * std / chosen.size**0.5

    check_mean(names["binding_effect"], labels, 2.3889, 6.1012)
    check_mean(names["binding_effect"], ~labels, 0.34127, 1.1397)
    check_mean(abs(names["effects_1"]), labels, 3.00076, 1)
    check_mean(abs(names["effects_1"]), ~labels, 0.79788, 0.6028)
    check_mean(names["pvalues_1"], labels | True, 0.46, 0.3)
    adjusted = {
        "effects_2": labels,
        "effects_3": yx.adjusted_pairs(labels, {0: [1], 7: [1, 4]}),
        "effects_4": yx.adjusted_pairs(labels, {0: [yx.And(3, 4, 8), yx.Or(3, 7)]}),
    }
    raised_by = 10 * 2.3889 / 78.947  # the mean of what binding adds
    for name, holds in adjusted.items():
        effect = abs(names[name])
        check_mean(effect, holds, 3.0008 + raised_by, (1 + (10 * 6.1012 / 78.947) ** 2) ** 0.5)
        if name != "effects_2":
            check_mean(effect, labels & ~holds, 0.79788, 0.6028)
        check_mean(effect, ~labels, 0.79788, 0.6028)


def _figures_of_the_preset_are_within_their_ranges(names: dict[str, Any]) -> None:
    table = names["table"]
    assert len(table) == len(names["published"]) == len(names["simulated"]) == 14
    assert table["within"].all(), table


AFTERWARDS = {
    "docs/explanation/measured.md": _figures_of_the_preset_are_within_their_ranges,
    "docs/guide/storage.md": _storage_is_as_it_says,
    "docs/guide/training.md": _training_is_as_it_says,
    "docs/howto/port.md": _ported_code_gives_what_the_tutorial_does,
}


@pytest.mark.usefixtures("one_picture")
@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_page__blocks_run_and_print_what_is_shown(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(page, "python") + cells(page):
        exec(compile(shrink(block), name_of(page), "exec"), names)
    if not cells(page):  # what cells print is put in when the site is built
        assert capsys.readouterr().out.splitlines() == "".join(blocks(page, "text")).splitlines()
    if name_of(page) in AFTERWARDS:
        AFTERWARDS[name_of(page)](names)


@pytest.mark.parametrize("page", [page for page in pages() if commands(page)], ids=name_of)
def test_page__commands_are_known(page: Path) -> None:
    for line in commands(page):
        command, *words = shlex.split(line.split(" > ")[0])[1:]
        known = {option for parameter in main.commands[command].params for option in parameter.opts}
        known |= {option for parameter in main.commands[command].params for option in parameter.secondary_opts}
        assert {word for word in words if word.startswith("--")} <= known, line


@pytest.mark.parametrize("page", [page for page in pages() if name_of(page) in HERE], ids=name_of)
def test_page__commands_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    leave_pictures_out(monkeypatch)
    assert len(commands(page)) >= 5
    for command in commands(page):
        result = CliRunner().invoke(main, shlex.split(shrink(command))[1:], catch_exceptions=False)
        assert result.exit_code == 0, result.output


def test_page__make_targets_are_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in pages():
        for line in "".join(blocks(page, "sh")).splitlines():
            if line.startswith("make "):
                assert set(line.split("#")[0].split('PARTS="')[0].split()[1:]) <= targets, line


def test_contributing__tree_is_that_of_the_package() -> None:
    [tree] = (block for block in blocks(DOCS / "contributing.md", "text") if block.startswith("yeastxr/"))
    parents: list[str] = []
    listed = set()
    for line in tree.splitlines()[1:]:
        name, about = line.split(maxsplit=1)
        parents = parents[: (len(line) - len(line.lstrip())) // 2 - 1]
        listed.add("".join([*parents, name]))
        if name.endswith("/"):
            parents.append(name)
        assert about, line
    package = ROOT / "yeastxr"
    modules = {path.relative_to(package).as_posix() for path in package.rglob("*.py") if path.stat().st_size}
    folders = {f"{path.parent.relative_to(package)}/" for path in package.rglob("*/__init__.py")}
    inits = {f"{folder}__init__.py" for folder in folders}
    assert listed == modules - inits | folders


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_page__links_lead_somewhere(page: Path) -> None:
    made = {DOCS / "gallery" / f"{example.stem}.md" for example in EXAMPLES} | {DOCS / "gallery" / "index.md"}
    for link in links(page):
        target = (page.parent / link.split("#")[0]).resolve()
        if not link.startswith("#") and target.parent != DOCS / "reference":  # its pages are tested with its names
            assert target in made or target.is_file(), link


def test_readme__citation_and_package_have_one_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {yx.__version__}\n" in citation
    assert f"## {yx.__version__}" in (DOCS / "changelog.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_examples__are_short_and_say_what_they_show(example: Path) -> None:
    text = example.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 80
    assert text.startswith('"""')


def test_formulas__can_be_drawn() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in DOCS.rglob("*.md"))
    shown = [line for block in re.findall(r"\$\$([^$]+)\$\$", text) for line in block.split("\\\\")]
    inline = re.findall(r"(?<![$`])\$([^$\n`]+)\$(?!\$)", text)
    assert min(len(shown), len(inline)) > 10
    for tex in {*inline, *(line.replace("\\frac", "\\dfrac") for line in shown)}:
        assert formulas.svg(tex.strip()).startswith("<svg"), tex


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_examples__run_and_draw(
    example: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    if example.name != "tutorial.py":
        request.getfixturevalue("one_picture")
    text = example.read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(example), *(["--quick"] if "--quick" in text else [])])
    if "sklearn" in text:
        pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    backend = hv.Store.current_backend
    with torch.random.fork_rng():  # an example may seed torch's global state, which no test should share
        runpy.run_path(str(example), run_name="__main__")
    hv.Store.set_current_backend(backend)
    pictures = list(tmp_path.glob("*.png"))
    assert pictures
    assert all(picture.stat().st_size > 10_000 for picture in pictures)
    if example.name == "recover_relations.py":
        known, recovered, _ = capsys.readouterr().out.splitlines()
        assert known.partition(":")[2].strip() == recovered.partition(":")[2].strip()
    if example.name == "tutorial.py":
        printed = capsys.readouterr().out
        assert "torch.Size([1000, 10, 5])" in printed
        assert "bound/unbound ratio is correct: True" in printed


def test_prose__replaced_phrases_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("Datasets are the same,\nbit for bit. A right dataset.")
    assert prose.main([str(page)]) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{page}:1: 'the same, bit for bit'")
    assert second.startswith(f"{page}:2: 'right dataset'")
    page.write_text("Datasets are bit-identical. Bright datasets.")
    assert prose.main([str(page)]) == 0


def test_links__what_leads_nowhere_is_found(tmp_path: Path) -> None:
    assert len(checker.find_problems(tmp_path)) == 1  # no pages
    (tmp_path / "a.html").write_text(
        '<a href="b.html#here">x</a><a href="https://example.org">y</a><h1 id="top">z</h1>'
    )
    (tmp_path / "b.html").write_text('<h1 id="here">x</h1><a href="a.html#top">y</a><a href="#here">z</a>')
    assert checker.find_problems(tmp_path) == []
    (tmp_path / "b.html").write_text(
        '<a href="c.html">x</a><a href="a.html#bottom">y</a><script src="https://example.org/x.js"></script>'
        '<img src="gone.png">'
    )
    problems = checker.find_problems(tmp_path)
    assert [line.split(": ")[0] for line in problems] == ["a.html", "b.html", "b.html", "b.html", "b.html"]
    assert "no place" in problems[0]
    assert "no page" in problems[1]
    assert "no place" in problems[2]
    assert "from elsewhere" in problems[3]
    assert "not there" in problems[4]
