"""Correlations against SciPy's."""

from functools import partial

import numpy as np
import pytest
import xarray as xr
from scipy.stats import pearsonr, rankdata, spearmanr

import yeastxr as yx
from tests.analysis.common import any_seed, assert_same_for_any_chunks, make_measured


def rank_log(values: np.ndarray) -> np.ndarray:
    """Return -log10 of ranks, the largest value first, shifted to end at log10(n / n) = 0."""
    return np.log10(values.size) - np.log10(rankdata(-values))


@any_seed
def test_correlate__is_that_of_scipy(seed: int) -> None:
    ds = make_measured(seed)
    for method, function in (("spearman", spearmanr), ("pearson", pearsonr)):
        for transform, change in (("none", lambda values: values), ("log_rank", rank_log)):
            result = yx.analysis.correlate(ds, method=method, transform=transform)
            for j in range(ds.sizes["tf"]):
                x, y = ds.binding_effect.values[:, j], abs(ds.perturbation_effect.values[:, j])
                known = ~(np.isnan(x) | np.isnan(y))
                x, y = (change(values[known].astype(float)) for values in (x, y))
                assert float(result.correlation[j]) == pytest.approx(function(x, y).statistic, abs=1e-12)
                assert (int(result.genes[j]), int(result.missing[j])) == (known.sum(), (~known).sum())


def test_correlate__small_pvalues_are_strong() -> None:
    ds = make_measured(3, missing=0.0)
    correlate = partial(yx.analysis.correlate, ds, method="pearson", transform="log_rank", y="perturbation_magnitude")
    turned = correlate(x=-ds.binding_pvalue)
    np.testing.assert_allclose(correlate(x="binding_pvalue").correlation, turned.correlation)


def test_correlate__any_chunks_give_the_same() -> None:
    for method in ("spearman", "pearson"):
        assert_same_for_any_chunks(partial(yx.analysis.correlate, method=method), make_measured(5))
    assert_same_for_any_chunks(partial(yx.analysis.correlate, transform="log_rank"), make_measured(5))


def test_correlate__constants_and_bad_input() -> None:
    ds = make_measured(1)
    assert yx.analysis.correlate(ds, x=xr.zeros_like(ds.binding_effect)).correlation.isnull().all()
    for method, transform in (("spearman", "none"), ("pearson", "log_rank")):
        empty = yx.analysis.correlate(ds * np.float32(np.nan), method=method, transform=transform)
        assert empty.correlation.isnull().all()
    perfect = yx.analysis.correlate(ds, x=ds.binding_effect, y="binding_effect", method="pearson")
    assert (perfect.correlation > 1 - 1e-12).all()
    for arguments, message in (
        ({"method": "kendall"}, "method is 'kendall'"),
        ({"transform": "log"}, "transform is 'log'"),
        ({"x": "binding"}, "x is 'binding'; did you mean"),
        ({"x": ds.binding_effect.values}, "x is array.*; expected 'binding_effect', .* or a DataArray of pairs"),
    ):
        with pytest.raises(yx.InputError, match=message):
            yx.analysis.correlate(ds, **arguments)
