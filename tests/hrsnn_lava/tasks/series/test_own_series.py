"""A series of one's own: what is read, and how a damaged file is named by line and column."""

from __future__ import annotations

import numpy as np
import pytest

from hrsnn_lava import Spec
from hrsnn_lava.errors import ArtifactError, SpecError
from hrsnn_lava.tasks.series.own_series import OwnSeries
from hrsnn_lava.tasks.series.table import read_table

GOOD = "day,open,close\r\n0,1.5,2\r\n1,2.5,4\r\n2,3e0,8\r\n"


@pytest.fixture
def table(tmp_path):
    def write(text, name="own.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


def values(path, **options):
    return OwnSeries(path=path, **options).recording()[0]


def test_columns_by_name_by_number_and_all(table):
    path = table(GOOD)
    np.testing.assert_array_equal(values(path, columns=("close", "open"))[0], [2.0, 1.5])
    np.testing.assert_array_equal(values(path, columns=(2,))[:, 0], [1.5, 2.5, 3.0])
    assert values(path).shape == (3, 3)


def test_logarithms_and_differences(table):
    path = table(GOOD)
    logs = values(path, columns=("close",), log=True)
    np.testing.assert_allclose(logs[:, 0], np.log([2, 4, 8]))
    both = values(path, columns=("close",), log=True, differences=True)
    np.testing.assert_allclose(both[:, 0], np.log([2, 2]))


def test_other_forms_of_the_same_table(table):
    expected = [[1.5, 2.0], [2.5, 4.0]]
    forms = {
        "1.5,2\n2.5,4\n": {"header": False},
        "1,5;2\n2,5;4\n\n\n": {"header": False, "delimiter": ";", "decimal": ","},
        "a\tb\n 1.5\t2.\n+2.5 \t.4e1\n": {"delimiter": "\t"},
        '"the ""first""\nname",b\n"1.5",2\n2.5,4': {},
        b"\xef\xbb\xbfa,b\n1.5,2\n2.5,4\n": {"columns": ("a", "b")},
        "a,b\r1.5,2\r2.5,4\r": {},
    }
    for text, options in forms.items():
        np.testing.assert_array_equal(values(table(text), **options), expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n1,\n", r"line 3, column 2 \('b'\): empty; allowed: a finite number"),
        ("a,b\n1,2\nnan,4\n", r"line 3, column 1 \('a'\): 'nan'; allowed: a finite number"),
        ("a,b\n1,2\n-inf,4\n", r"line 3, column 1 \('a'\): '-inf'"),
        ("a,b\n1,2\n1e999,4\n", r"line 3, column 1 \('a'\): '1e999'"),
        ("a,b\n1,2\n1_000,4\n", r"line 3, column 1 \('a'\): '1_000'"),
        ("a,b\n1,2\n٣,4\n", r"line 3, column 1 \('a'\): '٣'"),
        ("a,b\n1,2\n0x10,4\n", r"line 3, column 1 \('a'\): '0x10'"),
        ("a,b\n1,2\nN/A,4\n", r"line 3, column 1 \('a'\): 'N/A'"),
        ("a,b\n1,2\n1,2,3\n", r"line 3: 3 cells; allowed: 2, as in line 1"),
        ("a,b\n1,2\n1\n", r"line 3: 1 cell; allowed: 2, as in line 1"),
        ("a,b\n1,2\n\n3,4\n", r"line 3: 0 cells; allowed: 2, as in line 1"),
        ('a,b\n"x\ny",2\n1,oh\n', r"line 4, column 2 \('b'\): 'oh'"),
        ("a;b\n1;2\n", r"line 2, column 1 \('a;b'\): '1;2'"),
        ("a,b\n", r"no line of numbers"),
        ("", r"no line; allowed: a table of numbers"),
        (b"a,b\n1,\xff\n", r"byte 6 is no UTF-8 text"),
        ('a,b\n1,"2\n', r"line 2: unexpected end of data"),
        ("a,b\n1,2\n1,\x00\n", r"line 3"),
    ],
)
def test_a_bad_cell_is_named_by_its_place(table, text, message):
    with pytest.raises(ArtifactError, match=message) as caught:
        values(table(text))
    assert caught.value.exit_code == 3
    assert "own.csv" in str(caught.value)


