"""Curves against counting pairs and thresholds in plain Python, scikit-learn, and theory."""

from functools import partial

import dask
import numpy as np
import pytest
import xarray as xr

import yeastxr as yx
from tests.analysis.common import CHUNKINGS, any_seed, assert_same_for_any_chunks, make_measured
from tests.conftest import TUTORIAL, simulate_tutorial
from yeastxr.demo import METHODS


def count_areas(score: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Return the areas by their definitions: over pairs of pairs, and over thresholds."""
    true, false = score[truth], score[~truth]
    wins = sum((t > f) + 0.5 * (t == f) for t in true for f in false)
    average, before = 0.0, 0
    for threshold in sorted(set(score), reverse=True):
        called = score >= threshold
        average += (called & truth).sum() * ((called & truth).sum() - before) / called.sum()
        before = (called & truth).sum()
    return wins / (true.size * false.size), average / true.size


@any_seed
def test_curves__areas_are_those_of_counting(seed: int) -> None:
    ds = make_measured(seed, label=True)
    for name, sign in (("binding_effect", 1), ("binding_pvalue", -1)):
        curves = yx.analysis.curves(ds, score=name)
        score, truth = sign * ds[name].values, ds.label.values
        for j in range(ds.sizes["tf"]):
            known = ~np.isnan(score[:, j])
            expected = count_areas(score[known, j], truth[known, j])
            own = curves.isel(tf=j)
            assert (float(own.auroc), float(own.auprc)) == pytest.approx(expected)
            assert (int(own.genes), int(own.missing)) == (known.sum(), (~known).sum())
            assert float(own.base_rate) == pytest.approx(truth[known, j].mean())
        known = ~np.isnan(score)
        expected = count_areas(score[known], truth[known])
        assert (float(curves.pooled_auroc), float(curves.pooled_auprc)) == pytest.approx(expected)


@any_seed
def test_curves__points_are_those_of_all_thresholds(seed: int) -> None:
    ds = make_measured(seed, label=True, tfs=1)
    own = yx.analysis.curves(ds, points=12).isel(tf=0)
    score, truth = ds.binding_effect.values[:, 0], ds.label.values[:, 0]
    score, truth = score[~np.isnan(score)], truth[~np.isnan(score)]
    thresholds = [np.inf, *sorted(set(score), reverse=True)]
    fpr = np.array([(score >= t)[~truth].mean() for t in thresholds])
    tpr = np.array([(score >= t)[truth].mean() for t in thresholds])
    precision = [truth[score >= t].mean() for t in thresholds[1:]]
    for rate, share, threshold in zip(own.fpr.values, own.tpr.values, own.threshold.values, strict=True):
        last = np.flatnonzero(fpr <= rate + 1e-9)[-1]
        assert threshold == thresholds[last]
        rest = (rate - fpr[last]) / (fpr[last + 1] - fpr[last]) if last + 1 < fpr.size else 0
        assert share == pytest.approx(tpr[last] + rest * (tpr[min(last + 1, fpr.size - 1)] - tpr[last]))
    for recall, value in zip(own.recall.values, own.precision.values, strict=True):
        assert value == pytest.approx(precision[np.flatnonzero(tpr[1:] >= recall - 1e-9)[0]])


def test_curves__are_those_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    ds = yx.simulate(genes=800, bound=[0.1, 0.3], seed=3)
    for name in ("binding_effect", "perturbation_magnitude"):
        curves = yx.analysis.curves(ds, score=name)
        score = (ds.binding_effect if name == "binding_effect" else abs(ds.perturbation_effect)).values
        for j in range(2):
            assert float(curves.auroc[j]) == pytest.approx(metrics.roc_auc_score(ds.label.values[:, j], score[:, j]))
            average = metrics.average_precision_score(ds.label.values[:, j], score[:, j])
            assert float(curves.auprc[j]) == pytest.approx(average)


@pytest.mark.parametrize("pool", ["exact", "histogram"])
def test_curves__any_chunks_give_the_same(pool: str) -> None:
    assert_same_for_any_chunks(partial(yx.analysis.curves, pool=pool), make_measured(2, label=True))


@pytest.mark.parametrize("name", ["binding_effect", "perturbation_magnitude", "perturbation_effect", "binding_pvalue"])
def test_curves__histograms_err_by_less_than_they_say(name: str) -> None:
    ds = simulate_tutorial()
    exact = yx.analysis.curves(ds, score=name, pool="exact")
    binned = yx.analysis.curves(ds, score=name, pool="histogram")
    assert float(exact.pooled_auroc_error) == float(exact.pooled_auprc_error) == 0
    for area in ("pooled_auroc", "pooled_auprc"):
        error = abs(float(exact[area] - binned[area]))
        assert 0 < error <= float(binned[f"{area}_error"]) < 0.02
    assert float(abs(exact.pooled_tpr - binned.pooled_tpr)[1:].max()) < 0.01
    assert float(exact.pooled_base_rate) == float(binned.pooled_base_rate)


@pytest.mark.parametrize("method", [1, 4])
def test_curves__areas_are_those_of_theory(method: int) -> None:
    """The tutorial's data are within 0.01 of theory; larger data within 6 s.d. (Hanley and McNeil's) of it by TF."""
    extra = METHODS[method][1]
    tutorial = yx.simulate(**{**TUTORIAL, "max_mean_adjustment": 0.0, **extra})
    large = yx.simulate(**{**TUTORIAL, "genes": 3000, "max_mean_adjustment": 0.0, **extra})
    names = ["binding_effect", "perturbation_magnitude", "perturbation_effect"]
    for name in names if method == 4 else [*names, "perturbation_pvalue"]:  # relations take theory longer
        curves = yx.analysis.curves(tutorial, score=name)
        if name in ("binding_effect", "perturbation_magnitude"):
            assert abs(float(curves.pooled_auroc - curves.pooled_theory_auroc)) < 0.01
        curves = yx.analysis.curves(large, score=name)
        a, n, m = curves.theory_auroc, large.label.sum("gene"), (~large.label).sum("gene")
        variance = a * (1 - a) + (n - 1) * (a / (2 - a) - a**2) + (m - 1) * (2 * a**2 / (1 + a) - a**2)
        assert (abs(curves.auroc - a) < 6 * (variance / (n * m)) ** 0.5).all(), name
        assert float(abs(curves.pooled_tpr - curves.pooled_theory_tpr)[1:].max()) < 0.03, name


def test_curves__theory_of_the_tutorial() -> None:
    ds = yx.simulate(**{**TUTORIAL, "max_mean_adjustment": 0.0})
    binding = yx.analysis.curves(ds).pooled_theory_auroc
    magnitude = yx.analysis.curves(ds, score="perturbation_magnitude").pooled_theory_auroc
    # P(|normal(3, 1)| > |normal(0, 1)|), by the chance that both sums and differences have one sign.
    from scipy.stats import norm

    p = norm.cdf(3 / 2**0.5)
    assert float(magnitude) == pytest.approx(p**2 + (1 - p) ** 2, abs=1e-5)
    hops = np.arange(1, 101)
    unbound = np.concatenate([np.zeros(100), 1 / hops])
    bound = (np.arange(1, 7)[:, None] / hops).ravel()
    differences = np.sign(np.round(bound[:, None] - unbound, 12))
    assert float(binding) == pytest.approx(0.5 + differences.mean() / 2, abs=1e-4)  # float32 breaks ties


def test_curves__predictions_and_other_truths(no_compute: None) -> None:
    ds = make_measured(4, label=True)
    prediction = xr.DataArray(np.random.default_rng(1).normal(size=(23, 3)), ds.label.coords, ("gene", "tf"))
    curves = yx.analysis.curves(ds, score=prediction.rename("model"))
    assert curves.attrs["score"] == "model"
    assert not [name for name in curves if "theory" in name]
    assert float(curves.auroc[0]) == pytest.approx(count_areas(prediction.values[:, 0], ds.label.values[:, 0])[0])
    measured = ds.drop_vars("label")
    xr.testing.assert_identical(yx.analysis.curves(measured, score=prediction, truth=ds.label).auroc, curves.auroc)
    for chunks in CHUNKINGS:
        lazy = yx.analysis.curves(ds.chunk(chunks), score=prediction.T)
        with dask.config.set(scheduler="synchronous"):
            xr.testing.assert_identical(lazy.auroc.compute(), curves.auroc)
    constant = yx.analysis.curves(ds, score=xr.zeros_like(prediction))
    assert constant.auroc.values.tolist() == [0.5] * 3
    np.testing.assert_allclose(constant.auprc, constant.base_rate)
    np.testing.assert_allclose(constant.tpr, np.tile(constant.fpr, (3, 1)))
    assert yx.analysis.curves(ds, truth=xr.ones_like(ds.label)).auroc.isnull().all()


def test_curves__refuses() -> None:
    ds = make_measured(1)
    with pytest.raises(
        yx.InputError,
        match="curves needs the variable 'label', which the dataset does not have; add labels of bound pairs with",
    ):
        yx.analysis.curves(ds)
    ds = make_measured(1, label=True)
    for arguments, message in (
        ({"score": "binding"}, "score is 'binding'; did you mean"),
        ({"score": ds.label}, "score has dtype bool"),
        ({"truth": "bound"}, "truth is 'bound'"),
        ({"truth": ds.label.values}, "truth is array.*; expected 'label' or a bool DataArray"),
        ({"score": ds.binding_effect.values}, "score is array.*, or a DataArray of pairs"),
        ({"points": 1}, "points is 1"),
        ({"pool": "all"}, "pool is 'all'"),
        ({"score": ds.binding_effect[:5]}, "score and the dataset have different labels along 'gene'"),
    ):
        with pytest.raises(yx.InputError, match=message):
            yx.analysis.curves(ds, **arguments)
