"""The page of a search: convergence, front, distributions before and after, what was learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from hrsnn_lava import __version__
from hrsnn_lava.artifacts.files import write_text
from hrsnn_lava.report.plots import SIDE, Plot, axis, histogram
from hrsnn_lava.report.section import render
from hrsnn_lava.search.result import SearchResult

__all__ = ["search_page", "write_page"]

Floats = NDArray[np.float64]
#: CSS classes: trials, the best, those that were given up or failed.
TRIAL, BEST, GIVEN_UP, FAILED = "p0", "p1", "p3", "p5"
#: Part of an axis that is left free at its ends, and pairs of objectives that are drawn.
_FREE, _PAIRS = 0.06, 3


def write_page(result: SearchResult, path: Path, made: str = "") -> Path:
    """Write the page of a search; see `search_page`."""
    write_text(path, search_page(result.data, made))
    return path


def search_page(data: Mapping[str, Any], made: str = "") -> str:
    """A page that needs nothing else.

    Args:
        data: of ``result.json``.
        made: when and by what command, for the foot.
    """
    trials, best = data["trials"], data["trials"][data["best"]]
    objectives = data["objectives"]
    names = [objective["name"] for objective in objectives]
    pairs = list(combinations(objectives, 2))[:_PAIRS]
    page = render(
        "search.html.j2",
        {},
        version=__version__,
        name=data["name"],
        sentence=_sentence(data),
        head=["trial", *names, "", "settings"],
        settings=[(path, _shown(value)) for path, value in best["settings"].items()],
        best=[(name, _number(best["values"][name])) for name in names],
        fresh=_fresh(data),
        convergence=[convergence(trials, objective) for objective in objectives],
        fronts=[_front(data, a, b) for a, b in pairs],
        front=[_row(trials[k], names) for k in data["front"]] if len(names) > 1 else [],
        distributions=[
            plot for path, pair in data["distributions"].items() if (plot := _spread(path, pair))
        ],
        learned=[_learned(name, found) for name, found in data["learned"].items()],
        trials=[_row(trial, names) for trial in trials],
        made=made,
    )
    return str(page)


def _sentence(data: Mapping[str, Any]) -> str:
    counts = dict.fromkeys(("done", "stopped", "failed"), 0)
    for trial in data["trials"]:
        counts[trial["status"]] += 1
    words = {"done": "", "stopped": " given up early", "failed": " failed"}
    said = ", ".join(f"{n}{words[status]}" for status, n in counts.items() if n and words[status])
    more = f" ({said})" if said else ""
    networks = data["networks"]
    return (
        f"{len(data['trials'])} trials{more} of {networks} network{'s' * (networks > 1)} each, "
        f"chosen by {data['suggester']['kind']} in rounds of {data['batch']}; seed {data['seed']}."
    )


def _shown(value: Any) -> str:
    """A value of a spec in a line."""
    if isinstance(value, Mapping):
        return ", ".join(
            str(v) if key == "distribution" else f"{key} {_shown(v)}" for key, v in value.items()
        )
    return _number(value) if isinstance(value, float) else str(value)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _row(trial: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """A trial in a table: number, objectives, how it ended, settings."""
    failure = trial["failure"]
    end = trial["status"] if failure is None else f"{failure['kind']}: {failure['message']:.80}"
    settings = "; ".join(f"{path} = {_shown(v)}" for path, v in trial["settings"].items())
    return [str(trial["trial"]), *(_number(trial["values"][n]) for n in names), end, settings]


def _fresh(data: Mapping[str, Any]) -> list[list[str]]:
    """The winner against the spec as it is; empty where fresh seeds were not asked for."""
    rows = []
    for name, found in (data["confirmed"] or {"differences": {}})["differences"].items():
        if found is not None:
            low, high = found["interval"]
            rows.append(
                [
                    name,
                    _number(found["winner"]),
                    _number(found["start"]),
                    f"{found['mean']:+.4g}",
                    f"{low:+.4g} to {high:+.4g}",
                    str(found["pairs"]),
                ]
            )
    return rows


def convergence(trials: Sequence[Mapping[str, Any]], objective: Mapping[str, str]) -> Plot:
    """An objective over the trials, a dot each, and the best so far as a line."""
    name, higher = objective["name"], objective["better"] == "higher"
    known = [(t["trial"], t["values"][name]) for t in trials if t["values"][name] is not None]
    complete = {t["trial"] for t in trials if t["status"] == "done"}
    place = _Axes([n for n, _ in known], [v for _, v in known], (0, max(len(trials) - 1, 1)))
    shapes, best, line = [], None, list[tuple[float, float]]()
    for number, value in known:
        if number in complete and (best is None or (value > best if higher else value < best)):
            best = value
        if best is not None:
            line.append((number, best))
        shapes.append(place.dot(number, value, TRIAL if number in complete else GIVEN_UP))
    lost = [place.cross(t["trial"]) for t in trials if t["status"] == "failed"]
    legend = [(TRIAL, "trial"), (BEST, "best so far")]
    legend += [(GIVEN_UP, "given up")] if len(complete) < len(known) else []
    legend += [(FAILED, "failed")] if lost else []
    return Plot(
        name,
        Markup("").join([place.stairs(line, BEST), *shapes, *lost]),
        tuple(tick for tick in place.x_ticks() if "." not in tick[1]),  # trials are whole
        place.y_ticks(),
        "trial",
        f"{objective['better']} is better",
        legend=tuple(legend),
        height=230,
        wide=True,
        alt=f"{name} of {len(known)} trials; best {_number(best)}",
    )


class _Axes:
    """Where values stand in a drawing."""

    def __init__(
        self, x: Sequence[float], y: Sequence[float], x_ends: tuple[float, float] | None = None
    ) -> None:
        self.x, self.y = _ends(x_ends or x), _ends(y)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Coordinates of the drawing."""
        (left, right), (low, high) = self.x, self.y
        return SIDE * (x - left) / (right - left), SIDE * (high - y) / (high - low)

    def dot(self, x: float, y: float, css: str) -> Markup:
        """A trial."""
        a, b = self.at(x, y)
        return Markup('<path class="mark small {}" d="M{:.1f} {:.1f}h0"/>').format(css, a, b)

    def cross(self, x: float) -> Markup:
        """A failed trial, at the lower edge."""
        a, _ = self.at(x, self.y[0])
        return Markup('<path class="mark small {}" d="M{:.1f} 985h0"/>').format(FAILED, a)

    def stairs(self, points: Sequence[tuple[float, float]], css: str) -> Markup:
        """A line that changes at its points alone."""
        if not points:
            return Markup("")
        places = [self.at(x, y) for x, y in points]
        steps = "".join(f"H{a:.1f}V{b:.1f}" for a, b in places[1:])
        d = f"M{places[0][0]:.1f} {places[0][1]:.1f}{steps}"
        return Markup('<path class="line {}" d="{}"/>').format(css, d)

    def x_ticks(self) -> Any:
        """Labels below."""
        return axis(*self.x, 6)

    def y_ticks(self) -> Any:
        """Labels on the left."""
        return axis(*self.y, 5)


