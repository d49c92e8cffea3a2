"""What neurons do together in a run: rates and the covariance of their spike traces.

Scores and rescalings that go by a covariance take that of the network under an input, of the task
or, where that is not known, of random numbers. The traces have the time constant of the synaptic
currents, so that C says of any sum of inputs how much it varies (ours).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.arrays import arrays_on
from hrsnn_lava.compiler.analysis.dynamics.trace_covariance import TraceCovariance
from hrsnn_lava.compiler.context import Observed
from hrsnn_lava.errors import SpecError
from hrsnn_lava.network import Network
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator
from hrsnn_lava.training.simulation import HELD_STEPS, Stimulus, random_blocks

__all__ = ["COVARIANCE_STEPS", "measure_driven", "observe_driven", "trace_tau"]

Floats = NDArray[np.float64]
#: Steps over which a covariance is measured: of random input, and at most of a task's (ours).
COVARIANCE_STEPS = 10_000


def trace_tau(network: Network) -> float:
    """Time constant of the traces in steps: the mean of the neurons' tau_syn, 1 at least (ours)."""
    return max(float(np.mean(network.gather("tau_syn"))) / network.dt, 1.0)


def observe_driven(
    network: Network,
    stimulus: Stimulus,
    *,
    tau_steps: float | None = None,
    washout: int = 0,
) -> Observed:
    """Rates and the covariance of spike traces of a run under an input, from rest.

    A network that learns runs with the weights it has.

    Args:
        network: float, of N neurons.
        stimulus: values that are held, or spikes; the network starts afresh where it says so, and
            the traces with it.
        tau_steps: time constant of the traces; None: see `trace_tau`.
        washout: first steps after each start that count for neither (0: all count).

    Returns:
        ``rates`` (N,), ``input_rates`` of inputs that send spikes, and ``covariance`` (N, N).

    Raises:
        SpecError: `tau_steps` or `washout` out of range, or no step is left.
    """
    simulator = FloatSimulator(network.without_plasticity())
    n, lengths = network.n_neurons, np.diff(stimulus.bounds) * stimulus.block
    gathered = TraceCovariance(n, trace_tau(network) if tau_steps is None else tau_steps)
    if washout < 0 or not (lengths > washout).any():
        longest = int(lengths.max(initial=0))
        raise SpecError(f"washout: {washout}; allowed: 0 to below {longest}, the longest sample")
    counts = np.zeros(n)
    with arrays_on("cpu").reproducible():
        for length, (at, who) in zip(
            lengths.tolist(), stimulus.play_samples(simulator, None), strict=True
        ):
            gathered.restart()
            gathered.add(at, who, length, washout)
            counts += np.bincount(who[at >= washout], minlength=n)
    rates = counts / float(np.maximum(lengths - washout, 0).sum())
    sent = stimulus.input_rates() if stimulus.spiking else None
    return Observed(rates, sent, covariance=gathered.matrix())


def measure_driven(
    network: Network,
    seed: int,
    steps: int = COVARIANCE_STEPS,
    *,
    tau_steps: float | None = None,
) -> Observed:
    """The same with the random input of `measure_rates`, over `steps` steps or a few more.

    Raises:
        SpecError: `tau_steps` is out of range.
    """
    n, frozen = network.n_neurons, network.without_plasticity()
    gathered = TraceCovariance(n, trace_tau(network) if tau_steps is None else tau_steps)
    counts, first = np.zeros(n), 0
    with arrays_on("cpu").reproducible():
        for at, who in random_blocks(frozen, seed, steps):
            gathered.add(at - np.int32(first), who, HELD_STEPS)
            counts += np.bincount(who, minlength=n)
            first += HELD_STEPS
    return Observed(counts / max(first, 1), covariance=gathered.matrix())
