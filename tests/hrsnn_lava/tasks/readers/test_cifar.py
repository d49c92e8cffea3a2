"""CIFAR-10 and CIFAR-100: records of the binary version, cut off and changed."""

from __future__ import annotations

import numpy as np
import pytest

from hrsnn_lava.errors import ArtifactError, SpecError
from hrsnn_lava.tasks.readers.cifar10 import Cifar10Images
from hrsnn_lava.tasks.readers.cifar100 import Cifar100Images

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (6, 3, 32, 32), dtype=np.uint8)


def records(images, *labels):
    return b"".join(
        bytes(label) + image.tobytes() for *label, image in zip(*labels, images, strict=True)
    )


@pytest.fixture
def ten(tmp_path):
    for k in range(5):
        (tmp_path / f"data_batch_{k + 1}.bin").write_bytes(records(IMAGES[k : k + 1], [k]))
    (tmp_path / "test_batch.bin").write_bytes(records(IMAGES[4:], [9, 0]))
    return tmp_path


@pytest.fixture
def hundred(tmp_path):
    (tmp_path / "train.bin").write_bytes(records(IMAGES[:3], [19, 0, 7], [99, 0, 50]))
    (tmp_path / "test.bin").write_bytes(records(IMAGES[3:4], [1], [2]))
    return tmp_path


def test_images_are_planes_of_red_green_and_blue(ten):
    read = Cifar10Images(str(ten)).read()
    assert (read.labels.tolist(), read.parts.tolist()) == ([0, 1, 2, 3, 4, 9, 0], [0] * 5 + [2] * 2)
    assert (read.classes[0], read.classes[9]) == ("airplane", "truck")
    for k, image in enumerate([0, 1, 2, 3, 4, 4, 5]):
        np.testing.assert_array_equal(read.sample(k), IMAGES[image].reshape(1, -1) / 255)


def test_grey_and_pooled_images(ten):
    grey = Cifar10Images(str(ten), grey=True).read().sample(2)
    r, g, b = IMAGES[2] / 255
    np.testing.assert_allclose(grey[0], (0.299 * r + 0.587 * g + 0.114 * b).ravel(), rtol=1e-12)
    pooled = Cifar10Images(str(ten), pool=16).read().sample(2)
    truth = [
        (IMAGES[2, c, 16 * i : 16 * i + 16, 16 * j : 16 * j + 16] / 255).mean()
        for c in range(3)
        for i in range(2)
        for j in range(2)
    ]
    np.testing.assert_allclose(pooled[0], truth, rtol=1e-12)
    with pytest.raises(SpecError, match=r"task.pool: 5; allowed: a divisor of 32"):
        Cifar10Images(str(ten), pool=5).read()


def test_a_record_of_cifar_100_has_two_labels(hundred):
    fine = Cifar100Images(str(hundred)).read()
    coarse = Cifar100Images(str(hundred), coarse=True).read()
    assert (fine.labels.tolist(), len(fine.classes)) == ([99, 0, 50, 2], 100)
    assert (coarse.labels.tolist(), len(coarse.classes)) == ([19, 0, 7, 1], 20)
    np.testing.assert_array_equal(fine.sample(3), IMAGES[3].reshape(1, -1) / 255)
    (hundred / "fine_label_names.txt").write_text("\n".join(f"name {k}" for k in range(100)) + "\n")
    assert Cifar100Images(str(hundred)).read().classes[99] == "name 99"
    (hundred / "coarse_label_names.txt").write_text("one\ntwo\n")
    with pytest.raises(ArtifactError, match=r"coarse_label_names.txt.*\n.*2 different names.* 20"):
        Cifar100Images(str(hundred), coarse=True).read()


@pytest.mark.parametrize("length", [0, 1, 3072, 3074, 2 * 3073 - 1])
def test_a_record_that_is_cut_off_is_named(ten, length):
    file = ten / "data_batch_3.bin"
    file.write_bytes(records(IMAGES[:2], [1, 2])[:length])
    with pytest.raises(ArtifactError) as caught:
        Cifar10Images(str(ten)).read()
    assert f"{file}: damaged" in str(caught.value)
    assert f"record {length // 3073}: ends at byte {length:,}" in str(caught.value)


def test_a_label_without_a_class_is_named(ten, hundred):
    (ten / "data_batch_2.bin").write_bytes(records(IMAGES[:2], [1, 10]))
    with pytest.raises(ArtifactError, match=r"record 1: label 10; allowed: 0..9"):
        Cifar10Images(str(ten)).read()
    (hundred / "test.bin").write_bytes(records(IMAGES[:1], [20], [2]))
    with pytest.raises(ArtifactError, match=r"record 0: label 20; allowed: 0..19"):
        Cifar100Images(str(hundred)).read()


def test_a_file_that_shrinks_after_it_was_opened_is_a_message(ten):
    read = Cifar10Images(str(ten)).read()
    (ten / "test_batch.bin").write_bytes(records(IMAGES[:1], [9]) + b"123")
    with pytest.raises(ArtifactError, match=r"record 1: ends at byte 3,076"):
        read.sample(6)
    (ten / "test_batch.bin").unlink()
    with pytest.raises(ArtifactError, match=r"test_batch.bin, record 1: cannot be read"):
        read.sample(6)
    with pytest.raises(ArtifactError, match=r"test_batch.bin: not there.*www.cs.toronto.edu"):
        Cifar10Images(str(ten)).read()
