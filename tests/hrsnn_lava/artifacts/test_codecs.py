"""Every saved type: files from before load, equal values give the bytes of before."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
import saved_values

import hrsnn_lava as hl
from hrsnn_lava import registry
from hrsnn_lava.artifacts.container import (
    NETWORK_STAGES,
    Artifact,
    Saved,
    load_any,
    write_artifact,
)
from hrsnn_lava.artifacts.training_state import TrainingState
from hrsnn_lava.compiler.analysis.operations.counting import Counts, CountsFile
from hrsnn_lava.compiler.pruning.pruning_state import PruningState
from hrsnn_lava.errors import ArtifactError

GOLDEN = saved_values.GOLDEN
TYPES = {
    "network": hl.Network,
    "quantized": hl.QuantizedNetwork,
    "compiled": hl.CompiledNetwork,
    "state": hl.State,
    "counts": CountsFile,
    "training": TrainingState,
    "pruning": PruningState,
}


def members(path):
    """Names and uncompressed bytes of a zip's members, in order: zlib may compress otherwise."""
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


@pytest.mark.parametrize("stage", TYPES)
def test_an_artifact_from_before_loads_and_is_written_again_byte_by_byte(stage, tmp_path):
    value = load_any(GOLDEN / f"{stage}.hlx")
    assert type(value) is TYPES[stage]
    digest = value.save(tmp_path / "again.hlx")
    assert (tmp_path / "again.hlx").read_bytes() == (GOLDEN / f"{stage}.hlx").read_bytes()
    assert digest == value.digest


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (saved_values.float_network, "network.hlx"),
        (saved_values.integer_network, "quantized.hlx"),
        (saved_values.state, "state.hlx"),
        (saved_values.training, "training.hlx"),
        (saved_values.pruning, "pruning.hlx"),
    ],
)
def test_equal_values_give_the_bytes_of_before(make, name, tmp_path):
    make().save(tmp_path / name)
    assert (tmp_path / name).read_bytes() == (GOLDEN / name).read_bytes()


def test_counts_know_their_program(tmp_path):
    compiled = saved_values.compiled_network()
    counts = Counts.load(GOLDEN / "counts.hlx", compiled)
    assert counts.ops.total == saved_values.counts().ops.total
    other = hl.CompiledNetwork(saved_values.integer_network(), compiled.profile, compiled.placement)
    with pytest.raises(ArtifactError, match=r"counts\.hlx: counts of another network"):
        Counts.load(GOLDEN / "counts.hlx", other)


@pytest.mark.parametrize(
    ("kind", "make", "name"),
    [
        (hl.SpikeInput, saved_values.inputs, "input.npz"),
        (hl.Trace, saved_values.trace, "trace.npz"),
    ],
)
def test_arrays_of_runs_are_those_of_before(kind, make, name, tmp_path):
    for value in (kind.load(GOLDEN / name), make()):
        value.save(tmp_path / name)
        # files of before do not say which network ran, nor count what wrapped and saturated
        later = ("network_digest.npy", "wraps.npy", "saturations.npy")
        stored = [entry for entry in members(tmp_path / name) if entry[0] not in later]
        assert stored == members(GOLDEN / name)


def test_the_digest_of_a_file_is_returned(tmp_path):
    import hashlib

    digest = saved_values.inputs().save(tmp_path / "i.npz")
    assert digest == hashlib.sha256((tmp_path / "i.npz").read_bytes()).hexdigest()


def test_a_stage_that_is_not_welcome_is_named_with_those_that_are():
    with pytest.raises(ArtifactError, match="stage 'state'; allowed: network, quantized, compiled"):
        load_any(GOLDEN / "state.hlx", NETWORK_STAGES)


def test_a_file_of_a_stage_that_nobody_knows_lists_the_known_ones(tmp_path):
    write_artifact(tmp_path / "x.hlx", Artifact("dream", {}, {}))
    with pytest.raises(ArtifactError, match=r"stage 'dream'; allowed: compiled, counts, .*trace"):
        load_any(tmp_path / "x.hlx")


