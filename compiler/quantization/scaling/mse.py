"""``mse``: scale and exponents of least mean square error of the weights, in thresholds.

    cost = sum over projections and synapses of ((W 2^e / S - w) / v_threshold)^2

with W less what the truncated decay of the current takes from a spike, see
`hrsnn_lava.compiler.quantization.current_error`. Exponents that floor sums are not used.

Clipping a few large weights may let all the others have a finer grid, and a somewhat smaller S
may let the largest weight meet the top of the grid: both are tried.
"""

from __future__ import annotations

import numpy as np

from hrsnn_lava.compiler.quantization.scaling.base import Plain, best_scale
from hrsnn_lava.compiler.quantization.target import Synapses, Target, clipping_exponents, nearest


class Option(Plain):
    """Least mean square error of the weights."""

    def scale(self, target: Target, bound: float) -> float:
        """The best within an octave below the bound."""

        def cost(some: Target, scale: float) -> float:
            return sum(_best(some, s, scale)[0] for s in some.synapses)

        return best_scale(target, bound, cost)

    def exponent(self, target: Target, synapses: Synapses, scale: float) -> int:
        """The exponent of least cost; of equal ones the one that clips least."""
        return _best(target, synapses, scale)[1]


def squared_error(target: Target, synapses: Synapses, scale: float, exponent: int) -> float:
    """The cost of one projection, see the module."""
    weights, rows = synapses.weights.data, synapses.rows
    rounded = nearest(synapses, weights * scale, exponent) * (2.0**exponent / scale)
    lost_by_decay = np.sign(weights) * target.truncation(scale)[rows] / (scale * synapses.counts)
    return float(np.sum(((rounded - weights - lost_by_decay) / target.threshold[rows]) ** 2))


def _best(target: Target, synapses: Synapses, scale: float) -> tuple[float, int]:
    costs = [
        (squared_error(target, synapses, scale, exponent), -exponent)
        for exponent in clipping_exponents(synapses, scale)
    ]
    cost, negative = min(costs)
    return cost, -negative
