"""Networks side by side: their scores on a task, and what each score costs in operations.

Which columns are scores, how they are headed and which way is better is told by `scores` (see
`hrsnn_lava.metrics.scores`); no score is known by name beforehand. The pruning curve draws the
headline score of the rows that have one against their synaptic operations; several densities of
one method are joined. The choice of drawing is ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, cast

from markupsafe import Markup

from hrsnn_lava.errors import SpecError
from hrsnn_lava.report.facts import Facts
from hrsnn_lava.report.format import WIDTH, Plain, label, number, show, table, titled, wrap
from hrsnn_lava.report.plots import SIDE, Plot, axis
from hrsnn_lava.report.section import Section, render


class ScoreDescription(TypedDict):
    """A score but for its value: its key in rows, its heading, which way is better, its unit."""

    name: str
    title: str
    better: Literal["lower", "higher"] | None
    unit: str


class Point(TypedDict):
    """A point of the pruning curve."""

    name: str
    method: str | None
    budget: str | None
    score: float
    score_name: str
    less_is_better: bool
    sops: float
    sops_name: str


def _former(name: str, title: str, better: Literal["lower", "higher"]) -> ScoreDescription:
    return {"name": name, "title": title, "better": better, "unit": ""}


#: Scores of rows that come without descriptions, as reports had them before there were any.
FORMER = (
    _former("rmse_mean", "RMSE", "lower"),
    _former("rmse_median", "median", "lower"),
    _former("vpt_0.1_steps_mean", "VPT .1", "higher"),
    _former("vpt_0.3_steps_mean", "VPT .3", "higher"),
    _former("vpt_0.5_steps_mean", "VPT .5", "higher"),
    _former("one_step", "one step", "lower"),
    _former("one_step_nrmse_mean", "one step", "lower"),
    _former("nrmse_mean", "NRMSE", "lower"),
    _former("accuracy", "accuracy", "higher"),
    _former("memory_capacity", "memory capacity", "higher"),
    _former("score", "score", "lower"),
)
#: Columns before the scores and after them, with their headings; all others follow.
BEFORE = {
    "name": "network",
    "density": "density",
    "synapses": "synapses",
    "sops": "SOPs",
    "sop_ratio": "SOP ratio",
    "recurrent_sops_per_sample": "SOPs/sample",
    "recurrent_sop_ratio": "SOP ratio",
}
AFTER = {"spikes": "spikes", "spikes_per_sample": "spikes/sample"}
#: Synaptic operations of a row; the first that rows have is drawn.
OPERATIONS = (
    ("recurrent_sops_per_sample", "recurrent SOPs per sample"),
    ("sops_per_sample", "SOPs per sample"),
    ("sops", "SOPs"),
)
#: Part of the axis that stands for no operation at all, which a logarithm has no place for.
ZERO_SHARE = 0.16
#: Lower edge of a text above and below its point, in percent of the height.
ABOVE, BELOW = 3.0, -9.0
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def data(facts: Facts) -> Plain:
    """``comparison``, ``scores`` and ``pruning_curve``."""
    rows, curve = facts.evidence.comparison or (), facts.evidence.curve
    scores = described(facts.evidence.scores or ())
    return {
        "comparison": [dict(row) for row in rows],
        "scores": scores,
        "pruning_curve": points(rows if curve is None else curve, scores),
    }


def described(scores: Sequence[Plain]) -> list[ScoreDescription]:
    """Descriptions of scores, checked; without a unit they are plain numbers.

    Raises:
        SpecError: one of them lacks its name or title, or says another direction.
    """
    for score in scores:
        known = score.get("better", "") in ("lower", "higher", None)
        if not {"name", "title"} <= score.keys() or not known:
            raise SpecError(
                f"scores: {show(score)}; allowed: name, title, better (lower or higher), unit; "
                "better is none where neither is"
            )
    return [cast(ScoreDescription, {"unit": "", **score}) for score in scores]


def headline(report: Plain) -> ScoreDescription | None:
    """The score that networks are compared by; None where rows come without descriptions."""
    scores: Sequence[ScoreDescription] = report.get("scores") or ()
    return scores[0] if scores else None


def _heading(score: ScoreDescription) -> str:
    return f"{score['title']} ({score['unit']})" if score["unit"] else score["title"]


@dataclass(frozen=True)
class Comparison:
    """A table of networks.

    Attributes:
        head: headings.
        rows: cells as text.
        common: what all rows have in common, as one text.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    common: str

    @staticmethod
    def of(rows: Sequence[Plain], scores: Sequence[ScoreDescription] = ()) -> Comparison:
        """Columns of single values; those alike in all of several rows go into `common`."""
        headings = {
            **BEFORE,
            **{score["name"]: _heading(score) for score in scores or FORMER},
            **AFTER,
        }
        keys = list(dict.fromkeys(key for row in rows for key in row))
        single = [k for k in keys if not any(isinstance(r.get(k), (list, dict)) for r in rows)]
        alike = {k for k in single if len(rows) > 1 and len({show(r.get(k)) for r in rows}) == 1}
        first = [k for k in headings if k in single]
        order = [k for k in (*first, *(k for k in single if k not in headings)) if k not in alike]
        return Comparison(
            tuple(headings.get(key, label(key)) for key in order),
            tuple(tuple(_cell(row.get(key)) for key in order) for row in rows),
            ", ".join(f"{label(k)} {show(rows[0].get(k))}" for k in single if k in alike),
        )

    def cut(self, width: int) -> Comparison:
        """As many of the first columns as fit a line of `width` characters."""
        line_length, count = -2, 0
        for column in zip(self.head, *self.rows, strict=True):
            line_length += 2 + max(len(cell) for cell in column)
            if line_length > width and count:
                break
            count += 1
        rows = tuple(row[:count] for row in self.rows)
        return Comparison(self.head[:count], rows, self.common)


