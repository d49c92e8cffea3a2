"""What a notebook shows of an object: a badge, a title and a few figures, in one small element.

No class, no script and nothing fetched: it lives in the page of somebody else. Text takes the
colour of that page, so it is legible on light and on dark.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

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
