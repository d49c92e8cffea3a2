"""What `from_lava` does not take is named, all at once, with what to do."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava.errors import SpecError
from hrsnn_lava.processes.from_lava import from_lava


class NoProcess:
    """Something else."""


@pytest.mark.parametrize("wrong", [NoProcess(), None, 3, "lif"])
def test_what_is_no_process_is_refused_on_every_python(wrong: Any) -> None:
    with pytest.raises(
        SpecError, match=f"a Lava Process is expected; found: {type(wrong).__name__}"
    ):
        from_lava(wrong)


def lif(n: int = 2, **options: Any) -> Any:
    from lava.proc.lif.process import LIF

    return LIF(shape=(n,), **{"du": 1, "dv": 1, "vth": 9, "name": "exc"} | options)


def refusal(process: Any, steps: int | None = 5) -> list[str]:
    with pytest.raises(SpecError, match="this Lava graph cannot be taken") as caught:
        from_lava(process, steps)
    return [str(problem) for problem in caught.value.problems]


def connection(**options: Any) -> Any:
    from lava.proc.dense.process import Dense

    return Dense(**{"weights": np.ones((2, 2)), "name": "conn"} | options)


@pytest.mark.lava
def test_neurons_without_a_counterpart() -> None:
    from lava.proc.lif.process import LIFRefractory, LIFReset, TernaryLIF

    common = {"shape": (2,), "du": 0, "dv": 0}
    others = [
        LIFRefractory(name="a", refractory_period=2, **common),
        LIFReset(name="b", **common),
        TernaryLIF(name="c", **common),
    ]
    good = lif()
    for other in others:
        conn = connection()
        other.s_out.connect(conn.s_in)
        conn.a_out.connect(good.a_in)
    assert refusal(good) == [
        "LIFRefractory 'a': Lava has no fixed-point model of it. "
        "Use HeterogeneousLIF(refractory=...)",
        "LIFReset 'b': the clock resets its state. Run every sample by itself, from rest",
        "TernaryLIF 'c': its spikes have a sign. Use two populations of LIF",
    ]


@pytest.mark.lava
def test_a_class_of_the_users_own_is_refused_unless_it_only_listens() -> None:
    from lava.magma.core.process.ports.ports import InPort, OutPort
    from lava.magma.core.process.process import AbstractProcess
    from lava.proc.lif.process import LIF

    class Own(AbstractProcess):
        def __init__(self) -> None:
            super().__init__(name="own")
            self.a_in, self.s_out = InPort(shape=(2,)), OutPort(shape=(2,))

    class OwnLIF(LIF):
        """May have a model of its own."""

    heard, spoken, good, mine = Own(), Own(), lif(), OwnLIF(shape=(2,), name="mine")
    good.s_out.connect(heard.a_in)
    spoken.s_out.connect(good.a_in)
    conn = connection()
    mine.s_out.connect(conn.s_in)
    conn.a_out.connect(good.a_in)
    assert refusal(good) == [
        "Own 'own': a Process of your own, and Lava finds no ProcessModel of it. Pass its inner "
        "Processes, or give it a SubProcessModel of Lava's own Processes",
        "OwnLIF 'mine': a Process of your own, and Lava finds no ProcessModel of it. Use LIF "
        "itself; or say what it sends: sources={process.s_out: values}",
    ]


@pytest.mark.lava
def test_what_a_refused_process_would_do_is_no_second_problem() -> None:
    """Neither a missing length nor learning that hears nobody."""
    from lava.magma.core.process.ports.ports import InPort, OutPort
    from lava.magma.core.process.process import AbstractProcess
    from lava.proc.dense.process import LearningDense

    class Own(AbstractProcess):
        def __init__(self) -> None:
            super().__init__(name="own")
            self.a_in, self.s_out = InPort(shape=(2,)), OutPort(shape=(2,))

    before, learns = plastic()
    own = Own()
    after = LearningDense(weights=np.ones((2, 2)), learning_rule=rule(), name="after")
    before.s_out.connect(learns.s_in_bap)
    before.s_out.connect(after.s_in)
    after.a_out.connect(own.a_in)
    own.s_out.connect(after.s_in_bap)
    assert len(refusal(before, None)) == 1


@pytest.mark.lava
def test_a_process_of_the_users_is_named_where_no_neurons_are_left() -> None:
    from lava.magma.core.process.ports.ports import InPort, OutPort
    from lava.magma.core.process.process import AbstractProcess
    from lava.proc.io.source import RingBuffer

    class Layer(AbstractProcess):
        def __init__(self) -> None:
            super().__init__(name="layer")
            self.s_in, self.s_out = InPort(shape=(4,)), OutPort(shape=(3,))

    source, layer = RingBuffer(data=np.ones((4, 10), int)), Layer()
    source.s_out.connect(layer.s_in)
    for start in (source, layer):
        (found,) = refusal(start, None)
        assert found.startswith("Layer 'layer': a Process of your own, and Lava finds no")
        assert "Pass its inner Processes" in found


@pytest.mark.lava
def test_parameters_that_the_fixed_point_models_do_not_take() -> None:
    found = refusal(lif(du=0.5, dv=np.zeros(3, int), vth=4.0, u=[0, 1]))
    assert found == [
        "LIF 'exc'.du: float64 values; allowed: integers, as for select_tag='fixed_pt'",
        "LIF 'exc'.dv: shape (3,); allowed: () or (2,)",
        "LIF 'exc'.vth: float64 values; allowed: integers, as for select_tag='fixed_pt'",
        "LIF 'exc'.u: not 0 at the start; allowed: a start from rest",
    ]


@pytest.mark.lava
def test_ranges_are_those_of_the_integer_network() -> None:
    found = refusal(lif(vth=2**17, bias_mant=5000, bias_exp=-1))
    assert [line.split(";")[0] for line in found] == [
        "population 'exc'.vth: 131072 at neuron 0 (2 in all)",
        "population 'exc'.bias_mant: 5000 at neuron 0 (2 in all)",
        "population 'exc'.bias_exp: -1 at neuron 0 (2 in all)",
    ]


@pytest.mark.lava
def test_a_graph_without_neurons_names_no_sink_of_lava() -> None:
    from lava.proc.io.sink import RingBuffer as Sink
    from lava.proc.io.source import RingBuffer

    source, sink = RingBuffer(data=np.ones((2, 3), int)), Sink(shape=(2,), buffer=3)
    source.s_out.connect(sink.a_in)
    assert [line.split(";")[0] for line in refusal(source)] == [
        "populations: no population of neurons"
    ]


@pytest.mark.lava
def test_links_of_another_kind() -> None:
    from lava.proc.io.source import RingBuffer

    first, second, data = lif(name="a"), lif(name="b"), RingBuffer(data=np.ones((2, 3), int))
    first.s_out.connect(second.a_in)
    data.s_out.connect(second.a_in)
    both = connection()
    first.s_out.connect(both.s_in)
    second.s_out.connect(both.s_in)
    both.a_out.connect(second.a_in)
    name = f"RingBuffer {data.name!r}.s_out"
    assert refusal(first) == [
        "LIF 'a'.s_out -> LIF 'b'.a_in: a link of another kind; allowed: neurons and connections "
        "in turn. Put a Dense between",
        f"{name} -> LIF 'b'.a_in: a link of another kind; allowed: neurons and connections in "
        "turn. Put a Dense between",
        "Dense 'conn'.s_in: 2 senders, which Lava adds up before it weighs them; allowed: one. "
        "Use a connection for each",
    ]


@pytest.mark.lava
def test_concatenated_ports() -> None:
    first, second, third = lif(name="a"), lif(name="b"), lif(4, name="c")
    conn = connection(weights=np.ones((4, 4)))
    first.s_out.concat_with(second.s_out, 0).connect(conn.s_in)
    conn.a_out.connect(third.a_in)
    found = refusal(third)
    assert "LIF 'a'.s_out -> Dense 'conn'.s_in: concatenated ports" in found[0]


@pytest.mark.lava
def test_synapses_that_lava_drops_or_adds_differently() -> None:
    from lava.proc.io.source import RingBuffer
    from lava.proc.sparse.process import DelaySparse, Sparse
    from lava.utils.weightutils import SignMode

    target, data = lif(), RingBuffer(data=np.full((2, 1), 2**24))
    doubled = sparse.csr_matrix((2, 2), dtype=int)
    doubled.data, doubled.indices = np.array([1, 2]), np.array([0, 0])
    doubled.indptr = np.array([0, 2, 2])
    delays = sparse.csr_matrix(np.array([[3, 0], [0, 1]]))
    connections = [
        Sparse(weights=doubled, name="twice"),
        DelaySparse(weights=sparse.eye(2, format="csr"), delays=delays, max_delay=1, name="late"),
        connection(sign_mode=SignMode.NULL, name="null"),
        connection(weights=np.full((2, 2), 200), num_message_bits=8, weight_exp=-1, name="big"),
    ]
    for conn in connections:
        data.s_out.connect(conn.s_in)
        conn.a_out.connect(target.a_in)
    assert refusal(target) == [
        "Sparse 'twice'.weights: 1 entries at places of others; allowed: one entry for a synapse",
        "DelaySparse 'late'.max_delay: 1, below a delay of 3, whose synapses Lava drops; "
        "allowed: >= 3",
        "Dense 'null'.sign_mode: SignMode.NULL; allowed: MIXED, EXCITATORY or INHIBITORY",
        "Dense 'big'.weights: sums of payloads up to 6710886400; allowed: 32 bits",
    ]


def rule() -> Any:
    """A rule of two factors."""
    from lava.magma.core.learning.learning_rule import Loihi2FLearningRule

    return Loihi2FLearningRule(dw="x0 * y1", y1_tau=5, y1_impulse=4, rng_seed=1)


def plastic(**options: Any) -> Any:
    """A neuron that learns from itself: ``(neuron, connection)``."""
    from lava.proc.dense.process import LearningDense

    given = {"weights": np.full((2, 2), 8), "learning_rule": rule(), "name": "plastic"} | options
    neuron, conn = lif(du=9), LearningDense(**given)
    neuron.s_out.connect(conn.s_in)
    conn.a_out.connect(neuron.a_in)
    return neuron, conn


@pytest.mark.lava
def test_learning_that_hears_nobody_or_somebody_else() -> None:
    neuron, conn = plastic()
    (silent,) = refusal(neuron)
    assert silent == (
        "LearningDense 'plastic': a_out feeds LIF 'exc', s_in_bap hears nothing; allowed: one "
        "population of neurons, the same at both"
    )
    other = lif(name="other")
    other.s_out.connect(conn.s_in_bap)
    (wrong,) = refusal(neuron)
    assert "a_out feeds LIF 'exc', s_in_bap hears LIF 'other'" in wrong


@pytest.mark.lava
def test_learning_that_hears_its_neurons_in_another_order() -> None:
    from lava.proc.dense.process import LearningDense
    from lava.proc.lif.process import LIF

    for turned in (False, True):
        conn = LearningDense(weights=np.full((4, 4), 8), learning_rule=rule(), name="plastic")
        pre, post = lif(4, name="pre"), LIF(shape=(2, 2), name="post")
        pre.s_out.connect(conn.s_in)
        conn.a_out.reshape((2, 2)).connect(post.a_in)
        spikes = post.s_out.transpose((1, 0)) if turned else post.s_out
        spikes.reshape((4,)).connect(conn.s_in_bap)
        if turned:
            (cause,) = refusal(pre)
            assert cause == (
                "LearningDense 'plastic': row 1 feeds neuron 1 and learns from neuron 2; allowed: "
                "the same neuron. Turn both ports alike"
            )
        else:
            assert from_lava(pre, 5).network.n_neurons == 8


@pytest.mark.lava
def test_constants_that_are_no_integers() -> None:
    from lava.magma.core.learning.learning_rule import Loihi2FLearningRule

    rule = Loihi2FLearningRule(dw="x0 * (y1 + 2^-1)")
    neuron, conn = plastic(learning_rule=rule)
    neuron.s_out.connect(conn.s_in_bap)
    (found,) = refusal(neuron)
    words = "the factor y1 + 0.5; allowed: a variable"
    assert found.startswith(f"LearningDense 'plastic'.learning_rule: {words}")


@pytest.mark.lava
@pytest.mark.parametrize("sends", ["learning_lif", "learning", "two", "transposed", "pieces"])
def test_a_third_factor_that_is_not_taken_is_one_problem_that_says_who_sends_it(
    sends: str,
) -> None:
    from lava.proc.dense.process import LearningDense
    from lava.proc.io.source import RingBuffer
    from lava.proc.learning_rules.r_stdp_learning_rule import RewardModulatedSTDP
    from lava.proc.lif.process import LearningLIF

    options = {"t_epoch": 1, "rng_seed": 3}
    rule = RewardModulatedSTDP(1, 2, -2, 10, 10, 16, 16, 0.5, **options)
    conn = LearningDense(weights=np.full((4, 4), 8), learning_rule=rule, name="plastic")
    pre, post = lif(4, du=9, name="pre"), lif(4, du=9, name="post")
    reward = RingBuffer(data=np.ones((4, 4), int))
    if sends == "learning_lif":
        post = LearningLIF(shape=(4,), du=9, dv=9, name="post", learning_rule=rule)
        post.s_out_bap.connect(conn.s_in_bap)
        post.s_out_y2.connect(conn.s_in_y2)
        said = "LearningLIF 'post'.s_out_y2, not taken"
    else:
        post.s_out.connect(conn.s_in_bap)
    if sends == "learning":
        other = RewardModulatedSTDP(1, 2, -2, 10, 10, 16, 16, 0.5, **options)
        learns = LearningDense(weights=np.ones((4, 4)), learning_rule=other, name="learns")
        pre.s_out.connect(learns.s_in)
        post.s_out.connect(learns.s_in_bap)
        learns.a_out.connect(post.a_in)
        learns.a_out.connect(conn.s_in_y2)
        said = "LearningDense 'learns'.a_out, not taken"
    if sends == "two":
        pre.s_out.connect(conn.s_in_y2)
        reward.s_out.connect(conn.s_in_y2)
        said = f"LIF 'pre'.s_out and RingBuffer {reward.name!r}.s_out"
    if sends == "transposed":
        square = RingBuffer(data=np.ones((2, 2, 4), int))
        square.s_out.transpose((1, 0)).flatten().connect(conn.s_in_y2)
        said = f"RingBuffer {square.name!r}.s_out, not taken"
    if sends == "pieces":
        halves = [RingBuffer(data=np.ones((2, 4), int)) for _ in range(2)]
        halves[0].s_out.concat_with([halves[1].s_out], axis=0).connect(conn.s_in_y2)
        said = " and ".join(f"RingBuffer {half.name!r}.s_out, not taken" for half in halves)
    pre.s_out.connect(conn.s_in)
    conn.a_out.connect(post.a_in)
    post.s_out.connect(conn.s_in_y1)
    (found,) = refusal(pre)
    kind = "LearningLIF" if sends == "learning_lif" else "LIF"
    assert found == (
        "LearningDense 'plastic'.learning_rule: RewardModulatedSTDP, whose third factor is sent to "
        f"it (y1 from {kind} 'post'.s_out; y2 from {said}); allowed: y1, y2 and y3 from one sender "
        "each: s_out of a source or of neurons, in their order, or a_out of a connection whose "
        "weights are fixed. Three-factor rules with other senders run in Lava alone"
    )


@pytest.mark.lava
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "float64", "uint32"])
def test_tags_that_a_sparse_connection_shifts_in_their_own_type(dtype: str) -> None:
    """Live Lava: 60 in int8 becomes 0 with the first epoch, and floats fail."""
    from lava.magma.core.learning.learning_rule import Loihi2FLearningRule
    from lava.proc.sparse.process import LearningSparse

    for given, wrong in ((dtype, True), ("int32", False), ("int64", False)):
        rule = Loihi2FLearningRule(dt="x0 * y1", y1_tau=5, y1_impulse=4, rng_seed=1)
        neuron = lif(du=9)
        weights = sparse.csr_matrix(np.full((2, 2), 8))
        tags = sparse.csr_matrix(np.full((2, 2), 60, given))
        conn = LearningSparse(weights=weights, tag_1=tags, learning_rule=rule, name="plastic")
        neuron.s_out.connect(conn.s_in)
        conn.a_out.connect(neuron.a_in)
        neuron.s_out.connect(conn.s_in_bap)
        if wrong:
            assert refusal(neuron) == [
                f"LearningSparse 'plastic'.tag_1: {dtype} values, which Lava shifts in that type; "
                "allowed: int32 or int64"
            ]
        else:
            assert from_lava(neuron, 3).network.projections[0].learning is not None


@pytest.mark.lava
def test_tags_that_a_sparse_connection_could_not_change() -> None:
    from lava.magma.core.learning.learning_rule import Loihi2FLearningRule
    from lava.proc.sparse.process import LearningSparse

    rule = Loihi2FLearningRule(dt="x0 * y1", y1_tau=5, y1_impulse=4, rng_seed=1)
    neuron = lif()
    weights = sparse.csr_matrix(np.full((2, 2), 8))
    conn = LearningSparse(weights=weights, learning_rule=rule, name="plastic")
    neuron.s_out.connect(conn.s_in)
    conn.a_out.connect(neuron.a_in)
    neuron.s_out.connect(conn.s_in_bap)
    assert refusal(neuron) == [
        "LearningSparse 'plastic'.tag_1: no entry at 4 of 4 weights; allowed: an entry for every "
        "weight"
    ]


@pytest.mark.lava
def test_a_length_is_needed_without_a_source() -> None:
    assert refusal(lif(), None) == [
        "steps: 0; allowed: a number >= 1. Say how many steps the run has"
    ]


@pytest.mark.lava
def test_a_graph_that_runs_is_refused() -> None:
    neuron = lif()
    neuron._runtime = NoProcess()
    try:
        assert refusal(neuron) == [
            "LIF 'exc': it is running; allowed: a graph that has not run yet"
        ]
    finally:
        neuron._runtime = None  # Lava stops it when the Process goes


def test_reading_imports_no_lava() -> None:
    folder = Path(sys.modules[from_lava.__module__].__file__ or "").parent
    for path in folder.glob("from_lava*.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert not [line for line in lines if line.startswith(("import lava", "from lava"))]


def driven(data: Any = None, **options: Any) -> Any:
    """Neurons behind a source of two channels and a connection with these options."""
    from lava.proc.io.source import RingBuffer

    source, conn, neurons = (
        RingBuffer(data=np.ones((2, 3), int) if data is None else data),
        None,
        lif(),
    )
    conn = connection(**{"weights": np.ones((2, source.s_out.shape[0]), int)} | options)
    source.s_out.connect(conn.s_in)
    conn.a_out.connect(neurons.a_in)
    return neurons


@pytest.mark.lava
@pytest.mark.parametrize("mode", [1, 3, "MIXED", "x", True, 2.0, (2,), hl.SignMode.MIXED])
def test_a_sign_mode_that_lava_takes_for_another_one(mode: Any) -> None:
    (problem,) = refusal(driven(sign_mode=mode))
    assert problem.startswith("Dense 'conn'.sign_mode: ")
    assert problem.endswith("allowed: Lava's SignMode: MIXED, EXCITATORY or INHIBITORY")


@pytest.mark.lava
@pytest.mark.parametrize("mode", [2, 0, "EXCITATORY"])
def test_a_connection_that_learns_needs_a_sign_mode_of_lavas(mode: Any) -> None:
    from lava.proc.dense.process import LearningDense

    before, learns = plastic(sign_mode=mode)
    assert type(learns) is LearningDense
    assert any(".sign_mode: " in problem for problem in refusal(before))


@pytest.mark.lava
@pytest.mark.parametrize("bits", [None, "x", [1, 2], 1j, float("nan")])
def test_message_bits_on_which_lava_fails(bits: Any) -> None:
    (problem,) = refusal(driven(num_message_bits=bits))
    assert problem.startswith("Dense 'conn'.num_message_bits: ")
    assert problem.endswith("on which Lava fails; allowed: a whole number")


@pytest.mark.lava
@pytest.mark.parametrize("shape", [(2, 0), (0, 3)])
def test_a_source_without_steps_or_channels(shape: tuple[int, int]) -> None:
    problems = refusal(driven(np.zeros(shape, int)))
    assert f".data: shape {shape}; allowed: a channel and a step at least" in problems[0]


@pytest.mark.lava
@pytest.mark.parametrize("steps", ["5", True, 1.5, 5.0, [5], 2**31, float("nan")])
@pytest.mark.parametrize("with_source", [False, True])
def test_a_length_that_is_none(steps: Any, with_source: bool) -> None:
    (problem,) = refusal(driven() if with_source else lif(), steps)
    assert problem.startswith(f"steps: {steps!r}; allowed: a whole number in 1..2147483647")


@pytest.mark.lava
@pytest.mark.parametrize("steps", [5, np.int64(5), np.uint8(5)])
def test_a_length_of_any_integer_type(steps: Any) -> None:
    taken = from_lava(lif(), steps)
    assert (taken.steps, type(taken.steps)) == (5, int)


@pytest.mark.lava
@pytest.mark.parametrize("sources", [[1], "ab", 3, np.ones(2)])
def test_sources_that_are_no_mapping(sources: Any) -> None:
    with pytest.raises(SpecError, match=r"sources: a \w+; allowed: \{port: values\}"):
        from_lava(lif(), 5, sources=sources)


def own_source() -> tuple[Any, Any]:
    """A port of a Process of the user's that sends through a connection, and the neurons."""
    from lava.magma.core.process.ports.ports import OutPort
    from lava.magma.core.process.process import AbstractProcess

    class Own(AbstractProcess):
        def __init__(self) -> None:
            super().__init__(name="own")
            self.s_out = OutPort(shape=(2,))

    own, conn, neurons = Own(), connection(), lif()
    own.s_out.connect(conn.s_in)
    conn.a_out.connect(neurons.a_in)
    return own.s_out, neurons


