"""Any rule, line by line (numba): the synapses from a neuron, or those onto it.

A line is worked out product by product, in loops over all of its synapses that a processor takes
eight or sixteen at a time. Of a product ``mantissa 2^exponent * dependency * factors`` the traces
of the line's own neuron are one number, those of the neurons at the other end are looked up, and
w, d and t are read where they are stored; 32 bits wrap alike in whatever order they are multiplied.

Groups of one *form* (the same dependencies, variables and constants; only scales and traces
differ) share a line: heterogeneous STDP has one form, however many profiles it has. The synapses
of a line lie together by form.

Every synapse is visited once: those with a presynaptic spike by their column, all products
included, the others by their row.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hrsnn_lava.integer_format import ACCUMULATOR_SHIFT, TAG_RANGES
from hrsnn_lava.sim_backends.native.kernels import jit
from hrsnn_lava.sim_backends.native.learning_changes import ACC_MAX, ACC_MIN, clip_accumulator

_TAG_PINNED, _TAG_MAX = TAG_RANGES["dt"]  # pinned: the next epoch moves it, whatever the spikes do
_DELAY_MAX = TAG_RANGES["dd"][1]
_BY_PRE, _BY_POST, _BY_U = np.int64(1), np.int64(2), np.int64(4)  # bits of dependencies


@jit
def learn_lines(
    r: Any, pre: Any, post: Any, wild: Any, u_on: Any, rounding: Any, wiring: Any, rules: Any,
    m: Any,
) -> None:  # fmt: skip
    """Bring all synapses of a projection up to date.

    Those that neurons `pre` and `post` may change, or all columns where something acts on all
    synapses, and then no rows. Products of u that read nothing but w, d and t need no columns:
    after what neurons changed they run through the storage from end to end, in pieces of the
    length of a line, and what was changed by neurons is written last.

    Args:
        wild: values may lie beyond their range before the epoch ends. Then it matters that the
            accumulator is clipped after each product, also after one that adds nothing.
        u_on: products of u act.
    """
    x, y, tx, ty, line = m.x, m.y, m.tx, m.ty, m.line
    x_first, y_first, first = rules.x_first, rules.y_first, rules.first
    begin, n_pre, n_post = wiring.group[r], wiring.n_pre[r], wiring.n_post[r]
    n_forms, epoch, first_slot = wiring.form[r + 1] - wiring.form[r], rules.epoch[r], wiring.slot[r]
    x0, y0 = x_first[begin], y_first[begin]
    n_slots_x = n_pre * (wiring.group[r + 1] - begin)
    n_slots_y = n_post * (wiring.group[r + 1] - begin)
    acc, value, term = line[0], line[1], line[2]
    at, place, met, profile = m.index[0], m.index[1], m.index[2], m.index[3]
    times, scale = m.scales[0], m.scales[1]
    through = u_on and not wild and wiring.form_plain[wiring.form[r]]
    all_pre = wild or (u_on and not through)
    n_columns = n_pre if all_pre else np.int64(pre.shape[0])
    n_rows = np.int64(0) if all_pre else np.int64(post.shape[0])
    n_pieces, n_held, piece = np.int64(0), np.int64(0), np.int64(line.shape[1])
    if through:
        low, high = wiring.indptr[wiring.column[r]], wiring.indptr[wiring.column[r] + n_pre]
        n_pieces = (high - low + piece - 1) // piece
    for number in range(n_columns + n_rows + n_pieces):
        is_piece = number >= n_columns + n_rows
        by_pre = number < n_columns or is_piece  # contiguous
        own = np.int64(0)
        if is_piece:
            pass
        elif by_pre:
            own = np.int64(number) if all_pre else np.int64(pre[number])
        else:
            own = np.int64(post[number - n_columns])
        for local_form in range(n_forms):
            form = wiring.form[r] + local_form
            head, gates = wiring.form_group[form], wiring.form_gates[form]
            members = wiring.form_member[wiring.form_ptr[form] : wiring.form_ptr[form + 1]]
            several = members.shape[0] > 1
            own_step = np.int64(0)
            if not is_piece:
                own_step = np.int64(tx[x_first[head] + own] if by_pre else ty[y_first[head] + own])
            if (own_step == 0 and not (all_pre or is_piece)) or not (
                by_pre or gates[3] & _BY_POST != 0
            ):
                continue
            runs, number_of = wiring.runs, wiring.run[r]
            if not by_pre:
                runs, number_of = wiring.row_runs, wiring.row_run[r]
            run = number_of + own * n_forms + local_form
            lo, hi = runs[run], runs[run + 1]
            if is_piece:
                lo = low + (number - n_columns - n_rows) * piece
                hi = min(lo + piece, high)
            n, n_met = hi - lo, np.int64(0)
            if n == 0:
                continue
            active = _BY_U if u_on else np.int64(0)
            if is_piece:
                pass
            elif by_pre:
                _slots_of(wiring.slots[lo:hi], first_slot, at)
                if gates[3] & _BY_POST != 0 and post.shape[0] > 0:
                    n_met = _met_in(at, n, ty[y0 : y0 + n_slots_y], met)
                active |= _BY_PRE if own_step > 0 else np.int64(0)
            else:
                n = _unsent(
                    wiring.row_place[lo:hi], wiring.row_slot[lo:hi], tx[x0 : x0 + n_slots_x],
                    place, at,
                )  # fmt: skip
                active |= _BY_POST
            if n == 0 or not (wild or n_met > 0 or gates[3] & active != 0):
                continue
            for k in range(3):
                if wiring.form_reads[form, k]:
                    values = m.weights if k == 0 else (m.tag_2 if k == 1 else m.tag_1)
                    if by_pre:
                        _copy(values[lo:hi], line[3 + k])
                    else:
                        _copy_at(values, place, n, line[3 + k])
            if several:
                if by_pre:
                    _copy(wiring.profile[lo:hi], profile)
                else:
                    _copy_at(wiring.profile, place, n, profile)
            for target in range(3):
                if gates[target] == 0:
                    continue
                of_met = n_met > 0 and gates[target] & _BY_POST != 0
                if not (wild or of_met or gates[target] & active != 0):
                    continue
                _start(line[3 + target], n, acc)
                for p in range(first[head, target], first[head, target + 1]):
                    gate, offset = rules.dependency[p], p - first[head, target]
                    if active >> gate & 1 != 0:
                        step = epoch if gate == 2 else own_step
                        for e in range(members.shape[0]):
                            g = members[e]
                            q = first[g, target] + offset
                            share = np.int32(rules.mantissa[q])
                            for f in range(rules.factors[p], rules.factors[p + 1]):
                                code, known = rules.variable[f], np.int64(0)
                                if code < 2 and by_pre:
                                    known = np.int64(x[step, code, x_first[g] + own])
                                elif 2 <= code < 5 and not by_pre:
                                    known = np.int64(y[step, code - 2, y_first[g] + own])
                                elif code == 5:
                                    known = np.int64(by_pre and own_step > 0)
                                elif code == 6 and not by_pre:
                                    known = np.int64(1)
                                else:
                                    continue
                                known += rules.constant[f]
                                known = min(max(known, -rules.limit[f]), rules.limit[f] - 1)
                                share = np.int32(np.int64(share) * known)
                            times[g - begin] = share
                            scale[g - begin] = np.int32(np.int64(1) << rules.left[q])
                        if several:
                            _spread(value, n, times, profile)
                        else:
                            _fill(value, n, times[head - begin])
                        for f in range(rules.factors[p], rules.factors[p + 1]):
                            code = rules.variable[f]
                            if code >= 7:
                                _multiply(
                                    value, n, line[code - 4], rules.constant[f], rules.sign[f],
                                    rules.limit[f],
                                )  # fmt: skip
                                continue
                            if code < 2 and not by_pre:
                                _look_up(x[step, code, x0 : x0 + n_slots_x], at, n, term)
                            elif 2 <= code < 5 and by_pre:
                                _look_up(y[step, code - 2, y0 : y0 + n_slots_y], at, n, term)
                            elif code == 6 and by_pre:
                                _flags(ty[y0 : y0 + n_slots_y], at, n, term)
                            else:
                                continue
                            _multiply(value, n, term, rules.constant[f], False, rules.limit[f])
                        if several:
                            _add_scaled_by(value, n, rules.right[p], scale, profile, acc)
                        else:
                            _add_scaled(value, n, rules.right[p], scale[head - begin], acc)
                    elif gate == 1 and n_met > 0:
                        for e in range(n_met):
                            q = np.int64(met[e])
                            slot = np.int64(at[q])
                            g = begin + np.int64(profile[q]) if several else head
                            product, step = first[g, target] + offset, np.int64(ty[y0 + slot])
                            result = np.int32(rules.mantissa[product])
                            for f in range(rules.factors[p], rules.factors[p + 1]):
                                code = rules.variable[f]
                                if code < 2:
                                    factor = np.int64(x[step, code, x_first[g] + own])
                                elif code < 5:
                                    factor = np.int64(y[step, code - 2, y0 + slot])
                                elif code < 7:
                                    factor = np.int64(code == 6 or own_step > 0)
                                else:
                                    factor = np.int64(line[code - 4, q])
                                factor += rules.constant[f]
                                if rules.sign[f]:
                                    factor = np.int64(factor > 0) - np.int64(factor < 0)
                                factor = min(max(factor, -rules.limit[f]), rules.limit[f] - 1)
                                result = np.int32(np.int64(result) * factor)
                            shifted = np.int64(np.int32(result >> np.int32(rules.right[product])))
                            change = clip_accumulator(np.int32(shifted << rules.left[product]))
                            acc[q] = clip_accumulator(np.int32(acc[q] + change))
                    if wild:
                        _clip(acc, n)
                if target == 0:
                    _round(
                        acc, n, rules.acc_low[r], rules.acc_high[r], rounding, rules.low[r],
                        rules.high[r],
                    )  # fmt: skip
                elif target == 1:
                    _round(acc, n, 0, ACC_MAX, rounding, 0, _DELAY_MAX)
                else:
                    _round(acc, n, ACC_MIN, ACC_MAX, rounding, _TAG_PINNED, _TAG_MAX)
                    if _least(acc, n) == _TAG_PINNED:
                        m.pinned[r] = True
                values = m.weights if target == 0 else (m.tag_2 if target == 1 else m.tag_1)
                if through and not is_piece and gates[target] & _BY_U != 0:
                    _store(acc, m.held[target, n_held : n_held + n])
                elif by_pre:
                    _store(acc, values[lo:hi])
                else:
                    _store_at(acc, n, place, values)
            if through and not is_piece:
                _note_places(by_pre, lo, place, m.held_place[n_held : n_held + n])
                n_held += n
    for target in range(3):
        if n_held > 0 and wiring.form_gates[wiring.form[r], target] & _BY_U != 0:
            values = m.weights if target == 0 else (m.tag_2 if target == 1 else m.tag_1)
            for e in range(n_held):
                values[np.uint64(m.held_place[e])] = m.held[target, e]


@jit
def _note_places(contiguous: Any, first: Any, place: Any, places: Any) -> None:
    if contiguous:
        for q in range(places.shape[0]):
            places[q] = np.uint32(first + q)
    else:
        for q in range(places.shape[0]):
            places[q] = place[q]


@jit
def _slots_of(slots: Any, first: Any, at: Any) -> None:
    start = np.uint32(first)
    for q in range(slots.shape[0]):
        at[q] = np.uint32(slots[q]) - start


@jit
def _met_in(at: Any, n: Any, ty: Any, met: Any) -> Any:
    """Places in a column whose postsynaptic neuron spiked; how many."""
    count: Any = np.uint64(0)
    for q in range(n):
        met[count] = q
        count = count + np.uint64(ty[np.uint64(at[q])] != 0)
    return np.int64(count)


@jit
def _unsent(places: Any, slots: Any, tx: Any, place: Any, at: Any) -> Any:
    """Places and slots of a row whose presynaptic neuron did not spike; how many."""
    count: Any = np.uint64(0)
    for q in range(places.shape[0]):
        slot = np.uint64(slots[q])
        place[count], at[count] = places[q], slot
        count = count + np.uint64(tx[slot] == 0)
    return np.int64(count)


@jit
def _copy(values: Any, result: Any) -> None:
    for q in range(values.shape[0]):
        result[q] = values[q]


@jit
def _copy_at(values: Any, place: Any, n: Any, result: Any) -> None:
    for q in range(n):
        result[q] = values[np.uint64(place[q])]


@jit
def _store(result: Any, values: Any) -> None:
    for q in range(values.shape[0]):
        values[q] = np.int16(result[q])


@jit
def _store_at(result: Any, n: Any, place: Any, values: Any) -> None:
    for q in range(n):
        values[np.uint64(place[q])] = np.int16(result[q])


@jit
def _start(old: Any, n: Any, acc: Any) -> None:
    """Values before the epoch's end in the accumulator."""
    for q in range(n):
        acc[q] = np.int32(old[q] << ACCUMULATOR_SHIFT)


