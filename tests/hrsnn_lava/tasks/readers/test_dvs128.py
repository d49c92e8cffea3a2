"""DVS128 Gesture: AEDAT 3.1 against records made by hand, cut off and changed."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from data_set_files import AEDAT_HEAD, END_HEADER, gestures, outcome, packet, polarity_word
from hypothesis import given, settings
from hypothesis import strategies as st

from hrsnn_lava.errors import ArtifactError
from hrsnn_lava.tasks.readers._aedat3 import Recording
from hrsnn_lava.tasks.readers.dvs128 import DvsGestures

SENSOR = (128, 128)
#: x, y, polarity, microseconds.
EVENTS = [(0, 0, 1, 10), (127, 3, 0, 20), (5, 127, 1, 20), (64, 32, 0, 1500)]


def words(events):
    return [(polarity_word(x, y, p), t) for x, y, p, t in events]


def write(path, *packets, head=AEDAT_HEAD + END_HEADER):
    path.write_bytes(head + b"".join(packets))
    return path


def test_the_bits_of_an_event_are_those_of_the_format(tmp_path):
    """x 100, y 27, darker, valid: 0x00C8006D; brighter and invalid ones beside it."""
    data = bytes.fromhex("6d00c800e80300006f00c800e90300006e00c800ea030000")
    head = struct.pack("<hhiiiiii", 1, 1, 8, 4, 0, 3, 3, 2)
    events = Recording(write(tmp_path / "a.aedat", head + data), SENSOR).between(0, 10**6)
    assert events.x.tolist() == [100, 100]
    assert events.y.tolist() == [27, 27]
    assert events.polarity.tolist() == [0, 1]
    assert events.times.tolist() == [1000, 1001]  # the third one is not valid
    assert polarity_word(100, 27, 0) == 0x00C8006D


@pytest.mark.parametrize("end", [b"", END_HEADER], ids=["no end of the head", "with one"])
def test_packets_of_other_types_and_unused_places_are_skipped(tmp_path, end):
    special = struct.pack("<hhiiiiii", 0, 1, 8, 4, 0, 2, 2, 2) + b"#" * 16
    imu = struct.pack("<hhiiiiii", 3, 1, 36, 4, 0, 1, 1, 1) + b"\xff" * 36
    file = write(
        tmp_path / "a.aedat",
        special,
        packet(words(EVENTS[:2]), capacity=9),
        imu,
        packet([]),
        packet(words(EVENTS[2:])),
        head=AEDAT_HEAD + end,
    )
    events = Recording(file, SENSOR).between(0, 2000)
    got = list(zip(events.x, events.y, events.polarity, events.times, strict=True))
    assert got == EVENTS
    assert len(Recording(file, SENSOR).packets) == 2


def test_times_go_on_where_the_clock_goes_round(tmp_path):
    file = write(
        tmp_path / "a.aedat",
        packet(words([(1, 1, 1, 2**31 - 1)])),
        packet(words([(2, 2, 1, 0), (3, 3, 1, 5)]), overflow=1),
    )
    events = Recording(file, SENSOR).between(0, 2**33)
    assert events.times.tolist() == [2**31 - 1, 2**31, 2**31 + 5]
    later = Recording(file, SENSOR).between(2**31, 2**31 + 5)
    assert later.x.tolist() == [2]


def test_a_stretch_of_time_is_half_open_whatever_the_order(tmp_path):
    events = words([(1, 0, 1, 30), (2, 0, 1, 10), (3, 0, 1, 20)])
    recording = Recording(write(tmp_path / "a.aedat", packet(events)), SENSOR)
    assert recording.between(10, 30).x.tolist() == [2, 3]
    assert recording.between(30, 31).x.tolist() == [1]
    assert recording.between(31, 99).x.size == 0


def trial(folder, name="user01_fluorescent", shift=0):
    spread = [(x, y, p, t + shift) for x, y, p, t in EVENTS]
    write(folder / f"{name}.aedat", packet(words(spread)))
    gestures(folder / f"{name}_labels.csv", [(1, 10 + shift, 21 + shift), (11, shift, 1600)])


@pytest.fixture
def folder(tmp_path):
    trial(tmp_path)
    trial(tmp_path, "user24_led", shift=100)
    (tmp_path / "trials_to_train.txt").write_text("user01_fluorescent.aedat\n\n")
    (tmp_path / "trials_to_test.txt").write_text("user24_led.aedat\n")
    return tmp_path


def test_gestures_are_cut_from_their_trials(folder):
    read = DvsGestures(str(folder)).read()
    assert read.labels.tolist() == [0, 10, 0, 10]
    assert read.groups.tolist() == [1, 1, 24, 24]
    assert read.parts.tolist() == [0, 0, 2, 2]
    assert read.classes[0] == "hand clapping"
    assert read.classes[10] == "other gestures"
    sample = read.sample(0)
    np.testing.assert_allclose(sample.times, [0, 10e-6, 10e-6], rtol=1e-12)
    assert sample.channels.tolist() == [128 * 128, 3 * 128 + 127, (128 + 127) * 128 + 5]
    assert (sample.n_channels, sample.duration) == (32768, pytest.approx(11e-6))
    assert read.sample(1).times.size == 4
    np.testing.assert_allclose(read.sample(2).times, sample.times, atol=1e-12)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"first line: ''; allowed: '#!AER-DAT3.1'"),
        (b"#!AER-DAT2.0\r\n", r"first line: '#!AER-DAT2.0'.*have to be converted"),
        (b"#!AER-DAT3.1\r\n#no end", r"byte 14: a line of the head without an end"),
        (b"#!AER-DAT3.1\r\n" + b"#x\r\n" * 1001, r"a head of more than 1000 lines"),
        (AEDAT_HEAD + b"\x01\x00", r"byte 47: a head of a packet of 28 bytes; allowed: 2 are left"),
        (AEDAT_HEAD + packet([], number=1), r"byte 47: .*capacity 0, number 1, valid 1"),
        (AEDAT_HEAD + packet([], number=-1, capacity=0), r"number -1"),
        (AEDAT_HEAD + packet([], overflow=-1), r"overflow -1"),
        (AEDAT_HEAD + packet([], size=0), r"events of 0 bytes"),
        (AEDAT_HEAD + packet(words(EVENTS), size=16), r"byte 47: a packet of 92 bytes; .* 60 are"),
        (AEDAT_HEAD + packet(words(EVENTS[:2]), at=0), r"8 bytes with the time at 0"),
        (AEDAT_HEAD + packet(words([(0, 0, 0, 1), (128, 0, 0, 1)])), r"byte 83: x 128, y 0"),
        (AEDAT_HEAD + packet(words([(0, 128, 0, 1)])), r"byte 75: x 0, y 128"),
        (AEDAT_HEAD + packet(words([(0, 8191 + 1, 0, 1)])), r"byte 75: x 0, y 8192"),
        (AEDAT_HEAD + packet(words([(0, 0, 0, -1)])), r"byte 75: .*time -1"),
    ],
)
def test_what_contradicts_the_format_is_named_with_its_place(tmp_path, data, message):
    path = tmp_path / "a.aedat"
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match=message):
        Recording(path, SENSOR)


def test_a_packet_that_claims_more_than_the_file_has_is_not_allocated(tmp_path):
    head = struct.pack("<hhiiiiii", 1, 1, 8, 4, 0, 2**31 - 1, 2**31 - 1, 0)
    with pytest.raises(ArtifactError, match=r"a packet of 17,179,869,204 bytes; allowed: 28 are"):
        Recording(write(tmp_path / "a.aedat", head), SENSOR)


WHOLE = AEDAT_HEAD + END_HEADER + packet(words(EVENTS[:2])) + packet(words(EVENTS[2:]), capacity=3)
#: Where a file may end: behind each packet.
ENDS = [len(WHOLE) - 52, len(WHOLE)]


@pytest.mark.parametrize("length", range(len(WHOLE) + 1))
def test_a_file_may_end_behind_a_packet_alone(tmp_path, length):
    path = tmp_path / "a.aedat"
    path.write_bytes(WHOLE[:length])
    if length in ENDS:
        events = Recording(path, SENSOR).between(0, 10**6)
        assert events.x.size == 2 * (1 + ENDS.index(length))
    else:
        with pytest.raises(ArtifactError, match=r"a.aedat: damaged"):
            Recording(path, SENSOR)


def test_a_trial_that_ends_before_a_gesture_is_refused(folder):
    gestures(folder / "user01_fluorescent_labels.csv", [(1, 10, 21), (11, 1600, 1700)])
    read = DvsGestures(str(folder)).read()
    assert read.sample(0).times.size == 3
    with pytest.raises(ArtifactError, match=r"1,600 to 1,700 microseconds: no event"):
        read.sample(1)


@settings(max_examples=100)
@given(at=st.integers(0, len(WHOLE) - 1), value=st.integers(0, 255))
def test_a_changed_byte_gives_events_or_a_message(tmp_path_factory, at, value):
    path = tmp_path_factory.getbasetemp() / "changed.aedat"
    changed = bytearray(WHOLE)
    changed[at] = value
    path.write_bytes(bytes(changed))
    events, message = outcome(lambda: Recording(path, SENSOR).between(0, 2**40))
    assert "changed.aedat" in message if events is None else events.x.size <= 4


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("trials_to_train.txt", "../../etc/passwd\n", r"line 1: '../../etc/passwd'; .*userNN"),
        ("trials_to_train.txt", "user09_led.aedat\n", r"user09_led.aedat: not there.*ibm"),
        (
            "user01_fluorescent_labels.csv",
            "class,start\n",
            r"line 1: 'class,start'; allowed: class",
        ),
        (
            "user01_fluorescent_labels.csv",
            "class,startTime_usec,endTime_usec\n1,10,20\n12,10,20\n",
            r"line 3: '12,10,20'; allowed: class 1..11",
        ),
        (
            "user01_fluorescent_labels.csv",
            "class,startTime_usec,endTime_usec\n1,20,20\n",
            r"line 2: '1,20,20'; .*start < end",
        ),
        (
            "user01_fluorescent_labels.csv",
            "class,startTime_usec,endTime_usec\n1,20\n",
            r"line 2: '1,20'",
        ),
        (
            "user01_fluorescent_labels.csv",
            "class,startTime_usec,endTime_usec\n1,20," + "9" * 5000 + "\n",
            r"line 2: '1,20,999",
        ),
        ("user01_fluorescent_labels.csv", "", r"line 1: ''"),
    ],
)
def test_lists_and_labels_are_checked_line_by_line(folder, name, text, message):
    (folder / name).write_text(text)
    with pytest.raises(ArtifactError, match=message):
        DvsGestures(str(folder)).read()
