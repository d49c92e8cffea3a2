r"""Move thresholds into weights and biases, where that costs less than an entry of a table.

Below threshold a neuron is linear, and only v / vth decides when it fires. So

.. math:: w_{ij} \to g_i w_{ij}, \quad b_i \to g_i b_i, \quad \vartheta_i \to g_i \vartheta_i

leaves every spike as it is. In floats that is exact; on integers it costs the rounding of the
weights, and a table of 7 thresholds (Loihi 1) then serves any number of thresholds. Two steps,
since the palette moves thresholds once more (a changed dv changes the gain of the membrane):

- `plan_thresholds`, before the partition: pick as many thresholds for the whole network as a
  core's table has, and give every neuron the nearest that its weights and bias have room for;
- `absorb_thresholds`, after the palette: multiply weights and bias once by what has become of the
  threshold, ``g = vth' dv' / (vth dv)``, where the rounding changes the neuron's input less than
  leaving the weights would.

What rounding changes is the expected difference of the current, in units of the current that just
fires the neuron, if sources fire as Bernoulli processes of rate r (our measure):

.. math:: \delta_i^2 = \Big[\Big(\tfrac{\sum_j e_{ij} r_j}{1-\alpha_i} + e_{b,i}\Big)^2
    + \tfrac{\sum_j e_{ij}^2 r_j (1 - r_j)}{1-\alpha_i^2}\Big] / (g_i I_i)^2,
    \qquad \alpha = (4095 - du) / 4096

with e the rounding errors. Weights of a row are rounded so that their sum stays (largest
remainder), which takes the first sum away where sources fire alike; so the choice is made by
what is left with errors of variance 1/12 of a grid step squared, and the report measures.

Neurons onto which a projection learns are left alone: a rule moves weights by absolute steps.
"""

from __future__ import annotations

from dataclasses import field, replace
from typing import Annotated, ClassVar

from pydantic import Field

from hrsnn_lava.compiler.context import Context, Pass, Report, Stage
from hrsnn_lava.compiler.mapped import Mapped
from hrsnn_lava.compiler.quantization.absorption import absorb, plan_thresholds
from hrsnn_lava.options import NonNegative, Positive, Share, options
from hrsnn_lava.quantized import QuantizedNetwork


@options
class AbsorbThresholds(Pass[Mapped, Mapped]):
    """Let weights and biases take up thresholds; the numbers are our choice.

    Attributes:
        enabled: false leaves all thresholds to the palette.
        input_range: largest analog input that must not saturate a bias; by default that of the
            compilation, which ``quantize.input_range`` may state.
        typical_rate: spikes per step of sources whose rate is not known.
        reserve: share of the room above weights and biases that is kept for the palette.
        tolerance: neurons whose input would change by more than this share of the current that
            fires them are left to the palette's table.
    """

    name: ClassVar[str] = "absorb_thresholds"
    takes: ClassVar[Stage] = "mapped"

    enabled: bool = True
    input_range: NonNegative | None = None
    typical_rate: Share = 0.05
    reserve: Annotated[float, Field(ge=0, lt=1)] = 0.05
    tolerance: Positive = 0.05

    def transform(self, network: Mapped, context: Context) -> tuple[Mapped, Report | None]:
        """Weights and biases scaled as the plan says; nothing where there is none.

        What the palette reported of the thresholds holds for those that are left to it.
        """
        del context
        if network.plan is None:
            return network, None
        core_of = network.on_cores.core_of
        scaled, errors, report = absorb(network.plan, network.network, core_of)
        if network.palette is not None:
            amended = network.palette.with_thresholds(errors)
            report["amends"] = {"palette": amended.to_dict()}
        return replace(network, network=scaled, plan=None), report


@options
class PlanThresholds(Pass[QuantizedNetwork, Mapped]):
    """Choose the thresholds that `AbsorbThresholds` will have weights take up.

    It comes first because partition and palette have to know which thresholds are free. It has no
    options of its own, and leaves no record: the plan is in that of `absorb_thresholds`.

    Attributes:
        absorb: the pass that does it.
    """

    name: ClassVar[str] = "plan_thresholds"
    takes: ClassVar[Stage] = "integer"

    absorb: AbsorbThresholds = field(default_factory=AbsorbThresholds)

    def transform(
        self, network: QuantizedNetwork | Mapped, context: Context
    ) -> tuple[Mapped, Report | None]:
        """The network with thresholds as they are to be, and the plan."""
        mapped = Mapped.of(network)
        plan = plan_thresholds(
            mapped.network, context.chip(), self.absorb.settled(context), context.observed
        )
        if plan is None:
            return mapped, None
        return replace(mapped, network=plan.network, plan=plan), None
