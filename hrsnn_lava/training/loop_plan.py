"""What one iteration of a pruning loop does: its passes, and the budget that it has to meet.

What is left falls by equal factors::

    B_k = b_k (B / b_k)^(1 / (K - k + 1))

with b_k what the synapses cost that iteration k finds, B the budget, and K the number of
iterations; the last one meets the budget. What step III of Lyapunov Noise Pruning adds is taken off
first, and what the loss of further neurons will take, as the square of their share, is left (ours).
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.artifacts.container import plain
from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.passes.delocalize import Delocalize
from hrsnn_lava.compiler.passes.prune_balanced import PruneBalanced
from hrsnn_lava.compiler.passes.prune_neurons import PruneNeurons
from hrsnn_lava.compiler.pipeline import AnyPass
from hrsnn_lava.compiler.pruning.budget import BUDGETS, PruningBudget, costs_of
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.network import Network
from hrsnn_lava.options import options_of
from hrsnn_lava.training.aftercare import AftercareOptions
from hrsnn_lava.training.loop_ends import LoopEnd

__all__ = ["Iteration", "PruningLoop"]

Floats = NDArray[np.float64]
#: Synapses a neuron below which iterations of balanced pruning keep covers, so that those that
#: follow find some; chance leaves a cover where there are more (ours).
NESTED = 16.0


@dataclass(frozen=True, eq=False)
class PruningLoop:
    """What an iteration does, and when the loop ends.

    Attributes:
        step: prunes to the budget, which the last iteration meets.
        iterations: at most.
        before: passes before it in every iteration. A `PruneNeurons` drops its fraction over all
            iterations together.
        after: passes after it. A `Delocalize` adds its share in each iteration.
        ends: looked at after every iteration, and before the first.
        aftercare: how rates are brought back to the unpruned ones after every iteration; None: as
            they come.
        retrain: passes after that, such as training by STDP; rates are brought back once more.
    """

    step: AnyPass
    iterations: int = 1
    before: tuple[AnyPass, ...] = ()
    after: tuple[AnyPass, ...] = ()
    ends: tuple[LoopEnd, ...] = ()
    aftercare: AftercareOptions | None = field(default_factory=AftercareOptions)
    retrain: tuple[AnyPass, ...] = ()

    def __post_init__(self) -> None:
        if self.iterations < 1:
            problem = Problem("iterations", str(self.iterations), ">= 1")
            raise SpecError("a pruning loop", problems=[problem])

    def described(self) -> dict[str, Any]:
        """Iterations and options of the step, as a record shows them."""
        return {"iterations": self.iterations} | dict(plain(_options(self.step)))

    def identity(self) -> str:
        """All that it does, as text."""
        kinds = ((self.step,), self.before, self.after, self.retrain)
        passes = [[[p.name, plain(_options(p))] for p in kind] for kind in kinds]
        care = None if self.aftercare is None else plain(options_of(self.aftercare))
        ends = [end.identity for end in self.ends]
        return json.dumps([passes, self.iterations, care, ends], sort_keys=True)

    @property
    def steps(self) -> tuple[AnyPass | None, ...]:
        """What an iteration does, in order; None stands for neurons that there is no core for."""
        return (None, *self.before, self.step, *self.after)

    @property
    def spare(self) -> float:
        """By how much an iteration has to go below its budget, for what is added after it."""
        spare = 1.0
        for step in self.after:
            spare *= 1.0 + step.share if isinstance(step, Delocalize) else 1.0
        return spare

    @property
    def neurons_allowed(self) -> int | None:
        """More neurons than these can never be enough for one of the ends."""
        counts = [end.neurons_allowed() for end in self.ends]
        return min((count for count in counts if count is not None), default=None)


@dataclass(frozen=True, eq=False)
class Iteration:
    """One of the iterations of a loop, at the pass that is done next.

    Attributes:
        loop: of which it is one.
        k: which, from 1.
        full: the unpruned network. target: (n_neurons of `full`,) its rates.
        survivors: (n,) index in `full` of every neuron that there is now.
    """

    loop: PruningLoop
    k: int
    full: Network
    target: Floats
    survivors: NDArray[np.int64]

    def made(self, step: AnyPass | None, network: Network, rates: Floats) -> AnyPass | None:
        """A pass of `PruningLoop.steps` for the network, and its rates, that it is given.

        Returns:
            None where there is nothing to do.
        """
        if step is None:
            return self._crowd(network)
        return self._part_of(step, network, rates)

    def _crowd(self, network: Network) -> AnyPass | None:
        """Drops neurons that there is no core for, at once."""
        allowed, size = self.loop.neurons_allowed, network.n_neurons
        if allowed is None or size <= allowed:
            return None
        return PruneNeurons(fraction=1.0 - allowed / size)

    def _part_of(self, step: AnyPass, network: Network, rates: Floats) -> AnyPass | None:
        """A pass that has an amount to prune, with its part of it; others as they are."""
        budget = step if isinstance(step, PruningBudget) else getattr(step, "budget", None)
        if isinstance(budget, PruningBudget):
            return self._milestone(step, budget, network, rates)
        if not isinstance(step, PruneNeurons) or not step.fraction:
            return step
        share = self.k / self.loop.iterations
        goal = self.full.n_neurons * (1.0 - step.fraction) ** share
        if goal >= network.n_neurons:
            return None
        return replace(step, fraction=1.0 - goal / network.n_neurons)

    def _milestone(
        self, step: Any, budget: PruningBudget, network: Network, rates: Floats
    ) -> AnyPass:
        """A pass with a budget, with that of this iteration."""
        spare = self.loop.spare if step is self.loop.step else 1.0
        left_to_do = self.loop.iterations - self.k + 1
        edges, whole = recurrent_edges(network), recurrent_edges(self.full)
        ahead = self._neurons_ahead(network)
        given: dict[str, Any] = dict.fromkeys(BUDGETS)
        if budget.density is not None:
            left, goal = float(edges.n_edges), whole.n_edges * budget.density / ahead
            asked = _towards(left, goal, left_to_do) / spare
            given["density"] = min(1.0, asked / left) if left else 1.0
        else:
            left = float(costs_of(edges, budget, rates).each.sum())
            goal = costs_of(whole, budget, self.target).budget / ahead
            if budget.sops_per_spike is not None:  # of the time, a little off those of the target
                wanted = costs_of(edges, budget, self.target[self.survivors])
                goal *= float(costs_of(edges, budget, rates).neuron.sum() / wanted.neuron.sum())
            given["sops"] = _towards(left, goal, left_to_do) / spare
        milestone: Any = replace(step, **given)
        if isinstance(step, PruneBalanced) and left_to_do > 1:
            per_neuron = costs_of(edges, milestone, rates).per_neuron
            milestone = replace(milestone, beyond="rule" if per_neuron < NESTED else "random")
        result: AnyPass = milestone
        return result

    def _neurons_ahead(self, network: Network) -> float:
        """What further iterations will leave of the synapses by dropping neurons, as a share."""
        share = 1.0
        for step in self.loop.before:
            share *= 1.0 - (getattr(step, "fraction", None) or 0.0)
        return min(share * self.full.n_neurons / network.n_neurons, 1.0) ** 2


def _towards(left: float, goal: float, iterations: int) -> float:
    """From what is left to a goal, which may be 0, in so many equal factors: after the first."""
    return left * float(min(goal / left, 1.0) ** (1.0 / iterations)) if left else 0.0


def _options(step: AnyPass) -> dict[str, Any]:
    return options_of(step) if dataclasses.is_dataclass(step) else {}
