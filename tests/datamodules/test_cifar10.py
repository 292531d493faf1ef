"""CIFAR10 comes from its archive as published, normalised, cropped and flipped as the recipe says."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

import datamodules
from datamodules import cache, cifar10
from datamodules.sources import DataError
from tests.datamodules import tiny_sets

TRAIN = np.random.default_rng(0).integers(0, 256, (40, 3072), dtype=np.uint8), [i % 10 for i in range(40)]
TEST = np.random.default_rng(1).integers(0, 256, (12, 3072), dtype=np.uint8), [i % 10 for i in range(12)]


@pytest.fixture
def tiny(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_sets.install("cifar10", tiny_sets.cifar_archive(TRAIN, TEST), {"train": 40, "test": 12}, monkeypatch)


def build(**settings) -> cifar10.CIFAR10:
    data = datamodules.build("cifar10", settings, 16, 0)
    assert isinstance(data, cifar10.CIFAR10)
    return data


def normalised(images: np.ndarray) -> torch.Tensor:
    x = torch.from_numpy(images.reshape(-1, 3, 32, 32).astype(np.float32)) / 255
    return (x - torch.tensor(cifar10.MEAN).view(3, 1, 1)) / torch.tensor(cifar10.STD).view(3, 1, 1)


def test_test_images_are_the_originals_normalised_at_every_step(tiny: None) -> None:
    ((x, y),) = list(build().test_batches())
    assert x.shape == (4, 12, 3, 32, 32) and y.tolist() == TEST[1]
    for step in range(4):
        torch.testing.assert_close(x[step], normalised(TEST[0]))


def test_without_augmentation_training_shows_every_image_once(tiny: None) -> None:
    parts = [(x[0], y) for x, y in build(augment=False, steps=2).train_batches(lambda: 0)]
    x = torch.cat([p for p, _ in parts])
    y = torch.cat([p for _, p in parts])
    expected = normalised(TRAIN[0])
    nearest = torch.cdist(x.flatten(1), expected.flatten(1)).argmin(1)
    torch.testing.assert_close(x, expected[nearest])
    assert sorted(nearest.tolist()) == list(range(40)) and y.tolist() == [i % 10 for i in nearest.tolist()]


def test_every_augmented_image_is_a_crop_of_the_padded_original_perhaps_mirrored() -> None:
    images = np.random.default_rng(2).integers(1, 256, (200, 3, 32, 32), dtype=np.uint8)
    cropped = cifar10.crop_and_flip(images, np.random.default_rng(3))
    padded = np.pad(images, ((0, 0), (0, 0), (4, 4), (4, 4)))
    crops = set()
    for image, around in zip(cropped, padded, strict=True):
        places = [
            (top, left, mirrored)
            for top in range(9)
            for left in range(9)
            for mirrored in (False, True)
            if np.array_equal(image[:, :, ::-1] if mirrored else image, around[:, top : top + 32, left : left + 32])
        ]
        assert len(places) == 1
        crops.add(places[0])
    assert {t for t, _, _ in crops} == {left for _, left, _ in crops} == set(range(9)) and {m for _, _, m in crops} == {
        False,
        True,
    }


def test_augmentation_follows_seed_and_epoch(tiny: None) -> None:
    def first(epoch: int) -> torch.Tensor:
        return next(iter(build().train_batches(lambda: epoch)))[0]

    assert torch.equal(first(1), first(1)) and not torch.equal(first(1), first(2))


def test_validation_is_set_aside_of_training_only(tiny: None) -> None:
    data = build(validation=0.25, augment=False)
    counts = [
        sum(len(y) for _, y in b)
        for b in (data.train_batches(lambda: 0), data.validation_batches(), data.test_batches())
    ]
    assert counts == [30, 10, 12]
    with pytest.raises(ValueError, match="validation=0.1"):
        build().validation_batches()


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ((TRAIN[0], [10, *TRAIN[1][1:]]), r"labels 0\.\.10"),
        ((TRAIN[0][:35], TRAIN[1][:35]), "35 images"),
        ((TRAIN[0][:, :3000], TRAIN[1]), "not the Python version"),
    ],
)
def test_an_archive_that_cannot_be_used_says_why(
    places: Path, monkeypatch: pytest.MonkeyPatch, train: tuple, message: str
) -> None:
    tiny_sets.install("cifar10", tiny_sets.cifar_archive(train, TEST), {"train": 40, "test": 12}, monkeypatch)
    with pytest.raises(DataError, match=message):
        build().setup()
    assert not [p for p in cache.folder().iterdir() if p.is_file()]


class Evil:
    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("evil"),))


@pytest.mark.parametrize("content", [pickle.dumps({b"data": Evil(), b"labels": []}), b"", b"no pickle"])
def test_nothing_in_the_archive_is_executed(places: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.chdir(places)
    files = {f"cifar-10-batches-py/{n}": content for n in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")}
    tiny_sets.install(
        "cifar10", {"cifar-10-python.tar.gz": tiny_sets.tarred(files)}, {"train": 40, "test": 12}, monkeypatch
    )
    with pytest.raises(DataError, match="not the Python version"):
        build().setup()
    assert not (places / "evil").exists()


def test_the_real_images_have_the_means_of_cifar10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_sets.subset_here("cifar10-subset")
    monkeypatch.setenv("BENCH_HOME", str(tmp_path))
    data = datamodules.build("cifar10-subset", {"augment": False, "steps": 1}, 1000, 0)
    x = torch.cat([x[0] for x, _ in data.train_batches(lambda: 0)])  # type: ignore[attr-defined]
    assert x.shape == (3000, 3, 32, 32)
    assert x.mean((0, 2, 3)).abs().max() < 0.05 and (x.std((0, 2, 3)) - 1).abs().max() < 0.05
    labels = torch.cat([y for _, y in data.test_batches()])  # type: ignore[attr-defined]
    assert labels.shape == (1000,) and labels.bincount(minlength=10).min() > 60
