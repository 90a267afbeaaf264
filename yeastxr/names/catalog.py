"""The tables of the catalog, which data/README.md describes, and the names of an ORF by each other.

They are read when they are first used.
"""

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

YEAST = "yeast"  # what stands for all genes, or all TFs, of the catalog
Names = Literal["standard", "systematic"]


def genes() -> "pd.DataFrame":
    """Return the ORFs of Saccharomyces cerevisiae S288C: 6,604 of them, which ``genes="yeast"`` stands for.

    Returns
    -------
    pandas.DataFrame
        The index ``systematic`` has the systematic names, in alphabetical order, those of the nucleus first. Columns,
        all text: ``standard``, the standard name, or the systematic one where there is none; ``kind``, ``"verified"``,
        ``"uncharacterized"`` or ``"dubious"``; ``chromosome``, ``"I"`` to ``"XVI"``, ``"mitochondrion"`` or
        ``"2-micron"``.

    Notes
    -----
    From the Saccharomyces Genome Database (SGD; Cherry et al. 2012), genome version R64-2-1, CC BY 4.0, as
    transposonmapper 1.1.5 carries it (Apache-2.0).

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
    """Return the yeast transcription factors with a known motif: 175, which ``tfs="yeast"`` stands for.

    Returns
    -------
    pandas.DataFrame
        The index ``name`` has the standard names, or the systematic one where there is none, in alphabetical order.
        Columns, all text: ``systematic``, the systematic name; ``motifs``, the IDs of the TF's profiles in JASPAR, with
        commas between them.

    Notes
    -----
    From JASPAR 2026 (Rauluseviciute et al. 2024), collection CORE, as pyjaspar 4.0.0 carries it (MIT); JASPAR says that
    its data can be used with no restrictions.

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
    """Return names by what they become: from each name of an ORF, standard and systematic, to that of one kind.

    An ORF without a standard name keeps its systematic one.
    """
    pairs = [(systematic, standard or systematic) for systematic, standard, *_ in _read_rows("genes.tsv")]
    if to == "standard":
        return dict(pairs) | {standard: standard for _, standard in pairs}
    return {standard: systematic for systematic, standard in pairs} | {
        systematic: systematic for systematic, _ in pairs
    }


def _read_columns(file: str) -> dict[str, tuple[str, ...]]:
    """Return the columns of a table by their names."""
    return dict(zip(_read_lines(file)[0].split("\t"), zip(*_read_rows(file), strict=True), strict=True))


@cache
def _read_rows(file: str) -> list[list[str]]:
    """Return the rows of a table, without the names of its columns."""
    return [line.split("\t") for line in _read_lines(file)[1:]]


def _read_lines(file: str) -> list[str]:
    return files("yeastxr.names").joinpath("data", file).read_text(encoding="utf-8").splitlines()
