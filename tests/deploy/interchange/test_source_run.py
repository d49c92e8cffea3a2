"""Runs by the exact rule of each source: spikes that frameworks recorded, and plain Euler."""

from __future__ import annotations

import numpy as np
import pytest
from nir_files import chain, cuba, ends, euler, exported, node, tree

from hrsnn_lava.deploy.interchange.dialect import chosen, dialects, recognized
from hrsnn_lava.deploy.interchange.nir_file import graph_of
from hrsnn_lava.deploy.interchange.source_run import run_model, source_model, source_run
from hrsnn_lava.errors import ArtifactError, SpecError

#: File, reset to give, keys that are recorded and not silent.
RECORDED = [
    ("snntorch_leaky_zero", "zero", ("hidden", "output")),
    ("snntorch_leaky_subtract", "subtract", ("hidden", "output")),
    ("snntorch_rleaky_zero", "zero", ("hidden", "output")),
    ("snntorch_rleaky_subtract", "subtract", ("hidden", "output")),
    ("snntorch_rsyn_subtract", "subtract", ("hidden", "output")),
    ("snntorch_synaptic_zero", "zero", ("hidden", "output")),
    ("snntorch_synaptic_subtract", "subtract", ("hidden", "output")),
    ("snntorch_rleaky_synaptic_zero", "zero", ("hidden", "output")),
    ("norse_lifbox_hetero", None, ("output",)),
    ("norse_lifcell", None, ("hidden", "output")),
    ("norse_lifcell_iaf", None, ("hidden", "output")),
    ("sinabs_lif_hetero", None, ("hidden",)),
    ("spikingjelly_lif_hard", None, ("hidden",)),
    ("spyx_lif", None, ("output",)),
    ("spyx_lif_step", None, ("hidden", "output")),
    ("spyx_if_cubalif", None, ("hidden", "output")),
    ("spyx_rif", None, ("hidden", "output")),
    ("spyx_rcubalif_if", None, ("hidden", "output")),
    ("spyx_pictures", None, ("hidden", "output")),
    ("rockpool_lif_hetero", None, ("hidden",)),
    ("rockpool_lif_layers", None, ("hidden", "output")),
    ("sinabs_lif_layers", None, ("hidden", "output")),
    ("sinabs_iaf", None, ("hidden", "output")),
]


@pytest.mark.parametrize(("name", "reset", "keys"), RECORDED)
def test_every_recorded_spike_is_the_same(name, reset, keys):
    content, spikes = exported(name)
    graph = graph_of(content)
    assert list(recognized(graph)) == [name.partition("_")[0]]
    run = source_run(graph, spikes["inputs"], reset=reset)
    layers = list(run.sent.values())
    for key in keys:
        assert spikes[key].any()
        found = layers[0 if key == "hidden" else -1]
        np.testing.assert_array_equal(found, spikes[key])


def test_a_readout_of_sinabs_takes_its_input_whole():
    """ExpLeak, checked with sinabs 3.1.3: norm_input is False by default there, True of a LIF."""
    content, spikes = exported("sinabs_lif_hetero")
    nodes = content["node"]["nodes"]
    tau = np.array([2.0, 5.0, 9.0])
    leaky = node("LI", tau=tau, r=np.ones(3), v_leak=np.zeros(3))
    nodes = nodes | {"3": leaky}
    graph = graph_of({**content, "node": {**content["node"], "nodes": nodes}})
    assert list(recognized(graph)) == ["sinabs"]
    run = source_run(graph, spikes["inputs"], dtype=np.float64)
    np.testing.assert_array_equal(run.sent["1"], spikes["hidden"])
    v = np.zeros(3)
    for sent, potential in zip(run.sent["1"], run.sent["3"], strict=True):
        v = np.exp(-1 / tau) * v + nodes["2"]["weight"] @ sent + nodes["2"]["bias"]
        np.testing.assert_allclose(potential, v, rtol=1e-12)


