"""Why a network fits a chip in no way, and what is said then.

What no placement can change is looked at first, by counts alone: so a network that is far too large
is refused in seconds, with how far it is from fitting. What only the search can tell is refused
after it, with the violations of the best placement that was tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.occupancy.connectivity import Connectivity
from hrsnn_lava.compiler.analysis.occupancy.utilization import (
    index_bits,
    list_words,
    stored_bits,
    utilization,
)
from hrsnn_lava.compiler.design_rules.check import CAPACITY_RULES, VALUE_RULES, check
from hrsnn_lava.compiler.design_rules.expressible import worst_of_each
from hrsnn_lava.compiler.design_rules.learning import LEARNING_RULES
from hrsnn_lava.compiler.design_rules.placed_network import PlacedNetwork
from hrsnn_lava.compiler.partitioning.lower_bound import (
    Bound,
    CoreRegion,
    Demand,
    cores_needed,
    pruning_needed,
    relaxed_fill,
)
from hrsnn_lava.errors import CapacityError, Violation
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.quantized import QuantizedNetwork

Int = NDArray[np.int64]


def placed(
    network: QuantizedNetwork, links: Connectivity, profile: HardwareProfile, core_of: Int
) -> PlacedNetwork:
    """A placement with what it uses; the synapses are not collected a second time."""
    cores = np.ascontiguousarray(core_of, dtype=np.int32)
    return PlacedNetwork(network, profile, cores, links, utilization(links, cores, profile))


def refuse_early(
    network: QuantizedNetwork,
    links: Connectivity,
    profile: HardwareProfile,
    neurons_per_core: int | None = None,
) -> None:
    """Refuse what fits in no way, whatever the placement; return where that is not certain.

    Raises:
        CapacityError: with all that no placement can change. Its placement is a plain filling of
            cores that breaks the same rules.
    """
    demand = Demand.of(links, profile, neurons_per_core)
    # one of more cores than neurons comes of a neuron that is too much for any core
    bound = next(b for b in cores_needed(demand) if b.cores <= links.n_neurons)
    limit = profile.total_cores
    cramped = limit is not None and limit < bound.cores
    reach = destinations_needed(demand)
    allowed = profile.limit("neuron.destinations")
    far = allowed is not None and bool((reach > allowed).any())
    lonely = [
        (name, used, most) for name, used, most in alone(links, profile) if (used > most).any()
    ]
    if not (cramped or far or lonely):
        return
    tried = placed(network, links, profile, relaxed_fill(demand, links.fan_in, bound.cores))
    violations: list[Violation] = []
    if cramped and limit is not None:
        violations.append(_too_few_cores(demand, bound, limit, links.n_neurons))
    for name, used, allowed_alone in lonely:
        violations += _too_much_alone(tried, name, used, allowed_alone)
    if far and allowed is not None:
        violations += worst_of_each(
            tried,
            "destinations",
            reach,
            allowed,
            "destination cores at least",
            "prune its targets, {use} cores' worth, to those of {limit}",
        )
    of_neurons = [v for v in check(tried, LEARNING_RULES) if "on one neuron" in v.measured]
    named = [replace(violation, profile=profile.name) for violation in violations]
    raise CapacityError(
        f"network {network.name!r} does not fit profile {profile.name!r}, however it is placed",
        violations=[*named, *of_neurons, *check(tried, VALUE_RULES)],
        placement=tried,
    )


def refuse(network: QuantizedNetwork, tried: Sequence[PlacedNetwork]) -> None:
    """Raise the violations of the placement with the fewest; return if it has none after all."""
    rules = (*CAPACITY_RULES, *VALUE_RULES)
    violations, least = min(
        ((check(one, rules), one) for one in tried), key=lambda pair: len(pair[0])
    )
    if not violations:
        return
    raise CapacityError(
        f"network {network.name!r} does not fit profile {least.profile.name!r}",
        violations=violations,
        placement=least,
    )


def destinations_needed(demand: Demand) -> Int:
    """Cores that the targets of every neuron take at least, (n_neurons,)."""
    largest = max(CoreRegion.of(demand, 1.0).largest, 1)
    return -(-demand.fan_out[: demand.links.n_neurons] // largest)


def alone(links: Connectivity, profile: HardwareProfile) -> Iterator[tuple[str, Int, int]]:
    """What every neuron takes of a core of its own, (n_neurons,), with the name and the limit.

    Only what is limited, and what a neuron can have too much of.
    """
    core, memory, n = profile.core, profile.synapse_memory, links.n_neurons
    sources = [np.diff(pattern.indptr).astype(np.int64) for pattern in links.inbound]
    nothing = np.zeros(n, dtype=np.int64)
    if core.in_axons.value is not None and links.inbound and not links.learns:
        together = links.inbound[0]
        for pattern in links.inbound[1:]:
            together = together + pattern
        yield "in_axons", np.diff(together.indptr).astype(np.int64), core.in_axons.value
    if core.synapses.value is not None:
        yield "synapses", links.fan_in, core.synapses.value
    if memory is not None and memory.words.value is not None:
        words = nothing.copy()
        for form, pattern, lists in zip(links.formats, links.inbound, sources, strict=True):
            table = list_words(
                np.arange(int(pattern.data.max(initial=1)) + 1),
                memory,
                weight_bits=int(stored_bits(form.weight_bits, memory.weight_bits.values)),
                index_bits=int(index_bits(1, memory)),
                delay_bits=form.delay_bits,
            )
            taken = table[pattern.data]
            words += np.bincount(np.repeat(np.arange(n), lists), taken, n).astype(np.int64)
        yield "synapse_memory", words, memory.words.value
    if core.synapse_formats.value is not None:
        kinds = np.sum([nothing, *((lists > 0) for lists in sources)], axis=0).astype(np.int64)
        yield "synapse_formats", kinds, core.synapse_formats.value


_ALONE = {
    "in_axons": (
        "input axons of one neuron alone",
        "prune {excess} of the {use} inputs of {where}",
    ),
    "synapses": ("synapses of one neuron alone", "prune {excess} of the {use} inputs of {where}"),
    "synapse_memory": (
        "words of synapse memory of one neuron alone",
        "prune {percent} % of the inputs of {where}",
    ),
    "synapse_formats": (
        "synapse formats of one neuron alone",
        "give projections onto it a common weight_exp: {excess} formats too many",
    ),
}


def _too_much_alone(tried: PlacedNetwork, name: str, used: Int, limit: int) -> Iterator[Violation]:
    what, fix = _ALONE[name]
    yield from worst_of_each(tried, name, used, limit, what, fix)


def _too_few_cores(demand: Demand, bound: Bound, limit: int, n_neurons: int) -> Violation:
    profile = demand.profile
    fix = f"{profile.making_room(bound.cores)} at least"
    if bound.resource == "neurons":
        fix += f", or drop {n_neurons - limit * demand.neurons_per_core:,} neurons"
    elif (share := pruning_needed(demand, limit)) is not None:
        synapses = int(demand.fan_in.sum())
        fix += f", or prune {100 * share:.1f} % of the {synapses:,} synapses, evenly, at least"
    return Violation(
        "cores_on_chip",
        f"profile {profile.name}",
        f"at least {bound.cores} cores ({bound.why})",
        f"{limit} cores",
        fix,
        share=bound.cores / limit,
    )
