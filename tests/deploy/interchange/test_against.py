"""Imports held against recordings: what differs, where first, and in which term."""

from __future__ import annotations

import numpy as np
import pytest
from nir_files import exported

from hrsnn_lava.deploy.interchange.against import against
from hrsnn_lava.deploy.interchange.diagnosis import suspect, terms
from hrsnn_lava.deploy.interchange.from_nir import ImportOptions, imported
from hrsnn_lava.deploy.interchange.nir_file import graph_of
from hrsnn_lava.deploy.interchange.recording import load_recording
from hrsnn_lava.deploy.interchange.source_run import run_model
from hrsnn_lava.errors import ArtifactError


def held(tmp_path, name, options, **changed):
    """The agreement of an import with a recording, of which arrays may be replaced."""
    content, spikes = exported(name)
    found = imported(graph_of(content), options)
    np.savez(tmp_path / "spikes.npz", **(spikes | changed))
    return found, against(found, load_recording(tmp_path / "spikes.npz", found.model))


def test_an_exact_import(tmp_path):
    _, agreement = held(tmp_path, "snntorch_rleaky_zero", ImportOptions(reset="zero"))
    hidden, output = agreement.layers
    assert agreement.exact
    assert (hidden.layer, hidden.shift, hidden.source, hidden.floats) == ("lif1.lif", 1, 237, 237)
    assert (output.layer, output.shift, output.source, output.floats) == ("lif2", 2, 52, 52)
    assert hidden.differing == output.differing == 0
    # eight bits keep nearly all of them
    assert abs(hidden.integers - hidden.floats) < 12
    assert agreement.to_dict()["first"] is None


CAUSES = [
    ("snntorch_leaky_subtract", ("snntorch", None, "zero"), "reset", "one step later"),
    ("snntorch_rsyn_subtract", ("snntorch", None, "zero"), "reset", "one step later"),
    ("snntorch_rleaky_zero", ("literal", 1e-4, "zero"), "reset", "stays there for a step"),
    ("snntorch_leaky_zero", ("literal", 1e-4, "subtract"), "reset", "v goes to zero"),
    ("snntorch_leaky_zero", ("literal", 1e-5, "zero"), "decay", "10 times as long"),
    ("norse_lifbox_hetero", ("literal", 1e-6, "subtract"), "reset", "v goes to zero"),
]


@pytest.mark.parametrize(("name", "chosen", "term", "words"), CAUSES)
def test_the_term_that_explains_a_difference(tmp_path, name, chosen, term, words):
    _, agreement = held(tmp_path, name, ImportOptions(*chosen))
    assert agreement.first is not None
    cause = agreement.first.cause
    assert (cause.term, cause.after) == (term, 0)
    assert words in cause.change
    assert cause.before > 10
    assert f"{term}: in the source" in str(agreement.first)


def changed_file(name, change):
    content, spikes = exported(name)
    nodes = {k: dict(v) for k, v in content["node"]["nodes"].items()}
    change(nodes)
    graph = graph_of({**content, "node": {**content["node"], "nodes": nodes}})
    return imported(graph, ImportOptions("snntorch", reset="zero")), spikes


def no_recurrent_weights(nodes):
    nodes["lif1.w_rec"] = {**nodes["lif1.w_rec"], "weight": np.zeros((20, 20))}


def a_bias_too_many(nodes):
    nodes["fc1"] = {**nodes["fc1"], "bias": np.full(20, 0.4)}
    nodes["lif1.w_rec"] = {**nodes["lif1.w_rec"], "bias": np.zeros(20)}


def test_a_bias_that_the_source_does_not_have(tmp_path):
    def without(nodes):
        for name in ("fc1", "lif1.w_rec"):
            nodes[name] = {**nodes[name], "bias": np.zeros(20)}

    source, spikes = changed_file("snntorch_rleaky_zero", without)
    run = run_model(source.model, spikes["inputs"])
    recorded = {"inputs": spikes["inputs"], "hidden": run.sent["lif1.lif"]}
    found, _ = changed_file("snntorch_rleaky_zero", a_bias_too_many)
    np.savez(tmp_path / "a.npz", **recorded)
    first = against(found, load_recording(tmp_path / "a.npz", found.model)).first
    assert (first.cause.term, first.cause.change, first.cause.after) == ("bias", "there is none", 0)


