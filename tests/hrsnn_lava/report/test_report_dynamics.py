"""Eigenvalues and Lyapunov exponents in a report."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import sparse

from hrsnn_lava.experiment.run import drive_noise
from hrsnn_lava.network import LIF, Input, Network, Population, Projection
from hrsnn_lava.report.sections import dynamics as part
from hrsnn_lava.training.simulation import Stimulus


def ring(n, gain, inputs=0):
    """n neurons in a ring with the same gain everywhere: eigenvalues are gain times roots of 1."""
    dt, tau_mem, tau_syn = 1e-3, 20e-3, 5e-3
    weight = gain * (1 - np.exp(-dt / tau_syn)) / (1 - np.exp(-dt / tau_mem))
    matrix = sparse.csr_matrix((np.full(n, weight), (np.arange(n), np.roll(np.arange(n), 1))))
    populations = [Population("exc", n, LIF(tau_mem, tau_syn))]
    projections = [Projection("exc_exc", "exc", "exc", matrix)]
    if inputs:
        populations.insert(0, Population("inp", inputs, Input(graded=True)))
        held = sparse.csr_matrix(np.ones((n, inputs)))
        projections.append(Projection("inp_exc", "inp", "exc", held, target="bias"))
    return Network(dt, tuple(populations), tuple(projections)).verify()


def test_eigenvalues_of_a_ring_are_roots_of_unity():
    found = part.dynamics(ring(8, 0.5))
    entry = found["before"]
    assert entry["spectral_radius"] == pytest.approx(0.5)
    values = np.array(entry["eigenvalues"]["re"]) + 1j * np.array(entry["eigenvalues"]["im"])
    roots = 0.5 * np.exp(2j * np.pi * np.arange(5) / 8)  # those with im >= 0
    assert np.sort_complex(np.round(values, 4)) == pytest.approx(
        np.sort_complex(np.round(roots, 4)), abs=2e-4
    )
    assert entry["zero_eigenvalues"] == 0
    assert "lyapunov_spectrum" not in entry


def test_a_silent_network_forgets_at_the_rate_of_its_slower_leak():
    network = ring(4, 0.0)
    found = part.dynamics(after=network, rng=np.random.default_rng(0))["after"]
    assert found["spectral_radius"] == 0.0
    assert found["zero_eigenvalues"] == 4
    # without synapses the exponents are -1/tau_mem and -1/tau_syn, four of each
    expected = [-50.0] * 4 + [-200.0] * 4
    assert found["lyapunov_spectrum"] == pytest.approx(expected, rel=0.02)
    assert found["lyapunov_largest"] == pytest.approx(-50.0, rel=0.02)


def test_large_networks_are_skipped_with_the_reason():
    network = ring(30, 0.5)
    found = part.dynamics(network, rng=np.random.default_rng(0), limit=20)
    assert found["before"]["eigenvalues"] is None
    assert found["before"]["lyapunov_spectrum"] is None
    text = " ".join(part.notes(found))
    assert "a strongly connected part has more than 20 neurons" in text
    assert "30 neurons; computed up to 20" in text
    assert part.eigenvalue_plot(found) is None
    assert part.lyapunov_plot(found) is None


def test_the_circle_and_the_eigenvalues_share_a_scale():
    drawn = part.eigenvalue_plot(part.dynamics(ring(4, 2.0)))
    assert drawn.square
    radius = float(re.search(r'circle" d="M[\d.]+ 500a([\d.]+)', str(drawn.body))[1])
    dots = re.findall(r"M([\d.]+) ([\d.]+)h0", str(drawn.body))
    far = max(np.hypot(float(x) - 500, float(y) - 500) for x, y in dots)
    assert far == pytest.approx(2 * radius, rel=0.01)
    assert len(dots) == 4  # conjugates too, each once


def test_equal_seeds_give_equal_spectra():
    network = ring(10, 0.9)
    one, two = (
        part.dynamics(network, rng=np.random.default_rng(3), drive_noise=20.0) for _ in range(2)
    )
    assert one == two
    assert one["before"]["spikes_per_neuron_step"] > 0


def test_noise_is_as_strong_as_the_held_drive():
    rng = np.random.default_rng(1)
    samples = rng.standard_normal((4000, 2))
    # two channels of weight 1: the variance of their sum
    expected = np.sqrt(np.var(samples.sum(axis=1)))
    stimulus = Stimulus(samples, 20)
    assert drive_noise(ring(5, 0.5, inputs=2), stimulus) == pytest.approx(expected)


def test_every_network_has_a_row(rich):
    rows = part.rows(rich.to_dict()["dynamics"])
    assert [row["when"] for row in rows] == ["before pruning", "after pruning", "on the chip"]
    before, _, chip = rows
    assert chip["spectral_radius"] == pytest.approx(before["spectral_radius"], rel=0.3)
    assert chip.get("lyapunov_spectrum") is None
