"""Records what Lava 0.10.0 does on generated networks, for Pythons on which it cannot run.

    uv run --python 3.10 python tests/conformance/record_golden.py

Writes ``golden/networks.npz`` and ``golden/learning.npz``: per case the network (an ``.hlx`` as
bytes), its input, and Lava's spikes, v, u and learned weights. `test_golden.py` replays them on
every Python. With names (``networks``, ``learning``) it writes those alone.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from network_strategies import collected, driven_learning_networks, driven_networks

from hrsnn_lava.artifact import encode
from hrsnn_lava.sim_backends.lava import LavaBackend, LavaJob
from hrsnn_lava.storage import quantized_parts
from hrsnn_lava.trace import save_npz

FOLDER = Path(__file__).parent / "golden"
CASES, STEPS = 150, 40
STRATEGIES = {
    "networks": driven_networks(STEPS, delays=True),
    "learning": driven_learning_networks(STEPS),
}


def record(cases):
    """Run Lava on all cases; the arrays of a recording."""
    jobs = [LavaJob(n, i, STEPS, ("spikes", "v", "u"), str(k)) for k, (n, i) in enumerate(cases)]
    arrays = {"n_cases": np.int64(len(cases)), "steps": np.int64(STEPS)}
    traces = LavaBackend(runtime="threads").run_many(jobs)
    for k, ((network, inputs), trace) in enumerate(zip(cases, traces, strict=True)):
        if isinstance(trace, Exception):
            raise trace
        arrays[f"{k}/network"] = np.frombuffer(encode(quantized_parts(network)), np.uint8)
        if inputs is not None:
            arrays[f"{k}/input/steps"] = inputs.steps
            arrays[f"{k}/input/neurons"] = inputs.neurons
            if inputs.payloads is not None:
                arrays[f"{k}/input/payloads"] = inputs.payloads
        arrays[f"{k}/spike_steps"] = trace.spike_steps
        arrays[f"{k}/spike_neurons"] = trace.spike_neurons
        arrays[f"{k}/v"], arrays[f"{k}/u"] = trace.v, trace.u
        arrays |= {f"{k}/weights/{name}": values for name, values in trace.weights.items()}
    return arrays


def main(names):
    """Write the recordings of these names, all by default."""
    for name in names or STRATEGIES:
        target = FOLDER / f"{name}.npz"
        save_npz(target, record(collected(STRATEGIES[name], CASES)))
        sys.stdout.write(f"{CASES} cases, {target.stat().st_size / 1e6:.2f} MB in {target.name}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
