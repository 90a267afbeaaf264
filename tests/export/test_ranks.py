"""Ranked lists for programs of dual threshold optimization."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import yeastxr as yx
from tests.export.common import CHUNKS, TFS, simulate_measured


def read_list(path: Path) -> pd.Series:
    return pd.read_csv(path, header=None, names=["feature", "rank"], index_col="feature")["rank"]


@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS)
@pytest.mark.parametrize("features", [None, ["binding_effect", "perturbation_effect"]], ids=["pvalues", "effects"])
def test_ranks__are_those_of_dual_thresholds(
    tmp_path: Path, chunks: dict[str, int] | None, features: list[str]
) -> None:
    ds = simulate_measured(chunks)
    folder = yx.export(ds, tmp_path / "ranks", layout="ranks", features=features)
    binding, response = features or ("binding_pvalue", "perturbation_pvalue")
    response = response.replace("perturbation_effect", "perturbation_magnitude")
    dual = ds.yeast.analysis.dual_threshold(binding=binding, response=response, permutations=0, seed=1).compute()
    for replicate in (0, 1):
        for tf in TFS:
            own, chosen = ds.sel(replicate=replicate, tf=tf).compute(), dual.sel(replicate=replicate, tf=tf)
            lists = [
                read_list(folder / f"replicate={replicate}" / side / f"{tf}.csv")
                for side in ("binding", "perturbation")
            ]
            valid = own["binding_effect"].notnull() & own["perturbation_effect"].notnull()
            assert set(lists[0].index) == set(lists[1].index) == set(own["gene"].values[valid])
            assert len(lists[0]) == chosen["genes"]
            for ranks in lists:
                assert ranks.is_monotonic_increasing
                np.testing.assert_array_equal(ranks.rank(method="min"), ranks)
            first = lists[0].index[0]
            values = own[binding].values[valid]
            assert own[binding].sel(gene=first) == (values.min() if binding == "binding_pvalue" else values.max())
            bound = {gene for gene, rank in lists[0].items() if rank <= chosen["binding_rank"]}
            responsive = {gene for gene, rank in lists[1].items() if rank <= chosen["response_rank"]}
            assert len(responsive) == chosen["response_rank"]
            if features is None:  # effects have ties, which dual_threshold breaks by position
                assert len(bound & responsive) == chosen["overlap"]


def test_ranks__ties_share_the_least_rank(tmp_path: Path) -> None:
    ds = yx.simulate(genes=[f"g{i}" for i in range(6)], tfs=["T"], bound=[0.5], seed=1)
    effect = np.array([0, 5, 0, 5, 5, 1], np.float32)[:, None]
    pvalue = np.array([0.5, 0.1, 0.5, 0.2, 0.1, 0.01], np.float32)[:, None]
    ds = ds.assign(
        binding_effect=ds.binding_effect.copy(data=effect), binding_pvalue=ds.binding_pvalue.copy(data=pvalue)
    )
    options = {"layout": "ranks", "features": ["binding_effect", "perturbation_effect"], "header": True}
    text = (yx.export(ds, tmp_path / "ranks", **options) / "binding" / "T.csv").read_text()
    assert text.splitlines() == ["feature,rank", "g1,1", "g4,1", "g3,3", "g5,4", "g0,5", "g2,5"]


def test_ranks__names_that_lists_cannot_hold(tmp_path: Path) -> None:
    ds = simulate_measured()
    with pytest.raises(yx.InputError, match="the gene 'a,b' has a comma or a quote"):
        yx.export(ds.assign_coords(gene=["a,b", *ds.gene.values[1:]]), tmp_path / "ranks", layout="ranks")
    with pytest.raises(yx.InputError, match="differ only in upper and lower case"):
        yx.export(ds.assign_coords(tf=["A", "a", "b", "c"]), tmp_path / "ranks", layout="ranks")
    assert list(tmp_path.iterdir()) == []
