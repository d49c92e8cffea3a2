"""Every backend on generated networks: spikes, v and u equal bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from network_strategies import check_in_runs, collected, driven_networks

from hrsnn_lava.sim_backends.lava.backend import LavaBackend, LavaJob
from hrsnn_lava.sim_backends.runs.parity import compare
from hrsnn_lava.sim_backends.runs.session import simulate

STEPS = 40
PROBES = ("spikes", "v", "u")


def test_native_equals_reference_and_the_generator_reaches_the_extremes():
    """Wraps of u, saturation of v and spikes all occur, or it would prove little."""
    seen = {"wrap": 0, "saturated": 0, "spikes": 0}

    def check(case):
        network, inputs = case
        reference = simulate(network, inputs, STEPS, "reference", PROBES)
        native = simulate(network, inputs, STEPS, "native", PROBES)
        assert compare(reference, native, ("reference", "native")) == (0, None)
        jump = np.abs(np.diff(reference.u.astype(np.int64), axis=0)).max(initial=0)
        seen["wrap"] += int(jump > 2**23)
        seen["saturated"] += int(np.abs(reference.v).max(initial=0) == 2**23 - 1)
        seen["spikes"] += reference.n_spikes

    check_in_runs(check, driven_networks(STEPS, delays=True), examples=200)
    assert seen["wrap"] > 5
    assert seen["saturated"] > 5
    assert seen["spikes"] > 1000


@pytest.mark.lava
@pytest.mark.parametrize(
    ("runtime", "number", "count"), [("processes", 0, 40), ("threads", 1, 160)]
)
def test_native_and_reference_equal_live_lava(runtime, number, count):
    """One child process that runs real Lava models, in Lava's own runtime or in threads."""
    cases = collected(driven_networks(STEPS), count, number)
    jobs = [
        LavaJob(network, inputs, STEPS, PROBES, str(k)) for k, (network, inputs) in enumerate(cases)
    ]
    traces = LavaBackend(runtime=runtime).run_many(jobs)
    for (network, inputs), trace in zip(cases, traces, strict=True):
        assert not isinstance(trace, Exception), trace
        for backend in ("reference", "native"):
            run = simulate(network, inputs, STEPS, backend, PROBES)
            assert compare(trace, run, ("lava", backend)) == (0, None)


@pytest.mark.lava
@pytest.mark.nightly
@pytest.mark.parametrize("part", range(5))
def test_a_thousand_networks_equal_live_lava(part):
    """Five times 200 networks, delays included, fresh ones every night (profile `nightly`)."""

    @settings(max_examples=10, suppress_health_check=[*HealthCheck], phases=[Phase.generate])
    @given(st.lists(driven_networks(STEPS, delays=True), min_size=20, max_size=20))
    def compare_batch(cases):
        jobs = [
            LavaJob(network, inputs, STEPS, PROBES, f"{part}/{k}")
            for k, (network, inputs) in enumerate(cases)
        ]
        traces = LavaBackend(runtime="threads").run_many(jobs)
        for (network, inputs), trace in zip(cases, traces, strict=True):
            assert not isinstance(trace, Exception), trace
            run = simulate(network, inputs, STEPS, "native", PROBES)
            assert compare(trace, run, ("lava", "native")) == (0, None)

    compare_batch()
