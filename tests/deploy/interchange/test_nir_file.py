"""Trees as graphs: made flat, with every fault named."""

from __future__ import annotations

import numpy as np
import pytest
from nir_files import chain, cuba, ends, exported, exported_names, graph, lif, node, tree

from hrsnn_lava.deploy.interchange.nir_file import MAX_NODES, graph_of, read_nir
from hrsnn_lava.deploy.interchange.shapes import shapes_of
from hrsnn_lava.errors import ArtifactError


def small(**nodes):
    """Input, weights, three neurons, output; nodes may be replaced."""
    base = ends(2, 3) | {"fc": node("Linear", weight=np.ones((3, 2))), "lif": lif(3)}
    return tree(base | nodes, chain("input", "fc", "lif", "output"))


def faults(content):
    with pytest.raises(ArtifactError) as caught:
        shapes_of(graph_of(content))
    assert caught.value.exit_code == 3
    found: dict[str, str] = {}
    for problem in caught.value.problems:
        words = f"{problem.measured}; {problem.allowed}"
        found[problem.where] = f"{found.get(problem.where, '')} {words}"
    return found


def test_a_small_graph():
    found = graph_of(small())
    assert list(found.nodes) == ["fc", "input", "lif", "output"]
    assert found.edges == (("fc", "lif"), ("input", "fc"), ("lif", "output"))
    assert found.version == "1.0.8"
    assert [n.name for n in found.neurons] == ["lif"]
    with pytest.raises(ValueError, match="read-only"):
        found.nodes["lif"].arrays["tau"][0] = 1.0


@pytest.mark.parametrize("name", exported_names())
def test_real_files_are_graphs_with_shapes(name):
    content, spikes = exported(name)
    found = graph_of(content)
    shapes = shapes_of(found)
    assert [shapes.size(n.name) for n in found.inputs] == [spikes["inputs"].shape[1]]
    assert [shapes.of[n.name] for n in found.outputs] == [(3,)]
    stripped = {"norse": (1,), "sinabs": (100,), "rockpool": (1, 100)}.get(name.split("_")[0])
    assert set(shapes.stripped.values()) == ({stripped} if stripped else set())


VALUES = {
    "tau": ([np.nan, -1.0, 0.0], "above 0"),
    "v_threshold": ([np.inf, 1.0, 1.0], "finite"),
    "r": ([1.0, 1e31, 1.0], "finite"),
    "v_leak": ([0.0, -np.inf, 1.0], "finite"),
}


@pytest.mark.parametrize("key", VALUES)
def test_values_that_no_neuron_can_have(key):
    values, words = VALUES[key]
    found = faults(small(lif=lif(3, **{key: np.array(values)})))
    assert words in found[f"node 'lif'.{key}"]


def test_empty_parameters_are_no_parameters():
    empty = {k: np.zeros(0) for k in lif(3) if k != "type"}
    found = faults(small(lif=node("LIF", **empty)))
    assert "at least one value" in found["node 'lif'.tau"]


def test_a_pool_has_no_padding_in_words():
    pool = node("SumPool2d", kernel_size=np.array([2, 2]), stride=np.array([2, 2]), padding="same")
    found = faults(small(fc=pool))
    assert "numbers" in found["node 'fc'.padding"]


def test_an_end_of_an_inner_graph_that_nothing_leads_to():
    inner = graph(ends(3, 3) | {"lif": lif(3)}, chain("input", "lif"))
    nodes = ends(3, 3) | {"inner": inner, "after": lif(3)}
    content = tree(nodes, chain("input", "inner", "after", "output"))
    with pytest.raises(ArtifactError, match=r"inner.output'.*follows from nothing"):
        shapes_of(graph_of(content))


def test_a_signalling_nan_is_not_finite_as_any_other():
    """A cast of one is a floating point error, which is no warning of ours."""
    weight = np.ones((3, 2), np.float32)
    weight.view(np.int32)[0, 1] = 0x7FA00000
    nodes = ends(2, 3) | {"fc": node("Linear", weight=weight), "lif": lif(3)}
    with pytest.raises(ArtifactError, match="finite"):
        graph_of(tree(nodes, chain("input", "fc", "lif", "output")))


@pytest.mark.parametrize("tau", [0.0, -1.0, np.nan, 1e308, np.inf])
def test_time_constants(tau):
    assert "node 'lif'.tau" in faults(small(lif=lif(3, tau=np.full(3, tau))))


@pytest.mark.parametrize("threshold", [0.0, -1.0])
def test_thresholds_at_the_reset(threshold):
    found = faults(small(lif=lif(3, v_threshold=np.full(3, threshold))))
    assert "above v_reset" in found["node 'lif'.v_threshold"]


def test_a_threshold_below_zero_is_none_of_our_business_where_the_reset_is_lower():
    below = lif(3, v_threshold=np.full(3, -50.0), v_reset=np.full(3, -65.0))
    assert graph_of(small(lif=below)).nodes["lif"].type == "LIF"


def test_types_are_those_of_nir():
    found = faults(small(lif=node("os.system", tau=np.ones(3))))
    assert "LIF" in found["node 'lif'"]
    assert "os.system" in found["node 'lif'"]
    assert "no type" in faults(small(lif={"tau": np.ones(3)}))["node 'lif'"]
    assert "no type" in faults(small(lif=np.ones(3)))["node 'lif'"]


