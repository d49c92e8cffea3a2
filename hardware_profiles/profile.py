"""Hardware profiles: what fits on a core and on a chip, with a source for every number.

Tables and numbers that older files do not know are optional: left out, they are not checked. A
table checks its own numbers; what two tables have to agree on is a function each, at the end.
"""

from __future__ import annotations

import contextlib
import operator
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.hardware_profiles.documents import Document, Sourced, Strict
from hrsnn_lava.notebook import brief

#: Source of what a user changes in a profile.
_SET = "set by the user"
#: Tables whose optional numbers are left out of the plain data when a file leaves them out.
_GROWING = ("chip", "core", "features")


class Limit(Sourced):
    """One count; `value` None: not published, hence not checked."""

    value: int | None = None

    def problems(self, where: str) -> Iterator[Problem]:
        yield from super().problems(where)
        if self.value is not None and self.value < 0:
            yield Problem(where, str(self.value), ">= 0")


class Range(Sourced):
    """A closed range of integers; both ends or neither."""

    FIGURES: ClassVar[tuple[str, ...]] = ("low", "high")
    low: int | None = None
    high: int | None = None

    def problems(self, where: str) -> Iterator[Problem]:
        yield from super().problems(where)
        if (self.low is None) != (self.high is None):
            yield Problem(where, "one end only", "low and high, or neither")
        elif self.low is not None and self.high is not None and self.low > self.high:
            yield Problem(where, f"{self.low}..{self.high}", "low <= high")


class Choices(Sourced):
    """The values a field can take, rising."""

    FIGURES: ClassVar[tuple[str, ...]] = ("values",)
    values: tuple[int, ...]

    def problems(self, where: str) -> Iterator[Problem]:
        yield from super().problems(where)
        if list(self.values) != sorted(set(self.values)) or any(v < 0 for v in self.values):
            yield Problem(where, str(list(self.values)), "rising values >= 0")


class Flag(Sourced):
    """Whether the chip can do something."""

    value: bool | None = None


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
        input_targets: neurons that such channels can have synapses onto.
    """

    cores: Limit
    chips: Limit
    mesh_width: Limit
    mesh_height: Limit
    cores_per_tile: Limit
    inputs: Limit | None = None
    input_targets: Limit | None = None

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
        fan_out: synapses that it sends to; those of input channels are not meant.
        destinations: cores that it can send to.
        weight_values: distinct weights among the synapses onto it.
        delays: distinct delays among the synapses that it, or an input channel, sends to.
    """

    fan_in: Limit | None = None
    fan_out: Limit | None = None
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
        recurrence: populations may send to themselves, directly or through others.
        subtractive_reset: a spike may take the threshold off the potential, at once or in the next
            step, in place of setting it to 0.
    """

    learning: Flag
    programmable_learning: Flag | None = None
    parallel_synapses: Flag | None = None
    mixed_signs: Flag | None = None
    recurrence: Flag | None = None
    subtractive_reset: Flag | None = None

    def problems(self, where: str) -> Iterator[Problem]:
        yield from super().problems(where)
        rules = self.programmable_learning
        if self.learning.value is False and rules is not None and rules.value:
            yield Problem(
                f"{where}.programmable_learning",
                "yes, on a chip that does not learn",
                "no, or features.learning yes",
            )


@brief("name", "title", "cores=chip.cores.value", "cost_sets")
class HardwareProfile(Document):
    """A chip as the compiler sees it. Counts are plain numbers, fields are integers as stored.

    Attributes:
        cost_sets: names of the cost sets that describe this very chip; any other is a proxy.
        chip, core, neuron, synapse_memory, fields, features: the limits; see their classes.
        alternatives: other published values of a number above, in words.
    """

    KIND: ClassVar[str] = "chip"
    NOUN: ClassVar[str] = "hardware profile"
    cost_sets: tuple[str, ...]
    alternatives: tuple[str, ...] = ()
    chip: Chip
    core: Core
    neuron: Neuron | None = None
    synapse_memory: SynapseMemory | None = None
    fields: Fields
    features: Features

    def limit(self, path: str) -> int | None:
        """The value of a limit such as ``"neuron.fan_in"``; None where it is not given."""
        entry: Any = self
        for name in path.split("."):
            entry = getattr(entry, name)
            if entry is None:
                return None
        value: int | None = entry.value
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
            data[table] = _present(data[table])
        neuron = _present(data.pop("neuron") or {})
        return {**data, "neuron": neuron} if neuron else data

    def with_chips(self, n_chips: int) -> HardwareProfile:
        """The same profile with another number of chips, side by side along x.

        Raises:
            SpecError: no whole number above 0.
        """
        try:
            count = 0 if isinstance(n_chips, bool) else operator.index(n_chips)
        except TypeError:
            count = 0
        if count < 1:
            raise SpecError(f"number of chips: {n_chips!r:.40}; allowed: a whole number >= 1")
        chips = self.chip.chips.model_copy(
            update={"value": count, "source": _SET, "evidence": "chosen"}
        )
        return self.model_copy(update={"chip": self.chip.model_copy(update={"chips": chips})})

    def with_cores(self, n_cores: int) -> HardwareProfile:
        """The same profile with fewer cores a chip, such as those that are free.

        Raises:
            SpecError: no whole number above 0, or more than the chip has.
        """
        count = 0
        if not isinstance(n_cores, bool):
            with contextlib.suppress(TypeError):
                count = operator.index(n_cores)
        there = self.chip.cores.value
        if count < 1 or (there is not None and count > there):
            allowed = ">= 1" if there is None else f"1 to {there}"
            raise SpecError(f"number of cores: {n_cores!r:.40}; allowed: a whole number, {allowed}")
        cores = self.chip.cores.model_copy(
            update={"value": count, "source": _SET, "evidence": "chosen"}
        )
        return self.model_copy(update={"chip": self.chip.model_copy(update={"cores": cores})})

    def making_room(self, n_cores: int) -> str:
        """What a user can do to have so many cores, in words: take more of the chip, or chips."""
        if self.chip.cores.source == _SET:
            return f"allow {n_cores} cores"
        return f"use {-(-n_cores // (self.chip.cores.value or 1))} chips"

    def problems(self, where: str) -> Iterator[Problem]:
        yield from super().problems(where)
        for find in CONTRADICTIONS:
            yield from find(self)


def _present(table: dict[str, Any]) -> dict[str, Any]:
    return {name: number for name, number in table.items() if number is not None}


def chips_without_number(profile: HardwareProfile) -> Iterator[Problem]:
    """The number of chips is given: it is the user's choice, not a published limit."""
    if profile.chip.chips.value is None:
        yield Problem("chip.chips", "no number", ">= 1")


