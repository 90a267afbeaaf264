"""The kernels of the random-number scheme: from positions to values, in numba, for one plane of genes x TFs.

Only + - * / sqrt and bit operations lead to a value, each rounded by itself (no fastmath, no fused multiply-add), so a
value has the same bits on every CPU. Planes are TF-major, ``[tf, gene]``: the genes of a TF are contiguous in memory,
for vector loops and selection without gathering. Import this module lazily, as numba is slow to import.
"""

import numpy as np
from numba import float32, float64, int32, int64, uint32, uint64

from yeastxr._utils import compile_kernel, inline_kernel
from yeastxr.simulation.relations import AND, NOT, OR

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
_SAMPLE = 512  # of a column, to find where its quantile may be
_LN2 = 0.6931471805599453
# Upper normal quantile z(u), 2**-66 <= u <= 1/2, as (s - s0) P(s - 4) / Q(s - 4) with s = sqrt(-2 ln u), s0 = s(1/2):
# a minimax fit of relative error below 3e-11, made by docs/derivations/inverse_normal.py.
_S0 = 1.1774100225154747
_P0, _P1, _P2 = 1.2049899855449637, 0.899573805127123, 0.2504401074702185
_P3, _P4, _P5 = 0.03169148150258961, 0.0017454313982355916, 3.06770870145705e-05
_Q1, _Q2, _Q3 = 0.7793506735123844, 0.22678912184843575, 0.02995605185339852
_Q4, _Q5 = 0.001709607546651882, 3.067641647283941e-05
# exp(h) as 2**k exp(r), the latter by its series: adding _ROUND leaves k in the low bits.
_LOG2E, _LN2_HIGH, _LN2_LOW = 1.4426950408889634, 0.6931471803691238, 1.9082149292705877e-10
_ROUND, _BIAS = 6755399441055744.0, np.int64(1023 - 0x4338000000000000)
# Upper normal tail over exp(-x**2 / 2), 0 <= x <= 38: a minimax fit of relative error below 1e-11, made by
# docs/derivations/upper_normal_tail.py.
_T0, _T1, _T2, _T3 = 0.5000000000038249, 0.5975297626659517, 0.3483380703329895, 0.12241519771633429
_T4, _T5, _T6 = 0.027138057877759168, 0.003618167342293857, 0.00023222061143715101
_U1, _U2, _U3, _U4 = 1.9929440869910096, 1.7868154428450824, 0.9399924346102967, 0.3159198864002153
_U5, _U6, _U7 = 0.06860707994072462, 0.009069401165169627, 0.0005820907460398276
_WIDEST = 37.0  # s.d.; the tail beyond it is below 1e-299


@inline_kernel
def run_philox(c0, c1, c2, c3, k0, k1):
    """Philox4x32-10 of a counter of four words under a key of two, all uint64 of which only the low 32 bits count."""
    for _ in range(10):
        p0 = _M0 * (c0 & _LOW)
        p1 = _M1 * (c2 & _LOW)
        c0 = (p1 >> _32) ^ c1 ^ k0
        c1 = p1
        c2 = (p0 >> _32) ^ c3 ^ k1
        c3 = p0
        k0 = k0 + _W0
        k1 = k1 + _W1
    return c0, c1, c2, c3


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


@inline_kernel
def compute_mills(x):
    """Return the upper normal tail over exp(-x**2 / 2) as numerator and denominator; relative error below 1e-11."""
    p = (((((_T6 * x + _T5) * x + _T4) * x + _T3) * x + _T2) * x + _T1) * x + _T0
    q = ((((((_U7 * x + _U6) * x + _U5) * x + _U4) * x + _U3) * x + _U2) * x + _U1) * x + 1.0
    return p, q


@inline_kernel
def compute_density(x):
    """Return exp(-x**2 / 2), of a relative error below 1e-11."""
    h = -0.5 * x * x
    shifted = h * _LOG2E + _ROUND
    k = shifted - _ROUND
    r = (h - k * _LN2_HIGH) - k * _LN2_LOW
    e = 1.0 / 362880.0
    e = e * r + 1.0 / 40320.0
    e = e * r + 1.0 / 5040.0
    e = e * r + 1.0 / 720.0
    e = e * r + 1.0 / 120.0
    e = e * r + 1.0 / 24.0
    e = e * r + 1.0 / 6.0
    e = e * r + 0.5
    e = e * r + 1.0
    e = e * r + 1.0
    return e * np.int64((np.float64(shifted).view(np.int64) + _BIAS) << _52).view(np.float64)


