from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava.compiler.analysis.dynamics.neighbours import neighbours
from hrsnn_lava.compiler.pruning.neuron_choice import choose_neurons, input_fed
from hrsnn_lava.network import LIF, Input, Network, Population, Projection


def network(
    links: list[tuple[int, int]], n: int, n_b: int = 0, fed: list[list[int]] | None = None
) -> Network:
    """n neurons, the last `n_b` a population of their own, and one input for each list in `fed`."""
    w = np.zeros((n, n))
    for post, pre in links:
        w[post, pre] = 1.0
    sizes = {"a": n - n_b, "b": n_b} if n_b else {"a": n}
    starts = {"a": 0, "b": n - n_b}
    parts = {name: slice(starts[name], starts[name] + size) for name, size in sizes.items()}
    projections = [
        Projection(f"{pre}_{post}", pre, post, w[parts[post], parts[pre]])
        for post in sizes
        for pre in sizes
    ]
    inputs = []
    for k, neurons in enumerate(fed or []):
        inputs.append(Population(f"in{k}", 1, Input()))
        for name, part in parts.items():
            column = np.isin(np.arange(n), neurons)[part, None].astype(float)
            projections.append(Projection(f"in{k}_{name}", f"in{k}", name, column))
    populations = [Population(name, size, LIF(0.02)) for name, size in sizes.items()]
    return Network(1e-3, (*inputs, *populations), tuple(projections)).verify()


def chosen(net: Network, score: Any, targets: dict[str, int], *, connected: bool = True) -> Any:
    choice = choose_neurons(net, np.asarray(score, float), targets, connected=connected)
    return choice, np.flatnonzero(~choice.keep).tolist()


def by_starting_anew(net: Network, score: NDArray[Any], targets: dict[str, int]) -> set[int]:
    """The definition: the lowest that may go, found from the start after every drop."""
    n = net.n_neurons
    pattern = np.zeros((n, n))
    populations = net.compute_populations
    group = np.repeat([p.name for p in populations], [p.size for p in populations])
    for p in net.projections:
        if p.pre in targets:
            post, pre = net.offset(p.post), net.offset(p.pre)
            rows, columns = p.weights.nonzero()
            pattern[rows + post, columns + pre] = 1
    graph = nx.Graph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from(np.argwhere(pattern).tolist())
    graph.remove_edges_from(list(nx.selfloop_edges(graph)))
    fed, kept = input_fed(net), set(range(n))
    order = sorted(range(n), key=lambda v: (score[v], -v))
    while True:
        for v in order:
            if v not in kept or sum(group[list(kept)] == group[v]) <= targets[group[v]]:
                continue
            rest = graph.subgraph(kept - {v})
            alone = not graph.subgraph(kept)[v]
            more = nx.number_connected_components(rest) if rest else 0
            if more > nx.number_connected_components(graph.subgraph(kept)) - alone:
                continue
            if any(row[list(kept)].any() and not row[list(rest)].any() for row in fed):
                continue
            kept.remove(v)
            break
        else:
            return kept


