"""On-chip learning rules as data: sums of products over spikes, traces and synaptic variables.

A rule changes the weight w, the tag t and the delay variable d of a synapse at the end of every
epoch of `t_epoch` steps (Lava 0.10, `magma/core/learning`)::

    dw = sum over products of  mantissa 2^exponent * dependency * factor * factor * ...

The dependency is x0 (the presynaptic neuron spiked in the epoch), y0 (the postsynaptic one did)
or u<k> (every 2^k-th epoch). A factor is a trace x1, x2, y1, y2, y3 or a variable w, d, t, x0,
y0, plus a constant, or the sign of one of w, d, t. Traces are 7-bit integers: they decay by
exp(-1 / tau) a step, rounded stochastically, and rise by an impulse at a spike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.csr import select_values
from hrsnn_lava.errors import Problem
from hrsnn_lava.fields import is_flag, is_real, is_whole, refusal, whole_values
from hrsnn_lava.integer_format import (
    CONSTANT_RANGE,
    EPOCH_RANGE,
    EXPONENT_RANGE,
    INITIAL_TAG_RANGES,
    MANTISSA_RANGE,
    TRACE_MAX,
)
from hrsnn_lava.notebook import brief
from hrsnn_lava.third_factor import RECEIVED_TAU, ThirdFactor

Variable = Literal["x0", "y0", "x1", "x2", "y1", "y2", "y3", "w", "d", "t"]
Dependency = Literal["x0", "y0", "u"]
GradedSpikes = Literal["regular", "overwrite", "add_saturating", "add_overflow"]
PRE_TRACES = ("x1", "x2")
POST_TRACES = ("y1", "y2", "y3")
TRACES = (*PRE_TRACES, *POST_TRACES)
SYNAPTIC = ("w", "d", "t")
TARGETS = ("dw", "dd", "dt")
#: Largest seed: Lava seeds NumPy's 32-bit generators with it and the three that follow.
SEED_MAX = 2**32 - 4
#: Fields of `Learning` that may have a value of its own for every synapse.
PER_SYNAPSE = ("profile", "tag_1", "tag_2")
#: Names as they stand in a rule's text and in a signature.
VARIABLES = ("x0", "y0", *TRACES, *SYNAPTIC)


@dataclass(frozen=True)
class Factor:
    """One factor of a product: ``variable + constant``, or its sign."""

    variable: Variable
    constant: int = 0
    sign: bool = False

    def __str__(self) -> str:
        inner: str = self.variable
        if self.constant:
            inner = f"{inner} {'+' if self.constant > 0 else '-'} {abs(self.constant)}"
        if self.sign:
            return f"sgn({inner})"
        return f"({inner})" if self.constant else inner

    def problems(self, where: str) -> Iterator[Problem]:
        """Everything that is wrong with this factor."""
        if self.variable not in VARIABLES:
            yield Problem(where, repr(self.variable), ", ".join(VARIABLES))
        if self.sign and self.variable not in SYNAPTIC:
            yield Problem(where, f"sign of {self.variable}", f"sign of {', '.join(SYNAPTIC)}")
        low, high = CONSTANT_RANGE
        if not is_whole(self.constant) or not low <= self.constant <= high:
            yield Problem(where, f"constant {self.constant!r}", f"a whole number in {low}..{high}")


@dataclass(frozen=True)
class Product:
    """``mantissa 2^exponent * dependency * factors``; the exponent is -7..8."""

    dependency: Dependency
    mantissa: int
    exponent: int = 0
    factors: tuple[Factor, ...] = ()

    def text(self, decimate_exponent: int | None) -> str:
        """The product in Lava's notation."""
        head = f"u{decimate_exponent}" if self.dependency == "u" else self.dependency
        parts = [f"({self.mantissa}) * 2 ^ {self.exponent}", head]
        return " * ".join([*parts, *(str(factor) for factor in self.factors)])

    def problems(self, where: str) -> Iterator[Problem]:
        """Everything that is wrong with this product."""
        if self.dependency not in ("x0", "y0", "u"):
            yield Problem(where, f"dependency {self.dependency!r}", "x0, y0 or u")
        for name, value, (low, high) in (
            ("mantissa", self.mantissa, MANTISSA_RANGE),
            ("exponent", self.exponent, EXPONENT_RANGE),
        ):
            if not is_whole(value) or not low <= value <= high:
                yield Problem(where, f"{name} {value!r}", f"a whole number in {low}..{high}")
        for factor in self.factors:
            yield from factor.problems(where)


