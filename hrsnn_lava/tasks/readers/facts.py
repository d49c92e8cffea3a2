"""What is known of a public data set: its files, where they are from, how many samples they hold.

The facts stand in the class of the set's reader, as ``facts``, and nowhere else: `hrsnn-lava data`
shows them, messages about missing files quote them, and `check` compares files with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from hrsnn_lava import registry
from hrsnn_lava.errors import ArtifactError, Problem
from hrsnn_lava.progress import Progress, silent
from hrsnn_lava.tasks.readers.base import PARTS, Events, Labelled

__all__ = ["Checked", "DataSet", "PublicReader", "SetFile", "check", "public_readers"]

#: Key of `DataSet.samples` for a set that has no split of its own.
ALL = "all"


@dataclass(frozen=True)
class SetFile:
    """A file of a set, or several.

    Attributes:
        name: below the task's ``path``; ``*`` stands for names that differ.
        what: it holds.
        optional: whether the set can be read without it.
    """

    name: str
    what: str
    optional: bool = False


@dataclass(frozen=True)
class DataSet:
    """A public data set.

    Attributes:
        title: in words.
        home: page of its authors.
        licence: as they state it.
        cite: whom to cite.
        files: how they must lie below ``path``.
        classes: how many there are.
        samples: by part of the set's own split, ``all`` where there is none. Empty where the number
            is not exact.
        note: what else one has to know.
        needs: extra of this package that reads it; empty: none.
    """

    title: str
    home: str
    licence: str
    cite: str
    files: tuple[SetFile, ...]
    classes: int
    samples: Mapping[str, int] = field(default_factory=dict)
    note: str = ""
    needs: str = ""

    def lacking(self, path: str | Path, name: str, fix: str = "") -> ArtifactError:
        """The error of a file that is not there: how they must lie, and where to get them."""
        lie = "; ".join(f.name for f in self.files if not f.optional)
        got = fix or f"{self.title} is at {self.home}"
        return ArtifactError(
            f"{path}: {name} is not there",
            problems=[Problem(str(path), "no such file", f"a folder with {lie}", got)],
        )


class PublicReader(Protocol):
    """A reader of a public set."""

    name: ClassVar[str]
    facts: ClassVar[DataSet]
    path: str

    def read(self) -> Labelled:
        """See `hrsnn_lava.tasks.readers.base.Reader`."""


def public_readers() -> dict[str, Any]:
    """Classes of the readers of public sets, by name."""
    classes = {name: registry.load("reader", name) for name in registry.names("reader")}
    return {name: cls for name, cls in classes.items() if isinstance(_facts(cls), DataSet)}


def _facts(cls: Any) -> Any:
    return getattr(cls, "facts", None)


@dataclass(frozen=True)
class Checked:
    """What the files of a set hold.

    Attributes:
        samples: by part, ``all`` where the set has no split of its own.
        classes: how many occur.
        channels: of every sample.
        frames, events: in all samples; the other one is 0.
        longest: the longest sample, in frames or in seconds.
        groups: how many there are; None: the set has none.
    """

    samples: Mapping[str, int]
    classes: int
    channels: int
    frames: int
    events: int
    longest: float
    groups: int | None


def check(reader: PublicReader, progress: Progress = silent) -> Checked:
    """Read every sample of a set, and compare what there is with what there should be.

    Raises:
        ArtifactError: the first fault: a file that is missing or damaged, a sample that is not
            valid, or a number of samples or classes that is not the set's.
    """
    progress(f"{reader.name}: which samples there are")
    labelled = reader.read()
    facts, counts = reader.facts, _counts(labelled)
    text = f"{reader.path}: not all of {facts.title}"
    for part, expected in facts.samples.items():
        count = counts.get(part, 0) if part != ALL else len(labelled)
        if count != expected:
            problem = Problem(f"{reader.name}, samples, {part}", f"{count:,}", f"{expected:,}")
            raise ArtifactError(text, problems=[problem])
    classes = int(np.unique(labelled.labels).size)
    if classes != facts.classes:
        problem = Problem(f"{reader.name}, classes", f"{classes}", f"{facts.classes}")
        raise ArtifactError(text, problems=[problem])
    channels, frames, events, longest = 0, 0, 0, 0.0
    for k in range(len(labelled)):
        progress(f"{reader.name}: {len(labelled):,} samples", k / len(labelled))
        sample = labelled.sample(k)
        if isinstance(sample, Events):
            width, events = sample.n_channels, events + sample.times.size
            longest = max(longest, sample.duration)
        else:
            width, frames = sample.shape[1], frames + len(sample)
            longest = max(longest, float(len(sample)))
        channels = channels or width
        if width != channels:
            problem = Problem(f"sample {k}, channels", f"{width}", f"{channels}, as of sample 0")
            raise ArtifactError(text, problems=[problem])
    groups = None if labelled.groups is None else int(np.unique(labelled.groups).size)
    return Checked(counts, classes, channels, frames, events, longest, groups)


def _counts(labelled: Labelled) -> dict[str, int]:
    if labelled.parts is None:
        return {ALL: len(labelled)}
    counts = np.bincount(labelled.parts, minlength=len(PARTS)).tolist()
    return {part: count for part, count in zip(PARTS, counts, strict=True) if count}


def reader_of(name: str, path: str | Path) -> PublicReader:
    """The reader of a public set; raises `SpecError` for a name that is none."""
    known = public_readers()
    if name not in known:
        raise registry.unknown("data set", name, tuple(known))
    made: PublicReader = known[name](path=str(path))
    return made
