"""Files of lava-dl's network exchange as lava-dl itself runs them; see `record_netx.py`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hdf5_children import read_here
from netx_cases import KINDS, case, digest, names, sent, write_net

import hrsnn_lava as hl
from hrsnn_lava.deploy.interchange import netx_file

RECORDED = Path(__file__).parent / "golden" / "netx.npz"
STATES = ("spikes", "u", "v")


@pytest.fixture(scope="module")
def recorded():
    with np.load(RECORDED) as archive:
        return dict(archive)


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch):
    monkeypatch.setattr(netx_file, "read_hdf5", read_here)


def states(network, inputs, steps, backend):
    """Spikes, u and v (steps, n_neurons)."""
    trace = hl.simulate(network, inputs, steps, backend, probes=STATES)
    raster = np.zeros((steps, network.n_neurons), dtype=np.int8)
    raster[trace.spike_steps, trace.spike_neurons] = 1
    return {"spikes": raster, "u": trace.u, "v": trace.v}


@pytest.mark.parametrize(
    ("kind", "backend"), [*((kind, "reference") for kind in KINDS), ("recurrent", "native")]
)
def test_generated_files_do_what_netx_does_on_lava(recorded, kind, backend, tmp_path):
    spikes = 0
    for name in [name for name in names() if name.startswith(f"{kind}_")]:
        layers, given = case(name)
        path = tmp_path / f"{name}.net"
        write_net(path, layers)
        assert digest(path) == bytes(recorded[f"{name}/digest"]).hex(), f"{name}: another file"
        steps = len(recorded[f"{name}/spikes"])
        found = states(hl.from_netx(path), sent(given, steps), steps, backend)
        for key in STATES:
            np.testing.assert_array_equal(found[key], recorded[f"{name}/{key}"], f"{name}, {key}")
        spikes += int(found["spikes"].sum())
    assert spikes > 250


@pytest.mark.parametrize("name", ["slayer_dense", "slayer_recurrent", "slayer_picture"])
def test_files_of_slayer_do_what_slayer_and_netx_do(recorded, name, tmp_path):
    path = tmp_path / f"{name}.net"
    path.write_bytes(recorded[f"{name}/net"].tobytes())
    given = recorded[f"{name}/sent"]
    network = hl.from_netx(path)
    assert not network.findings
    found = states(network, sent(given), len(given), "native")
    np.testing.assert_array_equal(found["spikes"], recorded[f"{name}/slayer"])
    for key in STATES:
        np.testing.assert_array_equal(found[key], recorded[f"{name}/{key}"], key)
    assert found["spikes"].sum() > 100
    decays = [len(np.unique(p.parameter("du"))) for p in network.compute_populations]
    assert max(decays) > 1  # of every neuron its own
