"""How to make a dataset again: its parameters for people, and commands for a shell and for Python."""

import json
import shlex
from collections.abc import Hashable, Mapping
from dataclasses import fields
from typing import Any

import xarray as xr

from yeastxr.errors import format_value
from yeastxr.schema import CORE_DIMS
from yeastxr.simulation.simulate import SimulationSpec

SPEC_FILE = "spec.json"
_LONGEST = 400  # characters of a command that is told by options


def parameters(spec: SimulationSpec) -> dict[str, str]:
    """Return what a specification says, as text, relations apart; long lists are shortened.

    Examples
    --------
    >>> import yeastxr as yx
    >>> parameters(yx.SimulationSpec(genes=100, bound=[0.1], seed=42))["bound"]
    '0.1'
    """
    return {
        name: _plain(value)
        for name, value in spec.to_dict().items()
        if value is not None and name != "tf_relationships"
    }


def relations(spec: SimulationSpec, most: int = 200) -> dict[Hashable, str]:
    """Return each TF's conditions as text, as Python writes them; of many TFs the first ones.

    Examples
    --------
    >>> import yeastxr as yx
    >>> spec = yx.SimulationSpec(genes=9, bound=[0.5] * 3, tf_relationships={0: [1, yx.Or(1, yx.Not(2))]}, seed=1)
    >>> relations(spec)
    {0: '1, Or(1, Not(2))'}
    """
    conditions = [(tf, entries) for tf, entries in (spec.tf_relationships or {}).items() if entries]
    return {
        tf: format_value(list(entries), 400).removeprefix("[").removesuffix("]") for tf, entries in conditions[:most]
    }


def command(spec: SimulationSpec, out: str = "again.zarr") -> tuple[str, str | None]:
    """Return the shell command that makes a simulation again, and the text of the file that it reads, if it does.

    Examples
    --------
    >>> import yeastxr as yx
    >>> command(yx.SimulationSpec(genes=100, bound=[0.1, 0.2], n_sample=[3, 4], seed=42))
    ('yeastxr simulate again.zarr --genes 100 --bound 0.1,0.2 --n-sample 3,4 --seed 42', None)
    """
    defaults = {field.name: field.default for field in fields(SimulationSpec)}
    words: list[str] = []
    for name, value in spec.to_dict().items():
        if value is None or (name not in ("n_sample", "seed") and value == _as_json(defaults[name])):
            continue
        words += [f"--{name.replace('_', '-')}", _option(value)]
    line = shlex.join(["yeastxr", "simulate", out, *words])
    named = [value for value in (spec.genes, spec.tfs) if not isinstance(value, int | None)]
    unfit = any(all(map(_a_number, names)) or any(map(_unfit, names)) for names in named)
    if spec.tf_relationships is None and len(line) <= _LONGEST and not unfit:
        return line, None
    return f"yeastxr simulate {out} --spec {SPEC_FILE}", json.dumps(spec.to_dict(), ensure_ascii=False)


def in_python(spec: SimulationSpec, values: Mapping[str, Any] | None = None) -> str:
    """Return Python code that makes a simulation again, or a sweep over values, by itself or from the command's file.

    Examples
    --------
    >>> import yeastxr as yx
    >>> print(in_python(yx.SimulationSpec(genes=9, bound=[0.5] * 99, seed=1), {"bound_mean": [3.0, 5.0]}))
    from pathlib import Path
    import yeastxr as yx
    spec = yx.SimulationSpec.from_json(Path("spec.json").read_text(encoding="utf-8"))
    ds = yx.sweep(spec, bound_mean=[3.0, 5.0])
    """
    imports, read = ["import yeastxr as yx"], repr(spec.to_json())
    if command(spec)[1] is not None:
        imports, read = ["from pathlib import Path", *imports], f'Path("{SPEC_FILE}").read_text(encoding="utf-8")'
    over = "".join(f", {name}={value!r}" for name, value in (values or {}).items())
    make = "spec.simulate()" if values is None else f"yx.sweep(spec{over})"
    return "\n".join([*imports, f"spec = yx.SimulationSpec.from_json({read})", f"ds = {make}"])


def differs(ds: xr.Dataset, spec: SimulationSpec) -> str:
    """Say in what a dataset is another one than its specification makes: its labels; empty if they are the same.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=100, bound=[0.5, 0.1], seed=1)
    >>> differs(ds.isel(gene=slice(10)), ds.yeast.spec)
    'The specification is of 100 genes and 2 TFs: the dataset is a part of that, or has other names.'
    """
    genes = range(spec.n_genes) if isinstance(spec.genes, int) else spec.genes
    known = zip(CORE_DIMS, (genes, spec.tf_labels), strict=True)
    if all(ds.sizes[dim] == len(labels) and (ds.indexes[dim] == list(labels)).all() for dim, labels in known):
        return ""
    sizes = f"{spec.n_genes:,} genes and {len(spec.tf_labels):,} TFs"
    return f"The specification is of {sizes}: the dataset is a part of that, or has other names."


def _a_number(name: str) -> bool:
    """Tell whether a command would take a name for a number."""
    try:
        float(name)
    except ValueError:
        return False
    return True


def _unfit(name: str) -> bool:
    """Tell whether a name can't stand in a list with commas, or would be read as an option."""
    return "," in name or name != name.strip() or name.startswith("-") or not (name.isprintable() and name)


def _as_json(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _option(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _plain(value: Any) -> str:
    if not isinstance(value, list):
        return str(value)
    text = ", ".join(map(str, value[:20]))
    return f"{text}, … ({len(value):,} in all)" if len(value) > 20 else text
