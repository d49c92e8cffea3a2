"""Forecasts of a series by a spiking reservoir, in scikit-learn's manner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hrsnn_lava.compiler.compiled import CompiledNetwork
from hrsnn_lava.compiler.pipeline import AnyPass
from hrsnn_lava.errors import Problem, SpecError
from hrsnn_lava.estimators.compiled_forecaster import (
    CompiledForecaster,
    ForecastLoop,
    Scaling,
    SeriesProtocol,
)
from hrsnn_lava.estimators.parameters import Estimator, Where, one_thread, plain_options
from hrsnn_lava.estimators.programs import Shown, program_of
from hrsnn_lava.estimators.reservoirs import ReservoirPlan, rate_findings, reservoir
from hrsnn_lava.estimators.samples import finite_table
from hrsnn_lava.findings import warn
from hrsnn_lava.hardware_profiles import CostSet, HardwareProfile
from hrsnn_lava.options import Count, Positive, Seed, options
from hrsnn_lava.report.document import Report
from hrsnn_lava.seeding import generator
from hrsnn_lava.tasks.series.forecast import ForecastOptions, TrainedReadout, fit_readout
from hrsnn_lava.training.readout import FeatureOptions, Positives, ReadoutOptions
from hrsnn_lava.training.readouts.network import Network
from hrsnn_lava.training.readouts.values import ValueReadoutOption
from hrsnn_lava.training.simulation import Stimulus, simulator_of

__all__ = ["ReservoirForecaster"]

Floats = NDArray[np.float64]
NotNegative = Annotated[int, Field(ge=0)]
#: Standard deviations that are fed back at most; more where the training series has more (ours).
CLIP = 4.0
#: Steps by which rates are brought back, and the currents of integers are judged (ours).
PART_STEPS = 5_000


@options
class ForecasterOptions:
    """The parameters of `ReservoirForecaster` that are checked as options are.

    Attributes:
        steps_per_sample: steps for which a value is held.
        washout: first values that are not fitted.
        replays: runs over the series, each from other potentials.
        trace_samples: time constants of the traces, in values.
        readout: ``quadratic``, ``linear`` or ``network``.
        alphas: penalties.
        validation_windows: closed-loop windows that choose the penalty.
        context: values shown before a forecast.
        stdp_passes: over the series.
        rate: spikes per neuron and step.
        seed: of everything that is drawn.
        dt: of a step, seconds.
    """

    name: ClassVar[str] = "ReservoirForecaster"
    steps_per_sample: Count = 20
    washout: NotNegative = 50
    replays: Count = 2
    trace_samples: Positives = (3.0, 1.5)
    readout: ValueReadoutOption = "quadratic"
    alphas: Positives = (1e-3,)
    validation_windows: NotNegative = 3
    context: Count = 50
    stdp_passes: Count = 1
    rate: Annotated[float, Field(gt=0, lt=1)] | None = None
    seed: Seed = 0
    dt: Positive | None = None

    @property
    def protocol(self) -> ForecastOptions:
        """How the readout is fitted."""
        return ForecastOptions(
            steps_per_sample=self.steps_per_sample,
            washout=self.washout,
            replays=self.replays,
            context=self.context,
            features=FeatureOptions(self.trace_samples),
            readout=ReadoutOptions(
                alphas=self.alphas,
                validation_windows=self.validation_windows,
                products=self.readout == "quadratic",
            ),
            network=self.readout if isinstance(self.readout, Network) else None,
        )


@dataclass(kw_only=True, eq=False, repr=False)
class ReservoirForecaster(Estimator):
    """Forecast a series by a heterogeneous recurrent spiking network and a readout of its spikes.

    Every value is held for `steps_per_sample` steps; the readout predicts the change to the next
    one from spike traces, see `hrsnn_lava.tasks.series.forecast`. Values are z-scored by the
    training series.

    Attributes:
        network: as of `ReservoirClassifier`; its input is held.
        steps_per_sample: steps for which a value is held.
        washout: first values that are not fitted.
        replays: runs over the series, each from other potentials.
        trace_samples: time constants of the traces, in values.
        readout: ``quadratic`` has products of decoded values, ``linear`` features alone;
            ``network``, or a table with its options, is the papers' three layers.
        alphas: penalties to choose from.
        validation_windows: closed-loop windows of 50 values in the training series that choose
            the penalty, and tell how well the network forecasts; 0 for none.
        context: values shown before a forecast.
        stdp, stdp_passes, rate, seed, dt: as of `ReservoirClassifier`.
        network_: the network, trained where that was asked for.
        readout_: fitted.
        n_features_in_: components of the series.
        rates_: (n_neurons,) spikes per step over the training series.
        validation_error_: RMSE over the validation windows, the geometric mean over their steps,
            in standard deviations; None without any.
        findings_: what one has to know, also told as `FindingWarning`.
        compiled_: the program, after `compile`.

    Raises (when fitted):
        SpecError: wrong options, or a series that cannot be used.
    """

    network: Any = None
    steps_per_sample: int = 20
    washout: int = 50
    replays: int = 2
    trace_samples: Sequence[float] = (3.0, 1.5)
    readout: Any = "quadratic"
    alphas: Sequence[float] = (1e-3,)
    validation_windows: int = 3
    context: int = 50
    stdp: Any = None
    stdp_passes: int = 1
    rate: float | None = None
    seed: int = 0
    dt: float | None = None

    @one_thread
    def fit(self, X: Any, y: Any = None) -> ReservoirForecaster:
        """Build the network and fit the readout on a series.

        Args:
            X: (n, d) equidistant values, or (n,).
            y: not used; scikit-learn gives it.
        """
        del y
        parameters = self.get_params().items()
        o = plain_options(ForecasterOptions, parameters, ("alphas", "trace_samples"))
        series = finite_table(X, "X", least=max(o.washout + 3, o.context + 2))
        scaling = _scaling(series)
        values = scaling.scaled(series)
        lesson = Stimulus(values[:-1], o.steps_per_sample)
        part = lesson.first(PART_STEPS)
        plan = ReservoirPlan(self.network, self.stdp, o.stdp_passes, o.rate, o.seed, o.dt)
        network = reservoir(plan, lesson, part)
        trained = self._trained(network, values, o)
        self._forget()
        self._options, self._values, self._scaling = o, values, scaling
        self.network_, self.readout_, self.n_features_in_ = (
            network,
            trained.readout,
            len(scaling.mean),
        )
        self.rates_ = trained.spike_counts / (trained.samples * o.steps_per_sample)
        losses = trained.validation_losses
        self.validation_error_ = float(np.exp(min(losses.values()))) if losses else None
        self.findings_ = rate_findings(self.rates_, o.rate)
        warn(self.findings_)
        return self

    def predict(self, horizon: int, context: Any = None, on: Where = "float") -> Floats:
        """What follows a context, each value made from the one before, (horizon, d).

        Args:
            horizon: values to forecast.
            context: (k, d) true values that are shown first; by default the last ones of the
                training series.
            on: who forecasts, the float network or the compiled program.
        """
        loop = self._loop(self._on_chip(on))
        if context is None:
            shown = self._scaling.raw(self._values[-self._options.context :])
        else:
            shown = finite_table(context, "context", self.n_features_in_)
        return loop.closed(horizon, shown)

    def one_step(self, X: Any, on: Where = "float") -> Floats:
        """``X[1:]``, each value from the true ones before it, (n - 1, d)."""
        loop = self._loop(self._on_chip(on))
        return loop.one_step(finite_table(X, "X", self.n_features_in_, 2))

    def score(self, X: Any, y: Any = None, on: Where = "float") -> float:
        """Skill of one-step forecasts: 1 is perfect, 0 as good as carrying the last value over.

        The first `context` values are shown and not scored.
        """
        del y
        loop, skipped = self._loop(self._on_chip(on)), self._options.context
        return loop.skill(finite_table(X, "X", self.n_features_in_, skipped + 2), skipped)

    def score_compiled(self, X: Any) -> float:
        """`score` of the program."""
        return self.score(X, on="chip")

    @one_thread
    def compile(
        self,
        profile: HardwareProfile | str = "loihi1",
        passes: Sequence[AnyPass] | None = None,
        **compilation: Any,
    ) -> CompiledNetwork:
        """The network as a program for a chip, with a readout that is fitted to its own spikes.

        Args:
            profile: the chip.
            passes: of the compiler, such as one that prunes.
            **compilation: options of `hrsnn_lava.compile`.

        Raises:
            CapacityError: it does not fit.
        """
        self._require_fit()
        o, scaling = self._options, self._scaling
        part = Stimulus(self._values[:-1], o.steps_per_sample).first(PART_STEPS)
        shown = Shown(part, self.rates_, self._clip, o.seed)
        program = program_of(self.network_, profile, passes, shown, compilation)
        readout = self._trained(program.network, self._values, o).readout
        protocol = self._protocol
        meta = {
            "readout": o.protocol.readout_name,
            "alpha": float(readout.alpha),
            "target": "increment",
            "steps_per_sample": protocol.steps_per_sample,
            "trace_samples": list(protocol.trace_samples),
            "squared": list(protocol.squared),
            "features": "traces, then squares, each over all neurons",
            "products": "x_i x_j of the decoded values, i <= j, row by row",
            "series_mean": scaling.mean.tolist(),
            "series_scale": scaling.scale.tolist(),
            "clip": protocol.clip,
            "potentials": protocol.potentials,
        }
        program = replace(program, readout=readout.arrays(), readout_meta=meta)
        self._program = CompiledForecaster(program)
        self.compiled_ = program
        return program

    def report(
        self, X: Any, cost_set: CostSet | str | Literal[False] | None = None, **evidence: Any
    ) -> Report:
        """A priced run of the compiled program over a series; a sample is one value."""
        self._require_program()
        return self._program.report(X, cost_set, **{"network_float": self.network_, **evidence})

    @staticmethod
    def _trained(network: Any, values: Floats, o: ForecasterOptions) -> TrainedReadout:
        rng = generator(o.seed, "train")
        return fit_readout(simulator_of(network), values, o.protocol, rng)

    @property
    def _clip(self) -> float:
        return max(CLIP, float(np.abs(self._values).max()))

    @property
    def _protocol(self) -> SeriesProtocol:
        o, features = self._options, self._options.protocol.features
        key = int(generator(o.seed, "potentials").integers(2**62))
        return SeriesProtocol(
            steps_per_sample=o.steps_per_sample,
            trace_samples=features.trace_samples,
            squared=features.squared,
            clip=self._clip,
            potentials=key,
        )

    def _loop(self, chip: bool) -> ForecastLoop:
        if chip:
            return self._program.loop
        simulator = simulator_of(self.network_)
        return ForecastLoop(simulator, self.readout_, self._protocol, self._scaling)


def _scaling(series: Floats) -> Scaling:
    mean, scale = series.mean(axis=0), series.std(axis=0)
    constant = np.flatnonzero(~(scale > 1e-12 * np.abs(mean).clip(1e-300)))
    if constant.size:
        where = f"X[:, {constant[0]}]"
        problem = Problem(where, f"{mean[constant[0]]:g} throughout", "values that change")
        raise SpecError("the series cannot be used", problems=[problem])
    return Scaling(mean, scale)
