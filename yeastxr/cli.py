"""The command ``yeastxr``: simulate, info, verify, check, report, export, demo; options are named as parameters."""

import atexit
import gc
import json
import re
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import click

from yeastxr._version import __version__
from yeastxr.errors import InputError, describe_error, format_value


class _Refused(click.ClickException):
    """Bad input: one sentence, and the exit status of a wrong command line."""

    exit_code = 2


class _Group(click.Group):
    """A group whose commands end in one sentence, not a traceback, when their input is bad."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except InputError as error:
            raise _Refused(str(error)) from error
        except OSError as error:
            raise click.ClickException(f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")) from error
        except MemoryError as error:
            raise click.ClickException(f"not enough memory: {describe_error(error)}") from error
        except Exception as error:
            if not _while_decoding(error):
                raise
            text = f"a chunk can't be decoded ({describe_error(error)}); `yeastxr verify STORE` tells which are damaged"
            raise click.ClickException(text) from error


def _while_decoding(error: Exception) -> bool:
    """Tell whether an error comes from zarr's codecs, as it does when a file is damaged."""
    modules = (frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(name.partition(".")[0] == "numcodecs" or name.startswith("zarr.codecs") for name in modules)


class _List(click.ParamType):
    """Values with commas between them."""

    def __init__(self, name: str, kind: Callable[[str], Any]) -> None:
        self.name, self._kind = f"{name},...", kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            items = [item.strip() for item in str(value).split(",")]
            if not all(items):
                raise ValueError("empty")
            return list(map(self._kind, items))
        except ValueError:
            self.fail(f"{value!r} is not a list of the form {self.name}", param, ctx)


class _Genes(click.ParamType):
    """A count, or names with commas between them."""

    name = "count or name,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        text = str(value)
        for kind in (int, float):  # a number that is no count is refused as such, not taken for a name
            try:
                return kind(text)
            except ValueError:
                continue
        names = [name.strip() for name in text.split(",")]
        if not all(names):
            self.fail(f"{value!r} has an empty name; expected a count, or names with commas between them", param, ctx)
        if all(name.replace("_", "").isdigit() for name in names):
            hint = f"{''.join(names)}, or names that are no numbers; names that are go into a file, see --spec"
            self.fail(f"{value!r} is a list of numbers; expected a count such as {hint}", param, ctx)
        return names


def _read_relationships(ctx: click.Context, param: click.Parameter, path: Path | None) -> Any:
    if path is None:
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"{path} is not JSON: {error}", ctx=ctx, param=param) from None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object, or refuse one that says something twice: the first would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for i, (name, _) in enumerate(pairs) if name in dict(pairs[:i]))
        raise ValueError(f"{format_value(twice)} is there twice")
    return found


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


_FLOATS, _INTS = _List("number", float), _List("integer", int)
_PARAMETERS: list[tuple[str, Any, str]] = [
    ("bound", _FLOATS, "Bound fractions, each from 0 to 1, such as 0.1,0.2."),
    ("n_sample", _INTS, "How many TFs for each bound fraction, such as 100,100; one each by default."),
    ("tfs", _List("name", str), "Names of the TFs; integers from 0 by default."),
    ("replicates", int, "How many replicates; none by default."),
    ("background_hops_range", _INTS, "First and last number of background hops, such as 1,100."),
    ("unbound_experiment_hops_range", _INTS, "The same for experiment hops of unbound pairs, such as 0,1."),
    ("bound_experiment_hops_range", _INTS, "The same for experiment hops of bound pairs, such as 1,6."),
    ("total_background_hops", int, "All background hops."),
    ("total_experiment_hops", int, "All experiment hops."),
    ("pseudocount", float, "What keeps the enrichment finite."),
    ("large_effect_percentile", float, "From which quantile of absolute effects on a p-value is small."),
    ("large_effect_upper_pval", float, "The upper end of small p-values."),
    ("unbound_mean", float, "Mean perturbation effect of unbound pairs."),
    ("unbound_std", float, "Standard deviation of unbound pairs."),
    ("bound_mean", float, "Mean perturbation effect of bound pairs."),
    ("bound_std", float, "Standard deviation of bound pairs."),
    ("max_mean_adjustment", float, "By how much binding raises the mean at most (methods 2 to 4)."),
    ("seed", int, "An integer from 0 to 2**64 - 1; drawn and shown by default."),
]


