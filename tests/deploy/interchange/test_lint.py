"""The linter: every finding by a file that has it, and repairs that read as what they mend."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from hdf5_children import read_here
from nir_files import chain, cuba, ends, exported, exported_names, graph, lif, node, tree, write

from hrsnn_lava.deploy.interchange.from_nir import ImportOptions, imported
from hrsnn_lava.deploy.interchange.lint import (
    FINDINGS,
    check_nir,
    check_tree,
    repaired,
    write_tree,
)
from hrsnn_lava.deploy.interchange.nir_file import graph_of
from hrsnn_lava.deploy.interchange.source_run import source_run
from hrsnn_lava.errors import ArtifactError, SpecError


def small(edges=None, **nodes):
    base = ends(2, 3) | {"fc": node("Linear", weight=np.full((3, 2), 0.5)), "lif": lif(3)}
    return tree(base | nodes, edges or chain("input", "fc", "lif", "output"))


def short():
    cell = lif(3)
    del cell["v_reset"]
    return cell


def without_r():
    cell = lif(3)
    del cell["r"]
    return cell


def recurrent():
    nodes = ends(2, 3) | {"fc": node("Linear", weight=np.ones((3, 2))), "a.lif": cuba(3)}
    nodes["a.w_rec"] = node("Affine", weight=np.ones((3, 3)), bias=np.array([0.0, 1.0, 2.0]))
    edges = [*chain("input", "fc", "a.lif", "output"), *chain("a.lif", "a.w_rec", "a.lif")]
    return tree(nodes, edges)


EDGES = chain("input", "fc", "lif", "output")
#: For every finding a file that has it, and its severity.
CASES = {
    "not_nir": ({"node": {}}, "error"),
    "structure": (small(edges=[*EDGES, ["fc"]]), "error"),
    "unknown_type": (small(lif=node("LIFF", tau=np.ones(3))), "error"),
    "missing_array": (small(lif=without_r()), "error"),
    "not_finite": (small(lif=lif(3, tau=np.array([1.0, np.nan, 1.0]))), "error"),
    "out_of_range": (small(lif=lif(3, tau=np.array([1.0, -1.0, 1.0]))), "error"),
    "wrong_shape": (small(fc=node("Linear", weight=np.ones((4, 2)))), "error"),
    "dangling_edge": (small(edges=[*EDGES, ["fc", "none"]]), "error"),
    "duplicate_edge": (small(edges=[*EDGES, ["fc", "lif"]]), "error"),
    "short_tau": (small(), "error"),
    "batch_axis": (small(input=node("Input", shape=np.array([7, 2]))), "warning"),
    "scaled_tau": (exported("norse_lifbox_hetero")[0], "warning"),
    "lost_recurrence": (exported("rockpool_lif_hetero")[0], "warning"),
    "lost_tau_syn": (exported("sinabs_lif_hetero")[0], "warning"),
    "recurrent_bias": (recurrent(), "warning"),
    "integer_parameter": (small(lif=lif(3, v_threshold=np.ones(3, dtype=np.int64))), "warning"),
    "scalar_parameter": (small(lif=lif(3, tau=np.float64(0.01))), "note"),
    "missing_v_reset": (small(lif=short()), "note"),
    "several_dialects": (
        tree(
            {"input_1": node("Input", shape=np.array([2])), "_0": lif(2), "0_LIFTorch": lif(2)}
            | {"output": node("Output", shape=np.array([2]))},
            chain("input_1", "_0", "0_LIFTorch", "output"),
        ),
        "warning",
    ),
    "missing_dt": (small(), "note"),
    "missing_reset": (exported("snntorch_leaky_zero")[0], "note"),
}


def test_every_finding_has_a_case():
    assert set(CASES) | {"unsafe"} == set(FINDINGS)


@pytest.mark.parametrize("kind", CASES)
def test_findings(kind):
    content, severity = CASES[kind]
    checked = check_tree(content, dt=0.1 if kind == "short_tau" else None)
    found = [finding for finding in checked.findings if finding.kind == kind]
    assert found
    assert {finding.severity for finding in found} == {severity}
    assert all(finding.measured and finding.fix for finding in found)
    assert checked.valid == (severity != "error")


def test_a_clean_file():
    content, _ = exported("spikingjelly_lif_hard")
    checked = check_tree(content)
    assert checked.findings == ()
    assert checked.dialect == "spikingjelly"


def test_what_is_unsafe_is_an_error(tmp_path):
    path = write(tmp_path / "a.nir", small())
    with h5py.File(path, "a") as file:
        file["node/alias"] = h5py.SoftLink("/node/nodes")
    checked = check_nir(path)
    assert [f.kind for f in checked.findings] == ["unsafe"]
    assert not checked.valid
    assert "soft link" in checked.findings[0].measured
    for other in ("none.nir", "text.nir"):
        (tmp_path / "text.nir").write_text("[network]\n")
        with pytest.raises(ArtifactError):
            check_nir(tmp_path / other)


@pytest.mark.parametrize("name", exported_names())
def test_a_repaired_file_does_the_same(name, tmp_path):
    content, spikes = exported(name)
    new, changes = repaired(content)
    checked = check_tree(new)
    mended = {kind for kind, (_, certain) in FINDINGS.items() if certain}
    assert not mended & {finding.kind for finding in checked.findings}
    assert checked.dialect == name.partition("_")[0]
    if name == "spyx_rcubalif":
        assert "layer_1.layer_1.lif.v_threshold: int64 to float64" in changes
    reset = name.rpartition("_")[2] if name.startswith("snntorch") else None
    before, after = (source_run(graph_of(c), spikes["inputs"], reset=reset) for c in (content, new))
    for layer, sent in before.sent.items():
        np.testing.assert_array_equal(sent, after.sent[layer])


def test_everything_that_is_certain_is_mended(tmp_path):
    inner = {"in": node("Input", shape=np.array([3])), "out": node("Output", shape=np.array([3]))}
    cell = short() | {"tau": np.array(0.01, dtype=np.float32), "r": np.ones(3, dtype=np.int32)}
    inner["lif"] = cell
    nodes = ends(2, 3) | {
        "fc": node("Linear", weight=np.full((3, 2), 2, dtype=np.int64)),
        "g": graph(inner, [*chain("in", "lif", "out"), ["in", "lif"]]),
    }
    nodes["input"] = node("Input", shape=np.array([1, 50, 2]))
    edges = [*chain("input", "fc", "g", "output"), ["input", "fc"]]
    source, target = write(tmp_path / "a.nir", tree(nodes, edges)), tmp_path / "b.nir"
    content = read_here(source)
    assert {f.kind for f in check_tree(content).findings} >= {"duplicate_edge"}
    new, changes = repaired(content, "a.nir")
    write_tree(target, new, source)
    assert len(changes) == 7
    checked = check_nir(target)
    assert {f.kind for f in checked.findings} == {"missing_dt", "missing_reset"}
    found = checked.tree["node"]["nodes"]
    np.testing.assert_array_equal(found["input"]["shape"], [2])
    np.testing.assert_allclose(found["g"]["nodes"]["lif"]["tau"], np.full(3, 0.01), rtol=1e-6)
    assert found["g"]["nodes"]["lif"]["r"].dtype == np.float64
    assert imported(checked.graph, ImportOptions("literal", 1e-3, "zero")).network.n_neurons == 3


def test_what_is_not_certain_is_not_mended(tmp_path):
    with pytest.raises(ArtifactError, match="above 0"):
        repaired(CASES["out_of_range"][0])
    with pytest.raises(ArtifactError, match="no node 'none'"):
        repaired(CASES["dangling_edge"][0])
    with pytest.raises(ArtifactError, match="not a NIR"):
        repaired({"node": {}})


def test_the_file_that_was_read_is_never_written(tmp_path):
    path = write(tmp_path / "a.nir", small())
    link = tmp_path / "b.nir"
    link.symlink_to(path)
    data = path.read_bytes()
    for target in (path, link):
        with pytest.raises(SpecError, match="another name"):
            write_tree(target, small(), path)
    assert path.read_bytes() == data
