"""The benchmarks run at tiny sizes, agree, and notice when two programs do not. No timing."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from hrsnn_lava import Trace
from hrsnn_lava.sim_backends.lava.backend import lava_obstacle
from hrsnn_lava.sim_backends.runs.session import simulate

pytestmark = pytest.mark.once

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
MODULES = (
    *("networks", "timing", "peers", "bounds", "plot", "peak_memory"),
    *(
        "simulation",
        "learning",
        "learning_rules",
        "scaling",
        "counting",
        "trials",
        "startup",
        "run_all",
        "training",
        "search_suggest",
    ),
)


@pytest.fixture(scope="module")
def bench():
    """The scripts as modules, which they are to each other."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield {name: importlib.import_module(name) for name in MODULES}
    finally:
        sys.path.remove(str(BENCHMARKS))
        for name in MODULES:
            sys.modules.pop(name, None)


def run(module, arguments, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["benchmark", *map(str, arguments)])
    return module.main()


def test_counting_agrees_with_the_stored_trace(bench, tmp_path, monkeypatch):
    out = tmp_path / "c.json"
    arguments = ["--sizes", 60, "--steps", 40, "--repeats", 2, "--json", out]
    assert run(bench["counting"], arguments, monkeypatch) == 0
    rows = json.loads(out.read_text())["rows"]
    kinds = [(row["network"], row["by_step"]) for row in rows]
    assert kinds == [(n, b) for n in ("all biased", "a tenth without bias") for b in (True, False)]


def test_counting_notices_other_counts(bench, small):
    counting = bench["counting"]
    found = []
    counting.counted_call(small, 40, True, found)()
    trace = simulate(small, None, 40, "native")
    counting.check(small, trace, found[0])
    with pytest.raises(bench["peers"].Different, match="operations: "):
        counting.check(small, trace_without(trace, 0), found[0])


@pytest.fixture
def small(bench):
    return bench["networks"].network(60, 0.2)


def trace_without(trace, spike):
    """`trace` with one spike left out."""
    keep = np.arange(trace.n_spikes) != spike
    at, who = trace.spike_steps[keep], trace.spike_neurons[keep]
    return Trace(at, who, trace.n_steps, trace.n_neurons, weights=trace.weights)


def test_simulation_writes_its_figures(bench, tmp_path, monkeypatch, capsys):
    out, picture = tmp_path / "s.json", tmp_path / "s.png"
    arguments = ["--sizes", 60, "--steps", 60, "--repeats", 1, "--no-lava", "--json", out]
    arguments += ["--peer-python", sys.executable, "--plot", picture]
    assert run(bench["simulation"], arguments, monkeypatch) == 0
    (case,) = json.loads(out.read_text())["rows"]
    assert {"native", "reference", "SciPy CSC", "SciPy CSR"} <= {r["tool"] for r in case["tools"]}
    assert all(r["same"] in ("", "bit-equal", "rate-matched") for r in case["tools"])
    assert case["peak_bytes"] >= case["imported_bytes"] > 0
    assert picture.stat().st_size > 0
    printed = capsys.readouterr().out
    assert "| native" in printed
    assert "GB/s" in printed


def test_a_missing_peer_is_named_with_the_reason(bench):
    peer = bench["peers"].ChildPeer("no_such_simulator", name="Nobody")
    assert "no module 'no_such_simulator'" in peer.obstacle()
    other = bench["peers"].ChildPeer("no_such_simulator", python="python3", name="Nobody")
    assert "in python3" in other.obstacle()


def test_events_are_spikes_times_fan_out(bench, small):
    trace = simulate(small, None, 40, "native")
    expected = 0
    for step_neuron in trace.spike_neurons:
        for projection in small.projections:
            first = small.offset(projection.pre)
            if first <= step_neuron < first + small.population(projection.pre).size:
                expected += int((projection.weights[:, step_neuron - first] != 0).sum())
    assert trace.n_spikes > 0
    assert bench["networks"].synaptic_events(small, trace) == expected