def test_a_wrong_delimiter_does_not_flood(table):
    path = table("a,b\n" + "x,1\n" * 50)
    with pytest.raises(ArtifactError, match=r"faults: 50, of which the first 8 are listed") as it:
        values(path)
    assert len(it.value.problems) == 8


def test_columns_that_are_not_read_may_hold_anything(table):
    path = table("date,close\n2004-08-19,100.3\n2004-08-20,\n")
    with pytest.raises(ArtifactError, match=r"line 2, column 1 .*Or name the columns to read"):
        values(path)
    with pytest.raises(ArtifactError, match=r"line 3, column 2 \('close'\): empty"):
        values(path, columns=("close",))


def test_a_header_that_is_none_and_one_that_was_not_said(table):
    numbers = table("1.5,2\n2.5,4\n")
    with pytest.raises(SpecError, match=r"line 1: numbers alone; .* Set header = false"):
        values(numbers)
    years = table("2019,2020\n1,2\n3,4\n")
    np.testing.assert_array_equal(values(years, columns=("2020",)), [[2.0], [4.0]])
    named = table("a,b\n1,2\n")
    with pytest.raises(ArtifactError, match=r"line 1, column 1: 'a'; .* Set header = true"):
        values(named, header=False)


def test_columns_that_are_not_there(table):
    path = table(GOOD)
    cases = {
        ("clse",): r"columns: 'clse'; allowed: day, open, close. Did you mean 'close'",
        (4,): r"columns: 4; allowed: 1 to 3",
        (0,): r"columns: 0; allowed: 1 to 3",
        ("open", 2): r"columns: \['open', 2\]; allowed: each once",
    }
    for columns, message in cases.items():
        with pytest.raises(SpecError, match=message):
            values(path, columns=columns)
    with pytest.raises(SpecError, match="'open'; allowed: 1 to 3: no header"):
        values(path, columns=("open",), header=False)
    with pytest.raises(SpecError, match=r"'a', there 2 times"):
        values(table("a,a\n1,2\n"), columns=("a",))


def test_a_value_without_logarithm(table):
    path = table("a\n1\n0\n")
    with pytest.raises(ArtifactError, match=r"sample 2, column 1 .*: 0; allowed: > 0 with log"):
        values(path, log=True)


def test_paths(tmp_path):
    with pytest.raises(SpecError, match=r"task.path: not set; allowed: a CSV file or an .npz"):
        values("")
    with pytest.raises(ArtifactError, match="no such file"):
        values(str(tmp_path / "none.csv"))
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_table(tmp_path)


def test_arrays(tmp_path):
    path = str(tmp_path / "own.npz")
    np.savez(path, values=np.arange(6, dtype=np.int16).reshape(3, 2))
    np.testing.assert_array_equal(values(path, columns=(2,)), [[1.0], [3.0], [5.0]])
    np.savez(path, x=np.arange(3.0))
    np.testing.assert_array_equal(values(path), [[0.0], [1.0], [2.0]])
    np.savez(path, y=np.arange(3.0))
    with pytest.raises(ArtifactError, match=r"own.npz: arrays: y; allowed: values or x"):
        values(path)
    np.savez(path, x=np.array([1.0, np.nan, np.inf]))
    with pytest.raises(ArtifactError, match=r"x, row 2, column 1: nan; allowed: finite"):
        values(path)
    np.savez(path, x=np.array(["a"]))
    with pytest.raises(ArtifactError, match="allowed: plain numbers"):
        values(path)


def test_options_of_the_spec():
    task = {"kind": "csv", "path": "a.csv", "columns": ["close", 3], "headline": "closed_loop"}
    spec = Spec.parse({"task": task})
    assert spec.task.columns == ("close", 3)
    assert spec.task.protocol().headline == "closed_loop"
    assert Spec.parse({"task": {"kind": "csv"}}).task.protocol().headline == "one_step"
    for wrong in ({"delimiter": ";;"}, {"delimiter": ""}, {"decimal": "x"}, {"columns": [1.5]}):
        with pytest.raises(SpecError):
            Spec.parse({"task": {"kind": "csv"} | wrong})
    with pytest.raises(SpecError, match="delimiter"):
        OwnSeries(delimiter=",", decimal=",")
