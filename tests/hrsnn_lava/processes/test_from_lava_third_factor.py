"""Three-factor rules that stock Processes feed: what is read does what live Lava does."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import third_factor_graphs as graphs
from live_lava import run_script

import hrsnn_lava as hl
from hrsnn_lava.errors import SpecError
from hrsnn_lava.processes.from_lava import from_lava

pytestmark = [
    pytest.mark.lava,
    pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning"),
]
if sys.version_info >= (3, 11):
    pytest.skip("Lava 0.10.0 needs Python 3.10", allow_module_level=True)

SEEDS = range(24)
#: Row of the connection for every neuron of a grid whose rows and columns the ports exchange.
TURNED = np.arange(6).reshape(3, 2).T.ravel()


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All graphs run by Lava itself, in a child of their own."""
    out = tmp_path_factory.mktemp("lava") / "live.npz"
    found: dict[str, Any] = run_script(graphs.__file__, map(str, SEEDS), out, timeout=300)
    return found


def test_generated_graphs_equal_live_lava(live: dict[str, Any]) -> None:
    changed = 0
    for seed in SEEDS:
        graph = graphs.random_graph(seed)
        taken = from_lava(graph.neurons[0], steps=graph.steps)
        (plastic,) = graph.learning
        start = taken.network.projection(plastic.name).weights
        for backend in ("reference", "native"):
            trace = hl.simulate(*taken, backend=backend)
            raster = np.zeros((trace.n_neurons, trace.n_steps), dtype=int)
            raster[trace.spike_neurons, trace.spike_steps] = 1
            theirs = [live[f"{seed}/spikes/{p.name}"] for p in taken.network.compute_populations]
            rasters = np.concatenate([rows.reshape(-1, graph.steps) for rows in theirs])
            np.testing.assert_array_equal(raster, rasters, f"spikes of {seed}")
            matrix = start.copy()
            matrix.data = trace.weights[plastic.name]
            learned = live[f"{seed}/weights/{plastic.name}"]
            if graph.neurons[1].s_out.shape == (2, 3):  # rows are in the order of the neurons
                learned = learned[TURNED]
            np.testing.assert_array_equal(matrix.toarray(), learned, f"weights of {seed}")
        changed += int(np.any(trace.weights[plastic.name] != start.data))
    assert changed > 12


def learner(n: int, name: str = "plastic") -> tuple[Any, Any]:
    """Neurons behind a connection of their own that learns by rewards; `y2` is left open."""
    from lava.proc.dense.process import LearningDense
    from lava.proc.learning_rules.r_stdp_learning_rule import RewardModulatedSTDP
    from lava.proc.lif.process import LIF

    rule = RewardModulatedSTDP(1, 2, -2, 10, 10, 16, 16, 0.5, t_epoch=2, rng_seed=3)
    plastic = LearningDense(weights=np.full((n, 2), 8), learning_rule=rule, name=name)
    pre = LIF(shape=(2,), du=9, dv=9, vth=9, bias_mant=30, bias_exp=6, name=f"pre_of_{name}")
    post = LIF(shape=(n,), du=9, dv=9, vth=9, name=f"post_of_{name}")
    pre.s_out.connect(plastic.s_in)
    plastic.a_out.connect(post.a_in)
    post.s_out.connect(plastic.s_in_bap)
    post.s_out.connect(plastic.s_in_y1)
    return post, plastic


def ring(data: Any) -> Any:
    from lava.proc.io.source import RingBuffer

    return RingBuffer(data=np.asarray(data))


def weigh(weights: Any, name: str, **options: Any) -> Any:
    from lava.proc.dense.process import Dense

    return Dense(weights=np.asarray(weights), name=name, **options)


def test_rule_senders_and_payloads_are_written_down() -> None:
    post, plastic = learner(2)
    ring([[0, -7, 0], [500, 0, 1]]).s_out.connect(plastic.s_in_y2)
    taken = from_lava(post, 5)
    learning = taken.network.projection("plastic").learning
    assert learning.third_factor == hl.ThirdFactor(y1="post_of_plastic", y2="input_1")
    (rule,) = learning.rules
    assert [(t.impulse, t.tau) for t in (rule.y1, rule.y2, rule.y3)] == [(0, 65535)] * 3
    assert rule.equation("dw") == "(1) * 2 ^ 0 * u0 * t * y2"
    assert taken.network.population("input_1").payload_scale == 1
    sent = np.zeros((2, 5), dtype=int)
    sent[taken.inputs.neurons, taken.inputs.steps] = taken.inputs.payloads
    assert sent.tolist() == [[0, -7, 0, 0, -7], [500, 0, 1, 500, 0]]


