"""Records what Lava 0.10.0 does on generated networks, for Pythons on which it cannot run.

    uv run --python 3.10 python tests/conformance/record_golden.py

Writes ``golden/networks.npz``: per case the network (an ``.hlx`` as bytes), its input, and
Lava's spikes, v and u. `test_golden.py` replays it on every Python.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from network_strategies import driven_networks

from hrsnn_lava.artifact import encode
from hrsnn_lava.sim_backends.lava import LavaBackend, LavaJob
from hrsnn_lava.storage import quantized_parts
from hrsnn_lava.trace import save_npz

TARGET = Path(__file__).parent / "golden" / "networks.npz"
CASES, STEPS = 150, 40


def collect():
    """The generated networks, with and without delays."""
    found = []

    @settings(
        max_examples=CASES,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
    )
    @given(driven_networks(STEPS, delays=True))
    def take(case):
        found.append(case)

    take()
    return found


def main():
    """Run Lava on all of them and write the file."""
    cases = collect()
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
    save_npz(TARGET, arrays)
    sys.stdout.write(f"{len(cases)} cases, {TARGET.stat().st_size / 1e6:.2f} MB\n")


if __name__ == "__main__":
    main()
