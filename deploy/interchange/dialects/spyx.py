"""Files of Spyx: decays, no gain, every layer one step later, pictures with channels last."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.deploy.interchange.dialect import Dialect, Setting, refused
from hrsnn_lava.deploy.interchange.linear_maps import CHANNELS_LAST
from hrsnn_lava.deploy.interchange.nir_file import NirGraph
from hrsnn_lava.deploy.interchange.step_model import Reset, Rule
from hrsnn_lava.deploy.interchange.wiring import NeuronPlace
from hrsnn_lava.errors import ArtifactError, Problem, raise_if

Float = NDArray[np.float64]
_NAME = re.compile(r"layer_\d+")


class Spyx(Dialect):
    """``IF``, ``LIF``, ``CuBaLIF`` and their recurrent kinds, checked with Spyx 1.0.0.

    A spike says that the potential of the step before was above the threshold; a CuBaLIF subtracts
    before the decay, the others after it. The file's r is the decay b = 1 - dt / tau, where the
    framework has a gain of 1. Inputs of a recurrent layer go straight to its neurons; the file
    leads them through the recurrent weights. Pictures have their channels last in the framework, so
    that weights behind a Flatten are for values in another order than the file says.
    """

    name: ClassVar[str] = "spyx"
    title: ClassVar[str] = "Spyx"
    dt: ClassVar[float | None] = 1e-3
    dt_origin: ClassVar[str] = "the files hold decays, and none says how long a step is"
    resets: ClassVar[tuple[Reset, ...]] = ("subtract_next",)
    reset: ClassVar[Reset | None] = "subtract_next"
    equations: ClassVar[str] = (
        "z = v > threshold; v' = b v + x - threshold z; CuBaLIF: i' = a i + x; "
        "v' = b (v - threshold z) + i'"
    )

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
        nodes = dict(graph.nodes)
        for node in graph.of_type("Flatten"):
            arrays = {**node.arrays, CHANNELS_LAST: np.ones((), dtype=np.int64)}
            nodes[node.name] = replace(node, arrays=arrays)
        problems = [
            Problem(
                f"node {node.name!r}",
                "a SumPool padded as SAME: the file has the sum of both sides",
                "padding VALID",
            )
            for node in graph.of_type("SumPool2d")
            if node.arrays["padding"].any()
        ]
        raise_if(ArtifactError, f"{graph.source}: cannot be imported", problems)
        return replace(graph, nodes=nodes, edges=tuple(sorted(set(edges))))

    def rule(self, place: NeuronPlace, setting: Setting) -> Rule:
        """See `Dialect.rule`."""
        if place.node.type not in ("IF", "LIF", "CubaLIF"):
            raise refused(place, "Spyx's spikes of it are not known", "IF, LIF or CubaLIF")
        zero, one = np.zeros(place.size), np.ones(place.size)
        threshold = place.values("v_threshold")
        rule = Rule(zero, one, one, one, zero, threshold, setting.reset, lag=1)
        if place.node.type == "IF":
            return rule
        if place.node.type == "LIF":
            return replace(rule, beta=_decay(place, "tau"))
        alpha = _step_left(place, "tau_syn", _step(place, "tau_mem"))
        beta = _decay(place, "tau_mem")
        return replace(rule, alpha=alpha, beta=beta, reset="subtract")


def _step(place: NeuronPlace, name: str) -> float:
    """A step in the unit of the file, which its exporter takes as an argument: r = 1 - step / tau.

    It is 1 where r does not say another.
    """
    steps = place.values(name) * (1.0 - place.values("r"))
    told = steps[0] > 0 and np.allclose(steps, steps[0], rtol=1e-2)
    return float(np.median(steps)) if told and not np.isclose(steps[0], 1.0, rtol=1e-2) else 1.0


def _decay(place: NeuronPlace, name: str) -> Float:
    """What a step leaves of a potential: the file's r, where its step is not 1."""
    step = _step(place, name)
    return _step_left(place, name, 1.0) if step == 1.0 else place.values("r")


def _step_left(place: NeuronPlace, name: str, step: float) -> Float:
    """1 - step / tau."""
    share = 1.0 - step / place.values(name)
    if (share < -1e-6).any():
        text = f"{name} {place.values(name).min():g}"
        raise refused(place, text, f"time constants >= {step:g}, the step")
    return np.maximum(share, 0.0)


DIALECT = Spyx()
