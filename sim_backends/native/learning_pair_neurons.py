"""Pair rules, the part of a step that is done per neuron (numba); see `learning_pairs`.

One random number rounds all synapses of a projection in a step, so what a spike does to a synapse
is known per neuron at its other end: the change of the accumulator, and the weight's step.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hrsnn_lava.sim_backends.native.kernels import _jit
from hrsnn_lava.sim_backends.native.learning_updates import _ACC_MAX, _ACC_MIN, _raised

_VALUES = 128  # that a trace of 7 bits can have
UNIT = np.int32(128)  # a weight of 1 in the accumulator
_BITS = np.int32(23)  # of a fixed point in which 7 bits still fit into int32
_ONE = 2.0**23
_NARROW = 2**15 - 128  # changes below this, rounding added, fit into 16 bits: twice as many a time


@_jit
def find_sent(sources: Any, values: Any, count: Any, low: Any, n: Any, found: Any) -> Any:
    """Local indices of the sources of a projection that sent something; how many."""
    size = 0
    for e in range(count):
        if low <= sources[e] < low + n and values[e] != 0:
            found[size] = sources[e] - low
            size += 1
    return size


@_jit
def find_fired(neurons: Any, count: Any, low: Any, n: Any, found: Any) -> Any:
    """Local indices of the targets of a projection that fired; how many."""
    size = 0
    for e in range(count):
        if low <= neurons[e] < low + n:
            found[size] = neurons[e] - low
            size += 1
    return size


@_jit
def decay_trace(values: Any, whole: Any, fraction: Any, random: Any, decayed: Any) -> None:
    """A step of a trace, (n,); one random number rounds all of it.

    A linear function that agrees with the table on all its values does it for many at once.
    """
    for value in range(_VALUES):
        decayed[value] = np.uint8(np.int32(whole[value]) + np.int32(random < fraction[value]))
    last = _VALUES - 1
    slope = np.int32((np.float64(whole[last]) + fraction[last]) / last * _ONE)
    offset = np.int32((1.0 - random) * _ONE)
    wrong = np.int32(0)
    for value in range(_VALUES):
        line = np.int32(np.int32(np.int32(value) * slope + offset) >> _BITS)
        wrong |= np.int32(line ^ np.int32(decayed[value]))
    if wrong == 0:
        for i in range(values.shape[0]):
            values[i] = np.uint8(np.int32(np.int32(values[i]) * slope + offset) >> _BITS)
    else:
        for i in range(values.shape[0]):
            values[i] = decayed[values[i]]


@_jit
def raise_trace(values: Any, who: Any, count: Any, impulse: Any, part: Any, random: Any) -> None:
    """Add the impulse to the traces of neurons that spiked."""
    for e in range(count):
        values[who[e]] = _raised(values[who[e]], impulse, part, random)


@_jit
def weight_steps(
    changes: Any, steps: Any, who: Any, count: Any, trace: Any, mantissa: Any, right: Any,
    left: Any, constant: Any, limit: Any, rounding: Any,
) -> Any:  # fmt: skip
    """What a spike does to a synapse, by the neuron at its other end, for a product of one factor.

    `changes` (n,) int32 of the accumulator, at `who` alone; `steps` (n,) int16 of the weight:
    ``(128 w + c + r) >> 7 = w + ((c + r) >> 7)``, and clipping the accumulator before is clipping
    the weight after, for all of these functions are monotonic. False, and nothing done, where 16
    bits do not hold the arithmetic.
    """
    last = _VALUES - 1
    most = (abs(constant) + last) * abs(mantissa) >> right
    if constant < -last or constant + last >= limit or left > 15 or most << left >= _NARROW:
        return False
    times, less, more = np.int16(mantissa), np.int16(right), np.int16(left)
    plus, up = np.int16(constant), np.int16(rounding)
    for i in range(steps.shape[0]):
        term = np.int16(np.int16(np.int16(trace[i]) + plus) * times)
        term = np.int16(np.int16(term >> less) << more)
        steps[i] = np.int16(np.int16(term + up) >> np.int16(7))
    for e in range(count):
        term = (np.int64(trace[who[e]]) + constant) * mantissa
        changes[who[e]] = np.int32((term >> right) << left)
    return True


@_jit
def any_product(result: Any, traces: Any, start: Any, code: Any, p: Any, rules: Any) -> None:
    """Product `p`, of any number of factors, for every neuron (n,), at the accumulator's width."""
    n = result.shape[0]
    for i in range(n):
        result[i] = rules.mantissa[p]
    for f in range(rules.factors[p], rules.factors[p + 1]):
        trace = traces[0, rules.variable[f] - code, start : start + n]
        added, bound = np.int32(rules.constant[f]), np.int32(rules.limit[f])
        for i in range(n):
            term = np.int32(np.int32(trace[i]) + added)
            term = min(max(term, np.int32(-bound)), np.int32(bound - 1))
            result[i] = np.int32(result[i] * term)
    right, left = np.int32(rules.right[p]), rules.left[p]
    low, high = np.int32(_ACC_MIN), np.int32(_ACC_MAX)
    for i in range(n):
        value = np.int32(np.int64(np.int32(result[i] >> right)) << left)
        result[i] = min(max(value, low), high)


@_jit
def clip_accumulator(value: Any) -> Any:
    return min(max(np.int32(value), np.int32(_ACC_MIN)), np.int32(_ACC_MAX))


@_jit
def to_weight(total: Any, rounding: Any, bounds: Any) -> Any:
    """An accumulator (int32) to a weight: sign, rounding, limits."""
    total = min(max(total, bounds[0]), bounds[1])
    return min(max(np.int32(np.int32(total + rounding) >> np.int32(7)), bounds[2]), bounds[3])


@_jit
def weight_reach(rounding: Any, bounds: Any) -> Any:
    """Least and greatest weight that `to_weight` can give, int16."""
    least = to_weight(np.int32(_ACC_MIN), rounding, bounds)
    return np.int16(least), np.int16(to_weight(np.int32(_ACC_MAX), rounding, bounds))


@_jit
def set_flags(flags: Any, n: Any, who: Any, count: Any) -> None:
    for i in range(n):
        flags[i] = False
    for e in range(count):
        flags[who[e]] = True


@_jit
def any_moves(steps: Any, who: Any, count: Any) -> Any:
    """Take neurons `who` out; whether any weight is left to move."""
    for e in range(count):
        steps[who[e]] = np.int16(0)
    moved = np.int16(0)
    for i in range(steps.shape[0]):
        moved |= steps[i]
    return moved != 0


@_jit
def extent_of(changes: Any, who: Any, count: Any) -> Any:
    """Least and greatest change among neurons `who`."""
    low = high = changes[who[0]]
    for e in range(1, count):
        low, high = min(low, changes[who[e]]), max(high, changes[who[e]])
    return low, high
