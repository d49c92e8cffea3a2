"""Labelled series as aeon and sktime write them: read exactly, and refused with the line."""

from __future__ import annotations

import numpy as np
import pytest

from hrsnn_lava import Spec
from hrsnn_lava.errors import ArtifactError, SpecError
from hrsnn_lava.tasks.readers.ts import TimeSeries

HEAD = "# a remark\n@problemName Own\n@classLabel true up down\n@data\n"


def write(path, *lines):
    path.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def test_channels_lengths_and_classes(tmp_path):
    path = write(tmp_path / "own.ts", "1,2,3:4,5,6:up", "7,8:9,10:down", "0,0:0,0:up")
    own = TimeSeries(path, standardise=False).read()
    np.testing.assert_array_equal(own.sample(0), [[1, 4], [2, 5], [3, 6]])
    np.testing.assert_array_equal(own.sample(1), [[7, 9], [8, 10]])
    assert own.classes == ("down", "up")
    assert own.labels.tolist() == [1, 0, 1]
    assert own.parts is None


def test_a_pair_has_its_own_split_and_the_units_of_its_training_part(tmp_path):
    path = write(tmp_path / "Own_TRAIN.ts", "0,2:up", "4,6:down")
    write(tmp_path / "Own_TEST.ts", "3,3:up")
    own = TimeSeries(path).read()
    assert own.parts.tolist() == [0, 0, 2]
    train = np.concatenate([own.sample(0), own.sample(1)])
    np.testing.assert_allclose([train.mean(), train.std()], [0.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(own.sample(2), 0.0, atol=1e-12)


def test_frames_are_means_of_successive_values(tmp_path):
    path = write(tmp_path / "own.ts", "1,3,5,7,100:up", "2,2,4,4:down")
    own = TimeSeries(path, average=2, standardise=False).read()
    np.testing.assert_array_equal(own.sample(0).ravel(), [2, 6])
    with pytest.raises(ArtifactError, match=r"sample 0: 5 values; allowed: >= average = 6"):
        TimeSeries(path, average=6).read()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("1,2:up", "1,x:down"), r"line 6: could not convert string to float: 'x'"),
        (("1,2:3:up",), r"line 5: 2, 1 values of the channels; allowed: equal numbers"),
        (("1,2:up", "1,2:3,4:up"), r"line 6: 2 channels; allowed: 1"),
        (("1,nan:up",), r"line 5: a number that is not finite"),
        (("1,2",), r"line 5: no class"),
        ((), r"@data: no sample"),
    ],
)
def test_a_damaged_file_names_the_line(tmp_path, lines, message):
    with pytest.raises(ArtifactError, match=message):
        TimeSeries(write(tmp_path / "own.ts", *lines)).read()


def test_a_file_of_another_kind_and_a_missing_one(tmp_path):
    (tmp_path / "own.ts").write_text("1,2,3\n")
    with pytest.raises(ArtifactError, match=r"line 1: '1,2,3'; allowed: a line with @"):
        TimeSeries(str(tmp_path / "own.ts")).read()
    with pytest.raises(ArtifactError, match="no such file"):
        TimeSeries(str(tmp_path / "nowhere.ts")).read()
    with pytest.raises(SpecError, match=r"task.path: not set"):
        TimeSeries().read()


def test_a_task_takes_it_by_name(tmp_path):
    lines = [f"{k},{k + 1},{k}:{'up' if k % 2 else 'down'}" for k in range(12)]
    path = write(tmp_path / "own.ts", *lines)
    table = {"kind": "npz", "reader": "ts", "path": path, "encoder": "held"}
    table |= {"train": 6, "validation": 2, "test": "all"}
    trial = Spec.parse({"task": table}).task.trial(0)
    assert trial.split.test.size == 4
    assert trial.lesson.width == 1