@jit
def _fill(value: Any, n: Any, one: Any) -> None:
    for q in range(n):
        value[q] = one


@jit
def _spread(value: Any, n: Any, times: Any, profile: Any) -> None:
    for q in range(n):
        value[q] = times[np.uint64(profile[q])]


@jit
def _look_up(trace: Any, at: Any, n: Any, term: Any) -> None:
    for q in range(n):
        term[q] = np.int32(trace[np.uint64(at[q])])


@jit
def _flags(times: Any, at: Any, n: Any, term: Any) -> None:
    for q in range(n):
        term[q] = np.int32(times[np.uint64(at[q])] != 0)


@jit
def _multiply(value: Any, n: Any, term: Any, constant: Any, sign: Any, limit: Any) -> None:
    """Multiply by ``term + constant``, cut to the width of a factor, or by its sign."""
    added, low, high = np.int32(constant), np.int32(-limit), np.int32(limit - 1)
    if sign:
        for q in range(n):
            total = np.int32(term[q] + added)
            value[q] = np.int32(value[q] * np.int32(np.int32(total > 0) - np.int32(total < 0)))
    else:
        for q in range(n):
            total = min(max(np.int32(term[q] + added), low), high)
            value[q] = np.int32(value[q] * total)


@jit
def _add_scaled(value: Any, n: Any, right: Any, scale: Any, acc: Any) -> None:
    """Add a product at the accumulator's width: shifted right, then left; clipped twice."""
    less, low, high = np.int32(right), np.int32(ACC_MIN), np.int32(ACC_MAX)
    for q in range(n):
        change = np.int32(np.int32(value[q] >> less) * scale)
        acc[q] = min(max(np.int32(acc[q] + min(max(change, low), high)), low), high)


