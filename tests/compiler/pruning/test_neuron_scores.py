import sys
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg

from hrsnn_lava import registry
from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.analysis.dynamics.trace_covariance import trace_covariance
from hrsnn_lava.compiler.context import Context, Observed
from hrsnn_lava.compiler.passes.prune_neurons import PruneNeurons
from hrsnn_lava.compiler.pruning.neuron_score import ScoredNeurons
from hrsnn_lava.compiler.pruning.neuron_scores.leverage import noise_driven, ridge_leverage
from hrsnn_lava.errors import PartError, SpecError
from hrsnn_lava.network import LIF, Network, Population, Projection
from hrsnn_lava.trace import Trace


def scores(name: str, network: Network, observed: Observed | None = None, **options: Any) -> Any:
    rng = np.random.default_rng(5)
    scored = ScoredNeurons(network, observed or Observed(), rng, **options)
    return registry.load("neuron_score", name)().of(scored)


def test_the_scores_there_are() -> None:
    names = registry.names("neuron_score")
    assert names == ("activity", "betweenness", "leverage", "random")
    needing = [n for n in names if registry.load("neuron_score", n).needs_rates]
    assert needing == ["activity"]
    assert PruneNeurons(0.1, score="activity").needs_rates
    assert not PruneNeurons(0.1).needs_rates


def test_betweenness_is_that_of_networkx(balanced: Network) -> None:
    graph = nx.from_scipy_sparse_array(recurrent_edges(balanced).matrix.T, create_using=nx.DiGraph)
    truth = nx.betweenness_centrality(graph, normalized=False)
    score, facts = scores("betweenness", balanced)
    np.testing.assert_allclose(score, [truth[k] for k in range(100)], rtol=1e-9, atol=1e-9)
    assert facts == {"pivots": "exact"}
    assert scores("betweenness", balanced, n_pivots=7)[1] == {"pivots": 7}
    assert scores("betweenness", balanced, n_pivots=0)[1] == {"pivots": "exact"}


def test_random_scores_are_spread_evenly(balanced: Network) -> None:
    score, facts = scores("random", balanced)
    assert score.shape == (100,)
    assert 0 <= score.min() < 0.1 < 0.9 < score.max() < 1
    assert facts == {}


def test_activity_is_the_rate(balanced: Network) -> None:
    rates = np.linspace(0, 1, 100)
    np.testing.assert_array_equal(scores("activity", balanced, Observed(rates))[0], rates)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 12), rank=st.integers(1, 12), ridge=st.floats(1e-4, 10.0))
def test_leverage_is_the_diagonal_of_the_definition(n: int, rank: int, ridge: float) -> None:
    factor = np.random.default_rng(n * 100 + rank).normal(size=(n, rank))
    c = factor @ factor.T
    damped = c + ridge * np.trace(c) / n * np.eye(n)
    truth = np.diag(c @ np.linalg.inv(damped))
    np.testing.assert_allclose(ridge_leverage(c, ridge), truth, rtol=1e-6, atol=2e-10)


def test_leverage_in_closed_form() -> None:
    # independent neurons: v_i / (v_i + lambda); k copies share the leverage of one
    v = np.array([4.0, 1.0, 0.0, 3.0])
    lam = 1e-3 * v.sum() / 4
    np.testing.assert_allclose(ridge_leverage(np.diag(v), 1e-3), v / (v + lam), atol=1e-10)
    copies = np.ones((5, 5))
    np.testing.assert_allclose(ridge_leverage(copies, 1e-3), 1 / (5 + 1e-3), atol=1e-10)
    np.testing.assert_array_equal(ridge_leverage(np.zeros((3, 3)), 1e-3), 0.0)
    # whatever the unit
    np.testing.assert_allclose(ridge_leverage(1e12 * np.diag(v), 1e-3), v / (v + lam), atol=1e-10)


