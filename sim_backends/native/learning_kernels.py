"""The compiled inner loops of on-chip learning (numba), equal to `learning_reference`.

In every step: neurons, spikes delivered with the weights of now, spikes noted; at the end of an
epoch traces, then synapses (`learning_updates`). A synapse changes only in an epoch in which one
of its neurons spiked, so only those are touched: columns of presynaptic spikes, and rows of
postsynaptic ones through an index. All synapses are touched where that is not so: in the first
epoch (weights beyond their range are clipped), in epochs of ``u<k>`` products, and after a tag
left its range.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hrsnn_lava.sim_backends.native.kernels import _jit, integer_steps
from hrsnn_lava.sim_backends.native.learning_updates import (
    _inline,
    _raised,
    learn_all,
    learn_events,
    learn_pairs,
)


@_jit
def learning_steps(
    first: Any, n_steps: Any, static: Any, events: Any, out: Any, wiring: Any, rules: Any, m: Any,
    draws: Any,
) -> Any:  # fmt: skip
    """Run `n_steps` steps of a network that learns; return how many spikes were written.

    Args:
        static: arguments of `integer_steps` from `n` to `mantissas` and from `block_delay` to
            `weights`, two tuples, and the states from `u` to `spiked`, a third.
        events: (ptr, source, value); out: (step, neuron, v, u, updates) as in `integer_steps`.
        wiring, rules, m, draws: see `learning_layout`.
    """
    neurons, blocks, state = static
    ptr, source, value = events
    out_step, out_neuron, out_v, out_u, updates = out
    ring_source, ring_value, ring_count = state[3], state[4], state[5]
    written = 0
    for k in range(n_steps):
        t = first + k
        spikes = integer_steps(  # type: ignore[call-arg]
            t, 1, *neurons, *blocks, ptr[k : k + 2], source, value, *state,
            out_step[written:], out_neuron[written:], out_v[k : k + 1], out_u[k : k + 1],
            m.pending, updates[k : k + 1],
        )  # fmt: skip
        slot = t % ring_count.shape[0]
        m.pending[:] = 0
        sources = ring_source[slot, : ring_count[slot]]
        values = ring_value[slot, : ring_count[slot]]
        fired = out_neuron[written : written + spikes]
        for r in range(wiring.source.shape[0]):
            _deliver(r, sources, values, wiring, rules, m)
            within = np.uint8(t % rules.epoch[r] + 1)
            if rules.mode[r] == 3:
                _note_payloads(r, sources, values, within, wiring, rules, m)
            else:
                _note_pre(r, sources, values, within, wiring, rules, m)
            _note_post(r, fired, within, draws.y_repeat[r, k], wiring, rules, m)
            if within == rules.epoch[r]:
                _end_epoch(r, t, k, wiring, rules, m, draws)
        written += spikes
    return written


@_inline
def _deliver(r: Any, sources: Any, values: Any, wiring: Any, rules: Any, m: Any) -> None:
    """Add what the sources send to `pending`, with the weights of now."""
    low, high = wiring.source[r], wiring.source[r] + wiring.n_pre[r]
    factor, shift, graded = rules.factor[r], rules.shift[r], rules.graded[r]
    indptr, all_targets, all_weights = wiring.indptr, wiring.targets, m.weights
    pending, partial, first = m.pending, m.partial, wiring.column[r] - low
    if shift > 0:
        partial[:] = 0
    for e in range(sources.shape[0]):
        if sources[e] < low or sources[e] >= high or values[e] == 0:
            continue
        column = first + sources[e]
        lo, hi = np.uint64(indptr[column]), np.uint64(indptr[column + 1])
        targets, weights = all_targets[lo:hi], all_weights[lo:hi]
        if shift > 0:
            times = np.int64(values[e]) if graded else np.int64(1)
            for q in range(targets.shape[0]):
                partial[targets[q]] += np.int64(weights[q]) * times
        elif graded or factor != 1:
            times = factor * (np.int64(values[e]) if graded else np.int64(1))
            for q in range(targets.shape[0]):
                pending[targets[q]] += np.int32(np.int64(weights[q]) * times)
        else:
            for q in range(targets.shape[0]):
                pending[targets[q]] += weights[q]
    if shift > 0:
        for i in range(wiring.target[r], wiring.target[r] + wiring.n_post[r]):
            pending[i] += np.int32(partial[i] >> shift)


@_jit
def _half(payload: Any) -> Any:
    """Half a payload, rounded half to even, in 8 bits."""
    half = np.int64(payload) >> 1
    if payload & 1 and half & 1:
        half += 1
    return half & 255


@_jit
def _activate(flags: Any, active: Any, count: Any, r: Any, base: Any, neuron: Any) -> None:
    if not flags[base + neuron]:
        flags[base + neuron] = True
        active[base + count[r]] = neuron
        count[r] += 1


@_inline
def _note_pre(
    r: Any, sources: Any, values: Any, within: Any, wiring: Any, rules: Any, m: Any
) -> None:
    """Presynaptic spikes, unless payloads make x1 overflow; see `_note_payloads`."""
    low, high, mode = wiring.source[r], wiring.source[r] + wiring.n_pre[r], rules.mode[r]
    for e in range(sources.shape[0]):
        if sources[e] < low or sources[e] >= high or values[e] == 0:
            continue
        j = sources[e] - low
        half = _half(values[e]) if rules.graded[r] else 0
        for g in range(wiring.group[r], wiring.group[r + 1]):
            at = rules.x_first[g] + j
            again = m.tx[at] > 0
            if mode == 1:
                m.x[0, 0, at] = half
            elif mode == 2:
                m.x[0, 0, at] = min((np.int64(m.x[0, 0, at]) + half) & 255, 127)
            elif again:
                m.x[0, 0, at] = _raised(m.x[0, 0, at], rules.impulse[g, 0], rules.part[g, 0], 0)
            if again:
                m.x[0, 1, at] = _raised(m.x[0, 1, at], rules.impulse[g, 1], rules.part[g, 1], 0)
            m.tx[at] = within
        _activate(m.pre_on, m.pre, m.pre_count, r, wiring.column[r], j)


@_inline
def _note_payloads(
    r: Any, sources: Any, values: Any, within: Any, wiring: Any, rules: Any, m: Any
) -> None:
    """Payloads that make x1 overflow: then alone x0 and x2 see a spike.

    As in Lava an x1 of 128 overflows in the next step without a spike.
    """
    low, n_pre = wiring.source[r], wiring.n_pre[r]
    payload = m.payload[:n_pre]
    payload[:] = 0
    for e in range(sources.shape[0]):
        if low <= sources[e] < low + n_pre:
            payload[sources[e] - low] = values[e]
    for g in range(wiring.group[r], wiring.group[r + 1]):
        for j in range(n_pre):
            at = rules.x_first[g] + j
            sent = payload[j]
            total = (np.int64(m.x[0, 0, at]) + (_half(sent) if rules.graded[r] else 0)) & 255
            if total > 127 and sent != 0:
                if m.tx[at] > 0:
                    m.x[0, 1, at] = _raised(m.x[0, 1, at], rules.impulse[g, 1], rules.part[g, 1], 0)
                m.tx[at] = within
                _activate(m.pre_on, m.pre, m.pre_count, r, wiring.column[r], j)
            m.x[0, 0, at] = total - 127 if total > 127 else total


@_inline
def _note_post(
    r: Any, fired: Any, within: Any, random: Any, wiring: Any, rules: Any, m: Any
) -> None:
    """Postsynaptic spikes."""
    low, high = wiring.target[r], wiring.target[r] + wiring.n_post[r]
    for e in range(fired.shape[0]):
        if fired[e] < low or fired[e] >= high:
            continue
        i = fired[e] - low
        for g in range(wiring.group[r], wiring.group[r + 1]):
            at = rules.y_first[g] + i
            if m.ty[at] > 0:
                for k in range(3):
                    m.y[0, k, at] = _raised(
                        m.y[0, k, at], rules.impulse[g, 2 + k], rules.part[g, 2 + k], random
                    )
            m.ty[at] = within
        _activate(m.post_on, m.post, m.post_count, r, wiring.row[r], i)


@_inline
def _end_epoch(r: Any, t: Any, k: Any, wiring: Any, rules: Any, m: Any, draws: Any) -> None:
    """Traces, then synapses, then a new epoch."""
    epoch = rules.epoch[r]
    pre = m.pre[wiring.column[r] : wiring.column[r] + m.pre_count[r]]
    post = m.post[wiring.row[r] : wiring.row[r] + m.post_count[r]]
    for g in range(wiring.group[r], wiring.group[r + 1]):
        for trace in range(2):
            if rules.used[g, trace]:
                _decay_table(rules, g, trace, draws.x_decay[r, k], m.decayed)
                _history(
                    m.x[:, trace], rules.x_first[g], wiring.n_pre[r], epoch, m.decayed, pre, m.tx,
                    rules.impulse[g, trace], rules.part[g, trace], draws.x_impulse[r, k],
                )  # fmt: skip
        for trace in range(3):
            if rules.used[g, 2 + trace]:
                _decay_table(rules, g, 2 + trace, draws.y_decay[r, k], m.decayed)
                _history(
                    m.y[:, trace], rules.y_first[g], wiring.n_post[r], epoch, m.decayed, post, m.ty,
                    rules.impulse[g, 2 + trace], rules.part[g, 2 + trace], draws.y_impulse[r, k],
                )  # fmt: skip
    u_on = rules.has_u[r] and ((t + 1) // epoch) % (1 << max(rules.decimate[r], 0)) == 0
    everything = u_on or t + 1 == epoch or m.pinned[r]
    m.pinned[r] = False
    rounding = np.int64(127) - np.int64(np.floor(draws.synapse[r, k] * 128.0))
    if everything:
        learn_all(r, u_on, rounding, wiring, rules, m)
    elif rules.simple[r] > 0:
        learn_pairs(r, rounding, pre, post, wiring, rules, m)
    else:
        learn_events(r, rounding, pre, post, wiring, rules, m)
    for g in range(wiring.group[r], wiring.group[r + 1]):
        for j in pre:
            m.tx[rules.x_first[g] + j] = 0
        for i in post:
            m.ty[rules.y_first[g] + i] = 0
    for j in pre:
        m.pre_on[wiring.column[r] + j] = False
    for i in post:
        m.post_on[wiring.row[r] + i] = False
    m.pre_count[r] = 0
    m.post_count[r] = 0


@_jit
def _decay_table(rules: Any, g: Any, trace: Any, random: Any, decayed: Any) -> None:
    """What every value of a trace decays to in a step of this epoch."""
    whole, fraction = rules.whole[g, trace], rules.fraction[g, trace]
    for value in range(decayed.shape[0]):
        decayed[value] = np.uint8(whole[value] + (1 if random < fraction[value] else 0))


@_jit
def _history(
    rows: Any, first: Any, n: Any, epoch: Any, decayed: Any, active: Any, times: Any, impulse: Any,
    part: Any, random: Any,
) -> None:  # fmt: skip
    """Fill the history of a trace, (epoch + 1, n), and keep its last row as the trace."""
    for k in range(1, epoch + 1):
        before, now = rows[k - 1, first : first + n], rows[k, first : first + n]
        for i in range(n):
            now[i] = decayed[before[i]]
        for i in active:
            if times[first + i] == k:
                now[i] = _raised(now[i], impulse, part, random)
    last, kept = rows[epoch, first : first + n], rows[0, first : first + n]
    for i in range(n):
        kept[i] = last[i]
