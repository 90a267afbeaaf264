"""Types of options, shared options, and options for the parameters of a simulation."""

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from yeastxr._utils import import_extra
from yeastxr.cli.group import Refused, is_quiet
from yeastxr.errors import format_value, suggest
from yeastxr.names.catalog import YEAST
from yeastxr.simulation import SimulationSpec, presets

if TYPE_CHECKING:
    import xarray as xr


class StorePath(click.ParamType):
    """A store: a folder, a zip file or a URL, with completion of folders."""

    name = "store"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text unchanged; opening the store validates it."""
        return str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Let the shell complete the name of a folder."""
        return [CompletionItem(incomplete, type="dir")]


class Word(click.Choice):
    """A choice that suggests similar words, and treats ``_`` and ``-`` as equal."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the word."""
        word = str(value).replace("-", "_")
        found = [choice for choice in self.choices if choice.replace("-", "_") == word]
        if not found:
            self.fail(f"unknown value {format_value(value)}; {suggest(word, self.choices)}", param, ctx)
        return found[0]


class ChunkSizes(click.ParamType):
    """Chunk lengths by dimension, or a keyword."""

    def __init__(self, *words: str) -> None:
        self.words, self.name = words, " or ".join([*words, "dim=size,..."])

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the keyword, or a dict from dimensions to lengths."""
        if isinstance(value, dict) or value in self.words:
            return value
        sizes: dict[str, int] = {}
        for item in str(value).split(","):
            dim, _, text = (part.strip() for part in item.partition("="))
            if not dim or dim in sizes or not re.fullmatch(r"-1|0*[1-9][0-9]{0,17}", text):
                words = " or ".join(self.words)
                self.fail(
                    f"{format_value(value)} is invalid; expected {words}, or sizes by dimension (-1 for all), "
                    "such as gene=-1,tf=500",
                    param,
                    ctx,
                )
            sizes[dim] = int(text)
        return sizes

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Complete the keywords."""
        return [CompletionItem(word) for word in self.words if word.startswith(incomplete)]


class ListOf(click.ParamType):
    """Comma-separated values."""

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
            self.fail(f"{value!r} is invalid; expected {self.name}", param, ctx)


class Names(ListOf):
    """Comma-separated names, ``@FILE`` with one name per line, or the names of the catalog."""

    def __init__(self) -> None:
        super().__init__("name", str)
        self.name = f"name,... or @file or {YEAST}"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the names as a list."""
        text = str(value)
        if text == YEAST:
            return text
        if text.startswith("@"):
            try:
                lines = Path(text[1:]).read_text(encoding="utf-8-sig").splitlines()
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or "not UTF-8 text"
                self.fail(f"{text!r} can't be read: {reason}", param, ctx)
            return [line.strip() for line in lines if line.strip()]
        looks_like_file = re.search(r"[/\\]|\.(txt|csv|tsv|json|ya?ml|gz|xlsx?|bed|gff3?|gtf|list|names)$", text, re.I)
        if "," not in text and (looks_like_file or Path(text).is_file()):
            self.fail(f"{text!r} looks like a file; expected names, or @{text} to read them from the file", param, ctx)
        return super().convert(value, param, ctx)


class Genes(Names):
    """A number of genes, or their names."""

    def __init__(self) -> None:
        super().__init__()
        self.name = f"count or name,... or @file or {YEAST}"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the count, or the names as a list."""
        text = str(value)
        for parse in (int, float):  # an invalid number must not pass as a name
            try:
                return parse(text)
            except ValueError:
                continue
        names = [name.strip() for name in text.split(",")]
        if not all(names):
            self.fail(f"{value!r} contains an empty name; expected a number, or comma-separated names", param, ctx)
        if all(name.replace("_", "").isdigit() for name in names):
            hint = f"{''.join(names)}, or names (numeric names need a file, --genes @FILE)"
            self.fail(f"{value!r} is a list of numbers; expected a count such as {hint}", param, ctx)
        return super().convert(value, param, ctx)


