"""Chips and cost sets in a folder of the user's: known by name wherever those that ship are."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from scipy import sparse

import hrsnn_lava as hl
from hrsnn_lava import registry
from hrsnn_lava.cli.main import cli
from hrsnn_lava.errors import ProfileError, SpecError
from hrsnn_lava.hardware_profiles import CostSet, HardwareProfile


@pytest.fixture
def parts(tmp_path, monkeypatch):
    """A function that writes a file of a kind into a folder of parts."""
    monkeypatch.setenv(registry.PARTS_VARIABLE, str(tmp_path))

    def write(kind, name, text):
        (tmp_path / kind).mkdir(exist_ok=True)
        path = tmp_path / kind / f"{name}.toml"
        path.write_text(text, encoding="utf-8")
        registry.forget()
        return path

    registry.forget()
    yield write
    monkeypatch.undo()
    registry.forget()


def chip(name="our_chip", neurons=16):
    text = HardwareProfile.path_of("loihi1").read_text(encoding="utf-8")
    text = text.replace('name = "loihi1"', f'name = "{name}"')
    assert "value = 1024" in text
    return text.replace("value = 1024", f"value = {neurons}", 1)


def prices(name="our_prices", value="31e-12"):
    return f"""format = 1
name = "{name}"
title = "our board"
description = "one price of our own"
extends = "sanafe_loihi"
[[override]]
count = "synaptic_operations"
value_j = {value}
source = "our measurement"
evidence = "measured"
"""


def network():
    clock = hl.QuantizedPopulation("clock", 40, du=4095, dv=0, vth=10, bias_mant=100)
    weights = sparse.csr_matrix(([2], ([0], [1])), shape=(40, 40))
    onto = hl.QuantizedProjection("out", "clock", "clock", weights, sign_mode="excitatory")
    return hl.QuantizedNetwork((clock,), (onto,))


def test_a_chip_and_a_cost_set_by_name(parts):
    parts("chip", "our_chip", chip())
    parts("cost_set", "our_prices", prices())
    assert "our_chip" in HardwareProfile.names()
    assert "our_prices" in CostSet.names()
    compiled = hl.compile(network(), "our_chip")
    assert compiled.placement.n_cores == 3  # 40 neurons, 16 a core
    trace = hl.simulate(compiled, steps=7)
    report = hl.report(compiled, trace, cost_set="our_prices").to_dict()
    assert (report["profile"], report["energy"]["cost_set"]) == ("our_chip", "our_prices")
    (term,) = [t for t in report["energy"]["terms"] if t["coefficient_j"] == 31e-12]
    assert term["count"] == report["sop"]["total"] == 1


def test_the_command_line_knows_them(parts, tmp_path):
    parts("chip", "our_chip", chip())
    parts("cost_set", "our_prices", prices())
    listed = CliRunner().invoke(cli, ["profiles"]).stdout
    assert "our_chip" in listed
    assert "our_prices" in listed
    shown = CliRunner().invoke(cli, ["profiles", "our_prices"]).stdout
    assert "our measurement" in shown
    network().save(tmp_path / "net.hlx")
    arguments = ["compile", str(tmp_path / "net.hlx"), "--profile", "our_chip"]
    outcome = CliRunner().invoke(cli, [*arguments, "-o", str(tmp_path / "out.hlx")])
    assert outcome.exit_code == 0
    assert hl.CompiledNetwork.load(tmp_path / "out.hlx").profile.name == "our_chip"


def test_an_unknown_name_lists_them_too(parts):
    parts("chip", "our_chip", chip())
    with pytest.raises(SpecError, match=r"no hardware profile 'ours'; there are: .*our_chip"):
        HardwareProfile.load("ours")


def test_one_of_them_may_be_extended_by_name(parts):
    parts("cost_set", "our_prices", prices())
    text = prices("second", "32e-12").replace('"sanafe_loihi"', '"our_prices"')
    path = parts("cost_set", "second", text)
    assert CostSet.load("second").bases == ("our_prices", "sanafe_loihi")
    assert CostSet.load(path) == CostSet.load("second")


def test_a_file_under_the_name_of_another_is_refused(parts):
    parts("chip", "our_chip", chip("other"))
    with pytest.raises(ProfileError, match=r"our_chip.toml: name 'other'; allowed: 'our_chip'"):
        HardwareProfile.load("our_chip")
    parts("cost_set", "our_prices", prices("davies2018"))
    with pytest.raises(ProfileError, match="name 'davies2018'; allowed: 'our_prices'"):
        CostSet.load("our_prices")


def test_a_name_that_ships_is_taken(parts):
    parts("chip", "loihi1", chip("loihi1"))
    with pytest.raises(SpecError, match="chip 'loihi1' is there twice"):
        HardwareProfile.load("loihi1")
