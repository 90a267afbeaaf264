"""Commands that create, describe and repair stores: simulate, extend, info, verify."""

import json
import sys
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from yeastxr.cli.group import echo, explain_interrupt
from yeastxr.cli.options import (
    FILE,
    RELATIONS_HELP,
    TYPES,
    add_chunks,
    add_cluster,
    add_parameters,
    add_progress,
    add_store,
    connect,
)
from yeastxr.errors import format_value, shorten
from yeastxr.schema import CORE_DIMS, FEATURE, MEASUREMENT, REPLICATE, TF, list_dims
from yeastxr.simulation import SimulationSpec

if TYPE_CHECKING:
    import xarray as xr

    from yeastxr.storage.location import Location


@click.command()
@click.argument("out", metavar="OUT.zarr")
@add_parameters
@add_chunks
@click.option("--overwrite", is_flag=True, help="Replace OUT.zarr if it is a yeastxr store.")
@add_cluster
@add_progress
def simulate(
    out: str,
    spec: dict[str, Any],
    chunks: Any,
    overwrite: bool,
    workers: int | None,
    scheduler: str | None,
    progress: bool | None,
    **parameters: Any,
) -> None:
    """Simulate a dataset and save it as a zarr store: a folder, or a URL such as s3://bucket/sim.zarr.

    Rerun the same command to resume an interrupted run.

    For example: yeastxr simulate sim.zarr --genes 6600 --bound 0.1,0.2 --n-sample 100,100 --seed 42

    Or: yeastxr simulate yeast.zarr --preset yeast --seed 42
    """
    from yeastxr._blocks import CHUNK_CELLS

    simulation = make_specification(out, spec, parameters)
    with connect(workers, scheduler):
        # Data of one chunk need no dask, whose import would dominate the run time.
        small = simulation.n_genes * len(simulation.tf_labels) * (simulation.replicates or 1) <= CHUNK_CELLS
        chosen: Any = chunks or (None if small and not (workers or scheduler) else "auto")
        save_simulation(out, partial(simulation.simulate, chosen), simulation.seed, overwrite, progress)


def save_simulation(
    out: str, make: Callable[[], "xr.Dataset"], seed: int | None, overwrite: bool, progress: bool | None
) -> None:
    """Simulate and save, unless the store is already complete, and print a summary."""
    from yeastxr.storage.store import is_saved, save

    start = time.perf_counter()
    ds = make()
    if not overwrite and is_saved(ds, out):
        echo(f"{out}: already complete")
        return
    with explain_interrupt(f"rerun the same command to resume {out}"):
        save(ds, out, overwrite=overwrite, progress=progress)
    sizes = {dim: ds.sizes[dim] for dim in list_dims(ds)}
    echo(f"{out}: {describe_sizes(sizes)}, seed {seed}, in {time.perf_counter() - start:.1f} s")


def make_specification(out: str, spec: dict[str, Any], parameters: dict[str, Any]) -> SimulationSpec:
    """Combine options, a file and a preset, in this order of precedence, to a specification.

    Without a seed, use that of an incomplete store, so that the same command resumes it.
    """
    from yeastxr.simulation import read_relations
    from yeastxr.simulation.parameters import PopulationParameters
    from yeastxr.simulation.simulate import check_parameter_names, fill_parameters
    from yeastxr.storage.store import find_unfinished_seed

    check_parameter_names(spec)
    values = spec | {name: value for name, value in parameters.items() if value is not None}
    for name in ("genes", "bound"):
        if name not in values and values.get("preset") is None:
            raise click.UsageError(f"Missing option '--{name}'; it can also come from '--spec' or '--preset'.")
    values = fill_parameters(values)
    if isinstance(values.get("tf_relationships"), Path):  # the option names a file; a specification contains relations
        tfs = PopulationParameters(**PopulationParameters.pick(values)).tf_labels
        values["tf_relationships"] = read_relations(values["tf_relationships"], tfs=tfs)
    if values.get("seed") is None:
        values["seed"] = find_unfinished_seed(out)
    return SimulationSpec.from_dict(values)


def describe_sizes(sizes: Mapping[Any, int]) -> str:
    """Return sizes of dimensions as text, such as ``3 bound_mean x 6,600 genes x 200 tfs``."""
    known = (*CORE_DIMS, REPLICATE, MEASUREMENT)
    return " x ".join(f"{n:,} {dim}{'s' if n > 1 and dim in known else ''}" for dim, n in sizes.items())


