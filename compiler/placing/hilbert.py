"""Cores in order of their numbers along a Hilbert curve: near numbers are near each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.placing._task import PlaceTask


def place(task: PlaceTask, rng: np.random.Generator) -> NDArray[np.int64]:  # noqa: ARG001
    """Slot of every core, (n_cores,)."""
    return task.mesh.along("hilbert")[: task.n_cores]
