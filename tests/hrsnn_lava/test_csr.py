"""Sparse matrices in compressed rows, against loops over their stored values."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava.csr import (
    drives,
    fan_out,
    from_rows,
    held_drive,
    row_lengths,
    row_maxima,
    row_sums,
    rows_of,
    select,
    select_values,
    with_values,
)

SEEDS = st.integers(0, 2**31)


def matrix(seed):
    """A small CSR, its indices in no order within rows, with stored zeros; may be empty."""
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 6)), int(rng.integers(1, 6)))
    lengths = rng.integers(0, shape[1] + 1, shape[0])
    indices = [rng.permutation(shape[1])[:n] for n in lengths]
    indptr = np.append(0, np.cumsum(lengths))
    data = rng.integers(-3, 4, int(indptr[-1])).astype(float)
    return sparse.csr_matrix(
        (data, np.concatenate([*indices, []]).astype(int), indptr), shape=shape
    )


def stored(csr):
    """Row, column and value of everything stored, in order."""
    return [
        (row, int(csr.indices[k]), float(csr.data[k]))
        for row in range(csr.shape[0])
        for k in range(csr.indptr[row], csr.indptr[row + 1])
    ]


@given(SEEDS)
def test_rows_of_every_stored_value(seed):
    csr = matrix(seed)
    assert rows_of(csr).tolist() == [row for row, _, _ in stored(csr)]
    assert rows_of(csr).dtype == np.int64
    counts = Counter(row for row, _, _ in stored(csr))
    assert row_lengths(csr).tolist() == [counts[row] for row in range(csr.shape[0])]


@given(SEEDS)
def test_sums_and_maxima_of_rows(seed):
    csr = matrix(seed)
    sizes = np.abs(csr.data)
    by_row = [[0.0] for _ in range(csr.shape[0])]
    for row, _, value in stored(csr):
        by_row[row].append(abs(value))
    assert row_sums(csr, sizes).tolist() == [sum(values) for values in by_row]
    assert row_maxima(csr, sizes).tolist() == [max(values) for values in by_row]
    assert row_sums(csr, sizes).dtype == row_maxima(csr, sizes).dtype == np.float64


@given(SEEDS)
def test_selection_keeps_order_and_zeros(seed):
    csr = matrix(seed)
    keep = np.random.default_rng(seed + 1).random(csr.nnz) < 0.5
    values = np.arange(csr.nnz)
    some = select(csr, keep)
    assert some.shape == csr.shape
    assert some.indptr.dtype == csr.indptr.dtype
    assert stored(some) == [entry for entry, k in zip(stored(csr), keep, strict=True) if k]
    assert select_values(values, keep).tolist() == values[keep].tolist()
    assert stored(csr) == stored(matrix(seed))  # nothing was changed in place


def test_values_that_hold_for_all_synapses_stay():
    keep = np.array([True, False])
    assert select_values(None, keep) is None
    assert select_values(3, keep) == 3
    assert select_values(np.float64(3.0), keep) == 3.0
    assert select_values([4, 5], keep).tolist() == [4]


@given(SEEDS)
def test_other_values_on_the_same_pattern(seed):
    csr = matrix(seed)
    other = with_values(csr, csr.data * 2 + 1)
    assert stored(other) == [(r, c, 2 * v + 1) for r, c, v in stored(csr)]
    assert np.shares_memory(other.indices, csr.indices) or not csr.nnz


@given(SEEDS)
def test_entries_that_are_sorted_by_row_become_a_matrix(seed):
    csr = matrix(seed)
    again = from_rows(rows_of(csr), csr.indices, csr.data, csr.shape)
    assert stored(again) == stored(csr)
    np.testing.assert_array_equal(again.toarray(), csr.toarray())


def test_entries_of_one_place_are_not_summed():
    twice = from_rows(np.array([1, 1]), np.array([0, 0]), np.array([2, 3]), (3, 2))
    assert (twice.nnz, twice.indptr.tolist()) == (2, [0, 0, 2, 2])


@given(SEEDS, st.integers(1, 4))
def test_fan_out_counts_what_is_stored_in_every_column(seed, count):
    rng = np.random.default_rng(seed)
    parts, total = [], Counter()
    for k in range(count):
        csr = matrix(seed + k)
        first = int(rng.integers(0, 4))
        parts.append((csr, first))
        total.update(first + column for _, column, _ in stored(csr))
    assert fan_out(parts, 10).tolist() == [total[k] for k in range(10)]
    assert fan_out([], 2).tolist() == [0, 0]


@pytest.fixture
def driven():
    """Two held inputs of different sizes, a spiking one between them, two populations."""
    rng = np.random.default_rng(3)
    populations = (
        hl.Population("x", 2, hl.Input(graded=True)),
        hl.Population("a", 3, hl.LIF(0.02)),
        hl.Population("spikes", 4, hl.Input()),
        hl.Population("y", 1, hl.Input(graded=True)),
        hl.Population("b", 2, hl.LIF(0.02)),
    )
    projections = (
        hl.Projection("y_a", "y", "a", rng.normal(size=(3, 1)), target="bias"),
        hl.Projection("s_b", "spikes", "b", rng.normal(size=(2, 4))),
        hl.Projection("x_b", "x", "b", rng.normal(size=(2, 2)), target="bias"),
        hl.Projection("x_a", "x", "a", rng.normal(size=(3, 2)), target="bias"),
    )
    return hl.Network(1e-3, populations, projections).verify()


def test_drives_say_which_channels_reach_which_neurons(driven):
    found = [(p.name, c.start, c.stop, n.start, n.stop) for p, c, n in drives(driven)]
    assert found == [("y_a", 6, 7, 0, 3), ("x_b", 0, 2, 3, 5), ("x_a", 0, 2, 0, 3)]
    integers = [(p.name, c, n) for p, c, n in drives(hl.quantize(driven))]
    assert integers == [(p.name, c, n) for p, c, n in drives(driven)]


def test_a_held_drive_is_weights_times_values(driven):
    values = np.random.default_rng(0).normal(size=(4, 7))
    expected = np.zeros((4, 5))
    for sample in range(4):
        for projection, channels, neurons in drives(driven):
            dense = projection.weights.toarray()
            for i in range(dense.shape[0]):
                for j in range(dense.shape[1]):
                    value = values[sample, channels.start + j]
                    expected[sample, neurons.start + i] += dense[i, j] * value
    np.testing.assert_allclose(held_drive(driven, values), expected)
    np.testing.assert_allclose(held_drive(driven, values[1]), expected[1])
    assert held_drive(driven, values[1]).shape == (5,)
