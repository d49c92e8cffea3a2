"""The networks of all benchmarks: random, balanced, every neuron with its own parameters.

80 % of the neurons are excitatory. Mean excitation and mean inhibition cancel, so the bias sets
the rate: the default range gives about 3 % of the neurons in a step at N = 1000 and 5000.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from hrsnn_lava import QuantizedNetwork, QuantizedPopulation, QuantizedProjection, Trace
from hrsnn_lava.chip_learning import Learning, LearningRule
from hrsnn_lava.quantized import SignMode
from hrsnn_lava.seeding import generator

#: Density of the standard case of each size.
CASES = {1000: 0.10, 5000: 0.05}


def network(
    n: int,
    p: float,
    seed: int = 0,
    *,
    bias: tuple[int, int] = (1800, 3600),
    rule: LearningRule | None = None,
    plastic_sign: SignMode = SignMode.EXCITATORY,
) -> QuantizedNetwork:
    """A balanced network with per-neuron decays, thresholds and biases.

    Args:
        n: number of neurons.
        p: density; pairs that are drawn twice are merged, so slightly fewer synapses come out.
        seed: of everything that is drawn.
        bias: range of ``bias_mant``; it sets the rate.
        rule: learning rule of all recurrent excitatory synapses; None for fixed ones.
        plastic_sign: sign mode of these synapses, excitatory or mixed.
    """
    rng = generator(seed, f"benchmark/{n}")
    sizes = {"exc": round(0.8 * n), "inh": n - round(0.8 * n)}
    populations = [
        QuantizedPopulation(
            name,
            size,
            du=rng.integers(700, 900, size),
            dv=rng.integers(150, 400, size),
            vth=rng.integers(3000, 6000, size),
            bias_mant=rng.integers(*bias, size),
            bias_exp=3,
        )
        for name, size in sizes.items()
    ]
    projections = []
    for pre, n_pre in sizes.items():
        for post, n_post in sizes.items():
            count = rng.binomial(n_pre * n_post, p)
            weight = rng.integers(1, 12, count) if pre == "exc" else -rng.integers(4, 48, count)
            places = (rng.integers(0, n_post, count), rng.integers(0, n_pre, count))
            matrix = sparse.coo_matrix((weight, places), shape=(n_post, n_pre)).tocsr()
            learning = None if rule is None or pre == "inh" else Learning((rule,))
            sign = SignMode.EXCITATORY if pre == "exc" else SignMode.INHIBITORY
            projections.append(
                QuantizedProjection(
                    f"{pre}_{post}",
                    pre,
                    post,
                    matrix,
                    0,
                    sign if learning is None else plastic_sign,
                    learning=learning,
                )
            )
    return QuantizedNetwork(tuple(populations), tuple(projections)).verify()


def columns(net: QuantizedNetwork) -> sparse.csc_matrix:
    """All synapses as one CSC matrix (n_neurons, n_neurons), weights as they act."""
    n = net.n_neurons
    total = sparse.csr_matrix((n, n), dtype=np.int32)
    for projection in net.projections:
        coo = projection.effective_weights().tocoo()
        rows = coo.row + net.offset(projection.post)
        cols = coo.col + net.offset(projection.pre)
        total = total + sparse.csr_matrix((coo.data, (rows, cols)), shape=(n, n), dtype=np.int32)
    return total.tocsc()


def synaptic_events(net: QuantizedNetwork, trace: Trace) -> int:
    """Spikes times fan-out of the whole run: what every figure per event is divided by."""
    fan_out = np.diff(columns(net).indptr)
    return int(fan_out[trace.spike_neurons].sum())


def as_arrays(net: QuantizedNetwork) -> dict[str, Any]:
    """The network as plain arrays, for programs that know nothing of this package.

    One value per neuron (N,): ``keep_u``, ``keep_v`` (what remains in a step, in 1/4096),
    ``threshold`` and ``bias`` in units of the potential. One value per synapse: ``pre``,
    ``post`` (global), ``weight``, ``plastic``.
    """
    pre, post, weight, plastic = [], [], [], []
    for projection in net.projections:
        coo = projection.effective_weights().tocoo()
        pre.append(coo.col + net.offset(projection.pre))
        post.append(coo.row + net.offset(projection.post))
        weight.append(coo.data)
        plastic.append(np.full(coo.nnz, projection.learning is not None))
    return {
        "keep_u": 4095 - net.gather("du"),
        "keep_v": 4096 - net.gather("dv"),
        "threshold": net.gather("vth") << 6,
        "bias": net.gather("bias_mant") << net.gather("bias_exp"),
        "pre": np.concatenate(pre).astype(np.int32),
        "post": np.concatenate(post).astype(np.int32),
        "weight": np.concatenate(weight).astype(np.int32),
        "plastic": np.concatenate(plastic),
    }
