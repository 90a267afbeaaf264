"""The kernels of the random-number scheme: from positions to values, in numba, for one plane of genes x TFs.

Only + - * / sqrt and bit operations lead to a value, each rounded by itself (no fastmath, no fused multiply-add), so a
value has the same bits on every CPU. Planes are TF-major, ``[tf, gene]``: the genes of a TF are contiguous in memory,
for vector loops and selection without gathering. Import this module lazily, as numba is slow to import.
"""

import numpy as np
from numba import float64, uint64

from yeastxr._utils import compile_kernel, inline_kernel

# Philox4x32-10: multipliers and key increments of Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW, _ONE = np.uint64(0xFFFFFFFF), np.uint64(1)
_30, _31, _32 = np.uint64(30), np.uint64(31), np.uint64(32)
# Layout of an IEEE 754 double, for the logarithm: sqrt(1/2) is where the mantissa's interval begins.
_SQRT_HALF = np.int64(0x3FE6A09E667F3BCD)
_TO_SQRT_HALF = np.int64(0x3FF0000000000000 - 0x3FE6A09E667F3BCD)
_MANTISSA, _52 = np.int64(0x000FFFFFFFFFFFFF), np.int64(52)
_EXPONENT_AND_HALF_BITS = np.int64(1023 + 65)
_LN2 = 0.6931471805599453
# Upper normal quantile z(u), 2**-66 <= u <= 1/2, as (s - s0) P(s - 4) / Q(s - 4) with s = sqrt(-2 ln u), s0 = s(1/2):
# a minimax fit of relative error below 3e-11, made by docs/derivations/inverse_normal.py.
_S0 = 1.1774100225154747
_P0, _P1, _P2 = 1.2049899855449637, 0.899573805127123, 0.2504401074702185
_P3, _P4, _P5 = 0.03169148150258961, 0.0017454313982355916, 3.06770870145705e-05
_Q1, _Q2, _Q3 = 0.7793506735123844, 0.22678912184843575, 0.02995605185339852
_Q4, _Q5 = 0.001709607546651882, 3.067641647283941e-05


@inline_kernel
def run_philox(c0, c1, c2, c3, k0, k1):
    """Philox4x32-10 of a counter of four words under a key of two; every word is a uint64 below 2**32."""
    for _ in range(10):
        p0 = _M0 * c0
        p1 = _M1 * c2
        c0 = (p1 >> _32) ^ c1 ^ k0
        c1 = p1 & _LOW
        c2 = (p0 >> _32) ^ c3 ^ k1
        c3 = p0 & _LOW
        k0 = (k0 + _W0) & _LOW
        k1 = (k1 + _W1) & _LOW
    return c0, c1, c2, c3


@inline_kernel
def scale_bits(high, low, n):
    """Scale 64 random bits to an integer in [0, n): the top of their product with n < 2**32, off by under n / 2**64."""
    return (high * n + ((low * n) >> _32)) >> _32


@inline_kernel
def compute_upper_normal(high, low):
    """Turn 64 random bits into the upper normal quantile of u = (bits + 1/2) / 2**65, from 0 to 9.4."""
    x = float64(high) * 4294967296.0 + float64(low) + 0.5
    # ln x = k ln 2 + ln m with sqrt(1/2) <= m < sqrt(2), and ln m = 2 artanh((m - 1) / (m + 1)) by its series.
    bits = np.float64(x).view(np.int64) + _TO_SQRT_HALF
    k = float64((bits >> _52) - _EXPONENT_AND_HALF_BITS)
    m = np.int64((bits & _MANTISSA) + _SQRT_HALF).view(np.float64)
    f = (m - 1.0) / (m + 1.0)
    w = f * f
    h = 1.0 / 15.0
    h = h * w + 1.0 / 13.0
    h = h * w + 1.0 / 11.0
    h = h * w + 1.0 / 9.0
    h = h * w + 1.0 / 7.0
    h = h * w + 1.0 / 5.0
    h = h * w + 1.0 / 3.0
    h = h * w + 1.0
    s = np.sqrt(-2.0 * (k * _LN2 + 2.0 * f * h))
    v = s - 4.0
    p = ((((_P5 * v + _P4) * v + _P3) * v + _P2) * v + _P1) * v + _P0
    q = ((((_Q5 * v + _Q4) * v + _Q3) * v + _Q2) * v + _Q1) * v + 1.0
    return (s - _S0) * p / q


