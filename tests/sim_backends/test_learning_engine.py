"""Learning in the engine: streams, state, refusals, and what a run returns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from network_strategies import collected, driven_learning_networks
from scipy import sparse

from hrsnn_lava.chip_learning import Learning, LearningRule, Product, pair_stdp
from hrsnn_lava.compiler.passes.canonical import Canonical
from hrsnn_lava.errors import ArtifactError, NetworkError, SpecError
from hrsnn_lava.quantized import QuantizedNetwork, QuantizedPopulation, QuantizedProjection
from hrsnn_lava.sim_backends.learning_program import Streams, decay_tables, impulse_parts
from hrsnn_lava.sim_backends.native.layout import Events
from hrsnn_lava.sim_backends.native.simulator import IntegerSimulator
from hrsnn_lava.sim_backends.runs.parity import compare, verify_parity
from hrsnn_lava.sim_backends.runs.session import simulate
from hrsnn_lava.trace import Trace

RULE = pair_stdp((4, 0), (3, 0), 10, 20, rng_seed=5)


def pair(weights=(6, -8, 0, 4), sign_mode="mixed", weight_exp=0, **options):
    """Two neurons that fire at rates of their own, all to all."""
    matrix = sparse.csr_matrix(
        (np.array(weights, dtype=np.int32), [0, 1, 0, 1], [0, 2, 4]), shape=(2, 2)
    )
    learning = options.pop("learning", Learning((RULE,)))
    neurons = QuantizedPopulation(
        "a", 2, du=500, dv=100, vth=200, bias_mant=[1500, 2100], bias_exp=1
    )
    projection = QuantizedProjection(
        "aa", "a", "a", matrix, weight_exp, sign_mode, learning=learning, **options
    )
    return QuantizedNetwork((neurons,), (projection,)).verify()


@pytest.mark.parametrize("first", [0, 1, 7, 1000])
@pytest.mark.parametrize("epoch", [1, 3])
def test_random_streams_are_those_that_lava_draws_one_by_one(first, epoch):
    rule, count = replace(RULE, t_epoch=epoch), 6
    drawn = {name: [] for name in ("xd", "xi", "yd", "yi", "yr", "s")}
    decay = [np.random.default_rng(5 + k) for k in (0, 2)]
    impulse = [np.random.default_rng(5 + k) for k in (1, 3)]
    synapse = np.random.default_rng(2)
    for generator in decay:
        generator.random(1)
    for generator in impulse:
        generator.integers(0, 128, size=1, dtype=int)
    synapse.random(1)
    for t in range(first + count):
        now = {}
        for _ in range(2):
            now["xd"], now["yd"] = (g.random(1)[0] for g in decay)
            now["xi"], now["yi"] = (g.integers(0, 128, size=1, dtype=int)[0] for g in impulse)
            now.setdefault("yr", now["yi"])
        now["s"] = synapse.random(1)[0] if (t + 1) % epoch == 0 else 0.0
        for name, values in drawn.items():
            values.append(now[name])
    streams = Streams.of(rule, first, count)
    names = ("x_decay", "x_impulse", "y_decay", "y_impulse", "y_repeat", "synapse")
    for name, key in zip(names, ("xd", "xi", "yd", "yi", "yr", "s"), strict=True):
        np.testing.assert_array_equal(getattr(streams, name), drawn[key][first:])


def test_decay_tables_and_impulses():
    whole, fraction = decay_tables(10.0)
    np.testing.assert_allclose(whole + fraction, np.exp(-0.1) * np.arange(256), rtol=1e-15)
    assert decay_tables(0.0)[0].max() == 0
    assert impulse_parts(16.25) == (16, 64)
    assert impulse_parts(3.999) == (3, 256)


@pytest.mark.parametrize("split", [1, 17, 40])
def test_a_run_in_two_parts_equals_one(split):
    for network, inputs in collected(driven_learning_networks(60), 25):
        events = inputs or simulate(network, None, 60, "reference").inputs
        n, base = network.n_neurons, network.gather("bias_mant")[None, :]
        starts = np.zeros(1, np.int64)
        whole, parts = IntegerSimulator(network), IntegerSimulator(network)
        expected = whole.advance(60, Events.of(events, 0, 60, n), starts, base)
        first = parts.advance(split, Events.of(events, 0, split, n), starts, base)
        saved = parts.snapshot()
        parts.advance(60 - split, Events.none(60 - split), starts, base)
        parts.restore(saved)
        rest = Events.of(events, split, 60 - split, n)
        second = parts.advance(60 - split, rest, starts, base)
        for k in (0, 1):
            np.testing.assert_array_equal(expected[k], np.append(first[k], second[k]))
        for name, values in whole.learned().items():
            np.testing.assert_array_equal(values, parts.learned()[name])
        parts.reset()
        again = parts.advance(60, Events.of(events, 0, 60, n), starts, base)
        np.testing.assert_array_equal(expected[1], again[1])


def test_a_damaged_state_is_refused():
    simulator = IntegerSimulator(pair())
    *base, learning = simulator.snapshot()
    learning["learning/0/tx"][:] = 9
    with pytest.raises(ArtifactError, match="no run reaches"):
        simulator.restore((*base, learning))


def test_weights_change_and_those_that_were_truncated_to_zero_do_not():
    network = pair(weights=(6, -8, 1, 4))  # mixed weights are even: 1 becomes 0
    for backend in ("reference", "native"):
        learned = simulate(network, None, 200, backend).weights["aa"]
        assert learned[2] == 0
        assert np.all(learned[[0, 1, 3]] != [6, -8, 4])
        grown = simulate(
            pair(weights=(6, -8, 1, 4), learning=Learning((RULE,), plastic_zeros=True)),
            None,
            200,
            backend,
        )
        assert grown.weights["aa"][2] != 0


def test_weights_beyond_8_bits_act_until_the_first_epoch_ends():
    rule = replace(RULE, t_epoch=50)
    for backend in ("reference", "native"):
        network = pair(weights=(1000, -32768, 4, 32000), learning=Learning((rule,)))
        np.testing.assert_array_equal(
            simulate(network, None, 49, backend).weights["aa"], [1000, -32768, 4, 32000]
        )
        after = simulate(network, None, 50, backend).weights["aa"]
        assert after.min() >= -256
        assert after.max() <= 255


def test_weights_beyond_16_bits_are_refused():
    with pytest.raises(NetworkError, match=r"32768, with learning; allowed: -32768\.\.32767"):
        pair(weights=(2, 2, 2, 32768))


def test_no_step_gives_the_initial_weights():
    for backend in ("reference", "native"):
        np.testing.assert_array_equal(
            simulate(pair(weights=(7, -9, 2, 4)), None, 0, backend).weights["aa"], [6, -10, 2, 4]
        )


def test_several_profiles_with_a_negative_exponent_are_refused():
    two = Learning((RULE, RULE), profile=[0, 1, 1, 0])
    network = pair(weights=(6, -8, 2, 4), weight_exp=-1, learning=two)
    for backend in ("reference", "native"):
        with pytest.raises(SpecError) as caught:
            simulate(network, None, 10, backend)
        text = str(caught.value)
        assert "'aa'.weight_exp" in text
        assert "-1 with 2 learning profiles" in text
        assert "Set weight_exp to 0 or more, or use one profile" in text
    one = replace(two, profile=np.zeros(4, dtype=int))
    simulate(pair(weights=(6, -8, 2, 4), weight_exp=-1, learning=one), None, 10, "native")


def test_the_order_of_synapses_carries_their_learning_along():
    rows, cols = [1, 0, 1, 0], [1, 1, 0, 0]
    matrix = sparse.coo_matrix(([4, -8, 0, 6], (rows, cols)), shape=(2, 2))
    matrix = sparse.csr_matrix(
        (matrix.data[[1, 3, 0, 2]], [1, 0, 1, 0], [0, 2, 4]), shape=(2, 2)
    )  # unsorted
    learning = Learning((RULE, RULE), profile=[1, 0, 1, 0], tag_1=[10, 20, 30, 40])
    made = QuantizedProjection("aa", "a", "a", matrix, learning=learning)
    np.testing.assert_array_equal(made.weights.data, [6, -8, 4])
    np.testing.assert_array_equal(made.learning.profile, [0, 1, 1])
    np.testing.assert_array_equal(made.learning.tag_1, [20, 10, 30])
    with pytest.raises(NetworkError, match="one per stored weight"):
        QuantizedProjection("aa", "a", "a", matrix, learning=replace(learning, tag_1=[1, 2]))


def test_parity_names_the_synapse_that_differs():
    network = pair(weights=(6, -8, 2, 4))
    run = simulate(network, None, 50, "native")
    changed = run.weights["aa"].copy()
    changed[2] += 1
    other = replace(run, weights={"aa": changed})
    count, text = compare(run, other, ("native", "other"), network)
    assert count == 1
    assert "projection 'aa', synapse 2 (from neuron 0 to 1): weight is native" in text
    missing = Trace(run.spike_steps, run.spike_neurons, 50, 2)
    assert "'aa' was not learned by other" in compare(run, missing, ("native", "other"))[1]


def test_parity_lists_the_weights_and_traces_it_compared():
    result, _ = verify_parity(pair(), None, 50, ("reference", "native"))
    assert result.mismatches == 0
    ends = ("weights/aa", "traces/aa/x1", "traces/aa/y1")
    assert result.compared == ("spikes", "v", "u", *ends)


@pytest.mark.parametrize("zeros", [False, True])
def test_canonical_weights_learn_alike(zeros):
    learning = Learning((RULE,), tag_1=[1, 2, 3, 4], plastic_zeros=zeros)
    network = pair(weights=(7, -9, 1, 300), learning=learning)
    canonical, report = Canonical().apply(network)
    assert report["changed"] == 3
    projection = canonical.projection("aa")
    assert projection.weights.data.tolist() == ([6, -10, 0, 300] if zeros else [6, -10, 300])
    assert projection.learning.tag_1.tolist() == ([1, 2, 3, 4] if zeros else [1, 2, 4])
    assert Canonical().apply(canonical)[1] is None
    before, after = (simulate(n, None, 300, "native") for n in (network, canonical))
    np.testing.assert_array_equal(before.spike_steps, after.spike_steps)
    kept = before.weights["aa"] if zeros else before.weights["aa"][[0, 1, 3]]
    np.testing.assert_array_equal(kept, after.weights["aa"])


def test_learning_survives_a_file(tmp_path):
    for k, (network, inputs) in enumerate(collected(driven_learning_networks(40), 30)):
        path = tmp_path / f"{k}.hlx"
        network.save(path)
        again = QuantizedNetwork.load(path)
        assert [p.learning and p.learning.rules for p in network.projections] == [
            p.learning and p.learning.rules for p in again.projections
        ]
        runs = [simulate(n, inputs, 40, "native", ("v",)) for n in (network, again)]
        assert compare(*runs, ("made", "loaded")) == (0, None)


def test_sign_and_constant_pull_a_weight_to_a_value():
    """dw = -2^0 u0 sgn(w - 10) moves every weight to 10 and keeps it there."""
    from hrsnn_lava.chip_learning import Factor

    rule = LearningRule(
        dw=(Product("u", -1, 0, (Factor("w", -10, sign=True),)),), decimate_exponent=0
    )
    for backend in ("reference", "native"):
        trace = simulate(
            pair(weights=(40, -30, 10, 2), learning=Learning((rule,))), None, 100, backend
        )
        np.testing.assert_array_equal(trace.weights["aa"], [10, 10, 10, 10])
