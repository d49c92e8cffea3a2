"""Files of sinabs: time constants in steps, exact decay, several spikes in a step."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from hrsnn_lava.deploy.interchange.dialect import Dialect, Setting, refused
from hrsnn_lava.deploy.interchange.nir_file import NirGraph
from hrsnn_lava.deploy.interchange.step_model import Reset, Rule
from hrsnn_lava.deploy.interchange.wiring import NeuronPlace


class Sinabs(Dialect):
    """``LIF`` and ``IAF``, checked with sinabs 3.1.3, which holds to nir 1.0.4 and older."""

    name: ClassVar[str] = "sinabs"
    title: ClassVar[str] = "sinabs"
    dt: ClassVar[float | None] = 1e-3
    dt_origin: ClassVar[str] = "time constants are in steps, and no file says how long one is"
    resets: ClassVar[tuple[Reset, ...]] = ("subtract",)
    reset: ClassVar[Reset | None] = "subtract"
    equations: ClassVar[str] = (
        "v = a v + (1 - a) x, a = exp(-1 / tau); n = floor(v / threshold) spikes; v -= n threshold"
    )

    def marks(self, graph: NirGraph) -> tuple[str, ...]:
        """See `Dialect.marks`."""
        timed = [n for n in graph.inputs if n.arrays["shape"].size > 1]
        neurons = graph.of_type("LIF", "IF")
        if not timed or not neurons or not _is_old(graph.version):
            return ()
        if any("v_reset" in node.arrays or node.parameter("r").max() != 1 for node in neurons):
            return ()
        if any(node.parameter("tau", 1.0).min() < 0.1 for node in neurons):
            return ()
        return (
            f"nir {graph.version}, which sinabs holds to, and no v_reset",
            f"an axis of time in the shape of {timed[0].name}",
            "time constants in steps, r = 1",
        )

    def file_step(self, dt: float) -> float:
        """See `Dialect.file_step`; time constants are in steps."""
        del dt
        return 1.0

    def rule(self, place: NeuronPlace, setting: Setting) -> Rule:
        """See `Dialect.rule`."""
        if place.node.type not in ("LIF", "IF"):
            raise refused(place, "sinabs writes none", "LIF or IF")
        size, r = place.size, place.values("r", 1.0)
        zero, one = np.zeros(size), np.ones(size)
        beta = one if place.node.type == "IF" else np.exp(-1.0 / place.values("tau"))
        share = one if place.node.type == "IF" else -np.expm1(-1.0 / place.values("tau"))
        leak = share * place.values("v_leak")
        threshold = place.values("v_threshold")
        rule = Rule(zero, one, beta, share * r, leak, threshold, setting.reset)
        return replace(rule, multiple=True)

    def remarks(self, graph: NirGraph) -> tuple[str, ...]:
        """See `Dialect.remarks`."""
        names = ", ".join(node.name for node in graph.of_type("LIF"))
        if not names:
            return ()
        return (
            f"{names}: sinabs leaves tau_syn out of its files; with one, spikes are not those of "
            "the source",
        )


def _is_old(version: str) -> bool:
    """Whether a version of nir is 1.0.4 or older."""
    parts = version.split(".")
    return all(p.isdecimal() for p in parts) and [int(p) for p in parts] <= [1, 0, 4]


DIALECT = Sinabs()
