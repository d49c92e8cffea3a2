"""Time of a step with on-chip learning: native against Lava, Brian2 and NEST in one run.

Pair STDP on all recurrent excitatory synapses, about 3 % of the neurons firing in a step, one
thread. Lava must give the same spikes and learned weights, otherwise the script fails (exit code
1). It runs twice: its `LearningDense` for excitatory weights, its `LearningSparse` for weights of
both signs, the one mode in which that works in fixed point. Brian2 and NEST compute pair STDP with
exponential traces in floats: the same rule, not the same arithmetic, so their ratio is per synaptic
event at their own rate.

    uv run python benchmarks/learning.py
    uv run python benchmarks/learning.py --peer-python ENV/bin/python --sizes 1000
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import learning_rules
import numpy as np
from bounds import visit_timer
from networks import network, synaptic_events
from peers import ChildPeer, Different, LavaPeer, Run, check, stdp_parameters
from simulation import CHUNK, display, parser
from timing import cpu_seconds, table, write

from hrsnn_lava import QuantizedNetwork, Trace
from hrsnn_lava.chip_learning import pair_stdp
from hrsnn_lava.errors import HrsnnError
from hrsnn_lava.quantized import SignMode
from hrsnn_lava.sim_backends.native.layout import Events
from hrsnn_lava.sim_backends.native.simulator import IntegerSimulator
from hrsnn_lava.sim_backends.runs.session import simulate

DENSITY = {200: 0.10, 500: 0.10, 1000: 0.10, 5000: 0.05}
#: Slight net depression, so that the rate stays where it is for some thousand steps.
RULE = pair_stdp((1, -6), (1, -6), 20.0, 20.0, impulse=16.0, rng_seed=1)
#: Lava touches every pair of neurons in every step: steps it is given, by size.
LAVA_STEPS = {200: 200, 500: 100, 1000: 60}
LAVA_LARGEST = 1000
#: Process that learns, and the sign mode for which the Lava backend uses it.
LAVA_PROCESSES = {
    "Lava 0.10 LearningDense": SignMode.EXCITATORY,
    "Lava 0.10 LearningSparse": SignMode.MIXED,
}
FIXED = "native, learning off"
#: The same rule without impulses: traces stay 0, so that no weight ever moves.
SILENT = pair_stdp((1, -6), (1, -6), 20.0, 20.0, impulse=0.0, rng_seed=1)
#: Networks that do ever more of the work; differences of their times are the parts of a step.
PARTS = ("neurons", "traces", "delivery", "changes")
#: Size at which other rules are compared with pair STDP.
RULES_AT = 1000


def learning_call(net: QuantizedNetwork, steps: int) -> Callable[[], None]:
    """A run from rest with the initial weights, warmed up; lowering is not part of it."""
    simulator = IntegerSimulator(net)
    mantissas = net.gather("bias_mant")[None, :]
    start = simulator.snapshot()

    def run() -> None:
        simulator.restore(start)
        for first in range(0, steps, CHUNK):
            count = min(CHUNK, steps - first)
            simulator.advance(count, Events.none(count), np.array([first]), mantissas)

    run()
    return run


class LearningBench:
    """One size: the network, its run, and the least seconds of everything compared."""

    def __init__(self, n: int, p: float, steps: int) -> None:
        self.net, self.fixed = network(n, p, rule=RULE), network(n, p)
        self.density, self.steps = p, steps
        self.trace = simulate(self.net, None, steps, "native")
        self.events = synaptic_events(self.net, self.trace) / steps
        self.pairs = plastic_events(self.net, self.trace) / steps
        self.ours = {
            "native": learning_call(self.net, steps),
            FIXED: learning_call(self.fixed, steps),
        }
        few = network(n, 1e-4 * p, rule=RULE)
        bare = QuantizedNetwork(few.populations, ()).verify()
        self.parts = {
            "neurons": learning_call(bare, steps),
            "traces": learning_call(few, steps),
            "delivery": learning_call(network(n, p, rule=SILENT), steps),
        }
        self.visits = visit_timer(self.net, self.trace)
        self.access = (float("inf"), float("inf"))
        self.best: dict[str, float] = {}
        self.of_parts: dict[str, float] = {}
        self.runs: dict[str, Run] = {}

    def round(self, peers: dict[str, Callable[[], Run]]) -> None:
        """Everything once."""
        for name, call in self.ours.items():
            self._keep(name, cpu_seconds(call) / self.steps, None)
        for name, call in self.parts.items():
            seconds = cpu_seconds(call) / self.steps
            self.of_parts[name] = min(seconds, self.of_parts.get(name, float("inf")))
        delivered, touched = self.visits()
        self.access = (min(delivered, self.access[0]), min(touched, self.access[1]))
        for name, once in peers.items():
            run = once()
            self._keep(name, run.seconds / self.steps, run)

    def shares(self) -> dict[str, float]:
        """Seconds a step of each of `PARTS`: what its network takes more than the one before."""
        times = [0.0, *self.of_parts.values(), self.best["native"]]
        return dict(zip(PARTS, np.diff(times).tolist(), strict=True))

    def lava(self, peer: LavaPeer, steps: int, repeats: int) -> None:
        """Lava for a few steps, compared with native spike by spike and weight by weight."""
        for process, sign in LAVA_PROCESSES.items():
            net = network(self.net.n_neurons, self.density, rule=RULE, plastic_sign=sign)
            expected = simulate(net, None, steps, "native")
            for _ in range(repeats):
                run = peer.prepare(net, steps)()
                assert run.trace is not None  # a Lava run always has one
                if not run.trace.weights:
                    raise Different("Lava's learned weights did not come back")
                check(expected, run.trace, process)
                self._keep(process, run.seconds / steps, run)

    def _keep(self, name: str, seconds: float, run: Run | None) -> None:
        if seconds < self.best.get(name, float("inf")):
            self.best[name] = seconds
            if run is not None:
                self.runs[name] = run


def plastic_events(net: QuantizedNetwork, trace: Trace) -> int:
    """Plastic synapses that had a presynaptic or a postsynaptic spike, summed over the run."""
    touched = np.zeros(net.n_neurons, dtype=np.int64)
    for projection in net.projections:
        if projection.learning is not None:
            pre, post = net.offset(projection.pre), net.offset(projection.post)
            n_post, n_pre = projection.weights.shape
            touched[post : post + n_post] += np.diff(projection.weights.indptr)
            touched[pre : pre + n_pre] += np.diff(projection.weights.tocsc().indptr)
    return int(touched[trace.spike_neurons].sum())


def measure(
    n: int, p: float, steps: int, repeats: int, peers: list[ChildPeer], lava: LavaPeer | None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Figures of one size: the network, and one row per tool."""
    bench = LearningBench(n, p, steps)
    prepared = {}
    for peer in peers:
        call = peer.prepare(bench.net, steps)
        prepared[peer.name] = call
    for _ in range(repeats):
        bench.round(prepared)
    for peer in peers:
        peer.close()
    if lava is not None and n <= LAVA_LARGEST:
        bench.lava(lava, min(steps, LAVA_STEPS.get(n, 60)), 1)
    native = bench.best["native"]
    case = {
        "neurons": n,
        "density": p,
        "synapses": bench.net.n_synapses,
        "plastic": sum(q.n_synapses for q in bench.net.projections if q.learning is not None),
        "steps": steps,
        "rate": bench.trace.n_spikes / steps / n,
        "events_per_step": bench.events,
        "plastic_events_per_step": bench.pairs,
        "native_s": native,
        "parts_s": bench.shares(),
        "access_s": {"delivery": bench.access[0], "delivery_and_touch": bench.access[1]},
        "ns_per_plastic_event": 1e9 * (native - bench.best[FIXED]) / bench.pairs,
    }
    tools = []
    for name, seconds in sorted(bench.best.items(), key=lambda item: item[1]):
        run = bench.runs.get(name)
        events = bench.events if run is None or run.events is None else run.events / steps
        same = "" if run is None else "bit-equal" if run.trace is not None else "rate-matched"
        ratio = seconds / native
        if same == "rate-matched":
            ratio = (seconds / events) / (native / bench.events)
        row: dict[str, Any] = {"tool": name, "s_per_step": seconds, "ratio": ratio, "same": same}
        row["ns_per_event"] = 1e9 * seconds / events
        row["rate"] = case["rate"] if run is None or run.spikes is None else run.spikes / steps / n
        tools.append(row)
    return case, tools


