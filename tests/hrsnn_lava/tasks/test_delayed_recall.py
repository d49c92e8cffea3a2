"""Delayed recall with systems whose memory is known."""

from __future__ import annotations

import numpy as np
import pytest

from hrsnn_lava.errors import SpecError
from hrsnn_lava.tasks.delayed_recall import DelayedRecall

TASK = DelayedRecall(train=120, validation=40, test=80, delay=6, steps_per_frame=3)


class Latch:
    """Not a network: after the cue, the neuron of the symbol fires for so many frames."""

    n_neurons = 4

    def __init__(self, frames):
        self._frames = frames

    def reset(self, _=None):
        self._left = 0

    def run(self, x, steps):
        if x[-1] > 0:
            self._symbol, self._left = int(np.argmax(x[:-1])), self._frames + 1
        self._left -= 1
        neurons = np.full(5 if self._left >= 0 else 0, self._symbol)
        return np.full(neurons.size, steps - 1, np.int32), neurons


@pytest.mark.parametrize("frames", [0, 3, 6])
def test_the_span_is_that_of_the_memory(frames):
    outcome = TASK.trial(1).evaluate(Latch(frames), np.random.default_rng(0))
    curve = outcome.details["recall_curve"]
    # the trace of the last spikes is still there a little later, so the end is not sharp
    assert curve[:frames] == [1.0] * frames
    assert outcome.scores["recall_span"].value >= frames
    assert outcome.scores.headline.value == pytest.approx(np.mean(curve))
    assert outcome.scores["recall_accuracy_longest"].value == curve[-1]
    assert outcome.readout["weights"].shape == (4, 4)


def test_nothing_is_recalled_of_what_was_never_there():
    class Silent(Latch):
        def run(self, x, steps):
            del x, steps
            return np.zeros(0, np.int32), np.zeros(0, np.int64)

    outcome = TASK.trial(1).evaluate(Silent(0), np.random.default_rng(0))
    assert outcome.scores.headline.value == pytest.approx(0.25, abs=0.01)
    assert outcome.scores["recall_span"].value == 0


def test_baselines_are_chance_and_all():
    outcomes = {name: run() for name, run in TASK.trial(2).baselines(40).items()}
    last, line, esn = (outcome.scores for outcome in outcomes.values())
    assert last.headline.value == pytest.approx(0.25, abs=0.08)
    assert (line.headline.value, line["recall_span"].value) == (1.0, 6.0)
    assert last.headline.value < esn.headline.value


def test_samples_are_a_cue_and_distractors():
    trial = DelayedRecall(train=400, validation=4, test=400, distractors=0.3).trial(5)
    frames, symbols = trial.frames, trial.symbols
    assert frames.shape == (804, 11, 5)
    np.testing.assert_array_equal(frames[:, 0, :4].argmax(axis=1), symbols)
    np.testing.assert_array_equal(frames[:, 0].sum(axis=1), 2.0)
    np.testing.assert_array_equal(frames[:, 1:, 4], 0.0)
    shown = frames[:, 1:, :4].sum(axis=2)
    assert set(np.unique(shown)) == {0.0, 1.0}
    assert shown.mean() == pytest.approx(0.3, abs=0.02)
    np.testing.assert_array_equal(np.bincount(symbols[:400]), 100)
    np.testing.assert_array_equal(np.bincount(symbols[-400:]), 100)
    # a distractor says nothing of the symbol: it is the same one in a quarter of the cases
    sample, frame = np.nonzero(shown)
    same = frames[sample, frame + 1, symbols[sample]]
    assert same.mean() == pytest.approx(0.25, abs=0.03)
    assert trial.lesson.n_blocks == 400 * 11
    assert np.diff(trial.lesson.bounds).tolist() == [11] * (trial.lesson.bounds.size - 1)


def test_one_symbol_is_none():
    with pytest.raises(SpecError, match="symbols: 1; allowed: >= 2"):
        DelayedRecall(symbols=1)
    with pytest.raises(SpecError, match="train: 3; allowed: >= symbols = 4"):
        DelayedRecall(train=3)
