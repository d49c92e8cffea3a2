"""Graphs with hierarchical Processes in the manner of Lava's end-to-end tutorials.

``python hierarchies.py OUT.npz NAME...`` runs them with Lava's own runtime, as `stock_graphs` does.
The module has a folder of its own, since Lava executes every module beside that of a Process.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.neuron import LearningNeuronModelFixed
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.model.sub.model import AbstractSubProcessModel
from lava.magma.core.process.neuron import LearningNeuronProcess
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.dense.process import Dense, LearningDense
from lava.proc.io.sink import RingBuffer as Sink
from lava.proc.io.source import RingBuffer
from lava.proc.learning_rules.r_stdp_learning_rule import RewardModulatedSTDP
from lava.proc.lif.models import AbstractPyLifModelFixed
from lava.proc.lif.process import LIF, AbstractLIF


class Classifier(AbstractProcess):
    """Layers of LIF behind Dense, with the parameters and states as its own Vars."""

    def __init__(self, weights: list[Any], biases: list[Any], **options: Any) -> None:
        super().__init__(**options)
        self.spikes_in = InPort(shape=(weights[0].shape[1],))
        self.spikes_out = OutPort(shape=(weights[-1].shape[0],))
        self.w0 = Var(shape=weights[0].shape, init=weights[0])
        self.w1 = Var(shape=weights[1].shape, init=weights[1])
        self.b0 = Var(shape=biases[0].shape, init=biases[0])
        self.b1 = Var(shape=biases[1].shape, init=biases[1])
        self.v0 = Var(shape=biases[0].shape, init=77)
        self.vth = Var(shape=(1,), init=3)


@implements(proc=Classifier)
@requires(CPU)
class ClassifierModel(AbstractSubProcessModel):
    """Two layers; the Vars of the states are aliases."""

    def __init__(self, proc: Any) -> None:
        self.dense0 = Dense(weights=proc.w0.init)
        self.lif0 = LIF(shape=proc.b0.shape, bias_mant=proc.b0.init, vth=400, dv=0, du=4095)
        self.dense1 = Dense(weights=proc.w1.init)
        self.lif1 = LIF(shape=proc.b1.shape, bias_mant=proc.b1.init, vth=90, dv=0, du=4095)
        proc.spikes_in.connect(self.dense0.s_in)
        self.dense0.a_out.connect(self.lif0.a_in)
        self.lif0.s_out.connect(self.dense1.s_in)
        self.dense1.a_out.connect(self.lif1.a_in)
        self.lif1.s_out.connect(proc.spikes_out)
        proc.v0.alias(self.lif0.v)
        proc.vth.alias(self.lif1.vth)


class Pixels(AbstractProcess):
    """Sends spikes that its model computes, and labels."""

    def __init__(self, image: Any) -> None:
        super().__init__(name="pixels")
        self.spikes_out = OutPort(shape=image.shape)
        self.label_out = OutPort(shape=(1,))
        self.v = Var(shape=image.shape, init=0)
        self.image = Var(shape=image.shape, init=image)


@implements(proc=Pixels, protocol=LoihiProtocol)
@requires(CPU)
class PixelsModel(PyLoihiProcessModel):
    """Integrate and fire."""

    spikes_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, bool, precision=1)
    label_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=32)
    v: np.ndarray = LavaPyType(np.ndarray, int, precision=32)
    image: np.ndarray = LavaPyType(np.ndarray, int, precision=32)

    def run_spk(self) -> None:
        """One step."""
        self.v[:] = self.v + self.image
        spikes = self.v > 100
        self.v[spikes] = 0
        self.spikes_out.send(spikes)
        self.label_out.send(np.array([1]))


class Votes(AbstractProcess):
    """Counts the spikes of every class, and hears the labels."""

    def __init__(self, n: int) -> None:
        super().__init__(name="votes")
        self.spikes_in, self.label_in = InPort(shape=(n,)), InPort(shape=(1,))
        self.counts = Var(shape=(n,), init=0)


@implements(proc=Votes, protocol=LoihiProtocol)
@requires(CPU)
class VotesModel(PyLoihiProcessModel):
    """Adds up."""

    spikes_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, bool, precision=1)
    label_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, int, precision=32)
    counts: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=32)

    def run_spk(self) -> None:
        """One step."""
        self.label_in.recv()
        self.counts = self.counts + self.spikes_in.recv()


class Balanced(AbstractProcess):
    """Excitatory and inhibitory neurons, with a model of rates and one of spikes."""

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        n = parameters["n_exc"] + parameters["n_inh"]
        self.inport, self.outport = InPort(shape=(n,)), OutPort(shape=(n,))
        self.state = Var(shape=(n,), init=0)


@implements(proc=Balanced, protocol=LoihiProtocol)
@tag("rate_neurons")
@requires(CPU)
class RateModel(PyLoihiProcessModel):
    """Rates, which have no spikes."""

    inport: PyInPort = LavaPyType(PyInPort.VEC_DENSE, float)
    outport: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, float)
    state: np.ndarray = LavaPyType(np.ndarray, float)

    def run_spk(self) -> None:
        """One step."""
        self.outport.send(self.state)


@implements(proc=Balanced, protocol=LoihiProtocol)
@tag("lif_neurons")
class SpikingModel(AbstractSubProcessModel):
    """LIF with parameters for each neuron; weights are drawn here, and parameters changed."""

    def __init__(self, proc: Any) -> None:
        given = proc.proc_params
        n_exc, n_inh = given.get("n_exc"), given.get("n_inh")
        n = n_exc + n_inh
        given["made_by"] = "SpikingModel"  # a second time would be a KeyError
        given.get("gain")[...] *= 2  # in place: a second time would double it again
        weights = np.random.normal(0.0, 6.0, (n, n)) * given.get("gain")
        weights[:, :n_exc] = np.maximum(weights[:, :n_exc], 0)
        weights[:, n_exc:] = 4 * np.minimum(weights[:, n_exc:], 0)
        sizes = [n_exc, n_inh]
        self.lif = LIF(
            shape=(n,),
            du=np.repeat([1500, 900], sizes),
            dv=np.repeat([700, 300], sizes),
            vth=np.repeat([900, 700], sizes),
            bias_mant=np.repeat([200, 150], sizes),
            bias_exp=np.repeat([6, 6], sizes),
            name="neurons",
        )
        self.dense = Dense(weights=weights, weight_exp=1)
        self.lif.s_out.connect(self.dense.s_in)
        self.dense.a_out.connect(self.lif.a_in)
        proc.inport.connect(self.lif.a_in)
        self.lif.s_out.connect(proc.outport)
        proc.vars.state.alias(self.lif.vars.v)


class Pair(AbstractProcess):
    """Two classifiers in a row: a hierarchy in a hierarchy."""

    def __init__(self, layers: list[Any], name: str) -> None:
        super().__init__(layers=layers, name=name)
        self.a_in = InPort(shape=(layers[0][0][0].shape[1],))
        self.s_out = OutPort(shape=(layers[1][0][1].shape[0],))


@implements(proc=Pair)
class PairModel(AbstractSubProcessModel):
    """Both of them; a Dense stands between, and one that nothing feeds."""

    def __init__(self, proc: Any) -> None:
        first, second = proc.proc_params.get("layers")
        self.first, self.second = Classifier(*first), Classifier(*second, name="second")
        proc.a_in.connect(self.first.spikes_in)
        self.first.spikes_out.connect(self.second.spikes_in)
        self.second.spikes_out.connect(proc.s_out)


class RewardLIF(LearningNeuronProcess, AbstractLIF):
    """A neuron that makes a third factor of what it is sent."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.vth = Var(shape=(1,), init=240)


