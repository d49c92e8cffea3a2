"""Japanese Vowels: who said /ae/?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.artifacts.container import load_npz
from hrsnn_lava.options import options
from hrsnn_lava.tasks.readers._files import damaged, file_below, root_of, text_of
from hrsnn_lava.tasks.readers._ragged import bounds_of, classes_of
from hrsnn_lava.tasks.readers._time_series import numbers, read_ts
from hrsnn_lava.tasks.readers.base import Labelled
from hrsnn_lava.tasks.readers.facts import DataSet, SetFile

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: Cepstra of a frame, speakers.
CEPSTRA, SPEAKERS = 12, 9
_NPZ, _TS = "japanese_vowels.npz", "JapaneseVowels_TRAIN.ts"
#: Utterances, and the speaker of each from 0.
Utterances = tuple[list[Floats], Ints]


@options
class JapaneseVowels:
    """640 utterances of nine speakers, 7 to 29 frames of 12 cepstra each.

    Attributes:
        path: folder of the files, or one ``.npz``; see `hrsnn-lava data japanese_vowels`.
        standardise: cepstra in standard deviations from their mean, both over the frames that
            train.
    """

    name: ClassVar[str] = "japanese_vowels"
    facts: ClassVar[DataSet] = DataSet(
        "Japanese Vowels",
        "archive.ics.uci.edu/dataset/128/japanese+vowels (doi 10.24432/C5NS47)",
        "CC BY 4.0 as UCI states it for its sets; see the page",
        "Kudo, Toyama and Shimbo 1999",
        (
            SetFile("ae.train, ae.test", "twelve cepstra a line, an empty line after an utterance"),
            SetFile("size_ae.train, size_ae.test", "utterances of each speaker"),
            SetFile(
                "JapaneseVowels_TRAIN.ts, JapaneseVowels_TEST.ts",
                "the form of aeon and sktime, in place of the others",
                optional=True,
            ),
            SetFile(
                _NPZ,
                "arrays train_frames, train_lengths, train_speaker (1 to 9), and those "
                "of test, in place of the others",
                optional=True,
            ),
        ),
        SPEAKERS,
        {"train": 270, "test": 370},
    )
    path: str = ""
    standardise: bool = True

    def read(self) -> Labelled:
        """All utterances; raises `ArtifactError` where a file is missing or damaged."""
        root = root_of(self.path, self.facts)
        file = root if root.is_file() else root / _NPZ
        if file.is_file():
            (train, test) = _from_npz(file)
        elif (root / _TS).is_file():
            names = (_TS, "JapaneseVowels_TEST.ts")
            (train, test) = (_from_ts(file_below(root, name, self.facts)) for name in names)
        else:
            (train, test) = (self._from_uci(root, part) for part in ("train", "test"))
        parts = np.repeat(np.array([0, 2]), [len(train[0]), len(test[0])])
        frames = [*train[0], *test[0]]
        if self.standardise:
            every = np.concatenate(train[0])
            deviation = every.std(axis=0)
            deviation[deviation == 0] = 1.0
            frames = [(rows - every.mean(axis=0)) / deviation for rows in frames]
        labels = np.concatenate([train[1], test[1]])
        speakers = tuple(str(k) for k in range(1, SPEAKERS + 1))
        return Labelled(frames, labels, speakers, None, parts)

    def _from_uci(self, root: Path, part: str) -> Utterances:
        path = file_below(root, f"ae.{part}", self.facts)
        sizes = file_below(root, f"size_ae.{part}", self.facts)
        words = text_of(sizes).split()
        if len(words) != SPEAKERS or not all(word.isdecimal() and len(word) < 7 for word in words):
            raise damaged(sizes, "numbers", repr(" ".join(words)[:60]), f"{SPEAKERS} integers")
        frames = list(_blocks(path))
        counts = [int(word) for word in words]
        if len(frames) != sum(counts):
            measured = f"{len(frames)} utterances"
            raise damaged(path, "empty lines", measured, f"{sum(counts)}, as {sizes.name} says")
        return frames, np.repeat(np.arange(SPEAKERS), counts)


def _blocks(path: Path) -> Iterator[Floats]:
    """Utterances of a file: lines of twelve numbers, parted by empty lines."""
    text, rows = text_of(path), []
    lines = text.split("\n")
    if lines[-1].strip():
        measured = "no end of the line"
        raise damaged(path, f"line {len(lines)}", measured, "one: the file is cut off")
    for number, line in enumerate(lines, start=1):
        if line.strip():
            rows.append(_row(path, f"line {number}", line.split()))
        elif rows:
            yield np.array(rows)
            rows = []


def _row(path: Path, where: str, words: list[str]) -> list[float]:
    """Twelve finite numbers."""
    values = numbers(path, where, words)
    if len(values) != CEPSTRA:
        raise damaged(path, where, f"{len(values)} numbers", f"{CEPSTRA}")
    return values


def _from_ts(path: Path) -> Utterances:
    """The text of aeon and sktime: twelve cepstra, then the speaker."""
    known = {str(k): k - 1 for k in range(1, SPEAKERS + 1)}
    frames, names = read_ts(path, CEPSTRA, known)
    return frames, np.array([known[name] for name in names], dtype=np.int64)


def _from_npz(path: Path) -> tuple[Utterances, Utterances]:
    names = [f"{part}_{kind}" for part in ("train", "test") for kind in _KINDS]
    arrays = load_npz(path, required=tuple(names))
    halves = []
    for part in ("train", "test"):
        frames, lengths, speaker = (arrays[f"{part}_{kind}"] for kind in _KINDS)
        if frames.dtype.kind not in "fiu" or frames.ndim != 2 or frames.shape[1] != CEPSTRA:
            measured = f"{frames.dtype}, shape {frames.shape}"
            raise damaged(path, f"{part}_frames", measured, f"numbers, (frames, {CEPSTRA})")
        bounds = bounds_of(path, lengths, len(frames), f"{part}_lengths")
        if speaker.dtype.kind not in "iu" or speaker.shape != lengths.shape:
            measured = f"{speaker.dtype}, shape {speaker.shape}"
            raise damaged(path, f"{part}_speaker", measured, f"integers, shape {lengths.shape}")
        if not np.isfinite(frames).all():
            raise damaged(path, f"{part}_frames", "values that are not finite", "finite values")
        rows = np.asarray(frames, dtype=np.float64)
        labels = classes_of(path, speaker.astype(np.int64) - 1, SPEAKERS, f"{part}_speaker - 1")
        halves.append((np.split(rows, bounds[1:-1]), labels))
    return halves[0], halves[1]


_KINDS = ("frames", "lengths", "speaker")
