"""A browser without a network, driven over a pipe by the Chrome DevTools protocol."""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

_OPTIONS = (
    "--headless --no-sandbox --disable-gpu --disable-background-networking --remote-debugging-pipe --no-first-run"
)
# Chromium reads commands from descriptor 3 and answers on 4; what is run in between puts the pipes there.
_LAUNCH = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
os.dup2(ends[0], 3), os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
_LOUD = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded", "Network.loadingFailed")


class Tab:
    """A tab of a browser that can reach nothing; it records the requests and the errors of pages.

    Parameters
    ----------
    commands, answers
        File descriptors of the pipes.
    """

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers, self._buffer = commands, answers, b""
        self._number, self._session = 0, ""
        self.events: list[dict[str, Any]] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        speed = {"latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        self.send("Network.emulateNetworkConditions", offline=True, **speed)
        self.send("Emulation.setFocusEmulationEnabled", enabled=True)

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]

    def open(self, page: Path) -> None:
        """Open a page, and wait until it is loaded and its figures are drawn."""
        self.events.clear()
        self.send("Page.navigate", url=page.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self._next()
        idle = "Bokeh.documents.every((document) => document.is_idle)"
        for _ in range(300):
            if self.run(f"!globalThis.Bokeh || {idle}"):
                break
            time.sleep(0.1)
        self.run("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 200)))")

    def run(self, script: str) -> Any:
        """Return the value of an expression, or of its promise."""
        done = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def press(self, key: str, code: int) -> None:
        """Press a key where the focus is."""
        text = {"text": "\r"} if key == "Enter" else {}
        for event in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=event, key=key, code=key, windowsVirtualKeyCode=code, **text)

    def size(self, width: int, height: int = 900, *, mobile: bool = False) -> None:
        """Set the size of the window."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        self.run("new Promise((done) => setTimeout(done, 400))")

    def take_picture(self, path: Path) -> Path:
        """Save a PNG of the complete page."""
        shot = self.send("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))
        return path

    def print_pdf(self, path: Path) -> Path:
        """Save a PDF of the page on A4."""
        done = self.send("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, printBackground=False)
        path.write_bytes(base64.b64decode(done["data"]))
        return path

    @property
    def problems(self) -> list[str]:
        """Errors, warnings and failed requests of the page; messages of the graphics driver are left out."""
        problems = []
        for event in self.events:
            params = event["params"]
            entry = params.get("entry", {})
            quiet = params.get("type") in ("log", "info", "debug") or entry.get("level") in ("verbose", "info")
            if event["method"] in _LOUD and not quiet and entry.get("source") != "rendering":
                problems.append(json.dumps(params)[:500])
        return problems

    @property
    def requests(self) -> list[str]:
        """URLs that the page requested, other than itself and data URLs."""
        urls = [e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"]
        return [url for url in urls[1:] if not url.startswith(("data:", "blob:"))]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._answers], [], [], 60)
            assert ready, "the browser does not answer"
            read = os.read(self._answers, 1 << 20)
            assert read, "the browser has ended"
            self._buffer += read
        answer, self._buffer = self._buffer.split(b"\0", 1)
        message = json.loads(answer)
        if "method" in message:
            self.events.append(message)
        return message


@contextmanager
def browser(profile: Path) -> Iterator[Tab]:
    """Start a browser with a profile of its own, and end it afterwards."""
    theirs, commands = os.pipe()
    answers, theirs_too = os.pipe()
    options = [*_OPTIONS.split(), f"--user-data-dir={profile}", "--host-resolver-rules=MAP * ~NOTFOUND"]
    launch = [sys.executable, "-c", _LAUNCH, str(theirs), str(theirs_too), str(CHROMIUM), *options]
    process = subprocess.Popen(
        launch, pass_fds=(theirs, theirs_too), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(theirs)
    os.close(theirs_too)
    try:
        yield Tab(commands, answers)
    finally:
        process.terminate()
        process.wait(20)
        os.close(commands)
        os.close(answers)
