"""Readers: the digits in the package, and what all have in common."""

from __future__ import annotations

import gzip
from importlib import resources

import numpy as np
import pytest

from hrsnn_lava.errors import ArtifactError
from hrsnn_lava.tasks.readers._files import PerProcess
from hrsnn_lava.tasks.readers.base import Events, Labelled
from hrsnn_lava.tasks.readers.digits import Digits
from hrsnn_lava.tasks.readers.lazy import LazySamples


def test_the_digits_are_those_of_the_data_set():
    """Sizes and class counts as UCI's description of the test set has them."""
    digits = Digits().read()
    assert digits.samples.shape == (1797, 8, 8)
    counts = np.bincount(digits.labels)
    np.testing.assert_array_equal(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180])
    assert digits.samples.min() == 0.0
    assert digits.samples.max() == 1.0
    # the first image is a 0; its first row is 0 0 5 13 9 1 0 0 of 16
    assert digits.labels[0] == 0
    np.testing.assert_array_equal(digits.samples[0, 0] * 16, [0, 0, 5, 13, 9, 1, 0, 0])


def test_the_licence_lies_beside_the_digits():
    notice = resources.files("hrsnn_lava.tasks.images").joinpath("digits.LICENSE.txt").read_text()
    assert "Copyright (c) 2007-2024 The scikit-learn developers" in notice
    assert "Redistributions of source code must retain" in notice


def test_damaged_digits_are_refused(tmp_path):
    path = tmp_path / "digits.csv.gz"
    path.write_bytes(b"no gzip")
    with pytest.raises(ArtifactError, match=r"digits.csv.gz: no digits"):
        Digits(str(path)).read()
    path.write_bytes(gzip.compress(b"1,2,3\n"))
    with pytest.raises(ArtifactError, match="no digits"):
        Digits(str(path)).read()
    with pytest.raises(ArtifactError, match="no digits"):
        Digits(str(tmp_path / "nowhere.gz")).read()


def test_labels_need_a_class():
    with pytest.raises(ArtifactError, match=r"labels: -1..1; allowed: 0..1"):
        Labelled(np.zeros((2, 1, 1)), np.array([-1, 1]), ("a", "b"))


@pytest.mark.parametrize("duration", [-1.0, np.nan, np.inf])
def test_events_have_a_length(duration):
    with pytest.raises(ArtifactError, match=r"duration: .* s; allowed: 0 or more, finite"):
        Events(np.zeros(0), np.zeros(0, np.int64), 3, duration)


def test_samples_are_read_when_they_are_asked_for():
    read = []

    def sample(k):
        read.append(k)
        return np.full((1, 1), float(k))

    lazy = LazySamples(5, sample)
    assert (len(lazy), read) == (5, [])
    assert lazy[-1][0, 0] == 4.0
    assert [entry[0, 0] for entry in lazy[1:4:2]] == [1.0, 3.0]
    assert lazy[np.int64(2)][0, 0] == 2.0
    assert read == [4, 1, 3, 2]
    with pytest.raises(IndexError):
        lazy[5]
    assert len(list(lazy)) == 5


def test_a_file_is_opened_anew_in_another_process(monkeypatch):
    opened = []
    handle = PerProcess(lambda: opened.append(1) or object())
    assert handle.get() is handle.get()
    monkeypatch.setattr("os.getpid", lambda: -5)
    handle.get()
    assert len(opened) == 2
