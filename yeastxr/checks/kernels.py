"""Numba kernels that measure a slab of TFs for the checks: one pass over each column, whose work stays in the cache.

Columns are TF-major, ``[TF, gene]``. Sums are of one column, and then over columns in the order of TFs, so they have
the same bits however a dataset is cut and whichever thread comes first. Two kernels may add and multiply at once, and
one of them may add in any order, so that sums are vector loops; a machine always does so in one way. Kinds of draws
have the order of :data:`yeastxr.checks.topic.DRAWS`: signs, magnitudes, two kinds of p-values, binding effects.
"""

from functools import partial

import numpy as np
from numba import float32, float64, int32, int64, uint8, uint64

from yeastxr._utils import compile_kernel, inline_kernel
from yeastxr.simulation import kernels as draws
from yeastxr.simulation.kernels import compute_density, compute_mills

BINS = 100
FAR = 3.5  # scores beyond it are counted one by one
_FAR_TAIL = 2.3262907903552504e-4  # the probability of one
_SIGN, _MAGNITUDE, _PVALUES, _BINDING = 0, 1, 2, 4
_UNIFORM = np.sqrt(12.0)  # one over the s.d. of a uniform number
_LEAST, _LEAST32 = 1e-300, np.float32(2.0**-66)
_TILE = 64
_PART = 1024  # of a column: several passes over it stay in the innermost cache
_NO_SIGN, _INFINITE, _LOW_BITS = np.int32(0x7FFFFFFF), np.int32(0x7F800000), np.int32((1 << 13) - 1)
_ZERO, _ONE = np.uint64(0), np.uint64(1)
_6, _56, _63, _64 = np.uint64(6), np.uint64(56), np.uint64(63), np.uint64(64)
_TO_TOP = np.uint64(0x0102040810204080)
_WIDEST, _WIDEST32 = 37.0, np.float32(12.5)  # s.d.
_NEARLY_FAR = np.float32(FAR - 0.01)
_HASH = np.uint64(0x9E3779B97F4A7C15)
# The same in float32.
_T0, _T1, _T2, _T3, _T4, _T5, _T6 = np.array(
    (draws._T0, draws._T1, draws._T2, draws._T3, draws._T4, draws._T5, draws._T6), np.float32
)
_U1, _U2, _U3, _U4, _U5, _U6, _U7 = np.array(
    (draws._U1, draws._U2, draws._U3, draws._U4, draws._U5, draws._U6, draws._U7), np.float32
)
_LOG2E_32, _LN2_HIGH_32, _LN2_LOW_32, _LN2_32 = np.array(
    (draws._LOG2E, 0.693359375, -2.12194440e-4, draws._LN2), np.float32
)
_ROUND_32, _BIAS_32, _23 = np.float32(1.5 * 2**23), np.int32(127 - 0x4B400000), np.int32(23)
_E2, _E3, _E4, _E5, _E6 = np.array((1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720), np.float32)
_L3, _L5, _L7, _L9 = np.array((1 / 3, 1 / 5, 1 / 7, 1 / 9), np.float32)
_SQRT_HALF_32, _TO_SQRT_HALF_32 = np.int32(0x3F3504F3), np.int32(0x3F800000 - 0x3F3504F3)
_MANTISSA_32, _EXPONENT_32 = np.int32(0x7FFFFF), np.int32(127)
_S0_32, _N0, _N1, _N2, _N3, _N4, _N5 = np.array(
    (draws._S0, draws._P0, draws._P1, draws._P2, draws._P3, draws._P4, draws._P5), np.float32
)
_D1, _D2, _D3, _D4, _D5 = np.array((draws._Q1, draws._Q2, draws._Q3, draws._Q4, draws._Q5), np.float32)
_ZERO32, _ONE32, _TWO32, _FOUR32, _BINS32 = np.array((0, 1, 2, 4, BINS), np.float32)
_MINUS_HALF32, _MINUS_TWO32 = np.array((-0.5, -2), np.float32)

_sum_kernel = partial(compile_kernel, fastmath=["reassoc", "contract"])
_contracted_kernel = partial(compile_kernel, fastmath=["contract"])  # what is rounded to integers keeps its order


