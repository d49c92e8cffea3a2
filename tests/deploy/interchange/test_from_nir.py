"""Networks of files: every spike of the source, a known number of steps later, or a refusal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nir_files import chain, cuba, ends, exported, graph, lif, node, tree, write

import hrsnn_lava as hl
from hrsnn_lava.deploy.interchange.from_nir import ImportOptions, imported
from hrsnn_lava.deploy.interchange.nir_file import graph_of, read_nir
from hrsnn_lava.deploy.interchange.source_run import run_model
from hrsnn_lava.errors import ArtifactError, SpecError
from hrsnn_lava.findings import FindingWarning
from hrsnn_lava.resets import RESETS
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator
from hrsnn_lava.time_constants import membrane_gain

DT = 1e-3


def literal(content, reset="zero", **options):
    return imported(graph_of(content), ImportOptions("literal", DT, reset, **options))


def ours(found, inputs):
    """Spikes of our float engine by layer, shifts taken off."""
    late, network = max(found.timing.crossing.values()), found.network
    events = np.vstack([inputs, np.zeros((late, inputs.shape[1]))]).astype(bool)
    simulator = FloatSimulator(network, several=True)
    at, who = simulator.run_events(hl.SpikeInput.from_dense(events))
    spikes = np.zeros((len(events), network.n_neurons))
    spikes[at, who] = 1 if simulator.sent is None else simulator.sent
    parts = {}
    for layer in found.model.layers:
        first, shift = network.offset(layer.name), found.timing.visible[layer.name]
        parts[layer.name] = spikes[shift : shift + len(inputs), first : first + layer.size]
    return parts


def same_as_source(found, inputs, least=5):
    """Assert that both runs give the same spikes, and that there are some."""
    truth = run_model(found.model, inputs, np.float64)
    spikes = ours(found, inputs)
    for name, expected in truth.sent.items():
        if found.model.layer(name).rule.spikes:
            assert expected.sum() >= least, name
            np.testing.assert_array_equal(spikes[name], expected, err_msg=name)
    return truth


def random_inputs(n, steps=200, seed=0, rate=0.3):
    return (np.random.default_rng(seed).random((steps, n)) < rate).astype(float)


EXACT = [
    ("snntorch_leaky_zero", "zero", {"lif1": 1, "lif2": 2}),
    ("snntorch_leaky_subtract", "subtract", {"lif1": 1, "lif2": 2}),
    ("snntorch_rleaky_zero", "zero", {"lif1.lif": 1, "lif2": 2}),
    ("snntorch_rleaky_subtract", "subtract", {"lif1.lif": 1, "lif2": 2}),
    ("snntorch_rsyn_subtract", "subtract", {"lif1.lif": 1, "lif2": 2}),
    ("snntorch_synaptic_zero", "zero", {"lif1": 1, "lif2": 2}),
    ("snntorch_rleaky_synaptic_zero", "zero", {"lif1.lif": 1, "lif2": 2}),
    ("norse_lifbox_hetero", None, {"1": 1, "3": 2}),
    ("norse_lifcell", None, {"1": 1, "3": 2}),
    ("norse_lifcell_iaf", None, {"1": 1, "3": 2}),
    ("spikingjelly_lif_hard", None, {"_1": 1, "_3": 2}),
    ("spyx_lif", None, {"layer_1": 0, "layer_3": 0}),
    ("spyx_lif_step", None, {"layer_1": 0, "layer_3": 0}),
    ("spyx_if_cubalif", None, {"layer_1": 0, "layer_3": 0}),
    ("spyx_rif", None, {"layer_1.lif": 0, "layer_3": 0}),
    ("spyx_rcubalif_if", None, {"layer_1.lif": 0, "layer_3": 0}),
    ("spyx_pictures", None, {"layer_1": 0, "layer_5": 0}),
    ("sinabs_lif_hetero", None, {"1": 1, "3": 2}),
    ("sinabs_lif_layers", None, {"1": 1, "3": 2}),
    ("sinabs_iaf", None, {"1": 1, "3": 2}),
    ("rockpool_lif_hetero", None, {"1_LIFTorch": 1, "3_LIFTorch": 2}),
    ("rockpool_lif_layers", None, {"1_LIFTorch": 1, "3_LIFTorch": 2}),
]


@pytest.mark.parametrize(("name", "reset", "shifts"), EXACT)
def test_recorded_spikes_on_our_engine(name, reset, shifts):
    content, spikes = exported(name)
    found = imported(graph_of(content), ImportOptions(reset=reset))
    assert found.timing.visible == shifts
    layers = list(ours(found, spikes["inputs"]).values())
    recorded = 0
    for key, layer in (("hidden", layers[0]), ("output", layers[-1])):
        if key in spikes:
            np.testing.assert_array_equal(layer, spikes[key])
            recorded += spikes[key].sum()
    assert recorded > 40


def test_the_public_name(tmp_path):
    content, _ = exported("norse_lifbox_hetero")
    network = hl.from_nir(write(tmp_path / "cells.nir", content))
    assert isinstance(network, hl.Network)
    assert network.name == "cells"
    assert network.dt == 1e-3
    assert [p.name for p in network.populations] == ["input", "1", "3", "bias"]
    assert imported(graph_of(content), ImportOptions(dt=5e-4)).network.dt == 5e-4
    with pytest.raises(SpecError, match="its square"):
        imported(graph_of(content), ImportOptions(dt=1e-6))


def test_remarks_are_warnings(tmp_path):
    path = write(tmp_path / "a.nir", exported("sinabs_lif_hetero")[0])
    with pytest.warns(FindingWarning, match="leaves tau_syn out"):
        network = hl.from_nir(path)
    assert network.population("1").reset == "subtract_all"
    with pytest.warns(FindingWarning, match="one spike a step at most was asserted"):
        network = hl.from_nir(path, single_spikes=True)
    assert network.population("1").reset == "subtract"


def feed_forward(n_in=5, n=8, n_out=4, kind=lif, seed=3, **others):
    rng = np.random.default_rng(seed)
    nodes = ends(n_in, n_out) | {
        "fc1": node("Affine", weight=rng.normal(0, 5, (n, n_in)), bias=rng.normal(0, 1, n)),
        "fc2": node("Affine", weight=rng.normal(0, 9, (n_out, n)), bias=rng.normal(1, 1, n_out)),
        "one": kind(n, 1, **{k: np.resize(v, n) for k, v in others.items()}),
        "two": kind(n_out, 2, **{k: np.resize(v, n_out) for k, v in others.items()}),
    }
    return tree(nodes, chain("input", "fc1", "one", "fc2", "two", "output"))


@pytest.mark.parametrize("kind", [lif, cuba])
@pytest.mark.parametrize("reset", RESETS)
def test_every_reset_with_and_without_a_filter(kind, reset):
    found = literal(feed_forward(kind=kind), reset)
    same_as_source(found, random_inputs(5))


def test_parameters_are_those_of_the_file():
    content = feed_forward(kind=cuba)
    cell, network = content["node"]["nodes"]["one"], literal(content).network
    neuron = network.population("one").lif
    np.testing.assert_allclose(np.exp(-DT / neuron.tau_mem), 1 - DT / cell["tau_mem"], rtol=1e-12)
    np.testing.assert_allclose(np.exp(-DT / neuron.tau_syn), 1 - DT / cell["tau_syn"], rtol=1e-12)
    np.testing.assert_array_equal(neuron.v_threshold, cell["v_threshold"])
    weights = sum(network.projection(f"input_one_{s}").weights.toarray() for s in ("exc", "inh"))
    gain = cell["w_in"] * DT / cell["tau_syn"] * cell["r"] * DT / cell["tau_mem"]
    m = membrane_gain(neuron.tau_mem, DT)
    file = content["node"]["nodes"]["fc1"]["weight"]
    np.testing.assert_allclose(weights, (gain / m)[:, None] * file, rtol=1e-9)
    assert (network.projection("input_one_exc").weights.data > 0).all()
    assert (network.projection("input_one_inh").weights.data < 0).all()


def test_tau_of_one_step_leaves_nothing_and_below_it_is_refused():
    content = feed_forward(tau=np.full(1, DT))
    network = literal(content).network
    assert np.all(np.exp(-DT / network.population("one").lif.tau_mem) == 0)
    same_as_source(literal(content), random_inputs(5))
    with pytest.raises(ArtifactError) as caught:
        literal(feed_forward(tau=np.full(1, 0.9 * DT)))
    assert {p.where for p in caught.value.problems} == {"node 'one'.tau", "node 'two'.tau"}
    assert caught.value.problems[0].allowed == ">= 0.001, the step"


def test_constant_biases_act_from_step_0_on_and_are_told():
    content = feed_forward()
    exact, constant = literal(content), literal(content, biases="constant")
    assert [p.name for p in constant.network.populations] == ["input", "one", "two"]
    nodes = content["node"]["nodes"]
    bias = constant.network.population("one").lif.bias
    np.testing.assert_allclose(bias, nodes["fc1"]["bias"] * nodes["one"]["r"], rtol=1e-9)
    assert any("step 0" in remark for remark in constant.remarks)
    # at rest, without any input, the early steps are all that differs: the cycles are the same
    still = np.zeros((400, 5))
    late, early = (ours(found, still)["one"].sum(axis=0) for found in (exact, constant))
    assert late.sum() > 0
    assert np.abs(late - early).max() <= 1
    with pytest.raises(SpecError, match="biases"):
        literal(content, biases="none")


def test_a_leak_passes_no_filter():
    content = feed_forward(kind=cuba, v_leak=np.full(1, 0.5))
    with pytest.raises(ArtifactError, match="v_leak differs from v_reset"):
        literal(content)
    assert literal(content, biases="constant").network.population("one").lif.bias.all()
    same_as_source(literal(feed_forward(v_leak=np.full(1, 0.5))), random_inputs(5))


def test_a_reset_that_is_not_zero_moves_the_origin():
    cell = {"v_reset": np.full(1, -65.0), "v_leak": np.full(1, -65.0)}
    shifted = literal(feed_forward(**cell, v_threshold=np.full(1, -64.0)))
    plain = literal(feed_forward(v_threshold=np.full(1, 1.0)))
    inputs = random_inputs(5)
    same_as_source(shifted, inputs)
    for name, spikes in ours(plain, inputs).items():
        np.testing.assert_array_equal(spikes, ours(shifted, inputs)[name])
    assert any("v_reset (-65)" in remark for remark in shifted.remarks)
    with pytest.raises(ArtifactError, match="v_reset"):
        literal(feed_forward(**cell, v_threshold=np.full(1, -64.0)), "subtract")


def recurrent(cell, seed=0, n=10, nested=False):
    rng = np.random.default_rng(seed)
    nodes = ends(4, n) | {
        "fc": node("Affine", weight=rng.normal(0, 6, (n, 4)), bias=rng.normal(0, 1, n)),
    }
    w_rec = node("Affine", weight=rng.normal(0, 3, (n, n)), bias=rng.normal(0, 1, n))
    if not nested:
        nodes |= {"a.lif": cell, "a.w_rec": w_rec}
        edges = [*chain("input", "fc", "a.lif", "output"), *chain("a.lif", "a.w_rec", "a.lif")]
        return tree(nodes, edges)
    inner = {"in": node("Input", shape=np.array([n])), "lif": cell, "w_rec": w_rec}
    inner |= {"out": node("Output", shape=np.array([n]))}
    edges = [*chain("in", "lif", "out"), *chain("lif", "w_rec", "lif")]
    nodes["a"] = graph(inner, edges)
    return tree(nodes, chain("input", "fc", "a", "output"))


@pytest.mark.parametrize("kind", [lif, cuba])
@pytest.mark.parametrize("reset", ["zero", "subtract", "subtract_next"])
def test_recurrence_takes_one_step_in_both(kind, reset):
    found = literal(recurrent(kind(10)), reset)
    assert found.network.projection("a.lif_a.lif_exc").delays is None
    same_as_source(found, random_inputs(4))


def test_nested_graphs_are_the_same_as_flat_ones():
    flat, nested = (literal(recurrent(cuba(10), nested=deep)) for deep in (False, True))
    inputs = random_inputs(4)
    np.testing.assert_array_equal(
        same_as_source(flat, inputs).sent["a.lif"], same_as_source(nested, inputs).sent["a.lif"]
    )


def test_the_step_of_snntorch_after_a_spike():
    content = recurrent(lif(10))
    found = imported(graph_of(content), ImportOptions("snntorch", DT, "zero"))
    assert np.all(found.network.population("a.lif").lif.refractory == DT)
    same_as_source(found, random_inputs(4))


def skipping(delay=0.0):
    """A layer that hears the inputs and a layer behind them."""
    rng = np.random.default_rng(1)
    nodes = ends(4, 5) | {
        "a": lif(6, 1),
        "b": lif(6, 2),
        "c": lif(5, 3),
        "ia": node("Linear", weight=rng.normal(0, 9, (6, 4))),
        "ab": node("Linear", weight=rng.normal(2, 9, (6, 6))),
        "bc": node("Linear", weight=rng.normal(2, 9, (5, 6))),
        "ic": node("Affine", weight=rng.normal(0, 9, (5, 4)), bias=rng.normal(0, 1, 5)),
        "late": node("Delay", delay=np.float64(delay)),
    }
    edges = [*chain("input", "ia", "a", "ab", "b", "bc", "c", "output")]
    return tree(nodes, edges + chain("input", "late", "ic", "c"))


@pytest.mark.parametrize("steps", [0, 1, 5])
def test_connections_that_skip_layers_wait(steps):
    found = literal(skipping(steps * DT))
    assert found.timing.visible == {"a": 1, "b": 2, "c": 3}
    delays = found.network.projection("input_c_exc").delays
    assert delays == pytest.approx((2 + steps) * DT)
    assert found.network.projection("bias_c_exc").delays == pytest.approx(2 * DT)
    same_as_source(found, random_inputs(4))


def test_delays_of_each_neuron():
    content = skipping()
    content["node"]["nodes"]["late"] = node("Delay", delay=np.array([0.0, DT, DT, 3 * DT]))
    same_as_source(literal(content), random_inputs(4))
    content["node"]["nodes"]["late"] = node("Delay", delay=np.float64(1.5 * DT))
    with pytest.raises(ArtifactError, match=r"1\.5 steps"):
        literal(content)


def loop(delay):
    """Two layers that hear each other."""
    rng = np.random.default_rng(2)
    nodes = ends(4, 6) | {
        "a": lif(6, 1),
        "b": lif(6, 2),
        "ia": node("Linear", weight=rng.normal(0, 9, (6, 4))),
        "ab": node("Linear", weight=rng.normal(2, 9, (6, 6))),
        "ba": node("Linear", weight=rng.normal(0, 9, (6, 6))),
        "late": node("Delay", delay=np.float64(delay)),
    }
    edges = [*chain("input", "ia", "a", "ab", "b", "output"), *chain("b", "ba", "late", "a")]
    return tree(nodes, edges)


def test_feedback_over_layers_needs_a_delay():
    for steps in (2, 3):
        found = literal(loop(steps * DT))
        same_as_source(found, random_inputs(4))
    with pytest.raises(ArtifactError, match=r"too quick: (a -> b -> a|b -> a -> b)"):
        literal(loop(DT))
    with pytest.raises(ArtifactError, match="circle of layers without a Delay"):
        literal(loop(0.0))


def test_a_circle_without_a_neuron():
    content = skipping()
    content["node"]["edges"] += [["ic", "back"], ["back", "ic"]]
    content["node"]["nodes"]["back"] = node("Linear", weight=np.ones((4, 5)))
    with pytest.raises(ArtifactError, match="circle without a neuron: back, ic"):
        literal(content)


def single(n):
    """A LIF of n neurons whose parameters are single numbers, so that its file is small."""
    cell = node("LIF", **{key: np.float64(1) for key in ("tau", "r", "v_threshold")})
    cell |= {"v_leak": np.zeros(())}
    return {"input": node("Input", shape=np.array([n])), "lif": cell} | {
        "output": node("Output", shape=np.array([n]))
    }


def test_small_files_ask_for_no_memory():
    n = 30_000
    thin = {
        "a": node("Linear", weight=np.ones((1, n))),
        "b": node("Linear", weight=np.ones((n, 1))),
    }
    with pytest.raises(ArtifactError, match="900,000,000 weights when multiplied out"):
        literal(tree(single(n) | thin, chain("input", "a", "b", "lif", "output")))
    with pytest.raises(ArtifactError, match="values at most"):
        literal(tree(single(2**31 - 1), chain("input", "lif", "output")))
    scale = node("Scale", scale=np.float64(1))
    many = single(2**23 - 1) | {"s0": scale, "s1": scale}
    names = ("input", "s0", "s1", "lif", "output")
    with pytest.raises(ArtifactError, match="values up to here"):
        literal(tree(many, chain(*names)))
    late = single(2000) | {"d": node("Delay", delay=np.arange(2000) * DT)}
    with pytest.raises(ArtifactError, match="2,000 different delays"):
        literal(tree(late, chain("input", "d", "lif", "output")))


def test_chains_of_weights_are_multiplied_out():
    rng = np.random.default_rng(0)
    first, second, scale = rng.normal(0, 2, (7, 4)), rng.normal(0, 2, (6, 7)), rng.random(6)
    bias = rng.normal(0, 1, 7)
    nodes = ends(4, 6) | {
        "a": node("Affine", weight=first, bias=bias),
        "b": node("Linear", weight=second),
        "c": node("Scale", scale=scale),
        "lif": lif(6, r=np.ones(6)),
    }
    found = literal(tree(nodes, chain("input", "a", "b", "c", "lif", "output")))
    (connection,) = found.model.connections
    truth = scale[:, None] * (second @ first)
    np.testing.assert_allclose(connection.weights.toarray(), truth)
    np.testing.assert_allclose(found.model.layer("lif").constant, scale * (second @ bias))
    same_as_source(found, random_inputs(4))
    assert any("Affine a" in line for line in found.model.folded)


def test_a_convolutional_network():
    rng = np.random.default_rng(0)
    conv = node(
        "Conv2d",
        weight=rng.normal(1, 4, (2, 1, 3, 3)),
        bias=rng.normal(0, 1, 2),
        stride=np.array([1, 1]),
        padding=np.array([1, 1]),
        dilation=np.array([1, 1]),
        groups=np.int64(1),
        input_shape=np.array([6, 6]),
    )
    nodes = {
        "input": node("Input", shape=np.array([1, 1, 6, 6])),
        "conv": conv,
        "one": node("IF", r=np.full((2, 6, 6), 200.0), v_threshold=np.ones((2, 6, 6))),
        "pool": node(
            "SumPool2d",
            kernel_size=np.array([2, 2]),
            stride=np.array([2, 2]),
            padding=np.array([0, 0]),
        ),
        "flatten": node("Flatten", start_dim=np.int64(1), end_dim=np.int64(-1)),
        "fc": node("Linear", weight=rng.normal(0.5, 3, (4, 18))),
        "two": lif(4),
        "output": node("Output", shape=np.array([4])),
    }
    names = ("input", "conv", "one", "pool", "flatten", "fc", "two", "output")
    found = literal(tree(nodes, chain(*names)))
    assert found.network.population("one").size == 72
    assert np.isinf(found.network.population("one").lif.tau_mem).all()
    same_as_source(found, random_inputs(36, 100))


def test_a_threshold_without_a_state():
    nodes = ends(3, 3) | {
        "fc": node("Linear", weight=np.eye(3) * 2 + 1),
        "gate": node("Threshold", threshold=np.array([2.5, 3.5, 4.5])),
    }
    found = literal(tree(nodes, chain("input", "fc", "gate", "output")))
    truth = same_as_source(found, random_inputs(3), least=1)
    inputs = random_inputs(3)
    expected = inputs @ (np.eye(3) * 2 + 1).T > [2.5, 3.5, 4.5]
    np.testing.assert_array_equal(truth.sent["gate"], expected)


@pytest.mark.parametrize("kind", ["LI", "CubaLI"])
def test_a_readout_is_a_potential_that_never_fires(kind):
    rng = np.random.default_rng(0)
    cell = {"LI": lif, "CubaLI": cuba}[kind](3)
    names = (
        ("tau", "r", "v_leak") if kind == "LI" else ("tau_mem", "tau_syn", "r", "v_leak", "w_in")
    )
    nodes = ends(4, 3) | {
        "fc1": node("Linear", weight=rng.normal(0, 9, (5, 4))),
        "lif": lif(5),
        "fc2": node("Linear", weight=rng.normal(0, 1, (3, 5))),
        "li": node(kind, **{name: cell[name] for name in names}),
    }
    found = literal(tree(nodes, chain("input", "fc1", "lif", "fc2", "li", "output")))
    inputs = random_inputs(4)
    truth = run_model(found.model, inputs, np.float64, states=True)
    simulator = FloatSimulator(found.network)
    events = np.vstack([inputs, np.zeros((2, 4))]).astype(bool)
    _, who = simulator.run_events(hl.SpikeInput.from_dense(events))
    first = found.network.offset("li")
    assert not (who >= first).any()
    # two steps later, and the inputs of the last two are none
    extended = run_model(found.model, np.vstack([inputs]), np.float64, states=True)
    np.testing.assert_allclose(simulator.potential[first : first + 3], extended.v["li"][-1])
    assert np.abs(truth.v["li"]).max() > 0.1
    assert any("read by its potential" in remark for remark in found.remarks)
    nodes["two"] = lif(3, 9)
    with pytest.raises(ArtifactError, match="sends its potential to two"):
        literal(tree(nodes, chain("input", "fc1", "lif", "fc2", "li", "two", "output")))


def test_what_adds_up_without_end_is_refused():
    nodes = ends(3, 3) | {"sum": node("I", r=np.ones(3)), "fc": node("Linear", weight=np.eye(3))}
    with pytest.raises(ArtifactError, match="without a leak and without a threshold"):
        literal(tree(nodes, chain("input", "fc", "sum", "output")))


@pytest.mark.parametrize("name", ["sinabs_lif_layers", "sinabs_iaf", "rockpool_lif_layers"])
def test_several_spikes_are_messages_of_both_layers(name):
    """Each layer sends more than one spike in some step, and the next takes all of them."""
    content, spikes = exported(name)
    found = imported(graph_of(content))
    assert min(spikes["hidden"].max(), spikes["output"].max()) >= 2
    layers = [found.network.population(layer.name) for layer in found.model.layers]
    assert [layer.reset for layer in layers] == ["subtract_all"] * 2
    # integers send about as many
    integers = hl.quantize(found.network)
    events = hl.SpikeInput.from_dense(spikes["inputs"])
    trace = hl.simulate(integers, events, events.n_steps)
    for key, layer in zip(("hidden", "output"), layers, strict=True):
        first = integers.offset(layer.name)
        sent = trace.payload_counts()[first : first + layer.size].sum()
        assert sent == pytest.approx(spikes[key].sum(), rel=0.05)
    assert hl.verify(integers, events, 40, ("reference", "native")).mismatches == 0


def test_a_potential_that_meets_its_threshold_is_a_spike():
    """Weights in quarters lead sinabs's IAF there, where a comparison by > would miss it."""
    content, spikes = exported("sinabs_iaf")
    model = imported(graph_of(content)).model
    run = run_model(model, spikes["inputs"], np.float64, states=True)
    name, *_ = (layer.name for layer in model.layers)
    met = (run.v[name] == 0) & (run.sent[name] > 0)
    assert met.sum() > 20
    assert (run.sent[name] == spikes["hidden"]).all()


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_layers_of_several_spikes_do_what_their_source_does(data):
    """Rules of sinabs and Rockpool with skips, delays, recurrence and biases, in any mixture."""
    pick = data.draw
    rng = np.random.default_rng(pick(st.integers(0, 10**6)))
    nodes = {"input": node("Input", shape=np.array([3]))}
    edges, sizes = [], {"input": 3}
    for k in range(pick(st.integers(1, 3))):
        name, n = f"n{k}", pick(st.integers(1, 5))
        nodes[name] = pick(st.sampled_from([lif, cuba]))(n, int(rng.integers(1000)))
        before = pick(st.lists(st.sampled_from(sorted(sizes)), min_size=1, unique=True))
        sizes[name] = n
        for pre in before + ([name] if pick(st.booleans()) else []):
            weight, shape = f"{pre}>{name}", (n, sizes[pre])
            mean, sd = (0, 0.5) if pre == name else (4, 9)  # or spikes bring on ever more
            values = rng.normal(mean, sd, shape)
            nodes[weight] = node("Affine", weight=values, bias=rng.normal(0, 1, n))
            nodes[f"{weight}.d"] = node("Delay", delay=np.float64(pick(st.integers(0, 2)) * DT))
            edges += chain(pre, f"{weight}.d", weight, name)
    nodes["output"] = node("Output", shape=np.array([sizes[name]]))
    edges.append([name, "output"])
    found = literal(tree(nodes, edges), "subtract_all")
    layers, network = [], found.network
    for layer in found.model.layers:
        reset = pick(st.sampled_from(["subtract", "subtract_all", "subtract_all"]))
        layers.append(replace(layer, rule=replace(layer.rule, reset=reset)))
        population = network.population(layer.name).with_parameters(reset=reset)
        network = network.with_population(population)
    found = replace(found, network=network, model=replace(found.model, layers=tuple(layers)))
    same_as_source(found, random_inputs(3, 60), least=0)


