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

from hrsnn_lava.integer_format import TRACE_MAX
from hrsnn_lava.sim_backends.native.kernels import grouped, integer_steps, jit
from hrsnn_lava.sim_backends.native.layout import Drive, Events, Out
from hrsnn_lava.sim_backends.native.learning import Draws, Memory, Rules, Wiring
from hrsnn_lava.sim_backends.native.learning_changes import (
    UNIT,
    bounds_of,
    change_pairs,
    clip_accumulator,
    decay_in_place,
    memory_of,
    products_of,
    raised,
    synapses_of,
    to_weight,
    trace_product,
)

_VALUES = TRACE_MAX + 1  # that a trace of 7 bits can have


@jit
def pair_steps(
    first: int, n_steps: int, updates: Any, wiring: Wiring, rules: Rules, m: Memory, draws: Draws,
    *arrays: Any,
) -> int:  # fmt: skip
    """Run `n_steps` steps; arguments and result are those of `learning_steps`."""
    run, drive, events, out = grouped(arrays)
    bias_exp, bias, starts, mantissas = drive
    ring_source, ring_value, ring_count = run.ring
    out_step, out_neuron, out_v, out_u, out_value = out
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
            Out(
                out_step[n_written:],
                out_neuron[n_written:],
                out_v[k : k + 1],
                out_u[k : k + 1],
                out_value[n_written:],
            ),
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
            pre, post = pre[:n_sent], post[:n_fired]
            for trace in range(5):
                if not rules.used[g, trace]:
                    continue
                of_pre = trace < 2
                values = m.x[0, trace, x0 : x0 + n_pre]
                if not of_pre:
                    values = m.y[0, trace - 2, y0 : y0 + n_post]
                decay_in_place(
                    values, rules.whole[g, trace, :_VALUES], rules.fraction[g, trace, :_VALUES],
                    draws.x_decay[r, k] if of_pre else draws.y_decay[r, k], m.decayed[:_VALUES],
                )  # fmt: skip
                _raise_trace(
                    values, pre if of_pre else post, n_sent if of_pre else n_fired,
                    rules.impulse[g, trace], rules.part[g, trace],
                    draws.x_impulse[r, k] if of_pre else draws.y_impulse[r, k],
                )  # fmt: skip
            rounding = np.int32(UNIT - 1) - np.int32(np.floor(draws.synapse[r, k] * UNIT))
            _deliver(
                pre, n_sent, wiring.indptr[column:], wiring.targets, m.weights, pending,
                np.int32(rules.factor[r]),
            )  # fmt: skip
            if exact:
                _deliver(
                    pre, n_sent, wiring.indptr[column:], wiring.targets, m.weights,
                    run.scratch.later, np.int32(rules.factor[r]),
                )  # fmt: skip
            tx, ty = m.tx[x0 : x0 + n_pre], m.ty[y0 : y0 + n_post]
            for e in range(n_sent):
                tx[pre[e]] = 1
            for e in range(n_fired):
                ty[post[e]] = 1
            if t == 0:
                _first_epoch(r, np.int32(rounding), wiring, rules, m)
            else:
                change_pairs(
                    pre, post, m.x[:1], m.y[:1], np.int64(TRACE_MAX), rounding, (n_pre, n_post),
                    (x0, y0), (g, g + 1), bounds_of(r, rules), rules.simple[r] == 1,
                    products_of(rules), synapses_of(r, wiring, m), memory_of(m),
                )  # fmt: skip
            for e in range(n_sent):
                tx[pre[e]] = 0
            for e in range(n_fired):
                ty[post[e]] = 0
        n_written += spikes
    return n_written


@jit
def _first_epoch(r: Any, rounding: Any, wiring: Any, rules: Any, m: Any) -> None:
    """The first epoch, synapse by synapse: weights may lie beyond their range until it ends.

    Then it matters that the accumulator is clipped after each product, also one that adds nothing.
    """
    g, n_pre, n_post, first = wiring.group[r], wiring.n_pre[r], wiring.n_post[r], wiring.target[r]
    x0, y0, column = rules.x_first[g], rules.y_first[g], wiring.column[r]
    by_pre, by_post = m.from_pre[:n_post], m.from_post[1, x0 : x0 + n_pre]
    by_pre[:], by_post[:] = 0, 0
    products, bounds = products_of(rules), bounds_of(r, rules)
    # not `simple`: of a single product the first clip is the one after it
    x_before_y = rules.dependency[rules.first[g, 0]] == 0
    for p in range(rules.first[g, 0], rules.first[g, 1]):
        if rules.dependency[p] == 0:
            trace_product(by_pre, m.y, 0, y0, 2, p, products)
        else:
            trace_product(by_post, m.x, 0, x0, 0, p, products)
    for j in range(n_pre):
        for q in range(wiring.indptr[column + j], wiring.indptr[column + j + 1]):
            i = np.int64(wiring.targets[q]) - first
            of_pre = by_pre[i] if m.tx[x0 + j] else np.int32(0)
            of_post = by_post[j] if m.ty[y0 + i] else np.int32(0)
            one = of_pre if x_before_y else of_post
            two = of_post if x_before_y else of_pre
            total = clip_accumulator(np.int32(np.int32(m.weights[q]) * UNIT) + one)
            m.weights[q] = to_weight(clip_accumulator(total + two), rounding, bounds)


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
def _raise_trace(values: Any, who: Any, count: Any, impulse: Any, part: Any, random: Any) -> None:
    """Add the impulse to the traces of neurons that spiked."""
    for e in range(count):
        values[who[e]] = raised(values[who[e]], impulse, part, random)
