"""The suite on every Python that yeastxr claims, and with the oldest packages that it allows.

``nox -s tests`` runs it on each Python that is installed; ``nox -s oldest`` runs it with the lower bounds of
``pyproject.toml``.
"""

import re
import tomllib
from pathlib import Path

import nox

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
CONSTRAINTS = Path(".ci/constraints.txt")

nox.options.sessions = ["tests"]
nox.options.error_on_missing_interpreters = False


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the suite."""
    session.install("-c", str(CONSTRAINTS), "-e", ".[test]")
    session.run("yeastxr", "doctor")
    session.run("python", "-m", "pytest", "-n", "2", "--dist", "worksteal", *session.posargs)


@nox.session(python=PYTHONS[0])
def oldest(session: nox.Session) -> None:
    """Run the suite with the lowest version of each dependency that ``pyproject.toml`` allows."""
    bounds = Path(session.create_tmp()) / "oldest.txt"
    bounds.write_text("\n".join(list_lower_bounds()) + "\n")
    session.install("-c", str(bounds), "-e", ".[test]")
    session.run("yeastxr", "doctor")
    # Old packages use what newer ones, which they depend on, have deprecated.
    kinds = ("DeprecationWarning", "PendingDeprecationWarning", "FutureWarning")
    ignored = [f"-Wignore::{kind}" for kind in kinds]
    session.run("python", "-m", "pytest", "-n", "2", "--dist", "worksteal", *ignored, *session.posargs)


def list_lower_bounds() -> list[str]:
    """Return ``name==version`` for the lower bound of each dependency; torch is the one at hand."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    texts = project["dependencies"] + [text for name in extras for text in extras[name] if name not in ("docs", "lint")]
    bounds: dict[str, str] = {}
    for text in texts:
        match = re.fullmatch(r"([\w.-]+)(?:\[\w+\])?>=([\d.]+)", text)
        if match:
            bounds[match[1]] = max(match[2], bounds.get(match[1], "0"), key=lambda v: [int(n) for n in v.split(".")])
    bounds["torch"] = CONSTRAINTS.read_text(encoding="utf-8").strip().rpartition("==")[2]
    return [f"{name}=={version}" + ("" if version.count(".") > 1 else ".*") for name, version in bounds.items()]
