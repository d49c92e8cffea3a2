"""The ledger: what was written is read, a torn end is cut off, every other change is found."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrsnn_lava.errors import SpecError
from hrsnn_lava.search.ledger import Ledger, LedgerError, locked, read_entries

HEAD = {"kind": "search", "spec": {"seed": 3}}
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)
entries_of = st.lists(st.dictionaries(st.text(max_size=8), plain, max_size=3), max_size=5)


def written(path: Path, entries: Any) -> bytes:
    path.unlink(missing_ok=True)
    with Ledger.open(path, HEAD) as ledger:
        for entry in entries:
            ledger.append(entry)
    return path.read_bytes()


@pytest.fixture(scope="module", autouse=True)
def no_disk() -> Iterator[None]:
    """A disk is slow, and no test takes the power away."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ledger") / "ledger.jsonl"


@given(entries=entries_of)
@settings(max_examples=20)
def test_what_is_read_is_what_was_written(path: Path, entries: Any) -> None:
    written(path, entries)
    found, length, _ = read_entries(path)
    assert found == [HEAD, *entries]
    assert length == path.stat().st_size
    with Ledger.open(path, {"kind": "another"}) as ledger:  # a head is written once
        assert ledger.entries == [HEAD, *entries]


def test_floats_survive_to_the_last_bit(path: Path) -> None:
    values = [math.pi, 1 / 3, 5e-324, 1.7976931348623157e308, -0.0]
    written(path, [{"values": values}])
    found = read_entries(path)[0][1]["values"]
    assert [v.hex() for v in found] == [v.hex() for v in values]
    with Ledger.open(path, HEAD) as ledger, pytest.raises(ValueError, match="not JSON"):
        ledger.append({"value": math.nan})
    assert len(read_entries(path)[0]) == 2


@given(entries=entries_of, data=st.data())
@settings(max_examples=25)
def test_a_cut_at_any_byte_loses_the_torn_line_alone(path: Path, entries: Any, data: Any) -> None:
    whole = written(path, entries)
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    complete = whole[:cut].count(b"\n")
    assert read_entries(path)[0] == [HEAD, *entries][:complete]
    with Ledger.open(path, HEAD) as ledger:
        for entry in entries[max(complete - 1, 0) :]:
            ledger.append(entry)
    assert path.read_bytes() == whole  # the chain goes on as if nothing had happened


@given(entries=entries_of, data=st.data())
@settings(max_examples=50)
def test_a_changed_byte_is_found(path: Path, entries: Any, data: Any) -> None:
    whole = written(path, entries)
    place = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != whole[place]))
    path.write_bytes(whole[:place] + bytes([byte]) + whole[place + 1 :])
    if place == len(whole) - 1:  # the last line's end: as a kill leaves it
        assert read_entries(path)[0] == [HEAD, *entries][:-1]
        return
    with pytest.raises(LedgerError) as error:
        read_entries(path)
    line = whole[:place].count(b"\n") + 1
    assert f"line {line}" in error.value.problems[0].where
    with pytest.raises(LedgerError), Ledger.open(path, HEAD):
        pass


@pytest.mark.parametrize("change", ["swap", "drop", "twice"])
def test_a_line_out_of_its_place_is_found(path: Path, change: str) -> None:
    lines = written(path, [{"trial": k} for k in range(3)]).splitlines(keepends=True)
    if change == "swap":
        lines[1], lines[2] = lines[2], lines[1]
    elif change == "drop":
        del lines[1]
    else:
        lines.insert(1, lines[1])
    path.write_bytes(b"".join(lines))
    with pytest.raises(LedgerError, match=r"line 2|line 3"):
        read_entries(path)


def test_the_error_says_where_and_what_to_do(path: Path) -> None:
    whole = written(path, [{"value": 0.25}, {"value": 0.5}])
    path.write_bytes(whole.replace(b"0.25", b"0.75"))
    with pytest.raises(LedgerError) as error:
        read_entries(path)
    (problem,) = error.value.problems
    assert problem.where == f"{path}, line 2"
    assert "checksum" in problem.measured
    assert "--resume" in problem.fix
    assert error.value.exit_code == 3


def test_another_file_is_no_ledger(path: Path) -> None:
    path.write_text(json.dumps({"a": 1}) + "\n")
    with pytest.raises(LedgerError, match="no line of a ledger"):
        read_entries(path)
    path.write_bytes(b"\xff\xfe\n")
    with pytest.raises(LedgerError):
        read_entries(path)


def test_one_search_a_folder(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(SpecError, match="is at work there"), locked(tmp_path):
        pass
    with locked(tmp_path):  # the first has let go
        pass
