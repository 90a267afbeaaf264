"""The command sweep, and the syntax of its values."""

from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Self

import click
from click.shell_completion import CompletionItem

from yeastxr.cli.group import Refused
from yeastxr.cli.options import FILE, add_chunks, add_cluster, add_parameters, add_progress, connect, read_mapping
from yeastxr.cli.stores import make_specification, save_simulation
from yeastxr.errors import InputError, format_value
from yeastxr.simulation import SimulationSpec

_RELATIONS = "tf_relationships"


class _Over(click.ParamType):
    """A parameter and the values to sweep over: numbers or texts."""

    name = "name=value,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, list[Any]]:
        """Return the name of the parameter and its values."""
        if isinstance(value, tuple):
            return value
        name, separator, text = str(value).partition("=")
        name = name.strip().replace("-", "_")
        items = [item.strip() for item in text.split(",")]
        if not separator or not name or not all(items):
            self.fail(f"{format_value(value)} is invalid; expected {self.name}, such as bound_mean=3,5", param, ctx)
        if name == _RELATIONS:
            self.fail(f"{name} needs conditions; expected --sweep with a file that contains them", param, ctx)
        parse = _find_parser(name)
        try:
            return name, list(map(parse, items))
        except ValueError:
            expected = "integers" if parse is int else "numbers"
            self.fail(f"{format_value(value)} contains an invalid value; expected {expected} for {name}", param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Complete the names of parameters that are numbers or texts."""
        names = ["method", *(field.name for field in fields(SimulationSpec) if field.metadata["option"])]
        return [CompletionItem(f"{name}=") for name in names if name.startswith(incomplete)]


def _find_parser(name: str) -> Callable[[str], Any]:
    """Return the function that converts text to a value of a parameter; other names, such as method, keep text."""
    options = {field.name: field.metadata["option"] for field in fields(SimulationSpec)}
    option = options.get(name, str)
    if option in (str, bool, list[str]):
        return str
    return int if option in (int, list[int]) else float


def _list_swept(over: tuple[tuple[str, list[Any]], ...], grid: "_Grid", simulation: SimulationSpec) -> dict[str, Any]:
    """Return the values of each swept dimension, those of the file first."""
    values = grid.read_relations(simulation)
    for name, given in over:
        if name in values:
            raise Refused(f"{name} is swept twice; expected it once, in --over or --sweep")
        values[name] = given
    if not values:
        raise click.UsageError("Missing option '--over', such as --over bound_mean=3,5, or '--sweep' FILE.")
    return values


@dataclass(frozen=True)
class _Grid:
    """The name of a file, and the unparsed values of each dimension that it sweeps over."""

    name: str
    values: dict[str, Any]

    @classmethod
    def read(cls, ctx: click.Context, param: click.Parameter, path: Path | None) -> Self:
        """Read a YAML or JSON file."""
        grid = cls("" if path is None else path.name, read_mapping(ctx, param, path))
        for dim in grid.values:
            if not isinstance(dim, str):
                raise Refused(f"{grid.name} sweeps over {format_value(dim)}; expected the name of a parameter")
        return grid

    def read_relations(self, simulation: SimulationSpec) -> dict[str, Any]:
        """Return the values of each swept dimension, with all relations parsed."""
        # Check relations here if the TFs of points are known, so that messages name the file.
        of_tfs = any(
            {"bound", "n_sample"} & {dim, *(name for change in _list_changes(given) for name in change)}
            for dim, given in self.values.items()
        )
        known, named = None if of_tfs else simulation.tf_labels, simulation.tfs is not None
        values: dict[str, Any] = {}
        for dim, given in self.values.items():
            if dim == _RELATIONS and isinstance(given, list):
                values[dim] = [self._make(value, named, known, dim, i) for i, value in enumerate(given)]
            elif not isinstance(given, dict):
                values[dim] = given
            elif dim == _RELATIONS:
                values[dim] = {label: self._make(value, named, known, dim, label) for label, value in given.items()}
            else:
                values[dim] = {
                    label: {**value, _RELATIONS: self._make(value[_RELATIONS], named, known, dim, label)}
                    if isinstance(value, dict) and _RELATIONS in value
                    else value
                    for label, value in given.items()
                }
        return values

    def _make(self, given: Any, named: bool, known: Collection[Hashable] | None, dim: str, label: Any) -> Any:
        """Return the relations of a label, or raise an error that names the file and the label."""
        from yeastxr.simulation.relations import check_relationships, from_json

        if given is None:
            return None
        try:
            relations = from_json(given, named=named)
            if known is not None:
                check_relationships(relations, known)
        except InputError as error:
            raise Refused(f"{self.name}, {dim}[{format_value(label)}]: {error}") from None
        return relations


def _list_changes(given: Any) -> list[dict[str, Any]]:
    """Return the parameters of each variant of a swept dimension, if it has variants."""
    return [change for change in given.values() if isinstance(change, dict)] if isinstance(given, dict) else []


@click.command()
@click.argument("out", metavar="OUT.zarr")
@click.option(
    "--over",
    type=_Over(),
    multiple=True,
    help="A parameter and its values, such as bound_mean=3,5; each --over adds a dimension.",
)
@click.option(
    "--sweep",
    "grid",
    type=FILE,
    callback=_Grid.read,
    help="A YAML or JSON file of parameters to sweep over, before those of --over: each has a list of values, or "
    "a mapping from labels to values.",
)
@add_parameters
@add_chunks
@click.option("--overwrite", is_flag=True, help="Replace OUT.zarr if it is a yeastxr store.")
@add_cluster
@add_progress
def sweep(
    out: str,
    over: tuple[tuple[str, list[Any]], ...],
    grid: _Grid,
    spec: dict[str, Any],
    chunks: Any,
    overwrite: bool,
    workers: int | None,
    scheduler: str | None,
    progress: bool | None,
    **parameters: Any,
) -> None:
    """Simulate over a grid of parameters, and save one store with a dimension for each swept parameter.

    All other parameters are the same for all points. Rerun the same command to resume an interrupted run.

    For example: yeastxr sweep sweep.zarr --spec spec.yaml --over max_mean_adjustment=0,5,10 --over bound_mean=3,5
    """
    from yeastxr.simulation.sweeps import make_sweep

    simulation = make_specification(out, spec, parameters)
    swept = make_sweep(simulation, _list_swept(over, grid, simulation))
    with connect(workers, scheduler):
        save_simulation(out, partial(swept.simulate, chunks or "auto"), simulation.seed, overwrite, progress)
