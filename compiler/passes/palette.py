"""Snap neuron parameters to the short tables that the neurons of a core share.

Loihi 1 gives a core 31 usable profiles of (du, dv, refractory) and 7 of vth. After placement,
this pass replaces the parameters of every core by few values, at the least relative error in
the time constants, and keeps the constant current that just fires each neuron: where dv moves,
vth moves against it, and only then is vth snapped. Refractory periods never change. Where
rates are known, the error of a neuron counts by its activity.

A threshold need not be snapped at all where `absorb_thresholds` moves it into the weights.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from hrsnn_lava.compiler.context import Context, Pass, Report, Stage
from hrsnn_lava.compiler.mapped import Mapped
from hrsnn_lava.compiler.palettes.snapping import snap_network
from hrsnn_lava.options import options


@options
class Palette(Pass[Mapped, Mapped]):
    """Snap the neurons of every core to the profile's tables, errors counted by activity.

    A profile without tables leaves the network as it is.
    """

    name: ClassVar[str] = "palette"
    takes: ClassVar[Stage] = "mapped"

    def transform(self, network: Mapped, context: Context) -> tuple[Mapped, Report]:
        """The snapped network, and a `PaletteReport`.

        Raises:
            CapacityError: the refractory periods on a core alone are more than its profiles.
        """
        plan = network.plan
        snapped, report = snap_network(
            network.network,
            network.on_cores.core_of,
            context.chip(),
            rates=context.observed.neuron_rates,
            free_thresholds=None if plan is None else plan.absorbed,
            original=None if plan is None else plan.original,
        )
        return replace(network, network=snapped, palette=report), report.to_dict()