def _ends(values: Sequence[float]) -> tuple[float, float]:
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    free = _FREE * (high - low) or abs(high) * _FREE or 1.0
    return low - free, high + free


def _front(data: Mapping[str, Any], first: Mapping[str, str], second: Mapping[str, str]) -> Plot:
    """Two objectives of every complete trial; those of the front are marked and joined."""
    a, b = first["name"], second["name"]
    done = [t for t in data["trials"] if t["status"] == "done"]
    place = _Axes([t["values"][a] for t in done], [t["values"][b] for t in done])
    front = set(data["front"])
    shapes = [
        place.dot(t["values"][a], t["values"][b], BEST if t["trial"] in front else TRIAL)
        for t in sorted(done, key=lambda t: t["trial"] in front)
    ]
    return Plot(
        f"{b} over {a}",
        Markup("").join(shapes),
        place.x_ticks(),
        place.y_ticks(),
        f"{a} ({first['better']} is better)",
        f"{second['better']} is better",
        legend=((TRIAL, "trial"), (BEST, "front")),
        height=260,
        wide=True,
        alt=f"{len(front)} of {len(done)} trials are on the front",
    )


def _spread(path: str, pair: Mapping[str, Sequence[float] | None]) -> Plot | None:
    """A distribution in the spec as it is and in the winner's, as histograms of its quantiles."""
    series = [
        (css, label, np.array(pair[key]))
        for css, label, key in ((TRIAL, "before", "before"), (BEST, "winner", "after"))
        if pair[key] is not None
    ]
    if not series:
        return None
    note = "" if pair["before"] is not None else "before: no distribution"
    return histogram(path, series, path.rpartition(".")[2], bins=24, note=note)


def _learned(name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """What the suggester knows of an objective, most important first."""
    important = sorted(found["importance"].items(), key=lambda entry: -entry[1])
    scales = sorted(found["length_scales"].items(), key=lambda entry: entry[1])
    notes = [f"noise {_number(found['noise'])}"]
    if found["least_eigenvalue"] is not None:
        notes.append(
            f"least eigenvalue of the kernel {found['least_eigenvalue']:.2g} of its largest"
        )
    return {
        "name": name,
        "importance": [
            (path, f"{share:.3f}", min(max(share, 0.0), 1.0)) for path, share in important
        ],
        "scales": [(path, _number(scale)) for path, scale in scales],
        "note": "; ".join(notes),
    }
