"""What the commands do when all is well; numbers from closed forms and from the library."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava.aftercare_options import pruning_methods
from hrsnn_lava.cli.run import folder_name
from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.context import Context
from hrsnn_lava.compiler.passes.prune_balanced import PruneBalanced
from hrsnn_lava.resets import RESETS
from hrsnn_lava.training.driven import measure_driven
from hrsnn_lava.training.simulation import measure_rates, observe


def rows(text: str) -> dict[str, list[str]]:
    """First word of every line to the other words."""
    return {words[0]: words[1:] for line in text.splitlines() if (words := line.split())}


def test_simulate_counts_what_the_closed_form_says(run: Any, files: Any) -> None:
    for backend in ("reference", "native"):
        outcome = run("simulate", files.clock, "--backend", backend, "--steps", "70", "--json")
        found = outcome.json()
        # a spike every 7th step, each onto two synapses; three neurons, dt 1 ms
        assert (outcome.code, found["spikes"], found["sop"]["total"]) == (0, 10, 20)
        assert found["rate_hz"] == pytest.approx(1000 * 10 / 70 / 3)
        assert found["silent_neurons"] == 2
        assert found["notes"] == ["input: none, the network has no inputs"]
    text = run("simulate", files.clock, "--steps", "70").out
    assert rows(text)["spikes"] == ["10"]
    assert rows(text)["synaptic"] == ["operations", "20", "(20", "recurrent)"]


def test_simulate_writes_a_trace_that_can_be_read(run: Any, files: Any, tmp_path: Path) -> None:
    command = ("simulate", files.clock, "--steps", "21", "--probe", "v", "-o", "t.npz", "--json")
    found = run(*command).json()
    trace = hl.Trace.load(tmp_path / "t.npz")
    assert trace.spike_steps.tolist() == [6, 13, 20]
    assert trace.u is None
    assert trace.v is not None
    assert trace.v[:8, 0].tolist() == [100, 200, 300, 400, 500, 600, 0, 100]
    assert found["states"]["v"]["max"] == trace.v.max()
    shown = run("inspect", "t.npz", "--json").json()
    assert (shown["kind"], shown["spikes"], shown["states"]) == ("trace", 3, ["v"])


def test_random_input_is_seeded_and_said(run: Any, files: Any) -> None:
    def spikes(*options: str) -> Any:
        return run("simulate", files.quantized, "--steps", "300", "--json", *options).json()

    assert spikes("--seed", "1") == spikes("--seed", "1")
    assert spikes("--seed", "1")["spikes"] != spikes("--seed", "2")["spikes"]
    assert "input: random, 45 events, seed 1" in spikes("--seed", "1")["notes"]
    quiet = run("simulate", files.quantized, "--steps", "10", "--quiet")
    assert (quiet.code, quiet.err) == (0, "")


def test_input_file_sets_the_length(run: Any, files: Any, tmp_path: Path) -> None:
    hl.SpikeInput.held(np.ones((4, 3)), 10).save(tmp_path / "in.npz")
    found = run("simulate", files.quantized, "--input", "in.npz", "--json").json()
    assert (found["steps"], found["input_events"]) == (40, 12)
    longer = run("simulate", files.quantized, "--input", "in.npz", "--steps", "50", "--json").json()
    assert longer["notes"] == ["input: ends after 40 steps; nothing is sent after them"]
    shorter = run("simulate", files.quantized, "--input", "in.npz", "--steps", "9", "--json").json()
    assert shorter["notes"] == ["input: has 40 steps; those after 9 are not sent"]
    shown = run("inspect", "in.npz", "--json").json()
    assert (shown["kind"], shown["channels"], shown["payloads"]) == ("input", 3, True)


def test_verify_two_backends(run: Any, files: Any) -> None:
    command = ("verify", files.compiled, "--steps", "60", "--backends", "reference,native")
    assert "parity: reference = native, 60 steps, 0 mismatches" in run(*command).out
    found = run(*command, "--json").json()["parity"]
    assert (found["mismatches"], found["steps"], found["compared"]) == (0, 60, ["spikes", "v", "u"])


@pytest.mark.lava
def test_verify_takes_lava_along_by_default(run: Any, files: Any) -> None:
    outcome = run("verify", files.clock, "--steps", "15")
    assert outcome.code == 0
    assert "reference = native = lava (fixed_pt), 15 steps, 0 mismatches" in outcome.out


def test_compile_a_network(run: Any, files: Any, tmp_path: Path) -> None:
    found = run("compile", files.network, "--profile", "loihi1", "-o", "c.hlx", "--json").json()
    compiled = hl.CompiledNetwork.load(tmp_path / "c.hlx")
    assert found["cores"] == compiled.placement.n_cores
    assert found["synapses"] == compiled.network.n_synapses
    assert found["passes"][0]["name"] == "quantize"
    assert found["profile"]["digest"] == hl.HardwareProfile.load("loihi1").digest
    used = {c["rule"]: c for c in found["constraints"]}
    assert used["neurons"]["limit"] == 1024
    command = ("compile", files.network, "--profile", "loihi1", "-o", "c.hlx")
    text, whole = run(*command).out, run(*command, "--full").out
    assert rows(whole)["cores"][2] == "128"
    assert rows(whole)["partition"] == ["60", str(compiled.network.n_synapses)]
    assert len(text.splitlines()) <= 12 < len(whole.splitlines())
    assert text.splitlines()[0] == whole.splitlines()[0]
    assert f"passes: {', '.join(p['name'] for p in found['passes'])}; --full" in text
    for shown in (text, whole):
        assert shown.rstrip().endswith("written to c.hlx")


def test_compile_gives_equal_bytes(run: Any, files: Any, tmp_path: Path) -> None:
    digests = set()
    for name in ("a.hlx", "b.hlx"):
        command = ("compile", files.quantized, "--profile", "loihi1", "-o", name, "--json")
        digests.add(run(*command).json()["sha256"])
    assert len(digests) == 1
    assert (tmp_path / "a.hlx").read_bytes() == (tmp_path / "b.hlx").read_bytes()
    assert run("inspect", "a.hlx", "--json").json()["sha256"] in digests


def test_compile_a_spec_takes_its_profile_and_seed(run: Any, files: Any, tmp_path: Path) -> None:
    assert run("compile", files.spec, "-o", "c.hlx").code == 0
    first = hl.CompiledNetwork.load(tmp_path / "c.hlx")
    assert (first.profile.name, first.seed, first.network.name) == ("loihi1", 3, "small")
    command = ("compile", files.spec, "-o", "d.hlx", "--seed", "4", "--profile", "loihi2")
    assert run(*command).code == 0
    second = hl.CompiledNetwork.load(tmp_path / "d.hlx")
    assert (second.profile.name, second.seed) == ("loihi2", 4)
    assert first.network.n_synapses != second.network.n_synapses


def test_dt_and_weight_bits_act(run: Any, files: Any, tmp_path: Path) -> None:
    to = ("--profile", "loihi2", "-o", "c.hlx")
    assert run("compile", files.network, "--dt", "0.002", "--weight-bits", "5", *to).code == 0
    compiled = hl.CompiledNetwork.load(tmp_path / "c.hlx")
    network = hl.Network.load(files.network)
    assert compiled.network.dt == 0.002
    dv = np.rint(4096 * (1 - np.exp(-0.002 / network.gather("tau_mem"))))
    assert compiled.network.gather("dv").tolist() == dv.tolist()
    bits = {p.num_weight_bits for p in compiled.network.projections if p.target == "synapse"}
    assert bits == {5}


@pytest.mark.parametrize("method", pruning_methods())
def test_prune_keeps_the_asked_share(
    run: Any, files: Any, network: hl.Network, tmp_path: Path, method: str
) -> None:
    command = ("prune", files.network, "--method", method, "--density", "0.4", "-o", "p.hlx")
    command += ("--no-kept",)
    found = run(*command, "--json").json()
    pruned = hl.Network.load(tmp_path / "p.hlx")
    total, kept = (recurrent_edges(n).n_edges for n in (network, pruned))
    slack = 4 * np.sqrt(total) if method == "lyapunov" else 0.5  # drawn, or met exactly
    assert abs(kept - 0.4 * total) <= slack
    assert found["synapses"] == {"before": total, "after": kept}
    matrix = recurrent_edges(pruned).matrix.toarray()
    abscissa = np.linalg.eigvals(matrix).real.max()
    assert found["spectrum"]["after"]["abscissa"] == pytest.approx(abscissa, rel=1e-6)
    again = run(*command).out
    assert rows(again)["synapses"] == [f"{total:,}", f"{kept:,}"]
    if method in ("activity", "balanced"):
        assert "rates: measured over 2000 steps with random input" in found["notes"][0]


def test_prune_to_operations(run: Any, files: Any, tmp_path: Path) -> None:
    """A cover at one operation a spike, with rates of events of one's own."""
    layer = {"target": "synapse", "graded": False, "weight": 0.1}
    table = {"size": 60, "connectivity": {"mean_degree": 12.0}, "input": layer}
    network = hl.build_hrsnn(hl.Spec.parse({"network": table}), seed=1, n_inputs=5)
    network.save(tmp_path / "spiking.hlx")
    steps, sent = np.nonzero(np.random.default_rng(0).random((300, 5)) < 0.3)
    inputs = hl.SpikeInput(steps.astype(np.int32), sent.astype(np.int32), 300, 5)
    inputs.save(tmp_path / "events.npz")
    events = ("--input", "events.npz", "-o", "p.hlx", "--no-kept")
    command = ("prune", "spiking.hlx", "--method", "balanced", "--sops-per-spike", "1", *events)
    outcome = run(*command, "--json").json()
    report = outcome["passes"]["prune_balanced"]
    edges = recurrent_edges(hl.Network.load(tmp_path / "p.hlx"))
    rates = observe(network, inputs).neuron_rates
    assert rates is not None
    assert rates.any()
    assert report["sop_after"] == pytest.approx(rates[edges.pre].sum())
    assert 0.9 * rates.sum() <= report["sop_after"] <= 1.02 * rates.sum()
    assert report["without_input"] == 60 - np.unique(edges.post).size
    assert "rates: measured over the 300 steps of events.npz" in outcome["notes"][0]
    assert "SOPs per step, recurrent" in run(*command).out
    twice = run(*command, "--sops-per-spike", "2")
    assert "covers were no better than chance" in " ".join(twice.out.split())
    assert run(*command, "--density", "0.5").code == 2
    held = run("prune", files.network, *command[2:])
    assert (held.code, "the inputs of this network hold values" in held.err) == (2, True)


