"""Studies of paired arms: equal budgets, fresh seeds, resumption, workers, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from hrsnn_lava.errors import SpecError
from hrsnn_lava.experiment.study import JOURNAL, Arm, Study, run_study
from hrsnn_lava.seeding import generator

CALLS = []


def trial(settings, seed, tuning):
    """A peak at x = 3, plus what the arm adds, plus noise that the arms of a seed share."""
    CALLS.append((dict(settings), seed, tuning))
    noise = generator(seed, "noise").normal()
    peak = -((settings.get("x", 0) - 3) ** 2) + settings.get("bonus", 0.0)
    return {"validation": peak + 0.01 * noise, "score": peak + noise, "spikes": 10.0}


GRID = tuple({"x": x} for x in (1, 2, 3, 4))
BETTER = tuple({"x": x, "bonus": 0.5} for x in (1, 2, 3, 4))


def study(**changes):
    given = {
        "name": "peaks",
        "trial": trial,
        "arms": (Arm("plain", GRID), Arm("better", BETTER), Arm("off", ({"bonus": -1},), "plain")),
        "comparisons": (("better", "plain"), ("off", "plain")),
        "headline": "score",
        "tuning_seeds": (0, 1, 2),
        "seeds": (10, 11, 12, 13),
    }
    return Study(**{**given, **changes})


def test_arms_are_tuned_apart_and_compared_seed_by_seed(tmp_path):
    result = run_study(study(), tmp_path)
    assert result.chosen["plain"] == {"x": 3}
    assert result.chosen["off"] == {"x": 3, "bonus": -1}
    assert result.at_edge == {"plain": (), "better": ()}
    better, off = result.compared()
    # the noise is that of the seed, so the differences are exact
    np.testing.assert_allclose(better.difference.differences, 0.5, rtol=1e-12)
    np.testing.assert_allclose(off.difference.differences, -1.0, rtol=1e-12)
    assert len(result.tuning["plain"]) == 4
    assert len(result.rows) == 12


def test_the_best_at_the_end_of_a_grid_is_named(tmp_path):
    low = tuple({"x": x} for x in (0, 1, 2))
    arms = (Arm("low", low), Arm("around", ({"x": 2}, {"x": 3}, {"x": 5})))
    result = run_study(study(arms=arms, comparisons=()), tmp_path)
    assert result.at_edge == {"low": ("x",), "around": ()}


def test_a_resumed_study_does_nothing_twice_and_gives_the_same(tmp_path):
    whole = run_study(study(), tmp_path / "whole")
    lines = (tmp_path / "whole" / JOURNAL).read_text().splitlines(keepends=True)
    for kept in (0, 1, 7, 20, len(lines)):
        folder = tmp_path / str(kept)
        folder.mkdir()
        (folder / JOURNAL).write_text("".join(lines[:kept]) + '{"stage": "tu'[: 13 * (kept < 20)])
        CALLS.clear()
        again = run_study(study(), folder)
        assert len(CALLS) == len(lines) - kept
        assert again.rows == whole.rows
        assert again.chosen == whole.chosen


def test_another_setting_is_another_trial(tmp_path):
    run_study(study(), tmp_path)
    CALLS.clear()
    run_study(study(seeds=(10, 11, 12, 13, 14)), tmp_path)
    assert sorted({seed for _, seed, _ in CALLS}) == [14]
    CALLS.clear()
    run_study(study(common={"bonus": 0.1}), tmp_path)
    assert len(CALLS) == 36


def test_the_number_of_workers_changes_nothing(tmp_path):
    """In a program of its own, as experiments are: workers import it anew."""
    program = tmp_path / "program.py"
    program.write_text(
        "import sys, json\n"
        "from pathlib import Path\n"
        "from hrsnn_lava.experiment.study import Arm, Study, run_study\n"
        "from hrsnn_lava.seeding import generator\n"
        "def trial(settings, seed, tuning):\n"
        "    value = settings['x'] + float(generator(seed, 'noise').normal())\n"
        "    return {'validation': value, 'score': value}\n"
        "if __name__ == '__main__':\n"
        "    arms = tuple(Arm(str(k), ({'x': k}, {'x': k + 1})) for k in range(2))\n"
        "    study = Study('p', trial, arms, (('1', '0'),), 'score', tuning_seeds=(0, 1))\n"
        "    out, workers = Path(sys.argv[1]), int(sys.argv[2])\n"
        "    print(json.dumps(run_study(study, out, workers=workers).rows))\n"
    )
    answers = [
        subprocess.run(
            [sys.executable, str(program), str(tmp_path / workers), workers],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for workers in ("1", "2")
    ]
    assert answers[0] == answers[1]
    assert len(json.loads(answers[0])) == 20


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"arms": (Arm("a", GRID), Arm("b", GRID[:2]))}, "a 4, b 2; allowed: equally many"),
        ({"tuning_seeds": (0, 10)}, "seeds: 10 tune, too"),
        ({"tuning_seeds": ()}, "tuning_seeds: none"),
        ({"comparisons": (("nobody", "plain"),)}, "'nobody'; allowed: plain, better, off"),
        ({"arms": (Arm("a"), Arm("a")), "comparisons": ()}, "a, a; allowed: each name once"),
        ({"arms": (Arm("a"), Arm("b", like="c")), "comparisons": ()}, "like 'c'"),
    ],
)
def test_what_would_mislead_is_refused(changes, message):
    with pytest.raises(SpecError, match=message):
        study(**changes)


def test_results_of_other_code_are_not_taken(tmp_path):
    """The program beside the trial counts, too: it may hold the networks."""
    (tmp_path / "shared.py").write_text("VALUE = 1.0\n")
    (tmp_path / "program.py").write_text(
        "import sys\nfrom pathlib import Path\nimport shared\n"
        "from hrsnn_lava.experiment.study import Arm, Study, run_study\n"
        "def trial(settings, seed, tuning):\n    return {'score': shared.VALUE}\n"
        "if __name__ == '__main__':\n"
        "    study = Study('p', trial, (Arm('a'),), (), 'score', seeds=(1,))\n"
        "    print(run_study(study, Path('work')).rows[0]['score'])\n"
    )
    for value in ("1.0", "2.0"):
        (tmp_path / "shared.py").write_text(f"VALUE = {value}\n")
        command = [sys.executable, "-B", "program.py"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == value
