"""Training in the chip's integers: engines agree, samples reset, a cut training goes on."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy import sparse
from stdp_networks import noise, recurrent

import hrsnn_lava as hl
from hrsnn_lava.chip_learning import Factor, LearningRule, Product, Trace, pair_stdp
from hrsnn_lava.compiler.learning.lowering import LowerSTDP
from hrsnn_lava.compiler.passes.quantize import Quantize, quantize
from hrsnn_lava.errors import SpecError
from hrsnn_lava.plasticity import Schedule
from hrsnn_lava.sim_backends.lava.backend import lava_obstacle
from hrsnn_lava.sim_backends.runs.session import Session, simulate
from hrsnn_lava.sim_backends.state import at_rest
from hrsnn_lava.third_factor import RECEIVED_TAU
from hrsnn_lava.training.chip_stdp import ChipTraining, learned_network, train_on_chip
from hrsnn_lava.training.monitoring import Monitoring

LESSON = [noise(k, 25 + 4 * k, 10, 0.2) for k in range(4)]
PLAIN = Schedule(potentials="rest", shuffle=False)


@cache
def program():
    """A program that learns with several profiles and tags."""
    network = recurrent(0, n=20, het=True)
    return quantize(network, Quantize(stdp=LowerSTDP(max_profiles=2, headroom=16.0, seed=1)))[0]


def same(first, second):
    assert first.keys() == second.keys()
    for name, weights in first.items():
        assert np.array_equal(weights, second[name]), name


@pytest.mark.parametrize("reset", ["sample", "none"])
def test_engines_learn_the_same_bits(reset):
    net, schedule = program(), Schedule(reset=reset, silence=4)
    given = {"options": ChipTraining(schedule=schedule), "seed": 5}
    native = train_on_chip(net, LESSON, **given)
    reference = train_on_chip(net, LESSON, backend="reference", **given)
    same(native.weights, reference.weights)
    assert native.outline.counts.tolist() == reference.outline.counts.tolist()
    assert native.history.table() == reference.history.table()
    assert native.outline.counts.sum() > 50
    moved = native.weights["exc_exc"] != net.projection("exc_exc").effective_weights().data
    assert moved.mean() > 0.2
    other = train_on_chip(net, LESSON, ChipTraining(schedule=schedule), seed=6)
    assert not np.array_equal(other.weights["exc_exc"], native.weights["exc_exc"])


def test_a_sample_starts_from_rest_with_the_weights_of_the_one_before():
    net = program()
    trained = train_on_chip(net, LESSON, ChipTraining(schedule=PLAIN))
    with Session(net) as session:  # the same by hand
        spikes = 0
        for recording in LESSON:
            state = session.state()
            arrays = at_rest(state.arrays)
            assert not any(arrays[key].any() for key in ("u", "v", "waiting", "pending"))
            assert not any(a.any() for k, a in arrays.items() if k.endswith(("/x", "/y", "/tx")))
            session.restore(replace(state, arrays=arrays))
            spikes += session.quiet_run(recording).n_spikes
        same(trained.weights, session.weights())
        assert session.step == sum(r.n_steps for r in LESSON)
    assert trained.outline.counts.sum() == spikes


def test_without_a_reset_it_is_one_run():
    net = program()
    trained = train_on_chip(net, LESSON, ChipTraining(schedule=replace(PLAIN, reset="none")))
    firsts = np.cumsum([0, *(r.n_steps for r in LESSON)])
    at = np.concatenate([r.steps + f for r, f in zip(LESSON, firsts[:-1], strict=True)])
    who = np.concatenate([r.neurons for r in LESSON])
    trace = simulate(net, hl.SpikeInput(at, who, int(firsts[-1]), 10))
    same(trained.weights, trace.weights)
    assert trained.outline.counts.tolist() == trace.counts().tolist()


@pytest.mark.lava
@pytest.mark.skipif(lava_obstacle() is not None, reason=str(lava_obstacle()))
def test_lava_learns_the_same_in_one_run():
    net = program()
    given = {"options": ChipTraining(schedule=replace(PLAIN, reset="none", silence=3))}
    lava = train_on_chip(net, LESSON[:2], backend="lava", **given)
    same(lava.weights, train_on_chip(net, LESSON[:2], **given).weights)


def test_what_an_engine_without_states_cannot_do_is_refused(tmp_path):
    with pytest.raises(SpecError, match=r"schedule.reset: 'sample' on lava"):
        train_on_chip(program(), LESSON, backend="lava")
    with pytest.raises(SpecError, match="checkpoint: given; allowed: None on lava"):
        train_on_chip(
            program(),
            LESSON,
            ChipTraining(schedule=Schedule(reset="none")),
            backend="lava",
            monitoring=Monitoring(checkpoint=tmp_path / "c"),
        )


def test_frozen_weights_act_as_they_were_learned():
    trained = train_on_chip(program(), LESSON, seed=1)
    for name, learned in trained.weights.items():
        if "/" in name:
            continue
        before = program().projection(name).weights
        whole = sparse.csr_matrix((learned, before.indices, before.indptr), before.shape)
        frozen = trained.network.projection(name)
        assert frozen.learning is None
        assert (frozen.effective_weights() != whole).nnz == 0
    held = simulate(trained.network, LESSON[0])
    assert held.weights == {}


def test_rules_can_stay_and_go_on_to_learn():
    net = program()
    first = train_on_chip(net, LESSON, ChipTraining(schedule=PLAIN, freeze=False))
    for name, learned in first.weights.items():
        if "/" not in name:
            assert first.network.projection(name).weights.data.tolist() == learned.tolist()
    second = train_on_chip(first.network, LESSON, ChipTraining(schedule=PLAIN))
    assert not np.array_equal(second.weights["exc_exc"], first.weights["exc_exc"])
    # a weight that became 0 may grow again
    gone = {**first.weights, "exc_exc": np.zeros_like(first.weights["exc_exc"])}
    third = train_on_chip(learned_network(net, gone, freeze=False), LESSON)
    assert third.weights["exc_exc"].size == gone["exc_exc"].size
    assert (third.weights["exc_exc"] > 0).any()


def test_a_frozen_weight_that_is_off_its_grid_is_told():
    rule = pair_stdp((1, -2), (1, -2), 20.0, 20.0, impulse=16.0, rng_seed=1)
    neurons = hl.QuantizedPopulation("a", 20, du=400, dv=300, vth=100, bias_mant=900)
    rng = np.random.default_rng(0)
    plastic = hl.QuantizedProjection(
        "r", "a", "a", 2 * rng.integers(1, 30, (20, 20)), learning=rule
    )
    drive = hl.QuantizedProjection("i", "inp", "a", rng.integers(0, 250, (20, 10)), 0, "excitatory")
    net = hl.QuantizedNetwork((hl.QuantizedInput("inp", 10), neurons), (drive, plastic)).verify()
    trained = train_on_chip(net, LESSON)
    odd = int(np.sum(trained.weights["r"] % 2 != 0))
    told = [f for f in trained.findings if f.kind == "training_frozen"]
    assert odd > 0
    assert f"{odd} of 400 weights" in told[0].measured
    assert not [
        f
        for f in train_on_chip(net, LESSON, ChipTraining(freeze=False)).findings
        if f.kind == "training_frozen"
    ]


class CutError(Exception):
    """What stands for a kill."""


@pytest.mark.parametrize("reset", ["sample", "none"])
def test_a_training_that_is_cut_goes_on_with_the_same_bits(tmp_path, reset):
    net, path = program(), tmp_path / "t.hlx"
    given = {
        "options": ChipTraining(epochs=3, schedule=Schedule(reset=reset, silence=3)),
        "seed": 5,
    }
    undisturbed = train_on_chip(net, LESSON, monitoring=Monitoring(every=2), **given)
    kept = Monitoring(every=2, checkpoint=path, resume=True)
    for end in (0.3, 0.5, 0.9):

        def show(_, fraction, end=end):
            if fraction > end:
                raise CutError

        with pytest.raises(CutError):
            train_on_chip(net, LESSON, progress=show, monitoring=kept, **given)
    resumed = train_on_chip(net, LESSON, monitoring=kept, **given)
    assert resumed.outline.resumed >= 8
    same(undisturbed.weights, resumed.weights)
    assert resumed.history.table() == undisturbed.history.table()
    assert resumed.network.digest == undisturbed.network.digest


def test_held_values_go_in_by_their_scale():
    spec = hl.Spec.parse(
        {"network": {"size": 30, "connectivity": {"mean_degree": 6.0}}, "stdp": {"on_chip": True}}
    )
    net = quantize(hl.build_hrsnn(spec), Quantize(stdp=LowerSTDP(headroom=16.0)))[0]
    values = np.random.default_rng(0).normal(size=(12, 3))
    trained = train_on_chip(net, values, ChipTraining(schedule=PLAIN, steps_per_sample=20))
    scale = net.input_populations[0].payload_scale
    trace = simulate(net, hl.SpikeInput.held(np.rint(values * scale), 20))
    same(trained.weights, trace.weights)


@pytest.mark.parametrize("freeze", [True, False])
def test_a_third_factor_teaches_too(freeze):
    rewarded = LearningRule(
        dt=(Product("y0", 2, 0, (Factor("x1"),)), Product("u", -1, -1, (Factor("t"),))),
        dw=(Product("u", 1, 0, (Factor("t"), Factor("y2"))),),
        x1=Trace(16, 10),
        y2=Trace(0, RECEIVED_TAU),
        decimate_exponent=0,
    )
    learning = hl.Learning((rewarded,), third_factor=hl.ThirdFactor(y2="to_all"))
    neurons = hl.QuantizedPopulation("a", 4, du=400, dv=300, vth=200, bias_mant=3000)
    net = hl.QuantizedNetwork(
        (hl.QuantizedInput("reward", 1, payload_scale=1.0), neurons),
        (
            hl.QuantizedProjection("r", "a", "a", np.full((4, 4), 20), learning=learning),
            hl.QuantizedProjection(
                "to_all", "reward", "a", np.full((4, 1), 2), num_message_bits=8, target="factor"
            ),
        ),
    ).verify()
    rewards = hl.SpikeInput([20, 40, 60, 80], [0] * 4, 100, 1, [3, -20, 0, 4])
    given = {"inputs": [rewards] * 2, "options": ChipTraining(freeze=freeze), "seed": 1}
    native = train_on_chip(net, **given)
    same(native.weights, train_on_chip(net, backend="reference", **given).weights)
    assert set(native.weights) == {
        "r",
        "r/tag_1",
    }  # tags are learned, and stay from sample to sample
    assert np.any(native.weights["r"] != 20)
    assert len(native.network.projections) == (1 if freeze else 2)


def test_faults():
    fixed = quantize(recurrent(0).without_plasticity(), Quantize())[0]
    with pytest.raises(SpecError, match="no projection learns"):
        train_on_chip(fixed, LESSON)
    with pytest.raises(SpecError, match="9 channels; allowed: 10"):
        train_on_chip(program(), noise(0, 10, 9))
    with pytest.raises(SpecError, match="epochs: 0; allowed: >= 1"):
        ChipTraining(epochs=0)