@compile_kernel
def transpose(plane, columns):
    """Copy a plane ``[gene, TF]`` of any layout to columns."""
    n_genes, n_tfs = plane.shape
    for first in range(0, n_genes, _TILE):
        for t in range(n_tfs):
            for g in range(first, min(first + _TILE, n_genes)):
                columns[t, g] = plane[g, t]


@compile_kernel
def clean(columns, limits, valid, outside, coarse):
    """Set what is not finite to 0, and ``valid`` to where both effects are finite.

    ``columns`` are ``[measure, TF, gene]``. Counts values out of a measure's limits, and, in ``coarse``, values whose
    last bits are 0, as those of float16 are.
    """
    n_tfs, n_genes = valid.shape
    for t in range(n_tfs):
        row = valid[t]
        row[:] = 1
        for m in range(len(columns)):
            column, low, high = columns[m, t], limits[m, 0], limits[m, 1]
            bits, is_other = column.view(np.int32), uint8(m not in (0, 2))
            inside, zeros = int32(0), int32(0)
            for g in range(_ZERO, uint64(n_genes)):
                finite = (bits[g] & _NO_SIGN) < _INFINITE
                inside += int32(finite & (column[g] >= low) & (column[g] <= high))
                row[g] &= uint8(finite) | is_other
                value = bits[g] if finite else int32(0)
                zeros += int32((value & _LOW_BITS) == 0)
                bits[g] = value
            outside[m] += n_genes - inside
            coarse[m] += zeros


@inline_kernel
def compute_mills32(x):
    """Return the upper normal tail over exp(-x**2 / 2) as numerator and denominator, in float32."""
    p = (((((_T6 * x + _T5) * x + _T4) * x + _T3) * x + _T2) * x + _T1) * x + _T0
    q = ((((((_U7 * x + _U6) * x + _U5) * x + _U4) * x + _U3) * x + _U2) * x + _U1) * x + _ONE32
    return p, q


@inline_kernel
def compute_density32(x):
    """Return exp(-x**2 / 2) in float32."""
    h = _MINUS_HALF32 * x * x
    shifted = h * _LOG2E_32 + _ROUND_32
    k = shifted - _ROUND_32
    r = (h - k * _LN2_HIGH_32) - k * _LN2_LOW_32
    e = _E6
    e = e * r + _E5
    e = e * r + _E4
    e = e * r + _E3
    e = e * r + _E2
    e = e * r + _ONE32
    e = e * r + _ONE32
    return e * np.int32((np.float32(shifted).view(np.int32) + _BIAS_32) << _23).view(np.float32)


@inline_kernel
def compute_upper_normal32(u):
    """Return the upper normal quantile of u, 2**-66 <= u <= 1/2, in float32, as the kernel of the draws does."""
    bits = np.float32(u).view(np.int32) + _TO_SQRT_HALF_32
    k = float32((bits >> _23) - _EXPONENT_32)
    m = np.int32((bits & _MANTISSA_32) + _SQRT_HALF_32).view(np.float32)
    f = (m - _ONE32) / (m + _ONE32)
    w = f * f
    h = (((_L9 * w + _L7) * w + _L5) * w + _L3) * w + _ONE32
    s = np.sqrt(_MINUS_TWO32 * (k * _LN2_32 + _TWO32 * f * h))
    v = s - _FOUR32
    p = ((((_N5 * v + _N4) * v + _N3) * v + _N2) * v + _N1) * v + _N0
    q = ((((_D5 * v + _D4) * v + _D3) * v + _D2) * v + _D1) * v + _ONE32
    return (s - _S0_32) * p / q


@_sum_kernel
def multiply(x, y):
    """Return the sum of products."""
    total = 0.0
    for i in range(_ZERO, uint64(x.size)):
        total += float64(x[i]) * float64(y[i])
    return total


@compile_kernel
def count_labels(label, holds, valid, bound_by_gene, valid_by_gene):
    """Return how many genes are bound, active, where conditions hold, valid, and how many runs the bound ones make."""
    bound, active, holding, known, runs = int32(0), int32(0), int32(0), int32(0), int32(label[0])
    for g in range(_ZERO, uint64(label.size)):
        bound += int32(label[g])
        active += int32(label[g] & holds[g])
        holding += int32(holds[g])
        known += int32(valid[g])
        bound_by_gene[g] += int64(label[g])
        valid_by_gene[g] += int64(valid[g])
    for g in range(_ONE, uint64(label.size)):
        runs += int32(label[g] & (label[g - _ONE] ^ uint8(1)))
    return bound, active, holding, known, runs


