"""Classification on samples that a network can or cannot tell apart, and its baselines."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from hrsnn_lava import Spec
from hrsnn_lava.errors import SpecError
from hrsnn_lava.options import options
from hrsnn_lava.tasks.classification import Classification, lost_events
from hrsnn_lava.tasks.images.digits import DigitRows, Digits
from hrsnn_lava.tasks.readers.base import Events, Labelled
from hrsnn_lava.tasks.splits import stratified


@options
class Order(Classification):
    """Two classes of the same frames in another order: only time tells them apart."""

    name: ClassVar[str] = "order"

    def samples(self) -> Labelled:
        labels = np.arange(120) % 2
        frames = np.zeros((120, 2, 2))
        frames[labels == 0, 0, 0] = frames[labels == 0, 1, 1] = 1.0
        frames[labels == 1, 0, 1] = frames[labels == 1, 1, 0] = 1.0
        return Labelled(frames, labels, ("up", "down"))


class Echo:
    """Not a network: neuron k fires in every step in which channel k is held at 1 or spikes."""

    n_neurons = 2

    def __init__(self):
        self.resets = 0

    def reset(self, _=None):
        self.resets += 1

    def run(self, x, steps):
        active = np.flatnonzero(x > 0.5)
        return np.repeat(np.arange(steps, dtype=np.int32), active.size), np.tile(active, steps)

    def run_events(self, inputs, first, steps):
        inside = (inputs.steps >= first) & (inputs.steps < first + steps)
        return inputs.steps[inside] - np.int32(first), inputs.neurons[inside]


PARTS = {"train": 60, "validation": 20, "test": 40}
SMALL = {"train": 60, "validation": 20, "test": 40, "steps_per_frame": 5}


def test_traces_at_the_end_tell_the_order_and_counts_do_not():
    trial = Order(**SMALL, trace_steps=(5.0,)).trial(3)
    outcome = trial.evaluate(Echo(), np.random.default_rng(0))
    assert outcome.scores.headline.name == "accuracy"
    assert outcome.scores["accuracy"].value == 1.0
    assert outcome.scores["squared_error"].value < 1e-3
    assert outcome.details == {
        "test_samples": 40,
        "class_accuracy": [1.0, 1.0],
        "confusion": [[20, 0], [0, 20]],
    }
    # each of the two neurons fires 5 times a sample
    np.testing.assert_array_equal(outcome.neuron_spikes, [5.0, 5.0])
    assert outcome.readout["weights"].shape == (4, 2)
    assert outcome.readout_meta["classes"] == ["up", "down"]
    counts_alone = Order(**SMALL, trace_steps=()).trial(3)
    blind = counts_alone.evaluate(Echo(), np.random.default_rng(0))
    assert blind.scores["accuracy"].value == pytest.approx(0.5, abs=0.11)
    assert blind.validation > outcome.validation


def test_baselines_know_what_can_be_known_without_spikes():
    trial = Order(**SMALL, encoder="rate").trial(3)
    scores = {name: outcome().scores for name, outcome in trial.baselines(10).items()}
    assert list(scores) == [
        "majority class",
        "linear, raw values",
        "linear, mean over frames",
        "linear, input spike counts",
    ]
    assert scores["linear, raw values"]["accuracy"].value == 1.0
    assert scores["majority class"]["accuracy"].value == pytest.approx(0.5, abs=0.11)
    assert scores["linear, input spike counts"]["accuracy"].value < 0.8
    held = Order(**SMALL).trial(3)
    assert list(held.baselines(10)) == list(scores)[:3]


def test_every_sample_starts_afresh_unless_told_otherwise():
    for restart, resets in ((True, 120), (False, 1)):
        network = Echo()
        Order(**SMALL, restart=restart).trial(3).evaluate(network, np.random.default_rng(0))
        assert network.resets == resets


def test_the_lesson_is_the_training_samples():
    for encoder in ("held", "latency"):
        trial = Order(**SMALL, encoder=encoder).trial(3)
        assert trial.lesson.n_steps == 60 * 2 * 5
        assert (trial.lesson.width, trial.steps_per_sample) == (2, 10)
        assert trial.lesson.spiking == (encoder == "latency")


def test_a_stratified_order_has_every_class_in_every_stretch():
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    order = stratified(labels, np.random.default_rng(0))
    assert sorted(order.tolist()) == list(range(1000))
    for stretch in np.split(order, 10):
        np.testing.assert_allclose(np.bincount(labels[stretch], minlength=3), [60, 30, 10], atol=2)
    other = stratified(labels, np.random.default_rng(1))
    assert not np.array_equal(order, other)


def test_parts_share_no_sample_and_the_seed_draws_them():
    trials = [DigitRows(train=300, validation=100, test=200).trial(seed) for seed in (1, 1, 2)]
    rows = [np.asarray(t.labelled.samples)[t.split.together].reshape(600, 64) for t in trials]
    np.testing.assert_array_equal(rows[0], rows[1])
    assert not np.array_equal(rows[0], rows[2])
    images = {row.tobytes() for row in rows[0]}
    assert len(images) == 600


def test_rows_and_whole_images_are_the_same_pixels():
    rows, whole = DigitRows().samples(), Digits().samples()
    assert whole.samples.shape == (1797, 1, 64)
    np.testing.assert_array_equal(whole.samples[:, 0], rows.samples.reshape(1797, 64))


def test_a_linear_classifier_of_the_pixels_is_as_good_as_is_known():
    """About 0.93 to 0.96 (tables of linear classifiers on this set); the majority about 0.10."""
    scores = {
        name: outcome().scores["accuracy"].value
        for name, outcome in DigitRows().trial(0).baselines(1).items()
    }
    assert 0.91 < scores["linear, raw values"] < 0.97
    assert scores["majority class"] == pytest.approx(0.1, abs=0.02)


def test_splits_that_cannot_be_are_refused(tmp_path):
    with pytest.raises(SpecError, match=r"1900; allowed: <= 1797"):
        DigitRows(train=1000, validation=400, test=500).trial(0)
    with pytest.raises(SpecError, match=r"task.train: no sample of class down"):
        Order(train=1, validation=20, test=40).trial(4)
    with pytest.raises(
        SpecError, match=r"task.reader.kind: 'cvs'; allowed: cifar10, .*Did you mean 'csv'"
    ):
        Spec.parse({"task": {"kind": "npz", "reader": "cvs"}})
    with pytest.raises(SpecError, match=r"task.reader: 3; allowed: a name or a table"):
        Spec.parse({"task": {"kind": "npz", "reader": 3}})


def test_samples_of_ones_own_are_a_task(tmp_path):
    samples, path = Order().samples(), tmp_path / "own.npz"
    np.savez(path, x=samples.samples, y=samples.labels)
    table = {"kind": "npz", "path": str(path), **SMALL, "trace_steps": [5.0]}
    trial = Spec.parse({"task": table}).task.trial(3)
    outcome = trial.evaluate(Echo(), np.random.default_rng(0))
    assert outcome.scores["accuracy"].value == 1.0


@options
class Bursts(Classification):
    """Two classes of events; in every sample `again` of them fall onto the spike of another."""

    name: ClassVar[str] = "bursts"
    again: int = 0

    def samples(self) -> Labelled:
        labels = np.arange(120) % 2
        samples = []
        for label in labels:
            times = np.append(np.arange(50) * 1e-3, np.full(self.again, 0.0102)) + 1e-4
            samples.append(Events(times, np.full(times.size, label), 2, 0.05))
        return Labelled(tuple(samples), labels, ("left", "right"))


@pytest.mark.parametrize(
    ("again", "severity", "text"),
    [
        (0, None, ""),
        (1, "warning", "120 of 6,120 events (2 %) are no spikes"),
        (50, "warning", "6,000 of 12,000 events (50 %) are no spikes"),
    ],
)
def test_events_that_fall_onto_a_spike_are_a_finding(again, severity, text):
    trial = Bursts(again=again, encoder="events", steps_per_frame=10, **PARTS).trial(0)
    assert trial.lesson.inputs.steps.size == 60 * 50
    if severity is None:
        assert trial.findings == ()
        return
    (found,) = trial.findings
    assert (found.severity, found.kind) == (severity, "events_merged")
    assert text in str(found)


def test_a_few_lost_events_are_a_note():
    assert [f.severity for f in lost_events(1000, 990)] == ["note"]
    assert [f.severity for f in lost_events(1000, 989)] == ["warning"]
    assert lost_events(1000, 1000) == lost_events(0, 0) == ()


def test_what_metrics_can_be_taken_of():
    outcome = Order(**SMALL, trace_steps=(5.0,)).trial(3).evaluate(Echo(), np.random.default_rng(0))
    measured = outcome.measured
    np.testing.assert_array_equal(measured["truth"], measured["answers"])
    assert measured["states"].shape == (40, 4)
    # each of the two neurons fires 5 times in each of 40 samples
    np.testing.assert_array_equal(measured["spikes"], [200, 200])
    np.testing.assert_array_equal(measured["counts"], np.full((40, 2), 5))


@pytest.mark.parametrize("readout", ["ridge", "logistic"])
def test_where_labels_are_few_no_validation_sample_trains(readout):
    """With one penalty the same readout comes out, however many samples validate."""
    if readout == "logistic":
        pytest.importorskip("sklearn")
    options = {"labels_per_class": 2, "alphas": (1e-2,), "readout": readout, "steps_per_frame": 5}
    arrays = []
    for validation in (0, 40):
        task = Noisy(train=40, validation=validation, test=20, **options)
        outcome = task.trial(3).evaluate(Echo(), np.random.default_rng(0))
        arrays.append(outcome.readout["weights"])
        assert (outcome.validation is None) == (not validation)
    np.testing.assert_allclose(arrays[0], arrays[1], rtol=1e-9)
    more = Noisy(train=40, validation=40, test=20, **options | {"labels_per_class": None})
    outcome = more.trial(3).evaluate(Echo(), np.random.default_rng(0))
    assert not np.allclose(outcome.readout["weights"], arrays[0])


@options
class Noisy(Classification):
    """Two classes of one frame; now and then a sample looks like the other class."""

    name: ClassVar[str] = "noisy"

    def samples(self) -> Labelled:
        labels = np.arange(100) % 2
        rng = np.random.default_rng(0)
        shown = np.where(rng.random(100) < 0.3, 1 - labels, labels)
        return Labelled(np.eye(2)[shown][:, None, :], labels, ("a", "b"))


@options
class Alone(Classification):
    """One class."""

    name: ClassVar[str] = "alone"

    def samples(self) -> Labelled:
        return Labelled(np.zeros((40, 2, 2)), np.zeros(40, dtype=np.int64), ("only",))


def test_one_class_is_nothing_to_tell():
    with pytest.raises(SpecError, match="classes: 1; allowed: two or more"):
        Alone(train=20, validation=5, test=5).trial(0)


@pytest.mark.parametrize(("readout", "known"), [("ridge", True), ("logistic", False)])
def test_the_squared_error_is_of_shares_of_classes(readout, known):
    """Logits are none: their distance from 0 and 1 says nothing."""
    if readout == "logistic":
        pytest.importorskip("sklearn")
    outcome = Order(**SMALL, readout=readout).trial(3).evaluate(Echo(), np.random.default_rng(0))
    assert (outcome.scores["squared_error"].value is not None) == known
