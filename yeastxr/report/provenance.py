"""Code that regenerates a dataset: readable parameters, a shell command and Python code."""

import json
import shlex
from collections.abc import Hashable, Mapping
from dataclasses import fields
from typing import Any

import xarray as xr

from yeastxr._validate import to_python
from yeastxr.errors import format_value
from yeastxr.schema import CORE_DIMS, TF
from yeastxr.simulation.simulate import SimulationSpec, matches_spec
from yeastxr.simulation.sweeps import Sweep, read_sweep
from yeastxr.theory.features import adjusted_probability, find_spec

SPEC_FILE = "spec.json"
_MOST_LETTERS = 400  # largest length of a command with options
_MOST_CONDITIONS = 200


def find_source(ds: xr.Dataset) -> tuple[SimulationSpec | None, Sweep | None]:
    """Return the specification of a dataset, or its sweep with the one that points have in common; None for neither."""
    spec = find_spec(ds)
    sweep = read_sweep(ds) if spec is None else None
    return (spec if sweep is None else sweep.spec), sweep


def list_parameters(spec: SimulationSpec, sweep: Sweep | None = None) -> dict[str, str]:
    """Return the parameters of a specification as text, without relations, and of a sweep which are swept.

    Long lists are shortened.
    """
    swept: dict[str, str] = {}
    if sweep is not None:
        for dim, changes in sweep.changes.items():
            swept |= {name: f"set by {dim}" for change in changes for name in change}
            swept[dim] = f"swept over {format_value(list(sweep.labels[dim]))}"
    own = {
        name: _format_parameter(value)
        for name, value in spec.to_dict().items()
        if value is not None and name != "tf_relationships"
    }
    return own | swept


def _format_parameter(value: Any) -> str:
    if not isinstance(value, list):
        return str(value)
    text = ", ".join(map(str, value[:20]))
    return f"{text}, … ({len(value):,} in total)" if len(value) > 20 else text


def list_conditions(spec: SimulationSpec, sweep: Sweep | None = None) -> tuple[list[tuple[Hashable, str, str]], int]:
    """Return the conditions of TFs, at most the first ones, and the number of TFs with conditions; none if swept.

    A row is a TF, its conditions in Python syntax, such as ``1, Or(1, Not(2))``, and the probability that they hold.
    """
    if sweep is not None and "tf_relationships" in sweep.parameters:
        return [], 0
    conditions = [(tf, entries) for tf, entries in (spec.tf_relationships or {}).items() if entries]
    if not conditions:
        return [], 0
    chances = adjusted_probability(spec)
    rows = [
        (
            tf,
            format_value(list(entries), 400).removeprefix("[").removesuffix("]"),
            f"{float(chances.sel({TF: tf})):.4g}",
        )
        for tf, entries in conditions[:_MOST_CONDITIONS]
    ]
    return rows, len(conditions)


def make_command(spec: SimulationSpec, out: str = "again.zarr") -> tuple[str, str | None]:
    """Return the shell command that regenerates a simulation, and the text of its file, if it reads one.

    Examples
    --------
    >>> import yeastxr as yx
    >>> make_command(yx.SimulationSpec(genes=100, bound=[0.1, 0.2], n_sample=[3, 4], seed=42))
    ('yeastxr simulate again.zarr --genes 100 --bound 0.1,0.2 --n-sample 3,4 --seed 42', None)
    """
    defaults = {field.name: field.default for field in fields(SimulationSpec)}
    words: list[str] = []
    for name, value in spec.to_dict().items():
        default = defaults[name]
        default = list(default) if isinstance(default, tuple) else default
        if value is None or (name not in ("n_sample", "seed") and value == default):
            continue
        option = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        words += [f"--{name.replace('_', '-')}", option]
    line = shlex.join(["yeastxr", "simulate", out, *words])
    lists = [value for value in (spec.genes, spec.tfs) if not isinstance(value, int | None)]
    needs_file = any(all(map(_is_number, names)) or any(map(_needs_quotes, names)) for names in lists)
    if spec.tf_relationships is None and len(line) <= _MOST_LETTERS and not needs_file:
        return line, None
    text = json.dumps(spec.to_dict(), ensure_ascii=False)
    visible = "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in text)
    return f"yeastxr simulate {out} --spec {SPEC_FILE}", visible


