"""Data without labels, as measured data is: every public function works, or says in one sentence that it needs them."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

import yeastxr as yx
from tests.analysis.common import make_measured
from yeastxr import analysis, plot, qc, theory, training
from yeastxr.accessor import YeastAccessor, YeastAnalysis, YeastPlots
from yeastxr.cli import main
from yeastxr.plot.style import load_holoviews

FACES = {
    "analysis": analysis,
    "names": yx.names,
    "plot": plot,
    "qc": qc,
    "theory": theory,
    "training": training,
}
HOPS = ("experiment_hops", "background_hops")
EFFECTS = {"binding_effect": "log2 enrichment", "perturbation_effect": "log2 fold change"}


def make_data() -> xr.Dataset:
    """Return measured data in logarithmic units, negative ones among them, some of them missing, with hops."""
    ds = make_measured(11)
    ds["binding_effect"] = ds["binding_effect"] - 1
    for name, units in EFFECTS.items():
        ds[name].attrs["units"] = units
    hops = np.random.default_rng(1).poisson(3, (2, *ds["binding_effect"].shape)).astype("int32")
    extras = {name: (("gene", "tf"), counts) for name, counts in zip(HOPS, hops, strict=True)}
    return ds.assign(extras).assign_coords(feature=list(make_measured(11).data_vars))


DATA = make_data()
SIMULATED = yx.simulate(genes=20, bound=[0.2, 0.4], tf_relationships={0: [1]}, seed=1)
SIMULATED = SIMULATED.sel(feature=list(DATA.feature.values)).drop_vars("label")


FITTED = yx.simulate(genes=600, bound=[0.2], n_sample=[3], bound_mean=6.0, seed=1).drop_vars("label").drop_attrs()


def rename(ds: xr.Dataset) -> xr.Dataset:
    """Return data with other names; a warning says that its own are not yeast's."""
    with pytest.warns(UserWarning, match="not in the catalog"):
        return yx.rename(ds, to="standard")


def with_path(name: str, function: Callable[[xr.Dataset, Path], Any]) -> Callable[[xr.Dataset], Any]:
    """Return a function of a dataset that gets a path in a folder of its own, too."""

    def call(ds: xr.Dataset) -> Any:
        with TemporaryDirectory() as folder:
            return function(ds, Path(folder) / name)

    return call


def save_and_open(ds: xr.Dataset, path: Path) -> None:
    xr.testing.assert_identical(yx.open(yx.save(ds, path)).compute(), ds.compute())
    assert yx.verify(path).whole
    assert set(yx.verify(path).blocks) == {*DATA.data_vars}


def return_tensor(ds: xr.Dataset) -> None:
    xr.testing.assert_identical(yx.from_torch(yx.to_torch(ds), like=ds), ds.drop_vars(HOPS).compute())


def merge_summaries(ds: xr.Dataset) -> None:
    limits = {"perturbation_effect": (-9, 9), "perturbation_magnitude": (0, 9), "binding_effect": (-9, 9)}
    limits["pairs"] = ((-9, 9), (0, 9))
    parts = [qc.summarize(ds.isel(tf=tfs), limits=limits) for tfs in ([0, 1], [2])]
    xr.testing.assert_identical(qc.merge(*parts).compute(), qc.summarize(ds, limits=limits).compute())


def train(ds: xr.Dataset) -> None:
    pytest.importorskip("lightning")
    module = training.YeastDataModule(ds, batch_size=5, mask=True, missing=0.0, seed=1)
    assert all(batch.y_mask.dtype.is_floating_point is False for batch in module.train_dataloader())