def _simulation_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for each parameter of a simulation; what is not given keeps the functions' default."""
    relationships = click.option(
        "--tf-relationships",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        callback=_read_relationships,
        help='A JSON file from TFs to conditions, such as {"0": [1, {"or": [3, {"not": 7}]}]} (methods 3 and 4).',
    )
    command = relationships(command)
    for name, kind, text in reversed(_PARAMETERS):
        command = click.option(f"--{name.replace('_', '-')}", type=kind, help=text)(command)
    return click.option("--genes", type=_Genes(), help="How many genes, or their names.")(command)


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
    help="A YAML or JSON file of parameters, as `yeastxr info --spec` prints it; options go before what it says.",
)
@_simulation_options
@click.option("--overwrite", is_flag=True, help="Replace OUT.zarr if it is a yeastxr store.")
@click.option("--workers", type=click.IntRange(1), help="Compute in so many processes instead of in threads.")
@click.option("--scheduler", metavar="ADDRESS", help="Compute on a dask cluster, such as tcp://host:8786.")
@click.option("--progress/--no-progress", default=None, help="Show a bar; by default where somebody looks.")
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

    A run that ends early is taken up where it ended by the same command.

    For example: yeastxr simulate sim.zarr --genes 6600 --bound 0.1,0.2 --n-sample 100,100 --seed 42
    """
    from yeastxr._blocks import CHUNK_CELLS
    from yeastxr.simulation.simulate import SimulationSpec, check_parameter_names
    from yeastxr.storage.store import save, unfinished_seed

    check_parameter_names(spec)
    values = spec | {name: value for name, value in parameters.items() if value is not None}
    for name in ("genes", "bound"):
        if name not in values:
            raise click.UsageError(f"Missing option '--{name}', or '--spec' with a file that says it.")
    if values.get("seed") is None:
        values["seed"] = unfinished_seed(out)
    asked = SimulationSpec.from_dict(values)
    start = time.perf_counter()
    with _cluster(workers, scheduler):
        # What fits in one chunk is made at once: dask would take longer to load than the rest takes to run.
        small = asked.n_genes * len(asked.tf_labels) * (asked.replicates or 1) <= CHUNK_CELLS
        ds = asked.simulate(chunks=None if small and not (workers or scheduler) else "auto")
        try:
            save(ds, out, overwrite=overwrite, progress=False if quiet else progress)
        except KeyboardInterrupt:
            raise click.ClickException(f"interrupted; the same command again goes on where {out} ended") from None
    if not quiet:
        sizes = " x ".join(f"{n:,} {dim}{'s' if n > 1 else ''}" for dim, n in ds["label"].sizes.items())
        click.echo(f"{out}: {sizes}, seed {asked.seed}, in {time.perf_counter() - start:.1f} s")


def _cluster(workers: int | None, scheduler: str | None) -> AbstractContextManager[Any]:
    """Connect to a dask cluster, or start one on this machine; neither by default."""
    if workers is None and scheduler is None:
        return nullcontext()
    if workers is not None and scheduler is not None:
        raise click.UsageError("--workers starts a cluster and --scheduler names one; expected one of them.")
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
    """Say what a store holds and what made it."""
    import yaml

    from yeastxr.errors import StoreError
    from yeastxr.simulation.simulate import spec_of
    from yeastxr.storage.layout import COMPLETE, root_attrs
    from yeastxr.storage.location import locate
    from yeastxr.storage.store import open as open_store

    location = locate(store, read_only=True)
    complete = root_attrs(location)[COMPLETE] is True
    ds = open_store(store, incomplete=True)
    spec = spec_of(ds)
    if as_spec:
        if spec is None:
            raise StoreError(f"store is {store!r}, which has no specification; expected a simulation")
        values = {name: value for name, value in spec.to_dict().items() if value is not None}
        click.echo(yaml.safe_dump(values, sort_keys=False, allow_unicode=True, default_flow_style=None), nl=False)
        return
    click.echo(repr(ds.drop_attrs(deep=False)))
    if location.path is not None:
        on_disk = sum(file.stat().st_size for file in location.path.rglob("*") if file.is_file())
        click.echo(f"On disk: {on_disk / 1e6:,.1f} MB of {ds.nbytes / 1e6:,.1f} MB")
    if not complete:
        click.echo("Unfinished: the same simulate command again, or verify --repair, finishes it.")
    if spec is None:
        click.echo("No specification: not one simulation's dataset.")
        return
    click.echo(f"Simulated by yeastxr {ds.attrs.get('yeastxr_version')}, law of draws {ds.attrs.get('law_version')}:")
    for name, value in spec.to_dict().items():
        if value is not None:
            click.echo(f"  {name}: {format_value(value, 100)}")


@main.command()
@click.argument("store")
@click.option("--against-spec", is_flag=True, help="Make every block again and compare bits.")
@click.option("--repair", is_flag=True, help="Make again what is missing or damaged; finishes unfinished stores, too.")
@click.option("--progress/--no-progress", default=None, help="Show a bar; by default where somebody looks.")
def verify(store: str, against_spec: bool, repair: bool, progress: bool | None) -> None:
    """Tell which blocks of a store are whole, missing or damaged; the exit status is 0 only if it is whole."""
    from yeastxr.storage.verify import verify as verify_store

    found = verify_store(store, against="spec" if against_spec else "digests", repair=repair, progress=progress)
    click.echo(found)
    if not found.whole:
        sys.exit(1)


@main.command()
@click.argument("store")
@click.option("--level", type=float, default=0.001, show_default=True, help="The chance that a right dataset fails.")
@click.option("--progress/--no-progress", default=None, help="Show a bar; by default where somebody looks.")
def check(store: str, level: float, progress: bool | None) -> None:
    """Check a store against theory; the exit status is 1 if a check fails."""
    from yeastxr.checks import check as check_dataset
    from yeastxr.storage.store import open as open_store

    table = check_dataset(open_store(store), level=level, progress=progress)
    click.echo(table)
    if not table.passed:
        sys.exit(1)


@main.command()
@click.argument("store")
@click.argument("out", type=click.Path(path_type=Path), required=False)
@click.option("--title", help="The page's title.")
@click.option("--level", type=float, default=0.001, show_default=True, help="The chance that a right dataset fails.")
@click.option("--progress/--no-progress", default=None, help="Show a bar; by default where somebody looks.")
def report(store: str, out: Path | None, title: str | None, level: float, progress: bool | None) -> None:
    """Write a page with checks, pictures and how to make a store's dataset again; by default STORE.html, here."""
    from yeastxr.checks import check as check_dataset
    from yeastxr.report.report import TITLE, page_path
    from yeastxr.report.report import report as write_report
    from yeastxr.storage.store import open as open_store

    ds = open_store(store)
    path = page_path(Path(f"{Path(store.rstrip('/')).stem or 'report'}.html") if out is None else out)
    table = check_dataset(ds, level=level, progress=progress)
    write_report(ds, path, checks=table, title=TITLE if title is None else title)
    click.echo(f"{path}: {path.stat().st_size / 1e6:,.1f} MB; {table.summary}")


