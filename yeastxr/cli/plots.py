"""The command plot: the functions of :mod:`yeastxr.plot` with options from their signatures."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import click
import xarray as xr

from yeastxr import plot as functions
from yeastxr.cli.group import echo
from yeastxr.cli.options import ListOf, Names, Word, add_overwrite, add_read_chunks, add_store, open_dataset
from yeastxr.errors import InputError, format_value, suggest
from yeastxr.plot.style import Labels, Options
from yeastxr.schema import CORE_DIMS

HELP = {
    "tf": "TFs to draw (default: all).",
    "gene": "Genes to draw (default: all).",
    "background_hops": "Variable of background hops.",
    "bins": "Number of bins; for rank_response, genes per bin.",
    "by": "Leading dimensions to draw separately, such as bound_mean; for rank_response, the ranking variable.",
    "experiment_hops": "Variable of experiment hops.",
    "feature": "Feature to compare.",
    "kind": "Effects or p-values to draw: binding or perturbation.",
    "label": "Compare bound pairs (true), unbound pairs (false) or all (none).",
    "largest_pvalue": "Largest p-value of responsive genes, or of enriched hops.",
    "least_magnitude": "Smallest magnitude of the effect of responsive genes.",
    "level": "Share of TFs that the interval contains by chance.",
    "limits": "Limits of the axis, such as 0,10 (default: all values).",
    "logx": "Use a logarithmic x axis.",
    "max_points": "Maximum number of pairs to draw as points.",
    "method": "Correlation coefficient: spearman or pearson.",
    "most": "Largest rank.",
    "order": "Order of genes and TFs.",
    "pseudocount": "Pseudocount added to the background hops of each promoter.",
    "responsive": "Definition of responsive genes: measured or label.",
    "score": "Score to compare with the truth.",
    "size": "Width and height in pixels, such as 800,600.",
    "theory": "Draw theory.",
    "title": "Title.",
    "total_background_hops": "Total background hops (default: sum over genes).",
    "total_experiment_hops": "Total experiment hops (default: sum over genes).",
    "transform": "Transformation of x: none or log.",
    "truth": "Boolean variable of positive pairs.",
    "x": "Variable to correlate with y.",
    "xlim": "Limits of the x axis, such as 0,10.",
    "y": "Variable to correlate with x.",
    "ylim": "Limits of the y axis.",
}
"""Help texts of the parameters; a test compares the names with the signatures."""


@cache
def list_kinds() -> dict[str, dict[str, inspect.Parameter]]:
    """Return the functions that need only a dataset, and their parameters that options can set."""
    kinds = {}
    for name in functions.__all__:
        function = getattr(functions, name)
        if not callable(function):
            continue
        first, *others = inspect.signature(function).parameters.values()
        takes_dataset = xr.Dataset in (first.annotation, *get_args(first.annotation))
        if takes_dataset and all(p.default is not p.empty or p.kind is p.VAR_KEYWORD for p in others):
            kinds[name] = {p.name: p for p in _list_parameters(others) if find_type(p.annotation) is not None}
    return kinds


def _list_parameters(parameters: list[inspect.Parameter]) -> Iterator[inspect.Parameter]:
    """Yield parameters, including those behind ``**kwargs``."""
    for parameter in parameters:
        if parameter.kind is parameter.VAR_KEYWORD:
            for name, annotation in Options.__annotations__.items():
                yield inspect.Parameter(name, parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        else:
            yield parameter


def find_type(annotation: Any) -> Any:
    """Return the type of the option for a parameter; None if text can't express it, such as a dataset."""
    if annotation == Labels:
        return Names()
    if get_origin(annotation) is Literal:
        return Word(get_args(annotation))
    choices = get_args(annotation) if get_origin(annotation) is not tuple else (annotation,)
    kinds = [choice for choice in choices or (annotation,) if choice is not NoneType]
    if bool in kinds and NoneType in choices:
        return Word(["true", "false", "none"])
    if any(get_origin(kind) is tuple for kind in kinds):
        whole = get_args(kinds[0])[0] is int
        return ListOf("integer", int) if whole else ListOf("number", float)
    return next((kind for kind in kinds if kind in (bool, int, float, str)), None)


