"""Numba kernels that count and describe cells in one pass over planes of features in rows; a row holds a TF's genes.

A row is sorted by group, which is the code of a pair's status, so that each group is one run of memory and a vector
loop. Moments are sums of one row in one order, so they have the same bits however a dataset is cut and whichever
thread comes first; counts are integers. No fastmath.
"""

import numpy as np
from numba import float32, float64, int32, uint16, uint32, uint64

from yeastxr._utils import compile_kernel, inline_kernel

_NO_SIGN, _INFINITE = np.int32(0x7FFFFFFF), np.int32(0x7F800000)  # of the bits of a float32
_31 = np.int32(31)
_ZERO, _ONE, _TWO, _THREE, _FOUR = map(np.uint64, range(5))
_ZERO32, _15 = np.float32(0), np.int32(15)
_16, _32, _48 = np.uint64(16), np.uint64(32), np.uint64(48)
_SLOT, _DOUBTFUL = np.uint64(0x7FFF), np.uint64(0x8000800080008000)  # of one slot, and of four
_LANES = np.uint64(64)
_ROUNDS = np.uint64(4)  # of lanes between two stores of their sums
_STEP = _LANES * _ROUNDS
_PLANES = 4  # that are read together


@compile_kernel
def find_slots(values, axes, axis, out):
    """Fill ``out`` with the slots of values; those that may be too high, by rounding, have their first bit set.

    On some axes bins widen as squares do. A value that is often the commonest, the lower limit, is never in doubt.
    """
    lows, scales, shifts, margins, lasts, certain, roots, _ = axes
    low, scale, shift, margin, last = lows[axis], scales[axis], shifts[axis], margins[axis], lasts[axis]
    first, n = certain[axis], uint64(values.size)
    if roots[axis]:
        for i in range(_ZERO, n):
            position = np.sqrt(max(_ZERO32, (values[i] - low) * scale)) + shift
            slot = int32(min(position, last))
            doubtful = (position - float32(slot) < margin) & (values[i] != first)
            out[i] = uint16(slot | (int32(doubtful) << _15))
    else:
        for i in range(_ZERO, n):
            position = (values[i] - low) * scale + shift
            slot = int32(max(_ZERO32, min(position, last)))
            doubtful = (position - float32(slot) < margin) & (values[i] != first)
            out[i] = uint16(slot | (int32(doubtful) << _15))


@inline_kernel
def correct_slot(value, slot, guards):
    """Return the slot of a value, given what :func:`find_slots` says; ``guards[s]`` is where slot s begins."""
    slot = uint64(slot) & _SLOT
    while value < guards[slot]:
        slot -= _ONE
    return slot


@compile_kernel
def count_values(values, axes, axis, slots, out):
    """Add the values that are in each slot of an axis to ``out``; none of them is NaN.

    Neighbours are counted in two rows, ``out[0]`` and ``out[1]``: of equal values, each would wait for the one before.
    """
    find_slots(values, axes, axis, slots)
    guards, words = axes[-1][axis], slots.view(np.uint64)
    first, second = out[0], out[1]
    n = uint64(values.size)
    for w in range(_ZERO, n >> _TWO):
        word = words[w]
        if not word & _DOUBTFUL:  # nearly always: four slots at once, without a look at the values
            first[word & _SLOT] += 1
            second[word >> _16 & _SLOT] += 1
            first[word >> _32 & _SLOT] += 1
            second[word >> _48] += 1
            continue
        for i in range(_FOUR * w, _FOUR * (w + _ONE)):
            first[correct_slot(values[i], slots[i], guards)] += 1
    for i in range(n & ~_THREE, n):
        first[correct_slot(values[i], slots[i], guards)] += 1


