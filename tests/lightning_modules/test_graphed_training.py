"""A training whose steps are graphs ends with the weights of the ordinary one, also after a resume."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor
from torch.utils.data import DataLoader

from bench.training.trainer import new_trainer
from lightning_modules import graphed_training, scan
from lightning_modules.graphed_step import WARMUP, Capture
from lightning_modules.graphed_training import GraphedModule, capture_or_run, plain_schedule, plain_state
from lightning_modules.spiking import Diverged, SpikingModule

CONFIG: dict[str, Any] = {
    "network": "dense",
    "layers": [3, 5, 2],
    "neuron": {"name": "lif"},
    "network_settings": {},
    "readout": "linear-mean",
    "recurrent": True,
    "init": "default",
    "loss": "mean-ce",
    "loss_settings": {},
    "optimiser": "adam",
    "lr": 0.05,
    "lr_neuron": 1.0,
    "weight_decay": 0.01,
    "schedule": {"every": 1, "factor": 0.5},
    "seed": 0,
}
LSNN = {"network": "lsnn", "neuron": {"name": "lsnn"}, "readout": "filtered-mean", "network_settings": {"last": 2}}
SIZES = [6, 6, 6, 6, 6, 4]  # of the batches of an epoch


class Replayed(GraphedModule):
    """With an eager stand-in for a graph, on the CPU."""

    replays: ClassVar[list[int]] = []

    def capture_of(self, optimiser: torch.optim.Optimizer) -> Capture | None:
        def capture(step: Callable[[], None]) -> Callable[[], object]:
            def replay() -> None:
                self.replays.append(1)
                step()

            return replay

        return capture


@pytest.fixture(autouse=True)
def on_the_loop() -> Iterator[None]:
    """The loop compiles nothing."""
    Replayed.replays.clear()
    with scan.using("loop"):
        yield
    torch.use_deterministic_algorithms(False)


def batches(seed: int = 1) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    return [(torch.randint(0, 2, (4, n, 3), generator=generator).float(), torch.arange(n) % 2) for n in SIZES]


def fit(
    kind: type[SpikingModule],
    epochs: int,
    resumed: Path | None = None,
    callbacks: list[Callback] | None = None,
    **changes: Any,
) -> tuple[SpikingModule, pl.Trainer]:
    torch.manual_seed(0)
    module = kind({**CONFIG, **changes})
    trainer = new_trainer(
        max_epochs=epochs, gradient_clip_val=0.1, logger=False, callbacks=callbacks, limit_val_batches=0
    )
    trainer.fit(module, DataLoader(batches(), batch_size=None), ckpt_path=resumed and str(resumed))
    return module, trainer


def equal(a: Any, b: Any) -> bool:
    """To the last bit, of tensors within lists and dicts too."""
    if isinstance(a, Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


@pytest.mark.parametrize("optimiser", ["adam", "adamw"])
def test_graphed_steps_end_with_the_weights_and_checkpoint_of_ordinary_ones(optimiser: str, tmp_path: Path) -> None:
    checkpoints = []
    for kind in (SpikingModule, Replayed):
        module, trainer = fit(kind, 2, optimiser=optimiser)
        trainer.save_checkpoint(tmp_path / "state.ckpt")
        checkpoints.append(torch.load(tmp_path / "state.ckpt", weights_only=True))
        assert (trainer.global_step, module.train_samples) == (12, sum(SIZES))
    expected, actual = checkpoints
    assert len(Replayed.replays) == 12 - WARMUP - 2  # the last batch of each epoch is a smaller one
    assert actual["optimizer_states"][0]["param_groups"][0]["lr"] == CONFIG["lr"] / 4
    for part in ("state_dict", "optimizer_states", "lr_schedulers", "loops", "global_step", "epoch"):
        assert equal(actual[part], expected[part]), part


@pytest.mark.parametrize(
    ("first", "second"), [(Replayed, Replayed), (SpikingModule, Replayed), (Replayed, SpikingModule)]
)
def test_a_resumed_training_goes_on_to_the_same_weights(
    first: type[SpikingModule], second: type[SpikingModule], tmp_path: Path
) -> None:
    whole, _ = fit(SpikingModule, 2)
    _, trainer = fit(first, 1)
    trainer.save_checkpoint(tmp_path / "state.ckpt")
    Replayed.replays.clear()
    resumed, trainer = fit(second, 2, tmp_path / "state.ckpt")
    assert trainer.global_step == 12
    assert len(Replayed.replays) == (0 if second is SpikingModule else 6 - WARMUP - 1)
    assert equal(dict(resumed.state_dict()), dict(whole.state_dict()))


def test_a_loss_that_is_not_finite_stops_graphed_steps_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SpikingModule, "check_every", 2)
    monkeypatch.setattr(Replayed, "loss_of", lambda self, x, y: self.network(x).sum() * float("nan"))
    with pytest.raises(Diverged, match="loss nan in epoch 0, batch 0"):
        fit(Replayed, 1)


class Hook(Callback):
    def on_after_backward(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Whoever has this wants gradients."""


@pytest.mark.parametrize(
    ("changes", "callbacks"),
    [
        (LSNN, []),
        ({"network_settings": {"start": "uniform"}}, []),
        ({}, [Hook()]),
    ],
    ids=["another network", "drawn states", "a hook on gradients"],
)
def test_a_step_in_which_the_host_has_a_part_is_the_ordinary_one(
    changes: dict[str, Any], callbacks: list[Callback]
) -> None:
    fit(Replayed, 1, callbacks=callbacks, **changes)
    assert Replayed.replays == []


def test_without_a_card_nothing_is_captured() -> None:
    module, _ = fit(GraphedModule, 1)
    expected, _ = fit(SpikingModule, 1)
    assert equal(dict(module.state_dict()), dict(expected.state_dict()))
    optimiser = torch.optim.Adam(module.parameters())
    assert module.capture_of(optimiser) is None  # type: ignore[operator]


def test_a_step_that_cannot_be_captured_runs_as_usual(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(step: Callable[[], None]) -> Callable[[], object]:
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    steps: list[int] = []
    monkeypatch.setattr(graphed_training, "capture_on_cuda", refuse)
    replay = capture_or_run(lambda: steps.append(1))
    replay()
    assert steps == [1]
    assert caplog.messages == [
        "the training step runs without a CUDA graph, which is slower: operation not permitted when stream is capturing"
    ]


def test_a_checkpoint_has_numbers_where_a_graph_needs_tensors() -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    optimiser = torch.optim.Adam([parameter], torch.tensor(0.5), capturable=True)
    group = plain_state(optimiser.state_dict())["param_groups"][0]
    assert (type(group["lr"]), group["lr"], group["capturable"]) == (float, 0.5, False)
    assert optimiser.param_groups[0]["capturable"] is True
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, 1)
    assert [type(rate) for rate in plain_schedule(schedule.state_dict())["_last_lr"]] == [float]
