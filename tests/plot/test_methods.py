"""Pictures of the field's methods, and the options that all pictures take."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from matplotlib.image import imread

import yeastxr as yx
from tests.analysis.common import make_measured
from tests.conftest import simulate_tutorial
from yeastxr import plot
from yeastxr.plot.style import load_holoviews

hv = load_holoviews()


@pytest.fixture(autouse=True)
def closed_figures() -> Any:
    yield
    from matplotlib import pyplot

    pyplot.close("all")


def get_options(element: object, backend: str = "bokeh", group: str = "plot") -> dict[str, Any]:
    return hv.Store.lookup_options(backend, element, group).kwargs


def test_rank_response__lines_are_those_of_the_analysis() -> None:
    ds = simulate_tutorial(chunks={"tf": 3})
    picture = plot.rank_response(ds, tf=[3, 5], most=50, responsive="label", by="binding_effect")
    result = yx.analysis.rank_response(ds.sel(tf=[3, 5]), most=50, responsive="label", by="binding_effect").compute()
    assert [layer.label for layer in picture] == ["3, band", "3", "5, band", "5", "chance"]
    for i in range(2):
        band, line = list(picture)[2 * i : 2 * i + 2]
        np.testing.assert_allclose(line.dimension_values("ratio"), result.ratio[i])
        np.testing.assert_allclose(band.dimension_values("ratio"), result.lower[i])
        np.testing.assert_allclose(band.dimension_values("upper"), result.upper[i])
    assert picture.get(4).dimension_values("ratio").tolist() == [float(result.chance.mean())] * 2


def test_rank_response__of_many_tfs_is_their_mean() -> None:
    ds = simulate_tutorial()
    band, line, _ = plot.rank_response(ds, responsive=ds.label, gene=list(range(200)))
    result = yx.analysis.rank_response(ds.isel(gene=slice(200)), responsive="label", most=150)
    assert line.label == "mean of 10 TFs"
    np.testing.assert_allclose(line.dimension_values("ratio"), result.ratio.mean("tf"))
    np.testing.assert_allclose(band.dimension_values("upper"), result.ratio.quantile(0.9, "tf"))


def test_rank_response__says_what_responds_and_leaves_out_ranks_without_genes() -> None:
    ds = make_measured(2, label=True)
    for arguments, note in (
        ({}, "rank by binding p-value\nresponse: p ≤ 0.05; bands: 95 % intervals"),
        ({"least_magnitude": 1.5, "largest_pvalue": 1.0, "by": "binding_effect"}, "response: |effect| ≥ 1.5; "),
        ({"responsive": "label", "by": "binding_effect"}, "rank by binding effect\nresponse: by label; "),
        ({"responsive": ds.label.rename("ChIP")}, "response: ChIP; "),
    ):
        assert note in get_options(plot.rank_response(ds, **arguments))["xlabel"]
    several = xr.concat([ds, make_measured(3, label=True)], "replicate")
    band, line, _ = plot.rank_response(several, bins=1)
    known = np.isfinite(line.dimension_values("ratio"))
    assert known[0]
    assert not known[-1]  # some genes have a NaN
    np.testing.assert_array_equal(np.isfinite(band.dimension_values("upper")), known)
    for other in (ds.label[:5], ds.label.isel(tf=[0])):
        with pytest.raises(yx.InputError, match="responsive and the dataset have different labels along"):
            plot.rank_response(ds, responsive=other)


def test_roc__of_predictions_and_other_truths() -> None:
    ds = make_measured(4, label=True)
    truth, model = ds.label.rename("ChIP"), ds.binding_effect.rename("model")
    picture = plot.roc(ds.drop_vars("label"), score=model, truth=truth, tf=["TF0", "TF1"])
    curves = yx.analysis.curves(ds.sel(tf=["TF0", "TF1"]), score=model.sel(tf=["TF0", "TF1"]))
    assert get_options(picture)["title"] == "model as a score of ChIP\n2 of 3 TFs"
    assert [layer.label for layer in picture] == [
        *(f"{tf}: {curves.auroc.sel(tf=tf).item():.2f}" for tf in ("TF0", "TF1")),
        f"all pairs: {curves.pooled_auroc.item():.3f}",
        "chance",
    ]
    with pytest.raises(yx.InputError, match="score and the dataset have different labels along 'gene'"):
        plot.roc(ds, score=model[:4])


def test_roc__draws_data_chance_and_theory() -> None:
    ds = simulate_tutorial()
    *tfs, pooled, chance, theory = plot.roc(ds, tf=[0, 4], score="perturbation_magnitude")
    curves = yx.analysis.curves(ds.sel(tf=[0, 4]), score="perturbation_magnitude")
    assert [layer.label for layer in tfs] == [f"{tf}: {curves.auroc.sel(tf=tf).item():.2f}" for tf in (0, 4)]
    assert pooled.label == f"all pairs: {curves.pooled_auroc.item():.3f}"
    assert theory.label == f"area {curves.pooled_theory_auroc.item():.3f} by theory"
    assert chance.dimension_values("tpr").tolist() == [0, 1]
    for layer in (pooled, theory):
        x, y = (layer.dimension_values(i) for i in range(2))
        assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
        assert (np.diff(x) >= 0).all()
        assert (np.diff(y) >= 0).all()
    assert [layer.label for layer in plot.roc(ds)][1:] == ["chance", "area 0.899 by theory"]
    assert [layer.label for layer in plot.roc(ds, theory=False)][1:] == ["chance"]


def test_volcano__points_are_the_pairs() -> None:
    ds = simulate_tutorial()
    unbound, bound = plot.volcano(ds, tf=3)
    column = ds.sel(tf=3)
    own = column.where(column.label, drop=True)
    np.testing.assert_allclose(bound.dimension_values(0), own.perturbation_effect)
    np.testing.assert_allclose(bound.dimension_values(1), -np.log10(own.perturbation_pvalue))
    assert bound.dimension_values("gene").tolist() == own.gene.values.tolist()
    assert len(unbound) == 1000 - len(bound)
    note = "p-values: uniform, up to 0.2 for the 10 % largest |effects| of a TF, otherwise up to 1"
    assert get_options(plot.volcano(ds, "binding"))["xlabel"] == f"binding effect\n{note}"


def test_volcano__of_measured_data_and_of_many_pairs() -> None:
    ds = make_measured(3)
    [points] = plot.volcano(ds)
    known = ds.perturbation_effect.notnull() & ds.perturbation_pvalue.notnull()
    assert (points.label, len(points)) == ("all pairs", int(known.sum()))
    assert np.isfinite(points.dimension_values(1)).all()
    assert get_options(plot.volcano(ds))["xlabel"].endswith("\nmeasured p-values")
    many = yx.simulate(genes=500, bound=[0.3], n_sample=[6], replicates=2, seed=1, chunks={"tf": 2})
    for limit in (5, 100, 1000):
        picture = plot.volcano(many, max_points=limit)
        drawn = sum(map(len, picture))
        assert 0 < drawn <= limit
        assert f"{drawn:,} of 6,000 pairs" in get_options(picture)["title"]


def test_dual_threshold__draws_errors_by_tf() -> None:
    ds = yx.simulate(genes=200, bound=[0.1, 0.3], seed=1)
    result = yx.analysis.dual_threshold(
        ds, binding="binding_effect", response="perturbation_magnitude", permutations=200, seed=1
    )
    realised, rejected, accepted = plot.dual_threshold(ds, result=result)
    assert [realised.label, rejected.label, accepted.label] == ["realised", "not acceptable", "acceptable"]
    np.testing.assert_allclose(realised.dimension_values("fdr"), result.realised_fdr)
    np.testing.assert_allclose(accepted.dimension_values("fdr"), result.expected_fdr[result.acceptable.values])
    assert len(rejected) + len(accepted) == 2
    for wrong in (ds, 3):
        with pytest.raises(yx.InputError, match=r"result is of type [a-zA-Z]+; expected the result of"):
            plot.dual_threshold(ds, result=wrong)
    with pytest.raises(yx.InputError, match="result can't be combined with tf"):
        plot.dual_threshold(ds, result=result, tf=0)


def test_scatter__bound_pairs_are_rings_that_hide_none() -> None:
    ds = simulate_tutorial()
    for picture in (plot.binding_vs_perturbation(ds), plot.binding_vs_perturbation(ds, max_points=0)):
        bound = next(layer for layer in picture if layer.label == "bound")
        assert get_options(bound, "bokeh", "style")["fill_alpha"] == 0
        assert get_options(bound, "matplotlib", "style")["facecolors"] == "none"


DRAWINGS = {
    "histogram": plot.binding_histogram,
    "scatter": plot.binding_vs_perturbation,
    "fractions": plot.bound_fraction,
    "cobinding": plot.cobinding,
    "quantiles": plot.quantile_quantile,
    "rank_response": plot.rank_response,
    "roc": plot.roc,
    "volcano": plot.volcano,
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_options__are_those_of_both_backends(name: str) -> None:
    ds = simulate_tutorial(genes=100)
    picture = DRAWINGS[name](ds, title="A title", xlim=(0.5, 2), ylim=(None, 9), size=(700, 300), theory=False)
    for backend in ("bokeh", "matplotlib"):
        options = get_options(picture, backend)
        assert (options["title"], options["xlim"], options["ylim"]) == ("A title", (0.5, 2.0), (None, 9.0))
    if isinstance(picture, hv.Overlay):
        assert not [layer for layer in picture if layer.label.endswith("theory")]
    figure = hv.render(picture, backend="bokeh")
    assert (figure.width, figure.height, figure.title.text) == (700, 300, "A title")
    assert hv.render(picture, backend="matplotlib").get_size_inches().tolist() == [7, 3]


def test_options__logarithms_and_notes() -> None:
    ds = simulate_tutorial()
    picture = plot.binding_histogram(ds, logx=True, theory=False)
    begin, _ = get_options(picture)["xlim"]
    assert begin > 0
    assert "theory" not in get_options(picture)["xlabel"]
    assert "above 5" in get_options(picture)["xlabel"]
    assert hv.render(picture, backend="matplotlib").axes[0].get_xscale() == "log"
    assert plot.binding_histogram(ds, theory=True).get(2).label == "unbound, theory"


def test_options__dots_per_inch(tmp_path: Path) -> None:
    picture = plot.bound_fraction(simulate_tutorial(genes=20))
    sizes = [
        np.array(imread(plot.save(picture, tmp_path / f"{dpi}.png", dpi=dpi)).shape[:2], float) for dpi in (50, 100)
    ]
    np.testing.assert_allclose(sizes[1] / sizes[0], 2, atol=0.05)
    with pytest.raises(yx.InputError, match="dpi is 0"):
        plot.save(picture, tmp_path / "x.png", dpi=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"titel": "x"}, "unknown option 'titel'; did you mean 'title'"),
        ({"title": 3}, "title is 3; expected a string"),
        ({"logx": 1}, "logx is 1; expected True or False"),
        ({"xlim": (2, 1)}, r"xlim is \(2.0, 1.0\); expected lower < upper"),
        ({"ylim": 3}, "ylim is 3; expected a pair"),
        ({"xlim": (0, 1), "logx": True}, "xlim begins at 0 and logx is True"),
        ({"size": (10, 100)}, "size is 10"),
    ],
)
def test_options__refuse(options: dict[str, Any], message: str) -> None:
    with pytest.raises(yx.InputError, match=message):
        partial(plot.bound_fraction, simulate_tutorial(genes=20))(**options)


def test_methods__without_label_say_so() -> None:
    ds = make_measured(1)
    assert isinstance(plot.rank_response(ds), hv.Overlay)
    assert [layer.label for layer in plot.dual_threshold(ds)] == ["not acceptable", "acceptable"]
    with pytest.raises(yx.InputError, match=r"plot\.roc needs the variable 'label', which the dataset does not have"):
        plot.roc(ds)
