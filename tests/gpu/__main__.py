"""Make an archive that runs the GPU's tests and benchmarks on a machine that has Python and torch, but no network.

The archive holds wheels of the package and of all it needs but torch, the tests, and a script (docs/contributing.md).
"""

import argparse
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
FILES = ["pyproject.toml", "README.md", "tests", "docs/benchmarks.md"]
TOOLS = ["hypothesis", "pytest"]
PLATFORMS = ["manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux2014_x86_64"]


def list_requirements() -> list[str]:
    """Return what the package needs but torch, which the machine has in the build for its GPU."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [text for text in project["dependencies"] if Requirement(text).name != "torch"]


def make_bundle(archive: Path, python: str) -> None:
    """Write the archive for a version of Python."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "yeastxr-gpu"
        wheels = bundle / "wheels"
        wheels.mkdir(parents=True)
        target = ["--only-binary=:all:", "--python-version", python, "--implementation", "cp"]
        target += [word for platform in PLATFORMS for word in ("--platform", platform)]
        subprocess.run([*pip, "download", "-q", "-d", wheels, *target, *list_requirements(), *TOOLS], check=True)
        subprocess.run([*pip, "wheel", "-q", "--no-deps", "-w", wheels, ROOT], check=True)
        for name in FILES:
            source, copy = ROOT / name, bundle / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, copy, ignore=ignore) if source.is_dir() else shutil.copy(source, copy)
        shutil.copy(Path(__file__).with_name("run.sh"), bundle)
        archive.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive, "w") as file:  # wheels are compressed already
            file.add(bundle, bundle.name)
    print(f"{archive}: {archive.stat().st_size / 1e6:.0f} MB; unpack it there, and run yeastxr-gpu/run.sh")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default="3.12", help="the machine's version of Python")
    parser.add_argument("archive", type=Path, nargs="?", default=ROOT / "dist" / "yeastxr-gpu.tar")
    options = parser.parse_args()
    make_bundle(options.archive, options.python)
