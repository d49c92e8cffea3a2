"""Make the grid of the weights explicit: replace them by what acts, to the bit."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from hrsnn_lava.compiler.context import Context, Pass, Report, Stage
from hrsnn_lava.csr import select, select_values
from hrsnn_lava.options import options
from hrsnn_lava.quantized import QuantizedNetwork


@options
class Canonical(Pass[QuantizedNetwork, QuantizedNetwork]):
    """Replace weights by what acts after Lava's clip and truncation.

    What follows may cut and move synapses, and Lava would derive the grid of a part anew.
    """

    name: ClassVar[str] = "canonical"
    takes: ClassVar[Stage] = "integer"

    def transform(
        self, network: QuantizedNetwork, context: Context
    ) -> tuple[QuantizedNetwork, Report | None]:
        """The same network with on-grid weights; reports how many changed, if any did."""
        del context
        n_changed = 0
        for projection in network.projections:
            effective = projection.effective_weights()
            off_grid = int((effective.data != projection.weights.data).sum())
            if not off_grid:
                continue
            n_changed += off_grid
            keep, learning = effective.data != 0, projection.learning
            if learning is not None:
                keep = projection.plastic_synapses()
                learning = learning.select(keep)
            network = network.with_projection(
                replace(
                    projection,
                    weights=select(effective, keep),
                    delays=select_values(projection.delays, keep),
                    learning=learning,
                )
            )
        return network, {"changed": n_changed} if n_changed else None
