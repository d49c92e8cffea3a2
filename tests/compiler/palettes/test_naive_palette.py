"""The palette to compare with: valid, deterministic, and worse."""

from __future__ import annotations

import numpy as np

from hrsnn_lava.compiler.palettes.clustering import Snapped, relative_errors
from hrsnn_lava.compiler.palettes.naive import naive_core, snap_naively
from hrsnn_lava.compiler.palettes.snapping import snap
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.seeding import generator

LOIHI = HardwareProfile.load("loihi1")


def neurons(n, seed=0):
    rng = np.random.default_rng(seed)
    dv = np.rint(4096 * -np.expm1(-1 / np.clip(rng.gamma(3, 10 / 3, n), 3, 100)))
    vth = np.rint(3e6 / dv * rng.normal(1, 0.1, n))
    return np.stack([np.full(n, 199), dv, rng.integers(0, 3, n), vth], axis=1).astype(np.int64)


def test_tables_hold_and_refractory_periods_stay() -> None:
    rows = neurons(900)
    new = snap_naively(rows, [300, 0, 600], LOIHI)
    for part in (slice(0, 300), slice(300, 900)):
        assert np.unique(new[part, :3], axis=0).shape[0] <= 31
        assert np.unique(new[part, 3]).size <= 7
    assert np.array_equal(new[:, 2], rows[:, 2])
    assert np.array_equal(new, snap_naively(rows, [300, 0, 600], LOIHI))
    few = rows[:5]
    assert np.array_equal(snap_naively(few, [5], LOIHI), few)


def test_ours_is_better_on_the_same_cores() -> None:
    rows = neurons(1000)
    core_of = np.repeat([0, 1], 500)
    _, report = snap(rows, core_of, LOIHI, compared=rows)
    naive = relative_errors(rows, Snapped.of(snap_naively(rows, [500, 500], LOIHI)))
    assert report.naive["tau_mem"].max == naive[:, 0].max()
    assert report.tau_mem.median < report.naive["tau_mem"].median
    assert report.threshold.mean < 0.9 * report.naive["threshold"].mean
    shown = report.to_dict()
    assert shown["naive"]["tau_mem"]["median"] == report.naive["tau_mem"].median
    assert set(shown["weighted"]) == {"tau_mem", "tau_syn", "threshold"}


def test_both_decays_stay_near_what_they_were():
    n = 40
    dv, du = np.linspace(1000, 1390, n), np.linspace(500, 890, n)
    rows = np.stack([du, dv, np.ones(n), np.full(n, 100)], axis=1).astype(np.int64)
    snapped = naive_core(rows, 31, None, generator(0, "test"))
    assert np.unique(np.stack([snapped.du, snapped.dv], axis=1), axis=0).shape[0] <= 31
    np.testing.assert_allclose(snapped.dv, dv, rtol=0.03)
    np.testing.assert_allclose(snapped.du, du, rtol=0.06)
    np.testing.assert_array_equal(snapped.vth, 100)
