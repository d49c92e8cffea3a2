"""Weights between netx, Lava and our projections: the same integers act, whatever holds them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from hrsnn_lava.deploy.interchange.netx_grid import Shifted, acting, exactly, optimized, parts
from hrsnn_lava.quantized import QuantizedProjection, SignMode


@st.composite
def matrices(draw, low=-256, high=255):
    """Small matrices: any values, values of one sign, few values, multiples of a power of two."""
    ends = draw(st.sampled_from([(low, high), (0, high), (low, -1), (low, 0), (-3, 3), (-60, 60)]))
    step = draw(st.sampled_from([1, 1, 2, 4, 64]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    values = rng.integers(ends[0], ends[1] + 1, (draw(st.integers(1, 3)), draw(st.integers(1, 4))))
    return values // step * step


def effective(part):
    """What acts of a part, times 2^7, so that exponents down to -7 are whole."""
    projection = QuantizedProjection(
        "p", "a", "b", sparse.csr_matrix(part.weights.astype(np.int32)), **part.options
    )
    return projection.effective_weights().toarray().astype(np.int64) << (7 + projection.weight_exp)


@settings(max_examples=60)
@given(matrices())
def test_exact_parts_act_as_the_values(values):
    found = exactly(values)
    np.testing.assert_array_equal(sum(effective(part) for part in found), values << 7)
    if len(found) > 1:  # every place in one of them
        assert np.all(sum((part.weights != 0).astype(int) for part in found) <= 1)


@settings(max_examples=60)
@given(matrices())
def test_parts_act_as_lavas_dense_does(values):
    shifted = optimized(values)
    found = parts(shifted)
    if found is not None:
        total = sum(effective(part) for part in found)
        np.testing.assert_array_equal(total, acting(shifted) << (7 + shifted.weight_exp))


@settings(max_examples=60)
@given(matrices(-128, 127), st.integers(-128, -1), st.integers(1, 127))
def test_weights_of_both_signs_are_left_as_they_are(values, least, most):
    values = np.append(values, [least, most])
    shifted = optimized(values)
    np.testing.assert_array_equal(acting(shifted), values << shifted.shift)
    assert shifted.weight_exp == -shifted.shift
    top = np.abs(np.where(values > 0, values + 1, values)).max() << shifted.shift
    assert 128 < top <= 256  # as far up as 8 bits allow


@pytest.mark.parametrize(
    ("values", "weights", "exponent", "bits"),
    [
        # by hand, from lava-dl's netx/utils.py
        ([[3, -5]], [[96, -160]], -5, 4),
        ([[254, -256]], [[254, -256]], 0, 8),
        ([[1]], [[128]], -7, 1),
        ([[0, 0]], [[0, 0]], 0, 8),
        ([[-1]], [[-256]], -8, 0),
        ([[-64]], [[-256]], -2, 0),
        ([[0, -64]], [[0, -256]], -2, 1),
        ([[255, -1]], [[254, -1]], 0, 9),  # clipped to 254
    ],
)
def test_what_netx_makes_of_weights(values, weights, exponent, bits):
    found = optimized(np.array(values))
    np.testing.assert_array_equal(found.weights, weights)
    assert found[1:3] == (exponent, bits)


def test_weights_of_one_sign_beyond_8_bits_are_none():
    assert optimized(np.array([[256]])) is None
    assert optimized(np.array([[-257]])) is None
    assert optimized(np.array([[-300, 0]])) is None
    assert exactly(np.array([[256]])) is None
    assert exactly(np.array([[-257, 1]])) is None
    assert exactly(np.array([[-127]]), -8) is None  # no half of it
    assert exactly(np.array([[-128]]), -8)[0].options["weight_exp"] == -7


def test_uniform_inhibition_is_lost_in_lava():
    np.testing.assert_array_equal(acting(optimized(np.full((2, 2), -64))), 0)
    np.testing.assert_array_equal(acting(optimized(np.array([[-128, 0]]))), [[-128, 0]])  # of -256


def test_the_lowest_weight_is_in_a_mixed_part_of_its_own():
    found = exactly(np.array([[-256, -3, 5]]))
    assert [part.suffix for part in found] == ["_exc", "_inh", "_low"]
    assert found[2].options["sign_mode"] is SignMode.MIXED


@pytest.mark.lava
def test_lavas_own_functions_clip_and_truncate_alike():
    from lava.utils.weightutils import clip_weights, determine_sign_mode, truncate_weights

    rng = np.random.default_rng(1)
    for _ in range(300):
        low, high = rng.choice([(-256, 255), (0, 255), (-256, -1), (-256, 0)])
        weights, bits = rng.integers(low, high + 1, (2, 3)), int(rng.integers(0, 10))
        mode = determine_sign_mode(weights)
        clipped = clip_weights(weights, mode, num_bits=8)
        found = truncate_weights(clipped, mode, bits)
        np.testing.assert_array_equal(acting(Shifted(weights, 0, bits)), found)
