"""Orders of cores in which those that talk much are near each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.placing._task import PlaceTask

Int = NDArray[np.int64]
#: Steps of the power iteration, and the most additions that all of them may take.
ITERATIONS = 300
MAX_WORK = 200_000_000


def spectral_order(task: PlaceTask) -> Int:
    """Cores by the second eigenvector of the normalized traffic, (n_cores,).

    Power iteration on ``(1 + D^-1/2 S D^-1/2) / 2`` with the first eigenvector ``D^1/2 1``
    projected out (Fiedler's vector of the normalized Laplacian). It starts from the numbers of
    the cores and runs a fixed number of steps in one order of additions, so that the result does
    not depend on threads; it need not have converged to be a good order.
    """
    n = task.n_cores
    scale = np.zeros(n)
    degree = task.matrix.sum(axis=1, dtype=np.float64).A1 if n else np.zeros(0)
    np.divide(1.0, np.sqrt(degree), out=scale, where=degree > 0)
    first = np.sqrt(degree)
    length = float(np.sum(first * first))
    steps = min(ITERATIONS, MAX_WORK // max(task.indices.size, 1))
    if not length or steps == 0:
        return np.arange(n, dtype=np.int64)
    matrix = task.matrix.astype(np.float64)
    vector = np.arange(n, dtype=np.float64) - (n - 1) / 2
    for _ in range(steps):
        vector = vector - first * (float(np.sum(first * vector)) / length)
        largest = float(np.abs(vector).max())
        if largest == 0.0:
            break
        vector = vector / largest
        vector = 0.5 * (vector + scale * (matrix @ (scale * vector)))
    return np.argsort(np.round(vector * scale, 12), kind="stable")
