"""The command ``yeastxr``: simulate, info, verify, check, report, export, analyze, demo; options are the parameters."""

import atexit
import gc
import json
import os
import re
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from yeastxr._version import __version__
from yeastxr.errors import InputError, describe_error, escape_controls, format_value
from yeastxr.names.catalog import YEAST
from yeastxr.simulation import SimulationSpec, read_relations


class _Refused(click.ClickException):
    """Bad input: one sentence, and the exit status of a wrong command line."""

    exit_code = 2


class _Group(click.Group):
    """A group whose commands end in one sentence, not a traceback, when their input is bad."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        with _end_neatly():  # errors are printed here
            return super().main(*args, **kwargs)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _end_neatly():  # --help is printed here
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with _end_neatly(), _explain_errors():
            return super().invoke(ctx)


@contextmanager
def _explain_errors() -> Iterator[None]:
    """Turn errors that a user can do something about into one sentence."""
    try:
        yield
    except InputError as error:
        raise _Refused(str(error)) from error
    except BrokenPipeError:
        raise
    except OSError as error:
        raise click.ClickException(f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")) from error
    except MemoryError as error:
        raise click.ClickException(f"not enough memory: {describe_error(error)}") from error
    except Exception as error:
        if not _is_from_codec(error):
            raise
        text = f"a chunk can't be decoded ({describe_error(error)}); `yeastxr verify STORE` lists the damaged ones"
        raise click.ClickException(text) from error


@contextmanager
def _end_neatly() -> Iterator[None]:
    """Keep messages on one line, and end quietly once the program that reads our output has, as ``head -1`` does."""
    try:
        yield
    except click.ClickException as error:
        vars(error)["message"] = escape_controls(error.message)
        raise
    except BrokenPipeError as error:
        broken = [descriptor for descriptor in (1, 2) if _has_no_reader(descriptor)]
        if not broken:
            raise click.ClickException(f"a connection is broken: {describe_error(error)}") from error
        null = os.open(os.devnull, os.O_WRONLY)
        for descriptor in broken:
            os.dup2(null, descriptor)  # for what Python still writes at exit
        raise SystemExit(128 + signal.SIGPIPE) from None


def _has_no_reader(descriptor: int) -> bool:
    """Tell whether a file descriptor is a pipe whose other end is closed."""
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _is_from_codec(error: Exception) -> bool:
    """Tell whether an error comes from zarr's codecs, as it does when a file is damaged."""
    modules = (frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(name.partition(".")[0] == "numcodecs" or name.startswith("zarr.codecs") for name in modules)


def _echo(text: object, **settings: Any) -> None:
    """Print a text, line by line, with control characters of names escaped."""
    click.echo("\n".join(map(escape_controls, str(text).split("\n"))), **settings)


class _List(click.ParamType):
    """Values with commas between them."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name, self._parse = f"{name},...", parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            items = [item.strip() for item in str(value).split(",")]
            if not all(items):
                raise ValueError("empty")
            return list(map(self._parse, items))
        except ValueError:
            self.fail(f"{value!r} is not a list of the form {self.name}", param, ctx)


class _Names(_List):
    """Names with commas between them, ``@`` and a file with a name on each line, or those of the catalog."""

    def __init__(self) -> None:
        super().__init__("name", str)
        self.name = f"name,... or @file or {YEAST}"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        text = str(value)
        if text == YEAST:
            return text
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


class _Genes(_Names):
    """A count, or names."""

    def __init__(self) -> None:
        super().__init__()
        self.name = f"count or name,... or @file or {YEAST}"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
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


def _read_spec(ctx: click.Context, param: click.Parameter, path: Path | None) -> dict[str, Any]:
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
    list[int]: _List("integer", int),
    list[float]: _List("number", float),
    list[str]: _Names(),
}


def _add_parameters(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for each parameter of a simulation; those that are not given keep the functions' defaults."""
    for parameter in reversed(fields(SimulationSpec)):
        settings = dict(parameter.metadata)
        settings["type"] = _TYPES.get(settings.pop("option"))
        del settings["extends"]
        if parameter.name == "genes":
            settings["type"] = _Genes()
        elif parameter.name == "tf_relationships":
            settings["type"] = click.Path(exists=True, dir_okay=False, path_type=Path)
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


_PROGRESS = click.option(
    "--progress/--no-progress", default=None, help="Show a progress bar; on a terminal by default."
)
_LEVEL = click.option(
    "--level", type=float, default=0.001, show_default=True, help="The probability that a correct dataset fails."
)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="yeastxr")
def main() -> None:
    """Simulate transcription-factor binding and perturbation data of yeast, as labelled datasets."""


