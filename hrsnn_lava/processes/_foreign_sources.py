"""What the sources of a graph send: RingBuffers, files, and what the user says of others."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn_lava.processes._foreign_graph import ForeignGraph
from hrsnn_lava.processes._foreign_processes import RING, SOURCES, Process, kind
from hrsnn_lava.processes._foreign_values import whole
from hrsnn_lava.trace import SpikeInput

__all__ = ["checked_values", "events", "note_ends", "payload_scale", "sent_rows"]


def checked_values(graph: ForeignGraph, sent: dict[Any, ArrayLike]) -> dict[int, NDArray[Any]]:
    """What each Process of `sources` sends, by its ``id``; what cannot be taken is reported."""
    arrays = {}
    for port, values in sent.items():
        owner, where = port.process, f"sources, {graph.label(port.process)}.{port.name}"
        allowed = f"{(*port.shape, 'steps')}"
        try:
            array = np.asarray(values)
        except ValueError as error:
            array = np.zeros((*port.shape, 1), int)
            graph.report(where, f"no array ({error})", allowed)
        if id(owner) not in graph.names or port not in owner.out_ports.members:
            graph.report("sources", repr(port), "output ports of Processes of this graph")
        elif kind(owner) in SOURCES:
            graph.report(where, f"a {type(owner).__name__}, which says what it sends", "no values")
        elif array.shape[:-1] != tuple(port.shape) or array.ndim == 0:
            measured = "None" if values is None else f"shape {array.shape}"
            graph.report(where, measured, allowed)
            array = np.zeros((*port.shape, 1), int)
        arrays[id(owner)] = array
    return arrays


def note_ends(
    graph: ForeignGraph, sources: list[tuple[Process, NDArray[np.int32]]], steps: int
) -> None:
    """Note sources that do not start over, as a RingBuffer does, and end before the run."""
    for process, rows in sources:
        if kind(process) == RING or len(rows) == steps:
            continue
        short = len(rows) < steps
        graph.note(
            "source_ends" if short else "source_cut_off",
            graph.label(process),
            f"{len(rows)} steps of values in a run of {steps}",
            "nothing is sent after them" if short else "the rest is not sent",
            "a RingBuffer would start over" if short else "",
            severity="note",
        )


def payload_scale(rows: NDArray[np.int32], graded: bool) -> float | None:
    """`payload_scale` of a source: None where it sends no payload that anyone reads."""
    return 1.0 if graded and bool(np.any((rows != 0) & (rows != 1))) else None


def events(
    sources: list[tuple[Process, NDArray[np.int32]]], steps: int, with_payloads: bool
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


def sent_rows(
    graph: ForeignGraph, process: Process, sent: Mapping[int, NDArray[Any]]
) -> NDArray[np.int32]:
    """What a source sends, (n_steps, n_channels)."""
    if id(process) not in sent and kind(process) != RING:
        data = np.load(process.proc_params["path"], mmap_mode="r", allow_pickle=False)
        return whole(graph, graph.label(process), data.reshape(len(data), -1))
    data = sent[id(process)] if id(process) in sent else np.asarray(process.data.init)
    if not data.size:  # the last axis is time
        allowed = "a channel and a step at least"
        graph.report(f"{graph.label(process)}.data", f"shape {data.shape}", allowed)
        data = np.zeros((*data.shape[:-1], 1), int)
    rows = data.reshape(int(np.prod(data.shape[:-1])), data.shape[-1]).T
    return whole(graph, f"{graph.label(process)}.data", rows)
