"""The objectives of the comparison of searches have the optima that it says."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from hrsnn_lava import distributions as dist

pytestmark = pytest.mark.once

FILE = Path(__file__).resolve().parents[2] / "experiments" / "search_known_optimum.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("experiment_known_optimum", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_best_is_0_and_everything_else_less(script):
    best = (dist.Gamma(4.0, 0.02), dist.Gamma(4.0, 0.02))
    assert script.near(script.TARGETS) == 0.0
    assert script.numbers(best) == pytest.approx(0.0, abs=1e-12)
    assert script.means(best) == pytest.approx(0.0, abs=1e-12)
    other = (dist.Gamma(2.0, 0.03, script.CLIP), dist.Gamma(9.0, 0.01, script.CLIP))
    assert all(objective(other) < -0.01 for objective in script.OBJECTIVES.values())


def test_a_table_is_printed(script, monkeypatch, capsys):
    words = ["--seeds", "2", "--trials", "3", "--only", "random", "matern"]
    monkeypatch.setattr(sys, "argv", ["search_known_optimum", *words])
    assert script.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "| suggester | near | windows | numbers | means |"
    assert [line.split("|")[1].strip() for line in lines[3:]] == ["random", "matern"]
