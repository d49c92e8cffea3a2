"""What makes a profile contradict itself: one function each, all run when a file is read.

A table checks its own numbers (see `tables`); here are those that two tables have to agree on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from hrsnn_lava.errors import Problem

if TYPE_CHECKING:
    from hrsnn_lava.hardware_profiles.profile import HardwareProfile

Contradiction = Callable[["HardwareProfile"], Iterator[Problem]]


def contradictions(profile: HardwareProfile) -> Iterator[Problem]:
    """Everything that two tables of `profile` disagree on."""
    for find in CONTRADICTIONS:
        yield from find(profile)


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
    stored = () if memory is None else memory.weight_bits.values
    if stored and allowed.high is not None and stored[-1] < allowed.high:
        yield Problem(
            "synapse_memory.weight_bits",
            f"at most {stored[-1]} bits stored, weights of {allowed.high} allowed",
            f">= {allowed.high} bits",
        )


def delay_bits_too_few(profile: HardwareProfile) -> Iterator[Problem]:
    """The memory can store the longest delay, and no delay is negative."""
    allowed, memory = profile.fields.delay, profile.synapse_memory
    if allowed.low is not None and allowed.low < 0:
        yield Problem("fields.delay", f"from {allowed.low} steps", ">= 0 steps")
    bits = None if memory is None else memory.delay_bits.high
    if allowed.high is not None and bits is not None and allowed.high >= 2**bits:
        yield Problem(
            "fields.delay",
            f"up to {allowed.high} steps in at most {bits} bits",
            f"<= {2**bits - 1} steps",
        )


def synapses_above_memory(profile: HardwareProfile) -> Iterator[Problem]:
    """A core has no more synapses than its memory has bits: a synapse takes one at least."""
    memory, synapses = profile.synapse_memory, profile.core.synapses.value
    if memory is None or synapses is None:
        return
    bits = (memory.words.value or 0) * (memory.word_bits.value or 0)
    if bits and synapses > bits:
        yield Problem("core.synapses", f"{synapses} in {bits} bits of memory", f"<= {bits}")


def fan_in_above_core(profile: HardwareProfile) -> Iterator[Problem]:
    """A neuron has no more synapses than its core, nor, where each is alone, than its axons."""
    fan_in, core = profile.limit("neuron.fan_in"), profile.core
    if fan_in is None:
        return
    if core.synapses.value is not None and fan_in > core.synapses.value:
        yield Problem(
            "neuron.fan_in",
            f"{fan_in} synapses onto a neuron, {core.synapses.value} on a core",
            f"<= {core.synapses.value}",
        )
    if profile.lacks("parallel_synapses") and (core.in_axons.value or fan_in) < fan_in:
        yield Problem(
            "neuron.fan_in",
            f"{fan_in} synapses from {core.in_axons.value} axons, each with one",
            f"<= {core.in_axons.value}",
        )


def synapses_above_crossbar(profile: HardwareProfile) -> Iterator[Problem]:
    """Where a source has one synapse onto a neuron, a core has at most axons times neurons."""
    core = profile.core
    if not profile.lacks("parallel_synapses") or core.synapses.value is None:
        return
    if core.in_axons.value is not None and core.neurons.value is not None:
        crossbar = core.in_axons.value * core.neurons.value
        if core.synapses.value > crossbar:
            yield Problem(
                "core.synapses",
                f"{core.synapses.value} on a crossbar of {crossbar}",
                f"<= {crossbar}",
            )


def destinations_above_cores(profile: HardwareProfile) -> Iterator[Problem]:
    """A neuron sends to no more cores than there are."""
    limit, cores = profile.limit("neuron.destinations"), profile.total_cores
    if limit is not None and cores is not None and limit > cores:
        yield Problem("neuron.destinations", f"{limit} of {cores} cores", f"<= {cores}")


CONTRADICTIONS: tuple[Contradiction, ...] = (
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
