"""Make up for the synapses that pruning took: gains of those that stay."""

from __future__ import annotations

import warnings
from dataclasses import fields
from typing import Annotated, Any, ClassVar, Literal, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from hrsnn_lava.compiler.analysis.dynamics.recurrent import RecurrentEdges
from hrsnn_lava.compiler.analysis.dynamics.trace_covariance import checked_covariance
from hrsnn_lava.compiler.pruning.refit import refit_weights
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.options import Positive, Share, options

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]
RescaleMode = Literal["none", "inverse", "match", "refit"]
MATCH_CAP = 50.0
INVERSE_CAP = 10.0
#: The modes that read each of the other options.
_READ_BY = {"gamma": ("inverse",), "cap": ("inverse", "match"), "ridge": ("refit",)}


@options
class Rescale:
    """How surviving weights are scaled.

    Attributes:
        mode: ``none``; ``inverse``: gain ``1 + gamma (1/p - 1)``, unbiased at gamma = 1 (eq. 16),
            but heavy-tailed; ``match``: every neuron keeps the summed excitatory and the summed
            inhibitory recurrent weight that it had (ours; the default for sampled scores, since
            it kept the tasks that need the recurrence best); ``refit``: every neuron's current
            is regressed on what is left of its inputs, by the covariance of a run, signs kept;
            synapses that would have to change their sign are pruned, too (ours).
        gamma: 0 (no gain) to 1, for ``inverse``.
        cap: largest gain, of ``inverse`` and ``match``; not set: 10 and 50 (our choice).
        ridge: of ``refit``, in units of the mean variance of the neurons' spike traces.
    """

    younger: ClassVar[tuple[str, ...]] = ("ridge",)

    mode: RescaleMode = "none"
    gamma: Share = 1.0
    cap: Annotated[float, Field(ge=1)] | None = None
    ridge: Positive = 1e-3

    def __post_init__(self) -> None:
        """A `SpecError` for a value that the mode does not read: to ignore it deceives."""
        for name, modes in _READ_BY.items():
            default = next(f.default for f in fields(self) if f.name == name)
            if self.mode not in modes and getattr(self, name) != default:
                raise ValueError(f"{name}: of {' and '.join(modes)}, not of {self.mode}")

    @property
    def needs_covariance(self) -> bool:
        """Whether it goes by the covariance of an observed run."""
        return self.mode == "refit"

    @classmethod
    def current_spelling(
        cls, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """`mode` was ``1/p`` where it is ``inverse`` now."""
        kwargs = kwargs | dict(zip(("mode", "gamma", "cap"), args, strict=False))
        if kwargs.get("mode") == "1/p":
            warnings.warn("rescale: 1/p is called inverse now", FutureWarning, stacklevel=4)
            kwargs["mode"] = "inverse"
        return (), kwargs

    def check(self, *, sampled: bool) -> None:
        """Raise `SpecError` for a mode that the method cannot have; `sampled`: edges have
        probabilities."""
        if self.mode == "inverse" and not sampled:
            fix = "use none or match, or a method that samples"
            allowed = "none, match or refit"
            problem = Problem("rescale.mode", "inverse, without probabilities", allowed, fix)
            raise SpecError("the weights cannot be rescaled so", problems=[problem])


def _as_rescale(value: Any) -> Any:
    """A mode alone stands for the options that have it."""
    if not isinstance(value, str):
        return value
    try:
        return Rescale(mode=cast(RescaleMode, value))
    except SpecError as error:
        raise ValueError("; ".join(problem.allowed for problem in error.problems)) from None


#: A field for `Rescale`, which also takes the mode alone: ``rescale = "match"``.
RescaleOption = Annotated[Rescale, BeforeValidator(_as_rescale)]


def inverse_gains(probabilities: Float, gamma: float = 1.0, cap: float = INVERSE_CAP) -> Float:
    """``min(cap, 1 + gamma (1/p - 1))`` for the probabilities p > 0 of kept edges."""
    gains: Float = np.minimum(cap, 1.0 + gamma * (1.0 / probabilities - 1.0))
    return gains


def match_gains(
    edges: RecurrentEdges, keep: Bool, cap: float = MATCH_CAP
) -> tuple[Float, dict[str, Any]]:
    r"""Gains that keep every neuron's summed input of each sign.

    .. math:: g_{i\pm} = \min(cap, \sum_{j \in E_{i\pm}} |w_{ij}| / \sum_{j \in S_{i\pm}} |w_{ij}|)

    E are the synapses of one sign onto the neuron, over all recurrent projections, S those of
    them that survive. Under Dale's principle the sign
    of the weight is that of the presynaptic population.

    Returns:
        (E,) gains, 1 at dropped edges; and how many groups (neuron and sign) were capped or lost
        every synapse, and the share of the summed weight that is kept.
    """
    kept, report = matching_gains(edges, edges.select(keep), cap)
    gain = np.ones(edges.n_edges)
    gain[keep] = kept
    return gain, report


def matching_gains(
    before: RecurrentEdges, after: RecurrentEdges, cap: float = MATCH_CAP
) -> tuple[Float, dict[str, Any]]:
    """`match_gains` of any other synapses of the same neurons, (E',) in the order of `after`.

    Groups that the network did not have keep their weights.
    """
    n_groups = 2 * before.n_neurons
    total, surviving = (
        np.bincount(_group(edges), weights=np.abs(edges.weight), minlength=n_groups)
        for edges in (before, after)
    )
    gain = np.ones(n_groups)
    np.divide(total, surviving, out=gain, where=(surviving > 0) & (total > 0))
    capped = gain > cap
    gain = np.minimum(gain, cap)
    everything, kept = float(total.sum()), np.where(total > 0, gain * surviving, 0.0)
    report = {
        "groups": int(np.count_nonzero(total)),
        "groups_capped": int(np.count_nonzero(capped)),
        "groups_emptied": int(np.count_nonzero((total > 0) & (surviving == 0))),
        "weight_kept": float(kept.sum()) / everything if everything else 1.0,
    }
    return gain[_group(after)], report


def _group(edges: RecurrentEdges) -> NDArray[np.int64]:
    """Receiver and sign of every synapse, as one number."""
    group: NDArray[np.int64] = 2 * edges.post + (edges.weight > 0)
    return group


def rescale_gains(
    edges: RecurrentEdges,
    keep: Bool,
    options: Rescale,
    probabilities: Float | None = None,
    covariance: Float | None = None,
) -> tuple[Float, dict[str, Any]]:
    """Gains (E,) by `options`, 1 at dropped edges, and a report of them.

    A gain of 0, which ``refit`` alone gives, is that of a synapse which is to go as well.

    Args:
        edges: the synapses before pruning.
        keep: (E,) those that stay.
        probabilities: (E,) with which each was kept, over all rounds; needed for ``inverse``.
        covariance: (N, N) of the spike traces of a run; needed for ``refit``.

    Raises:
        SpecError: options out of range, ``inverse`` without probabilities, or ``refit`` without
            a covariance.
    """
    options.check(sampled=probabilities is not None)
    gain = np.ones(edges.n_edges)
    if options.mode == "inverse" and probabilities is not None:
        cap = INVERSE_CAP if options.cap is None else options.cap
        gain[keep] = inverse_gains(probabilities[keep], options.gamma, cap)
        at_cap = int(np.count_nonzero(gain[keep] >= cap))
        report = {"mode": "inverse", "cap": cap, "gamma": options.gamma, "synapses_capped": at_cap}
        return gain, report | _sizes(gain[keep])
    gain[keep], report = replaced_gains(edges, edges.select(keep), options, covariance)
    return gain, report


def replaced_gains(
    before: RecurrentEdges,
    after: RecurrentEdges,
    options: Rescale,
    covariance: Float | None = None,
) -> tuple[Float, dict[str, Any]]:
    """Gains (E',) of synapses that stand for those before, whether these were the same or not.

    Args:
        before: of the unpruned network.
        after: of the same neurons.
        options: any mode but ``inverse``.
        covariance: (N, N) of the spike traces of a run; needed for ``refit``.

    Raises:
        SpecError: as for `rescale_gains`.
    """
    options.check(sampled=False)
    report: dict[str, Any] = {"mode": options.mode}
    gain = np.ones(after.n_edges)
    if options.mode == "match":
        cap = MATCH_CAP if options.cap is None else options.cap
        gain, details = matching_gains(before, after, cap)
        report |= {"cap": cap, **details}
    elif options.mode == "refit":
        c = checked_covariance(before.n_neurons, covariance)
        weight, details = refit_weights(before, after, c, options.ridge)
        np.divide(weight, after.weight, out=gain, where=after.weight != 0.0)
        report |= details
    return gain, report | _sizes(gain)


def _sizes(gain: Float) -> dict[str, float]:
    """Mean and largest of the gains of what is kept."""
    return {
        "gain_mean": float(gain.mean()) if gain.size else 1.0,
        "gain_max": float(gain.max()) if gain.size else 1.0,
    }