def test_prune_budgets_are_of_the_network_as_it_came(
    run: Any, files: Any, network: hl.Network, tmp_path: Path
) -> None:
    common = ("prune", files.network, "--method", "random", "--no-kept", "-o", "p.hlx")
    found = run(*common, "--density", "0.1", "--drop-neurons", "0.3", "--json").json()
    whole = recurrent_edges(network).n_edges
    assert found["synapses"]["after"] == round(0.1 * whole)
    dropped = run(*common, "--sop-ratio", "5", "--drop-neurons", "0.3", "--json").json()
    alone = run(*common, "--sop-ratio", "5", "--json").json()
    before = alone["passes"]["prune_random"]["sop_before"]
    report = dropped["passes"]["prune_random"]
    assert report["sop_before"] == pytest.approx(before)
    assert report["budget"]["allowed"] == pytest.approx(
        alone["passes"]["prune_random"]["budget"]["allowed"]
    )


def test_an_option_of_a_rescaling_keeps_the_rescaling(run: Any, files: Any) -> None:
    common = ("prune", files.network, "--method", "random", "--density", "0.2", "--no-kept")
    found = run(*common, "-o", "p.hlx", "--rescale-cap", "3", "--json").json()
    assert found["passes"]["prune_random"]["rescale"]["mode"] == "match"
    found = run(*common, "-o", "p.hlx", "--rescale", "inverse", "--rescale-gamma", "0.5", "--json")
    assert found.json()["passes"]["prune_random"]["rescale"]["mode"] == "inverse"
    for more, whose in (
        (("--rescale-ridge", "0.1"), "of refit, not of match"),
        (("--rescale-gamma", "0.5"), "of inverse, not of match"),
        (("--rescale-cap", "3", "--rescale", "none"), "of inverse and match, not of none"),
    ):
        refused = run(*common, "-o", "q.hlx", *more)
        assert refused.code == 2
        assert f"{more[0]}: {whose}" in refused.err


