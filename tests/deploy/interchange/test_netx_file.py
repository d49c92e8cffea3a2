"""Reading ``.net`` files: what is taken, what is told, what is refused, and unsafe files."""

from __future__ import annotations

from contextlib import nullcontext

import h5py
import numpy as np
import pytest
from hdf5_children import read_here
from netx_cases import write_net

import hrsnn_lava as hl
from hrsnn_lava.deploy.interchange import netx_file
from hrsnn_lava.errors import ArtifactError, SpecError
from hrsnn_lava.findings import FindingWarning
from hrsnn_lava.quantized import SignMode

NEURON = {"neuron/type": "CUBA", "neuron/iDecay": 1024, "neuron/vDecay": 128, "neuron/vThMant": 80}


def dense(n_in=3, n=2, **more):
    """A dense layer of even weights, or of others."""
    weight = np.resize([2.0, -4.0, 6.0, 8.0, -10.0], (n, n_in))
    return {"type": "dense", "shape": np.array([n]), "weight": weight, **NEURON, **more}


def conv(**more):
    """A convolution of (2, 4, 5) to (3, 3, 4)."""
    weight = np.resize([2.0, -4.0, 6.0], (3, 2, 2, 2))
    shape = np.array([3, 3, 4])
    return {"type": "conv", "shape": shape, "weight": weight, "groups": 1, **NEURON, **more}


