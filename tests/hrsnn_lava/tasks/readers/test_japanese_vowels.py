"""Japanese Vowels: UCI's text, aeon's and sktime's text, and arrays; all of them say the same."""

from __future__ import annotations

import numpy as np
import pytest
from data_set_files import outcome
from hypothesis import given, settings
from hypothesis import strategies as st

from hrsnn_lava.errors import ArtifactError
from hrsnn_lava.tasks.readers.japanese_vowels import JapaneseVowels

#: Utterances of each of nine speakers.
SIZES = {"train": [2] * 9, "test": [1, 2, 1, 3, 1, 1, 2, 1, 1]}


def utterances():
    """Frames of every utterance by part, rounded as text has them, and its speaker."""
    rng, made = np.random.default_rng(1), {}
    for part, sizes in SIZES.items():
        speakers = np.repeat(np.arange(1, 10), sizes)
        lengths = rng.integers(7, 30, speakers.size)
        made[part] = [np.round(rng.normal(0.3, 1, (n, 12)), 6) for n in lengths], speakers
    return made


MADE = utterances()


def uci(folder):
    for part, (frames, _) in MADE.items():
        blocks = ["\n".join(" ".join(f"{v:.6f}" for v in row) + " " for row in f) for f in frames]
        (folder / f"ae.{part}").write_text("\n\n".join(blocks) + "\n\n")
        (folder / f"size_ae.{part}").write_text(" ".join(map(str, SIZES[part])) + "\n")
    return folder


def ts(folder):
    head = "#a comment\n@problemName JapaneseVowels\n@timeStamps false\n@univariate false\n"
    head += "@dimensions 12\n@equalLength false\n@classLabel true 1 2 3 4 5 6 7 8 9\n@data\n"
    for part, (frames, speakers) in MADE.items():
        lines = [
            ":".join([*(",".join(map(str, column)) for column in f.T), str(speaker)])
            for f, speaker in zip(frames, speakers, strict=True)
        ]
        (folder / f"JapaneseVowels_{part.upper()}.ts").write_text(head + "\n".join(lines) + "\n")
    return folder


def arrays():
    table = {}
    for part, (frames, speakers) in MADE.items():
        table[f"{part}_frames"] = np.concatenate(frames)
        table[f"{part}_lengths"] = np.array([len(f) for f in frames], dtype=np.int16)
        table[f"{part}_speaker"] = speakers.astype(np.int8)
    return table


def npz(folder):
    np.savez(folder / "japanese_vowels.npz", **arrays())
    return folder


@pytest.mark.parametrize("form", [uci, ts, npz])
def test_all_forms_give_the_same_utterances(form, tmp_path):
    read = JapaneseVowels(str(form(tmp_path)), standardise=False).read()
    frames = [*MADE["train"][0], *MADE["test"][0]]
    assert len(read) == 18 + 13
    for k, rows in enumerate(frames):
        np.testing.assert_array_equal(read.sample(k), rows)
    speakers = np.concatenate([MADE["train"][1], MADE["test"][1]])
    np.testing.assert_array_equal(read.labels, speakers - 1)
    np.testing.assert_array_equal(read.parts, [0] * 18 + [2] * 13)
    assert read.classes == tuple("123456789")


