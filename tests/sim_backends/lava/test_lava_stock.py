"""The backend of stock Lava Processes: bit-identical to the others, or refused."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from network_strategies import driven_learning_networks, driven_networks
from scipy import sparse

from hrsnn_lava.chip_learning import Factor, LearningRule, Product, Trace, pair_stdp
from hrsnn_lava.compiler.passes.lower_stock import lower_stock
from hrsnn_lava.errors import BackendMissingError, CapacityError, SpecError
from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
)
from hrsnn_lava.sim_backends.base import backend_of
from hrsnn_lava.sim_backends.lava import backend as lava
from hrsnn_lava.sim_backends.lava.backend import LavaJob
from hrsnn_lava.sim_backends.lava_stock import LavaStockBackend
from hrsnn_lava.sim_backends.runs.inputs import random_input
from hrsnn_lava.sim_backends.runs.parity import DEFAULT, compare, verify_parity
from hrsnn_lava.sim_backends.runs.session import simulate
from hrsnn_lava.trace import SpikeInput
from hrsnn_lava.trace import Trace as RunTrace

needs_lava = pytest.mark.lava
if sys.version_info >= (3, 11):
    needs_lava = pytest.mark.skip(reason="Lava 0.10.0 needs Python 3.10")

STEPS = 30
PROBES = ("spikes", "v", "u")
THREADS = LavaStockBackend(timeout_s=120, runtime="threads")


def grouped(network: QuantizedNetwork, seed: int) -> QuantizedNetwork:
    """The network with one to three sets of (du, dv, vth) a population, nothing refractory."""
    rng = np.random.default_rng(seed)
    for p in network.compute_populations:
        like = rng.integers(0, rng.integers(1, 4), p.size) % p.size
        fields = {field: p.parameter(field)[like] for field in ("du", "dv", "vth")}
        network = network.with_population(replace(p, **fields, refractory=0))
    return network


def driven(runtime_steps: int = STEPS) -> tuple[QuantizedNetwork, SpikeInput]:
    """Held inputs and spikes, onto groups with biases that the drives take to their limits."""
    rng = np.random.default_rng(3)
    population = QuantizedPopulation(
        "a", 9, du=500, dv=np.tile([100, 400, 900], 3), vth=300, bias_mant=4000, bias_exp=2
    )
    weights = sparse.csr_matrix(rng.integers(-120, 100, (9, 9)))
    drive = sparse.csr_matrix(rng.integers(-90, 90, (9, 2)))
    network = QuantizedNetwork(
        (QuantizedInput("x", 2, 64.0), population),
        (
            QuantizedProjection("w", "a", "a", weights),
            QuantizedProjection("d", "x", "a", drive, target="bias"),
            QuantizedProjection("g", "x", "a", drive, num_message_bits=16),
        ),
    )
    at = np.array([0, 0, 7, 8, 20, runtime_steps - 1, runtime_steps + 5])
    channel = np.array([0, 1, 1, 0, 0, 1, 0])
    payloads = np.array([10, -3, 40, 0, -77, 5, 90])
    return network, SpikeInput(at, channel, runtime_steps + 10, 2, payloads)


# --- without Lava ------------------------------------------------------------------------------


def test_missing_lava_is_exit_code_6(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lava, "lava_obstacle", lambda: "no Lava here")
    with pytest.raises(BackendMissingError, match="no Lava here"):
        LavaStockBackend().run(driven()[0], None, 5)


def test_a_refusal_comes_before_lava_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lava, "lava_obstacle", lambda: "no Lava here")
    network = QuantizedNetwork((QuantizedPopulation("a", 1, du=0, dv=1, vth=1, refractory=2),))
    with pytest.raises(CapacityError, match="refractory period") as found:
        LavaStockBackend().run(network, None, 5)
    assert found.value.exit_code == 4


def test_it_is_known_by_name_and_is_no_default() -> None:
    chosen = backend_of("lava-stock").within(7.0)
    assert isinstance(chosen, LavaStockBackend)
    assert chosen.timeout_s == 7.0
    assert chosen.name not in DEFAULT
    with pytest.raises(SpecError, match=r"no engine 'lavastock'[\s\S]*lava, lava-stock, native"):
        backend_of("lavastock")


# --- parity ------------------------------------------------------------------------------------


@needs_lava
@settings(max_examples=3, suppress_health_check=[*HealthCheck], phases=[Phase.generate])
@given(
    st.lists(
        st.tuples(driven_networks(STEPS, delays=True), st.integers(0, 99)), min_size=9, max_size=9
    )
)
def test_generated_networks_equal_the_reference(cases: list) -> None:
    check(cases)


@needs_lava
@settings(max_examples=3, suppress_health_check=[*HealthCheck], phases=[Phase.generate])
@given(
    st.lists(st.tuples(driven_learning_networks(STEPS), st.integers(0, 99)), min_size=6, max_size=6)
)
def test_generated_networks_that_learn_equal_the_reference(cases: list) -> None:
    check(cases)


def check(cases: list) -> None:
    """Those that can be lowered run in one child; potentials and learned weights are compared."""
    jobs = []
    for (network, inputs), seed in cases:
        network = grouped(network, seed)
        try:
            lower_stock(network)
        except CapacityError:
            continue
        jobs.append(LavaJob(network, inputs, STEPS, PROBES))
    for job, found in zip(jobs, THREADS.run_many(jobs), strict=True):
        assert isinstance(found, RunTrace), found
        expected = simulate(job.network, job.inputs, STEPS, "reference", PROBES)
        assert compare(expected, found, ("reference", "stock")) == (0, None)


@needs_lava
@pytest.mark.parametrize("runtime", ["threads", "processes"])
def test_held_inputs_are_written_into_the_biases(runtime) -> None:
    network, inputs = driven()
    expected = simulate(network, inputs, STEPS, "reference", PROBES)
    found = replace(THREADS, runtime=runtime).run(network, inputs, STEPS, PROBES)
    assert compare(expected, found, ("reference", "stock")) == (0, None)
    assert expected.n_spikes > 20


@needs_lava
def test_without_probes_lavas_own_model_runs_unchanged() -> None:
    network, inputs = driven()
    expected = simulate(network, inputs, STEPS, "reference")
    found = THREADS.run(network, inputs, STEPS)
    assert found.v is None
    assert compare(expected, found, ("reference", "stock")) == (0, None)


@needs_lava
def test_a_run_without_steps_is_empty() -> None:
    trace = THREADS.run(driven()[0], None, 0, PROBES)
    assert (trace.n_spikes, trace.n_neurons) == (0, 9)


@needs_lava
def test_traces_of_neurons_without_a_synapse_are_there_too() -> None:
    """No connection knows neurons 2 and 3, whose traces the whole keeps all the same."""
    rule = LearningRule(
        dw=(Product("y0", 1, -3, (Factor("x1"),)), Product("x0", -1, -3, (Factor("y1"),))),
        x1=Trace(20.5, 9),
        y1=Trace(16, 14),
        t_epoch=3,
        rng_seed=1,
    )
    weights = np.zeros((4, 4), int)
    weights[:2, :2] = [[0, 60], [90, 0]]
    population = QuantizedPopulation("a", 4, du=4095, dv=[50, 50, 60, 60], vth=90, bias_mant=1500)
    network = QuantizedNetwork(
        (population,), (QuantizedProjection("w", "a", "a", weights, learning=rule),)
    )
    expected = simulate(network, None, 50, "reference", PROBES)
    found = THREADS.run(network, None, 50, PROBES)
    assert compare(expected, found, ("reference", "stock")) == (0, None)
    assert (found.traces["w/x1"] > 0).all()


@needs_lava
def test_dense_learning_of_one_sign_is_lavas_own() -> None:
    rule = pair_stdp((1, 0), (1, 0), 8, 8, rng_seed=4)
    rng = np.random.default_rng(8)
    weights = rng.integers(1, 120, (6, 6))
    population = QuantizedPopulation("a", 6, du=900, dv=[99, 99, 500, 99, 500, 99], vth=700)
    network = QuantizedNetwork(
        (QuantizedInput("in", 3), population),
        (
            QuantizedProjection("w", "a", "a", weights, sign_mode="excitatory", learning=rule),
            QuantizedProjection("x", "in", "a", rng.integers(100, 250, (6, 3)), weight_exp=2),
        ),
    )
    inputs = random_input(network, 40)
    expected = simulate(network, inputs, 40, "reference", PROBES)
    found = THREADS.run(network, inputs, 40, PROBES)
    assert compare(expected, found, ("reference", "stock")) == (0, None)
    assert not np.array_equal(found.weights["w"], weights.ravel())


@needs_lava
def test_verify_takes_it_beside_the_others() -> None:
    network, inputs = driven()
    names = ("native", "lava", "lava-stock")
    parity, _ = verify_parity(network, inputs, 12, names, timeout_s=120)
    assert parity.mismatches == 0
    line = "parity: native = lava (fixed_pt) = lava-stock (fixed_pt), 12 steps, 0 mismatches"
    assert parity.line() == line