def test_prune_measures_how_neurons_vary_together(run: Any, files: Any, tmp_path: Path) -> None:
    command = ("prune", files.network, "--method", "balanced", "--density", "0.3", "-o", "p.hlx")
    scored = run(*command, "--weights", "noise_distance", "--json").json()
    assert "rates and covariance: measured over 10000 steps with random" in scored["notes"][0]
    report = scored["passes"]["prune_balanced"]
    network = hl.Network.load(files.network)
    seen = Context(observed=measure_driven(network, 0), seed=0)
    options = PruneBalanced(density=0.3, weights="noise_distance")
    expected = options.apply(network, seen)[1]
    assert report["sop_after"] == pytest.approx(expected["sop_after"])
    assert report["weights"] == "noise_distance"
    refitted = run(*command, "--rescale", "refit").out
    assert re.search(
        r"rescale: refit, gain .*, \d+\.\d% of the variance of the currents kept", refitted
    )
    wrong = run(*command, "--weights", "luck")
    assert (wrong.code, "noise_distance" in wrong.err) == (2, True)


def test_neurons_are_dropped_to_a_budget(run: Any, files: Any, tmp_path: Path) -> None:
    command = ("prune", files.network, "--method", "random", "--density", "1", "-o", "p.hlx")
    half = run(*command, "--drop-density", "0.5", "--json").json()
    report = half["passes"]["prune_neurons"]
    assert report["budget"]["allowed"] == round(0.5 * report["synapses_before"])
    assert report["synapses_after"] <= report["budget"]["allowed"]
    assert half["neurons"]["after"] == report["neurons_after"] < 60
    by_rates = run(*command, "--drop-sop-ratio", "4", "--json").json()
    assert "rates: measured over 2000 steps" in by_rates["notes"][0]
    report = by_rates["passes"]["prune_neurons"]
    assert report["sop_after"] <= report["sop_before"] / 4
    both = run(*command, "--drop-density", "0.5", "--drop-neurons", "0.2")
    assert (both.code, "fraction and density" in both.err) == (2, True)


