"""What a partition is told of the cost of a core's table."""

from __future__ import annotations

import numpy as np
import pytest

from hrsnn_lava.compiler.palettes.clustering import log_rates, snap_compartments
from hrsnn_lava.compiler.palettes.cost import CellTable, global_palette, palette_cost


def gamma_neurons(n, *, synaptic=False, seed=0):
    rng = np.random.default_rng(seed)
    dv = np.rint(4096 * -np.expm1(-1 / np.clip(rng.gamma(3, 10 / 3, n), 3, 100)))
    du = rng.integers(100, 900, n) if synaptic else np.full(n, 199)
    return np.stack([du, dv, np.zeros(n), np.full(n, 500)], axis=1).astype(np.int64)


def test_the_cost_is_the_error_of_snapping() -> None:
    rows = gamma_neurons(400)
    du, dv = snap_compartments(*rows[:, :3].T, 31)
    moved = rows.copy()
    moved[:, 0], moved[:, 1] = du, dv
    error = float(((log_rates(rows) - log_rates(moved)) ** 2).sum())
    # the integers of the centres are rounded
    assert palette_cost(rows, None, None, 31) == pytest.approx(error, rel=0.02)


def test_cost_of_members_and_of_tables_that_hold_all() -> None:
    rows = gamma_neurons(300)
    members = np.arange(0, 300, 3)
    weights = np.random.default_rng(1).uniform(0.1, 2, 300)
    whole = palette_cost(rows[members], weights[members], None, 31)
    assert palette_cost(rows, weights, members, 31) == whole > 0
    assert palette_cost(rows, 2 * weights, members, 31) == pytest.approx(2 * whole)
    assert palette_cost(rows, None, members[:31], 31) == 0.0
    assert palette_cost(rows, None, members, None) == 0.0
    periods = rows.copy()
    periods[:, 2] = np.arange(300) % 40
    assert palette_cost(periods, None, None, 31) == np.inf


@pytest.mark.parametrize(("n", "synaptic"), [(300, False), (1000, False), (300, True), (700, True)])
def test_the_estimate_is_near_the_cost(n, synaptic) -> None:
    rows = gamma_neurons(n, synaptic=synaptic)
    cells = CellTable.of(rows, 31)
    assert cells.dimensions == 1 + synaptic
    _, sums = cells.sums(np.zeros(n, int), np.ones(n), 1)
    assert cells.cost(sums)[0] == pytest.approx(palette_cost(rows, None, None, 31), rel=0.25)


def test_one_moved_neuron_changes_two_terms() -> None:
    rows = gamma_neurons(200)
    cells, weights = CellTable.of(rows, 31), np.random.default_rng(2).uniform(0.1, 2, 200)
    core_of = np.arange(200) % 3
    mass, sums = cells.sums(core_of, weights, 3)
    neuron, target = 7, 2
    source, cell = core_of[neuron], cells.cell_of[neuron]
    for core, change in ((source, -weights[neuron]), (target, weights[neuron])):
        old = mass[core, cell]
        sums[core] += max(old + change, 0.0) ** cells.exponent - old**cells.exponent
    core_of[neuron] = target
    np.testing.assert_allclose(sums, cells.sums(core_of, weights, 3)[1])


def test_a_global_palette_holds_every_neuron() -> None:
    rows = gamma_neurons(500, synaptic=True)
    rows[:50, 2] = 3
    rows[50:60, 1], rows[60:70, 0] = 0, -1
    found = global_palette(rows, 40)
    assert found.table.shape[0] <= 40
    chosen = found.table[found.labels]
    assert np.array_equal(chosen[:, 2], rows[:, 2])
    assert np.array_equal(chosen[:, 1] == 0, rows[:, 1] == 0)
    assert np.array_equal(chosen[:, 0] == -1, rows[:, 0] == -1)
    finer = global_palette(rows, 120)
    assert finer.error < found.error
    assert global_palette(rows[:, :4], 500).error == 0.0
    rows[:, 2] = np.arange(500) % 50
    assert global_palette(rows, 40) is None
