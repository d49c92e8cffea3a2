"""Reads a graph of stock Lava Processes into a `QuantizedNetwork` that behaves bit for bit alike.

The graph is taken as Lava's fixed-point models run it (``select_tag="fixed_pt"``): weights lose
their fractions, the sign mode is the one that Lava detects, and both are written down. What cannot
be taken is named, all at once; quirks of Lava are named where they are followed. Nothing here
imports Lava: Processes are known by the names of their classes, see `_foreign_processes`.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from hrsnn_lava.chip_learning import (
    TRACES,
    Factor,
    GradedSpikes,
    Learning,
    LearningRule,
    Product,
    Trace,
)
from hrsnn_lava.errors import NetworkError, SpecError, raise_if
from hrsnn_lava.fields import is_whole
from hrsnn_lava.findings import Finding, warn, worst_first
from hrsnn_lava.integer_format import INT32, SPIKE_COUNT_BITS, WEIGHT_BITS, most_spikes
from hrsnn_lava.network import Target
from hrsnn_lava.notebook import brief
from hrsnn_lava.processes._foreign_graph import ForeignGraph
from hrsnn_lava.processes._foreign_processes import (
    CONNECTIONS,
    LEARNING,
    NEURONS,
    SOURCES,
    Process,
    has_three_factors,
    kind,
)
from hrsnn_lava.processes._foreign_sources import (
    checked_values,
    events,
    note_ends,
    payload_scale,
    sent_rows,
)
from hrsnn_lava.processes._foreign_values import (
    array_of,
    message_bits,
    neuron_field,
    note_float_neurons,
    number,
    option,
    whole,
)
from hrsnn_lava.processes._hierarchy import entered, model_of
from hrsnn_lava.quantized import (
    QuantizedInput,
    QuantizedNetwork,
    QuantizedPopulation,
    QuantizedProjection,
    SignMode,
)
from hrsnn_lava.third_factor import ThirdFactor
from hrsnn_lava.trace import SpikeInput

__all__ = ["FromLava", "from_lava"]

Index: TypeAlias = NDArray[np.integer[Any]]
Matrix: TypeAlias = NDArray[np.integer[Any]] | sparse.csr_matrix
_SIGN_MODE = "lava.utils.weightutils.SignMode"
_TWO_FACTORS = "lava.magma.core.learning.learning_rule.Loihi2FLearningRule"
#: The longest run.
MAX_STEPS = INT32[1]
#: `GradedSpikeCfg` by its value.
_GRADED: tuple[GradedSpikes, ...] = get_args(GradedSpikes)


class _Taken(NamedTuple):
    network: QuantizedNetwork
    inputs: SpikeInput | None
    steps: int


@brief("network=network.name", "neurons=network.n_neurons", "inputs", "steps")
class FromLava(_Taken):
    """A graph that was read: what `hl.simulate` and `hl.verify` take, in their order.

    Attributes:
        network: populations and projections in the order in which the Processes were created,
            under the names that these were given; unnamed ones are ``lif_1``, ``dense_1``,
            ``input_1`` and so on.
        inputs: what the sources of the graph send, None without a source.
        steps: number of steps that `inputs` covers.
        findings: what a user has to know: fractions that Lava cuts off, parameters of its float
            models.
    """

    findings: tuple[Finding, ...] = ()


def from_lava(
    process: Process,
    steps: int | None = None,
    *,
    run_config: Any = None,
    sources: Mapping[Any, ArrayLike] | None = None,
) -> FromLava:
    """Read the graph that `process` belongs to, before it runs.

    ``hl.simulate(*hl.from_lava(lif, steps=100))`` gives the spikes that ``lif.run(RunSteps(100),
    Loihi2SimCfg(select_tag="fixed_pt"))`` gives in Lava. Step 0 here is Lava's time step 1.
    Hierarchical Processes are entered, whatever their depth; the graph stays as it was.

    Args:
        process: any Process of the graph.
        steps: length of the run; a `RingBuffer` starts over as often as needed. By default the
            length of the longest source.
        run_config: Lava's run configuration, where it has to say which of several
            SubProcessModels is meant. By default the one tagged ``fixed_pt``, or the only one.
        sources: what Processes of your own send, by output port, ``{port: values}``; the last axis
            is time, as in a `RingBuffer`, and nothing is sent after its end, which is a note.

    Raises:
        SpecError: `process` is no Lava Process, `steps` is missing, or the graph has parts that
            cannot be taken; every one of them is named.
    """
    named = sources if isinstance(sources, Mapping) else {}
    sent = {port: v for port, v in named.items() if hasattr(port, "process")}
    closed = {id(port.process) for port in sent}
    chosen = run_config if callable(getattr(run_config, "select", None)) else None
    with entered(process, chosen, closed) as found:
        graph = ForeignGraph(found, sent)
        if sources is not None and named is not sources:
            graph.report("sources", f"a {type(sources).__name__}", "{port: values}")
        if chosen is not run_config:
            allowed = "a RunConfig of Lava's, such as Loihi2SimCfg(select_tag='fixed_pt')"
            graph.report("run_config", f"{run_config!r:.60}", allowed)
        for key in named.keys() - sent.keys():
            graph.report("sources", repr(key), "output ports of Processes of this graph")
        taken = _read(graph, steps, sent)
        _check_models(graph, chosen)
        raise_if(SpecError, "this Lava graph cannot be taken", graph.problems)
    taken.findings = worst_first(graph.findings)
    warn(taken.findings)
    return taken


def _read(graph: ForeignGraph, steps: int | None, sent: dict[Any, ArrayLike]) -> FromLava:
    """Everything that is taken, where nothing is reported."""
    graph.check_ports()
    values = checked_values(graph, sent)
    sources = [(p, sent_rows(graph, p, values)) for p in graph.sources]
    given = steps is not None
    if steps is None:
        steps = max((len(rows) for _, rows in sources), default=0)
    if not (is_whole(steps) and 1 <= steps <= MAX_STEPS):
        if given or not graph.has_refused_senders:
            fix = "say how many steps the run has"
            below = is_whole(steps) and steps < 1
            allowed = "a number >= 1" if below else f"a whole number in 1..{MAX_STEPS}"
            graph.report("steps", f"{steps!r:.40}", allowed, fix)
        steps = 1
    steps = int(steps)
    note_ends(graph, sources, steps)
    neurons = [population(graph, p) for p in graph.of(NEURONS)]
    if not graph.of(NEURONS) and not graph.problems:
        for silent in graph.silent:
            graph.refuse(silent)
    peaks = {id(p): np.abs(rows.astype(np.int64)).max(axis=0, initial=0) for p, rows in sources}
    projections = [q for p in graph.of(CONNECTIONS) for q in _projections(graph, p, peaks)]
    graded = {q.pre for q in projections if q.num_message_bits}
    graded |= {
        graph.names[id(link.process)]
        for p in graph.of(LEARNING)
        if has_three_factors(p)
        for link in graph.factor_links(p).values()
        if id(link.process) in graph.names
    }
    channels = [
        QuantizedInput(
            graph.names[id(p)], rows.shape[1], payload_scale(rows, graph.names[id(p)] in graded)
        )
        for p, rows in sources
    ]
    network = QuantizedNetwork((*channels, *filter(None, neurons)), tuple(projections))
    if not graph.problems:
        try:
            network.verify()
        except NetworkError as error:
            graph.problems += error.problems
    with_payloads = any(channel.payload_scale is not None for channel in channels)
    return FromLava(network, events(sources, steps, with_payloads), steps)


def _check_models(graph: ForeignGraph, run_config: Any) -> None:
    """Report what a run configuration has no model for, and note that it picks float models."""
    if run_config is None:
        return
    floats = set()
    for process in (*graph.of(NEURONS), *graph.of(CONNECTIONS), *graph.of(SOURCES)):
        try:
            tags = model_of(process, run_config).tags
        except LookupError as error:
            cause, place = f"{error}".removeprefix("and "), f"run_config, {graph.label(process)}"
            if graph.is_flat:
                graph.report(place, cause, fix="select_tag='fixed_pt' takes those that are read")
            else:  # it may be here for the hierarchical Processes alone
                meaning = "Lava would not run it; its fixed-point model is read"
                graph.note("models_not_taken", place, cause, meaning, severity="note")
            continue
        if "floating_pt" in tags and "fixed_pt" not in tags:
            floats.add(type(process).__name__)
    if floats:
        graph.note(
            "float_models",
            "run_config",
            f"it picks Lava's float models of {', '.join(sorted(floats))}",
            "what is taken is what the fixed-point models do",
            "select_tag='fixed_pt' picks them",
        )


def _projections(
    graph: ForeignGraph, process: Process, peaks: dict[int, NDArray[np.int64]]
) -> list[QuantizedProjection]:
    """The projections of one connection, one for each population that it feeds."""
    sources = list(graph.links(process.s_in))
    targets = graph.targets(process)
    if len(sources) != 1 or id(sources[0].process) not in graph.names:
        return []  # nothing arrives, or what arrives is named already
    source = sources[0]
    every = synapses(graph, process)
    options = every.options
    peak = peaks.get(id(source.process), _most_spikes(source.process))
    if id(source.process) not in peaks and peak is not None and options["num_message_bits"]:
        # which is no limit in Lava
        options["num_message_bits"] = max(options["num_message_bits"], SPIKE_COUNT_BITS)
    if peak is None:
        options["num_message_bits"] = 0  # neurons send 0 and 1, with which both do the same
    elif source.order is not None and options["num_message_bits"] and options["weight_exp"] < 0:
        # Lava wraps the sum to 32 bits before the shift to the right
        most = int((abs(every.matrix().astype(np.int64)) @ peak[source.order]).max(initial=0))
        if most > INT32[1]:
            graph.report(
                f"{graph.label(process)}.weights", f"sums of payloads up to {most}", "32 bits"
            )
    if source.order is None:
        return []
    result = []
    ends: list[tuple[Process, NDArray[np.int64] | None, Target, str]]
    ends = [(target, link.order, "synapse", "") for target, link in targets]
    for learner, y in _taught(graph, process):
        order = graph.factor_order(learner, graph.factor_links(learner)[y])
        neurons = [target for target, _ in graph.targets(learner)]
        ends += [(neurons[0], order, "factor", f"_{y}_of_{graph.names[id(learner)]}")]
    for target, order, role, taught in ends:
        if order is None:
            continue
        suffix = taught or f"_to_{graph.names[id(target)]}"
        placed = every.moved(rows=np.argsort(order), cols=source.order)
        result.append(
            QuantizedProjection(
                graph.names[id(process)] + (suffix if len(ends) > 1 else ""),
                graph.names[id(source.process)],
                graph.names[id(target)],
                placed.matrix(),
                delays=placed.delays,
                learning=learning(graph, process, placed),
                target=role,
                **options,
            )
        )
    return result


def _taught(graph: ForeignGraph, process: Process) -> list[tuple[Process, str]]:
    """Connections to whose y1, y2 or y3 a connection of fixed weights sends."""
    return [
        (learner, y)
        for learner in graph.of(LEARNING)
        if has_three_factors(learner) and len(graph.targets(learner)) == 1
        for y, link in graph.factor_links(learner).items()
        if link.process is process
    ]


def _third_factor(graph: ForeignGraph, learner: Process) -> ThirdFactor:
    """The senders of a three-factor rule by their names here; see `_projections`."""
    names: dict[str, Any] = {"y0": bool(list(graph.links(learner.s_in_bap)))}
    for y, link in graph.factor_links(learner).items():
        sender = link.process
        if id(sender) not in graph.names:
            continue  # named already
        names[y] = graph.names[id(sender)]
        if kind(sender) not in CONNECTIONS:
            continue
        if not list(graph.links(sender.s_in)):
            del names[y]  # a connection that hears nothing sends 0
        elif len(graph.targets(sender)) + len(_taught(graph, sender)) > 1:
            names[y] += f"_{y}_of_{graph.names[id(learner)]}"
    return ThirdFactor(**names)


def _most_spikes(process: Process) -> NDArray[np.int64] | None:
    """What each neuron of a `HeterogeneousLIF` that may send several spikes in a step can send at
    most, (size,); None for all other Processes."""
    own = hasattr(process, "refractory_end")
    if not own or process.proc_params.get("reset") != "subtract_all":
        return None
    return most_spikes(np.ravel(process.vth.init)).astype(np.int64)


def population(graph: ForeignGraph, process: Process) -> QuantizedPopulation | None:
    """The population of a LIF Process; None where something is reported."""
    shape = tuple(process.s_out.shape)
    fields = ["du", "dv", "vth", "bias_mant", "bias_exp"]
    fields += ["refractory"] if hasattr(process, "refractory") else []
    before = len(graph.problems)
    values = {field: neuron_field(graph, process, field, shape) for field in fields}
    for field in ("u", "v"):
        where = f"{graph.label(process)}.{field}"
        start = array_of(graph, where, getattr(process, field).init)
        if start.dtype.kind not in "iufb" or start.any():
            graph.report(where, "not 0 at the start", "a start from rest")
    if len(graph.problems) > before:
        return None
    note_float_neurons(graph, process)
    parameters: dict[str, Any] = dict(values)
    if "refractory" in fields:  # a HeterogeneousLIF: stock Processes take any keyword, and drop it
        parameters["reset"] = process.proc_params["reset"]
    return QuantizedPopulation(graph.names[id(process)], int(np.prod(shape)), **parameters)


class Synapses(NamedTuple):
    """Synapses in coordinates, sorted by row, then column.

    `rows`, `cols`, `data` (integer weights), `delays` and `tags` have one value a synapse;
    `delays` and each of `tags` may be None. `options` are keywords of `QuantizedProjection`.
    """

    shape: tuple[int, int]
    rows: Index
    cols: Index
    data: NDArray[np.int32]
    delays: NDArray[np.int32] | None
    tags: tuple[NDArray[np.int32] | None, NDArray[np.int32] | None]
    options: dict[str, Any]

    def matrix(self) -> sparse.csr_matrix:
        """The weights, (n_post, n_pre)."""
        return sparse.csr_matrix((self.data, (self.rows, self.cols)), shape=self.shape)

    def moved(self, rows: Index, cols: Index) -> "Synapses":
        """The same with row i as row ``rows[i]`` and column j as column ``cols[j]``."""
        new_rows, new_cols = rows[self.rows], cols[self.cols]
        order = np.lexsort((new_cols, new_rows))
        delays = None if self.delays is None else self.delays[order]
        tag_1, tag_2 = (None if tag is None else tag[order] for tag in self.tags)
        places = (new_rows[order], new_cols[order])
        return self._replace(
            rows=places[0],
            cols=places[1],
            data=self.data[order],
            delays=delays,
            tags=(tag_1, tag_2),
        )


def synapses(graph: ForeignGraph, process: Process) -> Synapses:
    """The synapses of a connection, with the options that decide their grid."""
    weights = process.weights.init
    where = f"{graph.label(process)}.weights"
    learns = kind(process) in LEARNING
    if 0 in weights.shape:
        graph.report(where, f"shape {weights.shape}", "a row and a column at least")
    if sparse.issparse(weights):
        merged = weights.tocsr().copy()
        merged.sum_duplicates()
        if merged.nnz != weights.nnz:
            measured = f"{weights.nnz - merged.nnz} entries at places of others"
            graph.report(where, measured, "one entry for a synapse")
        signed = merged  # Sparse looks at the signs before it cuts the fractions off
        places = merged.tocoo()
        values = whole(graph, where, merged.data)
        stored = sparse.coo_matrix((values, (places.row, places.col)), shape=merged.shape)
    else:
        signed = whole(graph, where, weights)
        stored = sparse.coo_matrix(signed)
    mode = _sign_mode(graph, process, signed, learns)
    options = {
        "sign_mode": mode,
        "weight_exp": option(graph, process, "weight_exp", 0),
        "num_weight_bits": option(graph, process, "num_weight_bits", WEIGHT_BITS),
        "num_message_bits": message_bits(graph, process),
    }
    present = stored.data != 0
    if learns and not sparse.issparse(weights):  # in a LearningDense weights of 0 learn as well
        at = np.indices(signed.shape).reshape(2, -1)
        stored = sparse.coo_matrix((signed.ravel(), tuple(at)), shape=signed.shape)
        present = np.ones(stored.nnz, dtype=np.bool_)
    rows, cols = stored.row[present], stored.col[present]
    result = Synapses(stored.shape, rows, cols, stored.data[present], None, (None, None), options)
    if hasattr(process, "delays"):
        result = result._replace(delays=_delays(graph, process, result))
    if learns:
        tags = (_tag(graph, process, "tag_1", result), _tag(graph, process, "tag_2", result))
        result = result._replace(tags=tags)
    return result.moved(np.arange(stored.shape[0]), np.arange(stored.shape[1]))


def _sign_mode(
    graph: ForeignGraph,
    process: Process,
    weights: NDArray[np.generic] | sparse.spmatrix,
    learns: bool,
) -> SignMode:
    """The mode that was asked for, else the one that Lava finds; implicit zeros count.

    Lava: `determine_sign_mode` for fixed weights, where the mode is not said, or 0; a connection
    that learns is MIXED by default. Fixed weights of any mode that Lava does not know are run as
    EXCITATORY: taken where that is what the value says.
    """
    mode = process.proc_params.get("sign_mode")
    unsaid = mode is None or (not learns and type(mode) in (int, bool, str) and not mode)
    if not unsaid:
        of_lava = f"{type(mode).__module__}.{type(mode).__qualname__}" == _SIGN_MODE
        excitatory = isinstance(mode, (int, str)) and mode in ("EXCITATORY", 2)
        name = mode.name if of_lava else "EXCITATORY" * excitatory
        if name in SignMode.__members__ and (of_lava or not learns):
            return SignMode[name]
        measured = str(mode) if of_lava else f"{mode!r:.40}"
        allowed = "MIXED, EXCITATORY or INHIBITORY"
        allowed = allowed if of_lava else f"Lava's SignMode: {allowed}"
        graph.report(f"{graph.label(process)}.sign_mode", measured, allowed)
    if learns or 0 in weights.shape:
        return SignMode.MIXED
    if weights.min() >= 0:
        return SignMode.EXCITATORY
    return SignMode.INHIBITORY if weights.max() <= 0 else SignMode.MIXED


def _delays(graph: ForeignGraph, process: Process, among: Synapses) -> NDArray[np.int32]:
    """Delay of every synapse; a sparse matrix of delays says 0 where it has no entry."""
    values = process.delays.init
    longest = int(values.max()) if hasattr(values, "max") else int(values)
    limit = number(graph, f"{graph.label(process)}.max_delay", process.proc_params["max_delay"])
    if limit < longest:
        measured = f"{limit}, below a delay of {longest}, whose synapses Lava drops"
        graph.report(f"{graph.label(process)}.max_delay", measured, f">= {longest}")
    if sparse.issparse(values):
        values = values.toarray()
    delays: NDArray[np.int32] = np.broadcast_to(values, among.shape)[among.rows, among.cols]
    return delays


def _tag(
    graph: ForeignGraph, process: Process, name: str, among: Synapses
) -> NDArray[np.int32] | None:
    """One tag of every synapse, None where no product reads or writes it."""
    rule = process.proc_params["learning_rule"]
    letter = {"tag_1": "t", "tag_2": "d"}[name]
    series = rule.active_product_series
    state_variables = {f.state_var for s in series.values() for p in s.products for f in p.factors}
    if f"d{letter}" not in series and letter not in state_variables:
        return None
    values = getattr(process, name).init
    if sparse.issparse(values):
        # LearningSparse changes a tag where it has an entry, and nowhere else
        entries, matrix = values.tocoo(), values.tocsr()
        here = set(zip(among.rows.tolist(), among.cols.tolist(), strict=True))
        without = here - set(zip(entries.row.tolist(), entries.col.tolist(), strict=True))
        if without:
            measured = f"no entry at {len(without)} of {len(here)} weights"
            graph.report(f"{graph.label(process)}.{name}", measured, "an entry for every weight")
        elif values.dtype not in (np.int32, np.int64):
            # it shifts them left by 7 in their own type, which wraps, or fails on floats
            measured = f"{values.dtype} values, which Lava shifts in that type"
            graph.report(f"{graph.label(process)}.{name}", measured, "int32 or int64")
        values = matrix.toarray()
    matching = np.broadcast_to(np.asarray(values), among.shape)[among.rows, among.cols]
    return whole(graph, f"{graph.label(process)}.{name}", matching)


def learning(graph: ForeignGraph, process: Process, among: Synapses) -> Learning | None:
    """The learning of a connection; None without a rule, or where something is reported."""
    if kind(process) not in LEARNING:
        return None
    rule, where = process.proc_params["learning_rule"], f"{graph.label(process)}.learning_rule"
    third = _third_factor(graph, process) if has_three_factors(process) else None
    families = {f"{c.__module__}.{c.__qualname__}" for c in type(rule).__mro__}
    if third is None and _TWO_FACTORS not in families:
        allowed = "a rule of Lava's (Loihi2FLearningRule, Loihi3FLearningRule)"
        graph.report(where, f"a {type(rule).__name__}", allowed)
        return None
    products = {
        target: tuple(_product(graph, where, p) for p in series.products)
        for target, series in rule.active_product_series.items()
    }
    fields: dict[str, Any] = {
        name: Trace(float(getattr(rule, f"{name}_impulse")), float(getattr(rule, f"{name}_tau")))
        for name in TRACES
    }
    fields |= products
    learning_rule = LearningRule(
        **fields,
        t_epoch=int(rule.t_epoch),
        decimate_exponent=rule.decimate_exponent,
        rng_seed=int(rule.rng_seed),
    )
    tag_1, tag_2 = (0 if tag is None else tag for tag in among.tags)
    config, limits = process.proc_params["graded_spike_cfg"], (0, len(_GRADED) - 1)
    graded = _GRADED[number(graph, f"{graph.label(process)}.graded_spike_cfg", config, limits)]
    dense = not sparse.issparse(process.weights.init)
    return Learning((learning_rule,), None, tag_1, tag_2, graded, dense, third)


def _product(graph: ForeignGraph, where: str, product: Any) -> Product:
    """A product of Lava's `ProductSeries`, whose exponent is stored 7 too high."""
    factors = []
    for factor in product.factors:
        constant = factor.const or 0
        if factor.state_var == "C" or constant != int(constant):
            text = f"{factor.state_var} + {constant:g}" if factor.state_var != "C" else "C"
            graph.report(where, f"the factor {text}", "a variable plus an integer")
            continue
        factors.append(Factor(factor.state_var, int(constant), bool(factor.is_sgn)))
    return Product(
        product.dependency, int(product.s_mantissa), int(product.s_exp) - 7, tuple(factors)
    )
