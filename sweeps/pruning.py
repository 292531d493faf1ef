"""Reports a trial to Optuna after every epoch, and ends its training when Optuna prunes it.

The callback of ``optuna_integration`` imports the package ``lightning``, which this project does not use.
"""

from __future__ import annotations

import optuna
import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from lightning_modules.spiking import SpikingModule


class Pruned(SystemExit):
    """Raised out of a training whose trial Optuna prunes."""


class Pruning(Callback):
    """Reports the validation accuracy of each epoch to ``trial``, from step ``first`` on; raises ``Pruned``."""

    def __init__(self, trial: optuna.Trial, first: int = 0) -> None:
        self.trial = trial
        self.first = first

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        assert isinstance(module, SpikingModule)
        self.trial.report(module.history[-1]["val/accuracy"], self.first + trainer.current_epoch)
        if self.trial.should_prune():
            raise Pruned(0)