PICTURE = {"type": "input", "shape": np.array([2, 4, 5])}


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Reads layers, written to a file, in this process."""
    monkeypatch.setattr(netx_file, "read_hdf5", read_here)

    def reading(*layers, **options):
        path = tmp_path / "x.net"
        write_net(path, list(layers), options.pop("step_ms", 1.0))
        return hl.from_netx(path, **options)

    return reading


def test_integers_are_those_of_lava_dl(read):
    network = read(dense(bias=np.array([5.0, -6.0])))
    population = network.population("layer_0")
    assert (population.du[0], population.dv[0], population.vth[0]) == (1023, 128, 80)
    np.testing.assert_array_equal(population.bias_mant, [5, -6])
    np.testing.assert_array_equal(population.bias_exp, [6, 6])
    projection = network.projection("layer_0_weight")
    # 127 / 8 and 128 / 10 let the weights go up by 8, and one more for the sign
    assert (projection.weight_exp, projection.num_weight_bits) == (-4, 4)
    assert projection.sign_mode is SignMode.MIXED
    np.testing.assert_array_equal(projection.weights.toarray() >> 4, dense()["weight"])
    assert network.input_populations[0].size == 3
    assert network.dt == 1e-3


def test_parameters_of_channels_hold_for_every_place(read):
    decays = {"neuron/iDecay": np.array([0, 5, 4096]), "bias": np.array([1.0, 2.0, 3.0])}
    population = read(PICTURE, conv(**decays)).population("layer_1")
    np.testing.assert_array_equal(population.du, np.repeat([-1, 4, 4095], 12))
    np.testing.assert_array_equal(population.bias_mant, np.repeat([1, 2, 3], 12))
    assert population.size == 36


def test_the_step_of_the_file_is_in_milliseconds(read):
    assert read(dense(), step_ms=0.5).dt == 5e-4
    assert read(dense(), step_ms=0.5, dt=2e-3).dt == 2e-3


def test_delays_are_spread_as_lava_dl_spreads_them(read):
    def delays(**more):
        return read(dense(**more)).projection("layer_0_weight").delay_steps.tolist()

    assert delays(delay=2.0) == [2] * 6
    assert delays(delay=np.array([1.9, 3.0])) == [1, 1, 1, 3, 3, 3]  # of the neurons, cut off
    assert delays(delay=np.array([1.0, 0.0, 4.0])) == [1, 0, 4, 1, 0, 4]  # of the inputs
    assert delays(n_in=2, delay=np.array([1.0, 3.0])) == [1, 1, 3, 3]  # the neurons come first
    assert delays(delay=np.array([[1, 2, 3], [4, 5, 6]])) == [1, 2, 3, 4, 5, 6]


def test_a_shape_can_be_given_and_a_flatten_keeps_the_order(read):
    network = read(conv(), {"type": "flatten"}, dense(36, 2), input_shape=(2, 4, 5))
    assert [p.size for p in network.populations] == [40, 36, 2]
    weights = network.projection("layer_2_weight").weights.toarray()
    np.testing.assert_array_equal(weights >> 4, dense(36, 2)["weight"])


def test_an_input_with_neurons_takes_values(read):
    first = {"type": "input", "shape": np.array([3]), "weight": 40.0, "bias": 7.0, **NEURON}
    network = read(first, dense())
    drive = network.projection("layer_0_drive")
    assert (drive.target, drive.weight_exp, network.input_populations[0].payload_scale) == (
        "bias",
        -8,
        256.0,
    )
    np.testing.assert_array_equal(drive.weights.toarray(), 40 * np.eye(3))
    np.testing.assert_array_equal(network.population("layer_0").bias_mant, 7)


def test_a_layer_without_neurons_never_fires(read):
    layer = {key: value for key, value in dense().items() if not key.startswith("neuron")}
    network = read(layer)
    population = network.population("layer_0")
    assert (population.du[0], population.dv[0], population.vth[0]) == (-1, 4096, 131071)
    assert [f.kind for f in network.findings] == ["netx_threshold_clipped"]


@pytest.mark.parametrize(
    ("kind", "layers"),
    [
        ("netx_refractory_ignored", [dense(**{"neuron/refDelay": 3})]),
        ("netx_exponent_ignored", [dense(**{"neuron/wgtExp": 2})]),
        ("netx_delays_clamped", [dense(delay=np.array([63.0, 2.0]))]),
        ("netx_delays_ignored", [PICTURE, conv(delay=np.array([1.0, 2.0, 0.0]))]),
        ("fractions_cut_off", [dense(bias=np.array([0.5, 1.0]))]),
        ("netx_weights_changed", [dense(weight=np.full((2, 3), -64.0))]),
        ("netx_weights_split", [dense(weight=np.array([[255, -3, 1], [-255, 1, 1]]))]),
        ("netx_unread", [dense(**{"neuron/strange": 2})]),
        (
            "netx_exponent_lost",
            [dense(2, 2, type="dense_rec", weight_rec=np.full((2, 2), 4.0), delay=1.0)],
        ),
    ],
)
def test_what_netx_reads_over_is_a_finding(read, kind, layers):
    with pytest.warns(FindingWarning) if kind in _LOUD else nullcontext():
        network = read(*layers)
    assert kind in [finding.kind for finding in network.findings]


_LOUD = {
    *("netx_refractory_ignored", "netx_exponent_ignored", "netx_delays_clamped"),
    *("netx_delays_ignored", "fractions_cut_off", "netx_weights_changed", "netx_exponent_lost"),
}


def test_the_weights_of_the_file_can_be_had(read):
    layer = dense(weight=np.full((2, 3), -64.0))
    assert not read(layer).projection("layer_0_weight").effective_weights().data.any()
    network = read(layer, weights="file")
    projection = network.projection("layer_0_weight")
    assert np.all(projection.effective_weights().data == -64)
    assert projection.weight_exp == 0
    assert not network.findings


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([], "no layers"),
        ([dense(type="average")], "layer of type 'average'"),
        ([dense(type="pool")], "layer of type 'pool'"),
        ([dense(type="made_up")], "'made_up'"),
        ([dense(**{"neuron/type": "SDNN"})], "'SDNN'; allowed: CUBA or LOIHI"),
        ([dense(**{"neuron/gradedSpike": True})], "spikes with payloads"),
        ([{k: v for k, v in dense().items() if k != "weight"}], "/layer/0/weight: missing"),
        ([dense(weight=np.full((2, 3), np.nan))], "/layer/0/weight: numbers beyond 32 bits"),
        ([dense(weight=np.full((2, 3), 1e30))], "/layer/0/weight: numbers beyond 32 bits"),
        ([dense(weight=np.full((2, 3), 300.0))], "weights beyond 8 bits"),
        ([dense(weight=np.ones((4, 3)))], "shape (4, 3); allowed: (2, inputs)"),
        ([dense(weight="much")], "/layer/0/weight: no numbers"),
        ([dense(bias=np.ones(5))], "/layer/0/bias: shape (5,)"),
        ([dense(bias=np.full(2, 5000.0))], "bias_mant: 5000"),
        ([dense(delay=np.array([-1.0, 2.0]))], "/layer/0/delay: -1"),
        ([dense(delay=np.ones(7))], "/layer/0/delay: shape (7,)"),
        ([dense(**{"neuron/iDecay": 4097})], "du: 4096"),
        ([dense(**{"neuron/iDecay": np.array([1, 2, 3])})], "neuron/iDecay: shape (3,)"),
        ([dense(), dense(3)], "/layer/1/weight: 3 inputs; allowed: 2"),
        ([dense(), {"type": "input", "shape": np.array([2])}], "an input behind other layers"),
        ([conv()], "no shape of an input"),
        ([PICTURE, dense(40)], "a dense layer behind one of shape (2, 4, 5)"),
        ([dense(), conv()], "behind a shape of (2,)"),
        ([PICTURE, conv(shape=np.array([3, 3, 5]))], "(3, 3, 5); allowed: (3, 3, 4)"),
        ([PICTURE, conv(weight=np.ones((3, 1, 2, 2)))], "2 channels come in; allowed: 1"),
        ([PICTURE, conv(groups=2)], "/layer/1/groups: 2"),
        ([PICTURE, conv(stride=np.array([0, 1]))], "/layer/1/stride"),
        ([PICTURE, conv(padding=np.array([1, 2, 3]))], "/layer/1/padding"),
        ([{"type": "input", "shape": np.array([2, 2, 2, 2])}], "1 to 3 sizes"),
        ([PICTURE], "no layer of neurons"),
    ],
)
def test_what_cannot_be_taken_is_refused_by_its_place(read, layers, said):
    with pytest.raises(ArtifactError) as caught:
        read(*layers)
    assert said in str(caught.value)
    assert caught.value.exit_code == 3


def test_everything_that_is_wrong_is_told_at_once(read):
    with pytest.raises(ArtifactError) as caught:
        read(dense(type="pool"), dense(**{"neuron/type": "RF"}), dense(bias=np.ones(5)))
    assert len(caught.value.problems) == 3


def test_complex_weights_are_refused(read):
    layer = {key: value for key, value in dense().items() if key != "weight"}
    parts = {"weight/real": np.ones((2, 3)), "weight/imag": np.ones((2, 3))}
    with pytest.raises(ArtifactError, match="complex weights"):
        read({**layer, **parts})


def test_layers_before_an_average_can_be_taken(read):
    average = {"type": "average", "shape": np.array([2])}
    with pytest.raises(ArtifactError, match="num_layers=1"):
        read(dense(), average)
    assert read(dense(), average, num_layers=1).n_neurons == 2


def test_a_small_file_of_a_huge_picture_is_refused(read):
    picture = {"type": "input", "shape": np.array([1, 4000, 4000])}
    layer = conv(weight=np.ones((1, 1, 9, 9)), shape=np.array([1, 3992, 3992]))
    with pytest.raises(ArtifactError, match="synapses; allowed"):
        read(picture, layer)
    with pytest.raises(ArtifactError, match="neurons; allowed"):
        read({"type": "input", "shape": np.array([3, 10**6, 10**6]), **NEURON})


@pytest.mark.parametrize(
    "options",
    [
        {"weights": "best"},
        {"num_layers": 0},
        {"num_layers": True},
        {"input_shape": (0, 2, 2)},
        {"input_shape": "large"},
        {"dt": 0.0},
        {"dt": np.nan},
    ],
)
def test_arguments_that_are_none_are_refused(read, options):
    with pytest.raises(SpecError) as caught:
        read(dense(), **options)
    assert caught.value.exit_code == 2


def _linked(path):
    other = path.with_name("other.net")
    write_net(other, [dense()])
    with h5py.File(path, "w") as file:
        file["layer"] = h5py.ExternalLink(str(other), "/layer")


def _looped(path):
    write_net(path, [dense()])
    with h5py.File(path, "a") as file:
        file["layer/0/again"] = file["layer"]


def _bomb(path):
    write_net(path, [dense()])
    with h5py.File(path, "a") as file:
        del file["layer/0/weight"]
        zeros = np.zeros((2, 30_000_000), np.int8)
        file.create_dataset("layer/0/weight", data=zeros, compression="gzip", compression_opts=1)


def _elsewhere(path):
    (path.parent / "secret").write_bytes(b"\2\0" * 6)
    write_net(path, [dense()])
    with h5py.File(path, "a") as file:
        del file["layer/0/weight"]
        external = [(str(path.parent / "secret"), 0, 12)]
        file.create_dataset("layer/0/weight", (2, 3), "<i2", external=external)


def _cut(path):
    write_net(path, [dense()])
    path.write_bytes(path.read_bytes()[:-3000])


def _other(path):
    path.write_bytes(b"PK\x03\x04 no HDF5 at all")


@pytest.mark.parametrize("damage", [_linked, _looped, _bomb, _elsewhere, _cut, _other])
def test_unsafe_files_are_refused(tmp_path, damage):
    path = tmp_path / "unsafe.net"
    damage(path)
    with pytest.raises(ArtifactError) as caught:
        hl.from_netx(path)
    assert caught.value.exit_code == 3


def test_a_sound_file_is_read_by_the_confined_process(tmp_path):
    path = tmp_path / "sound.net"
    write_net(path, [dense(**{"neuron/gradedSpike": False})])  # a boolean of h5py's
    assert hl.from_netx(path).n_neurons == 2
