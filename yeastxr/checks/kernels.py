"""Numba kernels that measure a slab of TFs for the checks: one pass over each column, whose work stays in the cache.

Columns are TF-major, ``[TF, gene]``. Sums are of one column, and then over columns in the order of TFs, so they have
the same bits however a dataset is cut and whichever thread comes first. Two kernels may add and multiply at once, and
one of them may add in any order, so that sums are vector loops; a machine always does so in one way. Kinds of draws
have the order of :data:`yeastxr.checks.topic.DRAWS`: signs, magnitudes, two kinds of p-values, binding effects.
"""

from functools import partial

import numpy as np
from numba import float64, int32, int64, uint8, uint64

from yeastxr._utils import compile_kernel, inline_kernel
from yeastxr.simulation.kernels import compute_density, compute_mills, compute_upper_normal

BINS = 100
FAR = 3.5  # scores beyond it are counted one by one
_FAR_TAIL = 2.3262907903552504e-4  # the probability of one
_SIGN, _MAGNITUDE, _PVALUES, _BINDING = 0, 1, 2, 4
_UNIFORM = np.sqrt(12.0)  # one over the s.d. of a uniform number
_LEAST, _LEAST_SCORED, _TO_BITS = 1e-300, 2.0**-66, 2.0**33
_TILE = 64
_PART = 1024  # of a column: several passes over it stay in the innermost cache
_NO_SIGN, _INFINITE, _LOW_BITS = np.int32(0x7FFFFFFF), np.int32(0x7F800000), np.int32((1 << 13) - 1)
_ZERO, _ONE = np.uint64(0), np.uint64(1)
_6, _56, _63, _64 = np.uint64(6), np.uint64(56), np.uint64(63), np.uint64(64)
_TO_TOP = np.uint64(0x0102040810204080)
_WIDEST = 37.0  # s.d.
_PATTERN = np.uint64(6)  # bits, so that words begin at one of 64 coins
_HASH = np.uint64(0x9E3779B97F4A7C15)

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
def compute_score(lower, upper):
    """Return the standard normal number that has these probabilities below and above it, at most 9.3 from 0."""
    z = compute_upper_normal(max(min(lower, upper), _LEAST_SCORED) * _TO_BITS, -0.5)
    return -z if lower < upper else z


@_sum_kernel
def multiply(x, y):
    """Return the sum of products."""
    total = 0.0
    for i in range(_ZERO, uint64(x.size)):
        total += x[i] * y[i]
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
def score_binding(label, valid, effect, lattice, counts, others, score, distance, coin):
    """Score binding effects by their place among the possible values, which a guide by their leading bits shortens.

    ``lattice`` holds the ``tables`` of :class:`yeastxr.checks.topic.BindingSteps`, and the level of each gene,
    which chooses a row of scores and distances.
    """
    guide, first_bits, shift, values, scores, distances, levels = lattice
    last = int32(guide.shape[1] - 2)
    bits = effect.view(np.int32)
    for g in range(label.size):
        if not valid[g]:
            score[g], distance[g], coin[g] = 0.0, 0.0, 0
            continue
        starts = guide[label[g]]
        slot = min(max((bits[g] - first_bits) >> shift, int32(0)), last)
        low, high = starts[slot], starts[slot + 1]
        while low < high:
            middle = (low + high) >> 1
            if values[middle] < effect[g]:
                low = middle + 1
            else:
                high = middle
        place = min(low, starts[last + 1] - 1)
        counts[place] += 1
        others[label[g]] += values[place] != effect[g]
        level = levels[g]
        score[g], distance[g], coin[g] = scores[level, place], distances[level, place], scores[level, place] > 0


@_contracted_kernel
def score_magnitudes(label, holds, valid, binding, effect, model, score, tail, bins, coin):
    """Score |effects| as standard normal numbers that have the places of folded normals in their distribution."""
    unbound_mean, unbound_std, bound_mean, bound_std, slope = model
    per_unbound, per_bound = 1.0 / unbound_std, 1.0 / bound_std
    for g in range(_ZERO, uint64(label.size)):
        magnitude = abs(float64(effect[g]))
        mean = abs(bound_mean + slope * float64(binding[g]) if label[g] & holds[g] else unbound_mean)
        per_std = per_bound if label[g] else per_unbound
        near = (magnitude - mean) * per_std
        x, y = min(abs(near), _WIDEST), min((magnitude + mean) * per_std, _WIDEST)
        p, q = compute_mills(x)
        p_far, q_far = compute_mills(y)
        both = 1.0 / (q * q_far)  # a division for two
        of_near, of_far = compute_density(x) * p * q_far * both, compute_density(y) * p_far * q * both
        upper = of_near + of_far if near > 0 else 1.0 - (of_near - of_far)
        lower = 1.0 - upper if near > 0 else of_near - of_far
        z = compute_score(lower, upper) if valid[g] else 0.0
        score[g] = z
        tail[g] = max(min(lower, upper), _LEAST)
        bins[g] = int32(max(0.0, min(lower * BINS, BINS - 1.0)))
        coin[g] = uint8(z > 0)


