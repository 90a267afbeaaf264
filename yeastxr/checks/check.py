"""Compare a dataset with its specification: a table of checks with expected and observed values.

A check is exact (a count that must be correct) or a test with a p-value. Tests share the level at which a correct
dataset may fail any of them, by Bonferroni's inequality. Their p-values are exact or conservative for samples of any
size; see :mod:`yeastxr.checks.significance`. A topic defines a measurement, how it merges over blocks, and its rows;
see :mod:`yeastxr.checks.features` and :mod:`yeastxr.checks.independence`.
"""

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock

import numpy as np
import xarray as xr

from yeastxr._blocks import Region, align_features, broadcast_dims, cut_slabs, for_each_block
from yeastxr._utils import count_threads, run_in_threads, show_progress
from yeastxr._validate import check_number, to_python
from yeastxr.checks.significance import test_binomial_above
from yeastxr.checks.table import Check, CheckTable, make_count, make_test
from yeastxr.checks.topic import Block, Expectation, Topic, get_limits
from yeastxr.errors import InputError, SchemaError, describe_error, format_value
from yeastxr.schema import (
    BINDING,
    CORE_DIMS,
    FEATURE_BY_NAME,
    FEATURE_NAMES,
    GENE,
    LABEL,
    MEASUREMENT,
    PAIR_BYTES,
    PERTURBATION,
    REPLICATE,
    TF,
    VARIABLE_BY_NAME,
    check_array,
    check_dims,
    get_feature_names,
    has_sign,
    list_dims,
    list_extras,
    order_dims,
    restore_dims,
)
from yeastxr.simulation.adjustment import evaluate_relationships
from yeastxr.simulation.operators import iterate_tfs
from yeastxr.simulation.simulate import SimulationSpec
from yeastxr.simulation.sweeps import read_sweep, spec_of

LEVEL = 0.001
_QUOTES = "'\""
_BLOCK_TFS = 250  # TFs to compare with each other; a default chunk has two blocks
_BLOCK_PAIRS = 4_000_000
_MERGED = 16  # measurements to merge at a time
_UNCHECKED = ("theory", "a specification")
_TIES = 2.0**-20  # above the probability that two effects with noise are equal in float32
_SHARED = (LABEL, "responsive", "background_hops")  # variables that measurements share
_Measurements = dict[type[Topic], Topic]
Visit = Callable[[Mapping[Hashable, int], Region, dict[str, np.ndarray]], None]


def check(ds: xr.Dataset, *, level: float = LEVEL, progress: bool | None = None) -> CheckTable:
    """Compare a dataset with the data model and, if it has a specification, with theory.

    This includes the sanity checks of the tutorial: exact bound ratios; the distributions of binding and perturbation
    effects by label; the increase of perturbation effects with binding effects. Other checks compare p-values with
    their rule, and test signs and the independence of TFs, random numbers and labels. A dask-backed dataset is read
    once, block by block, except labels that relations name, which are read first. The table does not depend on chunks.
    Each point of a sweep is compared with its own specification, and named in the rows of one table.

    Without a specification, as in measured data, values may be missing: they are counted, and all other values must be
    in their ranges. Binding effects may be negative in logarithmic units, such as log2 enrichment.

    Parameters
    ----------
    ds
        The dataset with dimensions ``(..., gene, tf)``, NumPy or dask. If it does not follow the data model, a check
        fails.
    level
        The probability that a correct dataset fails any check, above 0 and below 1.
    progress
        Whether to show a progress bar (default: only in a terminal).

    Returns
    -------
    CheckTable
        A table with one row per check. ``.passed`` is True if no check failed. It is None if the dataset was not
        compared with theory: without a specification or ``label``, the table contains only the data model, ranges,
        numbers of missing values and a description.

    Raises
    ------
    SchemaError
        If ``ds`` is not a dataset, or its specification can't be read.
    InputError
        If the level is out of range.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=500, bound=[0.1, 0.2], seed=42)
    >>> yx.check(ds).passed, yx.check(ds.assign(binding_effect=2 * ds.binding_effect)).passed
    (True, False)
    """
    return check_blocks(ds, level=level, progress=progress)


