"""The integer network: Lava's weight grid, ranges, and the mantissas that the host writes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from hrsnn_lava import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
    SpikeInput,
)
from hrsnn_lava.errors import NetworkError
from hrsnn_lava.quantized import drive_schedule


def grid(weights, **options):
    """Effective weights of one row."""
    row = sparse.csr_matrix(np.array([weights], dtype=np.int32))
    projection = QuantizedProjection("p", "a", "a", row, **options)
    return projection.effective_weights().toarray()[0].tolist()


def test_mixed_weights_are_even_and_rounded_down():
    """Lava `utils/weightutils.py`: [[3, -5], [7, 0]] becomes [[2, -6], [6, 0]]."""
    assert grid([3, -5, 7, 0]) == [2, -6, 6, 0]
    assert grid([-257, 300, -1]) == [-256, 254, -2]


def test_one_signed_weights_keep_all_bits_and_round_toward_zero():
    assert grid([7, 300, -3], sign_mode="excitatory") == [7, 255, 0]
    assert grid([-7, -300, 3], sign_mode="inhibitory") == [-7, -255, 0]
    assert grid([-7, -9], sign_mode="inhibitory", num_weight_bits=6) == [-4, -8]


def test_six_bits_of_a_mixed_matrix_lose_a_small_weight():
    assert grid([7], num_weight_bits=6) == [0]
    assert grid([7], num_weight_bits=6, sign_mode="excitatory") == [4]


def population(**fields):
    """Two neurons."""
    return QuantizedPopulation("a", 2, **({"du": 0, "dv": 0, "vth": 1} | fields))


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("du", -2, "-1..4095"),
        ("dv", 4097, "0..4096"),
        ("vth", 131072, "0..131071"),
        ("bias_mant", 4096, "-4096..4095"),
        ("bias_exp", 8, "0..7"),
        ("refractory", 64, "0..63"),
    ],
)
def test_values_one_beyond_their_range_are_named(field, value, allowed):
    with pytest.raises(NetworkError) as caught:
        QuantizedNetwork((population(**{field: [0, value]}),)).verify()
    assert f"{field}: {value} at neuron 1 (1 in all); allowed: {allowed}" in str(caught.value)


def test_projection_fields_are_checked_together():
    bad = QuantizedProjection("p", "a", "a", np.ones((2, 2)), 8, "mixed", 9, 63, num_message_bits=8)
    with pytest.raises(NetworkError) as caught:
        QuantizedNetwork((population(),), (bad,)).verify()
    text = str(caught.value)
    for part in ("weight_exp: 8", "num_weight_bits: 9", "delays: 63", "num_message_bits: 8"):
        assert part in text


def test_fractions_and_unknown_sign_modes_are_refused():
    with pytest.raises(NetworkError, match=r"'p'.weights: integers expected, found 0.5 at 0"):
        QuantizedProjection("p", "a", "a", np.array([[0.5]]))
    with pytest.raises(NetworkError, match="allowed: mixed, excitatory, inhibitory"):
        QuantizedProjection("p", "a", "a", np.array([[1]]), sign_mode="both")
    with pytest.raises(NetworkError, match="du: integers expected"):
        population(du=0.5)


def test_delays_may_come_as_a_matrix():
    weights = sparse.csr_matrix(np.array([[1, 0], [2, 3]]))
    delays = sparse.csr_matrix(np.array([[4, 0], [0, 5]]))
    projection = QuantizedProjection("p", "a", "a", weights, delays=delays)
    assert projection.delay_steps.tolist() == [4, 0, 5]


def driven(weight_exp=0, **fields):
    """Two inputs that set the biases of two neurons."""
    matrix = sparse.csr_matrix(np.array([[3, 0], [-2, 5]], dtype=np.int32))
    projection = QuantizedProjection("d", "inp", "a", matrix, weight_exp, target="bias")
    return QuantizedNetwork(
        (QuantizedInput("inp", 2), population(**fields)), (projection,)
    ).verify()


def test_a_held_payload_sets_the_mantissa_until_the_next():
    inputs = SpikeInput([0, 4, 4], [0, 0, 1], 10, 2, payloads=[10, -10, 1])
    change, rows = drive_schedule(driven(bias_mant=[7, 8]), inputs, 10)
    assert change.tolist() == [0, 4]
    assert rows.tolist() == [[7 + 30, 8 - 20], [7 - 30, 8 + 20 + 5]]


@given(st.integers(-(2**20), 2**20), st.integers(-12, 3))
def test_the_mantissa_is_shifted_down_and_clipped(payload, exponent):
    inputs = SpikeInput([0], [0], 1, 2, payloads=[payload])
    _, rows = drive_schedule(driven(exponent), inputs, 1)
    for value, weight in zip(rows[0], (3, -2), strict=True):
        exact = int(np.floor(weight * payload * 2.0**exponent))
        assert value == min(max(exact, -4096), 4095)
