"""Simulations in stores made larger: TFs or replicates are added, and what is there stays."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from yeastxr.arguments import InputError, InputTypeError, check_integer, check_number, check_sequence, shown
from yeastxr.layout import COMPLETE, Layout, Records, everywhere, made_of
from yeastxr.location import StoreError, StoreLike, locate
from yeastxr.simulate import SimulationSpec
from yeastxr.template import mark, resize, root_attrs
from yeastxr.verify import simulation_in
from yeastxr.writing import write_missing


def extend(
    store: StoreLike,
    *,
    bound: Any = (),
    n_sample: Any = None,
    tfs: Any = None,
    replicates: int | None = None,
    tf_relationships: Mapping[Any, Any] | None = None,
    progress: bool | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Any:
    """Add TFs or replicates to a simulation in a store: what is there stays, and what is new is made.

    The outcome equals a larger simulation made at once, as no value depends on how many TFs or replicates there are.
    Blocks that are whole are not touched; a last one that was cut short by the end of the data is made again, longer.

    Parameters
    ----------
    store
        A path, a URL, or a zarr store.
    bound, n_sample, tfs
        Bound fractions of the new TFs, how many for each, and their names where the others have names.
    replicates
        How many replicates there are to be in all.
    tf_relationships
        Conditions of the new TFs.
    progress, storage_options
        As for :func:`save`.

    Returns
    -------
    pathlib.Path or zarr store
        The store.

    Raises
    ------
    StoreError
        If the store holds no whole simulation, or nothing would be added.
    InputError
        If a parameter is not what it must be.

    Examples
    --------
    >>> import tempfile
    >>> import yeastxr as yx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = yx.save(yx.simulate(genes=100, bound=[0.1], seed=42), f"{folder}/sim.zarr")
    ...     more = yx.open(yx.extend(path, bound=[0.2])).compute()
    >>> more.identical(yx.simulate(genes=100, bound=[0.1, 0.2], seed=42).compute())
    True
    """
    location = locate(store, storage_options=storage_options)
    if root_attrs(location)[COMPLETE] is not True:
        raise StoreError(
            f"store is {location.name}, which is unfinished; expected verify with repair to finish it first"
        )
    records = Records.read(location)
    old = simulation_in(records, location)
    asked = _larger(old, bound, n_sample, tfs, replicates, tf_relationships)
    if asked == old:
        raise StoreError("extend is given nothing to add; expected bound fractions of new TFs, or more replicates")
    sizes = {"replicate": asked.replicates or 1, "gene": asked.n_genes, "tf": len(asked.tf_labels)}
    layout = Layout({dim: sizes[dim] for dim in records.layout.sizes}, records.layout.lengths)
    ds = asked.simulate(chunks=layout.lengths)
    own = sorted(set(records.made_of["coordinates"]) - set(map(str, ds.coords)))
    if own:
        raise StoreError(
            f"store is {location.name}, which has coordinates of its own ({', '.join(own)}); expected none"
        )
    target = {**made_of(ds, layout, {}), "encoding": records.made_of["encoding"]}
    grown = Records.new(target, layout)
    for block in records.layout.blocks():
        if records.layout.region(block) == layout.region(block):
            grown.digests[everywhere(block)] = records.digests[everywhere(block)]
    with location.locked():
        mark(location, complete=False)
        grown.write(location)  # first: from here on, repairing the store makes the larger one
        resize(location, layout, ds)
        write_missing(ds, location, grown, progress=progress, title="extending")
        mark(location, complete=True)
    return location.given


def _larger(
    old: SimulationSpec, bound: Any, n_sample: Any, tfs: Any, replicates: Any, tf_relationships: Any
) -> SimulationSpec:
    """Return the specification of the larger simulation."""
    changes: dict[str, Any] = {}
    fractions = check_sequence("bound", bound, "a list of fractions from 0 to 1")
    if fractions:
        fractions = [check_number(f"bound[{i}]", b, least=0, most=1) for i, b in enumerate(fractions)]
        counts = [1] * len(fractions) if n_sample is None else n_sample
        counts = check_sequence("n_sample", counts, "a list of counts of at least 1")
        if len(counts) != len(fractions):
            raise InputError(f"n_sample has {len(counts)} entries and bound has {len(fractions)}; expected as many")
        changes |= {"bound": [*old.bound, *fractions], "n_sample": [*(old.n_sample or ()), *counts]}
        if (tfs is None) != (old.tfs is None):
            wanted = "names, as the others have them" if tfs is None else "no names, as the others have none"
            raise InputError(f"tfs is {shown(tfs)}; expected {wanted}")
        changes |= {} if tfs is None else {"tfs": [*(old.tfs or ()), *check_sequence("tfs", tfs, "a list of names")]}
    elif n_sample is not None or tfs is not None:
        raise InputError("bound is missing; expected bound fractions of the new TFs")
    if replicates is not None:
        if old.replicates is None:
            raise InputError(f"replicates is {shown(replicates)}; expected none, as the store has no such dimension")
        changes["replicates"] = check_integer("replicates", replicates, least=old.replicates)
    if tf_relationships is not None:
        if not isinstance(tf_relationships, Mapping):
            raise InputTypeError(
                f"tf_relationships is {shown(tf_relationships)}; expected a dict from new TFs to lists"
            )
        known = set(old.tf_labels)
        for tf in tf_relationships:
            if tf in known:
                raise InputError(f"tf_relationships names the TF {shown(tf)}, which is there already; expected new TFs")
        changes["tf_relationships"] = {**(old.tf_relationships or {}), **tf_relationships}
    return replace(old, **changes)
