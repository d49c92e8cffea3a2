"""Records networks of neurons that the other recordings do not have, as `record_frameworks` packs.

``python record_other_neurons.py snntorch|norse|spyx FOLDER``, in an environment with the framework:
snnTorch 1.0.0 or Norse 1.1.0 with nirtorch 2.6 and torch 2.15.0, or Spyx 1.0.0, with nir 1.0.8. All
layers are active. Spyx's pictures are recorded as its file has them: channel, row, column.
"""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path

import numpy as np

INPUTS, HIDDEN, OUTPUTS, STEPS, RATE = 6, 20, 3, 100, 0.3
rng = np.random.default_rng(11)


def uniform(low, high, *shape):
    return rng.uniform(low, high, shape).astype(np.float32)


def normal(sd, *shape):
    return rng.normal(0.1, sd, shape).astype(np.float32)


def events(*shape):
    return (rng.random((STEPS, *shape)) < RATE).astype(np.float32)


def written(folder, name, graph, spikes, packages):
    import nir

    nir.write(folder / f"{name}.nir", graph)
    flat = {key: np.asarray(a, int).reshape(len(a), -1) for key, a in spikes.items()}
    np.savez(folder / f"{name}.npz", **flat)
    versions = {package: metadata.version(package) for package in (*packages, "nir", "numpy")}
    (folder / f"{name}.json").write_text(json.dumps({"versions": versions}))


def linear(n, m, sd, bias=True):
    import torch

    layer = torch.nn.Linear(n, m, bias=bias)
    layer.weight.data = torch.tensor(normal(sd, m, n))
    return layer


def snntorch(folder):
    import torch
    from snntorch import RLeaky, Synaptic
    from snntorch.export_nir import export_to_nir

    def parameters(n, *names):
        ranges = {"alpha": (0.1, 0.9), "beta": (0.1, 0.9), "threshold": (0.4, 1.2)}
        return {name: torch.tensor(uniform(*ranges[name], n)) for name in names}

    class Net(torch.nn.Module):
        def __init__(self, reset, first):
            super().__init__()
            kind = {"reset_mechanism": reset, "init_hidden": True}
            self.fc1, self.fc2 = linear(INPUTS, HIDDEN, 0.6), linear(HIDDEN, OUTPUTS, 0.6)
            if first is Synaptic:
                kind |= parameters(HIDDEN, "alpha", "beta", "threshold")
                self.lif1 = Synaptic(**kind)
            else:
                kind |= parameters(HIDDEN, "beta", "threshold")
                self.lif1 = RLeaky(linear_features=HIDDEN, all_to_all=True, **kind)
            kind |= parameters(OUTPUTS, "alpha", "beta", "threshold")
            self.lif2 = Synaptic(**kind)

        def forward(self, x):
            self.hidden = self.lif1(self.fc1(x))
            return self.lif2(self.fc2(self.hidden))

    for first, name in ((Synaptic, "synaptic"), (RLeaky, "rleaky_synaptic")):
        for reset in ("zero", "subtract"):
            net, x = Net(reset, first), events(INPUTS)
            spikes = {"inputs": x, "hidden": [], "output": []}
            for row in torch.tensor(x):
                spikes["output"].append(net(row[None])[0].numpy())
                spikes["hidden"].append(net.hidden[0].numpy())
            graph = export_to_nir(net, torch.zeros(1, INPUTS), ignore_dims=[0])
            packages = ("snntorch", "nirtorch", "torch")
            written(folder, f"snntorch_{name}_{reset}", graph, spikes, packages)


