"""Gradient training against STDP and no training at all, and what rounding while training brings.

The papers' HoNB and HeNB are networks trained by surrogate gradients with one tau_mem for all
neurons of a type and with one for each. Here both learn all weights and the bias of every neuron,
HoNB a factor of tau_mem for each type from equal ones, HeNB one for each neuron from heterogeneous
ones. Every network has the same readout fitted to it in the end, and its rates balanced at first;
gradients raise them, so HeNB is there once more with its rates held.

At 4 bits a weight, ``rounded after`` trains in float, ``rounded while`` with the integers of the
chip in the forward run; both are scored as programs.

    python experiments/gradient.py --size small

It needs torch: ``pip install 'hrsnn-lava[train]'``.
"""

from __future__ import annotations

import argparse
from typing import Any

from command import main, of_a_set, seeds, sentence
from networks import SPIKING, neurons, stdp, task

from hrsnn_lava.experiment.spec_trial import figures_of, merged
from hrsnn_lava.experiment.study import Arm, Study, StudyResult
from hrsnn_lava.experiment.study_page import Column, StudyPage
from hrsnn_lava.spec import Spec

BITS = 4
#: Arm of `hrsnn_lava.arms`, and what is learned by gradients; None: nothing.
WAYS: dict[str, tuple[str, dict[str, Any] | None]] = {
    "readout alone": ("HeN", None),
    "STDP": ("HeNHeS", None),
    "HoNB": ("HoN", {"tau_mem": "population"}),
    "HeNB": ("HeN", {}),
    "HeNB, rates held": ("HeN", {"rate_weight": 0.3}),
    "HeNB, rounded after": ("HeN", {}),
    "HeNB, rounded while": ("HeN", {"bits": BITS}),
}


def trial(settings: dict[str, Any], seed: int, tuning: bool) -> dict[str, float | None]:
    """Accuracy of an arm in float and as a program."""
    del tuning
    settings = dict(settings)
    name, epochs = settings.pop("way"), settings.pop("epochs")
    arm, learned = WAYS[name]
    tables = merged(merged(SPIKING, neurons()), settings)
    if learned is not None:
        tables = merged(tables, {"surrogate": {"epochs": epochs, **learned}})
    if arm.endswith("S"):
        tables = merged(tables, {"stdp": stdp() | {"train_passes": 1, "on_chip": False}})
    if "rounded" in name:
        tables = merged(tables, {"quantize.weight_bits": BITS})
    return figures_of(Spec.parse(tables).arm(arm), seed, integers=True)


def study(arguments: argparse.Namespace) -> Study:
    """All ways, at one setting each."""
    small = arguments.size == "small"
    common: dict[str, Any] = {
        "task": task(arguments.set, arguments.path, small),
        "balance.samples": 100,
        "epochs": 2 if small else 10,
    }
    if small:
        common |= {"network.size": 60, "network.connectivity.mean_degree": 10.0}
    if arguments.size == "paper":
        common |= {"network.size": 2000}
    return Study(
        f"gradient_{arguments.set}",
        trial,
        tuple(Arm(name, ({"way": name},)) for name in WAYS),
        (
            ("HeNB", "HoNB"),
            ("HeNB", "STDP"),
            ("HeNB, rates held", "STDP"),
            ("HeNB, rounded while", "HeNB, rounded after"),
        ),
        "accuracy_integer",
        seeds=seeds(arguments, 2, 5, 2100),
        common=common,
    )


def page(arguments: argparse.Namespace) -> StudyPage:
    """The page of a set."""

    def verdict(result: StudyResult) -> str:
        said = (
            ("HeNB", "HoNB", "accuracy", "HeNB - HoNB, in float", 0.0),
            ("HeNB", "STDP", "accuracy", "HeNB - STDP, in float", 0.0),
            ("HeNB, rates held", "STDP", "accuracy", "the same with rates held", 0.0),
            (
                "HeNB, rounded while",
                "HeNB, rounded after",
                "accuracy_integer",
                f"rounding while training, programs of {BITS} bits",
                0.0,
            ),
        )
        return "\n".join(
            "- " + sentence(result.difference(arm, other, key), what, enough)
            for arm, other, key, what, enough in said
        )

    return StudyPage(
        f"Gradient training on {arguments.set}",
        str(__doc__).split("\n\n    python", maxsplit=1)[0],
        f"python experiments/gradient.py --set {arguments.set} --size {arguments.size}",
        (
            Column("accuracy", "accuracy"),
            Column("accuracy_integer", "as a program"),
            Column("rate", "spikes a neuron and step"),
            Column("sops_per_sample", "recurrent SOPs a sample"),
        ),
        verdict,
        "The papers (Tables I-III) have BP above STDP by 2 to 9 points, and HeNB above HoNB by 1 "
        "to 5; they train 2000 neurons on videos.",
    )


if __name__ == "__main__":
    main(study, page, __doc__, of_a_set)