def _cell(value: Any) -> str:
    """Three significant digits, which is more than few seeds can tell apart."""
    if isinstance(value, float) and 0 < abs(value) < 1e3:
        return f"{value:.3g}"
    return show(value)


def directions(report: Plain) -> str:
    """Which way each score is better; empty where rows come without descriptions."""
    scores: Sequence[ScoreDescription] = report.get("scores") or ()
    words = {"lower": "less", "higher": "more"}
    told = ((s["title"], words.get(s["better"] or "")) for s in scores)
    return "; ".join(f"{title}: {word} is better" for title, word in told if word)


def text(report: Plain) -> str:
    """As many columns as fit, what all rows share, and which way is better."""
    if not report["comparison"]:
        return ""
    whole = Comparison.of(report["comparison"], report.get("scores") or ())
    narrow = whole.cut(WIDTH)
    lines = [table(narrow.head, narrow.rows)]
    if whole.common:
        lines.append(f"all: {whole.common}")
    further = whole.head[len(narrow.head) :]
    if further:
        lines.append(wrap(f"in report.json and report.html too: {', '.join(further)}"))
    lines += filter(None, [wrap(directions(report))])
    return titled("Comparison", "\n".join(lines))


def points(rows: Sequence[Plain], scores: Sequence[ScoreDescription] = ()) -> list[Point]:
    """One entry per row with a score and operations; empty for fewer than two."""
    score = next((s for s in scores or FORMER if _shared(rows, s["name"])), None)
    cost = next((entry for entry in OPERATIONS if _shared(rows, entry[0])), None)
    if score is None or cost is None:
        return []
    entries: list[Point] = [
        {
            "name": str(row.get("name", k + 1)),
            "method": row.get("method"),
            "budget": _budget_of(row),
            "score": float(row[score["name"]]),
            "score_name": _heading(score),
            "less_is_better": score["better"] == "lower",
            "sops": float(row[cost[0]]),
            "sops_name": cost[1],
        }
        for k, row in enumerate(rows)
        if _finite(row.get(score["name"])) and _finite(row.get(cost[0]))
    ]
    return entries if len(entries) > 1 else []


def _budget_of(row: Plain) -> str | None:
    """What pruning left, as labels say it; older reports have the density alone."""
    density = row.get("density")
    return row.get("budget") or (None if density is None else f"{100 * density:g} %")


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _shared(rows: Sequence[Plain], key: str) -> bool:
    """Whether two rows have it."""
    return sum(_finite(row.get(key)) for row in rows) > 1


