"""Covariance of what neurons do in a run: of their spikes, filtered by an exponential."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.arrays import arrays_on
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.trace import Trace

Float = NDArray[np.float64]
#: What to do where something goes by a covariance that nobody measured.
MEASURE = (
    "give `observed` to compile with a covariance, as `observe_driven` or `measure_driven` of "
    "hrsnn_lava.training.driven measures it"
)
#: What a covariance is, and the largest part of its largest entry that rounding may take or add.
MEASURED, ROUNDING = "a covariance, as `trace_covariance` measures it", 1e-6
#: Steps whose filtered spikes are held at once.
CHUNK = 512
#: Traces below it are 0: products of smaller ones have few bits left, and take ten times as long.
FORGOTTEN = 1e-100


class TraceCovariance:
    """Covariance of spike traces, gathered while a network runs; see `trace_covariance`.

    Give it every stretch of the run by `add`, and call `restart` where the network starts afresh.
    """

    def __init__(self, n_neurons: int, tau_steps: float) -> None:
        """Nothing seen yet; a `SpecError` for a time constant out of range."""
        if not (np.isfinite(tau_steps) and tau_steps > 0):
            raise SpecError(f"tau_steps: {tau_steps}; allowed: a number > 0")
        self._keep = float(np.exp(-1.0 / tau_steps))
        self._state = np.zeros(n_neurons)
        self._total = np.zeros(n_neurons)
        self._product = np.zeros((n_neurons, n_neurons))
        self._rows = np.empty((CHUNK, n_neurons))
        self._filled = self._count = 0

    def restart(self) -> None:
        """Traces are 0 again."""
        self._state[:] = 0.0

    def add(
        self,
        steps: NDArray[Any],
        neurons: NDArray[Any],
        n_steps: int,
        washout: int = 0,
        sent: NDArray[Any] | None = None,
    ) -> None:
        """The next `n_steps` steps of the run.

        Args:
            steps, neurons: (n_spikes,) of the spikes, sorted by step, which counts from the first
                of this stretch.
            n_steps: its length.
            washout: its first steps are filtered and not counted.
            sent: (n_spikes,) how many spikes each is; None where all are one.
        """
        each: Any = np.ones(steps.size) if sent is None else sent
        ends = np.searchsorted(steps, np.arange(n_steps + 1)).tolist()
        for step in range(n_steps):
            self._state *= self._keep
            now = slice(ends[step], ends[step + 1])
            np.add.at(self._state, neurons[now], each[now])
            if step >= washout:
                self._rows[self._filled] = self._state
                self._filled += 1
            if self._filled == CHUNK:
                self._gather()

    def _gather(self) -> None:
        """The rows that are held become sums."""
        rows, self._filled = self._rows[: self._filled], 0
        for values in (rows, self._state):
            values[values < FORGOTTEN] = 0.0
        self._count += len(rows)
        self._total += rows.sum(axis=0)
        self._product += arrays_on("cpu").product(rows.T, rows, symmetric=True)

    def matrix(self) -> Float:
        """C, (N, N), symmetric; rows of silent neurons are 0, and all before a step was counted."""
        self._gather()
        mean = self._total / max(self._count, 1)
        covariance: Float = self._product / max(self._count, 1) - np.outer(mean, mean)
        silent = self._total == 0
        covariance[:, silent] = covariance[silent] = 0.0
        return 0.5 * (covariance + covariance.T)


def trace_covariance(trace: Trace, tau_steps: float, *, washout: int = 0) -> Float:
    r"""Covariance C of the neurons' spike traces over the steps of a run.

    .. math:: z_i[t] = e^{-1/\tau} z_i[t-1] + s_i[t], \qquad
              C_{ij} = \langle z_i z_j \rangle - \langle z_i \rangle \langle z_j \rangle

    What a readout with one trace a neuron sees. Takes ``steps N^2`` multiplications and, beside
    the result, `CHUNK` rows of traces; the bits are the same for any number of threads.

    Args:
        trace: with its spikes.
        tau_steps: time constant in steps, > 0.
        washout: first steps that are filtered and not counted.

    Returns:
        (N, N), symmetric; rows of silent neurons are 0.

    Raises:
        SpecError: `tau_steps` or `washout` out of range.
    """
    gathered = TraceCovariance(trace.n_neurons, tau_steps)
    if not 0 <= washout < trace.n_steps:
        raise SpecError(f"washout: {washout}; allowed: 0 to below {trace.n_steps}, the steps")
    with arrays_on("cpu").reproducible():
        spikes = (trace.spike_steps, trace.spike_neurons)
        gathered.add(*spikes, trace.n_steps, washout, trace.payloads)
    return gathered.matrix()


def checked_covariance(n_neurons: int, covariance: Float | None) -> Float:
    """The covariance itself; a `SpecError` where there is none, of another size, or no covariance.

    One is symmetric, up to rounding, and has no variance below 0.
    """
    square = f"({n_neurons}, {n_neurons})"
    covariance = None if covariance is None else np.asarray(covariance)
    if covariance is None:
        problem = Problem("covariance", "not known", square, MEASURE)
    elif covariance.shape != (n_neurons, n_neurons):
        problem = Problem("covariance", f"shape {covariance.shape}", square)
    elif not np.isfinite(covariance).all():
        problem = Problem("covariance", "NaN or infinite", "finite numbers")
    elif not _is_covariance(covariance):
        problem = Problem("covariance", "not symmetric, or with variances < 0", MEASURED)
    else:
        return covariance
    raise SpecError("the network cannot be pruned by what its neurons do", problems=[problem])


def _is_covariance(matrix: Float) -> bool:
    """Whether a square matrix is symmetric without variances below 0, up to rounding."""
    rounding = ROUNDING * float(np.abs(matrix).max(initial=0.0))
    lopsided = float(np.abs(matrix - matrix.T).max(initial=0.0))
    return lopsided <= rounding and bool((matrix.diagonal() >= -rounding).all())
