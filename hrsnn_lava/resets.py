"""What a spike does to the potential of its neuron: the four resets, once for all.

With v before the spike, the threshold theta and beta left of v after a step::

    zero            v = 0, and stays 0 for the refractory period         (hard reset)
    subtract        v = v - theta at once                                (soft reset)
    subtract_next   v stays; one step later v = beta v + input - theta   (soft reset, delayed)
    subtract_all    v = v - n theta at once, with n = floor(v / theta)   (n spikes in one step)

With the first three a neuron sends one spike a step at most, where v > theta. With ``subtract`` and
``subtract_next`` v may stay above the threshold, and the neuron fires again in the next step. The
first is Lava's and that of a Loihi; ``subtract`` that of Norse's ``reset_subtract``;
``subtract_next`` that of snnTorch's ``reset_mechanism="subtract"``, whose threshold is taken off
after the leak of the next step, as if ``subtract`` took theta / beta.

**Several spikes in a step** are ``subtract_all``, the rule of sinabs and Rockpool: a neuron whose
potential holds theta n times sends n spikes. They are one message with the payload n, which
synapses multiply their weights by, and v < theta is left. As in these two, v = theta is a spike.

A reset is one text for a population. Engines work with one code a neuron, its place in `RESETS`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.errors import Problem, SpecError, raise_if

Reset = Literal["zero", "subtract", "subtract_next", "subtract_all"]
RESETS: Final[tuple[Reset, ...]] = get_args(Reset)
#: Codes of the resets by subtraction; that of a reset to zero is 0.
SUBTRACT: Final[int] = RESETS.index("subtract")
SUBTRACT_NEXT: Final[int] = RESETS.index("subtract_next")
SUBTRACT_ALL: Final[int] = RESETS.index("subtract_all")


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


def sends_several(population: Any) -> bool:
    """Whether a population of neurons may send several spikes in a step; inputs never do."""
    neuron = getattr(population, "neuron", population)  # of a float or of an integer network
    return bool(getattr(neuron, "reset", "zero") == "subtract_all")


def any_several(network: Any) -> bool:
    """Whether some neurons of a float or an integer network may send several spikes in a step."""
    return any(sends_several(population) for population in network.populations)


def require_single_spikes(network: Any, what: str) -> None:
    """Refuse neurons that send several spikes in a step, for what knows of one alone.

    Args:
        network: float or integer.
        what: cannot do it, as the subject of a sentence.

    Raises:
        SpecError: with every population that may.
    """
    problems = [
        Problem(
            f"population {population.name!r}.reset",
            f"{population.reset!r}: several spikes in a step",
            "one spike a step",
            "set its reset to 'subtract', which sends one of them in each step",
        )
        for population in network.populations
        if sends_several(population)
    ]
    raise_if(SpecError, f"{what} knows one spike a step alone", problems)
