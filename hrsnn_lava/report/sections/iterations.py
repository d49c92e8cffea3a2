"""What every iteration of a pruning loop left, and why the loop ended."""

from __future__ import annotations

import math

from markupsafe import Markup

from hrsnn_lava.report.facts import Facts
from hrsnn_lava.report.format import Cells, Plain, integer, number, table, titled
from hrsnn_lava.report.plots import SIDE, Plot, axis
from hrsnn_lava.report.section import Section, render

#: Rows of the text, the first and the last among them.
ROWS = 12
#: Classes of the page, one a curve.
COLOURS = ("p0", "p1", "p2", "p3")
#: Curves of the drawing: key of a row, legend.
CURVES = (("synapses", "synapses"), ("sops", "SOPs"), ("neurons", "neurons"), ("spikes", "spikes"))


def data(facts: Facts) -> Plain:
    """``pruning_loop``: why it ended, which iteration was taken, and a row an iteration; or {}."""
    keys = ("why", "iterations", "taken", "rows")
    reports = [r.report for r in facts.compiled.records if r.name == "pruning_loop"]
    return {"pruning_loop": {key: reports[-1][key] for key in keys} if reports else {}}


def cells(report: Plain, most: int | None = None) -> Cells:
    """Headings and rows; evenly spread, where there are more than `most`."""
    rows = report["pruning_loop"]["rows"]
    fits, loss = (any(key in row for row in rows) for key in ("fits", "loss"))
    head = ["iteration", "neurons", "synapses", "SOPs a step", "spikes", "rate error"]
    head += ["loss"] * loss + ["chip"] * fits
    first = float(rows[0]["spikes"]) or 1.0
    shown = list(range(len(rows)))
    if most is not None and len(rows) > most:
        shown = sorted({round(k * (len(rows) - 1) / (most - 1)) for k in range(most)})
    body = []
    for k in shown:
        row = rows[k]
        line = [str(row["iteration"]), integer(row["neurons"]), integer(row["synapses"])]
        line += [number(row["sops"]), f"x{row['spikes'] / first:.3f}", f"{row['rate_error']:.3f}"]
        line += [number(row.get("loss"))] * loss
        if fits:
            line.append(f"{row['cores']} cores" if row.get("fits") else ", ".join(row["broken"]))
        body.append(line)
    return head, body


def told(report: Plain) -> str:
    """How it ended."""
    said = report["pruning_loop"]
    return f"{said['why']}; the network is that of iteration {said['taken']}"


def text(report: Plain) -> str:
    """A line an iteration."""
    if not report.get("pruning_loop"):
        return ""
    head, rows = cells(report, ROWS)
    left = (len(head) - 1,) if head[-1] == "chip" else ()
    return titled("Iterations", f"{table(head, rows, left)}\n{told(report)}")


def html(report: Plain, _: Facts) -> Markup:
    """What is left over the iterations as a drawing, and the whole table."""
    if not report.get("pruning_loop"):
        return Markup("")
    head, rows = cells(report)
    drawing = plot(report)
    return render(
        "iterations.html.j2", report, head=head, rows=rows, plot=drawing, ended=told(report)
    )


def plot(report: Plain) -> Plot:
    """Shares of the unpruned network over the iterations, on a logarithmic axis."""
    rows = report["pruning_loop"]["rows"]
    last = max(len(rows) - 1, 1)
    shares = {
        key: [max(row[key] / (rows[0][key] or 1.0), 1e-6) for row in rows] for key, _ in CURVES
    }
    least = min(min(values) for values in shares.values())
    low = math.floor(min(math.log10(least), -1.0))
    high = max(0.0, max(math.log10(max(values)) for values in shares.values()))
    shapes = []
    for (key, _), css in zip(CURVES, COLOURS, strict=True):
        points = "L".join(
            f"{SIDE * k / last:.1f} {SIDE * (high - math.log10(share)) / (high - low):.1f}"
            for k, share in enumerate(shares[key])
        )
        shapes.append(Markup('<path class="line {}" d="M{}"/>').format(css, points))
    decades = range(low, math.floor(high) + 1)
    return Plot(
        "What is left",
        Markup("").join(shapes),
        axis(0, last, min(last, 10)),
        tuple((100 * (d - low) / (high - low), f"{10.0**d:g}") for d in decades),
        "iteration",
        "share of the unpruned network",
        legend=tuple((css, name) for (_, name), css in zip(CURVES, COLOURS, strict=True)),
        height=200,
        wide=True,
        alt=f"shares of neurons, synapses, operations and spikes over {last} iterations",
    )


SECTION = Section("iterations", "Iterations", data, text, html)
