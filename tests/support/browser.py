"""A headless Chromium of the system, driven by Playwright; one page at a time."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
OPTIONS = ("--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars")


def missing():
    """Why no page can be opened here; empty where one can."""
    if find_spec("playwright") is None:
        return "Playwright is not installed"
    return "" if _path() else "no Chromium on this machine"


def _path():
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """One page at a time; what it logged and asked the network for is kept."""

    def __init__(self, page):
        self._page, self.logged, self.requested = page, [], []
        page.on("console", lambda message: self.logged.append(message.text))
        page.on("pageerror", lambda error: self.logged.append(str(error)))
        page.on("request", lambda request: self.requested.append(request.url))

    def open(self, path, width=1280, height=900, dark=False, media="screen"):
        """Load a file at a window size; `media` is ``print`` or ``screen``."""
        self.logged.clear()
        self.requested.clear()
        self._page.emulate_media(media=media, color_scheme="dark" if dark else "light")
        self._page.set_viewport_size({"width": width, "height": height})
        self._page.goto(Path(path).absolute().as_uri())

    def evaluate(self, expression):
        """Value of a JavaScript expression in the page."""
        return self._page.evaluate(expression)

    def screenshot(self, path):
        """The whole page as a PNG."""
        self._page.screenshot(path=path, full_page=True)

    def pdf(self):
        """The page as printed: bytes of a PDF."""
        return self._page.pdf()


@contextmanager
def browser():
    """A running Chromium with an empty profile."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=_path(), args=OPTIONS)
        yield Browser(chromium.new_page())
        chromium.close()
