"""A network whose weights and parameters learn by gradients, and its run step by step, in torch.

The potential is kept as v / (1 - beta), as `hrsnn_lava.sim_backends.floating` keeps it, in the same
order of operations; sums over synapses alone may differ from it, in the last bit::

    u[t] = alpha u[t-1] + sum_d s[t-1-d] W_d        v[t] = beta v[t-1] + u[t] + (bias + drive[t])
    s[t] = v[t] > v_threshold / (1 - beta);  then v = 0, and stays 0 for the refractory steps

or the threshold is taken off, at once or in the next step, see `hrsnn_lava.resets`.

Learned numbers theta begin at 0, where the network is the given one::

    w = w_0 + m theta, or sign(w_0) |w_0 + m theta| where signs are kept      m = mean |w_0|
    tau = tau_0 exp(theta)     v_threshold = v_0 exp(theta)     bias = bias_0 + v_0 theta
    delay = delay_0 + theta steps, the nearest whole one in every run (`surrogate_delays`)

Synapses that are not there cannot come: matrices are dense, but filled at stored places alone.
Dense products were measured to be the fastest on a CPU up to 2000 neurons of 2 % density (20 ms a
step and 32 samples there, both ways; torch's sparse ones took 2 to 3 times as long going back).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrsnn_lava.csr import rows_of
from hrsnn_lava.network import Network, Population, Projection
from hrsnn_lava.resets import SUBTRACT, SUBTRACT_NEXT
from hrsnn_lava.sim_backends.floating.simulator import LONG, with_weights
from hrsnn_lava.sim_backends.learning_program import source_offset
from hrsnn_lava.surrogate_options import SurrogateOptions
from hrsnn_lava.training.surrogate_delays import delay_steps, longest_of, shares

__all__ = ["Learnable", "Parameters", "Shown", "State", "Values", "run"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Tensor = Any
#: Parameters of neurons that can learn, and whether by a factor.
FIELDS = {"tau_mem": True, "tau_syn": True, "v_threshold": True, "bias": False}


@dataclass(frozen=True, eq=False)
class Parameters:
    """What neurons and synapses have now.

    neurons:  (n_neurons,) by `FIELDS`
    keep_u, keep_v: (n_neurons,) shares of current and potential that a step leaves
    threshold, bias: (n_neurons,) of the potential v / (1 - beta)
    weights:  (nnz,) by projection
    shares:   (nnz, longest + 1) of the weights that arrive with each delay, by projection; of those
              alone whose delays learn
    """

    neurons: Mapping[str, Tensor]
    keep_u: Tensor
    keep_v: Tensor
    threshold: Tensor
    bias: Tensor
    weights: Mapping[str, Tensor]
    shares: Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Values:
    """What a run computes with; matrices are (n_sources, n_neurons), by delay in steps.

    slope is 1 / (width threshold), (n_neurons,), of the smooth step.
    """

    keep_u: Tensor
    keep_v: Tensor
    threshold: Tensor
    slope: Tensor
    bias: Tensor
    recurrent: tuple[tuple[int, Tensor], ...]
    inputs: tuple[tuple[int, Tensor], ...]
    drive: Tensor | None


@dataclass(frozen=True, eq=False)
class Shown:
    """What a batch is shown.

    events:  (lead + steps, batch, n_inputs) values sent, `Learnable.lead` steps before the first
             included; None where nothing is sent
    held:    (steps / block, batch, n_inputs) values held, each for a block; None where none are
    block:   steps of a block
    steps:   of the run
    """

    events: Tensor | None
    held: Tensor | None
    block: int
    steps: int


@dataclass(frozen=True, eq=False)
class State:
    """Where a run stands: (batch, n_neurons) each; `past` are the last spikes, the newest last."""

    u: Tensor
    v: Tensor
    waiting: Tensor | None
    past: tuple[Tensor, ...]

    def detached(self) -> State:
        """The same state, from which no error goes back."""
        past = tuple(s.detach() for s in self.past)
        return State(self.u.detach(), self.v.detach(), self.waiting, past)


@dataclass(frozen=True, eq=False)
class _Part:
    """The synapses of one projection that may have a delay: their places in matrix and weights."""

    projection: str
    at: Ints
    rows: Ints
    columns: Ints


@dataclass(eq=False)
class Learnable:
    """A float network with what is learned of it.

    Attributes:
        network: the given one.
        options: what learns, and how.
        torch: the module.
        theta: what is learned, by name: ``weights/PROJECTION``, ``delays/PROJECTION``, or a field
            of `LIF`.
    """

    network: Network
    options: SurrogateOptions
    torch: Any
    theta: dict[str, Tensor] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        network, o = self.network.verify(), self.options
        self._dtype = getattr(self.torch, o.precision)
        self._base = {name: network.gather(name) for name in FIELDS}
        self._groups = {name: _groups(network, getattr(o, name)) for name in FIELDS}
        for name, groups in self._groups.items():
            if groups is not None:
                self._add(name, int(groups.max()) + 1)
        self._delays: dict[str, Floats] = {}
        self._longest: dict[str, int] = {}
        for p in network.projections:
            if _learns(network, p, o):
                self._add(f"weights/{p.name}", p.n_synapses)
                if o.delays == "synapse" and p.target == "synapse":
                    self._add(f"delays/{p.name}", p.n_synapses)
                    self._delays[p.name] = delay_steps(p.delays, p.n_synapses, network.dt)
                    self._longest[p.name] = max(
                        longest_of(self._delays[p.name], o.longest_delay, network.dt), 1
                    )
        self.refractory = np.rint(network.gather("refractory") / network.dt).astype(np.int64)
        self.reset_codes = network.reset_codes
        self._parts = _parts(network, self._longest)
        self._constants: dict[str, Tensor] = {}
        self._places: dict[Any, Tensor] = {}

    def _add(self, name: str, size: int) -> None:
        zeros = self.torch.zeros(size, dtype=self._dtype, device=self.options.device)
        self.theta[name] = zeros.requires_grad_()

    @property
    def lead(self) -> int:
        """Steps before a run whose input still arrives in it."""
        return 1 + max((delay for delay, _ in self._parts["inputs"]), default=0)

    @property
    def depth(self) -> int:
        """Steps of the past whose spikes still arrive."""
        return 1 + max((delay for delay, _ in self._parts["recurrent"]), default=0)

    def tensor(self, values: Any) -> Tensor:
        """Numbers in the precision and on the device of the training."""
        return self.torch.as_tensor(np.array(values), dtype=self._dtype, device=self.options.device)

    def parameters(self) -> Parameters:
        """Of the neurons and synapses, differentiable in `theta`."""
        torch, dt = self.torch, self.network.dt
        neurons = {name: self._field(name) for name in FIELDS}
        tau_syn, tau_mem = neurons["tau_syn"], neurons["tau_mem"]
        filtered = self._constant("filtered", self._base["tau_syn"] > 0)
        safe = torch.where(filtered, tau_syn, torch.ones_like(tau_syn))
        keep_u = torch.where(filtered, torch.exp(-dt / safe), torch.zeros_like(safe))
        leak = 1.0 - torch.exp(-dt / tau_mem)
        # as the simulator has it: of a long time constant, the difference has few digits left
        gain = torch.where(leak < LONG, -torch.expm1(-dt / tau_mem), leak)
        leaks = self._constant("leaks", np.isfinite(self._base["tau_mem"]))
        gain = torch.where(leaks, gain, torch.ones_like(gain))
        return Parameters(
            neurons,
            1.0 - (1.0 - keep_u),
            1.0 - leak,
            neurons["v_threshold"] / gain,
            neurons["bias"],
            {p.name: self._weights(p) for p in self.network.projections},
            {
                name: shares(torch, self._delay(name), longest)
                for name, longest in self._longest.items()
            },
        )

    def values(self, parameters: Parameters) -> Values:
        """What a run computes with."""
        p = parameters

        def matrices(kind: str) -> tuple[tuple[int, Tensor], ...]:
            delays = (delay for delay, _ in self._parts[kind])
            return tuple((d, self._matrix(kind, k, d, p)) for k, d in enumerate(delays))

        drives = matrices("drive")
        return Values(
            p.keep_u,
            p.keep_v,
            p.threshold,
            1.0 / (self.options.width * p.threshold),
            p.bias,
            matrices("recurrent"),
            matrices("inputs"),
            drives[0][1] if drives else None,
        )

    def start(self, batch: int, values: Values, rng: np.random.Generator | None) -> State:
        """At rest, or at potentials in [0, threshold) that are drawn for each sample."""
        n = self.network.n_neurons
        zeros = self.tensor(np.zeros((batch, n)))
        v = zeros
        if rng is not None:
            v = self.tensor(rng.random((batch, n))) * values.threshold.detach()
        waiting = None
        if self.refractory.any():
            waiting = self.torch.zeros((batch, n), dtype=self.torch.int64, device=zeros.device)
        return State(zeros, v, waiting, (zeros,) * self.depth)

    def hold_bounds(self) -> None:
        """Move learned time constants and delays back between their bounds."""
        o = self.options
        with self.torch.no_grad():
            for name, steps in self._delays.items():
                theta, longest = self.theta[f"delays/{name}"], self._longest[name]
                theta.copy_(theta.clamp(self.tensor(-steps), self.tensor(longest - steps)))
            for name in ("tau_mem", "tau_syn"):
                groups, base = self._groups[name], self._base[name]
                if groups is None:
                    continue
                theta = self.theta[name]
                learns = np.isfinite(base) & (base > 0)
                low, high = np.full(len(theta), -np.inf), np.full(len(theta), np.inf)
                lows = np.log(np.minimum(o.shortest / base[learns], 1.0))
                highs = np.log(np.maximum(o.longest / base[learns], 1.0))
                np.maximum.at(low, groups[learns], lows)
                np.minimum.at(high, groups[learns], highs)
                theta.copy_(theta.clamp(self.tensor(low), self.tensor(high)))

    def learned(self) -> Network:
        """The network with what was learned; its other properties are those of the given one."""
        network = self.network
        with self.torch.no_grad():
            parameters = self.parameters()
        for population in network.compute_populations:
            first = network.offset(population.name)
            own = slice(first, first + population.size)
            fields = {
                name: _array(parameters.neurons[name])[own] for name in FIELDS if name in self.theta
            }
            network = network.with_population(population.with_parameters(**fields))
        for name, before in self._delays.items():
            steps = np.rint(_array(self._delay(name)))
            if not np.array_equal(steps, before):
                projection: Projection = network.projection(name)
                network = network.with_projection(replace(projection, delays=steps * network.dt))
        weights = {
            p.name: _array(parameters.weights[p.name])
            for p in network.projections
            if f"weights/{p.name}" in self.theta
        }
        return with_weights(network, weights).verify()

    def _constant(self, name: str, values: NDArray[Any]) -> Tensor:
        if name not in self._constants:
            device = self.options.device
            constant = self.torch.as_tensor(np.array(values), device=device)
            if constant.is_floating_point():
                constant = constant.to(self._dtype)
            self._constants[name] = constant
        return self._constants[name]

    def _field(self, name: str) -> Tensor:
        """(n_neurons,) values of a parameter; what is 0 or infinite stays so."""
        base, groups = self._constant(name, self._base[name]), self._groups[name]
        if groups is None:
            return base
        theta = self.theta[name][self._constant(f"groups/{name}", groups)]
        if not FIELDS[name]:
            return base + self._constant("unit", self._base["v_threshold"]) * theta
        learns = np.isfinite(self._base[name]) & (self._base[name] > 0)
        moved = (
            self._constant(f"safe/{name}", np.where(learns, self._base[name], 1.0)) * theta.exp()
        )
        return self.torch.where(self._constant(f"learns/{name}", learns), moved, base)

    def _weights(self, p: Projection) -> Tensor:
        """(nnz,) weights of a projection, in the order of its CSR matrix."""
        data, name = p.weights.data, f"weights/{p.name}"
        base = self._constant(name, data)
        if name not in self.theta:
            return base
        moved = base + float(np.abs(data).mean()) * self.theta[name]
        if not _keeps_signs(self.network, p, self.options):
            return moved
        return self._constant(f"signs/{p.name}", np.sign(data)) * moved.abs()

    def _delay(self, name: str) -> Tensor:
        """(nnz,) delays of a projection in steps, no whole numbers."""
        return self._constant(f"delays/{name}", self._delays[name]) + self.theta[f"delays/{name}"]

    def _matrix(self, kind: str, place: int, delay: int, parameters: Parameters) -> Tensor:
        """(n_sources, n_neurons) weights of one delay."""
        torch, device = self.torch, self.options.device
        n, parts = self.network.n_neurons, self._parts[kind][place][1]
        n_sources = n if kind == "recurrent" else self.network.n_inputs
        if (kind, place) not in self._places:
            at = np.concatenate([part.columns * n + part.rows for part in parts])
            self._places[kind, place] = (
                torch.as_tensor(at, device=device),
                [torch.as_tensor(part.at, device=device) for part in parts],
            )
        places, own = self._places[kind, place]
        weights, arriving = parameters.weights, parameters.shares
        chosen = [
            weights[part.projection][k]
            if part.projection not in arriving
            else weights[part.projection] * arriving[part.projection][:, delay]
            for part, k in zip(parts, own, strict=True)
        ]
        zeros = torch.zeros(n_sources * n, dtype=self._dtype, device=device)
        # sums where two projections join the same neurons
        return zeros.index_add(0, places, torch.cat(chosen)).view(n_sources, n)


def run(
    learnable: Learnable,
    values: Values,
    shown: Shown,
    state: State,
    step: Callable[[Tensor], Tensor],
) -> tuple[Tensor, State]:
    """Run a batch; spikes (steps, batch, n_neurons), and where it stands then.

    Args:
        learnable: has the refractory steps.
        values: of its parameters.
        shown: what the batch is shown.
        state: at its beginning.
        step: of the spike, see `hrsnn_lava.training.surrogate_steps`.
    """
    torch, lead = learnable.torch, learnable.lead
    arriving = None
    if shown.events is not None and values.inputs:
        pieces = [
            shown.events[lead - 1 - delay : lead - 1 - delay + shown.steps] @ matrix
            for delay, matrix in values.inputs
        ]
        # views of all steps at once: going back, each view of its own would fill a whole array
        arriving = sum(pieces[1:], pieces[0]).unbind(0)
    held = None
    if shown.held is not None and values.drive is not None:
        held = (values.bias + shown.held @ values.drive).unbind(0)
    refractory = None
    if state.waiting is not None:
        refractory = torch.as_tensor(learnable.refractory, device=state.waiting.device)
    u, v, waiting, past = state.u, state.v, state.waiting, list(state.past)
    threshold, slope = values.threshold, values.slope
    through = learnable.options.reset_gradient
    at_once, later = _taken_off(learnable)
    for t in range(shown.steps):
        current = torch.zeros_like(u) if arriving is None else arriving[t]
        for delay, matrix in values.recurrent:
            current = torch.addmm(current, past[-1 - delay], matrix)
        u = torch.addcmul(current, u, values.keep_u)
        bias = values.bias if held is None else held[t // shown.block]
        v = torch.addcmul(u, v, values.keep_v) + bias
        if waiting is not None:
            v = torch.where(waiting > 0, torch.zeros_like(v), v)
        if later is not None:
            v = v - threshold * later * (past[-1] if through else past[-1].detach())
        x = (v - threshold) * slope
        spikes = step(x)
        if waiting is not None:
            waiting = torch.where(x > 0, refractory, (waiting - 1).clamp(min=0))
        sent = spikes if through else spikes.detach()
        if at_once is None:
            v = v * (1.0 - sent)
        else:
            v = v - sent * torch.where(at_once > 0, threshold, torch.where(later > 0, 0.0, v))
        past.append(spikes)
    depth = learnable.depth
    return torch.stack(past[depth:]), State(u, v, waiting, tuple(past[-depth:]))


def _taken_off(learnable: Learnable) -> tuple[Tensor, Tensor]:
    """1 for neurons whose threshold is taken off at once, and in the next step, (n_neurons,) each.

    None, twice, where all potentials are set to 0.
    """
    codes = learnable.reset_codes
    if codes is None:
        return None, None
    return learnable.tensor(codes == SUBTRACT), learnable.tensor(codes == SUBTRACT_NEXT)


def _array(values: Tensor) -> Floats:
    array: Floats = values.detach().cpu().numpy().astype(np.float64)
    return array


def _groups(network: Network, learned: str) -> Ints | None:
    """Place of every neuron's number among those that are learned; None where none are."""
    if learned == "none":
        return None
    if learned == "neuron":
        return np.arange(network.n_neurons, dtype=np.int64)
    sizes = [p.size for p in network.compute_populations]
    return np.repeat(np.arange(len(sizes), dtype=np.int64), sizes)


