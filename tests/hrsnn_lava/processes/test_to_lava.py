"""Stock Processes of a network: which they are, and that Lava runs them as they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava.chip_learning import Learning, pair_stdp
from hrsnn_lava.errors import CapacityError
from hrsnn_lava.processes.program import Neurons
from hrsnn_lava.sim_backends.runs.inputs import random_input

pytestmark = [
    pytest.mark.lava,
    # Lava's compiler and its sparse models warn about their own doings
    pytest.mark.filterwarnings("ignore:.* not found, skipping conversion test:ImportWarning"),
    pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning"),
]
if sys.version_info >= (3, 11):
    pytest.skip("Lava 0.10.0 needs Python 3.10", allow_module_level=True)

STEPS = 40


def network(**learning: Any) -> hl.QuantizedNetwork:
    """Three groups of neurons with biases of their own, delays and an input."""
    rng = np.random.default_rng(5)
    kinds = rng.integers(0, 3, 12)
    fields = {
        "du": np.array([800, 800, 2000])[kinds],
        "dv": np.array([200, 900, 900])[kinds],
        "vth": np.array([500, 500, 80])[kinds],
        "bias_mant": rng.integers(0, 300, 12),
        "bias_exp": rng.integers(0, 7, 12),
    }
    inner = sparse.csr_matrix(rng.integers(-99, 120, (12, 12)) * (rng.random((12, 12)) < 0.5))
    if not learning:
        learning = {"delays": rng.integers(0, 4, inner.nnz)}
    return hl.QuantizedNetwork(
        (hl.QuantizedInput("in", 3), hl.QuantizedPopulation("a", 12, **fields)),
        (
            hl.QuantizedProjection("w", "a", "a", inner, **learning),
            hl.QuantizedProjection("x", "in", "a", rng.integers(0, 200, (12, 3)), weight_exp=1),
        ),
    ).verify()


def stdp() -> Learning:
    rng = np.random.default_rng(6)
    n = network().projection("w").n_synapses
    rules = tuple(pair_stdp((2, -1), (1, 0), tau, 12, t_epoch=2, rng_seed=3) for tau in (6, 17))
    return Learning(rules, profile=rng.integers(0, 2, n))


def kinds(graph: Any) -> set[str]:
    return {f"{type(p).__module__}.{type(p).__qualname__}" for p in graph.processes}


def test_every_process_is_lavas_own() -> None:
    graph = hl.to_lava(network(), random_input(network(), STEPS), STEPS)
    assert kinds(graph) == {
        "lava.proc.lif.process.LIF",
        "lava.proc.sparse.process.Sparse",
        "lava.proc.sparse.process.DelaySparse",
        "lava.proc.io.source.RingBuffer",
    }
    assert sorted(np.concatenate([*graph.index.values()])) == list(range(12))
    for name, lif in graph.neurons.items():
        assert lif.s_out.shape == graph.index[name].shape
        for shared in (lif.du, lif.dv, lif.vth):
            assert shared.shape == (1,)
            assert isinstance(shared.init, int)


def test_reading_the_graph_back_gives_what_the_network_gives() -> None:
    whole, inputs = network(), random_input(network(), STEPS)
    graph = hl.to_lava(whole, inputs, STEPS)
    read = hl.from_lava(next(iter(graph.neurons.values())))
    assert read.steps == STEPS
    found, expected = hl.simulate(*read), hl.simulate(whole, inputs, STEPS)
    order = np.concatenate([graph.index[p.name] for p in read.network.compute_populations])
    pairs = sorted(zip(found.spike_steps, order[found.spike_neurons], strict=True))
    assert pairs == list(zip(expected.spike_steps, expected.spike_neurons, strict=True))
    assert len(pairs) > 50


def run_in_lava(graph: Any, steps: int) -> np.ndarray[Any, Any]:
    """Raster (n_neurons, steps), with the models that Lava finds by itself."""
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.io.sink import RingBuffer

    sinks = {}
    for name, lif in graph.neurons.items():
        sinks[name] = RingBuffer(shape=lif.s_out.shape, buffer=steps)
        lif.s_out.connect(sinks[name].a_in)
    root = next(iter(graph.neurons.values()))
    raster = np.zeros((sum(i.size for i in graph.index.values()), steps), dtype=bool)
    config = Loihi2SimCfg(select_tag="fixed_pt")
    cuts = sorted({0, *(write.step for write in graph.writes)})
    try:
        for start, end in zip(cuts, [*cuts[1:], steps], strict=True):
            for write in graph.writes:
                if write.step == start:
                    write.process.bias_mant.set(write.mantissa)
            root.run(RunSteps(end - start), config)
        for name, sink in sinks.items():
            raster[graph.index[name]] = sink.data.get() != 0
    finally:
        root.stop()
    return raster


def made(case: str) -> tuple[hl.QuantizedNetwork, Any]:
    """A network and its input."""
    whole = network(learning=stdp()) if case == "learning" else network()
    if case == "held":
        held = hl.QuantizedProjection("d", "in", "a", np.full((12, 3), 9), target="bias")
        whole = hl.QuantizedNetwork(whole.populations, (whole.projections[0], held))
    return whole, random_input(whole, STEPS, seed=2)


@pytest.mark.parametrize("case", ["fixed", "learning", "held"])
def test_lava_runs_it_with_the_models_that_it_finds(case: str, tmp_path: Path) -> None:
    """Nothing of this package takes part in the run, from the Processes to the read-out.

    It is in an interpreter of its own: Lava forks, and after an error may hang.
    """
    whole, inputs = made(case)
    graph = hl.to_lava(whole, inputs, STEPS)
    assert all(name.startswith("lava.proc.") for name in kinds(graph))
    assert bool(graph.writes) == (case == "held")
    out = tmp_path / "raster.npy"
    command = [sys.executable, "-W", "ignore", __file__, case, str(out)]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    expected = hl.simulate(whole, inputs, STEPS)
    raster = np.zeros((12, STEPS), dtype=bool)
    raster[expected.spike_neurons, expected.spike_steps] = True
    assert raster.sum() > 30
    np.testing.assert_array_equal(np.load(out), raster)


def test_what_cannot_be_expressed_is_refused() -> None:
    tired = hl.QuantizedPopulation("a", 2, du=0, dv=1, vth=1, refractory=3)
    with pytest.raises(CapacityError, match="refractory period: population 'a'"):
        hl.to_lava(hl.QuantizedNetwork((tired,)))


@pytest.mark.parametrize(
    ("change", "words"),
    [({"dv": [1, 2]}, "several values of dv"), ({"refractory": [0, 1]}, "a refractory period")],
)
def test_a_group_that_is_none_is_refused(change: Any, words: str) -> None:
    from hrsnn_lava.processes.stock import stock_lif

    names = ("du", "dv", "vth", "bias_mant", "bias_exp", "refractory")
    values = {**{name: np.zeros(2, int) for name in names}, **change}
    values = {name: np.asarray(value) for name, value in values.items()}
    with pytest.raises(ValueError, match=f"'g' has {words}, which stock LIF cannot have"):
        stock_lif(Neurons("g", values, np.zeros(0, int), np.zeros((0, 2), int)))


if __name__ == "__main__":
    np.save(sys.argv[2], run_in_lava(hl.to_lava(*made(sys.argv[1]), STEPS), STEPS))
