"""Networks from arrays: plain loops of other programs' equations give the same spikes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava.errors import NetworkError
from hrsnn_lava.own_network import DELAYS
from hrsnn_lava.sim_backends.floating.simulator import FloatSimulator

STEPS, INPUTS, SIZE, DT = 400, 7, 30, 1e-3


def leaky(x, w, v_rec, p, hold=False, subtract=False):
    """snnTorch's Leaky (``hold`` False) or RLeaky and Synaptic, reset to zero or by subtraction."""
    mem, syn, spikes = np.zeros(SIZE), np.zeros(SIZE), np.zeros((len(x), SIZE), bool)
    last = np.zeros(SIZE)
    for t, row in enumerate(x):
        syn = p["alpha"] * syn + w @ row + v_rec @ last
        mem = p["beta"] * np.where((last > 0) & ~np.bool_(subtract), 0.0, mem) + syn + p["bias"]
        if subtract:
            mem = mem - last * p["v_threshold"]
        elif hold:
            mem = np.where(last > 0, 0.0, mem)
        last = (mem > p["v_threshold"]).astype(float)
        spikes[t] = last > 0
    return spikes


def norse(x, w, v_rec, p, subtract=False):
    """Norse's LIF by Euler's method, reset to 0 or by subtraction."""
    v, i, z = np.zeros(SIZE), np.zeros(SIZE), np.zeros(SIZE)
    spikes = np.zeros((len(x), SIZE), bool)
    for t, row in enumerate(x):
        i = i + w @ row + v_rec @ z
        v = v + DT / p["tau_mem"] * (p["bias"] + i - v)
        z = (v > p["v_threshold"]).astype(float)
        v = np.where(z > 0, v - p["v_threshold"] if subtract else 0.0, v)
        i = i * (1.0 - DT / p["tau_syn"])
        spikes[t] = z > 0
    return spikes


def exact(x, w, v_rec, p):
    """The equations of `hrsnn_lava.network`."""
    alpha, beta = np.exp(-DT / p["tau_syn"]), np.exp(-DT / p["tau_mem"])
    v, i, held = np.zeros(SIZE), np.zeros(SIZE), np.zeros(SIZE, int)
    sent, row = np.zeros(SIZE), np.zeros(INPUTS)
    spikes = np.zeros((len(x), SIZE), bool)
    for t in range(len(x)):
        i = alpha * i + w @ row + v_rec @ sent
        v = beta * v + (1.0 - beta) * (p["bias"] * (t > 0 or not p.get("late")) + i)
        v, held = np.where(held > 0, 0.0, v), np.maximum(held - 1, 0)
        sent, row = (v > p["v_threshold"]).astype(float), x[t]
        left = v - p["v_threshold"] if p.get("subtract") else 0.0
        v, held = np.where(sent > 0, left, v), np.where(sent > 0, p["hold"], held)
        spikes[t] = sent > 0
    return spikes


def arrays(seed, recurrent=True):
    rng = np.random.default_rng(seed)
    x = (rng.random((STEPS, INPUTS)) < 0.3).astype(float)
    w = rng.normal(0.3, 0.6, (SIZE, INPUTS))
    v_rec = rng.normal(0.0, 0.4, (SIZE, SIZE)) * (rng.random((SIZE, SIZE)) < 0.3) * recurrent
    return rng, x, w, v_rec


def played(network, x, steps=None):
    steps = len(x) if steps is None else steps
    at, who = FloatSimulator(network).run_events(hl.SpikeInput.from_dense(x), steps=steps)
    return hl.Trace(at, who, steps, network.n_neurons).dense()


@pytest.mark.parametrize("hold", [False, True])
@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_snntorch_gives_the_same_spikes_one_step_later(seed, recurrent, hold):
    rng, x, w, v_rec = arrays(seed, recurrent)
    p = {"beta": rng.uniform(0.3, 0.99, SIZE), "alpha": rng.uniform(0.0, 0.8, SIZE), "bias": 0.0}
    p["beta"][:5], p["beta"][5:8], p["alpha"][:9] = 1.0, 0.0, 0.0
    p["v_threshold"] = rng.uniform(0.8, 1.5, SIZE)
    theirs = leaky(x, w, v_rec, p, hold)
    name = "snntorch_rleaky" if hold else "snntorch"
    network = hl.Network.from_arrays(
        w,
        v_rec if recurrent else None,
        v_threshold=p["v_threshold"],
        convention=name,
        beta=p["beta"],
        alpha=p["alpha"],
    )
    ours = played(network, x, STEPS + 1)
    assert DELAYS[name] == 1
    assert not ours[0].any()
    assert (ours[1:] == theirs).all()
    assert 0.02 < theirs.mean() < 0.9
    if recurrent and not hold:  # the recurrence and the hold both matter here
        assert (leaky(x, w, 0 * v_rec, p) != theirs).any()
        assert (leaky(x, w, v_rec, p, hold=True) != theirs).any()


