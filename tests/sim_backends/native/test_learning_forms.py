"""Which profiles share a form, and how synapses are stored for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from fast_learning_networks import case

from hrsnn_lava.chip_learning import Factor, Learning, Product, pair_stdp
from hrsnn_lava.sim_backends.learning_program import plastic_projections
from hrsnn_lava.sim_backends.native.learning import LearningState
from hrsnn_lava.sim_backends.native.learning_forms import forms_of

RULE = pair_stdp((1, -2), (3, -4), 10, 20)


def forms(rules, graded="regular"):
    network, _ = case(1, "pairs", 1, 1, None)
    (plastic, _) = plastic_projections(network)
    learning = Learning(rules)
    return forms_of(replace(plastic, rules=learning.rules, graded_spikes=graded)).tolist()


def test_scales_and_traces_are_no_part_of_a_form():
    other = pair_stdp((7, 3), (1, 1), 3, 4, impulse=100)
    assert forms((RULE, other, RULE)) == [0, 0, 0]


def test_factors_constants_and_the_order_of_products_are():
    constant = replace(RULE, dw=(replace(RULE.dw[0], factors=(Factor("y1", 1),)), RULE.dw[1]))
    tagged = replace(RULE, dt=(Product("x0", 1),))
    assert forms((RULE, constant, replace(RULE, dw=RULE.dw[::-1]), tagged, RULE)) == [0, 1, 2, 3, 0]


def test_profiles_that_may_see_different_spikes_share_none():
    assert forms((RULE, RULE), "overwrite") == [0, 0]
    assert forms((RULE, RULE), "add_overflow") == [0, 1]


def test_a_line_lies_form_by_form_and_slots_name_group_and_neuron():
    network, _ = case(5, "any form", 4, 1, None)
    plastic = plastic_projections(network)
    wiring = LearningState(plastic, network.n_neurons).wiring
    for r, p in enumerate(plastic):
        form = forms_of(p)
        n_forms = form.max() + 1
        synapses = set(zip(p.cols.tolist(), p.rows.tolist(), p.profile.tolist(), strict=True))
        seen = set()
        for pre in range(p.n_pre):
            for f in range(n_forms):
                run = wiring.run[r] + pre * n_forms + f
                for q in range(wiring.runs[run], wiring.runs[run + 1]):
                    profile, post = divmod(int(wiring.slots[q]) - int(wiring.slot[r]), p.n_post)
                    assert form[profile] == f
                    assert profile == wiring.profile[q]
                    assert post == wiring.targets[q] - p.target
                    seen.add((pre, post, profile))
        assert seen == synapses
        for post in range(p.n_post):
            for f in range(n_forms):
                run = wiring.row_run[r] + post * n_forms + f
                part = slice(wiring.row_runs[run], wiring.row_runs[run + 1])
                place, slot = wiring.row_place[part].astype(int), wiring.row_slot[part].astype(int)
                assert np.all(wiring.targets[place] == post + p.target)
                assert np.all(form[slot // p.n_pre] == f)
                assert np.all(slot // p.n_pre == wiring.profile[place])
