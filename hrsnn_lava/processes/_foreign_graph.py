"""The graph that `from_lava` is given: which Processes, under which names, how connected.

Processes are told apart by the full name of their class, and only their attributes are read, so
nothing here imports Lava. A subclass may have models of its own, so it is another class.
"""

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import Problem, SpecError

__all__ = [
    "CONNECTIONS",
    "LEARNING",
    "NEURONS",
    "RING",
    "SOURCES",
    "ForeignGraph",
    "Link",
    "Process",
    "kind",
    "label",
    "links",
    "reachable",
]

_LIF, _DENSE, _SPARSE = (f"lava.proc.{m}.process." for m in ("lif", "dense", "sparse"))
_OURS = "hrsnn_lava.processes."
NEURONS = (f"{_LIF}LIF", f"{_LIF}LearningLIF", f"{_OURS}lif.HeterogeneousLIF")
LEARNING = (f"{_DENSE}LearningDense", f"{_SPARSE}LearningSparse")
CONNECTIONS = (
    f"{_DENSE}Dense",
    f"{_SPARSE}Sparse",
    f"{_DENSE}DelayDense",
    f"{_SPARSE}DelaySparse",
    *LEARNING,
)
RING = "lava.proc.io.source.RingBuffer"
SOURCES = (RING, f"{_OURS}mapped_files.MmapSource")
#: Read states through a RefPort, and change nothing.
_SINKS = ("lava.proc.io.sink.Read", "lava.proc.monitor.process.Monitor")
#: Why a class is not taken, and what to do instead.
_REFUSED = {
    f"{_LIF}LIFRefractory": (
        "Lava has no fixed-point model of it",
        "use HeterogeneousLIF(refractory=...)",
    ),
    f"{_LIF}LIFReset": (
        "the clock resets its state",
        "run every sample by itself, from rest",
    ),
    f"{_LIF}TernaryLIF": ("its spikes have a sign", "use two populations of LIF"),
}
_PORTS = ("in_ports", "out_ports", "ref_ports", "var_ports")


class Process(Protocol):
    """What is read of every Lava Process; the rest depends on its class."""

    @property
    def name(self) -> str:
        """Its own, or ``Process_ID``."""

    @property
    def id(self) -> int:
        """Counts all Processes of a session."""

    def __getattr__(self, name: str, /) -> Any:
        """Ports, Vars and parameters of its class."""


def kind(process: Process) -> str:
    """Full name of a Process's class."""
    return f"{type(process).__module__}.{type(process).__qualname__}"


def label(process: Process) -> str:
    """A Process in words: ``LIF 'exc'``."""
    return f"{type(process).__name__} {process.name!r}"


def reachable(process: Process) -> list[Process]:
    """All Processes connected to one, as Lava's compiler finds them, in order of creation.

    Raises `SpecError` where `process` is none.
    """
    if not all(hasattr(process, name) for name in ("id", "proc_params", *_PORTS)):
        raise SpecError(f"a Lava Process is expected; found: {type(process).__name__}")
    reached, waiting = {id(process): process}, [process]
    while waiting:
        current = waiting.pop()
        for port in (port for name in _PORTS for port in getattr(current, name).members):
            for other in (*port.get_src_ports(), *port.get_dst_ports()):
                if id(other.process) not in reached:
                    reached[id(other.process)] = other.process
                    waiting.append(other.process)
    return sorted(reached.values(), key=lambda p: int(p.id))


class Link(NamedTuple):
    """What arrives at a port: element i is element ``order[i]`` of what `port` sends, both flat.

    `order` is None for concatenated ports, which Lava does not run either.
    """

    port: Any
    order: NDArray[np.int64] | None

    @property
    def process(self) -> Process:
        """The Process that sends."""
        sender: Process = self.port.process
        return sender


def links(port: Any, between: tuple[Any, ...] = ()) -> Iterator[Link]:
    """Follow a port back to the ports that send, through reshaped and transposed ones."""
    for before in port.in_connections:
        path = (before, *between) if hasattr(before, "get_transform_func_fwd") else between
        if before.in_connections:
            yield from links(before, path)
            continue
        index = np.arange(int(np.prod(before.shape)), dtype=np.int64).reshape(before.shape)
        try:
            for step in path:
                index = step.get_transform_func_fwd()(index)
        except NotImplementedError:
            yield Link(before, None)
        else:
            yield Link(before, index.ravel())