@compile_kernel
def count_magnitudes(label, holds, valid, binding, effect, centre, score, tail, bins, sums):
    """Add up a TF's scores by status; the lanes of ``sums``, ``[lane, status, sum]``, are four genes."""
    counts, far, nearest, lanes = sums
    for g in range(label.size):
        if not valid[g]:
            continue
        status = label[g] * (2 - holds[g])
        counts[status, bins[g]] += 1
        z, weight = score[g], float64(binding[g]) - centre
        lane = lanes[g & 3, status]
        lane[0] += abs(float64(effect[g]))
        lane[1] += z
        lane[2] += z * z
        lane[3] += weight
        lane[4] += weight * weight
        lane[5] += weight * z
        if tail[g] < _FAR_TAIL:
            end = int64(z > 0)
            far[status, end] += 1
            nearest[status, end] = min(nearest[status, end], tail[g])


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
            sum_part[g] += z[g]
            spread_part[g] += z[g] * z[g] if squared else others[g]
        totals[0] += multiply(z, ones[: z.size])
        totals[1] += multiply(z, z)
        products[0] += multiply(score[first : min(first + _PART, n - 1)], score[first + 1 : first + 1 + _PART])
        products[1] += multiply(before[part], z)
    weights[0] += totals[1] - score[-1] * score[-1]


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
    inexact, histogram, far, nearest, lanes = magnitudes
    magnitude_sums = (histogram, far, nearest, lanes)
    pvalue_counts, broken, extremes = pvalues
    bound_by_gene, valid_by_gene, sums, spreads, products, weights, totals, scores = genes
    n_tfs, n_genes = label.shape
    kinds = len(sums)
    coins = np.zeros((kinds + 1, 64 * label_words.shape[1]), np.uint8)
    distance, tail, ones = np.zeros(n_genes), np.empty(n_genes), np.ones(_PART)
    bins = np.empty(n_genes, np.int32)
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
            score_magnitudes(
                responsive[t], applies[t], valid[t], effect, response, model, score[1], tail, bins, coins[_MAGNITUDE]
            )
            count_magnitudes(
                responsive[t], applies[t], valid[t], effect, response, centre, score[1], tail, bins, magnitude_sums
            )
        if has_means:
            inexact[0] += count_inexact(responsive[t], applies[t], valid[t], effect, response, model)
        for kind in range(kinds):
            if kind == _BINDING:
                score_binding(
                    label[t], valid[t], effect, lattice, lattice_counts, others, score[kind], distance, coins[kind]
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
def cut_words(words, n_bits, zeros, out):
    """Fill ``out`` with the 64 bits behind each pattern in rows of packed bits, such that the first of them is 0.

    The pattern is a bit that differs from the next, which is followed by five equal ones, so inverted bits match, too.
    Words are kept whose hash begins with ``zeros`` bits of 0. Returns how many they are; if there is no room for all,
    the others are not filled in.
    """
    n = 0
    for i in range(len(words)):
        row, last = words[i], uint64(words.shape[1] - 1)
        for w in range(_ZERO, last + _ONE):
            word = row[w]
            following = row[w + _ONE] if w < last else _ZERO
            changes = word ^ (word >> _ONE | following << _63)
            changes_following = following ^ (following >> _ONE)
            later = _ZERO
            for k in range(_ONE, _PATTERN):
                later |= changes >> k | changes_following << (_64 - k)
            starts = changes & ~later
            while starts:
                bit = w * _64 + count_bits((starts & (~starts + _ONE)) - _ONE) + _PATTERN
                starts &= starts - _ONE
                if bit + _64 <= n_bits:
                    at, shift = bit >> _6, bit & _63
                    word = row[at] >> shift
                    if shift:
                        word |= row[at + _ONE] << (_64 - shift)
                    word = ~word if word & _ONE else word
                    if zeros == 0 or (word * _HASH) >> (_64 - zeros) == 0:
                        if n < out.size:
                            out[n] = word
                        n += 1
    return n
