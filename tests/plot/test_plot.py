"""The pictures by their structure, and drawn once by each backend."""

import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dask
import numpy as np
import pytest
import xarray as xr

import yeastxr as yx
from tests.conftest import count_reads
from yeastxr import plot, qc, theory
from yeastxr.demo import METHODS
from yeastxr.plot.sample import SampleBlocks, select_sample
from yeastxr.plot.style import COLOURS, load_holoviews

hv = load_holoviews()
BACKENDS = ["bokeh", "matplotlib"]
TUTORIAL = {
    "genes": 1000,
    "bound": [0.1, 0.15, 0.2, 0.25, 0.3],
    "n_sample": [1, 1, 2, 2, 4],
    "max_mean_adjustment": 10.0,
}
EVIL = ["<script>alert(1)</script>", "$\\frac{a}$", "{x}", "$$x$$", "日本", "\\(x\\)"]
CHUNKS = pytest.mark.parametrize("chunks", [None, {"tf": 3}], ids=["numpy", "dask"])


def made(**extra: object) -> xr.Dataset:
    return yx.simulate(**{**TUTORIAL, "seed": 42, **extra})


def colour(element: object, backend: str) -> str:
    style = hv.Store.lookup_options(backend, element, "style").kwargs
    return style.get("facecolor", style.get("color"))


def drawn(element: object, backend: str) -> object:
    return hv.renderer(backend).get_plot(element).state  # hv.render draws twice with matplotlib


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    from matplotlib import pyplot

    pyplot.close("all")


@CHUNKS
@pytest.mark.parametrize("draw", [plot.binding_histogram, plot.perturbation_histogram])
def test_histograms__structure(draw: object, chunks: dict[str, int] | None) -> None:
    ds = made(chunks=chunks)
    picture = draw(ds)
    assert isinstance(picture, hv.Overlay)
    assert [type(layer) for layer in picture] == [hv.Histogram, hv.Histogram, hv.Curve, hv.Curve]
    assert [layer.label for layer in picture] == ["unbound", "bound", "unbound, theory", "bound, theory"]
    found, theory = list(picture)[:2], list(picture)[2:]
    for backend in BACKENDS:
        assert [colour(layer, backend) for layer in found] == [COLOURS["unbound"], COLOURS["bound"]]
    shown = [int(layer.dimension_values("pairs").sum()) for layer in found]
    for layer, line, n in zip(found, theory, shown, strict=True):
        counts, expected = layer.dimension_values("pairs"), line.dimension_values("pairs")
        assert expected.sum() == pytest.approx(n, abs=6 * np.sqrt(n))
        assert (np.abs(counts - expected) < 6 * np.sqrt(expected) + 6).all()
    if draw is plot.perturbation_histogram:
        assert shown == [int((~ds.label).sum()), int(ds.label.sum())]
    else:
        assert sum(shown) == int((ds.binding_effect <= 5).sum())


def test_binding_histogram__says_what_lies_beyond() -> None:
    ds = made()
    share = 100 * float((ds.binding_effect > 5).mean())
    options = hv.Store.lookup_options("bokeh", plot.binding_histogram(ds), "plot").kwargs
    assert options["xlabel"] == f"binding effect\nlines: theory; {share:.1f} % above 5"
    options = hv.Store.lookup_options("bokeh", plot.binding_histogram(ds, limits=(0, 100)), "plot").kwargs
    assert options["xlabel"] == "binding effect\nlines: theory"
    unknown = plot.binding_histogram(ds.drop_attrs(deep=True), limits=(0, 100))
    assert hv.Store.lookup_options("bokeh", unknown, "plot").kwargs["xlabel"] == "binding effect"
    assert [type(layer) for layer in unknown] == [hv.Histogram, hv.Histogram]


