"""Writing ``.net`` files: out and in again, what is refused, what is lost."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import h5py
import numpy as np
import pytest
from hdf5_children import read_here
from hypothesis import given, settings
from hypothesis import strategies as st
from netx_cases import case, sent, write_net
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava.chip_learning import pair_stdp
from hrsnn_lava.deploy.interchange import netx_file
from hrsnn_lava.deploy.interchange.guarded_hdf5 import read_hdf5
from hrsnn_lava.errors import OutputError, SpecError

STEPS = 25


@pytest.fixture(autouse=True, scope="module")
def _in_this_process():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(netx_file, "read_hdf5", read_here)
        yield


def matrix(rng, n_post, n_pre, sign):
    """Weights that fit 8 bits; of one sign they are as large as 255."""
    low, high = {"mixed": (-128, 127), "excitatory": (0, 255), "inhibitory": (-127, 0)}[sign]
    values = rng.integers(low, high + 1, (n_post, n_pre))
    values[rng.random(values.shape) < 0.4] = 0
    values[0, 0] = high or low
    return sparse.csr_matrix(values)


@st.composite
def layered(draw):
    """Networks of layers: parallel projections, exponents, recurrence, delays, own decays."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    sizes = draw(st.lists(st.integers(1, 6), min_size=2, max_size=4))
    populations = [hl.QuantizedInput("spikes", sizes[0])]
    projections = []
    for k, (n_in, n) in enumerate(pairwise(sizes)):
        name, pre = f"group_{k}", populations[-1].name
        own = draw(st.booleans())
        populations.append(
            hl.QuantizedPopulation(
                name,
                n,
                du=rng.integers(-1, 4096, n if own else None),
                dv=rng.integers(0, 4097, n if own else None),
                vth=int(rng.integers(1, 400)),
                bias_mant=rng.integers(-20, 40, n),
                bias_exp=draw(st.sampled_from([6, 7])),
            )
        )
        recurrent = draw(st.booleans())
        for sign in draw(st.sampled_from([["mixed"], ["excitatory"], ["excitatory", "mixed"]])):
            weights = matrix(rng, n, n_in, sign)
            if sign == "mixed":  # even, and shifted up, or as they are
                exponent = draw(st.sampled_from([0, -1]))
                weights = weights * 2
            else:
                exponent = 0
                weights = sparse.csr_matrix(np.minimum(weights.toarray(), 120))
            delays = None if recurrent else draw(st.sampled_from([None, 3]))
            projections.append(
                hl.QuantizedProjection(
                    f"p{len(projections)}",
                    pre,
                    name,
                    weights,
                    exponent,
                    sign_mode=sign,
                    delays=delays,
                )
            )
        if recurrent:
            inner = hl.QuantizedProjection(f"r{k}", name, name, matrix(rng, n, n, "mixed") * 2, -1)
            projections.append(inner)
    inputs = (rng.random((STEPS, sizes[0])) < 0.4).astype(np.int32)
    return hl.QuantizedNetwork(tuple(populations), tuple(projections)).verify(), inputs


@settings(max_examples=15)
@given(layered())
def test_out_and_in_again_behaves_alike(tmp_path_factory, drawn):
    network, inputs = drawn
    path = tmp_path_factory.mktemp("netx") / "x.net"
    try:
        hl.to_netx(network, path)
    except SpecError as error:  # sums of parallel projections may go beyond 8 bits, or have delays
        refused = [str(problem) for problem in error.problems]
    else:
        refused = []
    words = ("weights that lava-dl's netx", "a second delay", "no weight that acts")
    assert all(any(word in text for word in words) for text in refused), refused
    if refused:
        return
    again = hl.from_netx(path)
    first, second = (
        hl.simulate(n, sent(inputs), STEPS, "reference", probes=("spikes", "u", "v"))
        for n in (network, again)
    )
    np.testing.assert_array_equal(second.spike_steps, first.spike_steps)
    np.testing.assert_array_equal(second.spike_neurons, first.spike_neurons)
    np.testing.assert_array_equal(second.u, first.u)
    np.testing.assert_array_equal(second.v, first.v)
    bytes_written = path.read_bytes()
    hl.to_netx(again, path)
    assert path.read_bytes() == bytes_written


