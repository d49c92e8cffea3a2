"""Step latencies against sums done by hand on two cores, and against a loop over every event."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from hrsnn_lava.chip_learning import Learning, pair_stdp
from hrsnn_lava.compiler.analysis.operations.counting import loads
from hrsnn_lava.compiler.analysis.operations.windows import by_length
from hrsnn_lava.compiler.analysis.pricing.latency import LatencyMeter, latency
from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.compiler.mapped import Placement
from hrsnn_lava.hardware_profiles import CostSet, HardwareProfile
from hrsnn_lava.quantized import QuantizedNetwork, QuantizedPopulation, QuantizedProjection
from hrsnn_lava.trace import Trace

LOIHI = HardwareProfile.load("loihi1")
SANAFE = CostSet.load("sanafe_loihi")
NS = 1e-9


def placed(weights, core_of, tiles=None, profile=LOIHI, learning=None) -> CompiledNetwork:
    matrix = sparse.csr_matrix(np.asarray(weights))
    population = QuantizedPopulation("a", matrix.shape[0], 100, 100, 100)
    projection = QuantizedProjection("p", "a", "a", matrix, learning=learning)
    network = QuantizedNetwork((population,), (projection,))
    return CompiledNetwork(network, profile, Placement.of(core_of, tiles))


def run(steps, neurons, n_steps, n_neurons) -> Trace:
    return Trace(np.asarray(steps, np.int32), np.asarray(neurons, np.int32), n_steps, n_neurons)


@pytest.fixture
def two_cores() -> CompiledNetwork:
    """Neurons 0, 1 on tile (0, 0), 2 on tile (3, 2); 0 feeds 1 and 2, 2 feeds 0 and 1."""
    weights = np.zeros((3, 3), int)
    weights[1, 0] = weights[2, 0] = weights[0, 2] = weights[1, 2] = 2
    return placed(weights, [0, 0, 1], [[0, 0], [3, 2]])


def test_a_silent_step_is_the_updates_of_the_fullest_core_and_the_barrier(two_cores) -> None:
    found = latency(two_cores, run([], [], 5, 3), SANAFE)
    # access 6.0 and update 3.7 ns for each of two neurons; two tiles agree in 1.0 us
    assert found.compute_s == pytest.approx(5 * 2 * 9.7 * NS, rel=1e-12)
    assert found.network_s == 0
    assert found.barrier_s == pytest.approx(5e-6, rel=1e-12)
    assert found.slowest_s == pytest.approx(19.4 * NS + 1e-6, rel=1e-12)
    assert found.tiles == 2
    assert found.unknown == ()
    assert found.evidence == ("derived",)
    assert not found.proxy


def test_one_spike_by_hand(two_cores) -> None:
    found = latency(two_cores, run([1], [0], 3, 3), SANAFE)
    # core 0: two updates, a spike, two messages out, one in, one synapse
    core_0 = 2 * 9.7 + 30.0 + 2 * 5.1 + 16.0 + 4.7
    # core 1: one update, one message in, one synapse
    assert core_0 > 9.7 + 16.0 + 4.7
    assert found.compute_s == pytest.approx((2 * 19.4 + core_0) * NS, rel=1e-12)
    assert found.network_s == pytest.approx((3 * 4.1 + 2 * 6.5) * NS, rel=1e-12)
    slowest = (core_0 + 3 * 4.1 + 2 * 6.5) * NS + 1e-6
    assert found.slowest_s == pytest.approx(slowest, rel=1e-12)


def test_the_slowest_core_may_be_one_that_only_listens(two_cores) -> None:
    found = latency(two_cores, run([0], [2], 1, 3), SANAFE)
    core_0 = 2 * 9.7 + 16.0 + 2 * 4.7
    core_1 = 9.7 + 30.0 + 5.1
    assert found.compute_s == pytest.approx(max(core_0, core_1) * NS, rel=1e-12)


@pytest.mark.parametrize(("tiles", "seconds"), [(1, 0.6e-6), (2, 1e-6), (3, 1.4e-6), (29, 1.8e-6)])
def test_the_barrier_is_the_next_larger_entry_of_the_table(tiles, seconds) -> None:
    places = [[k // 4, k % 4] for k in range(tiles)]
    program = placed(np.zeros((tiles, tiles), int), np.arange(tiles), places)
    assert latency(program, run([], [], 1, tiles), SANAFE).barrier_s == seconds


def test_more_tiles_than_the_table_has_are_not_known() -> None:
    places = [[k // 4, k % 4] for k in range(30)]
    program = placed(np.zeros((30, 30), int), np.arange(30), places)
    found = latency(program, run([], [], 1, 30), SANAFE, windows=by_length(1, 1))
    assert found.unknown == ("barrier of 30 tiles",)
    assert found.barrier_s is None
    assert found.total_s is None
    assert found.slowest_s is None
    assert found.windows_s is None
    assert found.compute_s == pytest.approx(9.7 * NS, rel=1e-12)
    assert found.at_least_s == found.compute_s


def test_a_time_that_nobody_published_is_named_where_its_event_happens(two_cores) -> None:
    davies = CostSet.load("davies2018")
    silent = latency(two_cores, run([], [], 2, 3), davies)
    # 8.4 ns for each of two active updates; two tiles take the entry for 32
    assert silent.compute_s == pytest.approx(2 * 2 * 8.4 * NS, rel=1e-12)
    assert silent.barrier_s == pytest.approx(2 * 465 * NS, rel=1e-12)
    assert silent.evidence == ("unverified",)
    spiking = latency(two_cores, run([0], [0], 2, 3), davies)
    assert spiking.unknown == ("message in",)
    assert spiking.compute_s is None
    assert spiking.total_s is None
    assert spiking.network_s == pytest.approx((3 * 4.1 + 2 * 6.5) * NS, rel=1e-12)


def test_an_all_in_set_has_no_times(two_cores) -> None:
    found = latency(two_cores, run([0], [0], 2, 3), CostSet.load("truenorth_all_in"))
    assert found.total_s is None
    assert found.proxy
    assert "barrier of 2 tiles" in found.unknown


def test_without_a_cost_set_nothing_is_known(two_cores) -> None:
    found = latency(two_cores, run([0], [0], 2, 3), None)
    assert found.unknown == ("no cost set for this chip",)
    assert found.total_s is found.compute_s is found.network_s is None


def test_a_chip_without_a_mesh_has_unknown_hops() -> None:
    program = placed(np.full((2, 2), 2), [0, 1])
    found = latency(program, run([0], [0], 1, 2), SANAFE)
    assert found.tiles is None
    assert found.unknown == ("barrier", "hops")
    assert found.network_s is None
    one = placed(np.full((2, 2), 2), [0, 0])
    assert latency(one, run([0], [0], 1, 2), SANAFE).barrier_s == 0.6e-6


def test_learning_takes_time_when_an_epoch_ends() -> None:
    rule = Learning((pair_stdp((1, 0), (1, 0), 20.0, 20.0, t_epoch=4),))
    program = placed(np.full((2, 2), 2), [0, 0], [[0, 0]], learning=rule)
    davies = CostSet.load("davies2018")
    found = latency(program, run([], [], 9, 2), davies)
    # 9 steps hold two ends of an epoch of 4, with four synapses each
    assert found.compute_s == pytest.approx((9 * 2 * 8.4 + 2 * 4 * 6.1) * NS, rel=1e-12)
    assert latency(program, run([], [], 3, 2), davies).compute_s == pytest.approx(6 * 8.4 * NS)
    assert latency(program, run([], [], 4, 2), SANAFE).unknown == ("learning update",)


def by_loop(program: CompiledNetwork, trace: Trace, price: CostSet) -> list[float]:
    """Step by step, event by event; every neuron is active."""
    times = {c.count: c.time_s for c in price.coefficients}
    matrix, cores = program.network.projections[0].weights, program.core_of
    places = program.placement.coordinates
    barrier = min(
        s
        for n, s in zip(price.barrier.tiles, price.barrier.seconds, strict=True)
        if n >= len({tuple(p) for p in places.tolist()})
    )
    found = []
    for step in range(trace.n_steps):
        work = np.bincount(cores) * (times["neuron_updates"] + times["neuron_updates_active"])
        way = 0.0
        for j in trace.spike_neurons[trace.spike_steps == step]:
            work[cores[j]] += times["spikes"]
            onto = matrix[:, j].nonzero()[0]
            for i in onto:
                work[cores[i]] += times["synaptic_operations"]
            for core in set(cores[onto].tolist()):
                work[cores[j]] += times["messages"]
                work[core] += price.message_in.time_s
                dx, dy = np.abs(places[core] - places[cores[j]])
                way = max(way, dx * times["hops_x"] + dy * times["hops_y"])
        found.append(work.max() + way + barrier)
    return found


def random_run(seed: int) -> tuple[CompiledNetwork, Trace]:
    rng = np.random.default_rng(seed)
    n, n_cores, n_steps = 12, int(rng.integers(1, 5)), int(rng.integers(1, 14))
    cores = np.concatenate([np.arange(n_cores), rng.integers(0, n_cores, n - n_cores)])
    places = np.stack([rng.integers(0, 8, n_cores), rng.integers(0, 4, n_cores)], axis=1)
    program = placed(2 * (rng.random((n, n)) < 0.3), cores, places)
    steps, neurons = np.nonzero(rng.random((n_steps, n)) < 0.2)
    return program, run(steps, neurons, n_steps, n)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), length=st.integers(1, 13), block=st.integers(1, 5))
def test_any_run_equals_the_loop_however_it_is_cut(seed, length, block) -> None:
    program, trace = random_run(seed)
    expected = by_loop(program, trace, SANAFE)
    windows = by_length(trace.n_steps, min(length, trace.n_steps))
    meter = LatencyMeter(program, SANAFE, windows)
    for load in loads(program, trace, block):
        meter.add(load, trace)
    found = meter.result(trace.n_steps)
    assert found.total_s == pytest.approx(sum(expected), rel=1e-12)
    assert found.slowest_s == pytest.approx(max(expected), rel=1e-12)
    inside = [sum(expected[a:b]) for a, b in zip(windows.bounds, windows.bounds[1:], strict=False)]
    np.testing.assert_allclose(found.windows_s[:-1], inside, rtol=1e-12)
    assert found.windows_s.sum() == pytest.approx(found.total_s, rel=1e-12)


def test_an_empty_run_takes_no_time(two_cores) -> None:
    found = latency(two_cores, run([], [], 0, 3), SANAFE)
    assert found.total_s == 0
    assert found.slowest_s == 0


def test_the_time_of_a_passage_between_chips_is_not_known() -> None:
    """Two chips of 8 tiles: one message stays on its chip, one does not."""
    apart = placed(np.array([[0, 0], [2, 0]]), [0, 1], [[7, 0], [8, 0]])
    found = latency(apart, run([0], [0], 1, 2), SANAFE)
    assert found.network_s is None
    assert "chip crossing" in found.unknown
    assert found.compute_s is not None
    beside = placed(np.array([[0, 0], [2, 0]]), [0, 1], [[6, 0], [7, 0]])
    assert latency(beside, run([0], [0], 1, 2), SANAFE).network_s == pytest.approx(4.1 * NS)
