"""The pictures by their structure, and drawn once by each backend."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import yeastxr as yx
from yeastxr import plot
from yeastxr.elements import COLOURS, holoviews

hv = holoviews()
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
    return hv.render(element, backend=backend)


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
    assert [type(layer) for layer in picture] == [hv.Histogram, hv.Histogram]
    assert [layer.label for layer in picture] == ["unbound", "bound"]
    for backend in BACKENDS:
        assert [colour(layer, backend) for layer in picture] == [COLOURS[False], COLOURS[True]]
    shown = [int(layer.dimension_values("pairs").sum()) for layer in picture]
    if draw is plot.perturbation_histogram:
        assert shown == [int((~ds.label).sum()), int(ds.label.sum())]
    else:
        assert sum(shown) == int((ds.binding_effect <= 5).sum())


def test_binding_histogram__says_what_lies_beyond() -> None:
    ds = made()
    share = 100 * float((ds.binding_effect > 5).mean())
    options = hv.Store.lookup_options("bokeh", plot.binding_histogram(ds), "plot").kwargs
    assert options["xlabel"] == f"binding effect\n{share:.1f} % above 5"
    options = hv.Store.lookup_options("bokeh", plot.binding_histogram(ds, limits=(0, 100)), "plot").kwargs
    assert options["xlabel"] == "binding effect"


@CHUNKS
def test_binding_vs_perturbation__few_pairs_are_points(chunks: dict[str, int] | None) -> None:
    ds = made(chunks=chunks)
    picture = plot.binding_vs_perturbation(ds)
    assert [type(layer) for layer in picture] == [hv.Points, hv.Points]
    assert [layer.label for layer in picture] == ["unbound", "bound"]
    assert [len(layer) for layer in picture] == [int((~ds.label).sum()), int(ds.label.sum())]
    for bound, layer in enumerate(picture):
        assert all(colour(layer, backend) == COLOURS[bool(bound)] for backend in BACKENDS)
        row = 17
        gene, tf = (layer.dimension_values(dim)[row] for dim in ("gene", "tf"))
        pair = ds.sel(gene=gene, tf=tf)
        assert bool(pair.label) == bool(bound)
        assert layer.dimension_values("binding_effect")[row] == float(pair.binding_effect)
        assert layer.dimension_values("perturbation_size")[row] == abs(float(pair.perturbation_effect))


@CHUNKS
def test_binding_vs_perturbation__many_pairs_are_bins(chunks: dict[str, int] | None) -> None:
    ds = made(chunks=chunks)
    picture = plot.binding_vs_perturbation(ds, max_points=9_999, bins=30)
    assert [type(layer) for layer in picture] == [hv.Points, hv.Points]
    for bound, layer in enumerate(picture):
        pairs, diameter = layer.dimension_values("pairs"), layer.dimension_values("diameter")
        assert pairs.sum() == int((ds.label == bool(bound)).sum())
        assert pairs.min() > 0
        assert (np.diff(diameter[np.argsort(pairs)]) >= 0).all()


@CHUNKS
def test_qc__three_pictures(chunks: dict[str, int] | None) -> None:
    ds = made(chunks=chunks)
    layout = plot.qc(ds)
    assert isinstance(layout, hv.Layout)
    binding, perturbation, pairs = layout
    assert sum(int(layer.dimension_values("pairs").sum()) for layer in perturbation) == 10_000
    assert sum(map(len, pairs)) == 10_000
    alone = plot.binding_histogram(ds)
    for layer, other in zip(binding, alone, strict=True):
        np.testing.assert_array_equal(layer.dimension_values("pairs"), other.dimension_values("pairs"))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("max_points", [20_000, 0], ids=["points", "bins"])
def test_qc__draws(backend: str, max_points: int) -> None:
    drawn(plot.qc(made(genes=100), max_points=max_points), backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "extra",
    [
        {"bound": [0.0], "n_sample": [2]},
        {"bound": [1.0], "n_sample": [2]},
        {"genes": 1},
        {"bound": [0.4], "n_sample": [1]},
        {"genes": 50, "replicates": 2, "chunks": {}},
    ],
    ids=["none-bound", "all-bound", "one-gene", "one-tf", "replicates"],
)
def test_qc__draws_odd_datasets(backend: str, extra: dict[str, object]) -> None:
    ds = made(**{"genes": 20, **extra})
    for picture in plot.qc(ds):
        drawn(picture, backend)
    drawn(plot.binding_vs_perturbation(ds, max_points=0), backend)


def test_axes__named_with_units() -> None:
    binding, perturbation, pairs = plot.qc(made(genes=100))
    labels = [
        (figure.xaxis.axis_label.split("\n")[0], figure.yaxis.axis_label)
        for figure in (drawn(picture, "bokeh") for picture in (binding, perturbation, pairs))
    ]
    assert labels == [
        ("binding effect", "gene–TF pairs"),
        ("perturbation effect (noise s.d.)", "gene–TF pairs"),
        ("binding effect", "|perturbation effect| (noise s.d.)"),
    ]


def test_selection__by_label() -> None:
    ds = made(tfs=[f"TF{n}" for n in range(10)])
    assert sum(map(len, plot.binding_vs_perturbation(ds, tf="TF3"))) == 1000
    assert sum(map(len, plot.binding_vs_perturbation(ds, tf=["TF3", "TF4", "TF3"], gene=range(7)))) == 14
    picture = plot.perturbation_histogram(ds, tf="TF3", gene=np.arange(500))
    title = hv.Store.lookup_options("bokeh", picture, "plot").kwargs["title"]
    assert title == "Perturbation effects\nTF TF3, 500 of 1,000 genes"


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ({"tf": "GAL5"}, "tf is 'GAL5', which is not known; did you mean 'GAL4'?"),
        ({"tf": ["GAL4", 3]}, "tf is 3"),
        ({"gene": 100}, "gene is 100, which is not known; known are the integers from 0 to 99"),
        ({"gene": True}, "gene is True"),
        ({"gene": []}, "gene is empty"),
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
    for bad in (ds["label"], ds.drop_vars("binding_effect"), ds.isel(tf=0)):
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
