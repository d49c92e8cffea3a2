"""Kinds of values that look like what a field holds and are not: every door names its field."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava.artifacts.container import write_artifact
from hrsnn_lava.errors import ArtifactError, HrsnnError, SpecError
from hrsnn_lava.fields import SIZE_MAX

SPAN = np.timedelta64(3, "s")
PAIR = np.array([1, 2])
INTEGERS = (hl.QuantizedInput("i", 2), hl.QuantizedPopulation("a", 2, 4095, 4095, 10))
FLOATS = (hl.Population("i", 2, hl.Input()), hl.Population("a", 2, hl.LIF(0.02)))


def integers(
    populations=INTEGERS, weights=((30, 30), (30, 30)), name="network", dt=1e-3, **synapse
):
    if not isinstance(weights, np.ma.MaskedArray):
        weights = np.array(weights)
    projection = hl.QuantizedProjection("p", "i", "a", weights, **synapse)
    return hl.QuantizedNetwork(populations, (projection,), name, dt).verify()


def floats(populations=FLOATS, weights=((30.0, 30.0), (30.0, 30.0)), dt=1e-3, **synapse):
    if not isinstance(weights, np.ma.MaskedArray):
        weights = np.array(weights)
    projection = hl.Projection("p", "i", "a", weights, **synapse)
    return hl.Network(dt, populations, (projection,)).verify()


def inputs(**fields):
    return hl.SpikeInput(
        **{"steps": [0, 1], "neurons": [0, 1], "n_steps": 5, "n_neurons": 2} | fields
    )


def refused(field, make):
    with pytest.raises(HrsnnError) as info:
        make()
    assert info.value.exit_code in (2, 3)
    assert field in str(info.value)


# --- object arrays are the lists that they came from ---------------------------------------------


def test_integers_in_an_object_array():
    boxed = integers(weights=np.array([[5, 6], [7, 8]], object)).projections[0].weights
    assert boxed.toarray().tolist() == [[5, 6], [7, 8]]
    neurons = hl.QuantizedPopulation("a", 2, np.array([1, 2], object), 0, np.array(9, object))
    assert (neurons.du.tolist(), neurons.vth.tolist()) == ([1, 2], [9, 9])
    assert hl.Population("a", 2, hl.LIF(np.array([0.02, 1], object))).lif.tau_mem.tolist() == [
        0.02,
        1,
    ]


@pytest.mark.parametrize("value", [[1, "x"], [1, None], [1, True], [1, 2**70], [1, [2]], [1, 1j]])
def test_other_objects(value):
    array = np.empty(2, object)
    array[:] = value
    refused("'a'.du", lambda: hl.QuantizedPopulation("a", 2, array, 0, 1))
    refused("steps", lambda: inputs(steps=array))


# --- masks, time spans, arrays in place of one value ---------------------------------------------

MASKED = np.ma.masked_array([1, 1], [0, 1])
TABLE = np.ma.masked_array([[1, 1], [1, 1]], [[0, 1], [0, 0]])
MASKS = {
    "weights": lambda: integers(weights=TABLE),
    "p.weights": lambda: hl.Projection("p", "i", "a", TABLE.astype(float)),
    "q.weights": lambda: hl.Projection("q", "i", "a", (MASKED, ([0, 1], [0, 1]))),
    "delays": lambda: integers(delays=np.ma.masked_array([1] * 4, [0, 0, 0, 1])),
    "du": lambda: hl.QuantizedPopulation("a", 2, MASKED, 0, 1),
    "tau_mem": lambda: hl.Population("a", 2, hl.LIF(MASKED * 0.02)),
    "positions": lambda: hl.Population("a", 2, hl.LIF(0.02), positions=[TABLE[0], TABLE[1]]),
    "steps": lambda: inputs(steps=MASKED),
    "payloads": lambda: inputs(payloads=MASKED),
    "samples": lambda: inputs(samples=MASKED),
    "array": lambda: hl.SpikeInput.from_dense(TABLE),
    "array: ": lambda: hl.SpikeInput.from_dense(TABLE.astype(bool)),
    "channels": lambda: hl.SpikeInput.from_events([0, 1], MASKED, n_steps=5, n_neurons=2),
    "values": lambda: hl.SpikeInput.held(TABLE, 5),
    "w_in": lambda: hl.Network.from_arrays(TABLE, tau_mem=0.02),
    "v_threshold": lambda: hl.Network.from_arrays(
        np.ones((2, 2)), tau_mem=0.02, v_threshold=MASKED
    ),
    "a_plus": lambda: hl.STDP(MASKED, 0.1),
    "inputs": lambda: hl.compare_float(*_held(), TABLE),
}


def _held():
    network = floats(target="bias")
    return network, hl.quantize(network)


@pytest.mark.parametrize("field", MASKS)
def test_a_mask_is_not_dropped(field):
    refused(field.split(".")[-1], MASKS[field])
    with pytest.raises(HrsnnError, match="masked values"):
        MASKS[field]()


def test_an_array_without_anything_masked_is_an_array():
    clear = np.ma.masked_array([[1, 2], [3, 4]], np.zeros((2, 2)))
    assert integers(weights=clear).projections[0].weights.toarray().tolist() == [[1, 2], [3, 4]]


ONE_VALUE = {
    "size": lambda v: integers((hl.QuantizedInput("i", v), INTEGERS[1])),
    "'a'.size": lambda v: integers((INTEGERS[0], hl.QuantizedPopulation("a", v, 0, 0, 1))),
    "weight_exp": lambda v: integers(weight_exp=v),
    "num_weight_bits": lambda v: integers(num_weight_bits=v),
    "num_message_bits": lambda v: integers(num_message_bits=v),
    "target": lambda v: integers(target=v),
    "'p'.target": lambda v: floats(target=v),
    "sign_mode": lambda v: integers(sign_mode=v),
    "sign": lambda v: hl.Population("a", 2, hl.LIF(0.02), v),
    "dt": lambda v: integers(dt=v),
    "dt:": lambda v: floats(dt=v),
    "payload_scale": lambda v: integers((hl.QuantizedInput("i", 2, v), INTEGERS[1])),
    "populations": lambda v: hl.QuantizedNetwork(v).verify(),
    "projections": lambda v: hl.QuantizedNetwork(INTEGERS, v).verify(),
    "n_steps": lambda v: inputs(n_steps=v),
    "n_neurons": lambda v: inputs(n_neurons=v),
    "steps:": lambda v: hl.simulate(integers(), None, v),
    "steps_per_sample": lambda v: hl.SpikeInput.held([[1, 2]], v),
    "steps_per_sample:": lambda v: hl.compare_float(
        floats(), integers(), None, 5, steps_per_sample=v
    ),
    "graded": lambda v: hl.SpikeInput.from_dense([[1, 0]], v),
    "duplicates": lambda v: hl.SpikeInput.from_events(
        [0], [0], n_steps=5, n_neurons=2, duplicates=v
    ),
    "workers": lambda v: hl.simulate_batch(integers(), [None], 3, workers=v),
    "trials": lambda v: hl.simulate_batch(integers(), None, 3, trials=v),
    "backends": lambda v: hl.verify(integers(), None, 3, backends=v),
    "weight_bits": lambda v: hl.quantize(floats(), v),
    "convention": lambda v: hl.Network.from_arrays(np.ones((2, 2)), tau_mem=0.02, convention=v),
    "reset": lambda v: hl.Network.from_arrays(np.ones((2, 2)), tau_mem=0.02, reset=v),
    "split_signs": lambda v: hl.Network.from_arrays(np.ones((2, 2)), tau_mem=0.02, split_signs=v),
    "probes": lambda v: hl.simulate(integers(), None, 3, probes=v),
    "probes:": lambda v: hl.record(integers(), None, 3, "none.npz", v),
}


@pytest.mark.parametrize("field", ONE_VALUE)
@pytest.mark.parametrize(
    "value",
    [SPAN, PAIR, np.array([True, False]), {}, {"a": 1}, b"5", np.nan, 1.5, 1j, object(), 2**2000],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_value_of_a_field(field, value):
    if field.startswith(("dt", "payload_scale")) and isinstance(value, float) and value == 1.5:
        pytest.skip("a number")
    refused(field.split("'.")[-1], lambda: ONE_VALUE[field](value))


@pytest.mark.parametrize("field", ["populations", "projections", "backends", "probes"])
@pytest.mark.parametrize("value", [np.array(5), np.array(None), None, 5, "ab", b"ab"], ids=repr)
def test_what_has_no_items(field, value):
    refused(field, lambda: ONE_VALUE[field](value))


# --- numbers of NumPy, and sizes -----------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.uint8, np.float16, np.float32, np.longdouble, np.int64])
def test_numbers_of_numpy_become_pythons(kind, tmp_path):
    network = integers((hl.QuantizedInput("i", 2, kind(64)), INTEGERS[1]), dt=kind(1))
    scale = network.populations[0].payload_scale
    assert (type(scale), scale) in ((int, 64), (float, 64.0))
    assert (type(network.dt), network.dt) == (float, 1.0)
    network.save(tmp_path / "n.hlx")
    again = hl.QuantizedNetwork.load(tmp_path / "n.hlx")
    assert (again.digest, again.dt, again.populations[0].payload_scale) == (network.digest, 1.0, 64)
    floating = floats(dt=kind(1))
    floating.save(tmp_path / "f.hlx")
    assert hl.Network.load(tmp_path / "f.hlx").digest == floating.digest


@pytest.mark.parametrize("size", [SIZE_MAX + 1, 2**31, 2**40, 2**63, 2**100])
def test_a_size_beyond_all_chips(size):
    allowed = f"{SIZE_MAX} at most"
    for make in (
        lambda: integers((INTEGERS[0], hl.QuantizedPopulation("a", size, 1, 1, 1))),
        lambda: integers((hl.QuantizedInput("i", size), INTEGERS[1])),
        lambda: floats((FLOATS[0], hl.Population("a", size, hl.LIF(0.02)))),
    ):
        refused(allowed, make)


def test_sizes_that_are_too_many_together():
    many = [hl.QuantizedInput(f"i{k}", SIZE_MAX // 2) for k in range(3)]
    hl.QuantizedNetwork((*many[:2], INTEGERS[1])).verify()
    refused("input channels", lambda: hl.QuantizedNetwork((*many, INTEGERS[1])).verify())


# --- verbs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", ["integers", "compiled", "spec", None, 5])
def test_what_quantize_and_compare_float_take(other):
    made = {
        "integers": integers,
        "compiled": lambda: hl.compile(integers(), "loihi1"),
        "spec": lambda: hl.Spec.parse({}),
    }
    other = made[other]() if other in made else other
    refused("network: ", lambda: hl.quantize(other))
    refused("network: ", lambda: hl.compare_float(other, integers()))


@pytest.mark.parametrize("profile", [5, None, {}, PAIR, hl.LIF(0.02)], ids=repr)
def test_what_compile_takes_for_a_chip(profile):
    refused("profile: ", lambda: hl.compile(integers(), profile))


def test_what_batches_take():
    for value in (b"5", bytearray(b"5"), "5", 1.5, True, SPAN):
        refused("steps: ", lambda v=value: hl.simulate_batch(integers(), [inputs()], v))
    for value in (np.nan, np.inf, "2", 0, -1, True, 1.5):
        refused("workers: ", lambda v=value: hl.simulate_batch(integers(), [None], 3, workers=v))
    for value in (inputs(), 5, "x", np.ones(2)):
        refused("inputs: ", lambda v=value: hl.simulate_batch(integers(), v, 3, trials=2))


@pytest.mark.parametrize("value", [0, -1, 1.5, "x", True, -(2**31) - 1, 2**31, np.nan, PAIR])
def test_steps_of_a_sample(value):
    refused(
        "steps_per_sample: ",
        lambda: hl.compare_float(floats(), integers(), inputs(), steps_per_sample=value),
    )
    compared = hl.compare_float(floats(), integers(), inputs(), steps_per_sample=None)
    assert compared["steps"] == 5


@pytest.mark.parametrize("value", ["no", np.nan, {}, 1, 0, [], PAIR], ids=repr)
def test_graded_is_said_or_not(value):
    refused("graded: ", lambda: hl.SpikeInput.from_dense([[1, 0]], value))
    assert hl.SpikeInput.from_dense([[1, 0]], np.True_).payloads is not None


@pytest.mark.parametrize("name", ["v_threshold", "bias", "refractory", "tau_syn"])
def test_parameters_that_from_arrays_needs(name):
    refused(
        f"{name}: None",
        lambda: hl.Network.from_arrays(np.ones((2, 2)), tau_mem=0.02, **{name: None}),
    )


@pytest.mark.parametrize("value", [{}, "x", b"x", np.array(5), np.ones((3, 2)), {"a": 1}], ids=repr)
def test_inputs_that_are_no_pieces(value, tmp_path):
    for run in (
        lambda: hl.count(integers(), value, 3),
        lambda: hl.record(integers(), value, 3, tmp_path / "t.npz"),
    ):
        refused("SpikeInput", run)


def test_sparse_weights_of_from_arrays_are_looked_at():
    twice = sparse.coo_matrix((np.array([100, 100], np.int8), ([0, 0], [0, 0])), (1, 1))
    network = hl.Network.from_arrays(twice, tau_mem=np.inf)
    assert network.projections[0].weights.toarray().tolist() == [[200.0]]
    refused("w_in", lambda: hl.Network.from_arrays(twice.astype(bool), tau_mem=0.02))


# --- files ---------------------------------------------------------------------------------------

ODD = [None, True, "5", [1, 2], {"a": 5}]


def leaves(value, path=()):
    """The path of every entry of a table, tables in lists too."""
    items = value.items() if isinstance(value, dict) else enumerate(value[:2])
    for key, inner in items:
        yield (*path, key)
        if isinstance(inner, (dict, list)):
            yield from leaves(inner, (*path, key))


def changed(value, path, new):
    """A copy with one entry replaced."""
    if not path:
        return new
    key, *rest = path
    if isinstance(value, dict):
        return {**value, key: changed(value[key], rest, new)}
    return [changed(v, rest, new) if k == key else v for k, v in enumerate(value)]


@pytest.fixture(scope="module")
def program():
    rule = hl.pair_stdp((1, 0), (1, 0), 5, 5)
    learning = hl.QuantizedProjection("l", "a", "a", np.full((2, 2), 30), learning=rule)
    plain = hl.QuantizedProjection("p", "i", "a", np.full((2, 2), 30), delays=1)
    return hl.compile(hl.QuantizedNetwork(INTEGERS, (plain, learning)), "loihi1")


@pytest.fixture(scope="module")
def from_floats():
    return hl.compile(floats(), "loihi1")


@pytest.mark.parametrize("which", ["program", "from_floats", "network", "floats"])
def test_metadata_that_no_file_has(which, request, tmp_path):
    """Refused by the reader, or as good as what was there: never a crash, nor one later."""
    if which in ("program", "from_floats"):
        value = request.getfixturevalue(which)
    else:
        value = floats() if which == "floats" else request.getfixturevalue("program").network
    artifact, refusals = value.to_artifact(), 0
    for path in leaves(artifact.meta):
        if "profile" in path and len(path) > 1:
            continue  # its digest is checked
        for odd in ODD:
            meta = changed(artifact.meta, path, odd)
            if meta == artifact.meta:
                continue
            write_artifact(tmp_path / "e.hlx", replace(artifact, meta=meta))
            try:
                read = type(value).load(tmp_path / "e.hlx")
            except ArtifactError:
                refusals += 1
                continue
            if which in ("program", "from_floats") and path[0] != "network":
                report = hl.report(read)
                assert report.to_text()
    assert refusals > 50


@pytest.mark.parametrize(
    ("path", "odd"),
    [
        (("network", "projections", 1, "learning"), 5),
        (("records",), [None]),
        (("placement", "info", "mapping"), None),
        (("synapses_before",), "5"),
        (("readout",), None),
    ],
)
def test_the_file_is_named(path, odd, program, tmp_path):
    artifact = program.to_artifact()
    broken = replace(artifact, meta=changed(artifact.meta, path, odd))
    write_artifact(tmp_path / "e.hlx", broken)
    with pytest.raises(ArtifactError, match=r"e\.hlx: "):
        hl.CompiledNetwork.load(tmp_path / "e.hlx")


def test_errors_are_of_the_kind_that_was_asked_for():
    with pytest.raises(SpecError, match=r"backends: int; allowed: names of two or more engines"):
        hl.verify(integers(), backends=5)
