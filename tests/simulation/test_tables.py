"""Tables of hops, levels and p-values, and the upper normal tail, against scipy and high precision."""

import itertools
from zlib import crc32

import mpmath
import numpy as np
import pytest
from numba import njit
from scipy import stats

from yeastxr.errors import InputError
from yeastxr.simulation.kernels import compute_upper_tail
from yeastxr.simulation.parameters import (
    LEAST_CONCENTRATION,
    LEAST_RESPONSIVENESS,
    MOST_CONCENTRATION,
    MOST_RESPONSIVENESS,
)
from yeastxr.simulation.tables import (
    FACTOR_LEVELS,
    FRACTION_LEVELS,
    find_beta_level,
    make_beta_levels,
    make_gamma_levels,
    make_hop_table,
    make_poisson_tails,
)


@njit
def _fill_tails(z, out):
    for i in range(z.size):
        out[i] = compute_upper_tail(z[i])


def _compute_tails(z):
    out = np.empty(len(z))
    _fill_tails(np.asarray(z, np.float64), out)
    return out


def test_the_upper_normal_tail_keeps_its_stated_error_down_to_1e_45_and_beyond():
    z = np.concatenate([np.linspace(-9, 14.3, 700), np.linspace(14.3, 37, 60)])
    with mpmath.workdps(40):
        exact = [mpmath.erfc(mpmath.mpf(v) / mpmath.sqrt(2)) / 2 for v in z]
        errors = [abs(float(mpmath.mpf(t) / e - 1)) for t, e in zip(_compute_tails(z), exact, strict=True)]
    assert min(exact) < 1e-45
    assert max(errors) < 2e-11  # stated: 1e-9
    assert (np.diff(_compute_tails(np.linspace(-9, 37, 4001))) <= 0).all()


def test_the_upper_normal_tail_has_sane_ends():
    tails = _compute_tails([-np.inf, -40.0, 0.0, 38.0, np.inf, np.nan])
    np.testing.assert_array_equal(tails[:2], 1.0)
    assert tails[2] == pytest.approx(0.5, rel=1e-11)
    np.testing.assert_array_equal(tails[3:5].astype(np.float32), 0.0)
    assert np.isnan(tails[5])


@pytest.mark.parametrize("variance", [0.01, 0.8, 3.0, 100.0])
def test_gamma_levels_are_means_of_equally_probable_parts(variance):
    levels = make_gamma_levels(variance)
    shape = 1 / variance
    borders = np.append(stats.gamma(shape, scale=variance).ppf(np.arange(FACTOR_LEVELS) / FACTOR_LEVELS), np.inf)
    of_size = stats.gamma(shape + 1, scale=variance)  # the density times x
    expected = FACTOR_LEVELS * np.diff(of_size.cdf(borders))
    assert levels.shape == (FACTOR_LEVELS,)
    np.testing.assert_allclose(levels, expected, rtol=1e-10, atol=1e-13)
    assert levels.mean() == pytest.approx(1, abs=1e-15)
    assert (np.diff(levels) >= 0).all()
    assert (levels >= 0).all()


@pytest.mark.parametrize(("mean", "concentration"), [(0.03, 20.0), (0.5, 2.0), (0.8, 4.0), (0.04, 1000.0)])
def test_beta_levels_are_means_of_equally_probable_parts(mean, concentration):
    levels = make_beta_levels(mean, concentration)
    a, b = mean * concentration, (1 - mean) * concentration
    borders = stats.beta(a, b).ppf(np.arange(FRACTION_LEVELS + 1) / FRACTION_LEVELS)
    expected = mean * FRACTION_LEVELS * np.diff(stats.beta(a + 1, b).cdf(borders))
    np.testing.assert_allclose(levels, expected, rtol=1e-9, atol=1e-12)
    assert levels.mean() == pytest.approx(mean, abs=1e-15)
    assert (np.diff(levels) >= 0).all()


@pytest.mark.parametrize(
    ("mean", "concentration"), [(0.03, 1000.0), (0.8, 4.0), (1e-12, 1.0), (1 - 1e-12, 0.01), (0.0, 2.0)]
)
def test_beta_level__alone_has_the_bits_of_the_table(mean, concentration):
    table = make_beta_levels(mean, concentration, 16)
    assert [find_beta_level(mean, concentration, level, 16) for level in range(16)] == table.tolist()


