"""The command ``yeastxr``; options are the functions' parameters."""

import atexit
import gc

from yeastxr.cli.doctor import doctor
from yeastxr.cli.explorer import explore
from yeastxr.cli.group import main
from yeastxr.cli.measured import import_tables
from yeastxr.cli.plots import plot
from yeastxr.cli.results import analyze, check, demo, export, report, split
from yeastxr.cli.stores import extend, info, simulate, verify
from yeastxr.cli.sweeps import sweep

__all__ = ["main", "run"]

for _command in (
    simulate,
    sweep,
    extend,
    info,
    verify,
    check,
    report,
    explore,
    plot,
    export,
    split,
    analyze,
    import_tables,
    demo,
    doctor,
):
    main.add_command(_command)


def run() -> None:
    """Run the command and end the process."""
    atexit.register(gc.freeze)  # garbage collection at exit takes a fifth of a short run
    main()
