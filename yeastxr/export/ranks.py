"""Ranked lists of genes for each TF, by binding and by perturbation, for programs of dual threshold optimization."""

from collections.abc import Hashable
from pathlib import Path

import numpy as np
import xarray as xr

from yeastxr._validate import check_sequence
from yeastxr.analysis.columns import BINDING_PVALUE, PERTURBATION_PVALUE, check_dataset, order_bits, take_ranks
from yeastxr.errors import InputError, format_value
from yeastxr.export.selection import Advance, align_variables, get_labels, iterate_slabs, make_cells, order_rows
from yeastxr.export.tables import name_folder, quote_label
from yeastxr.schema import BINDING, CORE_DIMS, GENE, MAGNITUDE, PERTURBATION, QUANTITIES, TF

SIDES = ("binding", "perturbation")
_KNOWN = ((BINDING_PVALUE, BINDING), (PERTURBATION_PVALUE, PERTURBATION))


def take_rankings(ds: xr.Dataset, features: object = None) -> xr.Dataset:
    """Return the variables that rank genes by binding and by perturbation, each followed by its tiebreaker."""
    ds = check_dataset(ds)
    names = [known[0] for known in _KNOWN] if features is None else check_sequence("features", features, "two names")
    if len(names) != 2 or any(name not in known for name, known in zip(names, _KNOWN, strict=True)):
        raise InputError(
            f"features is {format_value(names)}; expected one feature of binding and one of perturbation for "
            "layout='ranks', such as ['binding_pvalue', 'perturbation_pvalue']"
        )
    arrays: dict[str, xr.DataArray] = {}
    for side, name in zip(SIDES, names, strict=True):
        quantity = MAGNITUDE if name == PERTURBATION else name
        primary, secondary = take_ranks(ds, quantity, "features", QUANTITIES).values()
        arrays |= {side: primary, f"{side} ties": secondary}
    for gene in get_labels(ds, GENE):
        if isinstance(gene, str) and {",", '"'} & set(gene):
            raise InputError(
                f"the gene {format_value(gene)} has a comma or a quote; expected names without them for layout='ranks'"
            )
    return xr.Dataset(arrays)


def list_rank_files(ds: xr.Dataset) -> list[str]:
    """Return the relative paths of the lists."""
    lead = [dim for dim in order_rows(align_variables(ds)) if dim not in CORE_DIMS]
    tfs = [quote_label(tf) for tf in get_labels(ds, TF)]
    if len({tf.lower() for tf in tfs}) < len(tfs):
        raise InputError("two TFs differ only in upper and lower case; expected names that differ as names of files")
    folders = [name_folder(ds, dict(zip(lead, i, strict=True))) for i in np.ndindex(*(ds.sizes[dim] for dim in lead))]
    return [f"{folder}{side}/{tf}.csv" for folder in folders for side in SIDES for tf in tfs]


def write_ranks(ds: xr.Dataset, folder: Path, header: bool, advance: Advance) -> None:
    """Write the two lists of each TF; genes with a missing value in either list are in neither."""
    aligned = align_variables(ds)
    dims = order_rows(aligned)
    genes = [str(gene) for gene in make_cells(get_labels(ds, GENE))]
    tfs = [quote_label(tf) for tf in get_labels(ds, TF)]
    for region, slab in iterate_slabs(aligned, dims, advance):
        starts = [region.get(dim, slice(0, None)).start for dim in dims[:-1]]
        for index in np.ndindex(*(slab.sizes[dim] for dim in dims[:-1])):
            *lead, tf = (start + i for start, i in zip(starts, index, strict=True))
            position: dict[Hashable, int] = dict(zip(dims[:-2], lead, strict=True))
            values = {str(name): array.values[index] for name, array in slab.data_vars.items()}
            valid = np.flatnonzero(~np.any([np.isnan(column) for column in values.values()], axis=0))
            for side in SIDES:
                path = folder / name_folder(ds, position) / side / f"{tfs[tf]}.csv"
                path.parent.mkdir(parents=True, exist_ok=True)
                order, ranks = _rank_genes(values[side][valid], values[f"{side} ties"][valid])
                lines = [f"{genes[gene]},{rank}\n" for gene, rank in zip(valid[order], ranks, strict=True)]
                path.write_text("".join(["feature,rank\n"] * header + lines), encoding="utf-8", newline="")


def _rank_genes(primary: np.ndarray, secondary: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the order of genes, the strongest first, and their ranks from 1; ties share the smallest rank."""
    keys = (order_bits(primary) << np.uint64(32)) | order_bits(secondary)
    order = np.argsort(keys, kind="stable")
    return order, np.searchsorted(keys[order], keys[order]) + 1