@pytest.mark.lava
@pytest.mark.parametrize(
    ("values", "words"),
    [
        (None, "sources, Own 'own'.s_out: None; allowed: (2, 'steps')"),
        (3, "sources, Own 'own'.s_out: shape (); allowed: (2, 'steps')"),
        ([[1, 0], [1]], "sources, Own 'own'.s_out: no array"),
        (np.ones((2, 0)), "Own 'own'.data: shape (2, 0); allowed: a channel and a step"),
        ([["a", "b"]] * 2, "Own 'own'.data: <U1 values; allowed: numbers"),
    ],
)
def test_values_of_a_source_that_are_none(values: Any, words: str) -> None:
    port, neurons = own_source()
    with pytest.raises(SpecError) as caught:
        from_lava(neurons, 5, sources={port: values})
    (problem,) = caught.value.problems
    assert str(problem).startswith(words)


@pytest.mark.lava
def test_values_for_a_source_that_says_them_itself() -> None:
    neurons = driven()
    (port,) = neurons.a_in.get_src_ports()[0].process.s_in.get_src_ports()
    with pytest.raises(SpecError, match="a RingBuffer, which says what it sends"):
        from_lava(neurons, 5, sources={port: np.zeros((2, 5), int)})


@pytest.mark.lava
@pytest.mark.parametrize(
    ("length", "kind", "events"), [(3, "source_ends", 6), (8, "source_cut_off", 10), (5, "", 10)]
)
def test_a_source_of_another_length_than_the_run_is_noted(
    length: int, kind: str, events: int
) -> None:
    port, neurons = own_source()
    taken = from_lava(neurons, 5, sources={port: np.ones((2, length), int)})
    assert taken.inputs.steps.size == events
    ends = [f for f in taken.findings if f.severity == "note"]
    assert [f.kind for f in ends] == [kind] * bool(kind)
    assert all(f.measured == f"{length} steps of values in a run of 5" for f in ends)


