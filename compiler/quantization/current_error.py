r"""What integers do to the synaptic current of a neuron: rounding, floors and truncated decays.

Of sources that fire at random with probability r_j a step, errors d_ij of the weights shift and
shake the current of neuron i (mean and variance of a filtered point process, Campbell)

.. math::
    \Delta_i = \frac{\sum_j r_j d_{ij}}{1 - \alpha_i}, \qquad
    \sigma_i^2 = \frac{\sum_j r_j (1 - r_j) d_{ij}^2}{1 - \alpha_i^2},
    \qquad \alpha = e^{-dt / \tau_{syn}}

Three things make up d:

- *rounding*: an integer weight on its grid, clipped at the largest;
- *the floor*: an exponent below ``-log2(grid)`` shifts the sum of a step down and floors it. A
  spike that arrives alone loses the remainder of its weight; of many together, remainders are
  spread evenly, and half a unit is lost;
- *truncation*: each step the decay of the current drops a fraction of a unit of the state, 1/128
  of a weight unit on average, as long as there is a current. A lone spike loses that until its
  current is gone, ``tau ln(1 + 128 W / tau)`` steps; spikes that overlap share the loss.

That sources fire independently, and all arrive with one delay, is our simplification. Sources whose
rates nobody knows get `TYPICAL_RATE`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.quantization.target import Synapses, Target, nearest

Float = NDArray[np.float64]
_HOPELESS = 0.1**2


@dataclass(frozen=True, eq=False)
class CurrentTerms:
    """What one projection does to the current of its targets, in integer units 2^exponent.

    Attributes:
        rounded: (nnz,) integer weights. error: (nnz,) how far above the exact ones they are.
        rates: (nnz,) of the source of each.
        shift: (n_post,) error of the mean input of a step, floor and truncation included.
        shake: (n_post,) its variance.
        current: (n_post,) mean current, signed, in thresholds.
        mean_unit, variance_unit: (n_post,) factors from shift and from shake to the current's
            error in thresholds, and to its square.
    """

    rounded: Float
    error: Float
    rates: Float
    shift: Float
    shake: Float
    current: Float
    mean_unit: Float
    variance_unit: Float

    @property
    def cost(self) -> Float:
        """Mean square error of the current, in thresholds squared, (n_post,)."""
        whole: Float = (self.mean_unit * self.shift) ** 2 + self.variance_unit * self.shake
        return whole

    @staticmethod
    def of(
        target: Target,
        synapses: Synapses,
        scale: float,
        exponent: int,
        integers: Float | None = None,
    ) -> CurrentTerms:
        """Terms of given integers, or of the nearest; `scale` is integer units per 1.0."""
        exact = synapses.weights.data * scale
        rounded = nearest(synapses, exact, exponent) if integers is None else integers
        error = rounded - exact / 2.0**exponent
        rates = synapses.rates_by_synapse
        n, rows = synapses.weights.shape[0], synapses.rows
        lost_by_decay = np.sign(exact) * target.truncation(scale)[rows]
        lost_by_decay /= 2.0**exponent * synapses.counts
        shift: Float = np.bincount(rows, rates * (error - lost_by_decay), minlength=n) * 1.0
        shake: Float = np.bincount(rows, rates * (1.0 - rates) * error**2, minlength=n) * 1.0
        if exponent < synapses.exact_exponents.start:
            mean, variance = _floored(synapses, rounded, rates, exponent)
            shift, shake = shift - mean, shake + variance
        unit = 2.0**exponent * synapses.counts / scale / target.threshold
        # a current that never decays has no mean; half a unit of the decay stands for its leak
        leak = np.maximum(1.0 - target.keep, 0.5 / 4096)
        variance_unit: Float = unit**2 / (leak * (1.0 + target.keep))
        current = np.bincount(rows, rates * exact, minlength=n) * synapses.counts
        current /= scale * target.threshold * leak
        return CurrentTerms(
            rounded, error, rates, shift, shake, current, unit / leak, variance_unit
        )


def _floored(
    synapses: Synapses, rounded: Float, rates: Float, exponent: int
) -> tuple[Float, Float]:
    """Mean and variance of what the floor takes from the input of a step, (n_post,) each."""
    rows, n = synapses.rows, synapses.weights.shape[0]
    divisor = 2.0**-exponent
    log_silent = np.bincount(rows, np.log1p(-np.minimum(rates, 1.0 - 1e-12)), minlength=n)
    arrives: Float = -np.expm1(log_silent)
    odds = np.bincount(rows, rates / np.maximum(1.0 - rates, 1e-12), minlength=n)
    alone = np.exp(log_silent) * odds  # exactly one source fires
    each_share = np.bincount(rows, rates, minlength=n)
    remainder = np.mod(rounded, divisor)
    of_one = np.bincount(rows, rates * remainder, minlength=n) / np.maximum(each_share, 1e-300)
    of_one_squared = np.bincount(rows, rates * remainder**2, minlength=n)
    of_one_squared = of_one_squared / np.maximum(each_share, 1e-300)
    # sums are multiples of the grid; remainders of many are spread over all its multiples
    values = max(divisor / synapses.grid, 1.0)
    of_many = synapses.grid * (values - 1.0) / 2.0
    variance_of_many = synapses.grid**2 * (values**2 - 1.0) / 12.0
    together = np.maximum(arrives - alone, 0.0)
    mean = alone * of_one + together * of_many
    variance = alone * np.maximum(of_one_squared - of_one**2, 0.0) + together * variance_of_many
    return np.asarray(mean / 1.0), np.asarray(variance / 1.0)


class Chosen(NamedTuple):
    """What became of one projection: its synapses, exponent, and integer weights, (nnz,)."""

    synapses: Synapses
    exponent: int
    integers: Float


def hopeful_sum(cost: Float) -> float:
    """Sum over neurons of their mean square errors, (n,), each counting 1 at most.

    A neuron whose current is hopeless counts once, and not by how far off it is: others, which
    share its exponent, would pay for it. An error of a tenth of the threshold counts half (ours).
    """
    return float(np.sum(cost / (cost + _HOPELESS)))


@dataclass(frozen=True, eq=False)
class NeuronErrors:
    """Error of the synaptic current of every neuron of a population.

    In thresholds, or in mean currents where those are larger: what is a threshold more or less to
    a neuron that is driven a hundred times above it?

    Attributes:
        shift: (n,) of the mean, signed. shake: (n,) standard deviation about it.
    """

    shift: Float
    shake: Float

    @property
    def size(self) -> Float:
        """Root of the mean square, (n,)."""
        whole: Float = np.hypot(self.shift, self.shake)
        return whole

    @staticmethod
    def of(target: Target, scale: float, chosen: Sequence[Chosen]) -> NeuronErrors:
        """Of all projections together."""
        shift, variance, mean = np.zeros((3, target.keep.size))
        for synapses, exponent, integers in chosen:
            for rows, stored, part, some in target.blocks(synapses):
                terms = CurrentTerms.of(part, some, scale, exponent, integers[stored])
                shift[rows] += terms.mean_unit * terms.shift
                variance[rows] += terms.variance_unit * terms.shake
                mean[rows] += terms.current
        size = np.maximum(np.abs(mean), 1.0)
        return NeuronErrors(shift / size, np.sqrt(variance) / size)
