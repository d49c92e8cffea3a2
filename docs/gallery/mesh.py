"""
Placement on a mesh
===================

A spike travels from its core to every core that holds one of its targets, router by router. Which
neurons share a core, and where cores are, decides how far. Here a network of sixteen communities
goes onto 32 cores of a Loihi.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection
from scipy import sparse

import hrsnn_lava as hl

# %%
# Communities, shuffled
# ---------------------
# Neurons connect within their community, and to the next one on a ring. Their numbers are shuffled:
# the order of the network says nothing about who talks to whom.

N, COMMUNITIES = 512, 16
rng = np.random.default_rng(5)
community = rng.permutation(np.arange(N) % COMMUNITIES)
apart = (community[:, None] - community[None, :]) % COMMUNITIES
probability = np.where(apart == 0, 0.25, np.where(apart == 1, 0.06, 0.0005))
drawn = sparse.csr_matrix(0.05 * (rng.random((N, N)) < probability))
network = hl.Network(
    dt=1e-3,
    populations=(hl.Population("exc", N, hl.LIF(tau_mem=0.02, bias=1.1), sign="excitatory"),),
    projections=(hl.Projection("exc_exc", "exc", "exc", drawn),),
)

# %%
# Compile
# -------
# ``neurons_per_core`` bounds a core below what its memory holds. The search keeps what the same
# cores would cost elsewhere, and what cores in the order of the neurons would.

compiled = hl.compile(network, "loihi1", neurons_per_core=16, seed=1)
placement = compiled.placement
mapping = placement.info["mapping"]
where = placement.coordinates[compiled.core_of]

# %%
# The mesh
# --------
# A circle is a neuron in the colour of its community; cores of one tile are one place here. A
# line joins tiles that share synapses, the wider the more.

figure, (mesh, bars) = plt.subplots(
    1, 2, figsize=(10, 4), width_ratios=(3, 2), layout="constrained"
)
weights = compiled.network.projection("exc_exc").weights.tocoo()
ends = np.sort(np.stack([compiled.core_of[weights.row], compiled.core_of[weights.col]]), axis=0)
pairs, shared = np.unique(ends[:, ends[0] != ends[1]], axis=1, return_counts=True)
segments = placement.coordinates[pairs.T].astype(float)
mesh.add_collection(
    LineCollection(
        segments, linewidths=5 * np.sqrt(shared / shared.max()), color="tab:gray", alpha=0.35
    )
)
scatter = 0.32 * np.stack([rng.uniform(-1, 1, N), rng.uniform(-1, 1, N)], axis=1)
mesh.scatter(*(where + scatter).T, c=community, cmap="twilight", s=9, zorder=2)
mesh.set(xlabel="x", ylabel="y", title=f"{mapping['cores']} cores", aspect="equal")

names = {
    "neuron_order_row": "neuron order,\nrows of tiles",
    "same_cores_random": "these cores,\nat random",
    "same_cores_row": "these cores,\nrows of tiles",
}
hops = [mapping["baselines"][name]["hops_per_step"] for name in names]
hops.append(mapping["hops_per_step"])
colours = ["tab:gray"] * len(names) + ["tab:green"]
bars.barh([*names.values(), "search"], hops, color=colours)
bars.invert_yaxis()
bars.set(xlabel="router passes a step, every neuron firing once", title="what messages cost")
bars.bar_label(bars.containers[0], fmt="%.0f", padding=3)
bars.margins(x=0.15)
plt.show()

# %%
# Partition and placement save separately: fewer cores per neuron mean fewer messages, and near
# cores mean fewer passes for each.

order = mapping["baselines"]["neuron_order_row"]
print(
    f"messages a step: {mapping['messages_per_step']:.0f}, "
    f"{order['messages_per_step']:.0f} in order"
)
print(f"mean way: {mapping['mean_hops']:.2f} routers, {order['mean_hops']:.2f} in order")