@compile_kernel
def count_pairs(x, y, axes, x_slots, y_slots, out):
    """Add the pairs of values that are in each slot of the last two axes to ``out``; none of them is NaN."""
    y_axis = axes[0].size - 1
    x_axis = y_axis - 1
    find_slots(x, axes, x_axis, x_slots)
    find_slots(y, axes, y_axis, y_slots)
    x_guards, x_words = axes[-1][x_axis], x_slots.view(np.uint64)
    y_guards, y_words = axes[-1][y_axis], y_slots.view(np.uint64)
    n = uint64(x.size)
    for w in range(_ZERO, n >> _TWO):
        of_x, of_y = x_words[w], y_words[w]
        if not (of_x | of_y) & _DOUBTFUL:
            out[of_x & _SLOT, of_y & _SLOT] += 1
            out[of_x >> _16 & _SLOT, of_y >> _16 & _SLOT] += 1
            out[of_x >> _32 & _SLOT, of_y >> _32 & _SLOT] += 1
            out[of_x >> _48, of_y >> _48] += 1
            continue
        for i in range(_FOUR * w, _FOUR * (w + _ONE)):
            out[correct_slot(x[i], x_slots[i], x_guards), correct_slot(y[i], y_slots[i], y_guards)] += 1
    for i in range(n & ~_THREE, n):
        out[correct_slot(x[i], x_slots[i], x_guards), correct_slot(y[i], y_slots[i], y_guards)] += 1


@compile_kernel
def sort_by_group(code, order, starts):
    """Fill ``order`` with the cells of group 0, 1 and 2, each in order; group g begins at ``starts[g]``."""
    n = uint64(code.size)
    unbound, inactive = _ZERO, int32(0)
    for i in range(_ZERO, n):
        inactive += int32(code[i] > 1)
    inactive = uint64(inactive)
    for i in range(_ZERO, n):  # bound cells wait behind all others, where there is room for them
        order[n + i - unbound if code[i] else unbound] = uint32(i)
        unbound += uint64(code[i] == 0)
    starts[0], starts[1], starts[2], starts[3] = 0, unbound, n - inactive, n
    at, later = unbound, uint64(n - inactive)
    for i in range(_ZERO, n - unbound):
        cell = order[n + i]
        is_inactive = uint64(code[cell] > 1)
        order[later if is_inactive else at] = cell
        later += is_inactive
        at += _ONE - is_inactive


@compile_kernel
def take_cells(planes, n_planes, r, order, columns):
    """Fill columns with a row of each plane, its cells in an order."""
    n = uint64(columns.shape[1])
    if n_planes == _PLANES:  # at once, as the order is then read once
        row0, row1, row2, row3 = planes[0][r], planes[1][r], planes[2][r], planes[3][r]
        column0, column1, column2, column3 = columns[0], columns[1], columns[2], columns[3]
        for i in range(_ZERO, n):
            cell = uint64(order[i])
            column0[i], column1[i], column2[i], column3[i] = row0[cell], row1[cell], row2[cell], row3[cell]
        return
    for p in range(n_planes):
        row, column = planes[p][r], columns[p]
        for i in range(_ZERO, n):
            column[i] = row[uint64(order[i])]


@inline_kernel
def order_bits(bits):
    """Turn the bits of a float32 into an integer that is ordered as the values are, and back."""
    return int32(bits ^ ((bits >> _31) & _NO_SIGN))


@compile_kernel
def find_range(values):
    """Return the least and the largest value as ordered integers, and how many are above 0."""
    bits = values.view(np.int32)
    low, high, positive = _NO_SIGN, ~_NO_SIGN, int32(0)
    for i in range(_ZERO, uint64(values.size)):
        key = order_bits(bits[i])
        low, high = min(low, key), max(high, key)
        positive += int32(bits[i] > int32(0))
    return low, high, positive


@inline_kernel
def is_finite(extent):
    """Tell whether all values of a range are finite; NaN are beyond infinity, or below if their sign is set."""
    low, high, _ = extent
    return (low > order_bits(~_NO_SIGN | _INFINITE)) & (high < _INFINITE)


@compile_kernel
def select_finite(values, ends, out, beside, counts, finite_ends):
    """Return the finite values of runs that end at ``ends``, copied to ``out``; ``finite_ends`` are the ends of theirs.

    The others are counted: infinite ones and NaN in ``beside[run]``, infinite ones in ``counts[run, 0, slot]``, too.
    """
    bits = values.view(np.int32)
    n, start = 0, 0
    for run in range(ends.size):
        for i in range(start, ends[run]):
            value = values[i]
            if value != value:
                beside[run, 1] += 1
            elif (bits[i] & _NO_SIGN) == _INFINITE:
                beside[run, 0] += 1
                counts[run, 0, counts.shape[2] - 1 if value > 0 else 0] += 1
            else:
                out[n] = value
                n += 1
        start, finite_ends[run] = ends[run], n
    return out[:n]


