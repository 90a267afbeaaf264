"""Malformed tables: each is read right, or refused in one sentence that says where and what to do."""

import gzip
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import yeastxr as yx

ROWS = "target_symbol,regulator_symbol,effect,pvalue\nGAL1,GAL4,1.5,0.25\nGAL7,GAL4,-2,0.5\n"
PLAIN = ROWS.encode()
EUROPEAN = ROWS.replace(",", ";").replace(".", ",").encode()

RIGHT: dict[str, tuple[bytes, dict[str, Any]]] = {
    "byte-order mark": (b"\xef\xbb\xbf" + PLAIN, {}),
    "UTF-16": (ROWS.encode("utf-16"), {}),
    "UTF-16 big-endian": (b"\xfe\xff" + ROWS.encode("utf-16-be"), {}),
    "semicolons": (ROWS.replace(",", ";").encode(), {}),
    "bars": (ROWS.replace(",", "|").encode(), {}),
    "tabs without an ending that says so": (ROWS.replace(",", "\t").encode(), {}),
    "spaces": (ROWS.replace(",", " ").encode(), {"delimiter": " "}),
    "decimal comma": (EUROPEAN, {"decimal": ","}),
    "Windows": (ROWS.replace("\n", "\r\n").encode(), {}),
    "old Mac": (ROWS.replace("\n", "\r").encode(), {}),
    "blank lines": (b"\n\n" + PLAIN + b"\n\n", {}),
    "no newline at the end": (PLAIN.rstrip(), {}),
    "quotes": (ROWS.replace("GAL1", '"GAL1"').replace("1.5", '"1.5"').encode(), {}),
    "spaces around": (
        ROWS.replace("GAL1,", " GAL1 ,").replace("1.5", " 1.5").replace("effect", " effect").encode(),
        {},
    ),
    "gzip without an ending that says so": (gzip.compress(PLAIN), {}),
    "more columns": (ROWS.replace("\n", ",x\n").replace("GAL1,", "GAL1,").encode(), {}),
    "latin-1": (ROWS.replace("\n", ",é\n").encode("latin-1"), {"encoding": "latin-1"}),
}


def write(folder: Path, data: bytes, name: str = "table.csv") -> Path:
    """Write a file."""
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("case", RIGHT)
def test_table__is_read_right(case: str, tmp_path: Path) -> None:
    data, settings = RIGHT[case]
    path = write(tmp_path, data)
    ds = yx.from_tables(path, path, **settings)
    assert ds.gene.values.tolist() == ["GAL1", "GAL7"]
    assert ds.tf.values.tolist() == ["GAL4"]
    assert ds.perturbation_effect.values.tolist() == [[1.5], [-2.0]]
    assert ds.binding_pvalue.values.tolist() == [[0.25], [0.5]]


@pytest.mark.parametrize("null", ["", "NA", "NaN", "nan", "NULL", "#N/A"])
def test_table__missing_values_are_nan(null: str, tmp_path: Path) -> None:
    path = write(tmp_path, ROWS.replace("1.5", null).encode())
    assert np.isnan(yx.from_tables(path, path).binding_effect.values[0, 0])


