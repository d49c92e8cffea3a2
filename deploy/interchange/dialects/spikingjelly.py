"""Files of SpikingJelly: literal, at the dt that its exporter was given."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from hrsnn_lava.deploy.interchange.dialect import Dialect, Setting, euler
from hrsnn_lava.deploy.interchange.nir_file import NirGraph
from hrsnn_lava.deploy.interchange.step_model import Reset, Rule
from hrsnn_lava.deploy.interchange.wiring import NeuronPlace
from hrsnn_lava.errors import Problem, SpecError


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
        rule = euler(place, setting)
        _require_step(place, rule, setting.dt)
        return rule


def _require_step(place: NeuronPlace, rule: Rule, dt: float) -> None:
    """Refuse a step that is not the one which r says: the input of a neuron has the gain 1.

    Only the r of a LIF that decays its input, which is 1, does not tell.
    """
    kind, r = place.node.type, place.values("r")
    if kind not in ("IF", "LIF", "CubaLIF") or np.allclose(rule.gain, 1.0, rtol=1e-3):
        return
    if (r <= 0).any() or (kind == "LIF" and (r == 1.0).all()):
        return
    times = {"IF": np.ones(place.size), "LIF": place.values("tau")}
    steps = times.get(kind, place.values("tau_mem")) / r
    told = float(np.median(steps))
    if not np.allclose(steps, told, rtol=1e-3):  # not of its exporter
        return
    text = f"{dt:g} s, where r of {place.node.name!r} says {told:g}"
    fix = f"give dt {told:g}, the argument that its exporter had; or read it by its equations"
    problem = Problem("dt", text, f"{told:g}", f"{fix} (literal)")
    raise SpecError("dialect spikingjelly: the step is none of this file", problems=[problem])


DIALECT = SpikingJelly()
