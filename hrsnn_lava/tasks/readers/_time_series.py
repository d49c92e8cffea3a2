"""The text form of labelled time series that aeon and sktime read, ``.ts``.

Lines with ``#`` are remarks, those with ``@`` say what the file is, and after ``@data`` each line
is a sample: its channels parted by colons, the values of a channel by commas, and at the end the
class. Lengths may differ between samples, and not between the channels of one.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.tasks.readers._files import damaged, number_of, text_of

Floats = NDArray[np.float64]


def read_ts(
    path: Path, channels: int | None = None, known: Collection[str] = ()
) -> tuple[list[Floats], list[str]]:
    """Samples (n_values, n_channels) of a file, and the class of each as it stands there.

    Args:
        path: of the file.
        channels: that every sample must have; None: as many as the first.
        known: names of the classes; none for any.

    Raises:
        ArtifactError: a line is none of these, with its number.
    """
    samples: list[Floats] = []
    labels: list[str] = []
    inside = False
    for number, raw in enumerate(text_of(path).splitlines(), start=1):
        line, where = raw.strip(), f"line {number}"
        if not line or line.startswith("#"):
            continue
        if not inside:
            if not line.startswith("@"):
                raise damaged(path, where, repr(line[:40]), "a line with @, or @data")
            inside = line.lower() == "@data"
            continue
        *dimensions, label = line.split(":")
        if not dimensions or not label.strip():
            raise damaged(path, where, "no class", "channels, and the class behind a colon")
        channels = len(dimensions) if channels is None else channels
        if len(dimensions) != channels:
            raise damaged(path, where, f"{len(dimensions)} channels", f"{channels}")
        if known and label.strip() not in known:
            raise damaged(path, where, f"class {label[:20]!r}", ", ".join(sorted(known)))
        rows = [numbers(path, where, values.split(",")) for values in dimensions]
        if len({len(row) for row in rows}) != 1:
            lengths = ", ".join(str(len(row)) for row in rows)
            raise damaged(path, where, f"{lengths} values of the channels", "equal numbers")
        samples.append(np.array(rows).T)
        labels.append(label.strip())
    if not samples:
        raise damaged(path, "@data", "no sample", "one a line")
    return samples, labels


def numbers(path: Path, where: str, words: list[str]) -> list[float]:
    """Finite numbers; raises `ArtifactError` with the place of what is none."""
    try:
        values = [number_of(word) for word in words]
    except ValueError as error:
        raise damaged(path, where, str(error), "numbers") from None
    if not np.isfinite(values).all():
        raise damaged(path, where, "a number that is not finite", "finite numbers")
    return values
