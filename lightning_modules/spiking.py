"""The LightningModule shared by all experiments: network, loss, metrics, optimiser, activity. Knows no neuron by name."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from lightning_modules import networks
from lightning_modules.objectives import OBJECTIVES


class Diverged(Exception):
    """Training reached a loss or a weight that is not finite."""


class SpikingModule(pl.LightningModule):
    """Trains the experiment that ``config`` describes (plain types, as ``bench.experiment.Experiment.config`` gives it).

    Raises ``ValueError`` for an unknown network, neuron, loss or optimiser, naming what is known.
    """

    check_every = 50  # batches between two checks for a loss that is not finite

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)  # W&B has them flat already
        self.config = config
        if config["loss"] not in OBJECTIVES:
            raise ValueError(f"unknown loss {config['loss']!r}; known: {', '.join(OBJECTIVES)}")
        if config["optimiser"] not in ("adam", "adamw"):
            raise ValueError(f"unknown optimiser {config['optimiser']!r}; known: adam, adamw")
        self.network = networks.build(config)
        self.objective = OBJECTIVES[config["loss"]]
        self.loss_settings = config["loss_settings"]
        self.history: list[dict[str, float]] = []  # one record an epoch, kept in the checkpoint
        self._clear()

    def _clear(self) -> None:
        self.correct = self.seen = 0
        self.activity: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        x, target = batch
        loss, _ = self.objective(self.network(x), target, **self.loss_settings)
        if index % self.check_every == 0:
            value = float(loss.detach())
            if value != value or value in (float("inf"), float("-inf")):
                raise Diverged(f"loss {value} in epoch {self.current_epoch}, batch {index}")
            self.log("train/loss", value)
        return loss

    def on_train_epoch_start(self) -> None:
        # whatever is random in the network (dropout, …) follows from seed and epoch: resuming repeats it
        torch.manual_seed((self.config.get("seed", 0) * 100_003 + self.current_epoch) % 2**31)

    def on_train_epoch_end(self) -> None:
        for name, parameter in self.named_parameters():  # spikes of NaN are 0: the loss alone would not show it
            if not bool(torch.isfinite(parameter).all()):
                raise Diverged(f"{name} is not finite after epoch {self.current_epoch}")

    def on_validation_epoch_start(self) -> None:
        self._clear()

    def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        x, target = batch
        output, activity = self.network.observe(x)
        _, scores = self.objective(output, target, **self.loss_settings)
        self.correct += int((scores.argmax(1) == target).sum())
        self.seen += len(target)
        self.activity.append(torch.stack([*activity.rates, activity.synops]) * len(target))

    def on_validation_epoch_end(self) -> None:
        *rates, synops = (torch.stack(self.activity).sum(0) / self.seen).tolist()
        sizes = [neuron.size for neuron in self.network.neurons if neuron.spiking]
        rate = sum(r * n for r, n in zip(rates, sizes, strict=True)) / sum(sizes)
        record = {"epoch": self.current_epoch + 1, "test/accuracy": 100 * self.correct / self.seen, "spike_rate": rate, "synops": synops}
        self.history.append({**record, "n_test": self.seen})
        self.log_dict({**{k: v for k, v in record.items() if k != "epoch"}, **{f"spike_rate/layer{i + 1}": r for i, r in enumerate(rates)}})

    def configure_optimizers(self) -> Any:
        config = self.config
        neuron = [p for layer in self.network.neurons for p in layer.parameters()]
        known = {id(p) for p in neuron}
        groups = [{"params": [p for p in self.parameters() if id(p) not in known], "lr": config["lr"]}]
        if neuron:
            groups.append({"params": neuron, "lr": config["lr"] * config["lr_neuron"]})
        optimiser = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config["optimiser"]](groups, lr=config["lr"])
        if not config["schedule"]:
            return optimiser
        schedule = torch.optim.lr_scheduler.StepLR(optimiser, config["schedule"]["every"], config["schedule"]["factor"])
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "epoch"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["history"] = self.history

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.history = checkpoint["history"]
