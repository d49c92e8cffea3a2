"""The two files of the NIR paper's own repository: from the file to both chips.

Potentials of the float engine against NIR's equations by Euler's method in plain loops, and the
spikes of the integers that a chip gets beside those of the floats.
"""

from __future__ import annotations

import numpy as np
import pytest
from nir_files import euler, exported

import hrsnn_lava as hl
from hrsnn_lava.deploy.interchange.from_nir import ImportOptions, imported
from hrsnn_lava.deploy.interchange.nir_file import graph_of
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator
from hrsnn_lava.sim_backends.runs.parity import compare
from hrsnn_lava.sim_backends.runs.session import simulate

DT = 1e-4  # of both files, by the README beside them; no file says it
STEPS = 2000


def cell(content, name):
    """Parameters of a node, as float64."""
    keys = ("tau", "tau_mem", "tau_syn", "r", "v_leak", "v_threshold", "w_in")
    nodes = content["node"]["nodes"]
    return {k: np.asarray(nodes[name][k], np.float64) for k in keys if k in nodes[name]}


def affine(content, name):
    """Weight, and bias; 0 of a Linear."""
    here = content["node"]["nodes"][name]
    weight = np.asarray(here["weight"], np.float64)
    return weight, np.asarray(here.get("bias", np.zeros(len(weight))), np.float64)


def two_neurons():
    """One input, and a neuron behind another; the first fires by its leak potential alone."""
    content, _ = exported("nir_paper/two_lif_neurons")
    layers = []
    for k in (1, 2):
        weight, bias = affine(content, f"linear{k}")
        layers.append(cell(content, f"lif{k}") | {"weight": weight, "bias": bias})
    return content, dict(zip(("lif1", "lif2"), layers, strict=True)), 0.5


def braille():
    """12 inputs, 38 neurons with recurrence, 7 outputs, all with biases."""
    content, _ = exported("nir_paper/braille_noDelay_bias_zero")
    first, recurrent, second = (affine(content, n) for n in ("fc1", "lif1.w_rec", "fc2"))
    hidden = cell(content, "lif1.lif") | {"weight": first[0], "bias": first[1]}
    hidden |= {"w_rec": recurrent[0], "b_rec": recurrent[1]}
    output = cell(content, "lif2") | {"weight": second[0], "bias": second[1]}
    return content, {"lif1.lif": hidden, "lif2": output}, 0.1


def neurons_of(network, name):
    """Numbers of the neurons of a population."""
    return np.arange(network.population(name).size) + network.offset(name)


FILES = pytest.mark.parametrize("file", [two_neurons, braille])


def driven(found, rate, seed=7):
    """Random input, (STEPS, n), and the same as events with steps for what comes later."""
    late = max(found.timing.crossing.values())
    inputs = np.random.default_rng(seed).random((STEPS, found.network.n_inputs)) < rate
    later = np.zeros((late, inputs.shape[1]), dtype=bool)
    return inputs.astype(float), hl.SpikeInput.from_dense(np.vstack([inputs, later]))


@FILES
def test_potentials_are_those_of_the_equations(file):
    content, layers, rate = file()
    found = imported(graph_of(content), ImportOptions("literal", DT, "zero"))
    inputs, events = driven(found, rate)
    truth = euler(layers.values(), inputs, DT)
    engine, potentials = FloatSimulator(found.network), []
    for step in range(events.n_steps):
        engine.run_events(events, step, 1)
        potentials.append(engine.potential.copy())
    potentials = np.array(potentials)
    assert truth[0]["z"].sum() > 10
    for name, expected in zip(layers, truth, strict=True):
        first, late = found.network.offset(name), found.timing.visible[name]
        own = potentials[late : late + STEPS, first : first + expected["v"].shape[1]]
        np.testing.assert_allclose(own, expected["v"], rtol=0, atol=1e-9)


@pytest.mark.parametrize("chip", ["loihi1", "loihi2"])
@pytest.mark.parametrize(
    ("file", "dialect"),
    [(two_neurons, "literal"), (braille, "literal"), (braille, "snntorch")],
)
def test_integers_on_both_chips_spike_as_the_floats_do(file, dialect, chip):
    content, layers, rate = file()
    options = ImportOptions(dialect, DT if dialect == "literal" else None, "zero")
    found = imported(graph_of(content), options)
    _, events = driven(found, rate)
    compiled = hl.compile(found.network, chip)
    reference, native = (
        simulate(compiled.network, events, events.n_steps, engine, ("spikes", "v", "u"))
        for engine in ("reference", "native")
    )
    assert compare(reference, native, ("reference", "native")) == (0, None)
    _, who = FloatSimulator(found.network).run_events(events)
    name = next(iter(layers))  # what is behind it depends on single spikes
    counts = [
        int(np.isin(spikes, neurons_of(network, name)).sum())
        for network, spikes in ((found.network, who), (compiled.network, native.spike_neurons))
    ]
    assert counts[0] > 10
    assert abs(counts[1] - counts[0]) <= 0.05 * counts[0], counts
