"""UCF11, the YouTube actions."""

from __future__ import annotations

import re
from typing import ClassVar

import numpy as np

from hrsnn_lava.options import Count, options
from hrsnn_lava.tasks.readers._files import root_of
from hrsnn_lava.tasks.readers._video import Clip, frames_of
from hrsnn_lava.tasks.readers.base import Labelled, Sample
from hrsnn_lava.tasks.readers.facts import DataSet, SetFile
from hrsnn_lava.tasks.readers.lazy import LazySamples

CLASSES = (
    "basketball",
    "biking",
    "diving",
    "golf_swing",
    "horse_riding",
    "soccer_juggling",
    "swing",
    "tennis_swing",
    "trampoline_jumping",
    "volleyball_spiking",
    "walking",
)
_CLIP = re.compile(r"v_\w+?_(\d\d)_\d\d\.(?:mpg|avi)")


@options
class Ucf11Clips:
    """Eleven actions, 25 groups of clips of each: clips of a group are of one scene.

    It has no split of its own; a split keeps groups together, as the authors ask for.

    Attributes:
        path: folder with a folder for every action; see `hrsnn-lava data ucf11`.
        size: height and width of a frame after averaging pixels.
        stride: frames from one that is shown to the next.
    """

    name: ClassVar[str] = "ucf11"
    facts: ClassVar[DataSet] = DataSet(
        "UCF11 (YouTube actions)",
        "www.crcv.ucf.edu/data/UCF_YouTube_Action.php",
        "none stated; the authors ask to cite their paper",
        "Liu, Luo and Shah 2009",
        (
            SetFile(
                "ACTION/v_*_GG/v_*_GG_NN.mpg",
                "clips; GG is the group, 01 to 25. Actions: " + ", ".join(CLASSES),
            ),
        ),
        len(CLASSES),
        note="about 1,600 clips; path is the folder UCF11_updated_mpg",
        needs="data",
    )
    path: str = ""
    size: tuple[Count, Count] = (24, 32)
    stride: Count = 1

    def read(self) -> Labelled:
        """All clips; raises `ArtifactError` where a file is missing or damaged."""
        root = root_of(self.path, self.facts)
        clips: list[Clip] = []
        labels, groups = [], []
        for label, action in enumerate(CLASSES):
            before = len(clips)
            for file in sorted((root / action).rglob("v_*")):
                name = _CLIP.fullmatch(file.name)
                if name is not None and file.is_file():
                    clips.append(Clip(file))
                    labels.append(label)
                    groups.append(int(name[1]))
            if len(clips) == before:
                raise self.facts.lacking(root / f"{action}/v_*_GG/v_*_GG_NN.mpg")

        def sample(k: int) -> Sample:
            return frames_of(clips[k], self.size, self.stride)

        return Labelled(
            LazySamples(len(clips), sample),
            np.array(labels, dtype=np.int64),
            CLASSES,
            np.array(groups, dtype=np.int64),
        )
