"""What a dataset is, whether it is sound, and how it looks: what a page says of it."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import xarray as xr

from yeastxr import plot
from yeastxr._blocks import broadcast_dims
from yeastxr.checks.check import LEVEL, Visit, check_blocks
from yeastxr.checks.table import CheckTable
from yeastxr.errors import shorten
from yeastxr.plot.sample import SampleBlocks, draw_sample
from yeastxr.qc.summary import BlockSummary
from yeastxr.report import provenance
from yeastxr.schema import CORE_DIMS, GENE, MEASURES, TF
from yeastxr.simulation.sweeps import read_sweep
from yeastxr.theory.features import find_spec

_PROVENANCE = {
    "seed": "Seed",
    "law_version": "Version of the random-number scheme",
    "yeastxr_version": "Simulated by yeastxr",
}


class Inspection(NamedTuple):
    """The checks of a dataset, its summary, and the columns of some TFs, see :func:`plot.sample.select_sample`."""

    checks: CheckTable
    summary: xr.Dataset
    sample: xr.Dataset


def inspect_dataset(
    ds: xr.Dataset, *, level: float = LEVEL, progress: bool | None = None, visit: Visit | None = None
) -> Inspection:
    """Check and summarise a dataset in one pass; another function may see the blocks, see :func:`check_blocks`.

    Without a specification, the largest effects are found in a pass before.
    """
    blocks, sampled = BlockSummary(ds), SampleBlocks(ds)
    # A specification that can't be read is shown as it is; the rest can be checked.
    checked = ds if provenance.find_source(ds)[0] is not None else ds.drop_attrs(deep=False)
    visits = [blocks.add, sampled.add, *([] if visit is None else [visit])]
    checks = check_blocks(checked, level=level, progress=progress, visit=_join_visits(*visits))
    return Inspection(checks, blocks.finish(), sampled.finish())


def _join_visits(*visits: Callable[..., None]) -> Callable[..., None]:
    """Return a function that lets several see each block."""

    def visit(*block: Any) -> None:
        for own in visits:
            own(*block)

    return visit


def draw_pictures(ds: xr.Dataset, summary: xr.Dataset, sample: xr.Dataset) -> list[Any]:
    """Return the standard set of pictures, as :func:`yeastxr.plot.qc` draws them in a pass of its own."""
    return [*plot.qc(ds, summary=summary), draw_sample(ds, "", sample)]


def make_banner(checks: Any) -> dict[str, str]:
    """Return a line that states which checks failed, and whether all values were compared with theory."""
    if not isinstance(checks, CheckTable):
        return {}
    done = sum(row.passed is not None for row in checks.rows)
    chance = (
        "" if math.isnan(checks.level) else f"A correct dataset fails with a probability of at most {checks.level:g}."
    )
    if checks.failed:
        words = f"{len(checks.failed):,} of {done:,} checks failed:"
        note = chance if checks.checked else "Not all values were compared with theory."
        failed = shorten("; ".join(checks.failed), 2_000)
        return {"outcome": "failed", "words": words, "failed": failed, "note": note}
    if not checks.checked:
        words = f"Not compared with theory; {done:,} checks of the data model and ranges passed."
        return {"outcome": "unchecked", "words": words, "failed": "", "note": ""}
    return {"outcome": "passed", "words": f"All {done:,} checks passed.", "failed": "", "note": chance}


def list_points(ds: xr.Dataset, checks: Any, most: int) -> list[tuple[str, str]]:
    """Return the points of a sweep, as the names of the checks' rows have them, and the outcome of each.

    Where they are more than a page shows (``most``), those that failed come first.
    """
    sweep = read_sweep(ds) if isinstance(checks, CheckTable) and find_spec(ds) is None else None
    if sweep is None or not sweep.labels:
        return []
    first = next(iter(sweep.labels))
    points: dict[str, list[bool | None]] = {}
    for row in checks.rows:
        if row.name.startswith((f"{first}=", f"{first} unknown")):
            points.setdefault(row.name.split(": ")[0], []).append(row.passed)
    outcomes = []
    for point, passed in points.items():
        failed = passed.count(False)
        words = f"{failed} of {len(passed) - passed.count(None)} checks failed" if failed else "all checks passed"
        unchecked = None in passed and not failed and len(passed) < len(checks.rows) / len(points) / 2
        outcomes.append((point, "not compared with theory" if unchecked else words))
    return sorted(outcomes, key=lambda outcome: "failed" not in outcome[1]) if len(outcomes) > most else outcomes


def limit_checks(checks: Any, most: int) -> tuple[Any, str]:
    """Return a table of checks that fits a page, with failed rows first if some are omitted, and a note."""
    if not isinstance(checks, CheckTable) or len(checks.rows) <= most:
        return checks, ""
    rows = sorted(checks.rows, key=lambda row: row.passed is not False)[:most]
    note = f"Total: {checks.summary}. Showing {most:,} of {len(checks.rows):,} checks, failed ones first."
    return CheckTable(tuple(rows), checks.level, checks.checked), note


def list_facts(ds: xr.Dataset) -> dict[str, str]:
    """Return sizes, labels and provenance of a dataset by their names."""
    template = broadcast_dims(ds)[MEASURES[0]]
    dims = [*CORE_DIMS, *(str(dim) for dim in template.dims if dim not in CORE_DIMS)]
    titles = {GENE: "Genes", TF: "TFs"}  # others are shown as they are named
    facts = {titles.get(dim, dim): _describe_labels(template, dim) for dim in dims}
    facts["Cells"] = f"{template.size:,} with {len(ds.data_vars)} features, {ds.nbytes / 1e6:,.1f} MB"
    return facts | {word: str(ds.attrs[name]) for name, word in _PROVENANCE.items() if name in ds.attrs}


def _describe_labels(array: xr.DataArray, dim: str) -> str:
    """Say how many labels a dim has, and which are the first and the last."""
    number = f"{array.sizes[dim]:,}"
    if dim not in array.indexes:
        return number
    ends = dict.fromkeys(str(array.indexes[dim][at]) for at in (0, -1))
    return f"{number} ({' … '.join(shorten(end, 40) for end in ends)})"
