"""How the time of a step grows with neurons, density, rate and length, one at a time.

The kernel alone, one thread, CPU time, least of several rounds.

    uv run python benchmarks/scaling.py
    uv run python benchmarks/scaling.py --largest 20000 --steps 200   # shorter
"""

from __future__ import annotations

import sys
from typing import Any

from networks import network, synaptic_events
from simulation import kernel_call, parser
from timing import cpu_seconds, table, write

from hrsnn_lava.sim_backends.runs.session import simulate

SIZES = (100, 300, 1000, 3000, 10_000, 30_000, 100_000)
FAN_OUT = 100
DENSITIES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
BIASES = ((1200, 2200), (1500, 3000), (1800, 3600), (2400, 4095), (3300, 4095))
LENGTHS = (100, 1000, 10_000, 100_000)
#: Synaptic events a measurement should take at least: shorter ones drown in the clock.
_ENOUGH = 2e6


def measure(
    vary: str, n: int, p: float, steps: int, repeats: int, bias: tuple[int, int] = (1800, 3600)
) -> dict[str, Any]:
    """One row: the network, and seconds per step, event and neuron."""
    net = network(n, p, bias=bias)
    trace = simulate(net, None, steps, "native")
    events = synaptic_events(net, trace)
    call = kernel_call(net, steps)
    times = max(1, min(20, round(_ENOUGH / max(events, 1))))

    def several() -> None:
        for _ in range(times):
            call()

    seconds = min(cpu_seconds(several) for _ in range(repeats)) / times / steps
    return {
        "vary": vary,
        "neurons": n,
        "density": p,
        "synapses": net.n_synapses,
        "steps": steps,
        "rate": trace.n_spikes / steps / n,
        "events_per_step": events / steps,
        "s_per_step": seconds,
        "ns_per_event": 1e9 * seconds * steps / max(events, 1),
        "ns_per_neuron": 1e9 * seconds / n,
    }


def sweep(largest: int, steps: int, repeats: int) -> list[dict[str, Any]]:
    """All rows; `largest` bounds the neurons and, times 10, the length."""
    rows = []
    for n in (n for n in SIZES if n <= largest):
        rows.append(measure("neurons", n, min(FAN_OUT / n, 0.5), steps, repeats))
    base = min(2000, largest)
    rows += [measure("density", base, p, steps, repeats) for p in DENSITIES]
    rows += [measure("rate", base, 0.05, steps, repeats, bias) for bias in BIASES]
    lengths = (t for t in LENGTHS if t <= 10 * largest)
    rows += [measure("steps", min(1000, largest), 0.1, t, repeats) for t in lengths]
    return rows


COLUMNS = {
    "vary": "varied",
    "neurons": "N",
    "density": "density",
    "synapses": "synapses",
    "steps": "steps",
    "rate": "rate",
    "step": "us/step",
    "event": "ns/event",
    "neuron": "ns/neuron",
}


def display(row: dict[str, Any]) -> dict[str, str]:
    """A row of figures as text."""
    return {
        "vary": row["vary"],
        "neurons": str(row["neurons"]),
        "density": f"{row['density']:.3g}",
        "synapses": str(row["synapses"]),
        "steps": str(row["steps"]),
        "rate": f"{row['rate']:.3f}",
        "step": f"{1e6 * row['s_per_step']:.2f}",
        "event": f"{row['ns_per_event']:.2f}",
        "neuron": f"{row['ns_per_neuron']:.1f}",
    }


def main() -> int:
    """Measure and print."""
    options = parser(__doc__.splitlines()[0])
    options.set_defaults(repeats=8, steps=300)
    options.add_argument("--largest", type=int, default=SIZES[-1], help="neurons at most")
    arguments = options.parse_args()
    rows = sweep(arguments.largest, arguments.steps, arguments.repeats)
    print(table([display(row) for row in rows], COLUMNS))
    write(arguments.json, "scaling", rows)
    if arguments.plot:
        from plot import draw_scaling

        draw_scaling(rows, arguments.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
