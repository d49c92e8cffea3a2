"""KTH actions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from hrsnn_lava.options import Count, options
from hrsnn_lava.tasks.readers._files import damaged, root_of, text_of
from hrsnn_lava.tasks.readers._video import Clip, frames_of
from hrsnn_lava.tasks.readers.base import Labelled, Sample
from hrsnn_lava.tasks.readers.facts import DataSet, SetFile
from hrsnn_lava.tasks.readers.lazy import LazySamples

CLASSES = ("boxing", "handclapping", "handwaving", "jogging", "running", "walking")
#: People of each part of the authors' own split; everybody else tests.
TRAIN, VALIDATION = frozenset(range(11, 19)), frozenset((1, 4, 19, 20, 21, 23, 24, 25))
PEOPLE = 25
_CLIP = re.compile(rf"person(\d\d)_({'|'.join(CLASSES)})_d([1-4])_uncomp\.avi")
_LINE = re.compile(rf"(person\d\d_(?:{'|'.join(CLASSES)})_d[1-4])\s+(?:frames\s+)?(.*)")
_RANGE = re.compile(r"(\d{1,6})\s*-\s*(\d{1,6})")
SEQUENCES = "00sequences.txt"


@options
class KthClips:
    """Six actions of 25 people in four scenarios, 160 x 120 pixels, 25 frames a second.

    A sample is a sequence, as ``00sequences.txt`` cuts the clips into about four each; without that
    file it is a clip. Groups are people.

    Attributes:
        path: folder of the clips, in folders of any names; see `hrsnn-lava data kth`.
        size: height and width of a frame after averaging pixels.
        stride: frames from one that is shown to the next.
    """

    name: ClassVar[str] = "kth"
    facts: ClassVar[DataSet] = DataSet(
        "KTH actions",
        "www.csc.kth.se/cvap/actions",
        "none stated; for research, the authors ask to cite their paper",
        "Schuldt, Laptev and Caputo 2004",
        (
            SetFile("**/person*_*_d*_uncomp.avi", "clips, unpacked from one zip an action"),
            SetFile(SEQUENCES, "frames of the sequences in each clip", optional=True),
        ),
        len(CLASSES),
        {"train": 191, "validation": 192, "test": 216},
        {"all": 2391},
        "599 clips, since person13_handclapping_d3 is missing, or 2,391 sequences of them; train: "
        "people 11 to 18, validation: 19 to 21, 23 to 25, 1, 4, test: the others",
        needs="data",
    )
    path: str = ""
    size: tuple[Count, Count] = (24, 32)
    stride: Count = 1

    def read(self) -> Labelled:
        """All sequences; raises `ArtifactError` where a file is missing or damaged."""
        root = root_of(self.path, self.facts)
        clip_files = [f for f in sorted(root.rglob("*.avi")) if _CLIP.fullmatch(f.name)]
        files = {file.name: file for file in clip_files}
        if len(files) < len(clip_files):
            twice = next(f for f in clip_files if files[f.name] != f)
            raise damaged(twice, "name", f"as {files[twice.name]}", "one file of each name")
        if not files:
            raise self.facts.lacking(root / "person*_*_d*_uncomp.avi")
        ranges = _ranges(root / SEQUENCES) if (root / SEQUENCES).is_file() else None
        clips, labels, people = [], [], []
        for name, file in files.items():
            person, action, _ = _CLIP.fullmatch(name).groups()  # type: ignore[union-attr]
            if not 1 <= int(person) <= PEOPLE:
                raise damaged(file, "name", f"person {person}", f"01..{PEOPLE}")
            spans: Sequence[tuple[int, int | None]] = [(0, None)]
            if ranges is not None:
                clip = name.partition("_uncomp")[0]
                if clip not in ranges:
                    fix = "without the file, clips are samples"
                    raise damaged(root / SEQUENCES, "lines", f"none of {clip}", "one a clip", fix)
                spans = ranges[clip]
            clips += [Clip(file, first, last) for first, last in spans]
            labels += [CLASSES.index(action)] * len(spans)
            people += [int(person)] * len(spans)
        who = np.array(people, dtype=np.int64)
        parts = np.where(
            np.isin(who, list(TRAIN)), 0, np.where(np.isin(who, list(VALIDATION)), 1, 2)
        )

        def sample(k: int) -> Sample:
            return frames_of(clips[k], self.size, self.stride)

        return Labelled(
            LazySamples(len(clips), sample), np.array(labels, dtype=np.int64), CLASSES, who, parts
        )


def _ranges(path: Path) -> dict[str, list[tuple[int, int]]]:
    """Frames of the sequences of every clip, from 0; lines of other text are left out."""
    ranges: dict[str, list[tuple[int, int]]] = {}
    for number, line in enumerate(text_of(path).splitlines(), start=1):
        if not line.startswith("person"):
            continue
        entry = _LINE.fullmatch(line.strip())
        if entry is None:
            raise damaged(path, f"line {number}", repr(line[:60]), "CLIP frames A-B, C-D, ...")
        name, listed = entry.groups()
        if "missing" in listed:
            continue
        spans = [_RANGE.fullmatch(part.strip()) for part in listed.rstrip(", ").split(",")]
        pairs = [(int(span[1]) - 1, int(span[2]) - 1) for span in spans if span is not None]
        if len(pairs) != len(spans) or any(not 0 <= first <= last for first, last in pairs):
            raise damaged(path, f"line {number}", repr(listed[:60]), "A-B, C-D with 1 <= A <= B")
        ranges[name] = pairs
    return ranges
