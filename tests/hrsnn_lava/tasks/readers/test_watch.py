"""Exercises by a watch: windows, units, and a pickle that is not opened."""

from __future__ import annotations

import numpy as np
import pytest

from hrsnn_lava.errors import ArtifactError, SpecError
from hrsnn_lava.tasks.readers.watch import WatchExercises

LENGTHS = np.array([330, 159, 160])


def table():
    samples = np.arange(LENGTHS.sum() * 6, dtype=np.int16).reshape(-1, 6)
    return {
        "samples": samples,
        "unit": np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) * 1e-3,
        "lengths": LENGTHS,
        "exercise": np.array([6, 1, 0], dtype=np.int8),
        "subject": np.array([10, 2, 3], dtype=np.int8),
    }


def write(folder, **changes):
    arrays = {k: v for k, v in (table() | changes).items() if v is not None}
    np.savez(folder / "watch_exercises.npz", **arrays)
    return str(folder)


def test_recordings_are_cut_into_windows_of_averaged_frames(tmp_path):
    read = WatchExercises(write(tmp_path)).read()
    assert (len(read), read.sample(0).shape) == (3, (40, 6))  # 2, none and 1 windows
    assert (read.labels.tolist(), read.groups.tolist()) == ([6, 6, 0], [10, 10, 3])
    assert read.classes[6] == "upright row"
    values = table()["samples"] * table()["unit"]
    values[:, 3:] /= 4.0
    np.testing.assert_allclose(read.sample(1)[2], values[168:172].mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(read.sample(2)[0], values[489:493].mean(axis=0), rtol=1e-12)


def test_windows_may_overlap_and_frames_be_single(tmp_path):
    options = {"window": 2.0, "stride": 1.0, "average": 1, "gyro": 1.0}
    read = WatchExercises(write(tmp_path), **options).read()
    assert [len(read), *read.sample(0).shape] == [5 + 2 + 2, 100, 6]
    values = table()["samples"] * table()["unit"]
    np.testing.assert_allclose(read.sample(1), values[50:150], rtol=1e-12)


def test_floats_need_no_unit(tmp_path):
    samples = np.random.default_rng(0).normal(size=(649, 6))
    read = WatchExercises(write(tmp_path, samples=samples, unit=None), gyro=1.0, average=1).read()
    np.testing.assert_array_equal(read.sample(0), samples[:160])


def test_a_pickle_is_refused_with_the_way_to_convert_it(tmp_path):
    """The way works, on a file of the same form."""
    frames = [np.random.default_rng(k).normal(size=(n, 6)) for k, n in enumerate(LENGTHS)]
    pickled = {"X": frames, "y": np.array([2, 0, 1]), "subject": np.array([7, 8, 9])}
    np.save(tmp_path / "watch_dataset.npy", pickled, allow_pickle=True)
    for path in (tmp_path, tmp_path / "watch_dataset.npy"):
        with pytest.raises(ArtifactError, match="it is a pickle, which may run any code") as caught:
            WatchExercises(str(path)).read()
    way = str(caught.value).partition("Where you trust it: ")[2]
    way = way.replace("FILE", repr(str(tmp_path / "watch_dataset.npy")))
    way = way.replace("'watch_exercises.npz'", repr(str(tmp_path / "watch_exercises.npz")))
    exec(way, {"numpy": np})
    read = WatchExercises(str(tmp_path), gyro=1.0, average=1).read()
    assert (read.labels.tolist(), read.groups.tolist()) == ([2, 2, 1], [7, 7, 9])
    np.testing.assert_array_equal(read.sample(0), frames[0][:160])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"samples": np.zeros((649, 5))}, r"samples: float64, shape \(649, 5\)"),
        ({"samples": np.full((649, 6), np.inf)}, r"samples, unit: values that are not finite"),
        ({"unit": np.ones(5)}, r"unit: float64, shape \(5,\); allowed: \(6,\)"),
        ({"lengths": np.array([330, 159, 161])}, r"lengths: sum 650; allowed: 649"),
        ({"lengths": np.array([330, 0, 319])}, r"lengths: 0..330; allowed: 1..649"),
        ({"exercise": np.array([7, 0, 0])}, r"exercise: 0..7; allowed: 0..6"),
        ({"exercise": np.array([1, 0])}, r"exercise: shape \(2,\); allowed: \(3,\)"),
        ({"subject": np.array([1.0, 0.0, 1.0])}, r"subject: float64"),
        ({"subject": None}, r"missing subject"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, changes, message):
    with pytest.raises(ArtifactError, match=message):
        WatchExercises(write(tmp_path, **changes)).read()


def test_windows_that_cannot_be_cut_are_refused(tmp_path):
    path = write(tmp_path)
    with pytest.raises(SpecError, match=r"window: 0.06 s; .*\n.*stride: 0.001 s; allowed: >= 0.02"):
        WatchExercises(path, window=0.06, stride=0.001).read()
    with pytest.raises(ArtifactError, match=r"window: 7 s; allowed: <= 6.6 s, the longest"):
        WatchExercises(path, window=7.0).read()
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtifactError, match=r"watch_exercises.npz: not there.*seglearn"):
        WatchExercises(str(tmp_path / "empty")).read()
