"""Files of snnTorch: Euler at 1e-4 s, and a reset that comes one step later."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from hrsnn_lava.deploy.interchange.dialect import Dialect, Setting, euler, ratio_is
from hrsnn_lava.deploy.interchange.nir_file import NirGraph
from hrsnn_lava.deploy.interchange.step_model import Reset, Rule
from hrsnn_lava.deploy.interchange.wiring import NeuronPlace

_STEP = 1e-4


class SnnTorch(Dialect):
    """``Leaky``, ``Synaptic``, ``RLeaky`` and ``RSynaptic``, checked with snnTorch 1.0.0.

    The exporter makes tau and r of the decay at 1e-4 s, so that r step / tau is 1. With a reset by
    subtraction the threshold goes off one step later, after the decay. With a reset to zero a
    neuron is held at zero for one step after its spike; a Leaky alone, feed-forward and without a
    synaptic current, is not.
    """

    name: ClassVar[str] = "snntorch"
    title: ClassVar[str] = "snnTorch"
    dt: ClassVar[float | None] = _STEP
    dt_origin: ClassVar[str] = "fixed in snnTorch's exporter"
    resets: ClassVar[tuple[Reset, ...]] = ("zero", "subtract_next")
    equations: ClassVar[str] = (
        "zero: literal, all but Leaky held at 0 for one step after a spike; subtract: "
        "v' = beta v + drive - threshold z of the step before"
    )

    def marks(self, graph: NirGraph) -> tuple[str, ...]:
        """See `Dialect.marks`."""
        if any(node.name.startswith("input_") for node in graph.inputs):
            return ()  # SpikingJelly's, of which some neurons have the same gain
        marks = []
        names = [n.removesuffix(".lif") for n in graph.nodes if n.endswith(".lif")]
        paired = [n for n in names if f"{n}.w_rec" in graph.nodes]
        pairs = [n for n in paired if f"{n}.w_rec" in graph.after[f"{n}.lif"]]
        if pairs and not graph.inner:
            marks.append(f"a flat pair {pairs[0]}.lif, {pairs[0]}.w_rec")
        if ratio_is(graph, {"LIF": ("r", "tau"), "CubaLIF": ("w_in", "tau_syn")}, _STEP):
            marks.append("r = tau / 1e-4 s, or w_in = tau_syn / 1e-4 s, in every neuron")
        return tuple(marks)

    def rule(self, place: NeuronPlace, setting: Setting) -> Rule:
        """See `Dialect.rule`."""
        rule = euler(place, setting)
        leaky = place.node.type == "LIF" and not place.recurrent
        held = setting.reset == "zero" and not leaky
        return replace(rule, hold=1) if held else rule


DIALECT = SnnTorch()
