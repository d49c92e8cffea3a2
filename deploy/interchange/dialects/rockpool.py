"""Files of Rockpool: exact decay, several spikes in a step, recurrent weights and biases lost."""

from __future__ import annotations

import re
from typing import ClassVar

import numpy as np

from hrsnn_lava.deploy.interchange.dialect import Dialect, Setting, refused
from hrsnn_lava.deploy.interchange.nir_file import NirGraph
from hrsnn_lava.deploy.interchange.step_model import Reset, Rule
from hrsnn_lava.deploy.interchange.wiring import NeuronPlace

_NAME = re.compile(r"\d+_(LIF|Linear|LinearWeights)Torch$")


class Rockpool(Dialect):
    """``LIFTorch``, checked with Rockpool 3.1.0.

    The file's r, tau_mem / dt exp(-dt / tau_mem), is none of the framework's, whose gain is 1.
    """

    name: ClassVar[str] = "rockpool"
    title: ClassVar[str] = "Rockpool"
    dt: ClassVar[float | None] = 1e-3
    dt_origin: ClassVar[str] = "the default of Rockpool's modules"
    resets: ClassVar[tuple[Reset, ...]] = ("subtract_all",)
    reset: ClassVar[Reset | None] = "subtract_all"
    equations: ClassVar[str] = (
        "i = (i + x) exp(-dt / tau_syn); v = v exp(-dt / tau_mem) + i; "
        "n = floor(v / threshold) spikes; v -= n threshold"
    )

    def marks(self, graph: NirGraph) -> tuple[str, ...]:
        """See `Dialect.marks`."""
        named = [name for name in graph.nodes if _NAME.search(name)]
        return (f"nodes are named {named[0]} and so on",) if named else ()

    def rule(self, place: NeuronPlace, setting: Setting) -> Rule:
        """See `Dialect.rule`."""
        if place.node.type != "CubaLIF":
            raise refused(place, "Rockpool's LIFTorch writes none", "CubaLIF")
        one, zero = np.ones(place.size), np.zeros(place.size)
        alpha = np.exp(-setting.step / place.values("tau_syn"))
        beta = np.exp(-setting.step / place.values("tau_mem"))
        threshold = place.values("v_threshold")
        return Rule(alpha, alpha, beta, one, zero, threshold, setting.reset)

    def remarks(self, graph: NirGraph) -> tuple[str, ...]:
        """See `Dialect.remarks`."""
        names = ", ".join(n for n in graph.nodes if n.endswith("_LIFTorch"))
        if not names:
            return ()
        return (
            f"{names}: Rockpool leaves recurrent weights out of its files, and biases of neurons; "
            "a layer with has_rec=True or a bias cannot be told from one without",
        )


DIALECT = Rockpool()
