"""Numba kernels that put rows of tables into arrays by gene and TF. Import this module lazily."""

import numpy as np

from yeastxr._utils import compile_kernel


@compile_kernel
def keep_largest(genes, tfs, effects, pvalues, seen, best_effects, best_pvalues, kept):
    """Put rows into arrays; of the rows of a pair the one with the largest magnitude of the effect stays.

    Ties are broken by the smaller p-value, then by the earlier row; NaN loses to any number. Rows with a position below
    0 are left out. ``kept`` says which rows stayed at their time. Return how many rows are of a pair that was there
    already, and the first of them, or -1.
    """
    repeats, first = 0, -1
    for i in range(genes.size):
        gene, tf, effect, pvalue = genes[i], tfs[i], effects[i], pvalues[i]
        kept[i] = False
        if gene < 0 or tf < 0:
            continue
        if seen[gene, tf]:
            if repeats == 0:
                first = i
            repeats += 1
            old, old_pvalue = best_effects[gene, tf], best_pvalues[gene, tf]
            larger = abs(effect) > abs(old) or (np.isnan(old) and not np.isnan(effect))
            equal = abs(effect) == abs(old) or (np.isnan(old) and np.isnan(effect))
            smaller = pvalue < old_pvalue or (np.isnan(old_pvalue) and not np.isnan(pvalue))
            if not (larger or (equal and smaller)):
                continue
        seen[gene, tf] = True
        kept[i] = True
        best_effects[gene, tf] = effect
        best_pvalues[gene, tf] = pvalue
    return repeats, first


@compile_kernel
def add_values(genes, tfs, values, sums, counts):
    """Add the values of rows to sums by pair, and count them; NaN and positions below 0 are left out."""
    for i in range(genes.size):
        gene, tf, value = genes[i], tfs[i], values[i]
        if gene >= 0 and tf >= 0 and not np.isnan(value):
            sums[gene, tf] += value
            counts[gene, tf] += 1
