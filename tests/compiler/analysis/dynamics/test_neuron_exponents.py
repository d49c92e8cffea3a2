import numpy as np
import pytest
from scipy import sparse

from hrsnn_lava.compiler.analysis.dynamics.neuron_exponents import (
    ParticipationOptions,
    SurrogateLIF,
    decay,
    isolated_exponents,
    participation_exponents,
)
from hrsnn_lava.errors import SpecError
from hrsnn_lava.network import LIF, Network, Population, Projection


def single(n: int, weights: object = None, **lif: object) -> Network:
    projections = () if weights is None else (Projection("rec", "pop", "pop", weights),)
    return Network(1e-3, (Population("pop", n, LIF(**lif)),), projections).verify()  # type: ignore[arg-type]


def test_isolated_exponents_are_inverse_time_constants() -> None:
    np.testing.assert_array_equal(isolated_exponents([0.01, 0.05]), [-100.0, -20.0])
    with pytest.raises(SpecError, match=r"tau_mem: 0 at neuron 1 \(1 in all\); allowed: finite"):
        isolated_exponents([0.01, 0.0])
    with pytest.raises(SpecError, match=r'neuron 1 .*take exponents "participation"'):
        isolated_exponents([0.01, np.inf, np.inf])


def test_silent_uncoupled_neurons_give_their_time_constants_exactly() -> None:
    tau_mem, tau_syn = np.array([0.02, 0.05, 0.01]), np.array([0.004, 0.005, 0.003])
    net = single(3, tau_mem=tau_mem, tau_syn=tau_syn)
    found = participation_exponents(net, ParticipationOptions(), np.random.default_rng(0))
    expected = -1.0 / tau_mem - 1.0 / tau_syn
    np.testing.assert_allclose(found.per_neuron, expected, rtol=1e-12)
    leading = np.sort(found.spectrum.exponents)[::-1]
    np.testing.assert_allclose(leading, np.sort(np.r_[-1 / tau_mem, -1 / tau_syn])[::-1])
    assert found.rate == 0.0
    assert found.mode == "surrogate"
    assert found.spectrum.n_floored == 0


def test_exponents_of_an_active_network_sum_to_its_spectrum() -> None:
    rng = np.random.default_rng(3)
    weights = sparse.random(20, 20, 0.3, format="csr", random_state=rng)
    net = single(20, weights, tau_mem=0.02, bias=1.3, refractory=0.002)
    options = ParticipationOptions(steps=200, noise=0.3, qr_every=2)
    found = participation_exponents(net, options, np.random.default_rng(4))
    assert 0.01 < found.rate < 0.4
    np.testing.assert_allclose(found.per_neuron.sum(), found.spectrum.exponents.sum())
    assert found.spectrum.n_floored > 0  # resets and refractory periods make columns vanish


def test_leading_exponents_give_a_value_within_their_range() -> None:
    rng = np.random.default_rng(3)
    weights = sparse.random(30, 30, 0.3, format="csr", random_state=rng)
    net = single(30, weights, tau_mem=0.02, bias=1.3)
    options = ParticipationOptions(steps=100, n_exponents=5, noise=0.3)
    found = participation_exponents(net, options, np.random.default_rng(4))
    assert found.spectrum.exponents.shape == (5,)
    assert found.per_neuron.min() >= found.spectrum.exponents.min() - 1e-9
    assert found.per_neuron.max() <= found.spectrum.exponents.max() + 1e-9


def test_same_stream_gives_the_same_exponents() -> None:
    net = single(5, np.full((5, 5), 0.1), tau_mem=0.02, bias=1.2)
    options = ParticipationOptions(steps=50, noise=0.2)
    a, b = (participation_exponents(net, options, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(a.per_neuron, b.per_neuron)


def test_run_follows_the_float_dynamics_of_the_network() -> None:
    rng = np.random.default_rng(5)
    weights = rng.normal(0, 1.0, (4, 4))
    net = single(
        4, weights, tau_mem=[0.02, 0.01, 0.03, 0.02], bias=1.5, refractory=[0, 1e-3, 3e-3, 0]
    )
    lif = SurrogateLIF(net, ParticipationOptions(), rng)
    alpha, beta = np.exp(-1e-3 / 0.005), np.exp(-1e-3 / net.gather("tau_mem"))
    v, i, s, free_at = np.zeros(4), np.zeros(4), np.zeros(4), np.zeros(4)
    total = 0
    for t in range(200):
        i = alpha * i + weights @ s
        v = beta * v + (1 - beta) * (1.5 + i)
        v[t < free_at] = 0.0
        s = (v > 1.0).astype(float)
        free_at[s > 0] = t + 1 + np.array([0, 1, 3, 0])[s > 0]
        v[s > 0] = 0.0
        total += int(s.sum())
        lif(np.zeros((8, 1)))
    assert total > 20
    assert lif.rate == total / 800


def test_jacobian_is_that_of_the_smooth_step() -> None:
    # Below threshold and beyond the slope's reach the step is linear; within reach, psi is 1/half.
    weights = np.array([[0.0, 0.5], [-0.25, 0.0]])
    net = single(2, weights, tau_mem=0.02, tau_syn=0.005, bias=[0.0, 20.5])
    options = ParticipationOptions(width=0.5)
    lif = SurrogateLIF(net, options, np.random.default_rng(0))
    alpha, beta = np.exp(-0.2), np.exp(-0.05)
    lif(np.eye(4))
    v = (1 - beta) * 20.5  # neuron 1 after the first step: just below the threshold of 1
    assert 0.9 < v < 1.0
    psi = (1 - (1 - v) / 0.5) / 0.5
    jacobian = lif(np.eye(4))
    coupling = weights @ np.diag([0.0, psi])
    expected = np.block(
        [
            [beta * np.eye(2) + (1 - beta) * coupling, (1 - beta) * alpha * np.eye(2)],
            [coupling, alpha * np.eye(2)],
        ]
    )
    np.testing.assert_allclose(jacobian, expected, atol=1e-14)


def test_reset_gradient_changes_the_spectrum_when_asked() -> None:
    net = single(3, tau_mem=0.02, bias=1.5)
    rng = np.random.default_rng(0)
    plain = participation_exponents(net, ParticipationOptions(steps=100), rng)
    reset = participation_exponents(net, ParticipationOptions(steps=100, reset_gradient=True), rng)
    assert not np.allclose(plain.per_neuron, reset.per_neuron)


def test_zero_synaptic_time_constant_has_no_memory() -> None:
    np.testing.assert_array_equal(decay(1e-3, np.array([0.0, np.inf])), [0.0, 1.0])


def test_options_out_of_range_are_named() -> None:
    with pytest.raises(SpecError, match=r"width: 0.0; allowed: > 0.0\n.*noise: -1.0"):
        ParticipationOptions(width=0.0, noise=-1.0)
