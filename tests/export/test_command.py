"""``yeastxr export``: its options are those of the function."""

from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

import yeastxr as yx
from tests.conftest import read_files
from tests.export.common import simulate_measured
from yeastxr.cli import main


def test_command__options_are_those_of_the_function(tmp_path: Path) -> None:
    ds = simulate_measured()
    store = yx.save(ds.drop_vars("split"), tmp_path / "sim.zarr")
    done = []
    for options in (
        ["a/sim.parquet", "--card", "--features", "label,binding_effect"],
        ["a/wide", "--layout", "wide", "--columns", "field"],
        ["a/ranks", "--layout", "ranks", "--header", "--no-progress"],
    ):
        result = CliRunner().invoke(main, ["export", str(store), str(tmp_path / options[0]), *options[1:]])
        assert result.exit_code == 0, result.output
        done.append(result.output)
    assert "18 files" in done[1]
    yx.export(ds, tmp_path / "b/sim.parquet", card=True, features=["label", "binding_effect"])
    yx.export(ds, tmp_path / "b/wide", layout="wide", columns="field")
    yx.export(ds, tmp_path / "b/ranks", layout="ranks", header=True)
    ours, expected = read_files(tmp_path / "a"), read_files(tmp_path / "b")
    table = pd.read_parquet(tmp_path / "a/sim.parquet")
    pd.testing.assert_frame_equal(table, pd.read_parquet(tmp_path / "b/sim.parquet"))
    del ours["sim.parquet"], expected["sim.parquet"]  # the attributes of a store differ
    assert ours == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["out", "--layout", "tall"], "unknown value 'tall'; expected one of 'long', 'wide', 'ranks'"),
        (["out.npz", "--card"], "card is True; expected a long table"),
        (["out.parquet", "--features", "bindng_effect"], "did you mean 'binding_effect'"),
    ],
)
def test_command__refuses_in_one_sentence(tmp_path: Path, options: list[str], message: str) -> None:
    store = yx.save(simulate_measured(), tmp_path / "sim.zarr")
    result = CliRunner().invoke(main, ["export", str(store), str(tmp_path / options[0]), *options[1:]])
    assert result.exit_code == 2
    assert message in result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sim.zarr"]
