"""Forecasts by a network with a readout, and by a compiled program alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava import api
from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.errors import ArtifactError, Problem, SpecError
from hrsnn_lava.estimators.samples import finite_table
from hrsnn_lava.fields import instance, whole_number
from hrsnn_lava.hardware_profiles import CostSet
from hrsnn_lava.notebook import brief
from hrsnn_lava.options import Count, Positive, Seed, options, read_options
from hrsnn_lava.report.document import Report
from hrsnn_lava.tasks.series.forecast import ForecastOptions, SpikingForecaster
from hrsnn_lava.tasks.series.windows import ForecastWindow, closed_loop
from hrsnn_lava.training.readout import FeatureOptions, Positives, ValueReadout
from hrsnn_lava.training.readouts.values import value_readout
from hrsnn_lava.training.simulation import Simulator, Stimulus, simulator_of

__all__ = ["CompiledForecaster", "ForecastLoop", "Scaling", "SeriesProtocol"]

Floats = NDArray[np.float64]
#: The longest forecast.
LONGEST = 10_000_000


@dataclass(frozen=True, eq=False)
class Scaling:
    """z = (raw - mean) / scale, of each component; (d,) each."""

    mean: Floats
    scale: Floats

    def scaled(self, raw: Floats) -> Floats:
        """Values as the network sees them."""
        return (raw - self.mean) / self.scale

    def raw(self, scaled: Floats) -> Floats:
        """Values as the user knows them."""
        return scaled * self.scale + self.mean


@options
class SeriesProtocol:
    """How a series is shown and read, as ``readout_meta`` of a program says it.

    Attributes:
        steps_per_sample: steps for which a value is held.
        trace_samples: time constants of the traces, in values.
        squared: indices of traces that enter squared, too.
        clip: largest value that is fed back, in standard deviations.
        potentials: key of the potentials with which the network starts.
    """

    steps_per_sample: Count = 20
    trace_samples: Positives = (3.0, 1.5)
    squared: tuple[int, ...] = (0,)
    clip: Positive = 4.0
    potentials: Seed = 0

    @property
    def options(self) -> ForecastOptions:
        """The part of the protocol that makes features."""
        features = FeatureOptions(self.trace_samples, self.squared)
        return ForecastOptions(steps_per_sample=self.steps_per_sample, features=features)


@dataclass(frozen=True, eq=False)
class ForecastLoop:
    """A network, a readout, and how values go in and come out."""

    simulator: Simulator
    readout: ValueReadout
    protocol: SeriesProtocol
    scaling: Scaling

    @property
    def _forecaster(self) -> SpikingForecaster:
        p = self.protocol
        return SpikingForecaster(self.simulator, self.readout, p.options, p.potentials)

    def closed(self, horizon: int, context: Floats) -> Floats:
        """What follows a context (k, d), each value made from the one before, (horizon, d)."""
        count = whole_number("horizon", horizon, (1, LONGEST), error=SpecError)
        known = self.scaling.scaled(context)
        window = ForecastWindow(known, np.zeros((count, known.shape[1])))
        return self.scaling.raw(closed_loop(self._forecaster, window, self.protocol.clip))

    def one_step(self, series: Floats) -> Floats:
        """``series[1:]``, each value from the true ones before it, (n - 1, d)."""
        forecaster = self._forecaster
        forecaster.reset()
        answers = [forecaster.observe(value) for value in self.scaling.scaled(series)[:-1]]
        return self.scaling.raw(np.stack(answers))

    def skill(self, series: Floats, skipped: int) -> float:
        """1 - sum of squared errors of one step / the same of the last value carried over.

        Each component counts by its deviation; the first `skipped` answers, which the network
        gives before it has seen much, do not.
        """
        truth, before = series[1:][skipped:], series[:-1][skipped:]
        scale = self.scaling.scale
        error = float(np.sum(((self.one_step(series)[skipped:] - truth) / scale) ** 2))
        change = float(np.sum(((before - truth) / scale) ** 2))
        if not change:
            problem = Problem("X", "a series that does not change", "one that does")
            raise SpecError("a forecast of it cannot be scored", problems=[problem])
        return 1.0 - error / change


@brief("program=compiled.network.name", "chip=compiled.profile.name")
class CompiledForecaster:
    """A program that forecasts, with nothing but what is in its file.

    Args:
        compiled: of `ReservoirForecaster.compile`, or of a run of a forecast task.

    Attributes:
        compiled: the program.
        protocol: how values are shown and read.

    Raises:
        SpecError: the program has no readout that forecasts its own input.
        ArtifactError: what the file says of it contradicts itself.
    """

    def __init__(self, compiled: CompiledNetwork) -> None:
        self.compiled: CompiledNetwork = instance("compiled", compiled, CompiledNetwork)
        meta, inputs = compiled.readout_meta, compiled.network.n_inputs
        self.n_features_in_ = inputs
        scaled = [meta.get(name) for name in ("series_mean", "series_scale")]
        known = meta.get("target") == "increment" and "weights" in compiled.readout
        if not known or not all(isinstance(v, list) and len(v) == inputs for v in scaled):
            measured = f"target {meta.get('target', 'none')!r}, {inputs} inputs"
            allowed = "the increment of every input"
            problem = Problem("readout", measured, allowed)
            raise SpecError("this program does not forecast its input", problems=[problem])
        self.protocol = _protocol(meta)
        mean, scale = (np.asarray(values, dtype=np.float64) for values in scaled)
        arrays, features = compiled.readout, self.protocol.options.features
        size = features.per_neuron * compiled.network.n_neurons
        readout = _readout(arrays, float(meta.get("alpha", 0.0)), (size, inputs))
        simulator = simulator_of(compiled.network)
        self.loop = ForecastLoop(simulator, readout, self.protocol, Scaling(mean, scale))

    @classmethod
    def load(cls, path: str | Path) -> CompiledForecaster:
        """The forecaster in a ``compiled.hlx``."""
        return cls(CompiledNetwork.load(path))

    def predict(self, horizon: int, context: Any) -> Floats:
        """What follows a context (k, d), in closed loop, (horizon, d)."""
        return self.loop.closed(horizon, self._checked(context, "context", 1))

    def one_step(self, X: Any) -> Floats:
        """``X[1:]``, each value from the true ones before it, (n - 1, d)."""
        return self.loop.one_step(self._checked(X, "X", 2))

    def report(
        self, X: Any, cost_set: CostSet | str | Literal[False] | None = None, **evidence: Any
    ) -> Report:
        """A priced run of the program over a series, from rest; a sample is one value.

        Args:
            X: (n, d).
            cost_set: prices, see `hrsnn_lava.report`.
            **evidence: what else is known, see `hrsnn_lava.report`.
        """
        values = self.loop.scaling.scaled(self._checked(X, "X", 1))
        population = self.compiled.network.input_populations[0]
        scale = getattr(population, "payload_scale", None)
        stimulus = Stimulus(values, self.protocol.steps_per_sample)
        trace = api.simulate(self.compiled, stimulus.events(scale))
        facts: dict[str, Any] = {"samples": float(len(values)), **evidence}
        report: Report = api.report(self.compiled, trace, cost_set, **facts)
        return report

    def _checked(self, values: Any, where: str, least: int) -> Floats:
        return finite_table(values, where, self.n_features_in_, least)


def _protocol(meta: Mapping[str, Any]) -> SeriesProtocol:
    names = ("steps_per_sample", "trace_samples", "squared", "clip", "potentials")
    try:
        return read_options(SeriesProtocol, {n: meta[n] for n in names if n in meta}, "readout")
    except SpecError as error:
        raise ArtifactError("the readout is damaged", problems=error.problems) from None


def _readout(
    arrays: Mapping[str, NDArray[Any]], alpha: float, shape: tuple[int, int]
) -> ValueReadout:
    """The readout of its arrays, if it takes so many features and tells so many values."""
    size, width = shape
    try:
        readout = value_readout(arrays, alpha)
        answer = readout.predict(np.zeros(size))
    except (KeyError, ValueError, IndexError) as error:
        measured = f"weights {arrays['weights'].shape} ({error})"
        problem = Problem("readout", measured, f"of {size} features")
        raise ArtifactError("the readout is damaged", problems=[problem]) from None
    if answer.shape != (width,):
        problem = Problem("readout", f"answers {answer.shape}", f"({width},)")
        raise ArtifactError("the readout is damaged", problems=[problem])
    return readout
