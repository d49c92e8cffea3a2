"""How far apart two recordings of the same neurons are, spike by spike.

Two classic distances, per neuron, for spikes at whole steps:

- van Rossum (2001): every spike becomes exp(-t / tau) from its time on; the distance is the
  squared difference of the two sums, ``D^2 = (1 / tau) integral (f - g)^2``. One spike more is
  worth 1/2, a spike far from its counterpart 1.
- Victor and Purpura (1996): the least cost of turning one train into the other, where a spike
  added or removed costs 1 and a spike moved by dt costs q |dt|: beyond 2 / q it is two spikes.

Over a population both are summed and related to what silence instead of either train would cost:
0 for equal trains, 1 for trains without any coincidence. That share is our choice.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrsnn_lava.errors import Problem, SpecError, raise_if

__all__ = ["spike_distance", "van_rossum", "victor_purpura"]

Float = NDArray[np.float64]
#: Steps within which spikes count as near (our choice): half of a sample of the default task.
DEFAULT_TAU = 10.0


def van_rossum(a: ArrayLike, b: ArrayLike, tau: float = DEFAULT_TAU) -> float:
    """Squared van Rossum distance of two trains, (n,) and (m,) rising times in units of `tau`'s.

    With signs s of +1 for `a` and -1 for `b` over all spikes,
    ``D^2 = 1/2 sum_ij s_i s_j exp(-|t_i - t_j| / tau)``, summed in one pass over sorted times.

    Raises:
        SpecError: `tau` is not positive.
    """
    raise_if(SpecError, "spike distance", [] if tau > 0 else [Problem("tau", f"{tau}", "> 0")])
    times = np.concatenate([np.asarray(a, np.float64), np.asarray(b, np.float64)])
    signs = np.concatenate([np.ones(np.size(a)), -np.ones(np.size(b))])
    order = np.argsort(times, kind="stable")
    times, signs = times[order], signs[order]
    memory = total = 0.0
    decay = np.exp(-np.diff(times, prepend=times[:1]) / tau)
    for factor, sign in zip(decay.tolist(), signs.tolist(), strict=True):
        memory *= factor
        total += sign * (sign + 2.0 * memory)
        memory += sign
    return max(0.5 * total, 0.0)


def victor_purpura(a: ArrayLike, b: ArrayLike, q: float = 2.0 / DEFAULT_TAU) -> float:
    """Victor-Purpura distance of two trains, (n,) and (m,) rising times; `q` per unit of time.

    Raises:
        SpecError: `q` is negative.
    """
    raise_if(SpecError, "spike distance", [] if q >= 0 else [Problem("q", f"{q}", ">= 0")])
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    places = np.arange(second.size + 1, dtype=np.float64)
    row = places.copy()
    for time in first:
        best = row + 1.0  # the spike is removed
        best[1:] = np.minimum(best[1:], row[:-1] + q * np.abs(second - time))  # or moved
        row = np.minimum.accumulate(best - places) + places  # spikes of the other are added
    return float(row[-1])


def spike_distance(
    a: tuple[ArrayLike, ArrayLike],
    b: tuple[ArrayLike, ArrayLike],
    n_neurons: int,
    tau: float = DEFAULT_TAU,
    q: float | None = None,
) -> dict[str, Any]:
    """Both distances over a population.

    Args:
        a, b: (steps, neurons) of the spikes of two recordings, (S,) each, sorted by step.
        n_neurons: in each.
        tau: steps. q: cost of moving a spike by a step; None: 2 / tau.

    Returns:
        tau_steps, q_per_step; van_rossum: sum of D^2 over that of both trains against silence;
        victor_purpura: sum over the number of spikes of both. None where nobody fires.
    """
    q = 2.0 / tau if q is None else q
    distance = silence = edits = 0.0
    spikes = 0
    nothing = np.zeros(0)
    for x, y in zip(_trains(*a, n_neurons), _trains(*b, n_neurons), strict=True):
        if not x.size and not y.size:
            continue
        distance += van_rossum(x, y, tau)
        silence += van_rossum(x, nothing, tau) + van_rossum(y, nothing, tau)
        edits += victor_purpura(x, y, q)
        spikes += x.size + y.size
    return {
        "tau_steps": tau,
        "q_per_step": q,
        "van_rossum": distance / silence if spikes else None,
        "victor_purpura": edits / spikes if spikes else None,
    }


def _trains(steps: ArrayLike, neurons: ArrayLike, n_neurons: int) -> Iterator[Float]:
    """Steps of every neuron's spikes."""
    at, who = np.asarray(steps, np.float64), np.asarray(neurons)
    order = np.argsort(who, kind="stable")
    ends = np.searchsorted(who[order], np.arange(n_neurons + 1))
    for first, last in pairwise(ends):
        yield at[order[first:last]]