@CHUNKS
def test_binding_vs_perturbation__few_pairs_are_points(chunks: dict[str, int] | None) -> None:
    ds = made(chunks=chunks)
    picture = plot.binding_vs_perturbation(ds)
    assert [type(layer) for layer in picture] == [hv.Points, hv.Points, hv.Curve, hv.Curve]
    points, lines = list(picture)[:2], {layer.label: layer for layer in list(picture)[2:]}
    assert [layer.label for layer in points] == ["unbound", "bound"]
    assert [len(layer) for layer in points] == [int((~ds.label).sum()), int(ds.label.sum())]
    mean = lines["bound, theory"].dimension_values("perturbation_magnitude")
    assert (mean[0], mean[-1]) == (pytest.approx(3.00076, abs=1e-5), pytest.approx(13.0, abs=1e-3))
    assert lines["unbound, theory"].dimension_values("perturbation_magnitude") == pytest.approx(0.79788, abs=1e-5)
    for bound, layer in enumerate(points):
        assert all(colour(layer, backend) == COLOURS["bound" if bound else "unbound"] for backend in BACKENDS)
        row = 17
        gene, tf = (layer.dimension_values(dim)[row] for dim in ("gene", "tf"))
        pair = ds.sel(gene=gene, tf=tf)
        assert bool(pair.label) == bool(bound)
        assert layer.dimension_values("binding_effect")[row] == float(pair.binding_effect)
        assert layer.dimension_values("perturbation_magnitude")[row] == abs(float(pair.perturbation_effect))


@CHUNKS
def test_binding_vs_perturbation__many_pairs_are_bins(chunks: dict[str, int] | None) -> None:
    ds = made(chunks=chunks)
    picture = plot.binding_vs_perturbation(ds, max_points=9_999, bins=30)
    points = list(picture)[:2]
    assert [type(layer) for layer in points] == [hv.Points, hv.Points]
    for bound, layer in enumerate(points):
        pairs, diameter = layer.dimension_values("pairs"), layer.dimension_values("diameter")
        assert pairs.sum() == int((ds.label == bool(bound)).sum())
        assert pairs.min() > 0
        assert (np.diff(diameter[np.argsort(pairs)]) >= 0).all()


@CHUNKS
def test_qc__standard_set(chunks: dict[str, int] | None) -> None:
    ds = made(chunks=chunks)
    layout = plot.qc(ds)
    assert isinstance(layout, hv.Layout)
    binding, perturbation, pairs, binding_pvalue, _, fractions, _, curves, responses = layout
    for picture in (perturbation, binding_pvalue):
        assert sum(int(layer.dimension_values("pairs").sum()) for layer in list(picture)[:2]) == 10_000
    assert sum(map(len, list(pairs)[:2])) == 10_000
    np.testing.assert_array_equal(fractions.get(1).dimension_values("fraction"), ds.label.mean("gene"))
    alone = plot.binding_histogram(ds)
    for layer, other in zip(binding, alone, strict=True):
        np.testing.assert_allclose(layer.dimension_values("pairs"), other.dimension_values("pairs"), rtol=1e-12)
    for score, line in zip(("binding_effect", "perturbation_magnitude"), curves, strict=False):
        area = float(yx.analysis.curves(ds, score=score).pooled_auroc)
        assert np.trapezoid(line.dimension_values("tpr"), line.dimension_values("fpr")) == pytest.approx(area, abs=1e-3)
        assert line.label.endswith(f": {area:.2f}")
    expected = yx.analysis.rank_response(ds, by="binding_effect", largest_pvalue=1, least_magnitude=2, most=150)
    np.testing.assert_allclose(responses.get(1).dimension_values("ratio"), expected.ratio.mean("tf"))


def test_qc__leaves_few_places_empty() -> None:
    related, unknown = made(genes=100, **METHODS[4][1]), made(genes=100).drop_attrs(deep=True)
    summary = qc.summarize(unknown).compute()
    numbers = {(len(picture), picture._max_cols) for picture in (plot.qc(ds) for ds in (related, unknown))}
    assert numbers == {(10, 2), (8, 4)}
    alone = plot.qc(unknown, summary=summary)
    assert (len(alone), alone._max_cols) == (7, 4)
    assert len(plot.qc(made(genes=100, bound=[0.0], n_sample=[2]))) == 8  # no ROC curves


def test_qc__reads_each_block_once() -> None:
    ds = made(genes=200, chunks={"tf": 3})
    counted, reads = count_reads(ds)
    plot.qc(counted)
    assert set(reads.values()) == {1}
    assert len(reads) == 5 * 4


