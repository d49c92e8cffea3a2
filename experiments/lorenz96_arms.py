"""Four arms on three-level Lorenz-96 (the papers' Table III), with the controls of STDP.

All X are shown and forecast; the levels below them are hidden. Training on 500 samples, forecasts
of the next 100 in closed loop. Every arm has its own tuned mean of tau_mem and strength of STDP,
over the same grid, chosen by forecasts inside the training samples. Values are held, so STDP acts
on recurrent synapses alone.

    python experiments/lorenz96_arms.py --size full --workers 2

With ``--readout quadratic`` the readout has products of decoded values, as the field has.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from command import main, seeds, sentence
from networks import neurons, stdp

from hrsnn_lava.arms import ARMS
from hrsnn_lava.experiment.spec_trial import figures_with_controls, merged
from hrsnn_lava.experiment.study import Arm, Study, StudyResult
from hrsnn_lava.experiment.study_page import Column, StudyPage
from hrsnn_lava.spec import Spec
from hrsnn_lava.training.controls import ROWS

TAUS = (0.005, 0.010, 0.020, 0.040)
RULES = ((0.0005, 1.05), (0.002, 1.05))
VARIANTS = tuple(row for row in ROWS if row != "stdp")
BASE: dict[str, Any] = {
    "network": {
        "size": 300,
        "neurons": {"excitatory": {}, "inhibitory": {}},
        "connectivity": {"mean_degree": 30.0, "gain": 0.2},
        "input": {"weight": {"distribution": "uniform", "low": -1.0, "high": 1.0}},
    },
    "task": {"kind": "lorenz96", "levels": 3},
    "balance": {"rate": 0.03, "spread": 0.5, "passes": 40, "samples": None},
}
PAPER = """
| arm | NRMSE | spikes, z-scored |
|---|---:|---:|
| HoNHoS | 0.395 | -0.768 |
| HeNHoS | 0.203 | -0.143 |
| HoNHeS | 0.372 | -1.102 |
| HeNHeS | 0.195 | -1.018 |

5000 neurons; how the error is taken, and over how long a forecast, the papers do not say.
"""


def trial(settings: dict[str, Any], seed: int, tuning: bool) -> dict[str, float | None]:
    """One arm: errors, spikes, and its controls."""
    settings = dict(settings)
    arm, tau, rule = settings.pop("arm"), settings.pop("tau_mem"), settings.pop("rule")
    rules = {"stdp": stdp(*rule, inputs=False)}
    spec = Spec.parse(merged(BASE, neurons(tau, 0.02) | rules | settings)).arm(arm)
    return figures_with_controls(spec, seed, None, tuning)


def study(arguments: argparse.Namespace) -> Study:
    """The study."""
    small = arguments.size == "small"
    grid = [
        {"tau_mem": tau, "rule": rule}
        for tau in (TAUS[1:3] if small else TAUS)
        for rule in (RULES[1:] if small else RULES)
    ]
    common: dict[str, Any] = {"task.readout": readout_of(arguments)}
    if small:
        common |= {"network.size": 100, "network.connectivity.mean_degree": 15.0}
        common |= {"task.train": 300, "task.horizon": 50, "balance.passes": 15}
    if arguments.size == "paper":
        common |= {"network.size": 5000, "network.connectivity.mean_degree": 100.0}
    arms = tuple(Arm(name, tuple({"arm": name, **point} for point in grid)) for name in ARMS)
    pairs = [("HeNHoS", "HoNHoS"), ("HoNHeS", "HoNHoS"), ("HeNHeS", "HoNHoS")]
    pairs += [("HeNHoS, none", "HoNHoS, none")]
    pairs += [(name, f"{name}, none_at_stdp") for name in ARMS]
    pairs += [(f"{name}, stdp_balanced", f"{name}, shuffled") for name in ARMS]
    return Study(
        "lorenz96_arms" + ending(arguments),
        trial,
        arms,
        tuple(pairs),
        "nrmse",
        better="lower",
        validation="lower",
        tuning_seeds=tuple(range(2 if small else 4)),
        seeds=seeds(arguments, 2, 10, 1400),
        common=common,
        axes=("tau_mem", "rule"),
        variants=VARIANTS,
    )


def page(arguments: argparse.Namespace) -> StudyPage:
    """The page."""
    return StudyPage(
        "Four arms on three-level Lorenz-96",
        str(__doc__).split("\n\n    python", maxsplit=1)[0],
        f"python experiments/lorenz96_arms.py --size {arguments.size}"
        + (f" --readout {readout_of(arguments)}" if ending(arguments) else ""),
        (
            Column("nrmse", "NRMSE, closed loop"),
            Column("one_step_nrmse_mean", "one step", True),
            Column("spikes_per_sample", "spikes a sample", True),
            Column("rate_error", "rate error"),
        ),
        verdict,
        PAPER,
    )


def verdict(result: StudyResult) -> str:
    """A sentence for each claim of the papers; an error that falls is a gain."""

    def gain(arm: str, base: str, figure: str = "nrmse") -> Any:
        return result.difference(base, arm, figure)

    def spikes(arm: str, base: str) -> str:
        a, b = (result.values(name, "spikes_per_sample") for name in (arm, base))
        return f"spikes times {np.mean(a / b):.2f}"

    lines = []
    for arm, what in (
        ("HeNHoS", "Heterogeneous neurons lower the error"),
        ("HoNHeS", "Heterogeneous STDP lowers the error"),
        ("HeNHeS", "Both together lower the error"),
    ):
        told = sentence(gain(arm, "HoNHoS"), f"{what} (HoNHoS minus {arm})", 0.0)
        lines.append(f"{told} ({spikes(arm, 'HoNHoS')})")
        lines.append(f"One step, HoNHoS minus {arm}: {gain(arm, 'HoNHoS', 'one_step_nrmse_mean')}.")
    told = sentence(gain("HeNHoS, none", "HoNHoS, none"), "Heterogeneous neurons without STDP", 0.0)
    lines.append(told)
    lines.append(f"Heterogeneous STDP, {spikes('HoNHeS', 'HoNHoS')} against homogeneous STDP.")
    return "\n".join(f"- {line}" for line in lines)


def readout_of(arguments: argparse.Namespace) -> str:
    """``linear`` or ``quadratic``."""
    return getattr(arguments, "readout", "linear")


def ending(arguments: argparse.Namespace) -> str:
    """Of the names of files, where the readout is not the usual one."""
    readout = readout_of(arguments)
    return "" if readout == "linear" else f"_{readout}"


def more(parser: argparse.ArgumentParser) -> None:
    """The readout."""
    parser.add_argument("--readout", choices=("linear", "quadratic"), default="linear")


if __name__ == "__main__":
    main(study, page, __doc__, more)
