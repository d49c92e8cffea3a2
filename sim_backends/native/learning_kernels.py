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
    ACCUMULATOR_RANGE,
    ACCUMULATOR_SHIFT,
    TAG_RANGES,
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


def _inline(function: Kernel) -> Kernel:
    """Compile a function into those that call it."""
    compiled: Kernel = numba.njit(inline="always", **OPTIONS)(function)
    return compiled


ACC_MIN, ACC_MAX = ACCUMULATOR_RANGE
_TAG_PINNED, _TAG_MAX = TAG_RANGES["dt"]  # pinned: the next epoch moves it, whatever the spikes do
_DELAY_MAX = TAG_RANGES["dd"][1]
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
            out.step[n_written:], out.neuron[n_written:], out.v[k : k + 1], out.u[k : k + 1]
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
            pending[i] += partial[i] >> shift


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
            total = (partial[i] * factors.factor[q]) >> factors.shift[q]
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
    # one random number for all synapses (Lava's `stochastic_round`): with it,
    # floor(a / 128) + (r < fraction) is (a + 127 - floor(128 r)) >> 7, also below zero
    rounding = np.int64(_ONE - 1) - np.int64(np.floor(draws.synapse[r, k] * _ONE))
    if everything:
        _learn_all(r, u_on, rounding, wiring, rules, m)
    elif rules.simple[r] > 0:
        _learn_pairs(r, rounding, pre, post, wiring, rules, m)
    else:
        _learn_events(r, rounding, pre, post, wiring, rules, m)
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


@jit
def _decay_table(rules: Any, g: Any, trace: Any, random: Any, decayed: Any) -> None:
    """What every value of a trace decays to in a step of this epoch."""
    whole, fraction = rules.whole[g, trace], rules.fraction[g, trace]
    for value in range(decayed.shape[0]):
        decayed[value] = np.uint8(whole[value] + (1 if random < fraction[value] else 0))


@jit
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
                now[i] = raised(now[i], impulse, part, random)
    last, state = rows[epoch, first : first + n], rows[0, first : first + n]
    for i in range(n):
        state[i] = last[i]


@jit
def raised(value: Any, impulse: Any, part: Any, random: Any) -> Any:
    """A trace plus its impulse in 7 bits, the fraction rounded stochastically."""
    up = np.int64(value) + impulse + (1 if random < part else 0)
    return np.uint8(min(up, TRACE_MAX))


@jit
def _clipped(value: Any) -> Any:
    return min(max(value, ACC_MIN), ACC_MAX)


@jit
def _scaled(value: Any, right: Any, left: Any) -> Any:
    """A product of factors and mantissa (int32) at the accumulator's width, clipped."""
    # right first: low bits are lost, then the sign of what is left decides; the left shift is exact
    # in 64 bits and wraps in 32 before the clip, as NumPy's int32 does in Lava
    shifted = np.int32(np.int32(value) >> np.int32(right))
    return _clipped(np.int32(np.int64(shifted) << left))


@jit
def _per_neuron(
    product: Any, histories: Any, code: Any, first: Any, n: Any, k: Any, rules: Any, result: Any
) -> None:
    """The product for every neuron of one side at step k of the epoch, into result[k]."""
    values = result[k, first : first + n]
    values[:] = rules.mantissa[product]
    for f in range(rules.factors[product], rules.factors[product + 1]):
        trace = histories[k, rules.variable[f] - code, first : first + n]
        constant, limit = np.int32(rules.constant[f]), np.int32(rules.limit[f])
        for i in range(n):
            term = np.int32(np.int32(trace[i]) + constant)
            term = min(max(term, np.int32(-limit)), np.int32(limit - 1))
            values[i] = np.int32(values[i] * term)
    right, left = np.int32(rules.right[product]), np.int64(rules.left[product])
    low, high = np.int32(ACC_MIN), np.int32(ACC_MAX)
    for i in range(n):
        value = np.int32(np.int64(np.int32(values[i] >> right)) << left)
        values[i] = min(max(value, low), high)


@_inline
def _learn_pairs(
    r: Any, rounding: Any, pre: Any, post: Any, wiring: Any, rules: Any, m: Any
) -> None:
    """Pair rules. Synapses of which both neurons spiked are worked out first and written last."""
    begin, end = wiring.group[r], wiring.group[r + 1]
    n_pre, n_post = wiring.n_pre[r], wiring.n_post[r]
    for g in range(begin, end):
        _tables(g, pre, post, n_pre, n_post, rules, m)
    n_held = _learn_rows(r, post, rounding, wiring, rules, m)
    _learn_columns(r, pre, rounding, wiring, rules, m)
    for e in range(n_held):
        m.weights[m.held_place[e]] = m.held_weight[e]


@jit
def _rounded(total: Any, acc_low: Any, acc_high: Any, up: Any, low: Any, high: Any) -> Any:
    """An accumulator (int32) to a weight: sign, rounding, limits."""
    total = min(max(np.int32(total), acc_low), acc_high)
    return min(max(np.int32(np.int32(total + up) >> np.int32(ACCUMULATOR_SHIFT)), low), high)


