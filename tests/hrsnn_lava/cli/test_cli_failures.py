"""Every kind of mistake has its exit code and its message, and none shows a traceback."""

from __future__ import annotations

import errno
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava.artifacts.container import write_artifact
from hrsnn_lava.cli.failure import describe
from hrsnn_lava.errors import (
    ArtifactError,
    BackendError,
    CapacityError,
    DeadlineError,
    GateError,
    HrsnnError,
    ParityError,
    ProfileError,
    SpecError,
)

THREE_MISTAKES = """
sead = 3
[network]
size = 1
[prune]
density = 2.0
"""


def assert_failure(outcome: Any, code: int, *words: str) -> None:
    """Exit code and message; nothing on standard output, nothing that looks like a crash."""
    assert outcome.code == code, outcome.err
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    assert "bug" not in outcome.err
    for word in words:
        assert word in outcome.err, outcome.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SpecError, 2),
        (ArtifactError, 3),
        (ProfileError, 3),
        (CapacityError, 4),
        (GateError, 5),
        (BackendError, 6),
        (ParityError, 7),
        (DeadlineError, 75),
    ],
)
def test_exit_codes_of_our_errors(error: type[HrsnnError], code: int) -> None:
    failure = describe(error("words"))
    assert (failure.exit_code, failure.message, failure.expected) == (code, "words", True)


def test_exit_codes_of_other_exceptions() -> None:
    assert describe(KeyboardInterrupt()).exit_code == 130
    assert describe(OSError(errno.ENOSPC, "No space left on device")).exit_code == 2
    assert describe(PermissionError(errno.EACCES, "Permission denied", "f")).message == (
        "f: Permission denied"
    )
    memory = describe(MemoryError())
    assert (memory.exit_code, memory.expected) == (1, True)
    broken = describe(ModuleNotFoundError("No module named 'scipy'", name="scipy"))
    assert "hrsnn-lava doctor" in broken.message
    ours = describe(ImportError("no such thing", name="hrsnn_lava.x"))
    assert not ours.expected
    assert describe(ValueError("odd")).message == "this is a bug in hrsnn-lava: ValueError: odd"


