"""Training by gradients through time: weights, and what neurons differ in, of a float network.

The network runs in torch as it runs everywhere (`surrogate_network`), a spike's derivative is that
of a smooth step (`surrogate_steps`), and what is learned goes back into a `Network`: places of
synapses, signs, delays and refractory periods stay. With a factor of tau_mem for each neuron this
is HeNB of the papers, with one for each population HoNB; they say no more of it than that it is
surrogate-gradient training (Neftci et al. 2019), so everything else is our choice.

torch is no dependency: ``pip install 'hrsnn-lava[train]'``.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.compiler.context import Context, Pass
from hrsnn_lava.compiler.passes.quantize import Quantize
from hrsnn_lava.errors import Problem, SpecError, raise_if
from hrsnn_lava.findings import Finding
from hrsnn_lava.network import Network
from hrsnn_lava.notebook import brief
from hrsnn_lava.options import options_of
from hrsnn_lava.progress import Progress, silent
from hrsnn_lava.surrogate_options import SurrogateOptions
from hrsnn_lava.training.surrogate_adam import Adam
from hrsnn_lava.training.surrogate_checkpoint import Keep, Standing
from hrsnn_lava.training.surrogate_lesson import Samples, Stretches, Supervised
from hrsnn_lava.training.surrogate_loss import Head, losses_of, recurrent_fan_out
from hrsnn_lava.training.surrogate_network import Learnable, Shown, State, run
from hrsnn_lava.training.surrogate_quantized import check_rounding, rounded
from hrsnn_lava.training.surrogate_steps import spike_step
from hrsnn_lava.training.surrogate_torch import find_torch, reproducible

__all__ = ["TrainSurrogate", "TrainedSurrogate", "train_surrogate"]

Row = Mapping[str, Any]
#: Columns of the history.
COLUMNS = ("loss", "error", "right", "rate", "sops", "gradient")
#: Spikes per neuron and step below which a network is told to be silent.
_SILENT = 1e-5
#: Epochs by which potentials of the fitted readout are keyed, beyond those of the training.
_FITTED = 1 << 40
#: Moments of the optimiser in a checkpoint.
_MOMENTS = ("mean", "squares")


@brief("epochs", "history")
@dataclass(frozen=True, eq=False)
class TrainedSurrogate:
    """What training left.

    Attributes:
        network: with what was learned.
        history: a row for each epoch, means over its updates: ``loss``; ``error``, its part by the
            answers; ``right``, share of the classes told, None of a series; ``rate``, spikes per
            neuron and step; ``sops``, recurrent synaptic operations a step; ``gradient``, the norm
            before it is clipped.
        epochs: that were made.
        resumed: of these, taken from a checkpoint.
        seconds: wall time of the others.
        findings: what a user has to know.
    """

    network: Network
    history: tuple[Row, ...]
    epochs: int
    resumed: int
    seconds: float
    findings: tuple[Finding, ...]


def train_surrogate(
    network: Network,
    lesson: Supervised,
    options: SurrogateOptions | None = None,
    *,
    seed: int = 0,
    progress: Progress = silent,
    keep: Keep | None = None,
    quantize: Quantize | None = None,
) -> TrainedSurrogate:
    """Train a network by gradients.

    Projections with a learning rule run with the weights that they have, and keep them.

    Args:
        network: float.
        lesson: inputs and answers.
        options: what learns, how long, and what spikes cost.
        seed: of the order of samples and of potentials.
        progress: told after every update.
        keep: where the training is kept, to go on from after a kill.
        quantize: the pass that rounds, where `options.bits` asks for it; by default its own.

    Returns:
        The network and the history.

    Raises:
        SpecError: the lesson does not fit the network, the loss is no number any more, or the
            checkpoint is another's.
        BackendMissingError: torch, a GPU, or safetensors for a checkpoint, is missing.
        ArtifactError: the checkpoint is damaged.
    """
    o, keep = options or SurrogateOptions(), keep or Keep()
    torch = find_torch(o.device)
    keep.ready()
    raise_if(SpecError, "the network cannot be trained on this", list(_misfits(network, lesson, o)))
    step = None
    if o.bits is not None:
        step = replace(quantize or Quantize(), weight_bits=o.bits)
        check_rounding(step)
    with reproducible(torch, o.threads):
        training = _Training(network, lesson, o, seed, step)
        return training.run(progress, keep)


def _misfits(network: Network, lesson: Supervised, options: SurrogateOptions) -> Any:
    stimulus = lesson.stimulus
    if options.readout == "ridge" and lesson.classes is not None:
        yield Problem(
            "surrogate.readout", "'ridge', of classes", "'gradients'; a ridge of a series"
        )
    if stimulus.width != network.n_inputs:
        measured = f"{stimulus.width} channels"
        yield Problem("lesson", measured, f"{network.n_inputs}, as the network has")
    wanted = "synapse" if stimulus.spiking else "bias"
    from_inputs = [p for p in network.projections if network.population(p.pre).is_input]
    if not any(p.target == wanted and p.n_synapses for p in from_inputs):
        sent = "sends spikes" if stimulus.spiking else "holds values"
        allowed = f"projections of inputs with target {wanted!r}"
        yield Problem("lesson", f"it {sent}, and no projection takes them", allowed)


class _Training:
    """One training: the network, the readout, and the optimiser of both."""

    def __init__(
        self,
        network: Network,
        lesson: Supervised,
        options: SurrogateOptions,
        seed: int,
        quantize: Quantize | None,
    ) -> None:
        self.torch = find_torch(options.device)
        self.options, self.seed, self.quantize = options, seed, quantize
        self.learnable = Learnable(network, options, self.torch)
        self.head = Head(self.learnable, lesson, seed)
        lead = self.learnable.lead
        self.batches: Samples | Stretches = (
            Samples(lesson, options.batch, lead, seed)
            if lesson.classes is not None
            else Stretches(lesson, options.batch, options.window, lead, seed)
        )
        self.step = spike_step(self.torch, options.spike)
        self.synapses = self.learnable.tensor(recurrent_fan_out(network))
        own = {f"theta/{name}": theta for name, theta in self.learnable.theta.items()}
        self.learned = own | {f"head/{name}": theta for name, theta in self.head.theta.items()}
        moved = own if options.readout == "ridge" else self.learned
        self.optimiser = Adam(self.torch, moved)
        self.state: State | None = None
        said = options_of(options), None if quantize is None else options_of(quantize)
        parts = (network.digest, lesson.digest, repr(said), str(seed))
        self.key = hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @property
    def total(self) -> int:
        """Updates of the whole training."""
        return self.options.epochs * self.batches.count

    def run(self, progress: Progress, keep: Keep) -> TrainedSurrogate:
        """All epochs, or those that a checkpoint lacks."""
        self._scale()
        history: list[Row] = []
        if standing := keep.load(self.key, self._tensors()):
            self._restore(standing)
            history = list(standing.history)
        resumed, began, epochs = len(history), time.perf_counter(), self.options.epochs
        for epoch in range(resumed, epochs):
            rows = []
            text = _told(epoch, epochs, history, resumed, began)
            if self.options.readout == "ridge":
                self._fit_head(epoch)
            for k in range(self.batches.count):
                rows.append(self._update(epoch, k))
                progress(text, self.optimiser.updates / self.total)
            history.append(_mean(rows))
            if (epoch + 1) % keep.every == 0 or epoch + 1 == epochs:
                standing = Standing(
                    epoch + 1, self.optimiser.updates, tuple(history), self._tensors()
                )
                keep.save(self.key, standing, self._facts())
        seconds = time.perf_counter() - began
        found = tuple(_findings(history))
        return TrainedSurrogate(
            self.learnable.learned(), tuple(history), epochs, resumed, seconds, found
        )

    def _scale(self) -> None:
        """Mean and deviation of the features, before anything is learned."""
        batch = self.batches.first()
        with self.torch.no_grad():
            spikes = self._spikes(batch)
            losses_of(self.head, spikes, batch, self.synapses)
        self.state = None

    def _fit_head(self, epoch: int) -> None:
        """The ridge readout of the network as it is; potentials are drawn apart from those of the
        epoch, so that what it learns there is not the noise that was fitted."""
        rows = []
        with self.torch.no_grad():
            for k in range(self.batches.count):
                batch = self.batches.batch(_FITTED + epoch, k)
                rows.append(self.head.rows(self.head.features(self._spikes(batch), batch), batch))
        self.head.fit(rows, self.options.alpha)
        self.state = None

    def _spikes(self, batch: Any) -> Any:
        it = self.learnable
        parameters = it.parameters()
        if self.quantize is not None:
            parameters = rounded(it, parameters, self.quantize)
        values = it.values(parameters)
        if batch.fresh or self.state is None:
            rng = batch.rng if self.options.potentials == "random" else None
            self.state = it.start(len(batch.lengths), values, rng)
        block = self.head.lesson.stimulus.block
        events = None if batch.events is None else it.tensor(batch.events)
        held = None if batch.held is None else it.tensor(batch.held)
        steps = int(batch.lengths.max())
        shown = Shown(events, held, block, steps)
        spikes, state = run(it, values, shown, self.state, self.step)
        self.state = state.detached()
        return spikes

    def _update(self, epoch: int, k: int) -> Row:
        o, batch = self.options, self.batches.batch(epoch, k)
        rate = o.learning_rate
        if o.schedule == "cosine":
            rate *= 0.5 * (1.0 + math.cos(math.pi * self.optimiser.updates / self.total))
        self.optimiser.clear()
        losses = losses_of(self.head, self._spikes(batch), batch, self.synapses)
        norm = math.nan
        if losses.total.requires_grad and math.isfinite(float(losses.total.detach())):
            losses.total.backward()
            norm = self.optimiser.bounded(o.clip)
        if not math.isfinite(norm):
            fix = "lower surrogate.learning_rate, or widen surrogate.width"
            measured = f"no finite number in update {self.optimiser.updates + 1}"
            raise SpecError(
                "gradient training failed", problems=[Problem("loss", measured, "finite", fix)]
            )
        self.optimiser.update(rate)
        self.learnable.hold_bounds()
        values = (losses.total, losses.error, losses.right, losses.rate, losses.sops, norm)
        return {
            name: None if value is None else _number(value)
            for name, value in zip(COLUMNS, values, strict=True)
        }

    def _tensors(self) -> dict[str, NDArray[Any]]:
        """All that the next epoch depends on."""
        tensors = {name: _numpy(theta) for name, theta in self.learned.items()}
        tensors |= {f"fixed/{name}": _numpy(value) for name, value in self.head.fixed.items()}
        for name, moments in self.optimiser.moments.items():
            for moment, values in zip(_MOMENTS, moments, strict=True):
                tensors[f"adam/{moment}/{name}"] = _numpy(values)
        return tensors

    def _restore(self, standing: Standing) -> None:
        it, tensors = self.learnable, standing.tensors
        self.optimiser.updates = standing.updates
        with self.torch.no_grad():
            for name, theta in self.learned.items():
                theta.copy_(it.tensor(tensors[name]))
            for name, moments in self.optimiser.moments.items():
                for moment, values in zip(_MOMENTS, moments, strict=True):
                    values.copy_(it.tensor(tensors[f"adam/{moment}/{name}"]))
        for name in self.head.fixed:
            self.head.fixed[name] = it.tensor(tensors[f"fixed/{name}"])

    def _facts(self) -> dict[str, Any]:
        """What the file for readers says beside."""
        return {
            "options": options_of(self.options),
            "random_numbers": {"seed": self.seed, "drawn": "by epoch and batch; no state is kept"},
            "torch": str(self.torch.__version__),
        }


def _number(value: Any) -> float:
    return float(value.detach()) if hasattr(value, "detach") else float(value)


def _numpy(values: Any) -> NDArray[Any]:
    array: NDArray[Any] = values.detach().cpu().numpy().copy()
    return array


def _mean(rows: list[Row]) -> Row:
    """Of the updates of an epoch."""
    return {
        name: None if rows[0][name] is None else float(np.mean([row[name] for row in rows]))
        for name in COLUMNS
    }


def _told(epoch: int, epochs: int, history: list[Row], resumed: int, began: float) -> str:
    """What progress says in an epoch."""
    text = f"train by gradients: epoch {epoch + 1} of {epochs}"
    if history:
        text += f", loss {history[-1]['loss']:.4g}"
    if epoch > resumed:
        each = (time.perf_counter() - began) / (epoch - resumed)
        left = each * (epochs - epoch)
        text += f", about {left:.0f} s left" if left < 120 else f", about {left / 60:.0f} min left"
    return text


def _findings(history: list[Row]) -> list[Finding]:
    found = []
    first, last = history[0], history[-1]
    if len(history) > 1 and last["loss"] >= first["loss"]:
        found.append(
            Finding(
                "warning",
                "gradient training",
                f"loss {last['loss']:.4g} in the last epoch, {first['loss']:.4g} in the first",
                "nothing was learned that the first epoch had not",
                "lower the learning rate, widen the step, or train longer",
                kind="training_loss",
            )
        )
    if last["rate"] < _SILENT:
        found.append(
            Finding(
                "warning",
                "gradient training",
                f"{last['rate']:.2g} spikes per neuron and step in the last epoch",
                "the network is silent, and no error reaches it",
                "balance the rates first, or raise rate_weight",
                kind="training_rate",
            )
        )
    return found


@dataclass(frozen=True, eq=False)
class TrainSurrogate(Pass[Network, Network]):
    """Gradient training on what a task shows and asks in training.

    Attributes:
        lesson: inputs and answers.
        options: what learns, and how.
        checkpoint: file where it is kept; None: nowhere.
        resume: go on from it.
        quantize: the pass that rounds where the options ask for it.
    """

    name: ClassVar[str] = "train_surrogate"
    lesson: Supervised = field(metadata={"record": False})
    options: SurrogateOptions = field(default_factory=SurrogateOptions)
    checkpoint: Path | None = field(default=None, metadata={"record": False})
    resume: bool = field(default=False, metadata={"record": False})
    quantize: Quantize | None = field(default=None, metadata={"record": False})

    def transform(self, network: Network, context: Context) -> tuple[Network, dict[str, Any]]:
        """The trained network, and the history of loss, rate and operations."""
        result = train_surrogate(
            network,
            self.lesson,
            self.options,
            seed=context.seed or 0,
            progress=context.progress,
            keep=Keep(self.checkpoint, self.resume and self.checkpoint is not None),
            quantize=self.quantize,
        )
        columns = {name: [row[name] for row in result.history] for name in COLUMNS}
        return result.network, {
            "epochs": result.epochs,
            "history": columns,
            "findings": result.findings,
        }
