"""Head-room of the integer states: the current u wraps, the potential v saturates.

Worst case: every source sends as often as its refractory period lets it, for ever, so that all its
synapses peak together. With kappa = 1 - (du + 1) / 4096 left of u after a step, and a source that
sends at most every P steps::

    |u| <= 64 sum_j |W_ij| 2^weight_exp / (1 - kappa_i^P_j)         wraps beyond 2^23 (Lava)
    v   >= 4096 / dv (least u + least bias)                         saturates at -2^23 + 1

Where a spike sets v to 0, the upper end of v needs no room: every threshold lies below it, so a
potential that saturates there spikes and returns to 0 in the same step, as it would without a
bound. At the lower end an inhibited neuron forgets how far below it was, and recovers too soon.

Where a spike subtracts the threshold theta = 64 vth, v keeps what it had above, and grows under a
drive I of more than that a step, u and bias together. With k = 1 - dv / 4096 left of v,

    subtract        v <= max(k theta + I, (I - k theta) / (1 - k))   before the spike of a step
    subtract_next   v <= max(k theta + I, (I - theta) / (1 - k)),    v >= -(1 - k) theta - 1 - depth

    subtract_all    v <= k theta + I

since no bound is left by a step from within it. With the last a neuron sends several spikes in a
step, ``floor(v / theta)`` at most, see `most_spikes`: all that it brings to others counts so often.

Decays round toward zero, which only helps; a negative exponent rounds sums down, which counts as
one further unit for each projection and delay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.csr import row_sums, rows_of
from hrsnn_lava.integer_format import NEURON_RANGES as RANGES
from hrsnn_lava.integer_format import current_leak, kept_of_current, potential_leak
from hrsnn_lava.quantized import QuantizedNetwork, QuantizedPopulation, QuantizedProjection
from hrsnn_lava.resets import sends_several
from hrsnn_lava.trace import Trace

Float = NDArray[np.float64]
#: Beyond it u wraps; v saturates one short of it.
LIMIT = 2**23
#: Values of a trace that are looked at together.
_CHUNK_VALUES = 4_000_000
#: Stands for infinity where products are still to be taken.
_UNBOUNDED = 1e100


def worst_case(
    network: QuantizedNetwork, name: str, input_range: float | None = None
) -> dict[str, Any]:
    """Largest share of the range that u and v of a population can ever need.

    Args:
        network: integers. name: of the population.
        input_range: largest magnitude of an analog input; None: graded spikes have no bound, so
            they are left out, and `bounded` is false.

    Returns:
        u_worst_case: largest |u| over 2^23; u_may_wrap; v_worst_case: depth of v over 2^23, or its
        height where a reset subtracts and that is larger; v_may_saturate; bounded.
    """
    population = network.population(name)
    most = most_spikes(network, input_range)
    high, low, drive, bounded = _arriving(network, population, input_range, most)
    u = 64.0 * np.maximum(high, low)
    v = _depth(population, 64.0 * low, drive)
    if population.reset != "zero":
        v = np.maximum(v + _below_by_reset(population), _height(population, 64.0 * high, drive))
    return {
        "u_worst_case": _share(u),
        "u_may_wrap": bool(np.any(u >= LIMIT)),
        "v_worst_case": _share(v),
        "v_may_saturate": bool(np.any(v >= LIMIT)),
        "bounded": bounded,
    }


def most_spikes(network: QuantizedNetwork, input_range: float | None = None) -> dict[str, Float]:
    """How many spikes neurons can send in a step at most, (size,) by population.

    What v of 2^23 - 1 holds is a bound for all; where what arrives has one, and the current cannot
    wrap, ``(k theta + I) / theta`` is, too. It follows layer by layer; in a loop of such neurons
    spikes bring on more spikes, and it is mostly the first that holds.

    Args:
        network: integers. input_range: as of `worst_case`.

    Returns:
        Only populations that may send several.
    """
    several = [p for p in network.compute_populations if sends_several(p)]
    most = {p.name: p.most_spikes.astype(np.float64) for p in several}
    for _ in several:  # a chain of them settles in as many rounds
        for population in several:
            high, low, drive, bounded = _arriving(network, population, input_range, most)
            if not bounded:
                continue
            height = _height(population, 64.0 * high, drive)
            held = np.maximum(np.floor(height / (population.parameter("vth") * 64.0)), 0.0)
            wraps = 64.0 * np.maximum(high, low) >= LIMIT
            known = most[population.name]
            most[population.name] = np.where(wraps, known, np.minimum(known, held))
    return most


def _arriving(
    network: QuantizedNetwork,
    population: QuantizedPopulation,
    input_range: float | None,
    most: Mapping[str, Float],
) -> tuple[Float, Float, Float, bool]:
    """Largest rise and fall of the current, in units of weights, and of the bias mantissa by held
    inputs, (size,) each; and whether all of it has a bound.

    Args:
        most: spikes that neurons send in a step at most, by population; 1 where it is not there.
    """
    name, keep = population.name, 1.0 - current_leak(population.parameter("du"))
    low, high, drive = (np.zeros(population.size) for _ in range(3))
    bounded = True
    for projection in network.projections:
        if projection.post != name or projection.target == "factor":  # that is no current
            continue
        pre = network.population(projection.pre)
        payload: Float | float = 1.0
        if projection.target == "bias":  # the host clips, so a bias has a bound of its own
            held = _UNBOUNDED if input_range is None else np.ceil(input_range * _counts(pre))
            weight_sums = row_sums(projection.weights, np.abs(projection.weights.data))
            drive += np.ceil(weight_sums * held * 2.0**projection.weight_exp)
            continue
        if projection.pre in most:
            payload = most[projection.pre][projection.weights.indices]
        elif projection.num_message_bits:
            bounded &= input_range is not None
            payload = float(np.ceil((input_range or 0.0) * _counts(pre)))
        up, down = _extremes(projection, payload, signed=pre.is_input)
        gain = _gain(pre, projection, keep)
        rounding = 0.0
        if projection.weight_exp < 0 and projection.n_synapses:
            rounding = float(np.unique(projection.delay_steps).size)
        scale = 2.0**projection.weight_exp
        high += row_sums(projection.weights, up * gain) * scale
        low += row_sums(projection.weights, down * gain) * scale
        low += rounding / np.maximum(1.0 - keep, 1.0 / _UNBOUNDED)
    return high, low, drive, bounded


def measured(network: QuantizedNetwork, trace: Trace, name: str) -> dict[str, Any] | None:
    """What a run needed of the ranges; None when the trace has not u and v.

    Where the run did not count its wraps, they are told from u: a wrap moves it by 2^24 at once,
    which shows as long as a step's input is smaller than half the range.

    Returns:
        u_peak: largest |u| over 2^23; wraps: how often u wrapped; v_low: depth of v over 2^23;
        v_saturated: share of neurons and steps at the lower end, or where a reset subtracts, at
        either; v_saturated_neurons.
    """
    if trace.u is None or trace.v is None:
        return None
    population = network.population(name)
    first = network.offset(name)
    part = slice(first, first + population.size)
    keep = kept_of_current(population.parameter("du"))
    before = np.zeros(population.size, dtype=np.int64)
    ever = np.zeros(population.size, dtype=np.bool_)
    peak = wraps = low = at_end = 0
    at_once = population.reset in ("subtract", "subtract_all")
    fired = _spikes_by_step(trace, part) if at_once else None
    rows = max(1, _CHUNK_VALUES // population.size)
    for start in range(0, trace.n_steps, rows):
        u = np.asarray(trace.u[start : start + rows, part], dtype=np.int64)
        v = np.asarray(trace.v[start : start + rows, part])
        past = np.vstack([before[None, :], u[:-1]])
        decayed_u = np.sign(past) * (np.abs(past * keep) >> 12)
        wraps += int(np.count_nonzero(np.abs(u - decayed_u) > LIMIT))
        peak, low = max(peak, int(np.abs(u).max(initial=0))), min(low, int(v.min(initial=0)))
        ends = v <= 1 - LIMIT
        if population.reset != "zero":
            taken = (
                0 if fired is None else fired(start, len(v)) * (population.parameter("vth") << 6)
            )
            ends |= v + taken >= LIMIT - 1
        at_end += int(np.count_nonzero(ends))
        ever |= ends.any(axis=0)
        before = u[-1]
    slots = trace.n_steps * population.size
    return {
        "u_peak": peak / LIMIT,
        "wraps": wraps if trace.wraps is None else int(trace.wraps[part].sum()),
        "v_low": -low / LIMIT,
        "v_saturated": at_end / slots if slots else 0.0,
        "v_saturated_neurons": int(np.count_nonzero(ever)),
    }


def _spikes_by_step(trace: Trace, part: slice) -> Callable[[int, int], NDArray[np.int64]]:
    """How many spikes a range of neurons sent in some steps, (steps, neurons)."""
    spikes = (trace.spike_steps, trace.spike_neurons, trace.payload_values())

    def fired(first: int, steps: int) -> NDArray[np.int64]:
        found = np.zeros((steps, part.stop - part.start), dtype=np.int64)
        edges = np.searchsorted(trace.spike_steps, (first, first + steps))
        at, who, sent = (a[slice(*edges)] for a in spikes)
        inside = (who >= part.start) & (who < part.stop)
        found[at[inside] - first, who[inside] - part.start] = sent[inside]
        return found

    return fired


def _counts(pre: Any) -> float:
    """Payload counts per 1.0 of an analog input."""
    return float(pre.payload_scale or 1.0)


def _share(values: Float) -> float | None:
    """The largest over the limit; None where nothing bounds it."""
    largest = float(values.max(initial=0.0)) / LIMIT
    return largest if largest < _UNBOUNDED / LIMIT else None


def _extremes(
    projection: QuantizedProjection, payload: Float | float, signed: bool
) -> tuple[Float, Float]:
    """Largest rise and fall of the sum by each synapse in a step, (nnz,), both positive.

    Args:
        payload: largest of all, or (nnz,). signed: whether it may be negative, as of inputs.
    """
    weights = projection.effective_weights().data.astype(np.float64)
    if projection.learning is not None:  # a weight may reach the bound of its sign
        low, high = projection.sign_mode.limits
        return np.maximum(weights, float(high)), np.maximum(-weights, -float(low))
    if projection.num_message_bits and signed:
        return np.abs(weights) * payload, np.abs(weights) * payload
    return np.maximum(weights, 0.0) * payload, np.maximum(-weights, 0.0) * payload


def _gain(pre: Any, projection: QuantizedProjection, keep: Float) -> Float:
    """Current that spikes of every synapse's source add up to, over that of one, (nnz,)."""
    refractory = None if pre.is_input else pre.parameter("refractory")
    with np.errstate(divide="ignore"):  # a current that stays for ever has no bound
        if refractory is None or not refractory.any():
            of_row = np.minimum(1.0 / (1.0 - keep), _UNBOUNDED)
            return np.repeat(of_row, np.diff(projection.weights.indptr))
        period = refractory[projection.weights.indices] + 1.0
        gain: Float = 1.0 / (1.0 - keep[rows_of(projection.weights)] ** period)
    return np.minimum(gain, _UNBOUNDED)


