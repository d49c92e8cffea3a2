"""Runs whose network is chosen by screening, and runs with aftercare: rows, records, resume."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava.aftercare_options import GENTLE, AftercareOptions
from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.errors import SpecError
from hrsnn_lava.experiment import portfolio, run_spec
from hrsnn_lava.experiment.compilation import Pruning, Target
from hrsnn_lava.experiment.run import Bench, candidate_of, reference, trial_of
from hrsnn_lava.experiment.runner import Journal, Runner
from hrsnn_lava.training.aftercare import aftercare

pytestmark = pytest.mark.once

CARE = {"gains": [1.0], "balance": {"passes": 4, "samples": 80}}
PRUNE = {
    "sops_per_spike": 1.0,
    "screen": {"candidates": ["random", "magnitude"], "samples": 120},
    "aftercare": CARE,
    "controls": ["random", "no-recurrence"],
    "curve": [2.0],
}
TASK = {"kind": "memory", "train": 160, "validation": 40, "test": 60, "delays": 5, "washout": 10}
SMALL = {
    "name": "screened",
    "seed": 3,
    "network": {"size": 50, "connectivity": {"mean_degree": 10.0, "gain": 0.1}},
    "task": TASK,
    "prune": PRUNE,
    "verify": {"backends": ["reference", "native"], "steps": 100},
}


def run(folder: Any, prune: dict[str, Any], **options: Any) -> Any:
    return run_spec(hl.Spec.parse(SMALL | {"prune": prune}), folder, **options)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One finished run."""
    out = tmp_path_factory.mktemp("screened")
    return out, run(out, PRUNE)


def record(result: Any, name: str) -> dict[str, Any]:
    return next(r for r in result.report.to_dict()["transforms"] if r["name"] == name)


def test_the_rows_say_which_candidate_was_kept(done: Any) -> None:
    _, result = done
    kept = record(result, "screening")["report"]["winner"]
    method = kept.partition(",")[0]
    names = [row["name"] for row in result.comparison]
    assert names[:5] == [
        "unpruned",
        f"portfolio ({method}) 1 SOP/spike",
        f"portfolio ({method}) 1 SOP/spike, integers",
        "random 1 SOP/spike",
        "no recurrence",
    ]
    made = [r["name"] for r in result.report.to_dict()["transforms"]]
    assert made[:2] == [f"prune_{method}", "screening"]


def test_the_record_holds_the_table_and_the_text_shows_it(done: Any) -> None:
    out, result = done
    report = record(result, "screening")["report"]
    table = {row["name"]: row for row in report["candidates"]}
    assert list(table) == ["random, draw 1", "random, draw 2", "magnitude"]
    scores = {name: row["score"] for name, row in table.items() if row["score"] is not None}
    assert report["winner"] == max(scores, key=lambda name: scores[name])
    assert report["criterion"] == "memory"
    assert record(result, "screening")["options"]["criterion"]["delays"] == 15
    section = result.report.to_dict()["screening"]
    assert section == {key: report[key] for key in ("criterion", "winner", "candidates")}
    text = result.summary_text.partition("SCREENING\n")[2]
    (line,) = [s for s in text.splitlines() if s.startswith(report["winner"])]
    assert line.endswith("kept")
    assert 'id="screening"' in (out / "report.html").read_text()


def test_the_curve_is_screened_at_every_budget(done: Any) -> None:
    _, result = done
    points = result.report.to_dict()["pruning_curve"]
    found = {(point["method"], point["name"].rpartition(") ")[2]) for point in points}
    assert ("portfolio", "1 SOP/spike") in found
    assert ("portfolio", "2 SOP/spike") in found
    stages = [json.loads(s)["stage"] for s in (done[0] / "journal.jsonl").read_text().splitlines()]
    assert {"screening/1 SOP/spike", "screening/2 SOP/spike"} <= set(stages)


def test_the_network_spends_the_budget(done: Any) -> None:
    out, _ = done
    network = hl.Network.load(out / "network.hlx")
    assert 20 <= recurrent_edges(network).n_edges <= 90  # about one a neuron


