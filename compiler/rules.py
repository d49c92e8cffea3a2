"""Design rules: one small function per rule, all run at once, each finding with its fix.

A rule takes a `Placed` network and yields `Violation`s. `RULES` is the whole list; `check` runs
it and returns everything found, so that nothing has to be repaired one message at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.utilization import Connectivity, Utilization, utilization
from hrsnn_lava.compiler.clustering import compartment_classes, relative_errors, snap_core
from hrsnn_lava.compiler.filling import FILL_RESOURCES, fill
from hrsnn_lava.hardware_profiles import HardwareProfile, Range
from hrsnn_lava.quantized import QuantizedNetwork, QuantizedProjection


@dataclass(frozen=True)
class Violation:
    """A broken design rule: which, where, what was measured, the limit, the smallest fix."""

    rule: str
    where: str
    measured: str
    limit: str
    fix: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.where}: {self.measured}; limit {self.limit}; {self.fix}"


class CompiledLike(Protocol):
    """Anything with an integer network, a profile and a core for every neuron."""

    @property
    def network(self) -> QuantizedNetwork: ...
    @property
    def profile(self) -> HardwareProfile: ...
    @property
    def core_of(self) -> NDArray[np.int32]: ...


@dataclass(frozen=True, eq=False)
class Placed:
    """What the rules look at; the counts are made once."""

    network: QuantizedNetwork
    profile: HardwareProfile
    core_of: NDArray[np.int32]
    links: Connectivity
    used: Utilization

    @staticmethod
    def of(network: QuantizedNetwork, core_of: Any, profile: HardwareProfile) -> Placed:
        """Count the use of every core, then hold it for the rules."""
        cores = np.ascontiguousarray(core_of, dtype=np.int32)
        links = Connectivity.of(network)
        return Placed(network, profile, cores, links, utilization(links, cores, profile))


Rule = Callable[[Placed], Iterator[Violation]]


def check(compiled: CompiledLike, rules: Sequence[Rule] | None = None) -> list[Violation]:
    """All violations of a placed network, in the order of the rules.

    Args:
        compiled: network, profile and `core_of`; a `Placed` is used as it is.
        rules: those to run; all of `RULES` by default.
    """
    placed = (
        compiled
        if isinstance(compiled, Placed)
        else Placed.of(compiled.network, compiled.core_of, compiled.profile)
    )
    return [found for rule in (RULES if rules is None else rules) for found in rule(placed)]


def cores_on_chip(placed: Placed) -> Iterator[Violation]:
    """The cores in use are no more than the chips have."""
    limit, used = placed.used.cores_limit, placed.used.n_cores
    if limit is not None and used > limit:
        per_chip = placed.profile.chip.cores.value or 1
        chips = -(-used // per_chip)
        yield Violation(
            "cores_on_chip",
            f"profile {placed.profile.name}",
            f"{used} cores",
            f"{limit} cores",
            f"use {chips} chips (at least, while other rules are broken), or prune the network",
        )


def _resource(placed: Placed, name: str) -> Iterator[Violation]:
    """Violations of one resource, with the number of pieces that the core has to be split into."""
    resource = placed.used[name]
    for core in resource.over():
        used, limit = int(resource.used[core]), resource.limit or 1
        members = np.flatnonzero(placed.core_of == core)
        if members.size == 1:
            where, fix = f"core {core}, neuron {members[0]} alone", _fix_one(name, used, limit)
        else:
            where, fix = f"core {core}", _split(placed, name, int(core), members)
        label = resource.name.replace("_", " ")
        text = f"{used} {resource.unit}s" if name == "synapse_memory" else f"{used} {label}"
        yield Violation(name, where, text, str(limit), fix)


def _split(placed: Placed, name: str, core: int, members: NDArray[np.int64]) -> str:
    """The exact number of pieces; for output axons, whether pieces can help at all."""
    resource = placed.used[name]
    used, limit = int(resource.used[core]), resource.limit or 1
    if name in FILL_RESOURCES:
        pieces = fill(placed.links, members, placed.profile, only=name).size - 1
        return f"split core {core} into {pieces}"
    # Pieces are destinations too: when all cores together are full, more of them only add pairs.
    if resource.used.sum() > limit * placed.used.n_cores * 0.9:
        return (
            f"let its neurons reach {limit / members.size:.1f} cores each instead of "
            f"{used / members.size:.1f}: prune, or put their targets together"
        )
    return f"split core {core} into {-(-used // limit)}"


def _fix_one(name: str, used: int, limit: int) -> str:
    if name == "out_axons":
        return f"gather the targets of this neuron on {limit} cores instead of {used}"
    return f"prune {1 - limit / used:.1%} of the inputs of this neuron"


def neurons(placed: Placed) -> Iterator[Violation]:
    """A core holds a bounded number of neurons."""
    yield from _resource(placed, "neurons")


def in_axons(placed: Placed) -> Iterator[Violation]:
    """A core listens to a bounded number of sources."""
    yield from _resource(placed, "in_axons")


def out_axons(placed: Placed) -> Iterator[Violation]:
    """The neurons of a core send to a bounded number of (neuron, destination core) pairs."""
    yield from _resource(placed, "out_axons")


def synapses(placed: Placed) -> Iterator[Violation]:
    """A core holds a bounded number of synapses."""
    yield from _resource(placed, "synapses")


def synapse_memory(placed: Placed) -> Iterator[Violation]:
    """The synapse lists of a core fit its memory."""
    yield from _resource(placed, "synapse_memory")


def compartment_profiles(placed: Placed) -> Iterator[Violation]:
    """The neurons of a core have few distinct (du, dv, refractory)."""
    yield from _tables(placed, "compartment_profiles", (0, 1))


def threshold_profiles(placed: Placed) -> Iterator[Violation]:
    """The neurons of a core have few distinct thresholds."""
    yield from _tables(placed, "threshold_profiles", (2,))


def _tables(placed: Placed, name: str, columns: tuple[int, ...]) -> Iterator[Violation]:
    resource, core = placed.used[name], placed.profile.core
    for index in resource.over():
        used, limit = int(resource.used[index]), resource.limit or 1
        members = np.flatnonzero(placed.core_of == index)
        parameters = placed.links.parameters[members]
        fix = f"split core {index} into {-(-used // limit)}"
        small = core.neurons.value is None or members.size <= core.neurons.value
        if small and name == "compartment_profiles":
            snapped = snap_core(parameters, limit, None)
            what = "tau"
        else:
            snapped = snap_core(parameters, None, limit) if small else None
            what = "the threshold"
        if snapped is not None:
            worst = float(relative_errors(parameters, snapped)[:, columns].max())
            fix = f"merge {used} profiles to {limit}: largest change of {what} {worst:.1%}"
        elif small:
            classes = int(compartment_classes(*parameters[:, (0, 1, 2)].T).max()) + 1
            fix = f"split core {index} into {-(-classes // limit)}, by refractory period"
        label = name.replace("_", " ")
        yield Violation(name, f"core {index}", f"{used} {label}", str(limit), fix)


def synapse_formats(placed: Placed) -> Iterator[Violation]:
    """The synapses of a core have few distinct formats (bits, exponent, sign, delay bits)."""
    resource = placed.used["synapse_formats"]
    for core in resource.over():
        yield Violation(
            "synapse_formats",
            f"core {core}",
            f"{resource.used[core]} synapse formats",
            str(resource.limit),
            "give projections a common weight_exp, or keep the populations on cores of their own",
        )


def neuron_fields(placed: Placed) -> Iterator[Violation]:
    """du, dv, vth, bias and refractory period of every neuron are in the range of their field."""
    advice = {
        "du": "change tau_syn or dt",
        "dv": "change tau_mem or dt",
        "vth": "lower the weight scale by {factor:.3g}",
        "bias_mant": "raise bias_exp by {bits}",
        "bias_exp": "put the scale into bias_mant",
        "refractory": "shorten the refractory period, or raise dt",
    }
    for population in placed.network.compute_populations:
        for field, text in advice.items():
            allowed: Range = getattr(placed.profile.fields, field)
            values = population.parameter(field).astype(np.int64)
            outside = _outside(values, allowed)
            if not outside.size:
                continue
            bound = max(abs(allowed.low or 0), abs(allowed.high or 0), 1)
            excess = float(np.abs(values[outside]).max()) / bound
            first = int(outside[0])
            yield Violation(
                f"{field}_range",
                f"population {population.name!r}, neuron {first}",
                f"{values[first]} ({outside.size} of {values.size} outside)",
                f"{allowed.low}..{allowed.high}",
                text.format(factor=excess, bits=max(1, int(np.ceil(np.log2(excess))))),
            )


def _outside(values: Any, allowed: Range) -> NDArray[np.int64]:
    array = np.atleast_1d(np.asarray(values, dtype=np.int64))
    if allowed.low is None or allowed.high is None:
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero((array < allowed.low) | (array > allowed.high))


def _synaptic(placed: Placed) -> Iterator[QuantizedProjection]:
    return (p for p in placed.network.projections if p.target == "synapse")


def synapse_fields(placed: Placed) -> Iterator[Violation]:
    """Delay, weight exponent and weight bits of every projection are in range."""
    fields = placed.profile.fields
    for projection in _synaptic(placed):
        delay = int(projection.delay_steps.max(initial=0))
        low_delay = int(projection.delay_steps.min(initial=0))
        for name, value, allowed, fix in (
            ("delay", delay, fields.delay, f"clip delays at {fields.delay.high} steps"),
            ("delay", low_delay, fields.delay, "make delays >= 0"),
            ("weight_exp", projection.weight_exp, fields.weight_exp, "rescale the weights"),
            (
                "weight_bits",
                projection.num_weight_bits,
                fields.weight_bits,
                f"quantize to {fields.weight_bits.high} bits",
            ),
        ):
            if _outside(value, allowed).size:
                yield Violation(
                    f"{name}_range",
                    f"projection {projection.name!r}",
                    str(value),
                    f"{allowed.low}..{allowed.high}",
                    fix,
                )


def weight_grid(placed: Placed) -> Iterator[Violation]:
    """Every weight is one that its bits and sign mode can hold, so that storing it changes nothing.

    Lava clips and truncates without a word; here a weight that would change is an error.
    """
    for projection in _synaptic(placed):
        if projection.learning is not None:
            continue  # learned weights have 8 bits and a sign whatever the grid of the first ones
        kept = projection.effective_weights().data
        wrong = np.flatnonzero(kept != projection.weights.data)
        if not wrong.size:
            continue
        low, high = projection.sign_mode.limits
        mixed = projection.sign_mode.value == "mixed"
        step = 1 << (8 - projection.num_weight_bits + mixed)
        first = int(wrong[0])
        yield Violation(
            "weight_grid",
            f"projection {projection.name!r}",
            f"{wrong.size} of {kept.size} weights off the grid, such as "
            f"{projection.weights.data[first]} (would act as {kept[first]})",
            f"{low}..{high} in steps of {step}",
            "store effective_weights()"
            + (", or split the projection by sign to keep the last bit" if mixed else ""),
        )


def graded_spikes(placed: Placed) -> Iterator[Violation]:
    """Spikes carry no more payload bits than the chip sends."""
    allowed = placed.profile.fields.message_bits
    for projection in _synaptic(placed):
        if _outside(projection.num_message_bits, allowed).size:
            yield Violation(
                "graded_spikes",
                f"projection {projection.name!r}",
                f"{projection.num_message_bits} payload bits",
                str(allowed.high),
                'encode the input as spikes, or give it target="bias"',
            )


def learning(placed: Placed) -> Iterator[Violation]:
    """Learning is asked only of a chip that learns."""
    if placed.profile.features.learning.value is not False:
        return
    for projection in _synaptic(placed):
        if projection.learning is not None:
            yield Violation(
                "learning",
                f"projection {projection.name!r}",
                "a learning rule",
                f"no learning on {placed.profile.name}",
                "train off the chip and freeze the weights",
            )


TABLE_RULES: tuple[Rule, ...] = (compartment_profiles, threshold_profiles)
VALUE_RULES: tuple[Rule, ...] = (
    neuron_fields,
    synapse_fields,
    weight_grid,
    graded_spikes,
    learning,
)
CAPACITY_RULES: tuple[Rule, ...] = (
    cores_on_chip,
    neurons,
    in_axons,
    out_axons,
    synapses,
    synapse_memory,
    synapse_formats,
)
#: Every rule, in the order of a report.
RULES: tuple[Rule, ...] = (*CAPACITY_RULES, *TABLE_RULES, *VALUE_RULES)