@compile_kernel
def fill_philox_words(counters, k0, k1, out):
    """Fill ``out[i]`` with the four words of Philox for ``counters[i]``; for the known-answer tests."""
    for i in range(counters.shape[0]):
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = run_philox(
            uint64(counters[i, 0]), uint64(counters[i, 1]), uint64(counters[i, 2]), uint64(counters[i, 3]), k0, k1
        )


@compile_kernel
def select_kth(values, k):
    """Return the k-th smallest (from 0) of unsigned integers, by counting passes over them.

    A bracket [low, high] of values of the array shrinks in turn to where a straight line through the counts at its ends
    puts the rank, and to its middle; after each count it snaps to the nearest values of the array.
    """
    cast = values.dtype.type  # arithmetic in the values' own width keeps the passes vectorized
    unit = cast(1)
    low, high = values[0], values[0]
    for i in range(values.size):  # by index: numba does not vectorize an iterator
        low, high = min(low, values[i]), max(high, values[i])
    below_low, upto_high = 0, values.size  # how many values are < low, and <= high
    turn = 0
    while low < high:
        span = cast(high - low)
        if turn % 3 == 2:
            step = cast(span >> unit)
        else:
            fraction = (k + 0.5 - below_low) / (upto_high - below_low)
            step = cast(min(fraction * float64(span), float64(span) * 0.999))
        middle = cast(min(cast(low + step), cast(high - unit)))
        count = cast(0)
        largest, smallest = low, high
        for i in range(values.size):
            value = values[i]
            inside = value <= middle
            count += cast(inside)
            largest = max(largest, value if inside else low)
            smallest = min(smallest, high if inside else value)
        if count > k:
            high, upto_high = largest, count
        else:
            low, below_low = smallest, count
        turn += 1
    return low


@inline_kernel
def compute_label_key(gene, tf, replicate, stream, k0, k1):
    """Return a pair's key: 32 random bits, followed by the gene's position."""
    a, _, _, _ = run_philox(gene, tf, stream, replicate, k0, k1)
    return (a << _32) | gene


@compile_kernel
def fill_label_limits(k0, k1, replicate, stream, genes, tfs, bound_counts, out):
    """Fill ``out[t]`` with the key below which exactly ``bound_counts[t]`` genes lie for TF ``tfs[t]``."""
    keys = np.empty(genes.size, np.uint64)
    for t in range(tfs.size):
        tf = uint64(tfs[t])
        for g in range(genes.size):
            keys[g] = compute_label_key(uint64(genes[g]), tf, replicate, stream, k0, k1)
        count = bound_counts[t]
        out[t] = select_kth(keys, count) if count < genes.size else np.uint64(0xFFFFFFFFFFFFFFFF)


@compile_kernel
def fill_labels(k0, k1, replicate, stream, genes, tfs, limits, out):
    """Fill a plane of labels: True where the pair's key lies below its TF's limit."""
    for t in range(tfs.size):
        tf, limit = uint64(tfs[t]), limits[t]
        for g in range(genes.size):
            out[t, g] = compute_label_key(uint64(genes[g]), tf, replicate, stream, k0, k1) < limit


@compile_kernel
def fill_label_columns(k0, k1, replicate, stream, genes, tfs, bound_counts, out):
    """Fill a plane of labels that has all genes: each key is drawn once, for its TF's limit and for its label."""
    keys = np.empty(genes.size, np.uint64)
    for t in range(tfs.size):
        tf = uint64(tfs[t])
        for g in range(genes.size):
            keys[g] = compute_label_key(uint64(genes[g]), tf, replicate, stream, k0, k1)
        count = bound_counts[t]
        limit = select_kth(keys, count) if count < genes.size else np.uint64(0xFFFFFFFFFFFFFFFF)
        for g in range(genes.size):
            out[t, g] = keys[g] < limit


@compile_kernel
def fill_binding_effects(k0, k1, replicate, stream, genes, tfs, label, hops, totals, out):
    """Fill a plane of binding effects.

    ``hops`` holds the first and the count of background, unbound and bound hops; ``totals`` the experiment's and the
    background's total with the pseudocount added, and the pseudocount.
    """
    background_first, background_n = float64(hops[0]), uint64(hops[1])
    unbound_first, unbound_n = float64(hops[2]), uint64(hops[3])
    bound_first, bound_n = float64(hops[4]), uint64(hops[5])
    experiment_total, background_total, pseudocount = totals
    for t in range(tfs.size):
        tf = uint64(tfs[t])
        for g in range(genes.size):
            a, b, c, d = run_philox(uint64(genes[g]), tf, stream, replicate, k0, k1)
            background = background_first + float64(scale_bits(a, b, background_n))
            bound = label[t, g]
            n = bound_n if bound else unbound_n
            first = bound_first if bound else unbound_first
            experiment = first + float64(scale_bits(c, d, n))
            out[t, g] = np.float32((experiment / experiment_total) / (background / background_total + pseudocount))


