"""Baseline: greedy streaming in neuron order, in the manner of EdgeMap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.partitioning.multilevel import compact, streamed
from hrsnn_lava.compiler.partitioning.problem import PartitionProblem


def streaming(problem: PartitionProblem, n_cores: int) -> NDArray[np.int64]:
    """Core of every neuron, (n_neurons,), on at most `n_cores` cores; see `streamed`."""
    return compact(streamed(problem, n_cores))
