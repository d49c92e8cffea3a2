"""The compiled loop of pair rules that learn in every step (numba): `learning_kernels`, but faster.

One rule a projection, epochs of one step, ``dw`` alone, of at most one product x0 * (y traces) and
one y0 * (x traces): pair STDP. What a spike changes then depends on the neuron at the other end
alone, and one random number rounds all synapses of a projection: how far a weight moves is known
per neuron before a synapse is touched (`weight_steps`). Mostly that is 0, or everywhere, and then
nothing is touched.
`pair_steps` and `learning_steps` are compiled only when a network needs them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hrsnn_lava.sim_backends.native.kernels import _jit, integer_steps
from hrsnn_lava.sim_backends.native.learning_pair_neurons import (
    UNIT,
    any_moves,
    any_product,
    clip_accumulator,
    decay_trace,
    extent_of,
    find_fired,
    find_sent,
    raise_trace,
    set_flags,
    to_weight,
    weight_reach,
    weight_steps,
)
from hrsnn_lava.sim_backends.native.learning_updates import _ACC_MAX, _ACC_MIN


@_jit
def pair_steps(
    first: Any, n_steps: Any, static: Any, events: Any, out: Any, wiring: Any, rules: Any, m: Any,
    draws: Any,
) -> Any:  # fmt: skip
    """Run `n_steps` steps; arguments and result are those of `learning_steps`."""
    neurons, blocks, state = static
    starts, mantissas = neurons[-2], neurons[-1]
    ptr, source, value = events
    out_step, out_neuron, out_v, out_u, updates = out
    ring_source, ring_value, ring_count = state[3], state[4], state[5]
    pending, written = m.pending, 0
    begin = max(np.searchsorted(starts, first, side="right") - 1, 0)
    for k in range(n_steps):
        t = first + k
        end = begin
        while end < starts.shape[0] and starts[end] <= t:
            end += 1
        spikes = integer_steps(  # type: ignore[call-arg]
            t, 1, *neurons[:-2], starts[begin:end], mantissas[begin:end], *blocks,
            ptr[k : k + 2], source, value, *state, out_step[written:], out_neuron[written:],
            out_v[k : k + 1], out_u[k : k + 1], pending, updates[k : k + 1],
        )  # fmt: skip
        begin = end
        slot = t % ring_count.shape[0]
        for i in range(pending.shape[0]):
            pending[i] = 0
        for r in range(wiring.source.shape[0]):
            g, column, row = wiring.group[r], wiring.column[r], wiring.row[r]
            n_pre, n_post, target = wiring.n_pre[r], wiring.n_post[r], wiring.target[r]
            x0, y0 = rules.x_first[g], rules.y_first[g]
            pre, post = m.pre[column : column + n_pre], m.post[row : row + n_post]
            n_sent = find_sent(
                ring_source[slot], ring_value[slot], ring_count[slot], wiring.source[r], n_pre, pre
            )
            n_fired = find_fired(out_neuron[written:], spikes, target, n_post, post)
            for trace in range(5):
                if not rules.used[g, trace]:
                    continue
                of_pre = trace < 2
                values = m.x[0, trace, x0 : x0 + n_pre]
                if not of_pre:
                    values = m.y[0, trace - 2, y0 : y0 + n_post]
                decay_trace(
                    values, rules.whole[g, trace], rules.fraction[g, trace],
                    draws.x_decay[r, k] if of_pre else draws.y_decay[r, k], m.decayed,
                )  # fmt: skip
                raise_trace(
                    values, pre if of_pre else post, n_sent if of_pre else n_fired,
                    rules.impulse[g, trace], rules.part[g, trace],
                    draws.x_impulse[r, k] if of_pre else draws.y_impulse[r, k],
                )  # fmt: skip
            rounding = np.int32(127) - np.int32(np.floor(draws.synapse[r, k] * 128.0))
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
                done = False
                if rules.factors[p + 1] - f == 1 and t > 0:
                    at_trace = rules.variable[f] - code
                    trace = m.x[0, at_trace, x0 : x0 + n_pre]
                    if by_x:
                        trace = m.y[0, at_trace, y0 : y0 + n_post]
                    done = weight_steps(
                        changes, steps, post if by_x else pre, n_fired if by_x else n_sent, trace,
                        rules.mantissa[p], rules.right[p], rules.left[p], rules.constant[f],
                        rules.limit[f], rounding,
                    )  # fmt: skip
                if not done:
                    any_product(changes, m.y if by_x else m.x, at, code, p, rules)
                    for i in range(changes.shape[0]):
                        steps[i] = np.int16(np.int32(changes[i] + rounding) >> np.int32(7))
            _deliver(
                pre, n_sent, wiring.indptr[column:], wiring.targets, m.weights, pending,
                np.int32(rules.factor[r]),
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
        written += spikes
    return written


@_jit
def _everything(
    pre: Any, n_sent: Any, post: Any, n_fired: Any, by_pre: Any, by_post: Any, indptr: Any,
    targets: Any, weights: Any, first: Any, sent: Any, fired: Any, x_before_y: Any, rounding: Any,
    bounds: Any,
) -> None:  # fmt: skip
    """The first epoch, synapse by synapse: weights may lie beyond their range until it ends.

    Then it matters that the accumulator is clipped after each product, also one that adds nothing.
    """
    set_flags(sent, by_post.shape[0], pre, n_sent)
    set_flags(fired, by_pre.shape[0], post, n_fired)
    for j in range(by_post.shape[0]):
        for q in range(indptr[j], indptr[j + 1]):
            i = np.int64(targets[q]) - first
            of_pre = by_pre[i] if sent[j] else np.int32(0)
            of_post = by_post[j] if fired[i] else np.int32(0)
            one = of_pre if x_before_y else of_post
            two = of_post if x_before_y else of_pre
            total = clip_accumulator(np.int32(np.int32(weights[q]) * np.int32(UNIT)) + one)
            weights[q] = to_weight(clip_accumulator(total + two), rounding, bounds)
    set_flags(sent, by_post.shape[0], pre, 0)
    set_flags(fired, by_pre.shape[0], post, 0)


@_jit
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


@_jit
def _columns(
    pre: Any, n_sent: Any, post: Any, n_fired: Any, by_pre: Any, by_post: Any, steps: Any,
    indptr: Any, all_targets: Any, all_weights: Any, first: Any, fired: Any, met: Any,
    scratch: Any, x_before_y: Any, rounding: Any, bounds: Any,
) -> None:  # fmt: skip
    """Change the synapses from neurons that spiked.

    Where both neurons spiked, two changes add up, with a clip in between. They are looked for
    only in columns in which the sum of the two can move a weight, or the clip can matter.
    """
    least, greatest = weight_reach(rounding, bounds)
    moves, start = any_moves(steps, post, n_fired), np.uint64(first)
    low = high = np.int32(0)
    if n_fired > 0:
        low, high = extent_of(by_pre, post, n_fired)
    for e in range(n_fired):
        fired[post[e]] = True
    for e in range(n_sent):
        of_post: Any = np.int32(by_post[pre[e]])
        n_met: Any = np.uint64(0)
        both = n_fired > 0 and (
            low + of_post + rounding < 0
            or high + of_post + rounding >= UNIT
            or bounds[2] * UNIT + min(low, of_post) < _ACC_MIN
            or bounds[3] * UNIT + max(high, of_post) > _ACC_MAX
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
                total = clip_accumulator(np.int32(np.int32(weights[place]) * np.int32(UNIT)) + one)
                weights[place] = to_weight(clip_accumulator(total + two), rounding, bounds)
        if moves:
            for q in range(targets.shape[0]):
                step[q] = steps[np.uint64(targets[q]) - start]
            for q in range(weights.shape[0]):
                weights[q] = min(max(np.int16(weights[q] + step[q]), least), greatest)
    for e in range(n_fired):
        fired[post[e]] = False


@_jit
def _rows(
    post: Any, n_fired: Any, pre: Any, n_sent: Any, steps: Any, row_ptr: Any, row_place: Any,
    row_pre: Any, weights: Any, rounding: Any, bounds: Any,
) -> None:  # fmt: skip
    """Change the synapses onto neurons that fired, from neurons that did not."""
    if not any_moves(steps, pre, n_sent):
        return
    least, greatest = weight_reach(rounding, bounds)
    low, high = np.int32(least), np.int32(greatest)
    for e in range(n_fired):
        lo, hi = np.uint64(row_ptr[post[e]]), np.uint64(row_ptr[post[e] + 1])
        places, neurons = row_place[lo:hi], row_pre[lo:hi]
        for q in range(places.shape[0]):
            place = np.uint64(places[q])
            weight = np.int32(weights[place]) + np.int32(steps[np.uint64(neurons[q])])
            weights[place] = min(max(np.int32(weight), low), high)