def norse(folder):
    import torch
    from norse.torch import IAFCell, LIFCell, LIFParameters, SequentialState, to_nir
    from norse.torch.functional.iaf import IAFParameters

    def lif(n):
        rest = {"v_leak": torch.zeros(n), "v_reset": torch.zeros(n)}
        times = [torch.tensor(uniform(50, 300, n)) for _ in range(2)]
        return LIFCell(LIFParameters(*times, v_th=torch.tensor(uniform(0.2, 0.6, n)), **rest))

    def iaf(n):
        return IAFCell(IAFParameters(torch.tensor(uniform(0.5, 2.0, n)), torch.zeros(n)))

    for name, out in (("lifcell", lif), ("lifcell_iaf", iaf)):
        layers = (
            linear(INPUTS, HIDDEN, 1.5),
            lif(HIDDEN),
            linear(HIDDEN, OUTPUTS, 0.6),
            out(OUTPUTS),
        )
        net, first, x = SequentialState(*layers), SequentialState(*layers[:2]), events(INPUTS)
        spikes, state, state1 = {"inputs": x, "hidden": [], "output": []}, None, None
        for row in torch.tensor(x):
            sent, state1 = first(row[None], state1)
            spikes["hidden"].append(sent.numpy().ravel())
            sent, state = net(row[None], state)
            spikes["output"].append(sent.numpy().ravel())
        graph = to_nir(net, torch.zeros(1, INPUTS))
        written(folder, f"norse_{name}", graph, spikes, ("norse", "nirtorch", "torch"))


def spyx(folder):
    import jax.numpy as jnp
    from flax import nnx
    from spyx import nn
    from spyx.nir import to_nir

    seeds = nnx.Rngs(3)

    def dense(n, m, sd):
        layer = nnx.Linear(n, m, rngs=seeds)
        layer.kernel[...] = jnp.array(normal(sd, n, m))
        return layer

    def recorded(name, layers, x, shape, dt=1):
        states = [
            layer.initial_state(1) if hasattr(layer, "initial_state") else None for layer in layers
        ]
        sent = [[] for _ in layers]
        for y in jnp.array(x)[:, None]:
            for k, layer in enumerate(layers):
                if states[k] is None:
                    y = layer(y)
                else:
                    y, states[k] = layer(y, states[k])
                sent[k].append(np.array(y[0]))
        pictures = {"inputs": x, "hidden": np.array(sent[1]), "output": np.array(sent[-1])}
        first = {k: np.moveaxis(a, -1, 1) if a.ndim == 4 else a for k, a in pictures.items()}
        ends = ({"input": np.array(shape)}, {"output": np.array([OUTPUTS])})
        graph = to_nir(nn.Sequential(*layers), *ends, dt=dt)
        written(folder, f"spyx_{name}", graph, first, ("spyx", "jax", "flax"))

    def two(first, dt=1, last=None, name=""):
        last = last or nn.LIF((OUTPUTS,), threshold=0.5, rngs=seeds)
        layers = [dense(INPUTS, HIDDEN, 0.8), first, dense(HIDDEN, OUTPUTS, 0.5), last]
        recorded(name, layers, events(INPUTS), (INPUTS,), dt)

    size = (HIDDEN,)
    two(nn.LIF(size, rngs=seeds), dt=1e-3, name="lif_step")
    two(nn.IF(size), last=nn.CuBaLIF((OUTPUTS,), rngs=seeds), name="if_cubalif")
    two(nn.RIF(size, rngs=seeds), name="rif")
    two(nn.RCuBaLIF(size, rngs=seeds), last=nn.IF((OUTPUTS,)), name="rcubalif_if")
    conv = nnx.Conv(2, 3, (3, 3), padding="VALID", rngs=seeds)
    conv.kernel[...] = jnp.array(normal(0.5, 3, 3, 2, 3))
    neurons = nn.LIF((5, 4, 3), rngs=seeds)
    last = nn.LIF((OUTPUTS,), rngs=seeds)
    pool = nn.SumPool((2, 2), (2, 2), "VALID")
    layers = [conv, neurons, pool, nn.Flatten(), dense(12, OUTPUTS, 0.6), last]
    recorded("pictures", layers, events(7, 6, 2), (2, 7, 6))


if __name__ == "__main__":
    if sys.argv[1] == "spyx":
        spyx(Path(sys.argv[2]))
    else:
        import torch

        torch.manual_seed(11)
        with torch.no_grad():
            {"snntorch": snntorch, "norse": norse}[sys.argv[1]](Path(sys.argv[2]))
