"""
Energy by cost set
==================

What a run costs on a chip depends on whose prices one believes. One network, compiled for every
chip that has published prices, run on the same input, and priced by each set that describes the
chip.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np

import hrsnn_lava as hl

# %%
# One network, all chips
# ----------------------
# ``compare`` compiles, runs and prices. A row that has no price, or that does not fit, says so.

warnings.simplefilter("ignore", hl.FindingWarning)  # some potentials saturate, 2 % of the time
spec = hl.Spec.parse({"network": {"size": 200, "connectivity": {"mean_degree": 20.0, "gain": 0.5}}})
network = hl.build_hrsnn(spec, seed=3)
rng = np.random.default_rng(0)
curves = np.sin(np.linspace(0, 20, 100)[:, None] + rng.uniform(0, 6, network.n_inputs))
inputs = hl.SpikeInput.held(np.rint(1024 * curves).astype(int), steps_per_sample=10)
comparison = hl.compare(network, inputs=inputs)
priced = [row for row in comparison.rows if row.dynamic_j]
for row in comparison.rows:
    if not row.dynamic_j:
        print(f"{row.profile}: {row.reason or ', '.join(row.unpriced)}")

# %%
# What is behind each figure
# --------------------------
# A report lists the terms: a count, a price, and where the price is from. Both sets of Loihi 1 are
# taken apart here.

compiled = hl.compile(network, "loihi1")
trace = hl.simulate(compiled, inputs)
sets = ("davies2018", "sanafe_loihi")
energies = {name: hl.report(compiled, trace, cost_set=name).to_dict()["energy"] for name in sets}

figure, (chips, terms) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
colours = {False: "tab:blue", True: "tab:orange"}
labels = [f"{row.profile}\n{row.cost_set}" for row in priced]
values = [1e6 * row.dynamic_j for row in priced]
chips.barh(labels, values, color=[colours[row.proxy] for row in priced])
chips.set(xscale="log", xlabel="dynamic energy of 1000 steps (µJ)", title="by chip and cost set")
chips.invert_yaxis()
for proxy, text in ((False, "prices of this chip"), (True, "prices of another chip")):
    if any(row.proxy == proxy for row in priced):
        chips.barh(labels[:1], [0], color=colours[proxy], label=text)
chips.legend(frameon=False, fontsize="small")

shown = sorted({t["name"] for e in energies.values() for t in e["terms"] if t["energy_j"]})
for k, (name, energy) in enumerate(energies.items()):
    by_name = {t["name"]: t["energy_j"] or 0.0 for t in energy["terms"]}
    heights = [1e6 * by_name.get(term, 0.0) for term in shown]
    terms.barh(np.arange(len(shown)) + 0.4 * k - 0.2, heights, 0.4, label=name)
terms.set_yticks(np.arange(len(shown)), shown)
terms.set(xlabel="µJ", title="Loihi 1, term by term")
terms.legend(frameon=False)
plt.show()

# %%
# No bar ranks a chip. Sets differ in what they include, their evidence differs too, and static
# power is left out here, which is larger than all of this on a network so small.

for row in priced:
    print(f"{row.profile:12s} {row.cost_set:24s} {row.scope:12s} {', '.join(row.evidence)}")
static, dynamic = (energies["sanafe_loihi"][key] for key in ("static_j", "dynamic_j"))
print(f"Loihi 1: static {1e3 * static:.1f} mJ, dynamic {1e3 * dynamic:.3f} mJ")