def test_synapses_are_added_after_pruning(run: Any, files: Any, tmp_path: Path) -> None:
    command = ("prune", files.network, "--method", "balanced", "--density", "0.3", "-o", "p.hlx")
    more = ("--delocalize", "0.2", "--delocalize-objective", "min_degree_variance")
    outcome = run(*command, *more, "--json").json()
    report, pruned = (outcome["passes"][name] for name in ("delocalize", "prune_balanced"))
    assert report["objective"] == "min_degree_variance"
    assert report["synapses_before"] == pruned["synapses_after"]
    after = recurrent_edges(hl.Network.load(tmp_path / "p.hlx"))
    before = recurrent_edges(hl.Network.load(files.network))
    assert after.n_edges == report["synapses_after"] == report["synapses_before"] + report["added"]
    assert report["added"] == round(0.2 * report["synapses_before"])
    # those that were pruned did not come back
    there = np.isin(after.post * 60 + after.pre, before.post * 60 + before.pre)
    assert there.sum() == pruned["synapses_after"]
    rates = measure_rates(hl.Network.load(files.network), seed=0)
    assert report["sop_after"] == pytest.approx(rates[after.pre].sum())
    text = run(*command, *more).out
    ratio = report["after"]["laplacian_ipr"]["top"]
    assert f"{ratio:.4g}" in next(line for line in text.splitlines() if "Laplacian, top" in line)
    assert "synapses added" in text
    alone = run(*command, "--delocalize-within", "anywhere")
    assert (alone.code, "need --delocalize" in alone.err) == (2, True)


def test_pruning_on_a_device_that_is_not_there(run: Any, files: Any) -> None:
    try:
        import torch
    except ImportError:
        pass
    else:
        if torch.cuda.is_available():
            pytest.skip("there is a GPU")
    command = ("prune", files.network, "--density", "0.5", "-o", "p.hlx", "--method")
    dropping = (*command, "random", "--drop-neurons", "0.2", "--drop-device", "cuda")
    for words in ((*command, "lyapunov", "--device", "cuda"), dropping):
        outcome = run(*words)
        assert (outcome.code, "device: cuda" in outcome.err) == (6, True)
    other = run(*command, "random", "--device", "cuda")
    assert (other.code, "belongs to lyapunov" in other.err) == (2, True)