def check_blocks(
    ds: xr.Dataset, *, level: float = LEVEL, progress: bool | None = None, visit: Visit | None = None
) -> CheckTable:
    """Check a dataset, see :func:`check`, and pass the blocks to another function.

    The function gets the positions along the dimensions of a sweep, the region (slices along the other dimensions), and
    the values of features by name, with ``holds`` (whether conditions hold) if it is known.
    """
    ds = restore_dims(ds)
    level = check_number("level", level, least=0, most=1)
    if level in (0, 1):
        raise InputError(f"level is {level:g}; expected a number above 0 and below 1")
    rows = _check_data_model(ds)
    if any(row.passed is False for row in rows):
        rows.append(Check("values", "", "not checked, because the dataset does not follow the data model", None))
        return CheckTable(tuple(rows), level, checked=False)
    points = list(_split_points(ds))
    n_pairs = math.prod(ds.sizes[dim] for dim in list_dims(ds))
    with show_progress("checking", n_pairs, pair_bytes=PAIR_BYTES, show=progress) as report_done:
        rows += _compare_measurements(ds, points)
        for point in points:
            point_rows = _check_values(point, report_done, visit)
            rows += [replace(row, name=f"{point.name}: {row.name}") if point.name else row for row in point_rows]
    return CheckTable(tuple(_apply_level(rows, level)), level, all(point.can_check for point in points))


@dataclass(frozen=True)
class _Point:
    """A dataset, or a point of a sweep, and its specification, or None with a row that gives the reason."""

    name: str
    ds: xr.Dataset
    spec: SimulationSpec | None
    comment: Check | None
    positions: Mapping[Hashable, int]  # along the dimensions of the sweep

    @property
    def can_check(self) -> bool:
        """Whether the values can be compared with theory."""
        return self.spec is not None


def _split_points(ds: xr.Dataset) -> Iterator[_Point]:
    """Yield the points of a sweep, or the dataset itself; each measurement is a separate point."""
    for point in _split_sweep(ds):
        if MEASUREMENT not in point.ds.dims:
            yield point
            continue
        for position in range(point.ds.sizes[MEASUREMENT]):
            part = point.ds.isel({MEASUREMENT: position})
            name = f"{MEASUREMENT}={part.coords[MEASUREMENT].item() if MEASUREMENT in part.coords else position}"
            yield replace(
                point,
                name=f"{point.name}, {name}" if point.name else name,
                ds=part,
                positions={**point.positions, MEASUREMENT: position},
            )


def _split_sweep(ds: xr.Dataset) -> Iterator[_Point]:
    """Yield the points of a sweep, or the dataset itself; all variables of a point have the same dimensions."""
    sweep = read_sweep(ds)
    if sweep is None:
        spec = spec_of(ds)
        comment = None if spec is not None else Check(*_UNCHECKED, "no specification", None)
        yield _make_point("", broadcast_dims(ds), spec, comment, {})
        return
    dims = list(dict.fromkeys(dim for name in sweep.labels if name in ds.coords for dim in ds.coords[name].dims))
    for index in np.ndindex(*(ds.sizes[dim] for dim in dims)):
        positions = dict(zip(dims, index, strict=True))
        point = ds.isel(positions)
        places: dict[str, int] = {}
        comment, texts = None, []
        for name, labels in sweep.labels.items():
            value = to_python(point.coords[name].values[()]) if name in point.coords else None
            if value is None and len(labels) == 1:
                value = labels[0]
            texts.append(f"{name} unknown" if value is None else f"{name}={format_value(value).strip(_QUOTES)}")
            if value in labels:
                places[name] = list(labels).index(value)
            else:
                comment = Check(*_UNCHECKED, f"not a point of the sweep: {texts[-1]}", None if value is None else False)
        spec = None if comment else sweep.make_point(places)
        yield _make_point(", ".join(texts), broadcast_dims(point), spec, comment, positions)


