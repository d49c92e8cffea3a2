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

__all__ = [
    "Checked",
    "DataSet",
    "PublicReader",
    "SetFile",
    "check",
    "facts_of",
    "public_readers",
    "reader_of",
]

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
        also: numbers that are right as well, where files may be cut in two ways.
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
    also: Mapping[str, int] = field(default_factory=dict)
    note: str = ""
    needs: str = ""

    def lacking(self, path: str | Path, fix: str = "") -> ArtifactError:
        """The error of a file that is not there: how they must lie, and where to get them."""
        names = "; ".join(file.name for file in self.files if not file.optional)
        problem = Problem(
            str(path), "not there", f"below the path: {names}", fix or f"see {self.home}"
        )
        return ArtifactError(f"a file of {self.title} is missing", problems=[problem])

    @property
    def numbers(self) -> str:
        """How many samples there are, in words; empty where that is not fixed."""
        return " or ".join(_words(counts) for counts in (self.samples, self.also) if counts)

    def is_whole(self, counts: Mapping[str, int]) -> bool:
        """Whether numbers of samples by part are the set's; true where those are not fixed."""
        truths = [expected for expected in (self.samples, self.also) if expected]
        every = dict(counts) | {ALL: sum(counts.values())}
        return not truths or any(
            all(every.get(part, 0) == count for part, count in expected.items())
            for expected in truths
        )


def _words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {part}" for part, count in counts.items())


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
            valid; then a number of samples or classes that is not the set's.
    """
    progress(f"{reader.name}: which samples there are")
    labelled = reader.read()
    facts, counts = reader.facts, _counts(labelled)
    text = f"{reader.path}: not {facts.title} as it is published"
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
    if not facts.is_whole(counts):
        problem = Problem("samples", _words(counts), facts.numbers)
        raise ArtifactError(text, problems=[problem])
    classes = int(np.unique(labelled.labels).size)
    if classes != facts.classes:
        problem = Problem("classes", f"{classes}", f"{facts.classes}")
        raise ArtifactError(text, problems=[problem])
    groups = None if labelled.groups is None else int(np.unique(labelled.groups).size)
    return Checked(counts, classes, channels, frames, events, longest, groups)


def _counts(labelled: Labelled) -> dict[str, int]:
    if labelled.parts is None:
        return {ALL: len(labelled)}
    counts = np.bincount(labelled.parts, minlength=len(PARTS)).tolist()
    return {part: count for part, count in zip(PARTS, counts, strict=True) if count}


def facts_of(name: str) -> DataSet:
    """Facts of a set; raises `SpecError` for a name that is none."""
    facts: DataSet = _public(name).facts
    return facts


def reader_of(name: str, path: str | Path) -> PublicReader:
    """The reader of a set; raises `SpecError` for a name that is none."""
    made: PublicReader = _public(name)(path=str(path))
    return made


def _public(name: str) -> Any:
    known = public_readers()
    if name not in known:
        raise registry.unknown("data set", name, tuple(known))
    return known[name]
