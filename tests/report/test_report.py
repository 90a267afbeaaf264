"""The page: complete, self-contained, escaped, written at once, and alive in a browser."""

import html
import json
import re
import shlex
import zipfile
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from hatchling.builders.wheel import WheelBuilder

import yeastxr as yx
from tests.browser import CHROMIUM, Tab, browser
from tests.conftest import count_reads, leave_pictures_out
from yeastxr import qc
from yeastxr.checks.table import Check, CheckTable
from yeastxr.cli import main
from yeastxr.demo import METHODS
from yeastxr.report.provenance import describe_difference
from yeastxr.report.tables import choose_tfs, format_tfs, summarize_groups, summarize_tfs

TUTORIAL = {
    "genes": 1000,
    "bound": [0.1, 0.15, 0.2, 0.25, 0.3],
    "n_sample": [1, 1, 2, 2, 4],
    "max_mean_adjustment": 10.0,
}
EVIL = ["<script>alert(1)</script>", "<img src=x onerror=alert(2)>"]
VOID = {"meta", "link", "input", "br", "img", "hr"}


class Parsed(HTMLParser):
    """A page as a parser sees it: texts by the element they are in, tables as rows of texts; tags have to match."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.starts: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.tables: list[list[list[str]]] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.starts.append((tag, dict(attrs)))
        if tag in VOID:
            return
        self.open.append(tag)
        self.texts.setdefault(tag, []).append("")
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.open) - {"html", "body", "main"}:
            self.texts[tag][-1] += data
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data

    def table(self, first: str) -> list[dict[str, str]]:
        """Return the table whose first column is called so."""
        head, *rows = next(table for table in self.tables if table[0][0] == first)
        return [dict(zip(head, row, strict=True)) for row in rows]

    @property
    def frames(self) -> list[str]:
        """The texts that can be copied, without the line feed that a browser drops."""
        return [text.removeprefix("\n") for text in self.texts["pre"]]


def made(**extra: object) -> xr.Dataset:
    return yx.simulate(**{**TUTORIAL, "seed": 42, **extra})


def evil() -> xr.Dataset:
    ds = made(genes=3, bound=[0.34, 0.67], n_sample=[1, 1], tfs=EVIL)
    return ds.assign_coords(gene=["<b>g</b>", "$$x$$", "&lt;"])


@pytest.fixture(scope="module")
def evil_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return yx.report(evil(), tmp_path_factory.mktemp("evil") / "qc.html", title=f"{EVIL[0]} & co")


def written(ds: xr.Dataset, folder: Path, *, pictures: bool = False, **options: object) -> str:
    """Write a page and read it."""
    with pytest.MonkeyPatch.context() as patch:
        if not pictures:
            leave_pictures_out(patch)
        return yx.report(ds, folder / "qc.html", overwrite=True, **options).read_text(encoding="utf-8")


def without_scripts(page: str) -> str:
    """Return the page less the scripts and styles that bokeh puts in, which are text to a browser's parser."""
    return re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)


@pytest.mark.parametrize("chunks", [None, {"tf": 3}], ids=["numpy", "dask"])
def test_report__says_what_the_dataset_is(chunks: object, tmp_path: Path) -> None:
    ds = made(chunks=chunks)
    table = yx.check(ds)
    page = without_scripts(written(ds, tmp_path, checks=table, pictures=chunks is None))
    for word, value in {
        "Genes": "1,000 (0 … 999)",
        "TFs": "10 (0 … 9)",
        "Cells": "10,000 with 5 features, 0.2 MB",
        "Seed": "42",
    }.items():
        assert f"<dt>{word}</dt><dd>{value}</dd>" in page
    assert table._repr_html_() in page
    assert {"parameter": "max_mean_adjustment", "value": "10.0"} in Parsed(page).table("parameter")
    assert "A correct dataset fails with a probability of at most 0.001." in page
    assert f"All {len(table.rows)} checks passed." in page
    assert page.count("data-root-id") == (9 if chunks is None else 1)
    assert '<meta name="viewport"' in page


def test_report__extra_dims_and_nothing_known(tmp_path: Path) -> None:
    ds = made(genes=20, replicates=3, chunks={}).drop_attrs(deep=False)
    page = without_scripts(written(ds, tmp_path, pictures=True))
    assert "<dt>replicate</dt><dd>3 (0 … 2)</dd>" in page
    for absent in ("Seed", "<summary>Specification", "lines: theory"):
        assert absent not in page
    assert "<h2>Checks" in page
    assert "<h2>Checks" not in without_scripts(written(ds, tmp_path, checks=False))


