"""Join tables of binding and of perturbation to one dataset."""

import re
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from yeastxr._utils import import_extra
from yeastxr._validate import check_choice, check_number
from yeastxr._version import __version__
from yeastxr.analysis import adjust_pvalues
from yeastxr.errors import InputError, InputTypeError, TableWarning, format_value, shorten, suggest
from yeastxr.schema import (
    CORE_DIMS,
    EXTRA_NAMES,
    FEATURE,
    FEATURE_NAMES,
    GENE,
    LABEL,
    TF,
    VARIABLE_BY_NAME,
    to_text_array,
    validate,
)
from yeastxr.tables.columns import (
    BINDING_TABLE,
    EFFECT,
    LABEL_COLUMNS,
    PVALUE,
    TABLES,
    UNITS,
    UNKNOWN_UNITS,
    choose_label_columns,
    choose_value_columns,
    split_by_table,
)
from yeastxr.tables.fill import RULES, Layout, collect_labels, fill
from yeastxr.tables.sources import Long, Wide, open_tables
from yeastxr.tables.values import Labels

JOINS = ("inner", "outer", "exact")
_CONDITIONS = re.compile(  # words in names of columns that distinguish measurements of a pair
    r"(^|[^a-z])(replicates?|rep|measurements?|samples?|conditions?|time|timepoint|batch|experiment|strain|dataset)"
    r"([^a-z]|$)"
)
THRESHOLDS = ("binding_pvalue", "binding_fdr", "perturbation_pvalue", "perturbation_fdr")


