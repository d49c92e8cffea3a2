"""What the experiments on the papers' tables share: budgets are met, ratios are those of means."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.experiment.scoring import recurrent_fan_out
from hrsnn_lava.experiment.study import Arm, Study, StudyResult
from hrsnn_lava.spec import Spec
from hrsnn_lava.training.aftercare import AftercareOptions
from hrsnn_lava.training.balance import GENTLE

pytestmark = pytest.mark.once

FILE = Path(__file__).resolve().parents[2] / "experiments" / "pruned_rows.py"
TABLE = {
    "network": {"size": 60, "connectivity": {"mean_degree": 10.0}},
    "task": {"kind": "memory", "train": 80, "validation": 20, "test": 40, "delays": 5},
}
OPTIONS = AftercareOptions(balance=replace(GENTLE, passes=3))


@pytest.fixture(scope="module")
def rows():
    spec = importlib.util.spec_from_file_location("pruned_rows_under_test", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def told(scored):
    return {"score": scored.outcome.scores.headline.value}


@pytest.fixture(scope="module")
def bench(rows):
    return rows.Bench.of(Spec.parse(TABLE), 4, told, OPTIONS)


def sops(bench, cut):
    """Straight from the definition: a spike of a sender costs one for each of its synapses."""
    edges = recurrent_edges(cut.network)
    return float(bench.rates[cut.survivors][edges.pre].sum())


@pytest.mark.parametrize("ratio", [1.0, 2.0, 7.5, 40.0])
def test_active_neurons_are_as_many_as_the_budget_allows(rows, bench, ratio):
    whole = sops(bench, SimpleNamespace(network=bench.full, survivors=np.arange(60)))
    cut = bench.pruned(rows.WAYS["active neurons"], {"sop_ratio": ratio})
    assert sops(bench, cut) <= whole / ratio * (1 + 1e-9)
    dropped = 60 - cut.survivors.size
    if ratio == 1.0:
        assert dropped == 0
    if dropped:
        step = rows.PruneNeurons(fraction=(dropped - 1) / 60, score="activity")
        more, kept = rows._dropped(bench.full, step, bench.rates)
        assert float(bench.rates[kept] @ recurrent_fan_out(more)) > whole / ratio
    # one of the quiet may stay since it holds others together, or as the last of its population
    assert bench.rates[cut.survivors].mean() >= bench.rates.mean()


def test_rounds_drop_until_the_rates_they_lead_to_meet_the_budget(rows, bench):
    cut = bench.pruned(rows.WAYS["active neurons, rates left"], {"sop_ratio": 5.0})
    steps = bench.trial.lesson.n_steps
    rates = rows.training_counts(cut.network, bench.trial, bench.seed) / steps
    whole = bench.rates @ recurrent_fan_out(bench.full)
    assert rates @ recurrent_fan_out(cut.network) <= whole / 5.0
    assert np.array_equal(cut.survivors, np.unique(cut.survivors))
    assert np.array_equal(
        cut.network.gather("tau_mem"), bench.full.gather("tau_mem")[cut.survivors]
    )


@pytest.mark.parametrize("name", ["balanced", "random", "magnitude", "LNP, half of the neurons"])
def test_synapses_meet_the_budget_of_the_unpruned_network(rows, bench, name):
    cut = bench.pruned(rows.WAYS[name], {"sop_ratio": 4.0})
    whole = sops(bench, SimpleNamespace(network=bench.full, survivors=np.arange(60)))
    few = recurrent_edges(cut.network).n_edges
    # LNP and chance meet it in expectation: six standard deviations of the synapses that stay
    slack = 6.0 / np.sqrt(few) if name not in ("balanced", "magnitude") else 0.02
    assert sops(bench, cut) <= whole / 4.0 * (1 + slack)
    assert sops(bench, cut) >= whole / 4.0 * (1 - slack - 0.02)
    assert cut.survivors.size == (30 if "half" in name else 60)


def test_a_row_tells_what_is_gone(rows, bench):
    figures = bench.row(rows.WAYS["no recurrence"], {"sop_ratio": 4.0})
    assert figures["sop_ratio"] is None
    assert figures["synapse_sparsity"] == 100.0
    assert figures["neuron_sparsity"] == figures["linked"] == figures["sops"] == 0.0
    whole = bench.unpruned()
    assert whole["sop_ratio"] == whole["spikes"] == 1.0
    assert whole["neuron_sparsity"] == whole["synapse_sparsity"] == 0.0
    assert np.isfinite(whole["integers"])


def result_of(values):
    """A result of two arms with the figures given, seed by seed."""
    arms, n = tuple(Arm(name) for name in values), len(next(iter(values.values())))
    study = Study("made up", lambda *_: {}, arms, (), "score", seeds=tuple(range(n)))
    found = [
        {"arm": name, "seed": k, "score": value}
        for name, each in values.items()
        for k, value in enumerate(each)
    ]
    return StudyResult(study, {}, {}, {}, found)


def test_a_ratio_is_that_of_the_means_and_its_interval_covers_it(rows):
    rng = np.random.default_rng(1)
    b = rng.gamma(4.0, 0.05, 25)
    a = 1.3 * b * np.exp(rng.normal(0.0, 0.1, 25))
    result = result_of({"a": a.tolist(), "b": b.tolist()})
    ratio = rows.ratio_of_means(result, "a", "b", "score")
    assert ratio.value == pytest.approx(a.mean() / b.mean(), rel=1e-12)
    assert ratio.low < ratio.value < ratio.high
    # the delta method, to which the bootstrap comes near here
    errors = a - ratio.value * b
    error = errors.std(ddof=1) / np.sqrt(25) / b.mean()
    assert ratio.high - ratio.low == pytest.approx(2 * 1.96 * error, rel=0.25)
    assert rows.ratio_of_means(result, "a", "b", "score") == ratio


def test_a_ratio_without_spread_is_itself_and_missing_values_are_left_out(rows):
    result = result_of({"a": [1.0, 2.0, None], "b": [2.0, 4.0, 7.0]})
    assert rows.ratio_of_means(result, "a", "b", "score") == rows.Ratio(0.5, 0.5, 0.5)
    assert np.isnan(rows.ratio_of_means(result, "a", "b", "other").value)
    assert rows.log_ratio(result, "a", "b", "score") == "0.5 (0.5 to 0.5)"
    assert rows.log_ratio(result, "a", "b", "other") == "-"


def test_geometric_means_have_students_interval(rows):
    a, b = np.array([1.0, 2.0, 4.0, 3.0]), np.array([1.0, 1.5, 5.0, 2.0])
    d = np.log(a / b)
    half = 3.182446 * d.std(ddof=1) / 2.0  # t of 3 degrees of freedom, 97.5 %
    low, middle, high = np.exp(d.mean() + np.array([-half, 0.0, half]))
    text = rows.log_ratio(result_of({"a": a, "b": b}), "a", "b", "score")
    assert text == f"{middle:.3g} ({low:.3g} to {high:.3g})"
