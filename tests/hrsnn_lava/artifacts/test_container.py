"""`.hlx` files: equal bytes for equal content; any damage is noticed; nothing is unpickled."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrsnn_lava import Network, QuantizedNetwork, Spec, build_hrsnn, compile, quantize
from hrsnn_lava.artifacts.container import (
    Artifact,
    encode,
    parse_npy,
    read_artifact,
    rounded,
    write_artifact,
)
from hrsnn_lava.errors import ArtifactError

SPEC = Spec.parse({"network": {"size": 20, "connectivity": {"mean_degree": 3.0}}})
NETWORK = build_hrsnn(SPEC)
EXAMPLE = Artifact(
    "network",
    {"dt": 1e-3, "text": "Ä"},
    {"a": np.arange(6.0).reshape(2, 3), "b": np.int32(4), "empty": np.zeros((0, 2), np.int64)},
    {"a": "s"},
)


def test_arrays_meta_and_units_come_back(tmp_path):
    write_artifact(tmp_path / "x.hlx", EXAMPLE)
    back = read_artifact(tmp_path / "x.hlx")
    assert (back.stage, back.meta) == (EXAMPLE.stage, EXAMPLE.meta)
    assert back.units == {"a": "s", "b": "1", "empty": "1"}
    for name, array in EXAMPLE.arrays.items():
        np.testing.assert_array_equal(back.arrays[name], array)
        assert back.arrays[name].dtype == array.dtype


@pytest.mark.parametrize("network", [NETWORK, quantize(NETWORK)], ids=["float", "integer"])
def test_a_network_saved_twice_has_the_same_bytes(network, tmp_path):
    network.save(tmp_path / "a.hlx")
    again = type(network).load(tmp_path / "a.hlx")
    again.save(tmp_path / "b.hlx")
    assert (tmp_path / "a.hlx").read_bytes() == (tmp_path / "b.hlx").read_bytes()


def test_every_flipped_byte_is_noticed(tmp_path):
    good = encode(EXAMPLE)
    for position in range(len(good)):
        damaged = bytearray(good)
        damaged[position] ^= 0x10
        (tmp_path / "x.hlx").write_bytes(damaged)
        with pytest.raises(ArtifactError):
            read_artifact(tmp_path / "x.hlx")


@given(st.integers(0, len(encode(EXAMPLE)) - 1))
def test_every_truncation_is_noticed(length):
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.hlx"
        path.write_bytes(encode(EXAMPLE)[:length])
        with pytest.raises(ArtifactError):
            read_artifact(path)


def rewrite(path, **changes):
    """The example with a changed manifest, checksums and archive otherwise valid."""
    with zipfile.ZipFile(io.BytesIO(encode(EXAMPLE))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(members["manifest.json"]) | changes
    members["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def test_another_version_is_refused_by_number(tmp_path):
    rewrite(tmp_path / "x.hlx", version=99)
    with pytest.raises(ArtifactError, match="format version 99; this program reads 1"):
        read_artifact(tmp_path / "x.hlx")


def test_what_is_no_artifact_is_said_so(tmp_path):
    (tmp_path / "text.hlx").write_text("hello")
    with pytest.raises(ArtifactError, match="not a zip file"):
        read_artifact(tmp_path / "text.hlx")
    with pytest.raises(ArtifactError, match="no such file"):
        read_artifact(tmp_path / "missing.hlx")
    rewrite(tmp_path / "other.hlx", format="zip")
    with pytest.raises(ArtifactError, match=r"not an \.hlx artifact"):
        read_artifact(tmp_path / "other.hlx")


def test_the_wrong_stage_names_both(tmp_path):
    NETWORK.save(tmp_path / "x.hlx")
    with pytest.raises(ArtifactError, match="holds a network network; expected: quantized"):
        QuantizedNetwork.load(tmp_path / "x.hlx")


def test_a_network_that_is_not_valid_is_an_artifact_error(tmp_path):
    artifact = encode_network_with(dt=-1.0)
    write_artifact(tmp_path / "x.hlx", artifact)
    with pytest.raises(ArtifactError, match="dt"):
        Network.load(tmp_path / "x.hlx")


def encode_network_with(**meta):
    """The network's artifact with changed meta data."""
    parts = NETWORK.to_artifact()
    return Artifact(parts.stage, parts.meta | meta, parts.arrays, parts.units)


def test_a_header_cannot_ask_for_more_memory_than_its_data():
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
    )
    with pytest.raises(ArtifactError, match="does not fit 0 bytes"):
        parse_npy("x", stream.getvalue())


def test_objects_are_never_loaded():
    stream = io.BytesIO()
    np.save(stream, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ArtifactError, match="allowed: plain numbers"):
        parse_npy("x", stream.getvalue())


def saved(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def test_texts_are_read_where_they_are_asked_for():
    data = saved(np.array(["ja", "äöü", ""]))
    assert parse_npy("x", data, texts=True).tolist() == ["ja", "äöü", ""]
    assert parse_npy("x", saved(np.array([b"ja"])), texts=True).tolist() == [b"ja"]
    with pytest.raises(ArtifactError, match=r"dtype <U3; allowed: plain numbers"):
        parse_npy("x", data)
    for code in (0x110000, 0xD800):
        wrong = data.replace("ä".encode("utf-32-le"), code.to_bytes(4, "little"))
        with pytest.raises(ArtifactError, match="numbers that are no characters"):
            parse_npy("x", wrong, texts=True)
    with pytest.raises(ArtifactError, match=r"dtype <U0; allowed: plain numbers or texts"):
        parse_npy("x", data.replace(b"<U3", b"<U0"), texts=True)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    write_artifact(tmp_path / "x.hlx", EXAMPLE)
    before = (tmp_path / "x.hlx").read_bytes()
    bad = Artifact("network", {"nan": float("nan")}, {})
    with pytest.raises(ArtifactError, match="JSON"):
        write_artifact(tmp_path / "x.hlx", bad)
    assert (tmp_path / "x.hlx").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["x.hlx"]
    with pytest.raises(ArtifactError, match="cannot be written"):
        write_artifact(tmp_path / "no" / "x.hlx", EXAMPLE)


def test_what_is_measured_is_rounded_and_what_is_counted_is_not():
    """Sums in another order, as another version of NumPy has them, are the same number after it."""
    values = np.random.default_rng(0).random(1000)
    forward, backward = float(values.sum()), float(sum(values[::-1]))
    assert forward != backward
    assert rounded([forward, {"a": backward}]) == [rounded(forward), {"a": rounded(forward)}]
    assert rounded(forward) == pytest.approx(forward, rel=1e-11)
    kept = {"n": 12345678901234567, "s": "x", "b": True, "none": None, "zero": 0.0}
    assert rounded(kept) == kept
    assert rounded(1 / 3, 5) == 0.33333


def test_records_of_passes_hold_rounded_errors():
    network = build_hrsnn(
        Spec.parse({"network": {"size": 60, "connectivity": {"mean_degree": 8.0}}}), seed=1
    )
    compiled = compile(network, "loihi1")
    record = next(r for r in compiled.records if r.name == "quantize")
    errors = [p["rms_error"] for p in record.report["projections"].values()]
    assert any(errors)
    assert errors == [float(f"{error:.12g}") for error in errors]
