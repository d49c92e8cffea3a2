import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hrsnn_lava.compiler.analysis.dynamics.driven_lif import HeldInput
from hrsnn_lava.compiler.analysis.dynamics.neuron_exponents import ParticipationOptions
from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.context import Context, Observed
from hrsnn_lava.compiler.passes.prune_lyapunov import PruneLyapunov, prune_lyapunov
from hrsnn_lava.compiler.pruning.edge_sampling import inclusion_probabilities
from hrsnn_lava.compiler.pruning.rescale import Rescale
from hrsnn_lava.errors import SpecError
from hrsnn_lava.network import LIF, Network, Population, Projection


@pytest.mark.parametrize("score", ["lyapunov", "weight", "product"])
@pytest.mark.parametrize("stabilise", ["uniform", "dominant"])
def test_every_score_meets_the_density_and_reports_a_stable_system(
    balanced: Network, score: Any, stabilise: Any
) -> None:
    options = PruneLyapunov(0.25, score=score, stabilise=stabilise, sampling="systematic")
    _, report = options.apply(balanced)
    n = report["synapses_before"]
    assert abs(report["synapses_after"] - 0.25 * n) <= 1
    (only,) = report["rounds"]
    assert only["stability"]["abscissa"] < 0
    assert only["covariance"]["residual"] < 1e-9
    assert only["probability"]["max"] <= 1
    assert only["sampled"]["relative_change_mean"] > 0


def test_weights_inform_the_scores_that_use_them(balanced: Network) -> None:
    spread = {
        score: PruneLyapunov(0.25, score=score).apply(balanced)[1]["rounds"][0]["score_cv"]
        for score in ("lyapunov", "weight", "product")
    }
    # Gamma(2) weights spread by 0.7; harmonic means over neighbourhoods hardly spread at all.
    assert spread["lyapunov"] < 0.35
    assert min(spread["weight"], spread["product"]) > 0.7


def test_weight_score_keeps_heavier_synapses_than_chance(balanced: Network) -> None:
    size = np.abs(recurrent_edges(balanced).weight)
    kept = {
        score: np.abs(
            recurrent_edges(PruneLyapunov(0.2, score=score, rescale=Rescale())(balanced)).weight
        ).mean()
        for score in ("lyapunov", "weight")
    }
    assert kept["weight"] > 1.5 * size.mean()
    assert kept["lyapunov"] == pytest.approx(size.mean(), rel=0.15)


def test_participation_reports_how_the_exponents_came_about(balanced: Network) -> None:
    run = ParticipationOptions(steps=60, transient=20, drive=1.3, noise=0.2, width=0.4)
    _, report = PruneLyapunov(0.5, exponents="participation", participation=run).apply(balanced)
    spectrum = report["rounds"][0]["spectrum"]
    assert spectrum["mode"] == "surrogate"
    assert (spectrum["width"], spectrum["steps"], spectrum["exponents"]) == (0.4, 60, 200)
    assert spectrum["rate"] > 0
    assert spectrum["floored"] >= 0


@pytest.mark.parametrize(
    ("mode", "parameters"),
    [
        ("surrogate", {"width": 0.4, "reset_gradient": False}),
        ("event", {"slope_floor": 0.01}),
        ("perturbation", {"eps": 0.05, "shadows": 8}),
    ],
)
@pytest.mark.parametrize("exponents", ["participation", "finite_time"])
def test_every_linearisation_prunes_and_says_what_it_met(
    balanced: Network, exponents: Any, mode: Any, parameters: dict[str, Any]
) -> None:
    run = ParticipationOptions(
        steps=40,
        transient=20,
        drive=1.3,
        noise=0.2,
        width=0.4,
        n_exponents=8,
        linearisation=mode,
        slope_floor=0.01,
        eps=0.05,
        window=15,
    )
    options = {"exponents": exponents, "participation": run, "sampling": "systematic"}
    if (exponents, mode) == ("finite_time", "perturbation"):
        with pytest.raises(SpecError, match=r"no derivative.*allowed: surrogate, event.*particip"):
            PruneLyapunov(0.5, **options)
        return
    _, report = PruneLyapunov(0.5, **options).apply(balanced)
    assert report["exponents"] == exponents
    (only,) = report["rounds"]
    spectrum = only["spectrum"]
    assert spectrum["mode"] == mode
    assert {key: spectrum[key] for key in parameters} == parameters
    assert spectrum["rate"] > 0.01
    assert spectrum["spikes"] > 50
    assert (spectrum["flips"] > 0) == (mode == "perturbation")
    assert (spectrum["degenerate"] > 0) <= (mode == "event")
    assert spectrum["delays_left_out"] == 0
    if exponents == "finite_time":
        assert (spectrum["horizon"], spectrum["windows"]) == (0.015, 3)
    else:
        assert (spectrum["exponents"], spectrum["steps"]) == (8, 40)
    json.dumps(report)
    again = PruneLyapunov(0.5, **options).apply(balanced)[1]
    assert again == report


