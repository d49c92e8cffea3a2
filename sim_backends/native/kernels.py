"""The compiled inner loops (numba) of integer LIF networks, event-driven synapses.

Design, measured on x86-64: synapses are columns of (uint16 target, int8 or int16 weight), three
or four bytes each; indices are unsigned, so no negative index is tested for; non-negative
exponents are folded into the weights, so one int32 accumulator serves all blocks; the
neuron loop has no branch and multiplies in float64, which is exact below 2^53 and vectorises.
Columns lie anywhere, so once the synapses outgrow the second-level cache each column would start
with a miss: the column after next is fetched ahead (a quarter to a third of a step at N >= 5000).
A single thread: one network's step is too short to share; trials run side by side instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.dispatcher import Dispatcher
from numba.extending import intrinsic

from hrsnn_lava.integer_format import DECAY_ONE, STATE_SHIFT, STATE_WRAP
from hrsnn_lava.kernels import kernel
from hrsnn_lava.resets import SUBTRACT, SUBTRACT_ALL, SUBTRACT_NEXT
from hrsnn_lava.sim_backends.native.layout import (
    Drive,
    Events,
    Neurons,
    Out,
    Potentials,
    Ring,
    Run,
    Scratch,
    Synapses,
)

Kernel = TypeVar("Kernel", bound=Callable[..., Any])
#: No kernel makes an array, so none counts references to those it is given (`_nrt`): counting
#: took most of a small step of learning. numba's type stubs do not list that option.
OPTIONS: dict[str, Any] = {"error_model": "numpy", "boundscheck": False, "_nrt": False}


def jit(function: Kernel) -> Dispatcher[Kernel]:
    """Compile a function when it is first called."""
    return kernel(nogil=True, **OPTIONS)(function)


#: From this many synapses on, columns are fetched ahead; fewer fit into the second-level cache.
FETCH_FROM = 400_000
FETCH_SPIKES = 2
_LINE = 64


def _emit_prefetch(_: Any, array: Any, index: Any) -> Any:  # noqa: ARG001 - numba asks for it
    """Ask for the cache line of ``array[index]``; changes nothing but the time."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = context.make_array(signature.args[0])(context, builder, arguments[0])
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        function = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        place = builder.bitcast(builder.gep(view.data, [arguments[1]]), byte)
        builder.call(function, [place, word(0), word(3), word(1)])  # read, keep, data
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


prefetch: Any = intrinsic(_emit_prefetch)