@main.command()
@click.argument("out", metavar="OUT.zarr")
@click.option(
    "--spec",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    callback=_read_spec,
    help="A YAML or JSON file of parameters, as `yeastxr info --spec` prints it; options take precedence.",
)
@_add_parameters
@click.option("--overwrite", is_flag=True, help="Replace OUT.zarr if it is a yeastxr store.")
@click.option("--workers", type=click.IntRange(1), help="How many processes to compute in, instead of threads.")
@click.option("--scheduler", metavar="ADDRESS", help="Compute on a dask cluster, such as tcp://host:8786.")
@_PROGRESS
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def simulate(
    out: str,
    spec: dict[str, Any],
    overwrite: bool,
    workers: int | None,
    scheduler: str | None,
    progress: bool | None,
    quiet: bool,
    **parameters: Any,
) -> None:
    """Simulate a dataset and save it as a zarr store: a folder, or a URL such as s3://bucket/sim.zarr.

    The same command resumes a run that ended early.

    For example: yeastxr simulate sim.zarr --genes 6600 --bound 0.1,0.2 --n-sample 100,100 --seed 42
    """
    from yeastxr._blocks import CHUNK_CELLS
    from yeastxr.simulation.parameters import PopulationParameters
    from yeastxr.simulation.simulate import check_parameter_names
    from yeastxr.storage.store import find_unfinished_seed, is_saved, save

    check_parameter_names(spec)
    values = spec | {name: value for name, value in parameters.items() if value is not None}
    for name in ("genes", "bound"):
        if name not in values:
            raise click.UsageError(f"Missing option '--{name}', or '--spec' with a file that has it.")
    if isinstance(values.get("tf_relationships"), Path):  # of the option; a specification has relations themselves
        tfs = PopulationParameters(**PopulationParameters.pick(values)).tf_labels
        values["tf_relationships"] = read_relations(values["tf_relationships"], tfs=tfs)
    if values.get("seed") is None:
        values["seed"] = find_unfinished_seed(out)
    simulation = SimulationSpec.from_dict(values)
    start = time.perf_counter()
    with _cluster(workers, scheduler):
        # Data of one chunk need no dask, which would take longer to load than the rest takes to run.
        small = simulation.n_genes * len(simulation.tf_labels) * (simulation.replicates or 1) <= CHUNK_CELLS
        ds = simulation.simulate(chunks=None if small and not (workers or scheduler) else "auto")
        if not overwrite and is_saved(ds, out):
            if not quiet:
                _echo(f"{out}: already complete")
            return
        try:
            save(ds, out, overwrite=overwrite, progress=False if quiet else progress)
        except KeyboardInterrupt:
            raise click.ClickException(f"interrupted; the same command resumes {out}") from None
    if not quiet:
        sizes = " x ".join(f"{n:,} {dim}{'s' if n > 1 else ''}" for dim, n in ds["label"].sizes.items())
        _echo(f"{out}: {sizes}, seed {simulation.seed}, in {time.perf_counter() - start:.1f} s")


def _cluster(workers: int | None, scheduler: str | None) -> AbstractContextManager[Any]:
    """Connect to a dask cluster, or start one on this machine; neither by default."""
    if workers is None and scheduler is None:
        return nullcontext()
    if workers is not None and scheduler is not None:
        raise click.UsageError("--workers starts a cluster and --scheduler names one; expected one of them")
    try:
        from distributed import Client
    except ImportError:
        raise _Refused("distributed is not installed; pip install 'yeastxr[distributed]'") from None
    try:
        if scheduler is not None:
            return Client(scheduler, timeout=10)
        return Client(n_workers=workers, threads_per_worker=1, dashboard_address=":0")
    except (OSError, ValueError) as error:
        raise _Refused(f"--scheduler is {scheduler!r}, which can't be reached: {error}") from None


