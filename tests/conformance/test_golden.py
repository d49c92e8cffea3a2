"""Recordings of Lava 0.10.0 (`record_golden.py` says how), replayed on every Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from hrsnn_lava import QuantizedNetwork, SpikeInput, Trace
from hrsnn_lava.artifacts.container import below, load_npz
from hrsnn_lava.sim_backends.runs.parity import compare
from hrsnn_lava.sim_backends.runs.session import simulate

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module", params=["networks", "learning"])
def recordings(request):
    return load_npz(GOLDEN / f"{request.param}.npz", ("n_cases", "steps"))


@pytest.mark.parametrize("backend", ["reference", "native"])
def test_recorded_networks_replay_bit_for_bit(recordings, backend, tmp_path):
    steps, cases = int(recordings["steps"]), int(recordings["n_cases"])
    spikes = learned = traced = 0
    for k in range(cases):
        (tmp_path / "network.hlx").write_bytes(recordings[f"{k}/network"].tobytes())
        network = QuantizedNetwork.load(tmp_path / "network.hlx")
        inputs = None
        if f"{k}/input/steps" in recordings:
            inputs = SpikeInput(
                recordings[f"{k}/input/steps"],
                recordings[f"{k}/input/neurons"],
                steps,
                network.n_inputs,
                recordings.get(f"{k}/input/payloads"),
            )
        lava = Trace(
            recordings[f"{k}/spike_steps"],
            recordings[f"{k}/spike_neurons"],
            steps,
            network.n_neurons,
            recordings[f"{k}/v"],
            recordings[f"{k}/u"],
            below(recordings, f"{k}/weights/"),
            traces=below(recordings, f"{k}/traces/"),
        )
        run = simulate(network, inputs, steps, backend, ("v", "u"))
        assert compare(lava, run, ("lava", backend)) == (0, None), f"case {k}"
        spikes += lava.n_spikes
        learned += bool(lava.weights)
        traced += bool(lava.traces)
    assert cases >= 100
    assert spikes > 1000
    assert learned == 0 or traced > 50
