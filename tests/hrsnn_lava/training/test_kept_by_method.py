"""Methods side by side: rows, what is best, what the draws do not tell apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava.compiler.passes.prune_magnitude import PruneMagnitude
from hrsnn_lava.compiler.passes.prune_random import PruneRandom
from hrsnn_lava.errors import SpecError
from hrsnn_lava.training.aftercare import AftercareOptions
from hrsnn_lava.training.balance import GENTLE
from hrsnn_lava.training.kept import KeptOptions
from hrsnn_lava.training.kept_by_method import (
    CEILING,
    FIGURES,
    FLOOR,
    KeptByMethod,
    MethodOptions,
    kept_by_method,
)

STEPS = {"random": PruneRandom(sop_ratio=4.0), "magnitude": PruneMagnitude(sop_ratio=4.0)}
SHORT = MethodOptions(
    draws=2,
    rate_samples=40,
    kept=KeptOptions(samples=200, exponent_steps=50),
    aftercare=AftercareOptions((1.0,), balance=replace(GENTLE, passes=3)),
)
COVARIANCES = next(f for f in FIGURES if f.name == "covariance_correlation")
EXPONENT = next(f for f in FIGURES if f.name == "largest_exponent")


@pytest.fixture(scope="module")
def network() -> hl.Network:
    table = {"size": 40, "connectivity": {"mean_degree": 10.0}, "input": {"share": 0.5}}
    return hl.build_hrsnn(hl.Spec.parse({"network": table}), seed=2, n_inputs=2)


@pytest.fixture(scope="module")
def table(network: hl.Network) -> KeptByMethod:
    return kept_by_method(network, STEPS, seed=3, options=SHORT)


def made_up(**rows: list[float]) -> KeptByMethod:
    """Draws of one figure of all kinds, by row."""
    names = [figure.name for figure in FIGURES]
    filled = {row: dict.fromkeys(names, np.array(values)) for row, values in rows.items()}
    methods = tuple(row for row in rows if row not in ("floor", "ceiling"))
    rest = {
        FLOOR: filled.pop("floor", filled[methods[0]]),
        CEILING: filled.pop("ceiling", filled[methods[0]]),
    }
    draws = len(next(iter(rows.values())))
    unpruned = {"largest_exponent": np.full(draws, 0.5), "memory": np.full(draws, 3.0)}
    return KeptByMethod(filled | rest, methods, unpruned, "made up", 15)


def test_every_method_has_a_row_and_every_figure_a_value_a_draw(table: KeptByMethod) -> None:
    assert tuple(table.rows) == ("random", "magnitude", FLOOR, CEILING)
    assert table.methods == ("random", "magnitude")
    for row in table.rows:
        for figure in FIGURES:
            assert table.rows[row][figure.name].shape == (2,)
            assert np.isfinite(table.mean(row, figure.name)), (row, figure)
    assert table.told.startswith("uniform")
    assert table.memory_bound == 30


def test_the_rows_that_no_method_makes_are_what_they_say(table: KeptByMethod) -> None:
    assert table.mean(FLOOR, "sops_ratio") == 0.0
    assert table.mean(CEILING, "rate_correlation") == pytest.approx(1.0, abs=0.01)
    np.testing.assert_array_equal(table.rows[CEILING]["gain"], 1.0)
    np.testing.assert_array_equal(
        table.rows[CEILING]["largest_exponent"], table.unpruned["largest_exponent"]
    )
    for method in table.methods:
        assert 0.1 < table.mean(method, "sops_ratio") < 0.9
        assert table.mean(method, "trace_correlation") < table.mean(CEILING, "trace_correlation")


def test_the_same_seed_gives_the_same_table_and_draws_count_on(
    network: hl.Network, table: KeptByMethod
) -> None:
    assert kept_by_method(network, STEPS, seed=3, options=SHORT).to_dict() == table.to_dict()
    second = kept_by_method(network, STEPS, seed=4, options=replace(SHORT, draws=1))
    for row in table.rows:
        for figure in FIGURES:
            assert second.rows[row][figure.name][0] == table.rows[row][figure.name][1]


def test_progress_tells_every_row(network: hl.Network) -> None:
    told: list[tuple[str, float | None]] = []
    kept_by_method(
        network,
        {"random": STEPS["random"]},
        options=replace(SHORT, draws=1),
        progress=lambda text, share=None, /: told.append((text, share)),
    )
    assert told == [
        ("random, draw 1 of 1", 0.0),
        (f"{FLOOR}, draw 1 of 1", pytest.approx(1 / 3)),
        (f"{CEILING}, draw 1 of 1", pytest.approx(2 / 3)),
    ]


def test_the_best_is_what_the_draws_tell_from_the_others() -> None:
    clear = made_up(a=[0.9, 0.8, 0.9], b=[0.5, 0.4, 0.5], floor=[0.6, 0.6, 0.6])
    assert clear.best(COVARIANCES) == ("a",)
    assert clear.no_better(COVARIANCES) == ("b",)
    assert "B keeps" not in clear.sentence()
    assert clear.sentence().startswith("A keeps covariances, traces and memory of the input best")
    assert clear.caution() == (
        "No more is kept than without any recurrence of covariances, traces and memory of the "
        "input by b."
    )
    # b is worse on average, and better in one of three draws: by far less than the noise
    tied = made_up(a=[0.9, 0.8, 0.9], b=[0.8, 0.85, 0.84], c=[0.1, 0.1, 0.1])
    assert tied.best(COVARIANCES) == ("a", "b")
    assert "a and b, not told apart, keep covariances" in tied.sentence().lower()
    assert tied.caution() == (
        "No more is kept than without any recurrence of covariances, traces and memory of the "
        "input by a, b and c."
    )
    # the same shift in every draw is told, however small beside the spread of the draws
    paired = made_up(a=[0.9, 0.1, 0.5], b=[0.89, 0.09, 0.49])
    assert paired.best(COVARIANCES) == ("a",)


def test_equals_are_not_told_apart_and_one_draw_tells_nothing() -> None:
    single = made_up(a=[0.9], b=[0.8])
    assert single.best(COVARIANCES) == ()
    assert single.sentence().startswith("A single draw tells no method from another")
    assert np.isnan(single.spread("a", "memory"))
    same = made_up(a=[0.9, 0.8], b=[0.9, 0.8])
    assert same.best(COVARIANCES) == ("a", "b")
    assert same.sentence().startswith("All keep covariances, traces, the largest exponent and")


def test_an_exponent_is_kept_where_it_is_near_the_unpruned_one() -> None:
    table = made_up(a=[0.9, 0.9], b=[0.45, 0.46])
    assert table.best(EXPONENT) == ("b",)  # 0.5 before
    assert table.best(FIGURES[0]) == ()  # operations are what they cost, not what they keep


def test_what_is_not_defined_is_never_best() -> None:
    table = made_up(a=[float("nan"), 0.9], b=[0.1, 0.2])
    assert table.best(COVARIANCES) == ("b",)
    nothing = made_up(a=[float("nan")] * 2)
    assert nothing.best(COVARIANCES) == ()
    assert nothing.sentence() == "Nothing that could be measured differs."


def test_findings_of_the_aftercare_come_with_their_row(table: KeptByMethod) -> None:
    rows = {row for row, _ in table.findings}
    assert rows <= {*table.methods, FLOOR}
    assert rows  # three passes hold no rates
    entry = table.to_dict()["findings"][0]
    assert {"row", "severity", "where", "meaning"} <= entry.keys()


def test_networks_that_cannot_be_compared_say_why(network: hl.Network) -> None:
    alone = hl.Network.from_arrays(np.ones((3, 1)), None, tau_mem=0.01)
    with pytest.raises(SpecError, match="no synapses between neurons; allowed: a recurrent"):
        kept_by_method(alone, STEPS, options=SHORT)
    deaf = hl.Network.from_arrays(None, np.ones((3, 3)), tau_mem=0.01, bias=2.0)
    with pytest.raises(SpecError, match="no inputs; allowed: one or more, to compare by"):
        kept_by_method(deaf, STEPS, options=SHORT)
    quiet = hl.Network.from_arrays(np.full((3, 1), 1e-6), np.ones((3, 3)), tau_mem=0.01)
    with pytest.raises(SpecError, match=r"no neuron fires; allowed: spikes\. Raise biases"):
        kept_by_method(quiet, STEPS, options=SHORT)
    with pytest.raises(SpecError, match="methods: none; allowed: one or more"):
        kept_by_method(network, {}, options=SHORT)