def _make_point(
    name: str, ds: xr.Dataset, spec: SimulationSpec | None, comment: Check | None, positions: Mapping[Hashable, int]
) -> _Point:
    """Create a point without a specification if its genes or TFs are not in the specification."""
    if spec is not None and LABEL not in ds.data_vars:
        comment = Check("theory", "a specification and the variable 'label'", "no 'label'", None)
        return _Point(name, ds, None, comment, positions)
    if spec is not None:
        genes = range(spec.n_genes) if isinstance(spec.genes, int) else set(spec.genes)
        for dim, known in {GENE: genes, TF: set(map(to_python, spec.tf_labels))}.items():
            unknown = [label for label in map(to_python, ds.indexes[dim]) if label not in known]
            if unknown:
                observed = f"{len(unknown):,} others, such as {format_value(unknown[0])}"
                row = Check(f"labels of the dimension {dim!r}", "those of the specification", observed, False)
                return _Point(name, ds, None, row, positions)
        n_replicates, most = ds.sizes.get(REPLICATE, 1), spec.replicates or 1
        if n_replicates > most:
            row = Check(f"length of the dimension {REPLICATE!r}", f"at most {most:,}", f"{n_replicates:,}", False)
            return _Point(name, ds, None, row, positions)
        n_measurements, most = ds.sizes.get(MEASUREMENT, 1), spec.measurements or 1
        if n_measurements > most:
            row = Check(f"length of the dimension {MEASUREMENT!r}", f"at most {most:,}", f"{n_measurements:,}", False)
            return _Point(name, ds, None, row, positions)
    return _Point(name, ds, spec, comment, positions)


def _compare_measurements(ds: xr.Dataset, points: Sequence[_Point]) -> Iterator[Check]:
    """Compare the shared values of measurements with those of the first one."""
    if ds.sizes.get(MEASUREMENT, 1) < 2 or any(point.spec is None for point in points):
        return
    unlabelled = ds.drop_vars(MEASUREMENT, errors="ignore")
    first, others = unlabelled.isel({MEASUREMENT: 0}), unlabelled.isel({MEASUREMENT: slice(1, None)})
    for name in _SHARED:
        if name in ds.data_vars:
            wrong = int((others[name] != first[name]).sum().compute())
            label = VARIABLE_BY_NAME[name].long_name
            yield make_count(f"{label}: the same in all measurements", "the same", wrong, "differ", "all")
    one, other = first[PERTURBATION], others[PERTURBATION]
    if not any(point.spec is not None and point.spec.batch_std for point in points):
        wrong = int((((one < 0) != (other < 0)) & one.notnull() & other.notnull()).sum().compute())
        yield make_count("signs: the same in all measurements", "the same", wrong, "differ", "all")
    if all(point.spec is not None and min(point.spec.bound_std, point.spec.unbound_std) > 0 for point in points):
        n, equal = other.size, int((one == other).sum().compute())
        pvalue = test_binomial_above(equal, n, _TIES)
        yield make_test(
            "noise: different in each measurement", f"below {n * _TIES:.2g} equal", f"{equal:,}", equal, pvalue, "count"
        )


def _check_values(point: _Point, report_done: Callable[[int], None], visit: Visit | None) -> list[Check]:
    """Measure the values of a point, and return the rows of all topics."""
    from yeastxr.checks import extended, features, genes, independence  # slow to import

    conditions, expected = ({}, None) if point.spec is None else _expect(point.ds, point.spec)
    topics = (*features.TOPICS, *extended.TOPICS, *genes.TOPICS, *independence.TOPICS)
    topics = features.TOPICS_WITHOUT_SPEC if expected is None else topics
    see = None if visit is None else partial(visit, point.positions)
    measurements = _measure(point.ds, conditions, expected, topics, report_done, see)
    rows = [] if point.comment is None else [point.comment]
    for topic in topics:
        if topic in measurements:
            rows += measurements[topic].make_rows(expected)
        elif expected is not None:
            rows += topic.explain_absence(expected)
    return rows


