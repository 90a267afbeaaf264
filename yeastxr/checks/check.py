"""Is a dataset what its specification says? A table of checks, each with what was expected and what was found.

Checks are exact (a count that must be right), or tests with a p-value. The tests share out the level at which a right
dataset may fail any of them, by Bonferroni's inequality; their p-values are exact, or very nearly so, for samples of
any size, see :mod:`yeastxr.checks.significance`. What blocks tell is in :mod:`yeastxr.checks.features`, what that says
in :mod:`yeastxr.checks.independence`.
"""

from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from yeastxr._blocks import Region, align_features, for_each_block
from yeastxr._utils import count_threads, run_in_threads, show_progress
from yeastxr._validate import check_number, to_python
from yeastxr.checks import features as evidence
from yeastxr.checks import independence as verdicts
from yeastxr.checks.features import Asked, Evidence
from yeastxr.checks.table import Check, CheckTable
from yeastxr.errors import InputError, SchemaError, describe_error
from yeastxr.schema import (
    CORE_DIMS,
    FEATURE_BY_NAME,
    FEATURE_NAMES,
    GENE,
    PAIR_BYTES,
    TF,
    check_array,
    check_dims,
    get_feature_names,
    order_dims,
)
from yeastxr.simulation.adjustment import evaluate_relationships
from yeastxr.simulation.relations import iterate_tfs
from yeastxr.simulation.simulate import SimulationSpec, spec_of
from yeastxr.theory import pairs as pairkinds
from yeastxr.theory.distributions import Lattice
from yeastxr.theory.pairs import slope_of_mean

LEVEL = 0.001
_GROUP_TFS = 250  # TFs that are compared with each other: two groups are a default chunk
_GROUP_CELLS = 4_000_000
_WORDS = 1 << 20  # of 64 coins, so many of a kind are kept at most: 8 MB


def check(ds: xr.Dataset, *, level: float = LEVEL, progress: bool | None = None) -> CheckTable:
    """Check a dataset against the data model and, where it holds a specification, against theory.

    The tutorial's sanity checks among them: exact bound ratios; the distributions of binding and perturbation effects
    by label; perturbation effects rising with binding effects as the method says. And p-values against their rule,
    signs, the independence of TFs, of draws and of labels. A dask-backed dataset is read once, block by block, and gets
    the same table whatever its chunks; labels that relations name are read before, and kept.

    Parameters
    ----------
    ds
        The dataset, dims ``(..., gene, tf)``; NumPy or dask. What does not follow the data model fails, and is said.
    level
        The chance that a right dataset fails any check, above 0 and below 1.
    progress
        Whether to show a bar; None for where standard error is a terminal.

    Returns
    -------
    CheckTable
        One row a check; ``.passed`` says whether none failed. Without a specification, the data model, ranges and a
        description only.

    Raises
    ------
    SchemaError
        If it is no dataset, or its specification can't be read.
    InputError
        If the level is not what it must be.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=500, bound=[0.1, 0.2], seed=42)
    >>> yx.check(ds).passed, yx.check(ds.assign(binding_effect=2 * ds.binding_effect)).passed
    (True, False)
    """
    if not isinstance(ds, xr.Dataset):
        raise SchemaError(f"ds is of type {type(ds).__name__}; expected an xarray.Dataset")
    level = check_number("level", level, least=0, most=1)
    if level in (0, 1):
        raise InputError(f"level is {level:g}; expected a number above 0 and below 1")
    rows = _model_rows(ds)
    if any(row.passed is False for row in rows):
        rows.append(Check("values", "", "not looked at, as the data model is not followed", None))
        return CheckTable(tuple(rows), level)
    spec = spec_of(ds)
    if spec is None:
        found, _ = _gathered(ds, None, None, whole=False, progress=progress)
        rows += verdicts.of_ranges(found) + verdicts.description(found, ds["label"].size)
        return CheckTable(tuple(rows), level)
    whole = ds.sizes[GENE] == spec.n_genes
    holds = _conditions(ds, spec)
    asked = asked_of(spec, ds["label"].size)
    found, by_tf = _gathered(ds, holds, asked, whole=whole, progress=progress)
    here = verdicts.Here(
        spec=spec,
        asked=asked,
        genes=ds.sizes[GENE],
        tfs=[to_python(tf) for tf in ds.indexes[TF]],
        subset=None if whole else f"a subset: {ds.sizes[GENE]} of {spec.n_genes} genes",
        fractions=dict(zip(map(to_python, spec.tf_labels), spec.bound_fractions, strict=True)),
    )
    rows += verdicts.of_ranges(found) + verdicts.of_simulation(found, by_tf, here)
    return CheckTable(tuple(_judged(rows, level)), level)


def asked_of(spec: SimulationSpec, cells: int) -> Asked:
    """Return what measuring blocks needs to know of a specification, for a dataset of so many cells."""
    unbound, bound = pairkinds.make_binding_distributions(spec)
    scores = [_scores(lattice) for lattice in (unbound, bound)]
    halves = [
        float(lattice.probabilities[score > 0].sum()) for lattice, score in zip((unbound, bound), scores, strict=True)
    ]
    noisy = min(spec.unbound_std, spec.bound_std) > 0
    fair_pvalues = spec.large_effect_upper_pval > 0
    return Asked(
        lattices=(unbound.values.astype(np.float32), bound.values.astype(np.float32)),
        scores=(scores[0], scores[1]),
        score_stds=(_std(unbound, scores[0]), _std(bound, scores[1])),
        means=(spec.unbound_mean, spec.bound_mean, spec.unbound_mean),
        stds=(spec.unbound_std, spec.bound_std, spec.bound_std),
        slope=slope_of_mean(spec, spec),
        percentile=spec.large_effect_percentile,
        upper=spec.large_effect_upper_pval,
        fair=(True, noisy, fair_pvalues, fair_pvalues, all(0.4 < half < 0.6 for half in halves)),
        thin=max(0, int(np.ceil(np.log2(cells / 64 / _WORDS)))),
    )


