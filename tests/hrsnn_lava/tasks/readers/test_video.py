"""Clips: which frames they are, how pixels are averaged, and how lists and names are read.

Videos are made by hand, uncompressed; what decodes them needs PyAV, of the extra `data`.
"""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from data_set_files import avi

from hrsnn_lava.errors import ArtifactError, BackendMissingError
from hrsnn_lava.tasks.readers import _video
from hrsnn_lava.tasks.readers._video import Clip, areas, frames_of
from hrsnn_lava.tasks.readers.kth import KthClips
from hrsnn_lava.tasks.readers.ucf11 import CLASSES as UCF11
from hrsnn_lava.tasks.readers.ucf11 import Ucf11Clips
from hrsnn_lava.tasks.readers.ucf101 import Ucf101Clips

needs_av = pytest.mark.skipif(
    importlib.util.find_spec("av") is None, reason="needs PyAV, the extra `data`"
)
PICTURES = np.random.default_rng(0).integers(0, 256, (6, 12, 16), dtype=np.uint8)


@pytest.fixture
def decoder(monkeypatch):
    """In place of PyAV's: the pictures of an uncompressed AVI as `avi` writes it."""

    def pictures(path):
        data = path.read_bytes()
        at = data.index(b"00db")
        while data[at : at + 4] == b"00db":
            size = int.from_bytes(data[at + 4 : at + 8], "little")
            rows = np.frombuffer(data[at + 8 : at + 8 + size], np.uint8).reshape(12, -1)
            yield rows[::-1, 0:48:3].copy()
            at += 8 + size

    monkeypatch.setattr(_video, "_pictures", pictures)


@pytest.mark.parametrize("reader", [pytest.param("PyAV", marks=needs_av), "stand-in"])
def test_frames_are_grey_averages(tmp_path, reader, request):
    if reader == "stand-in":
        request.getfixturevalue("decoder")
    avi(tmp_path / "a.avi", PICTURES)
    whole = frames_of(Clip(tmp_path / "a.avi"), (12, 16), 1)
    np.testing.assert_allclose(whole, PICTURES.reshape(6, -1) / 255, rtol=1e-12)
    small = frames_of(Clip(tmp_path / "a.avi", 1, 4), (3, 4), 2)
    truth = PICTURES[[1, 3]].reshape(2, 3, 4, 4, 4).mean(axis=(2, 4)).reshape(2, 12) / 255
    np.testing.assert_allclose(small, truth, rtol=1e-12)


@pytest.mark.parametrize(("pixels", "size"), [(12, 12), (12, 3), (160, 32), (7, 3), (5, 1), (9, 8)])
def test_areas_cover_every_pixel_alike(pixels, size):
    weights = areas(pixels, size)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(weights.sum(axis=0), size / pixels, rtol=1e-12)
    fine = np.repeat(np.arange(pixels, dtype=float), size).reshape(size, pixels).mean(axis=1)
    np.testing.assert_allclose(weights @ np.arange(pixels), fine, rtol=1e-9)


def test_wrong_clips_are_refused(tmp_path, decoder):
    data = avi(tmp_path / "a.avi", PICTURES)
    with pytest.raises(ArtifactError, match=r"frame 0: 12 x 16 pixels; allowed: >= 24 x 32"):
        frames_of(Clip(tmp_path / "a.avi"), (24, 32), 1)
    assert frames_of(Clip(tmp_path / "a.avi", 4, 8), (3, 4), 1).shape == (2, 12)
    with pytest.raises(ArtifactError, match=r"frames: 6; allowed: >= 7"):
        frames_of(Clip(tmp_path / "a.avi", 6), (3, 4), 1)
    for length in (12, 100, len(data) - 1):
        (tmp_path / "b.avi").write_bytes(data[:length])
        with pytest.raises(
            ArtifactError, match=rf"RIFF: ends at byte {length:,}; .*{len(data):,} b"
        ):
            frames_of(Clip(tmp_path / "b.avi"), (3, 4), 1)
    with pytest.raises(ArtifactError, match=r"none.avi: no such file"):
        frames_of(Clip(tmp_path / "none.avi"), (3, 4), 1)


