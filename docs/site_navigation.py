"""What the site adds to the pages: the navigation, and the examples with their figures.

``index.md`` says which pages there are, in groups; ``gallery.md`` and ``api/index.md`` do so for
theirs. A table of links is what a reader of plain Markdown sees. The site makes a ``toctree`` of
each, so that nothing is listed a second time. Used by ``conf.py`` and by the tests.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

#: A heading of a group and what stands below it, up to the next one of its level.
_GROUP = re.compile(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", flags=re.M | re.S)
#: A row of a table whose first cell is a link to a page.
_ROW = re.compile(r"^\| \[[^\]]+\]\(([\w./-]+\.(?:md|py))\) \|", flags=re.M)


def groups(text: str) -> dict[str, list[str]]:
    """Pages of each group of ``index.md``, in order, as the page links to them."""
    found = {title: _ROW.findall(body) for title, body in _GROUP.findall(text)}
    return {title: rows for title, rows in found.items() if rows}


def rows(text: str) -> list[str]:
    """Files that the tables of a page link to from their first cells, in order."""
    return _ROW.findall(text)


def toctree(entries: list[str], caption: str = "") -> str:
    """A toctree that is seen in the navigation alone."""
    head = [":hidden:", *([f":caption: {caption}"] if caption else [])]
    return "\n".join(["", "```{toctree}", *head, "", *entries, "```", ""])


def example_page(script: str) -> str:
    """Page that is made of a script of the gallery, as seen from ``docs``."""
    return script.replace("gallery/", "auto_gallery/").removesuffix(".py")


def place_in_the_gallery(script: str) -> int:
    """Where ``gallery.md`` lists a script."""
    page = Path(__file__).with_name("gallery.md").read_text(encoding="utf-8")
    return [Path(row).name for row in rows(page)].index(Path(script).name)


def with_navigation(name: str, text: str) -> str:
    """The text of a page as Sphinx is to read it.

    Args:
        name: of the page, from ``docs`` and without a suffix, such as ``api/index``.
        text: as it stands in the file.
    """
    if name == "index":
        return text + "".join(toctree(pages, title) for title, pages in groups(text).items())
    if name == "api/index":
        return text + toctree(rows(text))
    if name == "gallery":
        scripts = rows(text)
        table = re.search(r"^\|.*?(?=^$)", text, flags=re.M | re.S)
        assert table is not None
        thumbnails = "\n   ".join(["```{eval-rst}\n.. minigallery::", "", *scripts]) + "\n```\n"
        shown = text[: table.start()] + thumbnails + text[table.end() :]
        return shown + toctree([example_page(script) for script in scripts])
    return text


def add_navigation(app: Any, name: str, source: list[str]) -> None:
    """Sphinx's event ``source-read``."""
    source[0] = with_navigation(name, source[0])