@compile_kernel
def fill_slots(keys, shift, slots, places):
    """Fill a hash table with the places of keys; a key is in the first slot free from that of its hash on."""
    for i in range(keys.size):
        slot = (uint64(keys[i]) * _HASH) >> shift
        while places[slot] >= 0:
            slot = (slot + _ONE) & uint64(slots.size - 1)
        slots[slot], places[slot] = keys[i], i


@compile_kernel
def score_binding(label, valid, effect, lattice, counts, others, place, score, distance, coin):
    """Score binding effects by their place among the possible values, or among those nearest.

    ``lattice`` holds the ``tables`` of :class:`yeastxr.checks.topic.BindingSteps`, and the level of each gene, which
    chooses a row of scores and distances. ``counts`` has a row for each of four genes, as many effects are equal, and
    adding to one number waits for the addition before.
    """
    slots, places, shift, ends, values, scores, distances, levels = lattice
    bits, last = effect.view(np.int32), uint64(slots.size - 1)
    for g in range(label.size):
        slot = (uint64(2 * int64(bits[g]) + label[g]) * _HASH) >> shift
        while slots[slot] != 2 * int64(bits[g]) + label[g] and places[slot] >= 0:
            slot = (slot + _ONE) & last
        place[g] = places[slot]
        if places[slot] < 0:  # not a possible value
            first, end = ends[label[g]], ends[label[g] + 1]
            place[g] = min(first + np.searchsorted(values[first:end], effect[g]), end - 1)
            others[label[g]] += valid[g]
    for g in range(label.size):
        at, level = place[g], levels[g]
        counts[g & 3, at] += int64(valid[g])
        score[g] = scores[level, at] if valid[g] else 0.0
        distance[g] = distances[level, at] if valid[g] else 0.0
    for g in range(_ZERO, uint64(label.size)):
        coin[g] = uint8(score[g] > 0.0)


@_contracted_kernel
def score_magnitudes(label, holds, valid, binding, effect, model, score, bins):
    """Score |effects| as standard normal numbers that have the places of folded normals in their distribution.

    This takes float32, twice as fast: a score is off by about 1e-6, and sums of scores by far less. ``bins`` holds the
    status and the bin, and beyond all for pairs that are not valid, whose score is 0.
    """
    unbound_mean, unbound_std, bound_mean, bound_std, slope = model
    per_unbound, per_bound = float32(1.0 / unbound_std), float32(1.0 / bound_std)
    of_unbound, of_bound, rise = float32(unbound_mean), float32(bound_mean), float32(slope)
    for g in range(_ZERO, uint64(label.size)):
        magnitude, status = abs(effect[g]), label[g] * (2 - holds[g])
        mean = abs(of_bound + rise * binding[g] if label[g] & holds[g] else of_unbound)
        per_std = per_bound if label[g] else per_unbound
        near = (magnitude - mean) * per_std
        x, y = min(abs(near), _WIDEST32), min((magnitude + mean) * per_std, _WIDEST32)
        p, q = compute_mills32(x)
        p_far, q_far = compute_mills32(y)
        of_near, of_far = compute_density32(x) * p / q, compute_density32(y) * p_far / q_far
        upper = of_near + of_far if near > _ZERO32 else _ONE32 - (of_near - of_far)
        lower = _ONE32 - upper if near > _ZERO32 else of_near - of_far
        z = compute_upper_normal32(max(min(lower, upper), _LEAST32))
        score[g] = (-z if lower < upper else z) if valid[g] else _ZERO32
        bin = min(int32(max(lower, _ZERO32) * _BINS32), int32(BINS - 1))
        bins[g] = int32(status) * int32(BINS) + bin if valid[g] else int32(3 * BINS)