def test_sample__of_many_tfs_is_spaced_evenly_and_says_so() -> None:
    ds = made(genes=20, bound=[0.3], n_sample=[100], replicates=2, chunks={"tf": 7})
    lazy = select_sample(ds)
    assert lazy.binding_effect.chunks
    assert (lazy.sizes["tf"], lazy.binding_effect.dims) == (64, ("gene", "tf"))
    title = hv.Store.lookup_options("bokeh", list(plot.qc(ds))[-1], "plot").kwargs["title"]
    assert title == "Rank response\nreplicate 0, 64 of 100 TFs"
    several = SampleBlocks(ds)
    xr.testing.assert_identical(several.finish(), lazy.compute())  # it has seen nothing
    for replicate, first in itertools.product(range(2), range(0, 100, 25)):
        region = (slice(replicate, replicate + 1), slice(0, 20), slice(first, first + 25))
        values = {name: ds[name][region].values for name in ds.data_vars}
        several.add({}, region, values)
    assert len(several._values) == 64
    xr.testing.assert_identical(several.finish(), lazy.compute())


def test_qc__curves_of_many_bins_and_missing_values() -> None:
    ds = made(genes=400)
    holes = ds.assign(binding_effect=ds.binding_effect.where(np.arange(400)[:, None] % 7 > 0))
    exact = yx.analysis.curves(holes)
    [line, *_] = next(p for p in plot.qc(holes, max_points=0) if "scores" in repr(titled(p)))
    fpr, tpr = (line.dimension_values(i) for i in range(2))
    assert np.trapezoid(tpr, fpr) == pytest.approx(float(exact.pooled_auroc), abs=0.01)
    assert (np.diff(fpr) >= 0).all()


def titled(picture: object) -> str:
    return hv.Store.lookup_options("bokeh", picture, "plot").kwargs["title"]


def test_qc__reads_once_and_not_at_all_with_a_summary() -> None:
    computed = []

    class Counting(dask.callbacks.Callback):
        def _start(self, graph: object) -> None:
            computed.append(1)

    ds = made(chunks={"tf": 3})
    summary = qc.summarize(ds).compute()
    with Counting():
        plot.qc(ds, max_points=0)
    assert len(computed) == 1
    with Counting():
        drawn(plot.qc(ds, max_points=0, summary=summary), "bokeh")
    assert len(computed) == 1
    with pytest.raises(yx.InputError, match="summary can't be combined with tf"):
        plot.qc(ds, tf=1, summary=summary)


def test_qc__linked_where_they_show_the_same_and_named_with_units() -> None:
    from bokeh.models import Plot

    figures = list(drawn(plot.qc(made(genes=100)), "bokeh").select({"type": Plot}))
    binding, perturbation, pairs, pvalue, other_pvalue, fractions, quantiles, curves, _ = sorted(
        figures, key=lambda figure: TITLES.index(figure.title.text)
    )
    assert pvalue.x_range is other_pvalue.x_range
    assert pairs.y_range is quantiles.y_range
    assert pairs.x_range is not binding.x_range
    assert len({id(figure.y_range) for figure in (binding, perturbation, pvalue, fractions, pairs, curves)}) == 6
    labels = [
        (figure.xaxis.axis_label.split("\n")[0], figure.yaxis.axis_label) for figure in (binding, perturbation, pairs)
    ]
    assert labels == [
        ("binding effect", "gene–TF pairs"),
        ("perturbation effect (noise s.d.)", "gene–TF pairs"),
        ("binding effect", "|perturbation effect| (noise s.d.)"),
    ]


TITLES = [
    "Binding effects",
    "Perturbation effects",
    "Perturbation against binding",
    "Binding p-values",
    "Perturbation p-values",
    "Bound fraction by TF",
    "Quantiles: |perturbation effect|",
    "Effects as scores of binding",
    "Rank response",
]


def test_qc__draws_with_matplotlib() -> None:  # other tests draw it with bokeh, of points and of bins
    drawn(plot.qc(made(genes=100)), "matplotlib")


