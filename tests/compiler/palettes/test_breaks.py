"""The compiled dynamic program against the plain one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrsnn_lava.compiler.palettes.breaks import _moments, optimal_breaks, plain_breaks
from hrsnn_lava.compiler.palettes.breaks_kernel import divide


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 60), k=st.integers(1, 12), ties=st.booleans())
def test_the_compiled_program_finds_the_same_errors(seed, n, k, ties) -> None:
    rng = np.random.default_rng(seed)
    points = np.sort(rng.integers(0, 8, n).astype(float) if ties else rng.normal(size=n))
    weights = rng.uniform(0.1, 3.0, n)
    k = min(k, n)
    plain = plain_breaks(points, weights, k)
    error, start = divide(*_moments(points, weights), k)
    np.testing.assert_allclose(error[1:], plain.error[1:], atol=1e-10)
    assert start.shape == plain.start.shape
    labels = type(plain)(error, start).labels(k)
    found = sum(
        float(
            (
                weights[part]
                * (points[part] - np.average(points[part], weights=weights[part])) ** 2
            ).sum()
        )
        for part in (labels == run for run in np.unique(labels))
    )
    assert found == pytest.approx(plain.error[k], abs=1e-10)


def test_uniform_points_make_equal_runs() -> None:
    """n equal points a run of length L: error n L^2 / 12 in the limit, 1/k^2 of the whole's."""
    points, weights = np.linspace(0.0, 1.0, 3200), np.ones(3200)
    breaks = optimal_breaks(points, weights, 32)
    assert np.bincount(breaks.labels(32)).tolist() == [100] * 32
    assert breaks.error[32] / breaks.error[1] == pytest.approx(1 / 32**2, rel=1e-3)