def from_tables(
    binding: Any,
    perturbation: Any,
    *,
    gene: str | Mapping[str, str] | None = None,
    tf: str | Mapping[str, str] | None = None,
    effect: str | Mapping[str, str] | None = None,
    pvalue: str | Mapping[str, str] | None = None,
    experiment_hops: str | None = None,
    background_hops: str | None = None,
    units: str | Mapping[str, str] | None = None,
    label_from: Mapping[str, float] | None = None,
    join: str = "inner",
    duplicates: str = "largest_effect",
    delimiter: str | None = None,
    decimal: str = ".",
    encoding: str = "utf-8",
) -> xr.Dataset:
    r"""Convert tables of measured binding and perturbation data to a dataset, joined by genes and TFs.

    Files are read twice, in batches: first the labels, then the values. The peak memory is therefore about twice the
    dataset (four times for ``duplicates="mean"``), for tables of any length. This function needs pyarrow (the extra
    ``tables``).

    Parameters
    ----------
    binding, perturbation
        The tables; both arguments may be the same table.

        - The path of a CSV or TSV file, optionally compressed with gzip, or a parquet file, with one row per pair; or
          of a folder of such files, each named after its TF if it has no column of TFs.
        - A pandas or polars DataFrame, a pyarrow Table, or any object with Arrow's PyCapsule interface. Named levels
          of the index of a pandas DataFrame are columns; an index without a name is ignored.
        - A list of these.
        - A dict of matrices of genes by TFs, files or DataFrames, by quantity: ``{"effect": ..., "pvalue": ...}``, and
          ``experiment_hops``, ``background_hops`` and ``label`` for binding. Their first column, or a DataFrame's
          index, is genes; the others are TFs.
    gene, tf
        The columns of genes and of TFs: a name, or a dict with names for ``"binding"`` and ``"perturbation"``. The
        default is the first common column among ``target_locus_tag``, ``target_symbol``, ``gene``, and among
        ``regulator_locus_tag``, ``regulator_symbol``, ``tf``.
    effect, pvalue
        The columns of effects and p-values, in the same form. The default is the first of ``binding_effect``,
        ``callingcards_enrichment``, ``effect``, ``log2fc``, ``log2_shrunken_timecourses``, ``M`` and of
        ``binding_pvalue``, ``poisson_pval``, ``hypergeometric_pval``, ``pvalue``, ``pval`` for binding;
        ``perturbation_effect``, ``effect``, ... and ``perturbation_pvalue``, ``pvalue``, ``pval`` for perturbation. A
        table must have effects or p-values; the missing quantity becomes NaN.
    experiment_hops, background_hops
        The columns of counts of the binding table. The default is columns with these names, if they exist.
    units
        The units of effects: a string, or a dict by table. The default depends on the column: ``"log2 fold change"``
        for ``log2fc``, ``log2_shrunken_timecourses`` and ``M``, and ``"1"`` for ``callingcards_enrichment``, otherwise
        ``"arbitrary units"``.
    label_from
        Thresholds that define the variable ``label``: the largest p-value or false discovery rate of a bound pair, such
        as ``{"binding_pvalue": 0.001}``. Keys are ``binding_pvalue``, ``binding_fdr``, ``perturbation_pvalue`` and
        ``perturbation_fdr``; all must hold. Rates are p-values adjusted over the genes of a TF in the dataset with the
        method of Benjamini and Hochberg (:func:`yeastxr.analysis.adjust_pvalues`). A pair without a p-value is False.
        By default there is a ``label`` only if the binding table has a column of that name, with true and false or 1
        and 0.
    join
        The genes and TFs of the dataset: ``"inner"`` for those in both tables, in the order of the binding table;
        ``"outer"`` for all of them, with those only in the perturbation table last; ``"exact"`` for all, with an error
        if the tables differ.
    duplicates
        How to combine rows of the same pair: ``"largest_effect"`` keeps the row with the largest \|effect|, then the
        smallest p-value, then the first one; ``"mean"`` computes means of effects, p-values and counts (rounded);
        ``"refuse"`` raises an error. Duplicate genes in a matrix always raise an error.
    delimiter
        The separator of columns in text files. The default is the most frequent of ``,``, tab, ``;`` and ``|`` in the
        header.
    decimal
        The decimal separator in text files, ``"."`` or ``","``.
    encoding
        The encoding of text files; a byte-order mark takes precedence.

    Returns
    -------
    xarray.Dataset
        A dataset with dimensions ``(gene, tf)``, in memory, without a specification.

        - The four measures, float32, with NaN for missing rows or values. p-values above 0 below the range of float32
          become 1.2e-38.
        - ``label``, bool, if there is one.
        - ``experiment_hops`` and ``background_hops``, int32, if the table has them; 0 for missing rows, where
          ``binding_effect`` and ``binding_pvalue`` are NaN.
        - ``gene`` and ``tf`` are strings, or integers if all labels of both tables are; ``feature`` lists the features
          of the dataset.
        - Attributes contain files, columns, units and rules, and the numbers of labels and rows that did not match.

    Raises
    ------
    InputError
        If a file can't be read, a column is missing, a value is not a number, a p-value is outside [0, 1], a count is
        negative or not an integer, an effect is infinite, the tables share no gene or no TF, one column is used for two
        quantities, names of columns are given for matrices, ``label_from`` is given in addition to a column ``label``,
        or an argument is invalid.

    Warns
    -----
    TableWarning
        If labels are in only one table, rows have no label or are duplicates, a table lacks effects or p-values, or a
        folder contains other files than tables (except a README).

    Examples
    --------
    >>> import pandas as pd
    >>> import yeastxr as yx
    >>> cards = pd.DataFrame(
    ...     {
    ...         "regulator_symbol": ["GAL4", "GAL4", "MIG1"],
    ...         "target_symbol": ["GAL1", "GAL7", "GAL1"],
    ...         "callingcards_enrichment": [8.5, 6.0, 2.5],
    ...         "poisson_pval": [1e-9, 1e-6, 0.01],
    ...     }
    ... )
    >>> knockouts = cards.rename(columns={"callingcards_enrichment": "log2fc", "poisson_pval": "pval"})
    >>> ds = yx.from_tables(cards, knockouts, label_from={"binding_fdr": 0.001})
    >>> ds.binding_effect.sel(gene="GAL7").values, ds.perturbation_effect.units
    (array([ 6., nan], dtype=float32), 'log2 fold change')
    >>> ds.label.sel(tf="GAL4").values
    array([ True,  True])
    """
    check_choice("join", join, JOINS)
    check_choice("duplicates", duplicates, RULES)
    thresholds = _check_thresholds(label_from)
    text = _check_text(delimiter, decimal, encoding)
    own_units = split_by_table("units", units)
    given = {
        name: split_by_table(name, value)
        for name, value in ((GENE, gene), (TF, tf), (EFFECT, effect), (PVALUE, pvalue))
    }
    for name, column in zip(EXTRA_NAMES[:2], (experiment_hops, background_hops), strict=True):
        if column is not None and not isinstance(column, str):
            raise InputTypeError(
                f"{name} is {format_value(column)}; expected the name of a column of the binding table"
            )
        given[name] = {BINDING_TABLE: column}
    import_extra("pyarrow", "tables")
    tables = {
        name: open_tables(name, value, **text) for name, value in zip(TABLES, (binding, perturbation), strict=True)
    }
    layouts = _make_layouts(tables, given)
    _check_label_from(thresholds, layouts)
    for layout in layouts.values():
        collect_labels(layout)
    genes, gene_counts, gene_notes = _join(GENE, {name: layout.genes for name, layout in layouts.items()}, join)
    tfs, tf_counts, tf_notes = _join(TF, {name: layout.tfs for name, layout in layouts.items()}, join)
    coords = {
        GENE: _make_index(genes, [layout.genes for layout in layouts.values()]),
        TF: _make_index(tfs, [layout.tfs for layout in layouts.values()]),
    }
    arrays, repeats = {}, {}
    for table, layout in layouts.items():
        values, repeats[table] = fill(layout, genes, tfs, duplicates)
        for quantity in sorted({EFFECT, PVALUE, *values}):
            variable = _make_variable(table, quantity, values.pop(quantity, None), layout, own_units[table], coords)
            arrays[str(variable.name)] = variable
    if thresholds:
        arrays[LABEL] = _make_label(arrays, thresholds)
    arrays = {name: arrays[name] for name in VARIABLE_BY_NAME if name in arrays}
    ds = xr.Dataset(arrays).assign_coords({FEATURE: to_text_array([name for name in arrays if name in FEATURE_NAMES])})
    attrs: dict[str, Any] = {f"{table}_tables": _name_tables(layout) for table, layout in layouts.items()}
    attrs |= {"join": join, "duplicates": duplicates, **gene_counts, **tf_counts}
    attrs |= {f"{table}_repeated_rows": number for table, number in repeats.items()}
    attrs |= {f"{table}_unlabelled_rows": layout.unlabelled for table, layout in layouts.items()}
    notes = [*_describe_others(tables), *gene_notes, *tf_notes, *_describe_rows(layouts, repeats, duplicates)]
    if notes:
        warnings.warn("; ".join(notes), TableWarning, stacklevel=2)
    return validate(ds.assign_attrs(attrs, yeastxr_version=__version__))


