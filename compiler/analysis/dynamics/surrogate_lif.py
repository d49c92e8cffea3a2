"""The linearisation `surrogate`: spikes have slopes near the threshold, as in training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from hrsnn_lava.compiler.analysis.dynamics.driven_lif import (
    DrivenLIF,
    Float,
    Int,
    LifArrays,
    LinearisedRun,
)


@dataclass(frozen=True, eq=False)
class SurrogateJacobian:
    """Derivative of one step; see `SurrogateLIF`.

    Attributes:
        lif: parameters of the network.
        active: neurons whose slope is not 0. slopes: theirs, (A, 1).
        columns: what they send, CSC (N, A).
        leak, gain: (N,) factors of v and of the new current in the new v.
    """

    lif: LifArrays
    active: Int
    slopes: Float
    columns: sparse.csc_matrix
    leak: Float
    gain: Float

    def times(self, tangent: Float) -> Float:
        """The product with tangent vectors (2N, k), of v and then of i."""
        n = self.leak.size
        result = np.empty_like(tangent)
        current, potential = result[n:], result[:n]
        np.multiply(tangent[n:], self.lif.alpha[:, None], out=current)
        if self.active.size:
            current += self.columns @ (self.slopes * tangent[self.active])
        np.multiply(tangent[:n], self.leak[:, None], out=potential)
        potential += self.gain[:, None] * current
        return result


class SurrogateLIF(DrivenLIF):
    r"""Runs the float network and carries tangent vectors along.

    State: v before the reset and the synaptic current i of every neuron. With
    :math:`s = H(v - \theta)` and its surrogate slope :math:`\psi` (a triangle of area 1 and half
    width ``width * theta``; none while v is held at 0)::

        d i' = alpha d i + W diag(psi) d v
        d v' = beta (1 - s) d v + (1 - beta) d i'      (0 while held; -beta v psi d v optional)

    and with resets by subtraction, whose derivative has no jump but that of s::

        subtract        d v' = beta d v + (1 - beta) d i'      (-beta theta psi d v optional)
        subtract_next   the same                               (-theta psi d v optional)

    The exponents depend on the width, and are those of no network: they say how gradients grow
    that training by surrogate slopes would see.
    """

    def _slopes(self) -> Float:
        threshold = self.lif.threshold
        distance = np.abs(self.v - threshold)
        half = self._options.width * threshold
        slopes: Float = np.maximum(0.0, 1.0 - distance / half) / half
        slopes[self.held] = 0.0
        return slopes

    def step(self) -> SurrogateJacobian:
        """Advance the network by one step; the derivative of that step."""
        lif, slopes = self.lif, self._slopes()
        leak = np.where(self.spikes & lif.zeroed, 0.0, lif.beta)
        if self._options.reset_gradient:
            lost = np.where(lif.zeroed, self.v, lif.taken)
            leak = leak - (lif.beta * lost + lif.taken_next) * slopes
        self.advance()
        leak[self.held] = 0.0
        gain = np.where(self.held, 0.0, lif.gain)
        active = np.flatnonzero(slopes)
        columns = lif.columns[:, active]
        return SurrogateJacobian(lif, active, slopes[active, None], columns, leak, gain)

    def __call__(self, tangent: Float) -> Float:
        """Advance the network by one step; return the Jacobian times `tangent` (2N, k)."""
        return self.step().times(tangent)

    def record(self) -> LinearisedRun:
        """What the run met so far."""
        options = self._options
        parameters: dict[str, Any] = {
            "width": options.width,
            "reset_gradient": options.reset_gradient,
        }
        return LinearisedRun(
            "surrogate",
            parameters,
            self.rate,
            self._n_spikes,
            n_delayed=self.lif.n_delayed,
        )
