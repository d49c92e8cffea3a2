"""What moved between two reports: exact causes, nothing left out, nothing made up."""

from __future__ import annotations

import copy
import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava.deploy.compare.differences import (
    Change,
    ProjectionCounts,
    cause,
    projection_changes,
    split,
    walk,
)
from hrsnn_lava.deploy.compare.networks import compare_networks
from hrsnn_lava.deploy.compare.rendering import MAX_ROWS, render_markdown, render_text, sentence
from hrsnn_lava.deploy.compare.reports import compare_reports
from hrsnn_lava.errors import SpecError

SOURCES, TARGETS, STEPS = 6, 8, 40


def network(*, full=(0, 1, 2), bias=(100, 60, 40, 30, 20, 10), name="out"):
    """Neurons that fire at rates of their own, onto `full` rows of silent targets."""
    clock = hl.QuantizedPopulation("clock", SOURCES, du=4095, dv=0, vth=10, bias_mant=list(bias))
    quiet = hl.QuantizedPopulation("quiet", TARGETS, du=4095, dv=0, vth=100_000)
    weights = np.zeros((TARGETS, SOURCES), dtype=np.int32)
    weights[list(full)] = 2
    projection = hl.QuantizedProjection(name, "clock", "quiet", weights, sign_mode="excitatory")
    return hl.QuantizedNetwork((clock, quiet), (projection,))


def compiled(**options):
    return hl.compile(network(**options), "loihi1")


def report(steps=STEPS, cost_set="davies2018", **options):
    program = compiled(**options)
    trace = hl.simulate(program, steps=steps)
    return hl.report(program, trace, cost_set=cost_set).to_dict()


@pytest.fixture(scope="module")
def before():
    return report()


@pytest.fixture(scope="module")
def denser():
    return report(full=(0, 1, 2, 3, 4))


@pytest.fixture(scope="module")
def busier():
    return report(bias=(200, 120, 80, 60, 40, 20))


def only(found):
    (change,) = found.projections
    return change


# --- the causes of a change of operations


def test_a_change_is_split_as_the_formula_says():
    """10 events with 3 targets become 20 with 4: 10 * 3.5 from spikes, 1 * 15 from fan-out."""
    a, b = ProjectionCounts("sop", 30, 10, 9), ProjectionCounts("sop", 80, 20, 12)
    assert dataclasses.astuple(split(a, b, (5, 5))) == (0, 35, 15)
    assert dataclasses.astuple(split(a, b, (5, 10))) == (35, 0, 15)