def test_a_step_that_a_file_of_spikingjelly_contradicts_is_refused():
    content, spikes = exported("spikingjelly_lif_hard")
    nodes = content["node"]["nodes"]
    for name, n in (("_1", 20), ("_3", 3)):
        whole = {"r": np.full(n, 1e3), "v_threshold": np.ones(n), "v_reset": np.zeros(n)}
        nodes = nodes | {name: node("IF", **whole)}
    graph = graph_of({**content, "node": {**content["node"], "nodes": nodes}})
    with pytest.raises(SpecError, match=r"r of '_1' says 0\.001"):
        source_run(graph, spikes["inputs"])
    assert source_run(graph, spikes["inputs"], dt=1e-3).sent["_1"].any()


def test_norse_starts_at_v_leak():
    content, spikes = exported("norse_lifbox_hetero")
    nodes = dict(content["node"]["nodes"])
    nodes["1"] = nodes["1"] | {"v_leak": np.full(nodes["1"]["tau"].shape, 0.05)}
    graph = graph_of({**content, "node": {**content["node"], "nodes": nodes}})
    with pytest.raises(ArtifactError, match="20 neurons, and Norse starts at v_leak"):
        source_run(graph, spikes["inputs"])
    resting = nodes["1"] | {"v_reset": nodes["1"]["v_leak"]}
    nodes["1"] = resting
    graph = graph_of({**content, "node": {**content["node"], "nodes": nodes}})
    assert source_run(graph, spikes["inputs"]).sent["1"].any()


def test_several_spikes_in_a_step_are_real():
    content, spikes = exported("rockpool_lif_hetero")
    run = source_run(graph_of(content), spikes["inputs"])
    assert run.most()["1_LIFTorch"] == spikes["hidden"].max() == 16


#: Spikes that differ where a file is read by its equations, of those of the rule: so the rule
#: matters, and the recordings can tell.
LITERALLY = [
    ("snntorch_leaky_subtract", 1e-4, "subtract", 100),
    ("snntorch_rleaky_zero", 1e-4, "zero", 150),
    ("norse_lifbox_hetero", 1e-3, "zero", None),
    ("spyx_lif", 1.0, "subtract", 30),
]


@pytest.mark.parametrize(("name", "dt", "reset", "least"), LITERALLY)
def test_read_by_its_equations_a_file_gives_other_spikes(name, dt, reset, least):
    content, spikes = exported(name)
    options = {"dialect": "literal", "dt": dt, "reset": reset}
    if least is None:  # the step is longer than the time constants of the file
        with pytest.raises(ArtifactError, match="he step is longer"):
            source_run(graph_of(content), spikes["inputs"], **options)
        return
    run = source_run(graph_of(content), spikes["inputs"], **options)
    layers = list(run.sent.values())
    key = "hidden" if "hidden" in spikes else "output"
    differ = (layers[0 if key == "hidden" else -1] != spikes[key]).sum()
    assert differ >= least


def two_neurons():
    """The form of a file of NIR's authors: two neurons in a row, a leak that drives the first."""
    one = {"tau": [0.01], "r": [1.0], "v_leak": [1.2], "v_threshold": [1.0]}
    two = {"tau": [0.01], "r": [1.0], "v_leak": [0.0], "v_threshold": [0.3]}
    nodes = ends(1, 1) | {
        "linear1": node("Linear", weight=np.array([[1.0]])),
        "linear2": node("Linear", weight=np.array([[40.0]])),
        "lif1": node("LIF", **one),
        "lif2": node("LIF", **two),
    }
    plain = [
        {
            "weight": np.ones((1, 1)),
            "bias": np.zeros(1),
            **{k: np.array(v) for k, v in one.items()},
        },
        {
            "weight": np.full((1, 1), 40.0),
            "bias": np.zeros(1),
            **{k: np.array(v) for k, v in two.items()},
        },
    ]
    return tree(nodes, chain("input", "linear1", "lif1", "linear2", "lif2", "output")), plain


