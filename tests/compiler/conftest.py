"""A small network of excitatory and inhibitory neurons with inputs, to be pruned."""

import numpy as np
import pytest
from scipy import sparse

from hrsnn_lava.network import LIF, Input, Network, Population, Projection


def balanced_network(n_exc: int, n_inh: int, density: float, seed: int) -> Network:
    rng = np.random.default_rng(seed)
    sizes = {"exc": n_exc, "inh": n_inh}

    def weights(post: int, pre: int, scale: float) -> sparse.csr_matrix:
        csr = sparse.random(post, pre, density, format="csr", random_state=rng)
        csr.data = scale * rng.gamma(2.0, 0.5, csr.nnz)
        return csr

    recurrent = [
        Projection(
            f"{pre}_{post}",
            pre,
            post,
            weights(sizes[post], sizes[pre], 0.1 if pre == "exc" else -0.4),
        )
        for pre in sizes
        for post in sizes
    ]
    populations = (
        Population("inp", 2, Input()),
        Population("exc", n_exc, LIF(0.003 + rng.gamma(3.0, 0.006, n_exc)), sign="excitatory"),
        Population("inh", n_inh, LIF(0.003 + rng.gamma(3.0, 0.003, n_inh)), sign="inhibitory"),
    )
    inputs = Projection("inp_exc", "inp", "exc", rng.normal(size=(n_exc, 2)), target="bias")
    spikes = Projection("inp_inh", "inp", "inh", rng.random((n_inh, 2)))
    return Network(1e-3, populations, (*recurrent, inputs, spikes)).verify()


@pytest.fixture(scope="session")
def balanced() -> Network:
    return balanced_network(80, 20, 0.2, 0)