@dataclass(frozen=True)
class Trace:
    """A spike trace: rises by `impulse` (0..127) at a spike, decays with `tau` steps.

    ``tau = 0`` keeps nothing from one step to the next: the trace is the impulse in the step of a
    spike and 0 otherwise, as in Lava's fixed point. A fraction f of an impulse is held in 1/256
    and rounded up with probability min(1, 2 f), since Lava compares it with a 7-bit random number.
    """

    impulse: float = 0.0
    tau: float = 0.0


@brief("equations", "t_epoch", "rng_seed")
@dataclass(frozen=True)
class LearningRule:
    """A rule with its traces; with a third factor y1, y2 and y3 are sent to it, see `Learning`.

    Attributes:
        dw, dd, dt: products that change weight, delay variable and tag; empty: it stays.
        x1, x2: presynaptic traces; y1, y2, y3: postsynaptic ones.
        t_epoch: steps of an epoch, 1..63.
        decimate_exponent: k of ``u<k>``; needed where a product depends on u.
        rng_seed: seeds the streams of stochastic rounding (seed, +1 for x; +2, +3 for y; Lava).
    """

    dw: tuple[Product, ...] = ()
    dd: tuple[Product, ...] = ()
    dt: tuple[Product, ...] = ()
    x1: Trace = Trace()
    x2: Trace = Trace()
    y1: Trace = Trace()
    y2: Trace = Trace()
    y3: Trace = Trace()
    t_epoch: int = 1
    decimate_exponent: int | None = None
    rng_seed: int = 0

    def equation(self, target: str) -> str | None:
        """``dw``, ``dd`` or ``dt`` in Lava's notation, generated from the numbers."""
        products: tuple[Product, ...] = getattr(self, target)
        if not products:
            return None
        return " + ".join(product.text(self.decimate_exponent) for product in products)

    @property
    def equations(self) -> str:
        """All equations on one line, as ``dw = ...; dt = ...``."""
        pairs = ((target, self.equation(target)) for target in TARGETS)
        return "; ".join(f"{target} = {text}" for target, text in pairs if text)

    @property
    def products(self) -> tuple[Product, ...]:
        """All products of all targets."""
        return (*self.dw, *self.dd, *self.dt)

    @property
    def variables(self) -> frozenset[Variable]:
        """What the factors of all products read."""
        return frozenset(f.variable for product in self.products for f in product.factors)

    @property
    def event_driven(self) -> bool:
        """True when a synapse can change only if one of its neurons spiked in the epoch."""
        return all(product.dependency in ("x0", "y0") for product in self.products)

    def problems(self, where: str) -> Iterator[Problem]:
        """Everything that is wrong with this rule."""
        if not self.products:
            yield Problem(where, "no product", "at least one of dw, dd, dt")
        for target in TARGETS:
            for k, product in enumerate(getattr(self, target)):
                yield from product.problems(f"{where}.{target}[{k}]")
        for name in TRACES:
            trace = getattr(self, name)
            for field, highest, allowed in (
                ("impulse", TRACE_MAX, f"0..{TRACE_MAX}"),
                ("tau", np.inf, ">= 0 steps"),
            ):
                value = getattr(trace, field)
                if not (is_real(value) and np.isfinite(value) and 0 <= value <= highest):
                    yield Problem(f"{where}.{name}.{field}", f"{value!r}", allowed)
        low, high = EPOCH_RANGE
        if not is_whole(self.t_epoch) or not low <= self.t_epoch <= high:
            yield Problem(
                f"{where}.t_epoch", repr(self.t_epoch), f"a whole number in {low}..{high}"
            )
        uses_u, exponent = any(p.dependency == "u" for p in self.products), self.decimate_exponent
        given = exponent is not None
        if (uses_u or given) and not (is_whole(exponent) and 0 <= (exponent or 0) <= 9):
            allowed = "0..9, where a product depends on u"
            yield Problem(f"{where}.decimate_exponent", repr(exponent), allowed)
        if not is_whole(self.rng_seed) or not 0 <= self.rng_seed <= SEED_MAX:
            allowed = f"a whole number in 0..{SEED_MAX}"
            yield Problem(f"{where}.rng_seed", repr(self.rng_seed), allowed)