def _scores(lattice: Lattice) -> np.ndarray:
    """Return the middle of each value's step in the distribution function, less 1/2: the mean is 0."""
    return np.cumsum(lattice.probabilities) - lattice.probabilities / 2 - 0.5


def _std(lattice: Lattice, scores: np.ndarray) -> float:
    return float(np.sqrt(lattice.probabilities @ scores**2))


def _model_rows(ds: xr.Dataset) -> list[Check]:
    """Check the data model, feature by feature."""
    rows = [
        _ruled("dataset: dims, labels and features", "gene, tf, feature; each label once", lambda: _check_frame(ds))
    ]
    return rows + [
        _ruled(f"{name}: dims and dtype", f"(..., gene, tf), {feature.dtype}", partial(_check_variable, ds, name))
        for name, feature in FEATURE_BY_NAME.items()
    ]


def _ruled(name: str, expected: str, rule: Any) -> Check:
    try:
        rule()
    except SchemaError as error:
        return Check(name, expected, describe_error(error), False)
    return Check(name, expected, "as expected", True)


def _check_frame(ds: xr.Dataset) -> None:
    check_dims(ds, "the dataset")
    get_feature_names(ds)


def _check_variable(ds: xr.Dataset, name: str) -> None:
    if name not in ds.data_vars:
        raise SchemaError("missing")
    array = check_array(ds[name], name)
    if "label" in ds.data_vars and set(array.dims) != set(ds["label"].dims):
        raise SchemaError(f"dims {array.dims}, unlike label's")


def _conditions(ds: xr.Dataset, spec: SimulationSpec) -> xr.DataArray | None:
    """Return where each TF's conditions hold, or None where TFs that the relationships name are not in the dataset."""
    here = set(ds.indexes[TF])
    relationships = {tf: entries for tf, entries in (spec.tf_relationships or {}).items() if tf in here}
    if any(named not in here for entries in relationships.values() for named in iterate_tfs(entries)):
        return None
    return evaluate_relationships(order_dims(ds["label"]), relationships, bound_only=False, read_now=True)


def _gathered(
    ds: xr.Dataset, holds: xr.DataArray | None, asked: Asked | None, *, whole: bool, progress: bool | None
) -> tuple[Evidence, Evidence]:
    """Measure a dataset block by block; return sums over all of it, and values for each TF, ``(planes, TFs)``."""
    names = list(FEATURE_NAMES)
    ds = ds[names] if holds is None else ds[names].assign(holds=holds)
    arrays = align_features(ds, [*names, *(() if holds is None else ("holds",))])
    genes = ds.sizes[GENE]
    each = max(1, min(_GROUP_TFS, _GROUP_CELLS // genes))
    if arrays[0].chunks:
        arrays = [_in_groups(array, each) for array in arrays]
    found: dict[tuple[int, ...], Evidence] = {}

    def measure(planes: list[np.ndarray]) -> Evidence:
        told = evidence.ranges(*planes[1:5])
        if asked is None:
            return told | {"bound": np.asarray(np.count_nonzero(planes[0]))}
        return told | evidence.measure(
            planes[0], planes[5] if holds is not None else None, *planes[1:5], asked=asked, whole=whole
        )

    def take(region: Region, planes: list[np.ndarray]) -> None:
        lead, tfs = planes[0].shape[:-2], planes[0].shape[-1]
        start = tuple(part.start for part in region)

        def one(unit: tuple[tuple[int, ...], int]) -> None:
            index, first = unit
            block = [plane[index][:, first : first + each] for plane in planes]
            at = (*(a + b for a, b in zip(start, index, strict=False)), start[-1] + first)
            found[at] = measure(block)
            done(block[0].size)

        run_in_threads(
            one, list(product(np.ndindex(*lead), range(0, tfs, each))), 1 if arrays[0].chunks else count_threads()
        )

    with show_progress("checking", arrays[0].size, pair_bytes=PAIR_BYTES, show=progress) as done:
        for_each_block(arrays, take)
    leads = sorted({at[:-1] for at in found})
    planes = [evidence.combine([found.pop(at) for at in sorted(found) if at[:-1] == lead]) for lead in leads]
    by_tf = {name: np.stack([plane[name] for plane in planes]) for name in planes[0] if name.startswith("tf ")}
    rest = [{name: value for name, value in plane.items() if name not in by_tf} for plane in planes]
    return evidence.combine(rest), by_tf


def _in_groups(array: xr.DataArray, each: int) -> xr.DataArray:
    """Return the array with all genes in a chunk, and whole groups of so many TFs; as it is, if it is so already.

    What has its chunks as they were made is made and measured in one task, and no block waits in memory.
    """
    sizes = array.variable.chunksizes
    lead = {dim: 1 for dim in array.dims if dim not in CORE_DIMS}
    if (
        len(sizes[GENE]) == 1
        and all(n % each == 0 for n in sizes[TF][:-1])
        and all(set(sizes[dim]) == {1} for dim in lead)
    ):
        return array
    return array.chunk({**lead, GENE: -1, TF: each})


def _judged(rows: list[Check], level: float) -> list[Check]:
    """Let tests fail whose p-value is below their share of the level."""
    tests = [row for row in rows if np.isfinite(row.pvalue)]
    return [
        replace(row, passed=bool(row.pvalue * len(tests) >= level)) if np.isfinite(row.pvalue) else row for row in rows
    ]
