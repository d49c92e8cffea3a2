import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.pruning.grafting import add_synapses, donors
from hrsnn_lava.network import LIF, Input, Network, Population, Projection
from hrsnn_lava.plasticity import STDP


def network(seed: int = 0, *, signed: bool = True) -> Network:
    """Delays and learning parameters carry the weight itself, so that a mix-up shows."""
    rng = np.random.default_rng(seed)
    sizes = {"inp": 3, "exc": 12, "inh": 6}

    def project(name: str, pre: str, post: str, sign: float, **extra: object) -> Projection:
        w = sparse.random(sizes[post], sizes[pre], 0.3, format="csr", random_state=rng)
        w.data = sign * (w.data + 0.01)
        return Projection(name, pre, post, w, **extra)  # type: ignore[arg-type]

    exc_exc = project("exc_exc", "exc", "exc", 1.0)
    size = np.abs(exc_exc.weights.data)
    rule = STDP(a_plus=size, a_minus=0.1, tau_plus=3 * size, w_max=2 * size)
    exc_exc = Projection("exc_exc", "exc", "exc", exc_exc.weights, delays=size, plasticity=rule)
    signs = ("excitatory", "inhibitory") if signed else (None, None)
    return Network(
        1e-3,
        (
            Population("exc", 12, LIF(0.02), sign=signs[0]),
            Population("inp", 3, Input()),
            Population("inh", 6, LIF(0.01), sign=signs[1]),
        ),
        (
            project("inp_exc", "inp", "exc", 1.0),
            exc_exc,
            project("exc_inh", "exc", "inh", 1.0, delays=0.002),
            project("inh_exc", "inh", "exc", -1.0),
        ),
    ).verify()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 99), count=st.integers(0, 30))
def test_a_new_synapse_is_a_copy_of_its_donor(seed: int, count: int) -> None:
    net = network(seed)
    edges = recurrent_edges(net)
    rng = np.random.default_rng(seed)
    known = donors(net, edges)
    there = set(zip(edges.post.tolist(), edges.pre.tolist(), strict=True))
    rows, weight = [], {}
    for post, pre in rng.permutation(np.argwhere(np.ones((18, 18)))).tolist():
        pool = known.of(known.group[pre], known.group[post])
        if (post, pre) not in there and pool.size and len(rows) < count:
            rows.append((post, pre, int(rng.choice(pool))))
            weight[post, pre] = edges.weight[rows[-1][2]]
    post, pre, donor = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    grown = add_synapses(net, edges, post, pre, donor).verify()
    before, after = edges.matrix.toarray(), recurrent_edges(grown).matrix.toarray()
    for (i, j), value in weight.items():
        assert after[i, j] == value
        after[i, j] = 0.0
    np.testing.assert_array_equal(after, before)
    plastic = grown.projection("exc_exc")
    np.testing.assert_array_equal(plastic.delays, plastic.weights.data)
    assert plastic.plasticity is not None
    np.testing.assert_array_equal(plastic.plasticity.a_plus, plastic.weights.data)
    np.testing.assert_array_equal(plastic.plasticity.tau_plus, 3 * plastic.weights.data)
    np.testing.assert_array_equal(plastic.plasticity.w_max, 2 * plastic.weights.data)
    assert plastic.plasticity.a_minus == 0.1
    assert grown.projection("exc_inh").delays == 0.002
    assert (net.projection("inp_exc").weights != grown.projection("inp_exc").weights).nnz == 0


def test_donors_are_those_of_the_projections_between_two_populations() -> None:
    net = network()
    edges = recurrent_edges(net)
    known = donors(net, edges)
    parts = dict(zip(edges.names, zip(edges.bounds, edges.bounds[1:], strict=False), strict=True))
    for name in ("exc_exc", "exc_inh", "inh_exc"):
        pre, post = (0 if p == "exc" else 12 for p in name.split("_"))
        pool = known.of(known.group[pre], known.group[post])
        np.testing.assert_array_equal(pool, np.arange(*parts[name]))
    assert known.of(known.group[12], known.group[12]).size == 0  # no projection, none is made
    assert not known.joinable[known.group[12], known.group[13]]
    assert known.joinable[known.group[12], known.group[0]]
    assert known.joinable[known.group[0], known.group[12]]


def test_neurons_of_no_stated_sign_keep_theirs() -> None:
    w = np.zeros((6, 6))
    w[1, 0], w[2, 1], w[3, 2], w[4, 2], w[0, 3] = 1.0, 2.0, -1.0, 0.5, -2.0
    for weights in ([w], [np.maximum(w, 0), np.minimum(w, 0)]):  # one projection, or two
        parts = [Projection(f"rec{k}", "a", "a", part) for k, part in enumerate(weights)]
        net = Network(1e-3, (Population("a", 6, LIF(0.02)),), tuple(parts)).verify()
        edges = recurrent_edges(net)
        known = donors(net, edges)
        pools = [set(edges.weight[known.of(g, known.group[5])].tolist()) for g in known.group]
        assert pools[0] == pools[1] == {0.5, 1.0, 2.0}
        assert pools[3] == {-1.0, -2.0}
        assert pools[2] == pools[4] == pools[5] == {0.5, 1.0, 2.0, -1.0, -2.0}


@pytest.mark.parametrize("signed", [True, False])
def test_directions_are_drawn_evenly_over_donors(signed: bool) -> None:
    net = network(3, signed=signed)
    edges = recurrent_edges(net)
    known = donors(net, edges)
    n_ei = net.projection("exc_inh").n_synapses
    n_ie = net.projection("inh_exc").n_synapses
    drawn = [known.draw(0, 13, set(), (k + 0.5) / (n_ei + n_ie)) for k in range(n_ei + n_ie)]
    assert sum((post, pre) == (13, 0) for post, pre, _ in drawn) == n_ei
    assert len({donor for _, _, donor in drawn}) == n_ei + n_ie
    for post, pre, donor in drawn:
        assert (edges.post[donor] >= 12, edges.pre[donor] >= 12) == (post >= 12, pre >= 12)
    forbidden = {(13, 0)}
    assert {known.draw(0, 13, forbidden, x)[:2] for x in (0.0, 0.5, 0.999)} == {(0, 13)}
    assert {known.draw(0, 13, {(0, 13)}, x)[:2] for x in (0.0, 0.5, 0.999)} == {(13, 0)}


def test_a_network_without_synapses_has_no_donors() -> None:
    net = Network(1e-3, (Population("a", 3, LIF(0.02)),))
    known = donors(net, recurrent_edges(net))
    assert not known.joinable.any()
    assert known.of(0, 0).size == 0
