"""Changes of synapses at the end of an epoch (numba), for `learning_kernels`.

Pair rules (`Rules.simple`) take a fast way: the change by a presynaptic spike depends on the
postsynaptic neuron alone and the other way round, so it is worked out once a neuron and epoch.
Rounding is integer arithmetic: ``floor(a / 128) + (r < a / 128 mod 1)`` with one r for all
synapses is ``(a + 127 - floor(128 r)) >> 7``.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from hrsnn_lava.sim_backends.native.kernels import _OPTIONS, _jit, _Kernel


def _inline(function: _Kernel) -> _Kernel:
    """Compile a function into those that call it."""
    compiled: _Kernel = numba.njit(inline="always", **_OPTIONS)(function)
    return compiled


_ACC_MIN, _ACC_MAX = -(2**15) - 1, 2**15 - 1
_TAG_PINNED = -257  # a tag that the next epoch moves, whatever the spikes do


@_jit
def _raised(value: Any, impulse: Any, part: Any, random: Any) -> Any:
    """A trace plus its impulse in 7 bits, the fraction rounded stochastically."""
    up = np.int64(value) + impulse + (1 if random < part else 0)
    return np.uint8(min(up, 127))


@_jit
def _clipped(value: Any) -> Any:
    return min(max(value, _ACC_MIN), _ACC_MAX)


@_jit
def _scaled(value: Any, right: Any, left: Any) -> Any:
    """A product of factors and mantissa (int32) at the accumulator's width, clipped."""
    shifted = np.int32(np.int32(value) >> np.int32(right))
    return _clipped(np.int32(np.int64(shifted) << left))


@_jit
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
    low, high = np.int32(_ACC_MIN), np.int32(_ACC_MAX)
    for i in range(n):
        value = np.int32(np.int64(np.int32(values[i] >> right)) << left)
        values[i] = min(max(value, low), high)


@_inline
def learn_pairs(
    r: Any, rounding: Any, pre: Any, post: Any, wiring: Any, rules: Any, m: Any
) -> None:
    """Pair rules. Synapses of which both neurons spiked are worked out first and written last."""
    begin, end = wiring.group[r], wiring.group[r + 1]
    n_pre, n_post = wiring.n_pre[r], wiring.n_post[r]
    for g in range(begin, end):
        _tables(g, pre, post, n_pre, n_post, rules, m)
    held = _learn_rows(r, post, rounding, wiring, rules, m)
    _learn_columns(r, pre, rounding, wiring, rules, m)
    for e in range(held):
        m.weights[m.held_place[e]] = m.held_weight[e]


@_jit
def _rounded(total: Any, acc_low: Any, acc_high: Any, up: Any, low: Any, high: Any) -> Any:
    """An accumulator (int32) to a weight: sign, rounding, limits."""
    total = min(max(np.int32(total), acc_low), acc_high)
    return min(max(np.int32(np.int32(total + up) >> np.int32(7)), low), high)


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
    held_place, held_weight, held = m.held_place, m.held_weight, 0
    for i in post:
        change = from_post[ty[y0 + i], x0:]
        lo, hi = np.uint64(row_ptr[base + i]), np.uint64(row_ptr[base + i + 1])
        places, neurons = row_place[lo:hi], row_pre[lo:hi]
        for e in range(places.shape[0]):
            q, j = np.uint64(places[e]), np.uint64(neurons[e])
            g = np.uint64(0) if single else np.uint64(profile[q])
            added = change[g * np.uint64(n_pre) + j]
            total = np.int32(weights[q]) * np.int32(128)
            if tx[j] == 0:
                total = np.int32(total + added)
                weights[q] = _rounded(total, acc_low, acc_high, up, low, high)
                continue
            other = from_pre[tx[j], y0 + np.int64(g) * n_post + i]
            both = total + (other if x_before_y else added)
            both = _clipped(np.int64(both)) + (added if x_before_y else other)
            held_place[held] = q
            held_weight[held] = _rounded(_clipped(both), acc_low, acc_high, up, low, high)
            held += 1
    return held


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
                total = np.int32(np.int32(weights[q]) * np.int32(128) + added)
                weights[q] = _rounded(total, acc_low, acc_high, up, low, high)
        else:
            for q in range(targets.shape[0]):
                added = change[np.uint64(profile[q]) * n_post + np.uint64(targets[q]) - first]
                total = np.int32(np.int32(weights[q]) * np.int32(128) + added)
                weights[q] = _rounded(total, acc_low, acc_high, up, low, high)


@_inline
def _tables(g: Any, pre: Any, post: Any, n_pre: Any, n_post: Any, rules: Any, m: Any) -> None:
    """Changes by a spike in step k of the epoch, for the steps in which there were spikes."""
    x0, y0 = rules.x_first[g], rules.y_first[g]
    done = np.uint64(0)
    for j in pre:
        done |= np.uint64(1) << np.uint64(m.tx[x0 + j])
    for k in range(1, m.x.shape[0]):
        if done >> np.uint64(k) & np.uint64(1):
            m.from_pre[k, y0 : y0 + n_post] = 0
            for product in range(rules.first[g, 0], rules.first[g, 1]):
                if rules.dependency[product] == 0:
                    _per_neuron(product, m.y, 2, y0, n_post, k, rules, m.from_pre)
    done = np.uint64(0)
    for i in post:
        done |= np.uint64(1) << np.uint64(m.ty[y0 + i])
    for k in range(1, m.x.shape[0]):
        if done >> np.uint64(k) & np.uint64(1):
            m.from_post[k, x0 : x0 + n_pre] = 0
            for product in range(rules.first[g, 0], rules.first[g, 1]):
                if rules.dependency[product] == 1:
                    _per_neuron(product, m.x, 0, x0, n_pre, k, rules, m.from_post)


@_jit
def learn_all(r: Any, u_on: Any, rounding: Any, wiring: Any, rules: Any, m: Any) -> None:
    """Every synapse."""
    for j in range(wiring.n_pre[r]):
        _learn_line(r, j, True, u_on, rounding, wiring, rules, m)


@_jit
def learn_events(
    r: Any, rounding: Any, pre: Any, post: Any, wiring: Any, rules: Any, m: Any
) -> None:
    """Synapses of which a neuron spiked in the epoch."""
    for j in pre:
        _learn_line(r, j, True, False, rounding, wiring, rules, m)
    for i in post:
        _learn_line(r, i, False, False, rounding, wiring, rules, m)


@_jit
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
            total = np.int64(np.int32(old << 7))
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
                weights[q] = min(max((total + rounding) >> 7, low), high)
            elif target == 1:
                delays[q] = min((max(total, 0) + rounding) >> 7, 255)
            else:
                tags[q] = min(max((total + rounding) >> 7, _TAG_PINNED), 255)
                if tags[q] == _TAG_PINNED:
                    m.pinned[r] = True
