"""Numba kernels that count and describe cells in one pass over planes of features in rows; a row holds a TF's genes.

A row is sorted by group, which is the code of a pair's status, so that each group is one run of memory and a vector
loop. Moments are sums of one row in one order, so they have the same bits however a dataset is cut and whichever
thread comes first; counts are integers. No fastmath.
"""

import numpy as np
from numba import float64, int32, uint32, uint64

from yeastxr._utils import compile_kernel, inline_kernel

_NO_SIGN, _INFINITE = np.int32(0x7FFFFFFF), np.int32(0x7F800000)  # of the bits of a float32
_31 = np.int32(31)
_ZERO, _ONE = np.uint64(0), np.uint64(1)
_LANES = 64


@inline_kernel
def correct_slot(value, slot, guards):
    """Return the slot of a value, given one that may be too high; ``guards[s]`` is where slot s begins."""
    while value < guards[slot]:
        slot -= _ONE
    return slot


@compile_kernel
def find_slots(values, axes, axis, out):
    """Fill ``out`` with slots that are correct or, by rounding, too high; on some axes bins widen as squares do."""
    lows, scales, shifts, lasts, roots, _ = axes
    low, scale, shift, last = lows[axis], scales[axis], shifts[axis], lasts[axis]
    n = uint64(values.size)
    if roots[axis]:
        for i in range(_ZERO, n):
            slot = np.sqrt(max(0.0, (float64(values[i]) - low) * scale)) + shift
            out[i] = uint32(int32(min(slot, last)))
    else:
        for i in range(_ZERO, n):
            slot = (float64(values[i]) - low) * scale + shift
            out[i] = uint32(int32(max(0.0, min(slot, last))))


@compile_kernel
def count_values(values, axes, axis, slots, out):
    """Add the values that are in each slot of an axis to ``out``; none of them is NaN."""
    find_slots(values, axes, axis, slots)
    guards = axes[-1][axis]
    for i in range(_ZERO, uint64(values.size)):
        out[correct_slot(float64(values[i]), uint64(slots[i]), guards)] += 1


@compile_kernel
def count_pairs(x, y, axes, x_slots, y_slots, out):
    """Add the pairs of values that are in each slot of the last two axes to ``out``; none of them is NaN."""
    y_axis = axes[0].size - 1
    x_axis = y_axis - 1
    find_slots(x, axes, x_axis, x_slots)
    find_slots(y, axes, y_axis, y_slots)
    x_guards, y_guards = axes[-1][x_axis], axes[-1][y_axis]
    for i in range(_ZERO, uint64(x.size)):
        row = correct_slot(float64(x[i]), uint64(x_slots[i]), x_guards)
        column = correct_slot(float64(y[i]), uint64(y_slots[i]), y_guards)
        out[row, column] += 1


@compile_kernel
def sort_by_group(code, order, starts):
    """Fill ``order`` with the cells of group 0, 1 and 2, each in order; group g begins at ``starts[g]``."""
    n = uint64(code.size)
    unbound, bound, inactive = _ZERO, _ZERO, _ZERO
    for i in range(_ZERO, n):  # bound cells wait behind all others, where there is room for them
        order[unbound] = uint32(i)
        order[n + bound] = uint32(i)
        is_bound = uint64(code[i] != 0)
        bound += is_bound
        unbound += _ONE - is_bound
        inactive += uint64(code[i] > 1)
    starts[0], starts[1], starts[2], starts[3] = 0, unbound, n - inactive, n
    at, later = unbound, uint64(n - inactive)
    for i in range(_ZERO, bound):
        cell = order[n + i]
        is_inactive = uint64(code[cell] > 1)
        order[later if is_inactive else at] = cell
        later += is_inactive
        at += _ONE - is_inactive


@compile_kernel
def select_finite(values, ends, scratch, beside, counts, finite_ends):
    """Return the finite values of runs that end at ``ends``, and fill ``finite_ends`` with the ends of their runs.

    The others are counted: infinite ones and NaN in ``beside[run]``, infinite ones in ``counts[run, slot]``, too.
    Returns the values themselves where all are finite, else what of ``scratch`` they are copied to.
    """
    bits = values.view(np.int32)
    others = int32(0)
    for i in range(_ZERO, uint64(values.size)):
        others += int32((bits[i] & _NO_SIGN) >= _INFINITE)
    if others == 0:
        finite_ends[:] = ends
        return values
    n, start = 0, 0
    for run in range(ends.size):
        for i in range(start, ends[run]):
            value = values[i]
            if value != value:
                beside[run, 1] += 1
            elif (bits[i] & _NO_SIGN) == _INFINITE:
                beside[run, 0] += 1
                counts[run, counts.shape[1] - 1 if value > 0 else 0] += 1
            else:
                scratch[n] = value
                n += 1
        start, finite_ends[run] = ends[run], n
    return scratch[:n]


@inline_kernel
def order_bits(bits):
    """Turn the bits of a float32 into an integer that is ordered as the values are, and back."""
    return int32(bits ^ ((bits >> _31) & _NO_SIGN))