@needs_av
@pytest.mark.parametrize("data", [b"", b"no video", b"\x00\x00\x01\xba" + bytes(300)])
def test_what_is_no_video_is_refused(tmp_path, data):
    (tmp_path / "a.mpg").write_bytes(data)
    with pytest.raises(ArtifactError, match=r"a.mpg: damaged"):
        frames_of(Clip(tmp_path / "a.mpg"), (3, 4), 1)


@needs_av
def test_changed_bytes_of_a_clip_give_frames_or_a_message(tmp_path):
    data, rng = avi(tmp_path / "a.avi", PICTURES), np.random.default_rng(0)
    for _ in range(150):
        changed = bytearray(data)
        changed[rng.integers(400)] = rng.integers(256)
        (tmp_path / "a.avi").write_bytes(bytes(changed))
        try:
            assert frames_of(Clip(tmp_path / "a.avi"), (1, 1), 1).shape[1] == 1
        except ArtifactError:
            continue


def test_without_pyav_the_extra_is_named(tmp_path, monkeypatch):
    def none(name):
        raise ImportError(name)

    monkeypatch.setattr(_video, "import_module", none)
    avi(tmp_path / "a.avi", PICTURES)
    with pytest.raises(BackendMissingError, match=r'pip install "hrsnn-lava\[data\]"') as caught:
        frames_of(Clip(tmp_path / "a.avi"), (3, 4), 1)
    assert caught.value.exit_code == 6


@pytest.fixture
def kth(tmp_path):
    for name in ("person11_boxing_d1", "person25_walking_d4", "person02_running_d2"):
        folder = tmp_path / name.split("_")[1]
        folder.mkdir()
        avi(folder / f"{name}_uncomp.avi", PICTURES)
    avi(tmp_path / "unrelated.avi", PICTURES)
    return tmp_path


def test_kth_is_split_by_people(kth, decoder):
    read = KthClips(str(kth), size=(3, 4)).read()
    assert [read.classes[k] for k in read.labels] == ["boxing", "running", "walking"]
    assert (read.groups.tolist(), read.parts.tolist()) == ([11, 2, 25], [0, 2, 1])
    assert read.sample(0).shape == (6, 12)
    parts = {}
    for person in range(1, 26):
        avi(kth / f"person{person:02}_jogging_d1_uncomp.avi", PICTURES[:1])
    read = KthClips(str(kth)).read()
    for person, part in zip(read.groups.tolist(), read.parts.tolist(), strict=True):
        parts.setdefault(part, set()).add(person)
    assert parts == {
        0: {11, 12, 13, 14, 15, 16, 17, 18},
        1: {19, 20, 21, 23, 24, 25, 1, 4},
        2: {22, 2, 3, 5, 6, 7, 8, 9, 10},
    }


def test_sequences_of_kth_are_stretches_of_frames(kth, decoder):
    (kth / "00sequences.txt").write_text(
        "Frames of all sequences\n\n"
        "person11_boxing_d1\t\tframes\t1-2, 3-6\n"
        "person02_running_d2 frames 2-4,\n"
        "person13_handclapping_d3\t*missing*\n"
        "person25_walking_d4  1-1, 2-2, 6-6\n"
    )
    read = KthClips(str(kth), size=(12, 16)).read()
    assert read.groups.tolist() == [11, 11, 2, 25, 25, 25]
    for k, (first, last) in enumerate([(0, 2), (2, 6), (1, 4), (0, 1), (1, 2), (5, 6)]):
        truth = PICTURES[first:last].reshape(last - first, -1) / 255
        np.testing.assert_allclose(read.sample(k), truth, rtol=1e-12)


def test_a_clip_without_sequences_is_not_left_out_in_silence(kth):
    (kth / "00sequences.txt").write_text("person11_boxing_d1 frames 1-2\n")
    with pytest.raises(ArtifactError, match=r"lines: none of person02_running_d2; .*clips are"):
        KthClips(str(kth)).read()


@pytest.mark.parametrize(
    "line",
    [
        "person11_boxing_d1 frames 2-1",
        "person11_boxing_d1 frames 0-5",
        "person11_flying_d1",
        "person11_boxing_d1 frames 1-2; 3-4",
        "person11_boxing_d1 frames",
    ],
)
def test_wrong_sequences_are_named_by_their_line(kth, line):
    (kth / "00sequences.txt").write_text(f"text\n{line}\n")
    with pytest.raises(ArtifactError, match=r"00sequences.txt.*\n.*line 2: "):
        KthClips(str(kth)).read()


