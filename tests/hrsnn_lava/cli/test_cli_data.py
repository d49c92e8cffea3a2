"""`data`: what public sets need, and whether the files of one are right."""

from __future__ import annotations

import numpy as np
import pytest
from data_set_files import nmnist_event


def japanese_vowels(folder, test=370):
    rng, table = np.random.default_rng(0), {}
    for part, count in (("train", 270), ("test", test)):
        table[f"{part}_lengths"] = np.full(count, 7)
        table[f"{part}_frames"] = rng.normal(size=(7 * count, 12))
        table[f"{part}_speaker"] = 1 + np.arange(count) % 9
    np.savez(folder / "japanese_vowels.npz", **table)


def test_sets_are_listed(run):
    outcome = run("data")
    assert outcome.code == 0
    assert "shd              8,156 train, 2,264 test" in outcome.out
    listed = run("data", "--json").json()["sets"]
    assert [entry["name"] for entry in listed][:2] == ["cifar10", "cifar100"]
    shd = next(entry for entry in listed if entry["name"] == "shd")
    assert shd["samples"] == {"train": 8156, "test": 2264}
    assert [file["name"] for file in shd["files"]] == ["shd_train.h5", "shd_test.h5"]
    assert {entry["name"] for entry in listed if entry["needs"] == "data"} == {
        *("kth", "ucf11", "ucf101"),
    }


def test_a_set_is_described(run):
    out = run("data", "kth").out
    for words in (
        "www.csc.kth.se/cvap/actions",
        "00sequences.txt",
        "(may be missing)",
        'pip install "hrsnn-lava[data]"',
        'kind = "kth"',
    ):
        assert words in out
    assert run("data", "kth", "--json").json()["name"] == "kth"


def test_a_right_set_is_0(run, tmp_path):
    japanese_vowels(tmp_path)
    outcome = run("data", "japanese_vowels", "--check", tmp_path)
    assert outcome.code == 0
    assert f"japanese_vowels: {tmp_path} is right" in outcome.out
    assert "samples   270 train, 370 test" in outcome.out
    assert "japanese_vowels: 640 samples: 50 %" in outcome.err
    checked = run("data", "japanese_vowels", "--check", tmp_path, "--json", "--quiet").json()
    assert checked["checked"]["frames"] == 640 * 7
    assert checked["checked"]["channels"] == 12


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("missing", "a file of Japanese Vowels is missing"),
        ("fewer", "270 train, 369 test; allowed: 270 train, 370 test"),
        ("cut off", "japanese_vowels.npz: not a zip file, or damaged"),
    ],
)
def test_a_wrong_set_is_3_with_the_first_fault(run, tmp_path, fault, words):
    if fault != "missing":
        japanese_vowels(tmp_path, test=369)
    if fault == "cut off":
        file = tmp_path / "japanese_vowels.npz"
        file.write_bytes(file.read_bytes()[:1000])
    outcome = run("data", "japanese_vowels", "--check", tmp_path, "--quiet")
    assert outcome.code == 3
    assert words in outcome.err
    error = run("data", "japanese_vowels", "--check", tmp_path, "--json").json()["error"]
    assert error["exit_code"] == 3


def test_a_damaged_sample_is_found_by_the_check_alone(run, tmp_path, monkeypatch):
    from dataclasses import replace

    from hrsnn_lava.tasks.readers.nmnist import NmnistEvents

    facts = replace(NmnistEvents.facts, samples={"train": 10, "test": 10})
    monkeypatch.setattr(NmnistEvents, "facts", facts)
    for part in ("Train", "Test"):
        for digit in range(10):
            (tmp_path / part / str(digit)).mkdir(parents=True)
            (tmp_path / part / str(digit) / "1.bin").write_bytes(nmnist_event(1, 2, 1, 3))
    assert run("data", "nmnist", "--check", tmp_path).code == 0
    (tmp_path / "Test" / "7" / "1.bin").write_bytes(nmnist_event(1, 2, 1, 3)[:4])
    outcome = run("data", "nmnist", "--check", tmp_path)
    assert outcome.code == 3
    assert "event 0: ends at byte 4" in outcome.err


def test_wrong_usage_is_2(run, tmp_path):
    outcome = run("data", "nmist", "--check", tmp_path)
    assert outcome.code == 2
    assert "Did you mean 'nmnist'?" in outcome.err
    outcome = run("data", "--check", tmp_path)
    assert outcome.code == 2
    assert "hrsnn-lava data NAME --check DIR" in outcome.err
