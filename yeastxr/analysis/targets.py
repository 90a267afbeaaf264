"""The targets of a TF, its strongest genes, and a table of all TFs."""

from collections.abc import Hashable
from typing import Any

import numpy as np
import xarray as xr

from yeastxr._validate import check_integer, check_number, to_python, unwrap
from yeastxr.analysis.columns import (
    BINDING_PVALUE,
    PARTNERS,
    check_dataset,
    find_responsive,
    map_columns,
    order_genes,
    take_quantity,
    take_ranks,
    take_truth,
)
from yeastxr.errors import InputError, format_value, suggest
from yeastxr.schema import BINDING, FEATURE_NAMES, GENE, LABEL, MAGNITUDE, TF, get_feature

RULES = ("measured", "label")


def targets(
    ds: xr.Dataset,
    tf: Hashable,
    *,
    rule: str = "measured",
    largest_pvalue: float = 0.05,
    least_magnitude: float = 0.0,
    by: str = BINDING_PVALUE,
) -> xr.Dataset:
    """Return the genes that a TF binds and that respond to it, in order of binding.

    Parameters
    ----------
    ds
        A dataset with dims ``(gene, tf)``, NumPy or dask; the TF's columns are computed.
    tf
        The label of the TF.
    rule
        ``"measured"`` selects genes whose p-values of binding and of perturbation are both at most ``largest_pvalue``,
        and whose |effect| is at least ``least_magnitude``. ``"label"`` selects by the truth.
    largest_pvalue, least_magnitude
        The thresholds; see ``rule``.
    by
        The variable that sorts genes; see :func:`top`.

    Returns
    -------
    xarray.Dataset
        The features of these genes, with the dimension ``gene``, without genes with NaN in the variables read.

    Raises
    ------
    InputError
        If the TF is not in the dataset, an argument is invalid, there is no ``label`` for ``rule="label"``,
        or the dataset has leading dimensions.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=1000, bound=[0.1], n_sample=[2], tfs=["GAL4", "MIG1"], seed=42)
    >>> yx.analysis.targets(ds, "GAL4", rule="label").sizes["gene"]
    100
    >>> found = yx.analysis.targets(ds, "GAL4", largest_pvalue=0.01)
    >>> bool((found.binding_pvalue <= 0.01).all())
    True
    """
    column = _select_tf(ds, tf)
    if not isinstance(rule, str) or rule not in RULES:
        raise InputError(f"rule is {format_value(rule)}; expected 'measured' or 'label'")
    if rule == LABEL:
        chosen = take_truth(column, LABEL, "rule")
    else:
        responds = find_responsive(column, rule, largest_pvalue, least_magnitude)
        chosen = (responds == 1) & (get_feature(column, BINDING_PVALUE) <= largest_pvalue)
    return _sort_genes(column, by, chosen.values[:, 0])


def top(ds: xr.Dataset, tf: Hashable, n: int = 10, *, by: str = BINDING_PVALUE) -> xr.Dataset:
    """Return the n strongest genes of a TF.

    Parameters
    ----------
    ds
        A dataset with dims ``(gene, tf)``, NumPy or dask; the TF's columns are computed.
    tf
        The label of the TF.
    n
        The number of genes, at least 1. There are fewer if fewer genes have values.
    by
        ``"binding_pvalue"``, ``"binding_effect"``, ``"perturbation_pvalue"`` or ``"perturbation_magnitude"``. P-values
        break ties of effects, and vice versa; then the position of the gene.

    Returns
    -------
    xarray.Dataset
        The features of these genes, with the dimension ``gene``, the strongest first.

    Raises
    ------
    InputError
        If the TF is not in the dataset, an argument is invalid, or the dataset has leading dimensions.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=1000, bound=[0.1], n_sample=[2], tfs=["GAL4", "MIG1"], seed=42)
    >>> yx.analysis.top(ds, "GAL4", 3, by="binding_effect").binding_effect.round(1).values
    array([52.6, 19.7, 16.4], dtype=float32)
    """
    most = check_integer("n", n, least=1)
    column = _select_tf(ds, tf)
    return _sort_genes(column, by, np.ones(column.sizes[GENE], bool)).isel({GENE: slice(0, most)})


