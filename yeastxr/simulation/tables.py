"""Tables of hops, levels of factors and p-values of tests, computed in 50-digit arithmetic.

All numbers come from Python's decimal arithmetic and mpmath's logarithm of the gamma function, and are rounded to
float64, float32 or an integer. Tables are therefore identical on every machine. They are cached, and their arrays are
read-only.
"""

import itertools
from collections.abc import Callable, Sequence
from decimal import MAX_EMAX, MIN_EMIN, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal, localcontext
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from yeastxr.errors import InputError

FACTOR_LEVELS = 64  # of a promoter's factor and of a gene's responsiveness, taken from the top 6 bits of a word
FRACTION_LEVELS = 256  # of a TF's bound fraction, taken from the top 8 bits
MOST_HOPS = 2**16  # the largest count of hops that has a table
MOST_COMBINATIONS = 10**7  # of background and experiment hops that have p-values
LEAST_VARIANCE = 1e-6  # of a gamma distribution that has levels
_WORDS = 2**32
_DIGITS = 50
_GUARD = 10  # digits beyond
_CONTEXT = Context(prec=_DIGITS + _GUARD, rounding=ROUND_HALF_EVEN, Emin=MIN_EMIN, Emax=MAX_EMAX, clamp=0)
_NEGLIGIBLE = Decimal(10) ** -(_DIGITS + _GUARD)
_LEAST_QUANTILE = 1e-290  # below it a quantile counts as 0
_CLOSE = Decimal("1e-15")  # relative distance of a probability from which the third order decides a partial mean
_MOST_STEPS = 60
_Integrals = Callable[[Decimal], tuple[Decimal, Decimal, Decimal]]


class HopTable(NamedTuple):
    """The distribution of counts of hops, by level of the promoter's factor.

    The count of a word, 32 random bits, is the number of its level's thresholds that are at most the word. ``guide``
    has that number for the first word of each 256th of the range, and at last the largest count: a word's count is not
    below ``guide[level, word >> 24]`` and not above the next one. Thresholds beyond the largest count are unused.

    ``thresholds`` is uint32 ``[level, count]``, ``guide`` int32 ``[level, 257]`` and ``probabilities`` float64
    ``[level, count]``, from 0 to the largest of all levels: multiples of 2**-32 whose sum is exactly 1.
    """

    thresholds: np.ndarray
    guide: np.ndarray
    probabilities: np.ndarray


@lru_cache(maxsize=64)
def make_gamma_levels(variance: float, levels: int = FACTOR_LEVELS) -> np.ndarray:
    """Return the means of the equally probable parts of a gamma distribution of mean 1.

    Parameters
    ----------
    variance
        At least 0; with 0, all levels are 1.
    levels
        The number of parts.

    Returns
    -------
    numpy.ndarray
        Array of shape (levels,), float64, in ascending order; their mean is 1 up to rounding.

    Raises
    ------
    InputError
        If the variance is above 0 and below 1e-6.

    Examples
    --------
    >>> make_gamma_levels(1.0, 4).round(4)
    array([0.137 , 0.4768, 1.    , 2.3863])
    """
    if variance == 0:
        return _freeze(np.ones(levels))
    if variance < LEAST_VARIANCE:
        raise InputError(f"promoter_dispersion is {variance:g}; expected 0, or a number of at least {LEAST_VARIANCE:g}")
    from scipy.special import gammaincinv

    with localcontext(_CONTEXT):
        shape = 1 / Decimal(variance)
        log_gamma = _compute_log_gamma(shape + 1)

        def integrate(x: Decimal) -> tuple[Decimal, Decimal, Decimal]:
            """Integrate the density and x times the density up to x, for scale 1; return x times the density."""
            total, term, n = Decimal(0), Decimal(1), shape
            while term > total * _NEGLIGIBLE:
                n += 1
                term = term * x / n
                total += term
            scale = (shape * x.ln() - x - log_gamma).exp()
            return scale * (1 + total), scale * total * shape, scale * shape

        starts = gammaincinv(float(shape), np.arange(1, levels) / levels)
        partial = [
            _compute_partial_mean(Decimal(k) / levels, float(start), shape, integrate)
            for k, start in enumerate(starts, start=1)
        ]
        return _take_means([part / shape for part in partial], Decimal(1))


