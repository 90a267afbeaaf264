"""The catalog of names: what it holds, where names are taken, and the script that made it."""

import runpy
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from click.testing import CliRunner

import yeastxr as yx
from tests.pages import DOCS
from yeastxr.cli import main
from yeastxr.names.catalog import map_names

FORMS: dict[str, Callable[[list[str]], Any]] = {
    "array": np.array,
    "variable-width text": lambda names: np.array(names, np.dtypes.StringDType()),
    "NumPy strings": lambda names: list(map(np.str_, names)),
    "Index": pd.Index,
    "Series": pd.Series,
    "coordinate": lambda names: xr.DataArray(names, dims="tf", coords={"tf": names})["tf"],
    "labels of a coordinate": lambda names: list(xr.DataArray(names, dims="tf", coords={"tf": names})["tf"]),
}


def test_catalog__names_are_unique_and_of_one_orf() -> None:
    genes, tfs = yx.names.genes(), yx.names.tfs()
    assert (len(genes), len(tfs)) == (6604, 175)
    for names in (genes.index, genes["standard"], tfs.index, tfs["systematic"]):
        assert names.is_unique
    # A standard name is never the systematic one of another ORF, so each name means one ORF.
    assert (
        genes["standard"][genes["standard"].isin(genes.index)] == genes.index[genes["standard"].isin(genes.index)]
    ).all()
    assert genes.loc[tfs["systematic"], "standard"].tolist() == tfs.index.tolist()
    assert genes["kind"].value_counts().to_dict() == {"verified": 5159, "uncharacterized": 728, "dubious": 717}
    assert genes["chromosome"].nunique() == 18
    nuclear = genes.index[genes.index.str.startswith("Y")]
    assert nuclear.tolist() == sorted(nuclear) == genes.index[: len(nuclear)].tolist()
    assert set(map_names("standard")) == set(map_names("systematic")) == {*genes.index, *genes["standard"]}


def test_catalog__is_not_changed_by_its_reader() -> None:
    genes = yx.names.genes()
    genes.loc["YAL001C", "standard"] = "changed"
    assert yx.names.genes().loc["YAL001C", "standard"] == "TFC3"


def test_yeast__stands_for_all_names(tmp_path: Path) -> None:
    spec = yx.SimulationSpec(genes="yeast", tfs="yeast", bound=0.1, seed=1)
    assert spec.genes == tuple(yx.names.genes().index)
    assert (spec.tfs, spec.n_sample) == (tuple(yx.names.tfs().index), (175,))
    assert yx.SimulationSpec.from_json(spec.to_json()) == spec  # the names, not the word
    labels = yx.generate_gene_population("yeast", tfs="yeast", bound=[0.1, 0.2], n_sample=[100, 75], seed=1)
    assert labels.sizes == {"gene": 6604, "tf": 175}
    options = "--genes yeast --tfs yeast --bound 0.1 --seed 1 --quiet"
    result = CliRunner().invoke(main, ["simulate", str(tmp_path / "sim.zarr"), *options.split()])
    assert result.exit_code == 0, result.output
    assert yx.open(tmp_path / "sim.zarr").yeast.spec == spec


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"genes": "yeats"}, "genes is 'yeats'; expected an integer from 1, a list of names, or 'yeast'"),
        ({"tfs": "GAL4"}, "tfs is 'GAL4'; expected a list of unique names, or 'yeast'"),
        ({"tfs": "yeast", "n_sample": 10}, "expected 10, the sum of n_sample, such as yx.names.tfs().index[:10]"),
        ({"tfs": "yeast", "bound": [0.1, 0.2]}, "expected 2, the sum of n_sample"),
        ({"tfs": "yeast", "n_sample": 200}, "tfs has 175 names; expected 200, the sum of n_sample"),
        ({"bound": pd.Series({"GAL4": 0.1}), "tfs": ["MIG1"]}, "bound and tfs both name TFs"),
    ],
)
def test_yeast__other_words_and_numbers_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(yx.InputError) as caught:
        yx.SimulationSpec(**{"genes": 10, "bound": 0.1, "seed": 1, **values})
    assert message in str(caught.value)


def test_tfs__one_fraction_is_that_of_all_names() -> None:
    spec = yx.SimulationSpec(genes=10, bound=0.2, tfs=["GAL4", "MIG1"], seed=1)
    assert spec == yx.SimulationSpec(genes=10, bound=[0.2, 0.2], tfs=["GAL4", "MIG1"], seed=1) or spec.n_sample == (2,)
    assert spec.bound_fractions == [0.2, 0.2]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_names__are_taken_from_any_array(form: Callable[[list[str]], Any]) -> None:
    tfs = ["GAL4", "MIG1", "RAP1"]
    names = form(tfs)
    expected = yx.SimulationSpec(
        genes=tfs, tfs=tfs, bound=0.5, tf_relationships={"GAL4": ["MIG1", yx.Not("RAP1")]}, seed=1
    )
    relations = {str(tfs[0]): [list(names)[1], yx.Not(list(names)[2])]}
    assert yx.SimulationSpec(genes=names, tfs=names, bound=0.5, tf_relationships=relations, seed=1) == expected
    ds = expected.simulate()
    assert yx.plot.label_map(ds, tf=form(tfs[:2]), gene=form(tfs)).dimension_values("bound").size == 6