def test_a_dense_that_feeds_neurons_and_factors_is_a_projection_for_each() -> None:
    post, plastic = learner(2)
    other, second = learner(2, "other")
    reward, both = ring([[3, 0, 9]]), weigh([[5], [6]], "both", num_message_bits=8)
    reward.s_out.connect(both.s_in)
    both.a_out.connect(post.a_in)
    both.a_out.connect(plastic.s_in_y3)
    both.a_out.connect(second.s_in_y2)
    network = from_lava(post, 5).network
    found = {p.name: (p.post, p.target) for p in network.projections if p.pre == "input_1"}
    assert found == {
        "both_to_post_of_plastic": ("post_of_plastic", "synapse"),
        "both_y3_of_plastic": ("post_of_plastic", "factor"),
        "both_y2_of_other": ("post_of_other", "factor"),
    }
    assert network.projection("plastic").learning.third_factor.y3 == "both_y3_of_plastic"
    assert network.projection("other").learning.third_factor.y2 == "both_y2_of_other"
    assert network.projection("both_y2_of_other").weights.toarray().ravel().tolist() == [5, 6]
    assert other is not post


def test_a_dense_that_hears_nothing_sends_nothing() -> None:
    post, plastic = learner(2)
    weigh([[5], [6]], "deaf").a_out.connect(plastic.s_in_y2)
    network = from_lava(post, 5).network
    assert network.projection("plastic").learning.third_factor == hl.ThirdFactor(
        y1="post_of_plastic"
    )
    assert [p.name for p in network.projections] == ["plastic"]


def test_factors_and_learners_behind_transposed_ports_keep_their_neurons() -> None:
    """Element (i, j) of the neurons hears what the Dense sends to it, whatever the order."""
    from lava.proc.dense.process import LearningDense
    from lava.proc.learning_rules.r_stdp_learning_rule import RewardModulatedSTDP
    from lava.proc.lif.process import LIF

    rule = RewardModulatedSTDP(1, 2, -2, 10, 10, 16, 16, 0.5, t_epoch=1, rng_seed=3)
    plastic = LearningDense(weights=np.arange(12).reshape(6, 2), learning_rule=rule, name="p")
    pre, post = LIF(shape=(2,), du=9, dv=9, vth=9), LIF(shape=(2, 3), du=9, dv=9, vth=9)
    pre.s_out.connect(plastic.s_in)
    plastic.a_out.reshape((3, 2)).transpose((1, 0)).connect(post.a_in)
    post.s_out.transpose((1, 0)).flatten().connect(plastic.s_in_bap)
    factor = weigh(np.arange(6)[:, None] * 10, "w")
    pre_reward = ring([[1, 0, 1]])
    pre_reward.s_out.connect(factor.s_in)
    factor.a_out.connect(plastic.s_in_y2)
    network = from_lava(post, 5).network
    # row r of the connection hears row r of the Dense
    for name, rows in (("p", np.arange(12).reshape(6, 2)), ("w", np.arange(6)[:, None] * 10)):
        np.testing.assert_array_equal(network.projection(name).weights.toarray(), rows[TURNED])


def test_a_process_of_ones_own_that_sends_a_reward_is_taken_with_what_it_sends() -> None:
    from lava.magma.core.process.ports.ports import OutPort
    from lava.magma.core.process.process import AbstractProcess

    class Reward(AbstractProcess):  # type: ignore[misc]
        """Anything with a port."""

        def __init__(self) -> None:
            super().__init__()
            self.r_out = OutPort(shape=(2,))

    post, plastic = learner(2)
    reward = Reward()
    reward.r_out.connect(plastic.s_in_y2)
    with pytest.raises(SpecError) as caught:
        from_lava(post, 5)
    (problem,) = caught.value.problems
    assert "which sends the third factor of LearningDense 'plastic' (y1, y2)" in str(problem)
    assert "say what it sends: sources={process.r_out: values}" in str(problem)
    values = np.array([[4, 0, -9, 0], [0, 2**31 - 1, 0, 1]])
    taken = from_lava(post, sources={reward.r_out: values})
    assert taken.steps == 4
    sent = np.zeros((2, 4), dtype=int)
    sent[taken.inputs.neurons, taken.inputs.steps] = taken.inputs.payloads
    np.testing.assert_array_equal(sent, values)
    name = taken.network.input_populations[0].name
    assert taken.network.projection("plastic").learning.third_factor.y2 == name