@jit
def _add_scaled_by(value: Any, n: Any, right: Any, scale: Any, profile: Any, acc: Any) -> None:
    """The same with a left shift of each group's own."""
    less, low, high = np.int32(right), np.int32(ACC_MIN), np.int32(ACC_MAX)
    for q in range(n):
        change = np.int32(np.int32(value[q] >> less) * scale[np.uint64(profile[q])])
        acc[q] = min(max(np.int32(acc[q] + min(max(change, low), high)), low), high)


@jit
def _clip(acc: Any, n: Any) -> None:
    for q in range(n):
        acc[q] = clip_accumulator(acc[q])


@jit
def _round(
    acc: Any, n: Any, acc_low: Any, acc_high: Any, rounding: Any, low: Any, high: Any
) -> None:
    """Accumulators to values: sign, rounding, limits."""
    least, most, up = np.int32(acc_low), np.int32(acc_high), np.int32(rounding)
    bottom, top = np.int32(low), np.int32(high)
    for q in range(n):
        total = min(max(acc[q], least), most)
        acc[q] = min(max(np.int32(np.int32(total + up) >> np.int32(7)), bottom), top)


@jit
def _least(acc: Any, n: Any) -> Any:
    least = acc[0]
    for q in range(n):
        least = min(least, acc[q])
    return least
