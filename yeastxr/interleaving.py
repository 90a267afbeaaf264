"""Planes of features to rows of a tensor, ``[genes, TFs, features]``, in one pass that stays in the cache.

All five features from TF-major planes, which is how datasets are made, go through a kernel of our own: on two cores it
takes less than twice as long as copying the result. Whatever else there is, NumPy assigns tile by tile.
"""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from yeastxr.threads import in_threads

_SLAB_TFS = 256  # what one thread takes at a time
_PAGE = 1 << 21  # bytes of a huge page
_LABEL_AND_FOUR = (1, 4, 4, 4, 4)


def empty(shape: Sequence[int], threads: int = 1) -> np.ndarray:
    """Return float32 memory for a tensor, not zeroed but there.

    NumPy asks for huge pages, as torch.empty does not; touched by all threads before kernels write here and there, they
    come four times as fast.
    """
    out = np.empty(shape, np.float32)
    pages = out.reshape(-1)[:: _PAGE // out.itemsize]
    each = -(-pages.size // threads) or 1
    in_threads(lambda first: pages[first : first + each].fill(0), range(0, pages.size, each), threads)
    return out


def interleave(planes: Sequence[np.ndarray], out: np.ndarray, threads: int = 1) -> None:
    """Fill ``out[..., i]`` with plane i.

    Parameters
    ----------
    planes
        Arrays ``(..., genes, TFs)``, bool or float32, in any order in memory.
    out
        float32 ``(..., genes, TFs, len(planes))``, in any order in memory.
    threads
        How many threads may work on it.
    """
    lead, genes, tfs = out.shape[:-3], out.shape[-3], out.shape[-2]
    parts = [slice(first, min(first + _SLAB_TFS, tfs)) for first in range(0, tfs, _SLAB_TFS)]

    def fill(part: tuple[tuple[int, ...], slice]) -> None:
        index, some = part
        turned = [plane[index].swapaxes(-1, -2) for plane in planes]
        rows = out[index]
        fused = (
            tuple(plane.itemsize for plane in turned) == _LABEL_AND_FOUR
            and all(plane.flags.c_contiguous for plane in turned)
            and rows.flags.c_contiguous
        )
        if fused:
            from yeastxr import tensorkernels

            label, *four = (plane.reshape(-1) for plane in turned)
            bits = tuple(plane.view(np.uint32) for plane in four)
            tensorkernels.interleave(label.view(np.uint8), bits, genes, tfs, some.start, some.stop, rows.reshape(-1))
        else:
            _assign([plane[some] for plane in turned], rows[:, some])

    in_threads(fill, list(product(np.ndindex(*lead), parts)), threads)


def slabs(tfs: int, planes: Sequence[np.ndarray]) -> Iterator[slice]:
    """Cut TFs so that a slab of all planes takes some 16 MB as float32."""
    each = max(1, (1 << 22) // max(1, len(planes) * planes[0].size // tfs))
    for first in range(0, tfs, each):
        yield slice(first, min(first + each, tfs))


def _assign(planes: Sequence[np.ndarray], out: np.ndarray) -> None:
    """Assign planes ``[TFs, genes]`` to ``out[genes, TFs, features]``, in tiles that are long where memory is."""
    tfs, genes = planes[0].shape
    if planes[0].strides[0] < planes[0].strides[1]:
        tile_tfs, tile_genes = 4096, 16
    else:
        tile_tfs, tile_genes = 16, 512 if out.strides[0] > out.itemsize else genes
    for t in range(0, tfs, tile_tfs):
        for g in range(0, genes, tile_genes):
            tile = out[g : g + tile_genes, t : t + tile_tfs]
            for i, plane in enumerate(planes):
                tile[..., i].T[...] = plane[t : t + tile_tfs, g : g + tile_genes]
