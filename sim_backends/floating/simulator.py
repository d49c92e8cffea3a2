"""Float networks on compiled kernels, for training and for measuring before quantization.

They run `Network`s, not integers, so they are no engine: parity has nothing to compare them with.

`PlasticSimulator` learns by pair STDP (eqs. 3-5) inside the compiled step loop. In step t currents
arrive, neurons fire, what fired is sent on with the weights of this moment, and then the spikes of
step t change the weights; Lava's learning connections work in this order.

Cost per projection: where time constants have few values, the traces x and y belong to neurons, one
for every value, and a step costs O(n_pre + n_post) times their number and one visit of every
synapse whose neurons fire. With more than `CLASSES` values each synapse carries its two traces,
brought up to date at its spikes: a record of 32 bytes and two exponentials a visit.
``benchmarks/training.py`` measures both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from hrsnn_lava.csr import drives
from hrsnn_lava.errors import ArtifactError, Problem, SpecError, raise_if
from hrsnn_lava.fields import real_values
from hrsnn_lava.integer_format import INT32
from hrsnn_lava.network import Network, Projection
from hrsnn_lava.plasticity import STDP
from hrsnn_lava.resets import require_single_spikes, steps_after_spike
from hrsnn_lava.sim_backends.learning_program import source_offset
from hrsnn_lava.sim_backends.native.layout import (
    Events,
    NetworkState,
    Neurons,
    Spikes,
    Synapses,
    flatten,
)
from hrsnn_lava.time_constants import membrane_gain
from hrsnn_lava.trace import SpikeInput

Float = NDArray[np.float64]
#: Leak of a step below which `membrane_gain` takes the place of the rounded 1 - beta.
LONG = 1e-6
#: Time constants of either side, at most, for which every neuron has a trace of each; with more,
#: synapses have traces of their own.
CLASSES = 16


class FloatSimulator(NetworkState):
    """A float network with its state, in the form in which Lava's float LIF computes.

    The potential is kept as v / (1 - beta): ``u = u alpha + a; v = v beta + u + bias``, and the
    threshold is v_threshold / (1 - beta); without a leak, as v, see `membrane_gain`. This is the
    same dynamics as `network` documents.

    Args:
        network: `Network`, checked here, once; its plastic projections act with the weights they
            have.
        past_steps: steps for which what was sent is kept, if more than the network's own delays
            ask for.
        several: whoever runs it reads `sent`, too. Otherwise a network whose neurons may send
            several spikes in a step is refused: all but one of them would be lost unseen.

    Attributes:
        bias: (n_neurons,) current biases, may be replaced between runs (homeostasis).
        sent: (S,) float64, how many spikes each of those of the last call is; None where all are
            one.
    """

    kind = np.float64

    def __init__(self, network: Network, past_steps: int = 0, several: bool = False) -> None:
        self.network = _verified(network)
        if not several:
            require_single_spikes(network, "this part of the program")
        dt, tau_mem, tau_syn = network.dt, network.gather("tau_mem"), network.gather("tau_syn")
        with np.errstate(divide="ignore"):
            keep_u = 1.0 - (1.0 - np.exp(-dt / tau_syn))
        leak = 1.0 - np.exp(-dt / tau_mem)
        # of a long time constant, that difference has few digits left; of an infinite one, none
        self._gain: Float = np.where(leak < LONG, membrane_gain(tau_mem, dt), leak)
        reset = network.reset_codes
        refractory = np.rint(network.gather("refractory") / dt).astype(np.int32)
        neurons = Neurons(
            keep_u,
            1.0 - leak,
            network.gather("v_threshold") / self._gain,
            steps_after_spike(refractory, reset),
            None if reset is None else reset.copy(),
        )
        super().__init__(neurons, float_synapses(network), network.n_inputs, past_steps)
        self.bias: Float = network.gather("bias").copy()
        self._drive = _drive_matrix(network)

    def reset(self, rng: np.random.Generator | None = None) -> None:
        """Return to rest; with `rng`, start from random potentials in [0, threshold)."""
        super().reset()
        if rng is not None:
            neurons, potentials = self.run_arrays.neurons, self.run_arrays.potentials
            potentials.v[:] = rng.random(self.n_neurons) * neurons.threshold

    def run(self, x: Float, steps: int) -> Spikes:
        """Hold the analog input `x` (n_inputs,) for `steps` steps; spikes relative to the call."""
        first, values = self.time, real_values("x", x, error=SpecError)
        if values.shape != (self.n_inputs,) or not np.isfinite(values).all():
            allowed = f"finite numbers ({self.n_inputs},), one a channel"
            raise SpecError(f"x: shape {values.shape} or not finite; allowed: {allowed}")
        bias = self.bias + self._drive @ values
        at, who = self.advance(steps, Events.none(steps, np.float64), bias)
        return at - np.int32(first), who

    def run_events(
        self,
        inputs: SpikeInput,
        first: int = 0,
        steps: int | None = None,
        unit: ArrayLike = 1.0,
    ) -> Spikes:
        """Run over steps `first` to ``first + steps`` of a recording (None: to its end).

        `unit` is the value of one payload count, a scalar or per channel (n_inputs,). A spike
        without a payload is 1.0, in integers too.

        An event sends payload times weight; for the traces of learning it is one spike, unless
        its payload is 0.

        Returns:
            steps, relative to the call, and neurons of the spikes, (S,) int32 each.

        Raises:
            SpecError: `inputs` has another number of channels than the network.
        """
        if not isinstance(inputs, SpikeInput):
            raise SpecError(f"inputs: {type(inputs).__name__}; allowed: a SpikeInput")
        if inputs.n_neurons != self.n_inputs:
            raise SpecError(
                f"inputs: {inputs.n_neurons} channels; allowed: {self.n_inputs}, as the network has"
            )
        count, start = inputs.n_steps - first if steps is None else steps, self.time
        events = Events.of(inputs, first, count, self.n_neurons)
        value = events.value.astype(np.float64)
        if inputs.payloads is not None:
            each = np.zeros(self.n_inputs) + np.asarray(unit, dtype=np.float64)
            value *= each[events.source - self.n_neurons]
        at, who = self.advance(count, Events(events.ptr, events.source, value), self.bias)
        return at - np.int32(start), who

    def advance(
        self,
        steps: int,
        events: Events,
        bias: Float,
        out_v: Float | None = None,
        out_u: Float | None = None,
    ) -> Spikes:
        """Run `steps` steps with constant `bias` (n_neurons,); absolute steps and neurons.

        Raises:
            SpecError: neurons that send several spikes in a step sent ever more, beyond all floats.
        """
        from hrsnn_lava.sim_backends.floating.kernels import run_floats

        sent = (events.ptr, events.source, events.value.astype(np.float64))
        out = self.out(steps, out_v, out_u)
        count = int(run_floats(self.time, steps, *self.arrays, bias, *sent, *out))
        self.time += steps
        if self._several and not np.isfinite(self.run_arrays.potentials.v).all():
            neuron = int(np.argmin(np.isfinite(self.run_arrays.potentials.v)))
            raise SpecError(
                f"neuron {neuron}: its potential is beyond all floats within {self.time:,} steps, "
                "since spikes bring on more spikes than they are; allowed: weaker recurrence, or "
                "the reset 'subtract', which sends one a step"
            )
        return self.written(count)

    @property
    def potential(self) -> Float:
        """Membrane potentials in the network's unit, (n_neurons,)."""
        values: Float = self.run_arrays.potentials.v * self._gain
        return values


