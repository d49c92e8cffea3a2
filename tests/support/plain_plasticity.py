"""Pair STDP in plain NumPy: the readable twin of `hrsnn_lava.sim_backends.floating.kernels`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.network import Network, Projection
from hrsnn_lava.plasticity import STDP

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]


class PlainSynapses:
    """One projection that learns: a trace pair and the rule at every synapse, in CSR order.

    Attributes:
        magnitude: |weights| now, (nnz,).
    """

    def __init__(self, network: Network, projection: Projection) -> None:
        count, csr, dt = projection.n_synapses, projection.weights, network.dt
        rule = projection.plasticity or STDP(0.0, 0.0)
        self.post = np.repeat(np.arange(csr.shape[0]), np.diff(csr.indptr))
        self.pre = csr.indices
        self.sign = np.sign(csr.data)
        self.a_plus, self.a_minus = (rule.values(f, count) for f in ("a_plus", "a_minus"))
        self.keep_x = np.exp(-dt / rule.values("tau_plus", count))
        self.keep_y = np.exp(-dt / rule.values("tau_minus", count))
        self.w_max = rule.values("w_max", count)
        self.magnitude = np.minimum(np.abs(csr.data), self.w_max)
        self.x, self.y = np.zeros(count), np.zeros(count)
        self.n_post = csr.shape[0]

    @property
    def weights(self) -> Float:
        """Signed weights, (nnz,)."""
        return np.asarray(self.sign * self.magnitude)

    def current(self, sent: Float) -> Float:
        """What a step's spikes `sent` (n_pre,) give each target, (n_post,)."""
        values = self.weights * sent[self.pre]
        total = np.bincount(self.post, weights=values, minlength=self.n_post)
        return np.asarray(total, dtype=np.float64)

    def learn(self, pre: Bool, post: Bool) -> None:
        """Take in the spikes of one step, (n_pre,) and (n_post,)."""
        before, after = pre[self.pre], post[self.post]
        self.x = self.x * self.keep_x + before
        self.y = self.y * self.keep_y + after
        change = self.a_plus * self.x * after - self.a_minus * self.y * before
        moved = before | after
        learned = np.clip(self.magnitude + change, 0.0, self.w_max)
        self.magnitude = np.where(moved, learned, self.magnitude)


def plain_run(network: Network, inputs: Float, bias: Float) -> tuple[Bool, dict[str, Float]]:
    """Run a whole network from rest, learning, step by step.

    Args:
        network: without delays.
        inputs: (T, n_inputs) value that every channel sends in every step, 0 for none.
        bias: (n_neurons,) constant currents, held inputs included.

    Returns:
        spikes (T, n_neurons), and the weights of every projection (nnz,).
    """
    n, dt = network.n_neurons, network.dt
    leak = -np.expm1(-dt / network.gather("tau_mem"))
    with np.errstate(divide="ignore"):
        keep_i = np.exp(-dt / network.gather("tau_syn"))
    refractory = np.rint(network.gather("refractory") / dt)
    synapses: list[tuple[Any, PlainSynapses, slice, slice]] = []
    for projection in network.projections:
        if projection.target == "synapse":
            pre, post = (network.population(p) for p in (projection.pre, projection.post))
            first = network.offset(pre.name) + (n if pre.is_input else 0)
            to = network.offset(post.name)
            synapses.append(
                (
                    projection,
                    PlainSynapses(network, projection),
                    slice(first, first + pre.size),
                    slice(to, to + post.size),
                )
            )
    current, potential, waiting, arriving = (np.zeros(n) for _ in range(4))
    spikes = np.zeros((len(inputs), n), dtype=np.bool_)
    for t, values in enumerate(inputs):
        current = keep_i * current + arriving
        potential = (1.0 - leak) * potential + leak * (bias + current)
        potential[waiting > 0] = 0.0
        fired = potential > network.gather("v_threshold")
        waiting = np.where(fired, refractory, np.maximum(waiting - 1, 0))
        potential[fired] = 0.0
        spikes[t] = fired
        sent = np.concatenate([fired, values])
        arriving = np.zeros(n)
        for projection, part, source, target in synapses:
            arriving[target] += part.current(sent[source])
            if projection.plasticity is not None:
                part.learn(sent[source] != 0, fired[target])
    return spikes, {projection.name: part.weights for projection, part, _, _ in synapses}