def _check_thresholds(label_from: object) -> dict[str, float]:
    """Return the thresholds of labels, or raise."""
    if label_from is None:
        return {}
    if not isinstance(label_from, Mapping) or not label_from:
        raise InputTypeError(
            f"label_from is {format_value(label_from)}; expected a dict such as {{'binding_fdr': 0.05}}, with "
            f"keys among {', '.join(THRESHOLDS)}"
        )
    for name in label_from:
        if name not in THRESHOLDS:
            raise InputError(f"label_from has the unknown key {format_value(name)}; {suggest(name, THRESHOLDS)}")
    return {name: check_number(f"label_from[{name!r}]", value, least=0, most=1) for name, value in label_from.items()}


def _check_text(delimiter: object, decimal: object, encoding: object) -> dict[str, Any]:
    """Return the format of text files, or raise."""
    if delimiter is not None and not (isinstance(delimiter, str) and len(delimiter) == 1 and delimiter.isascii()):
        raise InputError(f"delimiter is {format_value(delimiter)}; expected one character such as ';'")
    check_choice("decimal", decimal, (".", ","))
    if delimiter == decimal:
        raise InputError(f"delimiter and decimal are both {delimiter!r}; expected different characters")
    try:
        "x".encode(encoding)  # type: ignore[arg-type]
    except (LookupError, TypeError):
        text = format_value(encoding)
        raise InputError(f"encoding is {text}; expected an encoding of Python, such as 'latin-1'") from None
    return {"delimiter": delimiter, "decimal": decimal, "encoding": encoding}


def _make_layouts(
    tables: Mapping[str, Long | Wide], given: Mapping[str, Mapping[str, str | None]]
) -> dict[str, Layout]:
    """Return the columns of labels and values of each table; every file of a table must have them."""
    firsts = {table: value.sources[0].header for table, value in tables.items() if isinstance(value, Long)}
    stems = {
        table
        for table, value in tables.items()
        if isinstance(value, Long) and all(source.stem for source in value.sources)
    }
    chosen = {
        GENE: choose_label_columns(GENE, given[GENE], firsts, ()),
        TF: choose_label_columns(TF, given[TF], firsts, stems),
    }
    layouts = {}
    for table, value in tables.items():
        if isinstance(value, Wide):
            _refuse_columns(table, {name: column.get(table) for name, column in given.items() if name != GENE})
            layouts[table] = _make_wide_layout(value, given[GENE][table])
            continue
        own = {name: column.get(table) for name, column in given.items()}
        layout = Layout(value, chosen[GENE][table], chosen[TF][table], choose_value_columns(table, own, firsts[table]))
        _check_distinct(firsts[table].name, {GENE: layout.gene, TF: layout.tf, **layout.columns})
        for source in value.sources:
            for column in (*layout.list_labels(source), *layout.columns.values()):
                source.header.check(column)
        layouts[table] = layout
    return layouts