@settings(max_examples=150, deadline=None)
@given(
    n=st.integers(2, 14),
    density=st.floats(0.0, 0.4),
    share=st.floats(0.0, 0.9),
    ties=st.booleans(),
    seed=st.integers(0, 10_000),
)
def test_it_is_what_starting_anew_after_every_drop_gives(
    n: int, density: float, share: float, ties: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    links = np.argwhere(rng.random((n, n)) < density).tolist()
    n_b = int(rng.integers(0, n))
    fed = [np.flatnonzero(rng.random(n) < 0.3).tolist() for _ in range(int(rng.integers(0, 3)))]
    net = network([(i, j) for i, j in links], n, n_b, fed)
    score = rng.integers(0, 3, n).astype(float) if ties else rng.random(n)
    targets = {p.name: max(1, p.size - round(share * p.size)) for p in net.compute_populations}
    choice, dropped = chosen(net, score, targets)
    assert set(np.flatnonzero(choice.keep)) == by_starting_anew(net, score, targets)
    left = {p.name: p.size for p in net.compute_populations}
    for v in dropped:
        left["b" if n_b and v >= n - n_b else "a"] -= 1
    short = {name: count - targets[name] for name, count in left.items()}
    assert choice.missing == {name: count for name, count in short.items() if count}


def test_a_neuron_that_splits_others_off_waits_until_it_does_not() -> None:
    chain = [(0, 1), (1, 2), (2, 3)]
    # 1 would split 0 off; 0 goes, whereupon 1 is an end and goes before 2, which scores more
    assert chosen(network(chain, 4), [1, 0, 2, 3], {"a": 2})[1] == [0, 1]
    # 1 goes never: what hangs on it scores most
    choice, dropped = chosen(network(chain, 4), [9, 0, 2, 3], {"a": 2})
    assert dropped == [2, 3]
    assert choice.spared == 1
    assert chosen(network(chain, 4), [9, 0, 2, 3], {"a": 2}, connected=False)[1] == [1, 2]


def test_the_centre_of_a_star_outlives_its_leaves() -> None:
    star = [(0, k) for k in range(1, 8)]
    choice, dropped = chosen(network(star, 8), np.arange(8), {"a": 2})
    assert dropped == [1, 2, 3, 4, 5, 6]
    assert (choice.spared, choice.missing) == (1, {})
    assert chosen(network(star, 8), np.arange(8), {"a": 1})[1] == [0, 1, 2, 3, 4, 5, 6]


def test_components_stay_or_go_but_are_not_split() -> None:
    links = [(0, 1), (1, 2), (3, 4), (4, 5)]
    choice, dropped = chosen(network(links, 7), [5, 0, 6, 1, 0, 2, 0], {"a": 3})
    assert dropped == [3, 4, 5, 6]  # 6 stood alone, and 3 to 5 go as a whole
    assert choice.spared == 1


def test_a_population_that_holds_the_others_together_is_dropped_less() -> None:
    # b's neurons 3, 4 are the only way between the pairs of a, which may not go
    links = [(0, 3), (3, 4), (4, 1), (1, 2)]
    choice, dropped = chosen(network(links, 5, 2), np.zeros(5), {"a": 3, "b": 1})
    assert dropped == []
    assert (choice.missing, choice.spared) == ({"b": 1}, 1)


def test_every_input_keeps_a_neuron() -> None:
    ring = [(k, (k + 1) % 6) for k in range(6)]
    net = network(ring, 6, 0, [[0, 1], [1], []])
    for connected in (True, False):
        choice, _ = chosen(net, [0, 1, 2, 3, 4, 5], {"a": 1}, connected=connected)
        assert np.flatnonzero(choice.keep).tolist() == [1]
        assert choice.last_fed == 1
    np.testing.assert_array_equal(input_fed(net).sum(axis=1), [2, 1, 0])


def test_a_complete_network_follows_the_score_alone() -> None:
    rng = np.random.default_rng(3)
    links = [(i, j) for i in range(30) for j in range(30)]
    score = rng.random(30)
    choice, dropped = chosen(network(links, 30), score, {"a": 4})
    assert dropped == sorted(np.argsort(score)[:26])
    assert choice.spared == 0


def test_neighbours_forget_direction_number_and_loops() -> None:
    w = sparse.csr_matrix(np.array([[1.0, 2.0, 0.0], [3.0, 0.0, 0.0], [0.0, -1.0, 0.0]]))
    np.testing.assert_array_equal(neighbours(w).toarray(), [[0, 1, 0], [1, 0, 1], [0, 1, 0]])
    assert neighbours(sparse.csr_matrix((4, 4))).nnz == 0


@pytest.mark.parametrize("n", [1, 2])
def test_the_smallest_networks(n: int) -> None:
    _, dropped = chosen(network([], n), np.zeros(n), {"a": 1})
    assert dropped == list(range(1, n))
