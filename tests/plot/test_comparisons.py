"""Pictures of correlations, scores and hops of calling cards: what they hold, what chance is, and one drawing each."""

from collections.abc import Iterator
from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr
from scipy.stats import poisson, spearmanr

import yeastxr as yx
from tests.analysis.common import make_measured
from tests.conftest import simulate_tutorial
from tests.plot.test_methods import get_options
from yeastxr import plot
from yeastxr.plot.style import load_holoviews

hv = load_holoviews()


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    from matplotlib import pyplot

    pyplot.close("all")


class Counting(dask.callbacks.Callback):
    """Counts how often dask computes."""

    def __init__(self) -> None:
        self.computed = 0

    def _start(self, graph: object) -> None:
        self.computed += 1


def make_hops(genes: int = 300, tfs: int = 2, seed: int = 1) -> xr.Dataset:
    """Return counts as of calling cards: a background of all TFs, with genes that have none, and 10 enriched genes."""
    rng = np.random.default_rng(seed)
    background = rng.poisson(rng.gamma(1.0, 20.0, genes))
    experiment = rng.poisson(background[:, None] / 5, (genes, tfs))
    experiment[:10] += 25
    return xr.Dataset(
        {"experiment_hops": (("gene", "tf"), experiment), "background_hops": ("gene", background)},
        coords={"gene": [f"Y{i:03d}" for i in range(genes)], "tf": [f"TF{i}" for i in range(tfs)]},
    )


@pytest.mark.parametrize("chunks", [None, {"gene": 7, "tf": 1}], ids=["numpy", "dask"])
def test_correlation__bars_are_the_tfs_and_chance_has_its_width(chunks: dict[str, int] | None) -> None:
    ds = yx.simulate(genes=200, bound=[0.0], n_sample=[500], seed=3)
    ds = ds.chunk(chunks | {"tf": 100}) if chunks else ds
    with Counting() as counting:
        bars, band, chance = plot.correlation(ds)
    assert counting.computed == (1 if chunks else 0)
    assert [type(layer) for layer in (bars, band, chance)] == [hv.Histogram, hv.Area, hv.Curve]
    assert [layer.label for layer in (bars, band, chance)] == ["TFs", "95 % by chance", "chance"]
    values = yx.analysis.correlate(ds).correlation.values
    counts, edges = np.histogram(values, bars.edges)
    assert bars.dimension_values("tfs").tolist() == counts.tolist()
    assert counts.sum() == 500
    end = band.dimension_values("correlation").max()
    assert end == pytest.approx(1.959964 / 199**0.5, rel=1e-6)
    # Binding and response are independent here: the band holds its share of TFs, and the variance is that of chance.
    assert abs((abs(values) <= end).mean() - 0.95) < 6 * (0.95 * 0.05 / 500) ** 0.5
    assert values.var() * 199 == pytest.approx(1, abs=6 * (2 / 500) ** 0.5)
    x, y = (chance.dimension_values(i) for i in range(2))
    width = edges[1] - edges[0]
    assert np.trapezoid(y, x) / width == pytest.approx(500, rel=0.02)
    share = np.trapezoid(y[abs(x) <= end], x[abs(x) <= end]) / np.trapezoid(y, x)
    assert share == pytest.approx(0.95, abs=0.02)


def test_correlation__chance_of_ties_is_that_of_permutations() -> None:
    """Permuted genes have the variance 1 / (n - 1) however values tie: Spearman's of 4,000 permutations, to 6 s.d."""
    rng = np.random.default_rng(2)
    x, y = rng.integers(0, 3, 30), rng.integers(0, 2, 30)
    values = [spearmanr(x, rng.permutation(y)).statistic for _ in range(1000)]
    assert np.var(values) * 29 == pytest.approx(1, abs=6 * (2 / 1000) ** 0.5)


def test_correlation__different_numbers_of_genes_mix() -> None:
    ds = make_measured(4, genes=200, tfs=2, missing=0.0)
    few = ds.where((ds.gene < "Y020") | (ds.tf == "TF0"))
    _, band, _ = plot.correlation(few, level=0.5)
    ends = [0.67449 / (n - 1) ** 0.5 for n in (200, 20)]
    end = band.dimension_values("correlation").max()
    assert ends[0] < end < ends[1]
    assert hv.render(plot.correlation(ds.expand_dims(replicate=2)), backend="bokeh")