@compile_kernel
def find_next_order_statistic(values, kth, k):
    """Return the value of rank k + 1 among uint32, given the one of rank k."""
    upto = 0
    following = np.uint32(0xFFFFFFFF)
    for i in range(values.size):
        value = values[i]
        at_most = value <= kth
        upto += at_most
        following = min(following, np.uint32(0xFFFFFFFF) if at_most else value)
    return kth if upto > k + 1 else following


@compile_kernel
def find_abs_quantiles(values, fraction, out):
    """Fill ``out[t]`` with the quantile of ``|values[t]|``, linear between order statistics, in float64.

    The bits of non-negative float32 are ordered as the values are, so the selection runs on them as integers. Returns
    the number of values that are NaN; the quantiles are valid only if there are none.
    """
    n = values.shape[1]
    rank = fraction * (n - 1)
    k = min(int(rank), n - 1)
    weight = rank - k
    column = np.empty(n, np.float32)
    bits = column.view(np.uint32)
    nans = 0
    for t in range(values.shape[0]):
        for g in range(n):
            value = values[t, g]
            nans += value != value
            column[g] = abs(value)
        low_bits = select_kth(bits, k)
        high_bits = find_next_order_statistic(bits, low_bits, k) if weight > 0.0 else low_bits
        low = float64(np.uint32(low_bits).view(np.float32))
        high = float64(np.uint32(high_bits).view(np.float32))
        out[t] = low + (high - low) * weight
    return nans


@compile_kernel
def fill_pvalues(k0, k1, replicate, stream, genes, tfs, effect, cutoffs, upper, ceiling, out):
    """Fill a plane of p-values: uniform, or uniform on [0, upper] where |effect| is at least its TF's cutoff.

    ``ceiling`` is the largest float32 that is not above ``upper``, so that rounding can't carry a value past it.
    """
    for t in range(tfs.size):
        tf, cutoff = uint64(tfs[t]), cutoffs[t]
        for g in range(genes.size):
            a, _, _, _ = run_philox(uint64(genes[g]), tf, stream, replicate, k0, k1)
            uniform = (float64(a) + 0.5) * (1.0 / 4294967296.0)
            small = min(np.float32(uniform * upper), ceiling)
            large = abs(float64(effect[t, g])) >= cutoff
            out[t, g] = small if large else np.float32(uniform)


@inline_kernel
def draw_signed_normal(a, b, c, mean, std):
    """Return sign * |mean + std * z|: z from 64 bits and a sign bit, and the sign from one more bit."""
    z = compute_upper_normal(a, b)
    z = -z if (c >> _31) & _ONE else z
    size = abs(mean + std * z)
    return np.float32(-size if (c >> _30) & _ONE else size)


@compile_kernel
def fill_perturbation_effects(k0, k1, replicate, stream, genes, tfs, label, active, effect, numbers, out):
    """Fill a plane of perturbation effects.

    ``active`` is True where a pair is bound and its conditions hold; without conditions it is ``label`` itself.
    ``numbers`` holds the mean and s.d. of unbound and of bound pairs, and the slope of an active pair's mean over its
    binding effect.
    """
    unbound_mean, unbound_std, bound_mean, bound_std, slope = numbers
    for t in range(tfs.size):
        tf = uint64(tfs[t])
        for g in range(genes.size):
            a, b, c, _ = run_philox(uint64(genes[g]), tf, stream, replicate, k0, k1)
            mean = bound_mean + slope * float64(effect[t, g]) if active[t, g] else unbound_mean
            std = bound_std if label[t, g] else unbound_std
            out[t, g] = draw_signed_normal(a, b, c, mean, std)


@compile_kernel
def fill_perturbation_effects_from_means(k0, k1, replicate, stream, genes, tfs, label, mean, stds, out):
    """Fill a plane of perturbation effects from given means; ``stds`` holds the unbound and the bound s.d."""
    unbound_std, bound_std = stds
    for t in range(tfs.size):
        tf = uint64(tfs[t])
        for g in range(genes.size):
            a, b, c, _ = run_philox(uint64(genes[g]), tf, stream, replicate, k0, k1)
            std = bound_std if label[t, g] else unbound_std
            out[t, g] = draw_signed_normal(a, b, c, float64(mean[t, g]), std)
