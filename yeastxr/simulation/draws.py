"""The random-number scheme: every value is a pure function of (seed, stream, gene position, TF position, replicate).

Plain arrays in and out. A counter-based generator, Philox4x32-10 (Salmon et al. 2011), is keyed by the seed and counts
(gene, TF, stream, replicate), so no value depends on chunks, workers, threads or earlier computations. The number of a
measurement is in the high 24 bits of the stream's word.

Positions are arrays that broadcast against each other with the axes ``(..., gene, tf)``: replicates ``(..., 1, 1)``,
genes ``(G, 1)``, TFs ``(T,)``. Large planes are cut into slabs of TFs that threads fill.
"""

import zlib
from collections.abc import Callable, Sequence
from enum import IntEnum
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from yeastxr._blocks import cut_slabs
from yeastxr._utils import run_in_threads
from yeastxr.errors import InputError
from yeastxr.simulation.parameters import LARGEST_NORMAL, fits_float32

SCHEME_VERSION = 2  # stored in datasets as ``law_version``
Part = tuple[tuple[int, ...], slice]  # the leading index of a plane, and some of its TFs
FindPlane = Callable[[tuple[int, ...], slice], np.ndarray]  # a function from a part to an array [TF, gene]
_SLAB_CELLS = 1 << 17  # small enough to balance threads, large enough to amortize the call


class Stream(IntEnum):
    """One stream of random numbers per purpose; the numbers are part of the scheme. docs/design.md lists words."""

    BINDING = 0  # labels, hops, binding p-values
    PERTURBATION = 1  # normal numbers, signs, perturbation p-values
    RESPONSE = 2  # pairs that respond
    GENE_FACTOR = 3  # levels of genes: the promoter's factor, responsiveness
    TF_FACTOR = 4  # levels of TFs: the bound fraction
    SPLIT = 5
    SHUFFLE = 6
    SHUFFLE_BLOCKS = 7
    MISSING = 8  # missing values
    MEASUREMENT = 9  # offsets of measurements


