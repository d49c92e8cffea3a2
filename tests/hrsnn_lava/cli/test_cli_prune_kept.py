"""`prune` says what is kept, and compares methods."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hrsnn_lava as hl
from hrsnn_lava.cli.prune_kept import methods_of
from hrsnn_lava.errors import SpecError
from hrsnn_lava.trace import SpikeInput
from hrsnn_lava.training.kept import measure

PRUNED = ("--method", "magnitude", "--density", "0.5", "-o", "p.hlx")
#: Two methods, one draw: seconds, where all take minutes.
SOME = ("--compare", "random, magnitude", "--draws", "1", "--sop-ratio", "4")


@pytest.fixture(scope="module")
def arrays(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of one's own, from plain arrays, with inputs that spike."""
    rng = np.random.default_rng(0)
    n = 40
    w = rng.normal(0.0, 0.2, (n, n)) * (rng.random((n, n)) < 0.3)
    w_in = rng.normal(0.0, 0.8, (n, 3)) * (rng.random((n, 3)) < 0.5)
    path = tmp_path_factory.mktemp("arrays") / "mine.hlx"
    network = hl.Network.from_arrays(w_in, w, tau_mem=0.02, tau_syn=0.01, bias=0.9, name="mine")
    network.save(path)
    return path


def test_pruning_says_what_is_kept(run: Any, arrays: Path) -> None:
    outcome = run("prune", arrays, *PRUNED, "--quiet")
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith("kept "))
    assert lines[first].split() == ["kept", "before", "after", "before,", "again"]
    names = [line[:31].strip() for line in lines[first + 2 : first + 10]]
    assert names == [
        "spikes per step",
        "SOPs per step, recurrent",
        "largest Lyapunov exponent (1/s)",
        "spectral radius of W",
        "memory of the input",
        "correlation of rates",
        "correlation of covariances",
        "correlation of traces",
    ]
    assert lines[first + 10] == (
        "kept: input spikes with probability 0.1 a step; rates as they came; traces and "
        "covariances of 40 neurons"
    )
    assert lines[-1] == "written to p.hlx"


def test_json_has_it_and_the_same_bits_again(run: Any, arrays: Path) -> None:
    one, two = (run("prune", arrays, *PRUNED, "--json").json()["kept"] for _ in range(2))
    assert one == two
    assert set(one) == {
        "input",
        "neurons_compared",
        "channels_asked",
        "before",
        "after",
        "compared",
        "ceiling",
    }
    assert one["after"]["sops"] < one["before"]["sops"]
    assert 0 < one["compared"]["sops_ratio"] < 1
    assert one["channels_asked"] == 3


def test_it_can_be_left_out(run: Any, arrays: Path) -> None:
    outcome = run("prune", arrays, *PRUNED, "--no-kept")
    assert outcome.code == 0
    assert "kept" not in outcome.out
    assert run("prune", arrays, *PRUNED, "--no-kept", "--json").json()["kept"] is None


def test_dropped_neurons_are_followed_by_their_places(run: Any, arrays: Path) -> None:
    told = run("prune", arrays, *PRUNED, "--drop-neurons", "0.25", "--json").json()["kept"]
    assert told["neurons_compared"] == 30
    assert 0 < told["compared"]["trace_correlation"] <= 1


