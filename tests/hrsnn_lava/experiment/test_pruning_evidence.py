"""What pruning in an experiment is given: rates, and the covariance of a run where it asks."""

from __future__ import annotations

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.passes.delocalize import Delocalize
from hrsnn_lava.compiler.pruning.budget import Amount
from hrsnn_lava.errors import SpecError
from hrsnn_lava.experiment.compilation import Pruning, prune
from hrsnn_lava.spec import Spec
from hrsnn_lava.training.driven import measure_driven
from hrsnn_lava.training.simulation import measure_rates

TABLE = {"size": 60, "connectivity": {"mean_degree": 12.0}}


def spec_of(**table: object) -> Spec:
    return hl.Spec.parse({"network": TABLE, "prune": {"method": "balanced", **table}})


def test_a_covariance_is_measured_where_the_method_asks_for_it() -> None:
    plain, scored = spec_of(), spec_of(weights="noise_distance", rescale="none")
    network = hl.build_hrsnn(plain, seed=1)
    seen, calls = measure_driven(network, 0, 1000), []

    def covariance() -> np.ndarray:
        calls.append(1)
        assert seen.covariance is not None
        return seen.covariance

    pruning = Pruning("balanced", "none", Amount("sops_per_spike", 1.0))
    rates = seen.neuron_rates
    assert rates is not None
    prune(network, pruning, plain.prune, rates, 3, covariance)
    assert calls == []
    pruned = prune(network, pruning, scored.prune, rates, 3, covariance)
    assert calls == [1]
    assert pruned.records[-1].report["weights"] == "noise_distance"
    assert pruned.records[-1].report["scores"] == {"coupling": "observed"}
    with pytest.raises(SpecError, match="covariance: not known"):
        prune(network, pruning, scored.prune, rates, 3)


def test_synapses_are_added_after_the_method_of_the_spec_alone() -> None:
    spec = spec_of(rescale="none", delocalize={"share": 0.25, "objective": "random"})
    network = hl.build_hrsnn(spec, seed=1)
    rates = measure_rates(network, 0)
    here = (spec.prune, rates, 3)
    grown = prune(network, Pruning("balanced", "none", Amount("density", 0.2)), *here)
    assert [record.name for record in grown.records] == ["prune_balanced", "delocalize"]
    report = grown.records[-1].report
    assert report["added"] == round(0.25 * report["synapses_before"])
    assert report["sop_after"] > report["sop_before"]
    before, after = recurrent_edges(network), recurrent_edges(grown.network)
    there = np.isin(after.post * 60 + after.pre, before.post * 60 + before.pre)
    assert there.sum() == report["synapses_before"]  # none of the pruned ones came back
    control = prune(network, Pruning("random", "none", Amount("density", 0.2)), *here)
    assert [record.name for record in control.records] == ["prune_random"]
    assert spec_of(delocalize=0.1).prune.delocalize == Delocalize(0.1)
    assert spec_of(delocalize=0).prune.delocalize is None
    with pytest.raises(SpecError, match=r"prune\.delocalize\.share: 1\.5; allowed: <= 1"):
        spec_of(delocalize=1.5)


def test_dropped_neurons_leave_the_covariance_too() -> None:
    spec = spec_of(weights="noise_distance", rescale="none", drop_neurons=0.25)
    network = hl.build_hrsnn(spec, seed=1)
    seen = measure_driven(network, 0, 1000)
    pruning = Pruning("balanced", "none", Amount("sops_per_spike", 1.0))
    assert seen.neuron_rates is not None
    pruned = prune(network, pruning, spec.prune, seen.neuron_rates, 3, lambda: seen.covariance)
    assert pruned.network.n_neurons == 45
    assert pruned.records[-1].report["without_input"] == 0
