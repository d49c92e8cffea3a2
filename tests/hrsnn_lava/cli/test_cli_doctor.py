"""The diagnosis."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import pytest

from hrsnn_lava import registry
from hrsnn_lava.cli import doctor


def test_sound_installation(run: Any) -> None:
    outcome = run("doctor", "--json")
    found = outcome.json()
    assert (outcome.code, found["ok"]) == (0, True), found
    seen = {f["what"] for f in found["findings"]}
    assert {"Python", "packages", "Lava", "profiles", "numba cache", "machine"} <= seen
    assert "nothing needed is broken" in run("doctor").out


def test_broken_installation(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def without_scipy(name: str, package: str | None = None) -> Any:
        if name == "scipy":
            raise ImportError("libopenblas.so: cannot open shared object file")
        return real(name, package)

    monkeypatch.setattr("importlib.import_module", without_scipy)
    outcome = run("doctor")
    assert outcome.code == 1
    assert "libopenblas.so" in outcome.out
    assert "pip install --force-reinstall scipy" in outcome.out
    assert "1 broken" in outcome.out


def test_a_check_that_fails_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash() -> list[doctor.Finding]:
        raise RuntimeError("odd")

    crash.__name__ = "_data"
    monkeypatch.setattr(doctor, "_data", crash)
    broken = [f for f in doctor.diagnose() if f.status == "broken"]
    assert [(f.what, f.detail) for f in broken] == [("data", "RuntimeError: odd")]


@pytest.mark.parametrize(
    ("version", "status"), [((3, 9, 1), "broken"), ((3, 10, 0), "ok"), ((3, 14, 0), "broken")]
)
def test_python_versions(version: tuple[int, ...], status: str) -> None:
    assert doctor._python(version)[0].status == status


def test_needed_packages_follow_the_metadata() -> None:
    requirements = [
        "numpy<3,>=1.26",
        "tomli>=2.0.1; python_version < '3.11'",
        'lava-nc==0.10.0; python_version < "3.11"',
        'torch>=2.3; extra == "train"',
        "POT",
    ]
    assert doctor.needed(requirements, (3, 10)) == ["numpy", "POT", "tomli"]
    assert doctor.needed(requirements, (3, 12)) == ["numpy", "POT"]


def test_leftovers_in_shared_memory(tmp_path: Path) -> None:
    assert doctor._shared_memory(tmp_path)[0].status == "ok"
    for name in ("hl00ff00_0001", "hl00ff00_0002", "hlother", "psm_1"):
        (tmp_path / name).write_bytes(b"x" * 1024)
    (finding,) = doctor._shared_memory(tmp_path)
    assert finding.status == "note"
    assert "2 blocks" in finding.detail
    assert finding.fix == f"If none is running: rm {tmp_path}/hl00ff00_*"
    assert doctor._shared_memory(tmp_path / "none")[0].status == "note"


def test_memory_is_plausible() -> None:
    assert (doctor.memory_bytes() or 2**30) >= 2**28


def test_folders_of_parts_and_what_they_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert doctor._parts() == []
    for name in ("engine/a.py", "engine/b.py", "chip/c.toml"):
        (tmp_path / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / name).write_text("", encoding="utf-8")
    (tmp_path / "none").mkdir()
    monkeypatch.setenv(
        registry.PARTS_VARIABLE, f"{tmp_path / 'mine'}{os.pathsep}{tmp_path / 'none'}"
    )
    registry.forget()
    try:
        full, empty = doctor._parts()
        (tmp_path / "none" / "engines").mkdir()
        (tmp_path / "none" / "engines" / "d.py").write_text("", encoding="utf-8")
        strange = doctor._parts()[1]
    finally:
        monkeypatch.undo()
        registry.forget()
    assert (full.status, full.detail) == ("ok", f"{tmp_path / 'mine'}: 2 engine, 1 chip")
    assert (empty.status, empty.detail) == ("note", f"{tmp_path / 'none'}: none")
    assert strange.detail == f"{tmp_path / 'none'}: none; of no kind: engines"
    assert strange.fix.startswith("Kinds: pruning, score, ")
