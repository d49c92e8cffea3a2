"""The builder: sizes, signs, distance law, heterogeneity, memory, determinism."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hrsnn_lava import Spec, build_hrsnn
from hrsnn_lava.errors import SpecError
from hrsnn_lava.network import LIF_FIELDS


def spec(**network):
    """A spec with a changed network table."""
    return Spec.parse({"network": network})


@pytest.fixture(scope="module")
def network():
    return build_hrsnn(Spec(seed=3))


def test_sizes_ratio_and_degree(network):
    assert [p.size for p in network.populations] == [3, 800, 200]
    degree = network.n_synapses / network.n_neurons
    assert degree == pytest.approx(100, rel=0.05)


def test_dales_principle_holds(network):
    for projection in network.projections:
        if projection.target == "synapse":
            sign = 1 if projection.pre == "exc" else -1
            assert np.all(np.sign(projection.weights.data) == sign)


def test_inhibitory_weights_are_four_times_as_large(network):
    size = {
        name: np.abs(network.projection(name).weights.data).mean()
        for name in ("exc_exc", "inh_exc")
    }
    assert size["inh_exc"] / size["exc_exc"] == pytest.approx(4.0, rel=0.05)
    # J = gain / sqrt(K), |w| of mean J
    assert size["exc_exc"] == pytest.approx(0.2 / 10, rel=0.03)


def test_time_constants_follow_their_gamma_distributions(network):
    for name, mean in (("exc", 0.010), ("inh", 0.005)):
        tau = network.population(name).parameter("tau_mem")
        inner = tau[(tau > 0.003) & (tau < 0.100)]
        gamma = stats.gamma(3.0, scale=mean / 3)
        low, high = gamma.cdf([0.003, 0.100])
        result = stats.kstest(inner, lambda x, g=gamma, a=low, b=high: (g.cdf(x) - a) / (b - a))
        assert result.pvalue > 0.001


def test_connection_probability_falls_with_the_square_of_the_distance(network):
    """-ln(P / C) grows linearly in D^2; both types of pairs share one length."""
    lengths = []
    for pre, post, c in (("exc", "exc", 0.3), ("inh", "exc", 0.4)):
        a, b = network.population(post).positions, network.population(pre).positions
        squared = ((a[:, None, :] - b[None, :, :]) ** 2).sum(-1)
        linked = network.projection(f"{pre}_{post}").weights.toarray() != 0
        bins = [9, 25, 49]
        points = []
        for low, high in zip([0, *bins[:-1]], bins, strict=True):
            inside = (squared > low) & (squared <= high)
            points.append((squared[inside].mean(), -np.log(linked[inside].mean() / c)))
        (x0, y0), *_, (x1, y1) = points
        lengths.append(np.sqrt((x1 - x0) / (y1 - y0)))
    assert lengths[0] == pytest.approx(lengths[1], rel=0.1)


def test_nobody_connects_to_itself(network):
    assert network.projection("exc_exc").weights.diagonal().sum() == 0


def test_the_input_reaches_the_asked_share():
    net = build_hrsnn(spec(size=400, connectivity={"mean_degree": 20.0}, input={"share": 0.3}))
    fed = sum(
        np.count_nonzero(np.diff(net.projection(name).weights.indptr))
        for name in ("inp_exc", "inp_inh")
    )
    assert fed / 400 == pytest.approx(0.3, abs=0.08)


def test_clusters_connect_more_within():
    table = {"mean_degree": 20.0, "clusters": 4, "cluster_ratio": 8.0}
    net = build_hrsnn(spec(size=400, connectivity=table))
    plain = build_hrsnn(spec(size=400, connectivity={"mean_degree": 20.0}))
    assert net.n_synapses == pytest.approx(plain.n_synapses, rel=0.15)
    assert net.n_synapses != plain.n_synapses


def test_one_seed_gives_one_network_and_another_seed_another():
    small = spec(size=60, connectivity={"mean_degree": 6.0})
    first, again, other = (build_hrsnn(small, seed=s) for s in (1, 1, 2))
    for name in ("exc_exc", "inp_exc"):
        a, b, c = (n.projection(name).weights for n in (first, again, other))
        assert (a != b).nnz == 0
        assert a.shape != c.shape or (a != c).nnz > 0


def test_homogeneous_networks_draw_the_same_synapses():
    """Streams are per parameter, so making tau homogeneous moves nothing else."""
    table = {"size": 60, "connectivity": {"mean_degree": 6.0}}
    hetero = build_hrsnn(spec(**table))
    homo = build_hrsnn(spec(**table, neurons={"excitatory": {"tau_mem": 0.01}}))
    assert np.ptp(homo.population("exc").parameter("tau_mem")) == 0
    a, b = (n.projection("exc_exc").weights for n in (hetero, homo))
    assert (a != b).nnz == 0


def test_an_impossible_degree_is_refused_with_the_largest_possible():
    with pytest.raises(SpecError, match=r"mean_degree: 100 synapses per neuron; .* at most"):
        build_hrsnn(spec(size=50))


def test_memory_follows_the_synapses():
    """5,000 neurons at 1 %: far below the 200 MB of one dense matrix of distances."""
    sparse_spec = spec(size=5000, connectivity={"mean_degree": 50.0})
    tracemalloc.start()
    try:
        net = build_hrsnn(sparse_spec)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert net.n_synapses > 200_000
    assert peak < 120e6


STDP_TABLE = {
    "projections": ["exc_exc", "inh_exc"],
    "a_plus": 0.01,
    "tau_plus": {"distribution": "gamma", "shape": 3.0, "mean": 0.03, "exact_mean": True},
    "w_max": 2.5,
}
SMALL_NETWORK = {"size": 100, "connectivity": {"mean_degree": 20.0}}


def test_stdp_of_a_spec_is_on_the_projections_that_it_names():
    spec = Spec.parse({"network": SMALL_NETWORK, "stdp": STDP_TABLE})
    network = build_hrsnn(spec, seed=4)
    plastic = {p.name: p for p in network.projections if p.plasticity is not None}
    assert set(plastic) == {"exc_exc", "inh_exc"}
    for projection in plastic.values():
        rule, n = projection.plasticity, projection.n_synapses
        assert rule.w_max == pytest.approx(2.5 * np.abs(projection.weights.data).mean())
        np.testing.assert_allclose(rule.values("a_plus", n), 0.01 * rule.w_max)
        np.testing.assert_allclose(rule.values("a_minus", n), 0.0021 * rule.w_max)
        tau = rule.values("tau_plus", n)
        assert tau.mean() == pytest.approx(0.03)
        assert tau.std() / tau.mean() == pytest.approx(3**-0.5, rel=0.15)
        assert np.ndim(rule.tau_minus) == 0
    again = build_hrsnn(spec, seed=4).projection("exc_exc").plasticity
    np.testing.assert_array_equal(again.tau_plus, plastic["exc_exc"].plasticity.tau_plus)


def test_stdp_changes_nothing_else_of_the_network():
    plain = build_hrsnn(Spec.parse({"network": SMALL_NETWORK}), seed=4)
    learns = build_hrsnn(Spec.parse({"network": SMALL_NETWORK, "stdp": STDP_TABLE}), seed=4)
    assert all(p.plasticity is None for p in learns.without_plasticity().projections)
    for a, b in zip(plain.projections, learns.projections, strict=True):
        np.testing.assert_array_equal(a.weights.toarray(), b.weights.toarray())
    for field in ("tau_mem", "v_threshold", "bias"):
        np.testing.assert_array_equal(plain.gather(field), learns.gather(field))


def test_a_grid_of_any_shape_is_filled():
    net = build_hrsnn(spec(grid=[5, 2, 3], connectivity={"length": 2.0}))
    cells = np.concatenate([net.population(kind).positions for kind in ("exc", "inh")])
    assert net.n_neurons == 30
    assert {tuple(cell) for cell in cells} == set(np.ndindex(5, 2, 3))
    some = build_hrsnn(spec(grid=[5, 2, 3], size=12, connectivity={"length": 2.0}))
    some_cells = np.concatenate([some.population(kind).positions for kind in ("exc", "inh")])
    few = {tuple(cell) for cell in some_cells}
    assert len(few) == 12
    assert few < set(np.ndindex(5, 2, 3))


def test_weights_and_delays_by_the_types_of_both_ends():
    table = {
        "mean_degree": 8.0,
        "gain": 0.5,
        "normalise": False,
        "inhibitory_factor": 2.0,
        "weight": {"ee": 1.0, "ei": 2.0, "ie": 3.0, "ii": 4.0},
        "delay": {"ee": 0.001, "ei": 0.0, "ie": 0.002, "ii": 0.003},
    }
    net = build_hrsnn(spec(size=60, connectivity=table))
    ends = {"exc_exc": (0.5, 0.001), "exc_inh": (1.0, None)}
    ends |= {"inh_exc": (-3.0, 0.002), "inh_inh": (-4.0, 0.003)}
    for name, (weight, delay) in ends.items():
        projection = net.projection(name)
        assert set(projection.weights.data) == {weight}
        assert projection.delays == delay


ENDS = ("ee", "ei", "ie", "ii")
GAMMA = {"distribution": "gamma", "shape": 2.0, "mean": 0.5}
VALUES = st.one_of(st.floats(0.1, 2.0), st.just(GAMMA))
TABLES = st.fixed_dictionaries(
    {
        "size": st.integers(10, 40),
        "connectivity": st.fixed_dictionaries(
            {"length": st.floats(0.5, 3.0)},
            optional={
                "weight": st.one_of(VALUES, st.fixed_dictionaries(dict.fromkeys(ENDS, VALUES))),
                "delay": st.fixed_dictionaries(dict.fromkeys(ENDS, st.sampled_from([0.0, 0.002]))),
                "synapse": st.sampled_from(["current", "charge"]),
                "normalise": st.booleans(),
                "clusters": st.integers(1, 4),
            },
        ),
        "input": st.fixed_dictionaries(
            {"target": st.just("synapse")},
            optional={
                "fan_out": st.one_of(st.just(1), st.floats(0.05, 1.0)),
                "synapse": st.sampled_from(["current", "charge"]),
                "graded": st.booleans(),
                "share": st.floats(0.5, 1.0),
                "weight": VALUES,
            },
        ),
    },
    optional={
        "model": st.sampled_from(["hrsnn", "mrsnn", "chrsnn"]),
        "grid": st.sampled_from([[4, 5, 2], [40, 1, 1]]),
        "homogeneous": st.sampled_from([[], ["tau_mem"], ["tau_syn", "bias"]]),
    },
)


@given(TABLES, st.integers(0, 5))
@settings(max_examples=12, deadline=None)
def test_any_table_gives_a_valid_network_with_its_signs(table, seed):
    asked = spec(**table)
    net = build_hrsnn(asked, seed, 6).verify()
    assert net.n_neurons == table["size"]
    for projection in net.projections:
        sign = -1 if projection.pre == "inh" else 1
        if projection.pre != "inp" or net.population("inp").sign == "excitatory":
            assert np.all(projection.weights.data * sign > 0)
    sparse_or_plain = "fan_out" in table["input"] and table["input"].get("graded") is not True
    plain = table["input"].get("graded") is False or sparse_or_plain
    assert net.population("inp").graded is not plain
    assert Spec.parse(json.loads(asked.canonical())) == asked


def test_each_type_has_the_reset_that_the_spec_gives_it():
    table = {"size": 40, "connectivity": {"mean_degree": 6.0}}
    plain = Spec.parse({"network": table})
    other = Spec.parse({"network": {**table, "neurons": {"inhibitory": {"reset": "subtract"}}}})
    network = build_hrsnn(other)
    resets = {p.name: p.reset for p in network.compute_populations}
    assert resets == {"exc": "zero", "inh": "subtract"}
    # nothing else that is drawn depends on it, and what does not ask for it is what it was
    for name in LIF_FIELDS:
        assert np.array_equal(network.gather(name), build_hrsnn(plain).gather(name))
    assert '"reset"' not in plain.canonical()
    assert '"reset": "subtract"' in other.canonical()


@pytest.mark.parametrize(
    ("neurons", "words"),
    [
        ({"reset": "soft"}, "reset: 'soft'; allowed: 'zero', 'subtract', 'subtract_next'"),
        ({"reset": "subtract", "refractory": 0.002}, 'refractory: 0 with reset = "subtract"'),
    ],
)
def test_a_reset_that_cannot_be_is_refused(neurons, words):
    with pytest.raises(SpecError, match=words):
        Spec.parse({"network": {"neurons": {"excitatory": neurons}}})
