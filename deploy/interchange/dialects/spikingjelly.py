"""Files of SpikingJelly: literal, at the dt that its exporter was given."""

from __future__ import annotations

from typing import ClassVar

from hrsnn_lava.deploy.interchange.dialect import Dialect, Setting, euler
from hrsnn_lava.deploy.interchange.nir_file import NirGraph
from hrsnn_lava.deploy.interchange.step_model import Reset, Rule
from hrsnn_lava.deploy.interchange.wiring import NeuronPlace


class SpikingJelly(Dialect):
    """``LIFNode`` and ``CUBALIFNode`` with a hard reset, checked with SpikingJelly 2.0.0."""

    name: ClassVar[str] = "spikingjelly"
    title: ClassVar[str] = "SpikingJelly"
    dt: ClassVar[float | None] = 1e-4
    dt_origin: ClassVar[str] = "the default of its exporter's argument"
    resets: ClassVar[tuple[Reset, ...]] = ("zero",)
    reset: ClassVar[Reset | None] = "zero"
    equations: ClassVar[str] = "literal"

    def marks(self, graph: NirGraph) -> tuple[str, ...]:
        """See `Dialect.marks`."""
        inputs = [node.name for node in graph.inputs]
        ends = {node.name for node in (*graph.inputs, *graph.outputs)}
        others = [name for name in graph.nodes if name not in ends]
        numbered = [n for n in others if n.startswith("_") and n[1:].replace("_", "").isdecimal()]
        if inputs != ["input_1"] or not numbered:
            return ()
        return ("the input is named input_1", f"nodes are named {numbered[0]} and so on")

    def rule(self, place: NeuronPlace, setting: Setting) -> Rule:
        """See `Dialect.rule`."""
        return euler(place, setting)


DIALECT = SpikingJelly()
