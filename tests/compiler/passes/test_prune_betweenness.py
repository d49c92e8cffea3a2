import json

import numpy as np
import pytest

from hrsnn_lava.compiler.analysis.dynamics.centrality import betweenness
from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.passes.prune_betweenness import PruneBetweenness
from hrsnn_lava.errors import SpecError
from hrsnn_lava.network import LIF, Network, Population, Projection


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 0.9])
def test_every_population_loses_the_same_share(balanced: Network, fraction: float) -> None:
    small, report = PruneBetweenness(fraction).apply(balanced)
    small.verify()
    assert small.population("exc").size == 80 - round(80 * fraction)
    assert small.population("inh").size == 20 - round(20 * fraction)
    assert small.population("inp").size == 2
    assert small.projection("inp_exc").weights.shape == (small.population("exc").size, 2)
    assert report["neurons_after"] == small.n_neurons
    np.testing.assert_array_equal(
        small.gather("tau_mem"), balanced.gather("tau_mem")[report["kept"]]
    )
    assert report["synapses_after"] == recurrent_edges(small).n_edges
    assert json.loads(json.dumps(report)) == report


def test_the_most_central_neurons_stay(balanced: Network) -> None:
    score = betweenness(recurrent_edges(balanced).matrix)[:80]
    tau = balanced.population("exc").parameter("tau_mem")
    small = PruneBetweenness(0.5)(balanced)
    kept = np.isin(tau, small.population("exc").parameter("tau_mem"))
    assert score[kept].min() >= score[~kept].max()


def test_no_population_is_emptied() -> None:
    populations = (Population("exc", 10, LIF(0.02)), Population("inh", 1, LIF(0.02)))
    chain = Projection("rec", "exc", "exc", np.eye(10, k=-1))
    small, report = PruneBetweenness(0.95).apply(Network(1e-3, populations, (chain,)))
    assert [p.size for p in small.populations] == [1, 1]
    assert report["components"] == 2


def test_rounds_compute_the_centrality_anew(balanced: Network) -> None:
    small, report = PruneBetweenness(0.5, rounds=5).apply(balanced)
    assert report["pivots"] == ["exact"] * 5
    np.testing.assert_array_equal(
        small.gather("tau_mem"), balanced.gather("tau_mem")[report["kept"]]
    )
    assert small.n_neurons == 50
    once = PruneBetweenness(0.5)(balanced)
    assert not np.array_equal(small.gather("tau_mem"), once.gather("tau_mem"))


def test_pivots_are_drawn_from_the_seed(balanced: Network) -> None:
    options = PruneBetweenness(0.5, n_pivots=10, seed=3)
    a, report = options.apply(balanced)
    assert report["pivots"] == [10]
    np.testing.assert_array_equal(a.gather("tau_mem"), options(balanced).gather("tau_mem"))


def test_faults_are_named() -> None:
    with pytest.raises(SpecError, match=r"fraction: 1.0; allowed: < 1"):
        PruneBetweenness(1.0)
    with pytest.raises(SpecError, match=r"fraction: -0.1; allowed: >= 0"):
        PruneBetweenness(-0.1)
    with pytest.raises(SpecError, match="rounds: 0; allowed: >= 1"):
        PruneBetweenness(0.5, rounds=0)
