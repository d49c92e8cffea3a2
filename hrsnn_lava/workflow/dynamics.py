"""What the dynamics section of a run's report needs, computed beside the other stages."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.network import Network
from hrsnn_lava.quantized import QuantizedNetwork
from hrsnn_lava.report.dynamics import dynamics
from hrsnn_lava.seeding import generator

Float = NDArray[np.float64]


@contextmanager
def in_background() -> Iterator[ThreadPoolExecutor]:
    """A thread for work that nothing waits for until the report."""
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="dynamics")
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def start(
    pool: ThreadPoolExecutor, full: Network, pruned: Network, samples: Float, seed: int
) -> Future[dict[str, Any]]:
    """Begin `dynamics` of the networks before and after pruning, as `samples` drive them."""

    def compute() -> dict[str, Any]:
        noise = {"before": drive_noise(full, samples), "after": drive_noise(pruned, samples)}
        rng = generator(seed, "dynamics")
        return dynamics(full, pruned, rng=rng, drive_noise=noise)

    return pool.submit(compute)


def finish(started: Future[dict[str, Any]], program: QuantizedNetwork) -> dict[str, Any]:
    """What was begun, with the program on the chip beside it."""
    return started.result() | dynamics(on_chip=program)


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
