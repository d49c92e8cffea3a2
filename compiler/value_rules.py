"""Design rules about single values: fields, weights, payloads, learning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.placed import Placed, Rule, Violation
from hrsnn_lava.hardware_profiles import HardwareProfile, Range
from hrsnn_lava.quantized import QuantizedProjection


def neuron_fields(placed: Placed) -> Iterator[Violation]:
    """du, dv, vth, bias and refractory period of every neuron are in the range of their field."""
    advice = {
        "du": "change tau_syn or dt",
        "dv": "change tau_mem or dt",
        "vth": "lower the weight scale by {factor:.3g}",
        "bias_mant": "raise bias_exp by {bits}",
        "bias_exp": "put the scale into bias_mant",
        "refractory": "shorten the refractory period, or raise dt",
    }
    for population in placed.network.compute_populations:
        for field, text in advice.items():
            allowed: Range = getattr(placed.profile.fields, field)
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
                f"{values[first]} ({outside.size} of {values.size} outside)",
                f"{allowed.low}..{allowed.high}",
                text.format(factor=excess, bits=max(1, int(np.ceil(np.log2(excess))))),
            )


def _outside(values: Any, allowed: Range) -> NDArray[np.int64]:
    array = np.atleast_1d(np.asarray(values, dtype=np.int64))
    if allowed.low is None or allowed.high is None:
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero((array < allowed.low) | (array > allowed.high))


def _synaptic(placed: Placed) -> Iterator[QuantizedProjection]:
    return (p for p in placed.network.projections if p.target == "synapse")


def synapse_fields(placed: Placed) -> Iterator[Violation]:
    """Delay, weight exponent and weight bits of every projection are in range."""
    fields = placed.profile.fields
    for projection in _synaptic(placed):
        delay = int(projection.delay_steps.max(initial=0))
        low_delay = int(projection.delay_steps.min(initial=0))
        for name, value, allowed, fix in (
            ("delay", delay, fields.delay, f"clip delays at {fields.delay.high} steps"),
            ("delay", low_delay, fields.delay, "make delays >= 0"),
            ("weight_exp", projection.weight_exp, fields.weight_exp, "rescale the weights"),
            (
                "weight_bits",
                projection.num_weight_bits,
                fields.weight_bits,
                f"quantize to {fields.weight_bits.high} bits",
            ),
        ):
            if _outside(value, allowed).size:
                yield Violation(
                    f"{name}_range",
                    f"projection {projection.name!r}",
                    str(value),
                    f"{allowed.low}..{allowed.high}",
                    fix,
                )


def weight_grid(placed: Placed) -> Iterator[Violation]:
    """Every weight is one that its bits and sign mode can hold, so that storing it changes nothing.

    Lava clips and truncates without a word; here a weight that would change is an error.
    """
    for projection in _synaptic(placed):
        if projection.learning is not None:
            continue  # learned weights have 8 bits and a sign whatever the grid of the first ones
        kept = projection.effective_weights().data
        wrong = np.flatnonzero(kept != projection.weights.data)
        if not wrong.size:
            continue
        low, high = projection.sign_mode.limits
        mixed = projection.sign_mode.value == "mixed"
        step = 1 << (8 - projection.num_weight_bits + mixed)
        first = int(wrong[0])
        yield Violation(
            "weight_grid",
            f"projection {projection.name!r}",
            f"{wrong.size} of {kept.size} weights off the grid, such as "
            f"{projection.weights.data[first]} (would act as {kept[first]})",
            f"{low}..{high} in steps of {step}",
            "store effective_weights()"
            + (", or split the projection by sign to keep the last bit" if mixed else ""),
        )


def graded_spikes(placed: Placed) -> Iterator[Violation]:
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


def learning(placed: Placed) -> Iterator[Violation]:
    """Learning is asked only of a chip that learns."""
    names = [p.name for p in _synaptic(placed) if p.learning is not None]
    yield from refused_learning(placed.profile, names)


def refused_learning(profile: HardwareProfile, names: Iterable[str]) -> Iterator[Violation]:
    """One violation for each of the projections `names`, where the chip cannot learn."""
    if profile.features.learning.value is not False:
        return
    for name in names:
        yield Violation(
            "learning",
            f"projection {name!r}",
            "a learning rule",
            f"no learning on {profile.name}",
            "train off the chip and freeze the weights",
        )


VALUE_RULES: tuple[Rule, ...] = (
    neuron_fields,
    synapse_fields,
    weight_grid,
    graded_spikes,
    learning,
)
