"""The float network: validation names every problem at once; helpers index globally."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from hrsnn_lava import LIF, STDP, Input, Network, Population, Projection
from hrsnn_lava.errors import NetworkError


def small(**changes):
    """Input of 2, excitatory 3, inhibitory 2."""
    parts = {
        "dt": 1e-3,
        "populations": (
            Population("inp", 2, Input()),
            Population("exc", 3, LIF(tau_mem=[0.01, 0.02, 0.03]), "excitatory"),
            Population("inh", 2, LIF(tau_mem=0.005), "inhibitory"),
        ),
        "projections": (
            Projection("inp_exc", "inp", "exc", np.ones((3, 2))),
            Projection("exc_inh", "exc", "inh", np.array([[1.0, 0, 2.0], [0, 0.5, 0]])),
        ),
    }
    return Network(**(parts | changes))


def test_scalars_are_broadcast_and_arrays_are_read_only():
    network = small().verify()
    tau = network.population("inh").parameter("tau_mem")
    assert tau.tolist() == [0.005, 0.005]
    with pytest.raises(ValueError, match="read-only"):
        tau[0] = 1.0


def test_global_indices_count_neurons_and_inputs_apart():
    network = small()
    assert (network.n_neurons, network.n_inputs, network.n_synapses) == (5, 2, 9)
    assert [network.offset(name) for name in ("inp", "exc", "inh")] == [0, 0, 3]
    assert network.gather("tau_mem").tolist() == [0.01, 0.02, 0.03, 0.005, 0.005]


def test_explicit_zeros_and_duplicates_leave_the_weights():
    rows, columns = [0, 0, 1], [0, 0, 1]
    weights = sparse.csr_matrix(([1.0, 2.0, 0.0], (rows, columns)), shape=(3, 3))
    assert Projection("p", "exc", "exc", weights).weights.data.tolist() == [3.0]


def test_delays_follow_their_synapses_when_the_matrix_is_sorted():
    weights = sparse.csr_matrix(([2.0, 1.0, 0.0], [2, 0, 1], [0, 3, 3, 3]), shape=(3, 3))
    projection = Projection("p", "exc", "exc", weights, delays=[0.002, 0.001, 0.005])
    assert projection.weights.data.tolist() == [1.0, 2.0]
    assert list(projection.delays) == [0.001, 0.002]


def test_every_problem_is_named_at_once():
    network = small(
        dt=0.0,
        populations=(
            Population("exc", 2, LIF(tau_mem=[-1.0, np.nan], refractory=-1), "excitatory"),
            Population("exc", 2, LIF(tau_mem=[0.1, 0.2, 0.3])),
        ),
        projections=(
            Projection("a", "exc", "nowhere", np.ones((2, 2))),
            Projection("b", "exc", "exc", -np.ones((3, 2)), plasticity=STDP(-1.0, 0.1)),
        ),
    )
    with pytest.raises(NetworkError) as caught:
        network.verify()
    places = [problem.where for problem in caught.value.problems]
    assert "dt" in places
    assert "population 'exc'" in places
    assert "population 'exc'.tau_mem" in places
    assert "population 'exc'.refractory" in places
    assert "projection 'a'.post" in places
    assert "projection 'b'.plasticity.a_plus" in places
    assert "tau_mem: -1 at neuron 0 (2 in all); allowed: > 0" in str(caught.value)
    assert "one of exc" in str(caught.value)


def test_weights_against_dales_principle_are_refused():
    wrong = Projection("exc_inh", "exc", "inh", np.array([[1.0, -1.0, 0.0], [0.0, 0.0, 0.0]]))
    with pytest.raises(NetworkError, match="1 weights against the sign of 'exc'"):
        small().with_projection(wrong).verify()


def test_held_currents_come_from_inputs_alone():
    projection = Projection("exc_inh", "exc", "inh", np.ones((2, 3)), target="bias")
    with pytest.raises(NetworkError, match="bias from inputs only"):
        small().with_projection(projection).verify()


def test_biases_are_replaced_in_global_order():
    network = small().with_biases(np.arange(5.0))
    assert network.population("exc").parameter("bias").tolist() == [0.0, 1.0, 2.0]
    assert network.population("inh").parameter("bias").tolist() == [3.0, 4.0]


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(NetworkError, match="no population 'x'; there are: inp, exc, inh"):
        small().population("x")
    with pytest.raises(NetworkError, match="is an input"):
        small().population("inp").parameter("tau_mem")
