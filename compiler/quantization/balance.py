"""Rounding weights so that the mean current of a neuron stays what it was.

Rounded to the nearest, weights that are all a little below the middle of their interval come out
too small together. So those closest to the middle are rounded to the other side, as long as the
mean current gains more than the variance loses.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.quantization.current_error import CurrentTerms
from hrsnn_lava.compiler.quantization.target import Synapses, Target

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]


#: Share of the mean current, or of a threshold, that may be off before weights are moved (ours).
_TOLERATED = 0.005


def with_coarse_rows_balanced(
    target: Target, synapses: Synapses, scale: float, exponent: int, integers: Float
) -> Float:
    """Integer weights, (nnz,), of neurons whose mean current rounding shifts, balanced.

    All others keep the weights they have.
    """
    balanced = integers.copy()
    for _, stored, part, some in target.blocks(synapses):
        terms = CurrentTerms.of(part, some, scale, exponent, integers[stored])
        coarse = np.abs(terms.shift) * terms.mean_unit > _TOLERATED * np.maximum(
            np.abs(terms.current), 1.0
        )
        if coarse.any():
            balanced[stored] = balanced_weights(some, terms, coarse)[0]
    return balanced


def balanced_weights(
    synapses: Synapses, terms: CurrentTerms, neurons: Bool | None = None
) -> tuple[Float, Float]:
    """Integer weights, (nnz,), and the cost that each neuron is left with, (n_post,).

    Args:
        terms: of the weights rounded to the nearest.
        neurons: (n_post,) whose weights may move; None: all.
    """
    grid, top = float(synapses.grid), float(synapses.top)
    before = terms.cost
    rows = synapses.rows
    of_neurons = slice(None) if neurons is None else np.flatnonzero(neurons[rows])
    rows, rates = rows[of_neurons], terms.rates[of_neurons]
    rounded, error = terms.rounded[of_neurons], terms.error[of_neurons]
    move = -np.sign(error)  # towards the other neighbour of the exact weight
    # a clipped weight, one that is on the grid, and one that would leave its sign stay
    inside = np.abs(error) <= 0.5 * grid + 1e-9
    after = rounded + move * grid
    one_sign = after * np.sign(synapses.weights.data[of_neurons]) >= 0
    inside &= (move != 0) & (np.abs(after) <= top) & one_sign & (rates > 0)
    helps = rates * move * grid
    loss = rates * (1 - rates) * grid * (grid - 2.0 * np.abs(error))
    price = (1.0 - rates) * (grid - 2.0 * np.abs(error))
    movable = np.flatnonzero(inside & (helps * terms.shift[rows] < 0))
    if not movable.size:
        return terms.rounded, before
    movable = movable[np.lexsort((price[movable], rows[movable]))]
    # neuron by neuron, the cheapest first: costs[k] is that of moving all up to k
    of = rows[movable]
    first = np.flatnonzero(np.diff(of, prepend=-1))
    shifts = terms.shift[of] + _running(helps[movable], first)
    costs = (terms.mean_unit[of] * shifts) ** 2
    costs += terms.variance_unit[of] * (terms.shake[of] + _running(loss[movable], first))
    least = np.minimum.reduceat(costs, first)
    better = least < before[of[first]]
    count = np.diff(first, append=movable.size)
    at_least = np.where(costs == np.repeat(least, count), np.arange(movable.size), movable.size)
    last = np.repeat(np.minimum.reduceat(at_least, first), count)
    accepted = movable[np.repeat(better, count) & (np.arange(movable.size) <= last)]
    weights = terms.rounded.copy()
    places = accepted if isinstance(of_neurons, slice) else of_neurons[accepted]
    weights[places] += move[accepted] * grid
    after_moves = before.copy()
    after_moves[of[first][better]] = least[better]
    return weights, after_moves


def _running(values: Float, first: NDArray[np.int64]) -> Float:
    """Sums of `values` up to each one, anew from every index in `first`."""
    total: Float = np.cumsum(values)
    before = total[first] - values[first]
    running: Float = total - np.repeat(before, np.diff(first, append=values.size))
    return running