def _learns(network: Network, p: Projection, options: SurrogateOptions) -> bool:
    """What has a rule of its own keeps its weights here: it goes on to learn on the chip."""
    asked = (
        options.input_weights if network.population(p.pre).is_input else (options.recurrent_weights)
    )
    return asked and p.plasticity is None and p.n_synapses > 0


def _keeps_signs(network: Network, p: Projection, options: SurrogateOptions) -> bool:
    population: Population = network.population(p.pre)
    if p.target != "synapse":
        return False
    one_sign = p.weights.data.min() > 0 or p.weights.data.max() < 0
    return population.sign is not None or (options.signs == "kept" and bool(one_sign))


def _parts(
    network: Network, longest: Mapping[str, int]
) -> dict[str, tuple[tuple[int, tuple[_Part, ...]], ...]]:
    """Synapses of inputs, of neurons, and of held values, by delay.

    Those of a projection in `longest`, whose delays learn, are at every delay up to that.
    """
    found: dict[str, dict[int, list[_Part]]] = {"inputs": {}, "recurrent": {}, "drive": {}}
    n = network.n_neurons
    for p in network.projections:
        if not p.n_synapses:
            continue
        is_input = network.population(p.pre).is_input
        kind = "drive" if p.target == "bias" else "inputs" if is_input else "recurrent"
        rows = rows_of(p.weights) + network.offset(p.post)
        columns = p.weights.indices.astype(np.int64) + source_offset(network, p.pre)
        columns -= n if is_input else 0
        steps = np.zeros(p.n_synapses)
        if kind != "drive":
            steps = delay_steps(p.delays, p.n_synapses, network.dt)
        learned = longest.get(p.name)
        for delay in np.unique(steps) if learned is None else range(learned + 1):
            at = np.flatnonzero(steps == delay) if learned is None else np.arange(p.n_synapses)
            part = _Part(p.name, at, rows[at], columns[at])
            found[kind].setdefault(int(delay), []).append(part)
    return {
        kind: tuple((delay, tuple(of[delay])) for delay in sorted(of)) for kind, of in found.items()
    }
