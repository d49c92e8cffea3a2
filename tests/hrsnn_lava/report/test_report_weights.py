"""Weights before and after quantization."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from hrsnn_lava.compiler.passes.quantize import quantize
from hrsnn_lava.network import LIF, Network, Population, Projection
from hrsnn_lava.report.sections import network as weights


def network_of(names):
    populations = tuple(Population(name, 6, LIF(0.02)) for name in names)
    rng = np.random.default_rng(0)
    projections = tuple(
        Projection(f"{a}_{b}", a, b, sparse.csr_matrix(sign * rng.random((6, 6))))
        for a, sign in zip(names, np.resize([1, -1], len(names)), strict=True)
        for b in names
    )
    return Network(1e-3, populations, projections).verify()


def test_the_section_counts_what_the_program_has(rich):
    data = rich.to_dict()
    for name, entry in data["weights"]["per_projection"].items():
        assert entry["after"]["synapses"] == data["sop"]["per_projection"][name]["synapses"]
        assert entry["before"]["mean"] == pytest.approx(entry["after"]["mean"], rel=0.1)
        assert entry["before"]["distinct"] >= entry["after"]["distinct"]
    assert "inp_exc" not in data["weights"]["per_projection"]


def test_without_a_float_network_there_is_nothing_before(bare):
    entries = bare.to_dict()["weights"]["per_projection"].values()
    assert {entry["before"] for entry in entries} == {None}


def test_each_projection_is_drawn_before_and_after():
    network = network_of(["a", "b"])
    values = weights.weight_values(network), weights.weight_values(quantize(network)[0])
    drawn = weights.weight_plots(*values)
    assert [plot.title for plot in drawn] == [f"Weights of {n}" for n in values[0]]
    assert all(len(plot.legend) == 2 for plot in drawn)


def test_many_projections_are_drawn_by_sign():
    values = weights.weight_values(network_of(["a", "b", "c"]))
    assert len(values) > weights.MAX_DRAWN
    titles = [plot.title for plot in weights.weight_plots(None, values)]
    assert titles == ["Excitatory weights", "Inhibitory weights"]


def test_no_weights_no_drawing():
    assert weights.weight_plots(None, {"a": np.zeros(0)}) == []
    assert weights.weights(None, {"a": np.zeros(0)})["per_projection"]["a"]["after"] is None