def sides():
    pairs = st.tuples(st.integers(0, 10**9), st.integers(0, 10**4), st.integers(0, 10**6))
    return pairs.map(
        lambda t: ProjectionCounts("sop", t[0] * min(t[1], 50) // 7 if t[0] else 0, t[0], t[2])
    )


@given(sides(), sides(), st.integers(0, 10**6), st.integers(0, 10**6))
def test_causes_sum_up_to_the_change(a, b, t_a, t_b):
    found = split(a, b, (t_a, t_b))
    assert found.steps + found.spikes + found.fan_out == b.operations - a.operations
    assert all(isinstance(part, int) for part in dataclasses.astuple(found))
    if t_a == t_b:
        assert found.steps == 0
    if t_a == t_b and a.events == b.events:
        assert found.spikes == 0
    if a.operations * b.events == b.operations * a.events:
        assert found.fan_out == 0


@given(sides(), sides(), st.integers(0, 10**6), st.integers(0, 10**6))
def test_swapping_the_sides_swaps_the_signs(a, b, t_a, t_b):
    there, back = (dataclasses.astuple(split(*p)) for p in ((a, b, (t_a, t_b)), (b, a, (t_b, t_a))))
    assert all(abs(x + y) <= 1 for x, y in zip(there, back, strict=True))  # 1 by rounding


@given(sides())
def test_a_projection_that_comes_or_goes_is_fan_out(side):
    assert split(None, side, (1, 1)).fan_out == side.operations
    assert split(side, None, (1, 1)).fan_out == -side.operations


def test_more_synapses_are_fan_out(before, denser):
    found = only(compare_reports(before, denser))
    spikes = before["activity"]["spikes"]
    assert found.before.synapses, found.after.synapses == (18, 30)
    assert found.delta == 2 * spikes  # two further targets, each neuron onto all of them
    assert (found.causes.steps, found.causes.spikes, found.causes.fan_out) == (0, 0, found.delta)
    assert cause(found) == f"more fan-out +{found.delta:,}"


def test_more_spikes_are_spikes(before, busier):
    found = only(compare_reports(before, busier))
    more = busier["activity"]["spikes"] - before["activity"]["spikes"]
    assert more > 0
    assert (found.causes.spikes, found.causes.fan_out) == (3 * more, 0)


def test_a_longer_run_is_steps(before):
    """Twice the steps of a periodic network: twice the spikes, none of them by a higher rate."""
    short, long = report(steps=700), report(steps=1400)
    found = compare_reports(short, long)
    assert only(found).causes.fan_out == 0
    assert only(found).causes.steps == pytest.approx(only(found).delta, rel=0.01)
    assert "the runs have 700 and 1,400 steps" in found.notes


def test_added_and_removed_projections(before):
    found = compare_reports(before, report(name="other"))
    assert {p.name: p.status for p in found.projections} == {"out": "removed", "other": "added"}
    assert sum(p.delta for p in found.projections) == 0
    assert "out (removed)" in render_text(found)
    assert [p.name for p in found.grown()] == ["other"]


def test_the_largest_contribution_comes_first():
    def made(**operations):
        rows = {k: {"operations": v, "events": 1, "synapses": v} for k, v in operations.items()}
        return {"sop": {"per_projection": rows}, "activity": {"steps": 1}}

    found = projection_changes(made(a=10, b=10, c=10, d=5), made(a=11, b=1, c=15, d=5))
    assert [p.name for p in found] == ["b", "c", "a"]
    assert [p.delta for p in found] == [-9, 5, 1]


# --- everything else that a report holds


def test_nothing_moved(before):
    again = report()
    again["provenance"].update(python="3.99", numpy="9.9", version="9.9")
    for record in again["transforms"]:
        record["seconds"] = 1e9
    found = compare_reports(before, again)
    assert not found.moved
    assert found.to_dict()["moved"] is False
    assert render_text(found).endswith("nothing moved")
    assert "Nothing moved." in render_markdown(found)


def leaves(value, path=()):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for k, inner in enumerate(value):
            yield from leaves(inner, (*path, k))
    else:
        yield path


def test_no_figure_is_overlooked(before):
    """Whichever single value of a report is another one, something moved."""
    derived = {"schema_version", "summary", "violations"}
    fleeting = {"python", "numpy", "version", "program"}
    checked = 0
    for path in leaves(before):
        if path[0] in derived or path[-1] == "seconds":
            continue
        if path[0] == "provenance" and path[-1] in fleeting:
            continue
        if path[:2] == ("energy", "terms") and path[-1] not in (
            "name",
            "count",
            "coefficient_j",
            "energy_j",
        ):
            continue  # where a price is from; the price itself is compared
        if path[:2] == ("sop", "per_projection") and path[-1] in ("pre", "post", "issued", "dense"):
            continue
        if path[0] == "constraints" and path[-1] not in ("rule", "used", "limit"):
            continue
        other = copy.deepcopy(before)
        inner = other
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = "other" if not isinstance(inner[path[-1]], int) else 10**6
        assert compare_reports(before, other).moved, path
        checked += 1
    assert checked > 100


def test_energy_is_split_into_count_and_price(before, denser):
    dearer = copy.deepcopy(denser)
    term = next(t for t in dearer["energy"]["terms"] if t["name"].startswith("synaptic"))
    term["coefficient_j"] *= 2
    term["energy_j"] *= 2
    found = compare_reports(before, dearer).terms
    change = next(t for t in found if t.name.startswith("synaptic"))
    assert change.from_count + change.from_price == pytest.approx(change.energy_j.delta, rel=1e-12)
    n_a, n_b = change.count.before, change.count.after
    assert change.from_price == pytest.approx(23.6e-12 * (n_a + n_b) / 2, rel=1e-12)
    moved = [abs(t.energy_j.delta or 0) for t in found]
    assert moved == sorted(moved, reverse=True)


def test_a_price_that_is_missing_leaves_the_shares_open(before):
    unpriced = report(cost_set=False)
    found = compare_reports(before, unpriced)
    assert "other cost sets: davies2018 and none" in found.notes
    assert all(t.from_count is None for t in found.terms)
    assert render_text(found)


def test_cores_are_compared_where_they_correspond(before, denser):
    found = compare_reports(before, denser)
    assert found.sections["cores"][0].where == "core 0.sops"
    assert found.sections["cores"][0].delta == only(found).delta
    split_up = copy.deepcopy(denser)
    split_up["cores"] *= 2
    found = compare_reports(before, split_up)
    assert any("do not correspond" in note for note in found.notes)
    assert found.sections["cores"][0] == Change("cores.number", 1, 2)


def test_passes_and_their_options(before):
    other = copy.deepcopy(before)
    other["transforms"][0]["options"]["invented"] = 3
    other["transforms"].append({"name": "prune", "options": {}})
    found = compare_reports(before, other).sections["transforms"]
    name = before["transforms"][0]["name"]
    assert found == (
        Change("pass prune", None, "ran"),
        Change(f"pass {name}.options.invented", None, 3),
    )


def test_accuracy_and_verdict(before):
    other = {**before, "accuracy": {"vpt": 40}, "verdict": "FAIL"}
    found = compare_reports(before, other)
    assert found.sections["accuracy"] == (Change("accuracy.vpt", None, 40),)
    assert Change("verdict", "PASS", "FAIL") in found.headline


def test_long_lists_are_one_line():
    assert walk("x", list(range(40)), [*range(39), 7]) == [
        Change("x", "40 values", "40 values, 1 of them new")
    ]
    assert walk("x", [1, 2], [1, 3]) == [Change("x[1]", 2, 3)]


def test_a_report_without_a_run(before):
    bare = hl.report(compiled()).to_dict()
    found = compare_reports(bare, before)
    assert any("no run is reported before" in note for note in found.notes)
    assert json.dumps(found.to_dict(), allow_nan=False)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["operations", "name", "rule", "steps", "a"]), inner)
    ),
    max_leaves=8,
)
SECTIONS = ("sop", "energy", "cores", "constraints", "transforms", "activity", "network", "other")


