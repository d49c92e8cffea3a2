"""One part of each kind, a file each in a temporary folder, through Python, a spec and commands.

The files are those of ``docs/adding.md``, so that page and test cannot part.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import nir_files
import numpy as np
import pytest
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava import registry
from hrsnn_lava.compiler.analysis.dynamics.covariance import covariance
from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.passes.rescale_time import RescaleTime
from hrsnn_lava.compiler.pruning.edge_score import ScoredSystem
from hrsnn_lava.deploy.interchange.from_nir import imported
from hrsnn_lava.deploy.interchange.nir_file import graph_of
from hrsnn_lava.deploy.interchange.source_run import run_model
from hrsnn_lava.errors import ArtifactError, SpecError
from hrsnn_lava.search.space import Space
from hrsnn_lava.search.suggester import Told
from hrsnn_lava.seeding import generator
from hrsnn_lava.sim_backends.runs.parity import compare
from hrsnn_lava.training.criterion import DrivenRun
from tests.docs.test_docs import ROOT, pages

KINDS = {
    "pruning": "per_neuron",
    "score": "spread",
    "neuron_score": "fan_out",
    "searcher": "step_by_step",
    "suggester": "near_best",
    "task": "afterglow",
    "reader": "table",
    "criterion": "active",
    "metric": "fano_factor",
    "encoder": "burst",
    "readout": "centroid",
    "engine": "doubled",
    "model": "tiny",
    "chip": "small_cores",
    "cost_set": "our_board",
    "section": "fan_in",
    "dialect": "half_step",
    "command": "loudest",
    "codec": "rates",
}
SPEC = {"network": {"size": 60, "connectivity": {"mean_degree": 8.0}}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The page's files, known for as long as the tests of this module run."""
    where = tmp_path_factory.mktemp("ours")
    for block in pages.blocks((ROOT / "docs" / "adding.md").read_text(encoding="utf-8")):
        if block.file_name:
            block.write(where)
        elif "small_cores.toml" in block.text and block.language == "console":
            for command, _ in block.commands():
                assert pages.run_shell(command.text, where).returncode == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(registry.PARTS_VARIABLE, str(where / "parts"))
        registry.forget()
        yield where
    registry.forget()
    for name in [n for n in sys.modules if n.startswith("hrsnn_lava_parts.")]:
        del sys.modules[name]


