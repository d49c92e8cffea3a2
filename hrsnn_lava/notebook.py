"""What a prompt and a notebook show: of an object a line, or a badge, a title and a few figures; of
long work a bar.

No class, no script and nothing fetched: it lives in the page of somebody else. Text takes the
colour of that page, so it is legible on light and on dark.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from enum import Enum
from importlib import import_module
from numbers import Integral, Real
from time import monotonic
from typing import Any, TypeVar

from markupsafe import Markup

from hrsnn_lava.progress import Progress, silent

_CARD = (
    '<div style="max-width:64em;padding:.7em 1em;border:1px solid rgba(128,128,128,.45);'
    'border-radius:8px;font:14px/1.45 system-ui,sans-serif">{}</div>'
)
_HEAD = '<div style="margin-bottom:.5em">{}<b><bdi>{}</bdi></b> <span><bdi>{}</bdi></span></div>'
_BADGE = (
    '<b style="padding:.05em .6em;border-radius:4px;color:#fff;background:{}">{}</b>'
    '<span style="padding-left:.5em"></span>'
)
_FIGURE = (
    '<div style="min-width:8.5em"><div style="font-size:12px;opacity:.8">{}</div>'
    '<div style="font-size:17px;font-weight:600">{}</div>'
    '<div style="font-size:12px;opacity:.8">{}</div></div>'
)
_ROW = '<div style="display:flex;flex-wrap:wrap;gap:.6em 1.6em">{}</div>'
_LINE = '<div style="margin-top:.4em"><bdi>{}</bdi></div>'
GREEN, RED = "#1a7f4b", "#b3261e"


def card(
    title: str,
    about: str,
    figures: Sequence[tuple[str, str, str]],
    badge: tuple[str, str] | None = None,
    lines: Sequence[str] = (),
) -> str:
    """HTML of an object; everything that is given is escaped.

    Args:
        title, about: the name and what it is.
        figures: name, value, note.
        badge: a word and its ground.
        lines: sentences below.
    """
    mark = Markup("") if badge is None else Markup(_BADGE).format(badge[1], badge[0])
    cells = Markup("").join(Markup(_FIGURE).format(*figure) for figure in figures)
    body = Markup(_HEAD).format(mark, title, about) + Markup(_ROW).format(cells)
    body += Markup("").join(Markup(_LINE).format(line) for line in lines)
    return str(Markup(_CARD).format(body))


#: A line that a prompt shows is no longer.
LONGEST = 200
#: Of a text, a list or a mapping in it.
_TEXT, _ITEMS = 60, 4
_Class = TypeVar("_Class", bound=type)


def brief(*names: str, in_cells: bool = True) -> Callable[[_Class], _Class]:
    """A class decorator: one line for a prompt, and a card for a notebook, from a few attributes.

    Arrays are shown by their range and shape, what holds many things by their number, so that the
    line is short however large the object. A class that defines ``_repr_html_`` keeps it.

    Args:
        names: attributes, in order; ``n_spikes`` is shown as ``spikes``, and ``chip=profile.name``
            says what an attribute of an attribute, or an entry of a mapping, is called.
        in_cells: whether the class gets a card; not for what nobody holds in a cell of its own.
    """

    parts = [_labelled(name) for name in names]

    def decorate(cls: _Class) -> _Class:
        def line(self: Any) -> str:
            pairs = (f"{label}={shape(_value(self, path))}" for label, path in parts)
            text = f"{type(self).__name__}({', '.join(pairs)})"
            return text if len(text) <= LONGEST else f"{text[: LONGEST - 4]}...)"

        def html(self: Any) -> str:
            values = {label: shape(_value(self, path)) for label, path in parts}
            title = values.pop("name", "").strip("'\"")
            figures = [(label.replace("_", " "), value, "") for label, value in values.items()]
            return card(title or type(self).__name__, type(self).__name__ if title else "", figures)

        setattr(cls, "__repr__", line)  # noqa: B010 - a dataclass would make its own
        if in_cells and "_repr_html_" not in vars(cls):
            setattr(cls, "_repr_html_", html)  # noqa: B010
        return cls

    return decorate


def _labelled(name: str) -> tuple[str, str]:
    """What an attribute is called, and its path."""
    label, said, path = name.partition("=")
    return (label, path) if said else (name.removeprefix("n_"), name)


def _value(value: Any, path: str) -> Any:
    """What stands at a path; an object that is not valid, which has no such figure, has a dash."""
    try:
        for key in path.split("."):
            value = value[key] if isinstance(value, Mapping) else getattr(value, key)
    except Exception:
        return _Unknown()
    return value


class _Unknown:
    def __repr__(self) -> str:
        return "-"


def shape(value: Any) -> str:
    """A value in a few words: numbers and short texts as they are, of large things their extent."""
    if isinstance(value, str) and not isinstance(value, Enum):
        return repr(value if len(value) <= _TEXT else f"{value[: _TEXT - 3]}...")
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool) or value is None:
        return repr(value)
    if isinstance(value, Integral):
        return f"{int(value):,}"
    if isinstance(value, Real):
        return f"{float(value):.6g}"
    if hasattr(value, "nnz"):
        return f"<{' x '.join(f'{n:,}' for n in value.shape)}, {value.nnz:,} stored>"
    if hasattr(value, "dtype"):
        return _array(value)
    if isinstance(value, Mapping):
        return _listed([shape(str(key)) for key in value], "{}")
    if isinstance(value, (Sequence, Set)):
        return _listed([_named(item) for item in value], "()")
    text = repr(value)
    own = getattr(type(value), "__repr__", object.__repr__) is not object.__repr__
    return text if own and len(text) <= _TEXT and "\n" not in text else type(value).__name__


def _array(value: Any) -> str:
    """Least and greatest entry, and the shape."""
    if not value.ndim:
        return shape(value.item())
    extent = " x ".join(f"{n:,}" for n in value.shape)
    if not value.size or value.dtype.kind not in "biuf":
        return f"<{extent} {value.dtype}>"
    ends = dict.fromkeys(shape(end.item()) for end in (value.min(), value.max()))
    return f"<{extent}: {' to '.join(ends)}>"


def _listed(items: list[str], ends: str) -> str:
    more = f", ... {len(items)} in all" if len(items) > _ITEMS else ""
    return f"{ends[0]}{', '.join(items[:_ITEMS])}{more}{ends[1]}"


def _named(item: Any) -> str:
    """An item of a list by its name, where it has one."""
    name = getattr(item, "name", None)
    return shape(name if isinstance(name, str) and not isinstance(item, Enum) else item)


def in_notebook() -> bool:
    """Whether a notebook runs this, which can show HTML and replace it; IPython is not imported."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


@contextmanager
def shown(progress: Progress | None = None) -> Iterator[Progress]:
    """The progress that was given; without one a bar in a notebook, and nothing elsewhere."""
    if progress is not None:
        yield progress
    elif in_notebook():
        yield _Bar()
    else:
        yield silent


class _Bar:
    """A bar in the output of a cell: one element that is replaced, and no widget."""

    #: Seconds between two pictures; a notebook gets each over a socket.
    EVERY = 0.1

    def __init__(self) -> None:
        display: Any = import_module("IPython.display").display
        self._last, self._text = 0.0, ""
        self._handle = display({"text/plain": "", "text/html": ""}, raw=True, display_id=True)

    def __call__(self, text: str, fraction: float | None = None, /) -> None:
        now = monotonic()
        if text == self._text and now - self._last < self.EVERY and (fraction or 0.0) < 1.0:
            return
        self._last, self._text = now, text
        share = "" if fraction is None else Markup(' value="{:.4f}"').format(fraction)
        bar = Markup('<progress max="1"{}></progress> <span>{}</span>').format(share, text)
        percent = "" if fraction is None else f" {100 * fraction:.0f} %"
        self._handle.update({"text/plain": f"{text}{percent}", "text/html": str(bar)}, raw=True)
