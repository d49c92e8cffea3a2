"""Samples, resets, silence, order, checkpoints: against a plain loop, and against itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from plain_plasticity import plain_run
from scipy import sparse
from stdp_networks import commanded, commands, noise, recurrent

from hrsnn_lava.artifacts.training_state import TrainingState
from hrsnn_lava.errors import ArtifactError, SpecError
from hrsnn_lava.plasticity import STDP, Schedule
from hrsnn_lava.trace import SpikeInput
from hrsnn_lava.training.course import Course, stimulus_of
from hrsnn_lava.training.monitoring import Monitoring
from hrsnn_lava.training.simulation import Stimulus
from hrsnn_lava.training.stdp import STDPOptions, train_stdp

PLAIN = Schedule(potentials="rest", shuffle=False)


def samples(count=5, rate=0.1):
    """Recordings of different lengths."""
    return [noise(k, 40 + 7 * k, 10, rate) for k in range(count)]


def with_magnitudes(network, weights):
    """The network with other weights; what became 0 stays a synapse, of next to no weight."""
    for name, values in weights.items():
        old = network.projection(name)
        data = np.where(values == 0, 1e-300 * np.sign(old.weights.data), values)
        matrix = sparse.csr_matrix(
            (data, old.weights.indices, old.weights.indptr), old.weights.shape
        )
        network = network.with_projection(replace(old, weights=matrix))
    return network


def dense(recording, silence=0):
    array = np.zeros((recording.n_steps + silence, recording.n_neurons))
    array[recording.steps, recording.neurons] = 1.0
    return array


@pytest.mark.parametrize("het", [False, True])
def test_state_and_traces_start_afresh_with_every_sample_and_weights_do_not(het):
    network = recurrent(0, het=het, amplitude=0.002)
    schedule = replace(PLAIN, silence=6)
    options = STDPOptions(epochs=2, schedule=schedule)
    trained = train_stdp(network, samples(), options)
    plain, bias, spikes = network, network.gather("bias"), 0
    for recording in samples() * 2:
        fired, weights = plain_run(plain, dense(recording, 6), bias)
        spikes += fired.sum()
        plain = with_magnitudes(plain, {name: weights[name] for name in trained.weights})
    assert trained.outline.counts.sum() == spikes > 200
    assert trained.outline.steps == 2 * (sum(s.n_steps for s in samples()) + 5 * 6)
    for name, learned in trained.weights.items():
        expected = plain.projection(name).weights.data
        np.testing.assert_allclose(learned, expected, rtol=1e-9, atol=1e-12)
        assert not np.allclose(learned, network.projection(name).weights.data, rtol=1e-3)


def test_without_a_reset_samples_are_one_recording():
    network = recurrent(1, amplitude=0.002)
    options = STDPOptions(schedule=replace(PLAIN, reset="none"))
    trained = train_stdp(network, samples(), options)
    whole = np.concatenate([dense(s) for s in samples()])
    fired, weights = plain_run(network, whole, network.gather("bias"))
    assert trained.outline.counts.tolist() == fired.sum(axis=0).tolist()
    for name, learned in trained.weights.items():
        np.testing.assert_allclose(learned, weights[name], rtol=1e-9)
    afresh = train_stdp(network, samples(), STDPOptions(schedule=PLAIN))
    assert not np.allclose(afresh.weights["exc_exc"], trained.weights["exc_exc"], rtol=1e-3)


def test_a_pair_across_two_samples_is_no_pair():
    rule = STDP(0.3, 0.2, 0.020, 0.035)
    # the source fires at the end of one sample, the target at the beginning of the next
    first, second = commands({0: [18]}, {0: []}, 20), commands({0: []}, {0: [3]}, 20)
    network = commanded(rule, [[5.0]])
    apart = train_stdp(network, [first, second], STDPOptions(schedule=PLAIN))
    assert apart.weights["learns"][0] == 5.0
    together = train_stdp(
        network, [first, second], STDPOptions(schedule=replace(PLAIN, reset="none"))
    )
    gain = 0.3 * np.exp(-(20 + 3 - 18) / 20)  # t_post - t_pre = 5 steps of 1 ms
    assert together.weights["learns"][0] == pytest.approx(5.0 + gain, rel=1e-12)
    quiet = train_stdp(
        network, [first, second], STDPOptions(schedule=replace(PLAIN, reset="none", silence=30))
    )
    far = 0.3 * np.exp(-(50 + 3 - 18) / 20)
    assert quiet.weights["learns"][0] == pytest.approx(5.0 + far, rel=1e-12)


def test_weights_keep_their_sign_and_their_bounds_through_any_training():
    network = recurrent(2, het=True, amplitude=0.2)  # every pair moves a weight by a fifth
    trained = train_stdp(network, samples(), STDPOptions(epochs=3), seed=1)
    moved = 0
    for name, learned in trained.weights.items():
        before = network.projection(name)
        bound = before.plasticity.values("w_max", learned.size)
        assert np.all(learned * np.sign(before.weights.data) >= 0)
        assert np.all(np.abs(learned) <= bound)
        moved += np.sum(learned == 0) + np.sum(np.abs(learned) == bound)
    assert moved > 100
    assert trained.network.projection("inh_exc").weights.data.max() < 0


def test_the_order_is_another_one_in_every_epoch_and_a_seed_s():
    stimulus = stimulus_of(samples(8), 10, 1)
    course = Course(stimulus, Schedule(), 2, seed=3)
    orders = [course.order(epoch, 8).tolist() for epoch in range(2)]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(8))
    assert orders[0] != orders[1]
    assert Course(stimulus, Schedule(), 2, seed=3).order(1, 8).tolist() == orders[1]
    assert Course(stimulus, Schedule(), 2, seed=4).order(1, 8).tolist() != orders[1]
    assert Course(stimulus, PLAIN, 2, seed=3).order(1, 8).tolist() == list(range(8))
    series = Course(Stimulus(np.zeros((9, 2)), 500), Schedule(), 2, seed=3)
    assert [(p.begin, p.end) for p in series.pieces] == [(0, 2), (2, 4), (4, 6), (6, 8), (8, 9)]
    assert series.order(1, 5).tolist() == list(range(5))


def test_potentials_are_drawn_for_every_sample_for_all_or_not_at_all():
    stimulus = stimulus_of(samples(2), 10, 1)

    def draws(kind):
        course = Course(stimulus, Schedule(potentials=kind), 1, seed=3)
        return [None if r is None else r.random() for r in (course.draw(k) for k in range(3))]

    assert len(set(draws("random"))) == 3
    assert len(set(draws("same"))) == 1
    assert draws("rest") == [None] * 3


def test_a_lesson_in_any_form():
    joined = stimulus_of(samples(3), 10, 1)
    lengths = [s.n_steps for s in samples(3)]
    assert joined.starts.tolist() == [0, lengths[0], lengths[0] + lengths[1]]
    marked = SpikeInput(
        joined.inputs.steps, joined.inputs.neurons, sum(lengths), 10, samples=joined.starts
    )
    assert stimulus_of(marked, 10, 1).starts.tolist() == joined.starts.tolist()
    late = replace(marked, samples=joined.starts[1:])
    assert stimulus_of(late, 10, 1).starts.tolist() == joined.starts.tolist()
    held = stimulus_of([np.zeros((4, 2)), np.ones((3, 2))], 2, 5)
    assert (held.starts.tolist(), held.block, held.n_steps) == ([0, 4], 5, 35)
    assert stimulus_of(np.zeros((4, 2)), 2, 5).starts is None
    one = train_stdp(recurrent(0), marked, STDPOptions(schedule=PLAIN))
    many = train_stdp(recurrent(0), samples(3), STDPOptions(schedule=PLAIN))
    assert np.array_equal(one.weights["exc_exc"], many.weights["exc_exc"])


@pytest.mark.parametrize(
    ("lesson", "words"),
    [
        ([noise(0, 10, 10), np.zeros((4, 10))], "samples of one kind"),
        ([noise(0, 10, 10), noise(0, 10, 9)], "different numbers of channels"),
        ([np.zeros((4, 10)), np.zeros((0, 10))], "empty, or of different widths"),
        (noise(0, 10, 9), "9 channels; allowed: 10"),
        (Stimulus(noise(0, 10, 10), 1, np.array([1, 4])), "rising, 0 first"),
        ("recording.npz", "str; allowed: a Stimulus"),
        (
            [noise(0, 10, 10), replace(noise(0, 10, 10), payloads=noise(0, 10, 10).neurons)],
            "all or none",
        ),
    ],
)
def test_a_lesson_that_does_not_fit_is_refused(lesson, words):
    with pytest.raises(SpecError, match=words):
        train_stdp(recurrent(0), lesson)


class KilledError(Exception):
    """What stands for a kill."""


@pytest.mark.parametrize("reset", ["sample", "none"])
@pytest.mark.parametrize("het", [False, True])
def test_a_training_that_is_cut_anywhere_ends_with_the_same_bits(tmp_path, reset, het):
    network, path = recurrent(0, het=het), tmp_path / "t.hlx"
    options = STDPOptions(epochs=3, schedule=Schedule(reset=reset, silence=5))
    given = {"options": options, "seed": 3}
    undisturbed = train_stdp(network, samples(), monitoring=Monitoring(every=2), **given)
    kept = Monitoring(every=2, checkpoint=path, resume=True)
    ends = np.random.default_rng(0).random(6)

    def interrupted(end):
        def show(_, fraction):
            if fraction > end:
                raise KilledError

        return show

    for end in sorted(ends):
        with pytest.raises(KilledError):
            train_stdp(network, samples(), progress=interrupted(end), monitoring=kept, **given)
    resumed = train_stdp(network, samples(), monitoring=kept, **given)
    assert resumed.outline.resumed > 0
    for name, weights in undisturbed.weights.items():
        assert resumed.weights[name].tobytes() == weights.tobytes()
    assert resumed.outline.counts.tolist() == undisturbed.outline.counts.tolist()
    assert resumed.history.table() == undisturbed.history.table()
    again = train_stdp(network, samples(), monitoring=kept, **given)
    assert again.outline.resumed == again.outline.samples == 15
    assert again.outline.speed()["samples_per_s"] is None
    assert again.network.digest == undisturbed.network.digest


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    path, network = tmp_path / "t.hlx", recurrent(0)
    train_stdp(network, samples(), seed=3, monitoring=Monitoring(checkpoint=path))
    others = [
        (network, samples(), {"seed": 4}),
        (recurrent(1), samples(), {"seed": 3}),
        (network, samples(rate=0.2), {"seed": 3}),
        (network, samples(), {"seed": 3, "options": STDPOptions(epochs=2)}),
        (network, samples(), {"seed": 3, "options": STDPOptions(schedule=Schedule(silence=1))}),
    ]
    for other, lesson, more in others:
        with pytest.raises(SpecError, match="the checkpoint of another training"):
            train_stdp(other, lesson, monitoring=Monitoring(checkpoint=path, resume=True), **more)
    train_stdp(
        network, samples(), seed=4, monitoring=Monitoring(checkpoint=path)
    )  # without resume it starts anew
    with pytest.raises(SpecError, match="with a checkpoint to go on from"):
        train_stdp(network, samples(), monitoring=Monitoring(resume=True))


@pytest.mark.parametrize("reset", ["sample", "none"])
def test_nothing_in_a_checkpoint_is_trusted(tmp_path, reset):
    path, network = tmp_path / "t.hlx", recurrent(0)
    given = {"seed": 3, "options": STDPOptions(schedule=Schedule(reset=reset))}
    train_stdp(network, samples(), monitoring=Monitoring(checkpoint=path), **given)
    kept = Monitoring(checkpoint=path, resume=True)
    state = TrainingState.load(path)
    faults = {
        "counts": lambda a: a[:-1],
        "history/mean": lambda a: a[:, :-1],
        "history/done": lambda a: a[:0],
    }
    weights = "learner/exc_exc" if reset == "sample" else "learner/learning/0"
    faults[weights] = lambda a: a + 100.0
    if reset == "none":
        faults |= {
            "learner/network/3": lambda a: a + 1000,  # sources beyond the network
            "learner/network/5": lambda a: a + 1000,
            "learner/network/0": lambda a: a * np.nan,
            "learner/learning/2": lambda a: a + 10**6,  # spikes to come
        }
    for name, fault in faults.items():
        arrays = {**state.arrays, name: fault(state.arrays[name])}
        replace(state, arrays=arrays).save(path)
        with pytest.raises(ArtifactError):
            train_stdp(
                network, samples(), monitoring=Monitoring(checkpoint=path, resume=True), **given
            )
    missing = {k: a for k, a in state.arrays.items() if not k.startswith("learner/")}
    replace(state, arrays=missing).save(path)
    with pytest.raises(ArtifactError):
        train_stdp(network, samples(), monitoring=kept, **given)