@click.command()
@add_store
@click.option("--bound", type=TYPES[list[float]], help="Bound fractions of the new TFs, such as 0.1,0.2.")
@click.option("--n-sample", type=TYPES[list[int]], help="Number of new TFs for each fraction (default: 1).")
@click.option("--tfs", type=TYPES[list[str]], help="Names of the new TFs, if TFs have names.")
@click.option("--replicates", type=int, help="New total number of replicates, if the store has replicates.")
@click.option(
    "--tf-relationships",
    type=FILE,
    help=f"Conditions of the new TFs. {RELATIONS_HELP}",
)
@click.option(
    "--positive-fraction",
    type=TYPES[list[float]],
    help="Fraction of positive effects of the new TFs: one value, or one for each TF (default: that of the other TFs).",
)
@add_cluster
@add_progress
def extend(
    store: str,
    bound: list[float] | None,
    n_sample: list[int] | None,
    tfs: list[str] | None,
    replicates: int | None,
    tf_relationships: Any,
    positive_fraction: list[float] | None,
    workers: int | None,
    scheduler: str | None,
    progress: bool | None,
) -> None:
    """Add TFs or replicates to a simulation in a store; the result equals a larger simulation.

    Rerun the same command to resume an interrupted run. After a complete run, the same command changes nothing if it
    names the new TFs or adds only replicates; otherwise it adds more TFs.

    For example: yeastxr extend sim.zarr --bound 0.3 --n-sample 20
    """
    from yeastxr.simulation import read_relations
    from yeastxr.storage.store import extend as extend_store
    from yeastxr.storage.store import open as open_store

    if bound is None and replicates is None:
        raise click.UsageError("Missing option '--bound' (fractions of new TFs) or '--replicates'.")
    relations = None
    if tf_relationships is not None:
        known = _list_tfs(open_store(store, incomplete=True), bound, n_sample, tfs)
        relations = read_relations(tf_relationships, tfs=known)
    start = time.perf_counter()
    with (
        connect(workers, scheduler),
        explain_interrupt(f"rerun the same command to resume {store}"),
    ):
        extend_store(
            store,
            bound=bound or (),
            n_sample=n_sample,
            tfs=tfs,
            replicates=replicates,
            tf_relationships=relations,
            positive_fraction=positive_fraction,
            progress=progress,
        )
    ds = open_store(store)
    seconds = time.perf_counter() - start
    sizes = {dim: size for dim, size in ds.sizes.items() if dim != FEATURE}
    echo(f"{store}: {describe_sizes(sizes)}, seed {ds.attrs.get('seed')}, in {seconds:.1f} s")


def _list_tfs(
    ds: "xr.Dataset", bound: list[float] | None, n_sample: list[int] | None, tfs: list[str] | None
) -> Sequence[Hashable]:
    """Return the labels of the TFs of a store, followed by those of new TFs."""
    labels = ds.indexes[TF].tolist()
    if tfs is not None or any(isinstance(label, str) for label in labels):
        return [*dict.fromkeys([*labels, *(tfs or ())])]
    counts = [1] * len(bound or ()) if n_sample is None else n_sample
    return range(len(labels) + sum(max(n, 0) for n in counts))


