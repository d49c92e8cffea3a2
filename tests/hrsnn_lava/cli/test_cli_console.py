"""Output: tables, JSON, progress, and names that try to command a terminal."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrsnn_lava.cli.console import Console, clean, columns, json_document, plain, warnings_as


def test_columns_are_aligned() -> None:
    rows = [("a", 1, None), ("long name", 12345, True)]
    assert columns(rows, ("name", "count", "x"), right=(1,)) == "\n".join(
        [
            "name        count  x",
            "---------  ------  ---",
            "a               1  -",
            "long name  12,345  yes",
        ]
    )
    assert columns([]) == ""
    assert columns([("x", 0.123456)]) == "x  0.1235"


@given(st.text())
def test_clean_text_holds_no_control_character(text: str) -> None:
    result = clean(text)
    assert not {c for c in result if ord(c) < 32 or 127 <= ord(c) < 160} - {"\n", "\t"}
    if text.isprintable():
        assert result == text


def test_clean_shows_escape_sequences() -> None:
    assert clean("\x1b[2J\x9b1mred\rx") == "\\x1b[2J\\x9b1mred\\x0dx"


def test_json_is_strict_and_plain() -> None:
    data = {
        "path": Path("a") / "b",
        "array": np.arange(3),
        "number": np.float64(0.5),
        "nothing": float("nan"),
        "endless": np.array([np.inf, 1.0]),
        "name": "µ\x1b",
        "few": {1},
    }
    text = json_document("inspect", data)
    assert text.isascii()
    assert json.loads(text) == {
        "schema_version": 1,
        "command": "inspect",
        "path": "a/b",
        "array": [0, 1, 2],
        "number": 0.5,
        "nothing": None,
        "endless": [None, 1.0],
        "name": "µ\x1b",
        "few": [1],
    }
    assert plain({3: (1, [2.0])}) == {"3": [1, [2.0]]}


def test_progress_off_a_terminal_is_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with Console("x").progress() as progress:
        for share in (None, 0.0, 0.3, 0.4, 0.6, 1.0):
            progress("work", share)
        progress("more")
    assert capsys.readouterr().err.splitlines() == ["work", "work: 25 %", "work: 50 %", "more"]


def test_progress_on_a_terminal_is_a_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with Console("x").progress() as progress:
        progress("[red]work[/red]\x1b[2J", 0.5)
        progress("endless")
    assert capsys.readouterr().out == ""


def test_quiet_keeps_remarks_for_json_alone(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console("x", json=True, quiet=True)
    console.note("chosen at random")
    with console.progress() as progress:
        progress("work", 0.5)
    console.result({"answer": 42}, "never shown")
    captured = capsys.readouterr()
    assert captured.err == ""
    assert json.loads(captured.out)["notes"] == ["chosen at random"]


@pytest.mark.filterwarnings("always")
def test_warnings_for_users_are_remarks(run: Any, tmp_path: Path) -> None:
    (tmp_path / "old.toml").write_text('name = "old"\n[stdp]\ntolerance = 0.3\n', encoding="utf-8")
    note = "spec: stdp.tolerance is called stdp.max_error now"
    assert run("inspect", "old.toml").err == f"{note}\n"
    assert run("inspect", "old.toml", "-q").err == ""
    assert run("inspect", "old.toml", "--json", "-q").json()["notes"] == [note]


@pytest.mark.filterwarnings("always")
def test_warnings_for_developers_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    usual: list[str] = []
    monkeypatch.setattr(warnings, "showwarning", lambda message, *_: usual.append(str(message)))
    with warnings_as(notes.append):
        warnings.warn("new", UserWarning, stacklevel=1)
        warnings.warn("overflow", RuntimeWarning, stacklevel=1)
    assert (notes, usual) == (["new"], ["overflow"])
