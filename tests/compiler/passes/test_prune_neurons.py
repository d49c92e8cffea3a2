import json
from typing import Any

import networkx as nx
import numpy as np
import pytest

from hrsnn_lava.compiler.analysis.dynamics.neighbours import neighbours
from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.context import Context, Observed
from hrsnn_lava.compiler.passes.prune_betweenness import PruneBetweenness
from hrsnn_lava.compiler.passes.prune_neurons import PruneNeurons
from hrsnn_lava.compiler.passes.prune_random import PruneRandom
from hrsnn_lava.compiler.pipeline import run_pass
from hrsnn_lava.errors import SpecError
from hrsnn_lava.network import LIF, Input, Network, Population, Projection

SCORES = ("betweenness", "leverage", "activity", "random")
each_score = pytest.mark.parametrize("score", SCORES)
RATES = np.random.default_rng(0).uniform(0.01, 0.1, 100)
SEEN = Context(observed=Observed(RATES))


def components(network: Network, neurons: Any = None) -> set[frozenset[int]]:
    graph = nx.from_scipy_sparse_array(neighbours(recurrent_edges(network).matrix))
    if neurons is not None:
        graph = nx.relabel_nodes(graph, dict(enumerate(neurons)))
    return {frozenset(part) for part in nx.connected_components(graph)}


@each_score
@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 0.9])
def test_every_population_loses_the_same_share(
    balanced: Network, score: str, fraction: float
) -> None:
    small, report = PruneNeurons(fraction, score=score).apply(balanced, SEEN)
    assert small.population("exc").size == 80 - round(80 * fraction)
    assert small.population("inh").size == 20 - round(20 * fraction)
    assert small.population("inp").size == 2
    np.testing.assert_array_equal(
        small.gather("tau_mem"), balanced.gather("tau_mem")[report["kept"]]
    )
    assert report["neurons_after"] == small.n_neurons
    assert report["synapses_after"] == recurrent_edges(small).n_edges
    assert report["missing"] == {}
    assert json.loads(json.dumps(report)) == report


@each_score
@pytest.mark.parametrize("rounds", [1, 4])
def test_what_was_connected_stays_connected(balanced: Network, score: str, rounds: int) -> None:
    thin = PruneRandom(0.07, seed=3)(balanced)
    before = components(thin)
    assert len(before) > 3
    apart = spared = 0
    for fraction in (0.2, 0.4, 0.6, 0.8):
        options = PruneNeurons(fraction, rounds=rounds, score=score)
        small, report = options.apply(thin, SEEN)
        kept = set(report["kept"])
        assert components(small, report["kept"]) == {c & kept for c in before if c & kept}
        assert report["components"] == len(components(small))
        loose = PruneNeurons(fraction, rounds=rounds, score=score, connected=False)
        left = loose.apply(thin, SEEN)[1]
        assert left["spared"] == 0
        apart += left["components"] > report["components"]
        spared += report["spared"]
    # it does not stay so by itself, unless by betweenness, which is high where paths have no other
    assert score == "betweenness" or (apart >= 2 and spared >= 2)


@each_score
def test_same_options_give_the_same_neurons(balanced: Network, score: str) -> None:
    options = PruneNeurons(0.4, score=score, rounds=2, seed=1)
    report = options.apply(balanced, SEEN)[1]
    assert options.apply(balanced, SEEN)[1] == report
    other = PruneNeurons(0.4, score=score, rounds=2, seed=2).apply(balanced, SEEN)[1]
    assert (other["kept"] == report["kept"]) == (score != "random")


def test_the_lowest_score_goes(balanced: Network) -> None:
    _, report = PruneNeurons(0.5, score="activity").apply(balanced, SEEN)
    exc = set(np.argsort(RATES[:80])[40:])
    inh = set(80 + np.argsort(RATES[80:])[10:])
    assert set(report["kept"]) == exc | inh
    assert report["spared"] == 0


def test_rounds_look_at_what_is_left(balanced: Network) -> None:
    once = PruneNeurons(0.5).apply(balanced)[1]
    again = PruneNeurons(0.5, rounds=5).apply(balanced)[1]
    assert again["pivots"] == ["exact"] * 5
    assert again["kept"] != once["kept"]
    # rates and covariances of a run are those of the neurons that are left
    seen = Context(observed=Observed(RATES, covariance=np.diag(RATES)))
    for score in ("activity", "leverage"):
        once = PruneNeurons(0.5, score=score).apply(balanced, seen)[1]
        again = PruneNeurons(0.5, score=score, rounds=7).apply(balanced, seen)[1]
        assert again["kept"] == once["kept"]


