"""`HeterogeneousLIF` in a Lava graph of your own, fed from a file and recorded to one.

The same graph runs on the fixed-point and on the floating-point models: `select_tag` decides.

uv run --python 3.10 python examples/heterogeneous_lif_in_lava.py
"""
# ruff: noqa: T201 - a script prints

import tempfile
from pathlib import Path

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.process import Dense

from hrsnn_lava.processes.lif import HeterogeneousLIF
from hrsnn_lava.processes.mapped_files import MmapSink, MmapSource

STEPS = 200
#: The same neurons in the integers of the chip and in fractions: du, dv and vth of each.
PARAMETERS = {
    "fixed_pt": {"du": 2047, "dv": [41, 205, 410, 819], "vth": 300},
    "floating_pt": {"du": 0.5, "dv": [0.01, 0.05, 0.1, 0.2], "vth": 300.0},
}


def spikes(select_tag: str, folder: Path) -> np.ndarray:
    """Run the graph; a raster (steps, neurons)."""
    source = MmapSource(path=folder / "input.npy")
    weights = Dense(weights=np.full((4, 10), 20))
    neurons = HeterogeneousLIF(shape=(4,), refractory=[0, 0, 2, 2], **PARAMETERS[select_tag])
    sink = MmapSink(shape=(4,), path=folder / f"{select_tag}.npy", steps=STEPS, dtype=bool)
    source.s_out.connect(weights.s_in)
    weights.a_out.connect(neurons.a_in)
    neurons.s_out.connect(sink.a_in)
    neurons.run(RunSteps(STEPS), Loihi2SimCfg(select_tag=select_tag))
    neurons.stop()
    return np.load(folder / f"{select_tag}.npy", mmap_mode="r")


def main() -> None:
    """Count the spikes of four neurons with leaks from slow to fast."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        np.save(folder / "input.npy", (rng.random((STEPS, 10)) < 0.2).astype(np.int32))
        for select_tag in PARAMETERS:
            print(f"{select_tag:<12} {spikes(select_tag, folder).sum(axis=0)}")


if __name__ == "__main__":  # Lava forks: a guard is needed
    main()
