"""Ranks and participation ratios of matrices whose spectrum is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hrsnn_lava.errors import SpecError
from hrsnn_lava.metrics.state_space import effective_rank, effective_ranks, participation_ratio

RNG = np.random.default_rng(2)
tables = arrays.arrays(np.float64, (6, 4), elements=st.floats(-5, 5, width=32))


def with_singular_values(values, rows=30):
    """A matrix of those singular values, its directions random."""
    k = len(values)
    left, _ = np.linalg.qr(RNG.normal(size=(rows, k)))
    right, _ = np.linalg.qr(RNG.normal(size=(k, k)))
    return left @ np.diag(values) @ right.T


def test_equal_singular_values_are_as_many_by_all_three():
    ranks = effective_ranks(with_singular_values(np.full(10, 3.0)))
    assert ranks["sum"] == ranks["energy"] == 10
    assert ranks["entropy"] == pytest.approx(10.0)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99, 1.0])
def test_a_geometric_spectrum_has_the_closed_form(share):
    # sum_{i<k} 2^-i = 2 - 2^(1-k): the least k by hand, for the values and for their squares
    values = 2.0 ** -np.arange(12)
    ranks = effective_ranks(with_singular_values(values), share)
    for name, spectrum in (("sum", values), ("energy", values**2)):
        sums = np.cumsum(spectrum) / spectrum.sum()
        assert ranks[name] == next(k for k in range(1, 13) if sums[k - 1] >= share * (1 - 1e-12))
    p = values / values.sum()
    assert ranks["entropy"] == pytest.approx(np.exp(-(p * np.log(p)).sum()))


def test_the_definitions_part_where_the_tail_is_long():
    # one value of 10, ninety of 0.1: 99 % of the sum takes 72 of the tail, of the energy none
    values = np.array([10.0, *[0.1] * 90])
    ranks = effective_ranks(with_singular_values(values, rows=120))
    assert ranks["sum"] == 1 + np.ceil((0.99 * 19.0 - 10.0) / 0.1)
    assert ranks["energy"] == 1
    assert 1 < ranks["entropy"] < ranks["sum"]


def test_one_direction_and_none():
    line = np.outer(np.arange(1.0, 6.0), [1.0, -2.0, 3.0])
    assert effective_ranks(line) == pytest.approx({"sum": 1, "energy": 1, "entropy": 1})
    assert effective_ranks(np.zeros((4, 3))) == {"sum": 0, "energy": 0, "entropy": 0}
    assert effective_rank(np.ones((5, 3)), center=True) == 0
    assert effective_rank(np.ones((5, 3))) == 1


@settings(max_examples=25)
@given(tables, st.permutations(range(6)), st.permutations(range(4)))
def test_order_and_scale_do_not_matter(states, rows, columns):
    for definition in ("entropy",):
        before = effective_rank(states, definition)
        assert effective_rank(3.0 * states[rows][:, columns], definition) == pytest.approx(
            before, rel=1e-6, abs=1e-6
        )
        assert effective_rank(states.T, definition) == pytest.approx(before, rel=1e-6, abs=1e-6)
    ratio = participation_ratio(states)
    assert participation_ratio(-2.0 * states[rows][:, columns]) == pytest.approx(ratio, rel=1e-6)
    assert ratio is None or 1.0 - 1e-9 <= ratio <= 4.0 + 1e-9


def test_participation_ratio_is_that_of_the_eigenvalues():
    for shape in ((50, 8), (8, 50)):
        states = RNG.normal(size=shape) * np.linspace(1, 4, shape[1])
        eigenvalues = np.linalg.eigvalsh(np.cov(states.T))
        truth = eigenvalues.sum() ** 2 / (eigenvalues**2).sum()
        assert participation_ratio(states) == pytest.approx(truth)


def test_participation_ratio_of_known_spectra():
    assert participation_ratio(np.outer(np.arange(5.0), [1.0, 2.0])) == pytest.approx(1.0)
    cube = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)], float)
    assert participation_ratio(cube) == pytest.approx(3.0)
    assert participation_ratio(np.ones((4, 3)) * 0.1) is None
    assert participation_ratio([[1.0, 2.0]]) is None


@pytest.mark.parametrize("share", [0.0, 1.5, -1.0, None, "most"])
def test_a_share_is_one(share):
    with pytest.raises(SpecError, match="0 < share <= 1"):
        effective_rank(np.eye(3), share=share)


def test_what_are_no_states_is_refused():
    with pytest.raises(SpecError, match="definition: 'svd'; allowed: sum, energy, entropy"):
        effective_rank(np.eye(3), "svd")
    for call in (effective_rank, participation_ratio):
        with pytest.raises(SpecError, match=r"shape \(3,\)"):
            call([1.0, 2.0, 3.0])
        with pytest.raises(SpecError, match="1 values that are not finite"):
            call([[1.0, np.inf]])
