"""Spiking Speech Commands."""

from __future__ import annotations

from typing import ClassVar

from hrsnn_lava.options import options
from hrsnn_lava.tasks.readers._spiking_speech import read_parts
from hrsnn_lava.tasks.readers.base import Labelled
from hrsnn_lava.tasks.readers.facts import DataSet, SetFile


@options
class SscRecordings:
    """35 spoken words of many speakers, as spikes of 700 channels of a cochlea model.

    A recording ends with its last spike. Groups are speakers, where the files name them.

    Attributes:
        path: folder of the files, see `hrsnn-lava data ssc`.
    """

    name: ClassVar[str] = "ssc"
    facts: ClassVar[DataSet] = DataSet(
        "Spiking Speech Commands",
        "zenkelab.org/resources/spiking-heidelberg-datasets-shd",
        "CC BY 4.0",
        "Cramer, Stradmann, Schemmel and Zenke 2022",
        (
            SetFile("ssc_train.h5", "recordings that train, unpacked from ssc_train.h5.gz"),
            SetFile("ssc_valid.h5", "recordings for validation"),
            SetFile("ssc_test.h5", "recordings that test"),
        ),
        35,
        {"train": 75466, "validation": 9981, "test": 20382},
    )
    path: str = ""

    def read(self) -> Labelled:
        """All recordings; raises `ArtifactError` where a file is missing or damaged."""
        files = {0: "ssc_train.h5", 1: "ssc_valid.h5", 2: "ssc_test.h5"}
        return read_parts(self.path, files, self.facts)