def _verified(network: Any) -> Network:
    """The argument, if it is a float network without a fault."""
    if not isinstance(network, Network):
        raise SpecError(f"network: {type(network).__name__}; allowed: a float Network")
    return network.verify()


def float_synapses(network: Network) -> Synapses:
    """Synapses of a float network by delay; every source sends the value 1 or its payload."""
    n, n_in = network.n_neurons, network.n_inputs
    pieces: dict[int, list[Any]] = {}
    for projection in network.projections:
        if projection.target != "synapse":
            continue
        pre, post = source_offset(network, projection.pre), network.offset(projection.post)
        coo = projection.weights.tocoo()
        steps = np.zeros(coo.nnz, dtype=np.int64)
        if projection.delays is not None:
            steps += np.rint(np.asarray(projection.delays) / network.dt).astype(np.int64)
        for delay in np.unique(steps):
            part = steps == delay
            entry = (coo.data[part], (coo.row[part] + post, coo.col[part] + pre))
            pieces.setdefault(int(delay), []).append(entry)
    matrices = []
    for parts in (pieces[delay] for delay in sorted(pieces)):
        data = np.concatenate([part[0] for part in parts])
        rows, cols = (np.concatenate([part[1][k] for part in parts]) for k in (0, 1))
        matrices.append(sparse.csc_matrix((data, (rows, cols)), shape=(n, n + n_in)))
    zeros = [0] * len(matrices)
    synapses = flatten(matrices, sorted(pieces), zeros, [True] * len(matrices), (n, n + n_in))
    return synapses._replace(weights=synapses.weights.astype(np.float64))


