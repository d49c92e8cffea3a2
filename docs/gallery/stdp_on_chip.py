"""
STDP on the chip against floats
===============================

Spike-timing-dependent plasticity is an exponential of the time between two spikes. On the chip it
is made of traces of 7 bits that decay by chance rounding, and of weights of 8 bits. This example
measures the window that comes out.
"""

import matplotlib.pyplot as plt
import numpy as np

import hrsnn_lava as hl

# %%
# Pairs of spikes
# ---------------
# Neuron ``k`` of ``post`` fires ``lag[k]`` steps after its partner in ``pre``. Both are driven by
# one spike of an input with a large weight; the synapse between them, which learns, is too weak to
# fire anything.

LAGS = np.arange(-40, 41)
N, START, STEPS, WEIGHT = LAGS.size, 60, 120, 100
relay = {"du": 4095, "dv": 4095, "vth": 200}  # fires at once, forgets at once


def pairs(rule):
    """The network, its weights learning by `rule`, none of them negative."""
    diagonal = np.diag(np.full(N, 255))
    return hl.QuantizedNetwork(
        populations=(
            hl.QuantizedInput("inp", 2 * N),
            hl.QuantizedPopulation("pre", N, **relay),
            hl.QuantizedPopulation("post", N, **relay),
        ),
        projections=(
            hl.QuantizedProjection(
                "inp_pre", "inp", "pre", np.hstack([diagonal, 0 * diagonal]), sign_mode="excitatory"
            ),
            hl.QuantizedProjection(
                "inp_post", "inp", "post", np.hstack([0 * diagonal, diagonal]),
                sign_mode="excitatory",
            ),
            hl.QuantizedProjection(
                "learns", "pre", "post", np.diag(np.full(N, WEIGHT)), sign_mode="excitatory",
                learning=rule,
            ),
        ),
    )  # fmt: skip


sent = np.concatenate([np.full(N, START), START + LAGS])
inputs = hl.SpikeInput(sent, np.arange(2 * N), n_steps=STEPS, n_neurons=2 * N)

# %%
# One rule, many seeds
# --------------------
# ``a_plus`` and ``a_minus`` are a mantissa and an exponent of two. A pair is worth ``a * impulse *
# exp(-|lag| / tau)`` in units of the weight. Rounding on the chip is stochastic, one random number
# for a connection in each step, so each run is another sample.

IMPULSE, TAU_PLUS, TAU_MINUS = 64, 12, 24
A_PLUS, A_MINUS = (1, -1), (1, -2)
changes = []
for seed in range(200):
    rule = hl.pair_stdp(A_PLUS, A_MINUS, TAU_PLUS, TAU_MINUS, impulse=IMPULSE, rng_seed=10 * seed)
    trace = hl.simulate(pairs(rule), inputs)
    changes.append(trace.weights["learns"] - WEIGHT)
changes = np.array(changes)

plus = A_PLUS[0] * 2.0 ** A_PLUS[1] * IMPULSE * np.exp(-LAGS / TAU_PLUS)
minus = A_MINUS[0] * 2.0 ** A_MINUS[1] * IMPULSE * np.exp(LAGS / TAU_MINUS)
floats = np.where(LAGS >= 0, plus, 0) - np.where(LAGS <= 0, minus, 0)

# %%
# The window
# ----------
# Spikes of the same step count both ways.

figure, (window, spread) = plt.subplots(
    1, 2, figsize=(9.5, 3.8), width_ratios=(3, 2), layout="constrained"
)
window.axhline(0, color="tab:gray", lw=0.5)
low, high = np.percentile(changes, [5, 95], axis=0)
window.fill_between(LAGS, low, high, alpha=0.25, lw=0, label="90 % of the runs")
window.plot(LAGS, changes.mean(axis=0), ".", label="chip, mean of 200 runs")
window.plot(LAGS, floats, "k:", label="floats")
window.set(
    xlabel="post after pre (steps)",
    ylabel="change of the weight (units)",
    title=rule.equation("dw"),
)
window.legend(frameon=False)
window.title.set_fontsize("small")

near = int(np.flatnonzero(LAGS == 10)[0])
values = np.arange(changes[:, near].min(), changes[:, near].max() + 1)
spread.bar(values, [(changes[:, near] == value).mean() for value in values])
spread.axvline(floats[near], color="k", ls=":")
spread.set(xlabel="change of the weight (units)", ylabel="share of runs", title="lag of 10 steps")
plt.show()

# %%
# The mean keeps to the floats; a single pair of spikes is off by a unit or two. Every backend draws
# the same numbers, so a run is equal bit for bit on all of them.

print(f"mean of all lags: {np.abs(changes.mean(axis=0) - floats).mean():.2f} units off")
print(hl.verify(pairs(rule), inputs).line())