WORKS: dict[str, Callable[[xr.Dataset], Any]] = {
    "Batches": lambda ds: list(yx.Batches(ds, 5)),
    "check": lambda ds: str(yx.check(ds)),
    "export": lambda ds: [
        with_path(f"data.{ending}", lambda ds, path: yx.export(ds, path))(ds) for ending in ("pt", "npz", "csv")
    ],
    "from_torch": return_tensor,
    "open": with_path("data.zarr", save_and_open),
    "report": with_path("page.html", lambda ds, path: yx.report(ds, path)),
    "save": with_path("data.zarr", save_and_open),
    "ds.yeast.explore": lambda ds: ds.yeast.explore(),
    "fit_spec": lambda ds: yx.fit_spec(FITTED, seed=1),
    "rename": rename,
    "spec_of": yx.spec_of,
    "split": lambda ds: yx.split(ds, seed=1),
    "to_anndata": yx.to_anndata,
    "to_dataarray": yx.to_dataarray,
    "to_dataframe": yx.to_dataframe,
    "to_torch": yx.to_torch,
    "validate": yx.validate,
    "verify": with_path("data.zarr", save_and_open),
    "xy": lambda ds: yx.xy(ds, mask=True),
    "analysis.adjust_pvalues": lambda ds: analysis.adjust_pvalues(ds["binding_pvalue"]),
    "analysis.correlate": analysis.correlate,
    "analysis.describe": analysis.describe,
    "analysis.dual_threshold": lambda ds: analysis.dual_threshold(ds, permutations=5, seed=1),
    "analysis.enrichment": lambda ds: analysis.enrichment(*(ds[name] for name in HOPS)),
    "analysis.rank_response": analysis.rank_response,
    "analysis.scores": lambda ds: analysis.scores(ds["binding_effect"], ds),
    "analysis.targets": lambda ds: analysis.targets(ds, "TF1"),
    "analysis.top": lambda ds: analysis.top(ds, "TF1"),
    "analysis.top_ratio": lambda ds: analysis.top_ratio(ds, 5),
    "plot.binding_histogram": plot.binding_histogram,
    "plot.binding_vs_perturbation": plot.binding_vs_perturbation,
    "plot.correlation": plot.correlation,
    "plot.dual_threshold": lambda ds: plot.dual_threshold(ds, tf="TF1"),
    "plot.enrichment": plot.enrichment,
    "plot.perturbation_histogram": plot.perturbation_histogram,
    "plot.pvalue_histogram": plot.pvalue_histogram,
    "plot.qc": plot.qc,
    "plot.quantile_quantile": lambda ds: plot.quantile_quantile(SIMULATED),
    "plot.rank_response": plot.rank_response,
    "plot.relations": lambda ds: plot.relations(SIMULATED),
    "plot.scores": lambda ds: plot.scores(ds, ds["binding_effect"]),
    "plot.volcano": plot.volcano,
    "qc.histogram": lambda ds: qc.histogram(ds, "binding_effect"),
    "qc.histogram_2d": qc.histogram_2d,
    "qc.histogram_of": lambda ds: qc.histogram_of(qc.summarize(ds), "perturbation_magnitude"),
    "qc.largest_effects": lambda ds: qc.largest_effects(ds, "binding_effect"),
    "qc.merge": merge_summaries,
    "qc.number_of_cells": qc.number_of_cells,
    "qc.pool": lambda ds: qc.pool(qc.summarize(ds)),
    "qc.summarize": qc.summarize,
    "training.BatchStream": lambda ds: list(training.BatchStream(yx.Batches(ds, 5))),
    "training.SampleDataset": lambda ds: training.SampleDataset(ds)[3],
    "training.YeastDataModule": train,
    "ds.yeast.analysis.scores": lambda ds: ds.yeast.analysis.scores(ds["binding_effect"]),
    "ds.yeast.samples": lambda ds: ds.yeast.samples(missing=0.0, mask=True)[3],
    "ds.yeast.spec": lambda ds: ds.yeast.spec,
}
NEEDS: dict[str, tuple[str, Callable[[xr.Dataset], Any]]] = {
    "analysis.curves": ("curves", analysis.curves),
    "plot.bound_fraction": ("plot.bound_fraction", plot.bound_fraction),
    "plot.cobinding": ("plot.cobinding", plot.cobinding),
    "plot.compare": ("plot.compare with label=True", lambda ds: plot.compare({"measured": ds})),
    "plot.label_map": ("plot.label_map", plot.label_map),
    "plot.relation_status": ("plot.relation_status", lambda ds: plot.relation_status(SIMULATED)),
    "plot.roc": ("plot.roc", plot.roc),
}
"""What needs labels whatever the arguments, or by default."""
OPTIONS: tuple[tuple[str, Callable[[xr.Dataset], Any]], ...] = (
    ("responsive='label'", lambda ds: analysis.rank_response(ds, responsive="label")),
    ("rule='label'", lambda ds: analysis.targets(ds, "TF1", rule="label")),
    ("split with stratify=True", lambda ds: yx.split(ds, stratify=True)),
    ("a tensor with 'label'", lambda ds: yx.to_torch(ds, features=["label", "binding_effect"])),
    ("a tensor with 'label'", lambda ds: yx.xy(ds, y="label")),
    ("a batch with 'label'", lambda ds: yx.Batches(ds, 5, y="label")),
    ("a batch with 'label'", lambda ds: ds.yeast.samples(y="label")),
    ("summarize with adjusted", lambda ds: qc.summarize(ds, adjusted=ds["binding_pvalue"] < 0.1)),
)
TRUTH: dict[str, Callable[[xr.Dataset], Any]] = {
    "curves": lambda ds: analysis.curves(ds, truth=ds["binding_pvalue"] < 0.1),
    "plot.compare": lambda ds: plot.compare({"measured": ds, "simulated": SIMULATED}, label=None),
    "plot.roc": lambda ds: plot.roc(ds, truth=ds["binding_pvalue"] < 0.1),
}
"""Those of them that take something else instead."""
# What takes no dataset, or arrays and labels rather than a dataset.
APART = {
    "FEATURES",
    "Check",
    "CheckTable",
    "Feature",
    "MaskedPair",
    "Pair",
    "SimulatedBatches",
    "SpecFit",
    "Verification",
    "InputError",
    "InputTypeError",
    "SchemaError",
    "StoreError",
    "StoreExistsError",
    "StoreNotFoundError",
    "TableWarning",
    "YeastAccessor",
    "__version__",
    "extend",
    "from_tables",
    "names.genes",
    "names.tfs",
    "plot.MAX_POINTS",
    "plot.save",
    "qc.BINS",
    "qc.LIMITS",
    *yx.simulation.__all__,
    *(f"theory.{name}" for name in theory.__all__),
} - {"spec_of"}


