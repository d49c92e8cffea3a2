"""Bundles on disk: any change is found and named, and nothing half-written is left."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil

import pytest
from bundles import bundle_of, small_network

from hrsnn_lava.deploy import bundle as bundles
from hrsnn_lava.deploy.bundle import folder as folders
from hrsnn_lava.deploy.bundle import manifest as manifests
from hrsnn_lava.deploy.write import DeployOptions, deploy
from hrsnn_lava.errors import ArtifactError, OutputError, SpecError

MEMBERS = {"a.txt": b"first", "inner/b.bin": bytes(range(256)), "empty": b""}
HEAD = {"format": manifests.FORMAT, "version": 1, "name": "x"}


@pytest.fixture
def bundle(tmp_path):
    return bundles.write(tmp_path / "bundle", HEAD, MEMBERS).path


def problems(path):
    with pytest.raises(ArtifactError) as refusal:
        bundles.load(path)
    assert refusal.value.exit_code == 3
    return [problem.where for problem in refusal.value.problems] or [refusal.value.message]


def test_what_is_written_is_read(bundle):
    loaded = bundles.load(bundle)
    assert loaded.size == 5 + 256
    digest = hashlib.sha256(b"first").hexdigest()
    assert loaded.manifest["members"]["a.txt"] == {"bytes": 5, "sha256": digest}
    assert (bundle / "inner" / "b.bin").read_bytes() == MEMBERS["inner/b.bin"]
    assert not [name for name in os.listdir(bundle.parent) if name != "bundle"]


@pytest.mark.parametrize("name", [name for name in MEMBERS if MEMBERS[name]])
def test_any_changed_byte_is_named(bundle, name):
    path = bundle / name
    for place in range(path.stat().st_size):
        data = bytearray(MEMBERS[name])
        data[place] ^= 1
        path.write_bytes(data)
        assert problems(bundle) == [name]
    path.write_bytes(MEMBERS[name])
    bundles.load(bundle)


def test_any_changed_byte_of_the_manifest_is_found(bundle):
    path = bundle / manifests.MANIFEST
    data = path.read_bytes()
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1
        path.write_bytes(changed)
        with pytest.raises(ArtifactError, match=r"manifest\.json|version"):
            bundles.load(bundle)


def test_every_fault_is_told_at_once(bundle):
    (bundle / "a.txt").write_bytes(b"First")
    (bundle / "empty").unlink()
    (bundle / "inner" / "c").write_bytes(b"")
    (bundle / "inner" / "b.bin").write_bytes(b"short")
    assert sorted(problems(bundle)) == ["a.txt", "empty", "inner/b.bin", "inner/c"]


def test_links_are_no_members(bundle, tmp_path):
    outside = tmp_path / "outside"
    outside.write_bytes(b"first")
    (bundle / "a.txt").unlink()
    (bundle / "a.txt").symlink_to(outside)
    assert problems(bundle) == ["a.txt"]


def test_a_link_in_the_place_of_a_folder_is_named(bundle, tmp_path):
    shutil.move(bundle / "inner", tmp_path / "elsewhere")
    (bundle / "inner").symlink_to(tmp_path / "elsewhere")
    assert sorted(problems(bundle)) == ["inner", "inner/b.bin"]


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a//b", ".", "a/../../x", "a\\..\\x", ""])
def test_paths_that_leave_the_folder_are_refused(bundle, tmp_path, monkeypatch, name):
    """Before any file is looked at."""
    (tmp_path / "x").write_bytes(b"")
    path = bundle / manifests.MANIFEST
    content = json.loads(path.read_bytes())
    content["members"][name] = {"bytes": 0, "sha256": hashlib.sha256(b"").hexdigest()}
    path.write_bytes(manifests.encoded(content))
    monkeypatch.setattr(manifests, "_differences", lambda *_: pytest.fail("files were read"))
    assert problems(bundle) == [f"member {name!r}"]


@pytest.mark.parametrize(
    "entry", [None, {}, {"bytes": -1, "sha256": ""}, {"bytes": "5", "sha256": ""}, [5]]
)
def test_entries_that_are_none_are_refused(bundle, entry):
    path = bundle / manifests.MANIFEST
    content = json.loads(path.read_bytes())
    content["members"]["a.txt"] = entry
    path.write_bytes(manifests.encoded(content))
    assert problems(bundle) == ["member 'a.txt'"]


def test_sizes_are_compared_before_anything_is_read(bundle, monkeypatch):
    with (bundle / "a.txt").open("r+b") as handle:
        handle.truncate(2**40)  # takes no room
    read = []
    monkeypatch.setattr(manifests, "_digest", lambda path: read.append(path.name) or "")
    bundle_problems = problems(bundle)
    assert "a.txt" in bundle_problems
    assert "a.txt" not in read
    monkeypatch.setattr(manifests, "MAX_BYTES", 260)
    assert "261 bytes in all" in problems(bundle)[0]


@pytest.mark.parametrize("program", [None, 3, {}, {"artifact": 1}, {"artifact": "../outside.hlx"}])
def test_a_network_outside_the_folder_is_refused(tmp_path, program):
    other = bundle_of(small_network(), tmp_path / "other")
    shutil.copy(other.path / other.manifest["program"]["artifact"], tmp_path / "outside.hlx")
    path = bundles.write(tmp_path / "bundle", HEAD | {"program": program}, MEMBERS).path
    with pytest.raises(ArtifactError, match="a member of the bundle"):
        bundles.load(path).network()


def test_other_versions_and_other_folders_are_no_bundles(bundle, tmp_path):
    path = bundle / manifests.MANIFEST
    content = json.loads(path.read_bytes())
    path.write_bytes(manifests.encoded({**content, "version": 2}))
    assert "bundle version 2" in problems(bundle)[0]
    path.write_bytes(manifests.encoded({**content, "format": "other"}))
    assert "format is not" in problems(bundle)[0]
    for data in (b"[]", b"{", b"[" * 100000, b"\xff"):
        path.write_bytes(data)
        assert "manifest.json" in problems(bundle)[0]
    path.unlink()
    path.mkdir()
    assert "not a regular file" in problems(bundle)[0]
    assert "no bundle" in problems(tmp_path)[0]
    assert "no bundle" in problems(tmp_path / "nowhere")[0]


def test_what_python_makes_beside_the_sources_does_not_count(bundle):
    (bundle / "inner" / "__pycache__").mkdir()
    (bundle / "inner" / "__pycache__" / "b.pyc").write_bytes(b"x")
    bundles.load(bundle)


def test_a_bundle_is_replaced_by_force_alone(bundle):
    with pytest.raises(SpecError, match="nothing was written"):
        bundles.write(bundle, HEAD, {"a.txt": b"new"})
    assert bundles.load(bundle).size == 261
    bundles.write(bundle, HEAD, {"a.txt": b"new"}, force=True)
    assert [p.name for p in sorted(bundle.iterdir())] == ["a.txt", "manifest.json"]


def test_force_replaces_nothing_but_bundles(tmp_path):
    (tmp_path / "photo").write_bytes(b"dear")
    with pytest.raises(SpecError) as refusal:
        bundles.write(tmp_path, HEAD, MEMBERS, force=True)
    assert "no bundle" in str(refusal.value)
    with pytest.raises(SpecError):
        bundles.write(tmp_path / "photo", HEAD, MEMBERS, force=True)
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(SpecError):
        bundles.write(tmp_path / "link", HEAD, MEMBERS, force=True)
    assert (tmp_path / "photo").read_bytes() == b"dear"
    (tmp_path / "hollow").mkdir()
    bundles.write(tmp_path / "hollow", HEAD, MEMBERS)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_fails_leaves_what_was_there(bundle, monkeypatch, call):
    before = manifests.verified(bundle)
    calls = []
    original = getattr(os, call)

    def fail(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(*arguments)

    monkeypatch.setattr(folders.os, call, fail)
    with pytest.raises((OSError, OutputError), match=r"No space|cannot be written"):
        bundles.write(bundle, HEAD, {"a.txt": b"new"}, force=True)
    assert manifests.verified(bundle) == before
    assert os.listdir(bundle.parent) == ["bundle"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot be written"):
        bundles.write(tmp_path / "file" / "bundle", HEAD, MEMBERS)


def test_a_network_is_deployed_in_one_call(tmp_path):
    """Without an input nothing is sent; other targets than there are, are refused."""
    network = small_network()
    bundle = deploy(network, tmp_path / "b", steps=7, options=DeployOptions("c"))
    assert bundle.manifest["input"]["events"] == 0
    assert bundle.manifest["input"]["steps"] == 7
    with pytest.raises(SpecError, match="target"):
        DeployOptions("rust")
    with pytest.raises(SpecError, match="nothing was written"):
        deploy(network, tmp_path / "b", steps=7)


def test_equal_networks_give_equal_bytes(tmp_path):
    first = bundle_of(small_network(), tmp_path / "first")
    second = bundle_of(small_network(), tmp_path / "second")
    assert first.digest == second.digest
    assert first.network().digest == small_network().digest
    other = bundle_of(small_network(refractory=1), tmp_path / "other")
    assert other.digest != first.digest
