"""Learning projections made ready to run: live synapses, rules, tables and random streams.

What `reference` and `native` share, so that both draw the same numbers and round the same floats
as Lava 0.10 (`magma/core/model/py/connection.py`, `magma/core/learning`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.chip_learning import TRACES, Learning, LearningRule, Product
from hrsnn_lava.csr import rows_of
from hrsnn_lava.integer_format import (
    ACCUMULATOR_BITS,
    ACCUMULATOR_RANGE,
    MANTISSA_BITS,
    TRACE_VALUES,
)
from hrsnn_lava.quantized import QuantizedNetwork, QuantizedProjection, SignMode

Int = NDArray[np.int32]
Float = NDArray[np.float64]
#: Arrays of a state, by name.
Arrays = Mapping[str, Int]
#: Bits that a factor counts for, and its closed range after the constant is added, +-2^bits.
WIDTH = {
    **dict.fromkeys(("x0", "y0"), 1),
    **dict.fromkeys(TRACES, 7),
    **dict.fromkeys(("w", "d", "t"), 9),
}


def source_offset(network: Any, population: str) -> int:
    """Index of a population's first neuron among all sources: neurons, then input channels."""
    first: int = network.offset(population)
    return first + (network.n_neurons if network.population(population).is_input else 0)


@dataclass(frozen=True, eq=False)
class Arriving:
    """What is sent to a postsynaptic trace of a three-factor rule, with one delay.

    Attributes:
        trace: 0, 1 or 2, for y1, y2 or y3.
        weights: CSC int32 (n_post, n_neurons + n_inputs).
        delay: what is sent in step t arrives in step ``t + 1 + delay``; -1 for the same step.
        weight_exp: applied to the sum of a step.
        graded: multiply by the payload (True) or add the weight (False).
    """

    trace: int
    weights: sparse.csc_matrix
    delay: int
    weight_exp: int
    graded: bool


@dataclass(frozen=True, eq=False)
class Plastic:
    """One learning projection; synapses are those that live, in canonical (CSR) order.

    Attributes:
        name: of the projection.
        source: index of the first presynaptic neuron among all sources (neurons, then inputs).
        target: global index of the first postsynaptic neuron.
        n_pre, n_post: sizes.
        rows, cols: post- and presynaptic index of every live synapse, (S,).
        place: (S,) where each stands in the projection's stored weights; `stored` of them.
        weights, tag_1, tag_2: values at the start, (S,) int32, truncated but not clipped.
        profile: (S,) index into `rules`.
        rules: the learning rules, with x1's impulse 0 where payloads set x1.
        graded_spikes: see `Learning`.
        graded: multiply by the payload, or add the weight.
        weight_exp: applied to the sum of a step.
        sign_mode: limits of the weights.
        start: effective weights of all stored synapses, (stored,) int32, those that are gone too.
        tags: initial tag_1 and tag_2 of all stored synapses.
        followed: indices of the rules that some stored synapse follows.
        factor: what arrives at y1, y2 and y3, which are its sums then; None with two factors.
        hears_spikes: the spikes of the postsynaptic neurons reach the synapses.
    """

    name: str
    source: int
    target: int
    n_pre: int
    n_post: int
    rows: Int
    cols: Int
    place: NDArray[np.int64]
    weights: Int
    tag_1: Int
    tag_2: Int
    profile: Int
    rules: tuple[LearningRule, ...]
    graded_spikes: str
    graded: bool
    weight_exp: int
    sign_mode: SignMode
    start: Int
    tags: tuple[Int, Int]
    followed: tuple[int, ...]
    factor: tuple[Arriving, ...] | None = None
    hears_spikes: bool = True

    @property
    def accumulator_limits(self) -> tuple[int, int]:
        """Limits of a weight's accumulator: the sign is enforced before it is rounded."""
        low, high = self.sign_mode.limits
        least, greatest = ACCUMULATOR_RANGE
        return (least if low else 0), (greatest if high else 0)

    @property
    def t_epoch(self) -> int:
        """Steps of an epoch."""
        return self.rules[0].t_epoch

    def changes(self, target: str) -> bool:
        """True when a rule has products for `target`."""
        return any(getattr(rule, target) for rule in self.rules)

    def learned(self, weights: Any, tag_1: Any, tag_2: Any) -> dict[str, Int]:
        """Values of live synapses (S,) as entries of `Trace.weights`, all stored synapses."""
        entries = {"": (self.start, weights)}
        if self.changes("dt"):
            entries["/tag_1"] = (self.tags[0], tag_1)
        if self.changes("dd"):
            entries["/tag_2"] = (self.tags[1], tag_2)
        result = {}
        for ending, (start, values) in entries.items():
            result[self.name + ending] = all_values = start.copy()
            all_values[self.place] = values
        return result

    def traces(self, read: Callable[[int, str], Any]) -> dict[str, Int]:
        """Entries of `Trace.traces`; ``read(k, name)`` gives the values of a trace of rule k."""
        result = {}
        for k in self.followed:
            for name in traces_read(self.rules[k], self.graded_spikes):
                key = f"{self.name}/{name}" + (f"/{k}" if len(self.rules) > 1 else "")
                result[key] = np.array(read(k, name), dtype=np.int32)
        return result


