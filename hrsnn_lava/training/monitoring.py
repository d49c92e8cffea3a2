"""What is watched while a network learns without labels, and what a user has to know of it.

STDP has no loss: nothing says by itself that a training ran away, never settled or drove every
weight to a bound. These numbers do. One row is taken before the first sample, one after every
interval, and the firing rate is measured twice with the weights held, before and after.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hrsnn_lava.errors import ArtifactError
from hrsnn_lava.findings import Finding, worst_first
from hrsnn_lava.options import Count, Positive, Share, options

__all__ = ["History", "Monitoring", "Record", "findings_of"]

Floats = NDArray[np.float64]
#: Intervals into which a training falls where nobody says how long they are (ours).
INTERVALS = 20
#: Arrays of a history that have a column for every projection that learns.
BY_PROJECTION = ("mean", "sd", "drift", "at_floor", "at_ceiling")


@options
class Monitoring:
    """How often a training is looked at, and from where on it is told of; all values are ours.

    Attributes:
        every: pieces of the lesson (samples, or stretches of a long recording) between two rows of
            the history, and between two checkpoints; by default a twentieth of all.
        rate_ratio: a rate that many times the one of the start, or that many times below, is
            told as a runaway.
        drift: ``mean |dw| / mean |w|`` of the last interval above which weights count as unsettled.
        at_bounds: share of the weights at their floor or ceiling from which on it is told.
        probe: pieces on which the rate is measured before and after, with the weights held.
        checkpoint: file in which the training is kept after every interval, to go on from after a
            kill; by default none.
        resume: go on from that file, where it is there; the weights are then those of a training
            that nothing interrupted, bit for bit.
    """

    every: Count | None = None
    rate_ratio: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 2.0
    drift: Positive = 0.05
    at_bounds: Share = 0.9
    probe: Count = 10
    checkpoint: str | os.PathLike[str] | None = None
    resume: bool = False

    @property
    def identity(self) -> str:
        """What of it the rows of a history depend on."""
        return f"{self.every} {self.probe}"

    def interval(self, pieces: int) -> int:
        """Pieces between two rows."""
        return self.every or max(1, -(-pieces // INTERVALS))


@dataclass(frozen=True, eq=False)
class History:
    """A training row by row; row 0 is its start, and the last row its end.

    Attributes:
        names: of the P projections that learn, the columns of what follows.
        done: (K,) pieces of the lesson shown so far.
        rate: (K,) spikes per neuron and step since the row before; of row 0, those of a run on the
            first pieces before training, with the weights held.
        rate_after: the same run after training.
        mean, sd: (K, P) of the magnitudes of the weights, synapses at 0 among them.
        drift: (K, P) ``mean |w - before| / mean |before|`` with the weights of the row before; 0
            in row 0.
        at_floor, at_ceiling: (K, P) share of the synapses at 0 and at their largest magnitude.
    """

    names: tuple[str, ...]
    done: NDArray[np.int64]
    rate: Floats
    rate_after: float
    mean: Floats
    sd: Floats
    drift: Floats
    at_floor: Floats
    at_ceiling: Floats

    @property
    def rate_ratio(self) -> float:
        """Rate after / rate before, weights held; 1 where both are 0."""
        before = float(self.rate[0]) if self.rate.size else 0.0
        if before == 0.0:
            return 1.0 if self.rate_after == 0.0 else float("inf")
        return self.rate_after / before

    def last(self, name: str) -> dict[str, float]:
        """The last row of an array with columns, by projection."""
        row = getattr(self, name)[-1]
        return {key: float(value) for key, value in zip(self.names, row, strict=True)}

    def table(self) -> dict[str, Any]:
        """All of it as plain lists, for reports and JSON."""
        columns = {
            key: {name: getattr(self, key)[:, k].tolist() for k, name in enumerate(self.names)}
            for key in BY_PROJECTION
        }
        head = {"done": self.done.tolist(), "rate": self.rate.tolist()}
        return {**head, "rate_after": self.rate_after, **columns}


class Record:
    """The rows of a history while they come in.

    Args:
        names: of the projections that learn.
        weights: (nnz,) of each at the start.
    """

    def __init__(self, names: tuple[str, ...], weights: Mapping[str, NDArray[Any]]) -> None:
        self.names = names
        self._before = {name: _magnitudes(weights[name]) for name in names}
        self._rows: dict[str, list[Any]] = {key: [] for key in ("done", "rate", *BY_PROJECTION)}

    def add(
        self,
        done: int,
        rate: float,
        weights: Mapping[str, NDArray[Any]],
        shares: Mapping[str, tuple[float, float]],
    ) -> None:
        """Take a row.

        Args:
            done: pieces shown so far.
            rate: spikes per neuron and step since the last row.
            weights: (nnz,) by projection.
            shares: of the weights at floor and ceiling, by projection.
        """
        now = {name: _magnitudes(weights[name]) for name in self.names}
        row: dict[str, Any] = {"done": done, "rate": rate}
        row["mean"] = [float(w.mean()) if w.size else 0.0 for w in now.values()]
        row["sd"] = [float(w.std()) if w.size else 0.0 for w in now.values()]
        row["drift"] = [_drift(self._before[name], w) for name, w in now.items()]
        row["at_floor"] = [shares[name][0] for name in self.names]
        row["at_ceiling"] = [shares[name][1] for name in self.names]
        for key, value in row.items():
            self._rows[key].append(value)
        self._before = now

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The rows so far, by name."""
        columns = len(self.names)
        arrays: dict[str, NDArray[Any]] = {
            key: np.array(rows, dtype=np.float64).reshape(-1, columns)
            for key, rows in self._rows.items()
            if key in BY_PROJECTION
        }
        arrays["done"] = np.array(self._rows["done"], dtype=np.int64)
        arrays["rate"] = np.array(self._rows["rate"], dtype=np.float64)
        return arrays

    def restore(
        self, arrays: Mapping[str, NDArray[Any]], weights: Mapping[str, NDArray[Any]]
    ) -> None:
        """Go on from the rows that `arrays` gave, when the weights were these.

        Raises:
            ArtifactError: the arrays are no rows of this training.
        """
        count = arrays["done"].size if "done" in arrays else 0
        for key in self._rows:
            shape = (count, len(self.names)) if key in BY_PROJECTION else (count,)
            if key not in arrays or arrays[key].shape != shape or not count:
                raise ArtifactError(f"history/{key}: not the rows of this training")
            self._rows[key] = arrays[key].tolist()
        self._before = {name: _magnitudes(weights[name]) for name in self.names}

    def history(self, rate_after: float) -> History:
        """The rows as arrays."""
        return History(self.names, rate_after=rate_after, **self.arrays())


