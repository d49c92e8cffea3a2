"""Time of a step: native against its peers and against the machine, the same network in one run.

Random balanced networks, about 3 % of the neurons firing in a step, one thread. Everything
compared takes turns within a round, and the least of the rounds counts. Peers that compute the
same integers must give the same spikes, otherwise the script fails (exit code 1).

    uv run python benchmarks/simulation.py                            # N = 1000 and 5000
    uv run python benchmarks/simulation.py --no-lava                  # on a Python without Lava
    uv run python benchmarks/simulation.py --peer-python ENV/bin/python   # with Brian2 and NEST
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from bounds import scatter_timer, triad_bandwidth
from networks import CASES, network, synaptic_events
from peers import ChildPeer, Different, LavaPeer, Run, ScipyPeer, check
from timing import child_memory, cpu_seconds, table, wall_seconds, write

from hrsnn_lava import QuantizedNetwork, Trace
from hrsnn_lava.sim_backends.native.layout import Events
from hrsnn_lava.sim_backends.native.simulator import IntegerSimulator
from hrsnn_lava.sim_backends.runs.session import simulate

CHUNK = 1000  # steps per call of the kernel
SLOW_STEPS = 200  # of the readable backend and of SciPy
SLOW_ROUNDS = 2


def kernel_call(net: QuantizedNetwork, steps: int) -> Callable[[], None]:
    """A run of the kernel from rest, spikes recorded, warmed up; lowering is not part of it."""
    simulator = IntegerSimulator(net)
    mantissas = net.gather("bias_mant")[None, :]

    def run() -> None:
        simulator.reset()
        for first in range(0, steps, CHUNK):
            count = min(CHUNK, steps - first)
            simulator.advance(count, Events.none(count), np.array([first]), mantissas)

    run()
    return run


class Bench:
    """All that is compared at one size, and the least seconds of each."""

    def __init__(self, net: QuantizedNetwork, steps: int) -> None:
        self.net, self.steps = net, steps
        self.trace = simulate(net, None, steps, "native")
        self.events = synaptic_events(net, self.trace)
        self.ours = {
            "native": kernel_call(net, steps),
            "neurons": kernel_call(QuantizedNetwork(net.populations), steps),
        }
        self.scatter = scatter_timer(net, self.trace)
        self.best: dict[str, float] = {}
        self.runs: dict[str, Run] = {}
        self.lengths: dict[str, int] = {}

    def round(self, peers: dict[str, Callable[[], Run]], number: int) -> None:
        """Everything once; slow peers in the first rounds only."""
        for name, call in self.ours.items():
            self._keep(name, cpu_seconds(call) / self.steps)
        self._keep("scatter", self.scatter())
        for name, once in peers.items():
            if number >= SLOW_ROUNDS and not name.startswith("Brian2"):
                continue
            run = once()
            length = run.trace.n_steps if run.trace is not None else self.steps
            if run.trace is not None:
                check(self.trace, run.trace, name, length)
            if self._keep(name, run.seconds / length):
                self.runs[name], self.lengths[name] = run, length

    def _keep(self, name: str, seconds: float) -> bool:
        better = seconds < self.best.get(name, float("inf"))
        if better:
            self.best[name] = seconds
        return better


def measure(
    n: int, p: float, steps: int, repeats: int, peers: list[Any]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Figures of one size: the network and its parts, and one row per tool."""
    net = network(n, p)
    bench = Bench(net, steps)
    slow = min(steps, SLOW_STEPS)
    early = {"reference": _reference(net, slow)}
    for peer in peers:
        length = slow if isinstance(peer, ScipyPeer) else steps
        if isinstance(peer, LavaPeer):
            peer.wall_per_step = float("inf")
        early_run = peer.prepare(net, length)
        early[peer.name] = early_run
    for number in range(repeats):
        bench.round(early, number)
    native = bench.best["native"]
    events_per_step = bench.events / steps
    per_event = native / events_per_step
    synapses = (native - bench.best["neurons"]) / events_per_step
    start = min(wall_seconds(lambda: simulate(net, None, 1, "native")) for _ in range(3))
    memory = child_memory("peak_memory.py", [str(n), str(p), str(steps)])
    case = {
        "neurons": n,
        "density": p,
        "synapses": net.n_synapses,
        "steps": steps,
        "rate": bench.trace.n_spikes / steps / n,
        "events_per_step": events_per_step,
        "native_s": native,
        "ns_per_event": 1e9 * per_event,
        "ns_per_neuron": 1e9 * bench.best["neurons"] / n,
        "neuron_share": bench.best["neurons"] / native,
        "synapse_ns_per_event": 1e9 * synapses,
        "bound_ns_per_event": 1e9 * bench.best["scatter"],
        "of_bound": bench.best["scatter"] / per_event,
        "synapses_of_bound": bench.best["scatter"] / synapses,
        "start_s": start,
        "peak_bytes": memory["peak_bytes"],
        "imported_bytes": memory["imported_bytes"],
    }
    tools = [_row("native", native, events_per_step, native, case["rate"], "", start, memory)]
    for name, seconds in sorted(bench.best.items(), key=lambda item: item[1]):
        if name not in bench.runs:
            continue
        run = bench.runs[name]
        events = events_per_step if run.events is None else run.events / bench.lengths[name]
        rate = case["rate"] if run.spikes is None else run.spikes / bench.lengths[name] / n
        same = "bit-equal" if run.trace is not None else "rate-matched"
        peer = next((q for q in peers if q.name == name), None)
        peak = {"peak_bytes": run.peak_bytes} if run.peak_bytes else {}
        started = getattr(peer, "start_seconds", None)
        tools.append(_row(name, seconds, events, native, rate, same, started, peak, per_event))
        if isinstance(peer, LavaPeer):
            tools[-1]["wall_s_per_step"] = peer.wall_per_step
    for peer in peers:
        getattr(peer, "close", lambda: None)()
    return case, tools