def test_isolated_neurons_have_nothing_to_linearise(balanced: Network) -> None:
    with pytest.raises(SpecError, match=r"participation.linearisation: 'event'.*participation"):
        PruneLyapunov(0.5, participation=ParticipationOptions(linearisation="event"))
    held = HeldInput(np.zeros((1, 2)), 1000)
    with pytest.raises(SpecError, match="held: a recorded input"):
        prune_lyapunov(balanced, PruneLyapunov(0.5), np.random.default_rng(0), held=held)


def test_exponents_under_the_input_of_a_task(balanced: Network) -> None:
    run = ParticipationOptions(steps=40, transient=20, drive=1.0, linearisation="event")
    options = PruneLyapunov(0.5, exponents="participation", participation=run)
    rng = np.random.default_rng(1)
    reports = []
    for scale in (0.0, 2.0):
        held = HeldInput(scale * rng.standard_normal((6, 2)), 10)
        _, report = prune_lyapunov(balanced, options, np.random.default_rng(0), held=held)
        reports.append(report["rounds"][0]["spectrum"])
    assert reports[0]["spikes"] != reports[1]["spikes"]
    assert reports[0]["largest"] != reports[1]["largest"]


@pytest.mark.parametrize("form", [{"signed": True}, {"union": True}])
def test_other_forms_of_the_matrix_run(balanced: Network, form: dict[str, Any]) -> None:
    pruned, report = PruneLyapunov(0.5, **form).apply(balanced)
    assert report["density_kept"] == pytest.approx(0.5, abs=0.05)
    pruned.verify()


def test_rounds_multiply_their_probabilities_and_rescale_the_original_weights(
    balanced: Network,
) -> None:
    options = PruneLyapunov(0.25, iterations=3, sampling="systematic", rescale=Rescale("inverse"))
    pruned, report = options.apply(balanced)
    sizes = [r["synapses"] for r in report["rounds"]] + [report["synapses_after"]]
    n = sizes[0]
    np.testing.assert_allclose(sizes, n * 0.25 ** (np.arange(4) / 3), atol=2.5)
    before, after = recurrent_edges(balanced).matrix, recurrent_edges(pruned).matrix
    gain = np.asarray(after[after.nonzero()] / before[after.nonzero()]).ravel()
    assert gain.min() >= 1
    assert gain.max() <= 10
    assert gain.mean() == pytest.approx(1 / 0.25, rel=0.15)


def test_a_synapse_of_a_neuron_onto_itself_is_pruned_first() -> None:
    # Var(x_i - x_i) = 0: an excitatory self-synapse has no value to this score.
    weights = np.full((6, 6), 0.1)
    net = Network(
        1e-3, (Population("exc", 6, LIF(0.02)),), (Projection("rec", "exc", "exc", weights),)
    )
    pruned, report = PruneLyapunov(30 / 36, sampling="systematic", rescale=Rescale()).apply(net)
    assert report["rounds"][0]["probability"]["at_zero"] == 6
    np.testing.assert_allclose(pruned.projection("rec").weights.toarray(), 0.1 * (1 - np.eye(6)))


def test_parallel_projections_are_pruned_edge_by_edge(balanced: Network) -> None:
    first = balanced.projection("exc_exc")
    twice = replace(balanced, projections=(*balanced.projections, replace(first, name="slow")))
    pruned, report = PruneLyapunov(0.5, sampling="systematic").apply(twice)
    pruned.verify()
    total = report["synapses_before"]
    assert total == recurrent_edges(balanced).n_edges + first.n_synapses
    assert report["synapses_after"] == pytest.approx(total / 2, abs=1)


