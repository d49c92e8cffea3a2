"""What is read from stock Processes, against Lava's own models on graphs of every kind."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava.processes.from_lava import from_lava

pytestmark = [
    pytest.mark.lava,
    # Lava's compiler and its sparse models warn about their own doings
    pytest.mark.filterwarnings("ignore:.* not found, skipping conversion test:ImportWarning"),
    pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning"),
]
if sys.version_info >= (3, 11):
    pytest.skip("Lava 0.10.0 needs Python 3.10", allow_module_level=True)

STEPS = 60


def lif(n: Any, **options: Any) -> Any:
    from lava.proc.lif.process import LIF

    shape = n if isinstance(n, tuple) else (n,)
    return LIF(shape=shape, **{"du": 1000, "dv": 500, "vth": 50} | options)


def source(data: Any) -> Any:
    from lava.proc.io.source import RingBuffer

    return RingBuffer(data=np.asarray(data))


def dense(weights: Any, **options: Any) -> Any:
    from lava.proc.dense.process import Dense

    return Dense(weights=np.asarray(weights), **options)


def join(*processes: Any) -> None:
    """Connect neurons (or a source), a connection, and neurons."""
    pre, connection, post = processes
    pre.s_out.connect(connection.s_in)
    connection.a_out.connect(post.a_in)


def lava_spikes(neurons: list[Any], steps: int, folder: Path) -> Any:
    """Rasters (n, steps) of all neurons from Lava's models, on queues instead of processes.

    The models are named, since Lava takes longer to find them than to run them.
    """
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.dense import models as of_dense
    from lava.proc.io.source import PySendModelFixed
    from lava.proc.lif.models import PyLifModelBitAcc
    from lava.proc.sparse import models as of_sparse

    from hrsnn_lava.processes._foreign_processes import reachable
    from hrsnn_lava.processes.lif import HeterogeneousLIFFixed
    from hrsnn_lava.processes.mapped_files import MmapSink, MmapSinkFixed
    from hrsnn_lava.processes.runtimes import run_in_threads

    paths = []
    for k, process in enumerate(neurons):
        paths.append(folder / f"{k}.npy")
        shape = process.s_out.shape
        sink = MmapSink(shape=shape, path=paths[-1], steps=steps, dtype=bool)
        process.s_out.connect(sink.a_in)
    models = {
        "LIF": PyLifModelBitAcc,
        "HeterogeneousLIF": HeterogeneousLIFFixed,
        "RingBuffer": PySendModelFixed,
        "Dense": of_dense.PyDenseModelBitAcc,
        "DelayDense": of_dense.PyDelayDenseModelBitAcc,
        "Sparse": of_sparse.PySparseModelBitAcc,
        "DelaySparse": of_sparse.PyDelaySparseModelBitAcc,
        "MmapSink": MmapSinkFixed,
    }
    named = {process: models[type(process).__name__] for process in reachable(neurons[0])}
    config = Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map=named)
    run_in_threads(neurons[0], steps, config)
    return np.concatenate([np.load(path).reshape(steps, -1) for path in paths], axis=1).T


def check(neurons: list[Any], folder: Path, steps: int = STEPS, least: int = 1) -> Any:
    """`from_lava` equals Lava on both backends; returns what was read."""
    taken = from_lava(neurons[0], steps=steps)
    expected = lava_spikes(neurons, steps, folder)
    assert expected.sum() >= least
    for backend in ("reference", "native"):
        trace = hl.simulate(*taken, backend=backend)
        found = np.zeros(expected.shape, dtype=bool)
        found[trace.spike_neurons, trace.spike_steps] = True
        np.testing.assert_array_equal(found, expected)
    return taken


def random_connection(rng: np.random.Generator, n_post: int, n_pre: int, graded: bool) -> Any:
    from lava.proc.dense.process import DelayDense
    from lava.proc.sparse.process import DelaySparse, Sparse
    from lava.utils.weightutils import SignMode

    spread = rng.choice([3.0, 60.0, 400.0])
    weights = rng.normal(spread / 4, spread, (n_post, n_pre))
    weights[rng.random((n_post, n_pre)) > rng.choice([0.4, 1.0])] = 0
    weights = [weights, abs(weights), -abs(weights)][rng.integers(3)]
    if rng.random() < 0.7:
        weights = weights.round()
    options = {
        "weight_exp": int(rng.integers(-3, 4)),
        "num_weight_bits": int(rng.choice([8, 8, rng.integers(1, 9)])),
    }
    if rng.random() < 0.4:
        options["sign_mode"] = rng.choice([s for s in SignMode if s is not SignMode.NULL])
    if graded:
        options["num_message_bits"] = 8
    kind = rng.integers(4)
    delays = rng.integers(0, 5, (n_post, n_pre))
    if kind == 0:
        return dense(weights, **options)
    if kind == 1:
        given = delays if rng.random() < 0.7 else 3
        return DelayDense(weights=weights, delays=given, **options)
    matrix = sparse.csr_matrix(weights)
    if kind == 2:
        return Sparse(weights=matrix, **options)
    return DelaySparse(weights=matrix, delays=sparse.csr_matrix(delays), **options)


@pytest.mark.parametrize("seed", range(32))
def test_random_graphs_equal_lava(seed: int, tmp_path: Path) -> None:
    from hrsnn_lava.processes.lif import HeterogeneousLIF

    rng = np.random.default_rng(seed)
    neurons = []
    for k in range(rng.integers(1, 4)):
        n = int(rng.integers(1, 9))
        own = rng.random() < 0.3
        size: Any = n if own or rng.random() < 0.5 else None
        options = {
            "du": rng.integers(-1, 4096, size),
            "dv": rng.integers(0, 1500, size),
            "vth": rng.integers(5, 250, size),
            "bias_mant": rng.integers(30, 300, n),
            "bias_exp": 6,
            "name": f"n{k}" if rng.random() < 0.5 else None,
        }
        if own:
            options["refractory"] = rng.integers(0, 4, n)
        neurons.append(HeterogeneousLIF(shape=(n,), **options) if own else lif(n, **options))
    for _ in range(rng.integers(0, 3)):
        n_in, graded = int(rng.integers(1, 5)), rng.random() < 0.4
        data = rng.integers(-50, 51, (n_in, int(rng.integers(1, 25))))
        data *= rng.random(data.shape) < 0.3
        post = neurons[rng.integers(len(neurons))]
        size = post.s_out.shape[0]
        join(
            source(data if graded else data != 0), random_connection(rng, size, n_in, graded), post
        )
    for pre in neurons:
        for post in neurons:
            if pre is post or post is neurons[0] or pre is neurons[0]:
                shape = (post.s_out.shape[0], pre.s_out.shape[0])
                join(pre, random_connection(rng, *shape, graded=rng.random() < 0.2), post)
    check(neurons, tmp_path)


def test_names_parameters_and_order_are_those_of_the_processes() -> None:
    first, second = lif(3, name="same", vth=[7, 8, 9]), lif(2, name="same", bias_mant=5, bias_exp=6)
    third = lif(1)
    inputs = source([[1, 0, 1]])
    join(inputs, dense([[1], [2], [3]], name="in"), first)
    join(first, dense(np.ones((2, 3))), second)
    join(second, dense(np.ones((1, 2))), third)
    taken = from_lava(second)
    names = [population.name for population in taken.network.populations]
    assert names == ["input_1", "same", "same_2", "lif_1"]
    assert [p.name for p in taken.network.projections] == ["in", "dense_1", "dense_2"]
    assert taken.network.population("same").vth.tolist() == [7, 8, 9]
    assert taken.network.population("same_2").bias_mant.tolist() == [5, 5]
    assert (taken.steps, taken.inputs.steps.tolist()) == (3, [0, 2])
    assert from_lava(first).network.projection("in").weights.toarray().ravel().tolist() == [1, 2, 3]


def test_a_ring_buffer_starts_over_and_payloads_are_kept_where_they_are_read() -> None:
    for bits, payloads in ((0, None), (8, [5, -2, 5])):
        neurons = lif(1)
        join(source([[5, -2, 0]]), dense([[3]], num_message_bits=bits), neurons)
        taken = from_lava(neurons, steps=4)
        assert taken.inputs.steps.tolist() == [0, 1, 3]
        found = taken.inputs.payloads
        assert (None if found is None else found.tolist()) == payloads


@pytest.mark.parametrize(
    ("said", "mode"),
    [(2, "excitatory"), ("EXCITATORY", "excitatory"), (0, "mixed"), (None, "mixed")],
)
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_a_sign_mode_in_other_words_does_what_it_does_in_lava(
    said: Any, mode: str, kind: str, tmp_path: Path
) -> None:
    """Excitatory cuts negative weights off, mixed takes a bit: each changes the spikes."""
    from lava.proc.sparse.process import Sparse

    weights = np.array([[101, -50, 33], [45, 27, -9]])
    options = {"sign_mode": said, "num_weight_bits": 6}
    make = dense if kind == "dense" else lambda w, **o: Sparse(weights=sparse.csr_matrix(w), **o)
    neurons = lif(2, du=4095, dv=100, vth=7)
    join(
        source(np.random.default_rng(1).random((3, STEPS)) < 0.4), make(weights, **options), neurons
    )
    taken = check([neurons], tmp_path)
    assert taken.network.projections[0].sign_mode.value == mode


def test_the_sign_mode_that_lava_detects_is_written_down() -> None:
    from lava.proc.sparse.process import Sparse

    weights = np.array([[0.5, 39.0, -0.4]])
    for connection, mode in (
        (dense(weights), "excitatory"),  # fractions are gone before Dense looks
        (Sparse(weights=weights), "mixed"),  # Sparse looks at them
        (dense(-np.abs(weights)), "inhibitory"),
        (dense(weights - 30), "mixed"),
    ):
        neurons = lif(1)
        join(source(np.ones((3, 4))), connection, neurons)
        (projection,) = from_lava(neurons).network.projections
        assert projection.sign_mode.value == mode


def test_reshaped_and_transposed_ports_permute_the_synapses(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    first, second = lif((2, 3), bias_mant=rng.integers(1, 60, (2, 3)), bias_exp=5), lif((3, 2))
    conn = dense(rng.integers(1, 90, (6, 6)))
    first.s_out.transpose((1, 0)).flatten().connect(conn.s_in)
    conn.a_out.reshape((2, 3)).transpose((1, 0)).connect(second.a_in)
    check([first, second], tmp_path, least=50)


def test_one_connection_may_feed_several_populations(tmp_path: Path) -> None:
    first, second, third = lif(2, bias_mant=40, bias_exp=6), lif(3, name="b"), lif(3, name="c")
    conn = dense([[9, 5], [30, 1], [60, 2]], name="conn")
    first.s_out.connect(conn.s_in)
    conn.a_out.connect([second.a_in, third.a_in])
    taken = check([first, second, third], tmp_path, least=50)
    assert [p.name for p in taken.network.projections] == ["conn_to_b", "conn_to_c"]


def test_a_file_source_and_our_own_neurons_are_taken_and_sinks_are_not(tmp_path: Path) -> None:
    from lava.proc.io.sink import Read
    from lava.proc.io.sink import RingBuffer as Sink
    from lava.proc.monitor.process import Monitor

    from hrsnn_lava.processes.lif import HeterogeneousLIF
    from hrsnn_lava.processes.mapped_files import MmapSource

    np.save(tmp_path / "rows.npy", np.eye(3, dtype=np.int32))
    neurons = HeterogeneousLIF(shape=(3,), vth=[10, 20, 30], du=4095, refractory=[0, 1, 2])
    join(MmapSource(path=tmp_path / "rows.npy", name="rows"), dense(np.full((3, 3), 25)), neurons)
    sink, monitor, read = Sink(shape=(3,), buffer=5), Monitor(), Read(buffer=5)
    neurons.s_out.connect(sink.a_in)
    monitor.probe(neurons.v, 5)
    read.connect_var(neurons.u)
    taken = from_lava(neurons, steps=9)
    assert [p.name for p in taken.network.populations] == ["rows", "heterogeneouslif_1"]
    assert taken.inputs.steps.tolist() == [0, 1, 2]  # a file does not start over
    # 25 a step in steps 1 to 3, without leak of v; the second is held in 2, the third from 3 on
    trace = hl.simulate(*taken)
    assert trace.spike_steps.tolist() == [1, 1, 2, 2, 3, 3]
    assert trace.spike_neurons.tolist() == [0, 1, 0, 2, 0, 1]


@pytest.mark.parametrize("reset", ["zero", "subtract", "subtract_next", "subtract_all"])
def test_the_reset_of_our_own_neurons_is_taken(reset: str) -> None:
    from hrsnn_lava.processes.lif import HeterogeneousLIF

    # 100 a step without leak, and a threshold of 250: every third step, or two in five
    neurons = HeterogeneousLIF(shape=(1,), vth=4, du=4095, bias_mant=100, reset=reset)
    taken = from_lava(neurons, steps=15)
    assert taken.network.populations[0].reset == reset
    expected = [2, 5, 8, 11, 14] if reset == "zero" else [2, 5, 7, 10, 12]
    assert hl.simulate(*taken).spike_steps.tolist() == expected


#: Text of a rule, and the products as we hold them: dependency, mantissa, exponent, factors.
RULES = [
    ("x0 * y1 - y0 * x1", [("x0", 1, 0, "y1"), ("y0", -1, 0, "x1")]),
    ("2^-3 * 3 * x0 * (y1 + 2) * (x2 - 4)", [("x0", 3, -3, "(y1 + 2) (x2 - 4)")]),
    ("24 * u2 * sgn(w + 3) * t", [("u", 6, 2, "sgn(w + 3) t")]),
    ("-8 * y0 * x0 * (5 - y3)", [("y0", 4, 1, "x0 (y3 - 5)")]),
    ("2^-7 * x0 * d * sgn(t) + u2 * x1", [("x0", 1, -7, "d sgn(t)"), ("u", 1, 0, "x1")]),
]


@pytest.mark.parametrize(("text", "products"), RULES, ids=[r[0] for r in RULES])
@pytest.mark.parametrize("target", ["dw", "dd", "dt"])
def test_rules_are_read_from_what_lava_made_of_their_text(
    text: str, products: list[Any], target: str
) -> None:
    from lava.magma.core.learning.constants import GradedSpikeCfg
    from lava.magma.core.learning.learning_rule import Loihi2FLearningRule
    from lava.proc.dense.process import LearningDense

    traces = {"x1_impulse": 3.5, "x1_tau": 4.25, "y2_impulse": 9, "y2_tau": 7}
    rule = Loihi2FLearningRule(**{target: text}, **traces, t_epoch=6, rng_seed=11)
    given = {"weights": np.full((2, 2), 4), "tag_1": np.full((2, 2), 5)}
    conn = LearningDense(learning_rule=rule, graded_spike_cfg=GradedSpikeCfg.OVERWRITE, **given)
    neurons = lif(2)
    join(neurons, conn, neurons)
    neurons.s_out.connect(conn.s_in_bap)
    (projection,) = from_lava(neurons, steps=1).network.projections
    learning = projection.learning
    (read,) = learning.rules
    found = [
        (p.dependency, p.mantissa, p.exponent, " ".join(str(f) for f in p.factors))
        for p in getattr(read, target)
    ]
    assert found == products
    assert (read.x1.tau, read.y2.impulse, read.y2.tau) == (4.25, 9, 7)
    assert read.x1.impulse == 0  # payloads set x1, so Lava takes the impulse away
    assert (read.t_epoch, read.rng_seed) == (6, 11)
    assert (learning.graded_spikes, learning.plastic_zeros) == ("overwrite", True)
    if target == "dt" or "t" in text.replace("sgn(t)", "t").split(" * "):
        assert learning.tag("tag_1", 4).tolist() == [5] * 4
    # what we would write is the same rule for Lava
    again = Loihi2FLearningRule(**{target: read.equation(target)}, **traces)
    old, new = (str(getattr(r, target)).replace("None", "0") for r in (rule, again))
    assert new == old


@pytest.mark.parametrize("mode", ["MIXED", "EXCITATORY", "INHIBITORY"])
def test_weights_of_zero_are_synapses_of_a_learning_dense_alone(mode: str) -> None:
    from lava.magma.core.learning.learning_rule import Loihi2FLearningRule
    from lava.proc.dense.process import LearningDense
    from lava.proc.sparse.process import LearningSparse
    from lava.utils.weightutils import SignMode

    rule = Loihi2FLearningRule(dw="x0 * y1", y1_tau=5, y1_impulse=4, rng_seed=1)
    weights = np.array([[0, 8], [0, 0]])
    for kind, stored in ((LearningDense, [0, 8, 0, 0]), (LearningSparse, [8])):
        given = sparse.csr_matrix(weights) if kind is LearningSparse else weights
        conn = kind(weights=given, learning_rule=rule, sign_mode=SignMode[mode])
        neurons = lif(2)
        join(neurons, conn, neurons)
        neurons.s_out.connect(conn.s_in_bap)
        (projection,) = from_lava(neurons, steps=1).network.projections
        assert projection.weights.data.tolist() == stored
