"""Covariance of what neurons do in a run: of their spikes, filtered by an exponential."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import SpecError
from hrsnn_lava.trace import Trace

Float = NDArray[np.float64]
#: Steps whose filtered spikes are held at once.
CHUNK = 512
#: Traces below it are 0: products of smaller ones have few bits left, and take ten times as long.
FORGOTTEN = 1e-100


def trace_covariance(trace: Trace, tau_steps: float, *, washout: int = 0) -> Float:
    r"""Covariance C of the neurons' spike traces over the steps of a run.

    .. math:: z_i[t] = e^{-1/\tau} z_i[t-1] + s_i[t], \qquad
              C_{ij} = \langle z_i z_j \rangle - \langle z_i \rangle \langle z_j \rangle

    What a readout with one trace a neuron sees. Takes ``steps N^2`` multiplications and, beside
    the result, `CHUNK` rows of traces.

    Args:
        trace: with its spikes.
        tau_steps: time constant in steps, > 0.
        washout: first steps that are filtered and not counted.

    Returns:
        (N, N), symmetric; rows of silent neurons are 0.

    Raises:
        SpecError: `tau_steps` or `washout` out of range.
    """
    if not (np.isfinite(tau_steps) and tau_steps > 0):
        raise SpecError(f"tau_steps: {tau_steps}; allowed: a number > 0")
    if not 0 <= washout < trace.n_steps:
        raise SpecError(f"washout: {washout}; allowed: 0 to below {trace.n_steps}, the steps")
    n, keep = trace.n_neurons, float(np.exp(-1.0 / tau_steps))
    total, product, state = np.zeros(n), np.zeros((n, n)), np.zeros(n)
    for first in range(0, trace.n_steps, CHUNK):
        last = min(first + CHUNK, trace.n_steps)
        begin, end = np.searchsorted(trace.spike_steps, (first, last))
        rows = np.zeros((last - first, n))
        steps = trace.spike_steps[begin:end] - first
        np.add.at(rows, (steps, trace.spike_neurons[begin:end]), 1.0)
        for row in rows:
            state *= keep
            row += state
            state[:] = row
        state[state < FORGOTTEN] = rows[rows < FORGOTTEN] = 0.0
        rows = rows[max(washout - first, 0) :]
        total += rows.sum(axis=0)
        product += rows.T @ rows
    count = trace.n_steps - washout
    mean = total / count
    covariance: Float = product / count - np.outer(mean, mean)
    covariance[:, total == 0] = covariance[total == 0] = 0.0
    return 0.5 * (covariance + covariance.T)
