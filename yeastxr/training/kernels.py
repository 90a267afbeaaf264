"""Kernels in numba between planes of features, TF-major, and rows of tensors, gene-major."""

import numpy as np
from llvmlite import ir
from numba import types, uint64
from numba.extending import intrinsic

from yeastxr._utils import compile_kernel, inline_kernel


@intrinsic
def store_past_cache(typingctx, array, index, word):
    """Store 64 bits at an item of a float32 array, without reading the line of cache that it overwrites."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        at = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(64).as_pointer())
        store = builder.store(arguments[2], at, align=4)
        store.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)]))
        return context.get_dummy_value()

    return types.void(array, index, word), generate


@inline_kernel
def pair(low, high):
    """Return the bits of two float32 side by side."""
    return uint64(low) | (uint64(high) << uint64(32))


@compile_kernel
def interleave(label, planes, genes, tfs, first, last, out):
    """Fill ``out[g, 5 * t + i]`` with feature i, for the TFs from ``first`` to before ``last`` of ``tfs``.

    ``label`` is uint8 ``[tf, gene]``, ``planes`` the bits of the other four features; all are given flat. A tile is
    gathered in the cache, two TFs and so five words of 64 bits at a time, then streamed to the rows.
    """
    # Unsigned numbers throughout: an index that could be negative costs a test.
    one, two, three, four, five = uint64(1), uint64(2), uint64(3), uint64(4), uint64(5)
    tile_tfs, tile_genes = uint64(64), uint64(256)
    true = uint64(0x3F800000)  # the bits of 1.0
    effect, pvalue, response, response_pvalue = planes
    genes, width = uint64(genes), uint64(tfs) * five
    words = tile_tfs // two * five
    tile = np.empty(tile_genes * words, np.uint64)
    floats = tile.view(np.float32)
    for t0 in range(uint64(first), uint64(last), tile_tfs):
        t1 = min(uint64(t0) + tile_tfs, uint64(last))
        for g0 in range(uint64(0), genes, tile_genes):
            n = min(tile_genes, genes - uint64(g0))
            for t in range(uint64(t0), t1, two):
                a = uint64(t) * genes + uint64(g0)
                b = a + genes if uint64(t) + one < t1 else a  # an odd last TF: its twin is not copied
                w = (uint64(t) - uint64(t0)) // two * five
                for i in range(uint64(0), n):
                    at, first_of, second_of = w + uint64(i) * words, a + uint64(i), b + uint64(i)
                    tile[at] = pair(uint64(label[first_of]) * true, effect[first_of])
                    tile[at + one] = pair(pvalue[first_of], response[first_of])
                    tile[at + two] = pair(response_pvalue[first_of], uint64(label[second_of]) * true)
                    tile[at + three] = pair(effect[second_of], pvalue[second_of])
                    tile[at + four] = pair(response[second_of], response_pvalue[second_of])
            count = (t1 - uint64(t0)) * five
            for i in range(uint64(0), n):
                to, of = (uint64(g0) + uint64(i)) * width + uint64(t0) * five, uint64(i) * words
                for x in range(uint64(0), count // two):
                    store_past_cache(out, to + two * uint64(x), tile[of + uint64(x)])
                if count % two:
                    out[to + count - one] = floats[two * of + count - one]


@compile_kernel
def scatter(plane, rows, out):
    """Copy ``plane[tf, i]`` to ``out[rows[i], tf]``, for the samples whose row is not below 0."""
    tfs, samples = plane.shape
    for t0 in range(0, tfs, 16):
        t1 = min(t0 + 16, tfs)
        for i in range(samples):
            row = rows[i]
            if row >= 0:
                for t in range(t0, t1):
                    out[row, t] = plane[t, i]
