"""How weights become integers: what the options have in common.

An option is a module of this folder with a class `Option` that is a `Scaling`; it chooses the scale
of a target population, the exponent of each of its projections, and the integer of each weight.
`scaling("NAME")` makes one; what follows a colon, as in ``percentile:99.5``, is its value. All work
on a `hrsnn_lava.compiler.quantization.target.Target`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava import registry
from hrsnn_lava.compiler.quantization.target import Synapses, Target, nearest
from hrsnn_lava.errors import Problem, SpecError

Float = NDArray[np.float64]
#: Neurons on whose synapses scales are compared.
_NEURONS_COMPARED = 2000


class Scaling(Protocol):
    """Chooses scale, exponents and integers. Rates are `None` unless `needs_rates`."""

    needs_rates: bool

    @classmethod
    def parse(cls, value: str) -> Scaling:
        """The option with the value that follows the colon of its name."""
        ...

    def scale(self, target: Target, bound: float) -> float:
        """Integer units per 1.0 of current, at most `bound`."""
        ...

    def exponent(self, target: Target, synapses: Synapses, scale: float) -> int:
        """Exponent of one projection."""
        ...

    def integers(self, target: Target, synapses: Synapses, scale: float, exponent: int) -> Float:
        """Weights on the grid, (nnz,) in the order of the matrix."""
        ...


class Plain:
    """The parts that most options share: the whole scale, the nearest integers, no value."""

    needs_rates = False

    @classmethod
    def parse(cls, value: str) -> Any:
        """Refuses any value."""
        name = cls.__module__.rsplit(".", 1)[1]
        problem = Problem("scaling", repr(f"{name}:{value}"), f"{name}, without a value")
        raise SpecError("how weights become integers", problems=[problem])

    def scale(self, target: Target, bound: float) -> float:
        """The largest that there may be."""
        del target
        return bound

    def integers(self, target: Target, synapses: Synapses, scale: float, exponent: int) -> Float:
        """The nearest; what is larger than the largest is clipped."""
        del target
        return nearest(synapses, synapses.weights.data * scale, exponent)


def best_scale(
    target: Target,
    bound: float,
    cost: Callable[[Target, float], float],
    least_gain: float = 0.05,
) -> float:
    """The scale within an octave below `bound` of least ``cost(target, scale)``.

    Of a large population only some neurons are looked at. A smaller scale leaves thresholds and
    biases less resolution, so it has to save at least `least_gain` of the cost (our choices).
    """
    if not target.free or not target.synapses:
        return bound
    some = target.thinned(_NEURONS_COMPARED)
    candidates = bound * 2.0 ** (-np.arange(16) / 16.0)
    costs = [cost(some, float(s)) for s in candidates]
    best = int(np.argmin(costs))
    return float(candidates[best]) if costs[best] < (1.0 - least_gain) * costs[0] else bound


def scaling(text: str) -> Scaling:
    """The option that a text such as ``mse`` or ``percentile:99.5`` asks for.

    Raises:
        SpecError: no option has that name, or its value is out of range.
    """
    name, colon, value = text.partition(":")
    option = registry.load("scaling", name)
    instance: Scaling = option.parse(value) if colon else option()
    return instance
