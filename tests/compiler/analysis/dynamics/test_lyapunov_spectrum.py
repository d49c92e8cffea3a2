from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.dynamics.lyapunov import (
    LyapunovSpectrum,
    QrSchedule,
    lyapunov_spectrum,
)
from hrsnn_lava.errors import SpecError


def linear(matrix: NDArray[Any], **options: object) -> LyapunovSpectrum:
    options = {"steps": 400, "transient": 200, "dt": 0.5} | options
    rng = options.pop("rng", None)
    schedule = QrSchedule(**options)  # type: ignore[arg-type]
    return lyapunov_spectrum(lambda q: matrix @ q, len(matrix), schedule, rng)  # type: ignore[arg-type]


def test_linear_map_gives_the_moduli_of_its_eigenvalues() -> None:
    rng = np.random.default_rng(1)
    basis = rng.standard_normal((4, 4))
    matrix = basis @ np.diag([1.5, 0.9, 0.5, -0.1]) @ np.linalg.inv(basis)
    spectrum = linear(matrix)
    expected = np.log([1.5, 0.9, 0.5, 0.1]) / 0.5
    np.testing.assert_allclose(spectrum.exponents, expected, rtol=1e-6)
    np.testing.assert_allclose(linear(matrix, qr_every=5).exponents, expected, rtol=1e-6)
    thin = linear(matrix, n_exponents=2, rng=rng)
    np.testing.assert_allclose(thin.exponents, expected[:2], rtol=1e-6)


def test_complex_pairs_share_their_modulus() -> None:
    angle, modulus = 0.7, 0.8
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    spectrum = linear(modulus * rotation)
    np.testing.assert_allclose(spectrum.exponents, np.log(modulus) / 0.5)


@pytest.mark.parametrize("n_exponents", [None, 3])
def test_participation_sums_to_the_exponents(n_exponents: int | None) -> None:
    rng = np.random.default_rng(2)
    spectrum = linear(rng.standard_normal((6, 6)), n_exponents=n_exponents, rng=rng)
    np.testing.assert_allclose(spectrum.participation.sum(), spectrum.exponents.sum())
    np.testing.assert_allclose(spectrum.coverage.sum(), n_exponents or 6)
    mean = spectrum.mean_participation
    np.testing.assert_allclose(mean @ spectrum.coverage, spectrum.exponents.sum())
    assert spectrum.exponents.min() - 1e-9 <= mean.min() <= mean.max()
    assert mean.max() <= spectrum.exponents.max() + 1e-9


def test_uncoupled_coordinates_own_their_exponents() -> None:
    decays = np.array([0.9, 0.8, 0.7])
    spectrum = linear(np.diag(decays))
    np.testing.assert_allclose(spectrum.participation, np.log(decays) / 0.5, rtol=1e-12)


def lorenz(state: NDArray[Any], tangent: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    x, y, z = state
    jacobian = np.array([[-10.0, 10.0, 0.0], [28.0 - z, -1.0, -x], [y, x, -8.0 / 3.0]])
    return np.array([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z]), jacobian @ tangent


def test_lorenz_63() -> None:
    # Sprott (2003): 0.906, 0, -14.572; the sum is the divergence, -(10 + 1 + 8/3).
    dt = 0.02
    state = np.array([1.0, 2.0, 20.0])

    def step(q: NDArray[Any]) -> NDArray[Any]:
        nonlocal state
        a, qa = lorenz(state, q)
        b, qb = lorenz(state + dt / 2 * a, q + dt / 2 * qa)
        c, qc = lorenz(state + dt / 2 * b, q + dt / 2 * qb)
        d, qd = lorenz(state + dt * c, q + dt * qc)
        state = state + dt / 6 * (a + 2 * b + 2 * c + d)
        moved: NDArray[Any] = q + dt / 6 * (qa + 2 * qb + 2 * qc + qd)
        return moved

    spectrum = lyapunov_spectrum(
        step, 3, QrSchedule(steps=20_000, transient=1000, dt=dt, qr_every=5)
    )
    np.testing.assert_allclose(spectrum.exponents, [0.906, 0.0, -14.572], atol=0.03)
    np.testing.assert_allclose(spectrum.participation.sum(), -13.667, atol=0.005)


def test_vanishing_directions_are_floored_and_counted() -> None:
    spectrum = linear(np.diag([0.5, 0.0]), steps=10, transient=0, dt=1.0, floor=1e-6)
    np.testing.assert_allclose(spectrum.exponents, np.log([0.5, 1e-6]))
    assert spectrum.n_floored == 10
    assert spectrum.largest_growth == 0.5


def test_steps_are_whole_blocks() -> None:
    spectrum = linear(np.eye(2), steps=11, transient=1, qr_every=4)
    assert (spectrum.steps, spectrum.transient) == (12, 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_exponents": 5}, "n_exponents: 5; allowed: 1 to 2"),
        ({"n_exponents": 1}, "rng: None; allowed: a generator"),
        ({"steps": 0}, "steps: steps 0"),
        ({"floor": 0.0}, "0 < floor < 1"),
    ],
)
def test_options_out_of_range_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        linear(np.eye(2), **options)


def test_overflow_is_an_error() -> None:
    with pytest.raises(SpecError, match="overflowed within 2 steps"):
        linear(np.diag([1e200, 1.0]), qr_every=2)
