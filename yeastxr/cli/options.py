"""Types of options, options that commands share, and those that are the parameters of a simulation."""

import json
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from yeastxr.errors import format_value
from yeastxr.simulation import SimulationSpec


class ListOf(click.ParamType):
    """Values with commas between them."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name, self._parse = f"{name},...", parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the values as a list."""
        try:
            items = [item.strip() for item in str(value).split(",")]
            if not all(items):
                raise ValueError("empty")
            return list(map(self._parse, items))
        except ValueError:
            self.fail(f"{value!r} is not a list of the form {self.name}", param, ctx)


class Names(ListOf):
    """Names with commas between them, or ``@`` and a file with a name on each line."""

    def __init__(self) -> None:
        super().__init__("name", str)
        self.name = "name,... or @file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the names as a list."""
        text = str(value)
        if text.startswith("@"):
            try:
                lines = Path(text[1:]).read_text(encoding="utf-8-sig").splitlines()
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
                self.fail(f"{text!r} can't be read: {reason}", param, ctx)
            return [line.strip() for line in lines if line.strip()]
        looks_like_file = re.search(r"[/\\]|\.(txt|csv|tsv|json|ya?ml|gz|xlsx?|bed|gff3?|gtf|list|names)$", text, re.I)
        if "," not in text and (looks_like_file or Path(text).is_file()):
            self.fail(f"{text!r} looks like a file; expected names, or @{text} for the names in that file", param, ctx)
        return super().convert(value, param, ctx)


class Genes(Names):
    """A count, or names."""

    def __init__(self) -> None:
        super().__init__()
        self.name = "count or name,... or @file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the count, or the names as a list."""
        text = str(value)
        for parse in (int, float):  # a number that is not a count is refused as such, not taken for a name
            try:
                return parse(text)
            except ValueError:
                continue
        names = [name.strip() for name in text.split(",")]
        if not all(names):
            self.fail(f"{value!r} has an empty name; expected a count, or names with commas between them", param, ctx)
        if all(name.replace("_", "").isdigit() for name in names):
            hint = f"{''.join(names)}, or names; names that are numbers go into a file, --genes @FILE"
            self.fail(f"{value!r} is a list of numbers; expected a count such as {hint}", param, ctx)
        return super().convert(value, param, ctx)


def read_relationships(ctx: click.Context, param: click.Parameter, path: Path | None) -> Any:
    """Return the relations in a JSON file."""
    if path is None:
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_refuse_repeats)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"{path} is not JSON: {error}", ctx=ctx, param=param) from None


def _refuse_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object, or refuse one that has a key twice: the first value would be lost."""
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"{format_value(next(key for key in keys if keys.count(key) > 1))} is there twice")
    return values


def read_spec(ctx: click.Context, param: click.Parameter, path: Path | None) -> dict[str, Any]:
    """Return the parameters in a YAML or JSON file."""
    import yaml

    if path is None:
        return {}

    class Loader(yaml.SafeLoader):
        """YAML that takes 1e-10 for a number, as JSON does."""

    exponent = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", exponent, list("-+0123456789"))
    try:
        text = path.read_text(encoding="utf-8")
        try:
            values = json.loads(text)  # YAML is nearly a superset of JSON, but not quite, and a hundred times slower
        except ValueError:
            values = yaml.load(text, Loader)  # a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise click.BadParameter(f"{path} is not YAML: {' '.join(str(error).split())}", ctx=ctx, param=param) from None
    if not isinstance(values, dict):
        raise click.BadParameter(
            f"{path} is {format_value(values)}; expected parameters with values", ctx=ctx, param=param
        )
    return values


_TYPES: dict[Any, Any] = {
    int: int,
    float: float,
    str: str,
    bool: bool,
    list[int]: ListOf("integer", int),
    list[float]: ListOf("number", float),
    list[str]: Names(),
}


def add_parameters(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for each parameter of a simulation; those that are not given keep the functions' defaults."""
    for parameter in reversed(fields(SimulationSpec)):
        settings = dict(parameter.metadata)
        settings["type"] = _TYPES.get(settings.pop("option"))
        del settings["extends"]
        if parameter.name == "genes":
            settings["type"] = Genes()
        elif parameter.name == "tf_relationships":
            settings["type"] = click.Path(exists=True, dir_okay=False, path_type=Path)
            settings["callback"] = read_relationships
            settings["help"] += ' A JSON file such as {"0": [1, {"or": [3, {"not": 7}]}]}, from TFs to conditions.'
        default = parameter.default
        if settings["type"] is bool:
            settings |= {"type": None, "is_flag": True, "default": None}  # given, or as --spec says
        elif isinstance(default, int | float | tuple | str):
            text = (
                ",".join(map(str, default))
                if isinstance(default, tuple)
                else format(default, "" if isinstance(default, str) else "g")
            )
            settings["help"] += f"  [default: {text}]"  # click's own default would hide that an option is not given
        command = click.option(f"--{parameter.name.replace('_', '-')}", **settings)(command)
    return command


add_progress = click.option(
    "--progress/--no-progress", default=None, help="Show a progress bar; on a terminal by default."
)
add_level = click.option(
    "--level", type=float, default=0.001, show_default=True, help="The probability that a correct dataset fails."
)
