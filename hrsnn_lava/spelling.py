"""Names that somebody may have meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any

from hrsnn_lava.errors import Problem

#: A name in a list of names, in words: "one of a, b or 'c'".
_NAME = re.compile(r"[^\W_][\w.:/-]*")
_GLUE = {"one", "of", "or", "and"}


def nearest(name: str, known: Iterable[str], count: int = 1) -> list[str]:
    """Those of the known names that are spelled much like `name`, the nearest first."""
    by_letters = {text.casefold(): text for text in known}
    near = difflib.get_close_matches(name.casefold(), by_letters, n=count)
    return [by_letters[text] for text in near]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``did you mean 'random'?``, or nothing where no name is near."""
    near = nearest(name, known)
    return f"did you mean {near[0]!r}?" if near else ""


def misspelt(where: str, value: Any, known: Iterable[str]) -> Problem:
    """The problem of a name that is none of those known, with the one that may be meant."""
    names = tuple(known)
    fix = did_you_mean(value, names) if isinstance(value, str) else ""
    return Problem(where, f"{value!r:.40}", f"one of {', '.join(names)}", fix)


def unknown_options(given: Iterable[str], known: Iterable[str]) -> list[Problem]:
    """A problem for every keyword that is none of those known."""
    names = tuple(known)
    return [misspelt("option", name, names) for name in given if name not in names]


def names_in(text: str) -> list[str]:
    """The names in a text that lists what is allowed."""
    return [name.rstrip(".,:") for name in _NAME.findall(text) if name not in _GLUE]
