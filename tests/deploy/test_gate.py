"""The gate: budgets and a baseline, one verdict; what cannot be compared is not."""

from __future__ import annotations

import json

import pytest
from gate_reports import changed, denser, report
from hypothesis import given
from hypothesis import strategies as st

import hrsnn_lava as hl
from hrsnn_lava.budgets.quantities import QUANTITIES
from hrsnn_lava.deploy.gate.baseline import target, tolerances_of
from hrsnn_lava.deploy.gate.limits import Limits, parse_budgets, parse_tolerances, read_limits
from hrsnn_lava.errors import ArtifactError, GateError, SpecError

RUN = [name for name, q in QUANTITIES.items() if q.per_run]


def test_a_report_within_its_budgets_passes():
    result = hl.check(report(), {"max_sops": 20, "max_cores": 3})
    assert (result.verdict, result.exit_code, result.breaches) == ("PASS", 0, ())
    assert result.checked == 3
    result.require()


def test_every_breach_is_named_with_measured_limit_and_by_how_much():
    result = hl.check(report(), {"max_sops": 16, "max_cores": 3, "min_accuracy": 0.95})
    assert (result.verdict, result.exit_code) == ("FAIL", 5)
    assert result.breaches == (
        "max_sops: 20 SOP; allowed: <= 16 SOP; 4 SOP, 25 % above the limit",
        "min_accuracy: 0.9; allowed: >= 0.95; 0.05, 5.263 % below the limit",
    )
    with pytest.raises(GateError, match="2 of 4 checks failed") as caught:
        result.require()
    assert caught.value.exit_code == 5


def test_a_report_that_fails_by_itself_fails():
    data = changed(report(), verdict="FAIL", summary="does not fit loihi1")
    result = hl.check(data, {"max_sops": 20})
    assert result.breaches == ("report: its own verdict is FAIL: does not fit loihi1",)


def test_a_report_may_be_a_path_an_object_or_data(tmp_path):
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report()), encoding="utf-8")

    class Holder:
        def to_dict(self):
            return report()

    found = {hl.check(source, {"max_sops": 5}).breaches for source in (path, Holder(), report())}
    assert len(found) == 1


def test_the_same_report_has_not_changed():
    result = hl.check(report(), baseline=report())
    assert [row.key for row in result.changes] == ["sops", "cores", "energy_uj"]
    assert {(row.ok, row.compared, row.better, row.change_percent) for row in result.changes} == {
        (True, True, False, 0.0)
    }
    assert result.growth == ()


def test_one_operation_more_is_too_many_and_the_projection_is_named():
    result = hl.check(denser(report(), 1), baseline=report())
    assert result.breaches == (
        "sops: 20 SOP -> 21 SOP (+5 %); allowed: at most 0 % higher; "
        "1 SOP higher than the baseline",
    )
    assert result.culprits() == ("grew: out: 20 -> 21 SOP (+5 %), 2 -> 3 synapses",)


def test_fewer_operations_are_better():
    result = hl.check(report(), baseline=denser(report(), 5))
    assert result.verdict == "PASS"
    assert [row.better for row in result.changes] == [True, False, False]
    assert result.growth == ()


@pytest.mark.parametrize(("percent", "passes"), [(4.9, False), (5, True), (5.1, True)])
def test_the_tolerance_is_exact(percent, passes):
    """21 of 20 is 5 % more, whatever binary fractions make of it."""
    result = hl.check(denser(report(), 1), baseline=report(), tolerances={"sops": percent})
    assert (result.verdict == "PASS") is passes


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.integers(0, 2000))
def test_integers_are_compared_without_rounding(base, value, tenths):
    old, new = (changed(report(), sop__total=n) for n in (base, value))
    row = hl.check(new, baseline=old, tolerances={"sops": tenths / 10}).changes[0]
    assert row.ok is (1000 * (value - base) <= tenths * base)
    assert row.better is (value < base)


