"""What `prune` says of what is kept: of one pruned network, and of all methods side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from hrsnn_lava.artifacts.files import write_text
from hrsnn_lava.cli.console import Console, columns
from hrsnn_lava.cli.pass_options import chosen, fields_of, merged
from hrsnn_lava.errors import HrsnnError, Problem, SpecError

if TYPE_CHECKING:
    from hrsnn_lava.network import Network
    from hrsnn_lava.trace import SpikeInput
    from hrsnn_lava.training.kept_by_method import KeptByMethod

#: Rows of the table of one network: heading, and key among the figures of before and after.
SINGLE = (
    ("spikes per step", "spikes_per_step"),
    ("SOPs per step, recurrent", "sops"),
    ("largest Lyapunov exponent (1/s)", "largest_exponent"),
    ("spectral radius of W", "spectral_radius"),
    ("memory of the input", "memory"),
)
#: The same of figures that compare with the unpruned network.
ALIKE = (
    ("correlation of rates", "rate_correlation"),
    ("correlation of covariances", "covariance_correlation"),
    ("correlation of traces", "trace_correlation"),
)
#: What stands for all methods.
ALL = "all"


def check_mode(context: click.Context) -> None:
    """A usage error for options of one mode that are given in the other, or that it lacks."""

    def given(name: str) -> bool:
        return context.get_parameter_source(name) is not ParameterSource.DEFAULT

    compares = context.params["compare"] is not None
    for param in context.command.params:
        name = str(param.name)
        if not compares and name in ("method", "output") and context.params[name] is None:
            raise click.MissingParameter(ctx=context, param=param)
    wrong = ["method", "output", "kept"] if compares else ["draws", "page"]
    if compares:
        steps = ("drop_", "drop__", "delocalize")
        names = [str(param.name) for param in context.command.params]
        wrong += [name for name in names if name.startswith(steps)]
    for name in wrong:
        if given(name):
            why = "does not go with" if compares else "needs"
            shown = "no-kept" if name == "kept" else name.replace("__", "-").replace("_", "-")
            raise click.UsageError(f"--{shown} {why} --compare", ctx=context)


def kept_facts(
    console: Console,
    before: Network,
    after: Network,
    survivors: Any,
    inputs: SpikeInput | None,
    seed: int,
) -> dict[str, Any] | None:
    """What a pruned network keeps; None, with a remark, where it cannot be measured."""
    from hrsnn_lava.training.kept import kept

    try:
        found = kept(before, after, inputs, survivors=survivors, seed=seed)
    except HrsnnError as error:
        console.note(f"what is kept was not measured: {error}")
        return None
    return found.to_dict()


def kept_text(facts: Mapping[str, Any]) -> str:
    """What one pruned network keeps: before, after, and before from another initial state."""
    before, after, again = facts["before"], facts["after"], facts["ceiling"]
    rows: list[tuple[Any, ...]] = [(name, before[key], after[key], "") for name, key in SINGLE]
    rows += [(name, "", facts["compared"][key], again[key]) for name, key in ALIKE]
    table = columns(rows, ("kept", "before", "after", "before, again"), right=(1, 2, 3))
    neurons = facts["neurons_compared"]
    return (
        f"{table}\nkept: input {facts['input']}; rates as they came; traces and covariances of "
        f"{neurons:,} neurons"
    )


def methods_of(text: str, known: Mapping[str, Any]) -> tuple[str, ...]:
    """The methods of a comma-separated list, or all; every wrong name is reported."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [
        Problem("--compare", repr(name), ", ".join((ALL, *known)))
        for name in names
        if name not in known and name != ALL
    ]
    if unknown:
        raise SpecError("unknown method", problems=unknown)
    if not names:
        raise SpecError(f"--compare: no method; allowed: {ALL}, or some of {', '.join(known)}")
    return tuple(known) if ALL in names else names


def steps_of(
    names: tuple[str, ...], known: Mapping[str, Any], parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """A pass for every method, with what the user said of it.

    Raises:
        UsageError: an option that none of the methods has: to ignore it deceives.
    """
    own = {f.parameter for name in names for f in fields_of(known[name])}
    for option, owner in merged(known):
        if parameters.get(option.parameter) is not None and option.parameter not in own:
            raise click.UsageError(f"--{option.dashed} belongs to {owner}, which is not compared")
    return {name: chosen(known[name], parameters) for name in names}


def compare_methods(
    console: Console,
    network: Network,
    steps: Mapping[str, Any],
    inputs: SpikeInput | None,
    seed: int,
    draws: int,
    page: Path | None,
) -> None:
    """Prune a network by several methods and print what each keeps; and a page, if asked for."""
    from hrsnn_lava.training.kept_by_method import MethodOptions, kept_by_method

    options = MethodOptions(draws=draws)
    with console.progress() as progress:
        table = kept_by_method(
            network, steps, inputs, seed=seed, options=options, progress=progress
        )
    budget = _budget(steps)
    data = {"network": network.name, "seed": seed, "draws": draws, "budget": budget}
    if page is not None:
        from hrsnn_lava.report.kept_page import kept_page

        write_text(page, kept_page(table, network.name, budget, console.made()))
        data["page"] = str(page)
    text = compared_text(table)
    console.result(data | table.to_dict(), f"{text}\nwritten to {page}" if page else text)


def _budget(steps: Mapping[str, Any]) -> str:
    """The budget of all methods; one of a user's own may know a density alone."""
    amounts = [step.amount for step in steps.values() if hasattr(step, "amount")]
    return str(amounts[0]) if amounts else f"{100 * next(iter(steps.values())).density:g} %"


def compared_text(table: KeptByMethod) -> str:
    """The table of all methods; the best values are marked."""
    from hrsnn_lava.report.kept_page import cell, notes
    from hrsnn_lava.training.kept_by_method import FIGURES

    best = {figure.name: table.best(figure) for figure in FIGURES}
    rows = [
        (
            row,
            *(
                f"{cell(table, row, f).replace(' ± ', ' +- ')}{'*' if row in best[f.name] else ' '}"
                for f in FIGURES
            ),
        )
        for row in table.rows
    ]
    header = ("", *(f"{figure.title} " for figure in FIGURES))
    lines = [columns(rows, header, right=range(1, len(header))), table.sentence(), table.caution()]
    lines += [line.replace("±", "+-") for line in notes(table)]
    return "\n".join(line for line in lines if line)
