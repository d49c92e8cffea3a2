"""How heterogeneous a network is: the log-determinant of the covariance of its log-parameters.

The papers measure heterogeneity by ``H = det(Sigma)`` of the parameters' covariance. Of parameters
as they are, it mixes units and underflows; of their logarithms, a change of unit changes nothing,
and a spread of 10 % is the same for slow and for fast neurons. So

    ln H = ln det Cov(ln p_1, ..., ln p_k)

over neurons, or over synapses. The Gaussian of that covariance has the largest entropy that there
can be,

    h <= k/2 ln(2 pi e) + 1/2 ln det Sigma    (nats)

A parameter that is the same everywhere makes the determinant 0. That is no number to compare by: it
says nothing of the others. It is None then, with the reason, beside the pseudo-determinant: the
product of the eigenvalues that are not 0, and how many there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.fields import instance, locked
from hrsnn_lava.metrics.base import Floats, Metric, finite_values
from hrsnn_lava.network import LIF_FIELDS, Network
from hrsnn_lava.options import options

__all__ = ["LogCovariance", "heterogeneity", "neuron_parameters"]

#: Eigenvalues of a correlation matrix below it are 0: what rounding leaves of parameters that are
#: products of powers of each other.
_RANK_TOLERANCE = 1e-10
#: A spread of logarithms within it, relative to their size, is rounding.
_EQUAL = 1e-12


@dataclass(frozen=True, eq=False)
class LogCovariance:
    """Covariance of the logarithms of parameters, and what it says of their heterogeneity.

    Attributes:
        names: (k,) of the parameters.
        covariance: (k, k) of their natural logarithms, of n - 1 degrees of freedom.
        samples: n neurons or synapses.
        rank: directions in which they differ.
        log_pseudo_determinant: sum of the logarithms of the eigenvalues that are not 0; None where
            the rank is 0.
        homogeneous: names of the parameters that are the same everywhere.
    """

    names: tuple[str, ...]
    covariance: Floats
    samples: int
    rank: int
    log_pseudo_determinant: float | None
    homogeneous: tuple[str, ...]

    @property
    def value(self) -> float | None:
        """``ln det Sigma``; None where the rank is below the number of parameters."""
        return self.log_pseudo_determinant if self.rank == len(self.names) else None

    @property
    def entropy_bound(self) -> float | None:
        """Largest entropy of the log-parameters, ``k/2 ln(2 pi e) + 1/2 ln det Sigma``, in nats.

        None where `value` is: the parameters lie on fewer dimensions, and have no density.
        """
        if self.value is None:
            return None
        return 0.5 * (len(self.names) * float(np.log(2.0 * np.pi * np.e)) + self.value)

    @property
    def standard_deviations(self) -> tuple[float, ...]:
        """Of the logarithm of each parameter, (k,); 0.1 is a spread of about 10 %."""
        return tuple(np.sqrt(np.diag(self.covariance)).tolist())

    @property
    def reason(self) -> str:
        """Why there is no determinant; empty where there is one."""
        if self.value is not None:
            return ""
        if self.homogeneous:
            return f"the same everywhere: {', '.join(self.homogeneous)}"
        if self.samples <= len(self.names):
            return f"{self.samples} samples of {len(self.names)} parameters"
        return "parameters that follow from each other"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON holds them."""
        return {
            "parameters": list(self.names),
            "samples": self.samples,
            "log_determinant": self.value,
            "entropy_bound_nats": self.entropy_bound,
            "rank": self.rank,
            "log_pseudo_determinant": self.log_pseudo_determinant,
            "homogeneous": list(self.homogeneous),
            "standard_deviations": list(self.standard_deviations),
            "reason": self.reason,
        }

    def __str__(self) -> str:
        """One line."""
        names = ", ".join(self.names)
        if self.value is not None:
            return f"ln det Sigma = {self.value:.4g} ({names}; {self.samples:,} samples)"
        text = f"no determinant ({self.reason}); rank {self.rank} of {len(self.names)}"
        pseudo = self.log_pseudo_determinant
        return text if pseudo is None else f"{text}, ln pdet Sigma = {pseudo:.4g}"


