"""A network from arrays of weights, as another program trained it, in this project's equations.

One population of neurons, driven by channels of inputs. What the arrays mean, a convention says.
With the spikes x of the inputs and s of the neurons, and a reset to 0, the other programs do::

    snntorch         v[t] = beta v[t-1] + b + c[t],   c[t] = alpha c[t-1] + W x[t] + V s[t-1]
    snntorch_rleaky  the same, and v is held at 0 in the step after a spike
    norse            v[t] = v[t-1] + k (b + c[t] - v[t-1]),   k = dt / tau_mem,
                     c[t] = (1 - dt / tau_syn) c[t-1] + W x[t] + V s[t-1]
    exact            this project's, see `hrsnn_lava.network`

and all fire where v > v_threshold. With ``reset="subtract"`` each subtracts as it does itself::

    snntorch, snntorch_rleaky   v[t] = beta v[t-1] + b + c[t] - v_threshold s[t-1], without a hold:
                                its ``reset_mechanism="subtract"``, here ``subtract_next``
    norse, exact                v[t] = v[t] - v_threshold where it fires

and ``subtract_next`` is the first of these for all. Two things differ from `hrsnn_lava.network`:

**The factor.** Here a current enters with 1 - beta, in snnTorch with 1. Potentials have no unit of
their own, so the network takes (1 - beta) v for its potential: weights and biases stay the numbers
that they are, and the threshold becomes (1 - beta) v_threshold. Without a leak (beta = 1) the
factor is 1 on both sides.

**The step.** Here an event of step t acts in step t + 1, as on the chip; there x[t] acts in step t.
So every spike comes one step later (`DELAYS`). A bias acts from step 0 on, which is one step more
of it: the network does on x exactly what the other program does on x with an empty step before it.
With ``bias_channel`` the bias comes through an input channel of its own, the last one; where that
sends in every step, spikes are those on x itself, one step later, from the first one on.

**The filter.** `bias` stands outside of it, in every convention. What comes through a channel goes
through the filter, so ``bias_channel`` is refused for neurons that have one. The bias of a layer in
front of a filter, such as a ``Linear`` before ``Synaptic``, is W x + b there, and passes through:
it is a column of `w_in` and no `bias`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from hrsnn_lava.csr import as_csr
from hrsnn_lava.errors import NetworkError, Problem, raise_if
from hrsnn_lava.fields import is_flag, is_positive, real_values
from hrsnn_lava.resets import RESETS, Reset
from hrsnn_lava.spelling import misspelt, unknown_options
from hrsnn_lava.time_constants import membrane_gain, time_constant

Float = NDArray[np.float64]
Convention = Literal["exact", "snntorch", "snntorch_rleaky", "norse"]
#: What `Network.from_arrays` takes beside `ArrayOptions`.
_NAMED = ("w_in", "w_rec", "tau_mem", "v_threshold", "dt")
#: By how many steps a spike comes later here than in the other program, for each convention.
DELAYS: Final[dict[str, int]] = {"exact": 0, "snntorch": 1, "snntorch_rleaky": 1, "norse": 1}


@dataclass(frozen=True, eq=False)
class ArrayOptions:
    """What `Network.from_arrays` may be told beside weights, membrane and step.

    Attributes:
        convention: what the arrays mean, see the module.
        beta: share of the potential that is left after a step, 0..1, instead of `tau_mem`.
        tau_syn: time constant of the synaptic current in seconds, 0: no filter.
        alpha: share of the current that is left after a step, 0..1, instead of `tau_syn`.
        bias: constant current, outside of the filter of `tau_syn` or `alpha`.
        bias_channel: send the bias through one more input channel, the last one; for neurons
            without a filter.
        refractory: seconds for which v stays 0 after a spike.
        reset: what a spike does to v: ``zero``, ``subtract`` (as the convention does it, see the
            module), ``subtract_next`` or ``subtract_all``, which sends several spikes in a step and
            none of the programs does. What subtracts has no refractory period.
        split_signs: weights of both signs become two projections, one for each, which hold 8 bits
            where one of both signs holds 7; False keeps one, which takes fewer axons.
        name: of the network.
        input_name, neuron_name: of its populations.
    """

    convention: Convention = "exact"
    beta: ArrayLike | None = None
    tau_syn: ArrayLike = 0.0
    alpha: ArrayLike | None = None
    bias: ArrayLike = 0.0
    bias_channel: bool = False
    refractory: ArrayLike = 0.0
    reset: Reset = "zero"
    split_signs: bool = True
    name: str = "network"
    input_name: str = "input"
    neuron_name: str = "neurons"

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> ArrayOptions:
        """Those of keywords.

        Raises:
            NetworkError: a keyword that `Network.from_arrays` does not have.
        """
        known = (*_NAMED, *(field.name for field in fields(cls)))
        raise_if(NetworkError, "from_arrays has no such option", unknown_options(options, known))
        return cls(**options)


#: Parameters that may be None: what the other one of a pair says, or none.
_OPTIONAL = ("tau_mem", "beta", "alpha")


@dataclass(frozen=True, eq=False)
class Translation:
    """Arrays in this project's convention.

    Attributes:
        n_inputs, n_neurons: sizes of both populations.
        neuron: fields of `LIF`, (n_neurons,) each. reset: of them all.
        projections: name, whether it comes from the inputs, and weights (n_post, n_pre).
    """

    n_inputs: int
    n_neurons: int
    neuron: dict[str, Float]
    reset: Reset
    projections: tuple[tuple[str, bool, sparse.csr_matrix], ...]


def translate(
    w_in: Any, w_rec: Any, tau_mem: Any, v_threshold: Any, dt: float, options: ArrayOptions
) -> Translation:
    """The neurons and projections of arrays; see `Network.from_arrays`.

    Raises:
        NetworkError: shapes that do not belong together, a convention or a reset that cannot be
            expressed, a time constant given twice or not at all: all at once.
    """
    problems = [*_choice_problems(options), *_twice_problems(tau_mem, options)]
    inputs, recurrent = _matrix("w_in", w_in), _matrix("w_rec", w_rec)
    size = _size(inputs, recurrent, (tau_mem, options.beta, v_threshold))
    for name, matrix in (("w_in", inputs), ("w_rec", recurrent)):
        if matrix is not None:
            problems += _shape_problems(name, matrix.shape, size, square=matrix is recurrent)
    if not is_positive(dt):
        problems.append(Problem("dt", repr(dt), "seconds > 0"))
    raise_if(NetworkError, "the arrays are no network", problems)
    parameters = {"tau_mem": tau_mem, "beta": options.beta, "v_threshold": v_threshold}
    parameters |= {k: getattr(options, k) for k in ("tau_syn", "alpha", "bias", "refractory")}
    values = {name: _parameter(name, value, size) for name, value in parameters.items()}
    problems = [*_value_problems({k: v for k, v in values.items() if v is not None}, dt, options)]
    raise_if(NetworkError, "the arrays are no network", problems)
    neuron = _neuron(values, dt, options)
    if options.bias_channel:
        raise_if(NetworkError, "the arrays are no network", _channel_problems(neuron))
        channel = sparse.csr_matrix(neuron["bias"][:, None])
        inputs = channel if inputs is None else sparse.hstack([inputs, channel], format="csr")
        neuron["bias"] = np.zeros(size)
    projections = [
        *_projections("w_in", inputs, options),
        *_projections("w_rec", recurrent, options),
    ]
    n_inputs = 0 if inputs is None else int(inputs.shape[1])
    return Translation(n_inputs, size, neuron, _reset(options), tuple(projections))


def _reset(options: ArrayOptions) -> Reset:
    """The reset in this project's words: a subtraction of snnTorch's comes a step later."""
    late = options.reset == "subtract" and options.convention.startswith("snntorch")
    return "subtract_next" if late else options.reset


def _choice_problems(options: ArrayOptions) -> Iterator[Problem]:
    if not isinstance(options.convention, str):
        yield Problem("convention", f"{options.convention!r:.40}", f"one of {', '.join(DELAYS)}")
    elif options.convention not in DELAYS:
        yield misspelt("convention", options.convention, DELAYS)
    for name in ("bias_channel", "split_signs"):
        if not is_flag(value := getattr(options, name)):
            yield Problem(name, f"{value!r:.40}", "True or False")
    if not isinstance(options.reset, str):
        yield Problem("reset", f"{options.reset!r:.40}", f"one of {', '.join(RESETS)}")
    elif options.reset not in RESETS:
        yield misspelt("reset", options.reset, RESETS)


def _twice_problems(tau_mem: Any, options: ArrayOptions) -> Iterator[Problem]:
    """A time constant that is given as seconds and as a share, or not at all."""
    if tau_mem is None and options.beta is None:
        yield Problem("tau_mem", "None", "seconds > 0", "or give beta, the share left after a step")
    if tau_mem is not None and options.beta is not None:
        yield Problem("tau_mem, beta", "both are given", "one of them")
    if options.alpha is not None and np.any(
        real_values("tau_syn", _detached(options.tau_syn)) != 0
    ):
        yield Problem("tau_syn, alpha", "both are given", "one of them")


def _value_problems(
    values: dict[str, Float], dt: float, options: ArrayOptions
) -> Iterator[Problem]:
    """Shares outside 0..1, and steps that Euler's method cannot take."""
    for name in ("beta", "alpha"):
        if name not in values:
            continue
        share = values[name]
        # a current without decay would be held for ever: the chip's has a leak
        wrong = ~((share >= 0) & (share <= 1)) if name == "beta" else ~((share >= 0) & (share < 1))
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            allowed = "0..1" if name == "beta" else "0..1, 1 not included"
            yield Problem(
                name, f"{share[first]:g} at neuron {first} ({wrong.sum()} in all)", allowed
            )
    if options.convention != "norse":
        return
    for name, instead in (("tau_mem", "beta"), ("tau_syn", "alpha")):
        tau = values.get(name)
        if tau is None or instead in values:
            continue
        wrong = (tau < dt) & (tau != 0 if name == "tau_syn" else True)
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            measured = f"{tau[first]:g} s at neuron {first} ({wrong.sum()} in all)"
            fix = "Euler's step is as long as the time constant at most; make dt shorter"
            yield Problem(name, measured, f">= dt = {dt:g} s", fix)