@given(st.floats(0, 200), st.floats(0, 200), st.floats(0.1, 1e3), st.floats(0, 1e3))
def test_more_tolerance_never_turns_a_pass_into_a_failure(one, other, base, value):
    low, high = sorted((one, other))
    old, new = (changed(report(), accuracy={"rmse": x, "accuracy": x}) for x in (base, value))
    for key in ("rmse", "accuracy"):
        narrow, wide = (hl.check(new, {}, old, {key: t}).changes[0] for t in (low, high))
        assert wide.ok or not narrow.ok


def test_the_direction_is_known_by_the_key():
    old, new = (changed(report(), accuracy={"accuracy": x, "rmse": x}) for x in (0.9, 0.8))
    rows = hl.check(new, baseline=old, tolerances={"accuracy": 5, "rmse": 0}).changes
    assert [(row.worse, row.ok, row.better) for row in rows] == [
        ("lower", False, False),
        ("higher", True, True),
    ]
    given = {"min:accuracy.rmse": 0, "max:accuracy.rmse": 0, "accuracy.rmse": 0, "sop.ratio": 0}
    rows = hl.check(new, baseline=old, tolerances=given).changes
    assert [row.worse for row in rows] == ["lower", "higher", "higher", "lower"]


@pytest.mark.parametrize("key", ["sops", "max_sops", "sop", "sop.total", "/sop/total"])
def test_one_number_has_several_names(key):
    assert hl.check(denser(report()), baseline=report(), tolerances={key: 0}).exit_code == 5


def test_of_0_no_percentage_is_taken():
    old, new = (changed(report(), activity__hops=n) for n in (0, 1))
    row = hl.check(new, baseline=old, tolerances={"hops": 1e6}).changes[0]
    assert not row.ok
    assert row.change_percent is None
    assert "the baseline is 0" in row.reason
    assert hl.check(old, baseline=old, tolerances={"hops": 0}).verdict == "PASS"


def test_a_number_that_is_gone_fails():
    data = changed(report(), energy__total_j=None)
    result = hl.check(data, baseline=report())
    assert [row.ok for row in result.changes] == [True, True, False]
    assert "energy.total_j is null" in result.breaches[0]


def test_a_number_that_was_never_there_is_left_out_unless_asked_for():
    data = report("loihi2", None)
    result = hl.check(data, baseline=data)
    row = result.changes[2]
    assert (row.ok, row.compared) == (True, False)
    assert row.reason.startswith("not compared; in both: energy.total_j is null")
    asked = hl.check(data, baseline=data, tolerances={"energy": 10})
    assert asked.exit_code == 5
    assert "in both: energy.total_j is null" in asked.breaches[0]


def test_runs_of_other_lengths_are_compared_per_step():
    data, base = report(steps=140), report()
    result = hl.check(data, baseline=base)
    assert [row.key for row in result.changes] == ["sops_per_step", "cores", "energy_uj_per_step"]
    assert all(row.compared for row in result.changes)
    assert [row.ok for row in result.changes[:2]] == [True, True]
    assert any("runs differ in length: 70 -> 140 steps" in note for note in result.notes)


@pytest.mark.parametrize("name", RUN)
def test_numbers_of_runs_of_other_lengths_are_not_compared(name):
    data, base = report(steps=140), report()
    row = hl.check(data, baseline=base, tolerances={name: 1e6}).changes[0]
    assert not row.ok
    assert not row.compared
    assert "runs differ in length (70 and 140 steps): compare" in row.reason


def test_growth_of_runs_of_other_lengths_is_per_step():
    data = denser(report(steps=140), 100)
    result = hl.check(data, baseline=report())
    assert result.culprits()[0].startswith("grew: out: 0.285714 -> 1 SOP a step (+250 %)")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"energy__cost_set": "davies2018"}, "the cost set differs (davies2018 and sanafe_loihi)"),
        ({"energy__scope": "all_in"}, "the scope differs (all_in and per_term)"),
        ({"energy__step_time_s": 2e-3}, "the step time s differs"),
    ],
)
def test_energies_of_other_prices_are_not_compared(values, reason):
    result = hl.check(report(), baseline=changed(report(), **values), tolerances={"energy": 1e6})
    assert reason in result.breaches[0]
    assert hl.check(report(), {}, changed(report(), **values), {"sops": 0}).verdict == "PASS"


