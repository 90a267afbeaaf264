"""The catalog of names in `yeastxr/names/data`, from files of SGD and JASPAR that packages on PyPI carry.

    pip download --no-deps transposonmapper==1.1.5 pyjaspar==4.0.0
    unzip '*.whl'
    python docs/derivations/names.py transposonmapper/data_files/SGD_features.tab \
        pyjaspar/data/JASPAR2026.sqlite yeastxr/names/data

ORFs are the features of the type ORF, those of the nucleus first, each group by systematic name. TFs are the profiles
of JASPAR's collection CORE for Saccharomyces cerevisiae (taxon 4932) in their latest version, by the name that
simulations use. Names of dimers, with `::`, are left out, as they name no ORF. A name that SGD has as an alias becomes
its standard name, and profiles of one ORF are one TF.
"""

import argparse
import sqlite3
from pathlib import Path

TAXON = "4932"
ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII", "XIV", "XV", "XVI")
CHROMOSOMES = {str(number): name for number, name in enumerate(ROMAN, 1)} | {
    "17": "mitochondrion",
    "2-micron": "2-micron",
}


def read_orfs(path: Path) -> list[dict[str, str]]:
    """Return the ORFs of SGD_features.tab, with their aliases, in the order of the catalog."""
    orfs = []
    for line in path.read_text(encoding="utf-8").splitlines():
        fields = line.split("\t")
        if fields[1] == "ORF":
            orfs.append(
                {
                    "systematic": fields[3],
                    "standard": fields[4],
                    "kind": fields[2].partition("|")[0].lower(),  # Verified|silenced_gene is verified
                    "chromosome": CHROMOSOMES[fields[8]],
                    "aliases": fields[5],
                }
            )
    return sorted(orfs, key=lambda orf: (not orf["systematic"].startswith("Y"), orf["systematic"]))


def read_tfs(path: Path, orfs: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return the TFs of a JASPAR database that have a motif, by the names of ORFs."""
    with sqlite3.connect(path) as database:
        rows = database.execute(
            "SELECT NAME, BASE_ID, MAX(VERSION) FROM MATRIX JOIN MATRIX_SPECIES USING (ID) "
            "WHERE TAX_ID = ? AND COLLECTION = 'CORE' GROUP BY BASE_ID",
            [TAXON],
        ).fetchall()
    by_name = {alias.upper(): orf for orf in orfs for alias in orf["aliases"].split("|") if alias}
    by_name |= {orf[column].upper(): orf for orf in orfs for column in ("standard", "systematic") if orf[column]}
    tfs: dict[str, dict[str, str]] = {}
    for name, motif, version in sorted(rows, key=lambda row: row[1]):
        if "::" in name:
            continue
        orf = by_name[name.upper()]
        systematic = orf["systematic"]
        tf = tfs.setdefault(systematic, {"name": orf["standard"] or systematic, "systematic": systematic, "motifs": ""})
        tf["motifs"] += f"{',' if tf['motifs'] else ''}{motif}.{version}"
    return sorted(tfs.values(), key=lambda tf: tf["name"])


def write_table(path: Path, rows: list[dict[str, str]], columns: list[str]) -> None:
    """Write columns of rows as a table with tabs between them."""
    lines = ["\t".join(columns), *("\t".join(row[column] for column in columns) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def main(arguments: list[str] | None = None) -> None:
    """Write both tables."""
    parser = argparse.ArgumentParser(description="Write the catalog of names.")
    parser.add_argument("features", type=Path, help="SGD_features.tab")
    parser.add_argument("motifs", type=Path, help="a JASPAR database, such as JASPAR2026.sqlite")
    parser.add_argument("out", type=Path, help="the folder of the catalog")
    paths = parser.parse_args(arguments)
    orfs = read_orfs(paths.features)
    write_table(paths.out / "genes.tsv", orfs, ["systematic", "standard", "kind", "chromosome"])
    write_table(paths.out / "tfs.tsv", read_tfs(paths.motifs, orfs), ["name", "systematic", "motifs"])


if __name__ == "__main__":
    main()