def call(folder, *words: str, code: int = 0) -> Any:
    """A command as its own process, as a user has it; its JSON, or what it says of an error."""
    command = [sys.executable, "-m", "hrsnn_lava", *words, "--quiet", "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout) if code == 0 else done.stderr + done.stdout


def test_each_is_one_file_and_is_listed(folder):
    files = [path for path in (folder / "parts").rglob("*") if path.is_file()]
    assert len(files) == len(KINDS)
    for kind, name in KINDS.items():
        assert name in registry.names(kind)
        asked = registry.path if registry.KINDS[kind].data else registry.load
        with pytest.raises(SpecError) as caught:
            asked(kind, f"{name}s")
        (problem,) = caught.value.problems
        assert name in problem.allowed
        assert problem.fix == f"did you mean {name!r}?"


def test_pruning_by_neuron(folder):
    network = hl.build_hrsnn(hl.Spec.parse(SPEC), seed=1)
    step = registry.load("pruning", "per_neuron")(density=0.3, least=2)
    pruned = hl.compile(network, "loihi1", [step]).records[0]
    assert pruned.options["least"] == 2
    before = recurrent_edges(network)
    fan_in = np.bincount(before.post, minlength=60)
    kept = np.minimum(np.maximum(np.ceil(0.3 * fan_in), 2), fan_in)
    assert pruned.report["synapses_after"] == kept.sum()


def test_a_score_by_its_definition(folder):
    network = hl.build_hrsnn(hl.Spec.parse(SPEC), seed=1)
    w = recurrent_edges(network).matrix
    system = -3.0 * np.eye(60) + 0.2 * w.toarray()
    c = covariance(sparse.csr_matrix(system)).matrix
    scores = registry.load("score", "spread")().of(ScoredSystem(w, w, c))
    rows, cols = np.repeat(np.arange(60), np.diff(w.indptr)), w.indices
    sign = np.sign(w.data)
    truth = c[rows, rows] + c[cols, cols] - 2 * sign * c[rows, cols]
    np.testing.assert_allclose(scores, truth, rtol=1e-9)
    table = {"method": "lyapunov", "score": "spread"}
    spec = hl.Spec.parse(SPEC | {"prune": table})
    assert spec.prune.score == "spread"


def test_a_score_of_neurons_by_its_definition(folder):
    network = hl.build_hrsnn(hl.Spec.parse(SPEC), seed=1)
    table = {"drop_neurons": {"fraction": 0.5, "score": "fan_out", "connected": False}}
    step = hl.Spec.parse(SPEC | {"prune": table}).prune.drop_neurons
    report = hl.compile(network, "loihi1", [step]).records[0].report
    fan_out = np.bincount(recurrent_edges(network).pre, minlength=60)
    kept = np.isin(np.arange(60), report["kept"])
    assert report["most"] == [fan_out.max()]
    for population in network.compute_populations:
        first = network.offset(population.name)
        part = slice(first, first + population.size)
        assert fan_out[part][kept[part]].min() >= fan_out[part][~kept[part]].max()


def test_a_searcher_of_time_constants(folder):
    del folder
    lif = hl.LIF(tau_mem=np.full(4, 0.02), tau_syn=0.005, bias=0.1)
    network = hl.Network(1e-3, [hl.Population("a", 4, lif)], [])
    step = RescaleTime(evaluations=40, target=-1 / 1.5, search="step_by_step")
    moved, report = step.apply(network)
    np.testing.assert_allclose(moved.gather("tau_mem"), 0.03, rtol=0.03)
    assert report["objective_after"] > report["objective_before"]


def test_a_suggester_of_a_space(folder):
    del folder
    space = Space.parse({"network.connectivity.gain": [0.1, 0.9], "network.size": [50, 90]})
    suggester, told = registry.load("suggester", "near_best")(step=0.05), []
    for _ in range(60):
        (point,) = suggester.suggest(space, told, 1, generator(0, "search"))
        told.append(Told(point, {"score": -abs(point[0] - 0.8) - abs(point[1] - 0.1)}))
    assert told[0].point == (0.5, 0.5)
    assert max(trial.values["score"] for trial in told) > -0.1
    assert suggester.suggest(space, told, 2, generator(0, "search")) == suggester.suggest(
        space, told, 2, generator(0, "search")
    )


def test_a_model_below_the_keys_of_a_spec(folder):
    assert hl.Spec.parse({"network": {"model": "tiny"}}).network.size == 60
    own = hl.Spec.parse({"network": {"model": "tiny", "size": 30}})
    assert (own.network.size, own.network.connectivity.mean_degree) == (30, 8.0)


def test_a_reader_in_a_task(folder):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 90)
    values = labels[:, None] * np.ones((90, 3)) + rng.normal(0, 0.1, (90, 3))
    np.savetxt(folder / "rows.csv", np.column_stack([labels, values]), delimiter=",")
    table = {"kind": "npz", "reader": "table", "path": str(folder / "rows.csv")}
    sizes = {"train": 50, "validation": 20, "test": 20}
    task = hl.Spec.parse(SPEC | {"task": table | sizes}).task
    trial = task.trial(0)
    assert np.asarray(trial.labelled.samples).shape == (90, 3, 1)
    (folder / "bad.csv").write_text("1,x\n")
    with pytest.raises(ArtifactError, match=r"bad\.csv"):
        hl.Spec.parse(SPEC | {"task": table | {"path": str(folder / "bad.csv")}}).task.trial(0)


def test_a_metric_by_its_name(folder):
    counts = np.random.default_rng(0).poisson(4.0, (4000, 5))
    fano = hl.metric("fano_factor", least=2)
    assert fano(counts) == pytest.approx(1.0, abs=0.05)  # of Poisson counts
    assert fano(np.tile([[3], [5]], (1, 2))) == pytest.approx(2.0 / 4.0)
    assert fano(np.zeros((4, 2))) is None
    score = hl.metric("fano_factor").score(counts)
    assert (score.name, score.title, score.better) == ("fano_factor", "fano factor", "lower")
    assert registry.summary("metric", "fano_factor").startswith("``var(n) / mean(n)`` of spike")
    with pytest.raises(SpecError, match="Did you mean 'fano_factor'"):
        hl.metric("fano_facto")


def test_a_criterion_in_a_spec(folder):
    table = {"screen": {"criterion": {"kind": "active", "least": 0.5}}}
    criterion = hl.Spec.parse(SPEC | {"prune": table}).prune.screen.criterion
    traces = np.array([[0.0, 1.0, 0.0], [4.0, 1.0, 0.1]])
    ends = np.arange(2)
    run = DrivenRun(traces, traces, np.zeros((2, 1)), ends, 0 * ends, False)
    assert criterion.figures(run) == {"active": pytest.approx(1 / 3)}
    with pytest.raises(SpecError, match="Did you mean 'active'"):
        hl.Spec.parse(SPEC | {"prune": {"screen": {"criterion": "activ"}}})


