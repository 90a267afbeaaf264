"""Datasets of the explorer's tests, and its server as a process of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import xarray as xr

import yeastxr as yx

MARKUP = "<img src=x onerror=document.hacked=1>"
TFS = ["GAL4", "MIG1", "GCN4", "RAP1", MARKUP, "$x^2$"]


def simulate(**changes: object) -> xr.Dataset:
    """Return a small simulation with relations and odd names."""
    values = {
        "genes": 300,
        "bound": [0.1, 0.3],
        "n_sample": [3, 3],
        "tfs": TFS,
        "seed": 42,
        "max_mean_adjustment": 10.0,
        "tf_relationships": {"GAL4": [yx.Or("MIG1", yx.Not("GCN4"))]},
    }
    return yx.simulate(**values | changes)


@contextmanager
def serve(store: Path, *options: str) -> Iterator[tuple[str, int, list[str]]]:
    """Serve a store by the command, and yield its URL, the process's id and the lines that it has printed."""
    command = [sys.executable, "-u", "-m", "yeastxr.cli", "explore", str(store), "--no-browser", *options]
    environment = os.environ | {"PYTHONWARNINGS": "ignore"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as server:
        assert server.stdout is not None
        lines: list[str] = []
        url = None
        for line in server.stdout:
            lines.append(line)
            url = re.search(r"http://\S+", line)
            if url is not None:
                break
        assert url is not None, "".join(lines)
        try:
            yield url[0].rstrip(";"), server.pid, lines
        finally:
            server.terminate()
            server.communicate(timeout=20)
