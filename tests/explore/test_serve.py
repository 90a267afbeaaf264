"""The server of the explorer: who gets the page, what it says, and that it lasts."""

import asyncio
import html
import re
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bokeh.document import Document

from tests.explore.common import simulate
from yeastxr.errors import InputError
from yeastxr.explore import serve as serve_here
from yeastxr.explore.views.overview import OverviewView


class Served:
    """The explorer on a server in a thread of this process."""

    def __init__(self, **options: Any) -> None:
        self.lines: list[str] = []
        self._options = options
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(60)
        self.port = self._server.port

    def _run(self) -> None:
        asyncio.set_event_loop(asyncio.new_event_loop())
        self._server = serve_here(simulate(), open_browser=False, start=False, tell=self.lines.append, **self._options)
        self._server.start()
        self._server.io_loop.add_callback(self._ready.set)
        self._server.io_loop.start()
        self._server.io_loop.close()

    def stop(self) -> None:
        loop = self._server.io_loop
        loop.add_callback(self._server.stop)
        loop.add_callback(loop.stop)
        self._thread.join(20)

    def get(self, query: str = "", host: str = "") -> str:
        """Return the texts of the page that a browser gets that knows the server by a name."""
        from panel.models.markup import HTML

        before = {session.id for session in self._server.get_sessions()}
        reply = self.send(f"GET /{query} HTTP/1.1\r\nHost: {host or f'127.0.0.1:{self.port}'}\r\nConnection: close")
        assert reply.startswith(b"HTTP/1.1 200")
        new = [session for session in self._server.get_sessions() if session.id not in before]
        texts = [model.text for session in new for model in session.document.select({"type": HTML})]
        return html.unescape("\n".join(texts))

    def send(self, request: str) -> bytes:
        """Return the answer to a request."""
        with socket.create_connection(("127.0.0.1", self.port), 20) as connection:
            connection.sendall(f"{request}\r\n\r\n".encode())
            parts = []
            while part := connection.recv(1 << 16):
                parts.append(part)
                if b" 403 " in part[:20]:
                    break
        return b"".join(parts)


@pytest.fixture
def start() -> Iterator[Callable[..., Served]]:
    started: list[Served] = []

    def make(**options: Any) -> Served:
        started.append(Served(**options))
        return started[-1]

    yield make
    for served in started:
        served.stop()


def test_page__needs_the_token_where_others_can_reach_it(start: Callable[..., Served]) -> None:
    served = start(address="0.0.0.0")
    token = re.search(r"token=([\w-]{20,})", served.lines[0])
    assert token is not None
    assert served.lines[1].startswith("Warning: other machines can reach 0.0.0.0")
    for wrong in ("", "&token=x", f"&token={token[1][:-1]}"):
        text = served.get(f"?view=tf{wrong}")
        assert "needs the URL with its token" in text
        assert "GAL4" not in text
    assert "TF GAL4" in served.get(f"?view=tf&token={token[1]}")


def test_page__is_for_this_machine_by_its_own_name(start: Callable[..., Served]) -> None:
    served = start(title="sim.zarr")
    assert served.lines == [f"Exploring sim.zarr at http://127.0.0.1:{served.port}/; Ctrl-C ends it."]
    assert "TF MIG1" in served.get("?view=tf&tf=MIG1", f"localhost:{served.port}")
    for host in ("example.com", f"example.com:{served.port}"):
        assert served.get(host=host) == '<p role="alert">This page is served to this machine only.</p>'
    key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
    upgrade = f"Upgrade: websocket\r\nConnection: Upgrade\r\n{key}\r\nOrigin: http://example.com"
    assert b" 403 " in served.send(f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n{upgrade}")[:20]


def test_work__touches_the_document_in_the_server_thread_alone(
    start: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: set[threading.Thread] = set()
    shown = threading.Event()
    schedule, finish = Document.add_next_tick_callback, OverviewView._finish

    def record(document: Document, callback: Any) -> Any:
        threads.add(threading.current_thread())
        return schedule(document, callback)

    def tell(view: OverviewView, inspection: Any) -> None:
        finish(view, inspection)
        shown.set()

    monkeypatch.setattr(Document, "add_next_tick_callback", record)
    monkeypatch.setattr(OverviewView, "_finish", tell)
    served = start()
    served.get("?view=overview")
    assert shown.wait(60)
    assert threads == {served._thread}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"address": "example.com"}, "expected an IPv4 address of this machine"),
        ({"address": "192.0.2.1"}, "where no server can listen"),
        ({"port": 70_000}, "port is 70000"),
        ({"open_browser": "no"}, "open_browser is 'no'"),
    ],
)
def test_serve__refuses(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)):
        serve_here(simulate(), **({"open_browser": False, "start": False} | options))


def test_serve__refuses_a_port_that_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port is {port} .* where no server can listen"):
            serve_here(simulate(), port=port, open_browser=False, start=False)