COLUMNS = {
    "tool": "tool",
    "step": "us/step",
    "event": "ns/event",
    "ratio": "ratio",
    "same": "spikes, weights",
}


PART_COLUMNS = {
    "n": "N",
    "neurons": "neurons",
    "traces": "traces, per neuron",
    "delivery": "spikes to synapses",
    "changes": "weights that move",
    "step": "whole step, us",
    "access": "access alone: spikes",
    "touch": "and every weight",
}


def display_parts(case: dict[str, Any]) -> dict[str, str]:
    """A row of `PART_COLUMNS`, in microseconds."""
    row = {name: f"{1e6 * seconds:.2f}" for name, seconds in case["parts_s"].items()}
    access = case["access_s"]
    return {
        "n": str(case["neurons"]),
        **row,
        "step": f"{1e6 * case['native_s']:.2f}",
        "access": f"{1e6 * access['delivery']:.2f}",
        "touch": f"{1e6 * access['delivery_and_touch']:.2f}",
    }


def main() -> int:
    """Measure and print."""
    options = parser(__doc__.splitlines()[0])
    options.set_defaults(repeats=5)
    options.add_argument("--sizes", type=int, nargs="+", default=list(DENSITY))
    options.add_argument("--rules-at", type=int, default=RULES_AT, help="size for other rules")
    arguments = options.parse_args()
    lava = None if arguments.no_lava else LavaPeer()
    if lava is not None and (obstacle := lava.obstacle()):
        print(f"without {lava.name}: {obstacle}")
        lava = None
    python = {"python": arguments.peer_python} if arguments.peer_python else {}
    peers = []
    for module in () if arguments.no_peers else ("brian2", "nest"):
        peer = ChildPeer(module, **python, rule=stdp_parameters(RULE))
        if obstacle := peer.obstacle():
            print(f"without {peer.name}: {obstacle}")
        else:
            peers.append(peer)
    results = []
    for n in arguments.sizes:
        density = DENSITY.get(n, 0.1)
        try:
            case, tools = measure(n, density, arguments.steps, arguments.repeats, peers, lava)
        except (Different, HrsnnError) as failure:
            print(failure, file=sys.stderr)
            return 1
        rules = []
        if n == arguments.rules_at:
            rules = learning_rules.measure(n, density, arguments.steps, arguments.repeats)
        results.append({**case, "tools": tools, "rules": rules})
        print(
            f"N = {n}, {case['plastic']} plastic of {case['synapses']} synapses, "
            f"rate {case['rate']:.3f}, {case['ns_per_plastic_event']:.2f} ns per plastic event"
        )
        print(table([display(row) for row in tools], COLUMNS))
        print(table([display_parts(case)], PART_COLUMNS))
        if rules:
            rows = [learning_rules.display(row) for row in rules]
            print(table(rows, learning_rules.COLUMNS))
        print(flush=True)
    write(arguments.json, "learning", results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
