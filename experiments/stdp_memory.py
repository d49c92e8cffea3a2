"""Does STDP raise memory and save spikes in a reservoir? No STDP, homogeneous, heterogeneous.

    python experiments/stdp_memory.py [--seeds 3] [--samples 600]

A network of 300 neurons hears one random number per sample through 100 Poisson channels with
Gaussian tuning. It learns for `samples` samples and is then frozen. Memory capacity is the sum
over 40 delays of the squared correlation of a ridge readout with the past input, held out, minus
the same for a shuffled input. All settings are ours; the papers give none.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy import sparse

from hrsnn_lava import Spec, build_hrsnn
from hrsnn_lava.network import Input, Projection
from hrsnn_lava.network import Population as Channels
from hrsnn_lava.seeding import generator
from hrsnn_lava.sim_backends.floating.simulator import PlasticSimulator
from hrsnn_lava.tasks.encoders import Population
from hrsnn_lava.tasks.memory import past_values, squared_correlations
from hrsnn_lava.training.homeostasis import HomeostasisOptions, homeostasis
from hrsnn_lava.training.ridge import ridge
from hrsnn_lava.training.stdp import STDPOptions, train_stdp

STEPS, CHANNELS, FAN_IN, DELAYS = 10, 100, 30, 40
TRAIN, TEST, WASH = 2400, 1200, 100
#: Mean input weight times the square root of the fan-in; at 1 the input drowns the recurrence.
INPUT_GAIN = 0.3
ARMS = ("none", "hom", "het")


def network(seed):
    """300 neurons of one time constant, and input synapses onto excitatory and inhibitory ones."""
    neuron = {"tau_mem": 0.020, "tau_syn": 0.005, "v_threshold": 1.0, "bias": 0.5}
    spec = Spec.parse(
        {
            "network": {
                "size": 300,
                "connectivity": {"mean_degree": 30.0, "gain": 0.3},
                "neurons": {"excitatory": neuron, "inhibitory": neuron},
            }
        }
    )
    base = build_hrsnn(spec, seed=seed, n_inputs=0)
    rng = generator(seed, "inputs")
    projections = []
    for kind in ("exc", "inh"):
        size = base.population(kind).size
        chosen = np.argsort(rng.random((size, CHANNELS)), axis=1)[:, :FAN_IN]
        weights = np.zeros((size, CHANNELS))
        drawn = rng.gamma(2.0, 0.5, (size, FAN_IN)) * INPUT_GAIN / np.sqrt(FAN_IN)
        np.put_along_axis(weights, chosen, drawn, axis=1)
        name = f"inp_{kind}"
        projections.append(Projection(name, "inp", kind, sparse.csr_matrix(weights)))
    populations = (Channels("inp", CHANNELS, Input()), *base.populations)
    return type(base)(base.dt, populations, (*projections, *base.projections)).verify()


def stimulus(values, rng):
    """Poisson spikes of channels tuned to values in [-1.7, 1.7], at most 0.2 a step."""
    return Population(channels=CHANNELS).encode(values[:, None], STEPS, rng)


def states(net, inputs):
    """Spike traces with a time constant of one sample, at the ends of samples; spikes a step."""
    simulator = PlasticSimulator(net)
    at, who = simulator.run_events(inputs)
    n_samples, n = inputs.n_steps // STEPS, net.n_neurons
    worth = np.exp(-(STEPS - 1 - at % STEPS) / STEPS)
    counts = np.zeros((n_samples, n))
    np.add.at(counts, (at // STEPS, who), worth)
    for k in range(1, n_samples):
        counts[k] += np.exp(-1.0) * counts[k - 1]
    return counts, at.size / inputs.n_steps / n


def memory(net, values, inputs):
    """Memory capacity minus that of shuffled values, and spikes per neuron and step."""
    z, rate = states(net, inputs)
    past = past_values(values, DELAYS)
    shuffled = generator(0, "shuffle").permutation(past)
    rows, held_out = slice(WASH, WASH + TRAIN), slice(WASH + TRAIN, WASH + TRAIN + TEST)
    scores = []
    for target in (past, shuffled):
        guess = ridge(z[rows], target[rows], 1e-3)(z[held_out])
        scores.append(float(squared_correlations(guess, target[held_out]).sum()))
    return scores[0] - scores[1], rate


def balanced(net, seed):
    """Biases at which every neuron has its target rate, log-normal around 3 % a step."""
    rng = generator(seed, "homeostasis")
    inputs = stimulus(rng.uniform(-1.7, 1.7, 200), rng)
    target = inputs.n_steps * 0.03 * rng.lognormal(-0.125, 0.5, net.n_neurons)
    simulator = PlasticSimulator(net)

    def count(bias):
        simulator.bias = bias
        simulator.reset()
        return np.bincount(simulator.run_events(inputs)[1], minlength=net.n_neurons)

    found = homeostasis(count, simulator.bias, target, HomeostasisOptions(passes=30, gain=0.2))
    return net.with_biases(found.bias), found.achieved_error


def trial(seed, samples, a_plus):
    """One row per arm: memory, rate, mean weight gains."""
    net, error = balanced(network(seed), seed)
    rng = generator(seed, "values")
    values = rng.uniform(-1.7, 1.7, WASH + TRAIN + TEST)
    inputs = stimulus(values, rng)
    lesson = stimulus(rng.uniform(-1.7, 1.7, samples), rng)
    options = {
        "hom": STDPOptions.heterogeneous(1e9, a_plus),
        "het": STDPOptions.heterogeneous(3.0, a_plus),
    }
    rows = {}
    for arm in ARMS:
        trained, gain = net, {}
        if arm != "none":
            result = train_stdp(net, lesson, options[arm], generator(seed, "rules"))
            trained, gain = result.network, result.gain
        rows[arm] = (*memory(trained, values, inputs), gain)
    return rows, error


def main():
    """Print a line per seed and arm, then paired differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=600)
    parser.add_argument("--a-plus", type=float, default=0.002)
    options = parser.parse_args()
    found = []
    for seed in range(options.seeds):
        rows, error = trial(seed, options.samples, options.a_plus)
        for arm, (capacity, rate, gain) in rows.items():
            gains = " ".join(f"{k} x{v:.3f}" for k, v in gain.items())
            print(f"seed {seed} {arm:5s} MC {capacity:.3f} rate {rate:.4f} {gains}", flush=True)
        print(f"seed {seed} rate error of the homeostasis {error:.3f}")
        found.append([[rows[arm][k] for k in (0, 1)] for arm in ARMS])
    table = np.array(found)
    for arm, base in ((1, 0), (2, 1)):
        gain = table[:, arm, 0] - table[:, base, 0]
        ratio = table[:, arm, 1] / table[:, base, 1]
        each = np.sqrt(max(1, len(table) - 1))
        print(
            f"{ARMS[arm]} - {ARMS[base]}: MC {gain.mean():+.3f} +- {gain.std() / each:.3f}, "
            f"spikes x{ratio.mean():.3f} +- {ratio.std() / each:.3f}"
        )


if __name__ == "__main__":
    main()
