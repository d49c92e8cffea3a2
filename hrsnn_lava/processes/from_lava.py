"""Reads a graph of stock Lava Processes into a `QuantizedNetwork` that behaves bit for bit alike.

The graph is taken as Lava's fixed-point models run it (``select_tag="fixed_pt"``): weights lose
their fractions, the sign mode is the one that Lava detects, and both are written down. What cannot
be taken is named, all at once. Nothing here imports Lava: see `from_lava_graph`.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import NetworkError, Problem, SpecError, raise_if
from hrsnn_lava.integer_format import INT32
from hrsnn_lava.processes.from_lava_graph import (
    CONNECTIONS,
    NEURONS,
    RING,
    SOURCES,
    LavaGraph,
    kind,
    label,
    links,
    reachable,
)
from hrsnn_lava.processes.from_lava_parts import learning, population, sent_rows, synapses
from hrsnn_lava.quantized import QuantizedInput, QuantizedNetwork, QuantizedProjection
from hrsnn_lava.trace import SpikeInput

__all__ = ["FromLava", "from_lava"]


class FromLava(NamedTuple):
    """A graph that was read: what `hl.simulate` and `hl.verify` take, in their order.

    Attributes:
        network: populations and projections in the order in which the Processes were created,
            under the names that these were given; unnamed ones are ``lif_1``, ``dense_1``,
            ``input_1`` and so on.
        inputs: what the sources of the graph send, None without a source.
        steps: number of steps that `inputs` covers.
    """

    network: QuantizedNetwork
    inputs: SpikeInput | None
    steps: int


def from_lava(process: Any, steps: int | None = None) -> FromLava:
    """Read the graph that `process` belongs to, before it runs.

    ``hl.simulate(*hl.from_lava(lif, steps=100))`` gives the spikes that ``lif.run(RunSteps(100),
    Loihi2SimCfg(select_tag="fixed_pt"))`` gives in Lava. Step 0 here is Lava's time step 1.

    Args:
        process: any Process of the graph.
        steps: length of the run; a `RingBuffer` starts over as often as needed. By default the
            length of the longest source.

    Raises:
        SpecError: `process` is no Lava Process, `steps` is missing, or the graph has parts that
            cannot be taken; every one of them is named.
    """
    problems: list[Problem] = []
    graph = LavaGraph(reachable(process), problems)
    graph.check_ports()
    sources = [(p, sent_rows(p)) for p in graph.of(SOURCES)]
    if steps is None:
        steps = max((len(rows) for _, rows in sources), default=0)
    if steps < 1:
        fix = "say how many steps the run has"
        problems.append(Problem("steps", str(steps), "a number >= 1", fix))
    neurons = [population(graph, p) for p in graph.of(NEURONS)]
    peaks = {id(p): np.abs(rows.astype(np.int64)).max(axis=0, initial=0) for p, rows in sources}
    projections = [q for p in graph.of(CONNECTIONS) for q in _projections(graph, p, peaks)]
    graded = {q.pre for q in projections if q.num_message_bits}
    channels = [
        QuantizedInput(
            graph.names[id(p)], rows.shape[1], _scale(rows, graph.names[id(p)] in graded)
        )
        for p, rows in sources
    ]
    network = QuantizedNetwork((*channels, *filter(None, neurons)), tuple(projections))
    if not problems:
        try:
            network.verify()
        except NetworkError as error:
            problems += error.problems
    raise_if(SpecError, "this Lava graph cannot be taken", problems)
    with_payloads = any(channel.payload_scale is not None for channel in channels)
    return FromLava(network, _events(sources, steps, with_payloads), steps)


def _projections(graph: LavaGraph, process: Any, peaks: dict[int, Any]) -> list[Any]:
    """The projections of one connection, one for each population that it feeds."""
    sources = list(links(process.s_in))
    targets = graph.targets(process)
    if len(sources) != 1 or id(sources[0].process) not in graph.names:
        return []  # nothing arrives, or what arrives is named already
    source = sources[0]
    found = synapses(graph, process)
    options = found.options
    peak = peaks.get(id(source.process))
    if peak is None:
        options["num_message_bits"] = 0  # neurons send 0 and 1, with which both do the same
    elif source.order is not None and options["num_message_bits"] and options["weight_exp"] < 0:
        # Lava wraps the sum to 32 bits before the shift to the right
        most = int((abs(found.matrix().astype(np.int64)) @ peak[source.order]).max(initial=0))
        if most > INT32[1]:
            graph.report(f"{label(process)}.weights", f"sums of payloads up to {most}", "32 bits")
    result = []
    for target, link in targets:
        if source.order is None or link.order is None:
            continue
        suffix = f"_to_{graph.names[id(target)]}" if len(targets) > 1 else ""
        placed = found.moved(rows=np.argsort(link.order), cols=source.order)
        result.append(
            QuantizedProjection(
                graph.names[id(process)] + suffix,
                graph.names[id(source.process)],
                graph.names[id(target)],
                placed.matrix(),
                delays=placed.delays,
                learning=learning(graph, process, placed),
                **options,
            )
        )
    return result


def _scale(rows: NDArray[np.int32], graded: bool) -> float | None:
    """`payload_scale` of a source: None where it sends no payload that anyone reads."""
    return 1.0 if graded and bool(np.any((rows != 0) & (rows != 1))) else None


def _events(
    sources: list[tuple[Any, NDArray[np.int32]]], steps: int, with_payloads: bool
) -> SpikeInput | None:
    """What the sources send in `steps` steps; a RingBuffer starts over, a file does not."""
    if not sources:
        return None
    at, who, values, first = [], [], [], 0
    for process, rows in sources:
        step, channel = np.nonzero(rows)
        rounds = -(-steps // len(rows)) if kind(process) == RING else 1
        times = np.add.outer(np.arange(rounds) * len(rows), step).ravel()
        inside = times < steps
        at.append(times[inside])
        who.append(np.tile(channel, rounds)[inside] + first)
        values.append(np.tile(rows[step, channel], rounds)[inside])
        first += rows.shape[1]
    payloads = np.concatenate(values) if with_payloads else None
    return SpikeInput(np.concatenate(at), np.concatenate(who), steps, first, payloads)
