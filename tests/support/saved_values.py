"""A small value of every type that can be saved, with every optional part present somewhere.

Built from numbers alone, so that the files they are saved to can be compared byte by byte with
``tests/hrsnn_lava/artifacts/golden``. That folder was written by version 0.1.0, before the codecs
had modules of their own::

    uv run python tests/support/saved_values.py

Run it again only when the format gets another version.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava.artifacts.training_state import TrainingState
from hrsnn_lava.chip_learning import Factor, Learning, LearningRule, Product, pair_stdp
from hrsnn_lava.chip_learning import Trace as SpikeTrace
from hrsnn_lava.compiler.compiled import CompiledNetwork, PassRecord
from hrsnn_lava.compiler.mapped import Placement
from hrsnn_lava.compiler.pruning.pruning_state import PruningState

GOLDEN = Path(__file__).parents[1] / "hrsnn_lava" / "artifacts" / "golden"


def float_network():
    """Two inputs and two populations; delays, positions, signs, STDP, a held input."""
    lif = hl.LIF(
        tau_mem=[0.02, 0.03, 0.04],
        tau_syn=0.005,
        v_threshold=[1.0, 1.5, 0.75],
        bias=[0.0, -0.25, 0.5],
        refractory=0.002,
    )
    populations = [
        hl.Population("events", 2, hl.Input()),
        hl.Population("held", 2, hl.Input(graded=True)),
        hl.Population("exc", 3, lif, "excitatory", np.arange(9.0).reshape(3, 3)),
        hl.Population("inh", 2, hl.LIF(tau_mem=0.01), "inhibitory"),
    ]
    inward = np.array([[0.5, 0.0], [0.0, 0.25], [1.0, 2.0]])
    recurrent = np.array([[0.0, 1.5, 0.0], [0.75, 0.0, 0.125], [0.0, 0.0, 0.0]])
    stdp = hl.STDP([0.01, 0.02, 0.03], 0.012, 0.02, [0.02, 0.03, 0.04], w_max=2.0)
    projections = [
        hl.Projection("in", "events", "exc", inward, [0.0, 0.001, 0.002, 0.062]),
        hl.Projection("drive", "held", "inh", np.eye(2) * 0.3, target="bias"),
        hl.Projection("rec", "exc", "exc", recurrent, plasticity=stdp),
        hl.Projection("back", "inh", "exc", -np.ones((3, 2)) * 0.2, delays=0.003),
    ]
    return hl.Network(5e-4, populations, projections, "saved")


def general_rule():
    """A rule with every kind of factor, on tag, delay variable and weight."""
    return LearningRule(
        dw=(Product("u", 3, -2, (Factor("t"), Factor("x1", -4))),),
        dd=(Product("x0", -8, 8, (Factor("d", sign=True),)),),
        dt=(Product("y0", 7, -7, (Factor("w"), Factor("y3", 127))),),
        x1=SpikeTrace(16.0, 3.5),
        y3=SpikeTrace(127.0, 0.0),
        t_epoch=4,
        decimate_exponent=2,
        rng_seed=11,
    )


def integer_network():
    """Delays, both sign modes, a held input, graded spikes, two learning profiles, tags."""
    parameters = {"du": [-1, 4095, 400], "dv": [0, 4096, 100], "vth": [1, 131071, 10]}
    parameters |= {"bias_mant": [5, -4096, 4095], "bias_exp": [0, 7, 6], "refractory": [0, 63, 2]}
    populations = (
        hl.QuantizedInput("events", 2),
        hl.QuantizedInput("graded", 2, payload_scale=64.0),
        hl.QuantizedPopulation("a", 3, **parameters),
        hl.QuantizedPopulation("b", 2, 10, 20, 30),
    )
    dense = sparse.csr_matrix(np.array([[3, -4, 0], [0, 0, 7]], dtype=np.int32))
    loop = sparse.csr_matrix(np.array([[0, 2, 4], [6, 0, 8], [-2, 0, 0]], dtype=np.int32))
    pairs = Learning(
        (pair_stdp((1, 0), (1, -1), 4.0, 6.0), pair_stdp((2, 0), (1, 1), 8.0, 3.0)),
        profile=np.array([0, 1, 1, 0, 1]),
    )
    general = Learning((general_rule(),), tag_1=3, tag_2=np.array([1, 0, 255]), plastic_zeros=True)
    zeros = sparse.csr_matrix(
        (np.array([0, 5, -6]), np.array([0, 1, 1]), np.array([0, 2, 3])), shape=(2, 2)
    )
    projections = (
        hl.QuantizedProjection(
            "in",
            "events",
            "a",
            np.array([[7, 0], [0, 9], [200, 1]]),
            2,
            "excitatory",
            6,
            delays=[0, 1, 2, 62],
        ),
        hl.QuantizedProjection("held", "graded", "b", np.eye(2, dtype=int) * 3, -3, target="bias"),
        hl.QuantizedProjection(
            "graded", "graded", "b", -np.ones((2, 2), int), -1, "inhibitory", num_message_bits=24
        ),
        hl.QuantizedProjection("ab", "a", "b", dense, delays=5),
        hl.QuantizedProjection("loop", "a", "a", loop, 1, learning=pairs),
        hl.QuantizedProjection("bb", "b", "b", zeros, learning=general),
    )
    return hl.QuantizedNetwork(populations, projections, "saved", 2e-3)


def plain_network():
    """The integer network without learning and payloads: it can be counted on one core."""
    whole = integer_network()
    fixed = tuple(p for p in whole.projections if p.name in ("in", "ab"))
    return hl.QuantizedNetwork(whole.populations, fixed, "plain", 1e-3)


def compiled_network(profile="loihi2_lava"):
    """Two cores, one pass record, a readout."""
    report = {"kept": np.int64(3), "worst": float("inf"), "by": np.array([1.5, 2.0])}
    record = PassRecord("quantize", {"seed": 3}, {"synapses": 9}, {"synapses": 6}, 1.25, report)
    return CompiledNetwork(
        plain_network(),
        hl.HardwareProfile.load(profile),
        Placement.of([0, 1, 0, 1, 1], [[0, 0], [1, 2]], messages=4, mean=np.float64(0.5)),
        (record,),
        7,
        {"weights": np.arange(6.0).reshape(2, 3)},
        {"ridge": 1e-3},
        9,
    )


def inputs(n_steps=20):
    """Spikes of two channels and payloads of two more, in two samples."""
    steps, channels = [0, 0, 3, 7, 7, 12], [0, 3, 1, 0, 2, 1]
    return hl.SpikeInput(steps, channels, n_steps, 4, [1, 40, 1, 1, -30, 1], samples=[0, 10])


def trace():
    """A run of the integer network, with states, learned weights, traces and its input."""
    return hl.simulate(integer_network(), inputs(), 20, probes=("spikes", "v", "u"))


def state():
    """Where that run stands."""
    session = hl.Session(integer_network())
    session.run(inputs(), 20)
    return session.state()


def counts():
    """Counts of a run of the compiled network."""
    return hl.count(compiled_network(), inputs(), 20)


def training():
    """A training under way: weights, one row of its history, spikes."""
    arrays = {
        "learner/loop": np.array([0.5, 0.0, 1.25]),
        "history/done": np.array([0, 2]),
        "counts": np.array([3, 0]),
    }
    return TrainingState("0f" * 32, 2, 6, arrays)


def pruning():
    """A pruning under way: its second iteration took a neuron and most synapses."""
    rows = ({"iteration": 0, "synapses": 9}, {"iteration": 1, "synapses": 9, "fits": False})
    finding = {"severity": "note", "where": "w", "measured": "m", "meaning": "n", "kind": "k"}
    survivors, rates = np.array([0, 1, 3, 4, 7]), np.array([0.0, 0.125, 0.5, 0.25, 0.0])
    return PruningState("0f" * 32, 1, float_network(), survivors, rates, rows, (finding,))


def save_all(folder):
    """Write every value into `folder`."""
    float_network().save(folder / "network.hlx")
    integer_network().save(folder / "quantized.hlx")
    compiled_network().save(folder / "compiled.hlx")
    state().save(folder / "state.hlx")
    counts().save(folder / "counts.hlx", compiled_network())
    training().save(folder / "training.hlx")
    pruning().save(folder / "pruning.hlx")
    inputs().save(folder / "input.npz")
    trace().save(folder / "trace.npz")


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    save_all(GOLDEN)
