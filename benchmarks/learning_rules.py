"""Time of a step by the kind of learning rule, as a multiple of pair STDP with one profile.

All rules run in the same network at about the same rate; payloads of graded spikes come from input
channels that repeat the spikes of its excitatory neurons.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from networks import network
from timing import cpu_seconds

from hrsnn_lava import QuantizedInput, QuantizedNetwork, SpikeInput
from hrsnn_lava.chip_learning import (
    Factor,
    GradedSpikes,
    Learning,
    LearningRule,
    Product,
    pair_stdp,
)
from hrsnn_lava.chip_learning import Trace as SpikeTrace
from hrsnn_lava.seeding import generator
from hrsnn_lava.sim_backends.native.layout import Events
from hrsnn_lava.sim_backends.native.simulator import IntegerSimulator
from hrsnn_lava.sim_backends.runs.session import simulate

PAIR = "pair, K=1"
COLUMNS = {"rule": "rule", "step": "us/step", "ratio": "ratio", "rate": "rate"}
#: Factor by which potentials outgrow currents where payloads of this mean multiply the weights.
_PAYLOAD, _SHIFT = 16, 4


def _pair(k: int = 0, t_epoch: int = 1) -> LearningRule:
    """Pair STDP; profile `k` has time constants of its own, which leave the rate as it is."""
    taus = (20.0 + 3 * k, 20.0 + 3 * k)
    return pair_stdp((1, -6), (1, -6), *taus, impulse=16.0, t_epoch=t_epoch, rng_seed=1)


def _amplitudes(k: int) -> LearningRule:
    """What heterogeneous STDP compiles to: amplitudes of synapses in their tags."""
    minus = Product("x0", -1, -6, (Factor("y1"), Factor("d")))
    plus = Product("y0", 1, -6, (Factor("x1"), Factor("t")))
    return replace(_pair(k), dw=(minus, plus))


def _eligibility() -> LearningRule:
    """Pairs change tags, and tags change weights."""
    dt = tuple(replace(product, exponent=-3) for product in _pair().dw)
    dw = (Product("x0", 1, -6, (Factor("t"),)), Product("y0", -1, -6, (Factor("t"),)))
    return replace(_pair(), dt=dt, dw=dw)


def _triplet() -> LearningRule:
    """A second, slower trace on both sides."""
    minus = Product("x0", -1, -6, (Factor("y1"), Factor("x2")))
    plus = Product("y0", 1, -7, (Factor("x1"), Factor("y2")))
    slow = SpikeTrace(16, 40)
    return replace(_pair(), dw=(minus, plus), x2=slow, y2=slow)


def _leak(decimate: int) -> LearningRule:
    """Pairs, and a leak of all weights every 2^k steps."""
    leak = Product("u", -1, -7, (Factor("w"),))
    return replace(_pair(), dw=(*_pair().dw, leak), decimate_exponent=decimate)


RULES: dict[str, tuple[LearningRule, ...]] = {
    PAIR: (_pair(),),
    **{f"pair, K={n}": tuple(_pair(k) for k in range(n)) for n in (2, 4, 16)},
    **{f"pair, epochs of {n}": (_pair(0, n),) for n in (2, 4, 8)},
    "pair, K=4, epochs of 4": tuple(_pair(k, 4) for k in range(4)),
    "pair, K=16, epochs of 8": tuple(_pair(k, 8) for k in range(16)),
    **{f"amplitudes in tags, K={n}": tuple(_amplitudes(k) for k in range(n)) for n in (1, 4, 16)},
    "dt by pairs, dw by t": (_eligibility(),),
    "triplets": (_triplet(),),
    "pair and leak, u5": (_leak(5),),
    "pair and leak, u0": (_leak(0),),
}
GRADED: tuple[GradedSpikes, ...] = ("overwrite", "add_saturating", "add_overflow")


def with_rules(net: QuantizedNetwork, rules: tuple[LearningRule, ...]) -> QuantizedNetwork:
    """The network with these rules, every synapse following one of them at random."""
    rng = generator(0, "benchmark/rules")
    for p in net.projections:
        if p.learning is not None:
            profile = rng.integers(0, len(rules), p.n_synapses)
            tags = rng.integers(20, 40, (2, p.n_synapses))
            if any(rule.dt for rule in rules):
                tags = np.zeros_like(tags)
            net = net.with_projection(replace(p, learning=Learning(rules, profile, *tags)))
    return net.verify()


def with_payloads(
    net: QuantizedNetwork, mode: GradedSpikes, steps: int
) -> tuple[QuantizedNetwork, SpikeInput]:
    """Channels that spike as the first population did, with payloads, in its place."""
    trace, sender = simulate(net, None, steps, "native"), net.populations[0]
    sent = trace.spike_neurons < sender.size
    payloads = generator(0, "benchmark/payloads").integers(2, 2 * _PAYLOAD - 1, int(sent.sum()))
    projections = []
    for p in net.projections:
        if p.learning is None:
            projections.append(replace(p, weight_exp=p.weight_exp + _SHIFT))
        else:
            learning = replace(p.learning, graded_spikes=mode)
            projections.append(replace(p, pre="in", num_message_bits=8, learning=learning))
    populations = (
        replace(p, vth=p.vth << _SHIFT, bias_exp=p.bias_exp + _SHIFT) for p in net.populations
    )
    channels = QuantizedInput("in", sender.size, payload_scale=1.0)
    graded = QuantizedNetwork((channels, *populations), tuple(projections)).verify()
    at, who = trace.spike_steps[sent], trace.spike_neurons[sent]
    return graded, SpikeInput(at, who, steps, sender.size, payloads)


def _call(net: QuantizedNetwork, inputs: SpikeInput | None, steps: int) -> Callable[[], int]:
    """A run from rest, warmed up; returns how many spikes it had."""
    simulator = IntegerSimulator(net)
    start, mantissas = simulator.snapshot(), net.gather("bias_mant")[None, :]
    events = Events.none(steps)
    if inputs is not None:
        events = Events.of(inputs, 0, steps, net.n_neurons)

    def run() -> int:
        simulator.restore(start)
        return int(simulator.advance(steps, events, np.array([0]), mantissas)[0].size)

    run()
    return run


def measure(n: int, p: float, steps: int, repeats: int) -> list[dict[str, Any]]:
    """A row a rule: seconds a step, and how many times those of pair STDP in the same rounds."""
    base = network(n, p, rule=_pair())
    calls = {name: _call(with_rules(base, rules), None, steps) for name, rules in RULES.items()}
    for mode in GRADED:
        calls[f"pair, graded: {mode}"] = _call(*with_payloads(base, mode, steps), steps)
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(repeats):
        for name, call in calls.items():
            best[name] = min(best[name], cpu_seconds(call) / steps)
    return [
        {
            "rule": name,
            "s_per_step": seconds,
            "ratio": seconds / best[PAIR],
            "rate": calls[name]() / steps / n,
        }
        for name, seconds in best.items()
    ]


def display(row: dict[str, Any]) -> dict[str, str]:
    """A row of `COLUMNS`."""
    return {
        "rule": row["rule"],
        "step": f"{1e6 * row['s_per_step']:.1f}",
        "ratio": f"{row['ratio']:.1f}x",
        "rate": f"{row['rate']:.3f}",
    }
