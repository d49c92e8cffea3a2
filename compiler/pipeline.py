"""Runs passes in order, verifies the network after each, and keeps a record of what it did."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from hrsnn_lava.compiler.analysis.traffic import traffic
from hrsnn_lava.compiler.compiled import CompiledNetwork, PassRecord, plain
from hrsnn_lava.compiler.passes.palette import snap_network
from hrsnn_lava.compiler.passes.partition import Partition
from hrsnn_lava.compiler.passes.place import Place
from hrsnn_lava.compiler.passes.quantize import Quantize, quantize
from hrsnn_lava.errors import SpecError
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.network import Network
from hrsnn_lava.quantized import QuantizedNetwork

Progress = Callable[[str], None]


class Pass(Protocol):
    """Network -> network, with a name and options."""

    name: str

    @property
    def options(self) -> dict[str, Any]:
        """What the record shows."""
        ...

    def __call__(self, network: Any) -> Any:
        """The changed network."""
        ...


def counts(network: Any) -> dict[str, int]:
    """Sizes that a pass record shows."""
    return {"neurons": int(network.n_neurons), "synapses": int(network.n_synapses)}


def run_passes(
    network: Any, passes: Sequence[Pass], progress: Progress = lambda _: None
) -> tuple[Any, tuple[PassRecord, ...]]:
    """Apply `passes` in order; the network is valid before and after every one of them."""
    network.verify()
    records = []
    for step in passes:
        progress(step.name)
        before, started = counts(network), time.perf_counter()
        changed = step(network)
        # a pass that measures returns its report beside the network
        network, report = changed if isinstance(changed, tuple) else (changed, {})
        network.verify()
        seconds = time.perf_counter() - started
        records.append(
            PassRecord(
                step.name, plain(step.options), before, counts(network), seconds, plain(report)
            )
        )
    return network, tuple(records)
