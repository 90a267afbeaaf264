"""The law of draws: every value is a pure function of (seed, stream, gene position, TF position, replicate).

Plain arrays in and out. A counter-based generator, Philox4x32-10 (Salmon et al. 2011), is keyed by the seed and counts
(gene, TF, stream, replicate), so no value depends on chunks, workers, threads or on what was computed before.

Positions are given as arrays that broadcast against each other with the axes ``(..., gene, tf)``: replicates
``(..., 1, 1)``, genes ``(G, 1)``, TFs ``(T,)``. Large planes are cut into slabs of TFs that threads fill.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from yeastxr._blocks import cut_slabs
from yeastxr._utils import run_in_threads
from yeastxr.errors import InputError

SCHEME_VERSION = 1
_SLAB_CELLS = 1 << 17  # small enough for slabs to share out evenly, large enough to make a thread's call worth it


class Stream(IntEnum):
    """One stream of draws per variable and purpose; the numbers are part of the law."""

    LABEL = 0
    BINDING_EFFECT = 1
    BINDING_PVALUE = 2
    PERTURBATION_EFFECT = 3
    PERTURBATION_PVALUE = 4
    SPLIT = 5
    SHUFFLE = 6
    SHUFFLE_BLOCKS = 7


class Positions(NamedTuple):
    """Where a block lies: replicate ``(..., 1, 1)``, gene ``(G, 1)`` and TF ``(T,)`` positions, or more leading 1s."""

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
    """Return the four words of Philox4x32-10 for each counter.

    Parameters
    ----------
    counters
        Shape (n, 4), uint32: gene, TF, stream and replicate of each.
    seed
        The key, in [0, 2**64).

    Returns
    -------
    numpy.ndarray
        Shape (n, 4), uint32.
    """
    from yeastxr.simulation import kernels

    counters = np.ascontiguousarray(counters, np.uint32)
    out = np.empty(counters.shape, np.uint32)
    kernels.philox_words(counters, *split_seed(seed), out)
    return out


def draw_keys(positions: np.ndarray, *, stream: Stream, seed: int, epoch: int = 0) -> np.ndarray:
    """Return a random key for each of some positions, to put them in an order that depends on nothing else.

    Parameters
    ----------
    positions
        Shape (n,), integers in [0, 2**64).
    stream, seed, epoch
        What the order is for, the key, and which order it is.

    Returns
    -------
    numpy.ndarray
        Shape (n,), uint64.
    """
    counters = np.empty((len(positions), 4), np.uint32)
    where = positions.astype(np.uint64)
    counters[:, 0], counters[:, 1] = where & 0xFFFFFFFF, where >> 32
    counters[:, 2], counters[:, 3] = int(stream), epoch
    words = compute_philox_words(counters, seed).astype(np.uint64)
    return (words[:, 0] << 32) | words[:, 1]


def find_label_limits(
    bound_counts: np.ndarray, *positions: np.ndarray, seed: int, genes: int, threads: int = 1
) -> np.ndarray:
    """Return, for each TF, the key below which exactly ``bound_counts`` of ``genes`` genes lie.

    A pair's key is a word of 32 random bits with the gene's position behind it, so keys of a TF never tie and the count
    is exact; ranking by position where two words are equal (once in 2**32 pairs) is all that it costs.

    Parameters
    ----------
    bound_counts
        How many genes each TF binds, ``(..., 1, T)``.
    *positions
        Replicate ``(..., 1, 1)`` and TF ``(..., 1, T)`` positions.
    seed, genes
        The seed, and how many genes there are in all.
    threads
        How many threads may work on it.

    Returns
    -------
    numpy.ndarray
        Shape ``(..., 1, T)``, uint64.
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
        kernels.label_limits(
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
    return _fill("labels", np.bool_, Stream.LABEL, positions, per_tf=[limits], seed=seed, threads=threads)


def draw_label_columns(bound_counts: np.ndarray, *positions: np.ndarray, seed: int, threads: int = 1) -> np.ndarray:
    """Return labels, bool ``(..., G, T)``, of a block with all genes, given how many each TF binds ``(..., 1, T)``."""
    counts = bound_counts.astype(np.int64)
    return _fill("label_columns", np.bool_, Stream.LABEL, positions, per_tf=[counts], seed=seed, threads=threads)


def draw_binding_effects(
    label: np.ndarray,
    *positions: np.ndarray,
    hops: tuple[int, ...],
    totals: tuple[float, float, float],
    seed: int,
    threads: int = 1,
) -> np.ndarray:
    """Return binding effects, float32 ``(..., G, T)``; see :func:`yeastxr.simulation.kernels.binding_effects`."""
    stream = Stream.BINDING_EFFECT
    return _fill(
        "binding_effects",
        np.float32,
        stream,
        positions,
        planes=[label],
        numbers=[hops, totals],
        seed=seed,
        threads=threads,
    )


def compute_abs_quantiles(values: np.ndarray, *, fraction: float, threads: int = 1) -> np.ndarray:
    """Return the quantile of ``|values|`` over genes for each TF, linear between order statistics.

    Parameters
    ----------
    values
        Shape ``(..., G, T)``, float32.
    fraction
        Which quantile, in [0, 1].
    threads
        How many threads may work on it.

    Returns
    -------
    numpy.ndarray
        Shape ``(..., 1, T)``, float64.

    Raises
    ------
    InputError
        If a value is NaN, which has no place in an order.
    """
    from yeastxr.simulation import kernels

    lead, tfs = values.shape[:-2], values.shape[-1]
    out = np.empty((*lead, 1, tfs), np.float64)
    columns = values.swapaxes(-1, -2)

    def fill(part: tuple[tuple[int, ...], slice]) -> None:
        index, some = part
        if kernels.abs_quantiles(np.ascontiguousarray(columns[index][some]), fraction, out[index][0, some]):
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
    return _fill(
        "pvalues",
        np.float32,
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
    adjusted: np.ndarray,
    effect: np.ndarray,
    *positions: np.ndarray,
    numbers: tuple[float, float, float, float, float],
    seed: int,
    threads: int = 1,
) -> np.ndarray:
    """Return perturbation effects, float32 ``(..., G, T)``; see the kernel of that name."""
    return _fill(
        "perturbation_effects",
        np.float32,
        Stream.PERTURBATION_EFFECT,
        positions,
        planes=[label, adjusted, effect],
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
    return _fill(
        "perturbation_effects_from_means",
        np.float32,
        Stream.PERTURBATION_EFFECT,
        positions,
        planes=[label, mean],
        numbers=[stds],
        seed=seed,
        threads=threads,
    )


def _fill(
    kernel: str,
    dtype: Any,
    stream: Stream,
    positions: tuple[np.ndarray, ...],
    *,
    seed: int,
    threads: int,
    planes: Sequence[np.ndarray] = (),
    per_tf: Sequence[np.ndarray] = (),
    numbers: Sequence[Any] = (),
) -> np.ndarray:
    """Run a kernel over a block, slab of TFs by slab of TFs.

    ``planes`` are arrays ``(..., G, T)``, ``per_tf`` arrays ``(..., 1, T)``; ``numbers`` reach the kernel as they are.
    The result lies TF-major in memory, as kernels want it: where an input does, too, it is not copied.
    """
    from yeastxr.simulation import kernels

    run = getattr(kernels, kernel)
    where = Positions(*positions)
    shape = np.broadcast_shapes(where.shape, *(array.shape for array in (*planes, *per_tf)))
    lead_shape, genes, tfs = shape[:-2], shape[-2], shape[-1]
    replicates = np.broadcast_to(where.replicate[..., 0, 0], lead_shape)
    gene_positions = where.gene.reshape(-1).astype(np.uint32)
    tf_positions = where.tf.reshape(-1).astype(np.uint32)
    columns = [_expanded(array, shape).swapaxes(-1, -2) for array in planes]
    per_tf = [_expanded(array, (*lead_shape, 1, tfs)) for array in per_tf]
    out = np.empty((*lead_shape, tfs, genes), dtype)

    def fill(part: tuple[tuple[int, ...], slice]) -> None:
        lead, some = part
        run(
            *split_seed(seed),
            np.uint64(replicates[lead]),
            np.uint64(stream),
            gene_positions,
            tf_positions[some],
            *(np.ascontiguousarray(array[lead][some]) for array in columns),
            *(np.ascontiguousarray(array[lead][0, some]) for array in per_tf),
            *numbers,
            out[lead][some],
        )

    run_in_threads(fill, list(cut_slabs(lead_shape, genes, tfs, _SLAB_CELLS)), threads)
    return out.swapaxes(-1, -2)


def _expanded(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Broadcast an array that needs it; a view would be read-only, and compiled for once more, so not without need."""
    return array if array.shape == shape else np.broadcast_to(array, shape)
