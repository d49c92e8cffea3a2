"""Files of Spyx: time constants in steps, no gain, every layer one step later."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import ClassVar

import numpy as np

from hrsnn_lava.deploy.interchange.dialect import Dialect, Setting, refused
from hrsnn_lava.deploy.interchange.nir_file import NirGraph
from hrsnn_lava.deploy.interchange.step_model import Reset, Rule
from hrsnn_lava.deploy.interchange.wiring import NeuronPlace

_NAME = re.compile(r"layer_\d+")


class Spyx(Dialect):
    """``LIF`` and ``RLIF``, checked with Spyx 1.0.0.

    A spike says that the potential of the step before was above the threshold. The file's r is the
    decay b = 1 - 1 / tau, where the framework has a gain of 1. Inputs of a recurrent layer go
    straight to its neurons; the file leads them through the recurrent weights.
    """

    name: ClassVar[str] = "spyx"
    title: ClassVar[str] = "Spyx"
    dt: ClassVar[float | None] = 1e-3
    dt_origin: ClassVar[str] = "time constants are in steps, and no file says how long one is"
    resets: ClassVar[tuple[Reset, ...]] = ("subtract_next",)
    reset: ClassVar[Reset | None] = "subtract_next"
    equations: ClassVar[str] = "z = v > threshold; v' = b v + x - threshold z, b = 1 - 1 / tau"

    def marks(self, graph: NirGraph) -> tuple[str, ...]:
        """See `Dialect.marks`."""
        ends = {node.name for node in (*graph.inputs, *graph.outputs)}
        others = [name for name in graph.nodes if name not in ends]
        if not others or not all(_NAME.match(name) for name in others):
            return ()
        marks = ["nodes are named layer_0, layer_1 and so on"]
        lifs = graph.of_type("LIF")
        if lifs and all(
            np.allclose(node.parameter("r"), 1.0 - 1.0 / node.parameter("tau"), atol=1e-4)
            for node in lifs
        ):
            marks.append("r = 1 - 1 / tau in every LIF")
        return tuple(marks)

    def file_step(self, dt: float) -> float:
        """See `Dialect.file_step`; time constants are in steps."""
        del dt
        return 1.0

    def rewired(self, graph: NirGraph) -> NirGraph:
        """See `Dialect.rewired`."""
        edges = []
        for a, b in graph.edges:
            stem = b.removesuffix(".w_rec")
            straight = f"{stem}.lif"
            if b != stem and a != straight and straight in graph.nodes:
                b = straight
            edges.append((a, b))
        return replace(graph, edges=tuple(sorted(set(edges))))

    def rule(self, place: NeuronPlace, setting: Setting) -> Rule:
        """See `Dialect.rule`."""
        if place.node.type != "LIF":
            raise refused(place, "the order of Spyx's updates is not known", "LIF")
        zero, one = np.zeros(place.size), np.ones(place.size)
        beta = 1.0 - 1.0 / place.values("tau")
        if (beta < 0).any():
            raise refused(place, f"tau {place.values('tau').min():g}", "time constants >= 1 step")
        threshold = place.values("v_threshold")
        rule = Rule(zero, one, beta, one, zero, threshold, setting.reset)
        return replace(rule, lag=1)


DIALECT = Spyx()