def test_levels_are_correctly_rounded():
    with mpmath.workdps(45):
        # A gamma distribution of variance 1 is exponential, of variance 1/2 a sum of two.
        def partial(p):
            return p + (1 - p) * mpmath.log(1 - p) if p < 1 else mpmath.mpf(1)

        parts = [partial(mpmath.mpf(k) / 8) for k in range(9)]
        expected = [float(8 * (high - low)) for low, high in itertools.pairwise(parts)]
        assert make_gamma_levels(1.0, 8).tolist() == expected

        quantiles = [
            mpmath.findroot(lambda x, p=p: 1 - (1 + 2 * x) * mpmath.exp(-2 * x) - p, (0.3, 1.5), solver="anderson")
            for p in (0.25, 0.5, 0.75)
        ]
        parts = [0, *(mpmath.gammainc(3, 0, 2 * x, regularized=True) for x in quantiles), 1]
        expected = [float(4 * (high - low)) for low, high in itertools.pairwise(parts)]
        assert make_gamma_levels(0.5, 4).tolist() == expected

        # A beta distribution of parameters 1 and 3: the cdf is 1 - (1 - x)^3.
        parts = [mpmath.mpf(0)]
        for k in range(1, 9):
            x = 1 - (1 - mpmath.mpf(k) / 8) ** (mpmath.mpf(1) / 3)
            parts.append(mpmath.quad(lambda y: 3 * y * (1 - y) ** 2, [0, x]))
        expected = [float(8 * (high - low)) for low, high in itertools.pairwise(parts)]
        assert make_beta_levels(0.25, 4.0, 8).tolist() == expected


@pytest.mark.parametrize("concentration", [LEAST_CONCENTRATION, 1.0])
@pytest.mark.parametrize("mean", [0.0, 1e-12, 0.37, 1 - 1e-12, 1.0])
def test_extreme_levels_are_fractions_of_the_mean(mean, concentration):
    levels = make_beta_levels(mean, concentration)
    assert levels.mean() == pytest.approx(mean, abs=1e-15)
    assert (np.diff(levels) >= 0).all()
    assert levels[0] >= 0
    assert levels[-1] <= 1


def test_the_ends_of_the_parameters_have_levels():
    assert np.ptp(make_beta_levels(0.5, MOST_CONCENTRATION, 8)) < 0.01
    for responsiveness in (MOST_RESPONSIVENESS, LEAST_RESPONSIVENESS):
        assert make_beta_levels(0.3, 1 / responsiveness - 1, 4).mean() == pytest.approx(0.3)
    np.testing.assert_array_equal(make_gamma_levels(0.0), np.ones(FACTOR_LEVELS))
    with pytest.raises(InputError, match=r"promoter_dispersion.* is 1e-09; expected 0, or a number of at least 1e-06"):
        make_gamma_levels(1e-9)


@pytest.mark.parametrize(("mean", "dispersion"), [(2.0, 0.0), (10.7, 0.3), (0.0, 0.5), (700.0, 0.001), (0.4, 20.0)])
def test_hop_tables_have_the_distribution(mean, dispersion):
    factors = (0.0, 0.5, 1.0, 2.5)
    table = make_hop_table(mean, dispersion, factors)
    levels = len(table.thresholds)
    assert table.thresholds.dtype == np.uint32
    assert (levels, table.guide.shape, table.guide.dtype) == (4, (4, 257), np.int32)
    for level, factor in enumerate(factors):
        m, largest = mean * factor, table.guide[level, 256]
        law = stats.poisson(m) if dispersion == 0 or m == 0 else stats.nbinom(1 / dispersion, 1 / (1 + dispersion * m))
        thresholds = table.thresholds[level, :largest].astype(np.float64)
        np.testing.assert_allclose(thresholds, law.cdf(np.arange(largest)) * 2**32, atol=1.01, rtol=1e-11)
        assert law.sf(largest) <= 2.0**-32 * (1 + 1e-3)
        assert largest == 0 or law.sf(largest - 1) > 2.0**-32 * (1 - 1e-3)
        assert (np.diff(thresholds) >= 0).all()
        assert table.probabilities[level].sum() == 1
        assert not table.probabilities[level, largest + 1 :].any()


