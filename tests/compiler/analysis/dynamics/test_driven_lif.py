"""The driven network is that of the float engine, under constant and under recorded input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.dynamics.driven_lif import DrivenLIF, HeldInput
from hrsnn_lava.compiler.analysis.dynamics.finite_time import finite_time_exponents
from hrsnn_lava.compiler.analysis.dynamics.neuron_exponents import (
    ParticipationOptions,
    participation_exponents,
)
from hrsnn_lava.errors import SpecError
from hrsnn_lava.network import LIF, Input, Network, Population, Projection
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator

Float = NDArray[np.float64]


def driven(n: int, seed: int = 0, delays: Any = None) -> Network:
    rng = np.random.default_rng(seed)
    populations = (
        Population("inp", 2, Input()),
        Population("exc", n, LIF(rng.uniform(0.005, 0.03, n), bias=0.9, refractory=2e-3)),
        Population("inh", n, LIF(rng.uniform(0.005, 0.03, n), tau_syn=0.0, bias=1.1)),
    )
    projections = (
        Projection("inp_exc", "inp", "exc", rng.normal(0, 0.8, (n, 2)), target="bias"),
        Projection("exc_inh", "exc", "inh", rng.uniform(0, 1.0, (n, n)), delays=delays),
        Projection("inh_exc", "inh", "exc", -rng.uniform(0, 0.6, (n, n))),
    )
    return Network(1e-3, populations, projections).verify()


def test_spikes_under_recorded_input_are_those_of_the_float_simulator() -> None:
    net = driven(12)
    values = np.random.default_rng(3).normal(size=(20, 2))
    lif = DrivenLIF(
        net, ParticipationOptions(), np.random.default_rng(0), HeldInput(values, 15), 300
    )
    raster = np.zeros((300, 24), dtype=bool)
    for t in range(300):
        lif.advance()
        raster[t] = lif.spikes
    simulator, expected = FloatSimulator(net), np.zeros((300, 24), dtype=bool)
    for block, row in enumerate(values):
        at, who = simulator.run(row, 15)
        expected[15 * block + at, who] = True
    assert expected.sum() > 150
    np.testing.assert_array_equal(raster, expected)


def test_constant_input_held_in_blocks_is_a_bias() -> None:
    net = driven(6)
    options = ParticipationOptions(steps=60, transient=20, noise=0.1)
    x = np.array([0.7, -0.4])
    bias = net.gather("bias") + np.r_[net.projection("inp_exc").weights @ x, np.zeros(6)]
    plain = net.with_biases(bias)
    for mode in ("surrogate", "event", "perturbation"):
        asked = ParticipationOptions(steps=60, transient=20, noise=0.1, linearisation=mode)
        held = HeldInput(np.tile(x, (4, 1)), 20)
        a = participation_exponents(net, asked, np.random.default_rng(1), held)
        b = participation_exponents(plain, asked, np.random.default_rng(1))
        np.testing.assert_allclose(a.per_neuron, b.per_neuron, rtol=1e-6)
    a = finite_time_exponents(net, options, np.random.default_rng(1), HeldInput(x[None], 120))
    b = finite_time_exponents(plain, options, np.random.default_rng(1))
    np.testing.assert_allclose(a.per_neuron, b.per_neuron, rtol=1e-9)


def test_the_input_of_a_task_changes_the_exponents() -> None:
    net = driven(6)
    options = ParticipationOptions(steps=100, transient=0, linearisation="event")
    held = HeldInput(np.random.default_rng(0).normal(0, 2, (10, 2)), 10)
    with_task = participation_exponents(net, options, np.random.default_rng(1), held)
    without = participation_exponents(net, options, np.random.default_rng(1))
    assert with_task.run.n_spikes != without.run.n_spikes
    assert np.abs(with_task.per_neuron - without.per_neuron).max() > 1


def test_delays_are_left_out_and_counted() -> None:
    delays = np.full(36, 1e-3)
    delays[:10] = 0.0
    options = ParticipationOptions(steps=10, transient=0)
    for mode in ("surrogate", "event", "perturbation"):
        asked = ParticipationOptions(steps=10, transient=0, linearisation=mode)
        found = participation_exponents(driven(6, 0, delays), asked, np.random.default_rng(1))
        assert found.run.n_delayed == 26
    scalar = participation_exponents(driven(6, 0, 2e-3), options, np.random.default_rng(1))
    assert scalar.run.n_delayed == 36
    assert participation_exponents(driven(6), options, np.random.default_rng(1)).run.n_delayed == 0


@pytest.mark.parametrize(
    ("values", "block", "message"),
    [
        (np.zeros((4, 2)), 10, r"4 blocks of 10 steps; allowed: >= 100 steps in all"),
        (np.zeros((4, 3)), 100, r"3 channels; allowed: 2, as the network has"),
        (np.zeros(4), 100, r"shape \(4,\) or not finite"),
        (np.full((4, 2), np.nan), 100, "finite numbers"),
        (np.zeros((4, 2)), 0, "block_steps: 0; allowed: >= 1"),
        (np.zeros((4, 2)), 1.5, "block_steps: 1.5; allowed: an integer"),
    ],
)
def test_recordings_that_do_not_fit_are_refused(values: Float, block: Any, message: str) -> None:
    options = ParticipationOptions(steps=78, transient=18)  # 80 and 20, in blocks of 5

    def run() -> None:
        held = HeldInput(values, block)
        participation_exponents(driven(3), options, np.random.default_rng(0), held)

    with pytest.raises(SpecError, match=message):
        run()


def test_a_network_that_holds_no_input_refuses_a_recording() -> None:
    net = driven(3)
    spiking = Network(
        1e-3,
        net.populations,
        (Projection("inp_exc", "inp", "exc", np.ones((3, 2))),),
    )
    with pytest.raises(SpecError, match="no projection of the network holds inputs"):
        participation_exponents(
            spiking,
            ParticipationOptions(steps=5, transient=0),
            np.random.default_rng(0),
            HeldInput(np.ones((5, 2))),
        )
