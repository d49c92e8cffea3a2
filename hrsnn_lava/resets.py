"""What a spike does to the potential of its neuron: the three resets, once for all.

With v before the spike, the threshold theta and beta left of v after a step::

    zero            v = 0, and stays 0 for the refractory period         (hard reset)
    subtract        v = v - theta at once                                (soft reset)
    subtract_next   v stays; one step later v = beta v + input - theta   (soft reset, delayed)

A neuron sends one spike a step at most, so with the last two v may stay above the threshold, and
the neuron fires again in the next step. The first is Lava's and that of a Loihi; ``subtract`` that
of sinabs and Rockpool (which send several spikes a step), and of Norse's ``reset_subtract``;
``subtract_next`` that of snnTorch's ``reset_mechanism="subtract"``, whose threshold is taken off
after the leak of the next step, as if ``subtract`` took theta / beta.

A reset is one text for a population. Engines work with one code a neuron, its place in `RESETS`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import Problem

Reset = Literal["zero", "subtract", "subtract_next"]
RESETS: Final[tuple[Reset, ...]] = get_args(Reset)
#: Codes of the resets by subtraction; that of a reset to zero is 0.
SUBTRACT: Final[int] = RESETS.index("subtract")
SUBTRACT_NEXT: Final[int] = RESETS.index("subtract_next")


def codes_of(populations: tuple[Any, ...]) -> NDArray[np.int32] | None:
    """Code of every neuron's reset, (n_neurons,), in the order of `populations`.

    None where all are set to zero: what asks no more is as fast as if there were no other reset.
    """
    codes = [RESETS.index(population.reset) for population in populations]
    if not any(codes):
        return None
    return np.repeat(codes, [population.size for population in populations]).astype(np.int32)


def steps_after_spike(
    refractory: NDArray[np.int32], codes: NDArray[np.int32] | None
) -> NDArray[np.int32]:
    """Steps for which a spike acts on v after its own, (n_neurons,).

    Those for which v is held at 0; one with ``subtract_next``, whose threshold is still to be taken
    off. So one counter of a neuron, `waiting` in the engines, is all the state that resets need.

    Args:
        refractory: periods in steps.
        codes: as of `codes_of`.
    """
    if codes is None:
        return refractory
    return np.where(codes == SUBTRACT_NEXT, 1, refractory).astype(np.int32)


def refractory_problems(population: Any, unit: str) -> Iterator[Problem]:
    """A refractory period beside a reset that does not leave the potential at 0.

    Args:
        population: of a float or an integer network.
        unit: of its refractory periods.
    """
    periods = np.ravel(population.parameter("refractory"))
    if population.reset != "zero" and np.any(periods != 0):
        first = int(np.flatnonzero(periods)[0])
        yield Problem(
            f"population {population.name!r}.refractory",
            f"{periods[first]:g} {unit} at neuron {first}, with reset {population.reset!r}",
            "0 with a reset by subtraction: a refractory neuron is held at 0",
            "leave the refractory period out, or set reset to 'zero'",
        )
