"""What readers give: labelled samples. Parts of the kind ``reader``, a file of this folder each.

A reader is an options class with `name` and `path`; ``[task] kind = "npz"`` takes any of them by
its name, or as a table with its options: ``reader = { kind = "NAME", skip = 1 }``. What it reads is
checked by `Labelled` itself, so a damaged file is a message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hrsnn_lava import registry
from hrsnn_lava.errors import ArtifactError, Problem, raise_if
from hrsnn_lava.options import Part, table_of

__all__ = ["PARTS", "Events", "Labelled", "Reader", "ReaderOption", "Sample"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


#: Codes of `Labelled.parts`.
PARTS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Events:
    """One sample as a sensor or an ear model sent it: spikes of channels.

    Attributes:
        times: (n_events,) seconds from the start of the sample, 0 to `duration`.
        channels: (n_events,) int64, 0 to ``n_channels - 1``.
        n_channels: how many there are.
        duration: seconds.

    Raises:
        ArtifactError: lengths disagree, or a time, a channel or the duration is out of range.
    """

    times: Floats
    channels: Ints
    n_channels: int
    duration: float

    def __post_init__(self) -> None:
        problems, times, channels = [], self.times, self.channels
        if times.ndim != 1 or channels.shape != times.shape:
            measured = f"shapes {times.shape}, {channels.shape}"
            problems.append(Problem("times, channels", measured, "equal (n_events,)"))
        elif not 0 <= self.duration < np.inf:
            problems.append(Problem("duration", f"{self.duration:g} s", "0 or more, finite"))
        elif times.size:
            if not (times.min() >= 0 and times.max() <= self.duration):  # not a number: no
                extent = f"{times.min():g}..{times.max():g} s"
                problems.append(Problem("times", extent, f"0..{self.duration:g} s"))
            if channels.min() < 0 or channels.max() >= self.n_channels:
                extent = f"{channels.min()}..{channels.max()}"
                problems.append(Problem("channels", extent, f"0..{self.n_channels - 1}"))
        raise_if(ArtifactError, "the events are not valid", problems)


#: A sample: (n_frames, n_channels) values that are shown one frame after the other, or events.
Sample: TypeAlias = "Floats | Events"


@dataclass(frozen=True, eq=False)
class Labelled:
    """Samples of classes.

    Attributes:
        samples: one after the other: frames (n_frames, n_channels), of which samples may have
            different numbers, or `Events`. An array (n_samples, n_frames, n_channels) will do, and
            so will any sequence that reads a sample when it is asked for.
        labels: (n_samples,) index of the class of each.
        classes: names.
        groups: (n_samples,) who or what a sample is of, such as the number of a subject: a split
            keeps a group together. None: each for itself.
        parts: (n_samples,) the set's own split, indices into `PARTS`; None where it has none.

    Raises:
        ArtifactError: shapes disagree, a value is not finite, or a label has no class.
    """

    samples: Sequence[Sample] | Floats
    labels: Ints
    classes: tuple[str, ...]
    groups: Ints | None = None
    parts: Ints | None = None

    def __post_init__(self) -> None:
        problems, count = [], len(self.samples)
        if isinstance(self.samples, np.ndarray):
            if self.samples.ndim != 3 or not self.samples.size:
                allowed = "(samples, frames, channels), none of them 0"
                problems.append(Problem("samples", f"shape {self.samples.shape}", allowed))
            elif not np.isfinite(self.samples).all():
                bad = np.flatnonzero(~np.isfinite(self.samples).all(axis=(1, 2)))
                measured = f"values that are not finite, first in sample {bad[0]}"
                problems.append(Problem("samples", measured, "finite values"))
        elif not count:
            problems.append(Problem("samples", "none", "one or more"))
        for name in ("labels", "groups", "parts"):
            values = getattr(self, name)
            if values is not None and values.shape != (count,):
                allowed = f"({count},), one for each sample"
                problems.append(Problem(name, f"shape {values.shape}", allowed))
        for name, values, limit in (
            ("labels", self.labels, len(self.classes)),
            ("parts", self.parts, len(PARTS)),
        ):
            if values is not None and values.size and not 0 <= values.min() <= values.max() < limit:
                extent = f"{values.min()}..{values.max()}"
                problems.append(Problem(name, extent, f"0..{limit - 1}"))
        raise_if(ArtifactError, "the labelled samples are not valid", problems)

    def __len__(self) -> int:
        return len(self.samples)

    def sample(self, k: int) -> Sample:
        """Sample k, checked.

        Raises:
            ArtifactError: its frames are none, not finite, or it has other channels than the first.
        """
        sample = self.samples[k]
        if isinstance(sample, Events):
            return sample
        frames = np.asarray(sample, dtype=np.float64)
        if frames.ndim != 2 or not frames.size:
            measured, allowed = f"shape {frames.shape}", "(frames, channels), neither of them 0"
        elif not np.isfinite(frames).all():
            measured, allowed = "values that are not finite", "finite values"
        else:
            return frames
        problem = Problem(f"sample {k}", measured, allowed)
        raise ArtifactError("the labelled samples are not valid", problems=[problem])


class Reader(Protocol):
    """What reads samples from a file.

    Attributes:
        name: of the part.
        path: of the file; empty where the data travel with the package.
    """

    name: ClassVar[str]
    path: str

    def read(self) -> Labelled:
        """All samples; raises `ArtifactError` where the file is missing or damaged."""


@dataclass(frozen=True)
class _ReaderPart(Part):
    """A reader but for the path, which the task has beside it: its name, or a table.

    The value stays what it was in a spec, a name where the reader has no options.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """The schema of the field: a table is checked by the reader, the task's path with it."""
        from pydantic_core import core_schema

        return core_schema.with_info_before_validator_function(self._checked, handler(source))

    def _checked(self, value: Any, info: Any) -> str | dict[str, Any]:
        if not isinstance(value, str | Mapping):
            raise ValueError("a name or a table")
        table = {"kind": value} if isinstance(value, str) else dict(value)
        self._refuse_unknown(table)
        options = table_of(self.read(table | {"path": info.data.get("path", "")}))
        del options["path"]
        return options if len(options) > 1 else str(options["kind"])

    def _refuse_unknown(self, table: Mapping[str, Any]) -> None:
        """The path stands in the task, so it is none of the reader's keys here."""
        kind = table.get("kind")
        if kind not in registry.names(self.kind):
            return  # which `read` refuses
        known = [f.name for f in fields(registry.load(self.kind, kind)) if f.name != "path"]
        allowed = f"one of {', '.join(known)}" if known else f"none, {kind} has no options"
        unknown = [key for key in table if key not in ("kind", *known)]
        if unknown:
            allowed = f"{allowed}; the file is the task's path"
            raise self.refusal(Problem(key, "unknown key", allowed) for key in unknown)

    def reader(self, value: str | Mapping[str, Any], path: str) -> Reader:
        """The reader of a field's value, for a file."""
        table = {"kind": value} if isinstance(value, str) else dict(value)
        made: Reader = self.read(table | {"path": path})
        return made


READER = _ReaderPart("reader")
#: A field for a `Reader`, its name or its table; the task has a field `path` before it.
ReaderOption = Annotated[Any, READER, Field(validate_default=True)]