def _refuse_columns(table: str, given: Mapping[str, str | None]) -> None:
    """Raise for names of columns for matrices, whose columns are TFs."""
    for name, column in given.items():
        if column is not None:
            other = TABLES[1 - TABLES.index(table)]
            raise InputError(
                f"{name} names the column {format_value(column)}, but {table} has matrices, whose columns are TFs; "
                f"omit {name}, or pass {name}={{{other!r}: ...}} for the other table only"
            )


def _check_distinct(table: str, columns: Mapping[str, str | None]) -> None:
    """Raise for a column that is used for two quantities."""
    used: dict[str, str] = {}
    for quantity, column in columns.items():
        if column is None:
            continue
        if column in used:
            raise InputError(
                f"{table} uses the column {format_value(column)} for {used[column]} and {quantity}; pass a column for "
                f"each, with {used[column]}= and {quantity}="
            )
        used[column] = quantity


def _make_wide_layout(tables: Wide, gene: str | None) -> Layout:
    """Return the columns of labels of matrices: genes are in the named column, the index or the first column."""
    sources = {}
    for quantity, source in tables.sources.items():
        known = [name for name in LABEL_COLUMNS[GENE] if name in source.header.columns]
        index = gene or source.index or (known or list(source.header.columns))[0]
        sources[quantity] = replace(source, index=source.header.check(index))
    return Layout(Wide(sources), None, None, {quantity: quantity for quantity in sources})


def _check_label_from(thresholds: Mapping[str, float], layouts: Mapping[str, Layout]) -> None:
    """Raise for thresholds of p-values that a table does not have, and for thresholds with a column of labels."""
    if thresholds and LABEL in layouts[BINDING_TABLE].columns:
        name = _name_tables(layouts[BINDING_TABLE])
        raise InputError(
            f"label_from is given, but {name} has labels in {LABEL!r}; expected only one of them: omit label_from, "
            f"or drop {LABEL!r}"
        )
    for name in thresholds:
        layout = layouts[name.partition("_")[0]]
        if PVALUE not in layout.columns:
            raise InputError(
                f"label_from needs p-values, but {_name_tables(layout)} has none; pass their column with pvalue="
            )


def _name_tables(layout: Layout) -> str:
    """Return the names of a table's files, without their folders."""
    titles = list(dict.fromkeys(source.title for source in layout.sources))
    return ", ".join(titles[:5]) + (f" and {len(titles) - 5} more" if len(titles) > 5 else "")


def _join(axis: str, labels: Mapping[str, Labels], join: str) -> tuple[dict[str, int], dict[str, int], list[str]]:
    """Return the positions of the labels of both tables, and the number of labels in only one table, also as text."""
    word = axis if axis == GENE else axis.upper()
    first, second = (labels[name].positions for name in TABLES)
    shared = [label for label in first if label in second]
    alone = {
        TABLES[0]: [label for label in first if label not in second],
        TABLES[1]: [label for label in second if label not in first],
    }
    texts = [f"{len(names):,} of {name} ({_list_some(names)})" for name, names in alone.items() if names]
    if not shared:
        some = [f"{name} has {_list_some(names)}" for name, names in alone.items()]
        lower = {label.lower() for label in first}
        hint = ", in the same case" if any(label.lower() in lower for label in second) else ""
        raise InputError(
            f"the tables have no {word} in common, {' and '.join(some)}; expected the same type of names{hint} in the "
            f"columns given by {axis}="
        )
    if texts and join == "exact":
        raise InputError(f"the tables have different {word}s, {' and '.join(texts)} only; expected the same {word}s")
    rule = "kept with NaN" if join == "outer" else "dropped"
    notes = [f"{word}s that are in only one table are {rule}: {', '.join(texts)}"] if texts else []
    chosen = [*first, *alone[TABLES[1]]] if join == "outer" else shared
    counts = {f"{axis}s_only_in_{name}": len(names) for name, names in alone.items()}
    return {label: position for position, label in enumerate(chosen)}, counts, notes


def _list_some(names: list[str]) -> str:
    """Return the first names for a message."""
    text = ", ".join(shorten(format_value(name), 30) for name in names[:3])
    return f"{text}, ..." if len(names) > 3 else text


