"""Measured data without labels: everything works but what needs the truth, which says so in one sentence."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import xarray as xr

import yeastxr as yx
from tests.analysis.common import make_measured
from yeastxr.plot.style import load_holoviews

ds = make_measured(11)
METHODS: dict[str, Callable[[], Any]] = {
    "rank_response": ds.yeast.analysis.rank_response,
    "top_ratio": partial(ds.yeast.analysis.top_ratio, 10),
    "dual_threshold": partial(ds.yeast.analysis.dual_threshold, permutations=10),
    "curves": partial(ds.yeast.analysis.curves, truth=ds.binding_pvalue < 0.1),
    "correlate": ds.yeast.analysis.correlate,
    "scores": partial(ds.yeast.analysis.scores, ds.binding_effect),
    "describe": ds.yeast.describe,
    "targets": partial(ds.yeast.targets, "TF1", largest_pvalue=0.2),
    "top": partial(ds.yeast.top, "TF1"),
    "adjusted": partial(yx.analysis.adjust_pvalues, ds.binding_pvalue),
}
NEED_TRUTH: dict[str, Callable[[], Any]] = {
    "rank_response": partial(ds.yeast.analysis.rank_response, responsive="label"),
    "curves": ds.yeast.analysis.curves,
    "targets": partial(ds.yeast.targets, "TF1", rule="label"),
    "roc": ds.yeast.plot.roc,
}


@pytest.mark.parametrize("name", METHODS)
def test_measured__methods_work(name: str) -> None:
    result = METHODS[name]()
    assert isinstance(result, xr.Dataset | xr.DataArray)
    assert result.sizes.get("tf", 1) in (1, 3)
    values = result if isinstance(result, xr.DataArray) else result.to_array()
    assert bool(values.notnull().any())


@pytest.mark.parametrize("name", NEED_TRUTH)
def test_measured__what_needs_truth_says_so(name: str) -> None:
    with pytest.raises(
        yx.InputError, match=r"^\S+ needs the variable 'label', which the dataset does not have; add labels "
    ):
        NEED_TRUTH[name]()


PLOTS: dict[str, Callable[[], Any]] = {
    "rank_response": ds.yeast.plot.rank_response,
    "roc": partial(ds.yeast.plot.roc, truth=ds.binding_pvalue < 0.1),
    "volcano": ds.yeast.plot.volcano,
    "binding volcano": partial(ds.yeast.plot.volcano, "binding"),
    "dual_threshold": ds.yeast.plot.dual_threshold,
    "correlation": ds.yeast.plot.correlation,
    "scores": partial(ds.yeast.plot.scores, ds.binding_effect),
}


@pytest.mark.parametrize("name", PLOTS)
def test_measured__pictures_are_drawn(name: str) -> None:
    hv = load_holoviews()
    assert sum(map(len, PLOTS[name]())) > 0
    hv.render(PLOTS[name](), backend="bokeh")
