"""Specs: strict, and all mistakes at once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hrsnn_lava import Spec
from hrsnn_lava.aftercare_options import GENTLE, AftercareOptions
from hrsnn_lava.compiler.passes.prune_activity import PruneActivity
from hrsnn_lava.compiler.passes.prune_betweenness import PruneBetweenness
from hrsnn_lava.compiler.passes.prune_lyapunov import PruneLyapunov
from hrsnn_lava.compiler.passes.prune_neurons import PruneNeurons
from hrsnn_lava.compiler.passes.prune_random import PruneRandom
from hrsnn_lava.compiler.pruning.budget import Amount
from hrsnn_lava.compiler.pruning.rescale import Rescale
from hrsnn_lava.errors import SpecError
from hrsnn_lava.registry import forget
from hrsnn_lava.spec import PruneSpec

WRONG = """
nam = "x"
seed = -1
[network]
size = "many"
[network.neurons.excitatory]
tau_mem = -0.01
tau_syn = { distribution = "gama", mean = 1 }
v_threshold = { distribution = "gamma", mean = 1, shap = 3 }
bias = { distribution = "uniform", low = 2.0, high = 1.0 }
refractory = { distribution = "normal", mean = 0.001, std = 0.001 }
[prune]
method = "lottery"
density = 0
"""


def write(folder, text):
    """A spec file."""
    path = folder / "spec.toml"
    path.write_text(text)
    return path


def test_all_mistakes_are_named_with_path_value_and_what_is_allowed(tmp_path):
    with pytest.raises(SpecError) as caught:
        Spec.load(write(tmp_path, WRONG))
    assert caught.value.exit_code == 2
    text = str(caught.value)
    neurons = "network.neurons.excitatory"
    for line in (
        "nam: unknown key; allowed: one of schema_version, name, seed",
        "seed: -1; allowed: >= 0",
        "network.size: 'many'; allowed: an integer",
        f"{neurons}.tau_mem: -0.01; allowed: > 0",
        f"{neurons}.tau_syn.distribution: 'gama'; allowed: 'gamma', 'lognormal'",
        f"{neurons}.v_threshold.shape: missing",
        f"{neurons}.v_threshold.shap: unknown key; allowed: one of low, high",
        "low must not be above high",
        "prune.method: 'lottery'; allowed: activity, balanced, erdos_renyi, lyapunov, magnitude, ",
        "prune.density: 0; allowed: > 0",
    ):
        assert line in text, line


@pytest.mark.parametrize(
    ("weight", "line"),
    [
        ({"ee": 1, "ei": 1, "ie": -1, "ii": 1}, r"weight\.ie: -1; allowed: > 0"),
        ({"ee": 1, "ei": 1, "ie": 1}, r"weight\.ii: missing"),
        ({"ee": 1, "ei": 1, "ie": 1, "ii": 1, "io": 1}, r"weight\.io: unknown .* ee, ei, ie, ii"),
        ({"distribution": "gama"}, r"weight\.distribution: 'gama'; allowed: 'gamma', 'lognormal'"),
        (
            {"ee": 1, "ei": 1, "ie": 1, "ii": {"distribution": "gamma", "shap": 1}},
            r"weight\.ii\.shap: unknown key; allowed: one of low, high, .* Did you mean 'shape'",
        ),
        (-1, r"weight: -1; allowed: > 0"),
        ("big", r"weight: 'big'; allowed: a number"),
    ],
)
def test_a_number_a_distribution_or_a_table_by_type(weight, line):
    with pytest.raises(SpecError, match=line):
        Spec.parse({"network": {"connectivity": {"weight": weight}}})


def test_a_threshold_that_may_become_negative_is_refused(tmp_path):
    text = "[network.neurons.excitatory]\n"
    text += 'v_threshold = { distribution = "normal", mean = 1.0, std = 0.1 }\n'
    with pytest.raises(SpecError, match="v_threshold must stay positive"):
        Spec.load(write(tmp_path, text))


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(SpecError, match="no such spec file"):
        Spec.load(tmp_path / "none.toml")
    with pytest.raises(SpecError, match="not valid TOML"):
        Spec.load(write(tmp_path, "a = = 1"))
    with pytest.raises(SpecError, match="cannot be read"):
        Spec.load(tmp_path)


def test_overrides_set_single_values(tmp_path):
    path = write(tmp_path, "seed = 1\n[prune]\ndensity = 0.5\n")
    spec = Spec.load(path, ("prune.density=0.1", "name=abc", "network.size=50"))
    assert (spec.prune.density, spec.name, spec.network.size, spec.seed) == (0.1, "abc", 50, 1)
    with pytest.raises(SpecError, match="expected KEY=VALUE"):
        Spec.load(path, ("prune.density",))
    with pytest.raises(SpecError, match="'seed' is not a table"):
        Spec.load(path, ("seed.x=1",))
    with pytest.raises(SpecError, match=r"prune\.dens: unknown key"):
        Spec.load(path, ("prune.dens=1",))


def test_the_example_states_the_defaults():
    """The example differs from the defaults only where it says so."""
    path = Path(__file__).parents[2] / "examples" / "lorenz63.toml"
    spec, default = Spec.load(path).model_dump(), Spec().model_dump()
    changed = {
        f"{table}.{key}"
        for table, values in spec.items()
        if isinstance(values, dict)
        for key, value in values.items()
        if value != default[table][key]
    }
    assert changed == {"prune.rescale", "prune.curve"}


def test_keys_that_came_later_leave_the_canonical_text_of_older_specs():
    """Each alone is in the text where it is set, and none where it has its default."""
    later = {
        "network": {"grid": [10, 10, 10], "homogeneous": ["bias"], "model": "chrsnn"},
        "connectivity": {"normalise": False, "synapse": "charge"},
        "input": {"fan_in": 3, "fan_out": 3, "weight_inhibitory": 1.0, "normalise": True},
    }
    for table, keys in later.items():
        for key, value in keys.items():
            own = {key: value} if table == "network" else {table: {key: value}}
            assert f'"{key}": ' in Spec.parse({"network": own}).canonical()
    text = json.loads(Spec.parse({"stdp": {}}).canonical())
    assert list(text["network"]) == ["connectivity", "dt", "excitatory", "input", "neurons", "size"]
    assert set(text["network"]["input"]) == {"share", "target", "weight"}
    assert not {"normalise", "synapse"} & set(text["network"]["connectivity"])
    assert "homogeneous" not in text["stdp"]


def test_equal_specs_have_equal_canonical_text():
    assert Spec.parse({"seed": 0}).canonical() == Spec().canonical()
    assert Spec.parse({"seed": 1}).canonical() != Spec().canonical()


def test_a_partly_given_table_keeps_the_defaults_of_its_type():
    spec = Spec.parse({"network": {"neurons": {"inhibitory": {"tau_syn": 0.01}}}})
    neurons = spec.network.neurons
    assert neurons.inhibitory.tau_mem == Spec().network.neurons.inhibitory.tau_mem
    assert neurons.inhibitory.tau_mem.mean == 0.005
    assert neurons.excitatory.tau_mem.mean == 0.010


@pytest.mark.parametrize(
    ("table", "note", "today"),
    [
        (
            {"compile": {"neurons_per_core": 3}},
            "compile.neurons_per_core is called partition.neurons_per_core now",
            {"partition": {"neurons_per_core": 3}},
        ),
        (
            {"compile": {"absorb_thresholds": False, "profile": "loihi2"}},
            "compile.absorb_thresholds is called absorb_thresholds.enabled now",
            {"absorb_thresholds": {"enabled": False}, "compile": {"profile": "loihi2"}},
        ),
        (
            {"stdp": {"tolerance": 0.3}},
            "stdp.tolerance is called stdp.max_error now",
            {"stdp": {"max_error": 0.3}},
        ),
        (
            {"prune": {"mode": "participation"}},
            "prune.mode is called prune.exponents now",
            {"prune": {"exponents": "participation"}},
        ),
    ],
)
def test_older_names_are_read_with_a_note(table, note, today):
    with pytest.warns(FutureWarning, match=note):
        old = Spec.parse(table)
    assert old == Spec.parse(today)
    assert old.canonical() == Spec.parse(today).canonical()


def test_both_spellings_at_once_are_refused():
    table = {"compile": {"neurons_per_core": 3}, "partition": {"neurons_per_core": 4}}
    with pytest.raises(SpecError, match=r"compile\.neurons_per_core: unknown key"):
        Spec.parse(table)


def test_the_table_of_a_method_has_its_options():
    spec = Spec.parse({"prune": {"method": "random", "sampling": "bernoulli", "density": 0.3}})
    step = spec.prune.step("random", "none")
    assert (type(step), step.sampling, step.density) == (PruneRandom, "bernoulli", 0.3)
    control = spec.prune.step("lyapunov", "match", Amount("density", 0.1))
    assert control == PruneLyapunov(0.1, rescale=Rescale("match"))
    assert Spec.parse(spec.model_dump()) == spec
    assert isinstance(Spec.parse({"prune": {"method": "none"}}).prune, PruneSpec)


@pytest.mark.parametrize(
    ("table", "lines"),
    [
        (
            {"method": "magnitude", "score": "weight", "density": 2, "colour": 1},
            [
                "prune.density: 2; allowed: <= 1",
                "prune.score: 'weight'; allowed: lyapunov as the method, which is magnitude here",
                "prune.colour: unknown key; allowed: one of method, density, sops_per_spike",
            ],
        ),
        (
            {"participation": {"steps": 0, "stepz": 1}, "rescale": {"mode": "match", "cap": 0.5}},
            [
                "prune.participation.steps: 0; allowed: >= 1",
                "prune.participation.stepz: unknown key; allowed: one of steps, transient",
                "prune.rescale.cap: 0.5; allowed: >= 1",
            ],
        ),
        (
            {"rescale": "best", "drop_neurons": 1.0, "controls": ["betweenness"]},
            [
                "prune.rescale: 'best'; allowed: 'auto', or 'none', 'inverse', 'match' or 'refit'",
                "prune.drop_neurons.fraction: 1.0; allowed: < 1",
                "prune.controls.0: 'betweenness'; allowed: activity, balanced, erdos_renyi, ",
            ],
        ),
        (
            {"drop_neurons": {"rounds": 2}},
            ["prune.drop_neurons: these values together; allowed: one of fraction, density, "],
        ),
    ],
)
def test_the_table_of_a_method_is_read_strictly(table, lines):
    with pytest.raises(SpecError, match="spec is not valid") as caught:
        Spec.parse({"prune": table})
    assert len(caught.value.problems) == len(lines)
    for line in lines:
        assert line in str(caught.value), line


@pytest.mark.parametrize("method", ["magnitude", "activity"])
def test_a_method_without_probabilities_has_no_inverse_of_them(method):
    with pytest.raises(SpecError, match=f"inverse needs probabilities, {method} has none"):
        Spec.parse({"prune": {"method": method, "rescale": "inverse"}})
    assert Spec.parse({"prune": {"method": "random", "rescale": "inverse"}})
    assert Spec.parse({"prune": {"method": "none", "rescale": "inverse"}})


PLAIN = '''"""Keep the heaviest synapses, in the fewest words."""

from typing import ClassVar

import numpy as np

from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.context import Pass
from hrsnn_lava.compiler.pruning.surgery import keep_synapses
from hrsnn_lava.network import Network
from hrsnn_lava.options import Share, options


@options
class PrunePlain(Pass[Network, Network]):
    """Keep the heaviest.

    Attributes:
        density: share that stays.
    """

    name: ClassVar[str] = "prune_plain"
    density: Share = 0.5

    def transform(self, network, context):
        edges = recurrent_edges(network)
        keep = np.argsort(np.argsort(-np.abs(edges.weight))) < self.density * edges.n_edges
        return keep_synapses(network, edges, keep), {}
'''


@pytest.fixture
def methods_of_my_own(tmp_path, monkeypatch):
    folder = tmp_path / "parts" / "pruning"
    folder.mkdir(parents=True)
    monkeypatch.setenv("HRSNN_LAVA_PARTS", str(tmp_path / "parts"))
    yield folder
    monkeypatch.undo()
    forget()


def test_a_method_needs_no_rescaling(methods_of_my_own):
    (methods_of_my_own / "plain.py").write_text(PLAIN)
    forget()
    prune = Spec.parse({"prune": {"method": "plain", "density": 0.25}}).prune
    assert prune.step("plain", "match").density == 0.25
    with pytest.raises(SpecError, match="rescale: plain has none"):
        Spec.parse({"prune": {"method": "plain", "rescale": "match"}})


def test_an_option_that_the_table_has_already_is_refused(methods_of_my_own):
    clash = "    density: Share = 0.5\n    homeostasis: bool = False\n"
    text = PLAIN.replace("    density: Share = 0.5\n", clash).replace("plain", "clash")
    (methods_of_my_own / "clash.py").write_text(text)
    forget()
    with pytest.raises(SpecError, match="pruning 'clash': homeostasis; allowed: names that"):
        Spec.parse({"prune": {"method": "clash"}})


def test_a_share_stands_for_the_pass_that_drops_neurons():
    assert Spec.parse({"prune": {"drop_neurons": 0}}).prune.drop_neurons is None
    assert Spec().prune.drop_neurons is None
    some = Spec.parse({"prune": {"drop_neurons": 0.25}}).prune.drop_neurons
    assert some == PruneNeurons(0.25)
    table = {"fraction": 0.25, "rounds": 3, "seed": 4}
    old = Spec.parse({"prune": {"drop_neurons": table}}).prune.drop_neurons
    assert old == PruneNeurons(0.25, rounds=3, seed=4)
    assert old.score == "betweenness"
    table |= {"score": "leverage", "connected": False, "ridge": 0.1}
    new = Spec.parse({"prune": {"drop_neurons": table}}).prune.drop_neurons
    assert new == PruneNeurons(0.25, 3, "leverage", False, None, 0.1, 4)
    named = PruneSpec(drop_neurons=PruneBetweenness(0.25, seed=4)).drop_neurons
    assert named == PruneNeurons(0.25, connected=False, seed=4)
    with pytest.raises(SpecError, match=r"drop_neurons\.score: 'x'; allowed: activity, betw"):
        Spec.parse({"prune": {"drop_neurons": {"fraction": 0.1, "score": "x"}}})


def test_neurons_go_by_a_share_or_to_a_budget():
    table = {"drop_neurons": {"sop_ratio": 4.0, "score": "activity"}}
    dropping = Spec.parse({"prune": table}).prune.drop_neurons
    assert dropping.fraction is None
    assert str(dropping.budget.amount) == "4x"
    assert Spec.parse({"prune": {"drop_neurons": 0.3}}).prune.drop_neurons.fraction == 0.3
    with pytest.raises(SpecError, match=r"prune\.drop_neurons: .*one of fraction, density, "):
        Spec.parse({"prune": {"drop_neurons": {"score": "random"}}})


def test_operations_take_the_place_of_a_density_for_the_controls_too():
    prune = Spec.parse({"prune": {"method": "activity", "sop_ratio": 5.0}}).prune
    assert str(prune.budget) == "5x"
    for method in ("activity", "random", "balanced", "lyapunov", "magnitude"):
        step = prune.step(method, "none")
        assert (step.sop_ratio, step.density) == (5.0, None)
    point = prune.step("activity", "none", Amount("sop_ratio", 9.0))  # of the pruning curve
    assert (point.sop_ratio, point.density) == (9.0, None)
    assert str(Spec().prune.budget) == "2 %"


def test_a_share_of_operations_is_the_inverse_of_a_ratio():
    with pytest.warns(FutureWarning, match=r"prune\.sop_share is called prune\.sop_ratio now"):
        prune = Spec.parse({"prune": {"method": "activity", "sop_share": 0.2}}).prune
    assert prune.step("activity", "none").sop_ratio == 5.0
    with pytest.warns(FutureWarning, match="sop_share s is sop_ratio 1/s"):
        assert PruneActivity(sop_share=0.5) == PruneActivity(sop_ratio=2.0)


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ({"sops": 3.0, "sop_ratio": 2.0}, "budget: sop_ratio and sops: one of them"),
        ({"sops": 3.0, "density": 0.3}, "budget: density and sops: one of them"),
        ({"sops": 0.02, "density": 0.3}, "budget: density and sops: one of them"),
        (
            {"method": "activity", "screen": {"candidates": ["random", "balanced"]}},
            "method: activity is no candidate of screen, which has random, balanced",
        ),
        (
            {"method": "erdos_renyi", "screen": "portfolio"},
            "method: erdos_renyi is no candidate of screen, which has balanced, random, magnitude",
        ),
        ({"rescale": {"mode": "none", "cap": 3.0}}, "rescale.cap: of inverse and match, not of"),
        ({"rescale": {"mode": "match", "ridge": 1.0}}, "rescale.ridge: of refit, not of match"),
        ({"curve": [0.5, 2.0]}, "curve: values of density, 0 to 1"),
        ({"sop_ratio": 40.0, "curve": [0.5]}, "curve: values of sop_ratio, 1 to inf"),
    ],
)
def test_budgets_and_curves_fit_each_other(table, line):
    with pytest.raises(SpecError, match="spec is not valid") as caught:
        Spec.parse({"prune": table})
    assert line in str(caught.value)


def test_tables_of_passes_become_passes():
    text = {
        "stock_groups": {"groups": 4},
        "lower_stock": {},
        "partition": {"method": "index"},
        "place": {"method": "row"},
        "seed": 5,
        "stdp": {"max_profiles": 2},
    }
    spec = Spec.parse(text)
    names = ["stock_groups", "lower_stock", "partition", "palette", "absorb_thresholds", "place"]
    assert [step.name for step in spec.mapping_passes()] == names
    assert [step.name for step in Spec().mapping_passes()] == names[2:]
    stdp = spec.quantize_pass().stdp
    assert (stdp.max_profiles, stdp.seed, stdp.headroom) == (2, 5, 16.0)
    for table, where in (
        ({"stock_groups": {}}, "stock_groups.groups: missing; allowed: required here"),
        ({"place": {"method": "spiral"}}, "place.method: 'spiral'; allowed: search, chips"),
        ({"quantize": {"stdp": {}, "weight_bits": 0}}, "quantize.weight_bits: 0; allowed: >= 1"),
        ({"quantize": {"stdp": {"match": "peak"}}}, "its options stand in the table [stdp]"),
    ):
        with pytest.raises(SpecError) as caught:
            Spec.parse(table)
        assert where in str(caught.value)


def test_without_stdp_the_canonical_text_is_as_before_there_was_any():
    assert Spec().stdp is None
    assert "stdp" not in Spec().canonical()
    learns = Spec.parse({"stdp": {}})
    assert learns.stdp.on_chip
    assert learns.stdp.train_passes == 0
    assert "stdp" in learns.canonical()
    assert Spec.parse(learns.model_dump()) == learns


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"colour": 1}, r"stdp\.colour: unknown key; allowed: one of projections, a_plus"),
        ({"projections": []}, r"stdp\.projections: \[\]"),
        ({"projections": ["exc_exc", "exc_exc"]}, "projections: each name once"),
        ({"projections": ["out_exc"]}, r"stdp\.projections\.0: 'out_exc'; allowed: 'exc_exc'"),
        ({"projections": ["inp_exc"]}, "stdp.projections: inputs that are held or graded do not"),
        ({"homogeneous": ["a_plus", "a_plus"]}, "homogeneous: each name once"),
        ({"homogeneous": ["tau"]}, r"stdp\.homogeneous\.0: 'tau'; allowed: 'a_plus'"),
        ({"a_plus": -0.1}, r"stdp\.a_plus: -0\.1; allowed: >= 0"),
        ({"tau_plus": 0.0}, r"stdp\.tau_plus: 0\.0; allowed: > 0"),
        (
            {"tau_minus": {"distribution": "normal", "mean": 0.02, "std": 0.01}},
            "tau_minus must stay positive: set low > 0",
        ),
        (
            {"a_plus": {"distribution": "uniform", "low": -1.0, "high": 1.0}},
            "a_plus must not be negative: set low >= 0",
        ),
        (
            {"tau_plus": {"distribution": "gamma", "shape": 3.0, "meen": 0.02}},
            r"stdp\.tau_plus\.meen: unknown key; allowed: one of low, high, exact_mean",
        ),
        ({"on_chip": False}, "nothing learns: set on_chip = true, or train_passes >= 1"),
        ({"t_epoch": 64}, r"stdp\.t_epoch: 64; allowed: <= 63"),
        ({"headroom": 17.0}, r"stdp\.headroom: 17\.0; allowed: <= 16"),
        ({"max_profiles": 0}, r"stdp\.max_profiles: 0; allowed: >= 1"),
    ],
)
def test_stdp_is_read_strictly(table, message):
    with pytest.raises(SpecError, match=message):
        Spec.parse({"stdp": table})


def test_learning_on_the_chip_has_no_delays():
    delayed = {"connectivity": {"delay": 0.002}}
    with pytest.raises(SpecError, match="learning connections have no delays"):
        Spec.parse({"network": delayed, "stdp": {}})
    Spec.parse({"network": delayed, "stdp": {"on_chip": False, "train_passes": 1}})
    others = {"connectivity": {"delay": {"ee": 0.0, "ei": 0.002, "ie": 0.0, "ii": 0.0}}}
    Spec.parse({"network": others, "stdp": {}})
    with pytest.raises(SpecError, match="learning connections have no delays"):
        Spec.parse({"network": others, "stdp": {"projections": ["exc_inh"]}})


@pytest.mark.parametrize(
    ("value", "allowed"),
    [('"slow"', "a number, or 'fastest'"), ("0", "> 0.0, or 'fastest'"), ("-1.0", "> 0.0, or")],
)
def test_a_step_time_is_seconds_or_fastest(tmp_path, value, allowed):
    path = write(tmp_path, "")
    assert Spec.load(path, ('report.step_time_s="fastest"',)).report.step_time_s == "fastest"
    with pytest.raises(SpecError) as caught:
        Spec.load(path, (f"report.step_time_s={value}",))
    (problem,) = caught.value.problems
    assert problem.where == "report.step_time_s"
    assert allowed in problem.allowed


@pytest.mark.parametrize("wrong", [3, True, ["network"], 1.5, None])
@pytest.mark.parametrize("key", ["readout", "encoder"])
def test_a_part_is_a_name_or_a_table(key, wrong):
    with pytest.raises(
        SpecError, match=rf"task.{key}: .*; allowed: the name of an? {key}, or a table: "
    ):
        Spec.parse({"task": {"kind": "digits", key: wrong}})


@pytest.mark.parametrize("wrong", [3, True, ["accuracy"]])
def test_a_metric_is_a_name_or_a_table(wrong):
    with pytest.raises(
        SpecError, match=r"metrics.0: .*; allowed: the name of a metric, or a table: accuracy"
    ):
        Spec.parse({"metrics": [wrong]})


def test_aftercare_and_screening_are_off_unless_asked_for():
    """Specs without them are the text that they were."""
    table = json.loads(Spec().canonical())["prune"]
    assert not {"aftercare", "screen"} & set(table)
    assert Spec().prune.care is None
    assert Spec().prune.way == "lyapunov"
    off = Spec.parse({"prune": {"aftercare": False}})
    assert off.canonical() == Spec().canonical()


@pytest.mark.parametrize(
    ("prune", "criterion"),
    [
        ({"screen": "portfolio"}, "memory"),
        ({"screen": {}}, "memory"),
        ({"screen": {"criterion": "dynamics", "draws": 3}}, "dynamics"),
        ({"screen": {"criterion": {"kind": "dynamics", "noise": 0.1}}}, "dynamics"),
    ],
)
def test_screening_is_a_word_or_a_table(prune, criterion):
    spec = Spec.parse({"prune": prune})
    assert spec.prune.screen.criterion.name == criterion
    assert spec.prune.way == "portfolio"
    assert spec.prune.care == AftercareOptions()
    again = Spec.parse(json.loads(spec.canonical()))
    assert again.canonical() == spec.canonical()
    assert again.prune.screen == spec.prune.screen


def test_a_table_of_aftercare_keeps_what_it_does_not_say():
    asked = Spec.parse({"prune": {"aftercare": {"cap": 1.2, "balance": {"samples": 9}}}})
    care = asked.prune.care
    assert (care.cap, care.gains) == (1.2, (1.0, 0.7, 0.5))
    assert care.balance == replace(GENTLE, samples=9)
    assert Spec.parse(json.loads(asked.canonical())).prune.care == care
    assert Spec.parse({"prune": {"aftercare": True}}).prune.care == AftercareOptions()
    both = Spec.parse({"prune": {"screen": "portfolio", "aftercare": {"cap": 1.3}}})
    assert both.prune.care.cap == 1.3


@pytest.mark.parametrize(
    ("prune", "words"),
    [
        ({"aftercare": True, "homeostasis": False}, "aftercare: set homeostasis = true"),
        ({"screen": "portfolio", "homeostasis": False}, "screen: set homeostasis = true"),
        ({"screen": "portfolio", "method": "none"}, "screen: nothing is pruned"),
        ({"screen": "portfolo"}, "Did you mean 'portfolio'"),
        ({"screen": {"criterion": "memroy"}}, "criterion.kind: 'memroy'.*Did you mean 'memory'"),
        ({"screen": {"candidates": ["neurons"]}}, "candidates.0: 'neurons'; allowed: activity"),
        ({"aftercare": {"cup": 1.0}}, "aftercare.cup: unknown key.*Did you mean 'cap'"),
        ({"aftercare": 3}, "prune.aftercare: 3"),
    ],
)
def test_wrong_aftercare_and_screening_are_named(prune, words):
    with pytest.raises(SpecError, match=words):
        Spec.parse({"prune": prune})
