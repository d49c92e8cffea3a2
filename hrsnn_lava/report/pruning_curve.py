"""Score against synaptic operations: what each way of pruning costs, and what it saves.

The points are the rows of the comparison that have both; several densities of one method are
joined. The choice of score and the drawing are ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from hrsnn_lava.report.format import number
from hrsnn_lava.report.plots import SIDE, Plot, axis

#: Scores of a comparison, the first that rows have is drawn: key, name, whether less is better.
SCORES = (
    ("rmse_mean", "RMSE", True),
    ("nrmse_mean", "NRMSE", True),
    ("accuracy", "accuracy", False),
    ("memory_capacity", "memory capacity", False),
    ("score", "score", False),
)
#: Synaptic operations of a comparison, likewise.
OPERATIONS = (
    ("recurrent_sops_per_sample", "recurrent SOPs per sample"),
    ("sops_per_sample", "SOPs per sample"),
    ("sops", "SOPs"),
)

#: Part of the axis that stands for no operation at all, which a logarithm has no place for.
ZERO_SHARE = 0.16
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def points(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One entry per row with a score and operations; empty for fewer than two."""
    score = _common(rows, [key for key, _, _ in SCORES])
    cost = _common(rows, [key for key, _ in OPERATIONS])
    if score is None or cost is None:
        return []
    names = {key: (name, less) for key, name, less in SCORES}
    found = [
        {
            "name": str(row.get("name", k + 1)),
            "method": row.get("method"),
            "density": row.get("density"),
            "score": float(row[score]),
            "score_name": names[score][0],
            "less_is_better": names[score][1],
            "sops": float(row[cost]),
            "sops_name": dict(OPERATIONS)[cost],
        }
        for k, row in enumerate(rows)
        if _known(row.get(score)) and _known(row.get(cost))
    ]
    return found if len(found) > 1 else []


def _known(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _common(rows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> str | None:
    """The first key that two rows have."""
    return next((k for k in keys if sum(_known(row.get(k)) for row in rows) > 1), None)


def drawing(found: Sequence[Mapping[str, Any]]) -> Plot | None:
    """The points over a logarithmic axis, by their density where a method has several, else
    numbered; 0 operations stand at the axis's left end, behind a rule."""
    if not found:
        return None
    sops = [float(p["sops"]) for p in found]
    positive = [s for s in sops if s > 0]
    low = math.floor(math.log10(min(positive, default=1.0)) - 0.05)
    high = max(math.ceil(math.log10(max(positive, default=10.0)) + 0.05), low + 1)
    none = len(positive) < len(sops)
    left = low - (ZERO_SHARE / (1 - ZERO_SHARE) * (high - low) if none else 0.0)
    best, worst = min(p["score"] for p in found), max(p["score"] for p in found)
    floor = min(best, 0.0)
    top = floor + (worst - floor) * 1.2 or 1.0

    def place(point: Mapping[str, Any]) -> tuple[float, float]:
        up = (point["score"] - floor) / (top - floor or 1.0)
        if not point["sops"]:
            return ZERO_SHARE / 4, up
        return (math.log10(point["sops"]) - left) / (high - left), up

    where = [place(p) for p in found]
    shapes = [_lines(found, where)]
    if none:
        shapes.append(Markup('<path class="rule" d="M{:.1f} 0V1000"/>').format(SIDE * ZERO_SHARE))
    series = _series(found)
    colours = {name: k % 6 for k, name in enumerate(series)}
    for (x, y), point, count in zip(where, found, sops, strict=True):
        shape = '<path class="mark p{}" d="M{:.1f} {:.1f}h0"><title>{}</title></path>'
        hint = f"{point['name']}: {number(point['score'])} at {number(count)} SOPs"
        colour = colours[_series_of(point)]
        shapes.append(Markup(shape).format(colour, SIDE * x, SIDE * (1 - y), hint))
    numbers = {name: k + 1 for k, name in enumerate(n for n in series if len(series[n]) == 1)}
    texts = [
        str(numbers[name]) if (name := _series_of(p)) in numbers else f"{100 * p['density']:g} %"
        for p in found
    ]
    ticks = [(100 * ZERO_SHARE / 4, "0")] if none else []
    span = range(low, high + 1, max(1, (high - low) // 5))
    ticks += [(100 * (k - left) / (high - left), _power(k)) for k in span]
    arrow = "less is better" if found[0]["less_is_better"] else "more is better"
    return Plot(
        "Score against synaptic operations",
        Markup("").join(shapes),
        tuple(ticks),
        axis(floor, top, 4),
        str(found[0]["sops_name"]),
        str(found[0]["score_name"]),
        f"{arrow}; best towards the left",
        tuple(
            (f"p{colours[name]}", f"{numbers[name]} {name}" if name in numbers else name)
            for name in series
        ),
        height=240,
        wide=True,
        alt=f"{found[0]['score_name']} of {len(found)} networks over their synaptic operations",
        labels=_labels(where, texts),
    )


def _power(exponent: int) -> str:
    return f"{10**exponent:,}" if 0 <= exponent < 4 else "10" + str(exponent).translate(_RAISED)


def _series_of(point: Mapping[str, Any]) -> str:
    """What a point is one of: its method, under the name that it has there, or itself."""
    name = str(point["name"])
    if not point["method"] or point["density"] is None:
        return name
    stem = name.removesuffix(f" {100 * point['density']:g} %")
    return str(point["method"]) if stem == name else stem


def _series(found: Sequence[Mapping[str, Any]]) -> dict[str, list[int]]:
    """Points by series; those of several densities first, since they are lines."""
    groups: dict[str, list[int]] = {}
    for k, point in enumerate(found):
        groups.setdefault(_series_of(point), []).append(k)
    return dict(sorted(groups.items(), key=lambda item: len(item[1]) == 1))


def _lines(found: Sequence[Mapping[str, Any]], where: Sequence[tuple[float, float]]) -> Markup:
    """Densities of one method, joined."""
    paths = []
    for colour, mine in enumerate(_series(found).values()):
        if len(mine) > 1:
            line = "L".join(
                f"{SIDE * where[k][0]:.1f} {SIDE * (1 - where[k][1]):.1f}"
                for k in sorted(mine, key=lambda k: where[k][0])
            )
            shape = Markup('<path class="line p{}" d="M{}"/>')
            paths.append(shape.format(colour % 6, Markup(line)))
    return Markup("").join(paths)


def _labels(
    where: Sequence[tuple[float, float]], texts: Sequence[str]
) -> tuple[tuple[float, float, str], ...]:
    """Texts above their points, moved up while another text or point is close.

    Returns:
        Percent of the two axes, and the text.
    """
    marks = [(100 * x, 100 * y) for x, y in where]
    taken: list[tuple[float, float]] = []
    placed = []
    for k in sorted(range(len(marks)), key=lambda k: marks[k][1]):
        x, y = marks[k][0], marks[k][1] + 3.0
        # a text is 12 px high, its lower edge at y; a point reaches 6 px around its centre
        while any(abs(x - a) < 6 and abs(y - b) < 6 for a, b in taken) or any(
            abs(x - a) < 5 and -2.5 < b - y < 7.5 for a, b in marks[:k] + marks[k + 1 :]
        ):
            y += 1.0
        taken.append((x, y))
        placed.append((x, y, texts[k]))
    return tuple(placed)