@implements(proc=RewardLIF, protocol=LoihiProtocol)
@requires(CPU)
@tag("bit_accurate_loihi", "fixed_pt")
class RewardLIFModel(LearningNeuronModelFixed, AbstractPyLifModelFixed):
    """It is never run here."""


@dataclass(frozen=True)
class Graph:
    """What runs, and at which ports it is heard."""

    root: Any
    steps: int
    heard: dict[str, Any]


def _layers(rng: np.random.Generator, sizes: list[int]) -> tuple[list[Any], list[Any]]:
    weights = [rng.integers(-40, 90, (m, n)) for n, m in pairwise(sizes)]
    return weights, [rng.integers(-5, 600, n) for n in sizes[1:]]


IMAGE = np.array([7, 60, 101, 33, 0, 19])


def classifier() -> Graph:
    """The MNIST tutorial: pixels, a hierarchical classifier, votes."""
    pixels = Pixels(IMAGE)
    layers = Classifier(*_layers(np.random.default_rng(2), [6, 5, 3]))
    votes = Votes(3)
    pixels.spikes_out.connect(layers.spikes_in)
    layers.spikes_out.connect(votes.spikes_in)
    pixels.label_out.connect(votes.label_in)
    return Graph(layers, 60, {"out": layers.spikes_out})


