"""What a block of a dataset tells about its specification: sums and counts, small whatever the block's size.

Every number has a known distribution under the specification, so that :mod:`yeastxr.checks.check` can turn it into a
p-value: values are put through the distribution function that they should have, which makes them uniform or standard
normal.
Plain arrays here; a block holds some TFs and, but for subsets, all genes.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from yeastxr.schema import FEATURES
from yeastxr.simulation import draws

Evidence = dict[str, Any]  # arrays and integers
BINS = 100
GROUPS = ("unbound", "bound", "failed")  # failed: bound, and the conditions do not hold
KINDS = ("binding", "perturbation")
DRAWS = ("sign", "size", "binding p-value", "perturbation p-value", "binding effect")
PAIRED = DRAWS[:4]  # exactly fair coins, so that agreements are binomial
LOW_BITS = 13  # what rounding to float16 sets to 0
_SLAB_CELLS = 1 << 17
_CANDIDATES = 32


@dataclass(frozen=True)
class Asked:
    """What measuring a block needs to know of a specification.

    Parameters
    ----------
    lattices, scores, score_stds
        For unbound and bound pairs: the possible binding effects, float32, ascending; the middle of each one's step in
        the distribution function, less 1/2; and the standard deviation of that.
    means, stds, slope
        Of perturbation effects by group, and by how much an adjusted mean rises per unit of binding.
    percentile, upper
        Of the rule for p-values.
    fair
        For each of :data:`DRAWS` whether halves of it are (nearly) fair coins, so that they can be compared.
    thin
        Of so many binary digits of a word's hash all must be 0 for it to be kept.
    """

    lattices: tuple[np.ndarray, np.ndarray]
    scores: tuple[np.ndarray, np.ndarray]
    score_stds: tuple[float, float]
    means: tuple[float, float, float]
    stds: tuple[float, float, float]
    slope: float
    percentile: float
    upper: float
    fair: tuple[bool, ...]
    thin: int


def ranges(*planes: np.ndarray) -> Evidence:
    """Count, for each feature but the labels, the values that are not finite or out of the feature's range."""
    found = {}
    for feature, values in zip(FEATURES[1:], planes, strict=True):
        allowed = np.isfinite(values) & (values >= feature.least) & (values <= feature.most)
        found[f"outside {feature.name}"] = np.int64(values.size - np.count_nonzero(allowed))
    return found


