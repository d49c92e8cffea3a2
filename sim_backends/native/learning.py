"""The learning of a network in flat arrays: wiring, rules, state, and the random numbers of a run.

All projections lie one after the other. A *group* is one rule of one projection: it has traces of
its own for every neuron, at ``x_first[g] + j`` and ``y_first[g] + i``. Synapses are stored by
presynaptic neuron; an index by postsynaptic neuron finds them the other way round.

Projections that learn alike become one: half the columns to visit, and traces kept once. Two are
alike when they come from the same neurons, go to neighbouring populations and follow equal rules
with the same random streams: then their presynaptic traces are the same numbers, and every synapse
does what it did before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from hrsnn_lava.chip_learning import (
    POST_TRACES,
    PRE_TRACES,
    TARGETS,
    TRACES,
    LearningRule,
    Product,
)
from hrsnn_lava.errors import ArtifactError
from hrsnn_lava.integer_format import ACCUMULATOR_SHIFT, INITIAL_TAG_RANGES, TRACE_VALUES
from hrsnn_lava.sim_backends.learning_program import (
    WIDTH,
    Arrays,
    Int,
    Plastic,
    Streams,
    decay_tables,
    impulse_parts,
    kept_share,
    right_shift,
    scale,
    traces_read,
)
from hrsnn_lava.sim_backends.native.learning_forms import DEPENDENCIES, form_tables, forms_of
from hrsnn_lava.sim_backends.state import SYNAPTIC, learning_arrays, learning_values

_BLOCK = 1024  # steps for which random numbers are drawn at least
MODES = ("regular", "overwrite", "add_saturating", "add_overflow")
#: Codes of variables in a factor: traces 0..4, then these.
CODES = {name: code for code, name in enumerate((*TRACES, "x0", "y0", "w", "d", "t"))}


class Wiring(NamedTuple):
    """Sizes and places of R projections, and their S synapses.

    `source`, `n_pre`, `target`, `n_post` (R,); `column`, `row` (R,): first column and row of each
    in `indptr` and `row_ptr`; `group` (R + 1,): its groups. `targets` (S,) global, `profile` (S,)
    local group. Rows: `row_place` (S,) where a synapse is stored.

    Slots number the neurons of one side group by group: `row_slot` (S,) is ``profile n_pre + pre``,
    `slots` (S,) less `slot` (R,) is ``profile n_post + post``. With one group everywhere `slots`
    are `targets`.

    Forms (see `learning_lines`): `form` (R + 1,): those of each projection; `form_group` (F,) first
    group of each, `form_ptr` (F + 1,) into `form_member`, its groups; `form_gates` (F, 4): bits of
    the dependencies x0, y0, u of products of dw, dd, dt, and of any; `form_reads` (F, 3): w, d, t
    are read or change; `form_plain` (F,): the only form of its projection, whose products of u read
    nothing but w, d and t. A line lies form by form: `runs` and `row_runs` hold where each piece
    begins, from `run` and `row_run` (R,) on.
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
    row_slot: Any
    slots: Any
    slot: Any
    form: Any
    form_group: Any
    form_ptr: Any
    form_member: Any
    form_gates: Any
    form_reads: Any
    form_plain: Any
    runs: Any
    run: Any
    row_runs: Any
    row_run: Any


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
    step: Any
    met: Any
    step_of: Any
    line: Any
    index: Any
    scales: Any
    held: Any
    held_place: Any


class Factors(NamedTuple):
    """What arrives at y1, y2 and y3 of the projections with a third factor, in Q pieces.

    Pieces: `first` (R + 1,): those of each projection, none with two factors; `three` (R,): has a
    third factor; `silent` (R,): its postsynaptic spikes do not come back; `trace` (0..2), `delay`
    (-1: the same step), `factor` (sums times this), `shift` (sums shifted right by it), `graded`
    (Q,). `indptr` (Q, n_sources + 1), `targets` (local), `weights`: their columns. `keep` (G, 3):
    share that a step keeps, `read` (G, 3). `received` (3, NY) int32: what arrived in the last step.
    """

    first: Any
    three: Any
    silent: Any
    trace: Any
    delay: Any
    factor: Any
    shift: Any
    graded: Any
    indptr: Any
    targets: Any
    weights: Any
    keep: Any
    read: Any
    received: Any