def test_prune_options(run: Any, files: Any, tmp_path: Path) -> None:
    command = ("prune", files.network, "--method", "lyapunov", "--density", "0.5", "-o", "p.hlx")
    command += ("--no-kept",)
    inverse = run(*command, "--rescale", "inverse", "--score", "weight", "--json").json()
    report = inverse["passes"]["prune_lyapunov"]
    assert (report["rescale"]["mode"], report["score"]) == ("inverse", "weight")
    default = run(*command, "--json").json()["passes"]["prune_lyapunov"]
    assert (default["rescale"]["mode"], default["exponents"]) == ("match", "isolated")
    fewer = run(*command, "--drop-neurons", "0.25", "--json").json()
    assert fewer["neurons"] == {"before": 60, "after": 45}
    assert hl.Network.load(tmp_path / "p.hlx").n_neurons == 45
    first = (tmp_path / "p.hlx").read_bytes()
    run(*command, "--drop-neurons", "0.25")
    assert (tmp_path / "p.hlx").read_bytes() == first
    run(*command, "--drop-neurons", "0.25", "--seed", "9")
    assert (tmp_path / "p.hlx").read_bytes() != first


def test_measured_rates_of_a_clock() -> None:
    # v rises towards the bias 2 and passes 1 in step k = ceil(tau ln 2) (in steps), then resets
    tau = np.array([0.010, 0.020])
    exc = hl.Population("exc", 2, hl.LIF(tau_mem=tau, bias=2.0))
    network = hl.Network(1e-3, (exc,))
    period = np.ceil(1000 * tau * np.log(2))
    assert measure_rates(network, seed=0) == pytest.approx(1 / period, abs=1 / 2000)


def test_measured_rates_hear_both_kinds_of_input() -> None:
    from scipy import sparse

    inputs = (
        hl.Population("held", 1, hl.Input(graded=True)),
        hl.Population("spiking", 1, hl.Input()),
    )
    exc = hl.Population("exc", 3, hl.LIF(tau_mem=0.010, bias=0.5))
    projections = (
        hl.Projection("a", "held", "exc", sparse.csr_matrix([[3.0], [0], [0]]), target="bias"),
        hl.Projection("b", "spiking", "exc", sparse.csr_matrix([[0], [9.0], [0]])),
    )
    rates = measure_rates(hl.Network(1e-3, (*inputs, exc), projections), seed=0)
    assert rates[0] > 0.01
    assert rates[1] > 0.01
    assert rates[2] == 0


def test_inspect_every_stage(run: Any, files: Any) -> None:
    for path, kind in ((files.network, "network"), (files.quantized, "quantized")):
        found = run("inspect", path, "--json").json()
        assert (found["kind"], found["checksums"], found["neurons"]) == (kind, "ok", 60)
        assert {p["name"] for p in found["populations"]} == {"inp", "exc", "inh"}
    found = run("inspect", files.compiled, "--json").json()
    assert found["profile"]["name"] == "loihi1"
    assert [p["name"] for p in found["passes"]][-1] == "place"
    assert found["arrays"]["population/exc/du"]["dtype"] == "<i4"
    assert rows(run("inspect", files.compiled).out)["exc_exc"][:3] == ["exc", "->", "exc"]
    units = run("inspect", files.network, "--json").json()["arrays"]
    assert units["population/exc/tau_mem"]["unit"] == "s"
    spec = run("inspect", files.spec, "--json").json()
    assert (spec["kind"], spec["neurons"], spec["seed"]) == ("spec", 60, 3)


def test_profiles(run: Any, tmp_path: Path) -> None:
    listed = run("profiles", "--json").json()
    assert {p["name"] for p in listed["profiles"]} >= {"loihi1", "loihi2"}
    assert "sanafe_loihi" in run("profiles").out
    shown = run("profiles", "loihi1").out
    # Davies et al. 2018: 128 cores of 1,024 neurons
    assert rows(shown)["chip.cores"][:3] == ["128", "core", "published"]
    assert rows(shown)["core.neurons"][:1] == ["1,024"]
    # Davies et al. 2018, table: 23.6 pJ for a synaptic operation
    prices = run("profiles", "davies2018").out
    assert "2.36e-11" in prices
    assert run("profiles", "loihi1", "--json").json()["content"]["chip"]["cores"]["value"] == 128
    source = Path(hl.hardware_profiles.__file__).parent / "loihi1.toml"
    (tmp_path / "mine.toml").write_bytes(source.read_bytes())
    assert run("profiles", "mine.toml").code == 0
    assert run("inspect", "mine.toml", "--json").json()["kind"] == "profile"
    (tmp_path / "mine.toml").write_bytes(source.read_bytes().replace(b"value = 128", b"value = 0"))
    broken = run("profiles", "mine.toml")
    assert (broken.code, "chip.cores" in broken.err) == (3, True)