def add_parameters(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for each parameter of the functions."""
    kinds = list_kinds()
    names = dict.fromkeys(name for parameters in kinds.values() for name in parameters)
    for name in reversed(list(names)):
        takers = {kind: parameters[name] for kind, parameters in kinds.items() if name in parameters}
        types = [find_type(parameter.annotation) for parameter in takers.values()]
        kind = next((type for type in types if isinstance(type, click.Choice)), types[0])
        others = [kind for kind in kinds if kind not in takers]
        of = "all" if not others else f"all except {' and '.join(others)}" if len(others) < 3 else ", ".join(takers)
        dashed = name.replace("_", "-")
        flag = f"--{dashed}/--no-{dashed}" if kind is bool else f"--{dashed}"
        text = f"{HELP.get(name, '')} ({of}){_describe_defaults(takers)}"
        command = click.option(flag, f"option_{name}", type=None if kind is bool else kind, default=None, help=text)(
            command
        )
    return command


def _describe_defaults(takers: dict[str, inspect.Parameter]) -> str:
    """Return the defaults of a parameter for the help, most common first."""
    defaults: dict[str, list[str]] = {}
    for kind, parameter in takers.items():
        if parameter.default is not None:  # the help describes None
            defaults.setdefault(str(parameter.default).lower(), []).append(kind)
    if not defaults:
        return ""
    texts = sorted(defaults, key=lambda text: -len(defaults[text]))
    common = texts[0] if sum(map(len, defaults.values())) == len(takers) else None
    shown = [text if text == common else f"{text} for {' and '.join(defaults[text])}" for text in texts]
    return f"  [default: {'; '.join(shown)}]"


KINDS = Word(list(list_kinds()))


@click.command(epilog=f"Kinds: {', '.join(KINDS.choices)}.")
@add_store
@click.argument("kind", metavar="KIND", type=KINDS)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Output file: .png, .svg or .pdf, or a self-contained .html page.",
)
@add_parameters
@click.option(
    "--dpi", type=int, default=150, show_default=True, help="Resolution of a .png in dots per inch, from 10 to 1,200."
)
@add_overwrite
@add_read_chunks
def plot(store: str, kind: str, out: Path, dpi: int, overwrite: bool, chunks: Any, **options: Any) -> None:
    """Draw a plot of yeastxr.plot from a store; options are the parameters of its function.

    For example: yeastxr plot sim.zarr qc -o qc.png

    Or: yeastxr plot sim.zarr rank_response --tf GAL4,MIG1 --most 100 -o responses.svg
    """
    from yeastxr.plot.overview import check_picture_path

    given = {name.removeprefix("option_"): value for name, value in options.items() if value is not None}
    known = list_kinds()[kind]
    for name in given:
        if name not in known:
            raise click.UsageError(f"--{name.replace('_', '-')} is not an option of {kind}; {suggest(name, known)}")
    check_picture_path(out, overwrite)  # before reading data
    ds = open_dataset(store, chunks)
    values = {name: _convert(ds, known[name], value) for name, value in given.items()}
    functions.save(getattr(functions, kind)(ds, **values), out, overwrite=overwrite, dpi=dpi)
    echo(f"{out}: {kind}, {out.stat().st_size / 1e6:,.2f} MB")


def _convert(ds: xr.Dataset, parameter: inspect.Parameter, value: Any) -> Any:
    """Convert the value of an option for the function."""
    annotation = parameter.annotation
    if parameter.name in CORE_DIMS:
        return _match_labels(ds, parameter.name, value)
    if annotation == (bool | None):
        return {"true": True, "false": False, "none": None}[value]
    if Sequence[str] in get_args(annotation) and "," in value:
        return [name.strip() for name in value.split(",")]
    return tuple(value) if isinstance(value, list) else value


def _match_labels(ds: xr.Dataset, dim: str, names: list[str]) -> list[Any]:
    """Convert names to labels along a dimension, which may be integers."""
    if dim not in ds.indexes or ds.indexes[dim].dtype.kind not in "iu":
        return list(names)
    try:
        return [int(name) for name in names]
    except ValueError:
        raise InputError(f"{dim} is {format_value(names)}; expected integers, like the labels of the store") from None
