"""What the examples of this folder share: into the project, and a network to take out of it."""
# ruff: noqa: T201 - a script prints

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import hrsnn_lava as hl
from hrsnn_lava.deploy.interchange.against import against
from hrsnn_lava.deploy.interchange.from_nir import ImportOptions, imported
from hrsnn_lava.deploy.interchange.nir_file import read_nir
from hrsnn_lava.deploy.interchange.recording import load_recording
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator

STEPS, CHANNELS, HIDDEN, OUT = 100, 6, 20, 3


def random_spikes(seed: int = 0) -> np.ndarray:
    """Input to all of them, (STEPS, CHANNELS)."""
    spikes = np.random.default_rng(seed).random((STEPS, CHANNELS)) < 0.3
    return spikes.astype(np.float32)


def into_the_project(folder: Path, source: str, spikes: dict[str, Any], **options: Any) -> None:
    """``net.nir`` of a folder, beside the spikes of the program that wrote it, and on a chip."""
    np.savez(folder / "spikes.npz", **spikes)
    found = imported(read_nir(folder / "net.nir"), ImportOptions(**options))
    agreement = against(found, load_recording(folder / "spikes.npz", found.model))
    for row in agreement.layers:
        print(f"{row.layer}: {row.source} spikes in {source}, {row.differing} differ here")
    compiled = hl.compile(found.network, "loihi2")
    print(f"loihi2: {compiled.network.n_neurons} neurons, {compiled.network.n_synapses} synapses")


def two_layers(recurrent: bool = False, seed: int = 3) -> hl.Network:
    """Neurons with time constants and thresholds of their own; the first layer may hear itself."""
    rng = np.random.default_rng(seed)

    def neurons(name: str, size: int) -> hl.Population:
        taus = {"tau_mem": rng.uniform(5e-3, 5e-2, size), "tau_syn": rng.uniform(2e-3, 2e-2, size)}
        return hl.Population(name, size, hl.LIF(**taus, v_threshold=rng.uniform(0.5, 1.5, size)))

    populations = (
        hl.Population("in", CHANNELS, hl.Input()),
        neurons("hidden", HIDDEN),
        neurons("out", OUT),
    )
    projections = (
        hl.Projection("first", "in", "hidden", rng.normal(1.0, 4.0, (HIDDEN, CHANNELS))),
        hl.Projection("second", "hidden", "out", rng.normal(0.5, 2.0, (OUT, HIDDEN))),
    )
    loop = hl.Projection("loop", "hidden", "hidden", rng.normal(0.0, 2.0, (HIDDEN, HIDDEN)))
    return hl.Network(1e-3, populations, (*projections, loop) if recurrent else projections)


def compared(network: hl.Network, inputs: np.ndarray, theirs: np.ndarray, name: str) -> None:
    """Spikes of the last layer of `two_layers` in another program, (STEPS, OUT), beside ours."""
    later = np.vstack([inputs, np.zeros_like(inputs[:2])])  # that layer is two steps later here
    events = hl.SpikeInput.from_dense(later.astype(bool))
    at, who = FloatSimulator(network).run_events(events)
    ours = np.zeros((STEPS + 2, network.n_neurons), dtype=bool)
    ours[at, who] = True
    ours = ours[2:, HIDDEN:]
    differ = int((ours != theirs.astype(bool)).sum())
    print(f"ours in {name}: {int(ours.sum())} spikes of the last layer, {differ} differ")
