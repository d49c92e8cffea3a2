"""
Quantization of one slow neuron
===============================

A decay on the chip is an integer of 12 bits, ``dv = round(4096 (1 - exp(-dt / tau)))``. Fast
neurons lose nothing by that. A slow one has few values of ``dv`` to choose from: its time constant
moves to the nearest that the grid has.
"""

import dataclasses
import warnings

import matplotlib.pyplot as plt
import numpy as np

import hrsnn_lava as hl

# %%
# The grid
# --------
# All time constants from 1 ms to 3 s in one network; what became of them is read from ``dv``.

DT = 1e-3
warnings.simplefilter("ignore", hl.FindingWarning)  # they are the subject of this page
tau = np.geomspace(1e-3, 3.0, 600)
network = hl.Network(
    dt=DT, populations=(hl.Population("n", tau.size, hl.LIF(tau_mem=tau, bias=0.5)),)
)
dv = hl.quantize(network).population("n").dv
tau_chip = -DT / np.log1p(-dv / 4096)

# %%
# One neuron charges
# ------------------
# A constant bias charges a neuron of 1.2 s. The closed form is ``bias (1 - exp(-t / tau))``; it
# stays below the threshold. Integers are shown in the same unit.

SLOW, BIAS, STEPS = 1.2, 0.9, 4000
one = hl.Network(dt=DT, populations=(hl.Population("slow", 1, hl.LIF(tau_mem=SLOW, bias=BIAS)),))
integer = hl.quantize(one)
slow = integer.population("slow")
v = hl.simulate(integer, steps=STEPS, probes=("v",)).v[:, 0]
in_thresholds = v / (int(slow.vth[0]) * 64)  # a threshold is compared at 64 times its mantissa
moved = -DT / np.log1p(-int(slow.dv[0]) / 4096)
t = DT * np.arange(1, STEPS + 1)

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
left.semilogx(1e3 * tau, 100 * (tau_chip / tau - 1), lw=1)
left.axvline(1e3 * SLOW, color="tab:orange", ls="--", lw=1)
left.set(
    xlabel="time constant asked for (ms)",
    ylabel="error on the chip (%)",
    title="the grid of dv",
)
right.plot(t, BIAS * -np.expm1(-t / SLOW), "k:", label=f"closed form, {1e3 * SLOW:.0f} ms")
right.plot(
    t, BIAS * -np.expm1(-t / moved), color="tab:gray", label=f"closed form, {1e3 * moved:.0f} ms"
)
right.plot(t, in_thresholds, color="tab:orange", label=f"integers, dv = {int(slow.dv[0])}")
right.set(xlabel="seconds", ylabel="potential / threshold", title="one slow neuron charges")
right.legend(frameon=False)
plt.show()

# %%
# The integers follow the closed form of the time constant that they have. What each step rounds off
# the potential does not show, since a potential has 23 bits. The 12 bits of the decay do, and no
# scale of the weights mends them. A step of 2 ms doubles every ``dv``: the grid is twice as fine.

closed = BIAS * -np.expm1(-t / moved)
print(f"asked {1e3 * SLOW:.0f} ms, dv = {int(slow.dv[0])}, so {1e3 * moved:.1f} ms")
print(f"integers within {np.abs(in_thresholds - closed).max():.1e} of the grey line")
coarser = hl.quantize(dataclasses.replace(one, dt=2 * DT)).population("slow")
tau_coarser = -2 * DT / np.log1p(-int(coarser.dv[0]) / 4096)
print(f"with steps of 2 ms: dv = {int(coarser.dv[0])}, {1e3 * tau_coarser:.1f} ms")

# %%
# Nobody has to look for this. Where a time constant is more than 5 % off, ``quantize`` warns:

with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always", hl.FindingWarning)
    hl.quantize(one)
print(said[0].message)
