"""The compiled loop of pair rules that learn in every step (numba): `learning_kernels`, but faster.

One rule a projection, epochs of one step, ``dw`` alone, of at most one product x0 * (y traces) and
one y0 * (x traces): pair STDP. What a spike changes then depends on the neuron at the other end
alone, and one random number rounds all synapses of a projection: how far a weight moves is known
per neuron before a synapse is touched (`_weight_steps`). Mostly that is 0, or everywhere, and then
nothing is touched.
`pair_steps` and `learning_steps` are compiled only when a network needs them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hrsnn_lava.integer_format import ACCUMULATOR_SHIFT, TRACE_MAX
from hrsnn_lava.sim_backends.native.kernels import grouped, integer_steps, jit
from hrsnn_lava.sim_backends.native.layout import Drive, Events, Out
from hrsnn_lava.sim_backends.native.learning import Draws, Memory, Rules, Wiring
from hrsnn_lava.sim_backends.native.learning_kernels import ACC_MAX, ACC_MIN, raised

_VALUES = TRACE_MAX + 1  # that a trace of 7 bits can have
_UNIT = np.int32(1 << ACCUMULATOR_SHIFT)  # a weight of 1 in the accumulator
_BITS = np.int32(23)  # of a fixed point in which 7 bits still fit into int32
_ONE = 2.0**23
# changes below this, rounding added, fit into 16 bits: twice as many a time
_NARROW = 2**15 - (1 << ACCUMULATOR_SHIFT)


@jit
def pair_steps(
    first: int, n_steps: int, updates: Any, wiring: Wiring, rules: Rules, m: Memory, draws: Draws,
    *arrays: Any,
) -> int:  # fmt: skip
    """Run `n_steps` steps; arguments and result are those of `learning_steps`."""
    run, drive, events, out = grouped(arrays)
    bias_exp, bias, starts, mantissas = drive
    ring_source, ring_value, ring_count = run.ring
    out_step, out_neuron, out_v, out_u = out
    pending, n_written = m.pending, 0
    begin: Any = max(np.searchsorted(starts, first, side="right") - 1, 0)
    for k in range(n_steps):
        t = first + k
        end: Any = begin
        while end < starts.shape[0] and starts[end] <= t:
            end += 1
        spikes = integer_steps(
            t, 1, run, Drive(bias_exp, bias, starts[begin:end], mantissas[begin:end]),
            Events(events.ptr[k : k + 2], events.source, events.value),
            Out(out_step[n_written:], out_neuron[n_written:], out_v[k : k + 1], out_u[k : k + 1]),
            pending, updates[k : k + 1],
        )  # fmt: skip
        begin = end
        slot = t % ring_count.shape[0]
        for i in range(pending.shape[0]):
            pending[i] = 0
        exact = run.scratch.wide[2]
        if exact:
            run.scratch.later[:] = 0
        for r in range(wiring.source.shape[0]):
            g, column, row = wiring.group[r], wiring.column[r], wiring.row[r]
            n_pre, n_post, target = wiring.n_pre[r], wiring.n_post[r], wiring.target[r]
            x0, y0 = rules.x_first[g], rules.y_first[g]
            pre, post = m.pre[column : column + n_pre], m.post[row : row + n_post]
            n_sent = _find_sent(
                ring_source[slot], ring_value[slot], ring_count[slot], wiring.source[r], n_pre, pre
            )
            n_fired = _find_fired(out_neuron[n_written:], spikes, target, n_post, post)
            for trace in range(5):
                if not rules.used[g, trace]:
                    continue
                of_pre = trace < 2
                values = m.x[0, trace, x0 : x0 + n_pre]
                if not of_pre:
                    values = m.y[0, trace - 2, y0 : y0 + n_post]
                _decay_trace(
                    values, rules.whole[g, trace], rules.fraction[g, trace],
                    draws.x_decay[r, k] if of_pre else draws.y_decay[r, k], m.decayed,
                )  # fmt: skip
                _raise_trace(
                    values, pre if of_pre else post, n_sent if of_pre else n_fired,
                    rules.impulse[g, trace], rules.part[g, trace],
                    draws.x_impulse[r, k] if of_pre else draws.y_impulse[r, k],
                )  # fmt: skip
            rounding = np.int32(_UNIT - 1) - np.int32(np.floor(draws.synapse[r, k] * _UNIT))
            by_pre, by_post = m.from_pre[1, y0 : y0 + n_post], m.from_post[1, x0 : x0 + n_pre]
            to_pre, to_post = m.step_pre[:n_post], m.step_post[:n_pre]
            if rules.first[g, 1] - rules.first[g, 0] < 2:  # one of the two products is missing
                by_pre[:], by_post[:], to_pre[:], to_post[:] = 0, 0, 0, 0
            for p in range(rules.first[g, 0], rules.first[g, 1]):
                by_x = rules.dependency[p] == 0
                if (n_sent if by_x else n_fired) == 0:
                    continue
                f, code, at = rules.factors[p], 2 if by_x else 0, y0 if by_x else x0
                changes, steps = by_pre if by_x else by_post, to_pre if by_x else to_post
                narrow = False
                if rules.factors[p + 1] - f == 1 and t > 0:
                    at_trace = rules.variable[f] - code
                    trace = m.x[0, at_trace, x0 : x0 + n_pre]
                    if by_x:
                        trace = m.y[0, at_trace, y0 : y0 + n_post]
                    narrow = _weight_steps(
                        changes, steps, post if by_x else pre, n_fired if by_x else n_sent, trace,
                        rules.mantissa[p], rules.right[p], rules.left[p], rules.constant[f],
                        rules.limit[f], rounding,
                    )  # fmt: skip
                if not narrow:
                    _any_product(changes, m.y if by_x else m.x, at, code, p, rules)
                    for i in range(changes.shape[0]):
                        steps[i] = np.int16(np.int32(changes[i] + rounding) >> np.int32(7))
            _deliver(
                pre, n_sent, wiring.indptr[column:], wiring.targets, m.weights, pending,
                np.int32(rules.factor[r]),
            )  # fmt: skip
            if exact:
                _deliver(
                    pre, n_sent, wiring.indptr[column:], wiring.targets, m.weights,
                    run.scratch.later, np.int32(rules.factor[r]),
                )  # fmt: skip
            bounds = (
                np.int32(rules.acc_low[r]), np.int32(rules.acc_high[r]),
                np.int32(rules.low[r]), np.int32(rules.high[r]),
            )  # fmt: skip
            x_before_y = rules.dependency[rules.first[g, 0]] == 0
            if t == 0:
                _everything(
                    pre, n_sent, post, n_fired, by_pre, by_post, wiring.indptr[column:],
                    wiring.targets, m.weights, target, m.pre_on[column:], m.post_on[row:],
                    x_before_y, rounding, bounds,
                )  # fmt: skip
                continue
            if n_sent > 0:
                _columns(
                    pre, n_sent, post, n_fired, by_pre, by_post, to_pre, wiring.indptr[column:],
                    wiring.targets, m.weights, target, m.post_on[row:], m.held_place,
                    m.held_weight, x_before_y, rounding, bounds,
                )  # fmt: skip
            if n_fired > 0:
                _rows(
                    post, n_fired, pre, n_sent, to_post, wiring.row_ptr[row:], wiring.row_place,
                    wiring.row_pre, m.weights, rounding, bounds,
                )  # fmt: skip
        n_written += spikes
    return n_written


@jit
def _everything(
    pre: Any, n_sent: Any, post: Any, n_fired: Any, by_pre: Any, by_post: Any, indptr: Any,
    targets: Any, weights: Any, first: Any, sent: Any, fired: Any, x_before_y: Any, rounding: Any,
    bounds: Any,
) -> None:  # fmt: skip
    """The first epoch, synapse by synapse: weights may lie beyond their range until it ends.

    Then it matters that the accumulator is clipped after each product, also one that adds nothing.
    """
    _set_flags(sent, by_post.shape[0], pre, n_sent)
    _set_flags(fired, by_pre.shape[0], post, n_fired)
    for j in range(by_post.shape[0]):
        for q in range(indptr[j], indptr[j + 1]):
            i = np.int64(targets[q]) - first
            of_pre = by_pre[i] if sent[j] else np.int32(0)
            of_post = by_post[j] if fired[i] else np.int32(0)
            one = of_pre if x_before_y else of_post
            two = of_post if x_before_y else of_pre
            total = _clip_accumulator(np.int32(np.int32(weights[q]) * np.int32(_UNIT)) + one)
            weights[q] = _to_weight(_clip_accumulator(total + two), rounding, bounds)
    _set_flags(sent, by_post.shape[0], pre, 0)
    _set_flags(fired, by_pre.shape[0], post, 0)


@jit
def _deliver(
    pre: Any, n_sent: Any, indptr: Any, all_targets: Any, all_weights: Any, pending: Any,
    factor: Any,
) -> None:  # fmt: skip
    """Send the weights of now to the targets of neurons that spiked."""
    for e in range(n_sent):
        lo, hi = np.uint64(indptr[pre[e]]), np.uint64(indptr[pre[e] + 1])
        targets, weights = all_targets[lo:hi], all_weights[lo:hi]
        if factor == 1:
            for q in range(targets.shape[0]):
                pending[targets[q]] += weights[q]
        else:
            for q in range(targets.shape[0]):
                pending[targets[q]] += np.int32(np.int32(weights[q]) * factor)


@jit
def _columns(
    pre: Any, n_sent: Any, post: Any, n_fired: Any, by_pre: Any, by_post: Any, steps: Any,
    indptr: Any, all_targets: Any, all_weights: Any, first: Any, fired: Any, met: Any,
    scratch: Any, x_before_y: Any, rounding: Any, bounds: Any,
) -> None:  # fmt: skip
    """Change the synapses from neurons that spiked.

    Where both neurons spiked, two changes add up, with a clip in between. They are looked for
    only in columns in which the sum of the two can move a weight, or the clip can matter.
    """
    least, greatest = _weight_reach(rounding, bounds)
    moves, start = _any_moves(steps, post, n_fired), np.uint64(first)
    low = high = np.int32(0)
    if n_fired > 0:
        low, high = _extent_of(by_pre, post, n_fired)
    for e in range(n_fired):
        fired[post[e]] = True
    for e in range(n_sent):
        of_post: Any = np.int32(by_post[pre[e]])
        n_met: Any = np.uint64(0)
        both = n_fired > 0 and (
            low + of_post + rounding < 0
            or high + of_post + rounding >= _UNIT
            or bounds[2] * _UNIT + min(low, of_post) < ACC_MIN
            or bounds[3] * _UNIT + max(high, of_post) > ACC_MAX
        )
        if not (moves or both):
            continue
        lo, hi = np.uint64(indptr[pre[e]]), np.uint64(indptr[pre[e] + 1])
        targets, weights, step = all_targets[lo:hi], all_weights[lo:hi], scratch[: hi - lo]
        if both:
            for q in range(targets.shape[0]):
                met[n_met] = q
                n_met = n_met + np.uint64(fired[np.uint64(targets[q]) - start])
            for f in range(n_met):
                place = np.uint64(met[f])
                of_pre = by_pre[np.uint64(targets[place]) - start]
                one = of_pre if x_before_y else of_post
                two = of_post if x_before_y else of_pre
                total = _clip_accumulator(
                    np.int32(np.int32(weights[place]) * np.int32(_UNIT)) + one
                )
                weights[place] = _to_weight(_clip_accumulator(total + two), rounding, bounds)
        if moves:
            for q in range(targets.shape[0]):
                step[q] = steps[np.uint64(targets[q]) - start]
            for q in range(weights.shape[0]):
                weights[q] = min(max(np.int16(weights[q] + step[q]), least), greatest)
    for e in range(n_fired):
        fired[post[e]] = False


@jit
def _rows(
    post: Any, n_fired: Any, pre: Any, n_sent: Any, steps: Any, row_ptr: Any, row_place: Any,
    row_pre: Any, weights: Any, rounding: Any, bounds: Any,
) -> None:  # fmt: skip
    """Change the synapses onto neurons that fired, from neurons that did not."""
    if not _any_moves(steps, pre, n_sent):
        return
    least, greatest = _weight_reach(rounding, bounds)
    low, high = np.int32(least), np.int32(greatest)
    for e in range(n_fired):
        lo, hi = np.uint64(row_ptr[post[e]]), np.uint64(row_ptr[post[e] + 1])
        places, neurons = row_place[lo:hi], row_pre[lo:hi]
        for q in range(places.shape[0]):
            place = np.uint64(places[q])
            weight = np.int32(weights[place]) + np.int32(steps[np.uint64(neurons[q])])
            weights[place] = min(max(np.int32(weight), low), high)


@jit
def _find_sent(sources: Any, values: Any, count: Any, low: Any, n: Any, index: Any) -> Any:
    """Local indices of the sources of a projection that sent something; how many."""
    size = 0
    for e in range(count):
        if low <= sources[e] < low + n and values[e] != 0:
            index[size] = sources[e] - low
            size += 1
    return size


@jit
def _find_fired(neurons: Any, count: Any, low: Any, n: Any, index: Any) -> Any:
    """Local indices of the targets of a projection that fired; how many."""
    size = 0
    for e in range(count):
        if low <= neurons[e] < low + n:
            index[size] = neurons[e] - low
            size += 1
    return size


@jit
def _decay_trace(values: Any, whole: Any, fraction: Any, random: Any, decayed: Any) -> None:
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


@jit
def _raise_trace(values: Any, who: Any, count: Any, impulse: Any, part: Any, random: Any) -> None:
    """Add the impulse to the traces of neurons that spiked."""
    for e in range(count):
        values[who[e]] = raised(values[who[e]], impulse, part, random)


@jit
def _weight_steps(
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


@jit
def _any_product(result: Any, traces: Any, start: Any, code: Any, p: Any, rules: Any) -> None:
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
    low, high = np.int32(ACC_MIN), np.int32(ACC_MAX)
    for i in range(n):
        value = np.int32(np.int64(np.int32(result[i] >> right)) << left)
        result[i] = min(max(value, low), high)


@jit
def _clip_accumulator(value: Any) -> Any:
    return min(max(np.int32(value), np.int32(ACC_MIN)), np.int32(ACC_MAX))


@jit
def _to_weight(total: Any, rounding: Any, bounds: Any) -> Any:
    """An accumulator (int32) to a weight: sign, rounding, limits."""
    total = min(max(total, bounds[0]), bounds[1])
    return min(max(np.int32(np.int32(total + rounding) >> np.int32(7)), bounds[2]), bounds[3])


@jit
def _weight_reach(rounding: Any, bounds: Any) -> Any:
    """Least and greatest weight that `_to_weight` can give, int16."""
    least = _to_weight(np.int32(ACC_MIN), rounding, bounds)
    return np.int16(least), np.int16(_to_weight(np.int32(ACC_MAX), rounding, bounds))


@jit
def _set_flags(flags: Any, n: Any, who: Any, count: Any) -> None:
    for i in range(n):
        flags[i] = False
    for e in range(count):
        flags[who[e]] = True


@jit
def _any_moves(steps: Any, who: Any, count: Any) -> Any:
    """Take neurons `who` out; whether any weight is left to move."""
    for e in range(count):
        steps[who[e]] = np.int16(0)
    bits = np.int16(0)
    for i in range(steps.shape[0]):
        bits |= steps[i]
    return bits != 0


@jit
def _extent_of(changes: Any, who: Any, count: Any) -> Any:
    """Least and greatest change among neurons `who`."""
    low = high = changes[who[0]]
    for e in range(1, count):
        low, high = min(low, changes[who[e]]), max(high, changes[who[e]])
    return low, high
