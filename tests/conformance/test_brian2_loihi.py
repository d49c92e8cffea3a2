"""200 networks as brian2-loihi ran them; see `record_brian2_loihi.py`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from brian2_loihi_networks import NETWORKS, STEPS, peer_network

import hrsnn_lava as hl

RECORDED = Path(__file__).parent / "golden" / "brian2_loihi.npz"


@pytest.fixture(scope="module")
def recorded():
    with np.load(RECORDED) as archive:
        return dict(archive)


@pytest.mark.parametrize("backend", ["reference", "native"])
def test_the_spikes_are_those_of_brian2_loihi(recorded, backend):
    seeds = sorted({int(key.partition("/")[0]) for key in recorded})
    assert len(seeds) == NETWORKS
    spikes = 0
    for seed in seeds:
        network, inputs = peer_network(seed)
        digest = bytes(recorded[f"{seed}/network"]).hex()
        assert network.digest == digest, f"seed {seed}: another network than was recorded"
        trace = hl.simulate(network, inputs, STEPS, backend)
        found = np.stack([trace.spike_steps, trace.spike_neurons], axis=1)
        np.testing.assert_array_equal(found, recorded[f"{seed}/spikes"], f"seed {seed}")
        spikes += len(found)
    assert spikes > 30_000
