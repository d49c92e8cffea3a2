"""The quantization part of a report: what is in it, with and without a run or a comparison."""

from __future__ import annotations

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava.report.document import build_report
from hrsnn_lava.report.sections.quantization import integers, options_line, sentence, tables
from hrsnn_lava.sim_backends.runs.session import simulate
from hrsnn_lava.trace import SpikeInput
from hrsnn_lava.training.difference import compare_float_fixed


@pytest.fixture(scope="module")
def whole(compiled, small_network):
    """With a run that recorded states, and a comparison with the float network."""
    samples = np.arange(12).reshape(6, 2) * 0.1
    payloads = np.rint(samples * 1024).astype(int)
    events = SpikeInput.held(payloads, 10)
    trace = simulate(compiled, events, 60, "reference", ("u", "v"))
    found = compare_float_fixed(small_network, compiled, samples, steps_per_sample=10)
    return build_report(
        compiled, trace, float_vs_integer=found, accuracy={"rmse_ratio_integer": 1.25}
    )


def test_populations_have_scale_errors_and_headroom(whole, compiled):
    data = whole.to_dict()["quantization"]
    record = next(r for r in compiled.records if r.name == "quantize")
    entry = data["populations"]["exc"]
    assert entry["scale"] == record.report["populations"]["exc"]["scale"]
    assert entry["headroom"] == "any input"
    assert 0 < entry["run"]["u_peak"] <= entry["u_worst_case"] < 1
    assert entry["run"]["wraps"] == 0
    assert data["options"]["scaling"] == "max"
    held = data["projections"]["inp_exc"]
    assert (held["sign_mode"], held["weight_bits"]) == (None, None)
    assert data["projections"]["exc_exc"]["clipped"] == 0


def test_the_cost_is_what_the_comparison_measured(whole):
    data = whole.to_dict()
    cost, found = data["quantization"]["cost"], data["float_vs_integer"]
    assert cost["van_rossum"] == found["spike_distance"]["van_rossum"]
    assert cost["count_error"] == found["count_error"]
    assert cost["task_error_ratio"] == 1.25
    line = sentence(data["quantization"])
    assert line.startswith("cost: spikes ")
    assert "van Rossum" in line
    assert "error of the task 1.25 times the float one's" in line


def test_text_and_page_show_the_same_tables(whole):
    text, page = whole.to_text(), whole.to_html()
    part = text[text.index("QUANTIZATION") : text.index("MAPPING")]
    cells = [c for _, rows in tables(whole.to_dict()["quantization"]) for row in rows for c in row]
    assert len(cells) > 30
    for cell in cells:
        assert cell in part
        assert cell in page
    assert "no input can" in part
    assert '<section id="quantization">' in page
    assert max(map(len, part.splitlines())) <= 100


def test_without_a_run_there_is_the_worst_case_alone(compiled):
    data = integers(compiled)
    assert data["populations"]["inh"]["run"] is None
    assert data["cost"] == {}
    assert sentence(data) == ""
    assert len(tables(data)) == 2


def test_a_network_of_integers_has_no_pass_but_headroom():
    network = hl.QuantizedNetwork((hl.QuantizedPopulation("a", 2, du=0, dv=1, vth=1),))
    data = integers(hl.compile(network, "loihi1"))
    assert data["options"] == {}
    assert options_line(data) == ""
    assert data["populations"]["a"]["scale"] is None
    assert data["populations"]["a"]["u_worst_case"] == 0.0
    assert tables(data)[0][1][0][:3] == ["a", "–", "–"]


def test_headroom_is_that_of_the_program_not_of_the_pass(small_network):
    built = hl.compile(small_network, "loihi2_lava")
    doubled = [
        hl.QuantizedProjection(
            p.name, p.pre, p.post, p.weights, p.weight_exp + 1, p.sign_mode, p.num_weight_bits
        )
        for p in built.network.projections
        if p.target == "synapse"
    ]
    network = built.network
    for projection in doubled:
        network = network.with_projection(projection)
    changed = hl.CompiledNetwork(network, built.profile, built.placement, built.records)
    before, after = (integers(c)["populations"]["inh"] for c in (built, changed))
    assert after["u_worst_case"] == pytest.approx(2 * before["u_worst_case"])