@pytest.mark.parametrize("layout", ["csc", "csr"])
def test_scipy_computes_the_same_network(bench, small, layout):
    peers = bench["peers"]
    trace = simulate(small, None, 80, "native")
    run_once = peers.ScipyPeer(layout).prepare(small, 80)
    peers.check(trace, run_once().trace, layout)


def test_one_missing_spike_is_noticed(bench, small):
    peers = bench["peers"]
    trace = simulate(small, None, 80, "native")
    with pytest.raises(peers.Different, match="so their times mean nothing"):
        peers.check(trace, trace_without(trace, trace.n_spikes // 2), "SciPy")


def test_one_wrong_weight_is_noticed(bench, small):
    peers = bench["peers"]
    trace = simulate(small, None, 10, "native")
    a, b = (
        Trace(trace.spike_steps, trace.spike_neurons, 10, 60, weights={"exc_exc": w})
        for w in (np.array([1, 2], np.int32), np.array([1, 3], np.int32))
    )
    with pytest.raises(peers.Different, match="learned weights of 'exc_exc'"):
        peers.check(a, b, "Lava")


def test_a_wrong_peer_ends_the_benchmark_with_an_error(bench, monkeypatch, capsys):
    peers = bench["peers"]
    honest = peers.ScipyPeer.prepare

    def wrong(self, net, steps):
        once = honest(self, net, steps)
        return lambda: peers.Run(1.0, trace_without(once().trace, 0))

    monkeypatch.setattr(peers.ScipyPeer, "prepare", wrong)
    arguments = ["--sizes", 60, "--steps", 60, "--repeats", 1, "--no-lava"]
    assert run(bench["simulation"], arguments, monkeypatch) == 1
    assert "native and SciPy CSC differ" in capsys.readouterr().err


def test_training_has_a_row_for_every_kind_of_rule(bench, tmp_path, monkeypatch):
    out = tmp_path / "t.json"
    arguments = ["--sizes", 60, "--degree", 10, "--samples", 2, "--repeats", 1, "--json", out]
    assert run(bench["training"], arguments, monkeypatch) == 0
    rows = json.loads(out.read_text())["rows"]
    assert [row["arm"] for row in rows] == ["fixed", *bench["training"].ARMS]
    assert all(row["events"] > 0 and row["seconds"] > 0 for row in rows)
    net = bench["training"].network(60, "classes", 10)
    taus = net.projection("exc_exc").plasticity.tau_plus
    assert 1 < len(set(taus.tolist())) <= bench["training"].CLASSES


def test_learning_runs_and_weights_change(bench, tmp_path, monkeypatch):
    out = tmp_path / "l.json"
    arguments = ["--sizes", 60, "--steps", 80, "--repeats", 1, "--no-lava", "--no-peers"]
    arguments += ["--rules-at", 60, "--json", out]
    assert run(bench["learning"], arguments, monkeypatch) == 0
    (case,) = json.loads(out.read_text())["rows"]
    assert case["plastic"] < case["synapses"]
    rules = {row["rule"]: row for row in case["rules"]}
    assert rules["pair, K=1"]["ratio"] == 1
    assert {"pair, K=16", "pair, epochs of 4", "dt by pairs, dw by t"} < set(rules)
    assert min(row["rate"] for row in rules.values()) > 0
    assert case["access_s"]["delivery"] > 0
    net = bench["networks"].network(60, 0.2, rule=bench["learning"].RULE)
    trace = simulate(net, None, 80, "native")
    assert np.any(trace.weights["exc_exc"] != net.projection("exc_exc").weights.data)


@pytest.mark.lava
@pytest.mark.skipif(lava_obstacle() is not None, reason=str(lava_obstacle()))
def test_learning_agrees_with_lava(bench, tmp_path, monkeypatch):
    out = tmp_path / "l.json"
    monkeypatch.setattr(bench["peers"].LavaPeer, "short", 5)
    arguments = ["--sizes", 40, "--steps", 30, "--repeats", 1, "--no-peers", "--json", out]
    assert run(bench["learning"], arguments, monkeypatch) == 0
    (case,) = json.loads(out.read_text())["rows"]
    found = {row["tool"]: row["same"] for row in case["tools"]}
    assert found["Lava 0.10 LearningDense"] == "bit-equal"
    assert found["Lava 0.10 LearningSparse"] == "bit-equal"


def test_scaling_varies_one_quantity_at_a_time(bench, tmp_path, monkeypatch):
    out, picture = tmp_path / "c.json", tmp_path / "c.png"
    arguments = ["--largest", 100, "--steps", 20, "--repeats", 1, "--json", out, "--plot", picture]
    assert run(bench["scaling"], arguments, monkeypatch) == 0
    rows = json.loads(out.read_text())["rows"]
    assert {row["vary"] for row in rows} == {"neurons", "density", "rate", "steps"}
    assert picture.stat().st_size > 0


def test_trials_give_the_same_traces_on_any_number_of_threads(bench, tmp_path, monkeypatch):
    out = tmp_path / "t.json"
    arguments = ["--sizes", 50, "--steps", 20, "--trials", 3, "--repeats", 1, "--json", out]
    assert run(bench["trials"], arguments, monkeypatch) == 0
    assert {1, 2} <= {row["threads"] for row in json.loads(out.read_text())["rows"]}


def test_a_failing_process_is_an_error(bench, tmp_path):
    with pytest.raises(RuntimeError, match="status"):
        bench["startup"].process([sys.executable, "-c", "raise SystemExit(3)"], tmp_path)


def test_the_page_is_filled_from_figures_alone(bench, tmp_path):
    run_all = bench["run_all"]
    page = tmp_path / "performance.md"
    page.write_text("text\n<!-- benchmark: targets -->\nold\n<!-- end -->\nmore\n")
    tools = [{"tool": "Lava 0.10", "ratio": 250.0}, {"tool": "Brian2 2.9.0 C++", "ratio": 3.0}]
    case = {"neurons": 5000, "ns_per_event": 0.7, "tools": tools}
    verdicts = {row[0]: row[4:] for row in run_all._targets({"simulation": {"rows": [case]}})}
    assert verdicts["step, N=5000, per synaptic event"] == ("0.7 ns", "met")
    assert verdicts["step, N=5000, against Lava"] == ("250 x", "met")
    assert verdicts["step, N=5000, against Brian2 C++"] == ("3 x", "missed")
    assert verdicts["trials on 2 cores, worst size"] == ("not measured", "")
    run_all.render({}, page)
    text = page.read_text()
    assert "not measured" in text
    assert "old" not in text
    assert text.startswith("text\n")
    assert text.endswith("more\n")


def test_what_was_not_measured_again_stays_on_the_page(bench, tmp_path):
    run_all = bench["run_all"]
    page = tmp_path / "performance.md"
    blocks = [f"<!-- benchmark: {name} -->\n<!-- end -->\n" for name in ("targets", "machine")]
    page.write_text("".join(blocks))
    machine = {"cpu": "c", "cores": 2, "system": "s", "python": "3", "load_average": 0.5}
    machine |= dict.fromkeys(("numpy", "scipy", "numba"), "1")
    rows = {"trials": [{"threads": 2, "gain": 1.9}], "startup": []}
    for gain in (1.9, 1.7):
        rows["trials"][0]["gain"] = gain
        documents = {k: {"machine": machine, "rows": v} for k, v in rows.items()}
        told = [run_all.targets_table(documents, page.read_text())]
        told += [run_all.machine_lines(documents, page.read_text())]
        page.write_text("\n".join(told))
    again = run_all.targets_table({}, page.read_text())
    assert again == run_all.targets_table(documents)
    assert "1.7 x" in again
    assert run_all.machine_lines({}, page.read_text()) == run_all.machine_lines(documents)


def test_every_block_of_the_page_is_known(bench):
    page = (BENCHMARKS.parent / "docs" / "performance.md").read_text()
    known = {"targets", "machine", "parts", *bench["run_all"].SCRIPTS}
    assert {found[1] for found in bench["run_all"]._BLOCK.findall(page)} == known
