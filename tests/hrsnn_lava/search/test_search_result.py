"""What a search leaves: the best, the front, specs that can be run, the page, fresh seeds."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from search_cases import Inline, bowl, plan_of

from hrsnn_lava.errors import SpecError
from hrsnn_lava.experiment.spec_trial import merged
from hrsnn_lava.progress import Progress
from hrsnn_lava.search.history import Asked, Trial
from hrsnn_lava.search.page import search_page
from hrsnn_lava.search.plan import CONFIRMING
from hrsnn_lava.search.result import SearchResult, front_of
from hrsnn_lava.search.run_search import run_search
from hrsnn_lava.search.trial import Failure
from hrsnn_lava.search.watcher import ProgressWatcher, duration
from hrsnn_lava.spec import Spec

TAU = "network.neurons.excitatory.tau_mem"
SPACE = {
    "network.connectivity.gain": [0.05, 0.5],
    "network.size": [50, 200],
    TAU: {"distribution": "gamma", "shape": [1.0, 8.0], "mean": [0.005, 0.05]},
}


def trial(number: int, *gains: float, status: Any = "done") -> Trial:
    failure = Failure("killed", "gone") if status == "failed" else None
    asked = Asked(number, 0, (0.5,), {})
    return Trial(asked, status, gains, {}, {}, 1, failure)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[SearchResult, Path]:
    out = tmp_path_factory.mktemp("found")
    objectives = ["score", "minimize size"]
    suggester = {"kind": "wasserstein", "initial": 8}
    plan = plan_of(trials=12, space=SPACE, objectives=objectives, confirm=3, suggester=suggester)
    return run_search(plan, out, engine=Inline(), made="by hand"), out


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from(["done", "stopped"])),
        max_size=8,
    )
)
@settings(max_examples=60)
def test_the_front_is_what_none_is_better_than(rows: Any) -> None:
    trials = [trial(k, a, b, status=status) for k, (a, b, status) in enumerate(rows)]
    done = [t for t in trials if t.status == "done"]

    def beaten(t: Trial) -> bool:
        return any(
            all(x >= y for x, y in zip(o.gains, t.gains, strict=True)) and o.gains != t.gains
            for o in done
        )

    expected = {t.gains for t in done if not beaten(t)}
    front = front_of(trials)
    assert {t.gains for t in front} == expected
    assert len(front) == len(expected)  # of equal ones the first
    assert all(a.gains[0] >= b.gains[0] for a, b in itertools.pairwise(front))


def test_the_best_is_best_by_hand(found: tuple[SearchResult, Path]) -> None:
    result, out = found
    data = json.loads((out / "result.json").read_text())
    assert data == result.data
    scores = []
    for row in data["trials"]:
        tables = merged(json.loads(Spec().canonical()), row["settings"])
        figures = bowl(tables, 5, "float")["figures"]
        assert row["values"] == {"score": figures["score"], "size": figures["size"]}
        scores.append(figures["score"])
    assert data["best"] == result.best.number == int(np.argmax(scores))
    assert data["objectives"] == [
        {"name": "score", "better": "higher"},
        {"name": "size", "better": "lower"},
    ]
    assert not re.search(r'"(seconds|cpu_s|pid)"', result.text())  # nothing of one run


def test_the_winner_is_a_spec_that_can_be_read(found: tuple[SearchResult, Path]) -> None:
    result, out = found
    spec = Spec.load(out / "best.toml")
    assert spec.search is None
    assert spec.name == f"bowl-trial-{result.best.number}"
    settings_ = result.best.asked.settings
    assert spec.network.size == settings_["network.size"]
    assert spec.network.connectivity.gain == settings_["network.connectivity.gain"]
    base = Spec.parse({"name": spec.name, "seed": 5})
    expected = merged(json.loads(base.canonical()), settings_)
    assert spec.canonical() == Spec.parse(expected).canonical()
    first = (out / "best.toml").read_text().splitlines()[0]
    assert first.startswith(f"# Trial {result.best.number} of the search of bowl: score = ")


def test_every_trial_of_the_front_is_a_spec(found: tuple[SearchResult, Path]) -> None:
    result, out = found
    names = {f"trial-{number:04d}.toml" for number in result.data["front"]}
    assert {path.name for path in (out / "front").iterdir()} == names
    assert len(names) > 1
    for name in names:
        Spec.load(out / "front" / name)


def test_budgets_stay_with_the_winner(tmp_path: Path) -> None:
    plan = plan_of(trials=2, batch=1)
    spec = plan.spec.model_copy(update={"budgets": {"max_sops": 5.0}})
    run_search(type(plan).of(spec, evaluate=plan.evaluate), tmp_path, engine=Inline())
    assert Spec.load(tmp_path / "best.toml").budgets == {"max_sops": 5.0}


def test_the_winner_is_compared_on_fresh_seeds(found: tuple[SearchResult, Path]) -> None:
    result, _ = found
    confirmed = result.data["confirmed"]
    assert [row["seed"] for row in confirmed["rows"]] == [5 + CONFIRMING + k for k in range(3)]
    base = json.loads(Spec().canonical())
    for row in confirmed["rows"]:
        for label, settings_ in (("start", {}), ("winner", result.best.asked.settings)):
            figures = bowl(merged(base, settings_), row["seed"], "float")["figures"]
            assert row[label]["score"] == figures["score"]
    pairs = [(r["winner"]["score"], r["start"]["score"]) for r in confirmed["rows"]]
    difference = confirmed["differences"]["score"]
    assert difference["mean"] == pytest.approx(np.mean([a - b for a, b in pairs]))
    assert difference["interval"][0] < difference["mean"] < difference["interval"][1]


def test_distributions_before_and_after(found: tuple[SearchResult, Path]) -> None:
    result, _ = found
    pair = result.data["distributions"][TAU]
    table = result.best.asked.settings[TAU]
    assert np.mean(pair["after"]) == pytest.approx(table["mean"], rel=0.1)
    assert np.mean(pair["before"]) == pytest.approx(0.01, rel=0.15)  # of the spec as it is
    assert pair["after"] == sorted(pair["after"])


def test_what_was_learned_is_told(found: tuple[SearchResult, Path]) -> None:
    result, _ = found
    learned = result.data["learned"]
    assert set(learned) == {"score", "size"}
    importance = learned["size"]["importance"]
    assert max(importance, key=importance.get) == "network.size"
    assert set(importance) == set(result.data["coordinates"])


def test_the_page_shows_all_of_it(found: tuple[SearchResult, Path]) -> None:
    result, out = found
    page = (out / "search.html").read_text()
    sections = re.findall(r'<section id="(\w+)"', page)
    assert sections == ["best", "convergence", "front", "distributions", "learned", "trials"]
    assert page.count("<figure") == 2 + 1 + 1
    assert "On fresh seeds" in page
    assert "12 trials of 1 network each, chosen by wasserstein in rounds of 4; seed 5." in page
    assert "by hand" in page
    for row in result.data["trials"]:
        assert f'<th scope="row">{row["trial"]}</th>' in page
    assert "http" not in page.replace("http-equiv", "")
    assert search_page(result.data) == search_page(result.data)


def test_names_on_the_page_are_harmless(found: tuple[SearchResult, Path]) -> None:
    page = search_page({**found[0].data, "name": "<script>alert(1)</script>"})
    assert "<script>" not in page


def test_a_page_of_failures_and_nothing_learned(tmp_path: Path) -> None:
    space = {
        "network.size": {"values": [50, 65, 105, 130]},
        "network.connectivity.gain": [0.1, 0.5],
    }
    plan = plan_of("troubled", trials=8, space=space)
    result = run_search(plan, tmp_path, engine=Inline())
    page = (tmp_path / "search.html").read_text()
    assert " failed)" in page
    assert "network.size: 50; allowed" in page
    assert re.findall(r'<section id="(\w+)"', page) == ["best", "convergence", "trials"]
    assert result.data["learned"] == {}
    assert result.data["confirmed"] is None


def test_a_search_without_a_value_says_why(tmp_path: Path) -> None:
    plan = plan_of("troubled", trials=3, space={"network.size": [50, 59]})
    with pytest.raises(SpecError, match="none of 3 trials gave a value") as error:
        run_search(plan, tmp_path, engine=Inline())
    assert "trial 0: error: too small" in str(error.value)
    assert not (tmp_path / "best.toml").exists()


def test_progress_tells_trials_the_best_and_the_time_left(tmp_path: Path) -> None:
    lines: list[tuple[str, float | None]] = []

    def progress(text: str, fraction: float | None = None, /) -> None:
        lines.append((text, fraction))

    told: Progress = progress
    run_search(plan_of(confirm=1), tmp_path, engine=Inline(), watcher=ProgressWatcher(told))
    texts = [text for text, _ in lines]
    assert re.fullmatch(r"round 1 of 2: 4 points chosen in \d\.\d\d s", texts[0])
    assert re.fullmatch(
        r"1 of 8: trial \d score .* in 0\.1 s; best score .* \(trial \d\); about 0 s left", texts[1]
    )
    assert texts[-1] == "fresh seeds: 2 of 2 networks"
    fractions = [fraction for text, fraction in lines if text[0].isdigit()]
    assert fractions == [k / 8 for k in range(1, 9)]
    assert "left" not in texts[-3]
    lines.clear()
    again = ProgressWatcher(told)
    run_search(plan_of(confirm=1), tmp_path, engine=Inline(), watcher=again, resume=True)
    assert lines[0] == ("8 of 8 trials are in the ledger", 1.0)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (89, "89 s"), (600, "10 min"), (9000, "2.5 h")]
)
def test_durations_are_read_in_their_unit(seconds: float, text: str) -> None:
    assert duration(seconds) == text
