"""Float networks on compiled kernels, for training and for measuring before quantization.

They run `Network`s, not integers, so they are no engine: parity has nothing to compare them with.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.csr import drives
from hrsnn_lava.network import Network
from hrsnn_lava.sim_backends.learning_program import source_offset
from hrsnn_lava.sim_backends.native.layout import (
    Events,
    NetworkState,
    Neurons,
    Spikes,
    Synapses,
    flatten,
)

Float = NDArray[np.float64]


class FloatSimulator(NetworkState):
    """A float network with its state, in the form in which Lava's float LIF computes.

    The potential is kept as v / (1 - beta): ``u = u alpha + a; v = v beta + u + bias``, and the
    threshold is v_threshold / (1 - beta). This is the same dynamics as `network` documents.

    Args:
        network: verified `Network`; its plastic projections act with the weights they have.
        past_steps: steps for which what was sent is kept, if more than the network's own delays
            ask for.

    Attributes:
        bias: (n_neurons,) current biases, may be replaced between runs (homeostasis).
    """

    kind = np.float64

    def __init__(self, network: Network, past_steps: int = 0) -> None:
        self.network = network
        dt, tau_mem, tau_syn = network.dt, network.gather("tau_mem"), network.gather("tau_syn")
        with np.errstate(divide="ignore"):
            keep_u = 1.0 - (1.0 - np.exp(-dt / tau_syn))
        self._leak: Float = 1.0 - np.exp(-dt / tau_mem)
        neurons = Neurons(
            keep_u,
            1.0 - self._leak,
            network.gather("v_threshold") / self._leak,
            np.rint(network.gather("refractory") / dt).astype(np.int32),
        )
        super().__init__(neurons, float_synapses(network), network.n_inputs, past_steps)
        self.bias: Float = network.gather("bias").copy()
        self._drive = _drive_matrix(network)

    def reset(self, rng: np.random.Generator | None = None) -> None:
        """Return to rest; with `rng`, start from random potentials in [0, threshold)."""
        super().reset()
        if rng is not None:
            neurons, potentials = self.run_arrays.neurons, self.run_arrays.potentials
            potentials.v[:] = rng.random(self.n_neurons) * neurons.threshold

    def run(self, x: Float, steps: int) -> Spikes:
        """Hold the analog input `x` (n_inputs,) for `steps` steps; spikes relative to the call."""
        first = self.time
        at, who = self.advance(steps, Events.none(steps, np.float64), self.bias + self._drive @ x)
        return at - np.int32(first), who

    def advance(
        self,
        steps: int,
        events: Events,
        bias: Float,
        out_v: Float | None = None,
        out_u: Float | None = None,
    ) -> Spikes:
        """Run `steps` steps with constant `bias` (n_neurons,); absolute steps and neurons."""
        from hrsnn_lava.sim_backends.floating.kernels import float_steps

        events = events._replace(value=events.value.astype(np.float64))
        out = self.out(steps, out_v, out_u)
        count = int(float_steps(self.time, steps, self.run_arrays, bias, events, out))
        self.time += steps
        return self.written(count)

    @property
    def potential(self) -> Float:
        """Membrane potentials in the network's unit, (n_neurons,)."""
        values: Float = self.run_arrays.potentials.v * self._leak
        return values


def float_synapses(network: Network) -> Synapses:
    """Synapses of a float network by delay; every source sends the value 1 or its payload."""
    n, n_in = network.n_neurons, network.n_inputs
    pieces: dict[int, list[Any]] = {}
    for projection in network.projections:
        if projection.target != "synapse":
            continue
        pre, post = source_offset(network, projection.pre), network.offset(projection.post)
        coo = projection.weights.tocoo()
        steps = np.zeros(coo.nnz, dtype=np.int64)
        if projection.delays is not None:
            steps += np.rint(np.asarray(projection.delays) / network.dt).astype(np.int64)
        for delay in np.unique(steps):
            part = steps == delay
            entry = (coo.data[part], (coo.row[part] + post, coo.col[part] + pre))
            pieces.setdefault(int(delay), []).append(entry)
    matrices = []
    for parts in (pieces[delay] for delay in sorted(pieces)):
        data = np.concatenate([part[0] for part in parts])
        rows, cols = (np.concatenate([part[1][k] for part in parts]) for k in (0, 1))
        matrices.append(sparse.csc_matrix((data, (rows, cols)), shape=(n, n + n_in)))
    zeros = [0] * len(matrices)
    synapses = flatten(matrices, sorted(pieces), zeros, [True] * len(matrices), (n, n + n_in))
    return synapses._replace(weights=synapses.weights.astype(np.float64))


def _drive_matrix(network: Network) -> sparse.csr_matrix:
    """All ``target="bias"`` projections as one (n_neurons, n_inputs) matrix.

    The product is `hrsnn_lava.csr.held_drive`; training asks for it thousands of times.
    """
    total = sparse.csr_matrix((network.n_neurons, network.n_inputs))
    for projection, channels, neurons in drives(network):
        coo = projection.weights.tocoo()
        places = (coo.row + neurons.start, coo.col + channels.start)
        total = total + sparse.csr_matrix((coo.data, places), shape=total.shape)
    return total