def test_what_a_type_needs():
    short = lif(3)
    del short["tau"]
    assert "every LIF" in faults(small(lif=short))["node 'lif'.tau"]
    assert "numbers" in faults(small(lif=lif(3, tau="long")))["node 'lif'.tau"]


def test_shapes_that_do_not_fit():
    assert "shapes differ" in faults(small(lif=lif(3, tau=np.ones(4))))["node 'lif'"]
    assert (
        "3, as 'lif'"
        in faults(small(fc=node("Linear", weight=np.ones((4, 2)))))["edge 'fc' -> 'lif'"]
    )
    assert "2 dimensions" in faults(small(fc=node("Linear", weight=np.ones(3))))["node 'fc'.weight"]
    wide = node("Affine", weight=np.ones((3, 2)), bias=np.ones(4))
    assert "as the weight has rows" in faults(small(fc=wide))["node 'fc'.bias"]
    other = small(output=node("Output", shape=np.array([4])))
    assert "3 values" in faults(other)["node 'output'.shape"]
    assert (
        "2 values" in faults(small(input=node("Input", shape=np.array([5]))))["node 'input'.shape"]
    )


@pytest.mark.parametrize("shape", [[0], [-2], [2.5], []])
def test_shapes_are_whole_numbers(shape):
    assert "node 'input'.shape" in faults(small(input=node("Input", shape=np.array(shape))))


def test_edges():
    content = small()
    content["node"]["edges"] += [["fc", "lif"], ["fc", "liff"], ["output", "fc"], ["lif", "input"]]
    found = faults(content)
    assert "there twice" in found["edge 'fc' -> 'lif'"]
    assert "no node 'liff'" in found["edge 'fc' -> 'liff'"]
    assert "leaves an Output" in found["edge 'output' -> 'fc'"]
    assert "leads into an Input" in found["edge 'lif' -> 'input'"]
    content["node"]["edges"] = [["fc"], "fc"]
    assert "pairs of names" in faults(content)["the graph: edges"]
    content["node"]["edges"] = np.zeros((3, 2))
    assert "not texts" in faults(content)["the graph: edges"]


def test_no_graph_at_all():
    for content in ({}, {"node": {}}, {"node": np.ones(3)}, {"version": "1", "node": {}}):
        with pytest.raises(ArtifactError, match="not a NIR file"):
            graph_of(content)
    assert "'NIRGraph'" in faults({"node": {"type": "LIF"}})["/node/type"]
    assert "no nodes" in faults({"node": {"type": "NIRGraph", "nodes": {}}})["the graph"]
    assert "no neuron" in faults(tree(ends(2, 2), chain("input", "output")))["/node/nodes"]


def test_too_many_nodes():
    many = {f"n{k}": node("Scale", scale=np.ones(1)) for k in range(MAX_NODES + 1)}
    assert "10,001 nodes" in faults(tree(many, []))["the graph"]


def nested(depth):
    inner = {"lif": lif(2), **ends(2, 2)}
    content = graph(inner, chain("input", "lif", "output"))
    for _ in range(depth):
        content = graph({"in": content, **ends(2, 2)}, chain("input", "in", "output"))
    return {"version": "1.0.8", "node": content}


def test_graphs_within_graphs_are_made_flat():
    found = graph_of(nested(3))
    assert [n.name for n in found.neurons] == ["in.in.in.lif"]
    assert [n.name for n in found.inputs] == ["input"]
    assert ("input", "in.input") in found.edges
    assert ("in.in.in.output", "in.in.output") in found.edges
    assert shapes_of(found).of["in.in.in.lif"] == (2,)


def test_graphs_within_graphs_have_an_end():
    assert graph_of(nested(15)).neurons
    assert any("too deep" in text for text in faults(nested(16)).values())


def test_an_edge_to_a_graph_with_two_inputs_cannot_say_which():
    inner = {"a": node("Input", shape=np.array([2])), "b": node("Input", shape=np.array([2]))}
    inner |= {"lif": lif(2), "out": node("Output", shape=np.array([2]))}
    outer = ends(2, 2) | {"g": graph(inner, [["a", "lif"], ["b", "lif"], ["lif", "out"]])}
    found = faults(tree(outer, chain("input", "g", "output")))
    assert "2 inputs" in found["graph 'g'"]


def test_single_numbers_and_integers_are_taken():
    plain = node(
        "LIF",
        tau=np.float32(0.01),
        r=np.int64(1),
        v_leak=np.float64(0),
        v_threshold=np.ones(1, dtype=np.int64),
    )
    found = graph_of(small(lif=plain))
    assert shapes_of(found).of["lif"] == (3,)
    assert found.nodes["lif"].arrays["r"].dtype == np.float64


def test_a_shape_that_follows_from_nothing():
    alone = tree(
        {"a": node("IF", r=np.float64(1), v_threshold=np.float64(1)), "fc": cuba(2)},
        [["a", "a"]],
    )
    assert any("follows from nothing" in text for text in faults(alone).values())


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ArtifactError, match="no such file"):
        read_nir(tmp_path / "none.nir")
