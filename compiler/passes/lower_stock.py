"""Lower an integer network to populations that stock Lava `LIF` can hold, one set of (du, dv, vth)
each; see `design_rules.stock` for what cannot be expressed so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hrsnn_lava.compiler.design_rules.stock import STOCK_RULES, StockPlan
from hrsnn_lava.compiler.passes.split import Split, split_network
from hrsnn_lava.errors import CapacityError, SpecError
from hrsnn_lava.quantized import QuantizedNetwork

__all__ = ["MAX_PROCESSES", "LowerStock", "lower_stock", "require_stock", "stock_report"]

#: Processes of a graph that Lava's runtime on a CPU still starts and runs; our choice, measured.
MAX_PROCESSES = 300


@dataclass(frozen=True)
class LowerStock:
    """One population for each set of (du, dv, vth), projections split accordingly.

    Attributes:
        max_processes: bound on LIF, connections and sources together.
    """

    max_processes: int = MAX_PROCESSES
    name = "lower_stock"

    def __call__(self, network: QuantizedNetwork) -> QuantizedNetwork:
        """The lowered network; see `lower_stock`."""
        return lower_stock(network, self.max_processes).network

    def apply(self, network: QuantizedNetwork) -> tuple[QuantizedNetwork, dict[str, Any]]:
        """The lowered network, and the number of Processes of each kind."""
        return self(network), stock_report(network)


def lower_stock(network: QuantizedNetwork, max_processes: int = MAX_PROCESSES) -> Split:
    """Lower a network, and keep the way back; raises as `require_stock`."""
    return split_network(network, require_stock(network, max_processes).labels)


def require_stock(network: QuantizedNetwork, max_processes: int = MAX_PROCESSES) -> StockPlan:
    """How a network would be grouped, where stock Processes can express it; nothing is built.

    Raises:
        CapacityError: stock Processes cannot express it; `violations` lists every reason.
        SpecError: `max_processes` < 1.
    """
    if max_processes < 1:
        raise SpecError(f"max_processes: {max_processes}; allowed: >= 1")
    plan = StockPlan.of(network, max_processes)
    violations = [found for rule in STOCK_RULES for found in rule(plan)]
    if violations:
        raise CapacityError(
            f"{network.name!r} cannot be expressed in stock Lava Processes", violations=violations
        )
    return plan


def stock_report(network: QuantizedNetwork) -> dict[str, Any]:
    """How many Processes the lowering has, whether or not it is allowed.

    Returns:
        ``processes`` = ``lif`` + ``connections`` + ``sources``, and the groups of each population.
    """
    plan = StockPlan.of(network, MAX_PROCESSES)
    return {
        "processes": plan.processes,
        "lif": sum(plan.groups.values()),
        "connections": sum(plan.connections.values()),
        "sources": plan.sources,
        "groups": plan.groups,
    }