def recurrent(n_in=4, n=9, n_out=3, seed=5):
    """The form of snnTorch's recurrent exports: CubaLIF with biases, a flat circle."""
    rng = np.random.default_rng(seed)
    weights = {
        "fc1": (rng.normal(0, 1.2, (n, n_in)), rng.normal(0, 0.3, n)),
        "w_rec": (rng.normal(0, 0.6, (n, n)), rng.normal(0, 0.2, n)),
        "fc2": (np.abs(rng.normal(0, 60.0, (n_out, n))), rng.normal(0, 0.3, n_out)),
    }
    hidden, out = cuba(n, 1), cuba(n_out, 2)
    nodes = ends(n_in, n_out) | {"lif1.lif": hidden, "lif2": out}
    for name, (weight, bias) in weights.items():
        full = "lif1.w_rec" if name == "w_rec" else name
        nodes[full] = node("Affine", weight=weight, bias=bias)
    edges = [
        *chain("input", "fc1", "lif1.lif", "fc2", "lif2", "output"),
        *chain("lif1.lif", "lif1.w_rec", "lif1.lif"),
    ]
    plain = [
        {"weight": weights["fc1"][0], "bias": weights["fc1"][1], **hidden},
        {"weight": weights["fc2"][0], "bias": weights["fc2"][1], **out},
    ]
    plain[0] |= {"w_rec": weights["w_rec"][0], "b_rec": weights["w_rec"][1]}
    return tree(nodes, edges), plain


@pytest.mark.parametrize("form", [two_neurons, recurrent])
def test_the_equations_of_nir_by_plain_loops(form):
    content, plain = form()
    dt, n_in = 1e-3, plain[0]["weight"].shape[1]
    inputs = (np.random.default_rng(0).random((300, n_in)) < 0.3).astype(float)
    truth = euler(plain, inputs, dt)
    graph = graph_of(content)
    model = source_model(graph, chosen(graph, "literal", dt, "zero"))
    run = run_model(model, inputs, np.float64, states=True)
    assert [layer.name for layer in model.layers] == sorted(run.sent)
    for layer, expected in zip(model.layers, truth, strict=True):
        assert expected["z"].sum() > 5
        np.testing.assert_array_equal(run.sent[layer.name], expected["z"])
        np.testing.assert_allclose(run.v[layer.name], expected["v"], atol=1e-9, rtol=1e-9)


def test_inputs_of_another_network():
    content, _ = two_neurons()
    for inputs in (np.zeros((3, 2)), np.zeros(3), np.array([["a"]])):
        with pytest.raises(SpecError, match="inputs"):
            source_run(graph_of(content), inputs, dt=1e-3, reset="zero")


def test_every_dialect_says_what_it_is():
    found = dialects()
    assert set(found) >= {
        "literal",
        "norse",
        "rockpool",
        "sinabs",
        "snntorch",
        "spikingjelly",
        "spyx",
    }
    for name, dialect in found.items():
        assert dialect.name == name
        assert dialect.title
        assert dialect.equations
        assert dialect.resets
        assert dialect.dt is None or dialect.dt_origin
        assert dialect.reset is None or dialect.reset in dialect.resets


def test_what_must_be_given():
    content, _ = two_neurons()
    graph = graph_of(content)
    with pytest.raises(SpecError, match="no exporter is recognized"):
        chosen(graph)
    with pytest.raises(SpecError, match="no exporter is recognized"):
        chosen(graph, dt=1e-3)
    choice = chosen(graph, dt=1e-3, reset="zero")
    assert choice.dialect.name == "literal"
    with pytest.raises(SpecError) as caught:
        chosen(graph, "literal")
    assert {p.where for p in caught.value.problems} == {"dt", "reset"}
    with pytest.raises(SpecError) as caught:
        chosen(graph_of(exported("snntorch_leaky_zero")[0]))
    assert [p.where for p in caught.value.problems] == ["reset"]
    with pytest.raises(SpecError, match="id you mean 'snntorch'"):
        chosen(graph, "snntorhc")
    for dt in (0.0, -1.0, np.nan, "1", True):
        with pytest.raises(SpecError, match="seconds > 0"):
            chosen(graph, "literal", dt, "zero")
    with pytest.raises(SpecError, match="one of zero"):
        chosen(graph_of(exported("norse_lifbox_hetero")[0]), reset="subtract")


