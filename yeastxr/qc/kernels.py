"""Kernels in numba that count and describe the cells of planes of features, TF-major, in one pass.

A TF's genes are sorted by group (0: unbound, 1: bound, 2: bound, and its conditions fail), so that each group is one
run of memory and a vector loop. Moments are sums of one column in one order, so they are the same bits however a
dataset is cut and whichever thread comes first; counts are integers. No fastmath.
"""

import numpy as np
from numba import float64, int32, int64, uint32, uint64

from yeastxr._utils import compile_kernel, inline_kernel

_NO_SIGN, _INFINITE = np.int32(0x7FFFFFFF), np.int32(0x7F800000)  # of the bits of a float32
_31 = np.int32(31)
_ZERO, _ONE, _LANES = np.uint64(0), np.uint64(1), np.uint64(8)
_X, _Y, _SIZE = 5, 6, 4  # axes: four features, the size of the perturbation effect, and the two of pairs
_BINDING, _PERTURBATION = 0, 2


@inline_kernel
def exact(value, place, guards):
    """Return the slot of a value, given one that may be too high; ``guards[s]`` is where slot s begins."""
    while value < guards[place]:
        place -= _ONE
    return place


@compile_kernel
def places(values, low, scale, shift, last, root, out):
    """Fill ``out`` with slots that are right or, by rounding, too high; ``root``: bins widen as squares do."""
    n = uint64(values.size)
    if root:
        for i in range(_ZERO, n):
            place = np.sqrt(max(0.0, (float64(values[i]) - low) * scale)) + shift
            out[i] = uint32(int32(min(place, last)))
    else:
        for i in range(_ZERO, n):
            place = (float64(values[i]) - low) * scale + shift
            out[i] = uint32(int32(max(0.0, min(place, last))))


@compile_kernel
def count(values, axes, axis, slots, out):
    """Add the values that are in each slot of an axis to ``out``; none of them is NaN."""
    lows, scales, shifts, lasts, roots, guards = axes
    places(values, lows[axis], scales[axis], shifts[axis], lasts[axis], roots[axis], slots)
    edges = guards[axis]
    for i in range(_ZERO, uint64(values.size)):
        out[exact(float64(values[i]), uint64(slots[i]), edges)] += 1


@compile_kernel
def count_pairs(x, y, axes, x_axis, y_axis, x_slots, y_slots, out):
    """Add the pairs of values that are in each slot of two axes to ``out``; none of them is NaN."""
    lows, scales, shifts, lasts, roots, guards = axes
    places(x, lows[x_axis], scales[x_axis], shifts[x_axis], lasts[x_axis], roots[x_axis], x_slots)
    places(y, lows[y_axis], scales[y_axis], shifts[y_axis], lasts[y_axis], roots[y_axis], y_slots)
    x_edges, y_edges = guards[x_axis], guards[y_axis]
    for i in range(_ZERO, uint64(x.size)):
        row = exact(float64(x[i]), uint64(x_slots[i]), x_edges)
        column = exact(float64(y[i]), uint64(y_slots[i]), y_edges)
        out[row, column] += 1


@compile_kernel
def count_flat(label, x, y, axes, absolute, out, missing):
    """Add flat cells by label to ``out[label, slot]``, or ``out[label, x slot, y slot]`` where there are two axes."""
    piece = 8192
    two = axes[0].size == 2
    buffers = np.empty((4, piece), np.float32)
    slots = np.empty((2, piece), np.uint32)
    for first in range(0, label.size, piece):
        ends = np.zeros(2, np.int64)
        for i in range(first, min(first + piece, label.size)):
            a, b = x[i], y[i]
            group = int64(label[i])
            if a != a or b != b:
                missing[group] += 1
            else:
                buffers[group, ends[group]] = abs(a) if absolute else a
                buffers[2 + group, ends[group]] = abs(b) if absolute else b
                ends[group] += 1
        for group in range(2):
            n = ends[group]
            a, b = buffers[group, :n], buffers[2 + group, :n]
            if two:
                count_pairs(a, b, axes, 0, 1, slots[0], slots[1], out[group])
            else:
                count(a, axes, 0, slots[0], out[group, :, 0])


