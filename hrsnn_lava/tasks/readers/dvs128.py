"""DVS128 Gesture."""

from __future__ import annotations

import csv
import re
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np

from hrsnn_lava.options import options
from hrsnn_lava.tasks.readers._aedat3 import Recording
from hrsnn_lava.tasks.readers._files import damaged, file_below, root_of, text_of
from hrsnn_lava.tasks.readers.base import Events, Labelled
from hrsnn_lava.tasks.readers.facts import DataSet, SetFile
from hrsnn_lava.tasks.readers.lazy import LazySamples

#: Pixels of the camera, (height, width).
SENSOR = (128, 128)
CLASSES = (
    "hand clapping",
    "right hand wave",
    "left hand wave",
    "right arm clockwise",
    "right arm counter clockwise",
    "left arm clockwise",
    "left arm counter clockwise",
    "arm roll",
    "air drums",
    "air guitar",
    "other gestures",
)
_HEADER = ["class", "startTime_usec", "endTime_usec"]
_TRIAL = re.compile(r"user(\d+)_[\w-]+\.aedat")
#: Trials and gestures of one, at most.
MOST_TRIALS, MOST_GESTURES = 10_000, 10_000


@options
class DvsGestures:
    """Gestures of 29 people before an event camera of 128 x 128 pixels.

    A sample is a row of a trial's labels: the events from its start to its end, channels
    ``(polarity * 128 + y) * 128 + x``. Groups are people.

    Attributes:
        path: folder of the files, see `hrsnn-lava data dvs128`.
    """

    name: ClassVar[str] = "dvs128"
    facts: ClassVar[DataSet] = DataSet(
        "DVS128 Gesture",
        "research.ibm.com/interactive/dvsgesture",
        "CC BY 4.0",
        "Amir et al. 2017",
        (
            SetFile("user*_*.aedat", "trials, AEDAT 3.1"),
            SetFile("user*_*_labels.csv", "class, start and end of every gesture of a trial"),
            SetFile("trials_to_train.txt", "names of the trials that train, one a line"),
            SetFile("trials_to_test.txt", "names of the trials that test"),
        ),
        11,
        {"train": 1176, "test": 288},
        note="unpack DvsGesture.tar.gz; the two lists name 98 and 24 trials",
    )
    path: str = ""

    def read(self) -> Labelled:
        """All gestures; raises `ArtifactError` where a file is missing or damaged."""
        root = root_of(self.path, self.facts)
        trials: list[Path] = []
        spans, labels, groups, parts = [], [], [], []
        for part, listed in ((0, "trials_to_train.txt"), (2, "trials_to_test.txt")):
            for name, user in _trials(file_below(root, listed, self.facts)):
                trial = file_below(root, name, self.facts)
                rows = _gestures(file_below(root, f"{trial.stem}_labels.csv", self.facts))
                trials += [trial] * len(rows)
                spans += [(begin, end) for _, begin, end in rows]
                labels += [label for label, _, _ in rows]
                groups += [user] * len(rows)
                parts += [part] * len(rows)
        recording = lru_cache(maxsize=256)(lambda path: Recording(path, SENSOR))

        def sample(k: int) -> Events:
            begin, end = spans[k]
            events = recording(trials[k]).between(begin, end)
            if not events.times.size:
                where = f"{begin:,} to {end:,} microseconds"
                raise damaged(trials[k], where, "no event", "some, since a gesture is there")
            channels = (events.polarity * SENSOR[0] + events.y) * SENSOR[1] + events.x
            times, duration = (events.times - begin) * 1e-6, (end - begin) * 1e-6
            return Events(times, channels, 2 * SENSOR[0] * SENSOR[1], duration)

        return Labelled(
            LazySamples(len(spans), sample),
            np.array(labels, dtype=np.int64),
            CLASSES,
            np.array(groups, dtype=np.int64),
            np.array(parts, dtype=np.int64),
        )


def _trials(path: Path) -> list[tuple[str, int]]:
    """Files that a list names, each with the number of its user."""
    trials: list[tuple[str, int]] = []
    for number, line in enumerate(text_of(path).splitlines(), start=1):
        if not line.strip():
            continue
        name = _TRIAL.fullmatch(line.strip())
        if name is None or len(trials) >= MOST_TRIALS:
            raise damaged(path, f"line {number}", repr(line[:60]), "userNN_LIGHT.aedat")
        trials.append((line.strip(), int(name[1])))
    return trials


def _gestures(path: Path) -> list[tuple[int, int, int]]:
    """Class, start and end in microseconds of the rows of a trial's labels."""
    rows = list(csv.reader(text_of(path).splitlines()))
    if not rows or [cell.strip() for cell in rows[0]] != _HEADER or len(rows) > MOST_GESTURES:
        raise damaged(path, "line 1", repr(",".join(rows[0] if rows else [])), ",".join(_HEADER))
    gestures = []
    for number, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        cells = [int(cell) if cell.strip().isdecimal() and len(cell) < 19 else -1 for cell in row]
        if len(cells) != 3 or not 1 <= cells[0] <= len(CLASSES) or not 0 <= cells[1] < cells[2]:
            allowed = f"class 1..{len(CLASSES)}, start < end in microseconds"
            raise damaged(path, f"line {number}", repr(",".join(row)[:60]), allowed)
        gestures.append((cells[0] - 1, cells[1], cells[2]))
    return gestures
