"""What an engine is, and the form of a network that `reference` and `native` run.

A new engine is one file or folder of this package (or a file ``engine/NAME.py`` in a folder of
`hrsnn_lava.registry.PARTS_VARIABLE`): a subclass of `Backend`, an instance of it as ``ENGINE``, and
a subclass of `Engine` that its `Backend.open` returns. Sessions, recordings, counts, batches and
parity are written once above these two, in `runs`, and take every engine by name.

`lower` merges all projections into few event blocks: one CSC matrix per (delay, exponent) over
all sources (neurons first, then input channels), so a step is "for every source that sent
`delay + 1` steps ago, add its column". Merging keeps Lava's rounding: a negative exponent floors
the sum of one projection and delay, so only projections onto different neurons share such a block.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hrsnn_lava import registry
from hrsnn_lava.errors import BackendMissingError, Problem, SpecError, raise_if
from hrsnn_lava.fields import is_whole, listed, whole_number
from hrsnn_lava.integer_format import INT32, STATE_SHIFT, kept_of_current, kept_of_potential
from hrsnn_lava.quantized import QuantizedNetwork, learning_problems
from hrsnn_lava.resets import any_several, steps_after_spike
from hrsnn_lava.sim_backends.learning_program import (
    Arrays,
    Int,
    Plastic,
    plastic_projections,
    source_offset,
)
from hrsnn_lava.trace import STATES, SpikeInput, Trace

#: What a run can record: states of neurons, and spikes, which are always recorded.
PROBES = ("spikes", *STATES)
#: Steps since rest that can be counted: spikes carry their step as int32.
LAST_STEP = INT32[1]
#: Steps of a run that has neither a number of steps nor an input to take it from.
DEFAULT_STEPS = 1000


@dataclass(frozen=True, eq=False)
class Stretch:
    """Steps to run in one piece.

    Attributes:
        first: steps since rest.
        inputs: events, counted from the stretch's own start; its length is ``inputs.n_steps``.
        starts, mantissas: row k of `mantissas` (K, n_neurons) holds from step ``starts[k]`` of the
            stretch on; ``starts[0] = 0``.
        probes: any of "v" and "u".
    """

    first: int
    inputs: SpikeInput
    starts: NDArray[np.int64]
    mantissas: Int
    probes: Collection[str] = ()

    @property
    def steps(self) -> int:
        """Number of steps."""
        return self.inputs.n_steps


class Engine(ABC):
    """A network with its state, on one backend; at rest when it is opened."""

    @abstractmethod
    def reset(self) -> None:
        """Return to rest and to the initial weights."""

    @abstractmethod
    def advance(self, stretch: Stretch) -> Trace:
        """Run one stretch, >= 1 steps.

        Returns:
            Spikes, the states in ``stretch.probes`` and, where the engine counts them, the updates
            of every step; nothing of learning.
        """

    @abstractmethod
    def weights(self) -> dict[str, Int]:
        """Learned weights and tags now, as in `Trace.weights`."""

    @abstractmethod
    def traces(self) -> dict[str, Int]:
        """Spike traces now, as in `Trace.traces`."""

    @abstractmethod
    def twin(self) -> Engine:
        """Another one at rest; what never changes is shared."""

    def snapshot(self) -> dict[str, Int]:
        """The state in the form of `state`, but for `held`; asked of engines that keep states."""
        raise NotImplementedError

    def restore(self, step: int, arrays: Arrays) -> None:
        """Go to a state, `held` included; raises `ArtifactError` where no run reaches it."""
        raise NotImplementedError

    def rest(self, potentials: Int) -> bool:  # noqa: ARG002
        """Go to rest with weights, tags and the number of steps as they are.

        An engine that keeps states may have a quick way; by default a session goes by `snapshot`
        and `restore`.

        Args:
            potentials: (n_neurons,) to start with.

        Returns:
            Whether it was done.
        """
        return False

    def close(self) -> None:  # noqa: B027 - most engines have nothing to give back
        """Give back what the machine lent."""


class Backend(ABC):
    """A way to run integer networks: what ``backend="NAME"`` stands for.

    Instances are small and frozen; options, such as a time limit, are their fields.

    Attributes:
        name: of the file or folder, with ``-`` for ``_``.
        keeps_state: its engines have `Engine.snapshot` and `Engine.restore`.
    """

    name: ClassVar[str]
    keeps_state: ClassVar[bool] = True

    @property
    def label(self) -> str:
        """What a line of a report calls it."""
        return self.name

    def obstacle(self) -> str | None:
        """Why it cannot run on this machine and what to do, in one line; None if it can."""
        return None

    def check(self, network: QuantizedNetwork) -> None:  # noqa: B027 - most can run them all
        """Raise `CapacityError` with every reason why it cannot express a network."""

    def remark(self, network: QuantizedNetwork) -> str | None:  # noqa: ARG002
        """What a user may want to know before the network runs."""
        return None

    def within(self, timeout_s: float | None) -> Backend:  # noqa: ARG002
        """The same with a time limit, where it has one; None leaves its own."""
        return self

    @abstractmethod
    def open(self, network: QuantizedNetwork) -> Engine:
        """The network at rest; called after `obstacle` and `check` had nothing to say."""


def backend_of(backend: str | Backend) -> Backend:
    """The backend of a name; raises `SpecError`, which lists the names there are."""
    if isinstance(backend, Backend):
        return backend
    if not isinstance(backend, str):
        raise SpecError(
            f"backend: {type(backend).__name__}; allowed: one of "
            f"{', '.join(registry.names('engine'))}, or a Backend"
        )
    engine: Backend = registry.load("engine", backend)
    return engine


def require_backend(backend: str | Backend) -> Backend:
    """The same, if it can run here; raises `BackendMissingError`."""
    engine = backend_of(backend)
    if obstacle := engine.obstacle():
        raise BackendMissingError(obstacle)
    return engine


def opened(backend: Backend, network: QuantizedNetwork) -> Engine:
    """The network at rest; raises `PartError` where an engine of one's own fails, or gives none."""
    with registry.guarded("engine", backend.name):
        engine = backend.open(network)
    if not isinstance(engine, Engine):
        text = f"open gave {type(engine).__name__}; allowed: a {Engine.__module__}.Engine"
        raise registry.failure("engine", backend.name, text)
    return engine


