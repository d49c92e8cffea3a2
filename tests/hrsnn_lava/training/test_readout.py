"""Fitting and choosing the readout."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hrsnn_lava.errors import SpecError
from hrsnn_lava.training.readout import (
    Readout,
    ReadoutFitter,
    ReadoutOptions,
    select_readout,
    validation_starts,
)


def data(n: int = 40, n_features: int = 90) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, n_features)), rng.normal(size=(n, 3))


def test_fit_is_the_primal_solution() -> None:
    x, y = data(60, 20)
    xc, yc = x - x.mean(axis=0), y - y.mean(axis=0)
    penalty = 1e-3 * np.trace(xc @ xc.T) / 60
    primal = np.linalg.solve(xc.T @ xc + penalty * np.eye(20), xc.T @ yc)
    readout = ReadoutFitter(x, y).fit(1e-3)
    np.testing.assert_allclose(readout.weights, primal, rtol=1e-8)
    np.testing.assert_allclose(readout.predict(x), xc @ primal + y.mean(axis=0), rtol=1e-8)
    assert readout.n_features == 20
    assert readout.alpha == 1e-3


def test_rows_left_out_do_not_matter() -> None:
    x, y = data()
    keep = np.arange(40) % 4 != 0
    before = ReadoutFitter(x, y).fit(1e-4, keep)
    changed = np.where(keep[:, None], y, 1e6)
    after = ReadoutFitter(x, changed).fit(1e-4, keep)
    np.testing.assert_allclose(before.weights, after.weights, rtol=1e-12)


def test_selection_takes_the_least_loss_and_refits_on_all_rows() -> None:
    x, y = data()
    fitter = ReadoutFitter(x, y)
    keep = np.arange(40) < 30
    losses = {1e-5: 2.0, 1e-4: 1.0, 1e-3: float("nan")}
    seen: list[Readout] = []

    def loss(readout: Readout) -> float:
        seen.append(readout)
        return losses[readout.alpha]

    chosen, tried = select_readout(fitter, keep, tuple(losses), loss)
    assert chosen.alpha == 1e-4
    assert tried == {1e-5: 2.0, 1e-4: 1.0, 1e-3: np.inf}
    np.testing.assert_array_equal(chosen.weights, fitter.fit(1e-4).weights)
    np.testing.assert_array_equal(seen[1].weights, fitter.fit(1e-4, keep).weights)


def test_a_single_penalty_is_not_validated() -> None:
    def never(readout: Readout) -> float:
        raise RuntimeError

    x, y = data()
    chosen, tried = select_readout(ReadoutFitter(x, y), np.ones(40, bool), (1e-2,), never)
    assert (chosen.alpha, tried) == (1e-2, {})


def test_validation_windows_are_spread_and_fit() -> None:
    assert validation_starts(500, 50, 50, 3, 50) == [100, 275, 450]
    assert validation_starts(500, 0, 80, 1, 50) == [450]
    assert validation_starts(60, 50, 50, 0, 50) == []
    starts = validation_starts(250, 50, 50, 3, 50)
    assert starts == [100, 150, 200]
    with pytest.raises(SpecError, match=r"249 samples; allowed: >= 250 for 3 windows of 50"):
        validation_starts(249, 50, 50, 3, 50)


def test_options_report_all_faults_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        ReadoutOptions(alphas=(0.0,), validation_windows=0, validation_length=0)
    assert len(caught.value.problems) == 3