def test_two_dialects_that_fit_are_refused_with_both_reasons():
    content, _ = exported("snntorch_rleaky_zero")
    nodes = content["node"]["nodes"]
    renamed = {
        "fc1": "0_LinearTorch",
        "fc2": "2_LinearTorch",
    }
    both = {
        **content,
        "node": {
            **content["node"],
            "nodes": {renamed.get(name, name): value for name, value in nodes.items()},
            "edges": [[renamed.get(n, n) for n in e] for e in content["node"]["edges"]],
        },
    }
    with pytest.raises(SpecError, match="several dialects fit") as caught:
        chosen(graph_of(both), reset="zero")
    text = str(caught.value)
    assert "lif1.w_rec" in text
    assert "0_LinearTorch" in text
    assert chosen(graph_of(both), "snntorch", reset="zero").dialect.name == "snntorch"


def test_a_padded_pool_of_spyx_is_refused():
    """Its file has the sum of both sides as the padding of each."""
    content, spikes = exported("spyx_pictures")
    nodes = content["node"]["nodes"]
    nodes = nodes | {"layer_2": nodes["layer_2"] | {"padding": np.array([1, 0])}}
    graph = graph_of({**content, "node": {**content["node"], "nodes": nodes}})
    with pytest.raises(ArtifactError, match="'layer_2': a SumPool padded as SAME"):
        source_run(graph, spikes["inputs"])


def test_a_recurrent_layer_of_spyx_hears_its_inputs_past_its_weights():
    content, _ = exported("spyx_rcubalif")
    inner = content["node"]["nodes"]["layer_1"]["nodes"]
    n = 20
    rng = np.random.default_rng(0)
    tau = rng.uniform(2, 9, n)
    inner = inner | {
        "layer_1.lif": node(
            "LIF",
            tau=tau,
            r=1 - 1 / tau,
            v_leak=np.zeros(n),
            v_reset=np.zeros(n),
            v_threshold=np.full(n, 0.5),
        )
    }
    nodes = content["node"]["nodes"]
    nodes = nodes | {"layer_1": {**nodes["layer_1"], "nodes": inner}}
    graph = graph_of({**content, "node": {**content["node"], "nodes": nodes}})
    inputs = (rng.random((60, 6)) < 0.4).astype(float)
    run = source_run(graph, inputs, dtype=np.float64)
    fc, rec = nodes["layer_0"]["weight"], inner["layer_1.w_rec"]["weight"]
    v = np.zeros(n)
    for t, x in enumerate(inputs):
        z = (v > 0.5).astype(float)
        np.testing.assert_array_equal(run.sent["layer_1.lif"][t], z)
        v = (1 - 1 / tau) * v + fc @ x + nodes["layer_0"]["bias"] + rec @ z - 0.5 * z
    assert run.sent["layer_1.lif"].sum() > 50


def test_a_neuron_of_spyx_whose_spikes_are_not_known_is_refused():
    content, spikes = exported("spyx_lif")
    nodes = content["node"]["nodes"]
    leaky = node("LI", tau=np.full(20, 3.0), r=np.ones(20), v_leak=np.zeros(20))
    nodes = nodes | {"layer_1": leaky}
    graph = graph_of({**content, "node": {**content["node"], "nodes": nodes}})
    with pytest.raises(ArtifactError, match="LI: Spyx's spikes of it are not known"):
        source_run(graph, spikes["inputs"])
