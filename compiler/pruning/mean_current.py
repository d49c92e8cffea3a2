"""The mean current of synapses, and biases that make up for what pruning took of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.dynamics.neuron_exponents import decay
from hrsnn_lava.compiler.analysis.dynamics.recurrent import RecurrentEdges, recurrent_edges
from hrsnn_lava.compiler.pruning.surgery import keep_synapses
from hrsnn_lava.network import Network
from hrsnn_lava.resets import require_single_spikes

Float = NDArray[np.float64]


def mean_current(network: Network, edges: RecurrentEdges, weight: Float, rates: Float) -> Float:
    r"""Mean synaptic current of every neuron, (n_neurons,), by some weights of its synapses.

    .. math:: \bar{i}_i = \frac{1}{1 - e^{-dt/\tau_{syn,i}}} \sum_j w_{ij} r_j

    with r in spikes per step: what a current that decays gathers of each spike.

    Args:
        network: whose time constants they are.
        edges: its recurrent synapses.
        weight: (E,) in place of theirs.
        rates: (n_neurons,).

    Raises:
        SpecError: neurons that may send several spikes in a step, which rates count as one.
    """
    require_single_spikes(network, "the mean current of synapses")
    gathered = 1.0 / (1.0 - decay(network.dt, network.gather("tau_syn")))
    sent = np.bincount(edges.post, weight * rates[edges.pre], minlength=edges.n_neurons)
    current: Float = gathered * sent
    return current


def scaled_recurrence(network: Network, gain: float, rates: Float) -> Network:
    """The network with its recurrent weights times `gain` > 0, and the mean current as it was.

    Args:
        network: float.
        gain: of all recurrent weights.
        rates: (n_neurons,) spikes per step at which the current is the same.
    """
    edges = recurrent_edges(network)
    every = np.ones(edges.n_edges, dtype=np.bool_)
    lost = mean_current(network, edges, (1.0 - gain) * edges.weight, rates)
    scaled = keep_synapses(network, edges, every, np.full(edges.n_edges, gain))
    return scaled.with_biases(network.gather("bias") + lost)
