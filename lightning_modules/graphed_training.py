"""The LightningModule on a card: where nothing in a training step waits for the host, the step is one CUDA graph."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from pytorch_lightning.callbacks import Callback
from torch import Tensor
from torch.optim import Optimizer

from lightning_modules.graphed_step import Capture, GraphedStep, capture_on_cuda, make_capturable
from lightning_modules.networks.dense import Dense
from lightning_modules.neurons import base
from lightning_modules.scan import outcomes
from lightning_modules.spiking import SpikingModule
from lightning_modules.together import Member, Part

log = logging.getLogger(__name__)
SUITE = base.__name__.rpartition(".")[0]  # where the neurons are whose kernels are known to run
HOOKS = ("on_before_zero_grad", "on_before_backward", "on_after_backward", "on_before_optimizer_step")


def capture_or_run(step: Callable[[], None]) -> Callable[[], object]:
    """Capture ``step`` on a card. A step that cannot be captured runs as usual, with one warning."""
    try:
        return capture_on_cuda(step)
    except RuntimeError as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        log.warning("the training step runs without a CUDA graph, which is slower: %s", lines[0])
        return step


class GraphedModule(SpikingModule):
    """Trains as ``SpikingModule``, with one launch a step where that is possible.

    Lightning's loop stays as it is, with its counts and checkpoints. Its hooks for the backward pass, gradients and
    optimiser do nothing then: the graph has all three. With ``member``, set before the training starts, the launch is
    that of a whole group of trainings.
    """

    graphed: GraphedStep | Member | None = None
    member: Member | None = None

    def on_train_start(self) -> None:
        """Make the step anew: after a resume the optimiser's state is in other tensors."""
        self.graphed = None
        callbacks: list[Callback] = self.trainer.callbacks  # type: ignore[attr-defined]
        if not self.capturable or any(has_part_in_step(callback) for callback in callbacks):
            return
        optimiser: Optimizer = self.optimizers(use_pl_optimizer=False)  # type: ignore[assignment]
        capture = self.capture_of(optimiser)
        if capture is None:
            return
        clip = self.trainer.gradient_clip_val or None
        if self.member is None:
            self.graphed = GraphedStep(self.loss_of, optimiser, clip, capture=capture)
        else:
            self.member.join(Part(self, optimiser, clip, capture))
            self.graphed = self.member

    @property
    def capturable(self) -> bool:
        """Whether the host has no part in a step by its random numbers or by rewiring."""
        network = self.network
        if type(network) is not Dense or network.start != "own" or self.constrained:
            return False
        return all(type(neuron).__module__.startswith(f"{SUITE}.") for neuron in network.neurons)

    def capture_of(self, optimiser: Optimizer) -> Capture | None:
        """What captures the steps of ``optimiser``; None on the CPU, on an unchecked card, and where it cannot."""
        if self.device.type != "cuda" or outcomes.problem(self.device) or not make_capturable(optimiser):
            return None
        return capture_or_run

    def on_train_end(self) -> None:
        self.graphed = None

    def training_step(self, batch: tuple[Any, Tensor], index: int) -> Tensor:
        if self.graphed is None:
            return super().training_step(batch, index)
        x, target = batch
        loss = self.graphed(x if isinstance(x, Tensor) else x.dense(), target)
        self.count_loss(loss, target, index)
        return loss

    def optimizer_zero_grad(self, epoch: int, batch_idx: int, optimizer: Optimizer) -> None:
        if self.graphed is None:
            super().optimizer_zero_grad(epoch, batch_idx, optimizer)

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        if self.graphed is None:
            super().backward(loss, *args, **kwargs)

    def optimizer_step(
        self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Callable[[], Any] | None = None
    ) -> None:
        if self.graphed is None or optimizer_closure is None:
            super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        else:
            optimizer_closure()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        if self.graphed is not None:
            checkpoint["optimizer_states"] = [plain_state(state) for state in checkpoint["optimizer_states"]]
            checkpoint["lr_schedulers"] = [plain_schedule(state) for state in checkpoint["lr_schedulers"]]


def has_part_in_step(callback: Callback) -> bool:
    """Whether Lightning calls ``callback`` within a step, of which a graph has no part."""
    return any(getattr(type(callback), hook) is not getattr(Callback, hook) for hook in HOOKS)


def plain_state(state: dict[str, Any]) -> dict[str, Any]:
    """The state of an optimiser as it is without a graph, so that a training can go on without one."""
    groups = [dict(group) for group in state["param_groups"]]
    for group in groups:
        group["lr"] = float(group["lr"])
        if "capturable" in group:
            group["capturable"] = False
    return {**state, "param_groups": groups}


def plain_schedule(state: dict[str, Any]) -> dict[str, Any]:
    """The same of a schedule: learning rates are numbers."""
    return {**state, "_last_lr": [float(rate) for rate in state["_last_lr"]]}