def curve_plot(curve: Sequence[Point]) -> Plot | None:
    """The points over a logarithmic axis, by their budget where a method has several, else
    numbered; 0 operations stand at the axis's left end, behind a rule."""
    if not curve:
        return None
    sops = [float(p["sops"]) for p in curve]
    positive = [s for s in sops if s > 0]
    low = math.floor(math.log10(min(positive, default=1.0)) - 0.05)
    high = max(math.ceil(math.log10(max(positive, default=10.0)) + 0.05), low + 1)
    none = len(positive) < len(sops)
    start = low - (ZERO_SHARE / (1 - ZERO_SHARE) * (high - low) if none else 0.0)
    lowest, highest = min(p["score"] for p in curve), max(p["score"] for p in curve)
    floor = min(lowest, 0.0)
    top = floor + (highest - floor) * 1.2 or 1.0

    def place(point: Point) -> tuple[float, float]:
        up = (point["score"] - floor) / (top - floor or 1.0)
        if not point["sops"]:
            return ZERO_SHARE / 4, up
        return (math.log10(point["sops"]) - start) / (high - start), up

    where = [place(p) for p in curve]
    shapes = [_lines(curve, where)]
    if none:
        shapes.append(Markup('<path class="rule" d="M{:.1f} 0V1000"/>').format(SIDE * ZERO_SHARE))
    series = _series(curve)
    colours = {name: k % 6 for k, name in enumerate(series)}
    for (x, y), point, count in zip(where, curve, sops, strict=True):
        shape = '<path class="mark p{}" d="M{:.1f} {:.1f}h0"><title>{}</title></path>'
        hint = f"{point['name']}: {number(point['score'])} at {number(count)} SOPs"
        colour = colours[_series_of(point)]
        shapes.append(Markup(shape).format(colour, SIDE * x, SIDE * (1 - y), hint))
    numbers = {name: k + 1 for k, name in enumerate(n for n in series if len(series[n]) == 1)}
    texts = [_label(point, numbers.get(_series_of(point))) for point in curve]
    ticks = [(100 * ZERO_SHARE / 4, "0")] if none else []
    span = range(low, high + 1, max(1, (high - low) // 5))
    ticks += [(100 * (k - start) / (high - start), _power(k)) for k in span]
    arrow = "less is better" if curve[0]["less_is_better"] else "more is better"
    return Plot(
        "Score against synaptic operations",
        Markup("").join(shapes),
        tuple(ticks),
        axis(floor, top, 4),
        str(curve[0]["sops_name"]),
        str(curve[0]["score_name"]),
        f"{arrow}; best towards the left",
        tuple(
            (f"p{colours[name]}", f"{numbers[name]} {name}" if name in numbers else name)
            for name in series
        ),
        height=240,
        wide=True,
        alt=f"{curve[0]['score_name']} of {len(curve)} networks over their synaptic operations",
        labels=_labels(where, texts),
    )


def _label(point: Point, number: int | None) -> str:
    """What stands beside a point: its number in the legend, else its budget."""
    return str(number) if number is not None else point["budget"] or ""


def _power(exponent: int) -> str:
    return f"{10**exponent:,}" if 0 <= exponent < 4 else "10" + str(exponent).translate(_RAISED)


def _series_of(point: Point) -> str:
    """What a point is one of: its method, under the name that it has there, or itself."""
    name = str(point["name"])
    if not point["method"] or point["budget"] is None:
        return name
    stem = name.removesuffix(f" {point['budget']}")
    return str(point["method"]) if stem == name else stem


def _series(curve: Sequence[Point]) -> dict[str, list[int]]:
    """Points by series; those of several budgets first, since they are lines."""
    groups: dict[str, list[int]] = {}
    for k, point in enumerate(curve):
        groups.setdefault(_series_of(point), []).append(k)
    return dict(sorted(groups.items(), key=lambda item: len(item[1]) == 1))


def _lines(curve: Sequence[Point], where: Sequence[tuple[float, float]]) -> Markup:
    """Budgets of one method, joined."""
    paths = []
    for colour, members in enumerate(_series(curve).values()):
        if len(members) > 1:
            line = "L".join(
                f"{SIDE * where[k][0]:.1f} {SIDE * (1 - where[k][1]):.1f}"
                for k in sorted(members, key=lambda k: where[k][0])
            )
            shape = Markup('<path class="line p{}" d="M{}"/>')
            paths.append(shape.format(colour % 6, Markup(line)))
    return Markup("").join(paths)


def _labels(
    where: Sequence[tuple[float, float]], texts: Sequence[str]
) -> tuple[tuple[float, float, str], ...]:
    """Texts above their points, or below them where that is free, else moved further up.

    Returns:
        Percent of the two axes, and the text.
    """
    marks = [(100 * x, 100 * y) for x, y in where]
    texts_at: list[tuple[float, float]] = []
    placed = []
    for k in sorted(range(len(marks)), key=lambda k: marks[k][1]):
        x, others = marks[k][0], marks[:k] + marks[k + 1 :]
        heights = [ABOVE, BELOW, *(ABOVE + n for n in range(1, 100))]
        free = (marks[k][1] + up for up in heights if marks[k][1] + up >= 0)
        y = next((y for y in free if not _covered(x, y, texts_at, others)), marks[k][1] + ABOVE)
        texts_at.append((x, y))
        placed.append((x, y, texts[k]))
    return tuple(placed)


def _covered(
    x: float, y: float, texts: Sequence[tuple[float, float]], marks: Sequence[tuple[float, float]]
) -> bool:
    """Whether a text there would cover another one, or a point."""
    # a text is 12 px high, its lower edge at y; a point reaches 6 px around its centre
    return any(abs(x - a) < 6 and abs(y - b) < 6 for a, b in texts) or any(
        abs(x - a) < 5 and -2.5 < b - y < 7.5 for a, b in marks
    )


def html(report: Plain, _: Facts) -> Markup:
    """The pruning curve and the whole table."""
    if not report["comparison"]:
        return Markup("")
    return render(
        "comparison.html.j2",
        report,
        curve=curve_plot(report["pruning_curve"]),
        comparison=Comparison.of(report["comparison"], report.get("scores") or ()),
        directions=directions(report),
    )


SECTION = Section("comparison", "Comparison", data, text, html)
