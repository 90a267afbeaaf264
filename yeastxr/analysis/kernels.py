"""Numba kernels of the analysis, for columns: the genes of one TF each. Import this module lazily."""

import numpy as np
from numba import float64, int64, uint64

from yeastxr._utils import compile_kernel, inline_kernel
from yeastxr.simulation.kernels import run_philox

_SLACK = 1e-9  # of the logarithm of a p-value: equal ones differ by rounding
_DENSE = 14  # genes of a step from which counting anew beats adding
_32 = np.uint64(32)


@inline_kernel
def scale_bits(high, low, n):
    """Scale 64 random bits to an integer in [0, n): the top of their product with n < 2**32, off by under n / 2**64."""
    return (high * n + ((low * n) >> _32)) >> _32


@compile_kernel
def trace_curves(scores, positives, negatives, fprs, recalls, out):
    """Fill rows of ``out`` with areas, their errors and curves, from rows of items in falling order of scores.

    An item counts positives and negatives; items of equal scores are one step of the curves. A row holds the area under
    the ROC curve and under the precision-recall curve, by how much items that hold both can change them, then the true
    positive rate and the threshold at each of ``fprs``, then the precision at each of ``recalls``; both rise.
    """
    n_fprs, n_recalls = fprs.size, recalls.size
    for row in range(scores.shape[0]):
        n_true, n_false = 0.0, 0.0
        for i in range(scores.shape[1]):
            n_true += positives[row, i]
            n_false += negatives[row, i]
        if n_true == 0.0 or n_false == 0.0:
            out[row, :] = np.nan
            continue
        area, average, area_error, average_error = 0.0, 0.0, 0.0, 0.0
        true, false = 0.0, 0.0
        at_fpr, at_recall = 0, 0
        threshold = np.inf
        i = 0
        while i < scores.shape[1]:
            before_true, before_false, value = true, false, scores[row, i]
            while i < scores.shape[1] and scores[row, i] == value:
                true += positives[row, i]
                false += negatives[row, i]
                i += 1
            more_true, more_false = true - before_true, false - before_false
            if more_true == 0.0 and more_false == 0.0:
                continue
            precision = true / (true + false)
            area += more_false * (before_true + true) / 2.0
            average += more_true * precision
            area_error += more_true * more_false / 2.0
            if more_true > 0.0:
                best, worst = true / (true + before_false), (before_true + 1.0) / (before_true + 1.0 + false)
                average_error += more_true * max(best - precision, precision - worst)
            while at_fpr < n_fprs and fprs[at_fpr] * n_false * (1.0 + 1e-12) < false:
                share = (fprs[at_fpr] * n_false - before_false) / more_false if more_false > 0.0 else 0.0
                out[row, 4 + at_fpr] = (before_true + max(share, 0.0) * more_true) / n_true
                out[row, 4 + n_fprs + at_fpr] = threshold
                at_fpr += 1
            threshold = value
            while at_recall < n_recalls and recalls[at_recall] * n_true <= true * (1.0 + 1e-12):
                out[row, 4 + 2 * n_fprs + at_recall] = precision
                at_recall += 1
        while at_fpr < n_fprs:
            out[row, 4 + at_fpr] = 1.0
            out[row, 4 + n_fprs + at_fpr] = threshold
            at_fpr += 1
        out[row, 0] = area / (n_true * n_false)
        out[row, 1] = average / n_true
        out[row, 2] = area_error / (n_true * n_false)
        out[row, 3] = average_error / n_true


@compile_kernel
def list_thresholds(n):
    """Return the ranks 1, ..., floor(1.01 T + 1), ... up to n."""
    ranks = np.empty(n, np.int64)
    count, rank = 0, int64(1)
    while rank <= n:
        ranks[count] = rank
        count += 1
        rank = int64(np.floor(float64(rank) * 1.01 + 1.0))
    return ranks[:count]


@inline_kernel
def compute_log_pmf(k, a, b, n, log_factorial):
    """Return the logarithm of the hypergeometric probability of an overlap k of sets of a and b of n items, a <= b."""
    return (
        log_factorial[a]
        - log_factorial[k]
        - log_factorial[a - k]
        + log_factorial[n - a]
        - log_factorial[b - k]
        - log_factorial[n - a - b + k]
        - log_factorial[n]
        + log_factorial[b]
        + log_factorial[n - b]
    )


@compile_kernel
def sum_tail(k, a, b, n, most):
    """Return P(overlap >= k) / P(overlap = k), exact if it is at most ``most``; otherwise something above that."""
    total, term = 1.0, 1.0
    x = float64(k)
    last = float64(min(a, b))
    while x < last and total <= most:
        ratio = (a - x) * (b - x) / ((x + 1.0) * (n - a - b + x + 1.0))
        term *= ratio
        total += term
        x += 1.0
        if ratio < 1.0 and term < 1e-16 * total * (1.0 - ratio):
            break
    return total


