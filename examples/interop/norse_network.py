"""A network of Norse on a chip, spike for spike, and a network of ours in Norse.

uv run --isolated --python 3.11 --with norse==1.1.0 --with nirtorch==2.6 --with nir==1.0.8 \
    python examples/interop/norse_network.py
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import nir
import numpy as np
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
from norse.torch import LIFBoxCell, LIFBoxParameters, SequentialState, from_nir, to_nir

import hrsnn_lava as hl


def cell(size: int) -> LIFBoxCell:
    """Neurons with a leak and a threshold of their own."""
    inverse = torch.rand(size) * 150 + 50
    rest = {"v_leak": torch.zeros(size), "v_reset": torch.zeros(size)}
    return LIFBoxCell(LIFBoxParameters(inverse, v_th=torch.rand(size) * 0.4 + 0.3, **rest))


def run(net: torch.nn.Module, inputs: np.ndarray) -> np.ndarray:
    """Spikes of the last layer, (T, n)."""
    state, rows = None, []
    for x in torch.tensor(inputs):
        out, state = net(x[None], state)
        rows.append(out.numpy().ravel())
    return np.array(rows)


def main(folder: Path) -> None:
    """Both ways."""
    torch.manual_seed(2)
    first, second = torch.nn.Linear(CHANNELS, HIDDEN), torch.nn.Linear(HIDDEN, OUT)
    first.weight.data *= 15
    second.weight.data *= 15
    layers = (first, cell(HIDDEN), second, cell(OUT))
    net, inputs = SequentialState(*layers), random_spikes()
    nir.write(folder / "net.nir", to_nir(net, torch.zeros(1, CHANNELS)))
    spikes = {"hidden": run(SequentialState(*layers[:2]), inputs), "output": run(net, inputs)}
    into_the_project(folder, "Norse", {"inputs": inputs, **spikes})

    for recurrent in (False, True):
        network = two_layers(recurrent)
        hl.to_nir(network, folder / "ours.nir")
        theirs = from_nir(nir.read(folder / "ours.nir"), dt=network.dt)
        name = "Norse, recurrent" if recurrent else "Norse"
        compared(network, inputs, run(theirs, inputs), name)


if __name__ == "__main__":
    with TemporaryDirectory() as name, torch.no_grad():
        main(Path(name))
