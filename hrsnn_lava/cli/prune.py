"""``prune``: take synapses, and neurons if asked to, out of a float network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hrsnn_lava.cli.arguments import INPUT_FILE, output_option, seed_option
from hrsnn_lava.cli.console import Console, columns, with_console

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hrsnn_lava.compiler.pruning.rescale import Rescale
    from hrsnn_lava.network import Network

METHODS = ("lyapunov", "activity", "random", "magnitude")
#: Methods that keep a synapse with a probability, which ``--rescale inverse`` divides by.
SAMPLING = ("lyapunov", "random")
#: Steps that ``activity`` simulates to measure rates, and for how many a value is held (ours).
RATE_STEPS, HELD_STEPS = 2000, 20
#: Probability of a spike in a step, for input channels that carry no values (ours).
INPUT_SPIKES = 0.1


@click.command("prune")
@click.argument("network", type=INPUT_FILE)
@click.option(
    "--method", type=click.Choice(METHODS), required=True, help="How synapses are ranked."
)
@click.option(
    "--density",
    type=click.FloatRange(0, 1),
    required=True,
    help="Share of the recurrent synapses to keep.",
)
@click.option(
    "--rescale",
    type=click.Choice(["none", "inverse", "match"]),
    help="Gains of what is kept: none, 1/p, or so that every neuron's summed input stays.  "
    "[default: match for lyapunov and random, else none]",
)
@click.option(
    "--exponents",
    type=click.Choice(["isolated", "participation"]),
    help="lyapunov: exponents of isolated neurons, or from the driven network.  "
    "[default: isolated]",
)
@click.option(
    "--score",
    type=click.Choice(["lyapunov", "weight", "product"]),
    help="lyapunov: the matrix that scores synapses.  [default: lyapunov]",
)
@click.option(
    "--drop-neurons",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    show_default=True,
    help="Share of the neurons to drop first, those of least betweenness.",
)
@seed_option("Of the sampling, and of the input that rates are measured with.")
@output_option("Network to write (.hlx).")
@with_console
def prune(
    console: Console,
    network: Path,
    method: str,
    density: float,
    rescale: str | None,
    exponents: str | None,
    score: str | None,
    drop_neurons: float,
    seed: int,
    output: Path,
) -> None:
    """Prune the recurrent synapses of NETWORK, a float network (.hlx)."""
    _check(method, rescale, {"--exponents": exponents, "--score": score})
    from hrsnn_lava.compiler.passes.prune_betweenness import PruneBetweenness
    from hrsnn_lava.network import Network

    before = after = Network.load(network)
    passes: dict[str, Any] = {}
    with console.progress() as progress:
        if drop_neurons:
            progress(f"drop neurons: {drop_neurons:.0%}")
            after, report = PruneBetweenness(drop_neurons, seed=seed).apply(after)
            # the indices of the neurons that stay would drown the rest
            passes["prune_betweenness"] = {k: v for k, v in report.items() if k != "kept"}
        scale = _rescale(method, rescale)
        if method == "activity":
            progress(f"measure rates: {RATE_STEPS} steps")
        step = _pass(console, method, density, scale, exponents, score, seed, after)
        progress(f"prune: {method}, density {density:g}")
        after, passes[step.name] = step.apply(after)
    after.save(output)
    spectrum = {"before": spectral_facts(before), "after": spectral_facts(after)}
    data = {
        "output": output,
        "method": method,
        "seed": seed,
        "neurons": {"before": before.n_neurons, "after": after.n_neurons},
        "synapses": {"before": before.n_synapses, "after": after.n_synapses},
        "projections": {
            p.name: {"before": p.n_synapses, "after": after.projection(p.name).n_synapses}
            for p in before.projections
            if p.target == "synapse"
        },
        "spectrum": spectrum,
        "passes": passes,
    }
    console.result(data, _text(data, passes[step.name]))


def _check(method: str, rescale: str | None, lyapunov_only: dict[str, str | None]) -> None:
    """Refuse options that the method does not have: to ignore them would deceive."""
    for option, value in lyapunov_only.items():
        if value is not None and method != "lyapunov":
            raise click.UsageError(f"{option} belongs to --method lyapunov, not to {method}")
    if rescale == "inverse" and method not in SAMPLING:
        raise click.UsageError(
            f"--rescale inverse divides by the probability of keeping a synapse, which --method "
            f"{method} has none of; use none or match"
        )


def _rescale(method: str, mode: str | None) -> Rescale:
    from hrsnn_lava.compiler.pruning.rescale import Rescale

    if mode is None:
        mode = "match" if method in SAMPLING else "none"
    return Rescale("1/p" if mode == "inverse" else mode)  # type: ignore[arg-type]


def _pass(
    console: Console,
    method: str,
    density: float,
    rescale: Rescale,
    exponents: Any,
    score: Any,
    seed: int,
    network: Network,
) -> Any:
    if method == "lyapunov":
        from hrsnn_lava.compiler.passes.prune_lyapunov import PruneLyapunov

        score, exponents = score or "lyapunov", exponents or "isolated"
        return PruneLyapunov(density, score, mode=exponents, rescale=rescale, seed=seed)
    if method == "random":
        from hrsnn_lava.compiler.passes.prune_random import PruneRandom

        return PruneRandom(density, rescale=rescale, seed=seed)
    if method == "magnitude":
        from hrsnn_lava.compiler.passes.prune_magnitude import PruneMagnitude

        return PruneMagnitude(density, rescale=rescale)
    from hrsnn_lava.compiler.passes.prune_activity import PruneActivity

    rates = measured_rates(network, seed)
    console.note(
        f"rates: measured over {RATE_STEPS} steps with random input, N(0, 1) held for "
        f"{HELD_STEPS} steps, seed {seed}; mean {rates.mean():.4g} spikes per neuron and step"
    )
    return PruneActivity(rates, density=density, rescale=rescale)


def measured_rates(network: Network, seed: int, steps: int = RATE_STEPS) -> NDArray[np.float64]:
    """Spikes per step of every neuron, (n_neurons,), with its bias and a seeded random input.

    Channels that carry values get one of N(0, 1) every 20 steps, others spikes with probability
    0.1 a step: our choice, where the task's own input is not known.
    """
    import numpy as np

    from hrsnn_lava.seeding import generator
    from hrsnn_lava.sim_backends.native.layout import Events
    from hrsnn_lava.sim_backends.native.simulator import FloatSimulator

    simulator, rng = FloatSimulator(network), generator(seed, "prune/rates")
    n, n_in = network.n_neurons, network.n_inputs
    valued = np.zeros(n_in, dtype=np.bool_)
    for population in network.input_populations:
        first = network.offset(population.name)
        valued[first : first + population.size] = population.graded
    counts = np.zeros(n, dtype=np.int64)
    for _ in range(-(-steps // HELD_STEPS)):
        x = rng.standard_normal(n_in)
        sent = rng.random((HELD_STEPS, n_in)) < INPUT_SPIKES
        sent[:, valued] = False
        sent[:1, valued] = True
        at, channel = np.nonzero(sent)
        value = np.where(valued[channel], x[channel], 1.0)
        starts = np.searchsorted(at, np.arange(HELD_STEPS + 1)).astype(np.int64)
        events = Events(starts, (channel + n).astype(np.int32), value)
        bias = simulator.bias + _drive(network, x)
        counts += np.bincount(simulator.advance(HELD_STEPS, events, bias)[1], minlength=n)
    return counts / (HELD_STEPS * -(-steps // HELD_STEPS))


def _drive(network: Network, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """What input values x (n_inputs,) add to the biases, (n_neurons,)."""
    import numpy as np

    drive = np.zeros(network.n_neurons)
    for projection in network.projections:
        if projection.target == "bias":
            pre, post = network.offset(projection.pre), network.offset(projection.post)
            n_post, n_pre = projection.weights.shape
            drive[post : post + n_post] += projection.weights @ x[pre : pre + n_pre]
    return drive


def spectral_facts(network: Network) -> dict[str, Any]:
    """Largest real part of the eigenvalues of the recurrent weights, and how it was found."""
    from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
    from hrsnn_lava.compiler.analysis.dynamics.stability import spectral_abscissa

    edges = recurrent_edges(network)
    if not edges.n_edges:
        return {"abscissa": 0.0, "estimate": "no synapses"}
    found = spectral_abscissa(edges.matrix)
    return {"abscissa": found.value, "estimate": found.method}


def _text(data: dict[str, Any], report: dict[str, Any]) -> str:
    rows: list[tuple[Any, ...]] = [
        (what, data[what]["before"], data[what]["after"]) for what in ("neurons", "synapses")
    ]
    rows += [
        (f"  {name}", counts["before"], counts["after"])
        for name, counts in data["projections"].items()
    ]
    spectrum = data["spectrum"]
    rows.append(
        ("spectral abscissa of W", *(spectrum[when]["abscissa"] for when in ("before", "after")))
    )
    lines = [columns(rows, ("", "before", "after"), right=(1, 2))]
    gains = report["rescale"]
    lines.append(
        f"rescale: {gains['mode']}, gain mean {gains['gain_mean']:.3g}, max {gains['gain_max']:.3g}"
    )
    for number, found in enumerate(report.get("rounds", []), 1):
        if "sampled" in found:
            lines.append(_round_text(number, found))
    lines.append(f"written to {data['output']}")
    return "\n".join(lines)


def _round_text(number: int, found: dict[str, Any]) -> str:
    sampled, stability = found["sampled"], found["stability"]
    return (
        f"round {number}: Lyapunov matrix stable with margin {stability['margin']:g} (abscissa "
        f"{stability['abscissa']:.4g}); sampled: relative spectral change "
        f"{sampled['relative_change_mean']:.3g} on average, {sampled['relative_change_max']:.3g} "
        f"at most, abscissa {sampled['abscissa']:.4g} "
        f"({'stable' if sampled['stable'] else 'not stable'})"
    )