@pytest.mark.parametrize("form", [pd.Series, lambda fractions: pd.Series(fractions).rename_axis("tf").to_xarray()])
def test_bound__has_the_names_of_a_series_or_an_array(form: Callable[[dict[str, float]], Any]) -> None:
    fractions = {"GAL4": 0.1, "MIG1": 0.4}
    assert yx.SimulationSpec(genes=10, bound=form(fractions), seed=1) == yx.SimulationSpec(
        genes=10, bound=fractions, seed=1
    )
    assert yx.SimulationSpec(genes=10, bound=form(fractions), n_sample=1, seed=1).tfs == ("GAL4", "MIG1")
    with pytest.raises(yx.InputError, match="bound names 2 TFs; expected 3, the sum of n_sample"):
        yx.SimulationSpec(genes=10, bound=form(fractions), n_sample=[1, 2], seed=1)
    numbers = form({4: 0.1, 7: 0.4})  # such as those of a dataset without names
    assert yx.SimulationSpec(genes=10, bound=numbers, n_sample=[1, 2], seed=1).tfs is None


def test_relations__integers_of_numpy() -> None:
    relations = {np.int64(0): np.array([1, 2]), np.int32(1): yx.And(np.uint8(0), xr.DataArray(2))}
    spec = yx.SimulationSpec(genes=10, bound=0.5, n_sample=3, tf_relationships=relations, seed=1)
    assert spec.tf_relationships == {0: (1, 2), 1: (yx.And(0, 2),)}
    assert {type(tf) for tf in spec.tf_relationships} == {int}


def test_script__makes_both_tables_from_files_of_their_sources(tmp_path: Path) -> None:
    rows = [
        ["S1", "ORF", "Verified|silenced_gene", "YCR097W", "HMRA1", "YCR097WB", "chromosome 3", "", "3"],
        ["S2", "CDS", "", "", "", "", "YCR097W", "", "3"],
        ["S3", "ORF", "Verified", "Q0045", "COX1", "", "chromosome 17", "", "17"],
        ["S4", "ORF", "Verified", "YJR127C", "RSF2", "ZMS1|x", "chromosome 10", "", "10"],
        ["S5", "ORF", "Dubious", "YAL004W", "", "", "chromosome 1", "", "1"],
    ]
    (tmp_path / "features.tab").write_text("".join("\t".join(row) + "\n" for row in rows))
    with sqlite3.connect(tmp_path / "motifs.sqlite") as database:
        database.execute("CREATE TABLE MATRIX (ID, COLLECTION, BASE_ID, VERSION, NAME)")
        database.execute("CREATE TABLE MATRIX_SPECIES (ID, TAX_ID)")
        matrices = [
            (1, "CORE", "MA0001", 1, "ZMS1"), (2, "CORE", "MA0001", 2, "ZMS1"), (3, "CORE", "MA0002", 1, "Yal004w"),
            (4, "CORE", "MA0003", 1, "RSF2::HMRA1"), (5, "UNVALIDATED", "UN0001", 1, "HMRA1"),
            (6, "CORE", "MA0004", 1, "GATA1"), (7, "CORE", "MA0009", 1, "RSF2"),
        ]  # fmt: skip
        database.executemany("INSERT INTO MATRIX VALUES (?, ?, ?, ?, ?)", matrices)
        species = [(n, "9606" if n == 6 else "4932") for n in range(1, 8)]
        database.executemany("INSERT INTO MATRIX_SPECIES VALUES (?, ?)", species)
    script = runpy.run_path(str(DOCS / "derivations" / "names.py"))
    script["main"]([str(tmp_path / "features.tab"), str(tmp_path / "motifs.sqlite"), str(tmp_path)])
    assert (tmp_path / "genes.tsv").read_text().splitlines() == [
        "systematic\tstandard\tkind\tchromosome",
        "YAL004W\t\tdubious\tI",
        "YCR097W\tHMRA1\tverified\tIII",
        "YJR127C\tRSF2\tverified\tX",
        "Q0045\tCOX1\tverified\tmitochondrion",
    ]
    assert (tmp_path / "tfs.tsv").read_text().splitlines() == [
        "name\tsystematic\tmotifs",
        "RSF2\tYJR127C\tMA0001.2,MA0009.1",
        "YAL004W\tYAL004W\tMA0002.1",
    ]