def balanced() -> Graph:
    """The tutorial of the excitatory-inhibitory network; its weights are drawn by the model."""
    np.random.seed(7)
    network = Balanced(n_exc=20, n_inh=5, gain=np.array([0.5]), name="net")
    return Graph(network, 150, {"out": network.outport})


def nested() -> Graph:
    """A hierarchy in a hierarchy between a source and a sink."""
    rng = np.random.default_rng(5)
    pair = Pair([_layers(rng, [4, 6, 5]), _layers(rng, [5, 4, 3])], "pair")
    source = RingBuffer(data=(rng.random((4, 33)) < 0.3).astype(int))
    source.s_out.connect(pair.a_in)
    return Graph(source, 100, {"out": pair.s_out})


def rewarded() -> Graph:
    """The tutorial of reward-modulated STDP, whose neurons send y1 and the reward y2."""
    rule = RewardModulatedSTDP(1, 2, -2, 10, 10, 16, 16, 0.5, t_epoch=1, rng_seed=3)
    common = {"du": 4095, "dv": 4095, "bias_mant": 0, "bias_exp": 0, "u": 0, "v": 0}
    pre = LIF(shape=(1,), vth=240, name="pre", **common)
    post = RewardLIF(shape=(2,), name="post", learning_rule=rule, log_config=None, **common)
    plastic = LearningDense(weights=np.full((2, 1), 50), learning_rule=rule, name="plastic")
    spikes = RingBuffer(data=np.ones((1, 9), int))
    reward = RingBuffer(data=np.full((2, 9), 6.0))
    kick, post_kick = (Dense(weights=np.full((n, 1), 250.0)) for n in (1, 2))
    weigh = Dense(weights=np.eye(2) * 100, num_message_bits=5)
    for source, connection, port in (
        (spikes.s_out, kick, pre.a_in),
        (spikes.s_out, post_kick, post.a_in),
        (reward.s_out, weigh, post.a_third_factor_in),
        (pre.s_out, plastic, post.a_in),
    ):
        source.connect(connection.s_in)
        connection.a_out.connect(port)
    post.s_out_bap.connect(plastic.s_in_bap)
    post.s_out_y1.connect(plastic.s_in_y1)
    post.s_out_y2.connect(plastic.s_in_y2)
    return Graph(pre, 9, {})


BUILDERS = {"classifier": classifier, "balanced": balanced, "nested": nested}


def pixel_spikes(steps: int) -> Any:
    """What `PixelsModel` sends, (n_pixels, steps)."""
    v, sent = np.zeros(IMAGE.shape, int), []
    for _ in range(steps):
        v = v + IMAGE
        sent.append(v > 100)
        v[sent[-1]] = 0
    return np.array(sent).T


def run_config() -> Any:
    """Takes SubProcessModels, and the fixed-point models of the rest."""
    from lava.magma.core.run_configs import Loihi2SimCfg

    return Loihi2SimCfg(select_tag="fixed_pt", select_sub_proc_model=True)


def run(graph: Graph) -> dict[str, Any]:
    """Run a graph on Lava's runtime; spikes by the names in `heard`."""
    from lava.magma.core.run_conditions import RunSteps

    sinks = {}
    for name, port in graph.heard.items():
        sinks[name] = Sink(shape=port.shape, buffer=graph.steps)
        port.connect(sinks[name].a_in)
    try:
        graph.root.run(RunSteps(graph.steps), run_config())
        return {name: sink.data.get() for name, sink in sinks.items()}
    finally:
        graph.root.stop()


if __name__ == "__main__":
    import hierarchies  # under its own name, as for everyone else

    from hrsnn_lava.processes.from_lava import from_lava

    results = {}
    for chosen in sys.argv[2:]:
        graph = hierarchies.BUILDERS[chosen]()
        results[chosen] = hierarchies.run(graph)["out"]
        # read first, then run: the reading leaves no trace
        graph = hierarchies.BUILDERS[chosen]()
        sources = {}
        if chosen == "classifier":
            (port,) = graph.root.spikes_in.get_src_ports()
            sources = {port: hierarchies.pixel_spikes(graph.steps)}
        from_lava(graph.root, graph.steps, sources=sources)
        results[f"{chosen}/after"] = hierarchies.run(graph)["out"]
    np.savez(sys.argv[1], **results)
