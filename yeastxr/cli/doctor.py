"""The command doctor: the environment of yeastxr, and problems with it."""

import json
import os
import platform
import re
import sys
import tempfile
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import click

from yeastxr._utils import count_threads
from yeastxr._version import __version__
from yeastxr.cli.group import echo
from yeastxr.errors import describe_error

_TOOLS = ("bench", "docs", "lint", "test")  # extras for developers


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Show versions, threads, the cache of compiled kernels, the GPU, and missing or old packages.

    The exit status is 1 if a required package is missing or too old. Include the output in bug reports.
    """
    packages = list_packages()
    facts = {
        "yeastxr": __version__,
        "Python": f"{platform.python_version()} ({sys.executable})",
        "platform": platform.platform(),
        "threads": _describe_threads(),
        "kernel cache": _describe_cache(),
        "GPU": _describe_gpu(),
    }
    wrong = [package for package in packages if package["problem"] and not package["extra"]]
    if as_json:
        echo(json.dumps({"facts": facts, "packages": packages, "ok": not wrong}, indent=2))
    else:
        width = max(map(len, (*facts, *(package["name"] for package in packages))))
        for name, fact in facts.items():
            echo(f"{name:<{width}}  {fact}")
        for extra in dict.fromkeys(package["extra"] for package in packages):
            echo(f"\n{f'Extra {extra}' if extra else 'Required'}")
            for package in packages:
                if package["extra"] == extra:
                    echo(f"{package['name']:<{width}}  {package['version'] or 'missing'}{_describe_problem(package)}")
        echo(
            "\n"
            + (
                f"{len(wrong)} required packages are missing or old."
                if wrong
                else "All required packages are installed."
            )
        )
    if wrong:
        ctx.exit(1)


def list_packages() -> list[dict[str, str]]:
    """Return the dependencies of yeastxr: their versions, the extras that install them, and problems with them."""
    from packaging.requirements import Requirement

    packages = []
    for text in metadata.requires("yeastxr") or []:
        requirement = Requirement(text)
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", str(requirement.marker or ""))
        if requirement.name == "yeastxr" or (extra and extra[1] in _TOOLS):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            version = ""
        is_good = version and requirement.specifier.contains(version, prereleases=True)
        problem = "" if is_good else f"needs {requirement.specifier}" if version else "missing"
        packages.append(
            {"name": requirement.name, "version": version, "extra": extra[1] if extra else "", "problem": problem}
        )
    return sorted(packages, key=lambda package: (package["extra"], package["name"]))


def _describe_problem(package: dict[str, str]) -> str:
    if not package["problem"]:
        return ""
    extra = f"[{package['extra']}]" if package["extra"] else ""
    what = "" if package["problem"] == "missing" else f"; {package['problem']}"
    return f"{what}: pip install 'yeastxr{extra}'"


def _describe_threads() -> str:
    setting = os.environ.get("YEASTXR_THREADS")
    try:
        threads = f"{count_threads()}"
    except ValueError as error:
        return describe_error(error)
    return threads + (f" (YEASTXR_THREADS={setting})" if setting else f" of {os.cpu_count()} cores")


def _describe_cache() -> str:
    """Return the folder of compiled kernels, or why numba can't write to it."""
    folder = os.environ.get("NUMBA_CACHE_DIR") or Path(__file__).resolve().parents[1] / "simulation" / "__pycache__"
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return f"{folder}"
    except OSError as error:
        where = "NUMBA_CACHE_DIR" if "NUMBA_CACHE_DIR" in os.environ else "the package's folder"
        return f"{where} is not writable ({error.strerror}); numba falls back to the user's cache folder"


def _describe_gpu() -> str:
    if find_spec("torch") is None:
        return "unknown: torch is not installed"
    import torch

    if not torch.cuda.is_available():
        return f"none that torch {torch.__version__} can use"
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return f"{', '.join(names)} (torch {torch.__version__}, CUDA {torch.version.cuda})"
