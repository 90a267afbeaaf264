"""Exact splits into training, validation and test sets, kept with the dataset as a coordinate."""

import json
from typing import Any

import numpy as np
import xarray as xr

from yeastxr._validate import check_number, check_seed
from yeastxr.errors import InputError, SchemaError, format_value, suggest
from yeastxr.schema import GENE, SPLIT, order_dims, to_text_array, validate
from yeastxr.simulation import draws

PARTS = ("train", "val", "test")


def split(
    ds: xr.Dataset,
    train: float = 0.8,
    val: float = 0.1,
    test: float = 0.1,
    *,
    by: str = GENE,
    seed: int | None = None,
    stratify: bool = False,
) -> xr.Dataset:
    """Assign each gene, TF or replicate to training, validation or test, at random.

    Parts are disjoint and complete, and their sizes right to one (the largest remainders are rounded up). Which part a
    gene is in depends on the seed and its position alone, not on chunks, and stays with the dataset when it is saved.

    Parameters
    ----------
    ds
        The dataset; NumPy or dask.
    train, val, test
        The fraction of each part, at least 0; they sum to 1.
    by
        The dim to split along: ``"gene"``, ``"tf"``, ``"replicate"`` or another dim of the dataset.
    seed
        An integer in [0, 2**64); drawn, and kept in the coordinate's attributes, by default.
    stratify
        Whether each part gets its share of every number of bound pairs: genes by how many TFs bind them, TFs by how
        many genes they bind. The labels are computed for it.

    Returns
    -------
    xarray.Dataset
        With the coordinate ``split`` along ``by``: ``"train"``, ``"val"`` or ``"test"``.

    Raises
    ------
    InputError
        If fractions don't sum to 1, there is no such dim, or a part that is asked for would be empty.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = split(yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42), seed=1)
    >>> {part: int((ds.split == part).sum()) for part in ("train", "val", "test")}
    {'train': 800, 'val': 100, 'test': 100}
    >>> ds.isel(gene=ds.split == "test").sizes["gene"]
    100
    """
    validate(ds)
    given = dict(zip(PARTS, (train, val, test), strict=True))
    fractions = [check_number(name, value, least=0, most=1) for name, value in given.items()]
    if not np.isclose(sum(fractions), 1, rtol=0, atol=1e-9):
        said = ", ".join(f"{name}={fraction:g}" for name, fraction in zip(given, fractions, strict=True))
        raise InputError(f"{said} sum to {sum(fractions):g}; expected fractions that sum to 1, 0 for a part not wanted")
    dims = [str(dim) for dim in order_dims(ds["label"]).dims]
    if by not in dims:
        raise InputError(f"by is {format_value(by)}, which is no dim of the dataset; {suggest(by, dims)}")
    seed = check_seed(seed)
    n = ds.sizes[by]
    sizes = _sizes(n, fractions)
    for name, fraction, size in zip(PARTS, fractions, sizes, strict=True):
        if fraction and not size:
            raise InputError(f"{name} is {fraction:g} of {n} along {by!r}, which is none; expected more, or {name}=0")
    order = np.argsort(draws.draw_keys(np.arange(n), stream=draws.Stream.SPLIT, seed=seed), kind="stable")
    if stratify:
        others = [dim for dim in dims if dim != by]
        bound = ds["label"].sum(others).values
        order = order[np.argsort(bound[order], kind="stable")]
        parts = _shared_out(sizes)
    else:
        parts = np.repeat(np.arange(len(PARTS)), sizes)
    names = np.empty(n, np.int64)
    names[order] = parts
    made_by = {**dict(zip(PARTS, fractions, strict=True)), "by": by, "seed": seed, "stratify": bool(stratify)}
    attrs = {"long_name": "part of a split", "parameters": json.dumps(made_by)}
    return ds.assign_coords({SPLIT: (by, to_text_array([PARTS[i] for i in names]), attrs)})


def part_of(ds: xr.Dataset, part: str | None) -> xr.Dataset:
    """Return one part of a dataset's split, or all of it for None.

    Raises
    ------
    InputError
        If the dataset has no split, or the part is not one of its.
    """
    if part is None:
        return ds
    dim, positions = positions_of(ds, part)
    return ds.isel({dim: positions})


def positions_of(ds: xr.Dataset, part: str) -> tuple[str, np.ndarray]:
    """Return the dim of a dataset's split, and the positions along it of one part, in order."""
    if SPLIT not in ds.coords or ds.coords[SPLIT].ndim != 1:
        raise SchemaError("the dataset has no coordinate 'split'; expected one, from ds.yeast.split()")
    values = ds.coords[SPLIT].values
    known = sorted({str(value) for value in values}, key=lambda name: (PARTS.index(name) if name in PARTS else 3, name))
    if not isinstance(part, str) or part not in known:
        raise InputError(f"split is {format_value(part)}, which is no part of the dataset's; {suggest(part, known)}")
    return str(ds.coords[SPLIT].dims[0]), np.flatnonzero(values == part)


def _sizes(n: int, fractions: list[float]) -> list[int]:
    """Return whole sizes that sum to n, the largest remainders rounded up."""
    exact = [n * fraction for fraction in fractions]
    sizes = [int(np.floor(size + 1e-9)) for size in exact]
    remainders = [size - whole for size, whole in zip(exact, sizes, strict=True)]
    for i in sorted(range(len(sizes)), key=lambda i: -remainders[i])[: n - sum(sizes)]:
        sizes[i] += 1
    return sizes


def _shared_out(sizes: list[int]) -> np.ndarray:
    """Return parts in an order in which each has its share of every stretch, to within one."""
    n, given = sum(sizes), [0] * len(sizes)
    parts = np.empty(n, np.int64)
    for i in range(n):
        behind: list[Any] = [
            (size * (i + 1) / n - done if done < size else -np.inf) for size, done in zip(sizes, given, strict=True)
        ]
        parts[i] = int(np.argmax(behind))
        given[parts[i]] += 1
    return parts
