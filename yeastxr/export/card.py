"""A dataset card for a long table: README.md, with the columns and their roles as YAML front matter."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from yeastxr._utils import replace_file
from yeastxr._version import __version__
from yeastxr.errors import InputError, escape_controls, format_value
from yeastxr.export.selection import align_variables, get_labels, get_sizes
from yeastxr.export.tables import SAMPLE, list_columns
from yeastxr.schema import ADJUSTED, GENE, LABEL, RESPONSIVE, TF, VARIABLE_BY_NAME
from yeastxr.simulation import spec_of
from yeastxr.simulation.sweeps import SWEEP, read_sweep

_MARK = "generated_by: yeastxr"
_MOST_TEXT = 10_000  # characters of parameters, which are also in the metadata of parquet files
_DESCRIPTIONS = {
    SAMPLE: "The number of the TF in its replicate or other leading dimensions",
    TF: "The transcription factor",
    GENE: "The gene",
}
_ROLES = {TF: "regulator_identifier", GENE: "target_identifier"}
_TRUTH = (LABEL, RESPONSIVE, ADJUSTED)  # neither measured nor a condition


def get_card_path(path: Path) -> Path:
    """Return the path of the card of a table."""
    return path.with_name("README.md")


def check_card(path: Path, overwrite: bool) -> None:
    """Raise if README.md exists, unless yeastxr wrote it and overwrite is True."""
    card = get_card_path(path)
    if not card.exists():
        return
    if not (card.is_file() and _MARK in card.read_text(encoding="utf-8", errors="replace")):
        raise InputError(f"{str(card)!r} exists and is not a card of yeastxr; expected a folder without README.md")
    if not overwrite:
        raise InputError(f"{str(card)!r} already exists; choose another folder or pass overwrite=True")


def write_card(ds: xr.Dataset, path: Path, columns: str) -> None:
    """Write the card of a long table, replacing a previous one."""
    card = get_card_path(path)
    with replace_file(card) as partial:
        partial.write_text(make_card(ds, path.name, columns), encoding="utf-8")


def make_card(ds: xr.Dataset, file: str, columns: str) -> str:
    """Return the text of a card: fields and roles as YAML, a table of them, and the parameters of the data."""
    import yaml

    fields = describe_columns(ds, columns)
    spec = spec_of(ds)
    title = Path(file).name.split(".")[0]
    simulated = spec is not None or SWEEP in ds.attrs
    rows = math.prod(get_sizes(ds).values())
    power = min(max(3, len(str(rows)) - 1), 12)
    sizes = ["1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T"]
    between = "n<1K" if rows < 1000 else "n>1T" if power == 12 else f"{sizes[power - 3]}<n<{sizes[power - 2]}"
    head = {
        "pretty_name": title,
        "tags": [
            "biology",
            "genomics",
            "yeast",
            "transcription-factors",
            *(["simulation"] if simulated else []),
        ],
        "size_categories": [between],
        "generated_by": f"yeastxr {__version__}",
        "configs": [
            {
                "config_name": title,
                "description": f"{'Simulated data' if simulated else 'Data'} of TF binding and perturbation",
                "dataset_type": "annotated_features",
                "default": True,
                "data_files": [{"split": "train", "path": file}],
                "dataset_info": {"features": fields},
            }
        ],
    }
    lines = [
        "---",
        yaml.safe_dump(head, sort_keys=False, allow_unicode=True, width=120).rstrip(),
        "---",
        "",
        f"# {title}",
        "",
        f"{rows:,} rows{', simulated' if simulated else ''}: {', '.join(_count_labels(ds))}.",
        "",
        "| column | type | role | meaning |",
        "|---|---|---|---|",
        *(f"| `{f['name']}` | {f['dtype']} | {f.get('role', '')} | {f['description']} |" for f in fields),
    ]
    sweep = read_sweep(ds) if spec is None else None
    if spec is not None:
        lines += ["", "Simulated by yeastxr, with these parameters (`yeastxr simulate --spec FILE`):", ""]
        lines += _write_block(spec.to_dict())
    elif sweep is not None:
        lines += ["", "Simulated by yeastxr, with these parameters (`yeastxr sweep --spec FILE`):", ""]
        lines += _write_block(sweep.spec.to_dict())
        lines += ["", "The sweep replaces them with these values (`--sweep FILE`):", ""]
        lines += _write_block(sweep.narrow(ds).write_values())
    return "".join(f"{escape_controls(line)}\n" for line in "\n".join(lines).split("\n"))


def _write_block(values: Mapping[str, Any]) -> list[str]:
    """Return the lines of a YAML block of values by name, without None; or only its length."""
    import yaml

    given = {name: value for name, value in values.items() if value is not None}
    text = yaml.safe_dump(given, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120).rstrip()
    return ["```yaml", text, "```"] if len(text) <= _MOST_TEXT else [f"{len(text):,} characters, not shown."]


def describe_columns(ds: xr.Dataset, columns: str) -> list[dict[str, Any]]:
    """Return name, dtype, description, role and units of each column of a long table."""
    ds = align_variables(ds)
    fields = []
    for name, source in list_columns(ds, columns):
        field: dict[str, Any] = {"name": name}
        if source in ds.data_vars:
            array, declared = ds[source], VARIABLE_BY_NAME[str(source)]
            field |= {
                "dtype": str(array.dtype),
                "description": str(array.attrs.get("description", declared.description)),
            }
            field |= {"units": str(array.attrs.get("units", declared.units))}
            field |= {} if source in _TRUTH else {"role": "quantitative_measure"}
        else:
            labels = np.empty(0, np.int64) if source == SAMPLE else get_labels(ds, source)
            field |= {"dtype": "string" if labels.dtype.kind == "O" else str(labels.dtype)}
            field |= {
                "description": _DESCRIPTIONS.get(
                    str(source), f"The label along the dimension {format_value(str(source))}"
                )
            }
            field |= {} if source == SAMPLE else {"role": _ROLES.get(str(source), "experimental_condition")}
        fields.append(field)
    return fields


def _count_labels(ds: xr.Dataset) -> list[str]:
    """Return the length of each dimension as text."""
    names = {GENE: "genes", TF: "TFs"}
    return [f"{n:,} {names.get(dim, f'of {dim}')}" for dim, n in get_sizes(ds).items()]
