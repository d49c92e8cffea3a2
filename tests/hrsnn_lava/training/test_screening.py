"""Screening: what is tried, what is dropped, what is kept, and that it is reproducible."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava import registry
from hrsnn_lava.aftercare_options import AftercareOptions, BalanceOptions, PortfolioOptions
from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.compiled import PassRecord
from hrsnn_lava.compiler.context import Context, Observed
from hrsnn_lava.compiler.passes.prune_magnitude import PruneMagnitude
from hrsnn_lava.compiler.passes.prune_random import PruneRandom
from hrsnn_lava.compiler.pruning.budget import Amount
from hrsnn_lava.errors import PartError, SpecError
from hrsnn_lava.training import screening
from hrsnn_lava.training.aftercare import Aftercare
from hrsnn_lava.training.balance import rates
from hrsnn_lava.training.course import stimulus_of
from hrsnn_lava.training.screening import (
    Candidate,
    ScreeningOptions,
    candidate_passes,
    judge,
    screen,
    settle,
)

CARE = AftercareOptions((1.0,), balance=BalanceOptions(passes=3))
ONE = Amount("sops_per_spike", 1.0)
QUICK = ScreeningOptions(aftercare=CARE, washout=20)


@pytest.fixture(scope="module")
def network() -> hl.Network:
    table = {"size": 50, "connectivity": {"mean_degree": 12.0, "gain": 0.1}}
    return hl.build_hrsnn(hl.Spec.parse({"network": table}), seed=2, n_inputs=1)


@pytest.fixture(scope="module")
def lesson() -> Any:
    return stimulus_of(np.random.default_rng(0).uniform(-1, 1, (160, 1)), 1, 5)


@pytest.fixture(scope="module")
def seen(network: hl.Network, lesson: Any) -> np.ndarray:
    return rates(network, lesson)


@pytest.fixture(scope="module")
def screened(network: hl.Network, lesson: Any, seen: np.ndarray) -> Any:
    return screen(network, lesson, ONE, seen, QUICK, seed=4)


def test_the_portfolio_is_what_its_options_say() -> None:
    passes = candidate_passes(ONE, PortfolioOptions(draws=3), 0)
    drawn = [f"{name}, draw {k}" for name in ("balanced", "random") for k in (1, 2, 3)]
    assert list(passes) == [*drawn, "magnitude", "activity"]
    assert {step.rescale.mode for step in passes.values()} == {"match"}
    assert {step.sops_per_spike for step in passes.values()} == {1.0}
    seeds = [passes[name].seed for name in drawn]
    assert seeds[0] is seeds[3] is None  # that of the run
    assert len(set(seeds)) == 5
    other = candidate_passes(ONE, PortfolioOptions(draws=3), 1)
    assert other["random, draw 2"].seed != passes["random, draw 2"].seed


def test_the_first_draw_is_the_method_itself(
    network: hl.Network, seen: np.ndarray, screened: Any
) -> None:
    passes = candidate_passes(ONE, QUICK, 4)
    context = Context(observed=Observed(seen), seed=4)
    alone = PruneRandom(sops_per_spike=1.0).settled(context)(network, context)
    none = replace(CARE, balance=BalanceOptions(passes=0))
    step = ("random", passes["random, draw 1"])
    made = settle(network, np.zeros((9, 1)), step, seen, none, seed=4).after.network
    assert made.digest == alone.digest


def test_a_row_for_every_candidate_and_the_highest_score_is_kept(screened: Any) -> None:
    table = screened.table
    assert [row.name for row in table] == list(candidate_passes(ONE, QUICK, 4))
    kept = [row for row in table if not row.dropped]
    assert screened.name == max(kept, key=lambda row: row.score).name
    for row in kept:
        assert row.score == row.figures["memory"]
        assert row.spikes <= 1.1 * max(1.0, min(r.spikes for r in table)) + 1e-12
    assert f"of 6 by memory, {6 - len(kept)} dropped" in str(screened)
    assert screened.network.digest == screened.winner.after.network.digest


def test_every_candidate_spends_the_budget(
    network: hl.Network, lesson: Any, seen: np.ndarray
) -> None:
    for name, step in candidate_passes(ONE, QUICK, 4).items():
        pruned = settle(network, lesson, (name, step), seen, replace(CARE, cap=9.0), seed=4)
        edges = recurrent_edges(pruned.after.network)
        assert seen[edges.pre].sum() == pytest.approx(seen.sum(), rel=0.15), name


def test_equal_seeds_give_equal_bytes(
    network: hl.Network, lesson: Any, seen: np.ndarray, screened: Any
) -> None:
    again = screen(network, lesson, ONE, seen, QUICK, seed=4)
    assert again.network.digest == screened.network.digest
    assert again.table == screened.table
    few = ScreeningOptions(aftercare=CARE, washout=20, candidates=("random",), draws=1)
    one, other = (screen(network, lesson, ONE, seen, few, seed=s) for s in (4, 5))
    assert one.network.digest != other.network.digest
    assert replace(one.table[0], name="random, draw 1") == screened.table[2]


def candidates(*settings: tuple[str, float]) -> list[Candidate]:
    """Candidates that fire so many times as often, as stubs: what judges them is replaced, too."""
    record = PassRecord("prune_stub", {}, {}, {})
    return [
        Candidate(
            name,
            record,
            Aftercare(SimpleNamespace(spikes=spikes), 1.0, np.zeros(1), spikes, 0.0, ()),
        )
        for name, spikes in settings
    ]


class Told:
    """A criterion that gives the scores it was made with, in the order in which it is asked."""

    name = "told"

    def __init__(self, *scores: float) -> None:
        self.told = list(scores)

    def figures(self, _: Any) -> dict[str, float]:
        return {"told": self.told.pop(0)}

    def scores(self, figures: Any) -> np.ndarray:
        return np.array([of_one["told"] for of_one in figures])


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch, network: hl.Network, lesson: Any) -> Any:
    """`judge` of candidates by their stated spikes, 1000 of them in the unpruned network."""

    def fake(net: Any, *_: Any) -> tuple[None, int]:
        return None, round(1000 * getattr(net, "spikes", 1.0))

    monkeypatch.setattr(screening, "drive", fake)

    def run(settings: list[tuple[str, float]], *scores: float, **options: Any) -> Any:
        o = SimpleNamespace(criterion=Told(*scores), tolerance=1.1, samples=9, washout=0)
        vars(o).update(options)
        return judge(network, lesson, candidates(*settings), o)

    return run


def test_more_spikes_than_the_cap_are_dropped_whatever_the_score(judged: Any) -> None:
    result = judged([("a", 1.0), ("b", 1.099), ("c", 1.3)], 1.0, 2.0, 9.0)
    assert result.name == "b"
    assert [row.score for row in result.table] == [1.0, 2.0, None]
    assert result.table[2].figures == {"told": 9.0}
    assert result.table[2].dropped == "spikes x1.3, above 1.1"
    assert [row.dropped for row in result.table[:2]] == ["", ""]
    assert result.findings == ()


def test_the_tolerance_moves_the_cap(judged: Any) -> None:
    settings = [("a", 1.0), ("b", 1.3)]
    assert judged(settings, 1.0, 9.0, tolerance=1.3).name == "b"
    assert judged(settings, 1.0, 9.0, tolerance=1.29).name == "a"


def test_where_all_inflate_the_cap_is_that_of_the_fewest(judged: Any) -> None:
    result = judged([("a", 2.0), ("b", 1.5), ("c", 1.64), ("d", 1.66)], 9.0, 1.0, 2.0, 9.0)
    assert result.name == "c"
    assert [row.dropped != "" for row in result.table] == [True, False, False, True]
    (finding,) = result.findings
    assert (finding.kind, finding.severity) == ("screening_inflated", "warning")
    assert "x1.5" in finding.measured


def test_of_equal_scores_the_first_is_kept_and_it_is_told(judged: Any) -> None:
    result = judged([("a", 1.3), ("b", 1.0), ("c", 1.0)], 5.0, 3.0, 3.0)
    assert result.name == "b"
    assert [finding.kind for finding in result.findings] == ["screening_tied"]


def test_an_amount_is_of_a_budget_that_there_is() -> None:
    with pytest.raises(SpecError, match="allowed: density, sops_per_spike, sop_ratio, sops"):
        Amount("bogus", 1.0)


def test_passes_of_ones_own_are_candidates(
    network: hl.Network, lesson: Any, seen: np.ndarray
) -> None:
    passes = {"few": PruneMagnitude(density=0.05), "many": PruneMagnitude(density=0.5)}
    result = screen(network, lesson, passes, seen, QUICK, seed=0)
    assert [row.name for row in result.table] == ["few", "many"]
    with pytest.raises(SpecError, match="no passes"):
        screen(network, lesson, {}, seen, QUICK)


@pytest.mark.parametrize("criterion", ["memory", "dynamics"])
def test_trials_and_a_density(criterion: str, network: hl.Network) -> None:
    rng = np.random.default_rng(3)
    lesson = stimulus_of([rng.uniform(-1, 1, (3, 1)) for _ in range(40)], 1, 5)
    few = replace(QUICK, criterion=criterion, candidates=("balanced", "magnitude"), draws=1)
    result = screen(network, lesson, Amount("density", 0.1), rates(network, lesson), few)
    names = {"memory": ["memory"], "dynamics": ["consistency", "log_volume"]}[criterion]
    assert all(list(row.figures) == names for row in result.table)
    assert recurrent_edges(result.network).n_edges == round(0.1 * recurrent_edges(network).n_edges)


def test_inputs_that_spike(lesson: Any) -> None:
    table = {"size": 50, "connectivity": {"mean_degree": 12.0}}
    table |= {"input": {"target": "synapse", "graded": False}}
    net = hl.build_hrsnn(hl.Spec.parse({"network": table}), seed=2, n_inputs=2)
    cells = np.flatnonzero(np.random.default_rng(1).random(4000) < 0.1)
    recording = hl.SpikeInput(cells // 2, cells % 2, 2000, 2)
    few = replace(QUICK, candidates=("random",))
    result = screen(net, recording, ONE, rates(net, recording), few)
    assert all(np.isfinite(row.figures["memory"]) for row in result.table)


def test_an_input_that_does_not_vary_is_refused(network: hl.Network, seen: np.ndarray) -> None:
    few = replace(QUICK, candidates=("random",), draws=1)
    for criterion in ("memory", "dynamics"):
        with pytest.raises(SpecError, match=f"{criterion} has no meaning"):
            screen(network, np.ones((90, 1)), ONE, seen, replace(few, criterion=criterion))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"candidates": ("neurons",)}, "candidates.*'neurons'; allowed: activity, balanced"),
        ({"candidates": ()}, "one or more names, each once"),
        ({"candidates": ("random", "random")}, "one or more names, each once"),
        ({"criterion": "memroy"}, "Did you mean 'memory'"),
        ({"tolerance": 0.9}, "tolerance: 0.9; allowed: >= 1"),
        ({"draws": 0}, "draws: 0"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        ScreeningOptions(**options)


def test_a_method_without_such_a_budget_is_named(
    folder: Path, network: hl.Network, lesson: Any, seen: np.ndarray
) -> None:
    (folder / "pruning").mkdir()
    (folder / "pruning" / "plain.py").write_text(PLAIN)
    registry.forget()
    options = replace(QUICK, candidates=("plain",))
    with pytest.raises(SpecError, match="density, the only budget of plain"):
        screen(network, lesson, ONE, seen, options)
    result = screen(network, lesson, Amount("density", 0.2), seen, options)
    assert result.name == "plain"


PLAIN = '''"""Keeps the first synapses."""

from typing import Any, ClassVar

import numpy as np

from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.context import Context, Pass
from hrsnn_lava.compiler.pruning.surgery import keep_synapses
from hrsnn_lava.network import Network
from hrsnn_lava.options import Share, options


@options
class PrunePlain(Pass[Network, Network]):
    """Keep the first synapses.

    Attributes:
        density: share to keep.
    """

    name: ClassVar[str] = "prune_plain"
    density: Share

    def transform(self, network: Network, context: Context) -> tuple[Network, dict[str, Any]]:
        edges = recurrent_edges(network)
        keep = np.arange(edges.n_edges) < self.density * edges.n_edges
        return keep_synapses(network, edges, keep, np.ones(edges.n_edges)), {}
'''

QUIET = '''"""Few spikes."""

from typing import ClassVar

import numpy as np

from hrsnn_lava.options import options
from hrsnn_lava.training.criterion import Criterion


@options
class Quiet(Criterion):
    """As few as possible."""

    name: ClassVar[str] = "quiet"

    def figures(self, run):
        return {"quiet": -float(run.traces.sum()), "rows": float(len(run.traces))}
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A folder of the user's parts, known while a test runs."""
    (tmp_path / "criterion").mkdir()
    monkeypatch.setenv(registry.PARTS_VARIABLE, str(tmp_path))
    registry.forget()
    yield tmp_path
    monkeypatch.undo()
    registry.forget()
    for name in [n for n in sys.modules if n.startswith("hrsnn_lava_parts.")]:
        del sys.modules[name]


