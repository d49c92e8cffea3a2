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
    change_columns,
    change_rows,
    clip_accumulator,
    decay_in_place,
    extent_of,
    fill_tables,
    raised,
    to_weight,
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
            bits, groups = np.uint64(2), (g, g + 1)
            sent = bits if n_sent > 0 else np.uint64(0)
            fired = bits if n_fired > 0 else np.uint64(0)
            by_pre, by_post = m.from_pre[:, y0 : y0 + n_post], m.from_post[:, x0 : x0 + n_pre]
            to_pre, to_post = m.step_pre[:, y0 : y0 + n_post], m.step_post[:, x0 : x0 + n_pre]
            whole, most = t == 0, np.int64(TRACE_MAX)
            fill_tables(
                np.bool_(True), sent, post, n_post, groups, m.y[:1], y0, by_pre, to_pre, rules,
                rounding, most, whole,
            )  # fmt: skip
            fill_tables(
                np.bool_(False), fired, pre, n_pre, groups, m.x[:1], x0, by_post, to_post, rules,
                rounding, most, whole,
            )  # fmt: skip
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
            x_before_y = rules.simple[r] == 1
            tx, ty = m.tx[x0 : x0 + n_pre], m.ty[y0 : y0 + n_post]
            for e in range(n_sent):
                tx[pre[e]] = 1
            for e in range(n_fired):
                ty[post[e]] = 1
            if t == 0:
                _everything(
                    tx, ty, by_pre[1], by_post[1], wiring.indptr[column:], wiring.targets,
                    m.weights, target, x_before_y, rounding, bounds,
                )  # fmt: skip
            else:
                extent_of(
                    by_pre, to_pre, n_post, 1, post, m.moves[0], m.extent[0], m.extent[1], sent
                )
                extent_of(
                    by_post, to_post, n_pre, 1, pre, m.moves[1], m.extent[2], m.extent[3], fired
                )
                change_columns(
                    pre, tx, fired, ty, (n_pre, n_post, 1), by_pre, by_post, to_pre, m.moves[0],
                    m.extent[0], m.extent[1], wiring.indptr[column:], wiring.slots, m.weights,
                    wiring.slot[r], m.met, m.step, x_before_y, rounding, bounds,
                )  # fmt: skip
                change_rows(
                    post, ty, to_post, m.moves[1], wiring.row_ptr[row:], wiring.row_place,
                    wiring.row_slot, m.weights, rounding, bounds,
                )  # fmt: skip
            for e in range(n_sent):
                tx[pre[e]] = 0
            for e in range(n_fired):
                ty[post[e]] = 0
        n_written += spikes
    return n_written


@jit
def _everything(
    tx: Any, ty: Any, by_pre: Any, by_post: Any, indptr: Any, targets: Any, weights: Any,
    first: Any, x_before_y: Any, rounding: Any, bounds: Any,
) -> None:  # fmt: skip
    """The first epoch, synapse by synapse: weights may lie beyond their range until it ends.

    Then it matters that the accumulator is clipped after each product, also one that adds nothing.
    """
    for j in range(by_post.shape[0]):
        for q in range(indptr[j], indptr[j + 1]):
            i = np.int64(targets[q]) - first
            of_pre = by_pre[i] if tx[j] else np.int32(0)
            of_post = by_post[j] if ty[i] else np.int32(0)
            one = of_pre if x_before_y else of_post
            two = of_post if x_before_y else of_pre
            total = clip_accumulator(np.int32(np.int32(weights[q]) * UNIT) + one)
            weights[q] = to_weight(clip_accumulator(total + two), rounding, bounds)


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
