"""The compiled loop of pair rules that learn in every step (numba): `learning_kernels`, but faster.

One rule a projection, epochs of one step, ``dw`` alone, of at most one product x0 * (y traces) and
one y0 * (x traces): pair STDP. What a spike changes then depends on the neuron at the other end
alone. A column is delivered and changed in one visit, also where the postsynaptic neuron fired;
rows come after, without the synapses that a column covered. Indices are gathered first, so that
the arithmetic runs over contiguous numbers and vectorises. `pair_steps` and `learning_steps` are
compiled only when a network needs them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hrsnn_lava.sim_backends.kernels import _jit, integer_steps
from hrsnn_lava.sim_backends.learning_updates import _ACC_MAX, _ACC_MIN, _raised

_VALUES = 128  # that a trace of 7 bits can have


@_jit
def pair_steps(
    first: Any, n_steps: Any, static: Any, events: Any, out: Any, wiring: Any, rules: Any, m: Any,
    draws: Any,
) -> Any:  # fmt: skip
    """Run `n_steps` steps; arguments and result are those of `learning_steps`."""
    neurons, blocks, state = static
    ptr, source, value = events
    out_step, out_neuron, out_v, out_u = out
    ring_source, ring_value, ring_count = state[3], state[4], state[5]
    pending, written = m.pending, 0
    for k in range(n_steps):
        t = first + k
        spikes = integer_steps(  # type: ignore[call-arg]
            t, 1, *neurons, *blocks, ptr[k : k + 2], source, value, *state,
            out_step[written:], out_neuron[written:], out_v[k : k + 1], out_u[k : k + 1],
            pending,
        )  # fmt: skip
        slot = t % ring_count.shape[0]
        for i in range(pending.shape[0]):
            pending[i] = 0
        for r in range(wiring.source.shape[0]):
            g, column, row = wiring.group[r], wiring.column[r], wiring.row[r]
            n_pre, n_post, target = wiring.n_pre[r], wiring.n_post[r], wiring.target[r]
            x0, y0, factors, limit = rules.x_first[g], rules.y_first[g], rules.factors, rules.limit
            pre, post = m.pre[column : column + n_pre], m.post[row : row + n_post]
            n_sent = _sent(
                ring_source[slot], ring_value[slot], ring_count[slot], wiring.source[r], n_pre, pre
            )
            n_fired = _fired(out_neuron[written:], spikes, target, n_post, post)
            for trace in range(5):
                if not rules.used[g, trace]:
                    continue
                of_pre = trace < 2
                values = m.x[0, trace, x0 : x0 + n_pre]
                if not of_pre:
                    values = m.y[0, trace - 2, y0 : y0 + n_post]
                _decay(
                    values, rules.whole[g, trace], rules.fraction[g, trace],
                    draws.x_decay[r, k] if of_pre else draws.y_decay[r, k], m.decayed,
                )  # fmt: skip
                who, count = (pre, n_sent) if of_pre else (post, n_fired)
                random = draws.x_impulse[r, k] if of_pre else draws.y_impulse[r, k]
                for e in range(count):
                    values[who[e]] = _raised(
                        values[who[e]], rules.impulse[g, trace], rules.part[g, trace], random
                    )
            by_pre, by_post = m.from_pre[1, y0 : y0 + n_post], m.from_post[1, x0 : x0 + n_pre]
            for i in range(n_post):
                by_pre[i] = 0
            for j in range(n_pre):
                by_post[j] = 0
            for p in range(rules.first[g, 0], rules.first[g, 1]):
                if rules.dependency[p] == 0 and n_sent > 0:
                    _product(
                        by_pre, m.y[0], y0, 2, rules.variable, rules.constant, limit, factors[p],
                        factors[p + 1], rules.mantissa[p], rules.right[p], rules.left[p],
                    )  # fmt: skip
                elif rules.dependency[p] == 1 and n_fired > 0:
                    _product(
                        by_post, m.x[0], x0, 0, rules.variable, rules.constant, limit, factors[p],
                        factors[p + 1], rules.mantissa[p], rules.right[p], rules.left[p],
                    )  # fmt: skip
            rounding = np.int32(127) - np.int32(np.floor(draws.synapse[r, k] * 128.0))
            x_before_y = rules.dependency[rules.first[g, 0]] == 0
            bounds = (
                np.int32(rules.acc_low[r]), np.int32(rules.acc_high[r]),
                np.int32(rules.low[r]), np.int32(rules.high[r]),
            )  # fmt: skip
            scratch = m.held_place.view(np.int32)
            _columns(
                pre, n_sent, post, n_fired, by_pre, by_post, wiring.indptr[column:], wiring.targets,
                m.weights, target, pending, np.int32(rules.factor[r]), scratch, x_before_y,
                rounding, bounds,
            )  # fmt: skip
            for e in range(n_sent):
                by_post[pre[e]] = 0
            _rows(
                post, n_fired, by_post, wiring.row_ptr[row:], wiring.row_place, wiring.row_pre,
                m.weights, scratch, m.held_weight, x_before_y, rounding, bounds,
            )  # fmt: skip
            if t == 0:  # weights beyond their range act until the first epoch ends
                begin, end = wiring.indptr[column], wiring.indptr[column + n_pre]
                weights = m.weights[begin:end]
                for q in range(weights.shape[0]):
                    weights[q] = _weight(_accumulator(weights[q]), rounding, bounds)
        written += spikes
    return written


@_jit
def _sent(sources: Any, values: Any, count: Any, low: Any, n: Any, found: Any) -> Any:
    """Local indices of the sources of a projection that sent something; how many."""
    size = 0
    for e in range(count):
        if low <= sources[e] < low + n and values[e] != 0:
            found[size] = sources[e] - low
            size += 1
    return size


@_jit
def _fired(neurons: Any, count: Any, low: Any, n: Any, found: Any) -> Any:
    """Local indices of the targets of a projection that fired; how many."""
    size = 0
    for e in range(count):
        if low <= neurons[e] < low + n:
            found[size] = neurons[e] - low
            size += 1
    return size


@_jit
def _decay(values: Any, whole: Any, fraction: Any, random: Any, decayed: Any) -> None:
    """A step of a trace, (n,); one random number rounds all of it."""
    for value in range(_VALUES):
        decayed[value] = np.uint8(np.int32(whole[value]) + np.int32(random < fraction[value]))
    for i in range(values.shape[0]):
        values[i] = decayed[values[i]]


@_jit
def _product(
    result: Any, traces: Any, start: Any, code: Any, variable: Any, constant: Any, limit: Any,
    begin: Any, end: Any, mantissa: Any, right: Any, left: Any,
) -> None:  # fmt: skip
    """A product for every neuron of one side, (n,), at the accumulator's width."""
    n = result.shape[0]
    for i in range(n):
        result[i] = mantissa
    for f in range(begin, end):
        trace = traces[variable[f] - code, start : start + n]
        added, bound = np.int32(constant[f]), np.int32(limit[f])
        for i in range(n):
            term = np.int32(np.int32(trace[i]) + added)
            term = min(max(term, np.int32(-bound)), np.int32(bound - 1))
            result[i] = np.int32(result[i] * term)
    shift, low, high = np.int32(right), np.int32(_ACC_MIN), np.int32(_ACC_MAX)
    for i in range(n):
        value = np.int32(np.int64(np.int32(result[i] >> shift)) << left)
        result[i] = min(max(value, low), high)


