"""A difference for the terminal and for a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hrsnn_lava.deploy.compare.artifacts import StructureDifference, Synapses
from hrsnn_lava.deploy.compare.causes import ProjectionChange, Side, cause
from hrsnn_lava.deploy.compare.changes import Change
from hrsnn_lava.deploy.compare.reports import Difference, TermChange
from hrsnn_lava.deploy.gate.markdown import escape
from hrsnn_lava.deploy.gate.plain_text import visible
from hrsnn_lava.report.format import UNKNOWN, integer, number, si, table

#: Rows of a table in text; JSON holds all of them.
MAX_ROWS = 12
NOTHING = "nothing moved"
Table = tuple[str, tuple[str, ...], list[tuple[str, ...]]]


def render_text(found: Difference | StructureDifference) -> str:
    """The difference as plain text; what is said first matters most."""
    lines = [visible(f"{found.before} -> {found.after}", 300)]
    lines += [visible(note, 300) for note in (*_notes(found), sentence(found)) if note]
    if not found.moved:
        return "\n".join([*lines, NOTHING])
    for title, head, body in _tables(found):
        rows = [[visible(cell) for cell in row] for row in body[:MAX_ROWS]]
        lines += ["", title.upper(), table(head, rows)]
        if len(body) > MAX_ROWS:
            lines.append(f"and {len(body) - MAX_ROWS} more; --json has all of them")
    return "\n".join([*lines, *_reading(found)])


def render_markdown(found: Difference | StructureDifference) -> str:
    """The difference for a pull request; names cannot leave their cell."""
    lines = ["## What moved", "", f"{escape(found.before)} → {escape(found.after)}", ""]
    lines += [f"- {escape(note)}" for note in (*_notes(found), sentence(found)) if note]
    if not found.moved:
        return "\n".join([*lines, "", "Nothing moved.", ""])
    for title, head, body in _tables(found):
        rule = [":--", *["--:"] * (len(head) - 1)]
        rows = [head, rule, *([escape(cell) for cell in row] for row in body[:MAX_ROWS])]
        lines += ["", f"### {title}", "", *(f"| {' | '.join(row)} |" for row in rows)]
        if len(body) > MAX_ROWS:
            lines += ["", f"and {len(body) - MAX_ROWS} more"]
    return "\n".join([*lines, *_reading(found), ""])


def sentence(found: Difference | StructureDifference) -> str:
    """What moved most, in one sentence; empty where no operation moved."""
    changes = found.projections if isinstance(found, Difference) else ()
    moved = [change for change in changes if isinstance(change, ProjectionChange) and change.delta]
    if not moved:
        return ""
    most = moved[0]
    word = "added" if most.delta > 0 else "took away"
    return f"projection {most.name} {word} most: {most.delta:+,} operations ({cause(most)})"


def _notes(found: Difference | StructureDifference) -> tuple[str, ...]:
    if isinstance(found, Difference):
        return found.notes
    return (f"two {found.stage} networks: structure alone, no run",)


def _tables(found: Difference | StructureDifference) -> Iterator[Table]:
    if isinstance(found, Difference):
        headline = [change for change in found.headline if change.before != change.after]
        if headline:
            yield "Headline", _CHANGE, [_row(change) for change in headline]
        if found.projections:
            yield _projections(found.projections)
        if found.terms:
            yield _terms(found.terms)
    elif found.synapses:
        yield _synapses(found.synapses)
    for name, changes in found.sections.items():
        if changes:
            yield name.capitalize(), _CHANGE, [_row(change) for change in changes]


_CHANGE = ("figure", "before", "after", "change", "%")


def _row(change: Change) -> tuple[str, ...]:
    joules = change.where.endswith("_j")
    values = [
        si(value, "J") if joules and isinstance(value, (int, float)) else _shown(value)
        for value in (change.before, change.after)
    ]
    delta = change.delta
    moved = _signed_j(delta) if joules else _signed(delta)
    return (change.where, *values, moved, _percent(change.percent))


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


def _both(before: Side | None, after: Side | None, key: str) -> tuple[str, str]:
    """After, then before: what it is now is read first."""
    return integer(getattr(after, key, None)), integer(getattr(before, key, None))


def _terms(changes: Sequence[TermChange]) -> Table:
    head = ("energy term", "before", "after", "change", "by count", "by price", "count", "(before)")
    body: list[tuple[str, ...]] = [
        (
            change.name,
            si(change.energy_j.before, "J"),
            si(change.energy_j.after, "J"),
            _signed_j(change.energy_j.delta),
            _signed_j(change.from_count),
            _signed_j(change.from_price),
            integer(change.count.after),
            integer(change.count.before),
        )
        for change in changes
    ]
    return "Energy", head, body


def _synapses(changes: Sequence[Synapses]) -> Table:
    head: tuple[str, ...] = (
        "projection",
        "synapses",
        "(before)",
        "new",
        "gone",
        "other weight",
        "other delay",
    )
    head += ("fan-out", "(before)")
    body: list[tuple[str, ...]] = [
        (
            change.name,
            *(integer(n) for n in (change.after, change.before, change.new, change.gone)),
            integer(change.reweighted),
            integer(change.delayed),
            number(change.fan_out[1]),
            number(change.fan_out[0]),
        )
        for change in changes
    ]
    return "Synapses", head, body


def _reading(found: Difference | StructureDifference) -> list[str]:
    """How the columns of causes are to be read."""
    if not isinstance(found, Difference) or not found.projections:
        return []
    return [
        "",
        "by spikes, by fan-out: the share of the change that each causes; they sum up to it",
    ]


def _shown(value: Any) -> str:
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