@compile_kernel
def find_least_pvalue(bins, ranks, log_factorial, counts, best):
    """Fill ``best`` with both thresholds, the overlap and log p of the pair of thresholds with the least p-value.

    ``bins`` holds, for genes in the order of the first ranking, the first threshold of the second that includes them.
    """
    n, n_ranks = bins.size, ranks.size
    counts[:] = 0
    best[0], best[1], best[2], best[3] = ranks[0], ranks[0], float64(bins[0] == 0), 0.0
    gene = 0
    for i in range(n_ranks):
        while gene < ranks[i]:
            for j in range(bins[gene], n_ranks):
                counts[j] += 1
            gene += 1
        for j in range(n_ranks):
            a, b, k = min(ranks[i], ranks[j]), max(ranks[i], ranks[j]), counts[j]
            if k <= max(int64(0), a + b - n):  # p is 1
                continue
            log_pmf = compute_log_pmf(k, a, b, n, log_factorial)
            if log_pmf < best[3] - _SLACK:
                log_p = log_pmf + np.log(sum_tail(k, a, b, n, np.exp(min(700.0, best[3] - log_pmf))))
                if log_p < best[3] - _SLACK:
                    best[0], best[1], best[2], best[3] = ranks[i], ranks[j], k, log_p


@compile_kernel
def fill_critical_overlaps(ranks, n, log_p, log_factorial, critical):
    """Fill ``critical[i, j]`` with the least overlap at thresholds i and j whose p-value is at most exp(log_p)."""
    goal = log_p + _SLACK
    for i in range(ranks.size):
        k = int64(1) if i == 0 else int64(critical[i, i - 1])
        for j in range(i, ranks.size):
            a, b = ranks[i], ranks[j]
            k = max(k, a + b - n + 1)
            while k <= a:
                log_pmf = compute_log_pmf(k, a, b, n, log_factorial)
                if log_pmf <= goal:
                    most = np.exp(min(700.0, goal - log_pmf))
                    if sum_tail(k, a, b, n, most) <= most:
                        break
                k += 1
            critical[i, j] = critical[j, i] = k


@compile_kernel
def reaches_critical(bins, ranks, critical, counts, fresh):
    """Return whether the overlap of some pair of thresholds is critical."""
    n_ranks = ranks.size
    counts[:] = 0
    gene = 0
    for i in range(n_ranks):
        if ranks[i] - gene > _DENSE:
            fresh[:] = 0
            while gene < ranks[i]:
                fresh[bins[gene]] += 1
                gene += 1
            more = fresh[0] * 0
            for j in range(n_ranks):
                more += fresh[j]
                counts[j] += more
        else:
            while gene < ranks[i]:
                including = counts[bins[gene] :]
                for j in range(including.size):
                    including[j] += 1
                gene += 1
        limits = critical[i]
        reached = np.int32(0)
        for j in range(n_ranks):
            reached += np.int32(counts[j] >= limits[j])
        if reached > 0:
            return True
    return False


@compile_kernel
def shuffle(k0, k1, key, stream, permutation, words, values):
    """Shuffle values in place (Fisher and Yates), by random bits that (seed, key, permutation) alone decide."""
    n = values.size
    for i in range(words.shape[0]):
        words[i, 0], words[i, 1], words[i, 2], words[i, 3] = run_philox(
            uint64(i), key, stream, uint64(permutation), k0, k1
        )
    for i in range(n - 1, 0, -1):
        pair = (i & 1) * 2
        j = int64(scale_bits(uint64(words[i >> 1, pair]), uint64(words[i >> 1, pair + 1]), uint64(i + 1)))
        values[i], values[j] = values[j], values[i]


@compile_kernel
def optimize_thresholds(order, rank, n_genes, keys, k0, k1, stream, permutations, log_factorial, out):
    """Fill rows of ``out`` with the best thresholds, their overlap, log p, and how many permutations are as good.

    A row of ``order`` lists the genes of one ranking, the same row of ``rank`` says where they are in the other one;
    those from ``n_genes`` on are missing in either.
    """
    best = np.empty(4)
    for row in range(order.shape[0]):
        n = n_genes[row]
        if n == 0:
            out[row, :] = np.nan
            continue
        ranks = list_thresholds(n)
        bin_of_rank = np.empty(n, np.int32)
        i = 0
        for r in range(n):
            if i < ranks.size and r >= ranks[i]:
                i += 1
            bin_of_rank[r] = i  # the number of thresholds, where none includes the rank
        bins = np.empty(n, np.int32)
        for g in range(n):
            bins[g] = bin_of_rank[rank[row, order[row, g]]]
        counts, fresh = np.empty(ranks.size, np.int32), np.empty(ranks.size + 1, np.int32)
        find_least_pvalue(bins, ranks, log_factorial, counts, best)
        reached = 0
        if permutations > 0:
            critical = np.empty((ranks.size, ranks.size), np.int32)
            fill_critical_overlaps(ranks, n, best[3], log_factorial, critical)
            words = np.empty((n // 2 + 1, 4), np.uint32)  # what lies above 32 bits is no part of a word
            for permutation in range(permutations):
                bins[:] = bin_of_rank
                shuffle(k0, k1, keys[row], stream, permutation, words, bins)
                reached += reaches_critical(bins, ranks, critical, counts, fresh)
        out[row, :4] = best
        out[row, 4] = reached