@jit
def fetch_columns(targets: Any, weights: Any, first: int, end: int) -> None:
    """Ask for the synapses `first` to `end`."""
    for q in range(first, end, _LINE // targets.itemsize):
        prefetch(targets, q)
    for q in range(first, end, _LINE // weights.itemsize):
        prefetch(weights, q)


@jit
def collect_spikes(spiked: Any, out: Any) -> int:
    """Write the neurons that fired, in order; eight at a time, since most did not."""
    whole = spiked.shape[0] // 8
    words = spiked[: 8 * whole].view(np.uint64)
    count = 0
    for g in range(whole):
        if words[g] != 0:
            for i in range(8 * g, 8 * g + 8):
                out[count] = i
                count += spiked[i]
    for i in range(8 * whole, spiked.shape[0]):
        if spiked[i]:
            out[count] = i
            count += 1
    return count


@jit
def _neurons(
    n: int,
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
    active: Any,
    changed: Any,
) -> Any:
    """One step of all neurons: how many are active, how many potentials change, and whether a
    state met the end of its range.

    What a spike with the reset ``subtract_all`` takes off is left to `take_all`: few neurons fire,
    and a division for every neuron would cost more than the rest of the loop.

    Arguments but the last two as of `integer_steps`; these are 0, or None for no counting. Which of
    them are None, and whether `reset` is, is known when the loop is compiled. All is 32 bits wide,
    as Lava's is, so that eight neurons fit where four would: counting takes a fifth of the loop
    then.
    """
    limit, turn, share = np.int32(STATE_WRAP), np.int32(2 * STATE_WRAP), 1.0 / DECAY_ONE
    wrapped, lowest, highest = np.int32(0), np.int32(0), np.int32(0)
    n_idle, n_same = np.int32(0), np.int32(0)  # equality takes one instruction less than the rest
    for i in range(n):
        was_u, was_v = u[i], v[i]
        # toward zero: the product is below 2^44, so float64 holds it and the quotient exactly
        d = np.int32(np.float64(was_u) * keep_u[i] * share)
        # a sum of 2^25 and more loses its high bits here: Lava's `a_in << 6` is int32 too
        d = np.int32(d + np.int32(arriving[i] << STATE_SHIFT))
        # Lava tests the lower end on the wrapped value and then adds to the one before the wrap
        w = np.int32(d - turn) if d > limit else d
        ui = np.int32(d + turn) if w <= -limit else w
        # int32 sums wrap before the potential is clipped, as Lava's arrays do
        rest = np.int32(np.float64(was_v) * keep_v[i] * share)
        vi = np.int32(np.int32(rest + ui) + bias[i])
        if reset is not None:
            due = (waiting[i] > 0) & (reset[i] == SUBTRACT_NEXT)
            vi = np.int32(vi - threshold[i]) if due else vi
        vi = min(max(vi, np.int32(1 - limit)), np.int32(limit - 1))
        if reset is None:
            vi = np.int32(0) if waiting[i] > 0 else vi  # at rest v is held, u goes on
        else:
            vi = np.int32(0) if (waiting[i] > 0) & (reset[i] == 0) else vi
            highest = max(highest, np.int32(0) if reset[i] == 0 else vi)
        # not 0 where the current wrapped
        wrapped = np.int32(wrapped | np.int32(ui ^ d))
        lowest = np.int32(min(lowest, vi))
        if reset is None:
            fires = vi > threshold[i]
        else:  # with `SUBTRACT_ALL` from the threshold on
            fires = vi > np.int32(threshold[i] - (reset[i] == SUBTRACT_ALL))
        waiting[i] = refractory[i] if fires else max(np.int32(waiting[i] - 1), np.int32(0))
        u[i] = ui
        if reset is None:
            v[i] = np.int32(0) if fires else vi
        else:
            left = np.int32(vi - threshold[i]) if reset[i] == SUBTRACT else vi
            left = np.int32(0) if reset[i] == 0 else left
            v[i] = left if fires else vi
        spiked[i] = fires
        # or-ed, not added: a sum of non-zero terms could be 0
        if active is not None:
            n_idle = np.int32(n_idle + ((was_u | was_v | ui | bias[i]) == 0))
        if changed is not None:
            if reset is None:  # below its threshold before, above it now: a spike is a change
                n_same = np.int32(n_same + (vi == was_v))
            else:
                n_same = np.int32(n_same + ((vi == was_v) & (not fires)))
    ended = (wrapped != 0) | (lowest == 1 - limit) | (highest == limit - 1)
    return n - n_idle, n - n_same, ended


@jit
def take_all(
    neurons: Any, count: int, threshold: Any, reset: Any, v: Any, values: Any, written: Any
) -> None:
    """Write how many spikes each of the neurons that fired sends, and take their thresholds off.

    Integers, whose quotients float64 holds exactly, and floats; `neurons` and `values` are those of
    a step in the ring, 1 so far. `written` is of `Out`: nothing is done where it is empty.
    """
    if reset is not None:  # decided when the kernel is compiled
        for e in range(min(count, written.shape[0])):
            i = neurons[e]
            if reset[i] == SUBTRACT_ALL:
                values[e] = np.floor(v[i] / threshold[i])
                v[i] -= values[e] * threshold[i]
            written[e] = values[e]


@jit
def _count_losses(
    arriving: Any,
    wide: Any,
    before: Any,
    keep_u: Any,
    threshold: Any,
    reset: Any,
    u: Any,
    v: Any,
    spiked: Any,
    losses: Any,
    exact: Any,
) -> None:
    """Add to `losses` the currents that wrapped and the potentials at an end, see `Scratch`.

    Unless much arrives at once, u lies within 24 bits. What was left of it before is u less what
    arrived; where that does not lie within 24 bits, the sum has wrapped: the range is one turn.
    Where sums may leave 32 bits, what arrives is `exact`.
    """
    for i in range(u.shape[0]):
        raised = (exact[i] if wide[2] else np.int64(arriving[i])) << STATE_SHIFT
        if wide[0]:
            rest = np.int64(np.float64(before[i]) * keep_u[i] * (1.0 / DECAY_ONE))
            losses[0, i] += u[i] != rest + raised
        else:
            rest = np.int64(u[i]) - raised
            losses[0, i] += (rest <= -STATE_WRAP) | (rest > STATE_WRAP)
        losses[1, i] += v[i] == 1 - STATE_WRAP
        if reset is not None:
            taken = threshold[i] if (reset[i] == SUBTRACT) & spiked[i] else np.int32(0)
            losses[1, i] += (reset[i] != 0) & (v[i] + taken == STATE_WRAP - 1)


@jit
def sum_sent(
    slot: Any, ring: Any, graded: Any, indptr: Any, targets: Any, weights: Any, partial: Any
) -> None:
    """What one slot of the ring sends through a block of synapses, (n,) in 64 bits: no wrap."""
    ring_source, ring_value, ring_count = ring
    partial[:] = 0
    for e in range(ring_count[slot]):
        value = np.int64(ring_value[slot, e])
        if not graded:
            value = np.int64(value != 0)
        source = ring_source[slot, e]
        for q in range(indptr[source], indptr[source + 1]):
            partial[targets[q]] += np.int64(weights[q]) * value


@jit
def _sum_exactly(t: Any, run: Run) -> None:
    """What arrives in step `t` without the wrap at 32 bits, once more: for counts alone."""
    delay, shift, graded, indptr, targets, weights = run.synapses
    partial, exact = run.scratch.partial, run.scratch.exact
    later = run.scratch.later
    for i in range(exact.shape[0]):
        exact[i] = later[i]
    for b in range(delay.shape[0]):
        sent_at = t - 1 - delay[b]
        if sent_at < 0:
            continue
        slot = sent_at % run.ring.counts.shape[0]
        sum_sent(slot, run.ring, graded[b], indptr[b], targets, weights, partial)
        for i in range(exact.shape[0]):
            exact[i] += partial[i] >> shift[b]


@jit
def grouped_run(a: Any) -> Run:
    """The `Run` of `NetworkState.arrays`, which come first in `a`."""
    return Run(
        Neurons(a[0], a[1], a[2], a[3], a[4]),
        Synapses(a[5], a[6], a[7], a[8], a[9], a[10]),
        Potentials(a[11], a[12], a[13]),
        Ring(a[14], a[15], a[16]),
        Scratch(a[17], a[18], a[19], a[20], a[21], a[22], a[23], a[24]),
    )


@jit
def grouped(a: Any) -> tuple[Run, Drive, Events, Out]:
    """The groups of a call for integers, from all their arrays one after the other."""
    drive = Drive(a[25], a[26], a[27], a[28])
    events = Events(a[29], a[30], a[31])
    return grouped_run(a), drive, events, Out(a[32], a[33], a[34], a[35], a[36])


@jit
def run_integers(first: int, n_steps: int, updates: Any, *arrays: Any) -> int:
    """`integer_steps` for a call from Python, see `grouped`."""
    run, drive, events, out = grouped(arrays)
    return integer_steps(first, n_steps, run, drive, events, out, None, updates)


@jit
def integer_steps(
    first: int,
    n_steps: int,
    run: Run,
    drive: Drive,
    events: Events,
    out: Out,
    pending: Any = None,
    updates: Any = None,
) -> int:
    """Run `n_steps` steps from step `first`; return how many spikes were written to `out`.

    Args:
        run, drive, events, out: see `layout`; slices of events are of the steps of this call.
        pending: (n,) what arrives from synapses that are no block (they learn), or None.
        updates: (n_steps, 2) int32, how many neurons are active and how many potentials change
            (see `hrsnn_lava.compiler.analysis.operations.activity`), or None for no counting.
    """
    # local names: in a loop, a field of a tuple costs as much as the arithmetic
    keep_u, keep_v, threshold, refractory, reset = run.neurons
    block_delay, block_shift, block_graded, indptr, targets, weights = run.synapses
    u, v, waiting = run.potentials
    ring_source, ring_value, ring_count = run.ring
    arriving, partial, spiked, wide, before, losses, exact, _ = run.scratch
    bias_exp, bias, starts, mantissas = drive
    event_ptr, event_source, event_value = events
    out_step, out_neuron, out_v, out_u, out_value = out
    n = threshold.shape[0]
    depth = ring_count.shape[0]
    probe_v = out_v.shape[0] > 0
    fetch = targets.shape[0] > FETCH_FROM
    probe_u = out_u.shape[0] > 0
    # enter the current row anew
    row = max(np.int64(np.searchsorted(starts, first, side="right")) - 2, np.int64(-1))
    unsure = True
    n_written = 0
    for k in range(n_steps):
        t = first + k
        while row + 1 < starts.shape[0] and starts[row + 1] <= t:
            row += 1
            idle = 0
            for i in range(n):
                bias[i] = mantissas[row, i] << bias_exp[i]  # in the unit of v: no shift by 6
                idle += bias[i] == 0
            unsure = idle > 0
        if pending is None:  # decided when the kernel is compiled
            for i in range(n):
                arriving[i] = 0
        else:
            for i in range(n):
                arriving[i] = pending[i]
        for b in range(block_delay.shape[0]):
            # a spike of step t arrives in t + 1, later by its delay (Lava sends a_buff first)
            sent_at = t - 1 - block_delay[b]
            if sent_at < 0:
                continue
            slot = sent_at % depth
            columns = indptr[b]
            if block_shift[b] == 0:
                if block_graded[b]:
                    for e in range(ring_count[slot]):
                        source = ring_source[slot, e]
                        value = ring_value[slot, e]
                        for q in range(np.uint64(columns[source]), np.uint64(columns[source + 1])):
                            arriving[targets[q]] += np.int32(np.int64(weights[q]) * value)
                else:
                    for e in range(ring_count[slot]):
                        source = ring_source[slot, e]
                        if ring_value[slot, e] == 0:
                            continue
                        if fetch and e + FETCH_SPIKES < ring_count[slot]:
                            ahead = ring_source[slot, e + FETCH_SPIKES]
                            fetch_columns(targets, weights, columns[ahead], columns[ahead + 1])
                        lo = np.uint64(columns[source])
                        hi = np.uint64(columns[source + 1])
                        row_targets = targets[lo:hi]
                        row_weights = weights[lo:hi]
                        for q in range(row_targets.shape[0]):
                            arriving[row_targets[q]] += row_weights[q]
            else:
                for i in range(n):
                    partial[i] = 0
                for e in range(ring_count[slot]):
                    source = ring_source[slot, e]
                    value = np.int64(ring_value[slot, e])
                    # a binary synapse sees that something was sent, not how much
                    if not block_graded[b]:
                        value = np.int64(1) if value != 0 else np.int64(0)
                    for q in range(np.uint64(columns[source]), np.uint64(columns[source + 1])):
                        partial[targets[q]] += np.int64(weights[q]) * value
                # the floor is of the sum over a block, not of each weight (as in Lava's
                # proc/dense/models.py), and no block adds two projections onto the same neurons
                for i in range(n):
                    # in 32 bits, which large payloads wrap, before it is shifted
                    arriving[i] += np.int32(partial[i]) >> block_shift[b]
        if wide[0]:
            for i in range(n):
                before[i] = u[i]
        cells = (
            keep_u, keep_v, threshold, refractory, bias, arriving, u, v, waiting, spiked, reset
        )  # fmt: skip
        if updates is None:  # decided when the kernel is compiled
            ended = _neurons(n, *cells, None, None)[2]
        elif unsure:
            updates[k, 0], updates[k, 1], ended = _neurons(n, *cells, 0, 0)
        else:
            _, changes, ended = _neurons(n, *cells, None, 0)
            updates[k, 0], updates[k, 1] = n, changes
        if wide[2]:
            _sum_exactly(t, run)
        if ended or wide[1]:
            _count_losses(
                arriving, wide, before, keep_u, threshold, reset, u, v, spiked, losses, exact
            )
        slot = t % depth
        count = collect_spikes(spiked, ring_source[slot])
        for e in range(count):
            ring_value[slot, e] = 1
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
