"""UCF101."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from hrsnn_lava.options import Count, options
from hrsnn_lava.tasks.readers._files import damaged, file_below, root_of, text_of
from hrsnn_lava.tasks.readers._video import Clip, frames_of
from hrsnn_lava.tasks.readers.base import Labelled, Sample
from hrsnn_lava.tasks.readers.facts import DataSet, SetFile
from hrsnn_lava.tasks.readers.lazy import LazySamples

N_CLASSES = 101
_ENTRY = re.compile(r"(\w+)/(v_\w+_g(\d\d)_c\d\d\.avi)(?:\s+(\d{1,3}))?")
_CLASS = re.compile(r"(\d{1,3})\s+(\w+)")
_VIDEOS, _LISTS = "UCF-101", "ucfTrainTestlist"


@options
class Ucf101Clips:
    """101 actions, 13,320 clips of 320 x 240 pixels, 25 groups of clips of each action.

    Attributes:
        path: folder with UCF-101 and ucfTrainTestlist; see `hrsnn-lava data ucf101`.
        fold: of the authors' three splits.
        size: height and width of a frame after averaging pixels.
        stride: frames from one that is shown to the next.
    """

    name: ClassVar[str] = "ucf101"
    facts: ClassVar[DataSet] = DataSet(
        "UCF101",
        "www.crcv.ucf.edu/data/UCF101.php",
        "none stated; the authors ask to cite their report",
        "Soomro, Zamir and Shah 2012",
        (
            SetFile(f"{_VIDEOS}/ACTION/v_ACTION_gGG_cNN.avi", "clips, GG is the group"),
            SetFile(f"{_LISTS}/classInd.txt", "numbers and names of the actions"),
            SetFile(f"{_LISTS}/trainlist0K.txt", "clips that train in split K; fold is 1 to 3"),
            SetFile(f"{_LISTS}/testlist0K.txt", "clips that test in split K"),
        ),
        N_CLASSES,
        {"train": 9537, "test": 3783},
        note="the numbers are those of fold 1",
        needs="data",
    )
    path: str = ""
    fold: Annotated[int, Field(ge=1, le=3)] = 1
    size: tuple[Count, Count] = (24, 32)
    stride: Count = 1

    def read(self) -> Labelled:
        """The clips of a fold; raises `ArtifactError` where a file is missing or damaged."""
        root = root_of(self.path, self.facts)
        classes = _classes(file_below(root, f"{_LISTS}/classInd.txt", self.facts))
        clips, labels, groups, parts = [], [], [], []
        for part, kind in ((0, "train"), (2, "test")):
            listed = file_below(root, f"{_LISTS}/{kind}list0{self.fold}.txt", self.facts)
            for name, label, group in _entries(listed, classes):
                clips.append(Clip(file_below(root, f"{_VIDEOS}/{name}", self.facts)))
                labels.append(label)
                groups.append(group)
                parts.append(part)

        def sample(k: int) -> Sample:
            return frames_of(clips[k], self.size, self.stride)

        return Labelled(
            LazySamples(len(clips), sample),
            np.array(labels, dtype=np.int64),
            classes,
            np.array(groups, dtype=np.int64),
            np.array(parts, dtype=np.int64),
        )


def _classes(path: Path) -> tuple[str, ...]:
    """Names of the actions in the order of their numbers, which begin at 1."""
    names: list[str] = []
    for number, line in enumerate(text_of(path).splitlines(), start=1):
        if not line.strip():
            continue
        entry = _CLASS.fullmatch(line.strip())
        if entry is None or int(entry[1]) != len(names) + 1 or entry[2] in names:
            raise damaged(path, f"line {number}", repr(line[:60]), f"{len(names) + 1} NAME")
        names.append(entry[2])
    if not names:
        raise damaged(path, "lines", "none", "one an action")
    return tuple(names)


def _entries(path: Path, classes: tuple[str, ...]) -> Iterator[tuple[str, int, int]]:
    """File, class and group of every clip of a list."""
    for number, line in enumerate(text_of(path).splitlines(), start=1):
        if not line.strip():
            continue
        entry = _ENTRY.fullmatch(line.strip())
        if entry is None or entry[1] not in classes:
            raise damaged(path, f"line {number}", repr(line[:60]), "ACTION/v_ACTION_gGG_cNN.avi")
        label = classes.index(entry[1])
        if entry[4] is not None and int(entry[4]) != label + 1:
            raise damaged(
                path, f"line {number}", f"action {entry[4]}", f"{label + 1}, of {entry[1]}"
            )
        yield f"{entry[1]}/{entry[2]}", label, int(entry[3])
