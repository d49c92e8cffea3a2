"""Cutting populations: what the parts are called, what they keep, and when sums allow it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from hrsnn_lava.chip_learning import Learning, pair_stdp
from hrsnn_lava.compiler.split import Pieces, rounded_apart, split_network
from hrsnn_lava.errors import SpecError
from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
    SignMode,
)


def network(weights, **options):
    """Population "a" of five neurons onto itself, and an input onto it."""
    return QuantizedNetwork(
        (
            QuantizedInput("in", 2),
            QuantizedPopulation("a", 5, du=0, dv=[1, 2, 3, 4, 5], vth=9, bias_mant=[5, 4, 3, 2, 1]),
        ),
        (
            QuantizedProjection("w", "a", "a", np.array(weights), **options),
            QuantizedProjection("x", "in", "a", np.ones((5, 2), int) * 7),
        ),
    ).verify()


FULL = np.arange(1, 26).reshape(5, 5)


def test_parts_hold_the_neurons_of_a_label_in_order():
    split = split_network(network(FULL), [7, 3, 7, 3, 3])
    a, b = split.network.compute_populations
    assert (a.name, b.name) == ("a.0", "a.1")
    assert split.neurons.tolist() == [1, 3, 4, 0, 2]
    assert a.dv.tolist() == [2, 4, 5]
    assert b.bias_mant.tolist() == [5, 3]
    assert split.network.input_populations[0].name == "in"


def test_every_synapse_is_in_one_part_with_its_weight():
    whole = network(FULL, delays=np.arange(25))
    split = split_network(whole, [7, 3, 7, 3, 3])
    block = split.network.projection("w.0.1")  # onto neurons 1, 3, 4 from 0, 2
    assert (block.post, block.pre) == ("a.0", "a.1")
    assert block.weights.toarray().tolist() == FULL[np.ix_([1, 3, 4], [0, 2])].tolist()
    assert (block.delays + 1).tolist() == block.weights.data.tolist()
    found = [p.synapses for p in split.pieces.values() if p.projection == "w"]
    assert np.sort(np.concatenate(found)).tolist() == list(range(25))
    assert {n for n in split.pieces if n.startswith("x")} == {"x.0.0", "x.1.0"}


def test_a_part_keeps_the_sign_mode_and_the_bits_of_the_whole():
    """Alone the row [7, 0] would be excitatory in Lava, and its 7 would stay a 7."""
    weights = np.zeros((5, 5), int)
    weights[0, :2], weights[1, 0] = [3, -5], 7
    whole = network(weights, num_weight_bits=7)
    split = split_network(whole, [0, 1, 0, 0, 0])
    (part,) = [p for p in split.network.projections if p.name == "w.1.0"]
    assert part.weights.toarray()[0, 0] == 7
    assert part.sign_mode is SignMode.MIXED
    assert part.effective_weights().toarray()[0, 0] == 4  # multiples of 4 in the whole


def test_one_label_leaves_everything_as_it_is():
    whole = network(FULL)
    split = split_network(whole, np.zeros(5))
    assert [p.name for p in split.network.populations] == ["in", "a"]
    assert [p.name for p in split.network.projections] == ["w", "x"]
    assert split.neurons.tolist() == [0, 1, 2, 3, 4]


def test_parts_without_a_synapse_are_left_out():
    split = split_network(network(np.diag([1, 2, 3, 4, 5])), [0, 0, 1, 1, 1])
    assert [n for n in split.pieces if n.startswith("w")] == ["w.0.0", "w.1.1"]


def test_names_that_are_taken_get_longer():
    whole = QuantizedNetwork(
        tuple(QuantizedPopulation(name, 2, du=0, dv=0, vth=1) for name in ("a", "a.0")),
    )
    split = split_network(whole, [0, 1, 0, 0])
    assert [p.name for p in split.network.populations] == ["a.0'", "a.1", "a.0"]
    split.network.verify()


def test_a_wrong_number_of_labels_is_refused():
    with pytest.raises(SpecError, match=r"labels have shape \(3,\); allowed: \(5,\)"):
        split_network(network(FULL), [0, 1, 2])


def test_learning_goes_along_and_lost_synapses_do_not():
    weights = np.zeros((5, 5), int)
    weights[0], weights[1, 0] = [1, 20, 30, 40, 50], 60  # 1 is truncated to 0 in mode MIXED
    rules = (pair_stdp((1, 0), (1, 0), 10, 10), pair_stdp((2, 0), (1, 0), 20, 10))
    learning = Learning(rules, profile=[0, 1, 0, 1, 0, 1], tag_1=np.arange(6))
    split = split_network(network(weights, learning=learning), [0, 1, 0, 0, 0])
    part = split.network.projection("w.0.0")
    assert part.weights.data.tolist() == [30, 40, 50]
    assert part.learning.profile.tolist() == [0, 1, 0]
    assert part.learning.tag_1.tolist() == [2, 3, 4]
    assert split.pieces["w.0.0"].synapses.tolist() == [2, 3, 4]


@pytest.mark.parametrize(
    ("exponent", "weights", "delays", "rows"),
    [
        (0, [[2, 2]], None, []),
        (-1, [[2, 2]], None, []),  # whole numbers after the shift
        (-2, [[2, 2]], None, [0]),  # half a unit each: one together, none apart
        (-2, [[2, 4]], None, []),  # only one has a remainder
        (-2, [[2, 2]], [0, 1], []),  # in different steps, so never in one sum
        (-2, [[2, 2]], [3, 3], [0]),
        (-2, [[-2, -2], [0, 6], [6, 6]], None, [0, 2]),
    ],
)
def test_sums_that_several_parts_would_round_apart(exponent, weights, delays, rows):
    sending = sparse.csr_matrix(weights)
    projection = QuantizedProjection("w", "a", "b", sending, weight_exp=exponent, delays=delays)
    assert rounded_apart(projection, np.array([0, 1])).tolist() == rows
    assert rounded_apart(projection, np.array([0, 0])).tolist() == []


def test_a_weight_that_learns_counts_as_one_with_a_remainder():
    rule = pair_stdp((1, 0), (1, 0), 10, 10)
    learns = QuantizedProjection("w", "a", "a", [[4, 8]], weight_exp=-1, learning=rule)
    assert rounded_apart(learns, np.array([0, 1])).tolist() == [0]


def test_the_offsets_of_biases_are_never_rounded_apart():
    drive = QuantizedProjection("d", "x", "a", [[1, 1]], weight_exp=-3, target="bias")
    assert rounded_apart(drive, np.array([0, 1])).tolist() == []


def test_pieces_number_the_parts_by_rising_label():
    pieces = Pieces(network(FULL), [9, 1, 9, 4, 1])
    assert pieces.part["a"].tolist() == [2, 0, 2, 1, 0]
    assert pieces.place["a"].tolist() == [0, 0, 1, 0, 1]
    assert pieces.sizes["a"].tolist() == [2, 1, 2]
    assert pieces.sizes["in"].tolist() == [2]
