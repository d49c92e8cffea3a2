"""The quantization part of a report: scales and exponents, head-room, and what it all cost.

Head-room is that of the program, after every pass. A run adds what it needed, if it recorded u and
v; a comparison with the float network adds the distance of the spike trains.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hrsnn_lava.compiler.analysis.headroom import measured, worst_case
from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.report.format import UNKNOWN, integer, label, number, percent, show
from hrsnn_lava.trace import Trace

Plain = dict[str, Any]
_OPTIONS = ("weight_bits", "scaling", "headroom", "margin", "input_range")
_SCALE = ("scale", "scale_limited_by", "bias_exp")
_ERRORS = ("threshold_error_max", "tau_mem_error_max", "tau_syn_error_max")
_COST = ("rate_ratio", "count_error", "count_correlation", "coincidence", "potential_error")
#: What `headroom` of a population says, in words.
KEPT = {
    "any input": "no input can",
    "run": "not at the run's currents",
    "open": "a worst case might",
}


def section(
    compiled: CompiledNetwork,
    trace: Trace | None,
    float_vs_integer: Mapping[str, Any] | None,
    accuracy: Mapping[str, Any] | None,
) -> Plain:
    """The section as plain values.

    Returns:
        options of the pass; populations: scale, errors of the parameters, head-room in the worst
        case and, under `run`, as measured; projections: exponent, bits, error of the weights;
        cost: float against integers.
    """
    record = next((r for r in compiled.records if r.name == "quantize"), None)
    options: Mapping[str, Any] = {} if record is None else record.options
    report: Mapping[str, Any] = {} if record is None else record.report
    network = compiled.network
    populations = {}
    for population in network.compute_populations:
        entry = report.get("populations", {}).get(population.name, {})
        found = worst_case(network, population.name, options.get("input_range"))
        made = {key: entry.get(key) for key in (*_SCALE, *_ERRORS)}
        kept = "open" if found["u_may_wrap"] or not found["bounded"] else "any input"
        if kept == "open" and entry.get("headroom") == "run":
            kept = "run"
        run = None if trace is None else measured(network, trace, population.name)
        populations[population.name] = {**made, **found, "headroom": kept, "run": run}
    projections = {}
    for projection in network.projections:
        entry = report.get("projections", {}).get(projection.name, {})
        projections[projection.name] = {
            "weight_exp": projection.weight_exp,
            "sign_mode": projection.sign_mode.value if projection.target == "synapse" else None,
            "weight_bits": projection.num_weight_bits if projection.target == "synapse" else None,
            **{key: entry.get(key) for key in ("synapses", "zeroed", "clipped", "rms_error")},
        }
    return {
        "options": {key: options[key] for key in _OPTIONS if key in options},
        "populations": populations,
        "projections": projections,
        "cost": _cost(float_vs_integer or {}, accuracy or {}),
    }


def _cost(difference: Mapping[str, Any], accuracy: Mapping[str, Any]) -> Plain:
    found = {key: difference[key] for key in _COST if key in difference}
    distance = difference.get("spike_distance") or {}
    found |= {key: distance[key] for key in ("van_rossum", "victor_purpura") if key in distance}
    if accuracy.get("rmse_ratio_integer") is not None:
        found["task_error_ratio"] = accuracy["rmse_ratio_integer"]
    return found


def tables(data: Mapping[str, Any]) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Head and rows of every table of the section, in order: text and HTML show the same."""
    named = data["populations"].items()
    head = ["population", "scale", "limited by", "thresholds"]
    head += ["u at worst", "can wrap", "v at worst"]
    yield (
        head,
        [
            [
                name,
                number(p["scale"]),
                label(p["scale_limited_by"] or UNKNOWN),
                percent(p["threshold_error_max"], 2),
                percent(p["u_worst_case"]),
                KEPT[p["headroom"]],
                percent(p["v_worst_case"]),
            ]
            for name, p in named
        ],
    )
    ran = [(name, p["run"]) for name, p in named if p["run"]]
    if ran:
        head = ["in the run", "largest u", "wraps", "lowest v", "v at its end", "neurons"]
        yield (
            head,
            [
                [
                    name,
                    percent(run["u_peak"]),
                    integer(run["wraps"]),
                    percent(run["v_low"]),
                    percent(run["v_saturated"], 2),
                    integer(run["v_saturated_neurons"]),
                ]
                for name, run in ran
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
        for name, p in data["projections"].items()
    ]
    yield ["projection", "exponent", "sign", "bits", "now 0", "clipped", "weight error"], rows


def sentence(data: Mapping[str, Any]) -> str:
    """The cost in one line; empty where nothing was compared."""
    cost = data["cost"]
    if not cost:
        return ""
    parts = []
    if cost.get("rate_ratio") is not None:
        parts.append(f"spikes {percent(cost['rate_ratio'])} of the float network's")
    if cost.get("count_error") is not None:
        parts.append(f"spike counts off by {percent(cost['count_error'])}")
    shares = [
        f"{name} {percent(cost[key])}"
        for key, name in (("van_rossum", "van Rossum"), ("victor_purpura", "Victor-Purpura"))
        if cost.get(key) is not None
    ]
    if shares:
        parts.append(f"distance of the spike trains: {', '.join(shares)} (silence: 100 %)")
    if cost.get("task_error_ratio") is not None:
        parts.append(f"error of the task {number(cost['task_error_ratio'])} times the float one's")
    return "cost: " + "; ".join(parts)


def options_line(data: Mapping[str, Any]) -> str:
    """The options of the pass; empty for a network that was built from integers."""
    return show(data["options"]) if data["options"] else ""