def test_spec_with_three_mistakes_names_all(run: Any, tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text(THREE_MISTAKES, encoding="utf-8")
    for command in (["run"], ["compile", "-o", "x.hlx"], ["inspect"]):
        outcome = run(*command, "wrong.toml")
        assert_failure(outcome, 2, "sead: unknown key", "network.size", "prune.density")
    outcome = run("run", "wrong.toml", "--json")
    error = outcome.json()["error"]
    assert (outcome.code, error["exit_code"], error["type"]) == (2, 2, "SpecError")
    assert outcome.err == ""
    assert [p["where"] for p in error["problems"]] == ["network.size", "prune.density", "sead"]
    assert error["problems"][0]["allowed"] == ">= 2"
    assert [p.name for p in tmp_path.iterdir()] == ["wrong.toml"]


def test_files_that_are_not_there(run: Any, tmp_path: Path) -> None:
    assert_failure(run("run", "no.toml"), 2, "no.toml: no such spec file")
    for command in (
        ["simulate", "no.hlx"],
        ["verify", "no.hlx"],
        ["report", "no.hlx"],
        ["inspect", "no.hlx"],
        ["compile", "no.hlx", "--profile", "loihi1", "-o", "o.hlx"],
        ["prune", "no.hlx", "--method", "random", "--density", "0.5", "-o", "o.hlx"],
    ):
        assert_failure(run(*command), 3, "no.hlx: no such file")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_artifact(run: Any, tmp_path: Path) -> None:
    assert_failure(run("inspect", tmp_path), 3, "not a regular file")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs a device to read")
def test_a_device_is_no_artifact(run: Any) -> None:
    assert_failure(run("inspect", "/dev/zero"), 3, "/dev/zero: not a regular file")


@pytest.mark.parametrize("where", [0.0, 0.01, 0.3, 0.5, 0.9, 0.999])
def test_flipped_byte(run: Any, files: Any, tmp_path: Path, where: float) -> None:
    data = bytearray(files.compiled.read_bytes())
    data[int(where * len(data))] ^= 0x10
    (tmp_path / "bad.hlx").write_bytes(data)
    for command in ("inspect", "simulate", "verify", "report"):
        assert_failure(run(command, "bad.hlx", "--quiet"), 3, "bad.hlx")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_truncated(run: Any, files: Any, tmp_path: Path, share: float) -> None:
    data = files.network.read_bytes()
    (tmp_path / "cut.hlx").write_bytes(data[: int(share * len(data))])
    command = ["prune", "cut.hlx", "--method", "random", "--density", "0.5", "-o", "o.hlx"]
    assert_failure(run(*command), 3, "cut.hlx")
    assert not (tmp_path / "o.hlx").exists()


def test_wrong_version(run: Any, files: Any, tmp_path: Path) -> None:
    with zipfile.ZipFile(files.network) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(members["manifest.json"]) | {"version": 99}
    members["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(tmp_path / "new.hlx", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    assert_failure(run("inspect", "new.hlx"), 3, "format version 99; this program reads 1")


def test_wrong_stage(run: Any, files: Any) -> None:
    assert_failure(run("simulate", files.network), 3, "is a float network; `compile` takes it")
    assert_failure(run("report", files.quantized), 3, "is a quantized network; `compile` takes it")
    again = ("compile", files.compiled, "--profile", "loihi1", "-o", "o.hlx")
    assert_failure(run(*again), 3, "is a compiled network", "expected: network or quantized")
    prune = ("prune", files.compiled, "--method", "random", "--density", "0.5", "-o", "o.hlx")
    assert_failure(run(*prune), 3, "expected: network")


def test_wrong_names(run: Any, files: Any) -> None:
    compile_for = ("compile", files.quantized, "-o", "o.hlx", "--profile")
    assert_failure(run(*compile_for, "loihi9"), 2, "'loihi9'", "loihi1, loihi2")
    assert_failure(run("compile", files.network, "-o", "o.hlx"), 2, "--profile", "loihi1")
    assert_failure(run("profiles", "loihi9"), 2, "no profile and no cost set 'loihi9'", "davies")
    assert_failure(run("run", files.spec, "--profile", "loihi9"), 2, "'loihi9'")
    assert_failure(run("run", files.spec, "--cost-set", "free"), 2, "'free'")
    assert_failure(run("simulate", files.clock, "--backend", "brian"), 2, "'brian'", "reference")
    wrong = run("verify", files.clock, "--backends", "native,brian,nest")
    assert_failure(wrong, 2, "'brian'", "'nest'", "native, reference")
    assert_failure(run("verify", files.clock, "--backends", "native"), 2, "at least two")
    assert_failure(run("report", files.compiled, "--cost-set", "free"), 2, "'free'")


def test_options_that_cannot_be_met(run: Any, files: Any) -> None:
    to = ("--profile", "loihi1", "-o", "o.hlx")
    refused = run("compile", files.network, "--reset", "subtract", *to)
    assert_failure(refused, 4, "reset 'subtract'", "set its reset to 'zero'")
    assert_failure(run("compile", files.network, "--reset", "soft", *to), 2, "subtract_next")
    assert_failure(run("compile", files.quantized, "--dt", "1e-3", *to), 2, "--dt", "quantized")
    assert_failure(run("compile", files.quantized, "--weight-bits", "4", *to), 2, "--weight-bits")
    assert_failure(run("compile", files.network, "--seed", "4", *to), 2, "--seed")
    assert_failure(run("compile", files.network, "--dt", "0", *to), 2, "--dt")
    assert_failure(run("compile", files.network, "--dt", "nan", *to), 2, "not a finite number")
    assert_failure(run("report", files.compiled, "--step-time", "inf"), 2, "not a finite number")
    for name in ("m.nir", "m.net"):
        assert_failure(run("compile", name, *to), 3, "no such file")
    prune = ("prune", files.network, "--density", "0.5", "-o", "o.hlx", "--method")
    assert_failure(run(*prune, "magnitude", "--rescale", "inverse"), 2, "--rescale: inverse")
    assert_failure(run(*prune, "random", "--score", "weight"), 2, "--score", "lyapunov")
    assert_failure(run(*prune, "random", "--exponents", "isolated"), 2, "--exponents")
    assert_failure(run(*prune, "random", "--density", "1.5"), 2, "--density", "1.5")


def test_outputs_are_checked_before_work_is_done(run: Any, files: Any, tmp_path: Path) -> None:
    def simulate(output: Any) -> Any:
        return run("simulate", files.clock, "-o", output)

    assert_failure(simulate("no/trace.npz"), 2, "there is no folder no; create it first")
    assert_failure(simulate(tmp_path), 2, "is a folder")
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert_failure(run("run", files.spec, "--out", "file/below"), 2, "file is a file")


def test_too_large_for_the_chip_shows_every_violation(run: Any, tmp_path: Path) -> None:
    many = hl.QuantizedPopulation("many", 200, du=4095, dv=4096, vth=range(200))
    hl.QuantizedNetwork((many,), (), "wide").save(tmp_path / "wide.hlx")
    command = ("compile", "wide.hlx", "--profile", "loihi1", "--neurons-per-core", "1")
    outcome = run(*command, "-o", "o.hlx", "--quiet")
    assert_failure(outcome, 4, "smallest fix", "200", "128")
    rules = [p["where"] for p in run(*command, "-o", "o.hlx", "--json").json()["error"]["problems"]]
    assert rules
    for rule in rules:
        assert rule.split(":")[0] in outcome.err
    assert [p.name for p in tmp_path.iterdir()] == ["wide.hlx"]


def test_wrong_input_events(run: Any, files: Any, tmp_path: Path) -> None:
    hl.SpikeInput.empty(10, 99).save(tmp_path / "wide.npz")
    outcome = run("simulate", files.quantized, "--input", "wide.npz")
    assert_failure(outcome, 3, "wide.npz: 99 channels; the network has 3")
    np.savez(tmp_path / "other.npz", x=np.arange(3))
    assert_failure(run("verify", files.quantized, "--input", "other.npz"), 3, "missing steps")
    assert_failure(run("inspect", "other.npz"), 3, "neither an input", "found: x")
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(tmp_path / "evil.npz", "w") as archive:
        for name in ("steps", "neurons", "n_steps", "n_neurons"):
            archive.writestr(f"{name}.npy", buffer.getvalue())
    assert_failure(run("simulate", files.quantized, "--input", "evil.npz"), 3, "plain numbers")


def test_probes_beyond_the_memory_are_refused(run: Any, files: Any) -> None:
    outcome = run("simulate", files.clock, "--steps", 2**31 - 1, "--probe", "v", "--probe", "u")
    assert outcome.code in (0, 2)  # 0 only with more than 48 GiB, where it may fit
    if outcome.code == 2:
        assert_failure(outcome, 2, "GiB", "Use fewer steps")


def test_trace_of_another_network(run: Any, files: Any, tmp_path: Path) -> None:
    assert run("simulate", files.clock, "--steps", "5", "-o", "t.npz").code == 0
    outcome = run("report", files.compiled, "--trace", "t.npz")
    assert_failure(outcome, 3, "t.npz: 3 neurons", "has 60")


def test_missing_lava_is_named(run: Any, files: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import hrsnn_lava.sim_backends.lava.backend as lava

    monkeypatch.setattr(lava, "lava_obstacle", lambda: "Lava 0.10.0 needs Python 3.10")
    asked = run("verify", files.clock, "--backends", "native,lava", "--steps", "10")
    assert_failure(asked, 6, "error: Lava 0.10.0 needs Python 3.10")
    assert_failure(run("simulate", files.clock, "--backend", "lava"), 6, "needs Python 3.10")
    left_out = run("verify", files.clock, "--steps", "10")
    assert left_out.code == 0
    assert "lava: left out. Lava 0.10.0 needs Python 3.10" in left_out.err
    assert "reference = native, 10 steps, 0 mismatches" in left_out.out
    document = run("verify", files.clock, "--steps", "10", "--json").json()
    assert document["parity"]["skipped"] == {"lava": "Lava 0.10.0 needs Python 3.10"}


def test_parity_mismatch_is_named(run: Any, files: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from hrsnn_lava.sim_backends.native.simulator import NativeEngine

    honest = NativeEngine.advance

    def one_spike_late(self: Any, stretch: Any) -> hl.Trace:
        trace = honest(self, stretch)
        steps = trace.spike_steps.copy()
        steps[0] += 1
        return replace(trace, spike_steps=steps)

    monkeypatch.setattr(NativeEngine, "advance", one_spike_late)
    command = ("verify", files.clock, "--steps", "20", "--backends", "reference,native")
    assert_failure(run(*command), 7, "step 6, neuron 0", "a spike in reference alone")
    assert run(*command, "--json").json()["error"]["exit_code"] == 7


def test_a_bug_is_called_a_bug(run: Any, files: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: Any) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("hrsnn_lava.cli.inspect._artifact", crash)
    outcome = run("inspect", files.network)
    assert (outcome.code, outcome.out) == (1, "")
    told = "this is a bug in hrsnn-lava: ZeroDivisionError: division by zero"
    assert outcome.err.splitlines()[0] == f"error: {told}"
    assert "Traceback" not in outcome.err
    assert "--traceback" in outcome.err
    assert "Traceback (most recent call last)" in run("inspect", files.network, "--traceback").err
    monkeypatch.setenv("HRSNN_LAVA_TRACEBACK", "1")
    assert "Traceback (most recent call last)" in run("inspect", files.network).err
    document = run("inspect", files.network, "--json").json()
    assert document["error"]["message"] == told
    assert document["command"] == "inspect"


def test_a_broken_pipe_to_a_child_is_no_success(
    run: Any, files: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: Any) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr("hrsnn_lava.cli.inspect._artifact", crash)
    assert_failure(run("inspect", files.network), 6, "has gone")


def test_usage_errors_can_be_json(run: Any) -> None:
    outcome = run("simulate", "--nonsense", "--json")
    assert outcome.code == 2
    assert outcome.err == ""
    assert "--nonsense" in outcome.json()["error"]["message"]
    assert outcome.json()["command"] == "simulate"


def test_names_from_files_do_not_command_the_terminal(run: Any, tmp_path: Path) -> None:
    """A network refuses such names; a file that somebody else wrote can hold them."""
    population = hl.QuantizedPopulation("a\x1b[2J", 1, du=0, dv=0, vth=1)
    network = hl.QuantizedNetwork((population,), (), "evil\r\x1b]0;x\x07")
    write_artifact(tmp_path / "evil.hlx", network.to_artifact())
    outcome = run("inspect", "evil.hlx")
    assert outcome.code == 3
    assert "\x1b" not in outcome.out + outcome.err
    assert "a\\x1b[2J" in outcome.err
