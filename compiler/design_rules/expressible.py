"""Design rules about what a chip can express at all, on whatever core a neuron is.

They count the synapses that act: those whose effective weight is not 0, and those that learn.
Inputs with ``target="bias"`` have none, since the host writes the biases.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from hrsnn_lava.compiler.design_rules.placed_network import PlacedNetwork, Rule
from hrsnn_lava.csr import rows_of
from hrsnn_lava.errors import Violation
from hrsnn_lava.integer_format import WEIGHT_EXP_RANGE
from hrsnn_lava.quantized import QuantizedNetwork, QuantizedProjection

Int = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Synapses:
    """Every synapse that acts, one entry each.

    Attributes:
        post: global neuron (E,). source: global neuron, or n_neurons + input channel (E,).
        weight: effective weight times ``2^(weight_exp + 7)``, so that exponents compare (E,).
        delay: steps (E,).
    """

    post: Int
    source: Int
    weight: Int
    delay: Int

    @staticmethod
    def of(network: QuantizedNetwork) -> Synapses:
        """Collect them from all projections with ``target="synapse"``."""
        parts: list[Int] = [np.zeros((4, 0), dtype=np.int64)]
        for projection in network.projections:
            if projection.target != "synapse" or not projection.n_synapses:
                continue
            weights = projection.effective_weights()
            alive = projection.plastic_synapses() | (weights.data != 0)
            rows = rows_of(weights)
            column = weights.indices + network.offset(projection.pre)
            if network.population(projection.pre).is_input:
                column = column + network.n_neurons
            scale = 1 << (projection.weight_exp - WEIGHT_EXP_RANGE[0])
            entries = np.stack(
                [
                    rows + network.offset(projection.post),
                    column,
                    weights.data.astype(np.int64) * scale,
                    projection.delay_steps,
                ]
            ).astype(np.int64)
            parts.append(entries[:, alive])
        return Synapses(*np.concatenate(parts, axis=1))


def name_of(network: QuantizedNetwork, source: int) -> str:
    """``"population 'exc', neuron 3"`` for a global index; input channels after the neurons."""
    inside = source < network.n_neurons
    populations = network.compute_populations if inside else network.input_populations
    number = source if inside else source - network.n_neurons
    for population in populations:
        first = network.offset(population.name)
        if number < first + population.size:
            what = "neuron" if inside else "channel"
            return f"population {population.name!r}, {what} {number - first}"
    raise IndexError(source)


def _distinct(keys: Int, values: Int, size: int) -> Int:
    """Number of distinct `values` for each key, (size,)."""
    pairs = np.unique(np.stack([keys, values]), axis=1)
    return np.bincount(pairs[0], minlength=size).astype(np.int64)


def worst_of_each(
    placed: PlacedNetwork, rule: str, counts: Int, limit: int, what: str, fix: str
) -> Iterator[Violation]:
    """One violation per population, for its worst neuron or channel.

    Args:
        counts: (n,) what each neuron uses, or each source: input channels after the neurons.
        what: follows the number in `measured`.
        fix: may use ``{use}``, ``{limit}``, ``{excess}`` (the number above the limit),
            ``{percent}`` (the share of the use that this is) and ``{where}``.
    """
    over = np.flatnonzero(counts > limit)
    if not over.size:
        return
    names = [name_of(placed.network, int(i)).split(",")[0] for i in over]
    for name in dict.fromkeys(names):
        members = over[[n == name for n in names]]
        worst = int(members[np.argmax(counts[members])])
        use, where = int(counts[worst]), name_of(placed.network, worst)
        others = f" ({members.size} such in all)" if members.size > 1 else ""
        yield Violation(
            rule,
            where,
            f"{use} {what}{others}",
            str(limit),
            fix.format(
                use=f"{use:,}",
                limit=limit,
                excess=f"{use - limit:,}",
                percent=percent_over(use, limit),
                where=where,
            ),
            share=use / max(limit, 1),
        )


def percent_over(use: int, limit: int) -> str:
    """Share of a use that is above the limit, in percent, rounded up: what has to go."""
    return f"{np.ceil(1000 * (1 - limit / use)) / 10:.1f}"


def fan_in(placed: PlacedNetwork) -> Iterator[Violation]:
    """A neuron has a bounded number of synapses onto it."""
    if (limit := placed.profile.limit("neuron.fan_in")) is not None:
        yield from worst_of_each(
            placed,
            "fan_in",
            placed.links.fan_in,
            limit,
            "synapses onto one neuron",
            "prune {excess} of the {use} inputs of {where}",
        )


def fan_out(placed: PlacedNetwork) -> Iterator[Violation]:
    """A neuron has a bounded number of synapses that it sends to."""
    if (limit := placed.profile.limit("neuron.fan_out")) is not None:
        counts = np.zeros(placed.links.n_sources, dtype=np.int64)
        for pattern in placed.links.inbound:
            counts += np.asarray(pattern.sum(axis=0)).ravel()
        yield from worst_of_each(
            placed,
            "fan_out",
            counts[: placed.links.n_neurons],
            limit,
            "synapses from one neuron",
            "prune {excess} of the {use} synapses that {where} sends to",
        )


def weight_values(placed: PlacedNetwork) -> Iterator[Violation]:
    """The synapses onto a neuron have few distinct weights, exponents counted in."""
    if (limit := placed.profile.limit("neuron.weight_values")) is not None:
        synapses = Synapses.of(placed.network)
        yield from worst_of_each(
            placed,
            "weight_values",
            _distinct(synapses.post, synapses.weight, placed.network.n_neurons),
            limit,
            "distinct weights onto one neuron",
            "quantize the weights to fewer bits: {excess} values too many",
        )


def source_delays(placed: PlacedNetwork) -> Iterator[Violation]:
    """The synapses that a source sends to have few distinct delays."""
    if (limit := placed.profile.limit("neuron.delays")) is not None:
        synapses = Synapses.of(placed.network)
        yield from worst_of_each(
            placed,
            "source_delays",
            _distinct(synapses.source, synapses.delay, placed.links.n_sources),
            limit,
            "distinct delays from one source",
            "give its synapses {excess} distinct delays fewer",
        )


def parallel_synapses(placed: PlacedNetwork) -> Iterator[Violation]:
    """A source has one synapse onto a neuron, where the chip is a crossbar."""
    if not placed.profile.lacks("parallel_synapses") or not placed.links.inbound:
        return
    total = placed.links.inbound[0].copy()
    for pattern in placed.links.inbound[1:]:
        total = total + pattern
    counts = np.asarray(total.max(axis=1).todense()).ravel().astype(np.int64)
    yield from worst_of_each(
        placed,
        "parallel_synapses",
        counts,
        1,
        "synapses from one source onto one neuron",
        "add the {use} up into one",
    )


def source_signs(placed: PlacedNetwork) -> Iterator[Violation]:
    """A source is excitatory or inhibitory, where the chip keeps one sign for each."""
    if not placed.profile.lacks("mixed_signs"):
        return
    synapses, n = Synapses.of(placed.network), placed.links.n_sources
    for violation in worst_of_each(
        placed,
        "source_signs",
        _distinct(synapses.source, np.sign(synapses.weight), n),
        1,
        "signs of weights from one source",
        "{where}",
    ):
        source = next(i for i in range(n) if name_of(placed.network, i) == violation.where)
        signs = np.sign(synapses.weight[synapses.source == source])
        rare = int(min(np.count_nonzero(signs > 0), np.count_nonzero(signs < 0)))
        fix = f"turn {rare:,} of its {signs.size:,} weights to the sign of the others, or split it"
        yield replace(violation, fix=f"{fix} in two")


def input_channels(placed: PlacedNetwork) -> Iterator[Violation]:
    """Spikes come in by a bounded number of channels."""
    limit = placed.profile.limit("chip.inputs")
    spiking = {p.pre for p in placed.network.projections if p.target == "synapse"}
    inputs = [p for p in placed.network.input_populations if p.name in spiking]
    n_channels = sum(p.size for p in inputs)
    if limit is not None and n_channels > limit:
        yield Violation(
            "input_channels",
            " and ".join(f"population {p.name!r}" for p in inputs),
            f"{n_channels} input channels",
            str(limit),
            f"drop or merge {n_channels - limit:,} of the {n_channels:,} channels",
            share=n_channels / limit,
        )


def input_targets(placed: PlacedNetwork) -> Iterator[Violation]:
    """Input channels have synapses onto a bounded number of neurons."""
    if (limit := placed.profile.limit("chip.input_targets")) is None:
        return
    links = placed.links
    reached = np.zeros(links.n_neurons, dtype=np.bool_)
    for pattern in links.inbound:
        reached |= np.diff(pattern[:, links.n_neurons :].indptr) > 0
    if (count := int(reached.sum())) > limit:
        names = {p.post for p in placed.network.projections if _spikes_come_in(placed, p)}
        yield Violation(
            "input_targets",
            " and ".join(f"population {name!r}" for name in sorted(names)),
            f"{count} neurons with synapses of input channels",
            str(limit),
            f"let inputs reach {count - limit:,} of these {count:,} neurons fewer",
            share=count / limit,
        )


def _spikes_come_in(placed: PlacedNetwork, projection: QuantizedProjection) -> bool:
    is_input = placed.network.population(projection.pre).is_input
    return is_input and projection.target == "synapse"


def recurrence(placed: PlacedNetwork) -> Iterator[Violation]:
    """No population sends to itself, directly or through others, where a chip has no loops."""
    if not placed.profile.lacks("recurrence"):
        return
    names = [p.name for p in placed.network.compute_populations]
    index = {name: k for k, name in enumerate(names)}
    pairs = [
        (index[p.pre], index[p.post])
        for p in placed.network.projections
        if p.target == "synapse" and p.pre in index and p.n_synapses
    ]
    graph = sparse.csr_matrix(
        (np.ones(len(pairs)), tuple(np.array(pairs, dtype=np.int64).reshape(-1, 2).T)),
        (len(names), len(names)),
    )
    label = connected_components(graph, connection="strong")[1]
    loops = sorted({int(label[pre]) for pre, post in pairs if label[pre] == label[post]})
    for loop in loops:
        members = [name for name, k in zip(names, label, strict=True) if k == loop]
        inside = [
            p.name
            for p in placed.network.projections
            if p.target == "synapse" and p.pre in members and p.post in members and p.n_synapses
        ]
        yield Violation(
            "recurrence",
            " and ".join(f"population {name!r}" for name in members),
            f"a loop of {len(inside)} projection{'s' * (len(inside) > 1)}: {', '.join(inside)}",
            f"feed-forward layers alone on {placed.profile.name}",
            "it cannot be expressed there: take another chip, or a network without loops",
        )


def subtractive_reset(placed: PlacedNetwork) -> Iterator[Violation]:
    """A spike sets the potential to 0, where a chip cannot take the threshold off it."""
    if not placed.profile.lacks("subtractive_reset"):
        return
    for population in placed.network.compute_populations:
        if population.reset != "zero":
            yield Violation(
                "subtractive_reset",
                f"population {population.name!r}",
                f"reset {population.reset!r}",
                f"reset 'zero' on {placed.profile.name}",
                "train it with a reset to zero and set its reset to 'zero', or take a chip that "
                "subtracts, such as loihi2",
            )


EXPRESSIBLE_RULES: tuple[Rule, ...] = (
    fan_in,
    fan_out,
    weight_values,
    source_delays,
    parallel_synapses,
    source_signs,
    input_channels,
    input_targets,
    recurrence,
    subtractive_reset,
)
