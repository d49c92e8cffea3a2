"""
Pruning methods compared
========================

Four ways to keep a tenth of the synapses of one network: what each does to the rates of its
neurons, and what it costs once the rates are back.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np

import hrsnn_lava as hl
from hrsnn_lava.compiler.passes.prune_lyapunov import PruneLyapunov
from hrsnn_lava.compiler.passes.prune_magnitude import PruneMagnitude
from hrsnn_lava.compiler.passes.prune_random import PruneRandom
from hrsnn_lava.compiler.pruning.rescale import Rescale

DENSITY, SEED = 0.1, 7
warnings.simplefilter("ignore", hl.FindingWarning)  # a few of hundreds of weights become 0
spec = hl.Spec.parse({"network": {"size": 300, "connectivity": {"mean_degree": 30, "gain": 0.1}}})
network = hl.build_hrsnn(spec, seed=SEED)
methods = {
    "LNP": PruneLyapunov(DENSITY, seed=SEED),
    "random": PruneRandom(DENSITY, seed=SEED),
    "random, no gains": PruneRandom(DENSITY, rescale=Rescale("none"), seed=SEED),
    "magnitude": PruneMagnitude(DENSITY),
}

# %%
# The same input for all
# ----------------------
# Three held channels follow slow random curves.

rng = np.random.default_rng(2)
curves = rng.normal(size=(100, network.n_inputs)).cumsum(axis=0)
curves /= np.abs(curves).max()
inputs = hl.SpikeInput.held(np.rint(1024 * curves).astype(int), steps_per_sample=10)


def spikes(form):
    """Spikes of every neuron, as integers."""
    return hl.simulate(hl.quantize(form), inputs).counts()


dense = spikes(network)
pruned = {name: method.apply(network)[0] for name, method in methods.items()}
at_once = {name: spikes(form) for name, form in pruned.items()}

# %%
# Bring the rates back
# --------------------
# Pruning takes away a recurrence that is inhibitory on the whole, so most neurons fire more. One
# number a neuron undoes that: its bias goes up where it fires less than before, and down where it
# fires more. A ``run`` of the command line does the same.


def homeostasis(form, passes=25):
    """The network with biases that bring its spike counts back."""
    bias = form.gather("bias")
    for _ in range(passes):
        error = np.log((dense + 1) / (spikes(form.with_biases(bias)) + 1))
        bias = bias + np.clip(0.25 * error, -0.3, 0.3)
    return form.with_biases(bias)


settled = {name: homeostasis(form) for name, form in pruned.items()}
later = {name: spikes(form) for name, form in settled.items()}

# %%
# Rates before and after
# ----------------------
# A neuron on the diagonal fires as it did with all synapses.

figure, axes = plt.subplots(2, 4, figsize=(10, 5.6), sharex=True, sharey=True, layout="constrained")
for row, counts, label in zip(axes, (at_once, later), ("at once", "rates back"), strict=True):
    for axis, (name, count) in zip(row, counts.items(), strict=True):
        axis.plot([1, 1001], [1, 1001], color="tab:gray", lw=1)
        axis.scatter(dense + 1, count + 1, s=5)
        off = np.abs(count - dense).sum() / dense.sum()
        axis.set(title=f"{name}: {100 * off:.0f} % off", xscale="log", yscale="log")
    row[0].set_ylabel(f"spikes + 1, {label}")
for axis in axes[1]:
    axis.set_xlabel("spikes + 1, dense")
plt.show()

# %%
# What is saved
# -------------
# A synaptic operation is one weight that one spike fetches; ``count`` keeps them without a trace.


def operations(form):
    """Operations of synapses between neurons."""
    return hl.count(hl.quantize(form), inputs).ops.recurrent


whole = operations(network)
print(f"all synapses      {network.n_synapses:6,d} synapses  {whole:8,d} operations")
for name, form in settled.items():
    used = operations(form)
    print(
        f"{name:17s} {form.n_synapses:6,d} synapses  {used:8,d} operations, "
        f"{whole / used:.1f} x less"
    )

# %%
# Where only rates count, rates that are back make the methods much alike. The largest weights come
# from busy neurons here: magnitude keeps the dynamics best, and saves the least.
