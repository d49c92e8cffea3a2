"""The experiments: their studies are valid at every size, one trial is real, the pages are written.

Figures on the pages of this test are made up; a trial of each is run for real, as small as it gets.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from hrsnn_lava.experiment.study import run_study
from hrsnn_lava.experiment.study_page import write_study
from hrsnn_lava.seeding import generator

pytestmark = pytest.mark.once

FOLDER = Path(__file__).resolve().parents[2] / "experiments"
TINY = {"network.size": 24, "network.connectivity.mean_degree": 4.0}
FEW = {"balance.samples": 10, "balance.passes": 2}
DIGITS = {"task.train": 40, "task.validation": 10, "task.test": 20}
#: Settings with which a trial of each experiment takes about a second.
SMALLEST = {
    "unknown_speed": TINY | FEW | DIGITS | {"speeds": (3, 10), "task.steps_per_frame": 3},
    "four_arms": TINY | FEW | DIGITS | {"stdp_samples": 10},
    "accuracy_neurons": FEW | DIGITS | {"size": 30},
    "few_labels": TINY | FEW | DIGITS,
    "gradient": TINY | FEW | DIGITS,
    "connectivity_map": TINY | FEW | DIGITS,
    "lorenz96_arms": TINY
    | {"task.train": 260, "task.horizon": 10, "task.starts": 1, "task.steps_per_sample": 5}
    | {"balance.passes": 1, "task.transient": 1.0},
    "memory_heterogeneity": TINY
    | {"task.train": 60, "task.validation": 20, "task.test": 30, "task.delays": 5}
    | {"balance.passes": 1},
    "pruning": TINY
    | {"task.train": 60, "task.validation": 20, "task.test": 30, "task.delays": 5}
    | {"balance.passes": 1},
    "pruning_on_chip": TINY
    | {"task.train": 60, "task.validation": 20, "task.test": 30, "task.delays": 5}
    | {"balance.passes": 1, "passes": 1},
    "kept": TINY | {"samples": 200, "passes": 2},
    "ablation": TINY
    | {"task.train": 60, "task.validation": 20, "task.test": 30, "task.delays": 5}
    | {"balance.passes": 1, "passes": 1},
    "forecast_pruning": TINY
    | {"task.train": 250, "task.horizon": 10, "task.starts": 1, "task.steps_per_sample": 5}
    | {"task.washout": 20, "passes": 2, "sop_ratio": 2.0},
    "classification_pruning": TINY
    | {"task.train": 40, "task.validation": 10, "task.test": 20, "task.steps_per_frame": 10}
    | {"task.silence_steps": 10, "balance.passes": 1, "samples": 5, "ratios": (10.0,)},
    "pruning_curves": TINY
    | {"task.train": 60, "task.validation": 20, "task.test": 30, "task.delays": 5}
    | {"balance.passes": 1, "methods": ("balanced", "random"), "budgets": (4.0, 1.0)},
    "search_memory": TINY
    | {"task.train": 60, "task.validation": 20, "task.test": 30, "task.delays": 5}
    | {"trials": 4},
    "search_heterogeneity": TINY
    | {"task.train": 60, "task.validation": 20, "task.test": 30, "task.delays": 5}
    | {"balance.passes": 30, "trials": 4},
    "importance": TINY
    | {
        "task.train": 40,
        "task.validation": 20,
        "task.test": 30,
        "task.delays": 5,
        "task.washout": 5,
    }
    | {"balance.passes": 1, "balance.samples": 20},
}


@pytest.fixture(params=sorted(SMALLEST))
def experiment(request, monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    name = request.param
    spec = importlib.util.spec_from_file_location(f"experiment_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return name, module


def arguments(size="small"):
    return argparse.Namespace(size=size, seeds=None, set="digit_rows", path=None, settings=None)


def test_every_experiment_is_tested():
    shared = {"command", "networks", "pruned_rows", "searched"}
    others = {"lorenz63_seeds", "palette_lorenz63", "quantization_options", "quantization_scales"}
    others |= {"stdp_memory", "search_known_optimum"}
    names = {file.stem for file in FOLDER.glob("*.py")}
    assert names - shared - others == set(SMALLEST)


def test_its_studies_are_valid_and_have_fresh_seeds(experiment):
    _, module = experiment
    for size in ("small", "full", "paper"):
        study = module.study(arguments(size))
        assert study.seeds
        assert not set(study.seeds) & set(study.tuning_seeds)
    assert len(module.study(arguments("full")).seeds) >= 5


def test_a_trial_is_real_and_seeded(experiment):
    name, module = experiment
    study = module.study(arguments())
    settings = {**study.common, **study.arms[0].settings[0], **SMALLEST[name]}
    figures = module.trial(settings, 3, False)
    names = {column.figure for column in module.page(arguments()).columns}
    assert study.headline in figures
    assert np.isfinite(figures[study.headline])
    found = {figure.rpartition("/")[2] for figure in figures}
    assert names - found <= {f"accuracy_at_{s}" for s in (3, 10, 40)}
    for variant in study.variants:
        assert np.isfinite(figures[f"{variant}/{study.headline}"])
    if name == "few_labels":
        assert module.trial(settings, 3, False) == figures


def test_its_page_says_what_was_found(experiment, tmp_path, monkeypatch):
    name, module = experiment
    study, page = module.study(arguments()), module.page(arguments())

    def made_up(settings, seed, tuning):
        rng = generator(seed, repr(sorted(settings.items(), key=str)), int(tuning))
        figures = ["validation", study.headline, "spikes_per_sample", "memory", "efficiency"]
        figures += ["active", "accuracy_integer", "one_step_nrmse_mean", "accuracy"]
        figures += [column.figure for column in page.columns]
        values = {figure: 0.5 + float(rng.random()) for figure in figures}
        return values | {f"{v}/{figure}": 1.0 for v in study.variants for figure in figures}

    fake = type(study)(**{**vars(study), "trial": made_up})
    files = write_study(run_study(fake, tmp_path), page, tmp_path)
    assert [file.suffix for file in files] == [".csv", ".md", ".png"]
    text = files[1].read_text()
    for part in (page.title, page.command, "## What was found", "## Arms", "## Tuning"):
        assert part in text
    assert text.count("| ") > len(study.all_arms)
    assert name in page.command
