"""Learning projections as the flat arrays that the kernels read.

All projections lie one after the other. A *group* is one rule of one projection: it has traces of
its own for every neuron, at ``x_first[g] + j`` and ``y_first[g] + i``. Synapses are stored by
presynaptic neuron; an index by postsynaptic neuron finds them the other way round.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from hrsnn_lava.chip_learning import TARGETS, TRACES, LearningRule, Product
from hrsnn_lava.sim_backends.learning_program import (
    TABLE_SIZE,
    WIDTH,
    Plastic,
    decay_tables,
    impulse_parts,
    right_shift,
    scale,
    traces_read,
)

MODES = ("regular", "overwrite", "add_saturating", "add_overflow")
#: Codes of variables in a factor: traces 0..4, then these.
CODES = {name: code for code, name in enumerate((*TRACES, "x0", "y0", "w", "d", "t"))}
DEPENDENCIES = {"x0": 0, "y0": 1, "u": 2}


class Wiring(NamedTuple):
    """Sizes and places of R projections, and their S synapses.

    `source`, `n_pre`, `target`, `n_post` (R,); `column`, `row` (R,): first column and row of each
    in `indptr` and `row_ptr`; `group` (R + 1,): its groups. `targets` (S,) global, `profile` (S,)
    local group. Rows: `row_place` (S,) where a synapse is stored, `row_pre` its local neuron.
    """

    source: Any
    n_pre: Any
    target: Any
    n_post: Any
    column: Any
    row: Any
    group: Any
    indptr: Any
    targets: Any
    profile: Any
    row_ptr: Any
    row_place: Any
    row_pre: Any


class Rules(NamedTuple):
    """What the projections (R,) and their G groups do.

    `epoch`, `factor` (weights times this) and `shift` (the sum is shifted right by it), `graded`,
    `mode` (index into `MODES`), `low`, `high` of weights, `acc_low`, `acc_high` of their
    accumulators, `decimate` (k of u<k>, -1 without), `has_u`, `simple` (0: any rule; 1 or 2: pair
    rules that read one array an event, with the x0 or the y0 product first). Groups: `x_first`,
    `y_first` (G,), `whole`, `fraction` (G, 5, 256), `used` (G, 5), `impulse`, `part` (G, 5).
    Products: `first` (G, 4) into `dependency`, `mantissa`, `right`, `left`, `factors` (P + 1,);
    factors: `variable`, `constant`, `sign`, `limit`.
    """

    epoch: Any
    factor: Any
    shift: Any
    graded: Any
    mode: Any
    low: Any
    high: Any
    acc_low: Any
    acc_high: Any
    decimate: Any
    has_u: Any
    simple: Any
    x_first: Any
    y_first: Any
    whole: Any
    fraction: Any
    used: Any
    impulse: Any
    part: Any
    first: Any
    dependency: Any
    mantissa: Any
    right: Any
    left: Any
    factors: Any
    variable: Any
    constant: Any
    sign: Any
    limit: Any


class Memory(NamedTuple):
    """What changes. Row 0 of `x` (T + 1, 2, NX) and `y` (T + 1, 3, NY) are the traces; the others
    their history in an epoch. `tx`, `ty`: step of the last spike in the epoch, 0 for none.
    `pending` (n,): what arrives in the next step. `pinned` (R,): a tag lies beyond its range.
    `pre`, `post`: neurons that spiked in the epoch, with counts (R,) and flags. The rest is
    scratch.
    """

    weights: Any
    tag_1: Any
    tag_2: Any
    x: Any
    y: Any
    tx: Any
    ty: Any
    pending: Any
    pinned: Any
    pre: Any
    pre_count: Any
    pre_on: Any
    post: Any
    post_count: Any
    post_on: Any
    payload: Any
    partial: Any
    decayed: Any
    from_pre: Any
    from_post: Any
    held_place: Any
    held_weight: Any
    step_pre: Any
    step_post: Any


class Draws(NamedTuple):
    """Random numbers of R projections (R, steps); see `Streams`."""

    x_decay: Any
    x_impulse: Any
    y_decay: Any
    y_impulse: Any
    y_repeat: Any
    synapse: Any


def _starts(sizes: list[int]) -> Any:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def wiring_of(plastic: tuple[Plastic, ...], orders: list[Any], n_neurons: int) -> Wiring:
    index = np.uint16 if n_neurons <= 2**16 else np.uint32
    widest = max((p.n_pre for p in plastic), default=0)
    pre_index = np.uint16 if widest <= 2**16 else np.uint32
    columns, rows = _starts([p.n_pre for p in plastic]), _starts([p.n_post for p in plastic])
    base = _starts([o.size for o in orders])
    empty = [np.zeros(0, dtype=np.int64)]
    targets, profile, places, pres = list(empty), list(empty), list(empty), list(empty)
    per_column, per_row = list(empty), list(empty)
    for p, order, first in zip(plastic, orders, base, strict=False):
        row, col = p.rows[order], p.cols[order]
        back = np.lexsort((col, row))
        targets.append(row + p.target)
        profile.append(p.profile[order])
        places.append(back + first)
        pres.append(col[back])
        per_column.append(np.bincount(col, minlength=p.n_pre))
        per_row.append(np.bincount(row, minlength=p.n_post))
    source, n_pre, target, n_post = (
        np.array([getattr(p, f) for p in plastic], dtype=np.int64)
        for f in ("source", "n_pre", "target", "n_post")
    )
    return Wiring(
        source,
        n_pre,
        target,
        n_post,
        columns[:-1],
        rows[:-1],
        _starts([len(p.rules) for p in plastic]),
        _starts(np.concatenate(per_column).tolist()),
        np.concatenate(targets).astype(index),
        np.concatenate(profile).astype(np.uint16),
        _starts(np.concatenate(per_row).tolist()),
        np.concatenate(places).astype(np.uint32),
        np.concatenate(pres).astype(pre_index),
    )


def rules_of(plastic: tuple[Plastic, ...]) -> Rules:
    groups = [(p, rule) for p in plastic for rule in p.rules]
    tables = np.zeros((len(groups), len(TRACES), 2, TABLE_SIZE))
    used = np.zeros((len(groups), len(TRACES)), dtype=np.bool_)
    impulses = np.zeros((2, len(groups), len(TRACES)), dtype=np.int64)
    for g, (p, rule) in enumerate(groups):
        read = traces_read(rule, p.graded_spikes)
        for k, name in enumerate(TRACES):
            trace = getattr(rule, name)
            tables[g, k] = decay_tables(trace.tau)
            impulses[:, g, k] = impulse_parts(trace.impulse)
            used[g, k] = name in read
    exponents = np.array([p.weight_exp for p in plastic], dtype=np.int64)
    limits = np.array([p.sign_mode.limits for p in plastic]).reshape(-1, 2)
    acc = np.array([p.accumulator_limits for p in plastic]).reshape(-1, 2)
    decimate = [p.rules[0].decimate_exponent for p in plastic]
    has_u = [not all(rule.event_driven for rule in p.rules) for p in plastic]
    parts: list[Any] = [
        np.array([p.t_epoch for p in plastic], dtype=np.int64),
        1 << np.maximum(exponents, 0),
        np.maximum(-exponents, 0),
        np.array([p.graded for p in plastic], dtype=np.bool_),
        np.array([MODES.index(p.graded_spikes) for p in plastic], dtype=np.int64),
        *(a.astype(np.int64) for a in (limits[:, 0], limits[:, 1], acc[:, 0], acc[:, 1])),
        np.array([-1 if k is None else k for k in decimate], dtype=np.int64),
        np.array(has_u, dtype=np.bool_),
        np.array([_simple(p) for p in plastic], dtype=np.int64),
        _starts([p.n_pre for p, _ in groups])[:-1],
        _starts([p.n_post for p, _ in groups])[:-1],
        np.ascontiguousarray(tables[:, :, 0]),
        np.ascontiguousarray(tables[:, :, 1]),
        used,
        *impulses,
        *_products([rule for _, rule in groups]),
    ]
    return Rules(*parts)


def _simple(plastic: Plastic) -> int:
    """1 or 2 for rules of the pair kind, whose change is one number a neuron; see `Rules`.

    That is: weights alone change, by at most one product x0 * (y traces) and at most one product
    y0 * (x traces), in the same order in all rules.
    """
    orders = set()
    for rule in plastic.rules:
        kinds = [_kind(product) for product in rule.dw]
        if rule.dd or rule.dt or "" in kinds or len(set(kinds)) != len(kinds):
            return 0
        if len(kinds) == 2:
            orders.add(kinds[0])
    if len(orders) > 1 or plastic.graded_spikes == "add_overflow":
        return 0
    return 2 if orders == {"y0"} else 1


def _kind(product: Product) -> str:
    """The dependency, if all factors are traces of the other side; otherwise an empty text."""
    other = {"x0": "y", "y0": "x"}.get(product.dependency, "")
    traces = all(f.variable in TRACES and f.variable[0] == other for f in product.factors)
    return product.dependency if other and traces else ""


def _products(rules: list[LearningRule]) -> list[Any]:
    """Products of all groups in the order of `TARGETS`, and their factors."""
    first = np.zeros((len(rules), len(TARGETS) + 1), dtype=np.int64)
    products: list[Product] = []
    for g, rule in enumerate(rules):
        for k, target in enumerate(TARGETS):
            first[g, k] = len(products)
            products += getattr(rule, target)
        first[g, -1] = len(products)
    factors = [factor for product in products for factor in product.factors]
    scales = [scale(product) for product in products]

    def column(values: list[int]) -> Any:
        return np.array(values, dtype=np.int64)

    return [
        first,
        column([DEPENDENCIES[p.dependency] for p in products]),
        column([mantissa for mantissa, _ in scales]),
        column([min(right_shift(p), 31) for p in products]),
        column([exponent + 7 for _, exponent in scales]),
        _starts([len(p.factors) for p in products]),
        column([CODES[f.variable] for f in factors]),
        column([f.constant for f in factors]),
        np.array([f.sign for f in factors], dtype=np.bool_),
        column([2 ** WIDTH[f.variable] for f in factors]),
    ]


def memory_of(plastic: tuple[Plastic, ...], wiring: Wiring, rules: Rules, n: int) -> Memory:
    size, count = wiring.targets.size, len(plastic)
    depth = int(rules.epoch.max(initial=0)) + 1
    n_x = int((wiring.n_pre * np.diff(wiring.group)).sum())
    n_y = int((wiring.n_post * np.diff(wiring.group)).sum())
    n_pre, n_post = int(wiring.n_pre.sum()), int(wiring.n_post.sum())
    zeros = np.zeros
    return Memory(
        weights=zeros(size, np.int16),
        tag_1=zeros(size, np.int16),
        tag_2=zeros(size, np.int16),
        x=zeros((depth, 2, n_x), np.uint8),
        y=zeros((depth, 3, n_y), np.uint8),
        tx=zeros(n_x, np.uint8),
        ty=zeros(n_y, np.uint8),
        pending=zeros(n, np.int32),
        pinned=zeros(count, np.bool_),
        pre=zeros(n_pre, np.int32),
        pre_count=zeros(count, np.int64),
        pre_on=zeros(n_pre, np.bool_),
        post=zeros(n_post, np.int32),
        post_count=zeros(count, np.int64),
        post_on=zeros(n_post, np.bool_),
        payload=zeros(int(wiring.n_pre.max(initial=0)), np.int64),
        partial=zeros(n, np.int64),
        decayed=zeros(TABLE_SIZE, np.uint8),
        from_pre=zeros((depth, n_y), np.int32),
        from_post=zeros((depth, n_x), np.int32),
        held_place=zeros(size + 1, np.uint32),
        held_weight=zeros(size, np.int16),
        step_pre=zeros(int(wiring.n_post.max(initial=0)), np.int16),
        step_post=zeros(int(wiring.n_pre.max(initial=0)), np.int16),
    )
