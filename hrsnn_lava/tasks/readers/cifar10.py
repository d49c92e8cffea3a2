"""CIFAR-10, the binary version."""

from __future__ import annotations

from typing import ClassVar

from hrsnn_lava.options import Count, options
from hrsnn_lava.tasks.readers._cifar import ImageFile, Shape, images
from hrsnn_lava.tasks.readers._files import file_below, root_of
from hrsnn_lava.tasks.readers.base import Labelled
from hrsnn_lava.tasks.readers.facts import DataSet, SetFile

CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
_TRAIN = tuple(f"data_batch_{k}.bin" for k in range(1, 6))


@options
class Cifar10Images:
    """Colour images of 32 x 32 pixels in ten classes: one frame of 3072 values from 0 to 1.

    Channels are ``(colour * 32 + row) * 32 + column``, red first.

    Attributes:
        path: folder of the files, see `hrsnn-lava data cifar10`.
        grey: one channel a pixel, its luminance, ``.299 R + .587 G + .114 B``.
        pool: pixels that are averaged to one, in each direction; a divisor of 32.
    """

    name: ClassVar[str] = "cifar10"
    facts: ClassVar[DataSet] = DataSet(
        "CIFAR-10",
        "www.cs.toronto.edu/~kriz/cifar.html",
        "none stated; the authors ask to cite their report",
        "Krizhevsky 2009",
        (
            SetFile("data_batch_1.bin to data_batch_5.bin", "10,000 images each that train"),
            SetFile("test_batch.bin", "10,000 images that test"),
        ),
        10,
        {"train": 50000, "test": 10000},
        note="the binary version: unpack cifar-10-binary.tar.gz, path is its cifar-10-batches-bin",
    )
    path: str = ""
    grey: bool = False
    pool: Count = 1

    def read(self) -> Labelled:
        """All images; raises `ArtifactError` where a file is missing or damaged."""
        root = root_of(self.path, self.facts)
        files = [
            ImageFile(file_below(root, name, self.facts), part, (10,), 0)
            for part, name in (*((0, name) for name in _TRAIN), (2, "test_batch.bin"))
        ]
        return images(files, CLASSES, Shape(self.grey, self.pool))