def plastic_projections(network: QuantizedNetwork) -> tuple[Plastic, ...]:
    """The learning projections of a network, in its order."""
    result = []
    for projection in network.projections:
        learning = projection.learning
        if learning is None:
            continue
        n_synapses = projection.n_synapses
        weights = projection.effective_weights()
        live = np.flatnonzero(projection.plastic_synapses())
        tags = (learning.tag("tag_1", n_synapses), learning.tag("tag_2", n_synapses))
        n_post, n_pre = weights.shape
        start = weights.data.astype(np.int32)
        result.append(
            Plastic(
                projection.name,
                source_offset(network, projection.pre),
                network.offset(projection.post),
                n_pre,
                n_post,
                rows=rows_of(weights)[live].astype(np.int32),
                cols=weights.indices[live].astype(np.int32),
                place=live,
                weights=start[live],
                tag_1=tags[0][live],
                tag_2=tags[1][live],
                profile=learning.profile_of(n_synapses)[live],
                rules=effective_rules(learning),
                graded_spikes=learning.graded_spikes,
                graded=projection.num_message_bits > 0,
                weight_exp=projection.weight_exp,
                sign_mode=projection.sign_mode,
                start=start,
                tags=tags,
                followed=learning.used_rules(n_synapses),
                factor=_third_factor(network, projection),
                hears_spikes=learning.third_factor is None or learning.third_factor.y0,
            )
        )
    return tuple(result)


def _third_factor(
    network: QuantizedNetwork, projection: QuantizedProjection
) -> tuple[Arriving, ...] | None:
    """What arrives at the postsynaptic traces of a learning projection; None with two factors."""
    third = None if projection.learning is None else projection.learning.third_factor
    if third is None:
        return None
    n_post, n_sources = projection.weights.shape[0], network.n_neurons + network.n_inputs
    populations = {p.name for p in network.populations}
    result = []
    for trace, sender in enumerate(third.senders):
        if sender is None:
            continue
        if sender in populations:
            rows = np.arange(n_post)
            entries = (np.ones(n_post, np.int32), (rows, rows + source_offset(network, sender)))
            direct = sparse.csc_matrix(entries, shape=(n_post, n_sources))
            result.append(Arriving(trace, direct, -1, 0, graded=True))
            continue
        factor = network.projection(sender)
        weights, delays = factor.effective_weights().tocoo(), factor.delay_steps
        cols = weights.col + source_offset(network, factor.pre)
        for delay in np.unique(delays):
            part = delays == delay
            parts = (weights.data[part].astype(np.int32), (weights.row[part], cols[part]))
            matrix = sparse.csc_matrix(parts, shape=(n_post, n_sources))
            graded = factor.num_message_bits > 0
            result.append(Arriving(trace, matrix, int(delay), int(factor.weight_exp), graded))
    return tuple(result)


def effective_rules(learning: Learning) -> tuple[LearningRule, ...]:
    """The rules, with x1's impulse 0 where payloads of graded spikes set x1 (as in Lava)."""
    if learning.graded_spikes == "regular":
        return learning.rules
    return tuple(replace(rule, x1=replace(rule.x1, impulse=0.0)) for rule in learning.rules)