@given(st.dictionaries(st.sampled_from(SECTIONS), plain), plain)
def test_sections_of_any_shape_are_told(data, projections):
    other = {**data, "sop": {"per_projection": {"p": projections}}}
    found = compare_reports(data, other)
    assert json.dumps(found.to_dict())
    assert render_text(found)
    assert render_markdown(found)
    assert not compare_reports(other, copy.deepcopy(other)).moved


# --- how it is told


def test_the_sentence_names_the_projection_that_moved_most(before, denser):
    found = compare_reports(before, denser)
    delta = only(found).delta
    expected = f"projection out added most: {delta:+,} operations (more fan-out {delta:+,})"
    assert sentence(found) == expected
    assert expected in render_text(found)
    back = compare_reports(denser, before)
    assert f"took away most: {-delta:+,} operations (less fan-out {-delta:+,})" in sentence(back)


def test_text_is_short_and_says_what_it_leaves_out(before):
    many = copy.deepcopy(before)
    many["other"] = {f"figure {k}": k for k in range(MAX_ROWS + 5)}
    text = render_text(compare_reports(before, many))
    assert "and 5 more; --json has all of them" in text
    assert "nothing moved" not in text


def renamed(value, old, new):
    """A report in which a name is another one, as a file of anybody's can have it."""
    if isinstance(value, dict):
        return {renamed(k, old, new): renamed(v, old, new) for k, v in value.items()}
    if isinstance(value, list):
        return [renamed(entry, old, new) for entry in value]
    return value.replace(old, new) if isinstance(value, str) else value


