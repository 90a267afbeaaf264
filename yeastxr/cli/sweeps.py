"""The command sweep, and how values to sweep over are written."""

import time
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import click
from click.shell_completion import CompletionItem

from yeastxr.cli.group import Refused, echo, explain_interrupt
from yeastxr.cli.options import FILE, add_chunks, add_cluster, add_parameters, add_progress, connect, read_mapping
from yeastxr.cli.stores import describe_sizes, make_specification
from yeastxr.errors import format_value
from yeastxr.simulation import SimulationSpec

_RELATIONS = "tf_relationships"


class _Over(click.ParamType):
    """A parameter and the values to sweep over: numbers, or texts where it takes texts."""

    name = "name=value,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, list[Any]]:
        """Return the name of the parameter, and its values."""
        if isinstance(value, tuple):
            return value
        name, separator, text = str(value).partition("=")
        name = name.strip().replace("-", "_")
        items = [item.strip() for item in text.split(",")]
        if not separator or not name or not all(items):
            self.fail(f"{format_value(value)} is not of the form {self.name}, such as bound_mean=3,5", param, ctx)
        if name == _RELATIONS:
            self.fail(f"{name} takes conditions, not words; expected --sweep with a file that has them", param, ctx)
        parse = _find_parser(name)
        try:
            return name, list(map(parse, items))
        except ValueError:
            expected = "integers" if parse is int else "numbers"
            self.fail(f"{format_value(value)} has a value that is none of the {expected} that {name} takes", param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Complete the names of parameters that take numbers or texts."""
        names = ["method", *(field.name for field in fields(SimulationSpec) if field.metadata["option"])]
        return [CompletionItem(f"{name}=") for name in names if name.startswith(incomplete)]


def _find_parser(name: str) -> Callable[[str], Any]:
    """Return what makes a value of a parameter of its text; that of other names, such as method, is the text."""
    options = {field.name: field.metadata["option"] for field in fields(SimulationSpec)}
    option = options.get(name, str)
    if option in (str, bool, list[str]):
        return str
    return int if option in (int, list[int]) else float


def _list_swept(over: tuple[tuple[str, list[Any]], ...], grid: dict[str, Any], *, named: bool) -> dict[str, Any]:
    """Return the values of each swept dim, those of a file first."""
    for dim in grid:
        if not isinstance(dim, str):
            raise Refused(f"--sweep has the key {format_value(dim)}; expected the name of a parameter")
    values = {dim: _read_relations(dim, given, named=named) for dim, given in grid.items()}
    for name, given in over:
        if name in values:
            raise Refused(f"{name} is swept over twice; expected it once, in --over or --sweep")
        values[name] = given
    if not values:
        raise click.UsageError("Missing option '--over', such as --over bound_mean=3,5, or '--sweep' with a file.")
    return values


def _read_relations(dim: str, given: Any, *, named: bool) -> Any:
    """Return the values of a swept dim, with relations made of their JSON, wherever they are."""
    from yeastxr.simulation.relations import from_json

    def make(relations: Any) -> Any:
        return None if relations is None else from_json(relations, named=named)

    if not isinstance(given, dict):
        return [make(value) for value in given] if dim == _RELATIONS and isinstance(given, list) else given
    if dim == _RELATIONS:
        return {label: make(value) for label, value in given.items()}
    return {
        label: {**value, _RELATIONS: make(value[_RELATIONS])}
        if isinstance(value, dict) and _RELATIONS in value
        else value
        for label, value in given.items()
    }


@click.command()
@click.argument("out", metavar="OUT.zarr")
@click.option(
    "--over",
    type=_Over(),
    multiple=True,
    help="A parameter and its values, such as bound_mean=3,5; each --over is a dimension.",
)
@click.option(
    "--sweep",
    "grid",
    type=FILE,
    callback=read_mapping,
    help="A YAML or JSON file of what to sweep over, before --over: parameters, each with a list of values, or with "
    "values by label.",
)
@add_parameters
@add_chunks
@click.option("--overwrite", is_flag=True, help="Replace OUT.zarr if it is a yeastxr store.")
@add_cluster
@add_progress
def sweep(
    out: str,
    over: tuple[tuple[str, list[Any]], ...],
    grid: dict[str, Any],
    spec: dict[str, Any],
    chunks: Any,
    overwrite: bool,
    workers: int | None,
    scheduler: str | None,
    progress: bool | None,
    **parameters: Any,
) -> None:
    """Simulate over a grid of parameters, and save the points as one store, in which each swept parameter is a dim.

    The other parameters are those of all points, as for simulate. The same command resumes a run that ended early.

    For example: yeastxr sweep sweep.zarr --spec spec.yaml --over max_mean_adjustment=0,5,10 --over bound_mean=3,5
    """
    from yeastxr.simulation import sweep as make_sweep
    from yeastxr.storage.store import is_saved, save

    simulation = make_specification(out, spec, parameters)
    values = _list_swept(over, grid, named=simulation.tfs is not None)
    start = time.perf_counter()
    with connect(workers, scheduler):
        ds = make_sweep(simulation, chunks=chunks or "auto", **values)
        if not overwrite and is_saved(ds, out):
            echo(f"{out}: already complete")
            return
        with explain_interrupt(f"the same command resumes {out}"):
            save(ds, out, overwrite=overwrite, progress=progress)
    sizes = {dim: ds.sizes[dim] for dim in dict.fromkeys([*values, *ds.sizes]) if dim != "feature"}
    seconds = time.perf_counter() - start
    echo(f"{out}: {describe_sizes(sizes)}, seed {simulation.seed}, in {seconds:.1f} s")