@compile_kernel
def describe(values, extent, lanes, integers, numbers):
    """Set ``integers`` to n and how many are above 0, ``numbers`` to mean, variance, least and most of finite values.

    ``extent`` is their range. Deviations from the first value are summed in lanes, float64 ``[2, lane]``, which makes
    vector loops of sums in a fixed order. A value of the sample is never further from the mean than sqrt(n) s.d., so
    that the difference of the sums loses no more than n times the rounding of one.
    """
    n = uint64(values.size)
    integers[0] = n
    if n == 0:
        integers[1] = 0
        numbers[:] = np.nan
        return
    low, high, positive = extent
    centre = float64(values[0])
    sums, squares = lanes[0], lanes[1]
    sums[:], squares[:] = 0.0, 0.0
    whole = n - n % _STEP
    for start in range(_ZERO, whole, _STEP):
        for lane in range(_ZERO, _LANES):  # several at a time, in their order
            at = start + lane
            first, second = float64(values[at]) - centre, float64(values[at + _LANES]) - centre
            third = float64(values[at + _TWO * _LANES]) - centre
            fourth = float64(values[at + _TWO * _LANES + _LANES]) - centre
            sums[lane] = (((sums[lane] + first) + second) + third) + fourth
            squares[lane] = (((squares[lane] + first * first) + second * second) + third * third) + fourth * fourth
    for start in range(whole, n, _LANES):
        for lane in range(_ZERO, min(_LANES, n - start)):
            deviation = float64(values[start + lane]) - centre
            sums[lane] += deviation
            squares[lane] += deviation * deviation
    total = square = 0.0
    for lane in range(_ZERO, _LANES):
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
    slots = np.empty((2, (width + 3) // 4 * 4), np.uint16)
    buffer = np.empty(2, np.int64)
    lanes = np.empty((2, _LANES))
    rows = np.zeros((*counts.shape[:2], 2, counts.shape[2]), np.int64)  # see count_values
    for r in range(len(code)):
        sort_by_group(code[r], order, starts)
        take_cells(planes, n_planes, r, order, columns)
        if described:
            for group in range(3):
                cells[group, r] = starts[group + 1] - starts[group]
        for label in range(2):
            groups = slice(label, 1 + 2 * label)
            first, end = starts[label], starts[1 + 2 * label]
            ends = starts[label + 1 : 2 + 2 * label] - first
            finite_ends = buffer[: ends.size]
            for q in range(n_quantities):
                values = columns[quantities[q, 0], first:end]  # contiguous, for vector loops
                if quantities[q, 1]:
                    for i in range(_ZERO, uint64(values.size)):
                        values[i] = abs(values[i])
                finite_ends[:] = ends
                extent = find_range(values)
                if values.size and not is_finite(extent):
                    values = select_finite(values, ends, scratch[0], beside[groups, q], rows[groups, q], finite_ends)
                    extent = find_range(values)
                if described:
                    describe(values, extent, lanes, integers[:, q, label, r], numbers[:, q, label, r])
                start = 0
                for k in range(ends.size):
                    group, run = label + k, values[start : finite_ends[k]]
                    start = finite_ends[k]
                    count_values(run, axes, q, slots[0], rows[group, q])
                    if described and q == n_quantities - 1:
                        if run.size == values.size:
                            group_integers[:, group, r] = integers[:, q, label, r]
                            group_numbers[:, group, r] = numbers[:, q, label, r]
                        else:
                            extent = find_range(run)
                            describe(run, extent, lanes, group_integers[:, group, r], group_numbers[:, group, r])
            if pair[0] >= 0:
                start = first
                for k in range(ends.size):
                    end = first + ends[k]
                    x, y = columns[pair[0], start:end], columns[pair[1], start:end]
                    start = end
                    missing = take_magnitudes(x, y, pair[2] != 0)
                    if missing:
                        pairs_missing[label + k] += missing
                        x, y = drop_missing(x, y, scratch[0], scratch[1])
                    count_pairs(x, y, axes, slots[0], slots[1], pairs[label + k])
    for group in range(len(counts)):
        for q in range(n_quantities):
            for slot in range(counts.shape[2]):
                counts[group, q, slot] += rows[group, q, 0, slot] + rows[group, q, 1, slot]