def _drive_matrix(network: Network) -> sparse.csr_matrix:
    """All ``target="bias"`` projections as one (n_neurons, n_inputs) matrix.

    The product is `hrsnn_lava.csr.held_drive`; training asks for it thousands of times.
    """
    total = sparse.csr_matrix((network.n_neurons, network.n_inputs))
    for projection, channels, neurons in drives(network):
        coo = projection.weights.tocoo()
        places = (coo.row + neurons.start, coo.col + channels.start)
        total = total + sparse.csr_matrix((coo.data, places), shape=total.shape)
    return total


@dataclass(frozen=True, eq=False)
class PlasticLayout:
    """All plastic projections as flat arrays; synapses in columns (by source) of each projection.

    Attributes:
        ends: (B, 4) int64: first source, number of sources, first target, number of targets.
        delay: (B,) int64 steps. per_synapse: (B,) bool: traces of synapses, not of neurons.
        classes: (B, 5) int64 where traces belong to neurons: how many time constants x and y have,
            where those of the projection begin in `decay`, and place and stride of its synapses in
            `class_of`.
        decay: exp(-dt / tau) of every class, those of x first, projection by projection.
        class_of: pairs of uint8, the classes of x and y of synapses in projections that have more
            than one of either.
        column, row: (sum n_pre + B,), (sum n_post + B,) int64 bounds of columns and rows.
        target: (nnz,) uint32, local target of every synapse.
        row_source, row_synapse: (nnz,) uint32 by rows: local source, and place in column order.
        param: a_plus, a_minus, w_max and sign, one after the other, of every synapse, or once for
            a projection that has the same everywhere; one line of memory a visit.
        first_param, param_step: (B,) int64: those of synapse q begin at first + step q.
        rates: (nnz, 2) float64, dt / tau of x and y.
        sign, w_max: (nnz,) float64.
        order: (nnz,) int64, place in column order of every stored weight of the CSR matrices.
        bounds: (B + 1,) int64 synapses of each projection.
    """

    names: tuple[str, ...]
    ends: NDArray[np.int64]
    delay: NDArray[np.int64]
    per_synapse: NDArray[np.bool_]
    classes: NDArray[np.int64]
    decay: Float
    class_of: NDArray[np.uint8]
    column: NDArray[np.int64]
    row: NDArray[np.int64]
    target: NDArray[np.uint32]
    row_source: NDArray[np.uint32]
    row_synapse: NDArray[np.uint32]
    param: Float
    first_param: NDArray[np.int64]
    param_step: NDArray[np.int64]
    rates: Float
    sign: Float
    w_max: Float
    order: NDArray[np.int64]
    bounds: NDArray[np.int64]

    @classmethod
    def of(cls, network: Network) -> PlasticLayout:
        """Lay out the projections of `network` that have a rule.

        Raises:
            SpecError: a plastic projection sets biases, or has a delay per synapse.
        """
        plastic = [p for p in network.projections if p.plasticity is not None]
        _refuse(plastic)
        parts = [_block(network, p) for p in plastic]
        sizes = np.cumsum([0, *(p.n_synapses for p in plastic)], dtype=np.int64)

        def join(field: str, kind: Any, shift: bool = False) -> Any:
            arrays = [part[field] + (sizes[b] if shift else 0) for b, part in enumerate(parts)]
            return np.concatenate([np.zeros(0), *arrays]).astype(kind)

        params, first_param, param_step = _params(parts, sizes)
        classes, decay, class_of = _classes(parts, sizes)
        return cls(
            names=tuple(p.name for p in plastic),
            ends=np.array([part["ends"] for part in parts], dtype=np.int64).reshape(-1, 4),
            delay=np.array([part["delay"] for part in parts], dtype=np.int64),
            per_synapse=np.array([_per_synapse(part) for part in parts], dtype=np.bool_),
            classes=classes,
            decay=decay,
            class_of=class_of,
            column=join("column", np.int64, True),
            row=join("row", np.int64, True),
            target=join("target", np.uint32),
            row_source=join("row_source", np.uint32),
            row_synapse=join("row_synapse", np.uint32, True),
            param=params,
            first_param=first_param,
            param_step=param_step,
            rates=np.stack([join("rate_plus", np.float64), join("rate_minus", np.float64)], axis=1),
            order=join("order", np.int64, True),
            bounds=sizes,
            sign=join("sign", np.float64),
            w_max=join("w_max", np.float64),
        )

    def start(self, network: Network) -> Float:
        """Magnitudes of the weights of `network`, in column order, (nnz,)."""
        magnitudes = np.zeros(self.order.size)
        data = [np.abs(network.projection(name).weights.data) for name in self.names]
        magnitudes[self.order] = np.concatenate([np.zeros(0), *data])
        return np.minimum(magnitudes, self.w_max)


