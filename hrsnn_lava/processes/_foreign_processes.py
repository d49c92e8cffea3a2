"""Lava Processes as `from_lava` sees them: which classes it knows, what it calls them.

Processes are told apart by the full name of their class, and only their attributes are read, so
nothing here imports Lava. A subclass may have models of its own, so it is another class.
"""

from typing import Any, Protocol

from hrsnn_lava.errors import SpecError

__all__ = [
    "CONNECTIONS",
    "LEARNING",
    "NEURONS",
    "REFUSED",
    "RING",
    "SINKS",
    "SOURCES",
    "Process",
    "has_three_factors",
    "kind",
    "label",
    "ports",
    "post_factors",
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
SINKS = ("lava.proc.io.sink.Read", "lava.proc.monitor.process.Monitor")
#: Why a class is not taken, and what to do instead.
REFUSED = {
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
#: Class of the rules whose traces y1, y2 and y3 are sent to the connection.
_THREE_FACTORS = "lava.magma.core.learning.learning_rule.Loihi3FLearningRule"
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


def has_three_factors(connection: Process) -> bool:
    """Whether a connection learns by a three-factor rule."""
    if kind(connection) not in LEARNING:
        return False
    families = type(connection.proc_params["learning_rule"]).__mro__
    return any(f"{c.__module__}.{c.__qualname__}" == _THREE_FACTORS for c in families)


def post_factors(connection: Process) -> list[str]:
    """Those of y1, y2 and y3 that the rule of a connection reads."""
    series = connection.proc_params["learning_rule"].active_product_series.values()
    variables = {f.state_var for s in series for p in s.products for f in p.factors}
    return [name for name in ("y1", "y2", "y3") if name in variables]


def ports(process: Process) -> list[Any]:
    """All ports of a Process."""
    return [port for name in _PORTS for port in getattr(process, name).members]


def reachable(process: Process) -> list[Process]:
    """All Processes connected to one, as Lava's compiler finds them, in order of creation.

    Raises `SpecError` where `process` is none.
    """
    if not all(hasattr(process, name) for name in ("id", "proc_params", *_PORTS)):
        raise SpecError(f"a Lava Process is expected; found: {type(process).__name__}")
    reached, waiting = {id(process): process}, [process]
    while waiting:
        current = waiting.pop()
        linked = [
            p for port in ports(current) for p in (*port.get_src_ports(), *port.get_dst_ports())
        ]
        neighbours = [other.process for other in linked]
        if current.parent_proc is not None:  # compiled by Lava: ports lead past the outer Process
            neighbours.append(current.parent_proc)
        for other in neighbours:
            if id(other) not in reached:
                reached[id(other)] = other
                waiting.append(other)
    return sorted(reached.values(), key=lambda p: int(p.id))
