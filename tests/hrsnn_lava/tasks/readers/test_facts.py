"""What is known of public sets, and the check of their files against it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from data_set_files import spiking_speech

from hrsnn_lava import registry
from hrsnn_lava.errors import ArtifactError, SpecError
from hrsnn_lava.tasks.readers.base import Labelled
from hrsnn_lava.tasks.readers.facts import DataSet, SetFile, check, facts_of, public_readers
from hrsnn_lava.tasks.readers.shd import ShdRecordings

FACTS = DataSet("A set", "home.org", "CC0", "who", (SetFile("a.bin", "it"),), 2)


class Reader:
    name, path = "a_set", "folder"

    def __init__(self, labelled, **facts):
        self.labelled, self.facts = labelled, replace(FACTS, **facts)

    def read(self):
        return self.labelled


def labelled(shapes=((2, 3), (4, 3), (1, 3)), labels=(0, 1, 0), parts=(0, 0, 2)):
    samples = [np.zeros(shape) for shape in shapes]
    given = None if parts is None else np.array(parts)
    return Labelled(samples, np.array(labels), ("a", "b", "c"), None, given)


def test_every_public_set_is_a_reader_and_a_task():
    sets = set(public_readers())
    assert sets == {
        *("cifar10", "cifar100", "dvs128", "japanese_vowels", "kth", "nmnist", "shd", "ssc"),
        *("ucf101", "ucf11", "watch"),
    }
    assert sets < set(registry.names("task"))
    for name in sets:
        facts = facts_of(name)
        assert all([facts.title, facts.home, facts.licence, facts.cite, facts.files, facts.classes])
        assert "://" not in facts.home
    with pytest.raises(SpecError, match=r"no data set 'digits'"):
        facts_of("digits")


def test_published_numbers():
    """As the papers and pages of the sets have them."""
    totals = {name: sum(facts_of(name).samples.values()) for name in public_readers()}
    assert totals["shd"] == 10420
    assert totals["ssc"] == 105829
    assert totals["dvs128"] == 122 * 12
    assert totals["nmnist"] == 70000
    assert totals["cifar10"] == totals["cifar100"] == 60000
    assert totals["kth"] == 25 * 6 * 4 - 1
    assert totals["ucf101"] == 13320
    assert totals["japanese_vowels"] == 640


def test_a_whole_set_is_counted():
    checked = check(Reader(labelled(), samples={"train": 2, "test": 1}))
    assert (checked.samples, checked.classes, checked.channels) == ({"train": 2, "test": 1}, 2, 3)
    assert (checked.frames, checked.events, checked.longest, checked.groups) == (7, 0, 4.0, None)
    told = []
    check(Reader(labelled(), samples={"all": 3}), lambda _, share=None: told.append(share))
    assert told == [None, 0.0, 1 / 3, 2 / 3]
    assert check(Reader(labelled(), samples={"train": 9}, also={"all": 3})).classes == 2
    assert check(Reader(labelled(parts=None))).samples == {"all": 3}


@pytest.mark.parametrize(
    ("made", "facts", "message"),
    [
        (labelled(), {"samples": {"train": 3}}, r"samples: 2 train, 1 test; allowed: 3 train"),
        (
            labelled(),
            {"samples": {"train": 3}, "also": {"all": 4}},
            r"2 train, 1 test; allowed: 3 train or 4 all",
        ),
        (labelled(labels=(0, 0, 0)), {}, r"classes: 1; allowed: 2"),
        (labelled(shapes=((2, 3), (2, 4), (2, 3))), {}, r"sample 1, channels: 4; allowed: 3"),
        (labelled(shapes=((2, 3), (0, 3), (2, 3))), {}, r"sample 1: shape \(0, 3\)"),
    ],
)
def test_the_first_fault_of_a_set_is_named(made, facts, message):
    with pytest.raises(ArtifactError, match=message):
        check(Reader(made, **facts))


def test_events_are_counted(tmp_path, monkeypatch):
    recordings = [([0.1, 0.5], [1, 2]), ([0.25], [3])]
    spiking_speech(tmp_path / "shd_train.h5", recordings, [0, 1], speakers=[3, 3])
    spiking_speech(tmp_path / "shd_test.h5", recordings[:1], [1], speakers=[4])
    facts = replace(ShdRecordings.facts, samples={"train": 2, "test": 1})
    monkeypatch.setattr(ShdRecordings, "facts", facts)
    with pytest.raises(ArtifactError, match=r"classes: 2; allowed: 20"):
        check(ShdRecordings(str(tmp_path)))
    monkeypatch.setattr(ShdRecordings, "facts", replace(facts, classes=2))
    checked = check(ShdRecordings(str(tmp_path)))
    assert (checked.events, checked.frames, checked.longest) == (5, 0, 0.5)
    assert (checked.channels, checked.groups) == (700, 2)


def test_a_damaged_sample_is_found_where_there_are_too_few_as_well():
    broken = Labelled(
        [np.ones((2, 3)), np.full((2, 3), np.nan)], np.array([0, 1]), ("a", "b"), None, None
    )
    with pytest.raises(ArtifactError, match="sample 1: values that are not finite"):
        check(Reader(broken, samples={"all": 9}))
