"""``activity``: least error of the synaptic current that a run's rates cause.

The error is that of `hrsnn_lava.compiler.quantization.current_error`: rounding, what a negative
exponent floors away, and what decays truncate, each at the rates of the run. Weights are first
rounded to the nearest; then those closest to the middle of their interval are rounded to the other
side, as long as the mean current gains more than the variance loses.
"""

from __future__ import annotations

from hrsnn_lava.compiler.quantization.balance import balanced_weights
from hrsnn_lava.compiler.quantization.current_error import CurrentTerms, hopeful_sum
from hrsnn_lava.compiler.quantization.scaling.base import Float, Plain, best_scale
from hrsnn_lava.compiler.quantization.target import Synapses, Target, exponent_for, fitting_exponent
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
            terms = CurrentTerms.of(target, synapses, scale, exponent)
            costs.append((hopeful_sum(balanced_weights(synapses, terms)[1]), -exponent))
        return -min(costs)[1]

    def integers(self, target: Target, synapses: Synapses, scale: float, exponent: int) -> Float:
        """Rounded weights whose mean current is balanced."""
        return balanced_weights(synapses, CurrentTerms.of(target, synapses, scale, exponent))[0]


def _exponents(synapses: Synapses, scale: float) -> range:
    """All that could be best: a finer grid by flooring or clipping, or the plain choice."""
    largest = synapses.largest * scale
    lowest = max(fitting_exponent(largest, synapses.top) - 3, WEIGHT_EXP_RANGE[0])
    return range(max(exponent_for(synapses, largest), 0), lowest - 1, -1)


def _cost(target: Target, synapses: Synapses, scale: float, exponent: int) -> float:
    return hopeful_sum(CurrentTerms.of(target, synapses, scale, exponent).cost)