def _refuse_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object, or raise for duplicate keys, whose first value would be lost."""
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"duplicate key {format_value(next(key for key in keys if keys.count(key) > 1))}")
    return values


def read_mapping(ctx: click.Context, param: click.Parameter, path: Path | None) -> dict[str, Any]:
    """Return the parameters in a YAML or JSON file."""
    import yaml

    if path is None:
        return {}

    class Loader(yaml.SafeLoader):
        """YAML that reads 1e-10 as a number, as JSON does, and rejects duplicate keys."""

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            keys = [repr(self.construct_object(key, deep=True)) for key, _ in node.value]
            for i, key in enumerate(keys):
                if key in keys[:i]:
                    raise yaml.MarkedYAMLError(problem=f"duplicate key {key}", problem_mark=node.value[i][0].start_mark)
            return super().construct_mapping(node, deep)

    exponent = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", exponent, list("-+0123456789"))
    try:
        text = path.read_text(encoding="utf-8")
        try:  # YAML is almost a superset of JSON, but parsing is a hundred times slower
            values = json.loads(text, object_pairs_hook=_refuse_repeats)
        except ValueError:
            values = yaml.load(text, Loader)  # a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise click.BadParameter(f"{path} is not YAML: {' '.join(str(error).split())}", ctx=ctx, param=param) from None
    if not isinstance(values, dict):
        raise click.BadParameter(
            f"{path} contains {format_value(values)}; expected parameters with values", ctx=ctx, param=param
        )
    return values


RELATIONS_HELP = "A YAML or JSON file that maps TFs to conditions, such as {0: 1 & (3 | !7)}."
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
TYPES: dict[Any, Any] = {
    int: int,
    float: float,
    str: str,
    bool: bool,
    list[int]: ListOf("integer", int),
    list[float]: ListOf("number", float),
    list[str]: Names(),
}


def add_parameters(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for each parameter of a simulation; omitted options keep the defaults of the functions."""
    for parameter in reversed(fields(SimulationSpec)):
        settings = dict(parameter.metadata)
        settings["type"] = TYPES.get(settings.pop("option"))
        del settings["extends"]
        if parameter.name == "genes":
            settings["type"] = Genes()
        elif parameter.name == "tf_relationships":
            settings["type"] = FILE
            settings["help"] += f" {RELATIONS_HELP}"
        default = parameter.default
        if settings["type"] is bool:
            settings |= {"type": None, "is_flag": True, "default": None}  # from the command line or --spec
        elif isinstance(default, int | float | tuple | str):
            text = (
                ",".join(map(str, default))
                if isinstance(default, tuple)
                else format(default, "" if isinstance(default, str) else "g")
            )
            settings["help"] += f"  [default: {text}]"  # a default of click would hide that an option is omitted
        command = click.option(f"--{parameter.name.replace('_', '-')}", **settings)(command)
    command = click.option(
        "--preset",
        metavar="NAME",
        help=f"Preset for parameters that neither options nor --spec set: {' or '.join(presets())}.  [default: none]",
    )(command)
    return click.option(
        "--spec",
        type=FILE,
        callback=read_mapping,
        help="A YAML or JSON file of parameters, as printed by `yeastxr info --spec`; options override the file.",
    )(command)


def _choose_progress(ctx: click.Context, param: click.Parameter, value: bool | None) -> bool | None:
    return False if is_quiet() else value


add_progress = click.option(
    "--progress/--no-progress",
    default=None,
    callback=_choose_progress,
    help="Show a progress bar.  [default: in a terminal]",
)
add_level = click.option(
    "--level", type=float, default=0.001, show_default=True, help="Probability that a correct dataset fails."
)
add_overwrite = click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
add_store = click.argument("store", type=StorePath())
add_out = click.argument("out", type=click.Path(path_type=Path))
add_chunks = click.option(
    "--chunks",
    type=ChunkSizes("auto"),
    help="Chunk sizes of the computation and the store, such as tf=500; by default all genes, "
    "one replicate, and about 13 MB per variable.  [default: auto]",
)
add_read_chunks = click.option(
    "--chunks",
    type=ChunkSizes("stored", "auto"),
    default="stored",
    show_default=True,
    help="Chunk sizes for reading: those of the store, dask's choice (auto), or sizes such as tf=500.",
)


def add_cluster(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of :func:`connect`."""
    command = click.option(
        "--scheduler", metavar="ADDRESS", help="Address of a dask cluster, such as tcp://host:8786."
    )(command)
    workers = click.IntRange(1)
    return click.option("--workers", type=workers, help="Number of worker processes.  [default: use threads]")(command)


def connect(workers: int | None, scheduler: str | None) -> AbstractContextManager[Any]:
    """Connect to a dask cluster, or start a local one; by default do neither."""
    if workers is None and scheduler is None:
        return nullcontext()
    if workers is not None and scheduler is not None:
        raise click.UsageError("--workers starts a cluster and --scheduler uses an existing one; expected only one")
    client = import_extra("distributed", "distributed").Client
    try:
        if scheduler is not None:
            return client(scheduler, timeout=10)
        return client(n_workers=workers, threads_per_worker=1, dashboard_address=":0")
    except (OSError, ValueError) as error:
        raise Refused(f"can't connect to --scheduler {scheduler!r}: {error}") from None


def open_dataset(store: str, chunks: Any = "stored") -> "xr.Dataset":
    """Open the store that a command reads."""
    from yeastxr.storage.store import open

    return open(store, chunks=chunks)
