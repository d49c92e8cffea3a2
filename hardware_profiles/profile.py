"""Hardware profiles: what fits on a core and on a chip, with a source for every number."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.hardware_profiles.strict import Document, Sourced, Strict


class Limit(Sourced):
    """One count; `value` None: not published, hence not checked."""

    value: int | None = None

    def known(self) -> bool:
        return self.value is not None

    def problems(self, where: str) -> Iterator[Problem]:
        yield from super().problems(where)
        if self.value is not None and self.value < 0:
            yield Problem(where, str(self.value), ">= 0")


class Range(Sourced):
    """A closed range of integers; both ends or neither."""

    low: int | None = None
    high: int | None = None

    def known(self) -> bool:
        return self.low is not None and self.high is not None

    def problems(self, where: str) -> Iterator[Problem]:
        yield from super().problems(where)
        if (self.low is None) != (self.high is None):
            yield Problem(where, "one end only", "low and high, or neither")
        elif self.low is not None and self.high is not None and self.low > self.high:
            yield Problem(where, f"{self.low}..{self.high}", "low <= high")


class Choices(Sourced):
    """The values a field can take, rising."""

    values: tuple[int, ...]

    def known(self) -> bool:
        return bool(self.values)

    def problems(self, where: str) -> Iterator[Problem]:
        yield from super().problems(where)
        if list(self.values) != sorted(set(self.values)) or any(v < 0 for v in self.values):
            yield Problem(where, str(list(self.values)), "rising values >= 0")


class Flag(Sourced):
    """Whether the chip can do something."""

    value: bool | None = None

    def known(self) -> bool:
        return self.value is not None


class Chip(Strict):
    """Cores and where they are. A tile holds `cores_per_tile` cores behind one router."""

    cores: Limit
    chips: Limit
    mesh_width: Limit
    mesh_height: Limit
    cores_per_tile: Limit

    def problems(self, where: str) -> Iterator[Problem]:
        yield from super().problems(where)
        for name in type(self).model_fields:
            if getattr(self, name).value == 0:
                yield Problem(f"{where}.{name}", "0", ">= 1")
        mesh = (self.mesh_width.value, self.mesh_height.value, self.cores_per_tile.value)
        if any(v is None for v in mesh) != all(v is None for v in mesh):
            yield Problem(where, "a mesh that is half given", "all three numbers of it, or none")
        elif None not in mesh and self.cores.value is not None:
            width, height, per_tile = (v or 0 for v in mesh)
            if width * height * per_tile < self.cores.value:
                yield Problem(
                    f"{where}.cores",
                    f"{self.cores.value} cores on {width} x {height} tiles of {per_tile}",
                    f"<= {width * height * per_tile}",
                )


class Core(Strict):
    """What one core holds.

    Attributes:
        trace_profiles: settings (impulse, tau) of the presynaptic traces of its learning synapses.
        learning_epochs: lengths of the learning epoch. Both may be left out of a file, like a
            limit that is not published.
    """

    neurons: Limit
    in_axons: Limit
    out_axons: Limit
    synapses: Limit
    compartment_profiles: Limit
    threshold_profiles: Limit
    synapse_formats: Limit
    trace_profiles: Limit | None = None
    learning_epochs: Limit | None = None

    def problems(self, where: str) -> Iterator[Problem]:
        yield from super().problems(where)
        for name in type(self).model_fields:
            limit: Limit | None = getattr(self, name)
            if limit is not None and limit.value == 0:
                yield Problem(f"{where}.{name}", "0", ">= 1, or not given")


class SynapseMemory(Strict):
    """Size and encoding of a core's synapse memory.

    A list of n synapses of one format takes, per group of at most `group_size`,
    ``ceil(n (weight + delay + tag + index bits) + header_bits)`` to whole words.
    """

    words: Limit
    word_bits: Limit
    group_size: Limit
    header_bits: Limit
    weight_bits: Choices
    index_bits: Choices
    delay_bits: Range

    def problems(self, where: str) -> Iterator[Problem]:
        yield from super().problems(where)
        for name in ("words", "word_bits", "header_bits"):
            value = getattr(self, name).value
            if value is None or (value == 0 and name != "header_bits"):
                yield Problem(f"{where}.{name}", str(value), "a number, the encoding needs it")
        if self.group_size.value == 0:
            yield Problem(f"{where}.group_size", "0", ">= 1, or not given: no groups")


class Fields(Strict):
    """Ranges of the integer fields of a neuron and a synapse."""

    du: Range
    dv: Range
    vth: Range
    bias_mant: Range
    bias_exp: Range
    refractory: Range
    delay: Range
    weight_exp: Range
    weight_bits: Range
    message_bits: Range


class Features(Strict):
    """What the chip can do at all."""

    learning: Flag


class HardwareProfile(Document):
    """A chip as the compiler sees it. Counts are plain numbers, fields are integers as stored.

    Attributes:
        cost_sets: names of the cost sets that describe this very chip; any other is a proxy.
        chip, core, synapse_memory, fields, features: the limits; see their classes.
        alternatives: other published values of a number above, in words.
    """

    cost_sets: tuple[str, ...]
    alternatives: tuple[str, ...] = ()
    chip: Chip
    core: Core
    synapse_memory: SynapseMemory | None = None
    fields: Fields
    features: Features

    @classmethod
    def folder(cls) -> Path:
        return Path(__file__).resolve().parent

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
        limit = self.core.trace_profiles
        return None if limit is None else limit.value

    @property
    def learning_epochs(self) -> int | None:
        """Lengths of the learning epoch that a core holds; None when not published."""
        limit = self.core.learning_epochs
        return None if limit is None else limit.value

    @property
    def has_mesh(self) -> bool:
        """True when the arrangement of the tiles is given, so that hops can be counted."""
        return self.chip.mesh_width.value is not None

    def to_dict(self) -> dict[str, Any]:
        """Plain data; a limit that the file leaves out is left out, and the digest stays."""
        data = super().to_dict()
        data["core"] = {name: limit for name, limit in data["core"].items() if limit is not None}
        return data

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
        if self.chip.chips.value is None:
            yield Problem("chip.chips", "no number", ">= 1")
        memory, fields = self.synapse_memory, self.fields
        if memory is None:
            return
        neurons, index = self.core.neurons.value, memory.index_bits.values
        if index and index[-1] > 0 and neurons is not None and 2 ** index[-1] < neurons:
            yield Problem(
                "synapse_memory.index_bits",
                f"at most {index[-1]} bits for {neurons} neurons a core",
                f">= {(neurons - 1).bit_length()} bits",
            )
        stored, weight = memory.weight_bits.values, fields.weight_bits.high
        if stored and weight is not None and stored[-1] < weight:
            yield Problem(
                "synapse_memory.weight_bits",
                f"at most {stored[-1]} bits stored, weights of {weight} allowed",
                f">= {weight} bits",
            )
        delay, bits = fields.delay.high, memory.delay_bits.high
        if delay is not None and bits is not None and delay >= 2**bits:
            yield Problem(
                "fields.delay",
                f"up to {delay} steps in at most {bits} bits",
                f"<= {2**bits - 1} steps",
            )
