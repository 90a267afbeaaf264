"""Compute all variables of a block at once: in one pass over memory for NumPy, in one task for dask.

A block has all genes of some TFs and replicates, and depends only on its positions: if conditions name TFs outside the
block, their labels are drawn again. The separate steps (:mod:`yeastxr.simulation.steps`) return identical values.
"""

from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from yeastxr._utils import count_threads
from yeastxr.schema import MEASUREMENT, REPLICATE, TF, VARIABLE_BY_NAME
from yeastxr.simulation import draws, extended
from yeastxr.simulation.adjustment import evaluate_programs
from yeastxr.simulation.operators import iterate_tfs
from yeastxr.simulation.relations import compile_conditions

if TYPE_CHECKING:
    from yeastxr.simulation.simulate import SimulationSpec


class Block(NamedTuple):
    """The inputs of a block; ``others`` are TFs outside the block that conditions name, ``columns`` all named TFs.

    ``names`` are its variables, in order. ``negative_from`` is for the signs of an extended simulation.
    """

    names: Sequence[str]
    genes: int
    replicates: range | None
    measurements: range | None
    tfs: Sequence[int]
    bound_counts: Sequence[int]
    conditions: Mapping[int, tuple[Hashable, tuple[Any, ...]]]
    others: Sequence[int]
    other_counts: Sequence[int]
    columns: Mapping[Hashable, int]
    negative_from: Sequence[int]
    parameters: Mapping[str, Any]

    def locate(self, tfs: Sequence[int]) -> draws.Positions:
        """Return the positions of columns of the block."""
        replicates = np.asarray(0 if self.replicates is None else self.replicates)[..., None, None]
        positions = draws.Positions(replicates, np.arange(self.genes)[:, None], np.asarray(tfs, np.int64))
        if self.measurements is None:
            return positions
        measurements = np.asarray(self.measurements)[:, None, None]
        if self.replicates is not None:
            replicates = replicates[:, None]
        return positions._replace(replicate=replicates, measurement=measurements)


class BlockMaker:
    """Computes the blocks of a specification, with the given variables.

    ``parameters`` are those of :func:`draws.draw_features`, or of :func:`extended.draw_variables`, which takes a model.
    """

    def __init__(self, spec: "SimulationSpec", names: Sequence[str], parameters: Mapping[str, Any]) -> None:
        self._spec, self.names, self._parameters = spec, tuple(names), parameters
        self._negative_from = spec.list_negative_from(len(spec.tf_labels)) if "model" in parameters else None
        self._counts = [round(spec.n_genes * fraction) for fraction in spec.bound_fractions]
        self._made: dict[range, Block] = {}  # replicates share the inputs of a block of TFs

    @cached_property
    def _positions(self) -> dict[Hashable, int]:
        return {tf: position for position, tf in enumerate(self._spec.tf_labels)}

    def make(self, parts: Mapping[str, range]) -> Block:
        """Return the block of some TFs, replicates and measurements, given by dimension."""
        tfs = parts[TF]
        if tfs not in self._made:
            self._made[tfs] = self._make(tfs)
        return self._made[tfs]._replace(replicates=parts.get(REPLICATE), measurements=parts.get(MEASUREMENT))

    def _make(self, tfs: range) -> Block:
        relationships = self._spec.tf_relationships or {}
        labels = self._spec.tf_labels if relationships else ()
        own = ((t, labels[tf]) for t, tf in enumerate(tfs if relationships else ()))
        conditions = {t: (tf, entries) for t, tf in own if (entries := relationships.get(tf))}
        columns, others = self._positions if conditions else {}, {}
        if len(tfs) < len(self._counts) and conditions:
            named = dict.fromkeys(name for _, entries in conditions.values() for name in iterate_tfs(entries))
            positions = {name: self._positions[name] for name in named}
            others = {position: i for i, position in enumerate(p for p in positions.values() if p not in tfs)}
            columns = {
                name: position - tfs.start if position in tfs else len(tfs) + others[position]
                for name, position in positions.items()
            }
        return Block(
            names=self.names,
            genes=self._spec.n_genes,
            replicates=None,
            measurements=None,
            tfs=tfs,
            bound_counts=[self._counts[tf] for tf in tfs],
            conditions=conditions,
            others=list(others),
            other_counts=[self._counts[tf] for tf in others],
            columns=columns,
            negative_from=() if self._negative_from is None else self._negative_from[tfs.start : tfs.stop],
            parameters=self._parameters,
        )


