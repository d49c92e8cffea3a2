"""Hierarchical Processes: entered as Lava's compiler enters them, and left as they were."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from live_lava import run_script

import hrsnn_lava as hl
from hrsnn_lava.errors import SpecError
from hrsnn_lava.processes._hierarchy import _models, model_of
from hrsnn_lava.processes.from_lava import from_lava

pytestmark = [
    pytest.mark.lava,
    pytest.mark.filterwarnings("ignore:.* not found, skipping conversion test:ImportWarning"),
    pytest.mark.filterwarnings("ignore:Cannot import module:UserWarning"),
]
if sys.version_info >= (3, 11):
    pytest.skip("Lava 0.10.0 needs Python 3.10", allow_module_level=True)

GRAPHS = ("classifier", "balanced", "nested")
FOLDER = Path(__file__).resolve().parents[2] / "support" / "lava_tutorials"


@pytest.fixture(scope="module")
def graphs() -> Any:
    """The module of graphs; its folder is on the path while it is imported."""
    sys.path.insert(0, str(FOLDER))
    try:
        import hierarchies

        yield hierarchies
    finally:
        sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Spikes of all graphs on Lava's own runtime, once as they are and once read before."""
    out = tmp_path_factory.mktemp("lava") / "live.npz"
    found: dict[str, Any] = run_script(str(FOLDER / "hierarchies.py"), GRAPHS, out)
    return found


def read(graphs: Any, name: str, start: str = "root") -> Any:
    graph = graphs.BUILDERS[name]()
    sources = {}
    if name == "classifier":
        (port,) = graph.root.spikes_in.get_src_ports()
        sources = {port: graphs.pixel_spikes(graph.steps)}
    process = graph.root
    if start == "sink":
        process = graphs.Sink(shape=graph.heard["out"].shape, buffer=9)
        graph.heard["out"].connect(process.a_in)
    return from_lava(process, graph.steps, sources=sources)


@pytest.mark.parametrize("start", ["root", "sink"])
@pytest.mark.parametrize("name", GRAPHS)
def test_spikes_equal_those_of_live_lava(
    graphs: Any, live: dict[str, Any], name: str, start: str
) -> None:
    taken = read(graphs, name, start)
    last = taken.network.compute_populations[-1]
    first = taken.network.offset(last.name)
    assert live[name].sum() > 10
    for backend in ("reference", "native"):
        trace = hl.simulate(*taken, backend=backend)
        raster = np.zeros((trace.n_neurons, trace.n_steps), dtype=int)
        raster[trace.spike_neurons, trace.spike_steps] = 1
        np.testing.assert_array_equal(raster[first : first + last.size], live[name])


@pytest.mark.parametrize("name", GRAPHS)
def test_lava_runs_a_graph_that_was_read_as_if_it_was_not(live: dict[str, Any], name: str) -> None:
    np.testing.assert_array_equal(live[f"{name}/after"], live[name])


def test_names_are_of_the_processes_and_states_on_the_outside_are_not_values(graphs: Any) -> None:
    """`Var.alias` hands on `get` and `set` of a run; initial values stay those of the inside."""
    taken = read(graphs, "classifier")
    names = [p.name for p in taken.network.populations]
    assert names == ["pixels", "lif_1", "lif_2"]
    assert [p.name for p in taken.network.projections] == ["dense_1", "dense_2"]
    assert taken.network.population("lif_2").vth.tolist() == [90] * 3
    names = [p.name for p in read(graphs, "nested").network.populations]
    assert names == ["input_1", "lif_1", "lif_2", "lif_3", "lif_4"]
    assert read(graphs, "balanced").network.populations[0].name == "neurons"


def test_a_graph_that_lava_has_compiled_is_read_as_it_is(graphs: Any) -> None:
    graph = graphs.nested()
    apart = from_lava(graph.root, graph.steps)
    graph.root.compile(graphs.run_config())
    compiled = from_lava(graph.root, graph.steps)
    for one, other in zip(apart.network.projections, compiled.network.projections, strict=True):
        assert (one.name, one.pre, one.post) == (other.name, other.pre, other.post)
        assert (one.weights != other.weights).nnz == 0


def test_models_and_choice_are_those_of_lavas_compiler(graphs: Any) -> None:
    from lava.magma.compiler.compiler_graphs import ProcGroupDiGraphs
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.dense.process import Dense, LearningDense
    from lava.proc.io.source import RingBuffer
    from lava.proc.lif.process import LIF
    from lava.proc.sparse.process import Sparse

    del LearningDense
    processes = [
        graphs.classifier().root,
        graphs.balanced().root,
        graphs.Pixels(graphs.IMAGE),
        LIF(shape=(1,)),
        Dense(weights=np.ones((1, 1))),
        Sparse(weights=np.ones((1, 1))),
        RingBuffer(data=np.ones((1, 1))),
    ]
    configs = [
        Loihi2SimCfg(select_tag=tag, select_sub_proc_model=sub)
        for tag in (None, "fixed_pt", "floating_pt", "lif_neurons", "rate_neurons")
        for sub in (False, True)
    ]
    configs.append(Loihi2SimCfg(exception_proc_model_map={processes[3]: "by object"}))
    configs.append(Loihi2SimCfg(exception_proc_model_map={LIF: "by class"}))
    for process in processes:
        theirs = ProcGroupDiGraphs._find_proc_models(process)
        assert _models(process) == theirs
        for config in configs:
            try:
                expected = config.exception_proc_model_map.get(process) or config.select(
                    process, theirs
                )
            except AssertionError:
                with pytest.raises(LookupError):
                    model_of(process, config)
            else:
                assert model_of(process, config) is expected
    # without a configuration a SubProcessModel goes first
    assert model_of(processes[0]) is graphs.ClassifierModel
    assert model_of(processes[1]) is graphs.SpikingModel
    assert model_of(processes[2]) is graphs.PixelsModel