def test_a_clip_that_lies_there_twice_is_refused(kth):
    avi(kth / "person11_boxing_d1_uncomp.avi", PICTURES)
    with pytest.raises(ArtifactError, match=r"name: as .*boxing_d1_uncomp.avi; allowed: one file"):
        KthClips(str(kth)).read()


def test_kth_without_clips_says_where_they_are_from(tmp_path):
    with pytest.raises(ArtifactError, match=r"_uncomp.avi: not there.*www.csc.kth.se"):
        KthClips(str(tmp_path)).read()
    avi(tmp_path / "person26_boxing_d1_uncomp.avi", PICTURES)
    with pytest.raises(ArtifactError, match=r"name: person 26; allowed: 01..25"):
        KthClips(str(tmp_path)).read()


def test_groups_of_ucf11_are_in_the_names(tmp_path, decoder):
    for action in UCF11:
        folder = tmp_path / action / "v_x_07"
        folder.mkdir(parents=True)
        for name in ("v_x_07_01.mpg", "v_x_07_02.avi", "v_x_07_02.txt"):
            avi(folder / name, PICTURES)
    read = Ucf11Clips(str(tmp_path), size=(3, 4)).read()
    assert (len(read), set(read.groups.tolist()), read.parts) == (22, {7}, None)
    np.testing.assert_array_equal(np.bincount(read.labels), [2] * 11)
    assert read.sample(21).shape == (6, 12)
    for file in (tmp_path / "diving").rglob("v_x*.*"):
        file.unlink()
    with pytest.raises(ArtifactError, match=r"diving/v_\*_GG.*not there.*crcv.ucf.edu"):
        Ucf11Clips(str(tmp_path)).read()


@pytest.fixture
def ucf101(tmp_path):
    lists = tmp_path / "ucfTrainTestlist"
    lists.mkdir()
    (lists / "classInd.txt").write_text("1 Archery\r\n2 YoYo\r\n")
    (lists / "trainlist02.txt").write_text(
        "YoYo/v_YoYo_g08_c01.avi 2\nArchery/v_Archery_g09_c02.avi 1\n"
    )
    (lists / "testlist02.txt").write_text("Archery/v_Archery_g01_c01.avi\n")
    for clip in ("YoYo/v_YoYo_g08_c01", "Archery/v_Archery_g09_c02", "Archery/v_Archery_g01_c01"):
        (tmp_path / "UCF-101" / clip).parent.mkdir(parents=True, exist_ok=True)
        avi(tmp_path / "UCF-101" / f"{clip}.avi", PICTURES)
    return tmp_path


def test_splits_of_ucf101_are_lists(ucf101, decoder):
    read = Ucf101Clips(str(ucf101), fold=2, size=(3, 4), stride=4).read()
    assert (read.labels.tolist(), read.groups.tolist()) == ([1, 0, 0], [8, 9, 1])
    assert (read.parts.tolist(), read.classes) == ([0, 0, 2], ("Archery", "YoYo"))
    assert read.sample(2).shape == (2, 12)
    with pytest.raises(ArtifactError, match=r"trainlist01.txt: not there"):
        Ucf101Clips(str(ucf101)).read()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("classInd.txt", "1 Archery\n3 YoYo\n", r"line 2: '3 YoYo'; allowed: 2 NAME"),
        ("classInd.txt", "1 Archery\n2 Archery\n", r"line 2"),
        ("classInd.txt", "\n", r"lines: none"),
        (
            "trainlist02.txt",
            "YoYo/v_YoYo_g08_c01.avi 1\n",
            r"line 1: action 1; allowed: 2, of YoYo",
        ),
        ("trainlist02.txt", "Golf/v_Golf_g08_c01.avi 1\n", r"line 1: 'Golf/v_Golf"),
        ("trainlist02.txt", "../x/v_YoYo_g08_c01.avi 1\n", r"line 1"),
        ("testlist02.txt", "YoYo/v_YoYo_g01_c01.avi\n", r"v_YoYo_g01_c01.avi: not there"),
    ],
)
def test_wrong_lists_are_named_by_their_line(ucf101, name, text, message):
    (ucf101 / "ucfTrainTestlist" / name).write_text(text)
    with pytest.raises(ArtifactError, match=message):
        Ucf101Clips(str(ucf101), fold=2).read()