class Draws(NamedTuple):
    """Random numbers of R projections (R, steps); see `Streams`."""

    x_decay: Any
    x_impulse: Any
    y_decay: Any
    y_impulse: Any
    y_repeat: Any
    synapse: Any


class LearningState:
    """Flat arrays of the learning projections of a network of `n_neurons`, at their start.

    The arrays are those of `merge`d projections; what comes out and goes in is per projection.

    Attributes:
        wiring, rules, memory: what the kernels read and write.
        factors: third factors, None where no rule has one.
        pairs: `learning_pairs` runs it, not `learning_kernels`.
        shared: what never changes and a twin may share.
    """

    def __init__(self, plastic: tuple[Plastic, ...], n_neurons: int) -> None:
        self.plastic = plastic
        self._merged, self._part_of = merge(plastic)
        # by pre, then form, then post
        orders = [np.lexsort((p.rows, forms_of(p)[p.profile], p.cols)) for p in self._merged]
        self.wiring = wiring_of(self._merged, orders, n_neurons)
        self.rules = rules_of(self._merged)
        self.pairs = all(_every_step(p) for p in self._merged) and bool(self.rules.simple.all())
        self.factors = factors_of(self._merged, self.rules)
        self.memory = memory_of(self.wiring, self.rules, n_neurons, self.factors)
        self._places = self._find(orders)
        self.shared = (plastic, self._merged, self._part_of, self.wiring, self.rules, self._places)
        self._streams: list[Streams] = []
        self.reset()

    def _find(self, orders: list[Any]) -> list[Any]:
        """Where the synapses of each projection are stored, (S,) each, in its own order."""
        places = []
        first = 0
        for order in orders:
            places.append(np.empty(order.size, dtype=np.int64))
            places[-1][order] = np.arange(first, first + order.size)
            first += order.size
        return [
            places[part.index][part.synapse : part.synapse + p.rows.size]
            for p, part in zip(self.plastic, self._part_of, strict=True)
        ]

    def reset(self) -> None:
        """Initial weights and tags, no trace, nothing on its way."""
        for name in SYNAPTIC:
            for p, place in zip(self.plastic, self._places, strict=True):
                getattr(self.memory, name)[place] = getattr(p, name)
        self.rest()
        self.memory.pinned[...] = False

    def rest(self) -> None:
        """Weights and tags as they are, no trace, nothing on its way."""
        memory = self.memory
        for name in ("x", "y", "tx", "ty", "pending", "pinned"):
            getattr(memory, name)[...] = 0
        if self.factors is not None:
            self.factors.received[:] = 0
        for k, place in enumerate(self._places):
            self._pin(k, memory.tag_1[place])
        self._list_active()

    def arrays(self, first: int, n_steps: int) -> tuple[Wiring, Rules, Memory, Draws]:
        """What the kernels take, with the random numbers of `n_steps` steps from `first` on."""
        streams = self._streams
        end = first + n_steps
        if (
            not streams
            or first < streams[0].first
            or end > streams[0].first + streams[0].synapse.size
        ):
            count = max(n_steps, _BLOCK)
            self._streams = streams = [Streams.of(p.rules[0], first, count) for p in self._merged]
        part = slice(first - streams[0].first, end - streams[0].first)
        draws = Draws(*(np.stack([getattr(s, f)[part] for s in streams]) for f in Draws._fields))
        return self.wiring, self.rules, self.memory, draws

    def snapshot(self) -> dict[str, Int]:
        """A copy of the state, as `hrsnn_lava.sim_backends.state` names and shapes it."""
        memory = self.memory
        arrays = {"pending": memory.pending.copy()}
        for k, (p, place) in enumerate(zip(self.plastic, self._places, strict=True)):
            pre, post = self._neurons(k, "x"), self._neurons(k, "y")
            values = {name: getattr(memory, name)[place] for name in SYNAPTIC}
            values |= {"x": memory.x[0][:, pre].swapaxes(0, 1), "tx": memory.tx[pre]}
            values |= {"y": self._y(k)[:, post].swapaxes(0, 1), "ty": memory.ty[post]}
            arrays |= learning_arrays(k, p, values)
        return arrays

    def restore(self, arrays: Arrays) -> None:
        """Go to a state that `snapshot` returned, or one of the same form.

        Raises:
            ArtifactError: a spike lies outside the epoch, or projections disagree about the same
                trace: no run reaches that.
        """
        memory, epoch = self.memory, self.memory.x.shape[0] - 1
        memory.pending[:] = arrays["pending"]
        memory.pinned[:] = False
        states = [learning_values(k, arrays) for k in range(len(self.plastic))]
        for k, (state, place) in enumerate(zip(states, self._places, strict=True)):
            for name in SYNAPTIC:
                getattr(memory, name)[place] = state[name]
            self._pin(k, state["tag_1"])
            pre, post = self._neurons(k, "x"), self._neurons(k, "y")
            memory.tx[pre], memory.ty[post] = state["tx"], state["ty"]
            memory.x[0][:, pre] = state["x"].swapaxes(0, 1)
            self._y(k)[:, post] = state["y"].swapaxes(0, 1)
        for k, state in enumerate(states):
            pre = self._neurons(k, "x")
            inside = max(state["tx"].max(initial=0), state["ty"].max(initial=0)) <= epoch
            same = np.array_equal(memory.x[0][:, pre].swapaxes(0, 1), state["x"])
            if not (inside and same and np.array_equal(memory.tx[pre], state["tx"])):
                raise ArtifactError("the learning state holds values that no run reaches")
        self._list_active()

    def _pin(self, k: int, tag_1: Int) -> None:
        """Mark the projection where a tag is below its range: it moves in the next epoch even if
        nothing happens."""
        below_range = np.any(tag_1 < INITIAL_TAG_RANGES["tag_1"][0])
        self.memory.pinned[self._part_of[k].index] |= below_range

    def _y(self, k: int) -> Any:
        """Where y1, y2 and y3 of projection k are as they are now, (3, NY)."""
        factors = self.factors
        three = factors is not None and self.plastic[k].factor is not None
        return factors.received if factors is not None and three else self.memory.y[0]

    def _neurons(self, k: int, side: str) -> Any:
        """Where the traces of projection k are on one side, (P, n_pre) or (P, n_post)."""
        p, part = self.plastic[k], self._part_of[k]
        first, size = self.rules.x_first, p.n_pre
        row = 0
        if side == "y":
            first, size, row = self.rules.y_first, p.n_post, part.row
        begin = self.wiring.group[part.index]
        starts = first[begin : begin + len(p.rules)] + row
        return starts[:, None] + np.arange(size)

    def learned(self) -> dict[str, Int]:
        """Weights, and tags that can change, as in `Trace.weights`."""
        result: dict[str, Int] = {}
        for plastic, place in zip(self.plastic, self._places, strict=True):
            values = (getattr(self.memory, name)[place].astype(np.int32) for name in SYNAPTIC)
            result |= plastic.learned(*values)
        return result

    def traces(self) -> dict[str, Int]:
        """Entries of `Trace.traces`."""
        result: dict[str, Int] = {}
        for k, plastic in enumerate(self.plastic):

            def read(rule: int, name: str, k: int = k) -> Any:
                side = "x" if name in PRE_TRACES else "y"
                rows = self.memory.x[0] if side == "x" else self._y(k)
                return rows[int(name[1]) - 1][self._neurons(k, side)[rule]]

            result |= plastic.traces(read)
        return result

    def _list_active(self) -> None:
        """Lists of the neurons that spiked in this epoch, from the times of their spikes."""
        wiring, rules, memory = self.wiring, self.rules, self.memory
        for r in range(len(self._merged)):
            groups = range(wiring.group[r], wiring.group[r + 1])
            for n, first, times, base, flags, active, count in (
                (
                    wiring.n_pre[r],
                    rules.x_first,
                    memory.tx,
                    wiring.column[r],
                    memory.pre_on,
                    memory.pre,
                    memory.pre_count,
                ),
                (
                    wiring.n_post[r],
                    rules.y_first,
                    memory.ty,
                    wiring.row[r],
                    memory.post_on,
                    memory.post,
                    memory.post_count,
                ),
            ):
                on = np.any([times[first[g] : first[g] + n] > 0 for g in groups], axis=0)
                who = np.flatnonzero(on)
                flags[base : base + n] = on
                active[base : base + who.size] = who
                count[r] = who.size