@_jit
def _clip(value: Any) -> Any:
    return min(max(np.int32(value), np.int32(_ACC_MIN)), np.int32(_ACC_MAX))


@_jit
def _accumulator(weight: Any) -> Any:
    return _clip(np.int32(weight) * np.int32(128))


@_jit
def _weight(total: Any, rounding: Any, bounds: Any) -> Any:
    """An accumulator (int32) to a weight: sign, rounding, limits."""
    total = min(max(total, bounds[0]), bounds[1])
    return min(max(np.int32(np.int32(total + rounding) >> np.int32(7)), bounds[2]), bounds[3])


@_jit
def _columns(
    pre: Any, n_sent: Any, post: Any, n_fired: Any, by_pre: Any, by_post: Any, indptr: Any,
    all_targets: Any, all_weights: Any, first: Any, pending: Any, factor: Any, scratch: Any,
    x_before_y: Any, rounding: Any, bounds: Any,
) -> None:  # fmt: skip
    """Deliver the synapses of neurons that spiked, then change them.

    `by_pre` becomes twice the change, plus 1 where the postsynaptic neuron fired: one gather.
    """
    if n_sent == 0:
        return
    for i in range(by_pre.shape[0]):
        by_pre[i] = np.int32(by_pre[i] * np.int32(2))
    for e in range(n_fired):
        by_pre[post[e]] += np.int32(1)
    start = np.uint64(first)
    for e in range(n_sent):
        j = pre[e]
        lo, hi = np.uint64(indptr[j]), np.uint64(indptr[j + 1])
        targets, weights, change = all_targets[lo:hi], all_weights[lo:hi], scratch[: hi - lo]
        for q in range(targets.shape[0]):
            place = np.uint64(targets[q])
            pending[place] += np.int32(np.int32(weights[q]) * factor)
            change[q] = by_pre[place - start]
        of_post = np.int32(by_post[j])
        for q in range(weights.shape[0]):
            of_pre = np.int32(change[q] >> np.int32(1))
            both = np.int32(of_post * np.int32(change[q] & np.int32(1)))
            one = of_pre if x_before_y else both
            two = both if x_before_y else of_pre
            total = _clip(np.int32(weights[q]) * np.int32(128) + one)
            weights[q] = _weight(_clip(total + two), rounding, bounds)


@_jit
def _rows(
    post: Any, n_fired: Any, by_post: Any, row_ptr: Any, row_place: Any, row_pre: Any,
    all_weights: Any, scratch: Any, held: Any, x_before_y: Any, rounding: Any, bounds: Any,
) -> None:  # fmt: skip
    """Change the synapses onto neurons that fired; `by_post` is 0 where a column did it."""
    for e in range(n_fired):
        i = post[e]
        lo, hi = np.uint64(row_ptr[i]), np.uint64(row_ptr[i + 1])
        places, neurons = row_place[lo:hi], row_pre[lo:hi]
        weights, change = held[: hi - lo], scratch[: hi - lo]
        for q in range(places.shape[0]):
            weights[q] = all_weights[np.uint64(places[q])]
            change[q] = by_post[np.uint64(neurons[q])]
        for q in range(weights.shape[0]):
            total = np.int32(weights[q]) * np.int32(128)
            total = _clip(total) if x_before_y else np.int32(total)
            weights[q] = _weight(_clip(total + change[q]), rounding, bounds)
        for q in range(places.shape[0]):
            all_weights[np.uint64(places[q])] = weights[q]