@click.command()
@add_store
@click.option("--spec", "as_spec", is_flag=True, help="Print only the specification, as YAML for `simulate --spec`.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; the guide lists its keys.")
def info(store: str, as_spec: bool, as_json: bool) -> None:
    """Print the contents and the specification of a store."""
    import yaml

    from yeastxr.errors import StoreError
    from yeastxr.simulation import spec_of
    from yeastxr.simulation.sweeps import read_sweep
    from yeastxr.storage.layout import read_root_attrs
    from yeastxr.storage.location import COMPLETE, locate
    from yeastxr.storage.store import open as open_store

    if as_spec and as_json:
        raise click.UsageError("--spec and --json exclude each other; expected only one of them")
    location = locate(store, read_only=True)
    complete = read_root_attrs(location)[COMPLETE] is True
    ds = open_store(store, incomplete=True)
    spec = spec_of(ds)
    sweep = read_sweep(ds) if spec is None else None
    if as_json:
        echo(json.dumps({"store": store, **_describe_store(location, complete, ds, spec)}, indent=2))
        return
    if as_spec:
        if sweep is not None:
            raise StoreError(
                f"store is {store!r}, a sweep over {', '.join(sweep.labels)} with several specifications; expected the "
                "store of one simulation, or --json"
            )
        if spec is None:
            raise StoreError(f"store is {store!r}, which has no specification; expected a simulation")
        values = {name: value for name, value in spec.to_dict().items() if value is not None}
        echo(yaml.safe_dump(values, sort_keys=False, allow_unicode=True, default_flow_style=None), nl=False)
        return
    echo(repr(ds.drop_attrs(deep=False)))
    on_disk = _count_bytes(location)
    if on_disk is not None:
        echo(f"On disk: {on_disk / 1e6:,.1f} MB of {ds.nbytes / 1e6:,.1f} MB")
    if not complete:
        echo("Incomplete: rerun the simulate command, or use verify --repair, to complete it.")
    if sweep is not None:
        for dim, labels in sweep.narrow(ds).labels.items():
            echo(f"Sweep over {dim}: {shorten(', '.join(map(str, labels)), 100)}")
        values = {name: value for name, value in sweep.spec.to_dict().items() if name not in sweep.parameters}
    elif spec is not None:
        values = spec.to_dict()
    else:
        echo("No specification: the dataset is not the unmodified result of a simulation.")
        return
    version, scheme = (ds.attrs.get(name) for name in ("yeastxr_version", "law_version"))
    what = "" if sweep is None else ", common parameters of all points"
    echo(f"Simulated by yeastxr {version}, random-number scheme {scheme}{what}:")
    for name, value in values.items():
        if value is not None:
            echo(f"  {name}: {format_value(value, 100)}")


def _describe_store(
    location: "Location", complete: bool, ds: "xr.Dataset", spec: SimulationSpec | None
) -> dict[str, Any]:
    """Return the contents of a store as JSON values; the keys are documented and stable."""
    sweep = ds.attrs.get("sweep")
    return {
        "complete": complete,
        "sizes": {str(dim): size for dim, size in ds.sizes.items()},
        "variables": {str(name): _describe_variable(array) for name, array in ds.data_vars.items()},
        "coordinates": {str(name): _describe_variable(array) for name, array in ds.coords.items()},
        "specification": None if spec is None else spec.to_dict(),
        "sweep": json.loads(sweep) if isinstance(sweep, str) else None,
        "versions": {"yeastxr": ds.attrs.get("yeastxr_version"), "random_number_scheme": ds.attrs.get("law_version")},
        "bytes": {"values": ds.nbytes, "on_disk": _count_bytes(location)},
    }


def _describe_variable(array: "xr.DataArray") -> dict[str, Any]:
    """Return dimensions, shape, dtype, stored chunks and units of a variable."""
    chunks = array.encoding.get("preferred_chunks")
    return {
        "dims": list(map(str, array.dims)),
        "shape": list(array.shape),
        "dtype": "string" if array.dtype.kind in "OTU" else str(array.dtype),
        "chunks": [chunks[dim] for dim in array.dims] if chunks else list(array.shape),
        "units": array.attrs.get("units"),
    }


def _count_bytes(location: "Location") -> int | None:
    """Return the size of a store's files; None if it is unknown."""
    from yeastxr.storage.location import wait

    if location.path is None:
        try:
            return wait(location.store.getsize_prefix(""))
        except Exception:  # each type of store has its own errors
            return None
    files = [location.path] if location.path.is_file() else location.path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


@click.command()
@add_store
@click.option("--against-spec", is_flag=True, help="Regenerate every block and compare all bits.")
@click.option("--repair", is_flag=True, help="Regenerate missing and damaged blocks; this completes incomplete stores.")
@add_progress
def verify(store: str, against_spec: bool, repair: bool, progress: bool | None) -> None:
    """List the missing and damaged blocks of a store; the exit status is 0 only if it is complete and intact."""
    from yeastxr.storage.verify import verify as verify_store

    against = "spec" if against_spec else "digests"
    with explain_interrupt(f"rerun verify --repair to continue with {store}" if repair else "nothing was changed"):
        result = verify_store(store, against=against, repair=repair, progress=progress)  # type: ignore[arg-type]
    echo(result)
    if not result.whole:
        sys.exit(1)
