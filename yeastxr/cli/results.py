"""Commands that read stores: check, report, export, split, analyze; and the demo of the tutorial."""

import json
import sys
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from yeastxr.cli.group import Refused, echo, explain_interrupt
from yeastxr.cli.options import (
    ChunkSizes,
    ListOf,
    Word,
    add_level,
    add_out,
    add_overwrite,
    add_progress,
    add_read_chunks,
    add_store,
    open_dataset,
)


@click.command()
@add_store
@add_level
@add_read_chunks
@add_progress
def check(store: str, level: float, chunks: Any, progress: bool | None) -> None:
    """Compare a store with theory; the exit status is 1 if a check fails."""
    from yeastxr.checks import check as check_dataset

    table = check_dataset(open_dataset(store, chunks), level=level, progress=progress)
    echo(table)
    if table.failed:
        sys.exit(1)


@click.command()
@add_store
@click.argument("out", type=click.Path(path_type=Path), required=False)
@click.option("--title", help="Title of the page.")
@add_overwrite
@add_level
@add_read_chunks
@add_progress
def report(
    store: str,
    out: Path | None,
    title: str | None,
    overwrite: bool,
    level: float,
    chunks: Any,
    progress: bool | None,
) -> None:
    """Write a page with checks, plots and code that regenerates the dataset (default: ./STORE.html)."""
    from yeastxr.checks import check as check_dataset
    from yeastxr.report.report import TITLE, check_page_path
    from yeastxr.report.report import report as write_report

    ds = open_dataset(store, chunks)
    path = Path(f"{Path(store.rstrip('/')).stem or 'report'}.html") if out is None else out
    check_page_path(path, overwrite)  # before checks that take minutes
    table = check_dataset(ds, level=level, progress=progress)
    write_report(ds, path, checks=table, title=TITLE if title is None else title, overwrite=overwrite)
    echo(f"{path}: {path.stat().st_size / 1e6:,.1f} MB; {table.summary}")


@click.command()
@add_store
@add_out
@click.option("--features", type=ListOf("name", str), help="Variables, in this order (default: all).")
@click.option(
    "--layout",
    type=Word(["long", "wide", "ranks"]),
    default="long",
    show_default=True,
    help="Layout of tables; wide (genes x TFs, one file per variable) and ranks (ranked lists) write a folder.",
)
@click.option(
    "--columns",
    type=Word(["field", "yeastxr"]),
    help="Column names: regulator_locus_tag (field) or tf (yeastxr).  [default: field in .parquet, else yeastxr]",
)
@click.option("--card", is_flag=True, help="Write a dataset card, README.md, beside a long table.")
@click.option("--header", is_flag=True, help="Write the header feature,rank in ranked lists.")
@add_overwrite
@add_read_chunks
@add_progress
def export(store: str, out: Path, chunks: Any, **options: Any) -> None:
    """Convert a store to a file or a folder OUT for other programs.

    The suffix of OUT selects the format: long tables (.parquet, .csv, .tsv, .csv.gz, .tsv.gz), netCDF (.nc), AnnData
    (.h5ad), arrays (.npz) or a tensor (.pt). Folders need --layout wide or ranks.

    For example: yeastxr export sim.zarr sim.parquet --card
    """
    from yeastxr.export import export as export_dataset

    export_dataset(open_dataset(store, chunks), out, **options)
    files = [file for file in out.rglob("*") if file.is_file()] if out.is_dir() else [out]
    count = f"{len(files):,} files, " if out.is_dir() else ""
    echo(f"{out}: {count}{sum(file.stat().st_size for file in files) / 1e6:,.1f} MB")


@click.command()
@add_store
@click.argument("out", required=False)
@click.option("--train", type=float, help="Fraction for training.  [default: 0.8, or the remainder]")
@click.option("--val", type=float, help="Fraction for validation.  [default: 0.1, or the remainder]")
@click.option("--test", type=float, help="Fraction for test.  [default: 0.1, or the remainder]")
@click.option(
    "--by", default="gene", show_default=True, help="Dimension to split along: gene, tf, replicate or another."
)
@click.option("--seed", type=int, help="Integer from 0 to 2**64 - 1 (default: random, and printed).")
@click.option("--stratify", is_flag=True, help="Stratify by the number of bound pairs.")
@click.option(
    "--chunks",
    type=ChunkSizes("stored", "auto"),
    help="Chunk sizes of OUT.zarr, such as tf=500 (default: those of the store).",
)
@add_overwrite
@add_progress
def split(
    store: str,
    out: str | None,
    train: float | None,
    val: float | None,
    test: float | None,
    by: str,
    seed: int | None,
    stratify: bool,
    chunks: Any,
    overwrite: bool,
    progress: bool | None,
) -> None:
    """Assign genes, TFs or replicates to training, validation and test at random; the store does not change.

    OUT is a table (.csv, .csv.gz) with the part of each label (default: ./STORE-split.csv), or a new store (.zarr) of
    the complete dataset with the coordinate split, which the functions for training use.

    For example: yeastxr split sim.zarr --train 0.8 --val 0.1 --by gene --seed 1
    """
    import xarray as xr

    from yeastxr.export.tables import write_result
    from yeastxr.schema import PARAMETERS, SPLIT
    from yeastxr.storage.location import locate
    from yeastxr.storage.store import save
    from yeastxr.training.split import PARTS
    from yeastxr.training.split import split as split_dataset

    out = f"{Path(store.rstrip('/')).stem or 'store'}-split.csv" if out is None else out
    as_store = out.rstrip("/").endswith(".zarr")
    if as_store and locate(out).name == locate(store).name:
        raise Refused(f"OUT is {out!r}, the store itself; choose another path")
    if not as_store and not out.endswith((".csv", ".csv.gz")):
        raise Refused(f"OUT is {out!r}; expected a path that ends in .csv, .csv.gz or .zarr")
    if chunks is not None and not as_store:
        raise click.UsageError(f"OUT is {out}; expected a path that ends in .zarr, as --chunks applies only to stores")
    ds = split_dataset(open_dataset(store, chunks or "stored"), train, val, test, by=by, seed=seed, stratify=stratify)
    parts = ds.coords[SPLIT]
    seed = json.loads(parts.attrs[PARAMETERS])["seed"]
    if as_store:
        with explain_interrupt(f"rerun with --seed {seed} to resume {out}"):
            save(ds, out, overwrite=overwrite, progress=progress)
    else:
        table = xr.Dataset({SPLIT: parts.variable}, {by: ds[by].variable})
        write_result(table, Path(out), overwrite=overwrite)
    sizes = ", ".join(f"{int((parts == part).sum()):,} {part}" for part in PARTS)
    echo(f"{out}: {sizes} of {parts.size:,} along {by}, seed {seed}")