def test_report__reads_each_block_once(tmp_path: Path) -> None:
    ds = made(
        genes=500, bound=[0.1, 0.3], n_sample=[30, 30], tf_relationships={0: [1, 31]}, replicates=2, chunks={"tf": 20}
    )
    counted, reads = count_reads(ds)
    page = written(counted, tmp_path, pictures=True)
    blocks = {(name, block) for name in ds.data_vars for block in np.ndindex(*ds[name].data.numblocks)}
    assert set(reads) == blocks
    named = {("label", (replicate, 0, tf)) for replicate in range(2) for tf in (0, 1)}  # labels that relations name
    assert {read for read, n in reads.items() if n > 1} == named
    assert max(reads.values()) == 2
    assert "Effects as scores of binding" in page
    assert re.search(r"Rank response\\+nreplicate 0", page)
    apart = written(ds, tmp_path, checks=yx.check(ds))
    assert Parsed(without_scripts(page)).tables == Parsed(without_scripts(apart)).tables


def test_report__failed_checks_stand_on_top(tmp_path: Path) -> None:
    ds = made()
    ds["perturbation_effect"] = abs(ds["perturbation_effect"])
    page = without_scripts(written(ds, tmp_path))
    assert '<p class="verdict failed">' in page
    assert page.index("signs: share positive") < page.index("<h2>Dataset")


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"tfs": [f"TF {i}" for i in range(10)], "replicates": 2, "genes": 50, "bound_mean": 4.5},
        {"tfs": ["a,b", "-c", "3", "it's", *"efghij"], "genes": 50},
        {"genes": ["1_000"], "bound": [1.0], "n_sample": [2]},
        {"genes": ["a\u0085b", "c\u2028d", "\r", "\x7f", " ", "\U0001f600"], "bound": [0.5], "n_sample": [2]},
        {"tf_relationships": {0: [1, yx.Or(2, yx.Not(3))]}},
        {"bound": [0.123456789], "n_sample": [3], "background_hops_range": (2, 50), "pseudocount": 1e-7},
    ],
    ids=["plain", "names", "hostile-names", "a-name-like-a-number", "controls", "relations", "numbers"],
)
def test_report__what_it_says_makes_the_dataset_again(
    extra: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ds = made(**extra)
    frames = Parsed(written(ds, tmp_path, checks=False)).frames
    assert len(frames) in (2, 3)
    if len(frames) == 3:
        Path("spec.json").write_text(frames[1], encoding="utf-8")
    program, *words = shlex.split(frames[0])
    assert program == "yeastxr"
    result = CliRunner().invoke(main, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    xr.testing.assert_identical(yx.open("again.zarr").load(), ds)
    names: dict[str, object] = {}
    exec(frames[-1], names)
    xr.testing.assert_identical(names["ds"], ds)


def test_report__a_sweep_says_how_it_was_made(tmp_path: Path) -> None:
    ds = yx.sweep(made(genes=50).yeast.spec, bound_mean=[3.0, 5.0], replicates=2)
    page = Parsed(written(ds, tmp_path, checks=False))
    assert {"parameter": "bound_mean", "value": "swept over [3.0, 5.0]"} in page.table("parameter")
    [code] = page.frames
    names: dict[str, object] = {}
    exec(code, names)
    xr.testing.assert_identical(names["ds"].load(), ds.load())


def test_report__a_sweep_of_methods_says_how_it_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = made(genes=50, tf_relationships={0: [yx.Or(1, 2)]}).yeast.spec
    ds = yx.sweep(spec, method=["none", "boolean"], bound_experiment_hops_range=[(1, 6), (2, 9)])
    page = Parsed(written(ds, tmp_path))
    assert {"parameter": "max_mean_adjustment", "value": "set by method"} in page.table("parameter")
    assert {"parameter": "method", "value": "swept over ['none', 'boolean']"} in page.table("parameter")
    rows = page.table("point of the sweep")
    assert rows[0]["point of the sweep"] == "method=none, bound_experiment_hops_range=1-6"
    assert {row["result"] for row in rows} == {"all checks passed"}
    file, code = page.frames
    monkeypatch.chdir(tmp_path)
    Path("spec.json").write_text(file, encoding="utf-8")
    names: dict[str, object] = {}
    exec(code, names)
    xr.testing.assert_identical(names["ds"].load(), ds.load())


def test_report__a_part_is_said_to_be_one(tmp_path: Path) -> None:
    words = "The specification has 1,000 genes and 10 TFs; the dataset is a part of it"
    assert words in written(made().isel(tf=[0, 5]), tmp_path, checks=False)
    assert describe_difference(made(), made().yeast.spec) == ""
    for other in (made().isel(gene=slice(5)), made().assign_coords(tf=range(1, 11))):
        assert describe_difference(other, made().yeast.spec).startswith(words)


@pytest.fixture(scope="module")
def boolean(tmp_path_factory: pytest.TempPathFactory) -> tuple[xr.Dataset, Parsed]:
    ds = made(**METHODS[4][1])
    return ds, Parsed(written(ds, tmp_path_factory.mktemp("boolean")))


def test_report__conditions_and_their_probability(boolean: tuple[xr.Dataset, Parsed]) -> None:
    ds, page = boolean
    spec = ds.yeast.spec
    rows = {row["TF"]: row for row in page.table("TF")}
    assert rows["5"]["conditions, all of which must hold"] == "Or(0, 1, 2, 8, 9)"
    chance = yx.theory.adjusted_probability(spec)
    assert float(rows["5"]["probability that they hold"]) == pytest.approx(float(chance.sel(tf=5)), rel=1e-3)
    assert "2" not in rows  # it has none


def test_report__structure(boolean: tuple[xr.Dataset, Parsed]) -> None:
    _, page = boolean
    names = Counter(attrs["id"] for _, attrs in page.starts if "id" in attrs)
    assert set(names.values()) == {1}
    titles = ["Dataset", "Regenerate the dataset", "Checks", "Expected and observed", "Plots", "TFs", "Variables"]
    assert page.texts["h2"] == titles
    assert len(page.texts["h1"]) == 1
    for tag, attrs in page.starts:
        assert tag != "button" or attrs["type"] == "button"
    assert len([attrs for tag, attrs in page.starts if tag == "th" and attrs.get("scope") == "row"]) >= 10
    assert [row["name"] for row in page.table("name")][:5] == list(made().data_vars)


def test_report__found_stands_beside_expected(boolean: tuple[xr.Dataset, Parsed]) -> None:
    ds, page = boolean
    table = summarize_groups(ds, qc.summarize(ds))
    size = abs(ds["perturbation_effect"].astype(float))
    hold = yx.adjusted_pairs(ds.label, ds.yeast.spec.tf_relationships)
    one = table.sel(quantity="perturbation_magnitude", group="bound_active")
    assert int(one["count"]) == int(hold.sum())
    assert float(one["mean"]) == pytest.approx(float(size.where(hold).mean()), rel=1e-6)
    assert float(one["std"]) == pytest.approx(float(size.where(hold).std()), rel=1e-6)
    expected = yx.theory.expected(ds.yeast.spec)
    for group in ("unbound", "bound"):
        for name in ("binding_effect", "binding_pvalue", "perturbation_pvalue"):
            there = expected.sel(feature=name, group=group)
            assert float(table.expected_mean.sel(quantity=name, group=group)) == pytest.approx(float(there["mean"]))
            assert float(table.expected_std.sel(quantity=name, group=group)) == pytest.approx(float(there["std"]))
    # 6 standard errors, where values are independent of each other, or nearly so
    error = table.expected_std / np.sqrt(table["count"])
    far = abs(table["mean"] - table.expected_mean) / error
    assert float(far.sel(quantity=["binding_effect", "perturbation_magnitude"]).max()) < 6
    rows = page.table("feature")
    assert len(rows) == 10
    assert rows[0]["mean, expected"] == "0.3413"


def test_report__tf_table_holds_what_was_found(boolean: tuple[xr.Dataset, Parsed]) -> None:
    ds, page = boolean
    rows = page.tables[-2]
    assert len(rows) == 11
    one = dict(zip(rows[0], rows[6], strict=True))
    assert one["TF"] == "5"
    bound = ds.label.sel(tf=5)
    assert one["bound genes, expected"] == one["bound genes, observed"] == "250"
    assert float(one["share bound_active, observed"]) == pytest.approx(
        float(yx.adjusted_pairs(ds.label, ds.yeast.spec.tf_relationships).sel(tf=5).sum() / bound.sum()), rel=1e-3
    )
    assert float(one["share bound_active, expected"]) == pytest.approx(
        float(yx.theory.adjusted_probability(ds.yeast.spec).sel(tf=5)), rel=1e-3
    )
    assert float(one["mean |perturbation effect| (noise s.d.), bound"]) == pytest.approx(
        float(abs(ds.perturbation_effect.sel(tf=5)).where(bound).mean()), rel=1e-3
    )
    expected = yx.theory.expected(ds.yeast.spec, by_tf=True).magnitude_mean
    expected = expected.sel(tf=5, feature="perturbation_effect", group="bound")
    assert float(one["mean |perturbation effect| (noise s.d.), bound, expected"]) == pytest.approx(
        float(expected), rel=1e-3
    )


@pytest.mark.parametrize("chunks", [None, {"tf": 3}], ids=["numpy", "dask"])
def test_summarize_tfs__replicates_are_averaged(chunks: object) -> None:
    ds = made(genes=50, replicates=3, chunks=chunks)
    table = summarize_tfs(ds, qc.summarize(ds))
    np.testing.assert_array_equal(table.bound, table.bound_expected)
    np.testing.assert_allclose(
        table.binding_effect_bound, ds.binding_effect.astype(float).where(ds.label).mean(["replicate", "gene"])
    )


def test_summarize_tfs__what_is_off_deviates_most() -> None:
    ds = made(**METHODS[4][1]).copy(deep=True)
    right = summarize_tfs(ds, qc.summarize(ds)).deviation
    assert float(right.max()) < 6
    ds["perturbation_effect"].values[:, 7] *= 2
    wrong = summarize_tfs(ds, qc.summarize(ds)).deviation
    assert float(wrong.max()) > 10
    assert int(wrong.argmax("tf")) == 7
    ds["perturbation_effect"].values[:, 3] = abs(ds["perturbation_effect"].values[:, 3])
    assert float(summarize_tfs(ds, qc.summarize(ds)).deviation.sel(tf=3)) == pytest.approx(np.sqrt(1000))


def test_choose_tfs__the_first_and_those_that_deviate_most() -> None:
    table = xr.Dataset({"deviation": ("tf", [0.0, 1, 2, 9, 3, 8, 4, 9])}, coords={"tf": list("abcdefgh")})
    some, words = choose_tfs(table, 4)
    assert list(some.tf.values) == ["a", "b", "d", "h"]
    assert words == "8 TFs; showing the first 2, and 2 others with the largest deviations"
    assert choose_tfs(table, 8)[0].identical(table)


@pytest.mark.parametrize("change", ["no TF bound", "all bound", "no noise", "no noise, no condition holds"])
def test_report__extremes(change: str, tmp_path: Path) -> None:
    extra: dict[str, object] = {
        "no TF bound": {"bound": [0.0], "n_sample": [2]},
        "all bound": {"bound": [1.0], "n_sample": [2]},
        "no noise": {"unbound_std": 0.0, "bound_std": 0.0},
        "no noise, no condition holds": {
            "unbound_std": 0.0,
            "bound_std": 0.0,
            "tf_relationships": {0: [yx.And(0, yx.Not(0))]},
        },
    }[change]
    page = Parsed(written(made(genes=40, **extra), tmp_path, pictures="condition" in change))
    assert re.fullmatch(r"All \d+ checks passed\.", page.texts["strong"][0])


def test_report__stays_small_with_many_tfs(tmp_path: Path) -> None:
    names = [f"<TF {tf:05d}>" for tf in range(20_100)]
    related = {names[tf]: [yx.And(names[tf + 1], names[0])] for tf in range(1, 2_000, 2)}
    sizes = {"genes": 5, "bound": [0.2], "n_sample": [len(names)]}
    ds = yx.simulate(**sizes, tfs=names, tf_relationships=related, seed=1, chunks="auto")
    page = ds.yeast.report(tmp_path / "qc.html", checks=False)
    assert page.stat().st_size < 5e6
    text = page.read_text(encoding="utf-8")
    assert "20,100 TFs; showing the first 10,000, and 10,000 others with the largest deviations" in text
    assert len(Parsed(text).tables[-2]) == 201
    assert "And 800 more" in text


def test_format_tfs__long_names_are_cut_and_leave_fewer_rows() -> None:
    names = [f"{tf} {'<' * 100}" for tf in range(20_000)]
    table = xr.Dataset({"deviation": ("tf", np.arange(20_000.0), {"long_name": "off"})}, coords={"tf": names})
    text = format_tfs(table)["data"]
    assert len(text) < 2.1e6
    assert "<" not in text
    data = json.loads(text)
    assert len(data["names"]) == len(data["columns"][0].split(" ")) == 5000
    assert data["names"][0] == f"0 {'<' * 57}…"


def test_command__report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    yx.save(made(genes=100), "sim.zarr")
    leave_pictures_out(monkeypatch)
    result = CliRunner().invoke(main, ["report", "sim.zarr"], catch_exceptions=False)
    assert result.exit_code == 0
    assert re.fullmatch(r"sim\.html: 1\.\d MB; \d+ passed, 0 failed\n", result.output), result.output
    options = ["--title", "<Ours>", "--level", "0.05"]
    assert CliRunner().invoke(main, ["report", "sim.zarr", "b.html", *options], catch_exceptions=False).exit_code == 0
    page = Parsed(Path("b.html").read_text(encoding="utf-8"))
    assert page.texts["h1"] == ["<Ours>"]
    assert any("at most 0.05." in text for text in page.texts["p"])
    monkeypatch.setattr("yeastxr.checks.check", None)  # before anything is checked
    result = CliRunner().invoke(main, ["report", "sim.zarr", "x.pt"])
    assert result.exit_code == 2
    assert "expected a path that ends in .html" in result.output
    result = CliRunner().invoke(main, ["report", "none.zarr", "x.html"])
    assert result.exit_code == 2
    assert "none.zarr" in result.output
    assert not Path("x.html").exists()


def test_report__broken_specification_is_shown_as_it_is(tmp_path: Path) -> None:
    ds = made(genes=20).assign_attrs(specification="{<oops>")
    assert "The specification can't be read:</p><pre>{&lt;oops&gt;</pre>" in written(ds, tmp_path)


def test_report__loads_nothing(tmp_path: Path) -> None:
    page = written(made(), tmp_path, checks=yx.check(made()))
    tags = re.findall(r"<(?:script|link|img|iframe|object|source)\b[^>]*>", page)
    assert not [tag for tag in tags if "://" in tag or "src=" in tag]
    assert not re.search(r"""(?:src|href)\s*=\s*["']?\s*(?:https?:)?//""", without_scripts(page))
    assert "@import" not in page
    assert not re.search(r"url\(\s*[\"']?https?:", page)


def test_report__escapes_names_and_title(evil_page: Path) -> None:
    page = evil_page.read_text(encoding="utf-8")
    for name in EVIL:
        assert name not in page
        assert html.escape(name) in page
    for tag in ("h1", "title"):
        assert f"<{tag}>{html.escape(EVIL[0])} &amp; co</{tag}>" in page
    assert "<b>g</b>" not in page
    data = next(text for text in Parsed(page).texts["script"] if text.startswith('{"names"'))
    assert json.loads(data)["names"] == EVIL


def test_report__style_and_script_are_in_the_wheel(tmp_path: Path) -> None:
    [wheel] = WheelBuilder(str(Path(__file__).parents[2])).build(directory=str(tmp_path))
    names = zipfile.ZipFile(wheel).namelist()
    assert {
        "yeastxr/plot/assets/page.html",
        *(f"yeastxr/report/assets/{n}" for n in ("page.css", "page.js", "report.html")),
    } <= set(names)


def test_report__failure_leaves_what_was_there(tmp_path: Path) -> None:
    class Broken:
        def _repr_html_(self) -> str:
            raise RuntimeError("no table")

    path = tmp_path / "qc.html"
    path.write_text("before")
    with pytest.raises(RuntimeError, match="no table"):
        yx.report(made(genes=20), path, checks=Broken(), overwrite=True)
    with pytest.raises(yx.SchemaError):
        yx.report(made(genes=20).drop_vars("label"), path, overwrite=True)
    with pytest.raises(yx.InputError, match="which already exists; choose another path or pass overwrite=True"):
        yx.report(made(genes=20), path, checks=False)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_report__refuses_bad_arguments(tmp_path: Path) -> None:
    ds = made(genes=20)
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "tensor.pt").write_text("mine")
    with pytest.raises(yx.InputError, match=r"expected a path that ends in \.html"):
        yx.report(ds, tmp_path / "tensor.pt")
    assert (tmp_path / "tensor.pt").read_text() == "mine"
    for path in (tmp_path / "folder.html", tmp_path / "none" / "qc.html"):
        with pytest.raises(yx.InputError, match="expected a file in an existing folder"):
            yx.report(ds, path)
    with pytest.raises(yx.InputError, match="checks is of type str"):
        yx.report(ds, tmp_path / "qc.html", checks="passed")


def test_report__replaces_only_with_overwrite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ds, path = made(genes=20), tmp_path / "qc.html"
    path.write_text("mine")
    yx.save(ds, tmp_path / "sim.zarr")
    monkeypatch.setattr("yeastxr.checks.check", None)  # before anything is checked
    result = CliRunner().invoke(main, ["report", str(tmp_path / "sim.zarr"), str(path)])
    assert result.exit_code == 2
    assert "which already exists; choose another path or pass --overwrite" in result.output
    assert path.read_text() == "mine"
    monkeypatch.undo()
    leave_pictures_out(monkeypatch)
    command = ["report", str(tmp_path / "sim.zarr"), str(path), "--overwrite"]
    assert CliRunner().invoke(main, command, catch_exceptions=False).exit_code == 0
    assert "checks passed" in path.read_text(encoding="utf-8")


def get_banner(page: str) -> str:
    [banner] = re.findall(r'<p class="verdict.*?</p>', without_scripts(page))
    return re.sub(" +", " ", re.sub(r"<[^>]*>", "", banner))


def test_banner__says_what_was_not_checked(tmp_path: Path) -> None:
    ds = made(genes=50)
    unknown = written(ds.drop_attrs(deep=True), tmp_path)
    assert '<p class="verdict unchecked">' in unknown
    assert get_banner(unknown).startswith("Not compared with theory; ")
    other = yx.check(ds.drop_attrs(deep=True))  # a table that was made without the specification
    assert get_banner(written(ds, tmp_path, checks=other)).startswith("Not compared with theory; ")
    assert re.match(r"All \d+ checks passed\. A correct", get_banner(written(ds, tmp_path)))
    broken = ds.drop_attrs(deep=True).assign(binding_pvalue=ds.binding_pvalue + 2)
    assert get_banner(written(broken, tmp_path)).endswith("Not all values were compared with theory.")


def renamed() -> xr.Dataset:
    return yx.simulate(genes=60, bound=[0.1], n_sample=[2], seed=1).assign_coords(tf=["GAL4", "MIG1"])


def concatenated() -> xr.Dataset:
    first = yx.simulate(genes=60, bound=[0.1], n_sample=[2], tf_relationships={0: [1]}, seed=1)
    second = yx.simulate(genes=60, bound=[0.4], n_sample=[2], seed=2).assign_coords(tf=[2, 3])
    return xr.concat([first, second], "tf", data_vars="minimal", coords="minimal", compat="override", join="outer")


def other_genes() -> xr.Dataset:
    return yx.simulate(genes=60, bound=[0.1], n_sample=[2], seed=1).assign_coords(gene=range(100, 160))


@pytest.mark.parametrize("make", [renamed, concatenated, other_genes])
def test_report__of_labels_that_the_specification_lacks_says_so(make: object, tmp_path: Path) -> None:
    page = written(make(), tmp_path)
    dim = "gene" if make is other_genes else "tf"
    assert f"labels of the dimension &#39;{dim}&#39;" in page
    assert get_banner(page).endswith("Not all values were compared with theory.")
    title = {"gene": "60 genes of the dataset", "tf": "2 TFs of the dataset"}[dim]
    assert f"It does not have {title}, such as " in page


def test_report__of_a_sweep_tells_each_point(tmp_path: Path) -> None:
    spec = yx.SimulationSpec(genes=100, bound=[0.3], n_sample=[3], seed=1)
    ds = yx.sweep(spec, bound_mean=[1.0, 3.0], bound_std=[0.5, 1.0]).compute()
    points = [f"bound_mean={mean}, bound_std={std}" for mean in (1.0, 3.0) for std in (0.5, 1.0)]
    ds["perturbation_effect"].values[1, 0] = abs(ds["perturbation_effect"].values[1, 0])
    page = written(ds, tmp_path, pictures=True)
    rows = {row["point of the sweep"]: row["result"] for row in Parsed(page).table("point of the sweep")}
    assert list(rows) == points
    assert re.fullmatch(r"\d+ of \d+ checks failed", rows[points[2]])
    assert [rows[point] for point in (*points[:2], points[3])] == ["all checks passed"] * 3
    one = Parsed(written(ds.sel(bound_mean=1.0), tmp_path)).table("point of the sweep")
    assert [row["result"] for row in one] == ["all checks passed"] * 2
    elsewhere = Parsed(written(ds.assign_coords(bound_mean=[1.0, 4.0]), tmp_path)).table("point of the sweep")
    assert [row["result"] for row in elsewhere][2:] == ["1 of 5 checks failed"] * 2


def test_report__of_a_large_sweep_is_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [Check(f"row {i}", "yes", "no" if i == 4999 else "yes", i != 4999) for i in range(5000)]
    page = written(made(genes=20), tmp_path, checks=CheckTable(tuple(rows), 0.001))
    assert "Total: 4999 passed, 1 failed. Showing 2,000 of 5,000 checks, failed ones first." in page
    assert "row 4999" in page
    assert "row 3000" not in page
    assert get_banner(page).startswith("1 of 5,000 checks failed: row 4999.")


def test_report__of_very_many_points_shows_failed_ones_first(tmp_path: Path) -> None:
    ds = yx.sweep(made(genes=20, bound=[0.5], n_sample=[1]).yeast.spec, bound_mean=list(range(1, 1202)))
    rows = [Check(f"bound_mean={mean}: row", "", "", mean != 1200) for mean in range(1, 1202)]
    page = written(ds.isel(bound_mean=[0, 1]).load(), tmp_path, checks=CheckTable(tuple(rows), 0.001))
    points = Parsed(page).table("point of the sweep")
    assert len(points) == 1000
    assert points[0] == {"point of the sweep": "bound_mean=1200", "result": "1 of 1 checks failed"}
    assert "And 201 more; those with failed checks come first." in page


@pytest.mark.parametrize("selection", [{"tf": "TF5"}, {"gene": 3}, {"tf": "TF5", "gene": 3}], ids=str)
def test_report__of_one_tf_or_gene_selected_as_a_scalar(selection: dict[str, object], tmp_path: Path) -> None:
    ds = made(genes=20, tfs=[f"TF{n}" for n in range(10)], tf_relationships={"TF5": ["TF4"]})
    scalar = written(ds.sel(selection), tmp_path)
    as_list = written(ds.sel({dim: [label] for dim, label in selection.items()}), tmp_path)
    *tables, variables = Parsed(without_scripts(scalar)).tables
    *others, other = Parsed(without_scripts(as_list)).tables
    assert tables == others
    assert sorted(row[0] for row in variables) == sorted(row[0] for row in other)
    assert get_banner(scalar) == get_banner(as_list)


HIDDEN = ["\u202egnp.LAG", "GAL4\u200b", "\u2066x\u2069", "a\x07b", "\ufeffb", "a\u00adb", "\U000e0041c", "\u2028"]


def test_report__shows_invisible_characters_as_escapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    relations = {HIDDEN[0]: [HIDDEN[1]]}
    ds = made(genes=20, bound=[0.3] * 8, n_sample=[1] * 8, tfs=HIDDEN, tf_relationships=relations)
    ds = ds.assign_coords(gene=[f"{n}\u202e" for n in range(20)])
    page = written(ds, tmp_path, title="a\u202eb")  # names in pictures: tests/plot
    own = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)  # bokeh's own library
    hidden = set("".join(HIDDEN)) - set("".join(filter(str.isprintable, "".join(HIDDEN))))
    assert not hidden & set(own)
    assert "\\u202egnp.LAG" in own
    assert "a\\u202eb</h1>" in own
    _, file, code = Parsed(page).frames  # and yet they make it again
    Path("spec.json").write_text(file, encoding="utf-8")
    names: dict[str, object] = {}
    exec(code, names)
    assert list(names["ds"].tf.values) == HIDDEN


needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
ALARM = """globalThis.alert = () => console.error("a name ran as a script")"""
# Move the mouse over a point of each layer of each figure.
HOVER = """
for (const root of Bokeh.documents[0].roots()) {
  const view = Bokeh.index.get_one(root), target = view.canvas_view.events_el, box = target.getBoundingClientRect();
  for (const { glyph } of view.renderer_views.values()) {
    if (!glyph?.sx?.length) continue;
    const at = { clientX: box.left + glyph.sx[0], clientY: box.top + glyph.sy[0], bubbles: true, composed: true };
    for (const type of ["mouseenter", "mousemove"]) target.dispatchEvent(new MouseEvent(type, at));
    const pointer = { ...at, pointerType: "mouse", pointerId: 1, isPrimary: true };
    for (const type of ["pointerenter", "pointermove"]) target.dispatchEvent(new PointerEvent(type, pointer));
  }
}
new Promise((done) => setTimeout(done, 500))
"""
# What the page holds, shadow roots included.
FOUND = """(() => {
  const found = { canvases: 0, images: 0, text: "" };
  const walk = (node) => {
    found.canvases += node.tagName == "CANVAS" && node.width > 100;
    found.images += node.tagName == "IMG";
    if (node.nodeType == 3) found.text += node.textContent + " ";
    if (node.shadowRoot) walk(node.shadowRoot);
    if (!["SCRIPT", "STYLE"].includes(node.tagName)) node.childNodes.forEach(walk);
  };
  walk(document.body);
  return found;
})()"""
NAMES = """[...document.querySelectorAll("#tf-table tbody th")].map((cell) => cell.textContent)"""
HEAD = "document.querySelectorAll('#tf-table thead th')[{}]"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser(tmp_path_factory.mktemp("profile")) as tab:
        tab.send("Page.addScriptToEvaluateOnNewDocument", source=ALARM)
        yield tab


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the page of a dataset with more TFs than the table shows at once."""
    ds = made(genes=100, bound=[0.1, 0.5], n_sample=[250, 250], tfs=[f"TF{(7 * i) % 500}" for i in range(500)])
    return yx.report(ds, tmp_path_factory.mktemp("large") / "qc.html", checks=False)


@needs_browser
def test_browser__draws_and_asks_for_nothing(tab: Tab, evil_page: Path, tmp_path: Path) -> None:
    tab.size(900, 5200)
    tab.open(evil_page)
    tab.run(HOVER)
    found = tab.run(FOUND)
    assert found["canvases"] >= 7
    assert found["images"] == 0
    assert any(f"TF: {name}" in " ".join(found["text"].split()) for name in EVIL)
    assert {"orange", "blue"} <= colours_in(tab.take_picture(tmp_path / "page.png"))
    assert tab.problems == []
    assert tab.requests == []


@needs_browser
def test_browser__tfs_sort_and_filter_code_is_copied_and_nothing_is_sent(tab: Tab, large: Path) -> None:
    tab.open(large)
    before = tab.run(NAMES)
    assert before == [f"TF{(7 * i) % 500}" for i in range(200)]
    name, found = HEAD.format(0), HEAD.format(2)
    tab.run(f"{name}.querySelector('button').focus()")
    tab.press("Enter", 13)
    assert tab.run(f"{name}.ariaSort") == "ascending"
    assert tab.run(NAMES) == [f"TF{i}" for i in range(200)]
    tab.press(" ", 32)
    assert tab.run(f"{name}.ariaSort") == "descending"
    assert tab.run(NAMES) == [f"TF{499 - i}" for i in range(200)]
    tab.run(f"{found}.querySelector('button').click()")
    assert [tab.run(f"{head}.ariaSort") for head in (name, found)] == ["none", "ascending"]
    assert tab.run(NAMES) == before  # 10 genes each: in the order of the dataset
    tab.run(
        "(() => { const f = document.getElementById('tf-filter'); f.value = 'tf49'; "
        "f.dispatchEvent(new Event('input')); })()"
    )
    assert sorted(tab.run(NAMES)) == sorted(["TF49", *(f"TF49{i}" for i in range(10))])
    assert tab.run("document.getElementById('tf-count').textContent") == "500 TFs; 11 match"
    assert tab.problems == []

    tab.send("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    frames = Parsed(large.read_text(encoding="utf-8")).frames
    assert len(frames) == 3
    for i, text in enumerate(frames):
        tab.run(f"document.querySelectorAll('.code')[{i}].querySelector('button').click()")
        assert tab.run("new Promise((done) => setTimeout(done, 50)).then(() => navigator.clipboard.readText())") == text
    assert tab.run("document.getElementById('message').textContent") == "Copied"
    assert tab.problems == []

    assert tab.run("fetch('https://example.org').then(() => 'answered', () => 'refused')") == "refused"
    assert any("Content Security Policy" in problem for problem in tab.problems)


@needs_browser
def test_browser__fits_a_phone(tab: Tab, large: Path) -> None:
    tab.size(375, 800, mobile=True)
    tab.open(large)
    assert tab.run("document.documentElement.scrollWidth") == 375
    widest = "Math.max(...[...document.querySelectorAll('.picture')].map((one) => one.getBoundingClientRect().right))"
    assert tab.run(widest) <= 375
    assert tab.problems == []


@needs_browser
def test_browser__prints_all_and_folds_it_again(tab: Tab, large: Path, tmp_path: Path) -> None:
    tab.size(1280, 900)
    tab.open(large)
    tab.run(
        "addEventListener('beforeprint', () => { globalThis.shown = document.querySelectorAll('details:not([open])')"
        ".length + ' ' + document.querySelector('.pictures').getBoundingClientRect().width; })"
    )
    assert tab.print_pdf(tmp_path / "qc.pdf").stat().st_size > 50_000
    folded, width = tab.run("globalThis.shown").split()
    assert folded == "0"
    assert float(width) <= 700
    assert tab.run("document.querySelectorAll('details[open]').length") == 0
    assert tab.run("document.querySelector('.pictures').style.zoom") == ""
    assert tab.problems == []


def colours_in(picture: Path) -> set[str]:
    """Tell which of the two colours, over white, a picture has in many places."""
    from matplotlib.image import imread

    red, green, blue = imread(picture)[..., :3].reshape(-1, 3).T
    orange = (red > 0.85) & (green > 0.6) & (green < 0.85) & (blue < 0.5)
    deep_blue = (red < 0.5) & (green > 0.4) & (blue > 0.65)
    return {name for name, mask in {"orange": orange, "blue": deep_blue}.items() if mask.sum() > 500}
