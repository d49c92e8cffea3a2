"""Every integer of quantization, worked out by hand on three neurons.

With decays of 1/2, 1/4 and 1/8 a step, S integer weight units per 1.0 of current, and grid g::

    dv = 4096 x decay          vth = v_threshold S 4096 / dv = S v_threshold x (2, 4, 8)
    du + 1 = 4096 x decay      bias = 64 S bias = mantissa x 2^exponent
    W = round(w S / 2^exponent / g) g,   g = 1 with one sign and 8 bits, 2 with both

S is the smallest of 131071 / (largest v_threshold 4096 / dv), 8190 / (largest drive) with
8190 = 4095 x 2^7 / 64, 32512 / (largest weight) with 32512 = 254 x 2^7, and the cap that keeps
the current below 2^23. Literals below come from these lines, not from the program.
"""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava.compiler.context import Context, Observed
from hrsnn_lava.compiler.passes.quantize import Quantize

DT = 1e-3
#: Time constants that lose exactly this share in a step.
HALF, QUARTER, EIGHTH = (DT / -log(1 - share) for share in (1 / 2, 1 / 4, 1 / 8))
#: v_threshold 4096 / dv of the three neurons: 2, 8, 24.
THREE = {"tau_mem": (HALF, QUARTER, EIGHTH), "tau_syn": HALF, "v_threshold": (1.0, 2.0, 3.0)}
FIELDS = ("du", "dv", "vth", "bias_mant", "bias_exp", "refractory")


def network(*projections, inputs=(), **lif):
    """Populations of inputs, then three neurons ``a``; `projections` go onto these."""
    values = {k: np.asarray(v, float) for k, v in (THREE | lif).items()}
    neurons = hl.Population("a", 3, hl.LIF(**values))
    return hl.Network(DT, (*inputs, neurons), projections)


def quantized(net, observed=None, **options):
    """The integers of ``a``, the whole integer network, and the report."""
    context = Context(observed=observed or Observed())
    integer, report = Quantize(**({"headroom": "none"} | options)).apply(net, context)
    return {f: integer.population("a").parameter(f).tolist() for f in FIELDS}, integer, report


def dense(projection):
    """Stored weights as a list of rows."""
    return projection.weights.toarray().tolist()


def held(weights, name="held"):
    """A projection that is held through the biases."""
    return hl.Projection(name, "x", "a", np.array(weights), target="bias")


HELD = hl.Population("x", 2, hl.Input(graded=True))
SPIKES = hl.Population("s", 2, hl.Input())


