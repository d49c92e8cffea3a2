"""Snapping to tables: optimal clusters, exact where nothing has to move, thresholds kept."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrsnn_lava.compiler.context import Context
from hrsnn_lava.compiler.mapped import Mapped, Placement
from hrsnn_lava.compiler.palettes.breaks import cluster_1d, optimal_breaks
from hrsnn_lava.compiler.palettes.clustering import (
    decay_rate,
    nearest_decay,
    snap_compartments,
    snap_core,
    snap_thresholds,
)
from hrsnn_lava.compiler.palettes.snapping import snap, snap_network
from hrsnn_lava.compiler.passes.palette import Palette
from hrsnn_lava.errors import CapacityError
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.quantized import QuantizedNetwork, QuantizedPopulation

LOIHI = HardwareProfile.load("loihi1")
LOIHI2 = HardwareProfile.load("loihi2")


def parameters(du, dv, refractory, vth) -> np.ndarray:
    columns = np.broadcast_arrays(du, dv, refractory, vth)
    return np.stack(columns, axis=1).astype(np.int64)


def brute_force(points: np.ndarray, weights: np.ndarray, k: int) -> float:
    """Least weighted squared error over all divisions into k runs."""
    n, best = points.size, np.inf
    for cuts in itertools.combinations(range(1, n), k - 1):
        total = 0.0
        for a, b in itertools.pairwise((0, *cuts, n)):
            mean = np.average(points[a:b], weights=weights[a:b])
            total += float((weights[a:b] * (points[a:b] - mean) ** 2).sum())
        best = min(best, total)
    return best


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 9), k=st.integers(1, 5))
def test_breaks_are_optimal(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    points, weights = np.sort(rng.normal(size=n)), rng.integers(1, 5, n).astype(float)
    k = min(k, n)
    breaks = optimal_breaks(points, weights, k)
    assert breaks.error[k] == pytest.approx(brute_force(points, weights, k), abs=1e-12)
    labels = breaks.labels(k)
    assert np.unique(labels).size == k
    assert (np.diff(labels) >= 0).all()


def test_groups_are_never_mixed_and_share_the_budget() -> None:
    points = np.array([0.0, 0.1, 5.0, 0.0, 0.05])
    groups = np.array([0, 0, 0, 1, 1])
    labels = cluster_1d(points, groups, np.ones(5), 3)
    assert labels[0] == labels[1] != labels[2]
    assert labels[3] == labels[4]
    assert np.unique(labels).size == 3


def test_decays_come_back_from_their_rates() -> None:
    decays = np.arange(1, 4096)
    assert np.array_equal(nearest_decay(np.log(decay_rate(decays))), decays)
    # tau = -dt / ln(1 - dv / 4096): 1/2 is a half-life of a step.
    assert decay_rate(2048) == pytest.approx(np.log(2.0))


def test_what_fits_is_left_alone() -> None:
    rows = parameters(700, 100 + np.arange(31), 0, np.arange(31) % 7)
    new, report = snap(rows, np.zeros(31, int), LOIHI)
    assert np.array_equal(new, rows)
    assert report.changed == 0
    assert report.tau_mem.max == report.threshold.max == 0.0
    assert report.compartments_before.tolist() == [31]


def test_one_too_many_merges_the_nearest_pair() -> None:
    dv = np.array([*range(100, 1600, 50), 1600, 1601])
    assert dv.size == 32
    rows = parameters(700, dv, 0, 500)
    new, report = snap(rows, np.zeros(32, int), LOIHI)
    assert np.array_equal(new[:-2, 1], dv[:-2])
    assert new[-1, 1] == new[-2, 1]
    assert report.compartments_after.tolist() == [31]
    assert report.tau_mem.max < 1e-3


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 120),
    many_synaptic=st.booleans(),
    periods=st.integers(1, 6),
)
def test_tables_hold_whatever_the_neurons(seed, n, many_synaptic, periods) -> None:
    rng = np.random.default_rng(seed)
    rows = parameters(
        rng.integers(-1, 4096, n) if many_synaptic else rng.choice([400, 800], n),
        rng.integers(0, 4096, n),
        rng.integers(0, periods, n),
        rng.integers(0, 131072, n),
    )
    cores = np.sort(rng.integers(0, 3, n))
    cores = np.unique(cores, return_inverse=True)[1]
    new, report = snap(rows, cores, LOIHI)
    assert (report.compartments_after <= 31).all()
    assert (report.thresholds_after <= 7).all()
    assert np.array_equal(new[:, 2], rows[:, 2])  # refractory periods never change
    assert ((new[:, 0] >= -1) & (new[:, 0] <= 4095)).all()
    assert ((new[:, 1] >= 0) & (new[:, 1] <= 4095)).all()
    assert ((new[:, 3] >= 0) & (new[:, 3] <= 131071)).all()
    assert np.array_equal(new[:, 1] == 0, rows[:, 1] == 0)
    assert np.array_equal(new[:, 0] == -1, rows[:, 0] == -1)
    again, second = snap(new, cores, LOIHI)
    assert np.array_equal(again, new)
    assert second.changed == 0


def test_the_threshold_current_is_kept_where_dv_moves() -> None:
    dv = np.linspace(200, 400, 64).astype(int)
    rows = parameters(700, dv, 0, np.rint(20_000_000 / dv))
    snapped = snap_core(rows, 8, None)
    assert snapped is not None
    assert np.unique(snapped.dv).size == 8
    # The constant current that just fires a neuron is vth * dv / 4096.
    assert snapped.vth * snapped.dv == pytest.approx(rows[:, 3] * dv, rel=1e-4)


def test_errors_are_relative_changes_of_tau_and_threshold() -> None:
    rows = parameters(700, [100] * 31 + [200], np.arange(32) % 31, 1000)
    rows[-1, 2] = 0  # shares its period with the neuron of dv 100, so these two must merge
    new, report = snap(rows, np.zeros(32, int), LOIHI)
    merged = int(new[0, 1])
    assert merged == new[-1, 1] == 142  # the geometric mean of both rates is 0.03518
    tau = [-1 / np.log(1 - d / 4096) for d in (100, 200, 142)]
    assert report.tau_mem.max == pytest.approx(
        max(abs(tau[2] / tau[0] - 1), abs(tau[2] / tau[1] - 1)), rel=1e-9
    )
    assert report.changed == 2
    assert report.tau_mem.mean == pytest.approx(report.errors[:, 0].sum() / 32)
    assert report.to_dict()["tau_mem"]["max"] == report.tau_mem.max


def test_thresholds_go_to_their_geometric_mean() -> None:
    assert snap_thresholds([100, 400, 5000], 2).tolist() == [200, 200, 5000]


def test_too_many_refractory_periods() -> None:
    rows = parameters(700, 100, np.arange(32), 1000)
    assert snap_compartments(rows[:, 0], rows[:, 1], rows[:, 2], 31) is None
    with pytest.raises(CapacityError) as caught:
        snap(rows, np.zeros(32, int), LOIHI)
    (violation,) = caught.value.violations
    assert violation.where == "core 0"
    assert violation.measured.startswith("32 refractory periods")


def test_the_pass_writes_back_to_the_populations() -> None:
    rng = np.random.default_rng(1)
    a = QuantizedPopulation("a", 40, 700, rng.integers(100, 900, 40), rng.integers(100, 900, 40))
    b = QuantizedPopulation("b", 50, 700, rng.integers(100, 900, 50), rng.integers(100, 900, 50))
    network = QuantizedNetwork((a, b))
    core_of = np.repeat([0, 1], [45, 45])
    snapped, report = snap_network(network, core_of, LOIHI)
    snapped.verify()
    assert snapped.population("a").size == 40
    assert (report.thresholds_after == 7).all()
    assert np.unique(snapped.gather("vth")[:45]).size == 7
    on_cores = Mapped(network, Placement.of(core_of))
    again = Palette()(on_cores, Context(LOIHI))
    assert np.array_equal(again.network.gather("vth"), snapped.gather("vth"))
    assert np.array_equal(again.on_cores.core_of, core_of)
    without_tables, report = snap_network(network, core_of, LOIHI2)
    assert report.changed == 0
    assert np.array_equal(without_tables.gather("dv"), network.gather("dv"))


def test_result_does_not_depend_on_the_order_of_neurons() -> None:
    rng = np.random.default_rng(3)
    rows = parameters(
        rng.integers(1, 900, 90), rng.integers(50, 900, 90), 0, rng.integers(1, 9, 90)
    )
    order = rng.permutation(90)
    new, _ = snap(rows, np.zeros(90, int), LOIHI)
    shuffled, _ = snap(rows[order], np.zeros(90, int), LOIHI)
    assert np.array_equal(shuffled, new[order])


def test_active_neurons_keep_their_time_constants() -> None:
    rng = np.random.default_rng(7)
    rows = parameters(199, rng.integers(150, 1100, 300), 0, 500)
    rates = np.where(np.arange(300) < 100, 0.2, 0.0)
    alike, report = snap(rows, np.zeros(300, int), LOIHI)
    ours, weighted = snap(rows, np.zeros(300, int), LOIHI, rates=rates)
    assert weighted.errors[:100, 0].mean() < 0.8 * report.errors[:100, 0].mean()
    assert weighted.errors[100:, 0].mean() > report.errors[100:, 0].mean()
    assert not np.array_equal(alike, ours)
    scalar, _ = snap(rows, np.zeros(300, int), LOIHI, rates=0.3)
    assert np.array_equal(scalar, alike)


def test_median_error_of_gamma_time_constants_is_below_two_percent() -> None:
    """A thousand neurons, shape 3 and means of 10 and 5 ms, on the fewest cores there are."""
    rng = np.random.default_rng(11)
    tau = np.concatenate([rng.gamma(3, 10 / 3, 800), rng.gamma(3, 5 / 3, 200)])
    dv = np.rint(4096 * -np.expm1(-1 / np.clip(tau, 3, 100))).astype(int)
    rows = parameters(199, dv, 0, 500)
    _, report = snap(rows, np.zeros(1000, int), LOIHI)
    assert report.tau_mem.median < 0.02
    assert report.weighted["tau_mem"] == pytest.approx(np.sqrt((report.errors[:, 0] ** 2).mean()))


def one_core(dv, **fields) -> Mapped:
    population = QuantizedPopulation("a", len(dv), 700, dv, 1000, **fields)
    cores = np.zeros(len(dv), dtype=int)
    return Mapped(QuantizedNetwork((population,)), Placement.of(cores))


def test_the_largest_error_is_a_finding_and_says_whose_it_is() -> None:
    """32 values for 31 entries: 1600 and 1602 are merged, a change of 0.08 % of tau."""
    dv = np.array([*range(100, 1600, 50), 1600, 1602])
    _, report = Palette().apply(one_core(dv), Context(LOIHI))
    (finding,) = report["findings"]
    assert (finding["kind"], finding["severity"]) == ("palette_error", "note")
    assert finding["where"] in ("population 'a', neuron 30", "population 'a', neuron 31")
    assert finding["measured"].startswith(
        "tau_mem changed by 0.1 % on core 0, none of 32 neurons above 20 %"
    )


def test_an_error_above_a_fifth_is_a_warning() -> None:
    # 100 and 200 share a refractory period of their own, and all entries are taken
    dv = np.array([100] * 31 + [200])
    periods = np.append(np.arange(31), 0)
    _, report = Palette().apply(one_core(dv, refractory=periods), Context(LOIHI))
    (finding,) = report["findings"]
    assert finding["severity"] == "warning"
    assert "2 of 32 neurons above 20 %" in finding["measured"]  # 142: see above
    assert "partition.tolerance" in finding["fix"]


def test_what_no_table_changed_has_no_finding() -> None:
    _, report = Palette().apply(one_core(np.arange(100, 110)), Context(LOIHI))
    assert report["findings"] == []


def test_a_refused_palette_carries_its_placement() -> None:
    with pytest.raises(CapacityError) as caught:
        Palette().apply(one_core([100] * 32, refractory=np.arange(32)), Context(LOIHI))
    assert caught.value.placement.used["compartment_profiles"].worst == 32
