"""Summaries, pictures and the page of what extends the tutorial: missing values, extra variables, measurements."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import yeastxr as yx
from tests.checks.test_extended import EVERYTHING, SMALL
from yeastxr import plot, qc
from yeastxr.report.tables import format_groups, summarize_groups, summarize_tfs


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    return yx.simulate(**SMALL | EVERYTHING, seed=4)


def test_missing_values_are_counted_apart(ds: xr.Dataset) -> None:
    summary = qc.summarize(ds).compute()
    missing = ds["perturbation_effect"].isnull()
    np.testing.assert_array_equal(summary["pairs_missing"].sum("label").values.sum(), missing.values.sum())
    bound = ds["perturbation_effect"].where(ds["label"]).mean("gene")
    np.testing.assert_allclose(summary["mean"].sel(quantity="perturbation_effect", label=True), bound, rtol=1e-5)


def test_expected_numbers_stand_beside_those_observed(ds: xr.Dataset) -> None:
    # Without the offsets of batches, of which theory knows no distribution.
    parameters = {name: value for name, value in EVERYTHING.items() if name != "batch_std"}
    for data in (ds, yx.simulate(**SMALL | parameters, seed=4)):
        summary = qc.summarize(data).compute()
        table = summarize_tfs(data, summary)
        assert float(table["deviation"].max()) < 7
        rows = format_groups(summarize_groups(data, summary))
        unknown = {row[0] for row in rows if row[4] == "–"}
        assert unknown == ({"|perturbation effect| (noise s.d.)", "perturbation p-value"} if data is ds else set())


def test_pictures_are_drawn(ds: xr.Dataset) -> None:
    for draw in (plot.relation_status, plot.volcano):  # the page has the others
        assert draw(ds) is not None


def test_the_page_is_written(ds: xr.Dataset, tmp_path: Path) -> None:
    page = Path(yx.report(ds, tmp_path / "page.html")).read_text()
    assert "measurement=1: responsive pairs, bound" in page
    assert "FAIL" not in page
