"""Numba kernels of the analysis, for columns: the genes of one TF each. Import this module lazily."""

import numpy as np

from yeastxr._utils import compile_kernel


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
