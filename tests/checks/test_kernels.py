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
    score, tail, bins, coin = np.empty(N), np.empty(N), np.empty(N, np.int32), np.empty(N, np.uint8)
    kernels.score_magnitudes(label, holds, valid, binding, effect, model, score, tail, bins, coin)
    magnitude = np.abs(effect.astype(float))
    near, far = (magnitude - means) / stds, (-magnitude - means) / stds
    lower, upper = ndtr(near) - ndtr(far), ndtr(-near) + ndtr(far)
    expected = np.where(lower < upper, ndtri(lower), -ndtri(upper))
    known = valid.astype(bool)
    np.testing.assert_allclose(score[known], expected[known], atol=1e-8)
    assert (score[~known] == 0).all()
    np.testing.assert_allclose(tail, np.minimum(lower, upper), rtol=1e-6, atol=1e-12)
    inside = np.abs(lower * BINS - np.round(lower * BINS)) > 1e-6
    np.testing.assert_array_equal(bins[inside], np.floor(lower * BINS)[inside])
    np.testing.assert_array_equal(coin[known], score[known] > 0)


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
        counts = np.zeros(sum(one.values.size for one in expected.lattices), np.int64)
        wrong, score, distance, coin = np.zeros(2, np.int64), np.empty(n), np.empty(n), np.empty(n, np.uint8)
        label, valid = np.full(n, bound, np.uint8), np.ones(n, np.uint8)
        kernels.score_binding(
            label,
            valid,
            values,
            (*expected.steps.tables, np.zeros(label.size, np.uint8)),
            counts,
            wrong,
            score,
            distance,
            coin,
        )
        first = bound * expected.lattices[0].values.size
        observed = counts[first : first + possible.size]
        np.testing.assert_array_equal(observed, np.bincount(place, minlength=possible.size))
        assert counts.sum() == n
        assert wrong.tolist() == [
            (1 - bound) * (possible[place] != values).sum(),
            bound * (possible[place] != values).sum(),
        ]
        np.testing.assert_allclose(score, np.sqrt(12) * expected.steps.scores[bound][0][place])


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
