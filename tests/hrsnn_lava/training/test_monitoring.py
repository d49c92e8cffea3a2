"""What is watched while a network learns: numbers by hand, and what is told of them."""

from __future__ import annotations

import numpy as np
import pytest
from stdp_networks import commanded, commands, noise, recurrent

from hrsnn_lava.plasticity import STDP, Schedule
from hrsnn_lava.training.monitoring import Monitoring, Record, findings_of
from hrsnn_lava.training.stdp import STDPOptions, train_stdp


def history(rates, weights, after, shares=(0.1, 0.2)):
    record = Record(("p",), {"p": np.array(weights[0])})
    for k, (rate, w) in enumerate(zip(rates, weights, strict=True)):
        record.add(k, rate, {"p": np.array(w)}, {"p": shares})
    return record.history(after)


def test_rows_are_what_they_say():
    rows = history([0.1, 0.2, 0.3], [[-1.0, 3.0], [-2.0, 3.0], [-2.0, 1.0]], 0.15)
    assert rows.mean[:, 0].tolist() == [2.0, 2.5, 1.5]
    assert rows.sd[:, 0].tolist() == [1.0, 0.5, 0.5]
    assert rows.drift[:, 0].tolist() == [0.0, 0.5 / 2.0, 1.0 / 2.5]
    assert rows.at_floor[:, 0].tolist() == [0.1] * 3
    assert (rows.rate_ratio, rows.last("drift")) == (pytest.approx(1.5), {"p": 0.4})
    assert rows.table()["mean"] == {"p": [2.0, 2.5, 1.5]}


@pytest.mark.parametrize(
    ("rates", "after", "weights", "shares", "kinds"),
    [
        ([0.1, 0.1], 0.19, [[1.0], [1.04]], (0.4, 0.5), []),
        ([0.1, 0.1], 0.21, [[1.0], [1.04]], (0.4, 0.5), ["training_rate"]),
        ([0.1, 0.1], 0.049, [[1.0], [1.04]], (0.4, 0.5), ["training_rate"]),
        ([0.0, 0.1], 0.1, [[1.0], [1.04]], (0.4, 0.5), ["training_rate"]),
        ([0.0, 0.0], 0.0, [[1.0], [1.04]], (0.4, 0.5), []),
        ([0.1, 0.1], 0.1, [[1.0], [1.06]], (0.4, 0.5), ["training_unsettled"]),
        ([0.1, 0.1], 0.1, [[1.0], [1.04]], (0.45, 0.46), ["training_at_bounds"]),
    ],
)
def test_what_is_told(rates, after, weights, shares, kinds):
    assert [f.kind for f in findings_of(history(rates, weights, after, shares))] == kinds


def test_a_runaway_is_told_with_its_numbers():
    # a source makes its target fire, and learns from that alone: A- is 0, the bound is far
    network = commanded(STDP(4000.0, 0.0, w_max=60000.0), np.full((1, 1), 500.0))
    lesson = [commands({0: range(2, 90, 4)}, {0: [3]}, 100)] * 20
    trained = train_stdp(network, lesson, STDPOptions(schedule=Schedule(potentials="rest")))
    assert trained.history.rate[0] == 0.01
    assert trained.history.rate_after > 0.2
    (told,) = [f for f in trained.findings if f.kind == "training_rate"]
    assert (told.severity, told.where) == ("warning", "training")
    assert "0.01 before" in told.measured
    assert "a_minus / a_plus" in told.fix


def test_the_history_of_a_training():
    lesson = [noise(k, 60, 10, 0.1) for k in range(12)]
    trained = train_stdp(
        recurrent(0), lesson, STDPOptions(epochs=2), seed=1, monitoring=Monitoring(every=5)
    )
    rows = trained.history
    assert rows.names == ("inp_exc", "exc_exc", "inh_exc")
    assert rows.done.tolist() == [0, 5, 10, 15, 20, 24]
    spikes = trained.outline.counts.sum()
    widths = np.diff(rows.done) * 60 * 40
    assert np.sum(rows.rate[1:] * widths) == pytest.approx(spikes, rel=1e-12)
    for k, name in enumerate(rows.names):
        assert rows.mean[-1, k] == pytest.approx(np.abs(trained.weights[name]).mean())
        assert rows.at_floor[-1, k] == np.mean(trained.weights[name] == 0)
    held = train_stdp(recurrent(0), lesson, STDPOptions(epochs=2), seed=1).history
    assert (held.rate[0], held.rate_after) == (rows.rate[0], rows.rate_after)
    assert held.rate[0] == pytest.approx(0.05, abs=0.02)