@pytest.mark.parametrize("seed", range(3))
def test_a_bias_of_snntorch_starts_a_step_early_or_comes_through_a_channel(seed):
    rng, x, w, v_rec = arrays(seed)
    p = {"beta": rng.uniform(0.5, 0.99, SIZE), "alpha": 0.0, "v_threshold": 1.0}
    p["bias"] = rng.normal(0.05, 0.1, SIZE)
    options = {"convention": "snntorch", "beta": p["beta"], "bias": p["bias"]}
    theirs = leaky(x, w, v_rec, p)
    after_a_blank = leaky(np.vstack([np.zeros(INPUTS), x]), w, v_rec, p)
    network = hl.Network.from_arrays(w, v_rec, **options)
    assert (played(network, x, STEPS + 1) == after_a_blank).all()
    assert (after_a_blank[1:] != theirs).any()
    network = hl.Network.from_arrays(w, v_rec, bias_channel=True, **options)
    assert network.n_inputs == INPUTS + 1
    with_bias = np.column_stack([x, np.ones(STEPS)])
    assert (played(network, with_bias, STEPS + 1)[1:] == theirs).all()


@pytest.mark.parametrize("convention", ["snntorch", "snntorch_rleaky", "norse", "exact"])
@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("filtered", [False, True])
def test_a_bias_stands_outside_of_the_filter(convention, recurrent, filtered):
    """With a channel, or a step early; a channel in front of a filter is refused."""
    rng, x, w, v_rec = arrays(recurrent + 2 * filtered, recurrent)
    gain = {"exact": 5, "norse": 8}.get(convention, 1)
    w, v_rec = gain * w, gain * v_rec
    p = {"tau_mem": rng.uniform(0.002, 0.03, SIZE), "tau_syn": rng.uniform(0.001, 0.01, SIZE)}
    p |= {"bias": gain * rng.normal(0.02, 0.1, SIZE), "v_threshold": 1.0, "hold": 0}
    if not filtered:
        p["tau_syn"] = np.full(SIZE, DT if convention == "norse" else 1e-9)  # next to none
    p |= {"beta": np.exp(-DT / p["tau_mem"]), "alpha": np.exp(-DT / p["tau_syn"])}

    def loop(x, p=p):
        if convention == "exact":
            return exact(x, w, v_rec, p)
        if convention == "norse":
            return norse(x, w, v_rec, p)
        return leaky(x, w, v_rec, p, hold=convention == "snntorch_rleaky")

    options = {"convention": convention, "tau_mem": p["tau_mem"], "bias": p["bias"]}
    options |= {"tau_syn": p["tau_syn"] if filtered else 0.0, "v_threshold": 1.0, "dt": DT}
    matrix = v_rec if recurrent else None
    network = hl.Network.from_arrays(w, matrix, **options)
    delay = DELAYS[convention]
    blank = np.zeros((delay, INPUTS))
    ours = played(network, x, STEPS + delay)
    assert (ours == loop(np.vstack([blank, x]))).all()
    assert (
        ours
        != played(
            network.__class__.from_arrays(w, matrix, **options | {"bias": 0.0}), x, STEPS + delay
        )
    ).any()
    if filtered:
        with pytest.raises(NetworkError, match="bias_channel: a bias and a filter at neuron 0"):
            hl.Network.from_arrays(w, matrix, bias_channel=True, **options)
        return
    network = hl.Network.from_arrays(w, matrix, bias_channel=True, **options)
    ours = played(network, np.column_stack([x, np.ones(STEPS)]), STEPS + 1)[1:]
    if convention == "exact":  # whose inputs are a step late already: so is the bias now
        theirs = exact(np.vstack([x, x[:1]]), w, v_rec, p | {"late": True})[1:]
        assert (ours == theirs).all()
    else:
        assert (ours == loop(x)).all()


