"""Graphs of Lava's tutorials: what live Lava does, and what the network read from them does."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import stock_graphs
from live_lava import run_script
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava.processes.from_lava import from_lava

pytestmark = pytest.mark.lava
if sys.version_info >= (3, 11):
    pytest.skip("Lava 0.10.0 needs Python 3.10", allow_module_level=True)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All graphs run by Lava itself, in a child of their own."""
    out = tmp_path_factory.mktemp("lava") / "live.npz"
    found: dict[str, Any] = run_script(stock_graphs.__file__, stock_graphs.BUILDERS, out)
    return found


@pytest.mark.parametrize("backend", ["reference", "native"])
@pytest.mark.parametrize("name", stock_graphs.BUILDERS)
def test_spikes_and_weights_equal_those_of_live_lava(
    live: dict[str, Any], name: str, backend: str
) -> None:
    graph = stock_graphs.BUILDERS[name]()
    taken = from_lava(graph.neurons[0], steps=graph.steps)
    trace = hl.simulate(*taken, backend=backend)
    raster = np.zeros((trace.n_neurons, trace.n_steps), dtype=int)
    raster[trace.spike_neurons, trace.spike_steps] = 1
    assert trace.n_spikes > 20
    for population in taken.network.compute_populations:
        first = taken.network.offset(population.name)
        theirs = live[f"{name}/spikes/{population.name}"]
        np.testing.assert_array_equal(raster[first : first + population.size], theirs)
    for plastic in graph.learning:
        matrix = taken.network.projection(plastic.name).weights.copy()
        matrix.data = trace.weights[plastic.name]
        theirs = live[f"{name}/weights/{plastic.name}"]
        np.testing.assert_array_equal(matrix.toarray(), theirs)
        start = plastic.weights.init
        assert np.any(theirs != (start.toarray() if sparse.issparse(start) else start))


@pytest.mark.filterwarnings("ignore:.* not found, skipping conversion test:ImportWarning")
def test_a_graph_that_lava_compiled_saved_and_loaded_is_read(tmp_path: Path) -> None:
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.utils.serialization import load, save

    graph = stock_graphs.serialization()
    expected = from_lava(graph.neurons[0], graph.steps)
    executable = graph.neurons[0].compile(Loihi2SimCfg(select_tag="fixed_pt"))
    save(list(graph.neurons), str(tmp_path / "graph"), executable)
    processes, _ = load(str(tmp_path / "graph.pickle"))
    taken = from_lava(processes[1], graph.steps)
    assert [p.name for p in taken.network.populations] == ["LIF_neuron input", "LIF_neuron output"]
    assert hl.simulate(*taken).digest == hl.simulate(*expected).digest
