"""Commands that make, describe and repair stores: simulate, info, verify."""

import sys
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import click

from yeastxr.cli.group import Refused, echo
from yeastxr.cli.options import add_parameters, add_progress, read_spec
from yeastxr.errors import format_value
from yeastxr.simulation import SimulationSpec


@click.command()
@click.argument("out", metavar="OUT.zarr")
@click.option(
    "--spec",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    callback=read_spec,
    help="A YAML or JSON file of parameters, as `yeastxr info --spec` prints it; options take precedence.",
)
@add_parameters
@click.option("--overwrite", is_flag=True, help="Replace OUT.zarr if it is a yeastxr store.")
@click.option("--workers", type=click.IntRange(1), help="How many processes to compute in, instead of threads.")
@click.option("--scheduler", metavar="ADDRESS", help="Compute on a dask cluster, such as tcp://host:8786.")
@add_progress
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
    from yeastxr.simulation.simulate import check_parameter_names
    from yeastxr.storage.store import find_unfinished_seed, is_saved, save

    check_parameter_names(spec)
    values = spec | {name: value for name, value in parameters.items() if value is not None}
    for name in ("genes", "bound"):
        if name not in values:
            raise click.UsageError(f"Missing option '--{name}', or '--spec' with a file that has it.")
    if values.get("seed") is None:
        values["seed"] = find_unfinished_seed(out)
    simulation = SimulationSpec.from_dict(values)
    start = time.perf_counter()
    with _connect(workers, scheduler):
        # Data of one chunk need no dask, which would take longer to load than the rest takes to run.
        small = simulation.n_genes * len(simulation.tf_labels) * (simulation.replicates or 1) <= CHUNK_CELLS
        ds = simulation.simulate(chunks=None if small and not (workers or scheduler) else "auto")
        if not overwrite and is_saved(ds, out):
            if not quiet:
                echo(f"{out}: already complete")
            return
        try:
            save(ds, out, overwrite=overwrite, progress=False if quiet else progress)
        except KeyboardInterrupt:
            raise click.ClickException(f"interrupted; the same command resumes {out}") from None
    if not quiet:
        sizes = " x ".join(f"{n:,} {dim}{'s' if n > 1 else ''}" for dim, n in ds["label"].sizes.items())
        echo(f"{out}: {sizes}, seed {simulation.seed}, in {time.perf_counter() - start:.1f} s")


def _connect(workers: int | None, scheduler: str | None) -> AbstractContextManager[Any]:
    """Connect to a dask cluster, or start one on this machine; neither by default."""
    if workers is None and scheduler is None:
        return nullcontext()
    if workers is not None and scheduler is not None:
        raise click.UsageError("--workers starts a cluster and --scheduler names one; expected one of them")
    try:
        from distributed import Client
    except ImportError:
        raise Refused("distributed is not installed; pip install 'yeastxr[distributed]'") from None
    try:
        if scheduler is not None:
            return Client(scheduler, timeout=10)
        return Client(n_workers=workers, threads_per_worker=1, dashboard_address=":0")
    except (OSError, ValueError) as error:
        raise Refused(f"--scheduler is {scheduler!r}, which can't be reached: {error}") from None


@click.command()
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
        echo(yaml.safe_dump(values, sort_keys=False, allow_unicode=True, default_flow_style=None), nl=False)
        return
    echo(repr(ds.drop_attrs(deep=False)))
    if location.path is not None:
        on_disk = sum(file.stat().st_size for file in location.path.rglob("*") if file.is_file())
        echo(f"On disk: {on_disk / 1e6:,.1f} MB of {ds.nbytes / 1e6:,.1f} MB")
    if not complete:
        echo("Unfinished: the same simulate command, or verify --repair, completes it.")
    if spec is None:
        echo("No specification: not the dataset of one simulation.")
        return
    version, scheme = (ds.attrs.get(name) for name in ("yeastxr_version", "law_version"))
    echo(f"Simulated by yeastxr {version}, random-number scheme {scheme}:")
    for name, value in spec.to_dict().items():
        if value is not None:
            echo(f"  {name}: {format_value(value, 100)}")


@click.command()
@click.argument("store")
@click.option("--against-spec", is_flag=True, help="Simulate every block again and compare bits.")
@click.option("--repair", is_flag=True, help="Simulate missing and damaged blocks again; completes unfinished stores.")
@add_progress
def verify(store: str, against_spec: bool, repair: bool, progress: bool | None) -> None:
    """List the missing and damaged blocks of a store; the exit status is 0 only if it is complete and intact."""
    from yeastxr.storage.verify import verify as verify_store

    result = verify_store(store, against="spec" if against_spec else "digests", repair=repair, progress=progress)
    echo(result)
    if not result.whole:
        sys.exit(1)
