"""The tables of a hardware profile: kinds of numbers, and what belongs to chip, core and neuron.

Tables and numbers that older files do not know are optional: left out, they are not checked.
"""

from __future__ import annotations

from collections.abc import Iterator

from hrsnn_lava.errors import Problem
from hrsnn_lava.hardware_profiles.strict import Sourced, Strict


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


class Table(Strict):
    """A table whose optional numbers may be missing, but not be 0."""

    def problems(self, where: str) -> Iterator[Problem]:
        yield from super().problems(where)
        for name in type(self).model_fields:
            limit = getattr(self, name)
            if isinstance(limit, Limit) and limit.value == 0:
                yield Problem(f"{where}.{name}", "0", ">= 1, or not given")


class Chip(Table):
    """Cores and where they are. A tile holds `cores_per_tile` cores behind one router.

    Attributes:
        inputs: channels that spikes from outside can come in by.
    """

    cores: Limit
    chips: Limit
    mesh_width: Limit
    mesh_height: Limit
    cores_per_tile: Limit
    inputs: Limit | None = None

    def problems(self, where: str) -> Iterator[Problem]:
        yield from super().problems(where)
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


class Core(Table):
    """What one core holds.

    Attributes:
        axon_types: types of input axons; the synapses of a type onto a neuron share one weight.
        trace_profiles: settings (impulse, tau) of the presynaptic traces of its learning synapses.
        learning_epochs: lengths of the learning epoch.
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
    axon_types: Limit | None = None


class Neuron(Table):
    """What one neuron is bound to, wherever it is.

    Attributes:
        fan_in: synapses onto it.
        destinations: cores that it can send to.
        weight_values: distinct weights among the synapses onto it.
        delays: distinct delays among the synapses that it, or an input channel, sends to.
    """

    fan_in: Limit | None = None
    destinations: Limit | None = None
    weight_values: Limit | None = None
    delays: Limit | None = None


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
    """What the chip can do at all.

    Attributes:
        learning: synapses change on the chip.
        programmable_learning: by rules that are sums of products of traces.
        parallel_synapses: a source may have more than one synapse onto a neuron.
        mixed_signs: a source may have synapses of both signs.
    """

    learning: Flag
    programmable_learning: Flag | None = None
    parallel_synapses: Flag | None = None
    mixed_signs: Flag | None = None

    def problems(self, where: str) -> Iterator[Problem]:
        yield from super().problems(where)
        rules = self.programmable_learning
        if self.learning.value is False and rules is not None and rules.value:
            yield Problem(
                f"{where}.programmable_learning",
                "yes, on a chip that does not learn",
                "no, or features.learning yes",
            )