def test_bias_limits_the_scale_and_every_integer_follows():
    """Largest drive: neuron 1, 1 + 4 x 1.0 = 5, so S = 8190 / 5 = 1638.

    The other bounds are far: 131071 / 24 = 5461, 32512 / 1.5 = 21675.
    """
    net = network(
        held([[0.5, -0.3], [0.0, 1.0], [0.0, 0.0]]),
        hl.Projection("mixed", "s", "a", np.array([[1.5, -0.7], [0.02, 0.0], [0.0, 0.4]])),
        inputs=(HELD, SPIKES),
        bias=(0.5, -1.0, 0.25),
        refractory=(0.003, 0.0, 0.0017),
    )
    a, integer, report = quantized(net, input_range=4.0)
    assert a == {
        "du": [2047] * 3,  # 4096 / 2 - 1
        "dv": [2048, 1024, 512],
        "vth": [3276, 13104, 39312],  # 1638 x (2, 8, 24)
        # 64 x 1638 x 5 = 524160 = 4095 x 2^7: the exponent is 7, and a bias counts 819 per 1.0
        "bias_exp": [7] * 3,
        "bias_mant": [410, -819, 205],  # 409.5 to the even one, -819, 204.75
        "refractory": [3, 0, 2],  # 1.7 steps are 2
    }
    # 819 / 1024 of a mantissa per count of the payload; the largest weight, 0.7998, takes 2^14 to
    # fill 15 bits: 819 x 16 = 13104 per 1.0; 0.3 is 3931.2
    p = integer.projection("held")
    assert integer.population("x").payload_scale == 1024.0
    assert (p.weight_exp, p.target, p.num_message_bits) == (-14, "bias", 0)
    assert dense(p) == [[6552, -3931], [0, 13104], [0, 0]]
    entry = report["projections"]["held"]
    assert (entry["weight_exp"], entry["synapses"], entry["zeroed"]) == (-14, 3, 0)
    # off by 0.2 of 13104 x sqrt(0.5^2 + 0.3^2 + 1.0^2)
    assert entry["rms_error"] == pytest.approx(0.2 / (13104 * sqrt(1.34)), rel=1e-9)
    # 1.5 x 1638 = 2457 <= 254.5 x 2^4, not x 2^3; in steps of 2 x 16 = 32:
    # 76.78, -35.83, 1.02, 20.48
    p = integer.projection("mixed")
    assert (p.weight_exp, p.num_weight_bits, p.num_message_bits) == (4, 8, 0)
    assert (p.sign_mode, p.target, p.delays) == (hl.SignMode.MIXED, "synapse", None)
    assert integer.population("s").payload_scale is None
    assert dense(p) == [[154, -72], [2, 0], [0, 40]]
    entry = report["projections"]["mixed"]
    assert {k: entry[k] for k in ("weight_exp", "sign_mode", "clipped", "synapses", "zeroed")} == {
        "weight_exp": 4,
        "sign_mode": "mixed",
        "clipped": 0,
        "synapses": 4,
        "zeroed": 0,
    }
    # 2464 - 2457, -1152 + 1146.6, 32 - 32.76, 640 - 655.2
    off = sqrt(7**2 + 5.4**2 + 0.76**2 + 15.2**2)
    whole = sqrt(2457**2 + 1146.6**2 + 32.76**2 + 655.2**2)
    assert entry["rms_error"] == pytest.approx(off / whole, rel=1e-9)
    entry = report["populations"]["a"]
    assert entry["scale"] == pytest.approx(1638, rel=1e-12)
    assert (entry["scale_limited_by"], entry["bias_exp"]) == ("bias", 7)
    for key in ("tau_mem_error_max", "tau_syn_error_max", "threshold_error_max"):
        assert entry[key] == pytest.approx(0.0, abs=1e-12)


def test_threshold_limits_the_scale():
    """No drive and no weights: S = 131071 / 24 = 5461.2917."""
    a, _, report = quantized(network())
    assert a["vth"] == [10923, 43690, 131071]  # 10922.58, 43690.33, the largest there is
    assert (a["bias_mant"], a["bias_exp"]) == ([0] * 3, [0] * 3)
    entry = report["populations"]["a"]
    assert entry["scale"] == pytest.approx(131071 / 24, rel=1e-12)
    assert entry["scale_limited_by"] == "vth"
    # 10923 for 131071 / 12 is worse than 43690 for 131071 / 3
    assert entry["threshold_error_max"] == pytest.approx(10923 * 12 / 131071 - 1, rel=1e-6)
    assert quantized(network())[1].projections == ()


