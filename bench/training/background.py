"""Checkpoints that a thread writes, while the next epoch runs on a card."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO
from torch import Tensor


class BackgroundWriter(TorchCheckpointIO):
    """Copies a checkpoint to the host at once, and lets a thread write it. A file is replaced whole.

    At most one write is under way, so a killed training loses one epoch, or two where it is killed within a write.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pool = ThreadPoolExecutor(1, "checkpoints")
        self.pending: Future[None] | None = None

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Raises what the write before this one raised."""
        copied = snapshot(checkpoint)
        if torch.cuda.is_available():
            torch.cuda.synchronize()  # until then the copies are on their way
        self.wait()
        self.pending = self.pool.submit(self._write, copied, Path(path))

    def _write(self, checkpoint: dict[str, Any], path: Path) -> None:
        new = path.with_suffix(".new")
        super().save_checkpoint(checkpoint, new)
        os.replace(new, path)

    def wait(self) -> None:
        """Until nothing is written any more. Raises what the write raised."""
        pending = self.pending
        self.pending = None
        if pending is not None:
            pending.result()

    def teardown(self) -> None:
        try:
            self.wait()
        finally:
            self.pool.shutdown()


def snapshot(value: Any) -> Any:
    """A copy that no later step changes, all of its tensors on the host."""
    if isinstance(value, Tensor):
        if value.device.type == "cpu":
            return value.detach().clone()
        return value.detach().to("cpu", non_blocking=True)
    if isinstance(value, Mapping):
        return {key: snapshot(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([snapshot(part) for part in value])
    return value
