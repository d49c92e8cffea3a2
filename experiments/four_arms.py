"""Four arms on a classification: neurons and STDP homogeneous or heterogeneous, with controls.

The arms of the papers' Tables I and III (HoNHoS, HeNHoS, HoNHeS, HeNHeS), means preserved between
them. STDP acts on input and recurrent synapses of excitatory neurons, on samples without labels;
then a ridge of spikes is fitted. Every arm is tuned over the same grid of the mean tau_mem and of
the amplitude and the ratio of STDP. Beside each stand the rows without which STDP says nothing: no
STDP, STDP with its rates brought back, its weights shuffled, the start's scaled to the learned
mean, and no STDP at the rates that STDP led to.

    python experiments/four_arms.py --set japanese_vowels --path FILE --size full --workers 2
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from command import main, of_a_set, seeds, sentence
from networks import SPIKING, neurons, stdp, task

from hrsnn_lava.arms import ARMS
from hrsnn_lava.experiment.spec_trial import figures_with_controls, merged
from hrsnn_lava.experiment.study import Arm, Study, StudyResult
from hrsnn_lava.experiment.study_page import Column, StudyPage
from hrsnn_lava.spec import Spec
from hrsnn_lava.training.controls import ROWS

TAUS = (0.005, 0.010, 0.020, 0.040)
#: Amplitude A+ in units of w_max, and A- / A+.
RULES = ((0.0005, 1.05), (0.002, 1.05), (0.002, 1.3))
VARIANTS = tuple(row for row in ROWS if row != "stdp")
PAPER = """
| arm | KTH | DVS128 | SHD | spikes on SHD, z-scored |
|---|---:|---:|---:|---:|
| HoNHoS | 86.33 | 90.33 | 73.58 | -0.508 |
| HeNHoS | 92.16 | 92.16 | 78.87 | 0.277 |
| HoNHeS | - | 93.37 | 74.03 | -1.292 |
| HeNHeS | 94.32 | 96.54 | 80.49 | -1.154 |

Accuracy in per cent; other data, 2000 (KTH, DVS128) and 5000 neurons (SHD).
"""


def trial(settings: dict[str, Any], seed: int, tuning: bool) -> dict[str, float | None]:
    """One arm: accuracy, spikes, and its controls."""
    settings = dict(settings)
    arm, tau, rule = settings.pop("arm"), settings.pop("tau_mem"), settings.pop("rule")
    samples = settings.pop("stdp_samples")
    tables = merged(SPIKING, neurons(tau) | {"stdp": stdp(*rule)} | settings)
    spec = Spec.parse(tables).arm(arm)
    return figures_with_controls(spec, seed, samples, tuning)


def study(arguments: argparse.Namespace) -> Study:
    """The study of a set."""
    small = arguments.size == "small"
    taus, rules = (TAUS[1:3], RULES[1:2]) if small else (TAUS, RULES)
    grid = [{"tau_mem": tau, "rule": rule} for tau in taus for rule in rules]
    common: dict[str, Any] = {
        "task": task(arguments.set, arguments.path, small),
        "stdp_samples": 40 if small else 200,
    }
    if small:
        common |= {"network.size": 100, "network.connectivity.mean_degree": 15.0}
        common |= {"balance.samples": 40, "balance.passes": 15}
    if arguments.size == "paper":
        common |= {"network.size": 5000 if arguments.set == "japanese_vowels" else 2000}
    arms = tuple(Arm(name, tuple({"arm": name, **point} for point in grid)) for name in ARMS)
    against = [("HeNHoS", "HoNHoS"), ("HoNHeS", "HoNHoS"), ("HeNHeS", "HoNHoS")]
    against += [(name, f"{name}, none_at_stdp") for name in ARMS]
    against += [(f"{name}, stdp_balanced", f"{name}, shuffled") for name in ARMS]
    against += [(f"{name}, stdp_balanced", f"{name}, scaled") for name in ARMS]
    return Study(
        f"four_arms_{arguments.set}",
        trial,
        arms,
        tuple(against),
        "accuracy",
        validation="lower",
        tuning_seeds=tuple(range(2 if small else 4)),
        seeds=seeds(arguments, 2, 10, 1000),
        common=common,
        axes=("tau_mem", "rule"),
        variants=VARIANTS,
    )


def page(arguments: argparse.Namespace) -> StudyPage:
    """The page of a set."""
    return StudyPage(
        f"Four arms on {arguments.set}",
        str(__doc__).split("\n\n    python", maxsplit=1)[0],
        f"python experiments/four_arms.py --set {arguments.set} --size {arguments.size}",
        (
            Column("accuracy", "accuracy"),
            Column("spikes_per_sample", "spikes a sample", True),
            Column("rate", "spikes a step"),
            Column("rate_error", "rate error"),
        ),
        verdict,
        PAPER,
    )


def verdict(result: StudyResult) -> str:
    """A sentence for each claim of the papers."""

    def accuracy(arm: str, base: str) -> Any:
        return result.difference(arm, base, "accuracy")

    def spikes(arm: str, base: str) -> str:
        a, b = (result.values(name, "spikes_per_sample") for name in (arm, base))
        return f"spikes times {np.mean(a / b):.2f}"

    lines = []
    for arm, what in (
        ("HeNHoS", "Heterogeneous neurons raise accuracy"),
        ("HoNHeS", "Heterogeneous STDP raises accuracy"),
        ("HeNHeS", "Both together raise accuracy"),
    ):
        told = sentence(accuracy(arm, "HoNHoS"), what, 0.0)
        lines.append(f"{told} ({spikes(arm, 'HoNHoS')})")
    a, b = (result.values(name, "spikes_per_sample") for name in ("HoNHeS", "HoNHoS"))
    fewer = bool(np.mean(a < b) > 0.9)
    word = "Reproduced" if fewer else "Not reproduced"
    lines.append(
        f"Heterogeneous STDP lowers spikes: {spikes('HoNHeS', 'HoNHoS')}, "
        f"fewer on {np.mean(a < b):.0%} of the seeds. **{word}.**"
    )
    for arm in ("HoNHoS", "HeNHeS"):
        told = sentence(
            accuracy(arm, f"{arm}, none_at_stdp"), f"STDP helps {arm} at equal spikes", 0.0
        )
        lines.append(told)
        lines.append(
            f"{arm}, learned weights against themselves shuffled, rates equal: "
            f"{accuracy(f'{arm}, stdp_balanced', f'{arm}, shuffled')}."
        )
    return "\n".join(f"- {line}" for line in lines)


if __name__ == "__main__":
    main(study, page, __doc__, of_a_set)
