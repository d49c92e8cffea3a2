"""A run of the float network, for what quantization wants to know of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.context import Observed
from hrsnn_lava.compiler.passes.quantize import Quantize, quantize
from hrsnn_lava.csr import held_drive
from hrsnn_lava.network import Network
from hrsnn_lava.seeding import generator
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator
from hrsnn_lava.sim_backends.native.layout import Events
from hrsnn_lava.trace import SpikeInput

__all__ = ["measure_rates", "observe", "observe_if_needed"]

Floats = NDArray[np.float64]
#: Steps over which `measure_rates` runs, and for how many of them a value is held (ours).
RATE_STEPS, HELD_STEPS = 2000, 20
#: Probability of a spike in a step, for input channels that carry no values (ours).
INPUT_SPIKES = 0.1


def observe(network: Network, inputs: Floats | SpikeInput, steps_per_sample: int = 20) -> Observed:
    """Rates and largest synaptic currents of a run from rest.

    A network that learns runs with the weights it has: they are what is quantized.

    Args:
        inputs: (n, n_inputs) analog samples, each held for `steps_per_sample` steps, or spikes.
    """
    simulator = FloatSimulator(network.without_plasticity())
    n = network.n_neurons
    spikes, peak, steps = np.zeros(n), np.zeros(n), 0
    total = inputs.n_steps if isinstance(inputs, SpikeInput) else len(inputs) * steps_per_sample
    while steps < total:
        count = min(steps_per_sample, total - steps)
        if isinstance(inputs, SpikeInput):
            given, bias = Events.of(inputs, steps, count, n), simulator.bias
        else:
            given = Events.none(count, np.float64)
            bias = simulator.bias + held_drive(network, inputs[steps // steps_per_sample])
        current = np.zeros((count, n))
        _, who = simulator.advance(count, given, bias, np.zeros((count, n)), current)
        spikes += np.bincount(who, minlength=n)
        peak = np.maximum(peak, np.abs(current).max(axis=0, initial=0.0))
        steps += count
    sent = None
    if isinstance(inputs, SpikeInput):
        sent = np.bincount(inputs.neurons, minlength=network.n_inputs) / max(steps, 1)
    return Observed(spikes / max(steps, 1), sent, peak)


def observe_if_needed(
    options: Quantize, network: Network, run: tuple[Floats | SpikeInput, int]
) -> Observed:
    """What a run shows, where the integers depend on it; nothing otherwise.

    That is so where the options ask for one, and where the current might wrap in a worst case
    that costs too much to avoid.

    Args:
        run: inputs and steps per sample, see `observe`.
    """
    if not options.needs_run:
        guards = quantize(network, options)[1]["populations"].values()
        if options.headroom != "auto" or all(p["headroom"] != "open" for p in guards):
            return Observed()
    return observe(network, *run)


def measure_rates(network: Network, seed: int, steps: int = RATE_STEPS) -> Floats:
    """Spikes per step of every neuron, (n_neurons,), with its bias and a seeded random input.

    Channels that carry values get one of N(0, 1) every 20 steps, others spikes with probability
    0.1 a step: our choice, where the task's own input is not known.
    """
    simulator, rng = FloatSimulator(network), generator(seed, "prune/rates")
    n, n_inputs = network.n_neurons, network.n_inputs
    valued = np.zeros(n_inputs, dtype=np.bool_)
    for population in network.input_populations:
        first = network.offset(population.name)
        valued[first : first + population.size] = population.neuron.graded
    counts = np.zeros(n, dtype=np.int64)
    blocks = -(-steps // HELD_STEPS)
    for _ in range(blocks):
        x = rng.standard_normal(n_inputs)
        sent = rng.random((HELD_STEPS, n_inputs)) < INPUT_SPIKES
        sent[:, valued] = False
        sent[:1, valued] = True
        at, channel = np.nonzero(sent)
        value = np.where(valued[channel], x[channel], 1.0)
        starts = np.searchsorted(at, np.arange(HELD_STEPS + 1)).astype(np.int64)
        events = Events(starts, (channel + n).astype(np.int32), value)
        bias = simulator.bias + held_drive(network, x)
        counts += np.bincount(simulator.advance(HELD_STEPS, events, bias)[1], minlength=n)
    return counts / (HELD_STEPS * blocks)