@_sum_kernel
def add_magnitudes(label, holds, valid, effect, score, totals):
    """Add up magnitudes, scores and their squares by status."""
    n = uint64(label.size)
    magnitudes, scores, squares = 0.0, 0.0, 0.0
    magnitudes1, scores1, squares1 = 0.0, 0.0, 0.0
    magnitudes2, scores2, squares2 = 0.0, 0.0, 0.0
    for g in range(_ZERO, n):
        z, magnitude = float64(score[g]), float64(abs(effect[g])) * float64(valid[g])
        active, inactive = float64(label[g] & holds[g]), float64(label[g] & (holds[g] ^ uint8(1)))
        magnitudes, scores, squares = magnitudes + magnitude, scores + z, squares + z * z
        magnitudes1 += active * magnitude
        scores1 += active * z
        squares1 += active * z * z
        magnitudes2 += inactive * magnitude
        scores2 += inactive * z
        squares2 += inactive * z * z
    totals[0, 0] += magnitudes - magnitudes1 - magnitudes2
    totals[0, 1] += scores - scores1 - scores2
    totals[0, 2] += squares - squares1 - squares2
    totals[1, 0] += magnitudes1
    totals[1, 1] += scores1
    totals[1, 2] += squares1
    totals[2, 0] += magnitudes2
    totals[2, 1] += scores2
    totals[2, 2] += squares2


@_sum_kernel
def add_binding(label, holds, valid, binding, centre, score, totals):
    """Add up the binding effects of active pairs less their centre, their squares and products with scores."""
    weights, squares, products = 0.0, 0.0, 0.0
    for g in range(_ZERO, uint64(label.size)):
        weight = (float64(binding[g]) - centre) * float64(label[g] & holds[g] & valid[g])
        weights += weight
        squares += weight * weight
        products += weight * float64(score[g])
    totals[1, 3] += weights
    totals[1, 4] += squares
    totals[1, 5] += products


@compile_kernel
def compute_tail(effect, binding, status, model):
    """Return the smaller of the probabilities of a smaller and of a larger |effect|, in float64."""
    unbound_mean, unbound_std, bound_mean, bound_std, slope = model
    magnitude = abs(float64(effect))
    mean = abs(bound_mean + slope * float64(binding) if status == 1 else unbound_mean)
    std = bound_std if status else unbound_std
    near = (magnitude - mean) / std
    x, y = min(abs(near), _WIDEST), min((magnitude + mean) / std, _WIDEST)
    p, q = compute_mills(x)
    p_far, q_far = compute_mills(y)
    of_near, of_far = compute_density(x) * p / q, compute_density(y) * p_far / q_far
    tail = of_near + of_far if near > 0 else of_near - of_far
    return max(min(tail, 1.0 - tail), _LEAST)


@compile_kernel
def measure_magnitudes(label, holds, valid, binding, effect, model, centre, bins, sums, score, coin):
    """Score |effects| of a TF, and add up the scores by status.

    ``sums`` are counts by status and bin, of far scores, their nearest tails, and by status the sums of magnitudes,
    scores and their squares; of active pairs also those of binding effects less ``centre``, their squares and products
    with scores.
    """
    counts, far, nearest, totals = sums
    score_magnitudes(label, holds, valid, binding, effect, model, score, bins)
    add_magnitudes(label, holds, valid, effect, score, totals)
    add_binding(label, holds, valid, binding, centre, score, totals)
    for g in range(_ZERO, uint64(label.size)):
        coin[g] = uint8(score[g] > _ZERO32)
    for g in range(label.size):
        counts[bins[g]] += 1
        if abs(score[g]) > _NEARLY_FAR:
            status = label[g] * (2 - holds[g])
            tail = compute_tail(effect[g], binding[g], status, model)
            if tail < _FAR_TAIL:
                end = int64(score[g] > 0)
                far[status, end] += 1
                nearest[status, end] = min(nearest[status, end], tail)


@compile_kernel
def count_inexact(label, holds, valid, binding, effect, model):
    """Return how many |effects| without noise are not their mean, as float32."""
    unbound_mean, unbound_std, bound_mean, bound_std, slope = model
    inexact = 0
    for g in range(label.size):
        mean = abs(bound_mean + slope * float64(binding[g]) if label[g] & holds[g] else unbound_mean)
        std = bound_std if label[g] else unbound_std
        inexact += (valid[g] != 0) & (std == 0.0) & (abs(effect[g]) != np.float32(mean))
    return inexact


