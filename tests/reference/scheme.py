"""A second implementation of the random-number scheme, in plain Python and NumPy, to compare the kernels with.

Written from the text of docs/design.md: words by Python's own integers, ranks by sorting, exponents by ``frexp``.
"""

import math

import numpy as np

LABEL, BINDING_EFFECT, BINDING_PVALUE, PERTURBATION_EFFECT, PERTURBATION_PVALUE = range(5)


def words(seed: int, gene: int, tf: int, stream: int, replicate: int) -> tuple[int, int, int, int]:
    """Philox4x32-10, as the paper writes it: (L, R) pairs under a bumped key."""
    l0, r0, l1, r1 = gene, tf, stream, replicate
    key = [seed % 2**32, seed // 2**32]
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * l0, 2**32)
        high1, low1 = divmod(0xCD9E8D57 * l1, 2**32)
        l0, r0, l1, r1 = high1 ^ r0 ^ key[0], low1, high0 ^ r1 ^ key[1], low0
        key = [(key[0] + 0x9E3779B9) % 2**32, (key[1] + 0xBB67AE85) % 2**32]
    return l0, r0, l1, r1


def labels(seed: int, genes: int, tf: int, replicate: int, bound: int) -> np.ndarray:
    """The ``bound`` smallest of (word, gene)."""
    order = sorted(range(genes), key=lambda gene: (words(seed, gene, tf, LABEL, replicate)[0], gene))
    out = np.zeros(genes, bool)
    out[order[:bound]] = True
    return out


def binding_effect(
    draw: tuple[int, int, int, int], hops: tuple[tuple[int, int], tuple[int, int]], totals: tuple[float, float, float]
) -> np.float32:
    """Hops are the top of a product of 64 bits with the count of outcomes; ``hops`` are (first, last) pairs."""
    a, b, c, d = draw
    (first_background, last_background), (first, last) = hops
    background = first_background + (((a << 32) + b) * (last_background - first_background + 1) >> 64)
    experiment = first + (((c << 32) + d) * (last - first + 1) >> 64)
    of_experiment, of_background, pseudocount = totals
    return np.float32((experiment / of_experiment) / (background / of_background + pseudocount))


def pvalue(draw: tuple[int, int, int, int], upper: float, *, small: bool) -> np.float32:
    """Halfway between multiples of 2**-32; scaled, and never above the upper end, where it is small."""
    uniform = (draw[0] + 0.5) / 2**32
    if not small:
        return np.float32(uniform)
    scaled = np.float32(uniform * upper)
    return scaled if float(scaled) <= upper else np.nextafter(scaled, np.float32(0))


def log(x: float) -> float:
    """The natural logarithm of a number above 0, in units of 2**65, as the scheme defines it."""
    mantissa, exponent = math.frexp(x)
    if mantissa < math.sqrt(0.5):
        mantissa, exponent = 2 * mantissa, exponent - 1
    f = (mantissa - 1) / (mantissa + 1)
    series = 1 / 15
    for odd in (13, 11, 9, 7, 5, 3, 1):
        series = series * (f * f) + 1 / odd
    return (exponent - 65) * 0.6931471805599453 + 2 * f * series


NUMERATOR = (
    3.06770870145705e-05, 0.0017454313982355916, 0.03169148150258961,
    0.2504401074702185, 0.899573805127123, 1.2049899855449637,
)  # fmt: skip
DENOMINATOR = (
    3.067641647283941e-05, 0.001709607546651882, 0.02995605185339852,
    0.22678912184843575, 0.7793506735123844, 1.0,
)  # fmt: skip


def normal(draw: tuple[int, int, int, int], mean: float, std: float) -> np.float32:
    """sign * |mean + std * z|, with z by inversion of 64 bits and a sign."""
    a, b, c, _ = draw
    s = math.sqrt(-2 * log(float((a << 32) + b) + 0.5))
    numerator, denominator = 0.0, 0.0
    for p, q in zip(NUMERATOR, DENOMINATOR, strict=True):
        numerator, denominator = numerator * (s - 4) + p, denominator * (s - 4) + q
    z = (s - 1.1774100225154747) * numerator / denominator
    magnitude = abs(mean + std * (-z if c >> 31 else z))
    return np.float32(-magnitude if c >> 30 & 1 else magnitude)