class ForeignGraph:
    """The Processes that are taken, and everything that is wrong with the graph.

    Attributes:
        names: name of a population or projection by ``id`` of its Process.
        problems: the list given, which grows.
    """

    def __init__(self, processes: list[Process], problems: list[Problem]) -> None:
        self.problems = problems
        self.names: dict[int, str] = {}
        self._processes = [p for p in processes if kind(p) in (*NEURONS, *SOURCES, *CONNECTIONS)]
        for process in processes:
            if kind(process) not in (*NEURONS, *SOURCES, *CONNECTIONS, *_SINKS):
                self._refuse_unless_it_only_listens(process)
        for process in self._processes:
            if process.runtime is not None:
                self.report(label(process), "it is running", "a graph that has not run yet")
            self.names[id(process)] = self._free_name(process)

    def of(self, kinds: Collection[str]) -> list[Process]:
        """The Processes of these classes."""
        return [process for process in self._processes if kind(process) in kinds]

    def report(self, where: str, measured: str, allowed: str = "", fix: str = "") -> None:
        """Remember that something cannot be taken."""
        self.problems.append(Problem(where, measured, allowed, fix))

    def targets(self, connection: Process) -> list[tuple[Process, Link]]:
        """The neurons that a connection feeds, each with the way there."""
        return [
            (neurons, link)
            for neurons in self.of(NEURONS)
            for link in links(neurons.a_in)
            if link.process is connection
        ]

    def check_ports(self) -> None:
        """Report what arrives at a port from where it cannot be taken."""
        for process in self._processes:
            for port in process.in_ports.members:
                for link in links(port):
                    self._check_link(process, port, link)
        for process in self.of(CONNECTIONS):
            arriving = len(list(links(process.s_in)))
            if arriving > 1:
                measured = f"{arriving} senders, which Lava adds up before it weighs them"
                self.report(f"{label(process)}.s_in", measured, "one", "use a connection for each")
        for process in self.of(LEARNING):
            fed = [target for target, _ in self.targets(process)]
            heard = [link.process for link in links(process.s_in_bap)]
            if len(fed) != 1 or len(heard) != 1 or fed[0] is not heard[0]:
                measured = f"a_out feeds {_listed(fed)}, s_in_bap hears {_listed(heard)}"
                self.report(label(process), measured, "one population of neurons, the same at both")

    def _check_link(self, process: Process, port: Any, link: Link) -> None:
        edge = f"{label(link.process)}.{link.port.name} -> {label(process)}.{port.name}"
        if link.order is None:
            self.report(edge, "concatenated ports", "a Process of its own for each")
        elif id(link.process) in self.names:  # others are named already
            sender = (kind(link.process), link.port.name)
            spikes = [(k, "s_out") for k in NEURONS]
            allowed = {
                "a_in": [(k, "a_out") for k in CONNECTIONS],
                "s_in": [*spikes, *((k, "s_out") for k in SOURCES)],
                "s_in_bap": spikes,
            }
            if sender not in allowed.get(port.name, []):
                fix = "put a Dense between" if port.name == "a_in" else ""
                self.report(edge, "a link of another kind", "neurons and connections in turn", fix)

    def _refuse_unless_it_only_listens(self, process: Process) -> None:
        cause, fix = _REFUSED.get(kind(process), ("it has no counterpart here", ""))
        sending = (*process.out_ports.members, *process.ref_ports.members)
        if kind(process) in _REFUSED or any(port.out_connections for port in sending):
            self.report(label(process), cause, fix=fix)

    def _free_name(self, process: Process) -> str:
        """The Process's name; Lava's default one counts all Processes of a session."""
        in_use = set(self.names.values())
        default = process.name == f"Process_{process.id}"
        if not default and process.name not in in_use:
            return str(process.name)
        stem = type(process).__name__.lower() if default else process.name
        stem = "input" if default and kind(process) in SOURCES else stem
        numbers = range(1 if default else 2, len(self._processes) + 3)
        return next(name for k in numbers if (name := f"{stem}_{k}") not in in_use)


def _listed(processes: list[Process]) -> str:
    return ", ".join(label(process) for process in processes) or "nothing"
