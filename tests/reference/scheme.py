"""A second implementation of the random-number scheme, in plain NumPy, to compare the kernels with.

Written from the text of docs/design.md: words from 64-bit products, ranks by sorting, quantiles by NumPy, exponents by
``frexp``. Positions and words are arrays that broadcast against each other.
"""

import numpy as np

BINDING, PERTURBATION = 0, 1
Words = tuple[np.ndarray, ...]


def words(seed: int, gene: object, tf: object, stream: int, replicate: object) -> Words:
    """Philox4x32-10, as the paper writes it: (L, R) pairs under a bumped key; four words as uint64."""
    l0, r0, l1, r1 = np.broadcast_arrays(*(np.asarray(word, np.uint64) for word in (gene, tf, stream, replicate)))
    key = [seed % 2**32, seed // 2**32]
    for _ in range(10):
        high0, low0 = np.divmod(np.uint64(0xD2511F53) * l0, np.uint64(2**32))
        high1, low1 = np.divmod(np.uint64(0xCD9E8D57) * l1, np.uint64(2**32))
        l0, r0, l1, r1 = high1 ^ r0 ^ np.uint64(key[0]), low1, high0 ^ r1 ^ np.uint64(key[1]), low0
        key = [(key[0] + 0x9E3779B9) % 2**32, (key[1] + 0xBB67AE85) % 2**32]
    return l0, r0, l1, r1


def labels(drawn: Words, counts: object) -> np.ndarray:
    """The ``counts`` smallest of word 0 in each column, the first gene first among equals; axes ``(gene, tf)``."""
    order = np.argsort(drawn[0], axis=0, kind="stable")
    ranks = np.argsort(order, axis=0, kind="stable")
    return ranks < np.asarray(counts)


def hops(word: np.ndarray, first: object, last: object) -> np.ndarray:
    """The top of the product of a word and the count of outcomes."""
    first, last = np.asarray(first, np.uint64), np.asarray(last, np.uint64)
    return first + (word * (last - first + np.uint64(1)) >> np.uint64(32))


def binding_effects(
    drawn: Words,
    label: np.ndarray,
    ranges: tuple[tuple[int, int], tuple[int, int], tuple[int, int]],
    totals: tuple[int, int, float],
) -> np.ndarray:
    """``ranges`` are (first, last) of background, unbound and bound hops; ``totals`` of experiment and background."""
    (background, unbound, bound), (of_experiment, of_background, pseudocount) = ranges, totals
    experiment = hops(drawn[2], np.where(label, bound[0], unbound[0]), np.where(label, bound[1], unbound[1]))
    factor = (of_background + pseudocount) / (of_experiment + pseudocount)
    offset = pseudocount * (of_background + pseudocount)
    ratio = experiment.astype(float) * factor / (hops(drawn[1], *background).astype(float) + offset)
    return ratio.astype(np.float32)


def pvalues(drawn: Words, upper: float, large: np.ndarray) -> np.ndarray:
    """Halfway between multiples of 2**-32; scaled, and never above the upper end, where the effect is large."""
    uniform = (drawn[3].astype(float) + 0.5) / 2**32
    scaled = (uniform * upper).astype(np.float32)
    scaled = np.where(scaled.astype(float) <= upper, scaled, np.nextafter(scaled, np.float32(0)))
    return np.where(large, scaled, uniform.astype(np.float32))


def log(x: np.ndarray) -> np.ndarray:
    """The natural logarithm of numbers above 0, in units of 2**65, as the scheme defines it."""
    mantissa, exponent = np.frexp(x)
    low = mantissa < np.sqrt(0.5)
    mantissa, exponent = np.where(low, 2 * mantissa, mantissa), exponent - low
    f = (mantissa - 1) / (mantissa + 1)
    series = np.full(f.shape, 1 / 15)
    for odd in (13, 11, 9, 7, 5, 3, 1):
        series = series * (f * f) + 1 / odd
    return (exponent - 65.0) * 0.6931471805599453 + 2 * f * series


NUMERATOR = (
    3.06770870145705e-05, 0.0017454313982355916, 0.03169148150258961,
    0.2504401074702185, 0.899573805127123, 1.2049899855449637,
)  # fmt: skip
DENOMINATOR = (
    3.067641647283941e-05, 0.001709607546651882, 0.02995605185339852,
    0.22678912184843575, 0.7793506735123844, 1.0,
)  # fmt: skip


def perturbation_effects(drawn: Words, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """sign * |mean + std * z|, with z by inversion of words 0 and 1, its sign bit 31 of word 2, and the sign bit 30."""
    s = np.sqrt(-2 * log(drawn[0].astype(float) * 2**32 + drawn[1].astype(float) + 0.5))
    numerator, denominator = np.zeros(s.shape), np.zeros(s.shape)
    for p, q in zip(NUMERATOR, DENOMINATOR, strict=True):
        numerator, denominator = numerator * (s - 4) + p, denominator * (s - 4) + q
    z = (s - 1.1774100225154747) * numerator / denominator
    signs = drawn[2] >> np.uint64(30)
    magnitude = abs(mean + std * np.where(signs // 2 == 1, -z, z))
    return np.where(signs % 2 == 1, -magnitude, magnitude).astype(np.float32)


def is_large(effect: np.ndarray, percentile: float) -> np.ndarray:
    """Return whether |effect| is at least its column's linear quantile."""
    magnitude = abs(effect.astype(float))
    return magnitude >= np.quantile(magnitude, percentile, axis=0)


def simulate(seed: int, genes: int, counts: list[int], replicate: int = 0, slope: float = 0.0) -> list[np.ndarray]:
    """The five features of methods 1 and 2, with the tutorial's parameters; ``counts`` are of bound genes."""
    gene, tf = np.arange(genes)[:, None], np.arange(len(counts))
    first = words(seed, gene, tf, BINDING, replicate)
    second = words(seed, gene, tf, PERTURBATION, replicate)
    label = labels(first, counts)
    effect = binding_effects(first, label, ((1, 100), (0, 1), (1, 6)), (76, 1000, 1e-10))
    mean = np.where(label, 3.0 + slope * effect.astype(float), 0.0)
    response = perturbation_effects(second, mean, np.ones(label.shape))
    return [
        label,
        effect,
        pvalues(first, 0.2, is_large(effect, 0.9)),
        response,
        pvalues(second, 0.2, is_large(response, 0.9)),
    ]
