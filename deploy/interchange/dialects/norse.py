"""Files of Norse: time constants multiplied by the step, currents without their gain."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from hrsnn_lava.deploy.interchange.dialect import (
    Dialect,
    Setting,
    batch_marks,
    euler,
    number_marks,
    refused,
)
from hrsnn_lava.deploy.interchange.nir_file import NirGraph
from hrsnn_lava.deploy.interchange.step_model import Reset, Rule
from hrsnn_lava.deploy.interchange.wiring import NeuronPlace
from hrsnn_lava.errors import Problem, SpecError

#: Longest time constant in a file: 0.1 s, written by a cell of 1 ms.
_LONGEST = 1e-4
#: What a step leaves of a potential at most, in any cell that does something.
_SLOWEST = 1.0 - 1e-5


class Norse(Dialect):
    """``LIFBox``, ``LIFCell`` and ``IAF``, checked with Norse 1.1.0.

    The exporter writes dt tau for tau, so the step in the file is dt^2: 1e-6 for cells of 1 ms. The
    current of a LIFCell takes its input whole, i = alpha i + x, where the file's w_in of 1 would
    scale it by step / tau_syn; the potential of an IAF does so, too, v = v + x. Potentials start at
    v_leak, not at v_reset. Recurrent cells are not exported at all.
    """

    name: ClassVar[str] = "norse"
    title: ClassVar[str] = "Norse"
    dt: ClassVar[float | None] = 1e-3
    dt_origin: ClassVar[str] = "the default of Norse's cells (the file has dt tau for tau)"
    resets: ClassVar[tuple[Reset, ...]] = ("zero",)
    reset: ClassVar[Reset | None] = "zero"
    equations: ClassVar[str] = (
        "LIFBox: literal with a step of dt^2; LIFCell: i = i + x; v += dt / tau_mem (i - v); "
        "i *= 1 - dt / tau_syn; IAF: v += x"
    )

    def marks(self, graph: NirGraph) -> tuple[str, ...]:
        """See `Dialect.marks`."""
        taus = [
            node.arrays[key]
            for node in graph.neurons
            for key in ("tau", "tau_mem")
            if key in node.arrays
        ]
        if not taus or any(np.max(tau) > _LONGEST for tau in taus):
            return ()
        marks = batch_marks(graph) + number_marks(graph)
        return (*marks, "time constants of at most 1e-4 s: dt tau for tau") if marks else ()

    def file_step(self, dt: float) -> float:
        """See `Dialect.file_step`."""
        return dt * dt

    def rule(self, place: NeuronPlace, setting: Setting) -> Rule:
        """See `Dialect.rule`."""
        rule = euler(place, setting)
        if place.node.type == "IF":
            return replace(rule, gain=place.values("r"))
        if rule.leak.any():
            text = f"v_leak differs from v_reset in {int(np.count_nonzero(rule.leak))} neurons"
            raise refused(place, f"{text}, and Norse starts at v_leak", "v_leak = v_reset")
        if (rule.beta > _SLOWEST).all():
            text = f"{setting.dt:g} s, so a step of {setting.step:g} in the file"
            fix = "dt is that of the cells, usually 1e-3; the step in the file is its square"
            problem = Problem("dt", text, "time constants of fewer than 100,000 steps", fix)
            raise SpecError("dialect norse: the step is none of this file", problems=[problem])
        if place.node.type.startswith("Cuba"):
            return replace(rule, input_gain=place.values("w_in", 1.0))
        return rule


DIALECT = Norse()
