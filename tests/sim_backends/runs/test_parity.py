"""The comparison itself must be able to fail, and to say where."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hrsnn_lava import Spec, Trace, build_hrsnn, quantize, simulate, verify
from hrsnn_lava.errors import ParityError, SpecError
from hrsnn_lava.sim_backends.native.simulator import NativeEngine
from hrsnn_lava.sim_backends.runs.inputs import random_input
from hrsnn_lava.sim_backends.runs.parity import compare, verify_parity


@pytest.fixture(scope="module")
def network():
    spec = Spec.parse({"network": {"size": 50, "connectivity": {"mean_degree": 5.0}}})
    return quantize(build_hrsnn(spec))


def test_backends_agree_and_say_so(network):
    result, trace = verify_parity(network, random_input(network, 60), 60, ("reference", "native"))
    assert result.line() == "parity: reference = native, 60 steps, 0 mismatches"
    assert result.require() is result
    assert trace.n_spikes == result.spikes > 0


def test_the_first_difference_is_named():
    v = np.zeros((5, 3), dtype=np.int32)
    a = Trace(np.array([1, 3]), np.array([2, 0]), 5, 3, v=v)
    changed = v.copy()
    changed[2, 1] = 7
    b = Trace(np.array([1]), np.array([2]), 5, 3, v=changed)
    count, first = compare(a, b, ("one", "two"))
    assert (count, first) == (2, "step 2, neuron 1: v is one 0, two 7")
    count, first = compare(a, replace(b, v=None), ("one", "two"))
    assert (count, first) == (1, "step 3, neuron 0: a spike in one alone")


def test_a_faulty_backend_is_caught(network, monkeypatch):
    honest = NativeEngine.advance

    def faulty(self, stretch):
        trace = honest(self, stretch)
        v = trace.v.copy()
        v[30, 4] += 1
        return replace(trace, v=v)

    monkeypatch.setattr(NativeEngine, "advance", faulty)
    result, _ = verify_parity(network, None, 40, ("reference", "native"))
    assert result.mismatches == 1
    with pytest.raises(ParityError, match="step 30, neuron 4: v is reference"):
        result.require()


def test_two_known_backends_are_needed(network):
    with pytest.raises(SpecError, match="at least two"):
        verify_parity(network, None, 10, ("native", "native"))
    with pytest.raises(SpecError, match=r"no engine 'x'[\s\S]*lava, lava-stock, native, ref"):
        simulate(network, backend="x")


def test_the_public_verbs(network):
    assert simulate(network, None, 30).n_steps == 30
    assert verify(network, None, 30).mismatches == 0


def test_the_random_input_moves_the_network_and_is_seeded(network):
    first, again, other = (random_input(network, 100, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.payloads, again.payloads)
    assert not np.array_equal(first.payloads, other.payloads)
    quiet, driven = simulate(network, None, 100), simulate(network, first, 100)
    assert not np.array_equal(quiet.spike_steps, driven.spike_steps)