@pytest.mark.parametrize(
    "extra",
    [
        {"bound": [0.0], "n_sample": [2]},
        {"bound": [1.0], "n_sample": [2]},
        {"genes": 1, "bound": [0.4], "n_sample": [1]},
        {"genes": 50, "replicates": 2, "chunks": {}},
    ],
    ids=["none-bound", "all-bound", "one-pair", "replicates"],
)
def test_qc__draws_odd_datasets(extra: dict[str, object]) -> None:
    ds = made(**{"genes": 20, **extra})
    picture = plot.qc(ds)
    if extra.get("bound") != [1.0]:
        drawn(picture, "bokeh")
    for backend in BACKENDS:
        drawn(plot.binding_vs_perturbation(ds, max_points=0), backend)


def test_selection__by_label() -> None:
    ds = made(tfs=[f"TF{n}" for n in range(10)])
    assert sum(map(len, list(plot.binding_vs_perturbation(ds, tf="TF3"))[:2])) == 1000
    assert sum(map(len, list(plot.binding_vs_perturbation(ds, tf=["TF3", "TF4", "TF3"], gene=range(7)))[:2])) == 14
    picture = plot.perturbation_histogram(ds, tf="TF3", gene=np.arange(500))
    title = hv.Store.lookup_options("bokeh", picture, "plot").kwargs["title"]
    assert title == "Perturbation effects\nTF TF3, 500 of 1,000 genes"


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ({"tf": "GAL5"}, "tf is 'GAL5', which is unknown; did you mean 'GAL4'?"),
        ({"tf": ["GAL4", 3]}, "tf is 3"),
        ({"gene": 100}, "gene is 100, which is unknown; expected an integer from 0 to 99"),
        ({"gene": True}, "gene is True"),
        ({"gene": []}, "gene is [], which is empty"),
        ({"max_points": -1}, "max_points is -1"),
    ],
)
def test_selection__refuses_unknown_labels(selection: dict[str, object], message: str) -> None:
    ds = made(genes=100, bound=[0.1, 0.2], n_sample=[1, 1], tfs=["GAL4", "ABF1"])
    with pytest.raises(yx.InputError) as error:
        plot.qc(ds, **selection)
    assert message in str(error.value)