def test_report(run: Any, files: Any, tmp_path: Path) -> None:
    assert run("simulate", files.compiled, "--steps", "50", "-o", "t.npz").code == 0
    found = run("report", files.compiled, "--trace", "t.npz", "--json").json()["report"]
    spikes = hl.Trace.load(tmp_path / "t.npz").n_spikes
    assert found["activity"]["spikes"] == spikes
    assert found["energy"]["cost_set"] == "sanafe_loihi"
    assert run("report", files.compiled, "-o", "r.json").out == "written to r.json\n"
    assert '"schema_version": 1' in (tmp_path / "r.json").read_text(encoding="utf-8")
    assert "loihi1" in run("report", files.compiled).out
    printed = run("report", files.compiled, "--format", "json").out
    assert printed == (tmp_path / "r.json").read_text(encoding="utf-8")


def test_report_without_prices_says_so(run: Any, files: Any) -> None:
    assert run("compile", files.quantized, "--profile", "loihi2", "-o", "c.hlx").code == 0
    assert run("simulate", "c.hlx", "--steps", "50", "-o", "t.npz").code == 0
    outcome = run("report", "c.hlx", "--trace", "t.npz", "--json")
    assert "no cost set describes loihi2" in outcome.json()["notes"][0]
    assert outcome.json()["report"]["energy"]["total_j"] is None


def test_report_as_html(run: Any, files: Any, tmp_path: Path) -> None:
    assert run("report", files.compiled, "-o", "r.html").code == 0
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert page.lower().startswith("<!doctype html>")


def test_run_writes_everything_and_resumes(run: Any, files: Any, tmp_path: Path) -> None:
    outcome = run("run", files.spec, "--out", "results", "--json")
    assert outcome.code == 0, outcome.err
    written = {path.name for path in (tmp_path / "results").iterdir()}
    wanted = {"network.hlx", "compiled.hlx", "report.json", "report.html", "journal.jsonl"}
    assert wanted <= written
    again = run("run", files.spec, "--out", "results", "--resume", "--json")
    first, second = (o.json()["report"] for o in (outcome, again))
    for report in (first, second):
        report.pop("transforms", None)  # they hold seconds
    assert first == second
    assert outcome.json()["out"] == "results"


def test_run_and_demo_hand_over_what_was_asked(
    run: Any, files: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []

    def fake(spec: Any, out: Path, *, resume: bool, progress: Any, **more: Any) -> Any:
        progress("at work", 0.5)
        calls.append(SimpleNamespace(spec=spec, out=out, resume=resume, made=more["made"]))
        whole = SimpleNamespace(to_dict=lambda: {"verdict": "fits"}, to_summary=lambda: "fits\n")
        stages = {"earlier_stages": ("arm/unpruned", "verify"), "new_stages": ("arm/LNP",)}
        return SimpleNamespace(report=whole, summary_text="all\n", **stages)

    monkeypatch.setattr("hrsnn_lava.experiment.run_spec", fake)
    extra = ("--set", "prune.density=0.25", "--set", 'prune.method="random"')
    chosen = ("--profile", "loihi2", "--cost-set", "davies2018", "--seed", "11")
    outcome = run("run", files.spec, *extra, *chosen, "--resume")
    folder = calls[0].out
    assert folder.parent == Path("out")
    assert folder.name.startswith("small-compile.profile=loihi2-prune.density=0.25-")
    more = "; report.html there and --full show all of it"
    assert (outcome.code, outcome.out) == (0, f"fits\n\nwritten to {folder}{more}\n")
    taken = "2 of 3 stages came from the earlier run (arm/unpruned, verify)"
    assert outcome.err == f"at work\nresume: {taken}\n"
    assert re.fullmatch(
        r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC by hrsnn-lava run .* --seed 11 --resume",
        calls[0].made,
    )
    spec = calls[0].spec
    assert (spec.prune.density, spec.prune.method, spec.seed) == (0.25, "random", 11)
    assert (spec.compile.profile, spec.report.cost_set) == ("loihi2", "davies2018")
    assert (calls[0].resume, calls[0].out.is_dir()) == (True, True)
    assert run("demo", "--seed", "5", "--full").out == "all\n\nwritten to hrsnn-demo\n"
    assert (calls[1].spec.name, calls[1].spec.seed, calls[1].out) == (
        "demo",
        5,
        Path("hrsnn-demo"),
    )
    assert run("demo", "--out", "deep/er", "--json").json()["report"] == {"verdict": "fits"}
    assert (tmp_path / "deep" / "er").is_dir()


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("lorenz63", "lorenz63"),
        ("../../etc", "etc"),
        ("a b/c", "a_b_c"),
        ("..", "run"),
        ("", "run"),
    ],
)
def test_folder_name_stays_inside(name: str, folder: str) -> None:
    assert folder_name(name) == folder