def _magnitudes(weights: NDArray[Any]) -> Floats:
    return np.abs(np.asarray(weights, dtype=np.float64))


def _drift(before: Floats, now: Floats) -> float:
    scale = float(before.mean()) if before.size else 0.0
    change = float(np.abs(now - before).mean()) if before.size else 0.0
    if scale == 0.0:
        return 0.0 if change == 0.0 else float("inf")
    return change / scale


def findings_of(history: History, limits: Monitoring | None = None) -> tuple[Finding, ...]:
    """What a user has to know of a training: runaway rates, drift, weights at their bounds."""
    o = limits or Monitoring()
    found: list[Finding] = []
    ratio = history.rate_ratio
    if ratio > o.rate_ratio or ratio < 1 / o.rate_ratio:
        up = ratio > 1
        found.append(
            Finding(
                "warning",
                "training",
                f"{history.rate_after:.4g} spikes per neuron and step after it, "
                f"{history.rate[0]:.4g} before, x{ratio:.3g}",
                "the rate ran away, so scores after it compare rates, not what was learned"
                if up
                else "the rate fell, so scores after it compare rates, not what was learned",
                f"{'raise' if up else 'lower'} a_minus / a_plus or "
                f"{'lower' if up else 'raise'} w_max, or bring the rates back with `balance`",
                kind="training_rate",
            )
        )
    if len(history.done) > 1:
        for name, drift in history.last("drift").items():
            if drift > o.drift:
                found.append(
                    Finding(
                        "note",
                        f"projection {name!r}",
                        f"weights moved by {drift:.1%} of their mean in the last of "
                        f"{len(history.done) - 1} intervals",
                        f"they have not settled (limit {o.drift:.1%})",
                        "train longer, or with smaller amplitudes",
                        kind="training_unsettled",
                    )
                )
    floors, ceilings = history.last("at_floor"), history.last("at_ceiling")
    for name in history.names:
        if floors[name] + ceilings[name] > o.at_bounds:
            found.append(
                Finding(
                    "warning",
                    f"projection {name!r}",
                    f"{floors[name]:.1%} of the weights are 0, {ceilings[name]:.1%} at w_max",
                    "the weights are hardly more than on and off",
                    "use smaller amplitudes, another a_minus / a_plus, or fewer epochs",
                    kind="training_at_bounds",
                )
            )
    return worst_first(found)