@main.command()
@click.argument("store")
@click.option("--spec", "as_spec", is_flag=True, help="Print the specification alone, as YAML for `simulate --spec`.")
def info(store: str, as_spec: bool) -> None:
    """Print what a store holds and what made it."""
    import yaml

    from yeastxr.errors import StoreError
    from yeastxr.simulation.simulate import spec_of
    from yeastxr.storage.layout import read_root_attrs
    from yeastxr.storage.location import COMPLETE, locate
    from yeastxr.storage.store import open as open_store

    location = locate(store, read_only=True)
    complete = read_root_attrs(location)[COMPLETE] is True
    ds = open_store(store, incomplete=True)
    spec = spec_of(ds)
    if as_spec:
        if spec is None:
            raise StoreError(f"store is {store!r}, which has no specification; expected a simulation")
        values = {name: value for name, value in spec.to_dict().items() if value is not None}
        _echo(yaml.safe_dump(values, sort_keys=False, allow_unicode=True, default_flow_style=None), nl=False)
        return
    _echo(repr(ds.drop_attrs(deep=False)))
    if location.path is not None:
        on_disk = sum(file.stat().st_size for file in location.path.rglob("*") if file.is_file())
        _echo(f"On disk: {on_disk / 1e6:,.1f} MB of {ds.nbytes / 1e6:,.1f} MB")
    if not complete:
        _echo("Unfinished: the same simulate command, or verify --repair, completes it.")
    if spec is None:
        _echo("No specification: not the dataset of one simulation.")
        return
    version, scheme = (ds.attrs.get(name) for name in ("yeastxr_version", "law_version"))
    _echo(f"Simulated by yeastxr {version}, random-number scheme {scheme}:")
    for name, value in spec.to_dict().items():
        if value is not None:
            _echo(f"  {name}: {format_value(value, 100)}")


@main.command()
@click.argument("store")
@click.option("--against-spec", is_flag=True, help="Simulate every block again and compare bits.")
@click.option("--repair", is_flag=True, help="Simulate missing and damaged blocks again; completes unfinished stores.")
@_PROGRESS
def verify(store: str, against_spec: bool, repair: bool, progress: bool | None) -> None:
    """List the missing and damaged blocks of a store; the exit status is 0 only if it is complete and intact."""
    from yeastxr.storage.verify import verify as verify_store

    result = verify_store(store, against="spec" if against_spec else "digests", repair=repair, progress=progress)
    _echo(result)
    if not result.whole:
        sys.exit(1)


@main.command()
@click.argument("store")
@_LEVEL
@_PROGRESS
def check(store: str, level: float, progress: bool | None) -> None:
    """Check a store against theory; the exit status is 1 if a check fails."""
    from yeastxr.checks import check as check_dataset
    from yeastxr.storage.store import open as open_store

    table = check_dataset(open_store(store), level=level, progress=progress)
    _echo(table)
    if table.failed:
        sys.exit(1)


@main.command()
@click.argument("store")
@click.argument("out", type=click.Path(path_type=Path), required=False)
@click.option("--title", help="The page's title.")
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
@_LEVEL
@_PROGRESS
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
    _echo(f"{path}: {path.stat().st_size / 1e6:,.1f} MB; {table.summary}")


@main.command()
@click.argument("store")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--features", type=_List("name", str), help="Names of features, in this order; all by default.")
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
def export(store: str, out: Path, features: list[str] | None, overwrite: bool) -> None:
    """Write a store's data to OUT: a tensor (.pt), arrays (.npz) or a table (.csv, .csv.gz)."""
    from yeastxr.export import export as export_dataset
    from yeastxr.storage.store import open as open_store

    export_dataset(open_store(store), out, features=features, overwrite=overwrite)
    _echo(f"{out}: {out.stat().st_size / 1e6:,.1f} MB")


@main.command()
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
    _echo(f"{out}: {result.sizes['tf']:,} TFs by {method}")
    for name, value in pooled.items():
        _echo(f"  {name}: {value:.4g}")
    if "seed" in result.attrs and method == "dual-threshold":
        _echo(f"  seed: {result.attrs['seed']}")


def _list_points(curves: Any) -> Any:
    """Return the points of ROC curves by TF, with the precision that follows from rates and the base rate."""
    true, false = curves["tpr"] * curves["base_rate"], curves["fpr"] * (1 - curves["base_rate"])
    precision = (true / (true + false)).transpose(*curves["tpr"].dims)
    return curves[["tpr", "threshold"]].assign(precision=precision)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default="yeastxr-demo")
@click.option("--method", type=click.IntRange(1, 4), default=2, show_default=True, help="How means are adjusted.")
@click.option("--overwrite", is_flag=True, help="Replace files of an earlier run.")
def demo(folder: Path, method: int, overwrite: bool) -> None:
    """Run the tutorial and write a store, a tensor and QC plots to FOLDER."""
    from yeastxr.demo import run

    run(folder, method=method, overwrite=overwrite, echo=_echo)


def run() -> None:
    """Run the command; the process ends with it."""
    atexit.register(gc.freeze)  # collecting garbage at exit takes a fifth of a short run
    main()


if __name__ == "__main__":
    run()
