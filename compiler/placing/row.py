"""Cores in order of their numbers, on the tiles as the chip numbers them: a baseline."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.placing._task import PlaceTask


def place(task: PlaceTask, rng: np.random.Generator) -> NDArray[np.int64]:  # noqa: ARG001
    """Slot of every core, (n_cores,)."""
    return task.mesh.along("row")[: task.n_cores]
