"""Writes ``.net`` files with SLAYER's own export: ``slayer_child.py FOLDER``, in lava-dl's Python.

Beside every ``NAME.net`` it puts ``NAME.in.npz``, what was sent in, and ``NAME.slayer.npz``: the
spikes that SLAYER itself gives, by block with neurons, (steps, n), by channel, row, column.
"""

import sys
from pathlib import Path

import h5py
import numpy as np
import torch
from lava.lib.dl import slayer

STEPS = 40
cuba = slayer.block.cuba


def neuron(shared=False, threshold=1.0):
    """Parameters of neurons, of every channel its own unless they are shared."""
    current, voltage = ((0.1, 1.0), (0.02, 0.4)) if not shared else (0.3, 0.05)
    return {
        "threshold": threshold,
        "current_decay": current,
        "voltage_decay": voltage,
        "shared_param": shared,
    }


def networks():
    """Untrained networks with strong weights, by name, with the shape of what they take.

    Convolutions share their decays: with one for each channel SLAYER 0.6.0 fails without CUDA.
    """
    delayed = {"weight_scale": 4, "delay": True}
    return {
        "slayer_dense": (
            (6,),
            [
                cuba.Dense(neuron(), 6, 10, **delayed),
                cuba.Dense(neuron(), 10, 8, **delayed),
                cuba.Dense(neuron(True), 8, 4, weight_scale=4),
            ],
        ),
        "slayer_recurrent": (
            (5,),
            [
                cuba.Recurrent(neuron(), 5, 9, weight_scale=4),
                cuba.Dense(neuron(True), 9, 4, weight_scale=4),
            ],
        ),
        "slayer_picture": (
            (2, 7, 6),
            [
                cuba.Input(delay_shift=False),
                cuba.Conv(neuron(True), 2, 4, (3, 2), (2, 1), padding=(1, 0), weight_scale=4),
                cuba.Conv(neuron(True), 4, 4, 2, dilation=(1, 2), groups=2, weight_scale=4),
                cuba.Flatten(),
                cuba.Dense(neuron(), 4 * 3 * 3, 5, weight_scale=4),
            ],
        ),
    }


def run(folder, name, shape, blocks):
    """One network: its spikes, its file."""
    sent = (torch.rand(1, *shape, STEPS) < 0.3).float()
    for block in blocks:  # delays longer than what SLAYER draws
        if getattr(block, "delay", None) is not None:
            block.delay.delay.data = torch.randint(0, 9, (block.synapse.out_channels,)).float()
            block.delay.init = True
    values, spikes = sent, {}
    with torch.no_grad():
        for block in blocks:
            values = block(values)
            if getattr(block, "neuron", None) is not None:
                rows = values[0].numpy().reshape(-1, STEPS).T
                spikes[f"{len(spikes)}/spikes"] = rows.astype(np.int8)
    with h5py.File(folder / f"{name}.net", "w") as file:
        file["simulation/Ts"] = 1
        file["simulation/tSample"] = STEPS
        for index, block in enumerate(blocks):
            block.export_hdf5(file.create_group(f"layer/{index}"))
    rows = sent[0].numpy().reshape(-1, STEPS).T.astype(np.int32)
    np.savez(folder / f"{name}.in.npz", spikes=rows, steps=STEPS, layers=0, states=True)
    np.savez(folder / f"{name}.slayer.npz", **spikes)


if __name__ == "__main__":
    torch.manual_seed(3)
    for name, (shape, blocks) in networks().items():
        run(Path(sys.argv[1]), name, shape, blocks)
