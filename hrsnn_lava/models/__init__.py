"""Models by name: presets of a spec's ``[network]`` and ``[stdp]``, a TOML file each.

``[network] model = "lsm"`` puts the values of ``lsm.toml`` below the keys that stand in the spec
itself: those win. Every value of a file says where it is from, and none can be given without::

    [[values]]
    key = "network.neurons.excitatory.refractory"
    value = 0.003
    unit = "s"
    origin = "literature"
    source = "Maass, Natschläger and Markram 2002"
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeGuard

from pydantic import BaseModel, ConfigDict, ValidationError

from hrsnn_lava import registry
from hrsnn_lava.artifacts.files import decoded

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["DEFAULT", "Model", "ModelValue", "Origin", "under"]

#: The model of a spec that names none; its file states the defaults of the program.
DEFAULT = "hrsnn"
#: Where a value is from.
#:
#: stated: in the papers on HRSNN and LNP; literature: in another publication; reconstructed: from
#: the papers' wording or from memory, not checked against a copy; ours: no source says.
Origin = Literal["stated", "literature", "reconstructed", "ours"]
#: Keys of one table of which one alone has a meaning: one that is given drops the preset's others.
ALTERNATIVES = (("length", "mean_degree"), ("fan_in", "fan_out"))


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ModelValue(_Strict):
    """One value of a preset.

    Attributes:
        key: of a spec, with its table.
        value: as a spec has it.
        unit: of it; "" for names and lists of names.
        origin: see `Origin`.
        source: where exactly, or why.
    """

    key: str
    value: Any
    unit: str
    origin: Origin
    source: str


class Model(_Strict):
    """A preset; see the module.

    Attributes:
        format: 1.
        name: that of its file.
        title: one line.
        description: what it is, and what of its source has no place here.
        values: by key.
    """

    format: Literal[1]
    name: str
    title: str
    description: str
    values: tuple[ModelValue, ...]

    @classmethod
    def load(cls, name: str) -> Model:
        """The model of that name.

        Raises:
            SpecError: no such model, and the message lists those there are.
            PartError: its file is no TOML, or no model.
        """
        path = registry.path("model", name)
        try:
            text = decoded(path.read_bytes())
            model = cls.model_validate_json(_json(tomllib.loads(text)))
        except ValidationError as error:
            faults = [f"{_place(item['loc'])}: {item['msg']}" for item in error.errors()]
            raise registry.failure("model", name, "; ".join(faults)) from None
        except (OSError, RecursionError, ValueError) as error:
            raise registry.failure("model", name, f"cannot be read: {error}") from None
        if faults := list(model._faults(name)):
            raise registry.failure("model", name, "; ".join(faults))
        return model

    def _faults(self, name: str) -> Iterator[str]:
        """What a valid form does not show."""
        if self.name != name:
            yield f"name {self.name!r}; allowed: {name!r}, as of the file"
        keys = [entry.key for entry in self.values]
        for key in sorted({key for key in keys if keys.count(key) > 1}):
            yield f"{key}: given twice"
        for entry in self.values:
            head, _, rest = entry.key.partition(".")
            if head not in ("network", "stdp") or not all(rest.split(".")):
                yield f"key {entry.key!r}; allowed: one of [network] or [stdp]"
            if not entry.source.strip():
                yield f"{entry.key}: no source"
        for one in keys:
            for other in keys:
                if other.startswith(f"{one}."):
                    yield f"{other}: a key of {one}, which is given"

    def table(self, head: str) -> dict[str, Any]:
        """The values of ``[network]`` or ``[stdp]`` as that table."""
        table: dict[str, Any] = {}
        for entry in self.values:
            first, *between, last = entry.key.split(".")
            if first != head:
                continue
            inner = table
            for part in between:
                inner = inner.setdefault(part, {})
            inner[last] = entry.value
        return table


def under(preset: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The tables of a preset with the keys of one's own over them.

    Tables are merged key by key; a distribution is a value, and replaced as a whole.
    """
    merged = dict(preset)
    for group in ALTERNATIVES:
        if any(own.get(key) is not None for key in group):
            merged = {key: value for key, value in merged.items() if key not in group}
    for key, value in own.items():
        base = merged.get(key)
        merged[key] = under(base, value) if _is_table(base) and _is_table(value) else value
    return merged


def _is_table(value: Any) -> TypeGuard[Mapping[str, Any]]:
    """Whether a value is a table of keys, and no distribution."""
    return isinstance(value, Mapping) and "distribution" not in value


def _json(value: Any) -> str:
    return json.dumps(value, default=str)


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location)) or "file"
