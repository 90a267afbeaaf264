"""Exact splits into training, validation and test sets, stored as a coordinate of the dataset."""

import json

import numpy as np
import xarray as xr

from yeastxr._blocks import broadcast_dims
from yeastxr._validate import check_number, check_seed
from yeastxr.errors import InputError, SchemaError, format_value, suggest
from yeastxr.schema import GENE, LABEL, PARAMETERS, SPLIT, get_label, list_dims, to_text_array, validate
from yeastxr.simulation import draws

DEFAULT_FRACTIONS = {"train": 0.8, "val": 0.1, "test": 0.1}
PARTS = tuple(DEFAULT_FRACTIONS)


def split(
    ds: xr.Dataset,
    train: float | None = None,
    val: float | None = None,
    test: float | None = None,
    *,
    by: str = GENE,
    seed: int | None = None,
    stratify: bool = False,
) -> xr.Dataset:
    """Assign each gene, TF or replicate to training, validation or test, at random.

    Parts are disjoint and complete, and their sizes are exact up to rounding (the largest remainders are rounded up).
    The part of a gene depends only on the seed and its position, not on chunks, and is saved with the dataset. Splits
    along different dimensions are independent.

    Parameters
    ----------
    ds
        The dataset; NumPy or dask.
    train, val, test
        The fraction of each part, at least 0. They sum to 1, so one may be omitted. The default is 0.8, 0.1 and 0.1.
    by
        The dimension to split along: ``"gene"``, ``"tf"``, ``"replicate"`` or another dimension of the dataset.
    seed
        An integer in [0, 2**64). By default it is random, and stored in the attributes of the coordinate.
    stratify
        Whether to stratify by the number of bound pairs: the number of TFs that bind a gene, or of genes that a TF
        binds. This computes the labels.

    Returns
    -------
    xarray.Dataset
        The dataset with the coordinate ``split`` along ``by``: ``"train"``, ``"val"`` or ``"test"``.

    Raises
    ------
    InputError
        If fractions do not sum to 1, two are missing, there is no such dimension, or a part with a fraction above 0
        would be empty.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = split(yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42), seed=1)
    >>> {part: int((ds.split == part).sum()) for part in ("train", "val", "test")}
    {'train': 800, 'val': 100, 'test': 100}
    >>> ds.isel(gene=ds.split == "test").sizes["gene"]
    100
    """
    ds = validate(ds)
    fractions = _complete_fractions(dict(zip(PARTS, (train, val, test), strict=True)))
    dims = list(list_dims(ds))
    if by not in dims:
        raise InputError(f"by is {format_value(by)}, which is not a dimension of the dataset; {suggest(by, dims)}")
    if stratify:
        get_label(ds, "split with stratify=True")
    seed = check_seed(seed)
    n = ds.sizes[by]
    sizes = _round_sizes(n, list(fractions.values()))
    for (name, fraction), size in zip(fractions.items(), sizes, strict=True):
        if fraction and not size:
            raise InputError(
                f"{name} is {fraction:g} of {n} along {by!r}, less than one; expected a larger fraction, or {name}=0"
            )
    order = np.argsort(draws.draw_keys(np.arange(n), stream=draws.Stream.SPLIT, seed=seed, dim=by), kind="stable")
    if stratify:
        n_bound = broadcast_dims(ds)[LABEL].sum([dim for dim in dims if dim != by]).values
        order = order[np.argsort(n_bound[order], kind="stable")]
        codes = _spread(sizes)
    else:
        codes = np.repeat(np.arange(len(PARTS)), sizes)
    parts = np.empty(n, np.int64)
    parts[order] = codes
    parameters = json.dumps({**fractions, "by": by, "seed": seed, "stratify": bool(stratify)})
    attrs = {"long_name": "part of a split", PARAMETERS: parameters}
    return ds.assign_coords({SPLIT: (by, to_text_array([PARTS[code] for code in parts]), attrs)})


def select_part(ds: xr.Dataset, part: str | None) -> xr.Dataset:
    """Return one part of a dataset's split, or all of it for None."""
    if part is None:
        return ds
    dim, positions = get_part_positions(ds, part)
    return ds.isel({dim: positions})


def get_part_positions(ds: xr.Dataset, part: str) -> tuple[str, np.ndarray]:
    """Return the dimension of a dataset's split, and the positions of one part along it, in order."""
    if SPLIT not in ds.coords or ds.coords[SPLIT].ndim != 1:
        raise SchemaError("the dataset has no coordinate 'split'; add one with ds.yeast.split()")
    parts = ds.coords[SPLIT].values
    known = sorted({str(name) for name in parts}, key=lambda name: (PARTS.index(name) if name in PARTS else 3, name))
    if not isinstance(part, str) or part not in known:
        raise InputError(
            f"split is {format_value(part)}, which is not a part of the dataset's split; {suggest(part, known)}"
        )
    return str(ds.coords[SPLIT].dims[0]), np.flatnonzero(parts == part)


def _complete_fractions(values: dict[str, float | None]) -> dict[str, float]:
    """Return the fraction of each part; a missing one is the remainder."""
    if all(value is None for value in values.values()):
        return dict(DEFAULT_FRACTIONS)
    fractions = {
        name: check_number(name, value, least=0, most=1) for name, value in values.items() if value is not None
    }
    total = sum(fractions.values())
    listed = ", ".join(f"{name}={fraction:g}" for name, fraction in fractions.items())
    missing = [name for name in values if name not in fractions]
    if len(missing) == 1 and total < 1 + 1e-9:
        fractions[missing[0]] = max(0.0, round(1 - total, 12))
    elif not np.isclose(total, 1, rtol=0, atol=1e-9):
        missed = f", and {' and '.join(missing)} are not given" if len(missing) > 1 else ""
        raise InputError(f"{listed} sum to {total:g}{missed}; expected fractions that sum to 1 (0 for no part)")
    return {name: fractions.get(name, 0.0) for name in values}


def _round_sizes(n: int, fractions: list[float]) -> list[int]:
    """Return integer sizes that sum to n, rounding up the largest remainders."""
    exact = [n * fraction for fraction in fractions]
    sizes = [int(np.floor(size + 1e-9)) for size in exact]
    remainders = [size - whole for size, whole in zip(exact, sizes, strict=True)]
    for i in sorted(range(len(sizes)), key=lambda i: -remainders[i])[: n - sum(sizes)]:
        sizes[i] += 1
    return sizes


def _spread(sizes: list[int]) -> np.ndarray:
    """Return codes of parts in an order in which every stretch contains each part's share, to within one."""
    n, counts = sum(sizes), [0] * len(sizes)
    codes = np.empty(n, np.int64)
    for i in range(n):
        behind = [
            size * (i + 1) / n - count if count < size else -np.inf for size, count in zip(sizes, counts, strict=True)
        ]
        codes[i] = int(np.argmax(behind))
        counts[codes[i]] += 1
    return codes