def _check_data_model(ds: xr.Dataset) -> list[Check]:
    """Check the data model, feature by feature."""
    name = "dataset: dimensions, labels and features"
    return [
        _check_rule(name, "gene, tf, feature; unique labels", partial(_check_frame, ds)),
        *(
            _check_rule(
                f"{name}: dimensions and dtype", f"(..., gene, tf), {feature.dtype}", partial(_check_variable, ds, name)
            )
            for name, feature in FEATURE_BY_NAME.items()
            if name != LABEL or name in ds.data_vars
        ),
        *(
            _check_rule(
                f"{name}: dimensions and dtype",
                f"(..., gene, tf), {VARIABLE_BY_NAME[name].dtype}",
                partial(_check_variable, ds, name),
            )
            for name in list_extras(ds)
        ),
    ]


def _check_rule(name: str, expected: str, rule: Callable[[], None]) -> Check:
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
    check_array(ds[name], name)


def _expect(ds: xr.Dataset, spec: SimulationSpec) -> tuple[dict[str, xr.DataArray], Expectation]:
    """Return arrays of conditions, and the expectation.

    The arrays are ``holds`` (whether a TF's conditions would hold if it was bound) and, if it is different, ``applies``
    (whether they hold for pairs that respond). There are none if TFs that conditions name are missing.
    """
    tfs = tuple(to_python(tf) for tf in ds.indexes[TF])
    relationships = {tf: entries for tf, entries in (spec.tf_relationships or {}).items() if tf in tfs}
    named = {tf: set(iterate_tfs(entries)) for tf, entries in relationships.items()}
    known = set().union(*named.values()) <= set(tfs)
    label = order_dims(ds[LABEL])
    conditions = {}
    if known:
        conditions["holds"] = evaluate_relationships(label, relationships, bound_only=False, read_now=True)
        if spec.has_responses and any(tf in others for tf, others in named.items()):
            conditions["applies"] = evaluate_relationships(
                label, relationships, responsive=xr.ones_like(label), read_now=True
            )
    places = {
        gene: place for place, gene in enumerate(range(spec.n_genes) if isinstance(spec.genes, int) else spec.genes)
    }
    genes = tuple(places[gene] for gene in map(to_python, ds.indexes[GENE]))
    expected = Expectation(
        spec,
        ds.sizes[GENE],
        tfs,
        label.size,
        known,
        genes,
        _list_positions(ds, REPLICATE),
        _list_positions(ds, MEASUREMENT)[0],
        frozenset(list_extras(ds)),
    )
    return conditions, expected


def _list_positions(ds: xr.Dataset, dim: str) -> tuple[int, ...]:
    """Return the positions along a dimension, which are its labels if these are integers; 0 without the dimension."""
    if dim in ds.coords and np.issubdtype(ds.coords[dim].dtype, np.integer):
        return tuple(int(label) for label in np.atleast_1d(ds.coords[dim].values))
    return tuple(range(ds.sizes.get(dim, 1)))


