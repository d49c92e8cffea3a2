"""Records two layers of sinabs or Rockpool whose neurons send several spikes in a step.

``python record_several_spikes.py sinabs|rockpool FOLDER``, in an environment with the framework
(sinabs 3.1.3 with nirtorch 2.0.2 and nir 1.0.4, Rockpool 3.1.0 with nirtorch 2.6 and nir 1.0.8;
torch 2.13.0): writes what `record_frameworks` packs. Both layers are active, so that the recordings
tell what a message of several spikes does to the layer behind.
"""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import torch

INPUTS, HIDDEN, OUTPUTS, STEPS, RATE = 6, 20, 3, 100, 0.3
rng = np.random.default_rng(4)


def tensor(values):
    return torch.tensor(values, dtype=torch.float32)


def written(folder, name, graph, spikes, packages):
    import nir

    nir.write(folder / f"{name}.nir", graph)
    np.savez(folder / f"{name}.npz", **{key: np.asarray(a, int) for key, a in spikes.items()})
    versions = {package: metadata.version(package) for package in (*packages, "nir", "numpy")}
    (folder / f"{name}.json").write_text(json.dumps({"versions": versions}))


def rockpool(folder):
    from rockpool.nn.combinators import Sequential
    from rockpool.nn.modules import LIFTorch, LinearTorch
    from rockpool.nn.modules.torch.nir import to_nir

    def neurons(n):
        return LIFTorch(
            (n,),
            tau_mem=tensor(rng.uniform(0.008, 0.03, n)),
            tau_syn=tensor(rng.uniform(0.003, 0.012, n)),
            bias=torch.zeros(n),
            threshold=tensor(rng.uniform(0.7, 1.3, n)),
            dt=1e-3,
        )

    net = Sequential(
        LinearTorch((INPUTS, HIDDEN), has_bias=False),
        neurons(HIDDEN),
        LinearTorch((HIDDEN, OUTPUTS), has_bias=False),
        neurons(OUTPUTS),
    )
    with torch.no_grad():
        net[0].weight.copy_(tensor(rng.normal(0.05, 0.3, (INPUTS, HIDDEN))))
        net[2].weight.copy_(tensor(rng.normal(0.0, 0.12, (HIDDEN, OUTPUTS))))
        x = rng.random((STEPS, INPUTS)) < RATE
        shown = tensor(x[None])
        out, _, record = net(shown, record=True)
    hidden = record["1_LIFTorch"]["spikes"][0].numpy()
    spikes = {"inputs": x, "hidden": hidden, "output": out[0].numpy()}
    packages = ("rockpool", "nirtorch", "torch")
    written(folder, "rockpool_lif_layers", to_nir(net, shown), spikes, packages)


def sinabs(folder):
    import sinabs.layers
    from sinabs.nir import to_nir

    def lif(n):
        tau, threshold = rng.uniform(3, 20, n), rng.uniform(0.4, 0.9, n)
        return sinabs.layers.LIF(tau_mem=tensor(tau), spike_threshold=tensor(threshold))

    def iaf(n):
        return sinabs.layers.IAF(spike_threshold=torch.ones(n))

    def recorded(name, layer, first, second):
        net = torch.nn.Sequential(
            torch.nn.Linear(INPUTS, HIDDEN),
            layer(HIDDEN),
            torch.nn.Linear(HIDDEN, OUTPUTS),
            layer(OUTPUTS),
        )
        with torch.no_grad():
            for k, weights in ((0, first((HIDDEN, INPUTS))), (2, second((OUTPUTS, HIDDEN)))):
                net[k].weight.copy_(tensor(weights))
                net[k].bias.copy_(tensor(np.round(rng.normal(0, 0.2, len(weights)) * 16) / 16))
            x = rng.random((STEPS, INPUTS)) < RATE
            shown = tensor(x[None])
            hidden = net[1](net[0](shown))
            out = net[3](net[2](hidden))
        for layer_of_net in (net[1], net[3]):
            layer_of_net.reset_states()
        spikes = {"inputs": x, "hidden": hidden[0].numpy(), "output": out[0].numpy()}
        written(folder, name, to_nir(net, shown), spikes, ("sinabs", "nirtorch", "torch"))

    recorded(
        "sinabs_lif_layers", lif, lambda s: rng.normal(1, 4, s), lambda s: rng.normal(0.2, 2.5, s)
    )
    # in quarters: potentials meet their threshold exactly
    recorded(
        "sinabs_iaf",
        iaf,
        lambda s: np.round(rng.normal(0.1, 0.5, s) * 4) / 4,
        lambda s: np.round(rng.normal(0.2, 0.5, s) * 4) / 4,
    )


if __name__ == "__main__":
    {"sinabs": sinabs, "rockpool": rockpool}[sys.argv[1]](Path(sys.argv[2]))
