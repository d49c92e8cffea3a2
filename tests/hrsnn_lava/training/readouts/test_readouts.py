"""Readouts of classes: against scikit-learn, on classes that can and cannot be told apart."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from hrsnn_lava import registry
from hrsnn_lava.training.readouts.base import LabelledFeatures, answers_of

pytest.importorskip("sklearn")

from hrsnn_lava.training.readouts.logistic import Logistic
from hrsnn_lava.training.readouts.network import Network
from hrsnn_lava.training.readouts.ridge import Ridge


def blobs(n=240, n_classes=3, spread=0.3, seed=0, xor=False):
    """Features around a centre for each class; with `xor`, classes no line parts."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n)
    centres = np.array([[1, 0], [0, 1], [-1, -1]], float)
    if xor:
        corner = rng.integers(0, 2, (n, 2))
        labels = corner.sum(axis=1) % 2
        features = corner + spread * rng.standard_normal((n, 2))
    else:
        features = centres[labels] + spread * rng.standard_normal((n, 2))
    training = np.arange(n) < n * 3 // 4
    alphas = (1e-4, 1e-2, 1.0)
    return LabelledFeatures(features, labels, n_classes, training, alphas)


@pytest.mark.parametrize("name", registry.names("readout"))
def test_every_readout_tells_blobs_apart_and_its_arrays_say_all(name):
    options = {"network": {"neurons": 1.0}}.get(name, {})
    lesson, test = blobs(), blobs(seed=1)
    fitted = registry.load("readout", name)(**options).fit(lesson)
    answers = fitted.answers(test.features)
    assert answers.shape == (240, 3)
    assert (answers.argmax(axis=1) == test.labels).mean() > 0.95
    np.testing.assert_array_equal(answers_of(fitted.arrays(), test.features), answers)
    assert set(fitted.losses) == set(lesson.alphas)
    assert fitted.losses[fitted.alpha] == min(fitted.losses.values())


def test_only_hidden_units_tell_what_no_line_parts():
    lesson, test = blobs(400, 2, 0.1, xor=True), blobs(400, 2, 0.1, seed=1, xor=True)
    two = Network(neurons=1.0, hidden=0, iterations=600)
    right = {}
    for name, options in {
        "ridge": Ridge(),
        "logistic": Logistic(),
        "three layers": Network(neurons=1.0, iterations=600),
        "two layers": two,
    }.items():
        answers = options.fit(lesson).answers(test.features)
        right[name] = (answers.argmax(axis=1) == test.labels).mean()
    assert right.pop("three layers") > 0.95
    assert max(right.values()) < 0.75
    assert set(two.fit(lesson).arrays()) == {"weights", "offset", "features"}


def test_logistic_answers_are_scikit_learns():
    from sklearn.linear_model import LogisticRegression

    lesson = blobs()
    fitted = Logistic().fit(lesson)
    scale = lesson.features.var(axis=0).mean() ** -0.5
    seen = lesson.features * scale
    model = LogisticRegression(C=1 / (fitted.alpha * seen.var(axis=0).sum()), max_iter=500)
    model.fit(seen, lesson.labels)
    expected = model.decision_function(seen)
    ours = fitted.answers(lesson.features)
    np.testing.assert_allclose(
        ours - ours.mean(1, keepdims=True), expected - expected.mean(1, keepdims=True), atol=1e-6
    )


def test_two_classes_and_a_class_that_nobody_trained():
    lesson = blobs(n_classes=2)
    for options in (Ridge(), Logistic(), Network(neurons=1.0)):
        three = LabelledFeatures(lesson.features, lesson.labels, 3, lesson.training, lesson.alphas)
        answers = options.fit(three).answers(lesson.features)
        assert answers.shape == (240, 3)
        assert (answers.argmax(axis=1) == lesson.labels).mean() > 0.9
        assert not (answers.argmax(axis=1) == 2).any()


def test_the_sampled_neurons_are_those_that_most_paths_pass():
    """A chain 0 -> 1 -> 2 -> 3 -> 4: its middle lies between most pairs."""
    rows, columns = np.arange(1, 5), np.arange(4)
    chain = sparse.csr_matrix((np.ones(4), (rows, columns)), shape=(5, 5))
    rng = np.random.default_rng(0)
    lesson = LabelledFeatures(
        rng.random((20, 10)), rng.integers(0, 2, 20), 2, np.ones(20, bool), (1.0,), 2, chain
    )
    assert Network(neurons=0.2).columns(10, 2, chain, 0).tolist() == [2, 7]
    fitted = Network(neurons=0.2).fit(lesson)
    assert fitted.arrays()["features"].tolist() == [2, 7]
    assert fitted.arrays()["weights"].shape == (2, 20)