@_inline
def _learn_rows(r: Any, post: Any, rounding: Any, wiring: Any, rules: Any, m: Any) -> Any:
    """Synapses onto neurons that spiked; those from neurons that spiked too are held back."""
    begin = wiring.group[r]
    x0, y0 = rules.x_first[begin], rules.y_first[begin]
    n_pre, n_post = wiring.n_pre[r], wiring.n_post[r]
    single, x_before_y = wiring.group[r + 1] - begin == 1, rules.simple[r] == 1
    low, high = np.int32(rules.low[r]), np.int32(rules.high[r])
    acc_low, acc_high = np.int32(rules.acc_low[r]), np.int32(rules.acc_high[r])
    up, base = np.int32(rounding), wiring.row[r]
    weights, profile, from_pre, tx = m.weights, wiring.profile, m.from_pre, m.tx[x0 : x0 + n_pre]
    from_post, ty, row_ptr = m.from_post, m.ty, wiring.row_ptr
    row_place, row_pre = wiring.row_place, wiring.row_pre
    held_place, held_weight, n_held = m.held_place, m.held_weight, 0
    for i in post:
        # a y0 product reads x at the step of the postsynaptic spike, an x0 product reads y at that
        # of the presynaptic one: each is worked out per neuron, see `_tables`
        change = from_post[ty[y0 + i], x0:]
        lo, hi = np.uint64(row_ptr[base + i]), np.uint64(row_ptr[base + i + 1])
        places, neurons = row_place[lo:hi], row_pre[lo:hi]
        for e in range(places.shape[0]):
            q, j = np.uint64(places[e]), np.uint64(neurons[e])
            g = np.uint64(0) if single else np.uint64(profile[q])
            added = change[g * np.uint64(n_pre) + j]
            total = np.int32(weights[q]) * np.int32(_ONE)
            if tx[j] == 0:
                total = np.int32(total + added)
                weights[q] = _rounded(total, acc_low, acc_high, up, low, high)
                continue
            other = from_pre[tx[j], y0 + np.int64(g) * n_post + i]
            # two clips: the accumulator saturates after each product, in the order of the rule
            both = total + (other if x_before_y else added)
            both = _clipped(np.int64(both)) + (added if x_before_y else other)
            held_place[n_held] = q
            held_weight[n_held] = _rounded(_clipped(both), acc_low, acc_high, up, low, high)
            n_held += 1
    return n_held


@_inline
def _learn_columns(r: Any, pre: Any, rounding: Any, wiring: Any, rules: Any, m: Any) -> None:
    """Synapses from neurons that spiked."""
    begin = wiring.group[r]
    x0, y0, n_post = rules.x_first[begin], rules.y_first[begin], np.uint64(wiring.n_post[r])
    low, high = np.int32(rules.low[r]), np.int32(rules.high[r])
    acc_low, acc_high = np.int32(rules.acc_low[r]), np.int32(rules.acc_high[r])
    up, first, base = np.int32(rounding), np.uint64(wiring.target[r]), wiring.column[r]
    single, from_pre, tx, indptr = wiring.group[r + 1] - begin == 1, m.from_pre, m.tx, wiring.indptr
    all_targets, all_weights, all_profile = wiring.targets, m.weights, wiring.profile
    for j in pre:
        change = from_pre[tx[x0 + j], y0:]
        lo, hi = np.uint64(indptr[base + j]), np.uint64(indptr[base + j + 1])
        targets, weights, profile = all_targets[lo:hi], all_weights[lo:hi], all_profile[lo:hi]
        if single:
            for q in range(targets.shape[0]):
                added = change[np.uint64(targets[q]) - first]
                total = np.int32(np.int32(weights[q]) * np.int32(_ONE) + added)
                weights[q] = _rounded(total, acc_low, acc_high, up, low, high)
        else:
            for q in range(targets.shape[0]):
                added = change[np.uint64(profile[q]) * n_post + np.uint64(targets[q]) - first]
                total = np.int32(np.int32(weights[q]) * np.int32(_ONE) + added)
                weights[q] = _rounded(total, acc_low, acc_high, up, low, high)


@_inline
def _tables(g: Any, pre: Any, post: Any, n_pre: Any, n_post: Any, rules: Any, m: Any) -> None:
    """Changes by a spike in step k of the epoch, for the steps in which there were spikes."""
    x0, y0 = rules.x_first[g], rules.y_first[g]
    spike_steps = np.uint64(0)
    for j in pre:
        spike_steps |= np.uint64(1) << np.uint64(m.tx[x0 + j])
    for k in range(1, m.x.shape[0]):
        if spike_steps >> np.uint64(k) & np.uint64(1):
            m.from_pre[k, y0 : y0 + n_post] = 0
            for product in range(rules.first[g, 0], rules.first[g, 1]):
                if rules.dependency[product] == 0:
                    _per_neuron(product, m.y, 2, y0, n_post, k, rules, m.from_pre)
    spike_steps = np.uint64(0)
    for i in post:
        spike_steps |= np.uint64(1) << np.uint64(m.ty[y0 + i])
    for k in range(1, m.x.shape[0]):
        if spike_steps >> np.uint64(k) & np.uint64(1):
            m.from_post[k, x0 : x0 + n_pre] = 0
            for product in range(rules.first[g, 0], rules.first[g, 1]):
                if rules.dependency[product] == 1:
                    _per_neuron(product, m.x, 0, x0, n_pre, k, rules, m.from_post)


