"""A store that commands work on."""

from pathlib import Path

import pytest

from tests.cli.common import SIMULATE, run


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A small simulation, saved."""
    assert run("simulate", tmp_path / "sim.zarr", *SIMULATE).exit_code == 0
    return tmp_path / "sim.zarr"
