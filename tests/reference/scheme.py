"""A second implementation of the random-number scheme, in plain NumPy, to compare the kernels with.

Written from the text of docs/design.md: words from 64-bit products, ranks by sorting, quantiles by NumPy, exponents by
``frexp``. Positions and words are arrays that broadcast against each other.
"""

from functools import cache

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


# What extends the tutorial, from the text of docs/design.md: hops by comparing a word with distribution functions in
# 60-digit arithmetic, levels by integrating quantiles numerically, tails by adding probabilities.

RESPONSE, GENE_FACTOR, TF_FACTOR, MISSING, MEASUREMENT = 2, 3, 4, 8, 9


def numbered(stream: int, measurement: int) -> int:
    """The word of a stream with the number of a measurement in its high 24 bits."""
    return stream + 256 * measurement


@cache
def gamma_levels(variance: float, n: int = 64) -> list[float]:
    """Means of the equally probable parts of a gamma distribution of mean 1, by the distribution of one shape more."""
    from scipy import stats

    if variance == 0:
        return [1.0] * n
    shape = 1 / variance
    ends = stats.gamma.ppf(np.arange(n + 1) / n, shape, scale=variance)
    return list(n * np.diff(stats.gamma.cdf(ends, shape + 1, scale=variance)))


@cache
def beta_levels(mean: float, concentration: float, n: int) -> list[float]:
    """Means of the equally probable parts of a beta distribution, likewise."""
    from scipy import stats

    if mean in (0, 1):
        return [mean] * n
    a, b = mean * concentration, (1 - mean) * concentration
    ends = stats.beta.ppf(np.arange(n + 1) / n, a, b)
    return list(n * mean * np.diff(stats.beta.cdf(ends, a + 1, b)))


@cache
def hop_thresholds(mean: float, dispersion: float) -> list[int]:
    """floor(2**32 P(count <= k)) for k = 0, 1, ... until 1 - 2**-32 is reached, negative binomial or Poisson."""
    import mpmath

    with mpmath.workdps(60):
        m, d, total, thresholds, k = mpmath.mpf(mean), mpmath.mpf(dispersion), mpmath.mpf(0), [], 0
        while True:
            if k == 0:
                chance = mpmath.exp(-m) if d == 0 else (1 + m * d) ** (-1 / d)
            else:
                chance *= (m + (k - 1) * m * d) / (k * (1 + m * d))
            total += chance
            if total >= 1 - mpmath.mpf(2) ** -32:
                return thresholds
            thresholds.append(int(mpmath.floor(total * 2**32)))
            k += 1


def table_hops(word: np.ndarray, level: np.ndarray, means: list[float], dispersion: float) -> np.ndarray:
    """How many thresholds of a pair's level, which has a mean, are at most its word."""
    counts = np.zeros(np.broadcast_shapes(word.shape, level.shape), int)
    for number, mean in enumerate(means):
        found = np.searchsorted(np.array(hop_thresholds(mean, dispersion), np.int64), word.astype(np.int64), "right")
        counts = np.where(level == number, found, counts)
    return counts


@cache
def poisson_tail(mean: float, k: int) -> np.float32:
    """P(N >= k)."""
    import mpmath

    with mpmath.workdps(60):
        return np.float32(float(mpmath.gammainc(k, 0, mpmath.mpf(mean), regularized=True)) if k else 1.0)


def normal_of(drawn: Words) -> np.ndarray:
    """A signed normal number, in float64: words 0 and 1, and bit 31 of word 2."""
    s = np.sqrt(-2 * log(drawn[0].astype(float) * 2**32 + drawn[1].astype(float) + 0.5))
    numerator, denominator = np.zeros(s.shape), np.zeros(s.shape)
    for p, q in zip(NUMERATOR, DENOMINATOR, strict=True):
        numerator, denominator = numerator * (s - 4) + p, denominator * (s - 4) + q
    z = (s - 1.1774100225154747) * numerator / denominator
    return np.where(drawn[2] >> np.uint64(31) == 1, -z, z)