def test_names_stay_names(before):
    name = "<script>alert(1)</script>|`x`\n# @team\x1b[2J"
    other = renamed(report(name="some-name"), "some-name", name)
    text, page = (f(compare_reports(before, other)) for f in (render_text, render_markdown))
    assert "<script>" not in page
    assert "\x1b" not in text + page
    rows = [line for line in page.split("\n") if "script" in line and line.startswith("|")]
    (row,) = {line for line in rows if "added" in line}
    head = next(line for line in page.split("\n") if line.startswith("| projection"))
    assert row.count("|") == head.count("|")
    assert "@team" not in page


# --- structure of artifacts


def float_network(weights, tau_mem=0.02, name="net"):
    a = hl.Population("a", 3, hl.LIF(tau_mem=tau_mem))
    projections = (hl.Projection("a_a", "a", "a", sparse.csr_matrix(weights)),)
    return hl.Network(dt=1e-3, populations=(a,), projections=projections, name=name)


BASE = [[0, 0.1, 0], [0.2, 0, 0], [0, 0, 0.3]]


def test_synapses_are_matched_one_by_one():
    moved = [[0, 0.1, 0.5], [0.7, 0, 0], [0, 0, 0]]  # one new, one gone, one with another weight
    found = compare_networks(float_network(BASE), float_network(moved))
    (row,) = found.synapses
    assert (row.before, row.after, row.new, row.gone, row.reweighted) == (3, 3, 1, 1, 1)
    assert "a_a" in render_text(found)
    assert "structure alone" in render_markdown(found)


def test_parameters_of_neurons():
    found = compare_networks(float_network(BASE), float_network(BASE, tau_mem=0.03))
    assert found.sections["populations"] == (Change("population a.neuron.tau_mem", 0.02, 0.03),)
    some = compare_networks(float_network(BASE), float_network(BASE, tau_mem=[0.02, 0.02, 0.05]))
    (change,) = some.sections["populations"]
    assert change.after == "1 of them moved, by up to 0.03"


def test_delays_sizes_and_populations():
    base = network()
    (projection,) = base.projections
    late = dataclasses.replace(base, projections=(dataclasses.replace(projection, delays=3),))
    (row,) = compare_networks(base, late).synapses
    assert row.delayed == projection.n_synapses
    clock, quiet = base.populations
    more = hl.QuantizedPopulation("more", 1, du=0, dv=0, vth=1)
    grown = dataclasses.replace(base, populations=(clock, quiet, more))
    assert (
        Change("population more", None, "there")
        in compare_networks(base, grown).sections["populations"]
    )
    coarse = dataclasses.replace(
        base, projections=(dataclasses.replace(projection, num_weight_bits=4),)
    )
    (change,) = compare_networks(base, coarse).sections["projections"]
    assert change == Change("projection out.num_weight_bits", 8, 4)


def test_learning_is_compared_by_value():
    base = network()
    (projection,) = base.projections

    def learns(a_plus):
        learning = hl.pair_stdp((a_plus, 0), (2, 0), tau_plus=10, tau_minus=10)
        return dataclasses.replace(
            base, projections=(dataclasses.replace(projection, learning=learning),)
        )

    assert not compare_networks(learns(2), learns(2)).moved
    assert compare_networks(learns(2), learns(4)).sections["projections"]


def test_compiled_networks_tell_of_placement_and_passes(tmp_path):
    a, b = compiled(), hl.compile(network(), "loihi2")
    found = compare_networks(a, b)
    assert Change("profile", "loihi1", "loihi2") in found.sections["placement"]
    a.save(tmp_path / "a.hlx")
    assert not compare_networks(a, hl.CompiledNetwork.load(tmp_path / "a.hlx")).moved
    with pytest.raises(SpecError, match="compare two of one stage"):
        compare_networks(a, network())
