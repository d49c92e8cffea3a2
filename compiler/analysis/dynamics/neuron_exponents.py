"""Lyapunov exponents per neuron of a recurrent LIF network.

The spectrum belongs to the whole network and has no neuron index, and the papers do not say how
they assign it. All assignments here are our choice and are named in every result: `isolated`,
`participation`, and `finite_time`, which is in a module of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn_lava.compiler.analysis.arrays import Arrays, Device, arrays_on
from hrsnn_lava.compiler.analysis.dynamics.driven_lif import HeldInput, LinearisedRun, decay
from hrsnn_lava.compiler.analysis.dynamics.event_lif import EventLIF
from hrsnn_lava.compiler.analysis.dynamics.exponent_options import ParticipationOptions
from hrsnn_lava.compiler.analysis.dynamics.lyapunov import (
    LyapunovSpectrum,
    QrSchedule,
    lyapunov_spectrum,
)
from hrsnn_lava.compiler.analysis.dynamics.perturbed_lif import LEADING, PerturbedLIF
from hrsnn_lava.compiler.analysis.dynamics.surrogate_lif import SurrogateLIF
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.network import Network

__all__ = [
    "NeuronExponents",
    "ParticipationOptions",
    "SurrogateLIF",
    "decay",
    "isolated_exponents",
    "participation_exponents",
]

Float = NDArray[np.float64]
FULL_SPECTRUM_UP_TO = 600  # state size; a full QR costs its cube, 4 s per 1000 steps here
THIN_EXPONENTS = 200
LINEARISATIONS: Mapping[str, type[SurrogateLIF] | type[EventLIF] | type[PerturbedLIF]] = {
    "surrogate": SurrogateLIF,
    "event": EventLIF,
    "perturbation": PerturbedLIF,
}


def isolated_exponents(tau_mem: ArrayLike) -> Float:
    """Exponent ``-1 / tau_mem`` (1/s) of each neuron without spikes and without the others.

    Raises:
        SpecError: a neuron does not leak: 0, its exponent, is in no harmonic mean.
    """
    tau = np.asarray(tau_mem, dtype=np.float64)
    wrong = ~(np.isfinite(tau) & (tau > 0))
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        measured = f"{tau.flat[first]:g} at neuron {first} ({wrong.sum()} in all)"
        fix = (
            'for neurons that do not leak take exponents "participation" or "finite_time", the '
            'score "weight", or another method'
        )
        problem = Problem("tau_mem", measured, "finite and > 0 seconds", fix)
        raise SpecError("lyapunov: isolated neurons have no exponents", problems=[problem])
    exponents: Float = -1.0 / tau
    return exponents


@dataclass(frozen=True, eq=False)
class NeuronExponents:
    """Exponents per neuron with everything needed to repeat them.

    Attributes:
        per_neuron: (N,) in 1/s. Full spectrum: participation summed over the neuron's two
            coordinates (v, i), so it sums to the sum of all exponents. Leading exponents only:
            the mean over the covered part, a weighted mean of the growth rates met between two
            orthonormalisations; those of single moments reach further than the exponents, which
            are their means over time.
        spectrum: of the network; its coordinates are v of all neurons, then i of all neurons.
        mode: ``surrogate``, ``event`` or ``perturbation``, the kind of linearisation.
        rate: mean spikes per neuron and step during the run; 0 means that no spike was seen.
        options: as given.
        run: what the run met: degenerate events, flips, delays that were left out.
    """

    per_neuron: Float
    spectrum: LyapunovSpectrum
    mode: str
    rate: float
    options: ParticipationOptions = field(default_factory=ParticipationOptions)
    run: LinearisedRun = field(default_factory=lambda: LinearisedRun("surrogate"))


def participation_exponents(
    network: Network,
    options: ParticipationOptions,
    rng: np.random.Generator,
    held: HeldInput | None = None,
    *,
    device: Device | Arrays = "cpu",
) -> NeuronExponents:
    """Share of each neuron in the Lyapunov spectrum of the driven network.

    ``lambda_i = 1/(T dt) sum_t sum_k Q_ik(t)^2 ln R_kk(t)``, with the tangent map that
    ``options.linearisation`` names: `SurrogateLIF`, `EventLIF` or `PerturbedLIF`. Delays are left
    out: every spike arrives one step later.

    Args:
        network: with N neurons; the state has 2N coordinates.
        options: how it is run and linearised.
        rng: draws the noise, and the first tangent vectors where not all are followed.
        held: input of a task, recorded, on top of the options' drive; it must last for the
            transient and the steps, each rounded up to a multiple of ``qr_every``.
        device: where the QR is made, see `lyapunov_spectrum`; the network runs on the CPU.

    Raises:
        SpecError: an option is out of range, or the recording too short or of another network.
        BackendMissingError: ``cuda`` without torch or without a GPU.
    """
    n = network.n_neurons
    every = options.qr_every
    total = sum(-(-steps // every) * every for steps in (options.transient, options.steps))
    tangent = LINEARISATIONS[options.linearisation](network, options, rng, held, total)
    k = options.n_exponents
    if k is None and options.linearisation == "perturbation":
        k = min(LEADING, 2 * n)
    if k is None:
        k = 2 * n if 2 * n <= FULL_SPECTRUM_UP_TO else min(THIN_EXPONENTS, 2 * n)
    schedule = QrSchedule(
        options.steps, network.dt, k, options.transient, options.qr_every, options.floor
    )
    arrays = arrays_on(device)
    spectrum = lyapunov_spectrum(
        tangent if arrays.is_numpy else lambda q: arrays.put(tangent(arrays.get(q))),
        2 * n,
        schedule,
        rng,
        device=arrays,
    )
    if k == 2 * n:
        per_neuron = spectrum.participation[:n] + spectrum.participation[n:]
    else:
        covered = spectrum.coverage[:n] + spectrum.coverage[n:]
        total_share = spectrum.participation[:n] + spectrum.participation[n:]
        per_neuron = np.full(n, float(spectrum.exponents.mean()))
        np.divide(total_share, covered, out=per_neuron, where=covered > 0)
    run = tangent.record()
    return NeuronExponents(per_neuron, spectrum, run.mode, run.rate, options, run)
