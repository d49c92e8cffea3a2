"""Three-factor rules that stock Processes feed: what is read does what live Lava does."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import third_factor_graphs as graphs
from live_lava import run_script

import hrsnn_lava as hl
from hrsnn_lava.processes.from_lava import from_lava

pytestmark = [
    pytest.mark.lava,
    pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning"),
]
if sys.version_info >= (3, 11):
    pytest.skip("Lava 0.10.0 needs Python 3.10", allow_module_level=True)

SEEDS = range(24)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All graphs run by Lava itself, in a child of their own."""
    out = tmp_path_factory.mktemp("lava") / "live.npz"
    found: dict[str, Any] = run_script(graphs.__file__, map(str, SEEDS), out, timeout=300)
    return found


def test_generated_graphs_equal_live_lava(live: dict[str, Any]) -> None:
    changed = 0
    for seed in SEEDS:
        graph = graphs.random_graph(seed)
        taken = from_lava(graph.neurons[0], steps=graph.steps)
        (plastic,) = graph.learning
        start = taken.network.projection(plastic.name).weights
        for backend in ("reference", "native"):
            trace = hl.simulate(*taken, backend=backend)
            raster = np.zeros((trace.n_neurons, trace.n_steps), dtype=int)
            raster[trace.spike_neurons, trace.spike_steps] = 1
            theirs = [live[f"{seed}/spikes/{p.name}"] for p in taken.network.compute_populations]
            np.testing.assert_array_equal(raster, np.concatenate(theirs), f"spikes of {seed}")
            matrix = start.copy()
            matrix.data = trace.weights[plastic.name]
            learned = live[f"{seed}/weights/{plastic.name}"]
            np.testing.assert_array_equal(matrix.toarray(), learned, f"weights of {seed}")
        changed += int(np.any(trace.weights[plastic.name] != start.data))
    assert changed > 12
