"""Trainings see the right bytes: the same for the same seed and epoch, from whole files only."""

from __future__ import annotations

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

import datamodules
from datamodules import mnist, sources
from datamodules.base import random_bytes
from datamodules.sources import DataError, File, Source
from datamodules.xor import DelayedXOR
from tests.conftest import bench


def idx(array: np.ndarray) -> bytes:
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes(), mtime=0)


@pytest.fixture
def tiny_mnist(places: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    """60 training and 20 test images in MNIST's own format, with md5 of their own."""
    rng = np.random.default_rng(0)
    files = []
    for split, count in (("train", 60), ("t10k", 20)):
        for kind, array in (
            ("images-idx3", rng.integers(0, 256, (count, 28, 28))),
            ("labels-idx1", rng.integers(0, 10, count)),
        ):
            content = idx(array)
            path = f"raw/{split}-{kind}-ubyte.gz"
            file_path = places / "data" / "mnist" / path
            file_path.parent.mkdir(parents=True, exist_ok=True)
            file_path.write_bytes(content)
            files.append(File(path, len(content), hashlib.md5(content).hexdigest()))
    source = Source("mnist", "MNIST", files=tuple(files))
    monkeypatch.setitem(sources.SOURCES, "mnist", source)
    monkeypatch.setattr(mnist, "SOURCE", source)
    return source


def build_mnist(**settings) -> mnist.MNIST:
    data = mnist.MNIST(batch_size=25, seed=3, **settings)
    data.setup()
    return data


def test_mnist_batches_are_time_first_binary_and_cover_every_sample_once(tiny_mnist: Source) -> None:
    batches = list(build_mnist(steps=7).train_batches(lambda: 0))
    assert [tuple(x.shape) for x, _ in batches] == [(7, 25, 784), (7, 25, 784), (7, 10, 784)]
    assert set(torch.cat([x.flatten() for x, _ in batches]).unique().tolist()) == {0.0, 1.0}
    labels = mnist.parse_idx(sources.read(tiny_mnist, "raw/train-labels-idx1-ubyte.gz"), "labels")
    assert sorted(torch.cat([y for _, y in batches]).tolist()) == sorted(labels.tolist())


def test_bernoulli_rates_follow_the_pixels_and_currents_are_them(tiny_mnist: Source) -> None:
    data = build_mnist(steps=400)
    x, _ = next(iter(data.test_batches()))
    pixels = data.sets["t10k"][0].float()
    assert (x.mean(0) - pixels / 256).abs().max() < 0.13  # 5 standard deviations of 400 draws
    assert abs(float((x.mean(0) - pixels / 256).mean())) < 1e-3
    current, _ = next(iter(build_mnist(steps=3, encoding="current").test_batches()))
    assert torch.equal(current, (pixels / 255).expand(3, -1, -1))


def test_random_bytes_are_those_of_the_generator_at_any_length() -> None:
    for shape in ((1,), (3, 5), (4, 8), (7, 9, 2)):
        generator = np.random.default_rng(3)
        reference = np.random.default_rng(3)
        for _ in range(3):
            assert random_bytes(generator, shape).numpy().tobytes() == reference.bytes(int(np.prod(shape)))


def test_the_same_seed_and_epoch_give_the_same_bytes_and_others_do_not(tiny_mnist: Source) -> None:
    def first(seed: int, epoch: int) -> torch.Tensor:
        data = mnist.MNIST(batch_size=25, seed=seed)
        data.setup()
        return next(iter(data.train_batches(lambda: epoch)))[0]

    assert torch.equal(first(0, 2), first(0, 2))
    assert not torch.equal(first(0, 2), first(0, 3))
    assert not torch.equal(first(0, 2), first(1, 2))


def test_validation_is_set_aside_of_training_only(tiny_mnist: Source) -> None:
    data = build_mnist(validation=0.2, encoding="current")
    parts = [
        torch.cat([x[0] for x, _ in b])
        for b in (data.train_batches(lambda: 0), data.validation_batches(), data.test_batches())
    ]
    assert [len(x) for x in parts] == [48, 12, 20]
    all_images = torch.cat([x[0] for x, _ in build_mnist(encoding="current").train_batches(lambda: 0)])
    assert sorted(torch.cat(parts[:2]).tolist()) == sorted(all_images.tolist())
    with pytest.raises(ValueError, match="validation=0.1"):
        build_mnist().validation_batches()


def test_the_test_set_is_the_same_for_every_seed(tiny_mnist: Source) -> None:
    built = [datamodules.build("mnist", {}, 25, seed) for seed in (0, 1)]
    for data in built:
        data.setup("fit")
    first_batch, second_batch = (next(iter(data.val_dataloader()[0])) for data in built)
    assert torch.equal(first_batch[0], second_batch[0])
    assert torch.equal(first_batch[1], second_batch[1])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "cannot read"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "truncated"),
        (lambda path: path.write_bytes(b"x" + path.read_bytes()[1:]), "md5"),
    ],
)
def test_missing_truncated_and_wrong_files_are_refused_by_name(tiny_mnist: Source, damage, message: str) -> None:
    path = sources.folder("mnist") / tiny_mnist.files[0].path
    damage(path)
    with pytest.raises(DataError, match=message) as error:
        build_mnist()
    assert path.name in str(error.value)
    assert "bench data fetch mnist" in str(error.value)
    assert sources.status("mnist")["state"] == "partial"


