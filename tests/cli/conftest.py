"""A store and tables that commands work on."""

from pathlib import Path

import pytest

from tests.cli.common import SIMULATE, run


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A small simulation, saved; beside it tables of measured data."""
    (tmp_path / "binding.csv").write_text("gene,tf,callingcards_enrichment,poisson_pval\nYAL001C,GAL4,2.5,0.01\n")
    (tmp_path / "perturbation.csv").write_text("gene,tf,log2fc,pvalue\nYAL001C,GAL4,-1.5,0.001\n")
    assert run("simulate", tmp_path / "sim.zarr", *SIMULATE).exit_code == 0
    return tmp_path / "sim.zarr"
