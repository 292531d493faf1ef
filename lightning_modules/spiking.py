"""The LightningModule of all experiments: network, loss, metrics, optimiser, activity. It knows no neuron by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from lightning_modules import networks
from lightning_modules.networks.base import check_fit
from lightning_modules.objectives import OBJECTIVES

OPTIMISERS = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "adamax": torch.optim.Adamax,
    "sgd": torch.optim.SGD,
}


class Diverged(Exception):
    """Training reached a loss or a weight that is not finite."""


@dataclass
class Tally:
    """Sums over the samples of one split, in float64 where the samples are: the host reads them once, at the end."""

    correct: Tensor | float = 0.0
    loss: Tensor | float = 0.0
    samples: int = 0
    decides: bool = True  # on a class, rather than a number

    def add(self, loss: Tensor, scores: Tensor, target: Tensor) -> None:
        self.correct = self.correct + count_correct(scores, target)
        self.loss = self.loss + loss.double() * len(target)
        self.samples += len(target)
        self.decides = not target.is_floating_point()

    def record(self, split: str) -> dict[str, float]:
        """Means, in % for accuracy."""
        accuracy = {f"{split}/accuracy": 100 * float(self.correct) / self.samples} if self.decides else {}
        return {f"{split}/loss": float(self.loss) / self.samples, **accuracy}


class SpikingModule(pl.LightningModule):
    """Trains the experiment that ``config`` describes (plain types, as ``bench.experiment.Experiment.config`` gives
    it).

    Raises ``ValueError`` for an unknown network, neuron, loss or optimiser, naming what is known.
    """

    check_every = 50  # batches between two checks for a loss that is not finite

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)  # W&B has them flat already
        self.config = config
        if config["loss"] not in OBJECTIVES:
            raise ValueError(f"unknown loss {config['loss']!r}; known: {', '.join(OBJECTIVES)}")
        if config["optimiser"] not in OPTIMISERS:
            raise ValueError(f"unknown optimiser {config['optimiser']!r}; known: {', '.join(OPTIMISERS)}")
        self.network = networks.build(config)
        self.objective = OBJECTIVES[config["loss"]]
        self.loss_settings = config["loss_settings"]
        self.history: list[dict[str, Any]] = []  # one record an epoch, kept in the checkpoint
        # weights after the epoch with the best value, by protocol (best_test, best_val)
        self.best: dict[str, dict[str, Tensor]] = {}
        # which test samples are decided right, in the order of the test set, by protocol (last, best_test, best_val)
        self.correctness: dict[str, Tensor] = {}
        self.constrained = [m for m in self.network.modules() if hasattr(m, "constrain")]
        self.train_loss = torch.zeros(())  # sum over the samples of the epoch
        self.train_samples = 0
        self._clear()

    def _clear(self) -> None:
        self.tallies = {"test": Tally(), "val": Tally()}
        self.activity: list[Tensor] = []
        self.right: list[Tensor] = []  # of the test batches; none without one class a sample

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        x, target = batch
        loss = self.loss_of(x, target)
        self.count_loss(loss, target, index)
        return loss

    def loss_of(self, x: Tensor, target: Tensor) -> Tensor:
        """The loss of a batch in training, with the network's penalty."""
        return self.loss_of_output(self.network(x), target)

    def loss_of_output(self, output: Tensor, target: Tensor) -> Tensor:
        """The same from what the network gave."""
        loss, _ = self.objective(output, target, **self.loss_settings)
        return loss if self.network.penalty is None else loss + self.network.penalty

    def count_loss(self, loss: Tensor, target: Tensor, index: int) -> None:
        """Add the loss of the epoch's batch ``index`` to the epoch's, and at times log it.

        Raises ``Diverged`` for a loss that is not finite, at the batches where the host reads it.
        """
        if index % self.check_every == 0:
            value = float(loss.detach())
            if value != value or value in (float("inf"), float("-inf")):
                raise Diverged(f"loss {value} in epoch {self.current_epoch}, batch {index}")
            self.log("train/loss", value)
        self.train_loss = self.train_loss.to(loss.device) + loss.detach() * len(target)
        self.train_samples += len(target)

    def on_train_batch_end(self, outputs: Any, batch: Any, index: int) -> None:
        for module in self.constrained:  # constraints on weights: a module's own ``constrain``
            module.constrain(self.optimizers().param_groups[0]["lr"])  # type: ignore[operator, union-attr]

    def on_train_epoch_start(self) -> None:
        # whatever is random in the network (dropout, …) follows from seed and epoch: resuming repeats it
        torch.manual_seed((self.config.get("seed", 0) * 100_003 + self.current_epoch) % 2**31)
        self.train_loss = torch.zeros(())
        self.train_samples = 0

    def on_train_epoch_end(self) -> None:
        for name, parameter in self.named_parameters():  # spikes of NaN are 0: the loss alone would not show it
            if not bool(torch.isfinite(parameter).all()):
                raise Diverged(f"{name} is not finite after epoch {self.current_epoch}")

    def on_validation_epoch_start(self) -> None:
        self._clear()

    def validation_step(self, batch: tuple[Tensor, Tensor], index: int, dataloader_idx: int = 0) -> None:
        x, target = batch
        split = ("test", "val")[dataloader_idx]
        output, activity = self.network.observe(x)
        loss, scores = self.objective(output, target, **self.loss_settings)
        self.tallies[split].add(loss, scores, target)
        if split == "test":
            self.activity.append(torch.stack([*activity.rates, activity.synops]) * len(target))
            if target.dim() == 1 and not target.is_floating_point():
                self.right.append(scores.argmax(-1) == target)

    def on_validation_epoch_end(self) -> None:
        count = self.tallies["test"].samples
        *rates, synops = (torch.stack(self.activity).sum(0) / count).tolist()
        watched = [split for split, tally in self.tallies.items() if tally.samples]
        record: dict[str, Any] = {}
        for split in watched:
            record |= self.tallies[split].record(split)
        if rates:  # none in a network without spikes
            sizes = [neuron.size for neuron in self.network.neurons if neuron.spiking]
            record |= {
                "spike_rate": sum(r * n for r, n in zip(rates, sizes, strict=True)) / sum(sizes),
                "synops": synops,
            }
        best = [f"best_{split}" for split in watched if not self.history or better(record, self.history, split)]
        for protocol in best:
            self.best[protocol] = {
                name: value.detach().to("cpu", copy=True) for name, value in self.network.state_dict().items()
            }
        if self.right:
            self.correctness |= dict.fromkeys(["last", *best], torch.cat(self.right).cpu())
        mean = {"train/loss": float(self.train_loss) / self.train_samples} if self.train_samples else {}
        self.history.append({"epoch": self.current_epoch + 1, **mean, **record, "n_test": count})
        self.log_dict({**record, **{f"spike_rate/layer{i + 1}": r for i, r in enumerate(rates)}})

    def configure_optimizers(self) -> Any:
        config = self.config
        factors = config["lr_neuron"]
        # factor on the rate -> parameters, each once however many layers share it
        own: dict[float, dict[int, nn.Parameter]] = {}
        for layer in self.network.neurons:
            for name, p in layer.named_parameters():
                own.setdefault(factors.get(name, 1.0) if isinstance(factors, dict) else factors, {})[id(p)] = p
        known = {i for group in own.values() for i in group}
        decay = config.get("weight_decay", 0.0)
        decay_neuron = config.get("weight_decay_neuron", 0.0)
        groups: list[dict[str, Any]] = [
            {"params": [p for p in self.parameters() if id(p) not in known], "weight_decay": decay}
        ]
        groups[0]["lr"] = config["lr"]
        groups += [
            {"params": list(group.values()), "lr": config["lr"] * factor, "weight_decay": decay_neuron}
            for factor, group in own.items()
        ]
        optimiser = OPTIMISERS[config["optimiser"]](groups, lr=config["lr"])
        if not config["schedule"]:
            return optimiser
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule(optimiser, **config["schedule"]), "interval": "epoch"},
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["history"] = self.history
        checkpoint["best"] = self.best
        checkpoint["correctness"] = self.correctness

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        check_fit(self, checkpoint["state_dict"])
        self.history = checkpoint["history"]
        self.best = checkpoint["best"]
        self.correctness = checkpoint.get("correctness", {})  # not in a checkpoint of an earlier version


