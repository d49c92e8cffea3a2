"""Design rules: one small function per rule, all run at once, each finding with its fix.

A rule takes a `PlacedNetwork`, yields `Violation`s. `RULES` is the whole list; `check` runs
it and returns everything found, so that nothing has to be repaired one message at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.occupancy.core_filling import FILL_RESOURCES, fill
from hrsnn_lava.compiler.design_rules.axons import AXON_RULES
from hrsnn_lava.compiler.design_rules.expressible import (
    EXPRESSIBLE_RULES,
    name_of,
    percent_over,
)
from hrsnn_lava.compiler.design_rules.learning import LEARNING_RULES
from hrsnn_lava.compiler.design_rules.placed_network import PlacedNetwork, Rule
from hrsnn_lava.compiler.design_rules.values import FIELD_RULES
from hrsnn_lava.compiler.palettes.clustering import compartment_classes, relative_errors, snap_core
from hrsnn_lava.errors import Violation
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.quantized import QuantizedNetwork

__all__ = [
    "CAPACITY_RULES",
    "RULES",
    "TABLE_RULES",
    "VALUE_RULES",
    "CompiledLike",
    "PlacedNetwork",
    "Rule",
    "Violation",
    "check",
]


class CompiledLike(Protocol):
    """Anything with an integer network, a profile and a core for every neuron."""

    @property
    def network(self) -> QuantizedNetwork: ...
    @property
    def profile(self) -> HardwareProfile: ...
    @property
    def core_of(self) -> NDArray[np.int32]: ...


def check(compiled: CompiledLike, rules: Sequence[Rule] | None = None) -> list[Violation]:
    """All violations of a placed network, in the order of the rules.

    Args:
        compiled: network, profile and `core_of`; a `PlacedNetwork` is used as it is.
        rules: those to run; all of `RULES` by default.
    """
    placed = (
        compiled
        if isinstance(compiled, PlacedNetwork)
        else PlacedNetwork.of(compiled.network, compiled.core_of, compiled.profile)
    )
    name = placed.profile.name
    rules_to_run = RULES if rules is None else rules
    return [replace(violation, profile=name) for rule in rules_to_run for violation in rule(placed)]


def rule_table() -> list[tuple[str, str]]:
    """Name and sentence of every rule, in the order of a report."""
    return [
        (rule.__name__, " ".join((rule.__doc__ or "").split("\n\n")[0].split())) for rule in RULES
    ]


def cores_on_chip(placed: PlacedNetwork) -> Iterator[Violation]:
    """The cores in use are no more than the chips have."""
    limit, n_cores = placed.used.cores_limit, placed.used.n_cores
    if limit is not None and n_cores > limit:
        yield Violation(
            "cores_on_chip",
            f"profile {placed.profile.name}",
            f"{n_cores} cores",
            f"{limit} cores",
            f"{placed.profile.making_room(n_cores)}, or {_fewer_cores(placed, limit)} (at least, "
            "while other rules are broken)",
            share=n_cores / limit,
        )


def _fewer_cores(placed: PlacedNetwork, limit: int) -> str:
    """What has to go for `limit` cores as full as these are on average."""
    used = placed.used
    mean = {r.name: float(r.used.mean()) / r.limit for r in used.resources if r.limit}
    fullest = max(mean, key=lambda name: mean[name], default="neurons")
    percent = percent_over(used.n_cores, limit)
    if fullest == "neurons":
        return f"drop {percent} % of the {placed.links.n_neurons:,} neurons"
    synapses = int(used["synapses"].used.sum())
    return f"prune {percent} % of the {synapses:,} synapses"


def _resource(placed: PlacedNetwork, name: str) -> Iterator[Violation]:
    """Violations of one resource, with the number of pieces that the core has to be split into."""
    resource = placed.used[name]
    for core in resource.over():
        use, limit = int(resource.used[core]), resource.limit or 1
        members = np.flatnonzero(placed.core_of == core)
        if members.size == 1:
            where = f"core {core}, neuron {members[0]} alone"
            fix = _fix_one(placed, name, int(members[0]), use, limit)
        else:
            where = f"core {core}"
            fix = _split(placed, name, int(core), members) + _or_fewer(name, int(core), use, limit)
        label = resource.name.replace("_", " ")
        text = f"{use} {resource.unit}s" if name == "synapse_memory" else f"{use} {label}"
        yield Violation(name, where, text, str(limit), fix, share=use / limit)


def _split(placed: PlacedNetwork, name: str, core: int, members: NDArray[np.int64]) -> str:
    """The exact number of pieces; for output axons, whether pieces can help at all."""
    resource = placed.used[name]
    use, limit = int(resource.used[core]), resource.limit or 1
    if name in FILL_RESOURCES:
        pieces = fill(placed.links, members, placed.profile, only=name).size - 1
        return f"split core {core} into {pieces}"
    # Pieces are destinations too: when all cores together are full, more of them only add pairs.
    if resource.used.sum() > limit * placed.used.n_cores * 0.9:
        return (
            f"let its neurons reach {limit / members.size:.1f} cores each instead of "
            f"{use / members.size:.1f}: prune, or put their targets together"
        )
    return f"split core {core} into {-(-use // limit)}"


def _or_fewer(name: str, core: int, use: int, limit: int) -> str:
    """What else would do on a core of many neurons, by how much."""
    if name in ("synapse_memory", "synapses"):
        return f", or prune {percent_over(use, limit)} % of the synapses onto core {core}"
    if name == "in_axons":
        return f", or prune what {use - limit:,} of its {use:,} axons bring"
    if name == "neurons":
        return f", or drop {use - limit:,} of its {use:,} neurons"
    return ""


def _fix_one(placed: PlacedNetwork, name: str, neuron: int, use: int, limit: int) -> str:
    where = name_of(placed.network, neuron)
    if name == "out_axons":
        return f"gather the targets of {where} on {limit} cores instead of {use}"
    inputs = _inputs_of(placed, neuron, name)
    # words and axons of a source are a whole number each, so the share is at least this one
    fewer = -(-(use - limit) * inputs // use)
    return f"prune {fewer:,} of the {inputs:,} inputs of {where}"


def _inputs_of(placed: PlacedNetwork, neuron: int, name: str) -> int:
    """Sources of a neuron for its axons, else its synapses."""
    rows = [pattern[neuron] for pattern in placed.links.inbound]
    if name == "in_axons":
        return int(np.unique(np.concatenate([row.indices for row in rows])).size)
    return int(sum(row.sum() for row in rows))


def neurons(placed: PlacedNetwork) -> Iterator[Violation]:
    """A core holds a bounded number of neurons."""
    yield from _resource(placed, "neurons")


def in_axons(placed: PlacedNetwork) -> Iterator[Violation]:
    """A core listens to a bounded number of sources."""
    yield from _resource(placed, "in_axons")


def out_axons(placed: PlacedNetwork) -> Iterator[Violation]:
    """The neurons of a core send to a bounded number of (neuron, destination core) pairs."""
    yield from _resource(placed, "out_axons")


def synapses(placed: PlacedNetwork) -> Iterator[Violation]:
    """A core holds a bounded number of synapses."""
    yield from _resource(placed, "synapses")


def synapse_memory(placed: PlacedNetwork) -> Iterator[Violation]:
    """The synapse lists of a core fit its memory."""
    yield from _resource(placed, "synapse_memory")


def compartment_profiles(placed: PlacedNetwork) -> Iterator[Violation]:
    """The neurons of a core have few distinct (du, dv, refractory)."""
    yield from _tables(placed, "compartment_profiles", (0, 1))


def threshold_profiles(placed: PlacedNetwork) -> Iterator[Violation]:
    """The neurons of a core have few distinct thresholds."""
    yield from _tables(placed, "threshold_profiles", (2,))


def _tables(placed: PlacedNetwork, name: str, columns: tuple[int, ...]) -> Iterator[Violation]:
    resource, core = placed.used[name], placed.profile.core
    for index in resource.over():
        use, limit = int(resource.used[index]), resource.limit or 1
        members = np.flatnonzero(placed.core_of == index)
        parameters = placed.links.parameters[members]
        fix = f"split core {index} into {-(-use // limit)}"
        small = core.neurons.value is None or members.size <= core.neurons.value
        if small and name == "compartment_profiles":
            snapped = snap_core(parameters, limit, None)
            what = "tau"
        else:
            snapped = snap_core(parameters, None, limit) if small else None
            what = "the threshold"
        if snapped is not None:
            worst = float(relative_errors(parameters, snapped)[:, columns].max())
            fix = f"merge to {limit}, largest change of {what} {100 * worst:.1f} %"
        elif small:
            classes = int(compartment_classes(*parameters[:, (0, 1, 2)].T).max()) + 1
            fix = f"split core {index} into {-(-classes // limit)}, by refractory period"
        label = name.replace("_", " ")
        where, measured = f"core {index}", f"{use} {label}"
        yield Violation(name, where, measured, str(limit), fix, share=use / limit)


def synapse_formats(placed: PlacedNetwork) -> Iterator[Violation]:
    """The synapses of a core have few distinct formats (bits, exponent, sign, delay bits)."""
    resource = placed.used["synapse_formats"]
    for core in resource.over():
        use, limit = int(resource.used[core]), resource.limit or 1
        yield Violation(
            "synapse_formats",
            f"core {core}",
            f"{use} synapse formats",
            str(limit),
            f"give projections a common weight_exp, which are {use - limit} formats fewer, or keep "
            "the populations on cores of their own",
            share=use / limit,
        )


TABLE_RULES: tuple[Rule, ...] = (compartment_profiles, threshold_profiles)
CAPACITY_RULES: tuple[Rule, ...] = (
    cores_on_chip,
    neurons,
    in_axons,
    out_axons,
    synapses,
    synapse_memory,
    synapse_formats,
    *LEARNING_RULES,
    *AXON_RULES,
)
#: What no placement can change.
VALUE_RULES: tuple[Rule, ...] = (*EXPRESSIBLE_RULES, *FIELD_RULES)
#: Every rule, in the order of a report.
RULES: tuple[Rule, ...] = (*CAPACITY_RULES, *TABLE_RULES, *VALUE_RULES)
