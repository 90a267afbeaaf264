"""Commands that make something of stores: what they write and print, and how they refuse."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

import yeastxr as yx
from tests.cli.common import run
from tests.conftest import read_files


def test_check__passes_and_fails(store: Path, tmp_path: Path) -> None:
    result = run("check", store)
    assert result.exit_code == 0
    assert "0 failed" in result.output
    ds = yx.open(store)
    yx.save(ds.assign(perturbation_effect=abs(ds.perturbation_effect)), tmp_path / "bad.zarr")
    result = run("check", tmp_path / "bad.zarr")
    assert result.exit_code == 1
    assert "FAIL" in result.output


def test_export__tensor(store: Path, tmp_path: Path) -> None:
    assert run("export", store, tmp_path / "tensor.pt").exit_code == 0
    tensor = torch.load(tmp_path / "tensor.pt", weights_only=True)
    assert torch.equal(tensor, yx.open(store).yeast.to_torch())


def test_export__features(store: Path, tmp_path: Path) -> None:
    run("export", store, tmp_path / "two.pt", "--features", "binding_effect,label")
    tensor = torch.load(tmp_path / "two.pt", weights_only=True)
    assert torch.equal(tensor, yx.open(store).yeast.to_torch()[..., [1, 0]])
    result = run("export", store, tmp_path / "other.pt", "--features", "bindng_effect")
    assert result.exit_code == 2
    assert "did you mean 'binding_effect'" in result.output
    assert not (tmp_path / "other.pt").exists()


def test_export__refused(store: Path, tmp_path: Path) -> None:
    result = run("export", store, tmp_path / "out.xyz")
    assert result.exit_code == 2
    assert ".pt" in result.output
    (tmp_path / "tensor.pt").write_text("mine")
    assert run("export", store, tmp_path / "tensor.pt").exit_code == 2
    assert (tmp_path / "tensor.pt").read_text() == "mine"


def test_demo__leaves_its_files(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "qc.html").write_text("mine")
    result = run("demo", tmp_path / "demo")
    assert result.exit_code == 2
    assert "which already contains qc.html; choose another path or pass --overwrite" in result.output
    assert [path.read_text() for path in (tmp_path / "demo").iterdir()] == ["mine"]
    result = run("demo", tmp_path / "demo", "--overwrite")
    assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "demo").iterdir()} == {"sim.zarr", "tensor.pt", "qc.html", "qc.png"}
    assert torch.load(tmp_path / "demo" / "tensor.pt", weights_only=True).shape == (1000, 10, 5)
    assert "Step 4" in result.output
    assert "0 failed" in result.output
    assert (tmp_path / "demo" / "qc.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("method", ["rank-response", "dual-threshold", "curves"])
def test_analyze__table_is_that_of_the_function(method: str, store: Path, tmp_path: Path) -> None:
    import pandas as pd

    ds = yx.open(store)
    out = tmp_path / "new" / "out.csv"
    options = ["--permutations", 20, "--seed", 3] if method == "dual-threshold" else []
    result = run("analyze", store, "--method", method, "-o", out, *options)
    assert result.exit_code == 0, result.output
    assert f"5 TFs by {method}" in result.output
    if method == "rank-response":
        expected = yx.analysis.rank_response(ds).compute()
    elif method == "dual-threshold":
        expected = yx.analysis.dual_threshold(ds, permutations=20, seed=3).compute()
        assert "  seed: 3\n" in result.output
    else:
        expected = yx.analysis.curves(ds).drop_dims(["fpr", "recall"]).compute()
        assert f"  pooled_auroc: {expected.pooled_auroc.item():.4g}\n" in result.output
        expected = expected.drop_vars([name for name in expected if expected[name].ndim == 0])
    dims = ["tf", "rank"] if method == "rank-response" else ["tf"]
    table = pd.read_csv(out, index_col=dims)
    frame = expected.reset_coords(drop=True).to_dataframe(dim_order=dims)
    pd.testing.assert_frame_equal(table[frame.columns], frame, check_dtype=False, rtol=1e-12)
    again = run("analyze", store, "--method", method, "-o", out)
    assert again.exit_code == 2
    assert "which already exists; choose another path or pass --overwrite" in again.output
    assert run("analyze", store, "--method", method, "-o", out, "--overwrite", *options).exit_code == 0


def test_analyze__points_of_curves(store: Path, tmp_path: Path) -> None:
    import pandas as pd

    ds = yx.open(store)
    out = tmp_path / "points.csv.gz"
    result = run("analyze", store, "--method", "curves", "--score", "perturbation_magnitude", "--points", 7, "-o", out)
    assert result.exit_code == 0, result.output
    table = pd.read_csv(out)
    assert table.columns.tolist() == ["tf", "fpr", "tpr", "threshold", "precision"]
    assert len(table) == 5 * 7
    curves = yx.analysis.curves(ds, score="perturbation_magnitude", points=7).compute()
    assert f"  pooled_auroc: {curves.pooled_auroc.item():.4g}\n" in result.output
    for i, tf in enumerate(ds.tf.values):
        own = table[table.tf == tf]
        np.testing.assert_allclose(own.fpr, curves.fpr)
        np.testing.assert_allclose(own.tpr, curves.tpr[i])
        np.testing.assert_allclose(own.threshold, curves.threshold[i])
        label, score = ds.label.values[:, i], abs(ds.perturbation_effect.values[:, i])
        assert own.precision.iloc[-1] == pytest.approx(label.mean())
        for row in own[np.isfinite(own.threshold)].itertuples():  # scores do not tie
            called = score >= row.threshold
            assert (called & ~label).sum() <= row.fpr * (~label).sum() + 1e-9
        n_true, n_false = label.sum(), (~label).sum()
        expected = own.tpr * n_true / (own.tpr * n_true + own.fpr * n_false)
        np.testing.assert_allclose(own.precision, expected)


def test_analyze__refuses(store: Path, tmp_path: Path) -> None:
    for arguments, message in (
        (("--method", "curves", "-o", tmp_path / "x.txt"), "expected a path that ends in .csv or .csv.gz"),
        (("--method", "curves", "-o", tmp_path / "x.csv", "--score", "label"), "score is 'label'"),
        (("--method", "lasso", "-o", tmp_path / "x.csv"), "'lasso' is not one of"),
        (("--method", "rank-response", "-o", tmp_path / "x.csv", "--bins", 0), "bins is 0"),
        (("--method", "curves", "-o", tmp_path / "x.csv", "--points", 1), "points is 1; expected an integer from 2"),
        (
            ("--method", "dual-threshold", "-o", tmp_path / "x.csv", "--points", 9),
            "--points applies to --method curves",
        ),
        (
            ("--method", "curves", "-o", tmp_path / "x.csv", "--bins", 7),
            "--bins applies to --method rank-response, not to curves",
        ),
        (
            ("--method", "curves", "-o", tmp_path / "x.csv", "--binding", "binding_pvalue"),
            "--binding applies to --method rank-response and dual-threshold",
        ),
    ):
        result = run("analyze", store, *arguments)
        assert (result.exit_code, message in result.output) == (2, True), result.output
    assert not list(tmp_path.glob("x.*"))


def test_split__table_and_store_are_those_of_the_function(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pandas as pd

    monkeypatch.chdir(tmp_path)
    before = read_files(store)
    ds = yx.open(store)
    result = run("split", store, "--train", 0.7, "--val", 0.1, "--seed", 1, "--stratify")
    assert result.exit_code == 0, result.output
    assert result.output == "sim-split.csv: 140 train, 20 val, 40 test of 200 along gene, seed 1\n"
    expected = yx.split(ds, 0.7, 0.1, seed=1, stratify=True)
    table = pd.read_csv("sim-split.csv")
    assert table.columns.tolist() == ["gene", "split"]
    assert table.gene.tolist() == ds.gene.values.tolist()
    assert table.split.tolist() == list(expected.split.values)
    out = tmp_path / "split.zarr"
    words = ["split", store, out, "--by", "tf", "--train", 0.4, "--test", 0.6]
    result = run(*words)
    assert result.exit_code == 0, result.output
    seed = int(result.output.rsplit("seed ", 1)[1])  # drawn, and shown
    xr.testing.assert_identical(yx.open(out).compute(), yx.split(ds, 0.4, test=0.6, by="tf", seed=seed).compute())
    assert run(*words, "--seed", seed).exit_code == 2  # it is there
    assert run(*words, "--seed", seed + 1, "--overwrite", "--quiet").output == ""
    assert read_files(store) == before


def test_split__chunks_are_those_of_the_new_store(store: Path, tmp_path: Path) -> None:
    assert run("split", store, tmp_path / "x.zarr", "--seed", 1, "--chunks", "tf=2,gene=100").exit_code == 0
    assert yx.open(tmp_path / "x.zarr").label.chunks == ((100, 100), (2, 2, 1))
    result = run("split", store, tmp_path / "x.csv", "--chunks", "tf=2")
    assert result.exit_code == 2
    assert "--chunks applies only to stores" in result.output


def test_split__interrupted_goes_on(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "split.zarr"
    with monkeypatch.context() as patch:
        patch.setattr("yeastxr.storage.store.finish", stop)
        ended = run("split", store, out)
    assert ended.exit_code == 1
    [seed] = re.findall(r"interrupted; rerun with --seed (\d+) to resume", ended.output)
    assert run("split", store, out, "--seed", seed).exit_code == 0
    assert yx.open(out).sizes["gene"] == 200


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["x.txt"], "OUT is 'x.txt'; expected a path that ends in .csv, .csv.gz or .zarr"),
        (["sim.zarr", "--overwrite"], "OUT is 'sim.zarr', the store itself; choose another path"),
        (["there.csv"], "which already exists; choose another path or pass --overwrite"),
        (["x.csv", "--train", "2"], "train is 2.0; expected a number from 0 to 1"),
        (["x.csv", "--train", "0.5"], "train=0.5 sum to 0.5, and val and test are not given"),
        (["x.csv", "--by", "genes"], "by is 'genes', which is not a dimension of the dataset; did you mean 'gene'?"),
        (["x.csv", "--by", "tf"], "test is 0.1 of 5 along 'tf', less than one"),
        (["x.csv", "--seed", "-1"], "seed is -1; expected an integer"),
        (["x.zarr", "--seed", "x"], "'x' is not a valid integer"),
    ],
    ids=str,
)
def test_split__bad_input(
    words: list[str], message: str, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.csv").write_text("mine")
    before = read_files(tmp_path)
    result = run("split", "sim.zarr", *words)
    assert result.exit_code == 2
    assert message in result.output, result.output
    assert read_files(tmp_path) == before


@pytest.mark.parametrize("command", ["check", "export", "analyze"])
def test_commands__read_in_other_chunks(command: str, store: Path, tmp_path: Path) -> None:
    """The result does not depend on how much is read at a time."""
    outs = []
    for chunks in ("stored", "tf=2", "auto"):
        out = tmp_path / chunks / "out.csv"
        out.parent.mkdir()
        more = {"check": [], "export": [out]}
        words = more.get(command, ["--method", "curves", "-o", out])
        result = run(command, store, *words, "--chunks", chunks)
        assert result.exit_code == 0, result.output
        outs.append(result.output if command == "check" else out.read_text() if out.exists() else "")
    assert outs[0] == outs[1] == outs[2]
