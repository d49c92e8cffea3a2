"""A network put on cores, without the line around it."""

from __future__ import annotations

from typing import Any

from hrsnn_lava.compiler.context import Context, Observed
from hrsnn_lava.compiler.mapped import Placement
from hrsnn_lava.compiler.passes.partition import Partition
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.quantized import QuantizedNetwork


def partition(
    network: QuantizedNetwork, profile: HardwareProfile, rates: Any = None, **options: Any
) -> Placement:
    """What the pass `Partition` with `options` gives, at observed `rates`."""
    return Partition(**options)(network, Context(profile, Observed(rates))).on_cores
