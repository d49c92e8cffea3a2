"""The palette that one would write first, as the line to compare with.

Cores are filled in neuron order; on each, k-means from one random start clusters the time
constants themselves, not their logarithms, all neurons counting the same, and the thresholds by
their values. The threshold does not follow a changed dv.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.palettes.clustering import (
    Snapped,
    compartment_classes,
    decay_rate,
    nearest_decay,
)
from hrsnn_lava.compiler.palettes.plane_clusters import centres, drawn_start, refine
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.seeding import generator

Float = NDArray[np.float64]
Int = NDArray[np.int64]


def snap_naively(parameters: Int, sizes: Any, profile: HardwareProfile, seed: int = 0) -> Int:
    """Parameters that the naive palette gives, (n_neurons, 4).

    Args:
        parameters: (n_neurons, 4) columns du, dv, refractory, vth.
        sizes: neurons a core; core c takes the next ``sizes[c]`` in neuron order.
    """
    new = np.asarray(parameters, dtype=np.int64).copy()
    limits = profile.core.compartment_profiles.value, profile.core.threshold_profiles.value
    bounds = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    for core in np.flatnonzero(np.diff(bounds)):
        part = slice(bounds[core], bounds[core + 1])
        snapped = naive_core(new[part], *limits, generator(seed, "naive_palette", int(core)))
        new[part, 0], new[part, 1], new[part, 3] = snapped.du, snapped.dv, snapped.vth
    return new


def naive_core(
    parameters: Int,
    compartment_limit: int | None,
    threshold_limit: int | None,
    rng: np.random.Generator,
) -> Snapped:
    """New parameters of one core; unchanged where its refractory periods alone overflow."""
    du, dv, refractory, vth = np.asarray(parameters, dtype=np.int64).T
    new_du, new_dv, new_vth = du, dv, vth
    groups = compartment_classes(du, dv, refractory)
    tables = np.unique(parameters[:, :3], axis=0).shape[0]
    limit = tables if compartment_limit is None else compartment_limit
    if groups.max() < limit < tables:
        tau = 1.0 / decay_rate(np.maximum(np.stack([dv, du + 1], axis=1), 1))
        middle = _k_means(tau, groups, limit, rng)
        fields = nearest_decay(-np.log(middle))
        new_dv = np.where(dv == 0, 0, np.minimum(fields[:, 0], max(int(dv.max()), 1)))
        new_du = np.where(du == -1, 0, fields[:, 1]) - 1
    if threshold_limit is not None and np.unique(vth).size > threshold_limit:
        points = np.stack([vth, np.zeros_like(vth)], axis=1).astype(np.float64)
        middle = _k_means(points, np.zeros(vth.size, dtype=np.int64), threshold_limit, rng)
        new_vth = np.rint(middle[:, 0]).astype(np.int64)
    return Snapped(new_du, new_dv, new_vth)


def _k_means(points: Float, groups: Int, limit: int, rng: np.random.Generator) -> Float:
    """The centre that every point is moved to, (n, 2)."""
    weights = np.ones(points.shape[0])
    labels = drawn_start(points, groups, weights, limit, rng)
    labels = refine(points, groups, weights, labels, rounds=25)
    return centres(points, labels, weights, int(labels.max()) + 1)[labels]
