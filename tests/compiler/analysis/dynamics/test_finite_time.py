"""Finite-time exponents against products of derivatives, written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hrsnn_lava.compiler.analysis.dynamics.event_lif import EventLIF
from hrsnn_lava.compiler.analysis.dynamics.finite_time import finite_time_exponents
from hrsnn_lava.compiler.analysis.dynamics.neuron_exponents import (
    ParticipationOptions,
    SurrogateLIF,
    participation_exponents,
)
from hrsnn_lava.errors import SpecError
from hrsnn_lava.network import LIF, Network, Population, Projection


def single(n: int, weights: object = None, **lif: object) -> Network:
    projections = () if weights is None else (Projection("rec", "pop", "pop", weights),)  # type: ignore[arg-type]
    return Network(1e-3, (Population("pop", n, LIF(**lif)),), projections).verify()  # type: ignore[arg-type]


def coupled(n: int) -> Network:
    weights = np.random.default_rng(1).normal(0.0, 0.3, (n, n))
    return single(n, weights, tau_mem=0.02, bias=1.3, refractory=1e-3)


@pytest.mark.parametrize("mode", ["surrogate", "event"])
def test_neurons_without_spikes_decay_with_their_time_constants(mode: Any) -> None:
    tau = np.array([0.02, 0.05, 0.01])
    options = ParticipationOptions(linearisation=mode, steps=1000, window=1000)
    found = finite_time_exponents(single(3, tau_mem=tau), options, np.random.default_rng(0))
    # e^-100 is far below the floor of a step, and still the right number
    np.testing.assert_allclose(found.per_neuron, -1 / tau, rtol=1e-12)
    assert (found.horizon, found.n_windows, found.n_floored) == (1.0, 1, 0)


@pytest.mark.parametrize(("mode", "cls"), [("surrogate", SurrogateLIF), ("event", EventLIF)])
def test_the_mean_over_windows_is_that_of_the_products(mode: Any, cls: Any) -> None:
    n, window = 300, 10  # more neurons than are followed at once
    net = coupled(n)
    options = ParticipationOptions(
        linearisation=mode, steps=25, transient=40, window=window, noise=0.2
    )
    found = finite_time_exponents(net, options, np.random.default_rng(5))
    run = cls(net, options, np.random.default_rng(5))
    for _ in range(40):
        run(np.zeros((2 * n, 1)))
    logs = np.zeros(n)
    for _ in range(3):
        q = np.eye(2 * n)[:, :n]
        for _ in range(window):
            q = run(q)
        logs += np.log(np.linalg.norm(q, axis=0))
    np.testing.assert_allclose(found.per_neuron, logs / (3 * window * 1e-3), rtol=1e-9, atol=1e-9)
    assert (found.n_windows, found.run.mode, found.n_floored) == (3, mode, 0)


def test_long_times_tend_to_the_largest_exponent() -> None:
    net = coupled(10)
    found = {}
    for window in (10, 1000):
        options = ParticipationOptions(steps=1000, window=window, width=1.0)
        found[window] = finite_time_exponents(net, options, np.random.default_rng(0)).per_neuron
    spectrum = participation_exponents(net, options, np.random.default_rng(0)).spectrum
    np.testing.assert_allclose(found[1000], spectrum.exponents.max(), atol=4.0)
    assert found[1000].std() < 0.1 * found[10].std()


def test_what_vanishes_is_floored_and_counted() -> None:
    # without slopes a reset forgets v: the surrogate is too narrow to see this neuron
    net = single(1, tau_mem=0.02, bias=60.0)
    options = ParticipationOptions(steps=20, window=10, width=1e-3, transient=0)
    found = finite_time_exponents(net, options, np.random.default_rng(0))
    assert found.n_floored == 2
    np.testing.assert_allclose(found.per_neuron, np.log(1e-12) / 5e-3)


def test_perturbations_that_overflow_are_an_error() -> None:
    net = single(4, np.full((4, 4), 1e4), tau_mem=0.02, bias=0.7)
    options = ParticipationOptions(steps=400, window=400)
    with pytest.raises(SpecError, match="overflowed within 400 steps"):
        finite_time_exponents(net, options, np.random.default_rng(0))


def test_shadows_have_no_derivative_to_multiply() -> None:
    options = ParticipationOptions(linearisation="perturbation")
    with pytest.raises(SpecError, match="'perturbation'; allowed: surrogate, event"):
        finite_time_exponents(coupled(3), options, np.random.default_rng(0))
