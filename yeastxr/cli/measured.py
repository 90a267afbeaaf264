"""The command import: measured data from tables to a store."""

import warnings
from collections.abc import Callable
from typing import Any

import click

from yeastxr.cli.group import echo
from yeastxr.cli.options import StorePath, Word, add_progress
from yeastxr.cli.stores import describe_sizes
from yeastxr.errors import TableWarning
from yeastxr.tables.columns import TABLES, VALUE_COLUMNS
from yeastxr.tables.fill import RULES
from yeastxr.tables.read import JOINS, THRESHOLDS

_COLUMNS = {
    "gene": "The column of genes",
    "tf": "The column of TFs",
    "effect": "The column of effects",
    "pvalue": "The column of p-values",
    "units": "The units of effects",
}


class _Pairs(click.Option):
    """An option that may be given as KEY=VALUE, more than once: a dict; else a text, or a list of them."""

    def __init__(self, *args: Any, keys: tuple[str, ...], **settings: Any) -> None:
        super().__init__(*args, multiple=True, **settings)
        self.keys = keys

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """Return the dict, the list, the text, or None."""
        texts = super().process_value(ctx, value) or ()
        pairs = dict(text.split("=", 1) for text in texts if text.partition("=")[0] in self.keys and "=" in text)
        if pairs and len(pairs) < len(texts):
            keys = ", ".join(f"{key}=..." for key in self.keys)
            raise click.BadParameter(f"{' '.join(texts)} mixes forms; expected each once of {keys}", ctx, self)
        return pairs or (None if not texts else texts[0] if len(texts) == 1 else list(texts))


def _add_columns(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add options for the names of columns."""
    for name, text in reversed(_COLUMNS.items()):
        form = f"{text}; binding=... and perturbation=... where they differ.  [default: known ones]"
        command = click.option(f"--{name}", cls=_Pairs, keys=TABLES, metavar="TEXT", help=form)(command)
    return command


def _read_thresholds(ctx: click.Context, param: click.Parameter, value: Any) -> dict[str, float] | None:
    """Return thresholds as numbers."""
    if value is None:
        return None
    try:
        if isinstance(value, dict):
            return {name: float(text) for name, text in value.items()}
    except ValueError:
        pass
    names = ", ".join(THRESHOLDS)
    raise click.BadParameter(f"{value!r} is no threshold; expected NAME=NUMBER, with a name among {names}", ctx, param)


@click.command("import")
@click.argument("out", type=StorePath(), metavar="OUT.zarr")
@click.option(
    "--binding",
    cls=_Pairs,
    keys=tuple(VALUE_COLUMNS[TABLES[0]]),
    required=True,
    metavar="FILE",
    help="A table with a row for each pair (.csv, .tsv, .parquet), or a folder of tables, more than once for several; or "
    "matrices of genes by TFs, as effect=FILE and pvalue=FILE.",
)
@click.option(
    "--perturbation",
    cls=_Pairs,
    keys=tuple(VALUE_COLUMNS[TABLES[1]]),
    required=True,
    metavar="FILE",
    help="The same of perturbation.",
)
@_add_columns
@click.option("--experiment-hops", metavar="TEXT", help="The column of experiment hops.  [default: of this name]")
@click.option("--background-hops", metavar="TEXT", help="The column of background hops.  [default: of this name]")
@click.option(
    "--label-from",
    cls=_Pairs,
    keys=THRESHOLDS,
    metavar="NAME=NUMBER",
    callback=_read_thresholds,
    help="Which pairs are bound, such as binding_fdr=0.05: the largest binding_pvalue, binding_fdr, perturbation_pvalue "
    "or perturbation_fdr, all of which must hold if there are several.  [default: a column label, or none]",
)
@click.option(
    "--join",
    type=Word(JOINS),
    default=JOINS[0],
    show_default=True,
    help="Genes and TFs: of both tables, of any of them, or an error if they differ.",
)
@click.option(
    "--duplicates",
    type=Word(RULES),
    default=RULES[0],
    show_default=True,
    help="What becomes of several rows of a pair.",
)
@click.option("--delimiter", help="What separates columns.  [default: as in the header]")
@click.option("--decimal", default=".", show_default=True, help="The decimal separator.")
@click.option("--encoding", default="utf-8", show_default=True, help="The encoding of text.")
@click.option("--overwrite", is_flag=True, help="Replace OUT.zarr if it is a yeastxr store.")
@add_progress
def import_tables(out: str, overwrite: bool, progress: bool | None, **settings: Any) -> None:
    """Save measured data, tables of binding and of perturbation, as a zarr store.

    For example: yeastxr import measured.zarr --binding cards.csv --perturbation knockouts.csv --label-from binding_fdr=0.05
    """
    from yeastxr.storage.location import locate
    from yeastxr.storage.store import save
    from yeastxr.tables import from_tables

    if not overwrite:
        locate(out).check_free()  # before minutes of reading
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always", TableWarning)
        ds = from_tables(**settings)
    save(ds, out, overwrite=overwrite, progress=progress)
    echo(f"{out}: {describe_sizes({dim: ds.sizes[dim] for dim in ('gene', 'tf')})}")
    for note in notes:
        echo(f"  {note.message}")
