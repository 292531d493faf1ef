"""The overfit check trains CIFAR10's network on so many images and its exit code tells whether it has learnt them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from bench.speed.overfit_check import main
from datamodules import cifar10, cifar10_images
from tests.datamodules import tiny_sets
from tests.datamodules.test_cifar10 import TEST, TRAIN


def test_it_trains_on_so_many_images_and_fails_without_reaching_its_goal(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_sets.install("cifar10", tiny_sets.cifar_archive(TRAIN, TEST), {"train": 40, "test": 12}, monkeypatch)
    monkeypatch.setattr(cifar10.CIFAR10Subset, "source", "cifar10")
    monkeypatch.setattr(cifar10.CIFAR10Subset, "images", staticmethod(cifar10_images.archive_images))
    monkeypatch.setattr(
        torch, "set_num_threads", lambda number: None
    )  # of the whole process, so of the tests after this one
    done = CliRunner().invoke(main, ["--count", "2", "--batch-size", "2", "--epochs", "1", "--goal", "100.1", "--json"])
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["images"] == 2 and result["epochs"] == 1 and result["accuracy"] in (0.0, 50.0, 100.0)
    assert done.exit_code == 1


def test_without_the_images_the_message_has_the_command_that_fetches_them(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    done = CliRunner().invoke(main, [])
    assert done.exit_code == 1 and "bench data fetch cifar10-subset" in done.output
