"""The page: complete, self-contained, escaped, written at once, and alive in a browser."""

import html
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import xarray as xr
from click.testing import CliRunner

import yeastxr as yx
from yeastxr.cli import main
from yeastxr.demo import METHODS

TUTORIAL = {
    "genes": 1000,
    "bound": [0.1, 0.15, 0.2, 0.25, 0.3],
    "n_sample": [1, 1, 2, 2, 4],
    "max_mean_adjustment": 10.0,
}
EVIL = ["<script>alert(1)</script>", "<img src=x onerror=alert(2)>"]


def made(**extra: object) -> xr.Dataset:
    return yx.simulate(**{**TUTORIAL, "seed": 42, **extra})


def evil() -> xr.Dataset:
    ds = made(genes=3, bound=[0.34, 0.67], n_sample=[1, 1], tfs=EVIL)
    return ds.assign_coords(gene=["<b>g</b>", "$$x$$", "&lt;"])


def written(ds: xr.Dataset, folder: Path, **options: object) -> str:
    return yx.report(ds, folder / "qc.html", **options).read_text(encoding="utf-8")


def without_scripts(page: str) -> str:
    """Return the page less the scripts and styles that bokeh puts in, which are text to a browser's parser."""
    return re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)


@pytest.mark.parametrize("chunks", [None, {"tf": 3}], ids=["numpy", "dask"])
def test_report__says_what_the_dataset_is(chunks: object, tmp_path: Path) -> None:
    ds = made(chunks=chunks)
    table = yx.check(ds)
    page = without_scripts(written(ds, tmp_path, checks=table))
    for word, value in {"Genes": "1,000", "TFs": "10", "Cells": "10,000", "Seed": "42"}.items():
        assert f"<dt>{word}</dt><dd>{value}</dd>" in page
    assert table._repr_html_() in page
    assert "<td>max_mean_adjustment</td><td>10.0</td>" in page
    assert f"All {len(table.rows)} checks passed." in page
    assert page.count("data-root-id") == 7
    assert '<meta name="viewport"' in page