def _refuse(plastic: list[Projection]) -> None:
    problems = []
    for projection in plastic:
        where = f"projection {projection.name!r}"
        if projection.target != "synapse":
            problems.append(Problem(f"{where}.plasticity", "with target bias", "synapses only"))
        if projection.delays is not None and np.ndim(projection.delays) > 0:
            problems.append(
                Problem(f"{where}.plasticity", "with a delay per synapse", "one delay for all")
            )
    raise_if(SpecError, "the network cannot learn", problems)


def _params(
    parts: list[dict[str, Any]], sizes: NDArray[np.int64]
) -> tuple[Float, NDArray[np.int64], NDArray[np.int64]]:
    """`param`, `first_param` and `param_step` of all projections."""
    rows, first, steps, place = [np.zeros((0, 4))], [], [], 0
    for part, start in zip(parts, sizes[:-1].tolist(), strict=True):
        fields = ("a_plus", "a_minus", "w_max", "sign")
        values = np.stack([part[field] for field in fields], axis=1)
        same = len(values) == 0 or bool((values == values[0]).all())
        values = np.zeros((1, 4)) if not len(values) else values[:1] if same else values
        step = 0 if same else 4
        first.append(4 * place - step * start)
        steps.append(step)
        rows.append(values)
        place += len(values)
    param = np.ascontiguousarray(np.concatenate(rows).ravel())
    return param, np.array(first, dtype=np.int64), np.array(steps, dtype=np.int64)


def _per_synapse(part: dict[str, Any]) -> bool:
    """Whether traces belong to synapses: there are too many time constants for every neuron to
    have a trace of each."""
    return any(np.unique(part[field]).size > CLASSES for field in ("rate_plus", "rate_minus"))


def _classes(
    parts: list[dict[str, Any]], sizes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], Float, NDArray[np.uint8]]:
    """`classes`, `decay` and `class_of` of all projections."""
    table, decays, of = [], [np.zeros(0)], [np.zeros((0, 2), dtype=np.uint8)]
    n_decays = n_of = 0
    for part, start in zip(parts, sizes[:-1].tolist(), strict=True):
        rates = [part["rate_plus"], part["rate_minus"]]
        if _per_synapse(part) or not rates[0].size:
            rates = [np.zeros(1), np.zeros(1)]
        unique = [np.unique(rate, return_inverse=True) for rate in rates]
        counts = [values.size for values, _ in unique]
        step = 0 if max(counts) == 1 else 2
        table.append((*counts, n_decays, 2 * n_of - step * start, step))
        decays += [np.exp(-values) for values, _ in unique]
        n_decays += sum(counts)
        if step:
            of.append(np.stack([index.ravel() for _, index in unique], axis=1).astype(np.uint8))
            n_of += len(of[-1])
    classes = np.array(table, dtype=np.int64).reshape(-1, 5)
    return classes, np.concatenate(decays), np.ascontiguousarray(np.concatenate(of).ravel())


def _block(network: Network, projection: Projection) -> dict[str, Any]:
    """One projection in local indices."""
    rule = projection.plasticity or STDP(0.0, 0.0)
    csr, count = projection.weights, projection.n_synapses
    n_post, n_pre = csr.shape
    places = sparse.csr_matrix((np.arange(count), csr.indices, csr.indptr), shape=csr.shape)
    csc = places.tocsc()
    csr_places = np.asarray(csc.data, dtype=np.int64)  # CSR place of every synapse in column order
    order = np.empty(count, dtype=np.int64)
    order[csr_places] = np.arange(count)
    first = source_offset(network, projection.pre)
    values = {f: rule.values(f, count)[csr_places] for f in ("a_plus", "a_minus", "w_max")}
    rates = [network.dt / rule.values(f, count)[csr_places] for f in ("tau_plus", "tau_minus")]
    return values | {
        "ends": (first, n_pre, network.offset(projection.post), n_post),
        "delay": 0 if projection.delays is None else _steps(projection.delays, network.dt),
        "column": csc.indptr.astype(np.int64),
        "row": csr.indptr.astype(np.int64),
        "target": csc.indices,
        "row_source": csr.indices,
        "row_synapse": order,
        "sign": np.sign(csr.data)[csr_places],
        "rate_plus": rates[0],
        "rate_minus": rates[1],
        "order": order,
    }


