"""What a user has to know of a quantization: what was lost, at which neurons, and what helps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.findings import Finding, Severity
from hrsnn_lava.integer_format import DECAY_ONE, DELAY_MAX, NEURON_RANGES
from hrsnn_lava.network import Network, Population, Projection

Entry = Mapping[str, Any]
#: Relative errors above which a finding is a warning: of time constants and of times in steps, of
#: the drive that went with weights that became 0, and of the current of a neuron.
TIME_ERROR = 0.05
_LOST_DRIVE = 0.01
_LARGE_TIME_ERROR = 0.25
CURRENT_ERROR = 0.05
#: Relative difference of a synapse's own bound from the chip's that is worth a word (ours).
BOUND_ERROR = 0.05
#: A longer time constant is taken for a number in milliseconds, and so is a longer step (seconds).
_LONG_TAU, _LONG_STEP = 1.0, 0.1


def quantization_findings(network: Network, report: Mapping[str, Any]) -> Iterator[Finding]:
    """Everything that a user has to know.

    Args:
        network: float. report: of `hrsnn_lava.compiler.passes.quantize.quantize`.
    """
    yield from _suspicious_units(network)
    for population in network.compute_populations:
        entry = report["populations"][population.name]
        yield from _times(network, population, entry)
        yield from _currents(population, entry)
        yield from _rates(population, entry)
        yield from _room(population, entry)
    for projection in network.projections:
        entry = report["projections"][projection.name]
        target = report["populations"][projection.post]
        yield from _zeroed(projection, entry, target)
        yield from _clipped(projection, entry)
        yield from _bounds(projection, entry)
        yield from _delays(network, projection, entry)


def _suspicious_units(network: Network) -> Iterator[Finding]:
    """Numbers that look like milliseconds."""
    if network.dt > _LONG_STEP:
        yield Finding(
            "note",
            "dt",
            f"{network.dt:g} s",
            "a step longer than 0.1 s: all times are in seconds",
            kind="units",
        )
    for population in network.compute_populations:
        for field in ("tau_mem", "tau_syn"):
            tau = population.parameter(field)
            finite = tau[np.isfinite(tau)]
            where = f"population {population.name!r}.{field}"
            if finite.size and finite.max() > _LONG_TAU:
                measured, meaning = f"up to {finite.max():g} s", "longer than a second"
                yield Finding("note", where, measured, f"{meaning}: times are in s", kind="units")
            short = finite[(finite > 0) & (finite < network.dt)]
            if short.size:
                measured = f"{short.min():g} s at dt = {network.dt:g} s ({short.size} neurons)"
                meaning = "shorter than a step: gone within it"
                yield Finding("note", where, measured, meaning, kind="units")


def _times(network: Network, population: Population, entry: Entry) -> Iterator[Finding]:
    """Time constants and refractory periods that the chip's integers cannot hold."""
    where = f"population {population.name!r}"
    for field in ("tau_mem", "tau_syn"):
        error = entry[f"{field}_error_max"]
        if error <= TIME_ERROR:
            continue
        longest = network.dt * (DECAY_ONE - 0.5)
        worst, neuron = entry[f"{field}_error_on_chip"], entry[f"{field}_error_neuron"]
        asked = population.parameter(field)[neuron]
        on_chip = "never decays" if worst is None else f"is {worst:.3g} s on the chip"
        measured = (
            f"{asked:.3g} s {on_chip}, {100 * error:.3g} % off, at neuron {neuron} "
            f"({entry[f'{field}_errors']} of {population.size} neurons are more than "
            f"{100 * TIME_ERROR:g} % off)"
        )
        meaning = f"decays have 12 bits: at dt = {network.dt:g} s the longest is {longest:.3g} s"
        fix = f"use a longer dt (times up to {DECAY_ONE} dt), or a shorter {field}"
        kind = "time_constant_off"
        yield Finding("warning", f"{where}.{field}", measured, meaning, fix, kind=kind)
    periods = population.parameter("refractory")
    yield from _rounded_time(network, f"{where}.refractory", periods, "refractory")


def _rounded_time(network: Network, where: str, seconds: Any, what: str) -> Iterator[Finding]:
    """Times in whole steps: those that became 0, and those that are off."""
    dt = network.dt
    times = np.atleast_1d(np.asarray(seconds, dtype=np.float64))
    steps = np.rint(times / dt)
    gone = (times > 0) & (steps == 0)
    error = time_error(times[~gone], dt)
    if not gone.any() and error <= TIME_ERROR:
        return
    finer = _finer_step(network, times)
    fix = (
        "no dt holds all times of the network in the steps that a chip counts: change them"
        if finer is None
        else f"use a shorter dt, such as {finer:.3g} s"
    )
    if gone.any():
        measured = f"{times[gone].max():.3g} s became 0 ({gone.sum():,} of {times.size:,})"
        meaning = f"times are whole steps of {dt:g} s"
        yield Finding("warning", where, measured, meaning, fix, kind=f"{what}_became_zero")
    if error > TIME_ERROR:
        severity: Severity = "warning" if error > _LARGE_TIME_ERROR else "note"
        measured = f"up to {100 * error:.3g} % off"
        meaning = f"times are rounded to whole steps of {dt:g} s"
        yield Finding(severity, where, measured, meaning, fix, kind=f"{what}_rounded")


