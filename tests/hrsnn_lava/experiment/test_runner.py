"""The journal: finished stages are taken from it, cut-off lines are ignored."""

from __future__ import annotations

import json

from hrsnn_lava.experiment.runner import Journal, Runner, Stage


def counting(log, value):
    """A stage that notes that it ran."""

    def compute():
        log.append(value)
        return {"value": value}

    return compute


def test_a_resumed_stage_is_not_computed_again(tmp_path):
    path, log = tmp_path / "journal.jsonl", []
    first = Journal(path, "spec", resume=False).result(Stage("a", counting(log, 0.1 + 0.2)))
    again = Journal(path, "spec", resume=True).result(Stage("a", counting(log, 1.0)))
    assert again == first == {"value": 0.1 + 0.2}
    assert log == [0.1 + 0.2]


def test_another_spec_input_or_a_fresh_start_computes_anew(tmp_path):
    path, log = tmp_path / "journal.jsonl", []
    Journal(path, "spec", resume=False).result(Stage("a", counting(log, 1), ("input",)))
    Journal(path, "other", resume=True).result(Stage("a", counting(log, 2), ("input",)))
    Journal(path, "spec", resume=True).result(Stage("a", counting(log, 3), ("other input",)))
    Journal(path, "spec", resume=False).result(Stage("a", counting(log, 4), ("input",)))
    assert log == [1, 2, 3, 4]


def test_a_line_that_was_cut_off_is_done_again(tmp_path):
    path, log = tmp_path / "journal.jsonl", []
    journal = Journal(path, "spec", resume=False)
    journal.result(Stage("a", counting(log, 1)))
    journal.result(Stage("b", counting(log, 2)))
    text = path.read_text()
    path.write_text(text[:-10])
    resumed = Journal(path, "spec", resume=True)
    resumed.result(Stage("a", counting(log, 3)))
    resumed.result(Stage("b", counting(log, 4)))
    assert log == [1, 2, 4]
    whole = [line for line in path.read_text().splitlines() if line.endswith("}")]
    assert [json.loads(whole[k])["result"]["value"] for k in (0, -1)] == [1, 4]


def test_every_step_that_is_said_counts_the_same(tmp_path):
    told = []
    journal = Journal(tmp_path / "journal.jsonl", "spec", resume=False)
    runner = Runner(journal, 2, lambda text, share=None: told.append((text, share)))
    for text in ("build", "score", "more than was expected"):
        runner.say(text)
    assert told == [("build", 0.0), ("score", 0.5), ("more than was expected", 1.0)]
