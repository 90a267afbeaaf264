"""How to make a dataset again: its parameters for people, and commands for a shell and for Python."""

import json
import shlex
from collections.abc import Hashable
from dataclasses import fields
from typing import Any

from yeastxr.arguments import shown
from yeastxr.simulate import SimulationSpec

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
    return {tf: shown(list(entries), 400).removeprefix("[").removesuffix("]") for tf, entries in conditions[:most]}


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
    names = [name for value in (spec.genes, spec.tfs) if not isinstance(value, int | None) for name in value]
    if spec.tf_relationships is None and len(line) <= _LONGEST and not any(_unfit(name) for name in names):
        return line, None
    return f"yeastxr simulate {out} --spec {SPEC_FILE}", json.dumps(spec.to_dict(), ensure_ascii=False)


def in_python(spec: SimulationSpec) -> str:
    """Return Python code that makes a simulation again, from the file of :func:`command` or by itself."""
    if command(spec)[1] is None:
        return f"import yeastxr as yx\nds = yx.SimulationSpec.from_json({spec.to_json()!r}).simulate()"
    read = f'Path("{SPEC_FILE}").read_text(encoding="utf-8")'
    lines = ["from pathlib import Path", "import yeastxr as yx", f"ds = yx.SimulationSpec.from_json({read}).simulate()"]
    return "\n".join(lines)


def _unfit(name: str) -> bool:
    """Tell whether a name can't stand in a list with commas, or would be read as an option or a number."""
    return "," in name or name != name.strip() or name.startswith("-") or name.replace(".", "", 1).isdigit()


def _as_json(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _option(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _plain(value: Any) -> str:
    if not isinstance(value, list):
        return str(value)
    text = ", ".join(map(str, value[:20]))
    return f"{text}, … ({len(value):,} in all)" if len(value) > 20 else text
