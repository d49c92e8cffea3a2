"""SHD and SSC: HDF5 files as their authors write them, cut off and changed."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from data_set_files import outcome, spiking_speech
from hypothesis import given, settings
from hypothesis import strategies as st

from hrsnn_lava.errors import ArtifactError, SpecError
from hrsnn_lava.tasks.encoders import EventBins
from hrsnn_lava.tasks.readers.shd import ShdRecordings
from hrsnn_lava.tasks.readers.ssc import SscRecordings

RECORDINGS = [
    ([0.0, 0.25, 1.0], [0, 699, 350]),
    ([0.5], [7]),
    ([], []),
    ([0.1001, 0.1003], [1, 1]),
]
KEYS = [f"word {k}" for k in range(20)]


def write(folder, **changes):
    table = {"labels": [3, 19, 0, 3], "speakers": [4, 4, 9, 11], "keys": KEYS} | changes
    spiking_speech(folder / "shd_train.h5", RECORDINGS, **table)
    spiking_speech(folder / "shd_test.h5", RECORDINGS[:1], [5], speakers=[2])
    return folder


def test_recordings_labels_speakers_and_parts(tmp_path):
    shd = ShdRecordings(str(write(tmp_path))).read()
    assert shd.labels.tolist() == [3, 19, 0, 3, 5]
    assert shd.parts.tolist() == [0, 0, 0, 0, 2]
    assert shd.groups.tolist() == [4, 4, 9, 11, 2]
    assert shd.classes == tuple(KEYS)
    first, silent = shd.sample(0), shd.sample(2)
    np.testing.assert_array_equal(first.times, [0.0, 0.25, 1.0])
    assert first.times.dtype == np.float64
    assert first.channels.tolist() == [0, 699, 350]
    assert (first.n_channels, first.duration) == (700, 1.0)
    assert (silent.times.size, silent.duration) == (0, 0.0)


def test_times_are_cast_before_they_are_scaled(tmp_path):
    """float16 ends at 65504: microseconds of 0.1 s would be infinite."""
    sample = ShdRecordings(str(write(tmp_path))).read().sample(3)
    np.testing.assert_allclose(sample.times * 1e6, [100_100, 100_300], rtol=5e-4)
    spikes = EventBins(merge=5).binned(sample)
    assert (spikes.spikes.steps.tolist(), spikes.merged) == ([100], 1)


def test_ssc_has_three_files_and_may_lack_speakers(tmp_path):
    for part, labels in (("train", [34, 0]), ("valid", [1]), ("test", [2])):
        file = tmp_path / f"ssc_{part}.h5"
        spiking_speech(file, RECORDINGS[: len(labels)], labels, times=np.float32)
    ssc = SscRecordings(str(tmp_path)).read()
    assert (ssc.parts.tolist(), ssc.labels.tolist()) == ([0, 0, 1, 2], [34, 0, 1, 2])
    assert (ssc.groups, ssc.classes[34]) == (None, "34")


def test_what_is_missing_is_said_with_the_place_to_get_it(tmp_path):
    with pytest.raises(SpecError, match=r"task.path: not set; allowed: where the files of Spiking"):
        ShdRecordings().read()
    with pytest.raises(ArtifactError, match=r"nowhere: not there; .* shd_train.h5.*zenkelab.org"):
        ShdRecordings(str(tmp_path / "nowhere")).read()
    (tmp_path / "shd_train.h5.gz").write_bytes(b"")
    with pytest.raises(ArtifactError, match=r"Unpack it: gunzip .*shd_train.h5.gz"):
        ShdRecordings(str(tmp_path)).read()
    (tmp_path / "shd_train.h5.gz").unlink()
    (tmp_path / "shd_train.zip").write_bytes(b"")
    with pytest.raises(ArtifactError, match=r"Unpack it: unzip .*shd_train.zip"):
        ShdRecordings(str(tmp_path)).read()


def change(folder, edit):
    write(folder)
    with h5py.File(folder / "shd_train.h5", "r+") as file:
        edit(file)
    return ShdRecordings(str(folder))


def replace(name, value):
    def edit(file):
        del file[name]
        if value is not None:
            file[name] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (replace("labels", None), r"labels: not there"),
        (replace("labels", np.array([3, 20, 0, 3])), r"label 1: 20; allowed: 0..19"),
        (replace("labels", np.array([3, 19, 0])), r"labels \(3,\); allowed: equal"),
        (replace("labels", np.array([3.0, 1.0, 0.0, 3.0])), r"labels: float64.*integers"),
        (replace("labels", np.zeros((4, 1), int)), r"labels \(4, 1\)"),
        (replace("extra/speaker", np.array([1, 2])), r"extra/speaker: .*\(2,\); .*\(4,\)"),
        (replace("spikes/units", np.zeros(4, int)), r"spikes/units: int64; .*lists of integers"),
        (replace("spikes", np.zeros(4)), r"spikes/times: not there"),
        (replace("spikes/times", h5py.ExternalLink("other.h5", "/x")), r"a link to elsewhere"),
        (replace("spikes/times", h5py.SoftLink("/spikes/units")), r"a link to elsewhere"),
    ],
)
def test_other_contents_are_refused(tmp_path, edit, message):
    with pytest.raises(ArtifactError, match=message):
        change(tmp_path, edit).read()


def test_a_data_set_in_another_file_is_not_read(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(32))

    def edit(file):
        del file["labels"]
        file.create_dataset("labels", (4,), "i8", external=[(str(tmp_path / "secret"), 0, 32)])

    with pytest.raises(ArtifactError, match=r"labels: no data set of the file's own"):
        change(tmp_path, edit).read()


@pytest.mark.parametrize(
    ("times", "units", "message"),
    [
        ([0.1, 0.2], [1], r"recording 1: 2 times, 1 units"),
        ([0.1], [700], r"recording 1, channels: 700..700; allowed: 0..699"),
        ([-0.5], [1], r"recording 1, times: -0.5"),
        ([np.nan], [1], r"recording 1, duration: nan s"),
        ([np.inf], [1], r"recording 1, duration: inf s"),
    ],
)
def test_a_wrong_recording_is_named(tmp_path, times, units, message):
    def edit(file):
        file["spikes/times"][1] = np.array(times, dtype=np.float16)
        file["spikes/units"][1] = np.array(units, dtype=np.uint16)

    shd = change(tmp_path, edit).read()
    assert shd.sample(0).times.size == 3
    with pytest.raises(ArtifactError, match=message):
        shd.sample(1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = write(tmp_path_factory.mktemp("shd"))
    return folder, (folder / "shd_train.h5").read_bytes()


def read_all(folder):
    shd = ShdRecordings(str(folder)).read()
    return [shd.sample(k) for k in range(len(shd))]


@settings(max_examples=25)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_that_is_cut_off_is_refused(whole, share):
    folder, data = whole
    (folder / "shd_train.h5").write_bytes(data[: int(share * len(data))])
    with pytest.raises(ArtifactError, match=r"shd_train.h5: damaged"):
        read_all(folder)


@settings(max_examples=60)
@given(at=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255))
def test_a_changed_byte_gives_samples_or_a_message(whole, at, value):
    """Where data are changed, other data are read; where the form is, a message."""
    folder, data = whole
    changed = bytearray(data)
    changed[int(at * len(data))] = value
    (folder / "shd_train.h5").write_bytes(bytes(changed))
    samples, message = outcome(lambda: read_all(folder))
    assert "shd_train.h5" in message if samples is None else len(samples) == 5