_OPTIONS = {
    "rank-response": ("binding", "responsive", "bins"),
    "dual-threshold": ("binding", "response", "permutations", "seed"),
    "curves": ("score", "points"),
}


@click.command()
@add_store
@click.option("--method", type=click.Choice(list(_OPTIONS)), required=True)
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Output table: .csv or .csv.gz.")
@click.option(
    "--binding",
    default="binding_pvalue",
    show_default=True,
    help="Variable that ranks genes by binding (rank-response, dual-threshold).",
)
@click.option(
    "--response",
    default="perturbation_pvalue",
    show_default=True,
    help="Variable that ranks genes by response (dual-threshold).",
)
@click.option("--score", default="binding_effect", show_default=True, help="Score to compare with the label (curves).")
@click.option(
    "--responsive",
    default="measured",
    show_default=True,
    help="Definition of responsive genes: measured or label (rank-response).",
)
@click.option("--bins", type=int, default=5, show_default=True, help="Genes per bin (rank-response).")
@click.option(
    "--permutations", type=int, default=1000, show_default=True, help="Number of permutations (dual-threshold)."
)
@click.option("--seed", type=int, help="Seed of the permutations; random by default (dual-threshold).")
@click.option(
    "--points",
    type=int,
    metavar="N",
    help="Write N points of the ROC curve of each TF instead of areas: one row per point, with the false and the true "
    "positive rate, the threshold and the precision (curves).",
)
@add_overwrite
@add_read_chunks
def analyze(
    store: str,
    method: str,
    out: Path,
    binding: str,
    response: str,
    score: str,
    responsive: str,
    bins: int,
    permutations: int,
    seed: int | None,
    points: int | None,
    overwrite: bool,
    chunks: Any,
) -> None:
    """Write a table of TFs: rank response, dual thresholds, or areas under ROC and precision-recall curves.

    For example: yeastxr analyze sim.zarr --method rank-response -o out.csv
    """
    from yeastxr import analysis
    from yeastxr.export.tables import check_result_path, write_result

    _refuse_other_methods(method)
    ds = open_dataset(store, chunks)
    check_result_path(out, overwrite)
    if method == "rank-response":
        result = analysis.rank_response(ds, bins=bins, responsive=responsive, by=binding)
    elif method == "dual-threshold":
        result = analysis.dual_threshold(ds, permutations=permutations, seed=seed, binding=binding, response=response)
    elif points is None:
        result = analysis.curves(ds, score=score).drop_dims(["fpr", "recall"])
    else:
        result = analysis.curves(ds, score=score, points=points).drop_dims("recall")
    result = result.compute()
    pooled = {name: array.item() for name, array in result.data_vars.items() if array.ndim == 0}
    table = result.drop_vars(list(pooled)) if points is None else _list_points(result)
    write_result(table, out, overwrite=overwrite)
    echo(f"{out}: {result.sizes['tf']:,} TFs by {method}")
    for name, value in pooled.items():
        echo(f"  {name}: {value:.4g}")
    if "seed" in result.attrs and method == "dual-threshold":
        echo(f"  seed: {result.attrs['seed']}")


def _refuse_other_methods(method: str) -> None:
    """Raise if an option does not apply to the method."""
    ctx = click.get_current_context()
    for name in sorted(set().union(*_OPTIONS.values()) - set(_OPTIONS[method])):
        if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT:
            methods = " and ".join(other for other, names in _OPTIONS.items() if name in names)
            raise click.UsageError(f"--{name} applies to --method {methods}, not to {method}")


def _list_points(curves: Any) -> Any:
    """Return points of ROC curves by TF, with the precision computed from both rates and the base rate."""
    true, false = curves["tpr"] * curves["base_rate"], curves["fpr"] * (1 - curves["base_rate"])
    precision = (true / (true + false)).transpose(*curves["tpr"].dims)
    return curves[["tpr", "threshold"]].assign(precision=precision)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default="yeastxr-demo")
@click.option("--method", type=click.IntRange(1, 4), default=2, show_default=True, help="Method of mean adjustment.")
@click.option("--overwrite", is_flag=True, help="Replace files of a previous run.")
def demo(folder: Path, method: int, overwrite: bool) -> None:
    """Run the tutorial and write a store, a tensor and QC plots to FOLDER (default: ./yeastxr-demo)."""
    from yeastxr.demo import run

    with explain_interrupt(f"{folder} is incomplete; rerun with --overwrite to start again"):
        run(folder, method=method, overwrite=overwrite, echo=echo)
