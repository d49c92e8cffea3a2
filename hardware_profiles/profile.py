"""Hardware profiles: what fits on a core and on a chip, with a source for every number."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.hardware_profiles.contradictions import contradictions
from hrsnn_lava.hardware_profiles.strict import Document
from hrsnn_lava.hardware_profiles.tables import (
    Chip,
    Choices,
    Core,
    Features,
    Fields,
    Flag,
    Limit,
    Neuron,
    Range,
    SynapseMemory,
)

__all__ = ["Choices", "Flag", "HardwareProfile", "Limit", "Range", "SynapseMemory"]
#: Tables whose optional numbers are left out of the plain data when a file leaves them out.
_GROWING = ("chip", "core", "features")


class HardwareProfile(Document):
    """A chip as the compiler sees it. Counts are plain numbers, fields are integers as stored.

    Attributes:
        cost_sets: names of the cost sets that describe this very chip; any other is a proxy.
        chip, core, neuron, synapse_memory, fields, features: the limits; see their classes.
        alternatives: other published values of a number above, in words.
    """

    cost_sets: tuple[str, ...]
    alternatives: tuple[str, ...] = ()
    chip: Chip
    core: Core
    neuron: Neuron | None = None
    synapse_memory: SynapseMemory | None = None
    fields: Fields
    features: Features

    @classmethod
    def folder(cls) -> Path:
        return Path(__file__).resolve().parent

    def limit(self, path: str) -> int | None:
        """The value of a limit such as ``"neuron.fan_in"``; None where it is not given."""
        found: Any = self
        for name in path.split("."):
            found = getattr(found, name)
            if found is None:
                return None
        value: int | None = found.value
        return value

    def lacks(self, feature: str) -> bool:
        """True when the chip is known not to have a feature, see `Features`."""
        flag: Flag | None = getattr(self.features, feature)
        return flag is not None and flag.value is False

    @property
    def total_cores(self) -> int | None:
        """Cores of all chips together; None when not published."""
        if self.chip.cores.value is None:
            return None
        return self.chip.cores.value * (self.chip.chips.value or 1)

    @property
    def has_profile_tables(self) -> bool:
        """True when neurons of a core share a short table of time constants or thresholds."""
        tables = (self.core.compartment_profiles, self.core.threshold_profiles)
        return any(table.value is not None for table in tables)

    @property
    def trace_profiles(self) -> int | None:
        """Settings of presynaptic traces that a core holds; None when not published."""
        return self.limit("core.trace_profiles")

    @property
    def learning_epochs(self) -> int | None:
        """Lengths of the learning epoch that a core holds; None when not published."""
        return self.limit("core.learning_epochs")

    @property
    def has_mesh(self) -> bool:
        """True when the arrangement of the tiles is given, so that hops can be counted."""
        return self.chip.mesh_width.value is not None

    def to_dict(self) -> dict[str, Any]:
        """Plain data; a limit that the file leaves out is left out, and the digest stays."""
        data = super().to_dict()
        for table in _GROWING:
            data[table] = _given(data[table])
        neuron = _given(data.pop("neuron") or {})
        return {**data, "neuron": neuron} if neuron else data

    def with_chips(self, n_chips: int) -> HardwareProfile:
        """The same profile with another number of chips, side by side along x."""
        if n_chips < 1:
            raise SpecError(f"number of chips: {n_chips}; allowed: >= 1")
        chips = self.chip.chips.model_copy(
            update={"value": n_chips, "source": "set by the user", "evidence": "chosen"}
        )
        return self.model_copy(update={"chip": self.chip.model_copy(update={"chips": chips})})

    def problems(self, where: str) -> Iterator[Problem]:
        yield from super().problems(where)
        yield from contradictions(self)


def _given(table: dict[str, Any]) -> dict[str, Any]:
    return {name: number for name, number in table.items() if number is not None}
