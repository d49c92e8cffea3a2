"""
Memory capacity
===============

How much of a random input does a network still hold, so many samples later? Jaeger's memory
capacity asks a linear readout. It is measured here on the spikes of an integer program, with the
recurrence and without.
"""

import dataclasses

import matplotlib.pyplot as plt
import numpy as np

import hrsnn_lava as hl

# %%
# Network and input
# -----------------
# One channel holds a random value for five steps at a time.

SAMPLES, HOLD, DELAYS, TRAIN = 2400, 5, 12, 1600
spec = hl.Spec.parse({"network": {"size": 200, "connectivity": {"mean_degree": 30.0, "gain": 0.3}}})
network = hl.build_hrsnn(spec, seed=3, n_inputs=1)
rng = np.random.default_rng(11)
shown = rng.uniform(-1.7, 1.7, SAMPLES)


def without_recurrence(full):
    """The same neurons and input, and no synapse between neurons."""
    kept = tuple(p for p in full.projections if p.target == "bias")
    return dataclasses.replace(full, projections=kept)


def features(form):
    """What the readout sees: spikes of each neuron, decayed by a half with every sample."""
    integers = hl.quantize(form)
    scale = integers.population("inp").payload_scale
    inputs = hl.SpikeInput.held(np.rint(scale * shown[:, None]).astype(int), HOLD)
    trace = hl.simulate(integers, inputs)
    counts = np.zeros((SAMPLES, integers.n_neurons))
    np.add.at(counts, (trace.spike_steps // HOLD, trace.spike_neurons), 1)
    for k in range(1, SAMPLES):
        counts[k] += 0.5 * counts[k - 1]
    return np.hstack([counts, np.ones((SAMPLES, 1))])


# %%
# The readout
# -----------
# Ridge regression onto the value of ``k`` samples ago, fitted on the first 1600 samples; the
# squared correlation is of the others.


def memory_curve(x):
    """Squared correlation at delays 0 .. DELAYS."""
    curve = []
    for k in range(DELAYS + 1):
        y = np.roll(shown, k)
        a, b = x[DELAYS:TRAIN], y[DELAYS:TRAIN]
        penalty = 0.1 * np.trace(a.T @ a) / x.shape[1]
        w = np.linalg.solve(a.T @ a + penalty * np.eye(x.shape[1]), a.T @ b)
        curve.append(np.corrcoef(x[TRAIN:] @ w, y[TRAIN:])[0, 1] ** 2)
    return np.array(curve)


forms = {
    "recurrent": features(network),
    "no recurrence": features(without_recurrence(network)),
}
forms["chance"] = rng.permutation(forms["recurrent"])
curves = {name: memory_curve(x) for name, x in forms.items()}

# %%
# The curve
# ---------

figure, axis = plt.subplots(figsize=(7, 3.8), layout="constrained")
for (name, curve), style in zip(curves.items(), ("o-", "s-", "k:"), strict=True):
    axis.plot(curve, style, label=f"{name}: {curve[1:].sum():.2f} values")
axis.set(
    xlabel="samples ago",
    ylabel="squared correlation",
    title="what spikes hold of the input",
    ylim=(0, 1),
)
axis.legend(frameon=False, title="memory capacity, delays 1 to 12")
plt.show()

# %%
# A delay line of five values has a capacity of five, and a network of real numbers of this size
# one of many times that: spikes are a noisy way to remember. What chance gives is the floor below
# which a curve says nothing.
