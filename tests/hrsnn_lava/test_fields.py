"""What fields take, what they refuse, and that nobody writes to what they hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hrsnn_lava.errors import NetworkError, SpecError
from hrsnn_lava.fields import (
    name_fault,
    out_of_reach,
    own,
    real_values,
    text_fault,
    whole_number,
    whole_values,
)

NO_NUMBERS = [None, True, "5", b"5", 1j, [[1], [1, 2]], {}, object(), np.datetime64("2020-01-01")]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: type(value).__name__)
def test_what_is_no_number_is_refused_by_name(value):
    for read in (whole_values, real_values):
        with pytest.raises(NetworkError, match=r"population 'a'\.du: "):
            read("population 'a'.du", value)


@given(hnp.arrays(hnp.integer_dtypes() | hnp.floating_dtypes(), hnp.array_shapes(max_dims=2)))
def test_integers_come_through_as_they_are_or_not_at_all(array):
    exact = [int(x) if np.isfinite(x) and x == int(x) else None for x in array.ravel().tolist()]
    fits = all(x is not None and -(2**31) <= x < 2**31 for x in exact)
    if not fits:
        with pytest.raises(NetworkError, match=r"^x: integers"):
            whole_values("x", array)
        return
    result = whole_values("x", array)
    assert (result.dtype, result.shape) == (np.int32, array.shape)
    assert result.ravel().tolist() == exact
    assert not result.flags.writeable
    array.ravel()[...] = 0
    assert whole_values("x", result) is result  # nobody can write to it: no second copy


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1e12, "1000000000000.0"),
        (np.inf, "inf"),
        (np.nan, "nan"),
        (2**40, "1099511627776"),
        (2**70, "1180591620717411303424"),
        (np.uint64(2**63), "9223372036854775808"),
        ([1, 2, 2.5], r"2\.5 at 2 \(1 in all\)"),
        (np.array([2**32 + 3]), r"4294967299 at 0 \(1 in all\)"),
    ],
)
def test_the_value_is_named(value, shown):
    with pytest.raises(NetworkError, match=shown):
        whole_values("x", value)


def test_floats_can_be_refused_whatever_they_hold():
    assert whole_values("x", np.rint([1.2, 2.9])).tolist() == [1, 3]
    with pytest.raises(SpecError, match="integers expected, found float64; scale it"):
        whole_values("x", [1.0], floats=False, fix="scale it", error=SpecError)
    assert whole_values("x", [], floats=False).size == 0


def test_single_numbers():
    assert whole_number("n", np.int8(7), (0, 9)) == 7
    assert whole_number("n", 7.0, (0, 9), floats=True) == 7
    for value in (7.0, True, "7", None, 10, -1, 7j, [7]):
        with pytest.raises(NetworkError, match=r"n: .*whole number in 0\.\.9"):
            whole_number("n", value, (0, 9))
    with pytest.raises(NetworkError, match=r"7\.5"):
        whole_number("n", 7.5, (0, 9), floats=True)


def test_an_array_that_somebody_can_write_to_is_copied():
    base = np.arange(6)
    view = base[:3]
    view.flags.writeable = False
    assert not out_of_reach(view)  # its base is open
    held = own(view)
    base[0] = 9
    assert held.tolist() == [0, 1, 2]
    base.flags.writeable = False
    assert out_of_reach(view)
    assert own(view) is view
    assert out_of_reach(np.frombuffer(b"\0" * 8, np.int32))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a\0b",
        "\ud800",
        "a\nb",
        "a\x7f",
        " a",
        "a ",
        "a\\b",
        "p/tag_1",
        "x" * 256,
        5,
        None,
        b"a",
    ],
    ids=repr,
)
def test_names_that_no_file_can_hold(name):
    assert name_fault(name)


@pytest.mark.parametrize(
    "name", ["a", "exc_inh", "p-1", "a b", "größe", "神経", "a.b", "a/b", "<b>", "x" * 255]
)
def test_names_that_any_file_can_hold(name):
    assert name_fault(name) is None


@given(st.text(max_size=20))
def test_texts_without_a_fault_can_be_written(text):
    if text_fault(text) is None:
        assert text.encode().decode() == text
        assert "\0" not in text