@pytest.mark.lava
@pytest.mark.parametrize("config", ["fixed_pt", 3, {"select_tag": "fixed_pt"}, False])
def test_what_is_no_run_configuration(config: Any) -> None:
    with pytest.raises(SpecError, match="allowed: a RunConfig of Lava's") as caught:
        from_lava(lif(), 5, run_config=config)
    assert str(caught.value.problems[0]).startswith(f"run_config: {config!r}")


@pytest.mark.lava
@pytest.mark.parametrize("tag", ["fixedpt", "", "bit_accurate_loihi"])
def test_a_run_configuration_that_takes_no_model(tag: str) -> None:
    """Lava fails on each: RingBuffer has no model for the last one."""
    from lava.magma.core.run_configs import Loihi2SimCfg

    with pytest.raises(SpecError) as caught:
        from_lava(driven(), 5, run_config=Loihi2SimCfg(select_tag=tag))
    named = {problem.where.split()[1] for problem in caught.value.problems}
    assert named == (
        {"RingBuffer"} if tag == "bit_accurate_loihi" else {"LIF", "Dense", "RingBuffer"}
    )
    assert "takes none of its models" in str(caught.value)


@pytest.mark.lava
@pytest.mark.parametrize("value", [2**40, -(2**40), 2**31, np.array([3, 2**33])])
@pytest.mark.parametrize("field", ["du", "dv", "vth"])
def test_a_number_beyond_32_bits_is_named_as_it_is(field: str, value: Any) -> None:
    (problem,) = refusal(lif(**{field: value}))
    assert problem.startswith(f"LIF 'exc'.{field}: {np.max(value)} (1 in all); allowed: ")


