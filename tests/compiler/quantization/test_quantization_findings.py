"""What a user is told of a quantization: which kinds there are, with their numbers and fixes."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava.compiler.passes.quantize import quantize
from hrsnn_lava.findings import FindingWarning


def one_neuron(dt=1e-3, weight=None, delays=None, **lif):
    """A neuron, and a spiking input where there is a weight."""
    populations = (hl.Population("i", 1, hl.Input()), hl.Population("a", 1, hl.LIF(**lif)))
    if weight is None:
        return hl.Network(dt, populations[1:], ())
    projection = hl.Projection("p", "i", "a", np.array([[weight]]), delays=delays)
    return hl.Network(dt, populations, (projection,))


def findings(network, **options):
    """Findings by kind; each kind at most once."""
    listed = quantize(network, hl_quantize(**options))[1]["findings"]
    by_kind = {finding.kind: finding for finding in listed}
    assert len(by_kind) == len(listed)
    return by_kind


def hl_quantize(**options):
    """The pass."""
    from hrsnn_lava.compiler.passes.quantize import Quantize

    return Quantize(**options)


def test_nothing_to_say_of_a_plain_network():
    assert findings(one_neuron(tau_mem=0.02, weight=0.5)) == {}


def test_a_membrane_that_cannot_leak_says_so():
    """4096 (1 - exp(-dt / 1000 s)) = 0.004 rounds to no leak at all; never 4.1 s in silence."""
    network = one_neuron(tau_mem=1000.0, tau_syn=0.0, bias=2.0)
    integer = hl.quantize(network)
    assert integer.population("a").parameter("dv")[0] == 0
    assert hl.simulate(integer, None, 5000).n_spikes == 0
    finding = findings(network)["time_constant_off"]
    assert finding.severity == "warning"
    assert "1e+03 s never decays" in finding.measured
    assert "at dt = 0.001 s the longest is 4.1 s" in finding.meaning


def test_no_leak_is_no_loss_where_none_is_asked_for():
    """v[t] = v[t-1] + 0.25: above 1 in step 4, again every five steps."""
    network = one_neuron(tau_mem=np.inf, tau_syn=0.0, bias=0.25)
    assert findings(network) == {}
    trace = hl.simulate(hl.quantize(network), None, 20)
    assert trace.spike_steps.tolist() == [4, 9, 14, 19]


def test_a_clipped_time_constant_is_named():
    slow = findings(one_neuron(dt=1e-4, tau_mem=1.0, tau_syn=0.0, bias=1.02))["time_constant_off"]
    assert slow.where == "population 'a'.tau_mem"
    synapse = findings(one_neuron(tau_mem=0.02, tau_syn=10.0))["time_constant_off"]
    assert "10 s is 4.1 s on the chip, 59 % off, at neuron 0" in synapse.measured


@pytest.mark.parametrize(
    ("time", "steps", "kind", "error"),
    [
        (0.0005, 0, "delays_became_zero", 1.0),
        (0.0015, 2, "delays_rounded", 1 / 3),
        (0.0025, 2, "delays_rounded", 0.2),
        (0.003, 3, None, 0.0),
    ],
)
def test_times_in_steps_have_their_errors(time, steps, kind, error):
    network = one_neuron(tau_mem=0.02, refractory=time, weight=1.0, delays=time)
    integer, report = quantize(network)
    assert integer.projection("p").delay_steps.tolist() == [steps]
    assert integer.population("a").parameter("refractory").tolist() == [steps]
    assert report["projections"]["p"]["delay_error_max"] == pytest.approx(error)
    assert report["populations"]["a"]["refractory_error_max"] == pytest.approx(error)
    kinds = {finding.kind for finding in report["findings"]}
    expected = set() if kind is None else {kind, kind.replace("delays", "refractory")}
    assert kinds == expected


def test_lost_weights_are_told_with_their_drive_and_a_fix_that_works():
    rng = np.random.default_rng(0)
    weights = rng.uniform(0.05, 0.1, (1, 400))
    weights[0, :3] = 90.0
    populations = (hl.Population("i", 400, hl.Input()), hl.Population("a", 1, hl.LIF(0.02, 0.005)))
    network = hl.Network(1e-3, populations, (hl.Projection("p", "i", "a", weights),))
    finding = findings(network)["weights_became_zero"]
    gone = hl.quantize(network).projection("p").weights.toarray()[0] == 0
    assert finding.severity == "warning"
    assert 200 < gone.sum() < 397  # some are rounded up, so that the mean current stays
    assert finding.measured == f"{gone.sum()} of 400 weights became 0"
    lost = weights[0, gone].sum() / weights.sum()
    assert f"{100 * lost:.3g} % of its drive" in finding.meaning
    assert finding.fix.startswith("split the projection: the 3 weights above ")
    border = float(finding.fix.split("above ")[1].split(" ")[0])
    parts = tuple(
        hl.Projection(name, "i", "a", np.where(chosen, weights, 0.0))
        for name, chosen in (("large", weights > border), ("small", weights <= border))
    )
    split = findings(hl.Network(1e-3, populations, parts))
    assert "weights_became_zero" not in split


def test_a_small_inhibition_does_not_grow():
    """-0.002 is 0.064 units at the most that the threshold allows: 0, and not a whole unit."""
    network = one_neuron(tau_mem=4.0, tau_syn=0.0, weight=-0.002)
    integer, report = quantize(network)
    trace = hl.simulate(integer, hl.SpikeInput([0], [0], 3, 1), 3, probes=("u",))
    assert not trace.u.any()
    assert report["projections"]["p"]["rms_error"] == pytest.approx(1.0)
    kinds = {finding.kind: finding.severity for finding in report["findings"]}
    assert kinds["weights_became_zero"] == "warning"


def test_numbers_that_look_like_milliseconds_are_noted():
    for network, where in (
        (one_neuron(tau_mem=20.0), "population 'a'.tau_mem"),
        (one_neuron(tau_mem=0.02, tau_syn=5.0), "population 'a'.tau_syn"),
        (one_neuron(dt=1.0, tau_mem=20.0), "dt"),
        (one_neuron(dt=1e-3, tau_mem=1e-4), "population 'a'.tau_mem"),
    ):
        listed = quantize(network)[1]["findings"]
        assert where in [f.where for f in listed if f.kind == "units" and f.severity == "note"]


def test_python_users_get_a_warning_of_each():
    network = one_neuron(dt=1e-4, tau_mem=1.0, tau_syn=0.0, bias=1.02)
    for verb in (hl.quantize, lambda n: hl.compile(n, "loihi1")):
        with pytest.warns(FindingWarning, match=r"tau_mem: 1 s never decays"):
            verb(network)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hl.quantize(one_neuron(tau_mem=0.02, weight=0.5))
        hl.compile(one_neuron(tau_mem=0.02, weight=0.5), "loihi1")


def test_the_record_of_a_program_keeps_them(tmp_path):
    network = one_neuron(dt=1e-4, tau_mem=1.0, tau_syn=0.0, bias=1.02)
    compiled = hl.compile(network, "loihi1")
    assert [f.kind for f in compiled.findings] == ["time_constant_off"]
    compiled.save(tmp_path / "c.hlx")
    assert hl.CompiledNetwork.load(tmp_path / "c.hlx").findings == compiled.findings


def test_room_is_made_where_it_costs_no_current():
    """A projection that is lost anyway does not keep the scale up until currents wrap."""
    populations = (
        hl.Population("a", 1, hl.Input()),
        hl.Population("b", 1000, hl.Input()),
        hl.Population("p", 5, hl.LIF(0.02, 0.005)),
    )
    projections = (
        hl.Projection("small", "a", "p", np.full((5, 1), 2e-5)),
        hl.Projection("big", "b", "p", np.full((5, 1000), 0.075)),
    )
    network = hl.Network(1e-3, populations, projections)
    steps, who = np.divmod(np.arange(5000), 1000)
    inputs = hl.SpikeInput(steps, who + 1, 40, 1001)
    for headroom in ("auto", "worst_case"):
        compiled = hl.compile(network, "loihi1", quantize={"headroom": headroom})
        trace = hl.simulate(compiled, inputs)
        assert (trace.n_spikes, int(trace.wraps.sum())) == (100, 0)
    compiled = hl.compile(network, "loihi1", quantize={"headroom": "none"})
    with pytest.warns(FindingWarning, match="the current wrapped"):
        trace = hl.simulate(compiled, inputs)
    assert trace.n_spikes < 100
    assert [f.severity for f in trace.findings if f.kind == "current_wrapped"] == ["error"]
    report = hl.report(compiled, trace).to_dict()
    assert report["verdict"] == "FAIL"
    assert report["activity"]["wraps"] == int(trace.wraps.sum()) > 0
    assert "1 error" in report["summary"]


@pytest.mark.parametrize("bounds", [[1.0, 1.0, 1.0], [1.0, 0.1, 0.5]])
def test_bounds_of_learning_that_the_chip_does_not_tell_apart(bounds):
    """One is what the chip has, 255 2^e; two of the three others are far below it."""
    source = hl.Population("a", 1, hl.LIF(tau_mem=0.02, tau_syn=0.005))
    target = hl.Population("b", 3, hl.LIF(tau_mem=0.02, tau_syn=0.005))
    rule = hl.STDP(0.01, 0.01, w_max=bounds)
    weights = np.full((3, 1), 0.05)
    network = hl.Network(
        1e-3, [source, target], [hl.Projection("p", "a", "b", weights, plasticity=rule)]
    )
    kinds = findings(network)
    if len(set(bounds)) == 1:
        assert "weight_bound_off" not in kinds
        return
    finding = kinds["weight_bound_off"]
    assert finding.where == "projection 'p'.plasticity.w_max"
    assert finding.measured.startswith("0.1 to 1, on the chip 1 for all: 2 of 3 synapses")
    assert "split the projection" in finding.fix
