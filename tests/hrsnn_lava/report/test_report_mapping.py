"""The mapping part: figures per step, baselines, congestion, errors, drawings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from markupsafe import Markup

from hrsnn_lava.compiler.analysis.occupancy.congestion import LinkLoads
from hrsnn_lava.compiler.context import Context
from hrsnn_lava.compiler.mapped import Mapped, Placement
from hrsnn_lava.compiler.mesh import Mesh
from hrsnn_lava.compiler.passes.place import Place
from hrsnn_lava.hardware_profiles import CostSet, HardwareProfile
from hrsnn_lava.report.document import build_report
from hrsnn_lava.report.sections import mapping
from hrsnn_lava.report.sections.mapping import drawing, hops_plot


@pytest.fixture(scope="module")
def section(whole):
    return whole.to_dict()["mapping"]


def test_measured_figures_are_those_of_the_run(section, whole, trace):
    done = whole.to_dict()["activity"]
    assert section["rates"] == "measured"
    assert section["messages_per_step"] * trace.n_steps == pytest.approx(done["messages"])
    assert section["hops_per_step"] * trace.n_steps == pytest.approx(done["hops"])
    assert section["max_hops"] == done["max_hops"]
    by_hops = section["messages_by_hops_per_step"]
    assert sum(by_hops) == pytest.approx(section["messages_per_step"])
    assert np.arange(len(by_hops)) @ by_hops == pytest.approx(section["hops_per_step"])
    loads = section["congestion"]
    assert loads["mean_per_step"] * loads["links"] == pytest.approx(section["hops_per_step"])


def test_baselines_are_always_there(section):
    names = {"neuron_order_row", "neuron_order_hilbert"}
    names |= {f"same_cores_{k}" for k in ("row", "hilbert", "random")}
    assert set(section["baselines"]) == names
    assert section["search"]["start"]
    assert section["chips"] == 1


def test_without_a_run_the_placement_tells(bare, compiled):
    section = bare.to_dict()["mapping"]
    assert section["rates"] == "as placed"
    kept = compiled.placement.info["mapping"]
    assert section["messages_per_step"] == pytest.approx(kept["messages_per_step"], rel=1e-12)
    for key in ("p99_per_step", "mean_per_step"):
        assert section["congestion"][key] == pytest.approx(kept["congestion"][key], rel=1e-12)
    assert section["congestion"]["busiest"] == kept["congestion"]["busiest"]


def test_errors_are_those_that_the_passes_recorded(section, compiled):
    reports = {record.name: record.report for record in compiled.records}
    assert section["palette_error"]["tau_mem"] == reports["palette"]["tau_mem"]
    weights = section["quantization_error"]["weights_rms"]
    for name, error in weights.items():
        assert error == reports["quantize"]["projections"][name]["rms_error"]
    assert {"exc_exc", "exc_inh", "inh_exc"} <= set(weights)


def test_the_text_says_what_matters(whole):
    text = whole.to_text().split("\nMAPPING\n")[1].split("\nSYNAPTIC OPERATIONS\n")[0]
    assert text.startswith("placement ")
    for row in ("this placement", "neuron order, tiles in rows", "these cores, random tiles"):
        assert row in text
    assert "Rates: measured." in text
    assert "Quantization error, rms of the weights: inp_exc" in text
    assert "between chips" not in text.splitlines()[0]


def test_two_chips_have_a_column_of_their_own(compiled):
    raw = compiled.profile.to_dict()
    raw["chip"]["cores"]["value"] = 4
    profile = HardwareProfile.from_dict(raw).with_chips(2)
    mapped = Mapped(compiled.network, compiled.placement)
    placement = Place(effort=0.01)(mapped, Context(profile)).on_cores
    report = build_report(replace(compiled, profile=profile, placement=placement))
    section = report.to_dict()["mapping"]
    assert section["chips"] == 2
    head, rows = mapping.rows(section)
    assert head[3] == "between chips"
    assert rows[0][0] == "this placement"
    assert "2 chips side by side" in report.to_html()
    if section["search"]["cost"]:
        assert "each border between chips counted as 8 hops more" in " ".join(
            report.to_text().split()
        )


def test_partitions_stand_beside_ours():
    data = {"cores": 4, "partition": {"method": "multilevel", "messages_per_step": 60.0}}
    others = {
        "random": {"cores": 4, "fits": True, "messages_per_step": 80.0, "error_p95": 0.02},
        "streaming": {"cores": 5, "fits": False, "messages_per_step": 50.0},
        "metis": {"skipped": "not installed"},
    }
    data["partition"]["baselines"] = others
    head, rows = mapping.partition_rows(data)
    assert head[:3] == ["partition", "cores", "messages/step"]
    assert rows[0][:3] == ["this partition (multilevel)", "4", "60"]
    assert rows[1] == ["random", "4", "80", "–", "-25.0 %", "2.0 %", "yes"]
    assert rows[2][4:] == ["+20.0 %", "–", "no"]
    assert len(rows) == 3
    data |= {"messages_per_step": 60.0, "rates": "measured"}
    assert mapping.lines(data)[-1] == "Partitions not compared: metis (not installed)."
    assert mapping.partition_rows({"cores": 4}) == ([], [])


def test_sentences_by_hand():
    loads = {"links": 104, "links_used": 3, "max_per_step": 2.5, "mean_per_step": 0.5}
    loads |= {"p99_per_step": 2.0, "busiest": {"from": [1, 2], "to": [1, 3]}}
    data = {
        "messages_per_step": 10.0,
        "rates": "as placed",
        "congestion": loads,
        "messages_by_hops_per_step": [5.0, 2.5, *[0.0] * 7, 2.5],
        "search": {"start": "grow", "starts": {"grow": {"cost": 40.0}}, "cost": 30.0},
        "palette_error": {"tau_mem": {"mean": 0.01, "max": 0.05}, "tau_syn": {"max": 0.0}},
    }
    assert mapping.lines(data) == [
        "Rates: as placed.",
        "Links: 3 of 104 used; messages a step: 2.5 on the busiest, (1, 2) to (1, 3), 2 at the "
        "99th percentile, 0.5 in the mean.",
        "Messages by hops: 0: 50.0 %, 1: 25.0 %, 2: 0.0 %, 3: 0.0 %, 4: 0.0 %, 5: 0.0 %, "
        "6: 0.0 %, 7: 0.0 %, more: 25.0 %.",
        "Places: from the start 'grow' at 40 hops a step to 30.",
        "Palette error: tau mem 1.00 % in the mean, 5.00 % at most.",
    ]
    assert mapping.lines({"messages_per_step": None}) == []


def test_the_drawing_has_a_tile_for_every_tile_and_a_line_for_every_used_link():
    mesh = Mesh(2, 2, 2, np.full(8, 2))
    right = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 0.0]])
    loads = LinkLoads(right, np.zeros((3, 2)), np.zeros((4, 1)), np.full((4, 1), 0.5))
    plot = drawing(mesh, np.array([[0, 0], [0, 0], [2, 1]], np.int32), loads)
    assert isinstance(plot.body, Markup)
    assert plot.body.count('class="cell"') == 8
    assert plot.body.count('class="link"') == 2 + 4
    assert plot.body.count('class="rule"') == 1
    assert "tile (0, 0): cores 0, 1" in plot.body
    assert "(1, 0) to (2, 0): 2, back: 0 messages a step" in plot.body
    assert plot.note == "3 cores on 2 of 8 tiles; thickest link 2 messages a step"


def test_bars_of_hops():
    plot = hops_plot([3.0, 1.0])
    assert plot is not None
    assert plot.body.count('class="bin"') == 2
    assert "1 hops: 1 messages a step, 25.0 %" in plot.body
    assert hops_plot([4.0]) is None
    assert hops_plot([0.0, 0.0]) is None


def test_the_page_shows_the_mesh(whole):
    page = whole.to_html()
    assert "Cores and link loads on the mesh" in page or "Cores on the mesh" in page
    assert "neuron order, Hilbert curve" in page


def test_messages_between_chips_are_counted_apart_and_have_no_price(compiled, trace):
    """Their number by walking over every spike; the total of the energy is null."""
    raw = compiled.profile.to_dict()
    raw["chip"]["cores"]["value"] = 1
    raw["chip"]["mesh_width"]["value"] = raw["chip"]["mesh_height"]["value"] = 1
    profile = HardwareProfile.from_dict(raw).with_chips(2)
    half = compiled.network.n_neurons // 2
    cores = np.repeat([0, 1], [half, compiled.network.n_neurons - half])
    placement = Placement.of(cores, [[0, 0], [1, 0]])
    program = replace(compiled, profile=profile, placement=placement)
    crossings = 0
    reached = {i: set() for i in range(program.network.n_neurons)}
    for projection in program.network.projections:
        if program.network.population(projection.pre).is_input or projection.target == "bias":
            continue
        rows, columns = projection.effective_weights().nonzero()
        first, onto = (program.network.offset(x) for x in (projection.pre, projection.post))
        for post, pre in zip(rows + onto, columns + first, strict=True):
            reached[int(pre)].add(int(cores[post]))
    for neuron in trace.spike_neurons:
        crossings += sum(core != cores[neuron] for core in reached[int(neuron)])
    assert crossings > 0
    data = build_report(program, trace, CostSet.load("sanafe_loihi")).to_dict()
    assert data["activity"]["chip_crossings"] == crossings
    assert data["activity"]["hops"] == 0
    energy = data["energy"]
    assert energy["total_j"] is None
    assert [(row["name"], row["count"]) for row in energy["unpriced"]] == [
        ("chip crossing", crossings)
    ]
    terms = {term["key"]: term for term in energy["terms"]}
    assert terms["hops_x"]["energy_j"] == 0.0
    assert terms["chip_crossings"]["energy_j"] is None
