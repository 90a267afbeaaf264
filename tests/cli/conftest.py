"""A store that commands work on."""

from pathlib import Path

import pytest

from tests.conftest import save_simulation


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A small simulation, saved: that of SIMULATE."""
    return save_simulation(tmp_path / "sim.zarr", genes=200, bound=[0.1, 0.2], n_sample=[2, 3], seed=42)