@pytest.mark.parametrize("seed", range(3))
def test_the_bias_of_a_layer_before_a_filter_is_a_column_of_the_weights(seed):
    """snnTorch's ``Synaptic`` behind a ``Linear``: syn = alpha syn + W x + b."""
    rng, x, w, v_rec = arrays(seed)
    bias = rng.normal(0.02, 0.05, SIZE)
    p = {"beta": rng.uniform(0.5, 0.95, SIZE), "alpha": rng.uniform(0.2, 0.8, SIZE)}
    p |= {"bias": 0.0, "v_threshold": 1.0}
    with_bias = np.column_stack([x, np.ones(STEPS)])
    columns = np.column_stack([w, bias])
    theirs = leaky(with_bias, columns, v_rec, p, hold=True)
    network = hl.Network.from_arrays(
        columns, v_rec, beta=p["beta"], alpha=p["alpha"], convention="snntorch_rleaky"
    )
    assert (played(network, with_bias, STEPS + 1)[1:] == theirs).all()
    assert (leaky(x, w, v_rec, p | {"bias": bias}, hold=True) != theirs).any()


@pytest.mark.parametrize("seed", range(3))
def test_norse_gives_the_same_spikes_one_step_later(seed):
    rng, x, w, v_rec = arrays(seed)
    w, v_rec = 8 * w, 8 * v_rec
    p = {"tau_mem": rng.uniform(0.002, 0.03, SIZE), "tau_syn": rng.uniform(0.001, 0.01, SIZE)}
    p |= {"bias": 0.0, "v_threshold": rng.uniform(0.8, 1.5, SIZE)}
    theirs = norse(x, w, v_rec, p)
    network = hl.Network.from_arrays(
        w, v_rec, p["tau_mem"], p["v_threshold"], DT, convention="norse", tau_syn=p["tau_syn"]
    )
    assert (played(network, x, STEPS + 1)[1:] == theirs).all()
    assert 0.02 < theirs.mean() < 0.9


@pytest.mark.parametrize("seed", range(3))
def test_exact_is_what_networks_are(seed):
    rng, x, w, v_rec = arrays(seed)
    w, v_rec = 5 * w, 5 * v_rec
    p = {"tau_mem": rng.uniform(0.002, 0.03, SIZE), "tau_syn": rng.uniform(0.001, 0.01, SIZE)}
    p |= {"bias": rng.normal(0.2, 0.4, SIZE), "v_threshold": 1.1, "hold": 2}
    network = hl.Network.from_arrays(
        w,
        v_rec,
        p["tau_mem"],
        p["v_threshold"],
        DT,
        tau_syn=p["tau_syn"],
        bias=p["bias"],
        refractory=0.002,
    )
    theirs = exact(x, w, v_rec, p)
    assert (played(network, x) == theirs).all()
    assert 0.02 < theirs.mean() < 0.9
    assert DELAYS["exact"] == 0


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("convention", sorted(DELAYS))
def test_subtractions_are_those_of_the_other_program(convention, seed, recurrent):
    """Those of snnTorch come a step late, in each of its neurons; the others at once."""
    rng, x, w, v_rec = arrays(seed, recurrent)
    gain = {"exact": 5, "norse": 8}.get(convention, 1)
    w, v_rec = gain * w, gain * v_rec
    p = {"tau_mem": rng.uniform(0.002, 0.03, SIZE), "tau_syn": rng.uniform(0.001, 0.01, SIZE)}
    p |= {"bias": 0.0, "v_threshold": rng.uniform(0.8, 1.5, SIZE), "hold": 0, "subtract": True}
    p |= {"beta": np.exp(-DT / p["tau_mem"]), "alpha": np.exp(-DT / p["tau_syn"])}
    options = {"convention": convention, "tau_mem": p["tau_mem"], "tau_syn": p["tau_syn"]}
    options |= {"v_threshold": p["v_threshold"], "dt": DT, "reset": "subtract"}
    network = hl.Network.from_arrays(w, v_rec if recurrent else None, **options)
    late = convention.startswith("snntorch")
    assert network.population("neurons").reset == ("subtract_next" if late else "subtract")
    assert not network.population("neurons").parameter("refractory").any()
    delay = DELAYS[convention]
    ours = played(network, x, STEPS + delay)[delay:]
    if late:
        theirs = leaky(x, w, v_rec, p, subtract=True)
        options["reset"] = "subtract_next"
        same = hl.Network.from_arrays(w, v_rec if recurrent else None, **options)
        assert (played(same, x, STEPS + delay)[delay:] == ours).all()
    elif convention == "exact":
        theirs = exact(x, w, v_rec, p)
    else:
        theirs = norse(x, w, v_rec, p, subtract=True)
    assert (ours == theirs).all()
    assert 0.02 < theirs.mean() < 0.95
    plain = hl.Network.from_arrays(w, v_rec if recurrent else None, **options | {"reset": "zero"})
    assert (played(plain, x, STEPS + delay)[delay:] != theirs).any()