@brief("rules", "profile", "tag_1", "tag_2", "graded_spikes")
@dataclass(frozen=True, eq=False)
class Learning:
    """Learning of one projection: K rules, the profile of each synapse, initial tags.

    A chip holds few trace profiles, so heterogeneous STDP is K rules; every synapse follows the
    one that `profile` names. In Lava it is K connections with the same `rng_seed` and sign mode,
    which give the same weights bit for bit.

    Attributes:
        rules: K >= 1 rules that share t_epoch, decimate_exponent and rng_seed.
        profile: (nnz,) int32 index into `rules`, or None: all follow the first.
        tag_1, tag_2: initial tag t and delay variable d, scalar or (nnz,) int32; 0 by default.
        graded_spikes: what payloads of graded input do to x1 (Lava's `GradedSpikeCfg`). All but
            "regular" take x1's impulse as 0.
        plastic_zeros: what becomes of a synapse whose weight is truncated to 0 at the start. False:
            it is gone, weight and tags stay, as in Lava's `LearningSparse`; True: it learns like
            any other, as in Lava's `LearningDense`.
        third_factor: who sends y1, y2 and y3, see `ThirdFactor`; None with two factors, where they
            follow from the spikes.
    """

    rules: tuple[LearningRule, ...]
    profile: NDArray[np.int32] | None = None
    tag_1: int | NDArray[np.int32] = 0
    tag_2: int | NDArray[np.int32] = 0
    graded_spikes: GradedSpikes = "regular"
    plastic_zeros: bool = False
    third_factor: ThirdFactor | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.rules, Iterable):
            raise refusal("learning.rules", type(self.rules).__name__, "a sequence of rules")
        object.__setattr__(self, "rules", tuple(self.rules))
        for field in PER_SYNAPSE:
            value = getattr(self, field)
            if value is None and field == "profile":
                continue
            array = whole_values(f"learning.{field}", value)
            object.__setattr__(self, field, array if array.ndim else array.item())

    def profile_of(self, n_synapses: int) -> NDArray[np.int32]:
        """Index of the rule of every synapse, (nnz,)."""
        if self.profile is None:
            return np.zeros(n_synapses, dtype=np.int32)
        return self.profile

    def tag(self, name: str, n_synapses: int) -> NDArray[np.int32]:
        """``tag_1`` or ``tag_2`` of every synapse, (nnz,)."""
        return np.zeros(n_synapses, dtype=np.int32) + np.asarray(getattr(self, name), np.int32)

    def select(self, keep: NDArray[Any]) -> Learning:
        """The learning of some synapses: `keep` is a mask (nnz,), or indices in the new order."""
        return replace(self, **{f: select_values(getattr(self, f), keep) for f in PER_SYNAPSE})

    @property
    def event_driven(self) -> bool:
        """True when every rule is; see `LearningRule.event_driven`."""
        return all(rule.event_driven for rule in self.rules)

    @property
    def t_epoch(self) -> int:
        """Steps of an epoch, which all rules share."""
        return self.rules[0].t_epoch

    def used_rules(self, n_synapses: int) -> tuple[int, ...]:
        """Indices of the rules that some synapse follows."""
        return tuple(int(k) for k in np.unique(self.profile_of(n_synapses)))

    def problems(self, where: str, n_synapses: int) -> Iterator[Problem]:
        """Everything that is wrong, given the number of synapses."""
        if not self.rules:
            yield Problem(f"{where}.rules", "none", "at least one")
            return
        for k, rule in enumerate(self.rules):
            if not isinstance(rule, LearningRule):
                yield Problem(f"{where}.rules[{k}]", type(rule).__name__, "a LearningRule")
                return
            yield from rule.problems(f"{where}.rules[{k}]")
            first = self.rules[0]
            for field in ("t_epoch", "decimate_exponent", "rng_seed"):
                if getattr(rule, field) != getattr(first, field):
                    measured = f"{getattr(rule, field)} beside {getattr(first, field)}"
                    yield Problem(f"{where}.rules[{k}].{field}", measured, "one value for all")
        ranges = {"profile": (0, len(self.rules) - 1), **INITIAL_TAG_RANGES}
        for field, (low, high) in ranges.items():
            value = getattr(self, field)
            if value is None:
                continue
            values = np.asarray(value)
            if values.shape not in ((), (n_synapses,)):
                yield Problem(f"{where}.{field}", f"shape {values.shape}", f"({n_synapses},)")
            elif values.size and (values.min() < low or values.max() > high):
                measured = f"{values.min()}..{values.max()}"
                yield Problem(f"{where}.{field}", measured, f"{low}..{high}")
        if not is_flag(self.plastic_zeros):
            yield Problem(f"{where}.plastic_zeros", repr(self.plastic_zeros), "True or False")
        if self.graded_spikes not in ("regular", "overwrite", "add_saturating", "add_overflow"):
            allowed = "regular, overwrite, add_saturating or add_overflow"
            yield Problem(f"{where}.graded_spikes", repr(self.graded_spikes), allowed)
        yield from self._third_factor_problems(where)

    def _third_factor_problems(self, where: str) -> Iterator[Problem]:
        """What is wrong with the third factor in itself; its senders are the network's."""
        third = self.third_factor
        if third is None:
            return
        if not isinstance(third, ThirdFactor):
            yield Problem(f"{where}.third_factor", type(third).__name__, "a ThirdFactor")
            return
        if not isinstance(third.y0, bool):
            yield Problem(f"{where}.third_factor.y0", repr(third.y0), "True or False")
        for name, sender in zip(POST_TRACES, third.senders, strict=True):
            if sender is not None and not isinstance(sender, str):
                yield Problem(f"{where}.third_factor.{name}", repr(sender), "a name, or None")
            for k, rule in enumerate(self.rules):
                if sender is not None and name in rule.variables and not getattr(rule, name).tau:
                    fix = f"use {RECEIVED_TAU:g}, as Lava's three-factor rules do"
                    measured = "0, which forgets what is sent before it is read"
                    yield Problem(f"{where}.rules[{k}].{name}.tau", measured, "> 0 steps", fix)