@compile_kernel
def score_signs(label, effect, score, coin):
    """Score signs; return how many are positive, and how many of those of bound pairs."""
    bits = effect.view(np.int32)
    positive, positive_bound = int32(0), int32(0)
    for g in range(_ZERO, uint64(label.size)):
        is_positive = uint8(bits[g] >= 0)
        coin[g] = is_positive
        score[g] = 1.0 if is_positive else -1.0
        positive += int32(is_positive)
        positive_bound += int32(is_positive & label[g])
    return positive, positive_bound


@compile_kernel
def score_pvalues(pvalue, effect, cutoff, upper, sums, score, distance, bins, coin):
    """Score p-values as uniform numbers by their rule; return how many are of large effects.

    Where ``upper`` is 0 those of large effects tell nothing.
    """
    counts, broken, extremes = sums
    n_large, n_broken = int32(0), int32(0)
    low, high = np.int64(0x7FF0000000000000), np.int64(0)
    scale, limit = upper if upper > 0.0 else 1.0, np.float32(upper)
    for g in range(_ZERO, uint64(pvalue.size)):
        large = abs(float64(effect[g])) >= cutoff
        n_large += int32(large)
        n_broken += int32(large & (pvalue[g] > limit))
        known = not (large & (upper == 0.0))
        uniform = float64(pvalue[g]) / (scale if large else 1.0)
        uniform = max(0.0, min(uniform if known else 0.5, 1.0))
        key = np.float64(uniform).view(np.int64)  # ordered as the values are, as none is negative
        low, high = min(low, key), max(high, key)
        score[g] = (uniform - 0.5) * _UNIFORM
        distance[g] = abs(score[g]) * 2.0 - _UNIFORM / 2.0 if known else 0.0
        bins[g] = min(int32(uniform * BINS), int32(BINS - 1)) + int32(large) * int32(BINS)
        coin[g] = uint8(uniform >= 0.5)
    for g in range(pvalue.size):
        counts[bins[g]] += 1
    broken[0] += n_broken
    extremes[0] = min(extremes[0], np.int64(low).view(np.float64))
    extremes[1] = min(extremes[1], 1.0 - np.int64(high).view(np.float64))
    return n_large


@compile_kernel
def add_scores(score, before, distance, squared, ones, sums, spreads, products, weights, totals):
    """Add a column of scores to sums by gene, and their squares or distances from the median to others.

    Products are with the next gene's score and with that of the TF ``before``, weights the squares of the first of
    both; ``totals`` holds the sum and the sum of squares of that TF, then those of this one.
    """
    weights[1] += totals[1]
    totals[:] = 0.0
    n = score.size
    for first in range(0, n, _PART):
        part = slice(first, min(first + _PART, n))
        z, sum_part, spread_part, others = score[part], sums[part], spreads[part], distance[part]
        for g in range(_ZERO, uint64(z.size)):
            value = float64(z[g])
            sum_part[g] += value
            spread_part[g] += value * value if squared else float64(others[g])
        totals[0] += multiply(z, ones)
        totals[1] += multiply(z, z)
        products[0] += multiply(score[first : min(first + _PART, n - 1)], score[first + 1 : first + 1 + _PART])
        products[1] += multiply(before[part], z)
    weights[0] += totals[1] - float64(score[-1]) * float64(score[-1])


@compile_kernel
def pack(bits, words):
    """Pack bytes that are 0 or 1, of a multiple of 64, to words, the first in the lowest bit."""
    eights = bits.view(np.uint64)
    for w in range(words.size):
        word = _ZERO
        for i in range(8):  # the product moves the lowest bit of each byte to the highest byte
            word |= ((eights[8 * w + i] * _TO_TOP) >> _56) << uint64(8 * i)
        words[w] = word