def test_potentials_that_meet_the_threshold_do_not_pass_it():
    """Numbers that binary fractions hold: sums are exact, so a tie is one."""
    for beta in (0.0, 0.5, 0.75, 0.875, 0.9375, 1.0):
        for threshold in (0.75, 1.0, 1.5):
            network = hl.Network.from_arrays(
                [[threshold]], v_threshold=threshold, convention="snntorch", beta=beta
            )
            spikes = played(network, np.array([[1.0], [0.0], [0.0], [0.0]]))
            assert not spikes.any(), (beta, threshold)


def test_signs_are_parted_for_the_bit_that_a_mixed_matrix_costs():
    _, _, w, v_rec = arrays(1)
    network = hl.Network.from_arrays(w, v_rec, 0.01)
    names = ["w_in_exc", "w_in_inh", "w_rec_exc", "w_rec_inh"]
    assert [p.name for p in network.projections] == names
    for matrix, kind in ((w, "w_in"), (v_rec, "w_rec")):
        parts = [network.projection(f"{kind}_{sign}").weights for sign in ("exc", "inh")]
        assert parts[0].data.min() > 0
        assert parts[1].data.max() < 0
        assert (parts[0] + parts[1] != sparse.csr_matrix(matrix)).nnz == 0
    modes = {p.name: p.sign_mode.name for p in hl.quantize(network).projections}
    assert modes["w_rec_exc"] == "EXCITATORY"
    assert modes["w_rec_inh"] == "INHIBITORY"
    whole = hl.Network.from_arrays(w, v_rec, 0.01, split_signs=False)
    assert [p.name for p in whole.projections] == ["w_in", "w_rec"]
    assert hl.quantize(whole).projection("w_rec").sign_mode.name == "MIXED"
    one_sign = hl.Network.from_arrays(np.abs(w), -np.abs(v_rec), 0.01)
    assert [p.name for p in one_sign.projections] == ["w_in", "w_rec"]


def test_names_sizes_and_what_may_be_left_out():
    network = hl.Network.from_arrays(
        sparse.csr_matrix(np.eye(3)),
        tau_mem=0.01,
        name="mine",
        input_name="pixels",
        neuron_name="hidden",
    )
    assert network.name == "mine"
    assert [p.name for p in network.populations] == ["pixels", "hidden"]
    alone = hl.Network.from_arrays(None, np.eye(4, k=1), 0.01, bias=2.0)
    assert (alone.n_inputs, alone.n_neurons) == (0, 4)
    assert hl.Network.from_arrays(None, None, [0.01, 0.02]).n_neurons == 2


class Tensor:
    """What a tensor of torch with a gradient does when NumPy wants its values."""

    def __init__(self, values):
        self.values = np.asarray(values, dtype=np.float32)

    def detach(self):
        return type("Detached", (), {"cpu": lambda _: self, "numpy": lambda _: self.values})()

    def cpu(self):
        return self

    def numpy(self):
        return self.values

    def __array__(self, *_args, **_kwargs):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")


