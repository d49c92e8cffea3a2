"""The quantization part of a report: scales and exponents, head-room, and what it all cost.

Head-room is that of the program, after every pass. A run adds what it needed, if it recorded u and
v; a comparison with the float network adds the distance of the spike trains.
"""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from hrsnn_lava.compiler.analysis.headroom import measured, worst_case
from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.report.facts import Facts
from hrsnn_lava.report.format import (
    UNKNOWN,
    Cells,
    Plain,
    integer,
    label,
    number,
    percent,
    show,
    table,
    titled,
    wrap,
)
from hrsnn_lava.report.section import Section, render
from hrsnn_lava.report.sections.comparison import FORMER, described, headline
from hrsnn_lava.trace import Trace

_OPTIONS = ("weight_bits", "scaling", "headroom", "margin", "input_range")
_SCALE = ("scale", "scale_limited_by", "bias_exp")
_ERRORS = ("threshold_error_max", "tau_mem_error_max", "tau_syn_error_max")
_COST = ("rate_ratio", "count_error", "count_correlation", "coincidence", "potential_error")
_DISTANCES = {"van_rossum": "van Rossum", "victor_purpura": "Victor-Purpura"}
#: What `headroom` of a population says, in words.
WRAPS = {
    "any input": "no input can",
    "run": "not at the run's currents",
    "open": "a worst case might",
}


def data(facts: Facts) -> Plain:
    """``quantization``: the program's integers, and under ``cost`` float against integers."""
    evidence = facts.evidence
    scores = described(evidence.scores or ())
    cost = _cost(evidence.float_vs_integer or {}, evidence.accuracy or {}, {"scores": scores})
    return {"quantization": {**integers(facts.compiled, facts.trace), "cost": cost}}


def integers(compiled: CompiledNetwork, trace: Trace | None = None) -> dict[str, Any]:
    """How the program's integers were chosen, and what room they leave.

    Returns:
        options of the pass; populations: scale, errors of the parameters, head-room in the worst
        case and, under `run`, as measured; projections: exponent, bits, error of the weights;
        cost: empty.
    """
    record = next((r for r in compiled.records if r.name == "quantize"), None)
    options: Plain = {} if record is None else record.options
    report: Plain = {} if record is None else record.report
    network = compiled.network
    populations = {}
    for population in network.compute_populations:
        entry = report.get("populations", {}).get(population.name, {})
        bounds = worst_case(network, population.name, options.get("input_range"))
        room = "open" if bounds["u_may_wrap"] or not bounds["bounded"] else "any input"
        if room == "open" and entry.get("headroom") == "run":
            room = "run"
        populations[population.name] = {
            **{key: entry.get(key) for key in (*_SCALE, *_ERRORS)},
            **bounds,
            "headroom": room,
            "run": None if trace is None else measured(network, trace, population.name),
        }
    projections = {}
    for projection in network.projections:
        entry = report.get("projections", {}).get(projection.name, {})
        synaptic = projection.target == "synapse"
        projections[projection.name] = {
            "weight_exp": projection.weight_exp,
            "sign_mode": projection.sign_mode.value if synaptic else None,
            "weight_bits": projection.num_weight_bits if synaptic else None,
            **{key: entry.get(key) for key in ("synapses", "zeroed", "clipped", "rms_error")},
        }
    return {
        "options": {key: options[key] for key in _OPTIONS if key in options},
        "populations": populations,
        "projections": projections,
        "cost": {},
    }


def _cost(difference: Plain, accuracy: Plain, report: Plain) -> dict[str, Any]:
    """Distances of the spike trains, and the task's headline score against the float network's."""
    cost = {key: difference[key] for key in _COST if key in difference}
    distance = difference.get("spike_distance") or {}
    cost |= {key: distance[key] for key in _DISTANCES if key in distance}
    first = headline(report) or FORMER[0]
    ratio = accuracy.get(f"{first['name'].removesuffix('_mean')}_ratio_integer")
    if ratio is not None:
        cost["task_error_ratio" if first["better"] == "lower" else "task_score_ratio"] = ratio
    return cost


def tables(section: Plain) -> list[Cells]:
    """Head and rows of every table of the section, in order: text and HTML show the same."""
    entries = section["populations"].items()
    head = ["population", "scale", "limited by", "thresholds"]
    populations: Cells = (
        [*head, "u at worst", "can wrap", "v at worst"],
        [
            [
                name,
                number(p["scale"]),
                label(p["scale_limited_by"] or UNKNOWN),
                percent(p["threshold_error_max"], 2),
                percent(p["u_worst_case"]),
                WRAPS[p["headroom"]],
                percent(p["v_worst_case"]),
            ]
            for name, p in entries
        ],
    )
    runs: Cells = (
        ["in the run", "largest u", "wraps", "lowest v", "v at its end", "neurons"],
        [
            [
                name,
                percent(run["u_peak"]),
                integer(run["wraps"]),
                percent(run["v_low"]),
                percent(run["v_saturated"], 2),
                integer(run["v_saturated_neurons"]),
            ]
            for name, p in entries
            if (run := p["run"])
        ],
    )
    rows = [
        [
            name,
            number(p["weight_exp"]),
            p["sign_mode"] or "held",
            number(p["weight_bits"]),
            integer(p["zeroed"]),
            integer(p["clipped"]),
            percent(p["rms_error"], 2),
        ]
        for name, p in section["projections"].items()
    ]
    head = ["projection", "exponent", "sign", "bits", "now 0", "clipped", "weight error"]
    return [populations, *([runs] if runs[1] else []), (head, rows)]


def sentence(section: Plain, title: str = "score") -> str:
    """The cost in one line; empty where nothing was compared.

    Args:
        section: ``quantization`` of the report.
        title: of the task's headline score.
    """
    cost = section["cost"]
    if not cost:
        return ""
    clauses = []
    if cost.get("rate_ratio") is not None:
        clauses.append(f"spikes {percent(cost['rate_ratio'])} of the float network's")
    if cost.get("count_error") is not None:
        clauses.append(f"spike counts off by {percent(cost['count_error'])}")
    shares = [
        f"{name} {percent(cost[key])}"
        for key, name in _DISTANCES.items()
        if cost.get(key) is not None
    ]
    if shares:
        clauses.append(f"distance of the spike trains: {', '.join(shares)} (silence: 100 %)")
    for key, name in (("task_error_ratio", "error of the task"), ("task_score_ratio", title)):
        if cost.get(key) is not None:
            clauses.append(f"{name} {number(cost[key])} times the float one's")
    return "cost: " + "; ".join(clauses)


def options_line(section: Plain) -> str:
    """The options of the pass; empty for a network that was built from integers."""
    return show(section["options"]) if section["options"] else ""


def _sentence(report: Plain) -> str:
    first = headline(report)
    return sentence(report["quantization"], "score" if first is None else first["title"])


def text(report: Plain) -> str:
    """The options, the tables, and the cost."""
    section = report["quantization"]
    lines = [wrap(options_line(section)), *(table(*cells) for cells in tables(section))]
    lines.append(wrap(_sentence(report)))
    return titled("Quantization", "\n".join(line for line in lines if line))


def html(report: Plain, _: Facts) -> Markup:
    """The same as in the text."""
    section = report["quantization"]
    return render(
        "quantization.html.j2",
        report,
        options=options_line(section),
        tables=tables(section),
        cost=_sentence(report),
    )


SECTION = Section("quantization", "Quantization", data, text, html)
