"""The benchmark of the partition runs at a tiny size and weighs all partitioners alike."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def mapping(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module("mapping")
    sys.modules.pop("mapping", None)


def test_the_table_names_every_partitioner(mapping, tmp_path, monkeypatch, capsys) -> None:
    out = tmp_path / "m.json"
    arguments = ["mapping", "--neurons", "160", "--parts", "4", "--json", str(out)]
    monkeypatch.setattr(sys, "argv", arguments)
    assert mapping.main() == 0
    rows = json.loads(out.read_text())["rows"]
    assert {"neuron_order", "random", "streaming", "ours"} <= set(rows)
    assert all(row["fits"] for row in rows.values())
    ours, plain = (rows[k]["messages_per_step"] for k in ("ours", "neuron_order"))
    assert ours < plain
    printed = capsys.readouterr().out
    assert "mt-kahypar" in printed
    assert "vs order" in printed
