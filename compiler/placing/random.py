"""Cores on slots drawn at random: a baseline."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.placing._task import PlaceTask


def place(task: PlaceTask, rng: np.random.Generator) -> NDArray[np.int64]:
    """Slot of every core, (n_cores,)."""
    return rng.permutation(task.mesh.n_slots)[: task.n_cores].astype(np.int64)
