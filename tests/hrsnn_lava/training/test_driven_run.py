"""What a criterion sees: traces by their definition, inputs in bins, trials and series."""

from __future__ import annotations

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava.aftercare_options import PortfolioOptions
from hrsnn_lava.errors import SpecError
from hrsnn_lava.seeding import generator
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator
from hrsnn_lava.training.course import stimulus_of
from hrsnn_lava.training.driven_run import drive, part_of_lesson
from hrsnn_lava.training.simulation import Stimulus

OPTIONS = PortfolioOptions(washout=5, samples=20)


def network(target: str) -> hl.Network:
    table = {"size": 30, "connectivity": {"mean_degree": 6.0}}
    table["input"] = {"share": 1.0, "target": target, "graded": False}
    table = {**table, "input": {"share": 1.0}} if target == "bias" else table
    return hl.build_hrsnn(hl.Spec.parse({"network": table}), seed=2, n_inputs=2)


def spikes(n_steps: int, seed: int = 0, n: int = 12) -> hl.SpikeInput:
    rng = np.random.default_rng(seed)
    cells = np.unique(rng.integers(0, 2 * n_steps, n))
    return hl.SpikeInput(cells // 2, cells % 2, n_steps, 2)


def test_rows_of_a_series_are_traces_by_their_definition() -> None:
    """z = sum over spikes of exp(-age / tau), tau one sample, from each initial state."""
    net, values = network("bias"), np.random.default_rng(0).standard_normal((40, 2))
    shown = part_of_lesson(Stimulus(values, 4), OPTIONS)
    assert shown.n_blocks == 25
    run, counted = drive(net, shown, OPTIONS, seed=7)
    assert not run.trials
    assert run.ends.tolist() == list(range(5, 25))
    np.testing.assert_array_equal(run.inputs, values[:25])
    total = 0
    for traces, k in ((run.traces, 0), (run.again, 1)):
        simulator = FloatSimulator(net)
        simulator.reset(generator(7, "screening", k))
        z, rows = np.zeros(30), []
        for x in shown.inputs:
            at, who = simulator.run(x, 4)
            total += who.size
            z = z * np.exp(-1.0) + np.bincount(who, np.exp(-(3 - at) / 4.0), 30)
            rows.append(z)
        np.testing.assert_allclose(traces, rows[5:], atol=1e-12)
    assert counted == total > 0
    assert not np.array_equal(run.traces, run.again)


def test_rows_of_trials_are_their_ends() -> None:
    net = network("bias")
    rng = np.random.default_rng(1)
    samples = [rng.standard_normal((n, 2)) for n in (3, 5, 4)]
    lesson = stimulus_of(samples, 2, 4)
    run, _ = drive(net, part_of_lesson(lesson, OPTIONS), OPTIONS, seed=0)
    assert run.trials
    assert run.ends.tolist() == [2, 7, 11]
    assert run.begins.tolist() == [0, 3, 8]
    # each from the same potentials, whatever was shown before it
    alone, _ = drive(net, stimulus_of(samples[:1], 2, 4), OPTIONS, seed=0)
    np.testing.assert_array_equal(run.traces[0], alone.traces[0])
    assert run.traces[1].any()


def test_trials_are_spread_evenly() -> None:
    samples = [np.full((2, 2), float(k)) for k in range(50)]
    few = part_of_lesson(stimulus_of(samples, 2, 4), PortfolioOptions(samples=5))
    assert np.asarray(few.inputs)[::2, 0].tolist() == [0, 12, 24, 37, 49]
    assert (few.block, few.starts.tolist()) == (4, [0, 2, 4, 6, 8])


@pytest.mark.parametrize("block", [1, 5])
def test_trials_of_spikes_keep_their_spikes_and_frames(block: int) -> None:
    pieces = [spikes(n, n) for n in (20, 30, 25, 40)]
    joined = stimulus_of(pieces, 2, 1)
    lesson = Stimulus(joined.inputs, block, joined.starts // block)
    few = part_of_lesson(lesson, PortfolioOptions(samples=2))
    assert few.block == block
    assert (few.starts * block).tolist() == [0, 20]
    o = PortfolioOptions(bin_steps=5)
    run, _ = drive(network("synapse"), lesson, o, seed=0)
    assert (run.ends - run.begins + 1).tolist() == [4, 6, 5, 8]
    for piece, begin, end in zip(pieces, run.begins, run.ends, strict=True):
        dense = np.zeros((piece.n_steps, 2))
        dense[piece.steps, piece.neurons] = 1.0
        binned = dense.reshape(-1, 5, 2).sum(axis=1)
        np.testing.assert_array_equal(run.inputs[begin : end + 1], binned)


def test_what_is_left_over_goes_into_the_first_bin() -> None:
    """23 steps are two bins of 10, counted from the end: the first one has 13 steps."""
    piece = hl.SpikeInput([0, 2, 3, 12, 13, 22], [0, 0, 0, 0, 0, 0], 23, 2)
    lesson = stimulus_of([piece, piece], 2, 1)
    run, _ = drive(network("synapse"), lesson, PortfolioOptions(), seed=0)
    assert run.inputs[:, 0].tolist() == [4.0, 2.0] * 2


def test_a_series_of_spikes_is_seen_in_bins() -> None:
    recording = spikes(205, n=60)
    shown = part_of_lesson(Stimulus(recording, 1), OPTIONS)
    run, _ = drive(network("synapse"), shown, OPTIONS, seed=0)
    dense = np.zeros((205, 2))
    dense[recording.steps, recording.neurons] = 1.0
    np.testing.assert_array_equal(run.inputs, dense[:200].reshape(20, 10, 2).sum(axis=1))
    assert run.traces.shape == (15, 30)


def test_payloads_are_what_is_counted() -> None:
    graded = hl.SpikeInput([0, 3, 11], [0, 0, 1], 20, 2, payloads=[4, -1, 7])
    shown = part_of_lesson(Stimulus(graded, 10), PortfolioOptions(washout=0))
    table = {"size": 30, "connectivity": {"mean_degree": 6.0}, "input": {"target": "synapse"}}
    net = hl.build_hrsnn(hl.Spec.parse({"network": table}), seed=2, n_inputs=2)
    run, _ = drive(net, shown, PortfolioOptions(washout=0), seed=0)
    assert run.inputs.tolist() == [[3.0, 0.0], [0.0, 7.0]]


def test_a_series_that_ends_in_the_washout_is_refused() -> None:
    with pytest.raises(SpecError, match="lesson: 30 samples; allowed: more than washout = 50"):
        part_of_lesson(Stimulus(np.zeros((30, 1)), 4), PortfolioOptions())