def _finer_step(network: Network, times: NDArray[np.float64]) -> float | None:
    """The longest step at which these times are close, and none of the network is too long."""
    periods = [p.parameter("refractory").max(initial=0.0) for p in network.compute_populations]
    delays = [np.max(p.delays, initial=0.0) for p in network.projections if p.delays is not None]
    least = max(
        max(periods, default=0.0) / (NEURON_RANGES["refractory"][1] + 0.49),
        max(delays, default=0.0) / (DELAY_MAX + 0.49),
    )
    shortest = float(times[times > 0].min())
    steps = [network.dt / k for k in range(2, 65)] + [shortest / k for k in range(1, 65)]
    for step in sorted((s for s in steps if least <= s < network.dt), reverse=True):
        rounded = float(f"{step:.3g}")  # as it is shown
        if rounded >= least and time_error(times, rounded) <= TIME_ERROR:
            return rounded
    return None


def time_error(seconds: Any, dt: float) -> float:
    """Largest relative error of times that are rounded to steps; 1.0 where one became 0."""
    times = np.atleast_1d(np.asarray(seconds, dtype=np.float64))
    times = times[times > 0]
    return float(np.abs(np.rint(times / dt) * dt / times - 1.0).max(initial=0.0))


def _currents(population: Population, entry: Entry) -> Iterator[Finding]:
    """Neurons whose current is off, and what keeps their weights small."""
    off, error = entry["current_errors"], entry["current_error_max"]
    if not off:
        return
    neuron = entry["current_error_neuron"]
    measured = (
        f"the current of {off} of {population.size} neurons is expected to be more than "
        f"{100 * CURRENT_ERROR:g} % off, of neuron {neuron} {_percent(error)}"
    )
    if entry["scale_of"] == "neuron" and 2 * entry["current_error_vth"] <= NEURON_RANGES["vth"][1]:
        meaning = (
            "their weights are coarse beside their thresholds: the largest take the bits of all"
        )
        fix = "split the projections onto them by the size of their weights"
    elif entry["scale_of"] == "neuron":
        tau, threshold = (population.parameter(f)[neuron] for f in ("tau_mem", "v_threshold"))
        meaning = f"their weights are small beside their thresholds (tau_mem {tau:.3g} s, \
v_threshold {threshold:.3g}), which have 17 bits"
        fix = "use a longer dt or a shorter tau_mem for them, or larger weights"
    elif entry["scale_limited_by"] == "vth":
        bounding = int(entry["scale_neuron"])
        tau, threshold = (population.parameter(f)[bounding] for f in ("tau_mem", "v_threshold"))
        meaning = f"neuron {bounding} (tau_mem {tau:.3g} s, v_threshold {threshold:.3g}) bounds \
the scale of all {population.size}"
        fix = f"put neuron {bounding} into a population of its own"
    elif entry["scale_limited_by"] == "bias":
        meaning, fix = _bias_bounds(entry)
    else:
        meaning = f"the {entry['scale_limited_by']} bound the scale of the population"
        fix = "split the population, or its projections by the size of their weights"
    yield Finding(
        "warning", f"population {population.name!r}", measured, meaning, fix, kind="current_off"
    )


def _rates(population: Population, entry: Entry) -> Iterator[Finding]:
    """Neurons whose bias and threshold are too coarse for the rate that they give."""
    if not entry["rate_errors"]:
        return
    neuron = entry["rate_error_neuron"]
    error = _percent(entry["rate_error_max"])
    measured = (
        f"the rate of {entry['rate_errors']} of {population.size} neurons is expected to be more "
        f"than {100 * CURRENT_ERROR:g} % off, of neuron {neuron} {error}"
    )
    bias, threshold = (population.parameter(f)[neuron] for f in ("bias", "v_threshold"))
    bounding = int(entry["scale_neuron"])
    meaning = (
        f"its bias ({bias:.4g}) and threshold ({threshold:.4g}) are few units on the scale that "
        "all share"
    )
    fix = f"put neuron {bounding} into a population of its own"
    if entry["scale_limited_by"] == "bias":
        meaning, fix = _bias_bounds(entry)
    elif entry["scale_of"] == "neuron" or bounding == neuron:
        fix = "a bias further from its threshold, or a larger threshold"
    where = f"population {population.name!r}"
    yield Finding("warning", where, measured, meaning, fix, kind="rate_off")


