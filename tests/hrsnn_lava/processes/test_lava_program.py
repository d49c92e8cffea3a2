"""The form of a network that goes to the Lava child; no Lava is needed here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from hrsnn_lava.errors import SpecError
from hrsnn_lava.network import LIF, Input, Network, Population, Projection
from hrsnn_lava.plasticity import STDP
from hrsnn_lava.processes.lowering import lava_program
from hrsnn_lava.processes.program import LavaProgram
from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
)
from hrsnn_lava.trace import SpikeInput


def integer_network(**projection: Any) -> QuantizedNetwork:
    return QuantizedNetwork(
        (
            QuantizedInput("value", 2),
            QuantizedInput("spikes", 3),
            QuantizedPopulation("a", 2, du=[7, 9], dv=3, vth=[5, 6], bias_mant=[1, -1], bias_exp=2),
            QuantizedPopulation("b", 1, du=0, dv=0, vth=1, refractory=4),
        ),
        (
            QuantizedProjection("drive", "value", "a", np.array([[1, 2], [0, 3]]), target="bias"),
            QuantizedProjection("in", "spikes", "a", np.array([[1, 0, 2], [0, 4, 0]]), 1),
            QuantizedProjection(
                "ab", "a", "b", np.array([[5, -6]]), delays=[0, 3], sign_mode="mixed", **projection
            ),
            QuantizedProjection("none", "b", "b", np.array([[0]])),
        ),
    )


def events() -> SpikeInput:
    return SpikeInput(
        np.array([0, 1, 2, 2, 9]),
        np.array([0, 3, 1, 4, 2]),
        n_steps=10,
        n_neurons=5,
        payloads=np.array([10, 1, -4, 1, 1]),
    )


def test_events_go_to_sources_or_into_the_bias() -> None:
    program = lava_program(integer_network(), events(), steps=5)
    assert program.precision == "fixed_pt"
    (source,) = program.sources
    assert (source.name, source.size) == ("spikes", 3)
    # channels 2..4 are those of "spikes"; the event of step 9 lies after the run
    assert source.steps.tolist() == [1, 2]
    assert source.channels.tolist() == [1, 2]
    a, b = program.neurons
    assert a.drive_steps.tolist() == [0, 1, 2]
    # [[1, 2], [0, 3]] @ (10, 0), held, then @ (10, -4); bias_mant itself is not part of it
    assert a.drive_values.tolist() == [[10, 0], [10, 0], [2, -12]]
    assert not b.drive_values.any()


def test_empty_projections_are_left_out_and_delays_become_a_matrix() -> None:
    program = lava_program(integer_network(), None, steps=5)
    assert [c.name for c in program.connections] == ["in", "ab"]
    plain, delayed = program.connections
    assert plain.delays is None
    assert plain.weight_exp == 1
    assert delayed.delays is not None
    assert delayed.delays.tolist() == [0, 3]
    assert delayed.sign_mode == "MIXED"


def test_file_gives_back_the_same_program(tmp_path: Path) -> None:
    before = lava_program(integer_network(), events(), steps=5, probes=("u", "v"))
    before.save(tmp_path / "p.npz")
    after = LavaProgram.load(tmp_path / "p.npz")
    assert (after.precision, after.n_steps, after.probes) == ("fixed_pt", 5, ("spikes", "v", "u"))
    for old, new in zip(before.neurons, after.neurons, strict=True):
        assert new.name == old.name
        np.testing.assert_array_equal(new.drive_values, old.drive_values)
        for key, values in old.parameters.items():
            np.testing.assert_array_equal(new.parameters[key], values)
    for old_c, new_c in zip(before.connections, after.connections, strict=True):
        assert (new_c.name, new_c.pre, new_c.post) == (old_c.name, old_c.pre, old_c.post)
        np.testing.assert_array_equal(new_c.weights.toarray(), old_c.weights.toarray())
        np.testing.assert_array_equal(new_c.delays, old_c.delays)
    np.testing.assert_array_equal(after.sources[0].values, before.sources[0].values)


def test_float_network_is_rewritten_for_lavas_unscaled_input() -> None:
    lif = LIF(
        tau_mem=[0.01, 0.02], tau_syn=[0.0, 0.005], v_threshold=2.0, bias=0.5, refractory=3e-3
    )
    network = Network(
        1e-3,
        (Population("x", 1, Input()), Population("n", 2, lif)),
        (
            Projection("d", "x", "n", sparse.csr_matrix([[2.0], [3.0]]), target="bias"),
            Projection("r", "n", "n", sparse.csr_matrix([[0.0, 1.0], [1.0, 0.0]]), delays=2e-3),
        ),
    )
    held = SpikeInput(np.array([4]), np.array([0]), 10, 1, np.array([7]))
    program = lava_program(network, held, steps=10)
    assert program.precision == "floating_pt"
    assert program.sources == ()
    (group,) = program.neurons
    beta, alpha = np.exp(-1e-3 / np.array([0.01, 0.02])), np.exp(-1 / 5)
    np.testing.assert_allclose(group.parameters["dv"], 1 - beta, rtol=1e-12)
    np.testing.assert_allclose(group.parameters["du"], [1.0, 1 - alpha], rtol=1e-12)
    np.testing.assert_allclose(group.parameters["vth"], 2.0 / (1 - beta), rtol=1e-12)
    assert group.parameters["refractory"].tolist() == [3, 3]
    assert (group.drive_steps.tolist(), group.drive_values.tolist()) == ([4], [[14.0, 21.0]])
    (connection,) = program.connections
    assert connection.delays is not None
    assert connection.delays.tolist() == [2, 2]


def test_requests_that_contradict_themselves_are_refused() -> None:
    network = integer_network()
    with pytest.raises(SpecError, match="unknown probe w; allowed: spikes, v, u"):
        lava_program(network, None, 5, ("v", "w"))
    with pytest.raises(SpecError, match="steps: -1"):
        lava_program(network, None, -1)
    with pytest.raises(SpecError, match="the input has 4 channels, the network 5"):
        lava_program(network, SpikeInput.empty(5, 4), 5)


def test_float_learning_is_refused_by_name() -> None:
    network = Network(
        1e-3,
        (Population("n", 1, LIF(0.01)),),
        (Projection("r", "n", "n", sparse.csr_matrix([[1.0]]), plasticity=STDP(0.1, 0.1)),),
    )
    with pytest.raises(SpecError, match="projection 'r': a float learning rule"):
        lava_program(network, None, 5)
