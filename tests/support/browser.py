"""A headless Chromium, driven over its pipe: no driver, no port, nothing to install beside it."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import time
from contextlib import contextmanager
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--no-first-run",
    "--remote-debugging-pipe",
)
PATIENCE = 60.0


def find_browser():
    """Path of a Chromium, or None."""
    return next((found for found in map(shutil.which, NAMES) if found), None)


class Browser:
    """One page at a time; what it logged and asked the network for is kept."""

    def __init__(self, read, write):
        self._read, self._write, self._buffer, self._last = read, write, b"", 0
        self.logged, self.requested = [], []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    _session = None

    def send(self, method, **params):
        """A command of the DevTools protocol, and its result."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            found = self._next()
            if found.get("id") == self._last:
                assert "error" not in found, found["error"]
                return found["result"]
            self._note(found)

    def _next(self):
        end = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(end - time.monotonic(), 0))
            assert ready, f"the browser said nothing for {PATIENCE:g} s"
            self._buffer += os.read(self._read, 1 << 20)
        line, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(line)

    def _note(self, found):
        params = found.get("params", {})
        if found.get("method") == "Network.requestWillBeSent":
            self.requested.append(params["request"]["url"])
        elif found.get("method") == "Log.entryAdded":
            self.logged.append(params["entry"]["text"])
        elif found.get("method") == "Runtime.consoleAPICalled":
            self.logged.append(str([a.get("value") for a in params["args"]]))
        elif found.get("method") == "Runtime.exceptionThrown":
            self.logged.append(params["exceptionDetails"]["text"])

    def open(self, path, width=1280, height=900, dark=False, media=""):
        """Load a file at a window size; `media` is ``print`` or empty."""
        self.logged.clear()
        self.requested.clear()
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        self.send("Page.navigate", url=Path(path).absolute().as_uri())
        end = time.monotonic() + PATIENCE
        while self.evaluate("document.readyState") != "complete":
            assert time.monotonic() < end, "the page did not load"
            time.sleep(0.02)

    def evaluate(self, expression):
        """Value of a JavaScript expression in the page."""
        found = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def screenshot(self, path):
        """The whole page as a PNG."""
        found = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        Path(path).write_bytes(base64.b64decode(found["data"]))

    def pdf(self):
        """The page as printed: bytes of a PDF."""
        return base64.b64decode(self.send("Page.printToPDF", printBackground=False)["data"])


@contextmanager
def browser(profile):
    """A running Chromium with an empty profile in the folder `profile`."""
    # the protocol takes commands on 3 and answers on 4; away from there while both are set
    ours_read, its_write = _pipe()
    its_read, ours_write = _pipe()
    quiet = [(os.POSIX_SPAWN_OPEN, k, os.devnull, os.O_RDWR, 0) for k in (0, 1, 2)]
    wires = [(os.POSIX_SPAWN_DUP2, its_read, 3), (os.POSIX_SPAWN_DUP2, its_write, 4)]
    command = [find_browser(), *OPTIONS, f"--user-data-dir={profile}"]
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=quiet + wires)
    os.close(its_read)
    os.close(its_write)
    try:
        yield Browser(ours_read, ours_write)
    finally:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
        os.close(ours_write)
        os.close(ours_read)


def _pipe():
    return [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in _closing(os.pipe())]


def _closing(ends):
    for end in ends:
        yield end
        os.close(end)