@inline_kernel
def compute_upper_tail(z):
    """Return the probability that a standard normal number is above z, of a relative error below 1e-9 up to 37.

    Beyond 37, whose tail float32 does not hold, it is that of 37. NaN gives NaN.
    """
    x = min(abs(z), _WIDEST)
    p, q = compute_mills(x)
    tail = compute_density(x) * p / q
    return tail if z >= 0.0 else 1.0 - tail


@compile_kernel
def fill_philox_words(counters, k0, k1, out):
    """Fill ``out[i]`` with the four words of Philox for ``counters[i]``; for the known-answer tests."""
    for i in range(counters.shape[0]):
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = run_philox(
            uint64(counters[i, 0]), uint64(counters[i, 1]), uint64(counters[i, 2]), uint64(counters[i, 3]), k0, k1
        )


# Columns: all genes of one TF. ``words`` holds the four words of a Philox call for each gene, uint32 ``[4, gene]``.


@compile_kernel
def draw_words(k0, k1, genes, tf, stream, replicate, words):
    """Fill a column of words."""
    tf = uint64(tf)
    for g in range(genes.size):
        words[0, g], words[1, g], words[2, g], words[3, g] = run_philox(uint64(genes[g]), tf, stream, replicate, k0, k1)


@compile_kernel
def select_kth(values, k):
    """Return the k-th smallest (from 0) of uint32, by counting passes over them.

    A bracket [low, high] of values of the array shrinks in turn to where a straight line through the counts at its ends
    puts the rank, and to its middle; after each count it snaps to the nearest values of the array.
    """
    unit = uint32(1)
    low, high = values[0], values[0]
    for i in range(values.size):  # by index: numba does not vectorize an iterator
        low, high = min(low, values[i]), max(high, values[i])
    below_low, upto_high = 0, values.size  # how many values are < low, and <= high
    turn = 0
    while low < high:
        span = uint32(high - low)
        if turn % 3 == 2:
            step = uint32(span >> unit)
        else:
            fraction = (k + 0.5 - below_low) / (upto_high - below_low)
            step = uint32(min(fraction * float64(span), float64(span) * 0.999))
        middle = uint32(min(uint32(low + step), uint32(high - unit)))
        count = uint32(0)
        largest, smallest = low, high
        for i in range(values.size):
            value = values[i]
            inside = value <= middle
            count += uint32(inside)
            largest = max(largest, value if inside else low)
            smallest = min(smallest, high if inside else value)
        if count > k:
            high, upto_high = largest, count
        else:
            low, below_low = smallest, count
        turn += 1
    return low


@compile_kernel
def select_near(values, k, low, width, buffer):
    """Return the values of ranks k and k + 1 (or k again, at the end), which probably lie in [low, low + width].

    Values in that window are copied to the buffer. The selection runs on them if the ranks are among them, and else on
    all values.
    """
    inside, below = 0, uint32(0)
    for i in range(values.size):
        buffer[inside] = values[i]
        inside += uint32(values[i] - low) <= width
    for i in range(values.size):  # a loop of its own, as this one is vectorized
        below += uint32(values[i] < low)
    rank = k - int64(below)
    if rank < 0 or rank >= inside - 1:
        rank, candidates = k, values
    else:
        candidates = buffer[:inside]
    kth = select_kth(candidates, rank)
    upto = 0
    following = uint32(0xFFFFFFFF)
    for i in range(candidates.size):
        at_most = candidates[i] <= kth
        upto += at_most
        following = min(following, uint32(0xFFFFFFFF) if at_most else candidates[i])
    return kth, kth if upto > rank + 1 or k + 1 >= values.size else following


