"""What a user has to know of a run: currents that wrapped, potentials at their end, silence."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.operations.activity import Activity
from hrsnn_lava.findings import Finding
from hrsnn_lava.integer_format import NEURON_RANGES, STATE_UNIT, STATE_WRAP
from hrsnn_lava.quantized import HeldInput, QuantizedNetwork, QuantizedPopulation
from hrsnn_lava.trace import SpikeInput, Trace

Int = NDArray[np.int64]
#: Share of neurons and steps at an end of the potential that is more than a note (ours).
_SATURATED = 1e-3


def run_findings(network: QuantizedNetwork, run: Trace | Activity, steps: int) -> Iterator[Finding]:
    """Everything that a user has to know of a run.

    Args:
        network: that was run.
        run: its trace, or its counts. steps: of the run.
    """
    if not steps:
        return
    if isinstance(run, Activity):
        wraps, saturations, spikes = run.wraps_of, run.saturations_of, run.spikes_of
    else:
        wraps, saturations, spikes = run.wraps, run.saturations, run.counts()
    if wraps is None:
        yield Finding(
            "note",
            "run",
            "wraps of currents are not known",
            "the run was recorded without counts of them",
            "simulate it again",
            kind="wraps_not_counted",
        )
    if isinstance(run, Trace) and run.inputs is not None:
        yield from _held_clipped(network, run.inputs, steps)
        yield from _payloads_without_effect(network, run.inputs, steps)
    for population in network.compute_populations:
        first = network.offset(population.name)
        part = slice(first, first + population.size)
        if wraps is not None:
            yield from _wrapped(population, wraps[part], steps)
        if saturations is not None:
            yield from _saturated(population, saturations[part], steps)
        yield from _silent(population, spikes[part], steps)
    if not spikes.any() and _driven(network, run):
        yield Finding(
            "warning",
            "run",
            f"no neuron sent a spike in {steps:,} steps, though something drives them",
            "all operations are those of the input",
            "look at the unit of the input, and at weights that became 0",
            kind="silent_network",
        )


def _payloads_without_effect(
    network: QuantizedNetwork, inputs: SpikeInput, steps: int
) -> Iterator[Finding]:
    """Payloads on channels whose synapses add their weight at a spike, whatever it carries."""
    if inputs.payloads is None:
        return
    inside = (inputs.steps < steps) & (inputs.payloads != 0) & (inputs.payloads != 1)
    for population in network.input_populations:
        sent = [p for p in network.projections if p.pre == population.name]
        # a rule can read payloads, and a held value is one
        if any(p.num_message_bits or p.learning or p.target != "synapse" for p in sent):
            continue
        first = network.offset(population.name)
        own = (inputs.neurons >= first) & (inputs.neurons < first + population.size)
        if count := int((inside & own).sum()):
            yield Finding(
                "warning",
                f"input {population.name!r}",
                f"{count:,} spikes with payloads other than 1",
                "its channels send plain spikes: each is worth 1, and the payload has no effect",
                "leave the payloads out, or build the input with graded=True",
                kind="payload_without_effect",
            )


def _held_clipped(network: QuantizedNetwork, inputs: SpikeInput, steps: int) -> Iterator[Finding]:
    """Held inputs beyond what a bias can hold: the neuron gets less than was asked for."""
    held = HeldInput(network)
    if not held:
        return
    low, high = NEURON_RANGES["bias_mant"]
    clipped, most, values = np.zeros(network.n_neurons, dtype=bool), 1.0, 0
    for payloads in inputs.held_values(steps)[1]:
        totals = held.totals(payloads)
        beyond = (totals < low) | (totals > high)
        if beyond.any():
            clipped |= beyond
            values += 1
            most = max(most, float(np.abs(totals[beyond]).max()) / high)
    if values:
        yield Finding(
            "warning",
            "input",
            f"{values:,} held values ask up to {most:.3g} times the largest bias of "
            f"{np.count_nonzero(clipped):,} of {clipped.size:,} neurons",
            "biases have 13 bits; the rest of the drive is cut off",
            "quantize with an input_range that holds the input (--input-range; 4 by default), or "
            "scale the input down",
            kind="held_input_clipped",
        )


def _driven(network: QuantizedNetwork, run: Trace | Activity) -> bool:
    """Whether there are biases above 0, or events that reach a synapse."""
    if np.any(network.gather("bias_mant") > 0):
        return True
    if isinstance(run, Activity):
        return bool(run.input_events_of.any())
    return run.inputs is not None and run.inputs.steps.size > 0


def _wrapped(population: QuantizedPopulation, wraps: Int, steps: int) -> Iterator[Finding]:
    total = int(wraps.sum())
    if total:
        worst = int(np.argmax(wraps))
        yield Finding(
            "error",
            f"population {population.name!r}",
            f"the current wrapped {total:,} times in {steps:,} steps, at "
            f"{np.count_nonzero(wraps)} of {population.size} neurons, most at neuron {worst}",
            "beyond 24 bits a current changes its sign, and does the opposite of what it should",
            "quantize with headroom 'worst_case', or 'measured' with a run; or drive it less",
            kind="current_wrapped",
        )


def _saturated(population: QuantizedPopulation, saturations: Int, steps: int) -> Iterator[Finding]:
    total = int(saturations.sum())
    if total:
        share = total / (steps * population.size)
        threshold = max(int(population.parameter("vth")[saturations > 0].max()), 1)
        room = f"{STATE_WRAP / STATE_UNIT / threshold:.3g} thresholds"
        end = "its lower end"
        meaning = (
            f"it ends {room} below 0: an inhibited neuron forgets how far below it was, and "
            "recovers too soon"
        )
        fix = "weaken the inhibition"
        if population.reset != "zero":
            end = "an end of its range"
            meaning = f"that is {room} from 0: beyond it, a neuron forgets what it had"
            fix = "weaken what drives or inhibits it"
        yield Finding(
            "warning" if share > _SATURATED else "note",
            f"population {population.name!r}",
            f"the potential was at {end} in {100 * share:.3g} % of neuron steps, at "
            f"{np.count_nonzero(saturations)} of {population.size} neurons",
            meaning,
            fix,
            kind="potential_saturated",
        )


def _silent(population: QuantizedPopulation, spikes: Int, steps: int) -> Iterator[Finding]:
    silent = int(np.count_nonzero(spikes == 0))
    if silent:
        yield Finding(
            "note",
            f"population {population.name!r}",
            f"{silent} of {population.size} neurons sent no spike in {steps:,} steps",
            "they take room on the chip and do nothing in this run",
            kind="silent_neurons",
        )
