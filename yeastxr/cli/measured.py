"""The command import: convert tables of measured data to a store."""

import warnings
from collections.abc import Callable
from typing import Any

import click

from yeastxr.cli.group import Refused, echo
from yeastxr.cli.options import StorePath, Word, add_chunks, add_progress
from yeastxr.cli.stores import describe_sizes
from yeastxr.errors import TableWarning
from yeastxr.schema import CORE_DIMS
from yeastxr.tables.columns import TABLES, VALUE_COLUMNS
from yeastxr.tables.fill import RULES
from yeastxr.tables.read import JOINS, THRESHOLDS

_COLUMNS = {
    "gene": "Column of genes",
    "tf": "Column of TFs",
    "effect": "Column of effects",
    "pvalue": "Column of p-values",
    "units": "Units of effects",
}


def _split_pairs(*keys: str) -> Callable[..., Any]:
    """Return a callback that converts KEY=VALUE texts to a dict, and other texts to one value or a list."""

    def split(ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]) -> Any:
        parts = [text.partition("=") for text in texts]
        pairs = {key: value for key, mark, value in parts if mark and key in keys}
        if pairs and len(pairs) < len(texts):
            forms = ", ".join(f"{key}=..." for key in keys)
            raise click.BadParameter(f"{' '.join(texts)} mixes two forms; expected each of {forms} once", ctx, param)
        return pairs or (None if not texts else texts[0] if len(texts) == 1 else [*texts])

    return split


def _add_table(table: str, text: str) -> Callable[..., Any]:
    """Return a decorator that adds the option for a table, or for matrices by quantity."""
    callback = _split_pairs(*VALUE_COLUMNS[table])
    return click.option(f"--{table}", multiple=True, callback=callback, required=True, metavar="FILE", help=text)


def _add_columns(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add options for the names of columns."""
    for name, text in reversed(_COLUMNS.items()):
        command = click.option(
            f"--{name}",
            multiple=True,
            metavar="TEXT",
            callback=_split_pairs(*TABLES),
            help=f"{text}; use binding=... and perturbation=... if they differ.  [default: recognized names]",
        )(command)
    return command


def _read_thresholds(ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]) -> dict[str, float] | None:
    """Return thresholds as a dict of numbers."""
    try:
        pairs = [(name, float(number)) for name, number in (text.split("=", 1) for text in texts)]
    except ValueError:
        names = ", ".join(THRESHOLDS)
        text = f"{' '.join(texts)} is not a threshold; expected NAME=NUMBER with a name among {names}"
        raise click.BadParameter(text, ctx, param) from None
    for i, (name, _) in enumerate(pairs):
        if name in dict(pairs[:i]):
            text = f"{' '.join(texts)} contains {name} twice; expected each name once"
            raise click.BadParameter(text, ctx, param)
    return dict(pairs) or None


@click.command("import")
@click.argument("out", type=StorePath(), metavar="OUT.zarr")
@_add_table(
    TABLES[0],
    "A table with one row per pair (.csv, .tsv, .parquet), or a folder of tables; repeatable. Or "
    "matrices of genes by TFs, as effect=FILE and pvalue=FILE.",
)
@_add_table(TABLES[1], "The same for perturbation.")
@_add_columns
@click.option("--experiment-hops", metavar="TEXT", help="Column of experiment hops.  [default: experiment_hops]")
@click.option("--background-hops", metavar="TEXT", help="Column of background hops.  [default: background_hops]")
@click.option(
    "--label-from",
    multiple=True,
    metavar="NAME=NUMBER",
    callback=_read_thresholds,
    help="Largest value of bound pairs, such as binding_fdr=0.05, for binding_pvalue, binding_fdr, perturbation_pvalue "
    "or perturbation_fdr; repeatable, and all must hold.  [default: a column label, or none]",
)
@click.option(
    "--join",
    type=Word(JOINS),
    default=JOINS[0],
    show_default=True,
    help="Genes and TFs to keep: those of both tables, those of either, or an error if they differ.",
)
@click.option(
    "--duplicates",
    type=Word(RULES),
    default=RULES[0],
    show_default=True,
    help="How to combine rows of the same pair.",
)
@click.option("--delimiter", help="Separator of columns.  [default: as in the header]")
@click.option("--decimal", default=".", show_default=True, help="Decimal separator.")
@click.option("--encoding", default="utf-8", show_default=True, help="Text encoding.")
@add_chunks
@click.option("--overwrite", is_flag=True, help="Replace OUT.zarr if it is a yeastxr store.")
@add_progress
def import_tables(out: str, chunks: Any, overwrite: bool, progress: bool | None, **settings: Any) -> None:
    """Convert tables of measured binding and perturbation data to a zarr store.

    For example: yeastxr import real.zarr --binding cards.csv --perturbation log2.csv --label-from binding_fdr=0.05
    """
    from yeastxr._blocks import chunk_sizes
    from yeastxr.storage.location import locate
    from yeastxr.storage.store import save
    from yeastxr.tables import from_tables

    if locate(out).classify() == "complete" and not overwrite:  # before minutes of reading
        raise Refused(f"{out} already exists; choose another path or pass --overwrite")
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always", TableWarning)
        ds = from_tables(**settings)
    if chunks is not None:
        ds = ds.chunk(chunk_sizes({dim: ds.sizes[dim] for dim in CORE_DIMS}, chunks))
    save(ds, out, overwrite=overwrite, progress=progress)
    echo(f"{out}: {describe_sizes({dim: ds.sizes[dim] for dim in ('gene', 'tf')})}")
    for note in notes:
        echo(f"  {note.message}")