@pytest.mark.lava
@pytest.mark.parametrize("field", ["u", "v", "du", "dv", "vth", "bias_mant", "bias_exp"])
@pytest.mark.parametrize("value", ["x", [[1, 2], [3]], {}])
def test_a_var_that_is_no_number(field: str, value: Any) -> None:
    assert f"LIF 'exc'.{field}: " in refusal(lif(**{field: value}))[0]


@pytest.mark.lava
@pytest.mark.parametrize("config", [None, "x", 7, float("nan")])
def test_graded_spikes_that_are_none(config: Any) -> None:
    before, _ = plastic(graded_spike_cfg=config)
    assert any(".graded_spike_cfg: " in problem for problem in refusal(before))


@pytest.mark.lava
@pytest.mark.parametrize("longest", [float("nan"), float("inf"), 1j])
def test_a_longest_delay_that_is_none(longest: Any) -> None:
    from lava.proc.dense.process import DelayDense

    neurons, before = lif(), lif(name="before")
    conn = DelayDense(weights=np.ones((2, 2)), delays=1, max_delay=longest, name="conn")
    before.s_out.connect(conn.s_in)
    conn.a_out.connect(neurons.a_in)
    assert f"DelayDense 'conn'.max_delay: {longest!r}" in refusal(neurons)[0]


@pytest.mark.lava
def test_a_name_that_is_no_text() -> None:
    assert from_lava(lif(name=[1, 2]), 5).network.populations[0].name == "[1, 2]"