@pytest.mark.parametrize(
    ("c", "words"),
    [
        (np.array([[1.0, 9.0], [9.0, 1.0]]), "not positive semidefinite"),
        (np.diag([1.0, np.nan]), "trace nan; allowed: a number >= 0"),
        (np.diag([1.0, -2.0]), "trace -1; allowed: a number >= 0"),
    ],
)
def test_what_is_no_covariance_has_no_leverage(c: Any, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        ridge_leverage(c, 1e-3)


def test_leverage_of_the_linear_system(balanced: Network) -> None:
    score, facts = scores("leverage", balanced)
    c, system = noise_driven(balanced)
    w = recurrent_edges(balanced).matrix.toarray()
    a = w - (1.0 + system["shift"]) * np.eye(100)
    truth = linalg.solve_continuous_lyapunov(a, -np.eye(100))
    np.testing.assert_allclose(c, truth, rtol=1e-6, atol=1e-9)
    damped = truth + 1e-3 * np.trace(truth) / 100 * np.eye(100)
    np.testing.assert_allclose(score, np.diag(truth @ np.linalg.inv(damped)), atol=1e-7)
    assert facts["covariance"] == "noise-driven"
    assert facts["linear_system"] == system
    assert facts["effective_rank"] == pytest.approx(score.sum())


def test_leverage_of_an_observed_run_comes_first(balanced: Network) -> None:
    c = np.diag(np.linspace(0, 1, 100))
    score, facts = scores("leverage", balanced, Observed(covariance=c))
    assert facts["covariance"] == "observed"
    np.testing.assert_array_equal(np.argsort(score), np.arange(100))


def test_neurons_without_synapses_have_equal_leverage() -> None:
    score, _ = scores("leverage", Network(1e-3, (Population("a", 4, LIF(0.02)),)))
    np.testing.assert_allclose(score, 1 / 1.001, atol=1e-9)


def filtered(trace: Trace, tau: float) -> Any:
    """Traces of all neurons, step by step, (n_steps, N)."""
    spikes = np.zeros((trace.n_steps, trace.n_neurons))
    spikes[trace.spike_steps, trace.spike_neurons] = 1
    rows = np.zeros_like(spikes)
    for t in range(trace.n_steps):
        rows[t] = spikes[t] + (np.exp(-1 / tau) * rows[t - 1] if t else 0)
    return rows


@pytest.mark.parametrize("steps", [3, 512, 1300])
@pytest.mark.parametrize("washout", [0, 2])
def test_covariance_of_traces(steps: int, washout: int) -> None:
    rng = np.random.default_rng(steps)
    at, who = np.nonzero(rng.random((steps, 6)) < [0.0, 0.1, 0.1, 0.3, 0.5, 1.0])
    trace = Trace(at, who, steps, 6)
    truth = np.cov(filtered(trace, 7.0)[washout:].T, bias=True)
    truth = np.where(np.isfinite(truth), truth, 0.0)
    measured = trace_covariance(trace, 7.0, washout=washout)
    np.testing.assert_allclose(measured, truth, atol=1e-10)
    np.testing.assert_array_equal(measured[0], 0.0)
    np.testing.assert_array_equal(measured, measured.T)


@pytest.mark.parametrize(
    ("tau", "washout", "words"),
    [
        (0.0, 0, "tau_steps: 0.0; allowed: a number > 0"),
        (np.inf, 0, "tau_steps: inf"),
        (1.0, 9, "washout: 9; allowed: 0 to below 9"),
        (1.0, -1, "washout: -1"),
    ],
)
def test_faults_of_the_measurement_are_named(tau: float, washout: int, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        trace_covariance(Trace([], [], 9, 2), tau, washout=washout)


FAN_OUT = '''"""How many neurons a neuron drives."""

from typing import ClassVar

import numpy as np

from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.pruning.neuron_score import NeuronScore


class FanOut(NeuronScore):
    """Synapses that leave a neuron."""

    name: ClassVar[str] = "fan_out"

    def of(self, scored):
        edges = recurrent_edges(scored.network)
        return np.bincount(edges.pre, minlength=edges.n_neurons), {"synapses": edges.n_edges}
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A folder of the user's parts, known while a test runs."""
    (tmp_path / "neuron_score").mkdir()
    monkeypatch.setenv(registry.PARTS_VARIABLE, str(tmp_path))
    registry.forget()
    yield tmp_path / "neuron_score"
    monkeypatch.undo()
    registry.forget()
    for name in [n for n in sys.modules if n.startswith("hrsnn_lava_parts.")]:
        del sys.modules[name]


def test_a_score_of_ones_own_is_one_file(folder: Path) -> None:
    (folder / "fan_out.py").write_text(FAN_OUT)
    registry.forget()
    w = np.zeros((4, 4))
    w[1, 0] = w[2, 0] = w[3, 0] = w[0, 1] = w[2, 1] = w[0, 3] = w[1, 2] = 1.0
    net = Network(1e-3, (Population("a", 4, LIF(0.02)),), (Projection("rec", "a", "a", w),))
    _, report = PruneNeurons(0.5, score="fan_out").apply(net)
    assert report["kept"] == [0, 1]
    assert report["synapses"] == [7]
    with pytest.raises(SpecError, match="Did you mean 'fan_out'"):
        registry.load("neuron_score", "fanout")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("np.ones(3), {}", r"scores of shape \(3,\), 0 not finite; allowed: \(4,\) finite"),
        ("np.full(4, np.nan), {}", r"scores of shape \(4,\), 4 not finite"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_a_score_that_gives_no_scores_is_named(folder: Path, answer: str, words: str) -> None:
    head = FAN_OUT.rpartition("        edges =")[0]
    (folder / "fan_out.py").write_text(f"{head}        return {answer}\n")
    registry.forget()
    net = Network(1e-3, (Population("a", 4, LIF(0.02)),))
    with pytest.raises(PartError, match=f"neuron score 'fan_out': .*{words}"):
        PruneNeurons(0.5, score="fan_out").apply(net, Context())
