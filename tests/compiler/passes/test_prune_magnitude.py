import numpy as np

from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.passes.prune_magnitude import PruneMagnitude
from hrsnn_lava.network import LIF, Network, Population, Projection


def test_the_largest_weights_of_all_projections_stay(balanced: Network) -> None:
    size = np.abs(recurrent_edges(balanced).weight)
    pruned, report = PruneMagnitude(0.1).apply(balanced)
    kept = np.abs(recurrent_edges(pruned).weight)
    expected = np.sort(size)[::-1][: kept.size]
    np.testing.assert_array_equal(np.sort(kept)[::-1], expected)
    assert report["smallest_kept"] == expected[-1]


def test_of_equal_weights_the_first_stay() -> None:
    net = Network(
        1e-3,
        (Population("pop", 2, LIF(0.02)),),
        (Projection("rec", "pop", "pop", np.array([[1.0, -1.0], [1.0, 2.0]])),),
    )
    pruned = PruneMagnitude(0.75)(net)
    np.testing.assert_array_equal(
        pruned.projection("rec").weights.toarray(), [[1.0, -1.0], [0.0, 2.0]]
    )