@jit
def _learn_all(r: Any, u_on: Any, rounding: Any, wiring: Any, rules: Any, m: Any) -> None:
    """Every synapse."""
    for j in range(wiring.n_pre[r]):
        _learn_line(r, np.int64(j), True, u_on, rounding, wiring, rules, m)


@jit
def _learn_events(
    r: Any, rounding: Any, pre: Any, post: Any, wiring: Any, rules: Any, m: Any
) -> None:
    """Synapses of which a neuron spiked in the epoch."""
    # typed as in `_learn_all`, or numba would compile the line once more
    no_u = np.bool_(False)
    for j in pre:
        _learn_line(r, np.int64(j), True, no_u, rounding, wiring, rules, m)
    for i in post:
        _learn_line(r, np.int64(i), False, no_u, rounding, wiring, rules, m)


@jit
def _learn_line(
    r: Any, neuron: Any, by_pre: Any, u_on: Any, rounding: Any, wiring: Any, rules: Any, m: Any
) -> None:
    """Any rule, for the synapses from a neuron, or those onto it that no other line covers.

    dw, dd and dt all see the values from before.
    """
    # local names: in a loop, a field of a tuple costs as much as the arithmetic
    weights, tags, delays, x, y, tx, ty = m.weights, m.tag_1, m.tag_2, m.x, m.y, m.tx, m.ty
    targets, profile, place, pres = wiring.targets, wiring.profile, wiring.row_place, wiring.row_pre
    x_first, y_first, first, factors = rules.x_first, rules.y_first, rules.first, rules.factors
    dependency, mantissa, right, left = rules.dependency, rules.mantissa, rules.right, rules.left
    variable, constant, sign, limit = rules.variable, rules.constant, rules.sign, rules.limit
    pre_on, column, post_first = m.pre_on, wiring.column[r], wiring.target[r]
    low, high, epoch = rules.low[r], rules.high[r], rules.epoch[r]
    acc_low, acc_high = rules.acc_low[r], rules.acc_high[r]
    ptr = wiring.indptr if by_pre else wiring.row_ptr
    line = (column if by_pre else wiring.row[r]) + neuron
    for e in range(ptr[line], ptr[line + 1]):
        # every synapse once: those with a presynaptic spike by their column, the rest by their row
        if by_pre:
            q, j, i = np.int64(e), np.int64(neuron), np.int64(targets[e]) - post_first
        else:
            q, j, i = np.int64(place[e]), np.int64(pres[e]), np.int64(neuron)
            if pre_on[column + j]:
                continue
        g = wiring.group[r] + profile[q]
        weight, tag, delay = np.int64(weights[q]), np.int64(tags[q]), np.int64(delays[q])
        at_x, at_y = x_first[g] + j, y_first[g] + i
        kx, ky = np.int64(tx[at_x]), np.int64(ty[at_y])
        for target in range(3):
            if first[g, target] == first[g, target + 1]:
                continue
            old = weight if target == 0 else (delay if target == 1 else tag)
            total = np.int64(np.int32(old << ACCUMULATOR_SHIFT))  # wraps at 32 bits, as in Lava
            for product in range(first[g, target], first[g, target + 1]):
                gate = dependency[product]
                k = kx if gate == 0 else (ky if gate == 1 else epoch)
                if (gate == 2 and u_on) or (gate < 2 and k > 0):
                    result = np.int32(mantissa[product])
                    for f in range(factors[product], factors[product + 1]):
                        code = variable[f]
                        if code < 2:
                            term = np.int64(x[k, code, at_x])
                        elif code < 5:
                            term = np.int64(y[k, code - 2, at_y])
                        elif code < 7:
                            term = np.int64((kx if code == 5 else ky) > 0)
                        else:
                            term = weight if code == 7 else (delay if code == 8 else tag)
                        term += constant[f]
                        if sign[f]:
                            term = np.int64(term > 0) - np.int64(term < 0)
                        term = min(max(term, -limit[f]), limit[f] - 1)
                        result = np.int32(np.int64(result) * term)
                    total += np.int64(_scaled(result, right[product], left[product]))
                total = _clipped(total)
            if target == 0:
                total = min(max(total, acc_low), acc_high)
                weights[q] = min(max((total + rounding) >> ACCUMULATOR_SHIFT, low), high)
            elif target == 1:
                delays[q] = min((max(total, 0) + rounding) >> ACCUMULATOR_SHIFT, _DELAY_MAX)
            else:
                tag = (total + rounding) >> ACCUMULATOR_SHIFT
                tags[q] = min(max(tag, _TAG_PINNED), _TAG_MAX)
                if tags[q] == _TAG_PINNED:
                    m.pinned[r] = True
