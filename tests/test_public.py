"""What users meet first: names, types and the cost of an import."""

import ast
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

import yeastxr as yx
from tests.conftest import leave_pictures_out
from tests.pages import ROOT

PACKAGE = ROOT / "yeastxr"
MODULES = sorted(PACKAGE.rglob("*.py"))

# The lines without a mark are correct, and each of the others has one error, whose message names a parameter.
SNIPPET = """\
# mypy: disallow-any-generics, disallow-untyped-calls, warn-return-any
import yeastxr as yx
ds = yx.simulate(genes=5, bound=[0.5], tfs=["GAL4"], n_sample=[1], seed=3, bound_mean=3, chunks={"tf": 1})
yx.sweep(yx.SimulationSpec(genes=["YAL001C"], bound=[0.5]), bound_mean=[3.0, 4], replicates=2)
yx.YeastAccessor(ds).to_torch(features=["label"])
yx.simulate(genes=10, bound=[0.1], n_samples=[2])  # call-arg "n_samples"
yx.simulate(genes=1.5, bound=[0.1])  # arg-type "genes"
yx.simulate(genes=10, bound="0.1")  # arg-type "bound"
yx.simulate(genes=5, bound=[0.5], seed="3")  # arg-type "seed"
yx.SimulationSpec(genes=10, bound=[0.1], n_samples=[2])  # call-arg "n_samples"
yx.SimulationSpec(genes=5, bound=[0.5], bound_mean="3")  # arg-type "bound_mean"
yx.sweep(yx.SimulationSpec(genes=5, bound=[0.5]), bound_mean="3")  # arg-type "bound_mean"
yx.YeastAccessor(ds).to_torch(devices="cpu")  # call-arg "devices"
yx.YeastAccessor(ds).to_torch(layout="diagonal")  # arg-type "layout"
yx.YeastAccessor(ds).batches(batch_size=1.5)  # arg-type "batch_size"
yx.YeastAccessor(ds).save("sim.zarr", overwrit=True)  # call-arg "overwrit"
yx.YeastAccessor(ds).plot.qc(max_points="many")  # arg-type "max_points"
"""

HEAVY = ("torch", "holoviews", "bokeh", "numba", "matplotlib", "distributed", "lightning", "panel", "scipy", "zarr")

# English words that end like participles, and names of public functions.
NO_PARTICIPLES = {"seed", "expected"}
IRREGULAR = re.compile(
    "asked|begun|built|brought|chosen|done|drawn|felt|found|given|gone|grown|held|hidden|kept|known|"
    "laid|led|left|lost|made|meant|met|said|seen|sent|shown|spent|spoilt|taken|thought|told|understood|written"
)


# Settings of mypy with which it reads no other packages, but for their stubs.
QUICK = """\
[mypy]
follow_imports = skip
ignore_missing_imports = True
[mypy-yeastxr.*]
follow_imports = normal
ignore_errors = True
"""


