"""A small network whose cost is watched; `python network.py report.json` writes its report."""

import sys

import numpy as np
from scipy import sparse

import hrsnn_lava as hl

DENSITY = 0.10  # share of the pairs of neurons that a synapse joins
STEPS = 500


def build() -> hl.Network:
    """80 excitatory and 20 inhibitory neurons, driven by 20 channels."""
    rng = np.random.default_rng(1)

    def weights(n_post: int, n_pre: int, mean: float, density: float) -> sparse.csr_matrix:
        joined = rng.random((n_post, n_pre)) < density
        return sparse.csr_matrix(joined * rng.uniform(0.5, 1.5, (n_post, n_pre)) * mean)

    exc = hl.Population("exc", 80, hl.LIF(tau_mem=0.010, bias=0.9), sign="excitatory")
    inh = hl.Population("inh", 20, hl.LIF(tau_mem=0.005), sign="inhibitory")
    return hl.Network(
        dt=1e-3,
        populations=(hl.Population("inp", 20, hl.Input()), exc, inh),
        projections=(
            hl.Projection("inp_exc", "inp", "exc", weights(80, 20, 0.5, 0.10)),
            hl.Projection("exc_exc", "exc", "exc", weights(80, 80, 0.02, DENSITY)),
            hl.Projection("exc_inh", "exc", "inh", weights(20, 80, 0.3, 0.10)),
            hl.Projection("inh_exc", "inh", "exc", -weights(80, 20, 0.6, 0.10)),
        ),
        name="watched",
    )


def run() -> tuple[hl.CompiledNetwork, hl.Trace]:
    """Compile for Loihi, and run on spikes that are the same every time."""
    compiled = hl.compile(build(), "loihi1")
    steps, channels = np.nonzero(np.random.default_rng(2).random((STEPS, 20)) < 0.05)
    inputs = hl.SpikeInput(steps, channels, n_steps=STEPS, n_neurons=20)
    return compiled, hl.simulate(compiled, inputs, steps=STEPS)


if __name__ == "__main__":
    hl.report(*run(), cost_set="sanafe_loihi").write(sys.argv[1])
