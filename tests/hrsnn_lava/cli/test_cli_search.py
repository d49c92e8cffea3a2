"""`search` from the command line: a real network, what it prints and writes, what it refuses."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from hrsnn_lava.cli.search_live import LiveTable
from hrsnn_lava.experiment.spec_trial import figures_of
from hrsnn_lava.search import run_search
from hrsnn_lava.spec import Spec

SEARCH = """
name = "small"
seed = 3
[network]
size = 40
[network.connectivity]
mean_degree = 6.0
[task]
kind = "memory"
train = 120
validation = 60
test = 80
washout = 10
delays = 4
steps_per_sample = 3
trace_samples = [1.0]
[prune]
density = 0.3
rescale = "none"
homeostasis_passes = 1
controls = ["random"]
[verify]
backends = ["reference", "native"]
steps = 60
[budgets]
"min:accuracy.integer.memory_capacity" = -1.0
[search]
trials = 4
batch = 2
suggester = "random"
objectives = ["maximize memory_capacity / spikes_per_sample"]
[search.space]
network.connectivity.gain = { low = 0.1, high = 0.5, prior = "log" }
network.neurons.excitatory.tau_mem = { distribution = "gamma", shape = [1.0, 8.0], mean = 0.02 }
"""


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "search.toml"
    path.write_text(SEARCH, encoding="utf-8")
    return path


@pytest.mark.once
def test_a_search_of_a_network(run: Any, spec: Path, tmp_path: Path) -> None:
    """The figures of the trials are those that a study would have; the winner can be run."""
    found = run("search", spec, "--json", "--workers", "1").json()
    out = Path(found["out"])
    assert out == Path("out/search-small")
    assert {path.name for path in out.iterdir()} == {
        *("ledger.jsonl", "result.json", "best.toml", "search.html", "search.lock")
    }
    result = json.loads((out / "result.json").read_text())
    assert found["result"] == result
    best = result["trials"][result["best"]]
    winner = Spec.load(out / "best.toml")
    figures = figures_of(winner, winner.seed)
    assert {name: best["figures"][name] for name in figures} == figures
    ratio = figures["memory_capacity"] / figures["spikes_per_sample"]
    assert best["values"] == {"memory_capacity / spikes_per_sample": ratio}
    assert ratio == max(
        t["values"]["memory_capacity / spikes_per_sample"] for t in result["trials"]
    )
    assert winner.budgets == {"min:accuracy.integer.memory_capacity": -1.0}
    refused = run("search", spec)
    assert refused.code == 2
    assert "a search with 4 trials; allowed: an empty folder" in refused.err
    more = run("search", spec, "--resume")
    assert "resume: 4 of 4 trials came from an earlier run" in more.err
    assert "best     memory_capacity / spikes_per_sample" in more.out
    assert "network.neurons.excitatory.tau_mem = gamma(mean 0.02, shape " in more.out
    assert f"run the winner with: hrsnn-lava run {out / 'best.toml'}" in more.out


@pytest.mark.once
def test_a_search_for_energy_and_quality(run: Any, spec: Path) -> None:
    """Figures of the compiled program are those of the report that `run` writes."""
    objectives = 'search.objectives=["minimize dynamic_energy_uj", "maximize score"]'
    command = ("search", spec, "--trials", "2", "--set", objectives, "--workers", "1")
    refused = run(*command)
    assert refused.code == 2
    assert 'Set search.measure = "program"' in refused.err
    found = run(*command, "--set", "search.measure=program")
    assert found.code == 0, found.err
    assert "front    " in found.out
    (out,) = Path("out").iterdir()
    result = json.loads((out / "result.json").read_text())
    best = result["trials"][result["best"]]
    ran = run("run", out / "best.toml", "--out", "winner", "--json").json()["report"]
    assert best["values"]["dynamic_energy_uj"] == 1e6 * ran["energy"]["dynamic_j"]
    integers = ran["accuracy"]["integer"]["memory_capacity"]
    assert best["values"]["score"] == integers == best["figures"]["memory_capacity"]
    assert best["figures"]["pruned.memory_capacity"] == ran["comparison"][1]["memory_capacity"]
    assert best["figures"]["cores"] == ran["mapping"]["cores"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--scheduler", "127.0.0.1:8786"), "tcp://HOST:PORT on this machine"),
        (("--scheduler", "tcp://192.0.2.1:8786"), "tls:// beyond this machine"),
        (("--scheduler", "tls://192.0.2.1:8786"), "--tls-ca, --tls-cert and --tls-key"),
        (("--scheduler", "tcp://localhost:1", "--workers", "2"), "those of the cluster"),
        (("--tls-ca", "search.toml"), "--tls-cert: missing; allowed: all three"),
        (("--set", "search.space={}"), "nothing is free"),
        (("--set", "search.batch=0"), "search.batch: 0; allowed: >= 1"),
        (("--trials", "0"), "0 is not in the range"),
    ],
)
def test_what_cannot_be_is_refused(run: Any, spec: Path, arguments: Any, message: str) -> None:
    found = run("search", spec, *arguments)
    assert found.code == 2
    assert message in found.err
    assert not Path("out").exists()


def test_a_spec_without_a_search_is_refused(run: Any, spec: Path) -> None:
    spec.write_text("name = 'other'\n")
    found = run("search", spec, "--trials", "3")
    assert found.code == 2
    assert "search: missing; allowed: a table [search]" in found.err


def test_whoever_ends_it_is_told_how_to_go_on(
    run: Any, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_search, "run_rounds", interrupted)
    found = run("search", spec)
    assert found.code == 130
    assert "the trials that have ended are in out/search-small; --resume goes on" in found.err


def test_the_live_table(tmp_path: Path) -> None:
    import search_cases
    from rich.console import Console
    from rich.live import Live

    stream = io.StringIO()
    terminal = Console(file=stream, width=90, force_terminal=True, no_color=True)
    plan = search_cases.plan_of("troubled", confirm=1, objectives=["score", "minimize size"])
    plan = type(plan).of(
        plan.spec.model_copy(
            update={
                "search": search_cases.plan_of(
                    space={
                        "network.size": {"values": [50, 130, 140]},
                        "network.connectivity.gain": [0.1, 0.5],
                    },
                    confirm=1,
                ).options
            }
        ),
        evaluate="search_cases:troubled",
    )
    with Live(console=terminal, auto_refresh=False) as live:
        watcher = LiveTable(live)
        result = run_search.run_search(
            plan, tmp_path, engine=search_cases.Inline(), watcher=watcher
        )
    shown = stream.getvalue()
    assert "8 of 8 trials" in shown
    assert "failed: error, 0.1 s" in shown
    assert "about 0 s left" in shown
    assert "fresh seeds: 2 of 2 networks" in shown
    row = next(line for line in reversed(shown.splitlines()) if "best so far" in line)
    assert row.split()[0] == str(result.best.number)


def test_nothing_of_a_cluster_is_loaded_without_one() -> None:
    assert "distributed" not in sys.modules or "hrsnn_lava.search.cluster" in sys.modules
