"""The kernels of what extends the tutorial: hops from tables, responses, tests, measurements, missing values.

They follow the rules of :mod:`yeastxr.simulation.kernels`, with which they share columns and selection: only + - * /
sqrt and bit operations lead to a value, and planes are TF-major, ``[tf, gene]``. ``measurement`` is the number of a
measurement, shifted by 8 bits: what it does not share is drawn from streams with that number. Import this module
lazily.
"""

import numpy as np
from numba import float32, float64, int32, uint8, uint32, uint64

from yeastxr._utils import compile_kernel, inline_kernel
from yeastxr.simulation.draws import Stream
from yeastxr.simulation.kernels import (
    compute_upper_normal,
    compute_upper_tail,
    copy_magnitudes,
    draw_words,
    find_label_limit,
    find_quantile,
    run_philox,
    scale_word,
    set_labels,
    set_pvalues,
)

_BINDING, _PERTURBATION = np.uint64(Stream.BINDING), np.uint64(Stream.PERTURBATION)
_RESPONSE, _GENE_FACTOR, _MISSING = (
    np.uint64(Stream.RESPONSE),
    np.uint64(Stream.GENE_FACTOR),
    np.uint64(Stream.MISSING),
)
_MEASUREMENT, _NONE, _ALL_TFS = np.uint64(Stream.MEASUREMENT), np.uint64(0), np.uint64(0xFFFFFFFF)
_24, _26, _31 = np.uint32(24), np.uint32(26), np.uint64(31)
_SIGN, _REST = np.uint32(0x80000000), np.uint32(0x7FFFFFFF)
_GUIDE = np.uint64(257)  # the length of a level's guide
_NAN = np.float32(np.nan)


# Columns: all genes of one TF.


@compile_kernel
def set_gene_levels(k0, k1, genes, replicate, hop_levels, response_levels):
    """Fill the levels of genes: of the promoter's factor and of responsiveness, 0 to 63."""
    for g in range(genes.size):
        first, second, _, _ = run_philox(uint64(genes[g]), _NONE, _GENE_FACTOR, replicate, k0, k1)
        hop_levels[g] = uint8(uint32(first) >> _26)
        response_levels[g] = uint8(uint32(second) >> _26)


@compile_kernel
def set_table_counts(words, rows, table, out):
    """Fill a column of counts: how many thresholds of a gene's row are at most its word, and no more than the largest.

    A row of the guide says how many are for the word's top 8 bits, and at last how many there are; few words have more.
    """
    thresholds, guide, width = table
    width = uint64(width)
    for g in range(words.size):
        word, row = words[g], uint64(rows[g])
        count, last = uint64(guide[row * _GUIDE + uint64(word >> _24)]), uint64(guide[row * _GUIDE + uint64(256)])
        while count < last and thresholds[row * width + count] <= word:
            count += uint64(1)
        out[g] = int32(count)


@compile_kernel
def set_range_counts(words, first, n, out):
    """Fill a column of counts, uniform on ``n`` numbers from the first."""
    for g in range(words.size):
        out[g] = int32(first + scale_word(words[g], n))


@compile_kernel
def set_background_hops(words, levels, hops, out):
    """Fill a column of background hops, from their words; ``hops`` are :class:`yeastxr.simulation.extended.Hops`."""
    if hops.tabulated:
        set_table_counts(words, levels, hops.background, out)
    else:
        set_range_counts(words, float64(hops.ranges[0]), uint64(hops.ranges[1]), out)


@compile_kernel
def set_experiment_hops(words, label, levels, hops, rows, out):
    """Fill a column of experiment hops, from their words and the labels; ``rows`` is for the table's rows."""
    if hops.tabulated:
        step = uint8(hops.levels)
        for g in range(words.size):
            rows[g] = levels[g] + (step if label[g] else uint8(0))
        set_table_counts(words, rows, hops.experiment, out)
    else:
        unbound_first, unbound_n = float64(hops.ranges[2]), uint64(hops.ranges[3])
        bound_first, bound_n = float64(hops.ranges[4]), uint64(hops.ranges[5])
        for g in range(words.size):
            n = bound_n if label[g] else unbound_n
            first = bound_first if label[g] else unbound_first
            out[g] = int32(first + scale_word(words[g], n))


@compile_kernel
def set_enrichment(experiment, background, factors, out):
    """Fill a column of binding effects of hops."""
    factor, offset = factors
    for g in range(out.size):
        out[g] = float32(float64(experiment[g]) * factor / (float64(background[g]) + offset))