@pytest.mark.parametrize("name", ["sinabs_lif_hetero", "rockpool_lif_hetero"])
def test_one_spike_a_step_can_be_asserted(name):
    content, spikes = exported(name)
    found = imported(graph_of(content), ImportOptions(single_spikes=True))
    assert found.network.population(found.model.layers[0].name).reset == "subtract"
    assert found.model.layers[0].rule.reset == "subtract_all"
    with_reset = imported(graph_of(content), ImportOptions(reset="subtract"))
    assert any("as many spikes in a step" in line for line in with_reset.choice.assumed)
    with pytest.raises(SpecError, match="subtract_all"):
        imported(graph_of(content), ImportOptions(reset="zero"))
    # exact up to the first step in which the source sends two
    inputs, hidden = spikes["inputs"], spikes["hidden"]
    first = int(np.flatnonzero((hidden > 1).any(axis=1))[0])
    mine = ours(found, inputs)[found.model.layers[0].name]
    np.testing.assert_array_equal(mine[:first], hidden[:first])
    assert any("leaves" in remark for remark in found.remarks)


def test_readouts_without_neurons_are_refused():
    content = feed_forward()
    content["node"]["nodes"]["read"] = node("Linear", weight=np.ones((4, 4)))
    content["node"]["edges"] = [
        e for e in content["node"]["edges"] if e != ["two", "output"]
    ] + chain("two", "read", "output")
    with pytest.raises(ArtifactError, match="makes of spikes"):
        literal(content)


