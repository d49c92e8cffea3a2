"""The graph for a Loihi 2 host, with stand-ins for the adapters that are not public."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bundles import small_network

from hrsnn_lava.compiler.passes.lower_stock import lower_stock
from hrsnn_lava.errors import BackendMissingError
from hrsnn_lava.processes.lowering import lava_program
from hrsnn_lava.sim_backends.runs.inputs import random_input
from hrsnn_lava.sim_backends.runs.session import simulate

pytestmark = pytest.mark.lava
SCRIPT = Path(__file__).resolve().parents[2] / "support" / "identity_adapters.py"


@pytest.mark.once
def test_between_adapters_the_network_does_what_it_does(tmp_path):
    """Held inputs are written by the host on the way; sources and sinks stay on the host."""
    network = small_network(refractory=0, vth=300, du=900)
    inputs = random_input(network, 25)
    split = lower_stock(network)
    program = replace(lava_program(split.network, inputs, 25), stock=True)
    program.save(tmp_path / "program.npz")
    command = [sys.executable, "-W", "ignore", SCRIPT, tmp_path / "program.npz", tmp_path / "o.npz"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    parts = np.load(tmp_path / "o.npz")
    assert set(parts) == {group.name for group in program.neurons}
    spikes = np.zeros((25, network.n_neurons), dtype=bool)
    spikes[:, split.neurons] = np.concatenate([parts[g.name] for g in program.neurons], axis=1)
    native = simulate(network, inputs, 25, "native")
    assert native.n_spikes > 20
    np.testing.assert_array_equal(spikes, native.dense())


def test_without_the_extension_it_is_refused():
    from hrsnn_lava.processes import hardware

    program = lava_program(small_network(refractory=0), None, 5)
    with pytest.raises(BackendMissingError, match="lava-loihi"):
        hardware.run_on_loihi(program)
