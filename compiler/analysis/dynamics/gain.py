r"""How strongly neurons drive each other, in a unit that floats and integers share.

A weight is taken relative to the constant current that just fires its target, so that scales of a
quantization, thresholds moved into weights and palettes all drop out::

    r_ij = w_ij / v_threshold_i                      of a float network
    r_ij = W_ij 2^weight_exp 4096 / (vth_i dv_i)     of an integer one

The gain matrix (our choice) is the number of spikes that one spike of j adds to a neuron i that
does not leak while it integrates,

.. math:: M_{ij} = r_{ij} \frac{1 - \beta_i}{1 - \alpha_i}, \qquad
    \alpha = e^{-dt/\tau_{syn}}, \quad \beta = e^{-dt/\tau_{mem}}

(``r_ij dv_i / (du_i + 1)`` in integers): the charge of one postsynaptic current over the charge
that a spike takes. Activity that has to keep itself up dies out where its spectral radius is below
1; a leak loses charge, so above 1 it may.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from hrsnn_lava.compiler.analysis.dynamics.neuron_exponents import decay
from hrsnn_lava.csr import rows_of
from hrsnn_lava.integer_format import firing_current
from hrsnn_lava.network import Network, Projection
from hrsnn_lava.quantized import QuantizedNetwork, QuantizedProjection

Float = NDArray[np.float64]
Complex = NDArray[np.complex128]
AnyNetwork = Network | QuantizedNetwork


def relative_weights(
    network: AnyNetwork, projection: Projection | QuantizedProjection
) -> sparse.csr_matrix:
    """``r`` of a projection, CSR (n_post, n_pre), dimensionless; entries of weight 0 are left out.

    A target without a threshold above 0 takes none: its row is empty.
    """
    target = network.population(projection.post)
    if isinstance(projection, QuantizedProjection):
        weights = projection.effective_weights().astype(np.float64)
        payload = getattr(network.population(projection.pre), "payload_scale", None) or 1.0
        unit = 2.0**projection.weight_exp * payload
        fires = firing_current(target.parameter("vth"), target.parameter("dv"))
    else:
        weights, unit = projection.weights.astype(np.float64), 1.0
        fires = np.asarray(target.parameter("v_threshold"), dtype=np.float64)
    scale = np.zeros(fires.shape)
    np.divide(unit, fires, out=scale, where=fires > 0)
    relative = weights.copy()
    relative.data = weights.data * scale[rows_of(weights)]
    relative.eliminate_zeros()
    return relative


def gain_matrix(network: AnyNetwork) -> sparse.csr_matrix:
    """``M`` over the global neuron index, CSR (N, N), dimensionless; inputs are left out."""
    n = network.n_neurons
    whole = sparse.csr_matrix((n, n), dtype=np.float64)
    for projection in network.projections:
        if projection.target != "synapse" or network.population(projection.pre).is_input:
            continue
        part = relative_weights(network, projection)
        part.data = part.data * _charge(network, projection.post)[rows_of(part)]
        entries = part.tocoo()
        post, pre = network.offset(projection.post), network.offset(projection.pre)
        where = (entries.row + post, entries.col + pre)
        whole = whole + sparse.csr_matrix((entries.data, where), shape=(n, n))
    return whole


def _charge(network: AnyNetwork, name: str) -> Float:
    """``(1 - beta) / (1 - alpha)`` of a population, (size,)."""
    population = network.population(name)
    if isinstance(network, QuantizedNetwork):
        steps = population.parameter("du").astype(np.float64) + 1.0
        ratio: Float = population.parameter("dv") / np.maximum(steps, 1.0)
        return ratio
    beta = decay(network.dt, np.asarray(population.parameter("tau_mem"), dtype=np.float64))
    alpha = decay(network.dt, np.asarray(population.parameter("tau_syn"), dtype=np.float64))
    gain = np.where(beta < 1.0, 1.0 - beta, 1.0)  # without a leak, see `membrane_gain`
    share: Float = gain / (1.0 - alpha)
    return share


def eigenvalues(matrix: sparse.csr_matrix, limit: int) -> Complex | None:
    """All eigenvalues of a square matrix, the largest first; None when that takes too long.

    They are those of its strongly connected parts, which are small in a pruned network: a neuron
    on no cycle contributes its own diagonal entry alone.

    Args:
        matrix: CSR (N, N).
        limit: rows of the largest part that is decomposed; 2000 take 2 to 4 s.
    """
    n = matrix.shape[0]
    if n == 0:
        return np.zeros(0, dtype=np.complex128)
    count, part = connected_components(matrix, directed=True, connection="strong")
    sizes = np.bincount(part, minlength=count)
    if sizes.max() > limit:
        return None
    alone = sizes[part] == 1
    spectra = [matrix.diagonal()[alone].astype(np.complex128)]
    for k in np.flatnonzero(sizes > 1):
        members = np.flatnonzero(part == k)
        spectra.append(np.linalg.eigvals(matrix[members][:, members].toarray()).astype(complex))
    values: Complex = np.concatenate(spectra)
    order = np.lexsort((values.imag, values.real, -np.round(np.abs(values), 12)))
    ordered: Complex = values[order]
    return ordered
