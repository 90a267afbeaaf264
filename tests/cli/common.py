"""What tests of the command share: a small simulation, and how a command is run."""

from click.testing import CliRunner, Result

from yeastxr.cli import main

SIMULATE = ["--genes", "200", "--bound", "0.1,0.2", "--n-sample", "2,3", "--seed", "42"]


def run(*args: object) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, [str(arg) for arg in args], catch_exceptions=False)