def _make_index(labels: Mapping[str, int], indexes: list[Labels]) -> np.ndarray:
    """Return labels as a coordinate, with integers if all labels of both tables are integers."""
    if all(index.integers for index in indexes):
        return np.array([int(label) for label in labels])
    return to_text_array(list(labels))


def _make_variable(
    table: str, quantity: str, values: np.ndarray | None, layout: Layout, units: str | None, coords: Mapping[str, Any]
) -> xr.DataArray:
    """Return a variable of the dataset, with attributes that describe its source."""
    name = f"{table}_{quantity}" if quantity in (EFFECT, PVALUE) else quantity
    variable, column = VARIABLE_BY_NAME[name], layout.columns.get(quantity)
    attrs: dict[str, Any] = variable.attrs
    if values is None:
        values = np.full([len(labels) for labels in coords.values()], np.nan, np.float32)
        attrs["description"] = "Not measured: the table has no such column"
    elif isinstance(layout.tables, Wide):
        attrs |= {"description": "Measured", "source": layout.tables.sources[quantity].title}
    else:
        attrs |= {"description": f"Measured: the column {column!r} of the table", "source": _name_tables(layout)}
        attrs["source_column"] = column
    if quantity == EFFECT:
        attrs["units"] = units or UNITS.get(str(column), UNKNOWN_UNITS)
    if quantity not in (EFFECT, PVALUE):  # these have no NaN
        missing = np.isnan(values)
        attrs["missing"] = int(missing.sum())
        values = np.where(missing, 0, values).astype(variable.dtype)
    return xr.DataArray(values, coords, CORE_DIMS, name, attrs)


def _describe_others(tables: Mapping[str, Long | Wide]) -> list[str]:
    """Warn about files in folders that are not tables."""
    others = {table: list(value.others) for table, value in tables.items() if isinstance(value, Long) and value.others}
    texts = [f"{len(names):,} of {table} ({_list_some(names)})" for table, names in others.items()]
    return [f"files and folders that are not tables are ignored: {', '.join(texts)}"] if texts else []


def _describe_rows(layouts: Mapping[str, Layout], repeats: Mapping[str, int], rule: str) -> list[str]:
    """Warn about rows without labels, duplicate rows, and missing quantities."""
    notes = []
    unlabelled = [f"{layout.unlabelled:,} of {table}" for table, layout in layouts.items() if layout.unlabelled]
    if unlabelled:
        notes.append(f"rows without a gene or a TF are dropped: {', '.join(unlabelled)}")
    repeated = [f"{number:,} of {table}" for table, number in repeats.items() if number]
    if repeated:
        kept = "their mean is used" if rule == "mean" else "the row with the largest |effect| is used"
        notes.append(f"several rows have the same pair, and {kept}: {', '.join(repeated)}")
        for table, number in repeats.items():
            names = _list_conditions(layouts[table]) if number else []
            if names:
                some = f"columns {' and '.join(map(repr, names))}" if len(names) > 1 else f"a column {names[0]!r}"
                notes.append(f"{table} has {some}; to keep one row per pair, select the rows with one value of it")
    for table, layout in layouts.items():
        for quantity, text in ((EFFECT, "effects"), (PVALUE, "p-values")):
            if quantity not in layout.columns:
                notes.append(f"{table} has no column of {text}, which become NaN")
    return notes


def _list_conditions(layout: Layout) -> list[str]:
    """Return up to three unused columns whose names suggest that they distinguish measurements of a pair."""
    used = {layout.gene, layout.tf, *layout.columns.values()}
    free = [name for name in layout.sources[0].header.columns if name not in used]
    return [name for name in free if _CONDITIONS.search(name.lower())][:3]


def _make_label(arrays: Mapping[str, xr.DataArray], thresholds: Mapping[str, float]) -> xr.DataArray:
    """Return the bound pairs, whose p-values or rates are at most the thresholds."""
    label: Any = True
    least = float(np.finfo(np.float32).tiny)  # which p-values above 0 are raised to
    for name, threshold in thresholds.items():
        values = arrays[f"{name.partition('_')[0]}_{PVALUE}"]
        limit = np.float32(max(threshold, least) if threshold else 0)
        label = label & ((adjust_pvalues(values) if name.endswith("_fdr") else values) <= limit)
    rules = " and ".join(f"{name} <= {threshold:g}" for name, threshold in thresholds.items())
    attrs = VARIABLE_BY_NAME[LABEL].attrs | {"description": f"True where {rules}"}
    return label.drop_attrs().assign_attrs(attrs)