def _is_number(name: str) -> bool:
    """Return whether a command would read a name as a number."""
    try:
        float(name)
    except ValueError:
        return False
    return True


def _needs_quotes(name: str) -> bool:
    """Return whether a name can't be in a comma-separated list, or would be read as an option or a file."""
    return "," in name or name != name.strip() or name.startswith(("-", "@")) or not (name.isprintable() and name)


def make_python(spec: SimulationSpec, sweep: Sweep | None = None) -> str:
    """Return Python code that regenerates a simulation or a sweep, on its own or with the file of the command.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr.simulation.sweeps import make_sweep
    >>> spec = yx.SimulationSpec(genes=9, bound=[0.5] * 99, seed=1)
    >>> print(make_python(spec, make_sweep(spec, {"bound_mean": [3.0, 5.0]})))
    from pathlib import Path
    import yeastxr as yx
    spec = yx.SimulationSpec.from_json(Path("spec.json").read_text(encoding="utf-8"))
    ds = yx.sweep(spec, bound_mean=[3.0, 5.0])
    """
    imports, text = ["import yeastxr as yx"], repr(spec.to_json())
    if make_command(spec)[1] is not None:
        imports, text = ["from pathlib import Path", *imports], f'Path("{SPEC_FILE}").read_text(encoding="utf-8")'
    over = "" if sweep is None else "".join(f", {dim}={_write_values(dim, sweep)}" for dim in sweep.labels)
    make = "spec.simulate()" if sweep is None else f"yx.sweep(spec{over})"
    if any(name in over for name in ("And(", "Or(", "Not(")):
        imports.append("from yeastxr import And, Not, Or")
    return "\n".join([*imports, f"spec = yx.SimulationSpec.from_json({text})", f"ds = {make}"])


def _write_values(dim: str, sweep: Sweep) -> str:
    """Return the values of a swept dimension in Python syntax: a list, or a dict if labels differ from values."""
    labels, changes = sweep.labels[dim], [_copy_plain(change) for change in sweep.changes[dim]]
    if all(change == {dim: label} for label, change in zip(labels, changes, strict=True)):
        return repr(list(labels))
    values = [change[dim] for change in changes] if all(list(change) == [dim] for change in changes) else changes
    return repr(dict(zip(labels, values, strict=True)))


def _copy_plain(change: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields of a specification with relationships as a dict, whose repr is not shortened."""
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in change.items()}


def describe_difference(ds: xr.Dataset, spec: SimulationSpec, sweep: Sweep | None = None) -> str:
    """Describe differences between the genes and TFs of a dataset or sweep and its specification; may be empty."""
    if sweep is not None:
        first = dict.fromkeys(sweep.labels, 0)
        ds, spec = ds.isel({dim: 0 for dim in first if dim in ds.dims}, drop=True), sweep.make_point(first)
    if matches_spec(ds, spec):
        return ""
    genes = range(spec.n_genes) if isinstance(spec.genes, int) else spec.genes
    words = [
        f"The specification has {spec.n_genes:,} genes and {len(spec.tf_labels):,} TFs;",
        "the dataset is a part of it, or has different names, order or dimensions.",
    ]
    for dim, title, known in zip(CORE_DIMS, ("genes", "TFs"), (genes, spec.tf_labels), strict=True):
        names = set(known)
        unknown = [label for label in map(to_python, ds.indexes[dim]) if label not in names]
        if unknown:
            words.append(
                f"It does not have {len(unknown):,} {title} of the dataset, such as {format_value(unknown[0])}."
            )
    return " ".join(words)
