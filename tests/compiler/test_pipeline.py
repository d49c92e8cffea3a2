"""Compiling: passes and their options, records, verification, equality before and after placing."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava import registry
from hrsnn_lava.artifacts.container import load_any, plain
from hrsnn_lava.compiler.context import Context, Observed, Pass
from hrsnn_lava.compiler.mapped import Mapped
from hrsnn_lava.compiler.passes.absorb_thresholds import AbsorbThresholds, PlanThresholds
from hrsnn_lava.compiler.passes.canonical import Canonical
from hrsnn_lava.compiler.passes.palette import Palette
from hrsnn_lava.compiler.passes.partition import Partition
from hrsnn_lava.compiler.passes.place import Place
from hrsnn_lava.compiler.passes.prune_betweenness import PruneBetweenness
from hrsnn_lava.compiler.passes.prune_lyapunov import PruneLyapunov
from hrsnn_lava.compiler.passes.prune_random import PruneRandom
from hrsnn_lava.compiler.passes.quantize import Quantize
from hrsnn_lava.compiler.passes.stock_groups import StockGroups
from hrsnn_lava.compiler.pipeline import (
    DEFAULT,
    History,
    Pipeline,
    compile_network,
    run_pass,
    run_passes,
)
from hrsnn_lava.compiler.pruning.rescale import Rescale
from hrsnn_lava.errors import ArtifactError, CapacityError, NetworkError, SpecError
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.options import help_texts, options
from hrsnn_lava.sim_backends.runs.inputs import random_input
from hrsnn_lava.sim_backends.runs.parity import compare
from hrsnn_lava.sim_backends.runs.session import simulate

SPEC = hl.Spec.parse({"network": {"size": 120, "connectivity": {"mean_degree": 12.0}}})
PASSES = registry.names("pass")
#: Options without a default.
REQUIRED = {
    "prune_activity": {"density": 0.5},
    "prune_balanced": {"density": 0.5, "beyond": "rule"},
    "prune_betweenness": {"fraction": 0.2},
    "prune_lyapunov": {"density": 0.5},
    "prune_erdos_renyi": {"density": 0.5},
    "prune_magnitude": {"density": 0.5},
    "prune_neurons": {"fraction": 0.2},
    "prune_random": {"density": 0.5},
    "stock_groups": {"groups": 3},
}
#: Of a compilation for Loihi 1 after a run of the 30 neurons of `tiny`.
CONTEXT = Context(
    HardwareProfile.load("loihi1"),
    Observed(np.linspace(0.01, 0.2, 30), 0.1),
    input_range=2.0,
    seed=3,
)


def make(name):
    """A pass by its name, with values for what has no default."""
    return registry.load("pass", name)(**REQUIRED.get(name, {}))


def field_names(name):
    return [f.name for f in fields(registry.load("pass", name))]


@pytest.fixture(scope="module")
def tiny():
    """30 neurons."""
    spec = {"network": {"size": 30, "connectivity": {"mean_degree": 6.0}}}
    return hl.build_hrsnn(hl.Spec.parse(spec), seed=2)


@pytest.fixture(scope="module")
def network():
    return hl.build_hrsnn(SPEC, seed=1)


@pytest.fixture(scope="module")
def compiled(network):
    return hl.compile(network, "loihi1", [PruneRandom(0.5, seed=1)], seed=1)


def test_every_pass_leaves_a_record(network, compiled):
    names = [record.name for record in compiled.records]
    assert names == [
        "prune_random",
        "quantize",
        "partition",
        "palette",
        "absorb_thresholds",
        "place",
    ]
    first = compiled.records[0]
    assert first.options["density"] == 0.5
    assert first.before["synapses"] == network.n_synapses == compiled.synapses_before
    assert first.after["synapses"] == pytest.approx(network.n_synapses / 2, abs=1)


def test_a_compiled_network_comes_back_with_the_same_bytes(compiled, tmp_path):
    digest = compiled.save(tmp_path / "a.hlx")
    again = load_any(tmp_path / "a.hlx")
    assert isinstance(again, hl.CompiledNetwork)
    assert again.save(tmp_path / "b.hlx") == digest
    assert again.verify().profile == compiled.profile
    np.testing.assert_array_equal(again.core_of, compiled.core_of)


def test_compiling_twice_gives_the_same_bytes(network, compiled, tmp_path):
    other = hl.compile(network, "loihi1", [PruneRandom(0.5, seed=1)], seed=1)
    assert other.save(tmp_path / "a.hlx") == compiled.save(tmp_path / "b.hlx")


def test_placement_without_tables_changes_no_bit(network):
    integer = hl.quantize(network)
    placed = hl.compile(integer, "loihi2")
    inputs = random_input(integer, 100)
    before, after = (simulate(n, inputs, 100, "reference", ("v", "u")) for n in (integer, placed))
    assert before.n_spikes > 0
    assert compare(before, after, ("before", "after")) == (0, None)


def test_off_grid_weights_are_made_explicit_and_change_nothing():
    weights = np.array([[3, -5], [7, 300]])
    integer = hl.QuantizedNetwork(
        (hl.QuantizedPopulation("a", 2, 100, 100, 5, 50, 6),),
        (hl.QuantizedProjection("p", "a", "a", weights),),
    )
    placed = hl.compile(integer, "loihi2")
    assert placed.records[0].name == "canonical"
    assert placed.records[0].report == {"changed": 4}
    assert placed.network.projection("p").weights.toarray().tolist() == [[2, -6], [6, 254]]
    before, after = (simulate(n, None, 50, "reference", ("v", "u")) for n in (integer, placed))
    assert compare(before, after, ("before", "after")) == (0, None)


def test_a_network_too_large_for_the_chip_names_every_violation(network):
    profile = HardwareProfile.load("loihi1")
    chip = profile.chip.model_copy(
        update={"cores": profile.chip.cores.model_copy(update={"value": 1})}
    )
    tight = profile.model_copy(update={"chip": chip})
    with pytest.raises(CapacityError) as caught:
        compile_network(network, tight, neurons_per_core=10)
    rules = {violation.rule for violation in caught.value.violations}
    assert "cores_on_chip" in rules
    assert caught.value.exit_code == 4


def test_a_pass_that_breaks_the_network_is_caught_at_once(network):
    class Breaker:
        name = "breaker"

        def apply(self, net, context):  # noqa: ARG002
            bad = net.population("exc").with_parameters(tau_mem=-1.0)
            return net.with_population(bad), {}

    with pytest.raises(NetworkError, match="tau_mem"):
        run_passes(network, [Breaker()])


def test_float_passes_need_a_float_network(network):
    with pytest.raises(SpecError, match="quantized already"):
        hl.compile(hl.quantize(network), "loihi1", [PruneRandom(0.5)])


def test_a_profile_that_does_not_match_its_hash_is_refused(compiled, tmp_path):
    from hrsnn_lava.artifacts.container import write_artifact

    artifact = compiled.to_artifact()
    artifact.meta["profile"]["digest"] = "0" * 64
    write_artifact(tmp_path / "x.hlx", artifact)
    with pytest.raises(ArtifactError, match="does not match its recorded hash"):
        hl.CompiledNetwork.load(tmp_path / "x.hlx")


def test_numbers_become_plain():
    found = plain({"a": np.float64(1.5), "b": np.arange(2), "c": (np.int32(3), float("nan"))})
    assert found == {"a": 1.5, "b": [0, 1], "c": [3, None]}


# --- Options that are given once ---------------------------------------------------------------


def analog(n=60):
    """Neurons of many thresholds under one strong held input."""
    threshold = np.random.default_rng(0).uniform(0.2, 2, n)
    populations = (
        hl.Population("inp", 1, hl.Input(graded=True)),
        hl.Population("e", n, hl.LIF(0.02, 0.005, threshold, 0.1)),
    )
    weights = np.full((n, 1), 5.0)
    return hl.Network(1e-3, populations, (hl.Projection("in", "inp", "e", weights, target="bias"),))


def mantissas_at(compiled, value):
    """Largest bias mantissa of every neuron while the held input is at +- `value`."""
    held = compiled.network.projection("in")
    scale = compiled.network.population("inp").payload_scale
    weights = abs(held.weights).sum(axis=1).A1 * 2.0**held.weight_exp
    return np.abs(compiled.network.gather("bias_mant")) + weights * scale * value


def options_of_records(compiled, name):
    """Value of an option in every record that has it."""
    return {r.name: r.options[name] for r in compiled.records if name in r.options}


@pytest.mark.parametrize(
    "given",
    [
        {"quantize": Quantize(input_range=16.0)},
        {"input_range": 16.0},
        {"absorb_thresholds": {"input_range": 16.0}},
        {"passes": [Quantize(input_range=16.0)]},
        {"passes": [PlanThresholds(AbsorbThresholds(input_range=16.0))]},
    ],
)
def test_an_input_range_reaches_whoever_scales_biases(given):
    compiled = hl.compile(analog(), "loihi1", seed=2, **given)
    assert options_of_records(compiled, "input_range") == {
        "quantize": 16.0,
        "absorb_thresholds": 16.0,
    }
    assert options_of_records(compiled, "seed") == {"partition": 2, "place": 2}
    # half a unit rounds into the 13 bits, and the integer weight of the input is rounded itself
    assert mantissas_at(compiled, 16.0).max() <= 4096
    assert {r.name: r.report.get("absorbed") for r in compiled.records}["absorb_thresholds"] > 40


def test_without_a_range_such_inputs_saturate():
    compiled = hl.compile(analog(), "loihi1")
    assert set(options_of_records(compiled, "input_range").values()) == {4.0}
    assert mantissas_at(compiled, 4.0).max() <= 4096
    assert mantissas_at(compiled, 16.0).max() > 2 * 4096


@pytest.mark.parametrize(
    ("given", "texts"),
    [
        (
            {"quantize": Quantize(input_range=2.0), "absorb_thresholds": {"input_range": 3.0}},
            "2 of quantize, 3 of absorb_thresholds",
        ),
        ({"quantize": Quantize(input_range=2.0), "input_range": 4.0}, "2 of quantize, 4 of the"),
    ],
)
def test_two_input_ranges_contradict_each_other(given, texts):
    with pytest.raises(SpecError, match="the passes do not fit each other") as caught:
        hl.compile(analog(), "loihi1", **given)
    (problem,) = caught.value.problems
    assert problem.where == "input_range"
    assert problem.measured.startswith(texts)


def test_the_seed_reaches_every_pass_that_draws(network):
    steps = [PruneBetweenness(0.2, n_pivots=5), PruneRandom(0.5), StockGroups(3)]
    compiled = hl.compile(network, "loihi1", steps, seed=5)
    assert options_of_records(compiled, "seed") == dict.fromkeys(
        ("prune_betweenness", "prune_random", "stock_groups", "partition", "place"), 5
    )
    assert options_of_records(compiled, "stdp")["quantize"]["seed"] == 5
    own = hl.compile(network, "loihi1", [PruneRandom(0.5, seed=1)], seed=5, place={"seed": 9})
    assert options_of_records(own, "seed") == {"prune_random": 1, "partition": 5, "place": 9}
    unsaid = hl.compile(network, "loihi1", [PruneRandom(0.5)])
    assert set(options_of_records(unsaid, "seed").values()) == {0}
    assert unsaid.seed is None
    same = [PruneRandom(0.5, seed=5)(network), PruneRandom(0.5)(network, Context(seed=5))]
    assert same[0].n_synapses == same[1].n_synapses
    for p in same[0].projections:
        np.testing.assert_array_equal(p.weights.indices, same[1].projection(p.name).weights.indices)


@pytest.mark.parametrize("name", [n for n in PASSES if "seed" in field_names(n)])
def test_a_seed_of_its_own_counts_before_that_of_the_compilation(name):
    step = make(name)
    assert step.settled(Context(seed=7)).seed == 7
    assert step.settled(Context()).seed == 0
    assert replace(step, seed=3).settled(Context(seed=7)).seed == 3


# --- Lists of passes ---------------------------------------------------------------------------


@options
class ScaleWeights(Pass[hl.Network, hl.Network]):
    """A float pass.

    Attributes:
        factor: of every weight.
    """

    name: ClassVar[str] = "scale_weights"
    factor: float = 0.5

    def transform(self, network, context):
        assert isinstance(network, hl.Network)
        assert context.profile is not None
        for projection in network.projections:
            scaled = replace(projection, weights=projection.weights * self.factor)
            network = network.with_projection(scaled)
        return network, {"scaled": network.n_synapses}


@options
class Silence(Pass[hl.QuantizedNetwork, hl.QuantizedNetwork]):
    """An integer pass: no bias but those of held inputs."""

    name: ClassVar[str] = "silence"
    takes: ClassVar[str] = "integer"

    def transform(self, network, context):
        del context
        assert isinstance(network, hl.QuantizedNetwork)
        for population in network.compute_populations:
            network = network.with_population(replace(population, bias_mant=0))
        return network, {}


@options
class CountCores(Pass[Mapped, Mapped]):
    """A pass on cores; says whether they have tiles."""

    name: ClassVar[str] = "count_cores"
    takes: ClassVar[str] = "mapped"

    def transform(self, network, context):
        del context
        placement = network.on_cores
        placed = placement.coordinates is not None
        return network, {"cores": placement.n_cores, "placed": placed}


def names_of(compiled):
    return [record.name for record in compiled.records]


def report_of(compiled, name):
    (record,) = (r for r in compiled.records if r.name == name)
    return record.report


MAPPING = ["partition", "palette", "absorb_thresholds", "place"]


def test_the_default_pipeline_is_what_compile_runs(network, tmp_path):
    profile = HardwareProfile.load("loihi1")
    one = hl.compile(network, profile).save(tmp_path / "a.hlx")
    other = Pipeline.default(profile).run(network, Context()).save(tmp_path / "b.hlx")
    third = Pipeline.default(profile).run(network).save(tmp_path / "c.hlx")
    assert one == other == third


@pytest.mark.parametrize(
    "passes",
    [
        [Quantize()],
        [Canonical()],
        [Partition()],
        [Quantize(), Partition()],
        [Palette(), Place()],
        [AbsorbThresholds()],
        [PlanThresholds()],
        [cls() for cls in DEFAULT],
    ],
)
def test_a_list_of_default_passes_is_the_default(network, passes, tmp_path):
    expected = hl.compile(network, "loihi1").save(tmp_path / "a.hlx")
    assert hl.compile(network, "loihi1", passes).save(tmp_path / "b.hlx") == expected
    if passes[0].name != "quantize":  # the back half takes integers, too
        integer = hl.quantize(network)
        expected = hl.compile(integer, "loihi1").save(tmp_path / "a.hlx")
        assert hl.compile(integer, "loihi1", passes).save(tmp_path / "b.hlx") == expected


def test_options_of_the_back_half_hold(network):
    compiled = hl.compile(
        network, "loihi1", [Quantize(5), Partition(method="index", neurons_per_core=50)]
    )
    assert names_of(compiled) == ["quantize", *MAPPING]
    assert {p.num_weight_bits for p in compiled.network.projections if p.target == "synapse"} == {5}
    assert report_of(compiled, "partition")["method"] == "index"
    assert np.bincount(compiled.core_of).max() <= 50
    assert np.all(np.diff(compiled.core_of) >= 0)  # neuron order
    placed = hl.compile(network, "loihi1", [Place("row")], neurons_per_core=30)
    assert report_of(placed, "place")["mapping"]["search"] == {"start": "row"}
    tables = hl.compile(network, "loihi1", [AbsorbThresholds(enabled=False)])
    assert names_of(tables) == ["quantize", "partition", "palette", "place"]
    planned = hl.compile(network, "loihi1", [PlanThresholds(AbsorbThresholds(tolerance=0.01))])
    assert options_of_records(planned, "tolerance")["absorb_thresholds"] == 0.01


def test_passes_of_others_go_where_they_can_work(network):
    steps = [ScaleWeights(), Silence(), CountCores()]
    compiled = hl.compile(network, "loihi1", steps)
    assert names_of(compiled) == [
        "scale_weights",
        "quantize",
        "silence",
        "partition",
        "count_cores",
        "palette",
        "absorb_thresholds",
        "place",
    ]
    assert report_of(compiled, "scale_weights") == {"scaled": network.n_synapses}
    assert report_of(compiled, "count_cores") == {
        "cores": compiled.placement.n_cores,
        "placed": False,
    }
    assert not compiled.network.gather("bias_mant").any()
    last = hl.compile(network, "loihi1", [Place(), CountCores()])
    assert names_of(last)[-2:] == ["place", "count_cores"]
    assert report_of(last, "count_cores")["placed"]
    between = hl.compile(network, "loihi1", [Palette(), CountCores(), Place()])
    assert names_of(between)[-4:] == ["palette", "count_cores", "absorb_thresholds", "place"]


def test_passes_given_by_name_leave_the_order_of_a_list(network):
    last = hl.compile(network, "loihi1", [Place(), CountCores()], weight_bits=4, partition={})
    assert names_of(last)[-2:] == ["place", "count_cores"]
    assert options_of_records(last, "weight_bits") == {"quantize": 4}
    first = hl.compile(network, "loihi1", [PruneRandom(0.5), ScaleWeights()], weight_bits=4)
    assert names_of(first)[:3] == ["prune_random", "scale_weights", "quantize"]


@pytest.mark.parametrize(
    ("passes", "message"),
    [
        ([Quantize], r"passes\[0\]: a class, Quantize; allowed: an object"),
        ([Quantize(), "place"], r"passes\[1\]: 'place'; allowed: a pass, such as Quantize\(\)"),
        ([None], r"passes\[0\]: None; allowed: a pass"),
    ],
)
def test_what_is_no_pass_is_named_before_anything_runs(network, passes, message):
    for entrance in (
        lambda: hl.compile(network, "loihi1", passes),
        lambda: hl.compile(network, "loihi1", passes, weight_bits=4),
        lambda: Pipeline.default(HardwareProfile.load("loihi1"), passes),
        lambda: run_passes(network, passes),
    ):
        with pytest.raises(SpecError, match=message):
            entrance()


@pytest.mark.parametrize(
    ("passes", "message"),
    [
        ([Place(), Partition()], "partition: after 'place'; allowed: in the order of work"),
        ([Quantize(), PruneRandom(0.5)], "prune_random: after 'quantize'"),
        ([Partition(), StockGroups(3)], "stock_groups: after 'partition'"),
        ([Partition(), Quantize()], "quantize: after 'partition'"),
        ([Quantize(), Quantize(4)], "quantize: twice; allowed: once"),
        ([Place(), Place()], "place: twice; allowed: once"),
    ],
)
def test_an_order_that_cannot_run_is_refused_before_it_runs(network, passes, message):
    with pytest.raises(SpecError, match="the passes are in no order that can run") as caught:
        hl.compile(network, "loihi1", passes)
    assert message in str(caught.value)


def test_a_pass_given_twice_in_two_ways_is_refused(network):
    with pytest.raises(SpecError, match="quantize: twice"):
        hl.compile(network, "loihi1", [Quantize()], weight_bits=4)


@pytest.mark.parametrize("step", [PruneRandom(0.5), ScaleWeights(), Quantize()])
def test_integers_take_no_float_passes(network, step):
    with pytest.raises(SpecError, match="quantized already"):
        hl.compile(hl.quantize(network), "loihi1", [step])


def test_a_pipeline_that_ends_early_is_refused(network):
    profile = HardwareProfile.load("loihi1")
    with pytest.raises(SpecError, match="end before the network is on its cores"):
        Pipeline(profile, (Quantize(),)).run(network)
    waiting = (Quantize(), PlanThresholds(), Partition(), Palette(), Place())
    with pytest.raises(SpecError, match="end before the network is on its cores"):
        Pipeline(profile, waiting).run(network)  # weights not scaled to the planned thresholds


def test_what_was_done_before_comes_first_in_the_records(network):
    pruned, record = run_pass(network, PruneRandom(0.5), Context(seed=1))
    integer, quantized = run_pass(pruned, Quantize())
    history = History((record, quantized), network.n_synapses)
    pipeline = Pipeline.default(HardwareProfile.load("loihi1"), quantized=True)
    compiled = pipeline.run(integer, Context(seed=1), history)
    assert names_of(compiled) == ["prune_random", "quantize", *MAPPING]
    assert compiled.synapses_before == network.n_synapses > compiled.network.n_synapses
    assert compiled.seed == 1


# --- Options of `compile` ----------------------------------------------------------------------


def test_options_go_to_the_pass_that_has_them(network):
    compiled = hl.compile(
        network,
        "loihi1",
        quantize=Quantize(5, scaling="mse"),
        weight_bits=6,
        partition={"tolerance": 0.1, "baselines": False},
        neurons_per_core=40,
        place={"effort": 0.1},
        reserve=0.1,
        absorb=AbsorbThresholds(tolerance=0.02),
    )
    records = {r.name: r.options for r in compiled.records}
    assert (records["quantize"]["weight_bits"], records["quantize"]["scaling"]) == (6, "mse")
    assert records["partition"] == {
        "method": "auto",
        "neurons_per_core": 40,
        "tolerance": 0.1,
        "palette_weight": 1.0,
        "baselines": False,
        "seed": 0,
    }
    assert records["place"]["effort"] == 0.1
    absorbed = records["absorb_thresholds"]
    assert (absorbed["tolerance"], absorbed["reserve"]) == (0.02, 0.1)


@pytest.mark.parametrize(
    ("given", "where", "allowed"),
    [
        ({"colour": 1}, "colour", "neurons_per_core"),
        ({"tolerance": 0.1}, "tolerance", "partition={'tolerance': ...}"),
        ({"method": "row"}, "method", "place={'method': ...}"),
        ({"quantize": Partition()}, "quantize", "a pass 'quantize', or a table of its options"),
        ({"partition": 3}, "partition", "a pass 'partition', or a table of its options"),
    ],
)
def test_options_of_nobody_or_of_several_are_refused(network, given, where, allowed):
    with pytest.raises(SpecError, match="options of the compilation") as caught:
        hl.compile(network, "loihi1", **given)
    (problem,) = caught.value.problems
    assert problem.where == where
    assert allowed in problem.allowed


def test_rates_are_said_in_one_way(network):
    with pytest.raises(SpecError, match="rates and observed say the same in two ways"):
        hl.compile(network, "loihi1", rates=0.1, observed=Observed(0.1))
    rates = np.full(network.n_neurons, 0.1)
    one = hl.compile(network, "loihi1", rates=rates, input_rates=0.0)
    other = hl.compile(network, "loihi1", observed=Observed(rates, 0.0))
    assert one.network_digest == other.network_digest
    assert report_of(one, "place") == report_of(other, "place")


@pytest.mark.parametrize("name", PASSES)
def test_an_unknown_option_lists_the_known_ones(name):
    cls = registry.load("pass", name)
    with pytest.raises(SpecError, match=f"options of {name}") as caught:
        cls(**{**REQUIRED.get(name, {}), "colour": 1})
    (problem,) = caught.value.problems
    assert (problem.where, problem.measured) == ("colour", "unknown key")
    assert all(field in problem.allowed for field in field_names(name))


def test_old_spellings_are_read_with_a_note(network):
    profile = HardwareProfile.load("loihi1")
    with pytest.warns(FutureWarning, match="prune_lyapunov: mode is called exponents now"):
        old = PruneLyapunov(0.5, mode="participation")
    assert old == PruneLyapunov(0.5, exponents="participation")
    with pytest.raises(SpecError, match="mode: unknown key"):
        PruneLyapunov(0.5, mode="isolated", exponents="participation")
    for cls in (Partition, Place, Palette):
        with pytest.warns(FutureWarning, match=f"{cls.name}: the chip is given to compile"):
            assert cls(profile) == cls()
    with pytest.warns(FutureWarning, match="rescale: 1/p is called inverse now"):
        step = PruneRandom(0.5, rescale="1/p")
    assert step.rescale == Rescale("inverse")


# --- Every pass obeys one protocol -------------------------------------------------------------


def before_pass(name, network):
    """What a pass of the pipeline gets to work on."""
    takes = registry.load("pass", name).takes
    if takes == "float":
        return network
    integer = hl.quantize(network)
    if name == "lower_stock":
        return StockGroups(3)(integer)
    if name not in ("palette", "absorb_thresholds", "place"):
        return integer
    steps = {step.name: step for step in (PlanThresholds(), Partition(), Palette())}
    until = {"palette": 2, "absorb_thresholds": 3, "place": 2}[name]
    return run_passes(integer, list(steps.values())[:until], CONTEXT)[0]


def fingerprint(value):
    """Everything that a network consists of, as plain values."""
    if sparse.issparse(value):
        return (value.shape, fingerprint((value.data, value.indices, value.indptr)))
    if isinstance(value, np.ndarray):
        return (str(value.dtype), value.shape, value.tobytes())
    if is_dataclass(value) and not isinstance(value, type):
        return tuple(fingerprint(getattr(value, f.name)) for f in fields(value))
    if isinstance(value, (list, tuple)):
        return tuple(fingerprint(v) for v in value)
    if isinstance(value, dict):
        return tuple((k, fingerprint(v)) for k, v in value.items())
    return repr(value)


@pytest.mark.parametrize("name", PASSES)
def test_every_pass_takes_a_network_and_a_context(name, tiny):
    step, work = make(name), before_pass(name, tiny)
    assert isinstance(step, Pass)
    assert (step.name, step.takes in ("float", "integer", "mapped")) == (name, True)
    before = fingerprint(work)
    changed, report = step.apply(work, CONTEXT)
    assert changed.verify() is not None
    assert fingerprint(work) == before
    text = json.dumps(plain(dict(report or {})), allow_nan=False)
    assert json.loads(text) == plain(dict(report or {}))
    assert fingerprint(step(work, CONTEXT)) == fingerprint(changed)
    if name != "canonical":  # whose weights are on the grid already
        assert report is not None
        assert name in ("partition", "place") or fingerprint(changed) != before
    texts = help_texts(type(step))
    assert all(texts.get(field) for field in field_names(name)), "an option without a text"
    with pytest.raises(FrozenInstanceError):
        step.name = "other"


def test_every_default_pass_is_a_part_of_its_own_or_of_another():
    assert {cls.name for cls in DEFAULT} - set(PASSES) == {"plan_thresholds"}
    assert len({cls.name for cls in DEFAULT}) == len(DEFAULT)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rates": -1.0}, "rates: -1, 1 such; allowed: numbers >= 0"),
        ({"rates": np.array([0.1] * 29 + [np.nan])}, "rates: nan, 1 such"),
        ({"rates": 0.1, "input_rates": np.inf}, "input_rates: inf, 1 such"),
        ({"rates": "abc"}, "rates: 'abc'; allowed: numbers"),
    ],
)
def test_rates_that_cannot_be_are_refused(tiny, options, message):
    with pytest.raises(SpecError, match=message):
        hl.compile(tiny, "loihi1", **options)


def test_what_absorbs_thresholds_is_said_once(tiny):
    on, off = AbsorbThresholds(enabled=True), AbsorbThresholds(enabled=False)
    for passes in ([PlanThresholds(on), off], [PlanThresholds(off), on]):
        with pytest.raises(SpecError, match=r"absorb_thresholds: .*; allowed: one, given once"):
            hl.compile(tiny, "loihi1", passes)
    assert hl.compile(tiny, "loihi1", [PlanThresholds(off), off]).records[-1].name == "place"


@pytest.mark.parametrize("network", ["net.hlx", None])
def test_only_networks_are_compiled(tiny, network):
    with pytest.raises(SpecError, match="allowed: a Network or a QuantizedNetwork"):
        hl.compile(network, "loihi1")
    with pytest.raises(SpecError, match="allowed: a Network or a QuantizedNetwork"):
        hl.compile(hl.compile(tiny, "loihi1"), "loihi1")
    with pytest.raises(SpecError, match="allowed: a list of passes"):
        hl.compile(tiny, "loihi1", Quantize())


def test_as_many_chips_as_the_refusal_asks_for():
    """A chip of 128 cores holds 131,072 neurons."""
    network = hl.QuantizedNetwork((hl.QuantizedPopulation("a", 131_073, 400, 200, 1000),))
    two = HardwareProfile.load("loihi1").with_chips(2)
    with pytest.raises(CapacityError, match="Use 2 chips at least"):
        hl.compile(network, "loihi1")
    compiled = hl.compile(network, "loihi1", chips=2)
    assert compiled.placement.n_cores == 129
    assert compiled.profile.chip.chips.value == 2
    assert compiled.profile.total_cores == 256
    assert hl.compile(network, two).profile.digest == compiled.profile.digest
    small = hl.QuantizedNetwork((hl.QuantizedPopulation("a", 1, 400, 200, 1000),))
    assert hl.compile(small, two).profile.chip.chips.value == 2
    assert (
        hl.compile(
            small, HardwareProfile.load("loihi1").with_chips(2), chips=np.int64(1)
        ).profile.chip.chips.value
        == 1
    )


@pytest.mark.parametrize("chips", [0, -1, 1.5, 2.0, "2", True, [2], np.array([1, 2]), float("nan")])
def test_a_number_of_chips_that_is_none(network, chips):
    with pytest.raises(SpecError, match=r"number of chips: .*; allowed: a whole number >= 1"):
        hl.compile(network, "loihi1", chips=chips)


def test_an_option_that_there_is_not_is_answered_with_the_nearest(network):
    with pytest.raises(SpecError, match="Did you mean 'weight_bits'"):
        hl.compile(network, "loihi1", weigth_bits=4)