def test_events_of_a_file_are_what_is_shown(run: Any, arrays: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    events = SpikeInput.from_dense((rng.random((1000, 3)) < 0.3).astype(int))
    events.save(tmp_path / "in.npz")
    told = run("prune", arrays, *PRUNED, "--input", "in.npz", "--json").json()["kept"]
    assert told["input"] == "the events given"
    assert told["before"] == measure(hl.Network.load(arrays), events).figures()


def test_what_cannot_be_measured_is_a_remark(run: Any, arrays: Path, tmp_path: Path) -> None:
    SpikeInput.from_dense(np.eye(3, dtype=int)).save(tmp_path / "in.npz")
    outcome = run("prune", arrays, *PRUNED, "--input", "in.npz")
    assert outcome.code == 0
    assert "what is kept was not measured" in outcome.err
    assert "lesson: 3 steps; allowed: >= 20" in outcome.err
    assert (tmp_path / "p.hlx").is_file()


def test_methods_are_compared(run: Any, arrays: Path, tmp_path: Path) -> None:
    outcome = run("prune", arrays, *SOME, "--draws", "2", "--page", "p.html")
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    assert lines[0].split() == [
        *("SOPs", "spikes", "rates", "covariances", "traces", "exponent", "memory")
    ]
    assert [line.split("  ")[0] for line in lines[2:6]] == [
        "random",
        "magnitude",
        "no recurrence",
        "unpruned again",
    ]
    assert all("*" not in line for line in lines[4:6])
    stars = sum(line.count("*") for line in lines[2:4])
    assert stars >= 6  # every figure has a best method
    assert lines[6].endswith(("best.", "alike."))
    assert lines[-1] == "written to p.html"
    assert "random, draw 1 of 2" in outcome.err
    page = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert "What pruning keeps of <bdi>mine</bdi>" in page
    assert lines[6] in page
    assert not list(tmp_path.glob("*.hlx"))


def test_the_comparison_as_json(run: Any, arrays: Path) -> None:
    document = run("prune", arrays, *SOME, "--json", "--quiet").json()
    assert document["command"] == "prune"
    assert (document["network"], document["budget"], document["draws"]) == ("mine", "4x", 1)
    assert [row["name"] for row in document["rows"]] == [
        "random",
        "magnitude",
        "no recurrence",
        "unpruned again",
    ]
    assert [row["method"] for row in document["rows"]] == [True, True, False, False]
    row = document["rows"][0]
    assert row["memory"]["mean"] == row["memory"]["draws"][0]
    assert row["memory"]["sd"] is None
    assert set(document["best"]) == {
        "spikes_ratio",
        "rate_correlation",
        "covariance_correlation",
        "trace_correlation",
        "largest_exponent",
        "memory",
    }
    assert document["sentence"].startswith("A single draw tells no method from another")
    assert not any(document["best"].values())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--compare", "all", "--method", "random"), "--method does not go with --compare"),
        (("--compare", "all", "-o", "p.hlx"), "--output does not go with --compare"),
        (("--compare", "all", "--drop-neurons", "0.1"), "--drop-neurons does not go with"),
        (("--compare", "all", "--no-kept"), "--no-kept does not go with --compare"),
        (("--method", "random", "--draws", "2", "-o", "p.hlx"), "--draws needs --compare"),
        (("--method", "random", "--page", "p.html", "-o", "p.hlx"), "--page needs --compare"),
        (("--compare", "randm"), "'randm'; allowed: all, activity, balanced"),
        (("--compare", ","), "--compare: no method"),
        (("--compare", "random"), "budget: none of them; allowed: one of density"),
        (("--compare", "random", "--density", "2"), "--density: 2.0; allowed: <= 1"),
        (
            ("--compare", "random", "--density", "0.5", "--gain", "2"),
            "--gain belongs to balanced, which is not compared",
        ),
        (("--density", "0.5", "-o", "p.hlx"), "Missing option '--method'"),
        (("--density", "0.5", "--method", "random"), "Missing option '-o' / '--output'"),
    ],
)
def test_what_does_not_go_together_is_refused(
    run: Any, arrays: Path, options: tuple[str, ...], message: str
) -> None:
    outcome = run("prune", arrays, *options)
    assert outcome.code == 2
    assert message in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    ("w_in", "w_rec", "message"),
    [
        (np.ones((3, 1)), None, "no synapses between neurons"),
        (None, np.ones((3, 3)), "no inputs"),
        (np.full((3, 1), 1e-6), np.ones((3, 3)), "no neuron fires"),
    ],
)
def test_networks_that_cannot_be_compared(
    run: Any, tmp_path: Path, w_in: Any, w_rec: Any, message: str
) -> None:
    hl.Network.from_arrays(w_in, w_rec, tau_mem=0.01).save(tmp_path / "n.hlx")
    outcome = run("prune", "n.hlx", "--compare", "all", "--density", "0.5", "--draws", "1")
    assert outcome.code == 2
    assert message in outcome.err


def test_a_network_that_is_silent_is_told(run: Any, tmp_path: Path) -> None:
    hl.Network.from_arrays(np.full((3, 1), 1e-6), np.ones((3, 3)), tau_mem=0.01).save("n.hlx")
    asked = ("--method", "random", "--sops-per-spike", "1", "--no-kept", "-o", "p.hlx")
    outcome = run("prune", "n.hlx", *asked)
    assert outcome.code == 0
    assert "no neuron fired: by spikes all synapses cost alike" in outcome.err


def test_options_of_dropping_neurons_need_an_amount(run: Any, arrays: Path) -> None:
    outcome = run("prune", arrays, *PRUNED, "--drop-score", "activity")
    assert outcome.code == 2
    assert "--drop-score needs --drop-neurons, or a budget" in outcome.err


def test_all_methods_stand_beside_single_ones() -> None:
    known: dict[str, Any] = {"balanced": None, "random": None}
    assert methods_of("all", known) == methods_of("random, all", known) == ("balanced", "random")
    with pytest.raises(SpecError, match="'rndom'"):
        methods_of("all,rndom", known)