def _every_step(plastic: Plastic) -> bool:
    """True when `learning_pairs` runs a projection whose rules are of the pair kind."""
    regular = plastic.graded_spikes == "regular" and not plastic.graded
    single = len(plastic.rules) == 1 and len(plastic.rules[0].dw) > 0
    plain = regular and plastic.factor is None
    return plain and single and plastic.t_epoch == 1 and plastic.weight_exp >= 0


#: Fields of a projection by synapse, and those that projections which learn alike agree in.
_PER_SYNAPSE = (*SYNAPTIC, "profile", "cols")
_ALIKE = ("source", "n_pre", "rules", "graded_spikes", "graded", "weight_exp", "sign_mode")


@dataclass(frozen=True)
class Part:
    """Where a projection went: `index` of the merged one, its first row and synapse there."""

    index: int
    row: int
    synapse: int


def merge(plastic: tuple[Plastic, ...]) -> tuple[tuple[Plastic, ...], tuple[Part, ...]]:
    """Merged projections, and for every given one where it is among them."""
    merged: list[list[int]] = []
    for k in sorted(range(len(plastic)), key=lambda k: (plastic[k].source, plastic[k].target)):
        for group in merged:
            last = plastic[group[-1]]
            if _alike(last, plastic[k]) and last.target + last.n_post == plastic[k].target:
                group.append(k)
                break
        else:
            merged.append([k])
    merged.sort()
    parts: dict[int, Part] = {}
    for index, group in enumerate(merged):
        row = synapse = 0
        for k in group:
            parts[k] = Part(index, row, synapse)
            row, synapse = row + plastic[k].n_post, synapse + plastic[k].rows.size
    together = tuple(_joined([plastic[k] for k in group]) for group in merged)
    return together, tuple(parts[k] for k in range(len(plastic)))


