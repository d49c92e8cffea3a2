"""Batches of networks in one child of Lava, against the engines that must equal it."""

from __future__ import annotations

from hrsnn_lava.sim_backends.lava.backend import LavaBackend, LavaJob
from hrsnn_lava.sim_backends.runs.parity import compare
from hrsnn_lava.sim_backends.runs.session import simulate

PROBES = ("spikes", "v", "u")


def check_against_lava(cases, steps, runtime):
    """Run pairs of a network and its inputs on Lava; reference and native must equal it."""
    jobs = [
        LavaJob(network, inputs, steps, PROBES, str(k)) for k, (network, inputs) in enumerate(cases)
    ]
    traces = LavaBackend(runtime=runtime).run_many(jobs)
    for (network, inputs), trace in zip(cases, traces, strict=True):
        assert not isinstance(trace, Exception), trace
        for backend in ("reference", "native"):
            run = simulate(network, inputs, steps, backend, PROBES)
            assert compare(trace, run, ("lava", backend), network) == (0, None)
