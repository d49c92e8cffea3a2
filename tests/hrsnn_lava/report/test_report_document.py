"""``report.json``: its keys, its determinism, its verdict."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import replace

import numpy as np
import pytest

from hrsnn_lava.compiler.analysis.operations.neurobench import NEURON_BITS
from hrsnn_lava.compiler.mapped import Placement
from hrsnn_lava.errors import ArtifactError, SpecError
from hrsnn_lava.hardware_profiles import CostSet, HardwareProfile
from hrsnn_lava.report.document import build_report
from hrsnn_lava.report.facts import Facts
from hrsnn_lava.trace import Trace

KEYS = {
    "schema_version",
    "project",
    "profile",
    "verdict",
    "constraints",
    "cores",
    "transforms",
    "heterogeneity",
    "mapping",
    "sop",
    "activity",
    "energy",
    "accuracy",
    "float_vs_integer",
    "parity",
    "neurobench",
    "provenance",
}


def leaves(value):
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def without_seconds(value):
    if isinstance(value, dict):
        return {k: without_seconds(v) for k, v in value.items() if k != "seconds"}
    return [without_seconds(v) for v in value] if isinstance(value, list) else value


def test_every_key_of_the_schema_is_there(whole, bare, unpriced):
    for report in (whole, bare, unpriced):
        data = report.to_dict()
        assert set(data) >= KEYS
        assert data["schema_version"] == 1
        row = data["constraints"][0]
        assert set(row) >= {"rule", "worst_core", "used", "limit", "fraction"}
        assert set(data["sop"]) >= {"total", "per_step", "dense", "issued", "per_projection"}
        assert set(data["energy"]) >= {"cost_set", "terms", "dynamic_j", "total_j", "unpriced"}
        assert set(data["energy"]) >= {"static_j", "wall_time_s", "evidence"}
        assert set(data["mapping"]) >= {"cores", "messages_per_step", "mean_hops", "max_hops"}
        assert set(data["activity"]) >= {"spikes", "neuron_updates", "messages", "hops"}


def test_json_reads_back_and_is_finite(whole, hostile):
    for report in (whole, hostile):
        assert json.loads(report.to_json()) == report.to_dict()
        numbers = [v for v in leaves(report.to_dict()) if isinstance(v, float)]
        assert all(math.isfinite(v) for v in numbers)


def test_equal_input_gives_equal_json(compiled, trace, small_network):
    def once():
        return build_report(compiled, trace, network_before=small_network).to_dict()

    assert once() == once()
    again = replace(
        compiled, records=tuple(replace(r, seconds=r.seconds + 1.0) for r in compiled.records)
    )
    other = build_report(again, trace, network_before=small_network).to_dict()
    assert without_seconds(other) == without_seconds(once())


def test_no_path_and_no_time_of_day(whole):
    texts = [v for v in leaves(whole.to_dict()) if isinstance(v, str)]
    assert not [text for text in texts if text.startswith(("/", "~"))]


def test_to_dict_is_a_copy(whole):
    whole.to_dict()["sop"]["total"] = -1
    assert whole.to_dict()["sop"]["total"] > 0


def test_digest_is_that_of_the_saved_program(whole, compiled, tmp_path):
    path = tmp_path / "compiled.hlx"
    compiled.save(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert whole.to_dict()["provenance"]["compiled_digest"] == digest
    assert whole.to_dict()["provenance"]["spec_digest"] == "abc"


def test_sums_over_cores_and_projections_agree(whole, trace):
    data = whole.to_dict()
    assert sum(core["sops"] for core in data["cores"]) == data["sop"]["total"]
    assert sum(core["spikes"] for core in data["cores"]) == trace.n_spikes
    parts = data["sop"]["per_projection"].values()
    assert sum(p["operations"] for p in parts if p["kind"] == "sop") == data["sop"]["total"]
    assert data["sop"]["per_step"] == pytest.approx(data["sop"]["total"] / trace.n_steps)
    assert data["mapping"]["messages_per_step"] * trace.n_steps == pytest.approx(
        data["activity"]["messages"]
    )


def test_ratio_to_the_reference(whole, compiled, trace):
    sop = whole.to_dict()["sop"]
    assert sop["ratio"] == pytest.approx(10**6 / sop["total"])
    assert build_report(compiled, trace).to_dict()["sop"]["ratio"] is None
    plain = build_report(compiled, trace, sop_reference=2 * sop["total"]).to_dict()["sop"]
    assert plain["ratio"] == pytest.approx(2.0)


def test_the_reference_run_is_counted_the_same_way(compiled, trace):
    own = build_report(compiled, trace).to_dict()["sop"]
    same = build_report(compiled, trace, network_before=compiled.network, trace_before=trace)
    sop = same.to_dict()["sop"]
    assert sop["reference"] == {"total": own["total"], "recurrent": own["recurrent"]}
    assert sop["ratio"] == sop["ratio_recurrent"] == 1.0
    with pytest.raises(SpecError, match="needs the integer network"):
        build_report(compiled, trace, trace_before=trace)
    longer = replace(trace, n_steps=61, active_updates=None, membrane_updates=None)
    with pytest.raises(SpecError, match="61 steps; allowed: 60"):
        build_report(compiled, trace, network_before=compiled.network, trace_before=longer)


def test_the_float_network_gives_the_distributions(compiled, trace, small_network):
    data = build_report(
        compiled, trace, network_before=compiled.network, network_float=small_network
    ).to_dict()
    before = data["heterogeneity"]["quantities"]["tau_mem"]["before"]
    tau = small_network.gather("tau_mem")
    assert before["mean"] == pytest.approx(tau.mean())


def test_neurobench_by_hand(whole, compiled, trace):
    block = whole.to_dict()["neurobench"]
    network = compiled.network
    synapses = {p.name: p for p in network.projections if p.target == "synapse"}
    pairs = 40 * 40 + 10 * 40 + 40 * 10
    kept = sum(p.n_synapses for p in synapses.values())
    assert block["ConnectionSparsity"] == round(1 - kept / pairs, 4)
    assert block["ActivationSparsity"] == pytest.approx(1 - trace.n_spikes / (50 * 60))
    bits = 50 * NEURON_BITS
    for name, index_bits in (("exc_exc", 6), ("exc_inh", 4), ("inh_exc", 6)):
        bits += synapses[name].n_synapses * (8 + index_bits)
    assert block["footprint_on_chip_bytes"] == -(-bits // 8)
    assert block["Footprint"] == 4 * (pairs + 8 * 50)
    operations = block["SynapticOperations"]
    assert operations["Effective_ACs"] == whole.to_dict()["sop"]["total"] / 6
    assert operations["Dense"] == pairs * 60 / 6
    assert operations["Effective_MACs"] == 0


def test_a_network_that_fits_passes_and_names_its_tightest_limit(whole, compiled):
    data = whole.to_dict()
    assert data["verdict"] == "PASS"
    assert data["violations"] == []
    assert data["summary"].startswith("fits loihi1 on 5 of 128 cores")
    assert "tightest" not in data["summary"]  # nothing of a core is half full
    content = compiled.profile.to_dict()
    content["core"]["neurons"]["value"] = 12
    tight = replace(compiled, profile=HardwareProfile.from_dict(content))
    data = build_report(tight).to_dict()
    assert data["summary"].startswith(
        "fits loihi1 on 5 of 128 cores; tightest: neurons on core 0, 10 of 12"
    )
    assert [row["rule"] for row in data["constraints"] if row["binding"]] == ["neurons"]


def test_a_broken_rule_fails_the_report_and_keeps_the_fix(hostile):
    data = hostile.to_dict()
    assert data["verdict"] == "FAIL"
    assert "does not fit loihi1" in data["summary"]
    assert {v["rule"] for v in data["violations"]} == {"in_axons"}
    assert all(v["fix"] for v in data["violations"])


def test_a_parity_mismatch_fails_the_report(compiled, trace):
    parity = {"backends": ["reference", "native"], "steps": 60, "mismatches": 2}
    parity["network_digest"] = compiled.network_digest
    data = build_report(compiled, trace, parity=parity).to_dict()
    assert data["verdict"] == "FAIL"
    assert "2 mismatches" in data["summary"]


def test_without_prices_the_total_is_null_and_all_counts_are_named(unpriced):
    energy = unpriced.to_dict()["energy"]
    assert energy["total_j"] is None
    assert energy["cost_set"] is None
    named = {item["name"] for item in energy["unpriced"]}
    assert {"synaptic operations", "spikes", "neuron updates", "static power"} <= named


def test_a_proxy_is_marked_on_every_line(proxied):
    energy = proxied.to_dict()["energy"]
    assert energy["proxy"]
    assert energy["static"]["proxy"]
    assert all(term["proxy"] for term in energy["terms"])


def test_what_no_profile_publishes_is_not_counted_as_nothing(proxied, whole):
    rows = {row["rule"]: row for row in proxied.to_dict()["constraints"]}
    assert rows["synapse_memory"]["used"] is None
    rows = {row["rule"]: row for row in whole.to_dict()["constraints"]}
    assert rows["synapse_memory"]["used"] > 0


def test_a_placement_without_tiles_has_no_traffic(compiled):
    bare_placement = Placement.of(compiled.core_of)
    report = build_report(replace(compiled, placement=bare_placement))
    assert report.to_dict()["mapping"]["messages_per_step"] is None
    assert "no traffic was counted" in report.to_text()
    assert "No traffic was counted" in report.to_html()


def test_host_work_and_the_readout_are_excluded_by_name(compiled, trace):
    with_readout = replace(compiled, readout={"weights": np.ones((50, 3)), "mean": np.ones(3)})
    data = build_report(with_readout, trace, samples=6).to_dict()
    counts = {item["name"]: item["count"] for item in data["energy"]["excluded"]}
    assert counts["readout multiplications"] == 50 * 3 * 6
    held = data["sop"]["per_projection"]["inp_exc"]
    assert held["kind"] == "host_mac"
    assert counts["host multiplications"] == held["operations"] > 0


def test_unknown_inputs_leave_the_total_null(small_network, compiled, trace):
    lost = Trace(trace.spike_steps, trace.spike_neurons, trace.n_steps, trace.n_neurons)
    data = build_report(compiled, lost, cost_set=CostSet.load("sanafe_loihi")).to_dict()
    assert not data["sop"]["inputs_known"]
    assert data["energy"]["total_j"] is None


def test_a_run_of_no_steps_is_no_error(compiled):
    empty = Trace(np.zeros(0, np.int32), np.zeros(0, np.int32), 0, 50)
    report = build_report(compiled, empty)
    assert report.to_dict()["sop"]["total"] == 0
    assert report.to_text()
    assert report.to_html()


def test_chips_that_draw_power(compiled):
    assert Facts(compiled).chips == 1
    one_core = compiled.profile.chip.cores.model_copy(update={"value": 2})
    chip = compiled.profile.chip.model_copy(update={"cores": one_core})
    profile = compiled.profile.model_copy(update={"chip": chip})
    assert Facts(replace(compiled, profile=profile)).chips == 3


def test_write_chooses_by_suffix(whole, tmp_path):
    for suffix, start in ((".json", "{"), (".html", "<!doctype html>"), (".txt", "PASS")):
        path = tmp_path / f"report{suffix}"
        whole.write(path)
        assert path.read_text(encoding="utf-8").lstrip().startswith(start)
    with pytest.raises(SpecError, match=r"suffix '\.pdf'; allowed: \.json, \.html, \.txt"):
        whole.write(tmp_path / "report.pdf")
    with pytest.raises(ArtifactError, match="cannot be written"):
        whole.write(tmp_path / "nowhere" / "report.json")
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "report.html",
        "report.json",
        "report.txt",
    ]


def test_the_public_verb_works_more_than_once(compiled, trace):
    import hrsnn_lava as hl

    for _ in range(2):
        report = hl.report(compiled, trace, cost_set="davies2018")
        assert report.to_dict()["energy"]["cost_set"] == "davies2018"