def test_correlation__of_selections_arrays_and_no_values() -> None:
    ds = make_measured(1)
    own = ds.binding_effect.rename("model")
    picture = plot.correlation(ds, tf=["TF0", "TF2"], x=own, y="binding_pvalue", method="pearson")
    assert get_options(picture)["title"] == "Model and binding p-value\n2 of 3 TFs"
    assert picture.get(0).dimension_values("tfs").sum() == 2
    result = yx.analysis.correlate(ds, x=own, y="binding_pvalue", method="pearson")
    notes = get_options(picture)["xlabel"]
    assert notes.startswith("Pearson correlation\n")
    assert f"median {np.median(result.correlation[[0, 2]]):.2f}" in notes
    constant = plot.correlation(ds, x=xr.zeros_like(own))
    assert constant.get(0).dimension_values("tfs").sum() == 0
    assert "3 omitted" in get_options(constant)["xlabel"]
    replicates = plot.correlation(xr.concat([ds, make_measured(2)], "replicate"))
    assert replicates.get(0).dimension_values("tfs").sum() == 6
    assert "by replicate, TF" in get_options(replicates)["xlabel"]
    for arguments, message in (
        ({"level": 1}, "level is 1"),
        ({"x": own[:4]}, "x and the dataset have different labels along 'gene'"),
        ({"x": "label"}, "x is 'label'"),
        ({"method": "kendall"}, "method is 'kendall'"),
        ({"tf": "TF9"}, "tf is 'TF9', which is unknown"),
    ):
        with pytest.raises(yx.InputError, match=message):
            plot.correlation(ds, **arguments)


@pytest.mark.parametrize("score", ["r2", "explained_variance", "smse"])
@pytest.mark.parametrize("chunks", [None, {"tf": 3}], ids=["numpy", "dask"])
def test_scores__points_stand_beside_the_ceiling(score: str, chunks: dict[str, int] | None) -> None:
    ds = simulate_tutorial(chunks=chunks)
    prediction = 2.2 * ds.label + 0.8
    with Counting() as counting:
        mean, best, points = plot.scores(ds, prediction, score=score)
    assert counting.computed == (1 if chunks else 0)
    expected = yx.analysis.scores(prediction, ds).compute()
    np.testing.assert_allclose(points.dimension_values("score"), expected[score])
    ceiling = expected.ceiling if score != "smse" else 1 - expected.ceiling
    np.testing.assert_allclose(best.dimension_values("score"), ceiling)
    assert mean.dimension_values("score").tolist() == ([1, 1] if score == "smse" else [0, 0])
    names = ["the mean", "minimum by theory" if score == "smse" else "maximum by theory", "prediction"]
    assert [layer.label for layer in (mean, best, points)] == names
    assert [layer.label for layer in plot.scores(ds, prediction, score=score, theory=False)] == [names[0], names[2]]


def test_scores__of_measured_data_and_selections() -> None:
    ds = make_measured(3)
    _, points = ds.yeast.plot.scores(ds.binding_effect, tf=["TF2", "TF0"])
    expected = yx.analysis.scores(ds.binding_effect, ds).r2
    np.testing.assert_allclose(points.dimension_values("score"), expected.sel(tf=["TF2", "TF0"]))
    assert points.dimension_values("name").tolist() == ["TF2", "TF0"]
    both = xr.concat([ds, make_measured(4)], "replicate")
    _, points = plot.scores(both, both.binding_effect)
    assert len(points) == 3
    assert plot.scores(ds, ds.binding_effect * np.float32(np.nan)).get(1).dimension_values("score").size == 3
    for prediction, arguments, message in (
        (None, {}, "prediction is None; expected a DataArray"),
        (ds.binding_effect[:4], {}, "prediction and the dataset have different labels along 'gene'"),
        (ds.binding_effect, {"score": "nrmse"}, "score is 'nrmse'; expected 'r2', 'explained_variance' or 'smse'"),
        (ds.binding_effect, {"target": "label"}, "target is 'label'"),
    ):
        with pytest.raises(yx.InputError, match=message):
            plot.scores(ds, prediction, **arguments)


@pytest.mark.parametrize("chunks", [None, {"gene": 40}], ids=["numpy", "dask"])
def test_enrichment__points_lines_and_limits(chunks: dict[str, int] | None) -> None:
    hops = make_hops()
    ds = hops.chunk(chunks) if chunks else hops
    with Counting() as counting:
        weak, strong, chance, limit = plot.enrichment(ds, largest_pvalue=0.01)
    assert counting.computed == (1 if chunks else 0)
    assert [layer.label for layer in (weak, strong)] == ["p > 0.01", "p ≤ 0.01"]
    assert [layer.label for layer in (chance, limit)] == ["chance", "limit, p = 0.01"]
    result = yx.analysis.enrichment(hops.experiment_hops, hops.background_hops, pseudocount=0.5).poisson_pvalue
    assert (len(weak), len(strong)) == (int((result > 0.01).sum()), int((result <= 0.01).sum()))
    assert {f"Y{i:03d}" for i in range(10)} <= set(strong.dimension_values("gene"))
    totals = hops.experiment_hops.sum("gene") / hops.background_hops.sum()
    for layer in (weak, strong):
        genes, tfs = (layer.dimension_values(dim) for dim in ("gene", "tf"))
        rows = {"gene": xr.DataArray(genes), "tf": xr.DataArray(tfs)}
        background, rate = hops.background_hops.sel(gene=rows["gene"]), totals.sel(tf=rows["tf"])
        np.testing.assert_allclose(layer.dimension_values("expected"), (background + 0.5) * rate)
        observed = hops.experiment_hops.sel(rows)
        np.testing.assert_allclose(layer.dimension_values("observed"), observed.clip(min=0.5))
    means, least = (limit.dimension_values(i) for i in range(2))
    assert (poisson.sf(least - 1, means) <= 0.01).all()
    assert (poisson.sf(least - 2, means) > 0.01).all()
    np.testing.assert_array_equal(*(chance.dimension_values(i) for i in range(2)))
    # Points are on the side of the limit that their p-values say.
    above = np.interp(strong.dimension_values("expected"), means, least)
    assert (strong.dimension_values("observed") > above - 1).all()


