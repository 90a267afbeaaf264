"""The random-number scheme: every value is a pure function of (seed, stream, gene position, TF position, replicate).

Plain arrays in and out. A counter-based generator, Philox4x32-10 (Salmon et al. 2011), is keyed by the seed and counts
(gene, TF, stream, replicate), so no value depends on chunks, workers, threads or earlier computations.

Positions are given as arrays that broadcast against each other with the axes ``(..., gene, tf)``: replicates
``(..., 1, 1)``, genes ``(G, 1)``, TFs ``(T,)``. Large planes are cut into slabs of TFs that threads fill.
"""

import zlib
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from yeastxr._blocks import cut_slabs
from yeastxr._utils import run_in_threads
from yeastxr.errors import InputError
from yeastxr.simulation.parameters import LARGEST_NORMAL, fits_float32

SCHEME_VERSION = 1  # datasets store it as ``law_version``
_SLAB_CELLS = 1 << 17  # small enough for slabs to share out evenly, large enough to make a thread's call worth it


class Stream(IntEnum):
    """One stream of draws per variable and purpose; the numbers are part of the scheme."""

    LABEL = 0
    BINDING_EFFECT = 1
    BINDING_PVALUE = 2
    PERTURBATION_EFFECT = 3
    PERTURBATION_PVALUE = 4
    SPLIT = 5
    SHUFFLE = 6
    SHUFFLE_BLOCKS = 7


class Positions(NamedTuple):
    """The positions of a block: replicates ``(..., 1, 1)``, genes ``(G, 1)`` and TFs ``(T,)``, or more leading 1s."""

    replicate: np.ndarray
    gene: np.ndarray
    tf: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a block at these positions, ``(..., G, T)``."""
        return np.broadcast_shapes(self.replicate.shape, self.gene.shape, self.tf.shape)


def split_seed(seed: int) -> tuple[np.uint64, np.uint64]:
    """Split a 64-bit seed into Philox's two key words, the low one first."""
    return np.uint64(seed & 0xFFFFFFFF), np.uint64(seed >> 32)


def compute_philox_words(counters: np.ndarray, seed: int) -> np.ndarray:
    """Return the four words of Philox4x32-10, uint32 (n, 4), for counters (n, 4) of gene, TF, stream and replicate."""
    from yeastxr.simulation import kernels

    counters = np.ascontiguousarray(counters, np.uint32)
    out = np.empty(counters.shape, np.uint32)
    kernels.fill_philox_words(counters, *split_seed(seed), out)
    return out


def draw_keys(positions: np.ndarray, *, stream: Stream, seed: int, dim: str = "", epoch: int = 0) -> np.ndarray:
    """Return a random uint64 for each position (integers below 2**64), to sort them by; dims and epochs differ."""
    counters = np.empty((len(positions), 4), np.uint32)
    positions = positions.astype(np.uint64)
    counters[:, 0], counters[:, 1] = positions & 0xFFFFFFFF, positions >> 32
    counters[:, 2], counters[:, 3] = zlib.crc32(dim.encode()) << 8 & 0xFFFFFF00 | stream, epoch
    words = compute_philox_words(counters, seed).astype(np.uint64)
    return (words[:, 0] << 32) | words[:, 1]


def find_label_limits(
    bound_counts: np.ndarray, *positions: np.ndarray, seed: int, genes: int, threads: int = 1
) -> np.ndarray:
    """Return, for each TF, the key below which exactly ``bound_counts`` of ``genes`` genes lie, uint64 ``(..., 1, T)``.

    A pair's key is a word of 32 random bits followed by the gene's position, so keys of a TF never tie and the count is
    exact; genes are ranked by position where two words are equal (once in 2**32 pairs).
    """
    from yeastxr.simulation import kernels

    replicate, tf = positions
    shape = np.broadcast_shapes(replicate.shape, tf.shape, bound_counts.shape)
    replicates = np.broadcast_to(replicate[..., 0, 0], shape[:-2])
    gene_positions, tf_positions = np.arange(genes, dtype=np.uint32), tf.reshape(-1).astype(np.uint32)
    counts = np.broadcast_to(bound_counts, shape)
    out = np.empty(shape, np.uint64)

    def fill(part: tuple[tuple[int, ...], slice]) -> None:
        lead, tfs = part
        kernels.fill_label_limits(
            *split_seed(seed),
            np.uint64(replicates[lead]),
            np.uint64(Stream.LABEL),
            gene_positions,
            tf_positions[tfs],
            counts[lead][0, tfs].astype(np.int64),
            out[lead][0, tfs],
        )

    run_in_threads(fill, list(cut_slabs(shape[:-2], genes, shape[-1], _SLAB_CELLS)), threads)
    return out


def draw_labels(limits: np.ndarray, *positions: np.ndarray, seed: int, threads: int = 1) -> np.ndarray:
    """Return labels, bool ``(..., G, T)``: True where a pair's key lies below its TF's limit ``(..., 1, T)``."""
    return _fill_block("labels", Stream.LABEL, positions, per_tf=[limits], dtype=np.bool_, seed=seed, threads=threads)


def draw_label_columns(bound_counts: np.ndarray, *positions: np.ndarray, seed: int, threads: int = 1) -> np.ndarray:
    """Return labels, bool ``(..., G, T)``, of a block with all genes, given how many each TF binds ``(..., 1, T)``."""
    counts = bound_counts.astype(np.int64)
    return _fill_block(
        "label_columns", Stream.LABEL, positions, per_tf=[counts], dtype=np.bool_, seed=seed, threads=threads
    )


