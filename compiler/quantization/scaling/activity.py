"""``activity``: least error of the synaptic current that a run's rates cause, rounding included.

Of sources that fire at random with probability r_j a step, errors d_ij of the weights shift and
shake the current of neuron i (mean and variance of a filtered point process, Campbell)::

    cost_i = (sum_j r_j d_ij / (1 - alpha_i))^2 + sum_j r_j (1 - r_j) d_ij^2 / (1 - alpha_i^2)

in thresholds. A negative exponent e rounds the sum of a step down, by (1 - 2^e) / 2 of a unit on
average in every step with an arrival (on the grid of 8 bits); the cost counts that too. Weights are
first rounded to the nearest; then those closest to the middle of their interval are rounded to the
other side, as long as the mean current gains more than the variance loses. That sources fire
independently, and all arrive with one delay, is our simplification.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.quantization.scaling.base import (
    Float,
    Plain,
    Synapses,
    Target,
    best_scale,
    exponent_on_grid,
    fitting_exponent,
    nearest,
)
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.integer_format import WEIGHT_EXP_RANGE


class Option(Plain):
    """Least error of the current at the rates of a run."""

    needs_rates = True

    def scale(self, target: Target, bound: float) -> float:
        """The best within an octave below the bound, before weights are balanced."""

        def cost(some: Target, scale: float) -> float:
            return sum(
                min(_cost(some, s, scale, e) for e in _exponents(s, scale)) for s in some.synapses
            )

        return best_scale(target, bound, cost)

    def exponent(self, target: Target, synapses: Synapses, scale: float) -> int:
        """The exponent of least cost, after balancing; of equal ones the one that clips least."""
        costs = []
        for exponent in _exponents(synapses, scale):
            terms = _Terms.of(target, synapses, scale, exponent)
            costs.append((_balance(synapses, terms)[1], -exponent))
        return -min(costs)[1]

    def integers(self, target: Target, synapses: Synapses, scale: float, exponent: int) -> Float:
        """Rounded weights whose mean current is balanced."""
        terms = _Terms.of(target, synapses, scale, exponent)
        return terms.rounded + _balance(synapses, terms)[0] * synapses.grid


def current_error(
    target: Target, synapses: Synapses, scale: float, exponent: int, integers: Float
) -> Float:
    """Cost of given integer weights per neuron, (n_post,); see the module."""
    return _Terms.of(target, synapses, scale, exponent, integers).cost


def _exponents(synapses: Synapses, scale: float) -> range:
    """All that could be best: a finer grid by flooring or clipping, or the plain choice."""
    largest = synapses.largest * scale
    lowest = max(fitting_exponent(largest, synapses.top) - 3, WEIGHT_EXP_RANGE[0])
    return range(max(exponent_on_grid(synapses, largest), 0), lowest - 1, -1)


def _cost(target: Target, synapses: Synapses, scale: float, exponent: int) -> float:
    return float(_Terms.of(target, synapses, scale, exponent).cost.sum())


@dataclass(frozen=True, eq=False)
class _Terms:
    """What the cost is made of, in integer units of the projection's grid.

    Attributes:
        rounded: (nnz,) integer weights. error: (nnz,) how far above the exact ones they are.
        rates: (nnz,) of the source of each.
        shift: (n_post,) error of the mean input of a step, floor included.
        shake: (n_post,) its variance.
        mean_gain, variance_gain: (n_post,) factors from a step's input to the cost.
    """

    rounded: Float
    error: Float
    rates: Float
    shift: Float
    shake: Float
    mean_gain: Float
    variance_gain: Float

    @property
    def cost(self) -> Float:
        """Cost per neuron, (n_post,)."""
        whole: Float = self.mean_gain * self.shift**2 + self.variance_gain * self.shake
        return whole

    @staticmethod
    def of(
        target: Target,
        synapses: Synapses,
        scale: float,
        exponent: int,
        integers: Float | None = None,
    ) -> _Terms:
        """Terms of given integers, or of the nearest."""
        if synapses.rates is None:
            problem = Problem("scaling", "activity, without a run", "rates of the sources")
            raise SpecError("how weights become integers", problems=[problem])
        exact = synapses.weights.data * scale
        rounded = nearest(synapses, exact, exponent) if integers is None else integers
        error = rounded - exact / 2.0**exponent
        rates = np.clip(synapses.rates, 0.0, 1.0)[synapses.weights.indices]
        n = synapses.weights.shape[0]
        rows, unit = synapses.rows, 2.0**exponent / scale / target.threshold
        shift: Float = np.bincount(rows, rates * error, minlength=n) * 1.0
        shake: Float = np.bincount(rows, rates * (1.0 - rates) * error**2, minlength=n) * 1.0
        if exponent < 0:
            silent = np.log1p(-np.minimum(rates, 1.0 - 1e-12))
            arrives: Float = -np.expm1(np.bincount(rows, silent, minlength=n))
            # sums are multiples of the grid; what they exceed a multiple of 2^-e by is lost
            values = max(2.0**-exponent / synapses.grid, 1.0)
            shift -= arrives * synapses.grid * (values - 1.0) / 2.0
            shake += arrives * synapses.grid**2 * (values**2 - 1.0) / 12.0
        mean: Float = 1.0 * (unit / (1.0 - target.keep)) ** 2
        variance: Float = 1.0 * unit**2 / (1.0 - target.keep**2)
        return _Terms(rounded, error, rates, shift, shake, mean, variance)


def _balance(synapses: Synapses, terms: _Terms) -> tuple[Float, float]:
    """Steps on the grid by which weights move, (nnz,) of -1, 0, 1, and the cost that is left."""
    grid, top = float(synapses.grid), float(synapses.top)
    move = -np.sign(terms.error)  # towards the other neighbour of the exact weight
    # a clipped weight, one that is on the grid, and one that would leave its sign stay
    inside = np.abs(terms.error) <= 0.5 * grid + 1e-9
    after = terms.rounded + move * grid
    one_sign = after * np.sign(synapses.weights.data) >= 0
    inside &= (move != 0) & (np.abs(after) <= top) & one_sign & (terms.rates > 0)
    helps = terms.rates * move * grid
    loss = terms.rates * (1 - terms.rates) * grid * (grid - 2.0 * np.abs(terms.error))
    price = (1.0 - terms.rates) * (grid - 2.0 * np.abs(terms.error))
    rows = synapses.rows
    movable = np.flatnonzero(inside & (helps * terms.shift[rows] < 0))
    steps = np.zeros_like(terms.rounded)
    if not movable.size:
        return steps, float(terms.cost.sum())
    movable = movable[np.lexsort((price[movable], rows[movable]))]
    # neuron by neuron, the cheapest first: costs[k] is that of moving all up to k
    of = rows[movable]
    first = np.flatnonzero(np.diff(of, prepend=-1))
    costs = terms.mean_gain[of] * (terms.shift[of] + _running(helps[movable], first)) ** 2
    costs += terms.variance_gain[of] * (terms.shake[of] + _running(loss[movable], first))
    least = np.minimum.reduceat(costs, first)
    before = terms.cost
    better = least < before[of[first]]
    count = np.diff(first, append=movable.size)
    at_least = np.where(costs == np.repeat(least, count), np.arange(movable.size), movable.size)
    last = np.repeat(np.minimum.reduceat(at_least, first), count)
    accepted = np.repeat(better, count) & (np.arange(movable.size) <= last)
    steps[movable[accepted]] = move[movable[accepted]]
    return steps, float(before.sum() - np.sum((before[of[first]] - least)[better]))


def _running(values: Float, first: NDArray[np.int64]) -> Float:
    """Sums of `values` up to each one, anew from every index in `first`."""
    total: Float = np.cumsum(values)
    before = total[first] - values[first]
    running: Float = total - np.repeat(before, np.diff(first, append=values.size))
    return running
