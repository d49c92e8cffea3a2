"""Every backend on generated networks with three-factor rules, bit for bit.

What is sent to y1, y2 and y3 is any int32, from inputs, neurons and connections with delays.
"""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lava_batches import PROBES, check_against_lava
from network_strategies import check_in_runs, collected
from third_factor_networks import driven_third_factor_networks

from hrsnn_lava.sim_backends.runs.inputs import part_of
from hrsnn_lava.sim_backends.runs.parity import compare
from hrsnn_lava.sim_backends.runs.session import Session, State, simulate

STEPS = 40
EXACT = ("reference", "native")


def thirds(network):
    """Learning projections to which something is sent."""
    for projection in network.projections:
        third = projection.learning and projection.learning.third_factor
        if third is not None and any(third.senders):
            yield projection


def test_native_equals_reference_and_the_generator_reaches_what_matters():
    seen = dict.fromkeys(("changed", "negative", "large", "direct", "weighed", "late"), 0)

    def check(case):
        network, inputs = case
        reference = simulate(network, inputs, STEPS, "reference", PROBES)
        native = simulate(network, inputs, STEPS, "native", PROBES)
        assert compare(reference, native, EXACT, network) == (0, None)
        for projection in thirds(network):
            start = np.clip(projection.effective_weights().data, *projection.sign_mode.limits)
            seen["changed"] += int(np.any(reference.weights[projection.name] != start))
            sent = [v for k, v in native.traces.items() if k.startswith(f"{projection.name}/y")]
            seen["negative"] += int(any(np.any(values < 0) for values in sent))
            seen["large"] += int(any(np.any(values > 2**15) for values in sent))
            senders = {s for s in projection.learning.third_factor.senders if s}
            factors = [p for p in network.projections if p.name in senders]
            seen["weighed"] += len(factors)
            seen["direct"] += len(senders) - len(factors)
            seen["late"] += sum(p.delays is not None for p in factors)

    check_in_runs(check, driven_third_factor_networks(STEPS), examples=150)
    # what hypothesis draws differs between sessions, so these leave room
    assert min(seen["changed"], seen["negative"], seen["direct"]) > 5, seen
    assert min(seen["weighed"], seen["late"]) > 2, seen
    assert seen["large"], seen  # few networks have values beyond 16 bits


@settings(max_examples=40)
@given(driven_third_factor_networks(STEPS), st.data())
def test_a_run_in_parts_that_changes_backends_is_one_run(case, data):
    network, inputs = case
    cuts = sorted(data.draw(st.lists(st.integers(0, STEPS), min_size=1, max_size=3)))
    whole = simulate(network, inputs, STEPS, "native", PROBES)
    sessions = [Session(network, backend=name) for name in EXACT]
    for first, end in zip([0, *cuts], [*cuts, STEPS], strict=True):
        piece = None if inputs is None else part_of(inputs, first, end - first)
        for session in sessions:
            last = session.run(piece, end - first, PROBES)
        one, other = (session.state() for session in sessions)
        assert one.digest == other.digest
        sessions = [Session(network, other, "reference"), Session(network, one, "native")]
    for name, values in whole.weights.items():
        np.testing.assert_array_equal(last.weights[name], values)
    for name, values in whole.traces.items():
        np.testing.assert_array_equal(last.traces[name], values)


@pytest.mark.lava
def test_reference_and_native_equal_live_lava():
    check_against_lava(collected(driven_third_factor_networks(STEPS), 60), STEPS, "threads")


@pytest.mark.lava
def test_they_equal_it_in_lavas_own_runtime():
    check_against_lava(
        collected(driven_third_factor_networks(STEPS, 5), 8, number=1), STEPS, "processes"
    )


@pytest.mark.lava
def test_a_session_on_lava_goes_on():
    for network, inputs in collected(driven_third_factor_networks(30, 5), 4, number=5):
        whole = simulate(network, inputs, 30, "native")
        with Session(network, backend="lava") as session:
            for first, end in ((0, 13), (13, 30)):
                piece = None if inputs is None else part_of(inputs, first, end - first)
                last = session.run(piece, end - first)
        for mine, theirs in ((last.weights, whole.weights), (last.traces, whole.traces)):
            assert mine.keys() == theirs.keys()
            for name, values in theirs.items():
                np.testing.assert_array_equal(mine[name], values)


@pytest.mark.lava
@pytest.mark.nightly
@pytest.mark.parametrize("number", range(5))
def test_a_thousand_networks_equal_live_lava(number):
    check_against_lava(
        collected(driven_third_factor_networks(STEPS), 200, 100 + number), STEPS, "threads"
    )


def test_a_state_on_disk_keeps_what_arrived(tmp_path):
    """Values that no trace of two factors has come back as they were."""
    unusual = 0
    # draws of one run of hypothesis are correlated: some have hardly any such value
    runs = (collected(driven_third_factor_networks(STEPS), 12, number=k) for k in range(2, 8))
    for network, inputs in chain.from_iterable(runs):
        session = Session(network, backend="native")
        trace = session.run(inputs, STEPS)
        session.state().save(tmp_path / "s.hlx")
        again = Session(network, State.load(tmp_path / "s.hlx"), "reference")
        rest = again.run(None, 0)
        for name, values in trace.traces.items():
            np.testing.assert_array_equal(rest.traces[name], values)
            unusual += int(np.any(values < -1) or np.any(values > 300))
    assert unusual > 0
