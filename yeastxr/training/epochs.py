"""The start (epoch and batch) of the next iteration, for one process, or for a process and its workers."""

import json
import multiprocessing
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Start = tuple[int, int]  # an epoch, and the first of its remaining batches


class Epochs:
    """Counts the epochs of one process."""

    def __init__(self, start: Start = (0, 0)) -> None:
        self._next = start

    def get_next(self) -> Start:
        """Return the start of the next iteration."""
        return self._next

    def set_next(self, start: Start) -> None:
        """Set where the next iteration begins."""
        self._next = start

    def begin(self) -> Start:
        """Return the start of an iteration, and advance to the next epoch."""
        start = self._next
        self._next = (start[0] + 1, 0)
        return start


class SharedEpochs(Epochs):
    """Counts the epochs of a process and the workers of its ``DataLoader``, in a small file.

    The workers of one iteration begin at different times, but must begin the same epoch. The first one increments the
    count. The others recognize the iteration by the random seed, which all workers of an iterator share, and, because
    workers may persist, by the number of the iteration in their process. Processes with separate loaders, such as
    ranks, have separate counts.
    """

    _REMEMBERED = 64  # iterations that workers may still begin

    def __init__(self, start: Start = (0, 0)) -> None:
        self._owner, self._folder = os.getpid(), tempfile.mkdtemp(prefix="yeastxr-epochs-")
        self._iterations = 0  # iterations that this worker has begun
        weakref.finalize(self, _remove_folder, self._folder, self._owner)
        self._path.write_text(json.dumps({"next": {str(self._owner): start}, "begun": []}))

    def get_next(self) -> Start:
        """Return the start of the next iteration of this process."""
        with self._edit() as (counts, process):
            return _to_start(counts["next"][process])

    def set_next(self, start: Start) -> None:
        """Set the start of the next iteration of this process."""
        with self._edit() as (counts, process):
            counts["next"][process] = start

    def begin(self, worker: Any = None) -> Start:
        """Return the start of an iteration, which is the same for all of its workers."""
        with self._edit() as (counts, process):
            start, iteration = counts["next"][process], None
            if worker is not None:
                iteration = [process, worker.seed - worker.id, self._iterations]
                self._iterations += 1
                for begun in reversed(counts["begun"]):
                    if begun["iteration"] == iteration and worker.id not in begun["workers"]:
                        begun["workers"].append(worker.id)
                        return _to_start(begun["start"])
                begun = {"iteration": iteration, "start": start, "workers": [worker.id]}
                counts["begun"] = [*counts["begun"], begun][-self._REMEMBERED :]
            counts["next"][process] = (start[0] + 1, 0)
            return _to_start(start)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_start": self.get_next()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        start = state.pop("_start")
        if state["_owner"] == os.getpid() or not Path(state["_folder"]).exists():
            self.__init__(start)  # type: ignore[misc]  # a copy that is no worker's counts for itself
        else:
            self.__dict__.update(state)

    @property
    def _path(self) -> Path:
        return Path(self._folder) / "epochs.json"

    @contextmanager
    def _edit(self) -> Iterator[tuple[dict[str, Any], str]]:
        """Yield the counts, which are saved if they change, and the key of the process with the loader."""
        from filelock import FileLock

        parent = multiprocessing.parent_process()
        process = str(parent.pid if parent is not None and _is_worker() else os.getpid())
        with FileLock(f"{self._path}.lock"):
            text = self._path.read_text()
            counts = json.loads(text)
            counts["next"].setdefault(process, counts["next"][str(self._owner)])
            yield counts, process
            changed = json.dumps(counts)
            if changed != text:
                self._path.write_text(changed)


def _is_worker() -> bool:
    """Return whether this process is a worker of a ``DataLoader``."""
    from torch.utils.data import get_worker_info

    return get_worker_info() is not None


def _to_start(pair: list[int]) -> Start:
    return pair[0], pair[1]


def _remove_folder(folder: str, owner: int) -> None:
    """Remove the folder in the process that created it."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)
