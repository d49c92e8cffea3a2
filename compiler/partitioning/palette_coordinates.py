"""Coordinates in which neurons that may share a table entry are near."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.palettes.clustering import decay_rate
from hrsnn_lava.hardware_profiles import HardwareProfile

Int = NDArray[np.int64]
Float = NDArray[np.float64]


def palette_coordinates(parameters: Int, profile: HardwareProfile, tolerance: float) -> Float:
    """Coordinates of neurons, (n, 3), whose variance on a core predicts the error of its tables.

    M levels placed best on a normal distribution of deviation s leave the mean square error
    ``(pi sqrt(3) / 2) s^2 / M^2`` (Panter and Dite 1951). The logarithms of vth and of the two
    rates are scaled so that a squared distance of 1 is an error of `tolerance`. Quantities whose
    values all fit the table of one core count nothing. Our choice.
    """
    du, dv, refractory, vth = np.asarray(parameters, dtype=np.int64).T
    core = profile.core
    result = np.zeros((du.size, 3))

    def scale(limit: int) -> float:
        return float(np.sqrt(np.pi * np.sqrt(3.0) / 2.0) / limit / tolerance)

    table = core.threshold_profiles.value
    if table is not None and np.unique(vth).size > table:
        result[:, 0] = np.log(np.maximum(vth, 0.5)) * scale(table)
    table = core.compartment_profiles.value
    rows = np.stack([du, dv, refractory], axis=1)
    if table is not None and np.unique(rows, axis=0).shape[0] > table:
        result[:, 1] = np.log(decay_rate(np.maximum(dv, 0.5))) * scale(table)
        result[:, 2] = np.log(decay_rate(np.maximum(du + 1, 0.5))) * scale(table)
    return result - result.mean(axis=0, keepdims=True) if du.size else result
