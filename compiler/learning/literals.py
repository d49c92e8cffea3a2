"""Numbers that a learning rule can hold: impulse m 2^e of a profile, and tags of a synapse."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.chip_learning import Trace
from hrsnn_lava.compiler.learning.kernel_error import lags_of, tag_kernel
from hrsnn_lava.errors import HrsnnError
from hrsnn_lava.integer_format import EXPONENT_RANGE

Float = NDArray[np.float64]
Int = NDArray[np.int64]
TAG_MAX = 255
MANTISSA_MAX = 7


def plain_grid(wanted: float, impulse: int) -> tuple[int, int, int]:
    """Impulse, m and e whose product is nearest to `wanted`; the impulse is above half its top."""
    if wanted == 0.0:
        return impulse, 0, 0
    low, high = EXPONENT_RANGE
    heights = np.arange(impulse // 2 + 1, impulse + 1)
    mantissas, exponents = np.arange(1, MANTISSA_MAX + 1), np.arange(low, high + 1)
    values = heights[:, None, None] * mantissas[:, None] * 2.0**exponents
    error = np.abs(values - wanted)
    if values.min() > wanted:  # a smaller impulse alone goes lower
        return max(1, min(impulse, round(wanted * 2.0**-low))), 1, low
    best = np.argwhere(error <= error.min() * (1 + 1e-9))[-1]  # the highest impulse of the best
    return int(heights[best[0]]), int(mantissas[best[1]]), int(exponents[best[2]])


def tag_grid(
    wanted: Float, tau: float, sign: int, impulse: int, sums: slice
) -> tuple[tuple[int, int, int], Float]:
    """Impulse, m and e at which tags up to 255 just reach the largest of `wanted`.

    Returns:
        The grid, and the expected size of the change for every tag, (256,), rising.
    """
    low, high = EXPONENT_RANGE
    choices = [(m * 2.0**e, e, m) for m in range(1, MANTISSA_MAX + 1) for e in range(low, high + 1)]
    top = float(wanted.max(initial=0.0))
    found: tuple[tuple[int, int, int], Float] | None = None
    trace, lags = Trace(impulse, tau), 2 * lags_of(np.array([tau]))
    reach = impulse * TAG_MAX / 32.0 * (1.0 if sums.stop == 1 else 1.0 / -np.expm1(-1.0 / tau))
    for factor, e, m in sorted(choices):
        if factor * reach < 0.9 * top and (m, e) != (MANTISSA_MAX, high):
            continue
        kernel = tag_kernel(trace, sign * m, e, np.arange(TAG_MAX + 1), lags)
        table = np.abs(kernel[sums].sum(axis=0))
        found = (impulse, m, e), table
        if table[-1] >= top:
            break
    if found is None:
        raise HrsnnError("no scale for the tags; this is a fault of the compiler")
    return found


def nearest_tag(table: Float, wanted: Float) -> Int:
    """Index of the nearest entry of a rising table, (n,)."""
    right = np.clip(np.searchsorted(table, wanted), 1, table.size - 1)
    left_is_nearer = wanted - table[right - 1] < table[right] - wanted
    return np.asarray(right - left_is_nearer, dtype=np.int64)
