"""Shadow copies followed by QR: linear systems, Lorenz-63."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import expm

from hrsnn_lava.compiler.analysis.dynamics.lyapunov import QrSchedule, lyapunov_spectrum
from hrsnn_lava.compiler.analysis.dynamics.shadows import ShadowTangent
from hrsnn_lava.errors import SpecError

Float = NDArray[np.float64]


@pytest.mark.parametrize("every", [1, 4])
def test_linear_flow_gives_the_real_parts_of_its_eigenvalues(every: int) -> None:
    rng = np.random.default_rng(1)
    basis = rng.standard_normal((4, 4))
    spiral = np.array([[-0.5, 2.0], [-2.0, -0.5]])
    system = np.zeros((4, 4))
    system[:2, :2], system[2, 2], system[3, 3] = spiral, 0.3, -1.5
    system = basis @ system @ np.linalg.inv(basis)
    dt = 0.1
    step = expm(system * dt)
    schedule = QrSchedule(steps=4000, dt=dt, transient=400, qr_every=every)
    shadows = ShadowTangent(lambda x: step @ x, np.zeros(4), 1e-3, every)
    expected = np.sort(np.linalg.eigvals(system).real)[::-1]
    found = lyapunov_spectrum(shadows, 4, schedule).exponents
    np.testing.assert_allclose(np.sort(found)[::-1], expected, atol=0.01)
    exact = lyapunov_spectrum(lambda q: step @ q, 4, schedule).exponents
    np.testing.assert_allclose(found, exact, atol=1e-6)


def rate(s: Float) -> Float:
    x, y, z = s
    return np.array([10.0 * (y - x), x * (28.0 - z) - y, x * y - 8.0 / 3.0 * z])


def test_lorenz_63() -> None:
    # Sprott (2003): 0.906, 0, -14.572; the sum is the divergence, -(10 + 1 + 8/3).
    dt = 0.02

    def step(s: Float) -> Float:
        a = rate(s)
        b = rate(s + dt / 2 * a)
        c = rate(s + dt / 2 * b)
        d = rate(s + dt * c)
        moved: Float = s + dt / 6 * (a + 2 * b + 2 * c + d)
        return moved

    schedule = QrSchedule(steps=20_000, dt=dt, transient=1000, qr_every=5)
    shadows = ShadowTangent(step, [1.0, 2.0, 20.0], 1e-6, 5)
    found = lyapunov_spectrum(shadows, 3, schedule)
    np.testing.assert_allclose(found.exponents, [0.906, 0.0, -14.572], atol=0.03)
    np.testing.assert_allclose(found.participation.sum(), -13.667, atol=0.005)


def test_the_run_is_not_disturbed_and_hidden_state_is_aligned_at_every_start() -> None:
    calls: list[str] = []

    def step(s: Float) -> Float:
        calls.append("step")
        moved: Float = 2.0 * s + 1.0
        return moved

    shadows = ShadowTangent(step, [1.0], 0.1, 3, lambda: calls.append("align"))
    tangent = np.ones((1, 1))
    for _ in range(4):
        tangent = shadows(tangent)
    np.testing.assert_allclose(shadows.state, [31.0])
    assert calls == ["align", "step", "step", "step", "align", "step"]
    np.testing.assert_allclose(tangent, 16.0)


@pytest.mark.parametrize(("size", "every"), [(0.0, 1), (np.nan, 1), (1.0, 0)])
def test_arguments_out_of_range_are_named(size: Any, every: Any) -> None:
    with pytest.raises(SpecError, match=r"size: |every: "):
        ShadowTangent(lambda x: x, [0.0], size, every)