def extended(
    seed: int, genes: int, means: list[float], holds: object, replicate: int, measurement: int, p: dict
) -> dict[str, np.ndarray]:
    """All variables of an extended simulation but perturbation p-values; ``p`` has all parameters by name.

    ``holds`` takes labels and returns where the conditions of each TF hold.
    """
    gene, tf = np.arange(genes)[:, None], np.arange(len(means))
    first = words(seed, gene, tf, BINDING, replicate)
    own = words(seed, gene, tf, numbered(BINDING, measurement), replicate)
    of_genes = words(seed, gene, 0, GENE_FACTOR, replicate)
    of_tfs = words(seed, 0, tf, TF_FACTOR, 0)
    fractions = np.array(means)
    if p["bound_concentration"] is not None:
        chosen = (of_tfs[0] >> np.uint64(24)).astype(int)
        fractions = np.array(
            [beta_levels(mean, p["bound_concentration"], 256)[i] for mean, i in zip(means, chosen, strict=True)]
        )
    made = {"bound_fraction": fractions}
    made["label"] = label = labels(first, [round(genes * f) for f in fractions])
    # Hops
    if p["hop_distribution"] == "uniform":
        background = hops(first[1], *p["background_hops_range"])
        lower, upper = (
            np.where(label, p["bound_experiment_hops_range"][i], p["unbound_experiment_hops_range"][i]) for i in (0, 1)
        )
        experiment = hops(own[2], lower, upper)
    else:
        level = (of_genes[0] >> np.uint64(26)).astype(int) if p["promoter_dispersion"] else np.zeros((genes, 1), int)
        factors = gamma_levels(p["promoter_dispersion"]) if p["promoter_dispersion"] else [1.0]

        def draw(word: np.ndarray, mean: str, dispersion: str) -> np.ndarray:
            return table_hops(word, level, [p[mean] * factor for factor in factors], p[dispersion])

        background = draw(first[1], "background_hops_mean", "background_hops_dispersion")
        experiment = np.where(
            label,
            draw(own[2], "bound_experiment_hops_mean", "experiment_hops_dispersion"),
            draw(own[2], "unbound_experiment_hops_mean", "experiment_hops_dispersion"),
        )
    made |= {"background_hops": background.astype(np.int32), "experiment_hops": experiment.astype(np.int32)}
    pc = p["pseudocount"]
    factor = (p["total_background_hops"] + pc) / (p["total_experiment_hops"] + pc)
    offset = pc * (p["total_background_hops"] + pc)
    effect = (experiment.astype(float) * factor / (background.astype(float) + offset)).astype(np.float32)
    made["binding_effect"] = effect
    if p["pvalues"] == "test":
        ratio = p["total_experiment_hops"] / p["total_background_hops"]
        tested = [
            [poisson_tail((b + p["poisson_pseudocount"]) * ratio, int(k)) for b, k in zip(*pair, strict=True)]
            for pair in zip(background, experiment, strict=True)
        ]
        made["binding_pvalue"] = np.array(tested, np.float32)
    else:
        large = is_large(effect, p["large_effect_percentile"])
        made["binding_pvalue"] = pvalues(own, p["large_effect_upper_pval"], large)
    # Responses
    rho = p["gene_responsiveness"]
    word = words(seed, gene, tf, RESPONSE, replicate)[0].astype(float)
    responsive = np.zeros(label.shape, bool)
    for status, chance in ((False, p["indirect_fraction"]), (True, p["responsive_fraction"])):
        chances: np.ndarray = np.full((genes, 1), chance)
        if rho:
            chances = np.array(beta_levels(chance, 1 / rho - 1, 64))[(of_genes[1] >> np.uint64(26)).astype(int)]
        responsive |= (label == status) & (word < np.rint(chances * 2**32))
    made["responsive"] = responsive
    made["adjusted"] = adjusted = responsive & holds(label)  # type: ignore[operator]
    # Perturbation
    own = words(seed, gene, tf, numbered(PERTURBATION, measurement), replicate)
    shared = words(seed, gene, tf, PERTURBATION, replicate)
    slope = p["slope"]
    mean = np.where(adjusted, p["bound_mean"] + slope * effect.astype(float), p["unbound_mean"])
    std = np.where(responsive, p["bound_std"], p["unbound_std"])
    magnitude = abs(mean + std * normal_of(own))
    positive = np.broadcast_to(p["positive_fraction"], (len(means),))
    negative = (shared[2] % 2**31).astype(float) >= np.rint(positive * 2**31)
    value = np.where(negative, -magnitude, magnitude)
    if p["batch_std"]:
        value = value + p["batch_std"] * normal_of(words(seed, 0, tf, numbered(MEASUREMENT, measurement), replicate))
    response = value.astype(np.float32)
    made["complete"] = response
    made["drawn_pvalue"] = pvalues(own, p["large_effect_upper_pval"], is_large(response, p["large_effect_percentile"]))
    of_gene = words(seed, gene, 2**32 - 1, MISSING, replicate)[0].astype(float)
    of_pair = words(seed, gene, tf, numbered(MISSING, measurement), replicate)[0].astype(float)
    missing = of_gene < np.rint(p["missing_gene_fraction"] * 2**32)
    made["missing"] = missing | (of_pair < np.rint(p["missing_pair_fraction"] * 2**32))
    made["perturbation_effect"] = np.where(made["missing"], np.float32(np.nan), response)
    return made
