"""Counts by label: exact, complete, lazy, and the same for NumPy and dask."""

from collections.abc import Callable

import dask
import numpy as np
import pytest
import xarray as xr

import yeastxr as yx
from tests.conftest import simulate_tutorial
from yeastxr import qc
from yeastxr.qc.bins import make_axis, pack_axes


def sum_counts(counts: xr.Dataset) -> list[int]:
    cells = counts["cells"].sum([dim for dim in counts["cells"].dims if dim != "label"])
    beside = [counts[name] for name in ("below", "above", "outside", "missing") if name in counts]
    return sum(beside, cells).values.tolist()


@pytest.mark.parametrize("feature", ["binding_effect", "perturbation_effect", "perturbation_pvalue"])
def test_histogram__counts_as_numpy_does(chunks: dict[str, int] | None, feature: str) -> None:
    ds = simulate_tutorial(chunks=chunks)
    counts = qc.histogram(ds, feature, bins=37).compute()
    edges = np.append(counts["left"].values, counts["right"].values[-1])
    values, label = ds[feature].values.astype(np.float64), ds["label"].values
    for bound in (False, True):
        expected, _ = np.histogram(values[label == bound], edges)
        observed = counts.sel(label=bound)
        np.testing.assert_array_equal(observed["cells"], expected)
        assert observed["above"] == (values[label == bound] > edges[-1]).sum()
    assert counts["cells"].dims == ("label", "bin")
    assert counts["cells"].dtype == np.int64
    assert sum_counts(counts) == [(~label).sum(), label.sum()]


def test_histogram_2d__counts_as_numpy_does(chunks: dict[str, int] | None) -> None:
    ds = simulate_tutorial(chunks=chunks)
    counts = qc.histogram_2d(ds, bins=(20, 30), limits=((0, 10), (0, 5))).compute()
    x, y = ds["binding_effect"].values.astype(float), abs(ds["perturbation_effect"].values.astype(float))
    bound = ds["label"].values
    expected, _, _ = np.histogram2d(x[bound], y[bound], bins=(20, 30), range=((0, 10), (0, 5)))
    np.testing.assert_array_equal(counts["cells"].sel(label=True).transpose("x_bin", "y_bin"), expected)
    assert counts["outside"].sel(label=True) == bound.sum() - expected.sum() > 0
    assert sum_counts(counts) == [(~bound).sum(), bound.sum()]


def test_histogram_2d__default_limits_hold_everything() -> None:
    counts = qc.histogram_2d(simulate_tutorial())
    assert counts["outside"].sum() == counts["missing"].sum() == 0
    assert counts["x_left"][0] == counts["y_left"][0] == 0


def test_histogram__dask_is_lazy(no_compute: None) -> None:
    ds = simulate_tutorial(chunks={"tf": 2})
    assert qc.histogram(ds, "binding_effect").chunks
    assert qc.histogram(ds, "perturbation_effect", limits=(-3, 3)).chunks
    assert qc.histogram_2d(ds, limits=((0, 5), (0, 5))).chunks


def test_histogram__mixed_numpy_and_dask(no_compute: None) -> None:
    lazy = simulate_tutorial(chunks={"gene": 300, "tf": 3})
    with dask.config.set(scheduler="synchronous"):
        eager = lazy["label"].compute()
        expected = qc.histogram(lazy, "binding_effect").compute()
    mixed = qc.histogram(lazy.assign(label=eager), "binding_effect")
    assert mixed["cells"].chunks
    with dask.config.set(scheduler="synchronous"):
        assert mixed.compute().identical(expected)


def test_histogram__reduces_over_extra_dims_in_any_order() -> None:
    ds = simulate_tutorial(genes=200, replicates=3, chunks={})
    expected = qc.histogram(ds, "binding_effect").compute()
    assert sum_counts(expected) == [3 * int(n) for n in ((~ds.label[0]).sum(), ds.label[0].sum())]
    moved = ds.assign(binding_effect=ds["binding_effect"].transpose("tf", "replicate", "gene"))
    assert qc.histogram(moved, "binding_effect").compute().equals(expected)


def test_histogram__edges_belong_to_the_bin_on_their_right_the_last_to_its_left() -> None:
    values = xr.DataArray(np.float32([[-0.1, 0, 0.5, 1], [1.5, 2, 2.1, np.nan]]), dims=("gene", "tf"))
    label = xr.zeros_like(values, dtype=bool)
    ds = xr.Dataset({"label": label, "binding_effect": values}, {"gene": [0, 1], "tf": list("abcd")})
    counts = qc.histogram(ds, "binding_effect", bins=2, limits=(0, 2)).sel(label=False)
    assert counts["cells"].values.tolist() == [2, 3]
    assert [int(counts[name]) for name in ("below", "above", "missing")] == [1, 1, 1]


