"""Graphs of stock Lava Processes in the manner of Lava's tutorials, and their runs in live Lava.

``python stock_graphs.py OUT.npz NAME...`` runs the named graphs with Lava's own runtime and writes
``NAME/spikes/POPULATION`` (n, steps) and ``NAME/weights/CONNECTION`` (n_post, n_pre).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse


@dataclass(frozen=True)
class StockGraph:
    """A graph to run: its neurons, and its connections that learn."""

    neurons: tuple[Any, ...]
    learning: tuple[Any, ...]
    steps: int


def excitatory_inhibitory() -> StockGraph:
    """Random balanced network, driven by its biases, four fixed connections."""
    from lava.proc.dense.process import Dense
    from lava.proc.lif.process import LIF

    rng = np.random.default_rng(3)
    sizes, common = {"exc": 32, "inh": 8}, {"du": 1500, "dv": 700, "vth": 900}
    groups = {
        name: LIF(shape=(n,), bias_mant=rng.integers(60, 300, n), bias_exp=6, name=name, **common)
        for name, n in sizes.items()
    }
    for post, n_post in sizes.items():
        for pre, n_pre in sizes.items():
            drawn = rng.normal(6.0 if pre == "exc" else -25.0, 12.0, (n_post, n_pre))
            kept = np.maximum(drawn, 0) if pre == "exc" else np.minimum(drawn, 0)
            exponent = 1 if pre == "exc" else 0
            conn = Dense(weights=kept * 3, weight_exp=exponent, name=f"{pre}_{post}")
            groups[pre].s_out.connect(conn.s_in)
            conn.a_out.connect(groups[post].a_in)
    return StockGraph(tuple(groups.values()), (), 150)


def _stdp(n: int, steps: int, learning: Callable[[], Any], chance: float = 0.1) -> StockGraph:
    """Two layers, each fired by a source of its own, with a learning connection between them."""
    from lava.proc.dense.process import Dense
    from lava.proc.io.source import RingBuffer
    from lava.proc.lif.process import LIF

    rng = np.random.default_rng(23)
    layers = []
    for name in ("pre", "post"):
        source = RingBuffer(data=(rng.random((n, steps)) < chance).astype(int))
        inputs = Dense(weights=np.eye(n) * 250, name=f"in_{name}")
        layer = LIF(shape=(n,), du=4095, dv=4095, vth=240, name=name)
        source.s_out.connect(inputs.s_in)
        inputs.a_out.connect(layer.a_in)
        layers.append(layer)
    pre, post = layers
    plastic = learning()
    pre.s_out.connect(plastic.s_in)
    plastic.a_out.connect(post.a_in)
    post.s_out.connect(plastic.s_in_bap)
    return StockGraph((pre, post), (plastic,), steps)


def stdp_pair() -> StockGraph:
    """The STDP tutorial: one neuron before, one behind a LearningDense."""
    from lava.proc.dense.process import LearningDense
    from lava.proc.learning_rules.stdp_learning_rule import STDPLoihi

    rule = STDPLoihi(1, 1, -1, 10, 10, t_epoch=4, rng_seed=5)
    weights = np.full((1, 1), 50)
    return _stdp(1, 200, lambda: LearningDense(weights=weights, learning_rule=rule, name="plastic"))


def stdp_layer() -> StockGraph:
    """A layer with weights of 0 among them, fractional impulses and time constants."""
    from lava.proc.dense.process import LearningDense
    from lava.proc.learning_rules.stdp_learning_rule import STDPLoihi

    rule = STDPLoihi(1, 2, -1, 8.5, 13.25, x1_impulse=15.3, y1_impulse=17.8, t_epoch=2, rng_seed=77)
    weights = np.random.default_rng(0).integers(-20, 21, (6, 6))
    weights[2, 3] = weights[4, 0] = 0
    return _stdp(6, 150, lambda: LearningDense(weights=weights, learning_rule=rule, name="plastic"))


def sparse_custom_rule() -> StockGraph:
    """A LearningSparse with constants and decimation."""
    from lava.magma.core.learning.learning_rule import Loihi2FLearningRule
    from lava.proc.sparse.process import LearningSparse

    rule = Loihi2FLearningRule(
        dw="2^-2 * y0 * (x1 + 3) - 2^-1 * x0 * y1 - u1 * 2^0 * y1",
        x1_impulse=20,
        x1_tau=6,
        y1_impulse=10.5,
        y1_tau=9,
        t_epoch=3,
        rng_seed=9,
    )
    rng = np.random.default_rng(4)
    weights = rng.integers(2, 100, (5, 5)) * (rng.random((5, 5)) < 0.6)
    matrix = sparse.csr_matrix(weights)
    return _stdp(5, 150, lambda: LearningSparse(weights=matrix, learning_rule=rule, name="plastic"))


def custom_rule() -> StockGraph:
    """The tutorial of rules of one's own: a rule in text, in a LearningDense of one neuron."""
    from lava.magma.core.learning.learning_rule import Loihi2FLearningRule
    from lava.proc.dense.process import LearningDense

    rule = Loihi2FLearningRule(
        dw="1 * (-2) * x0 * y1 + 1 * 2 * y0 * x1",
        x1_impulse=16,
        x1_tau=10,
        y1_impulse=16,
        y1_tau=10,
        t_epoch=2,
        rng_seed=4,
    )
    weights = np.full((1, 1), 50)
    return _stdp(1, 200, lambda: LearningDense(weights=weights, learning_rule=rule, name="plastic"))


