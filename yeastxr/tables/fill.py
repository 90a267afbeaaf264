"""Arrays by gene and TF from the rows of tables, in batches, so that memory does not depend on the number of rows."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from yeastxr.errors import InputError, format_value
from yeastxr.schema import EXTRA_NAMES, GENE, LABEL, TF
from yeastxr.tables.columns import EFFECT, LABEL_COLUMNS, PVALUE
from yeastxr.tables.sources import Long, Source, Wide
from yeastxr.tables.values import Labels, check_values, encode, read_numbers, read_truth, round_values

RULES = ("largest_effect", "mean", "refuse")


@dataclass
class Layout:
    """The columns of labels and values of a table, and its labels.

    ``columns`` contains the name of the column of each quantity. ``tf`` is the name of the column of TFs; it is None
    for a matrix, and for a file named after its TF. Each matrix has its own column of genes. ``unlabelled`` counts rows
    without a gene or a TF.
    """

    tables: Long | Wide
    gene: str | None
    tf: str | None
    columns: dict[str, str]
    genes: Labels = field(default_factory=Labels)
    tfs: Labels = field(default_factory=Labels)
    unlabelled: int = 0

    @property
    def sources(self) -> list[Source]:
        """The tables."""
        return list(self.tables.sources.values() if isinstance(self.tables, Wide) else self.tables.sources)

    def list_labels(self, source: Source) -> list[str]:
        """Return the column of genes of a table, and that of TFs if there is one."""
        gene = source.index if isinstance(self.tables, Wide) else self.gene
        return [name for name in (gene, self.tf) if name is not None]


def collect_labels(layout: Layout) -> None:
    """Read the labels of all rows of a table, and count the rows."""
    for source in layout.sources:
        name, read = source.header.name, source.read
        if isinstance(layout.tables, Wide):
            layout.tfs.add(list_matrix_tfs(source))
        elif layout.tf is None:
            layout.tfs.add([str(source.stem)])
        rows, labels = 0, layout.list_labels(source)
        for batch in read(labels, []):
            rows += batch.num_rows
            missing = np.zeros(batch.num_rows, bool)
            for column, index in zip(labels, (layout.genes, layout.tfs), strict=False):
                own = encode(batch[column], name, column)
                missing |= own.codes < 0
                index.add(own.list_used(), text=source.typed and not own.integers)
            layout.unlabelled += int(missing.sum())
        if not rows:
            raise InputError(f"{name} has no rows; expected at least one row after the header")
    for axis, index in ((GENE, layout.genes), (TF, layout.tfs)):
        if not index.positions:
            raise InputError(f"{layout.sources[0].header.name} has no label of a {axis}; expected at least one")


def list_matrix_tfs(source: Source) -> list[str]:
    """Return the columns of TFs of a matrix: all except the column of genes."""
    skip = {source.index, *LABEL_COLUMNS[GENE]}
    tfs = [name for name in source.header.columns if name not in skip]
    if not tfs:
        raise InputError(f"{source.header.name} has only the column {source.index!r}; expected one for each TF")
    for tf in tfs:
        source.header.check(tf)
    return tfs


def fill(layout: Layout, genes: dict[str, int], tfs: dict[str, int], rule: str) -> tuple[dict[str, np.ndarray], int]:
    """Return an array ``[genes, TFs]`` for each quantity of a table, and the number of duplicate rows.

    Effects and p-values are float32, with NaN for missing values; other quantities are float64.
    """
    if isinstance(layout.tables, Wide):
        return _fill_matrices(layout.tables, genes, tfs), 0
    if rule == "mean":
        return _fill_means(layout, genes, tfs)
    return _fill_largest(layout, genes, tfs, refuse=rule == "refuse")


def _to_arrow(labels: dict[str, int]) -> Any:
    """Return labels as an Arrow array."""
    import pyarrow as pa

    return pa.array(list(labels), pa.large_string())


def _make_arrays(quantities: Any, shape: tuple[int, int]) -> dict[str, np.ndarray]:
    """Return arrays full of NaN."""
    return {
        name: np.full(shape, np.nan, np.float64 if name in (*EXTRA_NAMES, LABEL) else np.float32) for name in quantities
    }


def _read_rows(
    layout: Layout, genes: dict[str, int], tfs: dict[str, int]
) -> Iterator[tuple[Source, int, np.ndarray, np.ndarray, dict[str, np.ndarray]]]:
    """Yield batches: their table, the number of the first row, positions of genes and of TFs, and values."""
    known = [_to_arrow(genes), _to_arrow(tfs)]
    for source in layout.sources:
        first, name, labels = 1, source.header.name, layout.list_labels(source)
        truth = [layout.columns[LABEL]] if LABEL in layout.columns else []
        numbers = sorted({column for quantity, column in layout.columns.items() if quantity != LABEL})
        for batch in source.read(list(dict.fromkeys([*labels, *truth])), numbers):
            positions = [
                encode(batch[column], name, column).find(axis) for column, axis in zip(labels, known, strict=False)
            ]
            if layout.tf is None:
                positions.append(np.full(batch.num_rows, tfs.get(str(source.stem), -1)))
            values = {}
            for quantity, column in layout.columns.items():
                if quantity == LABEL:
                    values[quantity] = read_truth(batch[column], name, column, first)
                else:
                    values[quantity] = read_numbers(batch[column], name, column, first, source.decimal)
                    check_values(quantity, values[quantity], name, column, first)
            yield source, first, positions[0], positions[1], values
            first += batch.num_rows


def _fill_largest(
    layout: Layout, genes: dict[str, int], tfs: dict[str, int], *, refuse: bool
) -> tuple[dict[str, np.ndarray], int]:
    """Fill arrays with the row with the largest effect of each pair."""
    from yeastxr.tables.kernels import keep_largest

    shape = len(genes), len(tfs)
    arrays = _make_arrays({**layout.columns, EFFECT: "", PVALUE: ""}, shape)
    seen = np.zeros(shape, bool)
    repeats = 0
    for source, first, gene, tf, values in _read_rows(layout, genes, tfs):
        kept = np.empty(gene.size, bool)
        effects, pvalues = (
            round_values(name, values[name]) if name in values else np.full(gene.size, np.nan, np.float32)
            for name in (EFFECT, PVALUE)
        )
        more, repeat = keep_largest(gene, tf, effects, pvalues, seen, arrays[EFFECT], arrays[PVALUE], kept)
        if more and refuse:
            names = [list(labels)[i] for labels, i in ((genes, gene[repeat]), (tfs, tf[repeat]))]
            raise InputError(
                f"{source.header.name} has the gene {format_value(names[0])} and the TF {format_value(names[1])} again "
                f"in row {first + repeat:,}; expected each pair once, or duplicates='largest_effect' or 'mean'"
            )
        repeats += more
        for name in values.keys() - {EFFECT, PVALUE}:
            arrays[name][gene[kept], tf[kept]] = values[name][kept]  # for repeated positions, the last one is kept
    return {name: arrays[name] for name in layout.columns}, repeats


def _fill_means(layout: Layout, genes: dict[str, int], tfs: dict[str, int]) -> tuple[dict[str, np.ndarray], int]:
    """Fill arrays with the mean of the rows of each pair."""
    from yeastxr.tables.kernels import add_values

    shape = len(genes), len(tfs)
    sums = {name: np.zeros(shape) for name in layout.columns}
    counts = {name: np.zeros(shape, np.int32) for name in layout.columns}
    rows, n_rows = np.zeros(shape, bool), 0
    for _, _, gene, tf, values in _read_rows(layout, genes, tfs):
        inside = (gene >= 0) & (tf >= 0)
        n_rows += int(inside.sum())
        rows[gene[inside], tf[inside]] = True
        for name, own in values.items():
            add_values(gene, tf, own, sums[name], counts[name])
    arrays = {}
    for name, total in sums.items():
        with np.errstate(invalid="ignore"):
            mean = total / counts.pop(name)
        if name in EXTRA_NAMES:
            mean = np.round(mean)
        elif name == LABEL:
            mean = np.where(np.isnan(mean), mean, mean > 0)
        arrays[name] = mean if name == LABEL else round_values(name, mean)
    return arrays, n_rows - int(rows.sum())


def _fill_matrices(tables: Wide, genes: dict[str, int], tfs: dict[str, int]) -> dict[str, np.ndarray]:
    """Fill arrays from matrices; duplicate genes raise an error."""
    arrays, known = _make_arrays(tables.sources, (len(genes), len(tfs))), _to_arrow(genes)
    for quantity, source in tables.sources.items():
        name, first = source.header.name, 1
        index = str(source.index)
        chosen = [(tf, tfs[tf]) for tf in list_matrix_tfs(source) if tf in tfs]
        columns, positions = [tf for tf, _ in chosen], np.array([position for _, position in chosen])
        seen = np.zeros(len(genes), np.int64)
        labels, numbers = ([index, *columns], []) if quantity == LABEL else ([index], columns)
        for batch in source.read(labels, numbers):
            gene = encode(batch[index], name, index).find(known)
            inside = gene >= 0
            seen += np.bincount(gene[inside], minlength=seen.size)
            if seen.max() > 1:
                repeated = list(genes)[int(np.argmax(seen))]
                raise InputError(
                    f"{name} has the gene {format_value(repeated)} {seen.max()} times; expected each gene once"
                )
            for column, position in zip(columns, positions, strict=True):
                if quantity == LABEL:
                    values = read_truth(batch[column], name, column, first)
                else:
                    values = read_numbers(batch[column], name, column, first, source.decimal)
                    check_values(quantity, values, name, column, first)
                    values = round_values(quantity, values)
                arrays[quantity][gene[inside], position] = values[inside]
            first += batch.num_rows
    return arrays
