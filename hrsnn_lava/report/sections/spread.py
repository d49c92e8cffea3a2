"""The networks of the comparison on several seeds: a table, and a picture of dots and deviations.

Dots are seeds, the bar is the mean and one standard deviation to both sides. Float and integers
stand in one line each, so that what quantization costs is seen beside what pruning costs.
"""

from __future__ import annotations

from markupsafe import Markup, escape

from hrsnn_lava.report import spread as statistics
from hrsnn_lava.report.facts import Facts
from hrsnn_lava.report.format import Plain, number, table, titled, wrap
from hrsnn_lava.report.plots import SIDE, Plot, axis
from hrsnn_lava.report.section import Section, render

#: Height of a row of the picture in CSS pixels.
ROW = 34
#: Where float and integers stand in a row, as a share of its height.
PLACES = {"float": 0.32, "integers": 0.68}
COLOURS = {"float": "p0", "integers": "p1"}


def data(facts: Facts) -> Plain:
    """``spread``: empty of a run on one seed."""
    evidence = facts.evidence
    return {"spread": statistics.spread(evidence.spread or (), evidence.scores or ())}


def text(report: Plain) -> str:
    """The table, and what is better than chance."""
    section = report.get("spread")
    if not section:
        return ""
    lines = [table(*statistics.cells(section)), wrap(statistics.note(section))]
    lines += filter(None, [wrap(statistics.sentence(section))])
    return titled("Spread", "\n".join(lines))


def picture(section: Plain) -> Plot:
    """Every network's scores: dots for seeds, a bar for mean and standard deviation."""
    networks: Plain = section["networks"]
    forms = [f for f in PLACES if any(entry[f] for entry in networks.values())]
    entries = [entry[f] for entry in networks.values() for f in forms if entry[f]]
    reach = [v for e in entries for v in (*e["values"], *_ends(e))]
    low, high = min(0.0, *reach), max(0.0, *reach) * 1.04 or 1.0
    height = SIDE / len(networks)
    shapes = []
    for k, (name, entry) in enumerate(networks.items()):
        if k:
            shapes.append(Markup('<path class="faint" d="M0 {:.1f}H1000"/>').format(height * k))
        for form in forms:
            if entry[form] is not None:
                y = height * (k + (PLACES[form] if len(forms) > 1 else 0.5))
                shapes += _marks(name, entry[form], form, y, low, high, section["seeds"])
    score = section["score"]
    words = {"lower": "less is better", "higher": "more is better"}.get(score["better"] or "", "")
    unit = f" ({score['unit']})" if score["unit"] else ""
    step = 100 / len(networks)
    return Plot(
        f"{score['title']} of {len(networks)} networks",
        Markup("").join(shapes),
        axis(low, high, 6),
        tuple((100 - step * (k + 0.5), str(name)) for k, name in enumerate(networks)),
        f"{score['title']}{unit}{', ' if words else ''}{words}",
        note="a dot a seed; bar: mean and standard deviation" if len(section["seeds"]) > 1 else "",
        legend=tuple((COLOURS[form], form) for form in forms),
        height=ROW * len(networks),
        wide=True,
        rows=True,
        alt=f"{score['title']} of {', '.join(map(str, networks))} on {len(section['seeds'])} seeds",
    )


def _ends(entry: Plain) -> tuple[float, float]:
    deviation = entry["sd"] or 0.0
    return entry["mean"] - deviation, entry["mean"] + deviation


def _marks(
    name: str, entry: Plain, form: str, y: float, low: float, high: float, seeds: list[int]
) -> list[Markup]:
    """The bar of one network in one form, then its dots."""

    def at(value: float) -> float:
        return SIDE * (value - low) / (high - low)

    colour, shapes = COLOURS[form], []
    if entry["sd"] is not None:
        begin, end = (at(value) for value in _ends(entry))
        middle = at(entry["mean"])
        bar = '<path class="line big {0}" d="M{1:.1f} {2:.1f}H{3:.1f}M{4:.1f} {5:.1f}V{6:.1f}"/>'
        hint = f"{name}, {form}: {statistics.plus_minus(entry)}"
        shape = bar.replace("/>", "><title>{7}</title></path>")
        tick = SIDE * 0.02
        shapes.append(Markup(shape).format(colour, begin, y, end, middle, y - tick, y + tick, hint))
    for seed, value in zip(seeds, entry["values"], strict=True):
        dot = '<path class="mark small {}" d="M{:.1f} {:.1f}h0"><title>{}</title></path>'
        hint = f"{name}, {form}, seed {seed}: {number(float(value))}"
        shapes.append(Markup(dot).format(colour, at(value), y, escape(hint)))
    return shapes


def html(report: Plain, _: Facts) -> Markup:
    """The picture, the table below it, and what is better than chance."""
    section = report.get("spread")
    if not section:
        return Markup("")
    head, rows = statistics.cells(section)
    return render(
        "spread.html.j2",
        report,
        picture=picture(section),
        head=head,
        rows=rows,
        method=section["method"],
        note=statistics.note(section),
        sentence=statistics.sentence(section),
    )


SECTION = Section("spread", "Spread over seeds", data, text, html)