@compile_kernel
def describe(values, lanes, integers, numbers):
    """Set ``integers`` to n and how many are above 0, ``numbers`` to mean, variance, least and most of finite values.

    Deviations from the first value are summed in lanes, float64 ``[2, lane]``, which makes vector loops of sums in a
    fixed order. A value of the sample is never further from the mean than sqrt(n) s.d., so that the difference of the
    sums loses no more than n times the rounding of one.
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
        key = order_bits(bits[i])
        low, high = min(low, key), max(high, key)
        positive += int32(bits[i] > int32(0))
    centre = float64(values[0])
    sums, squares = lanes[0], lanes[1]
    sums[:], squares[:] = 0.0, 0.0
    width = uint64(sums.size)
    for start in range(_ZERO, n, width):
        for lane in range(_ZERO, min(width, n - start)):
            deviation = float64(values[start + lane]) - centre
            sums[lane] += deviation
            squares[lane] += deviation * deviation
    total = square = 0.0
    for lane in range(_ZERO, width):
        total += sums[lane]
        square += squares[lane]
    shift = total / float64(n)
    integers[1] = positive
    numbers[0] = centre + shift
    numbers[1] = max(0.0, square / float64(n) - shift * shift)
    numbers[2] = float64(np.int32(order_bits(low)).view(np.float32)) + 0.0  # -0 becomes 0
    numbers[3] = float64(np.int32(order_bits(high)).view(np.float32)) + 0.0


@compile_kernel
def take_magnitudes(x, y, signed):
    """Replace pairs of values by their absolute values, signed ones of y alone; return how many pairs have a NaN."""
    missing = int32(0)
    for i in range(_ZERO, uint64(x.size)):
        x[i], y[i] = x[i] if signed else abs(x[i]), abs(y[i])
        missing += int32((x[i] != x[i]) | (y[i] != y[i]))
    return missing


@compile_kernel
def drop_missing(x, y, x_out, y_out):
    """Copy the pairs of values neither of which is NaN."""
    n = 0
    for i in range(x.size):
        if x[i] == x[i] and y[i] == y[i]:
            x_out[n], y_out[n] = x[i], y[i]
            n += 1
    return x_out[:n], y_out[:n]


@compile_kernel
def tally(code, planes, n_planes, quantities, pair, axes, counts, beside, pairs, pairs_missing, table):
    """Add the cells of some rows to counts, and describe each row where the table has room for it.

    ``code`` is the group of each cell, uint8 ``[row, cell]``, and ``planes`` the features, of which ``n_planes`` are
    read. ``quantities`` says which plane a quantity is of, and whether it is the magnitude: int64 ``[quantity, 2]``,
    magnitudes last. ``counts`` is ``[group, quantity, slot]``, ``beside`` ``[group, quantity, (infinite, NaN)]``,
    ``pairs`` ``[group, x slot, y slot]``, of the magnitudes of the two planes in ``pair``, which are -1 for no pairs;
    the third number in it says whether the first plane keeps its sign.
    The table holds ``cells`` ``[group, row]``, ``integers`` and ``numbers`` ``[statistic, quantity, label, row]``, and
    these two for the last quantity by group, ``[statistic, group, row]``.
    """
    cells, integers, numbers, group_integers, group_numbers = table
    n_quantities = len(quantities)
    described = integers.size > 0
    width = code.shape[1]
    order = np.empty(2 * width, np.uint32)
    starts = np.empty(4, np.int64)
    columns = np.empty((n_planes, width), np.float32)
    scratch = np.empty((2, width), np.float32)
    slots = np.empty((2, width), np.uint32)
    buffer = np.empty(2, np.int64)
    lanes = np.empty((2, _LANES))
    for r in range(len(code)):
        sort_by_group(code[r], order, starts)
        if described:
            for group in range(3):
                cells[group, r] = starts[group + 1] - starts[group]
        for label in range(2):
            groups = slice(label, 1 + 2 * label)
            first = starts[label]
            ends = starts[label + 1 : 2 + 2 * label] - first
            finite_ends = buffer[: ends.size]
            n = ends[-1]
            for p in range(n_planes):
                column, row = columns[p], planes[p][r]
                for i in range(_ZERO, uint64(n)):
                    column[i] = row[order[uint64(first) + i]]
            for q in range(n_quantities):
                column = columns[quantities[q, 0], :n]
                if quantities[q, 1]:
                    for i in range(_ZERO, uint64(n)):
                        column[i] = abs(column[i])
                values = select_finite(column, ends, scratch[0], beside[groups, q], counts[groups, q], finite_ends)
                if described:
                    describe(values, lanes, integers[:, q, label, r], numbers[:, q, label, r])
                start = 0
                for k in range(ends.size):
                    group, run = label + k, values[start : finite_ends[k]]
                    start = finite_ends[k]
                    count_values(run, axes, q, slots[0], counts[group, q])
                    if described and q == n_quantities - 1:
                        if run.size == values.size:
                            group_integers[:, group, r] = integers[:, q, label, r]
                            group_numbers[:, group, r] = numbers[:, q, label, r]
                        else:
                            describe(run, lanes, group_integers[:, group, r], group_numbers[:, group, r])
            if pair[0] >= 0:
                start = 0
                for k in range(ends.size):
                    x, y = columns[pair[0], start : ends[k]], columns[pair[1], start : ends[k]]
                    start = ends[k]
                    missing = take_magnitudes(x, y, pair[2] != 0)
                    if missing:
                        pairs_missing[label + k] += missing
                        x, y = drop_missing(x, y, scratch[0], scratch[1])
                    count_pairs(x, y, axes, slots[0], slots[1], pairs[label + k])
