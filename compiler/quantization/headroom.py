"""Against a wrap of the synaptic current: how far the scale of a population is lowered.

The worst case, all sources at their fastest for ever, may be far from anything that happens, and
room for it costs resolution. So there are four ways (`MODES`, our choice):

- ``auto``: room for the worst case where it costs nothing: thresholds within 0.1 % of what they
  should be, and the weights of every projection within 0.5 % or no more than 5 % further off than
  without. Where it costs, room for the largest current of a run, times a margin; without a run the
  scale stays, and the report says so.
- ``worst_case``: room for the worst case, whatever it costs.
- ``measured``: room for the largest current of a run, times the margin.
- ``none``: the scale stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.headroom import LIMIT
from hrsnn_lava.errors import Problem
from hrsnn_lava.network import Network
from hrsnn_lava.trace import Trace

Float = NDArray[np.float64]
Headroom = Literal["auto", "worst_case", "measured", "none"]
MODES: tuple[str, ...] = get_args(Headroom)
#: Relative errors of thresholds and weights, and a rise of the latter, that cost nothing.
_THRESHOLD_ERROR, _WEIGHT_ERROR, _WEIGHT_ERROR_RISE = 1e-3, 5e-3, 1.05
#: A little less than the whole, since rounded weights may sum up to a little more.
_WITHIN = 0.99
_ATTEMPTS = 6


@dataclass(frozen=True, eq=False)
class Observed:
    """What a run showed of a float network.

    Attributes:
        rates: (n_neurons,) spikes per step.
        input_rates: (n_inputs,) events per step; None where no input sends spikes.
        current_peak: (n_neurons,) largest magnitude of the synaptic current, in the network's
            unit; None when it was not recorded.
    """

    rates: Float | None = None
    input_rates: Float | None = None
    current_peak: Float | None = None

    @staticmethod
    def of_trace(trace: Trace) -> Observed:
        """Rates of a run of the same neurons, such as one of their integers."""
        steps = max(trace.n_steps, 1)
        sent = None
        if trace.inputs is not None:
            counts = np.bincount(trace.inputs.neurons, minlength=trace.inputs.n_neurons)
            sent = counts / steps
        return Observed(trace.counts() / steps, sent)

    @staticmethod
    def of_rates(rates: Any, input_rates: Any) -> Observed | None:
        """From the rates that weigh traffic; None where they are one number for all."""
        if np.ndim(rates) == 0:
            return None
        sent = None if np.ndim(input_rates) == 0 else np.asarray(input_rates, np.float64)
        return Observed(np.asarray(rates, np.float64), sent)

    def by_population(self, network: Network) -> dict[str, Float]:
        """Rates by population; inputs of unknown rates are taken as silent."""
        found = {}
        for population in network.populations:
            rates = self.input_rates if population.is_input else self.rates
            first = network.offset(population.name)
            if rates is not None:
                found[population.name] = rates[first : first + population.size]
            elif self.rates is not None:
                found[population.name] = np.zeros(population.size)
        return found

    def problems(self, network: Network) -> Iterator[Problem]:
        """Arrays of another size than the network's."""
        sizes = {"rates": network.n_neurons, "input_rates": network.n_inputs}
        for name, size in (*sizes.items(), ("current_peak", network.n_neurons)):
            value = getattr(self, name)
            if value is not None and np.shape(value) != (size,):
                yield Problem(f"observed.{name}", f"shape {np.shape(value)}", f"({size},)")


def caps_of(
    report: Mapping[str, Any],
    attempt: Callable[[Mapping[str, float]], Mapping[str, Any]],
    network: Network,
    mode: str,
    margin: float,
    observed: Observed | None,
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
    kept = {n: _state(e) for n, e in report["populations"].items()}
    risky = [name for name, state in kept.items() if state == "open"]
    if mode == "none" or not risky:
        return {}, kept
    caps: dict[str, float] = {}
    if mode in ("auto", "worst_case"):
        safe, after = _worst_case_caps(attempt, report, risky)
        for name in risky:
            free = _costs_nothing(network, name, report, after)
            if name in safe and (mode == "worst_case" or free):
                caps[name], kept[name] = safe[name], "any input"
    measured = observed is not None and observed.current_peak is not None
    for name in risky:
        if mode != "worst_case" and name not in caps and measured:
            cap = _run_cap(network, name, observed, margin)
            kept[name] = "run"
            if cap < report["populations"][name]["scale"]:
                caps[name] = cap
    return caps, kept


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
    onto = [p.name for p in network.projections if p.post == name]
    old, new = ([r["projections"][p]["rms_error"] for p in onto] for r in (before, after))
    allowed = (max(_WEIGHT_ERROR, _WEIGHT_ERROR_RISE * error) for error in old)
    return all(error <= limit for error, limit in zip(new, allowed, strict=True))


def _run_cap(network: Network, name: str, observed: Any, margin: float) -> float:
    first = network.offset(name)
    peak = observed.current_peak[first : first + network.population(name).size].max(initial=0.0)
    return float(LIMIT / (64.0 * margin * max(float(peak), 1e-30)))
