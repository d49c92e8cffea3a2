"""Options of pruning in many small iterations."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from hrsnn_lava.options import Count, Share, options


@options
class LoopOptions:
    """Pruning in iterations, each of the network that the one before it left.

    What stays falls by the same share in every iteration, and the last one meets the budget.

    Attributes:
        iterations: at most; the papers take 100.
        tolerated_loss: end before the loss L on the validation part of a task is more than this
            many times that of the unpruned network, or above ``L + (tolerated - 1) abs(L)`` where
            that is negative; by default it is not looked at.
        until_fits: end as soon as the network fits the chip.
        keep: share of the recurrent synapses that stays in an iteration where no budget is given,
            but the chip says when it is enough.
        retrain: epochs of float STDP after every iteration, of a spec that has such rules.
        gradients: epochs of gradient training after every iteration, by the options of the table
            ``[surrogate]``; the optimiser, its learning rate and the readout that learns along
            start anew in each.
    """

    younger: ClassVar[tuple[str, ...]] = ("gradients",)

    iterations: Annotated[Count, Field(le=1000)] = 1
    tolerated_loss: Annotated[float, Field(ge=1)] | None = None
    until_fits: bool = False
    keep: Share = 0.8
    retrain: Annotated[int, Field(ge=0)] = 0
    gradients: Annotated[int, Field(ge=0)] = 0