WRONG: dict[str, tuple[bytes, dict[str, Any], str]] = {
    "no such column": (
        PLAIN,
        {"effect": "efect"},
        "PATH has no column 'efect' (did you mean 'effect'?); its columns are 'target_symbol', 'regulator_symbol', ",
    ),
    "no known column of effects": (
        ROWS.replace("effect", "efect").replace("pvalue", "p").encode(),
        {},
        "log2_shrunken_timecourses, M; pass its name as effect= or pvalue= (did you mean 'efect'?); its columns",
    ),
    "no known column of genes": (
        ROWS.replace("target_symbol", "orf").encode(),
        {},
        "PATH has no recognized column of genes, such as target_locus_tag, target_symbol, gene; pass its name as gene=",
    ),
    "no known column of TFs": (
        ROWS.replace("regulator_symbol", "x").encode(),
        {},
        "PATH has no recognized column of TFs, such as regulator_locus_tag, regulator_symbol, tf; pass its name as tf=",
    ),
    "a column twice": (
        ROWS.replace("pvalue", "effect").encode(),
        {},
        "PATH has 2 columns 'effect'; expected unique names",
    ),
    "text in numbers": (
        ROWS.replace("-2", "low").encode(),
        {},
        "PATH contains 'low' in row 2 of column 'effect'; expected a number",
    ),
    "a decimal comma": (
        EUROPEAN,
        {},
        "PATH contains '1,5' in row 1 of column 'effect'; expected a number, or decimal=',' for a decimal",
    ),
    "a decimal comma between commas": (
        ROWS.replace("1.5", "1,5").encode(),
        {},
        "PATH has a line of 5 values, 'GAL1,GAL4,1,5,0.25'; expected 4, as in the header, and a delimiter that is not",
    ),
    "an open quotation mark": (
        ROWS.replace("GAL7", '"GAL7').encode(),
        {},
        "PATH has a line with an unclosed quotation mark; expected pairs of quotation marks",
    ),
    "an open quotation mark above many lines": (
        ROWS.replace("GAL7", '"GAL7').encode() + b"GAL7,GAL4,1,0.5\n" * 200_000,
        {},
        "PATH has a line with an unclosed quotation mark; expected pairs of quotation marks",
    ),
    "UTF-16 without a byte-order mark": (ROWS.encode("utf-16-le"), {}, "UTF-16 text; pass encoding='utf-16-le'"),
    "big-endian UTF-16 without one": (ROWS.encode("utf-16-be"), {}, "UTF-16 text; pass encoding='utf-16-be'"),
    "UTF-16 that is said, without one": (
        ROWS.encode("utf-16-le"),
        {"encoding": "utf-16"},
        "PATH is not utf-16 text; pass its encoding with encoding=, such as encoding='utf-16-le'",
    ),
    "a column twice as labels": (
        PLAIN,
        {"gene": {"binding": "regulator_symbol"}},
        "PATH uses the column 'regulator_symbol' for gene and tf; pass a column for each, with gene= and tf=",
    ),
    "a column as a label and as effects": (
        PLAIN,
        {"effect": {"binding": "target_symbol"}},
        "PATH uses the column 'target_symbol' for gene and effect; pass a column for each",
    ),
    "labels and a rule for them": (
        ROWS.replace("effect", "label").replace("1.5", "1").replace("-2", "0").encode(),
        {"label_from": {"binding_pvalue": 0.1}, "effect": {"perturbation": "label"}},
        "label_from is given, but table.csv has labels in 'label'; expected only one of them",
    ),
    "a short line": (
        PLAIN + b"GAL80,GAL4\n",
        {},
        "PATH has a line of 2 values, 'GAL80,GAL4'; expected 4, as in the header",
    ),
    "a p-value above 1": (
        ROWS.replace("0.5", "1.5").encode(),
        {},
        "PATH contains 1.5 in row 2 of column 'pvalue'; expected a p-value in [0, 1]",
    ),
    "a negative p-value": (
        ROWS.replace("0.5", "-0.5").encode(),
        {},
        "PATH contains -0.5 in row 2 of column 'pvalue'; expected a p-value in [0, 1]",
    ),
    "an infinite effect": (
        ROWS.replace("-2", "-inf").encode(),
        {},
        "PATH contains -inf in row 2 of column 'effect'; expected a finite effect, or a missing value",
    ),
    "an effect beyond float32": (
        ROWS.replace("-2", "1e300").encode(),
        {},
        "PATH contains 1e+300 in row 2 of column 'effect'; expected a finite effect, or a missing value",
    ),
    "a fraction of a hop": (
        ROWS.replace("effect", "experiment_hops").replace("-2", "2").encode(),
        {},
        "PATH contains 1.5 in row 1 of column 'experiment_hops'; expected a count below 2**31",
    ),
    "empty": (b"", {}, "PATH is empty; expected a header and rows"),
    "blank": (b"\n \n", {}, "PATH is empty; expected a header and rows"),
    "header alone": (PLAIN.split(b"\n")[0] + b"\n", {}, "PATH has no rows; expected at least one row after the header"),
    "header without end": (PLAIN.split(b"\n")[0], {}, "PATH has no rows; expected at least one row after the header"),
    "latin-1": (
        ROWS.replace("GAL4", "GAL\xe9").encode("latin-1"),
        {},
        "PATH is not utf-8 text; pass its encoding with encoding=, such as encoding='latin-1'",
    ),
    "latin-1 far below": (
        PLAIN + b"GAL7,GAL4,1,0.5\n" * 100_000 + b"GAL\xe9,GAL4,1,1\n",
        {},
        "PATH is not utf-8 text; pass its encoding with encoding=, such as encoding='latin-1'",
    ),
    "spaces": (
        ROWS.replace(",", " ").encode(),
        {},
        "its only column is 'target_symbol regulator_symbol effect …, so its delimiter may be different",
    ),
    "a spreadsheet": (
        b"PK\x03\x04\x14\x00",
        {},
        "PATH is not text; expected CSV or TSV, optionally compressed with gzip, ",
    ),
    "damaged gzip": (gzip.compress(PLAIN)[:40] + b"x" * 9, {}, "PATH can't be read: "),
    "damaged parquet": (b"PAR1" + PLAIN, {}, "PATH can't be read: "),
    "no labels at all": (ROWS.replace("GAL1", "").replace("GAL7", "NA").encode(), {}, "PATH has no label of a gene"),
}