def _alike(one: Plastic, other: Plastic) -> bool:
    two_factors = one.factor is None and other.factor is None
    return two_factors and all(getattr(one, name) == getattr(other, name) for name in _ALIKE)


def _joined(group: list[Plastic]) -> Plastic:
    if len(group) == 1:
        return group[0]
    first = group[0]
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(p, name) for p in group]) for name in _PER_SYNAPSE
    }
    rows = np.concatenate([p.rows + np.int32(p.target - first.target) for p in group])
    n_post = sum(p.n_post for p in group)
    return replace(first, rows=rows, n_post=n_post, **arrays)


def _starts(sizes: Sequence[int]) -> Any:
    """Where pieces of these sizes begin, one after the other, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def wiring_of(plastic: tuple[Plastic, ...], orders: list[Any], n_neurons: int) -> Wiring:
    index = np.uint16 if n_neurons <= 2**16 else np.uint32
    columns, rows = _starts([p.n_pre for p in plastic]), _starts([p.n_post for p in plastic])
    groups = _starts([len(p.rules) for p in plastic])
    base = _starts([o.size for o in orders])
    empty = [np.zeros(0, dtype=np.int64)]
    targets, profile, places, slots = list(empty), list(empty), list(empty), list(empty)
    pre_slots, per_column, per_row = list(empty), list(empty), list(empty)
    for p, order, first in zip(plastic, orders, base, strict=False):
        row, col, rule = p.rows[order], p.cols[order], p.profile[order].astype(np.int64)
        forms = forms_of(p)
        form, count = forms[rule], int(forms.max()) + 1
        back = np.lexsort((col, form, row))
        targets.append(row + p.target)
        slots.append(rule * p.n_post + row if len(p.rules) > 1 else targets[-1])
        profile.append(rule)
        places.append(back + first)
        pre_slots.append((rule * p.n_pre + col)[back])
        per_column.append(np.bincount(col * count + form, minlength=p.n_pre * count))
        per_row.append(np.bincount(row * count + form, minlength=p.n_post * count))
    source, n_pre, target, n_post = (
        np.array([getattr(p, f) for p in plastic], dtype=np.int64)
        for f in ("source", "n_pre", "target", "n_post")
    )
    tables = form_tables(plastic, groups)
    n_forms = np.diff(tables[0])
    runs, row_runs = (_starts(np.concatenate(n).tolist()) for n in (per_column, per_row))
    run, row_run = (_starts((n * n_forms).tolist())[:-1] for n in (n_pre, n_post))
    every = np.concatenate(targets).astype(index)
    several = np.diff(groups) > 1
    parts: list[Any] = [
        source,
        n_pre,
        target,
        n_post,
        columns[:-1],
        rows[:-1],
        groups,
        _whole_lines(runs, run, n_pre, n_forms),
        every,
        np.concatenate(profile).astype(np.uint16),
        _whole_lines(row_runs, row_run, n_post, n_forms),
        np.concatenate(places).astype(np.uint32),
        _narrow(np.concatenate(pre_slots)),
        _narrow(np.concatenate(slots)) if several.any() else every,
        np.where(several, 0, target),
        *tables,
        runs,
        run,
        row_runs,
        row_run,
    ]
    return Wiring(*parts)


def _whole_lines(runs: Any, first: Any, n_lines: Any, n_forms: Any) -> Any:
    """Where the lines of all projections begin, from where their pieces do."""
    starts = [f + n * np.arange(k) for f, n, k in zip(first, n_forms, n_lines, strict=True)]
    return runs[np.concatenate([*starts, [runs.size - 1]]).astype(np.int64)]


def _narrow(values: Any) -> Any:
    """Indices in 16 bits, or in 32."""
    return values.astype(np.uint16 if values.max(initial=0) < 2**16 else np.uint32)


def rules_of(plastic: tuple[Plastic, ...]) -> Rules:
    groups = [(p, rule) for p in plastic for rule in p.rules]
    tables = np.zeros((len(groups), len(TRACES), 2, TRACE_VALUES))
    used = np.zeros((len(groups), len(TRACES)), dtype=np.bool_)
    impulses = np.zeros((2, len(groups), len(TRACES)), dtype=np.int64)
    for g, (p, rule) in enumerate(groups):
        trace_names = traces_read(rule, p.graded_spikes)
        for k, name in enumerate(TRACES):
            trace = getattr(rule, name)
            tables[g, k] = decay_tables(trace.tau)
            impulses[:, g, k] = impulse_parts(trace.impulse)
            sent = p.factor is not None and name not in PRE_TRACES  # of these see `Factors`
            used[g, k] = name in trace_names and not sent
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
        np.ascontiguousarray(tables[:, :, 0].astype(np.uint8)),
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
    if len(orders) > 1 or plastic.graded_spikes == "add_overflow" or plastic.factor is not None:
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
        column([exponent + ACCUMULATOR_SHIFT for _, exponent in scales]),
        _starts([len(p.factors) for p in products]),
        column([CODES[f.variable] for f in factors]),
        column([f.constant for f in factors]),
        np.array([f.sign for f in factors], dtype=np.bool_),
        column([2 ** WIDTH[f.variable] for f in factors]),
    ]


def factors_of(plastic: tuple[Plastic, ...], rules: Rules) -> Factors | None:
    """The third factors of all projections; None where none has any."""
    if all(p.factor is None for p in plastic):
        return None
    pieces = [part for p in plastic for part in p.factor or ()]
    groups = [(p, rule) for p in plastic for rule in p.rules]
    base = _starts([part.weights.nnz for part in pieces])
    columns = [part.weights.indptr + b for part, b in zip(pieces, base, strict=False)]
    indptr = np.stack(columns) if columns else np.zeros((0, 1))
    none = np.zeros(0, dtype=np.int32)
    exponents = np.array([part.weight_exp for part in pieces], dtype=np.int64)
    n_y = int(rules.y_first[-1]) + groups[-1][0].n_post
    return Factors(
        _starts([len(p.factor or ()) for p in plastic]),
        np.array([p.factor is not None for p in plastic], dtype=np.bool_),
        np.array([not p.hears_spikes for p in plastic], dtype=np.bool_),
        np.array([part.trace for part in pieces], dtype=np.int64),
        np.array([part.delay for part in pieces], dtype=np.int64),
        1 << np.maximum(exponents, 0),
        np.maximum(-exponents, 0),
        np.array([part.graded for part in pieces], dtype=np.bool_),
        indptr.astype(np.int64),
        np.concatenate([none, *(part.weights.indices for part in pieces)]).astype(np.int32),
        np.concatenate([none, *(part.weights.data for part in pieces)]).astype(np.int32),
        np.array([[kept_share(getattr(r, y).tau)[0] for y in POST_TRACES] for _, r in groups]),
        np.array([[y in r.variables for y in POST_TRACES] for _, r in groups]),
        np.zeros((3, n_y), dtype=np.int32),
    )


def memory_of(wiring: Wiring, rules: Rules, n: int, factors: Factors | None) -> Memory:
    """The state of `n` neurons and all learning synapses, everything 0.

    What a third factor sends has a sign and more bits than a trace.
    """
    size, count = wiring.targets.size, wiring.source.size
    depth = int(rules.epoch.max(initial=0)) + 1
    n_x = int((wiring.n_pre * np.diff(wiring.group)).sum())
    n_y = int((wiring.n_post * np.diff(wiring.group)).sum())
    n_pre, n_post = int(wiring.n_pre.sum()), int(wiring.n_post.sum())
    # room for what pair rules change, and for lines of the others
    n_steps = depth if np.any(rules.simple) else 1
    widest = int(np.maximum(wiring.n_pre, wiring.n_post).max(initial=0))
    slots = max(n_x, n_y)
    held = size if np.any(wiring.form_gates[wiring.form_plain, -1] & 1 << DEPENDENCIES["u"]) else 0
    zeros = np.zeros
    return Memory(
        weights=zeros(size, np.int16),
        tag_1=zeros(size, np.int16),
        tag_2=zeros(size, np.int16),
        x=zeros((depth, 2, n_x), np.uint8),
        y=zeros((depth, 3, n_y), np.uint8 if factors is None else np.int16),
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
        decayed=zeros(TRACE_VALUES, np.uint8),
        from_pre=zeros(slots, np.int32),
        from_post=zeros((n_steps, n_x), np.int32),
        step=zeros(slots, np.int16),
        met=zeros(widest + 1, np.uint32),
        step_of=zeros(widest, np.int16),
        line=zeros((6, widest), np.int32),
        index=zeros((4, widest + 1), np.uint32),
        scales=zeros((2, int(np.diff(wiring.group).max(initial=0))), np.int32),
        held=zeros((len(SYNAPTIC), held), np.int16),
        held_place=zeros(held, np.uint32),
    )