@lru_cache(maxsize=512)
def make_beta_levels(mean: float, concentration: float, levels: int = FRACTION_LEVELS) -> np.ndarray:
    """Return the means of the equally probable parts of a beta distribution.

    Parameters
    ----------
    mean
        In [0, 1]; with 0 or 1, all levels equal the mean.
    concentration
        Above 0: the sum of the distribution's two parameters, ``mean * concentration`` and
        ``(1 - mean) * concentration``.
    levels
        The number of parts.

    Returns
    -------
    numpy.ndarray
        Array of shape (levels,), float64 in [0, 1], in ascending order; their mean is ``mean`` up to rounding.

    Examples
    --------
    >>> make_beta_levels(0.5, 2.0, 4)  # uniform
    array([0.125, 0.375, 0.625, 0.875])
    """
    if mean in (0, 1):
        return _freeze(np.full(levels, float(mean)))
    with localcontext(_CONTEXT):
        return _take_means(_integrate_beta(mean, concentration, range(1, levels), levels), Decimal(mean))


@lru_cache(maxsize=2**16)
def find_beta_level(mean: float, concentration: float, level: int, levels: int = FRACTION_LEVELS) -> float:
    """Return one entry of :func:`make_beta_levels`, bit-identical, without computing the others.

    Parameters
    ----------
    mean, concentration, levels
        Parameters of :func:`make_beta_levels`.
    level
        From 0 to ``levels - 1``.

    Returns
    -------
    float
        The mean of the part, in [0, 1].

    Examples
    --------
    >>> find_beta_level(0.5, 2.0, 3, 4)  # uniform
    0.875
    """
    if mean in (0, 1):
        return float(mean)
    with localcontext(_CONTEXT):
        inner = [k for k in (level, level + 1) if 0 < k < levels]
        partial = dict(zip(inner, _integrate_beta(mean, concentration, inner, levels), strict=True))
        low, high = partial.get(level, Decimal(0)), partial.get(level + 1, Decimal(mean))
        return float(levels * (high - low))


def _integrate_beta(mean: float, concentration: float, borders: Sequence[int], levels: int) -> list[Decimal]:
    """Return the partial means of a beta distribution up to some of the borders of its equally probable parts."""
    from scipy.special import betaincinv

    total, center = Decimal(concentration), Decimal(mean)
    shapes = (center * total, (1 - center) * total)
    log_gammas = [_compute_log_gamma(shape) for shape in (*shapes, total)]
    log_beta = log_gammas[0] + log_gammas[1] - log_gammas[2]

    def make_integrals(a: Decimal, b: Decimal) -> _Integrals:
        def integrate(x: Decimal) -> tuple[Decimal, Decimal, Decimal]:
            """Integrate the density and x times the density up to x; return x times the density over 1 - x."""
            sum_of_density, sum_of_mean, term, n = Decimal(0), Decimal(0), Decimal(1), Decimal(0)
            while term > sum_of_density * _NEGLIGIBLE:
                sum_of_density += term
                term = term * x * (total + n) / (a + 1 + n)
                n += 1
                sum_of_mean += term
            scale = (a * x.ln() + b * (1 - x).ln() - log_beta).exp()
            # I_x(a + 1, b) = I_x(a, b) - scale / a, and the mean is a / total.
            return scale / a * sum_of_density, scale / total * sum_of_mean, scale / (1 - x)

        return integrate

    partial = []
    probabilities = np.array(borders) / levels
    lower, upper = (
        betaincinv(float(a), float(b), p) for (a, b), p in ((shapes, probabilities), (shapes[::-1], 1 - probabilities))
    )
    for k, start, end in zip(borders, lower, upper, strict=True):
        p = Decimal(k) / levels
        if start <= 0.5:  # where the series is the faster one
            partial.append(_compute_partial_mean(p, float(start), shapes[0], make_integrals(*shapes)))
        else:  # what lies above is the mirror image's lower part
            above = _compute_partial_mean(1 - p, float(end), shapes[1], make_integrals(*shapes[::-1]))
            partial.append(center - (1 - p - above))
    return partial