def test_a_resumed_run_makes_the_winner_alone_and_gives_the_same(
    done: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, first = done
    lines = (out / "journal.jsonl").read_text().splitlines(keepends=True)
    upto = next(k for k, line in enumerate(lines) if '"screening/1 SOP' in line)
    (tmp_path / "journal.jsonl").write_text("".join(lines[: upto + 1]))
    made, original = [], portfolio.settle

    def counted(network: Any, lesson: Any, candidate: Any, *rest: Any, **named: Any) -> Any:
        made.append(candidate[0])
        return original(network, lesson, candidate, *rest, **named)

    monkeypatch.setattr(portfolio, "settle", counted)
    again = run(tmp_path, PRUNE, resume=True)
    assert made == [
        record(first, "screening")["report"]["winner"],
        *("random, draw 1", "random, draw 2", "magnitude"),  # of the curve
    ]
    assert "screening/1 SOP/spike" in again.earlier_stages
    for name in ("network.hlx", "compiled.hlx", "report.json", "report.html"):
        assert (tmp_path / name).read_bytes() == (out / name).read_bytes(), name


def bench_of(folder: Any, prune: dict[str, Any]) -> Any:
    """What stages of a run work with, without a run."""
    spec = hl.Spec.parse(SMALL | {"prune": prune})
    runner = Runner(Journal(folder / "journal.jsonl", spec.canonical(), False), 9)
    return Bench(Target.of(spec), trial_of(spec), runner)


def test_neurons_are_dropped_before_candidates_are_made(tmp_path: Any) -> None:
    bench = bench_of(tmp_path, PRUNE | {"drop_neurons": 0.2})
    table = bench.spec.prune
    candidate = candidate_of(bench, reference(bench), Pruning.of(table, "match"))
    assert candidate.network.n_neurons == 40
    assert [r.name for r in candidate.records][::2] == ["prune_neurons", "screening"]
    assert candidate.rate_error < 0.6


def test_options_of_the_method_hold_for_its_candidates() -> None:
    table = hl.Spec.parse({"prune": PRUNE | {"method": "random", "sampling": "systematic"}}).prune
    made = Pruning("random", "match", table.budget).step(table)
    assert made.sampling == "systematic"
    assert Pruning.of(table, "match").label == "portfolio 1 SOP/spike"


def test_aftercare_holds_for_all_rows_alike(tmp_path: Any) -> None:
    """Rates of the pruned network and of controls are those that `aftercare` gives."""
    prune = {"method": "random", "density": 0.1, "rescale": "match"}
    cared, plain = (bench_of(tmp_path, prune | more) for more in ({"aftercare": CARE}, {}))
    full = reference(cared)
    target = full.counts / cared.trial.lesson.n_steps
    for method in ("random", "magnitude", "no-recurrence"):
        pruning = Pruning(method, "match", cared.spec.prune.budget)
        made = candidate_of(cared, full, pruning)
        bare = candidate_of(bench_of(tmp_path, prune | {"homeostasis": False}), full, pruning)
        options = AftercareOptions((1.0,), balance=replace(GENTLE, passes=4, samples=80))
        after = aftercare(bare.network, cared.trial.lesson, target, options, seed=3)
        assert made.network.digest == after.network.digest, method
        assert made.rate_error == after.error
        assert made.records[-1].report["spikes_ratio"] == pytest.approx(after.ratio)
        assert made.records[-1].options["balance"]["gain"] == 0.02  # gentle
        homeostatic = candidate_of(plain, full, pruning)
        assert homeostatic.network.digest != made.network.digest
        assert "aftercare" not in [r.name for r in homeostatic.records]


def test_spikes_that_stay_too_many_reach_the_headline(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No pass of homeostasis, and a cap that nothing keeps: of the network, and of a control."""

    def inflated(network: Any, lesson: Any, target: Any, options: Any, **rest: Any) -> Any:
        return aftercare(network, lesson, 0.5 * np.asarray(target), options, **rest)

    monkeypatch.setattr("hrsnn_lava.experiment.run.aftercare", inflated)
    care = {"gains": [1.0], "cap": 1.0, "balance": {"passes": 0}}
    prune = {"method": "random", "density": 0.1, "rescale": "match", "aftercare": care}
    result = run(tmp_path, prune | {"controls": ["magnitude"]})
    found = [f for f in result.report.to_dict()["findings"] if f["kind"] == "spikes_inflate"]
    assert {f["where"] for f in found} == {"homeostasis", "homeostasis of magnitude 10 %"}
    assert "at the gains 1" in result.report.to_summary()


def test_a_criterion_without_meaning_is_refused(tmp_path: Any) -> None:
    bench = bench_of(tmp_path, PRUNE | {"screen": {"samples": 12, "washout": 0}})
    with pytest.raises(SpecError, match="criterion memory has too few samples"):
        candidate_of(bench, reference(bench), Pruning.of(bench.spec.prune, "match"))
