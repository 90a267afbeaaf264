"""Other parameters than a dataset's: the specification that they make, and a simulation that takes less than a second.

A page has changes as JSON by the names of parameters, so that its URL can have them. ``preset`` stands for all
parameters that have no change of their own.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from yeastxr.errors import InputError, format_value
from yeastxr.explore.source import Point, Source
from yeastxr.names.catalog import YEAST, list_genes, list_tfs
from yeastxr.simulation.operators import iterate_tfs
from yeastxr.simulation.parameters import PopulationParameters
from yeastxr.simulation.presets import get_preset
from yeastxr.simulation.relations import from_json, rename_tfs
from yeastxr.simulation.simulate import PRESET, SimulationSpec, check_parameter_names
from yeastxr.theory.features import find_spec

MOST_PAIRS = 2_000_000  # of a simulation on the page
RELATIONS = "tf_relationships"
_FIRST_PRESET, _FIRST_SEED = "tutorial", 42  # of a dataset without a specification
_LONGEST = 1_000_000  # letters of one change


def find_base(opened: Source, point: Point) -> SimulationSpec:
    """Return the specification that changes are of: the dataset's at a point, or the tutorial's if it has none."""
    return find_spec(opened.select(point)) or SimulationSpec.from_preset(_FIRST_PRESET, seed=_FIRST_SEED)


def find_start(base: SimulationSpec, changes: Mapping[str, str]) -> SimulationSpec:
    """Return the specification that all parameters without a change are from: the base, or a preset with its seed."""
    if PRESET not in changes:
        return base
    preset = get_preset(_parse(PRESET, changes[PRESET]))
    return SimulationSpec.from_preset(preset.name, seed=base.seed)


def apply_changes(base: SimulationSpec, changes: Mapping[str, str]) -> SimulationSpec:
    """Return a specification with changes, or refuse them.

    Parameters
    ----------
    base
        The specification.
    changes
        JSON by the names of parameters. A number for ``genes`` takes as many of the names of genes, if there are as
        many; names of TFs follow their number.

    Returns
    -------
    SimulationSpec
        The specification.

    Raises
    ------
    InputError
        If a name is unknown, a text is not JSON, or a value is invalid.

    Examples
    --------
    >>> import yeastxr as yx
    >>> spec = yx.SimulationSpec(genes=100, bound={"A": 0.1, "B": 0.2}, seed=1)
    >>> apply_changes(spec, {"bound": "[0.1, 0.2, 0.3]", "bound_mean": "5"}).tfs
    ('A', 'B', 'TF3')
    """
    start: Any = find_start(base, changes)  # of the types that checking gives its fields
    check_parameter_names(changes)
    values: dict[str, Any] = {name: _parse(name, text) for name, text in changes.items() if name != PRESET}
    genes = values.get("genes")
    if isinstance(start.genes, tuple) and type(genes) is int and 1 <= genes <= len(start.genes):
        values["genes"] = start.genes[:genes]
    if "bound" in values and "n_sample" not in values and len(set(start.n_sample)) == 1:
        values["n_sample"] = start.n_sample[0]  # of each fraction, however many there are
    if start.tfs is not None and "tfs" not in values and {"bound", "n_sample"} & values.keys():
        of_tfs = {"bound": start.bound, "n_sample": start.n_sample} | values
        counts = PopulationParameters(genes=1, bound=of_tfs["bound"], n_sample=of_tfs["n_sample"]).n_sample
        values["tfs"] = _fit_names(start.tfs, counts)
    if values.get(RELATIONS) is not None:
        values[RELATIONS] = from_json(values[RELATIONS], named=values.get("tfs", start.tfs) is not None)
    spec: SimulationSpec = replace(start, **values)
    return spec


def _parse(name: str, text: str) -> Any:
    """Return the value of a change."""
    try:
        if len(text) > _LONGEST:
            raise ValueError(text)
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InputError(f"{name} is {format_value(text)}; expected JSON") from None


def _fit_names(names: Any, n_sample: Any) -> tuple[str, ...]:
    """Return as many names as there are TFs: the first ones, or all and new ones."""
    total = sum(n_sample)
    kept, number = list(names[:total]), len(names)
    taken = set(kept)
    while len(kept) < total:
        number += 1
        if f"TF{number}" not in taken:
            kept.append(f"TF{number}")
    return tuple(kept)


@dataclass(frozen=True)
class Live:
    """A specification as the page simulates it, and a sentence that says what it leaves out; empty for nothing."""

    spec: SimulationSpec
    note: str


def count_pairs(spec: SimulationSpec) -> int:
    """Return how many gene–TF pairs a specification has, with all replicates and measurements."""
    return spec.n_genes * len(spec.tf_labels) * (spec.replicates or 1) * (spec.measurements or 1)


def shrink(spec: SimulationSpec, most: int = MOST_PAIRS) -> Live:
    """Return a specification with fewer TFs, replicates or genes if it has too many pairs for the page.

    Examples
    --------
    >>> import yeastxr as yx
    >>> shrink(yx.SimulationSpec(genes=6600, bound=[0.1], n_sample=1000, seed=1)).note
    'The page simulates 303 of 1,000 TFs; a saved specification has all of them.'
    """
    if count_pairs(spec) <= most:
        return Live(spec, "")
    words, small = [], spec
    n_tfs, per_tf = len(spec.tf_labels), count_pairs(spec) // len(spec.tf_labels)
    kept = min(n_tfs, max(min(10, n_tfs), most // per_tf))
    dropped = 0
    if kept < n_tfs:
        small, dropped = _select_tfs(spec, kept)
        words.append(f"{len(small.tf_labels):,} of {n_tfs:,} TFs")
    for name in ("replicates", "measurements"):
        number = getattr(spec, name)
        fewer = max(1, int(most / (count_pairs(small) / (number or 1))))
        if number is not None and fewer < number:
            change: Any = {name: fewer}
            small = replace(small, **change)
            words.append(f"{fewer:,} of {number:,} {name}")
    fewer = max(1, int(most / (count_pairs(small) / spec.n_genes)))
    if fewer < spec.n_genes:
        small = replace(small, genes=fewer if isinstance(spec.genes, int) else tuple(spec.genes)[:fewer])
        words.append(f"{fewer:,} of {spec.n_genes:,} genes")
    note = f"The page simulates {', '.join(words)}; a saved specification has all of them."
    if dropped:
        note += f" {dropped:,} relations name TFs that are left out, and are not simulated."
    return Live(small, note)


def _select_tfs(spec: SimulationSpec, kept: int) -> tuple[SimulationSpec, int]:
    """Return a specification with some of the TFs, those in relations first, and how many relations it lacks."""
    labels, relations = spec.tf_labels, dict(spec.tf_relationships or {})
    positions: Any = {label: i for i, label in enumerate(labels)} if relations and isinstance(labels, tuple) else labels
    chosen: dict[int, None] = {}
    for tf, entries in relations.items():
        own = [positions[label] for label in dict.fromkeys([tf, *iterate_tfs(entries)])]
        if len({*chosen, *own}) > kept:
            break
        chosen |= dict.fromkeys(own)
    spaced = np.linspace(0, len(labels) - 1, kept - len(chosen)).round().astype(int)
    rows = sorted({*chosen, *map(int, spaced)})
    counted: Any = spec.n_sample
    ends = np.cumsum(counted)
    counts = np.bincount(np.searchsorted(ends, rows, side="right"), minlength=len(counted))
    bound: Any = spec.bound
    names = {labels[row]: str(labels[row]) for row in rows}
    whole = {tf: entries for tf, entries in relations.items() if {tf, *iterate_tfs(entries)} <= names.keys()}
    kept_relations = rename_tfs(whole, names)
    positive = spec.positive_fraction
    small = replace(
        spec,
        bound=tuple(fraction for fraction, n in zip(bound, counts, strict=True) if n),
        n_sample=tuple(int(n) for n in counts if n),
        tfs=tuple(names.values()),
        positive_fraction=tuple(positive[row] for row in rows) if isinstance(positive, tuple) else positive,
        tf_relationships=kept_relations or None,
    )
    return small, len(relations) - len(kept_relations)


def write_spec(spec: SimulationSpec) -> dict[str, Any]:
    """Return a specification as plain values, without those that are defaults; the catalog's names as one word."""
    defaults = {field.name: field.default for field in fields(SimulationSpec)}
    values = {name: value for name, value in spec.to_dict().items() if getattr(spec, name) != defaults[name]}
    for name, list_names in (("genes", list_genes), ("tfs", list_tfs)):
        if isinstance(getattr(spec, name), tuple) and getattr(spec, name) == tuple(list_names()):
            values[name] = YEAST
    return values


def make_code(spec: SimulationSpec, name: str = "ds") -> str:
    """Return Python lines that make a simulation, under a name."""
    parameters = ",\n".join(f"    {key!r}: {value!r}" for key, value in write_spec(spec).items())
    return "\n".join(
        [
            "import yeastxr as yx",
            f"spec = yx.SimulationSpec.from_dict({{\n{parameters},\n}})",
            f"{name} = spec.simulate()",
        ]
    )


def simulate_changes(opened: Source, point: Point, changes: Mapping[str, str]) -> Source:
    """Return the simulated dataset of changes, or refuse them; there is none without changes."""
    spec = shrink(apply_changes(find_base(opened, point), changes)).spec
    return Source(spec.simulate(), make_code(spec))