@lru_cache(maxsize=32)
def make_hop_table(mean: float, dispersion: float, factors: tuple[float, ...] = (1.0,)) -> HopTable:
    """Tabulate negative binomial counts of hops.

    Parameters
    ----------
    mean
        At least 0; the mean of a level is this times its factor.
    dispersion
        d in the variance ``m + d m^2`` of counts with mean m; 0 is Poisson.
    factors
        The promoter's factor at each level.

    Returns
    -------
    HopTable
        Thresholds are ``floor(2**32 cdf(count))``, up to the count where the cdf reaches ``1 - 2**-32``.

    Raises
    ------
    InputError
        If counts reach more than 65,536.

    Examples
    --------
    >>> table = make_hop_table(2.0, 0.5)
    >>> table.probabilities[0, :3].round(6), table.probabilities.sum()  # 1/4, 1/4 and 3/16
    (array([0.25  , 0.25  , 0.1875]), np.float64(1.0))
    """
    rows = [_tabulate_thresholds(mean, dispersion, factor) for factor in factors]
    most = max(1, *map(len, rows))
    thresholds = np.full((len(rows), most), _WORDS - 1, np.uint32)
    guide = np.empty((len(rows), 257), np.int32)
    probabilities = np.zeros((len(rows), most + 1))
    for level, row in enumerate(rows):
        thresholds[level, : len(row)] = row
        guide[level, :256] = np.searchsorted(row, np.arange(256, dtype=np.int64) << 24, side="right")
        guide[level, 256] = len(row)
        probabilities[level, : len(row) + 1] = np.diff(row, prepend=0, append=_WORDS) / _WORDS
    return HopTable(_freeze(thresholds), _freeze(guide), _freeze(probabilities[:, : max(map(len, rows)) + 1]))


@lru_cache(maxsize=8)
def make_poisson_tails(
    background_hops: tuple[int, int],
    experiment_hops: tuple[int, int],
    total_background_hops: int,
    total_experiment_hops: int,
    pseudocount: float,
) -> np.ndarray:
    """Return the p-values of binding: upper tails of Poisson distributions.

    Parameters
    ----------
    background_hops, experiment_hops
        The first and the last count, at least 0.
    total_background_hops, total_experiment_hops
        At least 1.
    pseudocount
        At least 0; added to background hops.

    Returns
    -------
    numpy.ndarray
        float32 in [0, 1], shape (background counts, experiment counts): the probability of at least as many experiment
        hops, if ``(background + pseudocount) * total_experiment_hops / total_background_hops`` are expected. Values are
        rounded to float64 and then to float32, so values below 7e-46 become 0.

    Raises
    ------
    InputError
        If there are more than 10^7 combinations of counts.

    Examples
    --------
    >>> make_poisson_tails((0, 1), (0, 2), 1000, 1000, 0.0)  # of means 0 and 1
    array([[1.        , 0.        , 0.        ],
           [1.        , 0.63212055, 0.26424113]], dtype=float32)
    """
    first, last = experiment_hops
    n_background, n_experiment = background_hops[1] - background_hops[0] + 1, last - first + 1
    if n_background * n_experiment > MOST_COMBINATIONS:
        raise InputError(
            f"the hops have {n_background * n_experiment:,} combinations; "
            f"expected at most {MOST_COMBINATIONS:,} with pvalues='test'"
        )
    tails = np.zeros((n_background, n_experiment), np.float64)
    with localcontext(_CONTEXT):
        counts = [Decimal(k) for k in range(max(first, 1), last + 1)]
        for row, background in enumerate(range(background_hops[0], background_hops[1] + 1)):
            mean = (Decimal(background) + Decimal(pseudocount)) * total_experiment_hops / total_background_hops
            if mean:
                tails[row] = _sum_tails(mean, first, counts)
            else:
                tails[row, 0] = first == 0
    with np.errstate(under="ignore"):
        return _freeze(tails.astype(np.float32))


