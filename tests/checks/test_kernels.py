"""Kernels of the checks against SciPy and NumPy."""

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

import yeastxr as yx
from yeastxr.checks import kernels
from yeastxr.checks.topic import BINS, Expectation

N = 1000


@pytest.mark.parametrize("mean", [0.0, 0.5, -3.0, 40.0])
@pytest.mark.parametrize("slope", [0.0, 0.1])
def test_score_magnitudes__as_scipy_has_them(mean: float, slope: float) -> None:
    rng = np.random.default_rng(1)
    label, holds, valid = (rng.random((3, N)) < [[0.5], [0.7], [0.95]]).astype(np.uint8)
    binding = (40 * rng.random(N) ** 4).astype(np.float32)
    model = (0.25, 1.0, mean, 2.0, slope)
    active = (label & holds).astype(bool)
    means = np.abs(np.where(active, mean + slope * binding.astype(float), 0.25))
    stds = np.where(label, 2.0, 1.0)
    effect = (rng.choice([-1, 1], N) * np.abs(means + stds * 1.5 * rng.standard_normal(N))).astype(np.float32)
    score, bins, coin = np.empty(N, np.float32), np.empty(N, np.int32), np.empty(N, np.uint8)
    counts, far, nearest = np.zeros(3 * BINS + 1, np.int64), np.zeros((3, 2), np.int64), np.ones((3, 2))
    totals = np.zeros((3, 6))
    sums = (counts, far, nearest, totals)
    kernels.measure_magnitudes(label, holds, valid, binding, effect, model, 10.0, bins, sums, score, coin)
    magnitude = np.abs(effect.astype(float))
    near, upside = (magnitude - means) / stds, (-magnitude - means) / stds
    lower, upper = ndtr(near) - ndtr(upside), ndtr(-near) + ndtr(upside)
    known = valid.astype(bool)
    expected = np.where(known, np.where(lower < upper, ndtri(lower), -ndtri(upper)), 0.0)
    np.testing.assert_allclose(score, expected, atol=2e-4)
    assert abs((score - expected)[np.abs(expected) < 4].mean()) < 1e-6
    status = label * (2 - holds)
    place = np.where(known, status * BINS + np.floor(np.minimum(lower, 0.999) * BINS), 3 * BINS)
    inside = ~known | (np.abs(lower * BINS - np.round(lower * BINS)) > 1e-4)
    np.testing.assert_array_equal(bins[inside], place[inside])
    np.testing.assert_array_equal(counts, np.bincount(bins, minlength=3 * BINS + 1))
    np.testing.assert_array_equal(coin, score > 0)
    tail = np.minimum(lower, upper)
    for code in range(3):
        own = known & (status == code)
        z, weight = score[own].astype(float), binding[own].astype(float) - 10
        powers = [magnitude[own].sum(), z.sum(), z @ z]
        np.testing.assert_allclose(totals[code, :3], powers, rtol=1e-10, atol=1e-9)
        if code == 1:
            np.testing.assert_allclose(totals[code, 3:], [weight.sum(), weight @ weight, weight @ z], rtol=1e-10)
        for end in range(2):
            extreme = own & (tail < ndtr(-kernels.FAR)) & ((score > 0) == end)
            assert far[code, end] == extreme.sum()
            np.testing.assert_allclose(nearest[code, end], tail[extreme].min(initial=1.0), rtol=1e-6)


@pytest.mark.parametrize("hops", [{}, {"background_hops_range": (1, 900), "bound_experiment_hops_range": (0, 70)}])
def test_score_binding__finds_the_place_of_each_value(hops: dict[str, tuple[int, int]]) -> None:
    spec = yx.SimulationSpec(genes=100, bound=[0.5], seed=1, **hops)
    expected = Expectation(spec, 100, (0,), 100, True)
    for bound, lattice in enumerate(expected.lattices):
        possible = lattice.values.astype(np.float32)
        others = [-1.0, 0.0, 1e-30, *(np.nextafter(possible[::7], np.float32(np.inf))), 1e30]
        values = np.concatenate([possible, others]).astype(np.float32)
        n = values.size
        place = np.minimum(np.searchsorted(possible, values), possible.size - 1)
        lanes = np.zeros((4, sum(one.values.size for one in expected.lattices)), np.int64)
        wrong, places, coin = np.zeros(2, np.int64), np.empty(n, np.int32), np.empty(n, np.uint8)
        score, distance = np.empty((2, n), np.float32)
        label, valid = np.full(n, bound, np.uint8), np.ones(n, np.uint8)
        tables = (*expected.steps.tables, np.zeros(n, np.uint8))
        kernels.score_binding(label, valid, values, tables, lanes, wrong, places, score, distance, coin)
        counts = lanes.sum(axis=0)
        first = bound * expected.lattices[0].values.size
        observed = counts[first : first + possible.size]
        np.testing.assert_array_equal(observed, np.bincount(place, minlength=possible.size))
        assert counts.sum() == n
        assert wrong.tolist() == [
            (1 - bound) * (possible[place] != values).sum(),
            bound * (possible[place] != values).sum(),
        ]
        np.testing.assert_allclose(score, np.sqrt(12) * expected.steps.scores[bound][0][place], rtol=1e-6, atol=1e-7)


def unpack(words: np.ndarray, n_bits: int) -> np.ndarray:
    return np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")[:, :n_bits]


@pytest.mark.parametrize(("rows", "n_bits"), [(1, 1), (3, 64), (70, 130), (128, 191)])
def test_bits__as_numpy_has_them(rows: int, n_bits: int) -> None:
    bits = np.random.default_rng(1).integers(0, 2, (rows, n_bits), np.uint8)
    padded = np.zeros((rows, -(-n_bits // 64) * 64), np.uint8)
    padded[:, :n_bits] = bits
    words = np.zeros((rows, padded.shape[1] // 64), np.uint64)
    for row, packed in zip(padded, words, strict=True):
        kernels.pack(row, packed)
    np.testing.assert_array_equal(unpack(words, padded.shape[1]), padded)
    columns = np.zeros((n_bits, -(-rows // 64)), np.uint64)
    kernels.transpose_bits(words, columns)
    np.testing.assert_array_equal(unpack(columns, rows), bits.T)
    backward = np.empty_like(words)
    kernels.reverse_bits(words, n_bits, backward)
    np.testing.assert_array_equal(unpack(backward, n_bits), bits[:, ::-1])
    differ = np.zeros(33, np.int64)
    kernels.count_lagged(words, n_bits, differ)
    expected = [(bits[:, lag:] != bits[:, : n_bits - lag]).sum() if 0 < lag < n_bits else 0 for lag in range(33)]
    assert differ.tolist() == expected
    assert kernels.count_differences(words, backward) == (bits != bits[:, ::-1]).sum()
    pairs = [(bits[i], bits[j]) for i in range(rows) for j in range(i + 1, rows)]
    both = np.empty(len(pairs))
    kernels.count_both(words, both)
    assert both.tolist() == [(a & b).sum() for a, b in pairs]
    if pairs:
        numbers = [int((a != b).sum()) for a, b in pairs]
        assert kernels.find_differences(words) == (min(numbers), max(numbers))
