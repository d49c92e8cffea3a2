"""Design rules about what a core keeps for learning; see `learning_limits`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hrsnn_lava.compiler.analysis.occupancy.core_filling import fill
from hrsnn_lava.compiler.analysis.occupancy.learning_limits import needed_per_neuron
from hrsnn_lava.compiler.design_rules.placed_network import PlacedNetwork, Rule
from hrsnn_lava.errors import Violation
from hrsnn_lava.quantized import QuantizedPopulation

_WHAT = {
    "trace_profiles": "settings of presynaptic traces",
    "learning_epochs": "lengths of the learning epoch",
}


def trace_profiles(placed: PlacedNetwork) -> Iterator[Violation]:
    """The learning synapses of a core need few settings of presynaptic traces."""
    yield from _limited(placed, "trace_profiles")


def learning_epochs(placed: PlacedNetwork) -> Iterator[Violation]:
    """The learning synapses of a core share their epoch."""
    yield from _limited(placed, "learning_epochs")


def _limited(placed: PlacedNetwork, name: str) -> Iterator[Violation]:
    if not placed.links.learns or (limit := placed.used[name].limit) is None:
        return
    per_neuron = needed_per_neuron(placed.links, name)
    for population in placed.network.compute_populations:
        first = placed.network.offset(population.name)
        most = int(per_neuron[first : first + population.size].max(initial=0))
        if most > limit:
            neuron = int(np.argmax(per_neuron[first : first + population.size]))
            where = f"population {population.name!r}, neuron {neuron}"
            fix = _fewer(placed, population, name, limit)
            measured = f"{most} {_WHAT[name]} on one neuron"
            yield Violation(name, where, measured, str(limit), fix, share=most / limit)
    for core in placed.used[name].over():
        members = np.flatnonzero(placed.core_of == core)
        if per_neuron[members].max(initial=0) > limit:
            continue  # the population is named already, and no division of the core would help
        pieces = fill(placed.links, members, placed.profile, only=name).size - 1
        use = int(placed.used[name].used[core])
        where, measured = f"core {core}", f"{use} {_WHAT[name]}"
        fix = f"split core {core} into {pieces}"
        yield Violation(name, where, measured, str(limit), fix, share=use / limit)


def _fewer(placed: PlacedNetwork, population: QuantizedPopulation, name: str, limit: int) -> str:
    learning = [
        p.name
        for p in placed.network.projections
        if p.post == population.name and p.learning is not None
    ]
    if name == "learning_epochs":
        return f"give one t_epoch to {', '.join(learning)}"
    if len(learning) <= limit:
        each = f"{limit // len(learning)}" + (" each" if len(learning) > 1 else "")
        return f"cluster the rules of {', '.join(learning)} into at most {each} (max_profiles)"
    return f"let at most {limit} of {', '.join(learning)} learn"


LEARNING_RULES: tuple[Rule, ...] = (trace_profiles, learning_epochs)