def test_frames_are_standardised_by_those_that_train(tmp_path):
    read = JapaneseVowels(str(npz(tmp_path) / "japanese_vowels.npz")).read()
    train = np.concatenate([read.sample(k) for k in range(18)])
    np.testing.assert_allclose(train.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(train.std(axis=0), 1, rtol=1e-12)
    every = np.concatenate(MADE["train"][0])
    truth = (MADE["test"][0][0] - every.mean(axis=0)) / every.std(axis=0)
    np.testing.assert_allclose(read.sample(18), truth, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "edit", "message"),
    [
        (
            "ae.test",
            lambda t: t[t.index(" ") :],
            r"ae.test.*\n.*line 1: 11 numbers; allowed: 12",
        ),
        ("ae.train", lambda t: "x" + t, r"line 1: could not convert"),
        (
            "ae.train",
            lambda t: t.replace(t.split()[0], "nan", 1),
            r"line 1: a number that is not fi",
        ),
        ("ae.train", lambda t: t + t, r"empty lines: 36 utterances; allowed: 18, as size_ae.train"),
        ("size_ae.train", lambda t: t[:5], r"numbers: '2 2 2'; allowed: 9 integers"),
        ("size_ae.train", lambda t: t.replace("2", "-2"), r"allowed: 9 integers"),
        ("size_ae.test", None, r"size_ae.test: not there.*archive.ics.uci.edu"),
        ("ae.train", lambda t: "\udcff" + t, r"byte 0: no UTF-8 text"),
    ],
)
def test_damaged_text_is_refused_with_the_line(tmp_path, name, edit, message):
    file = uci(tmp_path) / name
    if edit is None:
        file.unlink()
    else:
        file.write_bytes(edit(file.read_text()).encode("utf-8", "surrogateescape"))
    with pytest.raises(ArtifactError, match=message):
        JapaneseVowels(str(tmp_path)).read()


@pytest.mark.parametrize("form", [uci, ts])
@settings(max_examples=25)
@given(share=st.floats(0, 1, exclude_max=True))
def test_text_that_is_cut_off_is_refused(tmp_path_factory, form, share):
    folder = form(tmp_path_factory.mktemp("cut"))
    file = folder / ("ae.train" if form is uci else "JapaneseVowels_TRAIN.ts")
    text = file.read_text().rstrip("\n")  # what is cut off is more than empty lines
    file.write_text(text[: int(share * len(text))])
    read, message = outcome(lambda: JapaneseVowels(str(folder)).read())
    if form is uci:
        assert "damaged" in message
    else:  # a line is an utterance, so that a file may end behind one: the number of them tells
        assert "damaged" in message or len(read) < 18 + 13


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda t: t.replace("@data", "data"), r"line 8: 'data'; allowed: a line with @"),
        (lambda t: t.replace(":", "", 1), r"line 9: 11 channels"),
        (lambda t: t.replace(",", ":", 1), r"line 9: 13 channels"),
        (lambda t: t[:-3] + ":0\n", r"line 26: class '0'; allowed: 1, 2"),
        (lambda t: t.replace(",", ",?,", 1), r"line 9: could not convert"),
        (
            lambda t: t.replace(",", ",1.0,", 1),
            r"line 9: .* values of the channels; allowed: equal",
        ),
        (lambda t: t[: t.index("@data") + 6], r"@data: no sample"),
    ],
)
def test_damaged_ts_is_refused_with_the_line(tmp_path, edit, message):
    file = ts(tmp_path) / "JapaneseVowels_TRAIN.ts"
    file.write_text(edit(file.read_text()))
    with pytest.raises(ArtifactError, match=message):
        JapaneseVowels(str(tmp_path)).read()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("train_frames", np.zeros((5, 11)), r"train_frames: float64, shape \(5, 11\)"),
        ("train_frames", np.zeros((5, 12)), r"train_lengths: .*rows that there are"),
        ("train_frames", np.full((400, 12), np.nan), r"train_"),
        ("train_lengths", np.full(18, -1), r"train_lengths: -1..-1; allowed: 1.."),
        ("train_lengths", np.full(18, 2.0), r"train_lengths: float64"),
        ("train_lengths", np.full(18, 2**63, np.uint64), r"train_lengths: 9223372036854775808"),
        ("train_speaker", np.zeros(18, int), r"train_speaker - 1: -1..-1; allowed: 0..8"),
        ("train_speaker", np.full(18, 10), r"train_speaker - 1: 9..9"),
        ("test_speaker", np.ones(3, int), r"test_speaker: int64, shape \(3,\)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, name, value, message):
    np.savez(tmp_path / "japanese_vowels.npz", **(arrays() | {name: value}))
    with pytest.raises(ArtifactError, match=message):
        JapaneseVowels(str(tmp_path)).read()
    table = arrays()
    del table[name]
    np.savez(tmp_path / "japanese_vowels.npz", **table)
    with pytest.raises(ArtifactError, match=f"missing {name}"):
        JapaneseVowels(str(tmp_path)).read()
