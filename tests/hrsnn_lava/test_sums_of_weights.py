"""Entries of one place are summed exactly, whatever their type and the format, then looked at."""

import numpy as np
import pytest
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava.errors import NetworkError

INTEGERS = (hl.QuantizedInput("i", 1), hl.QuantizedPopulation("a", 2, 4095, 4095, 10))
FLOATS = (hl.Population("i", 1, hl.Input()), hl.Population("a", 2, hl.LIF(0.02)))


def forms(values):
    """Entries of place (0, 0), in every format that can hold more than one there."""
    none = np.zeros(values.size, int)
    ends = np.array([0, values.size, values.size])
    return {
        "csr": sparse.csr_matrix((values, none, ends), (2, 1)),
        "csr_array": sparse.csr_array((values, none, ends), (2, 1)),
        "csc": sparse.csc_matrix((values, none, ends[:2]), (2, 1)),
        "coo": sparse.coo_matrix((values, (none, none)), (2, 1)),
        "coo_array": sparse.coo_array((values, (none, none)), (2, 1)),
        "bsr": sparse.bsr_matrix((values[:, None, None], none, ends), (2, 1)),
        "parts": (values, none, ends),
    }


def integers(matrix, **options):
    projection = hl.QuantizedProjection("p", "i", "a", matrix, **options)
    return hl.QuantizedNetwork(INTEGERS, (projection,)).verify().projections[0]


def floats(matrix):
    return hl.Network(1e-3, FLOATS, (hl.Projection("p", "i", "a", matrix),)).verify().projections[0]


FORMS = list(forms(np.zeros(1)))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([100, 100], np.int8),
        ([200, 100], np.uint8),
        ([2**15 - 1, 2**15 - 1], np.int16),
        ([2**31 - 1, -5, 5], np.int32),
        ([2**30, -(2**30), 2**30], np.int32),
        ([100.0, 50.0], np.float32),
    ],
)
def test_a_sum_that_fits(form, values, kind):
    total = sum(values)
    matrix = forms(np.array(values, kind))[form]
    assert integers(matrix).weights.toarray().ravel().tolist() == [total, 0]
    assert floats(matrix).weights.toarray().ravel().tolist() == [total, 0]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "values", [[2**31 - 1, 1], [2**30] * 4, [-(2**31), -1], [2**31 - 1] * 2 + [2]]
)
@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_a_sum_beyond_32_bits(form, values, kind):
    matrix = forms(np.array(values, kind))[form]
    with pytest.raises(NetworkError, match=rf"weights: .*32 bits expected, found {sum(values)}"):
        integers(matrix)
    assert floats(matrix).weights.toarray().ravel().tolist() == [sum(values), 0]


@pytest.mark.parametrize("form", FORMS)
def test_entries_are_looked_at_before_they_are_summed(form):
    for values in (np.array([2**63, 2**63], np.uint64), np.array([2**62] * 4)):
        with pytest.raises(NetworkError, match=f"found {values[0]}"):
            integers(forms(values)[form])  # each is 2^63, and in 64 bits their sum is 0
    with pytest.raises(NetworkError, match="booleans"):
        integers(forms(np.array([True, True]))[form])
    large = forms(np.array([3e38, 3e38], np.float32))[form]
    assert floats(large).weights.data == pytest.approx([6e38], rel=1e-6)


def test_delays_of_one_place():
    once = sparse.csr_matrix(np.array([[5], [0]]))
    for form in ("csr", "coo"):
        with pytest.raises(NetworkError, match=r"'p'.delays: 256; allowed: 0..62"):
            integers(once, delays=forms(np.array([128, 128], np.uint8))[form])
