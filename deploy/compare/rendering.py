"""A difference for the terminal and for a pull request; names from users made harmless for both."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from hrsnn_lava.budgets.quantities import is_number
from hrsnn_lava.deploy.compare.differences import Change, ProjectionChange, ProjectionCounts, cause
from hrsnn_lava.deploy.compare.reports import ReportDifference, TermChange
from hrsnn_lava.report.format import UNKNOWN, integer, number, si, table

if TYPE_CHECKING:  # NumPy, which the gate does without
    from hrsnn_lava.deploy.compare.networks import NetworkDifference, SynapseChange

    AnyDifference = ReportDifference | NetworkDifference

#: Longest name that is written out.
LONGEST = 80
#: Rows of a table in text; JSON holds all of them.
MAX_ROWS = 12
NOTHING = "nothing moved"
#: Title, headings and rows.
Table = tuple[str, tuple[str, ...], list[tuple[str, ...]]]
#: Punctuation that Markdown or HTML could read as theirs, wherever it is in a line.
_SPECIAL = re.compile(
    r"[\\`*{}\[\]<>|~&$\"]|(?<![^\W_])_|_(?![^\W_])|:(?=/)|(?<=www)\.", re.IGNORECASE
)
_ARROWS = {"<=": "≤", ">=": "≥", "->": "→"}


def visible(text: str, longest: int = LONGEST) -> str:
    """`text` on one line: what is invisible or turns the reading direction is spelled out.

    Control and format characters, surrogates and unassigned code points become ``\\uXXXX``; XML
    1.0 allows none of the former, and a terminal or a browser would obey some.
    """
    spelled = "".join(
        f"\\u{ord(c):04x}" if unicodedata.category(c)[0] == "C" or c in "\u2028\u2029" else c
        for c in text[: longest + 1]
    )
    return spelled if len(spelled) <= longest else spelled[: longest - 1] + "…"


def escape(text: str, longest: int = 300) -> str:
    """`text` as Markdown shows it unchanged: no markup, no link, no mention, one line."""
    text = visible(text, longest)
    text = re.sub("(?<!\\S)(<=|>=|->)(?!\\S)", lambda sign: _ARROWS[sign.group()], text)
    # a mark is put behind what would mention somebody or something once entities are resolved
    return re.sub("[@#](?!\\d+;)", lambda sign: f"{_entity(sign)}&#8203;", _quoted(text))


def code(name: str) -> str:
    """A name in the type of code, in which nobody is mentioned and nothing is linked."""
    return f"<code>{_quoted(visible(name)).replace('@', '&#64;')}</code>"


def _quoted(text: str) -> str:
    return _SPECIAL.sub(_entity, text)


def _entity(sign: re.Match[str]) -> str:
    return f"&#{ord(sign.group())};"


def render_text(difference: AnyDifference) -> str:
    """The difference as plain text; what is said first matters most."""
    lines = [visible(f"{difference.before} -> {difference.after}", 300)]
    lines += [visible(note, 300) for note in (*difference.notes, sentence(difference)) if note]
    if not difference.moved:
        return "\n".join([*lines, NOTHING])
    for title, head, body in _tables(difference):
        rows = [[visible(cell) for cell in row] for row in body[:MAX_ROWS]]
        lines += ["", title.upper(), table(head, rows)]
        if len(body) > MAX_ROWS:
            lines.append(f"and {len(body) - MAX_ROWS} more; --json has all of them")
    return "\n".join([*lines, *_legend(difference)])


def render_markdown(difference: AnyDifference) -> str:
    """The difference for a pull request; names cannot leave their cell."""
    lines = ["## What moved", "", f"{escape(difference.before)} → {escape(difference.after)}", ""]
    lines += [f"- {escape(note)}" for note in (*difference.notes, sentence(difference)) if note]
    if not difference.moved:
        return "\n".join([*lines, "", "Nothing moved.", ""])
    for title, head, body in _tables(difference):
        rule = [":--", *["--:"] * (len(head) - 1)]
        rows = [head, rule, *([escape(cell) for cell in row] for row in body[:MAX_ROWS])]
        lines += ["", f"### {title}", "", *(f"| {' | '.join(row)} |" for row in rows)]
        if len(body) > MAX_ROWS:
            lines += ["", f"and {len(body) - MAX_ROWS} more"]
    return "\n".join([*lines, *_legend(difference), ""])


def sentence(difference: AnyDifference) -> str:
    """What moved most, in one sentence; empty where no operation moved."""
    changes = difference.projections if isinstance(difference, ReportDifference) else ()
    most = next((change for change in changes if change.delta), None)
    if most is None:
        return ""
    word = "added" if most.delta > 0 else "took away"
    return f"projection {most.name} {word} most: {most.delta:+,} operations ({cause(most)})"


def _tables(difference: AnyDifference) -> Iterator[Table]:
    if isinstance(difference, ReportDifference):
        headline = [change for change in difference.headline if change.before != change.after]
        if headline:
            yield "Headline", _CHANGE, [_row(change) for change in headline]
        if difference.projections:
            yield _projections(difference.projections)
        if difference.terms:
            yield _terms(difference.terms)
    elif difference.synapses:
        yield _synapses(difference.synapses)
    for name, changes in difference.sections.items():
        if changes:
            yield name.capitalize(), _CHANGE, [_row(change) for change in changes]


_CHANGE = ("figure", "before", "after", "change", "%")


def _row(change: Change) -> tuple[str, ...]:
    joules = change.where.endswith("_j")
    values = [
        si(value, "J") if joules and is_number(value) else _short(value)
        for value in (change.before, change.after)
    ]
    delta = change.delta
    delta_text = _signed_j(delta) if joules else _signed(delta)
    return (change.where, *values, delta_text, _percent(change.percent))


def _projections(changes: Sequence[ProjectionChange]) -> Table:
    other_length = any(change.causes.steps for change in changes)
    head = ["projection", "kind", "operations", "(before)", "%", "by spikes", "by fan-out"]
    head += ["by steps"] * other_length
    head += ["synapses", "(before)", "events", "(before)"]
    body = []
    for change in changes:
        a, b = change.before, change.after
        name = change.name if change.status == "kept" else f"{change.name} ({change.status})"
        percent = 100 * change.delta / a.operations if a and a.operations else None
        row: list[str] = [name, change.kind, *_both(a, b, "operations"), _percent(percent)]
        row += [_signed(change.causes.spikes), _signed(change.causes.fan_out)]
        row += [_signed(change.causes.steps)] * other_length
        body.append((*row, *_both(a, b, "synapses"), *_both(a, b, "events")))
    return "Projections", tuple(head), body


def _both(
    before: ProjectionCounts | None, after: ProjectionCounts | None, key: str
) -> tuple[str, str]:
    """After, then before: what it is now is read first."""
    return integer(getattr(after, key, None)), integer(getattr(before, key, None))


def _terms(changes: Sequence[TermChange]) -> Table:
    head = ("energy term", "before", "after", "change", "by count", "by price", "count", "(before)")
    body: list[tuple[str, ...]] = []
    for change in changes:
        energy, count = change.energy_j, change.count
        deltas = map(_signed_j, (energy.delta, change.from_count, change.from_price))
        joules = (si(j if is_number(j) else None, "J") for j in (energy.before, energy.after))
        body.append((change.name, *joules, *deltas, integer(count.after), integer(count.before)))
    return "Energy", head, body


def _synapses(changes: Sequence[SynapseChange]) -> Table:
    head = ("projection", "synapses", "(before)", "new", "gone", "other weight", "other delay")
    body: list[tuple[str, ...]] = []
    for change in changes:
        counts = (change.after, change.before, change.new, change.gone, change.reweighted)
        fan_out = map(number, reversed(change.fan_out))
        body.append((change.name, *map(integer, (*counts, change.delayed)), *fan_out))
    return "Synapses", (*head, "fan-out", "(before)"), body


def _legend(difference: AnyDifference) -> list[str]:
    """How the columns of causes are to be read."""
    if not isinstance(difference, ReportDifference) or not difference.projections:
        return []
    return [
        "",
        "by spikes, by fan-out: the share of the change that each causes; they sum up to it",
    ]


def _short(value: object) -> str:
    text = number(value)
    return text if len(text) <= 44 else f"{text[:41]}..."


def _signed(value: float | None) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, int):
        return f"{value:+,}" if value else "0"
    return f"{value:+.4g}" if value else "0"


def _signed_j(value: float | None) -> str:
    if value is None:
        return UNKNOWN
    return f"+{si(value, 'J')}" if value > 0 else si(value, "J")


def _percent(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:+.1f}"