def test_report__extra_dims_and_nothing_known(tmp_path: Path) -> None:
    ds = made(genes=20, replicates=3, chunks={}).drop_attrs(deep=False)
    page = without_scripts(written(ds, tmp_path))
    assert "<dt>Replicate</dt><dd>3</dd>" in page
    for absent in ("Seed", "<summary>Specification", "lines: theory"):
        assert absent not in page
    assert "<h2>Checks" in page
    assert "<h2>Checks" not in without_scripts(written(ds, tmp_path, checks=False))


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
        {"tf_relationships": {0: [1, yx.Or(2, yx.Not(3))]}},
        {"bound": [0.123456789], "n_sample": [3], "background_hops_range": (2, 50), "pseudocount": 1e-7},
    ],
    ids=["plain", "names", "hostile-names", "relations", "numbers"],
)
def test_report__what_it_says_makes_the_dataset_again(
    extra: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ds = made(**extra)
    frames = [
        html.unescape(text) for text in re.findall(r"Copy</button><pre>(.*?)</pre>", written(ds, tmp_path), re.DOTALL)
    ]
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


def test_report__tf_table_holds_what_was_found(tmp_path: Path) -> None:
    ds = made(**METHODS[4][1])
    page = written(ds, tmp_path)
    head = re.findall(r'aria-sort="none"><button type="button">(.*?)</button>', page)
    assert head[:5] == ["TF", "bound, asked", "bound, found", "conditions hold, found", "conditions hold, expected"]
    body = re.search(r'id="tf-table".*?<tbody>(.*?)</tbody>', page, re.DOTALL)[1]
    rows = [re.findall(r"<td>(.*?)</td>", row) for row in body.split("</tr>") if row]
    assert len(rows) == 10
    one = dict(zip(head, rows[5], strict=True))
    bound = ds.label.sel(tf=5)
    assert float(one["bound, found"]) == 0.25
    assert float(one["conditions hold, found"]) == pytest.approx(
        float(yx.adjusted_pairs(ds.label, ds.yeast.spec.tf_relationships).sel(tf=5).sum() / bound.sum()), rel=1e-3
    )
    assert float(one["mean |perturbation|, bound"]) == pytest.approx(
        float(abs(ds.perturbation_effect.sel(tf=5)).where(bound).mean()), rel=1e-3
    )


def test_report__stays_small_with_many_tfs(tmp_path: Path) -> None:
    ds = yx.simulate(genes=20, bound=[0.2], n_sample=[30_000], seed=1, chunks="auto")
    page = ds.yeast.report(tmp_path / "qc.html", checks=False)
    assert page.stat().st_size < 5e6
    text = page.read_text(encoding="utf-8")
    assert "30,000 TFs, the first 20,000 of them here" in text
    assert text.count("<tr><td>") < 600


def test_command__report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    yx.save(made(genes=100), "sim.zarr")
    result = CliRunner().invoke(main, ["report", "sim.zarr"], catch_exceptions=False)
    assert result.exit_code == 0
    assert re.fullmatch(r"sim\.html: 1\.\d MB; \d+ passed, 0 failed\n", result.output), result.output
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


def test_report__escapes_names_and_title(tmp_path: Path) -> None:
    page = written(evil(), tmp_path, title="<b>Evil</b> & co", checks=yx.check(evil()))
    for name in EVIL:
        assert name not in page
        assert html.escape(name) in page
    assert "<h1>&lt;b&gt;Evil&lt;/b&gt; &amp; co</h1>" in page
    assert "<title>&lt;b&gt;Evil&lt;/b&gt; &amp; co</title>" in page
    assert "<b>g</b>" not in page


def test_report__failure_leaves_what_was_there(tmp_path: Path) -> None:
    class Broken:
        def _repr_html_(self) -> str:
            raise RuntimeError("no table")

    path = tmp_path / "qc.html"
    path.write_text("before")
    with pytest.raises(RuntimeError, match="no table"):
        yx.report(made(genes=20), path, checks=Broken())
    with pytest.raises(yx.SchemaError):
        yx.report(made(genes=20).drop_vars("label"), path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_report__refuses_bad_arguments(tmp_path: Path) -> None:
    ds = made(genes=20)
    for path in (tmp_path, tmp_path / "none" / "qc.html"):
        with pytest.raises(yx.InputError, match="expected a file in a folder that exists"):
            yx.report(ds, path)
    with pytest.raises(yx.InputError, match="checks is of type str"):
        yx.report(ds, tmp_path / "qc.html", checks="passed")


BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FIRST = """<script>
  for (const type of ["error", "warn"]) console[type] = (...words) => console.log("PROBLEM " + words.join(" "));
  addEventListener("error", (event) => console.log(`PROBLEM ${event.message} ${event.target?.outerHTML}`), true);
  globalThis.alert = () => console.log("PROBLEM a name ran as a script");
</script>"""
# Move the mouse over a point of each layer of the scatter, and say what the page then holds, shadow roots included.
LAST = """<script>
setTimeout(() => {
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
  setTimeout(() => {
    // Sort the TFs by name, downwards, and find one.
    const button = document.querySelector("#tf-table button");
    const names = () => [...document.querySelectorAll("#tf-table td:first-child")].map((cell) => cell.textContent);
    const before = names();
    button.click();
    button.click();
    const order = button.parentElement.getAttribute("aria-sort");
    const turned = names().join() === [...before].sort().reverse().join() && order;
    const filter = document.getElementById("tf-filter");
    filter.value = "img src";
    filter.dispatchEvent(new Event("input"));
    console.log(`SORTED ${turned} ${names().length} of ${before.length}`);
    const found = { canvases: 0, images: 0, text: "" };
    const walk = (node) => {
      found.canvases += node.tagName == "CANVAS" && node.width > 100;
      found.images += node.tagName == "IMG";
      if (node.nodeType == 3) found.text += node.textContent + " ";
      if (node.shadowRoot) walk(node.shadowRoot);
      if (!["SCRIPT", "STYLE", "DETAILS"].includes(node.tagName)) node.childNodes.forEach(walk);
    };
    walk(document.body);
    console.log(`FOUND ${found.canvases} ${found.images} ${found.text.replace(/\\s+/g, " ")} END`);
  }, 500);
}, 1500);
</script>"""


@pytest.mark.skipif(BROWSER is None, reason="chromium is not installed")
def test_report__in_a_browser(tmp_path: Path) -> None:
    page = written(evil(), tmp_path, checks=yx.check(evil()), title="Evil")
    page = page.replace("<head>", f"<head>{FIRST}", 1).replace("</body>", f"{LAST}</body>")
    (tmp_path / "watched.html").write_text(page, encoding="utf-8")
    picture = tmp_path / "page.png"
    options = "--headless --no-sandbox --disable-gpu --disable-background-networking --enable-logging=stderr"
    done = subprocess.run(
        [
            str(BROWSER),
            *options.split(),
            f"--user-data-dir={tmp_path / 'profile'}",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--virtual-time-budget=8000",
            "--window-size=900,5200",
            f"--screenshot={picture}",
            (tmp_path / "watched.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert re.findall(r"PROBLEM [^\n]*|Uncaught[^\n]*|Failed to load[^\n]*", done.stderr) == []
    found = re.search(r"FOUND (\d+) (\d+) (.*?) END", done.stderr, re.DOTALL)
    assert found, done.stderr[-2000:]
    canvases, images, text = int(found[1]), int(found[2]), found[3]
    assert canvases >= 7
    assert "SORTED descending 1 of 2" in done.stderr
    assert images == 0
    assert any(f"TF: {name}" in text for name in EVIL), text[-500:]
    assert {"orange", "blue"} <= colours_in(picture)


def colours_in(picture: Path) -> set[str]:
    """Tell which of the two colours, over white, a picture has in many places."""
    from matplotlib.image import imread

    red, green, blue = imread(picture)[..., :3].reshape(-1, 3).T
    orange = (red > 0.85) & (green > 0.6) & (green < 0.85) & (blue < 0.5)
    deep_blue = (red < 0.5) & (green > 0.4) & (blue > 0.65)
    return {name for name, mask in {"orange": orange, "blue": deep_blue}.items() if mask.sum() > 500}