def list_public_names() -> set[str]:
    """Return the names that are not those of modules, and not of what has one at the top already."""
    names = {name for name in yx.__all__ if name not in FACES}
    own = {f"training.{name}" for name in names}
    return names | {f"{face}.{name}" for face, module in FACES.items() for name in module.__all__} - own


def test_without_label__each_public_name_is_tried() -> None:
    """A new name is put in one of the tables above."""
    tried = [*WORKS, *NEEDS, *APART]
    assert len(tried) == len(set(tried))
    assert {name for name in tried if not name.startswith("ds.")} == list_public_names()


def test_without_label__each_method_is_tried() -> None:
    """A method is that of a function, or is in the tables itself."""
    owners = {"ds.yeast": YeastAccessor, "ds.yeast.analysis": YeastAnalysis, "ds.yeast.plot": YeastPlots}
    for path, owner in owners.items():
        for name, value in vars(owner).items():
            if name.startswith("_") or f"{path}.{name}" in {*WORKS, *owners}:
                continue
            face = value.__wrapped__.__module__.split(".")[1]
            known = value.__wrapped__.__name__
            assert {known, f"{face}.{known}"} & {*WORKS, *NEEDS}, name


@pytest.mark.parametrize("name", WORKS)
def test_without_label__works(name: str) -> None:
    before = DATA.copy(deep=True)
    if name != "report":  # it takes long, and another test writes one of data in memory
        WORKS[name](DATA)
    WORKS[name](DATA.chunk({"tf": 1}))
    xr.testing.assert_identical(DATA, before)


