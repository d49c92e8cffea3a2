"""What is minimised: the error of a linear readout that learns along, and the cost of spikes.

The readout sees what that of the task sees, each feature by its mean and deviation before the
training. It is thrown away in the end: networks are scored with the readout that the task fits to
all of them alike. Of samples with classes::

    loss = cross-entropy + rate_weight mean_i (r_i / rate - 1)^2 + sop_weight sum_i r_i f_i / sum f

r_i are spikes per step of a neuron, f_i its recurrent synapses; the last sum is the share of the
recurrent synapses that carry a spike in a step. Of a series the first term is the mean squared
error in units of the variance of the values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.csr import fan_out
from hrsnn_lava.network import Network
from hrsnn_lava.seeding import generator
from hrsnn_lava.training.surrogate_lesson import Batch, Supervised
from hrsnn_lava.training.surrogate_network import Learnable

__all__ = ["Head", "Losses", "losses_of", "recurrent_fan_out"]

Floats = NDArray[np.float64]
Tensor = Any
#: Least deviation of a feature, in the mean deviation of its kind.
_LEAST = 0.1
#: Standard deviation of answers before training.
_FIRST = 0.1


@dataclass(frozen=True, eq=False)
class Losses:
    """Of a batch.

    total: what is minimised
    error: of the answers alone
    right: share of the samples whose class is told; None of a series
    rate:  spikes per neuron and step
    sops:  recurrent synaptic operations a step
    """

    total: Tensor
    error: Tensor
    right: Tensor | None
    rate: Tensor
    sops: Tensor


@dataclass(eq=False)
class Head:
    """The readout that learns along.

    Attributes:
        learnable: the network.
        lesson: what it is to answer.
        seed: of its weights before training: small ones, so that errors reach the network at once.
        theta: weights (kinds * n_neurons, n_answers) and offset.
        fixed: mean and deviation of every feature, and, of a series, of every value.
        traces: (kinds, batch, n_neurons) of a series, where the last batch left them.
    """

    learnable: Learnable
    lesson: Supervised
    seed: int = 0
    theta: dict[str, Tensor] = field(init=False, default_factory=dict)
    fixed: dict[str, Tensor] = field(init=False, default_factory=dict)
    traces: Tensor = None

    def __post_init__(self) -> None:
        lesson, it = self.lesson, self.learnable
        size = lesson.kinds * it.network.n_neurons
        rng = generator(self.seed, "train_surrogate/readout")
        weights = _FIRST * rng.standard_normal((size, lesson.n_answers))
        self.theta["weights"] = it.tensor(weights).requires_grad_()
        self.theta["offset"] = it.tensor(np.zeros(lesson.n_answers)).requires_grad_()
        if lesson.values is not None:
            known = lesson.values[np.isfinite(lesson.values).all(axis=1)]
            spread = known.std(axis=0)
            self.fixed["value_mean"] = it.tensor(known.mean(axis=0))
            self.fixed["value_scale"] = it.tensor(np.where(spread > 0, spread, 1.0))

    def scale_by(self, features: Tensor) -> None:
        """Take mean and deviation from features, (n, kinds * n_neurons), of the network at first.

        Neurons that were silent then count by the mean deviation of their kind.
        """
        torch, kinds = self.learnable.torch, self.lesson.kinds
        by_kind = features.detach().reshape(len(features), kinds, -1)
        spread = by_kind.std(dim=0, unbiased=False)
        typical = spread.mean(dim=1, keepdim=True)
        typical = torch.where(typical > 0, typical, torch.ones_like(typical))
        spread = torch.maximum(spread, _LEAST * typical)
        self.fixed["mean"] = by_kind.mean(dim=0).reshape(-1)
        self.fixed["scale"] = spread.reshape(-1)

    def answers(self, features: Tensor) -> Tensor:
        """(..., n_answers)."""
        scaled = (features - self.fixed["mean"]) / self.fixed["scale"]
        # of so many features, the sum starts at the size of one
        size = features.shape[-1] ** 0.5
        return scaled @ self.theta["weights"] / size + self.theta["offset"]

    def rows(self, features: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """What a fit sees of (blocks, batch, kinds * n_neurons) features of a series.

        Returns:
            Features (n, kinds * n_neurons) by mean and deviation, as in `answers`, and values (n,
            n_answers) in their deviations, of the blocks whose values are known.
        """
        assert batch.values is not None
        torch = self.learnable.torch
        known = torch.as_tensor(np.isfinite(batch.values).all(axis=2), device=features.device)
        values = self.learnable.tensor(np.nan_to_num(batch.values))
        values = (values - self.fixed["value_mean"]) / self.fixed["value_scale"]
        scaled = (features - self.fixed["mean"]) / self.fixed["scale"]
        return scaled[known] / features.shape[-1] ** 0.5, values[known]

    def fit(self, rows: list[tuple[Tensor, Tensor]], alpha: float) -> None:
        """Take the ridge solution of `rows`, with alpha times the features' mean power."""
        torch = self.learnable.torch
        x, y = (torch.cat(part) for part in zip(*rows, strict=True))
        mean, offset = x.mean(dim=0), y.mean(dim=0)
        x = x - mean
        gram = x.T @ x
        gram.diagonal().add_(alpha * gram.trace().clamp(min=1e-12) / len(gram))
        weights = torch.linalg.solve(gram, x.T @ (y - offset))
        with torch.no_grad():
            self.theta["weights"].copy_(weights)
            self.theta["offset"].copy_(offset - mean @ weights)

    def features(self, spikes: Tensor, batch: Batch) -> Tensor:
        """What the readout sees of (steps, batch, n_neurons) spikes.

        Of samples (batch, kinds * n_neurons) at their ends; of a series (blocks, batch, kinds *
        n_neurons) after every block.
        """
        if self.lesson.classes is not None:
            return self._of_samples(spikes, batch)
        return self._of_series(spikes, batch)

    def _of_samples(self, spikes: Tensor, batch: Batch) -> Tensor:
        steps, lengths = np.arange(len(spikes))[:, None], batch.lengths[None, :]
        inside = steps < lengths
        worth = [inside / lengths] if self.lesson.rates else []
        for tau in self.lesson.trace_steps:
            worth.append(np.where(inside, np.exp(np.minimum(steps - (lengths - 1), 0) / tau), 0.0))
        kernel = self.learnable.tensor(np.stack(worth))
        features = self.learnable.torch.einsum("ktb,tbn->bkn", kernel, spikes)
        return features.reshape(len(batch.lengths), -1)

    def _of_series(self, spikes: Tensor, batch: Batch) -> Tensor:
        it, block = self.learnable, self.lesson.stimulus.block
        taus = np.asarray(self.lesson.trace_steps)[:, None]
        worth = it.tensor(np.exp(-np.arange(block - 1, -1, -1)[None, :] / taus))
        carry = it.tensor(np.exp(-block / taus))[:, :, None]
        by_block = spikes.reshape(-1, block, *spikes.shape[1:])
        added = it.torch.einsum("ks,wsbn->wkbn", worth, by_block)
        traces = it.torch.zeros_like(added[0]) if batch.fresh else self.traces
        rows = []
        for block_added in added:
            traces = carry * traces + block_added
            rows.append(traces)
        self.traces = traces.detach()
        stacked = it.torch.stack(rows).permute(0, 2, 1, 3)
        return stacked.reshape(len(rows), stacked.shape[1], -1)


