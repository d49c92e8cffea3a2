"""Snapping of neuron parameters to short tables, at the least relative error.

Time constants are compared by the logarithm of their rate, ``-ln(1 - d / 4096)`` per step, so
that a distance is a relative error of tau, whatever tau is. Which objective to use is our
choice: the chip's makers only state the lengths of the tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.palettes.breaks import cluster_1d
from hrsnn_lava.compiler.palettes.plane_clusters import centres, cluster_2d, squared_error
from hrsnn_lava.integer_format import DECAY_ONE, NEURON_RANGES
from hrsnn_lava.seeding import generator

Float = NDArray[np.float64]
Int = NDArray[np.int64]
#: Share of an average neuron's weight that a silent one keeps; see `activity_weights`.
SILENT_SHARE = 0.1


def decay_rate(decay: Any) -> Float:
    """Rate per step of a decay field, ``-ln(1 - decay / 4096) = dt / tau``.

    The current's field has offset 1: give ``du + 1``. A full decay (4096) counts as 4095.5, the
    middle between it and the slowest neighbour, to stay finite.
    """
    share = np.minimum(np.asarray(decay, dtype=np.float64), DECAY_ONE - 0.5) / DECAY_ONE
    return np.asarray(-np.log1p(-share), dtype=np.float64)


def nearest_decay(log_rate: Any) -> Int:
    """The decay field 1..4096 of a logarithmic rate, rounded to the nearest."""
    share = -np.expm1(-np.exp(np.asarray(log_rate, dtype=np.float64)))
    return np.asarray(np.clip(np.rint(DECAY_ONE * share), 1, DECAY_ONE), dtype=np.int64)


def compartment_classes(du: Any, dv: Any, refractory: Any) -> Int:
    """Class of every neuron, from 0: those of one class may share a compartment profile.

    Refractory periods are never changed, and neither is a decay of 0 (nothing is forgotten),
    which no time constant is near.
    """
    keys = np.stack([np.asarray(refractory), np.asarray(dv) == 0, np.asarray(du) == -1], axis=1)
    return np.asarray(np.unique(keys, axis=0, return_inverse=True)[1], dtype=np.int64).ravel()


def activity_weights(rates: Any, n_neurons: int) -> Float:
    """How much each neuron's error counts, (n_neurons,), with mean 1: ``f + (1 - f) r / mean r``.

    A silent neuron sends nothing, so its error matters less; it may yet fire on other input, so
    it keeps the share f = 0.1. The form and the share are our choice. A scalar rate, or none:
    all count the same.
    """
    if rates is None or np.ndim(rates) == 0:
        return np.ones(n_neurons)
    active = np.maximum(np.asarray(rates, dtype=np.float64), 0.0)
    mean = active.mean() if active.size else 0.0
    if not np.isfinite(mean) or mean <= 0.0:
        return np.ones(n_neurons)
    return np.asarray(SILENT_SHARE + (1.0 - SILENT_SHARE) * active / mean, dtype=np.float64)


def log_rates(parameters: Int) -> Float:
    """Logarithms of the decay rates of potential and current, (n, 2); a decay of 0 counts as 1."""
    decays = np.stack([parameters[:, 1], parameters[:, 0] + 1], axis=1)
    return np.asarray(np.log(decay_rate(np.maximum(decays, 1))), dtype=np.float64)


def compartment_labels(table: Int, weights: Float, limit: int, restarts: int = 0) -> Int | None:
    """Clusters of distinct rows (du, dv, refractory), at most `limit`, (n,) from 0.

    One tau_syn, or few: du is kept and dv clustered optimally. Many: clusters in the plane. In
    between, whichever has the smaller error. None when the classes that may not be mixed are
    more than `limit`.
    """
    groups = compartment_classes(table[:, 0], table[:, 1], table[:, 2])
    if groups.max() + 1 > limit:
        return None
    points = log_rates(table)
    fine = np.unique(np.stack([groups, table[:, 0]], axis=1), axis=0, return_inverse=True)[1]
    fine = np.asarray(fine, dtype=np.int64).ravel()
    exact_du = None
    if fine.max() < limit:
        exact_du = cluster_1d(points[:, 0], fine, weights, limit)
        if fine.max() == groups.max() or np.unique(table[:, 0]).size == 1:
            return exact_du
    rng = generator(0, "palette") if restarts else None
    free = cluster_2d(points, groups, weights, limit, restarts=restarts, rng=rng)
    if exact_du is None:
        return free
    return min((exact_du, free), key=lambda labels: squared_error(points, labels, weights))


def snap_compartments(
    du: Any,
    dv: Any,
    refractory: Any,
    limit: int,
    weights: Float | None = None,
    restarts: int = 0,
) -> tuple[Int, Int] | None:
    """New (du, dv) of the neurons of one core with at most `limit` distinct profiles.

    None when the classes that may not be mixed are more than `limit`. See `compartment_labels`.

    Args:
        weights: (n,) how much each neuron's error counts.
        restarts: of the clustering in the plane.
    """
    rows = np.stack([np.asarray(x, dtype=np.int64) for x in (du, dv, refractory)], axis=1)
    table, inverse = np.unique(rows, axis=0, return_inverse=True)
    inverse = inverse.ravel()
    if table.shape[0] <= limit:
        return rows[:, 0], rows[:, 1]
    mass = np.bincount(inverse, weights, table.shape[0]).astype(np.float64)
    labels = compartment_labels(table, mass, limit, restarts)
    if labels is None:
        return None
    decay_u, decay_v = table[:, 0] + 1, table[:, 1]
    middle = centres(log_rates(table), labels, mass, int(labels.max()) + 1)
    snapped = nearest_decay(middle)[labels]
    new_dv = np.where(decay_v == 0, 0, snapped[:, 0])
    new_du = np.where(decay_u == 0, 0, snapped[:, 1]) - 1
    return new_du[inverse], np.minimum(new_dv, max(int(decay_v.max()), 1))[inverse]


def snap_thresholds(vth: Any, limit: int, weights: Float | None = None) -> Int:
    """New thresholds of the neurons of one core with at most `limit` distinct values."""
    values, inverse = np.unique(np.asarray(vth, dtype=np.int64), return_inverse=True)
    inverse = inverse.ravel()
    if values.size <= limit:
        return np.asarray(values[inverse], dtype=np.int64)
    points = np.log(np.maximum(values, 0.5))
    mass = np.bincount(inverse, weights, values.size).astype(np.float64)
    labels = cluster_1d(points, np.zeros(values.size, dtype=np.int64), mass, limit)
    middle = centres(points[:, None], labels, mass, int(labels.max()) + 1)[:, 0]
    snapped: Int = np.rint(np.exp(middle)).astype(np.int64)[labels][inverse]
    return snapped


@dataclass(frozen=True, eq=False)
class Snapped:
    """Parameters of the neurons of one core after snapping, each (n,) int64."""

    du: Int
    dv: Int
    vth: Int

    @staticmethod
    def of(parameters: Int) -> Snapped:
        """The columns of (n, 4) parameters du, dv, refractory, vth."""
        return Snapped(parameters[:, 0], parameters[:, 1], parameters[:, 3])


def snap_core(
    parameters: Int,
    compartment_limit: int | None,
    threshold_limit: int | None,
    *,
    weights: Float | None = None,
    threshold_weights: Float | None = None,
    restarts: int = 0,
) -> Snapped | None:
    """Snap the neurons of one core to its tables; None when refractory periods alone overflow.

    A changed dv changes the gain of the membrane, 4096 / dv. So vth is first scaled by
    dv_old / dv_new, which keeps the constant current that just fires the neuron, and then
    snapped; weights and biases stay as they are.

    Args:
        parameters: (n, 4) columns du, dv, refractory, vth. A limit of None: no table.
        weights: (n,) how much each neuron's error counts; 1 each by default.
        threshold_weights: the same for thresholds; `weights` by default.
        restarts: of the clustering in the plane, see `compartment_labels`.
    """
    du, dv, refractory, vth = np.asarray(parameters, dtype=np.int64).T
    new_du, new_dv = du, dv
    if compartment_limit is not None:
        pair = snap_compartments(du, dv, refractory, compartment_limit, weights, restarts)
        if pair is None:
            return None
        new_du, new_dv = pair
    scale = np.where(dv == 0, 1.0, dv / np.maximum(new_dv, 1))
    new_vth = np.clip(np.rint(vth * scale), *NEURON_RANGES["vth"]).astype(np.int64)
    new_vth = np.maximum(new_vth, np.minimum(vth, 1))  # only what is 0 fires at every input
    if threshold_limit is not None:
        for_thresholds = weights if threshold_weights is None else threshold_weights
        new_vth = snap_thresholds(new_vth, threshold_limit, for_thresholds)
    return Snapped(new_du, new_dv, new_vth)


def relative_errors(parameters: Int, new: Snapped) -> Float:
    """Relative change of tau_mem, tau_syn and of the threshold current, (n, 3), >= 0.

    tau is ``-dt / ln(1 - d / 4096)``; the threshold current is the constant input that just
    fires the neuron, in proportion to ``vth * dv`` (to vth where there is no leak).
    """
    du, dv, _, vth = np.asarray(parameters, dtype=np.int64).T
    floor = 0.5  # a decay of 0 never changes, so any positive value will do
    tau_mem = decay_rate(np.maximum(dv, floor)) / decay_rate(np.maximum(new.dv, floor))
    tau_syn = decay_rate(np.maximum(du + 1, floor)) / decay_rate(np.maximum(new.du + 1, floor))
    leak = np.where(dv == 0, 1.0, new.dv / np.maximum(dv, 1))
    threshold = new.vth * leak / np.maximum(vth, 1)
    threshold = np.where((vth == 0) & (new.vth == 0), 1.0, threshold)
    errors: Float = np.abs(np.stack([tau_mem, tau_syn, threshold], axis=1) - 1.0)
    return errors