@pytest.mark.parametrize("case", WRONG)
def test_table__is_refused_in_one_sentence(case: str, tmp_path: Path) -> None:
    data, settings, message = WRONG[case]
    path = write(tmp_path, data)
    with pytest.raises(yx.InputError) as caught:
        yx.from_tables(path, path, **settings)
    text = str(caught.value)
    assert message.replace("PATH", str(path)) in text
    assert "\n" not in text
    assert "arrow" not in text.lower()


def test_table__no_common_label(tmp_path: Path) -> None:
    path = write(tmp_path, PLAIN)
    for axis, old, new, hint in (
        ("gene", b"GAL1", b"YBR020W", "expected the same type of names in the columns given by gene="),
        ("TF", b"GAL4", b"gal4", "expected the same type of names, in the same case in the columns given by tf="),
    ):
        other = write(
            tmp_path, PLAIN.replace(old, new).replace(b"GAL7", b"YBR018C" if axis == "gene" else b"GAL7"), "b.csv"
        )
        with pytest.raises(yx.InputError, match=f"^the tables have no {axis} in common, binding has 'GAL") as caught:
            yx.from_tables(path, other)
        assert str(caught.value).endswith(hint)


ARGUMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "no such file": (
        {"binding": "nothing.csv"},
        "binding is 'nothing.csv', which does not exist; expected a path",
    ),
    "a number": ({"binding": 3}, "binding is of type int; expected a path of a file or folder"),
    "an empty list": ({"perturbation": []}, "perturbation is an empty list; expected"),
    "an empty dict": ({"perturbation": {}}, "perturbation is an empty dict; expected a matrix for each quantity"),
    "no quantity": ({"perturbation": {"efect": 1}}, "perturbation has the unknown key 'efect'; did you mean 'effect'?"),
    "no table": ({"gene": {"bindin": "x"}}, "gene has the unknown key 'bindin'; did you mean 'binding'?"),
    "a column that is a number": ({"gene": 3}, "gene is 3; expected a string, or a dict"),
    "counts by table": ({"experiment_hops": {}}, "experiment_hops is {}; expected the name of a column of"),
    "join": ({"join": "left"}, "join is 'left'; expected 'inner', 'outer' or 'exact'"),
    "duplicates": ({"duplicates": "last"}, "duplicates is 'last'; expected 'largest_effect', 'mean' or 'refuse'"),
    "label_from": ({"label_from": 0.1}, "label_from is 0.1; expected a dict such as {'binding_fdr': 0.05}"),
    "label_from of what": ({"label_from": {"fdr": 1}}, "label_from has the unknown key 'fdr'; "),
    "label_from beyond": (
        {"label_from": {"binding_fdr": 2}},
        "label_from['binding_fdr'] is 2; expected a number from 0",
    ),
    "delimiter": ({"delimiter": "ab"}, "delimiter is 'ab'; expected one character"),
    "decimal": ({"decimal": "'"}, "decimal is \"'\"; expected '.' or ','"),
    "both": ({"delimiter": ",", "decimal": ","}, "delimiter and decimal are both ','; expected different characters"),
    "encoding": ({"encoding": "utf-9"}, "encoding is 'utf-9'; expected an encoding of Python"),
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_arguments__are_refused_in_one_sentence(case: str, tmp_path: Path) -> None:
    arguments, message = ARGUMENTS[case]
    path = write(tmp_path, PLAIN)
    with pytest.raises(yx.InputError, match=f"^{re.escape(message)}"):
        yx.from_tables(**({"binding": path, "perturbation": path} | arguments))