def draw_binding_effects(
    label: np.ndarray,
    *positions: np.ndarray,
    hops: tuple[int, ...],
    totals: tuple[float, float, float],
    seed: int,
    threads: int = 1,
) -> np.ndarray:
    """Return binding effects, float32 ``(..., G, T)``; see the kernel."""
    return _fill_block(
        "binding_effects",
        Stream.BINDING_EFFECT,
        positions,
        planes=[label],
        numbers=[hops, totals],
        seed=seed,
        threads=threads,
    )


def compute_abs_quantiles(values: np.ndarray, *, fraction: float, threads: int = 1) -> np.ndarray:
    """Return a quantile of ``|values|`` (float32 ``(..., G, T)``) over genes, float64 ``(..., 1, T)``; refuse NaN."""
    from yeastxr.simulation import kernels

    lead, tfs = values.shape[:-2], values.shape[-1]
    out = np.empty((*lead, 1, tfs), np.float64)
    columns = values.swapaxes(-1, -2)

    def fill(part: tuple[tuple[int, ...], slice]) -> None:
        index, slab = part
        if kernels.find_abs_quantiles(np.ascontiguousarray(columns[index][slab]), fraction, out[index][0, slab]):
            raise InputError("an effect is NaN; expected numbers, which have an order")

    run_in_threads(fill, list(cut_slabs(lead, values.shape[-2], tfs, _SLAB_CELLS)), threads)
    return out


def draw_pvalues(
    effect: np.ndarray,
    cutoffs: np.ndarray,
    *positions: np.ndarray,
    stream: Stream,
    upper: float,
    seed: int,
    threads: int = 1,
) -> np.ndarray:
    """Return p-values, float32 ``(..., G, T)``: uniform, and on [0, upper] where ``|effect| >= cutoffs``."""
    ceiling = np.float32(upper)
    if float(ceiling) > upper:
        ceiling = np.nextafter(ceiling, np.float32(0))
    return _fill_block(
        "pvalues",
        stream,
        positions,
        planes=[effect],
        per_tf=[cutoffs],
        numbers=[upper, ceiling],
        seed=seed,
        threads=threads,
    )


def draw_perturbation_effects(
    label: np.ndarray,
    active: np.ndarray,
    effect: np.ndarray,
    *positions: np.ndarray,
    numbers: tuple[float, ...],
    seed: int,
    threads: int = 1,
) -> np.ndarray:
    """Return perturbation effects, float32 ``(..., G, T)``; see the kernel."""
    return _fill_block(
        "perturbation_effects",
        Stream.PERTURBATION_EFFECT,
        positions,
        planes=[label, active, effect],
        numbers=[numbers],
        seed=seed,
        threads=threads,
    )


def draw_perturbation_effects_from_means(
    label: np.ndarray,
    mean: np.ndarray,
    *positions: np.ndarray,
    stds: tuple[float, float],
    seed: int,
    threads: int = 1,
) -> np.ndarray:
    """Return perturbation effects from given means, float32 ``(..., G, T)``; the means must be finite."""
    if not np.isfinite(mean).all():
        raise InputError("adjustment_function returned means that are not finite; expected a number for each pair")
    if not fits_float32(float(abs(mean).max()) + LARGEST_NORMAL * max(stds)):
        raise InputError("adjustment_function returned means that are too large for float32; expected smaller ones")
    return _fill_block(
        "perturbation_effects_from_means",
        Stream.PERTURBATION_EFFECT,
        positions,
        planes=[label, mean],
        numbers=[stds],
        seed=seed,
        threads=threads,
    )


def _fill_block(
    kernel: str,
    stream: Stream,
    positions: tuple[np.ndarray, ...],
    *,
    seed: int,
    threads: int,
    planes: Sequence[np.ndarray] = (),
    per_tf: Sequence[np.ndarray] = (),
    numbers: Sequence[Any] = (),
    dtype: Any = np.float32,
) -> np.ndarray:
    """Run a kernel over a block, one slab of TFs after another.

    ``planes`` are arrays ``(..., G, T)``, ``per_tf`` arrays ``(..., 1, T)``; ``numbers`` go to the kernel unchanged.
    The result is TF-major in memory, as the kernels need it: an input that is TF-major, too, is not copied.
    """
    from yeastxr.simulation import kernels

    run = getattr(kernels, f"fill_{kernel}")
    block = Positions(*positions)
    shape = np.broadcast_shapes(block.shape, *(array.shape for array in (*planes, *per_tf)))
    lead_shape, genes, tfs = shape[:-2], shape[-2], shape[-1]
    replicates = np.broadcast_to(block.replicate[..., 0, 0], lead_shape)
    gene_positions = block.gene.reshape(-1).astype(np.uint32)
    tf_positions = block.tf.reshape(-1).astype(np.uint32)
    columns = [_broadcast(array, shape).swapaxes(-1, -2) for array in planes]
    per_tf = [_broadcast(array, (*lead_shape, 1, tfs)) for array in per_tf]
    out = np.empty((*lead_shape, tfs, genes), dtype)

    def fill(part: tuple[tuple[int, ...], slice]) -> None:
        lead, slab = part
        run(
            *split_seed(seed),
            np.uint64(replicates[lead]),
            np.uint64(stream),
            gene_positions,
            tf_positions[slab],
            *(np.ascontiguousarray(array[lead][slab]) for array in columns),
            *(np.ascontiguousarray(array[lead][0, slab]) for array in per_tf),
            *numbers,
            out[lead][slab],
        )

    run_in_threads(fill, list(cut_slabs(lead_shape, genes, tfs, _SLAB_CELLS)), threads)
    return out.swapaxes(-1, -2)


def _broadcast(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Broadcast an array only if necessary: a broadcast view is read-only, for which numba compiles once more."""
    return array if array.shape == shape else np.broadcast_to(array, shape)