@dataclass(frozen=True, eq=False)
class Block:
    """Synapses with one delay and one exponent, in columns by source.

    Attributes:
        weights: CSC int32 (n_neurons, n_neurons + n_inputs), on Lava's grid.
        delay: a spike of step t is added in step t + 1 + delay.
        weight_exp: applied to the sum of a step.
        graded: multiply by the payload (True) or add the weight (False).
    """

    weights: sparse.csc_matrix
    delay: int
    weight_exp: int
    graded: bool


@dataclass(frozen=True, eq=False)
class Program:
    """An integer network ready to run; all arrays (n_neurons,) int32 in global order.

    Attributes:
        n_neurons, n_inputs: sizes.
        keep_u, keep_v: what a step leaves of u and v, in 1/4096.
        threshold: compared with v, ``vth << 6``.
        bias_mant, bias_exp: the bias is ``bias_mant << bias_exp``; held inputs change `bias_mant`.
        refractory: steps for which a spike acts on v after its own, see `steps_after_spike`.
        blocks: the fixed synapses.
        plastic: the projections that learn.
        reset: what a spike does to v, by its place in `hrsnn_lava.resets.RESETS`; None where all
            are set to 0.
        most: how many spikes a neuron may send in a step; None where no one sends more than one.
    """

    n_neurons: int
    n_inputs: int
    keep_u: Int
    keep_v: Int
    threshold: Int
    bias_mant: Int
    bias_exp: Int
    refractory: Int
    blocks: tuple[Block, ...]
    plastic: tuple[Plastic, ...] = ()
    reset: Int | None = None
    most: Int | None = None

    @property
    def past_steps(self) -> int:
        """How many of the last steps' messages may still be on their way."""
        delays = [block.delay for block in self.blocks]
        delays += [part.delay for plastic in self.plastic for part in plastic.factor or ()]
        return max([0, *delays]) + 1


def as_quantized(network: Any) -> QuantizedNetwork:
    """The integer network of a `CompiledNetwork`, or the argument itself."""
    inner = getattr(network, "network", network)
    if not isinstance(inner, QuantizedNetwork):
        raise SpecError(
            f"cannot simulate a {type(network).__name__}: compile or quantize the network first"
        )
    return inner


def runnable(network: Any) -> QuantizedNetwork:
    """The integer network of any argument, checked once: the kernels test no index themselves.

    Of a compiled network the cores are looked at too, since counts go by them.

    Raises:
        NetworkError: the network contradicts itself, or has other neurons than its placement.
        SpecError: no integer network, or learning with several profiles and a negative exponent.
    """
    integer = as_quantized(network)
    integer.require_unaltered()
    if hasattr(network, "verify_placement") and "_placed" not in vars(network):
        network.verify_placement()
        object.__setattr__(network, "_placed", True)
    if "_runnable" not in vars(integer):
        integer.verify()
        raise_if(SpecError, "the run is not possible", learning_problems(integer))
        object.__setattr__(integer, "_runnable", True)  # frozen, so it stays true
    return integer


def run_steps(inputs: Any, steps: int | None) -> int:
    """Length of a run: what is asked for, else the input's, else `DEFAULT_STEPS`.

    Args:
        inputs: a recording, a sequence of pieces, an iterator of pieces, or None.
        steps: None, or a whole number, 0 to `LAST_STEP`.

    Raises:
        SpecError: another number, or none beside pieces that are not there yet.
    """
    if steps is not None:
        return whole_number("steps", steps, (0, LAST_STEP), error=SpecError)
    if inputs is None:
        return DEFAULT_STEPS
    if isinstance(inputs, SpikeInput):
        return run_steps(None, inputs.n_steps)
    if isinstance(inputs, Sequence) and all(isinstance(piece, SpikeInput) for piece in inputs):
        return run_steps(None, sum(piece.n_steps for piece in inputs))
    if isinstance(inputs, Iterator):
        raise SpecError("steps: not given, and pieces of input do not say how many; say how many")
    raise SpecError(f"inputs: {type(inputs).__name__}; allowed: a SpikeInput, pieces of one, None")


