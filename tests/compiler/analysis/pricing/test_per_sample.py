"""Samples: how a run is cut, and that what its samples cost adds up to what the run costs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from hrsnn_lava.chip_learning import Learning, pair_stdp
from hrsnn_lava.compiler.analysis.operations.counting import count_trace
from hrsnn_lava.compiler.analysis.operations.windows import (
    Windows,
    by_length,
    equal_windows,
    from_count,
    from_starts,
    joined,
)
from hrsnn_lava.compiler.analysis.pricing.energy import energy, event_counts
from hrsnn_lava.compiler.analysis.pricing.latency import latency
from hrsnn_lava.compiler.analysis.pricing.per_sample import per_sample, spread, window_counts
from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.compiler.mapped import Placement
from hrsnn_lava.errors import SpecError
from hrsnn_lava.hardware_profiles import CostSet, HardwareProfile
from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
)
from hrsnn_lava.sim_backends.runs.session import simulate
from hrsnn_lava.trace import SpikeInput, Trace

LOIHI = HardwareProfile.load("loihi1")


def random_run(seed: int, n_steps: int, learning: bool = False) -> tuple[CompiledNetwork, Trace]:
    rng = np.random.default_rng(seed)
    n, n_in, n_cores = 14, 3, 3
    rule = Learning((pair_stdp((1, 0), (1, 0), 10.0, 10.0, t_epoch=3),)) if learning else None
    populations = (
        QuantizedInput("inp", n_in),
        QuantizedPopulation("a", n, rng.integers(100, 2000, n), 300, 40, bias_mant=30),
    )
    inner = sparse.csr_matrix(2 * rng.integers(-4, 9, (n, n)) * (rng.random((n, n)) < 0.3))
    outer = sparse.csr_matrix(2 * rng.integers(1, 99, (n, n_in)))
    projections = (
        QuantizedProjection("inp_a", "inp", "a", outer),
        QuantizedProjection("a_a", "a", "a", inner, learning=rule),
    )
    core_of = np.concatenate([np.arange(n_cores), rng.integers(0, n_cores, n - n_cores)])
    places = Placement.of(core_of, [[0, 0], [2, 1], [0, 3]])
    network = QuantizedNetwork(populations, projections)
    steps, channels = np.nonzero(rng.random((n_steps, n_in)) < 0.3)
    inputs = SpikeInput(steps, channels, n_steps, n_in)
    return CompiledNetwork(network, LOIHI, places), simulate(network, inputs, n_steps, "native")


def cut(draw, n_steps: int) -> Windows:
    """Any cut of a run into windows."""
    starts = draw(st.sets(st.integers(0, n_steps - 1), min_size=1, max_size=6))
    return from_starts(n_steps, sorted(starts))


@settings(max_examples=30, deadline=None)
@given(data=st.data(), seed=st.integers(0, 10**6), n_steps=st.integers(1, 40))
@pytest.mark.parametrize("name", ["sanafe_loihi", "davies2018"])
def test_samples_and_what_is_outside_add_up_to_the_run(name, data, seed, n_steps) -> None:
    program, trace = random_run(seed, n_steps, learning=name == "davies2018")
    windows, prices = cut(data.draw, n_steps), CostSet.load(name)
    found = count_trace(program, trace)
    counts = window_counts(program, trace, windows, found.ops)
    whole = event_counts(found.ops, found.done)
    for key, values in counts.items():
        assert values.sum() == whole[key], key
    total = energy(whole, prices, LOIHI, n_steps, 2e-5)
    parts = per_sample(program, windows, counts, prices, step_time_s=2e-5)
    assert parts.dynamic_j.sum() == pytest.approx(total.dynamic_j, rel=1e-12)
    assert parts.total_j.sum() == pytest.approx(total.total_j, rel=1e-12)
    assert parts.wall_time_s.sum() == pytest.approx(total.wall_time_s, rel=1e-12)


@settings(max_examples=20, deadline=None)
@given(data=st.data(), seed=st.integers(0, 10**6), n_steps=st.integers(1, 40))
def test_as_fast_as_possible_adds_up_too(data, seed, n_steps) -> None:
    program, trace = random_run(seed, n_steps)
    windows, prices = cut(data.draw, n_steps), CostSet.load("sanafe_loihi")
    found = count_trace(program, trace)
    took = latency(program, trace, prices, windows=windows)
    whole = energy(
        event_counts(found.ops, found.done), prices, LOIHI, n_steps, took.total_s / n_steps
    )
    counts = window_counts(program, trace, windows, found.ops)
    parts = per_sample(program, windows, counts, prices, wall_time_s=took.windows_s)
    assert parts.total_j.sum() == pytest.approx(whole.total_j, rel=1e-12)
    assert parts.wall_time_s.sum() == pytest.approx(took.total_s, rel=1e-12)


def test_counts_of_a_sample_are_those_of_its_spikes() -> None:
    program, trace = random_run(3, 30)
    windows = by_length(30, 10)
    ops = count_trace(program, trace).ops
    counts = window_counts(program, trace, windows, ops)
    spikes = [np.sum((trace.spike_steps >= a) & (trace.spike_steps < a + 10)) for a in (0, 10, 20)]
    assert counts["spikes"].tolist() == [*spikes, 0]
    assert counts["synaptic_operations"].tolist()[:3] == ops.per_step.reshape(3, 10).sum(1).tolist()
    assert counts["neuron_updates"].tolist() == [140, 140, 140, 0]


def test_a_price_that_is_missing_makes_the_totals_null() -> None:
    program, trace = random_run(3, 9, learning=True)
    windows = by_length(9, 3)
    counts = window_counts(program, trace, windows, count_trace(program, trace).ops)
    found = per_sample(program, windows, counts, CostSet.load("sanafe_loihi"))
    assert found.total_j is None
    assert found.to_dict()["total_j"] == {"mean": None, "sd": None, "min": None, "max": None}
    assert found.to_dict()["dynamic_j"]["mean"] > 0
    without = per_sample(program, windows, counts, None).to_dict()
    assert without["dynamic_j"]["mean"] is None
    assert without["sops"]["mean"] > 0
    unknown = per_sample(program, windows, counts, CostSet.load("davies2018"), step_time_s=None)
    assert unknown.total_j is None
    assert unknown.wall_time_s is None


def test_spread_by_hand() -> None:
    assert spread([1, 2, 3, 6]) == {"mean": 3.0, "sd": (14 / 3) ** 0.5, "min": 1.0, "max": 6.0}
    assert spread([5]) == {"mean": 5.0, "sd": None, "min": 5.0, "max": 5.0}


@settings(max_examples=60, deadline=None)
@given(n_steps=st.integers(1, 60), data=st.data())
def test_every_step_is_in_one_window_or_outside(n_steps, data) -> None:
    windows = data.draw(
        st.one_of(
            st.integers(1, n_steps).map(lambda s: by_length(n_steps, s)),
            st.builds(lambda: cut(data.draw, n_steps)),
        )
    )
    assert windows.lengths.min() >= 1
    assert windows.lengths.sum() + windows.outside == n_steps
    of = windows.of(np.arange(n_steps))
    assert np.bincount(of, minlength=windows.count + 1).tolist() == [
        *windows.lengths.tolist(),
        windows.outside,
    ]


def test_cuts_by_hand() -> None:
    assert equal_windows(12, 4).bounds.tolist() == [0, 3, 6, 9, 12]
    assert by_length(11, 4).bounds.tolist() == [0, 4, 8]
    assert by_length(11, 4).outside == 3
    assert from_starts(10, [2, 5]).bounds.tolist() == [2, 5, 10]
    assert from_count(53, 10.6).bounds.tolist() == list(range(0, 51, 5))
    assert from_count(10, 3.0) is None
    assert from_count(10, 20.0) is None


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: equal_windows(12, 5), "5 equal windows of 12 steps; allowed: .* 4, 6"),
        (lambda: equal_windows(12, 13), "13 equal windows"),
        (lambda: equal_windows(0, 1), "there are no steps"),
        (lambda: by_length(5, 6), r"steps per sample: 6; allowed: 1\.\.5"),
        (lambda: from_starts(5, [3, 3]), "rising steps"),
        (lambda: from_starts(5, [0, 5]), r"rising steps in 0\.\.4"),
        (lambda: from_starts(5, [-1]), "rising steps"),
        (lambda: from_starts(5, []), "allowed: integers"),
        (lambda: from_starts(5, [0.5]), "float64"),
        (lambda: joined([]), "do not join"),
    ],
)
def test_wrong_cuts_say_what_is_allowed(make, text) -> None:
    with pytest.raises(SpecError, match=text):
        make()


def test_joined_runs_count_as_the_runs_do() -> None:
    program, first = random_run(1, 11)
    second = simulate(program.network, SpikeInput.empty(7, 3), 7, "native")
    whole, windows = joined([first, second])
    assert windows.bounds.tolist() == [0, 11, 18]
    assert whole.n_steps == 18
    counts = window_counts(program, whole, windows, count_trace(program, whole).ops)
    for k, trace in enumerate((first, second)):
        alone = count_trace(program, trace)
        assert counts["synaptic_operations"][k] == alone.ops.total
        assert counts["messages"][k] == alone.done.messages
        assert counts["neuron_updates_active"][k] == alone.done.neuron_updates_active


def test_runs_of_other_networks_do_not_join() -> None:
    none = np.zeros(0, np.int32)
    with pytest.raises(SpecError, match=r"\[2, 3\] neurons"):
        joined([Trace(none, none, 5, 2), Trace(none, none, 5, 3)])
    with pytest.raises(SpecError, match="without steps"):
        joined([Trace(none, none, 0, 2)])


def test_events_after_the_end_of_a_run_do_not_reach_the_next() -> None:
    none = np.zeros(0, np.int32)
    early = Trace(none, none, 3, 1, inputs=SpikeInput(np.array([1, 4]), np.array([0, 0]), 5, 1))
    late = Trace(none, none, 2, 1, inputs=SpikeInput(np.array([0]), np.array([0]), 2, 1))
    whole, _ = joined([early, late])
    assert whole.inputs.steps.tolist() == [1, 3]
