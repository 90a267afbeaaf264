"""The group of commands: common options, errors, exit status and output."""

import os
import select
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from yeastxr._version import __version__
from yeastxr.errors import InputError, describe_error, escape_controls

_QUIET = "yeastxr.quiet"  # key in a command's context: print errors only


class Refused(click.ClickException):
    """Invalid input: a one-sentence message, and the exit status of a usage error."""

    exit_code = 2


class Group(click.Group):
    """A group whose commands print a one-sentence message for invalid input, not a traceback."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command and its option ``--quiet``."""
        quiet = click.Option(
            ["-q", "--quiet"],
            is_flag=True,
            is_eager=True,  # before --progress
            expose_value=False,
            callback=_keep_quiet,
            help="Print errors only; the exit status reports the result.",
        )
        cmd.params.append(quiet)
        super().add_command(cmd, name)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command and print errors."""
        with _end_neatly():
            return super().main(*args, **kwargs)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the options; this also prints the text of ``--help``."""
        with _end_neatly():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, and convert errors to messages."""
        with _end_neatly(), _explain_errors():
            return super().invoke(ctx)


def _keep_quiet(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    ctx.meta[_QUIET] = value


def is_quiet() -> bool:
    """Return whether the current command prints errors only."""
    ctx = click.get_current_context(silent=True)
    return ctx is not None and bool(ctx.meta.get(_QUIET))


def echo(text: object, **settings: Any) -> None:
    """Print a text with control characters escaped, unless the command is quiet."""
    if not is_quiet():
        click.echo("\n".join(map(escape_controls, str(text).split("\n"))), **settings)


@contextmanager
def explain_interrupt(hint: str) -> Iterator[None]:
    """Convert Ctrl-C to a message with a hint."""
    try:
        yield
    except KeyboardInterrupt:
        raise click.ClickException(f"interrupted; {hint}") from None


@contextmanager
def _explain_errors() -> Iterator[None]:
    """Convert errors that users can fix to one-sentence messages."""
    try:
        with explain_interrupt("nothing has changed"):
            yield
    except InputError as error:
        raise Refused(str(error).replace("overwrite=True", "--overwrite")) from error
    except BrokenPipeError:
        raise
    except OSError as error:
        raise click.ClickException(f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")) from error
    except MemoryError as error:
        raise click.ClickException(f"not enough memory: {describe_error(error)}") from error
    except Exception as error:
        if not _is_from_codec(error):
            raise
        text = f"a chunk can't be decoded ({describe_error(error)}); `yeastxr verify STORE` lists damaged chunks"
        raise click.ClickException(text) from error


@contextmanager
def _end_neatly() -> Iterator[None]:
    """Keep messages on one line, and exit silently when the reader of the output exits, such as ``head -1``."""
    try:
        yield
    except click.ClickException as error:
        vars(error)["message"] = escape_controls(error.message)
        raise
    except BrokenPipeError as error:
        broken = [descriptor for descriptor in (1, 2) if _has_no_reader(descriptor)]
        if not broken:
            raise click.ClickException(f"broken connection: {describe_error(error)}") from error
        null = os.open(os.devnull, os.O_WRONLY)
        for descriptor in broken:
            os.dup2(null, descriptor)  # for output that Python writes at exit
        raise SystemExit(128 + signal.SIGPIPE) from None


def _has_no_reader(descriptor: int) -> bool:
    """Return whether a file descriptor is a pipe whose other end is closed."""
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _is_from_codec(error: Exception) -> bool:
    """Return whether an error comes from zarr's codecs, for example because of a damaged file."""
    modules = (frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(name.partition(".")[0] == "numcodecs" or name.startswith("zarr.codecs") for name in modules)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="yeastxr")
def main() -> None:
    """Simulate transcription-factor binding and perturbation data of yeast, as labelled datasets.

    Exit status: 0 for success; 1 if a check fails, a store is incomplete or damaged, or a run is interrupted; 2 for
    invalid input.
    """
