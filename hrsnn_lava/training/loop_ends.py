"""When a pruning loop ends before its last iteration: the chip is large enough, the loss too."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.compiler.context import Observed
from hrsnn_lava.compiler.design_rules.check import CAPACITY_RULES, TABLE_RULES
from hrsnn_lava.compiler.pipeline import compile_network
from hrsnn_lava.errors import CapacityError, SpecError
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.network import Network

Floats = NDArray[np.float64]
#: Rules about how many neurons, synapses, axons, values and the like there are: fewer may do.
OF_COUNTS = frozenset(rule.__name__ for rule in (*CAPACITY_RULES, *TABLE_RULES)) | {
    "fan_in",
    "fan_out",
    "input_targets",
    "parallel_synapses",
    "source_delays",
    "weight_values",
}
Row = Mapping[str, Any]


class Judgement(NamedTuple):
    """What a loop does with the network of an iteration.

    Attributes:
        ends: whether the loop ends here.
        why: then, in words.
        before: the network of the iteration before is the result, not this one.
        figures: for the row of the iteration.
    """

    ends: bool = False
    why: str = ""
    before: bool = False
    figures: Row = MappingProxyType({})


class LoopEnd(ABC):
    """Looks at the network of every iteration; the first that ends the loop counts."""

    @abstractmethod
    def judge(self, network: Network, rates: Floats, rows: Sequence[Row]) -> Judgement:
        """What to do.

        Args:
            network: float, as the iteration left it.
            rates: (n_neurons,) spikes per step.
            rows: of the iterations before, that of the unpruned network first.
        """

    @property
    @abstractmethod
    def identity(self) -> str:
        """What its judgements depend on, beside the network."""

    def neurons_allowed(self) -> int | None:
        """More neurons than these can never be enough; None: it is not known."""
        return None

    def require(self, network: Network, rates: Floats) -> None:  # noqa: B027
        """Raise where no iteration ended the loop, and one should have; given is the last."""


@dataclass(frozen=True, eq=False)
class Fits(LoopEnd):
    """Ends as soon as a network fits a chip.

    Attributes:
        profile: the chip; `HardwareProfile.with_cores` limits its cores.
        program: compiles a network of such rates for it, or raises `CapacityError`; by default as
            `hrsnn_lava.compile` does.
        name: what the programs depend on beside the chip, such as passes and seed.
    """

    profile: HardwareProfile
    program: Callable[[Network, Floats], CompiledNetwork] | None = None
    name: str = ""

    @property
    def identity(self) -> str:
        """The chip, and what programs depend on beside it."""
        return f"fits {self.profile.digest} {self.name}"

    def neurons_allowed(self) -> int | None:
        """Neurons of a core times cores."""
        cores, each = self.profile.total_cores, self.profile.core.neurons.value
        return None if cores is None or each is None else cores * each

    def judge(self, network: Network, rates: Floats, rows: Sequence[Row]) -> Judgement:
        """Whether it compiles.

        Raises:
            CapacityError: the unpruned network breaks rules that are not about counts.
        """
        try:
            compiled = self._compiled(network, rates)
        except CapacityError as error:
            if not rows and not all(v.rule in OF_COUNTS for v in error.violations):
                raise  # something else than a number is wrong, and pruning does not help it
            broken = sorted({violation.rule for violation in error.violations})
            return Judgement(figures={"fits": False, "broken": broken})
        cores = compiled.placement.n_cores
        text = f"fits {self.profile.name} on {cores} of {self.profile.total_cores} cores"
        return Judgement(True, text, figures={"fits": True, "cores": cores})

    def require(self, network: Network, rates: Floats) -> None:
        """Raises `CapacityError` with all violations."""
        self._compiled(network, rates)

    def _compiled(self, network: Network, rates: Floats) -> CompiledNetwork:
        if self.program is not None:
            return self.program(network, rates)
        return compile_network(network, self.profile, observed=Observed(rates))


@dataclass(frozen=True, eq=False)
class LossRises(LoopEnd):
    """Ends with the last network whose loss is no further above the unpruned one's than tolerated.

    That is ``L <= L_0 + (tolerated - 1) |L_0|``: a multiple of the loss where it is positive, and
    above it in the same sense where it is negative, as minus a memory capacity is.

    Attributes:
        loss: of a network, on data that neither train nor score.
        tolerated: >= 1; 1: no loss above the unpruned network's.
        name: what the loss depends on.
    """

    loss: Callable[[Network], float | None]
    tolerated: float
    name: str = ""

    @property
    def identity(self) -> str:
        """Multiple, and what the loss depends on."""
        return f"loss {self.tolerated!r} {self.name}"

    def judge(self, network: Network, rates: Floats, rows: Sequence[Row]) -> Judgement:
        """Whether the loss is too large now."""
        del rates
        value = self.loss(network)
        if value is None:
            raise SpecError(
                "tolerated_loss: the task has no validation loss, by which the loop would end"
            )
        figures = {"loss": float(value)}
        if not rows:
            return Judgement(figures=figures)
        first = float(rows[0]["loss"])
        worst = first + (self.tolerated - 1.0) * abs(first)
        if value <= worst:
            return Judgement(figures=figures)
        text = (
            f"the loss, {value:.4g}, is above {worst:.4g}, what is tolerated where it is "
            f"{first:.4g} unpruned"
        )
        return Judgement(True, text, before=True, figures=figures)
