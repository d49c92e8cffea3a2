"""Small samples of three classes, and a classifier that was fitted to them."""

from __future__ import annotations

import numpy as np
import pytest

import hrsnn_lava as hl

SMALL = {"network": {"size": 40}, "steps_per_frame": 5}


def bumps(n, seed=0, noise=0.15):
    """(n, 4, 3) frames: the class is the channel that is high in the second frame."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    frames = noise * rng.standard_normal((n, 4, 3))
    frames[np.arange(n), 1, labels] += 1.0
    return frames, np.array(["a", "b", "c"])[labels]


@pytest.fixture(scope="session")
def fitted():
    """Fitted and compiled."""
    classifier = hl.ReservoirClassifier(**SMALL).fit(*bumps(90))
    classifier.compile("loihi1")
    return classifier
