"""Rules of any kind in loops over whole lines: equal to the reference, whole or resumed."""

from __future__ import annotations

import numpy as np
import pytest
from fast_learning_networks import GRADED, KINDS, STEPS, case
from hypothesis import given, settings
from hypothesis import strategies as st

from hrsnn_lava.sim_backends.native.layout import Events
from hrsnn_lava.sim_backends.native.simulator import IntegerSimulator
from hrsnn_lava.sim_backends.runs.parity import compare
from hrsnn_lava.sim_backends.runs.session import simulate

PROBES = ("v", "u")


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=8)
@given(
    seed=st.integers(0, 10**6),
    profiles=st.sampled_from([1, 2, 5]),
    t_epoch=st.sampled_from([1, 1, 2, 5]),
    graded=st.sampled_from([None, *GRADED]),
)
def test_every_kind_of_rule_equals_the_reference(kind, seed, profiles, t_epoch, graded):
    network, inputs = case(seed, kind, profiles, t_epoch, graded)
    plain, fast = (simulate(network, inputs, STEPS, b, PROBES) for b in ("reference", "native"))
    assert compare(plain, fast, ("reference", "native"), network) == (0, None)


@pytest.mark.parametrize("kind", KINDS)
def test_these_networks_learn(kind):
    """Weights move, also where all profiles share one form, or the tests above prove little."""
    moved, tags, spikes = 0, 0, 0
    for seed in range(8):
        network, inputs = case(seed, kind, 3, 1 + seed % 2, None)
        trace = simulate(network, inputs, STEPS, "native")
        spikes += trace.n_spikes
        for projection in network.projections:
            low, high = projection.sign_mode.limits
            start = np.clip(projection.effective_weights().data, low, high)
            moved += np.count_nonzero(trace.weights[projection.name] != start)
            after = trace.weights.get(f"{projection.name}/tag_1")
            if after is not None:
                tags += np.count_nonzero(after != projection.learning.tag_1)
    assert spikes > 500
    assert moved > 500
    assert tags > (500 if kind in ("eligibility", "timed", "any form") else -1)


@settings(max_examples=8)
@given(
    seed=st.integers(0, 10**6),
    kind=st.sampled_from(KINDS),
    t_epoch=st.sampled_from([1, 3]),
    split=st.integers(1, STEPS - 1),
)
def test_a_resumed_run_equals_a_whole_one(seed, kind, t_epoch, split):
    network, inputs = case(seed, kind, 3, t_epoch, None)
    n, base, start = network.n_neurons, network.gather("bias_mant")[None, :], np.zeros(1, np.int64)
    whole, first, second = (IntegerSimulator(network) for _ in range(3))
    expected = whole.advance(STEPS, Events.of(inputs, 0, STEPS, n), start, base)
    head = first.advance(split, Events.of(inputs, 0, split, n), start, base)
    second.restore(first.snapshot())
    rest = Events.of(inputs, split, STEPS - split, n)
    tail = second.advance(STEPS - split, rest, start, base)
    for k in (0, 1):
        np.testing.assert_array_equal(expected[k], np.append(head[k], tail[k]))
    for name, values in whole.learned().items():
        np.testing.assert_array_equal(values, second.learned()[name])
