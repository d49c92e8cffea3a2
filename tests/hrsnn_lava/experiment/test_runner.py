"""The journal: finished stages are taken from it, cut-off lines are ignored."""

from __future__ import annotations

import hashlib
import json
import os

from hrsnn_lava import __version__, registry
from hrsnn_lava.experiment.runner import Journal, Runner, Stage, named_files, own_parts


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


def test_a_part_that_was_edited_computes_anew(tmp_path, monkeypatch):
    path, log = tmp_path / "journal.jsonl", []

    def run(value, resume=True):
        Journal(path, "spec", resume, own_parts()).result(Stage("a", counting(log, value)))

    monkeypatch.delenv(registry.PARTS_VARIABLE, raising=False)
    run(0, resume=False)
    key = json.loads(path.read_text())["key"]
    assert key == hashlib.sha256(f"{__version__}\0spec".encode()).hexdigest()
    one, two = tmp_path / "one", tmp_path / "two"
    for file in (one / "task" / "mine.py", two / "chip" / "mine.toml", two / "chip" / "notes.txt"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("first")
    monkeypatch.setenv(registry.PARTS_VARIABLE, f"{one}{os.pathsep}{two}")
    run(1)
    (two / "chip" / "notes.txt").write_text("no part")
    one.rename(tmp_path / "elsewhere")
    monkeypatch.setenv(registry.PARTS_VARIABLE, f"{tmp_path / 'elsewhere'}{os.pathsep}{two}")
    run(2)
    (tmp_path / "elsewhere" / "task" / "mine.py").write_text("second")
    run(3)
    (two / "chip" / "mine.toml").write_text("second")
    run(4)
    monkeypatch.delenv(registry.PARTS_VARIABLE)
    run(5)
    assert log == [0, 1, 3, 4]


def test_a_file_that_the_spec_names_and_was_edited_computes_anew(tmp_path):
    path, log, recording = tmp_path / "journal.jsonl", [], tmp_path / "recording.npz"
    tables = {"task": {"path": str(recording), "readers": [{"kind": "npz"}, "x" * 5000, "\0"]}}

    def run(value, resume=True):
        spec = json.dumps(tables)
        Journal(path, spec, resume, named_files(spec)).result(Stage("a", counting(log, value)))

    run(0, resume=False)  # a file that is missing is the reader's to name
    recording.write_bytes(b"first" * 500_000)
    run(1)
    run(2)
    recording.write_bytes(b"second" * 500_000)
    run(3)
    assert log == [0, 1, 3]
    assert named_files(json.dumps({"kind": "npz", "path": str(tmp_path)})) == ()