@compile_kernel
def measure(first, pairs, cutoffs, lattice, model, upper, centre, parts, by_tf, binding, magnitudes, pvalues, genes):
    """Measure a slab of TFs, of which the first has this place in its block.

    ``pairs`` are labels, where conditions hold if the TF binds, which pairs respond, where conditions hold for them,
    which pairs are valid, the measures ``[measure, TF, gene]``, and perturbation effects without offsets of batches.
    ``parts`` says whether |effects| are to be scored, or compared with their means, and p-values to be scored. The rest
    adds up, or is filled in for these TFs; see :class:`yeastxr.checks.topic.Block`.
    """
    label, holds, responsive, applies, valid, columns, responses = pairs
    has_noise, has_means, has_cutoffs = parts
    counts, scores_by_tf, words, label_words = by_tf
    lattice_counts, others = binding
    inexact, histogram, far, nearest, status_sums = magnitudes
    magnitude_sums = (histogram, far, nearest, status_sums)
    pvalue_counts, broken, extremes = pvalues
    bound_by_gene, valid_by_gene, sums, spreads, products, weights, totals, scores = genes
    n_tfs, n_genes = label.shape
    kinds = len(sums)
    coins = np.zeros((kinds + 1, 64 * label_words.shape[1]), np.uint8)
    distance, ones, bins = np.zeros(n_genes, np.float32), np.ones(_PART, np.float32), np.empty(n_genes, np.int32)
    for t in range(n_tfs):
        at = first + t
        score, before = scores[at & 1], scores[1 - (at & 1)]
        effect, response = columns[0, t], responses[t]
        by_gene = bound_by_gene[at & 1]
        counts[at, 0], counts[at, 1], counts[at, 2], counts[at, 3], counts[at, 4] = count_labels(
            label[t], holds[t], valid[t], by_gene, valid_by_gene
        )
        coins[kinds, :n_genes] = label[t]
        counts[at, 5], counts[at, 6] = score_signs(label[t], response, score[_SIGN], coins[_SIGN])
        if has_noise:
            measure_magnitudes(
                responsive[t],
                applies[t],
                valid[t],
                effect,
                response,
                model,
                centre,
                bins,
                magnitude_sums,
                score[_MAGNITUDE],
                coins[_MAGNITUDE],
            )
        if has_means:
            inexact[0] += count_inexact(responsive[t], applies[t], valid[t], effect, response, model)
        for kind in range(kinds):
            if kind == _BINDING:
                score_binding(
                    label[t],
                    valid[t],
                    effect,
                    lattice,
                    lattice_counts,
                    others,
                    bins,
                    score[kind],
                    distance,
                    coins[kind],
                )
            elif kind >= _PVALUES:
                m = 2 * (kind - _PVALUES)
                if has_cutoffs:
                    counts[at, 5 + kind] = score_pvalues(
                        columns[m + 1, t],
                        columns[m, t],
                        cutoffs[kind - _PVALUES, t],
                        upper,
                        (pvalue_counts[kind - _PVALUES], broken[kind - _PVALUES :], extremes[kind - _PVALUES]),
                        score[kind],
                        distance,
                        bins,
                        coins[kind],
                    )
            add_scores(
                score[kind],
                before[kind],
                distance,
                kind == _MAGNITUDE,
                ones,
                sums[kind],
                spreads[kind],
                products[kind],
                weights[kind],
                totals[kind],
            )
            scores_by_tf[kind, at, 0], scores_by_tf[kind, at, 1] = totals[kind, 0], totals[kind, 1]
            pack(coins[kind], words[kind, at])
        pack(coins[kinds], label_words[at])


