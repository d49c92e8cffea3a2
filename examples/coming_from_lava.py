"""A Lava graph with learning, run by Lava and, read with `from_lava`, without it. Python 3.10 only.

uv run --python 3.10 python examples/coming_from_lava.py
"""
# ruff: noqa: T201 - a script prints

import time

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.process import Dense, LearningDense
from lava.proc.io.sink import RingBuffer as Sink
from lava.proc.io.source import RingBuffer
from lava.proc.learning_rules.stdp_learning_rule import STDPLoihi
from lava.proc.lif.process import LIF

import hrsnn_lava as hl

STEPS = 300


def stdp_graph() -> tuple[LIF, LearningDense, Sink]:
    """Twenty input channels, twenty neurons, and plastic synapses among these."""
    rng = np.random.default_rng(1)
    n = 20
    source = RingBuffer(data=(rng.random((n, 100)) < 0.1).astype(int))
    inputs = Dense(weights=np.eye(n) * 120, name="inputs")
    neurons = LIF(shape=(n,), du=1500, dv=400, vth=200, name="neurons")
    rule = STDPLoihi(1, 1, -1, tau_plus=10, tau_minus=10, t_epoch=2, rng_seed=7)
    plastic = LearningDense(
        weights=rng.integers(-20, 40, (n, n)), learning_rule=rule, name="plastic"
    )
    sink = Sink(shape=(n,), buffer=STEPS)
    source.s_out.connect(inputs.s_in)
    inputs.a_out.connect(neurons.a_in)
    neurons.s_out.connect(plastic.s_in)
    plastic.a_out.connect(neurons.a_in)
    neurons.s_out.connect(plastic.s_in_bap)
    neurons.s_out.connect(sink.a_in)
    return neurons, plastic, sink


def main() -> None:
    """Read the graph, run it here and in Lava, and compare."""
    neurons, plastic, sink = stdp_graph()
    taken = hl.from_lava(neurons, steps=STEPS)
    start = time.perf_counter()
    trace = hl.simulate(*taken)
    here = time.perf_counter() - start

    start = time.perf_counter()
    neurons.run(RunSteps(STEPS), Loihi2SimCfg(select_tag="fixed_pt"))
    there = time.perf_counter() - start
    raster, weights = sink.data.get(), plastic.weights.get()
    neurons.stop()

    found = np.zeros(raster.shape)
    found[trace.spike_neurons, trace.spike_steps] = 1
    learned = taken.network.projection("plastic").weights.copy()
    learned.data = trace.weights["plastic"]
    print(f"{trace.n_spikes} spikes, {np.count_nonzero(found != raster)} differ")
    print(f"{learned.nnz} weights, {np.count_nonzero(learned.toarray() != weights)} differ")
    print(f"{there:.2f} s in Lava, {here:.2f} s here, compilation of the kernels included")


if __name__ == "__main__":  # Lava forks: a guard is needed
    main()