def _select_tf(ds: xr.Dataset, tf: Hashable) -> xr.Dataset:
    """Compute the features of a TF, or raise if it does not exist."""
    ds = check_dataset(ds)
    labels = {to_python(label): position for position, label in enumerate(ds.indexes[TF])}
    try:
        position = labels.get(to_python(unwrap(tf)))
    except TypeError:  # it is not hashable
        position = None
    if position is None or isinstance(tf, bool):
        raise InputError(f"tf is {format_value(tf)}, which is unknown; {suggest(tf, labels)}")
    features = [name for name in FEATURE_NAMES if name in ds.data_vars]
    lead = {dim for name in features for dim in ds[name].dims} - {GENE, TF}
    if lead:
        names = ", ".join(sorted(map(str, lead)))
        raise InputError(f"the dataset has the dimensions {names} besides gene and tf; select one label of each")
    return ds[features].isel({TF: [position]}).compute()


def _sort_genes(column: xr.Dataset, by: str, chosen: np.ndarray) -> xr.Dataset:
    """Return the selected genes of a TF by descending strength, without missing values."""
    primary, secondary = (
        array.transpose(TF, GENE).values for array in take_ranks(column, by, "by", list(PARTNERS)).values()
    )
    valid = ~(np.isnan(primary) | np.isnan(secondary)) & chosen
    genes = order_genes(primary, secondary, valid)[0, : int(valid.sum())]
    return column.isel({TF: 0, GENE: genes})


def describe(ds: xr.Dataset, *, largest_pvalue: float = 0.05, least_magnitude: float = 0.0) -> xr.Dataset:
    """Return a table of TFs with numbers of bound and responsive genes, and mean effects.

    Parameters
    ----------
    ds
        A dataset with effects and p-values, dimensions ``(..., gene, tf)``, NumPy or dask; no ``label`` is needed.
    largest_pvalue, least_magnitude
        Binding and response are significant up to this p-value; responses also need at least this |effect|, in its
        units.

    Returns
    -------
    xarray.Dataset
        By ``(..., tf)``: ``genes`` and ``missing``, the numbers of genes with all values and with NaN, ignoring
        variables that are NaN for all genes of the TF; ``binding_significant``, ``response_significant`` and
        ``both_significant``; with a label ``bound`` and ``bound_both_significant``, all int64; ``mean_binding_effect``
        and ``mean_magnitude``, float64, and with a label the same for ``bound_`` genes. ``.to_dataframe()`` converts it
        to a table. Dask-backed if ds is.

    Raises
    ------
    InputError
        If an argument is invalid, or the dataset lacks a variable, a dimension or an index.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], tfs=["GAL4", "MIG1"], seed=42)
    >>> table = yx.analysis.describe(ds).to_dataframe()
    >>> table[["genes", "bound", "both_significant"]].to_dict("index")["MIG1"]
    {'genes': 1000, 'bound': 300, 'both_significant': 9}
    """
    ds = check_dataset(ds)
    most = check_number("largest_pvalue", largest_pvalue, least=0, most=1)
    arrays = {
        "binding": get_feature(ds, BINDING),
        "binding_pvalue": get_feature(ds, BINDING_PVALUE),
        "magnitude": take_quantity(ds, MAGNITUDE, "target"),
        "response": find_responsive(ds, "measured", most, least_magnitude),
    }
    counts = ["genes", "missing", "binding_significant", "response_significant", "both_significant"]
    means = ["mean_binding_effect", "mean_magnitude"]
    if LABEL in ds.data_vars:
        arrays[LABEL] = get_feature(ds, LABEL)
        counts += ["bound", "bound_both_significant"]
        means += ["bound_mean_binding_effect", "bound_mean_magnitude"]
    layout: dict[str, Any] = dict.fromkeys(counts, (None, 1, np.int64))
    layout |= dict.fromkeys(means, (None, 1, np.float64))
    return xr.Dataset(map_columns(_describe_columns, arrays, layout, most=most))


def _describe_columns(
    binding: np.ndarray,
    pvalue: np.ndarray,
    magnitude: np.ndarray,
    response: np.ndarray,
    *label: np.ndarray,
    most: float,
) -> np.ndarray:
    """Return the counts, then the means of each column, ignoring variables without any measured value."""
    absent = [np.isnan(values) for values in (binding, pvalue, magnitude, response)]
    valid = ~np.any([own & ~own.all(axis=1, keepdims=True) for own in absent], axis=0)
    valid &= ~np.all(absent, axis=0)
    binds, responds = valid & (pvalue <= most), valid & (response == 1)
    masks = [valid, ~valid, binds, responds, binds & responds]
    groups = [valid]
    for own in label:
        masks += [own & valid, own & binds & responds]
        groups.append(own & valid)
    columns = [mask.sum(axis=1) for mask in masks]
    with np.errstate(invalid="ignore"):
        for group in groups:
            n = group.sum(axis=1)
            columns += [np.where(group, v, 0).sum(axis=1, dtype=np.float64) / n for v in (binding, magnitude)]
    return np.column_stack(columns).astype(np.float64)
