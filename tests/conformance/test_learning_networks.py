"""Every backend on generated networks that learn, bit for bit.

Compared are spikes, v, u, and after the last step weights, tags and spike traces.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from lava_batches import PROBES, check_against_lava
from network_strategies import check_in_runs, collected, driven_learning_networks

from hrsnn_lava.sim_backends.lava.backend import LavaBackend, LavaJob
from hrsnn_lava.sim_backends.runs.parity import compare
from hrsnn_lava.sim_backends.runs.session import simulate
from hrsnn_lava.trace import split_trace

STEPS = 40


def test_native_equals_reference_and_the_generator_reaches_what_matters():
    """Weights and tags change and saturate in many of the networks, or it would prove little."""
    names = ("learned", "tags", "low", "high", "profiles", "graded", "spikes", "traces", "within")
    seen = dict.fromkeys(names, 0)

    def check(case):
        network, inputs = case
        reference = simulate(network, inputs, STEPS, "reference", PROBES)
        native = simulate(network, inputs, STEPS, "native", PROBES)
        assert compare(reference, native, ("reference", "native"), network) == (0, None)
        note(network, native, seen)

    check_in_runs(check, driven_learning_networks(STEPS), examples=150)
    # what hypothesis draws differs between sessions, so these leave room
    assert seen["learned"] > 15, seen
    assert min(seen["tags"], seen["low"], seen["high"], seen["profiles"]) > 3, seen
    assert seen["graded"] > 0, seen
    assert seen["spikes"] > 500
    assert min(seen["traces"], seen["within"]) > 15, seen


def note(network, trace, seen):
    """Count what happened to the weights, tags and traces of a run."""
    seen["spikes"] += trace.n_spikes
    seen["traces"] += int(any(np.any(values) for values in trace.traces.values()))
    for projection in network.projections:
        learning = projection.learning
        if learning is None:
            continue
        weights = trace.weights[projection.name]
        low, high = projection.sign_mode.limits
        start = np.clip(projection.effective_weights().data, low, high)
        seen["learned"] += int(np.any(weights != start))
        seen["tags"] += int(f"{projection.name}/tag_1" in trace.weights)
        seen["low"] += int(low < 0 and np.any((weights == low) & (start != low)))
        seen["high"] += int(high > 0 and np.any((weights == high) & (start != high)))
        seen["profiles"] += int(len(learning.rules) > 1)
        seen["graded"] += int(learning.graded_spikes != "regular")
        seen["within"] += int(STEPS % learning.t_epoch != 0)


@pytest.mark.lava
def test_reference_and_native_equal_live_lava():
    check_against_lava(collected(driven_learning_networks(STEPS), 80), STEPS, "threads")


@pytest.mark.lava
def test_they_equal_it_in_lavas_own_runtime():
    check_against_lava(
        collected(driven_learning_networks(STEPS, 6), 12, number=1), STEPS, "processes"
    )


@pytest.mark.lava
@pytest.mark.nightly
@pytest.mark.parametrize("number", range(6))
def test_a_thousand_learning_networks_equal_live_lava(number):
    check_against_lava(
        collected(driven_learning_networks(STEPS), 200, 100 + number), STEPS, "threads"
    )


@pytest.mark.nightly
@settings(max_examples=3000)
@given(driven_learning_networks(STEPS))
def test_thousands_of_learning_networks_equal_each_other(case):
    network, inputs = case
    reference = simulate(network, inputs, STEPS, "reference", PROBES)
    native = simulate(network, inputs, STEPS, "native", PROBES)
    assert compare(reference, native, ("reference", "native"), network) == (0, None)


def split_profiles(network):
    """Give every learning projection three profiles that all hold the rule of the first."""
    changed = network
    for projection in network.projections:
        learning = projection.learning
        if learning is None or projection.weight_exp < 0:
            continue
        profile = np.arange(projection.n_synapses) % 3
        same = replace(learning, rules=learning.rules[:1] * 3, profile=profile)
        changed = changed.with_projection(replace(projection, learning=same))
    return changed


def merge_profiles(network):
    """Give every learning projection the first of its rules alone."""
    for projection in network.projections:
        if projection.learning is not None and projection.weight_exp >= 0:
            one = replace(projection.learning, rules=projection.learning.rules[:1], profile=None)
            network = network.with_projection(replace(projection, learning=one))
    return network


def check_parts(whole, parts):
    """One connection does what three do, and its traces are those of each of the three."""
    bare = [replace(trace, traces={}) for trace in (whole, parts)]
    assert compare(*bare, ("one", "three")) == (0, None)
    for key, values in parts.traces.items():
        projection, name, _ = split_trace(key)
        same = f"{projection}/{name}"
        np.testing.assert_array_equal(whole.traces[same if same in whole.traces else key], values)


@settings(max_examples=60)
@given(driven_learning_networks(STEPS))
def test_one_connection_equals_three_with_the_same_rule(case):
    network, inputs = case
    whole = simulate(merge_profiles(network), inputs, STEPS, "native", PROBES)
    for backend in ("reference", "native"):
        parts = simulate(split_profiles(network), inputs, STEPS, backend, PROBES)
        check_parts(whole, parts)


@pytest.mark.lava
def test_one_connection_equals_three_in_lava_itself():
    jobs = [
        LavaJob(change(network), inputs, STEPS, PROBES)
        for network, inputs in collected(driven_learning_networks(STEPS), 30, number=2)
        for change in (merge_profiles, split_profiles)
    ]
    traces = LavaBackend(runtime="threads").run_many(jobs)
    for whole, parts in zip(traces[::2], traces[1::2], strict=True):
        check_parts(whole, parts)