class Positions(NamedTuple):
    """The positions of a block: replicates ``(..., 1, 1)``, genes ``(G, 1)`` and TFs ``(T,)``, or more leading 1s.

    Measurements have the shape of replicates; most random numbers have none, which means measurement 0.
    """

    replicate: np.ndarray
    gene: np.ndarray
    tf: np.ndarray
    measurement: np.ndarray = np.zeros((1, 1), np.int64)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the block, ``(..., G, T)``."""
        return np.broadcast_shapes(*(array.shape for array in self))


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
    """Return a random uint64 sort key for each position (integers below 2**64); dimensions and epochs differ."""
    counters = np.empty((len(positions), 4), np.uint32)
    positions = positions.astype(np.uint64)
    counters[:, 0], counters[:, 1] = positions & 0xFFFFFFFF, positions >> 32
    counters[:, 2], counters[:, 3] = zlib.crc32(dim.encode()) << 8 & 0xFFFFFF00 | stream, epoch
    words = compute_philox_words(counters, seed).astype(np.uint64)
    return (words[:, 0] << 32) | words[:, 1]


def find_label_limits(
    bound_counts: np.ndarray, *positions: np.ndarray, seed: int, genes: int, threads: int = 1
) -> np.ndarray:
    """Return the limit of each TF for exactly ``bound_counts`` of ``genes`` keys below it, uint64 ``(..., 1, T)``.

    Genes are ranked by keys of 32 random bits, with ties broken by position, so the count is exact.
    """
    replicate, tf, *measurement = positions
    return fill_block(
        "label_limits",
        (replicate, np.arange(genes)[:, None], tf, *measurement),
        stream=Stream.BINDING,
        is_shared=True,
        per_tf=[bound_counts.astype(np.int64)],
        dtypes=[np.uint64],
        reduces=True,
        seed=seed,
        threads=threads,
    )


def draw_labels(limits: np.ndarray, *positions: np.ndarray, seed: int, threads: int = 1) -> np.ndarray:
    """Return labels, bool ``(..., G, T)``: True where a pair's key lies below its TF's limit ``(..., 1, T)``."""
    return fill_block(
        "labels",
        positions,
        stream=Stream.BINDING,
        is_shared=True,
        per_tf=[limits],
        dtypes=[np.bool_],
        seed=seed,
        threads=threads,
    )


def draw_label_columns(bound_counts: np.ndarray, *positions: np.ndarray, seed: int, threads: int = 1) -> np.ndarray:
    """Return labels, bool ``(..., G, T)``, of a block with all genes, for numbers of bound genes ``(..., 1, T)``."""
    return fill_block(
        "label_columns",
        positions,
        stream=Stream.BINDING,
        is_shared=True,
        per_tf=[bound_counts.astype(np.int64)],
        dtypes=[np.bool_],
        seed=seed,
        threads=threads,
    )


def draw_binding_effects(
    label: np.ndarray,
    *positions: np.ndarray,
    hops: tuple[int, ...],
    factors: tuple[float, float],
    seed: int,
    threads: int = 1,
) -> np.ndarray:
    """Return binding effects, float32 ``(..., G, T)``; see the kernel."""
    return fill_block(
        "binding_effects",
        positions,
        stream=Stream.BINDING,
        planes=[label],
        numbers=[hops, factors],
        seed=seed,
        threads=threads,
    )


def compute_abs_quantiles(values: np.ndarray, *, fraction: float, threads: int = 1) -> np.ndarray:
    """Return quantiles of ``|values|`` (float32 ``(..., G, T)``) over genes, float64 ``(..., 1, T)``; raise for NaN."""
    from yeastxr.simulation import kernels

    lead, tfs = values.shape[:-2], values.shape[-1]
    out = np.empty((*lead, 1, tfs), np.float64)
    columns = values.swapaxes(-1, -2)

    def fill(part: Part) -> None:
        index, slab = part
        if not kernels.find_abs_quantiles(np.ascontiguousarray(columns[index][slab]), fraction, out[index][0, slab]):
            raise InputError("effects contain NaN; expected numbers, so that they can be ranked")

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
    return fill_block(
        "pvalues",
        positions,
        stream=stream,
        planes=[effect],
        per_tf=[cutoffs],
        numbers=[limit_pvalues(upper)],
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
    return fill_block(
        "perturbation_effects",
        positions,
        stream=Stream.PERTURBATION,
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
    """Return perturbation effects from finite means, float32 ``(..., G, T)``."""
    check_means(mean, *stds)
    return fill_block(
        "perturbation_effects_from_means",
        positions,
        stream=Stream.PERTURBATION,
        planes=[label, mean],
        numbers=[stds],
        seed=seed,
        threads=threads,
    )


def check_means(mean: np.ndarray, *stds: float) -> None:
    """Raise if means of a user-defined rule are not finite, or too large for effects in float32."""
    if not np.isfinite(mean).all():
        raise InputError(
            "adjustment_function returned means that are not finite; expected a finite number for each pair"
        )
    if not fits_float32(float(abs(mean).max()) + LARGEST_NORMAL * max(stds)):
        raise InputError("adjustment_function returned means that are too large for float32; expected smaller means")


def draw_features(
    bound_counts: np.ndarray,
    *positions: np.ndarray,
    wanted: Sequence[bool],
    find_active: Callable[[np.ndarray], FindPlane] | None,
    hops: tuple[int, ...],
    factors: tuple[float, float],
    fraction: float,
    upper: float,
    numbers: tuple[float, ...],
    seed: int,
    threads: int = 1,
) -> list[np.ndarray]:
    """Return the requested features of a block with all genes, ``(..., G, T)``, in order.

    With conditions, ``find_active`` takes the labels and returns a function that returns the active pairs of a slab.
    """
    _, effect, pvalue, response, response_pvalue = wanted
    response = response or response_pvalue
    effect = effect or pvalue or response
    limits = limit_pvalues(upper)
    fill_binding, slabs, binding = plan_block(
        "binding_features",
        positions,
        stream=Stream.BINDING,
        per_tf=[bound_counts.astype(np.int64)],
        numbers=[hops, factors, fraction, limits],
        dtypes=[np.bool_, np.float32 if effect else None, np.float32 if pvalue else None],
        seed=seed,
    )
    if not response:
        run_in_threads(fill_binding, slabs, threads)
        return [*binding, *(binding[0][..., :0],) * 2]
    if find_active is not None:  # conditions need the labels of other TFs
        run_in_threads(fill_binding, slabs, threads)
    fill_perturbation, slabs, perturbation = plan_block(
        "perturbation_features",
        positions,
        stream=Stream.PERTURBATION,
        planes=[binding[0], binding[0] if find_active is None else find_active(binding[0]), binding[1]],
        numbers=[numbers, fraction, limits],
        dtypes=[np.float32, np.float32 if response_pvalue else None],
        seed=seed,
    )

    def fill_both(part: Part) -> None:
        fill_binding(part)
        fill_perturbation(part)

    run_in_threads(fill_both if find_active is None else fill_perturbation, slabs, threads)
    return [*binding, *perturbation]


def limit_pvalues(upper: float) -> tuple[float, np.float32]:
    """Return the upper end of small p-values, and the largest float32 up to it."""
    ceiling = np.float32(upper)
    return upper, np.nextafter(ceiling, np.float32(0)) if float(ceiling) > upper else ceiling


def fill_block(kernel: str, positions: tuple[np.ndarray, ...], *, threads: int, **options: Any) -> np.ndarray:
    """Run a kernel that fills one array of a block, in slabs of TFs; see :func:`plan_block`."""
    fill, slabs, (out,) = plan_block(kernel, positions, **options)
    run_in_threads(fill, slabs, threads)
    return out


def plan_block(
    kernel: str,
    positions: tuple[np.ndarray, ...],
    *,
    stream: Stream,
    seed: int,
    planes: Sequence[np.ndarray | FindPlane] = (),
    per_tf: Sequence[np.ndarray] = (),
    numbers: Sequence[Any] = (),
    dtypes: Sequence[Any] = (np.float32,),
    empty_dtypes: Sequence[Any] | None = None,
    reduces: bool = False,
    is_shared: bool = False,
    module: str = "kernels",
) -> tuple[Callable[[Part], None], list[Part], list[np.ndarray]]:
    """Return a function that runs a kernel on a slab of TFs of a block, the slabs, and the arrays to fill.

    ``planes`` are arrays ``(..., G, T)``, ``per_tf`` arrays ``(..., 1, T)``; ``numbers`` are passed to the kernel.
    Arrays whose dtype is None are not filled, and have no TFs; ``empty_dtypes`` are their dtypes (default: float32).
    Arrays are TF-major in memory, as the kernels require; TF-major inputs are not copied. The thread that fills new
    memory touches it first. Measurements have separate random words unless ``is_shared``.
    """
    run = getattr(import_module(f"yeastxr.simulation.{module}"), f"fill_{kernel}")
    block = Positions(*positions)
    shape = np.broadcast_shapes(block.shape, *(array.shape for array in (*planes, *per_tf) if not callable(array)))
    *lead_shape, genes, tfs = shape
    replicates = np.broadcast_to(block.replicate[..., 0, 0], lead_shape)
    gene_positions = block.gene.reshape(-1).astype(np.uint32)
    tf_positions = block.tf.reshape(-1).astype(np.uint32)
    columns = [plane if callable(plane) else _take_slabs(_broadcast(plane, shape)) for plane in planes]
    per_tf = [_broadcast(array, (*lead_shape, 1, tfs)) for array in per_tf]
    size = () if reduces else (genes,)
    outs = [
        np.empty((*lead_shape, 0 if dtype is None else tfs, *size), dtype or empty)
        for dtype, empty in zip(dtypes, empty_dtypes or [np.float32] * len(dtypes), strict=True)
    ]
    measurements = np.broadcast_to(0 if is_shared else block.measurement[..., 0, 0], lead_shape)
    keys = split_seed(seed)

    def fill(part: Part) -> None:
        lead, slab = part
        run(
            *keys,
            np.uint64(replicates[lead]),
            np.uint64(stream | int(measurements[lead]) << 8),
            gene_positions,
            tf_positions[slab],
            *(column(lead, slab) for column in columns),
            *(np.ascontiguousarray(array[lead][0, slab]) for array in per_tf),
            *numbers,
            *(out[lead][slab] for out in outs),
        )

    results = [out[..., None, :] if reduces else out.swapaxes(-1, -2) for out in outs]
    return fill, list(cut_slabs(lead_shape, genes, tfs, _SLAB_CELLS)), results


def _take_slabs(plane: np.ndarray) -> FindPlane:
    """Return a function that returns a slab of a plane, ``[TF, gene]``."""
    columns = plane.swapaxes(-1, -2)
    return lambda lead, slab: np.ascontiguousarray(columns[lead][slab])


def _broadcast(array: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Broadcast an array only if necessary, because numba compiles again for read-only views."""
    return array if array.shape == tuple(shape) else np.broadcast_to(array, shape)
