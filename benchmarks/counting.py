"""What counting costs: a run that is counted as it goes, against the same run that is not.

Both keep no raster. The plain run uses the kernel without counters; the counted one counts active
and membrane updates in the kernel, and operations, messages and hops of every stretch. They take
turns, in one order and then in the other, on CPU time; the figure is the median of the ratios of
neighbours. The second network has neurons without a bias, whose updates the kernel must look at
one by one. Counts that differ from those of the stored trace end the script with exit code 1.

    uv run python benchmarks/counting.py
    uv run python benchmarks/counting.py --sizes 1000 --steps 200 --repeats 3   # shorter
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from networks import CASES, network, synaptic_events
from peers import Different
from simulation import parser
from timing import cpu_seconds, table, write

from hrsnn_lava import QuantizedNetwork, SpikeInput
from hrsnn_lava.compiler.analysis.operations.counting import Counting, Counts
from hrsnn_lava.compiler.mapped import Placement
from hrsnn_lava.sim_backends.base import Stretch
from hrsnn_lava.sim_backends.native.simulator import NativeEngine
from hrsnn_lava.sim_backends.runs.counting import stretch_steps
from hrsnn_lava.sim_backends.runs.session import simulate

#: Neurons of a core; the placement is that of neurons in their order.
_CORE = 128
#: Of the second network, one neuron in so many has no bias.
_ONE_IN = 10


def unbiased(net: QuantizedNetwork) -> QuantizedNetwork:
    """The same network, with every tenth neuron without a bias."""
    populations = []
    for population in net.compute_populations:
        bias = population.bias_mant.copy()
        bias[::_ONE_IN] = 0
        populations.append(replace(population, bias_mant=bias))
    return QuantizedNetwork(tuple(populations), net.projections).verify()


def placement(n: int) -> Placement:
    """Cores on the tiles of a mesh, filled in the order of the neurons."""
    core_of = np.arange(n) // _CORE
    cores = np.arange(int(core_of.max()) + 1)
    return Placement.of(core_of, np.stack([cores % 8, cores // 8], axis=1))


def stretches(engine: NativeEngine, net: QuantizedNetwork, steps: int) -> Any:
    """The run from rest, stretch by stretch as a session has it."""
    size = stretch_steps(net)
    base, start = net.gather("bias_mant")[None, :], np.zeros(1, dtype=np.int64)
    engine.reset()
    for first in range(0, steps, size):
        inputs = SpikeInput.empty(min(size, steps - first), net.n_inputs)
        yield engine.advance(Stretch(first, inputs, start, base, ()))


def plain_call(net: QuantizedNetwork, steps: int) -> Callable[[], None]:
    """A run without counters."""
    engine = NativeEngine(net, counting=False)

    def run() -> None:
        for _ in stretches(engine, net, steps):
            pass

    return run


def counted_call(
    net: QuantizedNetwork, steps: int, per_step: bool, found: list[Counts]
) -> Callable[[], None]:
    """A run with all counters; what it counted is left in `found`."""
    engine, cores = NativeEngine(net), placement(net.n_neurons)
    tables = Counting(net, cores, per_step=per_step)

    def run() -> None:
        counting = tables.anew()
        for stretch in stretches(engine, net, steps):
            counting.add(stretch)
        found[:] = [counting.result()]

    return run


def measure(name: str, net: QuantizedNetwork, steps: int, repeats: int) -> list[dict[str, Any]]:
    """One row with counts by step and one without."""
    trace = simulate(net, None, steps, "native")
    plain = plain_call(net, steps)
    rows = []
    for per_step in (True, False):
        found: list[Counts] = []
        counted = counted_call(net, steps, per_step, found)
        plain(), counted()  # compile and warm up
        check(net, trace, found[0])
        pairs = []
        for k in range(repeats):
            order = (plain, counted) if k % 2 else (counted, plain)
            seconds = {call: cpu_seconds(call) for call in order}
            pairs.append((seconds[plain], seconds[counted]))
        ratios = [b / a for a, b in pairs]
        low, middle, high = np.percentile(ratios, (25, 50, 75))
        rows.append(
            {
                "network": name,
                "neurons": net.n_neurons,
                "by_step": per_step,
                "rate": trace.n_spikes / steps / net.n_neurons,
                "events_per_step": synaptic_events(net, trace) / steps,
                "plain_s_per_step": min(a for a, _ in pairs) / steps,
                "counted_s_per_step": min(b for _, b in pairs) / steps,
                "overhead": middle - 1,
                "overhead_low": low - 1,
                "overhead_high": high - 1,
            }
        )
    return rows


def check(net: QuantizedNetwork, trace: Any, found: Counts) -> None:
    """Refuse counts that are not those of the trace."""
    stored = Counting(net, placement(net.n_neurons))
    stored.add(trace)
    expected = stored.result()
    pairs = [
        ("operations", found.ops.total, expected.ops.total),
        ("operations by hand", found.ops.total, synaptic_events(net, trace)),
        ("messages", found.done.messages, expected.done.messages),
        ("active", found.done.neuron_updates_active, expected.done.neuron_updates_active),
        ("membrane", found.done.membrane_updates, expected.done.membrane_updates),
    ]
    for name, ours, theirs in pairs:
        if ours != theirs:
            raise Different(f"{name}: {ours} counted as the run went, {theirs} from its trace")


COLUMNS = {
    "network": "network",
    "neurons": "N",
    "by_step": "by step",
    "plain": "us/step",
    "counted": "counted",
    "overhead": "overhead",
    "spread": "quartiles",
}


def display(row: dict[str, Any]) -> dict[str, str]:
    """A row of figures as text."""
    return {
        "network": row["network"],
        "neurons": str(row["neurons"]),
        "by_step": "yes" if row["by_step"] else "no",
        "plain": f"{1e6 * row['plain_s_per_step']:.2f}",
        "counted": f"{1e6 * row['counted_s_per_step']:.2f}",
        "overhead": f"{row['overhead']:.1%}",
        "spread": f"{row['overhead_low']:.1%} to {row['overhead_high']:.1%}",
    }


def main() -> int:
    """Measure and print."""
    options = parser(__doc__.splitlines()[0])
    options.add_argument("--sizes", type=int, nargs="+", default=list(CASES))
    options.set_defaults(repeats=21, steps=2000)
    arguments = options.parse_args()
    rows = []
    for n in arguments.sizes:
        net = network(n, CASES.get(n, 0.05))
        for name, made in (("all biased", net), ("a tenth without bias", unbiased(net))):
            rows += measure(name, made, arguments.steps, arguments.repeats)
    print(table([display(row) for row in rows], COLUMNS))
    write(arguments.json, "counting", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
