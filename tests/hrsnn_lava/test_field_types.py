"""Every field of every type: what it cannot hold is refused, and the message names the field."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava.chip_learning import Factor, Learning, Product
from hrsnn_lava.compiler.mapped import Placement
from hrsnn_lava.errors import ArtifactError, HrsnnError, NetworkError, SpecError

NO_NUMBER = ["1", None, True, 1j, [[1], [1, 2]], {}]
NO_WHOLE = [*NO_NUMBER, 1.5, np.inf, np.nan, 2**40, -(2**40), 1e12, np.uint64(2**63)]
NO_REAL = ["1", None, True, 1j, [[1], [1, 2]], np.inf, np.nan]


def refused(make, field, value):
    with pytest.raises(HrsnnError) as info:
        make(value)
    assert info.value.exit_code in (2, 3)
    assert field in str(info.value)


def cases(table):
    """(field, value) for every field and everything that it refuses."""
    return [
        pytest.param(field, value, id=f"{field}-{value!r}"[:40])
        for field, values in table.items()
        for value in values
    ]


# --- float networks ------------------------------------------------------------------------------


def float_network(neurons=None, synapses=None, **options):
    a = hl.Population("a", 2, hl.LIF(0.02, **(neurons or {})))
    settings = {"weights": np.ones((2, 2))} | (synapses or {})
    p = hl.Projection("p", "a", "a", **settings)
    return hl.Network(**({"dt": 1e-3, "populations": (a,), "projections": (p,)} | options)).verify()


LIF_TABLE = dict.fromkeys(("tau_syn", "v_threshold", "bias", "refractory"), NO_REAL)


@pytest.mark.parametrize(("field", "value"), cases(LIF_TABLE))
def test_lif(field, value):
    refused(lambda v: float_network({field: v}), f"'a'.{field}", value)


@pytest.mark.parametrize("value", ["0.02", None, True, 1j, np.nan, {}], ids=repr)
def test_membranes(value):
    refused(
        lambda v: hl.Network(1e-3, (hl.Population("a", 2, hl.LIF(v)),)).verify(),
        "'a'.tau_mem",
        value,
    )


def population(**fields):
    settings = {"name": "a", "size": 2, "neuron": hl.LIF(0.02)} | fields
    return hl.Network(1e-3, (hl.Population(**settings),)).verify()


POPULATION = {
    "size": ["2", None, True, 2.5, 2.0, 0, -1, [2]],
    "neuron": [None, "LIF", 0.02, hl.LIF],
    "sign": ["plus", 1, True, ["excitatory"]],
    "positions": ["x", np.zeros((2, 2)), np.full((2, 3), np.nan), [["a"] * 3] * 2],
    "name": ["", None, 5, "a\0b", "\ud800", " a"],
}


@pytest.mark.parametrize(("field", "value"), cases(POPULATION))
def test_population(field, value):
    where = "population" if field == "name" else field
    refused(lambda v: population(**{field: v}), where, value)


SHAPES = [np.full((2, 2), np.nan), np.ones((2, 2, 2)), np.ones((3, 2))]
PROJECTION = {
    "weights": [
        "w",
        None,
        5,
        True,
        {},
        [["1"]],
        np.ones((2, 2), bool),
        np.full((2, 2), 1j),
        *SHAPES,
    ],
    "delays": ["1", True, 1j, -1e-3, np.nan, np.inf, 1e12, np.ones(3), [["1"]]],
    "pre": ["b", None, 5, ["a"]],
    "post": ["b", None, 5, ["a"]],
    "target": ["soma", None, 5, ["synapse"]],
    "plasticity": ["stdp", 5, True],
    "name": ["", None, 5, "p\n", "p\0"],
}


@pytest.mark.parametrize(("field", "value"), cases(PROJECTION))
def test_projection(field, value):
    settings = {"name": "p", "pre": "a", "post": "a", "weights": np.ones((2, 2))}

    def make(v):
        a = hl.Population("a", 2, hl.LIF(0.02))
        return hl.Network(1e-3, (a,), (hl.Projection(**settings | {field: v}),)).verify()

    refused(make, "projection" if field == "name" else field, value)


NETWORK = {
    "dt": ["1e-3", None, True, 1j, 0.0, -1.0, np.nan, np.inf, [1e-3]],
    "populations": [None, 5, "a", {"a": 1}, (5,), (hl.QuantizedPopulation("a", 1, 0, 0, 1),), ()],
    "projections": [None, 5, "p", (5,)],
    "name": [None, 5, "a\0", "\ud800"],
}


@pytest.mark.parametrize(("field", "value"), cases(NETWORK))
def test_network(field, value):
    refused(lambda v: float_network(**{field: v}), field, value)


STDP = dict.fromkeys(("a_plus", "a_minus", "tau_plus", "tau_minus"), NO_REAL)
STDP["w_max"] = [v for v in NO_REAL if v is not None]


@pytest.mark.parametrize(("field", "value"), cases(STDP))
def test_stdp(field, value):
    rule = {"a_plus": 0.1, "a_minus": 0.1}
    refused(
        lambda v: float_network(synapses={"plasticity": hl.STDP(**rule | {field: v})}), field, value
    )


def test_inputs_are_graded_or_not():
    with pytest.raises(NetworkError, match=r"'a'\.neuron\.graded: 'no'"):
        hl.Network(1e-3, (hl.Population("a", 1, hl.Input("no")),)).verify()


# --- integer networks ----------------------------------------------------------------------------


def integers(**fields):
    settings = {"name": "a", "size": 2, "du": 0, "dv": 0, "vth": 1} | fields
    return hl.QuantizedNetwork((hl.QuantizedPopulation(**settings),)).verify()


NEURONS = dict.fromkeys(("du", "dv", "vth", "bias_mant", "bias_exp", "refractory"), NO_WHOLE)
NEURONS["size"] = POPULATION["size"]


@pytest.mark.parametrize(("field", "value"), cases(NEURONS))
def test_integer_neurons(field, value):
    refused(lambda v: integers(**{field: v}), f"'a'.{field}", value)


def test_integers_in_floats_are_integers():
    network = integers(vth=np.rint([3.2, 4.9]), du=np.float32(7))
    assert network.gather("vth").tolist() == [3, 5]
    assert network.gather("du").tolist() == [7, 7]
    assert network.gather("vth").dtype == np.int32


def synapses(**fields):
    settings = {"name": "p", "pre": "i", "post": "a", "weights": np.array([[5, 5]])} | fields
    populations = (hl.QuantizedInput("i", 2), hl.QuantizedPopulation("a", 1, 4095, 4095, 10))
    return hl.QuantizedNetwork(populations, (hl.QuantizedProjection(**settings),)).verify()


RULE = hl.pair_stdp((1, 0), (1, 0), 5, 5)
SYNAPSES = {
    "weights": [[[v, 5]] for v in (1.5, np.inf, np.nan, 2**40, 1e12, 1j, "1", None)]
    + ["w", None, np.ones((1, 2), bool), np.array([[2**31, 0]], np.uint64)],
    "weight_exp": [*NO_NUMBER, 1.5, 1.0, 8, -8, 2**40],
    "num_weight_bits": [*NO_NUMBER, 7.5, 8.0, 0, 9],
    "num_message_bits": [*NO_NUMBER, 7.5, 8.0, -1, 33],
    "delays": ["1", True, 1j, 1.9, [1.9, 0.7], np.nan, -1, 63, 2**32, [2**32 + 1, 0], [1, 2, 3]],
    "sign_mode": ["both", None, 5, ["mixed"]],
    "learning": ["stdp", 5, True],
    "target": ["soma", None, 5],
}


@pytest.mark.parametrize(("field", "value"), cases(SYNAPSES))
def test_integer_synapses(field, value):
    refused(lambda v: synapses(**{field: v}), field, value)


def test_what_synapses_take():
    held = synapses(weights=np.array([[3.0, -4.0]]), delays=np.array([1.0, 2.0])).projections[0]
    assert held.weights.toarray().tolist() == [[3, -4]]
    assert held.delay_steps.tolist() == [1, 2]
    assert synapses(weight_exp=np.int8(-3)).projections[0].weight_exp == -3
    fine = synapses(num_weight_bits=np.int8(1)).projections[0]
    assert fine.effective_weights().toarray().tolist() == [[0, 0]]  # the grid is 256
    delays = sparse.csr_matrix(np.array([[3, 1]]))
    assert synapses(delays=delays).projections[0].delay_steps.tolist() == [3, 1]
    with pytest.raises(NetworkError, match=r"'p'\.delays: integers expected, found 1\.5"):
        synapses(delays=sparse.csr_matrix(np.array([[1.5, 0]])))


def test_matrices_that_lead_out_of_themselves():
    """SciPy makes such a matrix without a word; a kernel would follow its indices."""
    parts = (np.ones(2, np.int32), np.array([0, 7]), np.array([0, 2]))
    bad = sparse.csr_matrix((1, 2), dtype=np.int32)
    bad.data, bad.indices, bad.indptr = parts
    for weights in (bad, (parts[0], parts[1], parts[2])):
        with pytest.raises(NetworkError, match=r"'p'\.weights"):
            synapses(weights=weights)
    falling = sparse.csr_matrix(np.ones((3, 2), np.int32))
    falling.indptr = np.array([0, 4, 2, 6], np.int32)
    with pytest.raises(NetworkError, match=r"'p'\.weights"):
        synapses(weights=falling)


@pytest.mark.parametrize(
    "value", [v for v in NO_REAL if v is not None] + [0.0, -1.0, [1.0]], ids=repr
)
def test_payload_scales(value):
    populations = (hl.QuantizedInput("i", 1, value), hl.QuantizedPopulation("a", 1, 0, 0, 1))
    refused(lambda _: hl.QuantizedNetwork(populations).verify(), "'i'.payload_scale", value)


LEARNING = {
    "profile": [["0", "0"], True, [0.5, 0], [2**32, 0], [1, 0], [0, 0, 0]],
    "tag_1": [*NO_NUMBER, 1.5, 2**32, 256, [2**32 + 1, 0]],
    "tag_2": [*NO_NUMBER, 1.5, 2**32, 256, [0.5, 0]],
    "plastic_zeros": ["no", None, 1],
    "graded_spikes": ["some", None, 5],
    "rules": [(), (5,), None],
}


@pytest.mark.parametrize(("field", "value"), cases(LEARNING))
def test_learning(field, value):
    settings = {"rules": (RULE,)} | {field: value}
    refused(lambda _: synapses(learning=Learning(**settings)), field, value)


RULES = {
    "t_epoch": [*NO_NUMBER, 1.5, 0, 64],
    "rng_seed": [*NO_NUMBER, 1.5, -1, 2**32],
    "decimate_exponent": ["1", True, 1.5, 10],
}


@pytest.mark.parametrize(("field", "value"), cases(RULES))
def test_rules(field, value):
    refused(lambda v: synapses(learning=replace(RULE, **{field: v})), field, value)


@pytest.mark.parametrize("value", [*NO_NUMBER, np.nan, np.inf, -1.0, 128.0], ids=repr)
def test_impulses_and_products(value):
    x1 = replace(RULE.x1, impulse=value)
    refused(lambda _: synapses(learning=replace(RULE, x1=x1)), "x1.impulse", value)
    term = Product("x0", value, 0, (Factor("y1"),))
    refused(lambda _: synapses(learning=replace(RULE, dw=(term,))), "mantissa", value)


@pytest.mark.parametrize("value", [["0"], [0.5], [2**32], [True], None, [-1], [1]], ids=repr)
def test_placements(value):
    refused(Placement.of, "core_of", value)
    refused(lambda v: Placement.of([0], [v]), "coordinates", value)


# --- what goes in and what comes out -------------------------------------------------------------

EVENTS = {
    "steps": [["0"], None, [True], [1j], [0.0], [2**32], [-1], [10], [[0]], [0, 1], np.nan],
    "neurons": [["0"], None, [True], [1j], [0.0], [2**32], [-1], [2], [[0]]],
    "payloads": [["1"], [True], [1j], [0.9], [1.0], [2**32 + 7], [1, 2], [np.nan]],
    "samples": [["0"], [True], [0.0], [2**32], [-1], [10], [1, 1], []],
    "n_steps": ["10", None, True, 1j, 10.7, np.nan, np.inf, -1, 2**40, [10, 10]],
    "n_neurons": ["2", None, True, 1j, 2.5, np.nan, -1, 2**40],
}


@pytest.mark.parametrize(("field", "value"), cases(EVENTS))
def test_input_events(field, value):
    settings = {"steps": [0], "neurons": [0], "n_steps": 10, "n_neurons": 2} | {field: value}
    refused(lambda _: hl.SpikeInput(**settings), field[-7:] if field in "steps" else field, value)


def test_input_events_in_any_order_of_any_width():
    made = hl.SpikeInput(
        np.array([3, 1], np.uint64), np.array([1, 0], np.int8), 10.0, np.int16(2), [5, 6]
    )
    assert (made.steps.tolist(), made.neurons.tolist(), made.payloads.tolist()) == (
        [1, 3],
        [0, 1],
        [6, 5],
    )
    assert (made.n_steps, type(made.n_steps), made.n_neurons) == (10, int, 2)
    with pytest.raises(SpecError, match="more than one event"):
        hl.SpikeInput([1, 1], [0, 0], 10, 1)


@pytest.mark.parametrize(
    "values",
    [
        [[0.9, -0.9]],
        [[np.nan]],
        [[np.inf]],
        "1",
        None,
        [["1"]],
        [[True]],
        [1, 2],
        [[2**32]],
        [[1j]],
    ],
    ids=repr,
)
def test_held_values(values):
    with pytest.raises(SpecError, match=r"^values: "):
        hl.SpikeInput.held(values, 20)


def test_held_floats_say_what_to_do():
    with pytest.raises(
        SpecError, match=r"integers expected, found float64; multiply by the input's payload_scale"
    ):
        hl.SpikeInput.held([[0.9, -0.9], [1.9, -1.9]], steps_per_sample=20)
    rounded = hl.SpikeInput.held(np.rint([[0.9, -0.9]]), 20)
    assert rounded.payloads.tolist() == [1, -1]
    for steps in (0, -1, 2.5, "20", None, 2**31):
        with pytest.raises(SpecError, match="steps_per_sample: "):
            hl.SpikeInput.held([[1, 2], [3, 4]], steps)


TRACES = {
    "spike_steps": [["0"], None, [True], [0.0], [2**32], [-1], [10], [[0]], [0, 1]],
    "spike_neurons": [["0"], None, [True], [0.0], [2**32], [-1], [2], [[0]]],
    "n_steps": ["10", None, True, 10.7, -1],
    "n_neurons": ["2", None, True, 2.5, -1],
    "v": ["v", np.zeros((9, 2)), np.zeros(20), np.zeros((10, 2), bool), np.full((10, 2), "1")],
    "u": ["u", np.zeros((9, 2))],
    "weights": [None, [1, 2], "w"],
    "traces": [None, 5],
    "inputs": [np.zeros((10, 2)), "x.npz"],
    "active_updates": [["1"] * 10, np.full(10, 0.5), np.full(10, 2**32)],
    "membrane_updates": [np.full(10, np.nan)],
    "origin": ["0" * 64, 5],
}


@pytest.mark.parametrize(("field", "value"), cases(TRACES))
def test_traces(field, value):
    settings = {"spike_steps": [0], "spike_neurons": [0], "n_steps": 10, "n_neurons": 2}
    refused(lambda _: hl.Trace(**settings | {field: value}), field, value)


def test_traces_in_any_order():
    trace = hl.Trace([5, 1, 1], [0, 1, 0], 10, 2)
    assert (trace.spike_steps.tolist(), trace.spike_neurons.tolist()) == ([1, 1, 5], [0, 1, 0])
    assert trace.counts().tolist() == [2, 1]


# --- files that somebody made by hand ------------------------------------------------------------

FILES = {
    "steps": [np.array([2**32 + 1]), np.array([1.5]), np.array([np.nan]), np.array([True])],
    "neurons": [np.array([2**32]), np.array([0.5])],
    "payloads": [np.array([2**40]), np.array([0.5])],
    "n_steps": [10.7, np.nan, np.inf, 2**40, np.array([10, 20]), -1],
    "n_neurons": [2.5, -1],
    "samples": [np.array([0.5]), np.array([2**32])],
}


@pytest.mark.parametrize(("field", "value"), cases(FILES))
def test_input_files(field, value, tmp_path):
    arrays = {"steps": np.array([1]), "neurons": np.array([0]), "n_steps": 10, "n_neurons": 2}
    np.savez(tmp_path / "in.npz", **arrays | {field: value})
    with pytest.raises(ArtifactError, match=rf"(?s)in\.npz: .*{field}"):
        hl.SpikeInput.load(tmp_path / "in.npz")


def test_input_files_of_other_widths(tmp_path):
    np.savez(
        tmp_path / "in.npz",
        steps=np.array([1, 2], np.int64),
        neurons=np.array([0, 1], np.uint8),
        n_steps=np.float64(10),
        n_neurons=np.array([2]),
    )
    loaded = hl.SpikeInput.load(tmp_path / "in.npz")
    assert (loaded.steps.tolist(), loaded.neurons.tolist(), loaded.n_steps) == ([1, 2], [0, 1], 10)


@pytest.mark.parametrize(
    ("field", "value"),
    cases(
        {
            "spike_steps": FILES["steps"],
            "spike_neurons": FILES["neurons"],
            "n_steps": FILES["n_steps"],
        }
    ),
)
def test_trace_files(field, value, tmp_path):
    arrays = {
        "spike_steps": np.array([1]),
        "spike_neurons": np.array([0]),
        "n_steps": 10,
        "n_neurons": 2,
    }
    np.savez(tmp_path / "t.npz", **arrays | {field: value})
    with pytest.raises(ArtifactError, match=rf"(?s)t\.npz: .*{field}"):
        hl.Trace.load(tmp_path / "t.npz")


@pytest.mark.parametrize(
    ("array", "value"),
    [
        ("projection/p/data", np.array([2**33, 1])),
        ("projection/p/data", np.array([1.5, 1.0])),
        ("projection/p/data", np.array([np.nan, 1.0])),
        ("projection/p/indices", np.array([0.5, 1.0])),
        ("projection/p/indices", np.array([0, 2**32 + 1])),
        ("projection/p/indptr", np.array([0.0, 1.5])),
        ("projection/p/delays", np.array([2**32, 1])),
        ("projection/p/delays", np.array([1.9, 0.7])),
        ("population/a/vth", np.array([2**40])),
        ("population/a/vth", np.array([0.5])),
    ],
)
def test_artifacts_that_somebody_wrote(array, value, tmp_path):
    from hrsnn_lava.artifacts.container import Artifact, write_artifact

    artifact = synapses(delays=np.array([1, 2])).to_artifact()
    arrays = {**artifact.arrays, array: value}
    write_artifact(tmp_path / "n.hlx", Artifact(artifact.stage, artifact.meta, arrays))
    with pytest.raises(ArtifactError, match=r"n\.hlx: .*'?(p|a)'?"):
        hl.QuantizedNetwork.load(tmp_path / "n.hlx")


@pytest.mark.parametrize(
    ("key", "value"), [("weight_exp", 1.5), ("num_weight_bits", True), ("num_message_bits", "8")]
)
def test_manifests_that_somebody_wrote(key, value, tmp_path):
    from hrsnn_lava.artifacts.container import Artifact, write_artifact

    artifact = synapses().to_artifact()
    artifact.meta["projections"][0][key] = value
    write_artifact(tmp_path / "n.hlx", Artifact(artifact.stage, artifact.meta, artifact.arrays))
    with pytest.raises(ArtifactError) as info:
        hl.QuantizedNetwork.load(tmp_path / "n.hlx")
    assert key in str(info.value)


def test_names_are_refused_before_anything_is_written(tmp_path):
    network = hl.QuantizedNetwork((hl.QuantizedPopulation("a\0b", 1, du=1, dv=1, vth=1),))
    with pytest.raises(NetworkError, match=r"population 'a\\x00b': a control character, U\+0000"):
        network.save(tmp_path / "n.hlx")
    assert not (tmp_path / "n.hlx").exists()
