import numpy as np
from scipy import sparse

from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.network import LIF, Input, Network, Population, Projection


def network() -> Network:
    rng = np.random.default_rng(0)

    def random(post: int, pre: int) -> sparse.csr_matrix:
        return sparse.random(post, pre, 0.4, format="csr", random_state=rng)

    return Network(
        1e-3,
        (
            Population("exc", 5, LIF(0.02)),
            Population("inp", 2, Input()),
            Population("inh", 3, LIF(0.01)),
        ),
        (
            Projection("inp_exc", "inp", "exc", random(5, 2)),
            Projection("exc_inh", "exc", "inh", random(3, 5)),
            Projection("inh_exc", "inh", "exc", -random(5, 3)),
            Projection("exc_exc", "exc", "exc", random(5, 5)),
        ),
    ).verify()


def test_edges_stack_the_blocks_at_global_indices_without_the_inputs() -> None:
    net = network()
    edges = recurrent_edges(net)
    blocks = [
        [net.projection("exc_exc").weights, net.projection("inh_exc").weights],
        [net.projection("exc_inh").weights, None],
    ]
    expected = sparse.bmat(blocks, format="csr").toarray()
    np.testing.assert_array_equal(edges.matrix.toarray()[:, :5], expected[:, :5])
    np.testing.assert_array_equal(edges.matrix.toarray()[:5], expected[:5])
    assert edges.names == ("exc_inh", "inh_exc", "exc_exc")
    assert edges.bounds[-1] == edges.n_edges == np.count_nonzero(expected)
    np.testing.assert_array_equal(edges.matrix.data[edges.slot], edges.weight)


def test_parallel_projections_share_a_place_in_the_matrix() -> None:
    net = Network(
        1e-3,
        (Population("exc", 2, LIF(0.02)),),
        (
            Projection("fast", "exc", "exc", np.array([[0.0, 1.0], [2.0, 0.0]])),
            Projection("slow", "exc", "exc", np.array([[0.0, -1.0], [0.0, 0.0]])),
        ),
    )
    edges = recurrent_edges(net)
    assert edges.n_edges == 3
    np.testing.assert_array_equal(edges.matrix.data, [0.0, 2.0])
    np.testing.assert_array_equal(edges.slot, [0, 1, 0])


def test_selection_keeps_the_bounds_of_the_projections() -> None:
    edges = recurrent_edges(network())
    keep = np.arange(edges.n_edges) % 3 == 0
    part = edges.select(keep)
    for k in range(len(edges.names)):
        inside = slice(edges.bounds[k], edges.bounds[k + 1])
        kept = slice(part.bounds[k], part.bounds[k + 1])
        np.testing.assert_array_equal(part.weight[kept], edges.weight[inside][keep[inside]])


def test_a_network_without_recurrence_has_no_edges() -> None:
    edges = recurrent_edges(Network(1e-3, (Population("exc", 2, LIF(0.02)),)))
    assert edges.n_edges == 0
    assert edges.matrix.shape == (2, 2)