def correct(scores: Tensor, target: Tensor) -> float:
    """How many samples are decided right; 0 in regression.

    With a target at every step it is the sum over samples of the share of steps.
    """
    return float(count_correct(scores, target))


def count_correct(scores: Tensor, target: Tensor) -> Tensor:
    """The same as a float64 tensor, on the device of ``scores``."""
    if target.is_floating_point():
        return torch.zeros((), dtype=torch.float64, device=scores.device)
    right = scores.argmax(-1) == target
    return (right.float().mean(1).sum() if target.dim() > 1 else right.sum()).double()


def better(record: dict[str, Any], before: list[dict[str, Any]], split: str) -> bool:
    """Whether an epoch's value on ``split`` is above all before: by accuracy, in regression by loss."""
    accuracy = f"{split}/accuracy"
    loss = f"{split}/loss"
    if accuracy in record:
        return record[accuracy] > max(r[accuracy] for r in before)
    return record[loss] < min(r[loss] for r in before)


def schedule(optimiser: torch.optim.Optimizer, **settings: Any) -> torch.optim.lr_scheduler.LRScheduler:
    """The learning rate over epochs. Raises ``ValueError`` for settings that are none of the known forms."""
    known = torch.optim.lr_scheduler
    match sorted(settings):
        case ["every", "factor"]:
            return known.StepLR(optimiser, settings["every"], settings["factor"])
        case ["factor", "milestones"]:
            return known.MultiStepLR(optimiser, settings["milestones"], settings["factor"])
        case ["linear"]:
            return known.LinearLR(optimiser, 1.0, 0.0, settings["linear"])
        case ["cosine"]:
            return known.CosineAnnealingLR(optimiser, settings["cosine"])
    raise ValueError(f"a schedule is every + factor, milestones + factor, linear, or cosine, got {', '.join(settings)}")