@inline_kernel
def count_bits(word):
    """Return how many bits are set; LLVM knows these lines, and uses the processor's instruction."""
    word = word - ((word >> _ONE) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (word * np.uint64(0x0101010101010101)) >> _56


@compile_kernel
def count_both(words, out):
    """Fill ``out`` with how many bits are set in both of two rows, for each pair of rows, in order."""
    pair = 0
    for i in range(len(words)):
        for j in range(i + 1, len(words)):
            first, second, both = words[i], words[j], _ZERO
            for w in range(_ZERO, uint64(first.size)):
                both += count_bits(first[w] & second[w])
            out[pair] = both
            pair += 1


@compile_kernel
def find_differences(words):
    """Return in how many bits the two rows differ that differ in the fewest, and those that differ in the most."""
    least, most = 64 * words.shape[1], 0
    for i in range(len(words)):
        for j in range(i + 1, len(words)):
            first, second, differ = words[i], words[j], _ZERO
            for w in range(_ZERO, uint64(first.size)):
                differ += count_bits(first[w] ^ second[w])
            least, most = min(least, int64(differ)), max(most, int64(differ))
    return least, most


@compile_kernel
def count_differences(first, second):
    """Return in how many bits two arrays of words differ."""
    differ = _ZERO
    for i in range(len(first)):
        for w in range(_ZERO, uint64(first.shape[1])):
            differ += count_bits(first[i, w] ^ second[i, w])
    return differ


@compile_kernel
def transpose_bits(words, out):
    """Turn rows of packed bits ``[row, word]`` into rows of their columns, ``out`` ``[column, word]``.

    Squares of 64 x 64 bits are transposed by exchanging ever smaller parts (Warren, "Hacker's Delight", 7-3).
    """
    square = np.empty(64, np.uint64)
    for i in range(0, len(words), 64):
        for w in range(words.shape[1]):
            for k in range(64):
                square[k] = words[i + k, w] if i + k < len(words) else _ZERO
            mask, width = np.uint64(0xFFFFFFFF), 32
            while width:
                shift, k = uint64(width), 0
                while k < 64:
                    swap = ((square[k] >> shift) ^ square[k + width]) & mask
                    square[k + width] ^= swap
                    square[k] ^= swap << shift
                    k = (k + width + 1) & ~width
                width >>= 1
                mask ^= mask << uint64(width)
            for k in range(min(64, len(out) - 64 * w)):
                out[64 * w + k, i // 64] = square[k]


@compile_kernel
def count_lagged(words, n_bits, out):
    """Add to ``out[lag]`` how many bits of rows of packed bits differ from the one ``lag`` bits later, below 64."""
    for i in range(len(words)):
        row, last = words[i], uint64(words.shape[1] - 1)
        for lag in range(_ONE, uint64(min(len(out), n_bits))):
            differ, n_pairs = _ZERO, uint64(n_bits) - lag
            for w in range(_ZERO, (n_pairs + _63) >> _6):
                following = row[w + _ONE] if w < last else _ZERO
                difference = row[w] ^ (row[w] >> lag | following << (_64 - lag))
                left = n_pairs - w * _64
                differ += count_bits(difference if left >= _64 else difference & ((_ONE << left) - _ONE))
            out[lag] += int64(differ)


@compile_kernel
def reverse_bits(words, n_bits, out):
    """Fill ``out`` with rows of packed bits in reversed order."""
    n_words = words.shape[1]
    unused = uint64(64 * n_words - n_bits)
    for i in range(len(words)):
        for w in range(n_words):
            word, mask, width = words[i, w], np.uint64(0xFFFFFFFFFFFFFFFF), uint64(32)
            while width:
                mask ^= mask << width
                word = (word >> width) & mask | (word & mask) << width
                width >>= _ONE
            out[i, n_words - 1 - w] = word
        if unused:
            for w in range(n_words):
                following = out[i, w + 1] if w + 1 < n_words else _ZERO
                out[i, w] = out[i, w] >> unused | following << (_64 - unused)


@compile_kernel
def cut_words(words, n_bits, pattern, out):
    """Fill ``out`` with the 64 bits behind each pattern in rows of packed bits, such that the first of them is 0.

    The pattern is a bit that differs from the next, which is followed by equal ones, ``pattern`` bits in all, so
    inverted bits match, too. Returns how many words there are; if there is no room for all, the others are not filled
    in.
    """
    pattern = uint64(pattern)
    n = 0
    for i in range(len(words)):
        row, last = words[i], uint64(words.shape[1] - 1)
        for w in range(_ZERO, last + _ONE):
            word = row[w]
            following = row[w + _ONE] if w < last else _ZERO
            changes = word ^ (word >> _ONE | following << _63)
            changes_following = following ^ (following >> _ONE)
            later = _ZERO
            for k in range(_ONE, pattern):
                later |= changes >> k | changes_following << (_64 - k)
            starts = changes & ~later
            while starts:
                bit = w * _64 + count_bits((starts & (~starts + _ONE)) - _ONE) + pattern
                starts &= starts - _ONE
                if bit + _64 <= n_bits:
                    at, shift = bit >> _6, bit & _63
                    word = row[at] >> shift
                    if shift:
                        word |= row[at + _ONE] << (_64 - shift)
                    if n < out.size:
                        out[n] = ~word if word & _ONE else word
                    n += 1
    return n
