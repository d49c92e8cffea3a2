"""`train --method surrogate`: gradient training of a spec, or of a network on its task."""

from __future__ import annotations

from typing import Any

from hrsnn_lava.cli.console import Console, columns
from hrsnn_lava.cli.train_arguments import TrainArguments
from hrsnn_lava.errors import Problem, SpecError, raise_if

#: Options that STDP alone has, with the values that say nothing.
_OF_STDP = {
    "input_file": None,
    "on_chip": False,
    "backend": "native",
    "reset": None,
    "potentials": None,
    "silence": None,
    "keep_order": False,
    "keep_rules": False,
}
_COLUMNS = ("loss", "error", "right", "rate", "sops", "gradient")


def train_gradients(console: Console, arguments: TrainArguments) -> None:
    """Train, write the network, and say what came of it."""
    from hrsnn_lava.experiment.training import train_by_gradients
    from hrsnn_lava.training.surrogate_checkpoint import Keep

    raise_if(SpecError, "gradient training has no such options", list(_misplaced(arguments)))
    spec, network = _spec(arguments), None
    if arguments.model.suffix == ".hlx":
        from hrsnn_lava.artifacts.container import load_any

        network = load_any(arguments.model, ("network",))
    keep = Keep(arguments.state_file, arguments.resume, arguments.every or 1)
    with console.progress() as progress:
        result = train_by_gradients(
            spec, network, epochs=arguments.epochs, keep=keep, progress=progress
        )
    sha256 = result.network.save(arguments.output)
    if arguments.checkpoint is None:
        for file in (keep.path, keep.sidecar):
            if file is not None:
                file.unlink(missing_ok=True)
    data = {
        "output": arguments.output,
        "sha256": sha256,
        "method": arguments.method,
        "seed": spec.seed,
        "neurons": result.network.n_neurons,
        "synapses": result.network.n_synapses,
        "epochs": result.epochs,
        "resumed": result.resumed,
        "seconds": result.seconds,
        "history": {name: [row[name] for row in result.history] for name in _COLUMNS},
        "findings": [finding.to_dict() for finding in result.findings],
    }
    console.result(data, _text(data))


def _misplaced(a: TrainArguments) -> Any:
    for name, nothing in _OF_STDP.items():
        if getattr(a, name) != nothing:
            option = "--input" if name == "input_file" else f"--{name.replace('_', '-')}"
            yield Problem(option, "given", "with --method stdp alone", "leave it out")
    if a.model.suffix == ".hlx" and a.task is None:
        yield Problem(
            "--task", "missing", "a spec, whose task gives inputs and answers", "add --task SPEC"
        )
    elif a.model.suffix != ".hlx" and a.task is not None:
        yield Problem("--task", "given", "for a network (.hlx); a spec has its own", "leave it out")


def _spec(a: TrainArguments) -> Any:
    from hrsnn_lava.spec import Spec

    spec = Spec.load(a.task or a.model, a.overrides)
    return spec if a.seed is None else spec.model_copy(update={"seed": a.seed})


def _text(data: dict[str, Any]) -> str:
    from hrsnn_lava.report.sections.verdict import findings_lines

    taken = f", {data['resumed']} of them before it was resumed" if data["resumed"] else ""
    lines = [
        columns([("epochs", f"{data['epochs']}{taken}"), ("time", f"{data['seconds']:.3g} s")])
    ]
    rows = []
    for k in sorted({0, data["epochs"] // 2, data["epochs"] - 1}):
        values = [data["history"][name][k] for name in _COLUMNS]
        rows.append((str(k + 1), *("-" if v is None else f"{v:.4g}" for v in values)))
    header = ("epoch", "loss", "error", "right", "rate", "SOPs a step", "gradient")
    lines += ["", columns(rows, header, right=tuple(range(7)))]
    lines += findings_lines(data["findings"])
    return "\n".join([*lines, "", f"written to {data['output']}"])