def test_single_precision_gives_nearly_the_same_probabilities(balanced: Network) -> None:
    a = PruneLyapunov(0.25).apply(balanced)[1]["rounds"][0]
    b = PruneLyapunov(0.25, precision="float32").apply(balanced)[1]["rounds"][0]
    assert b["covariance"]["precision"] == "float32"
    assert a["probability"]["max"] == pytest.approx(b["probability"]["max"], rel=1e-3)


def test_faults_are_named_all_at_once() -> None:
    with pytest.raises(SpecError, match="options of prune_lyapunov") as fault:
        PruneLyapunov(0.5, score="best", sampling="grid", iterations=0)  # type: ignore[arg-type]
    where = [problem.where for problem in fault.value.problems]
    assert where == ["score", "sampling", "iterations"]
    assert "allowed: lyapunov, noise_distance, product, weight" in str(fault.value)
    with pytest.raises(SpecError, match="margin: -1; allowed: > 0"):
        PruneLyapunov(0.5, margin=-1)


@pytest.mark.parametrize("score", ["lyapunov", "weight", "product"])
def test_a_sampled_covariance_gives_nearly_the_same_probabilities(
    balanced: Network, score: Any
) -> None:
    exact, sampled = (
        PruneLyapunov(0.25, score=score, covariance=covariance, chains=1024, sampling="systematic")
        for covariance in ("exact", "sampled")
    )
    a, b = (options.apply(balanced)[1]["rounds"][0] for options in (exact, sampled))
    assert a["covariance"]["method"] == "exact"
    assert b["covariance"]["chains"] == 1024
    assert b["covariance"]["expected_error"] == pytest.approx(np.sqrt(2 / 1024))
    assert a["probability"]["median"] == pytest.approx(b["probability"]["median"], rel=0.03)
    assert b["stability"]["abscissa"] < 0


def test_a_sampled_covariance_repeats_with_its_seed(balanced: Network) -> None:
    def pruned(seed: int) -> bytes:
        options = PruneLyapunov(0.3, covariance="sampled", chains=64, seed=seed)
        weights: bytes = recurrent_edges(options(balanced)).matrix.data.tobytes()
        return weights

    assert pruned(1) == pruned(1)
    assert pruned(1) != pruned(2)


def test_sampled_covariances_take_options_in_range() -> None:
    with pytest.raises(SpecError, match="options of prune_lyapunov") as fault:
        PruneLyapunov(0.5, covariance="guessed", chains=0)  # type: ignore[arg-type]
    assert [problem.where for problem in fault.value.problems] == ["covariance", "chains"]


def test_the_noise_distance_of_a_run_is_a_score_of_its_own(balanced: Network) -> None:
    """Probabilities follow ``Var(x_i - sgn(w) x_j)`` of the observed covariance; nothing else."""
    spread = np.linspace(0.2, 2.0, 100)
    seen = Context(observed=Observed(covariance=np.diag(spread)))
    options = PruneLyapunov(0.3, score="noise_distance", rescale=Rescale("none"), seed=1)
    assert options.needs_covariance
    assert not PruneLyapunov(0.3).needs_covariance
    kept = np.zeros(recurrent_edges(balanced).n_edges)
    edges = recurrent_edges(balanced)
    expected = inclusion_probabilities(spread[edges.post] + spread[edges.pre], 0.3 * edges.n_edges)
    for seed in range(40):
        pruned, report = replace(options, seed=seed).apply(balanced, seen)
        there = recurrent_edges(pruned)
        kept += np.isin(edges.post * 100 + edges.pre, there.post * 100 + there.pre)
    assert np.abs(kept / 40 - expected).mean() < 0.08  # sd of a mean of 40 draws: .07 at most
    assert np.corrcoef(kept, expected)[0, 1] > 0.7
    assert report["rounds"][0]["coupling"] == "observed"
    assert "stability" not in report["rounds"][0]
    with pytest.raises(SpecError, match="covariance: not known"):
        options(balanced)