def rule_to_dict(rule: LearningRule) -> dict[str, Any]:
    """A rule as plain numbers and names, for files."""
    return asdict(rule)


def rule_from_dict(entry: Mapping[str, Any]) -> LearningRule:
    """The inverse of `rule_to_dict`; raises KeyError or TypeError for anything else."""
    values = dict(entry)
    for target in TARGETS:
        values[target] = tuple(
            Product(**{**product, "factors": tuple(Factor(**f) for f in product["factors"])})
            for product in values[target]
        )
    for name in TRACES:
        values[name] = Trace(**values[name])
    return LearningRule(**values)


def pair_stdp(
    a_plus: tuple[int, int],
    a_minus: tuple[int, int],
    tau_plus: float,
    tau_minus: float,
    *,
    impulse: float = 16.0,
    t_epoch: int = 1,
    rng_seed: int = 0,
) -> LearningRule:
    """Pair STDP (eqs. 3-5) on the chip: ``dw = a_plus y0 x1 - a_minus x0 y1``.

    Args:
        a_plus, a_minus: mantissa and exponent of the amplitudes, both >= 0 in value.
        tau_plus, tau_minus: time constants of x1 and y1 in steps.
        impulse: of both traces; the weight change scales with it.
        t_epoch, rng_seed: see `LearningRule`.
    """
    return LearningRule(
        dw=(
            Product("x0", -a_minus[0], a_minus[1], (Factor("y1"),)),
            Product("y0", a_plus[0], a_plus[1], (Factor("x1"),)),
        ),
        x1=Trace(impulse, tau_plus),
        y1=Trace(impulse, tau_minus),
        t_epoch=t_epoch,
        rng_seed=rng_seed,
    )
