"""Records what Lava 0.10.0 does on generated networks, for Pythons on which it cannot run.

    uv run --python 3.10 python tests/conformance/record_golden.py

Writes ``golden/networks.npz`` and ``golden/learning.npz``: per case the network (an ``.hlx`` as
bytes), its input, and Lava's spikes, v, u, learned weights and spike traces. `test_golden.py`
replays them on every Python. With names (``networks``, ``learning``) it writes those alone, and
with ``--again`` it runs the recorded cases once more, to add what a recording did not have yet.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from network_strategies import collected, driven_learning_networks, driven_networks

from hrsnn_lava import QuantizedNetwork, SpikeInput
from hrsnn_lava.artifacts.container import below, encode, load_npz, save_npz
from hrsnn_lava.sim_backends.lava.backend import LavaBackend, LavaJob

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
        arrays[f"{k}/network"] = np.frombuffer(encode(network.to_artifact()), np.uint8)
        if inputs is not None:
            arrays[f"{k}/input/steps"] = inputs.steps
            arrays[f"{k}/input/neurons"] = inputs.neurons
            if inputs.payloads is not None:
                arrays[f"{k}/input/payloads"] = inputs.payloads
        arrays[f"{k}/spike_steps"] = trace.spike_steps
        arrays[f"{k}/spike_neurons"] = trace.spike_neurons
        arrays[f"{k}/v"], arrays[f"{k}/u"] = trace.v, trace.u
        arrays |= {f"{k}/weights/{name}": values for name, values in trace.weights.items()}
        arrays |= {f"{k}/traces/{name}": values for name, values in trace.traces.items()}
    return arrays


def recorded_cases(path):
    """The networks of a recording with their inputs."""
    arrays, cases = load_npz(path, ("n_cases", "steps")), []
    with tempfile.TemporaryDirectory() as folder:
        artifact = Path(folder) / "network.hlx"
        for k in range(int(arrays["n_cases"])):
            artifact.write_bytes(arrays[f"{k}/network"].tobytes())
            network, events = QuantizedNetwork.load(artifact), below(arrays, f"{k}/input/")
            extent = {"n_steps": STEPS, "n_neurons": network.n_inputs}
            cases.append((network, SpikeInput(**events, **extent) if events else None))
    return cases


def main(words):
    """Write the recordings of these names, all by default."""
    for name in [word for word in words if word != "--again"] or STRATEGIES:
        target = FOLDER / f"{name}.npz"
        again = "--again" in words
        cases = recorded_cases(target) if again else collected(STRATEGIES[name], CASES)
        save_npz(target, record(cases))
        sys.stdout.write(f"{CASES} cases, {target.stat().st_size / 1e6:.2f} MB in {target.name}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