def _height(population: QuantizedPopulation, high: Float, drive: Float) -> Float:
    """How far above 0 a potential can get from which thresholds are subtracted, (size,)."""
    mantissa = np.minimum(population.parameter("bias_mant") + drive, RANGES["bias_mant"][1])
    step = high + mantissa * 2.0 ** population.parameter("bias_exp")
    leak = potential_leak(population.parameter("dv"))
    threshold = population.parameter("vth") * 64.0
    least: Float = (1.0 - leak) * threshold + step
    if population.reset == "subtract_all":  # what a step leaves lies below the threshold
        return least
    kept = threshold if population.reset == "subtract_next" else (1.0 - leak) * threshold
    grown = np.maximum(step - kept, 0.0) / np.maximum(leak, 1.0 / _UNBOUNDED)
    return np.maximum(least, grown)


def _below_by_reset(population: QuantizedPopulation) -> Float | int:
    """How far below 0 a threshold taken off after the leak of a step can lead, (size,)."""
    if population.reset != "subtract_next":
        return 0
    return potential_leak(population.parameter("dv")) * population.parameter("vth") * 64.0 + 1.0


def _depth(population: QuantizedPopulation, low: Float, drive: Float) -> Float:
    """How far below 0 the potential can get without a bound, (size,)."""
    mantissa = population.parameter("bias_mant") - drive
    mantissa = np.maximum(mantissa, RANGES["bias_mant"][0])
    total = low - mantissa * 2.0 ** population.parameter("bias_exp")
    leak = potential_leak(population.parameter("dv"))
    depth: Float = np.maximum(total, 0.0) / np.maximum(leak, 1.0 / _UNBOUNDED)
    return depth
