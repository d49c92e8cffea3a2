"""The compiled loops of float networks, with fixed synapses and with pair STDP.

A readable twin of the learning is in ``tests/support/plain_plasticity.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hrsnn_lava.kernels import kernel
from hrsnn_lava.sim_backends.native.kernels import (
    FETCH_FROM,
    FETCH_SPIKES,
    collect_spikes,
    fetch_columns,
    grouped_run,
    jit,
)
from hrsnn_lava.sim_backends.native.layout import Events, Out, Run

#: Unlike `jit`, these make arrays, so references are counted.
_plastic_jit = kernel(error_model="numpy", boundscheck=False, nogil=True)


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
    return grouped_run(a), a[24], Events(a[25], a[26], a[27]), Out(a[28], a[29], a[30], a[31])


@jit
def _float_steps(first: int, n_steps: int, run: Run, bias: Any, events: Events, out: Out) -> int:
    """See `run_floats`."""
    keep_u, keep_v, threshold, refractory = run.neurons
    block_delay, _, _, indptr, targets, weights = run.synapses
    u, v, waiting = run.potentials
    ring_source, ring_value, ring_count = run.ring
    arriving, _, spiked, _, _, _, _, _ = run.scratch
    event_ptr, event_source, event_value = events
    out_step, out_neuron, out_v, out_u = out
    n = threshold.shape[0]
    depth = ring_count.shape[0]
    probe_v = out_v.shape[0] > 0
    fetch = targets.shape[0] > FETCH_FROM
    probe_u = out_u.shape[0] > 0
    n_written = 0
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
        for i in range(n):
            ui = u[i] * keep_u[i] + arriving[i]
            u[i] = ui
            vi = v[i] * keep_v[i] + ui + bias[i]
            vi = 0.0 if waiting[i] > 0 else vi
            fires = vi > threshold[i]
            waiting[i] = refractory[i] if fires else max(waiting[i] - 1, 0)
            v[i] = 0.0 if fires else vi
            spiked[i] = fires
        slot = t % depth
        count = collect_spikes(spiked, ring_source[slot])
        for e in range(count):
            ring_value[slot, e] = 1.0
            out_step[n_written + e] = t
            out_neuron[n_written + e] = ring_source[slot, e]
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


@_plastic_jit
def _deliver(
    t: int, block: int, base: int, blocks: Any, wiring: Any, synapse: Any, ring: Any, state: Any
) -> None:
    """Add to `pending` what arrives in step t + 1 through one plastic projection."""
    ends, delay = blocks[0], blocks[1]
    column, target = wiring[0], wiring[1]
    sign, weight, pending = synapse[0], state[0], state[1]
    ring_source, ring_value, ring_count = ring
    sent_at = t - delay[block]
    if sent_at < 0:
        return
    slot = sent_at % ring_count.shape[0]
    for e in range(ring_count[slot]):
        j = ring_source[slot, e] - ends[block, 0]
        if j < 0 or j >= ends[block, 1]:
            continue
        value = ring_value[slot, e]
        for q in range(column[base + j], column[base + j + 1]):
            pending[ends[block, 2] + target[q]] += sign[q] * weight[q] * value


@_plastic_jit
def _learn_by_neuron(
    block: int,
    bases: Any,
    blocks: Any,
    wiring: Any,
    synapse: Any,
    state: Any,
    fired: Any,
    sources: Any,
    learning: bool,
) -> None:
    """Update one projection whose traces belong to neurons."""
    ends, decay = blocks[0], blocks[3]
    column, target, row, row_source, row_synapse = wiring
    _, a_plus, a_minus, w_max = synapse
    weight, x, y = state[0], state[3], state[4]
    first, n_pre, post, n_post = ends[block]
    column0, row0, x0, y0 = bases
    for j in range(n_pre):
        x[x0 + j] = x[x0 + j] * decay[block, 0] + (1.0 if fired[first + j] else 0.0)
    for i in range(n_post):
        y[y0 + i] = y[y0 + i] * decay[block, 1] + (1.0 if fired[post + i] else 0.0)
    if not learning:
        return
    for j in sources:
        if j < first or j >= first + n_pre:
            continue
        trace = x[x0 + j - first]
        for q in range(column[column0 + j - first], column[column0 + j - first + 1]):
            i = target[q]
            w = weight[q] - a_minus[q] * y[y0 + i]
            if fired[post + i]:
                w += a_plus[q] * trace
            weight[q] = min(max(w, 0.0), w_max[q])
    for i in range(n_post):
        if not fired[post + i]:
            continue
        for e in range(row[row0 + i], row[row0 + i + 1]):
            j = row_source[e]
            if not fired[first + j]:  # else the pass over the sources has done it
                q = row_synapse[e]
                weight[q] = min(weight[q] + a_plus[q] * x[x0 + j], w_max[q])


@_plastic_jit
def _learn_by_synapse(
    t: int,
    block: int,
    bases: Any,
    blocks: Any,
    wiring: Any,
    synapse: Any,
    rates: Any,
    state: Any,
    fired: Any,
    sources: Any,
    learning: bool,
) -> None:
    """Update one projection whose traces belong to synapses: each is of its neuron's last spike."""
    ends = blocks[0]
    column, target, row, row_source, row_synapse = wiring
    _, a_plus, a_minus, w_max = synapse
    rate_plus, rate_minus = rates
    weight, last, x, y = state[0], state[2], state[5], state[6]
    first, n_pre, post, n_post = ends[block]
    column0, row0 = bases[0], bases[1]
    for j in sources:
        if j < first or j >= first + n_pre:
            continue
        gap = float(t - last[j])
        for q in range(column[column0 + j - first], column[column0 + j - first + 1]):
            i = post + target[q]
            x[q] = x[q] * np.exp(-gap * rate_plus[q]) + 1.0
            now = y[q] * np.exp(-float(t - last[i]) * rate_minus[q])
            gained = 0.0
            if fired[i]:
                now += 1.0
                y[q] = now
                gained = a_plus[q] * x[q]
            if learning:
                weight[q] = min(max(weight[q] - a_minus[q] * now + gained, 0.0), w_max[q])
    for i in range(n_post):
        if not fired[post + i]:
            continue
        gap = float(t - last[post + i])
        for e in range(row[row0 + i], row[row0 + i + 1]):
            j = first + row_source[e]
            if fired[j]:
                continue
            q = row_synapse[e]
            y[q] = y[q] * np.exp(-gap * rate_minus[q]) + 1.0
            if learning:
                now = x[q] * np.exp(-float(t - last[j]) * rate_plus[q])
                weight[q] = min(weight[q] + a_plus[q] * now, w_max[q])