def test_plot__refuses_other_than_datasets() -> None:
    ds = made(genes=20)
    for bad in (ds["label"], ds.drop_vars("binding_effect"), ds.isel(tf=0, drop=True)):
        with pytest.raises(yx.SchemaError):
            plot.qc(bad)
        with pytest.raises(yx.InputError):
            plot.binding_histogram(bad, tf=0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_plot__leaves_the_current_backend(backend: str, tmp_path: Path) -> None:
    before = hv.Store.current_backend
    try:
        hv.Store.set_current_backend(backend)
        plot.save(plot.binding_histogram(made(genes=20)), tmp_path / "x.svg")
        assert hv.Store.current_backend == backend
    finally:
        hv.Store.set_current_backend(before)


@pytest.mark.parametrize("name", EVIL)
def test_names__are_never_markup(name: str, tmp_path: Path) -> None:
    ds = made(genes=20, bound=[0.1, 0.2], n_sample=[1, 1], tfs=[name, "GAL4"])
    picture = plot.binding_vs_perturbation(ds, tf=name)
    assert set(picture.get(0).dimension_values("tf")) == {name}
    plot.save(picture, tmp_path / "x.png")
    page = plot.save(picture, tmp_path / "x.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert name not in drawn(picture, "bokeh").title.text


@pytest.mark.parametrize(
    ("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF"), (".html", b"")]
)
def test_save__by_suffix(suffix: str, start: bytes, tmp_path: Path) -> None:
    path = plot.save(plot.binding_histogram(made(genes=20)), tmp_path / f"x{suffix}")
    assert path.read_bytes().startswith(start)
    assert list(tmp_path.iterdir()) == [path]


def test_save__refuses_other_suffixes(tmp_path: Path) -> None:
    with pytest.raises(yx.InputError, match=r"ends in \.png"):
        plot.save(plot.binding_histogram(made(genes=20)), tmp_path / "x.jpg")


def test_save__failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_text("before")
    with pytest.raises(Exception):  # noqa: B017, PT011 - holoviews refuses an object it can't draw in its own ways
        plot.save(object(), path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@CHUNKS
def test_pvalue_histogram__expected_steps(chunks: dict[str, int] | None) -> None:
    ds = made(chunks=chunks)
    for kind in ("binding", "perturbation"):
        found = plot.pvalue_histogram(ds, kind)
        expected = found.get(3).dimension_values("pairs")
        large = theory.large_fraction(ds.yeast.spec, f"{kind}_pvalue", label=True)
        n = int(ds.label.sum())
        assert expected[0] == pytest.approx(n * (large / 10 + (1 - large) / 50))
        assert expected[-1] == pytest.approx(n * (1 - large) / 50)
    with pytest.raises(yx.InputError, match="kind is 'x'"):
        plot.pvalue_histogram(ds, "x")


def test_theory__of_some_tfs_is_that_of_their_kinds() -> None:
    ds = made(**METHODS[4][1])
    lines = plot.perturbation_histogram(ds, tf=[0, 5], limits=(-20, 20), bins=40)
    expected = lines.get(3).dimension_values("pairs")
    parts = [(100, 0), (250, 5)]
    edges = np.linspace(-20, 20, 41)
    by_hand = sum(
        n * np.diff(theory.distribution(ds.yeast.spec, "perturbation_effect", label=True, tf=tf).cdf(edges))
        for n, tf in parts
    )
    np.testing.assert_allclose(expected, by_hand, rtol=1e-9, atol=1e-9)


@CHUNKS
def test_quantile_quantile__near_the_line(chunks: dict[str, int] | None) -> None:
    picture = plot.quantile_quantile(made(chunks=chunks, genes=6600))
    for layer in picture:
        if isinstance(layer, hv.Scatter):
            x, y = layer.dimension_values(0), layer.dimension_values(1)
            inside = x < 3
            assert np.abs(x - y)[inside].max() < 0.15
    bands = [layer for layer in picture if isinstance(layer, hv.Area)]
    for band in bands:
        x, lower, upper = (band.dimension_values(i) for i in range(3))
        assert (lower <= x + 1e-9).all()
        assert (x <= upper + 1e-9).all()
    with pytest.raises(yx.InputError, match="no specification"):
        plot.quantile_quantile(made().drop_attrs(deep=True))


@CHUNKS
def test_relation_status__densities_by_hand(chunks: dict[str, int] | None) -> None:
    ds = made(chunks=chunks, **METHODS[4][1])
    picture = plot.relation_status(ds)
    labels = [layer.label for layer in picture]
    assert labels[:3] == ["unbound", "bound_active", "bound_inactive"]
    holds = yx.adjusted_pairs(ds.label, ds.yeast.spec.tf_relationships)
    sizes = abs(ds.perturbation_effect).values[holds.values]
    curve = picture.get(1)
    width = np.diff(curve.dimension_values(0))[0]
    edges = np.append(curve.dimension_values(0) - width / 2, curve.dimension_values(0)[-1] + width / 2)
    np.testing.assert_allclose(curve.dimension_values(1), np.histogram(sizes, edges)[0] / sizes.size / width)
    one = plot.relation_status(ds, tf=5)  # what TF 5 depends on is looked up in the whole dataset
    assert [layer.label for layer in one][:3] == labels[:3]
    with pytest.raises(yx.InputError, match="no relationships"):
        plot.relation_status(made())


def test_save__refuses_what_is_no_plot_or_folder(tmp_path: Path) -> None:
    picture = plot.bound_fraction(made(genes=20))
    with pytest.raises(yx.InputError, match="expected a file in an existing folder"):
        plot.save(picture, tmp_path / "none" / "x.png")
    with pytest.raises(yx.InputError, match="element is 3; expected the result of a function"):
        plot.save(3, tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []


def test_selection__a_slice_is_by_label_and_holds_both_ends() -> None:
    ds = made(genes=50, tfs=[f"TF{n}" for n in range(10)])
    drawn = plot.bound_fraction(ds, tf=slice("TF2", "TF5"), gene=slice(10, None)).get(1)
    assert list(drawn.dimension_values("name")) == ["TF2", "TF3", "TF4", "TF5"]
    np.testing.assert_allclose(
        drawn.dimension_values("fraction"), ds.label.sel(tf=slice("TF2", "TF5"), gene=slice(10, None)).mean("gene")
    )
    for wrong in (slice("TF5", "TF2"), slice(0.5, "a")):
        with pytest.raises(yx.InputError, match=r"tf is .*; expected"):
            plot.bound_fraction(ds, tf=wrong)


@CHUNKS
def test_bound_fraction__asked_and_found(chunks: dict[str, int] | None) -> None:
    ds = made(chunks=chunks, replicates=2, tfs=[f"TF{n}" for n in range(10)])
    asked, found = plot.bound_fraction(ds)
    np.testing.assert_array_equal(asked.dimension_values("fraction"), ds.bound_fraction)
    np.testing.assert_allclose(found.dimension_values("fraction"), ds.bound_fraction)
    assert list(found.dimension_values("name")) == [f"TF{n}" for n in range(10)]
    assert [layer.label for layer in plot.bound_fraction(ds.drop_vars("bound_fraction"))] == ["observed"]


def test_bound_fraction__many_tfs_are_thinned_and_those_that_are_off_are_kept() -> None:
    names = [f"{n} {'long' * 50}" for n in range(2501)]
    ds = made(genes=10, bound=[0.5], n_sample=[len(names)], tfs=names).copy(deep=True)
    ds["label"].values[:, [7, 1234]] = True
    asked, found = plot.bound_fraction(ds)
    drawn = dict(zip(found.dimension_values("name"), found.dimension_values("fraction"), strict=True))
    assert len(drawn) == len(asked) == 2000
    assert [name for name, fraction in drawn.items() if fraction == 1] == [names[at][:59] + "…" for at in (7, 1234)]
    assert "2,000 of 2,501 TFs" in plot.bound_fraction(ds).opts.get().kwargs["title"]


@CHUNKS
def test_label_map__small_is_the_labels_and_large_is_shares(chunks: dict[str, int] | None) -> None:
    ds = made(chunks=chunks, genes=200)
    np.testing.assert_array_equal(plot.label_map(ds).dimension_values("bound", flat=False)[::-1], ds.label)
    large = made(chunks=chunks, genes=4001)
    shares = plot.label_map(large).dimension_values("bound", flat=False)[::-1]
    assert shares.shape == (364, 10)
    np.testing.assert_allclose(shares[0], large.label[:11].mean("gene"), rtol=1e-6)
    assert shares[-1] == pytest.approx(large.label[-8:].mean("gene").values, abs=1e-6)
    clustered = plot.label_map(ds, order="clustered").dimension_values("bound", flat=False)
    assert sorted(clustered.sum(axis=0)) == sorted(ds.label.sum("gene").values)
    by_name = plot.label_map(ds.isel(gene=[2, 0, 1], tf=[1, 0]), order="name").dimension_values("bound", flat=False)
    np.testing.assert_array_equal(by_name[::-1], ds.label[:3, :2])
    with pytest.raises(yx.InputError, match="order is 'x'"):
        plot.label_map(ds, order="x")


def test_label_map__clustering_puts_like_next_to_like() -> None:
    ds = made(genes=60, bound=[0.3], n_sample=[6])
    half = np.arange(60) < 18
    for tf in range(6):
        ds["label"].values[:, tf] = np.roll(half, 30 * (tf % 2))
    columns = plot.label_map(ds, order="clustered").dimension_values("bound", flat=False).T
    assert sum((a != b).any() for a, b in itertools.pairwise(columns)) == 1


@CHUNKS
def test_cobinding__ratios_by_hand(chunks: dict[str, int] | None) -> None:
    ds = made(chunks=chunks)
    ratio = plot.cobinding(ds).dimension_values("ratio", flat=False)[::-1]
    label = ds.label.values
    assert np.isnan(np.diag(ratio)).all()
    assert ratio[2, 7] == pytest.approx((label[:, 2] & label[:, 7]).sum() * 1000 / (200 * 300))
    many = plot.cobinding(made(n_sample=[100, 100, 200, 200, 400], genes=50, chunks=chunks))
    assert many.dimension_values("ratio", flat=False).shape == (200, 200)


def test_compare__datasets_and_sweeps() -> None:
    spec = yx.SimulationSpec(genes=500, bound=[0.3], n_sample=[3], seed=1)
    swept = yx.sweep(spec, bound_mean=[1.0, 5.0])
    picture = swept.yeast.plot.compare(by="bound_mean")
    assert [layer.label for layer in picture] == ["bound_mean 1.0", "bound_mean 5.0"]
    for layer in picture:
        x, density = layer.dimension_values(0), layer.dimension_values(1)
        assert (density * np.diff(x)[0]).sum() == pytest.approx(1)
    two = plot.compare({"a": spec.simulate(), "b": made()}, "binding_effect", label=None)
    assert [layer.label for layer in two] == ["a", "b"]
    for wrong in ({}, {str(i): made(genes=20) for i in range(9)}):
        with pytest.raises(yx.InputError, match="expected from 1 to 8"):
            plot.compare(wrong)
    with pytest.raises(yx.InputError, match="by is 'x'"):
        plot.compare(swept, by="x")
    variants = {"a": {"bound_mean": 1.0}, "b": {"bound_std": 2.0}}
    grid = yx.sweep(spec, variant=variants, unbound_std=[1.0, 2.0])
    names = [f"variant {name}, unbound_std {std}" for name in "ab" for std in (1.0, 2.0)]
    assert [layer.label for layer in plot.compare(grid, by=["variant", "unbound_std"])] == names
    panels = grid.yeast.plot.binding_vs_perturbation(by=["variant", "unbound_std"], ylim=(0, 9))
    assert panels.shape == (2, 2)
    assert all("bound, theory" in [layer.label for layer in panel] for panel in panels)  # each by its specification
    with pytest.raises(yx.InputError, match="by has 30 combinations of labels; expected from 1 to 24"):
        plot.binding_vs_perturbation(yx.sweep(spec, bound_mean=range(30)), by="bound_mean")
    with pytest.raises(yx.InputError, match="datasets is invalid"):
        plot.compare(3)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["quantile_quantile", "relation_status", "label_map", "cobinding", "bound_fraction"])
def test_plots__draw_with_hostile_names(backend: str, name: str, tmp_path: Path) -> None:
    ds = made(genes=50, bound=[0.3] * 6, n_sample=[1] * 6, tfs=EVIL, tf_relationships={EVIL[0]: [EVIL[1]]})
    picture = getattr(ds.yeast.plot, name)()
    drawn(picture, backend)
    if backend == "bokeh":
        page = plot.save(picture, tmp_path / "x.html").read_text(encoding="utf-8")
        assert "<script>alert" not in page
    else:
        plot.save(picture, tmp_path / "x.png")


def test_accessor__has_every_plot() -> None:
    methods = {name for name in dir(made(genes=20).yeast.plot) if not name.startswith("_")}
    assert methods == set(plot.__all__) - {"MAX_POINTS", "save"}


def test_save__whatever_backend_matplotlib_has_or_misses(tmp_path: Path) -> None:
    """Save with each as matplotlib's default, in a fork of a process that has loaded the rest."""
    code = """
import os, sys, holoviews, panel, scipy.stats, yeastxr as yx
ds = yx.simulate(genes=50, bound=[0.2], seed=1)
assert "matplotlib" not in sys.modules
for backend in sys.argv[2:]:
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == 0, backend
        continue
    os.environ["MPLBACKEND"] = backend
    path = os.path.join(sys.argv[1], backend.split(":")[0])
    os.mkdir(path)
    if backend == "pdf":
        import matplotlib
        from matplotlib import pyplot
        mine = pyplot.figure()
        for suffix in ("png", "svg", "pdf"):
            yx.plot.save(ds.yeast.plot.binding_histogram(), f"{path}/a.{suffix}")
        print(matplotlib.get_backend(), pyplot.get_fignums())
    else:
        yx.plot.save(ds.yeast.plot.bound_fraction(), f"{path}/a.png")
        print(os.environ["MPLBACKEND"])
    sys.stdout.flush()
    os._exit(0)
"""
    missing = ["qtagg", "nonsense", "module://notebook.only"]
    command = [sys.executable, "-W", "error", "-c", code, str(tmp_path), "pdf", *missing]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["pdf [1]", *missing]
    for suffix, start in {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}.items():
        assert (tmp_path / "pdf" / f"a.{suffix}").read_bytes().startswith(start)
    for backend in missing:
        assert [path.name for path in (tmp_path / backend.split(":")[0]).iterdir()] == ["a.png"]


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf", ".html"])
def test_save__replaces_only_with_overwrite(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"mine{suffix}"
    path.write_text("mine")
    picture = plot.bound_fraction(made(genes=20))
    with pytest.raises(yx.InputError, match="which already exists; choose another path or pass overwrite=True"):
        plot.save(picture, path)
    assert path.read_text() == "mine"
    with pytest.raises(yx.InputError, match="overwrite is 1; expected True or False"):
        plot.save(picture, path, overwrite=1)
    assert plot.save(picture, path, overwrite=True).stat().st_size > 1000
    assert list(tmp_path.iterdir()) == [path]


MORE_THAN_A_DATASET = ("MAX_POINTS", "save", "compare", "scores", "enrichment")
NAMES_OF_PLOTS = [name for name in plot.__all__ if name not in MORE_THAN_A_DATASET]


@pytest.mark.parametrize("name", [name for name in NAMES_OF_PLOTS if name != "qc"])  # a layout of others
def test_plots__of_a_pair_selected_by_scalars_are_drawn(name: str) -> None:
    ds = made(genes=20, tfs=[f"TF{n}" for n in range(10)], tf_relationships={"TF5": ["TF5"]})
    drawn(getattr(ds.sel(tf="TF5", gene=3).yeast.plot, name)(), "bokeh")


def test_compare__of_one_tf_selected_as_a_scalar() -> None:
    ds = made(genes=20)
    for feature in ("binding_effect", "perturbation_effect"):
        picture = plot.compare({"a": ds.sel(tf=3), "b": ds.sel(gene=4)}, feature, label=None)
        assert [layer.label for layer in picture] == ["a", "b"]
    swept = yx.sweep(made(genes=20).yeast.spec, bound_mean=[1.0, 5.0]).sel(tf=3)
    assert len(plot.compare(swept, by="bound_mean")) == 2


@pytest.mark.parametrize("name", NAMES_OF_PLOTS)
@pytest.mark.parametrize("relations", [None, {0: [1]}], ids=["alone", "related"])
def test_plots__of_tfs_that_the_specification_lacks(name: str, relations: object) -> None:
    ds = made(genes=20, tf_relationships=relations).assign_coords(tf=[f"TF{n}" for n in range(10)])
    if name == "relation_status":  # what TFs depend on can't be looked up
        with pytest.raises(yx.InputError):
            plot.relation_status(ds)
        return
    if name == "relations" and relations is None:
        with pytest.raises(yx.InputError, match="no relations"):
            plot.relations(ds)
        return
    picture = getattr(plot, name)(ds)
    if name != "qc":  # a layout of others
        drawn(picture, "bokeh")


HIDDEN = ["\u202egnp.LAG", "GAL4\u200b", "\u2066x\u2069", "a\x07b", "\ufeffb", "a\u00adb", "\U000e0041c"]


@pytest.mark.parametrize("name", ["binding_vs_perturbation", "label_map", "cobinding", "bound_fraction"])
def test_names__invisible_characters_are_shown_as_escapes(name: str, tmp_path: Path) -> None:
    ds = made(genes=20, bound=[0.3] * len(HIDDEN), n_sample=[1] * len(HIDDEN), tfs=HIDDEN)
    picture = getattr(plot, name)(ds)
    page = plot.save(picture, tmp_path / "x.html").read_text(encoding="utf-8")
    assert not any(letter in page for letter in "\u202e\u200b\u2066\u2069\x07\u00ad\U000e0041")
    assert not re.search(r"[^\\]\\u202egnp", page)  # nor as JSON that means them
    plot.save(picture, tmp_path / "x.png")
    several = plot.compare(dict.fromkeys(HIDDEN, ds))
    assert not any(letter in layer.label for layer in several for letter in "\u202e\u200b\x07\u00ad")


def test_compare__names_are_never_markup(tmp_path: Path) -> None:
    ds = made(genes=20)
    names = [*(name for name in EVIL if name.isascii()), "$\\frac{$"]  # fonts may lack others, with a warning
    picture = plot.compare(dict.fromkeys(names, ds))
    for suffix in ("png", "svg", "html"):
        path = plot.save(picture, tmp_path / f"x.{suffix}")
    assert "<script>alert" not in path.read_text(encoding="utf-8")
