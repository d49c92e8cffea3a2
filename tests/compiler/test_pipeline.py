"""Compiling: records, verification after every pass, equality before and after placement."""

from __future__ import annotations

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava.artifacts.container import load_any, plain
from hrsnn_lava.compiler.passes.prune_random import PruneRandom
from hrsnn_lava.compiler.pipeline import compile_network, run_passes
from hrsnn_lava.errors import ArtifactError, CapacityError, NetworkError, SpecError
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.sim_backends.reference.simulator import ReferenceBackend
from hrsnn_lava.sim_backends.runs.parity import compare, random_input

SPEC = hl.Spec.parse({"network": {"size": 120, "connectivity": {"mean_degree": 12.0}}})


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
    before, after = (ReferenceBackend().run(n, inputs, 100, ("v", "u")) for n in (integer, placed))
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
    before, after = (ReferenceBackend().run(n, None, 50, ("v", "u")) for n in (integer, placed))
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

        def apply(self, net):
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
