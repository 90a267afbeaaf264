"""The check table: correct datasets pass at the stated rate, injected errors are found, subsets are no errors."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import yeastxr as yx
from tests.reference import injected
from yeastxr import qc
from yeastxr.checks.check import check_blocks
from yeastxr.checks.independence import find_symmetric
from yeastxr.cli import main
from yeastxr.demo import BOOLEAN_RELATIONS, METHODS, POPULATION
from yeastxr.qc.summary import BlockSummary


def simulate(**extra: object) -> xr.Dataset:
    return yx.simulate(**{**POPULATION, "seed": 7, **extra})


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("chunks", [None, {"tf": 3}, {"gene": 400}], ids=["numpy", "dask", "dask-genes"])
def test_check__simulation_passes(method: int, chunks: object) -> None:
    table = yx.check(simulate(**METHODS[method][1], chunks=chunks))
    assert table.failed == []
    assert not any(row.passed is None for row in table.rows)
    assert table


@given(data=st.data())
def test_check__same_table_whatever_the_chunks(data: st.DataObject) -> None:
    ds = simulate(replicates=2, **METHODS[4][1])
    chunks = {dim: data.draw(st.integers(1, ds.sizes[dim]), dim) for dim in ("replicate", "gene", "tf")}
    chunks["gene"] = max(chunks["gene"], 200)
    xr.testing.assert_identical(yx.check(ds.chunk(chunks)).to_dataset(), yx.check(ds).to_dataset())


@pytest.mark.medium
@pytest.mark.parametrize("method", [*(pytest.param(n, marks=pytest.mark.slow) for n in (1, 3)), 2, 4])
def test_check__false_alarms_are_as_rare_as_stated(method: int) -> None:
    """Of 100 seeds a correct dataset fails at 0.05 in 12.3 at most, at 6 s.d. above the bound; at 0.001 in 2."""
    tables = [yx.check(simulate(**METHODS[method][1], seed=seed), level=0.05) for seed in range(100)]
    assert sum(not table.passed for table in tables) <= 0.05 * 100 + 6 * np.sqrt(0.05 * 0.95 * 100)
    pvalues = np.array([table.to_dataset()["pvalue"].values for table in tables])
    tests = np.isfinite(pvalues[0])
    assert np.isfinite(pvalues[:, tests]).all()
    # Each test on its own is valid: of 100, at most so many p-values are below 0.05.
    assert ((pvalues[:, tests] < 0.05).sum(axis=0) <= 5 + 6 * np.sqrt(0.05 * 0.95 * 100)).all()
    assert sum((pvalues[:, tests].min(axis=1) * tests.sum()) < 0.001) <= 2


@pytest.mark.medium
@pytest.mark.parametrize("name", injected.ODD)
def test_check__false_alarms_of_odd_specifications(name: str) -> None:
    """Of 40 seeds, a correct dataset fails at 0.05 in 10 at most, 6 s.d. above the bound."""
    tables = [yx.check(yx.simulate(**injected.ODD[name], seed=seed), level=0.05) for seed in range(40)]
    assert sum(not table.passed for table in tables) <= 0.05 * 40 + 6 * np.sqrt(0.05 * 0.95 * 40)


@pytest.mark.slow
@pytest.mark.parametrize("name", injected.ODD)
def test_check__false_alarms_of_odd_specifications_long(name: str) -> None:
    """Of 1,000 seeds, at 0.05, 0.01 and 0.001 a correct dataset fails at most as often as stated, within 4 s.d."""
    tables = [yx.check(yx.simulate(**injected.ODD[name], seed=seed)) for seed in range(1000)]
    assert not any(row.passed is False and np.isnan(row.pvalue) for table in tables for row in table.rows)
    pvalues = [[row.pvalue for row in table.rows if np.isfinite(row.pvalue)] for table in tables]
    least = np.array([min(p) * len(p) for p in pvalues])
    for level in (0.05, 0.01, 0.001):
        assert (least < level).sum() <= 1000 * level + 4 * np.sqrt(1000 * level)


def test_check__never_fails_by_chance_on_small_samples() -> None:
    for seed in range(60):
        ds = yx.simulate(genes=5, bound=[0.3, 0.6], max_mean_adjustment=10.0, tf_relationships={0: [1]}, seed=seed)
        assert yx.check(ds).failed == []


@pytest.mark.parametrize(
    "extra",
    [
        {"bound": [0.0], "n_sample": [2]},
        {"bound": [1.0], "n_sample": [2]},
        {"genes": 1},
        {"genes": 1, "bound": [0.5], "n_sample": [1]},
        {"bound": [0.2], "n_sample": [1]},
        {"bound_std": 0.0, "unbound_std": 0.0},
        {"bound_std": 0.0},
        {"bound_std": 0.0, "unbound_std": 0.0, "bound_mean": 0.0},
        {"bound_std": 0.0, "max_mean_adjustment": 10.0, "tf_relationships": {0: [1]}},
        {"bound_mean": 1e6, "genes": 6600},
        {"replicates": 3},
        {"large_effect_percentile": 0.0},
        {"large_effect_percentile": 0.0, "large_effect_upper_pval": 0.0},
        {"large_effect_percentile": 1.0, "large_effect_upper_pval": 0.0},
        {"unbound_experiment_hops_range": (0, 0), "bound_experiment_hops_range": (0, 0)},
        {"background_hops_range": (50, 50), "bound_experiment_hops_range": (3, 3)},
        {"max_mean_adjustment": -5.0, "unbound_mean": -2.0},
        {"tf_relationships": {0: [yx.And(0, yx.Not(0))], 1: [yx.Or(1, 2)]}, "max_mean_adjustment": 10.0},
        {"tfs": [f"TF {i}" for i in range(10)], "genes": [f"gene {i}" for i in range(300)]},
    ],
    ids=lambda extra: str(extra)[:60],
)
def test_check__extremes_pass(extra: dict[str, object]) -> None:
    table = yx.check(simulate(**extra))
    assert table.failed == [], table


@pytest.fixture(scope="module")
def spec() -> yx.SimulationSpec:
    return injected.make_spec()


def test_errors__are_injected_into_a_dataset_that_passes(spec: yx.SimulationSpec) -> None:
    assert yx.check(spec.simulate()).failed == []


@pytest.mark.medium
@pytest.mark.parametrize("error", injected.ERRORS)
def test_check__injected_error_is_found(error: str, spec: yx.SimulationSpec) -> None:
    inject, name = injected.ERRORS[error]
    table = yx.check(inject(spec))
    assert not table.passed
    assert not table
    assert any(name in failed for failed in table.failed), table


@pytest.mark.parametrize("error", ["one NaN", "one infinity", "one negative p-value"])
def test_check__a_value_out_of_range_fails_nothing_else(error: str, spec: yx.SimulationSpec) -> None:
    inject, name = injected.ERRORS[error]
    assert yx.check(inject(spec)).failed == [name]


def test_check__many_missing_values_do_not_break_it() -> None:
    ds = simulate(**METHODS[4][1])
    holes = np.random.default_rng(1).random(ds["label"].shape) < 0.3
    for name in ("binding_effect", "binding_pvalue", "perturbation_effect", "perturbation_pvalue"):
        ds[name] = ds[name].where(~holes)
    assert {f"{kind} {what}: range" for kind in ("binding", "perturbation") for what in ("effect", "p-value")} <= set(
        yx.check(ds).failed
    )


def test_check__subset_is_no_error() -> None:
    ds = simulate(max_mean_adjustment=10.0, tf_relationships=BOOLEAN_RELATIONS)
    table = yx.check(ds.isel(gene=slice(0, 300), tf=[3, 2]))
    assert table.failed == []
    assert any(row.passed is None and "subset" in row.observed for row in table.rows)
    assert yx.check(ds.isel(tf=[8, 2])).failed == []
    assert yx.check(simulate(replicates=3).isel(replicate=1)).failed == []


SWEPT = {"bound_mean": [3.0, 5.0], "bound_std": [1.0, 2.0]}


@pytest.fixture(scope="module")
def swept() -> xr.Dataset:
    return yx.sweep(simulate(max_mean_adjustment=5.0).yeast.spec, **SWEPT, replicates=2).load()


def test_check_sweep__each_point_is_checked_and_named(swept: xr.Dataset) -> None:
    table = yx.check(swept)
    assert table.passed, table
    for mean, std in product(*SWEPT.values()):
        names = [row.name for row in table.rows if row.name.startswith(f"bound_mean={mean}, bound_std={std}: ")]
        assert any(name.endswith("unbound: s.d. / theory") for name in names)


@pytest.mark.parametrize(
    "select",
    [
        lambda ds: ds.isel(bound_mean=1, bound_std=0),
        lambda ds: ds.sel(bound_mean=3),
        lambda ds: ds.sel(bound_std=[2.0]),
        lambda ds: ds.isel(bound_mean=[1, 0]),
        lambda ds: ds.stack(point=["bound_mean", "bound_std"]),
        lambda ds: ds.isel(bound_mean=1, bound_std=1).transpose("tf", ...),
        lambda ds: ds.sel(bound_mean=5).isel(gene=slice(None, None, -1), replicate=0).chunk({"tf": 3}),
    ],
)
def test_check_sweep__points_are_checked(select: Callable[[xr.Dataset], xr.Dataset], swept: xr.Dataset) -> None:
    table = yx.check(select(swept))
    assert table.passed, table
    assert len(table.rows) > 30
    broken = swept.copy(deep=True)
    broken["perturbation_effect"] *= np.float32(1.2)
    assert yx.check(select(broken)).failed


def test_check_sweep__only_the_wrong_point_fails(swept: xr.Dataset) -> None:
    broken = swept.copy(deep=True)
    broken["perturbation_effect"][1, 0] *= np.float32(1.2)
    failed = yx.check(broken).failed
    assert failed
    assert all(name.startswith("bound_mean=5.0, bound_std=1.0: ") for name in failed)
    assert not yx.check(swept.assign_coords(bound_mean=[5.0, 3.0])).passed


def test_check_sweep__unknown_points(swept: xr.Dataset) -> None:
    point = swept.isel(bound_mean=0, bound_std=0)
    table = yx.check(point.drop_vars("bound_mean"))
    assert table.passed is None
    assert "not compared with theory" in repr(table)
    table = yx.check(point.assign_coords(bound_mean=4.0))
    assert table.failed == ["bound_mean=4.0, bound_std=1.0: theory"]
    one = yx.sweep(simulate().yeast.spec, bound_mean=[4.0]).isel(bound_mean=0, drop=True)
    assert yx.check(one).passed


SELECTIONS: dict[str, Callable[[xr.Dataset], xr.Dataset]] = {
    "all": lambda ds: ds,
    "dask": lambda ds: ds.chunk({"replicate": 1, "gene": 400, "tf": 3}),
    "a point": lambda ds: ds.isel(bound_mean=1, bound_std=0),
    "other order of dims": lambda ds: ds.transpose("tf", "bound_std", "gene", ...),
    "stacked": lambda ds: ds.stack(point=["bound_mean", "bound_std"]),
    "TFs that conditions name are missing": lambda ds: ds.isel(tf=[0, 1]),
    "an unknown point": lambda ds: ds.isel(bound_mean=1, drop=True),
    "no specification": lambda ds: ds.drop_attrs(deep=False),
}


@pytest.mark.parametrize("select", SELECTIONS.values(), ids=SELECTIONS)
def test_check_blocks__a_summary_of_the_same_blocks(select: Callable[[xr.Dataset], xr.Dataset]) -> None:
    spec = simulate(genes=300, max_mean_adjustment=5.0, tf_relationships={0: [9]}).yeast.spec
    ds = select(yx.sweep(spec, **SWEPT, replicates=2).load())
    blocks = BlockSummary(ds)
    xr.testing.assert_identical(check_blocks(ds, visit=blocks.add).to_dataset(), yx.check(ds).to_dataset())
    xr.testing.assert_identical(blocks.finish(), qc.summarize(ds).compute())


def _concatenate() -> xr.Dataset:
    parts = [simulate(bound=[b], n_sample=[2], seed=2).assign_coords(tf=[i, i + 1]) for i, b in [(0, 0.1), (2, 0.4)]]
    return xr.concat(parts, "tf", data_vars="minimal", coords="minimal", compat="override", join="outer")


@pytest.mark.parametrize(
    ("make", "failed"),
    [
        (lambda: simulate().assign_coords(tf=[f"TF{i}" for i in range(10)]), "labels of the dimension 'tf'"),
        (lambda: simulate().assign_coords(gene=np.arange(1, 1001)), "labels of the dimension 'gene'"),
        (
            lambda: simulate(tfs=[f"TF{i}" for i in range(10)]).assign_coords(tf=range(10)),
            "labels of the dimension 'tf'",
        ),
        (_concatenate, "labels of the dimension 'tf'"),
    ],
    ids=["renamed TFs", "renamed genes", "numbered TFs", "concatenated"],
)
def test_check__unknown_labels_fail(make: Callable[[], xr.Dataset], failed: str) -> None:
    table = yx.check(make())
    assert table.failed == [failed]
    assert not table.checked


def test_find_symmetric__beginnings_and_ends() -> None:
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 2, (200, 64), np.uint8)
    pack = lambda bits: np.packbits(bits, axis=1, bitorder="little").view(np.uint64)[:, 0]  # noqa: E731
    assert find_symmetric(pack(bits)).sum() <= 5
    for n in (24, 31, 50, 64):
        for same in (0, 1):
            first = bits.copy()
            first[:, n - n // 2 : n] = first[:, : n // 2][:, ::-1] ^ same
            assert find_symmetric(pack(first)).all()
            assert find_symmetric(pack(first[:, ::-1].copy())).all()


def test_check__more_replicates_than_the_specification_has_fail() -> None:
    ds = simulate(replicates=2)
    longer = xr.concat([ds, ds], "replicate", data_vars="minimal")
    for wrong in (longer, ds.drop_vars("replicate").isel(replicate=[0, 1, 0])):
        table = yx.check(wrong)
        assert table.failed == ["length of the dimension 'replicate'"]
        assert not table.checked
    several = xr.concat([simulate(), simulate()], "replicate", data_vars="all", coords="minimal", compat="override")
    assert yx.check(several).failed == ["length of the dimension 'replicate'"]


def test_check__order_of_labels_does_not_matter() -> None:
    ds = simulate(**METHODS[4][1])
    assert yx.check(ds.isel(gene=slice(None, None, -1), tf=[3, 1, 0, 2, 9, 8, 7, 6, 5, 4])).passed


def test_check__no_specification() -> None:
    table = yx.check(simulate().drop_attrs(deep=True))
    assert table.passed is None
    assert not table
    assert not table.checked
    assert table.summary.endswith("; not compared with theory")
    assert {row.name for row in table.rows if row.passed is None} == {"bound pairs", "theory"}
    assert "2,350 of 10,000" in repr(table)
    broken = simulate().drop_attrs(deep=True)
    broken["binding_pvalue"][0, 0] = 1.5
    assert yx.check(broken).failed == ["binding p-value: range"]


@pytest.mark.parametrize(
    ("change", "name", "observed"),
    [
        (lambda ds: ds.drop_vars("binding_pvalue"), "binding_pvalue: dimensions and dtype", "missing"),
        (lambda ds: ds.assign(label=ds.label.astype("float32")), "label: dimensions and dtype", "dtype float32"),
        (
            lambda ds: ds.assign(binding_effect=ds.binding_effect.astype("float64")),
            "binding_effect: dimensions",
            "float64",
        ),
        (lambda ds: ds.drop_vars("feature"), "dataset: dimensions, labels and features", "no coordinate 'feature'"),
        (lambda ds: ds.assign_coords(gene=[0, 0, *range(2, 1000)]), "dataset: dimensions, labels", "more than once"),
        (lambda ds: ds.rename(tf="factor"), "dataset: dimensions, labels", "no dimension 'tf'"),
        (
            lambda ds: ds.assign(binding_effect=ds.binding_effect.isel(tf=0)),
            "binding_effect: dimensions",
            "no dimension 'tf'",
        ),
    ],
)
def test_check__data_model_not_followed(change: object, name: str, observed: str) -> None:
    table = yx.check(change(simulate()))
    assert not table.passed
    row = next(row for row in table.rows if row.name.startswith(name))
    assert row.passed is False
    assert observed in row.observed
    assert table.rows[-1].passed is None


@pytest.mark.parametrize(("ds", "message"), [(3, "expected an xarray.Dataset")])
def test_check__no_dataset(ds: object, message: str) -> None:
    with pytest.raises(yx.SchemaError, match=message):
        yx.check(ds)


@pytest.mark.parametrize("level", [0, 1, -0.1, "x", None])
def test_check__bad_level(level: object) -> None:
    with pytest.raises(yx.InputError, match="level is"):
        yx.check(simulate(), level=level)


def test_check__leaves_the_dataset_alone() -> None:
    ds = simulate(chunks={"tf": 3})
    before = ds.copy(deep=True)
    yx.check(ds)
    xr.testing.assert_identical(ds, before)
    assert ds["label"].chunks


def test_check__table_shows_itself() -> None:
    broken = simulate()
    broken["label"][3, 4] = ~broken["label"][3, 4]
    table = yx.check(broken)
    assert "FAIL" in repr(table)
    assert f"{len(table.failed)} failed" in repr(table)
    page = table._repr_html_()
    assert "FAIL" in page
    assert "<script>" not in page
    ds = table.to_dataset()
    assert ds.sizes["check"] == len(table.rows)
    assert set(ds["verdict"].values) == {"pass", "FAIL"}
    assert ds["pvalue"].dtype == np.float64
    assert ds.attrs["level"] == 0.001


def test_check__statistics_name_their_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    table = yx.check(simulate())
    rows = {row.name: row for row in table.rows}
    mean, distribution = (rows[f"|perturbation effect|, unbound: {name}"] for name in ("mean", "distribution"))
    assert (mean.kind, distribution.kind, rows["bound genes of each TF"].kind) == ("z", "chi2", "")
    for text in (f"z {mean.statistic:.3g}", f"chi2 {distribution.statistic:.3g}"):
        assert text in repr(table)
        assert text in table._repr_html_()
    ds = table.to_dataset()
    np.testing.assert_array_equal(ds["kind"].values != "", np.isfinite(ds["statistic"].values))


def test_check__a_narrow_terminal_hides_columns_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    table = yx.check(simulate())
    monkeypatch.setenv("COLUMNS", "1000")
    complete = repr(table).splitlines()
    assert complete[0].split() == ["check", "expected", "observed", "statistic", "p-value"]
    for width, left in {
        80: ["check", "observed", "p-value"],
        len(complete[1]) - 1: ["check", "expected", "observed", "p-value"],
    }.items():
        monkeypatch.setenv("COLUMNS", str(width))
        lines = repr(table).splitlines()
        assert max(map(len, lines)) <= width
        assert lines[0].split() == left
        assert [line.split()[-1] for line in lines[2:-1]] == [line.split()[-1] for line in complete[2:-1]]
        assert "widen the terminal to show: " in lines[-1]
    monkeypatch.setenv("COLUMNS", "200")
    assert repr(table).splitlines() == complete


def test_check__text_of_a_file_is_shown_as_text() -> None:
    table = yx.check(simulate().rename(tf="<script>alert(1)</script>"))
    assert "<script>" not in table._repr_html_()


def test_command__exit_status_says_whether_checks_fail(tmp_path: Path) -> None:
    good, bad = simulate(), simulate().copy(deep=True)
    bad["perturbation_effect"] = abs(bad["perturbation_effect"])
    for name, ds, status in [("good", good, 0), ("bad", bad, 1)]:
        store = str(yx.save(ds, tmp_path / f"{name}.zarr"))
        result = CliRunner().invoke(main, ["check", store])
        assert result.exit_code == status, result.output
    assert "FAIL" in result.output