def test_leverage_says_what_it_went_by(balanced: Network) -> None:
    alone = PruneNeurons(0.5, score="leverage").apply(balanced)[1]
    assert alone["covariance"] == ["noise-driven"]
    assert alone["linear_system"][0]["abscissa"] < 0
    seen = Observed(covariance=np.diag(RATES))
    observed = PruneNeurons(0.5, score="leverage").apply(balanced, Context(observed=seen))[1]
    assert observed["covariance"] == ["observed"]
    assert observed["kept"] == PruneNeurons(0.5, score="activity").apply(balanced, SEEN)[1]["kept"]


def test_betweenness_by_its_old_name(balanced: Network) -> None:
    for options in ({}, {"rounds": 3}, {"n_pivots": 9, "seed": 4}):
        old, before = PruneBetweenness(0.3, **options).apply(balanced)
        assert before["score"] == "betweenness"
        if "n_pivots" not in options:  # their streams differ
            _, now = PruneNeurons(0.3, connected=False, **options).apply(balanced)
            assert now["kept"] == before["kept"]
    assert old.n_neurons == 70


def test_inputs_keep_neurons() -> None:
    populations = (Population("inp", 2, Input()), Population("exc", 10, LIF(0.02)))
    w = np.ones((10, 10)) - np.eye(10)
    fed = np.zeros((10, 2))
    fed[[2, 5], 0] = 1.0
    for target in ("bias", "synapse"):
        projections = (
            Projection("rec", "exc", "exc", w),
            Projection("in", "inp", "exc", fed, target=target),
        )
        net = Network(1e-3, populations, projections)
        seen = Context(observed=Observed(np.where(fed[:, 0] > 0, 0.0, 1.0)))
        small, report = PruneNeurons(0.8, score="activity").apply(net, seen)
        assert small.projection("in").n_synapses == 1
        assert 2 in report["kept"]
        assert report["last_fed"] == 1


def test_too_few_that_may_go_are_a_finding() -> None:
    # inh 0, which the input feeds alone, drives inh 1, which alone drives exc: none of inh may go
    populations = (
        Population("inp", 2, Input()),
        Population("exc", 1, LIF(0.02)),
        Population("inh", 2, LIF(0.02)),
    )
    projections = (
        Projection("in", "inp", "inh", np.array([[0.0, 1.0], [0.0, 0.0]])),
        Projection("inh_inh", "inh", "inh", np.array([[0.0, 0.0], [1.0, 0.0]])),
        Projection("inh_exc", "inh", "exc", np.array([[0.0, 1.0]])),
    )
    net = Network(1e-3, populations, projections)
    small, record = run_pass(net, PruneNeurons(0.5))
    assert small.n_neurons == 3
    (finding,) = record.findings
    assert finding.kind == "neurons_not_dropped"
    assert finding.measured == "1 of 'inh' stay that were to be dropped"
    assert "connected = false" in finding.fix
    assert record.report["missing"] == {"inh": 1}
    loose = PruneNeurons(0.5, connected=False).apply(net)[1]
    assert (loose["missing"], loose["kept"]) == ({}, [0, 1])


@pytest.mark.parametrize(
    ("options", "context", "words"),
    [
        ({"score": "activity"}, Context(), r"rates: not known; allowed: \(100,\)\. Give `rates`"),
        ({"score": "activity"}, Context(observed=Observed(0.1)), "rates: not known"),
        (
            {"score": "activity"},
            Context(observed=Observed(np.ones(7))),
            r"observed.rates: shape \(7,\); allowed: \(100,\)",
        ),
        (
            {"score": "leverage"},
            Context(observed=Observed(covariance=np.ones((7, 7)))),
            r"observed.covariance: shape \(7, 7\); allowed: \(100, 100\)",
        ),
    ],
)
def test_what_no_run_showed_is_named(
    balanced: Network, options: Any, context: Context, words: str
) -> None:
    with pytest.raises(SpecError, match=words):
        PruneNeurons(0.5, **options).apply(balanced, context)
    # a score that looks at no run does not mind what it showed
    assert PruneNeurons(0.5).apply(balanced, context)[1]["neurons_after"] == 50


