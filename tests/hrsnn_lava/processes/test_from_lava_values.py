"""Values that Lava's fixed-point models wrap, cut or fail on, against live Lava."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava.errors import SpecError
from hrsnn_lava.findings import FindingWarning
from hrsnn_lava.processes.from_lava import from_lava

pytestmark = [
    pytest.mark.lava,
    pytest.mark.filterwarnings("ignore:.* not found, skipping conversion test:ImportWarning"),
    pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning"),
]
if sys.version_info >= (3, 11):
    pytest.skip("Lava 0.10.0 needs Python 3.10", allow_module_level=True)

NARROW = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
STEPS = 30


def lif(n: int = 2, **options: Any) -> Any:
    from lava.proc.lif.process import LIF

    given = {"du": 400, "dv": 200, "vth": 100, "bias_mant": 4000, "name": "l"} | options
    return LIF(shape=(n,), **given)


def lava_counts(neurons: Any, folder: Path) -> Any:
    """Spikes of each neuron in live Lava, or the error that its model raises."""
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.lif.models import PyLifModelBitAcc

    from hrsnn_lava.processes.mapped_files import MmapSink, MmapSinkFixed
    from hrsnn_lava.processes.runtimes import run_in_threads

    sink = MmapSink(shape=neurons.s_out.shape, path=folder / "s.npy", steps=STEPS, dtype=bool)
    neurons.s_out.connect(sink.a_in)
    models = {neurons: PyLifModelBitAcc, sink: MmapSinkFixed}
    config = Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map=models)
    try:
        with np.errstate(over="ignore"):
            run_in_threads(neurons, STEPS, config)
    except Exception as error:
        return error
    return np.load(folder / "s.npy").sum(axis=0)


def widest(value: Any) -> Any:
    """The same numbers as the 32 bits that are always right."""
    return np.asarray(value).astype(np.int32)


FORMS = {
    "array": lambda value, dtype: np.full(2, value, dtype),
    "one": lambda value, dtype: np.array([value], dtype),
    "scalar": lambda value, dtype: np.dtype(dtype).type(value),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("vth", value) for value in (1, 3, 120, 1000, 40000)),
        *(("du", value) for value in (127, 255, 4095)),
        *(("dv", value) for value in (127, 255, 4096)),
    ],
)
def test_a_value_is_taken_exactly_where_lava_computes_it_exactly(
    field: str, value: int, dtype: str, form: str, tmp_path: Path
) -> None:
    """Refused where live Lava differs from the same value in 32 bits, or fails; else equal."""
    if value > np.iinfo(dtype).max:
        value = int(np.iinfo(dtype).max)
    given = FORMS[form](value, dtype)
    theirs = lava_counts(lif(**{field: given}), tmp_path)
    try:
        taken = from_lava(lif(**{field: given}), STEPS)
    except SpecError as error:
        (problem,) = error.problems
        assert problem.where == f"LIF 'l'.{field}"
        assert "use" in problem.fix
        if isinstance(theirs, Exception):
            assert "on which Lava fails" in problem.measured
            return
        assert f"{value} in {dtype}: Lava " in problem.measured
        shifted = np.left_shift(given, 6) if field == "vth" else 4096 - (given + 1)
        exact = value << 6 if field == "vth" else 4095 - value
        assert np.all(np.asarray(shifted) != exact)
        return
    assert not isinstance(theirs, Exception)
    np.testing.assert_array_equal(hl.simulate(*taken).counts(), theirs)
    np.testing.assert_array_equal(taken.network.populations[0].parameter(field), widest(value))


def test_a_narrow_threshold_that_wraps_is_refused_by_name() -> None:
    with pytest.raises(SpecError) as caught:
        from_lava(lif(3, vth=np.full(3, 1000, np.int16)), STEPS)
    (problem,) = caught.value.problems
    assert str(problem) == (
        "LIF 'l'.vth: 1000 in int16: Lava shifts it left by 6 in that type, and wraps it. Use int32"
    )


def test_decays_in_a_list_on_which_lava_fails(tmp_path: Path) -> None:
    for field in ("du", "dv"):
        assert isinstance(lava_counts(lif(**{field: [9, 9]}), tmp_path), TypeError)
        with pytest.raises(SpecError, match=f"'l'.{field}: a list, on which Lava fails"):
            from_lava(lif(**{field: [9, 9]}), STEPS)
    assert from_lava(lif(vth=[9, 8]), 3).network.populations[0].vth.tolist() == [9, 8]


def connected(weights: Any, data: Any = None, **options: Any) -> Any:
    from lava.proc.dense.process import Dense
    from lava.proc.io.source import RingBuffer
    from lava.proc.sparse.process import Sparse

    neurons = lif(bias_mant=0, vth=3)
    made = (Sparse if sparse.issparse(weights) else Dense)(weights=weights, name="w", **options)
    source = RingBuffer(data=np.eye(2, dtype=int) if data is None else np.asarray(data))
    source.s_out.connect(made.s_in)
    made.a_out.connect(neurons.a_in)
    return neurons


@pytest.mark.parametrize("dtype", NARROW[:-1])
@pytest.mark.parametrize("kind", [np.array, sparse.csr_matrix])
def test_weights_of_narrow_types_are_taken_as_they_are(kind: Any, dtype: str) -> None:
    """Lava casts them to 32 bits before it computes; the graphs of other tests run against it."""
    values = np.array([[127, 3], [0, 99]], dtype)
    (projection,) = from_lava(connected(kind(values)), 3).network.projections
    assert projection.weights.toarray().tolist() == values.tolist()


@pytest.mark.parametrize("kind", [np.array, sparse.csr_matrix])
@pytest.mark.parametrize("value", [np.nan, np.inf, 3e9, 2**31, -(2**31) - 1])
def test_values_beyond_32_bits_are_refused(kind: Any, value: Any) -> None:
    with pytest.raises(SpecError) as caught:
        from_lava(connected(kind([[1, value], [1, 1]])), 3)
    (problem,) = caught.value.problems
    assert str(problem).startswith("Dense 'w'.weights" if kind is np.array else "Sparse 'w'.w")
    assert "allowed: 32 bits" in str(problem)
    with pytest.raises(SpecError, match=r"RingBuffer '.*'\.data: .* allowed: 32 bits"):
        from_lava(connected(np.ones((2, 2)), [[value, 1], [0, 0]]), 3)


@pytest.mark.parametrize("name", ["weight_exp", "num_weight_bits"])
def test_options_that_are_no_whole_numbers(name: str) -> None:
    for wrong in (1.5, None, "2"):
        with pytest.raises(SpecError, match=f"'w'.{name}: {wrong!r}; allowed: a whole number"):
            from_lava(connected(np.ones((2, 2)), **{name: wrong}), 3)
    assert from_lava(connected(np.ones((2, 2)), **{name: np.int8(2)}), 3)


def kinds(neurons: Any, **options: Any) -> list[str]:
    """Kinds of the findings, each of which is a warning too."""
    with pytest.warns(FindingWarning) as warned:
        taken = from_lava(neurons, STEPS, **options)
    assert [str(w.message) for w in warned] == [str(f) for f in taken.findings]
    assert {w.filename for w in warned} == {__file__}
    return [finding.kind for finding in taken.findings]


@pytest.mark.parametrize("ones", [{"du": 1, "dv": 1}, {"du": 1}, {"dv": np.ones(2, int)}])
def test_decays_of_1_are_those_of_the_float_models(ones: dict[str, Any]) -> None:
    assert kinds(lif(**ones)) == ["float_parameters"]
    (finding,) = from_lava(lif(**ones), STEPS).findings
    assert finding.where == "LIF 'l'"
    assert finding.measured == f"{' = '.join(ones)} = 1"
    assert "1/4096" in finding.meaning or "2/4096" in finding.meaning
    assert "Loihi2SimCfg() without a select_tag" in finding.meaning


def test_what_is_given_back_unpacks_to_three_and_has_findings() -> None:
    taken = from_lava(lif(du=1), 5)
    network, inputs, steps = taken
    assert (network.n_neurons, inputs, steps) == (2, None, 5)
    assert len(taken.findings) == 1
    assert from_lava(lif(), 5).findings == ()


def test_fractions_are_noted_whole_floats_are_not() -> None:
    assert not from_lava(connected(np.eye(2) * 250.0, np.eye(2)), 3).findings
    assert kinds(connected(np.array([[0.5, 3.0], [2.5, 0.0]]))) == ["fractions_cut_off"]
    (finding,) = from_lava(connected(np.array([[0.5, 3.0], [2.5, 0.0]])), 3).findings
    assert (finding.where, finding.measured) == (
        "Dense 'w'.weights",
        "2 of 4 values have fractions, of which 1 become 0",
    )
    assert kinds(connected(sparse.csr_matrix([[0.25, 0], [0, 0.5]]))) == ["fractions_cut_off"]
    assert kinds(connected(np.ones((2, 2)), [[0.5, 0], [0, 1]])) == ["fractions_cut_off"]
    assert kinds(lif(bias_mant=1.5)) == ["fractions_cut_off"]


def test_a_run_config_that_picks_float_models_is_noted() -> None:
    from lava.magma.core.run_configs import Loihi2SimCfg

    assert kinds(connected(np.eye(2)), run_config=Loihi2SimCfg()) == ["float_models"]
    (finding,) = from_lava(connected(np.eye(2)), 3, run_config=Loihi2SimCfg()).findings
    assert "float models of Dense, LIF, RingBuffer" in finding.measured
    fixed = Loihi2SimCfg(select_tag="fixed_pt")
    assert not from_lava(connected(np.eye(2)), 3, run_config=fixed).findings