def test_largest_weight_limits_the_scale():
    """The largest size is that of -100: S = 32512 / 100 = 325.12."""
    first = hl.Projection("inh", "s", "a", np.array([[-100.0, 0.0], [0.0, -3.0], [-0.01, 0.0]]))
    other = hl.Projection("exc", "s", "a", np.array([[10.0, 0.0], [0.0, 0.05], [0.0, 0.0]]))
    # held weights are no synapses: 200 would allow 162.56 only, if it were one
    far = held([[200.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    net = network(first, other, far, inputs=(HELD, SPIKES))
    a, integer, report = quantized(net, input_range=0.1)
    entry = report["populations"]["a"]
    assert entry["scale"] == pytest.approx(325.12, rel=1e-12)
    assert entry["scale_limited_by"] == "weights"
    assert a["vth"] == [650, 2601, 7803]  # 650.24, 2600.96, 7802.88
    # drive 0.1 x 200 = 20: 20 x 325.12 x 64 = 416153.6 <= 4095.5 x 2^7, not x 2^6
    assert a["bias_exp"] == [7] * 3
    # 32512 = 254 x 2^7; -975.36 / 128 = -7.62; -3.2512 / 128 = -0.03
    p = integer.projection("inh")
    assert (p.weight_exp, p.sign_mode) == (7, hl.SignMode.INHIBITORY)
    assert dense(p) == [[-254, 0], [0, -8], [0, 0]]
    assert report["projections"]["inh"]["zeroed"] == 1
    assert report["projections"]["inh"]["synapses"] == 3
    # 3251.2 <= 255.5 x 2^4, not x 2^3: 203.2; 16.256 / 16 = 1.016
    p = integer.projection("exc")
    assert (p.weight_exp, p.sign_mode) == (4, hl.SignMode.EXCITATORY)
    assert dense(p) == [[203, 0], [0, 1], [0, 0]]


def test_the_largest_current_of_a_run_limits_the_scale():
    """A current of 256 and a margin of 2: S = 2^23 / (64 x 2 x 256) = 256."""
    wild = hl.Projection("exc", "s", "a", np.array([[2.0, 0.0], [0.0, 1.1], [0.5, 0.0]]))
    peaks = Observed(current_peak=np.array([3.0, 256.0, 4.0]))
    # a current that is kept for ever can wrap, whatever the weights
    net = network(wild, inputs=(SPIKES,), tau_syn=10.0)
    a, integer, report = quantized(net, headroom="measured", observed=peaks, margin=2.0)
    entry = report["populations"]["a"]
    assert (entry["scale"], entry["scale_limited_by"]) == (256.0, "headroom")
    assert entry["headroom"] == "run"
    assert a["vth"] == [512, 2048, 6144]
    p = integer.projection("exc")
    assert p.weight_exp == 2  # 512 <= 255.5 x 2^2, not x 2^1
    assert dense(p) == [[128, 0], [0, 70], [32, 0]]  # 281.6 / 4 = 70.4


def test_the_worst_case_limits_the_scale():
    """Eight sources of 0.3 onto one neuron whose current lasts a step, |u| = 64 x 8 x W.

    By the threshold alone S = 131071 / 2 = 65535.5: 0.3 S = 19660.65 is 154 x 2^7 = 19712, so u
    can reach 10092544 = 1.203125 x 2^23. The cap is 0.99 S / 1.203125 = 53926.354; with it
    0.3 S = 16177.91 is 253 x 2^6 = 16192, and u at most 8290304 = 0.98828125 x 2^23 - room enough.
    """
    net = hl.Network(
        DT,
        (hl.Population("s", 8, hl.Input()), hl.Population("a", 1, hl.LIF(HALF, 0.0))),
        (hl.Projection("p", "s", "a", np.full((1, 8), 0.3)),),
    )
    _, before = Quantize(headroom="none").apply(net)
    entry = before["populations"]["a"]
    assert entry["scale"] == pytest.approx(65535.5, rel=1e-12)
    assert (entry["scale_limited_by"], entry["headroom"]) == ("vth", "open")
    assert (entry["u_may_wrap"], entry["u_worst_case"]) == (True, 1.203125)
    for mode in ("worst_case", "auto"):
        integer, report = Quantize(headroom=mode).apply(net)
        entry = report["populations"]["a"]
        assert entry["scale"] == pytest.approx(0.99 * 65535.5 / 1.203125, rel=1e-12)
        assert (entry["scale_limited_by"], entry["headroom"]) == ("headroom", "any input")
        assert (entry["u_may_wrap"], entry["u_worst_case"]) == (False, 0.98828125)
        assert integer.population("a").parameter("vth").tolist() == [107853]  # 107852.71
        assert integer.population("a").parameter("du").tolist() == [4095]
        p = integer.projection("p")
        assert (p.weight_exp, dense(p)) == (6, [[253] * 8])


def test_decays_are_clamped_to_twelve_bits():
    """4096 (1 - exp(-dt / tau)): 0.04 for 100 s, all of it for 10 us, 389.79 for 10 ms."""
    a, _, report = quantized(
        network(tau_mem=(100.0, 1e-5, 0.010), tau_syn=(100.0, 0.0, 0.010), v_threshold=1.0)
    )
    # 4096 x 1e-5 rounds to 0: the potential of neuron 0 does not decay; the least decay of a
    # current is 1
    assert a["dv"] == [0, 4095, 390]
    assert a["du"] == [0, 4095, 389]
    # 1 / 4096 a step stands for -dt / ln(1 - 1/4096) = 4.0955 s in place of 100 s
    slow = 1 - 0.001 / -log(1 - 1 / 4096) / 100.0
    entry = report["populations"]["a"]
    assert entry["tau_syn_error_max"] == pytest.approx(slow, rel=1e-9)
    assert entry["tau_syn_error_on_chip"] == pytest.approx(-0.001 / log(1 - 1 / 4096), rel=1e-9)
    assert (entry["tau_syn_error_neuron"], entry["tau_syn_errors"]) == (0, 1)
    # what should leak and does not is off by all of its leak; 10 us are gone within a step anyway
    assert (entry["tau_mem_error_max"], entry["tau_mem_error_on_chip"]) == (1.0, None)
    assert (entry["tau_mem_error_neuron"], entry["tau_mem_errors"]) == (0, 1)
    # v_threshold / (1 - exp(-1e-5)) = 100000.5, then 1.0002 and 10.5; S = 131071 / 100000.5. The
    # others would have vth 1.3 and 13.8 on that scale, so each has one of its own
    assert entry["scale_of"] == "neuron"
    assert a["vth"] == [131071] * 3


def test_errors_of_time_constants_are_those_of_the_rounded_decays():
    """10 ms: 389.79 becomes 390 for v, and 388.79 becomes 389 for u, which means 390 as well."""
    _, _, report = quantized(network(tau_mem=0.010, tau_syn=0.010))
    error = abs(-0.001 / log(1 - 390 / 4096) / 0.010 - 1)
    assert error == pytest.approx(5.7727e-4, rel=1e-4)  # ln(3706 / 4096) = -0.10005776
    entry = report["populations"]["a"]
    assert entry["tau_mem_error_max"] == pytest.approx(error, rel=1e-9)
    assert entry["tau_syn_error_max"] == pytest.approx(error, rel=1e-9)


def test_a_threshold_is_at_least_one():
    """One scale, since a projection learns: S = 131071 / 24; neuron 0 asks for 2e-5 S = 0.109."""
    learns = hl.Projection(
        "p", "a", "a", np.eye(3) * 1e-9, plasticity=hl.STDP(0.1, 0.1, w_max=1e-3)
    )
    a, _, report = quantized(network(learns, v_threshold=(1e-5, 2.0, 3.0)))
    assert a["vth"][0] == 1
    assert report["populations"]["a"]["scale_of"] == "population"


def test_a_small_threshold_gets_a_scale_of_its_own():
    """On S = 131071 / 24 neuron 0 would ask for 1e-5 x 2 S = 0.109; nothing else bounds it."""
    a, _, report = quantized(network(v_threshold=(1e-5, 2.0, 3.0)))
    assert a["vth"] == [131071] * 3
    entry = report["populations"]["a"]
    assert (entry["scale_of"], entry["threshold_error_max"]) == ("neuron", pytest.approx(0))
    # 131071 / (v_threshold 4096 / dv), of 2e-5, 8 and 24
    assert entry["scale_max"] == pytest.approx(131071 / 2e-5)
    assert entry["scale"] == pytest.approx(131071 / 24)


@pytest.mark.parametrize(
    ("bias", "exponent", "mantissas"),
    [
        # S = 131071 / 24 = 5461.2917, 64 S = 349522.67 per 1.0 of bias
        ((0.0117, -0.01, 0.0), 0, [4089, -3495, 0]),  # 4089.4, -3495.2
        ((-0.01, 0.0118, 0.001), 1, [-1748, 2062, 175]),  # 4124.4 takes 1: -1747.6, 2062.2, 174.8
        ((0.0, 0.0, -0.1), 4, [0, 0, -2185]),  # 34952.3 / 16 = 2184.5
        ((1.4, -0.5, 0.1), 7, [3823, -1365, 273]),  # 489332 / 128 = 3822.9
    ],
)
def test_the_bias_takes_the_smallest_exponent(bias, exponent, mantissas):
    a, _, report = quantized(network(bias=bias))
    assert (a["bias_exp"], a["bias_mant"]) == ([exponent] * 3, mantissas)
    assert a["vth"] == [10923, 43690, 131071]
    entry = report["populations"]["a"]
    assert (entry["bias_exp"], entry["scale_limited_by"]) == (exponent, "vth")


def test_a_mantissa_may_round_to_the_largest_there_is():
    """S = 512 by a weight of 63.5, so that 64 S = 32768: 4095 / 32768 fits, 4096 / 32768 not."""
    weight = hl.Projection("w", "s", "a", np.array([[63.5, 0.0], [0.0, 0.0], [0.0, 0.0]]))
    fits = quantized(network(weight, inputs=(SPIKES,), bias=(4095.5 / 32768, 0.0, 0.0)))[0]
    over = quantized(network(weight, inputs=(SPIKES,), bias=(4096 / 32768, 0.0, 0.0)))[0]
    assert (fits["bias_exp"][0], fits["bias_mant"][0]) == (0, 4095)  # clipped to 13 bits
    assert (over["bias_exp"][0], over["bias_mant"][0]) == (1, 2048)
    least = quantized(network(weight, inputs=(SPIKES,), bias=(-4095.5 / 32768, 0.0, 0.0)))[0]
    assert (least["bias_exp"][0], least["bias_mant"][0]) == (0, -4096)  # -4095.5 to the even one


def test_all_held_projections_add_up_in_the_drive():
    """Neuron 2: |-0.5| + 2 x (1.0 + 0.25 + 0.5) = 4, so S = 8190 / 4 = 2047.5."""
    net = network(
        held([[0.0, 0.0], [0.0, 0.0], [-1.0, 0.25]]),
        held([[0.0, 0.0], [0.0, 0.5], [0.5, 0.0]], "more"),
        inputs=(HELD,),
        bias=(0.0, 0.0, -0.5),
    )
    a, integer, report = quantized(net, input_range=2.0)
    entry = report["populations"]["a"]
    assert entry["scale"] == pytest.approx(2047.5, rel=1e-12)
    assert entry["scale_limited_by"] == "bias"
    assert a["bias_exp"] == [7] * 3
    assert a["bias_mant"] == [0, 0, -512]  # 1023.75 per 1.0
    # 1023.75 / 1024 = 0.99976 takes 2^14: 16380 per 1.0
    assert integer.projection("held").weight_exp == -14
    assert dense(integer.projection("held")) == [[0, 0], [0, 0], [-16380, 4095]]
    # half of it takes 2^15: 32760 per 1.0
    assert integer.projection("more").weight_exp == -15
    assert dense(integer.projection("more")) == [[0, 0], [0, 16380], [16380, 0]]


@pytest.mark.parametrize(
    ("weight", "exponent", "integer"),
    [
        # S = 131071 / 24 = 5461.2917 and the bias exponent below; per 1.0 of weight
        # 64 S / 2^e / 1024 = 341.3307 / 2^e
        (0.001, -15, 11185),  # e = 0 (1398.1): 0.3413 takes 2^15
        (0.01, -14, 13981),  # e = 2 (13980.9 / 4 = 3495.2): 0.8533 takes 2^14
    ],
)
def test_held_weights_fill_fifteen_bits(weight, exponent, integer):
    net = network(held([[weight, 0.0], [0.0, 0.0], [0.0, 0.0]]), inputs=(HELD,))
    _, made, _ = quantized(net, input_range=4.0)
    p = made.projection("held")
    assert (p.weight_exp, p.weights.data.tolist()) == (exponent, [integer])


def test_held_weights_of_nothing():
    """No weight: exponent 0, no error, and no bound by the drive."""
    net = network(held([[0.0, 0.0]] * 3), inputs=(HELD,))
    _, integer, report = quantized(net)
    assert (integer.projection("held").weight_exp, integer.projection("held").n_synapses) == (0, 0)
    entry = report["projections"]["held"]
    nothing = {"synapses": 0, "zeroed": 0, "zeroed_drive": 0.0, "zeroed_drive_max": 0.0}
    assert entry == {"weight_exp": 0, **nothing, "rms_error": 0.0}
    assert report["populations"]["a"]["scale_limited_by"] == "vth"


@pytest.mark.parametrize(
    ("weights", "bits", "exponent", "integers", "mode"),
    [
        # S = 131071 / 24 = 5461.2917. One sign, 8 bits: steps of 1 up to 255
        ((0.05, 0.02), 8, 1, [137, 55], "excitatory"),  # 273.06 / 2 = 136.5, 109.2 / 2 = 54.6
        ((0.046, 0.02), 8, 0, [251, 109], "excitatory"),  # 251.2, 109.2
        ((0.01, 0.002), 8, 0, [55, 11], "excitatory"),  # 54.6 is enough at 0: 10.9
        ((0.005, 0.002), 8, 0, [27, 11], "excitatory"),  # 27.3, 10.9: a finer one floors sums
        ((-0.05, -0.02), 8, 1, [-137, -55], "inhibitory"),
        # 5 bits: steps of 8 up to 248; 273.06 / 2 / 8 = 17.07, 54.6 / 8 = 6.8
        ((0.05, 0.02), 5, 1, [136, 56], "excitatory"),
        # 1 bit: 0 or 128; 273.06 <= 128.5 x 2^2, not x 2^1: 68.3 / 128 = 0.53, 27.3 / 128 = 0.2
        ((-0.05, -0.02), 1, 2, [-128], "inhibitory"),
        # both signs: steps of 2 up to 254; 273.06 / 2 / 2 = 68.3, -54.6 / 2 = -27.3
        ((0.05, -0.02), 8, 1, [136, -54], "mixed"),
        # 4 bits and both signs: steps of 32 up to 224; 136.5 / 32 = 4.27, -54.6 / 32 = -1.7
        ((0.05, -0.02), 4, 1, [128, -64], "mixed"),
        # with steps of 32 an exponent of -5 floors nothing: 0.273 x 32 = 8.7 rounds to 0; the
        # sign mode is that of all weights
        ((5e-5, -2e-6), 4, -5, [], "mixed"),
        # 6.826 takes -5: 218.4 / 32 = 6.8; 0.0546 x 32 = 1.7
        ((1.25e-3, -1e-5), 4, -5, [224], "mixed"),
        # steps of 2 take -1: 27.3 x 2 = 54.6, 10.9 x 2 = 21.8
        ((0.005, -0.002), 8, -1, [54, -22], "mixed"),
    ],
)
def test_spiking_weights_meet_their_grid(weights, bits, exponent, integers, mode):
    matrix = np.array([[weights[0], 0.0], [0.0, weights[1]], [0.0, 0.0]])
    net = network(hl.Projection("p", "s", "a", matrix), inputs=(SPIKES,))
    _, integer, report = quantized(net, weight_bits=bits)
    p = integer.projection("p")
    assert (p.weight_exp, p.sign_mode.value, p.num_weight_bits) == (exponent, mode, bits)
    assert [w for w in p.weights.data.tolist() if w] == integers
    np.testing.assert_array_equal(p.effective_weights().data, p.weights.data)
    entry = report["projections"]["p"]
    assert (entry["weight_exp"], entry["sign_mode"]) == (exponent, mode)
    assert (entry["synapses"], entry["zeroed"]) == (2, 2 - len(integers))


def test_clipped_weights_are_counted():
    """Half of the sizes decide: 0.01 S = 54.61 stays at exponent 0, so 0.1 S = 546.1 is clipped.

    0.0467 S = 255.04 rounds to 255 and is not clipped; 0.0469 S = 256.1 is. The sources of the
    large weights are silent, so that clipping them shifts no current.
    """
    matrix = np.array([[0.01, 0.1], [0.01, 0.0467], [0.01, 0.0469]])
    net = network(hl.Projection("p", "s", "a", matrix), inputs=(SPIKES,))
    seen = Observed(np.zeros(3), np.array([0.1, 0.0]))
    _, integer, report = quantized(net, seen, scaling="percentile:50")
    assert integer.projection("p").weight_exp == 0
    assert dense(integer.projection("p")) == [[55, 255], [55, 255], [55, 255]]
    assert report["projections"]["p"]["clipped"] == 2
    # 55 - 54.6129 three times; 255 - 546.1292, 255 - 255.0423, 255 - 256.1346
    off = sqrt(3 * 0.387083**2 + 291.129167**2 + 0.042321**2 + 1.134579**2)
    whole = sqrt(3 * 54.612917**2 + 546.129167**2 + 255.042321**2 + 256.134579**2)
    assert report["projections"]["p"]["rms_error"] == pytest.approx(off / whole, rel=1e-6)
    # where they fire, half of a weight would go missing: nothing is clipped
    seen = Observed(np.zeros(3), np.array([0.1, 0.1]))
    _, integer, report = quantized(net, seen, scaling="percentile:50")
    assert (integer.projection("p").weight_exp, report["projections"]["p"]["clipped"]) == (2, 0)


def test_graded_spikes_multiply_counts_of_one_sixtyfourth():
    """64 counts per 1.0: 0.05 S / 64 = 4.2666 takes exponent -5: 136.5; 0.02 x: 54.6."""
    graded = hl.Population("g", 2, hl.Input(graded=True))
    matrix = np.array([[0.05, 0.0], [0.0, 0.02], [0.0, 0.0]])
    net = network(hl.Projection("p", "g", "a", matrix), inputs=(graded,))
    _, integer, report = quantized(net)
    assert integer.population("g").payload_scale == 64.0
    p = integer.projection("p")
    assert (p.weight_exp, p.num_message_bits, dense(p)) == (-5, 24, [[137, 0], [0, 55], [0, 0]])
    assert report["projections"]["p"]["weight_exp"] == -5


def test_delays_become_steps_and_go_with_their_synapses():
    """0.05 S = 273.06 takes exponent 1; 1e-5 S = 0.0546 becomes 0 and is dropped."""
    matrix = np.array([[0.05, 1e-5], [0.0, 0.02], [0.03, 0.0]])
    delays = np.array([0.0021, 0.050, 0.0, 0.062])
    net = network(hl.Projection("p", "s", "a", matrix, delays=delays), inputs=(SPIKES,))
    _, integer, report = quantized(net)
    p = integer.projection("p")
    assert p.weights.data.tolist() == [137, 55, 82]  # 163.8 / 2 = 81.9
    assert p.delay_steps.tolist() == [2, 0, 62]
    assert report["projections"]["p"]["zeroed"] == 1
    one = network(hl.Projection("p", "s", "a", matrix, delays=0.0056), inputs=(SPIKES,))
    assert quantized(one)[1].projection("p").delay_steps.tolist() == [6, 6, 6]


def test_the_ceiling_of_learning_is_exact():
    """S <= 5461.2917 is lowered until w_max S is 255 x 2^e: 1.0 -> 255 x 2^4 = 4080.

    A second projection of fewer synapses has no say: w_max = 0.9 is 3672, 229.5 x 2^4.
    """
    main = hl.Projection(
        "main",
        "a",
        "a",
        np.array([[0.0, 0.5, 0.0], [0.1, 0.0, 1e-4], [0.0, 0.0, 0.0]]),
        plasticity=hl.STDP(0.01, 0.01, w_max=1.0),
    )
    small = hl.Projection(
        "small",
        "a",
        "a",
        np.array([[-0.5, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]),
        plasticity=hl.STDP(0.01, 0.01, w_max=0.9),
    )
    a, integer, report = quantized(network(main, small))
    entry = report["populations"]["a"]
    assert (entry["scale"], entry["scale_limited_by"]) == (4080.0, "vth")
    assert a["vth"] == [8160, 32640, 97920]
    p = integer.projection("main")
    assert (p.weight_exp, p.sign_mode) == (4, hl.SignMode.EXCITATORY)
    # 2040 / 16 = 127.5 to the even one, 408 / 16 = 25.5 likewise, 0.0255 lifted to the least
    assert dense(p) == [[0, 128, 0], [26, 0, 1], [0, 0, 0]]
    assert report["projections"]["main"]["lifted"] == 1
    assert report["projections"]["main"]["w_max"] == {
        "asked": 1.0,
        "on_chip": 1.0,
        "error_max": 0.0,
    }
    p = integer.projection("small")
    assert (p.weight_exp, p.sign_mode) == (4, hl.SignMode.INHIBITORY)
    assert dense(p)[0][0] == -128  # -2040 / 16
    found = report["projections"]["small"]["w_max"]
    assert (found["asked"], found["on_chip"]) == (0.9, 1.0)
    assert found["error_max"] == pytest.approx(1 / 9, rel=1e-9)


def test_populations_have_scales_of_their_own():
    """``b`` has v_threshold 4096 / dv = 2: S = 65535.5; ``a`` keeps 131071 / 24."""
    net = network(hl.Projection("p", "s", "a", np.array([[0.05, 0.0]] * 3)), inputs=(SPIKES,))
    b = hl.Population("b", 1, hl.LIF(HALF, HALF, bias=-0.001))
    # 0.003 x 65535.5 = 196.6; -0.001 x 64 x 65535.5 = -4194.3 takes exponent 1
    onto = hl.Projection("q", "a", "b", np.array([[0.003, 0.0, 0.0]]))
    net = hl.Network(DT, (*net.populations, b), (*net.projections, onto))
    a, integer, report = quantized(net)
    assert a["vth"] == [10923, 43690, 131071]
    found = integer.population("b")
    values = {f: found.parameter(f).tolist() for f in FIELDS}
    assert values == {
        "du": [2047],
        "dv": [2048],
        "vth": [131071],
        "bias_mant": [-2097],
        "bias_exp": [1],
        "refractory": [0],
    }
    assert (integer.projection("q").weight_exp, dense(integer.projection("q"))) == (
        0,
        [[197, 0, 0]],
    )
    assert integer.projection("p").weight_exp == 1
    assert report["populations"]["b"]["scale"] == pytest.approx(65535.5, rel=1e-12)
    assert (integer.name, integer.dt) == (net.name, DT)


def test_the_public_verb_gives_the_same_integers():
    net = network(hl.Projection("p", "s", "a", np.array([[0.05, 0.0]] * 3)), inputs=(SPIKES,))
    integer = hl.quantize(net, 5, headroom="none")
    assert dense(integer.projection("p")) == [[136, 0]] * 3
    assert integer.projection("p").num_weight_bits == 5
    assert hl.quantize(net).projection("p").num_weight_bits == 8
