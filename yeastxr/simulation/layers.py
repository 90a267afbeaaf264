"""Layers of a simulation in a dask graph: one task for each block, whichever variables are requested.

The graph holds the layers, and creates tasks when dask culls it. A task therefore computes only the requested variables
of a block, in one pass. Import this module lazily, because it imports dask.
"""

import operator
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from itertools import accumulate, product
from typing import Any

from dask._task_spec import Alias, Task, TaskRef
from dask.highlevelgraph import Layer, MaterializedLayer

from yeastxr.simulation.blocks import Block, BlockMaker, simulate_block

Key = tuple[Any, ...]


class _TaskLayer(Layer):
    """A layer that makes tasks from keys alone."""

    has_legacy_tasks = False  # otherwise dask creates all tasks to find out

    def make_tasks(self, keys: Collection[Key]) -> dict[Key, Any]:
        """Return the tasks of the given keys, ignoring keys of other layers."""
        raise NotImplementedError

    def cull(self, keys: set[Key], all_hlg_keys: Collection[Key]) -> tuple[Layer, Mapping[Key, set[Key]]]:
        """Return a layer with the tasks of the given keys, and their dependencies."""
        tasks = self.make_tasks(keys)
        layer = MaterializedLayer(tasks, annotations=self.annotations)
        return layer, {key: set(task.dependencies) for key, task in tasks.items()}

    @cached_property
    def _tasks(self) -> dict[Key, Any]:
        return self.make_tasks(self.get_output_keys())

    def is_materialized(self) -> bool:
        """Return whether all tasks have been created."""
        return "_tasks" in self.__dict__

    def __getitem__(self, key: Key) -> Any:
        return self._tasks[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)


class BlockLayer(_TaskLayer):
    """The blocks of a simulation, with keys (name, number of the variable, block)."""

    def __init__(self, name: str, maker: BlockMaker, lengths: Mapping[str, tuple[int, ...]]) -> None:
        super().__init__()
        self.name, self._maker, self._lengths = name, maker, lengths

    @property
    def blocks(self) -> Iterator[tuple[int, ...]]:
        """The indexes of all blocks."""
        return product(*(range(len(lengths)) for lengths in self._lengths.values()))

    def get_output_keys(self) -> set[Key]:
        """Return the keys of all variables of all blocks."""
        return {(self.name, i, *block) for block in self.blocks for i in range(len(self._maker.names))}

    def make_tasks(self, keys: Collection[Key]) -> dict[Key, Any]:
        """Return a task for each block, and one for each of its requested variables."""
        variables: dict[tuple[int, ...], set[int]] = defaultdict(set)
        for key in keys:
            if isinstance(key, tuple) and key[0] == self.name and isinstance(key[1], int):
                variables[key[2:]].add(key[1])
        tasks: dict[Key, Any] = {}
        for index, numbers in variables.items():
            wanted = tuple(i in numbers for i in range(len(self._maker.names)))
            whole = (self.name, "block", *index)
            tasks[whole] = Task(whole, simulate_block, self._make_block(index), wanted)
            for i in numbers:
                key = (self.name, i, *index)
                tasks[key] = Task(key, operator.getitem, TaskRef(whole), i)
        return tasks

    def _make_block(self, index: tuple[int, ...]) -> Block:
        ranges = {dim: range(*self._ends[dim][i : i + 2]) for dim, i in zip(self._lengths, index, strict=True)}
        return self._maker.make(ranges)

    @cached_property
    def _ends(self) -> dict[str, tuple[int, ...]]:
        return {dim: tuple(accumulate(lengths, initial=0)) for dim, lengths in self._lengths.items()}


class VariableLayer(_TaskLayer):
    """One variable of the blocks of a simulation, with the keys of a dask array."""

    def __init__(self, name: str, number: int, blocks: BlockLayer) -> None:
        super().__init__()
        self.name, self._number, self._blocks = name, number, blocks

    def get_output_keys(self) -> set[Key]:
        """Return the keys of all blocks."""
        return {(self.name, *block) for block in self._blocks.blocks}

    def make_tasks(self, keys: Collection[Key]) -> dict[Key, Any]:
        """Return aliases of the variables of blocks."""
        own = (key for key in keys if isinstance(key, tuple) and key[0] == self.name)
        return {key: Alias(key, (self._blocks.name, self._number, *key[1:])) for key in own}