def test_a_criterion_of_ones_own_is_one_file(
    folder: Path, network: hl.Network, lesson: Any, seen: np.ndarray
) -> None:
    (folder / "criterion" / "quiet.py").write_text(QUIET)
    registry.forget()
    assert registry.names("criterion") == ("dynamics", "memory", "quiet")
    few = ScreeningOptions(("random", "magnitude"), "quiet", 1, washout=20, aftercare=CARE)
    table = screen(network, lesson, ONE, seen, few).table
    assert [row.figures["rows"] for row in table] == [140.0, 140.0]
    assert all(row.score == row.figures["quiet"] for row in table if not row.dropped)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("{'quiet': float('nan')}", "figures quiet that are not finite"),
        ("{}", "no figures; allowed: finite numbers by name"),
        ("1 / 0", "ZeroDivisionError"),
        ("3.0", "AttributeError"),
    ],
)
def test_a_criterion_that_gives_no_figures_is_named(
    folder: Path, network: hl.Network, lesson: Any, seen: np.ndarray, answer: str, words: str
) -> None:
    head = QUIET.rpartition("        return")[0]
    (folder / "criterion" / "quiet.py").write_text(f"{head}        return {answer}\n")
    registry.forget()
    few = ScreeningOptions(("random",), "quiet", 1, washout=20, aftercare=CARE)
    with pytest.raises(PartError, match=f"criterion 'quiet': .*quiet.py: .*{words}"):
        screen(network, lesson, ONE, seen, few)


def test_scores_that_are_none_are_named(
    folder: Path, network: hl.Network, lesson: Any, seen: np.ndarray
) -> None:
    more = "\n    def scores(self, figures):\n        return np.zeros(7)\n"
    (folder / "criterion" / "quiet.py").write_text(QUIET + more)
    registry.forget()
    few = ScreeningOptions(("random",), "quiet", 1, washout=20, aftercare=CARE)
    with pytest.raises(PartError, match=r"scores of shape \(7,\).*allowed: \(1,\) finite"):
        screen(network, lesson, ONE, seen, few)