def test_enrichment__selections_totals_names_and_replicates() -> None:
    hops = make_hops()
    everything = plot.enrichment(hops)
    some = plot.enrichment(hops, tf="TF1", gene=["Y000", "Y003"])
    for picture in (some, plot.enrichment(hops.sel(tf="TF1"), gene=["Y000", "Y003"])):
        assert sum(map(len, list(picture)[:2])) == 2
        row = everything.get(1).select(gene="Y003", tf="TF1")
        assert picture.get(1).select(gene="Y003").dimension_values("expected") == row.dimension_values("expected")
    renamed = hops.rename(experiment_hops="x", background_hops="b")
    for arguments in (
        {"experiment_hops": "x", "background_hops": "b"},
        {"experiment_hops": hops.experiment_hops, "background_hops": hops.background_hops},
    ):
        assert repr(plot.enrichment(renamed, **arguments)) == repr(everything)
    totals = {f"total_{name}": array.sum("gene") for name, array in hops.items()}
    totals["total_background_hops"] = int(totals["total_background_hops"])
    same = plot.enrichment(hops, **totals)
    np.testing.assert_allclose(same.get(1).dimension_values("expected"), everything.get(1).dimension_values("expected"))
    both = xr.concat([hops, make_hops(seed=2)], "replicate")
    assert sum(map(len, list(plot.enrichment(both))[:2])) == 1200
    picture = plot.enrichment(both, max_points=100)
    assert 0 < sum(map(len, list(picture)[:2])) <= 100
    assert "of 1,200 pairs" in get_options(picture)["title"]
    missing = hops.assign(experiment_hops=hops.experiment_hops.where(hops.gene > "Y009"))
    assert sum(map(len, list(plot.enrichment(missing))[:2])) == 580


def test_enrichment__refuses() -> None:
    hops = make_hops(20)
    for ds, arguments, message in (
        (make_measured(1), {}, "the dataset has no counts 'experiment_hops'; pass experiment_hops= with one of its"),
        (hops, {"background_hops": 3}, "background_hops is 3; expected the name of a variable, or a DataArray"),
        (
            hops,
            {"background_hops": hops.background_hops[:5]},
            "background_hops and the dataset have different labels along 'gene'",
        ),
        (hops, {"pseudocount": 0}, "pseudocount is 0; expected a number above 0"),
        (hops, {"largest_pvalue": 1}, "largest_pvalue is 1"),
        (hops, {"max_points": 0}, "max_points is 0"),
        (hops, {"ylim": (0, 5)}, "ylim begins at 0; expected a number above 0"),
        (hops, {"total_background_hops": "many"}, "total_background_hops is 'many'"),
        (
            hops.assign(experiment_hops=hops.experiment_hops - 1),
            {},
            "experiment_hops contains -.*; expected counts of at least 0",
        ),
        (hops, {"tf": "TF9"}, "tf is 'TF9', which is unknown"),
        (None, {}, "ds is of type NoneType"),
    ):
        with pytest.raises(yx.InputError, match=message):
            plot.enrichment(ds, **arguments)


DRAWINGS: dict[str, Any] = {
    "correlation": lambda **options: plot.correlation(simulate_tutorial(genes=60), **options),
    "scores": lambda **options: plot.scores(ds := simulate_tutorial(genes=60), ds.binding_effect, **options),
    "enrichment": lambda **options: make_hops(30).yeast.plot.enrichment(**options),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_comparisons__options_and_both_backends(name: str) -> None:
    picture = DRAWINGS[name](title="A title", xlim=(0.1, 2), ylim=(1, 9), size=(700, 300), theory=False, logx=False)
    for backend in ("bokeh", "matplotlib"):
        options = get_options(picture, backend)
        assert (options["title"], options["xlim"], options["ylim"]) == ("A title", (0.1, 2.0), (1.0, 9.0))
    figure = hv.render(picture, backend="bokeh")
    assert (figure.width, figure.height, figure.title.text) == (700, 300, "A title")
    assert hv.render(picture, backend="matplotlib").get_size_inches().tolist() == [7, 3]
    drawn = hv.render(DRAWINGS[name](logx=True), backend="matplotlib").axes[0]
    assert drawn.get_xscale() == "log"