def _steps(delay: ArrayLike, dt: float) -> int:
    return int(np.rint(np.asarray(delay, dtype=np.float64) / dt))


class PlasticSimulator(FloatSimulator):
    """A float network that learns while it runs.

    Args:
        network: verified `Network`. A weight above its `w_max` starts at the bound.

    Attributes:
        learning: set to False to hold the weights while the network runs on (traces go on).
    """

    def __init__(self, network: Network) -> None:
        layout = self._plastic = PlasticLayout.of(_verified(network))
        fixed = replace(
            network, projections=tuple(p for p in network.projections if p.plasticity is None)
        )
        super().__init__(fixed, int(layout.delay.max(initial=0)) + 2)
        self._whole = network
        self.learning = True
        self._blocks = (
            layout.ends,
            layout.delay,
            layout.per_synapse,
            layout.decay,
            layout.first_param,
            layout.param_step,
            layout.classes,
        )
        self._wiring = (
            layout.column,
            layout.target,
            layout.row,
            layout.row_source,
            layout.row_synapse,
            layout.class_of,
        )
        n, n_sources = self.n_neurons, self.n_neurons + self.n_inputs
        self._pending = np.zeros(n)
        self._weight = layout.start(network)
        classes = layout.classes[:, :2]
        self._source_trace = np.zeros(int((layout.ends[:, 1] * classes[:, 0]).sum()))
        self._target_trace = np.zeros(int((layout.ends[:, 3] * classes[:, 1]).sum()))
        size = layout.order.size if layout.per_synapse.any() else 0
        self._records = np.zeros((size, 4))  # x, y, and what a step leaves of them
        self._records[:, 2:] = np.exp(-layout.rates[:size])
        self._last = np.full(n_sources, -1, dtype=np.int64)
        self._fired = np.zeros(n_sources, dtype=np.bool_)
        self._sources = np.zeros(n_sources, dtype=np.int64)

    def _learned(self) -> tuple[NDArray[Any], ...]:
        traces = (self._source_trace, self._target_trace, self._records[:, 0], self._records[:, 1])
        return (self._weight, self._pending, self._last, *traces)

    def reset(self, rng: np.random.Generator | None = None) -> None:
        """Return to rest with empty traces; what was learned stays. See `FloatSimulator.reset`."""
        super().reset(rng)
        for array in self._learned()[1:]:
            array[:] = 0
        self._last[:] = -1

    def forget(self) -> None:
        """Return to the weights of the start."""
        self._weight[:] = self._plastic.start(self._whole)

    def snapshot(self) -> tuple[Any, ...]:
        """A copy of the whole state, weights included, for `restore`."""
        return (super().snapshot(), *(array.copy() for array in self._learned()))

    def restore(self, state: tuple[Any, ...]) -> None:
        """Go back to a state that `snapshot` returned."""
        super().restore(state[0])
        for array, saved in zip(self._learned(), state[1:], strict=True):
            array[:] = saved

    def advance(
        self,
        steps: int,
        events: Events,
        bias: Float,
        out_v: Float | None = None,
        out_u: Float | None = None,
    ) -> Spikes:
        """See `FloatSimulator.advance`."""
        from hrsnn_lava.sim_backends.floating.kernels import plastic_steps

        plastic = self._plastic
        n_written = plastic_steps(
            self.time,
            steps,
            self.run_arrays,
            bias,
            events._replace(value=events.value.astype(np.float64)),
            self._blocks,
            self._wiring,
            plastic.param,
            (
                self._weight,
                self._pending,
                self._last,
                self._source_trace,
                self._target_trace,
                self._records.reshape(-1),
            ),
            (self._fired, self._sources),
            self.learning,
            self.out(steps, out_v, out_u),
        )
        self.time += steps
        return self.written(int(n_written))

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """The whole state as arrays by name, for files."""
        base, *learned = self.snapshot()
        arrays = {f"network/{k}": np.asarray(value) for k, value in enumerate(base)}
        return arrays | {f"learning/{k}": array for k, array in enumerate(learned)}

    def restore_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go to a state that `state_arrays` gave; nothing in it is trusted.

        Raises:
            ArtifactError: values that no run of this network reaches: the kernels test no index.
        """
        expected = self.state_arrays()
        if set(arrays) != set(expected):
            raise ArtifactError("the state holds other arrays than this network's")
        for name, array in expected.items():
            value = arrays[name]
            if value.shape != array.shape or value.dtype != array.dtype:
                allowed = f"{array.dtype} {array.shape}"
                raise ArtifactError(f"{name}: {value.dtype} {value.shape}; allowed: {allowed}")
            if value.dtype.kind == "f" and not np.isfinite(value).all():
                raise ArtifactError(f"{name}: values that are not finite")
        source, count, time = (arrays[f"network/{k}"] for k in (3, 5, 6))
        weight, _, last = (arrays[f"learning/{k}"] for k in range(3))
        n, now = self.n_neurons + self.n_inputs, int(time)
        inside = (
            source.min(initial=0) >= 0
            and source.max(initial=0) < n
            and count.min(initial=0) >= 0
            and count.max(initial=0) <= n
            and 0 <= now <= INT32[1]
            and last.min(initial=-1) >= -1
            and last.max(initial=-1) <= now
            and np.all(weight >= 0)
            and np.all(weight <= self._plastic.w_max)
        )
        if not inside:
            raise ArtifactError("the state holds values that no run of this network reaches")
        count_of = {"network": 0, "learning": 0}
        for name in expected:
            count_of[name.partition("/")[0]] += 1
        base = [arrays[f"network/{k}"] for k in range(count_of["network"] - 1)]
        parts = [arrays[f"learning/{k}"] for k in range(count_of["learning"])]
        self.restore(((*base, now), *parts))

    def set_weights(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Replace learned weights, (nnz,) by projection, in the order that `weights` has.

        Raises:
            ArtifactError: other shapes, another sign, or beyond `w_max`.
        """
        plastic = self._plastic
        for name, data in weights.items():
            block = plastic.names.index(name)
            places = plastic.order[slice(*plastic.bounds[block : block + 2])]
            if data.shape != places.shape or data.dtype != np.float64:
                allowed = f"float64 {places.shape}"
                raise ArtifactError(f"{name}: {data.dtype} {data.shape}; allowed: {allowed}")
            magnitude = data * plastic.sign[places]
            if not (np.all(magnitude >= 0) and np.all(magnitude <= plastic.w_max[places])):
                raise ArtifactError(f"{name}: weights of another sign, or beyond w_max")
            self._weight[places] = np.abs(magnitude)

    def weights(self, name: str) -> Float:
        """Weights of a projection now, (nnz,), in the order of its CSR matrix, zeros included."""
        if name not in self._plastic.names:
            fixed: Float = self._whole.projection(name).weights.data.copy()
            return fixed
        block = self._plastic.names.index(name)
        part = slice(*self._plastic.bounds[block : block + 2])
        signed: Float = (self._weight * self._plastic.sign)[self._plastic.order[part]]
        return signed

    def network_now(self) -> Network:
        """The network with the learned weights and the present biases.

        Synapses at 0 are dropped, with their delays and parameters: the network holds no zeros.
        """
        return with_weights(
            self._whole.with_biases(self.bias), {n: self.weights(n) for n in self._plastic.names}
        )


def with_weights(network: Network, weights: Mapping[str, Float]) -> Network:
    """Replace the weights of some projections, each (nnz,) in CSR order; zeros are dropped."""
    for name, data in weights.items():
        projection: Projection = network.projection(name)
        csr, keep = projection.weights, data != 0
        delays, rule = projection.delays, projection.plasticity
        if delays is not None and np.ndim(delays) > 0:
            delays = np.asarray(delays)[keep]
        matrix = sparse.csr_matrix((data, csr.indices, csr.indptr), shape=csr.shape, copy=True)
        matrix.eliminate_zeros()
        rule = None if rule is None else rule.select(keep)
        new_projection = replace(projection, weights=matrix, delays=delays, plasticity=rule)
        network = network.with_projection(new_projection)
    return network
