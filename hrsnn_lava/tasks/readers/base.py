"""What readers give: labelled samples. Parts of the kind ``reader``, a file of this folder each.

A reader is an options class with `name` and `path`; ``[task] kind = "npz"`` takes any of them by
its name, or as a table with its options: ``reader = { kind = "NAME", skip = 1 }``. What it reads is
checked by `Labelled` itself, so a damaged file is a message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hrsnn_lava import registry
from hrsnn_lava.errors import ArtifactError, Problem, raise_if
from hrsnn_lava.options import Part, table_of

__all__ = ["Labelled", "Reader", "ReaderOption"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Labelled:
    """Samples of classes.

    Attributes:
        frames: (n_samples, n_frames, n_channels), values that are shown one frame after the other.
        labels: (n_samples,) index of the class of each.
        classes: names.

    Raises:
        ArtifactError: shapes disagree, a value is not finite, or a label has no class.
    """

    frames: Floats
    labels: NDArray[np.int64]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        problems = []
        if self.frames.ndim != 3 or not self.frames.size:
            allowed = "(samples, frames, channels), none of them 0"
            problems.append(Problem("frames", f"shape {self.frames.shape}", allowed))
        elif not np.isfinite(self.frames).all():
            problems.append(Problem("frames", "values that are not finite", "finite values"))
        if self.labels.shape != self.frames.shape[:1]:
            allowed = f"({len(self.frames)},), one for each sample"
            problems.append(Problem("labels", f"shape {self.labels.shape}", allowed))
        elif self.labels.size and not 0 <= self.labels.min() <= self.labels.max() < len(
            self.classes
        ):
            extent = f"{self.labels.min()}..{self.labels.max()}"
            problems.append(Problem("labels", extent, f"0..{len(self.classes) - 1}"))
        raise_if(ArtifactError, "the labelled samples are not valid", problems)


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
