"""Trainings that take their steps together end with the weights and checkpoints that each has alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from bench.training.trainer import new_trainer
from lightning_modules import scan
from lightning_modules.graphed_step import WARMUP
from lightning_modules.graphed_training import GraphedModule
from lightning_modules.spiking import Diverged, SpikingModule
from lightning_modules.together import Group, Member
from tests.lightning_modules.test_graphed_training import CONFIG, SIZES, Replayed, batches, equal

PARTS = ("state_dict", "optimizer_states", "lr_schedulers", "loops", "global_step", "epoch")


@pytest.fixture(autouse=True)
def on_the_loop() -> Iterator[None]:
    Replayed.replays.clear()
    with scan.using("loop"):
        yield
    torch.use_deterministic_algorithms(False)


def train(
    kind: type[SpikingModule],
    seed: int,
    folder: Path,
    member: Member | None = None,
    epochs: int = 2,
    callbacks: list[pl.Callback] | None = None,
    **changes: Any,
) -> None:
    """Train from the checkpoint of ``seed`` in ``folder``, if there is one, and save another."""
    torch.manual_seed(seed)
    module = kind({**CONFIG, "seed": seed, "lr_neuron": 0.5, **changes})
    if member is not None:
        assert isinstance(module, GraphedModule)
        module.member = member
    trainer = new_trainer(
        max_epochs=epochs, gradient_clip_val=0.1, logger=False, callbacks=callbacks, limit_val_batches=0
    )
    checkpoint = folder / f"{seed}.ckpt"
    resumed = str(checkpoint) if checkpoint.exists() else None
    trainer.fit(module, DataLoader(batches(seed), batch_size=None), ckpt_path=resumed)
    trainer.save_checkpoint(checkpoint)


def train_together(folder: Path, seeds: range, epochs: int = 2, **changes: Any) -> None:
    def training(seed: int) -> Callable[[Member], None]:
        return lambda member: train(Replayed, seed, folder, member, epochs, **changes)

    Group(len(seeds)).run([training(seed) for seed in seeds])


def checkpoint(folder: Path, seed: int) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(folder / f"{seed}.ckpt", weights_only=True)
    return content


def assert_as_alone(folder: Path, seed: int, alone: Path) -> None:
    actual = checkpoint(folder, seed)
    expected = checkpoint(alone, seed)
    assert [part for part in PARTS if not equal(actual[part], expected[part])] == []


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Of trainings together, and of the same ones alone."""
    together = tmp_path / "together"
    alone = tmp_path / "alone"
    together.mkdir()
    alone.mkdir()
    return together, alone


@pytest.mark.parametrize("optimiser", ["adam", "adamw"])
def test_seeds_trained_together_have_the_checkpoints_that_each_has_alone(
    optimiser: str, folders: tuple[Path, Path]
) -> None:
    together, alone = folders
    train_together(together, range(3), optimiser=optimiser)
    assert len(Replayed.replays) == 12 - WARMUP - 2  # of the three: the last batch of each epoch is a smaller one
    for seed in range(3):
        train(SpikingModule, seed, alone, optimiser=optimiser)
        assert_as_alone(together, seed, alone)


def test_seeds_that_have_come_to_different_epochs_go_on_together_to_the_same_weights(
    folders: tuple[Path, Path],
) -> None:
    together, alone = folders
    train(SpikingModule, 1, together, epochs=1)
    train_together(together, range(2), epochs=3)  # seed 1 is an epoch ahead: other learning rates, and an earlier end
    for seed in range(2):
        train(SpikingModule, seed, alone, epochs=3)
        assert_as_alone(together, seed, alone)


def test_a_training_that_diverges_ends_alone_and_the_others_go_on(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    together, alone = folders
    monkeypatch.setattr(SpikingModule, "check_every", 2)
    loss_of_output = SpikingModule.loss_of_output

    def loss(module: SpikingModule, output: Tensor, target: Tensor) -> Tensor:
        value = loss_of_output(module, output, target)
        bad = module.config["seed"] == 1 and module.current_epoch == 1
        return value * float("nan") if bad else value

    monkeypatch.setattr(SpikingModule, "loss_of_output", loss)
    with pytest.raises(Diverged, match="loss nan in epoch 1, batch 0"):
        train_together(together, range(3))
    assert not (together / "1.ckpt").exists()
    for seed in (0, 2):
        train(SpikingModule, seed, alone)
        assert_as_alone(together, seed, alone)


def test_an_error_of_the_common_step_ends_every_training_with_it(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []

    def training(seed: int, member: Member) -> None:
        try:
            train(Replayed, seed, folders[0], member)
        except RuntimeError as error:
            ended.append(f"{seed}: {error}")

    def fail(*_: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr("lightning_modules.together.forward_seeds", fail)
    Group(2).run([partial(training, seed) for seed in range(2)])
    assert sorted(ended) == ["0: out of memory", "1: out of memory"]


def test_a_training_that_cannot_share_its_steps_takes_its_own(folders: tuple[Path, Path]) -> None:
    together, alone = folders
    drawn: dict[str, Any] = {"network_settings": {"start": "uniform"}}
    train_together(together, range(2), **drawn)
    assert Replayed.replays == []
    for seed in range(2):
        train(SpikingModule, seed, alone, **drawn)
        assert_as_alone(together, seed, alone)


def test_one_training_runs_at_any_time(folders: tuple[Path, Path]) -> None:
    running: list[int] = []
    most: list[int] = []

    class Watch(pl.Callback):
        def on_train_batch_start(self, *_: object) -> None:
            running.append(1)
            sum(i * i for i in range(100_000))  # longer than a thread's slice of time
            most.append(len(running))
            running.pop()

    def training(seed: int) -> Callable[[Member], None]:
        return lambda member: train(Replayed, seed, folders[0], member, callbacks=[Watch()])

    Group(3).run([training(seed) for seed in range(3)])
    assert Counter(most) == {1: 3 * 2 * len(SIZES)}
