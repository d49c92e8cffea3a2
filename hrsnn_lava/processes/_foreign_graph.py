"""The graph that `from_lava` is given: which Processes, under which names, how connected."""

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.chip_learning import POST_TRACES
from hrsnn_lava.errors import Problem
from hrsnn_lava.findings import Finding, Severity
from hrsnn_lava.processes._foreign_processes import (
    CONNECTIONS,
    LEARNING,
    NEURONS,
    REFUSED,
    SINKS,
    SOURCES,
    Process,
    has_three_factors,
    kind,
    label,
    post_factors,
)
from hrsnn_lava.processes._hierarchy import Entered

__all__ = ["ForeignGraph", "Link"]

_TAKEN = (*NEURONS, *SOURCES, *CONNECTIONS)


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


def _links(port: Any, between: tuple[Any, ...] = ()) -> Iterator[Link]:
    """Follow a port back to where its values come from, through reshaped and transposed ones."""
    for before in port.in_connections:
        path = (before, *between) if hasattr(before, "get_transform_func_fwd") else between
        if before.in_connections:
            yield from _links(before, path)
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
        problems: what cannot be taken; it grows.
        findings: what a user has to know about what is taken; it grows.
        silent: Processes of the user's that send nothing, and are left out.
    """

    def __init__(self, entered: Entered, sent: Collection[Any] = ()) -> None:
        """`sent`: output ports of the user's Processes whose values are known."""
        self.problems: list[Problem] = []
        self.findings: list[Finding] = []
        self.names: dict[int, str] = {}
        self.silent: list[Process] = []
        self._entered = entered
        self._refused: dict[int, Process] = {}
        self._sent = {id(port.process): port for port in sent}
        self._processes = [p for p in entered.processes if self._is_taken(p)]
        for process in entered.processes:
            if not self._is_taken(process) and kind(process) not in SINKS:
                self._refuse_unless_it_only_listens(process)
        for process in self._processes:
            if process.runtime is not None:
                self.report(self.label(process), "it is running", "a graph that has not run yet")
            self.names[id(process)] = self._free_name(process)

    def of(self, kinds: Collection[str]) -> list[Process]:
        """The Processes of these classes."""
        return [process for process in self._processes if kind(process) in kinds]

    @property
    def is_flat(self) -> bool:
        """Whether no Process was entered."""
        return not self._entered.outer

    @property
    def sources(self) -> list[Process]:
        """The Processes that send what is known beforehand."""
        return [p for p in self._processes if kind(p) in SOURCES or id(p) in self._sent]

    def label(self, process: Process) -> str:
        """A Process in words; an inner one by its attribute and the Process that it is part of."""
        return self._entered.places.get(id(process), label(process))

    def report(self, where: str, measured: str, allowed: str = "", fix: str = "") -> None:
        """Remember that something cannot be taken."""
        self.problems.append(Problem(where, measured, allowed, fix))

    def note(
        self,
        kind: str,
        where: str,
        measured: str,
        meaning: str,
        fix: str = "",
        severity: Severity = "warning",
    ) -> None:
        """Remember a finding."""
        self.findings.append(Finding(severity, where, measured, meaning, fix, kind=kind))

    def is_refused(self, process: Process) -> bool:
        """Whether a Process is named as one that is not taken; nothing more is said about it."""
        return id(process) in self._refused

    @property
    def has_refused_senders(self) -> bool:
        """Whether something that is not taken would send."""
        return any(p.out_ports.members for p in self._refused.values())

    def links(self, port: Any) -> Iterator[Link]:
        """What arrives at a port; nothing comes from open ports of hierarchical Processes."""
        for link in _links(port):
            if id(link.process) not in self._entered.outer:
                yield link

    def targets(self, connection: Process) -> list[tuple[Process, Link]]:
        """The neurons that a connection feeds, each with the way there."""
        return [
            (neurons, link)
            for neurons in self.of(NEURONS)
            for link in self.links(neurons.a_in)
            if link.process is connection
        ]

    def factor_links(self, connection: Process) -> dict[str, Link]:
        """Who sends y1, y2 and y3 of a three-factor rule, by trace; there is one sender at most."""
        arriving = {y: list(self.links(getattr(connection, f"s_in_{y}"))) for y in POST_TRACES}
        return {y: links[0] for y, links in arriving.items() if links}

    def factor_order(self, connection: Process, link: Link) -> NDArray[np.int64] | None:
        """Element of what a sender sends, for each neuron that a connection feeds."""
        feeds = [way.order for _, way in self.targets(connection)]
        if len(feeds) != 1 or feeds[0] is None or link.order is None:
            return None
        return link.order[feeds[0]]

    def _is_taken_factor(self, connection: Process) -> bool:
        """Whether all senders of y1, y2 and y3 are such as are taken."""
        for y in POST_TRACES:
            links = list(self.links(getattr(connection, f"s_in_{y}")))
            if len(links) > 1 or any(not self._is_factor(connection, link) for link in links):
                return False
        return True

    def _is_factor(self, connection: Process, link: Link) -> bool:
        """Whether a sender of y1, y2 or y3 is taken: a source or neurons in order, or weights."""
        sender, name = kind(link.process), link.port.name
        if link.order is None or id(link.process) not in self.names:
            return False
        if sender in CONNECTIONS:
            return sender not in LEARNING and name == "a_out"
        order = self.factor_order(connection, link)
        in_order = order is None or np.array_equal(order, np.arange(order.size))
        known = link.port is self._sent.get(id(link.process))
        return in_order and (known or (sender in (*NEURONS, *SOURCES) and name == "s_out"))

    def check_ports(self) -> None:
        """Report what arrives at a port from where it cannot be taken."""
        every = [process for process in self.of(LEARNING) if has_three_factors(process)]
        three = [process for process in every if not self._is_taken_factor(process)]
        for process in self._processes:
            for port in process.in_ports.members:
                if process in three and port.name != "s_in":
                    continue  # named with the rule
                if three and port.name == "a_third_factor_in":
                    continue
                if process in every and port.name.startswith("s_in_y"):
                    continue  # see `_is_taken_factor`
                for link in self.links(port):
                    self._check_link(process, port, link)
        for process in self.of(CONNECTIONS):
            arriving = len(list(self.links(process.s_in)))
            if arriving > 1:
                measured = f"{arriving} senders, which Lava adds up before it weighs them"
                where = f"{self.label(process)}.s_in"
                self.report(where, measured, "one", "use a connection for each")
        for process in three:
            self._refuse_third_factor(process)
        for process in self.of(LEARNING):
            if process in three:
                continue
            fed = [target for target, _ in self.targets(process)]
            spikes = list(self.links(process.s_in_bap))
            heard = [link.process for link in spikes]
            around = [*heard, *(port.process for port in process.a_out.get_dst_ports())]
            if any(self.is_refused(other) for other in around):
                continue
            if len(fed) == 1 and process in every and not heard:
                continue  # a rule with a third factor may do without postsynaptic spikes
            if len(fed) != 1 or len(heard) != 1 or fed[0] is not heard[0]:
                hears = f"a_out feeds {self._listed(fed)}, s_in_bap hears {self._listed(heard)}"
                allowed = "one population of neurons, the same at both"
                self.report(self.label(process), hears, allowed)
                continue
            # row r of the weights learns from spike r, and must feed the neuron that sent it
            rows = next(way.order for _, way in self.targets(process))
            learns = spikes[0].order
            if rows is None or learns is None:
                continue  # named as concatenated
            feeds = np.empty_like(rows)
            feeds[rows] = np.arange(rows.size)
            wrong = np.flatnonzero(learns != feeds)
            if wrong.size:
                r = wrong[0]
                measured = f"row {r} feeds neuron {feeds[r]} and learns from neuron {learns[r]}"
                self.report(
                    self.label(process), measured, "the same neuron", "turn both ports alike"
                )

    def _refuse_third_factor(self, connection: Process) -> None:
        """Name a three-factor rule with what would send its factors, unless that is named."""
        factors = {y: list(self.links(getattr(connection, f"s_in_{y}"))) for y in POST_TRACES}
        senders = [link.process for links in factors.values() for link in links]
        if any(self.is_refused(sender) for sender in senders):
            return
        said = []
        for name, links in factors.items():
            sources = dict.fromkeys(
                f"{self.label(link.process)}.{link.port.name}"
                + ("" if self._is_factor(connection, link) else ", not taken")
                for link in links
            )
            if sources or name in post_factors(connection):
                said.append(f"{name} from {' and '.join(sources) or 'nothing'}")
        rule = type(connection.proc_params["learning_rule"]).__name__
        self.report(
            f"{self.label(connection)}.learning_rule",
            f"{rule}, whose third factor is sent to it ({'; '.join(said)})",
            "y1, y2 and y3 from one sender each: s_out of a source or of neurons, in their order, "
            "or a_out of a connection whose weights are fixed",
            "three-factor rules with other senders run in Lava alone",
        )

    def _check_link(self, process: Process, port: Any, link: Link) -> None:
        edge = f"{self.label(link.process)}.{link.port.name} -> {self.label(process)}.{port.name}"
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
            known = port.name == "s_in" and link.port is self._sent.get(id(link.process))
            if not known and sender not in allowed.get(port.name, []):
                fix = "put a Dense between" if port.name == "a_in" else ""
                self.report(edge, "a link of another kind", "neurons and connections in turn", fix)

    def _is_taken(self, process: Process) -> bool:
        if id(process) in self._entered.causes and kind(process) in _TAKEN:
            return False  # Lava would not run it
        return kind(process) in _TAKEN or id(process) in self._sent

    def _refuse_unless_it_only_listens(self, process: Process) -> None:
        sending = (*process.out_ports.members, *process.ref_ports.members)
        if kind(process) in REFUSED:
            cause, fix = REFUSED[kind(process)]
            self._refused[id(process)] = process
            self.report(self.label(process), cause, fix=fix)
        elif any(port.out_connections for port in sending):
            self.refuse(process)
        elif not type(process).__module__.startswith("lava."):
            self.silent.append(process)

    def refuse(self, process: Process) -> None:
        """Name a Process of the user's, once."""
        self._refused[id(process)] = process
        bases = [c for c in type(process).__mro__ if f"{c.__module__}.{c.__name__}" in _TAKEN]
        fix = "pass its inner Processes, or give it a SubProcessModel of Lava's own Processes"
        fix = f"use {bases[0].__name__} itself" if bases else fix
        weighed = [port for port in process.out_ports.members if _is_weighed(port)]
        if weighed and not _hears(process):
            fix += f"; or say what it sends: sources={{process.{weighed[0].name}: values}}"
        cause = self._entered.causes.get(id(process), "it has no counterpart here")
        if taught := _taught(process):
            listed = ", ".join(f"{self.label(c)} ({', '.join(post_factors(c))})" for c in taught)
            cause += f", which sends the third factor of {listed}"
            if not weighed or _hears(process):
                fix = "what RingBuffer, LIF or Dense send as third factor is taken; such neurons "
                fix += "run in Lava alone"
        self.report(self.label(process), cause, fix=fix)

    def _free_name(self, process: Process) -> str:
        """The Process's name; Lava's default one counts all Processes of a session."""
        in_use = set(self.names.values())
        given = str(process.name)  # Lava takes anything for one
        default = given == f"Process_{process.id}"
        if not default and given not in in_use:
            return given
        stem = type(process).__name__.lower() if default else given
        stem = "input" if default and kind(process) in SOURCES else stem
        numbers = range(1 if default else 2, len(self._processes) + 3)
        return next(name for k in numbers if (name := f"{stem}_{k}") not in in_use)

    def _listed(self, processes: list[Process]) -> str:
        return ", ".join(self.label(process) for process in processes) or "nothing"


def _is_weighed(port: Any) -> bool:
    """Whether an output port leads to connections alone, as spikes or as a third factor."""
    ends = port.get_dst_ports()
    names = ("s_in", *(f"s_in_{y}" for y in POST_TRACES))
    return bool(ends) and all(kind(e.process) in CONNECTIONS and e.name in names for e in ends)


def _hears(process: Process) -> bool:
    """Whether anything is sent to a Process."""
    return any(port.in_connections for port in process.in_ports.members)


def _taught(process: Process) -> list[Process]:
    """Connections with a three-factor rule to whose y1, y2 or y3 a Process sends."""
    ends = [end for port in process.out_ports.members for end in port.get_dst_ports()]
    found = [end.process for end in ends if end.name.startswith("s_in_y")]
    return [connection for connection in dict.fromkeys(found) if has_three_factors(connection)]
