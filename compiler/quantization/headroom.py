"""Against a wrap of the synaptic current: how far the scale of a population is lowered.

The worst case, all sources at their fastest for ever, may be far from anything that happens, and
room for it costs resolution. So there are four ways (`MODES`, our choice):

- ``auto``: room for the worst case where it costs nothing: thresholds within 0.1 % of what they
  should be; and the weights of every projection within 0.5 %, or no more than 5 % further off than
  without, or the currents of all neurons within 1 %. Where it costs, room for the largest current
  of a run, times a margin; without a run the scale stays, and the report says so.
- ``worst_case``: room for the worst case, whatever it costs.
- ``measured``: room for the largest current of a run, times the margin.
- ``none``: the scale stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

from hrsnn_lava.compiler.context import Observed
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
    measured = observed.current_peak is not None
    for name in risky:
        if mode != "worst_case" and name not in caps and measured:
            cap = _run_cap(network, name, observed, margin)
            guards[name] = "run"
            if cap < report["populations"][name]["scale"]:
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
