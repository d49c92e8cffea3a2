"""A task of every public set: what a spec says of it, and the input that a sample becomes."""

from __future__ import annotations

import numpy as np
import pytest
from data_set_files import (
    AEDAT_HEAD,
    avi,
    gestures,
    nmnist_event,
    packet,
    polarity_word,
    spiking_speech,
)

from hrsnn_lava import Spec
from hrsnn_lava.errors import SpecError
from hrsnn_lava.tasks.readers import _video
from hrsnn_lava.tasks.readers.facts import public_readers


def shd(folder, names=("shd_train", "shd_test")):
    for name in names:
        spiking_speech(folder / f"{name}.h5", [([0.0, 0.0995], [4, 699])], [3])


def ssc(folder):
    shd(folder, ("ssc_train", "ssc_valid", "ssc_test"))


def dvs128(folder):
    for name, listed in (("user01_lab", "train"), ("user02_lab", "test")):
        events = packet([(polarity_word(127, 0, 1), 5), (polarity_word(0, 8, 0), 95_000)])
        (folder / f"{name}.aedat").write_bytes(AEDAT_HEAD + events)
        gestures(folder / f"{name}_labels.csv", [(2, 0, 100_000)])
        (folder / f"trials_to_{listed}.txt").write_text(f"{name}.aedat\n")


def nmnist(folder):
    for part in ("Train", "Test"):
        (folder / part / "3").mkdir(parents=True)
        data = nmnist_event(33, 33, 1, 99_500)
        (folder / part / "3" / "1.bin").write_bytes(data)


def cifar10(folder, names=("test_batch", *(f"data_batch_{k}" for k in range(1, 6))), head=1):
    for name in names:
        (folder / f"{name}.bin").write_bytes(bytes(head) + bytes([255]) * 3072)


def cifar100(folder):
    cifar10(folder, ("train", "test"), 2)


def video(folder, names):
    bright = np.zeros((3, 24, 32))
    bright[1, :, 0] = 255
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        avi(folder / name, bright)


def kth(folder):
    video(folder, [f"person{who}_boxing_d1_uncomp.avi" for who in ("11", "02", "20")])


def ucf11(folder):
    from hrsnn_lava.tasks.readers.ucf11 import CLASSES

    video(folder, [f"{action}/v_x_01/v_x_01_01.avi" for action in CLASSES])


def ucf101(folder):
    video(folder, ["UCF-101/YoYo/v_YoYo_g01_c01.avi"])
    (folder / "ucfTrainTestlist").mkdir()
    (folder / "ucfTrainTestlist/classInd.txt").write_text("1 YoYo\n")
    for part in ("train", "test"):
        listed = folder / f"ucfTrainTestlist/{part}list01.txt"
        listed.write_text("YoYo/v_YoYo_g01_c01.avi\n")


def japanese_vowels(folder):
    table = {}
    for part in ("train", "test"):
        table[f"{part}_frames"] = np.random.default_rng(0).normal(size=(9, 12))
        table[f"{part}_lengths"], table[f"{part}_speaker"] = np.array([9]), np.array([2])
    np.savez(folder / "japanese_vowels.npz", **table)


def watch(folder):
    np.savez(
        folder / "watch_exercises.npz",
        samples=np.random.default_rng(0).normal(size=(400, 6)),
        lengths=np.array([400]),
        exercise=np.array([1]),
        subject=np.array([1]),
    )


#: Input channels, and steps of a sample of the sets above.
SETS = {
    "shd": (shd, 140, 100),
    "ssc": (ssc, 140, 100),
    "dvs128": (dvs128, 2 * 16 * 16, 10),
    "nmnist": (nmnist, 2 * 17 * 17, 100),
    "cifar10": (cifar10, 3072, 100),
    "cifar100": (cifar100, 3072, 100),
    "kth": (kth, 2 * 24 * 32, 15),
    "ucf11": (ucf11, 2 * 24 * 32, 15),
    "ucf101": (ucf101, 2 * 24 * 32, 15),
    "japanese_vowels": (japanese_vowels, 60, 90),
    "watch": (watch, 12, 200),
}


@pytest.fixture
def decoder(monkeypatch):
    """Pictures as the videos above have them, without PyAV."""

    def pictures(_):
        bright = np.zeros((3, 24, 32))
        bright[1, :, 0] = 255
        yield from bright

    monkeypatch.setattr(_video, "_pictures", pictures)


@pytest.mark.parametrize("name", sorted(SETS))
def test_a_sample_becomes_an_input(name, tmp_path, decoder):
    write, channels, steps = SETS[name]
    write(tmp_path)
    task = Spec.parse({"task": {"kind": name, "path": str(tmp_path)}}).task
    assert Spec.parse({"task": {"kind": name}}).task.train == task.train
    sample = task.samples().sample(0)
    spikes = task.encoder.encode(sample, task.steps_per_frame, np.random.default_rng(0))
    assert (spikes.n_neurons, spikes.n_steps) == (channels, steps)
    assert spikes.steps.size > 0
    if name == "shd":
        assert list(zip(spikes.steps, spikes.neurons, strict=True)) == [(0, 0), (99, 139)]
    if name == "dvs128":
        expected = [(0, (16 + 0) * 16 + 15), (9, 16)]
        assert list(zip(spikes.steps, spikes.neurons, strict=True)) == expected
    if name.startswith("cifar"):
        assert task.silence_steps == 100


def test_every_public_set_is_among_these():
    assert set(SETS) == set(public_readers())


@pytest.mark.parametrize("name", sorted(SETS))
def test_a_task_without_a_path_says_so(name):
    with pytest.raises(SpecError, match=r"task.path: not set; .*`hrsnn-lava data`"):
        Spec.parse({"task": {"kind": name}}).task.samples()


def test_a_trial_of_events_of_different_lengths(tmp_path):
    """Two words of one channel each, said by six people, classified by the input's spikes."""
    rng = np.random.default_rng(0)
    labels = np.arange(48) % 2
    recordings = [
        (np.sort(rng.uniform(0, 0.02 + 0.001 * k, 10)), np.full(10, 100 + 500 * label))
        for k, label in enumerate(labels)
    ]
    speakers = np.arange(48) // 8
    spiking_speech(tmp_path / "shd_train.h5", recordings, labels, speakers=speakers)
    spiking_speech(tmp_path / "shd_test.h5", recordings[:10], labels[:10], speakers=speakers[:10])
    table = {"kind": "shd", "path": str(tmp_path), "validation": 8}
    trial = Spec.parse({"task": table}).task.trial(seed=1)
    assert (trial.split.train.size, trial.split.validation.size, trial.split.test.size) == (
        40,
        8,
        10,
    )
    # nobody is in two parts of the training recordings
    train, validation = trial.split.train, trial.split.validation
    assert not set(speakers[train]) & set(speakers[validation])
    assert (trial.lesson.width, trial.lesson.spiking) == (140, True)
    lasting = [np.ceil(recordings[k][0].astype(np.float16).max() * 100) for k in train]
    np.testing.assert_array_equal(trial.lengths, 10 * np.array(lasting))  # blocks of 10 steps
    counted = trial.baselines(10)["linear, input spike counts"]()
    assert counted.scores["accuracy"].value == 1.0