@pytest.mark.parametrize("settings", ["quick", pytest.param("own", marks=pytest.mark.slow)])
def test_types__wrong_parameters_are_found_by_mypy(settings: str, tmp_path: Path) -> None:
    """With the settings of this repository mypy reads torch and xarray, too."""
    snippet = tmp_path / "snippet.py"
    snippet.write_text(SNIPPET)
    command = [sys.executable, "-m", "mypy", str(snippet)]
    if settings == "quick":
        (tmp_path / "mypy.ini").write_text(QUICK)
        command += ["--config-file", str(tmp_path / "mypy.ini"), "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    errors = re.findall(r"snippet\.py:(\d+): error: (.*)  \[(.*)\]$", done.stdout, re.MULTILINE)
    marks = [(i, line.split("  # ")[1].split()) for i, line in enumerate(SNIPPET.splitlines(), 1) if "  # " in line]
    assert [(int(line), code) for line, _, code in errors] == [(i, code) for i, (code, _) in marks], done.stdout
    assert all(name in text for (_, text, _), (_, (_, name)) in zip(errors, marks, strict=True)), done.stdout


def test_wheel__has_types_and_every_module(tmp_path: Path) -> None:
    [wheel] = WheelBuilder(str(ROOT)).build(directory=str(tmp_path))
    names, wheel_size = set(zipfile.ZipFile(wheel).namelist()), Path(wheel).stat().st_size
    assert "yeastxr/py.typed" in names
    assert {f"yeastxr/names/data/{file}" for file in ("genes.tsv", "tfs.tsv", "README.md")} <= names
    assert wheel_size < 1_000_000
    assert {f"yeastxr/{module.relative_to(PACKAGE).as_posix()}" for module in MODULES} <= names


def test_import__loads_nothing_heavy() -> None:
    code = f"import sys, yeastxr; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_import__all_public_names_are_listed() -> None:
    assert set(yx.__all__) <= set(dir(yx))
    assert len(yx.__all__) == len(set(yx.__all__))
    for name in yx.__all__:
        assert getattr(yx, name) is not None
    wanted = {
        "StoreError",
        "StoreExistsError",
        "StoreNotFoundError",
        "InputTypeError",
        "SchemaError",
        "Check",
        "Feature",
    }
    assert wanted | {"analysis", "qc", "theory", "plot"} <= set(yx.__all__)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_import__faces_list_public_names() -> None:
    """Each folder lists its public names before anything of it is loaded."""
    faces = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
    code = f"""
import importlib, os, yeastxr
for name in {faces!r}:
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == 0, name
        continue
    face = importlib.import_module(f"yeastxr.{{name}}")
    os._exit(not face.__all__ or not set(face.__all__) <= set(dir(face)))
"""
    assert {"simulation", "storage", "cli"} < set(faces)
    subprocess.run([sys.executable, "-c", code], check=True)


def identifiers(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield each name that some code gives to a thing, and its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.alias) and node.asname:
            yield node.asname, node.lineno


def test_names__none_is_asked_said_or_told() -> None:
    for module in MODULES:
        for name, line in identifiers(ast.parse(module.read_text(encoding="utf-8"))):
            words = set(name.lower().strip("_").split("_"))
            assert not words & {"asked", "said", "told"}, f"{module.relative_to(ROOT)}:{line}: {name}"


def test_names__functions_are_verbs() -> None:
    """No function is named by a bare past participle; properties may be."""
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and not node.decorator_list:
                name = node.name.strip("_")
                participle = IRREGULAR.fullmatch(name) or (name.endswith("ed") and "_" not in name)
                at = f"{module.relative_to(ROOT)}:{node.lineno}"
                assert not participle or name in NO_PARTICIPLES, f"{at}: {node.name}"


CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
OUTPUTS = {
    "check": lambda ds, folder: repr(ds.yeast.check()),
    "check of other TFs": lambda ds, folder: repr(ds.assign_coords(tf=["x\u202ey", "b", "c"]).yeast.check()),
    "check in a notebook": lambda ds, folder: ds.yeast.check()._repr_html_(),
    "specification": lambda ds, folder: repr(ds.yeast.spec),
    "verification": lambda ds, folder: repr(yx.verify(ds.yeast.save(folder / "sim.zarr"))),
    "report": lambda ds, folder: ds.yeast.report(folder / "qc.html", title="t\u202ex").read_text(encoding="utf-8"),
    "table": lambda ds, folder: ds.yeast.export(folder / "table.csv").read_text(encoding="utf-8"),
    "page": lambda ds, folder: yx.plot.save(ds.yeast.plot.qc(), folder / "qc.html").read_text(encoding="utf-8"),
    "picture": lambda ds, folder: yx.plot.save(ds.yeast.plot.cobinding(), folder / "x.svg").read_text(encoding="utf-8"),
}


@pytest.mark.parametrize("output", OUTPUTS)
def test_names__control_no_output(output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if output == "report":  # its pictures are those of the page
        leave_pictures_out(monkeypatch)
    tfs = ["a\u202eb", "\x1b[2Jc", "\u2066d"]
    genes = ["g\u202e1", "g\x07", *(f"g{i}" for i in range(30))]
    rules = {tfs[0]: [tfs[1]]}
    ds = yx.simulate(genes=genes, bound=[0.5], n_sample=[3], tfs=tfs, tf_relationships=rules, seed=1)
    ds = ds.assign_attrs(**{"note\u202e": "x\u202ey"})
    assert not CONTROLS.search(OUTPUTS[output](ds, tmp_path))