def _bias_bounds(entry: Entry) -> tuple[str, str]:
    """Meaning and fix where the largest bias leaves the rest no bits."""
    bias, neuron = entry["largest_bias"], entry["largest_bias_neuron"]
    meaning = (
        f"the bias of neuron {neuron} (up to {bias:.3g}, held inputs included) bounds the scale"
    )
    return (
        meaning,
        f"put neuron {neuron} into a population of its own, or give a smaller input_range",
    )


def _room(population: Population, entry: Entry) -> Iterator[Finding]:
    if entry["headroom"] == "open" and entry["u_may_wrap"]:
        worst = entry["u_worst_case"]
        measured = "without a bound" if worst is None else f"{worst:.3g} times its range at worst"
        yield Finding(
            "note",
            f"population {population.name!r}",
            f"the current may need {measured}",
            "beyond it the current wraps and changes its sign; runs count that",
            "quantize with headroom 'worst_case', or 'measured' with a run",
            kind="current_may_wrap",
        )


def _zeroed(projection: Projection, entry: Entry, target: Entry) -> Iterator[Finding]:
    """Weights that became 0; serious if much of the drive went, or all that some neuron had.

    Args:
        target: of the population. Only where a neuron of it has a current that is off in thresholds
            does it count that some neuron lost all: all of next to nothing is nothing.
    """
    currents_off = target["current_errors"] > 0
    zeroed, synapses = entry["zeroed"], entry["synapses"]
    if not zeroed:
        return
    lost, most = entry["zeroed_drive"], entry["zeroed_drive_max"]
    current = entry.get("zeroed_current_max") or 0.0
    serious = lost > _LOST_DRIVE or (most > CURRENT_ERROR and currents_off)
    measured = f"{zeroed:,} of {synapses:,} weights became 0"
    meaning = f"with them went {_percent(lost)} of its drive, of one neuron {_percent(most)}"
    if not serious and current > CURRENT_ERROR:
        serious = True  # the drive that is left may be that of sources that hardly ever fire
        meaning += f"; at usual rates a current of {current:.2g} thresholds"
    fix = ""
    if serious:
        sizes = np.sort(np.abs(projection.weights.data))
        border = float(np.sqrt(sizes[zeroed - 1] * sizes[-1])) if zeroed < synapses else 0.0
        larger = int(np.count_nonzero(sizes > border))
        fix = (
            f"split the projection: the {larger:,} weights above {border:.3g} in one of their own"
            if border
            else _too_weak(target)
        )
    yield Finding(
        "warning" if serious else "note",
        f"projection {projection.name!r}",
        measured,
        meaning,
        fix,
        kind="weights_became_zero",
    )


def _too_weak(target: Entry) -> str:
    """What to do where no weight of a projection is left."""
    if target["scale_limited_by"] == "bias":
        return _bias_bounds(target)[1]
    if target["scale_limited_by"] == "vth":
        return "the weights are too small beside the threshold: raise them, or leave them out"
    return (
        "the projection is too weak beside others onto the same neurons: raise it, or leave it out"
    )


def _clipped(projection: Projection, entry: Entry) -> Iterator[Finding]:
    if clipped := entry.get("clipped", 0):
        yield Finding(
            "note",
            f"projection {projection.name!r}",
            f"{clipped:,} of {entry['synapses']:,} weights were clipped",
            "the option for weights lets the largest go so that all others are finer",
            "quantize with scaling 'max', which clips none",
            kind="weights_clipped",
        )


def _bounds(projection: Projection, entry: Entry) -> Iterator[Finding]:
    """Bounds of learning that differ between synapses: a projection has one on the chip."""
    rule = projection.plasticity
    bounds = np.zeros(0) if rule is None or rule.w_max is None else np.atleast_1d(rule.w_max)
    if not bounds.any() or np.ptp(bounds) == 0.0:
        return
    on_chip = float(entry["w_max"]["on_chip"])
    off = np.abs(on_chip / bounds[bounds > 0] - 1.0) > BOUND_ERROR
    if off.any():
        yield Finding(
            "warning",
            f"projection {projection.name!r}.plasticity.w_max",
            f"{bounds.min():.3g} to {bounds.max():.3g}, on the chip {on_chip:.3g} for all: "
            f"{off.sum():,} of {bounds.size:,} synapses are more than {100 * BOUND_ERROR:g} % off",
            "weights that learn have one bound a projection: small synapses may grow beyond theirs",
            "split the projection by the size of w_max, or learn in float alone",
            kind="weight_bound_off",
        )


def _delays(network: Network, projection: Projection, entry: Entry) -> Iterator[Finding]:
    del entry
    if projection.delays is not None:
        where = f"projection {projection.name!r}.delays"
        yield from _rounded_time(network, where, projection.delays, "delays")


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