@_plastic_jit
def plastic_steps(
    first: int,
    n_steps: int,
    run: Run,
    bias: Any,
    events: Events,
    blocks: Any,
    wiring: Any,
    synapse: Any,
    rates: Any,
    state: Any,
    learning: bool,
    out: Out,
) -> int:
    """Run `n_steps` steps from step `first`; return how many spikes were written to `out`.

    Args:
        run, bias, events, out: see `layout`.
        blocks, wiring, synapse, rates: fields of `PlasticLayout`.
        state: weights, pending currents, last spikes, and traces of sources, targets, synapses.
        learning: False holds the weights.
    """
    keep_u, keep_v, threshold, refractory = run.neurons
    block_delay, _, _, indptr, targets, weights = run.synapses
    u, v, waiting = run.potentials
    arriving, _, spiked, _, _, _, _, _ = run.scratch
    ring, (event_ptr, event_source, event_value) = run.ring, events
    ring_source, ring_value, ring_count = ring
    out_step, out_neuron, out_v, out_u = out
    ends, by_synapse = blocks[0], blocks[2]
    pending, last = state[1], state[2]
    n, depth = u.shape[0], ring_count.shape[0]
    fired = np.zeros(last.shape[0], dtype=np.bool_)
    sources = np.empty(last.shape[0], dtype=np.int64)
    n_written = 0
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
        for i in range(n):
            ui = u[i] * keep_u[i] + arriving[i]
            u[i] = ui
            vi = v[i] * keep_v[i] + ui + bias[i]
            vi = 0.0 if waiting[i] > 0 else vi
            fires = vi > threshold[i]
            waiting[i] = refractory[i] if fires else max(waiting[i] - 1, 0)
            v[i] = 0.0 if fires else vi
            spiked[i] = fires
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
            _deliver(t, b, column0, blocks, wiring, synapse, ring, state)
            if by_synapse[b]:
                _learn_by_synapse(
                    t,
                    b,
                    bases,
                    blocks,
                    wiring,
                    synapse,
                    rates,
                    state,
                    fired,
                    sources[:n_fired],
                    learning,
                )
            else:
                _learn_by_neuron(
                    b, bases, blocks, wiring, synapse, state, fired, sources[:n_fired], learning
                )
            column0 += ends[b, 1] + 1
            row0 += ends[b, 3] + 1
            x0 += ends[b, 1]
            y0 += ends[b, 3]
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
