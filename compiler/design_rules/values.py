"""Design rules about single values: fields, weights, payloads, learning."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.design_rules.placed_network import PlacedNetwork, Rule
from hrsnn_lava.compiler.palettes.clustering import decay_rate
from hrsnn_lava.errors import Violation
from hrsnn_lava.hardware_profiles import HardwareProfile, Range
from hrsnn_lava.quantized import QuantizedProjection
from hrsnn_lava.resets import sends_several

#: What to do about the value of a field that is outside, given the end of the range it passed.
Advice = Callable[[int, int], str]


def _neuron_field(placed: PlacedNetwork, field: str, advice: Advice) -> Iterator[Violation]:
    """One violation per population, of the neuron that is furthest outside."""
    allowed: Range = getattr(placed.profile.fields, field)
    if allowed.low is None or allowed.high is None:
        return
    for population in placed.network.compute_populations:
        values = population.parameter(field).astype(np.int64)
        outside = _outside(values, allowed)
        if not outside.size:
            continue
        past = np.maximum(values - allowed.high, allowed.low - values)
        worst = int(np.argmax(past))
        value = int(values[worst])
        end = allowed.high if value > allowed.high else allowed.low
        yield Violation(
            f"{field}_range",
            f"population {population.name!r}, neuron {worst}",
            f"{field} {value} ({outside.size} of {values.size} outside)",
            f"{allowed.low}..{allowed.high}",
            advice(value, end),
        )


def _tau(placed: PlacedNetwork, name: str, value: int, end: int, offset: int) -> str:
    """The nearest time constant that a decay field can hold, ``-1 / ln(1 - decay / 4096)`` steps.

    A decay of 0 forgets nothing, so that any time constant of 1/2 of a field's step is as near.
    """
    decay = max(end + offset, 0.5)
    tau = float(1.0 / decay_rate(decay))
    bound = "at most" if value < end else "at least"
    return f"set {name} to {bound} {tau:.3g} steps ({1e3 * tau * placed.network.dt:.3g} ms)"


def du_range(placed: PlacedNetwork) -> Iterator[Violation]:
    """The decay du of every neuron's current is in range."""
    yield from _neuron_field(placed, "du", lambda v, end: _tau(placed, "tau_syn", v, end, 1))


def dv_range(placed: PlacedNetwork) -> Iterator[Violation]:
    """The decay dv of every neuron's potential is in range."""
    yield from _neuron_field(placed, "dv", lambda v, end: _tau(placed, "tau_mem", v, end, 0))


def vth_range(placed: PlacedNetwork) -> Iterator[Violation]:
    """The threshold of every neuron is in range."""

    def advice(value: int, end: int) -> str:
        if value < end:
            return f"raise the threshold to {end}"
        return f"lower the weight scale by {value / end:.3g}"

    yield from _neuron_field(placed, "vth", advice)


def bias_mant_range(placed: PlacedNetwork) -> Iterator[Violation]:
    """The mantissa of every neuron's bias is in range."""

    def advice(value: int, end: int) -> str:
        bits = next(bits for bits in range(1, 64) if abs(value) >> bits <= abs(end))
        return f"raise bias_exp by {bits}"

    yield from _neuron_field(placed, "bias_mant", advice)


def bias_exp_range(placed: PlacedNetwork) -> Iterator[Violation]:
    """The exponent of every neuron's bias is in range."""
    yield from _neuron_field(
        placed, "bias_exp", lambda value, end: f"put a factor 2^{value - end} into bias_mant"
    )


def refractory_range(placed: PlacedNetwork) -> Iterator[Violation]:
    """The refractory period of every neuron is in range."""

    def advice(value: int, end: int) -> str:
        if value < end:
            return f"lengthen the refractory period to {end} steps"
        return (
            f"shorten the refractory period by {value - end} to {end} steps, or raise dt by "
            f"{100 * (value / max(end, 1) - 1):.1f} %"
        )

    yield from _neuron_field(placed, "refractory", advice)


def _outside(values: Any, allowed: Range) -> NDArray[np.int64]:
    array = np.atleast_1d(np.asarray(values, dtype=np.int64))
    if allowed.low is None or allowed.high is None:
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero((array < allowed.low) | (array > allowed.high))


def _synaptic(placed: PlacedNetwork) -> Iterator[QuantizedProjection]:
    return (p for p in placed.network.projections if p.target == "synapse")


def delay_range(placed: PlacedNetwork) -> Iterator[Violation]:
    """The delays of every projection are in range."""
    allowed = placed.profile.fields.delay
    if allowed.low is None or allowed.high is None:
        return
    for projection in _synaptic(placed):
        steps = projection.delay_steps
        for beyond, end, extreme in (
            (steps > allowed.high, allowed.high, int(steps.max(initial=allowed.low))),
            (steps < allowed.low, allowed.low, int(steps.min(initial=allowed.low))),
        ):
            if count := int(np.count_nonzero(beyond)):
                yield Violation(
                    "delay_range",
                    f"projection {projection.name!r}",
                    f"delay {extreme}",
                    f"{allowed.low}..{allowed.high}",
                    f"clip {count:,} of its {steps.size:,} delays at {end} steps",
                )


