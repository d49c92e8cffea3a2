"""Saltation against closed forms, and against a network solved in continuous time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import brentq

from hrsnn_lava.compiler.analysis.dynamics.event_lif import EventLIF
from hrsnn_lava.compiler.analysis.dynamics.neuron_exponents import (
    NeuronExponents,
    ParticipationOptions,
    participation_exponents,
)
from hrsnn_lava.network import LIF, Network, Population, Projection

Float = NDArray[np.float64]


def single(n: int, weights: object = None, dt: float = 1e-3, **lif: object) -> Network:
    projections = () if weights is None else (Projection("rec", "pop", "pop", weights),)  # type: ignore[arg-type]
    return Network(dt, (Population("pop", n, LIF(**lif)),), projections).verify()  # type: ignore[arg-type]


def event(**options: Any) -> ParticipationOptions:
    return ParticipationOptions(linearisation="event", **options)


def exponents(net: Network, **options: Any) -> NeuronExponents:
    return participation_exponents(net, event(**options), np.random.default_rng(0))


def follow(net: Network, **options: Any) -> EventLIF:
    return EventLIF(net, event(**options), np.random.default_rng(0))


def test_without_spikes_the_exponents_are_the_time_constants_exactly() -> None:
    tau_mem, tau_syn = np.array([0.02, 0.05, 0.01]), np.array([0.004, 0.005, 0.003])
    net = single(3, np.full((3, 3), 0.4), tau_mem=tau_mem, tau_syn=tau_syn, bias=0.9)
    found = exponents(net)
    np.testing.assert_allclose(found.per_neuron, -1 / tau_mem - 1 / tau_syn, rtol=1e-12)
    leading = np.sort(found.spectrum.exponents)[::-1]
    np.testing.assert_allclose(leading, np.sort(np.r_[-1 / tau_mem, -1 / tau_syn])[::-1])
    assert (found.mode, found.rate, found.run.n_degenerate, found.spectrum.n_floored) == (
        ("event", 0.0, 0, 0)
    )


def next_spike(lif: EventLIF) -> Float:
    """The derivative of the steps up to the next spike of the one neuron, (2, 2)."""
    q = np.eye(2)
    for _ in range(2000):
        q = lif(q)
        if lif.spikes[0]:
            return q
    raise AssertionError("the neuron does not fire")


@given(
    tau=st.floats(0.002, 0.05) | st.just(np.inf),
    bias=st.floats(1.05, 20.0),
    hold=st.integers(0, 4),
    threshold=st.floats(0.5, 2.0),
)
def test_a_tonic_neuron_keeps_its_phase(
    tau: float, bias: float, hold: int, threshold: float
) -> None:
    # In continuous time a shift of the phase stays what it is: exponent 0. Here it does at any dt.
    lif_options = {"tau_mem": tau, "refractory": hold * 1e-3, "v_threshold": threshold}
    net = single(1, bias=bias * threshold, **lif_options)
    lif = follow(net, slope_floor=1e-12)
    next_spike(lif)
    np.testing.assert_allclose(next_spike(lif)[0, 0], 1.0, rtol=1e-6)
    assert lif.record().n_degenerate == 0


def test_the_exponents_of_tonic_neurons_are_0_and_those_of_their_currents() -> None:
    # a neuron that fires in every step, one every 30 steps, one that waits out its hold
    net = single(3, tau_mem=[0.003, 0.02, 0.01], bias=[50.0, 1.3, 3.0], refractory=[0.0, 0.0, 4e-3])
    found = exponents(net, steps=1800, transient=900)
    np.testing.assert_allclose(
        np.sort(found.spectrum.exponents), [-200.0] * 3 + [0.0] * 3, atol=1e-9
    )
    assert found.spectrum.n_floored == 0
    assert found.run.n_spikes > 2700


def test_a_spike_that_comes_earlier_moves_the_whole_postsynaptic_potential() -> None:
    # d v_post = eps d(PSP)/dt at every later step, from the right: the staircase falls there
    weights, tau = np.array([[0.0, 0.0], [0.7, 0.0]]), np.array([0.02, 0.012])
    net = single(2, weights, tau_mem=tau, tau_syn=0.004, bias=[1.3, 0.0], refractory=[1.0, 0.0])
    lif = follow(net)
    while not lif.spikes[0]:
        tangent = lif(np.array([[1.0], [0.0], [0.0], [0.0]]))
    rise = (1.3 - lif.v[0]) / tau[0]  # v before the reset
    lead = np.exp(-1e-3 / tau[0]) / rise  # of a unit of v, a step before
    np.testing.assert_allclose(tangent[1], 0.7 * lead / tau[1])
    alpha, current = np.exp(-1e-3 / 0.004), 0.7
    for _ in range(30):
        tangent = lif(tangent)
        current *= alpha  # of the next step
        slope = (current - lif.v[1]) / tau[1]
        np.testing.assert_allclose(tangent[1, 0], lead * slope, rtol=1e-10)


class ContinuousNetwork:
    """Spike by spike, with exponential currents and threshold 1: no steps, roots by Brent."""

    def __init__(self, weights: Float, lif: dict[str, Float]) -> None:
        self.w, self.tau, self.syn = weights, lif["tau_mem"], lif["tau_syn"]
        self.bias, self.hold = lif["bias"], lif["refractory"]

    def potential(self, k: int, t: Any, v: float, i: float) -> Any:
        share = i * self.syn[k] / (self.syn[k] - self.tau[k])
        rest = v - self.bias[k] - share
        return self.bias[k] + share * np.exp(-t / self.syn[k]) + rest * np.exp(-t / self.tau[k])

    def crossing(self, k: int, v: float, i: float, until: float) -> float:
        grid = np.linspace(0.0, until, 200)
        above = np.flatnonzero(self.potential(k, grid[1:], v, i) > 1.0)
        if not above.size:
            return np.inf
        ends = grid[above[0]], grid[above[0] + 1]
        return float(brentq(lambda t: self.potential(k, t, v, i) - 1.0, *ends, xtol=1e-16))

    def run(self, state: Float, until: float) -> tuple[Float, int]:
        """State (v, i) at the end, and the number of spikes."""
        n, now, spikes = len(self.w), 0.0, 0
        v, i, held = state[:n].copy(), state[n:].copy(), np.zeros(n)
        while True:
            times = [
                held[k] if held[k] > now else now + self.crossing(k, v[k], i[k], until - now)
                for k in range(n)
            ]
            first = int(np.argmin(times))
            then = min(times[first], until)
            for k in range(n):
                if held[k] <= now:
                    v[k] = self.potential(k, then - now, v[k], i[k])
            i *= np.exp(-(then - now) / self.syn)
            if then == until:
                return np.r_[v, i], spikes
            now, v[first] = then, 0.0
            if held[first] != then:
                spikes += 1
                held[first] = then + self.hold[first] if self.hold[first] else 0.0
                i += self.w[:, first]


def test_the_derivative_is_that_of_the_network_in_continuous_time() -> None:
    weights = np.random.default_rng(5).normal(0, 0.6, (4, 4))
    lif = {
        "tau_mem": np.array([0.02, 0.015, 0.03, 0.025]),
        "tau_syn": np.array([0.004, 0.005, 0.006, 0.005]),
        "bias": np.array([1.3, 1.5, 1.2, 1.6]),
        "refractory": np.array([0.0, 0.0015, 0.0, 0.003]),
    }
    network, until, size = ContinuousNetwork(weights, lif), 0.06, 1e-6
    columns = [
        (network.run(size * e, until)[0] - network.run(-size * e, until)[0]) / (2 * size)
        for e in np.eye(8)
    ]
    truth = np.stack(columns, axis=1)
    assert network.run(np.zeros(8), until)[1] == 7
    errors = []
    for dt in (5e-4, 1e-4, 2e-5):
        follower = follow(single(4, weights, dt, **lif))
        q = np.eye(8)
        for _ in range(round(until / dt)):
            q = follower(q)
        assert follower.record().n_spikes == 7
        errors.append(np.linalg.norm(q - truth) / np.linalg.norm(truth))
    assert errors[0] < 0.06
    assert errors[2] < 0.005  # of order dt
    assert errors[2] < errors[0] / 8


def test_coupled_neurons_share_the_spectrum() -> None:
    rng = np.random.default_rng(3)
    net = single(20, rng.normal(0.0, 0.3, (20, 20)), tau_mem=0.02, bias=1.3, refractory=0.002)
    found = exponents(net, steps=200, noise=0.3, qr_every=2)
    assert found.rate > 0.01
    np.testing.assert_allclose(found.per_neuron.sum(), found.spectrum.exponents.sum())
    thin = exponents(net, steps=200, noise=0.3, qr_every=2, n_exponents=5).spectrum
    assert thin.exponents.shape == (5,)
    np.testing.assert_allclose(thin.mean_participation @ thin.coverage, thin.exponents.sum())


def test_flat_crossings_are_raised_to_the_floor_and_counted() -> None:
    # just enough current to fire: v creeps up to the threshold
    net = single(2, np.array([[0.0, 0.1], [0.1, 0.0]]), tau_mem=[0.002, 0.02], bias=[1.0001, 1.3])
    found = exponents(net, steps=400)
    assert 0 < found.run.n_degenerate < found.run.n_spikes
    assert np.isfinite(found.per_neuron).all()
    assert found.run.parameters == {"slope_floor": 1e-3}
    assert exponents(net, steps=400, slope_floor=1e-9).run.n_degenerate == 0


def test_a_step_much_longer_than_tau_mem_is_degenerate_and_finite() -> None:
    net = single(2, np.array([[0.0, 0.1], [0.1, 0.0]]), tau_mem=1e-5, bias=2.0)  # beta = 4e-44
    found = exponents(net, steps=50, transient=0)
    assert found.run.n_degenerate == found.run.n_spikes == 100
    assert np.isfinite(found.per_neuron).all()


@pytest.mark.parametrize(
    ("lif", "rate"),
    [
        ({"tau_mem": 0.02, "bias": 0.5}, 0.0),
        ({"tau_mem": 0.02, "bias": 60.0}, 1.0),
        ({"tau_mem": 0.02, "bias": 60.0, "refractory": 3e-3}, 0.25),
        ({"tau_mem": 0.02, "bias": 60.0, "tau_syn": 0.0}, 1.0),
        ({"tau_mem": np.inf, "bias": 60.0}, 1.0),
    ],
)
@pytest.mark.parametrize("n", [1, 5])
@pytest.mark.parametrize("mode", ["event", "surrogate", "perturbation"])
def test_extremes(mode: Any, n: int, lif: dict[str, float], rate: float) -> None:
    options = ParticipationOptions(
        linearisation=mode, steps=40, transient=20, n_exponents=2 * n, eps=1e-6
    )
    net = single(n, np.zeros((n, n)), **lif)
    found = participation_exponents(net, options, np.random.default_rng(0))
    assert found.rate == pytest.approx(rate, abs=0.02)
    assert found.run.n_degenerate == 0
    np.testing.assert_allclose(found.per_neuron.sum(), found.spectrum.exponents.sum())
    forgets = lif.get("tau_syn") == 0
    # a current that a step forgets has no exponent, what a reset erases neither: floored
    erased = forgets or (mode != "event" and rate > 0)
    assert (found.spectrum.n_floored > 0) == erased
    if mode == "event":
        values = np.sort(found.spectrum.exponents)
        currents = np.log(1e-12) / 5e-3 if forgets else -200.0
        np.testing.assert_allclose(values[:n], currents, rtol=1e-6)
        np.testing.assert_allclose(values[n:], 0.0 if rate else -1 / 0.02, atol=1e-6)
