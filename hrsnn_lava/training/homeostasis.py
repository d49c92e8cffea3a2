"""Bias homeostasis: bring every neuron of a pruned network back to its unpruned spike count.

    bias += clip(gain ln((target + 1) / (count + 1)), +-limit)      once per pass over the inputs

Pruning takes away a recurrence that is inhibitory on the whole, so rates rise several-fold, and
with them the synaptic operations that the pruning was to save. One number per neuron undoes that,
without a look at the task. The rule is our choice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.options import Positive, options
from hrsnn_lava.training.simulation import Simulator, Stimulus, spike_counts

__all__ = [
    "BiasedSimulator",
    "HomeostasisOptions",
    "HomeostasisResult",
    "bias_counter",
    "homeostasis",
    "rate_error",
]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


class BiasedSimulator(Simulator, Protocol):
    """A simulator whose biases, (n_neurons,), may be replaced between runs."""

    bias: Floats


@options
class HomeostasisOptions:
    """How strongly and how often the biases are moved; all values are our choice.

    Attributes:
        passes: over the training inputs; 10 leave the rates a third off, 30 one per cent.
        gain: bias per unit of log ratio, in units of the membrane potential.
        limit: largest change of a bias in one pass.
    """

    passes: Annotated[int, Field(ge=0)] = 30
    gain: Positive = 0.25
    limit: Positive = 0.3


@dataclass(frozen=True)
class HomeostasisResult:
    """Where the biases went, and how well the rates came back.

    bias:       (n_neurons,) after the last pass
    counts:     (n_neurons,) spikes with these biases
    errors:     (passes + 1,) rate error before each pass, and after the last one
    total_ratio: all spikes with these biases / all spikes of the target
    """

    bias: Floats
    counts: Counts
    errors: Floats
    total_ratio: float

    @property
    def achieved_error(self) -> float:
        """Rate error after the last pass."""
        return float(self.errors[-1])


def rate_error(counts: ArrayLike, target: ArrayLike) -> float:
    """Return sum_i |count_i - target_i| / sum_i target_i; the denominator is at least 1."""
    c, g = np.asarray(counts, dtype=np.float64), np.asarray(target, dtype=np.float64)
    return float(np.sum(np.abs(c - g)) / max(1.0, float(np.sum(g))))


def bias_counter(
    simulator: BiasedSimulator,
    stimulus: Stimulus,
    fresh: Callable[[], np.random.Generator | None],
) -> Callable[[Floats], Counts]:
    """Return the `count` that `homeostasis` asks for, on one simulator.

    Args:
        simulator: keeps the biases of the last count.
        stimulus: the training inputs.
        fresh: gives the generator of the initial potentials, called before each run; one that
            always starts anew lets all passes differ in their biases alone.
    """

    def count(bias: Floats) -> Counts:
        simulator.bias = bias
        return spike_counts(simulator, stimulus, fresh())

    return count


def homeostasis(
    count: Callable[[Floats], Counts],
    bias: ArrayLike,
    target: ArrayLike,
    options: HomeostasisOptions | None = None,
) -> HomeostasisResult:
    """Move the biases until the spike counts meet their targets.

    The counts are taken passes + 1 times: once more at the end, for what was achieved.

    Args:
        count: returns the (n_neurons,) spikes that a given (n_neurons,) bias leads to.
        bias: (n_neurons,) to start from.
        target: (n_neurons,) spikes to reach, as a rule those of the unpruned network.
        options: passes, gain, limit.

    Raises:
        SpecError: lengths differ, or a target is negative.
    """
    o = options or HomeostasisOptions()
    now = np.array(bias, dtype=np.float64)
    goal = np.asarray(target, dtype=np.float64)
    problems = []
    if now.ndim != 1 or now.shape != goal.shape:
        problems.append(Problem("bias, target", f"shapes {now.shape}, {goal.shape}", "equal (n,)"))
    if np.any(goal < 0):
        problems.append(Problem("target", f"smallest count {goal.min()}", ">= 0"))
    raise_if(SpecError, "homeostasis", problems)
    counts = count(now)
    errors = [rate_error(counts, goal)]
    for _ in range(o.passes):
        change = o.gain * np.log((goal + 1.0) / (counts + 1.0))
        now = now + np.clip(change, -o.limit, o.limit)
        counts = count(now)
        errors.append(rate_error(counts, goal))
    total = float(np.sum(counts)) / max(1.0, float(np.sum(goal)))
    return HomeostasisResult(now, counts, np.asarray(errors), total)
