"""A network of snnTorch on a chip, spike for spike, and a network of ours in snnTorch.

A recurrent network with a leak and a threshold of its own for every neuron is built and run in
snnTorch, exported, imported here with its own spikes beside it, and compiled. Then a feed-forward
network goes the other way.

uv run --isolated --python 3.11 --with snntorch==1.0.0 --with nirtorch==2.6 --with nir==1.0.8 \
    python examples/interop/snntorch_network.py
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import nir
import numpy as np
import snntorch
import torch
from both_ways import (
    CHANNELS,
    HIDDEN,
    OUT,
    compared,
    into_the_project,
    random_spikes,
    two_layers,
)
from snntorch.export_nir import export_to_nir
from snntorch.import_nir import import_from_nir

import hrsnn_lava as hl


class Recurrent(torch.nn.Module):
    """Two layers; the first hears itself."""

    def __init__(self) -> None:
        super().__init__()
        cells = [
            {"beta": torch.rand(n) * 0.4 + 0.5, "threshold": torch.rand(n) * 0.5 + 0.7}
            for n in (HIDDEN, OUT)
        ]
        how = {"init_hidden": True, "reset_mechanism": "zero"}
        self.fc1 = torch.nn.Linear(CHANNELS, HIDDEN)
        self.lif1 = snntorch.RLeaky(**cells[0], linear_features=HIDDEN, **how)
        self.fc2 = torch.nn.Linear(HIDDEN, OUT)
        self.lif2 = snntorch.Leaky(**cells[1], output=True, **how)
        self.fc1.weight.data *= 4
        self.fc2.weight.data *= 3

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Spikes of the last layer in one step."""
        return self.lif2(self.fc2(self.lif1(self.fc1(x))))[0]

    def recorded(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Its own spikes, by layer."""
        self.lif1.reset_mem()
        self.lif2.reset_mem()
        hidden: list[np.ndarray] = []
        hook = self.lif1.register_forward_hook(lambda *a: hidden.append(a[2].numpy().ravel()))
        output = [self(x[None]).numpy().ravel() for x in torch.tensor(inputs)]
        hook.remove()
        return {"inputs": inputs, "hidden": np.array(hidden), "output": np.array(output)}


def main(folder: Path) -> None:
    """Both ways."""
    torch.manual_seed(1)
    net, inputs = Recurrent(), random_spikes()
    nir.write(folder / "net.nir", export_to_nir(net, torch.zeros(1, CHANNELS), ignore_dims=[0]))
    into_the_project(folder, "snnTorch", net.recorded(inputs), reset="zero")

    network = two_layers()
    hl.to_nir(network, folder / "ours.nir", dialect="snntorch")
    theirs, state, rows = import_from_nir(nir.read(folder / "ours.nir")), None, []
    for x in torch.tensor(inputs):
        out, state = theirs(x, state)
        rows.append(out.numpy().ravel())
    compared(network, inputs, np.array(rows), "snnTorch")


if __name__ == "__main__":
    with TemporaryDirectory() as name, torch.no_grad():
        main(Path(name))
