"""The compiled inner loops of on-chip learning (numba), equal to `reference.learning`.

In every step: neurons, spikes delivered with the weights of now, spikes noted; at the end of an
epoch traces, then synapses. A synapse changes only in an epoch in which one of its neurons
spiked, so only those are touched: columns of presynaptic spikes, and rows of postsynaptic ones
through an index. All synapses are touched where that is not so: in the first epoch (weights beyond
their range are clipped), in epochs of ``u<k>`` products, and after a tag left its range.

Pair rules (`Rules.simple`) take a fast way: the change by a presynaptic spike depends on the
postsynaptic neuron alone and the other way round, so it is worked out once a neuron and epoch.
Rounding is integer arithmetic: ``floor(a / 128) + (r < a / 128 mod 1)`` with one r for all
synapses is ``(a + 127 - floor(128 r)) >> 7``.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from hrsnn_lava.integer_format import (
    ACCUMULATOR_SHIFT,
    TRACE_MAX,
    TRACE_VALUES,
)
from hrsnn_lava.sim_backends.native.kernels import (
    OPTIONS,
    Kernel,
    grouped,
    integer_steps,
    jit,
    sum_sent,
)
from hrsnn_lava.sim_backends.native.layout import Events, Out
from hrsnn_lava.sim_backends.native.learning import Draws, Memory, Rules, Wiring
from hrsnn_lava.sim_backends.native.learning_changes import (
    bounds_of,
    change_pairs,
    memory_of,
    products_of,
    raised,
    synapses_of,
    trace_history,
)
from hrsnn_lava.sim_backends.native.learning_lines import learn_lines


def _inline(function: Kernel) -> Kernel:
    """Compile a function into those that call it."""
    compiled: Kernel = numba.njit(inline="always", **OPTIONS)(function)
    return compiled


_PAYLOAD_MASK = TRACE_VALUES - 1
_SHORT_MAX = (1 << 15) - 1
_ONE = 1 << ACCUMULATOR_SHIFT  # a weight or tag of 1 in the accumulator


@jit
def learning_steps(
    first: int, n_steps: int, updates: Any, wiring: Wiring, rules: Rules, m: Memory, draws: Draws,
    factors: Any, *arrays: Any,
) -> int:  # fmt: skip
    """Run `n_steps` steps of a network that learns; return how many spikes were written.

    Arguments as of `run_integers`, and see `learning`; `factors` is a `Factors`, or None.
    """
    run, drive, events, out = grouped(arrays)
    ring_source, ring_value, ring_count = run.ring
    n_written = 0
    for k in range(n_steps):
        t = first + k
        here = Events(events.ptr[k : k + 2], events.source, events.value)
        target = Out(
            out.step[n_written:],
            out.neuron[n_written:],
            out.v[k : k + 1],
            out.u[k : k + 1],
            out.value[n_written:],
        )
        spikes = integer_steps(t, 1, run, drive, here, target, m.pending, updates[k : k + 1])
        slot = t % ring_count.shape[0]
        m.pending[:] = 0
        exact = run.scratch.wide[2]
        if exact:
            run.scratch.later[:] = 0
        sources = ring_source[slot, : ring_count[slot]]
        values = ring_value[slot, : ring_count[slot]]
        fired = out.neuron[n_written : n_written + spikes]
        for r in range(wiring.source.shape[0]):
            _deliver(r, sources, values, wiring, rules, m, m.pending)
            if exact:
                _deliver_exactly(r, sources, values, wiring, rules, m, run.scratch.later)
            within = np.uint8(t % rules.epoch[r] + 1)
            if rules.mode[r] == 3:
                _note_payloads(r, sources, values, within, wiring, rules, m)
            else:
                _note_pre(r, sources, values, within, wiring, rules, m)
            if factors is None:  # decided when the kernel is compiled
                _note_post(r, fired, within, draws.y_repeat[r, k], wiring, rules, m)
            else:
                heard = fired[:0] if factors.silent[r] else fired
                _note_post(r, heard, within, draws.y_repeat[r, k], wiring, rules, m)
                ends = within == rules.epoch[r]
                if factors.three[r] and (ends or k == n_steps - 1):  # no one looks in between
                    _receive(r, t, run.ring, wiring, rules, m, factors)
                    if ends:
                        _received_history(
                            r, draws.y_decay[r, k], draws.y_impulse[r, k], wiring, rules, m, factors
                        )
            if within == rules.epoch[r]:
                _end_epoch(r, t, k, wiring, rules, m, draws)
        n_written += spikes
    return n_written


@_inline
def _deliver(
    r: Any, sources: Any, values: Any, wiring: Any, rules: Any, m: Any, pending: Any
) -> None:
    """Add what the sources send to `pending`, with the weights of now; in 32 bits that wraps."""
    low, high = wiring.source[r], wiring.source[r] + wiring.n_pre[r]
    factor, shift, graded = rules.factor[r], rules.shift[r], rules.graded[r]
    indptr, all_targets, all_weights = wiring.indptr, wiring.targets, m.weights
    partial, first = m.partial, wiring.column[r] - low
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
                pending[targets[q]] += np.int64(weights[q]) * times
        else:
            for q in range(targets.shape[0]):
                pending[targets[q]] += weights[q]
    if shift > 0:
        for i in range(wiring.target[r], wiring.target[r] + wiring.n_post[r]):
            total = partial[i]
            if pending.itemsize == 4:  # decided when the kernel is compiled
                total = np.int64(np.int32(total))  # wraps before the shift, as Lava's sums do
            pending[i] += total >> shift


@jit
def _deliver_exactly(
    r: Any, sources: Any, values: Any, wiring: Any, rules: Any, m: Any, later: Any
) -> None:
    """The same in 64 bits."""
    _deliver(r, sources, values, wiring, rules, m, later)


@jit
def _receive(r: Any, t: Any, ring: Any, wiring: Any, rules: Any, m: Any, factors: Any) -> None:
    """What arrives at y1, y2 and y3 in step `t`, whose messages are in the ring already."""
    n, begin, end = wiring.n_post[r], wiring.group[r], wiring.group[r + 1]
    received = factors.received[:, rules.y_first[begin] : rules.y_first[begin] + n]
    received[:] = 0
    partial = m.partial[:n]
    for q in range(factors.first[r], factors.first[r + 1]):
        sent_at = t - 1 - factors.delay[q]
        if sent_at < 0:
            continue
        block = (factors.graded[q], factors.indptr[q], factors.targets, factors.weights)
        sum_sent(sent_at % ring.counts.shape[0], ring, *block, partial)
        row = received[factors.trace[q]]
        for i in range(n):
            total = (np.int64(np.int32(partial[i])) * factors.factor[q]) >> factors.shift[q]
            row[i] = np.int32(np.int64(row[i]) + total)  # wraps at 32 bits, as Lava's ports do
    for g in range(begin + 1, end):
        for trace in range(3):
            for i in range(n):
                factors.received[trace, rules.y_first[g] + i] = received[trace, i]


@jit
def _received_history(
    r: Any, decay: Any, random: Any, wiring: Any, rules: Any, m: Any, factors: Any
) -> None:
    """Fill the histories of y1, y2 and y3 from what arrived in the last step of the epoch.

    In 16 bits: a factor is cut to -128..127, and its constant has no more bits than that.
    """
    epoch = rules.epoch[r]
    for g in range(wiring.group[r], wiring.group[r + 1]):
        for trace in range(3):
            if not factors.read[g, trace]:
                continue
            share = factors.keep[g, trace]
            impulse, part = rules.impulse[g, 2 + trace], rules.part[g, 2 + trace]
            for at in range(rules.y_first[g], rules.y_first[g] + wiring.n_post[r]):
                value = np.int64(factors.received[trace, at])
                for k in range(1, epoch + 1):
                    product = share * np.float64(value)
                    whole = np.floor(product)
                    value = np.int64(whole) + np.int64(decay < product - whole)
                    if m.ty[at] == k:
                        up = value + impulse + np.int64(random < part)
                        value = min(max(up, np.int64(0)), np.int64(TRACE_MAX))
                    m.y[k, trace, at] = min(max(value, np.int64(-(1 << 15))), np.int64(_SHORT_MAX))


@jit
def _half(payload: Any) -> Any:
    """Half a payload, rounded half to even, in 8 bits."""
    half = np.int64(payload) >> 1
    if payload & 1 and half & 1:
        half += 1
    return half & _PAYLOAD_MASK


@jit
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
                m.x[0, 0, at] = min((np.int64(m.x[0, 0, at]) + half) & _PAYLOAD_MASK, TRACE_MAX)
            elif again:
                m.x[0, 0, at] = raised(m.x[0, 0, at], rules.impulse[g, 0], rules.part[g, 0], 0)
            if again:
                m.x[0, 1, at] = raised(m.x[0, 1, at], rules.impulse[g, 1], rules.part[g, 1], 0)
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
            half = _half(sent) if rules.graded[r] else 0
            total = (np.int64(m.x[0, 0, at]) + half) & _PAYLOAD_MASK
            if total > TRACE_MAX and sent != 0:
                if m.tx[at] > 0:
                    m.x[0, 1, at] = raised(m.x[0, 1, at], rules.impulse[g, 1], rules.part[g, 1], 0)
                m.tx[at] = within
                _activate(m.pre_on, m.pre, m.pre_count, r, wiring.column[r], j)
            m.x[0, 0, at] = total - TRACE_MAX if total > TRACE_MAX else total


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
            # the first spike of an epoch is kept as a time, only a later one raises the trace now
            if m.ty[at] > 0:
                for k in range(3):
                    m.y[0, k, at] = raised(
                        m.y[0, k, at], rules.impulse[g, 2 + k], rules.part[g, 2 + k], random
                    )
            m.ty[at] = within
        _activate(m.post_on, m.post, m.post_count, r, wiring.row[r], i)


@jit
def _end_epoch(r: Any, t: Any, k: Any, wiring: Any, rules: Any, m: Any, draws: Any) -> None:
    """Traces, then synapses, then a new epoch."""
    epoch, n_pre, n_post = rules.epoch[r], wiring.n_pre[r], wiring.n_post[r]
    begin, end = wiring.group[r], wiring.group[r + 1]
    pre = m.pre[wiring.column[r] : wiring.column[r] + m.pre_count[r]]
    post = m.post[wiring.row[r] : wiring.row[r] + m.post_count[r]]
    most = TRACE_MAX if rules.mode[r] == 0 else TRACE_VALUES - 1  # payloads set eight bits
    for g in range(begin, end):
        for trace in range(5):
            if not rules.used[g, trace]:
                continue
            top = np.int64(most if trace == 0 else TRACE_MAX) + 1
            whole, fraction = rules.whole[g, trace, :top], rules.fraction[g, trace, :top]
            impulse, part = rules.impulse[g, trace], rules.part[g, trace]
            if trace < 2:
                x0 = rules.x_first[g]
                trace_history(
                    m.x, trace, x0, n_pre, epoch, whole, fraction, draws.x_decay[r, k],
                    m.decayed[:top], pre, m.tx[x0 : x0 + n_pre], impulse, part,
                    draws.x_impulse[r, k],
                )  # fmt: skip
            else:
                y0 = rules.y_first[g]
                trace_history(
                    m.y, trace - 2, y0, n_post, epoch, whole, fraction,
                    draws.y_decay[r, k], m.decayed[:top], post, m.ty[y0 : y0 + n_post], impulse,
                    part, draws.y_impulse[r, k],
                )  # fmt: skip
    u_on = rules.has_u[r] and ((t + 1) // epoch) % (1 << max(rules.decimate[r], 0)) == 0
    wild = t + 1 == epoch or m.pinned[r]
    m.pinned[r] = False
    # one random number for all synapses (Lava's `stochastic_round`): with it,
    # floor(a / 128) + (r < fraction) is (a + 127 - floor(128 r)) >> 7, also below zero
    rounding = np.int64(_ONE - 1) - np.int64(np.floor(draws.synapse[r, k] * _ONE))
    if rules.simple[r] > 0 and not wild:
        change_pairs(
            pre, post, m.x, m.y, np.int64(most), np.int32(rounding), (n_pre, n_post),
            (rules.x_first[begin], rules.y_first[begin]), (begin, end), bounds_of(r, rules),
            rules.simple[r] == 1, products_of(rules), synapses_of(r, wiring, m), memory_of(m),
        )  # fmt: skip
    else:
        learn_lines(r, pre, post, wild, u_on, rounding, wiring, rules, m)
    for g in range(begin, end):
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