@pytest.mark.parametrize(
    "content",
    [b"not gzip", gzip.compress(b"\x00\x00\x09\x01"), idx(np.zeros(5))[:-9], gzip.compress(idx(np.zeros(5))[:0])],
)
def test_what_is_no_idx_file_is_named(content: bytes) -> None:
    with pytest.raises(ValueError, match="labels"):
        mnist.parse_idx(content, "labels")


def test_fetch_takes_only_the_original_bytes(tiny_mnist: Source, places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = {Path(f.path).name: (sources.folder("mnist") / f.path).read_bytes() for f in tiny_mnist.files}
    served = places / "mirror"
    broken = places / "broken"
    for folder in (served, broken):
        folder.mkdir()
    for name, raw in content.items():
        (served / name).write_bytes(raw)
        (broken / name).write_bytes(b"<html>not found</html>")
    for file in tiny_mnist.files:
        (sources.folder("mnist") / file.path).unlink()
    from dataclasses import replace

    only_broken = replace(tiny_mnist, mirrors=(f"file://{places}/nowhere/", f"file://{broken}/"))
    monkeypatch.setitem(sources.SOURCES, "mnist", only_broken)
    with pytest.raises(DataError, match="not the original file") as error:
        sources.fetch("mnist", lambda text: None)
    assert "nowhere" in str(error.value)
    assert sources.missing("mnist") == list(tiny_mnist.files)
    monkeypatch.setitem(
        sources.SOURCES, "mnist", replace(only_broken, mirrors=(*only_broken.mirrors, f"file://{served}/"))
    )
    sources.fetch("mnist", lambda text: None)
    assert sources.missing("mnist") == []


def test_without_a_network_fetch_says_what_was_tried_and_where_to_put_the_file(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nothing listens there
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    result = bench("data", "fetch", "mnist")
    assert result.returncode == 1
    assert "could not be downloaded" in result.stderr
    assert str(places / "data" / "mnist" / "raw") in result.stderr
    assert "Traceback" not in result.stderr
    assert not [path for path in (places / "data").rglob("*") if path.is_file() and path.name != ".fetch.lock"]


def test_xor_rates_labels_and_positions_are_those_of_the_generator() -> None:
    data = DelayedXOR(batch_size=500, seed=0)
    spikes, labels = data.generate(4000, np.random.default_rng(0))
    x = spikes.float()
    assert x.shape == (200, 4000, 20)
    assert float(x[10:190].mean()) == pytest.approx(0.01, abs=2e-4)
    first, second = (part.mean((0, 2)) for part in (x[:10], x[190:]))
    high = 1 - (1 - 0.6) * (1 - 0.01)  # the background lies under the patterns too
    low = 1 - (1 - 0.2) * (1 - 0.01)
    assert float(first[first > 0.4].mean()) == pytest.approx(high, abs=0.005)
    assert float(first[first < 0.4].mean()) == pytest.approx(low, abs=0.005)
    assert torch.equal(labels, ((first > 0.4) ^ (second > 0.4)).long())
    assert float(labels.float().mean()) == pytest.approx(0.5, abs=0.04)


def test_xor_trains_on_fresh_samples_and_tests_on_fixed_ones() -> None:
    data = DelayedXOR(batch_size=50, seed=0, batches=3, test=120)
    data.setup()
    epochs = [[x for x, _ in data.train_batches(lambda epoch=epoch: epoch)] for epoch in (0, 1)]
    assert len(epochs[0]) == 3
    assert not torch.equal(epochs[0][0], epochs[0][1])
    assert not torch.equal(epochs[0][0], epochs[1][0])
    tests = [[x for x, _ in DelayedXOR(batch_size=size, seed=size, test=120).test_batches()] for size in (50, 7)]
    assert torch.equal(torch.cat(tests[0], 1), torch.cat(tests[1], 1))


@pytest.mark.parametrize("settings", [{"pattern": 101}, {"noise": 1.5}, {"low": -0.1}, {"pattern": 0}])
def test_impossible_settings_are_refused(settings: dict) -> None:
    with pytest.raises(ValueError, match="fit|probabilities"):
        DelayedXOR(batch_size=1, seed=0, **settings)
    with pytest.raises(ValueError, match="bernoulli, current"):
        mnist.MNIST(1, 0, encoding="rate")
    with pytest.raises(ValueError, match="known: delayed-xor, mnist"):
        datamodules.build("minst", {}, 1, 0)
