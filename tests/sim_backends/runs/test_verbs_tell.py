"""Every verb that runs something tells what one has to know of the run, in the same words."""

import json
import warnings

import numpy as np
import pytest
from click.testing import CliRunner

import hrsnn_lava as hl
from hrsnn_lava.cli.main import cli
from hrsnn_lava.findings import FindingWarning

STEPS = 120


def network(weight=255, exponent=7):
    """64 channels that send in every step: with these weights the current wraps at once."""
    populations = (hl.QuantizedInput("i", 64), hl.QuantizedPopulation("a", 3, 200, 200, 1000))
    weights = np.full((3, 64), weight)
    synapses = hl.QuantizedProjection(
        "p", "i", "a", weights, exponent, hl.SignMode.EXCITATORY if weight else "mixed"
    )
    return hl.QuantizedNetwork(populations, (synapses,), "storm")


def spikes(steps=STEPS):
    return hl.SpikeInput(*np.nonzero(np.ones((steps, 64))), steps, 64)


def floats():
    populations = (hl.Population("i", 64, hl.Input()), hl.Population("a", 3, hl.LIF(0.02, 0.02)))
    projections = (hl.Projection("p", "i", "a", np.full((3, 64), 0.4)),)
    return hl.Network(1e-3, populations, projections, "storm")


def told(run):
    """What a call returns, and the texts of its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", FindingWarning)
        result = run()
    return result, [str(w.message) for w in caught if issubclass(w.category, FindingWarning)]


@pytest.fixture(scope="module")
def said():
    """The trace of `simulate`, and its words."""
    trace, texts = told(lambda: hl.simulate(network(), spikes()))
    assert trace.wraps.sum() > 100
    assert any("the current wrapped" in text for text in texts)
    return trace, texts


VERBS = {
    "simulate_batch": lambda n, x, _: next(iter(hl.simulate_batch(n, [x]))).findings,
    "session": lambda n, x, _: hl.Session(n).run(x).findings,
    "count": lambda n, x, _: hl.count(n, x).findings,
    "record": lambda n, x, path: hl.record(n, x, None, path / "t.npz"),
    "verify": lambda n, x, _: hl.verify(n, x).findings,
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_run_that_wraps(verb, said, tmp_path):
    trace, texts = said
    findings, heard = told(lambda: VERBS[verb](network(), spikes(), tmp_path))
    assert heard == texts
    if verb != "record":  # it returns a state
        assert findings == trace.findings


@pytest.mark.parametrize("verb", VERBS)
def test_a_run_of_which_there_is_nothing_to_tell(verb, tmp_path):
    calm = network(64, 0)
    assert told(lambda: hl.simulate(calm, spikes()))[1] == []
    assert told(lambda: VERBS[verb](calm, spikes(), tmp_path))[1] == []


@pytest.mark.parametrize("verb", VERBS)
def test_a_silent_network(verb, tmp_path):
    mute = network(0, 0)
    texts = told(lambda: hl.simulate(mute, spikes()))[1]
    assert ["no neuron sent a spike in 120 steps" in text for text in texts] == [True]
    assert told(lambda: VERBS[verb](mute, spikes(), tmp_path))[1] == texts


def test_batches_tell_of_every_trial():
    silent = hl.SpikeInput.empty(STEPS, 64)
    traces, texts = told(lambda: list(hl.simulate_batch(network(), [silent, spikes()])))
    kinds = [{finding.kind for finding in trace.findings} for trace in traces]
    assert "current_wrapped" not in kinds[0]
    assert "current_wrapped" in kinds[1]
    assert len(texts) == len([f for f in traces[1].findings if f.severity != "note"])


def test_a_session_in_pieces_warns_once():
    session = hl.Session(network())
    heard = [told(lambda: session.run(spikes(10)))[1] for _ in range(5)]
    wraps = [["the current wrapped" in text for text in texts].count(True) for texts in heard]
    assert wraps == [1, 0, 0, 0, 0]
    assert len({text for texts in heard for text in texts}) == sum(map(len, heard)) <= 2
    late = [told(lambda: session.run(spikes(200)))[0].findings for _ in range(2)]
    assert all("current_wrapped" in {f.kind for f in findings} for findings in late)


def test_pieces_without_a_spike_are_no_silent_network():
    session = hl.Session(network(0, 0))
    assert [told(lambda: session.run(spikes(1)))[1] for _ in range(3)] == [[], [], []]


def test_a_recording_that_goes_on(said, tmp_path, monkeypatch):
    """The part that was recorded before it was killed is told of, too."""
    path, calls = tmp_path / "t.npz", []

    def stop(text, fraction):
        calls.append(text)
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("hrsnn_lava.sim_backends.runs.session.STRETCH_VALUES", 67 * 30)
    with pytest.raises(KeyboardInterrupt):
        hl.record(network(), spikes(), None, path, progress=stop, checkpoint_s=0)
    _, texts = told(lambda: hl.record(network(), spikes(), None, path, resume=True))
    assert texts == said[1]


def test_the_comparison_with_floats():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FindingWarning)
        integers = hl.quantize(floats(), headroom="none")
    compared, texts = told(lambda: hl.compare_float(floats(), integers, spikes()))
    assert compared["spikes"]["float"] > 2 * compared["spikes"]["integer"]
    kinds = {finding["kind"] for finding in compared["findings"]}
    assert {"current_wrapped", "float_mismatch"} <= kinds
    assert any("the current wrapped" in text for text in texts)
    assert any("the float network" in text for text in texts)


def test_the_comparison_of_chips():
    rows, texts = told(lambda: hl.compare(network(), ["loihi1"], spikes()))
    assert any("the current wrapped" in text for text in texts)
    assert "loihi1: population 'a': the current wrapped" in rows.to_text().replace("\n", " ")


def test_the_command_verify(tmp_path):
    hl.compile(network(), "loihi1").save(tmp_path / "c.hlx")
    spikes().save(tmp_path / "x.npz")
    options = ["verify", "c.hlx", "--input", "x.npz", "--backends", "reference,native"]
    options = [str(tmp_path / name) if "." in name else name for name in options]
    shown = CliRunner().invoke(cli, options)
    assert shown.exit_code == 0
    assert "0 mismatches" in shown.output
    assert "error: population 'a': the current wrapped" in shown.output
    data = json.loads(CliRunner().invoke(cli, [*options, "--json", "--quiet"]).stdout)
    assert "current_wrapped" in {f["kind"] for f in data["parity"]["findings"]}
