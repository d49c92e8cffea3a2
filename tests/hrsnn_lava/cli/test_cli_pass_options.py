"""Every option of every pass: said in a spec or on the command line, and seen in the record."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import pytest

import hrsnn_lava as hl
from hrsnn_lava import registry
from hrsnn_lava.aftercare_options import pruning_methods
from hrsnn_lava.compiler.analysis.arrays import arrays_on
from hrsnn_lava.compiler.analysis.dynamics import (
    centrality,
    covariance,
    lyapunov,
    neuron_exponents,
)
from hrsnn_lava.compiler.analysis.dynamics.neuron_exponents import ParticipationOptions
from hrsnn_lava.compiler.learning.lowering import LowerSTDP
from hrsnn_lava.compiler.pruning.budget import BUDGETS
from hrsnn_lava.compiler.pruning.rescale import Rescale
from hrsnn_lava.options import options_of

#: Of the run behind exponents.
PARTICIPATION: dict[str, Any] = {
    "steps": 20,
    "transient": 5,
    "qr_every": 2,
    "width": 0.4,
    "n_exponents": 3,
    "drive": 0.1,
    "noise": 0.2,
    "reset_gradient": True,
    "floor": 1e-9,
    "linearisation": "event",
    "slope_floor": 0.01,
    "eps": 0.1,
    "window": 10,
}
#: Modes of rescaling, each with what it reads, and defaults of what others do.
MATCH = {"mode": "match", "gamma": 1.0, "cap": 4.0, "ridge": 1e-3}
INVERSE = {"mode": "inverse", "gamma": 0.5, "cap": 4.0, "ridge": 1e-3}
REFIT = {"mode": "refit", "gamma": 1.0, "cap": None, "ridge": 0.1}
#: For every option of every pass a value that is not its default.
VALUES: dict[str, dict[str, Any]] = {
    "prune_activity": {
        "density": 0.4,
        "rescale": REFIT,
    },
    "prune_balanced": {
        "density": 0.4,
        "rule": "one_input",
        "weights": "lyapunov",
        "beyond": "rule",
        "gain": 0.7,
        "compensate": False,
        "rescale": MATCH,
        "seed": 4,
    },
    "prune_betweenness": {"fraction": 0.2, "rounds": 2, "n_pivots": 5, "seed": 4, "device": "cuda"},
    "prune_erdos_renyi": {
        "density": 0.4,
        "rescale": MATCH,
        "seed": 4,
    },
    "prune_lyapunov": {
        "density": 0.4,
        "score": "product",
        "exponents": "participation",
        "participation": PARTICIPATION,
        "rescale": INVERSE,
        "sampling": "systematic",
        "per_sop": True,
        "iterations": 2,
        "signed": True,
        "union": True,
        "stabilise": "dominant",
        "margin": 0.2,
        "covariance": "sampled",
        "chains": 32,
        "precision": "float32",
        "device": "cuda",
        "seed": 4,
    },
    "prune_magnitude": {
        "density": 0.4,
        "per_sop": True,
        "rescale": MATCH,
    },
    "prune_neurons": {
        "fraction": 0.2,
        "rounds": 2,
        "score": "activity",
        "connected": False,
        "n_pivots": 5,
        "ridge": 0.1,
        "seed": 4,
        "device": "cuda",
    },
    "prune_random": {
        "density": 0.4,
        "sampling": "bernoulli",
        "rescale": INVERSE,
        "seed": 4,
    },
    "rescale_time": {
        "evaluations": 3,
        "target": -0.1,
        "penalty": 0.5,
        "shift": 1.5,
        "stretch": 1.2,
        "tau_min": 0.002,
        "tau_max": 0.2,
        "search": "random",
        "spectrum": PARTICIPATION,
        "seed": 4,
    },
    "delocalize": {
        "share": 0.3,
        "objective": "min_ipr",
        "within": "anywhere",
        "seed": 4,
    },
    "quantize": {
        "weight_bits": 5,
        "input_range": 3.0,
        "stdp": {
            "max_profiles": 2,
            "max_error": 0.2,
            "amplitudes": "tags",
            "match": "peak",
            "headroom": 8.0,
            "t_epoch": 2,
            "seed": 4,
        },
        "scaling": "mse",
        "headroom": "none",
        "margin": 3.0,
    },
    "canonical": {},
    "stock_groups": {"groups": 5, "seed": 4},
    "lower_stock": {"max_processes": 250},
    "partition": {
        "method": "index",
        "neurons_per_core": 20,
        "tolerance": 0.1,
        "palette_weight": 2.0,
        "baselines": False,
        "seed": 4,
    },
    "palette": {},
    "absorb_thresholds": {
        "enabled": False,
        "input_range": 3.0,
        "typical_rate": 0.1,
        "reserve": 0.1,
        "tolerance": 0.1,
    },
    "place": {"method": "row", "crossing": 3, "effort": 0.5, "seed": 4},
}
#: What each mode of rescaling does not read, and so refuses.
UNREAD = {"match": ("gamma", "ridge"), "inverse": ("ridge",), "refit": ("gamma", "cap")}
#: What the command line calls the options of a pass.
PREFIX = {
    "prune_neurons": "drop-",
    "stock_groups": "stock-",
    "lower_stock": "stock-",
    "partition": "partition-",
    "absorb_thresholds": "absorb-",
    "place": "place-",
}
OTHERWISE = {
    "--partition-neurons-per-core": "--neurons-per-core",
    "--absorb-input-range": "--input-range",
    "--drop-fraction": "--drop-neurons",
    "--rescale-mode": "--rescale",
    "--absorb-enabled": "--absorb-thresholds",
    "--no-absorb-enabled": "--keep-thresholds",
}


def on_the_command_line(name: str, values: dict[str, Any], *parents: str) -> list[str]:
    """The options that say the same."""
    said: list[str] = []
    for key, value in values.items():
        if value is None:
            continue
        if isinstance(value, dict):
            said += on_the_command_line(name, value, *parents, key)
            continue
        word = "-".join((*parents, key)).replace("_", "-")
        if isinstance(value, bool):
            option = f"--{'' if value else 'no-'}{PREFIX.get(name, '')}{word}"
            said.append(OTHERWISE.get(option, option))
        else:
            option = f"--{PREFIX.get(name, '')}{word}"
            said += [OTHERWISE.get(option, option), str(value)]
    return said


def as_toml(values: dict[str, Any], path: str) -> str:
    """A table and those inside it."""
    lines, inner = [f"[{path}]"], ""
    for key, value in values.items():
        if isinstance(value, dict):
            inner += as_toml(value, f"{path}.{key}")
        else:
            text = f'"{value}"' if isinstance(value, str) else str(value).lower()
            lines.append(f"{key} = {text}")
    return "\n".join([*lines, "", inner])


def assert_no_default(cls: Any, values: dict[str, Any]) -> None:
    # of the budgets, or a fraction of the neurons and budgets, only one can be given
    others = BUDGETS if "fraction" in values else BUDGETS[1:]
    own = [f for f in fields(cls) if f.name not in others]
    assert set(values) == {f.name for f in own}, "an option that this test does not know"
    for field in own:
        value, default = values[field.name], field.default
        if isinstance(value, dict):
            inner = {"stdp": LowerSTDP, "rescale": Rescale}
            inner |= dict.fromkeys(("participation", "spectrum"), ParticipationOptions)
            assert is_dataclass(inner[field.name])
            assert_no_default(inner[field.name], value)
        elif not (cls is Rescale and field.name in UNREAD[values["mode"]]):
            assert value != default, field.name


def test_the_values_are_all_there_and_none_is_a_default() -> None:
    assert set(VALUES) == set(registry.names("pass"))
    for name, values in VALUES.items():
        assert_no_default(registry.load("pass", name), values)


@pytest.mark.parametrize("method", pruning_methods())
def test_pruning_from_a_spec(method: str) -> None:
    values = VALUES[f"prune_{method}"]
    table = {"method": method, **values, "drop_neurons": VALUES["prune_neurons"]}
    prune = hl.Spec.parse({"prune": table}).prune
    step = options_of(prune.step(method, prune.rescale))
    budget = dict.fromkeys(("sops_per_spike", "sop_ratio", "sops"))
    assert step == budget | values
    by_spikes = {k: v for k, v in table.items() if k != "density"} | {"sops_per_spike": 1.5}
    in_sops = hl.Spec.parse({"prune": by_spikes}).prune
    told = options_of(in_sops.step(method, in_sops.rescale))
    assert told == {**budget, **values, "density": None, "sops_per_spike": 1.5}
    assert options_of(prune.drop_neurons) == dict.fromkeys(BUDGETS) | VALUES["prune_neurons"]
    other = options_of(prune.step("random" if method != "random" else "magnitude", "none"))
    assert other["density"] == 0.4
    assert other.get("seed") is None  # a control has the defaults of its method


@pytest.mark.parametrize("method", pruning_methods())
def test_pruning_from_the_command_line(
    method: str, run: Any, files: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def on_the_cpu(device: Any) -> Any:
        asked.append(device)
        return arrays_on("cpu" if device == "cuda" else device)

    for module in (centrality, covariance, lyapunov, neuron_exponents):
        monkeypatch.setattr(module, "arrays_on", on_the_cpu)
    values = {k: v for k, v in VALUES[f"prune_{method}"].items() if k != "seed"}
    dropped = {k: v for k, v in VALUES["prune_neurons"].items() if k != "seed"}
    said = on_the_command_line(f"prune_{method}", values)
    said += on_the_command_line("prune_neurons", dropped)
    command = ("prune", files.network, "--method", method, "--seed", "4", "-o", "p.hlx", "--json")
    command += ("--no-kept",)
    outcome = run(*command, *said)
    assert outcome.code == 0, outcome.err
    recorded = outcome.json()["options"]
    assert {k: recorded[k] for k in values} == values
    assert recorded.get("seed", 4) == 4
    report = outcome.json()["passes"]["prune_neurons"]
    assert (report["fraction"], report["score"], report["connected"]) == (0.2, "activity", False)
    by_paths = run(*command, *said, "--drop-score", "betweenness").json()["passes"]
    assert by_paths["prune_neurons"]["pivots"] == [5, 5]
    assert "cuda" in asked


def records(outcome: Any) -> dict[str, dict[str, Any]]:
    """Options in the records of a compilation, by pass."""
    assert outcome.code == 0, outcome.err
    return {p["name"]: p["options"] for p in outcome.json()["passes"]}


MAPPED = ("partition", "absorb_thresholds", "place")
LEARNS = '[stdp]\nprojections = ["exc_inh"]\n'


def table_of(name: str) -> dict[str, Any]:
    """Values of a pass, with thresholds absorbed, so that there is a record of it."""
    return {k: v for k, v in VALUES[name].items() if k != "enabled"}


def compiled(run: Any, *options: str) -> Any:
    return run("compile", "s.toml", "-o", "c.hlx", "--json", *options)


def test_compiling_a_spec_with_every_option(run: Any, files: Any, tmp_path: Any) -> None:
    stdp = VALUES["quantize"]["stdp"]
    text = files.spec.read_text() + LEARNS + as_toml(stdp, "stdp").removeprefix("[stdp]\n")
    quantize = {k: v for k, v in VALUES["quantize"].items() if k != "stdp"}
    text += as_toml(quantize, "quantize")
    text += "".join(as_toml(table_of(name), name) for name in MAPPED)
    (tmp_path / "s.toml").write_text(text)
    recorded = records(compiled(run))
    assert recorded["quantize"] == VALUES["quantize"]
    assert recorded["partition"] == VALUES["partition"]
    assert recorded["absorb_thresholds"] == {**VALUES["absorb_thresholds"], "enabled": True}
    assert recorded["place"] == VALUES["place"]
    without = text.replace("[absorb_thresholds]", "[absorb_thresholds]\nenabled = false")
    (tmp_path / "s.toml").write_text(without)
    assert "absorb_thresholds" not in records(compiled(run))


def test_compiling_with_every_option_on_the_command_line(
    run: Any, files: Any, tmp_path: Any
) -> None:
    (tmp_path / "s.toml").write_text(files.spec.read_text() + LEARNS)
    said = on_the_command_line("quantize", VALUES["quantize"])
    for name in MAPPED:
        said += on_the_command_line(
            name, {k: v for k, v in table_of(name).items() if k != "input_range"}
        )
    recorded = records(compiled(run, *said))
    assert recorded["quantize"] == VALUES["quantize"]
    assert recorded["partition"] == VALUES["partition"]
    assert recorded["absorb_thresholds"] == {**VALUES["absorb_thresholds"], "enabled": True}
    assert recorded["place"] == VALUES["place"]
    assert "absorb_thresholds" not in records(compiled(run, *said, "--keep-thresholds"))


def test_stock_processes_from_a_spec_and_from_the_command_line(
    run: Any, files: Any, tmp_path: Any
) -> None:
    names = ("stock_groups", "lower_stock")
    path = tmp_path / "s.toml"
    # one Process for each set of parameters needs more formats of synapses than Loihi 1 has
    base = files.spec.read_text() + '[compile]\nprofile = "loihi2"\n'
    path.write_text(base + "".join(as_toml(VALUES[name], name) for name in names))
    recorded = records(compiled(run))
    assert {name: recorded[name] for name in names} == {name: VALUES[name] for name in names}
    path.write_text(base)
    said = [word for name in names for word in on_the_command_line(name, VALUES[name])]
    recorded = records(compiled(run, *said))
    assert {name: recorded[name] for name in names} == {name: VALUES[name] for name in names}
    recorded = records(compiled(run, "--stock-groups", "4", "--lower-stock"))
    assert recorded["stock_groups"] == {"groups": 4, "seed": 3}
    assert recorded["lower_stock"] == {"max_processes": 300}
    assert set(names).isdisjoint(records(compiled(run)))
    refused = compiled(run, "--stock-seed", "4")
    (problem,) = refused.json()["error"]["problems"]
    assert (refused.code, problem["where"], problem["measured"]) == (2, "--stock-groups", "missing")


def test_the_command_line_goes_before_the_spec(run: Any, files: Any, tmp_path: Any) -> None:
    text = files.spec.read_text() + LEARNS + "max_profiles = 2\nmatch = 'peak'\n"
    text += "[partition]\ntolerance = 0.2\nbaselines = false\n"
    (tmp_path / "s.toml").write_text(text)
    recorded = records(compiled(run, "--stdp-max-profiles", "1", "--partition-baselines"))
    stdp = recorded["quantize"]["stdp"]
    assert (stdp["max_profiles"], stdp["match"], stdp["headroom"]) == (1, "peak", 16.0)
    assert (recorded["partition"]["tolerance"], recorded["partition"]["baselines"]) == (0.2, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--weight-bits", "9"], "--weight-bits: 9; allowed: <= 8"),
        (["--stdp-t-epoch", "0"], "--stdp-t-epoch: 0; allowed: >= 1"),
        (["--place-effort", "-1"], "--place-effort: -1.0; allowed: >= 0"),
        (["--place-method", "spiral"], "--place-method: 'spiral'; allowed: search, chips"),
        (["--partition-tolerance", "0"], "--partition-tolerance: 0.0; allowed: > 0"),
    ],
)
def test_values_out_of_range_are_named_as_options(
    run: Any, files: Any, options: list[str], message: str
) -> None:
    outcome = run("compile", files.network, "--profile", "loihi1", "-o", "c.hlx", *options)
    assert outcome.code == 2
    assert message in outcome.err


def test_the_help_says_whose_default_is_whose(run: Any) -> None:
    text = " ".join(run("prune", "--help").out.split())
    assert (
        "[default: none for activity, magnitude; match for balanced, erdos_renyi, lyapunov, random]"
        in text
    )
    assert "[default: bernoulli for lyapunov; exact for random]" in text
    assert "--sop-ratio FLOAT By how much the recurrent SOPs are to fall" in text