def hierarchical(tags: list[list[str]], build: Any = None) -> Any:
    """A Process with a SubProcessModel for each list of tags; all classes are local."""
    from lava.magma.core.decorator import implements, tag
    from lava.magma.core.model.sub.model import AbstractSubProcessModel
    from lava.magma.core.process.process import AbstractProcess
    from lava.proc.lif.process import LIF

    class Outer(AbstractProcess):
        pass

    def make(number: int, words: list[str]) -> None:
        @implements(proc=Outer)
        @tag(*words)
        class Model(AbstractSubProcessModel):
            def __init__(self, _: Any) -> None:
                if build is not None:
                    build(self)
                else:
                    self.lif = LIF(shape=(number + 1,), du=9, dv=9, vth=9)

        Model.__name__ = f"Model{number}"
        KEPT.append(Model)

    for number, words in enumerate(tags):
        make(number, words)
    return Outer(name="outer")


KEPT: list[Any] = []


@pytest.mark.parametrize(
    ("tags", "size"),
    [
        ([[]], 1),
        ([["lif_neurons"]], 1),
        ([["floating_pt"], ["fixed_pt"], ["fixed_pt"]], 2),
        ([["floating_pt", "fixed_pt"]], 1),
    ],
)
def test_the_model_for_fixed_point_is_taken(tags: list[list[str]], size: int) -> None:
    assert from_lava(hierarchical(tags), 3).network.n_neurons == size


@pytest.mark.parametrize("tags", [[["floating_pt"]], [["a"], ["b"]], [[], ["floating_pt"]]])
def test_several_models_without_the_tag_need_a_run_config(tags: list[list[str]]) -> None:
    from lava.magma.core.run_configs import Loihi2SimCfg

    outer = hierarchical(tags)
    with pytest.raises(SpecError) as caught:
        from_lava(outer, 3)
    (problem,) = caught.value.problems
    assert "none of its SubProcessModels is tagged fixed_pt: Model0" in problem.measured
    chosen = Loihi2SimCfg(select_tag=(tags[-1] or [None])[0], select_sub_proc_model=True)
    assert from_lava(outer, 3, run_config=chosen).network.n_neurons == len(tags)


def test_a_model_that_fails_and_processes_that_lava_loses_are_named() -> None:
    from lava.proc.dense.process import Dense
    from lava.proc.lif.process import LIF

    def fails(model: Any) -> None:
        raise KeyError("weights")

    def loses(model: Any) -> None:
        model.lif = LIF(shape=(2,), name="kept")
        lost = [Dense(weights=np.ones((2, 2)), name="lost")]
        model.lif.s_out.connect(lost[0].s_in)
        lost[0].a_out.connect(model.lif.a_in)

    with pytest.raises(SpecError) as caught:
        from_lava(hierarchical([[]], fails), 3)
    (problem,) = caught.value.problems
    assert "its Model0 cannot be built: KeyError: 'weights'" in str(problem)
    with pytest.raises(SpecError) as caught:
        from_lava(hierarchical([[]], loses), 3)
    (problem,) = caught.value.problems
    assert str(problem).startswith(
        "Dense 'lost': inside a hierarchical Process, and no attribute of its SubProcessModel"
    )


def test_an_inner_process_is_named_by_its_place() -> None:
    from lava.proc.lif.process import LIF

    def wraps(model: Any) -> None:
        model.layer = LIF(shape=(2,), vth=np.full(2, 900, np.int16))

    with pytest.raises(SpecError) as caught:
        from_lava(hierarchical([[]], wraps), 3)
    (problem,) = caught.value.problems
    assert problem.where == "LIF 'layer' of Outer 'outer'.vth"


def test_what_a_process_of_ones_own_sends_can_be_said(graphs: Any) -> None:
    graph = graphs.classifier()
    (port,) = graph.root.spikes_in.get_src_ports()
    with pytest.raises(SpecError) as caught:
        from_lava(graph.root)
    (problem,) = caught.value.problems
    assert str(problem) == (
        "Pixels 'pixels': a Process of your own, computed by PixelsModel. Pass its inner "
        "Processes, or give it a SubProcessModel of Lava's own Processes; or say what it sends: "
        "sources={process.spikes_out: values}"
    )
    taken = from_lava(graph.root, sources={port: graphs.pixel_spikes(11)})
    assert taken.steps == 11
    sent = np.zeros((6, 11), dtype=int)
    sent[taken.inputs.neurons, taken.inputs.steps] = 1
    np.testing.assert_array_equal(sent, graphs.pixel_spikes(11))
    for wrong, words in (
        ({port: np.ones((5, 9))}, "shape (5, 9); allowed: (6, 'steps')"),
        ({"pixels": np.ones((6, 9))}, "output ports of Processes of this graph"),
    ):
        with pytest.raises(SpecError) as caught:
            from_lava(graph.root, 9, sources=wrong)
        assert any(words in str(problem) for problem in caught.value.problems)


def test_neurons_of_ones_own_that_send_a_third_factor_are_one_problem(graphs: Any) -> None:
    with pytest.raises(SpecError) as caught:
        from_lava(graphs.rewarded().root)
    (problem,) = caught.value.problems
    assert str(problem) == (
        "RewardLIF 'post': a Process of your own, computed by RewardLIFModel, which sends the "
        "third factor of LearningDense 'plastic' (y1, y2). What RingBuffer, LIF or Dense send as "
        "third factor is taken; such neurons run in Lava alone"
    )