@compile_kernel
def sort_by_group(code, order, starts):
    """Fill ``order`` with the genes of group 0, 1 and 2, each in order; group g begins at ``starts[g]``."""
    n = uint64(code.size)
    unbound, bound, failed = _ZERO, _ZERO, _ZERO
    for i in range(_ZERO, n):  # bound genes wait behind all others, where there is room for them
        order[unbound] = uint32(i)
        order[n + bound] = uint32(i)
        is_bound = uint64(code[i] != 0)
        bound += is_bound
        unbound += _ONE - is_bound
        failed += uint64(code[i] > 1)
    starts[0], starts[1], starts[2], starts[3] = 0, unbound, n - failed, n
    at, later = unbound, uint64(n - failed)
    for i in range(_ZERO, bound):
        gene = order[n + i]
        has_failed = uint64(code[gene] > 1)
        order[later if has_failed else at] = gene
        later += has_failed
        at += _ONE - has_failed


@compile_kernel
def finite(values, scratch, beside, counts):
    """Return the finite values, and count the others: infinite ones and NaN in ``beside``, infinite ones in slots, too.

    Returns the values themselves where all are finite, else what of ``scratch`` they are copied to.
    """
    bits = values.view(np.int32)
    others = int32(0)
    for i in range(_ZERO, uint64(values.size)):
        others += int32((bits[i] & _NO_SIGN) >= _INFINITE)
    if others == 0:
        return values
    n = 0
    for i in range(values.size):
        value = values[i]
        if value != value:
            beside[1] += 1
        elif (bits[i] & _NO_SIGN) == _INFINITE:
            beside[0] += 1
            counts[counts.size - 1 if value > 0 else 0] += 1
        else:
            scratch[n] = value
            n += 1
    return scratch[:n]


@inline_kernel
def ordered_bits(bits):
    """Turn the bits of a float32 into an integer that is ordered as the values are, and back."""
    return int32(bits ^ ((bits >> _31) & _NO_SIGN))


@compile_kernel
def describe(values, integers, numbers):
    """Set ``integers`` to n and how many are above 0, ``numbers`` to mean, variance, least and most of finite values.

    Deviations from the first value are summed in eight lanes. A value of the sample is never further from the mean than
    sqrt(n) s.d., so that the difference of the sums loses no more than n times the rounding of one.
    """
    n = uint64(values.size)
    integers[0] = n
    if n == 0:
        integers[1] = 0
        numbers[:] = np.nan
        return
    bits = values.view(np.int32)
    low, high, positive = _NO_SIGN, ~_NO_SIGN, int32(0)
    for i in range(_ZERO, n):
        key = ordered_bits(bits[i])
        low, high = min(low, key), max(high, key)
        positive += int32(bits[i] > int32(0))
    centre = float64(values[0])
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
    q0 = q1 = q2 = q3 = q4 = q5 = q6 = q7 = 0.0
    whole = n // _LANES * _LANES
    for i in range(_ZERO, whole, _LANES):
        k = uint64(i)
        d0 = float64(values[k]) - centre
        d1 = float64(values[k + uint64(1)]) - centre
        d2 = float64(values[k + uint64(2)]) - centre
        d3 = float64(values[k + uint64(3)]) - centre
        d4 = float64(values[k + uint64(4)]) - centre
        d5 = float64(values[k + uint64(5)]) - centre
        d6 = float64(values[k + uint64(6)]) - centre
        d7 = float64(values[k + uint64(7)]) - centre
        s0, s1, s2, s3, s4, s5, s6, s7 = s0 + d0, s1 + d1, s2 + d2, s3 + d3, s4 + d4, s5 + d5, s6 + d6, s7 + d7
        q0, q1, q2, q3 = q0 + d0 * d0, q1 + d1 * d1, q2 + d2 * d2, q3 + d3 * d3
        q4, q5, q6, q7 = q4 + d4 * d4, q5 + d5 * d5, q6 + d6 * d6, q7 + d7 * d7
    for i in range(whole, n):
        d0 = float64(values[i]) - centre
        s0 += d0
        q0 += d0 * d0
    shift = (((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))) / float64(n)
    square = (((q0 + q1) + (q2 + q3)) + ((q4 + q5) + (q6 + q7))) / float64(n)
    integers[1] = positive
    numbers[0] = centre + shift
    numbers[1] = max(0.0, square - shift * shift)
    numbers[2] = float64(np.int32(ordered_bits(low)).view(np.float32)) + 0.0  # -0 becomes 0
    numbers[3] = float64(np.int32(ordered_bits(high)).view(np.float32)) + 0.0


