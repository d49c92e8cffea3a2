"""Two populations by hand: build, quantize, place, simulate, verify, price.

uv run python examples/first_network.py
"""
# ruff: noqa: T201 - a script prints

import numpy as np
from scipy import sparse

import hrsnn_lava as hl


def build() -> hl.Network:
    """100 excitatory and 25 inhibitory neurons, each with its own time constant."""
    rng = np.random.default_rng(1)

    def weights(n_post: int, n_pre: int, mean: float) -> sparse.csr_matrix:
        pattern = rng.random((n_post, n_pre)) < 0.1
        return sparse.csr_matrix(pattern * rng.gamma(2.0, mean / 2, (n_post, n_pre)))

    exc = hl.Population(
        "exc",
        100,
        hl.LIF(tau_mem=rng.gamma(3.0, 0.010 / 3, 100).clip(0.003, 0.1), tau_syn=0.005, bias=0.9),
        sign="excitatory",
    )
    inh = hl.Population("inh", 25, hl.LIF(tau_mem=0.005, tau_syn=0.005), sign="inhibitory")
    spikes = hl.Population("inp", 20, hl.Input())
    return hl.Network(
        dt=1e-3,
        populations=(spikes, exc, inh),
        projections=(
            hl.Projection("inp_exc", "inp", "exc", weights(100, 20, 0.5)),
            hl.Projection("exc_inh", "exc", "inh", weights(25, 100, 0.3), delays=0.002),
            hl.Projection("inh_exc", "inh", "exc", -weights(100, 25, 0.6)),
        ),
        name="by-hand",
    )


def main() -> None:
    """Print what the report says first."""
    compiled = hl.compile(build(), "loihi1")
    rng = np.random.default_rng(2)
    steps, channels = np.nonzero(rng.random((500, 20)) < 0.05)
    inputs = hl.SpikeInput(steps, channels, n_steps=500, n_neurons=20)
    trace = hl.simulate(compiled, inputs, steps=500)
    print(hl.verify(compiled, inputs, steps=500).line())
    report = hl.report(compiled, trace, cost_set="sanafe_loihi").to_dict()
    print(report["summary"])
    print(f"{report['sop']['total']:,} synaptic operations, {trace.n_spikes:,} spikes")
    print(f"{1e9 * report['energy']['dynamic_j']:.0f} nJ dynamic")


if __name__ == "__main__":
    main()