def test_faults_are_named() -> None:
    with pytest.raises(SpecError, match=r"fraction: 1.0; allowed: < 1"):
        PruneNeurons(1.0)
    with pytest.raises(SpecError, match="rounds: 0; allowed: >= 1"):
        PruneNeurons(0.5, rounds=0)
    with pytest.raises(SpecError, match=r"ridge: 0\.0; allowed: > 0"):
        PruneNeurons(0.5, ridge=0.0)
    with pytest.raises(SpecError, match="score: 'lverage'; allowed: activity, betweenness, lev"):
        PruneNeurons(0.5, score="lverage")


def left_by(network: Network, share: float, **options: Any) -> int:
    return recurrent_edges(PruneNeurons(share, **options)(network, SEEN)).n_edges


@each_score
@pytest.mark.parametrize("density", [1.0, 0.7, 0.25, 0.02])
def test_neurons_leave_until_a_share_of_the_synapses_is_left(
    balanced: Network, score: str, density: float
) -> None:
    small, report = PruneNeurons(density=density, score=score).apply(balanced, SEEN)
    whole = recurrent_edges(balanced).n_edges
    left = recurrent_edges(small).n_edges
    allowed = round(density * whole)
    assert left == report["synapses_after"] == report["budget"]["spent"] <= allowed
    assert (report["fraction"], report["density"]) == (None, density)
    assert "findings" not in report
    # the same share of each population, and with one neuron more it would be too much
    gone = 100 - small.n_neurons
    shares = [round(size * k / 100) for k in range(101) for size in (80, 20)]
    assert 80 - small.population("exc").size in shares
    assert abs(small.population("exc").size - 4 * small.population("inh").size) <= 4
    if gone:
        counts = [left_by(balanced, k / 100, score=score) for k in range(gone - 2, gone + 1)]
        assert min(counts) <= allowed < max(counts)
    else:
        assert density == 1.0


@pytest.mark.parametrize(
    "budget", [{"sops_per_spike": 4.0}, {"sop_ratio": 6.0}, {"sops": 20.0}], ids=str
)
@pytest.mark.parametrize("rounds", [1, 3])
def test_neurons_leave_until_operations_are_within_a_budget(
    balanced: Network, budget: dict[str, float], rounds: int
) -> None:
    options = PruneNeurons(**budget, rounds=rounds)
    assert options.needs_rates
    small, report = options.apply(balanced, SEEN)
    edges = recurrent_edges(small)
    spent = RATES[np.array(report["kept"])][edges.pre].sum()
    whole = recurrent_edges(balanced)
    before = RATES[whole.pre].sum()
    allowed = {
        "sops_per_spike": 4.0 * RATES.sum(),
        "sop_ratio": before / 6.0,
        "sops": 20.0,
    }[next(iter(budget))]
    assert report["budget"]["allowed"] == pytest.approx(allowed)
    assert report["sop_after"] == pytest.approx(spent)
    assert report["sop_before"] == pytest.approx(before)
    assert 0.75 * allowed < spent <= allowed * (1 + 1e-9)
    assert len(report["pivots"]) == rounds
    assert json.loads(json.dumps(report)) == report
    with pytest.raises(SpecError, match="rates: not known"):
        options(balanced)


def test_a_budget_that_the_rules_do_not_allow_is_said(balanced: Network) -> None:
    """Two populations keep a neuron each, joined here, and one synapse is more than none."""
    small, report = PruneNeurons(density=0.0).apply(balanced)
    assert small.n_neurons >= 2
    assert report["budget"]["spent"] > 0 == report["budget"]["allowed"]
    assert [f["kind"] for f in report["findings"]] == ["budget_not_met"]
    assert "are left, where 0 are allowed" in report["findings"][0]["measured"]
    free = PruneNeurons(density=0.0, score="random", connected=False, seed=0).apply(balanced)[1]
    assert free["neurons_after"] in (2, 3)  # one may be the last that an input feeds


def test_a_fraction_or_one_budget(balanced: Network) -> None:
    names = "fraction, density, sops_per_spike, sop_ratio, sops"
    with pytest.raises(SpecError, match=f"allowed: one of {names}; given: none of them"):
        PruneNeurons()
    with pytest.raises(SpecError, match="given: fraction and sops"):
        PruneNeurons(0.1, sops=3.0)
    with pytest.raises(SpecError, match=r"sop_ratio: 0\.5; allowed: >= 1"):
        PruneNeurons(sop_ratio=0.5)
    assert PruneNeurons(0.1).budget is None
    assert not PruneNeurons(density=0.5).needs_rates
