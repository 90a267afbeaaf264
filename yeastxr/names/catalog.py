"""The tables of the catalog, which data/README.md describes, and conversion of names.

Tables are read on first use.
"""

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

YEAST = "yeast"  # keyword for all genes or TFs of the catalog
Names = Literal["standard", "systematic"]


def genes() -> "pd.DataFrame":
    """Return the 6,604 ORFs of Saccharomyces cerevisiae S288C, which ``genes="yeast"`` selects.

    Returns
    -------
    pandas.DataFrame
        A table whose index ``systematic`` contains systematic names in alphabetical order, those of the nucleus first.
        Its columns are strings: ``standard``, the standard name, or the systematic name if there is none; ``kind``,
        ``"verified"``, ``"uncharacterized"`` or ``"dubious"``; ``chromosome``, ``"I"`` to ``"XVI"``,
        ``"mitochondrion"`` or ``"2-micron"``.

    Notes
    -----
    From the Saccharomyces Genome Database (SGD; Cherry et al. 2012), genome version R64-2-1, CC BY 4.0, as distributed
    with transposonmapper 1.1.5 (Apache-2.0).

    Examples
    --------
    >>> import yeastxr as yx
    >>> genes = yx.names.genes()
    >>> genes.loc["YPL248C"].to_dict()
    {'standard': 'GAL4', 'kind': 'verified', 'chromosome': 'XVI'}
    >>> ds = yx.simulate(genes=genes.index[genes.kind == "verified"], bound=0.1, seed=42)
    >>> ds.sizes["gene"]
    5159
    """
    import pandas as pd

    columns = _read_columns("genes.tsv")
    pairs = zip(columns["systematic"], columns["standard"], strict=True)
    columns["standard"] = tuple(standard or systematic for systematic, standard in pairs)
    index = pd.Index(columns.pop("systematic"), name="systematic", dtype=object)
    return pd.DataFrame(columns, index=index, dtype=object)


def tfs() -> "pd.DataFrame":
    """Return the 175 yeast transcription factors with a known motif, which ``tfs="yeast"`` selects.

    Returns
    -------
    pandas.DataFrame
        A table whose index ``name`` contains standard names (systematic names if there is none) in alphabetical order.
        Its columns are strings: ``systematic``, the systematic name; ``motifs``, the comma-separated IDs of the
        profiles of the TF in JASPAR.

    Notes
    -----
    From JASPAR 2026 (Rauluseviciute et al. 2024), collection CORE, as distributed with pyjaspar 4.0.0 (MIT). JASPAR
    allows unrestricted use of its data.

    Examples
    --------
    >>> import yeastxr as yx
    >>> yx.names.tfs().loc["GAL4"].to_dict()
    {'systematic': 'YPL248C', 'motifs': 'MA0299.1'}
    >>> ds = yx.simulate(genes=1000, bound=0.1, tfs=yx.names.tfs().index[:3], seed=42)
    >>> ds.tf.values.tolist()
    ['ABF1', 'ABF2', 'ACA1']
    """
    import pandas as pd

    columns = _read_columns("tfs.tsv")
    index = pd.Index(columns.pop("name"), name="name", dtype=object)
    return pd.DataFrame(columns, index=index, dtype=object)


@cache
def list_genes() -> tuple[str, ...]:
    """Return the systematic names of all ORFs."""
    return tuple(row[0] for row in _read_rows("genes.tsv"))


@cache
def list_tfs() -> tuple[str, ...]:
    """Return the names of all TFs with a known motif."""
    return tuple(row[0] for row in _read_rows("tfs.tsv"))


@cache
def map_names(to: Names) -> dict[str, str]:
    """Return a mapping from all names of ORFs, standard and systematic, to names of one kind.

    An ORF without a standard name keeps its systematic one.
    """
    pairs = [(systematic, standard or systematic) for systematic, standard, *_ in _read_rows("genes.tsv")]
    if to == "standard":
        return dict(pairs) | {standard: standard for _, standard in pairs}
    return {standard: systematic for systematic, standard in pairs} | {
        systematic: systematic for systematic, _ in pairs
    }


def _read_columns(file: str) -> dict[str, tuple[str, ...]]:
    """Return the columns of a table by name."""
    return dict(zip(_read_lines(file)[0].split("\t"), zip(*_read_rows(file), strict=True), strict=True))


@cache
def _read_rows(file: str) -> list[list[str]]:
    """Return the rows of a table, without its header."""
    return [line.split("\t") for line in _read_lines(file)[1:]]


def _read_lines(file: str) -> list[str]:
    return files("yeastxr.names").joinpath("data", file).read_text(encoding="utf-8").splitlines()