@pytest.mark.parametrize("name", NEEDS)
def test_without_label__says_what_it_needs(name: str) -> None:
    function, call = NEEDS[name]
    with pytest.raises(yx.SchemaError) as error:
        call(DATA)
    assert str(error.value).startswith(
        f"{function} needs the variable 'label', which the dataset does not have; add labels of bound pairs with "
    )
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("option", "call"), OPTIONS)
def test_without_label__options_say_what_they_need(option: str, call: Callable[[xr.Dataset], Any]) -> None:
    with pytest.raises(yx.SchemaError) as error:
        call(DATA)
    assert str(error.value).startswith(
        f"{option} needs the variable 'label', which the dataset does not have; add labels of bound pairs with "
    )


@pytest.mark.parametrize("name", TRUTH)
def test_without_label__something_else_tells_the_truth(name: str) -> None:
    TRUTH[name](DATA)


def test_without_label__commands(tmp_path: Path) -> None:
    store = str(yx.save(DATA, tmp_path / "measured.zarr"))
    analyze = ["analyze", store, "-o", str(tmp_path / "out.csv"), "--overwrite", "--method"]
    for arguments in (
        ["info", store],
        ["check", store],
        ["verify", store],
        ["export", store, str(tmp_path / "data.csv")],
        [*analyze, "rank-response"],
        [*analyze, "dual-threshold", "--permutations", "5"],
    ):
        result = CliRunner().invoke(main, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
    result = CliRunner().invoke(main, [*analyze, "curves"], catch_exceptions=False)
    assert result.exit_code != 0
    assert (
        "curves needs the variable 'label', which the dataset does not have; add labels of bound pairs with"
        in " ".join(result.output.split())
    )


def test_without_label__label_that_is_selected_must_be_there() -> None:
    ds = yx.simulate(genes=20, bound=[0.2], seed=1).drop_vars("label")
    with pytest.raises(yx.SchemaError, match=r"has no variable 'label', .*; select .* ds\.sel\(feature=\['bind"):
        yx.validate(ds)


def test_without_label__simulated_data_is_not_checked_against_theory(tmp_path: Path) -> None:
    table = yx.check(SIMULATED)
    assert table.passed is None
    assert [row.observed for row in table.rows if row.name == "theory"] == ["no 'label'"]
    path = yx.save(SIMULATED, tmp_path / "sim.zarr")
    for call in (lambda: yx.extend(path, bound=[0.1]), lambda: yx.verify(path, repair=True)):
        with pytest.raises(yx.StoreError, match="which is missing label of its specification"):
            call()


@pytest.mark.parametrize("chunks", [None, {"tf": 1}], ids=str)
def test_without_label__missing_values_are_counted(chunks: dict[str, int] | None) -> None:
    ds = DATA if chunks is None else DATA.chunk(chunks)
    expected = {name: int(DATA[name].isnull().sum()) for name in DATA.feature.values}
    summary = qc.summarize(ds).compute()
    assert "label" not in summary.variables
    assert dict(zip(summary["quantity"].values, summary["missing"].values.tolist(), strict=True)) == expected | {
        "perturbation_magnitude": expected["perturbation_effect"]
    }
    assert dict(zip(summary["quantity"].values, summary["units"].values, strict=True)) == EFFECTS | {
        "binding_pvalue": "1",
        "perturbation_pvalue": "1",
        "perturbation_magnitude": "log2 fold change",
    }
    assert int(summary["histogram"].sum() + summary["missing"].sum()) == 5 * DATA["binding_effect"].size
    assert not summary["below"].any()
    pairs = DATA["binding_effect"].notnull() & DATA["perturbation_effect"].notnull()
    counted = [summary["pairs"], qc.histogram_2d(ds).compute()["cells"]]
    edges = summary["x_left"].values
    for cells in counted:
        assert int(cells.sum()) == int(pairs.sum())
    negative = int((pairs & (DATA["binding_effect"] < 0)).sum())
    assert negative
    assert int(summary["pairs"].isel(x_bin=edges < 0).sum()) == negative
    rows = {row.name: row for row in yx.check(ds).rows}
    for name in DATA.feature.values:
        title = name.replace("_pvalue", " p-value").replace("_", " ")
        assert rows[f"{title}: range"].passed
        assert rows[f"{title}: missing"].observed.startswith(f"{expected[name]} of 69 (")


def test_without_label__a_value_out_of_its_range_fails() -> None:
    rows = {row.name: row.passed for row in yx.check(DATA.assign(binding_pvalue=2 * DATA["binding_pvalue"] + 1)).rows}
    assert rows["binding p-value: range"] is False
    unitless = DATA.assign(binding_effect=DATA["binding_effect"].drop_attrs())
    assert "binding effect: range" in yx.check(unitless).failed


def test_without_label__pictures_and_pages_show_units(tmp_path: Path) -> None:
    hv = load_holoviews()
    picture = plot.binding_vs_perturbation(DATA)
    labels = hv.Store.lookup_options("bokeh", picture, "plot").kwargs
    missing = 100 * float((DATA["binding_effect"] + DATA["perturbation_effect"]).isnull().mean())
    assert labels["xlabel"] == f"binding effect (log2 enrichment)\n{missing:.1f} % missing"
    assert labels["ylabel"] == "|perturbation effect| (log2 fold change)"
    assert [layer.label for layer in picture] == ["all pairs"]
    both = plot.compare({"measured": DATA, "simulated": SIMULATED}, label=None)
    label = hv.Store.lookup_options("bokeh", both, "plot").kwargs["xlabel"]
    assert label == "perturbation effect (log2 fold change or noise s.d.)"
    text = yx.report(DATA, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "|perturbation effect| (log2 fold change)" in text
    assert "missing perturbation effects" not in text
    assert "missing |perturbation effect|s" in text
    for absent in ("noise s.d.", "noise standard deviation", "bound genes"):
        assert absent not in text


@pytest.mark.parametrize("kind", ["binding", "perturbation"])
def test_without_label__one_kind_of_data_is_enough(kind: str) -> None:
    """What was not measured is NaN."""
    other = {"binding": "perturbation", "perturbation": "binding"}[kind]
    ds = DATA.assign({f"{other}_{part}": np.nan * DATA[f"{other}_{part}"] for part in ("effect", "pvalue")})
    assert yx.check(ds).failed == []
    assert int(qc.summarize(ds)["pairs_missing"]) == 69
    assert len(plot.qc(ds)) == 6
    assert yx.analysis.describe(ds)["genes"].values.tolist() == [
        int(n) for n in (DATA[f"{kind}_effect"] * DATA[f"{kind}_pvalue"]).notnull().sum("gene")
    ]


def test_without_label__effects_without_pvalues_are_ranked() -> None:
    ds = DATA.assign({name: np.nan * DATA[name] for name in ("binding_pvalue", "perturbation_pvalue")})
    known = DATA["binding_effect"].notnull() & DATA["perturbation_effect"].notnull()
    rules = {"by": "binding_effect", "largest_pvalue": 1.0, "least_magnitude": 1.0}
    response = analysis.rank_response(ds, bins=1, **rules)
    for tf in ds["tf"].values:
        own = ds.sel(tf=tf).where(known.sel(tf=tf), drop=True)
        ranked = own.isel(gene=np.argsort(-own["binding_effect"].values, kind="stable"))
        responds = np.cumsum(abs(ranked["perturbation_effect"].values) >= 1)
        counts = response.sel(tf=tf)
        assert int(counts["genes"]) == responds.size
        np.testing.assert_array_equal(counts["responsive"].values[: responds.size], responds)
    dual = analysis.dual_threshold(
        ds, binding="binding_effect", response="perturbation_magnitude", permutations=0, seed=1
    )
    np.testing.assert_array_equal(dual["genes"], known.sum("gene"))