def test_tensors_are_read_without_their_gradients():
    w = np.array([[0.5, -0.25]])
    network = hl.Network.from_arrays(Tensor(w), v_threshold=Tensor(1.0), beta=Tensor([0.5]))
    assert network.projection("w_in_exc").weights.toarray().tolist() == [[0.5, 0.0]]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"reset": "substract"}, "subtract_next, subtract_all. Did you mean 'subtract'?"),
        ({"reset": None}, "reset: None; allowed: one of zero"),
        ({"reset": "subtract", "refractory": 0.002}, "a refractory neuron is held at 0"),
        ({"convention": "brian"}, "one of exact, snntorch"),
        ({"tau_mem": None}, "give beta, the share"),
        ({"beta": 0.9}, "both are given"),
        ({"tau_syn": 0.01, "alpha": 0.5}, "both are given"),
        ({"w_rec": np.ones((3, 4))}, "w_rec: shape (3, 4)"),
        ({"w_in": np.ones((2, 3)), "w_rec": np.eye(3)}, "Transpose it"),
        ({"w_in": np.ones(3)}, "(n_neurons, n_inputs)"),
        ({"w_in": [["a"]]}, "w_in: text"),
        ({"v_threshold": [1.0, 1.0]}, "a scalar or (3,)"),
        ({"tau_mem": None, "beta": 1.5}, "beta: 1.5 at neuron 0"),
        ({"alpha": 1.0}, "1 not included"),
        ({"tau_mem": 5e-4, "convention": "norse"}, ">= dt"),
        ({"dt": 0.0}, "seconds > 0"),
        ({"tau_mem": -1.0}, "> 0"),
        ({"thresholds": 1.0}, "option: 'thresholds'; allowed: one of w_in, w_rec, tau_mem"),
        ({"betta": 0.8}, "name. Did you mean 'beta'?"),
        ({"v_treshold": 0.8}, "Did you mean 'v_threshold'?"),
        ({"convention": "snntroch"}, "norse. Did you mean 'snntorch'?"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(arguments, text):
    given = {"w_in": np.ones((3, 2)), "tau_mem": 0.01} | arguments
    with pytest.raises(NetworkError) as caught:
        hl.Network.from_arrays(**given)
    assert text in str(caught.value)


def test_a_trained_network_reaches_the_chip():
    _, x, w, v_rec = arrays(5)
    network = hl.Network.from_arrays(w, v_rec, convention="snntorch", beta=0.9)
    compiled = hl.compile(network, "loihi1")
    trace = hl.simulate(compiled, hl.SpikeInput.from_dense(x), STEPS)
    theirs = played(network, x)
    assert trace.n_spikes == pytest.approx(theirs.sum(), rel=0.05)


def golden(recording):
    return dict(np.load(Path(__file__).parent / "golden" / f"snntorch_{recording}.npz"))


@pytest.mark.parametrize(
    ("recording", "convention"), [("leaky", "snntorch"), ("rleaky", "snntorch_rleaky")]
)
def test_spikes_that_snntorch_itself_sent(recording, convention):
    """Recorded with snnTorch 1.0.0 and torch 2.15.0: 20 neurons of `Leaky` and of `RLeaky` with
    ``reset_mechanism="zero"`` behind a `Linear` of 6 channels, 100 steps, float32."""
    data = golden(recording)
    bias = data["bias"].astype(float) + data.get("bias_rec", 0.0)
    network = hl.Network.from_arrays(
        data["w_in"],
        data.get("w_rec"),
        v_threshold=data["v_threshold"],
        convention=convention,
        beta=data["beta"],
        bias=bias,
        bias_channel=True,
    )
    x = np.column_stack([data["inputs"], np.ones(100)])
    assert (played(network, x, 101)[1:] == data["spikes"]).all()
    assert data["spikes"].sum() == {"leaky": 360, "rleaky": 237}[recording]


@pytest.mark.parametrize(
    ("recording", "convention", "spikes", "of_zero"),
    [
        ("leaky", "snntorch", 390, 110),
        ("rleaky", "snntorch_rleaky", 357, 192),
        ("rsyn", "snntorch_rleaky", 831, 515),
    ],
)
def test_spikes_that_snntorch_sent_with_a_reset_by_subtraction(
    recording, convention, spikes, of_zero
):
    """The same of `Leaky`, `RLeaky` and `RSynaptic` with ``reset_mechanism="subtract"``, and how
    many spikes differ with a reset to zero."""
    data = golden(f"{recording}_subtract")
    bias = data["bias"].astype(float) + data.get("bias_rec", 0.0)
    options = {"v_threshold": data["v_threshold"], "convention": convention, "beta": data["beta"]}
    w_in = data["w_in"]
    if "alpha" in data:  # the bias passes through the filter
        w_in, options["alpha"] = np.column_stack([w_in, bias]), data["alpha"]
    else:
        options |= {"bias": bias, "bias_channel": True}
    x = np.column_stack([data["inputs"], np.ones(100)])
    found = {
        reset: played(
            hl.Network.from_arrays(w_in, data.get("w_rec"), reset=reset, **options), x, 101
        )
        for reset in ("subtract", "zero")
    }
    assert (found["subtract"][1:] == data["spikes"]).all()
    assert (found["zero"][1:] != data["spikes"]).sum() == of_zero
    assert data["spikes"].sum() == spikes
