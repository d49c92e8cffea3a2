"""Files of sinabs: time constants in steps, exact decay, several spikes in a step."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from hrsnn_lava.deploy.interchange.dialect import (
    Dialect,
    Setting,
    batch_marks,
    number_marks,
    refused,
)
from hrsnn_lava.deploy.interchange.nir_file import NirGraph
from hrsnn_lava.deploy.interchange.step_model import Reset, Rule
from hrsnn_lava.deploy.interchange.wiring import NeuronPlace

#: A time constant in steps is longer than that; one in seconds is not.
_SHORTEST = 0.5


class Sinabs(Dialect):
    """``LIF``, ``IAF`` and, as a readout, ``ExpLeak``, checked with sinabs 3.1.3.

    That holds to nir 1.0.4 and older.
    """

    name: ClassVar[str] = "sinabs"
    title: ClassVar[str] = "sinabs"
    dt: ClassVar[float | None] = 1e-3
    dt_origin: ClassVar[str] = "time constants are in steps, and no file says how long one is"
    resets: ClassVar[tuple[Reset, ...]] = ("subtract_all",)
    reset: ClassVar[Reset | None] = "subtract_all"
    equations: ClassVar[str] = (
        "v = a v + (1 - a) x, a = exp(-1 / tau); n = floor(v / threshold) spikes; "
        "v -= n threshold; ExpLeak: v = a v + x"
    )

    def marks(self, graph: NirGraph) -> tuple[str, ...]:
        """See `Dialect.marks`."""
        neurons = graph.of_type("LIF", "IF", "LI")
        if not neurons or not _is_old(graph.version):
            return ()
        if any((node.parameter("r", 1.0) != 1).any() for node in neurons):
            return ()
        if any(node.parameter("tau", 1.0).min() < _SHORTEST for node in neurons):
            return ()
        marks = batch_marks(graph) + number_marks(graph)
        if not marks:
            return ()
        held = f"nir {graph.version}: sinabs holds to 1.0.4 and older"
        return (*marks, held, "time constants in steps, r = 1")

    def file_step(self, dt: float) -> float:
        """See `Dialect.file_step`; time constants are in steps."""
        del dt
        return 1.0

    def rule(self, place: NeuronPlace, setting: Setting) -> Rule:
        """See `Dialect.rule`."""
        if place.node.type not in ("LIF", "IF", "LI"):
            raise refused(place, "sinabs writes none", "LIF, IF or LI")
        size, r = place.size, place.values("r", 1.0)
        zero, one = np.zeros(size), np.ones(size)
        beta = one if place.node.type == "IF" else np.exp(-1.0 / place.values("tau"))
        # an ExpLeak takes its input whole unless it is told otherwise, a LIF does not
        share = -np.expm1(-1.0 / place.values("tau")) if place.node.type == "LIF" else one
        leak = share * place.values("v_leak")
        threshold = place.values("v_threshold", np.inf)
        spikes = place.node.type != "LI"
        return Rule(zero, one, beta, share * r, leak, threshold, setting.reset, spikes=spikes)

    def remarks(self, graph: NirGraph) -> tuple[str, ...]:
        """See `Dialect.remarks`."""
        names = ", ".join(node.name for node in graph.neurons)
        return (
            f"{names}: sinabs leaves tau_syn out of its files, and norm_input, min_v_mem and "
            "what a spike and a reset do; where they are not its usual ones, spikes are not those "
            "of the source",
        )


def _is_old(version: str) -> bool:
    """Whether a version of nir is 1.0.4 or older."""
    parts = version.split(".")
    return all(p.isdecimal() for p in parts) and [int(p) for p in parts] <= [1, 0, 4]


DIALECT = Sinabs()