@compile_kernel
def set_table_pvalues(experiment, background, tails, out):
    """Fill a column of p-values of hops, which a table has for each of background and experiment hops."""
    table, first_background, first_experiment = tails
    width = uint64(table.shape[1])
    flat = table.reshape(-1)
    for g in range(out.size):
        row = uint64(background[g] - first_background)
        out[g] = flat[row * width + uint64(experiment[g] - first_experiment)]


@compile_kernel
def set_responses(k0, k1, genes, tf, replicate, label, levels, chances, words, out):
    """Fill a column of responses: word 0 lies below the threshold of the label and of the gene's level.

    ``words`` is a column to draw into: the loop that draws is vectorized.
    """
    tf = uint64(tf)
    thresholds, several = chances  # thresholds of unbound and then of bound pairs, by level
    for g in range(genes.size):
        words[g], _, _, _ = run_philox(uint64(genes[g]), tf, _RESPONSE, replicate, k0, k1)
    if several:
        step = uint64(thresholds.size // 2)
        for g in range(genes.size):
            at = uint64(levels[g]) + (step if label[g] else uint64(0))
            out[g] = uint64(words[g]) < thresholds[at]
    else:
        unbound, bound = thresholds[0], thresholds[1]
        for g in range(genes.size):
            out[g] = uint64(words[g]) < (bound if label[g] else unbound)


@compile_kernel
def set_missing_genes(k0, k1, genes, replicate, threshold, out):
    """Fill a column that says which genes are missing, for all TFs."""
    for g in range(genes.size):
        word, _, _, _ = run_philox(uint64(genes[g]), _ALL_TFS, _MISSING, replicate, k0, k1)
        out[g] = uint64(uint32(word)) < threshold


@compile_kernel
def set_missing(k0, k1, genes, tf, stream, replicate, gene_is_missing, threshold, out):
    """Fill a column that says which pairs are missing, those of missing genes among them."""
    tf = uint64(tf)
    for g in range(genes.size):
        word, _, _, _ = run_philox(uint64(genes[g]), tf, stream, replicate, k0, k1)
        out[g] = gene_is_missing[g] | (uint64(uint32(word)) < threshold)


@compile_kernel
def draw_batch_offset(k0, k1, tf, measurement, replicate, std):
    """Return what all effects of a TF in a measurement have in common."""
    high, low, signs, _ = run_philox(_NONE, uint64(tf), _MEASUREMENT | measurement, replicate, k0, k1)
    z = compute_upper_normal(uint64(uint32(high)), uint64(uint32(low)))
    return std * (-z if uint64(uint32(signs)) >> _31 else z)


@compile_kernel
def draw_response_words(k0, k1, genes, tf, measurement, replicate, words, shared):
    """Fill the words of a column of perturbation effects: all of the measurement, but for the sign of the effect."""
    draw_words(k0, k1, genes, tf, _PERTURBATION | measurement, replicate, words)
    if measurement != _NONE:
        draw_words(k0, k1, genes, tf, _PERTURBATION, replicate, shared)
        for g in range(genes.size):
            words[2, g] = (words[2, g] & _SIGN) | (shared[2, g] & _REST)


@compile_kernel
def set_means(active, effect, numbers, out):
    """Fill a column of means, float64: those of active pairs rise with the binding effect."""
    unbound_mean, _, bound_mean, _, slope = numbers
    for g in range(out.size):
        out[g] = bound_mean + slope * float64(effect[g]) if active[g] else unbound_mean


@compile_kernel
def set_signed_effects(words, responsive, mean, stds, negative_from, has_batch, offset, out):
    """Fill a column of perturbation effects, from words 0, 1 (a normal number) and 2 (signs).

    An effect is negative where the low 31 bits of word 2 are at least ``negative_from``; the offset is added to it.
    """
    unbound_std, bound_std = stds
    for g in range(out.size):
        z = compute_upper_normal(words[0, g], words[1, g])
        z = -z if words[2, g] & _SIGN else z
        std = bound_std if responsive[g] else unbound_std
        magnitude = abs(mean[g] + std * z)
        value = -magnitude if (words[2, g] & _REST) >= negative_from else magnitude
        out[g] = float32(value + offset if has_batch else value)


@compile_kernel
def set_tail_pvalues(effect, normal, out):
    """Fill a column of two-sided p-values: the probability that a normal number is at least as far from 0."""
    mean, std = normal
    if mean == 0.0:
        for g in range(out.size):
            tail = compute_upper_tail(abs(float64(effect[g])) / std)
            out[g] = float32(min(tail + tail, 1.0))
    else:
        for g in range(out.size):
            magnitude = abs(float64(effect[g]))
            above, below = compute_upper_tail((magnitude - mean) / std), compute_upper_tail((magnitude + mean) / std)
            out[g] = float32(min(above + below, 1.0))


# Planes: first the steps by hand.


@compile_kernel
def fill_hops(k0, k1, replicate, measurement, genes, tfs, label, hops, experiment, background):
    """Fill planes of experiment and background hops; a plane without rows is not wanted."""
    words, n = np.empty((4, genes.size), np.uint32), genes.size
    levels, other, rows = np.empty(n, np.uint8), np.empty(n, np.uint8), np.empty(n, np.uint8)
    set_gene_levels(k0, k1, genes, replicate, levels, other)
    if hops.levels == 1:
        levels[:] = 0
    for t in range(tfs.size):
        if background.shape[0] > 0:
            draw_words(k0, k1, genes, tfs[t], _BINDING, replicate, words)
            set_background_hops(words[1], levels, hops, background[t])
        if experiment.shape[0] > 0:
            draw_words(k0, k1, genes, tfs[t], _BINDING | measurement, replicate, words)
            set_experiment_hops(words[2], label[t], levels, hops, rows, experiment[t])


@compile_kernel
def fill_responses(k0, k1, replicate, measurement, genes, tfs, label, chances, out):
    """Fill a plane of responses, which measurements share."""
    levels, other = np.empty(genes.size, np.uint8), np.empty(genes.size, np.uint8)
    words = np.empty(genes.size, np.uint32)
    set_gene_levels(k0, k1, genes, replicate, other, levels)
    for t in range(tfs.size):
        set_responses(k0, k1, genes, tfs[t], replicate, label[t], levels, chances, words, out[t])


@compile_kernel
def fill_effects_from_means(
    k0, k1, replicate, measurement, genes, tfs, responsive, mean, negative_from, stds, batch_std, out
):
    """Fill a plane of perturbation effects from given means."""
    words, shared = np.empty((4, genes.size), np.uint32), np.empty((4, genes.size), np.uint32)
    for t in range(tfs.size):
        draw_response_words(k0, k1, genes, tfs[t], measurement, replicate, words, shared)
        offset = draw_batch_offset(k0, k1, tfs[t], measurement, replicate, batch_std)
        set_signed_effects(words, responsive[t], mean[t], stds, negative_from[t], batch_std > 0.0, offset, out[t])


@compile_kernel
def fill_tail_pvalues(k0, k1, replicate, measurement, genes, tfs, effect, normal, out):
    """Fill a plane of two-sided p-values of effects; nothing is drawn."""
    for t in range(tfs.size):
        set_tail_pvalues(effect[t], normal, out[t])


@compile_kernel
def fill_missing(k0, k1, replicate, measurement, genes, tfs, thresholds, out):
    """Fill a plane that says which pairs are missing; ``thresholds`` are those of genes and of pairs."""
    gene_is_missing = np.empty(genes.size, np.bool_)
    set_missing_genes(k0, k1, genes, replicate, thresholds[0], gene_is_missing)
    for t in range(tfs.size):
        set_missing(k0, k1, genes, tfs[t], _MISSING | measurement, replicate, gene_is_missing, thresholds[1], out[t])


# And all variables at once, in two parts, as conditions need the labels of other TFs.


@inline_kernel
def _choose_column(plane, t, spare):
    """Return a column of a plane, or a spare one if the plane is not wanted."""
    return plane[t] if plane.shape[0] > 0 else spare


@compile_kernel
def fill_extended_binding(
    k0,
    k1,
    replicate,
    measurement,
    genes,
    tfs,
    bound_counts,
    hops,
    factors,
    tails,
    fraction,
    limits,
    chances,
    label,
    effect,
    pvalue,
    experiment,
    background,
    responsive,
):
    """Fill planes of labels, binding effects, their p-values, hops and responses, with all genes."""
    n = genes.size
    shared, own, buffer = np.empty((4, n), np.uint32), np.empty((4, n), np.uint32), np.empty(n + 1, np.uint32)
    hop_levels, response_levels, rows = np.empty(n, np.uint8), np.empty(n, np.uint8), np.empty(n, np.uint8)
    spare_experiment, spare_background = np.empty(n, np.int32), np.empty(n, np.int32)
    set_gene_levels(k0, k1, genes, replicate, hop_levels, response_levels)
    if hops.levels == 1:
        hop_levels[:] = 0
    makes_pvalues, makes_effects = pvalue.shape[0] > 0, effect.shape[0] > 0
    for t in range(tfs.size):
        draw_words(k0, k1, genes, tfs[t], _BINDING, replicate, shared)
        set_labels(shared[0], genes, find_label_limit(shared[0], bound_counts[t], buffer), label[t])
        if responsive.shape[0] > 0:
            column = responsive[t]
            set_responses(k0, k1, genes, tfs[t], replicate, label[t], response_levels, chances, buffer[:n], column)
        words = shared
        if measurement != _NONE:
            draw_words(k0, k1, genes, tfs[t], _BINDING | measurement, replicate, own)
            words = own
        tests = makes_pvalues and tails[0].size > 0
        experiment_column = _choose_column(experiment, t, spare_experiment)
        background_column = _choose_column(background, t, spare_background)
        if makes_effects or tests or experiment.shape[0] > 0:
            set_experiment_hops(words[2], label[t], hop_levels, hops, rows, experiment_column)
        if makes_effects or tests or background.shape[0] > 0:
            set_background_hops(shared[1], hop_levels, hops, background_column)
        if makes_effects:
            set_enrichment(experiment_column, background_column, factors, effect[t])
        if tests:
            set_table_pvalues(experiment_column, background_column, tails, pvalue[t])
        elif makes_pvalues:
            cutoff = find_quantile(effect[t].view(np.uint32), fraction, buffer)
            set_pvalues(words, effect[t], cutoff, limits, pvalue[t])


@compile_kernel
def fill_extended_perturbation(
    k0,
    k1,
    replicate,
    measurement,
    genes,
    tfs,
    responsive,
    active,
    effect,
    negative_from,
    numbers,
    batch_std,
    tests,
    fraction,
    limits,
    missing,
    adjusted,
    response,
    pvalue,
):
    """Fill planes of perturbation effects and their p-values, and of adjusted pairs; p-values with all genes.

    ``numbers`` are those of :class:`yeastxr.simulation.adjustment.MeanModel`; ``missing`` holds the thresholds of genes
    and of pairs.
    """
    n = genes.size
    unbound_mean, unbound_std, _, bound_std, _ = numbers
    words, shared = np.empty((4, n), np.uint32), np.empty((4, n), np.uint32)
    bits, buffer, mean = np.empty(n, np.uint32), np.empty(n + 1, np.uint32), np.empty(n, np.float64)
    gene_is_missing, is_missing = np.empty(n, np.bool_), np.empty(n, np.bool_)
    has_missing = missing[0] > uint64(0) or missing[1] > uint64(0)
    if has_missing and response.shape[0] > 0:
        set_missing_genes(k0, k1, genes, replicate, missing[0], gene_is_missing)
    for t in range(tfs.size):
        if adjusted.shape[0] > 0:
            adjusted[t, :] = active[t]
        if response.shape[0] == 0:
            continue
        draw_response_words(k0, k1, genes, tfs[t], measurement, replicate, words, shared)
        offset = draw_batch_offset(k0, k1, tfs[t], measurement, replicate, batch_std)
        set_means(active[t], effect[t], numbers, mean)
        stds = (unbound_std, bound_std)
        set_signed_effects(words, responsive[t], mean, stds, negative_from[t], batch_std > 0.0, offset, response[t])
        if pvalue.shape[0] > 0 and tests:
            set_tail_pvalues(response[t], (unbound_mean, unbound_std), pvalue[t])
        elif pvalue.shape[0] > 0:
            copy_magnitudes(response[t], bits)
            cutoff = find_quantile(bits, fraction, buffer)
            set_pvalues(words, response[t], cutoff, limits, pvalue[t])
        if not has_missing:
            continue
        if missing[1] > uint64(0):
            set_missing(
                k0, k1, genes, tfs[t], _MISSING | measurement, replicate, gene_is_missing, missing[1], is_missing
            )
        else:
            is_missing[:] = gene_is_missing
        for g in range(n):
            response[t, g] = _NAN if is_missing[g] else response[t, g]
        if pvalue.shape[0] > 0:
            for g in range(n):
                pvalue[t, g] = _NAN if is_missing[g] else pvalue[t, g]