@compile_kernel
def find_label_limit(keys, count, buffer):
    """Return the 64-bit limit below which exactly ``count`` genes of a column lie, by (key, position)."""
    n = keys.size
    if count >= n:
        return uint64(0xFFFFFFFFFFFFFFFF)
    share = count / n
    spread = 4.0 * np.sqrt(share * (1.0 - share) / n) + 8.0 / n
    low = uint32(max(share - spread, 0.0) * 4294967295.0)
    high = uint32(min(share + spread, 1.0) * 4294967295.0)
    key, _ = select_near(keys, count, low, uint32(high - low), buffer)
    below = 0
    for g in range(n):
        below += keys[g] < key
    position = 0
    if below < count:  # genes with the same key: the first ones are bound
        missing = count - below
        while missing > 0:
            missing -= keys[position] == key
            position += 1
    return (uint64(key) << _32) | uint64(position)


@compile_kernel
def set_labels(keys, genes, limit, out):
    """Fill a column of labels: True where (key, position) lies below the limit."""
    key, position = uint32(limit >> _32), uint32(limit & _LOW)
    for g in range(genes.size):
        out[g] = (keys[g] < key) | ((keys[g] == key) & (genes[g] < position))


@inline_kernel
def scale_word(word, n):
    """Scale a random word to an integer in [0, n): the top of their product with n <= 2**31, off by under n / 2**32."""
    return float64(int32((uint64(word) * n) >> _32))


@compile_kernel
def set_binding_effects(words, label, hops, factors, out):
    """Fill a column of binding effects, from words 1 (background hops) and 2 (experiment hops).

    ``hops`` holds the first and the count of background, unbound and bound hops; ``factors`` are those of
    :attr:`yeastxr.simulation.parameters.BindingParameters.factors`.
    """
    background_first, background_n = float64(hops[0]), uint64(hops[1])
    unbound_first, unbound_n = float64(hops[2]), uint64(hops[3])
    bound_first, bound_n = float64(hops[4]), uint64(hops[5])
    factor, offset = factors
    for g in range(out.size):
        background = background_first + scale_word(words[1, g], background_n)
        n = bound_n if label[g] else unbound_n
        first = bound_first if label[g] else unbound_first
        experiment = first + scale_word(words[2, g], n)
        out[g] = float32(experiment * factor / (background + offset))


@compile_kernel
def copy_magnitudes(values, out):
    """Copy the bits of |float32| to uint32, which are ordered as the magnitudes are; return whether one is NaN."""
    bits = values.view(np.uint32)
    largest = uint32(0)
    for g in range(bits.size):
        out[g] = bits[g] & uint32(0x7FFFFFFF)
        largest = max(largest, out[g])
    return largest > uint32(0x7F800000)


