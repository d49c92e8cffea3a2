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
from typing import ClassVar, Final

import numpy as np

from hrsnn_lava.compiler.context import Context, Pass, Report, Stage
from hrsnn_lava.compiler.design_rules.expressible import name_of
from hrsnn_lava.compiler.design_rules.placed_network import PlacedNetwork
from hrsnn_lava.compiler.mapped import Mapped
from hrsnn_lava.compiler.palettes.snapping import QUANTITIES, PaletteReport, snap_network
from hrsnn_lava.errors import CapacityError
from hrsnn_lava.findings import Finding
from hrsnn_lava.options import options

#: Relative error of a time constant or a threshold above which a neuron is worth a warning. The
#: partition keeps 95 % of the neurons below 5 % (`Partition.tolerance`); this is for the worst of
#: the others, and our choice.
WARN_ABOVE: Final = 0.2


@options
class Palette(Pass[Mapped, Mapped]):
    """Snap the neurons of every core to the profile's tables, errors counted by activity.

    A profile without tables leaves the network as it is.
    """

    name: ClassVar[str] = "palette"
    takes: ClassVar[Stage] = "mapped"

    def transform(self, network: Mapped, context: Context) -> tuple[Mapped, Report]:
        """The snapped network, and a `PaletteReport` with `findings`: the largest error.

        Raises:
            CapacityError: the refractory periods on a core alone are more than its profiles.
        """
        plan, cores = network.plan, network.on_cores.core_of
        try:
            snapped, report = snap_network(
                network.network,
                cores,
                context.chip(),
                rates=context.observed.neuron_rates,
                free_thresholds=None if plan is None else plan.absorbed,
                original=None if plan is None else plan.original,
            )
        except CapacityError as error:
            error.placement = PlacedNetwork.of(network.network, cores, context.chip())
            raise
        found = largest_error(network, report)
        values = {**report.to_dict(), "findings": [f.to_dict() for f in found]}
        return replace(network, network=snapped, palette=report), values


def largest_error(mapped: Mapped, report: PaletteReport) -> list[Finding]:
    """The largest relative error of a time constant or threshold, and whose it is; none without.

    Thresholds that weights will take up are not counted: no table holds them.
    """
    errors = report.errors.copy()
    if mapped.plan is not None:
        errors[mapped.plan.absorbed, 2] = 0.0
    if not errors.size or errors.max() <= 0.0:
        return []
    neuron, column = np.unravel_index(int(np.argmax(errors)), errors.shape)
    largest, above = float(errors[neuron, column]), int((errors > WARN_ABOVE).any(axis=1).sum())
    warns = largest > WARN_ABOVE
    number = f"{above:,} of" if above else "none of"
    number += f" {errors.shape[0]:,} neurons above {100 * WARN_ABOVE:g} %"
    core = int(mapped.on_cores.core_of[neuron])
    return [
        Finding(
            "warning" if warns else "note",
            name_of(mapped.network, int(neuron)),
            f"{QUANTITIES[column]} changed by {100 * largest:.1f} % on core {core}, {number}",
            "the tables that the neurons of a core share moved it"
            + (": it no longer behaves as it was given" if warns else ", more than any other"),
            "lower partition.tolerance for more cores with tables of their own" if warns else "",
            kind="palette_error",
        )
    ]
