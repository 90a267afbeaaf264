"""Export a dataset in the format given by the suffix of a path or a layout of tables."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import xarray as xr

from yeastxr._utils import fill_folder, import_extra, replace_file, show_progress
from yeastxr._validate import check_choice, check_flag, check_overwrite, check_path
from yeastxr.errors import InputError, format_value
from yeastxr.export import anndata, arrays, ranks, tables
from yeastxr.export import card as cards
from yeastxr.export.selection import align_variables, get_sizes, select_variables

_TEXT = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
_TABLES = (*_TEXT, ".parquet")
_ENDINGS = (*_TABLES, ".pt", ".npz", ".nc", ".h5ad")


def export(
    ds: xr.Dataset,
    path: str | Path,
    *,
    features: str | Sequence[str] | None = None,
    layout: Literal["long", "wide", "ranks"] = "long",
    columns: Literal["field", "yeastxr"] | None = None,
    card: bool = False,
    header: bool = False,
    overwrite: bool = False,
    progress: bool | None = None,
) -> Path:
    """Export a dataset to a file, in the format given by its suffix, or to a folder of tables.

    Parameters
    ----------
    ds
        The dataset, NumPy or dask. Only ``.pt`` and ``.npz`` load it into memory; all other formats are written block
        by block.
    path
        A file that ends in ``.parquet``, ``.csv``, ``.csv.gz``, ``.tsv``, ``.tsv.gz``, ``.nc``, ``.h5ad``, ``.npz`` or
        ``.pt``; or, with a layout other than ``"long"``, a folder. See the notes.
    features
        Names of features and extra variables, in this order. The default is the features that the dataset selects,
        followed by its extra variables (except in ``.pt``). With ``layout="ranks"``, two features that rank genes by
        binding and by perturbation (default: the p-values; effects are ranked by magnitude).
    layout
        The layout of tables: ``"long"`` with one row per pair, ``"wide"`` with genes x TFs in one file per variable, or
        ``"ranks"`` with ranked lists of genes for each TF. See the notes.
    columns
        The style of column names: ``"field"`` (default in parquet) or ``"yeastxr"`` (default in text). See the notes.
    card
        Whether to write a dataset card for a long table: README.md, with columns and roles as YAML.
    header
        Whether ranked lists begin with the header ``feature,rank``.
    overwrite
        Whether to replace an existing file or, in a folder, files with the same names.
    progress
        Whether to show a progress bar (default: only in a terminal).

    Returns
    -------
    pathlib.Path
        The path of the file or folder.

    Raises
    ------
    InputError
        If the suffix or a feature is unknown, an option does not apply to the format, the file exists, or a package
        required by the format is not installed.
    SchemaError
        If the dataset does not follow the data model.

    Notes
    -----
    - ``.parquet`` (extra ``tables``), ``.csv``, ``.tsv``, and compressed ``.csv.gz``, ``.tsv.gz``: one row per gene
      and TF (and replicate or other leading dimensions). The genes of a TF are consecutive. In parquet, NaN is null,
      and the attributes of the dataset are metadata of the file. In text, names that a spreadsheet would run as a
      formula, such as ``=1+1``, begin with an apostrophe, and control characters are escaped.
    - ``.nc`` (extra ``netcdf``): the dataset with its coordinates and attributes, for ``xarray.open_dataset``.
    - ``.h5ad`` (extra ``anndata``): as :func:`to_anndata`.
    - ``.npz``: an array for each variable, and for the labels of each dimension.
    - ``.pt``: a float32 tensor ``[..., genes, TFs, features]`` for ``torch.load``.
    - ``layout="wide"``: a file such as ``binding_effect.csv`` for each variable, with genes as rows and TFs as columns.
    - ``layout="ranks"``: two lists for each TF, ``binding/GAL4.csv`` and ``perturbation/GAL4.csv``, with
      lines ``feature,rank``, the strongest gene first, for programs of dual threshold optimization. The effect breaks
      ties of p-values, and vice versa; genes that still tie share the smallest rank. Genes with a missing value in
      either list are in neither.

    In a folder, leading dimensions are folders: ``replicate=0/binding_effect.csv``. Characters that are not allowed in
    names of files are escaped as in URLs, such as ``%2F`` for a slash.

    With ``columns="yeastxr"``, columns have the names ``gene``, ``tf``, and those of the variables. With ``"field"``,
    they are ``sample_id`` (the number of the TF and replicate), ``regulator_locus_tag``, ``target_locus_tag`` (or
    ``regulator_symbol``, ``target_symbol`` if most names are not systematic), ``callingcards_enrichment``,
    ``poisson_pval``, ``log2fc`` and ``pvalue``; other variables keep their names. Values and units do not change: a
    simulated ``log2fc`` is in s.d. of its noise.

    Examples
    --------
    >>> import tempfile, torch
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=100, bound=[0.1, 0.2], seed=42)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     torch.load(export(ds, f"{folder}/tensor.pt")).shape
    ...     sorted(file.name for file in export(ds, f"{folder}/wide", layout="wide", features="label").iterdir())
    torch.Size([100, 2, 5])
    ['label.csv']
    """
    path = check_path("path", path)
    check_choice("layout", layout, ("long", "wide", "ranks"))
    for name, flag in (("card", card), ("header", header)):
        check_flag(name, flag)
    if columns is not None:
        check_choice("columns", columns, ("field", "yeastxr"))
    ending = max((ending for ending in _ENDINGS if path.name.endswith(ending)), key=len, default=None)
    _check_options(path, ending, layout, columns, card, header)
    if layout != "long":
        return _export_folder(ds, path, features, layout, columns or "yeastxr", header, overwrite, progress)
    chosen = select_variables(ds, features)
    names = columns or ("field" if ending == ".parquet" else "yeastxr")
    if ending in _TABLES:
        tables.list_columns(align_variables(chosen), names)
        if ending == ".parquet":
            import_extra("pyarrow", "tables")
    elif ending == ".nc":
        arrays.check_netcdf(chosen, path)
    elif ending == ".h5ad":
        anndata.check_anndata(chosen, path)
    elif ending == ".pt":
        arrays.check_tensor(chosen, features)
    check_overwrite(path, overwrite)
    if card:
        cards.check_card(path, overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    pairs, pair_bytes = _count_pairs(chosen)
    streams = ending not in (".pt", ".npz")
    bar = show_progress(f"Writing {path.name}", pairs if streams else 0, pair_bytes=pair_bytes, show=progress)
    with bar as advance, replace_file(path) as partial:
        if ending == ".pt":
            arrays.write_tensor(ds, None if features is None else list(map(str, chosen.data_vars)), partial)
        elif ending == ".npz":
            arrays.write_arrays(chosen, partial)
        elif ending == ".nc":
            arrays.write_netcdf(chosen, partial, advance)
        elif ending == ".h5ad":
            anndata.write_anndata(chosen, partial, advance)
        elif ending == ".parquet":
            tables.write_parquet(chosen, partial, names, advance)
        else:
            tables.write_text(chosen, partial, names, advance)
    if card:
        cards.write_card(chosen, path, names)
    return path


def _check_options(path: Path, ending: str | None, layout: str, columns: str | None, card: bool, header: bool) -> None:
    """Raise for a path that does not match the layout, and for options that do not apply to the format."""
    if layout == "long" and ending is None:
        raise InputError(
            f"path is {str(path)!r}; expected a path that ends in {', '.join(_ENDINGS)}, "
            "or a folder and layout='wide' or 'ranks'"
        )
    if layout != "long" and ending is not None:
        raise InputError(f"path is {str(path)!r}; expected a folder for layout={layout!r}, not a {ending} file")
    is_long = layout == "long" and ending in _TABLES
    if columns is not None and not (is_long or layout == "wide"):
        raise InputError(f"columns is {columns!r}; expected a table, {', '.join(_TABLES)} or layout='wide'")
    if card and not is_long:
        raise InputError(f"card is True; expected a long table, {', '.join(_TABLES)}")
    if header and layout != "ranks":
        raise InputError("header is True; expected layout='ranks' (all other tables have a header)")


def _export_folder(
    ds: xr.Dataset,
    path: Path,
    features: object,
    layout: str,
    columns: str,
    header: bool,
    overwrite: bool,
    progress: bool | None,
) -> Path:
    """Write a folder of wide tables or ranked lists."""
    if layout == "wide":
        chosen = select_variables(ds, features)
        tables.list_wide_files(chosen, columns)
    else:
        chosen = ranks.take_rankings(ds, features)
        ranks.list_rank_files(chosen)
    if path.exists() and not path.is_dir():
        raise InputError(f"path is {format_value(str(path))}, a file; expected a folder for layout={layout!r}")
    if not path.is_dir() or any(path.iterdir()):
        check_overwrite(path, overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    pairs, pair_bytes = _count_pairs(chosen)
    if layout == "wide":  # variable by variable
        n = len(chosen.data_vars)
        pairs, pair_bytes = pairs * n, pair_bytes // n
    with (
        show_progress(f"Writing {path.name}", pairs, pair_bytes=pair_bytes, show=progress) as advance,
        fill_folder(path) as folder,
    ):
        if layout == "wide":
            tables.write_wide(chosen, folder, columns, advance)
        else:
            ranks.write_ranks(chosen, folder, header, advance)
    return path


def _count_pairs(ds: xr.Dataset) -> tuple[int, int]:
    """Return the number of pairs to write, and the number of bytes per pair."""
    return math.prod(get_sizes(ds).values()), sum(array.dtype.itemsize for array in ds.data_vars.values())
