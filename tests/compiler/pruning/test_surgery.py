import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.pruning.surgery import drop_neurons, keep_synapses
from hrsnn_lava.errors import SpecError
from hrsnn_lava.network import LIF, Input, Network, Population, Projection
from hrsnn_lava.plasticity import STDP


def network(seed: int = 0) -> Network:
    """Delays and learning parameters carry the weight itself, so that a mix-up shows."""
    rng = np.random.default_rng(seed)
    sizes = {"inp": 3, "exc": 8, "inh": 4}

    def project(name: str, pre: str, post: str, sign: float, **extra: object) -> Projection:
        w = sparse.random(sizes[post], sizes[pre], 0.5, format="csr", random_state=rng)
        w.data = sign * (w.data + 0.01)
        return Projection(name, pre, post, w, **extra)  # type: ignore[arg-type]

    exc_exc = project("exc_exc", "exc", "exc", 1.0)
    size = np.abs(exc_exc.weights.data)
    rule = STDP(a_plus=size, a_minus=0.1, tau_plus=0.02, w_max=2 * size)
    exc_exc = Projection("exc_exc", "exc", "exc", exc_exc.weights, delays=size, plasticity=rule)
    lif = LIF(tau_mem=0.01 + 0.001 * np.arange(8), bias=np.arange(8.0))
    positions = np.arange(24.0).reshape(8, 3)
    return Network(
        1e-3,
        (
            Population("exc", 8, lif, sign="excitatory", positions=positions),
            Population("inp", 3, Input()),
            Population("inh", 4, LIF(0.01), sign="inhibitory"),
        ),
        (
            exc_exc,
            project("exc_inh", "exc", "inh", 1.0, delays=0.002),
            project("inh_exc", "inh", "exc", -1.0),
            project("inp_exc", "inp", "exc", 1.0, target="bias"),
        ),
    ).verify()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 99), share=st.floats(0, 1))
def test_delays_and_learning_parameters_follow_their_synapse(seed: int, share: float) -> None:
    net = network(seed)
    edges = recurrent_edges(net)
    keep = np.random.default_rng(seed).random(edges.n_edges) < share
    pruned = keep_synapses(net, edges, keep).verify()
    np.testing.assert_array_equal(recurrent_edges(pruned).weight, edges.weight[keep])
    np.testing.assert_array_equal(recurrent_edges(pruned).pre, edges.pre[keep])
    np.testing.assert_array_equal(recurrent_edges(pruned).post, edges.post[keep])
    after = pruned.projection("exc_exc")
    np.testing.assert_array_equal(after.delays, after.weights.data)
    np.testing.assert_array_equal(after.plasticity.a_plus, after.weights.data)
    np.testing.assert_array_equal(after.plasticity.w_max, 2 * after.weights.data)
    assert after.plasticity.tau_plus == 0.02
    assert pruned.projection("exc_inh").delays == 0.002
    before, inputs = net.projection("inp_exc"), pruned.projection("inp_exc")
    assert (before.weights != inputs.weights).nnz == 0


def test_gains_scale_weights_and_their_upper_bound() -> None:
    net = network()
    edges = recurrent_edges(net)
    keep = np.ones(edges.n_edges, dtype=bool)
    gain = np.linspace(1.0, 2.0, edges.n_edges)
    after = keep_synapses(net, edges, keep, gain).verify()
    np.testing.assert_allclose(recurrent_edges(after).weight, gain * edges.weight)
    rule, weights = after.projection("exc_exc").plasticity, after.projection("exc_exc").weights
    np.testing.assert_allclose(rule.w_max, 2 * weights.data)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 99))
def test_dropping_neurons_takes_rows_columns_and_parameters(seed: int) -> None:
    net = network(seed)
    keep = np.random.default_rng(seed).random(12) < 0.6
    keep[[0, 8]] = True
    small = drop_neurons(net, keep).verify()
    exc, inh = keep[:8], keep[8:]
    np.testing.assert_array_equal(small.gather("tau_mem"), net.gather("tau_mem")[keep])
    np.testing.assert_array_equal(
        small.population("exc").positions, net.population("exc").positions[exc]
    )
    masks = {"exc": exc, "inh": inh, "inp": np.ones(3, dtype=bool)}
    for before, after in zip(net.projections, small.projections, strict=True):
        expected = before.weights.toarray()[masks[before.post]][:, masks[before.pre]]
        np.testing.assert_array_equal(after.weights.toarray(), expected)
    after = small.projection("exc_exc")
    np.testing.assert_array_equal(after.delays, after.weights.data)
    np.testing.assert_array_equal(after.plasticity.a_plus, after.weights.data)


def test_no_population_is_emptied() -> None:
    with pytest.raises(SpecError, match="'inh' would be left without a neuron"):
        drop_neurons(network(), np.arange(12) < 8)
    with pytest.raises(SpecError, match=r"keep has shape \(3,\); allowed: \(12,\)"):
        drop_neurons(network(), np.ones(3, dtype=bool))