def serialization() -> StockGraph:
    """The tutorial of serialization: neurons without decay that drive others below threshold."""
    from lava.proc.dense.process import Dense
    from lava.proc.lif.process import LIF

    first = LIF(shape=(2,), bias_mant=100, vth=120, name="LIF_neuron input")
    dense = Dense(weights=np.ones((3, 2)) * 10, name="Dense")
    second = LIF(shape=(3,), bias_mant=0, vth=50000, name="LIF_neuron output")
    first.s_out.connect(dense.s_in)
    dense.a_out.connect(second.a_in)
    return StockGraph((first, second), (), 900)


def delayed_ring() -> StockGraph:
    """Pulses that go round in a ring of neurons with a delay in every link."""
    from lava.proc.dense.process import Dense
    from lava.proc.io.source import RingBuffer
    from lava.proc.lif.process import LIF
    from lava.proc.sparse.process import DelaySparse

    n = 8
    kick = np.zeros((1, 60), dtype=int)
    kick[0, [0, 7]] = 1
    ring = LIF(shape=(n,), du=4095, dv=4095, vth=100, name="ring")
    source = RingBuffer(data=kick)
    start = Dense(weights=np.eye(n)[:, :1] * 120, name="kick")
    after = (np.arange(n) + 1) % n
    weights = sparse.csr_matrix((np.full(n, 110), (after, np.arange(n))), shape=(n, n))
    delays = sparse.csr_matrix((np.arange(n) % 4, (after, np.arange(n))), shape=(n, n), dtype=int)
    link = DelaySparse(weights=weights, delays=delays, name="link")
    source.s_out.connect(start.s_in)
    start.a_out.connect(ring.a_in)
    ring.s_out.connect(link.s_in)
    link.a_out.connect(ring.a_in)
    return StockGraph((ring,), (), 130)


BUILDERS: dict[str, Callable[[], StockGraph]] = {
    "excitatory_inhibitory": excitatory_inhibitory,
    "stdp_pair": stdp_pair,
    "stdp_layer": stdp_layer,
    "sparse_custom_rule": sparse_custom_rule,
    "custom_rule": custom_rule,
    "serialization": serialization,
    "delayed_ring": delayed_ring,
}


def run(graph: StockGraph) -> dict[str, Any]:
    """Run a graph on Lava's runtime; results by ``spikes/NAME`` and ``weights/NAME``."""
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.io.sink import RingBuffer

    sinks = {}
    for neurons in graph.neurons:
        sink = sinks[neurons.name] = RingBuffer(shape=neurons.s_out.shape, buffer=graph.steps)
        neurons.s_out.connect(sink.a_in)
    root = graph.neurons[0]
    try:
        root.run(RunSteps(graph.steps), Loihi2SimCfg(select_tag="fixed_pt"))
        found = {f"spikes/{name}": sink.data.get() for name, sink in sinks.items()}
        for plastic in graph.learning:
            weights = plastic.weights.get()
            dense = weights.toarray() if sparse.issparse(weights) else weights
            found[f"weights/{plastic.name}"] = dense
    finally:
        root.stop()
    return found


if __name__ == "__main__":
    out, *names = sys.argv[1:]
    results = {f"{name}/{key}": x for name in names for key, x in run(BUILDERS[name]()).items()}
    np.savez(out, **results)
