"""Lyapunov exponents of networks whose spikes subtract the threshold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava.compiler.analysis.dynamics.driven_lif import DrivenLIF
from hrsnn_lava.compiler.analysis.dynamics.exponent_options import ParticipationOptions
from hrsnn_lava.compiler.analysis.dynamics.neuron_exponents import participation_exponents
from hrsnn_lava.compiler.analysis.dynamics.perturbed_lif import PerturbedLIF
from hrsnn_lava.compiler.analysis.dynamics.surrogate_lif import SurrogateLIF
from hrsnn_lava.errors import SpecError
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator
from hrsnn_lava.sim_backends.native.layout import Events

SUBTRACTING = ("subtract", "subtract_next")
RESETS = ("zero", *SUBTRACTING)
SIZE, STEPS = 20, 300
OPTIONS = ParticipationOptions(steps=STEPS, transient=0, n_exponents=4)


def network(reset, coupling=1.0):
    """Two populations, the first of which resets to zero; driven above their thresholds."""
    rng = np.random.default_rng(2)
    tau = rng.uniform(0.004, 0.03, (2, SIZE // 2))
    bias = rng.uniform(0.8, 2.5, (2, SIZE // 2))
    weights = coupling * rng.normal(0.0, 0.5, (2, 2, SIZE // 2, SIZE // 2))
    names = ("a", "b")
    populations = tuple(
        hl.Population(
            name, SIZE // 2, hl.LIF(tau[k], 0.005, 1.0, bias[k], reset="zero" if k == 0 else reset)
        )
        for k, name in enumerate(names)
    )
    projections = tuple(
        hl.Projection(f"{pre}{post}", pre, post, sparse.csr_matrix(weights[i, j]))
        for i, pre in enumerate(names)
        for j, post in enumerate(names)
    )
    return hl.Network(1e-3, populations, projections)


def raster(net):
    at, who = FloatSimulator(net).advance(STEPS, Events.none(STEPS, float), net.gather("bias"))
    return hl.Trace(at, who, STEPS, SIZE).dense()


@pytest.mark.parametrize("reset", RESETS)
def test_runs_are_those_of_the_float_engine(reset):
    net = network(reset)
    spikes = raster(net)
    run = DrivenLIF(net, OPTIONS, np.random.default_rng(0))
    shadowed = PerturbedLIF(net, OPTIONS, np.random.default_rng(0))
    tangent = np.eye(2 * SIZE)[:, :2]
    for row in spikes:
        run.advance()
        assert (run.spikes == row).all()
        tangent = np.linalg.qr(shadowed(tangent))[0]
    assert run.rate == shadowed.rate == spikes.mean()
    assert 0.02 < spikes[:, SIZE // 2 :].mean() < 0.9
    if reset != "zero":
        assert (raster(network("zero")) != spikes).any()


@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("reset", RESETS)
def test_surrogate_derivatives_are_those_of_a_network_with_soft_spikes(reset, gradient):
    """Central differences of the step with the integral of the triangle in place of the spike, in
    the reset only where its gradient counts."""
    net = network(reset)
    options = ParticipationOptions(width=0.7, reset_gradient=gradient)
    run = SurrogateLIF(net, options, np.random.default_rng(0))
    for _ in range(60):
        run.advance()
    lif, v, i = run.lif, run.v.copy(), run._i.copy()
    hard = run.spikes.astype(float)
    bias = net.gather("bias")

    def soft(v):
        x = np.clip((v - lif.threshold) / (0.7 * lif.threshold), -1.0, 1.0)
        return 0.5 + x - 0.5 * np.sign(x) * x**2

    def step(state):
        v_, i_ = state[:SIZE], state[SIZE:]
        s, r = soft(v_), soft(v_) if gradient else hard
        # the offset makes the spike that is differentiated the spike that was
        s, r = s - soft(v) + hard, r - (soft(v) - hard if gradient else 0.0)
        current = lif.alpha * i_ + lif.columns @ s
        left = {"zero": v_ * (1.0 - r), "subtract": v_ - r * lif.threshold, "subtract_next": v_}
        start = np.where(np.arange(SIZE) < SIZE // 2, left["zero"], left[reset])
        after = lif.beta * start + lif.gain * (bias + current)
        if reset == "subtract_next":
            after -= np.where(np.arange(SIZE) < SIZE // 2, 0.0, r * lif.threshold)
        return np.concatenate([after, current])

    here, h = np.concatenate([v, i]), 1e-6
    expected = np.stack(
        [(step(here + h * e) - step(here - h * e)) / (2 * h) for e in np.eye(2 * SIZE)], axis=1
    )
    jacobian = run.step()
    np.testing.assert_allclose(jacobian.times(np.eye(2 * SIZE)), expected, atol=1e-7)


@pytest.mark.parametrize("reset", SUBTRACTING)
def test_a_subtraction_forgets_nothing(reset):
    """Alone, a neuron that subtracts has the exponent of its leak; one that is set to zero less."""
    one = network(reset, coupling=0.0)
    options = replace(OPTIONS, n_exponents=None)
    exponents = participation_exponents(one, options, np.random.default_rng(0)).spectrum.exponents
    tau = one.population("b").lif.tau_mem
    for value in -1.0 / np.asarray(tau):
        assert np.abs(exponents - value).min() < 1e-6 * abs(value)


@pytest.mark.parametrize("reset", SUBTRACTING)
def test_events_refuse_what_crosses_no_threshold(reset):
    options = replace(OPTIONS, linearisation="event")
    with pytest.raises(SpecError) as caught:
        participation_exponents(network(reset), options, np.random.default_rng(0))
    (problem,) = caught.value.problems
    assert problem.where == "population 'b'.reset"
    assert "'surrogate' or 'perturbation'" in problem.fix


@pytest.mark.parametrize("linearisation", ["surrogate", "perturbation", "event"])
def test_several_spikes_in_a_step_are_refused_by_name(linearisation):
    options = replace(OPTIONS, linearisation=linearisation)
    with pytest.raises(SpecError) as caught:
        participation_exponents(network("subtract_all"), options, np.random.default_rng(0))
    (problem,) = caught.value.problems
    assert problem.where == "population 'b'.reset"
