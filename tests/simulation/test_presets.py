"""Presets: what they hold, what takes precedence, and that datasets remember values."""

import json
import pickle
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import xarray as xr
from click.testing import CliRunner, Result

import yeastxr as yx
from tests.conftest import TUTORIAL
from yeastxr.cli import main

MODULE = import_module("yeastxr.simulation.presets")  # the function of that name hides it
SMALL: dict[str, Any] = {"genes": 60, "n_sample": [3], "seed": 1}


def run(*args: object) -> Result:
    return CliRunner().invoke(main, [*map(str, args)])


def test_presets__hold_known_parameters_with_sources() -> None:
    names = {field.name for field in fields(yx.SimulationSpec)}
    assert list(yx.presets()) == ["tutorial", "yeast"]
    for name, preset in yx.presets().items():
        assert preset.name == name
        assert set(preset.parameters) == set(preset.sources) <= names
        spec = yx.SimulationSpec.from_preset(name, seed=1)
        assert yx.SimulationSpec(**preset.parameters, seed=1) == spec == yx.SimulationSpec.from_dict(spec.to_dict())
        assert pickle.loads(pickle.dumps(preset)) == preset
        with pytest.raises(TypeError):
            preset.parameters["genes"] = 5  # type: ignore[index]


def test_presets__show_each_number_with_its_source() -> None:
    listed, yeast = repr(yx.presets()), yx.presets()["yeast"]
    assert all(name in listed for name in yx.presets())
    for text in (repr(yeast), yeast._repr_html_(), yx.presets()._repr_html_()):
        for name in yeast.parameters:
            assert name in text
        assert "Kang et al. 2020" in " ".join(text.split())
    assert max(map(len, repr(yeast).splitlines())) < 120


def test_simulate__tutorial_preset_is_the_tutorial() -> None:
    assert yx.simulate(preset="tutorial", max_mean_adjustment=10.0, seed=42).identical(yx.simulate(**TUTORIAL))


@pytest.mark.parametrize("chunks", [None, {"tf": 2}])
def test_simulate__what_is_given_replaces_the_preset(chunks: Any) -> None:
    ds = yx.simulate(preset="yeast", **SMALL, bound_mean=4.0, promoter_dispersion=0.0, chunks=chunks)
    parameters = {**yx.presets()["yeast"].parameters, **SMALL, "bound_mean": 4.0, "promoter_dispersion": 0.0}
    xr.testing.assert_identical(ds, yx.simulate(**parameters))
    assert ds.yeast.spec == yx.SimulationSpec.from_preset(
        "yeast", **SMALL, bound_mean=4.0, promoter_dispersion=0.0
    )  # 0.0, the default, is given
    assert yx.simulate(60, preset="yeast", n_sample=[3], seed=1).identical(yx.simulate(preset="yeast", **SMALL))


def test_simulate__numbers_of_tfs_go_with_fractions_and_names() -> None:
    def count(**given: Any) -> tuple[int, ...]:
        spec: Any = yx.SimulationSpec.from_preset("yeast", genes=50, seed=1, **given)
        return spec.n_sample

    assert count() == yx.presets()["yeast"].parameters["n_sample"]
    assert count(tfs=["GAL4", "MIG1"]) == (2,)
    assert count(bound=[0.1, 0.2]) == count(bound={"GAL4": 0.1, "MIG1": 0.2}) == (1, 1)
    assert count(bound=[0.1, 0.2], n_sample=4) == (4, 4)
    assert yx.SimulationSpec.from_preset("tutorial", bound=0.5, seed=1).n_sample == (1,)


def test_simulate__another_distribution_leaves_out_the_parameters_of_the_preset() -> None:
    spec = yx.SimulationSpec.from_preset("yeast", **SMALL, hop_distribution="uniform", pvalues="tutorial")
    assert spec.background_hops_mean is None
    assert spec.promoter_dispersion == 0
    assert spec.responsive_fraction == 0.04


def test_attributes__hold_values_so_a_changed_preset_changes_no_dataset(monkeypatch: pytest.MonkeyPatch) -> None:
    ds = yx.simulate(preset="yeast", **SMALL)
    assert "preset" not in json.loads(ds.attrs["specification"])
    changed = yx.Preset("yeast", "Changed.", {"genes": 7, "bound": (0.5,), "n_sample": (1,)}, {})
    monkeypatch.setattr(MODULE, "_PRESETS", MODULE.Presets(changed))
    assert yx.simulate(preset="yeast", seed=1).sizes["gene"] == 7
    assert ds.yeast.spec.simulate().identical(ds)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"preset": "yest"}, "did you mean 'yeast'"),
        ({"preset": 3}, "expected a name"),
        ({"preset": "yeast", "gene": 5}, "'gene' is not a parameter of a simulation; did you mean 'genes'"),
        ({"presets": "yeast"}, "did you mean 'preset'"),
        ({"preset": "yeast", "tfs": 3}, "tfs is 3"),
        ({"preset": "yeast", "genes": None}, "genes is None"),
        ({"preset": "yeast", "background_hops_range": (1, 2)}, "can't be used with"),
        ({}, "genes is missing; expected a number or names, or a preset"),
        ({"genes": 5, "preset": None}, "bound is missing; expected fractions from 0 to 1, or a preset"),
    ],
)
def test_bad_input__is_refused_in_one_sentence(values: dict[str, Any], expected: str) -> None:
    for make in (lambda: yx.simulate(**values), lambda: yx.SimulationSpec.from_dict(values)):
        with pytest.raises(yx.InputError, match=expected):
            make()


def test_command__options_then_file_then_preset(tmp_path: Path) -> None:
    out, file = tmp_path / "sim.zarr", tmp_path / "spec.yaml"
    file.write_text("preset: yeast\ngenes: 60\nn_sample: [3]\nbound_mean: 4.0\nseed: 1\n")
    expected = yx.SimulationSpec.from_preset("yeast", genes=70, n_sample=[3], bound_mean=4.0, seed=1)
    for arguments in (
        ["--spec", file, "--genes", 70],
        ["--preset", "yeast", "--genes", 70, "--n-sample", 3, "--bound-mean", 4, "--seed", 1],
    ):
        done = run("simulate", out, *arguments, "--overwrite")
        assert done.exit_code == 0, done.output
        assert yx.open(out).yeast.spec == expected
    tutorial = run("simulate", out, "--spec", file, "--preset", "tutorial", "--n-sample", "1,1,1,1,1", "--overwrite")
    assert tutorial.exit_code == 0, tutorial.output
    assert yx.open(out).yeast.spec.bound == (0.1, 0.15, 0.2, 0.25, 0.3)
    refused = run("simulate", tmp_path / "other.zarr", "--preset", "yeats")
    assert refused.exit_code == 2
    assert "did you mean 'yeast'?" in refused.output
    assert not (tmp_path / "other.zarr").exists()
