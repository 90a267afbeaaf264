"""What tests of stores share: simulations that are saved once and copied."""

from pathlib import Path

import yeastxr as yx
from tests.conftest import read_files

_SAVED: dict[str, dict[str, bytes]] = {}


def save_simulation(path: Path, **parameters: object) -> Path:
    """Save a simulation, or write the files of an earlier call with these parameters, in a fraction of the time."""
    key = repr(sorted(parameters.items()))
    if key not in _SAVED:
        yx.save(yx.simulate(**parameters), path)
        _SAVED[key] = read_files(path)
        return path
    for name, data in _SAVED[key].items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return path
