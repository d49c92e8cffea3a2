"""A network of SpikingJelly on a chip, spike for spike.

uv run --isolated --python 3.11 --with spikingjelly==2.0.0 --with nirtorch==2.6 --with nir==1.0.8 \
    python examples/interop/spikingjelly_network.py
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from both_ways import CHANNELS, HIDDEN, OUT, into_the_project, random_spikes
from spikingjelly.activation_based import functional, neuron
from spikingjelly.activation_based.nir_exchange import export_to_nir


def layer(n_in: int, n_out: int, tau: float) -> tuple[torch.nn.Module, torch.nn.Module]:
    """Weights, and neurons that a spike sets to zero."""
    linear = torch.nn.Linear(n_in, n_out)
    linear.weight.data *= 6
    return linear, neuron.LIFNode(tau=tau, decay_input=False, v_reset=0.0)


def main(folder: Path) -> None:
    """From SpikingJelly to a chip."""
    torch.manual_seed(3)
    layers = (*layer(CHANNELS, HIDDEN, 4.0), *layer(HIDDEN, OUT, 8.0))
    net, inputs = torch.nn.Sequential(*layers), random_spikes()
    export_to_nir(net, torch.zeros(1, CHANNELS), save_path=folder / "net.nir")
    functional.reset_net(net)
    spikes: dict[str, list[np.ndarray]] = {"hidden": [], "output": []}
    for x in torch.tensor(inputs):
        hidden = net[:2](x[None])
        spikes["hidden"].append(hidden.numpy().ravel())
        spikes["output"].append(net[2:](hidden).numpy().ravel())
    into_the_project(folder, "SpikingJelly", {"inputs": inputs} | spikes)


if __name__ == "__main__":
    with TemporaryDirectory() as name, torch.no_grad():
        main(Path(name))