def test_several_inputs_and_outputs():
    rng = np.random.default_rng(0)
    nodes = {
        "left": node("Input", shape=np.array([3])),
        "right": node("Input", shape=np.array([2])),
        "a": node("Linear", weight=rng.normal(0, 9, (5, 3))),
        "b": node("Linear", weight=rng.normal(0, 9, (5, 2))),
        "lif": lif(5),
        "two": lif(5, 7, r=np.full(5, 60.0)),
        "o1": node("Output", shape=np.array([5])),
        "o2": node("Output", shape=np.array([5])),
    }
    edges = [*chain("left", "a", "lif", "two", "o1"), *chain("right", "b", "lif", "o2")]
    found = literal(tree(nodes, edges))
    assert [p.name for p in found.network.input_populations] == ["left", "right"]
    assert found.model.outputs == {"o1": ("two",), "o2": ("lif",)}
    same_as_source(found, random_inputs(5))


def test_a_node_named_as_the_neuron_of_the_biases():
    content = feed_forward()
    text = content["node"]["nodes"].pop("one")
    content["node"]["nodes"]["bias"] = text
    content["node"]["edges"] = [
        ["bias" if n == "one" else n for n in e] for e in content["node"]["edges"]
    ]
    found = literal(content)
    assert [p.name for p in found.network.compute_populations] == ["bias", "two", "bias_2"]
    same_as_source(found, random_inputs(5))


