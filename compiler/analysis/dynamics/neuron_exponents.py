"""Lyapunov exponents per neuron of a recurrent LIF network.

The spectrum belongs to the whole network and has no neuron index, and the papers do not say how
they assign it. Both assignments here are our choice and are named in every result.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field
from scipy import sparse

from hrsnn_lava.compiler.analysis.dynamics.lyapunov import (
    LyapunovSpectrum,
    QrSchedule,
    lyapunov_spectrum,
)
from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.network import Network
from hrsnn_lava.options import Count, NonNegative, Number, Positive, options

Float = NDArray[np.float64]
FULL_SPECTRUM_UP_TO = 600  # state size; a full QR costs its cube, 4 s per 1000 steps here
THIN_EXPONENTS = 200


def isolated_exponents(tau_mem: ArrayLike) -> Float:
    """Exponent ``-1 / tau_mem`` (1/s) of each neuron without spikes and without the others."""
    tau = np.asarray(tau_mem, dtype=np.float64)
    if not np.all(np.isfinite(tau) & (tau > 0)):
        raise SpecError("tau_mem must be finite and > 0 seconds at every neuron")
    exponents: Float = -1.0 / tau
    return exponents


@options
class ParticipationOptions:
    """How the driven network is run and linearised; all defaults are our choice.

    Attributes:
        steps: averaged over.
        transient: steps discarded before them.
        qr_every: steps between orthonormalisations.
        width: half width of the triangular surrogate slope, in units of the threshold.
        n_exponents: leading exponents to follow; not set: all up to a state of 600, else 200.
        drive: constant current added to the biases, in units of the potential.
        noise: standard deviation of a current drawn anew for every neuron and step.
        reset_gradient: also differentiate the reset (usually left out, as in training).
        floor: smallest ``|R_kk|`` let through.
    """

    steps: Count = 500
    transient: Annotated[int, Field(ge=0)] = 100
    qr_every: Count = 5
    width: Positive = 0.5
    n_exponents: Count | None = None
    drive: Number = 0.0
    noise: NonNegative = 0.0
    reset_gradient: bool = False
    floor: Positive = 1e-12


@dataclass(frozen=True, eq=False)
class NeuronExponents:
    """Exponents per neuron with everything needed to repeat them.

    Attributes:
        per_neuron: (N,) in 1/s. Full spectrum: participation summed over the neuron's two
            coordinates (v, i), so it sums to the sum of all exponents. Leading exponents only:
            the mean over the covered part, which stays within their range.
        spectrum: of the network; its coordinates are v of all neurons, then i of all neurons.
        mode: ``"surrogate"``, the kind of linearisation.
        rate: mean spikes per neuron and step during the run; 0 means that the surrogate slopes
            saw no spike.
        options: as given.
    """

    per_neuron: Float
    spectrum: LyapunovSpectrum
    mode: str
    rate: float
    options: ParticipationOptions = field(default_factory=ParticipationOptions)


def participation_exponents(
    network: Network, options: ParticipationOptions, rng: np.random.Generator
) -> NeuronExponents:
    """Share of each neuron in the Lyapunov spectrum of the driven network.

    ``lambda_i = 1/(T dt) sum_t sum_k Q_ik(t)^2 ln R_kk(t)``, with the surrogate-gradient Jacobian
    of `SurrogateLIF`. Delays are left out: every spike arrives one step later.

    Raises:
        SpecError: an option is out of range.
    """
    n = network.n_neurons
    tangent = SurrogateLIF(network, options, rng)
    k = options.n_exponents
    if k is None:
        k = 2 * n if 2 * n <= FULL_SPECTRUM_UP_TO else min(THIN_EXPONENTS, 2 * n)
    schedule = QrSchedule(
        options.steps, network.dt, k, options.transient, options.qr_every, options.floor
    )
    spectrum = lyapunov_spectrum(tangent, 2 * n, schedule, rng)
    if k == 2 * n:
        per_neuron = spectrum.participation[:n] + spectrum.participation[n:]
    else:
        covered = spectrum.coverage[:n] + spectrum.coverage[n:]
        total = spectrum.participation[:n] + spectrum.participation[n:]
        per_neuron = np.full(n, float(spectrum.exponents.mean()))
        np.divide(total, covered, out=per_neuron, where=covered > 0)
    return NeuronExponents(per_neuron, spectrum, "surrogate", tangent.rate, options)


def decay(dt: float, tau: Float) -> Float:
    """``exp(-dt / tau)`` for tau in seconds, 0 where tau is 0."""
    factors: Float = np.zeros_like(tau)
    np.divide(-dt, tau, out=factors, where=tau > 0)
    np.exp(factors, out=factors, where=tau > 0)
    return factors


class SurrogateLIF:
    r"""Runs the float network and carries tangent vectors along.

    State: v before the reset and the synaptic current i of every neuron. With
    :math:`s = H(v - \theta)` and its surrogate slope :math:`\psi` (a triangle of area 1 and half
    width ``width * theta``; none while v is held at 0)::

        d i' = alpha d i + W diag(psi) d v
        d v' = beta (1 - s) d v + (1 - beta) d i'      (0 while held; -beta v psi d v optional)
    """

    def __init__(
        self, network: Network, options: ParticipationOptions, rng: np.random.Generator
    ) -> None:
        problems = []
        if not options.width > 0:
            problems.append(Problem("width", str(options.width), "> 0"))
        if not options.noise >= 0:
            problems.append(Problem("noise", str(options.noise), ">= 0"))
        raise_if(SpecError, "the network cannot be linearised", problems)
        n = network.n_neurons
        self._options, self._rng = options, rng
        self._alpha = decay(network.dt, network.gather("tau_syn"))
        self._beta = decay(network.dt, network.gather("tau_mem"))
        # not membrane_gain itself: the exponent of a chaotic network depends on the last bit
        self._gain = np.where(self._beta < 1.0, 1.0 - self._beta, 1.0)
        self._threshold = network.gather("v_threshold")
        self._bias = network.gather("bias") + options.drive
        hold = np.rint(network.gather("refractory") / network.dt)
        self._refractory = hold.astype(np.int64)
        self._columns: sparse.csc_matrix = recurrent_edges(network).matrix.tocsc()
        self._v, self._i = np.zeros(n), np.zeros(n)
        self._spikes = np.zeros(n, dtype=bool)
        self._held = np.zeros(n, dtype=bool)
        self._hold_left = np.zeros(n, dtype=np.int64)
        self._n_spikes, self._n_steps = 0, 0

    @property
    def rate(self) -> float:
        """Mean spikes per neuron and step so far."""
        return self._n_spikes / max(self._n_steps * self._v.size, 1)

    def _slopes(self) -> Float:
        distance = np.abs(self._v - self._threshold)
        half = self._options.width * self._threshold
        slopes: Float = np.maximum(0.0, 1.0 - distance / half) / half
        slopes[self._held] = 0.0
        return slopes

    def _advance(self) -> None:
        sources = np.flatnonzero(self._spikes)
        self._i = self._alpha * self._i
        if sources.size:
            self._i += np.asarray(self._columns[:, sources].sum(axis=1)).ravel()
        drive = self._bias + self._i
        if self._options.noise:
            drive = drive + self._options.noise * self._rng.standard_normal(self._v.size)
        v = self._beta * np.where(self._spikes, 0.0, self._v) + self._gain * drive
        self._hold_left = np.where(
            self._spikes, self._refractory, np.maximum(self._hold_left - 1, 0)
        )
        self._held = self._hold_left > 0
        self._v = np.where(self._held, 0.0, v)
        self._spikes = self._v > self._threshold
        self._n_spikes += int(np.count_nonzero(self._spikes))
        self._n_steps += 1

    def __call__(self, tangent: Float) -> Float:
        """Advance the network by one step; return the Jacobian times `tangent` (2N, k)."""
        n = self._v.size
        slopes = self._slopes()
        leak = np.where(self._spikes, 0.0, self._beta)
        if self._options.reset_gradient:
            leak = leak - self._beta * self._v * slopes
        self._advance()
        leak[self._held] = 0.0
        gain = np.where(self._held, 0.0, self._gain)
        result = np.empty_like(tangent)
        current, potential = result[n:], result[:n]
        np.multiply(tangent[n:], self._alpha[:, None], out=current)
        active = np.flatnonzero(slopes)
        if active.size:
            current += self._columns[:, active] @ (slopes[active, None] * tangent[active])
        np.multiply(tangent[:n], leak[:, None], out=potential)
        potential += gain[:, None] * current
        return result
