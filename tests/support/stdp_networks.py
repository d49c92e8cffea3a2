"""Networks for tests of plasticity: one synapse whose ends fire when told, and recurrent ones."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from hrsnn_lava.network import LIF, Input, Network, Population, Projection
from hrsnn_lava.plasticity import STDP
from hrsnn_lava.trace import SpikeInput

DT = 1e-3


def commanded(rule, weights, n_post=1, delays=None):
    """Inputs ``pre`` onto neurons that fire one step after their channel of ``force`` sends."""
    weights = np.atleast_2d(np.asarray(weights, dtype=np.float64))
    neuron = LIF(0.020, tau_syn=0.0, v_threshold=1000.0)
    strong = sparse.identity(n_post) * 1e6
    return Network(
        DT,
        (
            Population("pre", weights.shape[1], Input()),
            Population("force", n_post, Input()),
            Population("post", n_post, neuron),
        ),
        (
            Projection("learns", "pre", "post", weights, delays=delays, plasticity=rule),
            Projection("commands", "force", "post", strong),
        ),
    )


def commands(pre, post, steps):
    """Spikes of the inputs and of the neurons, as {index: [steps]}, for `commanded`."""
    n_pre, n_post = max(pre, default=0) + 1, max(post, default=0) + 1
    events = [(t, j) for j, times in pre.items() for t in times]
    events += [(t - 1, n_pre + i) for i, times in post.items() for t in times]
    at, who = np.array(sorted(events)).reshape(-1, 2).T
    return SpikeInput(at, who, steps, n_pre + n_post)


def gamma_rule(rng, n, a_plus, tau=0.020, ratio=1.05, w_max=None, shape=3.0):
    """A rule with parameters of its own at every synapse."""
    values = [m * rng.gamma(shape, 1 / shape, n) for m in (a_plus, a_plus * ratio, tau, tau)]
    return STDP(*values, w_max)


def recurrent(seed, n=40, density=0.3, het=False, weight=0.2, amplitude=0.02, n_inputs=10):
    """Excitatory and inhibitory neurons; all synapses but exc_inh learn; bias below threshold."""
    rng = np.random.default_rng(seed)
    n_exc = n * 4 // 5
    sizes = {"inp": n_inputs, "exc": n_exc, "inh": n - n_exc}

    def make(pre, post, factor):
        drawn = factor * weight * rng.gamma(2, 0.5, (sizes[post], sizes[pre]))
        matrix = sparse.csr_matrix(
            np.where(rng.random(drawn.shape) < density, drawn, 0.0).reshape(drawn.shape)
        )
        top = 3 * weight * abs(factor)
        rule = STDP(amplitude * top, 1.05 * amplitude * top, 0.020, 0.030, top)
        if het:
            rule = gamma_rule(rng, matrix.nnz, amplitude * top, w_max=top)
        plastic = None if (pre, post) == ("exc", "inh") else rule
        return Projection(f"{pre}_{post}", pre, post, matrix, plasticity=plastic)

    return Network(
        DT,
        (
            Population("inp", n_inputs, Input()),
            Population("exc", n_exc, LIF(0.020, bias=0.9, refractory=0.002), "excitatory"),
            Population("inh", n - n_exc, LIF(0.010, bias=0.9), "inhibitory"),
        ),
        (
            make("inp", "exc", 2.0),
            make("exc", "exc", 1.0),
            make("exc", "inh", 1.0),
            make("inh", "exc", -1.0),
        ),
    ).verify()


def noise(seed, steps, channels, rate=0.05):
    """Bernoulli spikes."""
    active = np.random.default_rng(seed).random((steps, channels)) < rate
    return SpikeInput(*np.nonzero(active), steps, channels)
