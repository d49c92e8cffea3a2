"""`export nir` writes what `import nir` reads back."""

from __future__ import annotations

from typing import Any

import hrsnn_lava as hl


def test_a_network_goes_out_and_comes_back(run: Any, files: Any) -> None:
    outcome = run("export", "nir", files.network, "-o", "n.nir")
    assert outcome.code == 0, outcome.err
    assert "n.nir: " in outcome.out
    assert "no file says it, so tell whoever reads this one" in outcome.out
    told = run("export", "nir", files.network, "-o", "n.nir", "--json").json()
    network = hl.Network.load(files.network)
    assert told["dt_s"] == network.dt
    assert told["early"].keys() == {p.name for p in network.populations}
    back = hl.from_nir("n.nir")
    assert [p.name for p in back.populations] == [p.name for p in network.populations]
    assert back.n_synapses == network.n_synapses


def test_integers_are_no_nir(run: Any, files: Any) -> None:
    outcome = run("export", "nir", files.compiled, "-o", "n.nir")
    assert outcome.code == 3
    assert "Traceback" not in outcome.err


def test_for_snntorch(run, files):
    """Recurrent as most networks here: refused by name; netx has no dialects."""
    outcome = run("export", "nir", files.network, "-o", "n.nir", "--dialect", "snntorch")
    assert outcome.code == 2
    assert "recurrent synapses" in outcome.err
    assert run("export", "netx", files.compiled, "-o", "n", "--dialect", "snntorch").code == 2