def test_every_fault_in_the_content_names_the_file(tmp_path):
    whole = saved_values.integer_network().to_artifact()
    arrays = dict(whole.arrays)
    del arrays["population/a/du"]
    write_artifact(tmp_path / "x.hlx", Artifact(whole.stage, whole.meta, arrays))
    with pytest.raises(ArtifactError, match=r"x\.hlx: content is incomplete or wrong"):
        hl.QuantizedNetwork.load(tmp_path / "x.hlx")
    arrays = {**whole.arrays, "projection/ab/indices": np.array([0, 1, 7], dtype=np.int32)}
    write_artifact(tmp_path / "x.hlx", Artifact(whole.stage, whole.meta, arrays))
    with pytest.raises(ArtifactError, match=r"x\.hlx: projection/ab: not a CSR matrix"):
        hl.QuantizedNetwork.load(tmp_path / "x.hlx")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"key": "abc"}, "64 hexadecimal digits"),
        ({"key": 7}, "64 hexadecimal digits"),
        ({"done": 7}, "done: 7"),
        ({"done": -1}, "done: -1"),
        ({"pieces": 1.5}, "pieces: 1.5"),
    ],
)
def test_a_training_that_contradicts_itself_is_refused(change, words, tmp_path):
    whole = saved_values.training().to_artifact()
    write_artifact(tmp_path / "x.hlx", Artifact("training", whole.meta | change, whole.arrays))
    with pytest.raises(ArtifactError, match=words):
        TrainingState.load(tmp_path / "x.hlx")


@pytest.mark.parametrize(
    ("change", "arrays", "words"),
    [
        ({"key": "abc"}, {}, "64 hexadecimal digits"),
        ({"iteration": -1}, {}, "iteration: -1"),
        ({"iteration": 2}, {}, "rows: 2; allowed: 3, one an iteration"),
        ({}, {"rates": np.array([0.1])}, "one number for each of 5 neurons"),
        ({}, {"rates": np.full(5, np.nan)}, "finite numbers >= 0"),
        ({}, {"survivors": np.arange(5)[::-1]}, "rising indices"),
        ({}, {"survivors": np.arange(5.0)}, "one number for each of 5 neurons"),
    ],
)
def test_a_pruning_that_contradicts_itself_is_refused(change, arrays, words, tmp_path):
    whole = saved_values.pruning().to_artifact()
    changed = Artifact("pruning", whole.meta | change, {**whole.arrays, **arrays})
    write_artifact(tmp_path / "x.hlx", changed)
    with pytest.raises(ArtifactError, match=words):
        PruningState.load(tmp_path / "x.hlx")


PART = """
from dataclasses import dataclass
from typing import ClassVar
import numpy as np
from hrsnn_lava.artifacts.container import Artifact, Codec, Saved

@dataclass
class Rates(Saved):
    stage: ClassVar[str] = "rates"
    hz: list

CODEC = Codec(
    lambda rates: Artifact("rates", {}, {"hz": np.array(rates.hz)}),
    lambda artifact: Rates(artifact.arrays["hz"].tolist()),
)
"""


def test_a_codec_of_ones_own_is_one_file(tmp_path, monkeypatch):
    (tmp_path / "codec").mkdir()
    (tmp_path / "codec" / "rates.py").write_text(PART)
    monkeypatch.setenv(registry.PARTS_VARIABLE, str(tmp_path))
    registry.forget()
    try:
        codec = registry.load("codec", "rates")
        rates = codec.from_artifact(Artifact("rates", {}, {"hz": np.array([1.5])}))
        assert isinstance(rates, Saved)
        rates.save(tmp_path / "r.hlx")
        assert load_any(tmp_path / "r.hlx").hz == [1.5]
    finally:
        registry.forget()
