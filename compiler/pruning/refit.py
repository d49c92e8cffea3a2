r"""Refit the weights that pruning left, so that every neuron's current stays what it was.

The recurrent current of a neuron before pruning, :math:`\tilde w^T x` with x the spike traces of
all neurons, is regressed on the traces of the senders S that it still hears:

.. math:: w' = \arg\min_{w:\ \operatorname{supp} w \subseteq S,\ w_j s_j \ge 0}
          (w - \tilde w)^T C (w - \tilde w) + \lambda |w|^2,
          \qquad \lambda = \mathrm{ridge}\,\frac{\operatorname{tr} C}{N}

with C the covariance of the traces and s the signs that the weights had: Dale's principle is kept.
Only variations count; the mean current is the biases' affair. One small problem a neuron, by
non-negative least squares (block principal pivoting; Kim and Park 2011, after Portugal et al.
1994), which is the exact optimum: to fix at 0 what would change its sign, and never to look at it
again, is not. That pruned weights are refitted so is ours. Delays are left out, and the traces
have one time constant for all neurons.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.analysis.arrays import arrays_on
from hrsnn_lava.compiler.analysis.dynamics.recurrent import RecurrentEdges
from hrsnn_lava.errors import SpecError

Float = NDArray[np.float64]
Int = NDArray[np.int64]
#: Gradients above minus this share of the largest count as 0.
ROUNDING = 1e-12
#: Exchanges of all wrong variables at once that may fail to help before they go one by one.
PATIENCE = 3


def nonnegative_minimum(gram: Float, target: Float) -> Float:
    r"""The u >= 0 that minimises :math:`\tfrac12 u^T G u - b^T u`, (n,).

    Args:
        gram: G, (n, n), symmetric and positive definite.
        target: b, (n,).

    Raises:
        SpecError: G is not positive definite.
    """
    from scipy.linalg import lapack

    n = target.size
    found, free = np.zeros(n), target > 0.0
    fewest, patience = n + 1, PATIENCE
    slack = ROUNDING * float(np.abs(target).max(initial=0.0))
    for _ in range(50 + 10 * n):
        found[:] = 0.0
        if free.any():
            part = np.flatnonzero(free)
            _, solved, fault = lapack.dposv(gram[np.ix_(part, part)], target[part], lower=1)
            if fault:
                break
            found[part] = solved
        gradient = gram @ found - target
        wrong = np.where(free, found < 0.0, gradient < -slack)
        count = int(np.count_nonzero(wrong))
        if count == 0:
            return found
        if count < fewest:
            fewest, patience = count, PATIENCE
        elif patience:
            patience -= 1
        else:  # one at a time ends for sure (Murty 1974)
            wrong[: np.flatnonzero(wrong)[-1]] = False
        free = free ^ wrong
    raise SpecError(
        "the weights cannot be refitted: the covariance is not positive definite; allowed: one of "
        "a run; measure it over more steps, or raise rescale.ridge"
    )


def refit_weights(
    before: RecurrentEdges, after: RecurrentEdges, covariance: Float, ridge: float
) -> tuple[Float, dict[str, Any]]:
    """Weights of the synapses that are left, see the module, and what they keep.

    Weights of senders that were silent in the run stay as they are: nothing is known of them.
    A weight of 0 is what is left of a synapse that would have had to change its sign.

    Args:
        before: synapses of the unpruned network.
        after: those that are left, of the same neurons; their weights give the signs.
        covariance: C, (N, N), of the spike traces of the unpruned network.
        ridge: > 0, in units of the mean variance.

    Returns:
        (E',) in the order of `after`; and for the report the share of the variance of all
        currents that they keep, the same without a refit, the median over neurons, and how many
        became 0 or had a silent sender.

    Raises:
        SpecError: C is no covariance.
    """
    n = before.n_neurons
    varies = covariance.diagonal() > 0.0
    damping = ridge * float(np.trace(covariance)) / max(n, 1)
    old, new = _by_receiver(before), _by_receiver(after)
    weight, silent = after.weight.copy(), ~varies[after.pre]
    total, left, plain = np.zeros(n), np.zeros(n), np.zeros(n)
    with arrays_on("cpu").reproducible():
        for neuron in range(n):
            had = old[0][old[1][neuron] : old[1][neuron + 1]]
            has = new[0][new[1][neuron] : new[1][neuron + 1]]
            has = has[~silent[has]]
            sent = before.pre[had]
            whole = covariance[np.ix_(sent, sent)] @ before.weight[had]
            total[neuron] = before.weight[had] @ whole
            heard, sign = after.pre[has], np.sign(after.weight[has])
            gram = covariance[np.ix_(heard, heard)]
            target = covariance[np.ix_(heard, sent)] @ before.weight[had]
            signed = gram * np.outer(sign, sign)
            signed.flat[:: has.size + 1] += damping
            size = nonnegative_minimum(signed, sign * target) if has.size else np.zeros(0)
            for kept, loss in ((after.weight[has], plain), (sign * size, left)):
                loss[neuron] = total[neuron] - 2.0 * kept @ target + kept @ gram @ kept
            weight[has] = sign * size
    moved = total > 0.0
    share = 1.0 - left[moved] / total[moved]
    everything = float(total.sum())
    report = {
        "ridge": ridge,
        "variance_kept": 1.0 - float(left.sum()) / everything if everything else 1.0,
        "variance_kept_unscaled": 1.0 - float(plain.sum()) / everything if everything else 1.0,
        "variance_kept_median": float(np.median(share)) if share.size else 1.0,
        "synapses_zeroed": int(np.count_nonzero((weight == 0.0) & (after.weight != 0.0))),
        "synapses_of_silent": int(np.count_nonzero(silent)),
    }
    return weight, report


def _by_receiver(edges: RecurrentEdges) -> tuple[Int, Int]:
    """Edges in order of their receivers, and where those of each begin, (N + 1,)."""
    order = np.argsort(edges.post, kind="stable")
    counts = np.bincount(edges.post, minlength=edges.n_neurons)
    return order, np.append(0, np.cumsum(counts))