@pytest.fixture
def learner(tmp_path: Path) -> Path:
    """Two neurons, one of which fires in every 4th step, with synapses that learn."""
    neurons = hl.QuantizedPopulation("a", 2, du=4095, dv=0, vth=15, bias_mant=[256, 0])
    rule = hl.pair_stdp((1, 0), (1, 0), 5.0, 0.0, impulse=30)
    own = hl.QuantizedProjection("own", "a", "a", np.array([[0, 2], [2, 0]]), learning=rule)
    hl.QuantizedNetwork((neurons,), (own,)).verify().save(tmp_path / "learner.hlx")
    return tmp_path / "learner.hlx"


def test_simulate_streams_what_is_learned(run: Any, learner: Path) -> None:
    command = ("simulate", learner, "--steps", "8", "--stream", "-o", "t.npz", "--quiet")
    chosen = ("--probe", "weights", "--probe", "traces", "--probe-every", "4")
    assert run(*command, *chosen).code == 0
    with np.load("t.npz") as file:
        assert file["probe/trace_steps"].tolist() == [3, 7]
        assert file["probe/traces/own/y1"].tolist() == [[30, 0], [30, 0]]
        assert file["probe/weights/own"].shape == (2, 2)
        assert file["traces/own/y1"].tolist() == [30, 0]
    shown = run("inspect", "t.npz", "--json").json()
    assert shown["traces"] == ["own/x1", "own/y1"]
    assert shown["weights"] == ["own"]
    assert "traces/own/x1" in shown["probed"]
    assert rows(run("inspect", "t.npz").out)["traces"] == ["own/x1,", "own/y1"]


def test_every_trace_of_a_learning_network_has_its_spike_traces(run: Any, learner: Path) -> None:
    for backend in ("reference", "native"):
        run("simulate", learner, "--steps", "4", "--backend", backend, "-o", "t.npz")
        assert hl.Trace.load("t.npz").traces["own/y1"].tolist() == [30, 0]
    outcome = run("simulate", learner, "--steps", "4", "--probe", "traces", "-o", "t.npz")
    assert outcome.code == 2
    assert "--probe traces needs --stream" in outcome.err


def test_a_reset_for_all_neurons(run: Any, files: Any, tmp_path: Path) -> None:
    """v grows by 100 a step to above 640: spikes come every 6.4 steps, and not every 7th."""
    paths = {reset: tmp_path / f"{reset}.hlx" for reset in RESETS}
    for reset, path in paths.items():
        to = ("--profile", "loihi2", "--reset", reset, "-o", path)
        assert run("compile", files.clock, *to, "--quiet").code == 0
    steps = {
        reset: hl.simulate(hl.CompiledNetwork.load(path), steps=40).spike_steps.tolist()
        for reset, path in paths.items()
    }
    assert steps["zero"] == [6, 13, 20, 27, 34]
    assert steps["subtract"] == [6, 12, 19, 25, 32, 38]
    # the threshold is taken off a step later, so 700 - 640 + 100 comes after 700
    assert steps["subtract_next"] == [6, 12, 19, 25, 32, 38]
    # 640 is a spike, too, where they are counted: in step 31
    assert steps["subtract_all"] == [6, 12, 19, 25, 31, 38]
    done = run("simulate", paths["subtract_all"], "--steps", "40", "-o", "t.npz", "--quiet")
    assert done.code == 0
    shown = run("inspect", "t.npz", "--json").json()
    assert (shown["spikes"], shown["sent"], shown["most_in_a_step"]) == (6, 6, 1)
    rows = run("inspect", paths["subtract"]).out.splitlines()
    assert any(re.fullmatch(r"ticker\s+1\s+neurons\s+subtract\s*", row) for row in rows)
    assert not re.search(r"kind\s+reset", run("inspect", paths["zero"]).out)
    change = run("diff", paths["zero"], paths["subtract"]).out
    assert re.search(r"population ticker\.reset\s+zero\s+subtract", change)
