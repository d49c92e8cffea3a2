"""Compiled dynamic program of `breaks`; imported on first use, since numba is slow to load."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.kernels import kernel

Float = NDArray[np.float64]
Int = NDArray[np.int64]


@kernel()
def divide(w: Float, wx: Float, wxx: Float, k_max: int) -> tuple[Float, Int]:
    """Error and starts as `Breaks` has them, by divide and conquer over the monotone starts.

    Args:
        w, wx, wxx: (n + 1,) running sums of weight, weight x and weight x^2.
    """
    n = w.size - 1
    error = np.full(k_max + 1, np.inf)
    start = np.zeros((k_max + 1, n), dtype=np.int64)
    before = np.empty(n + 1)  # best error of the first j points
    now = np.empty(n + 1)
    before[0] = np.inf
    for j in range(n):
        mean = wx[j + 1] * wx[j + 1] / w[j + 1]
        before[j + 1] = max(wxx[j + 1] - mean, 0.0)
    error[1] = before[n]
    stack = np.empty((2 * n + 2, 4), dtype=np.int64)
    for k in range(2, k_max + 1):
        now[0] = np.inf
        stack[0] = (0, n - 1, 0, n - 1)
        top = 1
        while top:
            top -= 1
            low, high, first, last = stack[top]
            j = (low + high) // 2
            best, at = np.inf, first
            for i in range(first, min(j, last) + 1):
                mass = w[j + 1] - w[i]
                side = wx[j + 1] - wx[i]
                cost = max(wxx[j + 1] - wxx[i] - side * side / mass, 0.0)
                if before[i] + cost < best:
                    best, at = before[i] + cost, i
            start[k, j], now[j + 1] = at, best
            if low < j:
                stack[top] = (low, j - 1, first, at)
                top += 1
            if j < high:
                stack[top] = (j + 1, high, at, last)
                top += 1
        before, now = now, before
        error[k] = before[n]
    return error, start
