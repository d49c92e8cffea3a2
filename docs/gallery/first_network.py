"""
A first network
===============

A hundred excitatory and 25 inhibitory neurons, each excitatory one with a time constant of its own.
The network is written in seconds and floats; what runs is the integer program of a chip.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy import sparse

import hrsnn_lava as hl

# %%
# Populations and projections
# ---------------------------
# Weights are sparse matrices of shape ``(n_post, n_pre)``. Excitatory and inhibitory neurons are
# populations of their own: a chip keeps more bits of a weight when all weights have one sign.

rng = np.random.default_rng(1)


def weights(n_post, n_pre, mean):
    """A tenth of all pairs, gamma-distributed."""
    pattern = rng.random((n_post, n_pre)) < 0.1
    return sparse.csr_matrix(pattern * rng.gamma(2.0, mean / 2, (n_post, n_pre)))


tau_mem = np.sort(rng.gamma(3.0, 0.010 / 3, 100).clip(0.003, 0.1))  # seconds
inp = hl.Population("inp", 20, hl.Input())
exc = hl.Population("exc", 100, hl.LIF(tau_mem=tau_mem, bias=0.9), sign="excitatory")
inh = hl.Population("inh", 25, hl.LIF(tau_mem=0.005), sign="inhibitory")
network = hl.Network(
    dt=1e-3,
    populations=(inp, exc, inh),
    projections=(
        hl.Projection("inp_exc", "inp", "exc", weights(100, 20, 0.5)),
        hl.Projection("exc_inh", "exc", "inh", weights(25, 100, 0.3), delays=0.002),
        hl.Projection("inh_exc", "inh", "exc", -weights(100, 25, 0.6)),
    ),
)

# %%
# Onto a chip, and run
# --------------------
# ``compile`` makes integers of the floats and gives every neuron a core. It raises a
# ``CapacityError`` with every broken rule if the chip has no room.

compiled = hl.compile(network, "loihi1")
steps, channels = np.nonzero(rng.random((500, 20)) < 0.05)
inputs = hl.SpikeInput(steps, channels, n_steps=500, n_neurons=20)
trace = hl.simulate(compiled, inputs)
print(hl.verify(compiled, inputs).line())

# %%
# The raster
# ----------
# Neurons have one index over all populations but the inputs. Here the excitatory ones are sorted by
# their time constant; the inhibitory ones, in red, are above them.

excitatory = trace.spike_neurons < exc.size
tau_of_spike = 1e3 * tau_mem[trace.spike_neurons[excitatory]]

figure, (raster, rates) = plt.subplots(
    1, 2, figsize=(9, 4), sharey=True, width_ratios=(4, 1), layout="constrained"
)
dots = raster.scatter(
    trace.spike_steps[excitatory],
    trace.spike_neurons[excitatory],
    c=tau_of_spike,
    s=4,
    cmap="viridis",
    label="excitatory",
)
raster.scatter(
    trace.spike_steps[~excitatory],
    trace.spike_neurons[~excitatory],
    color="tab:red",
    s=4,
    label="inhibitory",
)
raster.set(xlabel="step (1 ms)", ylabel="neuron", title=f"{trace.n_spikes:,} spikes")
rates.barh(
    np.arange(network.n_neurons),
    trace.counts() / 0.5,
    height=1.0,
    color=np.where(np.arange(network.n_neurons) < exc.size, "tab:gray", "tab:red"),
)
rates.set(xlabel="spikes per second")
figure.colorbar(dots, ax=rates, label="membrane time constant (ms)")
plt.show()
