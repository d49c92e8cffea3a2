"""The linearisation `perturbation`: shadow copies of the network, spikes that flip included."""

from __future__ import annotations

import numpy as np

from hrsnn_lava.compiler.analysis.dynamics.driven_lif import (
    Bool,
    Drive,
    Float,
    HeldInput,
    Int,
    LifArrays,
    LinearisedRun,
)
from hrsnn_lava.compiler.analysis.dynamics.exponent_options import ParticipationOptions
from hrsnn_lava.compiler.analysis.dynamics.shadows import ShadowTangent
from hrsnn_lava.network import Network

#: Leading exponents that are followed where nobody says how many.
LEADING = 16


class PerturbedLIF:
    r"""Runs the float network and shadows of it, all under the same drive and noise.

    A shadow is :math:`d = \epsilon\,|v_{threshold}|_2` away from the run when it is set, so that
    the rms difference of a coordinate is eps thresholds over the square root of 2, whatever the
    number of neurons.

    State: v after the reset and the synaptic current of the next step, of every neuron. Those are
    all numbers that a step begins with; how long a neuron is still held is no number with a
    direction, so shadows take it over from the run when they are set (ours). A perturbation of v of
    a neuron that is held is lost, as in the network. Where a spike subtracts the threshold one step
    later, v itself says whether it is still to be taken off.

    Between flips of spikes, perturbations decay as ``-1/tau_mem``; a flip is as large as a
    threshold however small eps is. The exponents therefore depend on eps, without a limit but the
    leaks for eps -> 0: they say what becomes of perturbations of that size.
    """

    def __init__(
        self,
        network: Network,
        options: ParticipationOptions,
        rng: np.random.Generator,
        held: HeldInput | None = None,
        steps: int = 0,
    ) -> None:
        n = network.n_neurons
        self.lif = LifArrays.of(network)
        self._options = options
        self._drive = Drive(network, options, rng, held, steps)
        self._hold: Int = np.zeros((n, 1), dtype=np.int64)
        self._n_spikes, self._n_steps, self._n_flips, self._n_shadows = 0, 0, 0, 0
        size = options.eps * float(np.linalg.norm(self.lif.threshold))
        self._shadows = ShadowTangent(
            self._step, np.zeros(2 * n), size, options.qr_every, self._align
        )

    @property
    def rate(self) -> float:
        """Mean spikes per neuron and step of the run so far."""
        return self._n_spikes / max(self._n_steps * self.lif.beta.size, 1)

    def _align(self) -> None:
        self._hold = self._hold[:, :1]

    def _step(self, states: Float) -> Float:
        lif, n = self.lif, self.lif.beta.size
        current = states[n:]
        potential = lif.beta[:, None] * states[:n]
        if lif.taken_next.any():
            due = states[:n] > lif.threshold[:, None]
            potential -= np.where(due, lif.taken_next[:, None], 0.0)
        potential += lif.gain[:, None] * self._drive.add_to(current)
        potential = np.where(self._hold > 0, 0.0, potential)
        spikes: Bool = potential > lif.threshold[:, None]
        self._hold = np.where(spikes, lif.refractory[:, None], np.maximum(self._hold - 1, 0))
        arriving = lif.alpha[:, None] * current
        sources = np.flatnonzero(spikes.any(axis=1))
        if sources.size:
            arriving += lif.columns[:, sources] @ spikes[sources].astype(np.float64)
        self._n_steps += 1
        self._n_spikes += int(np.count_nonzero(spikes[:, 0]))
        self._n_flips += int(np.count_nonzero(spikes[:, 1:] != spikes[:, :1]))
        self._n_shadows = states.shape[1] - 1
        after: Float = np.concatenate([lif.after_spikes(potential, spikes), arriving])
        return after

    def __call__(self, tangent: Float) -> Float:
        """Advance run and shadows by one step; by what they differ, over d, (2N, k)."""
        return self._shadows(tangent)

    def record(self) -> LinearisedRun:
        """What the run met so far."""
        parameters: dict[str, float | bool] = {
            "eps": self._options.eps,
            "shadows": self._n_shadows,
        }
        return LinearisedRun(
            "perturbation",
            parameters,
            self.rate,
            self._n_spikes,
            n_flips=self._n_flips,
            n_delayed=self.lif.n_delayed,
        )
