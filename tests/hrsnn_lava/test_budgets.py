"""Budgets: what they read, what they refuse, and that they never pass on nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from gate_reports import SAMPLES, SOPS, SPIKES, STATIC_W, STEPS, changed, report
from hypothesis import given
from hypothesis import strategies as st

import hrsnn_lava as hl
from hrsnn_lava.budgets.judge import Budget, budgets_of, judge, number, with_budgets
from hrsnn_lava.budgets.quantities import FILLED, QUANTITIES, measure, of_path, parts, shown
from hrsnn_lava.errors import SpecError
from hrsnn_lava.findings import FindingWarning

#: Dynamic energy of the run in joules, from the prices of `sanafe_loihi` and its counts.
DYNAMIC_J = 1.85706e-08
TOTAL_J = STATIC_W * STEPS * 1e-3 + DYNAMIC_J
#: What the report of `gate_reports` must give, worked out by hand.
EXPECTED = {
    "sops": SOPS,
    "sops_per_step": SOPS / STEPS,
    "sops_peak_step": 2,
    "sops_per_inference": SOPS / SAMPLES,
    "sops_worst_inference": 4,
    "sops_issued": SOPS,
    "sops_busiest_core": SOPS // 2,
    "macs": 0,
    "host_macs": 0,
    "energy_uj": 1e6 * TOTAL_J,
    "energy_uj_per_inference": 1e6 * TOTAL_J / SAMPLES,
    "energy_uj_per_step": 1e6 * TOTAL_J / STEPS,
    "dynamic_energy_uj": 1e6 * DYNAMIC_J,
    "dynamic_energy_uj_per_inference": 1e6 * DYNAMIC_J / SAMPLES,
    "dynamic_energy_uj_per_step": 1e6 * DYNAMIC_J / STEPS,
    "energy_pj_per_sop": 1e12 * TOTAL_J / SOPS,
    "power_mw": 1e3 * TOTAL_J / (STEPS * 1e-3),
    "energy_delay_ujs": 1e6 * TOTAL_J * STEPS * 1e-3,
    "cores": 3,
    "chips": 1,
    "neurons": 3,
    "synapses": 2,
    "core_fill_percent": 100 / 15,  # one of fifteen synapse formats
    "spikes": SPIKES,
    "spikes_per_step": SPIKES / STEPS,
    "spikes_per_inference": SPIKES / SAMPLES,
    "rate_hz": 1e3 * SPIKES / STEPS / 3,
    "messages": 2 * SPIKES,
    "messages_per_step": 2 * SPIKES / STEPS,
    "inter_chip_messages_per_step": 0,
    "hops": 0,
    "hops_per_step": 0,
    "mean_hops": 0,
    "longest_hops": 0,
    "learning_updates": 0,
    "mismatches": 0,
    "findings": 0,
    "wraps": 0,
    "saturations": 0,
    "rmse": 0.1,
    "rmse_ratio": 1.1,
    "accuracy": 0.9,
    "gain_over_random": 0.25,
    "sop_ratio": 2.0,
    "connection_sparsity": 0.0,
    "activation_sparsity": 1 - SPIKES / STEPS / 3,
}


def test_findings_wraps_and_saturations_can_fail_a_budget():
    """Five spikes at once bring 5 x 254 x 2^13 > 2^23 to a current of 24 bits; twice in the run.

    What comes out is 2^24 less, and a potential that keeps it is at its lower end from then on.
    """
    cells = hl.QuantizedPopulation("cells", 2, du=4095, dv=[4095, 0], vth=100_000)
    into = hl.QuantizedProjection("in", "inp", "cells", [[254] * 5] * 2, weight_exp=7)
    network = hl.QuantizedNetwork((hl.QuantizedInput("inp", 5), cells), (into,)).verify()
    events = hl.SpikeInput(np.repeat([0, 3], 5), np.tile(np.arange(5), 2), 10, 5)
    compiled = hl.compile(network, "loihi1")
    with pytest.warns(FindingWarning):
        trace = hl.simulate(compiled, events)
    budgets = {"max_wraps": 3, "max_saturations": 5, "max_findings": 0}
    data = hl.report(compiled, trace, budgets=budgets).to_dict()
    rows = {row["key"]: row for row in data["budgets"]}
    assert (rows["max_wraps"]["value"], rows["max_wraps"]["ok"]) == (4, False)
    assert (rows["max_saturations"]["value"], rows["max_saturations"]["ok"]) == (
        6,
        False,
    )  # steps 4 to 9
    assert rows["max_findings"]["value"] == data["findings_count"]["serious"] >= 2
    assert data["verdict"] == "FAIL"
    data = hl.report(compiled, trace, budgets={"max_wraps": 4, "max_saturations": 6}).to_dict()
    assert [row["ok"] for row in data["budgets"]] == [True, True]


@pytest.mark.parametrize("name", QUANTITIES)
def test_every_known_key_reads_a_real_report(name):
    found = measure(report(), QUANTITIES[name])
    assert found.value is not None, found.reason
    if name in EXPECTED:
        assert found.value == pytest.approx(EXPECTED[name], rel=1e-9)
    else:
        assert found.value > 0
    exact = ("sops", "sops_busiest_core", "spikes", "messages", "cores", "synapses", "mismatches")
    assert name not in exact or isinstance(found.value, int)


@pytest.mark.parametrize("name", QUANTITIES)
def test_no_key_passes_on_a_report_without_a_run(name):
    quantity = QUANTITIES[name]
    data = changed(report(steps=0), accuracy={}, parity={})
    row = judge(data, [Budget.of(quantity.budget, 0 if quantity.worse == "lower" else 1e12)])[0]
    static = ("network", "mapping", "constraints", "neurobench", "findings_count")
    if quantity.paths[0][0] in static and quantity.over is None and row.value is not None:
        assert row.ok
        return
    assert not row.ok
    assert row.value is None
    assert len(row.reason) > 20


def test_what_is_filled_on_purpose_is_not_what_is_full():
    data = report()
    rows = {r["rule"]: r["fraction"] for r in data["constraints"]}
    assert {"cores", "compartment_profiles"} <= set(FILLED) & set(rows)
    assert measure(data, QUANTITIES["core_fill_percent"]).value == pytest.approx(
        100 * max(f for rule, f in rows.items() if rule not in FILLED and f is not None)
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("max_energy_uj=1", "energy.total_j is null: no price for synaptic operations"),
        ("max_dynamic_energy_uj=1", "energy.dynamic_j is null: no price for"),
        ("max_step_time_us=1", "timing.step_mean_s is null: not known: no cost set"),
        ("max_power_mw=1", "energy.total_j is null"),
    ],
)
def test_an_energy_without_prices_fails_and_names_them(text, reason):
    row = judge(report("loihi2", None), [Budget.parse(text)])[0]
    assert not row.ok
    assert reason in row.reason


def test_a_sum_over_priced_terms_alone_is_no_energy():
    data = report()
    data["energy"]["unpriced"] = [{"name": "hop", "count": 3, "reason": "no price"}]
    row = judge(data, [Budget.parse("max_dynamic_energy_uj=1e9")])[0]
    assert not row.ok
    assert row.reason == "energy.dynamic_j is incomplete: no price for hop"
    data["energy"]["unpriced"] = [{"name": "static power", "count": None, "reason": ""}]
    assert judge(data, [Budget.parse("max_dynamic_energy_uj=1e9")])[0].ok


def test_operations_without_their_inputs_are_a_lower_bound():
    data = changed(report(), sop__inputs_known=False)
    for key in ("max_sops", "max_sops_per_step", "max:sop.per_projection.out.operations"):
        row = judge(data, [Budget.of(key, 1e9)])[0]
        assert not row.ok
        assert "lower bound" in row.reason


def test_one_backend_proves_no_parity():
    data = changed(report(), parity__backends=["native"])
    row = judge(data, [Budget.parse("max_mismatches=0")])[0]
    assert not row.ok
    assert "fewer than two backends" in row.reason


def test_a_proxy_is_labelled_and_can_be_refused():
    data = report("loihi2", "sanafe_loihi")
    for key in (
        "max_energy_uj",
        "max_power_mw",
        "max_step_time_us",
        "max_energy_delay_ujs",
        "max:per_sample.total_j.mean",
        "max:per_second.total_w",
        "max:energy_by_cost_set.0.total_j",
    ):
        row = judge(data, [Budget.of(key, 1e9)])[0]
        assert (row.ok, row.proxy) == (True, True), key
        assert "proxy" in row.line()
        row = judge(data, [Budget.of(key, 1e9)], proxy_ok=False)[0]
        assert not row.ok
        assert "proxy" in row.reason
    assert not judge(data, [Budget.parse("max_sops=99")])[0].proxy
    assert not judge(report(), [Budget.parse("max_energy_uj=9e9")])[0].proxy


def test_any_number_by_path_in_the_unit_of_the_report():
    data = report()
    data["sop"]["per_projection"]['a.b/c~"d" = e'] = {"kind": "sop", "operations": 3}
    rows = judge(
        data,
        [
            Budget.parse("max:sop.per_projection.out.operations=19"),
            Budget.parse('max:/sop/per_projection/a.b~1c~0"d" = e/operations=3'),
            Budget.parse("max:energy.dynamic_j=1.9e-8"),
            Budget.parse("min:cores.0.neurons=1"),
            Budget.parse("min:/constraints/0/limit=128"),
        ],
    )
    assert [row.ok for row in rows] == [False, True, True, True, True]
    assert [row.value for row in rows[:2]] == [20, 3]
    assert (rows[2].unit, rows[2].value) == ("J", pytest.approx(DYNAMIC_J))


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("sop.per_projection.outt.operations", "no 'outt'; did you mean out?"),
        ("cores.3.neurons", "cores has 3 entries"),
        ("cores.-1.neurons", "cores has 3 entries"),
        ("sop.total.x", "no table"),
        ("sop", "sop is no number"),
        ("verdict", "verdict is no number"),
        ("sop.inputs_known", "is no number"),
        ("nothing", "the report has no 'nothing'"),
    ],
)
def test_a_path_that_leads_nowhere_fails_with_the_place(path, reason):
    row = judge(report(), [Budget.parse(f"max:{path}=1e9")])[0]
    assert not row.ok
    assert reason in row.reason


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_sop=1", "max_sop: unknown key. Did you mean max_sops"),
        ("sops=1", "sops: unknown key. Did you mean max_sops"),
        ("quite_else=1", "unknown key. One of max_sops"),
        ("max_sops", "'max_sops': no budget; allowed: KEY=VALUE"),
        ("=3", "no budget"),
        ("max_sops=", "max_sops: ''; allowed: a finite number"),
        ("max_sops=many", "max_sops: 'many'"),
        ("max_sops=nan", "max_sops: 'nan'"),
        ("max_sops=-inf", "max_sops: '-inf'"),
        ("max_sops=1e999", "max_sops: '1e999'"),
        ("max_sops=-1", "max_sops: -1; allowed: a finite number >= 0"),
        ("max:=1", "max::"),
        ("max:a..b=1", "an empty key"),
        ("max:/a~2=1", "~ is written ~0"),
    ],
)
def test_wrong_budgets_are_refused(text, message):
    with pytest.raises(SpecError) as caught:
        Budget.parse(text)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_all_wrong_budgets_of_a_table_are_named():
    with pytest.raises(SpecError) as caught:
        budgets_of({"max_sop": 1, "max_cores": math.inf, "min_accuracy": True, "max_hops": 2})
    assert [p.where for p in caught.value.problems] == ["max_sop", "max_cores", "min_accuracy"]


@given(st.floats(allow_nan=True, allow_infinity=True) | st.integers())
def test_a_number_is_read_as_it_was_written(value):
    if math.isfinite(value) and abs(value) < 1e18:
        assert number(repr(value), "x") == value
        assert number(repr(value), "x") == Budget.parse(f"max:a.b={value!r}").limit
    elif not math.isfinite(value):
        with pytest.raises(SpecError):
            number(repr(value), "x")


@given(st.text())
def test_any_text_is_a_budget_or_a_usage_error(text):
    try:
        budget = Budget.parse(text)
    except SpecError as error:
        refused = error
    else:
        assert math.isfinite(budget.limit)
        return
    assert refused.exit_code == 2
    assert refused.problems


@given(st.lists(st.text(min_size=1), min_size=1, max_size=5))
def test_a_json_pointer_reaches_every_name(names):
    pointer = "".join("/" + n.replace("~", "~0").replace("/", "~1") for n in names)
    assert parts(pointer) == tuple(names)
    tree = 5
    for name in reversed(names):
        tree = {name: tree}
    assert measure(tree, of_path(parts(pointer))).value == 5


KEYS = st.sampled_from(sorted(QUANTITIES))
LIMITS = st.integers(0, 10**6) | st.floats(0, 1e9)


@given(KEYS, LIMITS, LIMITS)
def test_more_room_never_turns_a_pass_into_a_failure(name, one, other):
    low, high = sorted((one, other))
    data = report()
    narrow, wide = (judge(data, [Budget.of(f"max_{name}", x)])[0] for x in (low, high))
    assert wide.ok or not narrow.ok
    narrow, wide = (judge(data, [Budget.of(f"min_{name}", x)])[0] for x in (high, low))
    assert wide.ok or not narrow.ok


@given(KEYS)
def test_the_value_itself_is_a_limit_that_is_kept(name):
    """Also when it is copied from what was printed: joules are scaled before they are shown."""
    data = report()
    value = measure(data, QUANTITIES[name]).value
    for kind in ("max", "min"):
        row = judge(data, [Budget.parse(f"{kind}_{name}={value!r}")])[0]
        assert row.ok
        assert row.margin_percent in (None, pytest.approx(0, abs=1e-6))


@given(st.integers(1, 2**62))
def test_counts_are_compared_exactly(count):
    data = changed(report(), sop__total=count)
    assert judge(data, [Budget.parse(f"max_sops={count}")])[0].ok
    assert not judge(data, [Budget.parse(f"max_sops={count - 1}")])[0].ok
    assert judge(data, [Budget.parse(f"min_sops={count}")])[0].ok
    assert not judge(data, [Budget.parse(f"min_sops={count + 1}")])[0].ok


@pytest.mark.parametrize("value", [True, "20", [], math.nan, math.inf, 10**400, -(10**400)])
def test_a_value_that_is_no_number_fails(value):
    row = judge(changed(report(), sop__total=value), [Budget.parse("max_sops=1e9")])[0]
    assert not row.ok
    assert row.value is None


def test_a_row_says_by_how_much():
    row = judge(report(), [Budget.parse("max_sops=16")])[0]
    assert row.line() == "max_sops: 20 SOP; allowed: <= 16 SOP; 4 SOP, 25 % above the limit"
    assert (row.margin_percent, row.where) == (-25.0, "sop.total")
    row = judge(report(), [Budget.parse("min_sops=25")])[0]
    assert row.line() == "min_sops: 20 SOP; allowed: >= 25 SOP; 5 SOP, 20 % below the limit"
    row = judge(report(), [Budget.parse("max_sops=0")])[0]
    assert row.margin_percent is None


def test_shown_numbers():
    assert shown(None) == "not known"
    assert (shown(1, "core"), shown(2, "core"), shown(1234567, "SOP")) == (
        "1 core",
        "2 cores",
        "1,234,567 SOP",
    )
    assert shown(0.1234567, "µJ") == "0.123457 µJ"


def test_a_budget_that_is_not_kept_fails_the_report_itself():
    data = report(budgets=(("max_sops", 16), ("max_cores", 3), ("max_spikes", 1)))
    assert data["verdict"] == "FAIL"
    assert data["summary"].startswith(
        "budget not kept: max_sops is 20 SOP, allowed <= 16 SOP and 1 more; fits loihi1"
    )
    assert [row["ok"] for row in data["budgets"]] == [False, True, False]
    assert list(data).index("budgets") < list(data).index("constraints")
    kept = report(budgets=(("max_sops", 20),))
    assert kept["verdict"] == "PASS"
    assert kept["summary"] == report()["summary"]


def test_budgets_are_in_the_text_of_a_report():
    from hrsnn_lava.report.document import render_text

    assert "BUDGETS" not in render_text(report())
    text = render_text(report(budgets=(("max_sops", 16), ("max_cores", 3))))
    assert "BUDGETS" in text.split("CONSTRAINTS")[0]
    assert "max_sops: 4 SOP, 25 % above the limit" in text


def test_a_report_without_budgets_is_unchanged():
    data = report()
    assert with_budgets(data, None) == {**data, "budgets": []}


# --- scores of the task, by their names

SCORES = [
    {"name": "rmse_mean", "title": "RMSE", "better": "lower", "unit": ""},
    {"name": "capacity", "title": "capacity", "better": "higher", "unit": "bit"},
]
ARMS = [
    {"name": "unpruned", "rmse_mean": 0.1, "capacity": 9.0},
    {"name": "lyapunov 10 %", "rmse_mean": 0.2, "capacity": 8.0},
    {"name": "lyapunov 10 %, integers", "rmse_mean": 0.3, "capacity": 7.0},
    {"name": "random 10 %", "rmse_mean": 0.9, "capacity": 1.0},
]


def scored(arms=ARMS, scores=SCORES):
    return changed(report(), scores=list(scores), comparison=list(arms))


@pytest.mark.parametrize(
    ("key", "limit", "ok", "line"),
    [
        ("score.rmse_mean", 0.3, True, "score.rmse_mean: 0.3; allowed: <= 0.3"),
        (
            "score.rmse_mean",
            0.25,
            False,
            "score.rmse_mean: 0.3; allowed: <= 0.25; 0.05, 20 % above the limit",
        ),
        ("score.capacity", 7, True, "score.capacity: 7 bit; allowed: >= 7 bit"),
        (
            "score.capacity",
            8,
            False,
            "score.capacity: 7 bit; allowed: >= 8 bit; 1 bit, 12.5 % below the limit",
        ),
        ("score.capacity", -1, True, "score.capacity: 7 bit; allowed: >= -1 bit"),
    ],
)
def test_a_score_is_limited_in_its_own_direction(key, limit, ok, line):
    (row,) = judge(scored(), [Budget.of(key, limit)])
    assert (row.ok, row.line()) == (ok, line)
    assert row.where == f"comparison.2.{key.removeprefix('score.')}"
    assert row.most is (key == "score.rmse_mean")


def test_without_integers_the_pruned_network_is_scored():
    arms = [arm for arm in ARMS if not arm["name"].endswith("integers")]
    (row,) = judge(scored(arms), [Budget.parse("score.rmse_mean=1")])
    assert row.value == 0.2
    (row,) = judge(scored(arms[:1]), [Budget.parse("score.rmse_mean=1")])
    assert row.value == 0.1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (scored(scores=()), "the report has no score 'rmse_mean'; there are: none"),
        (
            scored(scores=[{"name": "rmse_median", "better": "lower"}, {"name": "x"}]),
            "the report has no score 'rmse_mean'; did you mean rmse_median?; there are: "
            "rmse_median, x",
        ),
        (scored(arms=()), "the report compares no networks, so it has no scores"),
        (
            scored([*ARMS[:2], {"name": "p, integers", "rmse_mean": None}]),
            "comparison.2.rmse_mean is null",
        ),
        (scored([{"name": "unpruned"}]), "comparison.0 has no 'rmse_mean'"),
        (report(), "the report has no score 'rmse_mean'; there are: accuracy"),
    ],
)
def test_a_score_that_is_not_there_breaks_its_budget(data, reason):
    (row,) = judge(data, [Budget.parse("score.rmse_mean=1")])
    assert not row.ok
    assert row.value is None
    assert reason in row.reason


def test_nobody_knows_the_direction_of_a_score_that_is_not_there():
    (row,) = judge(report(), [Budget.parse("score.x=1")])
    assert row.most is None
    assert row.line().startswith("score.x: not known; allowed: no worse than 1; ")


def test_a_key_without_the_name_of_a_score_is_unknown():
    with pytest.raises(SpecError, match=r"score\.: unknown key"):
        Budget.of("score.", 1)


def static_report(static_j=29.6e-6, total_j=30.0e-6):
    data = report()
    data["energy"] |= {"static_j": static_j, "total_j": total_j, "wall_time_s": 1e-3}
    data["energy"] |= {"per_step_j": total_j, "per_sample_j": total_j / 2, "samples": 2}
    return data


@pytest.mark.parametrize(
    ("key", "limit", "text"),
    [
        ("max_energy_uj", 5.0, "25 µJ, 500 % above the limit; 29.6 µJ of it static, above the "),
        ("max_energy_uj", 29.8, "0.2 µJ, 0.6711 % above the limit; 29.6 µJ of it static"),
        ("max_energy_uj_per_step", 5.0, "29.6 µJ of it static"),
        ("max_energy_uj_per_inference", 5.0, "14.8 µJ of it static"),
        ("max_power_mw", 5.0, "29.6 mW of it static"),
        ("max:energy.total_j", 5e-6, "2.96e-05 J of it static"),
    ],
)
def test_an_energy_that_is_too_high_says_how_much_of_it_is_static(key, limit, text):
    (row,) = judge(static_report(), [Budget.of(key, limit)])
    assert not row.ok
    assert text in row.line()


def test_only_energies_that_hold_static_ones_say_so():
    data = static_report()
    for key in ("max_dynamic_energy_uj", "max_sops", "min_energy_uj"):
        limit = 1e9 if key.startswith("min") else 0
        (row,) = judge(data, [Budget.of(key, limit)])
        assert "static" not in row.line(), key
    (row,) = judge(static_report(0.0), [Budget.of("max_energy_uj", 5)])
    assert "static" not in row.line()
    (row,) = judge(data, [Budget.of("max_energy_uj", 29.8)])
    assert "alone" not in row.line()
