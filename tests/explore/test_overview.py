"""The overview, without a browser."""

import re
from html import unescape
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import yeastxr as yx
from tests.conftest import count_reads
from tests.explore.common import MARKUP, simulate
from yeastxr.explore.page import Explorer
from yeastxr.explore.source import Source
from yeastxr.explore.views import base, overview
from yeastxr.report import facts
from yeastxr.schema import MEASURES

DS = simulate()


@pytest.fixture
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the plots out, which take most of the time."""
    monkeypatch.setattr(facts, "draw_pictures", lambda ds, summary, sample: [])


def open_page(ds: xr.Dataset, query: str = "") -> Explorer:
    page = Explorer(ds, query=query)
    assert not page._message.visible, page._message.object
    return page


def read_text(view: Any) -> str:
    """Return all texts of a view."""
    parts = [part.object for part in view.layout.objects if isinstance(getattr(part, "object", None), str)]
    return " ".join(unescape(re.sub("<[^>]*>", " ", " ".join(parts))).split())


def test_overview__plots_are_those_of_qc() -> None:
    ds = DS.drop_attrs(deep=False)  # theory would take most of the time
    page = open_page(ds)
    view = page._shown
    assert isinstance(view, overview.OverviewView)
    titles = [overview._get_title(picture) for picture in view._pictures]
    assert titles == [overview._get_title(picture) for picture in yx.plot.qc(ds)]
    figures = [place.object for place in view._grid]
    assert [figure.html_attributes["aria-label"] for figure in figures] == [f"All pairs: {title}" for title in titles]
    page.go(view="gene")
    page.go(view="overview")
    assert [place.object for place in page._shown._grid] == figures  # nothing is drawn twice
    assert len(view.make_picture()) == len(titles)


@pytest.mark.usefixtures("no_plots")
@pytest.mark.parametrize("chunks", [None, {"tf": 2}], ids=["numpy", "dask"])
def test_overview__table_is_that_of_check(chunks: Any) -> None:
    ds = simulate(chunks=chunks)
    page = open_page(ds)
    names: dict[str, Any] = {"ds": ds}
    exec("\n".join(line for line in page._shown.make_code(page.state) if "plot" not in line), names)
    pd.testing.assert_frame_equal(page._shown.make_table(), names["table"])
    text = read_text(page._shown)
    assert re.search(r"All \d+ checks passed\.", text)
    assert "300 (0 … 299)" in text
    assert "bound_mean 3.0" in text
    assert "1 TF with conditions" in text
    assert MARKUP not in "".join(str(part.object) for part in page._shown.layout.objects if hasattr(part, "object"))


@pytest.mark.usefixtures("no_plots")
def test_overview__failed_checks_come_first() -> None:
    page = open_page(DS.assign(binding_effect=2 * DS.binding_effect))
    view = page._shown
    rows = re.findall(r'<tr><th scope="row">(.*?)</th><td.*?>(\w+|n/a)</td>', view._checks.object)
    verdicts = [verdict for _, verdict in rows]
    n_failed = verdicts.count("FAIL")
    assert 0 < n_failed < len(verdicts)
    assert verdicts[:n_failed] == ["FAIL"] * n_failed
    assert f"{n_failed} of" in view._verdict.object
    assert 'class="error"' in view._verdict.object
    assert set(view.make_table().query("verdict == 'FAIL'")["check"]) == {unescape(name) for name, _ in rows[:n_failed]}


@pytest.mark.usefixtures("no_plots")
def test_overview__measured_data_without_label_and_with_missing_values() -> None:
    ds = DS.drop_attrs(deep=False).drop_vars("label").sel(feature=list(MEASURES))
    ds = ds.assign(binding_effect=ds.binding_effect.where(ds.gene > 20))
    text = read_text(open_page(ds)._shown)
    assert "Not compared with theory" in text
    assert "unknown: no variable label" in text
    assert "None: the dataset is not of one simulation" in text


@pytest.mark.usefixtures("no_plots")
def test_overview__specification_that_cant_be_read() -> None:
    view = open_page(DS.assign_attrs(specification="<b>nonsense</b>"))._shown
    assert "can't be read: <b>nonsense</b>" in read_text(view)
    assert "<b>nonsense" not in "".join(str(part.object) for part in view.layout.objects if hasattr(part, "object"))


@pytest.mark.usefixtures("no_plots")
def test_overview__sweep_says_what_is_swept_and_how_each_point_is() -> None:
    ds = yx.sweep(yx.SimulationSpec(genes=200, bound=[0.2, 0.3], seed=1), bound_mean=[2.0, 3.0], replicates=2)
    text = read_text(open_page(ds)._shown)
    assert "bound_mean 2 2.0, 3.0" in text
    assert "bound_mean swept over [2.0, 3.0]" in text
    assert "bound_mean=3.0 all checks passed" in text


@pytest.mark.usefixtures("no_plots")
def test_overview__reads_the_data_once_and_much_of_it_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    ds, reads = count_reads(simulate(chunks={"tf": 2}, tf_relationships=None))
    monkeypatch.setattr(overview, "MOST_READ_UNASKED", 100)
    page = open_page(ds)
    view = page._shown
    assert not reads
    assert view._start.visible
    assert "1,800 gene–TF pairs" in view._verdict.object
    assert view.make_table() is None
    assert not page.downloads._csv.visible
    view._start.clicks += 1
    assert set(reads.values()) == {1}
    assert len(view.make_table()) > 20
    assert page.downloads._csv.visible
    page.go(view="gene", gene=3)
    before = dict(reads)
    page.go(view="overview")
    assert reads == before
    assert not view._start.visible


def test_work__reports_shares_and_ends_when_it_is_told() -> None:
    source = Source(yx.simulate(genes=20, bound=[0.3], n_sample=[600], seed=1, chunks={"tf": 250}), "")
    shares: list[float] = []
    facts.inspect_dataset(source.ds, progress=False, visit=overview.count_pairs(source.n_pairs, shares.append))
    assert len(shares) == 3
    assert max(shares) == 1

    def stop(share: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        facts.inspect_dataset(source.ds, progress=False, visit=overview.count_pairs(source.n_pairs, stop))


def test_cut_blocks__of_what_is_large_and_in_memory_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source(DS, "")
    assert overview.cut_blocks(source) is source.ds
    monkeypatch.setattr(overview, "_LEAST_CUT", 1_000)
    monkeypatch.setattr(overview, "_BLOCK_TFS", 4)
    ds = overview.cut_blocks(source)
    assert ds.chunksizes["tf"] == (4, 2)
    xr.testing.assert_identical(ds.compute(), source.ds)
    assert yx.check(ds).rows == yx.check(DS).rows


def test_describe_reading() -> None:
    assert "about 50 s" in base.describe_reading(10**9)
    assert "about 3 minutes" in base.describe_reading(4 * 10**9 - 10**9 // 2)
    assert np.isfinite(base.MOST_READ_UNASKED)
