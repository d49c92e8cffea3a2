"""What a user is told of a run: held inputs that are cut off, potentials at their end, counts."""

from __future__ import annotations

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava.report.agreement import agreement_findings


def held(value):
    """Five neurons whose only drive is a held value; the trace and the float network."""
    populations = (
        hl.Population("h", 1, hl.Input(graded=True)),
        hl.Population("a", 5, hl.LIF(0.02, 0.0)),
    )
    weights = hl.Projection("p", "h", "a", np.ones((5, 1)), target="bias")
    network = hl.Network(1e-3, populations, (weights,))
    integer = hl.quantize(network)
    inputs = hl.SpikeInput.held(np.full((1, 1), int(value * 1024)), 500)
    return network, integer, inputs


@pytest.mark.parametrize(("value", "factor"), [(3.0, None), (-3.0, None), (6.0, 1.5), (-20.0, 5.0)])
def test_held_inputs_beyond_the_biases_are_told(value, factor):
    """At an input_range of 4 a value of 6 asks for 1.5 times the largest bias."""
    _, integer, inputs = held(value)
    trace = hl.simulate(integer, inputs)
    told = [f for f in trace.findings if f.kind == "held_input_clipped"]
    if factor is None:
        assert told == []
        return
    (finding,) = told
    assert finding.severity == "warning"
    largest = float(finding.measured.split("up to ")[1].split(" times")[0])
    assert largest == pytest.approx(factor, rel=0.01)
    assert "of 5 of 5 neurons" in finding.measured
    assert "--input-range" in finding.fix


def test_the_fix_for_held_inputs_works():
    network, integer, inputs = held(6.0)
    exact = hl.compare_float(network, integer, inputs)["spikes"]
    assert exact["integer"] < 0.7 * exact["float"]
    wider = hl.quantize(network, input_range=8.0)
    spikes = hl.compare_float(network, wider, inputs)["spikes"]
    assert spikes["integer"] == spikes["float"]
    assert hl.simulate(wider, inputs).findings == ()


def test_how_far_below_0_the_potential_reaches_is_told():
    populations = (hl.Population("x", 4, hl.Input()), hl.Population("a", 3, hl.LIF(2.0, 0.02)))
    projection = hl.Projection("p", "x", "a", np.full((3, 4), -3.0))
    integer = hl.quantize(hl.Network(1e-3, populations, (projection,)))
    trace = hl.simulate(integer, hl.SpikeInput.from_dense(np.ones((300, 4), bool)))
    (finding,) = (f for f in trace.findings if f.kind == "potential_saturated")
    threshold = integer.population("a").parameter("vth")[0]
    assert finding.meaning.startswith(f"it ends {2**17 / threshold:.3g} thresholds below 0")


@pytest.mark.parametrize(
    ("error", "chance", "told"),
    [(0.5, 0.05, True), (0.5, 0.4, False), (0.04, 0.001, False), (0.11, 0.05, True)],
)
def test_counts_of_neurons_that_cancel_out_are_told(error, chance, told):
    """Totals agree; what single neurons do is judged against what chance does to counts."""
    section = {
        "spikes": {"float": 2110, "integer": 2135},
        "populations": {"a": {"float": 2110, "integer": 2135}},
        "count_error": error,
        "count_error_by_chance": chance,
    }
    found = [f.measured for f in agreement_findings(section)]
    expected = f"the counts of single neurons are {100 * error:.3g} % off, summed up"
    assert found == ([expected] if told else [])


def test_what_chance_does_to_counts():
    """Of two Poisson counts of mean 100, |difference| is 11.28 on average."""
    network, integer, inputs = held(3.0)
    section = hl.compare_float(network, integer, inputs)
    spikes = section["spikes"]["float"] / 5
    expected = 2 * np.sqrt(spikes / np.pi) / spikes
    assert section["count_error_by_chance"] == pytest.approx(expected, rel=0.01)
    draws = np.random.default_rng(0).poisson(spikes, (2, 100_000))
    assert np.abs(draws[0] - draws[1]).mean() / spikes == pytest.approx(expected, rel=0.02)
