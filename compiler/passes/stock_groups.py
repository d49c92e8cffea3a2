"""Let the neurons of a population share a few sets of (du, dv, vth), for stock Lava Processes.

An HRSNN has hundreds of sets, and stock Processes need a `LIF` for each of them. This pass clusters
them at the price of a changed network; `LowerStock` afterwards changes nothing.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2

from hrsnn_lava.compiler.context import Context, Pass, Stage
from hrsnn_lava.integer_format import DECAY_ONE, NEURON_RANGES, decay_rate
from hrsnn_lava.options import Count, Seed, options
from hrsnn_lava.quantized import QuantizedNetwork, QuantizedPopulation
from hrsnn_lava.seeding import generator

__all__ = ["StockGroups"]

Float = NDArray[np.float64]
_RESTARTS = 8


@options
class StockGroups(Pass[QuantizedNetwork, QuantizedNetwork]):
    """At most `groups` sets of (du, dv, vth) in each population.

    Neurons are clustered (k-means, the best of eight starts) by the logarithms of both rates of
    decay and of the constant current that just fires them, ``I = vth dv 2^6 / 4096``; each set is
    the mean of its cluster there. So a neuron whose `dv` moves keeps its rheobase as well as its
    cluster allows. All of this is our choice. Biases and refractory periods stay.

    Attributes:
        groups: most sets of (du, dv, vth) in a population; one with fewer stays as it is.
        seed: of the starts; by default that of the compilation.
    """

    name: ClassVar[str] = "stock_groups"
    takes: ClassVar[Stage] = "integer"

    groups: Count
    seed: Seed | None = None

    def transform(
        self, network: QuantizedNetwork, context: Context
    ) -> tuple[QuantizedNetwork, dict[str, Any]]:
        """The network, and by population the sets before and after and what changed.

        ``tau_mem`` and ``rheobase`` are the median and largest relative change.
        """
        del context
        report = {}
        for number, population in enumerate(network.compute_populations):
            replacement, report[population.name] = self._share(population, number)
            network = network.with_population(replacement)
        return network, report

    def _share(
        self, population: QuantizedPopulation, number: int
    ) -> tuple[QuantizedPopulation, dict[str, Any]]:
        points = _points(population)
        before = np.unique(points, axis=0)
        if len(before) <= self.groups:
            return population, {"before": len(before), "after": len(before)}
        rng = generator(self.seed or 0, "stock-groups", number)
        labels = _cluster(points, self.groups, rng)
        counts = np.bincount(labels, minlength=self.groups)[:, None]
        sums = np.zeros((self.groups, points.shape[1]))
        np.add.at(sums, labels, points)
        du, dv, rheobase = np.exp((sums / np.maximum(counts, 1))[labels]).T
        decay_u, decay_v = (
            np.rint(-DECAY_ONE * np.expm1(-rate)).astype(np.int64) for rate in (du, dv)
        )
        vth = np.clip(np.rint(rheobase / np.maximum(decay_v, 1)), *NEURON_RANGES["vth"])
        replacement = replace(population, du=decay_u - 1, dv=decay_v, vth=vth.astype(np.int64))
        after = _points(replacement)
        change = np.abs(np.expm1(after - points))
        changes: dict[str, Any] = {
            "before": len(before),
            "after": len(np.unique(after, axis=0)),
        }
        for name, column in (("tau_mem", 1), ("rheobase", 2)):
            values = change[:, column]
            changes[name] = {"median": float(np.median(values)), "max": float(values.max())}
        return replacement, changes


def _points(population: QuantizedPopulation) -> Float:
    """Logarithms of the rates of u and v a step, and of vth dv, (size, 3)."""
    du, dv = population.parameter("du") + 1.0, population.parameter("dv").astype(np.float64)
    # half a unit inside the range, where the logarithms exist
    rates = [decay_rate(np.maximum(decay, 0.5), DECAY_ONE - 0.5) for decay in (du, dv)]
    rheobase = np.maximum(population.parameter("vth") * np.maximum(dv, 0.5), 0.5)
    points: Float = np.log(np.stack([*rates, rheobase], axis=1))
    return points


def _cluster(points: Float, groups: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Labels (n,) of the best of several runs of k-means."""
    best, labels = np.inf, np.zeros(len(points), dtype=np.int64)
    for _ in range(_RESTARTS):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a cluster may become empty
            centres, members = kmeans2(points, groups, minit="++", seed=rng)
        cost = float(np.sum((points - centres[members]) ** 2))
        if cost < best:
            best, labels = cost, members.astype(np.int64)
    return labels