@pytest.mark.parametrize(
    "limits",
    [
        *((0.1, 0.7), (1e-30, 3e-30), (-1e30, 2e30), (1 / 3, 1 / 3 + 1e-12), (-1, 1), (0, 5), (1000, 1000.1)),
        *((-1e300, 1e300), (-1e-44, 1e-44), (0, 3.4e38)),
    ],
)
@pytest.mark.parametrize("root", [False, True])
def test_count_values__correct_in_spite_of_rounding(limits: tuple[float, float], root: bool) -> None:
    from yeastxr.qc import kernels

    axis = make_axis("limits", limits, 60, root=root)
    with np.errstate(over="ignore"):
        near = axis.edges.astype(np.float32)
    around = [near, np.nextafter(near, np.float32(-np.inf)), np.nextafter(near, np.float32(np.inf))]
    values = np.concatenate([*around, np.float32([0, 1e-45, -1e-45, np.inf, -np.inf])])
    expected = np.searchsorted(axis.edges, values.astype(np.float64), side="right")
    expected[values.astype(np.float64) == axis.edges[-1]] = 60
    axes, buffer = pack_axes([axis]), np.empty(8, np.uint16)
    for value, slot in zip(values, expected, strict=True):
        counts = np.zeros((2, 62), np.int64)
        kernels.count_values(np.full(6, value), axes, 0, buffer, counts)  # four that are counted at once, and two
        assert counts.sum(axis=0).tolist() == [6 * (s == slot) for s in range(62)]
    counts, pairs = np.zeros((2, 62), np.int64), np.zeros((62, 62), np.int64)
    buffers = np.empty((2, values.size + -values.size % 4), np.uint16)
    kernels.count_values(values, axes, 0, buffers[0], counts)
    assert (counts.sum(axis=0) == np.bincount(expected, minlength=62)).all()
    kernels.count_pairs(values, values[::-1].copy(), pack_axes([axis, axis]), *buffers, pairs)
    assert (pairs == np.histogram2d(expected, expected[::-1], bins=np.arange(63))[0]).all()


def test_histogram__infinities() -> None:
    ds = simulate_tutorial(genes=100)
    expected = qc.histogram(ds, "perturbation_effect")
    ds["perturbation_effect"][:2] = np.inf
    ds["perturbation_effect"][2:4] = -np.inf
    ds["perturbation_effect"][4:6] = np.nan
    counts = qc.histogram(ds, "perturbation_effect")
    assert [int(counts[name].sum()) for name in ("below", "above", "missing")] == [20, 20, 20]
    assert sum_counts(counts) == sum_counts(expected)


def test_largest_effects__one_pass_for_all() -> None:
    ds = simulate_tutorial(chunks={"tf": 5})
    passes = []

    def counting(graph: object, keys: object, **options: object) -> object:
        passes.append(keys)
        return dask.get(graph, keys, **options)

    with dask.config.set(scheduler=counting):
        largest = qc.largest_effects(ds, "binding_effect", "perturbation_effect")
    assert len(passes) == 1
    assert largest == {name: float(abs(ds[name]).max()) for name in largest}


def test_largest_effects__all_zero_gives_a_limit() -> None:
    ds = simulate_tutorial(bound=[0.0], n_sample=[1], unbound_experiment_hops_range=(0, 0))
    assert qc.largest_effects(ds, "binding_effect") == {"binding_effect": 1.0}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda ds: qc.histogram(ds, "binding_efect"), "did you mean 'binding_effect'"),
        (lambda ds: qc.histogram(ds, "label"), "the feature is 'label', which splits counts"),
        (lambda ds: qc.histogram(ds, "binding_effect", bins=0), "bins is 0"),
        (lambda ds: qc.histogram(ds, "binding_effect", bins=2.5), "bins is 2.5"),
        (lambda ds: qc.histogram(ds, "binding_effect", limits=(5, 0)), "lower < upper"),
        (
            lambda ds: qc.histogram(ds, "binding_effect", limits=(1, 1 + 1e-15)),
            "with a sufficient distance for 60 bins",
        ),
        (lambda ds: qc.histogram(ds, "binding_effect", limits=(0, np.inf)), "finite number"),
        (lambda ds: qc.histogram(ds, "binding_effect", limits=3), "two numbers"),
        (
            lambda ds: qc.histogram(ds.drop_vars("binding_effect"), "binding_effect"),
            "has no variable 'binding_effect'",
        ),
        (lambda ds: qc.histogram(ds.isel(tf=0, drop=True), "binding_effect"), "no dimension 'tf'"),
        (lambda ds: qc.histogram(ds["label"], "binding_effect"), "expected an xarray.Dataset"),
        (lambda ds: qc.histogram_2d(ds, "binding_effect", "binding_effect"), "two different features"),
        (lambda ds: qc.histogram_2d(ds, bins=(1, 2, 3)), "bins is (1, 2, 3)"),
        (lambda ds: qc.histogram_2d(ds, limits=(0, 5)), "the limits of x is 0"),
    ],
)
def test_qc__refuses_bad_input(call: Callable[[xr.Dataset], object], message: str) -> None:
    with pytest.raises(yx.InputError) as error:
        call(simulate_tutorial(genes=20))
    assert message in str(error.value)