def simulate_block(block: Block, wanted: Sequence[bool] | None = None, *, threads: int = 1) -> list[np.ndarray]:
    """Return the variables of a block, ``(..., gene, TF)``, in order; variables not requested may have no TFs."""
    wanted = (True,) * len(block.names) if wanted is None else wanted
    counts, positions = np.array(block.bound_counts)[None], block.locate(block.tfs)
    options: dict[str, Any] = {**block.parameters, "threads": threads}
    options["find_active"] = partial(_find_active, block, threads) if block.conditions else None
    if "model" not in block.parameters:
        return draws.draw_features(counts, *positions, wanted=wanted, **options)
    names = {name for name, is_wanted in zip(block.names, wanted, strict=True) if is_wanted}
    signs = np.array(block.negative_from, np.uint32)[None]
    made = extended.draw_variables(counts, signs, *positions, wanted=names, **options)
    return [made[name] if name in made else made["label"][..., :0] for name in block.names]


def _find_active(
    block: Block, threads: int, label: np.ndarray, responsive: np.ndarray | None = None
) -> draws.FindPlane:
    """Return a function that returns the active pairs of a slab, ``[TF, gene]``, for the labels of the block.

    Active pairs respond (by default, are bound), and the conditions of their TF hold.
    """
    labels = label.swapaxes(-1, -2)
    responses = labels if responsive is None else responsive.swapaxes(-1, -2)
    others = labels[..., :0, :]
    if block.others:
        counts, seed = np.array(block.other_counts)[None], block.parameters["seed"]
        others = draws.draw_label_columns(counts, *block.locate(block.others), seed=seed, threads=threads)
        others = others.swapaxes(-1, -2)
    conditions = [block.conditions.get(t, (None, ())) for t in range(len(block.tfs))]
    programs = compile_conditions(conditions, block.columns)

    def find(lead: tuple[int, ...], slab: slice) -> np.ndarray:
        active = np.empty((slab.stop - slab.start, block.genes), np.bool_)
        evaluate_programs(
            programs.select(slab), labels[lead], responses[lead][slab], active.view(np.uint8), others[lead]
        )
        return active

    return find


def simulate_arrays(
    spec: "SimulationSpec",
    names: Sequence[str],
    parameters: Mapping[str, Any],
    lengths: Mapping[str, tuple[int, ...]] | None,
    text: str,
) -> list[Any]:
    """Return variables of these names: NumPy arrays, or dask arrays with chunks of these lengths and all genes.

    ``text`` is the specification as JSON. With the chunks it determines the names of dask arrays, so that equal names
    mean equal values.
    """
    maker = BlockMaker(spec, names, parameters)
    if lengths is None:
        counts = {REPLICATE: spec.replicates, MEASUREMENT: spec.measurements, TF: len(spec.tf_labels)}
        parts = {dim: range(n) for dim, n in counts.items() if n is not None}
        return simulate_block(maker.make(parts), threads=count_threads())
    import dask.array as da
    from dask.base import tokenize
    from dask.highlevelgraph import HighLevelGraph

    from yeastxr.simulation import layers

    token = tokenize(text, lengths)
    blocks = layers.BlockLayer(f"simulation-{token}", maker, lengths)
    arrays = []
    for i, variable in enumerate(names):
        name = f"{variable}-{token}"
        graph = HighLevelGraph(
            {name: layers.VariableLayer(name, i, blocks), blocks.name: blocks},
            {name: {blocks.name}, blocks.name: set()},
        )
        arrays.append(da.Array(graph, name, tuple(lengths.values()), dtype=VARIABLE_BY_NAME[variable].dtype))
    return arrays