def losses_of(head: Head, spikes: Tensor, batch: Batch, synapses: Tensor) -> Losses:
    """The terms of the module's table.

    Args:
        head: the readout.
        spikes: (steps, batch, n_neurons).
        batch: that was shown.
        synapses: (n_neurons,) recurrent ones of each neuron.
    """
    it, o = head.learnable, head.learnable.options
    features = head.features(spikes, batch)
    if "mean" not in head.fixed:
        head.scale_by(features.reshape(-1, features.shape[-1]))
    answers, right = head.answers(features), None
    if batch.classes is not None:
        truth = it.torch.as_tensor(batch.classes, device=answers.device)
        error = it.torch.nn.functional.cross_entropy(answers, truth)
        right = (answers.argmax(dim=1) == truth).double().mean()
    else:
        error = _squared_error(head, answers, batch)
    inside = np.arange(len(spikes))[:, None] < batch.lengths[None, :]
    worth = it.tensor(inside / inside.sum())
    rates = it.torch.einsum("tb,tbn->n", worth, spikes)
    sops = rates @ synapses
    total = error
    if o.rate_weight:
        total = total + o.rate_weight * ((rates / o.rate - 1.0) ** 2).mean()
    if o.sop_weight:
        total = total + o.sop_weight * sops / synapses.sum().clamp(min=1.0)
    return Losses(total, error, right, rates.mean(), sops)


def _squared_error(head: Head, answers: Tensor, batch: Batch) -> Tensor:
    """Over rows of which a value is known, in variances; 0 where there is none."""
    assert batch.values is not None
    known = np.isfinite(batch.values).all(axis=2)
    values = head.learnable.tensor(np.nan_to_num(batch.values))
    values = (values - head.fixed["value_mean"]) / head.fixed["value_scale"]
    worth = head.learnable.tensor(known / max(known.sum(), 1))
    return (((answers - values) ** 2).mean(dim=2) * worth).sum()


def recurrent_fan_out(network: Network) -> Floats:
    """Recurrent synapses that a spike of each neuron reaches, (n_neurons,)."""
    pieces = [
        (p.weights, network.offset(p.pre))
        for p in network.projections
        if p.target == "synapse" and not network.population(p.pre).is_input
    ]
    return fan_out(pieces, network.n_neurons).astype(np.float64)
