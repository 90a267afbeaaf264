"""The explorer in a notebook, and as a page that a server on this machine shows in a browser."""

import asyncio
import hmac
import ipaddress
import os
import secrets
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import xarray as xr

from yeastxr._utils import import_extra
from yeastxr._validate import check_flag, check_integer
from yeastxr.errors import InputError, format_value
from yeastxr.schema import validate

if TYPE_CHECKING:
    from yeastxr.explore.page import Explorer

_LOCAL_NAMES = ("127.0.0.1", "localhost")
_IN_MEMORY = "# ds is the dataset that was given to explore()"


def explore(ds: xr.Dataset, *, title: str = "yeastxr") -> "Explorer":
    """Explore a dataset in a notebook: the object that is returned displays itself below the cell.

    Parameters
    ----------
    ds
        A yeastxr dataset, dims ``(..., gene, tf)``; NumPy, dask or a store far larger than memory, simulated or
        measured. What is shown is read when it is shown.
    title
        The title of the page.

    Returns
    -------
    yeastxr.explore.Explorer
        The page; needs ``pip install 'yeastxr[explore]'``.

    Raises
    ------
    InputError
        If panel is not installed, or the dataset does not follow the data model.

    Examples
    --------
    >>> import yeastxr as yx
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> page = ds.yeast.explore()
    >>> page.go(view="tf", tf=1)
    >>> page.state.to_query(page.source)
    '?view=tf&tf=1'
    """
    validate(ds)
    import_extra("panel", "explore")
    from yeastxr.explore.page import Explorer

    return Explorer(ds, title=title, code=_IN_MEMORY)


def serve(
    ds: xr.Dataset,
    *,
    title: str = "yeastxr",
    code: str = _IN_MEMORY,
    port: int = 0,
    address: str = "127.0.0.1",
    token: str | None = None,
    open_browser: bool = True,
    tell: Callable[[str], None] = print,
    start: bool = True,
) -> Any:
    """Show a dataset in a browser, until Ctrl-C ends it.

    Parameters
    ----------
    ds
        A yeastxr dataset; see :func:`explore`.
    title
        The title of the page.
    code
        Python lines that make the dataset as ``ds``, for the code that the page shows.
    port
        The port; 0 for a free one.
    address
        The address to listen on. Other machines can reach any but ``127.0.0.1``, and need the token.
    token
        What a URL must have as ``token``; made where other machines can reach the address and none is given.
    open_browser
        Whether to open the page.
    tell
        Called with each line to print.
    start
        Whether to serve now; otherwise the server is returned, whose ``run_until_shutdown`` serves.

    Returns
    -------
    panel.io.server.Server
        The server.

    Raises
    ------
    InputError
        If panel is not installed, the dataset does not follow the data model, the address is not one of this machine,
        or the port is taken.

    Examples
    --------
    >>> import yeastxr as yx
    >>> from yeastxr.explore import serve
    >>> ds = yx.simulate(genes=1000, bound=[0.1, 0.3], seed=42)
    >>> lines = []
    >>> server = serve(ds, title="sim", open_browser=False, start=False, tell=lines.append)
    >>> lines[0].partition(" at ")[0], lines[0].partition("; ")[2]
    ('Exploring sim', 'Ctrl-C ends it.')
    """
    ds = validate(ds)
    port = check_integer("port", port, least=0, most=65_535)
    check_flag("open_browser", open_browser)
    pn = import_extra("panel", "explore")
    local = _is_local(address)
    if not local and token is None:
        token = secrets.token_urlsafe(24)
    try:
        port = _find_port(address, port)
        origins = [f"{name}:{port}" for name in {address, *_LOCAL_NAMES}] if local else ["*"]
        server = pn.serve(
            {"/": _make_pages(ds, title, code, token, origins)},
            port=port,
            address=address,
            websocket_origin=origins,
            show=False,
            start=False,
            title=title,
            verbose=False,
            location=False,
            check_unused_sessions_milliseconds=10_000,
            unused_session_lifetime_milliseconds=60_000,
        )
    except OSError as error:
        raise InputError(
            f"port is {port} and address {format_value(address)}, where no server can listen: "
            f"{error.strerror or error}; expected a free port, such as 0 for any, of an address of this machine"
        ) from None
    server.io_loop.asyncio_loop.set_exception_handler(_handle_failure)
    url = f"http://{address}:{server.port}/" + (f"?{urlencode({'token': token})}" if token else "")
    tell(f"Exploring {title} at {url}; Ctrl-C ends it.")
    if not local:
        tell(
            f"Warning: other machines can reach {address}. Whoever has the URL with its token can read the dataset; "
            "the connection is not encrypted."
        )
    if open_browser:
        server.io_loop.call_later(0.3, lambda: _open(url))
    if start:
        try:
            server.start()
            server.io_loop.start()  # a SIGTERM ends the process, even if nobody reads what it prints
        except KeyboardInterrupt:
            tell("Stopped.")
        finally:
            server.stop()
    return server


def _handle_failure(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Say nothing of a message to a tab that was closed meanwhile; the log has other failures."""
    from tornado.iostream import StreamClosedError
    from tornado.websocket import WebSocketClosedError

    if not isinstance(context.get("exception"), StreamClosedError | WebSocketClosedError):
        loop.default_exception_handler(context)


def _find_port(address: str, port: int) -> int:
    """Return a port of an address if it is free, or for 0 any that is."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if os.name == "posix":  # as servers do: a port that has just been left is free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((address, port))
        return int(probe.getsockname()[1])


def _open(url: str) -> None:
    import webbrowser

    webbrowser.open(url)


def _is_local(address: str) -> bool:
    """Return whether only this machine can reach an address, or refuse a text that is none."""
    if address == "localhost":
        return True
    try:
        return ipaddress.IPv4Address(address).is_loopback
    except ValueError:
        raise InputError(
            f"address is {format_value(address)}; expected an IPv4 address of this machine, such as 127.0.0.1, or "
            "0.0.0.0 for all of them"
        ) from None


def _make_pages(ds: xr.Dataset, title: str, code: str, token: str | None, origins: Sequence[str]) -> Callable[[], Any]:
    """Return a function that makes the page of a browser that connects: each has its own.

    A page that came under another name, as other sites can make a browser ask for, gets nothing of the dataset.
    """

    def make_page() -> Any:
        import panel as pn

        from yeastxr.explore.page import Explorer
        from yeastxr.explore.style import read_asset
        from yeastxr.explore.views.base import make_html

        arguments = {
            name: [value.decode("utf-8", "replace") for value in values]
            for name, values in pn.state.session_args.items()
        }
        template = pn.Template(read_asset("page.html"))
        if "*" not in origins and pn.state.headers.get("Host") not in origins:
            template.add_panel("explorer", make_html('<p role="alert">This page is served to this machine only.</p>'))
            return template
        if token is not None and not hmac.compare_digest(arguments.get("token", [""])[0].encode(), token.encode()):
            template.add_panel("explorer", make_html('<p role="alert">This page needs the URL with its token.</p>'))
            return template
        query = urlencode([(name, value) for name, values in arguments.items() for value in values if name != "token"])
        kept = {} if token is None else {"token": token}
        page = Explorer(ds, title=title, code=code, query=query, owns_page=True, kept=kept)
        template.add_panel("explorer", page)
        return template

    return make_page