def traces_read(rule: LearningRule, graded_spikes: str) -> tuple[str, ...]:
    """The traces that anything depends on; the others are neither kept nor recorded.

    They are those in the rule's products, and x1 where its overflow decides which spikes count.
    """
    variables = set(rule.variables)
    if graded_spikes == "add_overflow":
        variables.add("x1")
    return tuple(name for name in TRACES if name in variables)


def scale(product: Product) -> tuple[int, int]:
    """Mantissa and exponent as Lava uses them: an even mantissa beyond 7 is halved."""
    mantissa, exponent = product.mantissa, product.exponent
    while abs(mantissa) > 7 and mantissa % 2 == 0 and exponent < 8:
        mantissa, exponent = mantissa // 2, exponent + 1
    return mantissa, exponent


def right_shift(product: Product) -> int:
    """Bits that the product of all factors is shifted back by, into the accumulator's width."""
    bits = MANTISSA_BITS + sum(WIDTH[factor.variable] for factor in product.factors)
    return max(0, bits - ACCUMULATOR_BITS)


def impulse_parts(impulse: float) -> tuple[int, int]:
    """Whole part, and fraction in 1/256."""
    whole = int(np.floor(impulse))
    return whole, int(np.round((impulse - whole) * 256))


def kept_share(tau: float) -> Float:
    """``exp(-1 / tau)``, (1,): the share of a trace that a step keeps; 0 where tau is 0."""
    if tau == 0:
        return np.zeros(1)
    share: Float = np.exp(-1 / np.array([tau], dtype=np.float64))
    return share


def decay_tables(tau: float) -> tuple[Float, Float]:
    """Whole part and fraction of ``exp(-1 / tau) * value`` for all values of a trace, (256,).

    Made with `numpy.exp`, as Lava does, so that the fractions are the same floats.
    """
    product: Float = kept_share(tau) * np.arange(TRACE_VALUES)
    whole = np.floor(product)
    fraction: Float = product % 1
    return whole, fraction


@dataclass(frozen=True, eq=False)
class Streams:
    """Lava's random numbers for a stretch of steps; every neuron and synapse shares each number.

    Row k is for step `first` + k: ``x_decay``, ``y_decay`` (n,) in [0, 1), ``x_impulse``,
    ``y_impulse`` 0..127 at the end of the step, ``y_repeat`` for a second spike in an epoch,
    ``synapse`` (n,) for rounding synapses at the end of an epoch, 0 within one.
    """

    first: int
    x_decay: Float
    x_impulse: NDArray[np.int64]
    y_decay: Float
    y_impulse: NDArray[np.int64]
    y_repeat: NDArray[np.int64]
    synapse: Float

    @classmethod
    def of(cls, rule: LearningRule, first: int, n_steps: int) -> Streams:
        """The numbers of steps `first` to ``first + n_steps``; nothing before them is drawn.

        A trace stream is advanced twice a step and drawn from once when it is made. The stream
        for synapses is advanced once an epoch and its seed is 2 whatever the rule says.
        """
        seed, epoch = rule.rng_seed, rule.t_epoch
        x_decay = _uniform(seed, 2 * first + 2, 2 * n_steps)[::2]
        x_impulse = _seven_bits(seed + 1, 2 * first + 2, 2 * n_steps)[::2]
        y_decay = _uniform(seed + 2, 2 * first + 2, 2 * n_steps)[::2]
        y = _seven_bits(seed + 3, 2 * first + 1, 2 * n_steps)
        begun = first // epoch  # epochs that ended before
        ends = np.flatnonzero((np.arange(first, first + n_steps) + 1) % epoch == 0)
        synapse = np.zeros(n_steps)
        synapse[ends] = _uniform(2, begun + 1, ends.size)
        return cls(first, x_decay, x_impulse, y_decay, y[1::2], y[::2], synapse)


def _generator(seed: int, skip: int) -> np.random.Generator:
    bits = np.random.PCG64(seed)
    bits.advance(skip)
    return np.random.Generator(bits)


def _uniform(seed: int, first: int, count: int) -> Float:
    return _generator(seed, first).random(count)


def _seven_bits(seed: int, first: int, count: int) -> NDArray[np.int64]:
    """Draws `first`... of ``integers(0, 128)``: two come from one word of the generator."""
    draws = _generator(seed, first // 2).integers(0, 128, count + first % 2)
    return draws[first % 2 :]
