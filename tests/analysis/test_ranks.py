"""Rank response against a loop over genes and SciPy's binomial test."""

import math

import numpy as np
import pytest
import xarray as xr
from scipy.stats import binomtest

import yeastxr as yx
from tests.analysis.common import any_seed, assert_same_for_any_chunks, make_measured


def respond(ds: xr.Dataset, tf: str) -> tuple[list[bool], int]:
    """Return which genes respond, in the order of binding, and how many are missing."""
    rows = []
    columns = [ds[name].sel(tf=tf).values.tolist() for name in ("binding_pvalue", "binding_effect")]
    columns += [ds[name].sel(tf=tf).values.tolist() for name in ("perturbation_pvalue", "perturbation_effect")]
    for gene, (pvalue, effect, response_pvalue, response) in enumerate(zip(*columns, strict=True)):
        if not any(map(np.isnan, (pvalue, response_pvalue, response))):
            rows.append(
                (
                    pvalue,
                    math.inf if np.isnan(effect) else -effect,
                    gene,
                    response_pvalue <= np.float32(0.05) and abs(response) >= 1,
                )
            )
    return [row[3] for row in sorted(rows)], ds.sizes["gene"] - len(rows)


@any_seed
def test_rank_response__is_that_of_a_loop(seed: int) -> None:
    ds = make_measured(seed)
    result = yx.analysis.rank_response(ds, bins=4, least_magnitude=1.0, level=0.9)
    assert result["rank"].values.tolist() == [4, 8, 12, 16, 20, 23]
    for tf in ds.tf.values:
        responds, missing = respond(ds, tf)
        own = result.sel(tf=tf)
        assert int(own.missing) == missing
        assert int(own.genes) == len(responds)
        assert float(own.chance) == pytest.approx(np.mean(responds))
        for rank in result["rank"].values:
            row = own.sel(rank=rank)
            assert int(row.responsive) == sum(responds[:rank])
            if rank > len(responds):
                assert np.isnan([row.ratio, row.lower, row.upper]).all()
                continue
            band = binomtest(sum(responds[:rank]), int(rank)).proportion_ci(0.9, "exact")
            assert float(row.ratio) == pytest.approx(sum(responds[:rank]) / rank)
            assert (float(row.lower), float(row.upper)) == pytest.approx((band.low, band.high), abs=1e-9)


def test_rank_response__any_chunks_give_the_same() -> None:
    ds = make_measured(7, label=True)
    assert_same_for_any_chunks(yx.analysis.rank_response, ds)
    assert_same_for_any_chunks(
        lambda ds: yx.analysis.top_ratio(ds, [3, 9], responsive="label", by="binding_effect"), ds
    )


def test_rank_response__leading_dims() -> None:
    ds = yx.simulate(genes=50, bound=[0.2, 0.4], replicates=2, seed=1)
    result = yx.analysis.rank_response(ds)
    assert result.ratio.dims == ("replicate", "tf", "rank")
    alone = yx.analysis.rank_response(ds.isel(replicate=1, tf=[1]))
    xr.testing.assert_equal(result.isel(replicate=1, tf=[1]), alone)
    assert_same_for_any_chunks(yx.analysis.rank_response, ds)


def test_rank_response__truth_ranks_first_what_is_bound() -> None:
    ds = yx.simulate(genes=300, bound=[0.1], bound_experiment_hops_range=(150, 160), n_sample=[2], seed=1)
    result = yx.analysis.top_ratio(ds, [30, 60], responsive="label", by="binding_effect")
    assert result.ratio.values.tolist() == [[1.0, 0.5]] * 2
    assert result.chance.values.tolist() == [0.1] * 2
    again = yx.analysis.top_ratio(ds, 30, responsive=ds.label, by="binding_effect")
    xr.testing.assert_equal(again, result.sel(rank=30))


def test_rank_response__band_holds_the_true_share() -> None:
    """The exact interval covers at least its level; at rank 10 of independent data by a share of at least 0.9."""
    ds = yx.simulate(genes=100, bound=[0.0], n_sample=[2000], seed=5)
    top = yx.analysis.top_ratio(ds, 10, largest_pvalue=0.2, level=0.9)
    covered = float(((top.lower <= 0.28) & (top.upper >= 0.28)).mean())  # 0.9 * 0.2 + 0.1
    assert 0.9 - 6 * 0.3 / 2000**0.5 < covered < 0.99


def test_rank_response__refuses() -> None:
    ds = make_measured(1)
    with pytest.raises(
        yx.InputError, match="responsive='label' needs the variable 'label', which the dataset does not have"
    ):
        yx.analysis.rank_response(ds, responsive="label")
    for arguments, message in (
        ({"bins": 0}, "bins is 0"),
        ({"responsive": "truth"}, "responsive is 'truth'"),
        ({"responsive": None}, "responsive is None; expected 'measured', 'label' or a bool DataArray of pairs"),
        ({"responsive": np.ones((23, 3), bool)}, "responsive is array.*; expected 'measured', 'label' or"),
        ({"by": "label"}, "by is 'label'"),
        ({"level": 1}, "level is 1"),
        ({"largest_pvalue": 2}, "largest_pvalue is 2"),
        ({"responsive": ds.binding_effect}, "responsive has dtype float32"),
    ):
        with pytest.raises(yx.InputError, match=message):
            yx.analysis.rank_response(ds, **arguments)
    with pytest.raises(yx.InputError, match="n is 24; expected an integer from 1 to 23"):
        yx.analysis.top_ratio(ds, 24)
    with pytest.raises(yx.InputError, match="expected increasing numbers"):
        yx.analysis.top_ratio(ds, [5, 3])
