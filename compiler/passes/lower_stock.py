"""Lower an integer network to populations that stock Lava `LIF` can hold, one set of (du, dv, vth)
each; see `design_rules.stock` for what cannot be expressed so.
"""

from __future__ import annotations

from typing import Any, ClassVar

from hrsnn_lava.compiler.context import Context, Pass, Stage
from hrsnn_lava.compiler.design_rules.stock import STOCK_RULES, StockPlan
from hrsnn_lava.compiler.split import Split, split_network
from hrsnn_lava.errors import CapacityError
from hrsnn_lava.options import Count, options
from hrsnn_lava.quantized import QuantizedNetwork

__all__ = ["MAX_PROCESSES", "LowerStock", "lower_stock", "require_stock", "stock_report"]

#: Processes of a graph that Lava's runtime on a CPU still starts and runs; our choice, measured.
MAX_PROCESSES = 300


@options
class LowerStock(Pass[QuantizedNetwork, QuantizedNetwork]):
    """One population for each set of (du, dv, vth), projections split accordingly.

    Attributes:
        max_processes: bound on LIF, connections and sources together.
    """

    name: ClassVar[str] = "lower_stock"
    takes: ClassVar[Stage] = "integer"

    max_processes: Count = MAX_PROCESSES

    def transform(
        self, network: QuantizedNetwork, context: Context
    ) -> tuple[QuantizedNetwork, dict[str, Any]]:
        """The lowered network, and the number of Processes of each kind."""
        del context
        return lower_stock(network, self.max_processes).network, stock_report(network)


def lower_stock(network: QuantizedNetwork, max_processes: int = MAX_PROCESSES) -> Split:
    """Lower a network, and keep the way back; raises as `require_stock`."""
    return split_network(network, require_stock(network, max_processes).labels)


def require_stock(network: QuantizedNetwork, max_processes: int = MAX_PROCESSES) -> StockPlan:
    """How a network would be grouped, where stock Processes can express it; nothing is built.

    Raises:
        CapacityError: stock Processes cannot express it; `violations` lists every reason.
        SpecError: `max_processes` < 1.
    """
    plan = StockPlan.of(network, LowerStock(max_processes).max_processes)
    violations = [violation for rule in STOCK_RULES for violation in rule(plan)]
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