@compile_kernel
def without_nan(x, y, x_out, y_out):
    """Copy the pairs of values neither of which is NaN; returns how many there are."""
    n = 0
    for i in range(x.size):
        if x[i] == x[i] and y[i] == y[i]:
            x_out[n], y_out[n] = x[i], y[i]
            n += 1
    return n


@compile_kernel
def summarize(code, planes, axes, counts, beside, pairs, pairs_missing, cells, integers, numbers, by_group):
    """Add the cells of a slab of TFs to counts, and describe each TF.

    ``code`` is the group of each cell, uint8 ``[tf, gene]``, and ``planes`` the four features. ``counts`` is
    ``[group, quantity, slot]``, ``beside`` ``[group, quantity, (infinite, NaN)]``, ``pairs`` ``[group, x slot, y
    slot]``; ``cells`` is ``[group, tf]``; ``integers`` and ``numbers`` are ``[statistic, quantity, label, tf]``.
    ``by_group`` holds these two for the last quantity by group, ``[statistic, group, tf]``. Bound cells whose
    conditions fail are told apart in the last quantity and in pairs only; elsewhere group 2 stays empty.
    """
    tfs, genes = code.shape
    order = np.empty(2 * genes, np.uint32)
    starts = np.empty(4, np.int64)
    columns = np.empty((5, genes), np.float32)
    scratch = np.empty((2, genes), np.float32)
    slots = np.empty((2, genes), np.uint32)
    group_integers, group_numbers = by_group
    for t in range(tfs):
        sort_by_group(code[t], order, starts)
        for group in range(3):
            cells[group, t] = starts[group + 1] - starts[group]
        for label in range(2):
            first, last = starts[label], starts[3 if label else 1]
            n = last - first
            for q in range(4):
                column, plane = columns[q], planes[q][t]
                for i in range(_ZERO, uint64(n)):
                    column[i] = plane[order[uint64(first) + i]]
                values = finite(column[:n], scratch[0], beside[label, q], counts[label, q])
                count(values, axes, q, slots[0], counts[label, q])
                describe(values, integers[:, q, label, t], numbers[:, q, label, t])
            sizes = columns[_SIZE]
            for i in range(_ZERO, uint64(n)):
                sizes[i] = abs(columns[_PERTURBATION, i])
            for group in range(label, 1 + 2 * label):
                some = slice(starts[group] - first, starts[group + 1] - first)
                values = finite(sizes[some], scratch[0], beside[group, _SIZE], counts[group, _SIZE])
                count(values, axes, _SIZE, slots[0], counts[group, _SIZE])
                describe(values, group_integers[:, group, t], group_numbers[:, group, t])
                x, y = columns[_BINDING][some], sizes[some]
                for i in range(_ZERO, uint64(x.size)):
                    x[i] = abs(x[i])
                if integers[0, _BINDING, label, t] != n or integers[0, _PERTURBATION, label, t] != n:
                    known = without_nan(x, y, scratch[0], scratch[1])
                    pairs_missing[group] += x.size - known
                    x, y = scratch[0, :known], scratch[1, :known]
                count_pairs(x, y, axes, _X, _Y, slots[0], slots[1], pairs[group])
            if label and starts[2] < starts[3]:
                spilled = np.zeros(2, np.int64)
                values = finite(sizes[:n], scratch[0], spilled, np.zeros(2, np.int64))  # counted already, by group
                describe(values, integers[:, _SIZE, label, t], numbers[:, _SIZE, label, t])
            else:
                integers[:, _SIZE, label, t] = group_integers[:, label, t]
                numbers[:, _SIZE, label, t] = group_numbers[:, label, t]