@main.command()
@click.argument("store")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--features", type=_List("name", str), help="Which features, in this order; all by default.")
@click.option("--overwrite", is_flag=True, help="Replace OUT if it is there.")
def export(store: str, out: Path, features: list[str] | None, overwrite: bool) -> None:
    """Write a store's data to OUT: a tensor (.pt), arrays (.npz) or a table (.csv, .csv.gz)."""
    from yeastxr.export import export as export_dataset
    from yeastxr.storage.store import open as open_store

    export_dataset(open_store(store), out, features=features, overwrite=overwrite)
    click.echo(f"{out}: {out.stat().st_size / 1e6:,.1f} MB")


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default="yeastxr-demo")
@click.option("--method", type=click.IntRange(1, 4), default=2, show_default=True, help="How means are adjusted.")
@click.option("--overwrite", is_flag=True, help="Replace files of an earlier run.")
def demo(folder: Path, method: int, overwrite: bool) -> None:
    """Run the tutorial and leave a store, a tensor and QC pictures in FOLDER."""
    from yeastxr.demo import run

    run(folder, method=method, overwrite=overwrite, say=click.echo)


def run() -> None:
    """Run the command as a process of its own."""
    atexit.register(gc.freeze)  # collecting what a process leaves when it ends takes a fifth of a short run
    main()


if __name__ == "__main__":
    run()
