"""What the dynamics section of a run's report needs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.network import Network
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.report.sections.dynamics import dynamics
from hrsnn_lava.seeding import generator

Float = NDArray[np.float64]


def of_run(
    full: Network, pruned: Network, program: QuantizedNetwork, samples: Float, seed: int
) -> dict[str, Any]:
    """`dynamics` of the networks before and after pruning, as `samples` drive them, and of the
    program on the chip.

    It takes about a second for 1000 neurons, and no thread: not every LAPACK may be called twice
    at a time, and equal runs have to give equal reports.
    """
    noise = {"before": drive_noise(full, samples), "after": drive_noise(pruned, samples)}
    return dynamics(full, pruned, program, rng=generator(seed, "dynamics"), drive_noise=noise)


def drive_noise(network: Network, samples: Float) -> float:
    """Root mean square, over neurons, of the standard deviation of the held drive ``W x``.

    Args:
        samples: (n_samples, n_channels) of all input populations, in their order.
    """
    drive = np.zeros((samples.shape[0], network.n_neurons))
    for projection in network.projections:
        if projection.target != "bias":
            continue
        pre, post = network.offset(projection.pre), network.offset(projection.post)
        n_post, n_pre = projection.weights.shape
        channels = samples[:, pre : pre + n_pre]
        drive[:, post : post + n_post] += channels @ projection.weights.T.toarray()
    return float(np.sqrt(np.mean(drive.var(axis=0)))) if network.n_neurons else 0.0
