"""Time constants go to the edge of stability; what is not asked for stays."""

from __future__ import annotations

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava.compiler.analysis.dynamics.exponent_options import ParticipationOptions
from hrsnn_lava.compiler.context import Context
from hrsnn_lava.compiler.passes.rescale_time import RescaleTime
from hrsnn_lava.compiler.pipeline import run_pass
from hrsnn_lava.errors import SpecError


def silent(tau_mem, tau_syn=0.005):
    """Neurons that nothing drives and nothing couples: their exponents are -1 / tau."""
    lif = hl.LIF(tau_mem=tau_mem, tau_syn=tau_syn, bias=0.1)
    return hl.Network(1e-3, [hl.Population("a", np.size(tau_mem), lif)], [])


def test_uncoupled_neurons_get_the_time_constant_that_is_asked_for():
    network = silent(np.full(6, 0.02))
    step = RescaleTime(evaluations=80, target=-1 / 1.5, stretch=1.0)
    moved, report = step.apply(network)
    # lambda_1 = -1 / tau', in units of 1 / tau
    np.testing.assert_allclose(moved.gather("tau_mem"), 0.03, rtol=0.03)
    assert report["unit_s"] == pytest.approx(0.02)
    assert report["largest_before"] == pytest.approx(-50.0, rel=1e-6)
    assert report["largest_after"] == pytest.approx(-1 / 0.03, rel=0.03)
    assert report["objective_before"] == pytest.approx(-((1 - 1 / 1.5) ** 2), rel=1e-6)
    assert report["objective_after"] > report["objective_before"]
    assert set(report["types"]) == {"unsigned"}


def test_shift_and_stretch_are_those_of_the_logarithm_and_keep_the_order():
    tau = np.array([0.01, 0.02, 0.04, 0.02])
    step = RescaleTime(evaluations=20, target=-0.2, shift=1.5, stretch=2.0)
    moved, report = step.apply(silent(tau))
    new, (found,) = moved.gather("tau_mem"), report["types"].values()
    mean = np.log(tau).mean()
    expected = np.exp(mean + np.log(found["shift"]) + found["stretch"] * (np.log(tau) - mean))
    np.testing.assert_allclose(new, expected, rtol=1e-9)
    assert np.array_equal(np.argsort(new, kind="stable"), np.argsort(tau, kind="stable"))
    assert 1 / 1.5 <= found["shift"] <= 1.5
    assert 0.5 <= found["stretch"] <= 2.0


def test_a_network_at_its_best_stays_as_it_is():
    network = silent(np.full(3, 0.02))
    moved, report = RescaleTime(evaluations=10, target=-1.0).apply(network)
    assert moved.digest == network.digest
    assert report["objective_after"] == report["objective_before"]


def test_bounds_hold_for_what_moves():
    tau = np.array([0.02, 0.9])
    moved, _ = RescaleTime(evaluations=20, target=-0.01, tau_max=0.03).apply(silent(tau))
    new = moved.gather("tau_mem")
    assert new[0] <= 0.03
    assert new[1] <= 0.9


def test_types_move_on_their_own_and_all_else_stays():
    table = {"size": 40, "connectivity": {"mean_degree": 8.0}}
    network = hl.build_hrsnn(hl.Spec.parse({"network": table}), seed=1)
    spectrum = ParticipationOptions(steps=40, transient=10, n_exponents=4)
    step = RescaleTime(evaluations=6, spectrum=spectrum)
    told = []
    context = Context(seed=3, progress=lambda text, _=None: told.append(text))
    moved, record = run_pass(network, step, context)
    report = record.report
    assert set(report["types"]) == {"excitatory", "inhibitory"}
    assert report["evaluations"] == 6
    assert report["objective_after"] >= report["objective_before"]
    assert any("time constants: point 6" in text for text in told)
    for field in ("tau_syn", "v_threshold", "bias", "refractory"):
        np.testing.assert_array_equal(moved.gather(field), network.gather(field))
    assert [p.weights.nnz for p in moved.projections] == [
        p.weights.nnz for p in network.projections
    ]
    again, _ = run_pass(network, step, Context(seed=3))
    assert again.digest == moved.digest


def test_contradicting_bounds_are_refused():
    with pytest.raises(SpecError, match=r"tau_min: 0.2; allowed: <= tau_max, 0.1"):
        RescaleTime(tau_min=0.2, tau_max=0.1)
    with pytest.raises(SpecError, match="quasi_random"):
        RescaleTime(search="astrology")
