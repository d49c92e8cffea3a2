"""Training by STDP: rules drawn at equal means, what learns, what comes out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from stdp_networks import noise, recurrent

from hrsnn_lava.compiler.passes.quantize import Quantize, quantize
from hrsnn_lava.distributions import Constant
from hrsnn_lava.errors import SpecError
from hrsnn_lava.network import LIF, Input, Network, Population, Projection
from hrsnn_lava.plasticity import STDP
from hrsnn_lava.trace import SpikeInput
from hrsnn_lava.training.stdp import STDPOptions, attach_stdp, train_stdp, without_remains


def still(seed=0):
    """A recurrent network without rules."""
    network = recurrent(seed)
    for projection in network.projections:
        network = network.with_projection(replace(projection, plasticity=None))
    return network


def test_rules_go_to_positive_synapses_onto_excitatory_neurons():
    network = attach_stdp(still(), STDPOptions(), np.random.default_rng(0))
    plastic = [p.name for p in network.projections if p.plasticity is not None]
    assert plastic == ["inp_exc", "exc_exc"]
    projection = network.projection("exc_exc")
    bound = 3 * projection.weights.data.mean()
    assert projection.plasticity.w_max == pytest.approx(bound)
    assert projection.plasticity.a_plus == pytest.approx(0.002 * bound)
    assert projection.plasticity.a_minus == pytest.approx(0.0021 * bound)
    assert projection.plasticity.tau_plus == 0.020


def test_the_heterogeneous_arm_has_the_means_of_the_homogeneous_one():
    rng = np.random.default_rng(0)
    hom = attach_stdp(still(), STDPOptions(), rng)
    het = attach_stdp(still(), STDPOptions.heterogeneous(shape=2.0), rng)
    for name in ("inp_exc", "exc_exc"):
        ours, theirs = (n.projection(name).plasticity for n in (hom, het))
        for field in ("a_plus", "a_minus", "tau_plus", "tau_minus"):
            drawn = getattr(theirs, field)
            assert drawn.mean() == pytest.approx(getattr(ours, field), rel=1e-12)
            assert drawn.std() > 0.5 * drawn.mean()
        assert ours.w_max == theirs.w_max


@pytest.mark.parametrize("options", [STDPOptions(), STDPOptions.heterogeneous(a_plus=0.02)])
def test_training_moves_weights_within_their_bounds(options):
    network, done = still(1), []
    before = network.projection("exc_exc").weights.data
    rng = np.random.default_rng(0)
    show = lambda _, share: done.append(share)  # noqa: E731
    result = train_stdp(network, noise(1, 1500, 10), options, rng, show)
    after = result.network.projection("exc_exc").weights.data
    assert done == [0.5, 1.0]  # 1000 steps, and the rest
    assert after.min() > 0
    assert after.max() <= 3 * before.mean() * (1 + 1e-12)
    assert set(result.gain) == {"inp_exc", "exc_exc"}
    kept = after.size / before.size
    assert result.at_floor["exc_exc"] == pytest.approx(1 - kept)
    assert result.gain["exc_exc"] == pytest.approx(after.sum() / before.sum())
    assert result.rate > 0.005
    assert all(p.plasticity is None for p in result.network.projections)
    unchanged = result.network.projection("inh_exc").weights
    assert (unchanged != network.projection("inh_exc").weights).nnz == 0


def test_equal_seeds_train_alike():
    options = STDPOptions.heterogeneous()
    first, second = (
        train_stdp(still(2), noise(2, 200, 10), options, np.random.default_rng(5)).network
        for _ in range(2)
    )
    np.testing.assert_array_equal(
        first.projection("exc_exc").weights.data, second.projection("exc_exc").weights.data
    )


def test_rules_of_the_network_itself_are_used_and_can_stay():
    network = recurrent(3)
    result = train_stdp(network, noise(3, 200, 10), STDPOptions(freeze=False))
    assert set(result.gain) == {"inp_exc", "exc_exc", "inh_exc"}
    assert result.network.projection("exc_exc").plasticity is not None


def test_analog_samples_are_held():
    network = Network(
        1e-3,
        (Population("inp", 1, Input(graded=True)), Population("exc", 2, LIF(0.02))),
        (
            Projection("inp_exc", "inp", "exc", [[1.0], [1.0]], target="bias"),
            Projection("exc_exc", "exc", "exc", [[0.0, 1e-3], [1e-3, 0.0]]),
        ),
    )
    options = STDPOptions(a_plus=Constant(0.01), steps_per_sample=25)
    result = train_stdp(network, np.full((40, 1), 2.0), options)
    assert set(result.gain) == {"exc_exc"}
    # v rises to 1 of 2 in tau ln 2 = 13.9 steps, so a spike comes every 14 steps
    assert result.rate == pytest.approx(1 / 14, rel=0.02)
    with pytest.raises(SpecError, match=r"inputs: shape \(4, 2\); allowed: \(n, 1\)"):
        train_stdp(network, np.zeros((4, 2)), options)


def test_faults_are_explained():
    with pytest.raises(SpecError, match="rng: None; allowed: a generator"):
        train_stdp(still(), noise(0, 10, 10), STDPOptions.heterogeneous())
    lonely = Network(1e-3, (Population("exc", 2, LIF(0.02)),))
    with pytest.raises(SpecError, match=r"stdp.projections: none; allowed: at least one"):
        train_stdp(lonely, np.zeros((1, 0)))
    with pytest.raises(SpecError, match=r"stdp.ceiling: 0; allowed: > 0"):
        STDPOptions(ceiling=0.0)
    assert STDP(0.1, 0.1).w_max is None


def test_what_a_forgotten_trace_adds_at_the_lower_bound_is_no_weight():
    """A spike of the sender that is three seconds old adds 1e-65 to a weight at 0."""
    rule = STDP(a_plus=0.1, a_minus=50.0, tau_plus=0.02, tau_minus=0.02, w_max=1.0)
    lif = LIF(tau_mem=0.02, tau_syn=0.005, bias=0.0)
    network = Network(
        1e-3,
        [Population("inp", 2, Input()), Population("exc", 1, lif, "excitatory")],
        [
            Projection("weak", "inp", "exc", np.array([[0.01, 0.0]]), plasticity=rule),
            Projection("strong", "inp", "exc", np.array([[0.0, 30.0]])),
        ],
    )
    # the neuron fires, then the sender: depressed to 0; three seconds later it fires again
    inputs = SpikeInput([10, 20, 3020], [1, 0, 1], 3100, 2)
    result = train_stdp(network, inputs)
    (weight,) = result.weights["weak"]
    assert weight == 0.0
    quantize(result.network, Quantize())
    assert without_remains(np.array([1e-28, 1e-40, -1e-40, 0.5]), np.array([0.5])).tolist() == [
        1e-28,
        0.0,
        0.0,
        0.5,
    ]