def test_a_proxy_is_not_compared_with_the_chip_itself():
    data, base = report("loihi2", "sanafe_loihi"), report()
    result = hl.check(data, baseline=base, tolerances={"energy": 1e6, "cores": 1e6, "sops": 0})
    assert [row.ok for row in result.changes] == [False, False, True]
    assert "one is a proxy" in result.breaches[0]
    assert "profiles differ (loihi1 and loihi2)" in result.breaches[1]


def test_a_proxy_can_be_refused_in_a_comparison():
    data = report("loihi2", "sanafe_loihi")
    assert hl.check(data, baseline=data).verdict == "PASS"
    result = hl.check(data, baseline=data, proxy_ok=False)
    assert [row.ok for row in result.changes] == [True, True, False]


def test_what_differs_besides_the_numbers_is_said():
    base = changed(
        report(),
        project="other",
        verdict="FAIL",
        provenance__seed=9,
        provenance__input_digest="x",
        provenance__version="0.0.1",
        provenance__profile_digest="y",
    )
    data = changed(report(), provenance__input_digest="z")
    notes = "\n".join(hl.check(data, baseline=base).notes)
    for text in (
        "another project: other",
        "seeds differ: 9 ->",
        "inputs differ",
        "versions differ: 0.0.1",
        "profile loihi1 has changed",
        "own verdict is FAIL",
    ):
        assert text in notes
    assert hl.check(report(), baseline=report()).notes == ()


def test_another_input_has_another_digest():
    network = hl.QuantizedNetwork(
        (hl.QuantizedInput("in", 2), hl.QuantizedPopulation("a", 1, du=0, dv=1, vth=1))
    )
    compiled = hl.compile(network, "loihi1")
    digests = set()
    for neurons in ([0, 1], [1, 1], None):
        events = None if neurons is None else hl.SpikeInput([0, 1], neurons, 5, 2)
        made = hl.report(compiled, hl.simulate(compiled, events, 5))
        digests.add(made.data["provenance"]["input_digest"])
    assert len(digests) == 3


def test_projections_come_and_go():
    data = report()
    base = changed(data, sop__per_projection={"gone": data["sop"]["per_projection"]["out"]})
    assert [row.line() for row in hl.check(data, baseline=base).growth] == [
        "out: 0 -> 20 SOP, 0 -> 2 synapses"
    ]


def test_the_projections_that_cost_most_are_named_without_a_baseline():
    data = report()
    data["sop"]["per_projection"]["held"] = {"kind": "host_mac", "operations": 900}
    result = hl.check(data, {"max_sops": 1})
    assert result.culprits() == ("out: 100 % of the SOPs",)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sopss": 0}, "sopss: unknown key. Did you mean max_sops"),
        ({"sops": -1}, "sops: -1; allowed: a percentage >= 0"),
        ({"sops": float("nan")}, "sops: nan"),
        ({"sops": True}, "sops: True"),
        ({"a..b": 1}, "an empty key"),
    ],
)
def test_wrong_tolerances_are_refused(given, message):
    with pytest.raises(SpecError) as caught:
        tolerances_of(given)
    assert message in str(caught.value)


def test_tolerances_need_a_baseline():
    with pytest.raises(SpecError, match="need a baseline"):
        hl.check(report(), tolerances={"sops": 0})


@pytest.mark.parametrize("version", [0, 2, "1", None, True])
def test_another_version_of_reports_is_refused(version):
    old = changed(report(), schema_version=version)
    for pair in ((report(), old), (old, report())):
        with pytest.raises(ArtifactError, match="schema_version") as caught:
            hl.check(pair[0], baseline=pair[1])
        assert caught.value.exit_code == 3


@given(st.text())
def test_any_key_of_a_tolerance_is_known_or_a_usage_error(text):
    try:
        found = target(text)
    except SpecError:
        return
    assert found.worse in ("higher", "lower", "worse")


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
SECTIONS = st.sampled_from(
    ["sop", "activity", "energy", "timing", "parity", "neurobench", "provenance", "constraints"]
)


