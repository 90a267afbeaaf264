"""The command plot: the functions of :mod:`yeastxr.plot` and their parameters, read off their signatures."""

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
    "tf": "TFs to draw; all by default.",
    "gene": "Genes to draw; all by default.",
    "background_hops": "The variable of background hops.",
    "bins": "Number of bins, or for rank_response genes of a bin.",
    "by": "Leading dims to draw apart, such as bound_mean; or what ranks genes by binding (rank_response).",
    "experiment_hops": "The variable of experiment hops.",
    "feature": "The feature to compare.",
    "kind": "Which effects or p-values: binding or perturbation.",
    "label": "Compare bound pairs (true), unbound ones (false) or all (none).",
    "largest_pvalue": "Up to which p-value a gene responds, or hops are many.",
    "least_magnitude": "From which magnitude of its effect on a gene responds.",
    "level": "The share of TFs within the interval by chance.",
    "limits": "Ends of the axis, such as 0,10; by default they include all values.",
    "logx": "A logarithmic x axis.",
    "max_points": "Up to how many pairs are drawn as points.",
    "method": "How to correlate: spearman or pearson.",
    "most": "Up to which rank.",
    "order": "Order of genes and TFs.",
    "pseudocount": "Background hops that are added to those of each promoter.",
    "responsive": "Which genes respond: measured or label.",
    "score": "What is compared with the truth.",
    "size": "Width and height in pixels, such as 800,600.",
    "theory": "Lines of theory.",
    "title": "The title.",
    "total_background_hops": "Background hops in all; by default the sum over genes.",
    "total_experiment_hops": "Experiment hops in all; by default the sum over genes.",
    "transform": "What is done to x first: none or log.",
    "truth": "The variable that says which pairs are positive.",
    "x": "What is correlated with y.",
    "xlim": "Ends of the x axis, such as 0,10.",
    "y": "What is correlated with x.",
    "ylim": "Ends of the y axis.",
}
"""What the parameters of the functions are; a test compares their names with the signatures."""


@cache
def list_kinds() -> dict[str, dict[str, inspect.Parameter]]:
    """Return the functions that need nothing but a dataset, and their parameters that an option can give."""
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
    """Yield parameters, and those that keywords stand for."""
    for parameter in parameters:
        if parameter.kind is parameter.VAR_KEYWORD:
            for name, annotation in Options.__annotations__.items():
                yield inspect.Parameter(name, parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        else:
            yield parameter


def find_type(annotation: Any) -> Any:
    """Return the type of the option that gives a parameter; None for one that no text can give, such as a dataset."""
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
        of = "all" if not others else f"all but {' and '.join(others)}" if len(others) < 3 else ", ".join(takers)
        dashed = name.replace("_", "-")
        flag = f"--{dashed}/--no-{dashed}" if kind is bool else f"--{dashed}"
        text = f"{HELP.get(name, '')} ({of}){_describe_defaults(takers)}"
        command = click.option(flag, f"option_{name}", type=None if kind is bool else kind, default=None, help=text)(
            command
        )
    return command


def _describe_defaults(takers: dict[str, inspect.Parameter]) -> str:
    """Return the default of a parameter as help shows it: the one of most functions, and those of others."""
    defaults: dict[str, list[str]] = {}
    for kind, parameter in takers.items():
        if parameter.default is not None:  # None is what the help says
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
    help="The picture: a .png, .svg or .pdf, or a .html, one page that needs no network.",
)
@add_parameters
@click.option("--dpi", type=int, default=150, show_default=True, help="Dots per inch of a .png, from 10 to 1,200.")
@add_overwrite
@add_read_chunks
def plot(store: str, kind: str, out: Path, dpi: int, overwrite: bool, chunks: Any, **options: Any) -> None:
    """Draw a store's dataset: any kind of picture of yeastxr.plot, whose parameters are the options.

    For example: yeastxr plot sim.zarr qc -o qc.png

    Or: yeastxr plot sim.zarr rank_response --tf GAL4,MIG1 --most 100 -o responses.svg
    """
    from yeastxr.plot.overview import check_picture_path

    given = {name.removeprefix("option_"): value for name, value in options.items() if value is not None}
    known = list_kinds()[kind]
    for name in given:
        if name not in known:
            raise click.UsageError(f"--{name.replace('_', '-')} is no option of {kind}; {suggest(name, known)}")
    check_picture_path(out, overwrite)  # before the data are read
    ds = open_dataset(store, chunks)
    values = {name: _convert(ds, known[name], value) for name, value in given.items()}
    functions.save(getattr(functions, kind)(ds, **values), out, overwrite=overwrite, dpi=dpi)
    echo(f"{out}: {kind}, {out.stat().st_size / 1e6:,.2f} MB")


def _convert(ds: xr.Dataset, parameter: inspect.Parameter, value: Any) -> Any:
    """Return the value of an option as the function takes it."""
    annotation = parameter.annotation
    if parameter.name in CORE_DIMS:
        return _match_labels(ds, parameter.name, value)
    if annotation == (bool | None):
        return {"true": True, "false": False, "none": None}[value]
    if Sequence[str] in get_args(annotation) and "," in value:
        return [name.strip() for name in value.split(",")]
    return tuple(value) if isinstance(value, list) else value


def _match_labels(ds: xr.Dataset, dim: str, names: list[str]) -> list[Any]:
    """Return names as labels along a dim, which may be integers."""
    if dim not in ds.indexes or ds.indexes[dim].dtype.kind not in "iu":
        return list(names)
    try:
        return [int(name) for name in names]
    except ValueError:
        raise InputError(f"{dim} is {format_value(names)}; expected integers, as the store has them") from None