@compile_kernel
def find_quantile(bits, fraction, buffer):
    """Return the quantile of a column of magnitudes, linear between order statistics, in float64.

    A sample of the column says where it may be, give or take 4 s.d. of the sample's rank.
    """
    n = bits.size
    rank = fraction * (n - 1)
    k = min(int(rank), n - 1)
    size = min(n, _SAMPLE)
    for i in range(size):
        buffer[i] = bits[i * (n // size)]
    share = (k + 0.5) / n
    spread = 4.0 * np.sqrt(share * (1.0 - share) * size) + 1.0
    first, last = int(share * size - spread), int(share * size + spread)
    low = select_kth(buffer[:size], first) if first > 0 else uint32(0)
    high = select_kth(buffer[:size], last) if last < size else uint32(0xFFFFFFFF)
    kth, following = select_near(bits, k, low, uint32(high - low), buffer)
    low_value, high_value = float64(np.uint32(kth).view(np.float32)), float64(np.uint32(following).view(np.float32))
    weight = rank - k
    return low_value + (high_value - low_value) * weight if weight > 0.0 else low_value


@compile_kernel
def set_pvalues(words, effect, cutoff, limits, out):
    """Fill a column of p-values, from word 3: uniform, or uniform on [0, upper] where |effect| is at least the cutoff.

    ``limits`` holds the upper end, and the largest float32 that is not above it, so that rounding can't pass it.
    """
    upper, ceiling = limits
    for g in range(out.size):
        uniform = (float64(words[3, g]) + 0.5) * (1.0 / 4294967296.0)
        small = min(float32(uniform * upper), ceiling)
        out[g] = small if abs(float64(effect[g])) >= cutoff else float32(uniform)


@inline_kernel
def draw_signed_normal(high, low, signs, mean, std):
    """Return sign * |mean + std * z|: z from 64 bits and its sign, bit 31 of a word, whose bit 30 is the sign."""
    z = compute_upper_normal(high, low)
    z = -z if signs >> _31 else z
    magnitude = abs(mean + std * z)
    return float32(-magnitude if (signs >> _30) & _ONE else magnitude)


@compile_kernel
def set_perturbation_effects(words, label, active, effect, numbers, out):
    """Fill a column of perturbation effects, from words 0, 1 (a normal number) and 2 (signs).

    ``active`` is True where a pair is bound and its conditions hold; without conditions it is ``label`` itself.
    ``numbers`` holds the mean and s.d. of unbound and of bound pairs, and the slope of an active pair's mean over its
    binding effect.
    """
    unbound_mean, unbound_std, bound_mean, bound_std, slope = numbers
    for g in range(out.size):
        mean = bound_mean + slope * float64(effect[g]) if active[g] else unbound_mean
        std = bound_std if label[g] else unbound_std
        out[g] = draw_signed_normal(words[0, g], words[1, g], words[2, g], mean, std)


@compile_kernel
def copy_row(row, out):
    """Copy truth values; a kernel of its own, as the next ones, so that the loop is vectorized."""
    for g in range(out.size):
        out[g] = row[g]


@compile_kernel
def and_row(row, out):
    """Keep truth values where others hold, too."""
    for g in range(out.size):
        out[g] &= row[g]


@compile_kernel
def or_row(row, out):
    """Set truth values where others hold."""
    for g in range(out.size):
        out[g] |= row[g]


@compile_kernel
def not_row(out):
    """Negate truth values."""
    for g in range(out.size):
        out[g] ^= np.uint8(1)


@compile_kernel
def evaluate_conditions(code, starts, columns, others, label, stack, out):
    """Fill ``out[t]`` with where the program of TF t holds and ``label[t]`` is True.

    Programs are those of :class:`yeastxr.simulation.relations.Programs`. A column is a row of ``columns`` or, from
    there on, of ``others``. Truth values are bytes, 0 or 1; ``stack`` has a row for each value that waits.
    """
    n = columns.shape[0]
    for t in range(out.shape[0]):
        copy_row(label[t], out[t])
        top = -1
        for i in range(starts[t], starts[t + 1]):
            step = code[i]
            if step >= 0:
                top += 1
                copy_row(columns[step] if step < n else others[step - n], stack[top])
            elif step == AND:
                top -= 1
                and_row(stack[top + 1], stack[top])
            elif step == OR:
                top -= 1
                or_row(stack[top + 1], stack[top])
            elif step == NOT:
                not_row(stack[top])
            else:
                top += 1
                stack[top] = 1
        if top >= 0:
            and_row(stack[0], out[t])


# Planes: columns of several TFs, ``[tf, gene]``. First the steps by hand, each from what the one before returned.


@compile_kernel
def fill_label_limits(k0, k1, replicate, stream, genes, tfs, bound_counts, out):
    """Fill ``out[t]`` with the limit below which exactly ``bound_counts[t]`` genes lie for TF ``tfs[t]``."""
    words, buffer = np.empty((4, genes.size), np.uint32), np.empty(genes.size + 1, np.uint32)
    for t in range(tfs.size):
        draw_words(k0, k1, genes, tfs[t], stream, replicate, words)
        out[t] = find_label_limit(words[0], bound_counts[t], buffer)


@compile_kernel
def fill_labels(k0, k1, replicate, stream, genes, tfs, limits, out):
    """Fill a plane of labels, given the limits of its TFs."""
    words = np.empty((4, genes.size), np.uint32)
    for t in range(tfs.size):
        draw_words(k0, k1, genes, tfs[t], stream, replicate, words)
        set_labels(words[0], genes, limits[t], out[t])


@compile_kernel
def fill_label_columns(k0, k1, replicate, stream, genes, tfs, bound_counts, out):
    """Fill a plane of labels that has all genes: each key is drawn once, for its TF's limit and for its label."""
    words, buffer = np.empty((4, genes.size), np.uint32), np.empty(genes.size + 1, np.uint32)
    for t in range(tfs.size):
        draw_words(k0, k1, genes, tfs[t], stream, replicate, words)
        set_labels(words[0], genes, find_label_limit(words[0], bound_counts[t], buffer), out[t])


@compile_kernel
def fill_binding_effects(k0, k1, replicate, stream, genes, tfs, label, hops, factors, out):
    """Fill a plane of binding effects."""
    words = np.empty((4, genes.size), np.uint32)
    for t in range(tfs.size):
        draw_words(k0, k1, genes, tfs[t], stream, replicate, words)
        set_binding_effects(words, label[t], hops, factors, out[t])


@compile_kernel
def find_abs_quantiles(values, fraction, out):
    """Fill ``out[t]`` with the quantile of ``|values[t]|``; return False, and nothing valid, if one is NaN."""
    n = values.shape[1]
    bits, buffer = np.empty(n, np.uint32), np.empty(n + 1, np.uint32)
    for t in range(values.shape[0]):
        if copy_magnitudes(values[t], bits):
            return False
        out[t] = find_quantile(bits, fraction, buffer)
    return True


@compile_kernel
def fill_pvalues(k0, k1, replicate, stream, genes, tfs, effect, cutoffs, limits, out):
    """Fill a plane of p-values."""
    words = np.empty((4, genes.size), np.uint32)
    for t in range(tfs.size):
        draw_words(k0, k1, genes, tfs[t], stream, replicate, words)
        set_pvalues(words, effect[t], cutoffs[t], limits, out[t])


@compile_kernel
def fill_perturbation_effects(k0, k1, replicate, stream, genes, tfs, label, active, effect, numbers, out):
    """Fill a plane of perturbation effects."""
    words = np.empty((4, genes.size), np.uint32)
    for t in range(tfs.size):
        draw_words(k0, k1, genes, tfs[t], stream, replicate, words)
        set_perturbation_effects(words, label[t], active[t], effect[t], numbers, out[t])


@compile_kernel
def fill_perturbation_effects_from_means(k0, k1, replicate, stream, genes, tfs, label, mean, stds, out):
    """Fill a plane of perturbation effects from given means; ``stds`` holds the unbound and the bound s.d."""
    unbound_std, bound_std = stds
    words = np.empty((4, genes.size), np.uint32)
    for t in range(tfs.size):
        draw_words(k0, k1, genes, tfs[t], stream, replicate, words)
        for g in range(genes.size):
            std = bound_std if label[t, g] else unbound_std
            out[t, g] = draw_signed_normal(words[0, g], words[1, g], words[2, g], float64(mean[t, g]), std)


# And all features at once, in two parts, as conditions need the labels of other TFs: each column stays in the cache.


@compile_kernel
def fill_binding_features(
    k0, k1, replicate, stream, genes, tfs, bound_counts, hops, factors, fraction, limits, label, effect, pvalue
):
    """Fill planes of labels, binding effects and their p-values, with all genes; planes without rows are not wanted."""
    words, buffer = np.empty((4, genes.size), np.uint32), np.empty(genes.size + 1, np.uint32)
    for t in range(tfs.size):
        draw_words(k0, k1, genes, tfs[t], stream, replicate, words)
        set_labels(words[0], genes, find_label_limit(words[0], bound_counts[t], buffer), label[t])
        if effect.shape[0] > 0:
            set_binding_effects(words, label[t], hops, factors, effect[t])
        if pvalue.shape[0] > 0:
            cutoff = find_quantile(effect[t].view(np.uint32), fraction, buffer)
            set_pvalues(words, effect[t], cutoff, limits, pvalue[t])


@compile_kernel
def fill_perturbation_features(
    k0, k1, replicate, stream, genes, tfs, label, active, effect, numbers, fraction, limits, response, pvalue
):
    """Fill planes of perturbation effects and their p-values, with all genes; a plane without rows is not wanted."""
    words, buffer = np.empty((4, genes.size), np.uint32), np.empty(genes.size + 1, np.uint32)
    bits = np.empty(genes.size, np.uint32)
    for t in range(tfs.size):
        draw_words(k0, k1, genes, tfs[t], stream, replicate, words)
        set_perturbation_effects(words, label[t], active[t], effect[t], numbers, response[t])
        if pvalue.shape[0] > 0:
            copy_magnitudes(response[t], bits)
            cutoff = find_quantile(bits, fraction, buffer)
            set_pvalues(words, response[t], cutoff, limits, pvalue[t])
