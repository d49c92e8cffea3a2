"""`prune` in iterations: the table, checkpoints, what fits a chip, resume, wrong options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import hrsnn_lava as hl
from hrsnn_lava.cli import prune_loop
from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.training import pruning_loop
from hrsnn_lava.training.loop_checkpoints import checkpoints


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few samples and passes."""
    monkeypatch.setattr(prune_loop, "SAMPLES", 40)
    monkeypatch.setattr(prune_loop, "PASSES", 2)


def loop(files: Any, *more: str, output: str = "p.hlx") -> tuple[Any, ...]:
    command = ("prune", files.network, "--method", "random", "--density", "0.25")
    return (*command, "-o", output, "--no-kept", *more)


def test_a_row_an_iteration(run: Any, files: Any, tmp_path: Path) -> None:
    found = run(*loop(files, "--loop", "3", "--drop-neurons", "0.2", "--json")).json()
    rows = found["loop"]["rows"]
    assert [row["iteration"] for row in rows] == [0, 1, 2, 3]
    network = hl.Network.load(tmp_path / "p.hlx")
    edges = recurrent_edges(network)
    assert rows[-1]["synapses"] == edges.n_edges == round(0.25 * rows[0]["synapses"])
    assert rows[-1]["neurons"] == network.n_neurons == 48
    assert (found["loop"]["taken"], found["loop"]["resumed"]) == (3, 0)
    assert found["synapses"]["after"] == network.n_synapses
    assert not (tmp_path / "p.hlx.pruning").exists()
    text = run(*loop(files, "--loop", "3")).out
    assert "loop: all of the 3 iterations are done; the network is that of iteration 3" in text
    head = ["iteration", "neurons", "synapses", "SOPs", "per", "step", "spikes", "rate", "error"]
    assert head in [line.split() for line in text.splitlines()]


def test_checkpoints_that_were_asked_for_stay(run: Any, files: Any, tmp_path: Path) -> None:
    run(*loop(files, "--loop", "2", "--checkpoints", "kept", "--no-homeostasis"))
    assert len(checkpoints(tmp_path / "kept")) == 3
    assert run("inspect", "kept/iteration-0001.hlx", "--json").json()["kind"] == "pruning"
    other = run(*loop(files, "--loop", "3", "--checkpoints", "kept", "--no-homeostasis"))
    assert other.code == 2
    assert "checkpoints are of another loop" in other.err
    assert len(checkpoints(tmp_path / "kept")) == 3


def test_a_loop_that_was_interrupted_goes_on(
    run: Any, files: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(*loop(files, "--loop", "3", output="whole.hlx"))
    saved = pruning_loop.save_checkpoint

    def save_and_stop(folder: Path, state: Any) -> None:
        saved(folder, state)
        if state.iteration == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pruning_loop, "save_checkpoint", save_and_stop)
        assert run(*loop(files, "--loop", "3")).code == 130
    assert not (tmp_path / "p.hlx").exists()
    assert len(checkpoints(tmp_path / "p.hlx.pruning")) == 3
    found = run(*loop(files, "--loop", "3", "--resume", "--json")).json()
    assert found["loop"]["resumed"] == 2
    assert (tmp_path / "p.hlx").read_bytes() == (tmp_path / "whole.hlx").read_bytes()
    assert not (tmp_path / "p.hlx.pruning").exists()


def test_until_it_fits(run: Any, tmp_path: Path) -> None:
    table = {"size": 1100, "connectivity": {"mean_degree": 4.0}}
    hl.build_hrsnn(hl.Spec.parse({"network": table}), seed=1).save(tmp_path / "wide.hlx")
    command = ("prune", "wide.hlx", "--method", "random", "--until-fits", "loihi1", "--cores", "1")
    command += ("--no-homeostasis", "--no-kept", "-o", "p.hlx")
    found = run(*command, "--json").json()
    assert found["loop"]["why"] == "fits loihi1 on 1 of 1 cores"
    network = hl.Network.load(tmp_path / "p.hlx")
    assert network.n_neurons == 1024
    chip = hl.HardwareProfile.load("loihi1").with_cores(1)
    assert hl.compile(network, chip).placement.n_cores == 1
    assert "fits, 1 cores" in run(*command).out


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--resume",), "--resume: given; allowed: with --loop N or --until-fits CHIP"),
        (("--checkpoints", "c"), "--checkpoints: given; allowed: with --loop N"),
        (("--no-homeostasis",), "--no-homeostasis: given; allowed: with --loop N"),
        (("--loop", "2", "--cores", "3"), "--cores: 3; allowed: with --until-fits CHIP"),
        (("--until-fits", "loihi7"), "loihi7"),
        (("--until-fits", "loihi1", "--cores", "129"), "a whole number, 1 to 128"),
        (("--loop", "0"), "--loop"),
    ],
)
def test_options_that_do_not_go_together(
    run: Any, files: Any, tmp_path: Path, more: tuple[str, ...], words: str
) -> None:
    outcome = run(*loop(files, *more))
    assert outcome.code in (2, 3)
    assert words in outcome.err
    assert not (tmp_path / "p.hlx").exists()


def test_comparing_methods_has_no_loop(run: Any, files: Any) -> None:
    outcome = run("prune", files.network, "--compare", "random", "--density", "0.5", "--loop", "2")
    assert outcome.code == 2
    assert "--loop and --until-fits do not go with --compare" in outcome.err


def test_files_of_the_user_beside_the_checkpoints_stay(
    run: Any, files: Any, tmp_path: Path
) -> None:
    inner = tmp_path / "p.hlx.pruning" / "sub"
    inner.mkdir(parents=True)
    (inner / "mine.txt").write_text("x")
    run(*loop(files, "--loop", "1", "--no-homeostasis"))
    assert (inner / "mine.txt").read_text() == "x"
    assert not checkpoints(tmp_path / "p.hlx.pruning")


def test_what_a_killed_write_left_goes_with_the_checkpoints(
    run: Any, files: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "p.hlx.pruning"
    folder.mkdir()
    (folder / ".iteration-0001.hlx.ab_12cd3.part").write_bytes(b"PK")
    run(*loop(files, "--loop", "1", "--no-homeostasis"))
    assert not folder.exists()


def test_what_another_loop_left_beside_the_output_makes_room(
    run: Any, files: Any, tmp_path: Path
) -> None:
    command = loop(files, "--loop", "2", "--no-homeostasis")
    run(*command, "--checkpoints", "p.hlx.pruning", "--seed", "4")
    assert run(*command, "--resume").code == 2
    assert "method, budget, chip or options" in run(*command, "--resume").err
    assert run(*command).code == 0
    assert not (tmp_path / "p.hlx.pruning").exists()
