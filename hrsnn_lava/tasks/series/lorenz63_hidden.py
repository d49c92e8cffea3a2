"""Lorenz-63 of which a network sees x alone: tell z, or what comes next.

x alone does not say where the system is, since x(t) belongs to many (y, z); its past does, so this
task needs the memory that the fully shown system does not.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.options import Positive, options
from hrsnn_lava.tasks.driven import DrivenSeries, DrivenTask
from hrsnn_lava.tasks.series.lorenz63 import Lorenz63System

__all__ = ["Lorenz63Hidden"]

COMPONENTS = "xyz"


@options
class Lorenz63Hidden(DrivenTask):
    """Lorenz-63 seen through x: z of the same sample, or values some samples ahead.

    Attributes:
        dt: sampling step of the system, in its time unit.
        predict: what is told: ``z``, ``y``, ``x`` (of a later sample), or ``xyz``.
        ahead: samples between the last x that was shown and what is told; 0: none.
    """

    name: ClassVar[str] = "lorenz63_hidden"
    dt: Positive = 0.02
    predict: Literal["z", "y", "x", "xyz"] = "z"
    ahead: Annotated[int, Field(ge=0)] = 0

    def __post_init__(self) -> None:
        """Check what has to agree: raises `SpecError`."""
        super().__post_init__()
        if "x" in self.predict and self.ahead == 0:
            problem = Problem("ahead", "0", f'>= 1 with predict = "{self.predict}": x is shown')
            raise SpecError("options of lorenz63_hidden", problems=[problem])

    def data(self, rng: np.random.Generator) -> DrivenSeries:
        """x(t), and the components to tell at t + ahead."""
        raw = Lorenz63System(dt=self.dt).trajectory(rng, self.n_samples + self.ahead)
        chosen = [COMPONENTS.index(letter) for letter in self.predict]
        x = raw[: self.n_samples, :1]
        targets = raw[self.ahead :, chosen]
        return DrivenSeries(x, targets, x if self.predict == "x" else None)