def _measure(
    ds: xr.Dataset,
    conditions: Mapping[str, xr.DataArray],
    expected: Expectation | None,
    topics: Sequence[type[Topic]],
    report_done: Callable[[int], None],
    visit: Callable[[Region, dict[str, np.ndarray]], None] | None,
) -> _Measurements:
    """Measure a dataset block by block, and merge the measurements in the order of planes and TFs."""
    features = [name for name in FEATURE_NAMES if name in ds.data_vars]
    variables = [*features, *(() if expected is None else list_extras(ds))]
    limits = get_limits(signed=expected is None and has_sign(ds[BINDING], BINDING))
    names = [*variables, *conditions]
    arrays = align_features(ds[variables].assign(conditions), names)
    n_genes = ds.sizes[GENE]
    width = max(1, min(_BLOCK_TFS, _BLOCK_PAIRS // n_genes))
    in_memory = not arrays[0].chunks
    if not in_memory:
        arrays = [_chunk_to_blocks(array, width) for array in arrays]
    lead = arrays[0].shape[:-2]
    merger = _Merger(max(1, math.prod(lead)), -(-ds.sizes[TF] // width))

    def measure_region(region: Region, values: list[np.ndarray]) -> None:
        starts = [part.start for part in region]

        def measure_block(part: tuple[tuple[int, ...], slice]) -> None:
            index, tfs = part
            planes = {name: plane[index][:, tfs] for name, plane in zip(names, values, strict=True)}
            holds, applies = planes.pop("holds", None), planes.pop("applies", None)
            number = int(np.ravel_multi_index(np.add(starts[:-2], index).astype(int), lead)) if lead else 0
            block = Block(
                planes, holds, expected, applies=applies, plane=number, first=starts[-1] + tfs.start, limits=limits
            )
            parts = {topic: topic.measure(block) for topic in topics}
            known = {topic: part for topic, part in parts.items() if part is not None}
            merger.add(number, (starts[-1] + tfs.start) // width, known)
            report_done(planes[BINDING].size)

        if visit is not None:
            visit(region, dict(zip(names, values, strict=True)))
        parts = list(cut_slabs(values[0].shape[:-2], n_genes, values[0].shape[-1], width * n_genes))
        run_in_threads(measure_block, parts, count_threads() if in_memory else 1)

    for_each_block(arrays, measure_region)
    return merger.result


class _Merger:
    """Merges measurements in a fixed order, as soon as neighbours are complete, to save memory.

    Measurements are leaves of a tree; a path consists of a group of planes, the plane, a group of blocks and the block.
    """

    _joins = (np.concatenate, np.stack, np.concatenate, np.concatenate)

    def __init__(self, n_planes: int, n_blocks: int) -> None:
        self._sizes = n_planes, n_blocks
        self._waiting: dict[tuple[int, ...], dict[int, _Measurements]] = {}
        self._lock = Lock()
        self.result: _Measurements = {}

    def add(self, plane: int, block: int, measurements: _Measurements) -> None:
        """Add the measurements of a block of TFs; the last one sets the result."""
        path: tuple[int, ...] = (plane // _MERGED, plane, block // _MERGED, block)
        with self._lock:
            while path:
                *parent, position = path
                path = tuple(parent)
                parts = self._waiting.setdefault(path, {})
                parts[position] = measurements
                if len(parts) < self._count_parts(path):
                    return
                ordered, join = [parts[position] for position in sorted(parts)], self._joins[len(path)]
                if len(ordered) > 1 or join is np.stack:
                    topics = ordered[0]
                    measurements = {
                        topic: topic.merge([part[topic] for part in ordered], join=join) for topic in topics
                    }
                del self._waiting[path]
            self.result = measurements

    def _count_parts(self, path: tuple[int, ...]) -> int:
        size = self._sizes[len(path) // 2]
        return min(_MERGED, size - _MERGED * path[-1]) if len(path) % 2 else -(-size // _MERGED)


def _chunk_to_blocks(array: xr.DataArray, width: int) -> xr.DataArray:
    """Rechunk an array to all genes and some TFs, unless its chunks are already multiples of blocks.

    Unchanged chunks are computed and measured in one task, so that no block stays in memory.
    """
    sizes = array.variable.chunksizes
    lead = {dim: 1 for dim in array.dims if dim not in CORE_DIMS}
    if (
        len(sizes[GENE]) == 1
        and all(n % width == 0 for n in sizes[TF][:-1])
        and all(set(sizes[dim]) == {1} for dim in lead)
    ):
        return array
    return array.chunk({**lead, GENE: -1, TF: width})


def _apply_level(rows: Sequence[Check], level: float) -> list[Check]:
    """Mark tests as failed if their p-value is below their share of the level."""
    n_tests = sum(np.isfinite(row.pvalue) for row in rows)
    return [
        replace(row, passed=bool(row.pvalue * n_tests >= level)) if np.isfinite(row.pvalue) else row for row in rows
    ]