def test_an_encoder_in_a_task(folder):
    table = {"kind": "digits", "encoder": {"kind": "burst", "longest": 3}}
    encoder = hl.Spec.parse(SPEC | {"task": table}).task.encoder
    spikes = encoder.encode(np.array([[0.0, 1.0], [0.4, 0.0]]), 4, np.random.default_rng(0))
    pairs = list(zip(spikes.steps.tolist(), spikes.neurons.tolist(), strict=True))
    assert pairs == [(0, 1), (1, 1), (2, 1), (4, 0)]


def test_an_engine_a_chip_a_cost_set_and_a_section_in_python(folder):
    network = hl.build_hrsnn(hl.Spec.parse(SPEC), seed=1)
    compiled = hl.compile(network, "small_cores")
    assert compiled.placement.n_cores == 4  # 60 neurons, 16 a core
    truth = hl.simulate(compiled, steps=30)
    run = hl.simulate(compiled, steps=30, backend="doubled")
    assert compare(truth, run, ("native", "doubled"), compiled.network) == (0, None)
    assert truth.n_spikes > 0
    facts = hl.report(compiled, truth, cost_set="our_board").to_dict()
    assert facts["energy"]["cost_set"] == "our_board"
    assert facts["mean_fan_in"] == pytest.approx(network.n_synapses / 60, rel=1e-12)


def test_a_codec(folder):
    codec = registry.load("codec", "rates")
    module = sys.modules["hrsnn_lava_parts.codec.rates"]
    module.Rates((1.5, 2.0)).save(folder / "rates.hlx")
    assert module.Rates.load(folder / "rates.hlx").hz == (1.5, 2.0)
    assert codec.to_artifact(module.Rates((1.0,))).stage == "rates"


def test_all_of_them_in_one_spec_and_by_commands(folder):
    report = call(folder, "run", "ours.toml", "--out", "ours")
    facts = json.loads((folder / "ours" / "report.json").read_text())
    assert facts["profile"] == "small_cores"
    assert facts["energy"]["cost_set"] == "our_board"
    assert facts["mean_fan_in"] == facts["network"]["synapses"] / 60
    assert facts["parity"]["backends"] == ["reference", "doubled"]
    assert facts["scores"][0]["name"] == "afterglow"
    assert facts["comparison"][1]["name"] == "per_neuron 50 %"
    assert "Fan-in" in (folder / "ours" / "report.html").read_text()
    assert report["command"] == "run"

    simulated = "simulate ours/compiled.hlx --input ours/input.npz --backend doubled -o trace.npz"
    assert call(folder, *simulated.split())["backend"] == "doubled"
    trace = hl.Trace.load(folder / "trace.npz")
    spikes = np.bincount(trace.spike_neurons, minlength=60)
    loudest = call(folder, "loudest", "trace.npz", "--count", "1")["loudest"]
    assert spikes[loudest[0]] == spikes.max()

    words = "prune ours/network.hlx --method lyapunov --density 0.4 -o pruned.hlx --score"
    call(folder, *words.split(), "spread")
    assert "'noise_distance', 'product', 'spread', 'weight'" in call(
        folder, *words.split(), "spred", code=2
    )
    other = "prune ours/network.hlx --method per_neuron --density 0.4 --least 3 -o pruned.hlx"
    call(folder, *other.split())
    assert "small_cores" in json.dumps(call(folder, "profiles"))


def test_a_readout_in_a_task(folder):
    table = {"kind": "digits", "readout": "centroid", "train": 300, "validation": 0, "test": 200}
    trial = hl.Spec.parse({"task": table | {"alphas": [1.0]}}).task.trial(seed=0)
    features = np.stack([trial.labelled.sample(k).ravel() for k in trial.split.together])
    fitted, _ = trial._fitted(trial.options.readout, features, 1)
    answers = fitted.answers(features[300:]).argmax(axis=1)
    assert (answers == trial.labels[300:]).mean() > 0.85
    assert set(fitted.arrays()) == {"weights", "offset"}


def test_a_dialect_by_its_rule(folder):
    cell = nir_files.lif(2, tau=np.full(2, 2e-3), r=np.ones(2), v_threshold=np.full(2, 0.3))
    nodes = nir_files.ends(2, 2) | {"cells_0": cell}
    graph = graph_of(nir_files.tree(nodes, nir_files.chain("input", "cells_0", "output")))
    found = imported(graph)
    assert found.choice.dialect.name == "half_step"
    assert found.network.dt == 5e-4
    sent = run_model(found.model, np.full((6, 2), 2.0)).sent["cells_0"][:, 0]
    # 0.5 a step: it fires in every step but those in which it is held
    assert sent.tolist() == [1, 0, 1, 0, 1, 0]
