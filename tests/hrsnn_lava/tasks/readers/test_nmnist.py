"""N-MNIST: five bytes an event, in folders and zips, cut off and changed."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
from data_set_files import nmnist_event

from hrsnn_lava.errors import ArtifactError
from hrsnn_lava.tasks.readers.nmnist import NmnistEvents, decoded

EVENTS = [(3, 5, 1, 7), (33, 0, 0, 300), (0, 33, 1, 70_000)]
DATA = b"".join(nmnist_event(*event) for event in EVENTS)


def write(root, part="Train", digit=4, name="00001.bin", data=DATA):
    folder = root / part / str(digit)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


@pytest.fixture
def root(tmp_path):
    write(tmp_path)
    write(tmp_path, digit=0, name="00002.bin", data=nmnist_event(1, 1, 0, 5))
    write(tmp_path, "Test", digit=9)
    return tmp_path


def test_the_bytes_of_an_event_are_those_of_the_format(tmp_path):
    """x 3, y 5, on, 0x012345 microseconds."""
    sample = decoded(bytes([3, 5, 0x81, 0x23, 0x45]), tmp_path / "a.bin")
    np.testing.assert_allclose(sample.times, [0x012345 * 1e-6], rtol=1e-15)
    assert (sample.channels.tolist(), sample.n_channels) == ([(34 + 5) * 34 + 3], 2 * 34 * 34)


def test_a_row_of_240_turns_the_clock(tmp_path):
    overflow = nmnist_event(0, 240, 0, 0)
    data = nmnist_event(1, 2, 0, 8000) + overflow + nmnist_event(1, 2, 0, 10) + 2 * overflow
    sample = decoded(data + nmnist_event(1, 2, 1, 20), tmp_path / "a.bin")
    microseconds = [8000, 2**13 + 10, 3 * 2**13 + 20]
    np.testing.assert_allclose(sample.times, np.array(microseconds) * 1e-6, rtol=1e-12)
    assert sample.duration == sample.times[-1]


def test_folders_are_parts_and_classes(root):
    read = NmnistEvents(str(root)).read()
    assert (read.labels.tolist(), read.parts.tolist()) == ([0, 4, 9], [0, 0, 2])
    np.testing.assert_allclose(read.sample(1).times, [7e-6, 300e-6, 0.07], rtol=1e-12)
    assert read.sample(0).times.size == 1


@pytest.mark.parametrize("form", ["one", "two", "one below a folder"])
def test_zips_are_read_as_they_are(root, tmp_path_factory, form):
    folder = tmp_path_factory.mktemp("zips")
    files = sorted(root.rglob("*.bin"))
    for part in ("Train", "Test"):
        name = f"{part}.zip" if form == "two" else "all.zip"
        with zipfile.ZipFile(folder / name, "a", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                if part in file.parts:
                    below = "N-MNIST/" if form == "one below a folder" else ""
                    archive.write(file, below + str(file.relative_to(root)))
    read = NmnistEvents(str(folder if form == "two" else folder / "all.zip")).read()
    plain = NmnistEvents(str(root)).read()
    assert read.labels.tolist() == plain.labels.tolist()
    assert read.parts.tolist() == plain.parts.tolist()
    for k in range(len(plain)):
        np.testing.assert_array_equal(read.sample(k).channels, plain.sample(k).channels)


@pytest.mark.parametrize("length", range(len(DATA)))
def test_a_file_that_ends_inside_an_event_is_refused(root, length):
    write(root, data=DATA[:length])
    read = NmnistEvents(str(root)).read()
    if length % 5 == 0:
        assert read.sample(1).times.size == length // 5
        return
    with pytest.raises(ArtifactError, match=rf"event {length // 5}: ends at byte {length}"):
        read.sample(1)


@pytest.mark.parametrize(("x", "y"), [(34, 0), (0, 34), (255, 239), (34, 241)])
def test_an_event_outside_of_the_sensor_is_named(root, x, y):
    write(root, data=DATA + nmnist_event(x, y, 0, 0))
    with pytest.raises(ArtifactError, match=rf"event 3: x {x}, y {y}; allowed: x < 34, y < 34"):
        NmnistEvents(str(root)).read().sample(1)


def test_what_is_missing_is_said(root, tmp_path_factory):
    with pytest.raises(ArtifactError, match=r"Train/0..9/\*.bin.*garrickorchard.com"):
        NmnistEvents(str(tmp_path_factory.mktemp("empty"))).read()
    for file in (root / "Test").rglob("*.bin"):
        file.unlink()
    with pytest.raises(ArtifactError, match=r"Test/0..9/\*.bin: not there"):
        NmnistEvents(str(root)).read()
    (root / "no.zip").write_bytes(b"PK, but no zip")
    with pytest.raises(ArtifactError, match=r"no.zip: damaged.*\n.*directory of the zip"):
        NmnistEvents(str(root / "no.zip")).read()


def test_a_damaged_member_is_named_and_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("Train/1/a.bin", DATA)
        archive.writestr("Test/1/a.bin", DATA)
    data = bytearray(path.read_bytes())
    data[data.index(DATA) + 3] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ArtifactError, match=r"Train/1/a.bin: Bad CRC-32"):
        NmnistEvents(str(path)).read().sample(0)
    monkeypatch.setattr("hrsnn_lava.tasks.readers.nmnist.LARGEST", 10)
    with pytest.raises(ArtifactError, match=r"Test/1/a.bin: 15 bytes; allowed: <= 10"):
        NmnistEvents(str(path)).read().sample(1)
