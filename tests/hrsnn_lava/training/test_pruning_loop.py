"""Pruning in iterations: budgets are met, ends end it, a killed one ends with the same bits."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hrsnn_lava as hl
from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.passes.delocalize import Delocalize
from hrsnn_lava.compiler.passes.prune_balanced import PruneBalanced
from hrsnn_lava.compiler.passes.prune_lyapunov import PruneLyapunov
from hrsnn_lava.compiler.passes.prune_magnitude import PruneMagnitude
from hrsnn_lava.compiler.passes.prune_neurons import PruneNeurons
from hrsnn_lava.compiler.passes.prune_random import PruneRandom
from hrsnn_lava.errors import CapacityError, SpecError
from hrsnn_lava.training.aftercare import AftercareOptions
from hrsnn_lava.training.balance import GENTLE
from hrsnn_lava.training.loop_checkpoints import Checkpointing, checkpoints
from hrsnn_lava.training.loop_ends import Fits, LossRises
from hrsnn_lava.training.loop_plan import PruningLoop
from hrsnn_lava.training.pruning_loop import run_loop
from hrsnn_lava.training.simulation import Stimulus

CARE = AftercareOptions(balance=replace(GENTLE, passes=3))


def build(size=60, degree=12.0, seed=1):
    table = {"size": size, "connectivity": {"mean_degree": degree}}
    return hl.build_hrsnn(hl.Spec.parse({"network": table}), seed=seed)


def shown(network, blocks=40):
    return Stimulus(np.random.default_rng(0).standard_normal((blocks, network.n_inputs)), 10)


@pytest.fixture(scope="module")
def network():
    return build()


@pytest.fixture(scope="module")
def lesson(network):
    return shown(network)


@pytest.mark.parametrize("method", [PruneRandom, PruneBalanced, PruneMagnitude, PruneLyapunov])
def test_the_last_iteration_meets_a_density(network, lesson, method):
    loop = PruningLoop(method(density=0.1), 4, aftercare=None)
    result = run_loop(network, loop, lesson, seed=5)
    counts = [row["synapses"] for row in result.rows]
    assert len(counts) == 5
    spread = 4 * np.sqrt(0.1 * counts[0]) if method is PruneLyapunov else 1
    assert counts[-1] == pytest.approx(0.1 * counts[0], abs=spread)
    # equal factors
    ratios = np.diff(np.log(counts))
    assert np.all(ratios < 0)
    if method is not PruneLyapunov:
        np.testing.assert_allclose(ratios, np.log(0.1) / 4, atol=0.05)
    assert result.why == "all of the 4 iterations are done"
    assert result.iteration == 4
    assert result.network.n_synapses == result.record.after["synapses"]


def test_sops_are_counted_with_the_rates_of_the_time(network, lesson):
    loop = PruningLoop(PruneRandom(sops_per_spike=1.5), 3, aftercare=CARE)
    result = run_loop(network, loop, lesson, seed=2)
    edges = recurrent_edges(result.network)
    kept = result.record.report["rows"][-1]
    assert kept["sops"] == pytest.approx(result.rates[edges.pre].sum(), rel=1e-6)
    # rates differ a little before and after the last aftercare
    assert kept["sops"] == pytest.approx(1.5 * kept["spikes"], rel=0.15)
    assert kept["spikes"] == pytest.approx(result.rates.sum())
    assert {"rate_error", "gain", "spikes"} <= set(kept)


def test_covers_of_covers_leave_every_neuron_an_input(network, lesson):
    loop = PruningLoop(PruneBalanced(density=60 / recurrent_edges(network).n_edges), 6)
    result = run_loop(network, replace(loop, aftercare=None), lesson, seed=3)
    edges = recurrent_edges(result.network)
    assert np.unique(edges.post).size == np.unique(edges.pre).size == 60
    assert result.rows[-1]["without_input"] == result.rows[-1]["without_output"] == 0


@pytest.mark.parametrize("seed", range(4))
def test_a_cover_fits_the_spikes_of_the_last_iteration(network, lesson, seed):
    loop = PruningLoop(PruneBalanced(sops_per_spike=1.0), 3, aftercare=CARE)
    result = run_loop(network, loop, lesson, seed=seed)
    last = result.rows[-1]
    assert (last["synapses"], last["without_input"], last["without_output"]) == (60, 0, 0)


def test_neurons_leave_over_all_iterations_and_what_is_added_is_taken_off_first(network, lesson):
    loop = PruningLoop(
        PruneRandom(density=0.3),
        5,
        before=(PruneNeurons(fraction=0.4, score="random"),),
        after=(Delocalize(share=0.1, objective="random"),),
        aftercare=None,
    )
    result = run_loop(network, loop, lesson, seed=4)
    neurons = [row["neurons"] for row in result.rows]
    assert neurons[0] == 60
    assert neurons[-1] == 36
    assert all(a > b for a, b in pairwise(neurons))
    assert result.survivors.size == 36
    assert np.all(np.diff(result.survivors) > 0)
    whole = result.rows[0]["synapses"]
    assert result.rows[-1]["synapses"] == pytest.approx(0.3 * whole, rel=0.03)
    # what stands there for a neuron is what the unpruned network has for it
    tau = network.gather("tau_mem")[result.survivors]
    np.testing.assert_array_equal(result.network.gather("tau_mem"), tau)


def test_neurons_that_go_to_a_budget_go_in_equal_parts(network, lesson):
    step = PruneNeurons(sop_ratio=8.0, score="activity", connected=False)
    result = run_loop(network, PruningLoop(step, 4, aftercare=None), lesson, seed=4)
    sops = [row["sops"] for row in result.rows]
    neurons = [row["neurons"] for row in result.rows]
    assert sops[-1] <= sops[0] / 8 * 1.3
    assert all(a > b for a, b in pairwise(neurons))
    assert sops[1] > 0.3 * sops[0]


def test_one_iteration_is_the_pass_itself(network, lesson):
    step = PruneMagnitude(density=0.2)
    result = run_loop(network, PruningLoop(step, 1, aftercare=None), lesson)
    assert result.network.digest == step(network).digest


def test_every_iteration_draws_anew(network, lesson):
    loop = PruningLoop(PruneRandom(density=0.25, seed=9), 2, aftercare=None)
    first = run_loop(network, loop, lesson, seed=1).network
    assert first.digest != PruneRandom(density=0.25, seed=9)(network).digest
    assert run_loop(network, loop, lesson, seed=1).network.digest == first.digest
    assert run_loop(network, loop, lesson, seed=2).network.digest != first.digest


def test_a_loss_that_rises_ends_with_the_network_before(network, lesson):
    def loss(candidate):
        return 1.0 + (candidate.n_synapses < 0.5 * network.n_synapses)

    ends = (LossRises(loss, 1.5),)
    loop = PruningLoop(PruneMagnitude(density=0.01), 10, ends=ends, aftercare=None)
    result = run_loop(network, loop, lesson)
    assert result.iteration == len(result.rows) - 2
    assert result.rows[-1]["loss"] == 2.0
    assert result.rows[result.iteration]["loss"] == 1.0
    assert recurrent_edges(result.network).n_edges == result.rows[result.iteration]["synapses"]
    assert result.why == "the loss, 2, is above 1.5, what is tolerated where it is 1 unpruned"


@pytest.mark.parametrize(("tolerated", "taken"), [(1.0, 0), (1.2, 1), (1.6, 3), (3.0, 3)])
def test_a_negative_loss_is_tolerated_the_more_the_larger_the_tolerance(
    network, lesson, tolerated, taken
):
    losses = iter([-1.0, -0.9, -0.7, -0.5])
    ends = (LossRises(lambda _: next(losses), tolerated),)
    loop = PruningLoop(PruneMagnitude(density=0.1), 3, ends=ends, aftercare=None)
    result = run_loop(network, loop, lesson)
    assert result.iteration == taken
    told = [(finding.kind, finding.severity) for finding in result.record.findings]
    assert (("loop_pruned_nothing", "warning") in told) == (taken == 0)


def test_a_task_without_a_loss_cannot_end_a_loop(network, lesson):
    ends = (LossRises(lambda _: None, 1.5),)
    loop = PruningLoop(PruneMagnitude(density=0.5), 2, ends=ends)
    with pytest.raises(SpecError, match="no validation loss"):
        run_loop(network, loop, lesson)


def small_chip(cores, **limits):
    """A chip of a few small cores."""
    chip = hl.HardwareProfile.load("loihi1").with_cores(cores)
    changed = {
        name: getattr(chip.core, name).model_copy(update={"value": value})
        for name, value in limits.items()
    }
    return chip.model_copy(update={"core": chip.core.model_copy(update=changed)})


def test_a_loop_ends_at_what_fits(network, lesson, tmp_path):
    chip = small_chip(2, neurons=20, synapses=150)
    with pytest.raises(CapacityError):
        hl.compile(network, chip)
    loop = PruningLoop(PruneRandom(density=0.5**8), 8, ends=(Fits(chip),), aftercare=None)
    result = run_loop(network, loop, lesson, keep=Checkpointing(tmp_path))
    assert result.rows[0]["fits"] is False
    assert result.rows[0]["broken"]
    assert result.rows[-1]["fits"] is True
    assert result.network.n_neurons == 40
    assert 0 < result.iteration < 8
    assert result.why == "fits loihi1 on 2 of 2 cores"
    assert hl.compile(result.network, chip).placement.n_cores == 2
    again = run_loop(network, loop, lesson, keep=Checkpointing(tmp_path, True))
    assert again.network.digest == result.network.digest
    assert again.record == result.record


def test_what_is_no_matter_of_counts_is_refused_at_once(network, lesson):
    chip = hl.HardwareProfile.load("truenorth")
    loop = PruningLoop(PruneRandom(density=0.1), 4, ends=(Fits(chip),), aftercare=None)
    told = []
    with pytest.raises(CapacityError) as caught:
        run_loop(network, loop, lesson, progress=lambda *a: told.append(a))
    assert not told
    assert "weight_bits_range" in {v.rule for v in caught.value.violations}


def test_a_network_that_fits_is_left_alone(network, lesson):
    chip = hl.HardwareProfile.load("loihi1")
    loop = PruningLoop(PruneRandom(density=0.1), 4, ends=(Fits(chip),))
    result = run_loop(network, loop, lesson)
    assert result.network.digest == network.digest
    assert result.iteration == 0
    assert len(result.rows) == 1
    (told,) = result.record.findings
    assert (told.kind, told.severity) == ("loop_pruned_nothing", "note")


def test_a_network_that_sends_nothing_is_pruned_and_told_of(network, lesson):
    silent = network.with_biases(np.full(network.n_neurons, -100.0))
    result = run_loop(silent, PruningLoop(PruneRandom(sops_per_spike=1.0), 2), lesson, seed=5)
    assert result.rows[-1]["synapses"] == network.n_neurons
    assert [finding.kind for finding in result.record.findings] == ["loop_silent"]


def test_what_never_fits_is_refused_and_its_checkpoints_stay(network, lesson, tmp_path):
    few = small_chip(2, neurons=40, synapses=3)
    loop = PruningLoop(PruneRandom(density=0.5), 2, ends=(Fits(few),), aftercare=None)
    for resume in (False, True):
        with pytest.raises(CapacityError) as caught:
            run_loop(network, loop, lesson, keep=Checkpointing(tmp_path, resume))
        assert caught.value.violations
    assert len(checkpoints(tmp_path)) == 3


def interrupted_at(call):
    """Progress that is interrupted at its so manieth call."""
    calls = iter(range(call, -1, -1))

    def progress(*_):
        if not next(calls, 1):
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("call", [1, 5, 8])
def test_an_interrupted_loop_ends_with_the_same_bits(network, lesson, tmp_path, call):
    loop = PruningLoop(
        PruneBalanced(density=0.05),
        4,
        before=(PruneNeurons(fraction=0.2),),
        after=(Delocalize(share=0.05),),
        aftercare=CARE,
    )
    whole = run_loop(network, loop, lesson, seed=6)
    with pytest.raises(KeyboardInterrupt):
        run_loop(
            network,
            loop,
            lesson,
            seed=6,
            keep=Checkpointing(tmp_path),
            progress=interrupted_at(call),
        )
    result = run_loop(network, loop, lesson, seed=6, keep=Checkpointing(tmp_path, True))
    assert result.network.digest == whole.network.digest
    assert result.record == whole.record
    assert result.rows == whole.rows
    assert [list(row) for row in result.rows] == [list(row) for row in whole.rows]
    np.testing.assert_array_equal(result.rates, whole.rates)
    assert len(checkpoints(tmp_path)) == 5


def test_a_damaged_checkpoint_is_passed_over_and_told(network, lesson, tmp_path):
    loop = PruningLoop(PruneRandom(density=0.1), 3, aftercare=None)
    whole = run_loop(network, loop, lesson, keep=Checkpointing(tmp_path))
    last = checkpoints(tmp_path)[-1]
    last.write_bytes(last.read_bytes()[:-7])
    told = []
    result = run_loop(
        network,
        loop,
        lesson,
        keep=Checkpointing(tmp_path, True),
        progress=lambda *a: told.append(a[0]),
    )
    assert result.resumed == 2
    assert result.network.digest == whole.network.digest
    assert any(text.startswith("passed over: ") and last.name in text for text in told)


def test_checkpoints_of_another_loop_are_refused_and_stay(network, lesson, tmp_path):
    loop = PruningLoop(PruneRandom(density=0.5), 2, aftercare=None)
    run_loop(network, loop, lesson, keep=Checkpointing(tmp_path))
    before = [path.read_bytes() for path in checkpoints(tmp_path)]
    others = (
        (network, replace(loop, iterations=3), lesson, 0),
        (network, replace(loop, step=PruneRandom(density=0.4)), lesson, 0),
        (network, replace(loop, aftercare=CARE), lesson, 0),
        (network, replace(loop, after=(Delocalize(share=0.1),)), lesson, 0),
        (network, loop, shown(network, 41), 0),
        (network, loop, lesson, 1),
        (build(seed=2), loop, lesson, 0),
    )
    for other, its_loop, its_lesson, seed in others:
        for resume in (False, True):
            with pytest.raises(SpecError, match="checkpoints are of another loop"):
                run_loop(
                    other, its_loop, its_lesson, seed=seed, keep=Checkpointing(tmp_path, resume)
                )
    assert [path.read_bytes() for path in checkpoints(tmp_path)] == before


def test_without_resume_the_same_loop_starts_anew(network, lesson, tmp_path):
    loop = PruningLoop(PruneRandom(density=0.5), 2, aftercare=None)
    first = run_loop(network, loop, lesson, keep=Checkpointing(tmp_path))
    again = run_loop(network, loop, lesson, keep=Checkpointing(tmp_path))
    assert again.resumed == 0
    assert again.network.digest == first.network.digest


def test_a_loop_without_iterations_is_refused():
    with pytest.raises(SpecError, match="iterations: 0; allowed: >= 1"):
        PruningLoop(PruneRandom(density=0.5), 0)


@settings(max_examples=15, deadline=None)
@given(
    density=st.floats(0, 1),
    iterations=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_any_density_is_met(network, lesson, density, iterations, seed):
    loop = PruningLoop(PruneRandom(density=density), iterations, aftercare=None)
    result = run_loop(network, loop, lesson, seed=seed)
    whole = result.rows[0]["synapses"]
    assert result.rows[-1]["synapses"] == pytest.approx(density * whole, abs=1)


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_pruning_loop as t
network = t.build()
loop = t.PruningLoop(t.PruneBalanced(density=0.02), 20, aftercare=t.CARE)
result = t.run_loop(
    network, loop, t.shown(network), seed=8, keep=t.Checkpointing(Path(sys.argv[2]), True),
)
print(result.network.digest)
"""


def killed_and_resumed(folder, kills, seed):
    """Digest after so many kills at random moments, and how many of them hit a loop at work."""
    rng, hit = random.Random(seed), 0
    here = os.path.dirname(__file__)
    command = [sys.executable, "-c", SCRIPT, here, str(folder)]
    for _ in range(kills):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        there = len(checkpoints(folder)) if folder.is_dir() else 0
        until = time.monotonic() + 60
        # from its first new checkpoint on, so that there is something to kill
        while process.poll() is None and time.monotonic() < until:
            if folder.is_dir() and len(checkpoints(folder)) > there:
                break
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.05))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            hit += 1
        process.communicate()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip(), hit


@pytest.mark.parametrize(
    "kills", [pytest.param(1, id="once"), pytest.param(20, id="many", marks=pytest.mark.slow)]
)
def test_kill_9_at_random_moments_changes_no_bit(tmp_path, kills):
    network = build()
    loop = PruningLoop(PruneBalanced(density=0.02), 20, aftercare=CARE)
    whole = run_loop(network, loop, shown(network), seed=8)
    digest, hit = killed_and_resumed(tmp_path / "c", kills, seed=kills)
    assert digest == whole.network.digest
    assert hit >= kills // 2
