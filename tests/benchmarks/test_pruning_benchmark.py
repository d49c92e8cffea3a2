"""The benchmark of pruning runs at a tiny size, and notices a peer that disagrees. No timing."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.once

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def pruning():
    """The script as a module."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("pruning")
    finally:
        sys.path.remove(str(BENCHMARKS))
        for name in ("pruning", "timing"):
            sys.modules.pop(name, None)


def test_every_step_runs(pruning):
    case = pruning.Case(80, 0.2, chains=8)
    rows = {name: pruning.measure(name, case) for name in pruning.STEPS}
    assert all(row["cpu_s"] >= 0 and row["peak_bytes"] > 0 for row in rows.values())
    assert f"{case.weights.nnz:,} synapses" in rows["Lyapunov matrix"]["remark"]
    assert rows["betweenness"]["remark"] == rows["betweenness, Brandes"]["remark"]
    assert rows["balanced"]["remark"] == "80 kept, rank 80"
    assert rows["iteration"]["remark"].startswith("72 neurons, ")
    assert "residual" in rows["covariance, exact"]["remark"]


def test_figures_and_peers_are_written(pruning, tmp_path, monkeypatch, capsys):
    out = tmp_path / "p.json"
    arguments = ["--neurons", "50", "--peer-neurons", "40", "--only", "stable system"]
    monkeypatch.setattr(sys, "argv", ["pruning", *arguments, "--json", str(out)])
    assert pruning.main() == 0
    document = json.loads(out.read_text())
    assert [row["step"] for row in document["rows"]["steps"]] == ["stable system"]
    assert {row["peer"] for row in document["rows"]["peers"]} == set(pruning.PEERS)
    assert all(row["difference"] < 1e-9 for row in document["rows"]["peers"])
    assert "| networkx betweenness_centrality" in capsys.readouterr().out


def test_another_result_of_a_peer_is_an_error(pruning, monkeypatch):
    seconds = {"cpu_s": 1.0, "wall_s": 1.0}
    peers = {"liar": (lambda _: (np.ones(3), seconds), lambda _: (np.ones(3) + 1e-3, seconds))}
    monkeypatch.setattr(pruning, "PEERS", peers)
    with pytest.raises(RuntimeError, match=r"liar: the results differ by 0\.001"):
        pruning.against_peers(pruning.Case(20, 0.2))


def test_a_peer_that_is_missing_is_named(pruning, monkeypatch):
    def missing(case):
        raise ImportError("No module named 'nobody'")

    monkeypatch.setattr(pruning, "PEERS", {"nobody": (missing, lambda _: None)})
    (row,) = pruning.against_peers(pruning.Case(20, 0.2))
    assert row == {"peer": "nobody", "remark": "No module named 'nobody'"}