def weight_exp_range(placed: PlacedNetwork) -> Iterator[Violation]:
    """The weight exponent of every projection is in range."""
    allowed = placed.profile.fields.weight_exp
    for projection in _synaptic(placed):
        exponent = projection.weight_exp
        if _outside(exponent, allowed).size and allowed.high is not None:
            end = allowed.high if exponent > allowed.high else allowed.low or 0
            yield Violation(
                "weight_exp_range",
                f"projection {projection.name!r}",
                f"weight_exp {exponent}",
                f"{allowed.low}..{allowed.high}",
                f"put a factor 2^{exponent - end} into its weights",
            )


def weight_bits_range(placed: PlacedNetwork) -> Iterator[Violation]:
    """The weights of every projection have a number of bits that the chip can store."""
    allowed = placed.profile.fields.weight_bits
    for projection in _synaptic(placed):
        if _outside(projection.num_weight_bits, allowed).size:
            yield Violation(
                "weight_bits_range",
                f"projection {projection.name!r}",
                f"weight_bits {projection.num_weight_bits}",
                f"{allowed.low}..{allowed.high}",
                f"quantize with --weight-bits {allowed.high} or less",
            )


def weight_grid(placed: PlacedNetwork) -> Iterator[Violation]:
    """Every weight is one that its bits and sign mode can hold, so that storing it changes nothing.

    Lava clips and truncates without a word; here a weight that would change is an error.
    """
    for projection in _synaptic(placed):
        if projection.learning is not None:
            continue  # learned weights have 8 bits and a sign whatever the grid of the first ones
        effective = projection.effective_weights().data
        wrong = np.flatnonzero(effective != projection.weights.data)
        if not wrong.size:
            continue
        low, high = projection.sign_mode.limits
        mixed = projection.sign_mode.value == "mixed"
        step = 1 << (8 - projection.num_weight_bits + mixed)
        first = int(wrong[0])
        yield Violation(
            "weight_grid",
            f"projection {projection.name!r}",
            f"{wrong.size} of {effective.size} weights off the grid, such as "
            f"{projection.weights.data[first]} (would act as {effective[first]})",
            f"{low}..{high} in steps of {step}",
            "store effective_weights()"
            + (", or split the projection by sign to keep the last bit" if mixed else ""),
        )


def graded_spikes(placed: PlacedNetwork) -> Iterator[Violation]:
    """Spikes carry no more payload bits than the chip sends.

    Neurons that may send several spikes in a step ask for bits where nothing on the chip hears
    them, too.
    """
    allowed = placed.profile.fields.message_bits
    heard = {p.pre for p in _synaptic(placed)}
    for population in placed.network.compute_populations:
        if population.name in heard or not sends_several(population):
            continue
        bits = int(population.most_spikes.max(initial=1)).bit_length()
        if _outside(bits, allowed).size:
            yield Violation(
                "graded_spikes",
                f"population {population.name!r}",
                f"up to {population.most_spikes.max(initial=1)} spikes in a step, {bits} bits",
                str(allowed.high),
                "set its reset to 'subtract': one spike a step",
            )
    for projection in _synaptic(placed):
        if _outside(projection.num_message_bits, allowed).size:
            fix = 'encode the input as spikes, or give it target="bias"'
            if allowed.high:
                fix = f"scale payloads down to {allowed.high} bits, {fix}"
            if not placed.network.population(projection.pre).is_input:
                fix = f"set the reset of {projection.pre!r} to 'subtract': one spike a step"
            yield Violation(
                "graded_spikes",
                f"projection {projection.name!r}",
                f"{projection.num_message_bits} payload bits",
                str(allowed.high),
                fix,
            )


def learning(placed: PlacedNetwork) -> Iterator[Violation]:
    """Learning is asked only of a chip that learns, and by the rules it has."""
    names = [p.name for p in _synaptic(placed) if p.learning is not None]
    yield from refused_learning(placed.profile, names)


def refused_learning(profile: HardwareProfile, names: Iterable[str]) -> Iterator[Violation]:
    """One violation for each of the projections `names`, where the chip cannot learn."""
    if profile.lacks("learning"):
        limit = f"no learning on {profile.name}"
    elif profile.lacks("programmable_learning"):
        limit = f"no rules made of traces on {profile.name}"
    else:
        return
    for name in names:
        yield Violation(
            "learning",
            f"projection {name!r}",
            "a learning rule",
            limit,
            "train off the chip and freeze the weights",
        )


def third_factor(placed: PlacedNetwork) -> Iterator[Violation]:
    """Learning has two factors: no profile says how a third one reaches a core, at what cost."""
    if any(refused_learning(placed.profile, ["any"])):
        return  # two factors are refused as well
    for projection in _synaptic(placed):
        if projection.learning is not None and projection.learning.third_factor is not None:
            yield Violation(
                "third_factor",
                f"projection {projection.name!r}",
                "a three-factor rule",
                f"two factors: the profile of {placed.profile.name} has no path for a third one",
                "simulate the network unplaced, or train off the chip and freeze the weights",
            )


FIELD_RULES: tuple[Rule, ...] = (
    du_range,
    dv_range,
    vth_range,
    bias_mant_range,
    bias_exp_range,
    refractory_range,
    delay_range,
    weight_exp_range,
    weight_bits_range,
    weight_grid,
    graded_spikes,
    learning,
    third_factor,
)
