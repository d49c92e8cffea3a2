"""Counting without a trace, the counts file, and the ratio to the unpruned network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava.quantized import SignMode


def same_but_for_loads(report: dict[str, Any]) -> dict[str, Any]:
    """What a report says of counts: operations, activity, messages and hops of the cores."""
    cores = [{k: row.get(k) for k in ("spikes", "sops", "messages_in")} for row in report["cores"]]
    return {"sop": report["sop"], "activity": report["activity"], "cores": cores}


def test_counts_take_the_place_of_a_trace(run: Any, files: Any) -> None:
    common = (files.compiled, "--steps", "120", "--seed", "4")
    kept = run("simulate", *common, "-o", "trace.npz", "--json").json()
    counted = run("simulate", *common, "--counts", "counts.hlx", "--json").json()
    assert counted["counts"] == "counts.hlx"
    for key in ("steps", "spikes", "sop", "host_macs", "input_events", "silent_neurons"):
        assert counted[key] == kept[key]
    reports = [
        run("report", files.compiled, *source, "--json").json()["report"]
        for source in (("--trace", "trace.npz"), ("--counts", "counts.hlx"))
    ]
    assert same_but_for_loads(reports[0]) == same_but_for_loads(reports[1])
    assert reports[0]["energy"]["dynamic_j"] == reports[1]["energy"]["dynamic_j"]
    assert reports[1]["activity"]["updates_exact"] is True
    for form in ("text", "html"):
        outcome = run("report", files.compiled, "--counts", "counts.hlx", "--format", form)
        assert outcome.code == 0


def test_text_says_where_counts_went(run: Any, files: Any) -> None:
    outcome = run("simulate", files.compiled, "--steps", "20", "--counts", "c.hlx", "--quiet")
    assert "counts written to    c.hlx" in outcome.out


def test_counts_start_from_a_state(run: Any, files: Any) -> None:
    start = ("simulate", files.compiled, "--steps", "30", "--state-out", "s.hlx")
    assert run(*start).code == 0
    found = run(
        "simulate", files.compiled, "--steps", "30", "--state-in", "s.hlx", "--counts", "c.hlx",
        "--json",
    ).json()  # fmt: skip
    assert found["first_step"] == 30


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--counts", "c.hlx", "-o", "t.npz"), 2, "--counts keeps nothing but counts, so -o"),
        (("--counts", "c.hlx", "--probe", "v"), 2, "so --probe gets nothing"),
        (("--counts", "c.hlx", "--state-out", "s.hlx"), 2, "so --state-out gets nothing"),
    ],
)
def test_counts_refuse_what_needs_a_trace(
    run: Any, files: Any, options: Any, code: int, message: str
) -> None:
    outcome = run("simulate", files.compiled, *options)
    assert outcome.code == code
    assert message in outcome.err


def test_counts_need_cores(run: Any, files: Any) -> None:
    outcome = run("simulate", files.quantized, "--counts", "c.hlx")
    assert outcome.code == 3
    assert "not placed on cores" in outcome.err


def test_counts_of_another_program_are_refused(run: Any, files: Any) -> None:
    assert run("compile", files.clock, "--profile", "loihi1", "-o", "clock.hlx").code == 0
    assert run("simulate", "clock.hlx", "--steps", "9", "--counts", "c.hlx").code == 0
    outcome = run("report", files.compiled, "--counts", "c.hlx")
    assert outcome.code == 3
    assert "c.hlx: counts of another network; count this program" in outcome.err
    outcome = run("report", "clock.hlx", "--counts", files.compiled)
    assert outcome.code == 3
    assert "expected: counts" in outcome.err
    assert run("simulate", "clock.hlx", "--steps", "9", "-o", "t.npz").code == 0
    outcome = run("report", "clock.hlx", "--counts", "c.hlx", "--trace", "t.npz")
    assert outcome.code == 2
    assert "give one of them" in outcome.err


def driven(fan_out: int) -> hl.QuantizedNetwork:
    """Two channels onto the first neuron, and that one onto `fan_out` of three others."""
    neurons = hl.QuantizedPopulation("n", 4, du=4095, dv=0, vth=5)
    dense = np.zeros((4, 4), dtype=np.int32)
    dense[1 : 1 + fan_out, 0] = 2
    into = sparse.csr_matrix(np.array([[9, 9], [0, 0], [0, 0], [0, 0]]))
    return hl.QuantizedNetwork(
        (hl.QuantizedInput("inp", 2), neurons),
        (
            hl.QuantizedProjection("in", "inp", "n", into, sign_mode=SignMode.EXCITATORY),
            hl.QuantizedProjection("out", "n", "n", sparse.csr_matrix(dense)),
        ),
        "driven",
    ).verify()


def test_the_ratio_to_the_unpruned_network(run: Any, tmp_path: Path) -> None:
    """The first neuron sends 4 spikes: onto 3 neurons before pruning, onto 1 after it."""
    driven(3).save(tmp_path / "before.hlx")
    hl.compile(driven(1), "loihi1").save(tmp_path / "after.hlx")
    hl.SpikeInput([0, 3, 6, 9], [0, 1, 0, 1], 12, 2).save(tmp_path / "in.npz")
    assert run("simulate", "after.hlx", "--input", "in.npz", "-o", "t.npz").code == 0
    command = ("report", "after.hlx", "--trace", "t.npz", "--unpruned", "before.hlx")
    found = run(*command, "--json").json()["report"]["sop"]
    assert found["reference"] == {"total": 4 + 4 * 3, "recurrent": 4 * 3}
    assert (found["total"], found["recurrent"]) == (4 + 4, 4)
    assert (found["ratio"], found["ratio_recurrent"]) == (2.0, 3.0)
    assert "2.0 times fewer SOPs, 3.0 times fewer recurrent SOPs than unpruned" in run(*command).out
    assert "2.0 times fewer than unpruned" in run(*command, "--full").out
    twice = run(*command, "--trace", "t.npz", "--json").json()["report"]["sop"]
    assert (twice["reference"]["total"], twice["ratio"]) == (32, 2.0)


def test_what_the_ratio_needs(run: Any, files: Any, tmp_path: Path) -> None:
    hl.compile(driven(1), "loihi1").save(tmp_path / "after.hlx")
    assert run("simulate", "after.hlx", "--steps", "9", "-o", "t.npz").code == 0
    outcome = run("report", "after.hlx", "--unpruned", files.quantized)
    assert (outcome.code, "give --trace" in outcome.err) == (2, True)
    outcome = run("report", "after.hlx", "--trace", "t.npz", "--unpruned", files.quantized)
    assert (outcome.code, "3 input channels; the pruned network has 2" in outcome.err) == (3, True)
    trace = hl.Trace.load(tmp_path / "t.npz")
    hl.Trace(trace.spike_steps, trace.spike_neurons, 9, 4).save(tmp_path / "bare.npz")
    outcome = run("report", "after.hlx", "--trace", "bare.npz", "--unpruned", "after.hlx")
    assert (outcome.code, "holds no inputs" in outcome.err) == (2, True)


def test_an_old_trace_is_run_again_when_asked(run: Any, files: Any, tmp_path: Path) -> None:
    """Without ``--recount`` the report says that it gives an upper bound, and how to get more."""
    assert run("simulate", files.compiled, "--steps", "40", "-o", "t.npz").code == 0
    new = run("report", files.compiled, "--trace", "t.npz", "--json").json()["report"]["activity"]
    trace = hl.Trace.load(tmp_path / "t.npz")
    parts = (trace.spike_steps, trace.spike_neurons, 40, trace.n_neurons)
    hl.Trace(*parts, inputs=trace.inputs).save(tmp_path / "old.npz")
    old = ("report", files.compiled, "--trace", "old.npz")
    assert run(*old, "--recount", "--json").json()["report"]["activity"] == new
    twice = ("--trace", "old.npz", "--recount", "--json")
    both = run(*old, *twice).json()["report"]["activity"]
    assert both["neuron_updates_active"] == 2 * new["neuron_updates_active"]
    hl.Trace(*parts).save(tmp_path / "bare.npz")
    outcome = run("report", files.compiled, "--trace", "bare.npz", "--recount")
    assert (outcome.code, "cannot be counted again" in outcome.err) == (2, True)
    assert run("report", files.compiled, "--recount").code == 2
    made = run(*old, "--json").json()["report"]
    assert made["activity"]["updates_exact"] is False
    assert made["activity"]["neuron_updates_active"] == made["activity"]["neuron_updates"]
    assert made["activity"]["membrane_updates"] is None
    assert "an upper bound" in made["activity"]["convention"]
    assert "`report --recount`, in Python hl.count" in made["activity"]["convention"]


def test_the_library_counts_as_the_program_does(files: Any) -> None:
    compiled = hl.CompiledNetwork.load(files.compiled)
    found = hl.count(compiled, None, 25)
    made = hl.report(compiled, counts=found).to_dict()
    assert made["activity"]["steps"] == 25
    assert made["sop"]["total"] == found.ops.total
    assert made["sop"]["per_core"] == found.ops.per_core.tolist()
