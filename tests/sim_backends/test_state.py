"""Runs in parts equal one run; states on disk; states that fit no network."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from network_strategies import inputs_for, learning_networks, networks

from hrsnn_lava import (
    QuantizedNetwork,
    QuantizedPopulation,
    Spec,
    SpikeInput,
    Trace,
    build_hrsnn,
    quantize,
)
from hrsnn_lava.errors import ArtifactError, SpecError
from hrsnn_lava.sim_backends import state as module
from hrsnn_lava.sim_backends.native import NativeBackend
from hrsnn_lava.sim_backends.parity import compare, random_input
from hrsnn_lava.sim_backends.reference import ReferenceBackend
from hrsnn_lava.sim_backends.state import Session, State, part_of

SPEC = Spec.parse({"network": {"size": 80, "connectivity": {"mean_degree": 10.0}}})


@pytest.fixture(scope="module")
def network():
    return quantize(build_hrsnn(SPEC))


def joined(parts):
    """One trace of several that follow one another."""
    starts = np.cumsum([0, *(p.n_steps for p in parts)])
    at = [p.spike_steps + start for p, start in zip(parts, starts, strict=False)]
    return Trace(
        np.concatenate(at).astype(np.int32),
        np.concatenate([p.spike_neurons for p in parts]),
        int(starts[-1]),
        parts[0].n_neurons,
        np.concatenate([p.v for p in parts]),
        np.concatenate([p.u for p in parts]),
        parts[-1].weights,
    )


@settings(max_examples=60)
@given(data=st.data())
def test_a_run_in_parts_is_one_run(data):
    """Delays up to 62, refractory periods, held values, learning: all of it is in the state."""
    integer = data.draw(st.one_of(networks(delays=True), learning_networks()))
    steps = data.draw(st.integers(1, 90))
    inputs = data.draw(inputs_for(integer, steps))
    cuts = sorted(data.draw(st.lists(st.integers(0, steps), max_size=3)))
    session, parts = Session(integer), []
    for first, end in zip([0, *cuts], [*cuts, steps], strict=True):
        piece = None if inputs is None else part_of(inputs, first, end - first)
        parts.append(session.run(piece, end - first, ("v", "u")))
        session = Session(integer, session.state())
    truth = ReferenceBackend().run(integer, inputs, steps, ("v", "u"))
    assert compare(truth, joined(parts), ("whole", "parts")) == (0, None)
    assert truth.weights.keys() == parts[-1].weights.keys()
    for name, expected in truth.weights.items():
        np.testing.assert_array_equal(parts[-1].weights[name], expected)


def test_sixty_and_forty_steps_are_a_hundred(network, tmp_path):
    inputs = random_input(network, 100)
    whole = NativeBackend().run(network, inputs, 100, ("v", "u"))
    session = Session(network)
    first = session.run(part_of(inputs, 0, 60), 60, ("v", "u"))
    session.state().save(tmp_path / "s.hlx")
    later = Session(network, State.load(tmp_path / "s.hlx"))
    assert later.step == 60
    second = later.run(part_of(inputs, 60, 40), 40, ("v", "u"))
    assert whole.n_spikes > 50
    assert compare(whole, joined([first, second]), ("whole", "parts")) == (0, None)


def test_held_values_go_on_without_being_sent_again(network):
    """An input that is silent after step 0 still drives the second half."""
    values = np.full((1, network.n_inputs), 900)
    once = SpikeInput.held(values, 80)
    whole = ReferenceBackend().run(network, once, 80, ("v", "u"))
    session = Session(network)
    parts = [session.run(once, 30, ("v", "u")), session.run(None, 50, ("v", "u"))]
    quiet = ReferenceBackend().run(network, None, 80)
    assert whole.n_spikes != quiet.n_spikes
    assert compare(whole, joined(parts), ("whole", "parts")) == (0, None)


def test_stretches_do_not_show(network, monkeypatch):
    inputs = random_input(network, 130)
    whole = ReferenceBackend().run(network, inputs, 130, ("v", "u"))
    monkeypatch.setattr(module, "STRETCH_VALUES", 700)
    trace = Session(network).run(inputs, 130, ("v", "u"))
    assert compare(whole, trace, ("whole", "stretches")) == (0, None)


def test_reset_returns_to_rest(network):
    inputs = random_input(network, 50)
    session = Session(network)
    rest = session.state().digest
    first = session.run(inputs, 50, ("v", "u"))
    assert session.state().digest != rest
    session.reset()
    assert (session.step, session.state().digest) == (0, rest)
    assert compare(first, session.run(inputs, 50, ("v", "u")), ("first", "again")) == (0, None)


def test_a_state_is_a_copy_and_restoring_goes_back(network):
    inputs = random_input(network, 40)
    session = Session(network)
    session.run(inputs, 40)
    state = session.state()
    first = session.run(None, 40, ("v", "u"))
    session.restore(state)
    assert session.step == 40
    again = session.run(None, 40, ("v", "u"))
    assert first.n_spikes > 0
    assert compare(first, again, ("first", "again")) == (0, None)


def test_equal_states_are_equal_bytes(network, tmp_path):
    for name in ("a", "b"):
        session = Session(network)
        session.run(random_input(network, 30), 30)
        session.state().save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@settings(max_examples=20)
@given(data=st.data())
def test_twins_share_no_state(data):
    """Steps taken in turn by two sessions over the same tables, and neither notices."""
    integer = data.draw(st.one_of(networks(delays=True), learning_networks()))
    inputs = data.draw(inputs_for(integer, 30))
    one = Session(integer)
    one.run(inputs, 7)
    other = one.twin()
    assert (one.step, other.step) == (7, 0)
    one.reset()
    pieces = [None if inputs is None else part_of(inputs, t, 5) for t in range(0, 30, 5)]
    turns = [(one.run(p, 5, ("v", "u")), other.run(p, 5, ("v", "u"))) for p in pieces]
    truth = ReferenceBackend().run(integer, inputs, 30, ("v", "u"))
    for parts in zip(*turns, strict=True):
        assert compare(truth, joined(parts), ("reference", "twin")) == (0, None)


def test_no_steps_is_no_change(network):
    session = Session(network)
    before = session.state().digest
    trace = session.run(None, 0, ("v",))
    assert (trace.n_steps, trace.n_spikes, trace.v.shape) == (0, 0, (0, network.n_neurons))
    assert session.state().digest == before


def test_a_state_of_another_network_is_refused(network):
    other = QuantizedNetwork((QuantizedPopulation("a", 3, 0, 0, 1),)).verify()
    with pytest.raises(SpecError, match="another network than 'network'"):
        Session(other, Session(network).state())


def test_a_run_beyond_the_last_step_is_refused(network, monkeypatch):
    monkeypatch.setattr(module, "LAST_STEP", 50)
    session = Session(network)
    session.run(None, 50)
    with pytest.raises(SpecError, match=r"51 steps since rest; allowed: 50. Reset"):
        session.run(None, 1)


@pytest.mark.parametrize("fault", ["range", "count", "shape", "dtype", "missing", "held", "step"])
def test_a_state_with_other_values_is_refused(network, fault):
    """The kernel tests no index, so the state must not hold one that leads out of its arrays."""
    state = Session(network).state()
    arrays, held, step = dict(state.arrays), state.held, state.step
    sources, counts = "state/3", "state/5"
    if fault == "range":
        arrays[sources] = arrays[sources] + 10_000
    elif fault == "count":
        arrays[counts] = arrays[counts] - 1
    elif fault == "shape":
        arrays["state/0"] = arrays["state/0"][:1]
    elif fault == "dtype":
        arrays["state/0"] = arrays["state/0"].astype(np.int64)
    elif fault == "missing":
        del arrays["state/1"]
    elif fault == "held":
        held = held[:1]
    else:
        step = -1
    wrong = State(step, state.network_digest, held, state.tree, arrays)
    with pytest.raises(ArtifactError, match=r"the state (is incomplete or wrong|holds values)"):
        Session(network, wrong)


def test_other_artifacts_are_no_states(network, tmp_path):
    network.save(tmp_path / "n.hlx")
    with pytest.raises(ArtifactError, match="expected: state"):
        State.load(tmp_path / "n.hlx")


def test_wrong_arguments_are_named(network):
    with pytest.raises(SpecError) as caught:
        Session(network).run(SpikeInput.empty(5, 77), 5, ("w",))
    assert {p.where for p in caught.value.problems} == {"probes", "inputs"}
