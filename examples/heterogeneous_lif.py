"""`HeterogeneousLIF` in a Lava program of your own: no compiler, no spec. Python 3.10 only.

uv run --python 3.10 python examples/heterogeneous_lif.py
"""
# ruff: noqa: T201 - a script prints

from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.monitor.process import Monitor

from hrsnn_lava.processes.lif import HeterogeneousLIF


def main() -> None:
    """Three neurons with one bias: fast leak, slow leak, refractory."""
    neurons = HeterogeneousLIF(
        shape=(3,),
        du=4095,
        dv=[410, 41, 41],
        vth=5,
        bias_mant=100,
        refractory=[0, 0, 4],
    )
    monitor = Monitor()
    monitor.probe(neurons.s_out, 30)
    neurons.run(condition=RunSteps(num_steps=30), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
    (spikes,) = next(iter(monitor.get_data().values())).values()
    neurons.stop()
    for k, name in enumerate(("fast leak", "slow leak", "refractory")):
        steps = [int(t) + 1 for t in range(len(spikes)) if spikes[t, k]]
        print(f"{name:<10} spikes in time steps {steps}")


if __name__ == "__main__":  # Lava forks: a guard is needed
    main()
