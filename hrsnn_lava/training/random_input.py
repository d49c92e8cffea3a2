"""Random input for a network of any origin, where there is no task to say what it is shown.

Independent from sample to sample, so that what is left of it later can be told (all of it ours):
channels that hold values get them uniform with unit variance, each for a sample; channels that
spike send with probability 0.1 a step; graded ones send an integer from -2 to 2 at the beginning of
every sample.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.network import Network
from hrsnn_lava.seeding import generator
from hrsnn_lava.trace import SpikeInput
from hrsnn_lava.training.simulation import INPUT_SPIKES, Stimulus

__all__ = ["RandomInput", "random_input"]

Floats = NDArray[np.float64]
#: Held values are uniform in +- this, of unit variance; graded ones integers in +- the second.
AMPLITUDE, PAYLOAD = math.sqrt(3.0), 2


@dataclass(frozen=True, eq=False)
class RandomInput:
    """An input that is independent from sample to sample.

    Attributes:
        stimulus: what the network is shown.
        values: (samples, n_inputs) held value, payload, or number of spikes of every channel.
        told: what it is, in words.
    """

    stimulus: Stimulus
    values: Floats
    told: str


def random_input(
    network: Network,
    seed: int,
    samples: int = 2000,
    steps_per_sample: int = 10,
    rates: Floats | None = None,
) -> RandomInput:
    """The random input of a network's channels, see the module.

    Args:
        network: float.
        seed: of the values.
        samples: how many values a channel has.
        steps_per_sample: steps of each.
        rates: (n_inputs,) spikes per step of the channels that spike; None: 0.1 each.

    Raises:
        SpecError: some channels hold values and others send spikes.
    """
    rng = generator(seed, "kept/input")
    n, width, steps = samples, network.n_inputs, steps_per_sample
    ends = [p for p in network.projections if network.population(p.pre).is_input]
    targets = {p.target for p in ends}
    if len(targets) > 1:
        allowed = "inputs of one kind"
        fix = "give all input projections one target, bias or synapse"
        problem = Problem("inputs", "held values and spikes", allowed, fix)
        raise SpecError("no random input fits the network", problems=[problem])
    if "synapse" not in targets:
        values = rng.uniform(-AMPLITUDE, AMPLITUDE, (n, width))
        told = f"uniform in +-{AMPLITUDE:.3g}, held for {steps} steps"
        return RandomInput(Stimulus(values, steps), values, told if width else "none, biases alone")
    graded = _graded(network)
    chance = np.full(width, INPUT_SPIKES) if rates is None else np.clip(rates, 0.0, 1.0)
    sent = rng.random((n * steps, width)) < chance
    sent[:, graded] = False
    payload = rng.integers(-PAYLOAD, PAYLOAD, (n, width), endpoint=True)
    sent[::steps, graded] = payload[:, graded] != 0
    at, channel = np.nonzero(sent)
    values = sent.reshape(n, steps, width).sum(axis=1).astype(np.float64)
    values[:, graded] = payload[:, graded]
    sizes = None
    if graded.any():
        sizes = np.where(graded[channel], payload[at // steps, channel], 1).astype(np.int32)
    spikes = SpikeInput(
        at.astype(np.int32), channel.astype(np.int32), n * steps, width, payloads=sizes
    )
    kinds = []
    if not graded.all():
        shown = f"{INPUT_SPIKES:g}" if rates is None else f"{chance[~graded].mean():.3g} on average"
        kinds.append(f"spikes with probability {shown} a step")
    if graded.any():
        kinds.append(f"payloads -{PAYLOAD} to {PAYLOAD} every {steps} steps")
    return RandomInput(Stimulus(spikes, steps), values, " and ".join(kinds))


def _graded(network: Network) -> NDArray[np.bool_]:
    """Which channels send values with their spikes, (n_inputs,)."""
    graded = np.zeros(network.n_inputs, dtype=np.bool_)
    for population in network.input_populations:
        first = network.offset(population.name)
        graded[first : first + population.size] = population.graded
    return graded
