"""The backend `lava-stock`: a network in Lava's own Processes alone, `LIF`, `Sparse` and learning.

What runs is what a chip has models for. `LowerStock` groups the neurons by (du, dv, vth) and splits
the projections; the trace is put together again, so it can be compared with any other bit for bit.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from hrsnn_lava.compiler.passes.lower_stock import MAX_PROCESSES, lower_stock
from hrsnn_lava.errors import BackendError, BackendMissingError
from hrsnn_lava.processes.program import lava_program
from hrsnn_lava.sim_backends.base import as_quantized, check_run
from hrsnn_lava.sim_backends.lava.backend import LavaBackend, LavaJob, lava_obstacle
from hrsnn_lava.sim_backends.runs.split_runs import merged
from hrsnn_lava.trace import SpikeInput, Trace

if TYPE_CHECKING:
    from hrsnn_lava.processes.to_lava import StockGraph

__all__ = ["LavaStockBackend", "stock_processes"]


@dataclass(frozen=True)
class LavaStockBackend:
    """Runs integer networks in stock Lava Processes.

    Attributes:
        timeout_s, runtime: as for `LavaBackend`.
        max_processes: bound on the number of Processes, see `LowerStock`.
    """

    timeout_s: float = 600.0
    runtime: Literal["processes", "threads"] = "processes"
    max_processes: int = MAX_PROCESSES
    name = "lava-stock"

    def run(
        self,
        compiled: Any,
        inputs: SpikeInput | None,
        steps: int,
        probes: Collection[str] = ("spikes",),
    ) -> Trace:
        """Run `steps` steps of a `QuantizedNetwork` or a `CompiledNetwork`; see `Backend.run`.

        Raises:
            CapacityError: stock Processes cannot express the network; every reason is listed.
            BackendMissingError, BackendError, SpecError: as `LavaBackend.run`.
        """
        (result,) = self.run_many([LavaJob(compiled, inputs, steps, tuple(probes))])
        if isinstance(result, BackendError):
            raise result
        return result

    def run_many(self, jobs: Sequence[LavaJob]) -> list[Trace | BackendError]:
        """Run many networks; see `LavaBackend.run_many`."""
        splits, lowered = [], []
        for job in jobs:
            network = as_quantized(job.network)
            check_run(network, job.inputs, job.steps, job.probes)
            splits.append(lower_stock(network.verify(), self.max_processes))
            lowered.append(replace(job, network=splits[-1].network, stock=True))
        results = LavaBackend(self.timeout_s, self.runtime).run_many(lowered)
        return [
            result if isinstance(result, BackendError) else merged(split, result)
            for split, result in zip(splits, results, strict=True)
        ]


def stock_processes(
    compiled: Any, inputs: SpikeInput | None, steps: int, max_processes: int | None = None
) -> StockGraph:
    """The Processes of a network, connected and not yet run; see `StockGraph`.

    Args:
        compiled: `QuantizedNetwork` or `CompiledNetwork`.
        inputs, steps: what the sources send.
        max_processes: bound on the number of Processes, `MAX_PROCESSES` by default.

    Raises:
        CapacityError: stock Processes cannot express the network; every reason is listed.
        BackendMissingError: no Lava on this Python.
        SpecError: the inputs do not fit.
    """
    network = as_quantized(compiled).verify()
    check_run(network, inputs, steps, ())
    split = lower_stock(network, MAX_PROCESSES if max_processes is None else max_processes)
    if obstacle := lava_obstacle():
        raise BackendMissingError(obstacle)
    from hrsnn_lava.processes.to_lava import stock_graph

    return stock_graph(lava_program(split.network, inputs, steps), split.neurons)
