"""CIFAR-100, the binary version."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from hrsnn_lava.options import Count, options
from hrsnn_lava.tasks.readers._cifar import ImageFile, Shape, images
from hrsnn_lava.tasks.readers._files import damaged, file_below, root_of, text_of
from hrsnn_lava.tasks.readers.base import Labelled
from hrsnn_lava.tasks.readers.facts import DataSet, SetFile

#: Classes and superclasses.
FINE, COARSE = 100, 20


@options
class Cifar100Images:
    """Colour images of 32 x 32 pixels in a hundred classes: one frame of 3072 values from 0 to 1.

    Channels are ``(colour * 32 + row) * 32 + column``, red first.

    Attributes:
        path: folder of the files, see `hrsnn-lava data cifar100`.
        coarse: the 20 superclasses instead of the 100 classes.
        grey: one channel a pixel, its luminance, ``.299 R + .587 G + .114 B``.
        pool: pixels that are averaged to one, in each direction; a divisor of 32.
    """

    name: ClassVar[str] = "cifar100"
    facts: ClassVar[DataSet] = DataSet(
        "CIFAR-100",
        "www.cs.toronto.edu/~kriz/cifar.html",
        "none stated; the authors ask to cite their report",
        "Krizhevsky 2009",
        (
            SetFile("train.bin", "50,000 images that train"),
            SetFile("test.bin", "10,000 images that test"),
            SetFile("fine_label_names.txt", "names of the classes, one a line", optional=True),
            SetFile("coarse_label_names.txt", "names of the superclasses", optional=True),
        ),
        FINE,
        {"train": 50000, "test": 10000},
        note="the binary version: unpack cifar-100-binary.tar.gz, path is its cifar-100-binary",
    )
    path: str = ""
    coarse: bool = False
    grey: bool = False
    pool: Count = 1

    def read(self) -> Labelled:
        """All images; raises `ArtifactError` where a file is missing or damaged."""
        root, column = root_of(self.path, self.facts), 0 if self.coarse else 1
        files = [
            ImageFile(file_below(root, name, self.facts), part, (COARSE, FINE), column)
            for part, name in ((0, "train.bin"), (2, "test.bin"))
        ]
        kind, count = ("coarse", COARSE) if self.coarse else ("fine", FINE)
        names = _names(root / f"{kind}_label_names.txt", count)
        return images(files, names, Shape(self.grey, self.pool))


def _names(path: Path, count: int) -> tuple[str, ...]:
    """Names of the classes; numbers where no file says them."""
    if not path.is_file():
        return tuple(str(k) for k in range(count))
    names = tuple(line.strip() for line in text_of(path).splitlines() if line.strip())
    if len(names) != count or len(set(names)) != count:
        raise damaged(path, "lines", f"{len(set(names))} different names", f"{count}")
    return names