def test_recurrence_that_the_source_does_not_have(tmp_path):
    source, spikes = changed_file("snntorch_rleaky_zero", no_recurrent_weights)
    run = run_model(source.model, spikes["inputs"])
    recorded = {"inputs": spikes["inputs"], "lif1.lif": run.sent["lif1.lif"]}
    found, _ = changed_file("snntorch_rleaky_zero", dict.copy)
    np.savez(tmp_path / "a.npz", **recorded)
    first = against(found, load_recording(tmp_path / "a.npz", found.model)).first
    # the hold of a step comes with the recurrence, so it stays
    assert first.cause.term == "recurrence"
    assert first.cause.after < first.cause.before / 2


def test_the_terms_make_up_the_potential():
    content, spikes = exported("snntorch_rsyn_subtract")
    found = imported(graph_of(content), ImportOptions(reset="subtract"))
    recorded = {"lif1.lif": spikes["hidden"], "lif2": spikes["output"]}
    part = suspect(found.model, "lif1.lif", spikes["inputs"], recorded)
    assert part.differing() == 0
    run = run_model(found.model, spikes["inputs"], np.float64, states=True)
    threshold = found.model.layer("lif1.lif").rule.threshold
    for step, neuron in ((0, 3), (5, 4), (40, 11)):
        values = terms(part, step, neuron)
        total = sum(v for name, v in values.items() if name != "threshold")
        before = run.sent["lif1.lif"][step - 1, neuron] if step else 0.0
        total -= before * threshold[neuron]
        assert total == pytest.approx(run.v["lif1.lif"][step, neuron])
        assert values["threshold"] == threshold[neuron]


def test_spikes_that_a_neuron_here_cannot_send(tmp_path):
    options = ImportOptions(single_spikes=True)
    _, agreement = held(tmp_path, "rockpool_lif_hetero", options)
    assert agreement.layers[0].most == 16
    assert agreement.first.expected == 2
    assert "up to 16 spikes are sent in a step" in agreement.first.cause.change


@pytest.mark.parametrize("name", ["sinabs_lif_layers", "rockpool_lif_layers"])
def test_several_spikes_in_a_step(tmp_path, name):
    _, spikes = exported(name)
    _, agreement = held(tmp_path, name, ImportOptions())
    assert agreement.exact
    for layer, key in zip(agreement.layers, ("hidden", "output"), strict=True):
        assert layer.source == layer.floats == spikes[key].sum()
        assert layer.most == spikes[key].max() > 1
        assert abs(layer.integers - layer.floats) < 0.05 * layer.floats
    hidden = spikes["hidden"].copy()
    step, neuron = np.argwhere(hidden > 1)[0]
    hidden[step, neuron] -= 1
    _, agreement = held(tmp_path, name, ImportOptions(), hidden=hidden)
    first = agreement.first
    assert (first.step, first.neuron, first.expected) == (step, neuron, hidden[step, neuron])
    assert first.found == first.expected + 1


def test_a_single_spike_that_is_another_is_found(tmp_path):
    _, spikes = exported("spikingjelly_lif_hard")
    hidden = spikes["hidden"].copy()
    hidden[57, 13] = 1 - hidden[57, 13]
    _, agreement = held(tmp_path, "spikingjelly_lif_hard", ImportOptions(), hidden=hidden)
    first = agreement.first
    assert (first.layer, first.step, first.neuron) == ("_1", 57, 13)
    assert first.expected == hidden[57, 13] == 1 - first.found
    assert agreement.layers[0].differing == 1
    assert "no single term" in str(first)


def test_recordings_of_other_networks(tmp_path):
    content, spikes = exported("snntorch_leaky_zero")
    model = imported(graph_of(content), ImportOptions(reset="zero")).model

    def faults(**arrays):
        np.savez(tmp_path / "a.npz", **arrays)
        with pytest.raises(ArtifactError) as caught:
            load_recording(tmp_path / "a.npz", model)
        return str(caught.value)

    assert "missing inputs" in faults(hidden=spikes["hidden"])
    assert "inputs alone" in faults(inputs=spikes["inputs"])
    assert "(steps, 6)" in faults(inputs=np.zeros((9, 7)), hidden=np.zeros((9, 20)))
    assert "(100, 20)" in faults(inputs=spikes["inputs"], hidden=np.zeros((99, 20)))
    assert "up to 2 events" in faults(inputs=2 * spikes["inputs"], hidden=spikes["hidden"])
    assert "no such layer" in faults(inputs=spikes["inputs"], lif9=spikes["hidden"])
    assert "whole numbers" in faults(inputs=spikes["inputs"], hidden=spikes["hidden"] * 0.5)
    assert "whole numbers" in faults(inputs=spikes["inputs"], hidden=spikes["hidden"] * np.nan)
    pickled = tmp_path / "p.npz"
    np.savez(pickled, inputs=np.array([{}], dtype=object))
    with pytest.raises(ArtifactError):
        load_recording(pickled, model)
