"""Commands that make something of stores: check, report, export, analyze; and the tutorial's demo."""

import sys
from pathlib import Path
from typing import Any

import click

from yeastxr.cli.group import echo
from yeastxr.cli.options import ListOf, add_level, add_progress


@click.command()
@click.argument("store")
@add_level
@add_progress
def check(store: str, level: float, progress: bool | None) -> None:
    """Check a store against theory; the exit status is 1 if a check fails."""
    from yeastxr.checks import check as check_dataset
    from yeastxr.storage.store import open as open_store

    table = check_dataset(open_store(store), level=level, progress=progress)
    echo(table)
    if table.failed:
        sys.exit(1)


@click.command()
@click.argument("store")
@click.argument("out", type=click.Path(path_type=Path), required=False)
@click.option("--title", help="The page's title.")
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
@add_level
@add_progress
def report(
    store: str, out: Path | None, title: str | None, overwrite: bool, level: float, progress: bool | None
) -> None:
    """Write a page with checks, plots and how to simulate a store's dataset again; by default ./STORE.html."""
    from yeastxr.checks import check as check_dataset
    from yeastxr.report.report import TITLE, check_page_path
    from yeastxr.report.report import report as write_report
    from yeastxr.storage.store import open as open_store

    ds = open_store(store)
    path = Path(f"{Path(store.rstrip('/')).stem or 'report'}.html") if out is None else out
    check_page_path(path, overwrite)  # before minutes of checks
    table = check_dataset(ds, level=level, progress=progress)
    write_report(ds, path, checks=table, title=TITLE if title is None else title, overwrite=overwrite)
    echo(f"{path}: {path.stat().st_size / 1e6:,.1f} MB; {table.summary}")


@click.command()
@click.argument("store")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--features", type=ListOf("name", str), help="Names of features, in this order; all by default.")
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
def export(store: str, out: Path, features: list[str] | None, overwrite: bool) -> None:
    """Write a store's data to OUT: a tensor (.pt), arrays (.npz) or a table (.csv, .csv.gz)."""
    from yeastxr.export import export as export_dataset
    from yeastxr.storage.store import open as open_store

    export_dataset(open_store(store), out, features=features, overwrite=overwrite)
    echo(f"{out}: {out.stat().st_size / 1e6:,.1f} MB")


@click.command()
@click.argument("store")
@click.option("--method", type=click.Choice(["rank-response", "dual-threshold", "curves"]), required=True)
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The table: a .csv or a .csv.gz.")
@click.option("--binding", default="binding_pvalue", show_default=True, help="What ranks genes by binding.")
@click.option(
    "--response", default="perturbation_pvalue", show_default=True, help="What ranks responses (dual-threshold)."
)
@click.option("--score", default="binding_effect", show_default=True, help="What is compared with the label (curves).")
@click.option("--responsive", default="measured", show_default=True, help="measured or label (rank-response).")
@click.option("--bins", type=int, default=5, show_default=True, help="Genes of a bin (rank-response).")
@click.option("--permutations", type=int, default=1000, show_default=True, help="How many (dual-threshold).")
@click.option("--seed", type=int, help="Of the permutations; drawn by default.")
@click.option(
    "--points",
    type=int,
    metavar="N",
    help="Write N points of the ROC curve of each TF instead of areas: a row for each, with the false and the true "
    "positive rate, the threshold, and the precision at these rates (curves).",
)
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
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
) -> None:
    """Write a table by TF of one of the field's methods: rank response, dual thresholds, or areas under curves.

    For example: yeastxr analyze sim.zarr --method rank-response -o out.csv
    """
    from yeastxr import analysis
    from yeastxr.export import check_result_path, write_result
    from yeastxr.storage.store import open as open_store

    if points is not None and method != "curves":
        raise click.UsageError(f"--points is of --method curves; --method is {method}")
    ds = open_store(store)
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


def _list_points(curves: Any) -> Any:
    """Return the points of ROC curves by TF, with the precision that follows from rates and the base rate."""
    true, false = curves["tpr"] * curves["base_rate"], curves["fpr"] * (1 - curves["base_rate"])
    precision = (true / (true + false)).transpose(*curves["tpr"].dims)
    return curves[["tpr", "threshold"]].assign(precision=precision)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default="yeastxr-demo")
@click.option("--method", type=click.IntRange(1, 4), default=2, show_default=True, help="How means are adjusted.")
@click.option("--overwrite", is_flag=True, help="Replace files of an earlier run.")
def demo(folder: Path, method: int, overwrite: bool) -> None:
    """Run the tutorial and write a store, a tensor and QC plots to FOLDER."""
    from yeastxr.demo import run

    run(folder, method=method, overwrite=overwrite, echo=echo)
