"""Numbers, names and lines as a reader wants them, the same in text and HTML."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

#: A table of ``report.json``: plain values by name.
Plain: TypeAlias = Mapping[str, Any]
#: Headings and rows of a table, all cells as text.
Cells: TypeAlias = tuple[Sequence[str], Sequence[Sequence[str]]]
#: Columns of a text, where names allow.
WIDTH = 100
#: Shown for what is not known or was not measured.
UNKNOWN = "–"
_PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
#: Items of a long list that are spelled out.
_LISTED = 6
#: Units that end a key, the longest first.
_UNITS = {"_steps_per_s": " steps/s", "_per_s": "/s", "_js": "J s", "_hz": " Hz"}
_SI = {"_s": "s", "_j": "J", "_w": "W"}


def integer(value: Any) -> str:
    """A count with thousands separators."""
    return UNKNOWN if value is None else f"{int(value):,}"


def si(value: float | None, unit: str) -> str:
    """A quantity with an SI prefix and four significant digits, such as ``119.7 µJ``."""
    if value is None:
        return UNKNOWN
    if value == 0 or not math.isfinite(value):
        return f"{value:g} {unit}"
    exponent = 3 * math.floor(math.log10(abs(value)) / 3)
    exponent = min(max(exponent, -15), 12)
    mantissa = f"{value / 10.0**exponent:.4g}"
    if mantissa in ("1000", "-1000") and exponent < 12:
        exponent += 3
        mantissa = f"{value / 10.0**exponent:.4g}"
    return f"{mantissa} {_PREFIXES[exponent]}{unit}"


def percent(fraction: float | None, digits: int = 1) -> str:
    """A share in percent; a dash when there is no limit to take it of."""
    return UNKNOWN if fraction is None else f"{100 * fraction:.{digits}f} %"


def number(value: Any) -> str:
    """A number in four significant digits, an integer whole."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if abs(value) < 1e15 and (value.is_integer() or abs(value) >= 1e3):
            return f"{value:,.0f}"
        return f"{value:.4g}"
    return str(value)


def show(value: Any) -> str:
    """Any plain value on one line; long lists are cut, with their length stated."""
    if isinstance(value, Mapping):
        return ", ".join(f"{label(k)} {show(v)}" for k, v in value.items()) or UNKNOWN
    if isinstance(value, Sequence) and not isinstance(value, str):
        text = ", ".join(show(v) for v in value[:_LISTED])
        return f"{text}, … ({len(value)})" if len(value) > _LISTED else text or UNKNOWN
    return number(value)


def label(key: Any) -> str:
    """``synapse_memory`` as ``synapse memory``."""
    return str(key).replace("_", " ")


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> str:
    """Columns of text under a rule; those in `left` are flush left, the others right."""
    cells = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(head))]

    def line(row: Sequence[str]) -> str:
        parts = [
            cell.ljust(width) if k in left else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(parts).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([line(cells[0]), rule, *(line(row) for row in cells[1:])])


def measured(value: Any, key: str) -> str:
    """A value with the unit that its key names: ``wall_time_s`` in seconds, ``total_j`` in joules.

    What is not a number is shown as it is.
    """
    if value is None or isinstance(value, bool | str | Mapping | list | tuple):
        return show(value)
    if key.endswith("_percent"):
        return f"{value:.4g} %"
    for ending, unit in _UNITS.items():
        if key.endswith(ending):
            return si(value, unit) if ending == "_js" else f"{number(float(value))}{unit}"
    for ending, unit in _SI.items():
        if key.endswith(ending):
            return si(value, unit)
    return number(value)


def caption(key: str) -> str:
    """A key without the unit that ends it: ``wall_time_s`` as ``wall time``."""
    for ending in ("_percent", *_UNITS, *_SI):
        if key.endswith(ending) and len(key) > len(ending):
            return label(key[: -len(ending)])
    return label(key)


def wrap(text: str, indent: str = "  ") -> str:
    """The text in lines of `WIDTH`, all but the first indented; long words stay whole."""
    return textwrap.fill(text, WIDTH, subsequent_indent=indent, break_long_words=False)


def wrapped(sentences: Iterable[str], indent: str = "  ") -> str:
    """Each sentence on lines of its own."""
    return "\n".join(wrap(sentence, indent) for sentence in sentences)


def titled(heading: str, body: str) -> str:
    """A part of a text under its heading; empty where the body is."""
    return f"{heading.upper()}\n{body}" if body else ""


def parts(*texts: str) -> str:
    """Those that are not empty, with a blank line between them."""
    return "\n\n".join(text for text in texts if text)


def pairs(entries: Plain) -> str:
    """A line for each entry that is known: its name and its value."""
    width = max((len(label(key)) for key in entries), default=0)
    return wrapped(
        (f"{label(k):<{width}}  {show(v)}" for k, v in entries.items() if v is not None),
        " " * (width + 2),
    )


def marks(proxy: bool, overridden: bool) -> str:
    """What has to stand beside a figure: ``" (proxy, overridden)"``, or nothing."""
    words = ["proxy"] * proxy + ["overridden"] * overridden
    return f" ({', '.join(words)})" if words else ""


def at_least(before: Plain, key: str) -> str:
    """An energy of the unpruned run; ``≥`` where it is a lower bound."""
    value = before[key]
    if value is None:
        return "null"
    return f"{'' if before['exact'] else '≥ '}{si(value, 'J')}"
