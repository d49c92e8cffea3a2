"""Flows against published Lyapunov exponents and long-term statistics."""

from __future__ import annotations

import numpy as np
import pytest

from hrsnn_lava.seeding import generator
from hrsnn_lava.tasks.series import lorenz96, rossler
from hrsnn_lava.tasks.series.flows import rk4_array
from hrsnn_lava.tasks.series.lorenz63 import lorenz63_field
from hrsnn_lava.tasks.series.lorenz96 import Lorenz96System
from hrsnn_lava.tasks.series.rossler import rossler_field

TINY = 1e-20  # of a complex step: the derivative has no rounding error


def step(field, u, h):
    """The classical Runge-Kutta rule on arrays, real or complex; (d, ...)."""
    k1 = np.array(field(u))
    k2 = np.array(field(u + 0.5 * h * k1))
    k3 = np.array(field(u + 0.5 * h * k2))
    return u + h / 6 * (k1 + 2 * k2 + 2 * k3 + np.array(field(u + h * k3)))


def spectrum(field, starts, h, transient, steps, every):
    """Exponents of a three-dimensional flow, the mean over many trajectories (Benettin 1980).

    Tangents are carried in the imaginary part, so they are the exact derivative of the rule.
    """
    u = np.array(starts)  # (3, trajectories)
    for _ in range(transient):
        u = step(field, u, h)
    q = np.broadcast_to(np.eye(3)[:, None, :], (3, u.shape[1], 3))  # component, trajectory, tangent
    logs, blocks = np.zeros(3), steps // every
    for block in range(blocks):
        z = u[:, :, None] + 1j * TINY * q
        for _ in range(every):
            z = step(field, z, h)
        u = z.real[:, :, 0]
        q, r = np.linalg.qr((z.imag / TINY).transpose(1, 0, 2))
        q = q.transpose(1, 0, 2)
        if block >= blocks // 4:
            logs += np.log(np.abs(np.diagonal(r, axis1=1, axis2=2))).mean(axis=0)
    return logs / ((blocks - blocks // 4) * every * h)


def test_lorenz63_has_its_exponents():
    """0.906, 0, -14.572 (Sprott 2003); their sum is -(sigma + 1 + beta)."""
    starts = generator(0, "task").normal(size=(3, 60)) + np.array([[0.0], [0.0], [25.0]])
    found = spectrum(lorenz63_field(10.0, 28.0, 8 / 3), starts, 0.01, 1000, 2000, 20)
    np.testing.assert_allclose(found, [0.906, 0.0, -14.572], atol=0.03)
    assert found.sum() == pytest.approx(-(10 + 1 + 8 / 3), abs=5e-4)


def test_rossler_has_its_exponents():
    """0.0714, 0, -5.3943 (Sprott 2003)."""
    starts = np.vstack([generator(0, "task").uniform(-4, 4, (2, 60)), np.zeros((1, 60))])
    found = spectrum(rossler_field(0.2, 0.2, 5.7), starts, 0.05, 1500, 3200, 20)
    np.testing.assert_allclose(found[:2], [rossler.LYAPUNOV_EXPONENT, 0.0], atol=0.008)
    assert found[2] == pytest.approx(-5.394, abs=0.1)


@pytest.mark.parametrize(("size", "published"), [(40, 1.68), (8, 1.58)])
def test_lorenz96_of_one_level(size, published):
    """Leading exponent, and for 40 variables mean 2.34 and standard deviation 3.64 of X."""
    system = Lorenz96System(size=size)
    field, h, rng = system.field(), 0.025, generator(0, "task")
    u = rk4_array(field, 8 + rng.standard_normal(size), h, 400, h, size)[1]
    away = rng.standard_normal(size)
    v = u + 1e-7 * away / np.linalg.norm(away)
    growth, samples, blocks = 0.0, [], 500
    for _ in range(blocks):
        path, u = rk4_array(field, u, h, 10, h, size)
        v = rk4_array(field, v, h, 10, h, size)[1]
        distance = np.linalg.norm(v - u)
        growth += np.log(distance / 1e-7)
        v = u + (v - u) * (1e-7 / distance)
        samples.append(path[1:])
    assert growth / (blocks * 10 * h) == pytest.approx(published, abs=0.12)
    assert system.lyapunov_exponent == lorenz96.LYAPUNOV_EXPONENTS[size, 8.0] == published
    if size == 40:
        x = np.concatenate(samples)
        assert x.mean() == pytest.approx(2.34, abs=0.06)
        assert x.std() == pytest.approx(3.64, abs=0.08)