def test_a_step_that_is_none_of_the_file_is_told():
    found = imported(graph_of(feed_forward()), ImportOptions("literal", 1e-10, "zero"))
    assert any("is dt right?" in remark for remark in found.remarks)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_random_graphs_do_what_their_source_does(data):
    """Layers in a row with skips, recurrence, delays, filters and biases, in any combination."""
    pick = data.draw
    rng = np.random.default_rng(pick(st.integers(0, 10**6)))
    n_layers, n_in = pick(st.integers(1, 4)), 3
    nodes = {"input": node("Input", shape=np.array([n_in]))}
    edges, sizes = [], {"input": n_in}
    for k in range(n_layers):
        name, n = f"n{k}", pick(st.integers(1, 5))
        nodes[name] = pick(st.sampled_from([lif, cuba]))(n, int(rng.integers(1000)))
        before = pick(st.lists(st.sampled_from(sorted(sizes)), min_size=1, unique=True))
        sizes[name] = n
        for pre in before + ([name] if pick(st.booleans()) else []):
            weight, step = f"{pre}>{name}", pick(st.integers(0, 3))
            shape = (n, sizes[pre])
            nodes[weight] = node("Affine", weight=rng.normal(3, 9, shape), bias=rng.normal(0, 1, n))
            nodes[f"{weight}.d"] = node("Delay", delay=np.float64(step * DT))
            edges += chain(pre, f"{weight}.d", weight, name)
    nodes["output"] = node("Output", shape=np.array([sizes[f"n{n_layers - 1}"]]))
    edges.append([f"n{n_layers - 1}", "output"])
    reset = pick(st.sampled_from(["zero", "subtract", "subtract_next"]))
    same_as_source(literal(tree(nodes, edges), reset), random_inputs(n_in, 80), least=0)


@pytest.mark.parametrize("reset", RESETS)
def test_the_neuron_of_the_biases_fires_once_by_any_reset(tmp_path, reset):
    """Programs read a whole file by one reset, that neuron included."""
    found = literal(feed_forward(), reset)
    hl.to_nir(found.network, tmp_path / "out.nir")
    graph = replace(read_nir(tmp_path / "out.nir"), hints={})
    again = imported(graph, ImportOptions("literal", found.network.dt, reset))
    run = run_model(again.model, random_inputs(5), np.float64)
    assert (run.sent["bias"] == 1).all()