def test_thresholds_are_exact():
    with mpmath.workdps(60):
        table = make_hop_table(3.0, 0.25, (1.5,))
        m, d, cdf = mpmath.mpf(4.5), mpmath.mpf(0.25), mpmath.mpf(0)
        for k in range(table.guide[0, 256]):
            cdf += mpmath.binomial(k + 1 / d - 1, k) * (1 / (1 + d * m)) ** (1 / d) * (d * m / (1 + d * m)) ** k
            assert table.thresholds[0, k] == int(mpmath.floor(cdf * 2**32))
        assert cdf < 1 - mpmath.mpf(2) ** -32


def test_the_guide_brackets_every_word():
    table = make_hop_table(3.0, 1.0, (1.0, 4.0))
    words = np.random.default_rng(1).integers(0, 2**32, 20_000, dtype=np.uint64)
    words = np.concatenate([words, [0, 2**32 - 1], table.thresholds[1], np.arange(256) << 24]).astype(np.int64)
    for level in (0, 1):
        counts = np.searchsorted(table.thresholds[level, : table.guide[level, 256]], words, side="right")
        slots = (words >> 24).astype(int)
        assert (table.guide[level][slots] <= counts).all()
        assert (counts <= table.guide[level][slots + 1]).all()
        lengths = np.bincount(counts, minlength=table.probabilities.shape[1]) / words.size
        np.testing.assert_allclose(lengths, table.probabilities[level], atol=6 * 0.5 / np.sqrt(20_000))


def test_tiny_dispersions_are_nearly_poisson():
    near, exact = make_hop_table(5.0, 1e-300), make_hop_table(5.0, 0.0)
    np.testing.assert_array_equal(near.thresholds, exact.thresholds)


def test_too_many_hops_are_refused():
    with pytest.raises(
        InputError, match=r"hops with mean 1e\+06 and dispersion 0 exceed 65,536; expected smaller means"
    ):
        make_hop_table(10_000.0, 0.0, (100.0,))


def test_poisson_tails_are_exact_down_to_the_least_float32():
    background, experiment, ratio, pseudocount = (0, 40), (0, 90), 17183 / 103922, 0.1
    tails = make_poisson_tails(background, experiment, 103922, 17183, pseudocount)
    assert tails.shape == (41, 91)
    assert tails.dtype == np.float32
    expected = stats.poisson.sf(np.arange(91) - 1, (np.arange(41)[:, None] + pseudocount) * ratio)
    with np.errstate(under="ignore"):
        np.testing.assert_allclose(tails, expected.astype(np.float32), rtol=2e-7, atol=2e-45)
    assert (tails == 0).any()
    assert (tails[:, 0] == 1).all()
    assert (np.diff(tails, axis=1) <= 0).all()
    assert (np.diff(tails, axis=0) >= 0).all()
    with mpmath.workdps(50):
        for b, x in ((0, 3), (7, 1), (7, 40), (40, 20)):
            mean = (b + mpmath.mpf(pseudocount)) * 17183 / 103922
            assert tails[b, x] == np.float32(float(mpmath.gammainc(x, 0, mean, regularized=True)))


@pytest.mark.parametrize(("first", "last"), [(0, 0), (3, 3), (5, 9), (1_000_000, 1_000_002)])
def test_poisson_tails_of_any_range(first, last):
    tails = make_poisson_tails((0, 3), (first, last), 10, 10, 1e6)
    expected = stats.poisson.sf(np.arange(first, last + 1) - 1, np.arange(4)[:, None] + 1e6)
    np.testing.assert_allclose(tails, expected, rtol=1e-6)
    none = make_poisson_tails((0, 0), (first, last), 10, 10, 0.0)
    np.testing.assert_array_equal(none[0], np.arange(first, last + 1) == 0)


def test_too_many_combinations_are_refused():
    with pytest.raises(InputError, match="the hops have 11,000,000 combinations; expected at most 10,000,000"):
        make_poisson_tails((0, 10_999), (0, 999), 10, 10, 0.1)


def test_tables_are_read_only_and_the_same_on_every_machine():
    tables = [
        make_gamma_levels(0.8),
        make_beta_levels(0.03, 20.0),
        *make_hop_table(10.7, 0.3, tuple(make_gamma_levels(0.8))),
        make_poisson_tails((0, 99), (0, 30), 1000, 76, 0.1),
    ]
    for table in tables:
        with pytest.raises(ValueError, match="read-only"):
            table[...] = 0
    assert [crc32(table.tobytes()) for table in tables] == [
        2553647479,
        2273270205,
        2988659533,
        2769962183,
        4057235081,
        2118912073,
    ]
