"""The fast kernel of pair rules: equal to the general one and to the reference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from hrsnn_lava.chip_learning import Factor, Learning, Product, pair_stdp
from hrsnn_lava.errors import ArtifactError
from hrsnn_lava.quantized import (
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
    SignMode,
)
from hrsnn_lava.seeding import generator
from hrsnn_lava.sim_backends.learning_program import plastic_projections
from hrsnn_lava.sim_backends.native.learning import merge
from hrsnn_lava.sim_backends.native.simulator import IntegerSimulator
from hrsnn_lava.sim_backends.runs.parity import compare
from hrsnn_lava.sim_backends.runs.session import simulate

STEPS = 60
SHAPES = ("both", "swapped", "x0 alone", "y0 alone", "two factors", "constant")


def rule_of(rng, shape, seed):
    """A pair rule; changes from far below one weight to more than the whole range."""
    plus, minus = ((int(rng.integers(-7, 8)), int(rng.integers(-6, 8))) for _ in range(2))
    taus = rng.uniform(1, 30, 2)
    impulse = float(rng.uniform(1, 127))
    rule = pair_stdp(plus, minus, *taus, impulse=impulse, rng_seed=seed)
    dw = rule.dw
    if shape == "swapped":
        dw = dw[::-1]
    elif shape == "x0 alone":
        dw = tuple(p for p in dw if p.dependency == "x0")
    elif shape == "y0 alone":
        dw = tuple(p for p in dw if p.dependency == "y0")
    elif shape in ("two factors", "constant"):
        dw = tuple(extended(p, shape) for p in dw)
    return replace(rule, dw=dw)


def extended(product: Product, shape: str) -> Product:
    (factor,) = product.factors
    if shape == "constant":
        return replace(product, factors=(replace(factor, constant=-20),))
    other = {"y1": "y2", "x1": "x2"}[factor.variable]
    return replace(product, factors=(factor, Factor(other)))


def pair_network(seed, shape, same_rule):
    """Two populations, all four projections, weights within and beyond their range."""
    rng = generator(seed, "pairs")
    sizes = rng.integers(2, 12, 2)
    populations = tuple(
        QuantizedPopulation(
            f"p{k}",
            int(n),
            du=rng.integers(300, 3000, n),
            dv=rng.integers(50, 2000, n),
            vth=rng.integers(50, 600, n),
            bias_mant=rng.integers(500, 4000, n),
            bias_exp=2,
            refractory=int(rng.integers(0, 3)),
        )
        for k, n in enumerate(sizes)
    )
    shared, exponent = rule_of(rng, shape, 7), int(rng.integers(0, 3))
    sign = SignMode(rng.choice([mode.value for mode in SignMode]))
    projections = []
    for pre in range(2):
        for post in range(2):
            matrix = rng.integers(1, int(rng.choice([20, 255, 3000])), (sizes[post], sizes[pre]))
            if sign is SignMode.INHIBITORY:
                matrix = -matrix
            elif sign is SignMode.MIXED:
                matrix *= rng.choice([-1, 1], matrix.shape)
            matrix *= rng.random(matrix.shape) < 0.6
            rule = shared if same_rule else rule_of(rng, shape, int(rng.integers(1, 99)))
            projections.append(
                QuantizedProjection(
                    f"q{pre}{post}",
                    f"p{pre}",
                    f"p{post}",
                    sparse.csr_matrix(matrix.astype(np.int32)),
                    exponent,
                    sign,
                    learning=Learning((rule,)),
                )
            )
    return QuantizedNetwork(populations, tuple(projections)).verify()


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), same_rule=st.booleans())
def test_pair_kernel_equals_the_general_kernel_and_the_reference(shape, seed, same_rule):
    network = pair_network(seed, shape, same_rule)
    probes = ("spikes", "v", "u")
    assert IntegerSimulator(network).learning.pairs
    fast = simulate(network, None, STEPS, "native", probes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "hrsnn_lava.sim_backends.native.learning._every_step", lambda _: False
        )  # the general kernel runs any rule
        assert not IntegerSimulator(network).learning.pairs
        general = simulate(network, None, STEPS, "native", probes)
    plain = simulate(network, None, STEPS, "reference", probes)
    assert compare(fast, plain, ("pairs", "reference"), network) == (0, None)
    assert compare(general, plain, ("general", "reference"), network) == (0, None)


def test_weights_do_move():
    moved = 0
    for seed in range(20):
        network = pair_network(seed, "both", True)
        learned = simulate(network, None, STEPS, "native").weights
        moved += sum(
            np.count_nonzero(learned[p.name] != p.effective_weights().data)
            for p in network.projections
        )
    assert moved > 500


def test_projections_with_one_rule_are_merged_and_others_are_not():
    plastic = plastic_projections(pair_network(3, "both", True))
    merged, parts = merge(plastic)
    assert len(plastic) == 4
    assert len(merged) == 2  # one for each population that they come from
    assert sum(p.rows.size for p in merged) == sum(p.rows.size for p in plastic)
    for p, part in zip(plastic, parts, strict=True):
        mine = slice(part.synapse, part.synapse + p.rows.size)
        whole = merged[part.index]
        np.testing.assert_array_equal(whole.rows[mine] + whole.target, p.rows + p.target)
        np.testing.assert_array_equal(whole.cols[mine], p.cols)
        np.testing.assert_array_equal(whole.weights[mine], p.weights)
    assert len(merge(plastic_projections(pair_network(3, "both", False)))[0]) == 4


def test_state_in_which_merged_projections_disagree_is_refused():
    state = IntegerSimulator(pair_network(3, "both", True)).learning
    snapshot = state.snapshot()
    snapshot["learning/0/x"][0, 0, 0] += 1
    with pytest.raises(ArtifactError, match="no run reaches"):
        state.restore(snapshot)
