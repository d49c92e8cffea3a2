"""How different the neurons and learning rules are, before and after the fit to the chip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.network import Network
from hrsnn_lava.quantized import QuantizedNetwork

Float = NDArray[np.float64]
Values = dict[str, Float]
#: Quantities in the order of the report, with their unit.
QUANTITIES = {"tau_mem": "s", "tau_syn": "s", "threshold": "1", "refractory": "s"}


def values_of(network: Network | QuantizedNetwork) -> dict[str, Values]:
    """Parameters by quantity and population, (size,) each.

    The threshold is the constant current that just fires the neuron: ``v_threshold`` of a float
    network, ``vth dv / 4096`` in integer weight units. Decays become time constants by
    ``tau = -dt / ln(1 - decay / 4096)``; a decay of 0 never forgets and is left out.
    """
    found: dict[str, Values] = {name: {} for name in QUANTITIES}
    for population in network.compute_populations:
        for name, values in _parameters(network, population).items():
            found[name][population.name] = values[np.isfinite(values)]
    return found


def _parameters(network: Network | QuantizedNetwork, population: Any) -> Values:
    if isinstance(network, Network):
        read = population.parameter
        return {
            "tau_mem": read("tau_mem"),
            "tau_syn": read("tau_syn"),
            "threshold": read("v_threshold"),
            "refractory": read("refractory"),
        }
    dv = population.parameter("dv").astype(np.float64)
    du = population.parameter("du").astype(np.float64) + 1.0
    return {
        "tau_mem": _tau(dv, network.dt),
        "tau_syn": _tau(du, network.dt),
        "threshold": population.parameter("vth") * dv / 4096.0,
        "refractory": population.parameter("refractory") * network.dt,
    }


def _tau(decay: Float, dt: float) -> Float:
    with np.errstate(divide="ignore"):
        tau: Float = -dt / np.log1p(-np.minimum(decay, 4095.999) / 4096.0)
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


def learning_rules(quantized: Mapping[str, Any]) -> dict[str, Any]:
    """By projection that learns, what became of its rules on the chip.

    Args:
        quantized: report of the quantize pass, empty when there is none.

    Returns:
        profiles and the most there may be, how amplitudes are kept, w_max as asked and on the
        chip (float weight), mean and largest relative error of every parameter and of the
        expected change by a pair of spikes, and the comparison over random spike trains.
    """
    found = {}
    for name, entry in quantized.get("projections", {}).items():
        if not entry.get("learning", {}).get("errors"):
            continue
        keys = ("profiles", "max_profiles", "amplitudes", "errors", "pair_error", "trains")
        found[name] = {key: entry["learning"][key] for key in keys}
        # programs compiled before this key was renamed say "ceiling"
        found[name]["w_max"] = dict(entry.get("w_max", entry.get("ceiling", {})))
    return found


def without_absorbed(after: dict[str, Values], absorbed: Mapping[str, Any]) -> dict[str, Values]:
    """`after` without thresholds where some went into weights: then neurons have a unit of
    potential each, and their integers say nothing of how thresholds differ."""
    return {**after, "threshold": {}} if absorbed.get("absorbed") else after


def heterogeneity(
    after: dict[str, Values],
    before: dict[str, Values] | None,
    palette: Mapping[str, Any],
    quantized: Mapping[str, Any] | None = None,
    absorbed: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The section of the report.

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
    now = log_determinant(after, over)
    then = None if before is None else log_determinant(before, over)
    errors = {k: palette[k] for k in ("tau_mem", "tau_syn", "threshold") if k in palette}
    section = {
        "quantities": quantities,
        "log_det": {"before": then, "after": now, "over": over},
        "palette": _palette(palette, errors, absorbed or {}),
    }
    rules = learning_rules(quantized or {})
    return section | {"stdp": rules} if rules else section


def _palette(
    palette: Mapping[str, Any], errors: Mapping[str, Any], absorbed: Mapping[str, Any]
) -> dict[str, Any]:
    """Errors of the tables, those of the naive palette beside them, and what was absorbed."""
    if not errors:
        return {}
    section: dict[str, Any] = {"changed": palette.get("changed"), "relative_error": dict(errors)}
    for key in ("weighted", "naive"):
        if palette.get(key):
            section[key] = dict(palette[key])
    if absorbed:
        section["absorbed"] = dict(absorbed)
    return section


def palette_lines(section: Mapping[str, Any]) -> list[str]:
    """Sentences on the palette, for text and HTML; `section` is ``heterogeneity.palette``."""
    lines = []
    naive = section.get("naive", {})
    for name, error in section.get("relative_error", {}).items():
        if not error["max"]:
            continue
        line = f"palette error of {name.replace('_', ' ')}: at most {_percent(error['max'])}, "
        line += f"mean {_percent(error['mean'])}, median {_percent(error['median'])}"
        if naive.get(name, {}).get("max"):
            line += f" (k-means on every core, neuron order: {_percent(naive[name]['median'])})"
        lines.append(line)
    absorbed = section.get("absorbed", {})
    if absorbed.get("absorbed"):
        lines.append(
            f"{absorbed['absorbed']} thresholds are in the weights, gains "
            f"{absorbed['gain_min']:.2f} to {absorbed['gain_max']:.2f}; rounding changes the "
            f"current by {_percent(absorbed['current_change_median'])} of the one that fires a "
            f"neuron (median), at most {_percent(absorbed['current_change_max'])}"
        )
    return lines


def _percent(value: float) -> str:
    return f"{100 * value:.2f} %"
