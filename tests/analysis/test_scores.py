"""Scores against their definitions, scikit-learn, and the best model of a simulation."""

from functools import partial

import numpy as np
import pytest
import xarray as xr

import yeastxr as yx
from tests.analysis.common import any_seed, assert_same_for_any_chunks, make_measured
from tests.conftest import TUTORIAL
from yeastxr.demo import METHODS

NAMES = ("explained_variance", "r2", "smse", "nrmse")


def predict(seed: int, ds: xr.Dataset) -> xr.DataArray:
    rng = np.random.default_rng(seed)
    values = abs(ds.perturbation_effect) + rng.normal(0.3, 1.0, ds.perturbation_effect.shape)
    return values.where(rng.random(values.shape) > 0.1).astype(np.float32)


def score(y: np.ndarray, f: np.ndarray) -> tuple[float, ...]:
    known = ~(np.isnan(y) | np.isnan(f))
    y, f = y[known].astype(float), f[known].astype(float)
    squared = np.mean((y - f) ** 2)
    return (1 - np.var(y - f) / np.var(y), 1 - squared / np.var(y), squared / np.var(y), squared**0.5 / np.ptp(y))


@any_seed
def test_scores__are_those_of_the_definitions(seed: int) -> None:
    ds = make_measured(seed)
    prediction = predict(seed, ds)
    result = yx.analysis.scores(prediction, ds)
    target = abs(ds.perturbation_effect).values
    for j in range(3):
        expected = score(target[:, j], prediction.values[:, j])
        assert [float(result[name][j]) for name in NAMES] == pytest.approx(expected)
    expected = score(target.ravel(), prediction.values.ravel())
    assert [float(result[f"pooled_{name}"]) for name in NAMES] == pytest.approx(expected)
    assert (result.genes + result.missing == 23).all()
    assert "ceiling" not in result


def test_scores__are_those_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    ds = yx.simulate(genes=400, bound=[0.1, 0.3], seed=3)
    prediction = ds.label * 2.0 + 1
    target = abs(ds.perturbation_effect).values
    result = yx.analysis.scores(prediction, ds)
    for j in range(2):
        pair = target[:, j], prediction.values[:, j]
        assert float(result.explained_variance[j]) == pytest.approx(metrics.explained_variance_score(*pair))
        assert float(result.r2[j]) == pytest.approx(metrics.r2_score(*pair))


@pytest.mark.parametrize("tfs", [1, 7, 40])
def test_scores__smse_of_the_mean_is_one(tfs: int) -> None:
    ds = yx.simulate(genes=50, bound=[0.3], n_sample=[tfs], seed=1)
    target = abs(ds.perturbation_effect).astype(float)
    result = yx.analysis.scores(target.mean("gene").broadcast_like(target), ds)
    np.testing.assert_allclose(result.smse, 1, rtol=1e-12)
    np.testing.assert_allclose(result.r2, 0, atol=1e-12)
    pooled = yx.analysis.scores(target.mean().broadcast_like(target), ds)
    assert float(pooled.pooled_smse) == pytest.approx(1, rel=1e-12)
    assert float(yx.analysis.scores(target, ds).pooled_nrmse) == 0


def test_scores__scales() -> None:
    ds = make_measured(2)
    target = abs(ds.perturbation_effect).values
    root = np.sqrt(np.nanmean((target - 1) ** 2, axis=0))
    one = xr.ones_like(ds.perturbation_effect)
    for name, scale in (("range", np.nanmax(target, 0) - np.nanmin(target, 0)), ("std", np.nanstd(target, 0))):
        np.testing.assert_allclose(yx.analysis.scores(one, ds, normalize_by=name).nrmse, root / scale, rtol=1e-6)
    by_mean = yx.analysis.scores(one, ds, normalize_by="mean").nrmse
    np.testing.assert_allclose(by_mean, root / np.nanmean(target, 0), rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_scores__best_model_reaches_the_ceiling(method: int) -> None:
    """The mean of each pair, which its simulation knows, scores as theory says; any other prediction scores less."""
    from yeastxr.theory.features import compute_mean_magnitudes

    extra = {"max_mean_adjustment": 0.0, "bound_std": 0.6, **METHODS[method][1]}
    ds = yx.simulate(**{**TUTORIAL, "genes": 20_000, **extra})
    means = compute_mean_magnitudes(ds.yeast.spec, ds.binding_effect.values)
    active = yx.adjusted_pairs(ds.label, ds.yeast.spec.tf_relationships).values
    inactive = means.get("bound_inactive", means["unbound"])
    best = np.where(active, means.get("bound_active", means.get("bound")), means["unbound"])
    best = np.where(ds.label.values & ~active, inactive, best)
    result = yx.analysis.scores(ds.label.copy(data=best), ds)
    assert float(result.pooled_r2) == pytest.approx(float(result.pooled_ceiling), abs=0.015)
    np.testing.assert_allclose(result.r2, result.ceiling, atol=0.04)
    naive = yx.analysis.scores(ds.label * 3.0 + 0.1, ds)
    assert float(naive.pooled_r2) < float(result.pooled_r2)


def test_scores__ceilings_of_signs_and_of_no_noise() -> None:
    ds = yx.simulate(genes=100, bound=[0.3], unbound_std=0.0, bound_std=0.0, seed=1)
    assert yx.analysis.scores(ds.label * 3.0, ds).ceiling.values.tolist() == [1.0]
    assert float(yx.analysis.scores(ds.label * 3.0, ds).pooled_r2) == 1
    assert yx.analysis.scores(ds.label * 3.0, ds, target="perturbation_effect").ceiling.values.tolist() == [0.0]
    assert "ceiling" not in yx.analysis.scores(ds.label * 3.0, ds, target="binding_effect")


def test_scores__any_chunks_give_the_same() -> None:
    ds = make_measured(5)
    assert_same_for_any_chunks(partial(yx.analysis.scores, predict(1, ds)), ds)
    ds = yx.simulate(genes=30, bound=[0.2, 0.4], replicates=2, seed=1)
    assert_same_for_any_chunks(lambda ds: yx.analysis.scores(ds.label * 3.0, ds), ds)


def test_scores__refuses() -> None:
    ds = make_measured(1)
    for prediction, arguments, message in (
        (ds.binding_effect.values, {}, "prediction is array"),
        (ds.binding_effect[:4], {}, "prediction and the dataset have different labels along 'gene'"),
        (ds.binding_effect, {"normalize_by": "max"}, "normalize_by is 'max'"),
        (ds.binding_effect, {"target": "label"}, "target is 'label'"),
    ):
        with pytest.raises(yx.InputError, match=message):
            yx.analysis.scores(prediction, ds, **arguments)
