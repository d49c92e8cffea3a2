"""Estimators in scikit-learn's tools, where it is installed; and that it is not imported."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava.errors import SpecError

from .conftest import SMALL, bumps


def test_parameters_are_stored_as_they_are_given():
    table = {"size": 40}
    classifier = hl.ReservoirClassifier(network=table, alphas=[1, 2], seed=3)
    assert classifier.get_params()["network"] is table
    assert classifier.get_params() == {
        **hl.ReservoirClassifier().get_params(),
        "network": table,
        "alphas": [1, 2],
        "seed": 3,
    }
    assert classifier.set_params(seed=4, rate=0.1) is classifier
    assert (classifier.seed, classifier.rate) == (4, 0.1)
    with pytest.raises(SpecError, match=r"option: 'rates'; .* Did you mean 'rate'"):
        classifier.set_params(rates=0.1)
    hl.ReservoirClassifier(network=7, encoder="none", alphas=-1)  # looked at when fitted
    assert repr(classifier) == (
        "ReservoirClassifier(network={'size'}, alphas=(1, 2), rate=0.1, seed=4)"
    )
    assert "not fitted" in classifier._repr_html_()
    assert repr(hl.ReservoirForecaster()) == "ReservoirForecaster()"


@pytest.mark.once
def test_scikit_learn_is_not_imported():
    code = (
        "import sys, numpy as np, hrsnn_lava as hl\n"
        "c = hl.ReservoirClassifier(network={'size': 20}, steps_per_frame=2)\n"
        "c.fit(np.eye(8), [0, 1] * 4).predict(np.eye(8)); c.get_params(); repr(c)\n"
        "print('sklearn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.fixture(scope="module")
def sklearn():
    return pytest.importorskip("sklearn")


def test_clones_are_equal_and_not_fitted(sklearn, fitted):
    from sklearn.base import clone, is_classifier
    from sklearn.utils.validation import check_is_fitted

    twin = clone(fitted)
    assert twin.get_params() == fitted.get_params()
    assert not hasattr(twin, "classes_")
    assert is_classifier(fitted)
    assert not is_classifier(hl.ReservoirForecaster())
    check_is_fitted(fitted)
    with pytest.raises(Exception, match="not fitted"):
        check_is_fitted(twin)
    X, y = bumps(90)
    np.testing.assert_array_equal(twin.fit(X, y).predict(X), fitted.predict(X))


def test_cross_validation_of_three_dimensions(sklearn):
    from sklearn.model_selection import GroupKFold, cross_val_score

    X, y = bumps(60)
    classifier = hl.ReservoirClassifier(**SMALL)
    scores = cross_val_score(classifier, X, y, cv=3)
    first = classifier.fit(X[20:], y[20:])  # not the folds, which are stratified
    assert scores.mean() == pytest.approx(first.score(X[:20], y[:20]), abs=0.2)
    assert scores.shape == (3,)
    groups = np.arange(60) % 5
    by_group = cross_val_score(classifier, X, y, groups=groups, cv=GroupKFold(2))
    assert by_group.mean() > 0.7
    assert cross_val_score(classifier, X, y == "a", cv=2, scoring="roc_auc").mean() > 0.8


def test_pipelines_and_grids(sklearn):
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler

    X, y = bumps(60)
    flat = X.reshape(60, 12)
    pipe = make_pipeline(MinMaxScaler(), hl.ReservoirClassifier(**SMALL))
    grid = {"reservoirclassifier__network": [{"size": 2}, {"size": 40}]}
    search = GridSearchCV(pipe, grid, cv=2).fit(flat, y)
    assert search.best_params_ == {"reservoirclassifier__network": {"size": 40}}
    assert search.best_estimator_[-1].network_.n_neurons == 40
    assert search.score(flat, y) > 0.8
    assert "ReservoirClassifier" in repr(pipe)
    assert "ReservoirClassifier" in pipe._repr_html_()
    features = make_pipeline(hl.ReservoirClassifier(**SMALL), LogisticRegression(max_iter=500))
    assert features.fit(X, y).score(X, y) > 0.8


def test_a_forecaster_is_cross_validated_along_the_series(sklearn):
    from sklearn.model_selection import TimeSeriesSplit, cross_val_score

    t = 0.2 * np.arange(500)
    series = np.stack([np.sin(t), np.cos(2.2 * t)], 1)
    forecaster = hl.ReservoirForecaster(
        network={"size": 40}, validation_windows=0, replays=1, steps_per_sample=10
    )
    scores = cross_val_score(forecaster, series, cv=TimeSeriesSplit(2))
    assert scores.shape == (2,)
    assert scores.min() > 0.5
