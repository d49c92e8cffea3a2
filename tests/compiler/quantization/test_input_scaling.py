"""Rows of integer synapses times a gain."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from hrsnn_lava.compiler.quantization.input_scaling import (
    RowRounding,
    grid_of,
    round_keeping_sums,
    scale_rows,
)
from hrsnn_lava.quantized import QuantizedProjection


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(0, 40))
def test_rounding_keeps_every_sum(seed, n) -> None:
    rng = np.random.default_rng(seed)
    row, values = np.sort(rng.integers(0, 4, n)), rng.normal(0, 5, n)
    rounded = round_keeping_sums(values, row)
    assert np.array_equal(rounded, np.trunc(rounded))
    assert (np.abs(rounded - values) < 1).all()
    for r in range(4):
        for sign in (values < 0, values >= 0):
            part = (row == r) & sign
            assert abs(rounded[part].sum() - values[part].sum()) <= 0.5 + 1e-9


def projection(**more):
    matrix = sparse.csr_matrix(np.array([[10, 20, 0], [3, 0, 7], [0, 200, 1]]))
    return QuantizedProjection("p", "a", "b", matrix, sign_mode="excitatory", **more)


def test_rows_are_scaled_clipped_and_zeros_dropped() -> None:
    scaled, errors = scale_rows(projection(), np.array([1.5, 9.0, 1.3]), np.array([1, 0, 1], bool))
    assert scaled.weights.toarray().tolist() == [[15, 30, 0], [3, 0, 7], [0, 255, 1]]
    assert errors == pytest.approx([0, 0, 0, 0, -5, -0.3])
    small, _ = scale_rows(projection(), np.array([1.0, 1.0, 0.3]), np.array([0, 0, 1], bool))
    assert small.weights.toarray()[2].tolist() == [0, 60, 0]
    assert small.n_synapses == 5
    assert (small.sign_mode, small.weight_exp) == (projection().sign_mode, 0)


def test_delays_stay_with_their_synapses() -> None:
    delayed = projection(delays=np.array([1, 2, 3, 4, 5, 6]))
    scaled, _ = scale_rows(delayed, np.array([1.0, 1.0, 0.3]), np.array([0, 0, 1], bool))
    assert scaled.delay_steps.tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("mode", "bits", "grid", "limits"),
    [
        ("excitatory", 8, 1, (0, 255)),
        ("inhibitory", 6, 4, (-252, 0)),
        ("mixed", 8, 2, (-256, 254)),
        ("mixed", 5, 16, (-256, 240)),
    ],
)
def test_grids_are_those_of_the_weights_that_act(mode, bits, grid, limits) -> None:
    matrix = sparse.csr_matrix(np.ones((1, 1), int) * (-9 if mode == "inhibitory" else 9))
    made = QuantizedProjection("p", "a", "b", matrix, sign_mode=mode, num_weight_bits=bits)
    assert grid_of(made) == (grid, limits)
    scaled, _ = scale_rows(made, np.array([3.3]), np.ones(1, bool))
    assert np.array_equal(scaled.effective_weights().data, scaled.weights.data)


def test_rounding_sums_are_weighted_by_rates() -> None:
    errors = np.array([0.5, -0.5, 0.0, 0.25, 0.1, 0.2])
    found = RowRounding.of(projection(weight_exp=1), errors, np.array([0.5, 0.25, 0.0]))
    np.testing.assert_allclose(found.mean, 2 * np.array([0.125, 0.0, 0.025]))
    np.testing.assert_allclose(found.square, 4 * np.array([0.0625 + 0.046875, 0.0, 0.001875]))
    np.testing.assert_allclose(found.worst, [1.0, 0.5, 0.4])
    np.testing.assert_allclose(found.largest, [40, 14, 400])