def probe_problems(probes: Any, known: Collection[str]) -> list[Problem]:
    """What is wrong with a list of probes."""
    words = ", ".join(known)
    try:
        names = listed("probes", probes, f"a list of {words}", SpecError)
    except SpecError:
        return [Problem("probes", f"{probes!r:.60}", f"a list of {words}")]
    wrong = (name for name in names if not isinstance(name, str) or name not in known)
    return [Problem("probes", f"{name!r:.60}", words) for name in wrong]


def check_run(
    network: QuantizedNetwork,
    inputs: SpikeInput | None,
    steps: int | None,
    probes: Collection[str] = (),
) -> tuple[SpikeInput, int]:
    """Inputs and steps of a run: empty events for None, and see `run_steps`.

    Raises:
        SpecError: with all that does not fit.
    """
    problems = []
    if inputs is not None and not isinstance(inputs, SpikeInput):
        problems.append(Problem("inputs", type(inputs).__name__, "a SpikeInput or None"))
        raise_if(SpecError, "the run is not possible", problems)
    if steps is not None and not (is_whole(steps) and 0 <= steps <= LAST_STEP):
        problems.append(Problem("steps", repr(steps), f"a whole number in 0..{LAST_STEP}"))
    problems += probe_problems(probes, PROBES)
    if inputs is not None and inputs.n_neurons != network.n_inputs:
        problems.append(
            Problem("inputs", f"{inputs.n_neurons} channels", f"{network.n_inputs} (the network's)")
        )
    raise_if(SpecError, "the run is not possible", problems)
    count = run_steps(inputs, steps)
    return SpikeInput.empty(max(count, 1), network.n_inputs) if inputs is None else inputs, count


def with_updates(trace: Trace, updates: tuple[Any, Any] | None) -> Trace:
    """The trace with its active and membrane updates by step, (n_steps,) each, if known."""
    if updates is None:
        return trace
    active, membrane = (np.asarray(counts, dtype=np.int32) for counts in updates)
    return replace(trace, active_updates=active, membrane_updates=membrane)


def lower(network: QuantizedNetwork) -> Program:
    """Merge an integer network into a `Program`."""
    n, n_in = network.n_neurons, network.n_inputs
    pieces: dict[tuple[int, int, bool, int], list[Any]] = {}
    for projection in network.projections:
        if projection.target != "synapse" or projection.learning is not None:
            continue
        pre, post = source_offset(network, projection.pre), network.offset(projection.post)
        weights = projection.effective_weights().tocoo()
        graded = projection.num_message_bits > 0
        delays = projection.delay_steps
        for delay in np.unique(delays):
            part = (delays == delay) & (weights.data != 0)
            entry = (weights.data[part], weights.row[part] + post, weights.col[part] + pre)
            key = _free_slot(pieces, (int(delay), projection.weight_exp, graded), projection.post)
            pieces.setdefault(key, []).append((projection.post, *entry))
    blocks = []
    for (delay, exponent, graded, _), parts in sorted(pieces.items()):
        data, rows, cols = (np.concatenate([part[k] for part in parts]) for k in (1, 2, 3))
        matrix = sparse.csc_matrix((data, (rows, cols)), shape=(n, n + n_in), dtype=np.int32)
        blocks.append(Block(matrix, delay, exponent, graded))
    reset = network.reset_codes
    refractory = network.gather("refractory")
    return Program(
        n,
        n_in,
        keep_u=kept_of_current(network.gather("du")).astype(np.int32),
        keep_v=kept_of_potential(network.gather("dv")).astype(np.int32),
        threshold=network.gather("vth") << STATE_SHIFT,
        bias_mant=network.gather("bias_mant"),
        bias_exp=network.gather("bias_exp"),
        refractory=steps_after_spike(refractory, reset),
        blocks=tuple(blocks),
        plastic=plastic_projections(network),
        reset=None if reset is None else reset.copy(),
        most=_most_spikes(network),
    )


def _most_spikes(network: QuantizedNetwork) -> Int | None:
    """See `Program.most`."""
    if not any_several(network):
        return None
    return np.concatenate([p.most_spikes for p in network.compute_populations])


def _free_slot(
    pieces: dict[tuple[int, int, bool, int], list[Any]], form: tuple[int, int, bool], post: str
) -> tuple[int, int, bool, int]:
    """Key of the block to join, of a delay, an exponent and graded or not.

    With a negative exponent, one without `post` as yet: a sum onto the same neurons is rounded
    apart.
    """
    slot = 0
    while form[1] < 0 and any(part[0] == post for part in pieces.get((*form, slot), ())):
        slot += 1
    return (*form, slot)
