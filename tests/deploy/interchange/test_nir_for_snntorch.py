"""Files for snnTorch: what its importer asserts, spikes by its rule, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava.deploy.interchange.from_nir import ImportOptions, imported
from hrsnn_lava.deploy.interchange.nir_file import read_nir
from hrsnn_lava.deploy.interchange.source_run import run_model
from hrsnn_lava.errors import SpecError
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator

STEPS, DT = 150, 1e-3


def feed_forward(seed, filtered=True, biased=False):
    """Two layers with parameters of their own for every neuron."""
    rng = np.random.default_rng(seed)

    def neurons(name, n):
        tau_syn = rng.uniform(2e-3, 2e-2, n) if filtered else 0.0
        values = {"tau_mem": rng.uniform(5e-3, 5e-2, n), "v_threshold": rng.uniform(0.5, 1.5, n)}
        bias = rng.normal(-0.1, 0.3, n) if biased else 0.0
        return hl.Population(name, n, hl.LIF(**values, tau_syn=tau_syn, bias=bias))

    populations = (hl.Population("in", 6, hl.Input()), neurons("a", 20), neurons("b", 4))
    projections = (
        hl.Projection("first", "in", "a", rng.normal(1.0, 4.0, (20, 6))),
        hl.Projection("second", "a", "b", rng.normal(0.5, 2.0, (4, 20))),
    )
    return hl.Network(DT, populations, projections)


def written(network, path):
    """Nodes of the file, as arrays."""
    told = hl.to_nir(network, path, dialect="snntorch")
    with h5py.File(path) as file:
        assert "hrsnn_lava" not in file
        nodes = {
            name: {k: v[()] for k, v in node.items()} for name, node in file["node/nodes"].items()
        }
    return told, nodes


@pytest.mark.parametrize(("filtered", "biased"), [(True, False), (False, False), (False, True)])
def test_it_has_what_snntorch_asserts_and_spikes_by_its_rule(tmp_path, filtered, biased):
    """Step 1e-4, one threshold, r and w_in of gain 1, no v_leak (``snntorch/import_nir.py``)."""
    network = feed_forward(15, filtered, biased)
    told, nodes = written(network, tmp_path / "n.nir")
    assert told.dt == 1e-4
    for name in "ab":
        node = nodes[name]
        np.testing.assert_array_equal(node["v_threshold"], 1.0)
        np.testing.assert_array_equal(node["v_leak"], 0.0)
        tau = node["tau_mem" if filtered else "tau"]
        np.testing.assert_allclose(node["r"], tau / 1e-4, rtol=1e-12)
        if filtered:
            np.testing.assert_allclose(node["w_in"], node["tau_syn"] / 1e-4, rtol=1e-12)
    # its importer builds neurons with reset_delay=False: the file's own equations at its step
    found = imported(read_nir(tmp_path / "n.nir"), ImportOptions("literal", dt=1e-4, reset="zero"))
    inputs = (np.random.default_rng(1).random((STEPS, 6)) < 0.3).astype(float)
    theirs = run_model(found.model, inputs, np.float64).sent
    events = hl.SpikeInput.from_dense(np.vstack([inputs, np.zeros((2, 6))]).astype(bool))
    simulator = FloatSimulator(network)
    whole, sent = simulator.bias.copy(), np.zeros((STEPS + 2, 24))
    early = np.repeat([1, 2], [20, 4])
    for t in range(STEPS + 2):  # a bias acts from the step on at which the file begins
        simulator.bias = np.where(t >= early, whole, 0.0)
        sent[t, simulator.run_events(events, t, 1)[1]] = 1
    assert 10 < sent[2:, 20:].sum() < 0.7 * 4 * STEPS  # neither silent nor firing always
    np.testing.assert_array_equal(sent[1:-1, :20], theirs["a"])
    np.testing.assert_array_equal(sent[2:, 20:], theirs["b"])


def test_what_snntorch_cannot_be_given_is_named(tmp_path):
    base = feed_forward(0)
    a = base.population("a")
    loop = hl.Projection("loop", "b", "b", np.ones((4, 4)))
    skip = hl.Projection("skip", "in", "b", np.ones((4, 6)))
    slow = replace(base.projection("second"), delays=3 * DT)
    cases = [
        (hl.Network(DT, base.populations, (*base.projections, loop)), "recurrent synapses"),
        (hl.Network(DT, base.populations, (*base.projections, skip)), "arrive later"),
        (base.with_population(replace(a, neuron=replace(a.lif, reset="subtract"))), "no file says"),
        (base.with_population(a.with_parameters(refractory=2e-3)), "a Leaky and a Synaptic"),
        (base.with_population(a.with_parameters(bias=0.1)), "it has no v_leak"),
    ]
    for network, message in cases:
        with pytest.raises(SpecError, match=message):
            hl.to_nir(network, tmp_path / "n.nir", dialect="snntorch")
    late = hl.Network(DT, base.populations, (base.projection("first"), slow))
    hl.to_nir(late, tmp_path / "n.nir", dialect="snntorch")  # a whole layer that is later is no way
    with pytest.raises(SpecError, match="dialect"):
        hl.to_nir(base, tmp_path / "n.nir", dialect="norse")
