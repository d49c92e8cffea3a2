"""Cores in spectral order of their traffic along a Hilbert curve."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.placing._orders import spectral_order
from hrsnn_lava.compiler.placing._task import PlaceTask


def place(task: PlaceTask, rng: np.random.Generator) -> NDArray[np.int64]:  # noqa: ARG001
    """Slot of every core, (n_cores,)."""
    slots = np.empty(task.n_cores, dtype=np.int64)
    slots[spectral_order(task)] = task.mesh.along("hilbert")[: task.n_cores]
    return slots
