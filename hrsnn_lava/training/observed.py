"""A run of the float network, for what quantization wants to know of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.passes.quantize import Quantize, quantize
from hrsnn_lava.compiler.quantization.headroom import Observed
from hrsnn_lava.network import Network
from hrsnn_lava.sim_backends.native.layout import Events
from hrsnn_lava.sim_backends.native.simulator import FloatSimulator
from hrsnn_lava.trace import SpikeInput

__all__ = ["observe", "with_run"]

Floats = NDArray[np.float64]


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
            bias = simulator.bias + _drive(network, inputs[steps // steps_per_sample])
        current = np.zeros((count, n))
        _, who = simulator.advance(count, given, bias, np.zeros((count, n)), current)
        spikes += np.bincount(who, minlength=n)
        peak = np.maximum(peak, np.abs(current).max(axis=0, initial=0.0))
        steps += count
    sent = None
    if isinstance(inputs, SpikeInput):
        sent = np.bincount(inputs.neurons, minlength=network.n_inputs) / max(steps, 1)
    return Observed(spikes / max(steps, 1), sent, peak)


def with_run(
    options: Quantize, network: Network, run: tuple[Floats | SpikeInput, int] | None
) -> Quantize:
    """`options` with what a run shows, where something depends on it.

    That is so where the options ask for one, and where the current might wrap in a worst case
    that costs too much to avoid.

    Args:
        run: inputs and steps per sample, see `observe`; None where no run is to be had.
    """
    if run is None:
        return options
    if not options.needs_run:
        kept = quantize(network, options)[1]["populations"].values()
        if options.headroom != "auto" or all(p["headroom"] != "open" for p in kept):
            return options
    return replace(options, observed=observe(network, *run))


def _drive(network: Network, x: Floats) -> Floats:
    """Current into every neuron while `x` (n_inputs,) is held, (n_neurons,)."""
    drive = np.zeros(network.n_neurons)
    for projection in network.projections:
        if projection.target == "bias":
            n_post, n_pre = projection.weights.shape
            post, pre = network.offset(projection.post), network.offset(projection.pre)
            drive[post : post + n_post] += projection.weights @ x[pre : pre + n_pre]
    return drive