@pytest.mark.parametrize("name", ["dense_1", "recurrent_1", "convolution_1", "encoder_3"])
def test_in_and_out_again_is_the_same_network(tmp_path, name):
    layers, values = case(name)
    write_net(tmp_path / "a.net", layers)
    first = hl.from_netx(tmp_path / "a.net")
    hl.to_netx(first, tmp_path / "b.net")
    second = hl.from_netx(tmp_path / "b.net")
    hl.to_netx(second, tmp_path / "c.net")
    assert (tmp_path / "c.net").read_bytes() == (tmp_path / "b.net").read_bytes()
    assert hl.from_netx(tmp_path / "c.net").digest == second.digest
    traces = [hl.simulate(n, sent(values), STEPS, "reference") for n in (first, second)]
    np.testing.assert_array_equal(traces[1].spike_steps, traces[0].spike_steps)
    np.testing.assert_array_equal(traces[1].spike_neurons, traces[0].spike_neurons)
    assert traces[0].spike_steps.size > 10


def plain(**more):
    """Two layers that fit the format; keywords change the second population."""
    fields = {"du": 400, "dv": 200, "vth": 90} | more
    return hl.QuantizedNetwork(
        (
            hl.QuantizedInput("input", 3),
            hl.QuantizedPopulation("layer_1", 4, du=4095, dv=[1, 2, 3, 4], vth=70),
            hl.QuantizedPopulation("layer_2", 2, **fields),
        ),
        (
            hl.QuantizedProjection("a", "input", "layer_1", np.arange(12).reshape(4, 3) * 2),
            hl.QuantizedProjection("b", "layer_1", "layer_2", np.arange(8).reshape(2, 4) * 2 - 8),
        ),
    ).verify()


def test_the_file_is_as_slayer_writes_it(tmp_path):
    findings = hl.to_netx(plain(), tmp_path / "x.net")
    assert findings == ()
    with h5py.File(tmp_path / "x.net") as file:
        assert sorted(file) == ["layer", "simulation"]
        assert file["simulation/Ts"][()] == 1
        assert sorted(file["layer"]) == ["0", "1", "2"]
        layer = file["layer/1"]
        assert layer["type"][0] == b"dense"
        assert layer["type"].dtype == "S10"
        assert layer["neuron/type"][()] == b"CUBA"
        assert layer["neuron/iDecay"][()] == 4096
        np.testing.assert_array_equal(layer["neuron/vDecay"][()], [1, 2, 3, 4])
        assert layer["neuron/vThMant"][()] == 70
        assert not layer["neuron/gradedSpike"][()]
        np.testing.assert_array_equal(layer["weight"][()], np.arange(12).reshape(4, 3) * 2)
        assert (layer["inFeatures"][()], layer["outFeatures"][()]) == (3, 4)
        assert "bias" not in layer


def test_names_are_lost_and_told(tmp_path):
    network = plain()
    other = replace(network.populations[0], name="retina")
    projection = replace(network.projections[0], pre="retina")
    renamed = replace(
        network,
        populations=(other, *network.populations[1:]),
        projections=(projection, network.projections[1]),
    )
    (finding,) = hl.to_netx(renamed, tmp_path / "x.net")
    assert (finding.kind, finding.severity) == ("netx_names_lost", "note")


def with_projection(**more):
    """`plain` with one more projection."""
    network = plain()
    options = {"name": "c", "pre": "layer_1", "post": "layer_2", "weights": np.ones((2, 4)) * 2}
    more = options | more
    return replace(network, projections=(*network.projections, hl.QuantizedProjection(**more)))


def second(**more):
    """`plain` with its second projection changed."""
    network = plain()
    return replace(
        network, projections=(network.projections[0], replace(network.projections[1], **more))
    )


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (plain(vth=[80, 90]), "vth: 2 thresholds, 80..90"),
        (plain(refractory=2), "refractory: up to 2 steps"),
        (plain(reset="subtract"), "reset: subtract"),
        (plain(bias_mant=3, bias_exp=5), "biases between units of weights"),
        (plain(bias_mant=4095, bias_exp=7), "8190..8190 in units of weights"),
        (second(weight_exp=-2, weights=np.ones((2, 4)) * 6), "no multiples of 4"),
        (second(weight_exp=2, weights=np.ones((2, 4)) * 100, sign_mode="excitatory"), "400..400"),
        (second(weights=np.full((2, 4), -64), sign_mode="inhibitory"), "-64..-64"),
        (second(weights=np.zeros((2, 4))), "no weight that acts"),
        (second(learning=pair_stdp((2, -1), (1, 0), 8, 12)), "learning on the chip"),
        (with_projection(pre="input", weights=np.ones((2, 3)) * 2), "sends to layer_1, layer_2"),
        (with_projection(pre="layer_2", post="layer_1", weights=np.ones((4, 2)) * 2), "sends back"),
        (with_projection(delays=2), "a second delay between the same neurons"),
    ],
)
def test_what_the_format_does_not_hold_is_refused(tmp_path, network, said):
    with pytest.raises(SpecError) as caught:
        hl.to_netx(network, tmp_path / "x.net")
    assert said in str(caught.value)
    assert not (tmp_path / "x.net").exists()


