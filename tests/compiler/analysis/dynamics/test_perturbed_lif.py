"""Finite perturbations of the network against the engine's own dynamics, written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.dynamics.neuron_exponents import (
    NeuronExponents,
    ParticipationOptions,
    participation_exponents,
)
from hrsnn_lava.compiler.analysis.dynamics.perturbed_lif import PerturbedLIF
from hrsnn_lava.network import LIF, Network, Population, Projection

Float = NDArray[np.float64]


def single(n: int, weights: object = None, **lif: object) -> Network:
    projections = () if weights is None else (Projection("rec", "pop", "pop", weights),)  # type: ignore[arg-type]
    return Network(1e-3, (Population("pop", n, LIF(**lif)),), projections).verify()  # type: ignore[arg-type]


def exponents(net: Network, **options: Any) -> NeuronExponents:
    asked = ParticipationOptions(linearisation="perturbation", **options)
    return participation_exponents(net, asked, np.random.default_rng(0))


def test_without_spikes_the_exponents_are_the_time_constants() -> None:
    tau_mem, tau_syn = np.array([0.02, 0.05, 0.01]), np.array([0.004, 0.005, 0.003])
    net = single(3, np.ones((3, 3)), tau_mem=tau_mem, tau_syn=tau_syn, bias=0.5)
    found = exponents(net)
    expected = -1 / tau_mem - 1 / tau_syn
    np.testing.assert_allclose(found.per_neuron, expected, rtol=1e-6)
    assert found.spectrum.exponents.size == 6
    assert (found.mode, found.run.n_flips) == ("perturbation", 0)
    assert found.run.parameters == {"eps": 0.01, "shadows": 6}


def plain(net: Network, start: Float, weights: Float, steps: int) -> tuple[Float, int]:
    """The network from (v, i), i that of the next step, without spikes before; its last state."""
    n = net.n_neurons
    v, i, hold = start[:n].copy(), start[n:].copy(), np.zeros(n)
    alpha, beta = np.exp(-1e-3 / net.gather("tau_syn")), np.exp(-1e-3 / net.gather("tau_mem"))
    spikes = 0
    for _ in range(steps):
        v = beta * v + (1 - beta) * (net.gather("bias") + i)
        v[hold > 0] = 0.0
        s = v > net.gather("v_threshold")
        hold = np.where(s, np.rint(net.gather("refractory") / 1e-3), np.maximum(hold - 1, 0))
        i = alpha * i + weights @ s
        v[s] = 0.0
        spikes += int(s.sum())
    return np.r_[v, i], spikes


def test_shadows_are_runs_of_the_network_from_another_state() -> None:
    weights = np.random.default_rng(2).normal(0.0, 1.0, (4, 4))
    net = single(
        4, weights, tau_mem=[0.02, 0.01, 0.03, 0.02], bias=1.5, refractory=[0, 1e-3, 3e-3, 0]
    )
    options = ParticipationOptions(linearisation="perturbation", eps=0.2, qr_every=60)
    network = PerturbedLIF(net, options, np.random.default_rng(0))
    tangent = np.linalg.qr(np.random.default_rng(3).standard_normal((8, 3)))[0]
    size = 0.2 * 2.0  # of four thresholds of 1 the norm is 2
    expected = []
    base, count = plain(net, np.zeros(8), weights, 60)
    for k in range(3):
        moved, _ = plain(net, size * tangent[:, k], weights, 60)
        expected.append((moved - base) / size)
    for _ in range(60):
        tangent = network(tangent)
    np.testing.assert_allclose(tangent, np.stack(expected, axis=1), atol=1e-9)
    run = network.record()
    assert run.n_spikes == count > 5
    assert run.n_flips > 5


def test_large_perturbations_see_flips_and_small_ones_the_leaks_alone() -> None:
    rng = np.random.default_rng(4)
    net = single(30, rng.normal(0.0, 0.5, (30, 30)), tau_mem=0.02, bias=1.3)
    large = exponents(net, steps=200, eps=0.05)
    small = exponents(net, steps=200, eps=1e-9)
    assert large.run.n_flips > 100
    assert small.run.n_flips == 0
    assert large.spectrum.exponents.max() > 20.0
    assert large.spectrum.exponents.size == 16
    assert small.spectrum.exponents.max() < 0.0
    assert large.rate == small.rate > 0.01


def test_same_stream_gives_the_same_exponents() -> None:
    net = single(6, np.full((6, 6), 0.1), tau_mem=0.02, bias=1.2)
    a, b = (exponents(net, steps=50, noise=0.2, n_exponents=4) for _ in range(2))
    np.testing.assert_array_equal(a.per_neuron, b.per_neuron)


@pytest.mark.parametrize("hold", [0.0, 5e-3])
def test_neurons_that_fire_in_step_stay_in_step(hold: float) -> None:
    # a perturbation is lost at the reset: floored, counted, and finite
    found = exponents(single(1, tau_mem=0.003, bias=50.0, refractory=hold), steps=50, eps=1e-6)
    assert found.spectrum.n_floored > 0
    assert np.isfinite(found.per_neuron).all()