def _sum_tails(mean: Decimal, first: int, counts: list[Decimal]) -> list[float]:
    """Return P(N >= k) for k from ``first`` on, given the counts of them that are above 0."""
    if not counts:
        return [1.0]
    term = (counts[0] * mean.ln() - mean - _compute_log_gamma(counts[0] + 1)).exp()
    terms = [term]
    for count in counts[1:]:
        term = term * mean / count
        terms.append(term)
    if mean > counts[-1]:  # what lies below the first count is the shorter sum
        tail, count, term = Decimal(1), counts[0], terms[0]
        while count > 0 and term > _NEGLIGIBLE:
            term = term * count / mean
            tail -= term
            count -= 1
        tail -= sum(terms)
    else:
        tail, count = Decimal(0), counts[-1]
        while term > tail * _NEGLIGIBLE:
            count += 1
            term = term * mean / count
            tail += term
    tails = []
    for term in reversed(terms):
        tail += term
        tails.append(float(tail))
    return ([1.0] if first == 0 else []) + tails[::-1]


def _tabulate_thresholds(mean: float, dispersion: float, factor: float) -> np.ndarray:
    """Return the thresholds of one level, int64, until the cdf reaches 1 - 2**-32."""
    thresholds: list[int] = []
    with localcontext(_CONTEXT):
        m, d, words = Decimal(mean) * Decimal(factor), Decimal(dispersion), Decimal(_WORDS)
        spread = m * d
        term = _compute_log_of_none(m, d).exp() * words
        step, rise, scale = m, spread, 1 + spread
        cumulative, count, last = term, Decimal(0), words - 1
        while cumulative < last:
            if len(thresholds) == MOST_HOPS:
                raise InputError(
                    f"hops with mean {float(m):g} and dispersion {dispersion:g} exceed {MOST_HOPS:,}; "
                    "expected smaller means or dispersions, including promoter_dispersion"
                )
            thresholds.append(int(cumulative.to_integral_value(ROUND_FLOOR)))
            count += 1
            term = term * step / (count * scale)  # (m + (k - 1) m d) / (k (1 + m d))
            step += rise
            cumulative += term
    return np.array(thresholds, np.int64)


def _compute_log_of_none(mean: Decimal, dispersion: Decimal) -> Decimal:
    """Return the logarithm of the probability of no hops, -ln(1 + mean dispersion) / dispersion."""
    if not dispersion or not mean:
        return -mean
    with localcontext(_CONTEXT) as context:
        # 1 + mean dispersion has to be exact enough for the digits that its logarithm loses.
        context.prec += max(0, -(mean * dispersion).adjusted())
        return -(1 + mean * dispersion).ln() / dispersion


def _compute_log_gamma(x: Decimal) -> Decimal:
    """Return the logarithm of the gamma function of a number above 0."""
    import mpmath

    with mpmath.workdps(_DIGITS + 3 * _GUARD):
        value = mpmath.loggamma(mpmath.mpf(str(x)))
        return Decimal(mpmath.nstr(value, _DIGITS + 2 * _GUARD))


def _compute_partial_mean(p: Decimal, start: float, shape: Decimal, integrate: _Integrals) -> Decimal:
    """Return the integral of a quantile function from 0 to p: the partial mean up to the quantile of p.

    ``start`` is that quantile in float64. Newton's method on its logarithm goes on until the third order of the
    difference that is left is negligible. ``integrate`` returns the probability and the partial mean up to x, and x
    times the density at x; both rise like a power of x, the shape, at 0.
    """
    if not start > _LEAST_QUANTILE:
        return Decimal(0)
    x = Decimal(start)
    for _ in range(_MOST_STEPS):
        probability, partial, slope = integrate(x)
        difference = p - probability
        if abs(difference) <= _CLOSE * probability:
            # The derivatives of the partial mean by p are x and 1 / density.
            return partial + x * difference * (1 + difference / slope / 2)
        x *= (probability / slope * (p / probability).ln()).exp()
    raise ArithmeticError(f"the quantile of {float(p)} with shape {float(shape)} was not found")


def _take_means(partial: list[Decimal], mean: Decimal) -> np.ndarray:
    """Return the means of equally probable parts, given the partial means up to their borders and the whole one."""
    borders = [Decimal(0), *partial, mean]
    n = len(borders) - 1
    return _freeze(np.array([float(n * (high - low)) for low, high in itertools.pairwise(borders)]))


def _freeze(array: np.ndarray) -> np.ndarray:
    array = np.ascontiguousarray(array)
    array.flags.writeable = False
    return array