def heterogeneity(
    parameters: Mapping[str, ArrayLike] | ArrayLike, names: Sequence[str] = ()
) -> LogCovariance:
    """Log-determinant of the covariance of log-parameters; see the module.

    Args:
        parameters: positive values by name, (n,) each, where a single number is the same for all;
            or (n, k), a column for each parameter. Of neurons, `neuron_parameters` gives them.
        names: of the columns, where there are no names yet.

    Raises:
        SpecError: values that are not positive, lengths that differ, fewer than two samples.
    """
    columns = _columns(parameters, names)
    values = np.stack(list(columns.values()), axis=1)
    problems = [
        Problem(name, f"smallest value {column.min():g}", "> 0, since logarithms are taken")
        for name, column in columns.items()
        if column.min() <= 0
    ]
    if len(values) < 2:
        problems.append(Problem("parameters", f"{len(values)} samples", ">= 2"))
    raise_if(SpecError, "heterogeneity", problems)
    logs = np.log(values)
    equal = np.ptp(logs, axis=0) <= _EQUAL * np.maximum(1.0, np.abs(logs).max(axis=0))
    centred = np.where(equal, 0.0, logs - logs.mean(axis=0))
    covariance = centred.T @ centred / (len(values) - 1)
    rank, log_pseudo = _log_pseudo_determinant(covariance[np.ix_(~equal, ~equal)])
    return LogCovariance(
        names=tuple(columns),
        covariance=locked(covariance),
        samples=len(values),
        rank=rank,
        log_pseudo_determinant=log_pseudo,
        homogeneous=tuple(name for name, same in zip(columns, equal, strict=True) if same),
    )


def neuron_parameters(
    network: Network, fields: Sequence[str] = ("tau_mem", "v_threshold")
) -> dict[str, Floats]:
    """Parameters of all neurons of a network that are not inputs, (n_neurons,) by name.

    Args:
        network: of floats.
        fields: of `hrsnn_lava.LIF`; those that may be 0 have no logarithm there.

    Raises:
        SpecError: a field that there is not, or a network of inputs alone.
    """
    instance("network", network, Network)
    wrong = [name for name in fields if name not in LIF_FIELDS]
    if wrong or not fields:
        allowed = ", ".join(LIF_FIELDS)
        raise SpecError(str(Problem("fields", ", ".join(map(repr, wrong)) or "none", allowed)))
    neurons = [p.lif for p in network.populations if not p.is_input]
    if not neurons:
        raise SpecError(str(Problem("network", "inputs alone", "a population of neurons")))
    return {
        name: np.concatenate([np.asarray(getattr(lif, name), np.float64) for lif in neurons])
        for name in fields
    }


@options
class Heterogeneity(Metric):
    """How much neurons differ, or synapses: ln det of the covariance of log-parameters."""

    name: ClassVar[str] = "heterogeneity"

    def __call__(self, parameters: Mapping[str, ArrayLike] | ArrayLike) -> LogCovariance:
        """See `heterogeneity`."""
        return heterogeneity(parameters)


def _columns(
    parameters: Mapping[str, ArrayLike] | ArrayLike, names: Sequence[str]
) -> dict[str, Floats]:
    """Values of every parameter by name, (n,) each."""
    if not isinstance(parameters, Mapping):
        table = finite_values("parameters", parameters, (2,), "(n, k), or a table by name")
        titles = tuple(names) or tuple(f"parameter {k}" for k in range(table.shape[1]))
        if len(set(titles)) != table.shape[1]:
            allowed = f"{table.shape[1]}, each once"
            raise SpecError(str(Problem("names", f"{len(titles)}", allowed)))
        return dict(zip(titles, table.T, strict=True))
    columns = {
        str(name): finite_values(str(name), values, (0, 1), "(n,) or one number")
        for name, values in parameters.items()
    }
    if not columns:
        raise SpecError(str(Problem("parameters", "none", "one or more")))
    lengths = {column.size for column in columns.values() if column.ndim}
    if len(lengths) > 1:
        measured = ", ".join(f"{name} {column.size}" for name, column in columns.items())
        raise SpecError(str(Problem("parameters", f"lengths {measured}", "one length")))
    n = next(iter(lengths), 1)
    return {name: np.broadcast_to(column, (n,)) for name, column in columns.items()}


def _log_pseudo_determinant(covariance: Floats) -> tuple[int, float | None]:
    """Rank, and sum of the logarithms of the eigenvalues that are not 0.

    Which are 0 is read off the correlations, so that a parameter of little spread beside one of
    much spread still counts.
    """
    if not len(covariance):
        return 0, None
    spread = np.sqrt(np.diag(covariance))
    of_correlations = np.linalg.eigvalsh(covariance / np.outer(spread, spread))
    rank = int((of_correlations > _RANK_TOLERANCE).sum())
    if rank == len(covariance):  # det Sigma = det R prod sigma^2 loses no digits
        return rank, float(np.log(of_correlations).sum() + 2.0 * np.log(spread).sum())
    leading = np.linalg.eigvalsh(covariance)[::-1][:rank]
    return rank, float(np.log(leading).sum())
