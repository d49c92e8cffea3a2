"""
Time constants of many neurons
==============================

A spiking neuron forgets exponentially. A population whose neurons forget at different speeds, taken
together, does not: its mean response has a long tail. This example shows both in the integers of a
chip, against the closed form.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np

import hrsnn_lava as hl

# %%
# One pulse into every neuron
# ---------------------------
# One input channel sends one spike to every neuron. Thresholds are far away, so potentials are all
# there is to see. ``tau_syn=0`` switches the filter of the synapse off.

STEPS, PULSE = 200, 20
warnings.simplefilter("ignore", hl.FindingWarning)  # that no neuron fires is meant
rng = np.random.default_rng(4)


def response(tau_mem):
    """Potentials after one pulse, (STEPS, n), in units of the peak of each neuron."""
    neurons = hl.LIF(tau_mem=tau_mem, tau_syn=0.0, v_threshold=1.0)
    # (1 - beta) w is the jump of the potential: 0.9 of the threshold for every neuron
    jump = 0.9 / -np.expm1(-1e-3 / tau_mem)
    network = hl.Network(
        dt=1e-3,
        populations=(
            hl.Population("inp", 1, hl.Input()),
            hl.Population("exc", tau_mem.size, neurons),
        ),
        projections=(hl.Projection("inp_exc", "inp", "exc", jump[:, None]),),
    )
    integers = hl.quantize(network)
    pulse = hl.SpikeInput(np.array([PULSE]), np.array([0]), n_steps=STEPS, n_neurons=1)
    v = hl.simulate(integers, pulse, probes=("v",)).v
    return v / v.max(axis=0)


# %%
# Few neurons, then many
# ----------------------
# A gamma distribution of shape 3 is what the papers on heterogeneous networks draw from.

few = np.array([0.003, 0.010, 0.030, 0.090])
many = rng.gamma(3.0, 0.010, 400).clip(0.002, 0.2)
t = np.arange(STEPS) - PULSE - 1  # a spike arrives a step after it is sent
after = t >= 0

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for tau, v in zip(few, response(few).T, strict=True):
    (line,) = left.plot(t[after], v[after], label=f"{1e3 * tau:.0f} ms")
    left.plot(t[after], np.exp(-t[after] * 1e-3 / tau), "k:", lw=1)
left.set(xlabel="ms after the pulse", ylabel="potential / peak", title="one neuron each")
left.legend(title="time constant", frameon=False)

mean_response = response(many).mean(axis=1)
common = response(np.full(400, many.mean())).mean(axis=1)
right.semilogy(t[after], mean_response[after], label="400 time constants")
right.semilogy(t[after], common[after], label=f"all {1e3 * many.mean():.0f} ms")
right.set(xlabel="ms after the pulse", title="mean of a population", ylim=(1e-3, 1.2))
right.legend(frameon=False)
plt.show()

# %%
# The dotted lines are ``exp(-t / tau)``. On the right, a straight line is what one time constant
# gives; the mixture falls faster at first and lingers.

error = np.abs(response(few)[after] - np.exp(-t[after, None] * 1e-3 / few)).max(axis=0)
for tau, largest in zip(few, error, strict=True):
    print(f"{1e3 * tau:3.0f} ms: integers within {100 * largest:.2f} % of the closed form")