def _reference(net: QuantizedNetwork, steps: int) -> Callable[[], Run]:
    def run() -> Run:
        traces: list[Trace] = []
        seconds = cpu_seconds(lambda: traces.append(simulate(net, None, steps, "reference")))
        return Run(seconds, traces[0])

    return run


def _row(
    name: str,
    seconds: float,
    events_per_step: float,
    native: float,
    rate: float,
    same: str,
    start: float | None,
    memory: dict[str, int],
    native_per_event: float | None = None,
) -> dict[str, Any]:
    """Figures of one tool; without equal spikes the ratio is the one per synaptic event."""
    per_event = seconds / events_per_step
    ratio = seconds / native
    if same == "rate-matched" and native_per_event is not None:
        ratio = per_event / native_per_event
    return {
        "tool": name,
        "s_per_step": seconds,
        "ns_per_event": 1e9 * per_event,
        "ratio": ratio,
        "rate": rate,
        "same": same,
        "start_s": start,
        **memory,
    }


def report(case: dict[str, Any], tools: list[dict[str, Any]]) -> str:
    """One case as text."""
    lines = [
        f"N = {case['neurons']}, {case['synapses']} synapses, rate {case['rate']:.3f}, "
        f"{case['events_per_step']:.0f} synaptic events a step",
        table([display(row) for row in tools], TOOL_COLUMNS),
        f"neurons {case['ns_per_neuron']:.2f} ns each ({case['neuron_share']:.0%} of the step); "
        f"synapses {case['synapse_ns_per_event']:.2f} ns/event against "
        f"{case['bound_ns_per_event']:.2f} for the bare additions "
        f"({case['synapses_of_bound']:.0%}; whole step {case['of_bound']:.0%})",
    ]
    lines += [wall_line(row) for row in tools if "wall_s_per_step" in row]
    return "\n".join(lines)


def wall_line(row: dict[str, Any]) -> str:
    """What a tool that uses several cores takes by the clock."""
    return (
        f"{row['tool']} is given by its CPU time; by the clock, on all cores, a step took "
        f"{1e6 * row['wall_s_per_step']:.0f} us."
    )


TOOL_COLUMNS = {
    "tool": "tool",
    "step": "us/step",
    "event": "ns/event",
    "ratio": "ratio",
    "same": "spikes",
    "start": "start s",
    "memory": "peak MB",
}


def display(row: dict[str, Any]) -> dict[str, str]:
    """A row of figures as text."""
    shown = {
        "tool": row["tool"],
        "step": f"{1e6 * row['s_per_step']:.1f}",
        "event": f"{row['ns_per_event']:.2f}",
        "ratio": f"{row['ratio']:.1f}x",
        "same": row["same"] or "-",
    }
    if row["same"] == "rate-matched":
        shown["same"] = f"rate {row['rate']:.3f}"
    if row.get("start_s"):
        shown["start"] = f"{row['start_s']:.2f}"
    if row.get("peak_bytes"):
        shown["memory"] = f"{row['peak_bytes'] / 1e6:.0f}"
    return shown


def available(arguments: argparse.Namespace) -> list[Any]:
    """The peers that can run; the others are named with the reason."""
    wanted: list[Any] = [ScipyPeer("csc"), ScipyPeer("csr")]
    if not arguments.no_lava:
        wanted.append(LavaPeer())
    options = {"python": arguments.peer_python} if arguments.peer_python else {}
    wanted += [ChildPeer("brian2", **options), ChildPeer("nest", **options)]
    if arguments.no_peers:
        wanted = [peer for peer in wanted if isinstance(peer, LavaPeer)]
    found = []
    for peer in wanted:
        if obstacle := peer.obstacle():
            print(f"without {peer.name}: {obstacle}")
        else:
            found.append(peer)
    return found


def parser(description: str) -> argparse.ArgumentParser:
    """Options that the benchmarks share."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--steps", type=int, default=1000)
    options.add_argument("--repeats", type=int, default=10, help="rounds; the least time counts")
    options.add_argument("--no-lava", action="store_true")
    options.add_argument("--no-peers", action="store_true", help="no SciPy, Brian2, NEST")
    options.add_argument("--peer-python", help="interpreter that has Brian2 and NEST")
    options.add_argument("--json", type=Path, help="write the figures there")
    options.add_argument("--plot", type=Path, help="draw the figures there")
    return options


def main() -> int:
    """Measure and print."""
    options = parser(__doc__.splitlines()[0])
    options.add_argument("--sizes", type=int, nargs="+", default=list(CASES))
    arguments = options.parse_args()
    peers = available(arguments)
    results = []
    for n in arguments.sizes:
        density = CASES.get(n, min(0.1, 100 / n))
        try:
            case, tools = measure(n, density, arguments.steps, arguments.repeats, peers)
        except Different as difference:
            print(difference, file=sys.stderr)
            return 1
        results.append({**case, "tools": tools})
        print(report(case, tools), end="\n\n", flush=True)
    bandwidth = triad_bandwidth()
    print(f"memory: {bandwidth / 1e9:.1f} GB/s (triad, one core)")
    write(arguments.json, "simulation", results, triad_bytes_per_s=bandwidth)
    if arguments.plot:
        from plot import draw_simulation

        draw_simulation(results, arguments.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
