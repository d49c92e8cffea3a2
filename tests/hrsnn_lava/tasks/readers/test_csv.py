"""Labelled tables of one's own."""

from __future__ import annotations

import numpy as np
import pytest

from hrsnn_lava import Spec
from hrsnn_lava.errors import ArtifactError, SpecError
from hrsnn_lava.tasks.readers.csv import CsvSamples


def read(folder, text, **options):
    path = folder / "own.csv"
    path.write_bytes(text.encode("utf-8"))
    return CsvSamples(str(path), **options).read()


def test_the_last_column_is_the_label(tmp_path):
    own = read(tmp_path, "1,2,a\n\n3,4.5,b\r\n-1e3,0,a\n")
    np.testing.assert_array_equal(own.samples, [[[1, 2]], [[3, 4.5]], [[-1000, 0]]])
    assert (own.labels.tolist(), own.classes) == ([0, 1, 0], ("a", "b"))


def test_a_header_names_columns(tmp_path):
    text = "\ufeffwho;kind;f 1;f 2;in\nx;up;1;2;train\ny;down;3;4;test\nx;up;5;6;validation\n"
    columns = {"label": "kind", "group": "who", "part": "in", "separator": ";"}
    own = read(tmp_path, text, **columns)
    np.testing.assert_array_equal(own.samples[:, 0], [[1, 2], [3, 4], [5, 6]])
    assert (own.labels.tolist(), own.classes) == ([1, 0, 1], ("down", "up"))
    assert (own.groups.tolist(), own.parts.tolist()) == ([0, 1, 0], [0, 2, 1])


def test_a_header_is_known_by_its_words(tmp_path):
    own = read(tmp_path, "a,b,c\n1,2,10\n3,4,9\n")
    assert (len(own), own.classes) == (2, ("9", "10"))
    # one word among numbers is a fault and no header: the row would be lost
    with pytest.raises(ArtifactError, match=r"line 1, column 2: 'x'; allowed: a finite number"):
        read(tmp_path, "1,x,10\n3,4,9\n")


def test_values_are_cut_into_frames(tmp_path):
    own = read(tmp_path, "1,2,3,4,5,6,0\n", frames=3)
    np.testing.assert_array_equal(own.samples, [[[1, 2], [3, 4], [5, 6]]])
    with pytest.raises(ArtifactError, match=r"frames: 6 columns of values; .* a multiple of 4"):
        read(tmp_path, "1,2,3,4,5,6,0\n", frames=4)


def test_quotes_and_line_ends_inside_of_them(tmp_path):
    own = read(tmp_path, '1,2,"a, or\nb"\n3,4,"c"\n')
    assert own.classes == ("a, or\nb", "c")
    with pytest.raises(ArtifactError, match=r"line 4, column 1: 'x'"):
        read(tmp_path, '1,2,"a\nb"\n3,4,c\nx,4,c\n')


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("1,2,a\n1,a\n", {}, r"line 2: 2 cells; allowed: 3"),
        ("1,2,a\n1,2,3,a\n", {}, r"line 2: 4 cells"),
        ("1,2,a\n,2,a\n", {}, r"line 2, column 1: ''"),
        ("1,2,a\n,,\n", {}, r"line 2, column 1: ''"),
        ("1,2,a\nnan,2,a\n", {}, r"line 2, column 1: 'nan'; allowed: a finite number"),
        ("1,2,a\n1,inf,a\n", {}, r"line 2, column 2: 'inf'"),
        ("", {}, r"rows: none"),
        ("\n\n", {}, r"rows: none"),
        ("a,b,c\n", {}, r"rows: a header alone"),
        ("a\nb\n", {}, r"frames: 0 columns of values"),
        ('1,2,"a\n', {}, r"line 1: unexpected end of data"),
        ("1_0,2,a\n", {}, r"line 1, column 1: '1_0'"),
        ("a,b\n1,2\n", {"label": "c"}, r"line 1: no single column 'c', the label; .*one of a, b"),
        ("a,a\n1,2\n", {"label": "a"}, r"no single column 'a'"),
        ("a,b\n1,2\n", {"group": "b"}, r"one column for several of label, group, part"),
        ("a,b,p\n1,2,tset\n", {"part": "p", "label": "b"}, r"line 2: part 'tset'; .*train, val"),
    ],
)
def test_wrong_tables_are_refused_with_the_line(tmp_path, text, options, message):
    with pytest.raises(ArtifactError, match=message):
        read(tmp_path, text, **options)


def test_other_faults(tmp_path):
    with pytest.raises(ArtifactError, match=r"none.csv: no such file"):
        CsvSamples(str(tmp_path / "none.csv")).read()
    (tmp_path / "bytes.csv").write_bytes(b"1,2,\xff\n")
    with pytest.raises(ArtifactError, match=r"byte 4: no UTF-8 text"):
        CsvSamples(str(tmp_path / "bytes.csv")).read()
    with pytest.raises(SpecError, match=r"separator: '::'; allowed: one character"):
        CsvSamples("x", separator="::")


def test_a_task_names_it(tmp_path):
    table = {"kind": "npz", "path": "own.csv", "reader": {"kind": "csv", "frames": 2}}
    task = Spec.parse({"task": table}).task
    (tmp_path / "own.csv").write_text("1,2,3,4,0\n")
    assert task.reader["frames"] == 2
    with pytest.raises(SpecError, match=r"reader.columns: unknown key"):
        Spec.parse({"task": table | {"reader": {"kind": "csv", "columns": 2}}})