def test_delays_in_a_recurrent_layer_are_refused(tmp_path):
    inner = {"pre": "layer_2", "weights": np.ones((2, 2)) * 2, "delays": 1}
    with pytest.raises(SpecError, match="delays in a recurrent layer"):
        hl.to_netx(with_projection(**inner), tmp_path / "x.net")


def test_every_reason_is_listed(tmp_path):
    network = plain(vth=[80, 90], refractory=2, bias_mant=1, bias_exp=0)
    with pytest.raises(SpecError) as caught:
        hl.to_netx(network, tmp_path / "x.net")
    assert len(caught.value.problems) == 3


def test_networks_without_one_input_or_one_row_are_refused(tmp_path):
    network = plain()
    two = replace(network, populations=(*network.populations, hl.QuantizedInput("more", 2)))
    with pytest.raises(SpecError, match="2 inputs; allowed: one"):
        hl.to_netx(two, tmp_path / "x.net")
    lone = hl.QuantizedPopulation("lone", 2, du=1, dv=1, vth=1)
    with pytest.raises(SpecError, match="nothing leads to it from the input"):
        hl.to_netx(replace(network, populations=(*network.populations, lone)), tmp_path / "x.net")
    graded = replace(network.populations[0], payload_scale=64.0)
    graded_network = replace(network, populations=(graded, *network.populations[1:]))
    with pytest.raises(SpecError, match="spikes without payload"):
        hl.to_netx(graded_network, tmp_path / "x.net")


def test_weights_of_9_bits_are_told(tmp_path):
    values = np.array([[255, 0, 1, 1], [0, 0, 0, 1]])
    negative = np.array([[0, -255, 0, 0], [-3, 0, 0, 0]])
    network = second(weights=values, sign_mode="excitatory")
    more = hl.QuantizedProjection("c", "layer_1", "layer_2", negative, sign_mode="inhibitory")
    network = replace(network, projections=(*network.projections, more))
    # netx clips a 255 beside negative weights
    with pytest.raises(SpecError, match=r"-255\.\.255"):
        hl.to_netx(network, tmp_path / "x.net")
    values[0, 0] = 253
    fitting = replace(
        network,
        projections=(
            network.projections[0],
            replace(network.projections[1], weights=values),
            network.projections[2],
        ),
    )
    findings = hl.to_netx(fitting, tmp_path / "x.net")
    assert [finding.kind for finding in findings] == ["netx_nine_bits"]
    again = hl.from_netx(tmp_path / "x.net")
    found = sum(
        p.effective_weights().toarray() for p in again.projections if p.name.startswith("layer_2")
    )
    np.testing.assert_array_equal(found, values + negative)


def test_a_float_network_and_a_folder_that_is_not_there_are_refused(tmp_path):
    inputs = hl.Population("i", 2, hl.Input())
    float_network = hl.Network(dt=1e-3, populations=[inputs], projections=[])
    with pytest.raises(SpecError, match="Quantize it first"):
        hl.to_netx(float_network, tmp_path / "x.net")
    with pytest.raises(OutputError):
        hl.to_netx(plain(), tmp_path / "missing" / "x.net")


def test_what_was_written_is_read_by_the_confined_process(tmp_path):
    hl.to_netx(plain(), tmp_path / "x.net")
    tree = read_hdf5(tmp_path / "x.net")
    assert sorted(tree) == ["layer", "simulation"]
    np.testing.assert_array_equal(tree["layer"]["1"]["weight"], np.arange(12).reshape(4, 3) * 2)