def test_folder__without_tables_or_with_other_columns(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(yx.InputError, match=r"a folder without tables; expected \.csv, "):
        yx.from_tables(folder, folder)
    write(folder, PLAIN, "a.csv")
    write(folder, PLAIN.replace(b"effect", b"log2fc"), "b.csv")
    with pytest.raises(yx.InputError, match=r"b.csv has no column 'effect'; its columns are"):
        yx.from_tables(folder, folder)


def test_matrix__repeated_genes_and_tfs() -> None:
    matrix = pd.DataFrame({"GAL4": [1.0, 2.0]}, index=["GAL1", "GAL7"])
    for wrong, message in (
        (pd.concat([matrix, matrix]), "has the gene 'GAL1' 2 times; expected each gene once"),
        (pd.concat([matrix, matrix], axis=1), "has 2 columns 'GAL4'; expected unique names"),
        (matrix[[]].reset_index(names="gene"), "has only the column 'gene'; expected one for each TF"),
        (matrix.replace(2.0, np.inf), "contains inf in row 2 of column 'GAL4'; expected a finite effect"),
    ):
        with pytest.raises(yx.InputError, match=message):
            yx.from_tables({"effect": wrong}, {"effect": matrix})
    for name in ("effect", "pvalue", "tf", "experiment_hops"):
        with pytest.raises(yx.InputError, match=f"^{name} names the column 'x', but binding has matrices"):
            yx.from_tables({"effect": matrix}, {"effect": matrix}, **{name: "x"})


MEASURE = """
import resource, sys, time
import pandas, torch, pyarrow.csv, pyarrow.parquet
import yeastxr as yx
yx.from_tables(sys.argv[1], sys.argv[1])  # loads what is loaded once
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
ds = yx.from_tables(sys.argv[2], sys.argv[2])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((peak - before) * 1024, ds.nbytes, float(ds.binding_effect.sum()), time.perf_counter() - start)
"""


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_table__ten_million_rows_in_bounded_memory(ending: str, tmp_path: Path) -> None:
    """The file has 600 MB as text; the memory of reading it is that of the dataset and of some batches."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    rng = np.random.default_rng(1)
    genes, tfs = pa.array([f"YAL{i:05d}W" for i in range(6000)]), 1667
    large, total, writer = tmp_path / f"large{ending}", 0.0, None
    for i in range(tfs):
        effect = rng.normal(size=len(genes))
        total += float(effect.astype(np.float32).sum(dtype=float))
        columns = [pa.array([f"TF{i:04d}"] * len(genes)), genes, pa.array(effect), pa.array(rng.random(len(genes)))]
        rows = pa.table(columns, names=["regulator_locus_tag", "target_locus_tag", "log2fc", "pvalue"])
        if writer is None:
            make = csv.CSVWriter if ending == ".csv" else parquet.ParquetWriter
            writer = make(large, rows.schema)
        writer.write(rows)
    writer.close()
    small = write(tmp_path, PLAIN)
    command = [sys.executable, "-c", MEASURE, str(small), str(large)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    grown, size, found, seconds = map(float, done.stdout.split())
    assert size > 160e6
    assert found == pytest.approx(total, abs=1)
    assert grown < size + 200e6, f"{grown / 1e6:.0f} MB, {seconds:.0f} s"
