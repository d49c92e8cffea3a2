"""Spiking Heidelberg Digits."""

from __future__ import annotations

from typing import ClassVar

from hrsnn_lava.options import options
from hrsnn_lava.tasks.readers._spiking_speech import read_parts
from hrsnn_lava.tasks.readers.base import Labelled
from hrsnn_lava.tasks.readers.facts import DataSet, SetFile


@options
class ShdRecordings:
    """Spoken digits, English and German, as spikes of 700 channels of a cochlea model.

    A recording ends with its last spike. Groups are speakers.

    Attributes:
        path: folder of the files, see `hrsnn-lava data shd`.
    """

    name: ClassVar[str] = "shd"
    facts: ClassVar[DataSet] = DataSet(
        "Spiking Heidelberg Digits",
        "zenkelab.org/resources/spiking-heidelberg-datasets-shd",
        "CC BY 4.0",
        "Cramer, Stradmann, Schemmel and Zenke 2022",
        (
            SetFile("shd_train.h5", "recordings that train, unpacked from shd_train.h5.gz"),
            SetFile("shd_test.h5", "recordings that test, two speakers that train none among them"),
        ),
        20,
        {"train": 8156, "test": 2264},
        note="times are float16 seconds: at 1 s they are half a millisecond apart, so steps below "
        "1 ms resolve nothing more",
    )
    path: str = ""

    def read(self) -> Labelled:
        """All recordings; raises `ArtifactError` where a file is missing or damaged."""
        return read_parts(self.path, {0: "shd_train.h5", 2: "shd_test.h5"}, self.facts)
