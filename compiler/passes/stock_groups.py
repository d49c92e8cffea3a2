"""Let the neurons of a population share a few sets of (du, dv, vth), for stock Lava Processes.

An HRSNN has hundreds of sets, and stock Processes need a `LIF` for each of them. This pass clusters
them at the price of a changed network; `LowerStock` afterwards changes nothing.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2

from hrsnn_lava.errors import SpecError
from hrsnn_lava.integer_format import NEURON_RANGES as RANGES
from hrsnn_lava.quantized import QuantizedNetwork, QuantizedPopulation
from hrsnn_lava.seeding import generator

__all__ = ["StockGroups"]

Float = NDArray[np.float64]
_RESTARTS = 8


@dataclass(frozen=True)
class StockGroups:
    """At most `groups` sets of (du, dv, vth) in each population.

    Neurons are clustered (k-means, the best of eight starts) by the logarithms of both rates of
    decay and of the constant current that just fires them, ``I = vth dv 2^6 / 4096``; each set is
    the mean of its cluster there. So a neuron whose `dv` moves keeps its rheobase as well as its
    cluster allows. All of this is our choice. Biases and refractory periods stay.

    Attributes:
        groups: largest number for a population, >= 1; one with fewer sets stays as it is.
        seed: of the starts.
    """

    groups: int
    seed: int = 0
    name = "stock_groups"

    def __call__(self, network: QuantizedNetwork) -> QuantizedNetwork:
        """The network with shared parameters."""
        return self.apply(network)[0]

    def apply(self, network: QuantizedNetwork) -> tuple[QuantizedNetwork, dict[str, Any]]:
        """The network, and by population the sets before and after and what changed.

        ``tau_mem`` and ``rheobase`` are the median and largest relative change.

        Raises:
            SpecError: `groups` < 1.
        """
        if self.groups < 1:
            raise SpecError(f"groups: {self.groups}; allowed: >= 1")
        report = {}
        for number, population in enumerate(network.compute_populations):
            shared, report[population.name] = self._share(population, number)
            network = network.with_population(shared)
        return network, report

    def _share(
        self, population: QuantizedPopulation, number: int
    ) -> tuple[QuantizedPopulation, dict[str, Any]]:
        points = _points(population)
        before = np.unique(points, axis=0)
        if len(before) <= self.groups:
            return population, {"before": len(before), "after": len(before)}
        rng = generator(self.seed, "stock-groups", number)
        labels = _cluster(points, self.groups, rng)
        counts = np.bincount(labels, minlength=self.groups)[:, None]
        sums = np.zeros((self.groups, points.shape[1]))
        np.add.at(sums, labels, points)
        du, dv, rheobase = np.exp((sums / np.maximum(counts, 1))[labels]).T
        decay_u, decay_v = (np.rint(-4096 * np.expm1(-rate)).astype(np.int64) for rate in (du, dv))
        vth = np.clip(np.rint(rheobase / np.maximum(decay_v, 1)), *RANGES["vth"])
        fields = {field: population.parameter(field) for field in RANGES}
        shared = QuantizedPopulation(
            population.name,
            population.size,
            **{**fields, "du": decay_u - 1, "dv": decay_v, "vth": vth.astype(np.int64)},
        )
        after = _points(shared)
        change = np.abs(np.expm1(after - points))
        found: dict[str, Any] = {
            "before": len(before),
            "after": len(np.unique(after, axis=0)),
        }
        for name, column in (("tau_mem", 1), ("rheobase", 2)):
            values = change[:, column]
            found[name] = {"median": float(np.median(values)), "max": float(values.max())}
        return shared, found


def _points(population: QuantizedPopulation) -> Float:
    """Logarithms of the rates of u and v a step, and of vth dv, (size, 3)."""
    du, dv = population.parameter("du") + 1.0, population.parameter("dv").astype(np.float64)
    # half a unit inside the range, where the logarithms exist
    rates = [-np.log1p(-np.clip(decay, 0.5, 4095.5) / 4096) for decay in (du, dv)]
    rheobase = np.maximum(population.parameter("vth") * np.maximum(dv, 0.5), 0.5)
    points: Float = np.log(np.stack([*rates, rheobase], axis=1))
    return points


def _cluster(points: Float, groups: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Labels (n,) of the best of several runs of k-means."""
    best, labels = np.inf, np.zeros(len(points), dtype=np.int64)
    for _ in range(_RESTARTS):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a cluster may become empty
            centres, found = kmeans2(points, groups, minit="++", seed=rng)
        cost = float(np.sum((points - centres[found]) ** 2))
        if cost < best:
            best, labels = cost, found.astype(np.int64)
    return labels