def _channel_problems(neuron: dict[str, Float]) -> Iterator[Problem]:
    """A bias that its channel would send through a filter, which makes it grow."""
    filtered = (neuron["tau_syn"] > 0) & (neuron["bias"] != 0)
    if filtered.any():
        first = int(np.flatnonzero(filtered)[0])
        measured = f"a bias and a filter at neuron {first} ({filtered.sum()} in all)"
        fix = (
            "leave bias_channel out: the bias then acts outside of the filter. If it is to pass "
            "through, as that of a Linear before Synaptic, give no bias, and "
            "w_in=np.column_stack([w_in, bias])"
        )
        yield Problem("bias_channel", measured, "neurons without tau_syn or alpha", fix)


def _matrix(name: str, value: Any) -> sparse.csr_matrix | None:
    """Weights (n_post, n_pre) as a matrix; None for none."""
    if value is None:
        return None
    if sparse.issparse(value):
        return as_csr(name, value, np.float64)
    array = real_values(name, _detached(value))
    if array.ndim != 2:
        measured = f"shape {array.shape}"
        allowed = "(n_neurons, n_inputs)" if name == "w_in" else "(n_neurons, n_neurons)"
        raise NetworkError(str(Problem(name, measured, allowed)))
    return sparse.csr_matrix(array)


