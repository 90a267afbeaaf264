"""Kill a command at its N-th system call that changes files, for every N, and run every other command after that.

Run as ``python -m tests.storage.kills SCENARIO FIRST STEP FOLDER``, with ``all`` for every scenario: prints what went
wrong, a line each, and how many kills there were. Each command runs in a fork of one process that has imported
everything and started no thread of zarr. In steps above 1, the commands that must recover run after each kill, and
the others take turns.
"""

import itertools
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

import xarray as xr

import yeastxr as yx

SPEC = {"genes": 20, "bound": [0.2, 0.4], "seed": 1}
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"}


def simulate(**changes: object) -> xr.Dataset:
    """Simulate two small blocks."""
    return yx.simulate(**{**SPEC, **changes})  # without dask, whose threads a fork would lack


A, B = simulate(), simulate(seed=2)
LARGER = simulate(bound=[0.2, 0.4, 0.6])
ONE_BLOCK = {name: {"chunks": (20, 1)} for name in ("label",)}


def save(path: Path, ds: xr.Dataset = A, **options: object) -> None:
    """Save a dataset in two blocks."""
    yx.save(ds, path, encoding=ONE_BLOCK, progress=False, **options)


COMMANDS: dict[str, Callable[[Path], object]] = {
    "open": lambda path: yx.open(path).load(),
    "save": save,
    "save another": lambda path: save(path, B),
    "overwrite": lambda path: save(path, B, overwrite=True),
    "extend": lambda path: yx.extend(path, bound=[0.6], progress=False),
    "repair": lambda path: yx.verify(path, repair=True, progress=False),
}
# The state before, the command that is killed, the commands that are documented to recover, and what is then there.
SCENARIOS: dict[str, tuple[str, str, str, list[xr.Dataset]]] = {
    "save": ("nothing", "save", "save", [A]),
    "resume": ("unfinished", "save", "save", [A]),
    "overwrite": ("complete", "overwrite", "open", [A, B]),
    "overwrite an unfinished store": ("unfinished", "overwrite", "overwrite", [A, B]),
    "extend": ("complete", "extend", "repair, extend", [A, LARGER]),
    "repair": ("damaged", "repair", "repair", [A]),
}


def fork(work: Callable[[], object]) -> int:
    """Run some work in a fork of this process, and return its exit status: 9 if it was killed."""
    child = os.fork()
    if child == 0:
        status = 0
        try:
            work()
        except yx.InputError:
            status = 2
        except BaseException:
            traceback.print_exc()
            status = 3
        os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) % 256


def kill_at(n: int, folder: Path, work: Callable[[], object]) -> None:
    """Do some work, and die before the N-th change of a file in a folder."""
    count = 0

    def watch(event: str, args: tuple) -> None:
        nonlocal count
        if event == "open" and not (isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
            return
        if (event == "open" or event in CHANGES) and str(args[0]).startswith(str(folder)):
            count += 1
            if count == n:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    work()


def prepare(state: str, path: Path) -> None:
    """Make the state before the command."""
    if state == "nothing":
        return
    save(path)
    block = path / "label/c/0/1"
    block.unlink()
    if state == "complete":
        yx.verify(path, repair=True)
    if state == "unfinished":
        from yeastxr.storage.layout import Records, mark
        from yeastxr.storage.location import locate

        location = locate(path)
        records = Records.read(location)
        records.digests[:, :, 1] = 0
        records.update(location)
        mark(location, complete=False)


def is_one_of(path: Path, datasets: list[xr.Dataset]) -> None:
    """Assert that a store opens as one of some datasets."""
    ds = yx.open(path).load()
    assert any(ds.identical(expected) for expected in datasets), f"{ds.sizes} is none of them"


def check_after(command: str, path: Path, expected: list[xr.Dataset], recovers: bool, fresh: bool) -> None:
    """Run a command on what a kill left; it may be refused, but must not fail, nor lose or mix data."""
    try:
        COMMANDS[command](path)
        done = True
    except yx.InputError:
        done = False
    assert done or not recovers, f"{command} was refused"
    larger = [LARGER, simulate(bound=[0.2, 0.4, 0.6, 0.6]), simulate(seed=2, bound=[0.2, 0.4, 0.6])]
    if done:
        is_one_of(path, {"overwrite": [B], "extend": larger}.get(command, expected))
    else:  # nothing is lost: repair finishes, or an overwrite is still possible
        try:
            yx.verify(path, repair=True)
            is_one_of(path, [A, B, LARGER])
        except yx.InputError:
            save(path, B, overwrite=True)
            assert fresh, "finished data is lost"


def warm_up() -> None:
    """Load what every command needs, once for all forks."""
    import dask.array  # noqa: F401
    import filelock  # noqa: F401
    import xarray.backends.zarr  # noqa: F401
    import xxhash  # noqa: F401
    import zarr.codecs  # noqa: F401

    from yeastxr.storage.layout import choose_layout, identify

    for ds in (A, yx.simulate(**SPEC, chunks={"tf": 1})):
        identify(ds, choose_layout(ds, {}), {})
    ds.compute(scheduler="sync")


def main(scenario: str, first: int, step: int, folder: Path) -> None:
    """Run every kill from the first one in steps, and every command after each."""
    state, killed, recovery, expected = SCENARIOS[scenario]
    start = folder / "start"
    start.mkdir(parents=True)
    assert fork(lambda: prepare(state, start / "x.zarr")) == 0
    recovering = recovery.split(", ")
    turns = itertools.cycle(command for command in COMMANDS if command not in recovering)
    n = first
    while True:
        after = folder / f"{n}"
        shutil.copytree(start, after)
        if fork(partial(kill_at, n, after, partial(COMMANDS[killed], after / "x.zarr"))) == 0:
            break
        for command in COMMANDS if step == 1 else [*recovering, next(turns)]:
            copy = folder / f"{n}-{command}"
            shutil.copytree(after, copy)
            recovers = command in recovering
            fresh = state in ("nothing", "unfinished")
            possible = [*expected, *([B] if fresh and command in ("save another", "overwrite") else [])]
            check = partial(check_after, command, copy / "x.zarr", possible, recovers, fresh)
            if fork(check) != 0:
                print(f"killed at {n}, then {command}: {sorted(p.name for p in after.iterdir())}", flush=True)
            shutil.rmtree(copy)
        shutil.rmtree(after)
        n += step
    print(f"kills: {n - 1}")


if __name__ == "__main__":
    warm_up()
    for name in SCENARIOS if sys.argv[1] == "all" else sys.argv[1:2]:
        main(name, int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]) / name)
