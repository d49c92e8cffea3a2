"""Utilization against published memory figures and a slow count of our own."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from hrsnn_lava.chip_learning import Learning, pair_stdp
from hrsnn_lava.compiler.analysis.occupancy.utilization import (
    index_bits,
    list_words,
    stored_bits,
    utilization,
)
from hrsnn_lava.hardware_profiles import HardwareProfile
from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
)

LOIHI = HardwareProfile.load("loihi1")
LENGTHS = (1, 6, 7, 16, 64, 65, 128, 256, 1024)
#: (index bits, weight bits) -> bits of memory per list of LENGTHS; printed by nengo-loihi 1.1.0
#: `SynapseConfig.bits_per_axon` (index bits 0: its compression 3).
BITS = {
    (0, 8): (64, 64, 128, 192, 576, 640, 1152, 2304, 9216),
    (0, 4): (64, 64, 64, 128, 320, 384, 640, 1280, 5120),
    (0, 1): (64, 64, 64, 64, 128, 192, 256, 512, 2048),
    (7, 8): (64, 128, 128, 256, 1024, 1088, 2048, 4096, 16384),
    (7, 4): (64, 128, 128, 192, 768, 832, 1536, 3072, 12288),
    (7, 1): (64, 64, 128, 192, 576, 640, 1152, 2304, 9216),
    (10, 8): (64, 128, 192, 320, 1216, 1280, 2432, 4864, 19456),
    (10, 4): (64, 128, 128, 256, 960, 1024, 1920, 3840, 15360),
    (10, 1): (64, 128, 128, 192, 768, 832, 1536, 3072, 12288),
}


def memory_of(name: str):
    memory = HardwareProfile.load(name).synapse_memory
    assert memory is not None
    return memory


@pytest.mark.parametrize(("widths", "bits"), BITS.items())
def test_loihi_memory_vectors(widths, bits) -> None:
    index, weight = widths
    words = list_words(LENGTHS, memory_of("loihi1"), weight_bits=weight, index_bits=index)
    assert tuple(words * 64) == bits


def test_lists_of_length_zero_take_nothing() -> None:
    for name in ("loihi1", "loihi2_lava"):
        assert list_words([0], memory_of(name), weight_bits=8)[0] == 0


def test_loihi2_words_as_in_the_compiler_log() -> None:
    words = list_words([1, 10, 50], memory_of("loihi2_lava"), weight_bits=8)
    assert words.tolist() == [1, 3, 13]


def test_stored_widths() -> None:
    memory = memory_of("loihi1")
    stored = stored_bits(range(1, 9), memory.weight_bits.values)
    assert stored.tolist() == [1, 2, 3, 4, 5, 6, 8, 8]
    sizes = [1, 2, 64, 65, 128, 129, 512, 513, 1024]
    assert index_bits(sizes, memory).tolist() == [0, 6, 6, 7, 7, 8, 9, 10, 10]


def random_network(seed: int) -> QuantizedNetwork:
    rng = np.random.default_rng(seed)
    sizes = {"inp": int(rng.integers(1, 5)), "a": int(rng.integers(1, 9)), "b": 6}
    populations = [QuantizedInput("inp", sizes["inp"])]
    for name in ("a", "b"):
        n = sizes[name]
        populations.append(
            QuantizedPopulation(
                name,
                n,
                du=rng.integers(0, 3, n),
                dv=rng.integers(0, 3, n),
                vth=rng.integers(1, 4, n),
                refractory=rng.integers(0, 2, n),
            )
        )
    projections = []
    for k in range(int(rng.integers(1, 6))):
        pre = str(rng.choice(["inp", "a", "b"]))
        post = str(rng.choice(["a", "b"]))
        mode = str(rng.choice(["mixed", "excitatory"]))
        low = -9 if mode == "mixed" else 0
        dense = rng.integers(low, 10, (sizes[post], sizes[pre]))
        dense[rng.random(dense.shape) < 0.5] = 0
        weights = sparse.csr_matrix(dense)
        projections.append(
            QuantizedProjection(
                f"p{k}",
                pre,
                post,
                weights,
                sign_mode=mode,
                weight_exp=int(rng.integers(0, 2)),
                num_weight_bits=int(rng.integers(5, 9)),
                delays=rng.integers(0, 6, weights.nnz) if rng.random() < 0.3 else None,
                target="bias" if pre == "inp" and rng.random() < 0.3 else "synapse",
            )
        )
    return QuantizedNetwork(tuple(populations), tuple(projections)).verify()


def slow_count(network: QuantizedNetwork, core_of, n_cores: int) -> dict[str, list[int]]:
    """The same counts with sets and loops, for Loihi 1."""
    n = network.n_neurons
    in_axons = [set() for _ in range(n_cores)]
    out_axons = [set() for _ in range(n_cores)]
    lists: dict = {}
    n_synapses = [0] * n_cores
    for projection in network.projections:
        if projection.target == "bias":
            continue
        delay_bits = math.ceil(math.log2(int(projection.delay_steps.max(initial=0)) + 1))
        form = (
            projection.num_weight_bits,
            projection.weight_exp,
            projection.sign_mode,
            delay_bits,
        )
        effective = projection.effective_weights().tocoo()
        pre_is_input = network.population(projection.pre).is_input
        for post, pre, value in zip(effective.row, effective.col, effective.data, strict=True):
            if value == 0:
                continue
            target = core_of[network.offset(projection.post) + post]
            source = network.offset(projection.pre) + pre + (n if pre_is_input else 0)
            in_axons[target].add(source)
            if not pre_is_input:
                out_axons[core_of[source]].add((source, target))
            key = (target, source, form)
            lists[key] = lists.get(key, 0) + 1
            n_synapses[target] += 1
    words = [0] * n_cores
    for (core, _, form), length in lists.items():
        size = sum(1 for c in core_of if c == core)
        index = next(b for b in (0, 6, 7, 8, 9, 10) if 2**b >= size)
        weight = 8 if form[0] == 7 else form[0]
        for first in range(0, length, 64):
            group = min(64, length - first)
            words[core] += math.ceil((group * (weight + form[3] + index) + 10) / 64)
    params = [
        tuple(int(network.gather(f)[i]) for f in ("du", "dv", "refractory", "vth"))
        for i in range(n)
    ]
    here = [[p for p, c in zip(params, core_of, strict=True) if c == k] for k in range(n_cores)]
    formats = [{key[2] for key in lists if key[0] == k} for k in range(n_cores)]
    return {
        "neurons": [len(h) for h in here],
        "in_axons": [len(s) for s in in_axons],
        "out_axons": [len(s) for s in out_axons],
        "synapses": n_synapses,
        "synapse_memory": words,
        "compartment_profiles": [len({p[:3] for p in h}) for h in here],
        "threshold_profiles": [len({p[3] for p in h}) for h in here],
        "synapse_formats": [len(f) for f in formats],
    }


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), n_cores=st.integers(1, 4))
def test_counts_equal_a_slow_count(seed: int, n_cores: int) -> None:
    network = random_network(seed)
    core_of = np.random.default_rng(seed + 1).integers(0, n_cores, network.n_neurons)
    core_of[-1] = n_cores - 1
    used = utilization(network, core_of, LOIHI)
    expected = slow_count(network, core_of, n_cores)
    for name, values in expected.items():
        assert used[name].used.tolist() == values, name


def test_learning_takes_two_axon_slots_and_keeps_zero_weights_that_can_grow() -> None:
    weights = sparse.csr_matrix(np.array([[1, 1], [0, 1]]))
    population = QuantizedPopulation("a", 2, 10, 10, 10)
    fixed = QuantizedProjection("p", "a", "a", weights, num_weight_bits=4)
    rule = pair_stdp((1, 0), (1, 0), 20, 20)
    stays, grows = (
        replace(fixed, learning=Learning((rule,), plastic_zeros=zeros)) for zeros in (False, True)
    )
    # Mixed weights of 4 bits are multiples of 32: all of them are 0 and are not stored.
    for gone in (fixed, stays):
        used = utilization(QuantizedNetwork((population,), (gone,)), [0, 0], LOIHI)
        assert used["in_axons"].used.tolist() == [0]
    used = utilization(QuantizedNetwork((population,), (grows,)), [0, 0], LOIHI)
    assert used["in_axons"].used.tolist() == [4]
    assert used["synapses"].used.tolist() == [3]


def test_tables_for_reports() -> None:
    used = utilization(random_network(3), np.zeros(random_network(3).n_neurons, int), LOIHI)
    rows = {row["rule"]: row for row in used.constraints()}
    assert rows["cores"] == {
        "rule": "cores",
        "worst_core": None,
        "used": 1,
        "limit": 128,
        "fraction": 1 / 128,
    }
    assert rows["synapses"]["fraction"] is None
    assert rows["neurons"]["limit"] == 1024
    assert next(used.cores())["neurons"] == rows["neurons"]["used"]