@given(SECTIONS, TREES, TREES)
def test_a_mangled_report_is_refused_or_judged(section, one, other):
    """Whatever a file holds: an answer, or an error that names the file's fault."""
    tolerances = dict.fromkeys(("sops", "energy", "step_time_us", "power_mw", "cores"), 5.0)
    budgets = {q.budget: 5 for q in QUANTITIES.values()}
    pair = [changed(report(), **{section: tree}) for tree in (one, other)]
    try:
        result = hl.check(pair[0], budgets, pair[1], tolerances)
    except ArtifactError:
        return
    json.dumps(result.to_dict(), allow_nan=False)


def test_a_file_of_budgets(tmp_path):
    path = tmp_path / "budgets.toml"
    path.write_text(
        '[budgets]\nmax_sops = 20_000\n"max:sop.total" = 5.5\n'
        "[tolerances]\nsops = 0\nenergy = 2.5\n"
    )
    assert read_limits(path) == Limits(
        {"max_sops": 20000, "max:sop.total": 5.5}, {"sops": 0, "energy": 2.5}
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "budgets: empty"),
        ("max_sops = 3", "max_sops: unknown table; allowed: [budgets] and [tolerances]"),
        ("budgets = 3", "budgets: 3; allowed: a table"),
        ("[budgets]\nmax_sop = 3\nmax_cores = nan\n[tolerances]\nx = 1", "max_cores: nan"),
        ("[budgets]\nmax_sop = 3\nmax_cores = nan\n[tolerances]\nx = 1", "x: unknown key"),
        ("[budgets", "not valid TOML"),
        ("[budgets]\nmax_sops = {a = 1}", "max_sops: {'a': 1}"),
    ],
)
def test_wrong_files_of_budgets(tmp_path, text, message):
    path = tmp_path / "budgets.toml"
    path.write_text(text)
    with pytest.raises(SpecError) as caught:
        read_limits(path)
    assert message in str(caught.value)


def test_a_missing_file_of_budgets(tmp_path):
    with pytest.raises(SpecError, match="no such file"):
        read_limits(tmp_path / "none.toml")
    with pytest.raises(SpecError, match="cannot be read"):
        read_limits(tmp_path)


def test_budgets_and_tolerances_as_text():
    assert parse_budgets(["max_sops=3", " max_cores = 2 "]).budgets == {
        "max_sops": 3,
        "max_cores": 2,
    }
    assert parse_tolerances(["sops=0", "energy = 2.5 %"]).tolerances == {"sops": 0, "energy": 2.5}
    for read, texts in (
        (parse_budgets, ["max_sops=3", "max_sops=4"]),
        (parse_tolerances, ["sops=3", "sops=4"]),
    ):
        with pytest.raises(SpecError, match="given twice"):
            read(texts)
    with pytest.raises(SpecError, match="KEY=PERCENT"):
        parse_tolerances(["sops"])


def scored(rmse, capacity):
    scores = [{"name": "rmse", "better": "lower"}, {"name": "capacity", "better": "higher"}]
    row = {"name": "pruned, integers", "rmse": rmse, "capacity": capacity}
    return changed(report(), scores=scores, comparison=[row])


def test_scores_are_compared_in_their_own_direction():
    result = hl.check(
        scored(0.3, 7.0),
        {"score.rmse": 0.3, "score.capacity": 8},
        scored(0.2, 6.0),
        {"score.rmse": 10, "score.capacity": 10},
    )
    assert [row.ok for row in result.rows] == [True, False]
    assert [(row.ok, row.better, row.worse) for row in result.changes] == [
        (False, False, "higher"),
        (True, True, "lower"),
    ]
    assert result.breaches[1] == (
        "score.rmse: 0.2 -> 0.3 (+50 %); allowed: at most 10 % higher; 0.1 higher than the baseline"
    )


def test_a_score_that_is_gone_fails_the_comparison():
    result = hl.check(report(), baseline=scored(0.2, 6.0), tolerances={"score.rmse": 10})
    (breach,) = result.breaches
    assert breach == (
        "score.rmse: 0.2 -> not known; allowed: at most 10 % worse; "
        "the report has no score 'rmse'; there are: accuracy"
    )
