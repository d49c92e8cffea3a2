import numpy as np
import pytest

from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.passes.prune_random import PruneRandom
from hrsnn_lava.compiler.pruning.rescale import Rescale
from hrsnn_lava.network import Network


def test_exact_count(balanced: Network) -> None:
    n = recurrent_edges(balanced).n_edges
    for density in (0.02, 0.5, 0.98):
        assert recurrent_edges(PruneRandom(density)(balanced)).n_edges == round(density * n)


def test_systematic_sampling_spreads_evenly_over_the_neurons(balanced: Network) -> None:
    spread = {}
    for sampling in ("exact", "systematic"):
        pruned = PruneRandom(0.25, sampling=sampling, rescale=Rescale())(balanced)
        before = np.diff(balanced.projection("exc_exc").weights.indptr)
        after = np.diff(pruned.projection("exc_exc").weights.indptr)
        spread[sampling] = np.abs(after - before / 4).max()
    assert spread["systematic"] < 1 + 1e-9
    assert spread["exact"] > 1


def test_every_synapse_has_the_same_chance(balanced: Network) -> None:
    edges = recurrent_edges(balanced)
    places = {key: k for k, key in enumerate(zip(edges.post, edges.pre, strict=True))}
    count = np.zeros(edges.n_edges)
    for seed in range(60):
        kept = recurrent_edges(PruneRandom(0.5, seed=seed)(balanced))
        count[[places[key] for key in zip(kept.post, kept.pre, strict=True)]] += 1
    # Binomial(60, 1/2): mean 30, standard deviation 3.87.
    assert count.mean() == pytest.approx(30.0)
    assert count.std() == pytest.approx(3.87, rel=0.06)


def test_match_is_the_default_and_keeps_the_summed_weight(balanced: Network) -> None:
    _, report = PruneRandom(0.5).apply(balanced)
    assert report["rescale"]["mode"] == "match"
    assert report["rescale"]["weight_kept"] > 0.95
