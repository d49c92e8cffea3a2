"""Against a wrap of the synaptic current: how far the scale of a population is lowered.

The worst case, all sources at their fastest for ever, may be far from anything that happens, and
room for it costs resolution. So there are four ways (`MODES`, our choice):

- ``auto``: room for the worst case where it costs nothing: thresholds within 0.1 % of what they
  should be; and the weights of every projection within 0.5 %, or no more than 5 % further off than
  without, or the currents of all neurons within 1 %. Where it costs, as much room as costs nothing,
  and room for the largest current of a run, times a margin; the report says that a worst case might
  wrap.
- ``worst_case``: room for the worst case, whatever it costs.
- ``measured``: room for the largest current of a run, times the margin.
- ``none``: the scale stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

import numpy as np

from hrsnn_lava.compiler.context import Observed
from hrsnn_lava.compiler.quantization.synapses import payload_scale
from hrsnn_lava.integer_format import STATE_UNIT, STATE_WRAP
from hrsnn_lava.network import Network

Headroom = Literal["auto", "worst_case", "measured", "none"]
MODES: tuple[str, ...] = get_args(Headroom)
#: Relative errors of thresholds and weights, and a rise of the latter, that cost nothing.
_THRESHOLD_ERROR, _WEIGHT_ERROR, _WEIGHT_ERROR_RISE = 1e-3, 5e-3, 1.05
_CURRENT_ERROR = 0.01
#: A little less than the whole, since rounded weights may sum up to a little more.
_WITHIN = 0.99
_ATTEMPTS = 6
#: Halvings of the scale where the worst case has no bound.
_OCTAVES_MAX = 12


def caps_of(
    report: Mapping[str, Any],
    attempt: Callable[[Mapping[str, float]], Mapping[str, Any]],
    network: Network,
    mode: str,
    margin: float,
    observed: Observed,
) -> tuple[dict[str, float], dict[str, str]]:
    """Largest scales that keep the current from wrapping.

    Args:
        report: of the integers without caps.
        attempt: quantizes under caps and returns the report.
        network: float. mode: one of `MODES`. margin, observed: of a run.

    Returns:
        Caps by population, only where one is needed; and by population what holds: ``any input``
        (no input can wrap it), ``run`` (the run, times the margin, cannot), ``open``.
    """
    guards = {n: _state(e) for n, e in report["populations"].items()}
    risky = [name for name, state in guards.items() if state == "open"]
    if mode == "none" or not risky:
        return {}, guards
    caps: dict[str, float] = {}
    if mode in ("auto", "worst_case"):
        safe, after = _worst_case_caps(attempt, report, risky)
        for name in risky:
            free = _costs_nothing(network, name, report, after)
            if name in safe and (mode == "worst_case" or free):
                caps[name], guards[name] = safe[name], "any input"
    open_names = [name for name in risky if name not in caps]
    if mode == "auto" and open_names:
        caps |= _free_caps(attempt, report, network, open_names)
    if mode != "worst_case" and observed.current_peak is not None:
        for name in open_names:
            cap = _run_cap(network, name, observed, margin)
            guards[name] = "run"
            if cap < caps.get(name, report["populations"][name]["scale"]):
                caps[name] = cap
    return caps, guards


def _state(entry: Mapping[str, Any]) -> str:
    return "open" if entry["u_may_wrap"] or not entry["bounded"] else "any input"


def _worst_case_caps(
    attempt: Callable[[Mapping[str, float]], Mapping[str, Any]],
    report: Mapping[str, Any],
    names: list[str],
) -> tuple[dict[str, float], Mapping[str, Any]]:
    """Caps without any wrap, for the populations that have one, and the report under them.

    Rounding moves the sums a little, so a cap is tried and lowered again.
    """
    caps: dict[str, float] = {}
    for _ in range(_ATTEMPTS):
        wrong = False
        for name in names:
            entry = report["populations"][name]
            if entry["u_may_wrap"] and entry["u_worst_case"] is not None:
                caps[name] = _WITHIN * entry["scale"] / entry["u_worst_case"]
                wrong = True
        if not wrong:
            break
        report = attempt(caps)
    safe = {n: c for n, c in caps.items() if not report["populations"][n]["u_may_wrap"]}
    return safe, report


def _free_caps(
    attempt: Callable[[Mapping[str, float]], Mapping[str, Any]],
    report: Mapping[str, Any],
    network: Network,
    names: list[str],
) -> dict[str, float]:
    """Caps that lower scales by octaves, as far as the same integers with smaller exponents do."""
    caps = {}
    for name in names:
        octaves = _free_octaves(network, name, report)
        if octaves > 0:
            caps[name] = report["populations"][name]["scale"] / 2.0**octaves
    if not caps:
        return {}
    after = attempt(caps)
    return {n: c for n, c in caps.items() if _costs_nothing(network, n, report, after)}


def _free_octaves(network: Network, name: str, report: Mapping[str, Any]) -> int:
    """How often the scale of a population can be halved before an exponent floors something.

    No further than the worst case needs; none where every neuron has a scale of its own, which
    leaves room for the worst case already.
    """
    entry = report["populations"][name]
    if entry["scale_of"] == "neuron":
        return 0
    worst = entry["u_worst_case"]
    octaves = [_OCTAVES_MAX if worst is None else int(np.ceil(np.log2(max(worst, 1.0))))]
    onto = [p for p in network.projections if p.post == name and p.n_synapses]
    for projection in onto:
        if projection.target == "synapse":
            # the counts of a graded payload are whole multiples, which a shift by them leaves whole
            counts = payload_scale(network, projection.pre) or 1.0
            exponent = report["projections"][projection.name]["weight_exp"]
            octaves.append(exponent + int(np.log2(counts)))
    biased = any(p.target == "bias" for p in onto)
    if biased or network.population(name).parameter("bias").any():
        octaves.append(entry["bias_exp"])
    return min(octaves)


def _costs_nothing(
    network: Network, name: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> bool:
    if after["populations"][name]["threshold_error_max"] > _THRESHOLD_ERROR:
        return False
    if after["populations"][name]["current_error_max"] <= _CURRENT_ERROR:
        return True
    onto = [p.name for p in network.projections if p.post == name]
    old, new = ([r["projections"][p]["rms_error"] for p in onto] for r in (before, after))
    allowed = (max(_WEIGHT_ERROR, _WEIGHT_ERROR_RISE * error) for error in old)
    return all(error <= limit for error, limit in zip(new, allowed, strict=True))


def _run_cap(network: Network, name: str, observed: Observed, margin: float) -> float:
    first = network.offset(name)
    if observed.current_peak is None:
        return float("inf")
    peak = observed.current_peak[first : first + network.population(name).size].max(initial=0.0)
    return float(STATE_WRAP / (STATE_UNIT * margin * max(float(peak), 1e-30)))
