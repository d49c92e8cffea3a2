"""How different neurons, weights and learning rules are, before and after the fit to the chip.

A weight is shown as the share that it is of the constant current that just fires its target (see
`hrsnn_lava.compiler.analysis.dynamics.gain`): so neither the scale of a quantization nor a
threshold that was moved into weights shifts what is compared, and what the palette changed is in
it.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.dynamics.gain import AnyNetwork, relative_weights
from hrsnn_lava.integer_format import DECAY_ONE
from hrsnn_lava.network import Network
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.report import plots
from hrsnn_lava.report.facts import Facts
from hrsnn_lava.report.format import (
    Plain,
    integer,
    label,
    number,
    percent,
    si,
    table,
    titled,
    wrapped,
)
from hrsnn_lava.report.section import Section, render

Float: TypeAlias = NDArray[np.float64]
#: Values by population or projection.
Values: TypeAlias = dict[str, Float]
#: Quantities in the order of the report, with their unit.
QUANTITIES = {"tau_mem": "s", "tau_syn": "s", "threshold": "1", "refractory": "s"}
CONVENTION = "weight over the constant current that just fires its target; weights of 0 left out"
#: Projections whose weights are drawn one by one; more are drawn as excitatory and inhibitory.
MAX_DRAWN = 6


def data(facts: Facts) -> Plain:
    """``heterogeneity`` and ``weights``."""
    before, after = neuron_values(facts)
    origin = facts.origin
    section = heterogeneity(
        after,
        before,
        facts.pass_report("palette"),
        facts.pass_report("quantize"),
        facts.pass_report("absorb_thresholds"),
    )
    populations = facts.compiled.network.compute_populations
    resets = {p.name: p.reset for p in populations if p.reset != "zero"}
    return {
        "heterogeneity": section | ({"resets": resets} if resets else {}),
        "weights": weights(
            None if origin is None else weight_values(origin), weight_values(facts.compiled.network)
        ),
    }


def neuron_values(facts: Facts) -> tuple[dict[str, Values] | None, dict[str, Values]]:
    """Parameters before, if they are known, and on the chip in units of those before."""
    before = None if facts.origin is None else values_of(facts.origin)
    after = matched(values_of(facts.compiled.network), before)
    return before, without_absorbed(after, facts.pass_report("absorb_thresholds"))


def values_of(network: Network | QuantizedNetwork) -> dict[str, Values]:
    """Parameters by quantity and population, (size,) each.

    The threshold is the constant current that just fires the neuron: ``v_threshold`` of a float
    network, ``vth dv / 4096`` in integer weight units. Decays become time constants by
    ``tau = -dt / ln(1 - decay / 4096)``; a decay of 0 never forgets and is left out.
    """
    values: dict[str, Values] = {name: {} for name in QUANTITIES}
    for population in network.compute_populations:
        for name, parameter in _parameters(network, population).items():
            values[name][population.name] = parameter[np.isfinite(parameter)]
    return values


def _parameters(network: Network | QuantizedNetwork, population: Any) -> Values:
    if isinstance(network, Network):
        names = {**{name: name for name in QUANTITIES}, "threshold": "v_threshold"}
        return {quantity: population.parameter(name) for quantity, name in names.items()}
    dv = population.parameter("dv").astype(np.float64)
    # Lava's LIF decays the current by du + 1 of 4096
    du = population.parameter("du").astype(np.float64) + 1.0
    return {
        "tau_mem": _tau(dv, network.dt),
        "tau_syn": _tau(du, network.dt),
        "threshold": population.parameter("vth") * dv / DECAY_ONE,
        "refractory": population.parameter("refractory") * network.dt,
    }


def _tau(decay: Float, dt: float) -> Float:
    # a decay of 4096 forgets within a step: its time constant is 0, all but
    with np.errstate(divide="ignore"):
        tau: Float = -dt / np.log1p(-np.minimum(decay, DECAY_ONE - 1e-3) / DECAY_ONE)
    return tau


def matched(after: dict[str, Values], before: dict[str, Values] | None) -> dict[str, Values]:
    """`after` with thresholds in the unit of `before`, by the ratio of each population's medians.

    Quantization gives every population a scale of its own; only the shape is to be compared.
    """
    if before is None:
        return after
    thresholds = {}
    for name, values in after["threshold"].items():
        reference = before["threshold"].get(name)
        middle = float(np.median(values)) if values.size else 0.0
        if reference is None or not reference.size or middle == 0.0:
            thresholds[name] = values
        else:
            thresholds[name] = values * (float(np.median(reference)) / middle)
    return {**after, "threshold": thresholds}


def without_absorbed(after: dict[str, Values], absorbed: Plain) -> dict[str, Values]:
    """`after` without thresholds where some went into weights: then neurons have a unit of
    potential each, and their integers say nothing of how thresholds differ."""
    return {**after, "threshold": {}} if absorbed.get("absorbed") else after


def statistics(values: Values) -> dict[str, Any] | None:
    """Mean, standard deviation, coefficient of variation, extremes and distinct values."""
    whole = _whole(values)
    if not whole.size:
        return None
    mean = float(whole.mean())
    sd = float(whole.std()) if np.ptp(whole) else 0.0  # not the rounding of the mean
    return {
        "mean": mean,
        "sd": sd,
        "cv": sd / mean if mean else None,
        "min": float(whole.min()),
        "median": float(np.median(whole)),
        "max": float(whole.max()),
        "distinct": int(np.unique(whole).size),
    }


def varying(values: dict[str, Values]) -> list[str]:
    """Quantities that are positive and differ between neurons."""
    names = []
    for name in QUANTITIES:
        whole = _whole(values[name])
        if whole.size > 1 and whole.min() > 0 and np.ptp(np.log(whole)) > 1e-12:
            names.append(name)
    return names


def log_determinant(values: dict[str, Values], names: list[str]) -> float | None:
    """``ln det Cov(ln x)`` over the quantities `names`.

    A measure of the joint spread of the parameters (our choice): it grows with heterogeneity and
    does not depend on units. None for no quantity, or when one or a combination does not vary.
    """
    columns = [_whole(values[name]) for name in names]
    if not columns or len({c.size for c in columns}) != 1 or columns[0].size < 2:
        return None
    if any(c.min() <= 0 for c in columns):
        return None
    sign, value = np.linalg.slogdet(np.atleast_2d(np.cov(np.log(np.stack(columns)))))
    return float(value) if sign > 0 and np.isfinite(value) else None


def _whole(values: Values) -> Float:
    return np.concatenate([np.zeros(0), *values.values()])


def learning_rules(quantized: Plain) -> dict[str, Any]:
    """By projection that learns, what became of its rules on the chip.

    Args:
        quantized: report of the quantize pass, empty when there is none.

    Returns:
        profiles and the most there may be, how amplitudes are kept, w_max as asked and on the
        chip (float weight), mean and largest relative error of every parameter and of the
        expected change by a pair of spikes, and the comparison over random spike trains.
    """
    keys = ("profiles", "max_profiles", "amplitudes", "errors", "pair_error", "trains")
    return {
        name: {
            **{key: entry["learning"][key] for key in keys},
            # programs compiled before this key was renamed say "ceiling"
            "w_max": dict(entry.get("w_max", entry.get("ceiling", {}))),
        }
        for name, entry in quantized.get("projections", {}).items()
        if entry.get("learning", {}).get("errors")
    }


def heterogeneity(
    after: dict[str, Values],
    before: dict[str, Values] | None,
    palette: Plain,
    quantized: Plain | None = None,
    absorbed: Plain | None = None,
) -> dict[str, Any]:
    """``heterogeneity`` of ``report.json``.

    Args:
        after: of the program, `matched`.
        before: of the network it comes from, or None.
        palette: report of the palette pass, empty when there is none.
        quantized: report of the quantize pass; `learning_rules` of it are shown, if any.
        absorbed: report of the pass that puts thresholds into weights, if it ran.
    """
    after = without_absorbed(after, absorbed or {})
    quantities = {
        name: {
            "unit": unit,
            "before": None if before is None else statistics(before[name]),
            "after": statistics(after[name]),
        }
        for name, unit in QUANTITIES.items()
    }
    over = varying(after if before is None else before)
    over = [name for name in over if _whole(after[name]).size]
    spread = {
        "before": None if before is None else log_determinant(before, over),
        "after": log_determinant(after, over),
        "over": over,
    }
    section = {
        "quantities": quantities,
        "log_det": spread,
        "palette": _palette(palette, absorbed or {}),
    }
    rules = learning_rules(quantized or {})
    return section | {"stdp": rules} if rules else section


def _palette(palette: Plain, absorbed: Plain) -> dict[str, Any]:
    """Errors of the tables, those of the naive palette beside them, and what was absorbed."""
    errors = {k: palette[k] for k in ("tau_mem", "tau_syn", "threshold") if k in palette}
    if not errors:
        return {}
    section: dict[str, Any] = {"changed": palette.get("changed"), "relative_error": errors}
    section |= {key: dict(palette[key]) for key in ("weighted", "naive") if palette.get(key)}
    return section | ({"absorbed": dict(absorbed)} if absorbed else {})


def palette_lines(section: Plain) -> list[str]:
    """Sentences on the palette, for text and HTML; `section` is ``heterogeneity.palette``."""
    lines = []
    naive = section.get("naive", {})
    for name, error in section.get("relative_error", {}).items():
        if not error["max"]:
            continue
        line = f"palette error of {label(name)}: at most {percent(error['max'], 2)}, "
        line += f"mean {percent(error['mean'], 2)}, median {percent(error['median'], 2)}"
        if naive.get(name, {}).get("max"):
            median = percent(naive[name]["median"], 2)
            line += f" (k-means on every core, neuron order: {median})"
        lines.append(line)
    absorbed = section.get("absorbed", {})
    if absorbed.get("absorbed"):
        lines.append(
            f"{absorbed['absorbed']} thresholds are in the weights, gains "
            f"{absorbed['gain_min']:.2f} to {absorbed['gain_max']:.2f}; rounding changes the "
            f"current by {percent(absorbed['current_change_median'], 2)} of the one that fires a "
            f"neuron (median), at most {percent(absorbed['current_change_max'], 2)}"
        )
    return lines


def learning_lines(rules: Plain) -> list[str]:
    """One sentence for each projection that learns on the chip."""
    lines = []
    for name, rule in rules.items():
        errors = ", ".join(
            f"{label(key)} {percent(rule['errors'][key]['mean'])}"
            for key in ("tau_plus", "tau_minus")
        )
        bound = rule["w_max"]
        share = bound["on_chip"] / bound["asked"] if bound["asked"] else 1.0
        lines.append(
            f"{name} learns with {integer(rule['profiles'])} profiles of at most "
            f"{integer(rule['max_profiles'])}, amplitudes in {rule['amplitudes']}; mean error: "
            f"{errors}, change by a pair of spikes {percent(rule['pair_error']['mean'])}; w_max on "
            f"the chip is {number(share)} of the asked"
        )
    return lines


def reset_lines(resets: Plain) -> list[str]:
    """What spikes do in populations that they do not set to 0."""
    when = {
        "subtract": "at once",
        "subtract_next": "in the next step",
        "subtract_all": "at once, and as many are sent in a step as it holds",
    }
    return [
        f"a spike of {name} takes the threshold off the potential {when[reset]} (reset {reset})"
        for name, reset in resets.items()
    ]


def text(report: Plain) -> str:
    """The parameters before and after, and what the fit cost."""
    section = report["heterogeneity"]
    rows = []
    for name, entry in section["quantities"].items():
        for when in ("before", "after"):
            s = entry[when]
            if s is not None:
                unit = entry["unit"]
                cells = [number(s[k]) if unit == "1" else si(s[k], unit) for k in ("mean", "sd")]
                rows.append([label(name), when, *cells, number(s["cv"]), integer(s["distinct"])])
    lines = [table(["quantity", "fit to chip", "mean", "sd", "CV", "distinct"], rows, (0, 1))]
    spread = section["log_det"]
    if spread["after"] is not None:
        over = ", ".join(label(name) for name in spread["over"])
        before = "" if spread["before"] is None else f"{spread['before']:.3f} -> "
        lines.append(f"ln det Cov(ln x) over {over}: {before}{spread['after']:.3f}")
    sentences = [
        *reset_lines(section.get("resets", {})),
        *palette_lines(section["palette"]),
        *learning_lines(section.get("stdp", {})),
    ]
    return titled("Heterogeneity", "\n".join([*lines, *filter(None, [wrapped(sentences)])]))


def weight_values(network: AnyNetwork) -> Values:
    """Relative weights by projection with synapses, (n_synapses,) each, dimensionless."""
    return {
        p.name: relative_weights(network, p).data for p in network.projections if p.target != "bias"
    }


def weights(before: Values | None, after: Values) -> dict[str, Any]:
    """``weights`` of ``report.json``: number and moments, by projection, before and after."""
    rows = {
        name: {"before": _moments((before or {}).get(name)), "after": _moments(values)}
        for name, values in after.items()
    }
    return {"convention": CONVENTION, "unit": "1", "per_projection": rows}


def _moments(values: Float | None) -> dict[str, Any] | None:
    moments = None if values is None else statistics({"": values})
    if values is None or moments is None:
        return None
    keys = ("mean", "sd", "min", "max", "distinct")
    return {"synapses": int(values.size), **{key: moments[key] for key in keys}}


def parameter_plots(facts: Facts) -> list[plots.Plot]:
    """Distributions that have any spread, the program filled and what it comes from outlined."""
    before, after = neuron_values(facts)
    drawings = []
    for name, unit in QUANTITIES.items():
        new = _whole(after[name])
        old = _whole({} if before is None else before[name])
        whole = np.concatenate([new, old])
        if not whole.size or np.ptp(whole) <= 0.01 * abs(float(whole.mean())):
            continue
        scale, axis = (1e3, f"{label(name)} (ms)") if unit == "s" else (1.0, label(name))
        note = "" if new.size else "before; on the chip they are in the weights"
        drawings.append(plots.histogram(label(name), _series(old, new), axis, scale, note=note))
    return drawings


def weight_plots(before: Values | None, after: Values) -> list[plots.Plot]:
    """A histogram for each projection with weights, or one for each sign when there are many."""
    groups = {name: ((before or {}).get(name, np.zeros(0)), v) for name, v in after.items()}
    groups = {name: pair for name, pair in groups.items() if pair[0].size + pair[1].size}
    if len(groups) > MAX_DRAWN:
        old = np.concatenate([pair[0] for pair in groups.values()])
        new = np.concatenate([pair[1] for pair in groups.values()])
        groups = {
            "excitatory weights": (old[old > 0], new[new > 0]),
            "inhibitory weights": (old[old < 0], new[new < 0]),
        }
    return [
        plots.histogram(
            f"Weights of {name}" if name in after else name.capitalize(),
            series,
            "share of the firing current",
            bins=40,
        )
        for name, (old, new) in groups.items()
        if (series := _series(old, new))
    ]


def _series(old: Float, new: Float) -> list[tuple[str, str, Float]]:
    pairs = (("a", "on the chip", new), ("b", "before", old))
    return [entry for entry in pairs if entry[2].size]


def html(report: Plain, facts: Facts) -> Markup:
    """Distributions of parameters and weights, and their tables."""
    before = None if facts.origin is None else weight_values(facts.origin)
    section = report["heterogeneity"]
    return render(
        "network.html.j2",
        report,
        parameters=parameter_plots(facts),
        weights=weight_plots(before, weight_values(facts.compiled.network)),
        palette=[*reset_lines(section.get("resets", {})), *palette_lines(section["palette"])],
        learning=learning_lines(section.get("stdp", {})),
    )


SECTION = Section("network", "Neurons and weights", data, text, html)
