"""SLAYER blocks: what they are made of, and trained ones read back; without lava-dl.

What SLAYER itself does with the same integers is recorded, see ``tests/conformance/test_netx.py``.
"""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hdf5_children import read_here

import hrsnn_lava as hl
from hrsnn_lava.deploy.interchange import netx_file
from hrsnn_lava.deploy.interchange.slayer import from_slayer, slayer_layers, to_slayer
from hrsnn_lava.errors import ArtifactError, BackendMissingError, SpecError

RECORDED = Path(__file__).parents[2] / "conformance" / "golden" / "netx.npz"


def network(**more):
    """A dense layer with decays of its own, and a recurrent one."""
    fields = {"du": 1023, "dv": 256, "vth": 96} | more
    weights = np.array([[2, -4, 6], [8, 0, -10]])
    return hl.QuantizedNetwork(
        (
            hl.QuantizedInput("input", 3),
            hl.QuantizedPopulation("a", 2, du=[0, 4095], dv=128, vth=64),
            hl.QuantizedPopulation("b", 2, **fields),
        ),
        (
            hl.QuantizedProjection("x", "input", "a", weights, delays=[3, 3, 3, 5, 5]),
            hl.QuantizedProjection("y", "a", "b", np.array([[20, -8], [4, 6]])),
            hl.QuantizedProjection("r", "b", "b", np.array([[0, -2], [40, 0]])),
        ),
    ).verify()


def test_arguments_are_the_integers_in_slayers_units():
    first, second = slayer_layers(network())
    assert (first.block, second.block) == ("Dense", "Recurrent")
    assert (first.in_neurons, first.out_neurons, first.threshold) == (3, 2, 1.0)
    np.testing.assert_array_equal(first.current_decay, [1 / 4096, 1.0])
    assert first.voltage_decay == 128 / 4096
    np.testing.assert_array_equal(first.weight * 64, [[2, -4, 6], [8, 0, -10]])
    np.testing.assert_array_equal(first.delay, [3, 5])
    assert (second.threshold, second.current_decay, second.voltage_decay) == (1.5, 0.25, 1 / 16)
    np.testing.assert_array_equal(second.weight_rec * 64, [[0, -2], [40, 0]])
    assert (first.shared, second.shared) == (False, True)
    assert (first.weight_rec, second.delay) == (None, None)


def test_what_slayer_does_not_hold_is_refused():
    whole = network(bias_mant=3, bias_exp=6)
    odd = replace(whole.projections[1], weights=np.array([[42, -16], [8, 12]]), weight_exp=-1)
    changed = replace(whole, projections=(whole.projections[0], odd, whole.projections[2]))
    with pytest.raises(SpecError) as caught:
        slayer_layers(changed)
    assert "layer 2: biases" in str(caught.value)
    assert "layer 2, weight: odd weights" in str(caught.value)
    mixed = replace(whole.projections[0], delays=[1, 2, 3, 4, 5])
    with pytest.raises(SpecError, match="delays of single synapses"):
        slayer_layers(replace(network(), projections=(mixed, *network().projections[1:])))


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is here")
def test_blocks_need_lava_dl():
    with pytest.raises(BackendMissingError, match="extra 'dl'") as caught:
        to_slayer(network())
    assert caught.value.exit_code == 6


class Block:
    """A trained block, which writes what it was given as lava-dl's blocks write themselves."""

    def __init__(self, group):
        self.group = group

    def export_hdf5(self, handle):
        def write(name, item):
            if isinstance(item, h5py.Dataset) and name != "type":
                value = item[()]
                handle.create_dataset(name, data=value.decode() if item.dtype == "O" else value)

        text = self.group["type"][0]
        handle.create_dataset("type", (1,), "S10", [text])
        self.group.visititems(write)


@pytest.mark.parametrize("name", ["slayer_dense", "slayer_recurrent", "slayer_picture"])
def test_trained_blocks_are_read_as_the_file_that_they_write(tmp_path, monkeypatch, name):
    monkeypatch.setattr(netx_file, "read_hdf5", read_here)
    path = tmp_path / "x.net"
    with np.load(RECORDED) as archive:
        path.write_bytes(archive[f"{name}/net"].tobytes())
    with h5py.File(path) as file:
        blocks = [Block(file[f"layer/{k}"]) for k in range(len(file["layer"]))]
        found = from_slayer(blocks)
    assert found.digest == hl.from_netx(path).digest


def test_what_is_no_block_is_refused():
    with pytest.raises(SpecError, match=r"blocks\[0\]: int"):
        from_slayer([3])
    with pytest.raises(ArtifactError, match="no layers"):
        from_slayer([])
    with pytest.raises(SpecError, match="seconds > 0"):
        from_slayer([], dt=0)
