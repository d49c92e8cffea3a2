"""Steps of traces, and changes by pairs of spikes (numba): what both learning kernels share.

What a spike changes by a pair rule depends on the neuron at the other end, its group and the step
of the epoch alone, and one random number rounds all synapses of a projection: how far a weight
moves is known per neuron and group before a synapse is touched (`_weight_steps`). A *slot* numbers
the neurons of one side group by group, ``g * n + neuron``; a synapse looks its step up by its slot,
so several groups cost no more than one.

Rounding is integer arithmetic: ``floor(a / 128) + (r < a / 128 mod 1)`` with one r for all
synapses is ``(a + 127 - floor(128 r)) >> 7``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hrsnn_lava.integer_format import ACCUMULATOR_RANGE, ACCUMULATOR_SHIFT, TRACE_MAX
from hrsnn_lava.sim_backends.native.kernels import jit

ACC_MIN, ACC_MAX = ACCUMULATOR_RANGE
UNIT = np.int32(1 << ACCUMULATOR_SHIFT)  # a weight of 1 in the accumulator
_BITS = np.int32(23)  # of a fixed point in which 8 bits, and a bit of a sum, fit into int32
_ONE = 2.0**23
# changes below this, rounding added, fit into 16 bits: twice as many a time
_NARROW = 2**15 - (1 << ACCUMULATOR_SHIFT)


@jit
def raised(value: Any, impulse: Any, part: Any, random: Any) -> Any:
    """A trace plus its impulse in 7 bits, the fraction rounded stochastically."""
    up = np.int64(value) + impulse + (1 if random < part else 0)
    return np.uint8(min(up, TRACE_MAX))


@jit
def _line_of(whole: Any, fraction: Any, random: Any, decayed: Any) -> Any:
    """What every value of a trace decays to in this step, into `decayed`, as a line.

    Returns:
        slope and offset of ``(slope value + offset) >> 23``; whether it agrees with all of
        `decayed`: then many values are worked out at once.
    """
    for value in range(decayed.shape[0]):
        decayed[value] = np.uint8(np.int32(whole[value]) + np.int32(random < fraction[value]))
    last = decayed.shape[0] - 1
    slope = np.int32((np.float64(whole[last]) + fraction[last]) / last * _ONE)
    offset = np.int32((1.0 - random) * _ONE)
    wrong = np.int32(0)
    for value in range(decayed.shape[0]):
        line = np.int32(np.int32(np.int32(value) * slope + offset) >> _BITS)
        wrong |= np.int32(line ^ np.int32(decayed[value]))
    return slope, offset, wrong == 0


@jit
def decay_in_place(values: Any, whole: Any, fraction: Any, random: Any, decayed: Any) -> None:
    """A step of a trace, (n,); one random number rounds all of it.

    `decayed` has as many elements as a trace has values.
    """
    slope, offset, straight = _line_of(whole, fraction, random, decayed)
    if straight:
        for i in range(values.shape[0]):
            values[i] = np.uint8(np.int32(np.int32(values[i]) * slope + offset) >> _BITS)
    else:
        for i in range(values.shape[0]):
            values[i] = decayed[values[i]]


@jit
def trace_history(
    rows: Any, trace: Any, first: Any, n: Any, epoch: Any, whole: Any, fraction: Any, random: Any,
    decayed: Any, active: Any, times: Any, impulse: Any, part: Any, impulse_random: Any,
) -> None:  # fmt: skip
    """Fill the history of a trace of `n` neurons, and keep its last row as the trace.

    Args:
        rows: (steps + 1, traces, all neurons); row 0 is before the epoch. The neurons of `trace`
            are from `first` on: one row of them is contiguous in memory, several are not.
        active: neurons that spiked, in step `times` (n,) of the epoch.
    """
    slope, offset, straight = _line_of(whole, fraction, random, decayed)
    for k in range(1, epoch + 1):
        before = rows[k - 1, trace, first : first + n]
        now = rows[k, trace, first : first + n]
        if straight:
            for i in range(now.shape[0]):
                now[i] = np.uint8(np.int32(np.int32(before[i]) * slope + offset) >> _BITS)
        else:
            for i in range(now.shape[0]):
                now[i] = decayed[before[i]]
        for e in range(active.shape[0]):
            i = active[e]
            if times[i] == k:
                now[i] = raised(now[i], impulse, part, impulse_random)
    last, state = rows[epoch, trace, first : first + n], rows[0, trace, first : first + n]
    for i in range(state.shape[0]):
        state[i] = last[i]


@jit
def _weight_steps(
    changes: Any, steps: Any, who: Any, trace: Any, most: Any, mantissa: Any, right: Any,
    left: Any, constant: Any, limit: Any, rounding: Any,
) -> Any:  # fmt: skip
    """What a spike does to a synapse, by the neuron at its other end, for a product of one factor.

    `changes` (n,) int32 of the accumulator, at `who` alone; `steps` (n,) int16 of the weight:
    ``(128 w + c + r) >> 7 = w + ((c + r) >> 7)``, and clipping the accumulator before is clipping
    the weight after, for all of these functions are monotonic. False, and nothing done, where 16
    bits do not hold the arithmetic; `most` is the largest value of the trace.
    """
    largest = min(abs(constant) + most, limit) * abs(mantissa) >> right
    if left > 15 or largest << left >= _NARROW:
        return False
    times, less, more = np.int16(mantissa), np.int16(right), np.int16(left)
    plus, up = np.int16(constant), np.int16(rounding)
    low, high = np.int16(-limit), np.int16(limit - 1)
    for i in range(steps.shape[0]):
        term = min(max(np.int16(np.int16(trace[i]) + plus), low), high)
        term = np.int16(np.int16(term * times) >> less)
        steps[i] = np.int16(np.int16(np.int16(term << more) + up) >> np.int16(7))
    for e in range(who.shape[0]):
        term = min(max(np.int64(trace[who[e]]) + constant, -limit), limit - 1) * mantissa
        changes[who[e]] = np.int32((term >> right) << left)
    return True


@jit
def trace_product(
    result: Any, traces: Any, row: Any, start: Any, code: Any, p: Any, products: Any
) -> None:
    """Product `p` of any number of traces, (n,), at the accumulator's width, clipped.

    `traces` (steps, traces, all neurons) are read in `row`; the first of them has number `code`.
    """
    _, _, mantissa, right_of, left_of, factors, variable, constant, limit = products
    n = result.shape[0]
    for i in range(n):
        result[i] = mantissa[p]
    for f in range(factors[p], factors[p + 1]):
        trace = traces[row, variable[f] - code, start : start + n]
        added, bound = np.int32(constant[f]), np.int32(limit[f])
        for i in range(n):
            term = np.int32(np.int32(trace[i]) + added)
            term = min(max(term, np.int32(-bound)), np.int32(bound - 1))
            result[i] = np.int32(result[i] * term)
    right, left = np.int32(right_of[p]), left_of[p]
    low, high = np.int32(ACC_MIN), np.int32(ACC_MAX)
    for i in range(n):
        # right first: low bits are lost, then the sign of what is left decides; the left shift
        # wraps in 32 bits before the clip, as NumPy's int32 does in Lava
        value = np.int32(np.int64(np.int32(result[i] >> right)) << left)
        result[i] = min(max(value, low), high)


@jit
def change_pairs(
    pre: Any, post: Any, x: Any, y: Any, most: Any, rounding: Any, sizes: Any, starts: Any,
    groups: Any, bounds: Any, x_before_y: Any, products: Any, synapses: Any, memory: Any,
) -> None:  # fmt: skip
    """Change all synapses of a projection that neurons `pre` and `post` may, by pair rules.

    Step by step of the epoch, so that the table of a step stays in the cache. Rows come first:
    columns, which take the synapses of which both neurons spiked, need what they worked out.

    Args:
        x, y: (steps, traces, all neurons): traces by step; the last row stands for all steps
            beyond it.
        most: largest value of a presynaptic trace.
        sizes, starts: presynaptic and postsynaptic neurons; where their slots begin.
        groups: first group and the one after the last.
        bounds: of accumulators and of weights, int32.
        products, synapses, memory: see `products_of`, `synapses_of`, `memory_of`: a call hands over
            every field of a tuple, so these are those that are needed.
    """
    (n_pre, n_post), (x0, y0), n_groups = sizes, starts, groups[1] - groups[0]
    n_x, n_y = n_pre * n_groups, n_post * n_groups
    indptr, slots, first_slot, row_ptr, row_place, row_slot, weights = synapses
    all_tx, all_ty, from_pre, from_post, step, met, step_of = memory
    tx, ty = all_tx[x0 : x0 + n_x], all_ty[y0 : y0 + n_y]
    sent, fired = _steps_in(pre, tx), _steps_in(post, ty)
    last = x.shape[0] - 1
    for k in range(1, from_post.shape[0]):
        if fired >> np.uint64(k) & np.uint64(1):
            change = from_post[k, x0 : x0 + n_x]
            _fill_table(
                False, pre, n_pre, groups, x, min(k, last), x0, change, step, products, rounding,
                most,
            )  # fmt: skip
            _, _, moves = _extent_of(change, step, n_pre, n_groups, pre)
            if moves:
                _change_rows(
                    post, k, ty, step, row_ptr, row_place, row_slot, weights, rounding, bounds
                )
    for k in range(1, from_post.shape[0]):
        if sent >> np.uint64(k) & np.uint64(1):
            change = from_pre[:n_y]
            _fill_table(
                True, post, n_post, groups, y, min(k, last), y0, change, step, products, rounding,
                np.int64(TRACE_MAX),
            )  # fmt: skip
            low, high, moves = _extent_of(change, step, n_post, n_groups, post)
            _change_columns(
                pre, k, tx, fired, ty, (n_pre, n_post, n_groups), x0, change, from_post, step,
                moves, low, high, indptr, slots, weights, first_slot, met, step_of, x_before_y,
                rounding, bounds,
            )  # fmt: skip


@jit
def products_of(rules: Any) -> Any:
    """What pair rules read of `Rules`."""
    return (
        rules.first, rules.dependency, rules.mantissa, rules.right, rules.left, rules.factors,
        rules.variable, rules.constant, rules.limit,
    )  # fmt: skip


@jit
def synapses_of(r: Any, wiring: Any, m: Any) -> Any:
    """The synapses of a projection by column and by row, and all weights."""
    return (
        wiring.indptr[wiring.column[r] :], wiring.slots, wiring.slot[r],
        wiring.row_ptr[wiring.row[r] :], wiring.row_place, wiring.row_slot, m.weights,
    )  # fmt: skip


@jit
def memory_of(m: Any) -> Any:
    """Times of spikes and room for tables."""
    return m.tx, m.ty, m.from_pre, m.from_post, m.step, m.met, m.step_of


@jit
def bounds_of(r: Any, rules: Any) -> Any:
    """Limits of accumulators, then of weights, int32."""
    return (
        np.int32(rules.acc_low[r]), np.int32(rules.acc_high[r]),
        np.int32(rules.low[r]), np.int32(rules.high[r]),
    )  # fmt: skip


@jit
def _steps_in(who: Any, times: Any) -> Any:
    """The steps in which neurons `who` spiked, as bits."""
    bits = np.uint64(0)
    for e in range(who.shape[0]):
        bits |= np.uint64(1) << np.uint64(times[who[e]])
    return bits


@jit
def _fill_table(
    by_pre: Any, who: Any, n: Any, groups: Any, traces: Any, row: Any, start: Any, changes: Any,
    steps: Any, products: Any, rounding: Any, most: Any,
) -> None:  # fmt: skip
    """What a spike of one side changes in a step of the epoch, by slot of the other side.

    Args:
        by_pre: the spike is presynaptic: products x0 * (y traces), otherwise y0 * (x traces).
        who: neurons of the other side that spiked; `n` neurons are there.
        groups: first group and the one after the last.
        traces: (steps, traces, all neurons) of the other side, from `start` on, read in `row`.
        changes, steps: (slots,) int32 of the accumulator, of `who` at least; int16 of the weight.
    """
    gate, code = (0, 2) if by_pre else (1, 0)
    first_of, dependency, mantissa, right, left, factors, variable, constant, limit = products
    for g in range(groups[0], groups[1]):
        first = (g - groups[0]) * n
        change, step = changes[first : first + n], steps[first : first + n]
        product: Any = np.int64(-1)
        for p in range(first_of[g, 0], first_of[g, 1]):
            if dependency[p] == gate:
                product = np.int64(p)
        if product < 0:
            change[:], step[:] = 0, 0
            continue
        f, narrow = factors[product], False
        if factors[product + 1] - f == 1:
            at = start + first
            narrow = _weight_steps(
                change, step, who, traces[row, variable[f] - code, at : at + n], most,
                mantissa[product], right[product], left[product],
                constant[f], limit[f], rounding,
            )  # fmt: skip
        if not narrow:
            trace_product(change, traces, row, start + first, code, product, products)
            up = np.int32(rounding)
            for i in range(n):
                step[i] = np.int16(np.int32(change[i] + up) >> np.int32(ACCUMULATOR_SHIFT))


@jit
def _extent_of(changes: Any, steps: Any, n: Any, n_groups: Any, who: Any) -> Any:
    """Least and greatest change at the slots of neurons `who`; whether any other weight moves.

    The steps of `who` become 0: where both neurons spiked, a synapse is changed elsewhere.
    """
    least, greatest = np.int32(ACC_MAX), np.int32(ACC_MIN)
    for g in range(n_groups):
        for e in range(who.shape[0]):
            slot = g * n + who[e]
            least, greatest = min(least, changes[slot]), max(greatest, changes[slot])
            steps[slot] = np.int16(0)
    moved = np.int16(0)
    for i in range(n_groups * n):
        moved |= steps[i]
    return least, greatest, moved != 0


@jit
def _change_columns(
    pre: Any, k: Any, tx: Any, fired: Any, ty: Any, sizes: Any, x0: Any, by_pre: Any,
    by_post: Any, table: Any, moves: Any, low: Any, high: Any, indptr: Any, all_slots: Any,
    all_weights: Any, first: Any, met: Any, scratch: Any, x_before_y: Any, rounding: Any,
    bounds: Any,
) -> None:  # fmt: skip
    """Change the synapses from neurons that spiked in step `k` of the epoch.

    Where both neurons spiked, two changes add up, with a clip in between. They are looked for
    only in columns in which the sum of the two can move a weight, or the clip can matter.

    Args:
        pre, tx: neurons that spiked, and the step in which each neuron did.
        fired, ty: bits of the steps in which a postsynaptic neuron spiked; step by slot, or 0.
        sizes: presynaptic and postsynaptic neurons, groups; `x0` is the first presynaptic slot.
        by_pre, by_post: changes by a spike, by slot of the other neuron; the latter by step too.
        table, moves, low, high: steps of weights, and see `_extent_of`.
        indptr, all_slots, all_weights, first: columns of slots, which count from `first`.
        met, scratch: room for a column.
    """
    least, greatest = _weight_reach(rounding, bounds)
    n_pre, n_post, n_groups = sizes
    start, per_group = np.uint64(first), np.uint64(n_post)
    for e in range(pre.shape[0]):
        j = np.int64(pre[e])
        if tx[j] != k:
            continue
        down = up = np.int32(0)
        if fired != 0:
            down, up = _reach_of(by_post, fired, x0 + j, n_pre, n_groups)
        both = fired != 0 and (
            low + down + rounding < 0
            or high + up + rounding >= UNIT
            or bounds[2] * UNIT + min(low, down) < ACC_MIN
            or bounds[3] * UNIT + max(high, up) > ACC_MAX
        )
        if not (moves or both):
            continue
        lo, hi = np.uint64(indptr[j]), np.uint64(indptr[j + 1])
        slots, weights, step = all_slots[lo:hi], all_weights[lo:hi], scratch[: hi - lo]
        if both:
            n_met: Any = np.uint64(0)
            for q in range(slots.shape[0]):
                met[n_met] = q
                n_met = n_met + np.uint64(ty[np.uint64(slots[q]) - start] != 0)
            for f in range(n_met):
                place = np.uint64(met[f])
                slot = np.uint64(slots[place]) - start
                group = np.int64(slot // per_group) if n_groups > 1 else np.int64(0)
                of_pre = by_pre[slot]
                of_post = by_post[ty[slot], x0 + group * n_pre + j]
                one = of_pre if x_before_y else of_post
                two = of_post if x_before_y else of_pre
                total = clip_accumulator(np.int32(np.int32(weights[place]) * UNIT) + one)
                weights[place] = to_weight(clip_accumulator(total + two), rounding, bounds)
        if moves:
            for q in range(slots.shape[0]):
                step[q] = table[np.uint64(slots[q]) - start]
            for q in range(weights.shape[0]):
                weights[q] = min(max(np.int16(weights[q] + step[q]), least), greatest)


@jit
def _reach_of(by_post: Any, fired: Any, j: Any, n_pre: Any, n_groups: Any) -> Any:
    """Least and greatest change of a synapse from neuron `j` by any postsynaptic spike."""
    down, up = np.int32(ACC_MAX), np.int32(ACC_MIN)
    for k in range(1, by_post.shape[0]):
        if fired >> np.uint64(k) & np.uint64(1):
            for g in range(n_groups):
                change = by_post[k, g * n_pre + j]
                down, up = min(down, change), max(up, change)
    return down, up


@jit
def _change_rows(
    post: Any, k: Any, ty: Any, table: Any, row_ptr: Any, row_place: Any,
    row_slot: Any, weights: Any, rounding: Any, bounds: Any,
) -> None:  # fmt: skip
    """Change the synapses onto neurons that spiked in step `k`, from neurons that did not."""
    least, greatest = _weight_reach(rounding, bounds)
    low, high = np.int32(least), np.int32(greatest)
    for e in range(post.shape[0]):
        if ty[post[e]] != k:
            continue
        lo, hi = np.uint64(row_ptr[post[e]]), np.uint64(row_ptr[post[e] + 1])
        places, slots = row_place[lo:hi], row_slot[lo:hi]
        for q in range(places.shape[0]):
            place = np.uint64(places[q])
            weight = np.int32(weights[place]) + np.int32(table[np.uint64(slots[q])])
            weights[place] = min(max(np.int32(weight), low), high)


@jit
def clip_accumulator(value: Any) -> Any:
    """To the accumulator's range, int32."""
    return min(max(np.int32(value), np.int32(ACC_MIN)), np.int32(ACC_MAX))


@jit
def to_weight(total: Any, rounding: Any, bounds: Any) -> Any:
    """An accumulator (int32) to a weight: sign, rounding, limits."""
    total = min(max(total, bounds[0]), bounds[1])
    return min(max(np.int32(np.int32(total + rounding) >> np.int32(7)), bounds[2]), bounds[3])


@jit
def _weight_reach(rounding: Any, bounds: Any) -> Any:
    """Least and greatest weight that `to_weight` can give, int16."""
    least = to_weight(np.int32(ACC_MIN), rounding, bounds)
    return np.int16(least), np.int16(to_weight(np.int32(ACC_MAX), rounding, bounds))