def measure(label: np.ndarray, holds: np.ndarray | None, *planes: np.ndarray, asked: Asked, whole: bool) -> Evidence:
    """Measure a block.

    Parameters
    ----------
    label
        Bool ``(genes, TFs)``.
    holds
        Where the conditions of each TF hold, whether it binds or not; None where that can't be told.
    *planes
        The four features behind the label, float32 ``(genes, TFs)``; NaN and infinities count as 0.
    asked
        What the specification asks for.
    whole
        Whether all genes are there, so that quantiles over genes can be told.

    Returns
    -------
    dict of str to numpy.ndarray
        Names that begin with ``tf`` have the TFs as first axis, those with ``gene`` the genes; those with ``least`` are
        minima, with ``words`` lists, and all others sums.
    """
    label, *columns = (np.ascontiguousarray(plane.T) for plane in (label, *planes))
    holds = None if holds is None else np.ascontiguousarray(holds.T)
    valid = np.isfinite(columns[0]) & np.isfinite(columns[2])
    columns = [np.nan_to_num(plane, nan=0.0, posinf=0.0, neginf=0.0) for plane in columns]
    tfs, genes = label.shape
    halves = np.zeros((len(DRAWS), tfs, genes), bool)
    cutoffs = (
        [draws.compute_abs_quantiles(plane.T, fraction=asked.percentile)[0] for plane in (columns[0], columns[2])]
        if whole
        else None
    )
    each = max(1, _SLAB_CELLS // genes)
    parts = []
    for first in range(0, tfs, each):
        some = slice(first, min(first + each, tfs))
        block = [plane[some] for plane in columns]
        parts.append(
            _labels(label[some], None if holds is None else holds[some])
            | _binding(label[some], valid[some], block[0], halves[4, some], asked)
            | _signs(label[some], block[2], halves[0, some])
            | (
                {}
                if holds is None
                else _responses(label[some], holds[some], valid[some], block[0], block[2], halves[1, some], asked)
            )
            | _pvalues(block, None if cutoffs is None else [cut[some] for cut in cutoffs], halves[2:4, some], asked)
        )
    known = [fair and (i != 1 or holds is not None) and (i not in (2, 3) or whole) for i, fair in enumerate(asked.fair)]
    cells = {"cells": np.int64(label.size)}
    words = [_packed(half) for half in halves]
    return (
        combine(parts)
        | cells
        | _overlaps(_packed(label), genes)
        | _agreements(words, genes, known)
        | _words([some[:, : genes // 64] for some in words], known, asked.thin)
    )


def combine(parts: list[Evidence]) -> Evidence:
    """Put the evidence of blocks of TFs, in their order, together."""
    found: Evidence = {}
    for name in parts[0]:
        values = [part[name] for part in parts]
        kind = name.split()[0]
        if kind in ("tf", "words"):
            found[name] = np.concatenate(values)
        else:
            found[name] = np.minimum.reduce(values) if kind == "least" else np.add.reduce(values)
    return found


def _labels(label: np.ndarray, holds: np.ndarray | None) -> Evidence:
    found = {"tf bound": np.count_nonzero(label, axis=1), "gene bound": np.count_nonzero(label, axis=0)}
    if holds is not None:
        found |= {"tf hold": np.count_nonzero(holds, axis=1), "tf adjusted": np.count_nonzero(holds & label, axis=1)}
    return found


def _binding(label: np.ndarray, valid: np.ndarray, effect: np.ndarray, half: np.ndarray, asked: Asked) -> Evidence:
    """Count binding effects on the lattice that their label allows, and off it."""
    found: Evidence = {}
    scores = np.zeros(effect.shape)
    variance = np.zeros(len(label))
    for name, here, lattice, score, std in zip(
        ("unbound", "bound"),
        (valid & ~label, valid & label),
        asked.lattices,
        asked.scores,
        asked.score_stds,
        strict=True,
    ):
        values = effect[here]
        place = np.minimum(np.searchsorted(lattice, values), lattice.size - 1)
        found[f"lattice {name}"] = np.bincount(place, minlength=lattice.size)
        found[f"off lattice {name}"] = np.count_nonzero(lattice[place] != values)
        scores[here] = score[place]
        half[here] = score[place] > 0
        variance += std**2 * np.count_nonzero(here, axis=1)
    found["tf binding score"] = scores.sum(axis=1)
    found["tf binding score variance"] = variance
    return found


def _signs(label: np.ndarray, response: np.ndarray, half: np.ndarray) -> Evidence:
    half[...] = ~np.signbit(response)
    bits = response.view(np.uint32)
    return {
        "tf positive": np.count_nonzero(half, axis=1),
        "positive bound": np.count_nonzero(half & label),
        "coarse perturbation_effect": np.count_nonzero(bits & ((1 << LOW_BITS) - 1) == 0),
    }


def _responses(
    label: np.ndarray,
    holds: np.ndarray,
    valid: np.ndarray,
    effect: np.ndarray,
    response: np.ndarray,
    half: np.ndarray,
    asked: Asked,
) -> Evidence:
    """Turn the sizes of perturbation effects into what should be standard normal numbers, by group."""
    from scipy.special import ndtr

    adjusted = label & holds
    group = np.where(adjusted, 1, np.where(label, 2, 0))
    means, stds = np.array(asked.means)[group], np.array(asked.stds)[group]
    if asked.slope:
        means += asked.slope * np.where(adjusted, effect, np.float64(0))
    size = np.abs(response.astype(np.float64))
    found: Evidence = {}
    if min(asked.stds) > 0:
        score = np.where(valid, _normal_scores(size, np.abs(means), stds), 0)
        half[...] = score > 0
        slots = np.minimum((ndtr(score) * BINS).astype(np.int64), BINS - 1) + BINS * np.where(valid, group, len(GROUPS))
        counts = np.bincount(slots.ravel(), minlength=(len(GROUPS) + 1) * BINS)
        found["sizes"] = counts.reshape(-1, BINS)[: len(GROUPS)]
        for i, name in enumerate(GROUPS):
            inside = group == i
            found[f"score {name}"] = np.sum(score, where=inside)
            found[f"score squares {name}"] = np.sum(score**2, where=inside)
        found["tf score"], found["tf score squares"] = score.sum(axis=1), (score**2).sum(axis=1)
        found["tf valid"] = np.count_nonzero(valid, axis=1)
        centred = np.where(adjusted & valid, effect - np.float64(asked.lattices[1].mean()), 0)
        found["binding"], found["binding squares"] = centred.sum(), (centred**2).sum()
        found["binding x score"] = (centred * score).sum()
    else:
        exact = np.abs(means).astype(np.float32)
        found["not as without noise"] = np.count_nonzero((np.abs(response) != exact) & (stds == 0) & valid)
    for i, name in enumerate(GROUPS):
        found[f"n {name}"] = np.count_nonzero((group == i) & valid)
        found[f"size {name}"] = np.sum(size, where=(group == i) & valid)
    return found


def _pvalues(block: list[np.ndarray], cutoffs: list[np.ndarray] | None, halves: np.ndarray, asked: Asked) -> Evidence:
    """Count p-values against the rule, and turn them into what should be uniform numbers."""
    found: Evidence = {}
    for i, kind in enumerate(KINDS):
        effect, pvalue = block[2 * i], block[2 * i + 1]
        bits = pvalue.view(np.uint32)
        found[f"coarse {kind}_pvalue"] = np.count_nonzero(bits & ((1 << LOW_BITS) - 1) == 0)
        if cutoffs is None:
            continue
        large = np.abs(effect.astype(np.float64)) >= cutoffs[i][:, None]
        found[f"{kind} large"] = np.count_nonzero(large)
        found[f"{kind} broken"] = np.count_nonzero(large & (pvalue > np.float32(asked.upper)))
        uniform = pvalue.astype(np.float64)
        if asked.upper > 0:
            uniform[large] /= asked.upper
        else:
            uniform[large] = 0.5  # says nothing
        uniform = np.clip(uniform, 0, 1)
        halves[i] = uniform >= 0.5
        slots = np.minimum((uniform * BINS).astype(np.int64), BINS - 1) + BINS * large
        found[f"{kind} pvalues"] = np.bincount(slots.ravel(), minlength=2 * BINS).reshape(2, BINS)
        told = ~large if asked.upper == 0 else np.ones_like(large)
        found[f"tf {kind} pvalue"] = np.sum(uniform - 0.5, axis=1, where=told)
        found[f"tf {kind} pvalues told"] = np.count_nonzero(told, axis=1)
    return found


def _packed(bits: np.ndarray) -> np.ndarray:
    """Pack rows of booleans to words of 64, the last one filled up with False."""
    filled = np.zeros((len(bits), -(-bits.shape[1] // 64) * 64), bool)
    filled[:, : bits.shape[1]] = bits
    return np.packbits(filled, axis=1).view(np.uint64)


def _pairs(words: np.ndarray, operation: np.ufunc) -> np.ndarray:
    """Return how many bits of an operation on two rows are set, for each pair of rows, in order."""
    each = [
        np.bitwise_count(operation(row, words[i + 1 :])).sum(axis=1, dtype=np.int64) for i, row in enumerate(words[:-1])
    ]
    return np.concatenate(each) if each else np.zeros(0, np.int64)


def _overlaps(label: np.ndarray, genes: int) -> Evidence:
    """Find the pair of TFs, of packed labels, whose bound genes overlap by the least likely number."""
    from yeastxr.checks import significance as tails

    first, second = np.triu_indices(len(label), 1)
    count = np.bitwise_count(label).sum(axis=1, dtype=np.int64).astype(np.float64)
    both = _pairs(label, np.bitwise_and).astype(np.float64)
    a, b = count[first], count[second]
    spread = np.sqrt(a * (genes - a) * b * (genes - b) / max(genes - 1, 1)) / genes
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(spread > 0, np.abs(both - a * b / genes) / spread, -1)
    extreme = np.argsort(-z)[:_CANDIDATES]
    extreme = extreme[z[extreme] >= 0]
    p = tails.overlap(both[extreme], genes, a[extreme], b[extreme])
    return {"least overlap": np.min(p, initial=1.0), "overlaps": np.count_nonzero(z >= 0)}


def _agreements(words: list[np.ndarray], genes: int, known: list[bool]) -> Evidence:
    """Find which draws agree the least likely number of times: of two TFs over genes, and of two kinds over cells."""
    from yeastxr.checks import significance as tails

    differ = [_pairs(words[i], np.bitwise_xor) for i in range(len(PAIRED)) if known[i]]
    extreme = max((int(np.abs(2 * pairs - genes).max(initial=0)) for pairs in differ), default=0)
    found: Evidence = {
        "least agreement": np.float64(tails.binomial((genes + extreme) / 2, genes)),
        "agreements": np.int64(sum(pairs.size for pairs in differ)),
    }
    cells = len(words[0]) * genes
    for a in range(len(PAIRED)):
        for b in range(a):
            name = f"agree {PAIRED[b]} and {PAIRED[a]}"
            differing = np.bitwise_count(words[a] ^ words[b]).sum(dtype=np.int64)
            found[name] = cells - differing if known[a] and known[b] else np.int64(-1)
    return found


def _words(words: list[np.ndarray], known: list[bool], thin: int) -> Evidence:
    """Return coins of 64 neighbouring genes as words, which never repeat by chance; of many, those of a thin hash."""
    found: Evidence = {}
    for i, name in enumerate(DRAWS):
        if known[i]:
            kept = words[i].ravel()
            if thin:
                kept = kept[(kept * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(64 - thin) == 0]
            found[f"words {name}"] = kept
    return found


def _normal_scores(size: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Return the standard normal number that has the place in its distribution that a folded normal has in its own."""
    from scipy.special import ndtr, ndtri

    near, far = (size - mean) / std, (-size - mean) / std
    lower, upper = ndtr(near) - ndtr(far), ndtr(-near) + ndtr(far)
    tail = np.minimum(lower, upper)
    score = ndtri(np.maximum(tail, 1e-300))
    return np.where(lower < upper, score, -score)