def cost_sets_named_twice(profile: HardwareProfile) -> Iterator[Problem]:
    """A cost set is listed once."""
    for name, count in Counter(profile.cost_sets).items():
        if count > 1:
            yield Problem("cost_sets", f"{name!r} {count} times", "once")


def index_bits_too_few(profile: HardwareProfile) -> Iterator[Problem]:
    """A stored index reaches every neuron of a core."""
    if (memory := profile.synapse_memory) is None:
        return
    neurons, index = profile.core.neurons.value, memory.index_bits.values
    if index and index[-1] > 0 and neurons is not None and 2 ** index[-1] < neurons:
        yield Problem(
            "synapse_memory.index_bits",
            f"at most {index[-1]} bits for {neurons} neurons a core",
            f">= {(neurons - 1).bit_length()} bits",
        )


def weight_bits_too_few(profile: HardwareProfile) -> Iterator[Problem]:
    """A weight has at least one bit, and the memory can store the widest one."""
    allowed, memory = profile.fields.weight_bits, profile.synapse_memory
    if allowed.low is not None and allowed.low < 1:
        yield Problem("fields.weight_bits", f"{allowed.low} bits allowed", ">= 1 bit")
    widths = () if memory is None else memory.weight_bits.values
    if widths and allowed.high is not None and widths[-1] < allowed.high:
        yield Problem(
            "synapse_memory.weight_bits",
            f"at most {widths[-1]} bits stored, weights of {allowed.high} allowed",
            f">= {allowed.high} bits",
        )


def delay_bits_too_few(profile: HardwareProfile) -> Iterator[Problem]:
    """The memory can store the longest delay, and no delay is negative."""
    allowed, memory = profile.fields.delay, profile.synapse_memory
    if allowed.low is not None and allowed.low < 0:
        yield Problem("fields.delay", f"from {allowed.low} steps", ">= 0 steps")
    bits = None if memory is None else memory.delay_bits.high
    longest = None if bits is None else 2**bits - 1
    measured = f"up to {allowed.high} steps in at most {bits} bits"
    yield from _above("fields.delay", allowed.high, longest, measured, " steps")


def synapses_above_memory(profile: HardwareProfile) -> Iterator[Problem]:
    """A core has no more synapses than its memory has bits: a synapse takes one at least."""
    memory, synapses = profile.synapse_memory, profile.core.synapses.value
    bits = (memory.words.value or 0) * (memory.word_bits.value or 0) if memory else 0
    measured = f"{synapses} in {bits} bits of memory"
    yield from _above("core.synapses", synapses, bits or None, measured)


def fan_in_above_core(profile: HardwareProfile) -> Iterator[Problem]:
    """A neuron has no more synapses than its core, nor, where each is alone, than its axons."""
    fan_in, synapses = profile.limit("neuron.fan_in"), profile.core.synapses.value
    measured = f"{fan_in} synapses onto a neuron, {synapses} on a core"
    yield from _above("neuron.fan_in", fan_in, synapses, measured)
    axons = profile.core.in_axons.value
    if profile.lacks("parallel_synapses") and axons:
        measured = f"{fan_in} synapses from {axons} axons, each with one"
        yield from _above("neuron.fan_in", fan_in, axons, measured)


def synapses_above_crossbar(profile: HardwareProfile) -> Iterator[Problem]:
    """Where a source has one synapse onto a neuron, a core has at most axons times neurons."""
    core = profile.core
    axons, neurons, synapses = core.in_axons.value, core.neurons.value, core.synapses.value
    if profile.lacks("parallel_synapses") and axons is not None and neurons is not None:
        crossbar = axons * neurons
        measured = f"{synapses} on a crossbar of {crossbar}"
        yield from _above("core.synapses", synapses, crossbar, measured)


def destinations_above_cores(profile: HardwareProfile) -> Iterator[Problem]:
    """A neuron sends to no more cores than there are."""
    limit, cores = profile.limit("neuron.destinations"), profile.total_cores
    yield from _above("neuron.destinations", limit, cores, f"{limit} of {cores} cores")


def _above(
    where: str, value: int | None, bound: int | None, measured: str, unit: str = ""
) -> Iterator[Problem]:
    """The problem of a value above a bound, where both are known."""
    if value is not None and bound is not None and value > bound:
        yield Problem(where, measured, f"<= {bound}{unit}")


CONTRADICTIONS: tuple[Callable[[HardwareProfile], Iterator[Problem]], ...] = (
    chips_without_number,
    cost_sets_named_twice,
    index_bits_too_few,
    weight_bits_too_few,
    delay_bits_too_few,
    synapses_above_memory,
    fan_in_above_core,
    synapses_above_crossbar,
    destinations_above_cores,
)