def _detached(value: Any) -> Any:
    """A tensor of torch without its gradient, which NumPy can read; anything else as it is."""
    return value.detach().cpu().numpy() if hasattr(value, "detach") else value


def _size(inputs: Any, recurrent: Any, others: tuple[Any, ...]) -> int:
    """Number of neurons: what the weights say, else the parameters."""
    for matrix in (recurrent, inputs):
        if matrix is not None:
            return int(matrix.shape[0])
    return max([1, *(int(np.size(_detached(value))) for value in others if value is not None)])


def _shape_problems(
    name: str, shape: tuple[int, int], size: int, *, square: bool
) -> Iterator[Problem]:
    allowed = (size, size) if square else (size, shape[1])
    if shape != allowed:
        rows = f"({size}, {size if square else 'n_inputs'})"
        fix = "transpose it" if shape[1] == size else "rows are neurons, columns what they hear"
        yield Problem(name, f"shape {shape}", rows, fix)


def _parameter(name: str, value: Any, size: int) -> Float | None:
    """One value a neuron, (n_neurons,)."""
    if value is None and name in _OPTIONAL:
        return None
    array = real_values(name, _detached(value))
    if array.ndim == 0 or array.shape == (1,):
        return np.full(size, float(array.reshape(-1)[0]))
    if array.shape != (size,):
        problem = Problem(name, f"shape {array.shape}", f"a scalar or ({size},)")
        raise NetworkError(str(problem))
    return array


def _neuron(values: dict[str, Float | None], dt: float, options: ArrayOptions) -> dict[str, Float]:
    """Fields of `LIF`: time constants, threshold, bias, refractory period."""
    convention = options.convention
    tau_mem, beta = values["tau_mem"], values["beta"]
    tau_syn, alpha = values["tau_syn"], values["alpha"]
    if convention == "norse":  # Euler's shares
        beta = 1.0 - dt / tau_mem if beta is None and tau_mem is not None else beta
        if alpha is None and tau_syn is not None:
            with np.errstate(divide="ignore"):
                alpha = np.where(tau_syn == 0, 0.0, 1.0 - dt / tau_syn)
    if beta is not None:
        tau_mem = time_constant(beta, dt)
    if alpha is not None:
        tau_syn = np.where(alpha == 0, 0.0, time_constant(alpha, dt))
    fields = {"tau_mem": tau_mem, "tau_syn": tau_syn}
    fields |= {name: values[name] for name in ("v_threshold", "bias", "refractory")}
    neuron = {name: np.array(value, dtype=np.float64) for name, value in fields.items()}
    if convention.startswith("snntorch"):
        neuron["v_threshold"] *= membrane_gain(neuron["tau_mem"], dt)
    if convention == "snntorch_rleaky" and options.reset == "zero":
        neuron["refractory"] += dt
    return neuron


def _projections(
    name: str, matrix: sparse.csr_matrix | None, options: ArrayOptions
) -> Iterator[tuple[str, bool, sparse.csr_matrix]]:
    """The projection of a matrix; two where it has both signs and these are to be parted."""
    if matrix is None:
        return
    from_inputs, data = name == "w_in", matrix.data
    if not (options.split_signs and (data > 0).any() and (data < 0).any()):
        yield name, from_inputs, matrix
        return
    for part, chosen in (("exc", data >= 0), ("inh", ~(data >= 0))):
        signed = matrix.copy()
        signed.data = np.where(chosen, data, 0.0)
        yield f"{name}_{part}", from_inputs, signed
