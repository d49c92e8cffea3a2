"""Design rules about single values: fields, weights, payloads, learning."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.design_rules.placed_network import PlacedNetwork, Rule
from hrsnn_lava.errors import Violation
from hrsnn_lava.hardware_profiles import HardwareProfile, Range
from hrsnn_lava.quantized import QuantizedProjection


def _neuron_field(placed: PlacedNetwork, field: str, advice: str) -> Iterator[Violation]:
    """One violation per population; `advice` may use ``{factor}`` and ``{bits}`` of the excess."""
    allowed: Range = getattr(placed.profile.fields, field)
    for population in placed.network.compute_populations:
        values = population.parameter(field).astype(np.int64)
        outside = _outside(values, allowed)
        if not outside.size:
            continue
        bound = max(abs(allowed.low or 0), abs(allowed.high or 0), 1)
        excess = float(np.abs(values[outside]).max()) / bound
        first = int(outside[0])
        yield Violation(
            f"{field}_range",
            f"population {population.name!r}, neuron {first}",
            f"{field} {values[first]} ({outside.size} of {values.size} outside)",
            f"{allowed.low}..{allowed.high}",
            advice.format(factor=excess, bits=max(1, int(np.ceil(np.log2(excess))))),
        )


def du_range(placed: PlacedNetwork) -> Iterator[Violation]:
    """The decay du of every neuron's current is in range."""
    yield from _neuron_field(placed, "du", "change tau_syn or dt")


def dv_range(placed: PlacedNetwork) -> Iterator[Violation]:
    """The decay dv of every neuron's potential is in range."""
    yield from _neuron_field(placed, "dv", "change tau_mem or dt")


def vth_range(placed: PlacedNetwork) -> Iterator[Violation]:
    """The threshold of every neuron is in range."""
    yield from _neuron_field(placed, "vth", "lower the weight scale by {factor:.3g}")


def bias_mant_range(placed: PlacedNetwork) -> Iterator[Violation]:
    """The mantissa of every neuron's bias is in range."""
    yield from _neuron_field(placed, "bias_mant", "raise bias_exp by {bits}")


def bias_exp_range(placed: PlacedNetwork) -> Iterator[Violation]:
    """The exponent of every neuron's bias is in range."""
    yield from _neuron_field(placed, "bias_exp", "put the scale into bias_mant")


def refractory_range(placed: PlacedNetwork) -> Iterator[Violation]:
    """The refractory period of every neuron is in range."""
    yield from _neuron_field(placed, "refractory", "shorten the refractory period, or raise dt")


def _outside(values: Any, allowed: Range) -> NDArray[np.int64]:
    array = np.atleast_1d(np.asarray(values, dtype=np.int64))
    if allowed.low is None or allowed.high is None:
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero((array < allowed.low) | (array > allowed.high))


def _synaptic(placed: PlacedNetwork) -> Iterator[QuantizedProjection]:
    return (p for p in placed.network.projections if p.target == "synapse")


def _synapse_field(
    placed: PlacedNetwork,
    name: str,
    allowed: Range,
    value: Callable[[QuantizedProjection], int],
    fix: str,
) -> Iterator[Violation]:
    """One violation per projection whose `value` is outside."""
    for projection in _synaptic(placed):
        if _outside(value(projection), allowed).size:
            yield Violation(
                f"{name}_range",
                f"projection {projection.name!r}",
                f"{name} {value(projection)}",
                f"{allowed.low}..{allowed.high}",
                fix,
            )


def delay_range(placed: PlacedNetwork) -> Iterator[Violation]:
    """The delays of every projection are in range."""
    allowed = placed.profile.fields.delay
    for end, fix in ((np.max, f"clip delays at {allowed.high} steps"), (np.min, "raise delays")):

        def extreme(projection: QuantizedProjection, end: Any = end) -> int:
            return int(end(projection.delay_steps, initial=allowed.low or 0))

        yield from _synapse_field(placed, "delay", allowed, extreme, fix)


def weight_exp_range(placed: PlacedNetwork) -> Iterator[Violation]:
    """The weight exponent of every projection is in range."""
    allowed = placed.profile.fields.weight_exp
    yield from _synapse_field(
        placed, "weight_exp", allowed, lambda p: p.weight_exp, "rescale the weights"
    )


def weight_bits_range(placed: PlacedNetwork) -> Iterator[Violation]:
    """The weights of every projection have a number of bits that the chip can store."""
    allowed = placed.profile.fields.weight_bits
    fix = f"quantize with --weight-bits {allowed.high} or less"
    yield from _synapse_field(placed, "weight_bits", allowed, lambda p: p.num_weight_bits, fix)


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
    """Spikes carry no more payload bits than the chip sends."""
    allowed = placed.profile.fields.message_bits
    for projection in _synaptic(placed):
        if _outside(projection.num_message_bits, allowed).size:
            yield Violation(
                "graded_spikes",
                f"projection {projection.name!r}",
                f"{projection.num_message_bits} payload bits",
                str(allowed.high),
                'encode the input as spikes, or give it target="bias"',
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
