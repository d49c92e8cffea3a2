"""Runs in parts equal one run; states on disk; states that fit no network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from network_strategies import (
    collected,
    driven_learning_networks,
    inputs_for,
    learning_networks,
    networks,
)

from hrsnn_lava import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
    Spec,
    SpikeInput,
    Trace,
    build_hrsnn,
    quantize,
)
from hrsnn_lava.chip_learning import Factor, Learning, LearningRule, Product, pair_stdp
from hrsnn_lava.chip_learning import Trace as LearningTrace
from hrsnn_lava.errors import ArtifactError, SpecError
from hrsnn_lava.sim_backends.runs import session as module
from hrsnn_lava.sim_backends.runs.inputs import part_of, random_input
from hrsnn_lava.sim_backends.runs.parity import compare
from hrsnn_lava.sim_backends.runs.session import Session, State, simulate
from hrsnn_lava.sim_backends.state import at_rest

EXACT = ("native", "reference")
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
        traces=parts[-1].traces,
    )


@settings(max_examples=50)
@given(data=st.data())
def test_a_run_in_parts_is_one_run(data):
    """On either backend, and from one to the other; what they save is equal byte for byte.

    Delays up to 62, refractory periods, held values, learning: all of it is in the state.
    """
    integer = data.draw(st.one_of(networks(delays=True), learning_networks()))
    steps = data.draw(st.integers(1, 90))
    inputs = data.draw(inputs_for(integer, steps))
    cuts = sorted(data.draw(st.lists(st.integers(0, steps), max_size=3)))
    sessions = [Session(integer, backend=name) for name in data.draw(st.permutations(EXACT))]
    chains = ([], [])
    for first, end in zip([0, *cuts], [*cuts, steps], strict=True):
        piece = None if inputs is None else part_of(inputs, first, end - first)
        for session, parts in zip(sessions, chains, strict=True):
            parts.append(session.run(piece, end - first, ("v", "u")))
        one, other = (session.state() for session in sessions)
        assert one.digest == other.digest
        sessions[0].restore(other)  # its own next state is that of the other backend's
        sessions[1] = Session(integer, other, data.draw(st.sampled_from(EXACT)))
    truth = simulate(integer, inputs, steps, "native", ("v", "u"))
    for parts in chains:
        assert compare(truth, joined(parts), ("whole", "parts"), integer) == (0, None)


@pytest.mark.parametrize(("before", "after"), [EXACT, EXACT[::-1]])
def test_a_learning_run_changes_backend_in_mid_epoch(before, after, tmp_path):
    """Sixty steps on one, a file, forty on the other: weights, tags, traces, random numbers."""
    moved = 0
    for integer, inputs in collected(driven_learning_networks(100), 15, number=3):
        whole = simulate(integer, inputs, 100, "reference", ("v", "u"))
        parts = (
            [None, None] if inputs is None else [part_of(inputs, 0, 60), part_of(inputs, 60, 40)]
        )
        session = Session(integer, backend=before)
        first = session.run(parts[0], 60, ("v", "u"))
        session.state().save(tmp_path / "s.hlx")
        later = Session(integer, State.load(tmp_path / "s.hlx"), after)
        trace = joined([first, later.run(parts[1], 40, ("v", "u"))])
        assert compare(whole, trace, ("whole", "parts"), integer) == (0, None)
        moved += sum(np.any(first.weights[k] != w) for k, w in whole.weights.items())
    assert moved > 10  # or this would show little


def test_sixty_and_forty_steps_are_a_hundred(network, tmp_path):
    inputs = random_input(network, 100)
    whole = simulate(network, inputs, 100, "native", ("v", "u"))
    session = Session(network)
    first = session.run(part_of(inputs, 0, 60), 60, ("v", "u"))
    session.state().save(tmp_path / "s.hlx")
    later = Session(network, State.load(tmp_path / "s.hlx"))
    assert later.step == 60
    second = later.run(part_of(inputs, 60, 40), 40, ("v", "u"))
    assert whole.n_spikes > 50
    assert compare(whole, joined([first, second]), ("whole", "parts")) == (0, None)


@pytest.mark.parametrize("backend", EXACT)
def test_held_values_go_on_without_being_sent_again(network, backend):
    """An input that is silent after step 0 still drives the second half."""
    values = np.full((1, network.n_inputs), 900)
    once = SpikeInput.held(values, 80)
    whole = simulate(network, once, 80, "reference", ("v", "u"))
    session = Session(network, backend=backend)
    parts = [session.run(once, 30, ("v", "u")), session.run(None, 50, ("v", "u"))]
    quiet = simulate(network, None, 80, "reference")
    assert whole.n_spikes != quiet.n_spikes
    assert compare(whole, joined(parts), ("whole", "parts")) == (0, None)


def test_stretches_do_not_show(network, monkeypatch):
    inputs = random_input(network, 130)
    whole = simulate(network, inputs, 130, "reference", ("v", "u"))
    monkeypatch.setattr(module, "STRETCH_VALUES", 700)
    trace = Session(network).run(inputs, 130, ("v", "u"))
    assert compare(whole, trace, ("whole", "stretches")) == (0, None)


@pytest.mark.parametrize("backend", EXACT)
def test_reset_returns_to_rest(network, backend):
    inputs = random_input(network, 50)
    session = Session(network, backend=backend)
    rest = session.state().digest
    first = session.run(inputs, 50, ("v", "u"))
    assert session.state().digest != rest
    session.reset()
    assert (session.step, session.state().digest) == (0, rest)
    assert compare(first, session.run(inputs, 50, ("v", "u")), ("first", "again")) == (0, None)


@settings(max_examples=40)
@given(data=st.data())
def test_rest_keeps_what_was_learned_and_nothing_else(data):
    """On either engine it is the restored state with all but weights and tags at 0, and so is
    what follows: the same random numbers, traces from 0, nothing on its way."""
    integer = data.draw(st.one_of(networks(delays=True), learning_networks()))
    steps = data.draw(st.integers(1, 60))
    inputs = data.draw(inputs_for(integer, steps))
    drawn = data.draw(st.lists(st.integers(-900, 900), min_size=1, max_size=5))
    potentials = np.resize(np.array(drawn, dtype=np.int32), integer.n_neurons)
    ends = []
    for backend in EXACT:
        session, by_hand = (Session(integer, backend=backend) for _ in range(2))
        for one in (session, by_hand):
            one.quiet_run(inputs, steps)
        session.rest(potentials)
        state = by_hand.state()
        by_hand.restore(replace(state, arrays=at_rest(state.arrays) | {"v": potentials}))
        assert session.state().digest == by_hand.state().digest
        assert session.step == steps
        assert not session.traces() or not any(t.any() for t in session.traces().values())
        after = [one.quiet_run(inputs, steps, ("v", "u")) for one in (session, by_hand)]
        assert compare(*after, ("rest", "restored"), integer) == (0, None)
        ends.append(session.state().digest)
    assert ends[0] == ends[1]


@pytest.mark.parametrize("backend", EXACT)
def test_rest_takes_potentials_that_a_run_reaches(network, backend):
    session = Session(network, backend=backend)
    for wrong, text in (
        (np.zeros(3, np.int32), "potentials: int32 3"),
        (np.zeros(network.n_neurons), "potentials: float64"),
        (np.full(network.n_neurons, 2**30, np.int32), "potentials: 1073741824"),
    ):
        with pytest.raises(ArtifactError, match=text):
            session.rest(wrong)


@pytest.mark.parametrize("backend", EXACT)
def test_a_state_is_a_copy_and_restoring_goes_back(network, backend):
    inputs = random_input(network, 40)
    session = Session(network, backend=backend)
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
    one = Session(integer, backend=data.draw(st.sampled_from(EXACT)))
    one.run(inputs, 7)
    other = one.twin()
    assert (one.step, other.step) == (7, 0)
    one.reset()
    pieces = [None if inputs is None else part_of(inputs, t, 5) for t in range(0, 30, 5)]
    turns = [(one.run(p, 5, ("v", "u")), other.run(p, 5, ("v", "u"))) for p in pieces]
    truth = simulate(integer, inputs, 30, "reference", ("v", "u"))
    for parts in zip(*turns, strict=True):
        assert compare(truth, joined(parts), ("reference", "twin")) == (0, None)


@pytest.mark.parametrize("backend", EXACT)
def test_no_steps_is_no_change(network, backend):
    session = Session(network, backend=backend)
    before = session.state().digest
    trace = session.run(None, 0, ("v",))
    assert (trace.n_steps, trace.n_spikes, trace.v.shape) == (0, 0, (0, network.n_neurons))
    assert session.state().digest == before


@pytest.mark.parametrize("backend", EXACT)
def test_a_state_of_another_network_is_refused(network, backend):
    other = QuantizedNetwork((QuantizedPopulation("a", 3, 0, 0, 1),)).verify()
    with pytest.raises(SpecError, match="another network than 'network'"):
        Session(other, Session(network).state(), backend)


def test_a_run_beyond_the_last_step_is_refused(network, monkeypatch):
    monkeypatch.setattr(module, "LAST_STEP", 50)
    session = Session(network)
    session.run(None, 50)
    with pytest.raises(SpecError, match=r"51 steps since rest; allowed: 50. Reset"):
        session.run(None, 1)


def altered(state, name, change):
    """The state with one array changed; None leaves it out."""
    arrays = dict(state.arrays)
    array = change(arrays.pop(name, np.zeros(1, np.int32)).copy())
    return replace(state, arrays=arrays if array is None else {**arrays, name: array})


def at(place, value):
    """A change of one value."""

    def change(array):
        array.reshape(-1)[place] = value
        return array

    return change


LEARNER = QuantizedNetwork(
    (
        QuantizedInput("i", 2),
        QuantizedPopulation("a", 3, 4000, 200, 300, bias_mant=[400, 55, 41], bias_exp=6),
    ),
    (
        QuantizedProjection("in", "i", "a", np.full((3, 2), 2), delays=2),
        QuantizedProjection(
            "aa",
            "a",
            "a",
            np.full((3, 3), 4),
            learning=Learning(
                (
                    LearningRule(
                        dw=(
                            Product("x0", -1, 0, (Factor("y1"),)),
                            Product("y0", 1, 0, (Factor("x1"),)),
                        ),
                        x1=LearningTrace(16, 10),
                        y1=LearningTrace(16, 10),
                        t_epoch=4,
                    ),
                )
            ),
        ),
    ),
).verify()


@pytest.fixture(scope="module")
def running():
    """A state in mid-epoch, with spikes on their way."""
    session = Session(LEARNER)
    session.run(SpikeInput.held(np.ones((30, 2)), 1), 30)
    state = session.state()
    assert all(np.any(state.arrays[name]) for name in ("u", "pending", "learning/0/x"))
    assert set(state.arrays["sent/age"]) == {0, 1, 2}
    assert set(state.arrays["learning/0/tx"].flat) == {1, 2}
    return state


@pytest.mark.parametrize("backend", EXACT)
@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("u", lambda a: a[:1], "u: int32 1; allowed: int32 3"),
        ("u", lambda a: a.astype(np.int64), "int64"),
        ("v", lambda _: None, "v: nothing"),
        ("more", lambda a: a, "more: an array"),
        ("v", at(0, 2**23), "v: .*8388608"),
        ("waiting", at(0, 1), "waiting"),
        ("waiting", at(0, -1), "waiting"),
        ("held", lambda a: a[:1], "held"),
        ("sent/age", at(-1, 3), "sent/age"),
        ("sent/age", at(-1, -1), "sent/age"),
        ("sent/source", at(-1, 5), r"sent/source: 0\.\.5; allowed: 0\.\.4"),
        ("sent/source", at(0, -1), "sent/source"),
        ("sent/source", lambda a: a[::-1], "unsorted"),
        ("sent/source", lambda a: a[:-1], "equal counts"),
        ("sent/value", at(0, 2), "no 1 of a neuron"),
        ("sent/value", at(-1, 0), "never 0"),
        ("learning/0/weights", at(4, 256), "weights"),
        ("learning/0/tag_1", at(4, -258), "tag_1"),
        ("learning/0/tag_2", at(4, -1), "tag_2"),
        ("learning/0/x", at(0, 256), "learning/0/x"),
        ("learning/0/x", at(3, 128), "learning/0/x"),
        ("learning/0/y", at(0, -1), "learning/0/y"),
        ("learning/0/tx", at(0, 5), "learning/0/tx"),
        ("learning/0/ty", at(0, 99), "learning/0/ty"),
        ("pending", lambda a: a[:-1], "pending"),
    ],
)
def test_a_state_that_no_run_reaches_is_refused(running, backend, name, change, words):
    """The kernels test no index, so no value may lead out of their arrays."""
    session = Session(LEARNER, backend=backend)
    rest = session.state().digest
    with pytest.raises(ArtifactError, match=rf"no run of this network reaches[\s\S]*{words}"):
        session.restore(altered(running, name, change))
    assert session.state().digest == rest
    session.restore(running)
    assert session.state().digest == running.digest


def test_projections_that_share_a_rule_keep_their_own_parts_of_the_state():
    """They learn as one on `native`; a state in which their spikes differ fits none."""
    rule = pair_stdp((1, 0), (-1, 0), 8, 12, impulse=30)
    populations = [
        QuantizedPopulation(name, 4, 900, 300, 200, bias_mant=[300, 150, 120, 90], bias_exp=6)
        for name in "ab"
    ]
    matrix = np.arange(8, 40, 2).reshape(4, 4)
    joined_up = QuantizedNetwork(
        tuple(populations),
        tuple(
            QuantizedProjection(f"a{post}", "a", post, matrix, learning=Learning((rule,)))
            for post in "ab"
        ),
    ).verify()
    states = []
    for backend in EXACT:
        session = Session(joined_up, backend=backend)
        session.run(None, 25)
        states.append(session.state())
    assert states[0].digest == states[1].digest
    assert np.any(states[0].arrays["learning/1/weights"] != matrix.ravel())
    session = Session(joined_up, states[1])
    assert session.state().digest == states[0].digest
    with pytest.raises(ArtifactError, match="no run reaches"):
        session.restore(altered(states[1], "learning/1/x", at(0, 126)))
    assert session.state().digest == states[0].digest


@pytest.mark.parametrize("step", [-1, 2**31])
def test_a_state_with_an_impossible_step_is_refused(running, step):
    with pytest.raises(ArtifactError, match="step"):
        Session(LEARNER, replace(running, step=step))


def test_messages_cannot_be_older_than_the_run(running):
    """A state of step 1 holds no spike of two steps ago."""
    with pytest.raises(ArtifactError, match="sent/age: 2; allowed: below 1"):
        Session(LEARNER, replace(running, step=1))


def test_any_state_that_is_accepted_runs(running):
    """Values changed at random: refused with an error, or run without one."""
    rng = np.random.default_rng(5)
    accepted = 0
    for _ in range(300):
        name = str(rng.choice(sorted(running.arrays)))
        place = int(rng.integers(running.arrays[name].size))
        value = int(rng.choice([-1, 0, 1, 3, 127, 255, 2**31 - 1, -(2**31)]))
        state = altered(running, name, at(place, value))
        try:
            sessions = [Session(LEARNER, state, backend) for backend in EXACT]
        except ArtifactError:
            continue
        accepted += 1
        one, other = (session.run(None, 12, ("v", "u")) for session in sessions)
        assert compare(one, other, EXACT) == (0, None)
    assert accepted > 30


def test_other_artifacts_are_no_states(network, tmp_path):
    network.save(tmp_path / "n.hlx")
    with pytest.raises(ArtifactError, match="expected: state"):
        State.load(tmp_path / "n.hlx")


def test_wrong_arguments_are_named(network):
    with pytest.raises(SpecError) as caught:
        Session(network).run(SpikeInput.empty(5, 77), 5, ("w",))
    assert {p.where for p in caught.value.problems} == {"probes", "inputs"}
