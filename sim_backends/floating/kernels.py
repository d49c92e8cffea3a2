"""The compiled loops of float networks, with fixed synapses and with pair STDP.

A readable twin of the learning is in ``tests/support/plain_plasticity.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hrsnn_lava.resets import SUBTRACT, SUBTRACT_ALL, SUBTRACT_NEXT
from hrsnn_lava.sim_backends.native.kernels import (
    FETCH_FROM,
    FETCH_SPIKES,
    collect_spikes,
    fetch_columns,
    grouped_run,
    jit,
    prefetch,
    take_all,
)
from hrsnn_lava.sim_backends.native.layout import Events, Out, Run

#: Synapses of a row lie anywhere in the columns: so many ahead are asked for.
AHEAD = 12


@jit
def run_floats(first: int, n_steps: int, *arrays: Any) -> int:
    """Float64 twin of `run_integers`: ``u = u keep_u + a; v = v keep_v + u + bias``.

    Args:
        arrays: those of a `Run`, the bias (n,), and those of `Events` and `Out`.
    """
    run, bias, events, out = _grouped(arrays)
    return _float_steps(first, n_steps, run, bias, events, out)


@jit
def _grouped(a: Any) -> tuple[Run, Any, Events, Out]:
    """The groups of a call, from all their arrays one after the other."""
    events, out = Events(a[26], a[27], a[28]), Out(a[29], a[30], a[31], a[32], a[33])
    return grouped_run(a), a[25], events, out


@jit
def _neurons(
    keep_u: Any,
    keep_v: Any,
    threshold: Any,
    refractory: Any,
    bias: Any,
    arriving: Any,
    u: Any,
    v: Any,
    waiting: Any,
    spiked: Any,
    reset: Any,
) -> None:
    """One step of all neurons; whether `reset` is None is known when the loop is compiled.

    What ``subtract_all`` takes off is left to `take_all`.
    """
    for i in range(threshold.shape[0]):
        ui = u[i] * keep_u[i] + arriving[i]
        u[i] = ui
        vi = v[i] * keep_v[i] + ui + bias[i]
        if reset is None:
            vi = 0.0 if waiting[i] > 0 else vi
        elif waiting[i] > 0:
            vi = vi - threshold[i] if reset[i] == SUBTRACT_NEXT else 0.0
        fires = vi > threshold[i]
        if reset is not None:
            fires = fires | ((reset[i] == SUBTRACT_ALL) & (vi == threshold[i]))
        waiting[i] = refractory[i] if fires else max(waiting[i] - 1, 0)
        if reset is None:
            v[i] = 0.0 if fires else vi
        else:
            left = vi - threshold[i] if reset[i] == SUBTRACT else vi
            left = 0.0 if reset[i] == 0 else left
            v[i] = left if fires else vi
        spiked[i] = fires


@jit
def _float_steps(first: int, n_steps: int, run: Run, bias: Any, events: Events, out: Out) -> int:
    """See `run_floats`."""
    keep_u, keep_v, threshold, refractory, reset = run.neurons
    block_delay, _, _, indptr, targets, weights = run.synapses
    u, v, waiting = run.potentials
    ring_source, ring_value, ring_count = run.ring
    arriving, _, spiked, _, _, _, _, _ = run.scratch
    event_ptr, event_source, event_value = events
    out_step, out_neuron, out_v, out_u, out_value = out
    n = threshold.shape[0]
    depth = ring_count.shape[0]
    probe_v = out_v.shape[0] > 0
    fetch = targets.shape[0] > FETCH_FROM
    probe_u = out_u.shape[0] > 0
    n_written = 0
    cells = (keep_u, keep_v, threshold, refractory, bias, arriving, u, v, waiting, spiked, reset)
    for k in range(n_steps):
        t = first + k
        for i in range(n):
            arriving[i] = 0.0
        for b in range(block_delay.shape[0]):
            sent_at = t - 1 - block_delay[b]
            if sent_at < 0:
                continue
            slot = sent_at % depth
            columns = indptr[b]
            for e in range(ring_count[slot]):
                source = ring_source[slot, e]
                value = ring_value[slot, e]
                if fetch and e + FETCH_SPIKES < ring_count[slot]:
                    ahead = ring_source[slot, e + FETCH_SPIKES]
                    fetch_columns(targets, weights, columns[ahead], columns[ahead + 1])
                lo = np.uint64(columns[source])
                hi = np.uint64(columns[source + 1])
                row_targets = targets[lo:hi]
                row_weights = weights[lo:hi]
                for q in range(row_targets.shape[0]):
                    arriving[row_targets[q]] += row_weights[q] * value
        _neurons(*cells)
        slot = t % depth
        count = collect_spikes(spiked, ring_source[slot])
        for e in range(count):
            ring_value[slot, e] = 1.0
            out_step[n_written + e] = t
            out_neuron[n_written + e] = ring_source[slot, e]
        written = out_value[n_written:]
        take_all(ring_source[slot], count, threshold, reset, v, ring_value[slot], written)
        n_written += count
        for e in range(event_ptr[k], event_ptr[k + 1]):
            ring_source[slot, count] = event_source[e]
            ring_value[slot, count] = event_value[e]
            count += 1
        ring_count[slot] = count
        if probe_v:
            for i in range(n):
                out_v[k, i] = v[i]
        if probe_u:
            for i in range(n):
                out_u[k, i] = u[i]
    return n_written


@jit
def _deliver(
    t: int, block: int, base: int, blocks: Any, wiring: Any, param: Any, ring: Any, state: Any
) -> None:
    """Add to `pending` what arrives in step t + 1 through one plastic projection."""
    ends, delay, first_param, param_step = blocks[0], blocks[1], blocks[4], blocks[5]
    column, target = wiring[0], wiring[1]
    ring_source, ring_value, ring_count = ring
    sent_at = t - delay[block]
    if sent_at < 0:
        return
    first, n_pre, post, n_post = ends[block]
    weight, pending = state[0], state[1][post : post + n_post]
    slot, step = sent_at % ring_count.shape[0], param_step[block]
    for e in range(ring_count[slot]):
        j = ring_source[slot, e] - first
        if j < 0 or j >= n_pre:
            continue
        value = ring_value[slot, e]
        lo, hi = column[base + j], column[base + j + 1]
        targets, weights = target[lo:hi], weight[lo:hi]
        k = first_param[block] + step * lo
        sign = param[k + 3]
        for q in range(targets.shape[0]):
            if step != 0:
                sign = param[k + step * q + 3]
            pending[targets[q]] += sign * weights[q] * value


@jit
def _decay_traces(
    block: int, bases: Any, ends: Any, classes: Any, decay: Any, state: Any, sources: Any
) -> None:
    """Traces of all neurons of one projection: they decay, and rise by 1 at a spike."""
    first, n_pre, post, n_post = ends[block]
    n_plus, n_minus, d0, _, _ = classes[block]
    x, y = state[3], state[4]
    x0, y0 = bases[2], bases[3]
    keep_x, keep_y = decay[d0 : d0 + n_plus], decay[d0 + n_plus : d0 + n_plus + n_minus]
    _decay(x[x0 : x0 + n_pre * n_plus], keep_x)
    _decay(y[y0 : y0 + n_post * n_minus], keep_y)
    for s in range(sources.shape[0]):
        j, i = sources[s] - first, sources[s] - post
        if j >= 0 and j < n_pre:
            for c in range(n_plus):
                x[x0 + j * n_plus + c] += 1.0
        if i >= 0 and i < n_post:
            for c in range(n_minus):
                y[y0 + i * n_minus + c] += 1.0


@jit
def _decay(traces: Any, keep: Any) -> None:
    """One step of decay; neighbours belong to one neuron, one for each class."""
    if keep.shape[0] == 1:
        share = keep[0]
        for i in range(traces.shape[0]):
            traces[i] *= share
        return
    c = 0
    for i in range(traces.shape[0]):
        traces[i] *= keep[c]
        c += 1
        if c == keep.shape[0]:
            c = 0


@jit
def _fetch(array: Any, first: int, end: int) -> None:
    """Ask for entries `first` to `end` of an array of 8-byte values."""
    for q in range(first, end, 8):
        prefetch(array, q)


@jit
def _learn_by_neuron(
    block: int,
    bases: Any,
    blocks: Any,
    wiring: Any,
    param: Any,
    state: Any,
    fired: Any,
    sources: Any,
    learning: bool,
) -> None:
    """Update one projection whose traces belong to neurons, a pair for every pair of classes of
    time constants."""
    ends, decay, first_param, param_step, classes = (
        blocks[0],
        blocks[3],
        blocks[4],
        blocks[5],
        blocks[6],
    )
    _decay_traces(block, bases, ends, classes, decay, state, sources)
    if not learning:
        return
    column, target, row, row_source, row_synapse, class_of = wiring
    weight, x, y = state[0], state[3], state[4]
    first, n_pre, post, n_post = ends[block]
    column0, row0, x0, y0 = bases
    n_plus, n_minus, _, class0, class_step = classes[block]
    k0, step = first_param[block], param_step[block]
    a_plus, a_minus, w_max = param[k0], param[k0 + 1], param[k0 + 2]
    if step != 0:
        a_plus, a_minus, w_max = 0.0, 0.0, 0.0
    post_fired = fired[post : post + n_post]
    post_trace = y[y0 : y0 + n_post * n_minus]
    for s in range(sources.shape[0]):
        j = sources[s] - first
        if j < 0 or j >= n_pre:
            continue
        lo, hi = column[column0 + j], column[column0 + j + 1]
        if s + 1 < sources.shape[0]:
            ahead = sources[s + 1] - first
            if ahead >= 0 and ahead < n_pre:
                p0, p1 = column[column0 + ahead], column[column0 + ahead + 1]
                _fetch(weight, p0, p1)
                if step != 0:
                    _fetch(param, k0 + step * p0, k0 + step * p1)
        targets, weights = target[lo:hi], weight[lo:hi]
        pre_trace = x[x0 + j * n_plus : x0 + (j + 1) * n_plus]
        if class_step == 0 and step == 0:
            gain = a_plus * pre_trace[0]
            for q in range(targets.shape[0]):
                i = targets[q]
                w = weights[q] - a_minus * post_trace[i] + gain * post_fired[i]
                weights[q] = min(max(w, 0.0), w_max)
            continue
        c_plus, c_minus = np.int64(0), np.int64(0)
        for q in range(targets.shape[0]):
            if class_step != 0:
                c = class0 + 2 * (lo + q)
                c_plus, c_minus = np.int64(class_of[c]), np.int64(class_of[c + 1])
            if step != 0:
                k = k0 + step * (lo + q)
                a_plus, a_minus, w_max = param[k], param[k + 1], param[k + 2]
            i = np.int64(targets[q])
            w = weights[q] - a_minus * post_trace[i * n_minus + c_minus]
            w += a_plus * pre_trace[c_plus] * post_fired[i]
            weights[q] = min(max(w, 0.0), w_max)
    pre_fired = fired[first : first + n_pre]
    for s in range(sources.shape[0]):
        i = sources[s] - post
        if i < 0 or i >= n_post:
            continue
        lo, hi = row[row0 + i], row[row0 + i + 1]
        pres, places = row_source[lo:hi], row_synapse[lo:hi]
        c_plus = np.int64(0)
        for e in range(places.shape[0]):
            if e + AHEAD < places.shape[0]:
                coming = np.int64(places[e + AHEAD])
                prefetch(weight, coming)
                if step != 0:
                    prefetch(param, k0 + step * coming)
            j = np.int64(pres[e])
            if pre_fired[j]:
                continue  # the pass over the sources has done it
            at = np.int64(places[e])
            if class_step != 0:
                c_plus = np.int64(class_of[class0 + 2 * at])
            if step != 0:
                k = k0 + step * at
                a_plus, w_max = param[k], param[k + 2]
            weight[at] = min(weight[at] + a_plus * x[x0 + j * n_plus + c_plus], w_max)


@jit
def _power(share: float, steps: int) -> float:
    """What is left of a trace after some steps, ``share ** steps``, by squaring.

    Quicker than an exponential: gaps of up to 63 steps take no jump.
    """
    left = share if steps & 1 else 1.0
    share *= share
    left *= share if steps & 2 else 1.0
    share *= share
    left *= share if steps & 4 else 1.0
    share *= share
    left *= share if steps & 8 else 1.0
    share *= share
    left *= share if steps & 16 else 1.0
    share *= share
    left *= share if steps & 32 else 1.0
    rest = steps >> 6
    while rest > 0:
        share *= share
        if rest & 1:
            left *= share
        rest >>= 1
    return left


@jit
def _learn_by_synapse(
    t: int,
    block: int,
    bases: Any,
    blocks: Any,
    wiring: Any,
    param: Any,
    state: Any,
    fired: Any,
    sources: Any,
    learning: bool,
) -> None:
    """Update one projection whose traces belong to synapses: each is of its neuron's last spike.

    A synapse has x, y and what a step leaves of each in one record, so that a visit costs one line
    of memory.
    """
    ends, first_param, param_step = blocks[0], blocks[4], blocks[5]
    column, target, row, row_source, row_synapse, _ = wiring
    weight, last, trace = state[0], state[2], state[5]
    first, n_pre, post, n_post = ends[block]
    column0, row0 = bases[0], bases[1]
    k0, step = first_param[block], param_step[block]
    for s in range(sources.shape[0]):
        j = sources[s]
        if j < first or j >= first + n_pre:
            continue
        gap = t - last[j]
        lo, hi = column[column0 + j - first], column[column0 + j - first + 1]
        if s + 1 < sources.shape[0]:
            ahead = sources[s + 1] - first
            if ahead >= 0 and ahead < n_pre:
                p0, p1 = column[column0 + ahead], column[column0 + ahead + 1]
                _fetch(trace, 4 * p0, 4 * p1)
                if step != 0:
                    _fetch(param, k0 + step * p0, k0 + step * p1)
        for q in range(lo, hi):
            i = post + np.int64(target[q])
            r, k = 4 * q, k0 + step * q
            x = trace[r] * _power(trace[r + 2], gap) + 1.0
            now = trace[r + 1] * _power(trace[r + 3], t - last[i])
            trace[r] = x
            gained = 0.0
            if fired[i]:
                now += 1.0
                trace[r + 1] = now
                gained = param[k] * x
            if learning:
                weight[q] = min(max(weight[q] - param[k + 1] * now + gained, 0.0), param[k + 2])
    for s in range(sources.shape[0]):
        i = sources[s] - post
        if i < 0 or i >= n_post:
            continue
        gap = t - last[post + i]
        lo, hi = row[row0 + i], row[row0 + i + 1]
        pres, places = row_source[lo:hi], row_synapse[lo:hi]
        for e in range(places.shape[0]):
            if e + AHEAD < places.shape[0]:
                coming = np.int64(places[e + AHEAD])
                prefetch(weight, coming)
                prefetch(trace, 4 * coming)
                if step != 0:
                    prefetch(param, k0 + step * coming)
            j = first + np.int64(pres[e])
            if fired[j]:
                continue
            at = np.int64(places[e])
            entry = 4 * at
            trace[entry + 1] = trace[entry + 1] * _power(trace[entry + 3], gap) + 1.0
            if learning:
                k = k0 + step * at
                now = trace[entry] * _power(trace[entry + 2], t - last[j])
                weight[at] = min(weight[at] + param[k] * now, param[k + 2])


@jit
def plastic_steps(
    first: int,
    n_steps: int,
    run: Run,
    bias: Any,
    events: Events,
    blocks: Any,
    wiring: Any,
    param: Any,
    state: Any,
    scratch: Any,
    learning: bool,
    out: Out,
) -> int:
    """Run `n_steps` steps from step `first`; return how many spikes were written to `out`.

    Args:
        run, bias, events, out: see `layout`.
        blocks, wiring, param: fields of `PlasticLayout`.
        state: weights, pending currents, last spikes, traces of sources and targets, and records of
            synapses.
        scratch: who fired, all False, and room for a list of them, (n_sources,) each.
        learning: False holds the weights.
    """
    keep_u, keep_v, threshold, refractory, reset = run.neurons
    block_delay, _, _, indptr, targets, weights = run.synapses
    u, v, waiting = run.potentials
    arriving, _, spiked, _, _, _, _, _ = run.scratch
    ring, (event_ptr, event_source, event_value) = run.ring, events
    ring_source, ring_value, ring_count = ring
    out_step, out_neuron, out_v, out_u, _ = out
    ends, by_synapse, classes = blocks[0], blocks[2], blocks[6]
    pending, last = state[1], state[2]
    n, depth = u.shape[0], ring_count.shape[0]
    fired, sources = scratch
    n_written = 0
    cells = (keep_u, keep_v, threshold, refractory, bias, arriving, u, v, waiting, spiked, reset)
    for k in range(n_steps):
        t = first + k
        for i in range(n):
            arriving[i] = pending[i]
            pending[i] = 0.0
        for b in range(block_delay.shape[0]):
            sent_at = t - 1 - block_delay[b]
            if sent_at < 0:
                continue
            slot = sent_at % depth
            for e in range(ring_count[slot]):
                source = ring_source[slot, e]
                value = ring_value[slot, e]
                for p in range(indptr[b, source], indptr[b, source + 1]):
                    arriving[targets[p]] += weights[p] * value
        _neurons(*cells)
        slot, count, n_fired = t % depth, 0, 0
        for i in range(n):
            if spiked[i]:
                ring_source[slot, count] = i
                ring_value[slot, count] = 1.0
                out_step[n_written + count] = t
                out_neuron[n_written + count] = i
                count += 1
                fired[i] = True
                sources[n_fired] = i
                n_fired += 1
        n_written += count
        for e in range(event_ptr[k], event_ptr[k + 1]):
            source = event_source[e]
            ring_source[slot, count] = source
            ring_value[slot, count] = event_value[e]
            count += 1
            if event_value[e] != 0.0 and not fired[source]:
                fired[source] = True
                sources[n_fired] = source
                n_fired += 1
        ring_count[slot] = count
        column0: Any = np.int64(0)  # typed, or what is called would be compiled for a plain 0 too
        row0, x0, y0 = column0, column0, column0
        for b in range(ends.shape[0]):
            bases = (column0, row0, x0, y0)
            _deliver(t, b, column0, blocks, wiring, param, ring, state)
            if by_synapse[b]:
                _learn_by_synapse(
                    t,
                    b,
                    bases,
                    blocks,
                    wiring,
                    param,
                    state,
                    fired,
                    sources[:n_fired],
                    learning,
                )
            else:
                _learn_by_neuron(
                    b, bases, blocks, wiring, param, state, fired, sources[:n_fired], learning
                )
            column0 += ends[b, 1] + 1
            row0 += ends[b, 3] + 1
            x0 += ends[b, 1] * classes[b, 0]
            y0 += ends[b, 3] * classes[b, 1]
        for e in range(n_fired):
            fired[sources[e]] = False
            last[sources[e]] = t
        if out_v.shape[0] > 0:
            for i in range(n):
                out_v[k, i] = v[i]
        if out_u.shape[0] > 0:
            for i in range(n):
                out_u[k, i] = u[i]
    return n_written
