"""Strict reading of the TOML files of this folder: every number with unit, source and evidence.

TOML has no null. A number that nobody has published is written without `value` and with
``evidence = "none"``; its `source` then says where one has looked.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from hrsnn_lava import registry
from hrsnn_lava.artifacts.files import decoded
from hrsnn_lava.errors import Problem, ProfileError, SpecError, raise_if
from hrsnn_lava.spelling import did_you_mean

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: How well a number is known, best first.
#:
#: measured: on silicon; simulated: in circuit simulation; published: stated by the maker;
#: code: read in software that programs the chip; observed: in a tool's log; derived: our
#: arithmetic on such numbers; unverified: widely repeated, no primary source seen;
#: chosen: ours; none: not published.
Evidence = Literal[
    "measured",
    "simulated",
    "published",
    "code",
    "observed",
    "derived",
    "unverified",
    "chosen",
    "none",
]
Model = TypeVar("Model", bound="Document")
Shape = TypeVar("Shape", bound="Strict")
MAX_FILE_BYTES = 1_000_000


class Strict(BaseModel):
    """No unknown keys, no conversions, no changes afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    def problems(self, where: str) -> Iterator[Problem]:
        """Contradictions inside this table and the tables below it."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            items = value if isinstance(value, tuple) else (value,)
            for index, item in enumerate(items):
                if isinstance(item, Strict):
                    suffix = f"[{index}]" if isinstance(value, tuple) else ""
                    yield from item.problems(f"{where}.{name}{suffix}" if where else name + suffix)


class Sourced(Strict):
    """What goes with every number: unit, source, and how good the evidence is.

    A class of such numbers says in ``FIGURES`` which of its fields hold them, and in ``UNIT`` which
    unit they have, where it is always the same.
    """

    FIGURES: ClassVar[tuple[str, ...]] = ("value",)
    UNIT: ClassVar[str] = ""
    unit: str
    source: str
    evidence: Evidence

    def known(self) -> bool:
        """True when a number is given."""
        return all(getattr(self, name) not in (None, ()) for name in self.FIGURES)

    def problems(self, where: str) -> Iterator[Problem]:
        """A number without evidence, or evidence without a number."""
        if self.known() and self.evidence == "none":
            yield Problem(where, "a number with evidence 'none'", "say where it is from")
        if not self.known() and self.evidence != "none":
            yield Problem(
                where,
                f"no number, but evidence {self.evidence!r}",
                "a number, or evidence 'none' for one that is not published",
            )
        if not self.source.strip() or not self.unit.strip():
            yield Problem(where, "empty source or unit", "both are needed")
        if self.UNIT and self.unit != self.UNIT:
            yield Problem(where, f"unit {self.unit!r}", self.UNIT)


class Document(Strict):
    """A whole file: a part of a kind, found by its name, or any file, by its path.

    ``KIND`` is its kind in `hrsnn_lava.registry`, so a file in a folder of ``HRSNN_LAVA_PARTS``
    is known by name as those are that come with the package; ``NOUN`` is what messages call it.
    """

    KIND: ClassVar[str]
    NOUN: ClassVar[str]
    format: Literal[1]
    name: str
    title: str
    description: str

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of all files that are known by name, sorted."""
        return registry.names(cls.KIND)

    @classmethod
    def load(cls: type[Model], name_or_path: str | Path) -> Model:
        """Read a file by its name, or any file by its path (ends in ``.toml``).

        Raises:
            SpecError: no such name or file.
            ProfileError: the file is no TOML, has unknown or missing keys, contradicts itself, or
                has another name than it states; `problems` lists everything found.
        """
        path = cls.path_of(name_or_path)
        document = cls.from_dict(cls.plain(path), origin=str(path))
        name = str(name_or_path)
        if document.name != name and not name.endswith(".toml"):
            raise ProfileError(f"{path}: name {document.name!r}; allowed: {name!r}, as of the file")
        return document

    @classmethod
    def plain(cls, path: Path) -> dict[str, Any]:
        """The plain data that a file stands for."""
        return cls.read(path)

    @classmethod
    def path_of(cls, name_or_path: str | Path) -> Path:
        """The file of a name or path; raises `SpecError` for a name that is not known."""
        text = str(name_or_path)
        if text.endswith(".toml"):
            return Path(text)
        if text not in cls.names():
            near = did_you_mean(text, cls.names())
            hint = f". {near[:1].upper()}{near[1:]}" if near else ""
            raise SpecError(f"no {cls.NOUN} {text!r}; there are: {', '.join(cls.names())}{hint}")
        return registry.path(cls.KIND, text)

    @classmethod
    def read(cls, path: Path) -> dict[str, Any]:
        """The plain data of a file; raises as `load` does."""
        try:
            # a pipe or a device has no size to check, and may never end
            if path.exists() and not path.is_file() and not path.is_dir():
                raise ProfileError(f"{path}: no regular file")
            if path.stat().st_size > MAX_FILE_BYTES:
                raise ProfileError(f"{path}: larger than {MAX_FILE_BYTES} bytes")
            return tomllib.loads(decoded(path.read_bytes()))
        except OSError as error:
            raise SpecError(f"cannot read {cls.NOUN} {path}: {error.strerror}") from error
        except RecursionError:
            raise ProfileError(f"{path}: its tables are nested too deeply") from None
        except ValueError as error:  # TOML, UTF-8 or a number of too many digits
            raise ProfileError(f"{path} is no valid TOML: {error}") from error

    @classmethod
    def from_dict(cls: type[Model], raw: dict[str, Any], *, origin: str = "document") -> Model:
        """Build from plain data, as `to_dict` writes it; raises `ProfileError`."""
        model = validated(cls, raw, f"{origin} is no {cls.NOUN}")
        problems = list(model.problems(""))
        raise_if(ProfileError, f"{cls.NOUN} {model.name!r} contradicts itself", problems)
        return model

    def to_dict(self) -> dict[str, Any]:
        """Plain data that JSON can hold; `from_dict` reads it."""
        data: dict[str, Any] = self.model_dump(mode="json")
        return data

    @property
    def digest(self) -> str:
        """SHA-256 of the content, in a form that no layout of the file changes."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def validated(cls: type[Shape], raw: dict[str, Any], message: str) -> Shape:
    """`raw` as a `cls`, without conversions; raises `ProfileError` with every fault found."""
    try:
        # JSON, since strict mode takes its arrays as tuples.
        return cls.model_validate_json(json.dumps(raw))
    except ValidationError as error:
        problems = [
            Problem(
                ".".join(map(str, item["loc"])),
                "missing" if item["type"] == "missing" else repr(item.get("input"))[:80],
                item["msg"],
            )
            for item in error.errors(include_url=False)
        ]
        raise ProfileError(message, problems=problems) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise ProfileError(f"{message}: {error}") from None


def unprintable(data: Any, where: str) -> Iterator[Problem]:
    """Texts with control characters, which would act on a terminal."""
    if isinstance(data, str):
        if any(not (c.isprintable() or c in "\n\t") for c in data):
            yield Problem(where, repr(data)[:80], "printable text")
    elif isinstance(data, dict):
        for key, item in data.items():
            yield from unprintable(key, f"{where}.{key!r}".lstrip("."))
            yield from unprintable(item, f"{where}.{key}".lstrip("."))
    elif isinstance(data, list):
        for index, item in enumerate(data):
            yield from unprintable(item, f"{where}[{index}]")
