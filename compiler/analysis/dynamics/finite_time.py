"""Growth of a perturbation of each neuron over a finite time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.dynamics.driven_lif import HeldInput, LinearisedRun
from hrsnn_lava.compiler.analysis.dynamics.event_lif import EventJacobian, EventLIF
from hrsnn_lava.compiler.analysis.dynamics.exponent_options import ParticipationOptions
from hrsnn_lava.compiler.analysis.dynamics.surrogate_lif import SurrogateJacobian, SurrogateLIF
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.network import Network

Float = NDArray[np.float64]
COLUMNS = 256  # perturbed neurons that are followed at once: 20 MB at N = 5000
#: Linearisations whose steps have a derivative that is known and can be kept.
WITH_JACOBIAN: Mapping[str, type[SurrogateLIF] | type[EventLIF]] = {
    "surrogate": SurrogateLIF,
    "event": EventLIF,
}


@dataclass(frozen=True, eq=False)
class FiniteTimeExponents:
    """Finite-time exponents with everything needed to repeat them.

    Attributes:
        per_neuron: (N,) in 1/s.
        horizon: the finite time T in seconds.
        n_windows: stretches of that length averaged over.
        n_floored: how many of the ``N * n_windows`` norms were floored.
        options: as given.
        run: what the run met.
    """

    per_neuron: Float
    horizon: float
    n_windows: int
    n_floored: int
    options: ParticipationOptions
    run: LinearisedRun


def finite_time_exponents(
    network: Network,
    options: ParticipationOptions,
    rng: np.random.Generator,
    held: HeldInput | None = None,
) -> FiniteTimeExponents:
    r"""How fast a perturbation of one neuron's potential grows or decays within a time T.

    .. math:: \lambda_i(T) = \frac{1}{T} \left\langle \ln |M_T\, e_i| \right\rangle

    with :math:`M_T` the derivative of a stretch of ``options.window`` steps, :math:`e_i` the unit
    perturbation of :math:`v_i`, and the mean over consecutive stretches that together last
    ``options.steps``, rounded up (ours). As T grows all of them tend to the largest exponent; a
    short T tells neurons apart. A perturbation that vanishes is taken for one that decays as fast
    as ``floor`` lets through in ``qr_every`` steps, and counted.

    All N perturbations are followed, so a step costs N products with its derivative: at N = 1000
    what 1000 exponents would cost without the QR. ``n_exponents`` plays no part.

    Args:
        network, rng, held: as for `participation_exponents`.
        options: how it is run and linearised; `perturbation` has no derivative to multiply.

    Raises:
        SpecError: an option is out of range, the recording does not fit, or perturbations overflow.
    """
    if options.linearisation not in WITH_JACOBIAN:
        allowed = ", ".join(WITH_JACOBIAN)
        fix = "take exponents by participation with it"
        problem = Problem("linearisation", f"{options.linearisation!r}", allowed, fix)
        raise SpecError("no finite-time exponents", problems=[problem])
    window, n_windows = options.window, -(-options.steps // options.window)
    total = options.transient + window * n_windows
    run = WITH_JACOBIAN[options.linearisation](network, options, rng, held, total)
    for _ in range(options.transient):
        run.advance()
    # as fast a decay as `floor` lets through between two orthonormalisations
    least = np.log(options.floor) * window / options.qr_every
    logs, n_floored = np.zeros(network.n_neurons), 0
    for _ in range(n_windows):
        growth = _log_norms([run.step() for _ in range(window)], network.n_neurons)
        n_floored += int(np.count_nonzero(growth < least))
        logs += np.maximum(growth, least)
    horizon = window * network.dt
    per_neuron = logs / (n_windows * horizon)
    return FiniteTimeExponents(per_neuron, horizon, n_windows, n_floored, options, run.record())


def _log_norms(jacobians: Sequence[SurrogateJacobian | EventJacobian], n: int) -> Float:
    """``ln |J_T ... J_1 e_i|`` of the potential of every neuron, (N,); -inf where none is left."""
    logs = np.empty(n)
    for first in range(0, n, COLUMNS):
        last = min(first + COLUMNS, n)
        tangent = np.eye(2 * n, last - first, -first)
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):  # reported below
            for jacobian in jacobians:
                tangent = jacobian.times(tangent)
        size = np.abs(tangent).max(axis=0)
        if not np.all(np.isfinite(size)):
            raise SpecError(
                f"perturbations overflowed within {len(jacobians)} steps: lower window or the "
                "weights"
            )
        with np.errstate(divide="ignore"):
            scaled = np.linalg.norm(tangent / np.where(size > 0, size, 1.0), axis=0)
            logs[first:last] = np.log(size) + np.log(np.maximum(scaled, 1.0))
    return logs
