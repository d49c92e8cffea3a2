"""Lines for a prompt, cards and bars for a notebook."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from pages import Page
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava import notebook
from hrsnn_lava.chip_learning import pair_stdp
from hrsnn_lava.progress import silent

LARGE = 20_000
#: Public names of a value that need no line of their own: functions, protocols, errors, scalars.
PLAIN = {
    "Finding",
    "FindingWarning",
    "ThirdFactor",
    "Pass",
    "SignMode",
    "CapacityError",
    "HrsnnError",
    "from_lava",
    "FromLava",
    "StockGraph",
    "Metric",
}


@pytest.fixture(scope="module")
def objects():
    """Large objects of all public types, by name."""
    rng = np.random.default_rng(0)
    n = LARGE
    tau = rng.gamma(4, 5e-3, n) + 2e-3
    lif = hl.LIF(tau, tau, rng.normal(1, 0.1, n), rng.normal(0, 0.1, n))
    places = (np.arange(n), np.arange(n)[::-1])
    weights = sparse.csr_matrix((rng.random(n), places), (n, n))
    stdp = hl.STDP(0.01, 0.01, rng.gamma(4, 5e-3, weights.nnz), 0.02)
    populations = tuple(hl.Population(f"population_{k}", n, lif) for k in range(2))
    projections = tuple(
        hl.Projection(f"projection_{k}", "population_0", "population_1", weights, plasticity=p)
        for k, p in enumerate((stdp, None))
    )
    network = hl.Network(1e-3, populations, projections, "a name " * 30)
    neurons = hl.QuantizedPopulation("neurons", n, 100, np.arange(n) % 4000, 100, np.arange(n) % 99)
    integer = sparse.csr_matrix((np.ones(100, int), (np.arange(100), np.arange(100))), (n, n))
    rule = pair_stdp((1, 0), (1, 0), 10.0, 10.0)
    learning = hl.Learning((rule,), np.zeros(100, np.int32), np.arange(100))
    projection = hl.QuantizedProjection("out", "neurons", "neurons", integer, learning=learning)
    quantized = hl.QuantizedNetwork((neurons,), (projection,), "big").verify()
    small = hl.QuantizedNetwork(
        (hl.QuantizedPopulation("n", 9, 99, 99, 50, 200),), (), "s"
    ).verify()
    compiled = hl.compile(small, "loihi1")
    trace = hl.simulate(compiled, steps=3000)
    steps = np.arange(LARGE)
    report = hl.report(compiled, trace, parity=hl.verify(compiled, steps=3000))
    with hl.Session(compiled) as session:
        state = session.state()
    classifier = hl.ReservoirClassifier(network={"size": 20}, alphas=np.logspace(-4, 0, 50))
    program = replace(
        compiled,
        readout={"weights": np.zeros((18, 200)), "offset": np.zeros(200)},
        readout_meta={"classes": list(range(200)), "encoder": "held", "steps_per_frame": 3},
    )
    forecast = replace(
        compiled,
        readout={"weights": np.zeros((27, 0)), "offset": np.zeros(0)},
        readout_meta={"target": "increment", "series_mean": [], "series_scale": []},
    )
    return {
        "LIF": lif,
        "Input": hl.Input(),
        "Population": populations[0],
        "Projection": projections[0],
        "Network": network,
        "STDP": stdp,
        "QuantizedInput": hl.QuantizedInput("inp", 3),
        "QuantizedPopulation": neurons,
        "QuantizedProjection": projection,
        "QuantizedNetwork": quantized,
        "Learning": learning,
        "LearningRule": rule,
        "SpikeInput": hl.SpikeInput(steps, steps % 7, LARGE, 7),
        "Trace": trace,
        "CompiledNetwork": compiled,
        "Report": report,
        "Parity": hl.verify(compiled, steps=5),
        "Counts": hl.count(compiled, steps=50),
        "Spec": hl.Spec.load("examples/lorenz63.toml"),
        "HardwareProfile": hl.HardwareProfile.load("loihi1"),
        "CostSet": hl.CostSet.load("sanafe_loihi"),
        "Context": hl.Context(observed=hl.Observed(tau)),
        "Observed": hl.Observed(tau),
        "Pipeline": hl.Pipeline.default(compiled.profile),
        "Session": session,
        "State": state,
        "ReservoirClassifier": classifier,
        "ReservoirForecaster": hl.ReservoirForecaster(network=network, alphas=np.ones(9)),
        "CompiledClassifier": hl.CompiledClassifier(program),
        "CompiledForecaster": hl.CompiledForecaster(forecast),
        "CheckResult": hl.check(report.to_dict()),
        "Scores": hl.Scores((hl.Score("rmse", 0.1, "lower"),)),
        "Score": hl.Score("rmse", 0.1, "lower"),
        "Constant": hl.Constant(1.0),
        "Gamma": hl.Gamma(1.0, 2.0),
        "LogNormal": hl.LogNormal(1.0, 2.0),
        "Normal": hl.Normal(1.0, 2.0),
        "Uniform": hl.Uniform(1.0, 2.0),
        "Exponential": hl.Exponential(1.0),
        "Discrete": hl.Discrete((1.0, 2.0)),
        "Importance": hl.shapley({frozenset(): [0.0] * 99, frozenset("a"): [1.0] * 99}),
        "PairedDifference": hl.paired_difference(rng.random(999), rng.random(999)),
        "PairedComparisons": hl.compare_arms({"a": rng.random(99), "b": rng.random(99)}, "b"),
        "STDPOptions": hl.STDPOptions(),
        "SurrogateOptions": hl.SurrogateOptions(),
        "Facts": report.facts,
        "Evidence": report.facts.evidence,
        "PassRecord": compiled.records[0] if compiled.records else None,
        "Placement": compiled.placement,
    }


def test_no_line_is_long_however_large_the_object(objects):
    for name, value in objects.items():
        text = repr(value)
        assert len(text) <= 200, (name, len(text))
        assert "\n" not in text, name
        assert value is None or text.startswith(f"{name}("), (name, text)


def test_every_public_type_is_among_them(objects):
    types = {n for n in hl.__all__ if isinstance(getattr(hl, n), type)}
    assert types - PLAIN - set(objects) - {"Recording"} == set()


def test_lines_say_what_matters(objects):
    assert repr(objects["SpikeInput"]) == (
        "SpikeInput(steps=20,000, neurons=7, events=20,000, payloads=None)"
    )
    trace = objects["Trace"]
    assert f"steps=3,000, neurons=9, spikes={trace.n_spikes:,}" in repr(trace)
    assert "neurons=40,000" in repr(objects["Network"])
    assert "name='big', neurons=20,000" in repr(objects["QuantizedNetwork"])
    assert "<20,000 x 20,000, 100 stored>" in repr(objects["QuantizedProjection"])
    assert "chip='loihi1', neurons=9" in repr(objects["CompiledNetwork"])


def test_what_users_hold_has_a_card(objects):
    for name in ("Network", "QuantizedNetwork", "CompiledNetwork", "Trace", "SpikeInput", "Report"):
        found = Page(objects[name]._repr_html_())
        assert set(found.tags) <= {"div", "b", "bdi", "span"}, name
        assert len(objects[name]._repr_html_()) < 6000
    for name in ("Parity", "Counts", "Spec", "HardwareProfile", "CostSet", "Population"):
        assert Page(objects[name]._repr_html_()).text, name


def test_a_card_escapes_names():
    network = hl.Network(1e-3, (hl.Population("<b>", 1, hl.LIF(0.01)),), (), "<script>")
    assert "<script>" not in network._repr_html_()
    assert "&lt;script&gt;" in network._repr_html_()


def test_a_broken_object_has_a_line_too():
    broken = object.__new__(hl.Network)
    assert "neurons=-, inputs=-" in repr(broken)


class Cell:
    """The output of a cell, as IPython gives it."""

    def __init__(self):
        self.shown = []

    def display(self, data, *, raw, display_id):
        assert raw
        assert display_id is True
        self.shown.append(data)
        return self

    def update(self, data, *, raw):
        assert raw
        self.shown.append(data)


@pytest.fixture
def cell(monkeypatch):
    """A notebook that runs this."""
    cell = Cell()
    ipython, display = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())
    display.display = cell.display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return cell


def test_a_notebook_is_known_by_its_kernel(monkeypatch, cell):
    assert notebook.in_notebook()
    terminal = ModuleType("IPython")
    terminal.get_ipython = lambda: SimpleNamespace()
    monkeypatch.setitem(sys.modules, "IPython", terminal)
    assert not notebook.in_notebook()
    monkeypatch.delitem(sys.modules, "IPython")
    assert not notebook.in_notebook()


def test_long_work_shows_a_bar_in_a_notebook(cell):
    compiled = hl.compile(
        hl.QuantizedNetwork((hl.QuantizedPopulation("n", 4, 99, 99, 50, 200),), (), "s").verify(),
        "loihi1",
    )
    hl.compare(compiled, ["loihi1", "loihi2"], steps=10)
    bars = [data["text/html"] for data in cell.shown if data["text/html"]]
    assert "compare: loihi1" in bars[0]
    assert 'value="0.5000"' in bars[1]
    assert 'value="1.0000"' in bars[-1]
    before = len(cell.shown)
    told = []
    hl.compare(compiled, ["loihi1"], steps=10, progress=lambda *words: told.append(words))
    assert len(cell.shown) == before
    assert told[-1] == ("compare: done", 1.0)


def test_a_bar_is_not_drawn_more_often_than_one_can_see(cell):
    with notebook.shown() as show:
        for k in range(1000):
            show("working <hard>", k / 1000)
        show("working <hard>", 1.0)
    assert 2 <= len(cell.shown) < 60
    assert "&lt;hard&gt;" in cell.shown[-1]["text/html"]


def test_elsewhere_nothing_is_shown():
    with notebook.shown() as show:
        assert show is silent


def test_ipython_is_not_imported():
    code = "import sys, hrsnn_lava.notebook as n; n.in_notebook(); print('IPython' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("verb", ["simulate", "verify"])
def test_bars_move(verb, monkeypatch):
    """Four stretches of a run are told of, each with the share that is done."""
    from hrsnn_lava.sim_backends.runs import session

    monkeypatch.setattr(session, "STRETCH_VALUES", 10)
    neurons = hl.QuantizedPopulation("n", 1, 99, 99, 50, 200)
    network = hl.QuantizedNetwork((neurons,), (), "s").verify()
    told = []
    getattr(hl, verb)(network, steps=40, progress=lambda *words: told.append(words[-1]))
    if verb == "simulate":
        assert told == [0.0, 0.25, 0.5, 0.75]
    else:
        assert told == sorted(told)
        assert {0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875} == set(told)
