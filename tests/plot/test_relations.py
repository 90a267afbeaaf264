"""The graph of relations: its nodes and edges, its limits, and drawn once by each backend."""

from collections.abc import Iterator

import numpy as np
import pytest

import yeastxr as yx
from yeastxr import And, Not, Or, plot
from yeastxr.plot.style import load_holoviews

hv = load_holoviews()
RELATIONS = {
    "GAL4": ["GAL3", Not("GAL80"), Or("MIG1", Not(And("GAL80", "GAL4")))],
    "MIG1": "GAL4 & !(RAP1 | GAL3)",
    "RAP1": [],
}
TFS = ["GAL3", "GAL4", "GAL80", "MIG1", "RAP1"]


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    from matplotlib import pyplot

    pyplot.close("all")


def list_edges(picture: object) -> set[tuple[str, str, str]]:
    """Return the edges of a graph by the names of their nodes."""
    graph = picture.get(0)
    names = graph.nodes.dimension_values("name")
    columns = [graph.dimension_values(dim) for dim in ("start", "end", "holds")]
    return {(names[start], names[end], holds) for start, end, holds in zip(*columns, strict=True)}


def test_relations__nodes_and_edges_are_those_of_the_conditions() -> None:
    picture = plot.relations(RELATIONS)
    assert isinstance(picture, hv.Overlay)
    assert {type(layer) for layer in picture} == {hv.Graph, hv.Labels}
    graph = picture.get(0)
    assert graph.nodes.dimension_values("name").tolist() == ["GAL4", "GAL3", "GAL80", "MIG1", "RAP1", "or", "and", "or"]
    assert graph.nodes.dimension_values("conditions")[3] == "GAL4 & !(RAP1 | GAL3)"
    assert list_edges(picture) == {
        ("GAL3", "GAL4", "bound"), ("GAL80", "GAL4", "unbound"), ("or", "GAL4", "bound"),
        ("MIG1", "or", "bound"), ("and", "or", "unbound"), ("GAL80", "and", "bound"), ("GAL4", "and", "bound"),
        ("GAL4", "MIG1", "bound"), ("or", "MIG1", "unbound"), ("RAP1", "or", "bound"), ("GAL3", "or", "bound"),
    }  # fmt: skip
    assert list_edges(plot.relations({0: Not(Not(And(1))), 1: [Not(Or(Not(0)))]})) == {
        ("1", "0", "bound"),
        ("0", "1", "bound"),
    }
    assert len(graph.edgepaths.split()) == len(graph)
    ends = [path.array()[-2] for path in graph.edgepaths.split()]
    places = graph.nodes.array([0, 1]).astype(float)[graph.dimension_values("end").astype(int)]
    assert (np.hypot(*(np.array(ends) - places).T) < 0.15).all()


def test_relations__of_datasets_specifications_and_dicts_alike() -> None:
    spec = yx.SimulationSpec(genes=20, bound=0.5, tfs=TFS, tf_relationships=RELATIONS, seed=1)
    ds = spec.simulate()
    pictures = [ds.yeast.plot.relations(), plot.relations(spec), plot.relations(dict(spec.tf_relationships))]
    pictures.append(plot.relations(yx.sweep(spec, bound_mean=[1.0, 2.0])))
    assert all(list_edges(picture) == list_edges(plot.relations(RELATIONS)) for picture in pictures)
    one = plot.relations(ds, tf=ds.tf[3:4])
    assert {end for _, end, _ in list_edges(one)} == {"MIG1", "or"}
    title = hv.Store.lookup_options("bokeh", one, "plot").kwargs["title"]
    assert title.splitlines() == [
        "Relations of TFs",
        "arrow: must bind the gene; bar: must not",
        "conditions of 1 of 2 TFs",
    ]


@pytest.mark.parametrize("n_tfs", [2, 18])
@pytest.mark.parametrize("backend", ["bokeh", "matplotlib"])
def test_relations__are_drawn(backend: str, n_tfs: int) -> None:
    names = ["$\\frac{a}$", "<b>ü</b> of a long name", *(f"TF{i}" for i in range(2, n_tfs))]
    relations = {name: Or(names[i - 1], And(name, Not(names[i - 2]))) for i, name in enumerate(names)}
    picture = plot.relations(relations, title="mine", size=(500, 500))
    drawn = hv.render(picture, backend=backend)
    if backend == "matplotlib":
        drawn.canvas.draw()
        texts = [text for text in drawn.axes[0].texts if text.get_text() not in ("or", "and")]
        assert len(texts) == n_tfs
        assert any(text.get_rotation() % 180 for text in texts) == (n_tfs == 18)
        boxes = [text.get_window_extent() for text in texts]
        figure = drawn.get_window_extent()
        assert all(figure.x0 <= box.x0 and box.x1 <= figure.x1 for box in boxes)
    else:
        assert drawn.title.text == "mine"


def test_relations__many_are_cut_and_others_refused() -> None:
    many = {i: [i + 1, Or(i + 2, i + 3)] for i in range(500)}
    graph = plot.relations(many).get(0)
    assert (graph.nodes.dimension_values("kind") == "TF").sum() == 60
    assert plot.relations(many, tf=[490, 3]).get(0).nodes.dimension_values("name")[0] == "490"
    for data, options, message in [
        (many, {"tf": 600}, "tf is 600, which has no conditions; expected an integer from 0 to 499"),
        (many, {"tf": range(100)}, "expected at most 400 of 60"),
        (many, {"tf": []}, "which is empty"),
        ({0: [And(*range(70))]}, {}, "the conditions to draw have 70 terms of 70 TFs; expected at most 400 of 60"),
        (yx.simulate(genes=5, bound=0.5, seed=1), {}, "data has no relations of TFs; expected relations"),
        ({"GAL4": []}, {}, "data has no relations of TFs"),
        ({"GAL4": "A &"}, {}, "the relation ends at character 4"),
        (5, {}, "data is of type int; expected a dataset"),
    ]:
        with pytest.raises(yx.InputError, match=message):
            plot.relations(data, **options)
